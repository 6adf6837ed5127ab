/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/reserve.h"

#include "host/refusal.h"
#include "wire/circuit/hop_cli.h"

#define CONNECT_US (20 * ADIT_S)
#define ANSWER_US (20 * ADIT_S)

/*
 * Backoff: a relay that restarts is back in seconds; one that refuses is
 * asked more rarely.  Both double, up to a cap; each is jittered by a
 * quarter, so that the clients of a relay do not come back in step.
 */
#define BACKOFF_MIN_US (1 * ADIT_S)
#define BACKOFF_REFUSED_US (10 * ADIT_S)
#define BACKOFF_MAX_US (60 * ADIT_S)
#define BACKOFF_REFUSED_MAX_US (600 * ADIT_S)

/* Renew this long before the end, or at half the time if that is sooner. */
#define RENEW_BEFORE_S 120

/* A renewal that failed is tried again so soon. */
#define RENEW_RETRY_US (15 * ADIT_S)

struct adit_reserve {
    struct adit_host *h;
    struct adit_list link; /* in the host's */
    const struct adit_reserve_events *ev;
    void *ctx;
    struct adit_peerid relay;
    struct adit_maddr addrs[ADIT_RESERVE_MAX_ADDRS];
    size_t n_addrs;
    enum adit_reserve_state state;
    struct adit_connect *connect;
    struct adit_hconn *hc;
    struct adit_hstream *hop; /* asking, or renewing */
    struct adit_hop_cli m;
    struct adit_host_watch watch;
    struct adit_timer timer; /* retry, renewal, or the answer's deadline */
    unsigned n_failed;
    int64_t expire_unix_s;
    struct adit_circuit_limit limit;
    struct adit_maddr own[ADIT_RESERVE_MAX_ADDRS];
    size_t n_own;
};

static void begin(struct adit_reserve *r);
static void ask(struct adit_reserve *r);

static adit_err
arm(struct adit_reserve *r, int64_t us)
{
    return adit_timer_set(r->h->w, &r->timer,
                          adit_instant_add(adit_worker_now(r->h->w), us));
}

static int64_t
jittered(struct adit_reserve *r, int64_t us)
{
    uint64_t spread = (uint64_t)us / 2 + 1;

    return us - us / 4 +
           (int64_t)(adit_rng_u64(adit_worker_rng(r->h->w)) % spread);
}

static void
drop_hop(struct adit_reserve *r)
{
    if (r->hop != NULL)
        adit_hstream_reset(r->hop, ADIT_YAMUX_NORMAL);
    r->hop = NULL;
    adit_hop_cli_fini(&r->m);
}

static void
lost(struct adit_reserve *r, adit_err why, uint32_t status, const char *text)
{
    bool refused = status != 0;
    int64_t us = refused ? BACKOFF_REFUSED_US : BACKOFF_MIN_US;
    int64_t max = refused ? BACKOFF_REFUSED_MAX_US : BACKOFF_MAX_US;

    for (unsigned i = 0; i < r->n_failed && us < max; i++)
        us *= 2;
    us = jittered(r, ADIT_MIN(us, max));
    r->n_failed++;
    drop_hop(r);
    if (r->hc != NULL)
        adit_hconn_unhold(r->hc);
    r->hc = NULL;
    r->n_own = 0;
    r->state = ADIT_RESERVE_BACKOFF;
    if (arm(r, us) != ADIT_OK)
        adit_timer_stop(r->h->w, &r->timer); /* armed before: cannot be */
    r->ev->on_lost(r->ctx, r, why, status, text, us);
}

/* A renewal failed: nothing is lost before the reservation itself is. */
static void
failed(struct adit_reserve *r, adit_err why, uint32_t status, const char *text)
{
    int64_t left = (r->expire_unix_s - adit_worker_unix_s(r->h->w)) * ADIT_S;

    if (r->state != ADIT_RESERVE_HELD || left <= RENEW_RETRY_US) {
        lost(r, why, status, text);
        return;
    }
    drop_hop(r);
    if (arm(r, jittered(r, RENEW_RETRY_US)) != ADIT_OK)
        lost(r, ADIT_ENOMEM, 0, "no memory for a timer");
}

/* ---- the answer ---------------------------------------------------------- */

