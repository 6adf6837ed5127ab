/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/host.h"

#include "host/bridge.h"
#include "host/circuit.h"
#include "host/svc_identify.h"
#include "policy/asn.h"

/*
 * On a circuit that a relay limits a frame that is cut is lost whole, and a
 * full one is half of the usual limit of 128 KiB.  Bodies are a thirty-second
 * of what the limit is, but no smaller than this, for 1 % of overhead.
 */
#define LIMITED_BODY_MIN_BYTES 4096
#define LIMITED_BODY_PART 32

/* ---- peers ------------------------------------------------------------- */

static bool
peer_eq(const struct adit_map_node *n, struct adit_slice key)
{
    const struct adit_peer *p =
        ADIT_CONTAINER_OF(n, const struct adit_peer, node);

    return adit_slice_eq(adit_peerid_bytes(&p->id), key);
}

struct adit_peer *
adit_host_peer(const struct adit_host *h, const struct adit_peerid *id)
{
    struct adit_map_node *n =
        adit_map_get(&h->peers, adit_peerid_bytes(id), peer_eq);

    return n != NULL ? ADIT_CONTAINER_OF(n, struct adit_peer, node) : NULL;
}

struct adit_hconn *
adit_host_conn_to(const struct adit_host *h, const struct adit_peerid *id,
                  bool or_limited)
{
    struct adit_peer *p = adit_host_peer(h, id);
    struct adit_hconn *limited = NULL;

    if (p == NULL)
        return NULL;
    ADIT_LIST_EACH(n, tmp, &p->hconns)
    {
        struct adit_hconn *hc =
            ADIT_CONTAINER_OF(n, struct adit_hconn, peer_link);

        if (hc->is_over)
            continue;
        if (!hc->is_limited)
            return hc;
        limited = hc;
    }
    return or_limited ? limited : NULL;
}

struct adit_hconn *
adit_host_direct_to(const struct adit_host *h, const struct adit_peerid *id)
{
    struct adit_peer *p = adit_host_peer(h, id);

    if (p == NULL)
        return NULL;
    ADIT_LIST_EACH(n, tmp, &p->hconns)
    {
        struct adit_hconn *hc =
            ADIT_CONTAINER_OF(n, struct adit_hconn, peer_link);

        if (hc->circuit == NULL && !hc->is_over)
            return hc;
    }
    return NULL;
}

static adit_err
join_peer(struct adit_hconn *hc)
{
    struct adit_host *h = hc->host;
    struct adit_peer *p = adit_host_peer(h, &hc->conn->peer);

    if (p == NULL) {
        p = ADIT_NEW(h->mem, struct adit_peer);
        if (p == NULL)
            return ADIT_ENOMEM;
        p->id = hc->conn->peer;
        adit_list_init(&p->hconns);
        adit_map_add(&h->peers, adit_peerid_bytes(&p->id), &p->node);
    }
    adit_list_push_tail(&p->hconns, &hc->peer_link);
    hc->peer = p;
    return ADIT_OK;
}

static void
leave_peer(struct adit_hconn *hc)
{
    struct adit_peer *p = hc->peer;

    if (p == NULL)
        return;
    adit_list_remove(&hc->peer_link);
    if (adit_list_is_empty(&p->hconns)) {
        adit_map_remove(&hc->host->peers, &p->node);
        ADIT_FREE(hc->host->mem, p);
    }
}

/* ---- connections ------------------------------------------------------- */

static void
hconn_reap(void *ctx)
{
    struct adit_hconn *hc = ctx;

    ADIT_FREE(hc->host->mem, hc);
}

/* The handshake is over, one way or the other. */
static void
uncount_handshake(struct adit_hconn *hc)
{
    if (!hc->in_handshake)
        return;
    hc->in_handshake = false;
    adit_caps_give(&hc->host->caps, ADIT_CAP_HANDSHAKES, &hc->place);
}

