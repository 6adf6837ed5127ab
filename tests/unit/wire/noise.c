/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * libp2p's handshake: both roles against each other, and each against a peer
 * that speaks Noise rightly and says wrong things inside.
 */
#include "common.h"

#include "codec/pb.h"
#include "wire/noise/noise.h"

#define MAX_WIRE_BYTES 8192

static const char *const yamux_only[] = { "/yamux/1.0.0" };

static struct adit_mem mem;
static struct counter chance;
static struct adit_rng rng;
static struct adit_identity alice, bob, mallory;

static int
setup(void **state)
{
    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    rng = counter_rng(&chance);
    adit_identity_make(&alice, &rng);
    adit_identity_make(&bob, &rng);
    adit_identity_make(&mallory, &rng);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    return mem.used_bytes == 0 ? 0 : -1;
}

static struct adit_noise *
make(enum adit_noise_role role, const struct adit_identity *id,
     const char *const *muxers, size_t n_muxers)
{
    struct adit_noise_config cfg = {
        .role = role,
        .identity = id,
        .muxers = muxers,
        .n_muxers = n_muxers,
    };
    struct adit_noise *n;

    assert_int_equal(adit_noise_new(&mem, &cfg, &rng, &n), ADIT_OK);
    return n;
}

static struct adit_noise *
make_expecting(enum adit_noise_role role, const struct adit_identity *id,
               const struct adit_peerid *expect)
{
    struct adit_noise_config cfg = {
        .role = role,
        .identity = id,
        .expect = *expect,
    };
    struct adit_noise *n;

    assert_int_equal(adit_noise_new(&mem, &cfg, &rng, &n), ADIT_OK);
    return n;
}

/* ---- a wire between two of ours ------------------------------------------ */

struct trace {
    uint8_t b[2][MAX_WIRE_BYTES]; /* what each side sent */
    size_t n[2];
    adit_err err[2];
};

/*
 * Move bytes until nothing moves, at most `piece` at a time, each piece in a
 * block of its own.  If `flip_side` is 0 or 1, byte `flip_at` of what that
 * side sends has a bit turned.
 */
static void
converse_flipped(struct adit_noise *n[static 2], size_t piece, int flip_side,
                 size_t flip_at, struct trace *t)
{
    bool moved = true;

    memset(t, 0, sizeof(*t));
    while (moved) {
        moved = false;
        for (int from = 0; from < 2; from++) {
            int to = 1 - from;
            struct adit_slice o = adit_noise_out(n[from]);
            size_t used = 31337;
            uint8_t *p;

            o.n = ADIT_MIN(o.n, piece);
            if (o.n == 0 || t->err[to] != ADIT_OK)
                continue;
            p = exact(o);
            if (flip_side == from && flip_at >= t->n[from] &&
                flip_at < t->n[from] + o.n)
                p[flip_at - t->n[from]] ^= 0x20;
            assert_true(t->n[from] + o.n <= MAX_WIRE_BYTES);
            memcpy(t->b[from] + t->n[from], p, o.n);
            t->n[from] += o.n;
            adit_noise_sent(n[from], o.n);
            t->err[to] = adit_noise_feed(n[to], adit_slice(p, o.n), &used);
            assert_int_equal(used, t->err[to] == ADIT_OK ? o.n : 31337);
            test_free(p);
            moved = true;
        }
    }
}

static void
converse(struct adit_noise *n[static 2], size_t piece, struct trace *t)
{
    converse_flipped(n, piece, -1, 0, t);
}

/* Both are done; what did they make of each other? */
static void
results(struct adit_noise *n[static 2], struct adit_noise_result r[static 2])
{
    for (int i = 0; i < 2; i++) {
        struct adit_noise_result again;

        assert_int_equal(adit_noise_next(n[i], &r[i]), ADIT_OK);
        assert_null(adit_noise_why(n[i]));
        assert_int_equal(adit_noise_next(n[i], &again), ADIT_DONE);
    }
    assert_true(adit_secret_eq(&r[0].tx.k, &r[1].rx.k));
    assert_true(adit_secret_eq(&r[0].rx.k, &r[1].tx.k));
    assert_false(adit_secret_eq(&r[0].rx.k, &r[0].tx.k));
    assert_int_equal(r[0].tx.nonce, 0);
    assert_int_equal(r[0].rx.nonce, 0);
}

