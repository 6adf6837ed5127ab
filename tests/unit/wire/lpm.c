/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common.h"

#include "wire/lpm/lpm.h"

#define MAX_MESSAGES 8

struct run {
    adit_err err;
    size_t used;
    size_t n; /* messages */
    size_t len[MAX_MESSAGES];
    uint8_t first[MAX_MESSAGES]; /* byte of it */
    size_t peak_bytes;           /* of memory */
    bool is_idle;
};

/*
 * Feed `in` in pieces; each lies in a block of its own, and is gone when the
 * next one comes.
 */
static void
run(struct adit_slice in, size_t max, size_t piece, struct run *r)
{
    struct adit_mem mem;
    struct adit_lpm l;

    memset(r, 0, sizeof(*r));
    adit_mem_init(&mem, NULL, SIZE_MAX);
    adit_lpm_init(&l, &mem, max);
    while (r->used < in.n && r->err == ADIT_OK) {
        struct adit_slice s =
            adit_slice(in.p + r->used, ADIT_MIN(piece, in.n - r->used));
        uint8_t *p = exact(s);
        size_t used = 4321;
        struct adit_slice msg;

        r->err = adit_lpm_feed(&l, adit_slice(p, s.n), &used);
        if (r->err == ADIT_OK) {
            assert_true(used <= s.n);
            r->used += used;
            if (adit_lpm_next(&l, &msg) == ADIT_OK) {
                assert_true(r->n < MAX_MESSAGES);
                r->len[r->n] = msg.n;
                r->first[r->n++] = msg.n > 0 ? msg.p[0] : 0;
                for (size_t i = 1; i < msg.n; i++)
                    assert_int_equal(msg.p[i], msg.p[0]);
                assert_int_equal(adit_lpm_next(&l, &msg), ADIT_AGAIN);
            } else {
                assert_int_equal(used, s.n);
            }
            assert_null(adit_lpm_why(&l));
        } else {
            assert_int_equal(used, 4321);
            assert_non_null(adit_lpm_why(&l));
            assert_int_equal(adit_lpm_feed(&l, in, &used), r->err);
            assert_int_equal(adit_lpm_next(&l, &msg), ADIT_AGAIN);
        }
        r->peak_bytes = ADIT_MAX(r->peak_bytes, mem.used_bytes);
        test_free(p);
    }
    r->is_idle = adit_lpm_is_idle(&l);
    adit_lpm_fini(&l);
    assert_int_equal(mem.used_bytes, 0);
}

#define S(text) (text), sizeof(text) - 1

static const struct {
    const char *why;
    const char *in;
    size_t n_in;
    adit_err err;
    size_t n;
    size_t len[3];
    bool is_idle;
} cases[] = {
    { "nothing", S(""), ADIT_OK, 0, { 0 }, true },
    { "one",
      S("\x03"
        "aaa"),
      ADIT_OK,
      1,
      { 3 },
      true },
    { "an empty one", S("\x00"), ADIT_OK, 1, { 0 }, true },
    { "three",
      S("\x03"
        "aaa\x00\x01"
        "b"),
      ADIT_OK,
      3,
      { 3, 0, 1 },
      true },
    { "cut in the length", S("\x80"), ADIT_OK, 0, { 0 }, false },
    { "cut behind the length", S("\x03"), ADIT_OK, 0, { 0 }, false },
    { "cut in the message",
      S("\x03"
        "aa"),
      ADIT_OK,
      0,
      { 0 },
      false },
    { "cut in the second",
      S("\x01"
        "a\x03"
        "bb"),
      ADIT_OK,
      1,
      { 1 },
      false },
    { "above the cap", S("\xc9\x01"), ADIT_EPROTO, 0, { 0 }, false },
    { "far above the cap", S("\xff\xff\x7f"), ADIT_EPROTO, 0, { 0 }, false },
    { "a length without end",
      S("\x80\x80\x80\x80\x80\x80"),
      ADIT_EPROTO,
      0,
      { 0 },
      false },
    { "a padded length",
      S("\x83\x00"
        "aaa"),
      ADIT_EPROTO,
      0,
      { 0 },
      false },
    { "a padded zero", S("\x80\x00"), ADIT_EPROTO, 0, { 0 }, false },
    { "wrong behind a good one",
      S("\x01"
        "a\xc9\x01"),
      ADIT_EPROTO,
      1,
      { 1 },
      false },
};

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        for (size_t piece = 1; piece <= cases[i].n_in + 1; piece++) {
            struct run r;

            run(adit_slice(cases[i].in, cases[i].n_in), 200, piece, &r);
            assert_int_equal(r.err, cases[i].err);
            assert_int_equal(r.n, cases[i].n);
            assert_memory_equal(r.len, cases[i].len, r.n * sizeof(size_t));
            if (r.err == ADIT_OK) {
                assert_int_equal(r.used, cases[i].n_in);
                assert_int_equal(r.is_idle, cases[i].is_idle);
            }
        }
    }
}

