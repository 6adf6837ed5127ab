/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/rsvp.h"

#include "policy/prefix.h"

/* An address from which somebody holds a reservation. */
struct addr {
    struct adit_map_node node;
    struct adit_prefix prefix;
    uint32_t n_rsvps;
};

/* A peer that holds a reservation, or is an end of a circuit. */
struct entry {
    struct adit_map_node node;
    struct adit_heap_node due; /* in the heap: it holds a reservation */
    struct addr *addr;         /* which counts it; NULL: none does */
    uint32_t n_src, n_dst;     /* its circuits */
    struct adit_peerid peer;
};

struct adit_rsvp {
    struct adit_mem *mem;
    struct adit_rsvp_config cfg;
    struct adit_map peers, addrs;
    struct adit_heap dues; /* holds each reservation, nothing else */
    uint32_t n_circuits;
};

_Static_assert(sizeof(struct entry) + sizeof(struct addr) +
                       3 * sizeof(void *) <=
                   200,
               "what one reservation costs, its places in tables included");

static struct entry *
entry_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct entry, node);
}

static struct addr *
addr_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct addr, node);
}

static bool
has_peer(const struct adit_map_node *n, struct adit_slice key)
{
    const struct entry *e = ADIT_CONTAINER_OF(n, const struct entry, node);

    return adit_slice_eq(adit_peerid_bytes(&e->peer), key);
}

static bool
has_prefix(const struct adit_map_node *n, struct adit_slice key)
{
    const struct addr *a = ADIT_CONTAINER_OF(n, const struct addr, node);

    return adit_slice_eq(adit_prefix_key(&a->prefix), key);
}

static bool
is_reserved(const struct entry *e)
{
    return e->due.at != 0;
}

static struct entry *
find(const struct adit_rsvp *t, const struct adit_peerid *peer)
{
    struct adit_map_node *n =
        adit_map_get(&t->peers, adit_peerid_bytes(peer), has_peer);

    return n != NULL ? entry_of(n) : NULL;
}

/* NULL: no memory. */
static struct entry *
find_or_add(struct adit_rsvp *t, const struct adit_peerid *peer)
{
    struct entry *e = find(t, peer);

    if (e != NULL)
        return e;
    e = ADIT_NEW(t->mem, struct entry);
    if (e == NULL)
        return NULL;
    e->peer = *peer;
    adit_map_add(&t->peers, adit_peerid_bytes(&e->peer), &e->node);
    return e;
}

static void
free_if_idle(struct adit_rsvp *t, struct entry *e)
{
    if (is_reserved(e) || e->n_src > 0 || e->n_dst > 0)
        return;
    adit_map_remove(&t->peers, &e->node);
    ADIT_FREE(t->mem, e);
}

static struct addr *
find_addr(const struct adit_rsvp *t, const struct adit_prefix *p)
{
    struct adit_map_node *n =
        adit_map_get(&t->addrs, adit_prefix_key(p), has_prefix);

    return n != NULL ? addr_of(n) : NULL;
}

/* NULL: no memory. */
static struct addr *
find_or_add_addr(struct adit_rsvp *t, const struct adit_prefix *p)
{
    struct addr *a = find_addr(t, p);

    if (a != NULL)
        return a;
    a = ADIT_NEW(t->mem, struct addr);
    if (a == NULL)
        return NULL;
    a->prefix = *p;
    adit_map_add(&t->addrs, adit_prefix_key(&a->prefix), &a->node);
    return a;
}

static void
free_addr_if_idle(struct adit_rsvp *t, struct addr *a)
{
    if (a == NULL || a->n_rsvps > 0)
        return;
    adit_map_remove(&t->addrs, &a->node);
    ADIT_FREE(t->mem, a);
}

/* Count `e` at `to` (may be NULL) and no longer where it was. */
static void
move_addr(struct adit_rsvp *t, struct entry *e, struct addr *to)
{
    struct addr *from = e->addr;

    if (to != NULL)
        to->n_rsvps++;
    if (from != NULL)
        from->n_rsvps--;
    e->addr = to;
    free_addr_if_idle(t, from);
}

