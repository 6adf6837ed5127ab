/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * node: a host put together from options: services, listeners, relay,
 * reservations, resolver and dialer, on one worker.
 *
 * Knows nothing of the public API; embed is a door in front of it.
 * Thread: the worker's.
 */
#ifndef ADIT_HOST_NODE_H
#define ADIT_HOST_NODE_H

#include "base/opt.h"
#include "host/connect.h"
#include "host/host.h"
#include "host/relay.h"
#include "host/reserve.h"

/* The options of a node; the rows of adit_node_options describe them. */
struct adit_node_config {
    char listen_tcp[ADIT_OPT_TEXT_BYTES];         /* LIST of multiaddrs */
    char announce_addresses[ADIT_OPT_TEXT_BYTES]; /* LIST of multiaddrs */
    bool announce_private;
    bool relay_enabled;
    uint64_t rsvp_total, rsvp_per_ip;
    int64_t rsvp_ttl_us, rsvp_grace_us;
    uint64_t circuit_bytes; /* each way; 0: no limit */
    int64_t circuit_us;     /* 0: no limit */
    uint64_t circuits_total, circuits_per_peer;
    uint64_t conns_total, conns_per_ip;
    uint64_t handshakes_total, handshakes_per_ip;
    int64_t handshake_us, idle_us, stall_us, partial_us, keepalive_us;
    uint64_t buffer_bytes;
    bool coalesce;
    uint64_t streams_per_conn;
    uint64_t window_max_bytes;
    bool early_muxer;
    char agent[ADIT_OPT_TEXT_BYTES];
};

/* Its rows; static. */
extern const struct adit_opt_table adit_node_options;

struct adit_node;

#define ADIT_NODE_WHY_BYTES 256

/*
 * Check options that must go together, and the addresses in them.
 * ADIT_EINVAL: `why` says what.
 */
ADIT_MUST_USE adit_err adit_node_check(const struct adit_node_config *cfg,
                                       char why[ADIT_NODE_WHY_BYTES]);

/*
 * Make it and bind its listeners.  `cfg` is copied; `identity`, `metrics` and
 * the worker must outlive it.
 *
 *   ADIT_EINVAL ADIT_EFULL ADIT_EDENIED ADIT_EUNREACHABLE ADIT_ENOMEM
 *   ADIT_EIO     `why` says what and where
 */
ADIT_MUST_USE adit_err adit_node_make(struct adit_worker *w,
                                      const struct adit_node_config *cfg,
                                      const struct adit_identity *identity,
                                      struct adit_metrics *metrics,
                                      const struct adit_dialer *dialer,
                                      struct adit_node **out,
                                      char why[ADIT_NODE_WHY_BYTES]);

/* Ends everything; a turn later, _destroy.  Twice is fine. */
void adit_node_close(struct adit_node *n);
void adit_node_destroy(struct adit_node *n);

struct adit_host *adit_node_host(struct adit_node *n);
/* NULL: it is no relay. */
struct adit_relay *adit_node_relay(struct adit_node *n);

/* Where it listens, as bound, /p2p not included.  Borrowed. */
const struct adit_maddr *adit_node_listens(const struct adit_node *n,
                                           size_t *count);

/* What is announced changed: a reservation came or went. */
void adit_node_set_circuit_addrs(struct adit_node *n,
                                 const struct adit_maddr *v, size_t count);

#endif
