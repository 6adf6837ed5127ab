/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/maddr.h"

#include "../../vectors/maddr.h"
#include "hex.h"

#define PEER_A "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
#define PEER_B "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

static struct adit_maddr
parse(const char *text)
{
    struct adit_maddr a = { 0 };
    struct adit_maddr_why why = { 0, "" };

    if (adit_maddr_parse(adit_slice_str(text), &a, &why) != ADIT_OK)
        fail_msg("%s: at %zu: %s", text, why.at, why.what);
    return a;
}

static void
assert_text(const struct adit_maddr *a, const char *want)
{
    char text[ADIT_MADDR_TEXT_BYTES];

    assert_string_equal(adit_maddr_format(a, text), want);
}

static void
test_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(maddr_both); i++) {
        struct bytes b = unhex(maddr_both[i].hex);
        struct adit_maddr a = parse(maddr_both[i].text);
        struct adit_maddr d = { 0 };

        assert_slice(adit_maddr_bytes(&a), all(&b), maddr_both[i].text);
        assert_int_equal(adit_maddr_dec(all(&b), &d), ADIT_OK);
        assert_true(adit_maddr_eq(&a, &d));
        assert_text(&d, maddr_both[i].text);
    }
}

static void
test_published_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(maddr_good); i++) {
        struct adit_maddr a = parse(maddr_good[i]);
        char text[ADIT_MADDR_TEXT_BYTES];
        struct adit_maddr again = parse(adit_maddr_format(&a, text));

        assert_true(adit_maddr_eq(&a, &again));
    }
    for (size_t i = 0; i < ADIT_NITEMS(maddr_bad); i++) {
        struct adit_maddr a = { 0 };
        struct adit_maddr_why why = { 9999, NULL };

        if (adit_maddr_parse(adit_slice_str(maddr_bad[i]), &a, &why) !=
            ADIT_EINVAL)
            fail_msg("taken: %s", maddr_bad[i]);
        assert_int_equal(a.n, 0);
        assert_non_null(why.what);
        assert_true(why.at <= strlen(maddr_bad[i]));
    }
}

/* Where the finger points, and what it says. */
static void
test_why(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *what;
    } cases[] = {
        { "", 0, "expected an address, such as /ip4/..." },
        { "/", 0, "expected an address, such as /ip4/..." },
        { "ip4/1.2.3.4", 0, "expected a slash" },
        { "/ip4/1.2.3.4//tcp/1", 13, "expected the name of a protocol" },
        { "/ip5/1.2.3.4", 1, "expected the name of a protocol" },
        { "/ip4/1.2.3.4.5", 5, "expected an IPv4 address" },
        { "/ip4", 4, "expected an IPv4 address" },
        { "/ip4/01.2.3.4", 5, "expected an IPv4 address" },
        { "/ip4/1.2.3", 5, "expected an IPv4 address" },
        { "/ip4/1.2.3.", 5, "expected an IPv4 address" },
        { "/ip4/1.2.3.4/tcp/65536", 17, "expected a port number, 0 to 65535" },
        { "/ip4/1.2.3.4/tcp/x", 17, "expected a port number, 0 to 65535" },
        { "/ip4/1.2.3.4/tcp", 16, "expected a port number, 0 to 65535" },
        { "/ip6/:::", 5, "expected an IPv6 address" },
        { "/ip6/1:2:3:4:5:6:7:8:9", 5, "expected an IPv6 address" },
        { "/ip6/1:2:3:4:5:6:7", 5, "expected an IPv6 address" },
        { "/ip6/1:2:3:4:5:6:7:", 5, "expected an IPv6 address" },
        { "/ip6/:1:2:3:4:5:6:7", 5, "expected an IPv6 address" },
        { "/ip6/1::2::3", 5, "expected an IPv6 address" },
        { "/ip6/1:2:3:4:5:6:7::8", 5, "expected an IPv6 address" },
        { "/ip6/12345::", 5, "expected an IPv6 address" },
        { "/ip6/::1.2.3", 5, "expected an IPv6 address" },
        { "/ip6/1:2:3:4:5:6:7:1.2.3.4", 5, "expected an IPv6 address" },
        { "/ip6/fe80::1%eth0", 5, "expected an IPv6 address" },
        { "/dns4/a b/tcp/1", 6, "expected a name without blanks" },
        { "/dns4/a\nb/tcp/1", 6, "expected a name without blanks" },
        { "/p2p/" PEER_A "x", 5,
          "expected a peer id, such as 12D3KooW..., Qm... or bafz..." },
        { "/webrtc-direct/certhash/u", 24,
          "expected a multihash in multibase" },
        { "/http-path/a%2", 11, "expected a percent-encoded path" },
        { "/http-path/%zz", 11, "expected a percent-encoded path" },
        { "/memory/18446744073709551616", 8, "expected a number" },
        { "/onion/aaimaq4ygg2iegci", 7,
          "expected an onion address, a colon and a port" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_maddr a = { 0 };
        struct adit_maddr_why why = { 9999, "" };
        adit_err e = adit_maddr_parse(adit_slice_str(cases[i].text), &a, &why);

        if (e != ADIT_EINVAL || why.at != cases[i].at ||
            strcmp(why.what, cases[i].what) != 0)
            fail_msg("%s: at %zu: %s", cases[i].text, why.at, why.what);
        assert_int_equal(
            adit_maddr_parse(adit_slice_str(cases[i].text), &a, NULL),
            ADIT_EINVAL);
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
        { "04", "no value" },
        { "047f0000", "cut inside the value" },
        { "047f00000106", "a second one without value" },
        { "7f7f000001", "a protocol that nobody knows" },
        { "84007f000001", "ip4 in two bytes" },
        { "a503", "p2p without a length" },
        { "a50300", "p2p of nothing" },
        { "a50303000101"
          "06",
          "cut after a good one" },
        { "a5030211ff", "p2p that is no multihash" },
        { "36ffffffffffffffff7f", "a length beyond all" },
        { "3600", "a name of nothing" },
        { "3603612f62", "a name with a slash" },
        { "3603610a62", "a name with a line feed" },
        { "3603610062", "a name with a zero" },
        { "90030161", "a path without its slash" },
        { "9003022f2f", "a path that ends with a slash" },
        { "900304"
          "2f612f62"
          "060001",
          "something behind a path" },
        { "d203021205", "a certhash that is no multihash" },
        { "bc03aaaaaaaaaaaaaaaaaaaa0000", "an onion without port" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct bytes b = unhex(bad[i].hex);
        struct adit_maddr a = { 0 };

        if (adit_maddr_dec(all(&b), &a) != ADIT_EPROTO || a.n != 0)
            fail_msg("%s", bad[i].why);
    }
}

/* Every prefix is refused, or is an address whose last part is whole. */
static void
test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(maddr_both); i++) {
        struct bytes b = unhex(maddr_both[i].hex);

        for (size_t k = 0; k < b.n; k++) {
            struct adit_maddr a = { 0 };
            char text[ADIT_MADDR_TEXT_BYTES];

            if (adit_maddr_dec(adit_slice(b.b, k), &a) == ADIT_OK) {
                (void)adit_maddr_format(&a, text);
                assert_memory_equal(text, maddr_both[i].text, strlen(text));
            } else {
                assert_int_equal(a.n, 0);
            }
        }
    }
}

