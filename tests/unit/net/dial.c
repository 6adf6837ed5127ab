/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Dials on loopback; names by a server of the test's own. */
#include "../loop/dnsd.h"

#include "net/dial.h"
#include "net/listener.h"
#include "net/tcp.h"

#define PEER_A "12D3KooWGRUVh7sDkZ1jXXZ2hNqxq4mHKEYJ7YUGdSn1n1mBbDwy"
#define PEER_B "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"

/* A port on loopback, and what is done with those who come. */
struct port {
    struct adit_listener *l;
    struct adit_pipe *in[8];
    size_t n_in;
};

struct call {
    struct rig *r;
    unsigned n_calls;
    adit_err err;
    struct adit_pipe *p;
    struct adit_maddr addr;
    struct adit_dial_row row[ADIT_DIAL_MAX_ROWS];
    size_t n_rows;
};

static void
ignore_input(void *ctx, struct adit_mslice in)
{
    (void)ctx;
    (void)in;
}

static void
ignore_room(void *ctx)
{
    (void)ctx;
}

static void
ignore_end(void *ctx, adit_err why)
{
    (void)ctx;
    (void)why;
}

static const struct adit_pipe_up up = { ignore_input, ignore_room,
                                        ignore_end };

static void
on_accept(void *ctx, struct adit_pipe *p)
{
    struct port *x = ctx;

    p->up = &up;
    assert_true(x->n_in < ADIT_NITEMS(x->in));
    x->in[x->n_in++] = p;
}

static bool
open_port(struct rig *r, struct port *x, bool v6, uint16_t port)
{
    struct adit_listener_config cfg = { .on_accept = on_accept, .ctx = x };

    *x = (struct port){ .n_in = 0 };
    assert_int_equal(adit_endpoint_of_ip(v6 ? adit_slice(&in6addr_loopback, 16)
                                            : adit_slice("\x7f\0\0\x01", 4),
                                         port, &cfg.at),
                     ADIT_OK);
    return adit_listener_new(r->w, &cfg, &x->l, NULL) == ADIT_OK;
}

static uint16_t
port_of(const struct port *x)
{
    return adit_endpoint_port(adit_listener_local(x->l));
}

static void
close_port(struct port *x)
{
    for (size_t i = 0; i < x->n_in; i++)
        x->in[i]->ops->close(x->in[i], true);
    adit_listener_free(x->l);
}

static void
on_dialled(void *ctx, const struct adit_dial_result *res)
{
    struct call *c = ctx;

    c->n_calls++;
    c->err = res->err;
    c->p = res->pipe;
    assert_int_equal(res->err == ADIT_OK, res->pipe != NULL);
    assert_int_equal(res->err == ADIT_OK, res->addr != NULL);
    if (res->addr != NULL) {
        c->addr = *res->addr;
        c->p->up = &up;
    }
    c->n_rows = res->n_rows;
    memcpy(c->row, res->rows, res->n_rows * sizeof(*res->rows));
    rig_done(c->r);
}

/* "%u" in an address stands for `port`. */
static struct adit_maddr
maddr(const char *text, uint16_t port)
{
    struct adit_maddr m;
    struct adit_maddr_why why = { 0, "" };
    char s[512];
    const char *at = strstr(text, "%u");

    if (at != NULL)
        snprintf(s, sizeof(s), "%.*s%u%s", (int)(at - text), text,
                 (unsigned)port, at + 2);
    else
        snprintf(s, sizeof(s), "%s", text);
    if (adit_maddr_parse(adit_slice_str(s), &m, &why) != ADIT_OK)
        fail_msg("%s: %s", s, why.what);
    return m;
}

static struct adit_dial *
start(struct call *c, const struct adit_dial_config *cfg)
{
    struct adit_dial *d = NULL;

    assert_int_equal(adit_dial_start(c->r->w, cfg, on_dialled, c, &d),
                     ADIT_OK);
    assert_int_equal(c->n_calls, 0);
    return d;
}

static struct adit_instant
in_us(struct rig *r, int64_t us)
{
    return adit_instant_add(adit_worker_now(r->w), us);
}

