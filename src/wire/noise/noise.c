/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/noise/noise.h"

#include "codec/pb.h"

#include <sodium.h>

#define SIG_PREFIX "noise-libp2p-static-key:"
#define SIG_PREFIX_BYTES (sizeof(SIG_PREFIX) - 1)
#define SIGNED_BYTES (SIG_PREFIX_BYTES + 32)

/* The salt of our exporter: no other use of the chaining key has it. */
#define EXPORT_SALT "adit-noise-export-1"

/* Message 0 may still wait when 2 is written: both have room. */
#define OUT_MAX_BYTES                                                         \
    (2 * ADIT_NOISE_LEN_BYTES + ADIT_NOISE_XX_OVERHEAD_0 +                    \
     ADIT_NOISE_XX_OVERHEAD_1 + ADIT_NOISE_MAX_OWN_PAYLOAD_BYTES)

struct adit_noise {
    struct adit_mem *mem;
    enum adit_noise_role role;
    bool is_taken; /* _next gave the result */
    adit_err err;  /* a failed machine stays failed */
    const char *why;
    const struct adit_noise_static *st; /* the config's, or `own` */
    struct adit_noise_static own;
    struct adit_noise_xx xx;
    struct adit_peerid expect;
    struct adit_peerid peer;
    int muxer;
    size_t have;           /* bytes in in[] */
    size_t out_off, out_n; /* first unsent, how many */
    uint8_t out[OUT_MAX_BYTES];
    uint8_t in[ADIT_NOISE_LEN_BYTES + ADIT_NOISE_MAX_MSG_BYTES];
};

static adit_err
fail(struct adit_noise *n, adit_err e, const char *why)
{
    n->err = e;
    n->why = why;
    n->out_n = 0;
    return e;
}

/* ---- what libp2p adds: an identity that vouches for the static key ------- */

static struct adit_slice
signed_bytes(const uint8_t pub[static 32], uint8_t buf[static SIGNED_BYTES])
{
    memcpy(buf, SIG_PREFIX, SIG_PREFIX_BYTES);
    memcpy(buf + SIG_PREFIX_BYTES, pub, 32);
    return adit_slice(buf, SIGNED_BYTES);
}

adit_err
adit_noise_static_make(struct adit_noise_static *st,
                       const struct adit_identity *identity,
                       const char *const *muxers, size_t n_muxers,
                       const struct adit_rng *rng)
{
    struct adit_mslice dst = { st->payload, sizeof(st->payload) };
    struct adit_pb_noise m = { .n_muxers = n_muxers };
    uint8_t buf[SIGNED_BYTES];
    uint8_t sig[64];

    *st = (struct adit_noise_static){ .muxers = muxers, .n_muxers = n_muxers };
    if (n_muxers > ADIT_NOISE_MAX_MUXERS)
        goto bad;
    adit_rng_fill(rng, st->pair.secret.b, sizeof(st->pair.secret.b));
    adit_noise_pair_derive(&st->pair);
    adit_identity_sign(identity, signed_bytes(st->pair.pub, buf), sig);

    m.identity_key =
        adit_slice(identity->pubkey_msg, sizeof(identity->pubkey_msg));
    m.identity_sig = adit_slice(sig, sizeof(sig));
    for (size_t i = 0; i < n_muxers; i++)
        m.muxers[i] = adit_slice_str(muxers[i]);
    if (adit_pb_noise_enc(&m, dst, &st->n_payload) != ADIT_OK)
        goto bad;
    return ADIT_OK;
bad:
    adit_noise_static_fini(st);
    return ADIT_EINVAL;
}

void
adit_noise_static_fini(struct adit_noise_static *st)
{
    adit_wipe(st, sizeof(*st));
}

/* The index in our list of the muxer that both sides choose; -1: none. */
static int
choose_muxer(const struct adit_noise *n, const struct adit_pb_noise *theirs)
{
    size_t n_ours = n->st->n_muxers;
    bool ours_first = n->role == ADIT_NOISE_INITIATOR;
    size_t n_outer = ours_first ? n_ours : theirs->n_muxers;
    size_t n_inner = ours_first ? theirs->n_muxers : n_ours;

    /* The first of the initiator's that the responder has too. */
    for (size_t i = 0; i < n_outer; i++) {
        for (size_t j = 0; j < n_inner; j++) {
            size_t our = ours_first ? i : j;
            size_t their = ours_first ? j : i;

            if (adit_slice_eq(adit_slice_str(n->st->muxers[our]),
                              theirs->muxers[their]))
                return (int)our;
        }
    }
    return -1;
}

