/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common.h"

#include "codec/key.h"
#include "codec/record.h"
#include "wire/identify/identify.h"

/* An address of eight bytes, /ip4/127.0.0.1/tcp/4001. */
#define ADDR 0x04, 127, 0, 0, 1, 0x06, 0x0f, 0xa1

static const uint8_t addr[] = { ADDR };

static void
identity(struct adit_identity *id, uint8_t first)
{
    struct adit_secret seed = { { first } };

    adit_identity_from_seed(id, &seed);
}

static struct adit_slice
pubkey(const struct adit_identity *id)
{
    return adit_slice(id->pubkey_msg, sizeof(id->pubkey_msg));
}

/* Feed in pieces, each of which is gone when the next one comes. */
static adit_err
feed(struct adit_identify *m, struct adit_slice in, size_t piece)
{
    while (in.n > 0) {
        struct adit_slice s = adit_slice(in.p, ADIT_MIN(in.n, piece));
        uint8_t *p = exact(s);
        size_t used = 4321;
        adit_err e = adit_identify_feed(m, adit_slice(p, s.n), &used);

        test_free(p);
        assert_int_equal(used, e == ADIT_OK ? s.n : 4321);
        if (e != ADIT_OK)
            return e;
        in = adit_slice_skip(in, s.n);
    }
    return ADIT_OK;
}

/* All of what the peer with seed 'p' says, up to its end. */
static adit_err
hear(struct adit_identify *m, struct adit_mem *mem, struct adit_slice in,
     size_t piece, struct adit_identify_result *r)
{
    struct adit_identity peer;
    adit_err e;

    identity(&peer, 'p');
    adit_identify_init(m, mem, &peer.id);
    e = feed(m, in, piece);
    assert_int_equal(adit_identify_next(m, r), ADIT_AGAIN);
    if (e == ADIT_OK)
        e = adit_identify_eof(m);
    if (e == ADIT_OK) {
        assert_int_equal(adit_identify_eof(m), ADIT_OK); /* twice is fine */
        e = adit_identify_next(m, r);
    } else
        assert_non_null(adit_identify_why(m));
    assert_int_equal(adit_identify_next(m, r),
                     ADIT_AGAIN); /* once, or never */
    return e;
}

/* Append a message with its length. */
static size_t
put(uint8_t *dst, const struct adit_pb_identify *msg)
{
    uint8_t buf[ADIT_PB_IDENTIFY_MAX_BYTES];
    size_t n, at;

    assert_int_equal(adit_pb_identify_enc(
                         msg, (struct adit_mslice){ buf, sizeof(buf) }, &n),
                     ADIT_OK);
    at = adit_lpm_prefix(n, dst);
    memcpy(dst + at, buf, n);
    return at + n;
}

static size_t
put_record(uint8_t *dst, uint8_t seed, uint64_t seq,
           const struct adit_slice *addrs, size_t n_addrs)
{
    struct adit_identity id;
    size_t n;

    identity(&id, seed);
    assert_int_equal(adit_record_enc(&id, seq, addrs, n_addrs,
                                     (struct adit_mslice){ dst, 2000 }, &n),
                     ADIT_OK);
    return n;
}

/* --- the writer ---------------------------------------------------------- */

static void
test_enc(void **state)
{
    /* clang-format off */
    static const uint8_t want[] = {
        0x37,
        0x0a, 0x03, 'k', 'e', 'y',
        0x12, 0x08, ADDR,
        0x1a, 0x02, '/', 'x',
        0x22, 0x08, ADDR,
        0x2a, 0x0a, 'i', 'p', 'f', 's', '/', '0', '.', '1', '.', '0',
        0x32, 0x06, 'a', 'd', 'i', 't', '/', '0',
        0x42, 0x04, 'b', 'o', 'o', 'k',
    };
    /* clang-format on */
    /* What we see the peer at; with its id, as a connection may name it. */
    static const uint8_t seen[] = { ADDR, 0xa5, 0x03, 0x04,
                                    0x00, 0x02, 0x08, 0x01 };
    const struct adit_slice addrs[] = { adit_slice(addr, sizeof(addr)) };
    const struct adit_slice protocols[] = { adit_slice("/x", 2) };
    const struct adit_identify_info info = {
        .pubkey_msg = adit_slice("key", 3),
        .agent = adit_slice("adit/0", 6),
        .observed = adit_slice(seen, sizeof(seen)),
        .protocols = protocols,
        .n_protocols = 1,
        .addrs = addrs,
        .n_addrs = 1,
        .record = adit_slice("book", 4),
    };
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];

    (void)state;
    assert_int_equal(adit_identify_enc(&info, buf), sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));
}

