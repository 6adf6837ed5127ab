/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/maddr.h"

#include "codec/maddr_text.h"
#include "codec/multihash.h"
#include "codec/uvarint.h"

/* By code.  Names and sizes of the multiaddr protocol table. */
static const struct adit_maddr_proto protos[] = {
    { ADIT_MA_IP4, "ip4", ADIT_MADDR_IP4, 4 },
    { ADIT_MA_TCP, "tcp", ADIT_MADDR_PORT, 2 },
    { ADIT_MA_DCCP, "dccp", ADIT_MADDR_PORT, 2 },
    { ADIT_MA_IP6, "ip6", ADIT_MADDR_IP6, 16 },
    { ADIT_MA_IP6ZONE, "ip6zone", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_IPCIDR, "ipcidr", ADIT_MADDR_U8, 1 },
    { ADIT_MA_DNS, "dns", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_DNS4, "dns4", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_DNS6, "dns6", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_DNSADDR, "dnsaddr", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_SCTP, "sctp", ADIT_MADDR_PORT, 2 },
    { ADIT_MA_UDP, "udp", ADIT_MADDR_PORT, 2 },
    { ADIT_MA_P2P_WEBRTC_DIRECT, "p2p-webrtc-direct", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_WEBRTC_DIRECT, "webrtc-direct", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_WEBRTC, "webrtc", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_P2P_CIRCUIT, "p2p-circuit", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_UDT, "udt", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_UTP, "utp", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_UNIX, "unix", ADIT_MADDR_PATH, -1 },
    { ADIT_MA_P2P, "p2p", ADIT_MADDR_PEER, -1 },
    { ADIT_MA_HTTPS, "https", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_ONION, "onion", ADIT_MADDR_ONION, 12 },
    { ADIT_MA_ONION3, "onion3", ADIT_MADDR_ONION, 37 },
    { ADIT_MA_TLS, "tls", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_SNI, "sni", ADIT_MADDR_NAME, -1 },
    { ADIT_MA_NOISE, "noise", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_QUIC, "quic", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_QUIC_V1, "quic-v1", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_WEBTRANSPORT, "webtransport", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_CERTHASH, "certhash", ADIT_MADDR_HASH, -1 },
    { ADIT_MA_WS, "ws", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_WSS, "wss", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_HTTP, "http", ADIT_MADDR_FLAG, 0 },
    { ADIT_MA_HTTP_PATH, "http-path", ADIT_MADDR_ESCAPED, -1 },
    { ADIT_MA_MEMORY, "memory", ADIT_MADDR_U64, 8 },
    { ADIT_MA_PLAINTEXTV2, "plaintextv2", ADIT_MADDR_FLAG, 0 },
};

/* The component is held in a text of at most so many characters. */
static size_t
max_text(const struct adit_maddr_proto *p, struct adit_slice value)
{
    size_t head = 1 + strlen(p->name);

    switch (p->kind) {
    case ADIT_MADDR_FLAG:
        return head;
    case ADIT_MADDR_IP4:
        return head + sizeof("/255.255.255.255") - 1;
    case ADIT_MADDR_IP6:
        return head + 1 + 39;
    case ADIT_MADDR_PORT:
        return head + sizeof("/65535") - 1;
    case ADIT_MADDR_U8:
        return head + sizeof("/255") - 1;
    case ADIT_MADDR_U64:
        return head + sizeof("/18446744073709551615") - 1;
    case ADIT_MADDR_NAME:
    case ADIT_MADDR_PATH:
        return head + 1 + value.n;
    case ADIT_MADDR_ESCAPED:
        return head + 1 + 3 * value.n;
    case ADIT_MADDR_PEER: /* log 256 / log 58 is less than 7/5 */
        return head + 1 + (7 * value.n + 4) / 5;
    case ADIT_MADDR_HASH:
        return head + 2 + (8 * value.n + 5) / 6;
    case ADIT_MADDR_ONION:
        return head + 1 + (8 * value.n) / 5 + sizeof(":65535") - 1;
    }
    return SIZE_MAX / 2;
}

