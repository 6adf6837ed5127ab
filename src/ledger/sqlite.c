/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * sqlite: the ledger in a file: one transaction a batch, so that a batch is
 * in it whole or not at all, its number too.
 */
#include "base/civil.h"
#include "ledger/clerk.h"
#include "ledger/schema.h"

/* Rows of a table that one batch prunes; more if it brought more itself, so
 * that what is old goes faster than what is new comes. */
#define PRUNE_ROWS 1000

/* A reading that runs longer is ended: some 10^9 steps of SQLite's machine,
 * ten seconds and more, or when the ledger closes.  Batches wait behind it. */
#define STEPS_PER_LOOK 1000000
#define MAX_LOOKS 1000

enum statement {
    GET_SEQ,
    SET_SEQ,
    ADD_DAY,
    ADD_MONTH,
    NEW_MONTH,
    ADD_REFUSED,
    ADD_CIRCUIT,
    SET_MARK,
    DEL_MARK,
    GET_TOTALS,
    GET_MARKS,
    PRUNE_CIRCUITS,
    PRUNE_DAYS,
    PRUNE_REFUSALS,
    PRUNE_WRITERS,
    GET_WALK,
    PRUNE_MONTHS,
    N_STATEMENTS
};

static const char *const texts[N_STATEMENTS] = {
    [GET_SEQ] = "SELECT seq FROM writers WHERE id = ?1",
    [SET_SEQ] = "INSERT INTO writers (id, seq, at) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq,"
                " at = excluded.at",
    [ADD_DAY] =
        "INSERT INTO usage_day (day, peer, sent, received, n_src, n_dst,"
        " n_rsvp, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        " ON CONFLICT (day, peer) DO UPDATE SET"
        " sent = sent + excluded.sent, received = received + "
        "excluded.received,"
        " n_src = n_src + excluded.n_src, n_dst = n_dst + excluded.n_dst,"
        " n_rsvp = n_rsvp + excluded.n_rsvp,"
        " first = min(first, excluded.first), last = max(last, excluded.last)",
    [ADD_MONTH] =
        "UPDATE usage_month SET sent = sent + ?3, received = received + ?4,"
        " n_src = n_src + ?5, n_dst = n_dst + ?6, n_rsvp = n_rsvp + ?7,"
        " first = min(first, ?8), last = max(last, ?9)"
        " WHERE month = ?1 AND peer = ?2",
    [NEW_MONTH] =
        "INSERT INTO usage_month (month, peer, sent, received, n_src, n_dst,"
        " n_rsvp, first, last) SELECT ?1, ?2, sum(sent), sum(received),"
        " sum(n_src), sum(n_dst), sum(n_rsvp), min(first), max(last)"
        " FROM usage_day WHERE peer = ?2 AND day >= ?1 AND day < ?3",
    [ADD_REFUSED] = "INSERT INTO refusals (day, peer, rule, n)"
                    " VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (peer, day, rule) DO UPDATE SET"
                    " n = n + excluded.n",
    [ADD_CIRCUIT] =
        "INSERT INTO circuits (began, lasted_us, src, dst, accepted_dst,"
        " accepted_src, handed_dst, handed_src, why)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SET_MARK] = "INSERT OR REPLACE INTO marks (peer, is_banned, until, class)"
                 " VALUES (?1, ?2, ?3, ?4)",
    [DEL_MARK] = "DELETE FROM marks WHERE peer = ?1",
    [GET_TOTALS] = "SELECT (SELECT sent + received FROM usage_day"
                   " WHERE day = ?1 AND peer = ?3), (SELECT sent + received"
                   " FROM usage_month WHERE month = ?2 AND peer = ?3)",
    [GET_MARKS] = "SELECT peer, is_banned, until, class FROM marks",
    [PRUNE_CIRCUITS] =
        "DELETE FROM circuits WHERE id IN (SELECT id FROM circuits"
        " WHERE began < ?1 ORDER BY began LIMIT ?2)",
    [PRUNE_DAYS] =
        "DELETE FROM usage_day WHERE (day, peer) IN (SELECT day, peer"
        " FROM usage_day WHERE day < ?1 ORDER BY day, peer LIMIT ?2)",
    [PRUNE_REFUSALS] = "DELETE FROM refusals WHERE (peer, day, rule) IN"
                       " (SELECT peer, day, rule FROM refusals WHERE day < ?1"
                       " ORDER BY day LIMIT ?2)",
    [PRUNE_WRITERS] = "DELETE FROM writers WHERE id IN"
                      " (SELECT id FROM writers WHERE at < ?1 LIMIT ?2)",
    [GET_WALK] = "SELECT peer FROM usage_month WHERE peer > ?1"
                 " ORDER BY peer LIMIT 1 OFFSET ?2",
    [PRUNE_MONTHS] = "DELETE FROM usage_month WHERE peer > ?1 AND peer <= ?2"
                     " AND month < ?3",
};

