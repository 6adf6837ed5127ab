/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Reserve, dial, echo, with the n-th allocation of one node failing, alone
 * or with all behind it, n = 1, 2, ... until it no longer matters.  Whatever
 * comes of it: no crash, nothing left, every node can be ended.
 */
#include "sim/run.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Allocations of a node before the run begins; those of _make fail by
 * themselves in tests/unit. */
static struct sim_node *
victim(struct run *r, int who)
{
    return who == 0 ? r->relay : who == 1 ? r->a : r->b;
}

/* False: that many allocations were never asked for. */
static bool
fail_nth(int who, uint64_t n, bool once)
{
    struct sim_config cfg = { .seed = 5, .latency_us = 1000 };
    struct run *r = calloc(1, sizeof(*r));
    struct adit_mem *mem;
    bool reached;

    run_init(r, &cfg, 3000, 0, 120 * ADIT_S);
    mem = &victim(r, who)->mem;
    mem->fail_once = once;
    mem->fail_at = mem->n_allocs + n;
    if (sim_run(&r->w, 30 * ADIT_S, run_is_reserved, r) && run_dial(r))
        sim_run(&r->w, 60 * ADIT_S, run_is_over, r);
    reached = mem->n_allocs >= mem->fail_at;
    /* Memory is back: it goes on as if nothing had been. */
    mem->fail_at = 0;
    if (r->s != NULL)
        adit_hstream_reset(r->s, 0);
    r->s = NULL;
    adit_connect_cancel(r->connect);
    r->connect = NULL;
    if (!sim_run(&r->w, 300 * ADIT_S, run_is_reserved, r))
        fail_msg("node %d, allocation %llu: no reservation comes back", who,
                 (unsigned long long)n);
    sim_run(&r->w, 130 * ADIT_S, NULL, NULL); /* what it had is idle */
    assert_true(run_dial(r));
    if (!sim_run(&r->w, 200 * ADIT_S, run_is_over, r) || r->outcome != ADIT_OK)
        fail_msg("node %d, allocation %llu: no echo afterwards: %s", who,
                 (unsigned long long)n, adit_err_name(r->outcome));
    run_fini(r);
    free(r);
    return reached;
}

static void
until_it_passes(int who, bool once)
{
    uint64_t n = 1;
    const char *env = getenv("OOM_FROM");

    if (env != NULL)
        n = strtoull(env, NULL, 10);
    while (fail_nth(who, n, once)) {
        if (getenv("OOM_VERBOSE") != NULL)
            print_message("# node %d, allocation %llu passed\n", who,
                          (unsigned long long)n);
        n++;
    }
    assert_in_range(n, 20, 100000);
}

#define TEST(name, who, once)                                                 \
    static void test_##name(void **state)                                     \
    {                                                                         \
        (void)state;                                                          \
        until_it_passes(who, once);                                           \
    }

TEST(relay_once, 0, true)
TEST(relay_from_there, 0, false)
TEST(dialer_once, 1, true)
TEST(dialer_from_there, 1, false)
TEST(listener_once, 2, true)
TEST(listener_from_there, 2, false)

int
main(void)
{
    const char *one = getenv("OOM_TEST");

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay_once),
        cmocka_unit_test(test_relay_from_there),
        cmocka_unit_test(test_dialer_once),
        cmocka_unit_test(test_dialer_from_there),
        cmocka_unit_test(test_listener_once),
        cmocka_unit_test(test_listener_from_there),
    };

    if (one != NULL)
        cmocka_set_test_filter(one);
    return cmocka_run_group_tests_name("oom/exchange", tests, NULL, NULL);
}
