/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "messages.h"

#include "wire/circuit/stop_srv.h"

/* What a relay may say, and what comes of it. */
static const struct {
    const char *why;
    const uint8_t *in;
    size_t n;
    enum adit_stop_srv_event_type want;
    enum adit_circuit_status status;
    struct adit_circuit_limit limit;
} requests[] = {
    { "connect", BYTES(STOP_CONNECT), ADIT_STOP_SRV_INCOMING, 0, { 0 } },
    { "connect with a limit",
      BYTES(0x34, 0x08, 0x00, 0x12, 0x28, 0x0a, 0x26, PEER, STOP_LIMIT),
      ADIT_STOP_SRV_INCOMING,
      0,
      { true, 120, 131072 } },
    { "a limit that says nothing still is one",
      BYTES(0x2e, 0x08, 0x00, 0x12, 0x28, 0x0a, 0x26, PEER, 0x1a, 0x00),
      ADIT_STOP_SRV_INCOMING,
      0,
      { true, 0, 0 } },
    { "a field of next year",
      BYTES(0x2f, 0x08, 0x00, 0x12, 0x28, 0x0a, 0x26, PEER, 0x7a, 0x01, 0xff),
      ADIT_STOP_SRV_INCOMING,
      0,
      { 0 } },
    { "nothing at all", BYTES(0x00), ADIT_STOP_SRV_REFUSED, 400, { 0 } },
    { "no type",
      BYTES(0x2a, 0x12, 0x28, 0x0a, 0x26, PEER),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
    { "a status is for us to say",
      BYTES(STOP_OK),
      ADIT_STOP_SRV_REFUSED,
      401,
      { 0 } },
    { "a type that nobody knows",
      BYTES(0x02, 0x08, 0x07),
      ADIT_STOP_SRV_REFUSED,
      401,
      { 0 } },
    { "from nobody",
      BYTES(0x02, 0x08, 0x00),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
    { "from what is no peer id",
      BYTES(0x08, 0x08, 0x00, 0x12, 0x04, 0x0a, 0x02, 0xde, 0xad),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
    { "not protobuf",
      BYTES(0x04, 0xff, 0xff, 0xff, 0xff),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
    { "one byte above the cap",
      BYTES(0x81, 0x20),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
    { "a length not in its shortest form",
      BYTES(0x82, 0x00),
      ADIT_STOP_SRV_REFUSED,
      400,
      { 0 } },
};

/* Feed in pieces of `step`; returns how much was taken. */
static size_t
feed(struct adit_stop_srv *m, const uint8_t *p, size_t n, size_t step)
{
    size_t at = 0;

    while (at < n) {
        size_t take = ADIT_MIN(step, n - at);
        size_t used = SIZE_MAX;

        assert_int_equal(
            adit_stop_srv_feed(m, adit_slice(p + at, take), &used), ADIT_OK);
        assert_true(used <= take);
        at += used;
        if (used < take)
            break;
    }
    return at;
}

/* These bytes wait; the event comes when the last of them has left. */
static void
assert_sends(struct adit_stop_srv *m, const uint8_t *want, size_t n,
             enum adit_stop_srv_event_type type)
{
    struct adit_stop_srv_event ev;
    struct adit_slice out = adit_stop_srv_out(m);

    assert_int_equal(out.n, n);
    assert_memory_equal(out.p, want, n);
    while (adit_stop_srv_out(m).n > 0) {
        assert_int_equal(adit_stop_srv_next(m, &ev), ADIT_AGAIN);
        adit_stop_srv_sent(m, 1);
    }
    assert_int_equal(adit_stop_srv_next(m, &ev), ADIT_OK);
    assert_int_equal(ev.type, type);
    assert_int_equal(adit_stop_srv_next(m, &ev), ADIT_AGAIN);
}

/* Each request, whole and cut at every size, with payload right behind. */
static void
test_requests(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(requests); i++) {
        size_t n = requests[i].n;
        uint8_t in[80];

        print_message("%s\n", requests[i].why);
        memcpy(in, requests[i].in, n);
        memcpy(in + n, "payload", 7);
        for (size_t step = 1; step <= n + 7; step++) {
            struct adit_stop_srv m;
            struct adit_stop_srv_event ev;
            const uint8_t no[] = { 0x05,
                                   0x08,
                                   0x01,
                                   0x20,
                                   requests[i].status == 400 ? 0x90 : 0x91,
                                   0x03 };
            size_t used;

            adit_stop_srv_init(&m, *state);
            used = feed(&m, in, n + 7, step);
            assert_int_equal(adit_stop_srv_next(&m, &ev), ADIT_OK);
            assert_int_equal(ev.type, requests[i].want);
            assert_true(used > 0);
            if (ev.type == ADIT_STOP_SRV_REFUSED) {
                assert_int_equal(ev.status, requests[i].status);
                assert_non_null(ev.why);
                assert_sends(&m, no, sizeof(no), ADIT_STOP_SRV_DONE);
            } else {
                assert_int_equal(used, n);
                assert_int_equal(ev.src.n, sizeof(the_peer));
                assert_memory_equal(ev.src.b, the_peer, sizeof(the_peer));
                assert_int_equal(ev.limit.has, requests[i].limit.has);
                assert_int_equal(ev.limit.duration_s,
                                 requests[i].limit.duration_s);
                assert_int_equal(ev.limit.data_bytes,
                                 requests[i].limit.data_bytes);
                assert_int_equal(adit_stop_srv_out(&m).n, 0);
                assert_int_equal(adit_stop_srv_eof(&m), ADIT_OK);
            }
            assert_int_equal(feed(&m, in + n, 7, 7), 0);
            adit_stop_srv_fini(&m);
        }
    }
}

/* Every true prefix: no event, no answer, a clean end. */
static void
test_truncated(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(requests); i++) {
        for (size_t n = 0; n < requests[i].n; n++) {
            struct adit_stop_srv m;
            struct adit_stop_srv_event ev;
            size_t used = 7;

            adit_stop_srv_init(&m, *state);
            assert_int_equal(feed(&m, requests[i].in, n, n + 1), n);
            assert_int_equal(adit_stop_srv_next(&m, &ev), ADIT_AGAIN);
            assert_int_equal(adit_stop_srv_out(&m).n, 0);
            assert_int_equal(adit_stop_srv_eof(&m), ADIT_EPROTO);
            assert_int_equal(adit_stop_srv_feed(&m, adit_slice("x", 1), &used),
                             ADIT_EPROTO);
            assert_int_equal(used, 7);
            adit_stop_srv_fini(&m);
        }
    }
}

/* Without input nothing happens, and nothing is owned. */
static void
test_silence(void **state)
{
    struct adit_mem *mem = *state;
    struct adit_stop_srv m;
    struct adit_stop_srv_event ev;

    adit_stop_srv_init(&m, mem);
    assert_int_equal(feed(&m, NULL, 0, 1), 0);
    assert_int_equal(adit_stop_srv_next(&m, &ev), ADIT_AGAIN);
    assert_int_equal(adit_stop_srv_out(&m).n, 0);
    assert_int_equal(mem->used_bytes, 0);
    assert_int_equal(adit_stop_srv_accept(&m), ADIT_ESTATE);
    assert_int_equal(adit_stop_srv_refuse(&m, ADIT_CIRCUIT_NO_RESERVATION),
                     ADIT_ESTATE);
    adit_stop_srv_fini(&m);
    adit_stop_srv_fini(&m); /* of a zeroed one */
}

static void
test_accept(void **state)
{
    static const uint8_t connect[] = { STOP_CONNECT };
    static const uint8_t ok[] = { STOP_OK };
    struct adit_stop_srv m;

    /* The verdict may come before the event was fetched: it is not told. */
    adit_stop_srv_init(&m, *state);
    assert_int_equal(feed(&m, connect, sizeof(connect), 50), sizeof(connect));
    assert_int_equal(adit_stop_srv_accept(&m), ADIT_OK);
    assert_int_equal(adit_stop_srv_accept(&m), ADIT_ESTATE);
    assert_int_equal(adit_stop_srv_refuse(&m, ADIT_CIRCUIT_NO_RESERVATION),
                     ADIT_ESTATE);
    assert_sends(&m, ok, sizeof(ok), ADIT_STOP_SRV_RELAY);
    adit_stop_srv_fini(&m);
}

static void
test_refuse(void **state)
{
    static const uint8_t connect[] = { STOP_CONNECT };
    static const struct {
        enum adit_circuit_status status;
        uint8_t lo, hi; /* as a varint */
    } cases[] = {
        { ADIT_CIRCUIT_RESERVATION_REFUSED, 0xc8, 0x01 },
        { ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED, 0xc9, 0x01 },
        { ADIT_CIRCUIT_PERMISSION_DENIED, 0xca, 0x01 },
        { ADIT_CIRCUIT_CONNECTION_FAILED, 0xcb, 0x01 },
        { ADIT_CIRCUIT_NO_RESERVATION, 0xcc, 0x01 },
        { ADIT_CIRCUIT_MALFORMED_MESSAGE, 0x90, 0x03 },
        { ADIT_CIRCUIT_UNEXPECTED_MESSAGE, 0x91, 0x03 },
    };

    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        const uint8_t want[] = { 0x05, 0x08,        0x01,
                                 0x20, cases[i].lo, cases[i].hi };
        struct adit_stop_srv m;
        struct adit_stop_srv_event ev;

        adit_stop_srv_init(&m, *state);
        assert_int_equal(feed(&m, connect, sizeof(connect), 50),
                         sizeof(connect));
        assert_int_equal(adit_stop_srv_next(&m, &ev), ADIT_OK);
        assert_int_equal(adit_stop_srv_refuse(&m, ADIT_CIRCUIT_OK),
                         ADIT_EINVAL);
        assert_int_equal(adit_stop_srv_refuse(&m, cases[i].status), ADIT_OK);
        assert_sends(&m, want, sizeof(want), ADIT_STOP_SRV_DONE);
        adit_stop_srv_fini(&m);
    }
}

static void
test_no_memory(void **state)
{
    struct adit_mem mem;
    struct adit_stop_srv m;
    size_t used = 7;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    mem.fail_at = 1;
    adit_stop_srv_init(&m, &mem);
    assert_int_equal(adit_stop_srv_feed(&m, adit_slice("\x02\x08", 2), &used),
                     ADIT_ENOMEM);
    assert_int_equal(used, 7);
    adit_stop_srv_fini(&m);
    assert_int_equal(mem.used_bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests), TEST(test_truncated), TEST(test_silence),
        TEST(test_accept),   TEST(test_refuse),    TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
