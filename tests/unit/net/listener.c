/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What a listener does beside accepting: connections from balancers (PROXY
 * protocol version 2), and sockets that somebody bound before.
 */
#include "../loop/rig.h"

#include "net/lobby.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define S(text) text, sizeof(text) - 1

/* For 192.0.2.1:5000, and for [2001:db8::1]:1. */
#define NAMED4                                                                \
    SIG "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x13\x88\x0f\xa1"
#define IP6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define NAMED6 SIG "\x21\x21\0\x24" IP6 IP6 "\0\x01\0\x02"
/* ::ffff:192.0.2.9 */
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x09"
#define LOCAL SIG "\x20\0\0\0"

struct world {
    struct rig r;
    struct adit_metrics m;
    struct adit_listener *l;
    struct adit_pipe *p; /* accepted */
    char remote[ADIT_ENDPOINT_TEXT_BYTES];
    char asked[ADIT_ENDPOINT_TEXT_BYTES]; /* by may_accept */
    char in[64];
    size_t n_in, wants_in;
    bool ended;
    bool is_open;     /* may_accept */
    bool is_balancer; /* is_proxy */
    int fd;           /* the client */
    struct adit_fd *watch;
    bool refused;
};

static void
on_input(void *ctx, struct adit_mslice in)
{
    struct world *x = ctx;

    assert_true(in.n < sizeof(x->in) - x->n_in);
    memcpy(x->in + x->n_in, in.p, in.n);
    x->n_in += in.n;
    if (x->n_in >= x->wants_in)
        rig_done(&x->r);
}

static void
on_writable(void *ctx)
{
    (void)ctx;
}

static void
on_end(void *ctx, adit_err why)
{
    struct world *x = ctx;

    (void)why;
    x->ended = true;
    rig_done(&x->r);
}

static const struct adit_pipe_up up = { on_input, on_writable, on_end };

static void
on_accept(void *ctx, struct adit_pipe *p)
{
    struct world *x = ctx;

    assert_null(x->p);
    x->p = p;
    p->up = &up;
    p->up_ctx = x;
    adit_endpoint_format(&p->remote, x->remote);
    if (x->wants_in == 0)
        rig_done(&x->r);
}

static bool
may_accept(void *ctx, const struct adit_endpoint *remote)
{
    struct world *x = ctx;

    adit_endpoint_format(remote, x->asked);
    return x->is_open;
}

static bool
is_proxy(void *ctx, const struct adit_endpoint *remote)
{
    struct world *x = ctx;

    assert_true(adit_endpoint_is_loopback(remote));
    return x->is_balancer;
}

static void
begin(struct world *x, int64_t proxy_us)
{
    struct adit_listener_config cfg = {
        .is_proxy = is_proxy,
        .proxy_us = proxy_us,
        .metrics = &x->m,
        .may_accept = may_accept,
        .on_accept = on_accept,
        .ctx = x,
    };

    memset(x, 0, sizeof(*x));
    x->fd = -1;
    x->is_open = x->is_balancer = true;
    rig_init(&x->r, ADIT_WORKER_OWN);
    assert_int_equal(
        adit_endpoint_of_ip(adit_slice("\x7f\0\0\x01", 4), 0, &cfg.at),
        ADIT_OK);
    assert_int_equal(adit_listener_new(x->r.w, &cfg, &x->l, NULL), ADIT_OK);
}

static int
dial(const struct world *x)
{
    const struct adit_endpoint *at = adit_listener_local(x->l);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &at->sa, adit_endpoint_bytes(at)), 0);
    return fd;
}

static void
on_client(void *ctx, int ready)
{
    struct world *x = ctx;
    char b[8];

    (void)ready;
    assert_true(recv(x->fd, b, sizeof(b), MSG_DONTWAIT) <= 0);
    adit_fd_want(x->watch, 0);
    x->refused = true;
    rig_done(&x->r);
}

/* Connects, and hears when it is thrown out. */
static void
connect_client(struct world *x)
{
    x->fd = dial(x);
    assert_int_equal(adit_fd_new(x->r.w, x->fd, on_client, x, &x->watch),
                     ADIT_OK);
    adit_fd_want(x->watch, ADIT_FD_READ);
}

