/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Curves, hashes and this AEAD are libsodium's: for X25519 it is the faster
 * of the two libraries, for messages of 100 bytes they are equal.
 * docs/decisions/crypto-speed.md has the measurements.
 */
#include "wire/noise/xx.h"

#include <sodium.h>

#define TAG_BYTES ADIT_NOISE_TAG_BYTES
#define KEY_BYTES 32
#define HASH_BYTES 32

/* Exactly 32 bytes, so it is the first h as it stands. */
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";

_Static_assert(sizeof(protocol_name) - 1 == HASH_BYTES, "or it is hashed");

/* ---- symmetric state ----------------------------------------------------- */

static void
mix_hash(struct adit_noise_xx *x, struct adit_slice data)
{
    crypto_hash_sha256_state st;

    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, x->h, sizeof(x->h));
    if (data.n > 0)
        crypto_hash_sha256_update(&st, data.p, data.n);
    crypto_hash_sha256_final(&st, x->h);
}

/* HKDF of section 4.3 with two outputs; `first` may be `ck` itself. */
static void
hkdf2(const struct adit_secret *ck, struct adit_slice ikm,
      struct adit_secret *first, struct adit_secret *second)
{
    struct adit_secret temp;
    uint8_t block[HASH_BYTES + 1];

    crypto_auth_hmacsha256(temp.b, ikm.p, ikm.n, ck->b);
    block[0] = 1;
    crypto_auth_hmacsha256(first->b, block, 1, temp.b);
    memcpy(block, first->b, HASH_BYTES);
    block[HASH_BYTES] = 2;
    crypto_auth_hmacsha256(second->b, block, sizeof(block), temp.b);
    adit_wipe(block, sizeof(block));
    adit_secret_fini(&temp);
}

/* MixKey(DH(secret, pub)). */
static adit_err
mix_dh(struct adit_noise_xx *x, const struct adit_secret *secret,
       const uint8_t pub[static KEY_BYTES])
{
    struct adit_secret shared;
    adit_err e = ADIT_OK;

    /* -1: the result is zero, as for points of small order. */
    if (crypto_scalarmult(shared.b, secret->b, pub) != 0) {
        e = ADIT_EPROTO;
    } else {
        hkdf2(&x->ck, adit_slice(shared.b, sizeof(shared.b)), &x->ck, &x->key);
        x->has_key = true;
        x->nonce = 0;
    }
    adit_secret_fini(&shared);
    return e;
}