static void
test_too_long(void **state)
{
    struct adit_maddr a = { 0 };
    uint8_t flags[ADIT_MADDR_MAX_BYTES];
    char long_text[2 * ADIT_MADDR_TEXT_BYTES];
    struct adit_maddr_why why = { 0, "" };
    char name[ADIT_MADDR_MAX_BYTES + 1];
    struct adit_maddr before;
    size_t n = 0;

    (void)state;
    /* Text limit: each of these two bytes is 18 characters. */
    for (size_t i = 0; i < sizeof(flags); i += 2) {
        flags[i] = 0x94; /* p2p-webrtc-direct */
        flags[i + 1] = 0x02;
    }
    assert_int_equal(adit_maddr_dec(adit_slice(flags, sizeof(flags)), &a),
                     ADIT_EPROTO);
    while (adit_maddr_push(&a, ADIT_MA_P2P_WEBRTC_DIRECT, ADIT_SLICE_NONE) ==
           ADIT_OK)
        n++;
    assert_int_equal(n, (ADIT_MADDR_TEXT_BYTES - 1) / 18);

    /* The same from text. */
    n = 0;
    for (; n + 18 <= sizeof(long_text); n += 18)
        memcpy(long_text + n, "/p2p-webrtc-direct", 18);
    a = (struct adit_maddr){ 0 };
    assert_int_equal(adit_maddr_parse(adit_slice(long_text, n), &a, &why),
                     ADIT_EINVAL);
    assert_string_equal(why.what, "the address is too long");
    assert_true(why.at > ADIT_MADDR_TEXT_BYTES - 18 && a.n == 0);
    /* More than bytes can hold once the escapes are gone. */
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text, "/http-path/", 11);
    assert_int_equal(
        adit_maddr_parse(adit_slice(long_text, sizeof(long_text)), &a, &why),
        ADIT_EINVAL);
    assert_int_equal(why.at, 11);

    /* Byte limit. */
    memset(name, 'x', sizeof(name));
    a = (struct adit_maddr){ 0 };
    assert_int_equal(
        adit_maddr_push(&a, ADIT_MA_DNS, adit_slice(name, sizeof(name) - 1)),
        ADIT_EINVAL);
    assert_int_equal(a.n, 0);
    assert_int_equal(
        adit_maddr_push(&a, ADIT_MA_DNS, adit_slice(name, sizeof(name) - 4)),
        ADIT_OK);
    assert_int_equal(a.n, ADIT_MADDR_MAX_BYTES);
    before = a;
    assert_int_equal(adit_maddr_push(&a, ADIT_MA_WS, ADIT_SLICE_NONE),
                     ADIT_EINVAL);
    assert_int_equal(adit_maddr_join(&a, adit_slice(flags, 2)), ADIT_EINVAL);
    assert_true(adit_maddr_eq(&a, &before));
}

