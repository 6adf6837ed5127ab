/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/civil.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

static const struct {
    const char *why;
    int64_t unix_s;
    struct adit_date date;
    int64_t day, month, month_end;
} cases[] = {
    { "the epoch", 0, { 1970, 1, 1 }, 0, 0, 2678400 },
    { "its last second", 86399, { 1970, 1, 1 }, 0, 0, 2678400 },
    { "before it", -1, { 1969, 12, 31 }, -86400, -2678400, 0 },
    { "a leap day",
      951782400,
      { 2000, 2, 29 },
      951782400,
      949363200,
      951868800 },
    { "no leap day in 2100",
      4107542400,
      { 2100, 3, 1 },
      4107542400,
      4107542400,
      4110220800 },
    { "the last of a year",
      1798761599,
      { 2026, 12, 31 },
      1798675200,
      1796083200,
      1798761600 },
};

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_date d = adit_date_of(cases[i].unix_s);

        print_message("%s\n", cases[i].why);
        assert_int_equal(d.year, cases[i].date.year);
        assert_int_equal(d.month, cases[i].date.month);
        assert_int_equal(d.day, cases[i].date.day);
        assert_int_equal(adit_date_unix_s(d), cases[i].day);
        assert_int_equal(adit_day_begin(cases[i].unix_s), cases[i].day);
        assert_int_equal(adit_day_end(cases[i].unix_s), cases[i].day + 86400);
        assert_int_equal(adit_month_begin(cases[i].unix_s), cases[i].month);
        assert_int_equal(adit_month_end(cases[i].unix_s), cases[i].month_end);
    }
}

/* Each day of four hundred years is as the C library has it. */
static void
test_all_days(void **state)
{
    (void)state;
    for (int64_t t = -INT64_C(50000) * 86400; t < INT64_C(100000) * 86400;
         t += 86400) {
        struct adit_date d = adit_date_of(t + 12345);
        time_t at = (time_t)t;
        struct tm tm;

        assert_non_null(gmtime_r(&at, &tm));
        assert_int_equal(d.year, tm.tm_year + 1900);
        assert_int_equal(d.month, tm.tm_mon + 1);
        assert_int_equal(d.day, tm.tm_mday);
        assert_int_equal(adit_date_unix_s(d), t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_all_days),
    };

    return cmocka_run_group_tests_name("base/civil", tests, NULL, NULL);
}
