/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/basex.h"

#include "hex.h"

/*
 * `yes mani !` and what has leading zeroes: test vectors of the multibase
 * specification.  The others of base58btc: Bitcoin's own table.
 */
static const struct {
    enum adit_base base;
    const char *hex;
    const char *text;
} both_ways[] = {
    { ADIT_BASE16, "796573206d616e692021", "796573206d616e692021" },
    { ADIT_BASE32, "796573206d616e692021", "pfsxgidnmfxgsibb" },
    { ADIT_BASE36, "796573206d616e692021", "2lcpzo5yikidynfl" },
    { ADIT_BASE58, "796573206d616e692021", "7paNL19xttacUY" },
    { ADIT_BASE64URL, "796573206d616e692021", "eWVzIG1hbmkgIQ" },
    { ADIT_BASE16, "00796573206d616e692021", "00796573206d616e692021" },
    { ADIT_BASE32, "00796573206d616e692021", "ab4wk4zanvqw42jaee" },
    { ADIT_BASE36, "00796573206d616e692021", "02lcpzo5yikidynfl" },
    { ADIT_BASE58, "00796573206d616e692021", "17paNL19xttacUY" },
    { ADIT_BASE64URL, "00796573206d616e692021", "AHllcyBtYW5pICE" },
    { ADIT_BASE32, "0000796573206d616e692021", "aaahszltebwwc3tjeaqq" },
    { ADIT_BASE36, "0000796573206d616e692021", "002lcpzo5yikidynfl" },
    { ADIT_BASE58, "0000796573206d616e692021", "117paNL19xttacUY" },
    { ADIT_BASE64URL, "0000796573206d616e692021", "AAB5ZXMgbWFuaSAh" },
    { ADIT_BASE58, "", "" },
    { ADIT_BASE36, "", "" },
    { ADIT_BASE32, "", "" },
    { ADIT_BASE58, "61", "2g" },
    { ADIT_BASE58, "626262", "a3gV" },
    { ADIT_BASE58, "516b6fcd0f", "ABnLTmg" },
    { ADIT_BASE58, "572e4794", "3EFU7m" },
    { ADIT_BASE58, "10c8511e", "Rt5zm" },
    { ADIT_BASE58, "00000000000000000000", "1111111111" },
};

static void
test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(both_ways); i++) {
        struct bytes b = unhex(both_ways[i].hex);
        struct adit_slice text = adit_slice_str(both_ways[i].text);
        char out[ADIT_BASEX_MAX_TEXT];
        uint8_t in[ADIT_BASEX_MAX_BYTES];
        size_t n;

        assert_int_equal(
            adit_basex_enc(both_ways[i].base, all(&b), out, text.n, &n),
            ADIT_OK);
        assert_slice(adit_slice(out, n), text, both_ways[i].text);
        assert_int_equal(adit_basex_dec(both_ways[i].base, text,
                                        (struct adit_mslice){ in, b.n }, &n),
                         ADIT_OK);
        assert_slice(adit_slice(in, n), all(&b), both_ways[i].text);

        /* One less of room is too little. */
        if (text.n > 0) {
            assert_int_equal(adit_basex_enc(both_ways[i].base, all(&b), out,
                                            text.n - 1, &n),
                             ADIT_EINVAL);
            assert_int_equal(
                adit_basex_dec(both_ways[i].base, text,
                               (struct adit_mslice){ in, b.n - 1 }, &n),
                ADIT_EINVAL);
        }
    }
}

static void
test_refused(void **state)
{
    static const struct {
        enum adit_base base;
        const char *text;
        const char *why;
    } bad[] = {
        { ADIT_BASE16, "7", "half a byte" },
        { ADIT_BASE16, "7G", "no hex digit" },
        { ADIT_BASE16, "7A", "upper case" },
        { ADIT_BASE32, "a", "less than a byte" },
        { ADIT_BASE32, "aaa", "a character too many" },
        { ADIT_BASE32, "ab", "left-over bits are set" },
        { ADIT_BASE32, "a1", "1 is not in the alphabet" },
        { ADIT_BASE32, "aa======", "padding" },
        { ADIT_BASE64URL, "A", "less than a byte" },
        { ADIT_BASE64URL, "AB", "left-over bits are set" },
        { ADIT_BASE64URL, "A/", "the other base64" },
        { ADIT_BASE58, "0", "0 is not in the alphabet" },
        { ADIT_BASE58, "l", "l is not in the alphabet" },
        { ADIT_BASE58, "2 g", "a blank" },
        { ADIT_BASE36, "A", "upper case" },
        { (enum adit_base)'x', "00", "no such base" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        uint8_t in[16];
        size_t n = 99;

        if (adit_basex_dec(bad[i].base, adit_slice_str(bad[i].text),
                           (struct adit_mslice){ in, sizeof(in) },
                           &n) != ADIT_EINVAL ||
            n != 99)
            fail_msg("%s: %s", bad[i].text, bad[i].why);
    }
}

static void
test_multibase(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        { "bpfsxgidnmfxgsibb", true },
        { "BPFSXGIDNMFXGSIBB", true },
        { "k2lcpzo5yikidynfl", true },
        { "K2LCPZO5YIKIDYNFL", true },
        { "z7paNL19xttacUY", true },
        { "f796573206d616e692021", true },
        { "F796573206D616E692021", true },
        { "ueWVzIG1hbmkgIQ", true },
        { "Bpfsxgidnmfxgsibb", false },
        { "bPFSXGIDNMFXGSIBB", false },
        { "Z7paNL19xttacUY", false },
        { "7paNL19xttacUY", false },
        { "", false },
    };
    struct bytes want = unhex("796573206d616e692021");

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        uint8_t in[16];
        size_t n = 0;
        adit_err e =
            adit_multibase_dec(adit_slice_str(cases[i].text),
                               (struct adit_mslice){ in, sizeof(in) }, &n);

        if ((e == ADIT_OK) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (e == ADIT_OK)
            assert_slice(adit_slice(in, n), all(&want), cases[i].text);
    }
}

/* Each length up to the cap, both ends of the range of bytes. */
static void
test_lengths(void **state)
{
    static const enum adit_base bases[] = { ADIT_BASE16, ADIT_BASE32,
                                            ADIT_BASE36, ADIT_BASE58,
                                            ADIT_BASE64URL };
    static const uint8_t fills[] = { 0x00, 0x01, 0x7f, 0xff };
    uint8_t in[ADIT_BASEX_MAX_BYTES + 1];
    uint8_t back[ADIT_BASEX_MAX_BYTES];
    char text[ADIT_BASEX_MAX_TEXT];
    size_t n;

    (void)state;
    for (size_t b = 0; b < ADIT_NITEMS(bases); b++) {
        for (size_t f = 0; f < ADIT_NITEMS(fills); f++) {
            memset(in, fills[f], sizeof(in));
            for (size_t len = 0; len <= ADIT_BASEX_MAX_BYTES; len++) {
                assert_int_equal(adit_basex_enc(bases[b], adit_slice(in, len),
                                                text, sizeof(text), &n),
                                 ADIT_OK);
                assert_int_equal(
                    adit_basex_dec(bases[b], adit_slice(text, n),
                                   (struct adit_mslice){ back, len }, &n),
                    ADIT_OK);
                assert_slice(adit_slice(back, n), adit_slice(in, len),
                             "there and back");
            }
        }
        assert_int_equal(adit_basex_enc(bases[b], adit_slice(in, sizeof(in)),
                                        text, sizeof(text), &n),
                         ADIT_EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_multibase),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
