/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Any bytes as a multiaddr: what is taken survives the way through text. */
#include "codec/maddr.h"

#include "driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_slice left = adit_slice(p, n);
    struct adit_maddr_part part;
    struct adit_maddr a;
    struct adit_maddr again;
    struct adit_maddr relay;
    struct adit_peerid peer;
    struct adit_slice value;
    char text[ADIT_MADDR_TEXT_BYTES];
    size_t n_parts = 0;

    while (adit_maddr_next(&left, &part) == ADIT_OK)
        n_parts++;
    if (adit_maddr_dec(adit_slice(p, n), &a) != ADIT_OK)
        return 0;
    adit_assert(left.n == 0 && n_parts > 0);

    (void)adit_maddr_format(&a, text);
    adit_assert(adit_maddr_parse(adit_slice_str(text), &again, NULL) ==
                ADIT_OK);
    adit_assert(adit_maddr_eq(&a, &again));

    left = adit_maddr_bytes(&a);
    again.n = 0;
    while (adit_maddr_next(&left, &part) == ADIT_OK) {
        adit_assert(adit_maddr_find(&a, part.code, &value));
        adit_assert(adit_maddr_push(&again, part.code, part.value) == ADIT_OK);
    }
    adit_assert(adit_maddr_eq(&a, &again));

    if (adit_maddr_split_circuit(&a, &relay, &peer) == ADIT_OK && relay.n > 0)
        adit_assert(adit_maddr_dec(adit_maddr_bytes(&relay), &again) ==
                    ADIT_OK);
    adit_maddr_peer(&a, &peer);
    again = a;
    adit_maddr_strip_peer(&again);
    adit_assert((again.n < a.n) == !adit_peerid_is_none(&peer));
    return 0;
}
