/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * lpm: length-prefixed messages: `uvarint length || message`.
 *
 * The reader takes one message and not one byte behind it.  A message that
 * came in one piece is handed on where it lies; one that came in pieces is
 * gathered in a buffer that grows with what has arrived, not with what its
 * length promises, and goes with the next _feed.
 * Shared by the protocols of wire.
 */
#ifndef ADIT_WIRE_LPM_LPM_H
#define ADIT_WIRE_LPM_LPM_H

#include "base/mem.h"
#include "base/slice.h"

/* No message of ours is longer: a prefix of at most three bytes. */
#define ADIT_LPM_MAX_BYTES 65536
#define ADIT_LPM_MAX_PREFIX_BYTES 3

struct adit_lpm {
    struct adit_mem *mem;
    uint32_t max_bytes;
    uint32_t need; /* the message's length, as far as it has been read */
    uint32_t have; /* bytes of it in buf */
    uint32_t cap;  /* of buf */
    uint8_t *buf;
    uint8_t n_prefix; /* bytes of the prefix seen */
    uint8_t state;
    struct adit_slice msg; /* complete; in buf, or in what was fed */
    adit_err err;
    const char *why;
};

/*
 * `mem` is borrowed for its life; max_bytes (1..ADIT_LPM_MAX_BYTES) caps a
 * message without its prefix.
 */
void adit_lpm_init(struct adit_lpm *l, struct adit_mem *mem, size_t max_bytes);

/* Fine on a zeroed one. */
void adit_lpm_fini(struct adit_lpm *l);

/*
 * Take a prefix of `in`, up to the end of one message; nothing more until
 * _next was called.
 *
 *   ADIT_OK      *used were taken
 *   ADIT_EPROTO  longer than the cap, or a length not in its shortest form
 *   ADIT_ENOMEM  out of memory, or over a quota
 *
 * A reader that failed stays failed; _why tells.
 */
ADIT_MUST_USE adit_err adit_lpm_feed(struct adit_lpm *l, struct adit_slice in,
                                     size_t *used);

/*
 * The message that is complete, or ADIT_AGAIN.  Call it before what was fed
 * goes away; *msg is borrowed, from there or from us, until the next _feed
 * or _fini.
 */
ADIT_MUST_USE adit_err adit_lpm_next(struct adit_lpm *l,
                                     struct adit_slice *msg);

/* Between two messages: nothing of the next one has come. */
bool adit_lpm_is_idle(const struct adit_lpm *l);

/* Write the prefix of a message of `n` bytes; returns the prefix's bytes. */
size_t adit_lpm_prefix(size_t n,
                       uint8_t dst[static ADIT_LPM_MAX_PREFIX_BYTES]);

/* Why it failed; static.  NULL if it did not. */
const char *adit_lpm_why(const struct adit_lpm *l);

#endif