/* Learn and check who the owner of the peer's static key is. */
static adit_err
take_payload(struct adit_noise *n, struct adit_slice payload)
{
    struct adit_pb_arena arena;
    struct adit_pb_noise m;
    uint8_t buf[SIGNED_BYTES];
    adit_err e;

    if (adit_pb_noise_dec(&arena, payload, &m) != ADIT_OK)
        return fail(n, ADIT_EPROTO, "payload is malformed");
    if (m.identity_key.n == 0 || m.identity_sig.n == 0)
        return fail(n, ADIT_EPROTO, "payload lacks key or signature");
    adit_peerid_of_key(m.identity_key, &n->peer);
    if (!adit_peerid_is_none(&n->expect) &&
        !adit_peerid_eq(&n->expect, &n->peer))
        return fail(n, ADIT_EAUTH, "peer is not the expected one");
    e = adit_pubkey_verify(m.identity_key, signed_bytes(n->xx.rs, buf),
                           m.identity_sig);
    if (e == ADIT_EAUTH)
        return fail(n, e, "signature of the static key is wrong");
    if (e != ADIT_OK)
        return fail(n, e, "identity key is malformed or of no known kind");
    n->muxer = choose_muxer(n, &m);
    return ADIT_OK;
}

/* ---- messages ------------------------------------------------------------ */

static adit_err
write_message(struct adit_noise *n)
{
    /* rust refuses a message 0 that says anything; it would be in clear. */
    struct adit_slice payload =
        n->xx.at == 0 ? ADIT_SLICE_NONE
                      : adit_slice(n->st->payload, n->st->n_payload);
    size_t n_msg = adit_noise_xx_overhead(n->xx.at) + payload.n;
    uint8_t *p = n->out + n->out_off + n->out_n;

    adit_assert(ADIT_NOISE_LEN_BYTES + n_msg <=
                (size_t)(n->out + sizeof(n->out) - p));
    adit_put_be16(p, (uint16_t)n_msg);
    if (adit_noise_xx_write(&n->xx, payload, p + ADIT_NOISE_LEN_BYTES) !=
        ADIT_OK)
        return fail(n, ADIT_EPROTO, "key of small order");
    n->out_n += ADIT_NOISE_LEN_BYTES + n_msg;
    return ADIT_OK;
}

static adit_err
take_message(struct adit_noise *n)
{
    struct adit_mslice msg = { n->in + ADIT_NOISE_LEN_BYTES,
                               n->have - ADIT_NOISE_LEN_BYTES };
    bool is_first = n->xx.at == 0;
    struct adit_slice payload;
    adit_err e;

    n->have = 0;
    if (adit_noise_xx_read(&n->xx, msg, &payload) != ADIT_OK)
        return fail(n, ADIT_EPROTO, "message does not decrypt");
    if (!is_first) {
        e = take_payload(n, payload);
        if (e != ADIT_OK)
            return e;
    }
    return adit_noise_xx_is_our_turn(&n->xx) ? write_message(n) : ADIT_OK;
}

/* How many bytes the message, whose first ones are in in[], still lacks. */
static adit_err
wanted(struct adit_noise *n, size_t *want)
{
    size_t n_msg;

    if (n->have < ADIT_NOISE_LEN_BYTES) {
        *want = ADIT_NOISE_LEN_BYTES - n->have;
        return ADIT_OK;
    }
    n_msg = adit_get_be16(n->in);
    if (n_msg < adit_noise_xx_overhead(n->xx.at))
        return fail(n, ADIT_EPROTO, "message too short");
    if (n_msg > ADIT_NOISE_MAX_MSG_BYTES)
        return fail(n, ADIT_EPROTO, "message too long");
    *want = ADIT_NOISE_LEN_BYTES + n_msg - n->have;
    return ADIT_OK;
}

/* ---- public -------------------------------------------------------------- */

