/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * tcp: a connected TCP socket as a pipe.
 *
 * Read into the worker's scratch, once per readiness; written at once, with
 * no buffer of its own.  It keeps no deadline: a write that stalls is its
 * user's affair.  Thread: the worker's own.
 */
#ifndef ADIT_NET_TCP_H
#define ADIT_NET_TCP_H

#include "loop/worker.h"
#include "net/pipe.h"

/* So soon a peer that vanished is asked for, where nothing else is sent. */
#define ADIT_TCP_KEEPALIVE_S 30

/*
 * Take over a connected, non-blocking socket; `remote` NULL: ask the kernel.
 * The pipe reads from the next turn on: set `up` before that.  On failure
 * `fd` is closed all the same.  ADIT_ENOMEM, ADIT_EIO.
 */
ADIT_MUST_USE adit_err adit_tcp_new(struct adit_worker *w, int fd,
                                    const struct adit_endpoint *remote,
                                    struct adit_pipe **out);

/* The descriptor of such a pipe; borrowed. */
int adit_tcp_fd(const struct adit_pipe *p);

/*
 * No delay, keepalive.  What is set on a listening socket the accepted ones
 * inherit.
 */
void adit_tcp_tune(int fd);

/* What an errno of a socket call means. */
adit_err adit_tcp_err(int os_error);

#endif
