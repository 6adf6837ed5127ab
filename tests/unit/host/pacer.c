/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Circuits that are numbers, to the byte and the microsecond.  With whole
 * nodes: tests/sim/rates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/pacer.h"

struct fix {
    struct adit_mem mem;
    struct adit_worker *w;
    struct adit_metrics metrics;
    struct adit_pacer p;
    uint64_t now_us;
};

struct circuit {
    struct adit_paced paced;
    uint64_t waits, carried;
    uint64_t reader_takes; /* of each _carry */
    unsigned n_carries, n_fails;
};

static uint64_t
wants(void *ctx)
{
    struct circuit *c = ctx;

    return c->reader_takes > 0 ? c->waits : 0;
}

static void
carry(void *ctx, uint64_t n)
{
    struct circuit *c = ctx;

    assert_in_range(n, 1, c->waits);
    n = ADIT_MIN(adit_paced_may(&c->paced, n), c->reader_takes);
    adit_paced_spend(&c->paced, n);
    c->waits -= n;
    c->carried += n;
    c->n_carries++;
}

static void
fail_(void *ctx)
{
    struct circuit *c = ctx;

    c->n_fails++;
    adit_paced_stop(&c->paced);
}

static const struct adit_paced_ops ops = { wants, carry, fail_ };

static void
go(struct fix *f, uint64_t us)
{
    struct adit_instant end = { f->now_us + us };

    for (;;) {
        struct adit_instant due = adit_worker_due(f->w);

        if (due.us > end.us)
            break;
        f->now_us = ADIT_MAX(f->now_us, due.us);
        adit_worker_turn(f->w, (struct adit_instant){ f->now_us }, 1);
    }
    f->now_us = end.us;
    adit_worker_turn(f->w, end, 1);
}

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static struct fix *
set_up(uint64_t node_bytes_s)
{
    struct fix *f = calloc(1, sizeof(*f));
    struct adit_worker_config wc = { .kind = ADIT_WORKER_HAND,
                                     .rng = { fill, NULL },
                                     .buffer_bytes = 1 << 20 };

    assert_non_null(f);
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    wc.mem = &f->mem;
    assert_int_equal(adit_worker_new(&wc, &f->w), ADIT_OK);
    f->now_us = 1000000;
    adit_worker_turn(f->w, (struct adit_instant){ f->now_us }, 1);
    adit_pacer_init(&f->p, f->w, &f->metrics);
    adit_pacer_set(&f->p, node_bytes_s);
    adit_rate_charge(&f->p.node,
                     adit_rate_may(&f->p.node, adit_worker_now(f->w)));
    return f;
}

static void
tear_down(struct fix *f)
{
    assert_int_equal(f->p.node.n_waiting, 0);
    assert_int_equal(adit_metric_get(&f->metrics, ADIT_M_PACED), 0);
    adit_worker_free(f->w);
    assert_int_equal(f->mem.used_bytes, 0);
    free(f);
}

/* One whose own bucket, if any, is empty. */
static void
add(struct fix *f, struct circuit *c, uint64_t own, uint64_t waits)
{
    static struct adit_rate *const none[2];

    *c = (struct circuit){ .waits = waits, .reader_takes = UINT64_MAX };
    adit_paced_init(&c->paced, &f->p, own, none, &ops, c);
    if (own != 0)
        adit_rate_charge(&c->paced.own,
                         adit_rate_may(&c->paced.own, adit_worker_now(f->w)));
    adit_paced_wait(&c->paced);
    adit_worker_turn(f->w, (struct adit_instant){ f->now_us }, 1);
}

/* To the microsecond: a grain of 10,000 each 10 ms, and the rest. */
static void
test_alone(void **state)
{
    struct fix *f = set_up(1000000);
    struct circuit c;

    (void)state;
    add(f, &c, 0, 25000);
    go(f, 9999);
    assert_int_equal(c.carried, 0);
    go(f, 1);
    assert_int_equal(c.carried, 10000);
    go(f, 14999);
    assert_int_equal(c.carried, 20000);
    assert_true(c.paced.is_waiting);
    go(f, 1);
    assert_int_equal(c.carried, 25000);
    assert_false(c.paced.is_waiting);
    assert_int_equal(c.n_carries, 3);
    assert_int_equal(adit_metric_get(&f->metrics, ADIT_M_PACED_US), 25000);
    tear_down(f);
}

/* What was given and not used goes back, to whoever is next. */
static void
test_gives_back(void **state)
{
    struct fix *f = set_up(1000000);
    struct circuit bulk, slow, next;

    (void)state;
    add(f, &bulk, 0, 1000000);
    add(f, &slow, 1, 1000000); /* a byte a second: nothing for an hour */
    go(f, 10000);              /* a grain of 5,000 each */
    assert_int_equal(bulk.carried, 5000);
    assert_int_equal(slow.carried, 0);
    assert_int_equal(slow.paced.turns[3].got, 5000);
    adit_paced_stop(&bulk.paced);
    add(f, &next, 0, 5000);
    assert_int_equal(next.carried, 0);
    adit_paced_stop(&slow.paced);
    go(f, 0);
    assert_int_equal(next.carried, 5000);
    tear_down(f);
}

/* A reader that takes a part gets no more until it asks again. */
static void
test_reader_full(void **state)
{
    struct fix *f = set_up(1000000);
    struct circuit c;

    (void)state;
    add(f, &c, 0, 50000);
    c.reader_takes = 3000;
    go(f, 10000);
    assert_int_equal(c.carried, 9000); /* the rest is no grain */
    c.reader_takes = 0;
    go(f, 10000);
    assert_int_equal(c.carried, 9000);
    assert_false(c.paced.is_waiting);
    assert_int_equal(adit_rate_may(&f->p.node, adit_worker_now(f->w)), 11000);
    tear_down(f);
}

/* No memory for a timer: it is told, from the turn's end; others go on. */
static void
test_no_memory(void **state)
{
    struct fix *f = set_up(1000000);
    struct circuit a, b;

    (void)state;
    f->mem.fail_at = f->mem.n_allocs + 1;
    add(f, &a, 0, 50000);
    assert_int_equal(a.n_fails, 1);
    f->mem.fail_at = 0;
    add(f, &b, 0, 20000);
    go(f, 20000);
    assert_int_equal(b.carried, 20000);
    assert_int_equal(a.carried, 0);
    tear_down(f);
}

/* Who moved longest ago, of those that may go. */
static struct adit_paced *spared;

static bool
is_not_spared(const struct adit_paced *c)
{
    return c != spared;
}

static void
test_longest(void **state)
{
    struct fix *f = set_up(0);
    struct circuit c[3];

    (void)state;
    spared = NULL;
    assert_null(adit_pacer_longest(&f->p, is_not_spared));
    for (int i = 0; i < 3; i++) {
        add(f, &c[i], i == 0 ? 2000 : 1000, 100000);
        go(f, 1000);
    }
    assert_ptr_equal(adit_pacer_longest(&f->p, is_not_spared), &c[0].paced);
    go(f, 600000); /* the first has a grain, the others do not */
    assert_true(c[0].carried > 0 && c[1].carried == 0);
    assert_ptr_equal(adit_pacer_longest(&f->p, is_not_spared), &c[1].paced);
    spared = &c[1].paced;
    assert_ptr_equal(adit_pacer_longest(&f->p, is_not_spared), &c[2].paced);
    for (int i = 0; i < 3; i++)
        adit_paced_stop(&c[i].paced);
    tear_down(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),       cmocka_unit_test(test_gives_back),
        cmocka_unit_test(test_reader_full), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests_name("host/pacer", tests, NULL, NULL);
}