static void
hang_up(struct call *c)
{
    if (c->p != NULL)
        c->p->ops->close(c->p, true);
    c->p = NULL;
}

static bool
has_row(const struct call *c, adit_err err, const char *why)
{
    for (size_t i = 0; i < c->n_rows; i++)
        if (c->row[i].err == err && strcmp(c->row[i].why, why) == 0)
            return true;
    return false;
}

/* ---- one table for what needs nothing special --------------------------- */

/* In TXT rows "%u" cannot stand for the port: it is set at run time. */
static char text_good[256], text_good_b[256], text_mixed[256];

static const struct dns_row names[] = {
    { "four.example", DNS_A, "127.0.0.1" },
    { "both.example", DNS_A, "127.0.0.1" },
    { "both.example", DNS_AAAA, "::1" },
    { "broken.example", DNS_SERVFAIL, NULL },
    { "silent.example", DNS_SILENT, NULL },
    { "_dnsaddr.peers.example", DNS_TXT, "dnsaddr=/ip4/127.0.0.1/tcp/1/ws" },
    { "_dnsaddr.peers.example", DNS_TXT, "no address at all" },
    { "_dnsaddr.peers.example", DNS_TXT, "dnsaddr=nonsense" },
    { "_dnsaddr.peers.example", DNS_TXT, text_good_b },
    { "_dnsaddr.peers.example", DNS_TXT, text_good },
    { "_dnsaddr.peers.example", DNS_TXT, text_mixed },
    { "_dnsaddr.one.example", DNS_TXT, "dnsaddr=/dnsaddr/two.example" },
    { "_dnsaddr.two.example", DNS_TXT,
      "dnsaddr=/dnsaddr/peers.example/p2p/" PEER_A },
    { "_dnsaddr.loop.example", DNS_TXT, "dnsaddr=/dnsaddr/loop.example" },
    { NULL, 0, NULL },
};

