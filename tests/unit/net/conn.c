/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Two connections over a pipe that takes as much as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/conn.h"

/* More than two out-queues and all that a handshake says. */
#define WIRE_BYTES (1024 * 1024)

struct end {
    struct adit_pipe pipe; /* first */
    struct end *other;
    uint8_t *wire; /* what came for this end, dead bytes in front */
    size_t n;
    size_t takes; /* so much of what is sent; SIZE_MAX: all */
    bool is_blocked, is_closed;
    struct adit_conn *conn;
    bool is_ready;
    unsigned n_room;
    size_t n_data;
};

struct pair {
    struct adit_mem mem;
    struct adit_worker *w;
    struct adit_metrics metrics;
    struct adit_identity id;
    struct adit_net net;
    struct adit_instant now;
    uint8_t rng;
    struct end a, b; /* a dials */
};

/* ---- the pipe ---------------------------------------------------------- */

static adit_err
end_send(struct adit_pipe *p, const struct adit_slice *v, size_t n,
         size_t *taken)
{
    struct end *e = (struct end *)(void *)p, *to = e->other;

    *taken = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = ADIT_MIN(v[i].n, e->takes);

        assert_true(to->n + k <= WIRE_BYTES);
        memcpy(to->wire + ADIT_SCRATCH_HEAD_BYTES + to->n, v[i].p, k);
        to->n += k;
        *taken += k;
        if (e->takes != SIZE_MAX)
            e->takes -= k;
        if (k < v[i].n) {
            e->is_blocked = true;
            break;
        }
    }
    return ADIT_OK;
}

static void
end_pause(struct adit_pipe *p, bool stop)
{
    (void)p;
    (void)stop;
}

static void
end_shut(struct adit_pipe *p)
{
    (void)p;
}

static void
end_close(struct adit_pipe *p, bool abort)
{
    (void)abort;
    ((struct end *)(void *)p)->is_closed = true;
}

static void
end_describe(const struct adit_pipe *p, bool remote, struct adit_maddr *out)
{
    (void)p;
    (void)remote;
    out->n = 0;
}

static const struct adit_pipe_ops pipe_ops = {
    end_send, end_pause, end_shut, end_close, end_describe,
};

/* ---- what the connections say ------------------------------------------ */

static void
on_ready(void *ctx, struct adit_conn *c)
{
    (void)c;
    ((struct end *)ctx)->is_ready = true;
}

static void
on_stream(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    (void)c;
    s->user = ctx;
}

static void
on_data(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s,
        struct adit_mslice data)
{
    ((struct end *)ctx)->n_data += data.n;
    adit_conn_consumed(c, s, data.n);
}

static void
on_fin(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    (void)ctx;
    (void)c;
    (void)s;
}

static void
on_reset(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s,
         uint32_t code)
{
    (void)ctx;
    (void)c;
    (void)s;
    (void)code;
}

static void
on_room(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    (void)c;
    if (s == NULL)
        ((struct end *)ctx)->n_room++;
}

static void
on_rtt(void *ctx, struct adit_conn *c, int64_t us)
{
    (void)ctx;
    (void)c;
    (void)us;
}

static void
on_end(void *ctx, struct adit_conn *c, adit_err why, const char *text)
{
    (void)c;
    (void)why;
    (void)text;
    ((struct end *)ctx)->conn = NULL;
}

static const struct adit_conn_up up = {
    on_ready, on_stream, on_data, on_fin, on_reset, on_room, on_rtt, on_end,
};

/* ---- the pair ---------------------------------------------------------- */

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    uint8_t *next = ctx;

    for (size_t i = 0; i < n; i++)
        dst[i] = (*next)++;
}

/* What came for `e` goes in. */
static bool
deliver(struct end *e)
{
    size_t n = e->n;

    if (n == 0 || e->is_closed)
        return false;
    e->n = 0;
    e->pipe.up->on_input(
        e->pipe.up_ctx,
        (struct adit_mslice){ e->wire + ADIT_SCRATCH_HEAD_BYTES, n });
    return true;
}

/* A turn of the worker; true: something happened. */
static bool
turn(struct pair *p)
{
    p->now.us += 1000;
    return adit_worker_turn(p->w, p->now, 1700000000);
}

static void
run(struct pair *p)
{
    bool again = true;

    while (again) {
        again = turn(p);
        again = deliver(&p->a) || again;
        again = deliver(&p->b) || again;
    }
}

