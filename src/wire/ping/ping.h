/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * ping: 32 bytes there and back, as often as the asking side likes.
 *
 * Two machines.  The answering one echoes each run of 32 bytes and, while an
 * echo waits, takes nothing: a peer that will not read cannot make us hold
 * more than one ping.  The asking one draws the bytes and compares the echo.
 * Neither reads a clock: whoever drives them measures, and gives up.
 * Follows the libp2p specification ping (/ipfs/ping/1.0.0).
 */
#ifndef ADIT_WIRE_PING_PING_H
#define ADIT_WIRE_PING_PING_H

#include "base/err.h"
#include "base/rng.h"
#include "base/slice.h"

#define ADIT_PING_PROTOCOL "/ipfs/ping/1.0.0"

#define ADIT_PING_BYTES 32

/* ---- answering ----------------------------------------------------------- */

struct adit_ping {
    uint8_t buf[ADIT_PING_BYTES];
    size_t have; /* bytes of buf filled by the peer */
    size_t sent; /* bytes of buf already echoed; 0 until have is full */
};

void adit_ping_init(struct adit_ping *p);

/* Take a prefix of `in`; nothing while an echo waits in _out. */
void adit_ping_feed(struct adit_ping *p, struct adit_slice in, size_t *used);

/*
 * Is it between two pings?  The peer may end the stream here; anywhere else
 * it breaks off.
 */
bool adit_ping_is_idle(const struct adit_ping *p);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_ping_out(const struct adit_ping *p);
void adit_ping_sent(struct adit_ping *p, size_t n);

/* ---- asking -------------------------------------------------------------- */

struct adit_pinger {
    uint8_t buf[ADIT_PING_BYTES];
    size_t sent; /* bytes of buf that are out */
    size_t have; /* bytes of buf that came back */
    uint8_t state;
    adit_err err; /* a failed machine stays failed */
    const char *why;
};

void adit_pinger_init(struct adit_pinger *p);

/*
 * Begin a ping.  ADIT_ESTATE: the one before has not been answered, or its
 * answer not been taken by _next; or the machine failed.
 */
ADIT_MUST_USE adit_err adit_pinger_ask(struct adit_pinger *p,
                                       const struct adit_rng *rng);

/*
 * Take what belongs to the ping under way.
 *
 *   ADIT_OK      *used were taken; nothing while an answer waits in _next
 *   ADIT_EPROTO  not what we sent, or nothing was asked; _why says which
 */
ADIT_MUST_USE adit_err adit_pinger_feed(struct adit_pinger *p,
                                        struct adit_slice in, size_t *used);

/*
 * ADIT_OK: the echo is complete, and right.  ADIT_AGAIN: not yet.  Else what
 * _feed answered when it failed.
 */
ADIT_MUST_USE adit_err adit_pinger_next(struct adit_pinger *p);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_pinger_out(const struct adit_pinger *p);
void adit_pinger_sent(struct adit_pinger *p, size_t n);

/* Why it failed; static.  NULL if it did not. */
const char *adit_pinger_why(const struct adit_pinger *p);

#endif