static const struct {
    const char *why;
    const char *addr[4];
    adit_err want;
    const char *won;     /* the address that did */
    adit_err row_err;    /* a row with this must be there */
    const char *row_why; /* NULL: not looked at */
    unsigned asked;      /* names: exactly so many questions; 99: any */
} cases[] = {
    { "an address",
      { "/ip4/127.0.0.1/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_OK,
      "",
      0 },
    { "with its peer",
      { "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A,
      ADIT_OK,
      "",
      0 },
    { "refused",
      { "/ip4/127.0.0.1/tcp/1" },
      ADIT_EUNREACHABLE,
      NULL,
      ADIT_EUNREACHABLE,
      "connection refused",
      0 },
    { "refused, then taken",
      { "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_EUNREACHABLE,
      "connection refused",
      0 },
    { "what is not TCP is left out",
      { "/ip4/127.0.0.1/udp/%u/quic-v1", "/ip4/127.0.0.1/tcp/%u/ws",
        "/ip4/127.0.0.1/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_EUNSUPPORTED,
      "unsupported transport",
      0 },
    { "nothing but what is not TCP: no name is asked for",
      { "/dns4/four.example/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1/ws" },
      ADIT_EUNSUPPORTED,
      NULL,
      ADIT_EUNSUPPORTED,
      "unsupported transport",
      0 },
    { "a circuit",
      { "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B },
      ADIT_EUNSUPPORTED,
      NULL,
      ADIT_EUNSUPPORTED,
      "a circuit is not dialled by TCP",
      0 },
    { "port 0",
      { "/ip4/127.0.0.1/tcp/0" },
      ADIT_EUNSUPPORTED,
      NULL,
      ADIT_EINVAL,
      "nobody can be reached there",
      0 },
    { "the unspecified address",
      { "/ip4/0.0.0.0/tcp/1" },
      ADIT_EUNSUPPORTED,
      NULL,
      ADIT_EINVAL,
      "nobody can be reached there",
      0 },
    { "a zone that is not here",
      { "/ip6zone/nosuch9/ip6/fe80::1/tcp/1" },
      ADIT_EUNREACHABLE,
      NULL,
      ADIT_EUNREACHABLE,
      "no interface has its zone",
      0 },
    { "a name of IPv4",
      { "/dns4/four.example/tcp/%u/p2p/" PEER_A },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A,
      ADIT_OK,
      "",
      1 },
    { "any name",
      { "/dns/four.example/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_OK,
      "",
      99 },
    { "IPv6 is refused, IPv4 is not",
      { "/dns/both.example/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_OK,
      "",
      99 },
    { "no such name",
      { "/dns4/none.example/tcp/%u" },
      ADIT_ERESOLVE,
      NULL,
      ADIT_ERESOLVE,
      "its name could not be resolved",
      99 },
    { "servers that fail",
      { "/dns4/broken.example/tcp/%u" },
      ADIT_ERESOLVE,
      NULL,
      ADIT_ERESOLVE,
      "its name could not be resolved",
      99 },
    { "a bad name does not harm a good address",
      { "/dns4/none.example/tcp/%u", "/ip4/127.0.0.1/tcp/%u" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u",
      ADIT_OK,
      "",
      99 },
    { "dnsaddr, of that peer only",
      { "/dnsaddr/peers.example/p2p/" PEER_A },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A,
      ADIT_OK,
      "",
      1 },
    { "dnsaddr of a peer that is not in it",
      { "/dnsaddr/peers.example/p2p/"
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N" },
      ADIT_ERESOLVE,
      NULL,
      ADIT_ERESOLVE,
      "its name leads to nothing of this",
      1 },
    { "dnsaddr of dnsaddr",
      { "/dnsaddr/one.example" },
      ADIT_OK,
      "/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A,
      ADIT_OK,
      "",
      3 },
    { "dnsaddr of itself",
      { "/dnsaddr/loop.example" },
      ADIT_ERESOLVE,
      NULL,
      ADIT_ELIMIT,
      "too many names behind names",
      ADIT_DIAL_MAX_DEPTH },
};

static void
dials(struct rig *r)
{
    struct port good;
    struct dnsd dns;
    struct adit_resolver *res;
    struct adit_resolver_config rc;

    assert_true(open_port(r, &good, false, 0));
    snprintf(text_good, sizeof(text_good),
             "dnsaddr=/ip4/127.0.0.1/tcp/%u/p2p/" PEER_A,
             (unsigned)port_of(&good));
    snprintf(text_good_b, sizeof(text_good_b),
             "dnsaddr=/ip4/127.0.0.1/tcp/%u/p2p/" PEER_B,
             (unsigned)port_of(&good));
    snprintf(text_mixed, sizeof(text_mixed),
             "dnsaddr=/ip4/127.0.0.1/udp/%u/quic-v1/p2p/" PEER_A,
             (unsigned)port_of(&good));
    dnsd_init(&dns, r, names);
    rc.servers = dns.servers;
    assert_int_equal(adit_resolver_new(r->w, &rc, &res), ADIT_OK);

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_maddr addrs[4];
        struct adit_dial_config cfg = {
            .addrs = addrs,
            .deadline = in_us(r, 15 * ADIT_S),
            .resolver = res,
        };
        struct call c = { .r = r };

        print_message("%s\n", cases[i].why);
        for (; cfg.n < 4 && cases[i].addr[cfg.n] != NULL; cfg.n++)
            addrs[cfg.n] = maddr(cases[i].addr[cfg.n], port_of(&good));
        dns.n_asked = 0;
        start(&c, &cfg);
        rig_run(r);
        assert_int_equal(c.n_calls, 1);
        assert_int_equal(c.err, cases[i].want);
        if (cases[i].won != NULL) {
            struct adit_maddr won = maddr(cases[i].won, port_of(&good));

            assert_true(adit_maddr_eq(&c.addr, &won));
        }
        assert_true(has_row(&c, cases[i].row_err, cases[i].row_why));
        if (cases[i].asked != 99)
            assert_int_equal(dns.n_asked, cases[i].asked);
        hang_up(&c);
        while (good.n_in > 0) {
            good.n_in--;
            good.in[good.n_in]->ops->close(good.in[good.n_in], true);
        }
    }
    adit_resolver_free(res);
    dnsd_fini(&dns);
    close_port(&good);
}

static void
test_dials(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_LENT; k++) {
        struct rig r;

        rig_init(&r, (enum adit_worker_kind)k);
        dials(&r);
        rig_fini(&r);
    }
}

/* ---- an address that does not answer ------------------------------------ */

/* A listener whose queue is full: what comes later gets no answer. */
struct mute {
    int fd;
    int fill[8];
    struct adit_endpoint at;
};

static void
mute_init(struct mute *m)
{
    socklen_t n = sizeof(m->at);

    assert_int_equal(
        adit_endpoint_of_ip(adit_slice("\x7f\0\0\x01", 4), 0, &m->at),
        ADIT_OK);
    m->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(m->fd, &m->at.sa, sizeof(m->at.in4)), 0);
    assert_int_equal(listen(m->fd, 0), 0);
    assert_int_equal(getsockname(m->fd, &m->at.sa, &n), 0);
    for (size_t i = 0; i < ADIT_NITEMS(m->fill); i++) {
        m->fill[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(m->fill[i], &m->at.sa, sizeof(m->at.in4));
    }
}

static void
mute_fini(struct mute *m)
{
    for (size_t i = 0; i < ADIT_NITEMS(m->fill); i++)
        close(m->fill[i]);
    close(m->fd);
}

static void
test_stagger(void **state)
{
    struct rig r;
    struct port good;
    struct mute m;
    struct adit_maddr addrs[2];
    struct adit_dial_config cfg = { .addrs = addrs, .n = 2 };
    struct call c = { .r = &r };
    struct adit_instant began;
    int64_t took;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    mute_init(&m);
    assert_true(open_port(&r, &good, false, 0));
    addrs[0] = maddr("/ip4/127.0.0.1/tcp/%u", adit_endpoint_port(&m.at));
    addrs[1] = maddr("/ip4/127.0.0.1/tcp/%u", port_of(&good));
    began = adit_worker_now(r.w);
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    start(&c, &cfg);
    rig_run(&r);
    took = adit_instant_sub(adit_worker_now(r.w), began);
    assert_int_equal(c.err, ADIT_OK);
    assert_true(adit_maddr_eq(&c.addr, &addrs[1]));
    assert_true(took >= ADIT_DIAL_STAGGER_US);
    assert_int_equal(c.row[0].err, ADIT_CANCELLED);
    assert_string_equal(c.row[0].why, "another was faster");
    assert_true(c.row[0].took_us >= ADIT_DIAL_STAGGER_US);
    hang_up(&c);
    close_port(&good);
    mute_fini(&m);
    rig_fini(&r);
}

static void
test_deadline_and_cancel(void **state)
{
    struct rig r;
    struct mute m;
    struct adit_maddr addr;
    struct adit_dial_config cfg = { .addrs = &addr, .n = 1 };
    struct call late = { .r = &r }, given_up = { .r = &r };
    struct adit_dial *d;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    mute_init(&m);
    addr = maddr("/ip4/127.0.0.1/tcp/%u", adit_endpoint_port(&m.at));
    cfg.deadline = in_us(&r, 20 * ADIT_MS);
    start(&late, &cfg);
    d = start(&given_up, &cfg);
    adit_dial_cancel(d); /* before anything was begun */
    rig_run(&r);
    assert_int_equal(late.err, ADIT_ETIMEDOUT);
    assert_int_equal(late.n_rows, 1);
    assert_string_equal(late.row[0].why, "no answer in time");
    assert_int_equal(given_up.n_calls, 0);

    /* In the middle of connecting. */
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    d = start(&given_up, &cfg);
    event_base_loop(adit_worker_base(r.w), EVLOOP_NONBLOCK);
    adit_dial_cancel(d);
    adit_dial_cancel(d); /* its memory lasts to the end of the turn */
    adit_dial_cancel(NULL);
    event_base_loop(adit_worker_base(r.w), EVLOOP_NONBLOCK);
    assert_int_equal(given_up.n_calls, 0);
    mute_fini(&m);
    rig_fini(&r);
}

/* ---- families ------------------------------------------------------------ */

static void
test_ip6_first(void **state)
{
    struct rig r;
    struct port six, four;
    struct adit_maddr addrs[2];
    struct adit_dial_config cfg = { .addrs = addrs, .n = 2 };
    struct call c = { .r = &r };

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    if (!open_port(&r, &six, true, 0)) {
        rig_fini(&r);
        skip(); /* no IPv6 on this machine */
    }
    assert_true(open_port(&r, &four, false, 0));
    addrs[0] = maddr("/ip4/127.0.0.1/tcp/%u", port_of(&four));
    addrs[1] = maddr("/ip6/::1/tcp/%u", port_of(&six));
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    start(&c, &cfg);
    rig_run(&r);
    assert_int_equal(c.err, ADIT_OK);
    assert_true(adit_maddr_eq(&c.addr, &addrs[1]));
    assert_string_equal(c.row[0].why, "not needed");
    hang_up(&c);
    close_port(&six);
    close_port(&four);
    rig_fini(&r);
}

/* The answer about IPv6 is waited for, but not long. */
static void
test_resolution_delay(void **state)
{
    static const struct dns_row rows[] = {
        { "mute6.example", DNS_MUTE_AAAA, NULL },
        { "mute6.example", DNS_A, "127.0.0.1" },
        { NULL, 0, NULL },
    };
    struct rig r;
    struct port good;
    struct dnsd dns;
    struct adit_resolver *res;
    struct adit_resolver_config rc;
    struct adit_maddr addr;
    struct adit_dial_config cfg = { .addrs = &addr, .n = 1 };
    struct call c = { .r = &r };
    struct adit_instant began;
    int64_t took;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    dnsd_init(&dns, &r, rows);
    rc.servers = dns.servers;
    assert_int_equal(adit_resolver_new(r.w, &rc, &res), ADIT_OK);
    assert_true(open_port(&r, &good, false, 0));
    addr = maddr("/dns/mute6.example/tcp/%u", port_of(&good));
    began = adit_worker_now(r.w);
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    cfg.resolver = res;
    start(&c, &cfg);
    rig_run(&r);
    took = adit_instant_sub(adit_worker_now(r.w), began);
    assert_int_equal(c.err, ADIT_OK);
    assert_true(took >= ADIT_DIAL_RESOLUTION_DELAY_US);
    assert_true(took < 5 * ADIT_S); /* not until c-ares gives up */
    hang_up(&c);
    close_port(&good);
    adit_resolver_free(res);
    dnsd_fini(&dns);
    rig_fini(&r);
}

/* ---- from the listener's port -------------------------------------------- */

static void
test_from_our_port(void **state)
{
    struct rig r;
    struct port ours, good;
    struct adit_maddr addr;
    struct adit_dial_config cfg = { .addrs = &addr, .n = 1 };
    struct call c[2] = { { .r = &r }, { .r = &r } };

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    assert_true(open_port(&r, &ours, false, 0));
    assert_true(open_port(&r, &good, false, 0));
    addr = maddr("/ip4/127.0.0.1/tcp/%u", port_of(&good));
    cfg.bind4 = *adit_listener_local(ours.l);
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    for (int i = 0; i < 2; i++) {
        start(&c[i], &cfg);
        rig_run(&r);
        assert_int_equal(c[i].err, ADIT_OK);
    }
    assert_int_equal(adit_endpoint_port(&c[0].p->local), port_of(&ours));
    /* The same pair of ports is taken: any other will do. */
    assert_int_not_equal(adit_endpoint_port(&c[1].p->local), port_of(&ours));
    hang_up(&c[0]);
    hang_up(&c[1]);
    close_port(&ours);
    close_port(&good);
    rig_fini(&r);
}

static void
test_not_ourselves(void **state)
{
    struct rig r;
    struct port ours;
    struct adit_maddr addr;
    struct adit_dial_config cfg = { .addrs = &addr, .n = 1 };
    struct call c = { .r = &r };

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    assert_true(open_port(&r, &ours, false, 0));
    addr = maddr("/ip4/127.0.0.1/tcp/%u", port_of(&ours));
    cfg.bind4 = *adit_listener_local(ours.l);
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    close_port(&ours);
    start(&c, &cfg);
    rig_run(&r);
    assert_int_equal(c.err, ADIT_EUNREACHABLE);
    assert_string_equal(c.row[0].why, "connection refused");
    rig_fini(&r);
}

/* ---- bounds --------------------------------------------------------------- */

static void
test_bounds(void **state)
{
    struct rig r;
    struct adit_maddr addrs[ADIT_DIAL_MAX_ROWS + 8];
    struct adit_dial_config cfg = { .addrs = addrs };
    struct call c = { .r = &r };
    struct adit_dial *d = NULL;

    (void)state;
    rig_init(&r, ADIT_WORKER_HAND);
    addrs[0] = maddr("/ip4/127.0.0.1/tcp/1", 0);
    cfg.n = 1;
    assert_int_equal(adit_dial_start(r.w, &cfg, on_dialled, &c, &d),
                     ADIT_ESTATE);
    rig_fini(&r);

    rig_init(&r, ADIT_WORKER_OWN);
    cfg.n = 0;
    assert_int_equal(adit_dial_start(r.w, &cfg, on_dialled, &c, &d),
                     ADIT_EINVAL);
    assert_null(d);
    for (cfg.n = 0; cfg.n < ADIT_NITEMS(addrs); cfg.n++)
        addrs[cfg.n] = maddr("/ip4/127.0.0.1/tcp/1", 0);
    cfg.deadline = in_us(&r, 10 * ADIT_S);
    start(&c, &cfg);
    rig_run(&r);
    assert_int_equal(c.err, ADIT_EUNREACHABLE);
    assert_int_equal(c.n_rows, ADIT_DIAL_MAX_ROWS);

    /* Names without a resolver. */
    c = (struct call){ .r = &r };
    addrs[0] = maddr("/dns/both.example/tcp/1", 0);
    cfg.n = 1;
    start(&c, &cfg);
    rig_run(&r);
    assert_int_equal(c.err, ADIT_ERESOLVE);
    rig_fini(&r);
}

static void
test_without_memory(void **state)
{
    bool passed = false;

    (void)state;
    for (uint64_t nth = 1; !passed; nth++) {
        struct rig r;
        struct port good;
        struct dnsd dns;
        struct adit_resolver *res;
        struct adit_resolver_config rc;
        struct adit_maddr addr;
        struct adit_dial_config cfg = { .addrs = &addr, .n = 1 };
        struct call c = { .r = &r };
        struct adit_dial *d;
        adit_err e;

        assert_true(nth < 100);
        rig_init(&r, ADIT_WORKER_OWN);
        dnsd_init(&dns, &r, names);
        rc.servers = dns.servers;
        assert_int_equal(adit_resolver_new(r.w, &rc, &res), ADIT_OK);
        assert_true(open_port(&r, &good, false, 0));
        addr = maddr("/dns4/four.example/tcp/%u", port_of(&good));
        cfg.deadline = in_us(&r, 50 * ADIT_MS);
        cfg.resolver = res;
        assert_int_equal(adit_timer_set(r.w, &r.watchdog, in_us(&r, ADIT_S)),
                         ADIT_OK);
        r.mem.fail_at = r.mem.n_allocs + nth;
        e = adit_dial_start(r.w, &cfg, on_dialled, &c, &d);
        if (e == ADIT_OK) {
            rig_run(&r);
            assert_int_equal(c.n_calls, 1);
            passed = c.err == ADIT_OK && r.mem.n_allocs < r.mem.fail_at;
        } else {
            assert_int_equal(e, ADIT_ENOMEM);
        }
        r.mem.fail_at = 0;
        hang_up(&c);
        adit_resolver_free(res);
        dnsd_fini(&dns);
        close_port(&good);
        rig_fini(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dials),
        cmocka_unit_test(test_stagger),
        cmocka_unit_test(test_deadline_and_cancel),
        cmocka_unit_test(test_ip6_first),
        cmocka_unit_test(test_resolution_delay),
        cmocka_unit_test(test_from_our_port),
        cmocka_unit_test(test_not_ourselves),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
