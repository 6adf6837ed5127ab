/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "messages.h"

#include "wire/circuit/hop_cli.h"

enum ask { ASK_RESERVE, ASK_CONNECT };

/* Answers, and what comes of them; the machine takes all of each. */
static const struct {
    const char *why;
    enum ask ask;
    const uint8_t *in;
    size_t n;
    adit_err err;
    enum adit_hop_cli_event_type want;
    uint32_t status;
} answers[] = {
    { "connected", ASK_CONNECT, BYTES(HOP_OK), ADIT_OK, ADIT_HOP_CLI_CONNECTED,
      100 },
    { "connected, with a limit", ASK_CONNECT,
      BYTES(0x0c, 0x08, 0x02, HOP_LIMIT, 0x28, 0x64), ADIT_OK,
      ADIT_HOP_CLI_CONNECTED, 100 },
    { "reserved: an expiry is enough", ASK_RESERVE,
      BYTES(0x08, 0x08, 0x02, 0x1a, 0x02, 0x08, 0x05, 0x28, 0x64), ADIT_OK,
      ADIT_HOP_CLI_RESERVED, 100 },
    { "reserved, with fields of next year", ASK_RESERVE,
      BYTES(0x0e, 0x08, 0x02, 0x1a, 0x05, 0x08, 0x05, 0x7a, 0x01, 0xff, 0x28,
            0x64, 0x7a, 0x01, 0xff),
      ADIT_OK, ADIT_HOP_CLI_RESERVED, 100 },
    { "reserve ok, but no reservation", ASK_RESERVE, BYTES(HOP_OK),
      ADIT_EPROTO, 0, 0 },
    { "a reservation without expiry", ASK_RESERVE,
      BYTES(0x06, 0x08, 0x02, 0x1a, 0x00, 0x28, 0x64), ADIT_EPROTO, 0, 0 },
    { "an expiry after the end of time", ASK_RESERVE,
      BYTES(0x11, 0x08, 0x02, 0x1a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0x01, 0x28, 0x64),
      ADIT_EPROTO, 0, 0 },
    { "a voucher that is none", ASK_RESERVE,
      BYTES(0x0d, 0x08, 0x02, 0x1a, 0x07, 0x08, 0x05, 0x1a, 0x03, 'v', 'o',
            'u', 0x28, 0x64),
      ADIT_EAUTH, 0, 0 },
    { "refused 200", ASK_RESERVE, BYTES(0x05, 0x08, 0x02, 0x28, 0xc8, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 200 },
    { "refused 201", ASK_RESERVE, BYTES(0x05, 0x08, 0x02, 0x28, 0xc9, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 201 },
    { "refused 202", ASK_CONNECT, BYTES(0x05, 0x08, 0x02, 0x28, 0xca, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 202 },
    { "refused 203", ASK_CONNECT, BYTES(0x05, 0x08, 0x02, 0x28, 0xcb, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 203 },
    { "refused 204", ASK_CONNECT, BYTES(0x05, 0x08, 0x02, 0x28, 0xcc, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 204 },
    { "refused 400", ASK_CONNECT, BYTES(0x05, 0x08, 0x02, 0x28, 0x90, 0x03),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 400 },
    { "refused 401", ASK_CONNECT, BYTES(0x05, 0x08, 0x02, 0x28, 0x91, 0x03),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 401 },
    { "a status of next year", ASK_CONNECT,
      BYTES(0x05, 0x08, 0x02, 0x28, 0xf4, 0x03), ADIT_OK, ADIT_HOP_CLI_REFUSED,
      500 },
    { "no status is not OK", ASK_CONNECT, BYTES(0x02, 0x08, 0x02), ADIT_OK,
      ADIT_HOP_CLI_REFUSED, 0 },
    { "a refusal with a reservation is a refusal", ASK_RESERVE,
      BYTES(0x09, 0x08, 0x02, 0x1a, 0x02, 0x08, 0x05, 0x28, 0xc8, 0x01),
      ADIT_OK, ADIT_HOP_CLI_REFUSED, 200 },
    { "nothing at all", ASK_CONNECT, BYTES(0x00), ADIT_EPROTO, 0, 0 },
    { "no type", ASK_CONNECT, BYTES(0x02, 0x28, 0x64), ADIT_EPROTO, 0, 0 },
    { "our own question back", ASK_RESERVE, BYTES(RESERVE), ADIT_EPROTO, 0,
      0 },
    { "not protobuf", ASK_CONNECT, BYTES(0x02, 0xff, 0xff), ADIT_EPROTO, 0,
      0 },
    { "too long", ASK_CONNECT, BYTES(0x81, 0x20), ADIT_EPROTO, 0, 0 },
};

static void
start(struct adit_hop_cli *m, struct adit_mem *mem, enum ask ask)
{
    const struct adit_peerid self = peer();
    adit_err e;

    adit_hop_cli_init(m, mem, &self);
    e = ask == ASK_RESERVE ? adit_hop_cli_reserve(m)
                           : adit_hop_cli_connect(m, &self);
    assert_int_equal(e, ADIT_OK);
    adit_hop_cli_sent(m, adit_hop_cli_out(m).n);
}

/* Feed in pieces of `step`, until it takes less or fails. */
static adit_err
feed(struct adit_hop_cli *m, const uint8_t *p, size_t n, size_t step,
     size_t *taken)
{
    *taken = 0;
    while (*taken < n) {
        size_t take = ADIT_MIN(step, n - *taken);
        size_t used = SIZE_MAX;
        adit_err e = adit_hop_cli_feed(m, adit_slice(p + *taken, take), &used);

        if (e != ADIT_OK) {
            assert_int_equal(used, SIZE_MAX);
            return e;
        }
        assert_true(used <= take);
        *taken += used;
        if (used < take)
            break;
    }
    return ADIT_OK;
}

static void
test_asks(void **state)
{
    static const uint8_t reserve[] = { RESERVE };
    static const uint8_t connect[] = { HOP_CONNECT };
    const struct adit_peerid self = peer();
    const struct adit_peerid nobody = { .n = 0 };
    struct adit_hop_cli m;
    struct adit_slice out;

    adit_hop_cli_init(&m, *state, &self);
    assert_int_equal(adit_hop_cli_out(&m).n, 0);
    assert_int_equal(adit_hop_cli_reserve(&m), ADIT_OK);
    out = adit_hop_cli_out(&m);
    assert_int_equal(out.n, sizeof(reserve));
    assert_memory_equal(out.p, reserve, out.n);
    adit_hop_cli_sent(&m, 1);
    out = adit_hop_cli_out(&m);
    assert_int_equal(out.n, sizeof(reserve) - 1);
    assert_memory_equal(out.p, reserve + 1, out.n);
    adit_hop_cli_sent(&m, out.n);
    assert_int_equal(adit_hop_cli_out(&m).n, 0);
    assert_int_equal(adit_hop_cli_reserve(&m), ADIT_ESTATE);
    assert_int_equal(adit_hop_cli_connect(&m, &self), ADIT_ESTATE);
    adit_hop_cli_fini(&m);

    adit_hop_cli_init(&m, *state, &self);
    assert_int_equal(adit_hop_cli_connect(&m, &nobody), ADIT_EINVAL);
    assert_int_equal(adit_hop_cli_connect(&m, &self), ADIT_OK);
    out = adit_hop_cli_out(&m);
    assert_int_equal(out.n, sizeof(connect));
    assert_memory_equal(out.p, connect, out.n);
    adit_hop_cli_fini(&m);
    adit_hop_cli_fini(&m); /* of a zeroed one */
}

/* Each answer, whole and cut at every size, with payload right behind. */
static void
test_answers(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        size_t n = answers[i].n;
        uint8_t in[64];

        print_message("%s\n", answers[i].why);
        memcpy(in, answers[i].in, n);
        memcpy(in + n, "payload", 7);
        for (size_t step = 1; step <= n + 7; step++) {
            struct adit_hop_cli m;
            struct adit_hop_cli_event ev;
            size_t taken;

            start(&m, *state, answers[i].ask);
            assert_int_equal(feed(&m, in, n + 7, step, &taken),
                             answers[i].err);
            if (answers[i].err != ADIT_OK) {
                assert_non_null(adit_hop_cli_why(&m));
                assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_AGAIN);
                assert_int_equal(feed(&m, in, n, n, &taken), answers[i].err);
                assert_int_equal(adit_hop_cli_eof(&m), answers[i].err);
            } else {
                assert_int_equal(taken, n);
                assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_OK);
                assert_int_equal(ev.type, answers[i].want);
                assert_int_equal(ev.status, answers[i].status);
                assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_AGAIN);
                assert_int_equal(feed(&m, in + n, 7, 7, &taken), ADIT_OK);
                assert_int_equal(taken, 0);
                assert_int_equal(adit_hop_cli_eof(&m), ADIT_OK);
                assert_null(adit_hop_cli_why(&m));
            }
            adit_hop_cli_fini(&m);
        }
    }
}

/* Every true prefix of an answer: no event, a clean end. */
static void
test_truncated(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        for (size_t n = 0; n < answers[i].n; n++) {
            struct adit_hop_cli m;
            struct adit_hop_cli_event ev;
            size_t taken;

            start(&m, *state, answers[i].ask);
            assert_int_equal(feed(&m, answers[i].in, n, n + 1, &taken),
                             ADIT_OK);
            assert_int_equal(taken, n);
            assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_AGAIN);
            assert_int_equal(adit_hop_cli_eof(&m), ADIT_EPROTO);
            assert_non_null(adit_hop_cli_why(&m));
            adit_hop_cli_fini(&m);
        }
    }
}

