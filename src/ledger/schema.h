/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * schema: the ledger's SQLite file: made, checked, brought up to date.
 *
 * Thread: any, one at a time per connection.
 */
#ifndef ADIT_LEDGER_SCHEMA_H
#define ADIT_LEDGER_SCHEMA_H

#include "ledger/ledger.h"

#include <sqlite3.h>

/* PRAGMA user_version of what we write. */
#define ADIT_SCHEMA_VERSION 2

/* PRAGMA application_id: "adit". */
#define ADIT_SCHEMA_APP 0x61646974

/*
 * Open the file, or make it (mode 0640 less the umask), whatever version of
 * ours it is of.  ADIT_EIO: `why` says what and where.
 */
ADIT_MUST_USE adit_err adit_schema_open(const char *file, sqlite3 **out,
                                        char why[ADIT_LEDGER_WHY_TEXT_BYTES]);

/* Run statements that answer nothing; SQLite's code. */
int adit_schema_exec(sqlite3 *db, const char *sql);

/*
 * What went wrong last: SQLite's words, or where these are "disk I/O error"
 * the system's.  Borrowed until the next call on `db`.
 */
const char *adit_schema_why(sqlite3 *db);

#endif
