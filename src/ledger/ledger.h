/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * ledger: who used how much: sums per peer by day and month (UTC), and one
 * closing record per circuit.
 *
 * Written behind: the worker adds to pending sums, in memory; every flush
 * interval one batch goes to the ledger's own thread, which alone talks to
 * the backend (SQLite, or Redis, whose deadlines it keeps).  A batch is
 * applied whole and once: it bears a number, and one whose outcome is unknown
 * is sent again as it is.  While it is under way, or the backend fails, the
 * next one gathers and sums merge per peer; what exceeds the bounds below is
 * lost and counted, never waited for.  A crash loses at most what was
 * pending: one flush interval, or more while the backend fails.
 *
 * A worker that is run by hand may have a ledger, but its thread answers in
 * real time.  Thread: the worker's, but for what its own thread does.
 */
#ifndef ADIT_LEDGER_LEDGER_H
#define ADIT_LEDGER_LEDGER_H

#include "codec/peerid.h"
#include "loop/worker.h"
#include "metrics/metrics.h"
#include "policy/rule.h"

struct adit_ledger;

/*
 * Pending at most; arbitrary, far more than a relay sees in a flush interval:
 * some 25 MiB, and as much again while a batch is under way.  A peer counts
 * once for each day (UTC) in which it was seen.
 */
#define ADIT_LEDGER_MAX_PEERS 65536
#define ADIT_LEDGER_MAX_RECORDS 65536

/* Marks that the operator set and that are not written yet. */
#define ADIT_LEDGER_MAX_MARKS 4096

enum adit_ledger_backend { ADIT_LEDGER_IN_SQLITE, ADIT_LEDGER_IN_REDIS };

struct adit_ledger_config {
    enum adit_ledger_backend backend;
    const char *file;           /* SQLite; texts are borrowed for _open */
    const char *redis;          /* HOST:PORT or /PATH */
    const char *redis_user;     /* NULL: none */
    const char *redis_password; /* NULL: none */
    const char *redis_prefix;
    int64_t redis_wait_us; /* for each answer of it; 0: 3 s */
    int64_t flush_us;
    int64_t keep_circuits_us; /* 0: no closing records */
    int64_t keep_days_us;
    int64_t keep_months_us;       /* never less than the month that it is */
    struct adit_metrics *metrics; /* the worker's cells */
    int64_t hang_us; /* closing waits so long for it to return; 0: 10 s */
};

/* What a peer did since it was last told.  Bytes are circuit payload after
 * STATUS. */
struct adit_ledger_gains {
    uint64_t sent_bytes;         /* accepted from it */
    uint64_t received_bytes;     /* handed on to it */
    uint64_t n_as_src, n_as_dst; /* circuits */
    uint64_t n_reservations;     /* new ones and renewals */
};

/* Sums of one peer, as they are read. */
struct adit_ledger_sums {
    uint64_t sent_bytes;         /* accepted from it */
    uint64_t received_bytes;     /* handed on to it */
    uint64_t n_as_src, n_as_dst; /* circuits */
    uint64_t n_reservations;     /* new ones and renewals */
    uint64_t refusals[ADIT_N_RULES];
};

/* Why a circuit ended: as adit_bridge_why_name has it. */
#define ADIT_LEDGER_WHY_BYTES 24

struct adit_ledger_record {
    struct adit_peerid src, dst;
    int64_t began_unix_s;
    int64_t lasted_us;
    /* Towards the destination, towards the source. */
    uint64_t accepted_bytes[2], handed_bytes[2];
    char why[ADIT_LEDGER_WHY_BYTES];
};

/* What the peer has moved today, both ways together, as far as is known; in
 * Redis, over all relays with the same prefix. */
struct adit_ledger_totals {
    struct adit_peerid peer;
    int64_t day_unix_s, month_unix_s; /* which day, month: their begin */
    uint64_t day_bytes, month_bytes;  /* stored; what is pending not in it */
    /* What this ledger was told of it and has not stored yet. */
    uint64_t day_pending_bytes, month_pending_bytes;
};

/* What the operator said of a peer; kept across restarts. */
struct adit_ledger_mark {
    struct adit_peerid peer;
    bool is_banned;
    int64_t until_unix_s; /* of the ban; 0: for good */
    char class_name[32];  /* "": as the lists say */
};

struct adit_ledger_events {
    void *ctx;
    /* A flush is due, or the day (UTC) ends: add what live circuits have
     * moved since the last.  NULL: nothing. */
    void (*collect)(void *ctx);
    /* Of peers in a batch that was written, and of those asked for. */
    void (*on_totals)(void *ctx, const struct adit_ledger_totals *t);
    /*
     * Once after _open for each mark that is stored, then NULL; as soon as
     * the backend answers.  Later for each that was set, by another relay
     * with the same store too (with the answer to a flush); one that says
     * nothing was deleted.  NULL: not wanted, as is on_totals.
     */
    void (*on_mark)(void *ctx, const struct adit_ledger_mark *m);
};

#define ADIT_LEDGER_WHY_TEXT_BYTES 256