static void
say(const struct world *x, const char *text, size_t n)
{
    assert_int_equal(send(x->fd, text, n, MSG_NOSIGNAL), n);
}

static void
hang_up(struct world *x)
{
    if (x->fd < 0)
        return;
    adit_fd_free(x->watch);
    close(x->fd);
    x->fd = -1;
}

static void
end(struct world *x)
{
    hang_up(x);
    if (x->p != NULL)
        x->p->ops->close(x->p, true);
    adit_listener_free(x->l);
    rig_fini(&x->r);
}

static uint64_t
count(const struct world *x, enum adit_metric i)
{
    return adit_metric_get(&x->m, i);
}

/* ---- balancers ---------------------------------------------------------- */

static const struct {
    const char *why, *in;
    size_t n;
    bool is_balancer;
    const char *remote; /* NULL: closed; "": its own */
    const char *rest;   /* what the next layer reads */
    uint64_t n_bad;
} cases[] = {
    { "named, IPv4", S(NAMED4 "\x13/multistream"), true, "192.0.2.1:5000",
      "\x13/multistream", 0 },
    { "named, IPv6", S(NAMED6 "next"), true, "[2001:db8::1]:1", "next", 0 },
    { "an IPv4 address written as IPv6 counts as IPv4",
      S(SIG "\x21\x21\0\x24" MAPPED IP6 "\0\x01\0\x02"
            "next"),
      true, "192.0.2.9:1", "next", 0 },
    { "with extensions",
      S(SIG "\x21\x11\0\x11\xc0\0\x02\x01\xc6\x33\x64\x02\x13\x88\x0f\xa1"
            "\x05\0\x02id"
            "next"),
      true, "192.0.2.1:5000", "next", 0 },
    { "a health check", S(LOCAL "next"), true, "", "next", 0 },
    { "two headers: the second is the peer's own", S(LOCAL LOCAL), true, "",
      "\r\n\r\n", 0 },
    { "no header", S("\x13/multistream/1.0.0\n"), true, NULL, NULL, 1 },
    { "version 1", S("PROXY TCP4 192.0.2.1 198.51.100.2 5000 4001\r\n"), true,
      NULL, NULL, 1 },
    { "not a balancer: a header is just bytes", S(NAMED4), false, "",
      "\r\n\r\n", 0 },
};

static void
test_balancer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++)
        for (int chopped = 0; chopped <= 1; chopped++) {
            char own[ADIT_ENDPOINT_TEXT_BYTES] = "";
            struct sockaddr_in sa;
            socklen_t n_sa = sizeof(sa);
            struct world x;

            print_message("%s\n", cases[i].why);
            begin(&x, 10 * ADIT_S);
            x.is_balancer = cases[i].is_balancer;
            if (cases[i].rest != NULL)
                x.wants_in = strlen(cases[i].rest);
            connect_client(&x);
            assert_int_equal(getsockname(x.fd, (struct sockaddr *)&sa, &n_sa),
                             0);
            if (chopped && cases[i].remote != NULL) {
                for (size_t k = 0; k < cases[i].n; k++)
                    say(&x, cases[i].in + k, 1);
            } else {
                say(&x, cases[i].in, cases[i].n);
            }
            rig_run(&x.r);
            snprintf(own, sizeof(own), "127.0.0.1:%u",
                     (unsigned)ntohs(sa.sin_port));
            assert_int_equal(x.refused, cases[i].remote == NULL);
            assert_int_equal(count(&x, ADIT_M_PROXY_BAD), cases[i].n_bad);
            assert_int_equal(x.r.n_lines, cases[i].n_bad);
            if (cases[i].remote != NULL) {
                const char *want =
                    cases[i].remote[0] != '\0' ? cases[i].remote : own;

                assert_string_equal(x.remote, want);
                assert_string_equal(x.asked, want);
                assert_memory_equal(x.in, cases[i].rest,
                                    strlen(cases[i].rest));
            } else {
                assert_null(x.p);
            }
            end(&x);
        }
}

