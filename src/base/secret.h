/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * secret: key material that is wiped when it is done with, compared in
 * constant time, and cannot be printed: it has no format function.
 */
#ifndef ADIT_BASE_SECRET_H
#define ADIT_BASE_SECRET_H

#include "base/cc.h"

#define ADIT_SECRET_BYTES 32

struct adit_secret {
    uint8_t b[ADIT_SECRET_BYTES];
};

/* Wipe.  Fine on a zeroed one. */
void adit_secret_fini(struct adit_secret *s);

/* Overwrite `n` bytes in a way the compiler keeps. */
void adit_wipe(void *p, size_t n);

/* Constant time. */
bool adit_secret_eq(const struct adit_secret *a, const struct adit_secret *b);

#endif
