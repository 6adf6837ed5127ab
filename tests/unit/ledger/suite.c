/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The cases that every backend of the ledger passes. */
#include "tests/unit/ledger/books.h"

#include "ledger/clerk.h"

#include <event2/event.h>

static const struct adit_usage_query by_peer = { .by = ADIT_USAGE_BY_PEER };
static const struct adit_usage_query by_day = { .by = ADIT_USAGE_BY_DAY };
static const struct adit_usage_query by_month = { .by = ADIT_USAGE_BY_MONTH };
static const struct adit_usage_query by_circuit = {
    .by = ADIT_USAGE_BY_CIRCUIT
};

static struct adit_usage_query
of_peer(struct adit_usage_query q, unsigned peer)
{
    q.has_peer = true;
    q.peer = peer_no(peer);
    return q;
}

static struct adit_usage_query
of_days(struct adit_usage_query q, int64_t from, int64_t to)
{
    q.from_unix_s = from;
    q.to_unix_s = to;
    return q;
}

static struct books *
begin(void)
{
    static struct books b;
    static struct place p; /* its texts are asked for again by books_open */

    place_new(&p);
    books_init(&b, &p);
    return &b;
}

static bool
has_totals(struct books *b)
{
    return b->n_totals > 0;
}

/* ---- sums --------------------------------------------------------------- */

static void
test_sums(void **state)
{
    struct books *b = begin();
    struct adit_peerid two = peer_no(2);
    struct adit_ledger_gains g = { 1000, 200, 3, 4, 5 };
    int64_t day = adit_day_begin(NOON), month = adit_month_begin(NOON);

    (void)state;
    give(b, 1, 10, 20);
    books_pass(b, 60);
    give(b, 1, 1, 2);
    adit_ledger_add(b->l, &two, &g);
    adit_ledger_refused(b->l, &two, ADIT_RULE_QUOTA_DAY);
    adit_ledger_refused(b->l, &two, ADIT_RULE_QUOTA_DAY);
    adit_ledger_refused(b->l, &two, ADIT_RULE_DENIED);
    books_flush(b);
    give(b, 1, 100, 0); /* onto what is stored */
    books_flush(b);

    books_read(b, by_peer);
    assert_int_equal(b->n_rows, 2);
    assert_true(adit_peerid_eq(&b->rows[0].peer, &two));
    assert_int_equal(b->rows[0].sums.sent_bytes, 1000);
    assert_int_equal(b->rows[0].sums.received_bytes, 200);
    assert_int_equal(b->rows[0].sums.n_as_src, 3);
    assert_int_equal(b->rows[0].sums.n_as_dst, 4);
    assert_int_equal(b->rows[0].sums.n_reservations, 5);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_QUOTA_DAY], 2);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_DENIED], 1);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_QUOTA_MONTH], 0);
    assert_int_equal(b->rows[0].period_unix_s, 0);
    assert_int_equal(b->rows[1].sums.sent_bytes, 111);
    assert_int_equal(b->rows[1].sums.received_bytes, 22);
    assert_int_equal(b->rows[1].first_unix_s, NOON);
    assert_int_equal(b->rows[1].last_unix_s, NOON + 60);

    books_read(b, of_peer(by_day, 1));
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].period_unix_s, day);
    assert_int_equal(b->rows[0].sums.sent_bytes, 111);
    books_read(b, of_peer(by_day, 2));
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_QUOTA_DAY], 2);
    books_read(b, of_peer(by_month, 1));
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].period_unix_s, month);
    assert_int_equal(b->rows[0].sums.received_bytes, 22);

    books_read(b, by_day);
    assert_int_equal(b->n_rows, 1);
    assert_true(adit_peerid_is_none(&b->rows[0].peer));
    assert_int_equal(b->rows[0].sums.sent_bytes, 1111);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_DENIED], 1);
    books_read(b, by_month);
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].sums.received_bytes, 222);

    books_read(b, of_peer(by_peer, 3));
    assert_int_equal(b->n_rows, 0);
    books_fini(b);
}

/* So do those that had a reservation and nothing else, until they do: then
 * the month has what was before, too. */
