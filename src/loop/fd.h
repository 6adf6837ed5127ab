/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * fd: a descriptor's watch that lies inside its owner, for objects that
 * exist once per connection.  Others use adit_fd_new of loop/worker.h.
 *
 * Thread: the worker's own.
 */
#ifndef ADIT_LOOP_FD_H
#define ADIT_LOOP_FD_H

#include "loop/worker.h"

#include <event2/event_struct.h>

struct adit_fd {
    struct adit_worker *w;
    void (*fn)(void *ctx, int ready);
    void *ctx;
    struct event ev; /* 128 bytes, and it knows the descriptor */
};

/*
 * As adit_fd_new, in storage of the caller's.  ADIT_ESTATE: a worker that is
 * run by hand has no descriptors.
 */
ADIT_MUST_USE adit_err adit_fd_init(struct adit_fd *f, struct adit_worker *w,
                                    int fd, void (*fn)(void *ctx, int ready),
                                    void *ctx);

/* Fine on a zeroed one.  Before the descriptor is closed. */
void adit_fd_fini(struct adit_fd *f);

/* What _want was last told. */
int adit_fd_wants(const struct adit_fd *f);

/* The descriptor it watches. */
int adit_fd_get(const struct adit_fd *f);

#endif
