/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Six nodes that do anything at any time: dial, write, end, reset, close,
 * lose every link, give a reservation up and take it again; with limits that
 * bite, reservations that run out, verdicts that come late.  Its relay has
 * an operator who changes his mind: other classes in another order, caps,
 * rates, quotas, kicks, bans, drains, an admission service, books, and a wall
 * clock that jumps.  Whatever happens: no crash, and
 * when all is over every count is zero.
 *
 * SIM_SEED replays one seed, SIM_SEEDS says how many, SIM_FROM where to
 * begin.
 */
#include "fakes.h"
#include "world.h"

#include "host/circuit.h"
#include "host/relay_in.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ECHO "/sim/echo/1"
#define N_CLIENTS 5
#define N_DIALS 8
#define N_ACTIONS 60

struct random_run;

struct dial {
    struct random_run *r;
    struct adit_connect *connect;
    struct adit_hstream *s;
};

struct client {
    struct sim_node *n;
    struct adit_service echo;
    struct adit_reserve *reserve;
};

struct random_run {
    struct sim_world w;
    struct sim_node *relay;
    struct adit_node_config base; /* of the relay, before any reload */
    struct client c[N_CLIENTS];
    struct dial d[N_DIALS];
    uint64_t n_open, n_back;
};

/* ---- the service ------------------------------------------------------------ */

static size_t
echo_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct random_run *r = ctx;

    if (sim_rand(&r->w, 50) == 0) {
        adit_hstream_reset(s, 7);
        return in.n;
    }
    return adit_hstream_write_copy(s, adit_slice(in.p, in.n));
}

static void
echo_room(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_resume(s);
}

static void
echo_fin(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_close(s);
}

static void
echo_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)ctx;
    (void)s;
    (void)why;
    (void)code;
}

static const struct adit_hstream_ops echo_ops = {
    .on_data = echo_data,
    .on_fin = echo_fin,
    .on_room = echo_room,
    .on_end = echo_end,
};

static void
echo_open(void *ctx, struct adit_hstream *s)
{
    adit_hstream_take(s, &echo_ops, ctx);
}

/* ---- the dialers --------------------------------------------------------------- */

static size_t
back_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct dial *d = ctx;

    (void)s;
    d->r->n_back += in.n;
    return in.n;
}

static void
back_fin(void *ctx, struct adit_hstream *s)
{
    struct dial *d = ctx;

    d->s = NULL;
    adit_hstream_close(s);
}

static void
back_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct dial *d = ctx;

    (void)s;
    (void)why;
    (void)code;
    d->s = NULL;
}

static const struct adit_hstream_ops back_ops = {
    .on_data = back_data,
    .on_fin = back_fin,
    .on_end = back_end,
};

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct dial *d = ctx;

    (void)why;
    d->connect = NULL;
    if (e == ADIT_OK &&
        adit_hstream_open(hc, ECHO, &back_ops, d, &d->s) == ADIT_OK)
        d->r->n_open++;
}

static void
on_reserved(void *ctx, struct adit_reserve *x, bool renewed)
{
    (void)ctx;
    (void)x;
    (void)renewed;
}

static void
on_lost(void *ctx, struct adit_reserve *x, adit_err why, uint32_t status,
        const char *text, int64_t retry_us)
{
    (void)ctx;
    (void)x;
    (void)why;
    (void)status;
    (void)text;
    (void)retry_us;
}

static const struct adit_reserve_events reserve_events = {
    on_reserved,
    on_lost,
};

/* ---- the operator --------------------------------------------------------------- */

static const char *const names[] = FAKE_CLASSES;

static void
set(struct adit_node_config *cfg, const char *cls, const char *key,
    const char *value)
{
    char name[ADIT_OPT_NAME_BYTES], why[ADIT_OPT_WHY_BYTES];

    snprintf(name, sizeof(name), "class.%s.%s", cls, key);
    if (adit_node_config_set(cfg, name, value, why) != ADIT_OK)
        fail_msg("%s", why);
}

