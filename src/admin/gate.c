/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/gate.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted in one turn, so that a crowd here does not hold up the relay. */
#define ACCEPTS_PER_TURN 8

/* Out of descriptors: what waits would wake us again and again. */
#define PAUSE_US (1 * ADIT_S)

static void
on_pause_end(void *ctx)
{
    struct adit_gate *g = ctx;

    adit_fd_want(g->watch, ADIT_FD_READ);
}

static void
pause_gate(struct adit_gate *g)
{
    struct adit_instant due =
        adit_instant_add(adit_worker_now(g->w), PAUSE_US);

    if (adit_timer_set(g->w, &g->pause, due) == ADIT_OK)
        adit_fd_want(g->watch, 0);
}

static void
on_ready(void *ctx, int ready)
{
    struct adit_gate *g = ctx;

    (void)ready;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(g->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            g->on_accept(g->ctx, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            pause_gate(g);
        return;
    }
}

adit_err
adit_gate_open(struct adit_gate *g, struct adit_worker *w, int fd,
               void (*on_accept)(void *ctx, int fd), void *ctx)
{
    struct adit_fd *watch;
    adit_err e = adit_fd_new(w, fd, on_ready, g, &watch);

    if (e != ADIT_OK)
        return e;
    *g = (struct adit_gate){
        .w = w, .fd = fd, .watch = watch, .on_accept = on_accept, .ctx = ctx
    };
    g->pause.fn = on_pause_end;
    g->pause.ctx = g;
    adit_fd_want(watch, ADIT_FD_READ);
    return ADIT_OK;
}

void
adit_gate_close(struct adit_gate *g)
{
    if (g->watch == NULL)
        return;
    adit_timer_stop(g->w, &g->pause);
    adit_fd_free(g->watch);
    close(g->fd);
    g->watch = NULL;
}
