/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * noise: the handshake Noise_XX_25519_ChaChaPoly_SHA256 as libp2p uses it,
 * with the early-muxer extension.
 *
 * Made for one handshake, then thrown away: what remains of it are two keys
 * (wire/noise/cipher.h).  No deadline of its own: its driver has one for the
 * whole upgrade.  Buffers: one outgoing message, and one incoming up to
 * MAX_MSG_BYTES; the length field decides nothing before the bytes are here.
 * Follows the Noise specification revision 34, and libp2p's noise/README.
 */
#ifndef ADIT_WIRE_NOISE_NOISE_H
#define ADIT_WIRE_NOISE_NOISE_H

#include "base/rng.h"
#include "codec/key.h"
#include "wire/noise/cipher.h"
#include "wire/noise/xx.h"

/* A key message and a signature of RSA 8192, muxers and hashes around. */
#define ADIT_NOISE_MAX_MSG_BYTES 4096

/* Entries beyond these in stream_muxers are ignored; go ignores a list of
 * more than 100. */
#define ADIT_NOISE_MAX_MUXERS 16

/* Key, signature, and some 380 bytes of muxer names. */
#define ADIT_NOISE_MAX_OWN_PAYLOAD_BYTES 512

enum adit_noise_role { ADIT_NOISE_INITIATOR, ADIT_NOISE_RESPONDER };

/*
 * An X25519 key with all that is said about it: the payload that names our
 * identity and signs the key.  Made once per node, it saves each handshake
 * one curve operation and one signature.  Immutable once made: any number of
 * handshakes may borrow it.
 */
struct adit_noise_static {
    struct adit_noise_pair pair;
    const char *const *muxers; /* borrowed for its life */
    size_t n_muxers;
    size_t n_payload;
    uint8_t payload[ADIT_NOISE_MAX_OWN_PAYLOAD_BYTES];
};

/*
 * Make one from 32 bytes of `rng`.  ADIT_EINVAL: more than MAX_MUXERS names,
 * or they do not fit into the payload; `st` is then zeroed.
 */
ADIT_MUST_USE adit_err adit_noise_static_make(
    struct adit_noise_static *st, const struct adit_identity *identity,
    const char *const *muxers, size_t n_muxers, const struct adit_rng *rng);

/* Wipe.  Fine on a zeroed one. */
void adit_noise_static_fini(struct adit_noise_static *st);

struct adit_noise_config {
    enum adit_noise_role role;
    const struct adit_identity *identity; /* borrowed for its life */
    struct adit_peerid expect;            /* n = 0: whoever it is */
    const char *const *muxers; /* static; offered as stream_muxers */
    size_t n_muxers;           /* 0: the extension is not sent */
    /*
     * NULL: a key is made for this session.  Else borrowed for its life;
     * identity and muxers above are not looked at, its own count.
     */
    const struct adit_noise_static *statik;
};

struct adit_noise_result {
    struct adit_peerid peer;
    struct adit_noise_key tx, rx;
    int muxer; /* index in our list of the one both agreed on; -1: none */
};

struct adit_noise; /* some 6 KiB; lives for one handshake */

/* ADIT_ENOMEM, or ADIT_EINVAL as _static_make. */
ADIT_MUST_USE adit_err adit_noise_new(struct adit_mem *mem,
                                      const struct adit_noise_config *cfg,
                                      const struct adit_rng *rng,
                                      struct adit_noise **out);

/* Wipes every key.  NULL is fine. */
void adit_noise_free(struct adit_noise *n);

/*
 * Take bytes, up to the end of the handshake and not one further.
 *
 *   ADIT_OK      *used were taken; see _out and _next
 *   ADIT_EPROTO  malformed, too long, or does not decrypt
 *   ADIT_EAUTH   the identity is not proven, or not the expected one
 *
 * _why tells which.  A failed machine stays failed.
 */
ADIT_MUST_USE adit_err adit_noise_feed(struct adit_noise *n,
                                       struct adit_slice in, size_t *used);

/*
 * The outcome, once.
 *
 *   ADIT_OK      the handshake is complete and all of _out was sent: *r is
 *                filled, its keys are yours to wipe
 *   ADIT_AGAIN   before
 *   ADIT_DONE    after
 *   else         what _feed answered when it failed
 */
ADIT_MUST_USE adit_err adit_noise_next(struct adit_noise *n,
                                       struct adit_noise_result *r);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_noise_out(const struct adit_noise *n);
void adit_noise_sent(struct adit_noise *n, size_t n_bytes);

/*
 * 32 bytes that only the two ends can know, by HKDF from the final chaining
 * key (never the handshake hash, which a relay can compute) and `label`.
 * ADIT_ESTATE: the handshake is not complete.
 */
ADIT_MUST_USE adit_err adit_noise_export(const struct adit_noise *n,
                                         const char *label,
                                         struct adit_secret *out);

/* Why it failed; static.  NULL if it did not. */
const char *adit_noise_why(const struct adit_noise *n);

#endif
