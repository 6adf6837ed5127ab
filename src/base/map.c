/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/map.h"

#include <sodium.h>

#define FIRST_CAP 16

adit_err
adit_map_init(struct adit_map *m, struct adit_mem *mem,
              const struct adit_rng *rng)
{
    *m = (struct adit_map){ .mem = mem, .cap = FIRST_CAP };
    m->v = adit_mem_alloc(mem, m->cap * sizeof(*m->v));
    if (m->v == NULL) {
        *m = (struct adit_map){ 0 }; /* a walk over it finds nothing */
        return ADIT_ENOMEM;
    }
    adit_rng_fill(rng, m->seed, sizeof(m->seed));
    return ADIT_OK;
}

void
adit_map_fini(struct adit_map *m)
{
    if (m->v != NULL)
        adit_mem_free(m->mem, m->v, m->cap * sizeof(*m->v));
    *m = (struct adit_map){ 0 };
}

static uint64_t
hash_of(const struct adit_map *m, struct adit_slice key)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;

    crypto_shorthash(out, key.p, key.n, m->seed);
    memcpy(&h, out, sizeof(h));
    return h;
}

static struct adit_map_node **
bucket(const struct adit_map *m, uint64_t hash)
{
    return &m->v[hash & (m->cap - 1)];
}

struct adit_map_node *
adit_map_get(const struct adit_map *m, struct adit_slice key, adit_map_eq *eq)
{
    uint64_t h = hash_of(m, key);

    for (struct adit_map_node *n = *bucket(m, h); n != NULL; n = n->next)
        if (n->hash == h && eq(n, key))
            return n;
    return NULL;
}

static void
grow(struct adit_map *m)
{
    size_t cap = 2 * m->cap;
    struct adit_map_node **v = adit_mem_alloc(m->mem, cap * sizeof(*v));

    if (v == NULL)
        return; /* longer chains, still correct */
    for (size_t i = 0; i < m->cap; i++) {
        struct adit_map_node *n, *next;

        for (n = m->v[i]; n != NULL; n = next) {
            struct adit_map_node **b = &v[n->hash & (cap - 1)];

            next = n->next;
            n->next = *b;
            *b = n;
        }
    }
    adit_mem_free(m->mem, m->v, m->cap * sizeof(*v));
    m->v = v;
    m->cap = cap;
}

void
adit_map_add(struct adit_map *m, struct adit_slice key,
             struct adit_map_node *n)
{
    struct adit_map_node **b;

    if (m->n >= m->cap)
        grow(m);
    n->hash = hash_of(m, key);
    b = bucket(m, n->hash);
    n->next = *b;
    *b = n;
    m->n++;
}

void
adit_map_remove(struct adit_map *m, struct adit_map_node *n)
{
    for (struct adit_map_node **p = bucket(m, n->hash); *p != NULL;
         p = &(*p)->next) {
        if (*p == n) {
            *p = n->next;
            n->next = NULL;
            m->n--;
            return;
        }
    }
    adit_assert(false && "the node is in the map");
}

struct adit_map_node *
adit_map_next(const struct adit_map *m, const struct adit_map_node *after)
{
    size_t i = 0;

    if (after != NULL) {
        if (after->next != NULL)
            return after->next;
        i = (size_t)(after->hash & (m->cap - 1)) + 1;
    }
    for (; i < m->cap; i++)
        if (m->v[i] != NULL)
            return m->v[i];
    return NULL;
}
