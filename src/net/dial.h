/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * dial: one TCP connection out of several addresses, whichever comes first.
 *
 * Names are resolved (/dns, /dns4, /dns6, /dnsaddr by TXT), what cannot be
 * dialled is left out with a reason, IPv6 and IPv4 take turns a quarter of a
 * second apart, and the first that connects wins.  Every address that was
 * tried ends in a row that says how it went.
 * Follows RFC 8305, and the libp2p specification of /dnsaddr.
 * Thread: the worker's own; not on one that is run by hand.
 */
#ifndef ADIT_NET_DIAL_H
#define ADIT_NET_DIAL_H

#include "codec/maddr.h"
#include "loop/resolve.h"
#include "loop/worker.h"
#include "net/pipe.h"

/* RFC 8305, section 5: the recommended Connection Attempt Delay. */
#define ADIT_DIAL_STAGGER_US (250 * ADIT_MS)
/* RFC 8305, section 3: how long IPv4 waits for the answer about IPv6. */
#define ADIT_DIAL_RESOLUTION_DELAY_US (50 * ADIT_MS)

/* Rows of one dial: what was given and what names led to. */
#define ADIT_DIAL_MAX_ROWS 32
/* /dnsaddr may name a /dnsaddr; the specification asks for a bound. */
#define ADIT_DIAL_MAX_DEPTH 4
/* Addresses taken from one /dnsaddr. */
#define ADIT_DIAL_MAX_FROM_NAME 16

struct adit_dial;

/* How one address went. */
struct adit_dial_row {
    struct adit_maddr addr; /* with the name replaced, where it had one */
    adit_err err;    /* ADIT_OK: it won, or it is a name that resolved */
    const char *why; /* static, half a sentence; "" for ADIT_OK */
    int64_t took_us; /* 0: was not tried */
};

/* Borrowed for the call, but for `pipe`. */
struct adit_dial_result {
    /*
     * ADIT_OK            `pipe` is yours, `addr` is where it leads
     * ADIT_EUNREACHABLE  nothing answered at any of them
     * ADIT_ERESOLVE      no name led to an address
     * ADIT_EUNSUPPORTED  none of them is TCP
     * ADIT_ETIMEDOUT     the deadline came first
     * ADIT_ENOMEM
     */
    adit_err err;
    struct adit_pipe *pipe;
    const struct adit_maddr *addr; /* NULL unless ADIT_OK */
    const struct adit_dial_row *rows;
    size_t n_rows;
};

/* The end of a dial, after which it is gone.  Never inside _start. */
typedef void adit_dial_fn(void *ctx, const struct adit_dial_result *r);

struct adit_dial_config {
    const struct adit_maddr *addrs; /* best first; copied */
    size_t n;                       /* more than the rows hold: left out */
    struct adit_instant deadline;
    /* Where our listeners are, so that we leave from their port, which is
     * the one a NAT keeps open; none: any port. */
    struct adit_endpoint bind4, bind6;
    struct adit_resolver *resolver; /* borrowed; NULL: names fail */
};

/* ADIT_ENOMEM; ADIT_EINVAL: no addresses; ADIT_ESTATE: kind HAND. */
ADIT_MUST_USE adit_err adit_dial_start(struct adit_worker *w,
                                       const struct adit_dial_config *cfg,
                                       adit_dial_fn *fn, void *ctx,
                                       struct adit_dial **out);

/* Its `fn` will not be called.  Not after it was; NULL is fine. */
void adit_dial_cancel(struct adit_dial *d);

#endif
