/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/connect.h"

#include "host/circuit.h"
#include "host/refusal.h"
#include "wire/circuit/hop_cli.h"

/*
 * A relayed path waits this long when there are direct addresses to try: go
 * (2026-07) gives them 500 ms, but on a limited path nothing is lost yet.
 */
#define HEAD_START_US (250 * ADIT_MS)

struct adit_connect {
    struct adit_host *h;
    /*
     * Who wants the same, by the same addresses, waits for the first who
     * did: he leads and alone tries.
     */
    struct adit_list link;       /* in the host's */
    struct adit_connect *leader; /* NULL: it tries itself */
    enum adit_connect_mode mode;
    int64_t head_start_us;
    struct adit_host_watch watch;
    adit_connect_fn *fn;
    void *ctx;
    struct adit_peerid peer;
    struct adit_maddr direct[ADIT_CONNECT_MAX_ADDRS];
    struct adit_maddr circuit[ADIT_CONNECT_MAX_ADDRS];
    size_t n_direct, n_circuit, at_circuit;
    bool relay_may_start; /* its head start is over */
    struct adit_instant deadline;
    struct adit_timer timer, head_start;
    struct adit_task task;
    /* The direct leg. */
    void *dial;                   /* under way */
    struct adit_hconn *direct_hc; /* upgrading */
    bool direct_done;
    /* The relayed leg. */
    struct adit_connect *to_relay;
    struct adit_hstream *hop;
    struct adit_hop_cli hop_m;
    struct adit_hconn *circuit_hc; /* upgrading */
    bool circuit_busy;
    /* The outcome. */
    struct adit_hconn *winner;
    adit_err err;
    const char *why;
    bool is_over, is_late;
};

static void try_circuit(struct adit_connect *c);
static bool use_open(struct adit_connect *c);
static adit_err begin(struct adit_connect *c);

static void
note(struct adit_connect *c, adit_err e, const char *why)
{
    /* The last word counts, but a refusal tells more than silence. */
    if (c->err == ADIT_OK || c->err == ADIT_EUNREACHABLE) {
        c->err = e;
        c->why = why;
    }
}

static void
release_all(struct adit_connect *c)
{
    struct adit_worker *w = c->h->w;

    adit_list_remove(&c->link);
    adit_host_unwatch(&c->watch);
    adit_timer_stop(w, &c->timer);
    adit_timer_stop(w, &c->head_start);
    adit_task_cancel(&c->task);
    if (c->dial != NULL)
        c->h->cfg.dialer->cancel(c->h->cfg.dialer->ctx, c->dial);
    if (c->direct_hc != NULL && c->direct_hc != c->winner)
        adit_hconn_close(c->direct_hc, ADIT_CANCELLED, "no longer wanted");
    adit_connect_cancel(c->to_relay);
    if (c->hop != NULL)
        adit_hstream_reset(c->hop, ADIT_YAMUX_NORMAL);
    adit_hop_cli_fini(&c->hop_m);
    if (c->circuit_hc != NULL && c->circuit_hc != c->winner)
        adit_hconn_close(c->circuit_hc, ADIT_CANCELLED, "no longer wanted");
}

static void
over(struct adit_connect *c)
{
    if (c->is_over)
        return;
    c->is_over = true;
    adit_task_post(c->h->w, &c->task);
}

/* Its outcome is that of those who wait for it. */
static void
share(struct adit_connect *c, struct adit_hconn *hc)
{
    ADIT_LIST_EACH(n, tmp, &c->h->connects)
    {
        struct adit_connect *f =
            ADIT_CONTAINER_OF(n, struct adit_connect, link);

        if (f->leader != c)
            continue;
        f->leader = NULL;
        if (f->is_over)
            continue;
        f->winner = hc;
        f->err = c->err;
        f->why = c->why;
        over(f);
    }
}

/* It gives up, they do not: the next one leads. */
static void
pass_on(struct adit_connect *c)
{
    struct adit_connect *next = NULL;

    ADIT_LIST_EACH(n, tmp, &c->h->connects)
    {
        struct adit_connect *f =
            ADIT_CONTAINER_OF(n, struct adit_connect, link);

        if (f->leader != c)
            continue;
        f->leader = next;
        if (next == NULL && !f->is_over)
            next = f;
    }
    if (next != NULL && !c->h->is_closing && !use_open(next)) {
        adit_err e = begin(next);

        if (e != ADIT_OK) {
            note(next, e, "it could not be tried");
            over(next);
        }
    }
}