static void
add_own(struct adit_reserve *r, struct adit_slice bytes)
{
    struct adit_maddr a;
    struct adit_peerid named;
    struct adit_slice unused;

    if (r->n_own == ADIT_RESERVE_MAX_ADDRS ||
        adit_maddr_dec(bytes, &a) != ADIT_OK ||
        adit_maddr_find(&a, ADIT_MA_P2P_CIRCUIT, &unused))
        return;
    adit_maddr_peer(&a, &named);
    if (adit_peerid_is_none(&named)) {
        if (adit_maddr_push(&a, ADIT_MA_P2P, adit_peerid_bytes(&r->relay)) !=
            ADIT_OK)
            return;
    } else if (!adit_peerid_eq(&named, &r->relay)) {
        return;
    }
    if (adit_maddr_push(&a, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE) != ADIT_OK)
        return;
    for (size_t i = 0; i < r->n_own; i++)
        if (adit_maddr_eq(&r->own[i], &a))
            return;
    r->own[r->n_own++] = a;
}

static void
granted(struct adit_reserve *r, const struct adit_hop_cli_event *ev)
{
    bool renewed = r->state == ADIT_RESERVE_HELD;
    int64_t life = ev->expire_unix_s - adit_worker_unix_s(r->h->w);
    int64_t before;

    if (life <= 0) {
        failed(r, ADIT_EEXPIRED, 0,
               "the relay grants what is over already: are the clocks right?");
        return;
    }
    r->limit = ev->limit;
    r->expire_unix_s = ev->expire_unix_s;
    r->n_own = 0;
    /* The way we came is known to work; then what the relay says. */
    for (size_t i = 0; i < r->n_addrs; i++)
        add_own(r, adit_maddr_bytes(&r->addrs[i]));
    for (size_t i = 0; i < ev->n_addrs; i++)
        add_own(r, ev->addrs[i]);
    adit_hstream_close(r->hop);
    r->hop = NULL;
    adit_hop_cli_fini(&r->m);
    r->state = ADIT_RESERVE_HELD;
    r->n_failed = 0;
    before = ADIT_MIN((int64_t)RENEW_BEFORE_S, life / 2);
    if (arm(r, jittered(r, (life - before) * ADIT_S * 4 / 5)) != ADIT_OK) {
        lost(r, ADIT_ENOMEM, 0, "no memory for a timer");
        return;
    }
    r->ev->on_reserved(r->ctx, r, renewed);
}

static size_t
hop_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct adit_reserve *r = ctx;
    struct adit_hop_cli_event ev;
    size_t used;
    adit_err e = adit_hop_cli_feed(&r->m, adit_slice(in.p, in.n), &used);

    (void)s;
    if (e != ADIT_OK) {
        const char *why = adit_hop_cli_why(&r->m);

        failed(r, e, 0, why != NULL ? why : "the answer makes no sense");
        return in.n;
    }
    if (adit_hop_cli_next(&r->m, &ev) != ADIT_OK)
        return used;
    if (ev.type == ADIT_HOP_CLI_RESERVED)
        granted(r, &ev);
    else
        failed(r, adit_refusal_err(ev.status), ev.status,
               adit_circuit_status_name(ev.status));
    return in.n;
}

static void
hop_fin(void *ctx, struct adit_hstream *s)
{
    (void)s;
    failed(ctx, ADIT_EPROTO, 0, "the relay closed without an answer");
}

