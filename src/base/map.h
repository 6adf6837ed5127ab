/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * map: an intrusive hash table, keyed (SipHash) so that a stranger who
 * chooses his keys cannot choose his bucket.
 *
 * The node stores the hash; the caller compares keys.  Grows by doubling and
 * goes on working, more slowly, when it cannot.  Thread: one owner.
 */
#ifndef ADIT_BASE_MAP_H
#define ADIT_BASE_MAP_H

#include "base/mem.h"
#include "base/rng.h"
#include "base/slice.h"

struct adit_map_node {
    struct adit_map_node *next;
    uint64_t hash;
};

struct adit_map {
    struct adit_mem *mem;
    struct adit_map_node **v;
    size_t n, cap; /* cap is a power of two */
    uint8_t seed[16];
};

/* Does this node hold `key`? */
typedef bool adit_map_eq(const struct adit_map_node *n, struct adit_slice key);

/* ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_map_init(struct adit_map *m, struct adit_mem *mem,
                                     const struct adit_rng *rng);

/* The nodes are the caller's; the table alone is freed. */
void adit_map_fini(struct adit_map *m);

/* NULL when absent. */
struct adit_map_node *adit_map_get(const struct adit_map *m,
                                   struct adit_slice key, adit_map_eq *eq);

/* The key must not be in the map. */
void adit_map_add(struct adit_map *m, struct adit_slice key,
                  struct adit_map_node *n);

/* The node must be in the map. */
void adit_map_remove(struct adit_map *m, struct adit_map_node *n);

/*
 * Walk: start with NULL, end at NULL.  The map must not change meanwhile.
 * Order means nothing.
 */
struct adit_map_node *adit_map_next(const struct adit_map *m,
                                    const struct adit_map_node *after);

#endif