static void
free_both(struct adit_noise *n[static 2])
{
    adit_noise_free(n[0]);
    adit_noise_free(n[1]);
}

/* Chop, with keys made per session and once; sizes as every peer has them. */
static void
test_pair(void **state)
{
    struct adit_noise_static st[2];
    const struct adit_identity *ids[2] = { &alice, &bob };

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(adit_noise_static_make(&st[i], ids[i], NULL, 0, &rng),
                         ADIT_OK);
    for (size_t piece = 1; piece < 250; piece += piece < 40 ? 1 : 29) {
        for (unsigned kept = 0; kept < 4; kept++) {
            struct adit_noise *n[2];
            struct adit_noise_result r[2];
            struct trace t;

            for (unsigned i = 0; i < 2; i++) {
                struct adit_noise_config cfg = {
                    .role =
                        i == 0 ? ADIT_NOISE_INITIATOR : ADIT_NOISE_RESPONDER,
                    .expect = i == 0 ? bob.id : (struct adit_peerid){ 0 },
                };

                if (kept & 1u << i)
                    cfg.statik = &st[i];
                else
                    cfg.identity = ids[i];
                assert_int_equal(adit_noise_new(&mem, &cfg, &rng, &n[i]),
                                 ADIT_OK);
            }
            converse(n, piece, &t);
            results(n, r);
            assert_true(adit_peerid_eq(&r[0].peer, &bob.id));
            assert_true(adit_peerid_eq(&r[1].peer, &alice.id));
            assert_int_equal(r[0].muxer, -1);
            assert_int_equal(r[1].muxer, -1);
            /* 36 bytes of key and 64 of signature, in a message of 104. */
            assert_int_equal(t.n[0], 2 + 32 + 2 + 168);
            assert_int_equal(t.n[1], 2 + 200);
            assert_int_equal(adit_get_be16(t.b[0]), 32);
            assert_int_equal(adit_get_be16(t.b[0] + 34), 168);
            assert_int_equal(adit_get_be16(t.b[1]), 200);
            free_both(n);
        }
    }
    for (int i = 0; i < 2; i++)
        adit_noise_static_fini(&st[i]);
}

/* What comes behind the handshake in one piece is the next layer's. */
static void
test_rest(void **state)
{
    struct adit_noise *n[2] = { make(ADIT_NOISE_INITIATOR, &alice, NULL, 0),
                                make(ADIT_NOISE_RESPONDER, &bob, NULL, 0) };
    struct adit_noise_result r;
    uint8_t buf[1024];
    size_t used, len;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct adit_noise *from = n[i % 2], *to = n[1 - i % 2];
        struct adit_slice o = adit_noise_out(from);

        len = o.n;
        adit_copy(buf, o);
        memset(buf + len, 0x77, 100);
        assert_int_equal(adit_noise_next(from, &r), ADIT_AGAIN);
        adit_noise_sent(from, o.n);
        /* Only what follows the last message is not of the handshake. */
        assert_int_equal(
            adit_noise_feed(to, adit_slice(buf, i == 2 ? len + 100 : len),
                            &used),
            ADIT_OK);
        assert_int_equal(used, len);
    }
    assert_int_equal(adit_noise_feed(n[1], adit_slice(buf, 100), &used),
                     ADIT_OK);
    assert_int_equal(used, 0);
    assert_int_equal(adit_noise_feed(n[0], adit_slice(buf, 100), &used),
                     ADIT_OK);
    assert_int_equal(used, 0);
    free_both(n);
}

/* The result waits for the last byte of our last message. */
static void
test_result_waits(void **state)
{
    struct adit_noise *n[2] = { make(ADIT_NOISE_INITIATOR, &alice, NULL, 0),
                                make(ADIT_NOISE_RESPONDER, &bob, NULL, 0) };
    struct adit_noise_result r;
    size_t used;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct adit_slice o = adit_noise_out(n[i]);

        assert_int_equal(adit_noise_feed(n[1 - i], o, &used), ADIT_OK);
        adit_noise_sent(n[i], o.n);
    }
    for (size_t left = adit_noise_out(n[0]).n; left > 0; left--) {
        assert_int_equal(adit_noise_next(n[0], &r), ADIT_AGAIN);
        adit_noise_sent(n[0], 1);
    }
    assert_int_equal(adit_noise_next(n[0], &r), ADIT_OK);
    assert_int_equal(adit_noise_next(n[1], &r), ADIT_AGAIN);
    free_both(n);
}

