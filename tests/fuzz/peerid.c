/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Any text, and any bytes, as a peer id; and as a value of each base. */
#include "codec/basex.h"
#include "codec/peerid.h"

#include "driver.h"

static void
check(const struct adit_peerid *p)
{
    struct adit_peerid again;
    char text[ADIT_PEERID_TEXT_BYTES];

    adit_assert(adit_peerid_parse(adit_slice_str(adit_peerid_format(p, text)),
                                  &again) == ADIT_OK);
    adit_assert(adit_peerid_eq(p, &again));
    (void)adit_peerid_format_cid(p, text);
    adit_assert(adit_peerid_parse(adit_slice_str(text), &again) == ADIT_OK);
    adit_assert(adit_peerid_eq(p, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const enum adit_base bases[] = { ADIT_BASE16, ADIT_BASE32,
                                            ADIT_BASE36, ADIT_BASE58,
                                            ADIT_BASE64URL };
    struct adit_slice in = adit_slice(p, n);
    struct adit_peerid id;

    if (adit_peerid_parse(in, &id) == ADIT_OK)
        check(&id);
    if (adit_peerid_dec(in, &id) == ADIT_OK)
        check(&id);
    for (size_t i = 0; i < ADIT_NITEMS(bases); i++) {
        uint8_t bytes[ADIT_BASEX_MAX_BYTES];
        char text[ADIT_BASEX_MAX_TEXT];
        size_t k;

        if (adit_basex_dec(bases[i], in,
                           (struct adit_mslice){ bytes, sizeof(bytes) },
                           &k) == ADIT_OK) {
            adit_assert(adit_basex_enc(bases[i], adit_slice(bytes, k), text,
                                       sizeof(text), &k) == ADIT_OK);
            adit_assert(adit_slice_eq(adit_slice(text, k), in));
        }
    }
    return 0;
}
