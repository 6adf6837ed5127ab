/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/uvarint.h"

#include "hex.h"

/* The first five are the examples of the unsigned-varint specification. */
static const struct {
    const char *why;
    uint64_t v;
    const char *hex;
} good[] = {
    { "one", 1, "01" },
    { "the last of one byte", 127, "7f" },
    { "the first of two bytes", 128, "8001" },
    { "all bits of the first byte", 255, "ff01" },
    { "two groups", 300, "ac02" },
    { "three groups", 16384, "808001" },
    { "zero", 0, "00" },
    { "p2p", 421, "a503" },
    { "32 bits", UINT32_MAX, "ffffffff0f" },
    { "the greatest", ADIT_UVARINT_MAX, "ffffffffffffffff7f" },
};

static void
test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(good); i++) {
        struct bytes b = unhex(good[i].hex);
        struct adit_cursor c = { all(&b) };
        uint8_t out[ADIT_UVARINT_MAX_BYTES];
        uint64_t v = 0;
        size_t n;

        assert_int_equal(adit_uvarint_dec(&c, &v), ADIT_OK);
        assert_int_equal(c.left.n, 0);
        assert_true(v == good[i].v);
        n = adit_uvarint_enc(out, good[i].v);
        assert_slice(adit_slice(out, n), all(&b), good[i].why);
        assert_int_equal(adit_uvarint_bytes(good[i].v), n);

        /* Truncated: nothing moves. */
        for (size_t k = 0; k < b.n; k++) {
            struct adit_cursor part = { adit_slice(b.b, k) };

            assert_int_equal(adit_uvarint_dec(&part, &v), ADIT_AGAIN);
            assert_int_equal(part.left.n, k);
        }
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *why;
        const char *hex;
    } bad[] = {
        { "zero in two bytes", "8000" },
        { "one in two bytes", "8100" },
        { "ten bytes", "80808080808080808001" },
        { "64 bits", "ffffffffffffffffff01" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes b = unhex(bad[i].hex);
        struct adit_cursor c = { all(&b) };
        uint64_t v = 7;

        if (adit_uvarint_dec(&c, &v) != ADIT_EPROTO || v != 7 ||
            c.left.n != b.n)
            fail_msg("%s", bad[i].why);
    }
}

static void
test_leaves_the_rest(void **state)
{
    struct bytes b = unhex("ac02ff");
    struct adit_cursor c = { all(&b) };
    uint64_t v;

    (void)state;
    assert_int_equal(adit_uvarint_dec(&c, &v), ADIT_OK);
    assert_int_equal(c.left.n, 1);
    assert_int_equal(c.left.p[0], 0xff);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_leaves_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
