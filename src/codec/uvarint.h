/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * uvarint: unsigned numbers in groups of seven bits, lowest first.
 *
 * As multiformats has them: at most nine bytes (63 bits), and only the
 * shortest form is taken, so that a number has one spelling.
 * Follows the multiformats unsigned-varint specification.  Thread: any.
 */
#ifndef ADIT_CODEC_UVARINT_H
#define ADIT_CODEC_UVARINT_H

#include "base/err.h"
#include "base/slice.h"

#define ADIT_UVARINT_MAX_BYTES 9
#define ADIT_UVARINT_MAX (UINT64_MAX >> 1)

/*
 * Read one number.
 *
 *   ADIT_OK      *out is set, the cursor is behind it
 *   ADIT_AGAIN   the bytes end inside the number; nothing moved
 *   ADIT_EPROTO  longer than nine bytes, or not its shortest form
 */
ADIT_MUST_USE adit_err adit_uvarint_dec(struct adit_cursor *c, uint64_t *out);

/* Write `v`, at most ADIT_UVARINT_MAX; how many bytes it took. */
size_t adit_uvarint_enc(uint8_t dst[static ADIT_UVARINT_MAX_BYTES],
                        uint64_t v);

/* How many bytes `v` takes. */
size_t adit_uvarint_bytes(uint64_t v);

#endif
