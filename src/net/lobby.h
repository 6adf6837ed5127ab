/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * lobby: connections from balancers, until they have said for whom they are
 * (PROXY protocol version 2).
 *
 * Reads the header and not one byte more.  What says nothing, or something
 * else, is closed.  Thread: the worker's own.
 */
#ifndef ADIT_NET_LOBBY_H
#define ADIT_NET_LOBBY_H

#include "base/list.h"
#include "loop/worker.h"
#include "metrics/metrics.h"
#include "net/addr.h"

/*
 * Connections that are not named yet.  A balancer sends the header with its
 * first segment, so these are there for a moment each; the caps by address
 * cannot hold them, since all come from the balancer's.  About 450 bytes.
 */
#define ADIT_LOBBY_MAX_WAITING 1024

struct adit_lobby {
    struct adit_worker *w;
    struct adit_list waiting;
    unsigned n_waiting;
    int64_t deadline_us;
    struct adit_metrics *metrics; /* may be NULL */
    struct adit_endpoint at;      /* ours, for the log */
    /*
     * A header is complete: `remote` is whom it names, or the balancer
     * itself.  `fd` is the callee's.
     */
    void (*pass)(void *ctx, int fd, const struct adit_endpoint *remote);
    void *ctx;
    struct adit_instant log_next; /* not before */
    uint64_t n_refused, n_refused_logged;
};

/* The rest of it is filled in by the caller; zero is fine. */
void adit_lobby_init(struct adit_lobby *l, struct adit_worker *w);

/* Closes what waits.  Fine on a zeroed one, and twice. */
void adit_lobby_fini(struct adit_lobby *l);

/*
 * A balancer's connection, non-blocking; the lobby closes it or passes it on.
 * ADIT_ENOMEM: it was closed for want of memory or watches.
 */
ADIT_MUST_USE adit_err adit_lobby_add(struct adit_lobby *l, int fd,
                                      const struct adit_endpoint *from);

#endif
