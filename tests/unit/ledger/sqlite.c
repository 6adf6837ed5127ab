/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The ledger in a file: the suite, and what can happen to a file. */
#include "tests/unit/ledger/books.h"

#include "ledger/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static unsigned n_places;

void
place_new(struct place *p)
{
    *p = (struct place){ .backend = ADIT_LEDGER_IN_SQLITE };
    snprintf(p->file, sizeof(p->file), "%s/%u.db", dir, n_places++);
}

static int
setup(void **state)
{
    (void)state;
    dir_new(dir);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    dir_end(dir);
    return 0;
}

static sqlite3 *
raw_open(const char *file)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    return db;
}

static void
raw(sqlite3 *db, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

/* The first column of the first row. */
static int64_t
raw_i64(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static int64_t
file_i64(const char *file, const char *sql)
{
    sqlite3 *db = raw_open(file);
    int64_t v = raw_i64(db, sql);

    sqlite3_close(db);
    return v;
}

static void
is_sound(const char *file)
{
    assert_int_equal(file_i64(file,
                              "SELECT count(*) FROM pragma_integrity_check"
                              " WHERE integrity_check = 'ok'"),
                     1);
}

/* Whether the file opens, and if not, with what words. */
static bool
opens(const char *file, char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    sqlite3 *db;
    adit_err e;

    why[0] = '\0';
    e = adit_schema_open(file, &db, why);
    if (e == ADIT_OK)
        sqlite3_close(db);
    else
        assert_int_equal(e, ADIT_EIO);
    if (e != ADIT_OK)
        print_message("%s\n", why);
    return e == ADIT_OK;
}

/* ---- the schema ------------------------------------------------------------ */

/* As version 1 made it; peer 1's id is put in as X'...'. */
static const char v1[] =
    "PRAGMA application_id = 1633970548; PRAGMA user_version = 1;"
    "CREATE TABLE usage_day (day INTEGER NOT NULL, peer BLOB NOT NULL,"
    " sent INTEGER NOT NULL, received INTEGER NOT NULL,"
    " n_src INTEGER NOT NULL, n_dst INTEGER NOT NULL,"
    " n_rsvp INTEGER NOT NULL, PRIMARY KEY (day, peer))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX usage_day_peer ON usage_day (peer, day);"
    "CREATE TABLE usage_month (month INTEGER NOT NULL, peer BLOB NOT NULL,"
    " sent INTEGER NOT NULL, received INTEGER NOT NULL,"
    " n_src INTEGER NOT NULL, n_dst INTEGER NOT NULL,"
    " n_rsvp INTEGER NOT NULL, PRIMARY KEY (peer, month))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE refusals (peer BLOB NOT NULL, day INTEGER NOT NULL,"
    " rule TEXT NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (peer, day, rule)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX refusals_day ON refusals (day);"
    "CREATE TABLE circuits (id INTEGER PRIMARY KEY, began INTEGER NOT NULL,"
    " lasted_us INTEGER NOT NULL, src BLOB NOT NULL, dst BLOB NOT NULL,"
    " accepted_dst INTEGER NOT NULL, accepted_src INTEGER NOT NULL,"
    " handed_dst INTEGER NOT NULL, handed_src INTEGER NOT NULL,"
    " why TEXT NOT NULL) STRICT;"
    "CREATE INDEX circuits_began ON circuits (began);";

static void
test_migration(void **state)
{
    struct adit_peerid one = peer_no(1);
    char hex[2 * ADIT_PEERID_MAX_BYTES + 1], sql[1000];
    static struct books b;
    static struct place p;
    sqlite3 *db;

    (void)state;
    place_new(&p);
    for (size_t i = 0; i < one.n; i++)
        snprintf(hex + 2 * i, 3, "%02x", one.b[i]);
    db = raw_open(p.file);
    raw(db, v1);
    snprintf(sql, sizeof(sql),
             "INSERT INTO usage_day VALUES (1768435200, X'%s', 1, 2, 3, 4, 5);"
             "INSERT INTO usage_month VALUES"
             " (1767225600, X'%s', 10, 20, 30, 40, 50);"
             "INSERT INTO refusals VALUES (X'%s', 1768435200, 'denied', 6);"
             "INSERT INTO circuits VALUES"
             " (1, 1768478000, 7, X'%s', X'%s', 1, 2, 3, 4, 'fin')",
             hex, hex, hex, hex, hex);
    raw(db, sql);
    sqlite3_close(db);

    books_init(&b, &p);
    give(&b, 1, 100, 0);
    books_flush(&b);
    books_read(&b, (struct adit_usage_query){ .by = ADIT_USAGE_BY_DAY });
    assert_int_equal(b.n_rows, 1);
    assert_int_equal(b.rows[0].sums.sent_bytes, 101);
    assert_int_equal(b.rows[0].sums.n_reservations, 5);
    assert_int_equal(b.rows[0].sums.refusals[ADIT_RULE_DENIED], 6);
    books_read(&b, (struct adit_usage_query){ .by = ADIT_USAGE_BY_PEER });
    assert_int_equal(b.rows[0].sums.sent_bytes, 110);
    assert_int_equal(b.rows[0].first_unix_s, 1767225600);
    assert_int_equal(b.rows[0].last_unix_s, NOON);
    books_read(&b, (struct adit_usage_query){ .by = ADIT_USAGE_BY_CIRCUIT });
    assert_int_equal(b.n_rows, 1);
    books_fini(&b);
    assert_int_equal(file_i64(p.file, "PRAGMA user_version"),
                     ADIT_SCHEMA_VERSION);
    is_sound(p.file);
}

/* Of many old months some go with each batch, until all have; none that is
 * young does. */
static void
test_prune_months(void **state)
{
    static const char fill[] =
        "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
        " WHERE i < 4000) INSERT INTO usage_month (month, peer, sent,"
        " received, n_src, n_dst, n_rsvp) SELECT m,"
        " CAST(X'1220' || printf('%032d', i) AS BLOB), 1, 0, 0, 0, 0"
        " FROM c, (SELECT 1577836800 AS m UNION SELECT 1767225600)";
    static const char old[] =
        "SELECT count(*) FROM usage_month WHERE month = 1577836800";
    static struct books b;
    static struct place p;
    sqlite3 *db;
    int64_t left = 4000, n;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    db = raw_open(p.file);
    raw(db, fill);
    for (unsigned i = 0; i < 20 && left > 0; i++) {
        give(&b, 1, 1, 0);
        books_flush(&b);
        n = raw_i64(db, old);
        assert_in_range(left - n, 0, 1999);
        left = n;
    }
    assert_int_equal(left, 0);
    assert_int_equal(raw_i64(db, "SELECT count(*) FROM usage_month"), 4001);

    /* What is added behind the walk waits for the next, a month later. */
    raw(db, "UPDATE usage_month SET month = 1577836800"
            " WHERE month = 1767225600 AND sent = 1 AND received = 0"
            " AND first = 0");
    give(&b, 1, 1, 0);
    books_flush(&b);
    assert_int_equal(raw_i64(db, old), 4000);
    books_pass(&b, 31 * DAY);
    for (unsigned i = 0; i < 10; i++) {
        give(&b, 1, 1, 0);
        books_flush(&b);
    }
    assert_int_equal(raw_i64(db, old), 0);
    sqlite3_close(db);
    books_fini(&b);
}

/* A file made by migration has what a new one has. */
static void
test_one_schema(void **state)
{
    static const char all[] =
        "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema"
        " WHERE sql IS NOT NULL ORDER BY name)";
    char why[ADIT_LEDGER_WHY_TEXT_BYTES], text[2][4000];
    struct place p;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        sqlite3 *db;
        sqlite3_stmt *st;

        place_new(&p);
        if (i == 1) {
            db = raw_open(p.file);
            raw(db, v1);
            sqlite3_close(db);
        }
        assert_true(opens(p.file, why));
        db = raw_open(p.file);
        assert_int_equal(sqlite3_prepare_v2(db, all, -1, &st, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        for (size_t k = 0, n = 0; n < sizeof(text[i]); k++) {
            char c = (char)sqlite3_column_text(st, 0)[k];

            if (c != ' ') /* blanks differ */
                text[i][n++] = c;
            if (c == '\0')
                break;
        }
        sqlite3_finalize(st);
        sqlite3_close(db);
    }
    assert_string_equal(text[0], text[1]);
}

static void
test_not_ours(void **state)
{
    static const struct {
        const char *why, *sql, *says;
    } cases[] = {
        { "a newer schema",
          "PRAGMA application_id = 1633970548; PRAGMA user_version = 3;"
          "CREATE TABLE t (a)",
          "a newer adit wrote it (schema 3, this one knows 2)" },
        { "another program's", "PRAGMA application_id = 7; CREATE TABLE t (a)",
          "no ledger of adit's" },
        { "nobody's, but not empty", "CREATE TABLE t (a)",
          "no ledger of adit's" },
        { "without our mark, with a version", "PRAGMA user_version = 1",
          "no ledger of adit's" },
    };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
    struct place p;
    int fd;

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        sqlite3 *db;

        print_message("%s\n", cases[i].why);
        place_new(&p);
        db = raw_open(p.file);
        raw(db, cases[i].sql);
        sqlite3_close(db);
        assert_false(opens(p.file, why));
        assert_non_null(strstr(why, cases[i].says));
        assert_non_null(strstr(why, p.file));
        /* It is as it was. */
        db = raw_open(p.file);
        assert_int_equal(raw_i64(db, "SELECT count(*) FROM sqlite_schema"
                                     " WHERE name LIKE 'usage%'"),
                         0);
        sqlite3_close(db);
    }

    place_new(&p);
    fd = open(p.file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "no database is this, but a letter", 33), 33);
    close(fd);
    assert_false(opens(p.file, why));
    assert_non_null(strstr(why, "not a database"));

    assert_false(opens(dir, why));
    assert_non_null(strstr(why, "irectory"));
    snprintf(p.file, sizeof(p.file), "%s/no/such.db", dir);
    assert_false(opens(p.file, why));
    assert_non_null(strstr(why, "No such file"));
}

static void
test_mode(void **state)
{
    mode_t old = umask(0022);
    char name[200];
    static struct books b;
    static struct place p;
    struct stat st;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    give(&b, 1, 1, 1);
    books_flush(&b);
    assert_int_equal(stat(p.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    snprintf(name, sizeof(name), "%s-wal", p.file);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    books_fini(&b);
    umask(old);
}

/* ---- damage ------------------------------------------------------------------- */

static void
copy_file(const char *from, const char *to, long cut)
{
    static char buf[1 << 20];
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    assert_true(in >= 0 && out >= 0);
    n = read(in, buf, sizeof(buf));
    assert_true(n >= 0 && (size_t)n < sizeof(buf));
    if (cut >= 0 && cut < n)
        n = cut;
    assert_int_equal(write(out, buf, (size_t)n), n);
    close(in);
    close(out);
}

/* The log of a process that was killed, cut anywhere: the file opens, with
 * the first batches of it whole. */
static void
test_cut_wal(void **state)
{
    static struct books b;
    static struct place p;
    char wal[200], copy[200], copy_wal[210], why[ADIT_LEDGER_WHY_TEXT_BYTES];
    int64_t last = 0;
    struct stat st;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned k = 0; k < 50; k++)
            give(&b, k, 1, 0);
        books_flush(&b);
    }
    snprintf(wal, sizeof(wal), "%s-wal", p.file);
    snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    snprintf(copy_wal, sizeof(copy_wal), "%s-wal", copy);
    assert_int_equal(stat(wal, &st), 0);
    for (long cut = 0; cut <= st.st_size; cut += 1501) {
        int64_t sum;

        copy_file(p.file, copy, -1);
        copy_file(wal, copy_wal, cut);
        assert_true(opens(copy, why));
        sum = file_i64(copy, "SELECT coalesce(sum(sent), 0) FROM usage_day");
        assert_int_equal(sum % 50, 0);
        assert_true(sum >= last);
        assert_int_equal(
            sum,
            file_i64(copy, "SELECT coalesce(sum(sent), 0) FROM usage_month"));
        last = sum;
        is_sound(copy);
        unlink(copy);
    }
    assert_true(last > 0);
    books_fini(&b);
}

static void
test_damaged(void **state)
{
    static struct books b;
    static struct place p;
    static const char garbage[3000] = { 1, 2, 3, 4 };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];
    int fd;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    for (unsigned i = 0; i < 2000; i++)
        give(&b, i, 1, 0);
    books_fini(&b);
    fd = open(p.file, O_WRONLY);
    for (off_t at = 5 * 4096 + 100; at < 40 * 4096; at += 4096)
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at),
                         sizeof(garbage));
    close(fd);
    assert_false(opens(p.file, why));
    assert_non_null(strstr(why, "it is damaged"));
}