static void
test_reserved_only(void **state)
{
    const struct adit_ledger_gains reserved = { .n_reservations = 1 };
    struct books *b = begin();
    struct adit_peerid seven = peer_no(7), eight = peer_no(8);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        adit_ledger_add(b->l, &seven, &reserved);
        adit_ledger_add(b->l, &eight, &reserved);
        books_flush(b);
        books_pass(b, DAY);
    }
    books_read(b, by_peer);
    assert_int_equal(b->n_rows, 0);
    books_read(b, by_month);
    assert_int_equal(b->n_rows, 0);
    books_read(b, of_peer(by_peer, 7));
    assert_int_equal(b->rows[0].sums.n_reservations, 2);
    books_read(b, by_day);
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(b->rows[0].sums.n_reservations, 2);

    give(b, 7, 10, 0);
    books_flush(b);
    adit_ledger_add(b->l, &seven, &reserved); /* to a month that is there */
    adit_ledger_add(b->l, &eight, &reserved);
    books_flush(b);
    for (unsigned i = 0; i < 2; i++) {
        books_read(b, i == 0 ? by_peer : by_month);
        assert_int_equal(b->n_rows, 1);
        assert_int_equal(b->rows[0].sums.sent_bytes, 10);
        assert_int_equal(b->rows[0].sums.n_reservations, 3);
        if (i == 0) {
            assert_int_equal(b->rows[0].first_unix_s, NOON);
            assert_int_equal(b->rows[0].last_unix_s, NOON + 2 * DAY);
        }
    }
    assert_int_equal(b->n_totals > 0, true);
    books_fini(b);
}

/* Anybody can make peer ids: those that did nothing leave no month. */
static void
test_refused_only(void **state)
{
    struct books *b = begin();
    struct adit_peerid p = peer_no(7);

    (void)state;
    adit_ledger_refused(b->l, &p, ADIT_RULE_DENIED);
    give(b, 1, 1, 0);
    books_flush(b);
    books_read(b, by_peer);
    assert_int_equal(b->n_rows, 1);
    books_read(b, of_peer(by_month, 7));
    assert_int_equal(b->n_rows, 0);
    /* Asked for by name he is found. */
    books_read(b, of_peer(by_peer, 7));
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_DENIED], 1);
    assert_int_equal(b->rows[0].first_unix_s, NOON);
    books_read(b, of_peer(by_day, 7));
    assert_int_equal(b->n_rows, 1);
    books_fini(b);
}

static void
test_top(void **state)
{
    struct books *b = begin();
    struct adit_usage_query q = by_peer;

    (void)state;
    for (unsigned i = 1; i <= 9; i++)
        give(b, i, 100 * ((i * 4) % 9), i);
    books_flush(b);
    q.max_rows = 3;
    books_read(b, q);
    assert_int_equal(b->n_rows, 3);
    assert_int_equal(b->rows[0].sums.sent_bytes, 800);
    assert_int_equal(b->rows[1].sums.sent_bytes, 700);
    assert_int_equal(b->rows[2].sums.sent_bytes, 600);
    q = of_days(q, adit_day_begin(NOON), adit_day_begin(NOON) + DAY);
    books_read(b, q);
    assert_int_equal(b->n_rows, 3);
    assert_int_equal(b->rows[0].sums.sent_bytes, 800);
    q = of_days(q, adit_day_begin(NOON) + DAY, adit_day_begin(NOON) + 2 * DAY);
    books_read(b, q);
    assert_int_equal(b->n_rows, 0);
    books_fini(b);
}

static void
test_restart(void **state)
{
    struct books *b = begin();

    (void)state;
    give(b, 1, 10, 0);
    books_close(b); /* writes what is pending */
    books_open(b);
    give(b, 1, 5, 0);
    b->live_bytes = 7; /* collected at the end */
    books_close(b);
    books_open(b);
    books_read(b, by_peer);
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].sums.sent_bytes, 22);
    books_fini(b);
}

/* ---- totals ---------------------------------------------------------------- */

