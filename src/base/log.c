/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const level_names[] = { "error", "warn", "info", "debug" };

const char *
adit_log_level_name(enum adit_log_level level)
{
    return level_names[level];
}

/* Room for the closing "..." and NUL is never given away. */
#define USABLE (ADIT_LOG_LINE_MAX_BYTES - 4)

static void
put(struct adit_log_line *l, const char *s, size_t n)
{
    if (l->n > USABLE)
        return;
    if (n > USABLE - l->n) {
        memcpy(l->buf + l->n, s, USABLE - l->n);
        memcpy(l->buf + USABLE, "...", 3);
        l->n = USABLE + 3; /* further puts see a full line */
        return;
    }
    memcpy(l->buf + l->n, s, n);
    l->n += n;
}

bool
adit_log_open(struct adit_log_line *l, const struct adit_log *log,
              enum adit_log_level level, const char *event)
{
    l->log = NULL;
    if (log == NULL || log->sink == NULL || level > log->level)
        return false;
    l->log = log;
    l->level = level;
    l->n = 0;
    put(l, event, strlen(event));
    return true;
}

/* Digits alone are numbers, which text that looks like one is not. */
static bool
is_number(struct adit_slice s)
{
    if (s.n > 0 && s.p[0] == '-')
        s = adit_slice_skip(s, 1);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

static bool
is_plain(struct adit_slice s)
{
    if (is_number(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' ||
            s.p[i] == '\\' || s.p[i] == '=')
            return false;
    return s.n > 0;
}

static void
put_key(struct adit_log_line *l, const char *key)
{
    put(l, " ", 1);
    put(l, key, strlen(key));
    put(l, "=", 1);
}

void
adit_log_bytes(struct adit_log_line *l, const char *key,
               struct adit_slice text)
{
    if (l->log == NULL)
        return;
    put_key(l, key);
    if (is_plain(text)) {
        put(l, (const char *)text.p, text.n);
        return;
    }
    put(l, "\"", 1);
    for (size_t i = 0; i < text.n; i++) {
        char esc[8];
        uint8_t c = text.p[i];

        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            put(l, esc, 2);
        } else if (c < ' ' || c >= 0x7f) {
            int n = snprintf(esc, sizeof(esc), "\\x%02x", c);

            put(l, esc, (size_t)n);
        } else {
            put(l, (const char *)&text.p[i], 1);
        }
    }
    put(l, "\"", 1);
}

void
adit_log_str(struct adit_log_line *l, const char *key, const char *value)
{
    if (l->log != NULL)
        adit_log_bytes(l, key, adit_slice_str(value != NULL ? value : ""));
}

void
adit_log_u64(struct adit_log_line *l, const char *key, uint64_t value)
{
    char s[24];

    if (l->log == NULL)
        return;
    put_key(l, key);
    put(l, s, (size_t)snprintf(s, sizeof(s), "%" PRIu64, value));
}

void
adit_log_i64(struct adit_log_line *l, const char *key, int64_t value)
{
    char s[24];

    if (l->log == NULL)
        return;
    put_key(l, key);
    put(l, s, (size_t)snprintf(s, sizeof(s), "%" PRId64, value));
}

void
adit_log_err(struct adit_log_line *l, const char *key, adit_err value)
{
    if (l->log != NULL)
        adit_log_str(l, key, adit_err_name(value));
}

void
adit_log_close(struct adit_log_line *l)
{
    if (l->log == NULL)
        return;
    l->buf[l->n] = '\0';
    l->log->sink(l->log->ctx, l->level, l->buf, l->n);
    l->log = NULL;
}
