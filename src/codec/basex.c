/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/basex.h"

struct alphabet {
    const char *chars;
    unsigned radix;
    unsigned bits; /* per character; 0: not a power of two */
};

static const struct alphabet hex = { "0123456789abcdef", 16, 4 };
static const struct alphabet b32 = { "abcdefghijklmnopqrstuvwxyz234567", 32,
                                     5 };
static const struct alphabet b36 = { "0123456789abcdefghijklmnopqrstuvwxyz",
                                     36, 0 };
static const struct alphabet b58 = {
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 58, 0
};
static const struct alphabet b64 = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 64, 6
};

static const struct alphabet *
alphabet_of(enum adit_base base)
{
    switch (base) {
    case ADIT_BASE16:
        return &hex;
    case ADIT_BASE32:
        return &b32;
    case ADIT_BASE36:
        return &b36;
    case ADIT_BASE58:
        return &b58;
    case ADIT_BASE64URL:
        return &b64;
    }
    return NULL;
}

/* The digit that `c` stands for, or -1. */
static int
digit_of(const struct alphabet *a, uint8_t c)
{
    const char *at = memchr(a->chars, c, a->radix);

    return at != NULL ? (int)(at - a->chars) : -1;
}

static adit_err
bits_enc(const struct alphabet *a, struct adit_slice in, char *out, size_t cap,
         size_t *n)
{
    size_t need = (in.n * 8 + a->bits - 1) / a->bits;
    uint32_t acc = 0;
    unsigned have = 0;
    size_t k = 0;

    if (need > cap)
        return ADIT_EINVAL;
    for (size_t i = 0; i < in.n; i++) {
        acc = acc << 8 | in.p[i];
        have += 8;
        while (have >= a->bits) {
            have -= a->bits;
            out[k++] = a->chars[acc >> have & (a->radix - 1)];
        }
    }
    if (have > 0)
        out[k++] = a->chars[acc << (a->bits - have) & (a->radix - 1)];
    *n = k;
    return ADIT_OK;
}

static adit_err
bits_dec(const struct alphabet *a, struct adit_slice text,
         struct adit_mslice dst, size_t *n)
{
    size_t need = text.n * a->bits / 8;
    uint32_t acc = 0;
    unsigned have = 0;
    size_t k = 0;

    if (need > dst.n)
        return ADIT_EINVAL;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit_of(a, text.p[i]);

        if (d < 0)
            return ADIT_EINVAL;
        acc = acc << a->bits | (uint32_t)d;
        have += a->bits;
        if (have >= 8) {
            have -= 8;
            dst.p[k++] = (uint8_t)(acc >> have);
        }
    }
    /* A whole character of left-over bits could have been left out. */
    if (have >= a->bits || (acc & ((1u << have) - 1)) != 0)
        return ADIT_EINVAL;
    *n = k;
    return ADIT_OK;
}

/*
 * Digits of radix `to`, most significant first, of a number given in digits
 * of radix `from`; leading zero digits are kept one for one, as base58btc
 * and base36 do.  False: more than `cap` digits.
 */
static bool
convert(const uint8_t *in, size_t n_in, unsigned from, uint8_t *out,
        size_t cap, unsigned to, size_t *n_out)
{
    size_t zeros = 0;
    size_t n = 0; /* digits so far, least significant first */

    while (zeros < n_in && in[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < n_in; i++) {
        unsigned carry = in[i];

        for (size_t k = 0; k < n; k++) {
            carry += out[k] * from;
            out[k] = (uint8_t)(carry % to);
            carry /= to;
        }
        for (; carry > 0; carry /= to) {
            if (n == cap)
                return false;
            out[n++] = (uint8_t)(carry % to);
        }
    }
    if (zeros > cap - n)
        return false;
    memset(out + n, 0, zeros);
    n += zeros;
    for (size_t k = 0; k < n / 2; k++) {
        uint8_t t = out[k];

        out[k] = out[n - 1 - k];
        out[n - 1 - k] = t;
    }
    *n_out = n;
    return true;
}

static adit_err
number_enc(const struct alphabet *a, struct adit_slice in, char *out,
           size_t cap, size_t *n)
{
    uint8_t digits[ADIT_BASEX_MAX_TEXT];
    size_t k;

    if (!convert(in.p, in.n, 256, digits, sizeof(digits), a->radix, &k) ||
        k > cap)
        return ADIT_EINVAL;
    for (size_t i = 0; i < k; i++)
        out[i] = a->chars[digits[i]];
    *n = k;
    return ADIT_OK;
}

static adit_err
number_dec(const struct alphabet *a, struct adit_slice text,
           struct adit_mslice dst, size_t *n)
{
    uint8_t digits[ADIT_BASEX_MAX_TEXT];
    uint8_t bytes[ADIT_BASEX_MAX_BYTES];
    size_t k;

    for (size_t i = 0; i < text.n; i++) {
        int d = digit_of(a, text.p[i]);

        if (d < 0)
            return ADIT_EINVAL;
        digits[i] = (uint8_t)d;
    }
    if (!convert(digits, text.n, a->radix, bytes, sizeof(bytes), 256, &k) ||
        k > dst.n)
        return ADIT_EINVAL;
    adit_copy(dst.p, adit_slice(bytes, k));
    *n = k;
    return ADIT_OK;
}

adit_err
adit_basex_enc(enum adit_base base, struct adit_slice in, char *out,
               size_t cap, size_t *n)
{
    const struct alphabet *a = alphabet_of(base);

    if (a == NULL || in.n > ADIT_BASEX_MAX_BYTES)
        return ADIT_EINVAL;
    return a->bits > 0 ? bits_enc(a, in, out, cap, n)
                       : number_enc(a, in, out, cap, n);
}

adit_err
adit_basex_dec(enum adit_base base, struct adit_slice text,
               struct adit_mslice dst, size_t *n)
{
    const struct alphabet *a = alphabet_of(base);

    if (a == NULL || text.n > ADIT_BASEX_MAX_TEXT)
        return ADIT_EINVAL;
    return a->bits > 0 ? bits_dec(a, text, dst, n)
                       : number_dec(a, text, dst, n);
}

adit_err
adit_multibase_dec(struct adit_slice text, struct adit_mslice dst, size_t *n)
{
    uint8_t lower[ADIT_BASEX_MAX_TEXT];
    struct adit_slice rest;
    uint8_t base;

    if (text.n == 0 || text.n - 1 > sizeof(lower))
        return ADIT_EINVAL;
    base = text.p[0];
    rest = adit_slice_skip(text, 1);
    if (base == 'B' || base == 'F' || base == 'K') {
        /* In these the text is upper case as well. */
        for (size_t i = 0; i < rest.n; i++) {
            uint8_t c = rest.p[i];

            if (c >= 'a' && c <= 'z')
                return ADIT_EINVAL;
            lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
        rest.p = lower;
        base = (uint8_t)(base + 32);
    }
    return adit_basex_dec((enum adit_base)base, rest, dst, n);
}
