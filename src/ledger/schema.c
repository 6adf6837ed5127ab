/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "ledger/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another program may hold the file: an operator's sqlite3, a backup. */
#define BUSY_MS 2000

/* A larger file is not read through at each start: it would take seconds.
 * What is wrong with it shows when it is met. */
#define MAX_CHECK_BYTES (INT64_C(256) << 20)

/*
 * steps[i] makes version i + 1 of version i.  Never changed once released;
 * a new file takes all of them, so each is run by every test.
 */
static const char *const steps[ADIT_SCHEMA_VERSION] = {
    /* 1 */
    "CREATE TABLE usage_day ("
    " day INTEGER NOT NULL, peer BLOB NOT NULL,"
    " sent INTEGER NOT NULL, received INTEGER NOT NULL,"
    " n_src INTEGER NOT NULL, n_dst INTEGER NOT NULL,"
    " n_rsvp INTEGER NOT NULL,"
    " PRIMARY KEY (day, peer)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX usage_day_peer ON usage_day (peer, day);"
    "CREATE TABLE usage_month ("
    " month INTEGER NOT NULL, peer BLOB NOT NULL,"
    " sent INTEGER NOT NULL, received INTEGER NOT NULL,"
    " n_src INTEGER NOT NULL, n_dst INTEGER NOT NULL,"
    " n_rsvp INTEGER NOT NULL,"
    " PRIMARY KEY (peer, month)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE refusals ("
    " peer BLOB NOT NULL, day INTEGER NOT NULL, rule TEXT NOT NULL,"
    " n INTEGER NOT NULL,"
    " PRIMARY KEY (peer, day, rule)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX refusals_day ON refusals (day);"
    "CREATE TABLE circuits ("
    " id INTEGER PRIMARY KEY, began INTEGER NOT NULL,"
    " lasted_us INTEGER NOT NULL, src BLOB NOT NULL, dst BLOB NOT NULL,"
    " accepted_dst INTEGER NOT NULL, accepted_src INTEGER NOT NULL,"
    " handed_dst INTEGER NOT NULL, handed_src INTEGER NOT NULL,"
    " why TEXT NOT NULL) STRICT;"
    "CREATE INDEX circuits_began ON circuits (began);",
    /* 2: when a peer was seen; marks; batches that are applied once */
    "ALTER TABLE usage_day ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE usage_day ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
    "UPDATE usage_day SET first = day, last = day;"
    "ALTER TABLE usage_month ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE usage_month ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
    "UPDATE usage_month SET first = month, last = month;"
    "CREATE INDEX circuits_src ON circuits (src, began);"
    "CREATE INDEX circuits_dst ON circuits (dst, began);"
    "CREATE TABLE marks ("
    " peer BLOB PRIMARY KEY, is_banned INTEGER NOT NULL,"
    " until INTEGER NOT NULL, class TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE writers ("
    " id BLOB PRIMARY KEY, seq INTEGER NOT NULL,"
    " at INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};

int
adit_schema_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* The first column of the first row, as a number. */
static int
ask_i64(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(st, 0);
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(st);
    return rc;
}

/* The same, as text. */
static int
ask_text(sqlite3 *db, const char *sql, char *out, size_t cap)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            const unsigned char *text = sqlite3_column_text(st, 0);

            snprintf(out, cap, "%s", text != NULL ? (const char *)text : "");
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(st);
    return rc;
}

/* Made with our mode: SQLite's own would be 0644; its WAL takes after it. */
static adit_err
make_file(const char *file, int64_t *size_bytes,
          char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "%s: %s", file,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return ADIT_EIO;
    }
    close(fd);
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "%s: it is no plain file",
                 file);
        return ADIT_EIO;
    }
    *size_bytes = st.st_size;
    return ADIT_OK;
}

const char *
adit_schema_why(sqlite3 *db)
{
    int os_error = sqlite3_system_errno(db);

    return os_error != 0 && (sqlite3_errcode(db) & 0xff) == SQLITE_IOERR
               ? strerror(os_error)
               : sqlite3_errmsg(db);
}

