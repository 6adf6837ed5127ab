/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/json.h"

/* ---- text ------------------------------------------------------------------ */

/* The length of the UTF-8 sequence at the front, or 0: it is none. */
static size_t
utf8_at(struct adit_slice s)
{
    uint8_t c = s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (n == 0 || c > 0xf4 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s.p[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than need be, a surrogate, or above U+10FFFF. */
    if ((c == 0xe0 && s.p[1] < 0xa0) || (c == 0xed && s.p[1] > 0x9f) ||
        (c == 0xf0 && s.p[1] < 0x90) || (c == 0xf4 && s.p[1] > 0x8f))
        return 0;
    return n;
}

/* One character as JSON has it; returns the bytes that it takes of `s`. */
static size_t
escape(struct adit_slice s, char out[8])
{
    size_t n = utf8_at(s);
    uint8_t c = s.p[0];

    if (n == 0) {
        snprintf(out, 8, "\\ufffd");
        return 1;
    }
    if (c == '"' || c == '\\')
        snprintf(out, 8, "\\%c", c);
    else if (c < ' ' || c == 0x7f)
        snprintf(out, 8, "\\u%04x", c);
    else
        snprintf(out, 8, "%.*s", (int)n, (const char *)s.p);
    return n;
}

size_t
adit_json_quote(struct adit_slice text, char *out, size_t cap)
{
    size_t n = 0;
    char one[8];

    out[n++] = '"';
    while (text.n > 0) {
        size_t used = escape(text, one);
        size_t len = strlen(one);

        if (n + len + 2 > cap)
            break;
        memcpy(out + n, one, len);
        n += len;
        text = adit_slice_skip(text, used);
    }
    out[n++] = '"';
    out[n] = '\0';
    return n;
}

/* ---- lines ----------------------------------------------------------------- */

struct line {
    char *out;
    size_t n;
};

static void
put(struct line *l, const char *text, size_t n)
{
    /* The bound holds for every line that base/log makes. */
    if (n >= ADIT_JSON_LINE_BYTES - l->n)
        return;
    memcpy(l->out + l->n, text, n);
    l->n += n;
    l->out[l->n] = '\0';
}

static void
put_quoted(struct line *l, struct adit_slice text)
{
    char quoted[ADIT_JSON_QUOTED_BYTES(ADIT_LOG_LINE_MAX_BYTES)];

    put(l, quoted, adit_json_quote(text, quoted, sizeof(quoted)));
}

static void
put_key(struct line *l, struct adit_slice key)
{
    static const char *const taken[] = { "ts", "level", "event" };
    char longer[8];

    put(l, ",", 1);
    for (size_t i = 0; i < ADIT_NITEMS(taken); i++)
        if (adit_slice_eq(key, adit_slice_str(taken[i]))) {
            snprintf(longer, sizeof(longer), "%s_", taken[i]);
            key = adit_slice_str(longer);
            break;
        }
    put_quoted(l, key);
    put(l, ":", 1);
}

/* 2^53 has sixteen digits: a reader's double holds what is shorter. */
#define NUMBER_MAX_DIGITS 15

static bool
is_number(struct adit_slice s)
{
    if (s.n > 0 && s.p[0] == '-')
        s = adit_slice_skip(s, 1);
    if (s.n == 0 || s.n > NUMBER_MAX_DIGITS || (s.p[0] == '0' && s.n > 1))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/*
 * Undo base/log's quoting from behind the opening quote; a line that was cut
 * may end before the closing one.  Returns where it ends.
 */
static const char *
unquote(const char *s, uint8_t *to, size_t *n)
{
    *n = 0;
    while (*s != '\0' && *s != '"') {
        if (s[0] == '\\' && (s[1] == '"' || s[1] == '\\')) {
            to[(*n)++] = (uint8_t)s[1];
            s += 2;
        } else if (s[0] == '\\' && s[1] == 'x' && hex(s[2]) >= 0 &&
                   hex(s[3]) >= 0) {
            to[(*n)++] = (uint8_t)(hex(s[2]) << 4 | hex(s[3]));
            s += 4;
        } else {
            to[(*n)++] = (uint8_t)*s++;
        }
    }
    return *s == '"' ? s + 1 : s;
}

/* " key=value" at the front; returns what stands behind it. */
static const char *
put_field(struct line *l, const char *s)
{
    uint8_t value[ADIT_LOG_LINE_MAX_BYTES];
    size_t n = strcspn(s, "= ");
    const char *key = s;

    s += n;
    put_key(l, adit_slice(key, n));
    if (*s == '=')
        s++;
    if (*s == '"') {
        s = unquote(s + 1, value, &n);
        put_quoted(l, adit_slice(value, n));
        return s;
    }
    n = strcspn(s, " ");
    if (is_number(adit_slice(s, n)))
        put(l, s, n);
    else
        put_quoted(l, adit_slice(s, n));
    return s + n;
}

size_t
adit_json_line(const char *ts, const char *level, const char *line,
               char out[ADIT_JSON_LINE_BYTES])
{
    struct line l = { out, 0 };
    char head[96];
    size_t n;

    if (strlen(line) >= ADIT_LOG_LINE_MAX_BYTES)
        return 0;
    n = (size_t)snprintf(
        head, sizeof(head),
        "{\"ts\":\"%.40s\",\"level\":\"%.10s\",\"event\":", ts, level);
    put(&l, head, n);
    n = strcspn(line, " ");
    put_quoted(&l, adit_slice(line, n));
    line += n;
    while (*line != '\0') {
        line += strspn(line, " ");
        if (*line != '\0')
            line = put_field(&l, line);
    }
    put(&l, "}", 1);
    return l.n;
}
