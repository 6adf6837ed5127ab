/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * slice: bytes that somebody else owns, and a cursor to read them with.
 *
 * A slice always borrows.  The cursor is the only way wire bytes become
 * numbers: each read is checked, and one that fails leaves the cursor where
 * it was.  Pure.  Thread: any.
 */
#ifndef ADIT_BASE_SLICE_H
#define ADIT_BASE_SLICE_H

#include "base/err.h"

#include <string.h>

struct adit_slice {
    const uint8_t *p;
    size_t n;
};

/* The same over bytes that may be written: a frame to be decrypted in place. */
struct adit_mslice {
    uint8_t *p;
    size_t n;
};

#define ADIT_SLICE_NONE ((struct adit_slice){ NULL, 0 })

static inline struct adit_slice
adit_slice(const void *p, size_t n)
{
    return (struct adit_slice){ (const uint8_t *)p, n };
}

static inline struct adit_slice
adit_slice_str(const char *s)
{
    return adit_slice(s, strlen(s));
}

/* The slice without its first `n` bytes; n must not exceed s.n. */
static inline struct adit_slice
adit_slice_skip(struct adit_slice s, size_t n)
{
    adit_assert(n <= s.n);
    return n > 0 ? adit_slice(s.p + n, s.n - n) : s;
}

static inline bool
adit_slice_eq(struct adit_slice a, struct adit_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* memcpy that accepts no bytes from nowhere. */
static inline void
adit_copy(void *dst, struct adit_slice src)
{
    if (src.n > 0)
        memcpy(dst, src.p, src.n);
}

/* Big-endian integers, as all of libp2p's framing has them. */

static inline uint16_t
adit_get_be16(const uint8_t p[static 2])
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t
adit_get_be32(const uint8_t p[static 4])
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

static inline void
adit_put_be16(uint8_t p[static 2], uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
adit_put_be32(uint8_t p[static 4], uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* Read position inside a slice. */
struct adit_cursor {
    struct adit_slice left; /* what has not been read yet */
};

/* ADIT_AGAIN: fewer than `n` bytes are left; nothing moved. */
static inline ADIT_MUST_USE adit_err
adit_cursor_take(struct adit_cursor *c, size_t n, struct adit_slice *out)
{
    if (c->left.n < n)
        return ADIT_AGAIN;
    *out = adit_slice(c->left.p, n);
    c->left = adit_slice_skip(c->left, n);
    return ADIT_OK;
}

static inline ADIT_MUST_USE adit_err
adit_cursor_u8(struct adit_cursor *c, uint8_t *out)
{
    struct adit_slice s;
    adit_err e = adit_cursor_take(c, 1, &s);

    if (e == ADIT_OK)
        *out = s.p[0];
    return e;
}

static inline ADIT_MUST_USE adit_err
adit_cursor_be16(struct adit_cursor *c, uint16_t *out)
{
    struct adit_slice s;
    adit_err e = adit_cursor_take(c, 2, &s);

    if (e == ADIT_OK)
        *out = adit_get_be16(s.p);
    return e;
}

static inline ADIT_MUST_USE adit_err
adit_cursor_be32(struct adit_cursor *c, uint32_t *out)
{
    struct adit_slice s;
    adit_err e = adit_cursor_take(c, 4, &s);

    if (e == ADIT_OK)
        *out = adit_get_be32(s.p);
    return e;
}

#endif
