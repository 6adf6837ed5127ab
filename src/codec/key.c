/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/key.h"

#include "codec/pb.h"
#include "codec/uvarint.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

/*
 * The three kinds that OpenSSL verifies reach it as SubjectPublicKeyInfo, of
 * which we have read every byte before: so that a key has one spelling, and
 * that a stranger cannot choose how much work it is to look at it (explicit
 * curve parameters, huge exponents, other algorithms).
 */

/* go-libp2p takes the same sizes. */
#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192

/* Public exponent below 2^31, as go's crypto/rsa asks. */
#define RSA_MAX_EXP_BYTES 4

#define SECP256K1_POINT_BYTES 33
#define P256_POINT_BYTES 65

/* SubjectPublicKeyInfo up to the point: secp256k1 compressed, P-256 not. */
static const uint8_t secp256k1_spki[] = {
    0x30, 0x36, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a, 0x03, 0x22, 0x00,
};
static const uint8_t p256_spki[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};
/* AlgorithmIdentifier rsaEncryption with NULL. */
static const uint8_t rsa_algorithm[] = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
    0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
};

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_SEQUENCE 0x30

/* Field 1, a number; field 2, bytes. */
#define TAG_TYPE 0x08
#define TAG_DATA 0x12

/* The head of our own key messages: type Ed25519, 32 or 64 bytes of data. */
static const uint8_t ed25519_head[4] = { 0x08, 0x01, 0x12, 0x20 };
static const uint8_t ed25519_priv_head[4] = { 0x08, 0x01, 0x12, 0x40 };

_Static_assert(sizeof(ed25519_head) + crypto_sign_PUBLICKEYBYTES ==
                   ADIT_PUBKEY_ED25519_BYTES,
               "public key message");
_Static_assert(sizeof(ed25519_priv_head) + crypto_sign_SECRETKEYBYTES ==
                   ADIT_PRIVKEY_BYTES,
               "private key message");
_Static_assert(crypto_sign_SEEDBYTES == ADIT_SECRET_BYTES, "seed");

/* --- strict DER, as much as an RSA key needs ----------------------------- */

/* The value of the next element, which must have this tag.  False: not so. */
static bool
der_take(struct adit_cursor *c, uint8_t tag, struct adit_slice *value)
{
    uint8_t t;
    uint8_t first;
    size_t n;

    if (adit_cursor_u8(c, &t) != ADIT_OK || t != tag ||
        adit_cursor_u8(c, &first) != ADIT_OK)
        return false;
    n = first;
    if (first >= 0x80) {
        /* Longer than 127: in one byte or two, and no byte for nothing. */
        uint8_t hi = 0;
        uint8_t lo;

        if (first != 0x81 && first != 0x82)
            return false;
        if (first == 0x82 && adit_cursor_u8(c, &hi) != ADIT_OK)
            return false;
        if (adit_cursor_u8(c, &lo) != ADIT_OK)
            return false;
        n = (size_t)hi << 8 | lo;
        if (n < (first == 0x82 ? 0x100u : 0x80u))
            return false;
    }
    return adit_cursor_take(c, n, value) == ADIT_OK;
}

/* A positive INTEGER, without its sign byte. */
static bool
der_take_positive(struct adit_cursor *c, struct adit_slice *value)
{
    struct adit_slice v;

    if (!der_take(c, DER_INTEGER, &v) || v.n == 0 || v.p[0] >= 0x80)
        return false;
    if (v.p[0] == 0) {
        /* A zero byte is there to keep the next from being a sign. */
        if (v.n < 2 || v.p[1] < 0x80)
            return false;
        v = adit_slice_skip(v, 1);
    }
    *value = v;
    return true;
}

static bool
is_odd(struct adit_slice number)
{
    return (number.p[number.n - 1] & 1) != 0;
}

static size_t
n_bits(struct adit_slice number)
{
    size_t n = 8 * (number.n - 1);

    for (uint8_t top = number.p[0]; top > 0; top >>= 1)
        n++;
    return n;
}

