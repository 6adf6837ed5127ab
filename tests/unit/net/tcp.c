/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * TCP pipes and listeners, on loopback, ports of the kernel's choice; on an
 * event base of our own and on a lent one.
 */
#include "../loop/rig.h"

#include "net/listener.h"
#include "net/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

static void
on_each_kind(void (*body)(struct rig *r))
{
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_LENT; k++) {
        struct rig r;

        rig_init(&r, (enum adit_worker_kind)k);
        body(&r);
        rig_fini(&r);
    }
}

static struct adit_endpoint
loopback(uint16_t port)
{
    struct adit_endpoint e;

    assert_int_equal(
        adit_endpoint_of_ip(adit_slice("\x7f\0\0\x01", 4), port, &e), ADIT_OK);
    return e;
}

/* ---- a pair of pipes --------------------------------------------------- */

/* One end, and what came to it. */
struct end {
    struct rig *r;
    struct adit_pipe *p;
    size_t n_in, n_calls;
    uint8_t next; /* input must count up from here */
    size_t n_out, to_send;
    unsigned n_writable, n_ends;
    adit_err ended;
    bool close_on_end;
    void (*then)(struct end *e); /* after each thing that happens */
};

struct pair {
    struct rig *r;
    struct adit_listener *l;
    struct end dialer, listener;
    unsigned n_accepted;
};

static uint8_t pattern[65536 + 256]; /* counts up */

static void
push(struct end *e)
{
    while (e->n_out < e->to_send) {
        size_t left = e->to_send - e->n_out;
        const uint8_t *p = pattern + e->n_out % 256;
        size_t n = ADIT_MIN(left, (size_t)65536);
        /* Uneven slices, an empty one among them. */
        struct adit_slice v[3] = {
            adit_slice(p, n / 3),
            adit_slice(NULL, 0),
            adit_slice(p + n / 3, n - n / 3),
        };
        size_t taken = 0;

        assert_int_equal(e->p->ops->send(e->p, v, 3, &taken), ADIT_OK);
        e->n_out += taken;
        if (taken < n)
            return;
    }
}

static void
on_input(void *ctx, struct adit_mslice in)
{
    struct end *e = ctx;

    assert_true(in.n > 0 && in.n <= ADIT_SCRATCH_BODY_BYTES);
    in.p[-ADIT_SCRATCH_HEAD_BYTES] = 0; /* may be overwritten */
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != e->next++)
            fail_msg("byte %zu is wrong", e->n_in + i);
    e->n_in += in.n;
    e->n_calls++;
    if (e->then != NULL)
        e->then(e);
}

static void
on_writable(void *ctx)
{
    struct end *e = ctx;

    e->n_writable++;
    push(e);
    if (e->then != NULL)
        e->then(e);
}

static void
on_end(void *ctx, adit_err why)
{
    struct end *e = ctx;

    e->n_ends++;
    e->ended = why;
    if (e->close_on_end) {
        e->p->ops->close(e->p, false);
        e->p = NULL;
    }
    if (e->then != NULL)
        e->then(e);
}

static const struct adit_pipe_up up = { on_input, on_writable, on_end };

static void
on_accept(void *ctx, struct adit_pipe *p)
{
    struct pair *x = ctx;

    assert_int_equal(++x->n_accepted, 1);
    x->listener.p = p;
    p->up = &up;
    p->up_ctx = &x->listener;
    rig_done(x->r);
}

static struct adit_pipe *
dial(struct rig *r, const struct adit_endpoint *to)
{
    struct adit_pipe *p;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to->sa, adit_endpoint_bytes(to)), 0);
    assert_int_equal(evutil_make_socket_nonblocking(fd), 0);
    assert_int_equal(adit_tcp_new(r->w, fd, NULL, &p), ADIT_OK);
    return p;
}

static void
pair_init(struct pair *x, struct rig *r)
{
    struct adit_listener_config cfg = {
        .at = loopback(0),
        .on_accept = on_accept,
        .ctx = x,
    };

    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)i;
    *x = (struct pair){ .r = r, .dialer.r = r, .listener.r = r };
    assert_int_equal(adit_listener_new(r->w, &cfg, &x->l, NULL), ADIT_OK);
    x->dialer.p = dial(r, adit_listener_local(x->l));
    x->dialer.p->up = &up;
    x->dialer.p->up_ctx = &x->dialer;
    rig_run(r);
    assert_int_equal(adit_listener_stats(x->l).n_accepted, 1);
}

