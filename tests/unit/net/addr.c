/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/maddr.h"
#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>

static struct adit_endpoint
ip(const char *text, uint16_t port)
{
    struct adit_endpoint e;
    uint8_t b[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    assert_int_equal(inet_pton(family, text, b), 1);
    assert_int_equal(adit_endpoint_of_ip(
                         adit_slice(b, family == AF_INET ? 4 : 16), port, &e),
                     ADIT_OK);
    return e;
}

static const struct {
    const char *why;
    const char *in;
    adit_err want;
    const char *text; /* as an endpoint */
    const char *rest;
} maddrs[] = {
    { "v4", "/ip4/1.2.3.4/tcp/80", ADIT_OK, "1.2.3.4:80", NULL },
    { "v6", "/ip6/2001:db8::1/tcp/4001", ADIT_OK, "[2001:db8::1]:4001", NULL },
    { "something behind", "/ip4/1.2.3.4/tcp/80/ws", ADIT_OK, "1.2.3.4:80",
      "/ws" },
    { "zone by number", "/ip6zone/1/ip6/fe80::1/tcp/1", ADIT_OK,
      "[fe80::1%lo]:1", NULL },
    { "unknown zone", "/ip6zone/nosuch9/ip6/fe80::1/tcp/1", ADIT_EIO, NULL,
      NULL },
    { "no port", "/ip4/1.2.3.4", ADIT_EUNSUPPORTED, NULL, NULL },
    { "udp", "/ip4/1.2.3.4/udp/80", ADIT_EUNSUPPORTED, NULL, NULL },
    { "name", "/dns4/example.com/tcp/80", ADIT_EUNSUPPORTED, NULL, NULL },
};

static void
test_maddr(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(maddrs); i++) {
        struct adit_maddr m, back;
        struct adit_endpoint e;
        struct adit_slice rest = ADIT_SLICE_NONE;
        char text[ADIT_ENDPOINT_TEXT_BYTES];

        print_message("%s\n", maddrs[i].why);
        assert_int_equal(
            adit_maddr_parse(adit_slice_str(maddrs[i].in), &m, NULL), ADIT_OK);
        assert_int_equal(adit_endpoint_of_maddr(&m, &e, &rest),
                         maddrs[i].want);
        if (maddrs[i].want != ADIT_OK)
            continue;
        assert_string_equal(adit_endpoint_format(&e, text), maddrs[i].text);
        if (maddrs[i].rest != NULL) {
            struct adit_maddr tail;
            assert_int_equal(
                adit_maddr_parse(adit_slice_str(maddrs[i].rest), &tail, NULL),
                ADIT_OK);
            assert_true(adit_slice_eq(adit_maddr_bytes(&tail), rest));
            continue;
        }
        assert_int_equal(rest.n, 0);
        adit_endpoint_to_maddr(&e, &back);
        if (e.sa.sa_family == AF_INET6 && e.in6.sin6_scope_id != 0) {
            struct adit_slice zone;

            assert_true(adit_maddr_find(&back, ADIT_MA_IP6ZONE, &zone));
            assert_true(adit_slice_eq(zone, adit_slice_str("lo")));
        } else {
            assert_true(adit_maddr_eq(&m, &back));
        }
    }
}

static const struct {
    const char *ip, *full, *prefix;
} shown[] = {
    { "192.0.2.77", "192.0.2.77:4001", "192.0.2.0/24" },
    { "255.255.255.255", "255.255.255.255:4001", "255.255.255.0/24" },
    { "2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:4001",
      "2001:db8:1::/48" },
    { "::1", "[::1]:4001", "::/48" },
};

static void
test_shown(void **state)
{
    const struct adit_endpoint none = { 0 };
    char text[ADIT_ENDPOINT_TEXT_BYTES];
    struct adit_endpoint zoned = ip("fe80::1", 4001);

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(shown); i++) {
        struct adit_endpoint e = ip(shown[i].ip, 4001);

        assert_string_equal(adit_endpoint_show(&e, ADIT_ADDR_FULL, text),
                            shown[i].full);
        assert_string_equal(adit_endpoint_show(&e, ADIT_ADDR_PREFIX, text),
                            shown[i].prefix);
        assert_string_equal(adit_endpoint_show(&e, ADIT_ADDR_NONE, text), "-");
    }
    zoned.in6.sin6_scope_id = 1;
    assert_string_equal(adit_endpoint_show(&zoned, ADIT_ADDR_PREFIX, text),
                        "fe80::/48");
    for (int how = ADIT_ADDR_FULL; how <= ADIT_ADDR_NONE; how++)
        assert_string_equal(
            adit_endpoint_show(&none, (enum adit_addr_shown)how, text), "");
}

enum {
    U = 1,
    L = 2,
    P = 4,
    G = 8
}; /* unspecified, loopback, private, global */