static void
test_totals(void **state)
{
    struct books *b = begin();
    struct adit_peerid one = peer_no(1), two = peer_no(2);

    (void)state;
    give(b, 1, 10, 20);
    books_flush(b);
    assert_int_equal(b->n_totals, 1);
    assert_true(adit_peerid_eq(&b->totals[0].peer, &one));
    assert_int_equal(b->totals[0].day_unix_s, adit_day_begin(NOON));
    assert_int_equal(b->totals[0].month_unix_s, adit_month_begin(NOON));
    assert_int_equal(b->totals[0].day_bytes, 30);
    assert_int_equal(b->totals[0].month_bytes, 30);
    assert_int_equal(b->totals[0].day_pending_bytes, 0);

    /* The next day: another sum of the day, the same of the month. */
    books_pass(b, DAY);
    give(b, 1, 1, 0);
    b->n_totals = 0;
    books_flush(b);
    assert_int_equal(b->totals[0].day_unix_s, adit_day_begin(NOON) + DAY);
    assert_int_equal(b->totals[0].day_bytes, 1);
    assert_int_equal(b->totals[0].month_bytes, 31);

    give(b, 1, 4, 3); /* not written when it is asked */
    b->n_totals = 0;
    adit_ledger_ask(b->l, &one);
    books_until(b, has_totals);
    assert_int_equal(b->totals[0].day_bytes, 1);
    assert_int_equal(b->totals[0].day_pending_bytes, 7);
    assert_int_equal(b->totals[0].month_bytes, 31);
    assert_int_equal(b->totals[0].month_pending_bytes, 7);

    b->n_totals = 0;
    adit_ledger_ask(b->l, &two);
    books_until(b, has_totals);
    assert_true(adit_peerid_eq(&b->totals[0].peer, &two));
    assert_int_equal(b->totals[0].month_bytes, 0);
    books_fini(b);
}

/* ---- records ------------------------------------------------------------------ */

static void
close_circuit(struct books *b, unsigned src, unsigned dst, int64_t began)
{
    struct adit_ledger_record r = {
        .src = peer_no(src),
        .dst = peer_no(dst),
        .began_unix_s = began,
        .lasted_us = 2500000,
        .accepted_bytes = { 100 + src, 200 + src },
        .handed_bytes = { 10 + src, 20 + src },
        .why = "data_limit",
    };

    adit_ledger_record(b->l, &r);
}

static void
test_records(void **state)
{
    struct books *b = begin();
    struct adit_usage_query q = by_circuit;
    struct adit_peerid two = peer_no(2);

    (void)state;
    close_circuit(b, 1, 2, NOON);
    close_circuit(b, 3, 1, NOON + 10);
    close_circuit(b, 4, 5, NOON + 20);
    close_circuit(b, 4, 5, NOON + 20); /* two alike are two */
    books_flush(b);
    books_read(b, q);
    assert_int_equal(b->n_rows, 4);
    assert_int_equal(b->rows[0].record.began_unix_s, NOON + 20);
    assert_int_equal(b->rows[2].record.began_unix_s, NOON + 10);
    assert_int_equal(b->rows[3].record.lasted_us, 2500000);
    assert_true(adit_peerid_eq(&b->rows[3].record.dst, &two));
    assert_int_equal(b->rows[3].record.accepted_bytes[0], 101);
    assert_int_equal(b->rows[3].record.accepted_bytes[1], 201);
    assert_int_equal(b->rows[3].record.handed_bytes[0], 11);
    assert_int_equal(b->rows[3].record.handed_bytes[1], 21);
    assert_string_equal(b->rows[3].record.why, "data_limit");
    books_read(b, of_peer(q, 1)); /* as source and as destination */
    assert_int_equal(b->n_rows, 2);
    books_read(b, of_days(q, NOON + 5, NOON + 20));
    assert_int_equal(b->n_rows, 1);
    q.max_rows = 2;
    books_read(b, q);
    assert_int_equal(b->n_rows, 2);

    books_close(b);
    b->cfg.keep_circuits_us = 0; /* none are kept */
    books_open(b);
    close_circuit(b, 9, 2, NOON);
    give(b, 9, 1, 1);
    books_flush(b);
    books_read(b, of_peer(by_circuit, 9));
    assert_int_equal(b->n_rows, 0);
    books_fini(b);
}

/* ---- marks ----------------------------------------------------------------------- */

static bool
has_marks(struct books *b)
{
    return b->has_marks;
}

