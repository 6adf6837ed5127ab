/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Envelopes, and the two records in them. */
#include "codec/record.h"

#include "../../vectors/keys.h"
#include "codec/maddr.h"
#include "hex.h"

static struct adit_pb_arena arena;

/* The envelope of go-libp2p-core's envelope_test.go. */
static const char go_envelope[] =
    "0a24080112206f1581709bb7b1ef030d210db18e3b0ba1c776fba65d8cdaad05415142d1"
    "89f812102f6c69627032702f74657374646174611a0c68656c6c6f20776f726c64212a40"
    "1178673b51dfa842aad17e465e25d646ad16628916b964c3fb10c711fee87872bdd4e464"
    "6f58c277cdff09704913d8be1aec6322de8d3d0bb852120374aece08";
static const char go_domain[] = "libp2p-testing";
static const char go_type[] = "/libp2p/testdata";

static struct adit_mslice
room(struct bytes *b)
{
    return (struct adit_mslice){ b->b, sizeof(b->b) };
}

/* The identity of the specification's Ed25519 key. */
static struct adit_identity
spec_identity(void)
{
    struct bytes file = unhex(key_ed25519_priv);
    struct adit_identity id;

    assert_int_equal(adit_identity_dec(all(&file), &id), ADIT_OK);
    return id;
}

static void
test_envelope_of_go(void **state)
{
    struct bytes b = unhex(go_envelope);
    struct adit_envelope env;
    struct adit_peerid signer;

    (void)state;
    assert_int_equal(adit_envelope_dec(&arena, all(&b), go_domain,
                                       adit_slice_str(go_type), &env),
                     ADIT_OK);
    assert_slice(env.payload, adit_slice_str("hello world!"), "payload");
    adit_peerid_of_key(adit_slice(b.b + 2, 36), &signer);
    assert_true(adit_peerid_eq(&env.signer, &signer));

    assert_int_equal(adit_envelope_dec(&arena, all(&b), "libp2p-testinh",
                                       adit_slice_str(go_type), &env),
                     ADIT_EAUTH);
    assert_int_equal(adit_envelope_dec(&arena, all(&b), go_domain,
                                       adit_slice_str("/libp2p/testdatb"),
                                       &env),
                     ADIT_EPROTO);
    for (size_t n = 0; n < b.n; n++)
        assert_int_not_equal(adit_envelope_dec(&arena, adit_slice(b.b, n),
                                               go_domain,
                                               adit_slice_str(go_type), &env),
                             ADIT_OK);
    /* No byte of it can be another. */
    for (size_t i = 0; i < b.n; i++) {
        adit_err e;

        b.b[i] ^= 0x04;
        e = adit_envelope_dec(&arena, all(&b), go_domain,
                              adit_slice_str(go_type), &env);
        if (e != ADIT_EAUTH && e != ADIT_EPROTO)
            fail_msg("byte %zu", i);
        b.b[i] ^= 0x04;
    }
}

/* What go-libp2p signs with keys of all kinds. */
static void
test_records_of_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(key_vectors); i++) {
        struct bytes b = unhex(key_vectors[i].record);
        struct adit_record r;
        struct adit_voucher v;
        struct adit_maddr a;
        char text[ADIT_PEERID_TEXT_BYTES];
        char addr[ADIT_MADDR_TEXT_BYTES];

        assert_int_equal(adit_record_dec(&arena, all(&b), &r), ADIT_OK);
        assert_string_equal(adit_peerid_format(&r.peer, text),
                            key_vectors[i].id);
        assert_true(r.seq == UINT64_C(1700000000000));
        assert_int_equal(r.n_addrs, 2);
        assert_int_equal(adit_maddr_dec(r.addrs[0], &a), ADIT_OK);
        assert_string_equal(adit_maddr_format(&a, addr),
                            "/ip4/192.0.2.7/tcp/4001");
        assert_int_equal(adit_maddr_dec(r.addrs[1], &a), ADIT_OK);
        assert_string_equal(adit_maddr_format(&a, addr),
                            "/ip6/2001:db8::7/udp/4001/quic-v1");
        /* One is not the other. */
        assert_int_equal(adit_voucher_dec(all(&b), &v), ADIT_EPROTO);

        b = unhex(key_vectors[i].voucher);
        assert_int_equal(adit_voucher_dec(all(&b), &v), ADIT_OK);
        assert_string_equal(adit_peerid_format(&v.relay, text),
                            key_vectors[i].id);
        assert_string_equal(adit_peerid_format(&v.peer, text),
                            KEY_VOUCHER_PEER);
        assert_true(v.expire_unix_s == 1700000000);
        assert_int_equal(adit_record_dec(&arena, all(&b), &r), ADIT_EPROTO);
        for (size_t n = 0; n < b.n; n += 1 + n / 50)
            assert_int_not_equal(adit_voucher_dec(adit_slice(b.b, n), &v),
                                 ADIT_OK);
    }
}

