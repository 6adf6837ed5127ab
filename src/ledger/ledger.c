/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "ledger/ledger.h"

#include "config.h"
#include "base/civil.h"
#include "ledger/clerk.h"

/* A failed batch is tried again after this, then after twice that, ... */
#define RETRY_US (250 * ADIT_MS)
#define RETRY_MAX_US (8 * ADIT_S)

/* Totals told in one turn: some 0.3 ms.  A batch may have a hundred times as
 * many, and circuits wait meanwhile. */
#define TELL_PER_TURN 512

/* So often an idle relay asks the backend to prune. */
#define IDLE_FLUSH_US (600 * ADIT_S)

/*
 * What is old is judged by the wall clock, and what was deleted by a wrong
 * one does not come back.  So a step of more than a minute is believed for
 * pruning only when it has stood for a day.
 */
#define STEP_S 60
#define STEP_STANDS_US (INT64_C(86400) * ADIT_S)

struct adit_ledger {
    struct adit_worker *w;
    struct adit_mem *mem;
    struct adit_metrics *metrics;
    struct adit_ledger_events ev;
    struct adit_clerk clerk;
    int64_t flush_us;
    bool keeps_records;

    struct adit_batch_job *pending; /* what gathers */
    struct adit_batch_job *flying;  /* NULL, or what is being written */
    uint64_t seq;                   /* the last one given */
    uint64_t done_seq;              /* the last one written */
    int64_t day_unix_s;             /* what gathers belongs to this day */
    struct adit_instant flush_due, posted;
    bool is_overdue; /* a flush was due while a batch was under way */
    struct adit_timer tick, retry;
    struct adit_task hurry; /* the day has turned, or much is pending */
    int64_t retry_us;

    struct adit_list told; /* batches that were written; being told */
    struct adit_timer tell;

    struct adit_ask_job *asking, *asked; /* gathering; at the clerk */
    struct adit_task ask;
    struct adit_list queries;
    size_t n_queries;
    struct adit_marks_job *marks; /* at the clerk */
    bool has_marks;               /* all were told once */
    bool has_new_marks;           /* since then some were set */
    uint64_t marks_version;       /* what was told */

    int64_t offset_s; /* wall - monotonic, believed */
    int64_t new_offset_s;
    struct adit_instant new_since; /* 0: there is no other */

    bool is_losing; /* logged */
    bool is_closed; /* or about to be: nothing begins any more */
    struct adit_ledger_state state;
};

/* ---- small things ------------------------------------------------------- */

static size_t
n_pending(const struct adit_ledger *l)
{
    return adit_batch_n(&l->pending->batch) +
           (l->flying != NULL ? adit_batch_n(&l->flying->batch) : 0);
}

static void
gauge(struct adit_ledger *l)
{
    adit_metric_set(l->metrics, ADIT_M_LEDGER_PENDING, n_pending(l));
}

/* The wall clock as far as it is believed where things are deleted. */
static int64_t
believed_unix_s(struct adit_ledger *l)
{
    struct adit_instant now = adit_worker_now(l->w);
    int64_t wall = adit_worker_unix_s(l->w);
    int64_t mono = (int64_t)(now.us / ADIT_S);
    int64_t offset = wall - mono;

    if (llabs(offset - l->offset_s) <= STEP_S) {
        l->offset_s = offset;
        l->new_since.us = 0;
    } else if (l->new_since.us == 0 ||
               llabs(offset - l->new_offset_s) > STEP_S) {
        l->new_offset_s = offset;
        l->new_since = now;
    } else if (adit_instant_sub(now, l->new_since) >= STEP_STANDS_US) {
        l->offset_s = offset;
        l->new_since.us = 0;
    }
    return ADIT_MIN(wall, mono + l->offset_s);
}

