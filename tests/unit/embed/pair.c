/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Two and three nodes in one process, each on a thread of its own, or all in
 * one event base, over loopback: what the public API promises of streams.
 */
#include "duo.h"

#define ECHO "/x/echo/1"

/* ---- an echo, at the peer's pace -------------------------------------------- */

struct echo {
    struct echo *next; /* of all: a node that is freed tells nobody */
    char buf[16384];
    size_t off, n;
};

static struct echo *echoes;

static void
echo_drop(struct echo *e)
{
    struct echo **p = &echoes;

    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    free(e);
}

static int
forget_echoes(void **state)
{
    (void)state;
    while (echoes != NULL)
        echo_drop(echoes);
    return 0;
}

static void
echo_pump(void *ctx, adit_stream *s)
{
    struct echo *e = ctx;

    for (;;) {
        size_t k;
        adit_err r;

        if (e->n == 0) {
            r = adit_stream_read(s, e->buf, sizeof(e->buf), &e->n);
            if (r == ADIT_DONE) {
                adit_stream_close(s);
                echo_drop(e);
                return;
            }
            if (r != ADIT_OK)
                return;
            e->off = 0;
        }
        r = adit_stream_write(s, e->buf + e->off, e->n, &k);
        if (r != ADIT_OK)
            return;
        e->off += k;
        e->n -= k;
    }
}

static void
echo_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    (void)why;
    (void)text;
    adit_stream_close(s);
    echo_drop(ctx);
}

static void
on_echo(struct duo_node *d, adit_stream *s)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    struct echo *e = calloc(1, sizeof(*e));

    (void)d;
    assert_non_null(e);
    e->next = echoes;
    echoes = e;
    ev.ctx = e;
    ev.on_readable = echo_pump;
    ev.on_writable = echo_pump;
    ev.on_failed = echo_failed;
    adit_stream_set_events(s, &ev);
}

/* ---- who calls ------------------------------------------------------------------ */

struct caller {
    adit_stream *s;
    size_t to_send, sent, got;
    bool opened, fin, failed, finish_when_sent;
    adit_err err;
    char why[200];
    bool wrong;
    int free_at; /* free the node in this callback, counted from 1 */
    struct duo_node *d;
};

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 9));
}

static void
call_send(struct caller *c)
{
    while (c->sent < c->to_send) {
        uint8_t buf[10000];
        size_t want = c->to_send - c->sent, n;

        if (want > sizeof(buf))
            want = sizeof(buf);
        for (size_t i = 0; i < want; i++)
            buf[i] = pattern(c->sent + i);
        if (adit_stream_write(c->s, buf, want, &n) != ADIT_OK)
            return;
        c->sent += n;
    }
    if (c->finish_when_sent)
        adit_stream_finish(c->s);
}

static void
call_open(void *ctx, adit_stream *s)
{
    struct caller *c = ctx;

    (void)s;
    c->opened = true;
}

static void
call_readable(void *ctx, adit_stream *s)
{
    struct caller *c = ctx;
    uint8_t buf[30000];
    size_t n;
    adit_err e;

    while ((e = adit_stream_read(s, buf, sizeof(buf), &n)) == ADIT_OK) {
        for (size_t i = 0; i < n; i++)
            c->wrong |= buf[i] != pattern(c->got + i);
        c->got += n;
    }
    if (e == ADIT_DONE)
        c->fin = true;
}

static void
call_writable(void *ctx, adit_stream *s)
{
    (void)s;
    call_send(ctx);
}

static void
call_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    struct caller *c = ctx;

    assert_string_equal(text, adit_stream_why(s));
    c->failed = true;
    c->err = why;
    snprintf(c->why, sizeof(c->why), "%s", text);
}

static void
call(struct caller *c, struct duo_node *from, const char *addr,
     const char *protocol, const struct adit_dial_options *opt)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    c->d = from;
    ev.ctx = c;
    ev.on_open = call_open;
    ev.on_readable = call_readable;
    ev.on_writable = call_writable;
    ev.on_failed = call_failed;
    assert_int_equal(adit_open(from->n, addr, protocol, opt, &ev, &c->s),
                     ADIT_OK);
}