/*
 * Open the backend (a SQLite file is made, checked and migrated within this
 * call) and start the ledger's thread.
 *
 *   ADIT_EIO     `why` says what and where; also a schema newer than ours
 *   ADIT_EUNSUPPORTED  built without this backend
 *   ADIT_ENOMEM
 *
 * A Redis that does not answer is no error: it may come later.
 */
ADIT_MUST_USE adit_err adit_ledger_open(struct adit_worker *w,
                                        const struct adit_ledger_config *cfg,
                                        const struct adit_ledger_events *ev,
                                        struct adit_ledger **out,
                                        char why[ADIT_LEDGER_WHY_TEXT_BYTES]);

/*
 * Write what is pending, waiting up to five seconds for it, and end the
 * thread.  What could not be written is logged.  Callbacks of it may call
 * what is below, in vain.  NULL is fine.
 *
 * A call into the backend may never return (a file on a server that is
 * gone).  After `hang_us` the thread is left to itself, with the ledger, some
 * 100 KB, and the batches, questions and answers that it has: they are not
 * freed, since it may still touch them, and that is logged.
 */
void adit_ledger_close(struct adit_ledger *l);

/*
 * Add to the sums of `peer`.  Where the bound is reached or there is no
 * memory it is lost, and ADIT_M_LEDGER_LOST_BYTES counts it.
 */
void adit_ledger_add(struct adit_ledger *l, const struct adit_peerid *peer,
                     const struct adit_ledger_gains *g);

/* The same for something that was refused it.  By day only. */
void adit_ledger_refused(struct adit_ledger *l, const struct adit_peerid *peer,
                         enum adit_rule rule);

/* A circuit is over. */
void adit_ledger_record(struct adit_ledger *l,
                        const struct adit_ledger_record *r);

/* Ask for a peer's totals; on_totals tells, or, when the backend does not
 * answer, never. */
void adit_ledger_ask(struct adit_ledger *l, const struct adit_peerid *peer);

/* Store a mark; one that says nothing is deleted.  Beyond
 * ADIT_LEDGER_MAX_MARKS it is not kept, and that is logged. */
void adit_ledger_mark(struct adit_ledger *l, const struct adit_ledger_mark *m);

/* ---- reading ------------------------------------------------------------- */

enum adit_usage_by {
    ADIT_USAGE_BY_PEER, /* a row a peer */
    ADIT_USAGE_BY_DAY,  /* a row a day */
    ADIT_USAGE_BY_MONTH,
    ADIT_USAGE_BY_CIRCUIT, /* closing records, newest first */
};

struct adit_usage_query {
    enum adit_usage_by by;
    bool has_peer;
    struct adit_peerid peer;        /* of this one alone */
    int64_t from_unix_s, to_unix_s; /* days that begin in it; 0, 0: all */
    uint32_t max_rows;              /* 0: ADIT_USAGE_MAX_ROWS */
};

/* An answer's rows; some 10 MiB.  BY_PEER: of those that moved most, most
 * first.  BY_DAY, BY_MONTH, BY_CIRCUIT: of the newest, newest first. */
#define ADIT_USAGE_MAX_ROWS 10000

struct adit_usage_row {
    struct adit_peerid peer;           /* n = 0: of all */
    int64_t period_unix_s;             /* 0: all of them */
    int64_t first_unix_s, last_unix_s; /* seen */
    struct adit_ledger_sums sums;
    struct adit_ledger_record record; /* BY_CIRCUIT */
};

/* Queries under way at a time. */
#define ADIT_USAGE_MAX_QUERIES 16

/* An answer takes no longer. */
#define ADIT_USAGE_WAIT_US (30 * ADIT_S)

/*
 * `fn` is called on the worker, a turn or more later, once: rows are
 * borrowed; ADIT_OK, ADIT_EIO (`text` says why; so when the ledger is
 * closed), ADIT_ETIMEDOUT.  What was pending when this was asked is written
 * first and in the answer; while that fails, the answer is what is stored,
 * and `text`, else NULL, says that something is missing in it.
 *
 * Of a range BY_PEER and BY_DAY read days, which are kept for keep_days;
 * without one BY_PEER reads months, which are kept for keep_months.  Refusals
 * are kept by day; a month has those peers alone that moved bytes or had a
 * circuit in it.
 *
 * ADIT_EFULL: too many queries are under way.  ADIT_ESTATE: it is being
 * closed.  ADIT_ENOMEM.
 */
typedef void adit_usage_fn(void *ctx, adit_err e, const char *text,
                           const struct adit_usage_row *rows, size_t n);
ADIT_MUST_USE adit_err adit_ledger_query(struct adit_ledger *l,
                                         const struct adit_usage_query *q,
                                         adit_usage_fn *fn, void *ctx);
/* Whoever asked with this `ctx` is gone: `fn` is not called. */
void adit_ledger_forget(struct adit_ledger *l, void *ctx);

/* How it is: written when last, failing since when and why. */
struct adit_ledger_state {
    bool is_failing;
    int64_t written_unix_s, failing_unix_s; /* 0: never */
    uint64_t n_pending;                     /* peers and records */
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
};
void adit_ledger_state(const struct adit_ledger *l,
                       struct adit_ledger_state *out);

#endif