static void
set_n(struct adit_node_config *cfg, const char *cls, const char *key,
      uint64_t v, const char *unit)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu%s", (unsigned long long)v, unit);
    set(cfg, cls, key, text);
}

/* 0, and so no limit, once in three. */
static uint64_t
some(struct random_run *r, uint64_t max)
{
    return sim_rand(&r->w, 3) == 0 ? 0 : 1 + sim_rand(&r->w, max);
}

static void
add_class(struct random_run *r, struct adit_node_config *cfg, const char *cls)
{
    char text[8 + ADIT_PEERID_TEXT_BYTES];

    snprintf(text, sizeof(text), "%us", 1 + (unsigned)sim_rand(&r->w, 20));
    set(cfg, cls, "circuit_duration", text);
    snprintf(text, sizeof(text), "%us", 2 + (unsigned)sim_rand(&r->w, 30));
    set(cfg, cls, "reservation_ttl", text);
    set_n(cfg, cls, "reservations", some(r, 4), "");
    set_n(cfg, cls, "reservations_per_hour", some(r, 60), "");
    set_n(cfg, cls, "circuits_per_hour", some(r, 60), "");
    set_n(cfg, cls, "circuits", some(r, 4), "");
    set_n(cfg, cls, "circuit_bytes", some(r, 40000), "B");
    set_n(cfg, cls, "circuit_bytes_s", some(r, 20000), "B");
    set_n(cfg, cls, "peer_bytes_s", some(r, 20000), "B");
    set_n(cfg, cls, "day_bytes", some(r, 60000), "B");
    set_n(cfg, cls, "month_bytes", some(r, 200000), "B");
    if (sim_rand(&r->w, 8) == 0)
        set(cfg, cls, "may_reserve", "no");
    if (sim_rand(&r->w, 2) == 0) {
        struct client *c = &r->c[sim_rand(&r->w, N_CLIENTS)];

        set(cfg, cls, "peers", adit_peerid_format(&c->n->identity.id, text));
    }
}

/* Whom each class may dial, and where it falls: rings of them too. */
static void
join_classes(struct random_run *r, struct adit_node_config *cfg)
{
    for (size_t i = 0; i < cfg->n_classes; i++) {
        const char *cls = cfg->classes[i].name;
        const char *to = cfg->classes[sim_rand(&r->w, cfg->n_classes)].name;

        if (sim_rand(&r->w, 8) == 0)
            set(cfg, cls, "may_dial", to);
        if (sim_rand(&r->w, 3) != 0 && strcmp(to, cls) != 0)
            set(cfg, cls, "over_quota", to);
    }
}

/* Some of the names, in any order; the first is always that of everybody. */
static void
make_config(struct random_run *r, struct adit_node_config *cfg)
{
    const char *left[ADIT_NITEMS(names)];
    size_t n = ADIT_NITEMS(names);

    *cfg = r->base;
    memcpy(left, names, sizeof(left));
    memset(cfg->classes, 0, sizeof(cfg->classes));
    cfg->n_classes = 0;
    add_class(r, cfg, left[0]);
    left[0] = left[--n];
    for (size_t k = sim_rand(&r->w, n + 1); k > 0; k--) {
        size_t i = (size_t)sim_rand(&r->w, n);

        add_class(r, cfg, left[i]);
        left[i] = left[--n];
    }
    join_classes(r, cfg);
    cfg->circuit_wider = sim_rand(&r->w, 2) == 0;
    cfg->rate_node = some(r, 50000);
    cfg->rsvps_per_hour_ip = some(r, 60);
    cfg->circuits_per_hour_ip = some(r, 60);
    cfg->rsvp_grace_us = (int64_t)sim_rand(&r->w, 4) * ADIT_S;
    cfg->drain_every_us = (int64_t)(1 + sim_rand(&r->w, 3)) * ADIT_S;
    cfg->drain_deadline_us = (int64_t)sim_rand(&r->w, 10) * ADIT_S;
    cfg->drain_group = 1 + sim_rand(&r->w, 3);
    cfg->drain_threshold = sim_rand(&r->w, 3);
    for (size_t t = 0; t < ADIT_N_CAP_THINGS; t++)
        if (sim_rand(&r->w, 6) == 0)
            for (size_t i = 0; i < ADIT_N_CAP_SCOPES; i++)
                cfg->caps[t][i] = some(r, t == ADIT_CAP_STREAMS ? 60 : 12);
    if (sim_rand(&r->w, 3) == 0)
        snprintf(cfg->admission_url, sizeof(cfg->admission_url),
                 "http://fake/%u", (unsigned)sim_rand(&r->w, 3));
}

