/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/record.h"

static const char record_domain[] = "libp2p-peer-record";
static const uint8_t record_type[2] = { 0x03, 0x01 };
static const char voucher_domain[] = "libp2p-relay-rsvp";
static const uint8_t voucher_type[2] = { 0x03, 0x02 };

adit_err
adit_record_dec(struct adit_pb_arena *a, struct adit_slice in,
                struct adit_record *out)
{
    struct adit_pb_arena env_arena;
    struct adit_envelope env;
    struct adit_pb_record r;
    struct adit_peerid peer;
    adit_err e =
        adit_envelope_dec(&env_arena, in, record_domain,
                          adit_slice(record_type, sizeof(record_type)), &env);

    if (e != ADIT_OK)
        return e;
    e = adit_pb_record_dec(a, env.payload, &r);
    if (e != ADIT_OK)
        return e;
    e = adit_peerid_dec(r.peer_id, &peer);
    if (e != ADIT_OK)
        return e;
    if (!adit_peerid_eq(&peer, &env.signer))
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
    struct adit_pb_arena env_arena;
    struct adit_pb_arena arena;
    struct adit_envelope env;
    struct adit_pb_voucher v;
    struct adit_voucher r;
    adit_err e = adit_envelope_dec(
        &env_arena, in, voucher_domain,
        adit_slice(voucher_type, sizeof(voucher_type)), &env);

    if (e != ADIT_OK)
        return e;
    e = adit_pb_voucher_dec(&arena, env.payload, &v);
    if (e != ADIT_OK)
        return e;
    if (adit_peerid_dec(v.relay, &r.relay) != ADIT_OK ||
        adit_peerid_dec(v.peer, &r.peer) != ADIT_OK)
        return ADIT_EPROTO;
    if (!adit_peerid_eq(&r.relay, &env.signer))
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
