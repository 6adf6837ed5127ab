/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "messages.h"

#include "wire/circuit/hop_srv.h"

/* Requests, and what comes of them; the machine takes all of each. */
static const struct {
    const char *why;
    const uint8_t *in;
    size_t n;
    enum adit_hop_srv_event_type want;
    enum adit_circuit_status status;
} requests[] = {
    { "reserve", BYTES(RESERVE), ADIT_HOP_SRV_ASK_RESERVE, 0 },
    { "reserve with a peer, which means nothing",
      BYTES(0x2c, 0x08, 0x00, 0x12, 0x28, 0x0a, 0x26, PEER),
      ADIT_HOP_SRV_ASK_RESERVE, 0 },
    { "reserve with a field of next year",
      BYTES(0x05, 0x08, 0x00, 0x7a, 0x01, 0xff), ADIT_HOP_SRV_ASK_RESERVE, 0 },
    { "connect", BYTES(HOP_CONNECT), ADIT_HOP_SRV_ASK_CONNECT, 0 },
    { "connect, the type last",
      BYTES(0x2c, 0x12, 0x28, 0x0a, 0x26, PEER, 0x08, 0x01),
      ADIT_HOP_SRV_ASK_CONNECT, 0 },
    { "nothing at all", BYTES(0x00), ADIT_HOP_SRV_REFUSED, 400 },
    { "no type", BYTES(0x2a, 0x12, 0x28, 0x0a, 0x26, PEER),
      ADIT_HOP_SRV_REFUSED, 400 },
    { "a status is for the relay to say", BYTES(HOP_OK), ADIT_HOP_SRV_REFUSED,
      401 },
    { "a type that nobody knows", BYTES(0x02, 0x08, 0x07),
      ADIT_HOP_SRV_REFUSED, 401 },
    { "connect to nobody", BYTES(0x02, 0x08, 0x01), ADIT_HOP_SRV_REFUSED,
      400 },
    { "connect to an empty id",
      BYTES(0x06, 0x08, 0x01, 0x12, 0x02, 0x0a, 0x00), ADIT_HOP_SRV_REFUSED,
      400 },
    { "connect to what is no peer id",
      BYTES(0x08, 0x08, 0x01, 0x12, 0x04, 0x0a, 0x02, 0xde, 0xad),
      ADIT_HOP_SRV_REFUSED, 400 },
    { "a field cut short", BYTES(0x03, 0x08, 0x01, 0x12), ADIT_HOP_SRV_REFUSED,
      400 },
    { "not protobuf", BYTES(0x04, 0xff, 0xff, 0xff, 0xff),
      ADIT_HOP_SRV_REFUSED, 400 },
    { "one byte above the cap: refused before it comes", BYTES(0x81, 0x20),
      ADIT_HOP_SRV_REFUSED, 400 },
    { "a length of three bytes", BYTES(0x80, 0x80, 0x01), ADIT_HOP_SRV_REFUSED,
      400 },
    { "a length not in its shortest form", BYTES(0x82, 0x00),
      ADIT_HOP_SRV_REFUSED, 400 },
};

/* Feed in pieces of `step`; returns how much was taken. */
static size_t
feed(struct adit_hop_srv *m, const uint8_t *p, size_t n, size_t step)
{
    size_t at = 0;

    while (at < n) {
        size_t take = ADIT_MIN(step, n - at);
        size_t used = SIZE_MAX;

        assert_int_equal(adit_hop_srv_feed(m, adit_slice(p + at, take), &used),
                         ADIT_OK);
        assert_true(used <= take);
        at += used;
        if (used < take)
            break;
    }
    return at;
}

static void
assert_out(const struct adit_hop_srv *m, const uint8_t *want, size_t n)
{
    struct adit_slice out = adit_hop_srv_out(m);

    assert_int_equal(out.n, n);
    assert_memory_equal(out.p, want, n);
}

static void
assert_no_event(struct adit_hop_srv *m)
{
    struct adit_hop_srv_event ev;

    assert_int_equal(adit_hop_srv_next(m, &ev), ADIT_AGAIN);
}

static void
assert_event(struct adit_hop_srv *m, enum adit_hop_srv_event_type want)
{
    struct adit_hop_srv_event ev;

    assert_int_equal(adit_hop_srv_next(m, &ev), ADIT_OK);
    assert_int_equal(ev.type, want);
}

/* Make one that has been asked by `in`. */
static void
asked(struct adit_hop_srv *m, struct adit_mem *mem, const uint8_t *in,
      size_t n)
{
    struct adit_hop_srv_event ev;

    adit_hop_srv_init(m, mem);
    assert_int_equal(feed(m, in, n, n), n);
    assert_int_equal(adit_hop_srv_next(m, &ev), ADIT_OK);
}

