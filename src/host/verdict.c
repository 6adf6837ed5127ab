/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Who may reserve, who may dial whom, and on which terms.
 *
 * One function, decide(), goes through the rules from the top.  Where it has
 * to wait, for the admission service or for a peer's totals, it parks the
 * question and is called again from the top with what it waited for; so
 * whatever changed meanwhile is seen.  What a request takes is taken at the end,
 * and only if somebody still waits for the answer; but for its network's
 * token of the hour, which is what keeps a stranger from having us ask others
 * on his behalf.
 */
#include "host/relay_in.h"

/*
 * For a ledger to tell what a peer has used: a local file does so in a
 * fraction of it.  After that the relay goes on with what it knows.
 */
#define TOTALS_US (2 * ADIT_S)

/* Questions under way at once; beyond it a stranger could have us hold as
 * many as he opens streams.  Arbitrary. */
#define MAX_WAITING 4096

/* A question that waits. */
struct verdict {
    struct adit_relay *r;
    struct adit_list link;
    struct adit_ask *ask;
    struct adit_admission_op *op;
    struct adit_timer timer;      /* for totals */
    struct adit_peerid waits_for; /* whose totals; n = 0: none */
    struct adit_account *acct;    /* of who asks; held; or NULL */
    bool has_answer;              /* of the admission service */
    bool is_patient;              /* it has waited for totals */
    struct adit_admission_answer answer;
};

static void decide(struct adit_relay *r, struct adit_ask *a,
                   struct verdict *v);

/* ---- answers --------------------------------------------------------------- */

/* Of nobody: NULL. */
static void
wait_for(struct verdict *v, const struct adit_peerid *peer)
{
    if (!adit_peerid_is_none(&v->waits_for))
        v->r->n_for_totals--;
    v->waits_for = peer != NULL ? *peer : (struct adit_peerid){ 0 };
    if (peer != NULL)
        v->r->n_for_totals++;
}

static void
verdict_free(struct verdict *v)
{
    if (v == NULL)
        return;
    wait_for(v, NULL);
    if (v->op != NULL)
        adit_admission_cancel(v->op);
    if (v->acct != NULL)
        adit_account_drop(&v->r->accounts, v->acct);
    adit_timer_stop(v->r->h->w, &v->timer);
    adit_list_remove(&v->link);
    v->r->n_waiting--;
    ADIT_FREE(v->r->h->mem, v);
}

static void
give(struct adit_relay *r, struct adit_ask *a, struct verdict *v, adit_err e)
{
    a->result = e;
    a->verdict = NULL;
    verdict_free(v);
    adit_relay_answer(r, a);
}

static void
refuse(struct adit_relay *r, struct adit_ask *a, struct verdict *v,
       const struct adit_refusal *why)
{
    a->refusal = *why;
    give(r, a, v, ADIT_EDENIED);
}

static void
refuse_by(struct adit_relay *r, struct adit_ask *a, struct verdict *v,
          enum adit_rule rule)
{
    refuse(r, a, v, &(struct adit_refusal){ .rule = rule });
}

/* ---- waiting --------------------------------------------------------------- */

/* NULL: no room; the question was refused. */
static struct verdict *
park(struct adit_relay *r, struct adit_ask *a, struct verdict *v)
{
    if (v != NULL)
        return v;
    if (r->n_waiting < MAX_WAITING)
        v = ADIT_NEW(r->h->mem, struct verdict);
    if (v == NULL) {
        refuse_by(r, a, NULL, ADIT_RULE_BUFFERS);
        return NULL;
    }
    v->r = r;
    v->ask = a;
    a->verdict = v;
    adit_list_push_tail(&r->waiting, &v->link);
    r->n_waiting++;
    return v;
}

static void
on_admission(void *ctx, const struct adit_admission_answer *answer)
{
    struct verdict *v = ctx;

    v->op = NULL;
    v->has_answer = true;
    v->answer = *answer;
    decide(v->r, v->ask, v);
}

static void
ask_admission(struct adit_relay *r, struct adit_ask *a, struct verdict *v)
{
    struct adit_admission_question q = {
        .is_dial = a->kind == ADIT_ASK_CONNECT,
        .peer = a->peer,
        .dst = a->dst,
        .remote = a->remote,
    };

    v = park(r, a, v);
    if (v != NULL) /* it may be gone behind this */
        adit_admission_ask(r->admission, &q, on_admission, v, &v->op);
}

