/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/relay.h"

#include "codec/record.h"
#include "host/refusal.h"
#include "wire/circuit/stop_cli.h"

/* From the stream's opening to a whole request, and for its verdict; go and
 * rust give as much. */
#define REQUEST_US (60 * ADIT_S)

/* For the destination to answer STOP: within js's whole dial timeout of 10 s
 * it would be gone; go's is a minute. */
#define STOP_US (15 * ADIT_S)

struct adit_relay {
    struct adit_host *h;
    struct adit_relay_config cfg;
    struct adit_service service;
    struct adit_host_watch watch;
    struct adit_rsvp *table;
    struct adit_judge judge;
    struct adit_timer timer; /* the table's next deadline */
    struct adit_list hops;
    bool warned_address;
};

/*
 * What may follow a request before its answer: nobody known sends anything,
 * and no circuit that could be reset for it stands yet.
 */
#define EARLY_BYTES 16384

/* One hop stream, until it is answered, and its circuit after. */
struct hop {
    struct adit_relay *r;
    struct adit_list link;
    struct adit_hconn *src_hc; /* while its stream lives */
    struct adit_hstream *src;  /* NULL: gone, or the bridge's */
    struct adit_hstream *stop; /* likewise */
    struct adit_hconn *dst_hc;
    struct adit_hop_srv m;
    struct adit_stop_cli stop_m;
    struct adit_ask *ask;
    struct adit_timer timer;
    struct adit_circuit_limit limit;
    struct adit_peerid src_id, dst_id;
    struct adit_place src_at; /* where its circuit is counted */
    bool is_counted;          /* as a circuit, in the table */
    bool accepted;            /* by the destination */
    struct adit_bridge *bridge;
};

static struct adit_instant
now_of(const struct adit_relay *r)
{
    return adit_worker_now(r->h->w);
}

/* ---- the table's deadlines, and what hangs on it ------------------------ */

/* Its connections may be idle again. */
static void
unmark_reserved(struct adit_relay *r, const struct adit_peerid *id)
{
    struct adit_peer *p = adit_host_peer(r->h, id);

    if (p == NULL)
        return;
    ADIT_LIST_EACH(n, tmp, &p->hconns)
    {
        struct adit_hconn *hc =
            ADIT_CONTAINER_OF(n, struct adit_hconn, peer_link);

        if (!hc->is_reserved)
            continue;
        hc->is_reserved = false;
        adit_hconn_unhold(hc);
    }
}

/* The connection that the peer holds its reservation over. */
static struct adit_hconn *
reserved_conn(struct adit_relay *r, const struct adit_peerid *id)
{
    struct adit_peer *p = adit_host_peer(r->h, id);

    if (p == NULL)
        return NULL;
    ADIT_LIST_EACH(n, tmp, &p->hconns)
    {
        struct adit_hconn *hc =
            ADIT_CONTAINER_OF(n, struct adit_hconn, peer_link);

        if (hc->is_reserved && !hc->is_over)
            return hc;
    }
    return NULL;
}

static void
reserve_over(struct adit_hconn *hc)
{
    if (hc->is_reserved)
        return;
    hc->is_reserved = true;
    adit_hconn_hold(hc);
}

/* Nothing of it is left. */
static void
unreserve(struct adit_relay *r, const struct adit_peerid *id)
{
    adit_rsvp_drop(r->table, id);
    unmark_reserved(r, id);
}

static void
update_gauges(struct adit_relay *r)
{
    adit_metric_set(r->h->metrics, ADIT_M_RSVP, adit_rsvp_n(r->table));
    adit_metric_set(r->h->metrics, ADIT_M_CIRCUITS,
                    adit_rsvp_n_circuits(r->table));
}

static void
expired(void *ctx, const struct adit_peerid *peer)
{
    struct adit_relay *r = ctx;

    adit_metric_add(r->h->metrics, ADIT_M_RSVP_CLOSED, 1);
    unmark_reserved(r, peer);
}

