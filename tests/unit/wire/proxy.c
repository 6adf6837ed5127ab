/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common.h"

#include "wire/proxy/proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define IP6_A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IP6_B "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

#define S(text) text, sizeof(text) - 1

static const struct {
    const char *why, *in;
    size_t n;
    adit_err want;
    enum adit_proxy_event_type type;
    size_t ip_n;
    const char *src, *dst;
    uint16_t src_port, dst_port;
    size_t at; /* how many bytes it takes to see that it is wrong */
} cases[] = {
    { "TCP over IPv4",
      S(SIG "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x13\x88\x0f\xa1"),
      ADIT_OK, ADIT_PROXY_NAMED, 4, "\xc0\0\x02\x01", "\xc6\x33\x64\x02", 5000,
      4001, 0 },
    { "TCP over IPv6", S(SIG "\x21\x21\0\x24" IP6_A IP6_B "\0\x01\xff\xff"),
      ADIT_OK, ADIT_PROXY_NAMED, 16, IP6_A, IP6_B, 1, 65535, 0 },
    { "with extensions",
      S(SIG "\x21\x11\0\x11\xc0\0\x02\x01\xc6\x33\x64\x02\x13\x88\x0f\xa1"
            "\x05\0\x02id"),
      ADIT_OK, ADIT_PROXY_NAMED, 4, "\xc0\0\x02\x01", "\xc6\x33\x64\x02", 5000,
      4001, 0 },
    { "local, nothing else", S(SIG "\x20\0\0\0"), ADIT_OK, ADIT_PROXY_LOCAL, 0,
      NULL, NULL, 0, 0, 0 },
    { "local: its addresses mean nothing",
      S(SIG "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x13\x88\x0f\xa1"),
      ADIT_OK, ADIT_PROXY_LOCAL, 0, NULL, NULL, 0, 0, 0 },
    { "local of a family we do not know", S(SIG "\x20\x77\0\x02zz"), ADIT_OK,
      ADIT_PROXY_LOCAL, 0, NULL, NULL, 0, 0, 0 },
    { "no address", S(SIG "\x21\0\0\x03\x04\0\0"), ADIT_OK, ADIT_PROXY_LOCAL,
      0, NULL, NULL, 0, 0, 0 },
    { "version 1", S("PROXY TCP4 192.0.2.1 198.51.100.2 5000 4001\r\n"),
      ADIT_EPROTO, 0, 0, NULL, NULL, 0, 0, 1 },
    { "multistream", S("\x13/multistream/1.0.0\n"), ADIT_EPROTO, 0, 0, NULL,
      NULL, 0, 0, 1 },
    { "a signature that ends wrong", S("\r\n\r\n\0\r\nQUIT\r"), ADIT_EPROTO, 0,
      0, NULL, NULL, 0, 0, 12 },
    { "version 3", S(SIG "\x31\x11\0\x0c"), ADIT_EPROTO, 0, 0, NULL, NULL, 0,
      0, 13 },
    { "a third command", S(SIG "\x22\x11\0\x0c"), ADIT_EPROTO, 0, 0, NULL,
      NULL, 0, 0, 13 },
    { "UDP", S(SIG "\x21\x12\0\x0c"), ADIT_EPROTO, 0, 0, NULL, NULL, 0, 0,
      14 },
    { "a Unix socket", S(SIG "\x21\x31\0\xd8"), ADIT_EPROTO, 0, 0, NULL, NULL,
      0, 0, 14 },
    { "too short for IPv4", S(SIG "\x21\x11\0\x0b"), ADIT_EPROTO, 0, 0, NULL,
      NULL, 0, 0, 16 },
    { "too short for IPv6", S(SIG "\x21\x21\0\x23"), ADIT_EPROTO, 0, 0, NULL,
      NULL, 0, 0, 16 },
    { "too long", S(SIG "\x21\x11\x10\x01"), ADIT_EPROTO, 0, 0, NULL, NULL, 0,
      0, 16 },
    { "far too long", S(SIG "\x20\0\xff\xff"), ADIT_EPROTO, 0, 0, NULL, NULL,
      0, 0, 16 },
};

/* Feed `in` in pieces; what came out, and how many bytes went in. */
static adit_err
run(struct adit_proxy *m, struct adit_slice in, size_t piece, size_t *taken,
    struct adit_proxy_event *ev)
{
    adit_err e = ADIT_AGAIN;

