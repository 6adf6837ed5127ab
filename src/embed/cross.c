/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/cross.h"

#include "base/mem.h"

void *
adit_cross_alloc(size_t n_bytes)
{
    struct adit_mem nobody;

    adit_mem_init(&nobody, NULL, SIZE_MAX);
    return adit_mem_alloc(&nobody, n_bytes);
}

void
adit_cross_free(void *p, size_t n_bytes)
{
    struct adit_mem nobody;

    adit_mem_init(&nobody, NULL, SIZE_MAX);
    nobody.used_bytes = n_bytes;
    adit_mem_free(&nobody, p, n_bytes);
}