/* Whatever is asked, one message of at most 4096 bytes; the first stay. */
static void
test_enc_fits(void **state)
{
    static const struct {
        const char *why;
        size_t n_protocols, protocol_bytes, n_addrs, addr_bytes;
        size_t record_bytes, agent_bytes;
        size_t want_protocols, want_addrs;
        bool want_record;
    } cases[] = {
        { "an ordinary peer", 30, 30, 10, 60, 700, 20, 30, 10, true },
        { "a record too long", 30, 30, 10, 60, 3000, 20, 30, 10, false },
        { "too many addresses", 10, 30, 80, 60, 700, 20, 10, 59, false },
        { "more addresses than a message has", 1, 9, 90, 10, 99, 9, 1, 64,
          true },
        { "too many protocols", 500, 30, 10, 60, 700, 20, 64, 10, true },
        { "more protocols than a message has", 200, 3, 10, 60, 700, 20, 128,
          10, true },
        { "a protocol that fits nowhere", 1, 3000, 5, 60, 700, 20, 0, 5,
          true },
        { "an agent with a story", 3, 30, 5, 60, 700, 5000, 3, 5, true },
        { "all of it", 500, 100, 500, 500, 5000, 5000, 20, 3, false },
    };
    static uint8_t bytes[5000] = { 'x' };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_slice protocols[500], addrs[500];
        struct adit_identity id;
        struct adit_identify_info info = {
            .agent = adit_slice(bytes, cases[i].agent_bytes),
            .observed = adit_slice(addr, sizeof(addr)),
            .protocols = protocols,
            .n_protocols = cases[i].n_protocols,
            .addrs = addrs,
            .n_addrs = cases[i].n_addrs,
            .record = adit_slice(bytes, cases[i].record_bytes),
        };
        uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];
        struct adit_pb_arena arena;
        struct adit_pb_identify msg;
        size_t n;

        (void)state;
        print_message("%s\n", cases[i].why);
        identity(&id, 'p');
        info.pubkey_msg = pubkey(&id);
        for (size_t k = 0; k < 500; k++) {
            protocols[k] = adit_slice(bytes, cases[i].protocol_bytes);
            addrs[k] = adit_slice(bytes, cases[i].addr_bytes);
        }
        n = adit_identify_enc(&info, buf);
        assert_true(n <= ADIT_IDENTIFY_OUT_BYTES);
        assert_true(n >= 0x80); /* so that its prefix has two bytes */
        assert_int_equal((buf[0] & 0x7f) | buf[1] << 7, n - 2);
        assert_int_equal(
            adit_pb_identify_dec(&arena, adit_slice(buf + 2, n - 2), &msg),
            ADIT_OK);
        assert_true(adit_slice_eq(msg.pubkey, info.pubkey_msg));
        assert_int_equal(msg.observed_addr.n, sizeof(addr));
        assert_int_equal(msg.agent_version.n,
                         ADIT_MIN(cases[i].agent_bytes, (size_t)128));
        assert_int_equal(msg.n_protocols, cases[i].want_protocols);
        assert_int_equal(msg.n_listen_addrs, cases[i].want_addrs);
        assert_int_equal(msg.signed_peer_record.n,
                         cases[i].want_record ? cases[i].record_bytes : 0);
    }
}

