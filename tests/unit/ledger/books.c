/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/unit/ledger/books.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 60000

void
dir_new(char out[64])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(out, 64, "%.40s/adit-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(out));
}

void
dir_end(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[400];

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (unlink(path) != 0)
            dir_end(path);
    }
    closedir(d);
    rmdir(dir);
}

struct adit_peerid
peer_no(unsigned i)
{
    struct adit_peerid p;
    uint8_t msg[36] = { 0x08, 0x01, 0x12, 0x20 };

    memcpy(msg + 4, &i, sizeof(i));
    adit_peerid_of_key(adit_slice(msg, sizeof(msg)), &p);
    return p;
}

static void
sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    struct books *b = ctx;

    (void)level;
    (void)n;
    snprintf(b->lines[b->n_lines++ % ADIT_NITEMS(b->lines)],
             sizeof(b->lines[0]), "%s", line);
}

bool
books_has_line(const struct books *b, const char *what)
{
    for (size_t i = 0; i < ADIT_NITEMS(b->lines); i++)
        if (strstr(b->lines[i], what) != NULL)
            return true;
    return false;
}

/* ---- what the ledger tells ------------------------------------------------ */

static void
collect(void *ctx)
{
    struct books *b = ctx;
    struct adit_ledger_gains g = { .sent_bytes = b->live_bytes };

    if (b->live_bytes == 0)
        return;
    b->live_bytes = 0;
    adit_ledger_add(b->l, &b->live, &g);
}

static void
on_totals(void *ctx, const struct adit_ledger_totals *t)
{
    struct books *b = ctx;

    b->totals[b->n_totals++ % ADIT_NITEMS(b->totals)] = *t;
}

static void
on_mark(void *ctx, const struct adit_ledger_mark *m)
{
    struct books *b = ctx;

    if (m == NULL)
        b->has_marks = true;
    else
        b->marks[b->n_marks++ % ADIT_NITEMS(b->marks)] = *m;
}

static void
on_rows(void *ctx, adit_err e, const char *text,
        const struct adit_usage_row *rows, size_t n)
{
    struct books *b = ctx;

    b->is_answered = true;
    b->answer = e;
    snprintf(b->text, sizeof(b->text), "%s", text != NULL ? text : "");
    b->n_rows = n;
    for (size_t i = 0; i < n && i < ADIT_NITEMS(b->rows); i++)
        b->rows[i] = rows[i];
}

/* ---- driven ----------------------------------------------------------------- */

void
books_turn(struct books *b)
{
    b->now.us++; /* for what is left to the next turn */
    adit_worker_turn(b->w, b->now, b->unix_s);
}

void
books_until(struct books *b, bool (*fn)(struct books *b))
{
    const struct timespec nap = { 0, 1000000 };

    for (unsigned i = 0; i < DEADLINE_MS; i++) {
        books_turn(b);
        if (fn(b))
            return;
        nanosleep(&nap, NULL); /* until there is mail, or the deadline */
        if (b->is_slow)
            b->now = adit_instant_add(b->now, 50 * ADIT_MS);
    }
    fail_msg("it never came to be");
}

static struct adit_ledger_state
state(const struct books *b)
{
    struct adit_ledger_state s;

    adit_ledger_state(b->l, &s);
    return s;
}

bool
books_is_written(struct books *b)
{
    return state(b).n_pending == 0 && !state(b).is_failing;
}

bool
books_is_failing(struct books *b)
{
    return state(b).is_failing;
}

void
books_pass(struct books *b, int64_t s)
{
    b->now = adit_instant_add(b->now, s * ADIT_S);
    b->unix_s += s;
    books_turn(b);
}

void
books_flush(struct books *b)
{
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_until(b, books_is_written);
}

static bool
is_answered(struct books *b)
{
    return b->is_answered;
}

static bool
has_marks(struct books *b)
{
    return b->has_marks;
}

void
books_read(struct books *b, struct adit_usage_query q)
{
    b->is_answered = false;
    assert_int_equal(adit_ledger_query(b->l, &q, on_rows, b), ADIT_OK);
    books_until(b, is_answered);
    if (b->answer != ADIT_OK)
        print_message("%s\n", b->text);
    assert_int_equal(b->answer, ADIT_OK);
}

void
books_open(struct books *b)
{
    const struct adit_ledger_events ev = {
        .ctx = b,
        .collect = collect,
        .on_totals = on_totals,
        .on_mark = on_mark,
    };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES] = "";
    adit_err e;

    b->n_totals = b->n_marks = 0;
    b->has_marks = false;
    e = adit_ledger_open(b->w, &b->cfg, &ev, &b->l, why);
    if (e != ADIT_OK)
        print_message("%s\n", why);
    assert_int_equal(e, ADIT_OK);
}

void
books_close(struct books *b)
{
    adit_ledger_close(b->l);
    b->l = NULL;
}

void
books_init(struct books *b, const struct place *p)
{
    struct adit_worker_config wc = {
        .kind = ADIT_WORKER_HAND,
        .mem = &b->mem,
        .log = &b->log,
        .rng = adit_rng_system(),
        .buffer_bytes = 1 << 16,
    };

    *b = (struct books){ .now = { 1000 * ADIT_S }, .unix_s = NOON };
    adit_mem_init(&b->mem, NULL, SIZE_MAX);
    b->log = (struct adit_log){ ADIT_LOG_DEBUG, sink, b };
    b->live = peer_no(1);
    assert_int_equal(adit_worker_new(&wc, &b->w), ADIT_OK);
    books_turn(b);
    b->cfg = (struct adit_ledger_config){
        .backend = p->backend,
        .file = p->file,
        .redis = p->redis,
        .redis_user = p->user,
        .redis_password = p->password,
        .redis_prefix = p->prefix,
        .flush_us = BOOKS_FLUSH_US,
        .keep_circuits_us = 30 * DAY * ADIT_S,
        .keep_days_us = 62 * DAY * ADIT_S,
        .keep_months_us = 100 * DAY * ADIT_S,
        .metrics = &b->metrics,
    };
    books_open(b);
    books_until(b, has_marks);
}

void
books_fini(struct books *b)
{
    adit_ledger_close(b->l);
    adit_worker_free(b->w);
    assert_int_equal(b->mem.used_bytes, 0);
}

void
give(struct books *b, unsigned peer, uint64_t sent, uint64_t received)
{
    struct adit_peerid p = peer_no(peer);
    struct adit_ledger_gains g = { .sent_bytes = sent,
                                   .received_bytes = received };

    adit_ledger_add(b->l, &p, &g);
}

int
run_suite(const char *name, const struct CMUnitTest *more, size_t n_more,
          CMFixtureFunction setup, CMFixtureFunction teardown)
{
    static struct CMUnitTest all[64];

    assert_true(n_suite + n_more <= ADIT_NITEMS(all));
    memcpy(all, suite, n_suite * sizeof(suite[0]));
    memcpy(all + n_suite, more, n_more * sizeof(more[0]));
    return _cmocka_run_group_tests(name, all, n_suite + n_more, setup,
                                   teardown);
}
