/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * envelope: bytes with a type and the signature of whom they come from.
 *
 * The signature covers a domain too, which is not in the envelope: what was
 * signed for one purpose is worth nothing for another.  What the payload
 * means, and whether its signer may say so, is for record.h.
 * Follows RFC 0002 of the libp2p specifications.  Pure.  Thread: any.
 */
#ifndef ADIT_CODEC_ENVELOPE_H
#define ADIT_CODEC_ENVELOPE_H

#include "base/err.h"
#include "base/slice.h"
#include "codec/key.h"
#include "codec/pb.h"
#include "codec/peerid.h"

/* An envelope travels inside an identify message, or is smaller. */
#define ADIT_ENVELOPE_MAX_BYTES ADIT_PB_IDENTIFY_MAX_BYTES

/* Ours: all but the type and the payload, and their lengths. */
#define ADIT_ENVELOPE_OVER_BYTES 112

/* Of domain and payload type together; those in use have 19. */
#define ADIT_ENVELOPE_MAX_NAME_BYTES 128

struct adit_envelope {
    struct adit_peerid signer;
    struct adit_slice payload;
};

/*
 * Check an envelope of that domain and payload type.
 *
 *   ADIT_OK      it is what it says; out->payload lives in the arena
 *   ADIT_EPROTO  malformed, of another payload type, or of a key that we do
 *                not take
 *   ADIT_EAUTH   the signature is wrong
 */
ADIT_MUST_USE adit_err adit_envelope_dec(struct adit_pb_arena *a,
                                         struct adit_slice in,
                                         const char *domain,
                                         struct adit_slice payload_type,
                                         struct adit_envelope *out);

/*
 * Sign `payload` and write the envelope to the front of `dst`.  ADIT_EINVAL:
 * it would not fit, into `dst` or into ADIT_ENVELOPE_MAX_BYTES.
 */
ADIT_MUST_USE adit_err adit_envelope_enc(const struct adit_identity *id,
                                         const char *domain,
                                         struct adit_slice payload_type,
                                         struct adit_slice payload,
                                         struct adit_mslice dst, size_t *n);

#endif