/*
 * Months lie in the order of peers, so old ones are not together: once a
 * month, when another gets too old, all rows are passed by, some at a time.
 */
struct walk {
    int64_t before_unix_s; /* which months go */
    struct adit_peerid at; /* passed up to this one */
    bool is_over;
};

struct adit_store {
    struct adit_clerk *clerk;
    sqlite3 *db;
    sqlite3_stmt *st[N_STATEMENTS]; /* prepared when first used */
    uint8_t instance[16];
    int64_t keep_circuits_us, keep_days_us, keep_months_us;
    struct walk walk;
    unsigned n_looks;
    char file[ADIT_LEDGER_WHY_TEXT_BYTES]; /* for messages: may be cut */
};

/* ---- statements ---------------------------------------------------------- */

/* Ready to be bound, or NULL: see adit_schema_why. */
static sqlite3_stmt *
statement(struct adit_store *s, enum statement i)
{
    if (s->st[i] == NULL &&
        sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                           &s->st[i], NULL) != SQLITE_OK)
        return NULL;
    sqlite3_reset(s->st[i]);
    return s->st[i];
}

static void
bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
    /* Nobody moves 2^63 bytes, but nothing may become negative. */
    sqlite3_bind_int64(st, at, (sqlite3_int64)ADIT_MIN(v, INT64_MAX));
}

/* Borrowed until the statement is reset. */
static void
bind_peer(sqlite3_stmt *st, int at, const struct adit_peerid *p)
{
    sqlite3_bind_blob(st, at, p->b, p->n, SQLITE_STATIC);
}