static struct adit_batch_job *
new_batch(struct adit_ledger *l)
{
    struct adit_batch_job *j = ADIT_NEW(l->mem, struct adit_batch_job);

    if (j == NULL)
        return NULL;
    if (adit_batch_init(&j->batch, l->mem, adit_worker_rng(l->w)) != ADIT_OK) {
        ADIT_FREE(l->mem, j);
        return NULL;
    }
    j->job.kind = ADIT_JOB_BATCH;
    j->job.l = l;
    j->job.home_mem = l->mem;
    j->batch.seq = ++l->seq;
    return j;
}

/* What it holds, and itself. */
static void
free_job(struct adit_job *job)
{
    struct adit_mem *mem = job->home_mem;

    switch (job->kind) {
    case ADIT_JOB_BATCH: {
        struct adit_batch_job *j =
            ADIT_CONTAINER_OF(job, struct adit_batch_job, job);

        adit_batch_fini(&j->batch);
        ADIT_FREE(mem, j);
        return;
    }
    case ADIT_JOB_ASK:
        ADIT_FREE(mem, ADIT_CONTAINER_OF(job, struct adit_ask_job, job));
        return;
    case ADIT_JOB_QUERY: {
        struct adit_query_job *j =
            ADIT_CONTAINER_OF(job, struct adit_query_job, job);

        if (j->rows != NULL)
            adit_mem_free(&j->mem, j->rows, j->cap * sizeof(*j->rows));
        ADIT_FREE(mem, j);
        return;
    }
    case ADIT_JOB_MARKS: {
        struct adit_marks_job *j =
            ADIT_CONTAINER_OF(job, struct adit_marks_job, job);

        if (j->v != NULL)
            adit_mem_free(&j->mem, j->v, j->cap * sizeof(*j->v));
        ADIT_FREE(mem, j);
        return;
    }
    }
}

/* ---- jobs, there and back ------------------------------------------------ */

static void on_back(struct adit_worker *w, struct adit_msg *m);

static void
post(struct adit_ledger *l, struct adit_job *job)
{
    job->now_unix_s = adit_worker_unix_s(l->w);
    adit_clerk_post(&l->clerk, job, on_back);
}

static void
post_batch(struct adit_ledger *l, struct adit_batch_job *j)
{
    l->posted = adit_worker_now(l->w);
    j->prune_unix_s = believed_unix_s(l);
    post(l, &j->job);
}

static void
collect(struct adit_ledger *l)
{
    if (l->ev.collect != NULL)
        l->ev.collect(l->ev.ctx);
}

/* Hand over what has gathered, unless a batch is under way. */
static void
flush(struct adit_ledger *l)
{
    struct adit_batch_job *next;

    l->is_overdue = l->flying != NULL;
    if (l->flying != NULL)
        return;
    if (adit_batch_is_empty(&l->pending->batch) &&
        adit_instant_sub(adit_worker_now(l->w), l->posted) < IDLE_FLUSH_US)
        return;
    next = new_batch(l);
    if (next == NULL)
        return; /* it goes on gathering */
    l->flying = l->pending;
    l->pending = next;
    post_batch(l, l->flying);
    gauge(l);
}

/* ---- asked for ------------------------------------------------------------ */

static uint64_t
entry_bytes(const struct adit_batch_job *j, const struct adit_peerid *peer,
            int64_t day_unix_s)
{
    const struct adit_entry *e =
        j != NULL ? adit_batch_get(&j->batch, peer, day_unix_s) : NULL;

    return e != NULL ? e->gains.sent_bytes + e->gains.received_bytes : 0;
}

static void
tell_totals(struct adit_ledger *l, const struct adit_job *job,
            const struct adit_peerid *peer, uint64_t day_bytes,
            uint64_t month_bytes)
{
    struct adit_ledger_totals t = {
        .peer = *peer,
        .day_unix_s = adit_day_begin(job->now_unix_s),
        .month_unix_s = adit_month_begin(job->now_unix_s),
        .day_bytes = day_bytes,
        .month_bytes = month_bytes,
    };
    int64_t before = t.day_unix_s - ADIT_DAY_S;

    t.day_pending_bytes = entry_bytes(l->pending, peer, t.day_unix_s) +
                          entry_bytes(l->flying, peer, t.day_unix_s);
    t.month_pending_bytes = t.day_pending_bytes;
    if (before >= t.month_unix_s)
        t.month_pending_bytes += entry_bytes(l->pending, peer, before) +
                                 entry_bytes(l->flying, peer, before);
    if (l->ev.on_totals != NULL)
        l->ev.on_totals(l->ev.ctx, &t);
}