/* ---- early muxer --------------------------------------------------------- */

static const struct {
    const char *why;
    const char *init[4], *resp[4]; /* NULL ends */
    int at_init, at_resp;
} muxer_cases[] = {
    { "neither sends a list", { NULL }, { NULL }, -1, -1 },
    { "rust listens", { "/yamux/1.0.0" }, { NULL }, -1, -1 },
    { "rust dials", { NULL }, { "/yamux/1.0.0" }, -1, -1 },
    { "both the same", { "/yamux/1.0.0" }, { "/yamux/1.0.0" }, 0, 0 },
    { "nothing in common", { "/mplex/6.7.0" }, { "/yamux/1.0.0" }, -1, -1 },
    { "the initiator's order counts", { "/a", "/b" }, { "/b", "/a" }, 0, 1 },
    { "and the other way round", { "/b", "/a" }, { "/a", "/b" }, 0, 1 },
    { "its first is unknown", { "/x", "/b", "/a" }, { "/a", "/b" }, 1, 1 },
    { "named twice", { "/x", "/a", "/a" }, { "/y", "/a", "/a" }, 1, 1 },
    { "a prefix is no match", { "/yamux" }, { "/yamux/1.0.0" }, -1, -1 },
};

static size_t
length(const char *const list[static 4])
{
    size_t n = 0;

    while (n < 4 && list[n] != NULL)
        n++;
    return n;
}

static void
test_muxers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(muxer_cases); i++) {
        const char *const *a = muxer_cases[i].init;
        const char *const *b = muxer_cases[i].resp;
        struct adit_noise *n[2] = {
            make(ADIT_NOISE_INITIATOR, &alice, a, length(a)),
            make(ADIT_NOISE_RESPONDER, &bob, b, length(b)),
        };
        struct adit_noise_result r[2];
        struct trace t;

        print_message("%s\n", muxer_cases[i].why);
        converse(n, 64, &t);
        results(n, r);
        assert_int_equal(r[0].muxer, muxer_cases[i].at_init);
        assert_int_equal(r[1].muxer, muxer_cases[i].at_resp);
        free_both(n);
    }
    /* The sizes that go has, for one name. */
    {
        struct adit_noise *n[2] = {
            make(ADIT_NOISE_INITIATOR, &alice, yamux_only, 1),
            make(ADIT_NOISE_RESPONDER, &bob, yamux_only, 1),
        };
        struct trace t;

        converse(n, SIZE_MAX, &t);
        assert_int_equal(t.n[0], 2 + 32 + 2 + 184);
        assert_int_equal(t.n[1], 2 + 216);
        free_both(n);
    }
}

static void
test_too_many_muxers(void **state)
{
    static char name[420];
    const char *many[ADIT_NOISE_MAX_MUXERS + 1];
    const char *const big[] = { name };
    struct adit_noise_static st, zero;
    struct adit_noise_config cfg = {
        .role = ADIT_NOISE_INITIATOR,
        .identity = &alice,
        .muxers = big,
        .n_muxers = 1,
    };
    struct adit_noise *n;

    (void)state;
    memset(&zero, 0, sizeof(zero));
    for (size_t i = 0; i < ADIT_NITEMS(many); i++)
        many[i] = "/yamux/1.0.0";
    assert_int_equal(
        adit_noise_static_make(&st, &alice, many, ADIT_NITEMS(many) - 1, &rng),
        ADIT_OK);
    adit_noise_static_fini(&st);
    assert_memory_equal(&st, &zero, sizeof(st));
    assert_int_equal(
        adit_noise_static_make(&st, &alice, many, ADIT_NITEMS(many), &rng),
        ADIT_EINVAL);
    assert_memory_equal(&st, &zero, sizeof(st));
    memset(name, 'x', sizeof(name) - 1);
    assert_int_equal(adit_noise_new(&mem, &cfg, &rng, &n), ADIT_EINVAL);
}