static void
pair_fini(struct pair *x)
{
    if (x->dialer.p != NULL)
        x->dialer.p->ops->close(x->dialer.p, false);
    if (x->listener.p != NULL)
        x->listener.p->ops->close(x->listener.p, false);
    adit_listener_free(x->l);
}

/* ---- both ways, with back-pressure and half-close ---------------------- */

/* More than the kernel takes at once on loopback. */
#define BULK_BYTES (24u << 20)

static void
shut_when_sent(struct end *e)
{
    if (e->p != NULL && e->n_out == BULK_BYTES) {
        e->to_send = 0;
        e->p->ops->shut(e->p);
    }
    if (e->n_ends > 0 && e->n_out == BULK_BYTES && e->n_in == BULK_BYTES)
        rig_done(e->r);
}

static void
bulk(struct rig *r)
{
    struct pair x;
    struct end *e[2] = { &x.dialer, &x.listener };

    pair_init(&x, r);
    for (size_t i = 0; i < 2; i++) {
        e[i]->to_send = BULK_BYTES;
        e[i]->then = shut_when_sent;
    }
    for (size_t i = 0; i < 2; i++) {
        push(e[i]);
        assert_true(e[i]->n_out < BULK_BYTES); /* it did block */
    }
    while (x.dialer.n_ends == 0 || x.listener.n_ends == 0)
        rig_run(r);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(e[i]->n_in, BULK_BYTES);
        assert_int_equal(e[i]->ended, ADIT_OK);
        assert_int_equal(e[i]->n_ends, 1);
        assert_true(e[i]->n_writable > 0);
    }
    pair_fini(&x);
}

static void
test_bulk(void **state)
{
    (void)state;
    on_each_kind(bulk);
}

/* ---- pause -------------------------------------------------------------- */

static void
tick(void *ctx)
{
    rig_done(ctx);
}

static void
done_at_end(struct end *e)
{
    if (e->n_ends > 0)
        rig_done(e->r);
}

static void
paused_reads_nothing(struct rig *r)
{
    struct pair x;
    struct adit_timer t = { .fn = tick, .ctx = r };

    pair_init(&x, r);
    x.listener.p->ops->pause(x.listener.p, true);
    x.dialer.to_send = 1000;
    push(&x.dialer);
    x.dialer.p->ops->shut(x.dialer.p);
    assert_int_equal(
        adit_timer_set(r->w, &t,
                       adit_instant_add(adit_worker_now(r->w), 5 * ADIT_MS)),
        ADIT_OK);
    rig_run(r);
    assert_int_equal(x.listener.n_calls, 0);
    assert_int_equal(x.listener.n_ends, 0);
    x.listener.then = done_at_end;
    x.listener.p->ops->pause(x.listener.p, false);
    rig_run(r);
    assert_int_equal(x.listener.n_in, 1000);
    assert_int_equal(x.listener.ended, ADIT_OK);
    pair_fini(&x);
}

static void
test_paused_reads_nothing(void **state)
{
    (void)state;
    on_each_kind(paused_reads_nothing);
}

/* ---- ends --------------------------------------------------------------- */

static void
abort_is_reset(struct rig *r)
{
    struct pair x;
    size_t taken;
    struct adit_slice one = adit_slice("x", 1);

    pair_init(&x, r);
    x.dialer.p->ops->close(x.dialer.p, true);
    x.dialer.p = NULL;
    x.listener.then = done_at_end;
    rig_run(r);
    assert_int_equal(x.listener.ended, ADIT_ERESET);
    assert_int_equal(x.listener.n_ends, 1);
    taken = 77;
    assert_true(x.listener.p->ops->send(x.listener.p, &one, 1, &taken) !=
                ADIT_OK);
    assert_int_equal(taken, 77);
    pair_fini(&x);
}

