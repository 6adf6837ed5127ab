/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/lpm/lpm.h"

/* The first buffer; most messages that are cut fit into it. */
#define FIRST_BYTES 256

enum { PREFIX, BODY, READY, FAILED };

void
adit_lpm_init(struct adit_lpm *l, struct adit_mem *mem, size_t max_bytes)
{
    adit_assert(max_bytes > 0 && max_bytes <= ADIT_LPM_MAX_BYTES);
    *l = (struct adit_lpm){ .mem = mem, .max_bytes = (uint32_t)max_bytes };
}

/* Give the buffer back. */
static void
drop(struct adit_lpm *l)
{
    if (l->buf != NULL)
        adit_mem_free(l->mem, l->buf, l->cap);
    l->buf = NULL;
    l->cap = l->have = 0;
}

void
adit_lpm_fini(struct adit_lpm *l)
{
    drop(l);
    *l = (struct adit_lpm){ 0 };
}

static adit_err
fail(struct adit_lpm *l, adit_err e, const char *why)
{
    drop(l);
    l->state = FAILED;
    l->err = e;
    l->why = why;
    return e;
}

/* One byte of the length. */
static adit_err
prefix_byte(struct adit_lpm *l, uint8_t b)
{
    if (b == 0 && l->n_prefix > 0)
        return fail(l, ADIT_EPROTO, "length not in its shortest form");
    l->need |= (uint32_t)(b & 0x7f) << (7 * l->n_prefix);
    l->n_prefix++;
    if (l->need > l->max_bytes)
        return fail(l, ADIT_EPROTO, "message too long");
    if ((b & 0x80) == 0)
        l->state = BODY;
    else if (l->n_prefix == ADIT_LPM_MAX_PREFIX_BYTES)
        return fail(l, ADIT_EPROTO, "message too long");
    return ADIT_OK;
}

/* Room for `n` more bytes of the message, n <= need - have. */
static bool
grow(struct adit_lpm *l, size_t n)
{
    size_t want = l->have + n;
    size_t cap = l->cap > 0 ? l->cap : FIRST_BYTES;
    uint8_t *p;

    if (want <= l->cap)
        return true;
    while (cap < want)
        cap *= 2;
    if (cap > l->need)
        cap = l->need;
    p = l->buf == NULL ? adit_mem_alloc(l->mem, cap)
                       : adit_mem_resize(l->mem, l->buf, l->cap, cap);
    if (p == NULL)
        return false;
    l->buf = p;
    l->cap = (uint32_t)cap;
    return true;
}

static void
ready(struct adit_lpm *l, struct adit_slice msg)
{
    l->msg = msg;
    l->state = READY;
}

adit_err
adit_lpm_feed(struct adit_lpm *l, struct adit_slice in, size_t *used)
{
    size_t at = 0;
    size_t n;

    if (l->state == FAILED)
        return l->err;
    if (l->state == PREFIX)
        drop(l); /* of the message before */
    while (l->state == PREFIX && at < in.n) {
        adit_err e = prefix_byte(l, in.p[at++]);

        if (e != ADIT_OK)
            return e;
    }
    if (l->state == BODY) {
        n = ADIT_MIN(in.n - at, (size_t)(l->need - l->have));
        if (l->have == 0 && n == l->need) {
            ready(l, n > 0 ? adit_slice(in.p + at, n) : ADIT_SLICE_NONE);
        } else if (n > 0) {
            if (!grow(l, n))
                return fail(l, ADIT_ENOMEM, "no memory for a message");
            memcpy(l->buf + l->have, in.p + at, n);
            l->have += (uint32_t)n;
            if (l->have == l->need)
                ready(l, adit_slice(l->buf, l->need));
        }
        at += n;
    }
    *used = at;
    return ADIT_OK;
}

adit_err
adit_lpm_next(struct adit_lpm *l, struct adit_slice *msg)
{
    if (l->state != READY)
        return ADIT_AGAIN;
    *msg = l->msg;
    l->msg = ADIT_SLICE_NONE;
    l->state = PREFIX;
    l->n_prefix = 0;
    l->need = 0;
    return ADIT_OK;
}

bool
adit_lpm_is_idle(const struct adit_lpm *l)
{
    return l->state == PREFIX && l->n_prefix == 0;
}

size_t
adit_lpm_prefix(size_t n, uint8_t dst[static ADIT_LPM_MAX_PREFIX_BYTES])
{
    size_t at = 0;

    adit_assert(n <= ADIT_LPM_MAX_BYTES);
    while (n >= 0x80) {
        dst[at++] = (uint8_t)(n | 0x80);
        n >>= 7;
    }
    dst[at++] = (uint8_t)n;
    return at;
}

const char *
adit_lpm_why(const struct adit_lpm *l)
{
    return l->why;
}
