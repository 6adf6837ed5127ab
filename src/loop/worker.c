/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "loop/turn.h"

#include <time.h>

/*
 * How many tasks that were posted by tasks run in one turn.  Enough for a
 * flush that follows a flush on every busy connection of a turn; a chain
 * longer than this lets descriptors and timers in between.
 */
#define TASK_BUDGET 1024

/* How long a rest is, and over how long a rate is measured. */
#define REST_US 400
#define WINDOW_US 2000

/* Reads of this size and above need no company. */
#define BULK_READ 65536

/* ---- the turn --------------------------------------------------------- */

static void
read_clock(struct adit_worker *w)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_BOOTTIME, &ts) == 0)
        w->now.us =
            (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    if (clock_gettime(CLOCK_REALTIME, &ts) == 0)
        w->unix_s = ts.tv_sec;
}

void
adit_worker_enter(struct adit_worker *w)
{
    if (w->in_turn || w->kind == ADIT_WORKER_HAND)
        return;
    read_clock(w);
    w->in_turn = true;
    /*
     * It goes behind everything that is ready now, timers included, whatever
     * the base's priorities are: all events of ours have the same one.
     */
    event_active(&w->ev_end, 0, 0);
}

static bool
run_mail(struct adit_worker *w)
{
    struct adit_msg *m = adit_mailbox_take(&w->mailbox);
    bool any = m != NULL;

    while (m != NULL) {
        struct adit_msg *next = m->next; /* fn owns m */

        m->fn(w, m);
        m = next;
    }
    return any;
}

static bool
run_timers(struct adit_worker *w)
{
    bool any = false;

    /* What is armed in here is due later than `now`: see adit_timer_set. */
    w->in_timers = true;
    for (;;) {
        struct adit_heap_node *n = adit_heap_min(&w->timers);
        struct adit_timer *t;

        if (n == NULL || !adit_instant_is_due(n->due, w->now))
            break;
        adit_heap_remove(&w->timers, n);
        t = ADIT_CONTAINER_OF(n, struct adit_timer, node);
        any = true;
        t->fn(t->ctx);
    }
    w->in_timers = false;
    return any;
}

static bool
run_tasks(struct adit_worker *w)
{
    struct adit_list batch; /* what was posted before the end began */
    struct adit_list *n;
    unsigned left = TASK_BUDGET;
    bool any = false;

    adit_list_init(&batch);
    if (adit_list_is_empty(&w->tasks))
        return false;
    batch = w->tasks;
    batch.next->prev = batch.prev->next = &batch;
    adit_list_init(&w->tasks);

    while ((n = adit_list_pop_head(&batch)) != NULL ||
           (left-- > 0 && (n = adit_list_pop_head(&w->tasks)) != NULL)) {
        struct adit_task *t = ADIT_CONTAINER_OF(n, struct adit_task, link);

        any = true;
        t->fn(t->ctx);
    }
    return any;
}

static bool
reap(struct adit_worker *w)
{
    struct adit_list *n;
    bool any = false;

    while ((n = adit_list_pop_head(&w->retired)) != NULL) {
        struct adit_retiree *r =
            ADIT_CONTAINER_OF(n, struct adit_retiree, link);

        any = true;
        r->fn(r->ctx);
    }
    return any;
}

/* Sleep no longer than until there is something to do. */
static void
set_alarm(struct adit_worker *w)
{
    struct adit_heap_node *n = adit_heap_min(&w->timers);
    struct adit_instant due = n != NULL ? n->due : ADIT_NEVER;
    struct timeval tv;
    int64_t us;

    /*
     * By a timer and not by activating ev_end again: that would run in this
     * very pass of libevent's, before it has polled a descriptor.
     */
    if (!adit_list_is_empty(&w->tasks) || !adit_list_is_empty(&w->retired))
        due = w->now;
    if (due.us == w->timer_due.us &&
        (due.us == ADIT_NEVER.us || evtimer_pending(&w->ev_timer, NULL)))
        return;
    w->timer_due = due;
    if (due.us == ADIT_NEVER.us) {
        event_del(&w->ev_timer);
        return;
    }
    us = adit_instant_sub(due, w->now);
    if (us < 0)
        us = 0;
    tv.tv_sec = us / ADIT_S;
    tv.tv_usec = us % ADIT_S;
    event_add(&w->ev_timer, &tv);
}

