/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hop_cli: the input's first byte picks the question, its second the pieces;
 * the rest is what the relay sends.  Whole or in pieces, it comes to the
 * same.
 */
#include "trace.h"

#include "codec/key.h"
#include "wire/circuit/hop_cli.h"

static uint64_t
run(uint8_t pick, struct adit_slice in, size_t step, size_t cap_bytes)
{
    const struct adit_secret seed = { { 'c' } };
    struct trace t = { 0 };
    struct adit_identity self;
    struct adit_mem mem;
    struct adit_hop_cli m;
    struct adit_hop_cli_event ev;
    uint8_t *block = NULL;
    size_t at = 0;
    size_t used = 0;
    adit_err e;

    adit_identity_from_seed(&self, &seed);
    adit_mem_init(&mem, NULL, cap_bytes);
    adit_hop_cli_init(&m, &mem, &self.id);
    e = pick & 1 ? adit_hop_cli_reserve(&m)
                 : adit_hop_cli_connect(&m, &self.id);
    adit_assert(e == ADIT_OK);
    adit_hop_cli_sent(&m, adit_hop_cli_out(&m).n);
    while (at < in.n) {
        struct adit_slice s = piece(in, at, step, &block);

        e = adit_hop_cli_feed(&m, s, &used);
        if (e != ADIT_OK)
            break;
        adit_assert(used <= s.n);
        at += used;
        if (used < s.n)
            break;
    }
    trace_u64(&t, (uint64_t)e);
    trace_u64(&t, (uint64_t)adit_hop_cli_eof(&m));
    while (adit_hop_cli_next(&m, &ev) == ADIT_OK) {
        trace_u64(&t, at);
        trace_u64(&t, ev.type);
        trace_u64(&t, ev.status);
        trace_u64(&t, ev.limit.has);
        trace_u64(&t, adit_circuit_limit_s(&ev.limit));
        trace_u64(&t, ev.limit.data_bytes);
        trace_u64(&t, (uint64_t)ev.expire_unix_s);
        trace_bytes(&t, ev.voucher);
        for (size_t i = 0; i < ev.n_addrs; i++)
            trace_bytes(&t, ev.addrs[i]);
    }
    adit_hop_cli_fini(&m);
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
