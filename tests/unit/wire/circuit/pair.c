/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Client against server in memory: a reservation with a real voucher, and a
 * whole circuit of four machines, with every size of piece and a verdict
 * that takes its time.
 */
#include "messages.h"

#include "codec/key.h"
#include "codec/record.h"
#include "wire/circuit/hop_cli.h"
#include "wire/circuit/hop_srv.h"
#include "wire/circuit/stop_cli.h"
#include "wire/circuit/stop_srv.h"

/* One direction of a stream. */
struct wire {
    size_t r, w;
    uint8_t b[2 * ADIT_CIRCUIT_MAX_MSG_BYTES];
};

/* What a machine does with bytes, whichever it is. */
typedef adit_err feed_fn(void *m, struct adit_slice in, size_t *used);
typedef struct adit_slice out_fn(const void *m);
typedef void sent_fn(void *m, size_t n);

#define ENDS(name)                                                            \
    static adit_err name##_feed(void *m, struct adit_slice in, size_t *used)  \
    {                                                                         \
        return adit_##name##_feed(m, in, used);                               \
    }                                                                         \
    static struct adit_slice name##_out(const void *m)                        \
    {                                                                         \
        return adit_##name##_out(m);                                          \
    }                                                                         \
    static void name##_sent(void *m, size_t n)                                \
    {                                                                         \
        adit_##name##_sent(m, n);                                             \
    }

ENDS(hop_cli)
ENDS(hop_srv)
ENDS(stop_cli)
ENDS(stop_srv)

struct end {
    void *m;
    feed_fn *feed;
    out_fn *out;
    sent_fn *sent;
    struct wire *in, *to;
};

/* Move at most `step` bytes each way; true: something moved. */
static bool
turn(struct end *e, size_t step, adit_err want)
{
    struct adit_slice o = e->out(e->m);
    size_t n = ADIT_MIN(o.n, step);
    size_t used = 0;

    if (n > 0) {
        memcpy(e->to->b + e->to->w, o.p, n);
        e->to->w += n;
        e->sent(e->m, n);
    }
    o = adit_slice(e->in->b + e->in->r, ADIT_MIN(e->in->w - e->in->r, step));
    if (o.n > 0) {
        adit_err err = e->feed(e->m, o, &used);

        if (err != ADIT_OK) {
            assert_int_equal(err, want);
            return false;
        }
        e->in->r += used;
    }
    return n > 0 || used > 0;
}

static void
identity(struct adit_identity *id, uint8_t first)
{
    struct adit_secret seed = { { first } };

    adit_identity_from_seed(id, &seed);
}

/* Which voucher the relay sends, and what the client says to it. */
static const struct {
    const char *why;
    uint8_t signer, subject; /* whose seed */
    enum { AS_IT_IS, NONE, FLIPPED, CUT } how;
    adit_err want;
} vouchers[] = {
    { "none: rust sends none", 'r', 'c', NONE, ADIT_OK },
    { "a good one", 'r', 'c', AS_IT_IS, ADIT_OK },
    { "signed by another relay: go does not look", 'x', 'c', AS_IT_IS,
      ADIT_OK },
    { "for another client", 'r', 'x', AS_IT_IS, ADIT_EAUTH },
    { "its last bit flipped", 'r', 'c', FLIPPED, ADIT_EAUTH },
    { "its last byte missing", 'r', 'c', CUT, ADIT_EAUTH },
};

