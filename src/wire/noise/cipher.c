/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Each call into the crypto library counts at 1.4 KB a frame, so each frame
 * makes as few as there can be: nonce (and key, if another one was used
 * last), one update, final.  The tag goes through a parameter list made once:
 * with the initialisation when opening, by one call after it when sealing.
 * docs/decisions/crypto-speed.md has the measurements.
 */
#include "wire/noise/cipher.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* RFC 8439; in Noise four zero bytes and the counter, little-endian. */
#define IV_BYTES 12

/* One direction.  `key` is a copy of what the context holds. */
struct half {
    EVP_CIPHER_CTX *ctx;
    struct adit_secret key;
    bool is_keyed;
    uint8_t tag[ADIT_NOISE_TAG_BYTES];
    OSSL_PARAM tag_param[2]; /* points at `tag` */
};

struct adit_aead {
    struct adit_mem *mem;
    EVP_CIPHER *alg;
    struct half enc, dec;
};

void
adit_noise_key_fini(struct adit_noise_key *k)
{
    adit_wipe(k, sizeof(*k));
}

static adit_err
half_init(struct half *h, const EVP_CIPHER *alg, int encrypts)
{
    h->tag_param[0] = OSSL_PARAM_construct_octet_string(
        OSSL_CIPHER_PARAM_AEAD_TAG, h->tag, sizeof(h->tag));
    h->tag_param[1] = OSSL_PARAM_construct_end();
    h->ctx = EVP_CIPHER_CTX_new();
    if (h->ctx == NULL ||
        EVP_CipherInit_ex2(h->ctx, alg, NULL, NULL, encrypts, NULL) != 1)
        return ADIT_ENOMEM;
    return ADIT_OK;
}

static void
half_fini(struct half *h)
{
    EVP_CIPHER_CTX_free(h->ctx);
    adit_wipe(h, sizeof(*h));
}

/*
 * Begin a frame.  A copy of the key is compared, never its address: another
 * connection's key may have come to lie at the same place.
 */
static bool
half_start(struct half *h, const struct adit_noise_key *k,
           const OSSL_PARAM params[])
{
    const uint8_t *key = NULL;
    uint8_t iv[IV_BYTES] = { 0 };

    for (unsigned i = 0; i < 8; i++)
        iv[4 + i] = (uint8_t)(k->nonce >> (8 * i));
    if (!h->is_keyed || memcmp(h->key.b, k->k.b, sizeof(h->key.b)) != 0) {
        h->key = k->k;
        h->is_keyed = false; /* until the library has it too */
        key = k->k.b;
    }
    if (EVP_CipherInit_ex2(h->ctx, NULL, key, iv, -1, params) != 1)
        return false;
    h->is_keyed = true;
    return true;
}

adit_err
adit_aead_new(struct adit_mem *mem, struct adit_aead **out)
{
    struct adit_aead *a = ADIT_NEW(mem, struct adit_aead);

    if (a == NULL)
        return ADIT_ENOMEM;
    a->mem = mem;
    a->alg = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (a->alg == NULL || half_init(&a->enc, a->alg, 1) != ADIT_OK ||
        half_init(&a->dec, a->alg, 0) != ADIT_OK) {
        adit_aead_free(a);
        return ADIT_ENOMEM;
    }
    *out = a;
    return ADIT_OK;
}

void
adit_aead_free(struct adit_aead *a)
{
    if (a == NULL)
        return;
    half_fini(&a->enc);
    half_fini(&a->dec);
    EVP_CIPHER_free(a->alg);
    ADIT_FREE(a->mem, a);
}

adit_err
adit_noise_seal(struct adit_aead *a, struct adit_noise_key *k,
                struct adit_slice plain, uint8_t *dst)
{
    struct half *h = &a->enc;
    uint8_t *body = dst + ADIT_NOISE_LEN_BYTES;
    bool ok;
    int n;

    adit_assert(plain.n <= ADIT_NOISE_MAX_PLAIN_BYTES);
    /* The last nonce is set aside for rekeying: specification, section 5.1. */
    if (k->nonce == UINT64_MAX)
        return ADIT_ELIMIT;
    ok = half_start(h, k, NULL) &&
         (plain.n == 0 ||
          EVP_EncryptUpdate(h->ctx, body, &n, plain.p, (int)plain.n) == 1) &&
         EVP_EncryptFinal_ex(h->ctx, body + plain.n, &n) == 1 &&
         EVP_CIPHER_CTX_get_params(h->ctx, h->tag_param) == 1;
    /* With sane lengths nothing in it can fail. */
    adit_assert(ok);
    adit_put_be16(dst, (uint16_t)(plain.n + ADIT_NOISE_TAG_BYTES));
    memcpy(body + plain.n, h->tag, sizeof(h->tag));
    k->nonce++;
    return ADIT_OK;
}

adit_err
adit_noise_open(struct adit_aead *a, struct adit_noise_key *k,
                struct adit_mslice frame)
{
    struct half *h = &a->dec;
    uint8_t none[1];
    size_t n_plain;
    int n;

    if (frame.n < ADIT_NOISE_TAG_BYTES || k->nonce == UINT64_MAX)
        return ADIT_EPROTO;
    n_plain = frame.n - ADIT_NOISE_TAG_BYTES;
    adit_assert(n_plain <= ADIT_NOISE_MAX_PLAIN_BYTES);
    memcpy(h->tag, frame.p + n_plain, sizeof(h->tag));
    if (!half_start(h, k, h->tag_param) ||
        (n_plain > 0 &&
         EVP_DecryptUpdate(h->ctx, frame.p, &n, frame.p, (int)n_plain) != 1) ||
        EVP_DecryptFinal_ex(h->ctx, none, &n) != 1)
        return ADIT_EPROTO;
    k->nonce++;
    return ADIT_OK;
}