/* True: done, or a row (is_row). */
static bool
step(sqlite3_stmt *st, bool *is_row)
{
    int rc = sqlite3_step(st);

    *is_row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* One that answers nothing. */
static bool
run_step(sqlite3_stmt *st)
{
    bool is_row;
    bool ok = step(st, &is_row);

    sqlite3_reset(st); /* lets go of what was bound and locked */
    return ok;
}

static void
read_peer(sqlite3_stmt *st, int at, struct adit_peerid *out)
{
    int n = sqlite3_column_bytes(st, at);
    const void *p = sqlite3_column_blob(st, at);

    *out = (struct adit_peerid){ 0 };
    if (p == NULL || n <= 0 ||
        adit_peerid_dec(adit_slice(p, (size_t)n), out) != ADIT_OK)
        *out = (struct adit_peerid){ 0 };
}

static void
read_text(sqlite3_stmt *st, int at, char *out, size_t cap)
{
    const unsigned char *t = sqlite3_column_text(st, at);

    snprintf(out, cap, "%s", t != NULL ? (const char *)t : "");
}

/* ---- a batch --------------------------------------------------------------- */

static bool
add_period(struct adit_store *s, enum statement i, int64_t period,
           const struct adit_entry *e)
{
    sqlite3_stmt *st = statement(s, i);

    if (st == NULL)
        return false;
    sqlite3_bind_int64(st, 1, period);
    bind_peer(st, 2, &e->peer);
    bind_u64(st, 3, e->gains.sent_bytes);
    bind_u64(st, 4, e->gains.received_bytes);
    bind_u64(st, 5, e->gains.n_as_src);
    bind_u64(st, 6, e->gains.n_as_dst);
    bind_u64(st, 7, e->gains.n_reservations);
    sqlite3_bind_int64(st, 8, e->first_unix_s);
    sqlite3_bind_int64(st, 9, e->last_unix_s);
    return run_step(st);
}

/*
 * Behind its day.  Months stay long, so only who has used something gets a
 * row there: the sum of its days, since it may have had reservations before.
 */
static bool
add_month(struct adit_store *s, const struct adit_entry *e)
{
    int64_t month = adit_month_begin(e->day_unix_s);
    sqlite3_stmt *st;

    if (!add_period(s, ADD_MONTH, month, e))
        return false;
    if (sqlite3_changes(s->db) > 0 || !adit_entry_is_used(e))
        return true;
    st = statement(s, NEW_MONTH);
    if (st == NULL)
        return false;
    sqlite3_bind_int64(st, 1, month);
    bind_peer(st, 2, &e->peer);
    sqlite3_bind_int64(st, 3, adit_month_end(e->day_unix_s));
    return run_step(st);
}

static bool
add_entry(struct adit_store *s, const struct adit_entry *e)
{
    if (!add_period(s, ADD_DAY, e->day_unix_s, e) || !add_month(s, e))
        return false;
    for (uint8_t i = 0; i < e->n_refused; i++) {
        sqlite3_stmt *st = statement(s, ADD_REFUSED);

        if (st == NULL)
            return false;
        sqlite3_bind_int64(st, 1, e->day_unix_s);
        bind_peer(st, 2, &e->peer);
        sqlite3_bind_text(st, 3, adit_rule_name(e->refused[i].rule), -1,
                          SQLITE_STATIC);
        bind_u64(st, 4, e->refused[i].n);
        if (!run_step(st))
            return false;
    }
    return true;
}

static bool
add_circuit(struct adit_store *s, const struct adit_ledger_record *r)
{
    sqlite3_stmt *st = statement(s, ADD_CIRCUIT);

    if (st == NULL)
        return false;
    sqlite3_bind_int64(st, 1, r->began_unix_s);
    sqlite3_bind_int64(st, 2, r->lasted_us);
    bind_peer(st, 3, &r->src);
    bind_peer(st, 4, &r->dst);
    bind_u64(st, 5, r->accepted_bytes[0]);
    bind_u64(st, 6, r->accepted_bytes[1]);
    bind_u64(st, 7, r->handed_bytes[0]);
    bind_u64(st, 8, r->handed_bytes[1]);
    sqlite3_bind_text(st, 9, r->why, -1, SQLITE_STATIC);
    return run_step(st);
}

static bool
set_mark(struct adit_store *s, const struct adit_ledger_mark *m)
{
    bool is_none = !m->is_banned && m->class_name[0] == '\0';
    sqlite3_stmt *st = statement(s, is_none ? DEL_MARK : SET_MARK);

    if (st == NULL)
        return false;
    bind_peer(st, 1, &m->peer);
    if (!is_none) {
        sqlite3_bind_int64(st, 2, m->is_banned);
        sqlite3_bind_int64(st, 3, m->until_unix_s);
        sqlite3_bind_text(st, 4, m->class_name, -1, SQLITE_STATIC);
    }
    return run_step(st);
}

static bool
get_totals(struct adit_store *s, int64_t now_unix_s,
           const struct adit_peerid *peer, uint64_t *day, uint64_t *month)
{
    sqlite3_stmt *st = statement(s, GET_TOTALS);
    bool is_row;
    bool ok;

    if (st == NULL)
        return false;
    sqlite3_bind_int64(st, 1, adit_day_begin(now_unix_s));
    sqlite3_bind_int64(st, 2, adit_month_begin(now_unix_s));
    bind_peer(st, 3, peer);
    ok = step(st, &is_row);
    if (ok && is_row) { /* NULL, hence 0, where there is none */
        *day = (uint64_t)sqlite3_column_int64(st, 0);
        *month = (uint64_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
    return ok;
}

/* Is the batch in the file already? */
static bool
get_seq(struct adit_store *s, uint64_t *seq)
{
    sqlite3_stmt *st = statement(s, GET_SEQ);
    bool is_row;
    bool ok;

    *seq = 0;
    if (st == NULL)
        return false;
    sqlite3_bind_blob(st, 1, s->instance, sizeof(s->instance), SQLITE_STATIC);
    ok = step(st, &is_row);
    if (ok && is_row)
        *seq = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return ok;
}

static bool
set_seq(struct adit_store *s, uint64_t seq, int64_t now_unix_s)
{
    sqlite3_stmt *st = statement(s, SET_SEQ);

    if (st == NULL)
        return false;
    sqlite3_bind_blob(st, 1, s->instance, sizeof(s->instance), SQLITE_STATIC);
    bind_u64(st, 2, seq);
    sqlite3_bind_int64(st, 3, now_unix_s);
    return run_step(st);
}

/* Inside a transaction. */
static bool
apply(struct adit_store *s, struct adit_batch_job *j)
{
    struct adit_batch *b = &j->batch;
    uint64_t seq;

    if (!get_seq(s, &seq))
        return false;
    if (seq < b->seq) {
        for (struct adit_entry *e = b->entries; e != NULL; e = e->next)
            if (!add_entry(s, e))
                return false;
        for (struct adit_record_node *r = b->records; r != NULL; r = r->next)
            if (!add_circuit(s, &r->r))
                return false;
        for (struct adit_mark_node *m = b->marks; m != NULL; m = m->next)
            if (!set_mark(s, &m->m))
                return false;
        if (!set_seq(s, b->seq, j->job.now_unix_s))
            return false;
    }
    for (struct adit_entry *e = b->entries; e != NULL; e = e->next)
        if (!get_totals(s, j->job.now_unix_s, &e->peer, &e->day_bytes,
                        &e->month_bytes))
            return false;
    return true;
}

static bool
prune(struct adit_store *s, enum statement i, int64_t before_unix_s,
      size_t n_rows)
{
    sqlite3_stmt *st = statement(s, i);

    if (st == NULL)
        return false;
    sqlite3_bind_int64(st, 1, before_unix_s);
    bind_u64(st, 2, n_rows);
    return run_step(st);
}

/* Where the walk is after `n_rows` more; ours are below X'ff'. */
static bool
get_walk(struct adit_store *s, size_t n_rows, struct adit_peerid *to,
         bool *is_end)
{
    sqlite3_stmt *st = statement(s, GET_WALK);
    bool is_row;
    bool ok;

    if (st == NULL)
        return false;
    bind_peer(st, 1, &s->walk.at);
    bind_u64(st, 2, n_rows);
    ok = step(st, &is_row);
    *to = (struct adit_peerid){ 0 };
    if (ok && is_row)
        read_peer(st, 0, to);
    sqlite3_reset(st);
    /* At one that is no peer of ours too: what is behind it goes at once. */
    *is_end = adit_peerid_is_none(to);
    if (*is_end)
        *to = (struct adit_peerid){ .n = 1, .b = { 0xff } };
    return ok;
}

static bool
prune_months(struct adit_store *s, int64_t before_unix_s, size_t n_rows)
{
    struct adit_peerid to;
    sqlite3_stmt *st;
    bool is_end;

    if (before_unix_s != s->walk.before_unix_s)
        s->walk = (struct walk){ .before_unix_s = before_unix_s };
    if (s->walk.is_over)
        return true;
    if (!get_walk(s, n_rows, &to, &is_end))
        return false;
    st = statement(s, PRUNE_MONTHS);
    if (st == NULL)
        return false;
    bind_peer(st, 1, &s->walk.at);
    bind_peer(st, 2, &to);
    sqlite3_bind_int64(st, 3, before_unix_s);
    if (!run_step(st))
        return false;
    s->walk.at = to;
    s->walk.is_over = is_end;
    return true;
}

/* Each statement a transaction of its own. */
static bool
prune_all(struct adit_store *s, const struct adit_batch_job *j)
{
    int64_t day = adit_day_begin(j->prune_unix_s - s->keep_days_us / ADIT_S);
    int64_t circuit = j->prune_unix_s - s->keep_circuits_us / ADIT_S;
    int64_t month =
        adit_month_begin(j->prune_unix_s - s->keep_months_us / ADIT_S);
    size_t n = PRUNE_ROWS + 2 * adit_batch_n(&j->batch);

    return prune(s, PRUNE_CIRCUITS, circuit, n) &&
           prune(s, PRUNE_DAYS, day, n) && prune(s, PRUNE_REFUSALS, day, n) &&
           prune(s, PRUNE_WRITERS, day, n) && prune_months(s, month, n);
}

/* ---- answers ----------------------------------------------------------------- */

static void
done(struct adit_store *s, bool ok)
{
    char why[ADIT_LEDGER_WHY_TEXT_BYTES] = "";

    if (!ok)
        snprintf(why, sizeof(why), "%.150s: %.100s", s->file,
                 adit_schema_why(s->db));
    if (!sqlite3_get_autocommit(s->db))
        adit_schema_exec(s->db, "ROLLBACK");
    adit_clerk_done(s->clerk, ok ? ADIT_OK : ADIT_EIO, why);
}

static void
run_batch(struct adit_store *s, struct adit_batch_job *j)
{
    if (adit_batch_is_empty(&j->batch)) {
        done(s, prune_all(s, j));
        return;
    }
    if (adit_schema_exec(s->db, "BEGIN IMMEDIATE") != SQLITE_OK ||
        !apply(s, j) || adit_schema_exec(s->db, "COMMIT") != SQLITE_OK) {
        done(s, false);
        return;
    }
    /* It is written; what is not pruned now will be.  Who closes waits. */
    if (!atomic_load(&s->clerk->is_quitting))
        (void)prune_all(s, j);
    done(s, true);
}

static void
run_ask(struct adit_store *s, struct adit_ask_job *j)
{
    bool ok = true;

    for (size_t i = 0; ok && i < j->n; i++)
        ok = get_totals(s, j->job.now_unix_s, &j->v[i].peer,
                        &j->v[i].day_bytes, &j->v[i].month_bytes);
    done(s, ok);
}

static void
run_marks(struct adit_store *s, struct adit_marks_job *j)
{
    sqlite3_stmt *st = statement(s, GET_MARKS);
    bool is_row = true;
    bool ok = st != NULL;

    while (ok && (ok = step(st, &is_row)) && is_row) {
        struct adit_ledger_mark *m = adit_marks_add(j);

        if (m == NULL)
            break;
        read_peer(st, 0, &m->peer);
        m->is_banned = sqlite3_column_int64(st, 1) != 0;
        m->until_unix_s = sqlite3_column_int64(st, 2);
        read_text(st, 3, m->class_name, sizeof(m->class_name));
    }
    sqlite3_reset(st);
    done(s, ok);
}

/* ---- reading ------------------------------------------------------------------- */

static int
look(void *ctx)
{
    struct adit_store *s = ctx;

    return ++s->n_looks > MAX_LOOKS || atomic_load(&s->clerk->is_quitting);
}

/* Refusals of a row: in these days, of its peer unless of all. */
static bool
read_refusals(sqlite3_stmt *st, struct adit_usage_row *row, int64_t from,
              int64_t to)
{
    bool is_row;
    bool ok;

    sqlite3_bind_int64(st, 1, from);
    sqlite3_bind_int64(st, 2, to);
    if (row->peer.n > 0)
        bind_peer(st, 3, &row->peer);
    while ((ok = step(st, &is_row)) && is_row) {
        enum adit_rule rule =
            adit_rule_of_name((const char *)sqlite3_column_text(st, 0),
                              (size_t)sqlite3_column_bytes(st, 0));

        if (rule != ADIT_RULE_NONE)
            row->sums.refusals[rule] = (uint64_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
    return ok;
}

/* Sums: the same columns of two tables, grouped one way or another. */
static bool
read_sums(struct adit_store *s, struct adit_query_job *j, const char *table,
          const char *period)
{
    const struct adit_usage_query *q = &j->q;
    bool by_peer = q->by == ADIT_USAGE_BY_PEER;
    bool has_range = q->from_unix_s != 0 || q->to_unix_s != 0;
    int64_t from = has_range ? q->from_unix_s : INT64_MIN;
    int64_t to = has_range ? q->to_unix_s : INT64_MAX;
    sqlite3_stmt *st = NULL, *refusals = NULL;
    bool is_row = true;
    bool ok;
    char sql[640];

    snprintf(sql, sizeof(sql),
             "SELECT %s, %s, min(first), max(last), sum(sent),"
             " sum(received), sum(n_src), sum(n_dst), sum(n_rsvp) FROM %s"
             " WHERE %s >= ?1 AND %s < ?2%s GROUP BY %s ORDER BY %s DESC"
             " LIMIT ?4",
             by_peer || q->has_peer ? "peer" : "NULL", by_peer ? "0" : period,
             table, period, period, q->has_peer ? " AND peer = ?3" : "",
             by_peer ? "peer" : period,
             by_peer ? "sum(sent) + sum(received)" : period);
    ok = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK;
    snprintf(sql, sizeof(sql),
             "SELECT rule, sum(n) FROM refusals WHERE day >= ?1 AND day < ?2"
             "%s GROUP BY rule",
             by_peer || q->has_peer ? " AND peer = ?3" : "");
    ok =
        ok && sqlite3_prepare_v2(s->db, sql, -1, &refusals, NULL) == SQLITE_OK;
    if (ok) {
        sqlite3_bind_int64(st, 1, from);
        sqlite3_bind_int64(st, 2, to);
        if (q->has_peer)
            bind_peer(st, 3, &q->peer);
        bind_u64(st, 4, q->max_rows);
    }
    while (ok && (ok = step(st, &is_row)) && is_row) {
        struct adit_usage_row *r = adit_query_row(j);

        if (r == NULL)
            break;
        if (sqlite3_column_type(st, 0) != SQLITE_NULL)
            read_peer(st, 0, &r->peer);
        r->period_unix_s = sqlite3_column_int64(st, 1);
        r->first_unix_s = sqlite3_column_int64(st, 2);
        r->last_unix_s = sqlite3_column_int64(st, 3);
        r->sums.sent_bytes = (uint64_t)sqlite3_column_int64(st, 4);
        r->sums.received_bytes = (uint64_t)sqlite3_column_int64(st, 5);
        r->sums.n_as_src = (uint64_t)sqlite3_column_int64(st, 6);
        r->sums.n_as_dst = (uint64_t)sqlite3_column_int64(st, 7);
        r->sums.n_reservations = (uint64_t)sqlite3_column_int64(st, 8);
        if (by_peer)
            ok = read_refusals(refusals, r, from, to);
        else if (q->by == ADIT_USAGE_BY_DAY)
            ok = read_refusals(refusals, r, r->period_unix_s,
                               r->period_unix_s + ADIT_DAY_S);
        else
            ok = read_refusals(
                refusals, r, r->period_unix_s,
                adit_month_begin(r->period_unix_s + 31 * ADIT_DAY_S));
    }
    sqlite3_finalize(st);
    sqlite3_finalize(refusals);
    return ok;
}

static bool
read_circuits(struct adit_store *s, struct adit_query_job *j)
{
    const struct adit_usage_query *q = &j->q;
    bool has_range = q->from_unix_s != 0 || q->to_unix_s != 0;
    sqlite3_stmt *st = NULL;
    bool is_row = true;
    bool ok;
    char sql[400];

    snprintf(sql, sizeof(sql),
             "SELECT src, dst, began, lasted_us, accepted_dst, accepted_src,"
             " handed_dst, handed_src, why FROM circuits"
             " WHERE began >= ?1 AND began < ?2%s"
             " ORDER BY began DESC, id DESC LIMIT ?4",
             q->has_peer ? " AND (src = ?3 OR dst = ?3)" : "");
    ok = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK;
    if (ok) {
        sqlite3_bind_int64(st, 1, has_range ? q->from_unix_s : INT64_MIN);
        sqlite3_bind_int64(st, 2, has_range ? q->to_unix_s : INT64_MAX);
        if (q->has_peer)
            bind_peer(st, 3, &q->peer);
        bind_u64(st, 4, q->max_rows);
    }
    while (ok && (ok = step(st, &is_row)) && is_row) {
        struct adit_usage_row *row = adit_query_row(j);
        struct adit_ledger_record *r;

        if (row == NULL)
            break;
        r = &row->record;
        read_peer(st, 0, &r->src);
        read_peer(st, 1, &r->dst);
        row->peer = r->src;
        r->began_unix_s = sqlite3_column_int64(st, 2);
        r->lasted_us = sqlite3_column_int64(st, 3);
        for (int i = 0; i < 2; i++) {
            r->accepted_bytes[i] = (uint64_t)sqlite3_column_int64(st, 4 + i);
            r->handed_bytes[i] = (uint64_t)sqlite3_column_int64(st, 6 + i);
        }
        read_text(st, 8, r->why, sizeof(r->why));
        row->period_unix_s = row->first_unix_s = r->began_unix_s;
        row->last_unix_s = r->began_unix_s + r->lasted_us / ADIT_S;
    }
    sqlite3_finalize(st);
    return ok;
}

static void
run_query(struct adit_store *s, struct adit_query_job *j)
{
    const struct adit_usage_query *q = &j->q;
    bool has_range = q->from_unix_s != 0 || q->to_unix_s != 0;
    bool ok = false;

    s->n_looks = 0;
    sqlite3_progress_handler(s->db, STEPS_PER_LOOK, look, s);
    switch (q->by) {
    case ADIT_USAGE_BY_PEER:
        ok = has_range ? read_sums(s, j, "usage_day", "day")
                       : read_sums(s, j, "usage_month", "month");
        /* One who never used anything has no months. */
        if (ok && !has_range && q->has_peer && j->n == 0)
            ok = read_sums(s, j, "usage_day", "day");
        break;
    case ADIT_USAGE_BY_DAY:
        ok = read_sums(s, j, "usage_day", "day");
        break;
    case ADIT_USAGE_BY_MONTH:
        ok = read_sums(s, j, "usage_month", "month");
        break;
    case ADIT_USAGE_BY_CIRCUIT:
        ok = read_circuits(s, j);
        break;
    }
    sqlite3_progress_handler(s->db, 0, NULL, NULL);
    done(s, ok);
}

/* ---- the store -------------------------------------------------------------------- */

static void
sqlite_close(struct adit_store *s)
{
    for (unsigned i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(s->st[i]);
    sqlite3_close(s->db); /* folds the WAL back into the file */
    ADIT_FREE(&s->clerk->mem, s);
}

static adit_err
sqlite_open(struct adit_clerk *clerk, const struct adit_ledger_config *cfg,
            const uint8_t instance[static 16], struct adit_store **out,
            char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    struct adit_store *s = ADIT_NEW(&clerk->mem, struct adit_store);
    adit_err e;

    if (s == NULL)
        return ADIT_ENOMEM;
    s->clerk = clerk;
    memcpy(s->instance, instance, sizeof(s->instance));
    s->keep_circuits_us = cfg->keep_circuits_us;
    s->keep_days_us = cfg->keep_days_us;
    s->keep_months_us = cfg->keep_months_us;
    snprintf(s->file, sizeof(s->file), "%s", cfg->file);
    e = adit_schema_open(cfg->file, &s->db, why);
    if (e != ADIT_OK) {
        ADIT_FREE(&clerk->mem, s);
        return e;
    }
    *out = s;
    return ADIT_OK;
}

static void
sqlite_run(struct adit_store *s, struct adit_job *job)
{
    switch (job->kind) {
    case ADIT_JOB_BATCH:
        run_batch(s, ADIT_CONTAINER_OF(job, struct adit_batch_job, job));
        break;
    case ADIT_JOB_ASK:
        run_ask(s, ADIT_CONTAINER_OF(job, struct adit_ask_job, job));
        break;
    case ADIT_JOB_QUERY:
        run_query(s, ADIT_CONTAINER_OF(job, struct adit_query_job, job));
        break;
    case ADIT_JOB_MARKS:
        run_marks(s, ADIT_CONTAINER_OF(job, struct adit_marks_job, job));
        break;
    }
}

static void
sqlite_cancel(struct adit_store *s)
{
    (void)s; /* each job ends within _run */
    adit_assert(false);
}

const struct adit_backend adit_backend_sqlite = {
    .open = sqlite_open,
    .close = sqlite_close,
    .run = sqlite_run,
    .cancel = sqlite_cancel,
};
