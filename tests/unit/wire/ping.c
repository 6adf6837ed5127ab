/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common.h"

#include "wire/ping/ping.h"

#define N_PINGS 5

/* Chop: whatever the pieces, what goes in comes out, and no more is held. */
static void
test_echo(void **state)
{
    uint8_t in[N_PINGS * ADIT_PING_BYTES];
    struct counter c = { 0 };

    (void)state;
    counter_fill(&c, in, sizeof(in));
    for (size_t piece = 1; piece <= 200; piece++) {
        uint8_t out[sizeof(in)];
        size_t n_in = 0, n_out = 0;
        struct adit_ping p;

        adit_ping_init(&p);
        while (n_out < sizeof(in)) {
            struct adit_slice o;
            size_t n = ADIT_MIN(piece, sizeof(in) - n_in);
            size_t used;

            adit_ping_feed(&p, adit_slice(in + n_in, n), &used);
            n_in += used;
            assert_true(n_in - n_out <= ADIT_PING_BYTES);
            o = adit_ping_out(&p);
            o.n = ADIT_MIN(o.n, piece);
            adit_copy(out + n_out, o);
            n_out += o.n;
            adit_ping_sent(&p, o.n);
            assert_int_equal(adit_ping_is_idle(&p), n_in == n_out);
        }
        assert_memory_equal(out, in, sizeof(in));
    }
}

/* A peer that does not read its echo is not read. */
static void
test_echo_unread(void **state)
{
    uint8_t in[64] = { 1 };
    struct adit_ping p;
    size_t used;

    (void)state;
    adit_ping_init(&p);
    adit_ping_feed(&p, adit_slice(in, 64), &used);
    assert_int_equal(used, 32);
    adit_ping_feed(&p, adit_slice(in, 64), &used);
    assert_int_equal(used, 0);
    adit_ping_sent(&p, 31);
    adit_ping_feed(&p, adit_slice(in, 64), &used);
    assert_int_equal(used, 0);
    adit_ping_sent(&p, 1);
    adit_ping_feed(&p, adit_slice(in, 5), &used);
    assert_int_equal(used, 5);
    assert_int_equal(adit_ping_out(&p).n, 0); /* truncated: nothing leaves */
    assert_false(adit_ping_is_idle(&p));
}

/* Both sides, several pings over one stream. */
static void
test_pair(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 40; piece++) {
        struct counter c = { 7 };
        struct adit_rng rng = counter_rng(&c);
        struct adit_pinger ask;
        struct adit_ping answer;
        unsigned n_answered = 0;

        adit_pinger_init(&ask);
        adit_ping_init(&answer);
        for (unsigned i = 0; i < N_PINGS; i++) {
            assert_int_equal(adit_pinger_next(&ask), ADIT_AGAIN);
            assert_int_equal(adit_pinger_ask(&ask, &rng), ADIT_OK);
            assert_int_equal(adit_pinger_ask(&ask, &rng), ADIT_ESTATE);
            for (int turn = 0; turn < 200; turn++) {
                struct adit_slice o = adit_pinger_out(&ask);
                size_t used;

                o.n = ADIT_MIN(o.n, piece);
                adit_ping_feed(&answer, o, &used);
                adit_pinger_sent(&ask, used);
                o = adit_ping_out(&answer);
                o.n = ADIT_MIN(o.n, piece);
                assert_int_equal(adit_pinger_feed(&ask, o, &used), ADIT_OK);
                adit_ping_sent(&answer, used);
            }
            assert_int_equal(adit_pinger_next(&ask), ADIT_OK);
            n_answered++;
            assert_int_equal(adit_pinger_next(&ask), ADIT_AGAIN);
        }
        assert_int_equal(n_answered, N_PINGS);
    }
}

enum twist { FLIP, EARLY, UNASKED, EXTRA };

static const struct {
    const char *why;
    enum twist twist;
    const char *says;
} broken[] = {
    { "one bit is wrong", FLIP, "not what was sent" },
    { "before all of it was sent", EARLY, "an answer before the question" },
    { "without a question", UNASKED, "an answer to nothing" },
    { "more than was asked, after the answer", EXTRA, "an answer to nothing" },
};

static void
test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(broken); i++) {
        for (size_t at = 0; at < ADIT_PING_BYTES; at++) {
            struct counter c = { 0 };
            struct adit_rng rng = counter_rng(&c);
            struct adit_pinger p;
            uint8_t echo[ADIT_PING_BYTES];
            size_t used = 77;
            adit_err e;

            adit_pinger_init(&p);
            if (broken[i].twist != UNASKED)
                assert_int_equal(adit_pinger_ask(&p, &rng), ADIT_OK);
            if (broken[i].twist != UNASKED)
                memcpy(echo, adit_pinger_out(&p).p, sizeof(echo));
            else
                memset(echo, 0, sizeof(echo));
            if (broken[i].twist == EARLY)
                adit_pinger_sent(&p, at);
            else if (broken[i].twist != UNASKED)
                adit_pinger_sent(&p, sizeof(echo));
            if (broken[i].twist == FLIP)
                echo[at] ^= 1;
            e = adit_pinger_feed(&p, adit_slice(echo, sizeof(echo)), &used);
            if (broken[i].twist == EXTRA) {
                assert_int_equal(e, ADIT_OK);
                assert_int_equal(
                    adit_pinger_feed(&p, adit_slice(echo, 1), &used), ADIT_OK);
                assert_int_equal(used, 0); /* until the answer is taken */
                assert_int_equal(adit_pinger_next(&p), ADIT_OK);
                used = 77;
                e = adit_pinger_feed(&p, adit_slice(echo, 1), &used);
            }
            assert_int_equal(e, ADIT_EPROTO);
            assert_int_equal(used, 77);
            assert_string_equal(adit_pinger_why(&p), broken[i].says);
            /* And so it stays. */
            assert_int_equal(adit_pinger_next(&p), ADIT_EPROTO);
            assert_int_equal(adit_pinger_ask(&p, &rng), ADIT_ESTATE);
            assert_int_equal(adit_pinger_out(&p).n, 0);
            assert_int_equal(adit_pinger_feed(&p, ADIT_SLICE_NONE, &used),
                             ADIT_EPROTO);
        }
    }
}

/* Silence, and any part of an echo: nothing happens. */
static void
test_truncated(void **state)
{
    (void)state;
    for (size_t n = 0; n < ADIT_PING_BYTES; n++) {
        struct counter c = { 0 };
        struct adit_rng rng = counter_rng(&c);
        struct adit_pinger p;
        uint8_t echo[ADIT_PING_BYTES];
        size_t used;

        adit_pinger_init(&p);
        assert_int_equal(adit_pinger_out(&p).n, 0);
        assert_int_equal(adit_pinger_feed(&p, ADIT_SLICE_NONE, &used),
                         ADIT_OK);
        assert_int_equal(adit_pinger_ask(&p, &rng), ADIT_OK);
        memcpy(echo, adit_pinger_out(&p).p, sizeof(echo));
        adit_pinger_sent(&p, sizeof(echo));
        assert_int_equal(adit_pinger_feed(&p, adit_slice(echo, n), &used),
                         ADIT_OK);
        assert_int_equal(used, n);
        assert_int_equal(adit_pinger_next(&p), ADIT_AGAIN);
        assert_null(adit_pinger_why(&p));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),      cmocka_unit_test(test_echo_unread),
        cmocka_unit_test(test_pair),      cmocka_unit_test(test_broken),
        cmocka_unit_test(test_truncated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
