/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The head of an HTTP request, whole and in every part. */
#include "script.h"

#include "admin/head.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct adit_http_head h = { 0 };
    struct adit_slice in = adit_slice(data, ADIT_MIN(size, (size_t)8192));
    adit_err e = adit_http_head_dec(in, &h);

    FUZZ_HOLDS(e == ADIT_OK || e == ADIT_AGAIN || e == ADIT_EPROTO ||
               e == ADIT_EUNSUPPORTED);
    if (e != ADIT_OK) {
        FUZZ_HOLDS(h.n_bytes == 0);
        return 0;
    }
    FUZZ_HOLDS(h.n_bytes > 0 && h.n_bytes <= in.n);
    FUZZ_HOLDS(h.method.n > 0 && h.path.n > 0 && h.path.p[0] == '/');
    FUZZ_HOLDS(h.path.p + h.path.n < in.p + h.n_bytes);
    /* What was enough is all of it; of less there is never an answer. */
    for (size_t n = 0; n < h.n_bytes; n++) {
        struct adit_http_head part;

        FUZZ_HOLDS(adit_http_head_dec(adit_slice(in.p, n), &part) ==
                   ADIT_AGAIN);
    }
    return 0;
}
