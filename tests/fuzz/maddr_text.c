/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Any text as a multiaddr: what is taken is sound, a refusal points inside. */
#include "codec/maddr.h"

#include "driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_maddr_why why = { SIZE_MAX, NULL };
    struct adit_maddr a;
    struct adit_maddr again;
    char text[ADIT_MADDR_TEXT_BYTES];

    if (adit_maddr_parse(adit_slice(p, n), &a, &why) != ADIT_OK) {
        adit_assert(why.at <= n && why.what != NULL);
        return 0;
    }
    adit_assert(adit_maddr_dec(adit_maddr_bytes(&a), &again) == ADIT_OK);
    (void)adit_maddr_format(&a, text);
    adit_assert(adit_maddr_parse(adit_slice_str(text), &again, NULL) ==
                ADIT_OK);
    adit_assert(adit_maddr_eq(&a, &again));
    return 0;
}
