/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"
#include "policy/pace.h"

#define HOUR_US (3600 * ADIT_S)

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

struct fixture {
    struct adit_mem mem;
    struct adit_pace p;
    struct adit_instant now;
    uint64_t value;
    uint32_t retry_s;
};

static void
start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    assert_int_equal(adit_pace_init(&f->p, &f->mem, &rng), ADIT_OK);
    f->now.us = 1000;
}

static void
stop(struct fixture *f)
{
    adit_pace_fini(&f->p);
    assert_int_equal(f->mem.used_bytes, 0);
    adit_pace_fini(&f->p);
}

static adit_err
take(struct fixture *f, unsigned key, uint32_t per_hour)
{
    uint8_t b[4];

    adit_put_be32(b, key);
    return adit_pace_take(&f->p, adit_slice(b, sizeof(b)), per_hour, f->now,
                          &f->value, &f->retry_s);
}

static void
pass(struct fixture *f, int64_t us)
{
    f->now = adit_instant_add(f->now, us);
}

static const uint32_t rates[] = { 1, 2, 7, 20, 3600, 59999, 100001, 999999 };

/* An hour's worth at once, and never more than that much an hour after. */
static void
test_rates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(rates); i++) {
        uint32_t n = rates[i];
        struct fixture f;

        print_message("%u an hour\n", n);
        start(&f);
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(take(&f, 1, n), ADIT_OK);
        assert_int_equal(take(&f, 1, n), ADIT_ELIMIT);
        assert_int_equal(f.value, n + 1);
        assert_int_equal(f.retry_s, (3600 + n - 1) / n);
        assert_int_equal(take(&f, 2, n), ADIT_OK); /* another's is full */
        /* When it says, one is free, and one only. */
        pass(&f, HOUR_US / n + 1);
        assert_int_equal(take(&f, 1, n), ADIT_OK);
        assert_int_equal(take(&f, 1, n), ADIT_ELIMIT);
        /* Left alone for long it is full, not fuller. */
        pass(&f, 10 * HOUR_US);
        for (uint32_t k = 0; k < ADIT_MIN(n, 100u); k++)
            assert_int_equal(take(&f, 1, n), ADIT_OK);
        if (n <= 100)
            assert_int_equal(take(&f, 1, n), ADIT_ELIMIT);
        stop(&f);
    }
}

static void
test_retry(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(take(&f, 1, 4), ADIT_OK); /* one in 15 minutes */
    pass(&f, 600 * ADIT_S + 1);
    assert_int_equal(take(&f, 1, 4), ADIT_ELIMIT);
    assert_int_equal(f.retry_s, 300); /* 299.999999 */
    pass(&f, 300 * ADIT_S - 2);
    assert_int_equal(take(&f, 1, 4), ADIT_ELIMIT);
    assert_int_equal(f.retry_s, 1);
    pass(&f, 1);
    assert_int_equal(take(&f, 1, 4), ADIT_OK);
    /* A lower rate from now on: what was charged stays, as time. */
    assert_int_equal(take(&f, 1, 2), ADIT_ELIMIT);
    assert_int_equal(f.retry_s, 1800);
    assert_int_equal(f.value, 3);
    /* No limit: not looked at, not charged. */
    assert_int_equal(take(&f, 1, 0), ADIT_OK);
    assert_int_equal(take(&f, 5, 0), ADIT_OK);
    assert_int_equal(adit_pace_n(&f.p), 1);
    stop(&f);
}

/* Full ones are forgotten as new ones come. */
static void
test_forget(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(take(&f, i, 60), ADIT_OK);
    assert_int_equal(adit_pace_n(&f.p), 100);
    pass(&f, HOUR_US);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(take(&f, 1000 + i, 60), ADIT_OK);
    assert_int_equal(adit_pace_n(&f.p), 20);
    stop(&f);
}

/* Of too many, those who asked most are remembered. */
static void
test_full(void **state)
{
    struct fixture f;
    size_t most;

    (void)state;
    start(&f);
    for (unsigned k = 0; k < 60; k++)
        assert_int_equal(take(&f, 0, 60), ADIT_OK);
    for (unsigned i = 1; i <= ADIT_PACE_MAX_KEYS - 1; i++)
        assert_int_equal(take(&f, i, 60), ADIT_OK);
    most = f.mem.used_bytes;
    for (unsigned i = 0; i < 5000; i++) {
        pass(&f, ADIT_MS);
        assert_int_equal(take(&f, 1u << 20 | i, 60), ADIT_OK);
        assert_int_equal(adit_pace_n(&f.p), ADIT_PACE_MAX_KEYS);
    }
    assert_true(f.mem.used_bytes == most);
    print_message("%zu bytes\n", most);
    assert_true(most <= ADIT_PACE_MAX_KEYS * 100);
    assert_int_equal(take(&f, 0, 60), ADIT_ELIMIT);
    stop(&f);
}

static void
test_oom(void **state)
{
    bool was_ok = false;

    (void)state;
    for (uint64_t n = 1; !was_ok; n++) {
        struct fixture f = { .now = { 1000 } };

        adit_mem_init(&f.mem, NULL, SIZE_MAX);
        f.mem.fail_at = n;
        was_ok = adit_pace_init(&f.p, &f.mem, &rng) == ADIT_OK;
        for (unsigned i = 0; was_ok && i < 40; i++) {
            size_t before = adit_pace_n(&f.p);
            bool is_in = take(&f, i, 9) == ADIT_OK;

            assert_int_equal(adit_pace_n(&f.p), before + is_in);
            was_ok = is_in;
        }
        adit_pace_fini(&f.p);
        assert_int_equal(f.mem.used_bytes, 0);
    }
}

/* ---- beside a bucket that is refilled as time passes ---------------------  */

#define N_KEYS 5
#define N_STEPS 60000
#define PER_HOUR 12

static void
test_model(void **state)
{
    /* Evenly refilled: a bucket's level in microseconds of refill. */
    int64_t level[N_KEYS];
    uint64_t chance = 88172645463325252u;
    const int64_t each = HOUR_US / PER_HOUR;
    struct fixture f;

    (void)state;
    start(&f);
    for (unsigned i = 0; i < N_KEYS; i++)
        level[i] = HOUR_US;
    for (unsigned step = 0; step < N_STEPS; step++) {
        unsigned k;
        int64_t us;

        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        k = (unsigned)(chance % N_KEYS);
        us = (int64_t)(chance >> 32) % (150 * ADIT_S);
        pass(&f, us);
        for (unsigned i = 0; i < N_KEYS; i++)
            level[i] = ADIT_MIN(level[i] + us, HOUR_US);
        if (take(&f, k, PER_HOUR) == ADIT_OK) {
            assert_true(level[k] >= each);
            level[k] -= each;
        } else {
            assert_true(level[k] < each);
            assert_int_equal(f.retry_s,
                             (each - level[k] + ADIT_S - 1) / ADIT_S);
        }
    }
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),  cmocka_unit_test(test_retry),
        cmocka_unit_test(test_forget), cmocka_unit_test(test_full),
        cmocka_unit_test(test_oom),    cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
