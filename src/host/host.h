/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * host: one node's share on a worker: its connections by peer, its services,
 * and what it says of itself.
 *
 * Owns every hconn.  How many connections, handshakes and streams somebody
 * may have is decided here (policy/caps.h); what a peer may do with them is a
 * verdict, asked for by the relay (host/relay.h).  Thread: the worker's.
 */
#ifndef ADIT_HOST_HOST_H
#define ADIT_HOST_HOST_H

#include "base/map.h"
#include "codec/maddr.h"
#include "host/hstream.h"
#include "host/pacer.h"
#include "host/refusal.h"
#include "net/conn.h"
#include "net/listener.h"
#include "policy/caps.h"

/* Inbound streams of one connection whose protocol is not agreed yet. */
#define ADIT_HCONN_MAX_NEGOTIATING 64

/* Own addresses that we announce; go stores no more than a message holds. */
#define ADIT_HOST_MAX_ADDRS 16

struct adit_asn;
struct adit_host;
struct adit_hconn;
struct adit_circuit;
struct adit_dialer;
struct adit_resolver;
struct adit_identify_result;

/* A protocol that peers may open streams for. */
struct adit_service {
    struct adit_list link;
    const char *protocol; /* outlives the service */
    bool on_limited;      /* also over a connection that a relay limits */
    bool is_hidden;       /* not listed in identify */
    /* The stream's protocol is agreed: _take it, or _reset it. */
    void (*open)(void *ctx, struct adit_hstream *s);
    void *ctx;
};

/* Everything we know of one peer that is connected. */
struct adit_peer {
    struct adit_map_node node;
    struct adit_peerid id;
    struct adit_list hconns;
};

struct adit_hconn {
    struct adit_host *host;
    uint64_t id; /* never used twice in a host */
    struct adit_conn *conn;
    struct adit_peer *peer; /* NULL before it is proven */
    struct adit_list link;  /* in the host's */
    struct adit_list peer_link;
    struct adit_list streams;
    struct adit_list waiting; /* streams that wait for room to write */
    uint32_t n_streams;
    uint32_t told; /* which `version` of us the peer was told; 0: none */
    uint16_t n_negotiating;
    bool is_inbound;
    bool is_limited;    /* a relay limits it */
    bool is_counted;    /* in the caps, at its place */
    bool in_handshake;  /* counted as one as well */
    bool is_identified; /* the peer told who it is */
    bool has_push;      /* the peer takes identify pushes */
    bool has_hop;       /* the peer is a relay */
    bool is_reserved;   /* it holds a reservation over this connection */
    bool is_over;
    uint8_t n_holds;              /* reservations, circuits...: not idle */
    struct adit_circuit *circuit; /* it runs through a relay; else NULL */
    struct adit_endpoint remote;  /* none through a relay */
    struct adit_place place;      /* of an inbound one; else nowhere */
    void *dialing;                /* who waits for it to be ready */
    struct adit_timer idle;
    struct adit_retiree retiree;
};

/* Whoever watches; entries may be NULL. */
struct adit_host_events {
    void (*on_conn)(void *ctx, struct adit_hconn *hc);
    void (*on_conn_end)(void *ctx, struct adit_hconn *hc, adit_err why,
                        const char *text);
    /* What `hc`'s peer said of itself; borrowed for the call. */
    void (*on_identify)(void *ctx, struct adit_hconn *hc,
                        const struct adit_identify_result *r);
};

/* A watcher; any number of them. */
struct adit_host_watch {
    struct adit_list link;
    const struct adit_host_events *ev;
    void *ctx;
};

struct adit_host_config {
    struct adit_worker *w;
    const struct adit_identity *identity;
    struct adit_metrics *metrics;
    const char *agent;            /* outlives the host */
    struct adit_net_config net;   /* identity and metrics are filled in */
    struct adit_caps_config caps; /* to begin with */
    /*
     * An inbound connection without streams, reservation or circuit is
     * closed after this long; 0: never.
     */
    int64_t idle_us;
    /* Ask peers who they are: a client does, a relay that is told its
     * address need not. */
    bool ask_identify;
    const struct adit_dialer *dialer; /* borrowed; NULL: it dials nobody */
};