/* Ed25519 signs alike everywhere, so ours must be go's byte for byte. */
static void
test_ours_is_go_s(void **state)
{
    static const char *const texts[2] = {
        "/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::7/udp/4001/quic-v1"
    };
    struct adit_identity id = spec_identity();
    struct bytes record = unhex(key_vectors[0].record);
    struct bytes voucher = unhex(key_vectors[0].voucher);
    struct adit_maddr addrs[2];
    struct adit_slice slices[2];
    struct adit_peerid peer;
    struct bytes b = { 0 };
    size_t n;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            adit_maddr_parse(adit_slice_str(texts[i]), &addrs[i], NULL),
            ADIT_OK);
        slices[i] = adit_maddr_bytes(&addrs[i]);
    }
    assert_int_equal(adit_record_enc(&id, UINT64_C(1700000000000), slices, 2,
                                     room(&b), &b.n),
                     ADIT_OK);
    assert_slice(all(&b), all(&record), "peer record");

    assert_int_equal(
        adit_peerid_parse(adit_slice_str(KEY_VOUCHER_PEER), &peer), ADIT_OK);
    assert_int_equal(adit_voucher_enc(&id, &peer, 1700000000, room(&b), &b.n),
                     ADIT_OK);
    assert_slice(all(&b), all(&voucher), "voucher");
    assert_true(b.n <= ADIT_VOUCHER_MAX_BYTES);

    /* One byte of room less. */
    n = b.n;
    assert_int_equal(adit_voucher_enc(&id, &peer, 1700000000,
                                      (struct adit_mslice){ b.b, n - 1 }, &n),
                     ADIT_EINVAL);
    adit_identity_fini(&id);
}

/* A record of somebody else's, well signed. */
static void
test_foreign(void **state)
{
    static const uint8_t record_type[2] = { 3, 1 };
    static const uint8_t voucher_type[2] = { 3, 2 };
    struct adit_identity id = spec_identity();
    struct adit_peerid other;
    struct adit_pb_record rec = { .seq = 1 };
    struct adit_pb_voucher vou = { .expiration = 1 };
    struct adit_record r;
    struct adit_voucher v;
    struct bytes payload = { 0 };
    struct bytes b = { 0 };

    (void)state;
    assert_int_equal(
        adit_peerid_parse(adit_slice_str(KEY_VOUCHER_PEER), &other), ADIT_OK);
    rec.peer_id = adit_peerid_bytes(&other);
    assert_int_equal(adit_pb_record_enc(&rec, room(&payload), &payload.n),
                     ADIT_OK);
    assert_int_equal(adit_envelope_enc(&id, "libp2p-peer-record",
                                       adit_slice(record_type, 2),
                                       all(&payload), room(&b), &b.n),
                     ADIT_OK);
    assert_int_equal(adit_record_dec(&arena, all(&b), &r), ADIT_EAUTH);

    vou.relay = adit_peerid_bytes(&other);
    vou.peer = adit_peerid_bytes(&id.id);
    assert_int_equal(adit_pb_voucher_enc(&vou, room(&payload), &payload.n),
                     ADIT_OK);
    assert_int_equal(adit_envelope_enc(&id, "libp2p-relay-rsvp",
                                       adit_slice(voucher_type, 2),
                                       all(&payload), room(&b), &b.n),
                     ADIT_OK);
    assert_int_equal(adit_voucher_dec(all(&b), &v), ADIT_EAUTH);

    /* A peer that is no multihash. */
    vou.relay = adit_peerid_bytes(&id.id);
    vou.peer = adit_slice_str("x");
    assert_int_equal(adit_pb_voucher_enc(&vou, room(&payload), &payload.n),
                     ADIT_OK);
    assert_int_equal(adit_envelope_enc(&id, "libp2p-relay-rsvp",
                                       adit_slice(voucher_type, 2),
                                       all(&payload), room(&b), &b.n),
                     ADIT_OK);
    assert_int_equal(adit_voucher_dec(all(&b), &v), ADIT_EPROTO);
    adit_identity_fini(&id);
}

