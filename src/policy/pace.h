/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * pace: how many requests in an hour, by whoever a key names: a peer, a
 * network.
 *
 * A token bucket that holds an hour's worth and refills evenly (GCRA: one
 * instant a key).  A key whose bucket is full costs nothing; of too many the
 * one that is full soonest is forgotten first, so that strangers cannot grow
 * it.  O(log n).
 * Pure: told the time.  Thread: one owner.
 */
#ifndef ADIT_POLICY_PACE_H
#define ADIT_POLICY_PACE_H

#include "base/heap.h"
#include "base/map.h"

/* Keys that are remembered; arbitrary, some 100 bytes each. */
#define ADIT_PACE_MAX_KEYS 65536

/* The longest key. */
#define ADIT_PACE_KEY_BYTES 48

struct adit_pace {
    struct adit_mem *mem;
    struct adit_map keys;
    struct adit_heap full; /* by when the bucket is full again */
};

ADIT_MUST_USE adit_err adit_pace_init(struct adit_pace *p,
                                      struct adit_mem *mem,
                                      const struct adit_rng *rng);
void adit_pace_fini(struct adit_pace *p);

/*
 * One request of `key` at `now`; `per_hour` 0: no limit.
 *
 *   ADIT_OK      charged
 *   ADIT_ELIMIT  *value is what the last hour would have had, *retry_s when
 *                one is free again (at least 1)
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_pace_take(struct adit_pace *p,
                                      struct adit_slice key, uint32_t per_hour,
                                      struct adit_instant now, uint64_t *value,
                                      uint32_t *retry_s);
size_t adit_pace_n(const struct adit_pace *p);

#endif
