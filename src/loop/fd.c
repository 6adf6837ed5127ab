/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "loop/fd.h"

#include "loop/turn.h"

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct adit_fd *f = arg;

    (void)fd;
    adit_worker_enter(f->w);
    f->fn(f->ctx, ((what & EV_READ) != 0 ? ADIT_FD_READ : 0) |
                      ((what & EV_WRITE) != 0 ? ADIT_FD_WRITE : 0));
}

adit_err
adit_fd_init(struct adit_fd *f, struct adit_worker *w, int fd,
             void (*fn)(void *ctx, int ready), void *ctx)
{
    *f = (struct adit_fd){ 0 };
    if (w->base == NULL)
        return ADIT_ESTATE;
    if (event_assign(&f->ev, w->base, fd, EV_PERSIST, on_ready, f) != 0)
        return ADIT_EIO;
    f->w = w;
    f->fn = fn;
    f->ctx = ctx;
    return ADIT_OK;
}

void
adit_fd_fini(struct adit_fd *f)
{
    if (f->w != NULL) {
        event_del(&f->ev);
        event_debug_unassign(&f->ev); /* a lent base may be in debug mode */
    }
    f->w = NULL;
}

int
adit_fd_wants(const struct adit_fd *f)
{
    short ev = event_get_events(&f->ev);

    return ((ev & EV_READ) != 0 ? ADIT_FD_READ : 0) |
           ((ev & EV_WRITE) != 0 ? ADIT_FD_WRITE : 0);
}

int
adit_fd_get(const struct adit_fd *f)
{
    return event_get_fd(&f->ev);
}

void
adit_fd_want(struct adit_fd *f, int want)
{
    struct adit_log_line l;
    short ev = EV_PERSIST;

    if (want == adit_fd_wants(f))
        return;
    if ((want & ADIT_FD_READ) != 0)
        ev |= EV_READ;
    if ((want & ADIT_FD_WRITE) != 0)
        ev |= EV_WRITE;
    /* One struct event, so that an idle connection pays for one only. */
    event_del(&f->ev);
    if (event_assign(&f->ev, f->w->base, event_get_fd(&f->ev), ev, on_ready,
                     f) == 0 &&
        (want == 0 || event_add(&f->ev, NULL) == 0))
        return;
    /* Out of memory or of kernel watches: its owner's deadline ends it. */
    if (adit_log_open(&l, f->w->log, ADIT_LOG_WARN, "fd.not_watched")) {
        adit_log_i64(&l, "fd", event_get_fd(&f->ev));
        adit_log_close(&l);
    }
}

adit_err
adit_fd_new(struct adit_worker *w, int fd, void (*fn)(void *ctx, int ready),
            void *ctx, struct adit_fd **out)
{
    struct adit_fd *f = ADIT_NEW(w->mem, struct adit_fd);
    adit_err e;

    if (f == NULL)
        return ADIT_ENOMEM;
    e = adit_fd_init(f, w, fd, fn, ctx);
    if (e != ADIT_OK) {
        ADIT_FREE(w->mem, f);
        return e;
    }
    *out = f;
    return ADIT_OK;
}

void
adit_fd_free(struct adit_fd *f)
{
    struct adit_worker *w;

    if (f == NULL)
        return;
    w = f->w;
    adit_fd_fini(f);
    ADIT_FREE(w->mem, f);
}
