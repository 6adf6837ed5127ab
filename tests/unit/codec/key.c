/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/key.h"

#include "../../vectors/keys.h"
#include "hex.h"

static void
test_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(key_vectors); i++) {
        struct bytes pub = unhex(key_vectors[i].pub);
        struct bytes sig = unhex(key_vectors[i].sig);
        struct adit_slice msg = adit_slice_str(KEY_MESSAGE);
        enum adit_key_type type;

        assert_int_equal(adit_pubkey_check(all(&pub), &type), ADIT_OK);
        assert_int_equal(type, key_vectors[i].type);
        assert_int_equal(adit_pubkey_verify(all(&pub), msg, all(&sig)),
                         ADIT_OK);

        /* One character of the message less. */
        msg.n--;
        assert_int_equal(adit_pubkey_verify(all(&pub), msg, all(&sig)),
                         ADIT_EAUTH);
        msg.n++;
        /* Signatures cut short, and longer by a byte. */
        for (size_t n = 0; n <= sig.n + 1; n += n < 2 || n + 4 > sig.n ? 1 : 7)
            if (n != sig.n)
                assert_int_equal(
                    adit_pubkey_verify(all(&pub), msg, adit_slice(sig.b, n)),
                    ADIT_EAUTH);
        /* Any bit of it turned. */
        for (size_t k = 0; k < sig.n; k += 1 + sig.n / 40) {
            sig.b[k] ^= 0x10;
            assert_int_equal(adit_pubkey_verify(all(&pub), msg, all(&sig)),
                             ADIT_EAUTH);
            sig.b[k] ^= 0x10;
        }
        /* The same under the key of another kind. */
        pub = unhex(key_vectors[(i + 1) % ADIT_NITEMS(key_vectors)].pub);
        assert_int_equal(adit_pubkey_verify(all(&pub), msg, all(&sig)),
                         ADIT_EAUTH);
    }
}

