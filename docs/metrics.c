/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* metrics: prints docs/METRICS.md; `make docs` runs it. */
#include "metrics/expo.h"

#define PAGE_BYTES 65536

int
main(void)
{
    char *list = malloc(PAGE_BYTES);

    if (list == NULL || adit_expo_list(list, PAGE_BYTES) >= PAGE_BYTES) {
        fputs("the list of metrics does not fit\n", stderr);
        return 1;
    }
    printf(
        "# Metrics\n\n"
        "What `/metrics` answers at `http.listen`. The names that begin with\n"
        "`libp2p_relaysvc_` and their labels are go-libp2p's, so that its\n"
        "dashboard works; those that begin with `process_` are Prometheus'\n"
        "own. This page is made from the table in the source (`make "
        "docs`).\n\n%s",
        list);
    free(list);
    return 0;
}