static void
hop_push(struct adit_reserve *r)
{
    struct adit_slice o;

    while ((o = adit_hop_cli_out(&r->m)).n > 0) {
        size_t n = adit_hstream_write_copy(r->hop, o);

        adit_hop_cli_sent(&r->m, n);
        if (n < o.n)
            return;
    }
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
    struct adit_reserve *r = ctx;

    (void)s;
    (void)code;
    r->hop = NULL;
    failed(r, why, 0,
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
ask(struct adit_reserve *r)
{
    adit_err e;

    if (r->state != ADIT_RESERVE_HELD)
        r->state = ADIT_RESERVE_ASKING;
    adit_hop_cli_init(&r->m, r->h->mem, &r->h->identity->id);
    e = adit_hop_cli_reserve(&r->m);
    if (e == ADIT_OK)
        e = arm(r, ANSWER_US);
    if (e == ADIT_OK)
        e = adit_hstream_open(r->hc, ADIT_HOP_ID, &hop_ops, r, &r->hop);
    if (e != ADIT_OK) {
        failed(r, e, 0, "no stream to the relay");
        return;
    }
    hop_push(r);
}

/* ---- the connection ------------------------------------------------------ */

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct adit_reserve *r = ctx;

    r->connect = NULL;
    if (e != ADIT_OK) {
        lost(r, e, 0, why);
        return;
    }
    r->hc = hc;
    adit_hconn_hold(hc);
    ask(r);
}

static void
begin(struct adit_reserve *r)
{
    struct adit_connect_config cfg = {
        .peer = r->relay,
        .addrs = r->addrs,
        .n = r->n_addrs,
        .mode = ADIT_CONNECT_DIRECT,
        .timeout_us = CONNECT_US,
    };
    adit_err e;

    r->state = ADIT_RESERVE_CONNECTING;
    e = adit_connect_start(r->h, &cfg, on_connected, r, &r->connect);
    if (e != ADIT_OK)
        lost(r, e, 0, "the relay's address cannot be dialled");
}

static void
on_conn_end(void *ctx, struct adit_hconn *hc, adit_err why, const char *text)
{
    struct adit_reserve *r = ctx;

    if (hc == r->hc)
        lost(r, why, 0, text);
}

static const struct adit_host_events watch_events = {
    .on_conn_end = on_conn_end,
};

static void
on_timer(void *ctx)
{
    struct adit_reserve *r = ctx;

    if (r->hop != NULL)
        failed(r, ADIT_ETIMEDOUT, 0, "the relay did not answer in time");
    else if (r->state == ADIT_RESERVE_HELD)
        ask(r);
    else
        begin(r);
}

/* ---- verbs --------------------------------------------------------------- */

adit_err
adit_reserve_new(struct adit_host *h, const struct adit_maddr *addrs, size_t n,
                 const struct adit_reserve_events *ev, void *ctx,
                 struct adit_reserve **out)
{
    struct adit_reserve *r = ADIT_NEW(h->mem, struct adit_reserve);

    if (r == NULL)
        return ADIT_ENOMEM;
    r->h = h;
    r->ev = ev;
    r->ctx = ctx;
    for (size_t i = 0; i < n && r->n_addrs < ADIT_RESERVE_MAX_ADDRS; i++) {
        struct adit_peerid named;

        adit_maddr_peer(&addrs[i], &named);
        if (adit_peerid_is_none(&named) ||
            (r->n_addrs > 0 && !adit_peerid_eq(&named, &r->relay))) {
            ADIT_FREE(h->mem, r);
            return ADIT_EINVAL;
        }
        r->relay = named;
        r->addrs[r->n_addrs++] = addrs[i];
    }
    r->timer = (struct adit_timer){ .fn = on_timer, .ctx = r };
    r->state = ADIT_RESERVE_BACKOFF;
    if (r->n_addrs == 0 || arm(r, 0) != ADIT_OK) {
        adit_err e = r->n_addrs == 0 ? ADIT_EINVAL : ADIT_ENOMEM;

        ADIT_FREE(h->mem, r);
        return e;
    }
    r->watch.ev = &watch_events;
    r->watch.ctx = r;
    adit_host_watch(h, &r->watch);
    adit_list_push_tail(&h->reserves, &r->link);
    *out = r;
    return ADIT_OK;
}

void
adit_reserve_free(struct adit_reserve *r)
{
    if (r == NULL)
        return;
    adit_host_unwatch(&r->watch);
    adit_list_remove(&r->link);
    adit_connect_cancel(r->connect);
    drop_hop(r);
    if (r->hc != NULL)
        adit_hconn_unhold(r->hc);
    adit_timer_stop(r->h->w, &r->timer);
    ADIT_FREE(r->h->mem, r);
}

enum adit_reserve_state
adit_reserve_state(const struct adit_reserve *r)
{
    return r->state;
}

const struct adit_peerid *
adit_reserve_relay(const struct adit_reserve *r)
{
    return &r->relay;
}

int64_t
adit_reserve_expire_unix_s(const struct adit_reserve *r)
{
    return r->expire_unix_s;
}

const struct adit_circuit_limit *
adit_reserve_limit(const struct adit_reserve *r)
{
    return &r->limit;
}

const struct adit_maddr *
adit_reserve_addrs(const struct adit_reserve *r, size_t *n)
{
    *n = r->n_own;
    return r->own;
}

bool
adit_reserve_is_relay(const struct adit_host *h, const struct adit_peerid *id)
{
    ADIT_LIST_EACH(n, tmp, &((struct adit_host *)(uintptr_t)h)->reserves)
    {
        const struct adit_reserve *r =
            ADIT_CONTAINER_OF(n, struct adit_reserve, link);

        if (adit_peerid_eq(&r->relay, id))
            return true;
    }
    return false;
}