static void
on_late(void *ctx)
{
    struct verdict *v = ctx;

    v->is_patient = true;
    wait_for(v, NULL);
    decide(v->r, v->ask, v);
}

/* True: it waits (or was refused). */
static bool
wait_for_totals(struct adit_relay *r, struct adit_ask *a, struct verdict **vp,
                const struct adit_peerid *peer)
{
    struct verdict *v = park(r, a, *vp);

    if (v == NULL)
        return true;
    *vp = v;
    /* What is told of it must find a place until the question is decided; a
     * destination has one by its reservation. */
    if (v->acct == NULL)
        v->acct = adit_account_hold(&r->accounts, &a->peer);
    wait_for(v, peer);
    v->timer = (struct adit_timer){ .fn = on_late, .ctx = v };
    if (adit_timer_set(r->h->w, &v->timer,
                       adit_instant_add(adit_relay_now(r), TOTALS_US)) !=
        ADIT_OK)
        return false;
    adit_ledger_ask(r->ledger, peer);
    return true;
}

void
adit_verdict_known(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_list ready;

    /* A flush tells of thousands, and those who wait for something else may
     * be thousands too. */
    if (r->n_for_totals == 0)
        return;
    /* Deciding may change the list: take out whom it concerns first. */
    adit_list_init(&ready);
    ADIT_LIST_EACH(n, tmp, &r->waiting)
    {
        struct verdict *v = ADIT_CONTAINER_OF(n, struct verdict, link);

        if (!adit_peerid_eq(&v->waits_for, peer))
            continue;
        adit_list_remove(&v->link);
        adit_list_push_tail(&ready, &v->link);
    }
    while (!adit_list_is_empty(&ready)) {
        struct verdict *v =
            ADIT_CONTAINER_OF(ready.next, struct verdict, link);

        adit_list_remove(&v->link);
        adit_list_push_tail(&r->waiting, &v->link);
        adit_timer_stop(r->h->w, &v->timer);
        wait_for(v, NULL);
        decide(r, v->ask, v);
    }
}

void
adit_verdict_cancel(struct adit_relay *r, struct adit_ask *a)
{
    struct verdict *v = a->verdict;

    a->waiter = NULL;
    a->hc = NULL;
    if (v == NULL)
        return; /* another judge has it, and will answer */
    verdict_free(v);
    ADIT_FREE(r->h->mem, a);
}

void
adit_verdict_end(struct adit_relay *r)
{
    while (!adit_list_is_empty(&r->waiting)) {
        struct verdict *v =
            ADIT_CONTAINER_OF(r->waiting.next, struct verdict, link);

        refuse_by(r, v->ask, v, ADIT_RULE_CLOSING);
    }
}

/* ---- classes --------------------------------------------------------------- */

/*
 * The class of whoever asks: the operator's word, then the lists, then the
 * admission service, which alone may take its time.  False: it is asked now.
 */
static bool
classify(struct adit_relay *r, struct adit_ask *a, struct verdict *v,
         struct adit_standing *out, enum adit_rule *refused)
{
    struct adit_account *acct = adit_account_get(&r->accounts, &a->peer);
    struct adit_slice ip = adit_endpoint_ip(&a->remote);

    *refused = ADIT_RULE_NONE;
    *out = (struct adit_standing){ 0 };
    if (acct != NULL && acct->forced != ADIT_NO_CLASS) {
        out->cls = acct->forced;
        out->why = ADIT_CLASS_BY_OPERATOR;
        return true;
    }
    out->cls = adit_rules_find(r->rules, &a->peer, ip,
                               adit_asn_of(r->rules->asn, ip));
    if (out->cls != ADIT_NO_CLASS) {
        out->why = ADIT_CLASS_BY_LIST;
        return true;
    }
    out->cls = 0;
    out->why = ADIT_CLASS_BY_DEFAULT;
    if (r->admission == NULL)
        return true;
    if (v == NULL || !v->has_answer) {
        ask_admission(r, a, v);
        return false;
    }
    out->why = ADIT_CLASS_BY_ADMISSION;
    out->limits = v->answer.limits;
    if (v->answer.class_name[0] != '\0')
        out->cls = adit_rules_class(r->rules, v->answer.class_name);
    if (v->answer.failed || out->cls == ADIT_NO_CLASS)
        *refused = ADIT_RULE_ADMISSION_FAILED;
    else if (!v->answer.allow)
        *refused = ADIT_RULE_ADMISSION;
    return true;
}

