/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * cipher: Noise transport frames: `uint16 length || ciphertext || tag`.
 *
 * A connection owns two keys with their nonces and nothing else; the two
 * AEAD contexts are the worker's, made once and re-keyed for each frame.
 * Follows the Noise specification, section 5, and libp2p's noise/README.
 */
#ifndef ADIT_WIRE_NOISE_CIPHER_H
#define ADIT_WIRE_NOISE_CIPHER_H

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/slice.h"

#define ADIT_NOISE_LEN_BYTES 2
#define ADIT_NOISE_TAG_BYTES 16

/* What a frame costs beside its plaintext. */
#define ADIT_NOISE_OVERHEAD (ADIT_NOISE_LEN_BYTES + ADIT_NOISE_TAG_BYTES)

/* 65,535 less the tag. */
#define ADIT_NOISE_MAX_PLAIN_BYTES 65519

struct adit_noise_key {
    struct adit_secret k;
    uint64_t nonce; /* of the next frame */
};

/* Wipe. */
void adit_noise_key_fini(struct adit_noise_key *k);

/* A worker's two ChaCha20-Poly1305 contexts, one per direction. */
struct adit_aead;

/* ADIT_ENOMEM: also when the crypto library lacks the cipher. */
ADIT_MUST_USE adit_err adit_aead_new(struct adit_mem *mem,
                                     struct adit_aead **out);
void adit_aead_free(struct adit_aead *a);

/*
 * Encrypt `plain` (at most ADIT_NOISE_MAX_PLAIN_BYTES) into one frame.
 * `dst` has room for plain.n + ADIT_NOISE_OVERHEAD; it may not overlap.
 *
 *   ADIT_OK      the frame stands in dst; the nonce moved on
 *   ADIT_ELIMIT  the key's nonces are used up; end the connection
 */
ADIT_MUST_USE adit_err adit_noise_seal(struct adit_aead *a,
                                       struct adit_noise_key *k,
                                       struct adit_slice plain, uint8_t *dst);

/*
 * Decrypt one frame's ciphertext and tag (the bytes behind its length) in
 * place; the plaintext is the first n - ADIT_NOISE_TAG_BYTES of them.
 *
 *   ADIT_EPROTO  shorter than a tag, or forged; the connection is dead
 */
ADIT_MUST_USE adit_err adit_noise_open(struct adit_aead *a,
                                       struct adit_noise_key *k,
                                       struct adit_mslice frame);

#endif
