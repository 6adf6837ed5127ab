/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* days: when days and months begin, in UTC; Gregorian.  Pure. */
#ifndef ADIT_LEDGER_DAYS_H
#define ADIT_LEDGER_DAYS_H

#include "base/cc.h"

#define ADIT_DAY_S INT64_C(86400)

/* The begin of the day in which `unix_s` lies; also before 1970. */
static inline int64_t
adit_day_of(int64_t unix_s)
{
    int64_t into = unix_s % ADIT_DAY_S;

    return unix_s - (into < 0 ? into + ADIT_DAY_S : into);
}

/*
 * The begin of the month.  Counted from 1 March of year 0, so that the leap
 * day is a year's last: Howard Hinnant, "chrono-compatible low-level date
 * algorithms".
 */
static inline int64_t
adit_month_of(int64_t unix_s)
{
    int64_t day = adit_day_of(unix_s) / ADIT_DAY_S;
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    return (day - (doy - (153 * mp + 2) / 5)) * ADIT_DAY_S;
}

#endif