static void
arm_table(struct adit_relay *r)
{
    struct adit_instant due = adit_rsvp_due(r->table);

    update_gauges(r);
    if (due.us == ADIT_NEVER.us)
        adit_timer_stop(r->h->w, &r->timer);
    else if (adit_timer_set(r->h->w, &r->timer, due) != ADIT_OK)
        adit_rsvp_tick(r->table, now_of(r), expired, r); /* next turn's try */
}

static void
on_table_due(void *ctx)
{
    struct adit_relay *r = ctx;

    adit_rsvp_tick(r->table, now_of(r), expired, r);
    arm_table(r);
}

static void
on_conn_end(void *ctx, struct adit_hconn *hc, adit_err why, const char *text)
{
    struct adit_relay *r = ctx;
    struct adit_hconn *other;

    (void)why;
    (void)text;
    if (hc->peer == NULL || !hc->is_reserved)
        return;
    hc->is_reserved = false;
    if (reserved_conn(r, &hc->peer->id) != NULL)
        return;
    /* It goes on over another connection, if there is one. */
    other = adit_host_direct_to(r->h, &hc->peer->id);
    if (other != NULL) {
        reserve_over(other);
        return;
    }
    adit_rsvp_disconnected(r->table, &hc->peer->id, now_of(r));
    arm_table(r);
}

static const struct adit_host_events watch_events = {
    .on_conn_end = on_conn_end,
};

/* ---- one hop stream ----------------------------------------------------- */

static void
uncount(struct hop *p)
{
    if (!p->is_counted)
        return;
    p->is_counted = false;
    adit_rsvp_disconnect(p->r->table, &p->src_id, &p->dst_id, &p->src_at);
    adit_caps_leave(&p->r->h->caps, &p->src_at);
    update_gauges(p->r);
}

/* Everything but the streams, which are the caller's affair. */
static void
hop_free(struct hop *p)
{
    struct adit_relay *r = p->r;

    if (p->ask != NULL)
        p->ask->waiter = NULL; /* its answer finds nobody */
    uncount(p);
    adit_timer_stop(r->h->w, &p->timer);
    adit_hop_srv_fini(&p->m);
    adit_stop_cli_fini(&p->stop_m);
    adit_list_remove(&p->link);
    ADIT_FREE(r->h->mem, p);
}

static void
drop_stop(struct hop *p)
{
    if (p->stop != NULL)
        adit_hstream_reset(p->stop, ADIT_YAMUX_RESET_RESOURCE);
    p->stop = NULL;
}

static void
hop_abort(struct hop *p)
{
    drop_stop(p);
    if (p->src != NULL)
        adit_hstream_reset(p->src, ADIT_YAMUX_RESET_RESOURCE);
    hop_free(p);
}

static void hop_events(struct hop *p);

/* False: the hop is gone. */
static bool
hop_push(struct hop *p)
{
    struct adit_slice o;

    while ((o = adit_hop_srv_out(&p->m)).n > 0) {
        size_t n = adit_hstream_write_copy(p->src, o);

        adit_hop_srv_sent(&p->m, n);
        if (n < o.n)
            return true;
    }
    return true;
}

static void
log_refused(struct hop *p, const struct adit_refusal *f)
{
    struct adit_host *h = p->r->h;
    char id[ADIT_PEERID_TEXT_BYTES];

    adit_refusal_say(
        &h->refusals, h->log, h->metrics, now_of(p->r).us / (uint64_t)ADIT_S,
        adit_peerid_format(&p->src_id, id), &p->src_hc->remote, f);
}

static void
refuse(struct hop *p, enum adit_ask_kind kind, const struct adit_refusal *f)
{
    enum adit_circuit_status st = adit_refusal_status(f->rule);

    log_refused(p, f);
    adit_refusal_count(p->r->h->metrics, kind == ADIT_ASK_CONNECT, f->rule);
    if (adit_hop_srv_refuse(&p->m, st) != ADIT_OK) {
        hop_abort(p);
        return;
    }
    hop_push(p);
    hop_events(p);
}

static void
refuse_by(struct hop *p, enum adit_ask_kind kind, enum adit_rule rule)
{
    struct adit_refusal f = { .rule = rule };

    refuse(p, kind, &f);
}

