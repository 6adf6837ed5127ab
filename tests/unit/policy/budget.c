/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/budget.h"
#include "policy/rule.h"

#define CAP ADIT_BUDGET_NO_CAP

static const struct {
    const char *why;
    uint64_t left, now_us, end_us;
    size_t want;
    adit_err err;
    size_t granted;
    uint64_t left_after;
} cases[] = {
    { "all of it", 100, 1, 9, 60, ADIT_OK, 60, 40 },
    { "the last bytes", 100, 1, 9, 100, ADIT_OK, 100, 0 },
    { "cut at the byte", 131072, 1, 9, 131073, ADIT_OK, 131072, 0 },
    { "one byte is left", 1, 1, 9, SIZE_MAX, ADIT_OK, 1, 0 },
    { "none is left", 0, 1, 9, 1, ADIT_ELIMIT, 0, 0 },
    { "no cap", CAP, 1, 9, SIZE_MAX, ADIT_OK, SIZE_MAX, CAP },
    { "just before its end", 5, 8, 9, 1, ADIT_OK, 1, 4 },
    { "at its end", 5, 9, 9, 1, ADIT_EEXPIRED, 0, 5 },
    { "long after", CAP, 99, 9, 1, ADIT_EEXPIRED, 0, CAP },
    { "over twice: time is told first", 0, 9, 9, 1, ADIT_EEXPIRED, 0, 0 },
    { "no end", 5, UINT64_MAX - 1, UINT64_MAX, 1, ADIT_OK, 1, 4 },
};

static void
test_charge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        for (int dir = 0; dir < 2; dir++) {
            struct adit_budget b = { { 77, 77 }, { cases[i].end_us } };
            size_t granted = 0;

            print_message("%s\n", cases[i].why);
            b.left_bytes[dir] = cases[i].left;
            assert_int_equal(
                adit_budget_charge(&b, (enum adit_dir)dir, cases[i].want,
                                   (struct adit_instant){ cases[i].now_us },
                                   &granted),
                cases[i].err);
            assert_true(granted == cases[i].granted);
            assert_true(b.left_bytes[dir] == cases[i].left_after);
            assert_true(b.left_bytes[!dir] == 77); /* the other way */
        }
    }
}

/* Each rule has a name of its own, for logs and counters. */
static void
test_rule_names(void **state)
{
    (void)state;
    for (int i = ADIT_RULE_NONE; i <= ADIT_RULE_STOP_FAILED; i++)
        for (int k = ADIT_RULE_NONE; k < i; k++)
            assert_string_not_equal(adit_rule_name((enum adit_rule)i),
                                    adit_rule_name((enum adit_rule)k));
    assert_string_not_equal(adit_rule_name(ADIT_RULE_STOP_FAILED), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charge),
        cmocka_unit_test(test_rule_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