static void
post_ask(void *ctx)
{
    struct adit_ledger *l = ctx;

    if (l->asked != NULL || l->asking == NULL)
        return;
    l->asked = l->asking;
    l->asking = NULL;
    post(l, &l->asked->job);
}

static void
ask_back(struct adit_ledger *l, struct adit_ask_job *j)
{
    l->asked = NULL;
    for (size_t i = 0; j->job.e == ADIT_OK && i < j->n; i++)
        tell_totals(l, &j->job, &j->v[i].peer, j->v[i].day_bytes,
                    j->v[i].month_bytes);
    free_job(&j->job);
    post_ask(l);
}

/* ---- queries --------------------------------------------------------------- */

static void
tell_rows(struct adit_query_job *q)
{
    adit_usage_fn *fn = q->fn;
    char text[ADIT_LEDGER_WHY_TEXT_BYTES];

    q->fn = NULL;
    if (fn == NULL)
        return;
    if (q->job.e != ADIT_OK) {
        fn(q->ctx, ADIT_EIO, q->job.why, NULL, 0);
        return;
    }
    if (q->lacks_memory) {
        fn(q->ctx, ADIT_EIO, "no memory for the answer", NULL, 0);
        return;
    }
    snprintf(text, sizeof(text),
             "what the ledger cannot write at present is not in it");
    fn(q->ctx, ADIT_OK, q->is_partial ? text : NULL, q->rows, q->n);
}

static void
leave(struct adit_ledger *l, struct adit_query_job *q)
{
    adit_timer_stop(l->w, &q->deadline);
    adit_list_remove(&q->link);
    l->n_queries--;
}

static void
drop_query(struct adit_ledger *l, struct adit_query_job *q)
{
    leave(l, q);
    free_job(&q->job);
}

static void
query_back(struct adit_ledger *l, struct adit_query_job *q)
{
    /* First: who is told may ask again, and this one must not be posted. */
    leave(l, q);
    tell_rows(q);
    free_job(&q->job);
}

static void
query_late(void *ctx)
{
    struct adit_query_job *q = ctx;
    adit_usage_fn *fn = q->fn;

    q->fn = NULL;
    if (fn != NULL)
        fn(q->ctx, ADIT_ETIMEDOUT, "the ledger took too long", NULL, 0);
    if (!q->job.is_posted)
        drop_query(q->job.l, q);
}

/* Those that need not wait any more go to the clerk. */
static void
pump_queries(struct adit_ledger *l)
{
    bool is_due = false;

    ADIT_LIST_EACH(n, tmp, &l->queries)
    {
        struct adit_query_job *q =
            ADIT_CONTAINER_OF(n, struct adit_query_job, link);

        if (q->job.is_posted)
            continue;
        if (q->need_seq > l->done_seq && !l->state.is_failing) {
            is_due |= q->need_seq == l->pending->batch.seq;
            continue;
        }
        q->is_partial = q->need_seq > l->done_seq;
        post(l, &q->job);
    }
    if (is_due)
        flush(l);
}

/* ---- marks ------------------------------------------------------------------ */

static void
ask_marks(struct adit_ledger *l)
{
    struct adit_marks_job *j;

    if ((l->has_marks && !l->has_new_marks) || l->marks != NULL)
        return;
    j = ADIT_NEW(l->mem, struct adit_marks_job);
    if (j == NULL)
        return; /* at the next tick */
    adit_mem_init(&j->mem, NULL, SIZE_MAX);
    j->job.kind = ADIT_JOB_MARKS;
    j->job.l = l;
    j->job.home_mem = l->mem;
    j->wants_all = !l->has_marks;
    j->since = l->marks_version;
    l->marks = j;
    post(l, &j->job);
}

