/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rig: a worker of any kind, driven until a test says it is done.
 *
 * A test that never is fails after RIG_DEADLINE_US of real time, or, by hand,
 * when nothing is due any more.
 */
#ifndef ADIT_TESTS_LOOP_RIG_H
#define ADIT_TESTS_LOOP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/worker.h"

#include <event2/event.h>
#include <string.h>

#define RIG_DEADLINE_US (20 * ADIT_S)

struct rig {
    enum adit_worker_kind kind;
    struct adit_mem mem;
    struct adit_log log;
    char last_line[ADIT_LOG_LINE_MAX_BYTES];
    unsigned n_lines;
    struct event_base *lent;
    struct adit_worker *w;
    struct adit_timer watchdog;
    bool done;
    bool late;
};

static inline void
rig_sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    struct rig *r = ctx;

    (void)level;
    memcpy(r->last_line, line, n + 1);
    r->n_lines++;
}

static inline void
rig_stop(struct rig *r)
{
    if (r->kind == ADIT_WORKER_OWN)
        adit_worker_stop(r->w);
    else if (r->kind == ADIT_WORKER_LENT)
        event_base_loopbreak(r->lent);
}

/* What a test calls from wherever it sees that it is done. */
static inline void
rig_done(struct rig *r)
{
    r->done = true;
    rig_stop(r);
}

static inline void
rig_bark(void *ctx)
{
    struct rig *r = ctx;

    r->late = true;
    rig_stop(r);
}

static inline void
rig_init(struct rig *r, enum adit_worker_kind kind)
{
    struct adit_worker_config cfg = {
        .kind = kind,
        .mem = &r->mem,
        .log = &r->log,
        .rng = adit_rng_system(),
        .buffer_bytes = 1 << 20,
    };

    memset(r, 0, sizeof(*r));
    r->kind = kind;
    adit_mem_init(&r->mem, NULL, SIZE_MAX);
    r->log = (struct adit_log){ ADIT_LOG_DEBUG, rig_sink, r };
    if (kind == ADIT_WORKER_LENT) {
        r->lent = event_base_new();
        assert_non_null(r->lent);
        /* The caller's own affair; ours must not notice. */
        assert_int_equal(event_base_priority_init(r->lent, 3), 0);
        cfg.lent = r->lent;
    }
    assert_int_equal(adit_worker_new(&cfg, &r->w), ADIT_OK);
    r->watchdog.fn = rig_bark;
    r->watchdog.ctx = r;
}

/* Until rig_done. */
static inline void
rig_run(struct rig *r)
{
    r->done = r->late = false;
    if (r->kind == ADIT_WORKER_HAND) {
        while (!r->done) {
            struct adit_instant due = adit_worker_due(r->w);

            assert_true(due.us != ADIT_NEVER.us);
            adit_worker_turn(r->w, due, 1700000000 + (int64_t)(due.us >> 20));
        }
        return;
    }
    assert_int_equal(adit_timer_set(r->w, &r->watchdog,
                                    adit_instant_add(adit_worker_now(r->w),
                                                     RIG_DEADLINE_US)),
                     ADIT_OK);
    if (r->kind == ADIT_WORKER_OWN)
        adit_worker_run(r->w);
    else
        event_base_dispatch(r->lent);
    adit_timer_stop(r->w, &r->watchdog);
    assert_false(r->late);
    assert_true(r->done);
}

/* Nothing may be left. */
static inline void
rig_fini(struct rig *r)
{
    adit_worker_free(r->w);
    if (r->lent != NULL)
        event_base_free(r->lent);
    assert_int_equal(r->mem.used_bytes, 0);
}

#endif
