/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "ledger/clerk.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

/* While closing, a batch that failed is tried again after this. */
#define CLOSING_RETRY_US (200 * ADIT_MS)

/* Nothing here uses the pool but by mistake. */
#define BUFFER_BYTES 65536

static struct adit_job *
job_of(struct adit_list *n)
{
    return ADIT_CONTAINER_OF(n, struct adit_job, link);
}

/* Nothing, if nobody lives there any more. */
static void
mail_home(struct adit_clerk *d, struct adit_msg *m)
{
    int door = ADIT_DOOR_OPEN;

    if (!atomic_compare_exchange_strong(&d->door, &door, ADIT_DOOR_IN_USE))
        return;
    adit_worker_post(d->home, m);
    atomic_store(&d->door, ADIT_DOOR_OPEN);
}

static void
answer(struct adit_clerk *d, struct adit_job *job, adit_err e, const char *why)
{
    job->e = e;
    snprintf(job->why, sizeof(job->why), "%s", e != ADIT_OK ? why : "");
    if (job->is_mailed)
        return;
    if (e != ADIT_OK && job->kind == ADIT_JOB_BATCH)
        adit_list_push_tail(&d->failed, &job->link);
    job->msg.next = NULL;
    job->msg.fn = job->back;
    mail_home(d, &job->msg);
}

static void
go_on(void *ctx)
{
    struct adit_clerk *d = ctx;
    struct adit_list *n;

    if (d->job != NULL)
        return;
    n = adit_list_pop_head(&d->queue);
    if (n != NULL) {
        d->job = job_of(n);
        d->backend->run(d->store, d->job);
    } else if (d->is_closing) {
        adit_timer_stop(d->w, &d->timer);
        adit_worker_stop(d->w);
    }
}

void
adit_clerk_done(struct adit_clerk *d, adit_err e, const char *why)
{
    struct adit_job *job = d->job;

    adit_assert(job != NULL);
    d->job = NULL;
    if (e != ADIT_OK && d->is_closing && job->kind == ADIT_JOB_BATCH) {
        struct adit_instant now = adit_worker_now(d->w);

        /* The last chance of these sums, so take what time there is. */
        if (!adit_instant_is_due(d->close_by, now)) {
            adit_list_push_head(&d->queue, &job->link);
            snprintf(job->why, sizeof(job->why), "%s", why);
            if (adit_timer_set(d->w, &d->timer,
                               adit_instant_min(
                                   d->close_by,
                                   adit_instant_add(now, CLOSING_RETRY_US))) ==
                ADIT_OK)
                return;
            adit_list_remove(&job->link);
        }
    }
    answer(d, job, e, why);
    adit_task_post(d->w, &d->next);
}

/* Closing: try again, or it took too long. */
static void
on_timer(void *ctx)
{
    struct adit_clerk *d = ctx;
    struct adit_list *n;

    if (adit_instant_is_due(d->close_by, adit_worker_now(d->w))) {
        if (d->job != NULL)
            d->backend->cancel(d->store);
        while ((n = adit_list_pop_head(&d->queue)) != NULL) {
            struct adit_job *job = job_of(n);
            char why[ADIT_LEDGER_WHY_TEXT_BYTES];

            snprintf(why, sizeof(why), "%s",
                     job->why[0] != '\0' ? job->why : "no time was left");
            answer(d, job, ADIT_ETIMEDOUT, why);
        }
    } else {
        /* Armed for a retry; it must bark at the end all the same. */
        if (adit_timer_set(d->w, &d->timer, d->close_by) != ADIT_OK)
            d->close_by = adit_worker_now(d->w);
    }
    adit_task_post(d->w, &d->next);
}

static void
on_quit(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_clerk *d = ADIT_CONTAINER_OF(m, struct adit_clerk, quit);
    struct adit_list *n;

    /* `home` waits for us and reads no mail: what failed before we knew is
     * as much in need of another try. */
    while ((n = adit_list_pop_head(&d->failed)) != NULL) {
        job_of(n)->is_mailed = true;
        adit_list_push_tail(&d->queue, n);
    }
    d->is_closing = true;
    d->close_by = adit_instant_add(adit_worker_now(w), ADIT_CLERK_CLOSE_US);
    if (adit_timer_set(w, &d->timer, d->close_by) != ADIT_OK)
        d->close_by = adit_worker_now(w);
    adit_task_post(w, &d->next);
}

static void
on_job(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_job *job = ADIT_CONTAINER_OF(m, struct adit_job, msg);
    struct adit_clerk *d = job->clerk;

    adit_list_remove(&job->link); /* it has failed before */
    adit_list_push_tail(&d->queue, &job->link);
    adit_task_post(w, &d->next);
}

static void *
run(void *arg)
{
    struct adit_clerk *d = arg;

    /* By itself: the name of another is a file, which may be out of reach. */
    pthread_setname_np(pthread_self(), "adit-ledger");
    adit_worker_run(d->w);
    d->backend->close(d->store);
    adit_mailbox_post(&d->ended, &d->bye);
    return NULL;
}

static bool
begin_thread(struct adit_clerk *d)
{
    sigset_t all, old;
    int failed;

    /*
     * Signals are the program's affair and go to its threads (hiredis would
     * raise SIGPIPE, a file at its limit SIGXFSZ: blocked here, the calls
     * fail); those that a fault of this very thread raises cannot go
     * elsewhere.
     */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&d->thread, NULL, run, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed == 0;
}

