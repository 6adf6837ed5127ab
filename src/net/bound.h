/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * bound: sockets that somebody bound for us (a service manager), until each
 * has found the address to listen on that it is for.
 *
 * A value; the descriptors stay the caller's.  Thread: one owner.
 */
#ifndef ADIT_NET_BOUND_H
#define ADIT_NET_BOUND_H

#include "net/listener.h"

/* As many as a node has listeners. */
#define ADIT_BOUND_MAX 8

struct adit_bound {
    size_t n;
    int fd[ADIT_BOUND_MAX];
    bool is_taken[ADIT_BOUND_MAX];
    struct adit_endpoint at[ADIT_BOUND_MAX];
};

/* ADIT_EFULL; ADIT_EINVAL: one cannot be listened on.  `why` says which. */
ADIT_MUST_USE adit_err adit_bound_init(struct adit_bound *s, const int *fds,
                                       size_t n,
                                       char why[ADIT_LISTENER_WHY_BYTES]);

/*
 * The one that is bound to this address and port, or, if `at` has port 0, to
 * this address; each once.  -1: none.
 */
int adit_bound_take(struct adit_bound *s, const struct adit_endpoint *at);

/* ADIT_EINVAL: one has not been taken; `why` names its address. */
ADIT_MUST_USE adit_err adit_bound_end(const struct adit_bound *s,
                                      char why[ADIT_LISTENER_WHY_BYTES]);

#endif
