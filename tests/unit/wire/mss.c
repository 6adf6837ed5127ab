/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common.h"

#include "wire/mss/mss.h"

#define HEADER "\x13/multistream/1.0.0\n"
#define NA "\x03na\n"
#define NOISE "\x07/noise\n"
#define TLS "\x0b/tls/1.0.0\n"
#define YAMUX "\x0d/yamux/1.0.0\n"

/* What a run came to. */
enum outcome { WAITS, AGREED, NONE, BROKE };

struct run {
    enum outcome outcome;
    size_t index;   /* AGREED, dialer */
    size_t n_asked; /* listener: proposals it was shown */
    size_t used;    /* of the input */
    uint8_t out[8192];
    size_t n_out;
};

/* A listener that speaks these; NULL ends the list. */
static const char *const served[] = { "/noise", "/yamux/1.0.0", NULL };

static bool
serves(struct adit_slice name)
{
    for (size_t i = 0; served[i] != NULL; i++)
        if (adit_slice_eq(name, adit_slice_str(served[i])))
            return true;
    return false;
}

static void
drain_events(struct adit_mss *m, struct run *r)
{
    struct adit_mss_event ev;

    while (adit_mss_next(m, &ev) == ADIT_OK) {
        switch (ev.type) {
        case ADIT_MSS_PROPOSED:
            r->n_asked++;
            if (serves(ev.name))
                adit_mss_accept(m);
            else
                adit_mss_refuse(m);
            break;
        case ADIT_MSS_AGREED:
            r->outcome = AGREED;
            r->index = ev.index;
            break;
        case ADIT_MSS_NONE:
            r->outcome = NONE;
            break;
        }
    }
}

static void
drain_out(struct adit_mss *m, struct run *r, size_t at_most)
{
    struct adit_slice o = adit_mss_out(m);
    size_t n = ADIT_MIN(o.n, at_most);

    assert_true(n <= sizeof(r->out) - r->n_out);
    adit_copy(r->out + r->n_out, adit_slice(o.p, n));
    r->n_out += n;
    adit_mss_sent(m, n);
}

/* Feed `in` in pieces of `piece`; the wire takes as many bytes at a time. */
static void
run(struct adit_mss *m, struct adit_slice in, size_t piece, struct run *r)
{
    memset(r, 0, sizeof(*r));
    drain_events(m, r);
    drain_out(m, r, piece);
    while (r->used < in.n) {
        struct adit_slice s =
            adit_slice(in.p + r->used, ADIT_MIN(piece, in.n - r->used));
        uint8_t *p = exact(s);
        size_t used = 99999;
        size_t had = adit_mss_out(m).n;
        adit_err e = adit_mss_feed(m, adit_slice(p, s.n), &used);

        if (e != ADIT_OK) {
            assert_int_equal(e, ADIT_EPROTO);
            assert_int_equal(used, 99999);
            assert_non_null(adit_mss_why(m));
            r->outcome = BROKE;
            test_free(p);
            break;
        }
        assert_null(adit_mss_why(m));
        assert_true(used <= s.n);
        drain_events(m, r);
        memset(p, 0xee, s.n > 0 ? s.n : 1); /* nothing may lean on it */
        test_free(p);
        drain_out(m, r, piece);
        r->used += used;
        if (used == 0 && had == 0)
            break; /* it is over, and takes no more */
    }
    while (adit_mss_out(m).n > 0)
        drain_out(m, r, piece);
}

struct expect {
    const char *why;
    const char *in;
    size_t n_in;
    enum outcome outcome;
    size_t index;
    size_t rest; /* bytes of `in` that belong to the next layer */
    const char *out;
    size_t n_out;
};
#define S(text) (text), sizeof(text) - 1

static const char *const offers[] = { "/noise", "/tls/1.0.0" };