/* Without input nothing happens, and nothing is owned. */
static void
test_silence(void **state)
{
    struct adit_mem *mem = *state;
    const struct adit_peerid self = peer();
    struct adit_hop_cli m;
    struct adit_hop_cli_event ev;
    size_t taken;

    /* Before it has asked it takes nothing either. */
    adit_hop_cli_init(&m, mem, &self);
    assert_int_equal(feed(&m, the_peer, 5, 5, &taken), ADIT_OK);
    assert_int_equal(taken, 0);
    adit_hop_cli_fini(&m);

    start(&m, mem, ASK_RESERVE);
    assert_int_equal(feed(&m, NULL, 0, 1, &taken), ADIT_OK);
    assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_AGAIN);
    assert_int_equal(mem->used_bytes, 0);
    adit_hop_cli_fini(&m);
}

static void
test_reserved(void **state)
{
    /* clang-format off */
    static const uint8_t in[] = {
        0x2e, 0x08, 0x02,
        0x1a, 0x20,
        0x08, 0x80, 0xd0, 0xac, 0xf3, 0x0e,       /* 4000000000 */
        0x12, 0x08, 0x04, 127, 0, 0, 1, 0x06, 0x0f, 0xa1,
        0x12, 0x00,                               /* an empty address */
        0x12, 0x0c, 0x36, 0x07, 'e', 'x', 'a', 'm', 'p', 'l', 'e',
                    0x06, 0x0f, 0xa1,
        0x22, 0x06, 0x08, 0x78, 0x10, 0x80, 0x80, 0x08,
        0x28, 0x64,
    };
    /* clang-format on */
    struct adit_hop_cli m;
    struct adit_hop_cli_event ev;
    size_t taken;

    start(&m, *state, ASK_RESERVE);
    assert_int_equal(feed(&m, in, sizeof(in), 3, &taken), ADIT_OK);
    assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_OK);
    assert_int_equal(ev.type, ADIT_HOP_CLI_RESERVED);
    assert_int_equal(ev.expire_unix_s, 4000000000);
    assert_true(ev.limit.has);
    assert_int_equal(ev.limit.duration_s, 120);
    assert_int_equal(ev.limit.data_bytes, 131072);
    assert_int_equal(ev.voucher.n, 0);
    assert_int_equal(ev.n_addrs, 2);
    assert_int_equal(ev.addrs[0].n, 8);
    assert_memory_equal(ev.addrs[0].p, in + 13, 8);
    assert_int_equal(ev.addrs[1].n, 12);
    assert_memory_equal(ev.addrs[1].p, in + 25, 12);
    adit_hop_cli_fini(&m);
}

