/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/account.h"

#include "base/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOON INT64_C(1798718400) /* 2026-12-31 12:00 UTC */

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    uint64_t *x = ctx;

    while (n-- > 0)
        *dst++ =
            (uint8_t)(*x = *x * 6364136223846793005u + 1442695040888963407u);
}

struct rig {
    struct adit_mem mem;
    uint64_t seed;
    struct adit_accounts as;
};

static int
set_up(void **state)
{
    static struct rig r;
    struct adit_rng rng = { fill, &r.seed };

    adit_mem_init(&r.mem, NULL, SIZE_MAX);
    if (adit_accounts_init(&r.as, &r.mem, &rng) != ADIT_OK)
        return -1;
    *state = &r;
    return 0;
}

static int
tear_down(void **state)
{
    struct rig *r = *state;

    adit_accounts_fini(&r->as);
    return r->mem.used_bytes == 0 ? 0 : -1;
}

static struct adit_peerid
peer(uint32_t i)
{
    struct adit_peerid p = { .n = 8 };

    memcpy(p.b, &i, sizeof(i));
    return p;
}

static void
test_goes_when_it_knows_nothing(void **state)
{
    struct rig *r = *state;
    struct adit_peerid p = peer(1);
    struct adit_account *a = adit_account_hold(&r->as, &p);

    assert_non_null(a);
    assert_ptr_equal(adit_account_hold(&r->as, &p), a);
    adit_account_drop(&r->as, a);
    assert_ptr_equal(adit_account_get(&r->as, &p), a);
    adit_account_drop(&r->as, a);
    assert_null(adit_account_get(&r->as, &p));
}

static void
test_stays_while_it_knows_something(void **state)
{
    struct rig *r = *state;
    struct adit_peerid used = peer(1), banned = peer(2), forced = peer(3);
    struct adit_account *a = adit_account_hold(&r->as, &used);

    adit_account_moved(a, 5, NOON);
    adit_account_drop(&r->as, a);
    a = adit_account_hold(&r->as, &banned);
    a->is_banned = true;
    adit_account_drop(&r->as, a);
    a = adit_account_hold(&r->as, &forced);
    a->forced = 1;
    adit_account_drop(&r->as, a);
    assert_int_equal(adit_account_get(&r->as, &used)->day_bytes, 5);
    assert_non_null(adit_account_get(&r->as, &banned));
    assert_non_null(adit_account_get(&r->as, &forced));
    assert_int_equal(r->as.n_idle, 1); /* marks are not forgotten for room */
}

static void
test_the_longest_unused_goes(void **state)
{
    struct rig *r = *state;
    struct adit_peerid first = peer(0), second = peer(1);

    for (uint32_t i = 0; i < ADIT_ACCOUNTS_MAX_IDLE + 1; i++) {
        struct adit_peerid p = peer(i);
        struct adit_account *a = adit_account_hold(&r->as, &p);

        adit_account_moved(a, 1, NOON);
        adit_account_drop(&r->as, a);
    }
    assert_null(adit_account_get(&r->as, &first));
    assert_non_null(adit_account_get(&r->as, &second));
    assert_int_equal(r->as.n_idle, ADIT_ACCOUNTS_MAX_IDLE);
}

static const struct {
    const char *why;
    uint64_t day_quota, month_quota;
    uint64_t before, moved; /* a day before NOON, and at it */
    adit_err want;
    enum adit_rule rule;
    uint32_t retry_s;
    uint64_t left;
} quotas[] = {
    { "no quota", 0, 0, 1000, 1000, ADIT_OK, ADIT_RULE_NONE, 0, UINT64_MAX },
    { "a day's, some left", 100, 0, 1000, 99, ADIT_OK, ADIT_RULE_NONE, 0, 1 },
    { "a day's, gone", 100, 0, 0, 100, ADIT_ELIMIT, ADIT_RULE_QUOTA_DAY, 43200,
      0 },
    { "yesterday's is not today's", 100, 0, 100, 0, ADIT_OK, ADIT_RULE_NONE, 0,
      100 },
    { "a month's is the sum of days", 0, 150, 100, 50, ADIT_ELIMIT,
      ADIT_RULE_QUOTA_MONTH, 43200, 0 },
    { "of two the one that leaves less", 100, 110, 100, 5, ADIT_OK,
      ADIT_RULE_NONE, 0, 5 },
};

static void
test_quotas(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ADIT_NITEMS(quotas); i++) {
        struct adit_peerid p = peer((uint32_t)i);
        struct adit_account *a = adit_account_hold(&r->as, &p);
        struct adit_class c = { .day_bytes = quotas[i].day_quota,
                                .month_bytes = quotas[i].month_quota };
        struct adit_refusal why = { 0 };
        uint64_t left = 0;

        print_message("%s\n", quotas[i].why);
        adit_account_moved(a, quotas[i].before, NOON - ADIT_DAY_S);
        adit_account_moved(a, quotas[i].moved, NOON);
        assert_int_equal(adit_account_quota(a, &c, NOON, &left, &why),
                         quotas[i].want);
        assert_int_equal(why.rule, quotas[i].rule);
        assert_int_equal(why.retry_s, quotas[i].retry_s);
        if (quotas[i].want == ADIT_OK)
            assert_int_equal(left, quotas[i].left);
        adit_account_drop(&r->as, a);
    }
}