/* Whom it names may be unwelcome. */
static void
test_named_refused(void **state)
{
    struct world x;

    (void)state;
    begin(&x, 10 * ADIT_S);
    x.is_open = false;
    connect_client(&x);
    say(&x, S(NAMED4));
    rig_run(&x.r);
    assert_true(x.refused);
    assert_string_equal(x.asked, "192.0.2.1:5000");
    assert_int_equal(adit_listener_stats(x.l).n_refused, 1);
    end(&x);
}

/* Any beginning of a header, and then nothing, or the end: no line. */
static void
test_silent(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(NAMED4) - 1; n++) {
        struct world x;

        begin(&x, 10 * ADIT_MS);
        connect_client(&x);
        say(&x, NAMED4, n);
        rig_run(&x.r); /* its time is up */
        assert_true(x.refused);
        assert_null(x.p);
        assert_int_equal(count(&x, ADIT_M_PROXY_SILENT), 1);
        assert_int_equal(x.r.n_lines, 0);
        end(&x);

        begin(&x, 10 * ADIT_S);
        connect_client(&x);
        say(&x, NAMED4, n);
        shutdown(x.fd, SHUT_WR);
        rig_run(&x.r); /* it is answered by closing */
        assert_null(x.p);
        assert_int_equal(count(&x, ADIT_M_PROXY_SILENT), 1);
        assert_int_equal(x.r.n_lines, 0);
        end(&x);
    }
}

/* Both ends of each lie in this process. */
#define N_FDS (2 * ADIT_LOBBY_MAX_WAITING + 100)

/* As many as are held, and one more; then freed with all of them waiting. */
static void
test_full(void **state)
{
    static int fds[ADIT_LOBBY_MAX_WAITING];
    const struct rlimit want = { N_FDS, N_FDS };
    struct rlimit had;
    struct world x;
    size_t used;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
    if (had.rlim_cur < N_FDS && setrlimit(RLIMIT_NOFILE, &want) != 0)
        skip();
    begin(&x, 100 * ADIT_S);
    used = x.r.mem.used_bytes;
    for (int i = 0; i < ADIT_LOBBY_MAX_WAITING; i++)
        fds[i] = dial(&x);
    connect_client(&x);
    rig_run(&x.r);
    assert_true(x.refused);
    assert_int_equal(count(&x, ADIT_M_PROXY_FULL), 1);
    assert_true(x.r.mem.used_bytes - used <
                ADIT_LOBBY_MAX_WAITING * (size_t)600);
    for (int i = 0; i < ADIT_LOBBY_MAX_WAITING; i++)
        close(fds[i]);
    end(&x);
}

static void
test_oom(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 8; n++) {
        struct world x;

        begin(&x, 10 * ADIT_S);
        connect_client(&x);
        say(&x, S(NAMED4));
        /* The watchdog's own room first. */
        assert_int_equal(adit_timer_set(x.r.w, &x.r.watchdog, ADIT_NEVER),
                         ADIT_OK);
        x.r.mem.fail_at = x.r.mem.n_allocs + n;
        x.r.mem.fail_once = true;
        rig_run(&x.r);
        assert_true(x.refused || x.p != NULL);
        x.r.mem.fail_at = 0;
        end(&x);
    }
}

/* ---- sockets that somebody bound ---------------------------------------- */

static int
bound(int family, const char *ip, bool v6only)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    int fd = socket(family, SOCK_STREAM, 0);
    int on = v6only;
    int r;

    assert_true(fd >= 0);
    if (family == AF_INET) {
        inet_pton(family, ip, &in4.sin_addr);
        r = bind(fd, (struct sockaddr *)&in4, sizeof(in4));
    } else {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        inet_pton(family, ip, &in6.sin6_addr);
        r = bind(fd, (struct sockaddr *)&in6, sizeof(in6));
    }
    if (r != 0) {
        close(fd);
        return -1; /* a machine without IPv6 */
    }
    return fd;
}