/* ---- who it is ----------------------------------------------------------- */

static void
test_expected(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct adit_noise *n[2];
        struct adit_noise_result r;
        struct trace t;
        const struct adit_peerid none = { 0 };

        n[0] = make_expecting(ADIT_NOISE_INITIATOR, &alice,
                              side == 0 ? &mallory.id : &bob.id);
        n[1] = make_expecting(ADIT_NOISE_RESPONDER, &bob,
                              side == 1 ? &mallory.id : &none);
        converse(n, SIZE_MAX, &t);
        assert_int_equal(t.err[side], ADIT_EAUTH);
        assert_string_equal(adit_noise_why(n[side]),
                            "peer is not the expected one");
        assert_int_equal(adit_noise_next(n[side], &r), ADIT_EAUTH);
        /* Who is not expected does not learn who we are. */
        if (side == 0)
            assert_int_equal(t.n[0], 2 + 32);
        free_both(n);
    }
}

/* A peer whose Noise is right and whose payload is what the test wants. */
struct crafted {
    struct adit_noise_pair s;
    struct adit_noise_xx xx;
};

static void
crafted_init(struct crafted *c, bool is_initiator)
{
    struct adit_secret e;

    adit_rng_fill(&rng, c->s.secret.b, 32);
    adit_noise_pair_derive(&c->s);
    adit_rng_fill(&rng, e.b, 32);
    adit_noise_xx_init(&c->xx, is_initiator, ADIT_SLICE_NONE, &c->s, &e);
}

/* Its next message, framed, into `n`. */
static adit_err
crafted_send(struct crafted *c, struct adit_slice payload,
             struct adit_noise *n)
{
    static uint8_t buf[70000];
    size_t len = payload.n + adit_noise_xx_overhead(c->xx.at);
    size_t used = 0;
    adit_err e;

    adit_put_be16(buf, (uint16_t)len);
    assert_int_equal(adit_noise_xx_write(&c->xx, payload, buf + 2), ADIT_OK);
    e = adit_noise_feed(n, adit_slice(buf, len + 2), &used);
    if (e == ADIT_OK)
        assert_int_equal(used, len + 2);
    return e;
}

static void
crafted_recv(struct crafted *c, struct adit_noise *n)
{
    struct adit_slice o = adit_noise_out(n), payload;
    uint8_t *p = exact(o);
    size_t len = adit_get_be16(p);

    assert_int_equal(adit_noise_xx_read(
                         &c->xx, (struct adit_mslice){ p + 2, len }, &payload),
                     ADIT_OK);
    adit_noise_sent(n, len + 2);
    test_free(p);
}

enum twist {
    HONEST,
    EMPTY,
    GARBAGE,
    NO_KEY,
    NO_SIG,
    OTHER_KEY,    /* mallory's key, bob's signature */
    OTHER_STATIC, /* a signature of another static key */
    OTHER_PREFIX, /* signed without the prefix */
    SHORT_SIG,
    LONG_SIG,
    PADDED_KEY, /* a key message that is not canonical */
    KEY_OF_NO_KIND,
    UNKNOWN_FIELD,
    LARGEST,
    TOO_LARGE,
};

static const struct {
    const char *why;
    enum twist twist;
    adit_err want;
} payload_cases[] = {
    { "as it should be", HONEST, ADIT_OK },
    { "nothing", EMPTY, ADIT_EPROTO },
    { "no protobuf", GARBAGE, ADIT_EPROTO },
    { "no key", NO_KEY, ADIT_EPROTO },
    { "no signature", NO_SIG, ADIT_EPROTO },
    { "somebody else's signature", OTHER_KEY, ADIT_EAUTH },
    { "a signature seen elsewhere", OTHER_STATIC, ADIT_EAUTH },
    { "a signature of the bare key", OTHER_PREFIX, ADIT_EAUTH },
    { "a signature cut short", SHORT_SIG, ADIT_EAUTH },
    { "a signature too long", LONG_SIG, ADIT_EAUTH },
    { "a key with a padded length", PADDED_KEY, ADIT_EPROTO },
    { "a key of no kind", KEY_OF_NO_KIND, ADIT_EPROTO },
    { "a field from the future", UNKNOWN_FIELD, ADIT_OK },
    { "as large as can be", LARGEST, ADIT_OK },
    { "one byte larger", TOO_LARGE, ADIT_EPROTO },
};