static const struct expect dialer_cases[] = {
    { "silence", S(""), WAITS, 0, 0, S(HEADER NOISE) },
    { "header alone", S(HEADER), WAITS, 0, 0, S(HEADER NOISE) },
    { "first is taken", S(HEADER NOISE), AGREED, 0, 0, S(HEADER NOISE) },
    { "what follows is not ours", S(HEADER NOISE "\x00\x20zz"), AGREED, 0, 4,
      S(HEADER NOISE) },
    { "second is taken", S(HEADER NA TLS), AGREED, 1, 0, S(HEADER NOISE TLS) },
    { "none is", S(HEADER NA NA "left"), NONE, 0, 4, S(HEADER NOISE TLS) },
    { "na before the header", S(NA HEADER TLS), AGREED, 1, 0,
      S(HEADER NOISE TLS) },
    { "not multistream", S("\x05hello"), BROKE, 0, 0, S(HEADER NOISE) },
    { "another version", S("\x13/multistream/2.0.0\n"), BROKE, 0, 0,
      S(HEADER NOISE) },
    { "another protocol", S(HEADER TLS), BROKE, 0, 0, S(HEADER NOISE) },
    { "longer than proposed", S(HEADER "\x08/noise2\n"), BROKE, 0, 0,
      S(HEADER NOISE) },
    { "header twice", S(HEADER HEADER), BROKE, 0, 0, S(HEADER NOISE) },
    { "no newline", S("\x13/multistream/1.0.0x"), BROKE, 0, 0,
      S(HEADER NOISE) },
    { "length zero", S("\x00"), BROKE, 0, 0, S(HEADER NOISE) },
    { "length padded", S("\x93\x00/multistream/1.0.0\n"), BROKE, 0, 0,
      S(HEADER NOISE) },
    { "length of three bytes", S("\x93\x80\x01"), BROKE, 0, 0,
      S(HEADER NOISE) },
    { "length above the cap", S("\x81\x08"), BROKE, 0, 0, S(HEADER NOISE) },
};

static const struct expect listener_cases[] = {
    { "silence", S(""), WAITS, 0, 0, S(HEADER) },
    { "header alone", S(HEADER), WAITS, 0, 0, S(HEADER) },
    { "what we serve", S(HEADER NOISE), AGREED, 0, 0, S(HEADER NOISE) },
    { "0-RTT: the rest is the next layer's", S(HEADER NOISE "\x00\x20zz"),
      AGREED, 0, 4, S(HEADER NOISE) },
    { "go offers TLS first", S(HEADER TLS NOISE), AGREED, 0, 0,
      S(HEADER NA NOISE) },
    { "ls", S(HEADER "\x03ls\n" NOISE), AGREED, 0, 0, S(HEADER NA NOISE) },
    { "simultaneous open of old go",
      S(HEADER "\x1d/libp2p/simultaneous-"
               "connect\n" NOISE),
      AGREED, 0, 0, S(HEADER NA NOISE) },
    { "an empty name", S(HEADER "\x01\n" NOISE), AGREED, 0, 0,
      S(HEADER NA NOISE) },
    { "a name without slash", S(HEADER "\x05nois\n" NOISE), AGREED, 0, 0,
      S(HEADER NA NOISE) },
    { "two newlines are one name", S(HEADER "\x08/noise\n\n" NOISE), AGREED, 0,
      0, S(HEADER NA NOISE) },
    { "header twice", S(HEADER HEADER NOISE), AGREED, 0, 0,
      S(HEADER NA NOISE) },
    { "no header", S(NOISE), BROKE, 0, 0, S(HEADER) },
    { "HTTP",
      S("GET / HTTP/1.1\r\n\r\n                                    "
        "                                  "),
      BROKE, 0, 0, S(HEADER) },
    { "TLS", S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03            "),
      BROKE, 0, 0, S(HEADER) },
    { "length zero", S(HEADER "\x00"), BROKE, 0, 0, S(HEADER) },
    { "length above the cap", S(HEADER "\x81\x08"), BROKE, 0, 0, S(HEADER) },
};

static void
check(enum adit_mss_role role, const struct expect *c)
{
    print_message("%s\n", c->why);
    /* Chop: at every size, the same. */
    for (size_t piece = 1; piece <= c->n_in + 1; piece++) {
        struct adit_mss m;
        struct run r;

        if (role == ADIT_MSS_DIALER)
            adit_mss_init_dialer(&m, offers, ADIT_NITEMS(offers));
        else
            adit_mss_init_listener(&m);
        run(&m, adit_slice(c->in, c->n_in), piece, &r);
        assert_int_equal(r.outcome, c->outcome);
        /* What was out before the end may be less when it broke at once. */
        if (c->outcome != BROKE) {
            assert_int_equal(r.n_out, c->n_out);
            assert_int_equal(c->n_in - r.used, c->rest);
        }
        assert_true(r.n_out <= c->n_out);
        assert_memory_equal(r.out, c->out, r.n_out);
        if (r.outcome == AGREED && role == ADIT_MSS_DIALER)
            assert_int_equal(r.index, c->index);
        if (r.outcome == BROKE) {
            size_t used = 7;

            /* Failed is failed, and silent. */
            assert_int_equal(adit_mss_feed(&m, adit_slice_str(HEADER), &used),
                             ADIT_EPROTO);
            assert_int_equal(used, 7);
            assert_int_equal(adit_mss_out(&m).n, 0);
        }
    }
    /* Truncate: a prefix waits, or breaks where the whole does. */
    for (size_t n = 0; n < c->n_in - c->rest; n++) {
        struct adit_mss m;
        struct run r;

        if (role == ADIT_MSS_DIALER)
            adit_mss_init_dialer(&m, offers, ADIT_NITEMS(offers));
        else
            adit_mss_init_listener(&m);
        run(&m, adit_slice(c->in, n), SIZE_MAX, &r);
        assert_true(r.outcome == WAITS ||
                    (r.outcome == BROKE && c->outcome == BROKE));
    }
}

