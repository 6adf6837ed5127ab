/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/relay_in.h"

#include "codec/record.h"
#include "host/refusal.h"

/* From the stream's opening to a whole request, and for its verdict; go and
 * rust give as much. */
#define REQUEST_US (60 * ADIT_S)

/* For the destination to answer STOP: within js's whole dial timeout of 10 s
 * it would be gone; go's is a minute. */
#define STOP_US (15 * ADIT_S)

/*
 * What may follow a request before its answer: nobody known sends anything,
 * and no circuit that could be reset for it stands yet.
 */
#define EARLY_BYTES 16384

/* ---- its life -------------------------------------------------------------- */

static void
uncount(struct adit_hop *p)
{
    if (!p->is_counted)
        return;
    p->is_counted = false;
    adit_rsvp_disconnect(p->r->table, &p->src_id, &p->dst_id, &p->place);
    adit_caps_leave(&p->r->h->caps, &p->place);
    adit_account_drop(&p->r->accounts, p->src_acct);
    adit_account_drop(&p->r->accounts, p->dst_acct);
    p->src_acct = p->dst_acct = NULL;
    adit_relay_arm(p->r);
}

/* Everything but the streams, which are the caller's affair. */
static void
hop_free(struct adit_hop *p)
{
    struct adit_relay *r = p->r;

    if (p->ask != NULL)
        adit_verdict_cancel(r, p->ask); /* its answer finds nobody */
    uncount(p);
    adit_timer_stop(r->h->w, &p->timer);
    adit_hop_srv_fini(&p->m);
    adit_stop_cli_fini(&p->stop_m);
    adit_list_remove(&p->link);
    ADIT_FREE(r->h->mem, p);
}

static void
drop_stop(struct adit_hop *p)
{
    if (p->stop != NULL)
        adit_hstream_reset(p->stop, ADIT_YAMUX_RESET_RESOURCE);
    p->stop = NULL;
}

static void
hop_abort(struct adit_hop *p)
{
    drop_stop(p);
    if (p->src != NULL)
        adit_hstream_reset(p->src, ADIT_YAMUX_RESET_RESOURCE);
    hop_free(p);
}

static void hop_events(struct adit_hop *p);

/* False: the hop is gone. */
static bool
hop_push(struct adit_hop *p)
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
note_refused(struct adit_hop *p, const struct adit_refusal *f)
{
    struct adit_host *h = p->r->h;
    char id[ADIT_PEERID_TEXT_BYTES];

    adit_refusal_say(&h->refusals, h->log, h->metrics,
                     adit_relay_now(p->r).us / (uint64_t)ADIT_S,
                     adit_peerid_format(&p->src_id, id), &p->src_hc->remote,
                     f);
    adit_books_refused(p->r, &p->src_id, f->rule);
}

static void
refuse(struct adit_hop *p, enum adit_ask_kind kind,
       const struct adit_refusal *f)
{
    enum adit_circuit_status st = adit_refusal_status(f->rule);

    note_refused(p, f);
    adit_refusal_count(p->r->h->metrics, kind == ADIT_ASK_CONNECT, f->rule);
    if (adit_hop_srv_refuse(&p->m, st) != ADIT_OK) {
        hop_abort(p);
        return;
    }
    hop_push(p);
    hop_events(p);
}

static void
refuse_by(struct adit_hop *p, enum adit_ask_kind kind, enum adit_rule rule)
{
    struct adit_refusal f = { .rule = rule };

    refuse(p, kind, &f);
}

static struct adit_budget
budget_of(const struct adit_hop *p)
{
    uint64_t cap =
        p->terms.data_bytes != 0 ? p->terms.data_bytes : ADIT_BUDGET_NO_CAP;
    struct adit_budget b = { .left_bytes = { cap, cap }, .ends = ADIT_NEVER };

    if (p->terms.duration_s != 0)
        b.ends = adit_instant_add(adit_relay_now(p->r),
                                  (int64_t)p->terms.duration_s * ADIT_S);
    return b;
}

