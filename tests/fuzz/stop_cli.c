/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * stop_cli: the input's first byte is the limit we tell, its second picks
 * the pieces; the rest is what the destination sends.  Whole or in pieces, it
 * comes to the same.
 */
#include "trace.h"

#include "wire/circuit/stop_cli.h"

static uint64_t
run(uint8_t pick, struct adit_slice in, size_t step, size_t cap_bytes)
{
    const struct adit_peerid src = { 3, { 0x00, 0x01, 0x08 } };
    const struct adit_circuit_limit limit = { pick & 1, pick, in.n };
    struct trace t = { 0 };
    struct adit_mem mem;
    struct adit_stop_cli m;
    struct adit_stop_cli_event ev;
    uint8_t *block = NULL;
    size_t at = 0;
    size_t used = 0;
    adit_err e = ADIT_OK;

    adit_mem_init(&mem, NULL, cap_bytes);
    adit_stop_cli_init(&m, &mem, &src, &limit);
    trace_bytes(&t, adit_stop_cli_out(&m));
    adit_stop_cli_sent(&m, adit_stop_cli_out(&m).n);
    while (at < in.n) {
        struct adit_slice s = piece(in, at, step, &block);

        e = adit_stop_cli_feed(&m, s, &used);
        if (e != ADIT_OK)
            break;
        adit_assert(used <= s.n);
        at += used;
        if (used < s.n)
            break;
    }
    trace_u64(&t, (uint64_t)e);
    trace_u64(&t, (uint64_t)adit_stop_cli_eof(&m));
    while (adit_stop_cli_next(&m, &ev) == ADIT_OK) {
        trace_u64(&t, at);
        trace_u64(&t, ev.type);
        trace_u64(&t, ev.status);
    }
    adit_stop_cli_fini(&m);
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
