/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * identify: what a peer says of itself: addresses, protocols, who it sees.
 *
 * The writer makes the one message that we send, small enough for every
 * reader.  The reader merges what arrives until the peer closes (go splits
 * its message in two).  A push is the same message under its own name.
 *
 * No deadline of its own: its driver has one.  What is kept of a peer has
 * the bounds below; what is beyond them is left out.
 * Follows the libp2p specification identify.
 */
#ifndef ADIT_WIRE_IDENTIFY_IDENTIFY_H
#define ADIT_WIRE_IDENTIFY_IDENTIFY_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/pb.h"
#include "codec/peerid.h"
#include "wire/lpm/lpm.h"

#define ADIT_IDENTIFY_ID "/ipfs/id/1.0.0"
#define ADIT_IDENTIFY_PUSH_ID "/ipfs/id/push/1.0.0"
#define ADIT_IDENTIFY_PROTOCOL_VERSION "ipfs/0.1.0"

/*
 * All of what we write, its length prefix included: rust reads one message
 * of at most 4096 bytes.
 */
#define ADIT_IDENTIFY_OUT_BYTES 4096

/* Longer agents and versions are cut there, ours and theirs.  Arbitrary;
 * stock ones have 15 to 60. */
#define ADIT_IDENTIFY_MAX_AGENT_BYTES 128

/* Protocols may fill this much of a message; the rest is for addresses. */
#define ADIT_IDENTIFY_MAX_PROTOCOLS_BYTES 2048

/* What we say of ourselves; all borrowed for the call. */
struct adit_identify_info {
    struct adit_slice pubkey_msg;
    struct adit_slice agent;
    /* The peer's address as we see it; a trailing /p2p is taken off. */
    struct adit_slice observed;
    const struct adit_slice *protocols; /* the dearest first */
    size_t n_protocols;
    const struct adit_slice *addrs; /* binary, the dearest first */
    size_t n_addrs;
    struct adit_slice record; /* an envelope; n = 0: none */
};

/*
 * Write the message with its length prefix; returns its bytes.  Key, agent
 * and observed address are always in; then protocols and addresses in their
 * order, but for those that no longer fit; the record if it fits behind them.
 * pubkey_msg has at most ADIT_PUBKEY_ED25519_BYTES, as ours has; an observed
 * address above ADIT_MADDR_MAX_BYTES is left out.
 */
size_t adit_identify_enc(const struct adit_identify_info *info,
                         uint8_t dst[static ADIT_IDENTIFY_OUT_BYTES]);

/* The reader. */

/* go merges as many. */
#define ADIT_IDENTIFY_MAX_MSGS 10

/* Kept of one peer.  A stock peer has 10 to 50 protocols, 4 to 20 addresses. */
#define ADIT_IDENTIFY_MAX_PROTOCOLS 128
#define ADIT_IDENTIFY_MAX_ADDRS 32

/* All texts and addresses that are kept of one peer, together. */
#define ADIT_IDENTIFY_MAX_KEPT_BYTES 12288

/* The longest name that multistream-select can propose, less its newline. */
#define ADIT_IDENTIFY_MAX_PROTOCOL_BYTES 1023

/* One piece of what is kept. */
struct adit_identify_piece {
    uint16_t off, n;
};

struct adit_identify {
    struct adit_mem *mem;
    struct adit_peerid peer;
    struct adit_lpm lpm;
    uint8_t state;
    uint8_t n_msgs;
    bool key_is_wrong, record_is_wrong, record_is_good;
    bool is_cut; /* something was beyond our bounds */
    adit_err err;
    const char *why;
    uint64_t record_seq;
    uint8_t *kept;
    uint16_t kept_bytes, kept_cap;
    struct adit_identify_piece agent, version, observed;
    uint16_t n_addrs, n_record_addrs, n_protocols;
    struct adit_identify_piece addrs[ADIT_IDENTIFY_MAX_ADDRS];
    struct adit_identify_piece record_addrs[ADIT_IDENTIFY_MAX_ADDRS];
    struct adit_identify_piece protocols[ADIT_IDENTIFY_MAX_PROTOCOLS];
};

/* What a peer said.  Slices live until the machine's _fini. */
struct adit_identify_result {
    struct adit_slice agent; /* text, as sent: no NUL, unchecked */
    struct adit_slice version;
    /*
     * Our address as the peer sees it, without a trailing /p2p; n = 0: none.
     * Not checked further: it may be malformed, or have no IP (rust over a
     * circuit).
     */
    struct adit_slice observed;
    size_t n_protocols;
    struct adit_slice protocols[ADIT_IDENTIFY_MAX_PROTOCOLS];
    /* Of the signed record if it is good, else as listed.  Unchecked. */
    size_t n_addrs;
    struct adit_slice addrs[ADIT_IDENTIFY_MAX_ADDRS];
    bool is_certified;    /* addrs come from a record the peer signed */
    uint64_t record_seq;  /* if is_certified */
    bool key_is_wrong;    /* a key that is not the peer's: count it */
    bool record_is_wrong; /* a record that is not: ignored, count it */
    bool is_cut;          /* something was beyond our bounds, left out */
};

/*
 * `peer` is who sits at the other end, as its handshake proved; `mem` is
 * borrowed for the machine's life.
 */
void adit_identify_init(struct adit_identify *m, struct adit_mem *mem,
                        const struct adit_peerid *peer);

/* Fine on a zeroed one. */
void adit_identify_fini(struct adit_identify *m);

/*
 * Take all of `in`, unless it fails.
 *
 *   ADIT_OK      *used were taken
 *   ADIT_EPROTO  malformed, too long, or too many messages
 *   ADIT_ENOMEM  out of memory, or over a quota
 *
 * _why tells which.  A failed machine stays failed.
 */
ADIT_MUST_USE adit_err adit_identify_feed(struct adit_identify *m,
                                          struct adit_slice in, size_t *used);

/*
 * The peer closed its side: that is the end of what it says.
 *
 *   ADIT_OK      see _next
 *   ADIT_EPROTO  inside a message, or before the first
 */
ADIT_MUST_USE adit_err adit_identify_eof(struct adit_identify *m);

/*
 * After _eof: fill *r, and ADIT_OK, once.  ADIT_AGAIN before and after.  *r
 * is some 2.5 KiB.
 */
ADIT_MUST_USE adit_err adit_identify_next(struct adit_identify *m,
                                          struct adit_identify_result *r);

/* Does it list this protocol?  A relay is who lists the hop protocol. */
bool adit_identify_has(const struct adit_identify_result *r,
                       const char *protocol);

/* Why it failed; static.  NULL if it did not. */
const char *adit_identify_why(const struct adit_identify *m);

#endif