/* What the wire says of it. */
static struct adit_circuit_limit
limit_of(const struct adit_circuit_terms *t)
{
    return (struct adit_circuit_limit){
        .has = t->duration_s != 0 || t->data_bytes != 0,
        .duration_s = t->duration_s,
        .data_bytes = t->data_bytes,
    };
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
    struct adit_hop *p = ctx;
    struct adit_log_line l;
    char src[ADIT_PEERID_TEXT_BYTES], dst[ADIT_PEERID_TEXT_BYTES];
    const char *why = end->why == ADIT_BRIDGE_CLOSED && p->closed_for != NULL
                          ? p->closed_for
                          : adit_bridge_why_name(end->why);

    adit_books_closed(p, end, why);
    adit_metric_add(p->r->h->metrics, ADIT_M_CIRCUIT_CLOSED, 1);
    adit_metric_circuit_lasted(p->r->h->metrics, end->lasted_us);
    adit_metric_add(p->r->h->metrics, end_metric(end->why), 1);
    if (adit_log_open(&l, p->r->h->log, ADIT_LOG_DEBUG, "circuit.closed")) {
        adit_log_str(&l, "src", adit_peerid_format(&p->src_id, src));
        adit_log_str(&l, "dst", adit_peerid_format(&p->dst_id, dst));
        adit_log_u64(&l, "to_dst", end->n.handed_bytes[ADIT_DIR_TO_DST]);
        adit_log_u64(&l, "to_src", end->n.handed_bytes[ADIT_DIR_TO_SRC]);
        adit_log_i64(&l, "ms", end->lasted_us / ADIT_MS);
        adit_log_str(&l, "why", why);
        adit_log_close(&l);
    }
    hop_free(p);
}

/* OK has left, and the destination is gone: a circuit that carried nothing
 * has its closing record as well. */
static void
stillborn(struct adit_hop *p)
{
    struct adit_bridge_end end = { .why = ADIT_BRIDGE_RESET };

    if (p->src != NULL)
        adit_hstream_reset(p->src, ADIT_YAMUX_RESET_RESOURCE);
    p->src = NULL;
    drop_stop(p);
    adit_metric_add(p->r->h->metrics, ADIT_M_CIRCUIT_OPENED, 1);
    adit_books_opened(p);
    on_bridge_end(p, &end);
}

static void
couple(struct adit_hop *p)
{
    struct adit_bridge_terms terms = {
        .budget = budget_of(p),
        .bytes_s = p->terms.bytes_s,
        .peers = { &p->src_acct->rate, &p->dst_acct->rate },
    };
    struct adit_hstream *src = p->src, *dst = p->stop;

    if (dst == NULL) { /* it ended while OK was on its way */
        stillborn(p);
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
    adit_books_opened(p);
}

/* ---- the stop stream ---------------------------------------------------- */

static void
stop_failed(struct adit_hop *p)
{
    drop_stop(p);
    uncount(p);
    refuse_by(p, ADIT_ASK_CONNECT, ADIT_RULE_STOP_FAILED);
}

static void
stop_push(struct adit_hop *p)
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
    struct adit_hop *p = ctx;
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
    if (adit_timer_set(p->r->h->w, &p->timer, adit_relay_now(p->r)) != ADIT_OK)
        hop_abort(p);
    return used;
}

