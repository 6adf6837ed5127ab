/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A relay, a listener that reserves on it, a dialer that reaches it through
 * the relay: one echo, under every way to cut bytes, with the link broken at
 * every step, with verdicts that come late.
 */
#include "run.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The whole way, with `cfg`; returns how many deliveries it took. */
static uint64_t
whole(const struct sim_config *cfg, size_t want)
{
    struct run *r = calloc(1, sizeof(*r));
    uint64_t n;

    run_init(r, cfg, want, 0, 0);
    if (!sim_run(&r->w, 60 * ADIT_S, run_is_reserved, r))
        fail_msg("seed %llu: no reservation", (unsigned long long)cfg->seed);
    run_dial(r);
    if (!sim_run(&r->w, 300 * ADIT_S, run_is_over, r))
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
        if (!sim_run(&r->w, 200 * ADIT_S, run_is_reserved, r))
            fail_msg("broken at %llu: no reservation", (unsigned long long)k);
        run_dial(r);
        if (!sim_run(&r->w, 300 * ADIT_S, run_is_over, r))
            fail_msg("broken at %llu: it never ended", (unsigned long long)k);
        if (!sim_run(&r->w, 200 * ADIT_S, run_is_reserved, r))
            fail_msg("broken at %llu: the reservation did not come back",
                     (unsigned long long)k);
        run_fini(r);
        free(r);
    }
}

static bool
relay_has_closed(void *ctx)
{
    const struct run *r = ctx;

    return adit_metric_get(&r->relay->metrics, ADIT_M_CIRCUIT_CLOSED) == 1;
}

/* The limit bites at the byte: what went each way is exactly it. */
static void
test_data_limit(void **state)
{
    static const uint64_t limits[] = { 4096, 16384, 131072, 131073 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(limits); i++) {
        struct sim_config cfg = { .seed = 4 + i, .latency_us = 1000 };
        struct run *r = calloc(1, sizeof(*r));
        uint64_t relayed;

        run_init(r, &cfg, 400000, limits[i], 120 * ADIT_S);
        assert_true(sim_run(&r->w, 60 * ADIT_S, run_is_reserved, r));
        assert_true(adit_reserve_limit(r->reserve)->has);
        assert_int_equal(adit_reserve_limit(r->reserve)->data_bytes,
                         limits[i]);
        run_dial(r);
        sim_run(&r->w, 100 * ADIT_S, run_is_over, r);
        relayed = adit_metric_get(&r->relay->metrics, ADIT_M_RELAYED_BYTES);
        /* The way to the listener is spent to the byte, the other is not
         * above. */
        assert_in_range(relayed, limits[i], 2 * limits[i]);
        assert_true(r->is_limited);
        assert_int_not_equal(r->outcome, ADIT_OK);
        /* Whoever resets what is left of it: the limit has ended it. */
        assert_true(sim_run(&r->w, 100 * ADIT_S, relay_has_closed, r));
        assert_int_equal(
            adit_metric_get(&r->relay->metrics, ADIT_M_CIRCUIT_END_DATA), 1);
        /* What the frame at the cut takes with it is little. */
        if (limits[i] >= 16384)
            assert_in_range(r->back, limits[i] / 4, limits[i]);
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
    assert_true(sim_run(&r->w, 60 * ADIT_S, run_is_reserved, r));
    r->want = SIZE_MAX; /* a stream that is never ended: only time can */
    run_dial(r);
    begin = r->w.now;
    assert_true(sim_run(&r->w, 600 * ADIT_S, run_is_over, r));
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