/* bob's payload for a static key, with something wrong. */
static struct adit_slice
twisted(enum twist twist, const struct adit_noise_xx *xx,
        uint8_t buf[static MAX_WIRE_BYTES])
{
    struct adit_mslice dst = { buf, MAX_WIRE_BYTES };
    struct adit_pb_noise m = { .n_muxers = 0 };
    uint8_t msg[24 + 32], sig[65] = { 0 };
    uint8_t key[ADIT_PUBKEY_ED25519_BYTES + 1];
    size_t n = 0, max;

    memcpy(msg, "noise-libp2p-static-key:", 24);
    memcpy(msg + 24, xx->s->pub, 32);
    if (twist == OTHER_STATIC)
        msg[24] ^= 1;
    adit_identity_sign(&bob,
                       twist == OTHER_PREFIX ? adit_slice(msg + 24, 32)
                                             : adit_slice(msg, sizeof(msg)),
                       sig);
    m.identity_sig = adit_slice(sig, twist == SHORT_SIG  ? 63
                                     : twist == LONG_SIG ? 65
                                                         : 64);
    memcpy(key, (twist == OTHER_KEY ? &mallory : &bob)->pubkey_msg, 36);
    m.identity_key = adit_slice(key, 36);
    if (twist == PADDED_KEY) {
        memmove(key + 4, key + 3, 33); /* 08 01 12 a0 00 */
        key[3] = 0xa0;
        memmove(key + 5, key + 4, 32);
        key[4] = 0;
        m.identity_key.n = 37;
    }
    if (twist == KEY_OF_NO_KIND)
        key[1] = 9;
    if (twist == NO_KEY)
        m.identity_key = ADIT_SLICE_NONE;
    if (twist == NO_SIG)
        m.identity_sig = ADIT_SLICE_NONE;
    assert_int_equal(adit_pb_noise_enc(&m, dst, &n), ADIT_OK);
    max = ADIT_NOISE_MAX_MSG_BYTES - adit_noise_xx_overhead(xx->at);
    switch (twist) {
    case EMPTY:
        n = 0;
        break;
    case GARBAGE:
        memset(buf, 0xff, n);
        break;
    case UNKNOWN_FIELD:
        memcpy(buf + n, "\x7a\x03xyz", 5); /* field 15, bytes */
        n += 5;
        break;
    case LARGEST:
    case TOO_LARGE:
        /* Field 15 again, with a length of two bytes, to the brim. */
        max += twist == TOO_LARGE;
        buf[n] = 0x7a;
        buf[n + 1] = (uint8_t)(((max - n - 3) & 0x7f) | 0x80);
        buf[n + 2] = (uint8_t)((max - n - 3) >> 7);
        memset(buf + n + 3, 'z', max - n - 3);
        n = max;
        break;
    default:
        break;
    }
    return adit_slice(buf, n);
}

static void
test_payloads(void **state)
{
    uint8_t buf[MAX_WIRE_BYTES];

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(payload_cases); i++) {
        enum twist twist = payload_cases[i].twist;

        print_message("%s\n", payload_cases[i].why);
        for (int role = 0; role < 2; role++) {
            bool ours_is_initiator = role == 0;
            struct adit_noise *n =
                make(ours_is_initiator ? ADIT_NOISE_INITIATOR
                                       : ADIT_NOISE_RESPONDER,
                     &alice, NULL, 0);
            struct adit_noise_result r;
            struct crafted c;
            size_t used;
            adit_err e;

            crafted_init(&c, !ours_is_initiator);
            if (!ours_is_initiator)
                assert_int_equal(crafted_send(&c, ADIT_SLICE_NONE, n),
                                 ADIT_OK);
            crafted_recv(&c, n);
            e = crafted_send(&c, twisted(twist, &c.xx, buf), n);
            assert_int_equal(e, payload_cases[i].want);
            if (e == ADIT_OK) {
                if (ours_is_initiator)
                    crafted_recv(&c, n);
                assert_int_equal(adit_noise_next(n, &r), ADIT_OK);
                assert_true(adit_peerid_eq(&r.peer, &bob.id));
            } else {
                assert_non_null(adit_noise_why(n));
                assert_int_equal(adit_noise_out(n).n, 0);
                assert_int_equal(adit_noise_next(n, &r), e);
                assert_int_equal(adit_noise_feed(n, adit_slice(buf, 1), &used),
                                 e);
            }
            adit_noise_free(n);
        }
    }
}

