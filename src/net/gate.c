/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/gate.h"

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
    struct adit_gate *g;
    struct adit_worker *w;
    struct adit_fd fd;
    struct adit_endpoint from; /* the balancer */
    struct adit_proxy proxy;
    struct adit_timer deadline;
    struct adit_retiree retiree;
};

static void
count(struct adit_gate *g, enum adit_metric i)
{
    if (g->metrics != NULL)
        adit_metric_add(g->metrics, i, 1);
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
    x->g->n_waiting--;
    adit_retire(x->w, &x->retiree, reap, x);
    return fd;
}

/*
 * A stranger cannot cause this, unless he is among those that the operator
 * named: it is for him to look at.
 */
static void
refuse(struct adit_gate *g, const char *why)
{
    struct adit_instant now = adit_worker_now(g->w);
    struct adit_log_line l;

    g->n_refused++;
    if (!adit_instant_is_due(g->log_next, now))
        return;
    g->log_next = adit_instant_add(now, REFUSED_LOG_US);
    if (adit_log_open(&l, adit_worker_log(g->w), ADIT_LOG_WARN,
                      "listener.proxy_refused")) {
        char text[ADIT_ENDPOINT_TEXT_BYTES];

        adit_log_str(&l, "at", adit_endpoint_format(&g->at, text));
        adit_log_str(&l, "why", why);
        adit_log_u64(&l, "n", g->n_refused - g->n_refused_logged);
        adit_log_close(&l);
    }
    g->n_refused_logged = g->n_refused;
}

static void
named(struct waiting *x, const struct adit_proxy_event *ev)
{
    struct adit_gate *g = x->g;
    struct adit_endpoint remote = x->from;
    int fd;

    if (ev->type == ADIT_PROXY_NAMED &&
        (adit_endpoint_of_ip(ev->src, ev->src_port, &remote) != ADIT_OK ||
         adit_endpoint_of_sockaddr(&remote.sa, &remote) != ADIT_OK))
        remote = x->from; /* it has 4 or 16 bytes: neither can fail */
    fd = leave(x);
    g->pass(g->ctx, fd, &remote);
}

static void
on_ready(void *ctx, int ready)
{
    struct waiting *x = ctx;
    struct adit_gate *g = x->g;
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
            count(g, ADIT_M_PROXY_SILENT);
            close(leave(x));
            return;
        }
        if (adit_proxy_feed(&x->proxy, adit_slice(b, (size_t)n), &used) !=
            ADIT_OK) {
            count(g, ADIT_M_PROXY_BAD);
            refuse(g, adit_proxy_why(&x->proxy));
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

    count(x->g, ADIT_M_PROXY_SILENT);
    close(leave(x));
}

void
adit_gate_init(struct adit_gate *g, struct adit_worker *w)
{
    *g = (struct adit_gate){ .w = w };
    adit_list_init(&g->waiting);
}

void
adit_gate_fini(struct adit_gate *g)
{
    while (!adit_list_is_empty(&g->waiting))
        close(leave(ADIT_CONTAINER_OF(g->waiting.next, struct waiting, link)));
}

adit_err
adit_gate_add(struct adit_gate *g, int fd, const struct adit_endpoint *from)
{
    struct adit_mem *mem = adit_worker_mem(g->w);
    struct waiting *x;

    if (g->n_waiting >= ADIT_GATE_MAX_WAITING) {
        count(g, ADIT_M_PROXY_FULL);
        refuse(g, "too many connections from balancers are not named yet");
        close(fd);
        return ADIT_OK;
    }
    x = ADIT_NEW(mem, struct waiting);
    if (x == NULL || adit_fd_init(&x->fd, g->w, fd, on_ready, x) != ADIT_OK)
        goto out;
    x->g = g;
    x->w = g->w;
    x->from = *from;
    x->deadline.fn = on_deadline;
    x->deadline.ctx = x;
    adit_proxy_init(&x->proxy);
    if (adit_timer_set(g->w, &x->deadline,
                       adit_instant_add(adit_worker_now(g->w),
                                        g->deadline_us)) != ADIT_OK)
        goto out;
    adit_fd_want(&x->fd, ADIT_FD_READ);
    adit_list_push_tail(&g->waiting, &x->link);
    g->n_waiting++;
    return ADIT_OK;
out:
    if (x != NULL) {
        adit_fd_fini(&x->fd);
        ADIT_FREE(mem, x);
    }
    close(fd);
    return ADIT_ENOMEM;
}