static struct adit_budget
budget_of(const struct adit_relay *r)
{
    uint64_t cap = r->cfg.circuit_data_bytes != 0 ? r->cfg.circuit_data_bytes
                                                  : ADIT_BUDGET_NO_CAP;
    struct adit_budget b = { .left_bytes = { cap, cap }, .ends = ADIT_NEVER };

    if (r->cfg.circuit_duration_s != 0)
        b.ends = adit_instant_add(now_of(r),
                                  (int64_t)r->cfg.circuit_duration_s * ADIT_S);
    return b;
}

/* ---- circuits ----------------------------------------------------------- */

static enum adit_metric
end_metric(enum adit_bridge_why why)
{
    switch (why) {
    case ADIT_BRIDGE_FIN:
        return ADIT_M_CIRCUIT_END_FIN;
    case ADIT_BRIDGE_DATA:
        return ADIT_M_CIRCUIT_END_DATA;
    case ADIT_BRIDGE_TIME:
        return ADIT_M_CIRCUIT_END_TIME;
    case ADIT_BRIDGE_STALLED:
        return ADIT_M_CIRCUIT_END_STALLED;
    case ADIT_BRIDGE_RESET:
    case ADIT_BRIDGE_CLOSED:
        break;
    }
    return ADIT_M_CIRCUIT_END_RESET;
}

static void
on_bridge_end(void *ctx, const struct adit_bridge_end *end)
{
    struct hop *p = ctx;
    struct adit_log_line l;
    char src[ADIT_PEERID_TEXT_BYTES], dst[ADIT_PEERID_TEXT_BYTES];

    adit_metric_add(p->r->h->metrics, ADIT_M_CIRCUIT_CLOSED, 1);
    adit_metric_add(p->r->h->metrics, end_metric(end->why), 1);
    if (adit_log_open(&l, p->r->h->log, ADIT_LOG_DEBUG, "circuit.closed")) {
        adit_log_str(&l, "src", adit_peerid_format(&p->src_id, src));
        adit_log_str(&l, "dst", adit_peerid_format(&p->dst_id, dst));
        adit_log_u64(&l, "to_dst", end->n.handed_bytes[ADIT_DIR_TO_DST]);
        adit_log_u64(&l, "to_src", end->n.handed_bytes[ADIT_DIR_TO_SRC]);
        adit_log_i64(&l, "ms", end->lasted_us / ADIT_MS);
        adit_log_str(&l, "why", adit_bridge_why_name(end->why));
        adit_log_close(&l);
    }
    hop_free(p);
}

static void
couple(struct hop *p)
{
    struct adit_bridge_terms terms = { .budget = budget_of(p->r) };
    struct adit_hstream *src = p->src, *dst = p->stop;

    if (dst == NULL) { /* it ended while OK was on its way */
        hop_abort(p);
        return;
    }
    adit_timer_stop(p->r->h->w, &p->timer);
    p->src = p->stop = NULL;
    if (adit_bridge_new(p->r->h, src, dst, &terms, on_bridge_end, p,
                        &p->bridge) != ADIT_OK) {
        p->src = src;
        p->stop = dst;
        hop_abort(p);
        return;
    }
    adit_metric_add(p->r->h->metrics, ADIT_M_CIRCUIT_OPENED, 1);
}

/* ---- the stop stream ---------------------------------------------------- */

static void
stop_failed(struct hop *p)
{
    drop_stop(p);
    uncount(p);
    refuse_by(p, ADIT_ASK_CONNECT, ADIT_RULE_STOP_FAILED);
}

static void
stop_push(struct hop *p)
{
    struct adit_slice o;

    while (p->stop != NULL && (o = adit_stop_cli_out(&p->stop_m)).n > 0) {
        size_t n = adit_hstream_write_copy(p->stop, o);

        adit_stop_cli_sent(&p->stop_m, n);
        if (n < o.n)
            return;
    }
}