static void
test_dialer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(dialer_cases); i++)
        check(ADIT_MSS_DIALER, &dialer_cases[i]);
}

static void
test_listener(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(listener_cases); i++)
        check(ADIT_MSS_LISTENER, &listener_cases[i]);
}

/* The longest token there is, both ways; and one byte more. */
static void
test_longest(void **state)
{
    static char name[ADIT_MSS_MAX_TOKEN_BYTES + 1];
    const char *const names[] = { name };
    uint8_t in[20 + 2 + ADIT_MSS_MAX_TOKEN_BYTES];
    struct adit_mss m;
    struct run r;
    size_t used = 3;

    (void)state;
    memset(name, 'a', sizeof(name));
    name[ADIT_MSS_MAX_TOKEN_BYTES - 1] = 0;
    adit_mss_init_dialer(&m, names, 1);
    assert_int_equal(adit_mss_out(&m).n, sizeof(in));
    memcpy(in, adit_mss_out(&m).p, sizeof(in));
    for (size_t piece = 1; piece < 2 * sizeof(in); piece += 101) {
        adit_mss_init_dialer(&m, names, 1);
        run(&m, adit_slice(in, sizeof(in)), piece, &r);
        assert_int_equal(r.outcome, AGREED);
        assert_int_equal(r.n_out, sizeof(in));
        assert_memory_equal(r.out, in, sizeof(in));

        adit_mss_init_listener(&m);
        run(&m, adit_slice(in, sizeof(in)), piece, &r);
        assert_int_equal(r.outcome, WAITS);
        assert_int_equal(r.n_asked, 1);
        assert_int_equal(r.n_out, 20 + 4);
    }

    /* A caller's mistake is not the peer's. */
    name[ADIT_MSS_MAX_TOKEN_BYTES - 1] = 'a';
    name[ADIT_MSS_MAX_TOKEN_BYTES] = 0;
    adit_mss_init_dialer(&m, names, 1);
    assert_int_equal(adit_mss_feed(&m, ADIT_SLICE_NONE, &used), ADIT_EINVAL);
    assert_int_equal(adit_mss_out(&m).n, 0);
    assert_non_null(adit_mss_why(&m));
    name[3] = '\n';
    name[9] = 0;
    adit_mss_init_dialer(&m, names, 1);
    assert_int_equal(adit_mss_feed(&m, ADIT_SLICE_NONE, &used), ADIT_EINVAL);
    name[0] = 0;
    adit_mss_init_dialer(&m, names, 1);
    assert_int_equal(adit_mss_feed(&m, ADIT_SLICE_NONE, &used), ADIT_EINVAL);
}

/* Nothing to offer is refused before a byte is sent. */
static void
test_no_offer(void **state)
{
    struct adit_mss m;
    struct run r;

    (void)state;
    adit_mss_init_dialer(&m, NULL, 0);
    run(&m, adit_slice_str(HEADER), 1, &r);
    assert_int_equal(r.outcome, NONE);
    assert_int_equal(r.n_out, 0);
    assert_int_equal(r.used, 0);
}

/* A peer that proposes for ever is heard so often, and then no more. */
static void
test_too_many(void **state)
{
    struct adit_mss m;
    struct run r;
    uint8_t in[20 + (ADIT_MSS_MAX_REFUSALS + 1) * 12];

    (void)state;
    memcpy(in, HEADER, 20);
    for (size_t i = 0; i <= ADIT_MSS_MAX_REFUSALS; i++)
        memcpy(in + 20 + 12 * i, TLS, 12);
    adit_mss_init_listener(&m);
    run(&m, adit_slice(in, sizeof(in) - 12), 5, &r);
    assert_int_equal(r.outcome, WAITS);
    assert_int_equal(r.n_asked, ADIT_MSS_MAX_REFUSALS);
    assert_int_equal(r.n_out, 20 + 4 * ADIT_MSS_MAX_REFUSALS);
    adit_mss_init_listener(&m);
    run(&m, adit_slice(in, sizeof(in)), 5, &r);
    assert_int_equal(r.outcome, BROKE);
}

