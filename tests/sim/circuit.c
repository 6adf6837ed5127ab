/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A relay, a listener that reserves on it, a dialer that reaches it through
 * the relay: one echo, under every way to cut bytes, with the link broken at
 * every step, with verdicts that come late.
 */
#include "world.h"

#include "host/circuit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ECHO "/sim/echo/1"

/* ---- an echo service ------------------------------------------------------ */

static size_t
echo_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    (void)ctx;
    return adit_hstream_write_copy(s, adit_slice(in.p, in.n));
}

static void
echo_room(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_resume(s);
}

static void
echo_fin(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_close(s);
}

static void
echo_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)ctx;
    (void)s;
    (void)why;
    (void)code;
}

static const struct adit_hstream_ops echo_ops = {
    .on_data = echo_data,
    .on_fin = echo_fin,
    .on_room = echo_room,
    .on_end = echo_end,
};

static void
echo_open(void *ctx, struct adit_hstream *s)
{
    adit_hstream_take(s, &echo_ops, ctx);
}

/* ---- one run ---------------------------------------------------------------- */

struct run {
    struct sim_world w;
    struct sim_node *relay, *a, *b;
    struct adit_service echo;
    struct adit_reserve *reserve;
    struct adit_connect *connect;
    struct adit_hstream *s;
    bool is_limited; /* the connection that was made */
    bool reserved;
    unsigned n_lost;
    adit_err outcome; /* AGAIN until it is over */
    size_t want, sent, back;
    bool fin_sent;
};

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void
send_more(struct run *r)
{
    while (r->sent < r->want) {
        uint8_t buf[4000];
        size_t n = ADIT_MIN(sizeof(buf), r->want - r->sent), took;

        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(r->sent + i);
        took = adit_hstream_write_copy(r->s, adit_slice(buf, n));
        r->sent += took;
        if (took < n)
            return;
    }
    if (!r->fin_sent)
        adit_hstream_fin(r->s);
    r->fin_sent = true;
}

static size_t
dialer_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct run *r = ctx;

    (void)s;
    for (size_t i = 0; i < in.n; i++)
        assert_int_equal(in.p[i], pattern(r->back + i));
    r->back += in.n;
    return in.n;
}

static void
dialer_fin(void *ctx, struct adit_hstream *s)
{
    struct run *r = ctx;

    r->outcome = r->back == r->want ? ADIT_OK : ADIT_EIO;
    r->s = NULL;
    adit_hstream_close(s);
}

static void
dialer_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    send_more(ctx);
}

static void
dialer_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct run *r = ctx;

    (void)s;
    (void)code;
    r->s = NULL;
    r->outcome = why;
}

static const struct adit_hstream_ops dialer_ops = {
    .on_data = dialer_data,
    .on_fin = dialer_fin,
    .on_room = dialer_room,
    .on_end = dialer_end,
};

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct run *r = ctx;

    (void)why;
    r->connect = NULL;
    if (e != ADIT_OK) {
        r->outcome = e;
        return;
    }
    r->is_limited = hc->is_limited;
    e = adit_hstream_open(hc, ECHO, &dialer_ops, r, &r->s);
    if (e != ADIT_OK)
        r->outcome = e;
    else
        send_more(r);
}

static void
on_reserved(void *ctx, struct adit_reserve *x, bool renewed)
{
    struct run *r = ctx;

    (void)x;
    (void)renewed;
    r->reserved = true;
}

static void
on_lost(void *ctx, struct adit_reserve *x, adit_err why, uint32_t status,
        const char *text, int64_t retry_us)
{
    struct run *r = ctx;

    (void)x;
    (void)why;
    (void)status;
    (void)text;
    (void)retry_us;
    r->reserved = false;
    r->n_lost++;
}

static const struct adit_reserve_events reserve_events = {
    on_reserved,
    on_lost,
};

static bool
is_reserved(void *ctx)
{
    return ((struct run *)ctx)->reserved;
}

static bool
is_over(void *ctx)
{
    return ((struct run *)ctx)->outcome != ADIT_AGAIN;
}