/* ---- kill -9 -------------------------------------------------------------------- */

/* Shared with the child. */
struct tally {
    atomic_ullong given, written; /* bytes, of all rounds */
};

struct child {
    struct adit_worker *w;
    struct adit_ledger *l;
    struct adit_timer timer;
    struct tally *tally;
};

/* Ten bytes a circuit. */
static void
work(void *ctx)
{
    struct child *c = ctx;
    struct adit_peerid one = peer_no(1);
    struct adit_ledger_gains g = { .sent_bytes = 10, .n_as_src = 1 };
    struct adit_ledger_record r = { .src = one, .dst = one, .why = "fin" };

    r.began_unix_s = adit_worker_unix_s(c->w);
    atomic_fetch_add(&c->tally->given, 10);
    adit_ledger_add(c->l, &one, &g);
    adit_ledger_record(c->l, &r);
    if (adit_timer_set(c->w, &c->timer,
                       adit_instant_add(adit_worker_now(c->w), 500)) !=
        ADIT_OK)
        _exit(3);
}

static void
on_written(void *ctx, const struct adit_ledger_totals *t)
{
    struct child *c = ctx;

    atomic_store(&c->tally->written, t->day_bytes);
}

static void
child_main(const struct place *p, struct tally *tally)
{
    struct adit_mem mem;
    struct adit_metrics metrics = { 0 };
    struct child c = { .tally = tally };
    struct adit_worker_config wc = {
        .kind = ADIT_WORKER_OWN,
        .mem = &mem,
        .rng = adit_rng_system(),
        .buffer_bytes = 1 << 16,
    };
    struct adit_ledger_config cfg = {
        .backend = ADIT_LEDGER_IN_SQLITE,
        .file = p->file,
        .flush_us = 5 * ADIT_MS,
        .keep_circuits_us = 30 * DAY * ADIT_S,
        .keep_days_us = 62 * DAY * ADIT_S,
        .keep_months_us = 100 * DAY * ADIT_S,
        .metrics = &metrics,
    };
    struct adit_ledger_events ev = { .ctx = &c, .on_totals = on_written };
    char why[ADIT_LEDGER_WHY_TEXT_BYTES];

    adit_mem_init(&mem, NULL, SIZE_MAX);
    if (adit_worker_new(&wc, &c.w) != ADIT_OK ||
        adit_ledger_open(c.w, &cfg, &ev, &c.l, why) != ADIT_OK)
        _exit(2);
    c.timer = (struct adit_timer){ .fn = work, .ctx = &c };
    work(&c);
    adit_worker_run(c.w);
    _exit(4);
}