/* Send what waits, byte by byte; the event comes with the last. */
static void
send_all(struct adit_hop_srv *m, enum adit_hop_srv_event_type want)
{
    while (adit_hop_srv_out(m).n > 0) {
        assert_no_event(m);
        adit_hop_srv_sent(m, 1);
    }
    assert_event(m, want);
    assert_no_event(m);
}

/* Each request, whole and cut at every size, with payload right behind. */
static void
test_requests(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(requests); i++) {
        size_t n = requests[i].n;
        uint8_t in[64];

        print_message("%s\n", requests[i].why);
        memcpy(in, requests[i].in, n);
        memcpy(in + n, "payload", 7);
        for (size_t step = 1; step <= n + 7; step++) {
            struct adit_hop_srv m;
            struct adit_hop_srv_event ev;
            const uint8_t no[] = { 0x05,
                                   0x08,
                                   0x02,
                                   0x28,
                                   requests[i].status == 400 ? 0x90 : 0x91,
                                   0x03 };
            size_t used;

            adit_hop_srv_init(&m, *state);
            used = feed(&m, in, n + 7, step);
            assert_int_equal(adit_hop_srv_next(&m, &ev), ADIT_OK);
            assert_int_equal(ev.type, requests[i].want);
            assert_true(used > 0);
            if (ev.type != ADIT_HOP_SRV_REFUSED)
                assert_int_equal(used, n);
            if (ev.type == ADIT_HOP_SRV_ASK_CONNECT) {
                assert_int_equal(ev.dst.n, sizeof(the_peer));
                assert_memory_equal(ev.dst.b, the_peer, sizeof(the_peer));
            }
            if (ev.type == ADIT_HOP_SRV_REFUSED) {
                assert_int_equal(ev.status, requests[i].status);
                assert_non_null(ev.why);
                assert_out(&m, no, sizeof(no));
                send_all(&m, ADIT_HOP_SRV_DONE);
            } else {
                assert_out(&m, NULL, 0);
            }
            assert_int_equal(feed(&m, in + n, 7, 7), 0);
            adit_hop_srv_fini(&m);
        }
    }
}

/* Every true prefix of a request: no event, no answer, a clean end. */
static void
test_truncated(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(requests); i++) {
        for (size_t n = 0; n < requests[i].n; n++) {
            struct adit_hop_srv m;
            size_t used = 7;

            adit_hop_srv_init(&m, *state);
            assert_int_equal(feed(&m, requests[i].in, n, n + 1), n);
            assert_no_event(&m);
            assert_out(&m, NULL, 0);
            assert_int_equal(adit_hop_srv_eof(&m), ADIT_EPROTO);
            assert_int_equal(adit_hop_srv_feed(&m, adit_slice("x", 1), &used),
                             ADIT_EPROTO);
            assert_int_equal(used, 7);
            adit_hop_srv_fini(&m);
        }
    }
}

/* Without input nothing happens, and nothing is owned. */
static void
test_silence(void **state)
{
    struct adit_mem *mem = *state;
    struct adit_hop_srv m;

    adit_hop_srv_init(&m, mem);
    assert_no_event(&m);
    assert_out(&m, NULL, 0);
    assert_int_equal(feed(&m, NULL, 0, 1), 0);
    assert_no_event(&m);
    assert_int_equal(mem->used_bytes, 0);
    assert_int_equal(adit_hop_srv_refuse(&m, ADIT_CIRCUIT_NO_RESERVATION),
                     ADIT_ESTATE);
    adit_hop_srv_fini(&m);
    adit_hop_srv_fini(&m); /* of a zeroed one */
}

/* The longest message we take; it is gathered by what arrives. */
static void
test_longest(void **state)
{
    struct adit_mem *mem = *state;
    static uint8_t in[2 + 4096] = { 0x80, 0x20, 0x08, 0x00, 0x7a, 0xfb, 0x1f };
    struct adit_hop_srv m;

    adit_hop_srv_init(&m, mem);
    assert_int_equal(feed(&m, in, 10, 10), 10);
    assert_true(mem->used_bytes > 0 && mem->used_bytes <= 256);
    assert_int_equal(feed(&m, in + 10, sizeof(in) - 10, 100), sizeof(in) - 10);
    assert_event(&m, ADIT_HOP_SRV_ASK_RESERVE);
    assert_int_equal(mem->used_bytes, 0); /* while the verdict is out */
    adit_hop_srv_fini(&m);
}