/* An address longer than any of ours is nothing to tell. */
static void
test_enc_observed(void **state)
{
    static const uint8_t want[] = { 0x0c, 0x2a, 0x0a, 'i', 'p', 'f', 's',
                                    '/',  '0',  '.',  '1', '.', '0' };
    static uint8_t bytes[600] = { 0xff };
    const struct adit_identify_info info = {
        .observed = adit_slice(bytes, sizeof(bytes)),
    };
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];

    (void)state;
    assert_int_equal(adit_identify_enc(&info, buf), sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));
}

/* --- the reader ---------------------------------------------------------- */

/* What we write, another adit reads; at every size of piece. */
static void
test_read_ours(void **state)
{
    static const char *const names[] = { "/ipfs/id/1.0.0",
                                         "/ipfs/id/push/1.0.0", "/x" };
    static const uint8_t other[] = { 0x04, 10, 0, 0, 1, 0x06, 0x0f, 0xa1 };
    const struct adit_slice addrs[] = { adit_slice(addr, sizeof(addr)),
                                        adit_slice(other, sizeof(other)) };
    struct adit_slice protocols[3];
    struct adit_identity id;
    uint8_t record[2000];
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];
    struct adit_identify_info info = {
        .agent = adit_slice("adit/0", 6),
        .observed = adit_slice(addr, sizeof(addr)),
        .protocols = protocols,
        .n_protocols = 3,
        .addrs = addrs,
        .n_addrs = 1,
    };
    size_t n;

    identity(&id, 'p');
    info.pubkey_msg = pubkey(&id);
    info.record = adit_slice(record, put_record(record, 'p', 77, addrs, 2));
    for (size_t i = 0; i < 3; i++)
        protocols[i] = adit_slice_str(names[i]);
    n = adit_identify_enc(&info, buf);
    for (size_t piece = 1; piece <= n; piece++) {
        struct adit_identify m;
        struct adit_identify_result r;

        assert_int_equal(hear(&m, *state, adit_slice(buf, n), piece, &r),
                         ADIT_OK);
        assert_slice_equal(r.agent, "adit/0", 6);
        assert_slice_equal(r.version, "ipfs/0.1.0", 10);
        assert_slice_equal(r.observed, addr, sizeof(addr));
        assert_int_equal(r.n_protocols, 3);
        for (size_t i = 0; i < 3; i++)
            assert_true(adit_slice_eq(r.protocols[i], protocols[i]));
        assert_true(adit_identify_has(&r, ADIT_IDENTIFY_PUSH_ID));
        assert_false(adit_identify_has(&r, "/"));
        assert_true(r.is_certified);
        assert_int_equal(r.record_seq, 77);
        assert_int_equal(r.n_addrs, 2);
        assert_slice_equal(r.addrs[1], other, sizeof(other));
        assert_false(r.key_is_wrong || r.record_is_wrong || r.is_cut);
        adit_identify_fini(&m);
    }

    /* A prefix is an error at its end, and nothing before. */
    for (size_t k = 0; k < n; k++) {
        struct adit_identify m;
        struct adit_identify_result r;

        assert_int_equal(hear(&m, *state, adit_slice(buf, k), 50, &r),
                         ADIT_EPROTO);
        adit_identify_fini(&m);
    }
}

/* go's two messages: all but the record, then the record alone. */
static void
test_merge(void **state)
{
    static uint8_t in[8192];
    const struct adit_slice addrs[] = { adit_slice("one", 3),
                                        adit_slice("two", 3) };
    struct adit_identity id;
    uint8_t record[2000];
    struct adit_pb_identify a = {
        .agent_version = adit_slice("old", 3),
        .protocol_version = adit_slice("ipfs/0.1.0", 10),
        .observed_addr = adit_slice(addr, sizeof(addr)),
        .n_protocols = 1,
        .protocols = { adit_slice("/a", 2) },
        .n_listen_addrs = 1,
        .listen_addrs = { adit_slice(addr, sizeof(addr)) },
    };
    struct adit_pb_identify b = {
        .agent_version = adit_slice("newer", 5),
        .n_protocols = 2,
        .protocols = { adit_slice("/b", 2), adit_slice("/c", 2) },
    };
    struct adit_identify m;
    struct adit_identify_result r;
    size_t n;

    identity(&id, 'p');
    a.pubkey = pubkey(&id);
    b.signed_peer_record =
        adit_slice(record, put_record(record, 'p', 1, addrs, 2));
    n = put(in, &a);
    n += put(in + n, &b);
    for (size_t piece = 1; piece <= n; piece++) {
        assert_int_equal(hear(&m, *state, adit_slice(in, n), piece, &r),
                         ADIT_OK);
        assert_slice_equal(r.agent, "newer", 5);
        assert_slice_equal(r.version, "ipfs/0.1.0", 10);
        assert_slice_equal(r.observed, addr, sizeof(addr));
        assert_int_equal(r.n_protocols, 3);
        assert_slice_equal(r.protocols[2], "/c", 2);
        assert_int_equal(r.n_addrs, 2); /* the record's, not the listed */
        assert_slice_equal(r.addrs[1], "two", 3);
        adit_identify_fini(&m);
    }
}

