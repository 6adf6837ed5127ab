/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * basex: bytes as text and back, in the alphabets that libp2p uses.
 *
 * base58btc and base36 treat the bytes as one big number, which costs the
 * square of their length; hence the cap.  base16, base32 and base64url (both
 * without padding) go by groups of bits; left-over bits must be zero, so
 * that each value has one text.
 * Follows the multibase specification, RFC 4648.  Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_BASEX_H
#define ADIT_CODEC_BASEX_H

#include "base/err.h"
#include "base/slice.h"

/* Bytes of a value: twice what a sha2-512 multihash needs. */
#define ADIT_BASEX_MAX_BYTES 128

/* Characters of a text: the above in base16, without a NUL. */
#define ADIT_BASEX_MAX_TEXT (2 * ADIT_BASEX_MAX_BYTES)

/* The value of each is its multibase prefix. */
enum adit_base {
    ADIT_BASE16 = 'f',
    ADIT_BASE32 = 'b', /* lower case */
    ADIT_BASE36 = 'k', /* lower case */
    ADIT_BASE58 = 'z',
    ADIT_BASE64URL = 'u',
};

/*
 * Text of `in`, no NUL.  ADIT_EINVAL: longer than ADIT_BASEX_MAX_BYTES, or
 * it does not fit into `cap`.
 */
ADIT_MUST_USE adit_err adit_basex_enc(enum adit_base base,
                                      struct adit_slice in, char *out,
                                      size_t cap, size_t *n);

/*
 * Bytes of `text`.  ADIT_EINVAL: a character that is not of the alphabet, a
 * text of no value, too long, or it does not fit into `dst`.
 */
ADIT_MUST_USE adit_err adit_basex_dec(enum adit_base base,
                                      struct adit_slice text,
                                      struct adit_mslice dst, size_t *n);

/*
 * The same where the first character says which base.  Upper-case prefixes
 * of the case-insensitive ones (B, F, K) are taken too.
 */
ADIT_MUST_USE adit_err adit_multibase_dec(struct adit_slice text,
                                          struct adit_mslice dst, size_t *n);

#endif
