/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * xx: the bare handshake Noise_XX_25519_ChaChaPoly_SHA256: three messages
 * with any payload, knowing neither their framing nor libp2p.
 *
 *   0  initiator  e
 *   1  responder  e, ee, s, es
 *   2  initiator  s, se
 *
 * Each side writes and reads them in this order.  After a failure the state
 * is of no more use.  Follows the Noise specification, revision 34.
 * Pure; allocates nothing.  Thread: any.
 */
#ifndef ADIT_WIRE_NOISE_XX_H
#define ADIT_WIRE_NOISE_XX_H

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "wire/noise/cipher.h"

/* Beside its payload: of message 0 a key, of 1 two keys, of 2 one; tags. */
#define ADIT_NOISE_XX_OVERHEAD_0 32
#define ADIT_NOISE_XX_OVERHEAD_1 (32 + 48 + 16)
#define ADIT_NOISE_XX_OVERHEAD_2 (48 + 16)

#define ADIT_NOISE_XX_N_MESSAGES 3

struct adit_noise_pair {
    struct adit_secret secret;
    uint8_t pub[32];
};

struct adit_noise_xx {
    bool is_initiator;
    bool has_key;
    uint8_t at;            /* which message is next */
    uint64_t nonce;        /* of `key` */
    struct adit_secret ck; /* chaining key */
    struct adit_secret key;
    uint8_t h[32];                   /* handshake hash */
    const struct adit_noise_pair *s; /* ours; borrowed */
    struct adit_noise_pair e;        /* ours */
    uint8_t rs[32], re[32];          /* the peer's */
};

/* Derive the public key of `p->secret`. */
void adit_noise_pair_derive(struct adit_noise_pair *p);

/*
 * `s` is borrowed until _fini, its public key must be derived; the ephemeral
 * secret is copied.
 */
void adit_noise_xx_init(struct adit_noise_xx *x, bool is_initiator,
                        struct adit_slice prologue,
                        const struct adit_noise_pair *s,
                        const struct adit_secret *e_secret);

/* Wipe.  Fine on a zeroed one. */
void adit_noise_xx_fini(struct adit_noise_xx *x);

/* Is it for us to write the next message? */
bool adit_noise_xx_is_our_turn(const struct adit_noise_xx *x);

bool adit_noise_xx_is_complete(const struct adit_noise_xx *x);

/* What message `at` (0..2) is longer than its payload. */
size_t adit_noise_xx_overhead(unsigned at);

/*
 * Write the next message, payload.n and the overhead long, to `dst`.
 * ADIT_EPROTO: the peer's key is one that makes every secret zero.
 */
ADIT_MUST_USE adit_err adit_noise_xx_write(struct adit_noise_xx *x,
                                           struct adit_slice payload,
                                           uint8_t *dst);

/*
 * Read the next message, decrypting it in place; *payload borrows from it.
 * ADIT_EPROTO: too short, forged, or such a key as above.
 */
ADIT_MUST_USE adit_err adit_noise_xx_read(struct adit_noise_xx *x,
                                          struct adit_mslice msg,
                                          struct adit_slice *payload);

/* The two transport keys; it must be complete. */
void adit_noise_xx_split(const struct adit_noise_xx *x,
                         struct adit_noise_key *tx, struct adit_noise_key *rx);

#endif
