/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/front.h"
#include "embed/info.h"
#include "embed/inner.h"
#include "host/rules.h"
#include "metrics/expo.h"

#include <signal.h>

/* ---- the two queues ----------------------------------------------------------- */

void
adit_front_post(adit_node *n, struct adit_msg *m,
                void (*fn)(struct adit_worker *w, struct adit_msg *m))
{
    m->fn = fn;
    m->next = NULL;
    if (n->back.w != NULL) {
        adit_worker_post(n->back.w, m);
        return;
    }
    *n->early_tail = m;
    n->early_tail = &m->next;
}

void
adit_front_note(adit_node *n, struct adit_note *note,
                void (*fn)(adit_node *n, struct adit_note *note))
{
    note->fn = fn;
    switch (n->state) {
    case ADIT_FRONT_NEW: /* freed before it ran */
        fn(n, note);
        break;
    case ADIT_FRONT_STARTED:
        adit_mailbox_post(&n->outbox, &note->msg);
        break;
    case ADIT_FRONT_ATTACHED:
        adit_mailbox_post(&n->outbox, &note->msg);
        if (!n->is_deaf)
            adit_task_post(n->back.w, &n->task);
        break;
    }
}

static void
run_notes(adit_node *n)
{
    struct adit_msg *m = adit_mailbox_take(&n->outbox);

    while (m != NULL) {
        struct adit_note *note = ADIT_CONTAINER_OF(m, struct adit_note, msg);

        m = m->next; /* fn owns it */
        note->fn(n, note);
    }
}

/* ---- made and freed ------------------------------------------------------------ */

adit_err
adit_node_new(adit_config *cfg, const adit_key *key,
              const struct adit_events *ev, adit_node **out)
{
    char why[ADIT_NODE_WHY_BYTES];
    adit_node *n;

    cfg->why[0] = '\0';
    if (adit_node_check(&cfg->cfg, why) != ADIT_OK) {
        snprintf(cfg->why, sizeof(cfg->why), "%s", why);
        return ADIT_EINVAL;
    }
    n = ADIT_CROSS_NEW(struct adit_node_handle);
    if (n == NULL)
        return ADIT_ENOMEM;
    n->config = *cfg;
    n->id = key->id;
    if (ev != NULL) {
        n->ev.ctx = ev->ctx;
        adit_copy_sized(&n->ev, ev->size, ev, sizeof(n->ev));
    }
    adit_list_init(&n->streams);
    n->early_tail = &n->early;
    n->back.front = n;
    *out = n;
    return ADIT_OK;
}

static void
free_streams(adit_node *n)
{
    while (!adit_list_is_empty(&n->streams))
        adit_front_stream_free(ADIT_CONTAINER_OF(
            n->streams.next, struct adit_stream_handle, link));
}

/* What was asked for before it ran, and it never will. */
static void
drop_early(adit_node *n)
{
    struct adit_msg *m = n->early;

    n->back.is_closed = true;
    while (m != NULL) {
        struct adit_msg *next = m->next;

        m->fn(NULL, m);
        m = next;
    }
}

static void
finish(void *ctx)
{
    adit_node *n = ctx;

    switch (n->state) {
    case ADIT_FRONT_NEW:
        drop_early(n);
        break;
    case ADIT_FRONT_STARTED:
        if (n->has_thread) {
            adit_worker_post(n->back.w, &n->back.quit);
            pthread_join(n->thread, NULL);
        }
        break;
    case ADIT_FRONT_ATTACHED:
        adit_task_cancel(&n->task);
        adit_worker_settle(n->back.w); /* what was written goes out first */
        break;
    }
    if (n->state != ADIT_FRONT_NEW) {
        adit_back_close(&n->back); /* unless the thread did */
        adit_back_free(&n->back);
        run_notes(n);
        adit_mailbox_fini(&n->outbox);
    }
    free_streams(n);
    adit_identity_fini(&n->id);
    ADIT_CROSS_FREE(n);
}

void
adit_node_free(adit_node *n)
{
    if (n == NULL)
        return;
    n->is_deaf = true;
    if (n->is_dispatching)
        n->is_doomed = true;
    else
        finish(n);
}

static void
dispatch(adit_node *n)
{
    if (n->is_dispatching || n->state == ADIT_FRONT_NEW)
        return;
    n->is_dispatching = true;
    run_notes(n);
    n->is_dispatching = false;
    if (!n->is_doomed)
        return;
    if (n->state == ADIT_FRONT_ATTACHED)
        adit_worker_leave(n->back.w, finish, n);
    else
        finish(n);
}

void
adit_node_dispatch(adit_node *n)
{
    dispatch(n);
}

static void
on_task(void *ctx)
{
    dispatch(ctx);
}

/* ---- running --------------------------------------------------------------------- */

struct failed_note {
    struct adit_note note;
};

static void
note_failed(adit_node *n, struct adit_note *note)
{
    ADIT_CROSS_FREE(ADIT_CONTAINER_OF(note, struct failed_note, note));
    if (!n->is_deaf && n->ev.on_failed != NULL)
        n->ev.on_failed(n->ev.ctx, n, ADIT_EIO, "the event loop failed");
}