    adit_proxy_init(m);
    *taken = 0;
    while (*taken < in.n) {
        struct adit_slice s = adit_slice_skip(in, *taken);
        size_t wants = adit_proxy_wants(m);
        size_t used = 77;
        uint8_t *p;

        s.n = ADIT_MIN(s.n, piece);
        p = exact(s);
        e = adit_proxy_feed(m, adit_slice(p, s.n), &used);
        test_free(p);
        if (e != ADIT_OK) {
            assert_int_equal(used, 77);
            assert_non_null(adit_proxy_why(m));
            assert_int_equal(adit_proxy_wants(m), 0);
            assert_int_equal(adit_proxy_next(m, ev), e);
            assert_int_equal(adit_proxy_feed(m, s, &used), e);
            return e;
        }
        assert_true(used >= ADIT_MIN(wants, s.n));
        *taken += used;
        e = adit_proxy_next(m, ev);
        if (e == ADIT_OK || used == 0)
            break;
    }
    return e;
}

/* Each case, cut at every size, with the next layer's bytes behind it. */
static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        for (size_t piece = 1; piece <= cases[i].n + 9; piece++) {
            uint8_t in[100];
            struct adit_proxy m;
            struct adit_proxy_event ev = { 0 };
            size_t taken;
            adit_err e;

            memcpy(in, cases[i].in, cases[i].n);
            memset(in + cases[i].n, 0x0d, 9);
            e = run(&m, adit_slice(in, cases[i].n + 9), piece, &taken, &ev);
            assert_int_equal(e, cases[i].want);
            if (e != ADIT_OK)
                continue;
            assert_int_equal(taken, cases[i].n);
            assert_int_equal(adit_proxy_wants(&m), 0);
            assert_int_equal(ev.type, cases[i].type);
            assert_slice_equal(ev.src, cases[i].src, cases[i].ip_n);
            assert_slice_equal(ev.dst, cases[i].dst, cases[i].ip_n);
            assert_int_equal(ev.src_port, cases[i].src_port);
            assert_int_equal(ev.dst_port, cases[i].dst_port);
            assert_null(adit_proxy_why(&m));
            /* Told once, and nothing is taken any more. */
            assert_int_equal(adit_proxy_next(&m, &ev), ADIT_AGAIN);
            assert_int_equal(adit_proxy_feed(&m, adit_slice(in, 4), &taken),
                             ADIT_OK);
            assert_int_equal(taken, 0);
        }
    }
}

/* Any prefix waits for more, or is known to be wrong at the right byte. */
static void
test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++)
        for (size_t n = 0; n < cases[i].n; n++) {
            struct adit_proxy m;
            struct adit_proxy_event ev;
            size_t taken;
            bool is_bad = cases[i].want != ADIT_OK && n >= cases[i].at;

            assert_int_equal(
                run(&m, adit_slice(cases[i].in, n), 1 + n, &taken, &ev),
                is_bad ? ADIT_EPROTO : ADIT_AGAIN);
        }
}

/* Reading what it wants, and no more, leads to the end of any header. */
static void
test_wants(void **state)
{
    static uint8_t in[ADIT_PROXY_HEAD_BYTES + ADIT_PROXY_MAX_TAIL_BYTES + 1];

    (void)state;
    for (size_t tail = 12; tail <= ADIT_PROXY_MAX_TAIL_BYTES; tail++) {
        struct adit_proxy m;
        struct adit_proxy_event ev;
        size_t at = 0, used, n_reads = 0;

        memcpy(in, S(SIG "\x21\x11"));
        adit_put_be16(in + 14, (uint16_t)tail);
        adit_proxy_init(&m);
        while (adit_proxy_wants(&m) > 0) {
            size_t n = adit_proxy_wants(&m);

            assert_int_equal(adit_proxy_next(&m, &ev), ADIT_AGAIN);
            assert_true(at + n < sizeof(in));
            assert_int_equal(
                adit_proxy_feed(&m, adit_slice(in + at, n), &used), ADIT_OK);
            assert_int_equal(used, n);
            at += n;
            n_reads++;
        }
        assert_int_equal(at, ADIT_PROXY_HEAD_BYTES + tail);
        assert_int_equal(n_reads, 2);
        assert_int_equal(adit_proxy_next(&m, &ev), ADIT_OK);
        assert_int_equal(ev.type, ADIT_PROXY_NAMED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_wants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
