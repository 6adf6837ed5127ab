/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/back.h"

#include "embed/front.h"
#include "embed/info.h"
#include "host/circuit.h"
#include "host/rules.h"

/* How often what is left of limited connections is looked at. */
#define LIMIT_US (1 * ADIT_S)

/* When the end of a limit is near: also a fifth of its bytes. */
#define NEAR_MS 10000

/*
 * At the end, what was written may still leave: this long, looked at so
 * often.  "Well under a second" is what the API says.
 */
#define QUIT_US (500 * ADIT_MS)
#define QUIT_STEP_US (5 * ADIT_MS)

/* ---- names -------------------------------------------------------------------- */

struct name {
    struct adit_list link;
    size_t n;
    char text[];
};

/*
 * A stream that is closed while its protocol is being agreed goes on using
 * the name after its user is gone, so names stay.  There are as many as the
 * program uses.
 */
const char *
adit_back_name(struct adit_back *b, const char *text)
{
    size_t n = strlen(text) + 1;
    struct name *v;

    ADIT_LIST_EACH(l, tmp, &b->names)
    {
        v = ADIT_CONTAINER_OF(l, struct name, link);
        if (v->n == n && memcmp(v->text, text, n) == 0)
            return v->text;
    }
    v = adit_mem_alloc(&b->mem, sizeof(*v) + n);
    if (v == NULL)
        return NULL;
    v->n = n;
    memcpy(v->text, text, n);
    adit_list_push_tail(&b->names, &v->link);
    return v->text;
}

/* ---- limits --------------------------------------------------------------------- */

/* A limited connection. */
struct limited {
    struct adit_list link;
    struct adit_hconn *hc;
    bool is_told;
};

static bool
is_near(const struct adit_hconn *hc)
{
    uint64_t cap = hc->circuit->limit.data_bytes;
    struct adit_left l = adit_left_of(hc);

    return l.ms <= NEAR_MS ||
           (cap != 0 && (l.out_bytes <= cap / 5 || l.in_bytes <= cap / 5));
}

static void
check_limit(struct adit_back *b, struct limited *v)
{
    struct adit_conn_note *c;

    if (v->is_told || !is_near(v->hc))
        return;
    v->is_told = true;
    c = b->tells_limit ? adit_conn_note_new(v->hc) : NULL;
    if (c != NULL)
        adit_front_note(b->front, &c->note, adit_info_on_limit_near);
}

void
adit_back_check_limit(struct adit_back *b, struct adit_hconn *hc)
{
    if (!hc->is_limited)
        return;
    ADIT_LIST_EACH(l, tmp, &b->limited)
    {
        struct limited *v = ADIT_CONTAINER_OF(l, struct limited, link);

        if (v->hc == hc)
            check_limit(b, v);
    }
}

static void
arm_limits(struct adit_back *b)
{
    /* Where there is no memory for a timer there is no warning either. */
    if (adit_timer_set(b->w, &b->limit_timer,
                       adit_instant_add(adit_worker_now(b->w), LIMIT_US)) !=
        ADIT_OK)
        adit_timer_stop(b->w, &b->limit_timer);
}

static void
on_limits(void *ctx)
{
    struct adit_back *b = ctx;

    ADIT_LIST_EACH(l, tmp, &b->limited)
    {
        struct limited *v = ADIT_CONTAINER_OF(l, struct limited, link);

        check_limit(b, v);
        adit_bstream_tell_left(b, v->hc);
    }
    if (!adit_list_is_empty(&b->limited))
        arm_limits(b);
}

static void
add_limited(struct adit_back *b, struct adit_hconn *hc)
{
    struct limited *v;

    if (!hc->is_limited || hc->circuit == NULL)
        return;
    v = ADIT_NEW(&b->mem, struct limited);
    if (v == NULL)
        return; /* no warning */
    v->hc = hc;
    adit_list_push_tail(&b->limited, &v->link);
    if (!adit_timer_is_set(&b->limit_timer))
        arm_limits(b);
    check_limit(b, v);
}

static void
remove_limited(struct adit_back *b, const struct adit_hconn *hc)
{
    ADIT_LIST_EACH(l, tmp, &b->limited)
    {
        struct limited *v = ADIT_CONTAINER_OF(l, struct limited, link);

        if (v->hc != hc)
            continue;
        adit_list_remove(&v->link);
        ADIT_FREE(&b->mem, v);
    }
}

