/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * listener: one TCP port of one address family, accepting.
 *
 * Bound with SO_REUSEPORT, so that each worker has its own listener on the
 * same port and outgoing connections leave from it; or given a socket that
 * somebody bound before.  When descriptors run out it rests for 100 ms and
 * counts.  Thread: the worker's own.
 */
#ifndef ADIT_NET_LISTENER_H
#define ADIT_NET_LISTENER_H

#include "loop/worker.h"
#include "metrics/metrics.h"
#include "net/pipe.h"

struct adit_listener;

struct adit_listener_config {
    struct adit_endpoint at; /* port 0: any that is free */
    /* Other workers of this process listen there too; without it a port
     * that anybody listens on is refused, even if it would be shared. */
    bool share;
    /*
     * A socket that is bound to `at` already, and perhaps listens; it is
     * used in place of a new one, by a duplicate: `fd` stays the caller's.
     * Ignored unless has_fd.
     */
    int fd;
    bool has_fd;
    /*
     * Is this a balancer?  Then the connection must begin with a header of
     * PROXY protocol version 2, within proxy_us, and whom that names is its
     * remote end in everything that follows.  NULL: nobody is.
     */
    bool (*is_proxy)(void *ctx, const struct adit_endpoint *remote);
    int64_t proxy_us;
    struct adit_metrics *metrics; /* may be NULL */
    /*
     * Before anything is spent on it: may this stranger in?  False: reset.
     * NULL: everybody may.
     */
    bool (*may_accept)(void *ctx, const struct adit_endpoint *remote);
    /* The pipe is yours: set its `up`, or close it, before returning. */
    void (*on_accept)(void *ctx, struct adit_pipe *p);
    void *ctx;
};

/* "cannot listen on /ip4/../tcp/..: ..." */
#define ADIT_LISTENER_WHY_BYTES 192

/*
 * Bind and listen.  `why` (may be NULL) gets a sentence when it fails.
 *
 *   ADIT_EFULL   the port is in use
 *   ADIT_EDENIED the port needs a privilege
 *   ADIT_EUNREACHABLE  no interface has this address
 *   ADIT_EINVAL  not an IP address, or `fd` is not what it should be
 *   ADIT_ENOMEM, ADIT_EIO
 */
ADIT_MUST_USE adit_err adit_listener_new(
    struct adit_worker *w, const struct adit_listener_config *cfg,
    struct adit_listener **out, char *why);

/* NULL is fine; also from inside its own callbacks. */
void adit_listener_free(struct adit_listener *l);

/* Stop and resume accepting; strangers wait in the kernel's queue. */
void adit_listener_pause(struct adit_listener *l, bool stop);

/*
 * What address a socket is bound to that somebody hands us.  ADIT_EINVAL:
 * it cannot be listened on, `why` says for what: no socket, not TCP, a
 * connection, not bound, or IPv6 that takes IPv4 connections too (two
 * families are two sockets here).
 */
ADIT_MUST_USE adit_err adit_listener_inspect(
    int fd, struct adit_endpoint *out, char why[ADIT_LISTENER_WHY_BYTES]);

/* Where it listens, with the port it really has.  Borrowed. */
const struct adit_endpoint *adit_listener_local(const struct adit_listener *l);

/*
 * The addresses it can be reached at: its own, or those of all interfaces of
 * its family that are up, if it is bound to the unspecified address (loopback
 * included, IPv6 link-local not).  Returns how many there are; the first
 * `max` are in `out`.
 */
size_t adit_listener_addrs(const struct adit_listener *l,
                           struct adit_endpoint *out, size_t max);

struct adit_listener_stats {
    uint64_t n_accepted;
    uint64_t n_refused; /* by may_accept */
    uint64_t n_starved; /* times it rested for want of descriptors */
};
struct adit_listener_stats adit_listener_stats(const struct adit_listener *l);

#endif