/* Whatever message 0 says in clear is not listened to. */
static void
test_first_payload(void **state)
{
    uint8_t said[1000] = { 1, 2, 3 }, buf[MAX_WIRE_BYTES];
    struct adit_noise *n = make(ADIT_NOISE_RESPONDER, &alice, NULL, 0);
    struct adit_noise_result r;
    struct crafted c;

    (void)state;
    crafted_init(&c, true);
    assert_int_equal(crafted_send(&c, adit_slice(said, sizeof(said)), n),
                     ADIT_OK);
    crafted_recv(&c, n);
    assert_int_equal(crafted_send(&c, twisted(HONEST, &c.xx, buf), n),
                     ADIT_OK);
    assert_int_equal(adit_noise_next(n, &r), ADIT_OK);
    adit_noise_free(n);
}

/* ---- malformed ----------------------------------------------------------- */

/* Every byte of a whole handshake counts, but the length's high bits most. */
static void
test_flipped(void **state)
{
    static const size_t total[2] = { 2 + 32 + 2 + 168, 2 + 200 };

    (void)state;
    for (int side = 0; side < 2; side++) {
        for (size_t at = 0; at < total[side]; at++) {
            struct adit_noise *n[2] = {
                make(ADIT_NOISE_INITIATOR, &alice, NULL, 0),
                make(ADIT_NOISE_RESPONDER, &bob, NULL, 0),
            };
            struct adit_noise_result r;
            struct trace t;

            converse_flipped(n, SIZE_MAX, side, at, &t);
            /* A longer length waits for ever; its deadline is its driver's. */
            assert_false(adit_noise_next(n[0], &r) == ADIT_OK &&
                         adit_noise_next(n[1], &r) == ADIT_OK);
            for (int i = 0; i < 2; i++)
                assert_true(t.err[i] == ADIT_OK || t.err[i] == ADIT_EPROTO);
            free_both(n);
        }
    }
}

static const struct {
    const char *why;
    enum adit_noise_role role;
    uint16_t len;
    adit_err want;
} length_cases[] = {
    { "no message 0", ADIT_NOISE_RESPONDER, 0, ADIT_EPROTO },
    { "message 0 too short", ADIT_NOISE_RESPONDER, 31, ADIT_EPROTO },
    { "message 0", ADIT_NOISE_RESPONDER, 32, ADIT_OK },
    { "message 0 at the cap", ADIT_NOISE_RESPONDER, 4096, ADIT_OK },
    { "message 0 above it", ADIT_NOISE_RESPONDER, 4097, ADIT_EPROTO },
    { "message 0 at its most", ADIT_NOISE_RESPONDER, 65535, ADIT_EPROTO },
    { "message 1 too short", ADIT_NOISE_INITIATOR, 95, ADIT_EPROTO },
    { "message 1", ADIT_NOISE_INITIATOR, 96, ADIT_OK },
    { "message 1 above the cap", ADIT_NOISE_INITIATOR, 4097, ADIT_EPROTO },
};

/* A length that cannot be is refused before its bytes come. */
static void
test_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(length_cases); i++) {
        struct adit_noise *n = make(length_cases[i].role, &alice, NULL, 0);
        uint8_t len[2];
        size_t used = 0;

        print_message("%s\n", length_cases[i].why);
        adit_put_be16(len, length_cases[i].len);
        assert_int_equal(adit_noise_feed(n, adit_slice(len, 1), &used),
                         ADIT_OK);
        assert_int_equal(used, 1);
        assert_int_equal(adit_noise_feed(n, adit_slice(len + 1, 1), &used),
                         length_cases[i].want);
        adit_noise_free(n);
    }
}