#define N_KILLS 12

static void
test_kill_9(void **state)
{
    struct tally *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct timespec nap = { 0, 1000000 };
    uint64_t seed = 88172645463325252u;
    static struct place p;

    (void)state;
    assert_true(t != MAP_FAILED);
    place_new(&p);
    for (unsigned i = 0; i < N_KILLS; i++) {
        uint64_t before = atomic_load(&t->written);
        pid_t pid = fork();
        int64_t sum;
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            child_main(&p, t);
        /* Once it has written, at any moment of its next milliseconds. */
        for (unsigned k = 0; k < 20000 && atomic_load(&t->written) <= before;
             k++)
            nanosleep(&nap, NULL);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        for (unsigned k = 0; k < seed % 16; k++)
            nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        sum = file_i64(p.file, "SELECT sum(sent) FROM usage_day");
        /* What was said to be written is; nothing else but what the last
         * flush may have been about. */
        assert_true((uint64_t)sum > before);
        assert_true((uint64_t)sum >= atomic_load(&t->written));
        assert_true((uint64_t)sum <= atomic_load(&t->given));
        assert_int_equal(sum, file_i64(p.file, "SELECT sum(sent)"
                                               " FROM usage_month"));
        assert_int_equal(sum, file_i64(p.file, "SELECT 10 * sum(n_src)"
                                               " FROM usage_day"));
        assert_int_equal(sum, file_i64(p.file, "SELECT 10 * count(*)"
                                               " FROM circuits"));
        is_sound(p.file);
        atomic_store(&t->written, (uint64_t)sum);
        atomic_store(&t->given, (uint64_t)sum);
    }
    munmap(t, sizeof(*t));
}

