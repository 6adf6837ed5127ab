/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "metrics/expo.h"

#include <inttypes.h>
#include <stdarg.h>

struct sink {
    char *out;
    size_t cap, n;
};

static void ADIT_PRINTF(2, 3) put(struct sink *s, const char *fmt, ...)
{
    size_t left = s->n < s->cap ? s->cap - s->n : 0;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(left > 0 ? s->out + s->n : NULL, left, fmt, ap);
    va_end(ap);
    if (n > 0)
        s->n += (size_t)n;
}

/* ---- exposition ------------------------------------------------------------ */

static const char *
type_name(enum adit_metric_kind kind)
{
    switch (kind) {
    case ADIT_METRIC_COUNTER:
    case ADIT_METRIC_SECONDS:
        return "counter";
    case ADIT_METRIC_GAUGE:
        return "gauge";
    case ADIT_METRIC_BUCKET:
    case ADIT_METRIC_SUM:
        break;
    }
    return "histogram";
}

static void
put_head(struct sink *s, const struct adit_metric_row *row)
{
    put(s, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
        type_name(row->kind));
}

/* `below` is what the buckets of this name have counted so far. */
static void
put_row(struct sink *s, const struct adit_metric_row *row, uint64_t v,
        uint64_t *below)
{
    const char *tail = row->kind == ADIT_METRIC_BUCKET ? "_bucket"
                       : row->kind == ADIT_METRIC_SUM  ? "_sum"
                                                       : "";

    put(s, "%s%s", row->name, tail);
    if (row->labels[0] != '\0')
        put(s, "{%s}", row->labels);
    switch (row->kind) {
    case ADIT_METRIC_COUNTER:
    case ADIT_METRIC_GAUGE:
        put(s, " %" PRIu64 "\n", v);
        break;
    case ADIT_METRIC_BUCKET:
        *below += v;
        put(s, " %" PRIu64 "\n", *below);
        break;
    case ADIT_METRIC_SECONDS:
    case ADIT_METRIC_SUM:
        put(s, " %" PRIu64 ".%06" PRIu64 "\n", v / 1000000, v % 1000000);
        break;
    }
    if (row->kind == ADIT_METRIC_SUM)
        put(s, "%s_count %" PRIu64 "\n", row->name, *below);
}

size_t
adit_expo_format(const struct adit_metrics *const *cells, size_t n, char *out,
                 size_t cap)
{
    struct sink s = { out, cap, 0 };
    const char *last = "";
    uint64_t below = 0;

    for (unsigned i = 0; i < ADIT_N_METRICS; i++) {
        const struct adit_metric_row *row = adit_metric_row(i);
        uint64_t sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += adit_metric_get(cells[k], i);
        if (strcmp(row->name, last) != 0) {
            put_head(&s, row);
            last = row->name;
            below = 0;
        }
        put_row(&s, row, sum, &below);
    }
    return s.n;
}

size_t
adit_expo_scraped(const struct adit_scraped *v, char *out, size_t cap)
{
    struct sink s = { out, cap, 0 };
    uint64_t below = 0;

    for (unsigned i = 0; i < ADIT_N_SCRAPED; i++) {
        const struct adit_metric_row *row = adit_scraped_row(i);

        if (!v->is_known[i])
            continue;
        put_head(&s, row);
        put_row(&s, row, v->v[i], &below);
    }
    return s.n;
}

/* ---- the list ---------------------------------------------------------------- */

/* The value of `key="value"`, without the quotes. */
static struct adit_slice
label_value(const char *labels)
{
    const char *from = strchr(labels, '"'), *to;

    if (from == NULL)
        return ADIT_SLICE_NONE;
    to = strchr(from + 1, '"');
    return adit_slice(from + 1,
                      to != NULL ? (size_t)(to - from - 1) : strlen(from + 1));
}

/* Rows of one name, up to the end of the table or the next name. */
static void
list_name(struct sink *s, const struct adit_metric_row *row, size_t n_left)
{
    const char *name = row->name;

    put(s, "| `%s` | %s | ", name, type_name(row->kind));
    if (row->labels[0] != '\0')
        put(s, "`%.*s` ", (int)strcspn(row->labels, "="), row->labels);
    /* The versions of programs are no list. */
    for (size_t i = 0; i < n_left && strcmp(row[i].name, name) == 0; i++) {
        struct adit_slice v = label_value(row[i].labels);

        if (v.n > 0 && strcmp(name, "adit_build_info") != 0)
            put(s, "%s%.*s", i == 0 ? "= " : ", ", (int)v.n,
                (const char *)v.p);
    }
    put(s, " | %s |\n", row->help);
}

size_t
adit_expo_list(char *out, size_t cap)
{
    struct sink s = { out, cap, 0 };
    const char *last = "";

    put(&s, "| name | type | labels | what |\n| --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < ADIT_N_METRICS; i++) {
        const struct adit_metric_row *row = adit_metric_row(i);

        if (strcmp(row->name, last) != 0)
            list_name(&s, row, ADIT_N_METRICS - i);
        last = row->name;
    }
    for (unsigned i = 0; i < ADIT_N_SCRAPED; i++)
        list_name(&s, adit_scraped_row(i), 1);
    return s.n;
}
