/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * net: what all connections of one worker share.
 *
 * Deadlines, keys, the worker's cipher contexts, and the order in which
 * memory is taken back when the chunk pool is full.  Thread: the worker's.
 */
#ifndef ADIT_NET_NET_H
#define ADIT_NET_NET_H

#include "loop/worker.h"
#include "metrics/metrics.h"
#include "wire/noise/noise.h"
#include "wire/yamux/yamux.h"

struct adit_net_config {
    const struct adit_identity *identity; /* borrowed */
    struct adit_metrics *metrics;         /* borrowed */
    bool early_muxer;                     /* offer stream_muxers in Noise */
    int64_t handshake_us;                 /* whole upgrade, both sides */
    int64_t partial_us;                   /* for the rest of a Noise frame */
    int64_t stall_us;                     /* output that does not move */
    struct adit_yamux_config mux;         /* is_client is set per conn */
};

struct adit_net {
    struct adit_worker *w;
    struct adit_net_config cfg;
    struct adit_aead *aead;
    struct adit_noise_static statik;
    struct adit_list partials; /* conns with part of a frame, oldest first */
    struct adit_list stalled;  /* conns whose output does not move, likewise */
    /*
     * The pool is full: free what waits for the circuit that has stalled
     * longest.  Frees memory at once, but streams and connections only at
     * the end of the turn.  False: no circuit is stalled.  Set by the host,
     * both or none.
     */
    bool (*relieve)(void *ctx);
    /* Since when that one waits; ADIT_NEVER: there is none. */
    struct adit_instant (*waits_since)(void *ctx);
    void *relieve_ctx;
};

/* ADIT_ENOMEM, ADIT_EINVAL (no X25519 or no cipher). */
ADIT_MUST_USE adit_err adit_net_init(struct adit_net *n, struct adit_worker *w,
                                     const struct adit_net_config *cfg);
/* Every connection must be gone. */
void adit_net_fini(struct adit_net *n);

#endif
