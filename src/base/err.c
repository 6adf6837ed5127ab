/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

struct row {
    adit_err code;
    const char *name;
    const char *text;
};

static const struct row rows[] = {
    { ADIT_OK, "OK", "success" },
    { ADIT_AGAIN, "AGAIN", "not now" },
    { ADIT_DONE, "DONE", "already over" },
    { ADIT_CANCELLED, "CANCELLED", "cancelled" },
    { ADIT_EINVAL, "EINVAL", "an argument does not fit" },
    { ADIT_ESTATE, "ESTATE", "not possible in this state" },
    { ADIT_EPROTO, "EPROTO", "the peer broke the protocol" },
    { ADIT_EAUTH, "EAUTH", "the peer is not who it should be" },
    { ADIT_EDENIED, "EDENIED", "refused by a rule" },
    { ADIT_ERESET, "ERESET", "ended abruptly by the other side" },
    { ADIT_EUNSUPPORTED, "EUNSUPPORTED", "no protocol in common" },
    { ADIT_ENORESERVATION, "ENORESERVATION",
      "the destination holds no reservation on this relay" },
    { ADIT_ENOMEM, "ENOMEM", "out of memory" },
    { ADIT_ELIMIT, "ELIMIT", "a limit was reached" },
    { ADIT_EFULL, "EFULL", "no slot is free" },
    { ADIT_EEXPIRED, "EEXPIRED", "its time was up" },
    { ADIT_EIO, "EIO", "input or output failed" },
    { ADIT_ERESOLVE, "ERESOLVE", "the name could not be resolved" },
    { ADIT_ETIMEDOUT, "ETIMEDOUT", "no answer in time" },
    { ADIT_EUNREACHABLE, "EUNREACHABLE", "nothing answers at any address" },
};

static const struct row *
find(adit_err e)
{
    static const struct row unknown = { ADIT_OK, "E?", "unknown error" };

    for (size_t i = 0; i < ADIT_NITEMS(rows); i++)
        if (rows[i].code == e)
            return &rows[i];
    return &unknown;
}

const char *
adit_err_name(adit_err e)
{
    return find(e)->name;
}

const char *
adit_err_text(adit_err e)
{
    return find(e)->text;
}

void
adit_assert_fail(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