static void
test_marks(void **state)
{
    struct books *b = begin();
    struct adit_ledger_mark m = { .peer = peer_no(1), .is_banned = true };

    (void)state;
    adit_ledger_mark(b->l, &m);
    m.until_unix_s = NOON + 60; /* the same peer: replaces it */
    adit_ledger_mark(b->l, &m);
    m = (struct adit_ledger_mark){ .peer = peer_no(2), .class_name = "gold" };
    adit_ledger_mark(b->l, &m);
    books_close(b);

    books_open(b);
    books_until(b, has_marks);
    assert_int_equal(b->n_marks, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool is_two = adit_peerid_eq(&b->marks[i].peer, &m.peer);

        assert_int_equal(b->marks[i].is_banned, !is_two);
        assert_int_equal(b->marks[i].until_unix_s, is_two ? 0 : NOON + 60);
        assert_string_equal(b->marks[i].class_name, is_two ? "gold" : "");
    }
    m.class_name[0] = '\0'; /* says nothing: deleted */
    adit_ledger_mark(b->l, &m);
    books_close(b);

    books_open(b);
    m = (struct adit_ledger_mark){ .peer = peer_no(1), .class_name = "tin" };
    adit_ledger_mark(b->l, &m); /* newer than what is being read */
    books_until(b, has_marks);
    assert_int_equal(b->n_marks, 0);
    books_fini(b);
}

/* ---- clocks ------------------------------------------------------------------------ */

/* 2026-01-31 23:59:50 UTC */
#define MONTHS_END INT64_C(1769903990)

static void
test_midnight(void **state)
{
    struct books *b = begin();

    (void)state;
    b->unix_s = MONTHS_END;
    books_turn(b);
    give(b, 2, 1, 0); /* tells that the day is another */
    books_flush(b);
    books_pass(b, 8);
    books_until(b, books_is_written);
    give(b, 1, 10, 0);
    b->live_bytes = 100; /* moved, not yet collected */
    books_pass(b, 3);    /* past midnight, before the next flush */
    give(b, 1, 1000, 0);
    b->live_bytes = 10000;
    books_flush(b);
    books_read(b, of_peer(by_day, 1));
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(b->rows[0].period_unix_s, MONTHS_END + 10);
    assert_int_equal(b->rows[0].sums.sent_bytes, 11000);
    assert_int_equal(b->rows[1].sums.sent_bytes, 110);
    books_read(b, of_peer(by_month, 1));
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(b->rows[0].period_unix_s, MONTHS_END + 10);
    assert_int_equal(b->rows[0].sums.sent_bytes, 11000);
    assert_int_equal(b->rows[1].sums.sent_bytes, 110);
    books_fini(b);
}

static void
test_clock_jumps(void **state)
{
    static const int64_t jumps[] = { -3 * DAY,  40 * DAY,   -40 * DAY,
                                     400 * DAY, -400 * DAY, 3 * DAY };
    struct books *b = begin();
    uint64_t given = 0;

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(jumps); i++) {
        give(b, 1, 1u << i, 0);
        b->live_bytes = 1000;
        given += (1u << i) + 1000;
        b->unix_s += jumps[i];
        books_turn(b);
        give(b, 1, 1, 0);
        given++;
        books_flush(b);
    }
    assert_int_equal(b->unix_s, NOON);
    books_read(b, by_peer);
    assert_int_equal(b->rows[0].sums.sent_bytes, given);
    books_read(b, by_day);
    for (size_t i = 0; i < b->n_rows; i++)
        given -= b->rows[i].sums.sent_bytes;
    assert_int_equal(given, 0);
    books_fini(b);
}

