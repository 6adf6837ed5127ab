/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/budget.h"

adit_err
adit_budget_charge(struct adit_budget *b, enum adit_dir dir, size_t want_bytes,
                   struct adit_instant now, size_t *granted_bytes)
{
    uint64_t *left = &b->left_bytes[dir];

    adit_assert(want_bytes > 0);
    if (adit_instant_is_due(b->ends, now))
        return ADIT_EEXPIRED;
    if (*left == 0)
        return ADIT_ELIMIT;
    if (*left != ADIT_BUDGET_NO_CAP) {
        if (want_bytes > *left)
            want_bytes = (size_t)*left;
        *left -= want_bytes;
    }
    *granted_bytes = want_bytes;
    return ADIT_OK;
}
