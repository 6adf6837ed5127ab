/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * mem: memory as a counted resource.
 *
 * Each `struct adit_mem` charges a quota, and that of its parent, up to the
 * node's.  Frees are sized, so a block carries no header of ours.  The n-th
 * allocation can be made to fail, which is how the oom tests work.
 *
 * Thread: one owner per chain of quotas.
 */
#ifndef ADIT_BASE_MEM_H
#define ADIT_BASE_MEM_H

#include "base/err.h"

struct adit_mem {
    struct adit_mem *parent; /* NULL at the root */
    size_t used_bytes;
    size_t cap_bytes;  /* SIZE_MAX: no quota at this level */
    uint64_t n_allocs; /* how many were asked for, ever */
    uint64_t fail_at;  /* 0, or the n_allocs from which all fail */
    bool fail_once;    /* only that one */
};

/* A root quota; SIZE_MAX for none. */
void adit_mem_init(struct adit_mem *m, struct adit_mem *parent,
                   size_t cap_bytes);

/*
 * `n_bytes` zeroed bytes, or NULL: over a quota, or out of memory.
 * n_bytes must not be 0.
 */
void *adit_mem_alloc(struct adit_mem *m, size_t n_bytes);

/* Give back what _alloc gave, with the same size.  NULL is fine. */
void adit_mem_free(struct adit_mem *m, void *p, size_t n_bytes);

/*
 * Resize to `new_bytes`; new space is zeroed.  NULL: over quota or out of
 * memory, and `p` is as it was.
 */
void *adit_mem_resize(struct adit_mem *m, void *p, size_t old_bytes,
                      size_t new_bytes);

#define ADIT_NEW(m, type) ((type *)adit_mem_alloc((m), sizeof(type)))
#define ADIT_FREE(m, p) adit_mem_free((m), (p), sizeof(*(p)))

#endif