/* Runs at the end of a turn: nobody is in the middle of anything. */
static void
finish(void *ctx)
{
    struct adit_connect *c = ctx;
    struct adit_hconn *hc = c->winner;

    release_all(c);
    if (hc != NULL && hc->is_over)
        hc = NULL;
    if (hc == NULL && c->is_late)
        pass_on(c);
    else
        share(c, hc);
    if (hc != NULL)
        c->fn(c->ctx, ADIT_OK, hc, NULL);
    else
        c->fn(c->ctx, c->err != ADIT_OK ? c->err : ADIT_EUNREACHABLE, NULL,
              c->why != NULL ? c->why : "no address led anywhere");
    ADIT_FREE(c->h->mem, c);
}

static void
check(struct adit_connect *c)
{
    if (c->winner != NULL)
        over(c);
    else if (c->direct_done && !c->circuit_busy &&
             c->at_circuit >= c->n_circuit)
        over(c);
}

/* ---- the relayed leg ---------------------------------------------------- */

static void
circuit_failed(struct adit_connect *c, adit_err e, const char *why)
{
    note(c, e, why);
    if (c->hop != NULL)
        adit_hstream_reset(c->hop, ADIT_YAMUX_NORMAL);
    c->hop = NULL;
    adit_hop_cli_fini(&c->hop_m);
    c->circuit_busy = false;
    c->at_circuit++;
    try_circuit(c);
    check(c);
}

static void
circuit_open(struct adit_connect *c, const struct adit_circuit_limit *limit)
{
    struct adit_hstream *s = c->hop;
    struct adit_circuit *circuit;

    c->hop = NULL;
    if (adit_circuit_new(c->h, s, &c->peer, limit, &circuit) != ADIT_OK) {
        adit_hstream_reset(s, ADIT_YAMUX_NORMAL);
        circuit_failed(c, ADIT_ENOMEM, "no memory");
        return;
    }
    if (adit_host_adopt(c->h, &circuit->pipe, true, &c->peer, circuit,
                        limit->has, &c->circuit_hc) != ADIT_OK)
        circuit_failed(c, ADIT_ENOMEM, "no memory");
}

static const char *
refused_why(uint32_t status)
{
    switch (adit_refusal_err(status)) {
    case ADIT_ENORESERVATION:
        return "the peer holds no reservation on the relay";
    case ADIT_EFULL:
        return "the relay is full, or a limit of it is reached";
    case ADIT_EUNREACHABLE:
        return "the relay could not reach the peer";
    case ADIT_EDENIED:
        return "the relay does not permit it";
    default:
        return "the relay refused";
    }
}

static void
hop_push(struct adit_connect *c)
{
    struct adit_slice o;

    while ((o = adit_hop_cli_out(&c->hop_m)).n > 0) {
        size_t n = adit_hstream_write_copy(c->hop, o);

        adit_hop_cli_sent(&c->hop_m, n);
        if (n < o.n)
            return;
    }
}

static size_t
hop_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct adit_connect *c = ctx;
    struct adit_hop_cli_event ev;
    size_t used;
    adit_err e = adit_hop_cli_feed(&c->hop_m, adit_slice(in.p, in.n), &used);

    (void)s;
    if (e != ADIT_OK) {
        circuit_failed(c, e, "the relay's answer makes no sense");
        return in.n;
    }
    if (adit_hop_cli_next(&c->hop_m, &ev) != ADIT_OK)
        return used;
    if (ev.type == ADIT_HOP_CLI_CONNECTED)
        circuit_open(c, &ev.limit);
    else
        circuit_failed(c, adit_refusal_err(ev.status), refused_why(ev.status));
    return used;
}

static void
hop_fin(void *ctx, struct adit_hstream *s)
{
    (void)s;
    circuit_failed(ctx, ADIT_EPROTO, "the relay closed without an answer");
}

static void
hop_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    hop_push(ctx);
}

static void
hop_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct adit_connect *c = ctx;

    (void)s;
    (void)code;
    c->hop = NULL;
    circuit_failed(c, why,
                   why == ADIT_EUNSUPPORTED ? "that peer is not a relay"
                                            : "the relay broke off");
}

static const struct adit_hstream_ops hop_ops = {
    .on_data = hop_data,
    .on_fin = hop_fin,
    .on_room = hop_room,
    .on_end = hop_end,
};

static void
ask_relay(struct adit_connect *c, struct adit_hconn *relay)
{
    adit_err e;

    adit_hop_cli_init(&c->hop_m, c->h->mem, &c->h->identity->id);
    e = adit_hop_cli_connect(&c->hop_m, &c->peer);
    if (e == ADIT_OK)
        e = adit_hstream_open(relay, ADIT_HOP_ID, &hop_ops, c, &c->hop);
    if (e != ADIT_OK) {
        circuit_failed(c, e, "no stream to the relay");
        return;
    }
    hop_push(c);
}