/* RFC 8032, section 7.1, test 3. */
static void
test_ed25519_rfc8032(void **state)
{
    struct bytes seed = unhex(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    struct bytes want = unhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    struct bytes msg = unhex("af82");
    struct bytes pub = unhex(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    struct adit_secret s;
    struct adit_identity id;
    uint8_t sig[64];

    (void)state;
    memcpy(s.b, seed.b, sizeof(s.b));
    adit_identity_from_seed(&id, &s);
    assert_memory_equal(id.pub, pub.b, sizeof(id.pub));
    adit_identity_sign(&id, all(&msg), sig);
    assert_memory_equal(sig, want.b, sizeof(sig));
    assert_int_equal(
        adit_pubkey_verify(adit_slice(id.pubkey_msg, sizeof(id.pubkey_msg)),
                           all(&msg), adit_slice(sig, sizeof(sig))),
        ADIT_OK);
    adit_identity_fini(&id);
}

static void
test_form_refused(void **state)
{
    /* Each replaces the bytes from `at` on by `hex`; -1: those at the end. */
    static const struct {
        const char *why;
        size_t key; /* in key_vectors */
        size_t at;
        size_t drop;
        const char *hex;
    } bad[] = {
        { "Ed25519: data before type", 0, 0, 36,
          "12201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce2"
          "7e0801" },
        { "Ed25519: type in two bytes", 0, 1, 1, "8100" },
        { "Ed25519: length in two bytes", 0, 3, 1, "a000" },
        { "Ed25519: no type", 0, 0, 2, "" },
        { "Ed25519: type twice", 0, 0, 0, "0801" },
        { "Ed25519: a field that we do not know", 0, 36, 0, "1801" },
        { "Ed25519: 31 bytes", 0, 3, 2, "1f" },
        { "Ed25519 that says RSA", 0, 1, 1, "00" },
        { "Ed25519 that says secp256k1", 0, 1, 1, "02" },
        { "a type that nobody knows", 0, 1, 1, "04" },
        { "a negative type", 0, 1, 1, "ffffffffffffffffff01" },
        { "secp256k1: not compressed", 1, 4, 1, "04" },
        { "secp256k1: sign neither 2 nor 3", 1, 4, 1, "05" },
        { "secp256k1: 32 bytes", 1, 3, 2, "20" },
        { "P-256: the curve is P-224", 2, 25, 2, "0121" },
        { "P-256: a hybrid point", 2, 30, 1, "06" },
        { "P-256: a byte behind", 2, 3, 92,
          "5c3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa3"
          "6ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b6d5f8da305"
          "25e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e6200" },
        { "RSA: an element is longer than its frame", 3, 7, 2, "0223" },
        { "RSA: another algorithm (PSS)", 3, 21, 1, "0a" },
        { "RSA: unused bits", 3, 28, 1, "01" },
        { "RSA: a negative modulus", 3, 37, 1, "e1" },
        { "RSA: an even modulus", 3, 549, 1, "1a" },
        { "RSA: an even exponent", 3, 554, 1, "00" },
        { "RSA: exponent tagged as a string", 3, 550, 1, "04" },
    };
    enum adit_key_type type;

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes b = unhex(key_vectors[bad[i].key].pub);
        struct bytes put = unhex(bad[i].hex);
        struct bytes m = { 0 };

        memcpy(m.b, b.b, bad[i].at);
        memcpy(m.b + bad[i].at, put.b, put.n);
        memcpy(m.b + bad[i].at + put.n, b.b + bad[i].at + bad[i].drop,
               b.n - bad[i].at - bad[i].drop);
        m.n = b.n + put.n - bad[i].drop;
        assert_false(adit_slice_eq(all(&m), all(&b)));
        if (adit_pubkey_check(all(&m), &type) != ADIT_EPROTO)
            fail_msg("%s", bad[i].why);
        assert_int_equal(
            adit_pubkey_verify(all(&m), all(&m), adit_slice(b.b, 64)),
            ADIT_EPROTO);
    }
}

/* A point of the right form that is on no curve. */
static void
test_no_point(void **state)
{
    /* x = 5 has no y on secp256k1. */
    struct bytes secp = unhex("08021221020000000000000000000000000000000000000"
                              "000000000000000000000000005");
    struct bytes p256 = unhex(key_vectors[2].pub);
    enum adit_key_type type;

    (void)state;
    assert_int_equal(adit_pubkey_check(all(&secp), &type), ADIT_OK);
    assert_int_equal(
        adit_pubkey_verify(all(&secp), all(&secp), adit_slice(secp.b, 8)),
        ADIT_EPROTO);
    p256.b[p256.n - 1] ^= 1;
    assert_int_equal(adit_pubkey_check(all(&p256), &type), ADIT_OK);
    assert_int_equal(
        adit_pubkey_verify(all(&p256), all(&p256), adit_slice(secp.b, 8)),
        ADIT_EPROTO);
}

static void
test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(key_vectors); i++) {
        struct bytes pub = unhex(key_vectors[i].pub);
        enum adit_key_type type;

        for (size_t n = 0; n < pub.n; n++)
            assert_int_equal(adit_pubkey_check(adit_slice(pub.b, n), &type),
                             ADIT_EPROTO);
    }
}

/* The RSA key itself cut short, and changed byte by byte, in a good frame. */
static void
test_rsa_damaged(void **state)
{
    struct bytes pub = unhex(key_vectors[3].pub);
    struct bytes m = unhex("08001200");
    enum adit_key_type type;

    (void)state;
    for (size_t n = 0; n < pub.n - 5; n++) {
        m.n = 4;
        m.b[3] = (uint8_t)n;
        if (n >= 0x80) {
            m.b[3] = (uint8_t)(n | 0x80);
            m.b[m.n++] = (uint8_t)(n >> 7);
        }
        memcpy(m.b + m.n, pub.b + 5, n);
        m.n += n;
        assert_int_equal(adit_pubkey_check(all(&m), &type), ADIT_EPROTO);
    }
    /* All that is structure, up to the modulus. */
    for (size_t i = 0; i < 37; i++) {
        for (unsigned v = 0; v < 256; v++) {
            m = pub;
            m.b[i] = (uint8_t)v;
            assert_int_equal(adit_pubkey_check(all(&m), &type),
                             v == pub.b[i] ? ADIT_OK : ADIT_EPROTO);
        }
    }
}

