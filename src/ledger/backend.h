/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * backend: what a store can do, and the jobs it is given.
 *
 * A job is made on the worker, handed to the clerk (the ledger's own thread),
 * answered there and handed back to be freed, so at each time one thread has
 * it and what it holds.  A store sees one job at a time.
 */
#ifndef ADIT_LEDGER_BACKEND_H
#define ADIT_LEDGER_BACKEND_H

#include "base/list.h"
#include "ledger/batch.h"

enum adit_job_kind {
    ADIT_JOB_BATCH, /* write it, tell the totals of its peers, prune */
    ADIT_JOB_ASK,   /* tell the totals of some peers */
    ADIT_JOB_QUERY,
    ADIT_JOB_MARKS, /* all that are stored, or that were set since */
};

struct adit_job {
    struct adit_msg msg;   /* there, and back */
    struct adit_list link; /* in the clerk's queue */
    struct adit_clerk *clerk;
    void (*back)(struct adit_worker *w, struct adit_msg *m);
    struct adit_ledger *l; /* the worker's side only; NULL: it is closed */
    struct adit_mem *home_mem;
    bool is_posted; /* the clerk has it, or it is on its way back */
    bool is_mailed; /* the clerk's: it lies in the mailbox already */
    enum adit_job_kind kind;
    int64_t now_unix_s; /* when it was posted, by the wall */
    adit_err e;
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
};

struct adit_batch_job {
    struct adit_job job;
    struct adit_batch batch;
    int64_t prune_unix_s; /* the wall clock, as far as it is believed */
    bool is_rolled_back;  /* the backend has lost what it had taken */
    /* Of the marks; another than before: somebody has set some.  Always 0
     * where nobody else can. */
    uint64_t marks_version;
};

/* Peers asked for in one job; more wait for the next.  Arbitrary. */
#define ADIT_ASK_MAX_PEERS 512

struct adit_ask_job {
    struct adit_job job;
    size_t n;
    struct {
        struct adit_peerid peer;
        uint64_t day_bytes, month_bytes;
    } v[ADIT_ASK_MAX_PEERS];
};

struct adit_query_job {
    struct adit_job job;
    struct adit_list link;     /* in the ledger's list */
    struct adit_usage_query q; /* max_rows is set */
    uint64_t need_seq;         /* to go behind this batch */
    bool is_partial;           /* it did not wait for that */
    adit_usage_fn *fn;         /* NULL: nobody wants to know any more */
    void *ctx;
    struct adit_timer deadline;
    struct adit_mem mem; /* of the rows; goes with the job */
    struct adit_usage_row *rows;
    size_t n, cap;
    bool lacks_memory; /* for all of them */
};

/* More marks than that are not read.  Arbitrary. */
#define ADIT_MARKS_MAX 65536

struct adit_marks_job {
    struct adit_job job;
    bool wants_all;      /* else those that were set after `since` */
    uint64_t since;      /* a version */
    uint64_t version;    /* which these are; there may be more */
    struct adit_mem mem; /* of the marks; goes with the job */
    struct adit_ledger_mark *v;
    size_t n, cap;
    bool lacks_memory;
};

/* One more, zeroed; NULL: no memory (then the answer is none), or as many as
 * may be are there. */
struct adit_usage_row *adit_query_row(struct adit_query_job *q);
struct adit_ledger_mark *adit_marks_add(struct adit_marks_job *j);

/* The rule of that name; ADIT_RULE_NONE: a newer one than ours. */
enum adit_rule adit_rule_of_name(const char *name, size_t n);

struct adit_store;

struct adit_backend {
    /*
     * On the worker's thread, while the clerk's does not run yet.  `clerk`
     * is borrowed for good, texts of `cfg` for the call.
     */
    adit_err (*open)(struct adit_clerk *clerk,
                     const struct adit_ledger_config *cfg,
                     const uint8_t instance[static 16],
                     struct adit_store **out,
                     char why[ADIT_LEDGER_WHY_TEXT_BYTES]);
    /* On the clerk's thread; so are those below. */
    void (*close)(struct adit_store *s);
    /* adit_clerk_done answers it, now or later. */
    void (*run)(struct adit_store *s, struct adit_job *job);
    /* adit_clerk_done answers what is under way, now. */
    void (*cancel)(struct adit_store *s);
};

extern const struct adit_backend adit_backend_sqlite, adit_backend_redis;

/* adit_ledger_open, with this one. */
ADIT_MUST_USE adit_err adit_ledger_open_with(
    struct adit_worker *w, const struct adit_backend *backend,
    const struct adit_ledger_config *cfg, const struct adit_ledger_events *ev,
    struct adit_ledger **out, char why[ADIT_LEDGER_WHY_TEXT_BYTES]);

#endif