static void
inspects(int fd, const char *want)
{
    char why[ADIT_LISTENER_WHY_BYTES] = "";
    struct adit_endpoint e = { 0 };
    adit_err r = adit_listener_inspect(fd, &e, why);

    print_message("%s\n", want != NULL ? want : "good");
    assert_int_equal(r, want == NULL ? ADIT_OK : ADIT_EINVAL);
    if (want == NULL) {
        assert_false(adit_endpoint_is_none(&e));
        return;
    }
    assert_true(adit_endpoint_is_none(&e));
    if (strstr(why, want) == NULL)
        fail_msg("%s", why);
}

static void
test_inspect(void **state)
{
    int fds[2], l = bound(AF_INET, "127.0.0.1", false), fd, c;
    struct sockaddr_in sa;
    socklen_t n = sizeof(sa);

    (void)state;
    assert_true(l >= 0);
    inspects(l, NULL);
    assert_int_equal(listen(l, 1), 0);
    inspects(l, NULL);
    assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &n), 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    inspects(c, "not bound");
    assert_int_equal(connect(c, (struct sockaddr *)&sa, n), 0);
    inspects(c, "Accept=no");
    close(c);
    inspects(c, "not open");
    close(l);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    inspects(fd, "not TCP");
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    inspects(fd, "not TCP");
    close(fd);
    assert_int_equal(pipe(fds), 0);
    inspects(fds[0], "no socket");
    close(fds[0]);
    close(fds[1]);
    if ((fd = bound(AF_INET6, "::1", true)) >= 0) {
        inspects(fd, NULL);
        close(fd);
    }
    if ((fd = bound(AF_INET6, "::", false)) >= 0) {
        inspects(fd, "BindIPv6Only");
        close(fd);
    }
}

/*
 * The listener listens on it, takes what waits in its queue, and leaves the
 * socket itself to whoever gave it: a second one goes on where it stopped.
 */
static void
test_adopted(void **state)
{
    (void)state;
    for (int listens = 0; listens <= 1; listens++) {
        int fd = bound(AF_INET, "127.0.0.1", false), clients[2] = { -1, -1 };
        struct adit_listener_config cfg = {
            .fd = fd,
            .has_fd = true,
            .on_accept = on_accept,
        };
        char why[ADIT_LISTENER_WHY_BYTES];
        struct world x;
        int flags;

        assert_true(fd >= 0);
        if (listens)
            assert_int_equal(listen(fd, 8), 0);
        begin(&x, ADIT_S);
        adit_listener_free(x.l);
        cfg.ctx = &x;
        assert_int_equal(adit_listener_inspect(fd, &cfg.at, why), ADIT_OK);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(adit_listener_new(x.r.w, &cfg, &x.l, why),
                             ADIT_OK);
            assert_true(adit_endpoint_eq(adit_listener_local(x.l), &cfg.at));
            if (i == 0)
                clients[0] = dial(&x);
            rig_run(&x.r);
            assert_non_null(x.p);
            x.p->ops->close(x.p, true);
            x.p = NULL;
            adit_listener_free(x.l);
            if (i == 0)
                clients[1] = dial(&x); /* nobody accepts: it waits */
        }
        x.l = NULL;
        flags = fcntl(fd, F_GETFL);
        assert_true(flags >= 0 && (flags & O_NONBLOCK) != 0);
        close(fd);
        for (int i = 0; i < 2; i++)
            close(clients[i]);
        end(&x);
    }
}

static void
test_not_adopted(void **state)
{
    struct adit_listener_config cfg = { .has_fd = true };
    char why[ADIT_LISTENER_WHY_BYTES] = "";
    struct adit_listener *l = NULL;
    struct rig r;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    assert_int_equal(
        adit_endpoint_of_ip(adit_slice("\x7f\0\0\x01", 4), 1, &cfg.at),
        ADIT_OK);
    cfg.fd = fd;
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, why), ADIT_EINVAL);
    assert_non_null(strstr(why, "not bound"));
    assert_null(l);
    assert_int_equal(close(fd), 0); /* still ours */
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balancer), cmocka_unit_test(test_named_refused),
        cmocka_unit_test(test_silent),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_oom),      cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_adopted),  cmocka_unit_test(test_not_adopted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
