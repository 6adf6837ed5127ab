/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * record: the two things that peers sign for each other: where a peer can be
 * reached, and that a relay keeps a place for it.
 *
 * Both are payloads of an envelope whose signer must be the one who is spoken
 * for (peer record) or who speaks (voucher).
 * Follows RFC 0003 and relay/circuit-v2 of the libp2p specifications; the
 * payload types are the two bytes of the multicodec, high one first, as go,
 * js and nim write them (rust knows an older form only).  Thread: any.
 */
#ifndef ADIT_CODEC_RECORD_H
#define ADIT_CODEC_RECORD_H

#include "base/err.h"
#include "base/slice.h"
#include "codec/envelope.h"
#include "codec/pb.h"
#include "codec/peerid.h"

/* An envelope of ours with a voucher between two Ed25519 peers is less. */
#define ADIT_VOUCHER_MAX_BYTES 256

/* --- peer record --------------------------------------------------------- */

struct adit_record {
    struct adit_peerid peer;
    uint64_t seq; /* a later record has a greater one */
    size_t n_addrs;
    /* As they came: perhaps of protocols that we do not know, or malformed. */
    struct adit_slice addrs[ADIT_PB_MAX_ADDRS];
};

/*
 * Open a signed peer record.
 *
 *   ADIT_OK      *out is filled; its slices live in the arena
 *   ADIT_EPROTO  malformed, or no peer record
 *   ADIT_EAUTH   the signature is wrong, or of another than the peer
 */
ADIT_MUST_USE adit_err adit_record_dec(struct adit_pb_arena *a,
                                       struct adit_slice in,
                                       struct adit_record *out);

/*
 * Sign where we can be reached.  `seq` must grow with each record, also over
 * a restart: wall-clock milliseconds do.  ADIT_EINVAL: it would not fit.
 */
ADIT_MUST_USE adit_err adit_record_enc(const struct adit_identity *id,
                                       uint64_t seq,
                                       const struct adit_slice *addrs,
                                       size_t n_addrs, struct adit_mslice dst,
                                       size_t *n);

/* --- reservation voucher ------------------------------------------------- */

struct adit_voucher {
    struct adit_peerid relay;
    struct adit_peerid peer;
    uint64_t expire_unix_s;
};

/*
 * Open a voucher.
 *
 *   ADIT_OK      *out is filled; compare relay, peer and time yourself
 *   ADIT_EPROTO  malformed, or no voucher
 *   ADIT_EAUTH   the signature is wrong, or of another than the relay
 */
ADIT_MUST_USE adit_err adit_voucher_dec(struct adit_slice in,
                                        struct adit_voucher *out);

/* As the relay `id`, vouch for `peer`.  ADIT_EINVAL: it would not fit. */
ADIT_MUST_USE adit_err adit_voucher_enc(const struct adit_identity *id,
                                        const struct adit_peerid *peer,
                                        uint64_t expire_unix_s,
                                        struct adit_mslice dst, size_t *n);

#endif
