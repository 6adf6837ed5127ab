/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Who moved how much: from the bridges' counters into accounts, which judge
 * by them, and into the ledger, which keeps them.
 *
 * Nothing of it is on the data path: counters are read when the ledger
 * flushes, and once when a circuit ends.
 */
#include "host/relay_in.h"

/* How often quotas are looked at where no ledger's flush does it. */
#define COUNT_US (5 * ADIT_S)

/*
 * Refusals an hour that are written for peers who have no account: anybody
 * makes peer ids, and each that is refused is a row that stays as long as
 * days are kept.  Arbitrary: some 10 MB a day at most.
 */
#define STRANGERS_PER_HOUR 1000

/* ---- counting -------------------------------------------------------------- */

static void
add(struct adit_relay *r, struct adit_account *a, uint64_t sent,
    uint64_t received)
{
    struct adit_ledger_gains g = { .sent_bytes = sent,
                                   .received_bytes = received };

    if (sent == 0 && received == 0)
        return;
    adit_account_moved(a, sent + received, adit_relay_unix_s(r));
    if (r->ledger != NULL)
        adit_ledger_add(r->ledger, &a->peer, &g);
}

/* What its circuit has moved since the books were told last. */
static void
count(struct adit_hop *p, const struct adit_bridge_counts *now)
{
    uint64_t accepted[2], handed[2];

    for (int d = 0; d < 2; d++) {
        accepted[d] = now->accepted_bytes[d] - p->told.accepted_bytes[d];
        handed[d] = now->handed_bytes[d] - p->told.handed_bytes[d];
    }
    p->told = *now;
    add(p->r, p->src_acct, accepted[ADIT_DIR_TO_DST], handed[ADIT_DIR_TO_SRC]);
    add(p->r, p->dst_acct, accepted[ADIT_DIR_TO_SRC], handed[ADIT_DIR_TO_DST]);
}

/* ---- quotas while circuits run ----------------------------------------------- */

uint8_t
adit_books_class(struct adit_relay *r, struct adit_account *a, uint8_t *why)
{
    uint8_t cls = a->forced != ADIT_NO_CLASS ? a->forced : a->standing.cls;
    struct adit_refusal f;

    *why =
        a->forced != ADIT_NO_CLASS ? ADIT_CLASS_BY_OPERATOR : a->standing.why;
    for (size_t i = 0; i < r->rules->n_classes; i++) {
        const struct adit_class *c = &r->rules->classes[cls];

        if (c->over_quota == ADIT_NO_CLASS ||
            adit_account_quota(a, c, adit_relay_unix_s(r), NULL, &f) ==
                ADIT_OK)
            break;
        cls = c->over_quota;
        *why = ADIT_CLASS_BY_QUOTA;
    }
    return cls;
}

void
adit_books_set_rate(struct adit_relay *r, struct adit_account *a)
{
    uint8_t why, cls = adit_books_class(r, a, &why);

    adit_pacer_set_rate(&r->h->pacer, &a->rate,
                        r->rules->classes[cls].peer_bytes_s);
}

/* Its quota is used up, and no class takes it. */
static bool
is_spent(struct adit_relay *r, struct adit_account *a)
{
    uint8_t why, cls = adit_books_class(r, a, &why);
    struct adit_refusal f;

    return adit_account_quota(a, &r->rules->classes[cls], adit_relay_unix_s(r),
                              NULL, &f) != ADIT_OK;
}

static void
collect(void *ctx)
{
    struct adit_relay *r = ctx;

    ADIT_LIST_EACH(n, tmp, &r->hops)
    {
        struct adit_hop *p = ADIT_CONTAINER_OF(n, struct adit_hop, link);
        struct adit_bridge_counts now;
        bool src, dst;

        if (p->bridge == NULL)
            continue;
        adit_bridge_counts(p->bridge, &now);
        count(p, &now);
        adit_books_set_rate(r, p->src_acct);
        adit_books_set_rate(r, p->dst_acct);
        src = is_spent(r, p->src_acct);
        dst = is_spent(r, p->dst_acct);
        if (r->rules->wider ? src && dst : src || dst)
            adit_hop_close(p, "quota");
    }
}

static bool
has_quotas(const struct adit_relay *r)
{
    for (size_t i = 0; i < r->rules->n_classes; i++)
        if (r->rules->classes[i].day_bytes != 0 ||
            r->rules->classes[i].month_bytes != 0)
            return true;
    return false;
}

static void
on_count(void *ctx)
{
    collect(ctx);
    adit_books_watch(ctx);
}

void
adit_books_watch(struct adit_relay *r)
{
    r->count_timer = r->count_timer.fn != NULL
                         ? r->count_timer
                         : (struct adit_timer){ .fn = on_count, .ctx = r };
    if (r->ledger != NULL || !has_quotas(r))
        adit_timer_stop(r->h->w, &r->count_timer);
    else if (adit_timer_set(r->h->w, &r->count_timer,
                            adit_instant_add(adit_relay_now(r), COUNT_US)) !=
             ADIT_OK)
        adit_timer_stop(r->h->w, &r->count_timer); /* until the next reload */
}

/* ---- what happens ------------------------------------------------------------ */

/* One of whom nothing is known may be a name made up for this request. */
static bool
may_write_refusal(struct adit_relay *r, const struct adit_peerid *peer)
{
    static const char key[] = "stranger";
    uint64_t value;
    uint32_t retry_s;

    return adit_account_get(&r->accounts, peer) != NULL ||
           adit_pace_take(&r->pace, adit_slice_str(key), STRANGERS_PER_HOUR,
                          adit_relay_now(r), &value, &retry_s) == ADIT_OK;
}