static void
test_retention(void **state)
{
    struct books *b = begin();
    struct adit_peerid p = peer_no(1);

    (void)state;
    give(b, 1, 10, 0);
    adit_ledger_refused(b->l, &p, ADIT_RULE_DENIED);
    close_circuit(b, 1, 2, NOON);
    books_flush(b);

    /* A clock that jumps ten years deletes nothing. */
    b->unix_s += 3650 * DAY;
    give(b, 1, 1, 0); /* nobody has looked at the clock yet */
    books_flush(b);
    give(b, 1, 1, 0);
    books_flush(b);
    b->unix_s -= 3650 * DAY;
    books_turn(b);
    books_read(b, by_circuit);
    assert_int_equal(b->n_rows, 1);
    books_read(b, of_days(by_day, NOON - DAY, NOON + DAY));
    assert_int_equal(b->n_rows, 1);

    /* Time that passes does: records after 30 days, days after 62. */
    books_pass(b, 31 * DAY);
    give(b, 1, 100, 0);
    books_flush(b);
    books_read(b, by_circuit);
    assert_int_equal(b->n_rows, 0);
    books_read(b, of_days(by_day, NOON - DAY, NOON + DAY));
    assert_int_equal(b->n_rows, 1);
    books_pass(b, 32 * DAY);
    books_until(b, books_is_written);
    give(b, 1, 1000, 0);
    books_flush(b);
    books_read(b, of_days(by_day, NOON - DAY, NOON + DAY));
    assert_int_equal(b->n_rows, 0);
    /* Months are kept longer: 100 days. */
    books_read(b, of_days(by_month, NOON - 40 * DAY, NOON + DAY));
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(b->rows[0].sums.sent_bytes, 11);
    books_pass(b, 80 * DAY);
    books_until(b, books_is_written);
    give(b, 1, 10000, 0);
    books_flush(b);
    books_read(b, of_days(by_month, NOON - 40 * DAY, NOON + 200 * DAY));
    assert_int_equal(b->n_rows, 3);
    assert_int_equal(b->rows[0].sums.sent_bytes, 10000);
    assert_int_equal(b->rows[2].sums.sent_bytes, 100);

    /* A step that stands for a day is believed. */
    b->unix_s += 3650 * DAY;
    for (unsigned i = 0; i < 3; i++) {
        give(b, 1, 1, 0);
        books_flush(b);
        books_pass(b, DAY);
        books_until(b, books_is_written);
    }
    books_read(b, of_days(by_day, NOON, NOON + 200 * DAY));
    assert_int_equal(b->n_rows, 0);
    books_read(b, of_days(by_month, NOON - 40 * DAY, NOON + 200 * DAY));
    assert_int_equal(b->n_rows, 0);
    books_fini(b);
}

/* ---- once, and not without bound -------------------------------------------------- */

static bool
is_back(struct books *b)
{
    return b->is_answered;
}

static struct books *waiting; /* for test_twice's job */

static void
on_back(struct adit_worker *w, struct adit_msg *m)
{
    (void)w;
    (void)m;
    waiting->is_answered = true;
}

/* A batch whose outcome was not known is sent again: it counts once. */
static void
test_twice(void **state)
{
    static const uint8_t instance[16] = { 1, 2, 3 };
    struct books *b = begin();
    struct adit_batch_job j = { .job.kind = ADIT_JOB_BATCH };
    struct adit_rng rng = adit_rng_system();
    struct adit_ledger_gains g = { .sent_bytes = 10 };
    struct adit_ledger_record r = { .src = peer_no(1),
                                    .dst = peer_no(2),
                                    .began_unix_s = NOON,
                                    .why = "fin" };
    struct adit_clerk d;
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];

    (void)state;
    waiting = b;
    assert_int_equal(adit_batch_init(&j.batch, &b->mem, &rng), ADIT_OK);
    j.batch.seq = 1;
    /* More than a part of what Redis gets at a time. */
    for (unsigned i = 0; i < 600; i++) {
        struct adit_peerid p = peer_no(i);

        assert_true(
            adit_batch_add(&j.batch, &p, NOON, adit_day_begin(NOON), &g));
        assert_true(adit_batch_refused(
            &j.batch, &p, NOON, adit_day_begin(NOON), ADIT_RULE_DENIED));
    }
    assert_true(adit_batch_record(&j.batch, &r));
    assert_int_equal(adit_clerk_open(&d, b->w,
                                     b->cfg.backend == ADIT_LEDGER_IN_SQLITE
                                         ? &adit_backend_sqlite
                                         : &adit_backend_redis,
                                     &b->cfg, instance, why),
                     ADIT_OK);
    for (unsigned i = 0; i < 3; i++) {
        j.job.now_unix_s = j.prune_unix_s = NOON;
        b->is_answered = false;
        adit_clerk_post(&d, &j.job, on_back);
        books_until(b, is_back);
        assert_int_equal(j.job.e, ADIT_OK);
        assert_int_equal(j.batch.entries->day_bytes, 10);
        assert_false(j.is_rolled_back);
    }
    assert_true(adit_clerk_close(&d));
    adit_batch_fini(&j.batch);
    books_read(b, by_day);
    assert_int_equal(b->rows[0].sums.sent_bytes, 6000);
    assert_int_equal(b->rows[0].sums.refusals[ADIT_RULE_DENIED], 600);
    books_read(b, by_circuit);
    assert_int_equal(b->n_rows, 1);
    books_fini(b);
}

