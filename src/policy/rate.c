/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/rate.h"

/* Levels are in millionths: a microsecond brings `bytes_s` of them. */
#define UNIT UINT64_C(1000000)

_Static_assert(ADIT_RATE_MAX_BYTES_S <= UINT64_MAX / (4 * ADIT_RATE_BURST_US),
               "a level, and what is added to it, fit");

uint64_t
adit_rate_burst_bytes(const struct adit_rate *r)
{
    uint64_t n = r->bytes_s * (uint64_t)ADIT_RATE_BURST_US / UNIT;

    if (r->bytes_s == 0)
        return UINT64_MAX;
    return ADIT_MAX(n, (uint64_t)ADIT_RATE_BURST_MIN_BYTES);
}

static uint64_t
cap(const struct adit_rate *r)
{
    return adit_rate_burst_bytes(r) * UNIT;
}

static void
fill(struct adit_rate *r, struct adit_instant now)
{
    uint64_t us, missing;

    if (r->bytes_s == 0 || now.us <= r->at.us)
        return;
    us = now.us - r->at.us;
    r->at = now;
    missing = cap(r) - r->level;
    /* Not the product first: a gap may be of any length. */
    if (us > missing / r->bytes_s)
        r->level = cap(r);
    else
        r->level += us * r->bytes_s;
}

void
adit_rate_set(struct adit_rate *r, uint64_t bytes_s, struct adit_instant now)
{
    bool had = r->bytes_s != 0;

    fill(r, now);
    r->bytes_s = ADIT_MIN(bytes_s, ADIT_RATE_MAX_BYTES_S);
    r->at.us = ADIT_MAX(r->at.us, now.us);
    if (r->bytes_s == 0)
        r->level = 0;
    else
        r->level = had ? ADIT_MIN(r->level, cap(r)) : cap(r);
}

void
adit_rate_init(struct adit_rate *r, uint64_t bytes_s, struct adit_instant now)
{
    *r = (struct adit_rate){ .bytes_s = 0 };
    adit_list_init(&r->waiting);
    adit_rate_set(r, bytes_s, now);
}

uint64_t
adit_rate_may(struct adit_rate *r, struct adit_instant now)
{
    if (r->bytes_s == 0)
        return UINT64_MAX;
    fill(r, now);
    return r->level / UNIT;
}

void
adit_rate_charge(struct adit_rate *r, uint64_t n)
{
    if (r->bytes_s == 0)
        return;
    adit_assert(n <= r->level / UNIT);
    r->level -= n * UNIT;
}

void
adit_rate_refund(struct adit_rate *r, uint64_t n)
{
    uint64_t missing;

    if (r->bytes_s == 0)
        return;
    missing = cap(r) - r->level;
    r->level += n > missing / UNIT ? missing : n * UNIT;
}

struct adit_instant
adit_rate_due(struct adit_rate *r, uint64_t n, struct adit_instant now)
{
    uint64_t want;

    if (r->bytes_s == 0)
        return now;
    fill(r, now);
    want = ADIT_MIN(n, adit_rate_burst_bytes(r)) * UNIT;
    if (want <= r->level)
        return now;
    want = (want - r->level + r->bytes_s - 1) / r->bytes_s;
    /* From `at`: a clock that was set back brings nothing meanwhile. */
    return adit_instant_add(r->at, (int64_t)want);
}
