/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * time: monotonic instants that cannot be mistaken for numbers.
 *
 * Nothing here reads a clock: the loop does, once per turn, and hands the
 * instant down.  Durations are int64_t microseconds.  Wall time is int64_t
 * `..._unix_s` and appears only where the wire has it.
 */
#ifndef ADIT_BASE_TIME_H
#define ADIT_BASE_TIME_H

#include "base/cc.h"

/* CLOCK_BOOTTIME; 0 is no real instant and stands for "none". */
struct adit_instant {
    uint64_t us;
};

#define ADIT_MS INT64_C(1000)
#define ADIT_S INT64_C(1000000)

/* No deadline at all: later than every instant. */
#define ADIT_NEVER ((struct adit_instant){ UINT64_MAX })

/* Saturates at both ends, so a deadline can never wrap into the past. */
static inline struct adit_instant
adit_instant_add(struct adit_instant t, int64_t us)
{
    if (us < 0) {
        uint64_t back = (uint64_t)0 - (uint64_t)us;

        return (struct adit_instant){ back > t.us ? 0 : t.us - back };
    }
    if ((uint64_t)us > UINT64_MAX - t.us)
        return ADIT_NEVER;
    return (struct adit_instant){ t.us + (uint64_t)us };
}

/* Microseconds from `b` to `a`; negative if `a` is earlier. */
static inline int64_t
adit_instant_sub(struct adit_instant a, struct adit_instant b)
{
    uint64_t d = a.us >= b.us ? a.us - b.us : b.us - a.us;

    if (d > INT64_MAX)
        d = INT64_MAX;
    return a.us >= b.us ? (int64_t)d : -(int64_t)d;
}

/* Is it `due` or later? */
static inline bool
adit_instant_is_due(struct adit_instant due, struct adit_instant now)
{
    return now.us >= due.us;
}

static inline struct adit_instant
adit_instant_min(struct adit_instant a, struct adit_instant b)
{
    return a.us <= b.us ? a : b;
}

#endif
