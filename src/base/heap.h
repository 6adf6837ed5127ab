/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * heap: deadlines, least first; intrusive, O(log n), four children a node.
 *
 * Thread: one owner.
 */
#ifndef ADIT_BASE_HEAP_H
#define ADIT_BASE_HEAP_H

#include "base/mem.h"
#include "base/time.h"

struct adit_heap_node {
    struct adit_instant due;
    uint32_t at; /* 1 + index in the heap; 0: in none */
};

struct adit_heap {
    struct adit_mem *mem;
    struct adit_heap_node **v;
    size_t n, cap;
};

void adit_heap_init(struct adit_heap *h, struct adit_mem *mem);
void adit_heap_fini(struct adit_heap *h);

/*
 * Put `n` in, or move it, to `due`.  ADIT_ENOMEM: a node that was not in the
 * heap could not be added; moving never fails.
 */
ADIT_MUST_USE adit_err adit_heap_set(struct adit_heap *h,
                                     struct adit_heap_node *n,
                                     struct adit_instant due);

/* Take it out; fine if it is not in. */
void adit_heap_remove(struct adit_heap *h, struct adit_heap_node *n);

/* The node that is due first; NULL when empty. */
struct adit_heap_node *adit_heap_min(const struct adit_heap *h);

#endif
