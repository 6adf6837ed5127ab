/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hop_cli: the client's side of one hop stream: reserve on a relay, or be
 * connected to a peer through it.
 *
 * Sends one request, reads one STATUS.  Bytes behind that STATUS are never
 * taken: they are the circuit's.  Tolerant where relays differ: a voucher
 * may be absent, the address list empty, a status unknown.
 *
 * No deadline of its own: its driver has one.  No clock: whether `expire`
 * lies in the future is for the driver to see.
 * Follows circuit relay v2, "Hop protocol".
 */
#ifndef ADIT_WIRE_CIRCUIT_HOP_CLI_H
#define ADIT_WIRE_CIRCUIT_HOP_CLI_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/peerid.h"
#include "wire/circuit/io.h"
#include "wire/circuit/status.h"

/* A stock relay sends one to ten. */
#define ADIT_HOP_CLI_MAX_ADDRS 32

enum adit_hop_cli_event_type {
    ADIT_HOP_CLI_RESERVED,  /* close the stream */
    ADIT_HOP_CLI_CONNECTED, /* the stream is raw from here on */
    ADIT_HOP_CLI_REFUSED,   /* close the stream */
};

struct adit_hop_cli_event {
    enum adit_hop_cli_event_type type;
    /* REFUSED: as sent, known to us or not; 0: the relay gave none. */
    uint32_t status;
    /* RESERVED and CONNECTED; see adit_circuit_limit_s. */
    struct adit_circuit_limit limit;
    /* RESERVED.  Slices live until _fini. */
    int64_t expire_unix_s;
    struct adit_slice voucher; /* verified; n = 0: the relay sent none */
    size_t n_addrs;            /* 0: build one from the relay's own address */
    struct adit_slice addrs[ADIT_HOP_CLI_MAX_ADDRS]; /* binary, unchecked */
};

struct adit_hop_cli {
    struct adit_circuit_io io;
    struct adit_peerid self;
    uint8_t state;
    uint8_t kind; /* what was asked for */
    bool event;   /* one waits in _next */
    adit_err err;
    const char *why;
    uint32_t status;
    struct adit_circuit_limit limit;
    int64_t expire_unix_s;
    uint8_t *store; /* voucher and addresses, one behind the other */
    size_t store_bytes;
    uint16_t voucher_bytes;
    uint16_t n_addrs;
    uint16_t addr_bytes[ADIT_HOP_CLI_MAX_ADDRS];
};

/*
 * `mem` is borrowed for its life; `self` is our own id, which a voucher must
 * name.
 */
void adit_hop_cli_init(struct adit_hop_cli *m, struct adit_mem *mem,
                       const struct adit_peerid *self);

/* Fine on a zeroed one. */
void adit_hop_cli_fini(struct adit_hop_cli *m);

/*
 * Ask, once: for a reservation, or for a circuit.  ADIT_ESTATE: twice;
 * ADIT_EINVAL: `dst` is nobody.
 */
ADIT_MUST_USE adit_err adit_hop_cli_reserve(struct adit_hop_cli *m);
ADIT_MUST_USE adit_err adit_hop_cli_connect(struct adit_hop_cli *m,
                                            const struct adit_peerid *dst);

/*
 * Take a prefix of `in`, up to the end of the answer and not one further.
 *
 *   ADIT_OK      *used were taken; see _next
 *   ADIT_EPROTO  malformed, too long, not a STATUS, or without reservation
 *   ADIT_EAUTH   a voucher that is not for us, or not signed by its relay
 *   ADIT_ENOMEM  out of memory, or over a quota
 *
 * _why tells which.  A failed machine stays failed.
 */
ADIT_MUST_USE adit_err adit_hop_cli_feed(struct adit_hop_cli *m,
                                         struct adit_slice in, size_t *used);

/* The relay will send no more.  ADIT_EPROTO: it had not answered. */
ADIT_MUST_USE adit_err adit_hop_cli_eof(struct adit_hop_cli *m);

/* The one event, or ADIT_AGAIN. */
ADIT_MUST_USE adit_err adit_hop_cli_next(struct adit_hop_cli *m,
                                         struct adit_hop_cli_event *ev);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_hop_cli_out(const struct adit_hop_cli *m);
void adit_hop_cli_sent(struct adit_hop_cli *m, size_t n);

/* Why it failed; static.  NULL if it did not. */
const char *adit_hop_cli_why(const struct adit_hop_cli *m);

#endif
