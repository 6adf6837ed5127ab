/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * pacer: who may carry how much when rates are set: a circuit's own, those of
 * its two peers, and the node's.
 *
 * A circuit that wants more than its buckets hold queues at each that has
 * nothing for it, and gets one grain there in its turn.  So a bucket serves
 * those who want more of it than they get by turns, and who wants less than
 * his share gets it all: max-min.  The unit is a circuit, both ways together.
 * Who waits for one bucket holds up nobody at another; nothing runs until a
 * grain is there.
 * No byte is kept here, none is dropped.  Thread: one worker.
 */
#ifndef ADIT_HOST_PACER_H
#define ADIT_HOST_PACER_H

#include "loop/worker.h"
#include "metrics/metrics.h"
#include "policy/rate.h"

struct adit_pacer {
    struct adit_worker *w;
    struct adit_metrics *metrics;
    struct adit_rate node;
    struct adit_rate none;    /* of a peer that has none */
    struct adit_list waiting; /* circuits; who moved longest ago is first */
};

/* `w` and `metrics` are borrowed. */
void adit_pacer_init(struct adit_pacer *p, struct adit_worker *w,
                     struct adit_metrics *metrics);

/* The node's rate from now on, also for circuits that are open; 0: none. */
void adit_pacer_set(struct adit_pacer *p, uint64_t bytes_s);

/* The same for a peer's, if a circuit may be waiting for it. */
void adit_pacer_set_rate(struct adit_pacer *p, struct adit_rate *rate,
                         uint64_t bytes_s);

/* What a circuit lets the pacer ask and do.  Never from inside its calls. */
struct adit_paced_ops {
    /* Bytes that wait, for readers that take them. */
    uint64_t (*wants)(void *ctx);
    /* Carry up to `n` of them: _may allows so many now, _spend them. */
    void (*carry)(void *ctx, uint64_t n);
    /* There was no memory to wait: give it up. */
    void (*fail)(void *ctx);
};

enum { ADIT_PACED_N_RATES = 4 };

/* A circuit and one of its rates. */
struct adit_paced_turn {
    struct adit_paced *c;
    struct adit_rate *rate;
    uint64_t got;            /* charged, not spent */
    struct adit_list link;   /* in the rate's list, while it queues */
    struct adit_timer timer; /* while it is first there */
};

/* A circuit. */
struct adit_paced {
    struct adit_pacer *pacer;
    const struct adit_paced_ops *ops;
    void *ctx;
    struct adit_rate own;
    struct adit_paced_turn turns[ADIT_PACED_N_RATES]; /* own, peers', node's */
    uint64_t lent;                                    /* to this _carry */
    struct adit_list link;                            /* in the pacer's */
    struct adit_task task;       /* begins to wait, or fails */
    struct adit_instant since;   /* it last moved, or began to wait */
    struct adit_instant counted; /* so far in the metric */
    bool is_waiting;
    bool is_carrying;
    bool has_failed;
};

/* `peers` as in struct adit_bridge_terms. */
void adit_paced_init(struct adit_paced *c, struct adit_pacer *p,
                     uint64_t bytes_s, struct adit_rate *const peers[2],
                     const struct adit_paced_ops *ops, void *ctx);

/* It waits no more, and gives back what it has not spent.  Twice is fine. */
void adit_paced_stop(struct adit_paced *c);

/* Has nobody set a rate for it?  Then nothing below needs to be called. */
static inline bool
adit_paced_is_free(const struct adit_paced *c)
{
    return (c->turns[0].rate->bytes_s | c->turns[1].rate->bytes_s |
            c->turns[2].rate->bytes_s | c->turns[3].rate->bytes_s) == 0;
}

/* How many of `n` bytes may go now. */
uint64_t adit_paced_may(struct adit_paced *c, uint64_t n);
/* So many went, of what _may said. */
void adit_paced_spend(struct adit_paced *c, uint64_t n);
/* It has more than _may allowed: _carry follows, at the end of this turn or
 * later. */
void adit_paced_wait(struct adit_paced *c);

/* The circuit that waits, of those `may_go`, and moved longest ago; NULL:
 * none. */
struct adit_paced *adit_pacer_longest(
    const struct adit_pacer *p, bool (*may_go)(const struct adit_paced *c));

#endif
