/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "messages.h"

#include "wire/circuit/stop_cli.h"

static const struct adit_circuit_limit no_limit = { 0 };

/* Answers, and what comes of them. */
static const struct {
    const char *why;
    const uint8_t *in;
    size_t n;
    adit_err err;
    enum adit_stop_cli_event_type want;
    uint32_t status;
} answers[] = {
    { "accepted", BYTES(STOP_OK), ADIT_OK, ADIT_STOP_CLI_ACCEPTED, 100 },
    { "refused 200", BYTES(0x05, 0x08, 0x01, 0x20, 0xc8, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 200 },
    { "refused 201", BYTES(0x05, 0x08, 0x01, 0x20, 0xc9, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 201 },
    { "refused 202", BYTES(0x05, 0x08, 0x01, 0x20, 0xca, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 202 },
    { "refused 203", BYTES(0x05, 0x08, 0x01, 0x20, 0xcb, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 203 },
    { "refused 204", BYTES(0x05, 0x08, 0x01, 0x20, 0xcc, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 204 },
    { "refused 400", BYTES(0x05, 0x08, 0x01, 0x20, 0x90, 0x03), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 400 },
    { "refused 401", BYTES(0x05, 0x08, 0x01, 0x20, 0x91, 0x03), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 401 },
    { "a status of next year", BYTES(0x05, 0x08, 0x01, 0x20, 0xf4, 0x03),
      ADIT_OK, ADIT_STOP_CLI_REFUSED, 500 },
    { "no status is not OK", BYTES(0x02, 0x08, 0x01), ADIT_OK,
      ADIT_STOP_CLI_REFUSED, 0 },
    { "nothing at all", BYTES(0x00), ADIT_EPROTO, 0, 0 },
    { "no type", BYTES(0x02, 0x20, 0x64), ADIT_EPROTO, 0, 0 },
    { "our own CONNECT back", BYTES(STOP_CONNECT), ADIT_EPROTO, 0, 0 },
    { "not protobuf", BYTES(0x02, 0xff, 0xff), ADIT_EPROTO, 0, 0 },
    { "too long", BYTES(0x81, 0x20), ADIT_EPROTO, 0, 0 },
};

/* Feed in pieces of `step`, until it takes less or fails. */
static adit_err
feed(struct adit_stop_cli *m, const uint8_t *p, size_t n, size_t step,
     size_t *taken)
{
    *taken = 0;
    while (*taken < n) {
        size_t take = ADIT_MIN(step, n - *taken);
        size_t used = SIZE_MAX;
        adit_err e =
            adit_stop_cli_feed(m, adit_slice(p + *taken, take), &used);

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
test_connect(void **state)
{
    static const uint8_t bare[] = { STOP_CONNECT };
    static const uint8_t limited[] = { 0x34, 0x08, 0x00, 0x12,      0x28,
                                       0x0a, 0x26, PEER, STOP_LIMIT };
    const struct adit_circuit_limit limit = { true, 120, 131072 };
    struct adit_peerid src = peer();
    struct adit_stop_cli m;
    struct adit_slice out;

    adit_stop_cli_init(&m, *state, &src, &no_limit);
    out = adit_stop_cli_out(&m);
    assert_int_equal(out.n, sizeof(bare));
    assert_memory_equal(out.p, bare, out.n);
    adit_stop_cli_sent(&m, 3);
    out = adit_stop_cli_out(&m);
    assert_int_equal(out.n, sizeof(bare) - 3);
    assert_memory_equal(out.p, bare + 3, out.n);
    adit_stop_cli_sent(&m, out.n);
    assert_int_equal(adit_stop_cli_out(&m).n, 0);
    adit_stop_cli_fini(&m);

    adit_stop_cli_init(&m, *state, &src, &limit);
    out = adit_stop_cli_out(&m);
    assert_int_equal(out.n, sizeof(limited));
    assert_memory_equal(out.p, limited, out.n);
    adit_stop_cli_fini(&m);

    /* The longest there is. */
    src.n = ADIT_PEERID_MAX_BYTES;
    adit_stop_cli_init(
        &m, *state, &src,
        &(struct adit_circuit_limit){ true, UINT32_MAX, UINT64_MAX });
    assert_int_equal(adit_stop_cli_out(&m).n, 1 + 2 + 48 + 2 + 17);
    adit_stop_cli_fini(&m);
    adit_stop_cli_fini(&m); /* of a zeroed one */
}

/* Each answer, whole and cut at every size, with payload right behind. */
static void
test_answers(void **state)
{
    const struct adit_peerid src = peer();

    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        size_t n = answers[i].n;
        uint8_t in[64];

        print_message("%s\n", answers[i].why);
        memcpy(in, answers[i].in, n);
        memcpy(in + n, "payload", 7);
        for (size_t step = 1; step <= n + 7; step++) {
            struct adit_stop_cli m;
            struct adit_stop_cli_event ev;
            size_t taken;

            adit_stop_cli_init(&m, *state, &src, &no_limit);
            adit_stop_cli_sent(&m, adit_stop_cli_out(&m).n);
            assert_int_equal(feed(&m, in, n + 7, step, &taken),
                             answers[i].err);
            if (answers[i].err != ADIT_OK) {
                assert_non_null(adit_stop_cli_why(&m));
                assert_int_equal(adit_stop_cli_next(&m, &ev), ADIT_AGAIN);
                assert_int_equal(feed(&m, in, n, n, &taken), answers[i].err);
                assert_int_equal(adit_stop_cli_eof(&m), answers[i].err);
            } else {
                assert_int_equal(taken, n);
                assert_int_equal(adit_stop_cli_next(&m, &ev), ADIT_OK);
                assert_int_equal(ev.type, answers[i].want);
                assert_int_equal(ev.status, answers[i].status);
                assert_int_equal(adit_stop_cli_next(&m, &ev), ADIT_AGAIN);
                assert_int_equal(feed(&m, in + n, 7, 7, &taken), ADIT_OK);
                assert_int_equal(taken, 0);
                assert_int_equal(adit_stop_cli_eof(&m), ADIT_OK);
                assert_null(adit_stop_cli_why(&m));
            }
            adit_stop_cli_fini(&m);
        }
    }
}

/* Every true prefix of an answer: no event, a clean end. */
static void
test_truncated(void **state)
{
    const struct adit_peerid src = peer();

    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        for (size_t n = 0; n < answers[i].n; n++) {
            struct adit_stop_cli m;
            struct adit_stop_cli_event ev;
            size_t taken;

            adit_stop_cli_init(&m, *state, &src, &no_limit);
            assert_int_equal(feed(&m, answers[i].in, n, n + 1, &taken),
                             ADIT_OK);
            assert_int_equal(taken, n);
            assert_int_equal(adit_stop_cli_next(&m, &ev), ADIT_AGAIN);
            assert_int_equal(adit_stop_cli_eof(&m), ADIT_EPROTO);
            assert_non_null(adit_stop_cli_why(&m));
            adit_stop_cli_fini(&m);
        }
    }
}

/* Without input nothing happens, and nothing is owned. */
static void
test_silence(void **state)
{
    struct adit_mem *mem = *state;
    const struct adit_peerid src = peer();
    struct adit_stop_cli m;
    struct adit_stop_cli_event ev;
    size_t taken;

    adit_stop_cli_init(&m, mem, &src, &no_limit);
    assert_int_equal(feed(&m, NULL, 0, 1, &taken), ADIT_OK);
    assert_int_equal(adit_stop_cli_next(&m, &ev), ADIT_AGAIN);
    assert_int_equal(mem->used_bytes, 0);
    adit_stop_cli_fini(&m);
}

static void
test_no_memory(void **state)
{
    struct adit_mem mem;
    const struct adit_peerid src = peer();
    struct adit_stop_cli m;
    size_t taken;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    mem.fail_at = 1;
    adit_stop_cli_init(&m, &mem, &src, &no_limit);
    assert_int_equal(feed(&m, (const uint8_t *)"\x04\x08", 2, 2, &taken),
                     ADIT_ENOMEM);
    assert_non_null(adit_stop_cli_why(&m));
    adit_stop_cli_fini(&m);
    assert_int_equal(mem.used_bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connect), TEST(test_answers),   TEST(test_truncated),
        TEST(test_silence), TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
