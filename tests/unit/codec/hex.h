/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the tests of this folder share: bytes from hex. */
#ifndef ADIT_UNIT_HEX_H
#define ADIT_UNIT_HEX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

/* Bytes that an assertion about an exact length can overrun by one. */
struct bytes {
    size_t n;
    uint8_t b[4096];
};

static inline struct bytes
unhex(const char *s)
{
    static const char digits[] = "0123456789abcdef";
    struct bytes r = { 0 };

    for (; *s != '\0'; s += 2) {
        const char *hi = strchr(digits, s[0]);
        const char *lo = strchr(digits, s[1]);

        assert_true(hi != NULL && lo != NULL && s[1] != '\0');
        assert_true(r.n < sizeof(r.b));
        r.b[r.n++] = (uint8_t)((hi - digits) << 4 | (lo - digits));
    }
    return r;
}

static inline struct adit_slice
all(const struct bytes *b)
{
    return adit_slice(b->b, b->n);
}

static inline void
assert_slice(struct adit_slice got, struct adit_slice want, const char *why)
{
    if (!adit_slice_eq(got, want))
        fail_msg("%s: %zu bytes, want %zu", why, got.n, want.n);
}

#endif