/* A record is believed only from whom it speaks of. */
static void
test_records(void **state)
{
    static const struct {
        const char *why;
        uint8_t signer; /* 0: no record */
        bool flip;
        bool want_certified, want_wrong;
    } cases[] = {
        { "none", 0, false, false, false },
        { "the peer's own", 'p', false, true, false },
        { "another peer's", 'x', false, false, true },
        { "its signature broken", 'p', true, false, true },
    };
    const struct adit_slice addrs[] = { adit_slice("one", 3) };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        uint8_t in[4096], record[2000];
        struct adit_pb_identify msg = {
            .n_listen_addrs = 1,
            .listen_addrs = { adit_slice(addr, sizeof(addr)) },
        };
        struct adit_identify m;
        struct adit_identify_result r;
        size_t n = 0;

        print_message("%s\n", cases[i].why);
        if (cases[i].signer != 0)
            n = put_record(record, cases[i].signer, 5, addrs, 1);
        if (cases[i].flip)
            record[n - 1] ^= 1;
        msg.signed_peer_record = adit_slice(record, n);
        n = put(in, &msg);
        assert_int_equal(hear(&m, *state, adit_slice(in, n), n, &r), ADIT_OK);
        assert_int_equal(r.is_certified, cases[i].want_certified);
        assert_int_equal(r.record_is_wrong, cases[i].want_wrong);
        assert_int_equal(r.n_addrs, 1);
        assert_int_equal(r.addrs[0].n, cases[i].want_certified ? 3 : 8);
        adit_identify_fini(&m);
    }
}

static void
test_keys(void **state)
{
    static const struct {
        const char *why;
        uint8_t seed; /* 0: no key */
        bool want_wrong;
    } cases[] = {
        { "none", 0, false },
        { "the peer's own", 'p', false },
        { "another's", 'x', true },
    };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        uint8_t in[200];
        struct adit_pb_identify msg = { .agent_version = adit_slice("a", 1) };
        struct adit_identity id;
        struct adit_identify m;
        struct adit_identify_result r;

        print_message("%s\n", cases[i].why);
        identity(&id, cases[i].seed);
        if (cases[i].seed != 0)
            msg.pubkey = pubkey(&id);
        assert_int_equal(
            hear(&m, *state, adit_slice(in, put(in, &msg)), 7, &r), ADIT_OK);
        assert_int_equal(r.key_is_wrong, cases[i].want_wrong);
        adit_identify_fini(&m);
    }
}