static void
test_push_join_find(void **state)
{
    static const uint8_t ip[4] = { 192, 0, 2, 7 };
    static const uint8_t port[2] = { 0x0f, 0xa1 };
    struct adit_maddr a = { 0 };
    struct adit_maddr tail = parse("/ws/p2p/" PEER_A);
    struct adit_slice v;

    (void)state;
    assert_int_equal(adit_maddr_push(&a, ADIT_MA_IP4, adit_slice(ip, 4)),
                     ADIT_OK);
    assert_int_equal(adit_maddr_push(&a, ADIT_MA_TCP, adit_slice(port, 2)),
                     ADIT_OK);
    assert_text(&a, "/ip4/192.0.2.7/tcp/4001");
    assert_int_equal(adit_maddr_push(&a, ADIT_MA_TCP, adit_slice(port, 1)),
                     ADIT_EINVAL);
    assert_int_equal(adit_maddr_push(&a, 9999, adit_slice(port, 1)),
                     ADIT_EINVAL);
    assert_int_equal(adit_maddr_join(&a, adit_slice(port, 1)), ADIT_EINVAL);
    assert_int_equal(adit_maddr_join(&a, ADIT_SLICE_NONE), ADIT_OK);
    assert_text(&a, "/ip4/192.0.2.7/tcp/4001");
    assert_int_equal(adit_maddr_join(&a, adit_maddr_bytes(&tail)), ADIT_OK);
    assert_text(&a, "/ip4/192.0.2.7/tcp/4001/ws/p2p/" PEER_A);

    assert_true(adit_maddr_find(&a, ADIT_MA_TCP, &v));
    assert_slice(v, adit_slice(port, 2), "the port");
    assert_true(adit_maddr_find(&a, ADIT_MA_WS, &v));
    assert_int_equal(v.n, 0);
    assert_false(adit_maddr_find(&a, ADIT_MA_UDP, &v));
}

static void
test_next(void **state)
{
    /* tcp/1, then what nobody knows */
    struct bytes b = unhex("060001"
                           "7f00");
    struct adit_slice left = all(&b);
    struct adit_maddr_part part;

    (void)state;
    assert_int_equal(adit_maddr_next(&left, &part), ADIT_OK);
    assert_true(part.code == ADIT_MA_TCP);
    assert_int_equal(part.value.n, 2);
    assert_int_equal(part.raw.n, 3);
    assert_int_equal(left.n, 2);
    assert_int_equal(adit_maddr_next(&left, &part), ADIT_EPROTO);
    assert_int_equal(left.n, 2);
    left = ADIT_SLICE_NONE;
    assert_int_equal(adit_maddr_next(&left, &part), ADIT_DONE);
}

static void
test_peer(void **state)
{
    static const struct {
        const char *text;
        const char *peer; /* NULL: none */
        const char *stripped;
    } cases[] = {
        { "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A, PEER_A, "/ip4/1.2.3.4/tcp/1" },
        { "/ip4/1.2.3.4/tcp/1/ipfs/" PEER_B, PEER_B, "/ip4/1.2.3.4/tcp/1" },
        { "/ip4/1.2.3.4/tcp/1", NULL, "/ip4/1.2.3.4/tcp/1" },
        { "/p2p/" PEER_A "/p2p-circuit", NULL, "/p2p/" PEER_A "/p2p-circuit" },
        { "/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B, PEER_B,
          "/p2p/" PEER_A "/p2p-circuit" },
        { "/p2p/" PEER_A, PEER_A, "" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_maddr a = parse(cases[i].text);
        struct adit_peerid p;
        char text[ADIT_PEERID_TEXT_BYTES];

        adit_maddr_peer(&a, &p);
        assert_string_equal(adit_peerid_format(&p, text),
                            cases[i].peer != NULL ? cases[i].peer : "");
        adit_maddr_strip_peer(&a);
        assert_text(&a, cases[i].stripped);
    }
}

static void
test_split_circuit(void **state)
{
    static const struct {
        const char *text;
        const char *relay; /* NULL: not a circuit */
        const char *dst;
    } cases[] = {
        { "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A, NULL, NULL },
        { "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B,
          "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A, PEER_B },
        { "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A "/p2p-circuit",
          "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A, "" },
        { "/p2p-circuit/p2p/" PEER_B, "", PEER_B },
        { "/p2p/" PEER_A "/p2p-circuit/webrtc/p2p/" PEER_B, "/p2p/" PEER_A,
          PEER_B },
        { "/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B "/p2p-circuit/p2p/" PEER_A,
          "/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B, PEER_A },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_maddr a = parse(cases[i].text);
        struct adit_maddr relay;
        struct adit_peerid dst;
        char text[ADIT_PEERID_TEXT_BYTES];
        adit_err e = adit_maddr_split_circuit(&a, &relay, &dst);

        if (cases[i].relay == NULL) {
            assert_int_equal(e, ADIT_DONE);
            continue;
        }
        assert_int_equal(e, ADIT_OK);
        assert_text(&relay, cases[i].relay);
        assert_string_equal(adit_peerid_format(&dst, text), cases[i].dst);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_published_texts),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_push_join_find),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_split_circuit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
