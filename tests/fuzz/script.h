/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A fuzz target's input as a script: bytes that decide, and bytes that are
 * said.  What is said lies in a block of its own, exactly as long as it is.
 */
#ifndef ADIT_FUZZ_SCRIPT_H
#define ADIT_FUZZ_SCRIPT_H

#include <stdlib.h>

#include "base/rng.h"
#include "base/slice.h"
#include "driver.h"

struct script {
    struct adit_slice left;
};

/* 0 when nothing is left. */
static inline uint8_t
script_u8(struct script *s)
{
    uint8_t b = 0;

    if (s->left.n > 0) {
        b = s->left.p[0];
        s->left = adit_slice_skip(s->left, 1);
    }
    return b;
}

/* Up to `n` bytes; to be freed. */
static inline struct adit_mslice
script_bytes(struct script *s, size_t n)
{
    struct adit_mslice m;

    m.n = ADIT_MIN(n, s->left.n);
    m.p = malloc(m.n > 0 ? m.n : 1);
    if (m.p == NULL)
        abort();
    adit_copy(m.p, adit_slice(s->left.p, m.n));
    s->left = adit_slice_skip(s->left, m.n);
    return m;
}

static inline struct adit_slice
script_const(struct adit_mslice m)
{
    return adit_slice(m.p, m.n);
}

/* A fuzz target's chance: a counter, from 1 in each run. */
static inline void
script_fill(void *ctx, uint8_t *dst, size_t n)
{
    uint64_t *at = ctx;

    for (size_t i = 0; i < n; i++) {
        uint64_t z = ++*at * UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 31)) * UINT64_C(0xbf58476d1ce4e5b9);
        dst[i] = (uint8_t)(z >> 37);
    }
}

static inline struct adit_rng
script_rng(uint64_t *at)
{
    return (struct adit_rng){ script_fill, at };
}

/* What must hold, whatever the input. */
#define FUZZ_HOLDS(cond) adit_assert(cond)

#endif
