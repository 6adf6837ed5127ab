/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/pb.h"

#include "hex.h"

static struct adit_pb_arena arena;

static struct adit_mslice
room(struct bytes *b)
{
    return (struct adit_mslice){ b->b, sizeof(b->b) };
}

static struct adit_slice
str(const char *s)
{
    return adit_slice_str(s);
}

/* Bytes as in the specification, or worked out by hand from it. */
static void
test_hop_bytes(void **state)
{
    struct adit_pb_hop m = { .has_type = true, .type = ADIT_PB_HOP_RESERVE };
    struct adit_pb_hop r;
    struct bytes want = unhex("0800");
    struct bytes b = { 0 };

    (void)state;
    assert_int_equal(adit_pb_hop_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "RESERVE");

    m.type = ADIT_PB_HOP_STATUS;
    m.has_status = true;
    m.status = ADIT_PB_STATUS_OK;
    want = unhex("08022864");
    assert_int_equal(adit_pb_hop_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "STATUS OK");

    m.limit = (struct adit_pb_limit){ .has = true,
                                      .has_duration = true,
                                      .duration_s = 120,
                                      .has_data = true,
                                      .data_bytes = 131072 };
    m.reservation.has = true;
    m.reservation.has_expire = true;
    m.reservation.expire = 1700000000;
    m.reservation.n_addrs = 2;
    m.reservation.addrs[0] = str("a");
    m.reservation.addrs[1] = str("bc");
    m.reservation.voucher = str("v");
    want = unhex("0802"
                 "1a10"
                 "0880e2cfaa06"
                 "120161"
                 "12026263"
                 "1a0176"
                 "2206"
                 "0878"
                 "10808008"
                 "2864");
    assert_int_equal(adit_pb_hop_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "reservation");

    assert_int_equal(adit_pb_hop_dec(&arena, all(&b), &r), ADIT_OK);
    assert_true(r.has_type && r.has_status && r.limit.has);
    assert_int_equal(r.type, ADIT_PB_HOP_STATUS);
    assert_int_equal(r.status, 100);
    assert_true(r.limit.has_duration && r.limit.has_data);
    assert_int_equal(r.limit.duration_s, 120);
    assert_int_equal(r.limit.data_bytes, 131072);
    assert_true(r.reservation.has && r.reservation.has_expire);
    assert_int_equal(r.reservation.expire, 1700000000);
    assert_int_equal(r.reservation.n_addrs, 2);
    assert_slice(r.reservation.addrs[1], str("bc"), "second address");
    assert_slice(r.reservation.voucher, str("v"), "voucher");
    assert_false(r.peer.has);
}

static void
test_stop_bytes(void **state)
{
    struct adit_pb_stop m = { .has_type = true };
    struct adit_pb_stop r;
    struct bytes want = unhex("0800"
                              "1206"
                              "0a01aa"
                              "1201bb"
                              "1a00");
    struct bytes b = { 0 };

    (void)state;
    m.peer.has = true;
    m.peer.id = adit_slice("\xaa", 1);
    m.peer.n_addrs = 1;
    m.peer.addrs[0] = adit_slice("\xbb", 1);
    m.limit.has = true;
    assert_int_equal(adit_pb_stop_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "CONNECT");
    assert_int_equal(adit_pb_stop_dec(&arena, all(&b), &r), ADIT_OK);
    assert_true(r.has_type && r.peer.has && r.limit.has);
    assert_int_equal(r.type, ADIT_PB_STOP_CONNECT);
    assert_false(r.has_status || r.limit.has_data || r.limit.has_duration);
    assert_slice(r.peer.id, adit_slice("\xaa", 1), "peer");
    assert_int_equal(r.peer.n_addrs, 1);
}