static bool
has_quota(const struct adit_class *c)
{
    return c->day_bytes != 0 || c->month_bytes != 0;
}

enum quota { QUOTA_LEFT, QUOTA_GONE, QUOTA_WAITS };

/*
 * Does the ledger have nothing to tell of it that we have not?  Where it is
 * shared others may have used up the quota since it was last asked; while it
 * is away, what we know holds.
 */
static bool
is_known(const struct adit_relay *r, struct adit_account *acct)
{
    struct adit_ledger_state s;

    if (r->ledger == NULL)
        return true;
    if (acct != NULL && adit_account_is_known(acct, adit_relay_unix_s(r)) &&
        (r->totals_hold_us == 0 ||
         adit_instant_sub(adit_relay_now(r), acct->known_at) <
             r->totals_hold_us))
        return true;
    adit_ledger_state(r->ledger, &s);
    return s.is_failing;
}

/*
 * Is there some of the quota of `peer`, of class *cls, left?  If not, the
 * class that it falls into is in *cls, and may have a quota itself.
 */
static enum quota
check_quota(struct adit_relay *r, struct adit_ask *a, struct verdict **v,
            const struct adit_peerid *peer, uint8_t *cls, uint8_t *class_why,
            struct adit_refusal *why)
{
    /* Each class once: rings of them end in a refusal. */
    for (size_t i = 0; i < r->rules->n_classes; i++) {
        const struct adit_class *c = &r->rules->classes[*cls];
        struct adit_account *acct;

        if (!has_quota(c))
            return QUOTA_LEFT;
        acct = adit_account_get(&r->accounts, peer);
        if (!is_known(r, acct) && (*v == NULL || !(*v)->is_patient) &&
            wait_for_totals(r, a, v, peer))
            return QUOTA_WAITS;
        if (acct == NULL || adit_account_quota(acct, c, adit_relay_unix_s(r),
                                               NULL, why) == ADIT_OK)
            return QUOTA_LEFT;
        if (c->over_quota == ADIT_NO_CLASS)
            return QUOTA_GONE;
        *cls = c->over_quota;
        *class_why = ADIT_CLASS_BY_QUOTA;
    }
    return QUOTA_GONE;
}

/* ---- an hour's requests ------------------------------------------------------ */

/* One key space: what is counted, then for whom. */
static bool
take_pace(struct adit_relay *r, char what, struct adit_slice who,
          uint32_t per_hour, enum adit_rule rule, struct adit_refusal *why)
{
    uint8_t key[ADIT_PACE_KEY_BYTES];

    adit_assert(who.n < sizeof(key));
    key[0] = (uint8_t)what;
    memcpy(key + 1, who.p, who.n);
    *why = (struct adit_refusal){ .rule = rule, .limit = per_hour };
    return adit_pace_take(&r->pace, adit_slice(key, 1 + who.n), per_hour,
                          adit_relay_now(r), &why->value,
                          &why->retry_s) == ADIT_OK;
}

/*
 * Of the network it comes from: taken when the question is first looked at,
 * before anything is asked for it.  Whom the operator or a list names by its
 * id has what its class says and no less for its neighbours; a network's
 * strangers can be as many ids as they like.
 */
static bool
network_may_ask(struct adit_relay *r, const struct adit_ask *a,
                const struct adit_account *acct, struct adit_refusal *why)
{
    struct adit_prefix p = adit_prefix_of(
        adit_endpoint_ip(&a->remote), ADIT_PREFIX_BITS4, ADIT_PREFIX_BITS6);

    if (p.family == 0 || (acct != NULL && acct->forced != ADIT_NO_CLASS) ||
        adit_acl_peer(r->rules->members, &a->peer) != ADIT_ACL_NONE)
        return true;
    if (a->kind == ADIT_ASK_CONNECT)
        return take_pace(r, 'C', adit_prefix_key(&p),
                         r->cfg.circuits_per_hour_ip,
                         ADIT_RULE_CIRCUITS_PER_HOUR_IP, why);
    return take_pace(r, 'R', adit_prefix_key(&p), r->cfg.rsvps_per_hour_ip,
                     ADIT_RULE_RSVP_PER_HOUR_IP, why);
}

