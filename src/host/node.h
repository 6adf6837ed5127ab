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
#include "net/bound.h"
#include "policy/caps.h"

#define ADIT_NODE_MAX_CLASSES 12
#define ADIT_CLASS_NAME_BYTES 32

/* The words of ledger.backend. */
enum adit_ledger_kind {
    ADIT_LEDGER_NONE,
    ADIT_LEDGER_SQLITE,
    ADIT_LEDGER_REDIS
};

/* A class of peers, as configured; adit_class_options describes it. */
struct adit_class_config {
    char name[ADIT_CLASS_NAME_BYTES];
    /* Bit i: row i was set; what was not is as the node's options say. */
    uint64_t set;
    char peers[ADIT_OPT_TEXT_BYTES], peers_file[ADIT_OPT_TEXT_BYTES];
    char subnets[ADIT_OPT_TEXT_BYTES], asns[ADIT_OPT_TEXT_BYTES];
    bool may_reserve;
    int64_t rsvp_ttl_us;
    uint64_t rsvp_max;
    uint64_t circuits_in, circuits_out, circuits;
    int64_t circuit_us;
    uint64_t circuit_bytes;
    uint64_t rate_circuit, rate_peer; /* bytes a second */
    uint64_t rsvps_per_hour, circuits_per_hour;
    uint64_t day_bytes, month_bytes;
    char over_quota[ADIT_OPT_TEXT_BYTES];
    char may_dial[ADIT_OPT_TEXT_BYTES], dialled_by[ADIT_OPT_TEXT_BYTES];
    bool announce_limit;
};

/* The options of a node; the rows of adit_node_options describe them. */
struct adit_node_config {
    char listen_tcp[ADIT_OPT_TEXT_BYTES];         /* LIST of multiaddrs */
    char proxy_from[ADIT_OPT_TEXT_BYTES];         /* LIST of subnets */
    char announce_addresses[ADIT_OPT_TEXT_BYTES]; /* LIST of multiaddrs */
    bool announce_private;
    bool relay_enabled;
    uint64_t caps[ADIT_N_CAP_THINGS][ADIT_N_CAP_SCOPES];
    int64_t rsvp_ttl_us, rsvp_grace_us;
    uint64_t circuit_bytes; /* each way; 0: no limit */
    int64_t circuit_us;     /* 0: no limit */
    uint64_t circuits_per_peer;
    bool circuit_wider; /* of two classes the wider limits hold */
    uint64_t rsvps_per_hour, rsvps_per_hour_ip;
    uint64_t circuits_per_hour, circuits_per_hour_ip;
    uint64_t rate_node, rate_peer, rate_circuit; /* bytes a second; 0: none */
    char allow_file[ADIT_OPT_TEXT_BYTES], deny_file[ADIT_OPT_TEXT_BYTES];
    char asn_file[ADIT_OPT_TEXT_BYTES];
    char admission_url[ADIT_OPT_TEXT_BYTES];
    char admission_token_file[ADIT_OPT_TEXT_BYTES];
    int64_t admission_timeout_us, admission_cache_us;
    uint64_t ledger_backend; /* enum adit_ledger_kind */
    char ledger_file[ADIT_OPT_TEXT_BYTES];
    char ledger_redis[ADIT_OPT_TEXT_BYTES];
    char ledger_redis_password_file[ADIT_OPT_TEXT_BYTES];
    char ledger_redis_prefix[ADIT_OPT_TEXT_BYTES];
    int64_t ledger_flush_us, ledger_keep_circuits_us, ledger_keep_days_us;
    int64_t ledger_keep_months_us;
    int64_t drain_deadline_us, drain_every_us;
    uint64_t drain_group, drain_threshold;
    uint64_t log_addresses; /* enum adit_addr_shown */
    int64_t handshake_us, idle_us, stall_us, partial_us, keepalive_us;
    uint64_t buffer_bytes;
    bool coalesce;
    uint64_t streams_per_conn;
    uint64_t window_max_bytes;
    bool early_muxer;
    char agent[ADIT_OPT_TEXT_BYTES];
    struct adit_class_config classes[ADIT_NODE_MAX_CLASSES];
    size_t n_classes;
    /* Not an option: bound sockets for listen.tcp, see net/bound.h. */
    int sockets[ADIT_BOUND_MAX];
    size_t n_sockets;
};

/* The rows, static: a node's own, and those of a class, whose names here are
 * without "class.NAME.". */
extern const struct adit_opt_table adit_node_options;
extern const struct adit_opt_table adit_class_options;

/* All defaults, and the classes anonymous, listed and unlimited. */
void adit_node_config_init(struct adit_node_config *cfg);

/*
 * Set an option by name, "class.NAME.key" included; a new NAME makes a class.
 * ADIT_EINVAL, `why` says what was wrong.
 */
ADIT_MUST_USE adit_err adit_node_config_set(struct adit_node_config *cfg,
                                            const char *name,
                                            const char *value,
                                            char why[ADIT_OPT_WHY_BYTES]);

/*
 * As text that _set takes, as adit_opt_get; what a class was not told is ""
 * (or the value that then holds, with `resolved`).  0 also for an unknown
 * name.
 */
size_t adit_node_config_get(const struct adit_node_config *cfg,
                            const char *name, bool resolved, char *out,
                            size_t cap);

/*
 * The i-th option that this configuration has, those of its classes behind
 * the others: its row, and its name into `name`.  NULL: there are no more.
 */
#define ADIT_OPT_NAME_BYTES 96
const struct adit_opt_row *adit_node_config_at(
    const struct adit_node_config *cfg, size_t i,
    char name[ADIT_OPT_NAME_BYTES]);

/* A class with what the node says where it says nothing itself. */
void adit_class_config_resolve(const struct adit_node_config *cfg,
                               const struct adit_class_config *in,
                               struct adit_class_config *out);

struct adit_node;
struct adit_rules;

#define ADIT_NODE_WHY_BYTES 256

/*
 * Check options that must go together, and the addresses in them.
 * ADIT_EINVAL: `why` says what.
 */
ADIT_MUST_USE adit_err adit_node_check(const struct adit_node_config *cfg,
                                       char why[ADIT_NODE_WHY_BYTES]);

/*
 * Make it and bind its listeners.  `cfg` is copied; `identity`, `metrics` and
 * the worker must outlive it.  The configuration's sockets are closed if it
 * succeeds (the listeners have their own duplicates), and left open if not.
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

/*
 * Change the options that may change while it runs, by a configuration that
 * _check took, and rules made from it (NULL: it is no relay).  All or
 * nothing: ADIT_ENOMEM, ADIT_ESTATE (it is closed); `rules` is still the
 * caller's then.
 */
ADIT_MUST_USE adit_err adit_node_change(struct adit_node *n,
                                        const struct adit_node_config *cfg,
                                        struct adit_rules *rules);

/* Ends everything; a turn later, _destroy.  Twice is fine. */
void adit_node_close(struct adit_node *n);
void adit_node_destroy(struct adit_node *n);

struct adit_host *adit_node_host(struct adit_node *n);
/* NULL: it is no relay. */
struct adit_relay *adit_node_relay(struct adit_node *n);

/* The options that hold now.  Borrowed. */
const struct adit_node_config *adit_node_cfg(const struct adit_node *n);

/* Where it listens, as bound, /p2p not included.  Borrowed. */
const struct adit_maddr *adit_node_listens(const struct adit_node *n,
                                           size_t *count);

/* What is announced changed: a reservation came or went. */
void adit_node_set_circuit_addrs(struct adit_node *n,
                                 const struct adit_maddr *v, size_t count);

#endif