static void
on_relay(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct adit_connect *c = ctx;

    (void)why;
    c->to_relay = NULL;
    if (e != ADIT_OK)
        circuit_failed(c, e, "the relay does not answer");
    else
        ask_relay(c, hc);
}

static void
try_circuit(struct adit_connect *c)
{
    while (!c->circuit_busy && c->relay_may_start && c->winner == NULL &&
           c->at_circuit < c->n_circuit) {
        struct adit_maddr relay;
        struct adit_peerid dst;
        struct adit_connect_config cfg = { .addrs = &relay,
                                           .n = 1,
                                           .mode = ADIT_CONNECT_DIRECT };
        struct adit_hconn *hc;
        adit_err e =
            adit_maddr_split_circuit(&c->circuit[c->at_circuit], &relay, &dst);

        adit_maddr_peer(&relay, &cfg.peer);
        if (e != ADIT_OK || adit_peerid_is_none(&cfg.peer)) {
            note(c, ADIT_EINVAL, "a circuit address names no relay");
            c->at_circuit++;
            continue;
        }
        c->circuit_busy = true;
        hc = adit_host_direct_to(c->h, &cfg.peer);
        if (hc != NULL) {
            ask_relay(c, hc);
            continue;
        }
        cfg.timeout_us =
            adit_instant_sub(c->deadline, adit_worker_now(c->h->w));
        e = adit_connect_start(c->h, &cfg, on_relay, c, &c->to_relay);
        if (e != ADIT_OK) {
            note(c, e, "the relay's address cannot be dialled");
            c->circuit_busy = false;
            c->at_circuit++;
        }
    }
}

/* ---- the direct leg ----------------------------------------------------- */

static void
direct_over(struct adit_connect *c, adit_err e, const char *why)
{
    note(c, e, why);
    c->direct_done = true;
    c->relay_may_start = true;
    try_circuit(c);
    check(c);
}

static void
on_dialled(void *ctx, const struct adit_dial_result *r)
{
    struct adit_connect *c = ctx;
    const char *why = "nothing answers at its addresses";

    c->dial = NULL;
    if (r->err != ADIT_OK) {
        if (r->n_rows > 0 && r->rows[0].why[0] != '\0')
            why = r->rows[0].why;
        direct_over(c, r->err, why);
        return;
    }
    if (adit_host_adopt(c->h, r->pipe, true,
                        adit_peerid_is_none(&c->peer) ? NULL : &c->peer, NULL,
                        false, &c->direct_hc) != ADIT_OK)
        direct_over(c, ADIT_ENOMEM, "no memory");
}

static void
on_conn(void *ctx, struct adit_hconn *hc)
{
    struct adit_connect *c = ctx;

    if (c->winner != NULL || (hc != c->direct_hc && hc != c->circuit_hc))
        return;
    c->winner = hc;
    over(c);
}

static void
on_conn_end(void *ctx, struct adit_hconn *hc, adit_err why, const char *text)
{
    struct adit_connect *c = ctx;

    if (hc == c->winner)
        c->winner = NULL;
    if (hc == c->direct_hc) {
        c->direct_hc = NULL;
        direct_over(c, why, text);
    } else if (hc == c->circuit_hc) {
        c->circuit_hc = NULL;
        circuit_failed(c, why, text);
    }
}

static const struct adit_host_events watch_events = {
    .on_conn = on_conn,
    .on_conn_end = on_conn_end,
};

static void
on_deadline(void *ctx)
{
    struct adit_connect *c = ctx;

    c->is_late = true;
    c->err = ADIT_ETIMEDOUT;
    c->why = "no answer in time";
    over(c);
}

static void
on_head_start_over(void *ctx)
{
    struct adit_connect *c = ctx;

    c->relay_may_start = true;
    try_circuit(c);
    check(c);
}

/* ---- verbs --------------------------------------------------------------- */

static void
sort_addrs(struct adit_connect *c, const struct adit_connect_config *cfg)
{
    for (size_t i = 0; i < cfg->n; i++) {
        struct adit_slice unused;
        struct adit_peerid named;

        if (adit_maddr_find(&cfg->addrs[i], ADIT_MA_P2P_CIRCUIT, &unused)) {
            if (cfg->mode != ADIT_CONNECT_DIRECT &&
                !adit_peerid_is_none(&c->peer) &&
                c->n_circuit < ADIT_CONNECT_MAX_ADDRS)
                c->circuit[c->n_circuit++] = cfg->addrs[i];
            continue;
        }
        adit_maddr_peer(&cfg->addrs[i], &named);
        if (c->n_direct == ADIT_CONNECT_MAX_ADDRS ||
            (!adit_peerid_is_none(&named) && !adit_peerid_is_none(&c->peer) &&
             !adit_peerid_eq(&named, &c->peer)))
            continue;
        c->direct[c->n_direct++] = cfg->addrs[i];
    }
}

