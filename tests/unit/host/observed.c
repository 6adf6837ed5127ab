/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/observed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct adit_endpoint
ep(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    const uint8_t ip[4] = { a, b, c, d };
    struct adit_endpoint e = { 0 };

    assert_int_equal(adit_endpoint_of_ip(adit_slice(ip, 4), port, &e),
                     ADIT_OK);
    return e;
}

static void
test_quorum(void **state)
{
    struct adit_observed o = { 0 };
    struct adit_endpoint us = ep(45, 83, 12, 1, 4001);
    const struct {
        const char *why;
        struct adit_endpoint at, from;
        bool settled;
    } steps[] = {
        { "one voice", us, ep(80, 1, 0, 1, 9), false },
        { "the same network again", us, ep(80, 1, 99, 2, 9), false },
        { "a private address is none", ep(10, 0, 0, 1, 4001),
          ep(81, 1, 0, 1, 9), false },
        { "a neighbour knows nothing", us, ep(192, 168, 0, 9, 9), false },
        { "a second network", us, ep(82, 1, 0, 1, 9), false },
        { "another port is another address", ep(45, 83, 12, 1, 4002),
          ep(83, 1, 0, 1, 9), false },
        { "a third network", us, ep(84, 1, 0, 1, 9), true },
        { "it is known by now", us, ep(85, 1, 0, 1, 9), false },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(steps); i++) {
        print_message("%s\n", steps[i].why);
        assert_int_equal(adit_observed_add(&o, &steps[i].at, &steps[i].from),
                         steps[i].settled);
    }
    assert_non_null(adit_observed_at(&o, 0));
    assert_true(adit_endpoint_eq(adit_observed_at(&o, 0), &us));
    assert_null(adit_observed_at(&o, 1));
}

/* Lies without end push each other out, never what is settled. */
static void
test_lies(void **state)
{
    struct adit_observed o = { 0 };
    struct adit_endpoint us = ep(45, 83, 12, 1, 4001);

    (void)state;
    for (uint8_t i = 1; i <= ADIT_OBSERVED_QUORUM; i++) {
        struct adit_endpoint from = ep(80, i, 0, 1, 9);

        assert_int_equal(adit_observed_add(&o, &us, &from),
                         i == ADIT_OBSERVED_QUORUM);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct adit_endpoint lie =
            ep(99, (uint8_t)(i >> 8), (uint8_t)i, 1, 4001);
        struct adit_endpoint from = ep(80, (uint8_t)i, 0, 1, 9);

        assert_false(adit_observed_add(&o, &lie, &from));
    }
    assert_int_equal(o.n, ADIT_OBSERVED_MAX);
    assert_true(adit_endpoint_eq(adit_observed_at(&o, 0), &us));
    assert_null(adit_observed_at(&o, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_lies),
    };

    return cmocka_run_group_tests_name("host/observed", tests, NULL, NULL);
}
