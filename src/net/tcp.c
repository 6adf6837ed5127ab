/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tcp.h"

#include "loop/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

/* Slices handed to the kernel in one call: a frame's header and body, for
 * more frames than one turn makes. */
#define MAX_IOV 64

struct tcp {
    struct adit_pipe pipe; /* first */
    struct adit_fd fd;
    struct adit_task end_task; /* on_end(why), when no descriptor calls it */
    struct adit_retiree retiree;
    adit_err why; /* not ADIT_OK: dead, of this */
    bool paused;
    bool ended; /* on_end has been called for the last time */
    bool eof;   /* the other end has shut its side */
    bool shut;
    bool blocked; /* took less than offered */
    bool closed;
};

static struct tcp *
of_pipe(const struct adit_pipe *p)
{
    return (struct tcp *)(void *)(uintptr_t)p;
}

adit_err
adit_tcp_err(int os_error)
{
    switch (os_error) {
    case 0:
        return ADIT_OK;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return ADIT_ERESET;
    case ETIMEDOUT:
        return ADIT_ETIMEDOUT;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return ADIT_EUNREACHABLE;
    case ENOMEM:
    case ENOBUFS:
        return ADIT_ENOMEM;
    case EMFILE:
    case ENFILE:
        return ADIT_EFULL;
    case EACCES:
    case EPERM:
        return ADIT_EDENIED;
    }
    return ADIT_EIO;
}

void
adit_tcp_tune(int fd)
{
    /* None of these can fail on a TCP socket; if one did, it would be slower
     * or notice less. */
    int on = 1;
    int idle = ADIT_TCP_KEEPALIVE_S;
    int step = 10;
    int n = 3;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof(step));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
}

/* Wait for what matters now. */
static void
watch(struct tcp *t)
{
    int want = 0;

    if (!t->closed && !t->ended) {
        if (!t->paused && !t->eof)
            want |= ADIT_FD_READ;
        if (t->blocked && t->why == ADIT_OK)
            want |= ADIT_FD_WRITE;
    }
    adit_fd_want(&t->fd, want);
}

static void
die(struct tcp *t, adit_err why)
{
    if (t->ended || t->closed)
        return;
    t->why = why;
    t->ended = true;
    watch(t);
    t->pipe.up->on_end(t->pipe.up_ctx, why);
}

static void
on_end_task(void *ctx)
{
    struct tcp *t = ctx;

    die(t, t->why);
}

static void
on_readable(struct tcp *t)
{
    uint8_t *body = adit_worker_scratch(t->fd.w);
    ssize_t n;

    if (body == NULL) {
        die(t, ADIT_ENOMEM);
        return;
    }
    do
        n = recv(adit_fd_get(&t->fd), body, ADIT_SCRATCH_BODY_BYTES, 0);
    while (n < 0 && errno == EINTR);

    if (n > 0) {
        adit_worker_moved(t->fd.w, (size_t)n);
        t->pipe.up->on_input(t->pipe.up_ctx,
                             (struct adit_mslice){ body, (size_t)n });
    } else if (n == 0) {
        t->eof = true;
        if (t->why != ADIT_OK) {
            die(t, t->why); /* sending had failed before */
            return;
        }
        watch(t);
        t->pipe.up->on_end(t->pipe.up_ctx, ADIT_OK);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        die(t, t->why != ADIT_OK ? t->why : adit_tcp_err(errno));
    }
}

static void
on_ready(void *ctx, int ready)
{
    struct tcp *t = ctx;

    if ((ready & ADIT_FD_READ) != 0 && !t->paused && !t->eof)
        on_readable(t);
    if (t->closed || t->ended)
        return;
    if ((ready & ADIT_FD_WRITE) != 0 && t->blocked && t->why == ADIT_OK) {
        t->blocked = false;
        t->pipe.up->on_writable(t->pipe.up_ctx);
        if (!t->closed)
            watch(t); /* changed only if it did not block again */
    }
}

/* ---- what the user asks for ------------------------------------------- */

/*
 * The socket does not take bytes any more.  What the other end had sent may
 * still lie in it: reading goes on, and its end is the end.
 */
static adit_err
fail_send(struct tcp *t, adit_err why)
{
    t->why = why;
    t->blocked = false;
    if (t->paused || t->eof)
        adit_task_post(t->fd.w, &t->end_task);
    watch(t);
    return why;
}