static void
put_der_head(struct bytes *b, uint8_t tag, size_t n)
{
    b->b[b->n++] = tag;
    if (n >= 0x100) {
        b->b[b->n++] = 0x82;
        b->b[b->n++] = (uint8_t)(n >> 8);
    } else if (n >= 0x80) {
        b->b[b->n++] = 0x81;
    }
    b->b[b->n++] = (uint8_t)n;
}

static size_t
der_bytes(size_t n)
{
    return n + (n >= 0x100 ? 4 : n >= 0x80 ? 3 : 2);
}

/* A key message with such a modulus and exponent, both positive numbers. */
static struct bytes
rsa_message(size_t modulus_bits, uint64_t exponent)
{
    static const uint8_t algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a,
                                         0x86, 0x48, 0x86, 0xf7, 0x0d,
                                         0x01, 0x01, 0x01, 0x05, 0x00 };
    size_t n_mod = modulus_bits / 8 + 1; /* a sign byte where needed */
    struct bytes e = { 0 };
    struct bytes b = { 0 };
    size_t n_seq;
    size_t n_bits;
    size_t n_spki;

    for (int i = 8; i >= 0; i--) {
        uint8_t byte = i < 8 ? (uint8_t)(exponent >> (8 * i)) : 0;
        uint8_t next =
            i > 0 && i <= 8 ? (uint8_t)(exponent >> (8 * (i - 1))) : 0xff;

        if (e.n > 0 || byte != 0 || (i > 0 && next >= 0x80) || i == 0)
            e.b[e.n++] = byte;
    }
    n_seq = der_bytes(n_mod) + der_bytes(e.n);
    n_bits = 1 + der_bytes(n_seq);
    n_spki = sizeof(algorithm) + der_bytes(n_bits);

    b.b[b.n++] = 0x08;
    b.b[b.n++] = 0x00;
    b.b[b.n++] = 0x12;
    b.b[b.n++] = (uint8_t)(der_bytes(n_spki) | 0x80);
    b.b[b.n++] = (uint8_t)(der_bytes(n_spki) >> 7);
    put_der_head(&b, 0x30, n_spki);
    memcpy(b.b + b.n, algorithm, sizeof(algorithm));
    b.n += sizeof(algorithm);
    put_der_head(&b, 0x03, n_bits);
    b.b[b.n++] = 0;
    put_der_head(&b, 0x30, n_seq);
    put_der_head(&b, 0x02, n_mod);
    memset(b.b + b.n, 0xff, n_mod);
    b.b[b.n] = (uint8_t)((1u << modulus_bits % 8) - 1);
    b.n += n_mod;
    put_der_head(&b, 0x02, e.n);
    memcpy(b.b + b.n, e.b, e.n);
    b.n += e.n;
    return b;
}

static void
test_rsa_sizes(void **state)
{
    static const struct {
        size_t bits;
        uint64_t exponent;
        adit_err want;
    } cases[] = {
        { 1024, 65537, ADIT_EPROTO },       { 2047, 65537, ADIT_EPROTO },
        { 2048, 65537, ADIT_OK },           { 2049, 65537, ADIT_OK },
        { 3072, 65537, ADIT_OK },           { 4096, 3, ADIT_OK },
        { 8192, 65537, ADIT_OK },           { 8193, 65537, ADIT_EPROTO },
        { 2048, 1, ADIT_EPROTO },           { 2048, 2, ADIT_EPROTO },
        { 2048, 0x7fffffff, ADIT_OK },      { 2048, 0x80000001, ADIT_EPROTO },
        { 2048, 0x100000001, ADIT_EPROTO }, { 2048, 0, ADIT_EPROTO },
        { 8192, 0x7fffffff, ADIT_OK },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct bytes m = rsa_message(cases[i].bits, cases[i].exponent);
        enum adit_key_type type;

        if (adit_pubkey_check(all(&m), &type) != cases[i].want)
            fail_msg("%zu bits, exponent %llu", cases[i].bits,
                     (unsigned long long)cases[i].exponent);
        /* The greatest that we take costs little to refuse. */
        assert_int_equal(
            adit_pubkey_verify(all(&m), all(&m),
                               adit_slice(m.b, cases[i].bits / 8)),
            cases[i].want == ADIT_OK ? ADIT_EAUTH : ADIT_EPROTO);
    }
}