/* A pair, `b` listens and echoes, `a` knows where. */
static void
pair(struct duo *u, bool attached)
{
    duo_init(u, attached);
    struct duo_node *a = duo_add(u, NULL);
    struct duo_node *b = duo_add(u, duo_listen);

    b->on_stream = on_echo;
    assert_int_equal(adit_handle(b->n, ECHO, true), ADIT_OK);
    duo_start(b);
    duo_start(a);
    DUO_UNTIL(u, b->addr[0] != '\0');
}

static bool
attached(void **state)
{
    return *(const bool *)*state;
}

/* ---- tests ------------------------------------------------------------------------ */

static void
echo_a_mebibyte(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 1 << 20, .finish_when_sent = true };

    pair(&u, attached(state));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.fin || c.failed);
    assert_false(c.failed);
    assert_true(c.opened);
    assert_false(c.wrong);
    assert_int_equal(c.got, 1 << 20);

    struct adit_conn_info i = { .size = sizeof(i) };

    assert_int_equal(adit_stream_conn(c.s, &i), ADIT_OK);
    assert_string_equal(i.peer, u.v[1].id);
    assert_string_equal(i.addr, u.v[1].addr);
    assert_null(i.relay);
    assert_false(i.is_limited);
    assert_true(i.left_out_bytes == UINT64_MAX && i.left_ms == INT64_MAX);
    assert_string_equal(adit_stream_protocol(c.s), ECHO);
    adit_stream_close(c.s);

    DUO_UNTIL(&u, u.v[0].n_peer == 1 && u.v[1].n_peer == 1);
    assert_int_equal(u.v[0].n_conn, 1);
    assert_int_equal(u.v[1].n_conn, 1);
    assert_int_equal(strncmp(u.v[0].agent, "adit/", 5), 0);
    duo_fini(&u);
}

/* The connection is used again; a bare name is enough when it is open. */
static void
ping_and_names(void **state)
{
    struct duo u;
    char bare[128];

    pair(&u, attached(state));
    assert_int_equal(adit_ping(u.v[0].n, u.v[1].addr, NULL, 3, 1, &u),
                     ADIT_OK);
    DUO_UNTIL(&u, u.v[0].n_ping_end == 1);
    assert_int_equal(u.v[0].n_pong, 3);
    assert_int_equal(u.v[0].ping_err, ADIT_DONE);

    snprintf(bare, sizeof(bare), "/p2p/%s", u.v[1].id);
    assert_int_equal(adit_ping(u.v[0].n, bare, NULL, 1, 0, NULL), ADIT_OK);
    DUO_UNTIL(&u, u.v[0].n_ping_end == 2);
    assert_int_equal(u.v[0].n_pong, 4);
    assert_int_equal(u.v[0].n_conn, 1);

    snprintf(bare, sizeof(bare), "/p2p/%s", u.v[0].id);
    assert_int_equal(
        adit_ping(u.v[0].n, "/ip4/127.0.0.1/tcp/1", NULL, 1, 0, NULL),
        ADIT_EINVAL);
    duo_fini(&u);
}

/* A reader that stops stops the writer, whatever he would like to send. */
static adit_stream *sleeper;

static void
on_sleeper(struct duo_node *d, adit_stream *s)
{
    (void)d;
    sleeper = s;
}

static void
slow_reader(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 64 << 20 };
    size_t before, got = 0;

    pair(&u, attached(state));
    sleeper = NULL;
    u.v[1].on_stream = on_sleeper;
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, sleeper != NULL);
    duo_for_ms(&u, 300);
    before = c.sent;
    duo_for_ms(&u, 200);
    assert_int_equal(c.sent, before);
    /* Room to write, window, and what lies in sockets: nothing else. */
    assert_true(before <= 4 << 20);

    while (got < 8 << 20) {
        uint8_t buf[65536];
        size_t n;
        adit_err e = adit_stream_read(sleeper, buf, sizeof(buf), &n);

        if (e == ADIT_AGAIN) {
            duo_turn(&u);
            continue;
        }
        assert_int_equal(e, ADIT_OK);
        for (size_t i = 0; i < n; i++)
            c.wrong |= buf[i] != pattern(got + i);
        got += n;
    }
    assert_false(c.wrong);
    assert_true(c.sent > before);
    adit_stream_abort(sleeper);
    DUO_UNTIL(&u, c.failed);
    assert_int_equal(c.err, ADIT_ERESET);
    adit_stream_close(c.s);
    duo_fini(&u);
}