const struct adit_maddr_proto *
adit_maddr_proto(uint64_t code)
{
    for (size_t i = 0; i < ADIT_NITEMS(protos); i++)
        if ((uint64_t)protos[i].code == code)
            return &protos[i];
    return NULL;
}

const struct adit_maddr_proto *
adit_maddr_proto_named(struct adit_slice name)
{
    for (size_t i = 0; i < ADIT_NITEMS(protos); i++)
        if (adit_slice_eq(name, adit_slice_str(protos[i].name)))
            return &protos[i];
    if (adit_slice_eq(name, adit_slice_str("ipfs")))
        return adit_maddr_proto(ADIT_MA_P2P);
    return NULL;
}

/* Text that we may print into a log line and find again in a text. */
static bool
is_printable(struct adit_slice s, bool may_have_slash)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f ||
            (s.p[i] == '/' && !may_have_slash))
            return false;
    return true;
}

bool
adit_maddr_fits(const struct adit_maddr_proto *p, struct adit_slice v)
{
    struct adit_multihash mh;
    struct adit_peerid peer;

    if (p->n_bytes >= 0 ? v.n != (size_t)p->n_bytes : v.n == 0)
        return false;
    switch (p->kind) {
    case ADIT_MADDR_FLAG:
    case ADIT_MADDR_IP4:
    case ADIT_MADDR_IP6:
    case ADIT_MADDR_PORT:
    case ADIT_MADDR_U8:
    case ADIT_MADDR_U64:
    case ADIT_MADDR_ESCAPED:
        return true;
    case ADIT_MADDR_NAME:
        return is_printable(v, false);
    case ADIT_MADDR_PATH:
        /* A slash at its end would not survive the way through text. */
        return v.n > 1 && v.p[0] == '/' && v.p[v.n - 1] != '/' &&
               is_printable(v, true);
    case ADIT_MADDR_PEER:
        return adit_peerid_dec(v, &peer) == ADIT_OK;
    case ADIT_MADDR_HASH:
        return v.n <= ADIT_MADDR_MAX_HASH_BYTES &&
               adit_multihash_dec(v, &mh) == ADIT_OK;
    case ADIT_MADDR_ONION:
        return adit_get_be16(v.p + v.n - 2) > 0;
    }
    return false;
}

adit_err
adit_maddr_next(struct adit_slice *left, struct adit_maddr_part *part)
{
    struct adit_cursor c = { *left };
    const struct adit_maddr_proto *p;
    struct adit_maddr_part r;
    uint64_t n;

    if (left->n == 0)
        return ADIT_DONE;
    if (adit_uvarint_dec(&c, &r.code) != ADIT_OK)
        return ADIT_EPROTO;
    p = adit_maddr_proto(r.code);
    if (p == NULL)
        return ADIT_EPROTO;
    if (p->n_bytes >= 0)
        n = (uint64_t)p->n_bytes;
    else if (adit_uvarint_dec(&c, &n) != ADIT_OK)
        return ADIT_EPROTO;
    if (n > c.left.n || adit_cursor_take(&c, (size_t)n, &r.value) != ADIT_OK ||
        !adit_maddr_fits(p, r.value))
        return ADIT_EPROTO;
    r.raw = adit_slice(left->p, left->n - c.left.n);
    *left = c.left;
    *part = r;
    return ADIT_OK;
}

/* Well-formed, and of a text that fits: what each adit_maddr is. */
static bool
is_good(struct adit_slice in)
{
    struct adit_slice left = in;
    struct adit_maddr_part part;
    size_t text = 0;
    bool ended = false; /* by a path, which in text takes all that follows */
    adit_err e;

    if (in.n == 0 || in.n > ADIT_MADDR_MAX_BYTES)
        return false;
    while ((e = adit_maddr_next(&left, &part)) == ADIT_OK) {
        const struct adit_maddr_proto *p = adit_maddr_proto(part.code);

        if (ended)
            return false;
        ended = p->kind == ADIT_MADDR_PATH;
        text += max_text(p, part.value);
    }
    return e == ADIT_DONE && text < ADIT_MADDR_TEXT_BYTES;
}