/* A relay that sends a hundred addresses: the first ones are enough. */
static void
test_many_addrs(void **state)
{
    uint8_t in[2 + 2 + 3 + 2 + 100 * 3 + 2];
    struct adit_hop_cli m;
    struct adit_hop_cli_event ev;
    size_t taken;
    size_t at = 0;

    memcpy(in, "\xb5\x02\x08\x02\x1a\xae\x02\x08\x05", 9);
    for (at = 9; at < 9 + 300; at += 3)
        memcpy(in + at,
               "\x12\x01"
               "a",
               3);
    memcpy(in + at, "\x28\x64", 2);
    start(&m, *state, ASK_RESERVE);
    assert_int_equal(feed(&m, in, sizeof(in), sizeof(in), &taken), ADIT_OK);
    assert_int_equal(adit_hop_cli_next(&m, &ev), ADIT_OK);
    assert_int_equal(ev.type, ADIT_HOP_CLI_RESERVED);
    assert_int_equal(ev.n_addrs, ADIT_HOP_CLI_MAX_ADDRS);
    adit_hop_cli_fini(&m);
}

static void
test_limits(void **state)
{
    static const struct {
        const char *why;
        struct adit_circuit_limit limit;
        uint32_t want_s;
    } cases[] = {
        { "none", { false, 120, 0 }, 0 },
        { "two minutes", { true, 120, 0 }, 120 },
        { "no limit of time", { true, 0, 1 }, 0 },
        { "a day", { true, 86400, 0 }, 86400 },
        { "js: two minutes in milliseconds", { true, 120000, 0 }, 120 },
        { "two days are no milliseconds", { true, 172800, 0 }, 172800 },
        { "nor is a leap year", { true, 31622400, 0 }, 31622400 },
        { "the largest", { true, UINT32_MAX, 0 }, UINT32_MAX },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        assert_int_equal(adit_circuit_limit_s(&cases[i].limit),
                         cases[i].want_s);
    }
}

static void
test_no_memory(void **state)
{
    struct adit_mem mem;
    struct adit_hop_cli m;
    size_t taken;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    mem.fail_at = 1;
    start(&m, &mem, ASK_RESERVE);
    assert_int_equal(feed(&m, (const uint8_t *)"\x04\x08", 2, 2, &taken),
                     ADIT_ENOMEM);
    adit_hop_cli_fini(&m);
    start(&m, &mem, ASK_RESERVE);
    assert_int_equal(feed(&m,
                          (const uint8_t *)"\x0b\x08\x02\x1a\x05\x08\x05\x12"
                                           "\x01q\x28\x64",
                          12, 12, &taken),
                     ADIT_ENOMEM);
    adit_hop_cli_fini(&m);
    assert_int_equal(mem.used_bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_asks),    TEST(test_answers),   TEST(test_truncated),
        TEST(test_silence), TEST(test_reserved),  TEST(test_many_addrs),
        TEST(test_limits),  TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