/* Well signed, and then nonsense. */
static void
test_bad_payload(void **state)
{
    static const struct {
        const char *why;
        const char *hex;
    } bad[] = {
        { "empty", "" },
        { "no protobuf", "ff" },
        { "a peer that is no multihash", "0a0178" },
        { "no peer", "1001" },
    };
    static const uint8_t record_type[2] = { 3, 1 };
    static const uint8_t voucher_type[2] = { 3, 2 };
    struct adit_identity id = spec_identity();

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes payload = unhex(bad[i].hex);
        struct bytes b = { 0 };
        struct adit_record r;
        struct adit_voucher v;

        assert_int_equal(adit_envelope_enc(&id, "libp2p-peer-record",
                                           adit_slice(record_type, 2),
                                           all(&payload), room(&b), &b.n),
                         ADIT_OK);
        if (adit_record_dec(&arena, all(&b), &r) != ADIT_EPROTO)
            fail_msg("%s", bad[i].why);
        assert_int_equal(adit_envelope_enc(&id, "libp2p-relay-rsvp",
                                           adit_slice(voucher_type, 2),
                                           all(&payload), room(&b), &b.n),
                         ADIT_OK);
        if (adit_voucher_dec(all(&b), &v) != ADIT_EPROTO)
            fail_msg("%s", bad[i].why);
    }
    adit_identity_fini(&id);
}

/* As many addresses as there may be, and one more; and too large ones. */
static void
test_many_addrs(void **state)
{
    static uint8_t out[ADIT_ENVELOPE_MAX_BYTES];
    static struct adit_slice addrs[ADIT_PB_MAX_ADDRS + 1];
    static uint8_t addr[200];
    struct adit_mslice dst = { out, sizeof(out) };
    struct adit_identity id = spec_identity();
    struct adit_record r;
    size_t n;

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(addrs); i++)
        addrs[i] = adit_slice(addr, 50);
    assert_int_equal(
        adit_record_enc(&id, 1, addrs, ADIT_PB_MAX_ADDRS, dst, &n), ADIT_OK);
    assert_int_equal(adit_record_dec(&arena, adit_slice(out, n), &r), ADIT_OK);
    assert_int_equal(r.n_addrs, ADIT_PB_MAX_ADDRS);
    assert_int_equal(
        adit_record_enc(&id, 1, addrs, ADIT_PB_MAX_ADDRS + 1, dst, &n),
        ADIT_EINVAL);
    for (size_t i = 0; i < ADIT_NITEMS(addrs); i++)
        addrs[i] = adit_slice(addr, sizeof(addr));
    assert_int_equal(
        adit_record_enc(&id, 1, addrs, ADIT_PB_MAX_ADDRS, dst, &n),
        ADIT_EINVAL);
    adit_identity_fini(&id);
}

static void
test_sizes(void **state)
{
    static uint8_t out[2 * ADIT_ENVELOPE_MAX_BYTES];
    static uint8_t payload[ADIT_ENVELOPE_MAX_BYTES + 1];
    static const char type[2] = { 'x', 'y' };
    struct adit_identity id = spec_identity();
    struct adit_mslice dst = { out, sizeof(out) };
    struct adit_envelope env;
    char domain[ADIT_ENVELOPE_MAX_NAME_BYTES + 2];
    size_t n;

    (void)state;
    memset(domain, 'd', sizeof(domain));
    domain[sizeof(domain) - 1] = '\0';
    assert_int_equal(adit_envelope_enc(&id, domain, ADIT_SLICE_NONE,
                                       ADIT_SLICE_NONE, dst, &n),
                     ADIT_EINVAL);
    domain[sizeof(domain) - 2] = '\0';
    assert_int_equal(adit_envelope_enc(&id, domain, ADIT_SLICE_NONE,
                                       ADIT_SLICE_NONE, dst, &n),
                     ADIT_OK);
    assert_int_equal(adit_envelope_dec(&arena, adit_slice(out, n), domain,
                                       ADIT_SLICE_NONE, &env),
                     ADIT_OK);
    assert_int_equal(env.payload.n, 0);

    /* The longest payload, and what is around it. */
    n = ADIT_ENVELOPE_MAX_BYTES - ADIT_ENVELOPE_OVER_BYTES - sizeof(type);
    assert_int_equal(adit_envelope_enc(&id, "d", adit_slice(type, 2),
                                       adit_slice(payload, n), dst, &n),
                     ADIT_OK);
    assert_true(n > ADIT_ENVELOPE_MAX_BYTES - 8);
    assert_int_equal(adit_envelope_dec(&arena, adit_slice(out, n), "d",
                                       adit_slice(type, 2), &env),
                     ADIT_OK);
    n = ADIT_ENVELOPE_MAX_BYTES;
    assert_int_equal(adit_envelope_enc(&id, "d", adit_slice(type, 2),
                                       adit_slice(payload, n), dst, &n),
                     ADIT_EINVAL);
    assert_int_equal(adit_envelope_enc(&id, "d", adit_slice(type, 2),
                                       adit_slice(payload, n + 1), dst, &n),
                     ADIT_EINVAL);
    adit_identity_fini(&id);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope_of_go),
        cmocka_unit_test(test_records_of_go),
        cmocka_unit_test(test_ours_is_go_s),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_bad_payload),
        cmocka_unit_test(test_many_addrs),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