/* The entry may be gone after it. */
static void
unreserve(struct adit_rsvp *t, struct entry *e)
{
    adit_heap_remove(&t->dues, &e->due);
    move_addr(t, e, NULL);
    free_if_idle(t, e);
}

/* ---- life --------------------------------------------------------------- */

adit_err
adit_rsvp_new(struct adit_mem *mem, const struct adit_rng *rng,
              const struct adit_rsvp_config *cfg, struct adit_rsvp **out)
{
    struct adit_rsvp *t = ADIT_NEW(mem, struct adit_rsvp);

    if (t == NULL)
        return ADIT_ENOMEM;
    t->mem = mem;
    t->cfg = *cfg;
    adit_heap_init(&t->dues, mem);
    if (adit_map_init(&t->peers, mem, rng) != ADIT_OK ||
        adit_map_init(&t->addrs, mem, rng) != ADIT_OK) {
        adit_rsvp_free(t);
        return ADIT_ENOMEM;
    }
    *out = t;
    return ADIT_OK;
}

void
adit_rsvp_free(struct adit_rsvp *t)
{
    struct adit_map_node *n, *next;

    if (t == NULL)
        return;
    for (n = adit_map_next(&t->peers, NULL); n != NULL; n = next) {
        struct entry *e = entry_of(n);

        next = adit_map_next(&t->peers, n);
        ADIT_FREE(t->mem, e);
    }
    for (n = adit_map_next(&t->addrs, NULL); n != NULL; n = next) {
        struct addr *a = addr_of(n);

        next = adit_map_next(&t->addrs, n);
        ADIT_FREE(t->mem, a);
    }
    adit_map_fini(&t->peers);
    adit_map_fini(&t->addrs);
    adit_heap_fini(&t->dues);
    ADIT_FREE(t->mem, t);
}

void
adit_rsvp_set(struct adit_rsvp *t, const struct adit_rsvp_config *cfg)
{
    t->cfg = *cfg;
}

/* One more than `have` under `cap`?  If not, *why says so. */
static bool
fits(enum adit_rule rule, uint32_t have, uint32_t cap,
     struct adit_refusal *why)
{
    if (cap == 0 || have < cap)
        return true;
    *why = (struct adit_refusal){ .rule = rule,
                                  .value = (uint64_t)have + 1,
                                  .limit = cap };
    return false;
}

/* ---- reservations ------------------------------------------------------- */

adit_err
adit_rsvp_reserve(struct adit_rsvp *t, const struct adit_peerid *peer,
                  struct adit_slice ip, struct adit_instant now,
                  struct adit_instant *until, bool *renewed,
                  struct adit_refusal *why)
{
    struct adit_prefix p =
        adit_prefix_of(ip, ADIT_PREFIX_BITS4, ADIT_PREFIX_BITS6);
    struct adit_instant ends = adit_instant_add(now, t->cfg.ttl_us);
    struct entry *e = find(t, peer);
    bool had = e != NULL && is_reserved(e);
    struct addr *a = NULL;

    if (!had) {
        a = p.family != 0 ? find_addr(t, &p) : NULL;
        /* The narrow cap first: it names the culprit. */
        if (!fits(ADIT_RULE_RSVP_PER_IP, a != NULL ? a->n_rsvps : 0,
                  t->cfg.max_per_ip, why) ||
            !fits(ADIT_RULE_RSVP_TOTAL, adit_rsvp_n(t), t->cfg.max_total, why))
            return ADIT_EFULL;
    }
    if (e == NULL)
        e = find_or_add(t, peer);
    if (e == NULL)
        return ADIT_ENOMEM;
    if (p.family != 0)
        a = find_or_add_addr(t, &p);
    if ((p.family != 0 && a == NULL) ||
        adit_heap_set(&t->dues, &e->due, ends) != ADIT_OK) {
        free_addr_if_idle(t, a);
        free_if_idle(t, e);
        return ADIT_ENOMEM;
    }
    move_addr(t, e, a);
    *until = ends;
    *renewed = had;
    return ADIT_OK;
}

bool
adit_rsvp_has(const struct adit_rsvp *t, const struct adit_peerid *peer,
              struct adit_instant now)
{
    const struct entry *e = find(t, peer);

