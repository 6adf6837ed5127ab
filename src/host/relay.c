/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/relay_in.h"

#include "host/refusal.h"

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

struct adit_hconn *
adit_relay_reserved_conn(struct adit_relay *r, const struct adit_peerid *id)
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

void
adit_relay_reserve_over(struct adit_hconn *hc)
{
    if (hc->is_reserved)
        return;
    hc->is_reserved = true;
    adit_hconn_hold(hc);
}

void
adit_relay_unreserve(struct adit_relay *r, const struct adit_peerid *id)
{
    uint32_t n = adit_rsvp_n(r->table);

    adit_rsvp_drop(r->table, id);
    adit_metric_add(r->h->metrics, ADIT_M_RSVP_CLOSED,
                    n - adit_rsvp_n(r->table));
    adit_books_unreserved(r, id);
    unmark_reserved(r, id);
}

static void
expired(void *ctx, const struct adit_peerid *peer)
{
    struct adit_relay *r = ctx;

    adit_metric_add(r->h->metrics, ADIT_M_RSVP_CLOSED, 1);
    adit_books_unreserved(r, peer);
    unmark_reserved(r, peer);
}

void
adit_relay_arm(struct adit_relay *r)
{
    struct adit_instant due = adit_rsvp_due(r->table);

    adit_metric_set(r->h->metrics, ADIT_M_RSVP, adit_rsvp_n(r->table));
    adit_metric_set(r->h->metrics, ADIT_M_CIRCUITS,
                    adit_rsvp_n_circuits(r->table));
    if (due.us == ADIT_NEVER.us)
        adit_timer_stop(r->h->w, &r->timer);
    else if (adit_timer_set(r->h->w, &r->timer, due) != ADIT_OK)
        adit_rsvp_tick(r->table, adit_relay_now(r), expired,
                       r); /* next turn's try */
}

static void
on_table_due(void *ctx)
{
    struct adit_relay *r = ctx;

    adit_rsvp_tick(r->table, adit_relay_now(r), expired, r);
    adit_relay_arm(r);
}

static void
on_conn_end(void *ctx, struct adit_hconn *hc, adit_err why, const char *text)
{
    struct adit_relay *r = ctx;
    uint32_t n = adit_rsvp_n(r->table);
    struct adit_hconn *other;

    (void)why;
    (void)text;
    if (hc->peer == NULL || !hc->is_reserved)
        return;
    hc->is_reserved = false;
    if (adit_relay_reserved_conn(r, &hc->peer->id) != NULL)
        return;
    /* It goes on over another connection, if there is one. */
    other = adit_host_direct_to(r->h, &hc->peer->id);
    if (other != NULL) {
        adit_relay_reserve_over(other);
        return;
    }
    adit_rsvp_disconnected(r->table, &hc->peer->id, adit_relay_now(r));
    /* Without a grace it is gone. */
    adit_metric_add(r->h->metrics, ADIT_M_RSVP_CLOSED,
                    n - adit_rsvp_n(r->table));
    adit_books_unreserved(r, &hc->peer->id);
    adit_relay_arm(r);
}

static const struct adit_host_events watch_events = {
    .on_conn_end = on_conn_end,
};

/* ---- addresses ----------------------------------------------------------- */