void
adit_books_refused(struct adit_relay *r, const struct adit_peerid *peer,
                   enum adit_rule rule)
{
    if (r->ledger != NULL && may_write_refusal(r, peer))
        adit_ledger_refused(r->ledger, peer, rule);
}

void
adit_books_reserved(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_account *a = adit_account_get(&r->accounts, peer);

    adit_assert(a != NULL); /* the verdict holds it */
    if (!a->is_reserved) {
        a->is_reserved = true;
        a = adit_account_hold(&r->accounts, peer);
    }
    if (r->ledger != NULL)
        adit_ledger_add(r->ledger, peer,
                        &(struct adit_ledger_gains){ .n_reservations = 1 });
}

void
adit_books_unreserved(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_account *a = adit_account_get(&r->accounts, peer);

    if (a == NULL || !a->is_reserved ||
        adit_rsvp_has(r->table, peer, adit_relay_now(r)))
        return;
    a->is_reserved = false;
    adit_account_drop(&r->accounts, a);
}

void
adit_books_opened(struct adit_hop *p)
{
    struct adit_relay *r = p->r;

    p->id = ++r->last_circuit_id;
    p->began_unix_s = adit_relay_unix_s(r);
    p->began = adit_relay_now(r);
    if (r->ledger == NULL)
        return;
    adit_ledger_add(r->ledger, &p->src_id,
                    &(struct adit_ledger_gains){ .n_as_src = 1 });
    adit_ledger_add(r->ledger, &p->dst_id,
                    &(struct adit_ledger_gains){ .n_as_dst = 1 });
}

void
adit_books_closed(struct adit_hop *p, const struct adit_bridge_end *end,
                  const char *why)
{
    struct adit_ledger_record rec = {
        .src = p->src_id,
        .dst = p->dst_id,
        .began_unix_s = p->began_unix_s,
        .lasted_us = end->lasted_us,
    };

    count(p, &end->n);
    if (p->r->ledger == NULL)
        return;
    memcpy(rec.accepted_bytes, end->n.accepted_bytes,
           sizeof(rec.accepted_bytes));
    memcpy(rec.handed_bytes, end->n.handed_bytes, sizeof(rec.handed_bytes));
    snprintf(rec.why, sizeof(rec.why), "%s", why);
    adit_ledger_record(p->r->ledger, &rec);
}

/* ---- the ledger ---------------------------------------------------------------- */

static void
on_totals(void *ctx, const struct adit_ledger_totals *t)
{
    struct adit_relay *r = ctx;
    struct adit_account *a = adit_account_get(&r->accounts, &t->peer);

    if (a == NULL)
        return;
    adit_account_totals(
        a, t->day_unix_s, t->day_bytes + t->day_pending_bytes, t->month_unix_s,
        t->month_bytes + t->month_pending_bytes, adit_relay_unix_s(r));
    a->known_at = adit_relay_now(r);
    adit_books_set_rate(r, a); /* another relay's share may tip its quota */
    adit_verdict_known(r, &t->peer);
}

static void
on_mark(void *ctx, const struct adit_ledger_mark *m)
{
    struct adit_relay *r = ctx;
    struct adit_account *a;

    if (m == NULL)
        return;
    if (m->is_banned && m->until_unix_s != 0 &&
        m->until_unix_s <=
            adit_relay_unix_s(r)) { /* while we were not there */
        struct adit_ledger_mark over = *m;

        over.is_banned = false;
        over.until_unix_s = 0;
        adit_ledger_mark(r->ledger, &over);
        if (over.class_name[0] == '\0')
            return;
    }
    a = adit_account_hold(&r->accounts, &m->peer);
    if (a == NULL)
        return;
    a->is_banned = m->is_banned;
    a->banned_until_unix_s = m->until_unix_s;
    a->forced = adit_rules_class(r->rules, m->class_name); /* none, of "" */
    adit_books_set_rate(r, a);
    /* It may be here already: another relay may have said so just now. */
    if (adit_account_is_banned(a, adit_relay_unix_s(r)) &&
        (adit_host_peer(r->h, &m->peer) != NULL ||
         adit_rsvp_has(r->table, &m->peer, adit_relay_now(r))))
        adit_relay_kick(r, &m->peer);
    adit_account_drop(&r->accounts, a);
}

adit_err
adit_relay_open_ledger(struct adit_relay *r,
                       const struct adit_ledger_config *cfg,
                       char why[ADIT_RELAY_WHY_BYTES])
{
    struct adit_ledger_config c = *cfg;
    struct adit_ledger_events ev = {
        .ctx = r,
        .collect = collect,
        .on_totals = on_totals,
        .on_mark = on_mark,
    };
    adit_err e;

    c.metrics = r->h->metrics;
    /* Others' shares are as old as their flush anyway. */
    r->totals_hold_us = c.backend == ADIT_LEDGER_IN_REDIS ? c.flush_us : 0;
    e = adit_ledger_open(r->h->w, &c, &ev, &r->ledger, why);
    if (e == ADIT_OK)
        adit_books_watch(r);
    return e;
}

void
adit_books_close(struct adit_relay *r)
{
    adit_timer_stop(r->h->w, &r->count_timer);
    adit_ledger_close(r->ledger);
    r->ledger = NULL;
}