/* ---- a full disk ------------------------------------------------------------------- */

static uint64_t
stored(struct books *b)
{
    books_read(b, (struct adit_usage_query){ .by = ADIT_USAGE_BY_DAY });
    return b->n_rows > 0 ? b->rows[0].sums.sent_bytes : 0;
}

/* Give until there is no room; go on giving; then `make_room`. */
static void
fill_up(const struct place *p, void (*set_limit)(const char *file),
        void (*make_room)(const char *file))
{
    static struct books b;
    uint64_t given = 0;
    unsigned n = 0;
    static struct place place;

    place = *p;
    books_init(&b, &place);
    give(&b, 0, 1, 0);
    given++;
    books_flush(&b);
    set_limit(p->file);
    while (!books_is_failing(&b) && n < 60000) {
        for (unsigned i = 0; i < 1000; i++, given++)
            give(&b, ++n, 1, 0);
        b.now = adit_instant_add(b.now, BOOKS_FLUSH_US);
        for (unsigned i = 0; i < 50; i++) {
            const struct timespec nap = { 0, 1000000 };

            books_turn(&b);
            if (books_is_written(&b) || books_is_failing(&b))
                break;
            nanosleep(&nap, NULL);
        }
    }
    assert_true(books_is_failing(&b));
    assert_true(books_has_line(&b, "ledger.failing"));
    assert_true(books_has_line(&b, place.file));
    /* What gathers meanwhile is not lost; what is stored can be read. */
    give(&b, 1, 1000, 0);
    given += 1000;
    assert_true(stored(&b) > 0);
    assert_string_not_equal(b.text, "");
    make_room(p->file);
    b.is_slow = true;
    books_until(&b, books_is_written);
    assert_true(books_has_line(&b, "ledger.recovered"));
    assert_int_equal(stored(&b), given);
    assert_string_equal(b.text, "");
    books_fini(&b);
    is_sound(place.file);
    assert_int_equal(adit_metric_get(&b.metrics, ADIT_M_LEDGER_LOST_BYTES), 0);
    assert_true(adit_metric_get(&b.metrics, ADIT_M_LEDGER_FAILED) > 0);
}

