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

size_t
adit_expo_format(const struct adit_metrics *const *cells, size_t n, char *out,
                 size_t cap)
{
    struct sink s = { out, cap, 0 };
    const char *last = "";

    for (unsigned i = 0; i < ADIT_N_METRICS; i++) {
        const struct adit_metric_row *row = adit_metric_row(i);
        uint64_t sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += adit_metric_get(cells[k], i);
        if (strcmp(row->name, last) != 0) {
            put(&s, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
                row->name,
                row->kind == ADIT_METRIC_COUNTER ? "counter" : "gauge");
            last = row->name;
        }
        if (row->labels[0] != '\0')
            put(&s, "%s{%s} %" PRIu64 "\n", row->name, row->labels, sum);
        else
            put(&s, "%s %" PRIu64 "\n", row->name, sum);
    }
    return s.n;
}
