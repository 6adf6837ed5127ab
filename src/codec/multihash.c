/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/multihash.h"

#include "codec/uvarint.h"

adit_err
adit_multihash_dec(struct adit_slice in, struct adit_multihash *out)
{
    struct adit_cursor c = { in };
    uint64_t code;
    uint64_t n;

    if (adit_uvarint_dec(&c, &code) != ADIT_OK ||
        adit_uvarint_dec(&c, &n) != ADIT_OK || n != c.left.n)
        return ADIT_EPROTO;
    *out = (struct adit_multihash){ code, c.left };
    return ADIT_OK;
}
