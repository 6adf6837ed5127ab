/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hop_srv: the input's first byte picks the verdict, its second the pieces;
 * the rest is what the peer sends.  Whole or in pieces, it comes to the same.
 */
#include "trace.h"

#include "wire/circuit/hop_srv.h"

static const enum adit_circuit_status statuses[] = {
    ADIT_CIRCUIT_UNUSED,
    ADIT_CIRCUIT_OK,
    ADIT_CIRCUIT_RESERVATION_REFUSED,
    ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED,
    ADIT_CIRCUIT_PERMISSION_DENIED,
    ADIT_CIRCUIT_CONNECTION_FAILED,
    ADIT_CIRCUIT_NO_RESERVATION,
    ADIT_CIRCUIT_MALFORMED_MESSAGE,
};

/* Each verb, in turn; those that are out of place say so and do nothing. */
static void
verdict(struct adit_hop_srv *m, uint8_t pick, struct adit_slice in,
        struct trace *t)
{
    const struct adit_slice addrs[] = { in, adit_slice("a", 1), in, in };
    const struct adit_circuit_limit limit = { pick & 1, pick, in.n };
    const struct adit_hop_srv_reservation r = {
        .expire_unix_s = pick,
        .addrs = addrs,
        .n_addrs = pick % 5,
        .voucher = pick & 2 ? in : ADIT_SLICE_NONE,
        .limit = limit,
    };

    if (pick & 0x80)
        trace_u64(t, (uint64_t)adit_hop_srv_refuse(m, statuses[pick & 7]));
    trace_u64(t, (uint64_t)adit_hop_srv_reserve_ok(m, &r));
    trace_u64(t, (uint64_t)adit_hop_srv_connect_ok(m, &limit));
    trace_u64(t, (uint64_t)adit_hop_srv_refuse(m, statuses[6]));
}

static uint64_t
run(uint8_t pick, struct adit_slice in, size_t step, size_t cap_bytes)
{
    struct trace t = { 0 };
    struct adit_mem mem;
    struct adit_hop_srv m;
    struct adit_hop_srv_event ev;
    uint8_t *block = NULL;
    size_t at = 0;
    size_t used = 0;
    bool over = false;
    adit_err e = ADIT_OK;

    adit_mem_init(&mem, NULL, cap_bytes);
    adit_hop_srv_init(&m, &mem);
    while (at < in.n && !over) {
        struct adit_slice s = piece(in, at, step, &block);
        struct adit_slice out;

        e = adit_hop_srv_feed(&m, s, &used);
        if (e != ADIT_OK)
            break;
        adit_assert(used <= s.n);
        at += used;
        over = used < s.n;
        while (adit_hop_srv_next(&m, &ev) == ADIT_OK) {
            over = true;
            trace_u64(&t, ev.type);
            trace_bytes(&t, adit_peerid_bytes(&ev.dst));
            trace_u64(&t, ev.status);
            if (ev.type == ADIT_HOP_SRV_ASK_RESERVE ||
                ev.type == ADIT_HOP_SRV_ASK_CONNECT) {
                trace_u64(&t, at);
                verdict(&m, pick, in, &t);
            }
            out = adit_hop_srv_out(&m);
            adit_assert(out.n <= ADIT_CIRCUIT_MAX_MSG_BYTES + 2);
            trace_bytes(&t, out);
            adit_hop_srv_sent(&m, out.n / 2);
            adit_hop_srv_sent(&m, out.n - out.n / 2);
        }
    }
    trace_u64(&t, (uint64_t)e);
    trace_u64(&t, (uint64_t)adit_hop_srv_eof(&m));
    adit_hop_srv_fini(&m);
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
