/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * budget: what one relayed circuit may still do.
 *
 * A value that is told the time: copy it, nothing to free.  Pure.
 */
#ifndef ADIT_POLICY_BUDGET_H
#define ADIT_POLICY_BUDGET_H

#include "base/err.h"
#include "base/time.h"

enum adit_dir { ADIT_DIR_TO_DST, ADIT_DIR_TO_SRC };

/* No data limit.  The wire says this by leaving the field out or at zero. */
#define ADIT_BUDGET_NO_CAP UINT64_MAX

struct adit_budget {
    uint64_t left_bytes[2];   /* indexed by enum adit_dir */
    struct adit_instant ends; /* at this instant it is over; ADIT_NEVER */
};

/*
 * Ask to carry up to `want_bytes` towards `dir` at `now`.
 *
 *   ADIT_OK        *granted_bytes (1..want_bytes) is charged; carry just that
 *   ADIT_EEXPIRED  the circuit's time is up
 *   ADIT_ELIMIT    no bytes left this way; the other way may go on
 *
 * Nothing is charged unless ADIT_OK is returned.  want_bytes must not be 0.
 */
ADIT_MUST_USE adit_err adit_budget_charge(struct adit_budget *b,
                                          enum adit_dir dir, size_t want_bytes,
                                          struct adit_instant now,
                                          size_t *granted_bytes);

#endif