/* close: everything written arrives, then the end.  abort: a reset. */
struct drain {
    adit_stream *s;
    size_t got;
    bool fin, failed;
};

static struct drain drain;

static void
drain_readable(void *ctx, adit_stream *s)
{
    struct drain *d = ctx;
    uint8_t buf[65536];
    size_t n;
    adit_err e;

    while ((e = adit_stream_read(s, buf, sizeof(buf), &n)) == ADIT_OK)
        d->got += n;
    if (e == ADIT_DONE)
        d->fin = true;
}

static void
drain_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    struct drain *d = ctx;

    (void)s;
    (void)why;
    (void)text;
    d->failed = true;
}

static void
on_drain(struct duo_node *d, adit_stream *s)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    (void)d;
    drain = (struct drain){ .s = s };
    ev.ctx = &drain;
    ev.on_readable = drain_readable;
    ev.on_failed = drain_failed;
    adit_stream_set_events(s, &ev);
}

static void
close_sends_all(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 200000 };

    pair(&u, attached(state));
    u.v[1].on_stream = on_drain;
    memset(&drain, 0, sizeof(drain));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    assert_int_equal(c.sent, 200000); /* before anything is connected */
    adit_stream_close(c.s);
    DUO_UNTIL(&u, drain.fin);
    assert_int_equal(drain.got, 200000);
    assert_false(drain.failed);
    adit_stream_close(drain.s);
    duo_for_ms(&u, 50);
    assert_int_equal(u.v[0].n_conn_end, 0);
    duo_fini(&u);
}

/* The same, with the node freed at once: its thread sees them off. */
static void
free_sends_all(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 200000 };

    (void)state;
    pair(&u, false);
    u.v[1].on_stream = on_drain;
    memset(&drain, 0, sizeof(drain));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    DUO_UNTIL(&u, c.opened);
    call_send(&c);
    adit_stream_close(c.s);
    adit_node_free(u.v[0].n);
    u.v[0].n = NULL;
    DUO_UNTIL(&u, drain.fin);
    assert_int_equal(drain.got, 200000);
    adit_stream_close(drain.s);
    duo_fini(&u);
}

/* Many streams at once, some closed, some aborted, some left to the end. */
#define N_MANY 100

static void
many_streams(void **state)
{
    struct duo u;
    static struct caller c[N_MANY];
    int left = 0;

    pair(&u, attached(state));
    memset(c, 0, sizeof(c));
    for (int i = 0; i < N_MANY; i++) {
        c[i].to_send = (size_t)i * 1000 + 1;
        c[i].finish_when_sent = i % 3 == 0;
        call(&c[i], &u.v[0], u.v[1].addr, ECHO, NULL);
        call_send(&c[i]);
        if (i % 3 == 1)
            adit_stream_close(c[i].s);
        else if (i % 3 == 2 && i % 2 == 0)
            adit_stream_abort(c[i].s);
    }
    for (int i = 0; i < N_MANY; i++) {
        if (i % 3 == 0) {
            DUO_UNTIL(&u, c[i].fin || c[i].failed);
            assert_string_equal(c[i].why, "");
            assert_int_equal(c[i].got, c[i].to_send);
            assert_false(c[i].wrong);
            adit_stream_close(c[i].s);
        }
        left += i % 3 == 2 && i % 2 != 0;
    }
    assert_int_equal(u.v[0].n_conn, 1); /* one for all of them */
    assert_true(left > 0);              /* duo_fini() ends these */
    duo_fini(&u);
}

static void
abort_resets(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 1000 };

    pair(&u, attached(state));
    u.v[1].on_stream = on_drain;
    memset(&drain, 0, sizeof(drain));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, drain.got == 1000);
    adit_stream_abort(c.s);
    DUO_UNTIL(&u, drain.failed);
    assert_false(drain.fin);
    adit_stream_close(drain.s);
    duo_fini(&u);
}