static void
test_observed(void **state)
{
    /* clang-format off */
    static const struct {
        const char *why;
        uint8_t in[24];
        size_t n;
        size_t want; /* the first so many bytes */
    } cases[] = {
        { "none", { 0 }, 0, 0 },
        { "go: bare", { ADDR }, 8, 8 },
        { "js: with our id behind",
          { ADDR, 0xa5, 0x03, 0x04, 0x00, 0x02, 0x08, 0x01 }, 15, 8 },
        { "rust over a circuit: an id alone",
          { 0xa5, 0x03, 0x04, 0x00, 0x02, 0x08, 0x01 }, 7, 0 },
        { "a relay's id in the middle stays",
          { ADDR, 0xa5, 0x03, 0x04, 0x00, 0x02, 0x08, 0x01, 0xa2, 0x02 }, 17,
          17 },
        { "not an address: not for us to judge",
          { 0x04, 1, 2, 3 }, 4, 4 },
    };
    /* clang-format on */

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        uint8_t in[64];
        struct adit_pb_identify msg = {
            .agent_version = adit_slice("a", 1),
            .observed_addr = adit_slice(cases[i].in, cases[i].n),
        };
        struct adit_identify m;
        struct adit_identify_result r;

        print_message("%s\n", cases[i].why);
        assert_int_equal(
            hear(&m, *state, adit_slice(in, put(in, &msg)), 7, &r), ADIT_OK);
        assert_slice_equal(r.observed, cases[i].in, cases[i].want);
        adit_identify_fini(&m);
    }
}

static void
test_wrong(void **state)
{
    static const struct {
        const char *why;
        uint8_t in[8];
        size_t n;
    } cases[] = {
        { "nothing before the end", { 0 }, 0 },
        { "above the cap, refused before it comes", { 0x81, 0x40 }, 2 },
        { "a length not in its shortest form", { 0x82, 0x00 }, 2 },
        { "not protobuf", { 0x02, 0xff, 0xff }, 3 },
        { "a field cut short", { 0x02, 0x32, 0x05 }, 3 },
        { "a good message, then half a one", { 0x02, 0x32, 0x00, 0x02 }, 4 },
        { "a good message, then a bad one",
          { 0x02, 0x32, 0x00, 0x02, 0xff, 0xff },
          6 },
    };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        for (size_t piece = 1; piece <= cases[i].n + 1; piece++) {
            struct adit_identify m;
            struct adit_identify_result r;
            size_t used = 7;

            if (piece == 1)
                print_message("%s\n", cases[i].why);
            assert_int_equal(hear(&m, *state,
                                  adit_slice(cases[i].in, cases[i].n), piece,
                                  &r),
                             ADIT_EPROTO);
            assert_int_equal(adit_identify_feed(&m, adit_slice("x", 1), &used),
                             ADIT_EPROTO);
            assert_int_equal(adit_identify_eof(&m), ADIT_EPROTO);
            adit_identify_fini(&m);
        }
    }
}

/* Ten messages are merged, an eleventh is one too many. */
static void
test_too_many(void **state)
{
    uint8_t in[11] = { 0 }; /* empty messages are messages */
    struct adit_identify m;
    struct adit_identify_result r;

    assert_int_equal(hear(&m, *state, adit_slice(in, 10), 3, &r), ADIT_OK);
    assert_int_equal(r.n_protocols + r.n_addrs + r.agent.n, 0);
    adit_identify_fini(&m);
    assert_int_equal(hear(&m, *state, adit_slice(in, 11), 3, &r), ADIT_EPROTO);
    adit_identify_fini(&m);
}