static adit_err
start_direct(struct adit_connect *c)
{
    struct adit_dial_config cfg = {
        .addrs = c->direct,
        .n = c->n_direct,
        .deadline = c->deadline,
        .bind4 = c->h->bind4,
        .bind6 = c->h->bind6,
        .resolver = c->h->resolver,
    };

    return c->h->cfg.dialer->start(c->h->cfg.dialer->ctx, &cfg, on_dialled, c,
                                   &c->dial);
}

/* Is there a connection already that will do? */
static bool
use_open(struct adit_connect *c)
{
    if (!adit_peerid_is_none(&c->peer))
        c->winner = c->mode == ADIT_CONNECT_DIRECT
                        ? adit_host_direct_to(c->h, &c->peer)
                        : adit_host_conn_to(c->h, &c->peer,
                                            c->mode == ADIT_CONNECT_ANY);
    if (c->winner != NULL)
        over(c);
    return c->winner != NULL;
}

static adit_err
begin(struct adit_connect *c)
{
    struct adit_instant now = adit_worker_now(c->h->w);
    adit_err e;

    if (c->n_direct + c->n_circuit == 0)
        return ADIT_EINVAL;
    if (c->n_direct == 0) {
        c->direct_done = true;
        return adit_timer_set(c->h->w, &c->head_start, now);
    }
    e = start_direct(c);
    if (e == ADIT_OK && c->n_circuit > 0)
        e = adit_timer_set(c->h->w, &c->head_start,
                           adit_instant_add(now, c->head_start_us));
    return e;
}

static bool
same_addrs(const struct adit_maddr *a, size_t n_a, const struct adit_maddr *b,
           size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (!adit_maddr_eq(&a[i], &b[i]))
            return false;
    return true;
}

static struct adit_connect *
find_leader(const struct adit_connect *c)
{
    if (adit_peerid_is_none(&c->peer))
        return NULL;
    ADIT_LIST_EACH(n, tmp, &c->h->connects)
    {
        struct adit_connect *l =
            ADIT_CONTAINER_OF(n, struct adit_connect, link);

        if (l->leader == NULL && !l->is_over && l->mode == c->mode &&
            l->head_start_us == c->head_start_us &&
            adit_peerid_eq(&l->peer, &c->peer) &&
            same_addrs(l->direct, l->n_direct, c->direct, c->n_direct) &&
            same_addrs(l->circuit, l->n_circuit, c->circuit, c->n_circuit))
            return l;
    }
    return NULL;
}

adit_err
adit_connect_start(struct adit_host *h, const struct adit_connect_config *cfg,
                   adit_connect_fn *fn, void *ctx, struct adit_connect **out)
{
    struct adit_connect *c = ADIT_NEW(h->mem, struct adit_connect);
    struct adit_instant now = adit_worker_now(h->w);
    adit_err e;

    if (c == NULL)
        return ADIT_ENOMEM;
    c->h = h;
    c->fn = fn;
    c->ctx = ctx;
    c->peer = cfg->peer;
    c->mode = cfg->mode;
    c->head_start_us =
        cfg->mode == ADIT_CONNECT_WAIT ? cfg->wait_us : HEAD_START_US;
    c->deadline = adit_instant_add(now, cfg->timeout_us);
    c->timer = (struct adit_timer){ .fn = on_deadline, .ctx = c };
    c->head_start = (struct adit_timer){ .fn = on_head_start_over, .ctx = c };
    c->task = (struct adit_task){ .fn = finish, .ctx = c };
    c->watch.ev = &watch_events;
    c->watch.ctx = c;
    adit_host_watch(h, &c->watch);
    sort_addrs(c, cfg);

    e = adit_timer_set(h->w, &c->timer, c->deadline);
    if (e == ADIT_OK && !use_open(c)) {
        c->leader = find_leader(c);
        if (c->leader == NULL)
            e = begin(c);
    }
    if (e != ADIT_OK) {
        release_all(c);
        ADIT_FREE(h->mem, c);
        return e;
    }
    adit_list_push_tail(&h->connects, &c->link);
    *out = c;
    return ADIT_OK;
}

void
adit_connect_cancel(struct adit_connect *c)
{
    if (c == NULL)
        return;
    release_all(c);
    pass_on(c);
    ADIT_FREE(c->h->mem, c);
}