static void
test_abort_is_reset(void **state)
{
    (void)state;
    on_each_kind(abort_is_reset);
}

static void
close_inside_end(struct rig *r)
{
    struct pair x;

    pair_init(&x, r);
    x.listener.close_on_end = true;
    x.listener.then = done_at_end;
    x.dialer.p->ops->close(x.dialer.p, false);
    x.dialer.p = NULL;
    rig_run(r);
    assert_int_equal(x.listener.ended, ADIT_OK);
    pair_fini(&x);
}

static void
test_close_inside_end(void **state)
{
    (void)state;
    on_each_kind(close_inside_end);
}

/*
 * What the other end sent before it went is read, though sending fails; one
 * that reads nothing just now is told at once.
 */
static void
failed_send(struct rig *r, bool paused)
{
    struct pair x;
    struct adit_slice v = adit_slice(pattern, 1000);
    adit_err e = ADIT_OK;
    size_t taken;

    pair_init(&x, r);
    x.listener.p->ops->pause(x.listener.p, paused);
    x.dialer.to_send = 5000;
    push(&x.dialer);
    x.dialer.p->ops->close(x.dialer.p, false);
    x.dialer.p = NULL;
    /* The first is answered by a reset, on loopback at once. */
    for (int i = 0; i < 1000 && e == ADIT_OK; i++)
        e = x.listener.p->ops->send(x.listener.p, &v, 1, &taken);
    assert_int_equal(e, ADIT_ERESET);
    assert_int_equal(x.listener.n_ends, 0); /* not inside _send */
    x.listener.then = done_at_end;
    rig_run(r);
    assert_int_equal(x.listener.n_in, paused ? 0 : 5000);
    assert_int_equal(x.listener.ended, ADIT_ERESET);
    assert_int_equal(x.listener.n_ends, 1);
    pair_fini(&x);
}

static void
failed_send_reads_on(struct rig *r)
{
    failed_send(r, false);
    failed_send(r, true);
}

static void
test_failed_send_reads_on(void **state)
{
    (void)state;
    on_each_kind(failed_send_reads_on);
}

/* ---- what is set on a socket -------------------------------------------- */

static int
option(int fd, int level, int name)
{
    int v = -1;
    socklen_t n = sizeof(v);

    assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
    return v;
}

static void
accepted_inherits(struct rig *r)
{
    struct pair x;
    int fd;

    pair_init(&x, r);
    fd = adit_tcp_fd(x.listener.p);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
                     ADIT_TCP_KEEPALIVE_S);
    assert_true(adit_endpoint_eq(&x.listener.p->local, &x.dialer.p->remote));
    assert_true(adit_endpoint_eq(&x.listener.p->remote, &x.dialer.p->local));
    pair_fini(&x);
}

static void
test_accepted_inherits(void **state)
{
    (void)state;
    on_each_kind(accepted_inherits);
}

static void
test_describe(void **state)
{
    struct rig r;
    struct pair x;
    struct adit_maddr m;
    struct adit_endpoint e;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    pair_init(&x, &r);
    x.dialer.p->ops->describe(x.dialer.p, true, &m);
    assert_int_equal(adit_endpoint_of_maddr(&m, &e, NULL), ADIT_OK);
    assert_true(adit_endpoint_eq(&e, adit_listener_local(x.l)));
    x.dialer.p->ops->describe(x.dialer.p, false, &m);
    assert_int_equal(adit_endpoint_of_maddr(&m, &e, NULL), ADIT_OK);
    assert_true(adit_endpoint_eq(&e, &x.listener.p->remote));
    pair_fini(&x);
    rig_fini(&r);
}

/* ---- listeners ----------------------------------------------------------- */

static void
unwanted(void *ctx, struct adit_pipe *p)
{
    (void)ctx;
    p->ops->close(p, true);
    fail_msg("accepted");
}

