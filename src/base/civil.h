/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * civil: days and months of the wall clock, in UTC.
 *
 * From and to seconds since 1970, without the C library's calendar, which
 * reads files and the environment.  Pure.  Thread: any.
 */
#ifndef ADIT_BASE_CIVIL_H
#define ADIT_BASE_CIVIL_H

#include "base/cc.h"

#define ADIT_DAY_S INT64_C(86400)

struct adit_date {
    int32_t year;
    uint8_t month, day; /* from 1 */
};

struct adit_date adit_date_of(int64_t unix_s);
/* Midnight at its begin.  `month` and `day` within their ranges. */
int64_t adit_date_unix_s(struct adit_date d);

/* The begin of the day, and of the month, that an instant lies in, and of the
 * ones after it. */
int64_t adit_day_begin(int64_t unix_s);
int64_t adit_day_end(int64_t unix_s);
int64_t adit_month_begin(int64_t unix_s);
int64_t adit_month_end(int64_t unix_s);

#endif