static size_t
stop_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct hop *p = ctx;
    struct adit_stop_cli_event ev;
    size_t used;

    (void)s;
    if (p->accepted)
        return 0; /* the circuit's; waits for the bridge */
    if (adit_stop_cli_feed(&p->stop_m, adit_slice(in.p, in.n), &used) !=
        ADIT_OK) {
        stop_failed(p);
        return in.n;
    }
    if (adit_stop_cli_next(&p->stop_m, &ev) != ADIT_OK)
        return used;
    if (ev.type == ADIT_STOP_CLI_REFUSED) {
        stop_failed(p);
        return in.n;
    }
    p->accepted = true;
    if (adit_hop_srv_connect_ok(&p->m, &p->limit) != ADIT_OK) {
        hop_abort(p);
        return in.n;
    }
    adit_metric_add(p->r->h->metrics, ADIT_M_CONNECT_ST_OK, 1);
    hop_push(p);
    /* Not from in here: what is behind the answer is not in the stream's
     * queue before we return. */
    if (adit_timer_set(p->r->h->w, &p->timer, now_of(p->r)) != ADIT_OK)
        hop_abort(p);
    return used;
}

static void
stop_fin(void *ctx, struct adit_hstream *s)
{
    struct hop *p = ctx;

    (void)s;
    if (!p->accepted)
        stop_failed(p);
}

static void
stop_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    stop_push(ctx);
}

static void
stop_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct hop *p = ctx;

    (void)s;
    (void)why;
    (void)code;
    p->stop = NULL;
    if (p->accepted)
        hop_abort(p);
    else
        stop_failed(p);
}

static const struct adit_hstream_ops stop_ops = {
    .on_data = stop_data,
    .on_fin = stop_fin,
    .on_room = stop_room,
    .on_end = stop_end,
};

static void
start_stop(struct hop *p)
{
    struct adit_relay *r = p->r;
    struct adit_hconn *hc = reserved_conn(r, &p->dst_id);

    p->limit = (struct adit_circuit_limit){
        .has =
            r->cfg.circuit_duration_s != 0 || r->cfg.circuit_data_bytes != 0,
        .duration_s = r->cfg.circuit_duration_s,
        .data_bytes = r->cfg.circuit_data_bytes,
    };
    if (hc == NULL ||
        adit_timer_set(r->h->w, &p->timer,
                       adit_instant_add(now_of(r), STOP_US)) != ADIT_OK ||
        adit_hstream_open(hc, ADIT_STOP_ID, &stop_ops, p, &p->stop) !=
            ADIT_OK) {
        stop_failed(p);
        return;
    }
    adit_stop_cli_init(&p->stop_m, r->h->mem, &p->src_id, &p->limit);
    stop_push(p);
}

/* ---- verdicts ------------------------------------------------------------ */

static void
judge(struct adit_relay *r, struct adit_ask *a)
{
    struct adit_rsvp_terms terms = { .ttl_us = r->cfg.rsvp_ttl_us,
                                     .cls = ADIT_NO_CLASS };
    struct adit_circuit_caps caps = { .src_out = r->cfg.circuits_per_peer,
                                      .dst_in = r->cfg.circuits_per_peer };

    a->refusal = (struct adit_refusal){ 0 };
    if (a->kind == ADIT_ASK_RESERVE) {
        a->verdict =
            adit_rsvp_reserve(r->table, &a->peer, &a->at, &terms, now_of(r),
                              &a->until, &a->renewed, &a->refusal);
        return;
    }
    if (adit_pool_is_tight(adit_worker_pool(r->h->w))) {
        a->verdict = ADIT_EFULL;
        a->refusal = (struct adit_refusal){
            .rule = ADIT_RULE_BUFFERS,
            .value = adit_worker_pool(r->h->w)->used_bytes,
            .limit = adit_worker_pool(r->h->w)->cap_bytes,
        };
        return;
    }
    a->verdict = adit_rsvp_connect(r->table, &a->peer, &a->dst, &a->at, &caps,
                                   now_of(r), &a->refusal);
}

void
adit_relay_judge(struct adit_relay *r, struct adit_ask *a)
{
    judge(r, a);
    adit_relay_answer(r, a);
}

