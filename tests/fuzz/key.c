/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Any bytes as a public key and as a key file.  A public key that is taken
 * then judges a signature: the message is its last 64 bytes.
 */
#include "codec/key.h"

#include "driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_slice in = adit_slice(p, n);
    struct adit_slice tail = adit_slice_skip(in, n - ADIT_MIN(n, 64u));
    enum adit_key_type type;
    struct adit_identity id;

    if (adit_pubkey_check(in, &type) == ADIT_OK) {
        struct adit_peerid peer;
        struct adit_peerid again;

        adit_peerid_of_key(in, &peer);
        adit_assert(adit_peerid_dec(adit_peerid_bytes(&peer), &again) ==
                    ADIT_OK);
        adit_assert(adit_pubkey_verify(in, tail, tail) != ADIT_OK);
    } else {
        adit_assert(adit_pubkey_verify(in, tail, tail) == ADIT_EPROTO);
    }
    if (adit_identity_dec(in, &id) == ADIT_OK) {
        uint8_t file[ADIT_PRIVKEY_BYTES];
        struct adit_identity again;

        adit_identity_enc(&id, file);
        adit_assert(adit_identity_dec(adit_slice(file, sizeof(file)),
                                      &again) == ADIT_OK);
        adit_assert(adit_peerid_eq(&id.id, &again.id));
    }
    return 0;
}