struct adit_host {
    struct adit_worker *w;
    struct adit_mem *mem;
    const struct adit_log *log;
    const struct adit_identity *identity;
    struct adit_metrics *metrics;
    struct adit_host_config cfg;
    struct adit_net net;
    struct adit_map peers;
    struct adit_list hconns;
    struct adit_list services;
    struct adit_list watches;
    struct adit_list reserves;         /* relays that we reserve on */
    struct adit_list connects;         /* attempts to reach a peer */
    struct adit_endpoint bind4, bind6; /* where we listen; none: nowhere */
    struct adit_resolver *resolver;    /* borrowed; may be NULL */
    struct adit_list stalled;          /* bridges that wait, longest first */
    struct adit_pacer pacer;           /* and those that wait for a rate */
    struct adit_caps caps;
    const struct adit_asn *asn; /* borrowed; NULL: none is known */
    struct adit_refusal_log refusals;
    struct adit_maddr addrs[ADIT_HOST_MAX_ADDRS]; /* ours, without /p2p */
    size_t n_addrs;
    uint64_t record_seq; /* of the last signed peer record */
    uint32_t version;    /* of what identify says of us, from 1 on */
    size_t record_n;
    uint8_t record[2048];       /* the record itself; 0 bytes: to be made */
    struct adit_task push_task; /* identify changed */
    uint64_t last_id;           /* of a connection */
    bool is_closing;
};

/* ADIT_ENOMEM, ADIT_EINVAL. */
ADIT_MUST_USE adit_err adit_host_new(const struct adit_host_config *cfg,
                                     struct adit_host **out);

/* Ends every connection; call adit_host_free a turn later. */
void adit_host_close(struct adit_host *h);
void adit_host_free(struct adit_host *h);

/* Storage of the service and the watch is the caller's. */
void adit_host_serve(struct adit_host *h, struct adit_service *v);
void adit_host_unserve(struct adit_host *h, struct adit_service *v);
void adit_host_watch(struct adit_host *h, struct adit_host_watch *w);
void adit_host_unwatch(struct adit_host_watch *w);

/*
 * Watchers, one after the other; `mark` begins zeroed and keeps the place,
 * since what a watcher does may take others off or put new ones on.  Call
 * until it answers NULL.
 */
struct adit_host_watch *adit_host_watch_next(struct adit_host *h,
                                             struct adit_host_watch *mark);

/* The service for this name; NULL: none, or not on a limited connection. */
const struct adit_service *adit_host_service(const struct adit_host *h,
                                             struct adit_slice name,
                                             bool is_limited);

/*
 * A pipe that somebody opened to us.  Takes it, or closes it if a cap is
 * reached (counted, and said in the log).
 */
void adit_host_accept(struct adit_host *h, struct adit_pipe *pipe);

/*
 * Make a connection over a pipe: one we dialled, or (`circuit` not NULL,
 * then owned by the connection) one through a relay, either way.  It is
 * nowhere: of its streams the node's cap alone is kept.  on_conn, or
 * on_conn_end, follows.
 * ADIT_ENOMEM: the pipe was closed.
 */
ADIT_MUST_USE adit_err adit_host_adopt(struct adit_host *h,
                                       struct adit_pipe *pipe, bool is_dialer,
                                       const struct adit_peerid *expect,
                                       struct adit_circuit *circuit,
                                       bool is_limited,
                                       struct adit_hconn **out);

/* NULL: not connected. */
struct adit_peer *adit_host_peer(const struct adit_host *h,
                                 const struct adit_peerid *id);

/*
 * A connection to the peer that streams may go over: one that no relay
 * limits if there is one, else (if `or_limited`) any.  NULL: none.
 */
struct adit_hconn *adit_host_conn_to(const struct adit_host *h,
                                     const struct adit_peerid *id,
                                     bool or_limited);

/* A connection to the peer through no relay.  NULL: none. */
struct adit_hconn *adit_host_direct_to(const struct adit_host *h,
                                       const struct adit_peerid *id);

/* What we announce; pushes it to those who want to know. */
void adit_host_set_addrs(struct adit_host *h, const struct adit_maddr *v,
                         size_t n);

/*
 * What log lines show of peers' addresses, from now on; at first all.
 * Whoever logs one asks adit_host_shown.
 */
void adit_host_set_shown(struct adit_host *h, enum adit_addr_shown how);

static inline enum adit_addr_shown
adit_host_shown(const struct adit_host *h)
{
    return h->refusals.shown;
}

/*
 * Where its peer is, with its /p2p once that is proven; through a relay the
 * circuit's address.  Also of one that is over.
 */
void adit_hconn_describe(const struct adit_hconn *hc, struct adit_maddr *out);

void adit_hconn_close(struct adit_hconn *hc, adit_err why, const char *text);

static inline bool
adit_hconn_is_limited(const struct adit_hconn *hc)
{
    return hc->is_limited;
}

/* Something relies on it (or no longer does): it is not idle. */
void adit_hconn_hold(struct adit_hconn *hc);
void adit_hconn_unhold(struct adit_hconn *hc);

/* Look again whether it is idle. */
void adit_hconn_touch(struct adit_hconn *hc);

/* It was refused something that it asked for: count it and say so. */
void adit_hconn_refused(const struct adit_hconn *hc,
                        const struct adit_refusal *why);

#endif