static void
marks_back(struct adit_ledger *l, struct adit_marks_job *j)
{
    l->marks = NULL;
    if (j->job.e == ADIT_OK && !j->lacks_memory) {
        l->marks_version = j->version;
        l->has_new_marks = false;
        for (size_t i = 0; l->ev.on_mark != NULL && i < j->n; i++)
            /* What was said since then holds. */
            if (!adit_batch_has_mark(&l->pending->batch, &j->v[i].peer) &&
                (l->flying == NULL ||
                 !adit_batch_has_mark(&l->flying->batch, &j->v[i].peer)))
                l->ev.on_mark(l->ev.ctx, &j->v[i]);
        if (!l->has_marks && l->ev.on_mark != NULL)
            l->ev.on_mark(l->ev.ctx, NULL);
        l->has_marks = true;
    }
    free_job(&j->job);
}

/* ---- a batch is back ---------------------------------------------------------- */

static void
failed(struct adit_ledger *l, const struct adit_job *job)
{
    struct adit_log_line line;

    adit_metric_add(l->metrics, ADIT_M_LEDGER_FAILED, 1);
    snprintf(l->state.why, sizeof(l->state.why), "%s", job->why);
    if (!l->state.is_failing) {
        l->state.is_failing = true;
        l->state.failing_unix_s = adit_worker_unix_s(l->w);
        if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_ERROR,
                          "ledger.failing")) {
            adit_log_str(&line, "why", job->why);
            adit_log_close(&line);
        }
    }
    /* Without a timer the next tick does it. */
    if (adit_timer_set(l->w, &l->retry,
                       adit_instant_add(adit_worker_now(l->w), l->retry_us)) ==
        ADIT_OK)
        l->retry_us = ADIT_MIN(2 * l->retry_us, RETRY_MAX_US);
}

static void
worked(struct adit_ledger *l, const struct adit_batch_job *j)
{
    struct adit_log_line line;

    adit_metric_add(l->metrics, ADIT_M_LEDGER_FLUSHES, 1);
    l->state.written_unix_s = adit_worker_unix_s(l->w);
    l->done_seq = j->batch.seq;
    l->retry_us = RETRY_US;
    l->is_losing = false;
    if (j->is_rolled_back &&
        adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_WARN,
                      "ledger.rolled_back")) {
        adit_log_str(&line, "why",
                     "the Redis server came back without what it had "
                     "already taken; that usage is lost");
        adit_log_close(&line);
    }
    if (!l->state.is_failing)
        return;
    l->state.is_failing = false;
    l->state.why[0] = '\0';
    if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_INFO,
                      "ledger.recovered")) {
        adit_log_i64(&line, "failed_s",
                     l->state.written_unix_s - l->state.failing_unix_s);
        adit_log_close(&line);
    }
}

/* Of the batches that were written, a turn's worth. */
static void
tell_some(void *ctx)
{
    struct adit_ledger *l = ctx;
    unsigned left = TELL_PER_TURN;

    while (!adit_list_is_empty(&l->told)) {
        struct adit_batch_job *j = ADIT_CONTAINER_OF(
            ADIT_CONTAINER_OF(l->told.next, struct adit_job, link),
            struct adit_batch_job, job);
        const struct adit_entry *e = j->batch.entries;

        if (e == NULL) {
            adit_list_remove(&j->job.link);
            free_job(&j->job);
            continue;
        }
        /* Without a timer all at once. */
        if (left == 0 &&
            adit_timer_set(l->w, &l->tell, adit_worker_now(l->w)) == ADIT_OK)
            return;
        left -= left > 0;
        tell_totals(l, &j->job, &e->peer, e->day_bytes, e->month_bytes);
        adit_batch_drop(&j->batch);
    }
}