static void
table_ask(void *ctx, struct adit_ask *a)
{
    adit_relay_judge(ctx, a);
}

/*
 * The addresses to put into a reservation, each with our /p2p: what we
 * announce, else the local end of this very connection.  go and rust use
 * them as they are, so it is never an empty list.
 */
static size_t
own_addrs(struct hop *p, struct adit_maddr out[ADIT_HOST_MAX_ADDRS])
{
    struct adit_host *h = p->r->h;
    struct adit_slice id = adit_peerid_bytes(&h->identity->id);
    struct adit_maddr here = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < h->n_addrs; i++) {
        struct adit_endpoint e;

        out[n] = h->addrs[i];
        if (!p->r->cfg.announce_private &&
            adit_endpoint_of_maddr(&out[n], &e, NULL) == ADIT_OK &&
            !adit_endpoint_is_global(&e))
            continue;
        if (adit_maddr_push(&out[n], ADIT_MA_P2P, id) == ADIT_OK)
            n++;
    }
    if (n > 0)
        return n;
    p->src_hc->conn->pipe->ops->describe(p->src_hc->conn->pipe, false, &here);
    if (here.n == 0 || adit_maddr_push(&here, ADIT_MA_P2P, id) != ADIT_OK)
        return 0;
    if (!p->r->warned_address) {
        struct adit_log_line l;
        char text[ADIT_MADDR_TEXT_BYTES];

        p->r->warned_address = true;
        if (adit_log_open(&l, h->log, ADIT_LOG_WARN,
                          "relay.address_unknown")) {
            adit_log_str(&l, "using", adit_maddr_format(&here, text));
            adit_log_str(&l, "set", "announce.addresses");
            adit_log_close(&l);
        }
    }
    out[0] = here;
    return 1;
}

/* A voucher and its envelope; 400 bytes and some. */
#define VOUCHER_BYTES 512

static void
grant(struct hop *p, const struct adit_ask *a)
{
    struct adit_relay *r = p->r;
    struct adit_maddr maddrs[ADIT_HOST_MAX_ADDRS];
    struct adit_slice addrs[ADIT_HOST_MAX_ADDRS];
    uint8_t voucher[VOUCHER_BYTES];
    size_t n_voucher = 0;
    struct adit_hop_srv_reservation v = {
        .expire_unix_s = adit_worker_unix_s(r->h->w) +
                         adit_instant_sub(a->until, now_of(r)) / ADIT_S,
        .addrs = addrs,
        .n_addrs = own_addrs(p, maddrs),
        .limit = { .has = r->cfg.circuit_duration_s != 0 ||
                          r->cfg.circuit_data_bytes != 0,
                   .duration_s = r->cfg.circuit_duration_s,
                   .data_bytes = r->cfg.circuit_data_bytes },
    };

    if (v.n_addrs == 0) {
        unreserve(r, &p->src_id);
        refuse_by(p, ADIT_ASK_RESERVE, ADIT_RULE_NO_ADDRESS);
        return;
    }
    for (size_t i = 0; i < v.n_addrs; i++)
        addrs[i] = adit_maddr_bytes(&maddrs[i]);
    if (adit_voucher_enc(r->h->identity, &p->src_id, (uint64_t)v.expire_unix_s,
                         (struct adit_mslice){ voucher, sizeof(voucher) },
                         &n_voucher) == ADIT_OK)
        v.voucher = adit_slice(voucher, n_voucher);
    if (adit_hop_srv_reserve_ok(&p->m, &v) != ADIT_OK) {
        unreserve(r, &p->src_id);
        hop_abort(p);
        return;
    }
    adit_metric_add(r->h->metrics, ADIT_M_RSVP_ST_OK, 1);
    adit_metric_add(r->h->metrics,
                    a->renewed ? ADIT_M_RSVP_RENEWED : ADIT_M_RSVP_OPENED, 1);
    reserve_over(p->src_hc);
    arm_table(r);
    hop_push(p);
    hop_events(p);
}