static bool
has_all_totals(struct books *b)
{
    return b->n_totals == ADIT_LEDGER_MAX_PEERS;
}

static void
test_bounds(void **state)
{
    struct books *b = begin();

    (void)state;
    /* Without a turn between, so that nothing is written meanwhile. */
    for (unsigned i = 0; i < ADIT_LEDGER_MAX_PEERS + 10; i++)
        give(b, i, 1, 0);
    give(b, 3, 100, 0); /* who is in goes on to be counted */
    for (unsigned i = 0; i < ADIT_LEDGER_MAX_RECORDS + 3; i++)
        close_circuit(b, 1, 2, NOON);
    assert_int_equal(adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_BYTES),
                     10);
    assert_int_equal(adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_RECORDS),
                     3);
    assert_true(books_has_line(b, "ledger.losing"));
    books_turn(b); /* so much does not wait for the flush */
    books_until(b, books_is_written);
    assert_true(b->n_totals < ADIT_LEDGER_MAX_PEERS / 2); /* a bit a turn */
    books_until(b, has_all_totals);
    give(b, ADIT_LEDGER_MAX_PEERS + 5, 1000, 0);
    books_read(b, by_day);
    assert_int_equal(b->rows[0].sums.sent_bytes,
                     ADIT_LEDGER_MAX_PEERS + 100 + 1000);
    books_read(b, by_peer);
    assert_int_equal(b->n_rows, ADIT_USAGE_MAX_ROWS);
    assert_int_equal(b->rows[0].sums.sent_bytes, 1000);
    assert_int_equal(b->rows[1].sums.sent_bytes, 101);
    books_fini(b);
}

/* ---- asking ---------------------------------------------------------------------------- */

static unsigned n_told;
static adit_err told;

static void
tell(void *ctx, adit_err e, const char *text,
     const struct adit_usage_row *rows, size_t n)
{
    (void)ctx;
    (void)text;
    (void)rows;
    (void)n;
    n_told++;
    told = e;
}

/* Whoever is told asks the next thing at once. */
static void
tell_and_ask(void *ctx, adit_err e, const char *text,
             const struct adit_usage_row *rows, size_t n)
{
    struct books *b = ctx;

    (void)text;
    assert_int_equal(e, ADIT_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].sums.sent_bytes, 10);
    if (++n_told < 5)
        assert_int_equal(adit_ledger_query(b->l, &by_peer, tell_and_ask, b),
                         ADIT_OK);
}

static bool
is_told_five(struct books *b)
{
    (void)b;
    return n_told >= 5;
}

static void
test_asking_from_an_answer(void **state)
{
    struct books *b = begin();

    (void)state;
    give(b, 1, 10, 0);
    n_told = 0;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(adit_ledger_query(b->l, &by_peer, tell_and_ask, b),
                         ADIT_OK);
    books_until(b, is_told_five);
    for (unsigned i = 0; i < 3; i++)
        books_read(b, by_peer);
    assert_in_range(n_told, 5, 6);
    books_fini(b);
}

/* Told that the ledger is being closed: whatever is called then is in vain,
 * and harmless. */
static void
tell_of_the_end(void *ctx, adit_err e, const char *text,
                const struct adit_usage_row *rows, size_t n)
{
    struct books *b = ctx;
    struct adit_peerid one = peer_no(1);
    struct adit_ledger_mark m = { .peer = one, .class_name = "gold" };
    struct adit_ledger_state s;

    (void)text;
    (void)rows;
    (void)n;
    told = e;
    if (n_told++ > 0)
        return;
    assert_int_equal(adit_ledger_query(b->l, &by_peer, tell_of_the_end, b),
                     ADIT_ESTATE);
    adit_ledger_forget(b->l, b);
    give(b, 1, 100, 0);
    adit_ledger_refused(b->l, &one, ADIT_RULE_DENIED);
    close_circuit(b, 1, 2, NOON);
    adit_ledger_ask(b->l, &one);
    adit_ledger_mark(b->l, &m);
    adit_ledger_state(b->l, &s);
}