/* Half-close: we have ended, they go on. */
static void
finish_then_read(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 10, .finish_when_sent = true };
    size_t n;

    pair(&u, attached(state));
    u.v[1].on_stream = on_drain;
    memset(&drain, 0, sizeof(drain));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    assert_int_equal(adit_stream_write(c.s, "x", 1, &n), ADIT_ESTATE);
    DUO_UNTIL(&u, drain.fin);
    assert_int_equal(drain.got, 10);
    for (size_t i = 0; i < 100; i++) {
        uint8_t b = pattern(i);

        assert_int_equal(adit_stream_write(drain.s, &b, 1, &n), ADIT_OK);
    }
    DUO_UNTIL(&u, c.got == 100);
    adit_stream_close(drain.s);
    DUO_UNTIL(&u, c.fin);
    assert_false(c.wrong || c.failed);
    adit_stream_close(c.s);
    duo_fini(&u);
}

/* What cannot be opened says why. */
static void
failures(void **state)
{
    struct adit_dial_options opt = ADIT_DIAL_OPTIONS_INIT;
    struct duo u;
    struct caller none = { 0 }, refused = { 0 }, lost = { 0 }, wrong = { 0 };
    char addr[256];
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;
    adit_stream *s;

    pair(&u, attached(state));
    call(&none, &u.v[0], u.v[1].addr, "/x/none", NULL);
    DUO_UNTIL(&u, none.failed);
    assert_int_equal(none.err, ADIT_EUNSUPPORTED);

    opt.timeout_ms = 5000;
    snprintf(addr, sizeof(addr), "/ip4/127.0.0.1/tcp/1/p2p/%s", u.v[0].id);
    call(&refused, &u.v[1], addr, ECHO, &opt);
    snprintf(addr, sizeof(addr), "%.*s%s",
             (int)(strstr(u.v[1].addr, "/p2p/") + 5 - u.v[1].addr),
             u.v[1].addr, u.v[0].id);
    call(&wrong, &u.v[0], addr, ECHO, &opt);
    call(&lost, &u.v[0],
         "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", ECHO,
         &opt);
    DUO_UNTIL(&u, lost.failed && wrong.failed);
    DUO_UNTIL(&u, refused.failed || refused.opened);
    assert_int_equal(lost.err, ADIT_EUNREACHABLE);
    assert_true(wrong.err == ADIT_EAUTH || wrong.err == ADIT_EUNREACHABLE);
    assert_int_equal(
        adit_open(u.v[0].n, "/ip4/1.2.3.4/tcp/5", ECHO, NULL, &ev, &s),
        ADIT_EINVAL);
    assert_int_equal(adit_open(u.v[0].n, u.v[1].addr, "echo", NULL, &ev, &s),
                     ADIT_EINVAL);
    adit_stream_close(none.s);
    adit_stream_close(refused.s);
    adit_stream_close(lost.s);
    adit_stream_close(wrong.s);
    duo_fini(&u);
}

/* The peer's node is freed: its streams fail here. */
static void
peer_goes(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 5 };

    pair(&u, attached(state));
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.got == 5);
    adit_node_free(u.v[1].n);
    u.v[1].n = NULL;
    DUO_UNTIL(&u, c.failed && u.v[0].n_conn_end == 1);

    struct adit_conn_info i = { .size = sizeof(i) };

    assert_int_equal(adit_stream_conn(c.s, &i), ADIT_ESTATE);
    adit_stream_close(c.s);
    duo_fini(&u);
}

/* ---- free from inside a callback -------------------------------------------------- */

static void
free_here(struct duo_node *d)
{
    adit_node_free(d->n);
    d->n = NULL;
}

static void
free_on_stream(struct duo_node *d, adit_stream *s)
{
    (void)s;
    free_here(d);
}

static void
free_on_open(void *ctx, adit_stream *s)
{
    struct caller *c = ctx;

    adit_stream_close(s);
    free_here(c->d);
}

static void
free_on_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    struct caller *c = ctx;

    (void)s;
    (void)why;
    (void)text;
    free_here(c->d);
}

static void
free_on_readable(void *ctx, adit_stream *s)
{
    struct caller *c = ctx;

    adit_stream_abort(s);
    free_here(c->d);
}

