/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * pb: libp2p's protobuf messages as plain structs; the only door to
 * protobuf-c.
 *
 * Whole messages without their length prefix.  A decoder caps the length
 * first, takes all its memory from an arena that the caller lends, and fills
 * fixed arrays: it allocates nothing, and no message can make it.  Fields
 * that we do not know are skipped, enum values that we do not know are handed
 * on as they are, list entries beyond our arrays are left out.
 * What the bytes mean (is this a peer id, an address, a key?) is for the
 * caller to check.  Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_PB_H
#define ADIT_CODEC_PB_H

#include "base/err.h"
#include "base/slice.h"

/* What go, rust and js cap hop, stop and Noise messages at. */
#define ADIT_PB_MAX_BYTES 4096

/* What go and js cap identify at; an envelope may fill most of it. */
#define ADIT_PB_IDENTIFY_MAX_BYTES 8192

/* Four times what a stock peer with many interfaces announces. */
#define ADIT_PB_MAX_ADDRS 64
/* go with a DHT, pubsub and bitswap names about 30. */
#define ADIT_PB_MAX_PROTOCOLS 128
/* In use: one or two. */
#define ADIT_PB_MAX_MUXERS 16

/*
 * Where a decoder keeps what it found; usually on the stack, and need not be
 * initialised.  Enough for 8192 bytes in 400 fields: 32 bytes of bookkeeping
 * in tables that double, a list entry and padding for each.  A message that
 * needs more is refused.
 * What is decoded must not lie in the arena itself.
 */
#define ADIT_PB_ARENA_BYTES 32768

struct adit_pb_arena {
    size_t used;
    _Alignas(16) uint8_t buf[ADIT_PB_ARENA_BYTES];
};

/*
 * For all decoders below:
 *
 *   ADIT_OK      *out is filled; its slices live in the arena, until the
 *                arena is used for another message or goes away
 *   ADIT_EPROTO  too long, malformed, a key without its two fields, or the
 *                arena is too small for it
 *
 * and for all encoders:
 *
 *   ADIT_OK      *n bytes were written to the front of `dst`
 *   ADIT_EINVAL  it would not fit, or a list is longer than its array;
 *                nothing was written
 *
 * A slice with n = 0 means absent or empty, and is not written, but for
 * fields marked so.  A number without a has_ bit is 0 when absent: peers that
 * speak proto3 leave out zeroes.
 */

/* PublicKey and PrivateKey (peer-ids). */
struct adit_pb_key {
    int32_t type;           /* required; enum adit_key_type, or unknown */
    struct adit_slice data; /* required */
};

ADIT_MUST_USE adit_err adit_pb_key_dec(struct adit_pb_arena *a,
                                       struct adit_slice in,
                                       struct adit_pb_key *out);
ADIT_MUST_USE adit_err adit_pb_key_enc(const struct adit_pb_key *k,
                                       struct adit_mslice dst, size_t *n);

/* NoiseHandshakePayload (noise). */
struct adit_pb_noise {
    struct adit_slice identity_key; /* a PublicKey message */
    struct adit_slice identity_sig;
    size_t n_muxers;
    struct adit_slice muxers[ADIT_PB_MAX_MUXERS]; /* protocol ids */
};

ADIT_MUST_USE adit_err adit_pb_noise_dec(struct adit_pb_arena *a,
                                         struct adit_slice in,
                                         struct adit_pb_noise *out);
ADIT_MUST_USE adit_err adit_pb_noise_enc(const struct adit_pb_noise *m,
                                         struct adit_mslice dst, size_t *n);

/* Identify.  Text is bytes: not checked, not terminated. */
struct adit_pb_identify {
    struct adit_slice pubkey; /* a PublicKey message */
    struct adit_slice observed_addr;
    struct adit_slice protocol_version;
    struct adit_slice agent_version;
    struct adit_slice signed_peer_record; /* an envelope */
    size_t n_listen_addrs;
    size_t n_protocols;
    struct adit_slice listen_addrs[ADIT_PB_MAX_ADDRS];
    struct adit_slice protocols[ADIT_PB_MAX_PROTOCOLS];
};

/* Takes up to ADIT_PB_IDENTIFY_MAX_BYTES. */
ADIT_MUST_USE adit_err adit_pb_identify_dec(struct adit_pb_arena *a,
                                            struct adit_slice in,
                                            struct adit_pb_identify *out);
ADIT_MUST_USE adit_err adit_pb_identify_enc(const struct adit_pb_identify *m,
                                            struct adit_mslice dst, size_t *n);

/* Circuit relay v2.  The numbers are the specification's. */

enum adit_pb_hop_type {
    ADIT_PB_HOP_RESERVE = 0,
    ADIT_PB_HOP_CONNECT = 1,
    ADIT_PB_HOP_STATUS = 2,
};

enum adit_pb_stop_type {
    ADIT_PB_STOP_CONNECT = 0,
    ADIT_PB_STOP_STATUS = 1,
};