static void
count_up(void *ctx, uint8_t *dst, size_t n)
{
    uint8_t *next = ctx;

    while (n-- > 0)
        *dst++ = (*next)++;
}

static void
test_identity(void **state)
{
    uint8_t next = 1;
    const struct adit_rng rng = { count_up, &next };
    struct adit_identity id;
    struct adit_identity back;
    struct adit_identity zero = { 0 };
    uint8_t file[ADIT_PRIVKEY_BYTES];
    enum adit_key_type type;

    (void)state;
    adit_identity_make(&id, &rng);
    assert_int_equal(next, 33);
    assert_int_equal(id.seed.b[31], 32);
    assert_int_equal(
        adit_pubkey_check(adit_slice(id.pubkey_msg, sizeof(id.pubkey_msg)),
                          &type),
        ADIT_OK);
    assert_int_equal(type, ADIT_KEY_ED25519);
    adit_identity_enc(&id, file);
    assert_int_equal(adit_identity_dec(adit_slice(file, sizeof(file)), &back),
                     ADIT_OK);
    assert_memory_equal(&id, &back, sizeof(id));
    adit_identity_fini(&back);
    assert_memory_equal(&back, &zero, sizeof(zero));
    adit_identity_fini(&back);
    adit_identity_fini(&id);
}

/* A key file of go-libp2p moves over. */
static void
test_key_file(void **state)
{
    struct bytes file = unhex(key_ed25519_priv);
    struct bytes other = unhex(key_secp256k1_priv);
    struct bytes pub = unhex(key_vectors[0].pub);
    struct bytes old = unhex("08011260");
    struct adit_identity id = { 0 };
    uint8_t again[ADIT_PRIVKEY_BYTES];
    char text[ADIT_PEERID_TEXT_BYTES];

    (void)state;
    assert_int_equal(adit_identity_dec(all(&file), &id), ADIT_OK);
    assert_slice(adit_slice(id.pubkey_msg, sizeof(id.pubkey_msg)), all(&pub),
                 "public key");
    assert_string_equal(adit_peerid_format(&id.id, text), key_vectors[0].id);
    adit_identity_enc(&id, again);
    assert_slice(adit_slice(again, sizeof(again)), all(&file), "written");
    adit_identity_fini(&id);

    /* The old form: 96 bytes, the public key twice. */
    memcpy(old.b + 4, file.b + 4, 64);
    memcpy(old.b + 68, file.b + 36, 32);
    old.n = 100;
    assert_int_equal(adit_identity_dec(all(&old), &id), ADIT_OK);
    assert_string_equal(adit_peerid_format(&id.id, text), key_vectors[0].id);
    adit_identity_fini(&id);
    old.b[3] = 0x5f;
    assert_int_equal(adit_identity_dec(adit_slice(old.b, 99), &id),
                     ADIT_EINVAL);
    old.b[3] = 0x60;
    old.b[99] ^= 1;
    assert_int_equal(adit_identity_dec(all(&old), &id), ADIT_EINVAL);

    for (size_t n = 0; n < file.n; n++)
        assert_int_equal(adit_identity_dec(adit_slice(file.b, n), &id),
                         ADIT_EINVAL);
    assert_int_equal(adit_identity_dec(all(&other), &id), ADIT_EINVAL);
    /* Halves that do not belong together. */
    file.b[4] ^= 1;
    assert_int_equal(adit_identity_dec(all(&file), &id), ADIT_EINVAL);
    assert_int_equal(id.id.n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_ed25519_rfc8032),
        cmocka_unit_test(test_form_refused),
        cmocka_unit_test(test_no_point),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_rsa_damaged),
        cmocka_unit_test(test_rsa_sizes),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_key_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