/* Its streams are gone. */
static void
uncount(struct adit_hconn *hc)
{
    uncount_handshake(hc);
    if (hc->is_counted)
        adit_caps_give(&hc->host->caps, ADIT_CAP_CONNS, &hc->place);
    hc->is_counted = false;
    adit_caps_leave(&hc->host->caps, &hc->place);
}

static void
say_refused(struct adit_host *h, const char *peer,
            const struct adit_endpoint *from, const struct adit_refusal *why)
{
    adit_refusal_count_rule(h->metrics, why->rule);
    adit_refusal_say(&h->refusals, h->log, h->metrics,
                     adit_worker_now(h->w).us / (uint64_t)ADIT_S, peer, from,
                     why);
}

void
adit_hconn_refused(const struct adit_hconn *hc, const struct adit_refusal *why)
{
    char id[ADIT_PEERID_TEXT_BYTES];

    say_refused(hc->host, adit_peerid_format(&hc->conn->peer, id), &hc->remote,
                why);
}

static const struct adit_host_events no_events = { 0 };

struct adit_host_watch *
adit_host_watch_next(struct adit_host *h, struct adit_host_watch *mark)
{
    struct adit_list *at =
        adit_list_is_linked(&mark->link) ? mark->link.next : h->watches.next;

    mark->ev = &no_events;
    adit_list_remove(&mark->link);
    if (at == &h->watches)
        return NULL;
    adit_list_push_head(at, &mark->link); /* right behind it */
    return ADIT_CONTAINER_OF(at, struct adit_host_watch, link);
}

static void
on_ready(void *ctx, struct adit_conn *c)
{
    struct adit_hconn *hc = ctx;
    struct adit_host *h = hc->host;
    struct adit_host_watch mark = { 0 }, *w;
    struct adit_refusal why;
    adit_err e = ADIT_OK;

    uncount_handshake(hc);
    if (hc->is_counted)
        e = adit_caps_prove(&h->caps, &hc->place, &c->peer, &why);
    if (e == ADIT_EFULL) {
        adit_hconn_refused(hc, &why);
        adit_conn_close(c, e, "too many connections of this peer");
        return;
    }
    if (e != ADIT_OK || join_peer(hc) != ADIT_OK) {
        adit_conn_close(c, ADIT_ENOMEM, "no memory");
        return;
    }
    adit_hconn_touch(hc);
    if (h->cfg.ask_identify)
        adit_svc_identify_ask(hc);
    while ((w = adit_host_watch_next(h, &mark)) != NULL)
        if (w->ev->on_conn != NULL && !hc->is_over)
            w->ev->on_conn(w->ctx, hc);
}

static void
on_stream(void *ctx, struct adit_conn *c, struct adit_yamux_stream *ys)
{
    struct adit_hconn *hc = ctx;
    struct adit_refusal why = { 0 };

    if (adit_hstream_accept(hc, ys, &why) == ADIT_OK)
        return;
    if (why.rule != ADIT_RULE_NONE)
        adit_hconn_refused(hc, &why);
    adit_metric_add(hc->host->metrics, ADIT_M_STREAMS_REFUSED, 1);
    adit_conn_reset(c, ys, ADIT_YAMUX_RESET_RESOURCE);
    adit_conn_release(c, ys);
}

static void
on_data(void *ctx, struct adit_conn *c, struct adit_yamux_stream *ys,
        struct adit_mslice data)
{
    (void)ctx;
    (void)c;
    if (ys->user != NULL)
        adit_hstream_on_data(ys->user, data);
}

static void
on_fin(void *ctx, struct adit_conn *c, struct adit_yamux_stream *ys)
{
    (void)ctx;
    (void)c;
    if (ys->user != NULL)
        adit_hstream_on_fin(ys->user);
}

static void
on_reset(void *ctx, struct adit_conn *c, struct adit_yamux_stream *ys,
         uint32_t code)
{
    (void)ctx;
    (void)c;
    if (ys->user != NULL)
        adit_hstream_on_end(ys->user, ADIT_ERESET, code);
}