/* ---- what the host reports --------------------------------------------------------- */

static void
on_conn(void *ctx, struct adit_hconn *hc)
{
    struct adit_back *b = ctx;
    struct adit_conn_note *c = b->tells_conn ? adit_conn_note_new(hc) : NULL;

    if (c != NULL)
        adit_front_note(b->front, &c->note, adit_info_on_conn);
    add_limited(b, hc);
}

static void
on_conn_end(void *ctx, struct adit_hconn *hc, adit_err why, const char *text)
{
    struct adit_back *b = ctx;
    struct adit_conn_note *c = NULL;

    remove_limited(b, hc);
    if (b->tells_conn_end && hc->peer != NULL)
        c = adit_conn_note_new(hc);
    if (c == NULL)
        return;
    c->err = why;
    snprintf(c->text, sizeof(c->text), "%s",
             text != NULL ? text : adit_err_text(why));
    adit_front_note(b->front, &c->note, adit_info_on_conn_end);
}

static void
on_identify(void *ctx, struct adit_hconn *hc,
            const struct adit_identify_result *r)
{
    struct adit_back *b = ctx;
    struct adit_note *note = b->tells_peer ? adit_peer_note_new(hc, r) : NULL;

    if (note != NULL)
        adit_front_note(b->front, note, adit_info_on_peer);
}

static const struct adit_host_events watch_events = {
    .on_conn = on_conn,
    .on_conn_end = on_conn_end,
    .on_identify = on_identify,
};

/* ---- begin and end ------------------------------------------------------------------ */

static void
sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    const struct adit_config_handle *cfg = ctx;

    (void)n;
    cfg->sink(cfg->sink_ctx, (enum adit_level)level, line);
}

static void
init(struct adit_back *b, adit_node *front,
     const struct adit_config_handle *cfg)
{
    *b = (struct adit_back){
        .front = front,
        .annex = b->annex,
        .tells_conn = front->ev.on_conn != NULL,
        .tells_conn_end = front->ev.on_conn_end != NULL,
        .tells_peer = front->ev.on_peer != NULL,
        .tells_limit = front->ev.on_limit_near != NULL,
    };
    if (cfg->sink != NULL)
        b->log = (struct adit_log){ (enum adit_log_level)cfg->level, sink,
                                    (void *)(uintptr_t)cfg };
    adit_mem_init(&b->mem, NULL, SIZE_MAX);
    adit_list_init(&b->streams);
    adit_list_init(&b->pings);
    adit_list_init(&b->reserves);
    adit_list_init(&b->handlers);
    adit_list_init(&b->names);
    adit_list_init(&b->limited);
    b->limit_timer = (struct adit_timer){ .fn = on_limits, .ctx = b };
    b->watch.ev = &watch_events;
    b->watch.ctx = b;
}

adit_err
adit_back_start(struct adit_back *b, adit_node *front,
                const struct adit_config_handle *cfg,
                const struct adit_identity *id, struct adit_metrics *metrics,
                struct event_base *lent, char *why)
{
    struct adit_worker_config wc = {
        .kind = lent != NULL ? ADIT_WORKER_LENT : ADIT_WORKER_OWN,
        .lent = lent,
        .mem = &b->mem,
        .log = &b->log,
        .rng = adit_rng_system(),
        .buffer_bytes = (size_t)cfg->cfg.buffer_bytes,
        .coalesce = cfg->cfg.coalesce,
    };
    adit_err e;

    init(b, front, cfg);
    e = adit_worker_new(&wc, &b->w);
    if (e != ADIT_OK) {
        snprintf(why, ADIT_NODE_WHY_BYTES, "%s",
                 e == ADIT_EIO ? "no descriptors for an event loop"
                               : adit_err_text(e));
        return e;
    }
    e = adit_node_make(b->w, &cfg->cfg, id, metrics, NULL, &b->node, why);
    if (e == ADIT_OK && b->annex.open != NULL) {
        e = b->annex.open(b->annex.ctx, b->node, why);
        b->has_annex = e == ADIT_OK;
        if (e != ADIT_OK) {
            adit_node_close(b->node);
            adit_worker_settle(b->w);
            adit_node_destroy(b->node);
        }
    }
    if (e != ADIT_OK) {
        adit_worker_settle(b->w);
        adit_worker_free(b->w);
        b->w = NULL;
        return e;
    }
    b->host = adit_node_host(b->node);
    adit_host_watch(b->host, &b->watch);
    return ADIT_OK;
}

