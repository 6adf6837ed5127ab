/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Length-prefixed messages: a cap in two bytes, a quota in one, then turns of
 * one byte: how many bytes are fed.
 */
#include "script.h"

#include "wire/lpm/lpm.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = { { data, size } };
    size_t max = 1 + ((size_t)script_u8(&s) << 8 | script_u8(&s));
    uint8_t quota = script_u8(&s);
    struct adit_mem mem;
    struct adit_lpm l;
    adit_err e = ADIT_OK;
    size_t n_fed = 0;

    adit_mem_init(&mem, NULL, quota == 0 ? SIZE_MAX : (size_t)quota * 16);
    adit_lpm_init(&l, &mem, max);
    while (s.left.n > 0 && e == ADIT_OK) {
        struct adit_mslice in = script_bytes(&s, script_u8(&s));
        struct adit_slice left = script_const(in);

        while (left.n > 0 && e == ADIT_OK) {
            size_t used = SIZE_MAX;
            struct adit_slice msg;
            uint8_t sum = 0;

            e = adit_lpm_feed(&l, left, &used);
            if (e != ADIT_OK) {
                FUZZ_HOLDS(used == SIZE_MAX);
                FUZZ_HOLDS(e == ADIT_EPROTO || (e == ADIT_ENOMEM && quota));
                FUZZ_HOLDS(adit_lpm_why(&l) != NULL);
                break;
            }
            FUZZ_HOLDS(used <= left.n);
            n_fed += used;
            /* Memory follows what has arrived. */
            FUZZ_HOLDS(mem.used_bytes <= ADIT_MAX(256, 2 * n_fed));
            if (adit_lpm_next(&l, &msg) == ADIT_OK) {
                FUZZ_HOLDS(msg.n <= max);
                for (size_t i = 0; i < msg.n; i++)
                    sum ^= msg.p[i]; /* every byte can be read */
                FUZZ_HOLDS(msg.n > 0 || sum == 0);
            } else {
                FUZZ_HOLDS(used == left.n);
            }
            left = adit_slice_skip(left, used);
        }
        free(in.p);
    }
    adit_lpm_fini(&l);
    FUZZ_HOLDS(mem.used_bytes == 0);
    return 0;
}
