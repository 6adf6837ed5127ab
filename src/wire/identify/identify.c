/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/identify/identify.h"

#include "codec/key.h"
#include "codec/maddr.h"
#include "codec/record.h"

/* Without a trailing /p2p, which js has and rust over a circuit has alone. */
static struct adit_slice
strip_peer(struct adit_slice addr)
{
    struct adit_slice left = addr;
    struct adit_maddr_part part = { 0 };

    while (left.n > 0) {
        if (adit_maddr_next(&left, &part) != ADIT_OK)
            return addr; /* not for us to judge */
    }
    if (addr.n > 0 && part.code == ADIT_MA_P2P)
        addr.n -= part.raw.n;
    return addr;
}

/* --- the writer ---------------------------------------------------------- */

/* What a field of `n` bytes takes; all our field numbers are below 16. */
static size_t
field_bytes(size_t n)
{
    return n + (n < 0x80 ? 2U : n < 0x4000 ? 3U : 4U);
}

/* Charge a field to what is left; false: it does not fit. */
static bool
charge(size_t *left, size_t n)
{
    if (field_bytes(n) > *left)
        return false;
    *left -= field_bytes(n);
    return true;
}

/* Copy what fits, in order. */
static size_t
choose(const struct adit_slice *from, size_t n_from, struct adit_slice *to,
       size_t max, size_t *left)
{
    size_t n = 0;

    for (size_t i = 0; i < n_from && n < max; i++) {
        if (from[i].n > 0 && charge(left, from[i].n))
            to[n++] = from[i];
    }
    return n;
}

size_t
adit_identify_enc(const struct adit_identify_info *info,
                  uint8_t dst[static ADIT_IDENTIFY_OUT_BYTES])
{
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];
    uint8_t prefix[ADIT_LPM_MAX_PREFIX_BYTES];
    struct adit_pb_identify msg = {
        .pubkey = info->pubkey_msg,
        .protocol_version = adit_slice_str(ADIT_IDENTIFY_PROTOCOL_VERSION),
        .agent_version = info->agent,
        .observed_addr = strip_peer(info->observed),
    };
    size_t left = ADIT_IDENTIFY_OUT_BYTES - 2; /* of 4096: a prefix of two */
    size_t for_protocols = ADIT_IDENTIFY_MAX_PROTOCOLS_BYTES;
    size_t n, n_prefix;
    bool fits;
    adit_err e;

    adit_assert(info->pubkey_msg.n <= ADIT_PUBKEY_ED25519_BYTES);
    if (msg.agent_version.n > ADIT_IDENTIFY_MAX_AGENT_BYTES)
        msg.agent_version.n = ADIT_IDENTIFY_MAX_AGENT_BYTES;
    if (msg.observed_addr.n > ADIT_MADDR_MAX_BYTES)
        msg.observed_addr = ADIT_SLICE_NONE;
    fits = charge(&left, msg.pubkey.n) &&
           charge(&left, msg.protocol_version.n) &&
           charge(&left, msg.agent_version.n) &&
           charge(&left, msg.observed_addr.n);
    adit_assert(fits); /* by the caps above, some 700 bytes */
    left -= for_protocols;
    msg.n_protocols = choose(info->protocols, info->n_protocols, msg.protocols,
                             ADIT_PB_MAX_PROTOCOLS, &for_protocols);
    left += for_protocols;
    msg.n_listen_addrs = choose(info->addrs, info->n_addrs, msg.listen_addrs,
                                ADIT_PB_MAX_ADDRS, &left);
    if (charge(&left, info->record.n))
        msg.signed_peer_record = info->record;
    e = adit_pb_identify_enc(&msg, (struct adit_mslice){ buf, sizeof(buf) },
                             &n);
    adit_assert(e == ADIT_OK);
    n_prefix = adit_lpm_prefix(n, prefix);
    adit_assert(n_prefix + n <= ADIT_IDENTIFY_OUT_BYTES);
    memcpy(dst, prefix, n_prefix);
    memcpy(dst + n_prefix, buf, n);
    return n_prefix + n;
}

/* --- the reader ---------------------------------------------------------- */

/* The first room for what is kept; most peers need 1 to 2 KiB. */
#define FIRST_KEPT_BYTES 1024

enum { READ, COMPLETE, OVER, FAILED };

void
adit_identify_init(struct adit_identify *m, struct adit_mem *mem,
                   const struct adit_peerid *peer)
{
    *m = (struct adit_identify){ .mem = mem, .peer = *peer };
    adit_lpm_init(&m->lpm, mem, ADIT_PB_IDENTIFY_MAX_BYTES);
}