adit_err
adit_noise_new(struct adit_mem *mem, const struct adit_noise_config *cfg,
               const struct adit_rng *rng, struct adit_noise **out)
{
    struct adit_noise *n = ADIT_NEW(mem, struct adit_noise);
    struct adit_secret e_secret;
    adit_err e = ADIT_OK;

    if (n == NULL)
        return ADIT_ENOMEM;
    n->mem = mem;
    n->role = cfg->role;
    n->expect = cfg->expect;
    n->muxer = -1;
    n->st = cfg->statik;
    if (n->st == NULL) {
        e = adit_noise_static_make(&n->own, cfg->identity, cfg->muxers,
                                   cfg->n_muxers, rng);
        n->st = &n->own;
    }
    if (e != ADIT_OK) {
        adit_noise_free(n);
        return e;
    }
    adit_rng_fill(rng, e_secret.b, sizeof(e_secret.b));
    adit_noise_xx_init(&n->xx, n->role == ADIT_NOISE_INITIATOR,
                       ADIT_SLICE_NONE, &n->st->pair, &e_secret);
    adit_secret_fini(&e_secret);
    if (adit_noise_xx_is_our_turn(&n->xx))
        e = write_message(n);
    adit_assert(e == ADIT_OK); /* message 0 has nothing of the peer's */
    *out = n;
    return ADIT_OK;
}

void
adit_noise_free(struct adit_noise *n)
{
    struct adit_mem *mem;

    if (n == NULL)
        return;
    mem = n->mem;
    /* The input's plaintext named the peer; its keys are no secret. */
    adit_wipe(n, sizeof(*n));
    ADIT_FREE(mem, n);
}

adit_err
adit_noise_feed(struct adit_noise *n, struct adit_slice in, size_t *used)
{
    struct adit_slice left = in;

    if (n->err != ADIT_OK)
        return n->err;
    while (!adit_noise_xx_is_complete(&n->xx) && left.n > 0) {
        size_t want;
        adit_err e = wanted(n, &want);

        if (e != ADIT_OK)
            return e;
        want = ADIT_MIN(want, left.n);
        memcpy(n->in + n->have, left.p, want);
        n->have += want;
        left = adit_slice_skip(left, want);
        if (n->have < ADIT_NOISE_LEN_BYTES)
            continue;
        e = wanted(n, &want);
        if (e == ADIT_OK && want == 0)
            e = take_message(n);
        if (e != ADIT_OK)
            return e;
    }
    *used = in.n - left.n;
    return ADIT_OK;
}

adit_err
adit_noise_next(struct adit_noise *n, struct adit_noise_result *r)
{
    if (n->err != ADIT_OK)
        return n->err;
    if (n->is_taken)
        return ADIT_DONE;
    if (!adit_noise_xx_is_complete(&n->xx) || n->out_n > 0)
        return ADIT_AGAIN;
    n->is_taken = true;
    *r = (struct adit_noise_result){ .peer = n->peer, .muxer = n->muxer };
    adit_noise_xx_split(&n->xx, &r->tx, &r->rx);
    return ADIT_OK;
}

struct adit_slice
adit_noise_out(const struct adit_noise *n)
{
    return adit_slice(n->out + n->out_off, n->out_n);
}

void
adit_noise_sent(struct adit_noise *n, size_t n_bytes)
{
    adit_assert(n_bytes <= n->out_n);
    n->out_off += n_bytes;
    n->out_n -= n_bytes;
    if (n->out_n == 0)
        n->out_off = 0;
}

adit_err
adit_noise_export(const struct adit_noise *n, const char *label,
                  struct adit_secret *out)
{
    static const uint8_t salt[] = EXPORT_SALT;
    static const uint8_t counter = 1;
    struct adit_slice info = adit_slice_str(label);
    crypto_auth_hmacsha256_state st;
    struct adit_secret prk;

    if (n->err != ADIT_OK || !adit_noise_xx_is_complete(&n->xx))
        return ADIT_ESTATE;
    /* RFC 5869 with one block of output. */
    crypto_auth_hmacsha256_init(&st, salt, sizeof(salt) - 1);
    crypto_auth_hmacsha256_update(&st, n->xx.ck.b, sizeof(n->xx.ck.b));
    crypto_auth_hmacsha256_final(&st, prk.b);
    crypto_auth_hmacsha256_init(&st, prk.b, sizeof(prk.b));
    crypto_auth_hmacsha256_update(&st, info.p, info.n);
    crypto_auth_hmacsha256_update(&st, &counter, 1);
    crypto_auth_hmacsha256_final(&st, out->b);
    adit_wipe(&st, sizeof(st));
    adit_secret_fini(&prk);
    return ADIT_OK;
}

const char *
adit_noise_why(const struct adit_noise *n)
{
    return n->why;
}