static void
run_init(struct run *r, const struct sim_config *cfg, size_t want,
         uint64_t circuit_bytes, int64_t circuit_us)
{
    struct adit_node_config rc;

    memset(r, 0, sizeof(*r));
    r->want = want;
    r->outcome = ADIT_AGAIN;
    sim_init(&r->w, cfg);
    sim_defaults(&rc);
    rc.relay_enabled = true;
    snprintf(rc.listen_tcp, sizeof(rc.listen_tcp), "/ip4/45.83.12.1/tcp/4001");
    rc.circuit_bytes = circuit_bytes;
    rc.circuit_us = circuit_us;
    r->relay = sim_add(&r->w, &rc);
    r->a = sim_add(&r->w, NULL);
    r->b = sim_add(&r->w, NULL);
    r->echo = (struct adit_service){ .protocol = ECHO,
                                     .on_limited = true,
                                     .open = echo_open };
    adit_host_serve(sim_host(r->b), &r->echo);
    assert_int_equal(adit_reserve_new(sim_host(r->b), &r->relay->addr, 1,
                                      &reserve_events, r, &r->reserve),
                     ADIT_OK);
}

static void
dial(struct run *r)
{
    struct adit_maddr to = r->relay->addr;
    struct adit_connect_config cc = { .peer = r->b->identity.id,
                                      .addrs = &to,
                                      .n = 1,
                                      .mode = ADIT_CONNECT_ANY,
                                      .timeout_us = 60 * ADIT_S };

    assert_int_equal(
        adit_maddr_push(&to, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE), ADIT_OK);
    assert_int_equal(adit_maddr_push(&to, ADIT_MA_P2P,
                                     adit_peerid_bytes(&r->b->identity.id)),
                     ADIT_OK);
    assert_int_equal(
        adit_connect_start(sim_host(r->a), &cc, on_connected, r, &r->connect),
        ADIT_OK);
}

static void
run_fini(struct run *r)
{
    if (r->s != NULL)
        adit_hstream_reset(r->s, 0);
    adit_connect_cancel(r->connect);
    adit_reserve_free(r->reserve);
    adit_host_unserve(sim_host(r->b), &r->echo);
    /* Grace, lingering and idle deadlines all pass. */
    sim_run(&r->w, 120 * ADIT_S, NULL, NULL);
    sim_fini(&r->w);
}

/* The whole way, with `cfg`; returns how many deliveries it took. */
static uint64_t
whole(const struct sim_config *cfg, size_t want)
{
    struct run *r = calloc(1, sizeof(*r));
    uint64_t n;

    run_init(r, cfg, want, 0, 0);
    if (!sim_run(&r->w, 60 * ADIT_S, is_reserved, r))
        fail_msg("seed %llu: no reservation", (unsigned long long)cfg->seed);
    dial(r);
    if (!sim_run(&r->w, 300 * ADIT_S, is_over, r))
        fail_msg("seed %llu: it never ended", (unsigned long long)cfg->seed);
    if (r->outcome != ADIT_OK)
        fail_msg("seed %llu: %s", (unsigned long long)cfg->seed,
                 adit_err_name(r->outcome));
    assert_int_equal(r->back, want);
    assert_false(r->is_limited); /* no limits were set */
    n = r->w.n_deliveries;
    run_fini(r);
    free(r);
    return n;
}

/* ---- the tests ---------------------------------------------------------------- */

static void
test_plain(void **state)
{
    struct sim_config cfg = { .seed = 1, .latency_us = 10000 };

    (void)state;
    cfg.verbose = getenv("SIM_VERBOSE") != NULL;
    whole(&cfg, 300000);
}

static void
test_byte_at_a_time(void **state)
{
    struct sim_config cfg = { .seed = 2,
                              .byte_at_a_time = true,
                              .latency_us = 1 };

    (void)state;
    whole(&cfg, 2000);
}

static uint64_t
n_seeds(void)
{
    const char *s = getenv("SIM_SEEDS");

    return s != NULL ? strtoull(s, NULL, 10) : 1000;
}

