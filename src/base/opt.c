/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: _get prints in the first that divides the value. */
static const struct unit byte_units[] = {
    { "GiB", UINT64_C(1) << 30 },
    { "MiB", UINT64_C(1) << 20 },
    { "KiB", UINT64_C(1) << 10 },
    { "B", 1 },
};

static const struct unit time_units[] = {
    { "d", UINT64_C(86400000000) },
    { "h", UINT64_C(3600000000) },
    { "min", UINT64_C(60000000) },
    { "s", UINT64_C(1000000) },
    { "ms", 1000 },
};

const char *
adit_opt_type_name(enum adit_opt_type type)
{
    switch (type) {
    case ADIT_OPT_BOOL:
        return "yes/no";
    case ADIT_OPT_COUNT:
        return "count";
    case ADIT_OPT_BYTES:
        return "bytes";
    case ADIT_OPT_DURATION:
        return "duration";
    case ADIT_OPT_TEXT:
        return "text";
    case ADIT_OPT_LIST:
        return "list";
    case ADIT_OPT_CHOICE:
        return "choice";
    }
    return "?";
}

size_t
adit_opt_bytes(const struct adit_opt_row *row)
{
    switch (row->type) {
    case ADIT_OPT_BOOL:
        return sizeof(bool);
    case ADIT_OPT_COUNT:
    case ADIT_OPT_BYTES:
    case ADIT_OPT_DURATION:
    case ADIT_OPT_CHOICE:
        return sizeof(uint64_t);
    case ADIT_OPT_TEXT:
    case ADIT_OPT_LIST:
        return ADIT_OPT_TEXT_BYTES;
    }
    return 0;
}

static void
units_of(enum adit_opt_type type, const struct unit **u, size_t *n)
{
    *u = NULL;
    *n = 0;
    if (type == ADIT_OPT_BYTES) {
        *u = byte_units;
        *n = ADIT_NITEMS(byte_units);
    } else if (type == ADIT_OPT_DURATION) {
        *u = time_units;
        *n = ADIT_NITEMS(time_units);
    }
}

static const char *
units_text(enum adit_opt_type type)
{
    return type == ADIT_OPT_BYTES ? "B, KiB, MiB or GiB"
                                  : "ms, s, min, h or d";
}

/*
 * A number with its unit; 0 needs none.  NULL if fine, else what was
 * expected.
 */
static const char *
parse_number(enum adit_opt_type type, const char *text, uint64_t *out)
{
    const struct unit *u;
    size_t n_units;
    char *end;
    uint64_t v;

    units_of(type, &u, &n_units);
    if (!isdigit((unsigned char)text[0]))
        return n_units > 0 ? "a number and its unit was expected"
                           : "a number was expected";
    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno != 0)
        return "the number is too large";
    while (*end == ' ')
        end++;
    if (n_units == 0) {
        if (*end != '\0')
            return "a number without a unit was expected";
        *out = v;
        return NULL;
    }
    if (*end == '\0' && v == 0) {
        *out = 0;
        return NULL;
    }
    for (size_t i = 0; i < n_units; i++) {
        if (strcmp(end, u[i].name) != 0)
            continue;
        if (v > (uint64_t)INT64_MAX / u[i].factor)
            return "the number is too large";
        *out = v * u[i].factor;
        return NULL;
    }
    return *end == '\0' ? "the unit is missing" : "the unit is unknown";
}

static const char *
parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = { "yes", "on", "true", "1" };
    static const char *const no[] = { "no", "off", "false", "0" };

    for (size_t i = 0; i < ADIT_NITEMS(yes); i++) {
        if (strcmp(text, yes[i]) == 0) {
            *out = true;
            return NULL;
        }
        if (strcmp(text, no[i]) == 0) {
            *out = false;
            return NULL;
        }
    }
    return "yes or no was expected";
}

/* The i-th word of "a|b|c"; its length, 0: there are no more. */
static size_t
choice_at(const char *words, uint64_t i, const char **word)
{
    for (; i > 0 && *words != '\0'; i--) {
        words += strcspn(words, "|");
        words += *words == '|';
    }
    *word = words;
    return strcspn(words, "|");
}

static const char *
parse_choice(const char *words, const char *text, uint64_t *out, char *buf,
             size_t cap)
{
    const char *word;
    size_t n;

    for (uint64_t i = 0; (n = choice_at(words, i, &word)) > 0; i++)
        if (strlen(text) == n && memcmp(text, word, n) == 0) {
            *out = i;
            return NULL;
        }
    snprintf(buf, cap, "%s was expected", words);
    return buf;
}

static const char *
in_bounds(const struct adit_opt_row *row, uint64_t v, char *buf, size_t cap)
{
    uint64_t bound;

    /* 0 switches off what may be switched off: rows that may not have a min
     * of their own. */
    if (row->min != NULL &&
        parse_number(row->type, row->min, &bound) == NULL && v < bound) {
        snprintf(buf, cap, "%s is the least", row->min);
        return buf;
    }
    if (row->max != NULL &&
        parse_number(row->type, row->max, &bound) == NULL && v > bound) {
        snprintf(buf, cap, "%s is the most", row->max);
        return buf;
    }
    return NULL;
}

