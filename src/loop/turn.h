/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* turn: the inside of a worker, for the files of this folder only. */
#ifndef ADIT_LOOP_TURN_H
#define ADIT_LOOP_TURN_H

#include "loop/mailbox.h"
#include "loop/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct adit_worker {
    enum adit_worker_kind kind;
    struct event_base *base; /* owned by kind OWN only; NULL for HAND */
    struct adit_mem *mem;
    const struct adit_log *log;
    struct adit_rng rng;
    struct adit_pool pool;

    struct adit_instant now;
    int64_t unix_s;
    bool in_turn;   /* the clock has been read, the end is due */
    bool in_timers; /* the end is running timers */
    bool in_end;    /* the end is running */
    bool stop;
    void (*leave)(void *ctx); /* to run behind this turn's end; or NULL */
    void *leave_ctx;

    struct adit_heap timers;
    struct adit_list tasks;   /* struct adit_task */
    struct adit_list retired; /* struct adit_retiree */
    struct adit_mailbox mailbox;

    struct event ev_mail;          /* mailbox polls readable */
    struct event ev_timer;         /* the least deadline */
    struct event ev_end;           /* never pending, only activated */
    struct adit_instant timer_due; /* what ev_timer is set to */

    uint8_t *scratch; /* NULL until asked for */

    bool coalesce;
    bool in_bulk;               /* the last window was above the rate */
    size_t moved_bytes;         /* in this turn */
    unsigned n_moved;           /* reads in this turn */
    size_t window_bytes;        /* in this window */
    struct adit_instant window; /* its begin */
};

/*
 * Begin a turn if none is under way: read the clock, and see to it that its
 * end will run.  First thing in every callback of libevent's.
 */
void adit_worker_enter(struct adit_worker *w);

#endif
