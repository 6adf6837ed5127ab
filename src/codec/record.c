/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/record.h"

static const char record_domain[] = "libp2p-peer-record";
static const uint8_t record_type[2] = { 0x03, 0x01 };
static const char voucher_domain[] = "libp2p-relay-rsvp";
static const uint8_t voucher_type[2] = { 0x03, 0x02 };

/* A payload and who signed it, out of the arena, which is needed again. */
struct signed_bytes {
    struct adit_peerid signer;
    size_t n;
    uint8_t b[ADIT_ENVELOPE_MAX_BYTES];
};

static adit_err
unseal(struct adit_pb_arena *a, struct adit_slice in, const char *domain,
       const uint8_t type[static 2], struct signed_bytes *out)
{
    struct adit_envelope env;
    adit_err e = adit_envelope_dec(a, in, domain, adit_slice(type, 2), &env);

    if (e != ADIT_OK)
        return e;
    out->signer = env.signer;
    out->n = env.payload.n;
    adit_copy(out->b, env.payload);
    return ADIT_OK;
}

adit_err
adit_record_dec(struct adit_pb_arena *a, struct adit_slice in,
                struct adit_record *out)
{
    struct signed_bytes payload;
    struct adit_pb_record r;
    struct adit_peerid peer;
    adit_err e = unseal(a, in, record_domain, record_type, &payload);

    if (e != ADIT_OK)
        return e;
    e = adit_pb_record_dec(a, adit_slice(payload.b, payload.n), &r);
    if (e != ADIT_OK)
        return e;
    e = adit_peerid_dec(r.peer_id, &peer);
    if (e != ADIT_OK)
        return e;
    if (!adit_peerid_eq(&peer, &payload.signer))
        return ADIT_EAUTH;
    out->peer = peer;
    out->seq = r.seq;
    out->n_addrs = r.n_addrs;
    for (size_t i = 0; i < r.n_addrs; i++)
        out->addrs[i] = r.addrs[i];
    return ADIT_OK;
}

adit_err
adit_record_enc(const struct adit_identity *id, uint64_t seq,
                const struct adit_slice *addrs, size_t n_addrs,
                struct adit_mslice dst, size_t *n)
{
    uint8_t payload[ADIT_ENVELOPE_MAX_BYTES];
    struct adit_pb_record r = {
        .peer_id = adit_peerid_bytes(&id->id),
        .seq = seq,
        .n_addrs = n_addrs,
    };
    size_t k;
    adit_err e;

    if (n_addrs > ADIT_NITEMS(r.addrs))
        return ADIT_EINVAL;
    for (size_t i = 0; i < n_addrs; i++)
        r.addrs[i] = addrs[i];
    e = adit_pb_record_enc(
        &r, (struct adit_mslice){ payload, sizeof(payload) }, &k);
    if (e != ADIT_OK)
        return e;
    return adit_envelope_enc(id, record_domain,
                             adit_slice(record_type, sizeof(record_type)),
                             adit_slice(payload, k), dst, n);
}

adit_err
adit_voucher_dec(struct adit_slice in, struct adit_voucher *out)
{
    struct adit_pb_arena arena;
    struct signed_bytes payload;
    struct adit_pb_voucher v;
    struct adit_voucher r;
    adit_err e = unseal(&arena, in, voucher_domain, voucher_type, &payload);

    if (e != ADIT_OK)
        return e;
    e = adit_pb_voucher_dec(&arena, adit_slice(payload.b, payload.n), &v);
    if (e != ADIT_OK)
        return e;
    if (adit_peerid_dec(v.relay, &r.relay) != ADIT_OK ||
        adit_peerid_dec(v.peer, &r.peer) != ADIT_OK)
        return ADIT_EPROTO;
    if (!adit_peerid_eq(&r.relay, &payload.signer))
        return ADIT_EAUTH;
    r.expire_unix_s = v.expiration;
    *out = r;
    return ADIT_OK;
}

adit_err
adit_voucher_enc(const struct adit_identity *id,
                 const struct adit_peerid *peer, uint64_t expire_unix_s,
                 struct adit_mslice dst, size_t *n)
{
    uint8_t payload[2 * ADIT_PEERID_MAX_BYTES + 32];
    struct adit_pb_voucher v = {
        .relay = adit_peerid_bytes(&id->id),
        .peer = adit_peerid_bytes(peer),
        .expiration = expire_unix_s,
    };
    size_t k;
    adit_err e = adit_pb_voucher_enc(
        &v, (struct adit_mslice){ payload, sizeof(payload) }, &k);

    if (e != ADIT_OK)
        return e;
    return adit_envelope_enc(id, voucher_domain,
                             adit_slice(voucher_type, sizeof(voucher_type)),
                             adit_slice(payload, k), dst, n);
}