/* A peer that proposes and does not read stops being read. */
static void
test_unread(void **state)
{
    struct adit_mss m;
    struct run r;
    size_t n_taken = 0;
    size_t used;

    (void)state;
    memset(&r, 0, sizeof(r));
    adit_mss_init_listener(&m);
    assert_int_equal(adit_mss_feed(&m, adit_slice_str(HEADER), &used),
                     ADIT_OK);
    assert_int_equal(used, 20);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(adit_mss_feed(&m, adit_slice_str(TLS), &used),
                         ADIT_OK);
        n_taken += used;
        drain_events(&m, &r);
    }
    assert_true(adit_mss_out(&m).n <= sizeof(m.out));
    assert_true(n_taken < 100);
    /* And goes on where it stopped, once it reads. */
    drain_out(&m, &r, SIZE_MAX);
    assert_int_equal(adit_mss_feed(&m, adit_slice_str(NOISE), &used), ADIT_OK);
    assert_int_equal(used, 8);
    drain_events(&m, &r);
    assert_int_equal(r.outcome, AGREED);
}

/* Nothing is taken while a proposal waits for its answer. */
static void
test_unanswered(void **state)
{
    struct adit_mss m;
    struct adit_mss_event ev;
    size_t used;

    (void)state;
    adit_mss_init_listener(&m);
    assert_int_equal(
        adit_mss_feed(&m, adit_slice_str(HEADER NOISE NOISE), &used), ADIT_OK);
    assert_int_equal(used, 28);
    assert_int_equal(adit_mss_feed(&m, adit_slice_str(NOISE), &used), ADIT_OK);
    assert_int_equal(used, 0);
    assert_int_equal(adit_mss_next(&m, &ev), ADIT_OK);
    assert_int_equal(ev.type, ADIT_MSS_PROPOSED);
    assert_slice_equal(ev.name, "/noise", 6);
    assert_int_equal(adit_mss_next(&m, &ev), ADIT_AGAIN);
    assert_int_equal(adit_mss_feed(&m, adit_slice_str(NOISE), &used), ADIT_OK);
    assert_int_equal(used, 0);
    adit_mss_accept(&m);
    assert_int_equal(adit_mss_next(&m, &ev), ADIT_OK);
    assert_int_equal(ev.type, ADIT_MSS_AGREED);
}

/* Both sides against each other, through a wire that takes `piece` bytes. */
static void
test_pair(void **state)
{
    static const char *const some[] = { "/tls/1.0.0", "/a", "/yamux/1.0.0" };

    (void)state;
    for (size_t n = 1; n <= ADIT_NITEMS(some); n++) {
        for (size_t piece = 1; piece < 64; piece++) {
            struct adit_mss m[2];
            struct run r[2];

            memset(r, 0, sizeof(r));
            adit_mss_init_dialer(&m[0], some, n);
            adit_mss_init_listener(&m[1]);
            for (int turn = 0; turn < 1000; turn++) {
                struct adit_mss *from = &m[turn % 2], *to = &m[1 - turn % 2];
                struct adit_slice o = adit_mss_out(from);
                size_t used;

                o.n = ADIT_MIN(o.n, piece);
                assert_int_equal(adit_mss_feed(to, o, &used), ADIT_OK);
                adit_mss_sent(from, used);
                drain_events(to, &r[1 - turn % 2]);
            }
            assert_int_equal(r[0].outcome, n == 3 ? AGREED : NONE);
            assert_int_equal(r[1].outcome, n == 3 ? AGREED : WAITS);
            assert_int_equal(r[0].index, n == 3 ? 2 : 0);
            assert_int_equal(r[1].n_asked, n);
            assert_int_equal(adit_mss_out(&m[0]).n, 0);
            assert_int_equal(adit_mss_out(&m[1]).n, 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialer),     cmocka_unit_test(test_listener),
        cmocka_unit_test(test_longest),    cmocka_unit_test(test_no_offer),
        cmocka_unit_test(test_too_many),   cmocka_unit_test(test_unread),
        cmocka_unit_test(test_unanswered), cmocka_unit_test(test_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
