/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void
adit_mem_init(struct adit_mem *m, struct adit_mem *parent, size_t cap_bytes)
{
    *m = (struct adit_mem){ .parent = parent, .cap_bytes = cap_bytes };
}

static bool
charge(struct adit_mem *m, size_t n)
{
    for (struct adit_mem *q = m; q != NULL; q = q->parent) {
        q->n_allocs++;
        if (q->fail_at != 0 && q->n_allocs >= q->fail_at &&
            (!q->fail_once || q->n_allocs == q->fail_at))
            return false;
        if (n > q->cap_bytes || q->used_bytes > q->cap_bytes - n)
            return false;
    }
    for (struct adit_mem *q = m; q != NULL; q = q->parent)
        q->used_bytes += n;
    return true;
}

static void
discharge(struct adit_mem *m, size_t n)
{
    for (struct adit_mem *q = m; q != NULL; q = q->parent) {
        adit_assert(q->used_bytes >= n);
        q->used_bytes -= n;
    }
}

void *
adit_mem_alloc(struct adit_mem *m, size_t n_bytes)
{
    void *p;

    adit_assert(n_bytes > 0);
    if (!charge(m, n_bytes))
        return NULL;
    p = calloc(1, n_bytes);
    if (p == NULL)
        discharge(m, n_bytes);
    return p;
}

void
adit_mem_free(struct adit_mem *m, void *p, size_t n_bytes)
{
    if (p == NULL)
        return;
    discharge(m, n_bytes);
    free(p);
}

void *
adit_mem_resize(struct adit_mem *m, void *p, size_t old_bytes,
                size_t new_bytes)
{
    void *q;

    adit_assert(new_bytes > 0);
    if (p == NULL)
        return adit_mem_alloc(m, new_bytes);
    if (new_bytes > old_bytes && !charge(m, new_bytes - old_bytes))
        return NULL;
    q = realloc(p, new_bytes);
    if (q == NULL) {
        if (new_bytes > old_bytes)
            discharge(m, new_bytes - old_bytes);
        return NULL;
    }
    if (new_bytes > old_bytes)
        memset((uint8_t *)q + old_bytes, 0, new_bytes - old_bytes);
    else
        discharge(m, old_bytes - new_bytes);
    return q;
}
