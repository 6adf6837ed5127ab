/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* expo: the counters in Prometheus' text exposition format, 0.0.4, and the
 * list of them that the documentation shows. */
#ifndef ADIT_METRICS_EXPO_H
#define ADIT_METRICS_EXPO_H

#include "metrics/metrics.h"

/*
 * The sum of `n` workers' cells as text.  Returns its length; at most
 * cap - 1 bytes of it and a NUL are written.  Thread: any.
 */
size_t adit_expo_format(const struct adit_metrics *const *cells, size_t n,
                        char *out, size_t cap);

/* The same of what was scraped. */
size_t adit_expo_scraped(const struct adit_scraped *s, char *out, size_t cap);

/* Each metric of both tables: a table in Markdown.  The same manners. */
size_t adit_expo_list(char *out, size_t cap);

#endif