void
adit_identify_fini(struct adit_identify *m)
{
    adit_lpm_fini(&m->lpm);
    if (m->kept != NULL)
        adit_mem_free(m->mem, m->kept, m->kept_cap);
    *m = (struct adit_identify){ 0 };
}

static adit_err
fail(struct adit_identify *m, adit_err e, const char *why)
{
    m->state = FAILED;
    m->err = e;
    m->why = why;
    return e;
}

/* Room for `n` more bytes, n within ADIT_IDENTIFY_MAX_KEPT_BYTES. */
static bool
grow(struct adit_identify *m, size_t n)
{
    size_t cap = m->kept_cap > 0 ? m->kept_cap : FIRST_KEPT_BYTES;
    uint8_t *p;

    if (m->kept_bytes + n <= m->kept_cap)
        return true;
    while (cap < m->kept_bytes + n)
        cap *= 2;
    cap = ADIT_MIN(cap, (size_t)ADIT_IDENTIFY_MAX_KEPT_BYTES);
    p = m->kept == NULL ? adit_mem_alloc(m->mem, cap)
                        : adit_mem_resize(m->mem, m->kept, m->kept_cap, cap);
    if (p == NULL)
        return false;
    m->kept = p;
    m->kept_cap = (uint16_t)cap;
    return true;
}

/*
 * Keep a piece.  ADIT_ELIMIT: it is beyond our bounds, and left out;
 * ADIT_ENOMEM: the machine failed.
 */
static adit_err
keep(struct adit_identify *m, struct adit_slice s, size_t max_bytes,
     struct adit_identify_piece *piece)
{
    if (s.n > max_bytes ||
        s.n > (size_t)(ADIT_IDENTIFY_MAX_KEPT_BYTES - m->kept_bytes)) {
        m->is_cut = true;
        return ADIT_ELIMIT;
    }
    if (!grow(m, s.n))
        return fail(m, ADIT_ENOMEM, "no memory for what a peer says");
    adit_copy(m->kept + m->kept_bytes, s);
    *piece = (struct adit_identify_piece){ m->kept_bytes, (uint16_t)s.n };
    m->kept_bytes = (uint16_t)(m->kept_bytes + s.n);
    return ADIT_OK;
}

/* Keep a list behind what is there already. */
static adit_err
keep_list(struct adit_identify *m, const struct adit_slice *list, size_t n,
          size_t max_bytes, struct adit_identify_piece *pieces, size_t max,
          uint16_t *n_pieces)
{
    for (size_t i = 0; i < n; i++) {
        adit_err e;

        if (list[i].n == 0)
            continue;
        if (*n_pieces == max) {
            m->is_cut = true;
            break;
        }
        e = keep(m, list[i], max_bytes, &pieces[*n_pieces]);
        if (e == ADIT_OK)
            ++*n_pieces;
        else if (e != ADIT_ELIMIT)
            return e;
    }
    return ADIT_OK;
}

/* A text that replaces the one before; too long, it is cut. */
static adit_err
keep_text(struct adit_identify *m, struct adit_slice s,
          struct adit_identify_piece *piece)
{
    adit_err e;

    if (s.n == 0)
        return ADIT_OK;
    if (s.n > ADIT_IDENTIFY_MAX_AGENT_BYTES) {
        s.n = ADIT_IDENTIFY_MAX_AGENT_BYTES;
        m->is_cut = true;
    }
    e = keep(m, s, s.n, piece);
    return e == ADIT_ELIMIT ? ADIT_OK : e;
}

/*
 * A signed peer record.  The last good one counts; one that the peer has not
 * signed for itself is as if it were not there.
 */
static adit_err
keep_record(struct adit_identify *m, struct adit_slice envelope)
{
    struct adit_pb_arena arena;
    struct adit_record r;

    if (adit_record_dec(&arena, envelope, &r) != ADIT_OK ||
        !adit_peerid_eq(&r.peer, &m->peer)) {
        m->record_is_wrong = true;
        return ADIT_OK;
    }
    m->record_is_good = true;
    m->record_seq = r.seq;
    m->n_record_addrs = 0;
    return keep_list(m, r.addrs, r.n_addrs, ADIT_MADDR_MAX_BYTES,
                     m->record_addrs, ADIT_IDENTIFY_MAX_ADDRS,
                     &m->n_record_addrs);
}