static bool
is_rsa(struct adit_slice spki)
{
    struct adit_cursor c = { spki };
    struct adit_cursor in;
    struct adit_slice v;
    struct adit_slice modulus;
    struct adit_slice exponent;
    uint8_t unused_bits;

    /* SEQUENCE { algorithm, BIT STRING { SEQUENCE { INTEGER, INTEGER } } } */
    if (!der_take(&c, DER_SEQUENCE, &v) || c.left.n != 0)
        return false;
    in.left = v;
    if (adit_cursor_take(&in, sizeof(rsa_algorithm), &v) != ADIT_OK ||
        !adit_slice_eq(v, adit_slice(rsa_algorithm, sizeof(rsa_algorithm))) ||
        !der_take(&in, DER_BIT_STRING, &v) || in.left.n != 0)
        return false;
    in.left = v;
    if (adit_cursor_u8(&in, &unused_bits) != ADIT_OK || unused_bits != 0 ||
        !der_take(&in, DER_SEQUENCE, &v) || in.left.n != 0)
        return false;
    in.left = v;
    if (!der_take_positive(&in, &modulus) ||
        !der_take_positive(&in, &exponent) || in.left.n != 0)
        return false;

    return n_bits(modulus) >= RSA_MIN_BITS &&
           n_bits(modulus) <= RSA_MAX_BITS && is_odd(modulus) &&
           exponent.n <= RSA_MAX_EXP_BYTES && n_bits(exponent) < 32 &&
           n_bits(exponent) > 1 && is_odd(exponent);
}

/* --- peers' keys --------------------------------------------------------- */

/* A checked key message: what it is, and the key itself inside it. */
struct pubkey {
    enum adit_key_type type;
    struct adit_slice data;
};

static bool
has_form(enum adit_key_type type, struct adit_slice data)
{
    switch (type) {
    case ADIT_KEY_RSA:
        return is_rsa(data);
    case ADIT_KEY_ED25519:
        return data.n == crypto_sign_PUBLICKEYBYTES;
    case ADIT_KEY_SECP256K1:
        return data.n == SECP256K1_POINT_BYTES &&
               (data.p[0] == 2 || data.p[0] == 3);
    case ADIT_KEY_ECDSA:
        return data.n == sizeof(p256_spki) + P256_POINT_BYTES &&
               memcmp(data.p, p256_spki, sizeof(p256_spki)) == 0 &&
               data.p[sizeof(p256_spki)] == 4;
    }
    return false;
}

/*
 * Read by hand, since there is one form only that is canonical: the type, the
 * data, each in as few bytes as can be, and nothing else.
 */
static adit_err
pubkey_read(struct adit_slice msg, struct pubkey *out)
{
    struct adit_cursor c = { msg };
    uint64_t tag;
    uint64_t type;
    uint64_t n;

    if (msg.n > ADIT_PUBKEY_MAX_BYTES ||
        adit_uvarint_dec(&c, &tag) != ADIT_OK || tag != TAG_TYPE ||
        adit_uvarint_dec(&c, &type) != ADIT_OK || type > ADIT_KEY_ECDSA ||
        adit_uvarint_dec(&c, &tag) != ADIT_OK || tag != TAG_DATA ||
        adit_uvarint_dec(&c, &n) != ADIT_OK || n != c.left.n ||
        !has_form((enum adit_key_type)type, c.left))
        return ADIT_EPROTO;
    *out = (struct pubkey){ (enum adit_key_type)type, c.left };
    return ADIT_OK;
}

adit_err
adit_pubkey_check(struct adit_slice pubkey_msg, enum adit_key_type *type)
{
    struct pubkey k;
    adit_err e = pubkey_read(pubkey_msg, &k);

    if (e == ADIT_OK)
        *type = k.type;
    return e;
}

static adit_err
verify_evp(struct adit_slice spki, struct adit_slice msg,
           struct adit_slice sig)
{
    const unsigned char *p = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    adit_err e = ADIT_OK;

    if (ctx == NULL)
        e = ADIT_ENOMEM;
    else if (key == NULL) /* a point that is not on its curve */
        e = ADIT_EPROTO;
    else if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) != 1)
        e = ADIT_ENOMEM;
    else if (EVP_DigestVerify(ctx, sig.p, sig.n, msg.p, msg.n) != 1)
        e = ADIT_EAUTH;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    /* Its queue is the thread's: leave nothing of ours behind. */
    ERR_clear_error();
    return e;
}

