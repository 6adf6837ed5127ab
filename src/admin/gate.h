/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * gate: a socket that listens, and whoever comes to it; shared by the control
 * socket and HTTP.  Thread: one worker.
 */
#ifndef ADIT_ADMIN_GATE_H
#define ADIT_ADMIN_GATE_H

#include "loop/worker.h"

struct adit_gate {
    struct adit_worker *w;
    int fd; /* -1: none */
    struct adit_fd *watch;
    struct adit_timer pause;
    /* A connection, non-blocking and close-on-exec; now `ctx`'s. */
    void (*on_accept)(void *ctx, int fd);
    void *ctx;
};

/* `fd` listens, non-blocking; it becomes the gate's only if ADIT_OK.
 * ADIT_ENOMEM, ADIT_EIO, ADIT_ESTATE (a worker run by hand). */
ADIT_MUST_USE adit_err adit_gate_open(struct adit_gate *g,
                                      struct adit_worker *w, int fd,
                                      void (*on_accept)(void *ctx, int fd),
                                      void *ctx);
/* Fine on a zeroed one. */
void adit_gate_close(struct adit_gate *g);

#endif
