/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/rng.h"

#include <sodium.h>

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    randombytes_buf(dst, n);
}

struct adit_rng
adit_rng_system(void)
{
    int done = sodium_init(); /* 1: done before; any thread may ask */

    adit_assert(done >= 0);
    return (struct adit_rng){ fill, NULL };
}