static int
setup(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    struct adit_worker_config wc = { .kind = ADIT_WORKER_HAND,
                                     .buffer_bytes = 16 << 20 };
    struct adit_net_config nc = {
        .early_muxer = true,
        .handshake_us = 15 * ADIT_S,
        .partial_us = 10 * ADIT_S,
        .stall_us = 30 * ADIT_S,
        .mux = { .max_streams = 16, .window_max_bytes = 256 * 1024 },
    };

    assert_non_null(p);
    adit_mem_init(&p->mem, NULL, SIZE_MAX);
    p->now.us = ADIT_S;
    wc.mem = &p->mem;
    wc.rng = (struct adit_rng){ fill, &p->rng };
    assert_int_equal(adit_worker_new(&wc, &p->w), ADIT_OK);
    turn(p);
    adit_identity_make(&p->id, &wc.rng);
    nc.identity = &p->id;
    nc.metrics = &p->metrics;
    assert_int_equal(adit_net_init(&p->net, p->w, &nc), ADIT_OK);
    p->a.other = &p->b;
    p->b.other = &p->a;
    for (int i = 0; i < 2; i++) {
        struct end *e = i == 0 ? &p->a : &p->b;

        e->pipe.ops = &pipe_ops;
        e->takes = SIZE_MAX;
        e->wire = malloc(ADIT_SCRATCH_HEAD_BYTES + WIRE_BYTES);
        assert_non_null(e->wire);
        assert_int_equal(
            adit_conn_new(&p->net, &e->pipe, i == 0, NULL, &up, e, &e->conn),
            ADIT_OK);
    }
    run(p);
    assert_true(p->a.is_ready && p->b.is_ready);
    *state = p;
    return 0;
}

static int
teardown(void **state)
{
    struct pair *p = *state;

    for (int i = 0; i < 2; i++) {
        struct end *e = i == 0 ? &p->a : &p->b;

        if (e->conn != NULL)
            adit_conn_close(e->conn, ADIT_CANCELLED, "test");
    }
    adit_worker_settle(p->w);
    adit_net_fini(&p->net);
    adit_worker_free(p->w);
    adit_identity_fini(&p->id);
    assert_int_equal(p->mem.used_bytes, 0);
    free(p->a.wire);
    free(p->b.wire);
    free(p);
    return 0;
}

static struct adit_yamux_stream *
open_stream(struct pair *p)
{
    struct adit_yamux_stream *s = NULL;

    assert_int_equal(adit_conn_open(p->a.conn, &s), ADIT_OK);
    run(p);
    return s;
}

/* Send `n` bytes on `s`; how many were taken. */
static size_t
send_some(struct pair *p, struct adit_yamux_stream *s, size_t n)
{
    uint8_t *body = calloc(1, ADIT_YAMUX_HEADER_BYTES + n);
    size_t done;

    assert_non_null(body);
    done = adit_conn_send(
        p->a.conn, s,
        (struct adit_mslice){ body + ADIT_YAMUX_HEADER_BYTES, n });
    free(body);
    return done;
}

#define MUCH (200 * 1024)

static void
test_passes(void **state)
{
    struct pair *p = *state;
    struct adit_yamux_stream *s = open_stream(p);

    assert_int_equal(send_some(p, s, MUCH), MUCH);
    run(p);
    assert_int_equal(p->b.n_data, MUCH);
    assert_int_equal(p->a.n_room, 0);
}

static void
test_full_then_writable(void **state)
{
    struct pair *p = *state;
    struct adit_yamux_stream *s = open_stream(p);
    size_t n;

    p->a.takes = 0;
    n = send_some(p, s, MUCH);
    assert_true(n > 0 && n < MUCH);
    run(p);
    assert_int_equal(p->a.n_room, 0);
    assert_true(p->a.is_blocked);

    p->a.takes = SIZE_MAX;
    p->a.pipe.up->on_writable(p->a.pipe.up_ctx);
    run(p);
    assert_int_equal(p->a.n_room, 1);
    assert_int_equal(p->b.n_data, n);
}

/* The one who is refused hears of the room that another made. */
static void
test_room_found_by_another(void **state)
{
    struct pair *p = *state;
    struct adit_yamux_stream *first = open_stream(p), *second = open_stream(p);
    size_t n;

    p->a.takes = 0;
    n = send_some(p, first, MUCH);
    assert_true(n > 0 && n < MUCH);
    p->a.takes = SIZE_MAX; /* the kernel has room again, in the same turn */
    assert_int_equal(send_some(p, second, 1000), 1000);
    run(p);
    assert_int_equal(p->a.n_room, 1);
    assert_int_equal(p->b.n_data, n + 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_then_writable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_room_found_by_another, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