/* An answer for somebody who is gone: what it took is given back. */
static void
take_back(struct adit_relay *r, const struct adit_ask *a)
{
    if (a->verdict != ADIT_OK)
        return;
    if (a->kind == ADIT_ASK_CONNECT)
        adit_rsvp_disconnect(r->table, &a->peer, &a->dst, &a->at);
    else if (reserved_conn(r, &a->peer) == NULL)
        adit_rsvp_disconnected(r->table, &a->peer, now_of(r));
    arm_table(r);
}

void
adit_relay_answer(struct adit_relay *r, struct adit_ask *a)
{
    struct hop *p = a->waiter;

    if (p == NULL) {
        take_back(r, a);
        adit_caps_leave(&r->h->caps, &a->at);
        ADIT_FREE(r->h->mem, a);
        return;
    }
    p->ask = NULL;
    if (a->verdict != ADIT_OK) {
        refuse(p, a->kind, &a->refusal);
    } else if (a->kind == ADIT_ASK_RESERVE) {
        grant(p, a);
    } else {
        p->is_counted = true;
        adit_caps_copy(&r->h->caps, &a->at, &p->src_at);
        update_gauges(r);
        start_stop(p);
    }
    adit_caps_leave(&r->h->caps, &a->at);
    ADIT_FREE(r->h->mem, a);
}

static void
ask(struct hop *p, enum adit_ask_kind kind)
{
    struct adit_relay *r = p->r;
    struct adit_ask *a;

    if (p->src_hc->circuit != NULL) {
        refuse_by(p, kind, ADIT_RULE_RELAYED);
        return;
    }
    if (r->h->is_closing) {
        refuse_by(p, kind, ADIT_RULE_CLOSING);
        return;
    }
    a = ADIT_NEW(r->h->mem, struct adit_ask);
    if (a == NULL) {
        refuse_by(p, kind, ADIT_RULE_BUFFERS);
        return;
    }
    a->kind = kind;
    a->peer = p->src_id;
    a->dst = p->dst_id;
    a->remote = p->src_hc->remote;
    adit_caps_copy(&r->h->caps, &p->src_hc->place, &a->at);
    a->waiter = p;
    p->ask = a;
    r->judge.ask(r->judge.ctx, a);
}

/* ---- the hop stream ------------------------------------------------------ */

/* May free the hop. */
static void
hop_events(struct hop *p)
{
    struct adit_hop_srv_event ev;

    if (adit_hop_srv_next(&p->m, &ev) != ADIT_OK)
        return;
    switch (ev.type) {
    case ADIT_HOP_SRV_ASK_RESERVE:
        ask(p, ADIT_ASK_RESERVE);
        break;
    case ADIT_HOP_SRV_ASK_CONNECT:
        p->dst_id = ev.dst;
        ask(p, ADIT_ASK_CONNECT);
        break;
    case ADIT_HOP_SRV_REFUSED:
        adit_refusal_count(p->r->h->metrics, ev.is_connect,
                           ADIT_RULE_MALFORMED);
        hop_push(p);
        hop_events(p);
        break;
    case ADIT_HOP_SRV_RELAY:
        couple(p);
        break;
    case ADIT_HOP_SRV_DONE:
        adit_hstream_close(p->src);
        p->src = NULL;
        hop_abort(p);
        break;
    }
}

static size_t
hop_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct hop *p = ctx;
    size_t used;

    (void)s;
    if (adit_hop_srv_feed(&p->m, adit_slice(in.p, in.n), &used) != ADIT_OK) {
        hop_abort(p);
        return in.n;
    }
    if (used > 0)
        hop_events(p); /* may free p */
    return used;
}

static void
hop_fin(void *ctx, struct adit_hstream *s)
{
    struct hop *p = ctx;

    (void)s;
    if (adit_hop_srv_eof(&p->m) != ADIT_OK)
        hop_abort(p);
}

static void
hop_room(void *ctx, struct adit_hstream *s)
{
    struct hop *p = ctx;

    (void)s;
    hop_push(p);
    hop_events(p);
}

