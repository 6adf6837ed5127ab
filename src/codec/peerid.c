/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/peerid.h"

#include "codec/basex.h"
#include "codec/multihash.h"

#include <sodium.h>

/* Key messages up to this length are not hashed. */
#define MAX_INLINE_BYTES 42

#define SHA256_BYTES 32

/* CIDv1, codec libp2p-key; the multihash follows. */
static const uint8_t cid_head[2] = { 0x01, 0x72 };

_Static_assert(ADIT_PEERID_MAX_BYTES == 2 + MAX_INLINE_BYTES, "identity hash");
_Static_assert(SHA256_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

void
adit_peerid_of_key(struct adit_slice pubkey_msg, struct adit_peerid *out)
{
    struct adit_peerid p = { 0 };

    adit_assert(pubkey_msg.n > 0);
    if (pubkey_msg.n <= MAX_INLINE_BYTES) {
        p.b[0] = ADIT_MH_IDENTITY;
        p.b[1] = (uint8_t)pubkey_msg.n;
        adit_copy(p.b + 2, pubkey_msg);
        p.n = (uint8_t)(2 + pubkey_msg.n);
    } else {
        p.b[0] = ADIT_MH_SHA2_256;
        p.b[1] = SHA256_BYTES;
        crypto_hash_sha256(p.b + 2, pubkey_msg.p, pubkey_msg.n);
        p.n = 2 + SHA256_BYTES;
    }
    *out = p;
}

adit_err
adit_peerid_dec(struct adit_slice in, struct adit_peerid *out)
{
    struct adit_multihash mh;
    struct adit_peerid p = { 0 };
    bool fits = false;

    if (adit_multihash_dec(in, &mh) != ADIT_OK)
        return ADIT_EPROTO;
    if (mh.code == ADIT_MH_IDENTITY)
        fits = mh.digest.n > 0 && mh.digest.n <= MAX_INLINE_BYTES;
    else if (mh.code == ADIT_MH_SHA2_256)
        fits = mh.digest.n == SHA256_BYTES;
    if (!fits)
        return ADIT_EPROTO;
    adit_copy(p.b, in);
    p.n = (uint8_t)in.n;
    *out = p;
    return ADIT_OK;
}

static bool
starts_with(struct adit_slice text, const char *s)
{
    size_t n = strlen(s);

    return text.n >= n && memcmp(text.p, s, n) == 0;
}

adit_err
adit_peerid_parse(struct adit_slice text, struct adit_peerid *out)
{
    uint8_t bytes[sizeof(cid_head) + ADIT_PEERID_MAX_BYTES];
    struct adit_mslice dst = { bytes, sizeof(bytes) };
    struct adit_slice mh;
    size_t n;

    if (starts_with(text, "1") || starts_with(text, "Qm")) {
        if (adit_basex_dec(ADIT_BASE58, text, dst, &n) != ADIT_OK)
            return ADIT_EINVAL;
        mh = adit_slice(bytes, n);
    } else {
        if (adit_multibase_dec(text, dst, &n) != ADIT_OK ||
            n < sizeof(cid_head) ||
            memcmp(bytes, cid_head, sizeof(cid_head)) != 0)
            return ADIT_EINVAL;
        mh = adit_slice_skip(adit_slice(bytes, n), sizeof(cid_head));
    }
    return adit_peerid_dec(mh, out) == ADIT_OK ? ADIT_OK : ADIT_EINVAL;
}

const char *
adit_peerid_format(const struct adit_peerid *p,
                   char out[static ADIT_PEERID_TEXT_BYTES])
{
    size_t n = 0;
    adit_err e = adit_basex_enc(ADIT_BASE58, adit_peerid_bytes(p), out,
                                ADIT_PEERID_TEXT_BYTES - 1, &n);

    adit_assert(e == ADIT_OK);
    out[n] = '\0';
    return out;
}

const char *
adit_peerid_format_cid(const struct adit_peerid *p,
                       char out[static ADIT_PEERID_TEXT_BYTES])
{
    uint8_t cid[sizeof(cid_head) + ADIT_PEERID_MAX_BYTES];
    size_t n = 0;

    if (!adit_peerid_is_none(p)) {
        adit_err e;

        memcpy(cid, cid_head, sizeof(cid_head));
        adit_copy(cid + sizeof(cid_head), adit_peerid_bytes(p));
        out[0] = ADIT_BASE32;
        e = adit_basex_enc(ADIT_BASE32,
                           adit_slice(cid, sizeof(cid_head) + p->n), out + 1,
                           ADIT_PEERID_TEXT_BYTES - 2, &n);
        adit_assert(e == ADIT_OK);
        n++;
    }
    out[n] = '\0';
    return out;
}
