/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A backend that does not return from a call, and a relay that ends. */
#include "tests/unit/ledger/books.h"

#include "ledger/clerk.h"

#define N_TRIES 60000 /* of a millisecond */

/* Long enough for what does return, short for a test that waits for it. */
#define HANG_US (300 * ADIT_MS)

/* There is one at a time.  Jobs are kept here, so that those that are left
 * behind are not lost to who looks for leaks. */
struct adit_store {
    struct adit_clerk *clerk;
    bool hangs; /* in batches */
    atomic_bool is_in_call, is_let_go, is_closed;
    struct adit_job *jobs[16];
    size_t n_jobs;
};

static struct adit_store store;
static struct adit_ledger *ledger; /* for the same reason */

static void
nap(void)
{
    const struct timespec t = { 0, 1000000 };

    nanosleep(&t, NULL);
}

static void
until(atomic_bool *what)
{
    for (unsigned i = 0; i < N_TRIES && !atomic_load(what); i++)
        nap();
    assert_true(atomic_load(what));
}

static adit_err
fake_open(struct adit_clerk *clerk, const struct adit_ledger_config *cfg,
          const uint8_t instance[static 16], struct adit_store **out,
          char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    (void)cfg;
    (void)instance;
    (void)why;
    store.clerk = clerk;
    *out = &store;
    return ADIT_OK;
}

static void
fake_close(struct adit_store *s)
{
    atomic_store(&s->is_closed, true);
}

static void
fake_run(struct adit_store *s, struct adit_job *job)
{
    s->jobs[s->n_jobs++ % ADIT_NITEMS(s->jobs)] = job;
    if (s->hangs && job->kind == ADIT_JOB_BATCH) {
        atomic_store(&s->is_in_call, true);
        while (!atomic_load(&s->is_let_go))
            nap();
    }
    if (job->kind == ADIT_JOB_QUERY) {
        struct adit_usage_row *row =
            adit_query_row(ADIT_CONTAINER_OF(job, struct adit_query_job, job));

        assert_non_null(row);
        row->sums.sent_bytes = 7;
    }
    adit_clerk_done(s->clerk, ADIT_OK, "");
}

static void
fake_cancel(struct adit_store *s)
{
    (void)s;
    fail_msg("nothing is under way between two calls");
}

static const struct adit_backend fake = {
    .open = fake_open,
    .close = fake_close,
    .run = fake_run,
    .cancel = fake_cancel,
};

/* ---- a relay's side ------------------------------------------------------ */

struct side {
    struct adit_mem mem;
    struct adit_log log;
    char lines[8][256];
    unsigned n_lines;
    struct adit_metrics metrics;
    struct adit_worker *w;
    unsigned n_told;
    adit_err told;
    uint64_t sent_bytes;
};

static void
sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    struct side *s = ctx;

    (void)level;
    (void)n;
    snprintf(s->lines[s->n_lines++ % ADIT_NITEMS(s->lines)],
             sizeof(s->lines[0]), "%s", line);
}

static bool
has_line(const struct side *s, const char *what)
{
    for (size_t i = 0; i < ADIT_NITEMS(s->lines); i++)
        if (strstr(s->lines[i], what) != NULL)
            return true;
    return false;
}

static void
tell(void *ctx, adit_err e, const char *text,
     const struct adit_usage_row *rows, size_t n)
{
    struct side *s = ctx;

    (void)text;
    s->n_told++;
    s->told = e;
    s->sent_bytes = n > 0 ? rows[0].sums.sent_bytes : 0;
}

static struct side *
begin(bool hangs)
{
    struct side *s = calloc(1, sizeof(*s));
    const struct adit_ledger_events ev = { .ctx = s };
    struct adit_worker_config wc = {
        .kind = ADIT_WORKER_HAND,
        .log = &s->log,
        .rng = adit_rng_system(),
        .buffer_bytes = 1 << 16,
    };
    struct adit_ledger_config cfg = {
        .flush_us = BOOKS_FLUSH_US,
        .keep_circuits_us = DAY * ADIT_S,
        .hang_us = hangs ? HANG_US : 0,
        .metrics = &s->metrics,
    };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];

    assert_non_null(s);
    adit_mem_init(&s->mem, NULL, SIZE_MAX);
    s->log = (struct adit_log){ ADIT_LOG_DEBUG, sink, s };
    wc.mem = &s->mem;
    store = (struct adit_store){ .hangs = hangs };
    assert_int_equal(adit_worker_new(&wc, &s->w), ADIT_OK);
    adit_worker_turn(s->w, (struct adit_instant){ ADIT_S }, NOON);
    assert_int_equal(
        adit_ledger_open_with(s->w, &fake, &cfg, &ev, &ledger, why), ADIT_OK);
    return s;
}

