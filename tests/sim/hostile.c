/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Strangers against a relay: whatever they send or leave out, it costs them
 * their stream or connection, is counted by its name, leaves nothing behind,
 * and the pair that uses the relay notices nothing.
 */
#include "raw.h"
#include "run.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_KITS 3

struct stage {
    struct run r;
    struct raw_kit kits[N_KITS]; /* each an identity of its own */
};

static uint64_t
metric(struct stage *s, enum adit_metric m)
{
    return adit_metric_get(&s->r.relay->metrics, m);
}

static struct adit_pool *
pool(struct stage *s)
{
    return adit_worker_pool(s->r.relay->w);
}

static struct raw *
ready(struct stage *s, unsigned kit)
{
    return raw_ready(&s->kits[kit], s->r.relay, kit);
}

static struct raw *
plain(struct stage *s, bool upgrade)
{
    return raw_new(&s->kits[0], s->r.relay, 0, upgrade);
}

static void
pass(struct stage *s, int64_t us)
{
    sim_run(&s->r.w, us, NULL, NULL);
}

static const struct adit_peerid *
id_of(struct stage *s, unsigned kit)
{
    return &s->kits[kit].identity.id;
}

/* ---- before it is secured --------------------------------------------------- */

static void
garbage_first(struct stage *s)
{
    struct raw *r = plain(s, false);

    static const char get[] =
        "GET / HTTP/1.1\r\nHost: example.org\r\n"
        "User-Agent: whoever\r\nAccept: anything\r\n\r\n";

    raw_bytes(r, get, sizeof(get) - 1);
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

static void
other_security(struct stage *s)
{
    struct raw *r = plain(s, false);
    static const char hello[] = "\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n";

    raw_bytes(r, hello, sizeof(hello) - 1);
    pass(s, ADIT_S);
    /* Refused by name, and free to propose another. */
    assert_int_equal(r->n_in, 24);
    assert_memory_equal(r->in, "\x13/multistream/1.0.0\n\x03na\n", 24);
    assert_false(r->is_over);
    assert_true(raw_wait_over(r, 20 * ADIT_S));
    raw_free(r, false);
}

static void
oversize_first(struct stage *s)
{
    struct raw *r = plain(s, false);

    raw_bytes(r, "\xff\xff\xff\x7f", 4);
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

static void
garbage_in_noise(struct stage *s)
{
    struct raw *r = plain(s, false);
    uint8_t junk[200];

    memset(junk, 0xa5, sizeof(junk));
    raw_bytes(r, "\x13/multistream/1.0.0\n\x07/noise\n", 28);
    /* The first message is a key and anything; the third is proven. */
    for (int i = 0; i < 2; i++) {
        raw_bytes(r, "\x00\xc6", 2);
        raw_bytes(r, junk, 198);
    }
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

/* An identity that did not sign this Noise key. */
static void
wrong_identity(struct stage *s)
{
    struct raw_kit *k = &s->kits[0];
    struct adit_noise_static keep = k->net.statik;
    struct raw *r;

    k->net.statik.payload[k->net.statik.n_payload / 2] ^= 1;
    r = plain(s, true);
    assert_true(raw_wait_over(r, ADIT_S));
    assert_false(r->is_ready && r->n_streams > 0);
    raw_free(r, false);
    k->net.statik = keep;
}

static void
silence(struct stage *s)
{
    struct raw *r = plain(s, false);

    pass(s, 14 * ADIT_S);
    assert_false(r->is_over);
    assert_true(raw_wait_over(r, 2 * ADIT_S));
    raw_free(r, false);
}

static void
slowloris(struct stage *s)
{
    struct raw *r = plain(s, false);
    static const char hello[] = "\x13/multistream/1.0.0\n";

    for (unsigned i = 0; i < 5 && !r->is_over; i++) {
        raw_bytes(r, hello + i, 1);
        pass(s, 5 * ADIT_S);
    }
    assert_true(r->is_over);
    raw_free(r, false);
}

static void
vanishes_unsecured(struct stage *s)
{
    for (unsigned i = 0; i < 8; i++) {
        struct raw *r = plain(s, true);

        sim_run(&s->r.w, (int64_t)i * 1000, NULL, NULL);
        raw_free(r, i % 2 == 0);
    }
}

/* ---- frames ------------------------------------------------------------------- */

static void
short_frame(struct stage *s)
{
    struct raw *r = ready(s, 0);

    raw_bytes(r,
              "\x00\x0f"
              "123456789012345",
              17);
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

static void
forged_frame(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint8_t f[34] = { 0, 32 };

    raw_bytes(r, f, sizeof(f));
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

static void
partial_frame(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint8_t *z = calloc(1, 60000);

    raw_noise_cut(r, z, 60000, 1);
    pass(s, 9 * ADIT_S);
    assert_false(r->is_over);
    assert_in_range(pool(s)->used_bytes, 60000, 140000);
    assert_true(raw_wait_over(r, 2 * ADIT_S));
    raw_free(r, false);
    free(z);
}

static void
partial_trickle(struct stage *s)
{
    struct raw *r = ready(s, 0);

    raw_bytes(r, "\xff", 1);
    for (unsigned i = 0; i < 8 && !r->is_over; i++) {
        raw_bytes(r, "\xff", 1);
        pass(s, 2 * ADIT_S);
    }
    assert_true(r->is_over);
    raw_free(r, false);
}

/* ---- yamux -------------------------------------------------------------------- */

static void
must_go(struct raw *r)
{
    assert_true(raw_wait_over(r, ADIT_S));
    assert_true(r->has_goaway);
    assert_int_equal(r->goaway, 1); /* protocol error */
    raw_free(r, false);
}

static void
yamux_headers(struct stage *s)
{
    static const struct {
        uint8_t h[12];
    } bad[] = {
        { { 1, RAW_PING, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 } },
        { { 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
        { { 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
        { { 0, RAW_DATA, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5 } },
        { { 0, RAW_DATA, 0, RAW_SYN, 0, 0, 0, 2, 0, 0, 0, 0 } },
        { { 0, RAW_WINDOW, 0, RAW_SYN, 0, 0, 0, 0, 0, 0, 0, 0 } },
        { { 0, RAW_DATA, 0, RAW_SYN, 0, 0, 0, 1, 255, 255, 255, 255 } },
        { { 0, RAW_WINDOW, 0, RAW_SYN, 0, 0, 0, 1, 255, 255, 255, 255 } },
    };

    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        struct raw *r = ready(s, 0);

        raw_noise(r, bad[i].h, 12);
        must_go(r);
    }
}

static void
opened_twice(struct stage *s)
{
    struct raw *r = ready(s, 0);

    raw_frame(r, RAW_WINDOW, RAW_SYN, 1, 0, NULL, 0);
    raw_frame(r, RAW_WINDOW, RAW_SYN, 1, 0, NULL, 0);
    must_go(r);
}

static void
syn_flood(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint64_t refused = metric(s, ADIT_M_STREAMS_REFUSED);
    uint8_t f[12 * 100] = { 0 };
    size_t n_rst = 0;

    for (uint32_t i = 0; i < 10000; i += 100) {
        for (uint32_t k = 0; k < 100; k++) {
            uint8_t *h = f + 12 * k;

            h[1] = RAW_WINDOW;
            h[3] = RAW_SYN;
            adit_put_be32(h + 4, 2 * (i + k) + 1);
        }
        raw_noise(r, f, sizeof(f));
        pass(s, 1000);
        assert_in_range(metric(s, ADIT_M_STREAMS), 0, 300);
    }
    pass(s, ADIT_S);
    assert_false(r->is_over);
    for (size_t i = 0; i < r->n_streams; i++)
        n_rst += r->streams[i]->rst;
    assert_in_range(n_rst, 9900, 10000);
    assert_in_range(metric(s, ADIT_M_STREAMS_REFUSED) - refused, 9900, 10000);
    /* Those it let in were never negotiated. */
    pass(s, 12 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_STREAMS_REFUSED) - refused, 10000);
    assert_int_equal(metric(s, ADIT_M_STREAMS), 0);
    raw_free(r, false);
}

/* ---- streams ------------------------------------------------------------------- */

static void
unknown_protocol(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint32_t id = raw_open(r, "/no/such/thing/1.0.0");
    struct raw_stream *t;

    pass(s, ADIT_S);
    t = raw_stream(r, id);
    assert_non_null(t);
    assert_int_equal(t->n, 24);
    assert_memory_equal(t->b, "\x13/multistream/1.0.0\n\x03na\n", 24);
    pass(s, 12 * ADIT_S);
    assert_true(t->rst);
    assert_false(r->is_over);
    raw_free(r, false);
}

static void
garbage_for_protocol(struct stage *s)
{
    struct raw *r = ready(s, 0);

    raw_frame(r, RAW_DATA, RAW_SYN, 1, 6, "\xff\xff\xff\xff\xff\x7f", 6);
    raw_frame(r, RAW_DATA, RAW_SYN | RAW_FIN, 3, 3, "\x13/m", 3);
    pass(s, ADIT_S);
    assert_true(raw_stream(r, 1)->rst);
    assert_true(raw_stream(r, 3)->rst);
    assert_false(r->is_over);
    raw_free(r, false);
}

/* ---- hop ------------------------------------------------------------------------ */

static void
hop_malformed(struct stage *s)
{
    static const struct {
        uint8_t b[16];
        size_t n;
        uint32_t status;
        enum adit_metric m;
        const char *why;
    } bad[] = {
        { { 3, 0xff, 0xff, 0xff },
          4,
          400,
          ADIT_M_RSVP_REJ_MALFORMED,
          "not a message" },
        { { 0 }, 1, 400, ADIT_M_RSVP_REJ_MALFORMED, "no type" },
        { { 2, 8, 2 }, 3, 401, ADIT_M_RSVP_REJ_MALFORMED, "STATUS" },
        { { 2, 8, 9 }, 3, 401, ADIT_M_RSVP_REJ_MALFORMED, "unknown type" },
        { { 2, 8, 1 }, 3, 400, ADIT_M_CONNECT_REJ_MALFORMED, "to nobody" },
        { { 8, 8, 1, 0x12, 4, 0x0a, 2, 1, 2 },
          9,
          400,
          ADIT_M_CONNECT_REJ_MALFORMED,
          "to what is no peer id" },
        { { 0xff, 0xff, 0x7f },
          3,
          400,
          ADIT_M_RSVP_REJ_MALFORMED,
          "oversize" },
    };
    struct raw *r = ready(s, 0);

    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        uint64_t before = metric(s, bad[i].m);
        uint32_t id = raw_open(r, RAW_HOP);
        uint32_t status;

        raw_data(r, id, bad[i].b, bad[i].n);
        status = raw_wait(r, id);
        if (status != bad[i].status || metric(s, bad[i].m) != before + 1)
            fail_msg("%s: status %u", bad[i].why, status);
    }
    assert_false(r->is_over);
    raw_free(r, false);
}

static void
hop_silent(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint32_t half = raw_open(r, RAW_HOP), none = raw_open(r, RAW_HOP);
    uint32_t ended = raw_open(r, RAW_HOP);

    raw_data(r, half, "\x22", 1);
    raw_frame(r, RAW_DATA, RAW_FIN, ended, 0, NULL, 0);
    pass(s, ADIT_S);
    assert_true(raw_stream(r, ended)->rst);
    pass(s, 61 * ADIT_S);
    assert_true(raw_stream(r, half)->rst);
    assert_true(raw_stream(r, none)->rst);
    raw_free(r, false);
}

static void
connect_unreserved(struct stage *s)
{
    struct raw *r = ready(s, 0), *other = ready(s, 1);

    assert_int_equal(raw_wait(r, raw_connect(r, id_of(s, 1))), 204);
    assert_int_equal(raw_wait(r, raw_connect(r, id_of(s, 0))), 204);
    raw_free(r, false);
    raw_free(other, false);
}

/* Bytes behind a request, before its answer. */
static void
connect_early_flood(struct stage *s)
{
    struct raw *dst = ready(s, 0), *r = ready(s, 1);
    uint8_t *z = calloc(1, 200000);
    uint32_t id;

    assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
    id = raw_connect(r, id_of(s, 0)); /* `dst` leaves STOP unanswered */
    raw_data(r, id, z, 200000);
    pass(s, ADIT_S);
    assert_true(raw_stream(r, id)->rst);
    assert_in_range(pool(s)->used_bytes, 0, 40000);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    free(z);
    raw_free(r, false);
    raw_free(dst, false);
}

/* ---- the destination -------------------------------------------------------------- */

static void
stop_answers(struct stage *s)
{
    static const struct {
        uint8_t b[8];
        size_t n;
    } bad[] = {
        { { 5, 0x08, 1, 0x20, 0xc8, 1 }, 6 },    /* 200 */
        { { 4, 0x08, 1, 0x20, 0 }, 5 },          /* UNUSED */
        { { 2, 0x08, 0 }, 3 },                   /* CONNECT */
        { { 3, 0xff, 0xff, 0xff }, 4 },          /* no message */
        { { 0xff, 0xff, 0xff, 0xff, 0x7f }, 5 }, /* oversize */
        { { 0 }, 1 },                            /* empty */
    };
    struct raw *dst = ready(s, 0), *r = ready(s, 1);

    assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++) {
        uint64_t failed = metric(s, ADIT_M_CONNECT_FAILED);

        dst->stop_reply = bad[i].b;
        dst->n_stop_reply = bad[i].n;
        assert_int_equal(raw_wait(r, raw_connect(r, id_of(s, 0))), 203);
        assert_int_equal(metric(s, ADIT_M_CONNECT_FAILED), failed + 1);
        assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    }
    /* Never. */
    dst->stop_reply = NULL;
    assert_int_equal(raw_wait(r, raw_connect(r, id_of(s, 0))), 203);
    assert_false(dst->is_over);
    raw_free(r, false);
    raw_free(dst, false);
}

static struct raw_stream *
last_inbound(struct raw *r)
{
    for (size_t i = r->n_streams; i-- > 0;)
        if (r->streams[i]->is_inbound)
            return r->streams[i];
    return NULL;
}

enum { END_FIN, END_RST, END_GONE, END_BROKEN, N_ENDS };

/* The destination ends in the middle of STOP, in every way. */
static void
stop_vanishes(struct stage *s)
{
    for (int how = 0; how < N_ENDS; how++) {
        struct raw *dst = ready(s, 0), *r = ready(s, 1);
        struct raw_stream *t;
        uint32_t id;

        assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
        id = raw_connect(r, id_of(s, 0));
        pass(s, ADIT_S);
        assert_int_equal(metric(s, ADIT_M_CIRCUITS), 1);
        t = last_inbound(dst);
        assert_non_null(t);
        if (how == END_FIN)
            raw_frame(dst, RAW_DATA, RAW_FIN, t->id, 0, NULL, 0);
        else if (how == END_RST)
            raw_frame(dst, RAW_WINDOW, RAW_RST, t->id, 0, NULL, 0);
        else {
            raw_free(dst, how == END_BROKEN);
            dst = NULL;
        }
        assert_int_equal(raw_wait(r, id), 203);
        assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
        raw_free(r, false);
        raw_free(dst, false);
        pass(s, 40 * ADIT_S); /* its grace */
    }
}

/* The destination accepts and is gone in the same breath: a circuit that was
 * answered OK is opened, and closed. */
static void
stop_accepts_and_vanishes(struct stage *s)
{
    struct raw *dst = ready(s, 0), *r = ready(s, 1);
    uint64_t opened = metric(s, ADIT_M_CIRCUIT_OPENED);
    uint64_t closed = metric(s, ADIT_M_CIRCUIT_CLOSED);
    uint64_t ok = metric(s, ADIT_M_CONNECT_ST_OK);
    uint8_t both[12 + sizeof(raw_stop_ok) + 12] = { 0 };
    struct raw_stream *t;

    dst->stop_reply = raw_stop_ok; /* it agrees to the protocol ... */
    dst->n_stop_reply = 0;
    assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
    raw_connect(r, id_of(s, 0));
    pass(s, ADIT_S);
    t = last_inbound(dst);
    assert_non_null(t);
    /* ... and sends both in one Noise frame. */
    adit_put_be32(both + 4, t->id);
    both[11] = sizeof(raw_stop_ok);
    memcpy(both + 12, raw_stop_ok, sizeof(raw_stop_ok));
    both[12 + sizeof(raw_stop_ok) + 1] = RAW_WINDOW;
    both[12 + sizeof(raw_stop_ok) + 3] = RAW_RST;
    adit_put_be32(both + 12 + sizeof(raw_stop_ok) + 4, t->id);
    raw_noise(dst, both, sizeof(both));
    pass(s, ADIT_S);
    assert_int_equal(metric(s, ADIT_M_CONNECT_ST_OK), ok + 1);
    assert_int_equal(metric(s, ADIT_M_CIRCUIT_OPENED), opened + 1);
    assert_int_equal(metric(s, ADIT_M_CIRCUIT_CLOSED), closed + 1);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    raw_free(r, false);
    raw_free(dst, false);
    pass(s, 40 * ADIT_S);
}

/* The source ends before the answer, in every way. */
static void
source_vanishes(struct stage *s)
{
    for (int how = 0; how < N_ENDS; how++) {
        struct raw *dst = ready(s, 0), *r = ready(s, 1);
        struct raw_stream *t;
        uint32_t id;

        assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
        id = raw_connect(r, id_of(s, 0));
        pass(s, ADIT_S);
        if (how == END_FIN)
            raw_frame(r, RAW_DATA, RAW_FIN, id, 0, NULL, 0);
        else if (how == END_RST)
            raw_frame(r, RAW_WINDOW, RAW_RST, id, 0, NULL, 0);
        else {
            raw_free(r, how == END_BROKEN);
            r = NULL;
        }
        pass(s, ADIT_S);
        t = last_inbound(dst);
        assert_non_null(t);
        if (how != END_FIN) { /* that one is early_fins below */
            assert_true(t->rst);
        }
        raw_free(r, false);
        raw_free(dst, false);
        pass(s, 40 * ADIT_S);
        assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    }
}

/* ---- circuits ------------------------------------------------------------------- */

struct circuit {
    struct raw *src, *dst;
    uint32_t src_id, dst_id;
};

static struct circuit
circuit(struct stage *s)
{
    struct circuit c = { ready(s, 1), ready(s, 0), 0, 0 };

    c.dst->stop_reply = raw_stop_ok;
    c.dst->n_stop_reply = sizeof(raw_stop_ok);
    assert_int_equal(raw_wait(c.dst, raw_reserve(c.dst)), 100);
    c.src_id = raw_connect(c.src, id_of(s, 0));
    assert_int_equal(raw_wait(c.src, c.src_id), 100);
    c.dst_id = last_inbound(c.dst)->id;
    pass(s, ADIT_S);
    return c;
}

static void
circuit_free(struct circuit *c)
{
    raw_free(c->src, false);
    raw_free(c->dst, false);
}

/* A FIN from the source before STOP was answered, and one from the
 * destination right behind its answer: both arrive at the other end. */
static void
early_fins(struct stage *s)
{
    struct raw *dst = ready(s, 0), *r = ready(s, 1);
    struct raw_stream *t;
    uint64_t fin = metric(s, ADIT_M_CIRCUIT_END_FIN);
    static const char mss[] = "\x13/multistream/1.0.0\n"
                              "\x21/libp2p/circuit/relay/0.2.0/stop\n"
                              "\x04\x08\x01\x20\x64";
    uint32_t id;

    assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
    id = raw_connect(r, id_of(s, 0));
    raw_frame(r, RAW_DATA, RAW_FIN, id, 0, NULL, 0);
    pass(s, ADIT_S);
    t = last_inbound(dst);
    raw_frame(dst, RAW_DATA, RAW_ACK | RAW_FIN, t->id, sizeof(mss) - 1, mss,
              sizeof(mss) - 1);
    assert_int_equal(raw_wait(r, id), 100);
    pass(s, ADIT_S);
    assert_true(t->fin);
    assert_true(raw_stream(r, id)->fin);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    assert_int_equal(metric(s, ADIT_M_CIRCUIT_END_FIN), fin + 1);
    raw_free(r, false);
    raw_free(dst, false);
}

static void
circuit_ends(struct stage *s)
{
    for (int how = 0; how < N_ENDS; how++) {
        for (int who = 0; who < 2; who++) {
            struct circuit c = circuit(s);
            struct raw *x = who ? c.src : c.dst, *y = who ? c.dst : c.src;
            uint32_t xid = who ? c.src_id : c.dst_id;
            uint32_t yid = who ? c.dst_id : c.src_id;

            raw_data(x, xid, "hello", 5);
            if (how == END_FIN)
                raw_frame(x, RAW_DATA, RAW_FIN, xid, 0, NULL, 0);
            else if (how == END_RST)
                raw_frame(x, RAW_WINDOW, RAW_RST, xid, 0, NULL, 0);
            else
                raw_free(x, how == END_BROKEN);
            pass(s, ADIT_S);
            if (how == END_FIN)
                assert_true(raw_stream(y, yid)->fin);
            else
                assert_true(raw_stream(y, yid)->rst);
            raw_free(y, false);
            if (how == END_FIN || how == END_RST)
                raw_free(x, false);
            pass(s, 40 * ADIT_S);
            assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
        }
    }
}

/* A reader that grants nothing: its circuit stands, holding one window. */
static void
zero_window(struct stage *s)
{
    struct circuit c = circuit(s);
    struct raw_stream *t = raw_stream(c.dst, c.dst_id);
    uint64_t before = t->n_total;
    uint8_t *z = calloc(1, 262144);

    raw_data(c.src, c.src_id, z, 262144 - 4096);
    pass(s, ADIT_S);
    assert_in_range(t->n_total - before, 262144 - 8192, 262144);
    raw_data(c.src, c.src_id, z, 120000); /* what it was granted again */
    pass(s, 20 * ADIT_S);
    assert_in_range(t->n_total - before, 262144 - 8192, 262144);
    assert_in_range(pool(s)->used_bytes, 100000, 200000);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 1);
    assert_false(c.src->is_over || c.dst->is_over);
    free(z);
    circuit_free(&c);
}

/* The same, and a source that sends on. */
static void
window_overrun(struct stage *s)
{
    struct circuit c = circuit(s);
    uint8_t *z = calloc(1, 600000);

    raw_data(c.src, c.src_id, z, 600000);
    must_go(c.src);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    free(z);
    raw_free(c.dst, false);
}

/* A reader that stops at the level of TCP. */
static void
deaf_reader(struct stage *s)
{
    struct circuit c = circuit(s);
    uint64_t stalls = metric(s, ADIT_M_CONN_WRITE_STALL);
    uint8_t *z = calloc(1, 250000);

    raw_deaf(c.dst, true);
    raw_data(c.src, c.src_id, z, 250000);
    pass(s, 20 * ADIT_S);
    assert_in_range(pool(s)->used_bytes, 100000, 400000);
    pass(s, 20 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_CONN_WRITE_STALL), stalls + 1);
    assert_int_equal(metric(s, ADIT_M_CIRCUITS), 0);
    assert_int_equal(pool(s)->used_bytes, 0);
    assert_true(raw_stream(c.src, c.src_id)->rst);
    free(z);
    circuit_free(&c);
}

/* A peer that only asks and never reads. */
static void
deaf_asker(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint8_t f[12 * 1000] = { 0 };

    for (size_t i = 0; i < 1000; i++) {
        f[12 * i + 1] = RAW_PING;
        f[12 * i + 3] = RAW_SYN;
    }
    raw_deaf(r, true);
    for (unsigned i = 0; i < 200; i++) {
        raw_noise(r, f, sizeof(f));
        pass(s, 10000);
        assert_in_range(pool(s)->used_bytes, 0, 500000);
    }
    raw_deaf(r, false);
    assert_true(raw_wait_over(r, ADIT_S));
    raw_free(r, false);
}

/* Many small requests whose answers are not read. */
static void
deaf_identify(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint64_t stalls = metric(s, ADIT_M_CONN_WRITE_STALL);

    raw_deaf(r, true);
    for (unsigned i = 0; i < 1000; i++) {
        raw_open(r, "/ipfs/id/1.0.0");
        if (i % 20 == 0)
            pass(s, 10000);
        assert_in_range(pool(s)->used_bytes, 0, 500000);
    }
    pass(s, 40 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_CONN_WRITE_STALL), stalls + 1);
    assert_int_equal(pool(s)->used_bytes, 0);
    raw_free(r, false);
}

/* Source and destination are one connection. */
static void
self_dial(struct stage *s)
{
    struct raw *r = ready(s, 0);
    uint32_t id;
    struct raw_stream *t;
    uint64_t before;
    uint8_t z[5000] = { 0 };

    r->stop_reply = raw_stop_ok;
    r->n_stop_reply = sizeof(raw_stop_ok);
    r->grants = true;
    assert_int_equal(raw_wait(r, raw_reserve(r)), 100);
    id = raw_connect(r, id_of(s, 0));
    assert_int_equal(raw_wait(r, id), 100);
    t = last_inbound(r);
    before = t->n_total;
    for (unsigned i = 0; i < 200; i++) {
        raw_data(r, id, z, sizeof(z));
        pass(s, 10000);
    }
    pass(s, ADIT_S);
    assert_int_equal(t->n_total - before, 200 * sizeof(z));
    assert_false(r->is_over);
    raw_free(r, false);
}

/* ---- reservations ----------------------------------------------------------------- */

/* Two connections, reserved over the first, which ends. */
static void
second_connection(struct stage *s)
{
    struct raw *one = ready(s, 0), *two = ready(s, 0), *src = ready(s, 1);
    uint32_t id;

    two->stop_reply = raw_stop_ok;
    two->n_stop_reply = sizeof(raw_stop_ok);
    assert_int_equal(raw_wait(one, raw_reserve(one)), 100);
    raw_free(one, false);
    pass(s, 60 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 2);
    raw_free(src, false);
    src = ready(s, 1);
    id = raw_connect(src, id_of(s, 0));
    assert_int_equal(raw_wait(src, id), 100);
    raw_free(src, false);
    raw_free(two, false);
    pass(s, 60 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 1);
}

static void
grace(struct stage *s)
{
    struct raw *r = ready(s, 0);

    assert_int_equal(raw_wait(r, raw_reserve(r)), 100);
    raw_free(r, true);
    pass(s, 20 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 2);
    r = ready(s, 0);
    assert_int_equal(raw_wait(r, raw_reserve(r)), 100);
    pass(s, 40 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 2);
    raw_free(r, false);
    pass(s, 40 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 1);
}

/* ---- all of them -------------------------------------------------------------------- */

#define NONE ADIT_N_METRICS

static const struct scenario {
    const char *name;
    void (*fn)(struct stage *s);
    enum adit_metric m; /* grows */
} scenarios[] = {
    { "garbage first", garbage_first, ADIT_M_HANDSHAKE_FAILED },
    { "another security", other_security, ADIT_M_HANDSHAKE_FAILED },
    { "an oversize name", oversize_first, ADIT_M_HANDSHAKE_FAILED },
    { "garbage in noise", garbage_in_noise, ADIT_M_HANDSHAKE_FAILED },
    { "wrong identity", wrong_identity, ADIT_M_HANDSHAKE_FAILED },
    { "silence", silence, ADIT_M_HANDSHAKE_FAILED },
    { "slowloris", slowloris, ADIT_M_HANDSHAKE_FAILED },
    { "vanishes unsecured", vanishes_unsecured, ADIT_M_HANDSHAKE_FAILED },
    { "short frame", short_frame, ADIT_M_CONN_PROTOCOL_ERROR },
    { "forged frame", forged_frame, ADIT_M_CONN_PROTOCOL_ERROR },
    { "partial frame", partial_frame, ADIT_M_CONN_PARTIAL_DEADLINE },
    { "partial trickle", partial_trickle, ADIT_M_CONN_PARTIAL_DEADLINE },
    { "yamux headers", yamux_headers, ADIT_M_CONN_PROTOCOL_ERROR },
    { "window overrun", window_overrun, ADIT_M_CONN_PROTOCOL_ERROR },
    { "opened twice", opened_twice, ADIT_M_CONN_PROTOCOL_ERROR },
    { "syn flood", syn_flood, ADIT_M_STREAMS_REFUSED },
    { "unknown protocol", unknown_protocol, ADIT_M_STREAMS_REFUSED },
    { "garbage protocol", garbage_for_protocol, ADIT_M_STREAMS_REFUSED },
    { "hop malformed", hop_malformed, ADIT_M_RSVP_ST_ERROR },
    { "hop silent", hop_silent, NONE },
    { "connect unreserved", connect_unreserved, ADIT_M_CONNECT_REJ_NO_RSVP },
    { "early flood", connect_early_flood, ADIT_M_STREAMS_REFUSED },
    { "stop answers", stop_answers, ADIT_M_CONNECT_FAILED },
    { "stop vanishes", stop_vanishes, ADIT_M_CONNECT_FAILED },
    { "stop accepts and vanishes", stop_accepts_and_vanishes,
      ADIT_M_CIRCUIT_END_RESET },
    { "source vanishes", source_vanishes, NONE },
    { "early fins", early_fins, ADIT_M_CIRCUIT_END_FIN },
    { "circuit ends", circuit_ends, ADIT_M_CIRCUIT_END_RESET },
    { "zero window", zero_window, NONE },
    { "deaf reader", deaf_reader, ADIT_M_CONN_WRITE_STALL },
    { "deaf asker", deaf_asker, ADIT_M_CONN_BUFFERS },
    { "deaf identify", deaf_identify, NONE },
    { "self dial", self_dial, ADIT_M_CIRCUIT_OPENED },
    { "second connection", second_connection, ADIT_M_RSVP_CLOSED },
    { "grace", grace, ADIT_M_RSVP_CLOSED },
};

/* What the relay owns, free chunks that it keeps warm apart. */
static size_t
owned(struct stage *s)
{
    size_t n = s->r.relay->mem.used_bytes;

    for (unsigned i = 0; i < ADIT_CHUNK_N_CLASSES; i++)
        for (struct adit_chunk *k = pool(s)->warm[i]; k != NULL; k = k->next)
            n -= sizeof(*k) + k->cap;
    return n;
}

static void
settle(struct stage *s)
{
    static const enum adit_metric zero[] = {
        ADIT_M_STREAMS,
        ADIT_M_CIRCUITS,
        ADIT_M_HANDSHAKES,
    };

    pass(s, 150 * ADIT_S);
    assert_int_equal(pool(s)->used_bytes, 0);
    for (size_t i = 0; i < ADIT_NITEMS(zero); i++)
        assert_int_equal(metric(s, zero[i]), 0);
    assert_int_equal(metric(s, ADIT_M_CONNS), 1); /* the listener's */
    assert_int_equal(metric(s, ADIT_M_RSVP), 1);
}

static void
innocent(struct stage *s)
{
    struct adit_hconn *hc;

    run_dial(&s->r);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_over, &s->r));
    assert_int_equal(s->r.outcome, ADIT_OK);
    hc = adit_host_conn_to(sim_host(s->r.a), &s->r.b->identity.id, true);
    assert_non_null(hc);
    adit_hconn_close(hc, ADIT_DONE, "done");
}