static bool
end_turn(struct adit_worker *w)
{
    bool any;

    w->in_end = true;
    any = run_timers(w);
    any |= run_tasks(w);
    any |= reap(w);
    w->in_end = false;
    return any;
}

void
adit_worker_moved(struct adit_worker *w, size_t n)
{
    w->moved_bytes += n;
    w->n_moved++;
}

/*
 * Rest between two turns when there is much to do in small pieces.  A go
 * load of eight circuits comes in frames of 1.4 to 16 KiB, one at a time,
 * and each is a wake-up, a recv and a send: bench/bareloop makes 560-620 MB
 * per CPU-second of it, with 200 us of rest 730-770, in bursts 1110 and more.
 */
static void
rest(struct adit_worker *w)
{
    const struct timespec nap = { 0, REST_US * 1000 };
    int64_t us = adit_instant_sub(w->now, w->window);
    bool is_small = w->n_moved > 0 && w->moved_bytes / w->n_moved < BULK_READ;

    w->window_bytes += w->moved_bytes;
    w->moved_bytes = 0;
    w->n_moved = 0;
    if (us >= WINDOW_US) {
        w->in_bulk =
            (int64_t)w->window_bytes / us >= ADIT_COALESCE_RATE / ADIT_S;
        w->window = w->now;
        w->window_bytes = 0;
    }
    if (w->in_bulk && is_small)
        nanosleep(&nap, NULL); /* cut short by a signal: no matter */
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
    struct adit_worker *w = arg;

    (void)fd;
    (void)what;
    end_turn(w);
    if (w->coalesce)
        rest(w);
    set_alarm(w);
    w->in_turn = false;
    if (w->stop && w->kind == ADIT_WORKER_OWN)
        event_base_loopbreak(w->base);
    if (w->leave != NULL) {
        void (*fn)(void *ctx) = w->leave;

        w->leave = NULL;
        fn(w->leave_ctx); /* `w` may be gone */
    }
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    adit_worker_enter(arg); /* its end runs the timers */
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct adit_worker *w = arg;

    (void)fd;
    (void)what;
    adit_worker_enter(w);
    run_mail(w);
}

/* ---- made and unmade -------------------------------------------------- */

static struct event_base *
own_base(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base;

    if (cfg == NULL)
        return NULL;
    /*
     * One thread, so no locks.  The change list folds several changes of
     * interest in one turn into one system call; it is safe since no
     * descriptor here is ever a duplicate of another.  No precise timer: it
     * would cost a timerfd_settime in each turn (0.5 of 3.2 us, measured on
     * a ping-pong), and no deadline of ours minds some milliseconds.
     */
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
                                   EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
                                   EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    return base;
}

/* The events of a worker that has a base. */
static adit_err
attach(struct adit_worker *w)
{
    if (event_assign(&w->ev_end, w->base, -1, 0, on_end, w) != 0 ||
        evtimer_assign(&w->ev_timer, w->base, on_timer, w) != 0 ||
        event_assign(&w->ev_mail, w->base, w->mailbox.fd, EV_READ | EV_PERSIST,
                     on_mail, w) != 0 ||
        event_add(&w->ev_mail, NULL) != 0)
        return ADIT_EIO;
    return ADIT_OK;
}

