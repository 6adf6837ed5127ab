/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/civil.h"

/*
 * Days of 400 years, after which the calendar repeats; from 1 March of the
 * year 0 on leap days come last: Howard Hinnant, "chrono-compatible low-level
 * date algorithms".
 */
#define ERA_DAYS INT64_C(146097)
#define EPOCH_DAYS INT64_C(719468) /* from then to 1970-01-01 */

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct adit_date
adit_date_of(int64_t unix_s)
{
    int64_t days = floor_div(unix_s, ADIT_DAY_S) + EPOCH_DAYS;
    int64_t era = floor_div(days, ERA_DAYS);
    int64_t day = days - era * ERA_DAYS; /* of the era */
    int64_t year =
        (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153; /* from March, 0 */

    return (struct adit_date){
        .year = (int32_t)(year + era * 400 + (m >= 10)),
        .month = (uint8_t)(m < 10 ? m + 3 : m - 9),
        .day = (uint8_t)(of_year - (153 * m + 2) / 5 + 1),
    };
}

int64_t
adit_date_unix_s(struct adit_date d)
{
    int64_t year = (int64_t)d.year - (d.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t m = d.month > 2 ? d.month - 3 : d.month + 9;
    int64_t of_year = (153 * m + 2) / 5 + d.day - 1;
    int64_t of_era = year - era * 400;

    return (era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 +
            of_year - EPOCH_DAYS) *
           ADIT_DAY_S;
}

int64_t
adit_day_begin(int64_t unix_s)
{
    return floor_div(unix_s, ADIT_DAY_S) * ADIT_DAY_S;
}

int64_t
adit_day_end(int64_t unix_s)
{
    return adit_day_begin(unix_s) + ADIT_DAY_S;
}

int64_t
adit_month_begin(int64_t unix_s)
{
    struct adit_date d = adit_date_of(unix_s);

    d.day = 1;
    return adit_date_unix_s(d);
}

int64_t
adit_month_end(int64_t unix_s)
{
    struct adit_date d = adit_date_of(unix_s);

    d.day = 1;
    d.year += d.month == 12;
    d.month = d.month == 12 ? 1 : (uint8_t)(d.month + 1);
    return adit_date_unix_s(d);
}