static void
batch_back(struct adit_ledger *l, struct adit_batch_job *j)
{
    if (j->job.e != ADIT_OK) {
        /* It stays as it is, number and all: who knows what came of it. */
        failed(l, &j->job);
        pump_queries(l);
        return;
    }
    l->flying = NULL;
    worked(l, j);
    gauge(l);
    if (j->marks_version != l->marks_version) {
        l->has_new_marks = true;
        ask_marks(l);
    }
    adit_list_push_tail(&l->told, &j->job.link);
    tell_some(l);
    if (l->is_overdue || adit_batch_is_large(&l->pending->batch))
        flush(l);
    pump_queries(l);
}

static void
on_back(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_job *job = ADIT_CONTAINER_OF(m, struct adit_job, msg);
    struct adit_ledger *l = job->l;

    (void)w;
    job->is_posted = false;
    if (l == NULL) { /* closed meanwhile */
        free_job(job);
        return;
    }
    switch (job->kind) {
    case ADIT_JOB_BATCH:
        batch_back(l, ADIT_CONTAINER_OF(job, struct adit_batch_job, job));
        break;
    case ADIT_JOB_ASK:
        ask_back(l, ADIT_CONTAINER_OF(job, struct adit_ask_job, job));
        break;
    case ADIT_JOB_QUERY:
        query_back(l, ADIT_CONTAINER_OF(job, struct adit_query_job, job));
        break;
    case ADIT_JOB_MARKS:
        marks_back(l, ADIT_CONTAINER_OF(job, struct adit_marks_job, job));
        break;
    }
}

/* ---- timers --------------------------------------------------------------------- */

static void
retry(void *ctx)
{
    struct adit_ledger *l = ctx;

    if (l->flying != NULL && !l->flying->job.is_posted)
        post_batch(l, l->flying);
}

/* The next flush, or the end of the day, whatever comes first. */
static void
set_tick(struct adit_ledger *l)
{
    int64_t wall = adit_worker_unix_s(l->w);
    struct adit_instant midnight =
        adit_instant_add(adit_worker_now(l->w),
                         (adit_day_begin(wall) + ADIT_DAY_S - wall) * ADIT_S);

    if (adit_timer_set(l->w, &l->tick,
                       adit_instant_min(l->flush_due, midnight)) != ADIT_OK)
        return; /* look() sees that it is not set */
}

static void
tick(void *ctx)
{
    struct adit_ledger *l = ctx;
    struct adit_instant now = adit_worker_now(l->w);

    /* What is collected now moved before this instant: in the day that was. */
    collect(l);
    l->day_unix_s = adit_day_begin(adit_worker_unix_s(l->w));
    if (adit_instant_is_due(l->flush_due, now)) {
        l->flush_due = adit_instant_add(now, l->flush_us);
        ask_marks(l);
        if (!adit_timer_is_set(&l->retry))
            retry(l);
        flush(l);
    }
    gauge(l);
    set_tick(l);
}

/* Out of turn: the day is another, or so much is pending. */
static void
hurry(void *ctx)
{
    struct adit_ledger *l = ctx;

    if (adit_batch_is_large(&l->pending->batch))
        l->flush_due = adit_worker_now(l->w);
    tick(l);
}

/* ---- opened and closed ------------------------------------------------------------ */

static const struct adit_backend *
backend_of(enum adit_ledger_backend b)
{
#ifdef ADIT_WITH_RELAY
    switch (b) {
    case ADIT_LEDGER_IN_SQLITE:
        return &adit_backend_sqlite;
    case ADIT_LEDGER_IN_REDIS:
        return &adit_backend_redis;
    }
#else
    (void)b;
#endif
    return NULL;
}

adit_err
adit_ledger_open(struct adit_worker *w, const struct adit_ledger_config *cfg,
                 const struct adit_ledger_events *ev, struct adit_ledger **out,
                 char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    const struct adit_backend *backend = backend_of(cfg->backend);

    if (backend == NULL) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
                 "this adit was built without ledgers (--without-relay)");
        return ADIT_EUNSUPPORTED;
    }
    return adit_ledger_open_with(w, backend, cfg, ev, out, why);
}

