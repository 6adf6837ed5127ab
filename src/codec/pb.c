/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/pb.h"

#include "proto/circuit.pb-c.h"
#include "proto/identify.pb-c.h"
#include "proto/keys.pb-c.h"
#include "proto/noise.pb-c.h"
#include "proto/record.pb-c.h"

/* --- the arena as protobuf-c's allocator --------------------------------- */

static void *
arena_alloc(void *ctx, size_t n)
{
    struct adit_pb_arena *a = ctx;
    size_t left = sizeof(a->buf) - a->used;
    void *p = a->buf + a->used;

    if (n > left)
        return NULL;
    /* buf is a multiple of 16 long, so rounding up stays inside. */
    a->used += (n + 15) & ~(size_t)15;
    return p;
}

static void
arena_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

/* The unpacked message, which lives in the arena; NULL: refused. */
static const void *
unpack(struct adit_pb_arena *a, struct adit_slice in, size_t cap_bytes,
       const ProtobufCMessageDescriptor *desc)
{
    ProtobufCAllocator alloc = { arena_alloc, arena_free, a };
    static const uint8_t nothing = 0;

    a->used = 0;
    if (in.n > cap_bytes)
        return NULL;
    return protobuf_c_message_unpack(desc, &alloc, in.n,
                                     in.n > 0 ? in.p : &nothing);
}

static adit_err
pack(const ProtobufCMessage *m, struct adit_mslice dst, size_t *n)
{
    size_t need = protobuf_c_message_get_packed_size(m);

    if (need > dst.n)
        return ADIT_EINVAL;
    *n = need > 0 ? protobuf_c_message_pack(m, dst.p) : 0;
    return ADIT_OK;
}

/* --- slices and lists ---------------------------------------------------- */

static struct adit_slice
from_pb(ProtobufCBinaryData b)
{
    return b.len > 0 ? adit_slice(b.data, b.len) : ADIT_SLICE_NONE;
}

/* protobuf-c declares no bytes const; when packing it only reads them. */
static ProtobufCBinaryData
to_pb(struct adit_slice s)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } p = { .in = s.p };

    return (ProtobufCBinaryData){ s.n, p.out };
}

static size_t
list_from_pb(struct adit_slice *dst, size_t max, size_t n,
             const ProtobufCBinaryData *src)
{
    n = ADIT_MIN(n, max);
    for (size_t i = 0; i < n; i++)
        dst[i] = from_pb(src[i]);
    return n;
}

static void
list_to_pb(ProtobufCBinaryData *dst, const struct adit_slice *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = to_pb(src[i]);
}

/* --- keys ---------------------------------------------------------------- */

adit_err
adit_pb_key_dec(struct adit_pb_arena *a, struct adit_slice in,
                struct adit_pb_key *out)
{
    const Adit__Pb__Key *m =
        unpack(a, in, ADIT_PB_MAX_BYTES, &adit__pb__key__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_key){ .type = m->type, .data = from_pb(m->data) };
    return ADIT_OK;
}

adit_err
adit_pb_key_enc(const struct adit_pb_key *k, struct adit_mslice dst, size_t *n)
{
    Adit__Pb__Key m = ADIT__PB__KEY__INIT;

    m.type = k->type;
    m.data = to_pb(k->data);
    return pack(&m.base, dst, n);
}

/* --- Noise payload ------------------------------------------------------- */

adit_err
adit_pb_noise_dec(struct adit_pb_arena *a, struct adit_slice in,
                  struct adit_pb_noise *out)
{
    const Adit__Pb__NoisePayload *m =
        unpack(a, in, ADIT_PB_MAX_BYTES, &adit__pb__noise_payload__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_noise){
        .identity_key = from_pb(m->identity_key),
        .identity_sig = from_pb(m->identity_sig),
    };
    if (m->extensions != NULL)
        out->n_muxers = list_from_pb(out->muxers, ADIT_NITEMS(out->muxers),
                                     m->extensions->n_stream_muxers,
                                     m->extensions->stream_muxers);
    return ADIT_OK;
}

