/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/uvarint.h"

adit_err
adit_uvarint_dec(struct adit_cursor *c, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < ADIT_UVARINT_MAX_BYTES; i++) {
        uint8_t b;

        if (i == c->left.n)
            return ADIT_AGAIN;
        b = c->left.p[i];
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            if (b == 0 && i > 0)
                return ADIT_EPROTO; /* a shorter form exists */
            *out = v;
            c->left = adit_slice_skip(c->left, i + 1);
            return ADIT_OK;
        }
    }
    return ADIT_EPROTO;
}

size_t
adit_uvarint_enc(uint8_t dst[static ADIT_UVARINT_MAX_BYTES], uint64_t v)
{
    size_t n = 0;

    adit_assert(v <= ADIT_UVARINT_MAX);
    for (; v >= 0x80; v >>= 7)
        dst[n++] = (uint8_t)(v | 0x80);
    dst[n++] = (uint8_t)v;
    return n;
}

size_t
adit_uvarint_bytes(uint64_t v)
{
    size_t n = 1;

    while (v >>= 7)
        n++;
    return n;
}