/* Is it one of ours, and of which version?  0: an empty one. */
static adit_err
judge(sqlite3 *db, const char *file, int64_t *version,
      char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    int64_t app = 0, n = 0;

    *version = 0;
    if (ask_i64(db, "PRAGMA application_id", &app) != SQLITE_OK ||
        ask_i64(db, "PRAGMA user_version", version) != SQLITE_OK ||
        ask_i64(db, "SELECT count(*) FROM sqlite_schema", &n) != SQLITE_OK) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "%s: %s", file,
                 adit_schema_why(db));
        return ADIT_EIO;
    }
    if (app != ADIT_SCHEMA_APP && (app != 0 || n != 0 || *version != 0)) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
                 "%s: it is an SQLite file, but no ledger of adit's", file);
        return ADIT_EIO;
    }
    if (*version > ADIT_SCHEMA_VERSION) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
                 "%s: a newer adit wrote it (schema %" PRId64
                 ", this one knows %d); use that one, or another file",
                 file, *version, ADIT_SCHEMA_VERSION);
        return ADIT_EIO;
    }
    return ADIT_OK;
}

static adit_err
check(sqlite3 *db, const char *file, char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    char text[160] = "";
    int rc = ask_text(db, "PRAGMA quick_check(1)", text, sizeof(text));

    if (rc == SQLITE_OK && strcmp(text, "ok") == 0)
        return ADIT_OK;
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
    snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
             "%s: it is damaged (%s); restore a copy, or move it away and "
             "a new one is made",
             file, rc != SQLITE_OK ? adit_schema_why(db) : text);
    return ADIT_EIO;
}

/* All steps in one transaction: a version is whole or not there. */
static adit_err
migrate(sqlite3 *db, const char *file, int64_t version,
        char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    char sql[96];
    int rc;

    if (version == ADIT_SCHEMA_VERSION)
        return ADIT_OK;
    rc = adit_schema_exec(db, "BEGIN IMMEDIATE");
    for (int64_t v = version; rc == SQLITE_OK && v < ADIT_SCHEMA_VERSION; v++)
        rc = adit_schema_exec(db, steps[v]);
    snprintf(sql, sizeof(sql),
             "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             ADIT_SCHEMA_APP, ADIT_SCHEMA_VERSION);
    if (rc == SQLITE_OK)
        rc = adit_schema_exec(db, sql);
    if (rc == SQLITE_OK)
        return ADIT_OK;
    snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES,
             "%s: from schema %" PRId64 " to %d: %s", file, version,
             ADIT_SCHEMA_VERSION, adit_schema_why(db));
    return ADIT_EIO;
}

static adit_err
set_up(sqlite3 *db, const char *file, char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    char mode[16] = "";
    int rc;

    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    rc = ask_text(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode));
    if (rc == SQLITE_OK && strcmp(mode, "wal") != 0)
        rc = SQLITE_CANTOPEN;
    /*
     * FULL: one fsync a flush, on a thread where nobody waits for it, and
     * what was written survives the loss of power too.  No file in /tmp,
     * where a confined daemon may not write.  The WAL shrinks again after
     * a burst.
     */
    if (rc == SQLITE_OK)
        rc = adit_schema_exec(db, "PRAGMA synchronous = FULL;"
                                  "PRAGMA temp_store = MEMORY;"
                                  "PRAGMA trusted_schema = OFF;"
                                  "PRAGMA cell_size_check = ON;"
                                  "PRAGMA journal_size_limit = 16777216");
    if (rc == SQLITE_OK)
        return ADIT_OK;
    snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "%s: %s", file,
             rc == SQLITE_CANTOPEN ? "no write-ahead log can be kept beside it"
                                   : adit_schema_why(db));
    return ADIT_EIO;
}

adit_err
adit_schema_open(const char *file, sqlite3 **out,
                 char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    sqlite3 *db = NULL;
    int64_t size_bytes, version;
    adit_err e = make_file(file, &size_bytes, why);

    if (e != ADIT_OK)
        return e;
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "%s: %s", file,
                 db != NULL ? adit_schema_why(db) : "no memory");
        e = ADIT_EIO;
        goto out;
    }
    /* Whose it is first: nothing of a stranger's file is changed. */
    e = judge(db, file, &version, why);
    if (e == ADIT_OK)
        e = set_up(db, file, why);
    if (e == ADIT_OK && size_bytes > 0 && size_bytes <= MAX_CHECK_BYTES)
        e = check(db, file, why);
    if (e == ADIT_OK)
        e = migrate(db, file, version, why);
out:
    if (e != ADIT_OK)
        sqlite3_close(db);
    else
        *out = db;
    return e;
}