size_t
adit_relay_own_addrs(struct adit_relay *r, struct adit_hconn *hc,
                     struct adit_maddr out[ADIT_HOST_MAX_ADDRS])
{
    struct adit_host *h = r->h;
    struct adit_slice id = adit_peerid_bytes(&h->identity->id);
    struct adit_maddr here = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < h->n_addrs; i++) {
        struct adit_endpoint e;

        out[n] = h->addrs[i];
        if (!r->cfg.announce_private &&
            adit_endpoint_of_maddr(&out[n], &e, NULL) == ADIT_OK &&
            !adit_endpoint_is_global(&e))
            continue;
        if (adit_maddr_push(&out[n], ADIT_MA_P2P, id) == ADIT_OK)
            n++;
    }
    if (n > 0)
        return n;
    hc->conn->pipe->ops->describe(hc->conn->pipe, false, &here);
    if (here.n == 0 || adit_maddr_push(&here, ADIT_MA_P2P, id) != ADIT_OK)
        return 0;
    if (!r->warned_address) {
        struct adit_log_line l;
        char text[ADIT_MADDR_TEXT_BYTES];

        r->warned_address = true;
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

/* ---- verdicts ------------------------------------------------------------ */

void
adit_relay_answer(struct adit_relay *r, struct adit_ask *a)
{
    if (a->waiter != NULL)
        adit_hop_answer(a->waiter, a);
    ADIT_FREE(r->h->mem, a);
}

static void
own_ask(void *ctx, struct adit_ask *a)
{
    adit_relay_judge(ctx, a);
}

void
adit_relay_set_judge(struct adit_relay *r, const struct adit_judge *j)
{
    static const struct adit_judge own = { .ask = own_ask };

    r->judge = j != NULL ? *j : own;
    if (j == NULL)
        r->judge.ctx = r;
}

/* ---- made, changed, freed -------------------------------------------------- */

/* Without a URL there is nobody to ask. */
static adit_err
make_admission(struct adit_host *h, const struct adit_relay_config *cfg,
               const char *token, struct adit_admission **out)
{
    struct adit_admission_config c = {
        .url = cfg->admission_url,
        .token = token,
        .timeout_us = cfg->admission_timeout_us,
        .cache_us = cfg->admission_cache_us,
        .metrics = h->metrics,
    };

    *out = NULL;
    return c.url[0] != '\0' ? adit_admission_new(h->w, &c, out) : ADIT_OK;
}

static void
relay_init(struct adit_relay *r, struct adit_host *h,
           const struct adit_relay_config *cfg)
{
    r->h = h;
    r->cfg = *cfg;
    adit_list_init(&r->hops);
    adit_list_init(&r->waiting);
    r->timer = (struct adit_timer){ .fn = on_table_due, .ctx = r };
    adit_relay_set_judge(r, NULL);
    adit_drain_init(r);
}

static void
release(struct adit_relay *r)
{
    adit_admission_free(r->admission);
    adit_rsvp_free(r->table);
    adit_pace_fini(&r->pace);
    adit_accounts_fini(&r->accounts);
    adit_rules_free(r->rules);
    ADIT_FREE(r->h->mem, r);
}

adit_err
adit_relay_new(struct adit_host *h, const struct adit_relay_config *cfg,
               struct adit_rules *rules, struct adit_relay **out)
{
    const struct adit_rng *rng = adit_worker_rng(h->w);
    struct adit_relay *r = ADIT_NEW(h->mem, struct adit_relay);
    adit_err e;

    if (r == NULL)
        return ADIT_ENOMEM;
    relay_init(r, h, cfg);
    e = adit_rsvp_new(h->mem, rng, &h->caps, cfg->grace_us, &r->table);
    if (e == ADIT_OK)
        e = adit_accounts_init(&r->accounts, h->mem, rng);
    if (e == ADIT_OK)
        e = adit_pace_init(&r->pace, h->mem, rng);
    if (e == ADIT_OK) {
        r->rules = rules;
        e = make_admission(h, cfg, rules->admission_token, &r->admission);
    }
    if (e != ADIT_OK) {
        r->rules = NULL; /* the caller's */
        release(r);
        return e;
    }
    h->asn = rules->asn;
    adit_pacer_set(&h->pacer, cfg->rate_node);
    adit_books_watch(r);
    r->watch.ev = &watch_events;
    r->watch.ctx = r;
    adit_host_watch(h, &r->watch);
    r->service = (struct adit_service){
        .protocol = ADIT_HOP_ID,
        .on_limited = true, /* to be refused by name, not by silence */
        .open = adit_hop_open,
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
    adit_verdict_end(r);
    while (!adit_list_is_empty(&r->hops))
        adit_hop_end(ADIT_CONTAINER_OF(r->hops.next, struct adit_hop, link));
    adit_host_unwatch(&r->watch);
    adit_drain_fini(r);
    adit_books_close(r);
    adit_timer_stop(r->h->w, &r->timer);
    adit_metric_set(r->h->metrics, ADIT_M_RSVP, 0);
    adit_metric_set(r->h->metrics, ADIT_M_CIRCUITS, 0);
    r->h->asn = NULL;
    release(r);
}

/* The class that the lists give it now; one that they do not name keeps what
 * the admission service said. */
static void
reclassify(struct adit_relay *r, struct adit_account *a)
{
    struct adit_peer *p = adit_host_peer(r->h, &a->peer);
    struct adit_slice ip = { NULL, 0 };
    uint8_t cls;

    if (p != NULL && !adit_list_is_empty(&p->hconns))
        ip = adit_endpoint_ip(
            &ADIT_CONTAINER_OF(p->hconns.next, struct adit_hconn, peer_link)
                 ->remote);
    cls = adit_rules_find(r->rules, &a->peer, ip,
                          adit_asn_of(r->rules->asn, ip));
    if (cls != ADIT_NO_CLASS)
        a->standing =
            (struct adit_standing){ .cls = cls, .why = ADIT_CLASS_BY_LIST };
    else if (a->standing.why == ADIT_CLASS_BY_LIST)
        a->standing = (struct adit_standing){ 0 };
}

/* What the operator said holds no longer; the ledger goes on keeping it. */
static void
log_class_gone(struct adit_relay *r, const struct adit_account *a,
               const char *name)
{
    char id[ADIT_PEERID_TEXT_BYTES];
    struct adit_log_line l;

    if (!adit_log_open(&l, r->h->log, ADIT_LOG_WARN, "peer.class_gone"))
        return;
    adit_log_str(&l, "peer", adit_peerid_format(&a->peer, id));
    adit_log_str(&l, "class", name);
    adit_log_close(&l);
}

/* Classes are known by their place in the rules, which are new. */
static void
remap(struct adit_relay *r, const struct adit_rules *old)
{
    uint8_t map[ADIT_MAX_CLASSES];

    memset(map, ADIT_NO_CLASS, sizeof(map));
    for (size_t i = 0; i < old->n_classes; i++)
        map[i] = adit_rules_class(r->rules, old->classes[i].name);
    adit_rsvp_remap(r->table, map);
    for (struct adit_account *a = adit_account_next(&r->accounts, NULL);
         a != NULL; a = adit_account_next(&r->accounts, a)) {
        if (a->forced != ADIT_NO_CLASS && map[a->forced] == ADIT_NO_CLASS)
            log_class_gone(r, a, old->classes[a->forced].name);
        if (a->forced != ADIT_NO_CLASS)
            a->forced = map[a->forced];
        a->standing.cls = map[a->standing.cls];
        if (a->standing.cls == ADIT_NO_CLASS)
            a->standing = (struct adit_standing){ 0 };
        reclassify(r, a);
        adit_books_set_rate(r, a);
    }
    adit_accounts_sweep(&r->accounts, adit_relay_unix_s(r));
}

/* One that stays the same keeps what it is asked. */
static bool
same_admission(const struct adit_relay *r, const struct adit_relay_config *cfg,
               const struct adit_rules *rules)
{
    const char *was = r->rules->admission_token, *is = rules->admission_token;

    return strcmp(r->cfg.admission_url, cfg->admission_url) == 0 &&
           r->cfg.admission_timeout_us == cfg->admission_timeout_us &&
           r->cfg.admission_cache_us == cfg->admission_cache_us &&
           (was == NULL || is == NULL ? was == is : strcmp(was, is) == 0);
}

adit_err
adit_relay_set(struct adit_relay *r, const struct adit_relay_config *cfg,
               struct adit_rules *rules)
{
    struct adit_rules *old = r->rules;
    struct adit_admission *admission = r->admission, *gone = NULL;

    if (!same_admission(r, cfg, rules)) {
        adit_err e =
            make_admission(r->h, cfg, rules->admission_token, &admission);

        if (e != ADIT_OK)
            return e;
    }
    r->cfg = *cfg;
    r->rules = rules;
    if (admission != r->admission)
        gone = r->admission;
    r->admission = admission;
    r->h->asn = rules->asn;
    adit_rsvp_set_grace(r->table, cfg->grace_us);
    adit_pacer_set(&r->h->pacer, cfg->rate_node);
    remap(r, old);
    adit_books_watch(r);
    adit_rules_free(old);
    /* Who waits is judged by the new rules: not before all is theirs. */
    adit_admission_free(gone);
    return ADIT_OK;
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
