/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * table: rows of text in columns: as wide as they must be, as narrow as the
 * terminal, or exactly as CSV.
 *
 * A cell is ASCII; anything else in it is shown as "?", so that nobody's name
 * can move the cursor.
 */
#ifndef ADIT_CLI_TABLE_H
#define ADIT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct adit_cli_column {
    const char *title;
    const char *key;  /* in CSV */
    bool is_right;    /* a number */
    unsigned least;   /* it may be cut, in its middle, to so much; 0: not */
    bool can_go;      /* left out where it is too narrow, the last first */
    bool is_csv_only; /* for programs alone */
};

#define ADIT_CLI_MAX_COLUMNS 24

struct adit_cli_table {
    const struct adit_cli_column *cols;
    size_t n_cols;
    bool is_exact; /* for CSV: numbers as they are */
    char **cells;  /* row by row */
    size_t n_cells, room;
    bool is_broken; /* no memory for a cell */
};

void adit_cli_table_init(struct adit_cli_table *t,
                         const struct adit_cli_column *cols, size_t n_cols,
                         bool is_exact);
void adit_cli_table_fini(struct adit_cli_table *t);
/* No rows any more. */
void adit_cli_table_clear(struct adit_cli_table *t);

/* The next cell; row by row, none left out.  NULL: empty. */
void adit_cli_table_text(struct adit_cli_table *t, const char *text);
/* For people "-" if 0, else in their units. */
void adit_cli_table_count(struct adit_cli_table *t, uint64_t n);
void adit_cli_table_bytes(struct adit_cli_table *t, uint64_t n);
void adit_cli_table_rate(struct adit_cli_table *t, uint64_t n);
void adit_cli_table_seconds(struct adit_cli_table *t, uint64_t s);
/* UTC; for people "-" if 0. */
void adit_cli_table_time(struct adit_cli_table *t, int64_t unix_s);

size_t adit_cli_table_n_rows(const struct adit_cli_table *t);

/* At most `max_rows`, none wider than `width` (0: any). */
void adit_cli_table_print(const struct adit_cli_table *t, FILE *out,
                          unsigned width, size_t max_rows);
/* RFC 4180. */
void adit_cli_table_csv(const struct adit_cli_table *t, FILE *out);

#endif