static void
on_room(void *ctx, struct adit_conn *c, struct adit_yamux_stream *ys)
{
    struct adit_hconn *hc = ctx;
    struct adit_list now, *n;

    (void)c;
    if (ys != NULL) {
        if (ys->user != NULL)
            adit_hstream_on_room(ys->user);
        return;
    }
    /* Each at most once: one that still has no room queues anew. */
    adit_list_init(&now);
    while ((n = adit_list_pop_head(&hc->waiting)) != NULL)
        adit_list_push_tail(&now, n);
    while ((n = adit_list_pop_head(&now)) != NULL)
        adit_hstream_on_room(
            ADIT_CONTAINER_OF(n, struct adit_hstream, room_link));
}

static void
on_end(void *ctx, struct adit_conn *c, adit_err why, const char *text)
{
    struct adit_hconn *hc = ctx;
    struct adit_host *h = hc->host;
    struct adit_host_watch mark = { 0 }, *w;
    struct adit_log_line l;

    (void)c;
    hc->is_over = true;
    if (adit_log_open(&l, h->log, ADIT_LOG_DEBUG, "conn.closed")) {
        char id[ADIT_PEERID_TEXT_BYTES], at[ADIT_ENDPOINT_TEXT_BYTES];

        if (hc->peer != NULL)
            adit_log_str(&l, "peer", adit_peerid_format(&hc->peer->id, id));
        adit_log_str(&l, "addr",
                     adit_endpoint_show(&hc->remote, adit_host_shown(h), at));
        adit_log_err(&l, "err", why);
        adit_log_str(&l, "why", text);
        adit_log_close(&l);
    }
    while (!adit_list_is_empty(&hc->streams))
        adit_hstream_on_end(
            ADIT_CONTAINER_OF(hc->streams.next, struct adit_hstream, link),
            why == ADIT_ERESET ? ADIT_EIO : why, 0);
    while ((w = adit_host_watch_next(h, &mark)) != NULL)
        if (w->ev->on_conn_end != NULL)
            w->ev->on_conn_end(w->ctx, hc, why, text);
    uncount(hc);
    leave_peer(hc);
    adit_timer_stop(h->w, &hc->idle);
    adit_list_remove(&hc->link);
    adit_retire(h->w, &hc->retiree, hconn_reap, hc);
}

static const struct adit_conn_up conn_up = {
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_data = on_data,
    .on_fin = on_fin,
    .on_reset = on_reset,
    .on_room = on_room,
    .on_end = on_end,
};

static void
on_idle(void *ctx)
{
    struct adit_hconn *hc = ctx;

    adit_metric_add(hc->host->metrics, ADIT_M_CONN_IDLE, 1);
    adit_conn_close(hc->conn, ADIT_DONE, "idle");
}

void
adit_hconn_touch(struct adit_hconn *hc)
{
    struct adit_host *h = hc->host;
    bool is_idle = hc->is_inbound && hc->n_streams == 0 && hc->n_holds == 0;

    if (hc->is_over || h->cfg.idle_us == 0)
        return;
    if (!is_idle) {
        adit_timer_stop(h->w, &hc->idle);
        return;
    }
    if (adit_timer_set(h->w, &hc->idle,
                       adit_instant_add(adit_worker_now(h->w),
                                        h->cfg.idle_us)) != ADIT_OK)
        adit_conn_doom(hc->conn, "no memory for a timer");
}

void
adit_hconn_hold(struct adit_hconn *hc)
{
    hc->n_holds++;
    adit_hconn_touch(hc);
}

void
adit_hconn_unhold(struct adit_hconn *hc)
{
    adit_assert(hc->n_holds > 0);
    hc->n_holds--;
    adit_hconn_touch(hc);
}

void
adit_hconn_describe(const struct adit_hconn *hc, struct adit_maddr *out)
{
    if (hc->circuit != NULL)
        adit_circuit_describe(hc->circuit, out);
    else
        adit_endpoint_to_maddr(&hc->remote, out);
    if (out->n > 0 && hc->peer != NULL &&
        adit_maddr_push(out, ADIT_MA_P2P, adit_peerid_bytes(&hc->peer->id)) !=
            ADIT_OK)
        out->n = 0;
}