void
adit_back_close(struct adit_back *b)
{
    if (b->is_closed)
        return;
    b->is_closed = true;
    b->host->is_closing = true; /* nothing new begins */
    adit_timer_stop(b->w, &b->limit_timer);
    adit_timer_stop(b->w, &b->quit_timer);
    if (b->has_annex)
        b->annex.close(b->annex.ctx);
    adit_bstream_close_all(b);
    adit_back_close_dials(b);
    adit_node_close(b->node); /* its connections end, and are not told */
    adit_host_unwatch(&b->watch);
    while (!adit_list_is_empty(&b->limited))
        remove_limited(
            b, ADIT_CONTAINER_OF(b->limited.next, struct limited, link)->hc);
}

void
adit_back_change(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_change_cmd *c =
        ADIT_CONTAINER_OF(m, struct adit_change_cmd, msg);
    struct adit_log_line l;
    adit_err e = ADIT_ESTATE;

    if (w != NULL && !c->b->is_closed)
        e = adit_node_change(c->b->node, &c->cfg, c->rules);
    if (e == ADIT_OK)
        c->b->log.level = (enum adit_log_level)c->level;
    else
        adit_rules_free(c->rules);
    if (w != NULL && e != ADIT_OK && e != ADIT_ESTATE &&
        adit_log_open(&l, &c->b->log, ADIT_LOG_ERROR, "config.failed")) {
        adit_log_err(&l, "why", e);
        adit_log_close(&l);
    }
    ADIT_CROSS_FREE(c);
}

/* Nothing of what was written is still here. */
static bool
is_flushed(const struct adit_back *b)
{
    if (adit_bstream_any_leaving(b))
        return false;
    /* A relay of many has always someone who does not read. */
    if (adit_node_relay(b->node) != NULL)
        return true;
    ADIT_LIST_EACH(l, tmp, &b->host->hconns)
    {
        const struct adit_hconn *hc =
            ADIT_CONTAINER_OF(l, const struct adit_hconn, link);

        /* What the muxer has yet to say is perhaps a stream's FIN. */
        if (hc->conn->is_ready &&
            (hc->conn->out.n_bytes > 0 || adit_yamux_has_out(&hc->conn->mux)))
            return false;
    }
    return true;
}

static void
on_quit(void *ctx)
{
    struct adit_back *b = ctx;
    struct adit_instant now = adit_worker_now(b->w);

    if (!is_flushed(b) && !adit_instant_is_due(b->quit_by, now) &&
        adit_timer_set(b->w, &b->quit_timer,
                       adit_instant_add(now, QUIT_STEP_US)) == ADIT_OK)
        return;
    adit_back_close(b);
    adit_worker_stop(b->w);
}

void
adit_back_quit(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_back *b = ADIT_CONTAINER_OF(m, struct adit_back, quit);

    b->quit_by = adit_instant_add(adit_worker_now(w), QUIT_US);
    b->quit_timer = (struct adit_timer){ .fn = on_quit, .ctx = b };
    /* By the timer, since this turn's writes leave at its end. */
    if (adit_timer_set(w, &b->quit_timer, adit_worker_now(w)) == ADIT_OK)
        return;
    b->quit_by = adit_worker_now(w);
    on_quit(b);
}

void
adit_back_free(struct adit_back *b)
{
    struct adit_list *l;

    if (b->w == NULL)
        return;
    adit_worker_settle(b->w); /* the retired go, and use the node's memory */
    adit_node_destroy(b->node);
    adit_worker_free(b->w);
    b->w = NULL;
    while ((l = adit_list_pop_head(&b->names)) != NULL) {
        struct name *v = ADIT_CONTAINER_OF(l, struct name, link);

        adit_mem_free(&b->mem, v, sizeof(*v) + v->n);
    }
}
