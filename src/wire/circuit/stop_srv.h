/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * stop_srv: the destination's side of one stop stream: a relay announces a
 * circuit from some peer.
 *
 * Reads one CONNECT, asks, and sends one STATUS.  Until the verdict nothing
 * is taken from the stream; bytes behind CONNECT are never taken: they are
 * the circuit's.  The source's id is the relay's claim only: the security
 * handshake inside the circuit proves it.
 *
 * No deadline of its own: its driver has one.
 * Follows circuit relay v2, "Stop protocol".
 */
#ifndef ADIT_WIRE_CIRCUIT_STOP_SRV_H
#define ADIT_WIRE_CIRCUIT_STOP_SRV_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/peerid.h"
#include "wire/circuit/io.h"
#include "wire/circuit/status.h"

enum adit_stop_srv_event_type {
    /* Answer by _accept or _refuse. */
    ADIT_STOP_SRV_INCOMING,
    /* Refused by the machine itself; `status` and `why` tell.  DONE follows. */
    ADIT_STOP_SRV_REFUSED,
    /* OK has left: the stream is raw from here on. */
    ADIT_STOP_SRV_RELAY,
    /* Any other answer has left: close the stream. */
    ADIT_STOP_SRV_DONE,
};

struct adit_stop_srv_event {
    enum adit_stop_srv_event_type type;
    struct adit_peerid src;          /* INCOMING; a claim */
    struct adit_circuit_limit limit; /* INCOMING; see adit_circuit_limit_s */
    enum adit_circuit_status status; /* REFUSED */
    const char *why;                 /* REFUSED; static */
};

struct adit_stop_srv {
    struct adit_circuit_io io;
    uint8_t state;
    uint8_t events; /* bits: what _next still has to say */
    bool accepted;
    adit_err err; /* a failed machine stays failed */
    enum adit_circuit_status status;
    const char *why;
    struct adit_circuit_limit limit;
    struct adit_peerid src;
};

/* `mem` is borrowed for its life. */
void adit_stop_srv_init(struct adit_stop_srv *m, struct adit_mem *mem);

/* Fine on a zeroed one. */
void adit_stop_srv_fini(struct adit_stop_srv *m);

/*
 * Take a prefix of `in`, up to the end of CONNECT; nothing while asked, and
 * nothing after.
 *
 *   ADIT_OK      *used were taken; see _next and _out
 *   ADIT_ENOMEM  out of memory, or over a quota: reset the stream
 *
 * What the peer does wrong is not an error here but REFUSED; what could not be
 * read as a message is taken.
 */
ADIT_MUST_USE adit_err adit_stop_srv_feed(struct adit_stop_srv *m,
                                          struct adit_slice in, size_t *used);

/*
 * The relay will send no more.  ADIT_OK: its CONNECT had arrived, nothing
 * changes.  ADIT_EPROTO: it had not; close the stream.
 */
ADIT_MUST_USE adit_err adit_stop_srv_eof(struct adit_stop_srv *m);

/* The next event, or ADIT_AGAIN. */
ADIT_MUST_USE adit_err adit_stop_srv_next(struct adit_stop_srv *m,
                                          struct adit_stop_srv_event *ev);

/* Take the circuit.  ADIT_ESTATE: nothing was asked, or it is answered. */
ADIT_MUST_USE adit_err adit_stop_srv_accept(struct adit_stop_srv *m);

/* As adit_hop_srv_refuse. */
ADIT_MUST_USE adit_err adit_stop_srv_refuse(struct adit_stop_srv *m,
                                            enum adit_circuit_status status);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_stop_srv_out(const struct adit_stop_srv *m);
void adit_stop_srv_sent(struct adit_stop_srv *m, size_t n);

#endif
