/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/rsvp.h"

/* A peer that holds a reservation, or is an end of a circuit. */
struct entry {
    struct adit_map_node node;
    struct adit_heap_node due; /* in the heap: it holds a reservation */
    struct adit_place at;      /* where that is counted */
    uint32_t n_src, n_dst;     /* its circuits */
    uint8_t cls;               /* that it is counted in, or ADIT_NO_CLASS */
    struct adit_peerid peer;
};

struct adit_rsvp {
    struct adit_mem *mem;
    struct adit_caps *caps; /* borrowed */
    int64_t grace_us;
    struct adit_map peers;
    struct adit_heap dues; /* holds each reservation, nothing else */
    uint32_t n_cls[ADIT_MAX_CLASSES];
    uint32_t n_circuits;
};

_Static_assert(sizeof(struct entry) + 3 * sizeof(void *) <= 160,
               "what one reservation costs, its places in tables included");

static struct entry *
entry_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct entry, node);
}

static bool
has_peer(const struct adit_map_node *n, struct adit_slice key)
{
    const struct entry *e = ADIT_CONTAINER_OF(n, const struct entry, node);

    return adit_slice_eq(adit_peerid_bytes(&e->peer), key);
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
    e->cls = ADIT_NO_CLASS;
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

static void
set_class(struct adit_rsvp *t, struct entry *e, uint8_t cls)
{
    if (e->cls != ADIT_NO_CLASS)
        t->n_cls[e->cls]--;
    if (cls != ADIT_NO_CLASS)
        t->n_cls[cls]++;
    e->cls = cls;
}

/* It is counted at `at` from now on, and nowhere else. */
static void
move(struct adit_rsvp *t, struct entry *e, const struct adit_place *at)
{
    struct adit_place to;

    adit_caps_copy(t->caps, at, &to);
    adit_caps_force(t->caps, ADIT_CAP_RSVPS, &to);
    adit_caps_give(t->caps, ADIT_CAP_RSVPS, &e->at);
    adit_caps_leave(t->caps, &e->at);
    e->at = to;
}

/* The entry may be gone after it. */
static void
unreserve(struct adit_rsvp *t, struct entry *e)
{
    adit_heap_remove(&t->dues, &e->due);
    adit_caps_give(t->caps, ADIT_CAP_RSVPS, &e->at);
    adit_caps_leave(t->caps, &e->at);
    set_class(t, e, ADIT_NO_CLASS);
    free_if_idle(t, e);
}

/* ---- life --------------------------------------------------------------- */

adit_err
adit_rsvp_new(struct adit_mem *mem, const struct adit_rng *rng,
              struct adit_caps *caps, int64_t grace_us, struct adit_rsvp **out)
{
    struct adit_rsvp *t = ADIT_NEW(mem, struct adit_rsvp);

    if (t == NULL)
        return ADIT_ENOMEM;
    t->mem = mem;
    t->caps = caps;
    t->grace_us = grace_us;
    adit_heap_init(&t->dues, mem);
    if (adit_map_init(&t->peers, mem, rng) != ADIT_OK) {
        adit_rsvp_free(t);
        return ADIT_ENOMEM;
    }
    *out = t;
    return ADIT_OK;
}

void
adit_rsvp_free(struct adit_rsvp *t)
{
    struct adit_heap_node *n;

    if (t == NULL)
        return;
    adit_assert(t->n_circuits == 0);
    while ((n = adit_heap_min(&t->dues)) != NULL)
        unreserve(t, ADIT_CONTAINER_OF(n, struct entry, due));
    adit_map_fini(&t->peers);
    adit_heap_fini(&t->dues);
    ADIT_FREE(t->mem, t);
}

void
adit_rsvp_set_grace(struct adit_rsvp *t, int64_t grace_us)
{
    t->grace_us = grace_us;
}

void
adit_rsvp_remap(struct adit_rsvp *t,
                const uint8_t map[static ADIT_MAX_CLASSES])
{
    struct adit_map_node *n = NULL;

    while ((n = adit_map_next(&t->peers, n)) != NULL) {
        struct entry *e = entry_of(n);

        if (e->cls != ADIT_NO_CLASS)
            set_class(t, e, map[e->cls]);
    }
}

/* One more than `have` under `cap`?  If not, *why says so. */
static bool
fits(enum adit_rule rule, uint64_t have, uint32_t cap,
     struct adit_refusal *why)
{
    if (cap == 0 || have < cap)
        return true;
    *why =
        (struct adit_refusal){ .rule = rule, .value = have + 1, .limit = cap };
    return false;
}

/* ---- reservations ------------------------------------------------------- */

/* Whole seconds until the first slot is free, at least one. */
static uint32_t
until_free_s(const struct adit_rsvp *t, struct adit_instant now)
{
    int64_t us = adit_instant_sub(adit_rsvp_due(t), now);
    int64_t s = (us + ADIT_S - 1) / ADIT_S;

    return s < 1 ? 1 : (uint32_t)ADIT_MIN(s, (int64_t)UINT32_MAX);
}

/* Count one more at `at` and in the class.  ADIT_EFULL: nothing was. */
static adit_err
take(struct adit_rsvp *t, const struct adit_place *at,
     const struct adit_rsvp_terms *terms, struct adit_instant now,
     struct adit_refusal *why)
{
    adit_err e = adit_caps_take(t->caps, ADIT_CAP_RSVPS, at, why);

    if (e != ADIT_OK) {
        /* Whose slot that is does not matter to the node's cap alone. */
        if (why->rule == ADIT_RULE_RSVP_TOTAL)
            why->retry_s = until_free_s(t, now);
        return e;
    }
    if (terms->cls != ADIT_NO_CLASS &&
        !fits(ADIT_RULE_RSVP_PER_CLASS, t->n_cls[terms->cls], terms->cls_max,
              why)) {
        adit_caps_give(t->caps, ADIT_CAP_RSVPS, at);
        return ADIT_EFULL;
    }
    return ADIT_OK;
}

adit_err
adit_rsvp_reserve(struct adit_rsvp *t, const struct adit_peerid *peer,
                  const struct adit_place *at,
                  const struct adit_rsvp_terms *terms, struct adit_instant now,
                  struct adit_instant *until, bool *renewed,
                  struct adit_refusal *why)
{
    struct adit_instant ends = adit_instant_add(now, terms->ttl_us);
    struct entry *e = find(t, peer);
    bool had = e != NULL && is_reserved(e);
    adit_err err;

    adit_assert(terms->cls < ADIT_MAX_CLASSES || terms->cls == ADIT_NO_CLASS);
    if (!had) {
        err = take(t, at, terms, now, why);
        if (err != ADIT_OK)
            return err;
        if (e == NULL)
            e = find_or_add(t, peer);
    }
    /* Where it had one this moves it, and that never fails. */
    if (e == NULL || adit_heap_set(&t->dues, &e->due, ends) != ADIT_OK) {
        adit_caps_give(t->caps, ADIT_CAP_RSVPS, at);
        if (e != NULL)
            free_if_idle(t, e);
        return ADIT_ENOMEM;
    }
    if (had)
        move(t, e, at);
    else
        adit_caps_copy(t->caps, at, &e->at);
    set_class(t, e, terms->cls);
    *until = ends;
    *renewed = had;
    return ADIT_OK;
}

static bool
has(const struct entry *e, struct adit_instant now)
{
    return e != NULL && is_reserved(e) &&
           !adit_instant_is_due(e->due.due, now);
}

bool
adit_rsvp_has(const struct adit_rsvp *t, const struct adit_peerid *peer,
              struct adit_instant now)
{
    return has(find(t, peer), now);
}

void
adit_rsvp_disconnected(struct adit_rsvp *t, const struct adit_peerid *peer,
                       struct adit_instant now)
{
    struct entry *e = find(t, peer);
    struct adit_instant ends = adit_instant_add(now, t->grace_us);

    if (e == NULL || !is_reserved(e))
        return;
    if (t->grace_us <= 0) {
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

/* May both peers have one more?  A circuit to oneself is two of one's own. */
static bool
peers_fit(const struct entry *s, const struct entry *d,
          const struct adit_circuit_caps *caps, struct adit_refusal *why)
{
    uint64_t n_src = s != NULL ? s->n_src : 0;
    uint64_t n_all = s != NULL ? (uint64_t)s->n_src + s->n_dst : 0;
    uint64_t also = s == d ? 1 : 0;

    return fits(ADIT_RULE_CIRCUITS_PER_SRC, n_src, caps->src_out, why) &&
           fits(ADIT_RULE_CIRCUITS_PER_PEER, n_all + also, caps->src_all,
                why) &&
           fits(ADIT_RULE_CIRCUITS_PER_DST, d->n_dst, caps->dst_in, why) &&
           fits(ADIT_RULE_CIRCUITS_PER_PEER,
                (uint64_t)d->n_src + d->n_dst + also, caps->dst_all, why);
}

adit_err
adit_rsvp_connect(struct adit_rsvp *t, const struct adit_peerid *src,
                  const struct adit_peerid *dst,
                  const struct adit_place *src_at,
                  const struct adit_circuit_caps *caps,
                  struct adit_instant now, struct adit_refusal *why)
{
    struct entry *d = find(t, dst);
    struct entry *s = find(t, src);
    adit_err e;

    if (!has(d, now)) {
        *why = (struct adit_refusal){ .rule = ADIT_RULE_NO_RESERVATION };
        return ADIT_ENORESERVATION;
    }
    if (!peers_fit(s, d, caps, why))
        return ADIT_EFULL;
    e = adit_caps_take(t->caps, ADIT_CAP_CIRCUITS, src_at, why);
    if (e != ADIT_OK)
        return e;
    if (s == NULL)
        s = find_or_add(t, src);
    if (s == NULL) {
        adit_caps_give(t->caps, ADIT_CAP_CIRCUITS, src_at);
        return ADIT_ENOMEM;
    }
    s->n_src++;
    d->n_dst++;
    t->n_circuits++;
    return ADIT_OK;
}

void
adit_rsvp_disconnect(struct adit_rsvp *t, const struct adit_peerid *src,
                     const struct adit_peerid *dst,
                     const struct adit_place *src_at)
{
    struct entry *s = find(t, src);
    struct entry *d = find(t, dst);

    adit_assert(s != NULL && s->n_src > 0 && d != NULL && d->n_dst > 0 &&
                t->n_circuits > 0);
    adit_caps_give(t->caps, ADIT_CAP_CIRCUITS, src_at);
    t->n_circuits--;
    s->n_src--;
    d->n_dst--;
    free_if_idle(t, s);
    if (d != s)
        free_if_idle(t, d);
}

bool
adit_rsvp_get(const struct adit_rsvp *t, const struct adit_peerid *peer,
              struct adit_instant now, struct adit_rsvp_info *out)
{
    const struct entry *e = find(t, peer);

    if (e == NULL)
        return false;
    *out = (struct adit_rsvp_info){
        .has = has(e, now),
        .until = has(e, now) ? e->due.due : ADIT_NEVER,
        .n_src = e->n_src,
        .n_dst = e->n_dst,
        .cls = e->cls,
    };
    return true;
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
adit_rsvp_n_of(const struct adit_rsvp *t, uint8_t cls)
{
    adit_assert(cls < ADIT_MAX_CLASSES);
    return t->n_cls[cls];
}

uint32_t
adit_rsvp_n_circuits(const struct adit_rsvp *t)
{
    return t->n_circuits;
}

size_t
adit_rsvp_n_entries(const struct adit_rsvp *t)
{
    return t->peers.n;
}
