/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * multihash: a hash that says which hash it is: code, length, digest.
 *
 * Follows the multihash specification.  Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_MULTIHASH_H
#define ADIT_CODEC_MULTIHASH_H

#include "base/err.h"
#include "base/slice.h"

enum adit_multihash_code {
    ADIT_MH_IDENTITY = 0,
    ADIT_MH_SHA2_256 = 0x12,
};

struct adit_multihash {
    uint64_t code;            /* an enum adit_multihash_code, or another */
    struct adit_slice digest; /* borrows from the input */
};

/*
 * Take all of `in` apart.  ADIT_EPROTO: not a multihash, or bytes are left
 * over.  Whether the digest is as long as its hash makes them is not checked.
 */
ADIT_MUST_USE adit_err adit_multihash_dec(struct adit_slice in,
                                          struct adit_multihash *out);

#endif