adit_err
adit_pb_noise_enc(const struct adit_pb_noise *x, struct adit_mslice dst,
                  size_t *n)
{
    Adit__Pb__NoisePayload m = ADIT__PB__NOISE_PAYLOAD__INIT;
    Adit__Pb__NoiseExtensions ext = ADIT__PB__NOISE_EXTENSIONS__INIT;
    ProtobufCBinaryData muxers[ADIT_PB_MAX_MUXERS];

    if (x->n_muxers > ADIT_NITEMS(muxers))
        return ADIT_EINVAL;
    m.has_identity_key = x->identity_key.n > 0;
    m.identity_key = to_pb(x->identity_key);
    m.has_identity_sig = x->identity_sig.n > 0;
    m.identity_sig = to_pb(x->identity_sig);
    if (x->n_muxers > 0) {
        list_to_pb(muxers, x->muxers, x->n_muxers);
        ext.n_stream_muxers = x->n_muxers;
        ext.stream_muxers = muxers;
        m.extensions = &ext;
    }
    return pack(&m.base, dst, n);
}

/* --- identify ------------------------------------------------------------ */

adit_err
adit_pb_identify_dec(struct adit_pb_arena *a, struct adit_slice in,
                     struct adit_pb_identify *out)
{
    const Adit__Pb__Identify *m = unpack(a, in, ADIT_PB_IDENTIFY_MAX_BYTES,
                                         &adit__pb__identify__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_identify){
        .pubkey = from_pb(m->public_key),
        .observed_addr = from_pb(m->observed_addr),
        .protocol_version = from_pb(m->protocol_version),
        .agent_version = from_pb(m->agent_version),
        .signed_peer_record = from_pb(m->signed_peer_record),
    };
    out->n_listen_addrs =
        list_from_pb(out->listen_addrs, ADIT_NITEMS(out->listen_addrs),
                     m->n_listen_addrs, m->listen_addrs);
    out->n_protocols =
        list_from_pb(out->protocols, ADIT_NITEMS(out->protocols),
                     m->n_protocols, m->protocols);
    return ADIT_OK;
}

adit_err
adit_pb_identify_enc(const struct adit_pb_identify *x, struct adit_mslice dst,
                     size_t *n)
{
    Adit__Pb__Identify m = ADIT__PB__IDENTIFY__INIT;
    ProtobufCBinaryData addrs[ADIT_PB_MAX_ADDRS];
    ProtobufCBinaryData protocols[ADIT_PB_MAX_PROTOCOLS];

    if (x->n_listen_addrs > ADIT_NITEMS(addrs) ||
        x->n_protocols > ADIT_NITEMS(protocols))
        return ADIT_EINVAL;
    m.has_public_key = x->pubkey.n > 0;
    m.public_key = to_pb(x->pubkey);
    m.has_observed_addr = x->observed_addr.n > 0;
    m.observed_addr = to_pb(x->observed_addr);
    m.has_protocol_version = x->protocol_version.n > 0;
    m.protocol_version = to_pb(x->protocol_version);
    m.has_agent_version = x->agent_version.n > 0;
    m.agent_version = to_pb(x->agent_version);
    m.has_signed_peer_record = x->signed_peer_record.n > 0;
    m.signed_peer_record = to_pb(x->signed_peer_record);
    list_to_pb(addrs, x->listen_addrs, x->n_listen_addrs);
    m.n_listen_addrs = x->n_listen_addrs;
    m.listen_addrs = addrs;
    list_to_pb(protocols, x->protocols, x->n_protocols);
    m.n_protocols = x->n_protocols;
    m.protocols = protocols;
    return pack(&m.base, dst, n);
}

/* --- circuit ------------------------------------------------------------- */

static void
peer_from_pb(struct adit_pb_peer *out, const Adit__Pb__Peer *m)
{
    if (m == NULL)
        return;
    out->has = true;
    out->id = from_pb(m->id);
    out->n_addrs = list_from_pb(out->addrs, ADIT_NITEMS(out->addrs),
                                m->n_addrs, m->addrs);
}

static void
reservation_from_pb(struct adit_pb_reservation *out,
                    const Adit__Pb__Reservation *m)
{
    if (m == NULL)
        return;
    out->has = true;
    out->has_expire = m->has_expire;
    out->expire = m->expire;
    out->voucher = from_pb(m->voucher);
    out->n_addrs = list_from_pb(out->addrs, ADIT_NITEMS(out->addrs),
                                m->n_addrs, m->addrs);
}

static void
limit_from_pb(struct adit_pb_limit *out, const Adit__Pb__Limit *m)
{
    if (m == NULL)
        return;
    *out = (struct adit_pb_limit){
        .has = true,
        .has_duration = m->has_duration,
        .has_data = m->has_data,
        .duration_s = m->duration,
        .data_bytes = m->data,
    };
}