adit_err
adit_pubkey_verify(struct adit_slice pubkey_msg, struct adit_slice msg,
                   struct adit_slice sig)
{
    uint8_t spki[sizeof(secp256k1_spki) + SECP256K1_POINT_BYTES];
    struct pubkey k;
    adit_err e = pubkey_read(pubkey_msg, &k);

    if (e != ADIT_OK)
        return e;
    if (sig.n == 0 || sig.n > ADIT_SIG_MAX_BYTES)
        return ADIT_EAUTH;
    switch (k.type) {
    case ADIT_KEY_ED25519:
        return sig.n == crypto_sign_BYTES &&
                       crypto_sign_verify_detached(sig.p, msg.p, msg.n,
                                                   k.data.p) == 0
                   ? ADIT_OK
                   : ADIT_EAUTH;
    case ADIT_KEY_SECP256K1:
        memcpy(spki, secp256k1_spki, sizeof(secp256k1_spki));
        memcpy(spki + sizeof(secp256k1_spki), k.data.p, SECP256K1_POINT_BYTES);
        return verify_evp(adit_slice(spki, sizeof(spki)), msg, sig);
    case ADIT_KEY_RSA:
    case ADIT_KEY_ECDSA:
        return verify_evp(k.data, msg, sig);
    }
    return ADIT_EPROTO;
}

/* --- our own ------------------------------------------------------------- */

/* libsodium's form of a secret key: seed, then public key. */
static void
expand(const struct adit_identity *id,
       uint8_t sk[static crypto_sign_SECRETKEYBYTES])
{
    memcpy(sk, id->seed.b, sizeof(id->seed.b));
    memcpy(sk + sizeof(id->seed.b), id->pub, sizeof(id->pub));
}

void
adit_identity_make(struct adit_identity *id, const struct adit_rng *rng)
{
    struct adit_secret seed;

    adit_rng_fill(rng, seed.b, sizeof(seed.b));
    adit_identity_from_seed(id, &seed);
    adit_secret_fini(&seed);
}

void
adit_identity_from_seed(struct adit_identity *id,
                        const struct adit_secret *seed)
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES];

    id->seed = *seed;
    (void)crypto_sign_seed_keypair(id->pub, sk, seed->b);
    adit_wipe(sk, sizeof(sk));
    memcpy(id->pubkey_msg, ed25519_head, sizeof(ed25519_head));
    memcpy(id->pubkey_msg + sizeof(ed25519_head), id->pub, sizeof(id->pub));
    adit_peerid_of_key(adit_slice(id->pubkey_msg, sizeof(id->pubkey_msg)),
                       &id->id);
}

void
adit_identity_fini(struct adit_identity *id)
{
    adit_wipe(id, sizeof(*id));
}

void
adit_identity_sign(const struct adit_identity *id, struct adit_slice msg,
                   uint8_t sig[static 64])
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES];

    expand(id, sk);
    (void)crypto_sign_detached(sig, NULL, msg.p, msg.n, sk);
    adit_wipe(sk, sizeof(sk));
}

void
adit_identity_enc(const struct adit_identity *id,
                  uint8_t out[static ADIT_PRIVKEY_BYTES])
{
    memcpy(out, ed25519_priv_head, sizeof(ed25519_priv_head));
    expand(id, out + sizeof(ed25519_priv_head));
}

adit_err
adit_identity_dec(struct adit_slice in, struct adit_identity *out)
{
    struct adit_pb_arena arena;
    struct adit_pb_key k;
    struct adit_identity id = { 0 };
    struct adit_secret seed = { { 0 } };
    adit_err e = ADIT_EINVAL;

    arena.used = 0;
    if (adit_pb_key_dec(&arena, in, &k) != ADIT_OK ||
        k.type != ADIT_KEY_ED25519)
        goto out;
    /* Seed and public key; old files have the public key twice. */
    if (k.data.n != 64 && k.data.n != 96)
        goto out;
    if (k.data.n == 96 && memcmp(k.data.p + 32, k.data.p + 64, 32) != 0)
        goto out;
    memcpy(seed.b, k.data.p, sizeof(seed.b));
    adit_identity_from_seed(&id, &seed);
    if (memcmp(id.pub, k.data.p + 32, sizeof(id.pub)) != 0)
        goto out;
    *out = id;
    e = ADIT_OK;
out:
    adit_wipe(arena.buf, arena.used);
    adit_secret_fini(&seed);
    adit_identity_fini(&id);
    return e;
}