static void
freed_inside(void **state)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;
    struct duo u;
    struct caller c = { .to_send = 100000 };

    for (int which = 0; which < 3; which++) {
        pair(&u, attached(state));
        c = (struct caller){ .to_send = 100000, .d = &u.v[0] };
        ev.ctx = &c;
        ev.on_open = which == 0 ? free_on_open : NULL;
        ev.on_readable = which == 1 ? free_on_readable : NULL;
        ev.on_failed = which == 2 ? free_on_failed : NULL;
        assert_int_equal(adit_open(u.v[0].n, u.v[1].addr,
                                   which == 2 ? "/x/none" : ECHO, NULL, &ev,
                                   &c.s),
                         ADIT_OK);
        call_send(&c);
        DUO_UNTIL(&u, u.v[0].n == NULL);
        duo_for_ms(&u, 20);
        duo_fini(&u);
    }
    /* And the side that is called. */
    pair(&u, attached(state));
    u.v[1].on_stream = free_on_stream;
    c = (struct caller){ .to_send = 100000 };
    call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, u.v[1].n == NULL && c.failed);
    adit_stream_close(c.s);
    duo_fini(&u);
}

/* Freed at every possible moment of an open, and before it ever ran. */
static void
freed_any_time(void **state)
{
    for (int turns = -1; turns < 40; turns++) {
        struct duo u;
        struct caller c = { .to_send = 300000 };

        if (turns < 0) {
            duo_init(&u, attached(state));
            duo_add(&u, duo_listen);
            assert_int_equal(adit_handle(u.v[0].n, ECHO, true), ADIT_OK);
            assert_int_equal(
                adit_ping(u.v[0].n,
                          "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmwe"
                          "QAJU5SA",
                          NULL, 1, 0, NULL),
                ADIT_OK);
            call(&c, &u.v[0],
                 "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
                 ECHO, NULL);
            call_send(&c);
            adit_stream_close(c.s);
            call(&c, &u.v[0],
                 "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
                 ECHO, NULL);
            duo_fini(&u);
            continue;
        }
        pair(&u, attached(state));
        call(&c, &u.v[0], u.v[1].addr, ECHO, NULL);
        call_send(&c);
        for (int i = 0; i < turns; i++)
            duo_turn(&u);
        if (turns % 3 == 0)
            adit_stream_close(c.s);
        else if (turns % 3 == 1)
            adit_stream_abort(c.s);
        if (turns % 2 == 0)
            duo_turn(&u);
        duo_fini(&u);
    }
}

/* ---- through a relay ----------------------------------------------------------------- */

static void
relayed(struct duo *u, bool is_attached, const char *bytes,
        const char *duration)
{
    const char *const relay[] = { "listen.tcp",
                                  "/ip4/127.0.0.1/tcp/0",
                                  "relay.enabled",
                                  "yes",
                                  "announce.private",
                                  "yes",
                                  "circuit.data_bytes",
                                  bytes,
                                  "circuit.duration",
                                  duration,
                                  NULL };

    duo_init(u, is_attached);
    struct duo_node *a = duo_add(u, NULL);
    struct duo_node *b = duo_add(u, NULL);
    struct duo_node *r = duo_add(u, relay);

    duo_start(r);
    DUO_UNTIL(u, r->addr[0] != '\0');
    b->on_stream = on_echo;
    duo_start(b);
    assert_int_equal(adit_handle(b->n, ECHO, true), ADIT_OK);
    assert_int_equal(adit_reserve(b->n, r->addr), ADIT_OK);
    duo_start(a);
    DUO_UNTIL(u, b->n_reserved == 1 || b->n_lost > 0);
    if (b->n_lost > 0)
        fail_msg("not reserved: %s", b->lost_text);
    assert_int_not_equal(b->circuit[0], '\0');
}

