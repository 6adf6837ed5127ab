/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hop_srv: the relay's side of one hop stream: a peer asks to reserve, or to
 * be connected to another.
 *
 * Reads one request, asks, and sends one STATUS.  What may be done is decided
 * elsewhere, and may be decided many turns later: until then nothing is
 * taken from the stream.  What cannot be understood is answered here, by
 * MALFORMED_MESSAGE or UNEXPECTED_MESSAGE.  Bytes behind the request are
 * never taken: after an OK to CONNECT they are the circuit's.
 *
 * No deadline of its own: its driver has one for the whole negotiation.
 * Holds what has arrived of one message, and one answer, each at most
 * ADIT_CIRCUIT_MAX_MSG_BYTES and freed when it is through.
 * Follows circuit relay v2, "Hop protocol".
 */
#ifndef ADIT_WIRE_CIRCUIT_HOP_SRV_H
#define ADIT_WIRE_CIRCUIT_HOP_SRV_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/peerid.h"
#include "wire/circuit/io.h"
#include "wire/circuit/status.h"

enum adit_hop_srv_event_type {
    /* Answer by _reserve_ok or _refuse. */
    ADIT_HOP_SRV_ASK_RESERVE,
    /* Answer by _connect_ok, after the STOP handshake, or by _refuse. */
    ADIT_HOP_SRV_ASK_CONNECT,
    /* Refused by the machine itself; `status` and `why` tell.  DONE follows. */
    ADIT_HOP_SRV_REFUSED,
    /* OK to CONNECT has left: the stream is raw from here on. */
    ADIT_HOP_SRV_RELAY,
    /* Any other answer has left: close the stream. */
    ADIT_HOP_SRV_DONE,
};

struct adit_hop_srv_event {
    enum adit_hop_srv_event_type type;
    struct adit_peerid dst;          /* ASK_CONNECT */
    enum adit_circuit_status status; /* REFUSED */
    bool is_connect;                 /* REFUSED: it read as a CONNECT */
    const char *why;                 /* REFUSED; static */
};

struct adit_hop_srv {
    struct adit_circuit_io io;
    uint8_t state;
    uint8_t events; /* bits: what _next still has to say */
    bool ok_to_connect, is_connect;
    adit_err err; /* a failed machine stays failed */
    enum adit_circuit_status status;
    const char *why;
    struct adit_peerid dst;
};

/* `mem` is borrowed for its life. */
void adit_hop_srv_init(struct adit_hop_srv *m, struct adit_mem *mem);

/* Fine on a zeroed one. */
void adit_hop_srv_fini(struct adit_hop_srv *m);

/*
 * Take a prefix of `in`, up to the end of the request; nothing while asked,
 * and nothing after.
 *
 *   ADIT_OK      *used were taken; see _next and _out
 *   ADIT_ENOMEM  out of memory, or over a quota: reset the stream
 *
 * What the peer does wrong is not an error here but REFUSED; what could not be
 * read as a message is taken.
 */
ADIT_MUST_USE adit_err adit_hop_srv_feed(struct adit_hop_srv *m,
                                         struct adit_slice in, size_t *used);

/*
 * The peer will send no more.
 *
 *   ADIT_OK      its request had arrived: nothing changes (rust closes its
 *                side right behind RESERVE)
 *   ADIT_EPROTO  there was no whole request; close the stream
 */
ADIT_MUST_USE adit_err adit_hop_srv_eof(struct adit_hop_srv *m);

/* The next event, or ADIT_AGAIN. */
ADIT_MUST_USE adit_err adit_hop_srv_next(struct adit_hop_srv *m,
                                         struct adit_hop_srv_event *ev);

/* A reservation as it is granted. */
struct adit_hop_srv_reservation {
    int64_t expire_unix_s;
    const struct adit_slice *addrs; /* binary, ending in /p2p/<relay> */
    size_t n_addrs;                 /* at least 1; those that do not fit into
                                       the message are left out, last first */
    struct adit_slice voucher;      /* an envelope; n = 0: none */
    struct adit_circuit_limit limit;
};

/*
 * Grant ASK_RESERVE; all is copied.
 *
 *   ADIT_OK      see _out
 *   ADIT_EINVAL  no address, or not even one fits; the question stands
 *   ADIT_ESTATE  that was not asked, or is answered
 *   ADIT_ENOMEM  the question stands: _refuse still works
 */
ADIT_MUST_USE adit_err adit_hop_srv_reserve_ok(
    struct adit_hop_srv *m, const struct adit_hop_srv_reservation *r);

/* Grant ASK_CONNECT.  Answers as _reserve_ok; needs no memory. */
ADIT_MUST_USE adit_err adit_hop_srv_connect_ok(
    struct adit_hop_srv *m, const struct adit_circuit_limit *limit);

/*
 * Refuse either question.  ADIT_EINVAL: `status` is OK or none of ours;
 * ADIT_ESTATE: nothing was asked, or it is answered.  Needs no memory.
 */
ADIT_MUST_USE adit_err adit_hop_srv_refuse(struct adit_hop_srv *m,
                                           enum adit_circuit_status status);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_hop_srv_out(const struct adit_hop_srv *m);
void adit_hop_srv_sent(struct adit_hop_srv *m, size_t n);

#endif