/* Of the peer, by its class. */
static bool
peer_may_ask(struct adit_relay *r, const struct adit_ask *a,
             const struct adit_class *c, struct adit_refusal *why)
{
    if (a->kind == ADIT_ASK_CONNECT)
        return take_pace(r, 'c', adit_peerid_bytes(&a->peer),
                         c->circuits_per_hour, ADIT_RULE_CIRCUITS_PER_HOUR,
                         why);
    return take_pace(r, 'r', adit_peerid_bytes(&a->peer), c->rsvps_per_hour,
                     ADIT_RULE_RSVP_PER_HOUR, why);
}

/* ---- the two questions ------------------------------------------------------- */

/* Remember what it was judged as, for who dials it later. */
static void
remember(struct adit_relay *r, const struct adit_peerid *peer,
         const struct adit_standing *w)
{
    struct adit_account *acct = adit_account_get(&r->accounts, peer);

    if (acct == NULL)
        return;
    acct->standing = *w;
    adit_books_set_rate(r, acct);
}

static void
reserve(struct adit_relay *r, struct adit_ask *a, struct verdict *v,
        const struct adit_standing *w)
{
    const struct adit_class *c = &r->rules->classes[w->cls];
    struct adit_rsvp_terms terms = {
        .ttl_us = c->rsvp_ttl_us,
        .cls = w->cls,
        .cls_max = c->rsvp_max,
    };
    struct adit_account *acct;
    adit_err e;

    if (!c->may_reserve) {
        refuse_by(r, a, v, ADIT_RULE_CLASS_RESERVE);
        return;
    }
    acct = adit_account_hold(&r->accounts, &a->peer);
    if (acct == NULL) {
        refuse_by(r, a, v, ADIT_RULE_BUFFERS);
        return;
    }
    e = adit_rsvp_reserve(r->table, &a->peer, &a->hc->place, &terms,
                          adit_relay_now(r), &a->until, &a->renewed,
                          &a->refusal);
    if (e == ADIT_OK)
        remember(r, &a->peer, &a->standing);
    else if (e != ADIT_EFULL)
        a->refusal = (struct adit_refusal){ .rule = ADIT_RULE_BUFFERS };
    a->terms = adit_terms_narrow(adit_class_terms(c), w->limits);
    give(r, a, v, e); /* a grant holds the account itself */
    adit_account_drop(&r->accounts, acct);
}

/* As which class a peer is dialled that holds a reservation. */
static struct adit_standing
destination(struct adit_relay *r, const struct adit_peerid *peer)
{
    const struct adit_account *acct = adit_account_get(&r->accounts, peer);
    struct adit_standing w = { 0 };

    if (acct != NULL) {
        w = acct->standing;
        if (acct->forced != ADIT_NO_CLASS)
            w = (struct adit_standing){ .cls = acct->forced,
                                        .why = ADIT_CLASS_BY_OPERATOR };
    }
    return w;
}