adit_err
adit_maddr_dec(struct adit_slice in, struct adit_maddr *out)
{
    if (!is_good(in))
        return ADIT_EPROTO;
    memmove(out->b, in.p, in.n);
    out->n = (uint16_t)in.n;
    return ADIT_OK;
}

adit_err
adit_maddr_join(struct adit_maddr *a, struct adit_slice tail)
{
    uint8_t b[ADIT_MADDR_MAX_BYTES];

    if (tail.n == 0)
        return ADIT_OK;
    if (tail.n > sizeof(b) - a->n)
        return ADIT_EINVAL;
    adit_copy(b, adit_maddr_bytes(a));
    adit_copy(b + a->n, tail);
    return adit_maddr_dec(adit_slice(b, a->n + tail.n), a) == ADIT_OK
               ? ADIT_OK
               : ADIT_EINVAL;
}

adit_err
adit_maddr_push(struct adit_maddr *a, uint64_t code, struct adit_slice value)
{
    const struct adit_maddr_proto *p = adit_maddr_proto(code);
    uint8_t b[ADIT_MADDR_MAX_BYTES + 2 * ADIT_UVARINT_MAX_BYTES];
    size_t n;

    if (p == NULL || value.n > ADIT_MADDR_MAX_BYTES)
        return ADIT_EINVAL;
    n = adit_uvarint_enc(b, code);
    if (p->n_bytes < 0)
        n += adit_uvarint_enc(b + n, value.n);
    adit_copy(b + n, value);
    return adit_maddr_join(a, adit_slice(b, n + value.n));
}

bool
adit_maddr_find(const struct adit_maddr *a, uint64_t code,
                struct adit_slice *value)
{
    struct adit_slice left = adit_maddr_bytes(a);
    struct adit_maddr_part part;

    while (adit_maddr_next(&left, &part) == ADIT_OK)
        if (part.code == code) {
            *value = part.value;
            return true;
        }
    return false;
}

/* The last component; false: the address is empty. */
static bool
last_part(const struct adit_maddr *a, struct adit_maddr_part *part)
{
    struct adit_slice left = adit_maddr_bytes(a);
    bool any = false;

    while (adit_maddr_next(&left, part) == ADIT_OK)
        any = true;
    return any;
}

void
adit_maddr_peer(const struct adit_maddr *a, struct adit_peerid *out)
{
    struct adit_maddr_part part;

    if (!last_part(a, &part) || part.code != ADIT_MA_P2P ||
        adit_peerid_dec(part.value, out) != ADIT_OK)
        *out = (struct adit_peerid){ 0 };
}

void
adit_maddr_strip_peer(struct adit_maddr *a)
{
    struct adit_maddr_part part;

    if (last_part(a, &part) && part.code == ADIT_MA_P2P)
        a->n = (uint16_t)(a->n - part.raw.n);
}

adit_err
adit_maddr_split_circuit(const struct adit_maddr *a, struct adit_maddr *relay,
                         struct adit_peerid *dst)
{
    struct adit_slice left = adit_maddr_bytes(a);
    struct adit_maddr_part part;
    struct adit_maddr r = { 0 };
    struct adit_peerid d = { 0 };
    bool found = false;

    while (adit_maddr_next(&left, &part) == ADIT_OK) {
        if (part.code == ADIT_MA_P2P_CIRCUIT) {
            found = true;
            r.n = (uint16_t)(part.raw.p - a->b);
            d.n = 0;
        } else if (part.code == ADIT_MA_P2P && found && d.n == 0) {
            (void)!adit_peerid_dec(part.value, &d);
        }
    }
    if (!found)
        return ADIT_DONE;
    adit_copy(r.b, adit_slice(a->b, r.n));
    *relay = r;
    *dst = d;
    return ADIT_OK;
}