static void
reload(struct random_run *r, const struct adit_node_config *cfg)
{
    char why[ADIT_NODE_WHY_BYTES] = "";
    struct adit_rules *rules;

    if (adit_rules_new(cfg, &rules, why) != ADIT_OK)
        fail_msg("%s", why);
    if (adit_node_change(r->relay->node, cfg, rules) != ADIT_OK)
        fail_msg("a reload failed");
}

static bool
see_circuit(void *ctx, const struct adit_circuit_info *c)
{
    struct random_run *r = ctx;

    adit_assert(c->id > 0 && c->age_us >= 0);
    return sim_rand(&r->w, 8) != 0;
}

static bool
see_peer(void *ctx, const struct adit_relay_peer_info *p)
{
    struct random_run *r = ctx;
    const struct adit_rules *rules =
        adit_relay_rules(adit_node_relay(r->relay->node));

    adit_assert(adit_rules_class(rules, p->class_name) != ADIT_NO_CLASS);
    return true;
}

static void
operate(struct random_run *r)
{
    struct adit_relay *relay = adit_node_relay(r->relay->node);
    const struct adit_peerid *who =
        &r->c[sim_rand(&r->w, N_CLIENTS)].n->identity.id;
    struct adit_node_config cfg;
    adit_err e = ADIT_OK;

    switch (sim_rand(&r->w, 16)) {
    case 0:
        adit_relay_kick(relay, who);
        break;
    case 1:
        e = adit_relay_ban(relay, who,
                           sim_rand(&r->w, 3) == 0
                               ? 0
                               : r->w.unix_s + (int64_t)sim_rand(&r->w, 5));
        break;
    case 2:
    case 3:
        adit_relay_unban(relay, who);
        break;
    case 4:
    case 5:
        e = adit_relay_set_class(relay, who,
                                 names[sim_rand(&r->w, ADIT_NITEMS(names))]);
        break;
    case 6:
        e = adit_relay_set_class(relay, who, "");
        break;
    case 7:
        if (sim_rand(&r->w, 3) == 0)
            adit_relay_drain(relay);
        break;
    case 8:
    case 9:
        adit_relay_undrain(relay);
        break;
    case 10: /* the wall clock: seconds, a day, a month, there and back */
        r->w.unix_s += ((int64_t)sim_rand(&r->w, 80) - 40) *
                       (sim_rand(&r->w, 2) == 0 ? 1 : 86400);
        break;
    case 11:
        adit_relay_each_circuit(relay, see_circuit, r);
        adit_relay_each_peer(relay, see_peer, r);
        break;
    default:
        make_config(r, &cfg);
        reload(r, &cfg);
        break;
    }
    if (e != ADIT_OK && e != ADIT_EINVAL)
        fail_msg("the operator got %s", adit_err_name(e));
}

/* He takes it all back. */
static void
calm_down(struct random_run *r)
{
    struct adit_relay *relay = adit_node_relay(r->relay->node);

    reload(r, &r->base);
    adit_relay_undrain(relay);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        const struct adit_peerid *who = &r->c[i].n->identity.id;

        adit_relay_unban(relay, who);
        if (adit_relay_set_class(relay, who, "") != ADIT_OK)
            fail_msg("a class");
    }
}

/* Whatever was just done: classes are classes, and who holds an account is
 * there. */
