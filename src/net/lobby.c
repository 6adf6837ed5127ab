/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/lobby.h"

#include "loop/fd.h"
#include "wire/proxy/proxy.h"

#include <errno.h>
#include <unistd.h>

/* How often a balancer that is not set up right is worth a line. */
#define REFUSED_LOG_US (60 * ADIT_S)

/* More than a header has without extensions. */
#define READ_BYTES 512

struct waiting {
    struct adit_list link;
    struct adit_lobby *lobby;
    struct adit_worker *w;
    struct adit_fd fd;
    struct adit_endpoint from; /* the balancer */
    struct adit_proxy proxy;
    struct adit_timer deadline;
    struct adit_retiree retiree;
};

static void
count(struct adit_lobby *lo, enum adit_metric i)
{
    if (lo->metrics != NULL)
        adit_metric_add(lo->metrics, i, 1);
}

static void
reap(void *ctx)
{
    struct waiting *x = ctx;

    ADIT_FREE(adit_worker_mem(x->w), x);
}

/* It waits no longer; returns its descriptor. */
static int
leave(struct waiting *x)
{
    int fd = adit_fd_get(&x->fd);

    adit_fd_fini(&x->fd);
    adit_timer_stop(x->w, &x->deadline);
    adit_list_remove(&x->link);
    x->lobby->n_waiting--;
    adit_retire(x->w, &x->retiree, reap, x);
    return fd;
}

/*
 * A stranger cannot cause this, unless he is among those that the operator
 * named: it is for him to look at.
 */
static void
refuse(struct adit_lobby *lo, const char *why)
{
    struct adit_instant now = adit_worker_now(lo->w);
    struct adit_log_line l;

    lo->n_refused++;
    if (!adit_instant_is_due(lo->log_next, now))
        return;
    lo->log_next = adit_instant_add(now, REFUSED_LOG_US);
    if (adit_log_open(&l, adit_worker_log(lo->w), ADIT_LOG_WARN,
                      "listener.proxy_refused")) {
        char text[ADIT_ENDPOINT_TEXT_BYTES];

        adit_log_str(&l, "at", adit_endpoint_format(&lo->at, text));
        adit_log_str(&l, "why", why);
        adit_log_u64(&l, "n", lo->n_refused - lo->n_refused_logged);
        adit_log_close(&l);
    }
    lo->n_refused_logged = lo->n_refused;
}

static void
named(struct waiting *x, const struct adit_proxy_event *ev)
{
    struct adit_lobby *lo = x->lobby;
    struct adit_endpoint remote = x->from;
    int fd;

    if (ev->type == ADIT_PROXY_NAMED &&
        (adit_endpoint_of_ip(ev->src, ev->src_port, &remote) != ADIT_OK ||
         adit_endpoint_of_sockaddr(&remote.sa, &remote) != ADIT_OK))
        remote = x->from; /* it has 4 or 16 bytes: neither can fail */
    fd = leave(x);
    lo->pass(lo->ctx, fd, &remote);
}

static void
on_ready(void *ctx, int ready)
{
    struct waiting *x = ctx;
    struct adit_lobby *lo = x->lobby;
    struct adit_proxy_event ev;
    size_t wants;

    (void)ready;
    while ((wants = adit_proxy_wants(&x->proxy)) > 0) {
        uint8_t b[READ_BYTES];
        size_t used;
        ssize_t n =
            recv(adit_fd_get(&x->fd), b, ADIT_MIN(wants, sizeof(b)), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            /* A health check that connects and leaves. */
            count(lo, ADIT_M_PROXY_SILENT);
            close(leave(x));
            return;
        }
        if (adit_proxy_feed(&x->proxy, adit_slice(b, (size_t)n), &used) !=
            ADIT_OK) {
            count(lo, ADIT_M_PROXY_BAD);
            refuse(lo, adit_proxy_why(&x->proxy));
            close(leave(x));
            return;
        }
    }
    if (adit_proxy_next(&x->proxy, &ev) == ADIT_OK)
        named(x, &ev);
}

static void
on_deadline(void *ctx)
{
    struct waiting *x = ctx;

    count(x->lobby, ADIT_M_PROXY_SILENT);
    close(leave(x));
}

void
adit_lobby_init(struct adit_lobby *lo, struct adit_worker *w)
{
    *lo = (struct adit_lobby){ .w = w };
    adit_list_init(&lo->waiting);
}

void
adit_lobby_fini(struct adit_lobby *lo)
{
    while (!adit_list_is_empty(&lo->waiting))
        close(
            leave(ADIT_CONTAINER_OF(lo->waiting.next, struct waiting, link)));
}

adit_err
adit_lobby_add(struct adit_lobby *lo, int fd, const struct adit_endpoint *from)
{
    struct adit_mem *mem = adit_worker_mem(lo->w);
    struct waiting *x;

    if (lo->n_waiting >= ADIT_LOBBY_MAX_WAITING) {
        count(lo, ADIT_M_PROXY_FULL);
        refuse(lo, "too many connections from balancers are not named yet");
        close(fd);
        return ADIT_OK;
    }
    x = ADIT_NEW(mem, struct waiting);
    if (x == NULL || adit_fd_init(&x->fd, lo->w, fd, on_ready, x) != ADIT_OK)
        goto out;
    x->lobby = lo;
    x->w = lo->w;
    x->from = *from;
    x->deadline.fn = on_deadline;
    x->deadline.ctx = x;
    adit_proxy_init(&x->proxy);
    if (adit_timer_set(lo->w, &x->deadline,
                       adit_instant_add(adit_worker_now(lo->w),
                                        lo->deadline_us)) != ADIT_OK)
        goto out;
    adit_fd_want(&x->fd, ADIT_FD_READ);
    adit_list_push_tail(&lo->waiting, &x->link);
    lo->n_waiting++;
    return ADIT_OK;
out:
    if (x != NULL) {
        adit_fd_fini(&x->fd);
        ADIT_FREE(mem, x);
    }
    close(fd);
    return ADIT_ENOMEM;
}
