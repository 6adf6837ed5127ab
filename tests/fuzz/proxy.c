/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * proxy: the same bytes whole and in pieces say the same, and what is read
 * as a header can be written again.
 */
#include "script.h"
#include "trace.h"

#include "wire/proxy/proxy.h"

static adit_err
run(struct adit_slice in, size_t step, struct trace *t, size_t *taken)
{
    struct adit_proxy m;
    struct adit_proxy_event ev;
    uint8_t *block = NULL;
    adit_err e = ADIT_AGAIN;

    adit_proxy_init(&m);
    *taken = 0;
    while (*taken < in.n && e == ADIT_AGAIN) {
        struct adit_slice s = piece(in, *taken, step, &block);
        size_t wants = adit_proxy_wants(&m);
        size_t used = SIZE_MAX;

        FUZZ_HOLDS(wants > 0);
        e = adit_proxy_feed(&m, s, &used);
        if (e != ADIT_OK)
            break;
        FUZZ_HOLDS(used <= s.n && used >= ADIT_MIN(s.n, wants));
        *taken += used;
        e = adit_proxy_next(&m, &ev);
    }
    if (e == ADIT_OK) {
        trace_u64(t, ev.type);
        trace_bytes(t, ev.src);
        trace_bytes(t, ev.dst);
        trace_u64(t, ev.src_port);
        trace_u64(t, ev.dst_port);
        FUZZ_HOLDS(ev.src.n == ev.dst.n);
        FUZZ_HOLDS((ev.type == ADIT_PROXY_NAMED) == (ev.src.n > 0));
        FUZZ_HOLDS(*taken <=
                   ADIT_PROXY_HEAD_BYTES + ADIT_PROXY_MAX_TAIL_BYTES);
        /* Right behind the head, in this order. */
        FUZZ_HOLDS(ev.src.n == 0 ||
                   memcmp(in.p + 16, ev.src.p, ev.src.n) == 0);
    }
    FUZZ_HOLDS((e == ADIT_EPROTO) == (adit_proxy_why(&m) != NULL));
    free(block);
    return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct adit_slice in = { data, size };
    struct trace whole = { 0 }, bytes = { 0 }, some = { 0 };
    size_t n_whole, n_bytes, n_some;
    adit_err e = run(in, size, &whole, &n_whole);

    FUZZ_HOLDS(run(in, 1, &bytes, &n_bytes) == e);
    FUZZ_HOLDS(run(in, 7, &some, &n_some) == e);
    FUZZ_HOLDS(whole.h == bytes.h && whole.h == some.h);
    FUZZ_HOLDS(e != ADIT_OK || (n_whole == n_bytes && n_whole == n_some));
    return 0;
}
