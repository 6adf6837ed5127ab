/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * opt: the option table: from one row come the loader, the help, the sample
 * file, the manual page and the admin socket's answers.
 *
 * A row describes one field of a plain struct: where it lies, what text it
 * takes, its bounds.  Text goes in and out; numbers carry their unit
 * ("90s", "128KiB").  Thread: any; the struct has one owner.
 */
#ifndef ADIT_BASE_OPT_H
#define ADIT_BASE_OPT_H

#include "base/err.h"

enum adit_opt_type {
    ADIT_OPT_BOOL,     /* bool: yes, no (also on, off, true, false) */
    ADIT_OPT_COUNT,    /* uint64_t: a number; no unit */
    ADIT_OPT_BYTES,    /* uint64_t: a number with B, KiB, MiB, GiB */
    ADIT_OPT_DURATION, /* int64_t microseconds: with ms, s, min, h, d */
    ADIT_OPT_TEXT,     /* char[ADIT_OPT_TEXT_BYTES] */
    ADIT_OPT_LIST,     /* the same, items parted by commas or blanks */
    ADIT_OPT_CHOICE,   /* uint64_t: which of the words of `min`, from 0 */
};

#define ADIT_OPT_TEXT_BYTES 1024

struct adit_opt_row {
    const char *name; /* "section.key" */
    enum adit_opt_type type;
    size_t offset; /* of the field in the struct */
    const char *def;
    const char *min, *max; /* as text; NULL: none.  CHOICE: min = "a|b" */
    const char *when;      /* "start", "reload" */
    const char *help;      /* a sentence or two */
};

struct adit_opt_table {
    const struct adit_opt_row *rows;
    size_t n;
};

#define ADIT_OPT_WHY_BYTES 256

/* "duration" for example; static. */
const char *adit_opt_type_name(enum adit_opt_type type);

/* How many bytes its field takes. */
size_t adit_opt_bytes(const struct adit_opt_row *row);

/* Every field of `base` to its default.  A default that does not parse is a
 * bug of the table's. */
void adit_opt_defaults(const struct adit_opt_table *t, void *base);

/* NULL: no such option. */
const struct adit_opt_row *adit_opt_find(const struct adit_opt_table *t,
                                         const char *name);

/* The option that was perhaps meant; NULL: none is near. */
const char *adit_opt_nearest(const struct adit_opt_table *t, const char *name);

/*
 * Parse `value` into the field `name` names.
 *
 *   ADIT_EINVAL  *why says what was wrong, and for an unknown name which one
 *                was perhaps meant; nothing changed
 */
ADIT_MUST_USE adit_err adit_opt_set(const struct adit_opt_table *t, void *base,
                                    const char *name, const char *value,
                                    char why[ADIT_OPT_WHY_BYTES]);

/*
 * The field as text that _set takes.  Returns its length; at most cap - 1
 * bytes and a NUL are written.
 */
size_t adit_opt_get(const struct adit_opt_row *row, const void *base,
                    char *out, size_t cap);

/*
 * The next item of a LIST, from *at on (0 first); its length, 0: no more.
 */
size_t adit_opt_item(const char *list, size_t *at, const char **item);

#endif