static void *
run(void *arg)
{
    adit_node *n = arg;

    /* From within: from without it takes a file below /proc. */
    pthread_setname_np(pthread_self(), "adit");
    adit_worker_run(n->back.w);
    if (!n->back.is_closed) { /* nobody told it to stop */
        struct failed_note *f = ADIT_CROSS_NEW(struct failed_note);

        adit_back_close(&n->back);
        if (f != NULL)
            adit_front_note(n, &f->note, note_failed);
    }
    return NULL;
}

static adit_err
begin_thread(adit_node *n)
{
    sigset_t all, old;
    int failed;

    /*
     * Signals are the program's affair and go to its threads; those that a
     * fault of this very thread raises cannot go elsewhere.
     */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&n->thread, NULL, run, n);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        snprintf(n->why, sizeof(n->why), "no thread could be made");
        return ADIT_EIO;
    }
    n->has_thread = true;
    return ADIT_OK;
}

/* From here on there is a worker: hand it what was asked for before. */
static void
post_early(adit_node *n)
{
    struct adit_msg *m = n->early;

    n->early = NULL;
    n->early_tail = &n->early;
    while (m != NULL) {
        struct adit_msg *next = m->next;

        adit_worker_post(n->back.w, m);
        m = next;
    }
}

static adit_err
begin(adit_node *n, enum adit_front_state state, struct event_base *lent)
{
    struct adit_note *ready;
    adit_err e;

    if (n->state != ADIT_FRONT_NEW) {
        snprintf(n->why, sizeof(n->why), "it runs already");
        return ADIT_ESTATE;
    }
    e = adit_mailbox_init(&n->outbox, state == ADIT_FRONT_STARTED);
    if (e != ADIT_OK) {
        snprintf(n->why, sizeof(n->why), "no descriptor is left");
        return e;
    }
    e = adit_back_start(&n->back, n, &n->config, &n->id, &n->metrics, lent,
                        n->why);
    if (e != ADIT_OK) {
        adit_mailbox_fini(&n->outbox);
        return e;
    }
    n->back.quit.fn = adit_back_quit;
    n->task = (struct adit_task){ .fn = on_task, .ctx = n };
    n->state = state;
    n->why[0] = '\0';
    ready = adit_ready_note_new(n->back.node, &n->id.id);
    if (ready != NULL) /* else nobody hears that it serves */
        adit_front_note(n, ready, adit_info_on_ready);
    post_early(n);
    /* Without its thread it can only be freed. */
    return state == ADIT_FRONT_STARTED ? begin_thread(n) : ADIT_OK;
}

adit_err
adit_node_start(adit_node *n)
{
    return begin(n, ADIT_FRONT_STARTED, NULL);
}

adit_err
adit_node_attach(adit_node *n, struct event_base *base)
{
    return base != NULL ? begin(n, ADIT_FRONT_ATTACHED, base) : ADIT_EINVAL;
}

adit_err
adit_node_reconfigure(adit_node *n, adit_config *cfg)
{
    struct adit_rules *rules = NULL;
    struct adit_change_cmd *c;
    char why[ADIT_NODE_WHY_BYTES];
    adit_err e;

    cfg->why[0] = '\0';
    if (n->state == ADIT_FRONT_NEW)
        return ADIT_ESTATE;
    e = adit_node_check(&cfg->cfg, why);
    if (e == ADIT_OK && n->config.cfg.relay_enabled)
        e = adit_rules_new(&cfg->cfg, &rules, why);
    if (e != ADIT_OK) {
        snprintf(cfg->why, sizeof(cfg->why), "%s", why);
        return e == ADIT_ENOMEM ? e : ADIT_EINVAL;
    }
    c = ADIT_CROSS_NEW(struct adit_change_cmd);
    if (c == NULL) {
        adit_rules_free(rules);
        return ADIT_ENOMEM;
    }
    c->b = &n->back;
    c->cfg = cfg->cfg;
    c->rules = rules;
    c->level = cfg->level;
    adit_front_post(n, &c->msg, adit_back_change);
    return ADIT_OK;
}

void
adit_node_set_annex(adit_node *n, const struct adit_annex *a)
{
    adit_assert(n->state == ADIT_FRONT_NEW);
    n->back.annex = *a;
}

const struct adit_metrics *
adit_node_cells(const adit_node *n)
{
    return &n->metrics;
}

int
adit_node_fd(const adit_node *n)
{
    return n->state == ADIT_FRONT_STARTED ? n->outbox.fd : -1;
}

const char *
adit_node_why(const adit_node *n)
{
    return n->why;
}

void
adit_node_peer_id(const adit_node *n, char out[ADIT_PEER_ID_BYTES])
{
    adit_peerid_format(&n->id.id, out);
}

size_t
adit_node_metrics(const adit_node *n, char *out, size_t cap)
{
    const struct adit_metrics *cells[] = { &n->metrics };

    return adit_expo_format(cells, 1, out, cap);
}