/* Odd, but not malformed. */
static void
test_hop_odd(void **state)
{
    static const struct {
        const char *why;
        const char *hex;
        bool has_type;
        int32_t type;
        bool has_status;
        int32_t status;
    } cases[] = {
        { "nothing", "", false, 0, false, 0 },
        { "a type that nobody knows", "0863", true, 99, false, 0 },
        { "a status that nobody knows", "080228e707", true, 2, true, 999 },
        { "a negative type", "08ffffffffffffffffff01", true, -1, false, 0 },
        { "the last type counts", "08000801", true, 1, false, 0 },
        { "status before type", "28640802", true, 2, true, 100 },
        { "unknown varint, bytes, fixed32, fixed64",
          "f00101"
          "fa01026869"
          "fd0100000000"
          "f9010000000000000000"
          "0800",
          true, 0, false, 0 },
        { "zero in two bytes", "088000", true, 0, false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct bytes b = unhex(cases[i].hex);
        struct adit_pb_hop r;

        if (adit_pb_hop_dec(&arena, all(&b), &r) != ADIT_OK ||
            r.has_type != cases[i].has_type || r.type != cases[i].type ||
            r.has_status != cases[i].has_status || r.status != cases[i].status)
            fail_msg("%s", cases[i].why);
    }
}

static void
test_hop_malformed(void **state)
{
    static const struct {
        const char *why;
        const char *hex;
    } bad[] = {
        { "a tag alone", "08" },
        { "a varint without end", "08ffffffffffffffffffff01" },
        { "a length beyond the end", "1205aa" },
        { "a length near 2^64", "12ffffffffffffffffff01aa" },
        { "a length of 2^31", "128080808008aa" },
        { "type as bytes", "0a00" },
        { "peer as a number", "1001" },
        { "peer cut inside", "12020a05" },
        { "a group", "0b0c" },
        { "wire type 7", "0f" },
        { "field zero", "0000" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes b = unhex(bad[i].hex);
        struct adit_pb_hop r = { .type = 77 };

        if (adit_pb_hop_dec(&arena, all(&b), &r) != ADIT_EPROTO ||
            r.type != 77)
            fail_msg("%s", bad[i].why);
    }
}

/* Cut inside a field, for each decoder. */
static void
test_truncated(void **state)
{
    static struct adit_pb_key key;
    static struct adit_pb_noise noise;
    static struct adit_pb_identify identify;
    static struct adit_pb_hop hop;
    static struct adit_pb_stop stop;
    static struct adit_pb_envelope envelope;
    static struct adit_pb_record record;
    static struct adit_pb_voucher voucher;
    struct bytes b = unhex("0a05aabb");

    (void)state;
    assert_int_equal(adit_pb_key_dec(&arena, all(&b), &key), ADIT_EPROTO);
    assert_int_equal(adit_pb_noise_dec(&arena, all(&b), &noise), ADIT_EPROTO);
    assert_int_equal(adit_pb_identify_dec(&arena, all(&b), &identify),
                     ADIT_EPROTO);
    assert_int_equal(adit_pb_hop_dec(&arena, all(&b), &hop), ADIT_EPROTO);
    assert_int_equal(adit_pb_stop_dec(&arena, all(&b), &stop), ADIT_EPROTO);
    assert_int_equal(adit_pb_envelope_dec(&arena, all(&b), &envelope),
                     ADIT_EPROTO);
    assert_int_equal(adit_pb_record_dec(&arena, all(&b), &record),
                     ADIT_EPROTO);
    assert_int_equal(adit_pb_voucher_dec(&arena, all(&b), &voucher),
                     ADIT_EPROTO);
}

static void
test_caps(void **state)
{
    static uint8_t zeros[ADIT_PB_IDENTIFY_MAX_BYTES + 1];
    struct adit_pb_hop hop;
    struct adit_pb_identify id;
    struct adit_pb_envelope env;
    size_t n = sizeof(zeros);

    (void)state;
    /* One unknown field that fills the message. */
    zeros[0] = 0xfa;
    zeros[1] = 0x01;
    zeros[2] = (uint8_t)((ADIT_PB_MAX_BYTES - 4) | 0x80);
    zeros[3] = (uint8_t)((ADIT_PB_MAX_BYTES - 4) >> 7);
    assert_int_equal(
        adit_pb_hop_dec(&arena, adit_slice(zeros, ADIT_PB_MAX_BYTES), &hop),
        ADIT_OK);
    zeros[2] = (uint8_t)((ADIT_PB_MAX_BYTES - 3) | 0x80);
    assert_int_equal(adit_pb_hop_dec(&arena,
                                     adit_slice(zeros, ADIT_PB_MAX_BYTES + 1),
                                     &hop),
                     ADIT_EPROTO);
    zeros[2] = (uint8_t)((n - 5) | 0x80);
    zeros[3] = (uint8_t)((n - 5) >> 7);
    assert_int_equal(
        adit_pb_identify_dec(&arena, adit_slice(zeros, n - 1), &id), ADIT_OK);
    assert_int_equal(
        adit_pb_envelope_dec(&arena, adit_slice(zeros, n - 1), &env), ADIT_OK);
    zeros[2]++;
    assert_int_equal(adit_pb_identify_dec(&arena, adit_slice(zeros, n), &id),
                     ADIT_EPROTO);
    assert_int_equal(adit_pb_envelope_dec(&arena, adit_slice(zeros, n), &env),
                     ADIT_EPROTO);
}

/* `n` empty entries of field `field`. */
static struct bytes
repeat(uint8_t field, size_t n)
{
    struct bytes b = { 0 };

    for (size_t i = 0; i < n; i++) {
        b.b[b.n++] = (uint8_t)(field << 3 | 2);
        b.b[b.n++] = 0;
    }
    return b;
}

/* More list entries than we keep; then more than the arena has room for. */
static void
test_many_entries(void **state)
{
    struct adit_pb_identify id;
    struct bytes b = repeat(3, 400);

    (void)state;
    assert_int_equal(adit_pb_identify_dec(&arena, all(&b), &id), ADIT_OK);
    assert_int_equal(id.n_protocols, ADIT_PB_MAX_PROTOCOLS);
    assert_int_equal(id.n_listen_addrs, 0);
    b = repeat(2, ADIT_PB_MAX_ADDRS);
    assert_int_equal(adit_pb_identify_dec(&arena, all(&b), &id), ADIT_OK);
    assert_int_equal(id.n_listen_addrs, ADIT_PB_MAX_ADDRS);
    b = repeat(2, 2000);
    assert_int_equal(adit_pb_identify_dec(&arena, all(&b), &id), ADIT_EPROTO);
    assert_true(arena.used <= sizeof(arena.buf));
}

/* What a full identify message of ours takes, and nothing is lost. */
static void
test_identify_full(void **state)
{
    static uint8_t wire[ADIT_PB_IDENTIFY_MAX_BYTES];
    static struct adit_pb_identify m;
    static struct adit_pb_identify r;
    struct adit_mslice dst = { wire, sizeof(wire) };
    uint8_t addr[40];
    uint8_t record[1500];
    size_t n;

    (void)state;
    memset(addr, 7, sizeof(addr));
    memset(record, 8, sizeof(record));
    m.pubkey = str("key");
    m.observed_addr = adit_slice(addr, 8);
    m.protocol_version = str("ipfs/0.1.0");
    m.agent_version = adit_slice("a\0b", 3); /* text may hold anything */
    m.signed_peer_record = adit_slice(record, sizeof(record));
    m.n_listen_addrs = ADIT_PB_MAX_ADDRS;
    for (size_t i = 0; i < m.n_listen_addrs; i++)
        m.listen_addrs[i] = adit_slice(addr, 1 + i % sizeof(addr));
    m.n_protocols = ADIT_PB_MAX_PROTOCOLS;
    for (size_t i = 0; i < m.n_protocols; i++)
        m.protocols[i] = str("/libp2p/circuit/relay/0.2.0/hop");
    assert_int_equal(adit_pb_identify_enc(&m, dst, &n), ADIT_OK);
    assert_true(n > 7000);
    assert_int_equal(adit_pb_identify_dec(&arena, adit_slice(wire, n), &r),
                     ADIT_OK);
    assert_slice(r.pubkey, m.pubkey, "key");
    assert_slice(r.observed_addr, m.observed_addr, "observed");
    assert_slice(r.protocol_version, m.protocol_version, "version");
    assert_slice(r.agent_version, m.agent_version, "agent");
    assert_slice(r.signed_peer_record, m.signed_peer_record, "record");
    assert_int_equal(r.n_listen_addrs, m.n_listen_addrs);
    assert_int_equal(r.n_protocols, m.n_protocols);
    for (size_t i = 0; i < r.n_listen_addrs; i++)
        assert_slice(r.listen_addrs[i], m.listen_addrs[i], "address");
    for (size_t i = 0; i < r.n_protocols; i++)
        assert_slice(r.protocols[i], m.protocols[i], "protocol");

    /* One byte of room less, and nothing is written. */
    memset(wire, 0, sizeof(wire));
    dst.n = n - 1;
    assert_int_equal(adit_pb_identify_enc(&m, dst, &n), ADIT_EINVAL);
    assert_int_equal(wire[0], 0);
    dst.n = sizeof(wire);
    m.n_protocols = ADIT_PB_MAX_PROTOCOLS + 1;
    assert_int_equal(adit_pb_identify_enc(&m, dst, &n), ADIT_EINVAL);
}

static void
test_noise(void **state)
{
    struct adit_pb_noise m = { .identity_key = str("k"),
                               .identity_sig = str("s") };
    struct adit_pb_noise r;
    struct bytes want = unhex("0a016b"
                              "120173");
    struct bytes b = { 0 };

    (void)state;
    assert_int_equal(adit_pb_noise_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "no muxers, no extensions");
    m.n_muxers = 1;
    m.muxers[0] = str("/yamux/1.0.0");
    want = unhex("0a016b"
                 "120173"
                 "220e"
                 "120c2f79616d75782f312e302e30");
    assert_int_equal(adit_pb_noise_enc(&m, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "one muxer");
    assert_int_equal(adit_pb_noise_dec(&arena, all(&b), &r), ADIT_OK);
    assert_int_equal(r.n_muxers, 1);
    assert_slice(r.muxers[0], m.muxers[0], "muxer");

    /* With what go adds for WebTransport, and extensions in two pieces. */
    b = unhex("0a016b"
              "120173"
              "22020a00"
              "2203120161"
              "2203120162");
    assert_int_equal(adit_pb_noise_dec(&arena, all(&b), &r), ADIT_OK);
    assert_int_equal(r.n_muxers, 2);
    assert_slice(r.muxers[0], str("a"), "first");
    assert_slice(r.muxers[1], str("b"), "second");

    /* An empty payload is what message 1 has. */
    b.n = 0;
    assert_int_equal(adit_pb_noise_dec(&arena, all(&b), &r), ADIT_OK);
    assert_int_equal(r.identity_key.n, 0);
    assert_int_equal(adit_pb_noise_dec(&arena, ADIT_SLICE_NONE, &r), ADIT_OK);
}

static void
test_key(void **state)
{
    static const struct {
        const char *hex;
        adit_err want;
    } cases[] = {
        { "08011200", ADIT_OK }, { "12000801", ADIT_OK },
        { "0801", ADIT_EPROTO }, { "1200", ADIT_EPROTO },
        { "", ADIT_EPROTO },
    };
    struct adit_pb_key k = { .type = 0, .data = str("d") };
    struct bytes want = unhex("0800120164");
    struct bytes b = { 0 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_pb_key r;

        b = unhex(cases[i].hex);
        assert_int_equal(adit_pb_key_dec(&arena, all(&b), &r), cases[i].want);
    }
    assert_int_equal(adit_pb_key_enc(&k, room(&b), &b.n), ADIT_OK);
    assert_slice(all(&b), all(&want), "RSA, which is zero, is written");
}

/* What go-libp2p-core's record_test.go made; two of its addresses. */
static void
test_record_of_go(void **state)
{
    struct bytes b = unhex("0a2600240801122011bba3ed1721948cefb4e50b0a0bb5cad8"
                           "a6b52dc7b1a40f4f6652"
                           "105c91e2c4109bf59d8dd99d8ddb161a0a0a08040102030406"
                           "00001a0a0a0804010203"
                           "04060001");
    struct bytes addr = unhex("0401020304060001");
    struct bytes again = { 0 };
    struct adit_pb_record r;

    (void)state;
    assert_int_equal(adit_pb_record_dec(&arena, all(&b), &r), ADIT_OK);
    assert_int_equal(r.peer_id.n, 38);
    assert_true(r.seq == UINT64_C(1636553709551319707));
    assert_int_equal(r.n_addrs, 2);
    assert_slice(r.addrs[1], all(&addr), "/ip4/1.2.3.4/tcp/1");
    assert_int_equal(adit_pb_record_enc(&r, room(&again), &again.n), ADIT_OK);
    assert_slice(all(&again), all(&b), "written again");

    /* proto3 leaves out a zero. */
    b = unhex("0a0161");
    assert_int_equal(adit_pb_record_dec(&arena, all(&b), &r), ADIT_OK);
    assert_true(r.seq == 0 && r.n_addrs == 0);
}

static void
test_too_many(void **state)
{
    static struct adit_pb_hop hop;
    static struct adit_pb_stop stop;
    static struct adit_pb_record record;
    static struct adit_pb_noise noise;
    struct bytes b = { 0 };

    (void)state;
    hop.peer.has = true;
    hop.peer.n_addrs = ADIT_PB_MAX_ADDRS + 1;
    assert_int_equal(adit_pb_hop_enc(&hop, room(&b), &b.n), ADIT_EINVAL);
    hop.peer.n_addrs = 0;
    hop.reservation.n_addrs = ADIT_PB_MAX_ADDRS + 1;
    assert_int_equal(adit_pb_hop_enc(&hop, room(&b), &b.n), ADIT_EINVAL);
    stop.peer.n_addrs = ADIT_PB_MAX_ADDRS + 1;
    assert_int_equal(adit_pb_stop_enc(&stop, room(&b), &b.n), ADIT_EINVAL);
    record.n_addrs = ADIT_PB_MAX_ADDRS + 1;
    assert_int_equal(adit_pb_record_enc(&record, room(&b), &b.n), ADIT_EINVAL);
    noise.n_muxers = ADIT_PB_MAX_MUXERS + 1;
    assert_int_equal(adit_pb_noise_enc(&noise, room(&b), &b.n), ADIT_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hop_bytes),
        cmocka_unit_test(test_stop_bytes),
        cmocka_unit_test(test_hop_odd),
        cmocka_unit_test(test_hop_malformed),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_identify_full),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_record_of_go),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
