/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * peerid: the name of a peer: a multihash of its public key message.
 *
 * Identity multihash of keys up to 42 bytes (Ed25519 "12D3KooW...",
 * secp256k1 "16Uiu2HA..."), else sha2-256 ("Qm...").  A value: copy it.
 * Follows the libp2p specification peer-ids, and RFC 0001 (text as CID).
 * Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_PEERID_H
#define ADIT_CODEC_PEERID_H

#include "base/err.h"
#include "base/slice.h"

/* Identity multihash of the longest key message that is not hashed. */
#define ADIT_PEERID_MAX_BYTES 44

/* The longest base58btc, base32 or base36 text, and its NUL. */
#define ADIT_PEERID_TEXT_BYTES 96

struct adit_peerid {
    uint8_t n; /* bytes of the multihash; 0: no peer */
    uint8_t b[ADIT_PEERID_MAX_BYTES];
};

static inline struct adit_slice
adit_peerid_bytes(const struct adit_peerid *p)
{
    return adit_slice(p->b, p->n);
}

static inline bool
adit_peerid_eq(const struct adit_peerid *a, const struct adit_peerid *b)
{
    return adit_slice_eq(adit_peerid_bytes(a), adit_peerid_bytes(b));
}

static inline bool
adit_peerid_is_none(const struct adit_peerid *p)
{
    return p->n == 0;
}

/*
 * The id of the peer whose serialised PublicKey message this is, whole; it
 * must not be empty.
 */
void adit_peerid_of_key(struct adit_slice pubkey_msg, struct adit_peerid *out);

/*
 * From a raw multihash, all of `in`.  ADIT_EPROTO: not a multihash, or not
 * one that names a peer (sha2-256 of 32 bytes, or identity of 1 to 42).
 */
ADIT_MUST_USE adit_err adit_peerid_dec(struct adit_slice in,
                                       struct adit_peerid *out);

/*
 * From text: base58btc multihash, or CIDv1 of codec libp2p-key in base32,
 * base36 or base58btc.  ADIT_EINVAL: none of these.
 */
ADIT_MUST_USE adit_err adit_peerid_parse(struct adit_slice text,
                                         struct adit_peerid *out);

/* base58btc, NUL-terminated; "" for no peer.  Returns `out`. */
const char *adit_peerid_format(const struct adit_peerid *p,
                               char out[static ADIT_PEERID_TEXT_BYTES]);

/* CIDv1, base32 ("bafz..."), NUL-terminated.  Returns `out`. */
const char *adit_peerid_format_cid(const struct adit_peerid *p,
                                   char out[static ADIT_PEERID_TEXT_BYTES]);

#endif