adit_err
adit_worker_new(const struct adit_worker_config *cfg, struct adit_worker **out)
{
    struct adit_worker *w = ADIT_NEW(cfg->mem, struct adit_worker);
    adit_err e;

    adit_assert((cfg->kind == ADIT_WORKER_LENT) == (cfg->lent != NULL));
    if (w == NULL)
        return ADIT_ENOMEM;
    w->kind = cfg->kind;
    w->mem = cfg->mem;
    w->log = cfg->log;
    w->rng = cfg->rng;
    w->timer_due = ADIT_NEVER;
    w->coalesce = cfg->coalesce && cfg->kind == ADIT_WORKER_OWN;
    adit_list_init(&w->tasks);
    adit_list_init(&w->retired);
    adit_heap_init(&w->timers, w->mem);
    adit_pool_init(&w->pool, w->mem, cfg->buffer_bytes);

    e = adit_mailbox_init(&w->mailbox, w->kind != ADIT_WORKER_HAND);
    if (e != ADIT_OK)
        goto no_mailbox;
    if (w->kind != ADIT_WORKER_HAND) {
        w->base = w->kind == ADIT_WORKER_LENT ? cfg->lent : own_base();
        e = w->base == NULL ? ADIT_EIO : attach(w);
        if (e != ADIT_OK)
            goto no_base;
        read_clock(w);
    }
    *out = w;
    return ADIT_OK;

no_base:
    if (w->kind == ADIT_WORKER_OWN && w->base != NULL)
        event_base_free(w->base);
    adit_mailbox_fini(&w->mailbox);
no_mailbox:
    adit_pool_fini(&w->pool);
    adit_heap_fini(&w->timers);
    ADIT_FREE(w->mem, w);
    return e;
}

void
adit_worker_free(struct adit_worker *w)
{
    if (w == NULL)
        return;
    adit_assert(!w->in_end);
    /* A message is owned by what it runs: run them, they may post others. */
    do
        reap(w);
    while (run_mail(w));
    if (w->base != NULL) {
        event_del(&w->ev_mail);
        event_del(&w->ev_timer);
        event_del(&w->ev_end);
        event_debug_unassign(&w->ev_mail);
        event_debug_unassign(&w->ev_timer);
        event_debug_unassign(&w->ev_end);
    }
    if (w->kind == ADIT_WORKER_OWN)
        event_base_free(w->base);
    adit_mailbox_fini(&w->mailbox);
    if (w->scratch != NULL)
        adit_mem_free(w->mem, w->scratch,
                      ADIT_SCRATCH_HEAD_BYTES + ADIT_SCRATCH_BODY_BYTES);
    adit_pool_fini(&w->pool);
    adit_heap_fini(&w->timers);
    ADIT_FREE(w->mem, w);
}

void
adit_worker_run(struct adit_worker *w)
{
    adit_assert(w->kind == ADIT_WORKER_OWN);
    while (!w->stop)
        if (event_base_loop(w->base, 0) != 0)
            break;
    w->stop = false;
}

void
adit_worker_stop(struct adit_worker *w)
{
    w->stop = true;
    adit_worker_enter(w);
}

/* Chains of tasks that post tasks come to an end long before. */
#define SETTLE_ROUNDS 100

void
adit_worker_settle(struct adit_worker *w)
{
    adit_assert(!w->in_end);
    for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
        bool any;

        adit_worker_enter(w);
        any = run_mail(w);
        any |= end_turn(w);
        if (!any)
            break;
    }
}

void
adit_worker_leave(struct adit_worker *w, void (*fn)(void *ctx), void *ctx)
{
    if (!w->in_end) {
        fn(ctx);
        return;
    }
    adit_assert(w->leave == NULL && w->kind == ADIT_WORKER_LENT);
    w->leave = fn;
    w->leave_ctx = ctx;
}

bool
adit_worker_turn(struct adit_worker *w, struct adit_instant now,
                 int64_t now_unix_s)
{
    bool any;

    adit_assert(w->kind == ADIT_WORKER_HAND && now.us >= w->now.us);
    w->now = now;
    w->unix_s = now_unix_s;
    any = run_mail(w);
    any |= end_turn(w);
    return any;
}