static void
dial(struct adit_relay *r, struct adit_ask *a, struct verdict *v,
     const struct adit_standing *src, const struct adit_standing *dst)
{
    const struct adit_class *s = &r->rules->classes[src->cls];
    const struct adit_class *d = &r->rules->classes[dst->cls];
    struct adit_pool *pool = adit_worker_pool(r->h->w);
    struct adit_circuit_caps caps = {
        .src_out = s->circuits_out,
        .src_all = s->circuits,
        .dst_in = d->circuits_in,
        .dst_all = d->circuits,
    };
    adit_err e;

    if (adit_pool_is_tight(pool)) {
        refuse(r, a, v,
               &(struct adit_refusal){ .rule = ADIT_RULE_BUFFERS,
                                       .value = pool->used_bytes,
                                       .limit = pool->cap_bytes });
        return;
    }
    if (!adit_class_may_dial(r->rules->classes, src->cls, dst->cls)) {
        refuse_by(r, a, v, ADIT_RULE_CLASS_DIAL);
        return;
    }
    e = adit_rsvp_connect(r->table, &a->peer, &a->dst, &a->hc->place, &caps,
                          adit_relay_now(r), &a->refusal);
    if (e == ADIT_ENORESERVATION)
        a->refusal = (struct adit_refusal){ .rule = ADIT_RULE_NO_RESERVATION };
    else if (e != ADIT_OK && e != ADIT_EFULL)
        a->refusal = (struct adit_refusal){ .rule = ADIT_RULE_BUFFERS };
    a->terms = adit_terms_join(
        adit_terms_narrow(adit_class_terms(s), src->limits),
        adit_terms_narrow(adit_class_terms(d), dst->limits), r->rules->wider);
    give(r, a, v, e);
}

/* With `wider` either end pays; else both do. */
static enum quota
check_both(struct adit_relay *r, struct adit_ask *a, struct verdict **v,
           struct adit_standing *src, struct adit_standing *dst,
           struct adit_refusal *why)
{
    enum quota s = check_quota(r, a, v, &a->peer, &src->cls, &src->why, why);
    enum quota d;

    if (s == QUOTA_WAITS || (s == QUOTA_GONE && !r->rules->wider))
        return s;
    d = check_quota(r, a, v, &a->dst, &dst->cls, &dst->why, why);
    if (d == QUOTA_WAITS)
        return d;
    return d == QUOTA_GONE && (s == QUOTA_GONE || !r->rules->wider)
               ? QUOTA_GONE
               : QUOTA_LEFT;
}

static void
decide(struct adit_relay *r, struct adit_ask *a, struct verdict *v)
{
    struct adit_account *acct = adit_account_get(&r->accounts, &a->peer);
    struct adit_refusal why;
    struct adit_standing src, dst = { 0 };
    enum adit_rule rule;
    enum quota q;

    if (a->waiter == NULL) { /* nothing is taken for nobody */
        give(r, a, v, ADIT_CANCELLED);
        return;
    }
    if (r->drain != ADIT_DRAIN_NO) {
        refuse_by(r, a, v, ADIT_RULE_DRAINING);
        return;
    }
    if (acct != NULL && adit_account_is_banned(acct, adit_relay_unix_s(r))) {
        refuse_by(r, a, v, ADIT_RULE_BANNED);
        return;
    }
    rule = adit_rules_access(r->rules, &a->peer, adit_endpoint_ip(&a->remote));
    if (rule != ADIT_RULE_NONE) {
        refuse_by(r, a, v, rule);
        return;
    }
    if (!a->is_paced && !network_may_ask(r, a, acct, &why)) {
        refuse(r, a, v, &why);
        return;
    }
    a->is_paced = true;
    if (!classify(r, a, v, &src, &rule))
        return;
    if (rule != ADIT_RULE_NONE) {
        refuse_by(r, a, v, rule);
        return;
    }
    a->standing = src;
    if (a->kind == ADIT_ASK_CONNECT) {
        if (!adit_rsvp_has(r->table, &a->dst, adit_relay_now(r))) {
            if (peer_may_ask(r, a, &r->rules->classes[src.cls], &why))
                why =
                    (struct adit_refusal){ .rule = ADIT_RULE_NO_RESERVATION };
            refuse(r, a, v, &why);
            return;
        }
        dst = destination(r, &a->dst);
        q = check_both(r, a, &v, &src, &dst, &why);
    } else {
        q = check_quota(r, a, &v, &a->peer, &src.cls, &src.why, &why);
    }
    if (q == QUOTA_WAITS)
        return;
    if (q == QUOTA_GONE ||
        !peer_may_ask(r, a, &r->rules->classes[src.cls], &why)) {
        refuse(r, a, v, &why);
        return;
    }
    if (a->kind == ADIT_ASK_CONNECT)
        dial(r, a, v, &src, &dst);
    else
        reserve(r, a, v, &src);
}

void
adit_relay_judge(struct adit_relay *r, struct adit_ask *a)
{
    decide(r, a, NULL);
}