adit_err
adit_ledger_open_with(struct adit_worker *w,
                      const struct adit_backend *backend,
                      const struct adit_ledger_config *cfg,
                      const struct adit_ledger_events *ev,
                      struct adit_ledger **out,
                      char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    struct adit_mem *mem = adit_worker_mem(w);
    struct adit_instant now = adit_worker_now(w);
    uint8_t instance[16];
    struct adit_ledger *l;
    adit_err e;

    snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "no memory");
    l = ADIT_NEW(mem, struct adit_ledger);
    if (l == NULL)
        return ADIT_ENOMEM;
    l->w = w;
    l->mem = mem;
    l->metrics = cfg->metrics;
    l->ev = *ev;
    l->flush_us = cfg->flush_us;
    l->keeps_records = cfg->keep_circuits_us > 0;
    l->day_unix_s = adit_day_begin(adit_worker_unix_s(w));
    l->offset_s = adit_worker_unix_s(w) - (int64_t)(now.us / ADIT_S);
    l->posted = now;
    l->flush_due = adit_instant_add(now, l->flush_us);
    l->retry_us = RETRY_US;
    l->tick = (struct adit_timer){ .fn = tick, .ctx = l };
    l->retry = (struct adit_timer){ .fn = retry, .ctx = l };
    l->tell = (struct adit_timer){ .fn = tell_some, .ctx = l };
    adit_list_init(&l->told);
    l->hurry = (struct adit_task){ .fn = hurry, .ctx = l };
    l->ask = (struct adit_task){ .fn = post_ask, .ctx = l };
    adit_list_init(&l->queries);
    adit_rng_fill(adit_worker_rng(w), instance, sizeof(instance));

    e = ADIT_ENOMEM;
    l->pending = new_batch(l);
    if (l->pending == NULL)
        goto no_batch;
    e = adit_timer_set(w, &l->tick, l->flush_due);
    if (e != ADIT_OK)
        goto no_timer;
    e = adit_clerk_open(&l->clerk, w, backend, cfg, instance, why);
    if (e != ADIT_OK)
        goto no_clerk;
    set_tick(l);
    ask_marks(l);
    *out = l;
    return ADIT_OK;

no_clerk:
    adit_timer_stop(w, &l->tick);
no_timer:
    free_job(&l->pending->job);
no_batch:
    ADIT_FREE(mem, l);
    return e;
}

/* Freed when the mailbox is emptied, if it lies in there. */
static void
orphan(struct adit_job *job)
{
    if (job->is_posted)
        job->l = NULL;
    else
        free_job(job);
}

/* `hangs`: the thread may still be at it, so of the job itself and of totals
 * nothing can be read. */
static void
give_up(struct adit_ledger *l, struct adit_batch_job *j, bool hangs)
{
    uint64_t n_bytes = 0;
    struct adit_log_line line;

    if (j == NULL)
        return;
    hangs = hangs && j->job.is_posted;
    if ((hangs || j->job.e != ADIT_OK) && !adit_batch_is_empty(&j->batch)) {
        for (struct adit_entry *e = j->batch.entries; e != NULL; e = e->next)
            n_bytes += e->gains.sent_bytes + e->gains.received_bytes;
        adit_metric_add(l->metrics, ADIT_M_LEDGER_LOST_BYTES, n_bytes);
        adit_metric_add(l->metrics, ADIT_M_LEDGER_LOST_RECORDS,
                        j->batch.n_records);
        if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_ERROR,
                          "ledger.not_written")) {
            adit_log_u64(&line, "peers", j->batch.map.n);
            adit_log_u64(&line, "circuits", j->batch.n_records);
            adit_log_u64(&line, "bytes", n_bytes);
            adit_log_str(&line, "why",
                         hangs ? "the backend hangs; it may have it"
                               : j->job.why);
            adit_log_close(&line);
        }
    }
    if (!hangs)
        adit_batch_fini(&j->batch);
    orphan(&j->job);
}

