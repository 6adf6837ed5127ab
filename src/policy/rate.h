/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rate: a token bucket: how many bytes may go now, and when there are more.
 *
 * Told the time; exact: what a microsecond brings is kept to the millionth of
 * a byte, so nothing drifts.  Pure.  It also has the head of the list of
 * those who wait for it (host/pacer.h), so it stays where it is.
 */
#ifndef ADIT_POLICY_RATE_H
#define ADIT_POLICY_RATE_H

#include "base/list.h"
#include "base/time.h"

/*
 * What a bucket holds, as time: a worker that comes late by less loses none
 * of the rate (a timer may be 4 ms late, a turn under load some more), and
 * nobody gets a twentieth of a second more than his rate.
 */
#define ADIT_RATE_BURST_US (50 * ADIT_MS)

/* But so much at least: a handshake passes in one go, however slow. */
#define ADIT_RATE_BURST_MIN_BYTES 16384

/* The fastest there is; more counts as it.  A bucket of it fits 64 bits. */
#define ADIT_RATE_MAX_BYTES_S (UINT64_C(1) << 40)

/* Zeroed is fine: no rate. */
struct adit_rate {
    uint64_t bytes_s; /* 0: no rate */
    uint64_t level;   /* millionths of a byte, at `at` */
    struct adit_instant at;
    struct adit_list waiting; /* the pacer's */
    uint32_t n_waiting;       /* likewise */
};

/* With a full bucket. */
void adit_rate_init(struct adit_rate *r, uint64_t bytes_s,
                    struct adit_instant now);

/*
 * Another rate from `now` on.  What was saved up stays, as far as the new
 * bucket holds it; a bucket that had no rate is full.  Where somebody may
 * wait for it: adit_pacer_set_rate.
 */
void adit_rate_set(struct adit_rate *r, uint64_t bytes_s,
                   struct adit_instant now);

/* Bytes that may go at `now`; UINT64_MAX: there is no rate. */
uint64_t adit_rate_may(struct adit_rate *r, struct adit_instant now);

/* `n` bytes go; no more than _may said at the same instant. */
void adit_rate_charge(struct adit_rate *r, uint64_t n);

/* `n` bytes that were charged did not go. */
void adit_rate_refund(struct adit_rate *r, uint64_t n);

/* When `n` bytes may go, or a full bucket if that is less. */
struct adit_instant adit_rate_due(struct adit_rate *r, uint64_t n,
                                  struct adit_instant now);

/* What the bucket holds at most; UINT64_MAX: there is no rate. */
uint64_t adit_rate_burst_bytes(const struct adit_rate *r);

#endif
