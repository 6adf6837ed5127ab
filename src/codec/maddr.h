/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * maddr: multiaddr, in bytes and in text.
 *
 * Bytes are the truth; text is made from them and parsed into them.
 * Protocols that we do not know survive in neither direction of a text, but
 * a binary address that holds one is kept as it is by those who only pass
 * slices on; _dec alone refuses it.  A value: copy it.
 * Follows the multiaddr specification.  Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_MADDR_H
#define ADIT_CODEC_MADDR_H

#include "base/err.h"
#include "base/slice.h"
#include "codec/peerid.h"

/* Room for two peer ids, a DNS name and two certificate hashes. */
#define ADIT_MADDR_MAX_BYTES 510

/*
 * The longest text of an address that we take, and its NUL.  Some bytes grow
 * ninefold ("/p2p-webrtc-direct" is two); an address whose text could be
 * longer than this is refused like one of too many bytes.
 */
#define ADIT_MADDR_TEXT_BYTES 1024

struct adit_maddr {
    uint16_t n; /* 0: no address */
    uint8_t b[ADIT_MADDR_MAX_BYTES];
};

/* Codes of the multicodec table. */
enum adit_maddr_code {
    ADIT_MA_IP4 = 4,
    ADIT_MA_TCP = 6,
    ADIT_MA_DCCP = 33,
    ADIT_MA_IP6 = 41,
    ADIT_MA_IP6ZONE = 42,
    ADIT_MA_IPCIDR = 43,
    ADIT_MA_DNS = 53,
    ADIT_MA_DNS4 = 54,
    ADIT_MA_DNS6 = 55,
    ADIT_MA_DNSADDR = 56,
    ADIT_MA_SCTP = 132,
    ADIT_MA_UDP = 273,
    ADIT_MA_P2P_WEBRTC_DIRECT = 276,
    ADIT_MA_WEBRTC_DIRECT = 280,
    ADIT_MA_WEBRTC = 281,
    ADIT_MA_P2P_CIRCUIT = 290,
    ADIT_MA_UDT = 301,
    ADIT_MA_UTP = 302,
    ADIT_MA_UNIX = 400,
    ADIT_MA_P2P = 421,
    ADIT_MA_HTTPS = 443,
    ADIT_MA_ONION = 444,
    ADIT_MA_ONION3 = 445,
    ADIT_MA_TLS = 448,
    ADIT_MA_SNI = 449,
    ADIT_MA_NOISE = 454,
    ADIT_MA_QUIC = 460,
    ADIT_MA_QUIC_V1 = 461,
    ADIT_MA_WEBTRANSPORT = 465,
    ADIT_MA_CERTHASH = 466,
    ADIT_MA_WS = 477,
    ADIT_MA_WSS = 478,
    ADIT_MA_HTTP = 480,
    ADIT_MA_HTTP_PATH = 481,
    ADIT_MA_MEMORY = 777,
    ADIT_MA_PLAINTEXTV2 = 7367777,
};

/* One component: its code, and its value without any length prefix. */
struct adit_maddr_part {
    uint64_t code; /* an enum adit_maddr_code, or one we do not know */
    struct adit_slice value; /* borrows from the address */
    struct adit_slice raw;   /* code and value as they stand in the bytes */
};

static inline struct adit_slice
adit_maddr_bytes(const struct adit_maddr *a)
{
    return adit_slice(a->b, a->n);
}

/*
 * Read the component at the front of `left` and move past it.
 *
 *   ADIT_OK      *part is filled
 *   ADIT_DONE    nothing is left
 *   ADIT_EPROTO  malformed, or a protocol whose length we do not know;
 *                `left` did not move
 */
ADIT_MUST_USE adit_err adit_maddr_next(struct adit_slice *left,
                                       struct adit_maddr_part *part);

/*
 * Check bytes and copy them.  ADIT_EPROTO: malformed, empty, too long in
 * bytes or in text, or it holds a protocol that we do not know.
 */
ADIT_MUST_USE adit_err adit_maddr_dec(struct adit_slice in,
                                      struct adit_maddr *out);

/* Where and why a text was refused. */
struct adit_maddr_why {
    size_t at;        /* offset in the text */
    const char *what; /* static, half a sentence */
};

/*
 * From text.  ADIT_EINVAL: *why (may be NULL) says where and what was
 * expected; *out is untouched.  `/ipfs/ID` is taken as `/p2p/ID`.
 */
ADIT_MUST_USE adit_err adit_maddr_parse(struct adit_slice text,
                                        struct adit_maddr *out,
                                        struct adit_maddr_why *why);

/* NUL-terminated text of a checked address.  Returns `out`. */
const char *adit_maddr_format(const struct adit_maddr *a,
                              char out[static ADIT_MADDR_TEXT_BYTES]);

/* Append one component.  ADIT_EINVAL: it would not fit, or is malformed. */
ADIT_MUST_USE adit_err adit_maddr_push(struct adit_maddr *a, uint64_t code,
                                       struct adit_slice value);

/* Append all of `tail`.  ADIT_EINVAL: it would not fit. */
ADIT_MUST_USE adit_err adit_maddr_join(struct adit_maddr *a,
                                       struct adit_slice tail);

/* The value of the first component with `code`; false: there is none. */
bool adit_maddr_find(const struct adit_maddr *a, uint64_t code,
                     struct adit_slice *value);

/* The peer id of the last /p2p, if it ends the address; else n = 0. */
void adit_maddr_peer(const struct adit_maddr *a, struct adit_peerid *out);

/* Take a /p2p off the end, if there is one. */
void adit_maddr_strip_peer(struct adit_maddr *a);

/*
 * Split at the last /p2p-circuit: what leads to the relay (its /p2p
 * included; n = 0 if nothing) and the first peer behind (n = 0 if none, as
 * in an address to listen on).  ADIT_DONE: not a circuit address.
 */
ADIT_MUST_USE adit_err adit_maddr_split_circuit(const struct adit_maddr *a,
                                                struct adit_maddr *relay,
                                                struct adit_peerid *dst);

static inline bool
adit_maddr_eq(const struct adit_maddr *a, const struct adit_maddr *b)
{
    return adit_slice_eq(adit_maddr_bytes(a), adit_maddr_bytes(b));
}

#endif