static void
through_a_relay(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 20000, .finish_when_sent = true };
    struct caller direct = { 0 }, strict = { 0 };
    struct adit_dial_options opt = ADIT_DIAL_OPTIONS_INIT;
    struct adit_conn_info i = { .size = sizeof(i) };

    relayed(&u, attached(state), "128KiB", "2min");
    call(&c, &u.v[0], u.v[1].circuit, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.fin || c.failed);
    assert_string_equal(c.why, "");
    assert_int_equal(c.got, 20000);
    assert_false(c.wrong);
    assert_int_equal(adit_stream_conn(c.s, &i), ADIT_OK);
    assert_string_equal(i.peer, u.v[1].id);
    assert_string_equal(i.relay, u.v[2].id);
    assert_true(i.is_limited);
    assert_true(i.left_out_bytes < 131072 - 20000);
    assert_true(i.left_ms > 100000 && i.left_ms <= 120000);
    adit_stream_close(c.s);

    opt.mode = ADIT_DIAL_DIRECT_ONLY;
    call(&direct, &u.v[0], u.v[1].circuit, ECHO, &opt);
    opt.mode = ADIT_DIAL_ANY;
    opt.on_limited = false;
    call(&strict, &u.v[0], u.v[1].circuit, ECHO, &opt);
    DUO_UNTIL(&u, direct.failed && strict.failed);
    assert_int_equal(direct.err, ADIT_EUNREACHABLE);
    assert_int_equal(strict.err, ADIT_ELIMIT);
    assert_string_equal(strict.why, "the path is limited by a relay");
    adit_stream_close(direct.s);
    adit_stream_close(strict.s);
    duo_fini(&u);
}

/* Cut at the limit: warned before, told which one it was after. */
static void
cut_by_bytes(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 1 << 20 };

    relayed(&u, attached(state), "128KiB", "2min");
    call(&c, &u.v[0], u.v[1].circuit, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.failed);
    assert_string_equal(
        c.why, "the relay's limit of 131072 bytes each way was reached");
    assert_int_equal(c.err, ADIT_ELIMIT);
    DUO_UNTIL(&u, u.v[0].n_near == 1);
    assert_false(c.wrong);
    adit_stream_close(c.s);
    duo_fini(&u);
}

static void
cut_by_time(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 100 };

    relayed(&u, attached(state), "128KiB", "1s");
    call(&c, &u.v[0], u.v[1].circuit, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.failed);
    assert_string_equal(c.why, "the relay's limit of 1 s was reached");
    assert_int_equal(c.err, ADIT_EEXPIRED);
    assert_int_equal(c.got, 100);
    assert_int_equal(u.v[0].n_near, 1);
    adit_stream_close(c.s);
    duo_fini(&u);
}

/* A bare name, found behind the relay that the caller reserves on too. */
static void
by_name_alone(void **state)
{
    struct duo u;
    struct caller c = { .to_send = 1000, .finish_when_sent = true };
    char bare[128];

    relayed(&u, attached(state), "128KiB", "2min");
    assert_int_equal(adit_reserve(u.v[0].n, u.v[2].addr), ADIT_OK);
    DUO_UNTIL(&u, u.v[0].n_reserved == 1);
    snprintf(bare, sizeof(bare), "/p2p/%s", u.v[1].id);
    call(&c, &u.v[0], bare, ECHO, NULL);
    call_send(&c);
    DUO_UNTIL(&u, c.fin || c.failed);
    assert_string_equal(c.why, "");
    assert_int_equal(c.got, 1000);
    adit_stream_close(c.s);

    char text[16384];
    size_t n = adit_node_metrics(u.v[2].n, text, sizeof(text));

    assert_true(n > 0 && n < sizeof(text));
    assert_non_null(strstr(text, "\nadit_reservations 2\n"));
    duo_fini(&u);
}

#define BOTH(fn)                                                              \
    { #fn ", threads", fn, NULL, forget_echoes, &threads },                   \
    {                                                                         \
#fn ", attached", fn, NULL, forget_echoes, &lent                      \
    }

int
main(void)
{
    static bool threads = false, lent = true;
    const struct CMUnitTest tests[] = {
        BOTH(many_streams),
        cmocka_unit_test_teardown(free_sends_all, forget_echoes),
        BOTH(echo_a_mebibyte),
        BOTH(ping_and_names),
        BOTH(slow_reader),
        BOTH(close_sends_all),
        BOTH(abort_resets),
        BOTH(finish_then_read),
        BOTH(failures),
        BOTH(peer_goes),
        BOTH(freed_inside),
        BOTH(freed_any_time),
        BOTH(through_a_relay),
        BOTH(cut_by_bytes),
        BOTH(cut_by_time),
        BOTH(by_name_alone),
    };

    return cmocka_run_group_tests_name("embed/pair", tests, NULL, NULL);
}