adit_err
adit_clerk_open(struct adit_clerk *d, struct adit_worker *home,
                const struct adit_backend *backend,
                const struct adit_ledger_config *cfg,
                const uint8_t instance[static 16],
                char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    struct adit_worker_config wc = {
        .kind = ADIT_WORKER_OWN,
        .mem = &d->mem,
        .rng = adit_rng_system(),
        .buffer_bytes = BUFFER_BYTES,
    };
    adit_err e;

    *d = (struct adit_clerk){
        .home = home,
        .backend = backend,
        .hang_us = cfg->hang_us > 0 ? cfg->hang_us : ADIT_CLERK_HANG_US,
    };
    adit_mem_init(&d->mem, NULL, SIZE_MAX);
    adit_list_init(&d->queue);
    adit_list_init(&d->failed);
    d->next = (struct adit_task){ .fn = go_on, .ctx = d };
    d->timer.fn = on_timer;
    d->timer.ctx = d;
    d->quit.fn = on_quit;
    snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
             "no event loop could be made for the ledger");
    e = adit_mailbox_init(&d->ended, true);
    if (e != ADIT_OK)
        return e;
    e = adit_worker_new(&wc, &d->w);
    if (e != ADIT_OK) {
        adit_mailbox_fini(&d->ended);
        return e;
    }
    e = backend->open(d, cfg, instance, &d->store, why);
    if (e == ADIT_OK && !begin_thread(d)) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
                 "no thread could be made for the ledger");
        backend->close(d->store);
        e = ADIT_EIO;
    }
    if (e != ADIT_OK) {
        adit_worker_free(d->w);
        adit_mailbox_fini(&d->ended);
    }
    return e;
}

/* Real time: `home` may be run by hand. */
static int64_t
real_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * ADIT_S + t.tv_nsec / 1000;
}

/* False: `hang_us` passed. */
static bool
wait_ended(struct adit_clerk *d)
{
    struct pollfd p = { .fd = d->ended.fd, .events = POLLIN };
    int64_t end_us = real_us() + d->hang_us;
    int64_t left_us;

    while ((left_us = end_us - real_us()) > 0) {
        int n = poll(&p, 1, (int)(left_us / ADIT_MS + 1));

        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
    return false;
}

bool
adit_clerk_close(struct adit_clerk *d)
{
    int door = ADIT_DOOR_OPEN;

    atomic_store(&d->is_quitting, true);
    adit_worker_post(d->w, &d->quit);
    if (!wait_ended(d)) {
        pthread_detach(d->thread);
        /* It is in use for as long as posting a message takes. */
        while (
            !atomic_compare_exchange_strong(&d->door, &door, ADIT_DOOR_SHUT)) {
            door = ADIT_DOOR_OPEN;
            sched_yield();
        }
        return false;
    }
    pthread_join(d->thread, NULL);
    (void)adit_mailbox_take(&d->ended);
    adit_mailbox_fini(&d->ended);
    adit_worker_free(d->w);
    adit_assert(d->mem.used_bytes == 0);
    return true;
}

void
adit_clerk_post(struct adit_clerk *d, struct adit_job *job,
                void (*fn)(struct adit_worker *w, struct adit_msg *m))
{
    job->clerk = d;
    job->is_posted = true;
    job->back = fn;
    job->e = ADIT_OK;
    job->why[0] = '\0';
    job->msg.next = NULL;
    job->msg.fn = on_job;
    adit_worker_post(d->w, &job->msg);
}

/* ---- for the stores ----------------------------------------------------- */

struct adit_usage_row *
adit_query_row(struct adit_query_job *q)
{
    if (q->n >= q->q.max_rows)
        return NULL;
    if (q->n == q->cap) {
        size_t cap = ADIT_MIN(ADIT_MAX(2 * q->cap, 64), q->q.max_rows);
        struct adit_usage_row *v = adit_mem_resize(
            &q->mem, q->rows, q->cap * sizeof(*v), cap * sizeof(*v));

        q->lacks_memory = v == NULL;
        if (v == NULL)
            return NULL;
        q->rows = v;
        q->cap = cap;
    }
    return &q->rows[q->n++];
}

struct adit_ledger_mark *
adit_marks_add(struct adit_marks_job *j)
{
    if (j->n >= ADIT_MARKS_MAX)
        return NULL;
    if (j->n == j->cap) {
        size_t cap = ADIT_MAX(2 * j->cap, 64);
        struct adit_ledger_mark *v = adit_mem_resize(
            &j->mem, j->v, j->cap * sizeof(*v), cap * sizeof(*v));

        j->lacks_memory = v == NULL;
        if (v == NULL)
            return NULL;
        j->v = v;
        j->cap = cap;
    }
    return &j->v[j->n++];
}

enum adit_rule
adit_rule_of_name(const char *name, size_t n)
{
    for (unsigned i = 1; i < ADIT_N_RULES; i++)
        if (adit_slice_eq(adit_slice_str(adit_rule_name(i)),
                          adit_slice(name, n)))
            return i;
    return ADIT_RULE_NONE;
}