static void
test_port_in_use(void **state)
{
    struct rig r;
    struct adit_listener *a, *b, *c;
    struct adit_listener_config cfg = { .on_accept = unwanted };
    char why[ADIT_LISTENER_WHY_BYTES] = "";
    char want[64];

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    cfg.at = loopback(0);
    assert_int_equal(adit_listener_new(r.w, &cfg, &a, why), ADIT_OK);
    cfg.at = *adit_listener_local(a);
    assert_true(adit_endpoint_port(&cfg.at) != 0);
    assert_int_equal(adit_listener_new(r.w, &cfg, &b, why), ADIT_EFULL);
    snprintf(want, sizeof(want), "/ip4/127.0.0.1/tcp/%u: the port is in use",
             (unsigned)adit_endpoint_port(&cfg.at));
    assert_non_null(strstr(why, want));
    /* A second worker of the same process may. */
    cfg.share = true;
    assert_int_equal(adit_listener_new(r.w, &cfg, &c, NULL), ADIT_OK);
    adit_listener_free(a);
    adit_listener_free(c);
    adit_listener_free(NULL);
    rig_fini(&r);
}

static void
test_bad_places(void **state)
{
    struct rig r;
    struct adit_listener *l = NULL;
    struct adit_listener_config cfg = { .on_accept = unwanted };
    char why[ADIT_LISTENER_WHY_BYTES] = "";

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, why), ADIT_EINVAL);
    assert_non_null(strstr(why, "cannot listen on"));
    assert_int_equal(
        adit_endpoint_of_ip(adit_slice("\xc0\x00\x02\x01", 4), 0, &cfg.at),
        ADIT_OK);
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, why), ADIT_EUNREACHABLE);
    assert_non_null(strstr(why, "/ip4/192.0.2.1/tcp/0: no interface"));
    cfg.at = loopback(0);
    r.mem.fail_at = r.mem.n_allocs + 1;
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, why), ADIT_ENOMEM);
    r.mem.fail_at = 0;
    assert_null(l);
    rig_fini(&r);
}

static void
test_addrs(void **state)
{
    struct rig r;
    struct adit_listener *l;
    struct adit_listener_config cfg = { .on_accept = unwanted };
    struct adit_endpoint e[64];
    size_t n;
    bool loop = false;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    cfg.at = loopback(0);
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, NULL), ADIT_OK);
    assert_int_equal(adit_listener_addrs(l, e, 64), 1);
    assert_true(adit_endpoint_eq(&e[0], adit_listener_local(l)));
    assert_int_equal(adit_listener_addrs(l, NULL, 0), 1);
    adit_listener_free(l);

    memset(&cfg.at.in4.sin_addr, 0, sizeof(cfg.at.in4.sin_addr));
    assert_int_equal(adit_listener_new(r.w, &cfg, &l, NULL), ADIT_OK);
    n = adit_listener_addrs(l, e, 64);
    assert_true(n > 0);
    for (size_t i = 0; i < n && i < 64; i++) {
        assert_false(adit_endpoint_is_unspecified(&e[i]));
        assert_int_equal(adit_endpoint_port(&e[i]),
                         adit_endpoint_port(adit_listener_local(l)));
        loop |= adit_endpoint_is_loopback(&e[i]);
    }
    assert_true(loop);
    adit_listener_free(l);
    rig_fini(&r);
}

struct gate {
    struct rig *r;
    unsigned n_asked;
};

static bool
nobody(void *ctx, const struct adit_endpoint *remote)
{
    struct gate *g = ctx;

    assert_true(adit_endpoint_is_loopback(remote));
    g->n_asked++;
    return false;
}

static void
refused_is_reset(struct rig *r)
{
    struct gate g = { .r = r };
    struct adit_listener *l;
    struct adit_listener_config cfg = {
        .at = loopback(0),
        .may_accept = nobody,
        .on_accept = unwanted,
        .ctx = &g,
    };
    struct end e = { .r = r, .then = done_at_end };

    assert_int_equal(adit_listener_new(r->w, &cfg, &l, NULL), ADIT_OK);
    e.p = dial(r, adit_listener_local(l));
    e.p->up = &up;
    e.p->up_ctx = &e;
    rig_run(r);
    assert_int_equal(e.ended, ADIT_ERESET);
    assert_int_equal(g.n_asked, 1);
    assert_int_equal(adit_listener_stats(l).n_refused, 1);
    assert_int_equal(adit_listener_stats(l).n_accepted, 0);
    e.p->ops->close(e.p, false);
    adit_listener_free(l);
}

