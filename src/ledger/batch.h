/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * batch: what is to be written: sums per peer and day, closing records, and
 * marks.  One gathers on the worker while one is being written.
 *
 * Bounded by the constants of ledger.h.  Only the worker allocates and frees;
 * the ledger's thread reads a batch that it was handed, writes its totals
 * into it and hands it back.  Thread: whoever holds it.
 */
#ifndef ADIT_LEDGER_BATCH_H
#define ADIT_LEDGER_BATCH_H

#include "base/map.h"
#include "ledger/ledger.h"

struct adit_refused {
    enum adit_rule rule;
    uint64_t n;
};

/* A peer's sums in one day. */
struct adit_entry {
    struct adit_map_node node;
    struct adit_entry *next; /* in the order of coming */
    int64_t day_unix_s;
    int64_t first_unix_s, last_unix_s;
    struct adit_ledger_gains gains;
    struct adit_refused *refused; /* few of the rules, mostly none */
    uint8_t n_refused, cap_refused;
    struct adit_peerid peer;
    uint64_t day_bytes, month_bytes; /* of today; told by the backend */
};

struct adit_record_node {
    struct adit_record_node *next;
    struct adit_ledger_record r;
};

struct adit_mark_node {
    struct adit_mark_node *next;
    struct adit_ledger_mark m;
};

struct adit_batch {
    struct adit_mem *mem;
    struct adit_map map; /* of entries, by day and peer */
    struct adit_entry *entries, **entries_tail;
    struct adit_record_node *records, **records_tail;
    struct adit_mark_node *marks, **marks_tail;
    size_t n_records, n_marks;
    uint64_t seq; /* 1, 2, ... in the life of a ledger */
};

/* ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_batch_init(struct adit_batch *b,
                                       struct adit_mem *mem,
                                       const struct adit_rng *rng);
/* Fine on a zeroed one. */
void adit_batch_fini(struct adit_batch *b);

bool adit_batch_is_empty(const struct adit_batch *b);
/* Of peers and records; marks are no usage. */
size_t adit_batch_n(const struct adit_batch *b);
/* Half full: to be written soon. */
bool adit_batch_is_large(const struct adit_batch *b);

/* NULL when absent. */
struct adit_entry *adit_batch_get(const struct adit_batch *b,
                                  const struct adit_peerid *peer,
                                  int64_t day_unix_s);

/* Free the first entry.  The batch is not to be asked or added to any more:
 * its map still names it. */
void adit_batch_drop(struct adit_batch *b);

/* False: the bound is reached, or no memory; nothing was added. */
bool adit_batch_add(struct adit_batch *b, const struct adit_peerid *peer,
                    int64_t now_unix_s, int64_t day_unix_s,
                    const struct adit_ledger_gains *g);
bool adit_batch_refused(struct adit_batch *b, const struct adit_peerid *peer,
                        int64_t now_unix_s, int64_t day_unix_s,
                        enum adit_rule rule);
bool adit_batch_record(struct adit_batch *b,
                       const struct adit_ledger_record *r);
/* Replaces an earlier one of the same peer. */
bool adit_batch_mark(struct adit_batch *b, const struct adit_ledger_mark *m);
bool adit_batch_has_mark(const struct adit_batch *b,
                         const struct adit_peerid *peer);

/* Did it move bytes or have a circuit?  Anybody can make peer ids, and be
 * refused or given a reservation: no month is kept of that alone. */
bool adit_entry_is_used(const struct adit_entry *e);

#endif