struct adit_instant
adit_worker_due(const struct adit_worker *w)
{
    struct adit_heap_node *n = adit_heap_min(&w->timers);

    /* The lock is not part of what `const` promises. */
    if (!adit_list_is_empty(&w->tasks) || !adit_list_is_empty(&w->retired) ||
        !adit_mailbox_is_empty((struct adit_mailbox *)&w->mailbox))
        return w->now;
    return n != NULL ? n->due : ADIT_NEVER;
}

/* ---- what it holds ---------------------------------------------------- */

struct adit_instant
adit_worker_now(const struct adit_worker *w)
{
    /* Called from outside a turn, by the program that lent the base. */
    if (!w->in_turn)
        adit_worker_enter((struct adit_worker *)w);
    return w->now;
}

int64_t
adit_worker_unix_s(const struct adit_worker *w)
{
    if (!w->in_turn)
        adit_worker_enter((struct adit_worker *)w);
    return w->unix_s;
}

struct adit_mem *
adit_worker_mem(const struct adit_worker *w)
{
    return w->mem;
}

struct adit_pool *
adit_worker_pool(struct adit_worker *w)
{
    return &w->pool;
}

const struct adit_rng *
adit_worker_rng(const struct adit_worker *w)
{
    return &w->rng;
}

const struct adit_log *
adit_worker_log(const struct adit_worker *w)
{
    return w->log;
}

struct event_base *
adit_worker_base(const struct adit_worker *w)
{
    return w->base;
}

uint8_t *
adit_worker_scratch(struct adit_worker *w)
{
    if (w->scratch == NULL)
        w->scratch = adit_mem_alloc(w->mem, ADIT_SCRATCH_HEAD_BYTES +
                                                ADIT_SCRATCH_BODY_BYTES);
    return w->scratch != NULL ? w->scratch + ADIT_SCRATCH_HEAD_BYTES : NULL;
}

/* ---- timers, tasks, retire -------------------------------------------- */

adit_err
adit_timer_set(struct adit_worker *w, struct adit_timer *t,
               struct adit_instant due)
{
    adit_err e;

    /* A timer that re-arms itself for at once must not hold the turn. */
    if (w->in_timers && adit_instant_is_due(due, w->now))
        due = adit_instant_add(w->now, 1);
    e = adit_heap_set(&w->timers, &t->node, due);
    /* Outside a turn nobody would look at the heap again. */
    if (e == ADIT_OK && !w->in_turn)
        adit_worker_enter(w);
    return e;
}

void
adit_timer_stop(struct adit_worker *w, struct adit_timer *t)
{
    /* ev_timer may fire for nothing; its turn sets it anew. */
    adit_heap_remove(&w->timers, &t->node);
}

void
adit_task_post(struct adit_worker *w, struct adit_task *t)
{
    if (adit_list_is_linked(&t->link))
        return;
    adit_list_push_tail(&w->tasks, &t->link);
    adit_worker_enter(w);
}

void
adit_task_cancel(struct adit_task *t)
{
    adit_list_remove(&t->link);
}

void
adit_retire_at(struct adit_worker *w, struct adit_retiree *r,
               void (*fn)(void *ctx), void *ctx, const char *file, int line)
{
    if (r->file != NULL) {
        struct adit_log_line l;

        if (adit_log_open(&l, w->log, ADIT_LOG_ERROR, "bug.retired_twice")) {
            adit_log_str(&l, "file", file);
            adit_log_i64(&l, "line", line);
            adit_log_str(&l, "first_file", r->file);
            adit_log_i64(&l, "first_line", r->line);
            adit_log_close(&l);
        }
        return;
    }
    r->fn = fn;
    r->ctx = ctx;
    r->file = file;
    r->line = line;
    adit_list_push_tail(&w->retired, &r->link);
    adit_worker_enter(w);
}

void
adit_worker_post(struct adit_worker *w, struct adit_msg *m)
{
    adit_mailbox_post(&w->mailbox, m);
}
