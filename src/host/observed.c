/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/observed.h"

static struct adit_observed_addr *
slot_for(struct adit_observed *o, const struct adit_endpoint *at)
{
    struct adit_observed_addr *oldest = NULL;

    for (size_t i = 0; i < o->n; i++) {
        if (adit_endpoint_eq(&o->v[i].at, at))
            return &o->v[i];
        if (o->v[i].n_votes < ADIT_OBSERVED_QUORUM &&
            (oldest == NULL || o->v[i].heard < oldest->heard))
            oldest = &o->v[i];
    }
    if (o->n < ADIT_OBSERVED_MAX)
        oldest = &o->v[o->n++];
    if (oldest != NULL)
        *oldest = (struct adit_observed_addr){ .at = *at };
    return oldest;
}

bool
adit_observed_add(struct adit_observed *o, const struct adit_endpoint *at,
                  const struct adit_endpoint *from)
{
    uint8_t key[ADIT_PREFIX_KEY_MAX_BYTES];
    size_t n = adit_endpoint_prefix(from, 16, 32, key);
    struct adit_observed_addr *a;

    if (n == 0 || !adit_endpoint_is_global(at) ||
        !adit_endpoint_is_global(from))
        return false;
    a = slot_for(o, at);
    if (a == NULL)
        return false;
    a->heard = ++o->clock;
    if (a->n_votes == ADIT_OBSERVED_QUORUM)
        return false;
    for (size_t i = 0; i < a->n_votes; i++)
        if (adit_slice_eq(adit_slice(a->voter[i], a->n_bytes[i]),
                          adit_slice(key, n)))
            return false;
    memcpy(a->voter[a->n_votes], key, n);
    a->n_bytes[a->n_votes] = (uint8_t)n;
    a->n_votes++;
    return a->n_votes == ADIT_OBSERVED_QUORUM;
}

const struct adit_endpoint *
adit_observed_at(const struct adit_observed *o, size_t i)
{
    for (size_t k = 0; k < o->n; k++)
        if (o->v[k].n_votes == ADIT_OBSERVED_QUORUM && i-- == 0)
            return &o->v[k].at;
    return NULL;
}