/* A whole message: lists grow, single values replace. */
static adit_err
merge(struct adit_identify *m, struct adit_slice bytes)
{
    struct adit_pb_arena arena;
    struct adit_pb_identify msg;
    struct adit_peerid id;
    struct adit_slice observed;
    adit_err e;

    if (adit_pb_identify_dec(&arena, bytes, &msg) != ADIT_OK)
        return fail(m, ADIT_EPROTO, "not an identify message");
    if (msg.pubkey.n > 0) {
        adit_peerid_of_key(msg.pubkey, &id);
        if (!adit_peerid_eq(&id, &m->peer))
            m->key_is_wrong = true;
    }
    e = keep_text(m, msg.agent_version, &m->agent);
    if (e == ADIT_OK)
        e = keep_text(m, msg.protocol_version, &m->version);
    if (e != ADIT_OK)
        return e;
    observed = strip_peer(msg.observed_addr);
    if (observed.n > 0) {
        e = keep(m, observed, ADIT_MADDR_MAX_BYTES, &m->observed);
        if (e != ADIT_OK && e != ADIT_ELIMIT)
            return e;
    }
    e = keep_list(m, msg.protocols, msg.n_protocols,
                  ADIT_IDENTIFY_MAX_PROTOCOL_BYTES, m->protocols,
                  ADIT_IDENTIFY_MAX_PROTOCOLS, &m->n_protocols);
    if (e == ADIT_OK)
        e = keep_list(m, msg.listen_addrs, msg.n_listen_addrs,
                      ADIT_MADDR_MAX_BYTES, m->addrs, ADIT_IDENTIFY_MAX_ADDRS,
                      &m->n_addrs);
    if (e == ADIT_OK && msg.signed_peer_record.n > 0)
        e = keep_record(m, msg.signed_peer_record);
    return e;
}

adit_err
adit_identify_feed(struct adit_identify *m, struct adit_slice in, size_t *used)
{
    struct adit_slice left = in;
    struct adit_slice msg;
    size_t n;
    adit_err e;

    if (m->state == FAILED)
        return m->err;
    while (m->state == READ && left.n > 0) {
        e = adit_lpm_feed(&m->lpm, left, &n);
        if (e != ADIT_OK)
            return fail(m, e, adit_lpm_why(&m->lpm));
        left = adit_slice_skip(left, n);
        if (adit_lpm_next(&m->lpm, &msg) != ADIT_OK)
            continue;
        if (m->n_msgs++ == ADIT_IDENTIFY_MAX_MSGS)
            return fail(m, ADIT_EPROTO, "too many messages");
        e = merge(m, msg);
        if (e != ADIT_OK)
            return e;
    }
    *used = in.n;
    return ADIT_OK;
}

adit_err
adit_identify_eof(struct adit_identify *m)
{
    if (m->state == FAILED)
        return m->err;
    if (m->state != READ)
        return ADIT_OK;
    if (!adit_lpm_is_idle(&m->lpm))
        return fail(m, ADIT_EPROTO, "closed inside a message");
    if (m->n_msgs == 0)
        return fail(m, ADIT_EPROTO, "closed without a message");
    m->state = COMPLETE;
    return ADIT_OK;
}

static struct adit_slice
get(const struct adit_identify *m, struct adit_identify_piece piece)
{
    return piece.n > 0 ? adit_slice(m->kept + piece.off, piece.n)
                       : ADIT_SLICE_NONE;
}

adit_err
adit_identify_next(struct adit_identify *m, struct adit_identify_result *r)
{
    const struct adit_identify_piece *addrs = m->addrs;

    if (m->state != COMPLETE)
        return ADIT_AGAIN;
    m->state = OVER;
    *r = (struct adit_identify_result){
        .agent = get(m, m->agent),
        .version = get(m, m->version),
        .observed = get(m, m->observed),
        .n_protocols = m->n_protocols,
        .n_addrs = m->n_addrs,
        .key_is_wrong = m->key_is_wrong,
        .record_is_wrong = m->record_is_wrong,
        .is_cut = m->is_cut,
    };
    if (m->record_is_good) {
        r->is_certified = true;
        r->record_seq = m->record_seq;
        r->n_addrs = m->n_record_addrs;
        addrs = m->record_addrs;
    }
    for (size_t i = 0; i < r->n_addrs; i++)
        r->addrs[i] = get(m, addrs[i]);
    for (size_t i = 0; i < r->n_protocols; i++)
        r->protocols[i] = get(m, m->protocols[i]);
    return ADIT_OK;
}

bool
adit_identify_has(const struct adit_identify_result *r, const char *protocol)
{
    struct adit_slice want = adit_slice_str(protocol);

    for (size_t i = 0; i < r->n_protocols; i++) {
        if (adit_slice_eq(r->protocols[i], want))
            return true;
    }
    return false;
}

const char *
adit_identify_why(const struct adit_identify *m)
{
    return m->why;
}