/*
 * The reverse.  What these fill lives in the caller's frame, as it is
 * packed from there; NULL for a part that is absent.
 */

static Adit__Pb__Peer *
peer_to_pb(const struct adit_pb_peer *x, Adit__Pb__Peer *m,
           ProtobufCBinaryData addrs[static ADIT_PB_MAX_ADDRS])
{
    if (!x->has)
        return NULL;
    m->has_id = true;
    m->id = to_pb(x->id);
    list_to_pb(addrs, x->addrs, x->n_addrs);
    m->n_addrs = x->n_addrs;
    m->addrs = addrs;
    return m;
}

static Adit__Pb__Reservation *
reservation_to_pb(const struct adit_pb_reservation *x,
                  Adit__Pb__Reservation *m,
                  ProtobufCBinaryData addrs[static ADIT_PB_MAX_ADDRS])
{
    if (!x->has)
        return NULL;
    m->has_expire = x->has_expire;
    m->expire = x->expire;
    m->has_voucher = x->voucher.n > 0;
    m->voucher = to_pb(x->voucher);
    list_to_pb(addrs, x->addrs, x->n_addrs);
    m->n_addrs = x->n_addrs;
    m->addrs = addrs;
    return m;
}

static Adit__Pb__Limit *
limit_to_pb(const struct adit_pb_limit *x, Adit__Pb__Limit *m)
{
    if (!x->has)
        return NULL;
    m->has_duration = x->has_duration;
    m->duration = x->duration_s;
    m->has_data = x->has_data;
    m->data = x->data_bytes;
    return m;
}

adit_err
adit_pb_hop_dec(struct adit_pb_arena *a, struct adit_slice in,
                struct adit_pb_hop *out)
{
    const Adit__Pb__Hop *m =
        unpack(a, in, ADIT_PB_MAX_BYTES, &adit__pb__hop__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_hop){
        .has_type = m->has_type,
        .has_status = m->has_status,
        .type = m->type,
        .status = m->status,
    };
    peer_from_pb(&out->peer, m->peer);
    reservation_from_pb(&out->reservation, m->reservation);
    limit_from_pb(&out->limit, m->limit);
    return ADIT_OK;
}

adit_err
adit_pb_hop_enc(const struct adit_pb_hop *x, struct adit_mslice dst, size_t *n)
{
    Adit__Pb__Hop m = ADIT__PB__HOP__INIT;
    Adit__Pb__Peer peer = ADIT__PB__PEER__INIT;
    Adit__Pb__Reservation rsvp = ADIT__PB__RESERVATION__INIT;
    Adit__Pb__Limit limit = ADIT__PB__LIMIT__INIT;
    ProtobufCBinaryData peer_addrs[ADIT_PB_MAX_ADDRS];
    ProtobufCBinaryData rsvp_addrs[ADIT_PB_MAX_ADDRS];

    if (x->peer.n_addrs > ADIT_PB_MAX_ADDRS ||
        x->reservation.n_addrs > ADIT_PB_MAX_ADDRS)
        return ADIT_EINVAL;
    m.has_type = x->has_type;
    m.type = x->type;
    m.has_status = x->has_status;
    m.status = x->status;
    m.peer = peer_to_pb(&x->peer, &peer, peer_addrs);
    m.reservation = reservation_to_pb(&x->reservation, &rsvp, rsvp_addrs);
    m.limit = limit_to_pb(&x->limit, &limit);
    return pack(&m.base, dst, n);
}

adit_err
adit_pb_stop_dec(struct adit_pb_arena *a, struct adit_slice in,
                 struct adit_pb_stop *out)
{
    const Adit__Pb__Stop *m =
        unpack(a, in, ADIT_PB_MAX_BYTES, &adit__pb__stop__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_stop){
        .has_type = m->has_type,
        .has_status = m->has_status,
        .type = m->type,
        .status = m->status,
    };
    peer_from_pb(&out->peer, m->peer);
    limit_from_pb(&out->limit, m->limit);
    return ADIT_OK;
}

