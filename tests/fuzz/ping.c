/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * ping: both sides, in turns of one byte: the asking side asks, the wire
 * carries some bytes, or the peer makes some up.
 */
#include "script.h"

#include "wire/ping/ping.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = { { data, size } };
    uint64_t chance = 0;
    struct adit_rng rng = script_rng(&chance);
    struct adit_pinger ask;
    struct adit_ping answer;
    bool is_honest = true;

    adit_pinger_init(&ask);
    adit_ping_init(&answer);
    while (s.left.n > 0) {
        uint8_t turn = script_u8(&s);
        size_t n = turn >> 2;
        struct adit_slice o;
        struct adit_mslice lie;
        size_t used = SIZE_MAX;
        adit_err e;

        switch (turn & 3) {
        case 0:
            e = adit_pinger_ask(&ask, &rng);
            FUZZ_HOLDS(e == ADIT_OK || e == ADIT_ESTATE);
            break;
        case 1:
            o = adit_pinger_out(&ask);
            adit_ping_feed(&answer, adit_slice(o.p, ADIT_MIN(o.n, n)), &used);
            FUZZ_HOLDS(used <= n);
            adit_pinger_sent(&ask, used);
            break;
        case 2:
            o = adit_ping_out(&answer);
            e = adit_pinger_feed(&ask, adit_slice(o.p, ADIT_MIN(o.n, n)),
                                 &used);
            FUZZ_HOLDS(e == ADIT_OK || !is_honest);
            if (e == ADIT_OK)
                adit_ping_sent(&answer, used);
            (void)!adit_pinger_next(&ask);
            break;
        case 3:
            lie = script_bytes(&s, n);
            if (n & 1) {
                is_honest = is_honest && lie.n == 0;
                e = adit_pinger_feed(&ask, script_const(lie), &used);
                FUZZ_HOLDS(e == ADIT_OK || e == ADIT_EPROTO);
            } else {
                adit_ping_feed(&answer, script_const(lie), &used);
                is_honest = is_honest && used == 0;
            }
            free(lie.p);
            break;
        }
    }
    return 0;
}
