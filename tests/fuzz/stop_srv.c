/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * stop_srv: the input's first byte picks the verdict, its second the pieces;
 * the rest is what the relay sends.  Whole or in pieces, it comes to the
 * same.
 */
#include "trace.h"

#include "wire/circuit/stop_srv.h"

static uint64_t
run(uint8_t pick, struct adit_slice in, size_t step, size_t cap_bytes)
{
    struct trace t = { 0 };
    struct adit_mem mem;
    struct adit_stop_srv m;
    struct adit_stop_srv_event ev;
    uint8_t *block = NULL;
    size_t at = 0;
    size_t used = 0;
    bool over = false;
    adit_err e = ADIT_OK;

    adit_mem_init(&mem, NULL, cap_bytes);
    adit_stop_srv_init(&m, &mem);
    while (at < in.n && !over) {
        struct adit_slice s = piece(in, at, step, &block);
        struct adit_slice out;

        e = adit_stop_srv_feed(&m, s, &used);
        if (e != ADIT_OK)
            break;
        adit_assert(used <= s.n);
        at += used;
        over = used < s.n;
        while (adit_stop_srv_next(&m, &ev) == ADIT_OK) {
            over = true;
            trace_u64(&t, ev.type);
            trace_bytes(&t, adit_peerid_bytes(&ev.src));
            trace_u64(&t, ev.limit.has);
            trace_u64(&t, ev.limit.duration_s);
            trace_u64(&t, adit_circuit_limit_s(&ev.limit));
            trace_u64(&t, ev.limit.data_bytes);
            trace_u64(&t, ev.status);
            if (ev.type == ADIT_STOP_SRV_INCOMING) {
                trace_u64(&t, at);
                if (pick & 1)
                    trace_u64(&t, (uint64_t)adit_stop_srv_accept(&m));
                trace_u64(&t, (uint64_t)adit_stop_srv_refuse(
                                  &m, ADIT_CIRCUIT_NO_RESERVATION));
            }
            out = adit_stop_srv_out(&m);
            adit_assert(out.n < ADIT_CIRCUIT_SMALL_BYTES);
            trace_bytes(&t, out);
            adit_stop_srv_sent(&m, out.n / 2);
            adit_stop_srv_sent(&m, out.n - out.n / 2);
        }
    }
    trace_u64(&t, (uint64_t)e);
    trace_u64(&t, (uint64_t)adit_stop_srv_eof(&m));
    adit_stop_srv_fini(&m);
    adit_assert(mem.used_bytes == 0);
    free(block);
    return t.h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_slice in;

    if (n < 2)
        return 0;
    in = adit_slice(p + 2, n - 2);
    adit_assert(run(p[0], in, SIZE_MAX, SIZE_MAX) ==
                run(p[0], in, (size_t)p[1] % 64 + 1, SIZE_MAX));
    (void)run(p[0], in, (size_t)p[1] % 64 + 1, 300);
    return 0;
}