static void
check(const struct random_run *r, uint64_t seed)
{
    struct adit_relay *relay = adit_node_relay(r->relay->node);
    struct adit_list *hops = &relay->hops;
    const char *what = NULL;
    uint32_t n_classes = (uint32_t)relay->rules->n_classes, n_rsvps = 0;
    uint32_t n_in_classes = 0, n_circuits = 0;

    for (struct adit_account *a = adit_account_next(&relay->accounts, NULL);
         a != NULL; a = adit_account_next(&relay->accounts, a)) {
        uint32_t n_holds = a->is_reserved;
        struct adit_rsvp_info i = { .cls = ADIT_NO_CLASS };
        bool has = adit_rsvp_get(relay->table, &a->peer,
                                 (struct adit_instant){ 0 }, &i);

        ADIT_LIST_EACH(n, tmp, hops)
        {
            const struct adit_hop *p =
                ADIT_CONTAINER_OF(n, const struct adit_hop, link);

            n_holds += (p->src_acct == a) + (p->dst_acct == a);
            n_circuits += p->src_acct == a;
        }
        n_rsvps += has && i.has;
        if (a->standing.cls >= n_classes ||
            (a->forced != ADIT_NO_CLASS && a->forced >= n_classes) ||
            (i.cls != ADIT_NO_CLASS && i.cls >= n_classes))
            what = "a class that there is not";
        if (has && i.has != a->is_reserved)
            what = "a reservation that the account does not know";
        if (a->n_holds < n_holds ||
            (relay->n_waiting == 0 && a->n_holds != n_holds))
            what = "a hold by nobody";
        if ((a->n_holds > 0 || a->is_banned || a->forced != ADIT_NO_CLASS) &&
            adit_list_is_linked(&a->idle_link))
            what = "an idle account that is not";
    }
    for (uint8_t i = 0; i < ADIT_MAX_CLASSES; i++)
        n_in_classes += adit_rsvp_n_of(relay->table, i);
    if (n_rsvps != adit_rsvp_n(relay->table))
        what = "a reservation without an account";
    if (n_in_classes > n_rsvps)
        what = "more reservations in classes than there are";
    if (n_circuits != adit_rsvp_n_circuits(relay->table))
        what = "a circuit of no hop stream";
    if (what != NULL)
        fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

/* Nothing is counted, held or waited for. */
static void
nothing_left(const struct random_run *r, uint64_t seed)
{
    const struct adit_relay *relay = adit_node_relay(r->relay->node);
    const struct adit_caps *caps = &sim_host(r->relay)->caps;
    const char *what = NULL;

    if (adit_rsvp_n_entries(relay->table) != 0)
        what = "an entry of the table";
    for (uint8_t i = 0; i < ADIT_MAX_CLASSES; i++)
        if (adit_rsvp_n_of(relay->table, i) != 0)
            what = "a reservation in a class";
    if (adit_caps_n_entries(caps) != 0)
        what = "a place";
    for (size_t i = 0; i < ADIT_N_CAP_THINGS; i++)
        if (caps->n[i] != 0)
            what = "a cap's count";
    if (relay->n_waiting != 0 || relay->n_for_totals != 0 ||
        !adit_list_is_empty(&relay->waiting))
        what = "a verdict";
    if (!adit_list_is_empty(&relay->hops))
        what = "a hop stream";
    /* Those that moved something this month are remembered, by nobody. */
    if (relay->accounts.n_idle != relay->accounts.peers.n)
        what = "an account that is held";
    for (struct adit_account *a = adit_account_next(&relay->accounts, NULL);
         a != NULL; a = adit_account_next(&relay->accounts, a))
        if (a->n_holds != 0 || a->is_reserved)
            what = "a hold of an account";
    if (what != NULL)
        fail_msg("seed %llu: %s is left", (unsigned long long)seed, what);
}

/* ---- actions -------------------------------------------------------------------- */

static void
reserve(struct random_run *r, struct client *c)
{
    if (c->reserve == NULL &&
        adit_reserve_new(sim_host(c->n), &r->relay->addr, 1, &reserve_events,
                         r, &c->reserve) != ADIT_OK)
        c->reserve = NULL;
}

static void
start_dial(struct random_run *r, struct dial *d)
{
    struct client *from = &r->c[sim_rand(&r->w, N_CLIENTS)];
    struct client *to = &r->c[sim_rand(&r->w, N_CLIENTS)];
    struct adit_maddr at = r->relay->addr;
    struct adit_connect_config cc = {
        .peer = to->n->identity.id,
        .addrs = &at,
        .n = 1,
        .mode = ADIT_CONNECT_ANY,
        .timeout_us = (int64_t)(1 + sim_rand(&r->w, 30)) * ADIT_S,
    };

    if (from == to || d->connect != NULL || d->s != NULL)
        return;
    if (adit_maddr_push(&at, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE) !=
            ADIT_OK ||
        adit_maddr_push(&at, ADIT_MA_P2P,
                        adit_peerid_bytes(&to->n->identity.id)) != ADIT_OK)
        adit_assert(!"an address");
    if (adit_connect_start(sim_host(from->n), &cc, on_connected, d,
                           &d->connect) != ADIT_OK)
        d->connect = NULL;
}

static void
some_conn_of(struct random_run *r, struct sim_node *n)
{
    struct adit_list *head = &sim_host(n)->hconns;
    size_t skip = (size_t)sim_rand(&r->w, 4);

    ADIT_LIST_EACH(x, tmp, head)
    {
        if (skip-- > 0)
            continue;
        adit_hconn_close(ADIT_CONTAINER_OF(x, struct adit_hconn, link),
                         ADIT_DONE, "by chance");
        return;
    }
}

static void
act(struct random_run *r)
{
    struct dial *d = &r->d[sim_rand(&r->w, N_DIALS)];
    struct client *c = &r->c[sim_rand(&r->w, N_CLIENTS)];
    uint8_t buf[3000] = { 0 };
    size_t n = 1 + (size_t)sim_rand(&r->w, sizeof(buf));

    switch (sim_rand(&r->w, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        start_dial(r, d);
        break;
    case 4:
    case 5:
    case 6:
        for (size_t i = 0; i < N_DIALS; i++)
            if (r->d[i].s != NULL)
                adit_hstream_write_copy(r->d[i].s, adit_slice(buf, n));
        break;
    case 7:
        if (d->s != NULL)
            adit_hstream_fin(d->s);
        break;
    case 8:
        if (d->s != NULL)
            adit_hstream_reset(d->s, 1);
        d->s = NULL;
        break;
    case 9:
        adit_connect_cancel(d->connect);
        d->connect = NULL;
        break;
    case 10:
        some_conn_of(r, c->n);
        break;
    case 11:
        some_conn_of(r, r->relay);
        break;
    case 12:
        sim_cut(&r->w, c->n);
        break;
    case 13:
        adit_reserve_free(c->reserve);
        c->reserve = NULL;
        break;
    case 14: {
        static const uint64_t rates[] = { 0, 0, 3000, 20000, 1000000 };

        adit_pacer_set(&sim_host(r->relay)->pacer,
                       rates[sim_rand(&r->w, ADIT_NITEMS(rates))]);
        break;
    }
    default:
        reserve(r, c);
        break;
    }
}

static void
one_seed(uint64_t seed, bool verbose, uint64_t *n_open, uint64_t *n_back)
{
    struct sim_config cfg = { .seed = seed,
                              .chop = seed % 2 == 0,
                              .delay_verdicts = seed % 3 != 0,
                              .latency_us = (int64_t)(seed % 5) * 3000,
                              .verbose = verbose };
    struct random_run *r = calloc(1, sizeof(*r));
    bool operates = seed % 4 != 3; /* once in a while he is asleep */
    struct adit_node_config rc;

    sim_init(&r->w, &cfg);
    sim_defaults(&rc);
    rc.relay_enabled = true;
    rc.circuit_bytes = 1000 + sim_rand(&r->w, 40000);
    rc.circuit_us = (int64_t)(1 + sim_rand(&r->w, 20)) * ADIT_S;
    rc.rsvp_ttl_us = (int64_t)(2 + sim_rand(&r->w, 30)) * ADIT_S;
    rc.rsvp_grace_us = (int64_t)sim_rand(&r->w, 4) * ADIT_S;
    rc.caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = 2 + sim_rand(&r->w, 4);
    rc.circuits_per_peer = 1 + sim_rand(&r->w, 3);
    rc.buffer_bytes = 1u << 20;
    if (sim_rand(&r->w, 2) == 0)
        rc.ledger_backend = ADIT_LEDGER_SQLITE; /* a fake */
    r->base = rc;
    r->relay = sim_add(&r->w, &rc);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        r->c[i].n = sim_add(&r->w, NULL);
        r->c[i].echo = (struct adit_service){
            .protocol = ECHO,
            .on_limited = true,
            .open = echo_open,
            .ctx = r,
        };
        adit_host_serve(sim_host(r->c[i].n), &r->c[i].echo);
        reserve(r, &r->c[i]);
    }
    for (size_t i = 0; i < N_DIALS; i++)
        r->d[i].r = r;
    sim_run(&r->w, ADIT_S, NULL, NULL);
    for (unsigned i = 0; i < N_ACTIONS; i++) {
        act(r);
        if (operates && sim_rand(&r->w, 3) == 0)
            operate(r);
        sim_run(&r->w, (int64_t)sim_rand(&r->w, 1u << sim_rand(&r->w, 22)),
                NULL, NULL);
        check(r, seed);
    }
    for (size_t i = 0; i < N_DIALS; i++) {
        if (r->d[i].s != NULL)
            adit_hstream_reset(r->d[i].s, 0);
        r->d[i].s = NULL;
        adit_connect_cancel(r->d[i].connect);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        adit_reserve_free(r->c[i].reserve);
        adit_host_unserve(sim_host(r->c[i].n), &r->c[i].echo);
    }
    if (operates)
        calm_down(r);
    sim_run(&r->w, 120 * ADIT_S, NULL, NULL);
    /* By itself, before anything is shut down: all that was reserved has run
     * out, every circuit is at its limit, and idle connections are gone. */
    static const enum adit_metric zero[] = {
        ADIT_M_RSVP,    ADIT_M_CIRCUITS,   ADIT_M_CONNS,
        ADIT_M_STREAMS, ADIT_M_HANDSHAKES, ADIT_M_PACED,
    };
    for (size_t i = 0; i < ADIT_NITEMS(zero); i++)
        if (adit_metric_get(&r->relay->metrics, zero[i]) != 0)
            fail_msg("seed %llu: %s is %llu", (unsigned long long)seed,
                     adit_metric_row(zero[i])->name,
                     (unsigned long long)adit_metric_get(&r->relay->metrics,
                                                         zero[i]));
    if (adit_worker_pool(r->relay->w)->used_bytes != 0)
        fail_msg("seed %llu: buffers", (unsigned long long)seed);
    nothing_left(r, seed);
    *n_open += r->n_open;
    *n_back += r->n_back;
    sim_fini(&r->w);
    free(r);
}

static void
test_anything(void **state)
{
    const char *one = getenv("SIM_SEED"), *env = getenv("SIM_SEEDS");
    const char *from = getenv("SIM_FROM");
    uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 0;
    uint64_t n = env != NULL ? strtoull(env, NULL, 10) : 1000;
    uint64_t n_open = 0, n_back = 0;

    (void)state;
    if (one != NULL) {
        one_seed(strtoull(one, NULL, 10), true, &n_open, &n_back);
        return;
    }
    for (uint64_t i = first; i < first + n; i++)
        one_seed(i, false, &n_open, &n_back);
    print_message("# %llu streams opened, %llu bytes came back\n",
                  (unsigned long long)n_open, (unsigned long long)n_back);
    assert_true(n_open > n && n_back > n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything),
    };

    return cmocka_run_group_tests_name("sim/random", tests, NULL, NULL);
}
