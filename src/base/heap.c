/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/heap.h"

/* Shallower than a binary heap, and siblings share a cache line. */
#define ARITY 4

void
adit_heap_init(struct adit_heap *h, struct adit_mem *mem)
{
    *h = (struct adit_heap){ .mem = mem };
}

void
adit_heap_fini(struct adit_heap *h)
{
    adit_mem_free(h->mem, h->v, h->cap * sizeof(*h->v));
    h->v = NULL;
    h->n = h->cap = 0;
}

static void
place(struct adit_heap *h, size_t i, struct adit_heap_node *n)
{
    h->v[i] = n;
    n->at = (uint32_t)(i + 1);
}

static void
sift_up(struct adit_heap *h, size_t i)
{
    struct adit_heap_node *n = h->v[i];

    while (i > 0) {
        size_t parent = (i - 1) / ARITY;

        if (h->v[parent]->due.us <= n->due.us)
            break;
        place(h, i, h->v[parent]);
        i = parent;
    }
    place(h, i, n);
}

static void
sift_down(struct adit_heap *h, size_t i)
{
    struct adit_heap_node *n = h->v[i];

    for (;;) {
        size_t first = i * ARITY + 1;
        size_t least = first;

        if (first >= h->n)
            break;
        for (size_t k = first + 1; k < first + ARITY && k < h->n; k++)
            if (h->v[k]->due.us < h->v[least]->due.us)
                least = k;
        if (h->v[least]->due.us >= n->due.us)
            break;
        place(h, i, h->v[least]);
        i = least;
    }
    place(h, i, n);
}

adit_err
adit_heap_set(struct adit_heap *h, struct adit_heap_node *n,
              struct adit_instant due)
{
    if (n->at == 0) {
        if (h->n == h->cap) {
            size_t cap = h->cap != 0 ? 2 * h->cap : 16;
            void *v = adit_mem_resize(h->mem, h->v, h->cap * sizeof(*h->v),
                                      cap * sizeof(*h->v));

            if (v == NULL)
                return ADIT_ENOMEM;
            h->v = v;
            h->cap = cap;
        }
        n->due = due;
        place(h, h->n++, n);
        sift_up(h, h->n - 1);
        return ADIT_OK;
    }
    adit_assert(n->at <= h->n && h->v[n->at - 1] == n);
    n->due = due;
    sift_up(h, n->at - 1);
    sift_down(h, n->at - 1);
    return ADIT_OK;
}

void
adit_heap_remove(struct adit_heap *h, struct adit_heap_node *n)
{
    size_t i = n->at;
    struct adit_heap_node *last;

    if (i-- == 0)
        return;
    adit_assert(i < h->n && h->v[i] == n);
    n->at = 0;
    last = h->v[--h->n];
    if (last == n)
        return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, last->at - 1);
}

struct adit_heap_node *
adit_heap_min(const struct adit_heap *h)
{
    return h->n > 0 ? h->v[0] : NULL;
}