static void
test_refused_is_reset(void **state)
{
    (void)state;
    on_each_kind(refused_is_reset);
}

/* Out of descriptors: it rests, says so once, and goes on when there are. */
struct hunger {
    struct rig *r;
    struct adit_listener *l;
    struct adit_timer t;
    struct rlimit lim;
    struct adit_pipe *p;
    int later;
};

static void
fed(void *ctx, struct adit_pipe *p)
{
    struct hunger *h = ctx;

    if (h->p != NULL) {
        p->ops->close(p, true);
        return;
    }
    h->p = p;
    p->up = &up;
    rig_done(h->r);
}

static void
feed(void *ctx)
{
    struct hunger *h = ctx;

    assert_true(adit_listener_stats(h->l).n_starved >= 1);
    assert_true(adit_listener_stats(h->l).n_starved <= 3); /* it rests */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &h->lim), 0);
    /* Under an emulator of system calls the first one was lost. */
    h->later = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(h->later, &adit_listener_local(h->l)->sa,
                             sizeof(struct sockaddr_in)),
                     0);
}

static void
starved(struct rig *r)
{
    struct hunger h = { .r = r };
    struct adit_listener_config cfg = {
        .at = loopback(0),
        .on_accept = fed,
        .ctx = &h,
    };
    struct rlimit low;
    int fd;

    assert_int_equal(adit_listener_new(r->w, &cfg, &h.l, NULL), ADIT_OK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, &adit_listener_local(h.l)->sa, sizeof(struct sockaddr_in)),
        0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &h.lim), 0);
    low = h.lim;
    low.rlim_cur = (rlim_t)fd; /* nothing above what is open */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    h.t.fn = feed;
    h.t.ctx = &h;
    assert_int_equal(
        adit_timer_set(r->w, &h.t,
                       adit_instant_add(adit_worker_now(r->w), 150 * ADIT_MS)),
        ADIT_OK);
    rig_run(r);
    assert_int_equal(r->n_lines, 1);
    assert_non_null(strstr(r->last_line, "listener.starved"));
    close(fd);
    close(h.later);
    h.p->ops->close(h.p, false);
    adit_listener_free(h.l);
}

static void
test_starved(void **state)
{
    (void)state;
    on_each_kind(starved);
}

static void
free_inside(void *ctx, struct adit_pipe *p)
{
    struct hunger *h = ctx;

    p->ops->close(p, false);
    adit_listener_free(h->l);
    rig_done(h->r);
}

static void
free_inside_accept(struct rig *r)
{
    struct hunger h = { .r = r };
    struct adit_listener_config cfg = {
        .at = loopback(0),
        .on_accept = free_inside,
        .ctx = &h,
    };
    int fd[2];

    assert_int_equal(adit_listener_new(r->w, &cfg, &h.l, NULL), ADIT_OK);
    for (int i = 0; i < 2; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd[i], &adit_listener_local(h.l)->sa,
                                 sizeof(struct sockaddr_in)),
                         0);
    }
    rig_run(r);
    close(fd[0]);
    close(fd[1]);
}

static void
test_free_inside_accept(void **state)
{
    (void)state;
    on_each_kind(free_inside_accept);
}

static void
test_new_without_memory(void **state)
{
    struct rig r;
    struct adit_pipe *p = NULL;
    int fd;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    r.mem.fail_at = r.mem.n_allocs + 1;
    assert_int_equal(adit_tcp_new(r.w, fd, NULL, &p), ADIT_ENOMEM);
    assert_null(p);
    assert_int_equal(close(fd), -1); /* it was */
    assert_int_equal(errno, EBADF);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_paused_reads_nothing),
        cmocka_unit_test(test_abort_is_reset),
        cmocka_unit_test(test_close_inside_end),
        cmocka_unit_test(test_failed_send_reads_on),
        cmocka_unit_test(test_accepted_inherits),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_bad_places),
        cmocka_unit_test(test_addrs),
        cmocka_unit_test(test_refused_is_reset),
        cmocka_unit_test(test_starved),
        cmocka_unit_test(test_free_inside_accept),
        cmocka_unit_test(test_new_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
