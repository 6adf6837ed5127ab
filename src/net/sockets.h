/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * sockets: those that somebody bound for us (a service manager), until each
 * has found the address to listen on that it is for.
 *
 * A value; the descriptors stay the caller's.  Thread: one owner.
 */
#ifndef ADIT_NET_SOCKETS_H
#define ADIT_NET_SOCKETS_H

#include "net/listener.h"

/* As many as a node has listeners. */
#define ADIT_SOCKETS_MAX 8

struct adit_sockets {
    size_t n;
    int fd[ADIT_SOCKETS_MAX];
    bool is_taken[ADIT_SOCKETS_MAX];
    struct adit_endpoint at[ADIT_SOCKETS_MAX];
};

/* ADIT_EFULL; ADIT_EINVAL: one cannot be listened on.  `why` says which. */
ADIT_MUST_USE adit_err adit_sockets_init(struct adit_sockets *s,
                                         const int *fds, size_t n,
                                         char why[ADIT_LISTENER_WHY_BYTES]);

/*
 * The one that is bound to this address and port, or, if `at` has port 0, to
 * this address; each once.  -1: none.
 */
int adit_sockets_take(struct adit_sockets *s, const struct adit_endpoint *at);

/* ADIT_EINVAL: one has not been taken; `why` names its address. */
ADIT_MUST_USE adit_err adit_sockets_end(const struct adit_sockets *s,
                                        char why[ADIT_LISTENER_WHY_BYTES]);

#endif