static void
test_seeds(void **state)
{
    uint64_t first = 0;
    const char *one = getenv("SIM_SEED");

    (void)state;
    if (one != NULL)
        first = strtoull(one, NULL, 10);
    for (uint64_t i = 0; i < (one != NULL ? 1 : n_seeds()); i++) {
        struct sim_config cfg = { .seed = first + i,
                                  .chop = i % 3 != 0,
                                  .delay_verdicts = i % 2 == 0,
                                  .latency_us = (int64_t)(i % 7) * 5000,
                                  .verbose = one != NULL };

        whole(&cfg, 1 + (i * 7919) % 20000);
    }
}

/* Whatever link breaks whenever: it ends, nothing leaks, the reservation
 * comes back. */
static void
test_break_everywhere(void **state)
{
    struct sim_config cfg = { .seed = 3, .latency_us = 1000 };
    uint64_t n = whole(&cfg, 5000);

    (void)state;
    assert_in_range(n, 20, 5000);
    for (uint64_t k = 1; k <= n; k++) {
        struct run *r = calloc(1, sizeof(*r));

        cfg.break_at = k;
        cfg.verbose = getenv("SIM_BREAK") != NULL &&
                      strtoull(getenv("SIM_BREAK"), NULL, 10) == k;
        run_init(r, &cfg, 5000, 0, 120 * ADIT_S);
        if (!sim_run(&r->w, 200 * ADIT_S, is_reserved, r))
            fail_msg("broken at %llu: no reservation", (unsigned long long)k);
        dial(r);
        if (!sim_run(&r->w, 300 * ADIT_S, is_over, r))
            fail_msg("broken at %llu: it never ended", (unsigned long long)k);
        if (!sim_run(&r->w, 200 * ADIT_S, is_reserved, r))
            fail_msg("broken at %llu: the reservation did not come back",
                     (unsigned long long)k);
        run_fini(r);
        free(r);
    }
}

/* The limit bites at the byte: what went each way is exactly it. */
static void
test_data_limit(void **state)
{
    static const uint64_t limits[] = { 4096, 131072, 131073 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(limits); i++) {
        struct sim_config cfg = { .seed = 4 + i, .latency_us = 1000 };
        struct run *r = calloc(1, sizeof(*r));
        uint64_t relayed;

        run_init(r, &cfg, 400000, limits[i], 120 * ADIT_S);
        assert_true(sim_run(&r->w, 60 * ADIT_S, is_reserved, r));
        assert_true(adit_reserve_limit(r->reserve)->has);
        assert_int_equal(adit_reserve_limit(r->reserve)->data_bytes,
                         limits[i]);
        dial(r);
        sim_run(&r->w, 100 * ADIT_S, is_over, r);
        relayed = adit_metric_get(&r->relay->metrics, ADIT_M_RELAYED_BYTES);
        /* The way to the listener is spent to the byte, the other is not
         * above. */
        assert_in_range(relayed, limits[i], 2 * limits[i]);
        assert_true(r->is_limited);
        assert_int_not_equal(r->outcome, ADIT_OK);
        run_fini(r);
        free(r);
    }
}

static void
test_time_limit(void **state)
{
    struct sim_config cfg = { .seed = 9,
                              .latency_us = 1000,
                              .verbose = getenv("SIM_VERBOSE") != NULL };
    struct run *r = calloc(1, sizeof(*r));
    struct adit_instant begin;
    int64_t took;

    (void)state;
    run_init(r, &cfg, 10, 0, 120 * ADIT_S);
    assert_true(sim_run(&r->w, 60 * ADIT_S, is_reserved, r));
    /* A stream that is never ended: only time can. */
    r->want = SIZE_MAX;
    r->sent = SIZE_MAX;
    r->fin_sent = true;
    dial(r);
    begin = r->w.now;
    assert_true(sim_run(&r->w, 600 * ADIT_S, is_over, r));
    took = adit_instant_sub(r->w.now, begin);
    assert_in_range(took, 120 * ADIT_S, 121 * ADIT_S);
    assert_int_equal(
        adit_metric_get(&r->relay->metrics, ADIT_M_CIRCUIT_END_TIME), 1);
    run_fini(r);
    free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_byte_at_a_time),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_break_everywhere),
        cmocka_unit_test(test_data_limit),
        cmocka_unit_test(test_time_limit),
    };

    return cmocka_run_group_tests_name("sim/circuit", tests, NULL, NULL);
}
