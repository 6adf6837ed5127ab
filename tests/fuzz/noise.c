/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The handshake, in three ways that byte 0 chooses:
 *
 *   raw      the input is fed as it is, in pieces
 *   crafted  a peer whose Noise is right says the input as its payload: the
 *            only way to what lies behind the cipher
 *   twisted  two of ours talk, and one byte on the wire is changed
 */
#include "script.h"

#include "codec/pb.h"
#include "wire/noise/noise.h"

static const char *const muxers[] = { "/yamux/1.0.0", "/mplex/6.7.0" };

static struct adit_mem mem;
static struct adit_identity ours, theirs;
static struct adit_noise_static kept;
static uint64_t chance;
static struct adit_rng rng;

static struct adit_noise *
make(enum adit_noise_role role, uint8_t how)
{
    struct adit_noise_config cfg = {
        .role = role,
        .muxers = muxers,
        .n_muxers = (how & 3u) % (ADIT_NITEMS(muxers) + 1),
        .identity = role == ADIT_NOISE_INITIATOR ? &ours : &theirs,
    };
    struct adit_noise *n;

    if (how & 4)
        cfg.statik = &kept;
    FUZZ_HOLDS(adit_noise_new(&mem, &cfg, &rng, &n) == ADIT_OK);
    return n;
}

static adit_err
feed(struct adit_noise *n, struct adit_slice in)
{
    size_t used = SIZE_MAX;
    adit_err e = adit_noise_feed(n, in, &used);

    if (e == ADIT_OK) {
        FUZZ_HOLDS(used <= in.n && adit_noise_why(n) == NULL);
    } else {
        FUZZ_HOLDS(e == ADIT_EPROTO || e == ADIT_EAUTH);
        FUZZ_HOLDS(used == SIZE_MAX && adit_noise_why(n) != NULL);
        FUZZ_HOLDS(adit_noise_out(n).n == 0);
    }
    return e;
}

static void
raw(struct script *s, uint8_t how)
{
    struct adit_noise *n =
        make(how & 8 ? ADIT_NOISE_INITIATOR : ADIT_NOISE_RESPONDER, how);
    struct adit_noise_result r;
    adit_err e = ADIT_OK;

    while (s->left.n > 0 && e == ADIT_OK) {
        uint8_t turn = script_u8(s);
        struct adit_mslice in = script_bytes(s, turn >> 1);

        if (turn & 1)
            adit_noise_sent(n, adit_noise_out(n).n);
        e = feed(n, script_const(in));
        free(in.p);
    }
    FUZZ_HOLDS(adit_noise_next(n, &r) != ADIT_OK); /* nobody is that lucky */
    adit_noise_free(n);
}

/* Copy what waits in `n`, without its length. */
static struct adit_mslice
listen(struct adit_noise *n, uint8_t buf[static 4096])
{
    struct adit_slice o = adit_noise_out(n);
    size_t len;

    FUZZ_HOLDS(o.n >= 2 && o.n <= 4096);
    len = adit_get_be16(o.p);
    FUZZ_HOLDS(len + 2 <= o.n);
    memcpy(buf, o.p + 2, len);
    adit_noise_sent(n, len + 2);
    return (struct adit_mslice){ buf, len };
}

static adit_err
say(struct adit_noise_xx *xx, struct adit_slice payload, struct adit_noise *n)
{
    size_t len = adit_noise_xx_overhead(xx->at) + payload.n;
    uint8_t *p = malloc(len + 2);
    adit_err e;

    FUZZ_HOLDS(p != NULL);
    adit_put_be16(p, (uint16_t)len);
    FUZZ_HOLDS(adit_noise_xx_write(xx, payload, p + 2) == ADIT_OK);
    e = feed(n, adit_slice(p, len + 2));
    free(p);
    return e;
}