static void
test_reserve(void **state)
{
    const struct adit_slice addrs[] = {
        adit_slice("\x04\x7f\x00\x00\x01\x06\x0f\xa1", 8),
    };
    struct adit_identity self, signer, subject;

    identity(&self, 'c');
    for (size_t i = 0; i < 100 * ADIT_NITEMS(vouchers); i++) {
        size_t v = i / 100;
        size_t step = i % 100 + 1;
        struct wire up = { 0 }, down = { 0 };
        struct adit_hop_cli cli;
        struct adit_hop_srv srv;
        struct end c = { &cli,         hop_cli_feed, hop_cli_out,
                         hop_cli_sent, &down,        &up };
        struct end s = { &srv,         hop_srv_feed, hop_srv_out,
                         hop_srv_sent, &up,          &down };
        uint8_t buf[ADIT_VOUCHER_MAX_BYTES];
        struct adit_hop_srv_reservation r = {
            .expire_unix_s = 4000000000,
            .addrs = addrs,
            .n_addrs = 1,
            .limit = { true, 120, 131072 },
        };
        struct adit_hop_srv_event asked;
        struct adit_hop_cli_event ev;
        size_t n;

        if (step == 1)
            print_message("%s\n", vouchers[v].why);
        identity(&signer, vouchers[v].signer);
        identity(&subject, vouchers[v].subject);
        assert_int_equal(
            adit_voucher_enc(&signer, &subject.id, 4000000000,
                             (struct adit_mslice){ buf, sizeof(buf) }, &n),
            ADIT_OK);
        buf[n - 1] ^= vouchers[v].how == FLIPPED;
        n -= vouchers[v].how == CUT;
        if (vouchers[v].how != NONE)
            r.voucher = adit_slice(buf, n);

        adit_hop_cli_init(&cli, *state, &self.id);
        adit_hop_srv_init(&srv, *state);
        assert_int_equal(adit_hop_cli_reserve(&cli), ADIT_OK);
        while (turn(&c, step, ADIT_OK) || turn(&s, step, ADIT_OK))
            ;
        assert_int_equal(adit_hop_srv_next(&srv, &asked), ADIT_OK);
        assert_int_equal(asked.type, ADIT_HOP_SRV_ASK_RESERVE);
        assert_int_equal(adit_hop_srv_eof(&srv), ADIT_OK);
        assert_int_equal(adit_hop_srv_reserve_ok(&srv, &r), ADIT_OK);
        while (turn(&s, step, ADIT_OK) || turn(&c, step, vouchers[v].want))
            ;
        if (vouchers[v].want == ADIT_OK) {
            assert_int_equal(adit_hop_cli_next(&cli, &ev), ADIT_OK);
            assert_int_equal(ev.type, ADIT_HOP_CLI_RESERVED);
            assert_int_equal(ev.expire_unix_s, 4000000000);
            assert_true(adit_slice_eq(ev.voucher, r.voucher));
            assert_int_equal(ev.n_addrs, 1);
            assert_true(adit_slice_eq(ev.addrs[0], addrs[0]));
            assert_int_equal(down.r, down.w);
        } else {
            assert_int_equal(adit_hop_cli_next(&cli, &ev), ADIT_AGAIN);
            assert_int_equal(adit_hop_cli_eof(&cli), vouchers[v].want);
            assert_non_null(adit_hop_cli_why(&cli));
        }
        adit_hop_cli_fini(&cli);
        adit_hop_srv_fini(&srv);
    }
}

/* Put raw bytes on a wire, as the next layer does. */
static void
raw(struct wire *w, const char *text)
{
    size_t n = strlen(text);

    memcpy(w->b + w->w, text, n);
    w->w += n;
}

static void
assert_raw(const struct wire *w, const char *text)
{
    assert_int_equal(w->w - w->r, strlen(text));
    assert_memory_equal(w->b + w->r, text, strlen(text));
}

/*
 * source -hop-> relay -stop-> destination.  Both ends speak as soon as they
 * may, so that their first bytes lie right behind the STATUS messages.
 */
