/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/listener.h"

#include "loop/fd.h"
#include "net/lobby.h"
#include "net/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

/* In one turn; a crowd of strangers must not hold up those that are in. */
#define ACCEPTS_PER_TURN 64

/* The kernel cuts it at net.core.somaxconn. */
#define BACKLOG 4096

#define REST_US (100 * ADIT_MS)

/* How often a want of descriptors is worth a line in the log. */
#define STARVED_LOG_US (60 * ADIT_S)

struct adit_listener {
    struct adit_fd fd;
    struct adit_worker *w;
    struct adit_listener_config cfg;
    struct adit_endpoint local;
    struct adit_lobby lobby;
    struct adit_timer rest; /* set: it rests */
    struct adit_retiree retiree;
    struct adit_listener_stats stats;
    uint64_t n_starved_logged;
    struct adit_instant log_next; /* not before */
    bool paused;
    bool closed;
};

static void
watch(struct adit_listener *l)
{
    bool on = !l->paused && !adit_timer_is_set(&l->rest);

    adit_fd_want(&l->fd, on ? ADIT_FD_READ : 0);
}

static void
on_rested(void *ctx)
{
    watch(ctx);
}

static void
starve(struct adit_listener *l, int os_error)
{
    struct adit_instant now = adit_worker_now(l->w);
    struct adit_log_line line;

    l->stats.n_starved++;
    if (l->cfg.metrics != NULL)
        adit_metric_add(l->cfg.metrics, ADIT_M_STARVED, 1);
    if (adit_timer_set(l->w, &l->rest, adit_instant_add(now, REST_US)) ==
        ADIT_OK)
        watch(l);
    if (!adit_instant_is_due(l->log_next, now))
        return;
    l->log_next = adit_instant_add(now, STARVED_LOG_US);
    if (adit_log_open(&line, adit_worker_log(l->w), ADIT_LOG_WARN,
                      "listener.starved")) {
        char text[ADIT_ENDPOINT_TEXT_BYTES];

        adit_log_str(&line, "at", adit_endpoint_format(&l->local, text));
        adit_log_str(&line, "why", strerror(os_error));
        adit_log_u64(&line, "n", l->stats.n_starved - l->n_starved_logged);
        adit_log_close(&line);
    }
    l->n_starved_logged = l->stats.n_starved;
}

static void
reset(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

/* False: no memory for more. */
static bool
let_in(struct adit_listener *l, int fd, const struct adit_endpoint *remote)
{
    struct adit_pipe *p;

    if (l->cfg.may_accept != NULL && !l->cfg.may_accept(l->cfg.ctx, remote)) {
        l->stats.n_refused++;
        reset(fd);
        return true;
    }
    switch (adit_tcp_new(l->w, fd, remote, &p)) {
    case ADIT_OK:
        break;
    case ADIT_ENOMEM:
        starve(l, ENOMEM);
        return false;
    default:
        return true;
    }
    l->stats.n_accepted++;
    l->cfg.on_accept(l->cfg.ctx, p);
    return true;
}

static void
on_named(void *ctx, int fd, const struct adit_endpoint *remote)
{
    (void)let_in(ctx, fd, remote);
}

/* One stranger.  False: nobody waits, or it rests. */
static bool
accept_one(struct adit_listener *l)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof(ss);
    struct sockaddr *sa = (struct sockaddr *)&ss;
    struct adit_endpoint remote;
    int fd =
        accept4(adit_fd_get(&l->fd), sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        switch (errno) {
        case EAGAIN:
            return false;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            starve(l, errno);
            return false;
        }
        /* The connection failed before we saw it, or the call did: the turn's
         * bound holds a failure that lasts. */
        return true;
    }
    if (adit_endpoint_of_sockaddr(sa, &remote) != ADIT_OK) {
        reset(fd);
        return true;
    }
    if (l->cfg.is_proxy == NULL || !l->cfg.is_proxy(l->cfg.ctx, &remote))
        return let_in(l, fd, &remote);
    if (adit_lobby_add(&l->lobby, fd, &remote) == ADIT_OK)
        return true;
    starve(l, ENOMEM);
    return false;
}

static void
on_ready(void *ctx, int ready)
{
    struct adit_listener *l = ctx;

    (void)ready;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(l) || l->closed || l->paused)
            return;
}