/* A peer that says ten times all it can costs us what our header says. */
static void
test_bounds(void **state)
{
    struct adit_mem *mem = *state;
    static uint8_t in[10 * 8300];
    static uint8_t bytes[8000] = { 0x7f };
    static const struct {
        const char *why;
        size_t n_protocols, protocol_bytes, n_addrs, addr_bytes, text_bytes;
        size_t want_protocols, want_addrs, want_text;
        bool want_cut;
    } cases[] = {
        { "as many as fit", 12, 30, 3, 60, 10, 120, 30, 10, false },
        { "too many protocols", 100, 3, 1, 60, 10, 128, 10, 10, true },
        { "too many addresses", 5, 3, 60, 10, 10, 50, 32, 10, true },
        { "too long protocols", 2, 2000, 2, 10, 10, 0, 20, 10, true },
        { "too long addresses", 2, 20, 2, 511, 10, 20, 0, 10, true },
        { "too long texts", 2, 20, 2, 20, 3000, 20, 20, 128, true },
        { "too much of all", 7, 1000, 1, 500, 10, 11, 2, 10, true },
    };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_pb_identify msg = {
            .agent_version = adit_slice(bytes, cases[i].text_bytes),
            .protocol_version = adit_slice(bytes, cases[i].text_bytes),
            .n_protocols = cases[i].n_protocols,
            .n_listen_addrs = cases[i].n_addrs,
        };
        struct adit_identify m;
        struct adit_identify_result r;
        size_t n = 0;

        print_message("%s\n", cases[i].why);
        for (size_t k = 0; k < msg.n_protocols; k++)
            msg.protocols[k] = adit_slice(bytes, cases[i].protocol_bytes);
        for (size_t k = 0; k < msg.n_listen_addrs; k++)
            msg.listen_addrs[k] = adit_slice(bytes, cases[i].addr_bytes);
        for (size_t k = 0; k < 10; k++)
            n += put(in + n, &msg);
        assert_int_equal(hear(&m, mem, adit_slice(in, n), n, &r), ADIT_OK);
        assert_int_equal(r.n_protocols, cases[i].want_protocols);
        assert_int_equal(r.n_addrs, cases[i].want_addrs);
        assert_int_equal(r.agent.n, cases[i].want_text);
        assert_int_equal(r.version.n, cases[i].want_text);
        assert_int_equal(r.is_cut, cases[i].want_cut);
        assert_true(mem->used_bytes <= ADIT_IDENTIFY_MAX_KEPT_BYTES);
        adit_identify_fini(&m);
        assert_int_equal(mem->used_bytes, 0);
    }
}

/* Each allocation fails in turn. */
static void
test_no_memory(void **state)
{
    static uint8_t in[8300];
    static uint8_t bytes[900];
    struct adit_pb_identify msg = {
        .agent_version = adit_slice("a", 1),
        .n_protocols = 4,
        .protocols = { adit_slice(bytes, 900), adit_slice(bytes, 900),
                       adit_slice(bytes, 900), adit_slice(bytes, 900) },
    };
    size_t n = put(in, &msg);
    adit_err e = ADIT_ENOMEM;
    size_t piece = n; /* whole, so that the first is what is kept */

    (void)state;
    for (uint64_t at = 1; e != ADIT_OK; at++, piece = 500) {
        struct adit_mem mem;
        struct adit_identify m;
        struct adit_identify_result r;

        adit_mem_init(&mem, NULL, SIZE_MAX);
        mem.fail_at = at;
        e = hear(&m, &mem, adit_slice(in, n), piece, &r);
        if (e != ADIT_OK)
            assert_int_equal(e, ADIT_ENOMEM);
        adit_identify_fini(&m);
        assert_int_equal(mem.used_bytes, 0);
        assert_true(at < 100);
    }
}

/* Without input nothing happens, and nothing is owned. */
static void
test_silence(void **state)
{
    struct adit_mem *mem = *state;
    struct adit_identity peer;
    struct adit_identify m;
    struct adit_identify_result r;

    identity(&peer, 'p');
    adit_identify_init(&m, mem, &peer.id);
    assert_int_equal(feed(&m, ADIT_SLICE_NONE, 1), ADIT_OK);
    assert_int_equal(adit_identify_next(&m, &r), ADIT_AGAIN);
    assert_null(adit_identify_why(&m));
    assert_int_equal(mem->used_bytes, 0);
    adit_identify_fini(&m);
    adit_identify_fini(&m); /* of a zeroed one */
}

static int
setup(void **state)
{
    static struct adit_mem mem;

    adit_mem_init(&mem, NULL, SIZE_MAX);
    *state = &mem;
    return 0;
}

static int
teardown(void **state)
{
    const struct adit_mem *mem = *state;

    return mem->used_bytes == 0 ? 0 : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_enc),       TEST(test_enc_observed), TEST(test_enc_fits),
        TEST(test_read_ours), TEST(test_merge),        TEST(test_records),
        TEST(test_keys),      TEST(test_observed),     TEST(test_wrong),
        TEST(test_too_many),  TEST(test_bounds),       TEST(test_no_memory),
        TEST(test_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
