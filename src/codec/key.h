/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * key: who a peer is: public keys of four kinds, and our own identity.
 *
 * Ours is Ed25519; peers may also have RSA of 2048 to 8192 bits, secp256k1
 * and ECDSA over P-256.  A key message is taken only in its canonical
 * serialisation, since the peer id is a hash of the bytes.
 * Follows the libp2p specification peer-ids.  Thread: any.
 */
#ifndef ADIT_CODEC_KEY_H
#define ADIT_CODEC_KEY_H

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/slice.h"
#include "codec/peerid.h"

enum adit_key_type {
    ADIT_KEY_RSA = 0,
    ADIT_KEY_ED25519 = 1,
    ADIT_KEY_SECP256K1 = 2,
    ADIT_KEY_ECDSA = 3,
};

/* RSA 8192 as SubjectPublicKeyInfo is 1062 bytes; and the message around. */
#define ADIT_PUBKEY_MAX_BYTES 1100

/* Ed25519 as a PublicKey message: 08 01 12 20 and the key. */
#define ADIT_PUBKEY_ED25519_BYTES 36

/* RSA 8192. */
#define ADIT_SIG_MAX_BYTES 1024

/* libp2p's PrivateKey message of an Ed25519 key. */
#define ADIT_PRIVKEY_BYTES 68

/*
 * Is `sig` the signature of `msg` under the key in the PublicKey message
 * `pubkey_msg`?
 *
 *   ADIT_OK      it is
 *   ADIT_EAUTH   it is not
 *   ADIT_EPROTO  not a key message, not canonical, or a key we do not take
 *   ADIT_ENOMEM  OpenSSL, which has an allocator of its own, found no memory
 */
ADIT_MUST_USE adit_err adit_pubkey_verify(struct adit_slice pubkey_msg,
                                          struct adit_slice msg,
                                          struct adit_slice sig);

/*
 * The kind of key in a message, its form fully checked (whether a point is on
 * its curve shows when it verifies).  ADIT_EPROTO.
 */
ADIT_MUST_USE adit_err adit_pubkey_check(struct adit_slice pubkey_msg,
                                         enum adit_key_type *type);

/* Our own name and the means to prove it.  Immutable once made. */
struct adit_identity {
    struct adit_secret seed; /* RFC 8032 secret key */
    uint8_t pub[32];
    uint8_t pubkey_msg[ADIT_PUBKEY_ED25519_BYTES];
    struct adit_peerid id;
};

/* A new one from 32 bytes of `rng`. */
void adit_identity_make(struct adit_identity *id, const struct adit_rng *rng);

/* From a seed. */
void adit_identity_from_seed(struct adit_identity *id,
                             const struct adit_secret *seed);

/* Wipe.  Fine on a zeroed one. */
void adit_identity_fini(struct adit_identity *id);

/* Ed25519 signature of `msg` (RFC 8032). */
void adit_identity_sign(const struct adit_identity *id, struct adit_slice msg,
                        uint8_t sig[static 64]);

/*
 * libp2p's PrivateKey message, as go-libp2p writes its key files.
 *
 *   _enc  exactly ADIT_PRIVKEY_BYTES
 *   _dec  ADIT_EINVAL: not such a message, its halves do not belong
 *         together, or a type other than Ed25519
 */
void adit_identity_enc(const struct adit_identity *id,
                       uint8_t out[static ADIT_PRIVKEY_BYTES]);
ADIT_MUST_USE adit_err adit_identity_dec(struct adit_slice in,
                                         struct adit_identity *out);

#endif