/* ---- bind ------------------------------------------------------------- */

static void
say_why(char *why, const struct adit_endpoint *at, int os_error)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    struct adit_slice s = adit_endpoint_ip(at);
    const char *text;

    if (why == NULL)
        return;
    if (s.n > 0)
        inet_ntop(at->sa.sa_family, s.p, ip, sizeof(ip));
    switch (os_error) {
    case EADDRINUSE:
        text = "the port is in use";
        break;
    case EADDRNOTAVAIL:
        text = "no interface has this address";
        break;
    case EACCES:
        text = "this port needs a privilege";
        break;
    case EAFNOSUPPORT:
        text = "the system has no such protocol";
        break;
    default:
        text = strerror(os_error);
        break;
    }
    snprintf(why, ADIT_LISTENER_WHY_BYTES,
             "cannot listen on /%s/%s/tcp/%u: %s", s.n == 16 ? "ip6" : "ip4",
             ip, (unsigned)adit_endpoint_port(at), text);
}

/* A bound socket, or -1 and errno. */
static int
bind_at(const struct adit_endpoint *at, bool share)
{
    int on = 1;
    int fd = socket(at->sa.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (share &&
         setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        (at->sa.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, &at->sa, adit_endpoint_bytes(at)) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/*
 * SO_REUSEPORT would let a second daemon of the same user take half of our
 * connections unnoticed.  A socket without it cannot be bound where somebody
 * listens, but can be where only outgoing connections are.
 */
static int
bind_alone(const struct adit_endpoint *at)
{
    int probe;

    if (adit_endpoint_port(at) != 0) {
        probe = bind_at(at, false);
        if (probe < 0)
            return -1;
        close(probe);
    }
    return bind_at(at, true);
}

/* ---- a socket that somebody bound ------------------------------------- */

/* Its options as our own has them. */
static int
adopt(int from)
{
    int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return fd;
    if (fd >= 0) {
        int saved = errno;

        close(fd);
        errno = saved;
    }
    return -1;
}

static bool
get_int(int fd, int level, int name, int *out)
{
    socklen_t n = sizeof(*out);

    return getsockopt(fd, level, name, out, &n) == 0;
}

/* NULL: it can be listened on, at *out. */
static const char *
inspect(int fd, struct adit_endpoint *out)
{
    struct sockaddr_storage ss = { 0 };
    struct sockaddr *sa = (struct sockaddr *)&ss;
    socklen_t n = sizeof(ss);
    int type, protocol, v6only = 1;

    if (!get_int(fd, SOL_SOCKET, SO_TYPE, &type))
        return errno == EBADF ? "it is not open" : "it is no socket";
    if (type != SOCK_STREAM ||
        !get_int(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) ||
        protocol != IPPROTO_TCP || getsockname(fd, sa, &n) != 0)
        return "it is not TCP";
    if (sa->sa_family == AF_INET6 &&
        !get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only))
        return "it is not TCP";
    if (adit_endpoint_of_sockaddr(sa, out) != ADIT_OK)
        return "it is not TCP";
    if (adit_endpoint_port(out) == 0)
        return "it is not bound to a port";
    if (!v6only)
        return "it takes IPv4 connections too: set BindIPv6Only=ipv6-only, "
               "and bind IPv4 by itself";
    n = sizeof(ss);
    if (getpeername(fd, sa, &n) == 0)
        return "it is a connection: set Accept=no";
    return NULL;
}

adit_err
adit_listener_inspect(int fd, struct adit_endpoint *out,
                      char why[ADIT_LISTENER_WHY_BYTES])
{
    struct adit_endpoint e;
    const char *text = inspect(fd, &e);

    if (text == NULL) {
        *out = e;
        return ADIT_OK;
    }
    snprintf(why, ADIT_LISTENER_WHY_BYTES,
             "cannot listen on descriptor %d: %s", fd, text);
    return ADIT_EINVAL;
}

/* ---- made -------------------------------------------------------------- */

static adit_err
err_of_bind(int os_error)
{
    switch (os_error) {
    case EADDRINUSE:
        return ADIT_EFULL;
    case EAFNOSUPPORT:
        return ADIT_EUNREACHABLE;
    }
    return adit_tcp_err(os_error);
}

adit_err
adit_listener_new(struct adit_worker *w,
                  const struct adit_listener_config *cfg,
                  struct adit_listener **out, char *why)
{
    struct adit_listener *l;
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof(ss);
    int fd = -1;
    adit_err e;

    if (adit_endpoint_is_none(&cfg->at)) {
        say_why(why, &cfg->at, EAFNOSUPPORT);
        return ADIT_EINVAL;
    }
    l = ADIT_NEW(adit_worker_mem(w), struct adit_listener);
    if (l == NULL) {
        say_why(why, &cfg->at, ENOMEM);
        return ADIT_ENOMEM;
    }
    if (cfg->has_fd) {
        struct adit_endpoint is_at;
        char text[ADIT_LISTENER_WHY_BYTES];

        e = adit_listener_inspect(cfg->fd, &is_at, text);
        if (e != ADIT_OK) {
            if (why != NULL)
                memcpy(why, text, sizeof(text));
            goto out;
        }
    }
    fd = cfg->has_fd  ? adopt(cfg->fd)
         : cfg->share ? bind_at(&cfg->at, true)
                      : bind_alone(&cfg->at);
    if (fd < 0)
        goto os_failed;
    adit_tcp_tune(fd);
    if (listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
        goto os_failed;
    e = adit_endpoint_of_sockaddr((struct sockaddr *)&ss, &l->local);
    if (e == ADIT_OK)
        e = adit_fd_init(&l->fd, w, fd, on_ready, l);
    if (e != ADIT_OK) {
        say_why(why, &cfg->at, EIO);
        goto out;
    }
    l->w = w;
    l->cfg = *cfg;
    l->rest.fn = on_rested;
    l->rest.ctx = l;
    adit_lobby_init(&l->lobby, w);
    l->lobby.deadline_us = cfg->proxy_us;
    l->lobby.metrics = cfg->metrics;
    l->lobby.at = l->local;
    l->lobby.pass = on_named;
    l->lobby.ctx = l;
    watch(l);
    *out = l;
    return ADIT_OK;

os_failed:
    say_why(why, &cfg->at, errno);
    e = err_of_bind(errno);
out:
    if (fd >= 0)
        close(fd);
    ADIT_FREE(adit_worker_mem(w), l);
    return e;
}

static void
free_listener(void *ctx)
{
    struct adit_listener *l = ctx;

    ADIT_FREE(adit_worker_mem(l->w), l);
}

void
adit_listener_free(struct adit_listener *l)
{
    int fd;

    if (l == NULL)
        return;
    if (!l->closed) {
        l->closed = true;
        adit_lobby_fini(&l->lobby);
        fd = adit_fd_get(&l->fd);
        adit_fd_fini(&l->fd);
        adit_timer_stop(l->w, &l->rest);
        close(fd);
    }
    adit_retire(l->w, &l->retiree, free_listener, l);
}

void
adit_listener_pause(struct adit_listener *l, bool stop)
{
    l->paused = stop;
    if (!l->closed)
        watch(l);
}

const struct adit_endpoint *
adit_listener_local(const struct adit_listener *l)
{
    return &l->local;
}

struct adit_listener_stats
adit_listener_stats(const struct adit_listener *l)
{
    return l->stats;
}

size_t
adit_listener_addrs(const struct adit_listener *l, struct adit_endpoint *out,
                    size_t max)
{
    struct ifaddrs *all = NULL;
    size_t n = 0;

    if (!adit_endpoint_is_unspecified(&l->local)) {
        if (max > 0)
            out[0] = l->local;
        return 1;
    }
    if (getifaddrs(&all) != 0)
        return 0;
    for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct adit_endpoint e;

        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 ||
            i->ifa_addr->sa_family != l->local.sa.sa_family ||
            adit_endpoint_of_sockaddr(i->ifa_addr, &e) != ADIT_OK)
            continue;
        if (e.sa.sa_family == AF_INET6 &&
            IN6_IS_ADDR_LINKLOCAL(&e.in6.sin6_addr))
            continue;
        adit_endpoint_set_port(&e, adit_endpoint_port(&l->local));
        if (n < max)
            out[n] = e;
        n++;
    }
    freeifaddrs(all);
    return n;
}