static void
hop_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct hop *p = ctx;

    (void)s;
    (void)why;
    (void)code;
    p->src = NULL;
    hop_abort(p);
}

static const struct adit_hstream_ops hop_ops = {
    .on_data = hop_data,
    .on_fin = hop_fin,
    .on_room = hop_room,
    .on_end = hop_end,
};

static void
on_timer(void *ctx)
{
    struct hop *p = ctx;

    if (p->accepted) {
        hop_push(p);
        hop_events(p); /* RELAY, if OK could leave; else with room */
    } else if (p->stop != NULL) {
        stop_failed(p);
    } else {
        hop_abort(p);
    }
}

static void
open_hop(void *ctx, struct adit_hstream *s)
{
    struct adit_relay *r = ctx;
    struct hop *p = ADIT_NEW(r->h->mem, struct hop);

    if (p == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    p->r = r;
    p->src = s;
    p->src_hc = s->hc;
    p->src_id = s->hc->peer->id;
    p->timer = (struct adit_timer){ .fn = on_timer, .ctx = p };
    adit_hop_srv_init(&p->m, r->h->mem);
    adit_list_push_tail(&r->hops, &p->link);
    adit_hstream_take(s, &hop_ops, p);
    s->rx_max_bytes = EARLY_BYTES;
    if (adit_timer_set(r->h->w, &p->timer,
                       adit_instant_add(now_of(r), REQUEST_US)) != ADIT_OK)
        hop_abort(p);
}

/* ---- the service ---------------------------------------------------------- */

adit_err
adit_relay_new(struct adit_host *h, const struct adit_relay_config *cfg,
               struct adit_rules *rules, struct adit_relay **out)
{
    struct adit_relay *r = ADIT_NEW(h->mem, struct adit_relay);
    adit_err e;

    (void)rules;
    if (r == NULL)
        return ADIT_ENOMEM;
    r->h = h;
    r->cfg = *cfg;
    adit_list_init(&r->hops);
    e = adit_rsvp_new(h->mem, adit_worker_rng(h->w), &h->caps, cfg->grace_us,
                      &r->table);
    if (e != ADIT_OK) {
        ADIT_FREE(h->mem, r);
        return e;
    }
    r->timer = (struct adit_timer){ .fn = on_table_due, .ctx = r };
    adit_relay_set_judge(r, NULL);
    r->watch.ev = &watch_events;
    r->watch.ctx = r;
    adit_host_watch(h, &r->watch);
    r->service = (struct adit_service){
        .protocol = ADIT_HOP_ID,
        .on_limited = true, /* to be refused by name, not by silence */
        .open = open_hop,
        .ctx = r,
    };
    adit_host_serve(h, &r->service);
    *out = r;
    return ADIT_OK;
}

void
adit_relay_free(struct adit_relay *r)
{
    if (r == NULL)
        return;
    adit_host_unserve(r->h, &r->service);
    while (!adit_list_is_empty(&r->hops)) {
        struct hop *p = ADIT_CONTAINER_OF(r->hops.next, struct hop, link);

        if (p->bridge != NULL)
            adit_bridge_end_now(p->bridge);
        else
            hop_abort(p);
    }
    adit_host_unwatch(&r->watch);
    adit_timer_stop(r->h->w, &r->timer);
    adit_rsvp_free(r->table);
    adit_metric_set(r->h->metrics, ADIT_M_RSVP, 0);
    adit_metric_set(r->h->metrics, ADIT_M_CIRCUITS, 0);
    ADIT_FREE(r->h->mem, r);
}

void
adit_relay_set_judge(struct adit_relay *r, const struct adit_judge *j)
{
    static const struct adit_judge table = { .ask = table_ask };

    r->judge = j != NULL ? *j : table;
    if (j == NULL)
        r->judge.ctx = r;
}

uint32_t
adit_relay_n_reservations(const struct adit_relay *r)
{
    return adit_rsvp_n(r->table);
}

uint32_t
adit_relay_n_circuits(const struct adit_relay *r)
{
    return adit_rsvp_n_circuits(r->table);
}