static const struct {
    const char *ip;
    int want;
} kinds[] = {
    { "0.0.0.0", U },
    { "0.1.2.3", 0 },
    { "127.0.0.1", L },
    { "127.255.0.1", L },
    { "10.0.0.1", P },
    { "11.0.0.1", G },
    { "100.63.255.255", G },
    { "100.64.0.0", P },
    { "100.127.255.255", P },
    { "100.128.0.0", G },
    { "169.254.1.1", P },
    { "172.15.255.255", G },
    { "172.16.0.0", P },
    { "172.31.255.255", P },
    { "172.32.0.0", G },
    { "192.168.0.1", P },
    { "192.0.2.1", 0 },
    { "192.0.0.1", 0 },
    { "192.88.99.1", 0 },
    { "198.17.255.255", G },
    { "198.18.0.1", 0 },
    { "198.19.255.255", 0 },
    { "198.51.100.7", 0 },
    { "203.0.113.7", 0 },
    { "8.8.8.8", G },
    { "223.255.255.255", G },
    { "224.0.0.1", 0 },
    { "240.0.0.1", 0 },
    { "255.255.255.255", 0 },
    { "::", U },
    { "::1", L },
    { "::2", 0 },
    { "fe80::1", P },
    { "febf::1", P },
    { "fec0::1", 0 },
    { "fc00::1", P },
    { "fdff::1", P },
    { "ff02::1", 0 },
    { "2001:db8::1", 0 },
    { "2001:0:1::1", 0 },
    { "2001:200::1", G },
    { "2002:102:304::1", 0 },
    { "2606:4700::1111", G },
    { "3fff:0fff::1", 0 },
    { "3ffe::1", G },
    { "4000::1", 0 },
    { "64:ff9b::808:808", G },
    { "64:ff9b:1::1", 0 },
};

static void
test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(kinds); i++) {
        struct adit_endpoint e = ip(kinds[i].ip, 1);
        int got = (adit_endpoint_is_unspecified(&e) ? U : 0) |
                  (adit_endpoint_is_loopback(&e) ? L : 0) |
                  (adit_endpoint_is_private(&e) ? P : 0) |
                  (adit_endpoint_is_global(&e) ? G : 0);

        print_message("%s\n", kinds[i].ip);
        assert_int_equal(got, kinds[i].want);
    }
}

static const struct {
    const char *why;
    const char *a, *b;
    unsigned bits4, bits6;
    bool same;
} prefixes[] = {
    { "one host each", "1.2.3.4", "1.2.3.5", 32, 64, false },
    { "same host", "1.2.3.4", "1.2.3.4", 32, 64, true },
    { "same /24", "1.2.3.4", "1.2.3.200", 24, 64, true },
    { "same /20", "1.2.16.4", "1.2.31.4", 20, 64, true },
    { "other /20", "1.2.16.4", "1.2.32.4", 20, 64, false },
    { "all", "1.2.3.4", "200.2.3.4", 0, 0, true },
    { "same /64", "2001:db8::1", "2001:db8::ffff:1", 32, 64, true },
    { "other /64", "2001:db8::1", "2001:db8:0:1::1", 32, 64, false },
    { "same /61", "2001:db8::1", "2001:db8:0:7::1", 32, 61, true },
    { "other /61", "2001:db8::1", "2001:db8:0:8::1", 32, 61, false },
    { "bits beyond the address", "1.2.3.4", "1.2.3.4", 99, 999, true },
    { "families never mix", "0.0.0.0", "::", 0, 0, false },
};

static void
test_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(prefixes); i++) {
        struct adit_endpoint a = ip(prefixes[i].a, 1);
        struct adit_endpoint b = ip(prefixes[i].b, 2);
        uint8_t ka[ADIT_PREFIX_KEY_MAX_BYTES], kb[ADIT_PREFIX_KEY_MAX_BYTES];
        size_t na =
            adit_endpoint_prefix(&a, prefixes[i].bits4, prefixes[i].bits6, ka);
        size_t nb =
            adit_endpoint_prefix(&b, prefixes[i].bits4, prefixes[i].bits6, kb);

        print_message("%s\n", prefixes[i].why);
        assert_int_equal(adit_slice_eq(adit_slice(ka, na), adit_slice(kb, nb)),
                         prefixes[i].same);
    }
}

static void
test_none(void **state)
{
    struct adit_endpoint none = { 0 };
    struct adit_endpoint some = ip("1.2.3.4", 5);
    struct adit_maddr m;
    char text[ADIT_ENDPOINT_TEXT_BYTES];
    uint8_t key[ADIT_PREFIX_KEY_MAX_BYTES];

    (void)state;
    assert_true(adit_endpoint_is_none(&none));
    assert_int_equal(adit_endpoint_bytes(&none), 0);
    assert_int_equal(adit_endpoint_ip(&none).n, 0);
    assert_int_equal(adit_endpoint_port(&none), 0);
    assert_string_equal(adit_endpoint_format(&none, text), "");
    adit_endpoint_to_maddr(&none, &m);
    assert_int_equal(m.n, 0);
    assert_int_equal(adit_endpoint_prefix(&none, 32, 64, key), 0);
    assert_false(adit_endpoint_is_global(&none));
    assert_false(adit_endpoint_is_private(&none));
    assert_false(adit_endpoint_is_loopback(&none));
    assert_false(adit_endpoint_is_unspecified(&none));
    assert_true(adit_endpoint_eq(&none, &none));
    assert_false(adit_endpoint_eq(&none, &some));
    assert_int_equal(adit_endpoint_of_ip(adit_slice("abc", 3), 1, &none),
                     ADIT_EINVAL);
}

static void
test_mapped(void **state)
{
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
                               .sin6_port = htons(99) };
    struct sockaddr un = { .sa_family = AF_UNIX };
    struct adit_endpoint e, want = ip("1.2.3.4", 99);

    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:1.2.3.4", &sa.sin6_addr), 1);
    assert_int_equal(
        adit_endpoint_of_sockaddr((const struct sockaddr *)&sa, &e), ADIT_OK);
    assert_true(adit_endpoint_eq(&e, &want));
    assert_int_equal(adit_endpoint_of_sockaddr(&un, &e), ADIT_EUNSUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maddr),  cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_prefix), cmocka_unit_test(test_none),
        cmocka_unit_test(test_mapped), cmocka_unit_test(test_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