/* NULL if `value` was stored, else why it was not. */
static const char *
store(const struct adit_opt_row *row, void *base, const char *value, char *buf,
      size_t cap)
{
    char *field = (char *)base + row->offset;
    const char *bad;
    uint64_t v = 0;
    bool b;

    switch (row->type) {
    case ADIT_OPT_BOOL:
        bad = parse_bool(value, &b);
        if (bad == NULL)
            *(bool *)(void *)field = b;
        return bad;
    case ADIT_OPT_COUNT:
    case ADIT_OPT_BYTES:
    case ADIT_OPT_DURATION:
        bad = parse_number(row->type, value, &v);
        if (bad == NULL)
            bad = in_bounds(row, v, buf, cap);
        if (bad != NULL)
            return bad;
        if (row->type == ADIT_OPT_DURATION)
            *(int64_t *)(void *)field = (int64_t)v;
        else
            *(uint64_t *)(void *)field = v;
        return NULL;
    case ADIT_OPT_TEXT:
    case ADIT_OPT_LIST:
        if (strlen(value) >= ADIT_OPT_TEXT_BYTES)
            return "the text is too long";
        memcpy(field, value, strlen(value) + 1);
        return NULL;
    case ADIT_OPT_CHOICE:
        bad = parse_choice(row->min, value, &v, buf, cap);
        if (bad == NULL)
            *(uint64_t *)(void *)field = v;
        return bad;
    }
    return "its type is unknown";
}

void
adit_opt_defaults(const struct adit_opt_table *t, void *base)
{
    for (size_t i = 0; i < t->n; i++) {
        char buf[64];
        const char *bad =
            store(&t->rows[i], base, t->rows[i].def, buf, sizeof(buf));

        adit_assert(bad == NULL);
    }
}

const struct adit_opt_row *
adit_opt_find(const struct adit_opt_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].name, name) == 0)
            return &t->rows[i];
    return NULL;
}

/* Longer names are not compared: nobody meant them. */
#define NAME_MAX_BYTES 48

/* Levenshtein's distance, one row at a time. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t up = row[j];
            size_t swap = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = ADIT_MIN(swap, ADIT_MIN(up, row[j - 1]) + 1);
            diagonal = up;
        }
    }
    return row[nb];
}

/* Further away than this is no typing mistake. */
#define MAX_DISTANCE 6

const char *
adit_opt_nearest(const struct adit_opt_table *t, const char *name)
{
    const char *best = NULL;
    size_t least = MAX_DISTANCE + 1;

    for (size_t i = 0; i < t->n; i++) {
        size_t d = distance(name, t->rows[i].name);

        if (d < least) {
            least = d;
            best = t->rows[i].name;
        }
    }
    return best;
}

adit_err
adit_opt_set(const struct adit_opt_table *t, void *base, const char *name,
             const char *value, char why[ADIT_OPT_WHY_BYTES])
{
    const struct adit_opt_row *row = adit_opt_find(t, name);
    const char *bad;
    char buf[64];

    if (row == NULL) {
        const char *other = adit_opt_nearest(t, name);

        if (other != NULL)
            snprintf(why, ADIT_OPT_WHY_BYTES,
                     "unknown option '%.60s': did you mean %s?", name, other);
        else
            snprintf(why, ADIT_OPT_WHY_BYTES, "unknown option '%.60s'", name);
        return ADIT_EINVAL;
    }
    bad = store(row, base, value, buf, sizeof(buf));
    if (bad == NULL)
        return ADIT_OK;
    if (row->type == ADIT_OPT_BYTES || row->type == ADIT_OPT_DURATION)
        snprintf(why, ADIT_OPT_WHY_BYTES, "%s = '%.60s': %s (%s, in %s)",
                 row->name, value, bad, adit_opt_type_name(row->type),
                 units_text(row->type));
    else
        snprintf(why, ADIT_OPT_WHY_BYTES, "%s = '%.60s': %s", row->name, value,
                 bad);
    return ADIT_EINVAL;
}

size_t
adit_opt_get(const struct adit_opt_row *row, const void *base, char *out,
             size_t cap)
{
    const char *field = (const char *)base + row->offset;
    const struct unit *u;
    const char *word;
    size_t n_units;
    uint64_t v = 0;
    int n = 0;

    units_of(row->type, &u, &n_units);
    switch (row->type) {
    case ADIT_OPT_BOOL:
        n = snprintf(out, cap, "%s",
                     *(const bool *)(const void *)field ? "yes" : "no");
        break;
    case ADIT_OPT_COUNT:
        n = snprintf(out, cap, "%" PRIu64,
                     *(const uint64_t *)(const void *)field);
        break;
    case ADIT_OPT_BYTES:
    case ADIT_OPT_DURATION:
        v = row->type == ADIT_OPT_BYTES
                ? *(const uint64_t *)(const void *)field
                : (uint64_t) * (const int64_t *)(const void *)field;
        if (v == 0) {
            n = snprintf(out, cap, "0");
            break;
        }
        for (size_t i = 0; i < n_units; i++) {
            if (v % u[i].factor != 0)
                continue;
            n = snprintf(out, cap, "%" PRIu64 "%s", v / u[i].factor,
                         u[i].name);
            break;
        }
        break;
    case ADIT_OPT_TEXT:
    case ADIT_OPT_LIST:
        n = snprintf(out, cap, "%s", field);
        break;
    case ADIT_OPT_CHOICE:
        v = choice_at(row->min, *(const uint64_t *)(const void *)field, &word);
        n = snprintf(out, cap, "%.*s", (int)v, word);
        break;
    }
    return n > 0 ? (size_t)n : 0;
}

size_t
adit_opt_item(const char *list, size_t *at, const char **item)
{
    const char *p = list + *at;
    size_t n;

    p += strspn(p, ", \t");
    n = strcspn(p, ", \t");
    *item = p;
    *at = (size_t)(p - list) + n;
    return n;
}
