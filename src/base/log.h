/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * log: one line per event, `event key=value ...`, built field by field.
 *
 * A line is made on the stack and handed whole to the sink, with no lock
 * held; the sink may call anything.  Values with blanks, quotes or bytes
 * outside printable ASCII are quoted and escaped, so a stranger cannot forge
 * a line; so is text that looks like a number, so that a reader can tell.  Below the level nothing is formatted.  Thread: any.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum adit_log_level {
    ADIT_LOG_ERROR, /* an operator must act */
    ADIT_LOG_WARN,  /* he should look */
    ADIT_LOG_INFO,  /* once per start, reload, hour */
    ADIT_LOG_DEBUG, /* whatever a stranger can cause */
};

struct adit_log {
    enum adit_log_level level; /* lines above it are dropped */
    /* `line` ends in no newline and is NUL-terminated at line[n]. */
    void (*sink)(void *ctx, enum adit_log_level level, const char *line,
                 size_t n);
    void *ctx;
};

/* Longer lines are cut and end in "...". */
#define ADIT_LOG_LINE_MAX_BYTES 1024

struct adit_log_line {
    const struct adit_log *log; /* NULL: the level is off, all calls no-ops */
    enum adit_log_level level;
    size_t n;
    char buf[ADIT_LOG_LINE_MAX_BYTES];
};

/* `log` may be NULL.  False: this level is off; the rest may be skipped. */
bool adit_log_open(struct adit_log_line *l, const struct adit_log *log,
                   enum adit_log_level level, const char *event);
void adit_log_str(struct adit_log_line *l, const char *key, const char *value);
void adit_log_bytes(struct adit_log_line *l, const char *key,
                    struct adit_slice text);
void adit_log_u64(struct adit_log_line *l, const char *key, uint64_t value);
void adit_log_i64(struct adit_log_line *l, const char *key, int64_t value);
void adit_log_err(struct adit_log_line *l, const char *key, adit_err value);
void adit_log_close(struct adit_log_line *l);

/* "error", "warn", "info", "debug". */
const char *adit_log_level_name(enum adit_log_level level);

#endif