static void
test_strangers(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sim_config cfg = { .seed = 11, .latency_us = 1000 };
    const char *one = getenv("SIM_ONE");

    (void)state;
    cfg.verbose = getenv("SIM_VERBOSE") != NULL;
    run_init(&s->r, &cfg, 100000, 0, 0);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_reserved, &s->r));
    for (unsigned i = 0; i < N_KITS; i++) {
        raw_kit_init(&s->kits[i], &s->r.w);
        s->kits[i].w = &s->r.w;
    }
    for (unsigned i = 1; i < N_KITS; i++) /* an identity of its own */
        assert_false(adit_peerid_eq(id_of(s, i), id_of(s, 0)));
    innocent(s);
    settle(s);
    for (size_t i = 0; i < ADIT_NITEMS(scenarios); i++) {
        const struct scenario *c = &scenarios[i];
        size_t after[2] = { 0 };

        if (one != NULL && strcmp(one, c->name) != 0)
            continue;
        print_message("# %s\n", c->name);
        for (int k = 0; k < 2; k++) {
            uint64_t before = c->m != NONE ? metric(s, c->m) : 0;

            c->fn(s);
            if (c->m != NONE && metric(s, c->m) <= before)
                fail_msg("%s: not counted", c->name);
            innocent(s);
            settle(s);
            after[k] = owned(s);
        }
        /* Tables that grew stay; what was done once costs no more twice. */
        if (after[1] > after[0])
            fail_msg("%s: it grew by %zu bytes", c->name, after[1] - after[0]);
    }
    for (unsigned i = 0; i < N_KITS; i++)
        raw_kit_fini(&s->kits[i]);
    run_fini(&s->r);
    free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),
    };

    return cmocka_run_group_tests_name("sim/hostile", tests, NULL, NULL);
}
