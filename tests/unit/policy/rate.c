/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rate.h"

#define MIN ADIT_RATE_BURST_MIN_BYTES
#define NONE UINT64_MAX
#define TOP ADIT_RATE_MAX_BYTES_S

static struct adit_instant
at(uint64_t us)
{
    return (struct adit_instant){ us };
}

/* A bucket that was emptied at `us`. */
static struct adit_rate
empty(uint64_t bytes_s, uint64_t us)
{
    struct adit_rate r;

    adit_rate_init(&r, bytes_s, at(us));
    adit_rate_charge(&r, adit_rate_may(&r, at(us)));
    return r;
}

static const struct {
    const char *why;
    uint64_t bytes_s, after_us, may;
} fills[] = {
    { "no rate", 0, 0, NONE },
    { "no time", 1000000, 0, 0 },
    { "one microsecond", 1000000, 1, 1 },
    { "not yet a byte", 10, 99999, 0 },
    { "a byte to the microsecond", 10, 100000, 1 },
    { "a third of a byte is kept", 3, 1000000, 3 },
    { "just not full", 1, UINT64_C(1000000) * MIN - 1, MIN - 1 },
    { "full", 1, UINT64_C(1000000) * MIN, MIN },
    { "no more than full", 1, UINT64_C(1000001) * MIN, MIN },
    { "a gap of ages", 20000000, UINT64_MAX - 1, 1000000 },
    { "the fastest, a gap of ages", TOP, UINT64_MAX - 1, TOP / 20 },
    { "faster than the fastest", UINT64_MAX, 1000000, TOP / 20 },
};

static void
test_fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(fills); i++) {
        struct adit_rate r;

        print_message("%s\n", fills[i].why);
        r = empty(fills[i].bytes_s, 1);
        if (fills[i].bytes_s == 0)
            adit_rate_init(&r, 0, at(1));
        assert_true(adit_rate_may(&r, at(1 + fills[i].after_us)) ==
                    fills[i].may);
    }
}

/* Asked at odd instants, and charged in odd pieces, an hour of any rate is
 * an hour of it to the byte. */
static void
test_no_drift(void **state)
{
    static const uint64_t rates[] = { 1, 3, 999983, 20000000, 1234567891 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(rates); i++) {
        uint64_t us = 1, end = 1 + UINT64_C(3600) * 1000000, sum = 0;
        struct adit_rate r = empty(rates[i], us);
        unsigned k = 0;

        while (us < end) {
            uint64_t n;

            us = ADIT_MIN(us + 1 + (++k * 7919u) % 40009u, end);
            n = adit_rate_may(&r, at(us));
            if (k % 3 == 0)
                n -= n / 3;
            adit_rate_charge(&r, n);
            sum += n;
        }
        sum += adit_rate_may(&r, at(end));
        assert_true(sum == rates[i] * 3600);
    }
}

static void
test_clock(void **state)
{
    struct adit_rate r = empty(1000, 5000000);

    (void)state;
    for (int i = 0; i < 1000; i++) /* asking is no time */
        assert_int_equal(adit_rate_may(&r, at(5000000)), 0);
    assert_int_equal(adit_rate_may(&r, at(4000000)), 0); /* backwards */
    assert_int_equal(adit_rate_may(&r, at(5000000)), 0);
    assert_int_equal(adit_rate_may(&r, at(5001000)), 1);
    adit_rate_set(&r, 1000, at(1)); /* nor does this turn it back */
    assert_int_equal(adit_rate_may(&r, at(5001000)), 1);
}

static void
test_due(void **state)
{
    static const uint64_t rates[] = { 1, 7, 1000, 333333, 20000000, TOP };
    static const uint64_t wants[] = { 1, 2, 1000, MIN, MIN + 1, UINT64_MAX };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(rates); i++)
        for (size_t j = 0; j < ADIT_NITEMS(wants); j++) {
            struct adit_rate r = empty(rates[i], 77);
            uint64_t want = ADIT_MIN(wants[j], adit_rate_burst_bytes(&r));
            struct adit_instant due = adit_rate_due(&r, wants[j], at(77));
            struct adit_rate early = r;

            /* Then, and not a microsecond earlier. */
            assert_true(adit_rate_may(&r, due) >= want);
            assert_true(adit_rate_may(&early, at(due.us - 1)) < want);
            assert_true(adit_rate_due(&r, want, due).us == due.us);
        }
}

/* The new rate counts from the change on, the old one up to it. */
static void
test_set(void **state)
{
    struct adit_rate r = empty(1000, 1);

    (void)state;
    adit_rate_set(&r, 2000, at(1 + 3000000)); /* 3,000 by then */
    assert_int_equal(adit_rate_may(&r, at(1 + 4000000)), 5000);
    adit_rate_set(&r, 1, at(1 + 4000000)); /* what was saved up stays */
    assert_int_equal(adit_rate_may(&r, at(1 + 5000000)), 5001);
    adit_rate_set(&r, 0, at(1 + 6000000));
    assert_true(adit_rate_may(&r, at(1 + 6000000)) == NONE);
    adit_rate_charge(&r, 12345);
    adit_rate_refund(&r, 12345);
    adit_rate_set(&r, 10000000, at(1 + 7000000)); /* full, as a new one is */
    assert_int_equal(adit_rate_may(&r, at(1 + 7000000)), 500000);
    adit_rate_set(&r, 1000000, at(1 + 7000000)); /* a smaller bucket */
    assert_int_equal(adit_rate_may(&r, at(1 + 7000000)), 50000);
}

static void
test_refund(void **state)
{
    struct adit_rate r = empty(1000000, 1);

    (void)state;
    adit_rate_refund(&r, 700);
    assert_int_equal(adit_rate_may(&r, at(1)), 700);
    adit_rate_refund(&r, UINT64_MAX); /* never above full */
    assert_int_equal(adit_rate_may(&r, at(1)), 50000);
}

static void
test_zeroed(void **state)
{
    struct adit_rate r = { 0 };

    (void)state;
    assert_true(adit_rate_may(&r, at(9)) == NONE);
    assert_true(adit_rate_due(&r, 9, at(9)).us == 9);
    adit_rate_set(&r, 1000, at(9));
    assert_int_equal(adit_rate_may(&r, at(9)), MIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),   cmocka_unit_test(test_no_drift),
        cmocka_unit_test(test_clock),  cmocka_unit_test(test_due),
        cmocka_unit_test(test_set),    cmocka_unit_test(test_refund),
        cmocka_unit_test(test_zeroed),
    };

    return cmocka_run_group_tests_name("policy/rate", tests, NULL, NULL);
}