static void
stop_fin(void *ctx, struct adit_hstream *s)
{
    struct adit_hop *p = ctx;

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
    struct adit_hop *p = ctx;

    (void)s;
    (void)why;
    (void)code;
    p->stop = NULL;
    if (p->accepted)
        stillborn(p);
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
start_stop(struct adit_hop *p)
{
    struct adit_relay *r = p->r;
    struct adit_hconn *hc = adit_relay_reserved_conn(r, &p->dst_id);

    p->limit = limit_of(&p->terms);
    if (hc == NULL ||
        adit_timer_set(r->h->w, &p->timer,
                       adit_instant_add(adit_relay_now(r), STOP_US)) !=
            ADIT_OK ||
        adit_hstream_open(hc, ADIT_STOP_ID, &stop_ops, p, &p->stop) !=
            ADIT_OK) {
        stop_failed(p);
        return;
    }
    adit_stop_cli_init(&p->stop_m, r->h->mem, &p->src_id, &p->limit);
    stop_push(p);
}

/* A voucher and its envelope; 400 bytes and some. */
#define VOUCHER_BYTES 512

static void
grant(struct adit_hop *p, const struct adit_ask *a)
{
    struct adit_relay *r = p->r;
    struct adit_maddr maddrs[ADIT_HOST_MAX_ADDRS];
    struct adit_slice addrs[ADIT_HOST_MAX_ADDRS];
    uint8_t voucher[VOUCHER_BYTES];
    size_t n_voucher = 0;
    struct adit_hop_srv_reservation v = {
        .expire_unix_s =
            adit_relay_unix_s(r) +
            adit_instant_sub(a->until, adit_relay_now(r)) / ADIT_S,
        .addrs = addrs,
        .n_addrs = adit_relay_own_addrs(r, p->src_hc, maddrs),
        .limit = limit_of(&a->terms),
    };

    if (v.n_addrs == 0) {
        adit_relay_unreserve(r, &p->src_id);
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
        adit_relay_unreserve(r, &p->src_id);
        hop_abort(p);
        return;
    }
    adit_metric_add(r->h->metrics, ADIT_M_RSVP_ST_OK, 1);
    adit_metric_add(r->h->metrics,
                    a->renewed ? ADIT_M_RSVP_RENEWED : ADIT_M_RSVP_OPENED, 1);
    adit_relay_reserve_over(p->src_hc);
    adit_books_reserved(r, &p->src_id);
    adit_relay_arm(r);
    hop_push(p);
    hop_events(p);
}

/* Both ends are counted in the table since the verdict. */
static void
begin_circuit(struct adit_hop *p, const struct adit_ask *a)
{
    struct adit_relay *r = p->r;

    p->src_acct = adit_account_hold(&r->accounts, &p->src_id);
    p->dst_acct = adit_account_hold(&r->accounts, &p->dst_id);
    p->terms = a->terms;
    if (p->src_acct != NULL) {
        p->src_acct->standing = a->standing;
        adit_books_set_rate(r, p->src_acct);
    }
    adit_caps_copy(&r->h->caps, &p->src_hc->place, &p->place);
    if (p->src_acct == NULL || p->dst_acct == NULL) {
        /* Undo what the verdict counted; there is no memory for more. */
        if (p->src_acct != NULL)
            adit_account_drop(&r->accounts, p->src_acct);
        if (p->dst_acct != NULL)
            adit_account_drop(&r->accounts, p->dst_acct);
        p->src_acct = p->dst_acct = NULL;
        adit_rsvp_disconnect(r->table, &p->src_id, &p->dst_id, &p->place);
        adit_caps_leave(&r->h->caps, &p->place);
        refuse_by(p, ADIT_ASK_CONNECT, ADIT_RULE_BUFFERS);
        return;
    }
    p->is_counted = true;
    adit_relay_arm(r);
    start_stop(p);
}

void
adit_hop_answer(struct adit_hop *p, const struct adit_ask *a)
{
    p->ask = NULL;
    if (a->result != ADIT_OK)
        refuse(p, a->kind, &a->refusal);
    else if (a->kind == ADIT_ASK_RESERVE)
        grant(p, a);
    else
        begin_circuit(p, a);
}

static void
ask(struct adit_hop *p, enum adit_ask_kind kind)
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
    a->hc = p->src_hc;
    a->waiter = p;
    p->ask = a;
    r->judge.ask(r->judge.ctx, a);
}

/* ---- the hop stream ------------------------------------------------------ */

/* May free the hop. */
static void
hop_events(struct adit_hop *p)
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
    struct adit_hop *p = ctx;
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
    struct adit_hop *p = ctx;

    (void)s;
    if (adit_hop_srv_eof(&p->m) != ADIT_OK)
        hop_abort(p);
}

static void
hop_room(void *ctx, struct adit_hstream *s)
{
    struct adit_hop *p = ctx;

    (void)s;
    hop_push(p);
    hop_events(p);
}

static void
hop_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct adit_hop *p = ctx;

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
    struct adit_hop *p = ctx;

    if (p->accepted) {
        hop_push(p);
        hop_events(p); /* RELAY, if OK could leave; else with room */
    } else if (p->stop != NULL) {
        stop_failed(p);
    } else {
        hop_abort(p);
    }
}

void
adit_hop_open(void *ctx, struct adit_hstream *s)
{
    struct adit_relay *r = ctx;
    struct adit_hop *p = ADIT_NEW(r->h->mem, struct adit_hop);

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
                       adit_instant_add(adit_relay_now(r), REQUEST_US)) !=
        ADIT_OK)
        hop_abort(p);
}

void
adit_hop_end(struct adit_hop *p)
{
    if (p->bridge != NULL)
        adit_bridge_end_now(p->bridge);
    else
        hop_abort(p);
}

void
adit_hop_close(struct adit_hop *p, const char *why)
{
    adit_assert(p->bridge != NULL);
    p->closed_for = why;
    adit_bridge_close(p->bridge);
}