adit_err
adit_pb_stop_enc(const struct adit_pb_stop *x, struct adit_mslice dst,
                 size_t *n)
{
    Adit__Pb__Stop m = ADIT__PB__STOP__INIT;
    Adit__Pb__Peer peer = ADIT__PB__PEER__INIT;
    Adit__Pb__Limit limit = ADIT__PB__LIMIT__INIT;
    ProtobufCBinaryData addrs[ADIT_PB_MAX_ADDRS];

    if (x->peer.n_addrs > ADIT_PB_MAX_ADDRS)
        return ADIT_EINVAL;
    m.has_type = x->has_type;
    m.type = x->type;
    m.has_status = x->has_status;
    m.status = x->status;
    m.peer = peer_to_pb(&x->peer, &peer, addrs);
    m.limit = limit_to_pb(&x->limit, &limit);
    return pack(&m.base, dst, n);
}

/* --- envelope and its payloads ------------------------------------------- */

adit_err
adit_pb_envelope_dec(struct adit_pb_arena *a, struct adit_slice in,
                     struct adit_pb_envelope *out)
{
    const Adit__Pb__Envelope *m = unpack(a, in, ADIT_PB_IDENTIFY_MAX_BYTES,
                                         &adit__pb__envelope__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_envelope){
        .pubkey = from_pb(m->public_key),
        .payload_type = from_pb(m->payload_type),
        .payload = from_pb(m->payload),
        .signature = from_pb(m->signature),
    };
    return ADIT_OK;
}

adit_err
adit_pb_envelope_enc(const struct adit_pb_envelope *x, struct adit_mslice dst,
                     size_t *n)
{
    Adit__Pb__Envelope m = ADIT__PB__ENVELOPE__INIT;

    m.has_public_key = m.has_payload_type = true;
    m.has_payload = m.has_signature = true;
    m.public_key = to_pb(x->pubkey);
    m.payload_type = to_pb(x->payload_type);
    m.payload = to_pb(x->payload);
    m.signature = to_pb(x->signature);
    return pack(&m.base, dst, n);
}

adit_err
adit_pb_record_dec(struct adit_pb_arena *a, struct adit_slice in,
                   struct adit_pb_record *out)
{
    const Adit__Pb__PeerRecord *m = unpack(a, in, ADIT_PB_IDENTIFY_MAX_BYTES,
                                           &adit__pb__peer_record__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_record){
        .peer_id = from_pb(m->peer_id),
        .seq = m->seq,
        .n_addrs = ADIT_MIN(m->n_addresses, (size_t)ADIT_PB_MAX_ADDRS),
    };
    for (size_t i = 0; i < out->n_addrs; i++)
        out->addrs[i] = from_pb(m->addresses[i]->multiaddr);
    return ADIT_OK;
}

adit_err
adit_pb_record_enc(const struct adit_pb_record *x, struct adit_mslice dst,
                   size_t *n)
{
    Adit__Pb__PeerRecord m = ADIT__PB__PEER_RECORD__INIT;
    Adit__Pb__RecordAddress addrs[ADIT_PB_MAX_ADDRS];
    Adit__Pb__RecordAddress *list[ADIT_PB_MAX_ADDRS];

    if (x->n_addrs > ADIT_NITEMS(addrs))
        return ADIT_EINVAL;
    m.has_peer_id = m.has_seq = true;
    m.peer_id = to_pb(x->peer_id);
    m.seq = x->seq;
    for (size_t i = 0; i < x->n_addrs; i++) {
        adit__pb__record_address__init(&addrs[i]);
        addrs[i].has_multiaddr = true;
        addrs[i].multiaddr = to_pb(x->addrs[i]);
        list[i] = &addrs[i];
    }
    m.n_addresses = x->n_addrs;
    m.addresses = list;
    return pack(&m.base, dst, n);
}

adit_err
adit_pb_voucher_dec(struct adit_pb_arena *a, struct adit_slice in,
                    struct adit_pb_voucher *out)
{
    const Adit__Pb__Voucher *m =
        unpack(a, in, ADIT_PB_MAX_BYTES, &adit__pb__voucher__descriptor);

    if (m == NULL)
        return ADIT_EPROTO;
    *out = (struct adit_pb_voucher){
        .relay = from_pb(m->relay),
        .peer = from_pb(m->peer),
        .expiration = m->expiration,
    };
    return ADIT_OK;
}

adit_err
adit_pb_voucher_enc(const struct adit_pb_voucher *x, struct adit_mslice dst,
                    size_t *n)
{
    Adit__Pb__Voucher m = ADIT__PB__VOUCHER__INIT;

    m.has_relay = m.has_peer = m.has_expiration = true;
    m.relay = to_pb(x->relay);
    m.peer = to_pb(x->peer);
    m.expiration = x->expiration;
    return pack(&m.base, dst, n);
}