static void
end_query(struct adit_ledger *l, struct adit_query_job *q, bool hangs)
{
    adit_usage_fn *fn = q->fn;

    adit_timer_stop(l->w, &q->deadline);
    if (q->job.is_posted && !hangs) { /* answered, but not read */
        tell_rows(q);
    } else {
        q->fn = NULL;
        if (fn != NULL)
            fn(q->ctx, ADIT_EIO, "the ledger is closed", NULL, 0);
    }
    orphan(&q->job);
}

static void
log_abandoned(struct adit_ledger *l)
{
    struct adit_log_line line;

    if (!adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_ERROR,
                       "ledger.abandoned"))
        return;
    adit_log_str(&line, "why",
                 "the backend does not return from a call; its thread is left "
                 "to itself");
    adit_log_close(&line);
}

void
adit_ledger_close(struct adit_ledger *l)
{
    struct adit_list *n;
    bool hangs;

    if (l == NULL)
        return;
    collect(l);
    l->is_closed = true;
    adit_timer_stop(l->w, &l->tick);
    adit_timer_stop(l->w, &l->retry);
    adit_timer_stop(l->w, &l->tell);
    adit_task_cancel(&l->hurry);
    adit_task_cancel(&l->ask);
    retry(l);
    if (!adit_batch_is_empty(&l->pending->batch))
        post_batch(l, l->pending);
    hangs = !adit_clerk_close(&l->clerk);
    if (hangs)
        log_abandoned(l);

    while ((n = adit_list_pop_head(&l->queries)) != NULL)
        end_query(l, ADIT_CONTAINER_OF(n, struct adit_query_job, link), hangs);
    while ((n = adit_list_pop_head(&l->told)) != NULL)
        free_job(ADIT_CONTAINER_OF(n, struct adit_job, link));
    give_up(l, l->flying, hangs);
    give_up(l, l->pending, hangs);
    if (l->asking != NULL)
        orphan(&l->asking->job);
    if (l->asked != NULL)
        orphan(&l->asked->job);
    if (l->marks != NULL)
        orphan(&l->marks->job);
    adit_metric_set(l->metrics, ADIT_M_LEDGER_PENDING, 0);
    if (!hangs) /* the clerk is a part of it */
        ADIT_FREE(l->mem, l);
}

/* ---- told and asked ---------------------------------------------------------------- */

/* Something does not fit: say so once. */
static void
lose(struct adit_ledger *l, enum adit_metric what, uint64_t n)
{
    struct adit_log_line line;

    adit_metric_add(l->metrics, what, n);
    if (l->is_losing)
        return;
    l->is_losing = true;
    if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_ERROR,
                      "ledger.losing")) {
        adit_log_u64(&line, "pending", n_pending(l));
        adit_log_str(&line, "why",
                     l->state.why[0] != '\0' ? l->state.why
                                             : "too much at a time");
        adit_log_close(&line);
    }
}

/* After something was added. */
static void
look(struct adit_ledger *l, int64_t now_unix_s)
{
    if (l->is_closed)
        return;
    if (adit_day_begin(now_unix_s) != l->day_unix_s ||
        !adit_timer_is_set(&l->tick) ||
        (adit_batch_is_large(&l->pending->batch) && l->flying == NULL))
        adit_task_post(l->w, &l->hurry);
}

void
adit_ledger_add(struct adit_ledger *l, const struct adit_peerid *peer,
                const struct adit_ledger_gains *g)
{
    int64_t now = adit_worker_unix_s(l->w);

    if (l->is_closed ||
        !adit_batch_add(&l->pending->batch, peer, now, l->day_unix_s, g))
        lose(l, ADIT_M_LEDGER_LOST_BYTES, g->sent_bytes + g->received_bytes);
    look(l, now);
}

void
adit_ledger_refused(struct adit_ledger *l, const struct adit_peerid *peer,
                    enum adit_rule rule)
{
    int64_t now = adit_worker_unix_s(l->w);