enum adit_pb_status {
    ADIT_PB_STATUS_UNUSED = 0,
    ADIT_PB_STATUS_OK = 100,
    ADIT_PB_STATUS_RESERVATION_REFUSED = 200,
    ADIT_PB_STATUS_RESOURCE_LIMIT_EXCEEDED = 201,
    ADIT_PB_STATUS_PERMISSION_DENIED = 202,
    ADIT_PB_STATUS_CONNECTION_FAILED = 203,
    ADIT_PB_STATUS_NO_RESERVATION = 204,
    ADIT_PB_STATUS_MALFORMED_MESSAGE = 400,
    ADIT_PB_STATUS_UNEXPECTED_MESSAGE = 401,
};

/* The parts of a message; `has` is false where the part is absent. */

struct adit_pb_peer {
    bool has;
    struct adit_slice id; /* always written; a multihash */
    size_t n_addrs;
    struct adit_slice addrs[ADIT_PB_MAX_ADDRS];
};

struct adit_pb_reservation {
    bool has;
    bool has_expire;
    uint64_t expire;           /* unix seconds, UTC */
    struct adit_slice voucher; /* an envelope */
    size_t n_addrs;
    struct adit_slice addrs[ADIT_PB_MAX_ADDRS];
};

struct adit_pb_limit {
    bool has;
    bool has_duration;
    bool has_data;
    uint32_t duration_s; /* js relays send milliseconds here, by mistake */
    uint64_t data_bytes; /* each way */
};

struct adit_pb_hop {
    bool has_type; /* a message without it is malformed */
    bool has_status;
    int32_t type;   /* enum adit_pb_hop_type, or unknown */
    int32_t status; /* enum adit_pb_status, or unknown */
    struct adit_pb_limit limit;
    struct adit_pb_peer peer;
    struct adit_pb_reservation reservation;
};

ADIT_MUST_USE adit_err adit_pb_hop_dec(struct adit_pb_arena *a,
                                       struct adit_slice in,
                                       struct adit_pb_hop *out);
ADIT_MUST_USE adit_err adit_pb_hop_enc(const struct adit_pb_hop *m,
                                       struct adit_mslice dst, size_t *n);

struct adit_pb_stop {
    bool has_type; /* a message without it is malformed */
    bool has_status;
    int32_t type;   /* enum adit_pb_stop_type, or unknown */
    int32_t status; /* enum adit_pb_status, or unknown */
    struct adit_pb_limit limit;
    struct adit_pb_peer peer;
};

ADIT_MUST_USE adit_err adit_pb_stop_dec(struct adit_pb_arena *a,
                                        struct adit_slice in,
                                        struct adit_pb_stop *out);
ADIT_MUST_USE adit_err adit_pb_stop_enc(const struct adit_pb_stop *m,
                                        struct adit_mslice dst, size_t *n);

/* Envelope (RFC 0002). */
struct adit_pb_envelope {
    struct adit_slice pubkey;       /* always written; a PublicKey message */
    struct adit_slice payload_type; /* always written */
    struct adit_slice payload;      /* always written */
    struct adit_slice signature;    /* always written */
};

/* Takes up to ADIT_PB_IDENTIFY_MAX_BYTES. */
ADIT_MUST_USE adit_err adit_pb_envelope_dec(struct adit_pb_arena *a,
                                            struct adit_slice in,
                                            struct adit_pb_envelope *out);
ADIT_MUST_USE adit_err adit_pb_envelope_enc(const struct adit_pb_envelope *m,
                                            struct adit_mslice dst, size_t *n);

/* PeerRecord (RFC 0003). */
struct adit_pb_record {
    struct adit_slice peer_id; /* always written */
    uint64_t seq;              /* always written */
    size_t n_addrs;
    struct adit_slice addrs[ADIT_PB_MAX_ADDRS];
};

/* Takes up to ADIT_PB_IDENTIFY_MAX_BYTES. */
ADIT_MUST_USE adit_err adit_pb_record_dec(struct adit_pb_arena *a,
                                          struct adit_slice in,
                                          struct adit_pb_record *out);
ADIT_MUST_USE adit_err adit_pb_record_enc(const struct adit_pb_record *m,
                                          struct adit_mslice dst, size_t *n);

/* Voucher (circuit v2). */
struct adit_pb_voucher {
    struct adit_slice relay; /* always written; a multihash */
    struct adit_slice peer;  /* always written; a multihash */
    uint64_t expiration;     /* always written; unix seconds, UTC */
};

ADIT_MUST_USE adit_err adit_pb_voucher_dec(struct adit_pb_arena *a,
                                           struct adit_slice in,
                                           struct adit_pb_voucher *out);
ADIT_MUST_USE adit_err adit_pb_voucher_enc(const struct adit_pb_voucher *m,
                                           struct adit_mslice dst, size_t *n);

#endif