void
adit_hconn_close(struct adit_hconn *hc, adit_err why, const char *text)
{
    if (!hc->is_over)
        adit_conn_close(hc->conn, why, text);
}

/* With `at` it is counted there, as a handshake too; both become its. */
static adit_err
adopt(struct adit_host *h, struct adit_pipe *pipe, bool is_dialer,
      const struct adit_peerid *expect, struct adit_circuit *circuit,
      bool is_limited, const struct adit_place *at, struct adit_hconn **out)
{
    struct adit_hconn *hc = ADIT_NEW(h->mem, struct adit_hconn);
    adit_err e;

    if (hc == NULL) {
        pipe->ops->close(pipe, true);
        return ADIT_ENOMEM;
    }
    hc->host = h;
    hc->id = ++h->last_id;
    hc->is_inbound = !is_dialer;
    hc->circuit = circuit;
    hc->is_limited = is_limited;
    hc->is_counted = hc->in_handshake = at != NULL;
    if (at != NULL)
        hc->place = *at;
    hc->remote = pipe->remote;
    hc->idle = (struct adit_timer){ .fn = on_idle, .ctx = hc };
    adit_list_init(&hc->streams);
    adit_list_init(&hc->waiting);
    e = adit_conn_new(&h->net, pipe, is_dialer, expect, &conn_up, hc,
                      &hc->conn);
    if (e != ADIT_OK) {
        ADIT_FREE(h->mem, hc);
        return e;
    }
    if (is_limited && circuit != NULL && circuit->limit.data_bytes != 0)
        hc->conn->body_max_bytes = (uint32_t)ADIT_MAX(
            ADIT_MIN(circuit->limit.data_bytes / LIMITED_BODY_PART,
                     (uint64_t)ADIT_YAMUX_MAX_BODY_BYTES),
            (uint64_t)LIMITED_BODY_MIN_BYTES);
    adit_list_push_tail(&h->hconns, &hc->link);
    if (out != NULL)
        *out = hc;
    return ADIT_OK;
}

adit_err
adit_host_adopt(struct adit_host *h, struct adit_pipe *pipe, bool is_dialer,
                const struct adit_peerid *expect, struct adit_circuit *circuit,
                bool is_limited, struct adit_hconn **out)
{
    return adopt(h, pipe, is_dialer, expect, circuit, is_limited, NULL, out);
}

/* Count one more connection at `at`, in its handshake. */
static adit_err
count(struct adit_host *h, const struct adit_place *at,
      struct adit_refusal *why)
{
    adit_err e = adit_caps_take(&h->caps, ADIT_CAP_CONNS, at, why);

    if (e != ADIT_OK)
        return e;
    e = adit_caps_take(&h->caps, ADIT_CAP_HANDSHAKES, at, why);
    if (e != ADIT_OK)
        adit_caps_give(&h->caps, ADIT_CAP_CONNS, at);
    return e;
}

void
adit_host_accept(struct adit_host *h, struct adit_pipe *pipe)
{
    struct adit_slice ip = adit_endpoint_ip(&pipe->remote);
    struct adit_place at = { { NULL } };
    struct adit_refusal why;

    if (h->is_closing) {
        pipe->ops->close(pipe, true);
        return;
    }
    if (adit_caps_enter(&h->caps, ip, adit_asn_of(h->asn, ip), &at) !=
        ADIT_OK) {
        adit_refusal_count_rule(h->metrics, ADIT_RULE_BUFFERS);
        pipe->ops->close(pipe, true);
        return;
    }
    if (count(h, &at, &why) != ADIT_OK) {
        say_refused(h, "", &pipe->remote, &why);
        pipe->ops->close(pipe, true);
    } else if (adopt(h, pipe, false, NULL, NULL, false, &at, NULL) ==
               ADIT_OK) {
        return;
    } else {
        adit_caps_give(&h->caps, ADIT_CAP_HANDSHAKES, &at);
        adit_caps_give(&h->caps, ADIT_CAP_CONNS, &at);
    }
    adit_caps_leave(&h->caps, &at);
}

