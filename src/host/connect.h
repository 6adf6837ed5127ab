/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * connect: get a connection to a peer, directly or through a relay.
 *
 * What is open already is used.  Direct addresses get a head start; circuit
 * addresses are tried in order, each by a connection to its relay (used
 * again if there is one).  Callers that want the same peer by the same
 * addresses share one attempt.  Thread: one worker.
 */
#ifndef ADIT_HOST_CONNECT_H
#define ADIT_HOST_CONNECT_H

#include "host/dialer.h"
#include "host/host.h"

/* Addresses of one attempt; more are left out. */
#define ADIT_CONNECT_MAX_ADDRS 16

enum adit_connect_mode {
    ADIT_CONNECT_ANY,    /* a relayed path will do, at once */
    ADIT_CONNECT_WAIT,   /* it will do after wait_us without a direct one */
    ADIT_CONNECT_DIRECT, /* it will not do */
};

struct adit_connect_config {
    struct adit_peerid peer;        /* n = 0: whoever answers; direct only */
    const struct adit_maddr *addrs; /* copied */
    size_t n;
    enum adit_connect_mode mode;
    int64_t wait_us;
    int64_t timeout_us; /* of it all */
};

struct adit_connect;

/* How it ended: `hc` with ADIT_OK; else why, in a static half-sentence. */
typedef void adit_connect_fn(void *ctx, adit_err e, struct adit_hconn *hc,
                             const char *why);

/*
 * `fn` is called once, never inside this call, and `out` is gone with it.
 *
 *   ADIT_EINVAL  no address at all, or none that fits the mode
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err
adit_connect_start(struct adit_host *h, const struct adit_connect_config *cfg,
                   adit_connect_fn *fn, void *ctx, struct adit_connect **out);

/* `fn` will not be called.  NULL is fine. */
void adit_connect_cancel(struct adit_connect *c);

#endif
