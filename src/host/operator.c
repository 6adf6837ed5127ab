/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a relay's operator asks of it: see host/relay.h. */
#include "host/relay_in.h"

/* How often a ban looks for bans that are over. */
#define SWEEP_US (60 * ADIT_S)

struct adit_ledger *
adit_relay_ledger(const struct adit_relay *r)
{
    return r->ledger;
}

const struct adit_rules *
adit_relay_rules(const struct adit_relay *r)
{
    return r->rules;
}

/* ---- looking --------------------------------------------------------------- */

void
adit_relay_each_circuit(struct adit_relay *r,
                        bool (*fn)(void *ctx,
                                   const struct adit_circuit_info *c),
                        void *ctx)
{
    ADIT_LIST_EACH(n, tmp, &r->hops)
    {
        const struct adit_hop *p =
            ADIT_CONTAINER_OF(n, const struct adit_hop, link);
        struct adit_circuit_info c = { 0 };
        struct adit_bridge_counts now;

        if (p->bridge == NULL)
            continue;
        adit_bridge_counts(p->bridge, &now);
        c.id = p->id;
        c.src = &p->src_id;
        c.dst = &p->dst_id;
        c.terms = p->terms;
        c.age_us = adit_instant_sub(adit_relay_now(r), p->began);
        c.is_paced = adit_bridge_is_paced(p->bridge);
        memcpy(c.accepted_bytes, now.accepted_bytes, sizeof(c.accepted_bytes));
        memcpy(c.handed_bytes, now.handed_bytes, sizeof(c.handed_bytes));
        if (!fn(ctx, &c))
            return;
    }
}

static const char *
why_name(uint8_t why)
{
    switch ((enum adit_class_why)why) {
    case ADIT_CLASS_BY_DEFAULT:
        return "default";
    case ADIT_CLASS_BY_LIST:
        return "list";
    case ADIT_CLASS_BY_ADMISSION:
        return "admission";
    case ADIT_CLASS_BY_OPERATOR:
        return "operator";
    case ADIT_CLASS_BY_QUOTA:
        return "quota";
    }
    return "?";
}

/* `p` or `a` may be NULL, not both. */
static void
describe(struct adit_relay *r, const struct adit_peerid *peer,
         const struct adit_peer *p, struct adit_account *a,
         struct adit_relay_peer_info *out)
{
    struct adit_slice ip = { NULL, 0 };
    struct adit_rsvp_info i;
    uint8_t cls = 0, why = ADIT_CLASS_BY_DEFAULT;

    *out = (struct adit_relay_peer_info){ .peer = peer };
    if (p != NULL) {
        struct adit_list *head = (struct adit_list *)(uintptr_t)&p->hconns;

        ADIT_LIST_EACH(n, tmp, head)
        {
            const struct adit_hconn *hc =
                ADIT_CONTAINER_OF(n, const struct adit_hconn, peer_link);

            if (out->n_conns++ == 0 || hc->is_reserved)
                out->remote = hc->remote;
        }
        ip = adit_endpoint_ip(&out->remote);
    }
    if (a != NULL) {
        adit_account_moved(a, 0,
                           adit_relay_unix_s(r)); /* today, no other day */
        cls = adit_books_class(r, a, &why);
        out->day_bytes = a->day_bytes;
        out->month_bytes = a->month_bytes;
        out->is_banned = adit_account_is_banned(a, adit_relay_unix_s(r));
    } else {
        uint8_t found = adit_rules_find(r->rules, peer, ip,
                                        adit_asn_of(r->rules->asn, ip));

        if (found != ADIT_NO_CLASS) {
            cls = found;
            why = ADIT_CLASS_BY_LIST;
        }
    }
    out->class_name = r->rules->classes[cls].name;
    out->class_why = why_name(why);
    if (!adit_rsvp_get(r->table, peer, adit_relay_now(r), &i))
        return;
    out->has_reservation = i.has;
    out->n_as_src = i.n_src;
    out->n_as_dst = i.n_dst;
    if (i.has)
        out->until_unix_s =
            adit_relay_unix_s(r) +
            adit_instant_sub(i.until, adit_relay_now(r)) / ADIT_S;
}

void
adit_relay_each_peer(struct adit_relay *r,
                     bool (*fn)(void *ctx,
                                const struct adit_relay_peer_info *p),
                     void *ctx)
{
    struct adit_relay_peer_info info;

    for (struct adit_map_node *n = adit_map_next(&r->h->peers, NULL);
         n != NULL; n = adit_map_next(&r->h->peers, n)) {
        struct adit_peer *p = ADIT_CONTAINER_OF(n, struct adit_peer, node);

        describe(r, &p->id, p, adit_account_get(&r->accounts, &p->id), &info);
        if (!fn(ctx, &info))
            return;
    }
    for (struct adit_account *a = adit_account_next(&r->accounts, NULL);
         a != NULL; a = adit_account_next(&r->accounts, a)) {
        if (adit_list_is_linked(&a->idle_link) ||
            adit_host_peer(r->h, &a->peer) != NULL)
            continue; /* nothing of it is here, or it was told of above */
        describe(r, &a->peer, NULL, a, &info);
        if (!fn(ctx, &info))
            return;
    }
}

