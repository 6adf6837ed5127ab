/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "config.h"

#include "metrics/metrics.h"

#define X(sym, kind, name, labels, help)                                      \
    { ADIT_METRIC_##kind, name, labels, help },
static const struct adit_metric_row rows[ADIT_N_METRICS] = { ADIT_METRICS(X) };
static const struct adit_metric_row scraped[ADIT_N_SCRAPED] = {
    ADIT_SCRAPED_METRICS(X)
};
#undef X

#define UPPER(X, sym, us, text) us,
static const int64_t upper_us[] = { ADIT_DURATIONS(UPPER, ) };
#undef UPPER

const struct adit_metric_row *
adit_metric_row(enum adit_metric i)
{
    adit_assert(i < ADIT_N_METRICS);
    return &rows[i];
}

const struct adit_metric_row *
adit_scraped_row(enum adit_scraped_metric i)
{
    adit_assert(i < ADIT_N_SCRAPED);
    return &scraped[i];
}

void
adit_metric_circuit_lasted(struct adit_metrics *m, int64_t us)
{
    unsigned i = 0;

    while (us > upper_us[i]) /* the last is above all */
        i++;
    adit_metric_add(m, ADIT_M_CIRCUIT_LE_5MS + i, 1);
    adit_metric_add(m, ADIT_M_CIRCUIT_LASTED_US, us > 0 ? (uint64_t)us : 0);
}
