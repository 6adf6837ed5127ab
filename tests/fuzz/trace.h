/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What a machine said and did, as one number, so that two runs over the same
 * bytes, cut differently, can be compared.
 */
#ifndef ADIT_FUZZ_TRACE_H
#define ADIT_FUZZ_TRACE_H

#include "driver.h"

#include "base/slice.h"

struct trace {
    uint64_t h;
};

/* FNV-1a, 64 bits. */
static inline void
trace_bytes(struct trace *t, struct adit_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        t->h = (t->h ^ s.p[i]) * UINT64_C(0x100000001b3);
    t->h = (t->h ^ s.n) * UINT64_C(0x100000001b3);
}

static inline void
trace_u64(struct trace *t, uint64_t v)
{
    trace_bytes(t, adit_slice(&v, sizeof(v)));
}

/*
 * The next piece of `in`, in a block of its own and exactly as long, so that
 * a sanitizer sees what reads beyond it, or after the next one came.
 */
static inline struct adit_slice
piece(struct adit_slice in, size_t at, size_t n, uint8_t **block)
{
    struct adit_slice s = adit_slice_skip(in, at);

    if (s.n > n)
        s.n = n;
    free(*block);
    *block = malloc(s.n > 0 ? s.n : 1);
    adit_assert(*block != NULL);
    adit_copy(*block, s);
    return adit_slice(*block, s.n);
}

#endif
