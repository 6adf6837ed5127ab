/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * identify: the input's first byte picks the pieces; the rest is what the
 * peer sends.  Whole or in pieces, it comes to the same; and what was
 * understood, told on as ours, fits into one message.
 */
#include "trace.h"

#include "codec/key.h"
#include "codec/maddr.h"
#include "wire/identify/identify.h"

/* Say all of it again, in our own name. */
static void
tell(const struct adit_identify_result *r, const struct adit_identity *self,
     struct adit_slice record, struct trace *t)
{
    const struct adit_identify_info info = {
        .pubkey_msg = adit_slice(self->pubkey_msg, sizeof(self->pubkey_msg)),
        .agent = r->agent,
        .observed = r->observed,
        .protocols = r->protocols,
        .n_protocols = r->n_protocols,
        .addrs = r->addrs,
        .n_addrs = r->n_addrs,
        .record = record,
    };
    uint8_t out[ADIT_IDENTIFY_OUT_BYTES];
    struct adit_pb_arena arena;
    struct adit_pb_identify msg;
    struct adit_lpm lpm;
    struct adit_slice one;
    size_t n = adit_identify_enc(&info, out);
    size_t used;

    adit_assert(n <= sizeof(out));
    adit_lpm_init(&lpm, NULL, sizeof(out)); /* whole: it needs no memory */
    adit_assert(adit_lpm_feed(&lpm, adit_slice(out, n), &used) == ADIT_OK &&
                used == n && adit_lpm_next(&lpm, &one) == ADIT_OK);
    adit_assert(adit_pb_identify_dec(&arena, one, &msg) == ADIT_OK);
    adit_assert(msg.n_protocols <= r->n_protocols &&
                msg.n_listen_addrs <= r->n_addrs);
    trace_bytes(t, one);
    adit_lpm_fini(&lpm);
}

static uint64_t
run(struct adit_slice in, size_t step, size_t cap_bytes)
{
    const struct adit_secret seed = { { 'p' } };
    struct trace t = { 0 };
    struct adit_identity self;
    struct adit_mem mem;
    struct adit_identify m;
    struct adit_identify_result r;
    uint8_t *block = NULL;
    size_t at = 0;
    size_t used = 0;
    adit_err e = ADIT_OK;

    adit_identity_from_seed(&self, &seed);
    adit_mem_init(&mem, NULL, cap_bytes);
    adit_identify_init(&m, &mem, &self.id);
    while (at < in.n && e == ADIT_OK) {
        struct adit_slice s = piece(in, at, step, &block);

        e = adit_identify_feed(&m, s, &used);
        if (e == ADIT_OK) {
            adit_assert(used == s.n);
            at += used;
        }
    }
    trace_u64(&t, (uint64_t)e);
    trace_u64(&t, (uint64_t)adit_identify_eof(&m));
    while (adit_identify_next(&m, &r) == ADIT_OK) {
        trace_bytes(&t, r.agent);
        trace_bytes(&t, r.version);
        trace_bytes(&t, r.observed);
        for (size_t i = 0; i < r.n_protocols; i++)
            trace_bytes(&t, r.protocols[i]);
        for (size_t i = 0; i < r.n_addrs; i++) {
            trace_bytes(&t, r.addrs[i]);
            adit_assert(r.addrs[i].n <= ADIT_MADDR_MAX_BYTES);
        }
        trace_u64(&t, r.record_seq);
        trace_u64(&t, (uint64_t)(r.is_certified | r.key_is_wrong << 1 |
                                 r.record_is_wrong << 2 | r.is_cut << 3));
        adit_assert(m.kept_bytes <= ADIT_IDENTIFY_MAX_KEPT_BYTES);
        tell(&r, &self, in, &t);
    }
    adit_identify_fini(&m);
    adit_assert(mem.used_bytes == 0);
    free(block);
    return t.h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_slice in;

    if (n < 1)
        return 0;
    in = adit_slice(p + 1, n - 1);
    adit_assert(run(in, SIZE_MAX, SIZE_MAX) ==
                run(in, (size_t)p[0] + 1, SIZE_MAX));
    (void)run(in, (size_t)p[0] + 1, 1500);
    return 0;
}
