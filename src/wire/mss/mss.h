/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * mss: multistream-select 1.0, both sides, as one machine.
 *
 * Tokens are read from a byte stream, never "one read, one message"; bytes
 * behind the agreement are not taken and belong to the next layer.  As
 * dialer, header and first proposal leave together, and the caller may send
 * the next layer's first bytes right behind them (lazy, 0-RTT): they are
 * lost only if the listener answers `na`.  As listener the header waits in
 * _out from the start; its driver sends it at once, or with its answer.
 * `ls` and anything unknown is answered `na`.
 *
 * No deadline of its own: its driver has one for the whole negotiation.
 * Bounds: a token is at most 1024 bytes with its newline (go and js cap
 * there); after MAX_REFUSALS proposals a listener gives up.
 * Follows the specification connections/README and multistream-select 1.0.
 */
#ifndef ADIT_WIRE_MSS_MSS_H
#define ADIT_WIRE_MSS_MSS_H

#include "base/err.h"
#include "base/slice.h"

/* With the newline: MAX_PROTOCOL_LENGTH of js, and go's reader. */
#define ADIT_MSS_MAX_TOKEN_BYTES 1024

/* Arbitrary; a stock peer offers two to five. */
#define ADIT_MSS_MAX_REFUSALS 64

enum adit_mss_role { ADIT_MSS_DIALER, ADIT_MSS_LISTENER };

enum adit_mss_event_type {
    ADIT_MSS_PROPOSED, /* listener: answer by _accept or _refuse */
    ADIT_MSS_AGREED,   /* over; unconsumed input is the next layer's */
    ADIT_MSS_NONE,     /* dialer: every proposal was refused */
};

struct adit_mss_event {
    enum adit_mss_event_type type;
    struct adit_slice name; /* PROPOSED: borrowed until the next call */
    size_t index;           /* AGREED, dialer: which of the proposals */
};

struct adit_mss {
    enum adit_mss_role role;
    uint8_t state;
    uint8_t pending; /* an event waits in _next */
    adit_err err;    /* a failed machine stays failed */
    const char *why;
    const char *const *names; /* dialer: borrowed for its life */
    size_t n_names, at;
    unsigned n_refused;
    size_t have; /* bytes in in[] */
    size_t out_off, out_n;
    uint8_t in[ADIT_MSS_MAX_TOKEN_BYTES + 2];
    uint8_t out[ADIT_MSS_MAX_TOKEN_BYTES + 32];
};

/*
 * `names` are offered in order, and must outlive the machine.  One that is no
 * token (empty, too long, with a newline) makes _feed answer ADIT_EINVAL.
 */
void adit_mss_init_dialer(struct adit_mss *m, const char *const *names,
                          size_t n_names);
void adit_mss_init_listener(struct adit_mss *m);

/*
 * Take what can be taken of `in`: nothing while an event waits or is not
 * answered, while _out is nearly full, or when all is over.
 *
 *   ADIT_OK      *used bytes were taken; see _next, then feed the rest
 *   ADIT_EPROTO  the peer broke the protocol; _why says how
 *   ADIT_EINVAL  from _init_dialer
 */
ADIT_MUST_USE adit_err adit_mss_feed(struct adit_mss *m, struct adit_slice in,
                                     size_t *used);

/* The next event, or ADIT_AGAIN. */
ADIT_MUST_USE adit_err adit_mss_next(struct adit_mss *m,
                                     struct adit_mss_event *ev);

/* The listener's answer to PROPOSED. */
void adit_mss_accept(struct adit_mss *m);
void adit_mss_refuse(struct adit_mss *m);

/* What waits to be sent; borrowed until the next call. */
struct adit_slice adit_mss_out(const struct adit_mss *m);
void adit_mss_sent(struct adit_mss *m, size_t n);

/* Why it failed; static.  NULL if it did not. */
const char *adit_mss_why(const struct adit_mss *m);

#endif
