/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What the tests of wire share: cmocka, chance that is none, and bytes
 * exactly as long as they say, so that a sanitizer sees each overrun.
 */
#ifndef ADIT_TESTS_UNIT_WIRE_COMMON_H
#define ADIT_TESTS_UNIT_WIRE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/slice.h"

/* A generator that counts: the same bytes in every run. */
struct counter {
    uint64_t n;
};

static inline void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    struct counter *c = ctx;

    for (size_t i = 0; i < n; i++) {
        /* The finaliser of SplitMix64: no two runs of 32 look alike. */
        uint64_t z = (c->n++ + 1) * UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        dst[i] = (uint8_t)(z ^ (z >> 31));
    }
}

static inline struct adit_rng
counter_rng(struct counter *c)
{
    return (struct adit_rng){ counter_fill, c };
}

/* A copy on the heap; test_free() it. */
static inline uint8_t *
exact(struct adit_slice s)
{
    uint8_t *p = test_malloc(s.n > 0 ? s.n : 1);

    adit_copy(p, s);
    return p;
}

#define assert_slice_equal(a, b_, n_)                                         \
    do {                                                                      \
        struct adit_slice a_ = (a);                                           \
        assert_int_equal(a_.n, (n_));                                         \
        if (a_.n > 0)                                                         \
            assert_memory_equal(a_.p, (b_), a_.n);                            \
    } while (0)

#endif