static adit_err
tcp_send(struct adit_pipe *p, const struct adit_slice *v, size_t n,
         size_t *taken)
{
    struct tcp *t = of_pipe(p);
    size_t sum = 0;

    if (t->closed || t->shut)
        return ADIT_ESTATE;
    if (t->why != ADIT_OK)
        return t->why;
    while (n > 0) {
        struct iovec iov[MAX_IOV];
        struct msghdr msg = { .msg_iov = iov };
        size_t offered = 0;
        size_t k;
        ssize_t sent;

        for (k = 0; k < n && k < MAX_IOV; k++) {
            iov[k].iov_base = (void *)(uintptr_t)v[k].p;
            iov[k].iov_len = v[k].n;
            offered += v[k].n;
        }
        v += k;
        n -= k;
        if (offered == 0)
            continue;
        msg.msg_iovlen = k;
        do
            sent = sendmsg(adit_fd_get(&t->fd), &msg, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                return fail_send(t, adit_tcp_err(errno));
            sent = 0;
        }
        sum += (size_t)sent;
        if ((size_t)sent < offered) {
            t->blocked = true;
            watch(t);
            break;
        }
    }
    *taken = sum;
    return ADIT_OK;
}

static void
tcp_pause(struct adit_pipe *p, bool stop)
{
    struct tcp *t = of_pipe(p);

    if (t->closed || t->paused == stop)
        return;
    t->paused = stop;
    if (stop && t->why != ADIT_OK && !t->ended)
        adit_task_post(t->fd.w, &t->end_task);
    watch(t);
}

static void
tcp_shut(struct adit_pipe *p)
{
    struct tcp *t = of_pipe(p);

    if (t->closed || t->shut)
        return;
    t->shut = true;
    t->blocked = false;
    shutdown(adit_fd_get(&t->fd), SHUT_WR);
    watch(t);
}

static void
free_tcp(void *ctx)
{
    struct tcp *t = ctx;

    ADIT_FREE(adit_worker_mem(t->fd.w), t);
}

static void
tcp_close(struct adit_pipe *p, bool abort)
{
    struct tcp *t = of_pipe(p);
    struct adit_worker *w = t->fd.w;
    int fd = adit_fd_get(&t->fd);

    if (!t->closed) {
        t->closed = true;
        adit_task_cancel(&t->end_task);
        adit_fd_fini(&t->fd);
        t->fd.w = w; /* for free_tcp */
        if (abort) {
            struct linger now = { .l_onoff = 1, .l_linger = 0 };

            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        close(fd);
    }
    adit_retire(w, &t->retiree, free_tcp, t);
}

static void
tcp_describe(const struct adit_pipe *p, bool remote, struct adit_maddr *out)
{
    adit_endpoint_to_maddr(remote ? &p->remote : &p->local, out);
}

static const struct adit_pipe_ops tcp_ops = {
    .send = tcp_send,
    .pause = tcp_pause,
    .shut = tcp_shut,
    .close = tcp_close,
    .describe = tcp_describe,
};

int
adit_tcp_fd(const struct adit_pipe *p)
{
    adit_assert(p->ops == &tcp_ops);
    return adit_fd_get(&of_pipe(p)->fd);
}

/* ---- made ------------------------------------------------------------- */

static void
ask_name(int fd, bool remote, struct adit_endpoint *out)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof(ss);
    struct sockaddr *sa = (struct sockaddr *)&ss;
    int r = remote ? getpeername(fd, sa, &n) : getsockname(fd, sa, &n);

    if (r != 0 || adit_endpoint_of_sockaddr(sa, out) != ADIT_OK)
        *out = (struct adit_endpoint){ 0 };
}

adit_err
adit_tcp_new(struct adit_worker *w, int fd, const struct adit_endpoint *remote,
             struct adit_pipe **out)
{
    struct tcp *t = ADIT_NEW(adit_worker_mem(w), struct tcp);
    adit_err e =
        t == NULL ? ADIT_ENOMEM : adit_fd_init(&t->fd, w, fd, on_ready, t);

    if (e != ADIT_OK) {
        if (t != NULL)
            ADIT_FREE(adit_worker_mem(w), t);
        close(fd);
        return e;
    }
    t->pipe.ops = &tcp_ops;
    t->end_task.fn = on_end_task;
    t->end_task.ctx = t;
    ask_name(fd, false, &t->pipe.local);
    if (remote != NULL)
        t->pipe.remote = *remote;
    else
        ask_name(fd, true, &t->pipe.remote);
    watch(t);
    *out = &t->pipe;
    return ADIT_OK;
}
