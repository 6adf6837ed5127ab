/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/envelope.h"

#include "codec/uvarint.h"

/* What is signed: domain, type and payload, each behind its length. */
struct text {
    size_t n;
    uint8_t b[ADIT_ENVELOPE_MAX_BYTES + ADIT_ENVELOPE_MAX_NAME_BYTES +
              3 * ADIT_UVARINT_MAX_BYTES];
};

static void
put(struct text *t, struct adit_slice s)
{
    t->n += adit_uvarint_enc(t->b + t->n, s.n);
    adit_copy(t->b + t->n, s);
    t->n += s.n;
}

/* False: too long. */
static bool
text_make(struct text *t, struct adit_slice domain, struct adit_slice type,
          struct adit_slice payload)
{
    if (domain.n > ADIT_ENVELOPE_MAX_NAME_BYTES ||
        type.n > ADIT_ENVELOPE_MAX_NAME_BYTES - domain.n ||
        payload.n > ADIT_ENVELOPE_MAX_BYTES)
        return false;
    t->n = 0;
    put(t, domain);
    put(t, type);
    put(t, payload);
    return true;
}

adit_err
adit_envelope_dec(struct adit_pb_arena *a, struct adit_slice in,
                  const char *domain, struct adit_slice payload_type,
                  struct adit_envelope *out)
{
    struct adit_pb_envelope env;
    struct text t;
    adit_err e = adit_pb_envelope_dec(a, in, &env);

    if (e != ADIT_OK)
        return e;
    if (env.pubkey.n == 0 || !adit_slice_eq(env.payload_type, payload_type) ||
        !text_make(&t, adit_slice_str(domain), payload_type, env.payload))
        return ADIT_EPROTO;
    e = adit_pubkey_verify(env.pubkey, adit_slice(t.b, t.n), env.signature);
    if (e != ADIT_OK)
        return e;
    adit_peerid_of_key(env.pubkey, &out->signer);
    out->payload = env.payload;
    return ADIT_OK;
}

adit_err
adit_envelope_enc(const struct adit_identity *id, const char *domain,
                  struct adit_slice payload_type, struct adit_slice payload,
                  struct adit_mslice dst, size_t *n)
{
    uint8_t sig[64];
    struct text t;
    struct adit_pb_envelope env = {
        .pubkey = adit_slice(id->pubkey_msg, sizeof(id->pubkey_msg)),
        .payload_type = payload_type,
        .payload = payload,
        .signature = adit_slice(sig, sizeof(sig)),
    };

    if (!text_make(&t, adit_slice_str(domain), payload_type, payload))
        return ADIT_EINVAL;
    adit_identity_sign(id, adit_slice(t.b, t.n), sig);
    dst.n = ADIT_MIN(dst.n, (size_t)ADIT_ENVELOPE_MAX_BYTES);
    return adit_pb_envelope_enc(&env, dst, n);
}