/* ---- services, watchers ------------------------------------------------ */

void
adit_host_serve(struct adit_host *h, struct adit_service *v)
{
    adit_list_push_tail(&h->services, &v->link);
    adit_svc_identify_changed(h);
}

void
adit_host_unserve(struct adit_host *h, struct adit_service *v)
{
    adit_list_remove(&v->link);
    adit_svc_identify_changed(h);
}

const struct adit_service *
adit_host_service(const struct adit_host *h, struct adit_slice name,
                  bool is_limited)
{
    ADIT_LIST_EACH(n, tmp, &((struct adit_host *)h)->services)
    {
        struct adit_service *v =
            ADIT_CONTAINER_OF(n, struct adit_service, link);

        if (adit_slice_eq(adit_slice_str(v->protocol), name))
            return v->on_limited || !is_limited ? v : NULL;
    }
    return NULL;
}

void
adit_host_watch(struct adit_host *h, struct adit_host_watch *w)
{
    adit_list_push_tail(&h->watches, &w->link);
}

void
adit_host_unwatch(struct adit_host_watch *w)
{
    adit_list_remove(&w->link);
}

void
adit_host_set_shown(struct adit_host *h, enum adit_addr_shown how)
{
    h->refusals.shown = how;
}

void
adit_host_set_addrs(struct adit_host *h, const struct adit_maddr *v, size_t n)
{
    n = ADIT_MIN(n, (size_t)ADIT_HOST_MAX_ADDRS);
    for (size_t i = 0; i < n; i++)
        h->addrs[i] = v[i];
    h->n_addrs = n;
    adit_svc_identify_changed(h);
}

/* ---- the host ---------------------------------------------------------- */

static bool
relieve(void *ctx)
{
    return adit_bridge_relieve(ctx);
}

static struct adit_instant
waits_since(void *ctx)
{
    return adit_bridge_waits_since(ctx);
}

adit_err
adit_host_new(const struct adit_host_config *cfg, struct adit_host **out)
{
    struct adit_mem *mem = adit_worker_mem(cfg->w);
    struct adit_host *h = ADIT_NEW(mem, struct adit_host);
    adit_err e;

    if (h == NULL)
        return ADIT_ENOMEM;
    h->w = cfg->w;
    h->mem = mem;
    h->log = adit_worker_log(cfg->w);
    h->identity = cfg->identity;
    h->metrics = cfg->metrics;
    h->cfg = *cfg;
    h->cfg.net.identity = cfg->identity;
    h->cfg.net.metrics = cfg->metrics;
    adit_list_init(&h->hconns);
    adit_list_init(&h->services);
    adit_list_init(&h->watches);
    adit_list_init(&h->stalled);
    adit_pacer_init(&h->pacer, h->w, h->metrics);
    adit_list_init(&h->reserves);
    adit_list_init(&h->connects);
    e = adit_map_init(&h->peers, mem, adit_worker_rng(cfg->w));
    if (e == ADIT_OK)
        e = adit_caps_init(&h->caps, mem, adit_worker_rng(cfg->w), &cfg->caps);
    if (e == ADIT_OK)
        e = adit_net_init(&h->net, cfg->w, &h->cfg.net);
    if (e != ADIT_OK) {
        adit_host_free(h);
        return e;
    }
    h->net.relieve = relieve;
    h->net.waits_since = waits_since;
    h->net.relieve_ctx = h;
    *out = h;
    return ADIT_OK;
}

void
adit_host_close(struct adit_host *h)
{
    h->is_closing = true;
    while (!adit_list_is_empty(&h->hconns))
        adit_conn_close(
            ADIT_CONTAINER_OF(h->hconns.next, struct adit_hconn, link)->conn,
            ADIT_DONE, "shutting down");
}

void
adit_host_free(struct adit_host *h)
{
    if (h == NULL)
        return;
    adit_task_cancel(&h->push_task);
    adit_net_fini(&h->net);
    adit_caps_fini(&h->caps);
    adit_map_fini(&h->peers);
    ADIT_FREE(h->mem, h);
}
