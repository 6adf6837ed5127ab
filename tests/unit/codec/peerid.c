/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/peerid.h"

#include "../../vectors/keys.h"
#include "hex.h"

static struct adit_peerid
parse(const char *text)
{
    struct adit_peerid p = { 0 };

    if (adit_peerid_parse(adit_slice_str(text), &p) != ADIT_OK)
        fail_msg("%s", text);
    return p;
}

static void
test_of_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(key_vectors); i++) {
        struct bytes pub = unhex(key_vectors[i].pub);
        char text[ADIT_PEERID_TEXT_BYTES];
        struct adit_peerid p;
        struct adit_peerid q;

        adit_peerid_of_key(all(&pub), &p);
        assert_string_equal(adit_peerid_format(&p, text), key_vectors[i].id);
        assert_string_equal(adit_peerid_format_cid(&p, text),
                            key_vectors[i].cid);
        q = parse(key_vectors[i].id);
        assert_true(adit_peerid_eq(&p, &q));
        q = parse(key_vectors[i].cid);
        assert_true(adit_peerid_eq(&p, &q));
        assert_int_equal(adit_peerid_dec(adit_peerid_bytes(&p), &q), ADIT_OK);
        assert_true(adit_peerid_eq(&p, &q));
    }
}

/* Texts of one peer each: go-multiaddr's tests, peer-ids. */
static void
test_texts_of_one_peer(void **state)
{
    static const char *const same[][3] = {
        { "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC",
          "k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl7", NULL },
        { "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV",
          "k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs",
          "bafzaajaiaejcalj543iwv2d7pkjt7ykvefrkfu7qjfi6sduakhso4lay6abn2d5"
          "u" },
        { "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
          "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
          "BAFZBEIE5745RPV2M6TJYUUGYWY4D5EWRQGQQHFNF445HE3OMZPJBX5XQXE" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(same); i++) {
        struct adit_peerid first = parse(same[i][0]);
        char text[ADIT_PEERID_TEXT_BYTES];

        for (size_t k = 1; k < 3 && same[i][k] != NULL; k++) {
            struct adit_peerid p = parse(same[i][k]);

            assert_true(adit_peerid_eq(&first, &p));
        }
        assert_string_equal(adit_peerid_format(&first, text), same[i][0]);
    }
}

static void
test_text_refused(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        { "", "empty" },
        { "1", "a zero byte" },
        { "Qm", "two characters" },
        { "QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY",
          "sha2-256 of 33 bytes (go-multiaddr)" },
        { "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNK", "one cut off" },
        { "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKCC", "one too many" },
        { "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5m0", "a 0" },
        { " 12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV", "a blank" },
        { "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqx",
          "one cut off" },
        { "bafybeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
          "a CID of something else (dag-pb)" },
        { "zQmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
          "multibase, but no CID" },
        { "hello", "no peer" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct adit_peerid p = { 0 };

        if (adit_peerid_parse(adit_slice_str(bad[i].text), &p) !=
                ADIT_EINVAL ||
            p.n != 0)
            fail_msg("%s: %s", bad[i].text, bad[i].why);
    }
}

static void
test_bytes_refused(void **state)
{
    static const struct {
        const char *hex;
        const char *why;
    } bad[] = {
        { "", "empty" },
        { "00", "no length" },
        { "0000", "identity of nothing" },
        { "000201", "shorter than it says" },
        { "00020102ff", "longer than it says" },
        { "008200ffff", "a length of two bytes for two" },
        { "002b" /* 43 */
          "0000000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000000",
          "identity of a key that should be hashed" },
        { "1214ffffffffffffffffffffffffffffffffffffffff",
          "sha2-256 cut to 20 bytes" },
        { "1114ffffffffffffffffffffffffffffffffffffffff", "sha1" },
    };
    uint8_t long_enough[ADIT_PEERID_MAX_BYTES] = { 0, 42 };
    struct adit_peerid p = { 0 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes b = unhex(bad[i].hex);

        if (adit_peerid_dec(all(&b), &p) != ADIT_EPROTO || p.n != 0)
            fail_msg("%s", bad[i].why);
    }
    assert_int_equal(
        adit_peerid_dec(adit_slice(long_enough, sizeof(long_enough)), &p),
        ADIT_OK);
}

static void
test_none(void **state)
{
    const struct adit_peerid none = { 0 };
    char text[ADIT_PEERID_TEXT_BYTES];

    (void)state;
    assert_true(adit_peerid_is_none(&none));
    assert_string_equal(adit_peerid_format(&none, text), "");
    assert_string_equal(adit_peerid_format_cid(&none, text), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_key),
        cmocka_unit_test(test_texts_of_one_peer),
        cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
