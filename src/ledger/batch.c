/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "ledger/batch.h"

/* The day, then the peer. */
struct key {
    uint8_t b[sizeof(int64_t) + ADIT_PEERID_MAX_BYTES];
    size_t n;
};

static struct adit_slice
key_of(struct key *k, const struct adit_peerid *peer, int64_t day_unix_s)
{
    memcpy(k->b, &day_unix_s, sizeof(day_unix_s));
    memcpy(k->b + sizeof(day_unix_s), peer->b, peer->n);
    k->n = sizeof(day_unix_s) + peer->n;
    return adit_slice(k->b, k->n);
}

static bool
is_key(const struct adit_map_node *n, struct adit_slice key)
{
    const struct adit_entry *e = ADIT_CONTAINER_OF(n, struct adit_entry, node);
    struct key k;

    return adit_slice_eq(key_of(&k, &e->peer, e->day_unix_s), key);
}

adit_err
adit_batch_init(struct adit_batch *b, struct adit_mem *mem,
                const struct adit_rng *rng)
{
    *b = (struct adit_batch){ .mem = mem };
    b->entries_tail = &b->entries;
    b->records_tail = &b->records;
    b->marks_tail = &b->marks;
    return adit_map_init(&b->map, mem, rng);
}

void
adit_batch_drop(struct adit_batch *b)
{
    struct adit_entry *e = b->entries;

    b->entries = e->next;
    if (e->refused != NULL)
        adit_mem_free(b->mem, e->refused,
                      e->cap_refused * sizeof(*e->refused));
    ADIT_FREE(b->mem, e);
}

void
adit_batch_fini(struct adit_batch *b)
{
    if (b->mem == NULL)
        return;
    while (b->entries != NULL)
        adit_batch_drop(b);
    while (b->records != NULL) {
        struct adit_record_node *r = b->records;

        b->records = r->next;
        ADIT_FREE(b->mem, r);
    }
    while (b->marks != NULL) {
        struct adit_mark_node *m = b->marks;

        b->marks = m->next;
        ADIT_FREE(b->mem, m);
    }
    adit_map_fini(&b->map);
    *b = (struct adit_batch){ 0 };
}

bool
adit_batch_is_empty(const struct adit_batch *b)
{
    return b->map.n == 0 && b->n_records == 0 && b->n_marks == 0;
}

size_t
adit_batch_n(const struct adit_batch *b)
{
    return b->map.n + b->n_records;
}

bool
adit_batch_is_large(const struct adit_batch *b)
{
    return b->map.n >= ADIT_LEDGER_MAX_PEERS / 2 ||
           b->n_records >= ADIT_LEDGER_MAX_RECORDS / 2;
}

struct adit_entry *
adit_batch_get(const struct adit_batch *b, const struct adit_peerid *peer,
               int64_t day_unix_s)
{
    struct key k;
    struct adit_map_node *n =
        adit_map_get(&b->map, key_of(&k, peer, day_unix_s), is_key);

    return n != NULL ? ADIT_CONTAINER_OF(n, struct adit_entry, node) : NULL;
}

/* The entry of a peer, made if need be. */
static struct adit_entry *
entry(struct adit_batch *b, const struct adit_peerid *peer, int64_t now_unix_s,
      int64_t day_unix_s)
{
    struct adit_entry *e = adit_batch_get(b, peer, day_unix_s);
    struct key k;

    if (e == NULL) {
        if (b->map.n >= ADIT_LEDGER_MAX_PEERS)
            return NULL;
        e = ADIT_NEW(b->mem, struct adit_entry);
        if (e == NULL)
            return NULL;
        e->peer = *peer;
        e->day_unix_s = day_unix_s;
        e->first_unix_s = e->last_unix_s = now_unix_s;
        adit_map_add(&b->map, key_of(&k, peer, day_unix_s), &e->node);
        *b->entries_tail = e;
        b->entries_tail = &e->next;
    }
    /* The clock may have gone back. */
    e->first_unix_s = ADIT_MIN(e->first_unix_s, now_unix_s);
    e->last_unix_s = ADIT_MAX(e->last_unix_s, now_unix_s);
    return e;
}

bool
adit_batch_add(struct adit_batch *b, const struct adit_peerid *peer,
               int64_t now_unix_s, int64_t day_unix_s,
               const struct adit_ledger_gains *g)
{
    struct adit_entry *e = entry(b, peer, now_unix_s, day_unix_s);

    if (e == NULL)
        return false;
    e->gains.sent_bytes += g->sent_bytes;
    e->gains.received_bytes += g->received_bytes;
    e->gains.n_as_src += g->n_as_src;
    e->gains.n_as_dst += g->n_as_dst;
    e->gains.n_reservations += g->n_reservations;
    return true;
}

bool
adit_batch_refused(struct adit_batch *b, const struct adit_peerid *peer,
                   int64_t now_unix_s, int64_t day_unix_s, enum adit_rule rule)
{
    struct adit_entry *e = entry(b, peer, now_unix_s, day_unix_s);

    if (e == NULL)
        return false;
    for (uint8_t i = 0; i < e->n_refused; i++)
        if (e->refused[i].rule == rule) {
            e->refused[i].n++;
            return true;
        }
    if (e->n_refused == e->cap_refused) {
        uint8_t cap = e->cap_refused == 0 ? 1 : (uint8_t)(2 * e->cap_refused);
        struct adit_refused *v = adit_mem_resize(
            b->mem, e->refused, e->cap_refused * sizeof(*v), cap * sizeof(*v));

        if (v == NULL)
            return false;
        e->refused = v;
        e->cap_refused = cap;
    }
    e->refused[e->n_refused++] = (struct adit_refused){ rule, 1 };
    return true;
}

bool
adit_batch_record(struct adit_batch *b, const struct adit_ledger_record *r)
{
    struct adit_record_node *n;

    if (b->n_records >= ADIT_LEDGER_MAX_RECORDS)
        return false;
    n = ADIT_NEW(b->mem, struct adit_record_node);
    if (n == NULL)
        return false;
    n->r = *r;
    *b->records_tail = n;
    b->records_tail = &n->next;
    b->n_records++;
    return true;
}

static struct adit_mark_node *
find_mark(const struct adit_batch *b, const struct adit_peerid *peer)
{
    for (struct adit_mark_node *n = b->marks; n != NULL; n = n->next)
        if (adit_peerid_eq(&n->m.peer, peer))
            return n;
    return NULL;
}

bool
adit_batch_mark(struct adit_batch *b, const struct adit_ledger_mark *m)
{
    struct adit_mark_node *n = find_mark(b, &m->peer);

    if (n != NULL) {
        n->m = *m;
        return true;
    }
    if (b->n_marks >= ADIT_LEDGER_MAX_MARKS)
        return false;
    n = ADIT_NEW(b->mem, struct adit_mark_node);
    if (n == NULL)
        return false;
    n->m = *m;
    *b->marks_tail = n;
    b->marks_tail = &n->next;
    b->n_marks++;
    return true;
}

bool
adit_batch_has_mark(const struct adit_batch *b, const struct adit_peerid *peer)
{
    return find_mark(b, peer) != NULL;
}

bool
adit_entry_is_used(const struct adit_entry *e)
{
    return e->gains.sent_bytes > 0 || e->gains.received_bytes > 0 ||
           e->gains.n_as_src > 0 || e->gains.n_as_dst > 0;
}
