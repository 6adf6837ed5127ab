/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/proxies.h"

#include <arpa/inet.h>

static bool
has(const struct adit_acl *a, const char *ip)
{
    int family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
    struct adit_endpoint e;
    uint8_t b[16];

    assert_int_equal(inet_pton(family, ip, b), 1);
    assert_int_equal(
        adit_endpoint_of_ip(adit_slice(b, family == AF_INET ? 4 : 16), 1, &e),
        ADIT_OK);
    return adit_proxies_has(a, &e);
}

static const struct {
    const char *why, *list;
    adit_err want;
    const char *in, *out;
} cases[] = {
    { "nobody", "", ADIT_OK, NULL, "127.0.0.1" },
    { "one address", "192.0.2.1", ADIT_OK, "192.0.2.1", "192.0.2.2" },
    { "a subnet", "192.0.2.0/28", ADIT_OK, "192.0.2.15", "192.0.2.16" },
    { "the second of two", "192.0.2.1, 2001:db8::/32", ADIT_OK,
      "2001:db8:9::1", "2001:db9::1" },
    { "the first of two", "192.0.2.1 2001:db8::/32", ADIT_OK, "192.0.2.1",
      "::1" },
    { "a peer id", "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
      ADIT_EINVAL, NULL, NULL },
    { "a system", "AS64500", ADIT_EINVAL, NULL, NULL },
    { "a name", "10.0.0.0/8, balancer.example", ADIT_EINVAL, NULL, NULL },
};

static void
test_list(void **state)
{
    const struct adit_rng rng = adit_rng_system();

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        char why[ADIT_PROXIES_WHY_BYTES] = "";
        struct adit_acl *a = NULL;
        struct adit_mem mem;

        print_message("%s\n", cases[i].why);
        adit_mem_init(&mem, NULL, SIZE_MAX);
        assert_int_equal(adit_proxies_new(&mem, &rng, cases[i].list, &a, why),
                         cases[i].want);
        if (cases[i].want != ADIT_OK) {
            assert_null(a);
            assert_int_equal(strncmp(why, "listen.proxy_from: '", 20), 0);
        }
        if (cases[i].in != NULL)
            assert_true(has(a, cases[i].in));
        if (cases[i].out != NULL)
            assert_false(has(a, cases[i].out));
        adit_acl_free(a);
        assert_int_equal(mem.used_bytes, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