static void
crafted(struct script *s, uint8_t how)
{
    bool is_initiator = (how & 8) == 0; /* the crafted peer */
    struct adit_noise *n =
        make(is_initiator ? ADIT_NOISE_RESPONDER : ADIT_NOISE_INITIATOR, how);
    struct adit_noise_pair pair;
    struct adit_noise_xx xx;
    struct adit_secret secret;
    struct adit_slice heard;
    struct adit_noise_result r;
    struct adit_mslice payload = script_bytes(s, 60000);
    uint8_t buf[4096];

    adit_rng_fill(&rng, pair.secret.b, 32);
    adit_noise_pair_derive(&pair);
    adit_rng_fill(&rng, secret.b, 32);
    adit_noise_xx_init(&xx, is_initiator, ADIT_SLICE_NONE, &pair, &secret);
    if (is_initiator)
        FUZZ_HOLDS(say(&xx, ADIT_SLICE_NONE, n) == ADIT_OK);
    FUZZ_HOLDS(adit_noise_xx_read(&xx, listen(n, buf), &heard) == ADIT_OK);
    if (say(&xx, script_const(payload), n) == ADIT_OK) {
        /* Only with a signature that the input cannot have forged. */
        FUZZ_HOLDS(adit_noise_next(n, &r) != ADIT_OK);
    }
    free(payload.p);
    adit_noise_free(n);
}

static void
twisted(struct script *s, uint8_t how)
{
    struct adit_noise *n[2] = { make(ADIT_NOISE_INITIATOR, how),
                                make(ADIT_NOISE_RESPONDER, how >> 1) };
    unsigned which = script_u8(s) % 4; /* 3: none */
    unsigned at = script_u8(s);
    uint8_t with = script_u8(s);
    size_t piece = 1u + script_u8(s);
    bool is_whole = which == 3 || with == 0;
    struct adit_noise_result r[2];
    bool ok = true;

    for (unsigned i = 0; i < 3 && ok; i++) {
        struct adit_noise *from = n[i % 2], *to = n[1 - i % 2];
        struct adit_slice o = adit_noise_out(from);
        size_t at_byte = o.n > 0 ? at % o.n : 0;

        FUZZ_HOLDS(o.n > 0 || !is_whole);
        for (size_t j = 0; j < o.n && ok; j += piece) {
            size_t len = ADIT_MIN(piece, o.n - j);
            uint8_t *p = malloc(len);

            FUZZ_HOLDS(p != NULL);
            memcpy(p, o.p + j, len);
            if (which == i && at_byte >= j && at_byte < j + len)
                p[at_byte - j] ^= with;
            ok = feed(to, adit_slice(p, len)) == ADIT_OK;
            free(p);
        }
        adit_noise_sent(from, o.n);
    }
    ok = ok && adit_noise_next(n[0], &r[0]) == ADIT_OK &&
         adit_noise_next(n[1], &r[1]) == ADIT_OK;
    FUZZ_HOLDS(ok == is_whole);
    if (ok) {
        FUZZ_HOLDS(adit_secret_eq(&r[0].tx.k, &r[1].rx.k));
        FUZZ_HOLDS(adit_secret_eq(&r[0].rx.k, &r[1].tx.k));
        FUZZ_HOLDS((r[0].muxer < 0) == (r[1].muxer < 0));
    }
    adit_noise_free(n[0]);
    adit_noise_free(n[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = { { data, size } };
    uint8_t how = script_u8(&s);

    if (rng.fill == NULL) {
        rng = script_rng(&chance);
        adit_mem_init(&mem, NULL, SIZE_MAX);
        adit_identity_make(&ours, &rng);
        adit_identity_make(&theirs, &rng);
        FUZZ_HOLDS(adit_noise_static_make(&kept, &ours, muxers, 2, &rng) ==
                   ADIT_OK);
    }
    chance = 1000; /* the same in every run */
    switch (how >> 6) {
    case 0:
        raw(&s, how);
        break;
    case 1:
        twisted(&s, how);
        break;
    default:
        crafted(&s, how);
        break;
    }
    FUZZ_HOLDS(mem.used_bytes == 0);
    return 0;
}