static void
test_asking_at_the_end(void **state)
{
    struct books *b = begin();

    (void)state;
    n_told = 0;
    give(b, 1, 10, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(adit_ledger_query(b->l, &by_peer, tell_of_the_end, b),
                         ADIT_OK);
    books_close(b);
    assert_int_equal(n_told, 1); /* the other was forgotten */
    assert_int_equal(adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_BYTES),
                     100);
    assert_int_equal(adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_RECORDS),
                     1);
    assert_true(books_has_line(b, "ledger.mark_lost"));
    books_open(b);
    books_read(b, by_peer);
    assert_int_equal(b->rows[0].sums.sent_bytes, 10);
    books_fini(b);
}

static void
test_asking(void **state)
{
    struct books *b = begin();
    int me, other;

    (void)state;
    /* What is pending is in the answer, with no flush due; so is what only
     * collecting tells. */
    give(b, 1, 10, 0);
    b->live_bytes = 5;
    books_read(b, by_peer);
    assert_int_equal(b->rows[0].sums.sent_bytes, 15);
    assert_string_equal(b->text, "");
    /* And what gathers while a batch is under way. */
    give(b, 1, 10, 0);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_turn(b);
    give(b, 1, 100, 0);
    books_read(b, by_peer);
    assert_int_equal(b->rows[0].sums.sent_bytes, 125);

    n_told = 0;
    for (unsigned i = 0; i < ADIT_USAGE_MAX_QUERIES; i++)
        assert_int_equal(
            adit_ledger_query(b->l, &by_peer, tell, i % 2 ? &me : &other),
            ADIT_OK);
    assert_int_equal(adit_ledger_query(b->l, &by_peer, tell, &me), ADIT_EFULL);
    adit_ledger_forget(b->l, &me);
    give(b, 1, 1, 0);
    books_flush(b);
    books_read(b, by_peer); /* goes behind them */
    assert_int_equal(n_told, ADIT_USAGE_MAX_QUERIES / 2);
    assert_int_equal(told, ADIT_OK);

    /* Closing ends each with a word. */
    n_told = 0;
    give(b, 1, 1, 0);
    assert_int_equal(adit_ledger_query(b->l, &by_peer, tell, &me), ADIT_OK);
    books_close(b);
    assert_int_equal(n_told, 1);
    books_open(b);
    books_fini(b);
}

/* ---- without memory ---------------------------------------------------------------------- */

/* One scenario, with the n-th allocation failing, and all after it.  False:
 * the ledger could not be opened. */
static bool
out_of_memory(struct books *b, uint64_t n)
{
    const struct adit_ledger_events ev = { .ctx = b };
    struct adit_peerid one = peer_no(1);
    struct adit_ledger_mark m = { .peer = one, .class_name = "gold" };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
    adit_err e;

    b->mem.fail_at = b->mem.n_allocs + n;
    e = adit_ledger_open(b->w, &b->cfg, &ev, &b->l, why);
    if (e != ADIT_OK) {
        assert_int_equal(e, ADIT_ENOMEM);
        b->mem.fail_at = 0;
        return false;
    }
    give(b, 1, 10, 0);
    adit_ledger_refused(b->l, &one, ADIT_RULE_DENIED);
    adit_ledger_refused(b->l, &one, ADIT_RULE_BANNED);
    close_circuit(b, 1, 2, NOON);
    adit_ledger_mark(b->l, &m);
    adit_ledger_ask(b->l, &one);
    e = adit_ledger_query(b->l, &by_peer, tell, b);
    assert_true(e == ADIT_OK || e == ADIT_ENOMEM);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_turn(b);
    b->mem.fail_at = 0; /* there is some again */
    books_flush(b);
    books_close(b);
    return true;
}

