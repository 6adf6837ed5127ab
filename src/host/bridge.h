/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * bridge: a circuit: what arrives on one stream leaves on the other.
 *
 * No buffer of its own.  What the destination does not take stays with the
 * stream it came on, and its sender gets no further window.  The budget bites
 * at the exact byte: the last one that fits is carried, then that way is
 * half-closed; and at the exact time: both streams are reset.  A rate bites
 * in the same way: what may not go yet stays where it is (host/pacer.h).
 * Thread: one worker.
 */
#ifndef ADIT_HOST_BRIDGE_H
#define ADIT_HOST_BRIDGE_H

#include "host/hstream.h"
#include "policy/budget.h"

struct adit_bridge;
struct adit_host;
struct adit_rate;

enum adit_bridge_why {
    ADIT_BRIDGE_FIN,     /* both ways ended in order */
    ADIT_BRIDGE_DATA,    /* one way at least had reached its limit */
    ADIT_BRIDGE_TIME,    /* its time was up */
    ADIT_BRIDGE_RESET,   /* an end was reset, or its connection gone */
    ADIT_BRIDGE_STALLED, /* the node's buffers were full, it waited longest */
    ADIT_BRIDGE_CLOSED,  /* by us */
};

/* "fin", "data_limit"...; static. */
const char *adit_bridge_why_name(enum adit_bridge_why why);

/* What a circuit may do. */
struct adit_bridge_terms {
    struct adit_budget budget;
    uint64_t bytes_s; /* both ways together; 0: no rate of its own */
    /* Of the source's peer and the destination's; NULL: none.  Borrowed, and
     * alive as long as the bridge. */
    struct adit_rate *peers[2];
};

/*
 * Circuit payload, indexed by enum adit_dir.  Neither ever falls; bytes beyond
 * the data limit are in neither.
 */
struct adit_bridge_counts {
    uint64_t accepted_bytes[2]; /* came on the sender's stream; may wait */
    uint64_t handed_bytes[2];   /* put into the receiver's connection */
};

struct adit_bridge_end {
    enum adit_bridge_why why;
    struct adit_bridge_counts n;
    int64_t lasted_us;
};

/*
 * Couple `src` and `dst`, which become the bridge's; what already waits on
 * them is carried first.  `on_end` is called once, from a later turn or this
 * one's end; the bridge is freed after it.  ADIT_ENOMEM: both still the
 * caller's.
 */
ADIT_MUST_USE adit_err adit_bridge_new(
    struct adit_host *h, struct adit_hstream *src, struct adit_hstream *dst,
    const struct adit_bridge_terms *terms,
    void (*on_end)(void *ctx, const struct adit_bridge_end *end), void *ctx,
    struct adit_bridge **out);

void adit_bridge_counts(const struct adit_bridge *b,
                        struct adit_bridge_counts *out);
/* Does it have something to carry and wait for a rate? */
bool adit_bridge_is_paced(const struct adit_bridge *b);

/* End it by reset; on_end follows. */
void adit_bridge_close(struct adit_bridge *b);

/* The same, on_end within this call.  Not from inside a stream's call. */
void adit_bridge_end_now(struct adit_bridge *b);

/*
 * Free at once what waits on one circuit; it is reset at the end of the turn.
 * The one whose reader stopped longest ago, a second or more; else, of those
 * whose reader does not take and those that wait for a rate, the one that
 * moved longest ago.  False: there is none.
 */
bool adit_bridge_relieve(struct adit_host *h);

/* Since when that one has made no progress; ADIT_NEVER: there is none. */
struct adit_instant adit_bridge_waits_since(const struct adit_host *h);

#endif
