/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/unit/ledger/books.h"

static char dir[64];
static unsigned n_places;

void
place_new(struct place *p)
{
    *p = (struct place){ .backend = ADIT_LEDGER_IN_SQLITE };
    snprintf(p->file, sizeof(p->file), "%s/%u.db", dir, n_places++);
}

static int
setup(void **state)
{
    (void)state;
    dir_new(dir);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    dir_end(dir);
    return 0;
}

int
main(void)
{
    return run_suite("ledger/sqlite", NULL, 0, setup, teardown);
}