static void
test_no_memory(void **state)
{
    struct books *b = begin();
    uint64_t lost, given = 0;

    (void)state;
    books_close(b);
    for (uint64_t n = 1; n < 40; n++)
        given += out_of_memory(b, n) ? 10 : 0;
    assert_true(given > 0 && given < 39 * 10);
    books_open(b);
    lost = adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_BYTES);
    assert_true(lost > 0);
    books_read(b, by_peer);
    assert_int_equal(b->rows[0].sums.sent_bytes + lost, given);
    books_fini(b);
}

/* ---- on real workers ---------------------------------------------------------------------- */

struct own {
    struct adit_worker *w;
    struct event_base *lent; /* or NULL */
    bool is_told;
};

static void
own_stop(struct own *o)
{
    if (o->lent != NULL)
        event_base_loopbreak(o->lent);
    else
        adit_worker_stop(o->w);
}

static void
own_totals(void *ctx, const struct adit_ledger_totals *t)
{
    struct own *o = ctx;

    assert_int_equal(t->day_bytes, 42);
    o->is_told = true;
    own_stop(o);
}

static void
own_late(void *ctx)
{
    own_stop(ctx);
}

/* On its clock, and on a base that is somebody else's. */
static void
on_real_worker(enum adit_worker_kind kind)
{
    struct adit_mem mem;
    struct adit_metrics metrics = { 0 };
    struct own o = { 0 };
    struct adit_worker_config wc = {
        .kind = kind,
        .mem = &mem,
        .rng = adit_rng_system(),
        .buffer_bytes = 1 << 16,
    };
    struct adit_ledger_events ev = { .ctx = &o, .on_totals = own_totals };
    struct adit_timer late = { .fn = own_late, .ctx = &o };
    struct adit_peerid p = peer_no(1);
    struct adit_ledger_gains g = { .received_bytes = 42 };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
    struct adit_ledger *l;
    struct place place;

    place_new(&place);
    adit_mem_init(&mem, NULL, SIZE_MAX);
    if (kind == ADIT_WORKER_LENT)
        wc.lent = o.lent = event_base_new();
    assert_int_equal(adit_worker_new(&wc, &o.w), ADIT_OK);
    struct adit_ledger_config cfg = {
        .backend = place.backend,
        .file = place.file,
        .redis = place.redis,
        .redis_prefix = place.prefix,
        .flush_us = 100 * ADIT_MS,
        .keep_days_us = 62 * DAY * ADIT_S,
        .keep_months_us = 100 * DAY * ADIT_S,
        .metrics = &metrics,
    };
    assert_int_equal(adit_ledger_open(o.w, &cfg, &ev, &l, why), ADIT_OK);
    adit_ledger_add(l, &p, &g);
    assert_int_equal(
        adit_timer_set(o.w, &late,
                       adit_instant_add(adit_worker_now(o.w), 20 * ADIT_S)),
        ADIT_OK);
    if (kind == ADIT_WORKER_LENT)
        event_base_dispatch(o.lent);
    else
        adit_worker_run(o.w);
    assert_true(o.is_told);
    adit_timer_stop(o.w, &late);
    adit_ledger_close(l);
    adit_worker_free(o.w);
    if (o.lent != NULL)
        event_base_free(o.lent);
    assert_int_equal(mem.used_bytes, 0);
}

static void
test_real_workers(void **state)
{
    (void)state;
    on_real_worker(ADIT_WORKER_OWN);
    on_real_worker(ADIT_WORKER_LENT);
}

const struct CMUnitTest suite[] = {
    cmocka_unit_test(test_sums),
    cmocka_unit_test(test_refused_only),
    cmocka_unit_test(test_reserved_only),
    cmocka_unit_test(test_top),
    cmocka_unit_test(test_restart),
    cmocka_unit_test(test_totals),
    cmocka_unit_test(test_records),
    cmocka_unit_test(test_marks),
    cmocka_unit_test(test_midnight),
    cmocka_unit_test(test_clock_jumps),
    cmocka_unit_test(test_retention),
    cmocka_unit_test(test_twice),
    cmocka_unit_test(test_bounds),
    cmocka_unit_test(test_asking),
    cmocka_unit_test(test_no_memory),
    cmocka_unit_test(test_asking_from_an_answer),
    cmocka_unit_test(test_asking_at_the_end),
    cmocka_unit_test(test_real_workers),
};
const size_t n_suite = ADIT_NITEMS(suite);