static void
next_nonce(struct adit_noise_xx *x,
           uint8_t iv[static crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(iv, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
    /* Never above 1 before the next MixKey. */
    iv[4] = (uint8_t)x->nonce++;
}

/* EncryptAndHash; returns how many bytes went to dst. */
static size_t
put_encrypted(struct adit_noise_xx *x, struct adit_slice plain, uint8_t *dst)
{
    uint8_t iv[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    size_t n = plain.n;

    if (x->has_key) {
        next_nonce(x, iv);
        crypto_aead_chacha20poly1305_ietf_encrypt(dst, NULL, plain.p, plain.n,
                                                  x->h, sizeof(x->h), NULL, iv,
                                                  x->key.b);
        n += TAG_BYTES;
    } else {
        adit_copy(dst, plain);
    }
    mix_hash(x, adit_slice(dst, n));
    return n;
}

/* DecryptAndHash in place; *plain borrows from `in`. */
static adit_err
take_encrypted(struct adit_noise_xx *x, struct adit_mslice in,
               struct adit_slice *plain)
{
    uint8_t iv[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    uint8_t h[HASH_BYTES];

    if (!x->has_key) {
        mix_hash(x, adit_slice(in.p, in.n));
        *plain = adit_slice(in.p, in.n);
        return ADIT_OK;
    }
    if (in.n < TAG_BYTES)
        return ADIT_EPROTO;
    /* The ciphertext is hashed, and it is gone afterwards. */
    memcpy(h, x->h, sizeof(h));
    mix_hash(x, adit_slice(in.p, in.n));
    next_nonce(x, iv);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(
            in.p, NULL, NULL, in.p, in.n, h, sizeof(h), iv, x->key.b) != 0)
        return ADIT_EPROTO;
    *plain = adit_slice(in.p, in.n - TAG_BYTES);
    return ADIT_OK;
}

/* ---- tokens -------------------------------------------------------------- */

static uint8_t *
write_e(struct adit_noise_xx *x, uint8_t *dst)
{
    adit_noise_pair_derive(&x->e);
    memcpy(dst, x->e.pub, KEY_BYTES);
    mix_hash(x, adit_slice(x->e.pub, KEY_BYTES));
    return dst + KEY_BYTES;
}

static uint8_t *
write_s(struct adit_noise_xx *x, uint8_t *dst)
{
    return dst + put_encrypted(x, adit_slice(x->s->pub, KEY_BYTES), dst);
}

/* The length of the message was checked before these three. */

static struct adit_mslice
front(struct adit_mslice *msg, size_t n)
{
    struct adit_mslice f = { msg->p, n };

    adit_assert(n <= msg->n);
    msg->p += n;
    msg->n -= n;
    return f;
}

static void
read_e(struct adit_noise_xx *x, struct adit_mslice *msg)
{
    memcpy(x->re, front(msg, KEY_BYTES).p, KEY_BYTES);
    mix_hash(x, adit_slice(x->re, KEY_BYTES));
}

static adit_err
read_s(struct adit_noise_xx *x, struct adit_mslice *msg)
{
    struct adit_slice s;

    if (take_encrypted(x, front(msg, KEY_BYTES + TAG_BYTES), &s) != ADIT_OK)
        return ADIT_EPROTO;
    memcpy(x->rs, s.p, KEY_BYTES);
    return ADIT_OK;
}

static adit_err
mix_es(struct adit_noise_xx *x)
{
    return x->is_initiator ? mix_dh(x, &x->e.secret, x->rs)
                           : mix_dh(x, &x->s->secret, x->re);
}

static adit_err
mix_se(struct adit_noise_xx *x)
{
    return x->is_initiator ? mix_dh(x, &x->s->secret, x->re)
                           : mix_dh(x, &x->e.secret, x->rs);
}

/* ---- public -------------------------------------------------------------- */

void
adit_noise_pair_derive(struct adit_noise_pair *p)
{
    /* Cannot fail: the base point has full order. */
    (void)crypto_scalarmult_base(p->pub, p->secret.b);
}

void
adit_noise_xx_init(struct adit_noise_xx *x, bool is_initiator,
                   struct adit_slice prologue, const struct adit_noise_pair *s,
                   const struct adit_secret *e_secret)
{
    *x = (struct adit_noise_xx){
        .is_initiator = is_initiator,
        .s = s,
        .e.secret = *e_secret,
    };
    memcpy(x->h, protocol_name, HASH_BYTES);
    memcpy(x->ck.b, protocol_name, HASH_BYTES);
    mix_hash(x, prologue);
}

void
adit_noise_xx_fini(struct adit_noise_xx *x)
{
    adit_wipe(x, sizeof(*x));
}

bool
adit_noise_xx_is_our_turn(const struct adit_noise_xx *x)
{
    return !adit_noise_xx_is_complete(x) &&
           (x->at % 2 == 0) == x->is_initiator;
}

bool
adit_noise_xx_is_complete(const struct adit_noise_xx *x)
{
    return x->at == ADIT_NOISE_XX_N_MESSAGES;
}

size_t
adit_noise_xx_overhead(unsigned at)
{
    static const uint8_t bytes[ADIT_NOISE_XX_N_MESSAGES] = {
        ADIT_NOISE_XX_OVERHEAD_0,
        ADIT_NOISE_XX_OVERHEAD_1,
        ADIT_NOISE_XX_OVERHEAD_2,
    };

    adit_assert(at < ADIT_NOISE_XX_N_MESSAGES);
    return bytes[at];
}

adit_err
adit_noise_xx_write(struct adit_noise_xx *x, struct adit_slice payload,
                    uint8_t *dst)
{
    adit_assert(adit_noise_xx_is_our_turn(x));
    switch (x->at) {
    case 0:
        dst = write_e(x, dst);
        break;
    case 1:
        dst = write_e(x, dst);
        if (mix_dh(x, &x->e.secret, x->re) != ADIT_OK)
            return ADIT_EPROTO;
        dst = write_s(x, dst);
        if (mix_es(x) != ADIT_OK)
            return ADIT_EPROTO;
        break;
    case 2:
        dst = write_s(x, dst);
        if (mix_se(x) != ADIT_OK)
            return ADIT_EPROTO;
        break;
    }
    put_encrypted(x, payload, dst);
    x->at++;
    return ADIT_OK;
}

adit_err
adit_noise_xx_read(struct adit_noise_xx *x, struct adit_mslice msg,
                   struct adit_slice *payload)
{
    struct adit_slice plain;

    adit_assert(!adit_noise_xx_is_complete(x) &&
                !adit_noise_xx_is_our_turn(x));
    if (msg.n < adit_noise_xx_overhead(x->at))
        return ADIT_EPROTO;
    switch (x->at) {
    case 0:
        read_e(x, &msg);
        break;
    case 1:
        read_e(x, &msg);
        if (mix_dh(x, &x->e.secret, x->re) != ADIT_OK ||
            read_s(x, &msg) != ADIT_OK || mix_es(x) != ADIT_OK)
            return ADIT_EPROTO;
        break;
    case 2:
        if (read_s(x, &msg) != ADIT_OK || mix_se(x) != ADIT_OK)
            return ADIT_EPROTO;
        break;
    }
    if (take_encrypted(x, msg, &plain) != ADIT_OK)
        return ADIT_EPROTO;
    x->at++;
    *payload = plain;
    return ADIT_OK;
}

void
adit_noise_xx_split(const struct adit_noise_xx *x, struct adit_noise_key *tx,
                    struct adit_noise_key *rx)
{
    struct adit_noise_key to_resp = { .nonce = 0 };
    struct adit_noise_key to_init = { .nonce = 0 };

    adit_assert(adit_noise_xx_is_complete(x));
    hkdf2(&x->ck, ADIT_SLICE_NONE, &to_resp.k, &to_init.k);
    *tx = x->is_initiator ? to_resp : to_init;
    *rx = x->is_initiator ? to_init : to_resp;
    adit_noise_key_fini(&to_resp);
    adit_noise_key_fini(&to_init);
}