/* rust closes its side right behind RESERVE. */
static void
test_fin_is_no_abort(void **state)
{
    const uint8_t ok[] = { 0x05, 0x08, 0x02, 0x28, 0xc9, 0x01 };
    struct adit_hop_srv m;

    asked(&m, *state, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_eof(&m), ADIT_OK);
    assert_int_equal(
        adit_hop_srv_refuse(&m, ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED),
        ADIT_OK);
    assert_int_equal(adit_hop_srv_eof(&m), ADIT_OK);
    assert_out(&m, ok, sizeof(ok));
    send_all(&m, ADIT_HOP_SRV_DONE);
    adit_hop_srv_fini(&m);
}

static void
test_reserve_ok(void **state)
{
    /* clang-format off */
    static const uint8_t want[] = {
        0x33, 0x08, 0x02,
        0x1a, 0x25,                               /* reservation */
        0x08, 0x80, 0xd0, 0xac, 0xf3, 0x0e,       /* 4000000000 */
        0x12, 0x08, 0x04, 127, 0, 0, 1, 0x06, 0x0f, 0xa1,
        0x12, 0x0e, 0x36, 0x09, 'r', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e',
                    0x06, 0x0f, 0xa1,
        0x1a, 0x03, 'v', 'o', 'u',
        0x22, 0x06, 0x08, 0x78, 0x10, 0x80, 0x80, 0x08,
        0x28, 0x64,
    };
    /* clang-format on */
    const struct adit_slice addrs[] = {
        adit_slice("\x04\x7f\x00\x00\x01\x06\x0f\xa1", 8),
        adit_slice("\x36\x09r.example\x06\x0f\xa1", 14),
    };
    const struct adit_hop_srv_reservation r = {
        .expire_unix_s = 4000000000,
        .addrs = addrs,
        .n_addrs = 2,
        .voucher = adit_slice("vou", 3),
        .limit = { true, 120, 131072 },
    };
    struct adit_hop_srv m;

    asked(&m, *state, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_connect_ok(&m, &r.limit), ADIT_ESTATE);
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_OK);
    assert_out(&m, want, sizeof(want));
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_ESTATE);
    assert_int_equal(adit_hop_srv_refuse(&m, ADIT_CIRCUIT_NO_RESERVATION),
                     ADIT_ESTATE);
    send_all(&m, ADIT_HOP_SRV_DONE);
    adit_hop_srv_fini(&m);
}

/* Without limit and voucher the fields are absent, not empty. */
static void
test_reserve_ok_bare(void **state)
{
    const uint8_t want[] = { 0x0d, 0x08, 0x02, 0x1a, 0x07, 0x08, 0x01,
                             0x12, 0x03, 'a',  'b',  'c',  0x28, 0x64 };
    const struct adit_slice addrs[] = { ADIT_SLICE_NONE,
                                        adit_slice("abc", 3) };
    struct adit_hop_srv_reservation r = { .expire_unix_s = 1,
                                          .addrs = addrs,
                                          .n_addrs = 1 };
    struct adit_hop_srv m;

    asked(&m, *state, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_EINVAL);
    r.n_addrs = 0;
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_EINVAL);
    r.n_addrs = 2;
    r.expire_unix_s = -1;
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_EINVAL);
    r.expire_unix_s = 1;
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_OK);
    assert_out(&m, want, sizeof(want));
    adit_hop_srv_fini(&m); /* with its answer unsent */
}

/* Too many addresses for one message: the last ones give way. */
static void
test_reserve_ok_fits(void **state)
{
    static const uint8_t addr[500] = { 0 };
    struct adit_slice addrs[100];
    struct adit_hop_srv_reservation r = { .expire_unix_s = 1,
                                          .addrs = addrs,
                                          .n_addrs = ADIT_NITEMS(addrs) };
    struct adit_hop_srv m;

    for (size_t i = 0; i < ADIT_NITEMS(addrs); i++)
        addrs[i] = adit_slice(addr, sizeof(addr));
    asked(&m, *state, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_OK);
    assert_true(adit_hop_srv_out(&m).n <= 4096);
    assert_true(adit_hop_srv_out(&m).n > 4096 - 510);
    adit_hop_srv_fini(&m);

    /* A voucher that leaves no room for any. */
    static const uint8_t voucher[4000] = { 0 };

    r.voucher = adit_slice(voucher, sizeof(voucher));
    asked(&m, *state, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_EINVAL);
    assert_int_equal(adit_hop_srv_refuse(&m, ADIT_CIRCUIT_PERMISSION_DENIED),
                     ADIT_OK);
    adit_hop_srv_fini(&m);
}