/* `at` is when it is asked, after it was told of NOON's day and month. */
static const struct {
    const char *why;
    int64_t at;
    bool want;
} told[] = {
    { "the same day", NOON + 3600, true },
    { "the next day, month and year", NOON + ADIT_DAY_S, false },
    { "a clock set back by a day", NOON - ADIT_DAY_S, false },
    { "a clock set back by a month", NOON - 31 * ADIT_DAY_S, false },
};

static void
test_a_ledger_is_asked_again_in_another_day(void **state)
{
    struct rig *r = *state;
    struct adit_class c = { .day_bytes = 100 };
    struct adit_refusal why;

    for (size_t i = 0; i < ADIT_NITEMS(told); i++) {
        struct adit_peerid p = peer((uint32_t)i);
        struct adit_account *a = adit_account_hold(&r->as, &p);
        int64_t day = adit_day_begin(NOON), month = adit_month_begin(NOON);

        print_message("%s\n", told[i].why);
        assert_false(adit_account_is_known(a, NOON));
        adit_account_totals(a, day, 100, month, 100, NOON);
        assert_true(adit_account_is_known(a, NOON));
        assert_int_equal(adit_account_is_known(a, told[i].at), told[i].want);
        /* A clock that was set, and set again: what was used is not lost. */
        if (!told[i].want) {
            assert_false(adit_account_is_known(a, NOON));
            adit_account_totals(a, day, 100, month, 100, NOON);
        }
        assert_int_equal(adit_account_quota(a, &c, NOON, NULL, &why),
                         ADIT_ELIMIT);
        adit_account_drop(&r->as, a);
    }
}

static void
test_totals_of_others(void **state)
{
    struct rig *r = *state;
    struct adit_peerid p = peer(1);
    struct adit_account *a = adit_account_hold(&r->as, &p);
    int64_t day = adit_day_begin(NOON), month = adit_month_begin(NOON);

    adit_account_moved(a, 50, NOON);
    adit_account_totals(a, day, 40, month, 400, NOON);
    assert_true(a->is_known);
    assert_int_equal(a->day_bytes, 50);    /* ours has what is pending */
    assert_int_equal(a->month_bytes, 400); /* theirs has what others moved */
    adit_account_totals(a, day - ADIT_DAY_S, 1000, month, 500, NOON);
    assert_int_equal(a->day_bytes, 50);          /* of another day */
    adit_account_moved(a, 1, NOON + ADIT_DAY_S); /* the new year */
    assert_int_equal(a->day_bytes, 1);
    assert_int_equal(a->month_bytes, 1);
    adit_account_drop(&r->as, a);
}

static void
test_a_ban_ends(void **state)
{
    struct rig *r = *state;
    struct adit_peerid p = peer(1);
    struct adit_account *a = adit_account_hold(&r->as, &p);

    a->is_banned = true;
    assert_true(adit_account_is_banned(a, NOON)); /* for good */
    a->banned_until_unix_s = NOON + 1;
    assert_true(adit_account_is_banned(a, NOON));
    assert_false(adit_account_is_banned(a, NOON + 1));
    adit_account_drop(&r->as, a);
    assert_null(adit_account_get(&r->as, &p));
}

/* Words that are over hold nobody, and nobody has to come for that. */
static void
test_a_sweep(void **state)
{
    struct rig *r = *state;
    struct adit_account *a;

    for (uint32_t i = 0; i < 6; i++) {
        struct adit_peerid p = peer(i);

        a = adit_account_hold(&r->as, &p);
        a->is_banned = i < 4;
        a->banned_until_unix_s = i == 0 ? 0 : NOON + i; /* 0: for good */
        if (i == 3)
            adit_account_moved(a, 1, NOON);
        if (i == 4)
            a->forced = 2;
        if (i < 5) /* the last is held */
            adit_account_drop(&r->as, a);
    }
    assert_int_equal(r->as.peers.n, 6);
    adit_accounts_sweep(&r->as, NOON);
    assert_int_equal(r->as.peers.n, 6);
    adit_accounts_sweep(&r->as, NOON + 2);
    assert_int_equal(r->as.peers.n, 4); /* 1 and 2 are gone */
    adit_accounts_sweep(&r->as, NOON + 3);
    assert_int_equal(r->as.peers.n, 4); /* 3 knows something */
    assert_int_equal(r->as.n_idle, 1);
    adit_accounts_sweep(&r->as, NOON + 3);
    assert_int_equal(r->as.n_idle, 1);
    adit_account_drop(&r->as, a);
    assert_int_equal(r->as.peers.n, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_when_it_knows_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stays_while_it_knows_something,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_longest_unused_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_quotas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_ledger_is_asked_again_in_another_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_totals_of_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_sweep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_ban_ends, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("policy/account", tests, NULL, NULL);
}
