/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/secret.h"

#include <sodium.h>

void
adit_secret_fini(struct adit_secret *s)
{
    adit_wipe(s->b, sizeof(s->b));
}

void
adit_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

bool
adit_secret_eq(const struct adit_secret *a, const struct adit_secret *b)
{
    return sodium_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
