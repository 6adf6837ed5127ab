/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/daemon.h"

#include "embed/inner.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* How often the service manager is told how we are, watchdog or not. */
#define STATUS_US INT64_C(10000000)

/* ---- events of the node ------------------------------------------------------- */

static void
on_ready(void *ctx, adit_node *n, const char *const *addrs, size_t n_addrs)
{
    struct adit_daemon *d = ctx;

    (void)n;
    for (size_t i = 0; i < n_addrs; i++) {
        struct adit_log_line l;

        if (!adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.ready"))
            break;
        adit_log_str(&l, "addr", addrs[i]);
        adit_log_close(&l);
    }
    d->is_ready = true;
    adit_notify_send(&d->notify, "READY=1\nSTATUS=Serving as %s", d->peer);
}

static void
on_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    struct adit_daemon *d = ctx;
    struct adit_log_line l;

    (void)n;
    if (adit_log_open(&l, &d->logger.log, ADIT_LOG_ERROR, "node.failed")) {
        adit_log_err(&l, "why", why);
        adit_log_str(&l, "text", text);
        adit_log_close(&l);
    }
    d->is_over = true;
    d->exit_code = ADIT_EXIT_INTERNAL;
}

void
adit_serve_events(struct adit_daemon *d, struct adit_events *ev)
{
    ev->ctx = d;
    ev->on_ready = on_ready;
    ev->on_failed = on_failed;
}

/* ---- tasks of the admin door ---------------------------------------------------- */

struct task {
    struct adit_msg msg;
    enum adit_admin_task what;
    uint64_t token;
};

void
adit_serve_on_task(void *ctx, enum adit_admin_task what, uint64_t token)
{
    struct adit_daemon *d = ctx;
    struct task *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        adit_admin_answer(d->admin, token, ADIT_ENOMEM, "out of memory");
        return;
    }
    t->what = what;
    t->token = token;
    adit_mailbox_post(&d->tasks, &t->msg);
}

/* Told to the service manager, whoever asked. */
static adit_err
reload(struct adit_daemon *d, char **json, char why[ADIT_RELOAD_WHY_BYTES])
{
    adit_err e;

    adit_notify_reloading(&d->notify);
    e = adit_reload(d, json, why);
    if (e == ADIT_OK)
        adit_notify_send(&d->notify, "READY=1\nSTATUS=Reloaded");
    else
        adit_notify_send(&d->notify, "READY=1\nSTATUS=Not reloaded: %s", why);
    return e;
}

static void
answer(struct adit_daemon *d, const struct task *t)
{
    char why[ADIT_RELOAD_WHY_BYTES] = "out of memory";
    char *json = NULL;
    adit_err e = ADIT_OK;

    switch (t->what) {
    case ADIT_ADMIN_RELOAD:
        e = reload(d, &json, why);
        break;
    case ADIT_ADMIN_CONFIG:
        json = adit_reload_show(d);
        e = json != NULL ? ADIT_OK : ADIT_ENOMEM;
        break;
    }
    adit_admin_answer(d->admin, t->token, e, e == ADIT_OK ? json : why);
    free(json);
}

static void
run_tasks(struct adit_daemon *d, bool is_heard)
{
    struct adit_msg *m = adit_mailbox_take(&d->tasks);

    while (m != NULL) {
        struct task *t = ADIT_CONTAINER_OF(m, struct task, msg);

        m = m->next;
        if (is_heard)
            answer(d, t);
        free(t);
    }
}

void
adit_serve_drop_tasks(struct adit_daemon *d)
{
    run_tasks(d, false);
}

/* ---- signals -------------------------------------------------------------------- */

static void
on_signal(struct adit_daemon *d)
{
    struct signalfd_siginfo si;
    struct adit_log_line l;

    while (read(d->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo == SIGHUP) {
            char why[ADIT_RELOAD_WHY_BYTES];
            char *json = NULL;

            if (reload(d, &json, why) == ADIT_OK)
                free(json);
            continue;
        }
        if (adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.stop")) {
            adit_log_str(&l, "signal",
                         si.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
            adit_log_close(&l);
        }
        d->is_over = true;
    }
}

/* ---- telling that we live ---------------------------------------------------------- */

/* The worker turned, and so do we. */
static void
on_pulse(void *ctx)
{
    struct adit_daemon *d = ctx;

    if (d->notify.watchdog_us > 0)
        adit_notify_send(&d->notify, "WATCHDOG=1");
}

static void
tell_status(struct adit_daemon *d)
{
    const struct adit_metrics *m = adit_node_cells(d->node);

    if (d->is_ready)
        adit_notify_send(
            &d->notify,
            "STATUS=%" PRIu64 " connections, %" PRIu64
            " reservations, %" PRIu64 " circuits%s",
            adit_metric_get(m, ADIT_M_CONNS), adit_metric_get(m, ADIT_M_RSVP),
            adit_metric_get(m, ADIT_M_CIRCUITS),
            adit_metric_get(m, ADIT_M_DRAINING) > 0 ? "; draining" : "");
}

/* CLOCK_MONOTONIC, as the service manager counts. */
static int64_t
monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct beats {
    int64_t every_us; /* of the watchdog; 0: nobody asks */
    int64_t pulse_at_us, status_at_us;
};

/* Do what is due; the milliseconds until the next, -1: for ever. */
static int
beat(struct adit_daemon *d, struct beats *b)
{
    int64_t now = monotonic_us(), next;

    if (d->notify.fd < 0)
        return -1;
    if (b->every_us > 0 && now >= b->pulse_at_us) {
        adit_pulse_send(&d->pulse);
        b->pulse_at_us = now + b->every_us;
    }
    if (now >= b->status_at_us) {
        tell_status(d);
        b->status_at_us = now + STATUS_US;
    }
    next = b->status_at_us;
    if (b->every_us > 0)
        next = ADIT_MIN(next, b->pulse_at_us);
    return (int)ADIT_MIN((next - now) / 1000 + 1, (int64_t)INT_MAX);
}

void
adit_serve(struct adit_daemon *d)
{
    struct pollfd p[] = {
        { .fd = d->signal_fd, .events = POLLIN },
        { .fd = adit_node_fd(d->node), .events = POLLIN },
        { .fd = d->tasks.fd, .events = POLLIN },
    };
    struct beats b = { .every_us = d->notify.watchdog_us / 2 };

    d->pulse =
        (struct adit_pulse){ .node = d->node, .fn = on_pulse, .ctx = d };
    while (!d->is_over) {
        if (poll(p, ADIT_NITEMS(p), beat(d, &b)) < 0 && errno != EINTR) {
            on_failed(d, d->node, ADIT_EIO, strerror(errno));
            return;
        }
        if (p[0].revents != 0)
            on_signal(d);
        if (!d->is_over)
            adit_node_dispatch(d->node);
        if (!d->is_over)
            run_tasks(d, true);
    }
    adit_notify_send(&d->notify, "STOPPING=1\nSTATUS=Ending");
}