    return e != NULL && is_reserved(e) &&
           !adit_instant_is_due(e->due.due, now);
}

void
adit_rsvp_disconnected(struct adit_rsvp *t, const struct adit_peerid *peer,
                       struct adit_instant now)
{
    struct entry *e = find(t, peer);
    struct adit_instant ends = adit_instant_add(now, t->cfg.grace_us);

    if (e == NULL || !is_reserved(e))
        return;
    if (t->cfg.grace_us <= 0) {
        unreserve(t, e);
    } else if (ends.us < e->due.due.us) {
        adit_err err = adit_heap_set(&t->dues, &e->due, ends);

        adit_assert(err == ADIT_OK); /* moving never fails */
    }
}

void
adit_rsvp_drop(struct adit_rsvp *t, const struct adit_peerid *peer)
{
    struct entry *e = find(t, peer);

    if (e != NULL && is_reserved(e))
        unreserve(t, e);
}

/* ---- circuits ----------------------------------------------------------- */

adit_err
adit_rsvp_connect(struct adit_rsvp *t, const struct adit_peerid *src,
                  const struct adit_peerid *dst, struct adit_instant now,
                  struct adit_refusal *why)
{
    const struct adit_rsvp_config *cfg = &t->cfg;
    struct entry *d = find(t, dst);
    struct entry *s = find(t, src);

    if (!adit_rsvp_has(t, dst, now)) {
        *why = (struct adit_refusal){ .rule = ADIT_RULE_NO_RESERVATION };
        return ADIT_ENORESERVATION;
    }
    if (!fits(ADIT_RULE_CIRCUITS_PER_SRC, s != NULL ? s->n_src : 0,
              cfg->circuits_per_src, why) ||
        !fits(ADIT_RULE_CIRCUITS_PER_DST, d->n_dst, cfg->circuits_per_dst,
              why) ||
        !fits(ADIT_RULE_CIRCUITS_TOTAL, t->n_circuits, cfg->circuits_total,
              why))
        return ADIT_EFULL;
    if (s == NULL)
        s = find_or_add(t, src);
    if (s == NULL)
        return ADIT_ENOMEM;
    s->n_src++;
    d->n_dst++;
    t->n_circuits++;
    return ADIT_OK;
}

void
adit_rsvp_disconnect(struct adit_rsvp *t, const struct adit_peerid *src,
                     const struct adit_peerid *dst)
{
    struct entry *s = find(t, src);
    struct entry *d = find(t, dst);

    adit_assert(s != NULL && s->n_src > 0 && d != NULL && d->n_dst > 0 &&
                t->n_circuits > 0);
    t->n_circuits--;
    s->n_src--;
    d->n_dst--;
    free_if_idle(t, s);
    if (d != s)
        free_if_idle(t, d);
}

/* ---- deadlines and counts ----------------------------------------------- */

struct adit_instant
adit_rsvp_due(const struct adit_rsvp *t)
{
    const struct adit_heap_node *n = adit_heap_min(&t->dues);

    return n != NULL ? n->due : ADIT_NEVER;
}

size_t
adit_rsvp_tick(struct adit_rsvp *t, struct adit_instant now,
               void (*expired)(void *ctx, const struct adit_peerid *peer),
               void *ctx)
{
    size_t n_expired = 0;
    struct adit_heap_node *n;

    while ((n = adit_heap_min(&t->dues)) != NULL &&
           adit_instant_is_due(n->due, now)) {
        struct entry *e = ADIT_CONTAINER_OF(n, struct entry, due);
        struct adit_peerid peer = e->peer;

        unreserve(t, e);
        n_expired++;
        if (expired != NULL)
            expired(ctx, &peer);
    }
    return n_expired;
}

uint32_t
adit_rsvp_n(const struct adit_rsvp *t)
{
    return (uint32_t)t->dues.n;
}

uint32_t
adit_rsvp_n_circuits(const struct adit_rsvp *t)
{
    return t->n_circuits;
}

size_t
adit_rsvp_n_entries(const struct adit_rsvp *t)
{
    return t->peers.n + t->addrs.n;
}
