/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * books: a ledger on a worker that is run by hand, so that both clocks are
 * the test's; its thread and its backend are real, so a test waits for them:
 * until something is so, with a deadline.
 */
#ifndef ADIT_TESTS_LEDGER_BOOKS_H
#define ADIT_TESTS_LEDGER_BOOKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/civil.h"
#include "ledger/ledger.h"

/* 2026-01-15 12:00:00 UTC */
#define NOON INT64_C(1768478400)
#define DAY ADIT_DAY_S

#define BOOKS_FLUSH_US (5 * ADIT_S)

/* Where the books of one test lie. */
struct place {
    enum adit_ledger_backend backend;
    char file[160];  /* SQLite */
    char redis[160]; /* a socket */
    char prefix[32]; /* in it */
    const char *user, *password;
};

/* Given by the program that the suite is part of: a fresh, empty one. */
void place_new(struct place *p);

struct books {
    struct adit_mem mem;
    struct adit_log log;
    char lines[16][256]; /* the last ones, by their number */
    unsigned n_lines;
    struct adit_metrics metrics;
    struct adit_worker *w;
    struct adit_instant now;
    int64_t unix_s;
    struct adit_ledger_config cfg;
    struct adit_ledger *l;
    bool is_slow; /* each look moves the monotonic clock: retries go on */

    /* What it told. */
    struct adit_ledger_totals totals[64];
    unsigned n_totals;
    struct adit_ledger_mark marks[16];
    unsigned n_marks;
    bool has_marks;
    /* What collect adds. */
    struct adit_peerid live;
    uint64_t live_bytes;

    /* The last answer. */
    bool is_answered;
    adit_err answer;
    char text[ADIT_LEDGER_WHY_TEXT_BYTES];
    struct adit_usage_row rows[64];
    size_t n_rows;
};

void books_init(struct books *b, const struct place *p);
void books_fini(struct books *b);
/* The ledger alone. */
void books_open(struct books *b);
void books_close(struct books *b);

void books_turn(struct books *b);
/* Turn until `fn` says so; fails after half a minute. */
void books_until(struct books *b, bool (*fn)(struct books *b));
/* Let the time of a flush pass, and what was pending be written. */
void books_flush(struct books *b);
/* Both clocks. */
void books_pass(struct books *b, int64_t s);
/* Ask, and wait for the answer, which must be ADIT_OK. */
void books_read(struct books *b, struct adit_usage_query q);
bool books_has_line(const struct books *b, const char *what);

bool books_is_written(struct books *b);
bool books_is_failing(struct books *b);

struct adit_peerid peer_no(unsigned i);
void give(struct books *b, unsigned peer, uint64_t sent, uint64_t received);

/* The cases that both backends pass. */
extern const struct CMUnitTest suite[];
extern const size_t n_suite;
/* The suite, then these; as cmocka_run_group_tests. */
int run_suite(const char *name, const struct CMUnitTest *more, size_t n_more,
              CMFixtureFunction setup, CMFixtureFunction teardown);

/* A directory of its own; emptied and removed by dir_end. */
void dir_new(char out[64]);
void dir_end(const char *dir);

#endif