/* What it left behind is charged to it for good; it has none of it. */
static void
end(struct side *s, bool has_left)
{
    adit_worker_free(s->w);
    assert_int_equal(s->mem.used_bytes > 0, has_left);
    free(s);
}

static struct adit_peerid
peer(uint8_t i)
{
    const uint8_t msg[36] = { 0x08, 0x01, 0x12, 0x20, i };
    struct adit_peerid p;

    adit_peerid_of_key(adit_slice(msg, sizeof(msg)), &p);
    return p;
}

static void
add(uint8_t i, uint64_t sent)
{
    struct adit_peerid p = peer(i);
    struct adit_ledger_gains g = { .sent_bytes = sent };

    adit_ledger_add(ledger, &p, &g);
}

/* ---- the cases ------------------------------------------------------------ */

/* It hangs while a batch is written; an answer lies in the mailbox, others
 * wait behind the batch.  The relay ends, and all that it has with it; when
 * the call returns after all, nothing comes of it. */
static void
test_hangs(void **state)
{
    struct side *s = begin(true);
    struct adit_usage_query q = { .by = ADIT_USAGE_BY_PEER };
    struct adit_peerid one = peer(1);
    struct adit_ledger_mark m = { .peer = one, .class_name = "gold" };
    struct adit_ledger_record r = { .src = one, .dst = one, .why = "fin" };

    (void)state;
    adit_ledger_ask(ledger, &one);
    add(1, 10);
    add(2, 20);
    adit_worker_turn(
        s->w, (struct adit_instant){ 2 * ADIT_S + BOOKS_FLUSH_US }, NOON + 6);
    until(&store.is_in_call);
    add(1, 100);
    adit_ledger_record(ledger, &r);
    adit_ledger_mark(ledger, &m);
    adit_ledger_ask(ledger, &one);
    assert_int_equal(adit_ledger_query(ledger, &q, tell, s), ADIT_OK);
    adit_ledger_close(ledger);
    assert_int_equal(s->n_told, 1);
    assert_int_equal(s->told, ADIT_EIO);
    assert_true(has_line(s, "ledger.abandoned"));
    assert_true(has_line(s, "ledger.not_written"));
    assert_true(has_line(s, "the backend hangs"));
    assert_int_equal(adit_metric_get(&s->metrics, ADIT_M_LEDGER_LOST_BYTES),
                     130);
    assert_int_equal(adit_metric_get(&s->metrics, ADIT_M_LEDGER_LOST_RECORDS),
                     1);
    assert_false(atomic_load(&store.is_closed));
    end(s, true);
    atomic_store(&store.is_let_go, true);
    until(&store.is_closed);
}

/* One that returns late, but in time: nothing of it is said or lost. */
static void
test_returns(void **state)
{
    struct side *s = begin(false);
    struct adit_usage_query q = { .by = ADIT_USAGE_BY_PEER };

    (void)state;
    add(1, 10);
    assert_int_equal(adit_ledger_query(ledger, &q, tell, s), ADIT_OK);
    for (unsigned i = 0; i < N_TRIES && s->n_told == 0; i++) {
        adit_worker_turn(s->w, (struct adit_instant){ 2 * ADIT_S + i }, NOON);
        nap();
    }
    assert_int_equal(s->n_told, 1);
    assert_int_equal(s->told, ADIT_OK);
    assert_int_equal(s->sent_bytes, 7);
    add(1, 100);
    adit_ledger_close(ledger);
    assert_true(atomic_load(&store.is_closed));
    assert_false(has_line(s, "ledger."));
    assert_int_equal(adit_metric_get(&s->metrics, ADIT_M_LEDGER_LOST_BYTES),
                     0);
    end(s, false);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returns),
        cmocka_unit_test(test_hangs),
    };

    return cmocka_run_group_tests_name("ledger/hang", tests, NULL, NULL);
}
