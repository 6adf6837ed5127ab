/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * stop_cli: the relay's side of one stop stream: announce a circuit to its
 * destination.
 *
 * Sends one CONNECT, reads one STATUS.  Bytes behind that STATUS are never
 * taken: they are the circuit's.
 *
 * No deadline of its own: its driver has one.
 * Follows circuit relay v2, "Stop protocol".
 */
#ifndef ADIT_WIRE_CIRCUIT_STOP_CLI_H
#define ADIT_WIRE_CIRCUIT_STOP_CLI_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/peerid.h"
#include "wire/circuit/io.h"
#include "wire/circuit/status.h"

enum adit_stop_cli_event_type {
    ADIT_STOP_CLI_ACCEPTED, /* the stream is raw from here on */
    ADIT_STOP_CLI_REFUSED,  /* close the stream */
};

struct adit_stop_cli_event {
    enum adit_stop_cli_event_type type;
    /* REFUSED: as sent, known to us or not; 0: the peer gave none. */
    uint32_t status;
};

struct adit_stop_cli {
    struct adit_circuit_io io;
    uint8_t state;
    bool event; /* one waits in _next */
    adit_err err;
    const char *why;
    uint32_t status;
};

/*
 * CONNECT waits in _out at once.  `mem` is borrowed for its life; `src` and
 * `limit` are copied.
 */
void adit_stop_cli_init(struct adit_stop_cli *m, struct adit_mem *mem,
                        const struct adit_peerid *src,
                        const struct adit_circuit_limit *limit);

/* Fine on a zeroed one. */
void adit_stop_cli_fini(struct adit_stop_cli *m);

/*
 * Take a prefix of `in`, up to the end of the answer and not one further.
 *
 *   ADIT_OK      *used were taken; see _next
 *   ADIT_EPROTO  malformed, too long, or not a STATUS
 *   ADIT_ENOMEM  out of memory, or over a quota
 *
 * _why tells which.  A failed machine stays failed.
 */
ADIT_MUST_USE adit_err adit_stop_cli_feed(struct adit_stop_cli *m,
                                          struct adit_slice in, size_t *used);

/* The peer will send no more.  ADIT_EPROTO: it had not answered. */
ADIT_MUST_USE adit_err adit_stop_cli_eof(struct adit_stop_cli *m);

/* The one event, or ADIT_AGAIN. */
ADIT_MUST_USE adit_err adit_stop_cli_next(struct adit_stop_cli *m,
                                          struct adit_stop_cli_event *ev);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_stop_cli_out(const struct adit_stop_cli *m);
void adit_stop_cli_sent(struct adit_stop_cli *m, size_t n);

/* Why it failed; static.  NULL if it did not. */
const char *adit_stop_cli_why(const struct adit_stop_cli *m);

#endif
