/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rng: where randomness comes from: a pointer, handed down at init.
 *
 * The daemon's is the system's generator, a test's is a counter.  The
 * function cannot fail.  Thread: that of the object it was given to.
 */
#ifndef ADIT_BASE_RNG_H
#define ADIT_BASE_RNG_H

#include "base/cc.h"

struct adit_rng {
    void (*fill)(void *ctx, uint8_t *dst, size_t n);
    void *ctx;
};

static inline void
adit_rng_fill(const struct adit_rng *r, void *dst, size_t n)
{
    r->fill(r->ctx, (uint8_t *)dst, n);
}

static inline uint64_t
adit_rng_u64(const struct adit_rng *r)
{
    uint64_t v;

    adit_rng_fill(r, &v, sizeof(v));
    return v;
}

/*
 * The system's own generator (libsodium's).  Any thread.  Also readies
 * libsodium, which only then takes the code that suits this processor: X25519
 * in three quarters of the time (docs/decisions/crypto-speed.md).
 */
struct adit_rng adit_rng_system(void);

#endif
