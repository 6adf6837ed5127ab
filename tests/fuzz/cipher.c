/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Transport frames: what nobody sealed does not open, what was sealed does,
 * and a turned bit is seen.  Byte 0 chooses; the rest is the frame, or the
 * plaintext.
 */
#include "script.h"

#include "wire/noise/cipher.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct adit_mem mem;
    static struct adit_aead *aead;
    struct adit_noise_key tx = { .k.b = { 1 } }, rx = tx;
    struct script s = { { data, size } };
    uint8_t how = script_u8(&s);
    uint8_t where = script_u8(&s);
    struct adit_mslice body = script_bytes(&s, ADIT_NOISE_MAX_PLAIN_BYTES);

    if (aead == NULL) {
        adit_mem_init(&mem, NULL, SIZE_MAX);
        FUZZ_HOLDS(adit_aead_new(&mem, &aead) == ADIT_OK);
    }
    tx.nonce = rx.nonce = how >> 4;
    if ((how & 1) == 0) {
        FUZZ_HOLDS(adit_noise_open(aead, &rx, body) == ADIT_EPROTO);
        FUZZ_HOLDS(rx.nonce == tx.nonce);
    } else {
        size_t n = body.n + ADIT_NOISE_OVERHEAD;
        uint8_t *frame = malloc(n);
        struct adit_mslice sealed = { frame + 2, n - 2 };
        bool is_turned = (how & 2) != 0;
        adit_err e;

        FUZZ_HOLDS(frame != NULL);
        FUZZ_HOLDS(adit_noise_seal(aead, &tx, script_const(body), frame) ==
                   ADIT_OK);
        if (is_turned)
            sealed.p[where % sealed.n] ^= 1;
        e = adit_noise_open(aead, &rx, sealed);
        FUZZ_HOLDS(e == (is_turned ? ADIT_EPROTO : ADIT_OK));
        if (!is_turned)
            FUZZ_HOLDS(adit_slice_eq(adit_slice(sealed.p, body.n),
                                     script_const(body)));
        free(frame);
    }
    free(body.p);
    return 0;
}