    if (l->is_closed || !adit_batch_refused(&l->pending->batch, peer, now,
                                            l->day_unix_s, rule))
        lose(l, ADIT_M_LEDGER_LOST_BYTES, 0);
    look(l, now);
}

void
adit_ledger_record(struct adit_ledger *l, const struct adit_ledger_record *r)
{
    if (!l->keeps_records)
        return;
    if (l->is_closed || !adit_batch_record(&l->pending->batch, r))
        lose(l, ADIT_M_LEDGER_LOST_RECORDS, 1);
    look(l, adit_worker_unix_s(l->w));
}

void
adit_ledger_ask(struct adit_ledger *l, const struct adit_peerid *peer)
{
    struct adit_ask_job *j = l->asking;

    if (l->is_closed)
        return;
    if (j == NULL) {
        j = ADIT_NEW(l->mem, struct adit_ask_job);
        if (j == NULL)
            return;
        j->job.kind = ADIT_JOB_ASK;
        j->job.l = l;
        j->job.home_mem = l->mem;
        l->asking = j;
    }
    if (j->n == ADIT_ASK_MAX_PEERS)
        return;
    j->v[j->n++].peer = *peer;
    adit_task_post(l->w, &l->ask);
}

void
adit_ledger_mark(struct adit_ledger *l, const struct adit_ledger_mark *m)
{
    struct adit_log_line line;
    char text[ADIT_PEERID_TEXT_BYTES];

    if (!l->is_closed && adit_batch_mark(&l->pending->batch, m))
        return;
    if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_ERROR,
                      "ledger.mark_lost")) {
        adit_log_str(&line, "peer", adit_peerid_format(&m->peer, text));
        adit_log_close(&line);
    }
}

adit_err
adit_ledger_query(struct adit_ledger *l, const struct adit_usage_query *query,
                  adit_usage_fn *fn, void *ctx)
{
    struct adit_query_job *q;

    if (l->is_closed)
        return ADIT_ESTATE;
    if (l->n_queries >= ADIT_USAGE_MAX_QUERIES)
        return ADIT_EFULL;
    q = ADIT_NEW(l->mem, struct adit_query_job);
    if (q == NULL)
        return ADIT_ENOMEM;
    adit_mem_init(&q->mem, NULL, SIZE_MAX);
    q->job.kind = ADIT_JOB_QUERY;
    q->job.l = l;
    q->job.home_mem = l->mem;
    q->q = *query;
    if (q->q.max_rows == 0 || q->q.max_rows > ADIT_USAGE_MAX_ROWS)
        q->q.max_rows = ADIT_USAGE_MAX_ROWS;
    q->fn = fn;
    q->ctx = ctx;
    q->deadline = (struct adit_timer){ .fn = query_late, .ctx = q };
    if (adit_timer_set(l->w, &q->deadline,
                       adit_instant_add(adit_worker_now(l->w),
                                        ADIT_USAGE_WAIT_US)) != ADIT_OK) {
        free_job(&q->job);
        return ADIT_ENOMEM;
    }
    collect(l);
    if (!adit_batch_is_empty(&l->pending->batch))
        q->need_seq = l->pending->batch.seq;
    else if (l->flying != NULL)
        q->need_seq = l->flying->batch.seq;
    adit_list_push_tail(&l->queries, &q->link);
    l->n_queries++;
    pump_queries(l);
    return ADIT_OK;
}

void
adit_ledger_forget(struct adit_ledger *l, void *ctx)
{
    ADIT_LIST_EACH(n, tmp, &l->queries)
    {
        struct adit_query_job *q =
            ADIT_CONTAINER_OF(n, struct adit_query_job, link);

        if (q->fn == NULL || q->ctx != ctx)
            continue;
        q->fn = NULL;
        if (!q->job.is_posted && !l->is_closed)
            drop_query(l, q);
    }
}

void
adit_ledger_state(const struct adit_ledger *l, struct adit_ledger_state *out)
{
    *out = l->state;
    out->n_pending = n_pending(l);
}
