/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "metrics/metrics.h"

static const struct adit_metric_row rows[ADIT_N_METRICS] = {
#define X(sym, kind, name, labels, help)                                      \
    { ADIT_METRIC_##kind, name, labels, help },
    ADIT_METRICS(X)
#undef X
};

const struct adit_metric_row *
adit_metric_row(enum adit_metric i)
{
    adit_assert(i < ADIT_N_METRICS);
    return &rows[i];
}