static void
test_circuit(void **state)
{
    struct adit_identity src, dst;

    identity(&src, 's');
    identity(&dst, 'd');
    for (size_t step = 1; step <= 100; step++) {
        const struct adit_circuit_limit limit = { true, 120, 131072 };
        struct wire hup = { 0 }, hdown = { 0 }, sup = { 0 }, sdown = { 0 };
        struct adit_hop_cli hc;
        struct adit_hop_srv hs;
        struct adit_stop_cli sc;
        struct adit_stop_srv ss;
        struct end a = { &hc,          hop_cli_feed, hop_cli_out,
                         hop_cli_sent, &hdown,       &hup };
        struct end b = { &hs,          hop_srv_feed, hop_srv_out,
                         hop_srv_sent, &hup,         &hdown };
        struct end c = { &sc,           stop_cli_feed, stop_cli_out,
                         stop_cli_sent, &sdown,        &sup };
        struct end d = { &ss,           stop_srv_feed, stop_srv_out,
                         stop_srv_sent, &sup,          &sdown };
        struct adit_hop_cli_event hce;
        struct adit_hop_srv_event hse;
        struct adit_stop_cli_event sce;
        struct adit_stop_srv_event sse;

        adit_hop_cli_init(&hc, *state, &src.id);
        adit_hop_srv_init(&hs, *state);
        assert_int_equal(adit_hop_cli_connect(&hc, &dst.id), ADIT_OK);
        while (turn(&a, step, ADIT_OK) || turn(&b, step, ADIT_OK))
            ;
        assert_int_equal(adit_hop_srv_next(&hs, &hse), ADIT_OK);
        assert_int_equal(hse.type, ADIT_HOP_SRV_ASK_CONNECT);
        assert_true(adit_peerid_eq(&hse.dst, &dst.id));
        raw(&hup, "hello"); /* a source that does not wait for OK */
        assert_false(turn(&b, step, ADIT_OK));

        adit_stop_cli_init(&sc, *state, &src.id, &limit);
        adit_stop_srv_init(&ss, *state);
        while (turn(&c, step, ADIT_OK) || turn(&d, step, ADIT_OK))
            ;
        assert_int_equal(adit_stop_srv_next(&ss, &sse), ADIT_OK);
        assert_int_equal(sse.type, ADIT_STOP_SRV_INCOMING);
        assert_true(adit_peerid_eq(&sse.src, &src.id));
        assert_int_equal(sse.limit.duration_s, 120);
        assert_int_equal(adit_stop_srv_accept(&ss), ADIT_OK);
        while (adit_stop_srv_out(&ss).n > 0)
            (void)turn(&d, step, ADIT_OK);
        assert_int_equal(adit_stop_srv_next(&ss, &sse), ADIT_OK);
        assert_int_equal(sse.type, ADIT_STOP_SRV_RELAY);
        raw(&sdown, "welcome");
        while (turn(&c, step, ADIT_OK))
            ;
        assert_int_equal(adit_stop_cli_next(&sc, &sce), ADIT_OK);
        assert_int_equal(sce.type, ADIT_STOP_CLI_ACCEPTED);
        assert_raw(&sdown, "welcome");

        assert_int_equal(adit_hop_srv_connect_ok(&hs, &limit), ADIT_OK);
        while (adit_hop_srv_out(&hs).n > 0)
            (void)turn(&b, step, ADIT_OK);
        assert_int_equal(adit_hop_srv_next(&hs, &hse), ADIT_OK);
        assert_int_equal(hse.type, ADIT_HOP_SRV_RELAY);
        assert_raw(&hup, "hello");
        raw(&hdown, "welcome");
        while (turn(&a, step, ADIT_OK))
            ;
        assert_int_equal(adit_hop_cli_next(&hc, &hce), ADIT_OK);
        assert_int_equal(hce.type, ADIT_HOP_CLI_CONNECTED);
        assert_true(hce.limit.has);
        assert_int_equal(hce.limit.data_bytes, 131072);
        assert_raw(&hdown, "welcome");

        adit_hop_cli_fini(&hc);
        adit_hop_srv_fini(&hs);
        adit_stop_cli_fini(&sc);
        adit_stop_srv_fini(&ss);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reserve),
        TEST(test_circuit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