/* Silence, and every prefix of what a peer sends: nothing happens. */
static void
test_truncated(void **state)
{
    struct adit_noise *n[2] = { make(ADIT_NOISE_INITIATOR, &alice, NULL, 0),
                                make(ADIT_NOISE_RESPONDER, &bob, NULL, 0) };
    size_t used;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct adit_noise *from = n[i % 2], *to = n[1 - i % 2];
        struct adit_slice o = adit_noise_out(from);
        struct adit_noise_result r;

        for (size_t at = 0; at < o.n; at++) {
            size_t had = adit_noise_out(to).n;

            assert_int_equal(adit_noise_feed(to, ADIT_SLICE_NONE, &used),
                             ADIT_OK);
            assert_int_equal(used, 0);
            assert_int_equal(adit_noise_next(to, &r), ADIT_AGAIN);
            assert_int_equal(
                adit_noise_feed(to, adit_slice(o.p + at, 1), &used), ADIT_OK);
            assert_int_equal(used, 1);
            /* It answers a whole message only. */
            if (at + 1 < o.n)
                assert_int_equal(adit_noise_out(to).n, had);
        }
        adit_noise_sent(from, o.n);
    }
    free_both(n);
}

/* ---- export, memory ------------------------------------------------------ */

static void
test_export(void **state)
{
    struct adit_secret first[2], other, before = { { 0 } };

    (void)state;
    for (int session = 0; session < 2; session++) {
        struct adit_noise *n[2] = {
            make(ADIT_NOISE_INITIATOR, &alice, NULL, 0),
            make(ADIT_NOISE_RESPONDER, &bob, NULL, 0),
        };
        struct adit_noise_result r[2];
        struct adit_secret s[2];
        struct trace t;

        for (int i = 0; i < 2; i++) {
            other = before;
            assert_int_equal(adit_noise_export(n[i], "a", &other),
                             ADIT_ESTATE);
            assert_true(adit_secret_eq(&other, &before));
        }
        converse(n, SIZE_MAX, &t);
        for (int i = 0; i < 2; i++)
            assert_int_equal(adit_noise_export(n[i], "a", &s[i]), ADIT_OK);
        results(n, r);
        assert_true(adit_secret_eq(&s[0], &s[1]));
        assert_int_equal(adit_noise_export(n[0], "b", &other), ADIT_OK);
        assert_false(adit_secret_eq(&s[0], &other));
        assert_int_equal(adit_noise_export(n[1], "", &other), ADIT_OK);
        assert_false(adit_secret_eq(&s[0], &other));
        /* Still the same behind _next; and never a key. */
        assert_int_equal(adit_noise_export(n[1], "a", &other), ADIT_OK);
        assert_true(adit_secret_eq(&s[0], &other));
        assert_false(adit_secret_eq(&s[0], &r[0].tx.k));
        assert_false(adit_secret_eq(&s[0], &r[0].rx.k));
        first[session] = s[0];
        free_both(n);
    }
    assert_false(adit_secret_eq(&first[0], &first[1]));
}

static void
test_oom(void **state)
{
    struct adit_noise_config cfg = { .role = ADIT_NOISE_RESPONDER,
                                     .identity = &alice };
    struct adit_noise *n = NULL;
    struct adit_mem m;

    (void)state;
    adit_mem_init(&m, NULL, 100);
    assert_int_equal(adit_noise_new(&m, &cfg, &rng, &n), ADIT_ENOMEM);
    assert_null(n);
    adit_mem_init(&m, NULL, 9 * 1024);
    assert_int_equal(adit_noise_new(&m, &cfg, &rng, &n), ADIT_OK);
    assert_int_equal(m.n_allocs, 1); /* and no more is needed */
    adit_noise_free(n);
    assert_int_equal(m.used_bytes, 0);
    adit_noise_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_result_waits),
        cmocka_unit_test(test_muxers),
        cmocka_unit_test(test_too_many_muxers),
        cmocka_unit_test(test_expected),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_first_payload),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