/* At the cap, over every way to write its length; and one byte more. */
static void
test_cap(void **state)
{
    static const size_t caps[] = { 1, 127, 128, 4096, 16383, 16384, 65536 };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(caps); i++) {
        uint8_t *p = test_malloc(caps[i] + ADIT_LPM_MAX_PREFIX_BYTES + 1);
        size_t n = adit_lpm_prefix(caps[i], p);

        memset(p + n, 'x', caps[i]);
        for (size_t piece = 1; piece <= caps[i] + n; piece = piece * 3 + 1) {
            struct run r;

            run(adit_slice(p, n + caps[i]), caps[i], piece, &r);
            assert_int_equal(r.err, ADIT_OK);
            assert_int_equal(r.n, 1);
            assert_int_equal(r.len[0], caps[i]);
            assert_int_equal(r.first[0], 'x');
            assert_true(r.peak_bytes <= caps[i]);
        }
        if (caps[i] < ADIT_LPM_MAX_BYTES) {
            struct run r;

            n = adit_lpm_prefix(caps[i] + 1, p);
            run(adit_slice(p, n), caps[i], 1, &r);
            assert_int_equal(r.err, ADIT_EPROTO);
        }
        test_free(p);
    }
}

/* A promise costs nothing: memory follows what has arrived. */
static void
test_promise(void **state)
{
    uint8_t in[3 + 1000];
    struct run r;
    size_t n = adit_lpm_prefix(60000, in);

    (void)state;
    memset(in + n, 'a', 1000);
    run(adit_slice(in, n), ADIT_LPM_MAX_BYTES, 1, &r);
    assert_int_equal(r.peak_bytes, 0);
    run(adit_slice(in, n + 1), ADIT_LPM_MAX_BYTES, 1, &r);
    assert_true(r.peak_bytes <= 256);
    run(adit_slice(in, n + 1000), ADIT_LPM_MAX_BYTES, 7, &r);
    assert_true(r.peak_bytes <= 2 * 1000);
}

/* Nothing is taken behind a message until it is taken itself. */
static void
test_stops(void **state)
{
    struct adit_mem mem;
    struct adit_lpm l;
    struct adit_slice msg;
    size_t used;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    adit_lpm_init(&l, &mem, 100);
    assert_int_equal(adit_lpm_feed(&l,
                                   adit_slice_str("\x01"
                                                  "a\x01"
                                                  "b"),
                                   &used),
                     ADIT_OK);
    assert_int_equal(used, 2);
    assert_int_equal(adit_lpm_feed(&l,
                                   adit_slice_str("\x01"
                                                  "b"),
                                   &used),
                     ADIT_OK);
    assert_int_equal(used, 0);
    assert_int_equal(adit_lpm_next(&l, &msg), ADIT_OK);
    assert_slice_equal(msg, "a", 1);
    adit_lpm_fini(&l);
    adit_lpm_fini(&l);
}

static void
test_oom(void **state)
{
    uint8_t in[3 + 1000];
    size_t n = adit_lpm_prefix(1000, in);
    uint64_t at = 0;
    adit_err e;

    (void)state;
    memset(in + n, 'a', 1000);
    do {
        struct adit_mem mem;
        struct adit_lpm l;
        struct adit_slice msg;
        size_t i = 0;

        at++;
        adit_mem_init(&mem, NULL, SIZE_MAX);
        mem.fail_at = at;
        adit_lpm_init(&l, &mem, 1000);
        do {
            size_t used;

            e = adit_lpm_feed(&l, adit_slice(in + i, 1), &used);
            i++;
        } while (e == ADIT_OK && i < n + 1000);
        if (e == ADIT_OK) {
            assert_int_equal(adit_lpm_next(&l, &msg), ADIT_OK);
            assert_int_equal(msg.n, 1000);
        } else {
            assert_int_equal(e, ADIT_ENOMEM);
        }
        adit_lpm_fini(&l);
        assert_int_equal(mem.used_bytes, 0);
    } while (e != ADIT_OK && at < 100);
    assert_true(at > 1 && at < 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_cap),
        cmocka_unit_test(test_promise), cmocka_unit_test(test_stops),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
