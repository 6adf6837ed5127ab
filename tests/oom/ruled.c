/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The same as exchange on a relay with classes, rates, quotas, an admission
 * service and books, which is reloaded while the circuit is open: the n-th
 * allocation of the relay fails, alone or with all behind it.  Whatever comes
 * of it: no crash, nothing left, a reload that failed changed nothing and
 * works when memory is back.
 */
#include "sim/fakes.h"
#include "sim/run.h"

#include "host/relay_in.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
set(struct adit_node_config *cfg, const char *name, const char *value)
{
    char why[ADIT_OPT_WHY_BYTES] = "";

    if (adit_node_config_set(cfg, name, value, why) != ADIT_OK)
        fail_msg("%s", why);
}

static void
make_config(struct adit_node_config *cfg)
{
    run_relay_config(cfg);
    set(cfg, "ledger.backend", "sqlite"); /* a fake */
    set(cfg, "admission.url", FAKE_KIND);
    set(cfg, "circuit.duration", "120s");
    set(cfg, "rate.node_bytes_s", "64KiB");
    set(cfg, "class.anonymous.circuit_bytes_s", "32KiB");
    set(cfg, "class.anonymous.peer_bytes_s", "48KiB");
    set(cfg, "class.anonymous.day_bytes", "8KiB");
    set(cfg, "class.anonymous.over_quota", "slow");
    set(cfg, "class.slow.peer_bytes_s", "8KiB");
    set(cfg, "class.slow.circuits", "8");
}

/* The classes in another order, another service, other caps. */
static adit_err
reload(struct run *r, const struct adit_node_config *was)
{
    struct adit_node_config cfg = *was;
    char why[ADIT_NODE_WHY_BYTES] = "";
    struct adit_rules *rules;
    adit_err e;

    cfg.classes[1] = was->classes[3];
    cfg.classes[3] = was->classes[1];
    set(&cfg, "admission.url", FAKE_KIND "again");
    set(&cfg, "circuit.max", "7");
    set(&cfg, "listen.proxy_from", "192.0.2.0/24");
    if (adit_rules_new(&cfg, &rules, why) != ADIT_OK)
        fail_msg("%s", why);
    e = adit_node_change(r->relay->node, &cfg, rules);
    if (e != ADIT_OK) {
        const struct adit_node_config *is = adit_node_cfg(r->relay->node);

        adit_rules_free(rules);
        assert_int_equal(e, ADIT_ENOMEM);
        assert_string_equal(is->classes[1].name, "listed");
        assert_string_equal(is->admission_url, was->admission_url);
        assert_string_equal(is->proxy_from, "");
    }
    return e;
}

static bool
has_some(void *ctx)
{
    const struct run *r = ctx;

    return r->back > 1000 || run_is_over(ctx);
}

static void
nothing_left(struct run *r)
{
    const struct adit_relay *relay = adit_node_relay(r->relay->node);

    assert_int_equal(relay->n_waiting, 0);
    for (struct adit_account *a = adit_account_next(&relay->accounts, NULL);
         a != NULL; a = adit_account_next(&relay->accounts, a))
        assert_true(a->n_holds == (a->is_reserved ? 1 : 0));
    assert_int_equal(adit_rsvp_n_circuits(relay->table), 0);
}

/* False: that many allocations were never asked for. */
static bool
fail_nth(uint64_t n, bool once)
{
    struct sim_config cfg = { .seed = 5, .latency_us = 1000 };
    struct run *r = calloc(1, sizeof(*r));
    struct adit_node_config rc;
    struct adit_mem *mem;
    bool reached;

    make_config(&rc);
    run_init_with(r, &cfg, &rc, 12000);
    mem = &r->relay->mem;
    mem->fail_once = once;
    mem->fail_at = mem->n_allocs + n;
    if (sim_run(&r->w, 30 * ADIT_S, run_is_reserved, r) && run_dial(r)) {
        sim_run(&r->w, 60 * ADIT_S, has_some, r);
        (void)!reload(r, &rc);
        sim_run(&r->w, 60 * ADIT_S, run_is_over, r);
    }
    reached = mem->n_allocs >= mem->fail_at;
    mem->fail_at = 0;
    if (r->s != NULL)
        adit_hstream_reset(r->s, 0);
    r->s = NULL;
    adit_connect_cancel(r->connect);
    r->connect = NULL;
    assert_int_equal(reload(r, &rc), ADIT_OK);
    if (!sim_run(&r->w, 300 * ADIT_S, run_is_reserved, r))
        fail_msg("allocation %llu: no reservation comes back",
                 (unsigned long long)n);
    sim_run(&r->w, 130 * ADIT_S, NULL, NULL); /* what it had is idle */
    nothing_left(r);
    assert_true(run_dial(r));
    if (!sim_run(&r->w, 200 * ADIT_S, run_is_over, r) || r->outcome != ADIT_OK)
        fail_msg("allocation %llu: no echo afterwards: %s",
                 (unsigned long long)n, adit_err_name(r->outcome));
    run_fini(r);
    free(r);
    return reached;
}

static void
until_it_passes(bool once)
{
    const char *env = getenv("OOM_FROM");
    uint64_t n = env != NULL ? strtoull(env, NULL, 10) : 1;

    while (fail_nth(n, once)) {
        if (getenv("OOM_VERBOSE") != NULL)
            print_message("# allocation %llu passed\n", (unsigned long long)n);
        n++;
    }
    assert_in_range(n, 50, 100000);
}

static void
test_once(void **state)
{
    (void)state;
    until_it_passes(true);
}

static void
test_from_there(void **state)
{
    (void)state;
    until_it_passes(false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_from_there),
    };

    return cmocka_run_group_tests_name("oom/ruled", tests, NULL, NULL);
}