bool
adit_relay_peer(struct adit_relay *r, const struct adit_peerid *peer,
                struct adit_relay_peer_info *out)
{
    struct adit_peer *p = adit_host_peer(r->h, peer);
    struct adit_account *a = adit_account_get(&r->accounts, peer);

    if (p == NULL && a == NULL)
        return false;
    describe(r, p != NULL ? &p->id : &a->peer, p, a, out);
    return true;
}

/* ---- acting ---------------------------------------------------------------- */

size_t
adit_relay_kick(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_peer *p;
    size_t n_closed = 0;

    ADIT_LIST_EACH(n, tmp, &r->hops)
    {
        struct adit_hop *hop = ADIT_CONTAINER_OF(n, struct adit_hop, link);

        if (hop->bridge != NULL && (adit_peerid_eq(&hop->src_id, peer) ||
                                    adit_peerid_eq(&hop->dst_id, peer)))
            adit_hop_close(hop, "kicked");
    }
    adit_relay_unreserve(r, peer);
    /* The peer goes with its last connection. */
    while ((p = adit_host_peer(r->h, peer)) != NULL &&
           !adit_list_is_empty(&p->hconns)) {
        n_closed++;
        adit_hconn_close(
            ADIT_CONTAINER_OF(p->hconns.next, struct adit_hconn, peer_link),
            ADIT_DONE, "kicked by the operator");
    }
    adit_relay_arm(r);
    return n_closed;
}

/* The account is held while it is changed; then a mark keeps it. */
static void
store_mark(struct adit_relay *r, const struct adit_account *a)
{
    struct adit_ledger_mark m = {
        .peer = a->peer,
        .is_banned = a->is_banned,
        .until_unix_s = a->banned_until_unix_s,
    };

    if (a->forced != ADIT_NO_CLASS)
        memcpy(m.class_name, r->rules->classes[a->forced].name,
               sizeof(m.class_name));
    if (r->ledger != NULL)
        adit_ledger_mark(r->ledger, &m);
}

static void
log_mark(struct adit_relay *r, const char *event,
         const struct adit_peerid *peer, const char *cls)
{
    char id[ADIT_PEERID_TEXT_BYTES];
    struct adit_log_line l;

    if (!adit_log_open(&l, r->h->log, ADIT_LOG_INFO, event))
        return;
    adit_log_str(&l, "peer", adit_peerid_format(peer, id));
    if (cls != NULL)
        adit_log_str(&l, "class", cls);
    adit_log_close(&l);
}

/* Bans that are over make room for others, but a burst of bans does not go
 * through all accounts each time. */
static void
sweep(struct adit_relay *r)
{
    if (!adit_instant_is_due(r->sweep_next, adit_relay_now(r)))
        return;
    adit_accounts_sweep(&r->accounts, adit_relay_unix_s(r));
    r->sweep_next = adit_instant_add(adit_relay_now(r), SWEEP_US);
}

adit_err
adit_relay_ban(struct adit_relay *r, const struct adit_peerid *peer,
               int64_t until_unix_s)
{
    struct adit_account *a = adit_account_hold(&r->accounts, peer);

    if (a == NULL)
        return ADIT_ENOMEM;
    a->is_banned = true;
    a->banned_until_unix_s = until_unix_s;
    store_mark(r, a);
    log_mark(r, "peer.banned", peer, NULL);
    adit_relay_kick(r, peer);
    adit_account_drop(&r->accounts, a);
    sweep(r);
    return ADIT_OK;
}

void
adit_relay_unban(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_account *a = adit_account_get(&r->accounts, peer);

    if (a == NULL || !a->is_banned)
        return;
    a = adit_account_hold(&r->accounts, peer);
    a->is_banned = false;
    a->banned_until_unix_s = 0;
    store_mark(r, a);
    log_mark(r, "peer.unbanned", peer, NULL);
    adit_account_drop(&r->accounts, a);
}

adit_err
adit_relay_set_class(struct adit_relay *r, const struct adit_peerid *peer,
                     const char *name)
{
    uint8_t cls = adit_rules_class(r->rules, name);
    struct adit_account *a;

    if (name[0] != '\0' && cls == ADIT_NO_CLASS)
        return ADIT_EINVAL;
    a = adit_account_hold(&r->accounts, peer);
    if (a == NULL)
        return ADIT_ENOMEM;
    a->forced = cls;
    adit_books_set_rate(r, a);
    store_mark(r, a);
    log_mark(r, "peer.class", peer, name);
    adit_account_drop(&r->accounts, a);
    return ADIT_OK;
}