static struct rlimit old_limit;

static void
limit_size(const char *file)
{
    struct rlimit r;

    (void)file;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    r = old_limit;
    r.rlim_cur = 300000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void
unlimit_size(const char *file)
{
    (void)file;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
}

static void
test_file_limit(void **state)
{
    struct place p;

    (void)state;
    place_new(&p);
    fill_up(&p, limit_size, unlimit_size);
}

static char ballast[120];

static void
no_limit(const char *file)
{
    (void)file; /* the disk is small enough */
}

static void
drop_ballast(const char *file)
{
    (void)file;
    assert_int_equal(unlink(ballast), 0);
}

/* This process alone sees it.  False: it may not be made. */
static bool
small_disk(char path[100])
{
    snprintf(path, 100, "%s/disk", dir);
    mkdir(path, 0700);
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("adit", path, "tmpfs", 0, "size=16m") == 0;
}

static void
test_full_disk(void **state)
{
    char path[100], why[ADIT_LEDGER_WHY_TEXT_BYTES];
    struct place p;
    int fd;

    (void)state;
    if (!small_disk(path)) {
        print_message("no tmpfs can be mounted here: %s\n", strerror(errno));
        skip();
    }
    place_new(&p);
    snprintf(ballast, sizeof(ballast), "%s/ballast", path);
    fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 15 << 20), 0);
    close(fd);
    snprintf(p.file, sizeof(p.file), "%s/full.db", path);
    fill_up(&p, no_limit, drop_ballast);

    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_false(opens(p.file, why));
    assert_non_null(strstr(why, "Read-only"));
    assert_int_equal(umount(path), 0);
}

/* Another program holds the file for longer than we wait: as with any other
 * failure, nothing is lost. */
static void
test_locked(void **state)
{
    static struct books b;
    static struct place p;
    sqlite3 *db;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    db = raw_open(p.file);
    raw(db, "BEGIN IMMEDIATE");
    give(&b, 1, 10, 0);
    b.now = adit_instant_add(b.now, BOOKS_FLUSH_US);
    books_until(&b, books_is_failing);
    assert_true(books_has_line(&b, "locked"));
    raw(db, "COMMIT");
    sqlite3_close(db);
    b.is_slow = true;
    books_until(&b, books_is_written);
    assert_int_equal(stored(&b), 10);
    books_fini(&b);
}

int
main(void)
{
    static const struct CMUnitTest more[] = {
        cmocka_unit_test(test_migration),    cmocka_unit_test(test_one_schema),
        cmocka_unit_test(test_prune_months), cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_mode),         cmocka_unit_test(test_cut_wal),
        cmocka_unit_test(test_damaged),      cmocka_unit_test(test_kill_9),
        cmocka_unit_test(test_file_limit),   cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_locked),
    };

    return run_suite("ledger/sqlite", more, ADIT_NITEMS(more), setup,
                     teardown);
}