/* OK to CONNECT, by the limit that applies. */
static const struct {
    struct adit_circuit_limit limit;
    const uint8_t *want;
    size_t n;
} limits[] = {
    { { false, 0, 0 }, BYTES(HOP_OK) },
    { { true, 120, 131072 }, BYTES(0x0c, 0x08, 0x02, HOP_LIMIT, 0x28, 0x64) },
    /* Present though both are zero: go calls it limited. */
    { { true, 0, 0 },
      BYTES(0x0a, 0x08, 0x02, 0x22, 0x04, 0x08, 0x00, 0x10, 0x00, 0x28,
            0x64) },
    { { true, UINT32_MAX, UINT64_MAX },
      BYTES(0x17, 0x08, 0x02, 0x22, 0x11, 0x08, 0xff, 0xff, 0xff, 0xff, 0x0f,
            0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            0x28, 0x64) },
};

static void
test_connect_ok(void **state)
{
    for (size_t i = 0; i < ADIT_NITEMS(limits); i++) {
        const struct adit_hop_srv_reservation r = { .n_addrs = 0 };
        struct adit_hop_srv m;

        asked(&m, *state, BYTES(HOP_CONNECT));
        assert_int_equal(feed(&m, the_peer, 5, 5), 0);
        assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_ESTATE);
        assert_int_equal(adit_hop_srv_connect_ok(&m, &limits[i].limit),
                         ADIT_OK);
        assert_out(&m, limits[i].want, limits[i].n);
        send_all(&m, ADIT_HOP_SRV_RELAY);
        assert_int_equal(feed(&m, the_peer, 5, 5), 0);
        adit_hop_srv_fini(&m);
    }
}

static void
test_refuse(void **state)
{
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
    const uint8_t reserve[] = { RESERVE };
    const uint8_t connect[] = { HOP_CONNECT };

    for (size_t i = 0; i < 2 * ADIT_NITEMS(cases); i++) {
        const uint8_t want[] = {
            0x05, 0x08, 0x02, 0x28, cases[i / 2].lo, cases[i / 2].hi
        };
        bool is_connect = i % 2 == 0;
        struct adit_hop_srv m;

        asked(&m, *state, is_connect ? connect : reserve,
              is_connect ? sizeof(connect) : sizeof(reserve));
        assert_int_equal(adit_hop_srv_refuse(&m, ADIT_CIRCUIT_OK),
                         ADIT_EINVAL);
        assert_int_equal(adit_hop_srv_refuse(&m, ADIT_CIRCUIT_UNUSED),
                         ADIT_EINVAL);
        assert_int_equal(adit_hop_srv_refuse(&m, cases[i / 2].status),
                         ADIT_OK);
        assert_out(&m, want, sizeof(want));
        send_all(&m, ADIT_HOP_SRV_DONE);
        adit_hop_srv_fini(&m);
    }
}

/* No memory to gather a request, or for a reservation. */
static void
test_no_memory(void **state)
{
    struct adit_mem mem;
    const struct adit_slice addr = adit_slice(the_peer, sizeof(the_peer));
    const struct adit_slice addrs[] = { addr, addr, addr };
    const struct adit_hop_srv_reservation r = { .expire_unix_s = 1,
                                                .addrs = addrs,
                                                .n_addrs = 3 };
    struct adit_hop_srv m;
    size_t used = 7;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    mem.fail_at = 1;
    adit_hop_srv_init(&m, &mem);
    assert_int_equal(adit_hop_srv_feed(&m, adit_slice("\x02\x08", 2), &used),
                     ADIT_ENOMEM);
    assert_int_equal(adit_hop_srv_feed(&m, adit_slice("\x00", 1), &used),
                     ADIT_ENOMEM);
    assert_int_equal(used, 7);
    adit_hop_srv_fini(&m);

    /* In one piece it needs none. */
    asked(&m, &mem, BYTES(RESERVE));
    assert_int_equal(adit_hop_srv_reserve_ok(&m, &r), ADIT_ENOMEM);
    assert_int_equal(
        adit_hop_srv_refuse(&m, ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED),
        ADIT_OK);
    send_all(&m, ADIT_HOP_SRV_DONE);
    adit_hop_srv_fini(&m);
    assert_int_equal(mem.used_bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests),        TEST(test_truncated),
        TEST(test_silence),         TEST(test_longest),
        TEST(test_fin_is_no_abort), TEST(test_reserve_ok),
        TEST(test_reserve_ok_bare), TEST(test_reserve_ok_fits),
        TEST(test_connect_ok),      TEST(test_refuse),
        TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
