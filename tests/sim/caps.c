/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The relay's caps, by peer, address, system and in all, and what it never
 * permits: to be used over another relay.  Each a status of its own, and a
 * counter.
 */
#include "config.h"

#include "raw.h"
#include "run.h"

#include "host/circuit.h"
#include "policy/asn.h"

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

static void
pass(struct stage *s, int64_t us)
{
    sim_run(&s->r.w, us, NULL, NULL);
}

/* ---- with caps of its own --------------------------------------------------- */

static void
test_caps(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sim_config cfg = { .seed = 12, .latency_us = 1000 };
    struct adit_node_config rc;
    struct raw *v[4] = { NULL }, *r;

    (void)state;
    run_relay_config(&rc);
    rc.caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = 3; /* one is the listener's */
    rc.caps[ADIT_CAP_RSVPS][ADIT_SCOPE_IP] = 1;
    rc.caps[ADIT_CAP_CONNS][ADIT_SCOPE_IP] = 2;
    rc.caps[ADIT_CAP_HANDSHAKES][ADIT_SCOPE_IP] = 1;
    run_init_with(&s->r, &cfg, &rc, 1000);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_reserved, &s->r));
    for (unsigned i = 0; i < N_KITS; i++)
        raw_kit_init(&s->kits[i], &s->r.w);

    v[0] = raw_ready(&s->kits[0], s->r.relay, 1);
    assert_int_equal(raw_wait(v[0], raw_reserve(v[0])), 100);
    /* Another peer from the same address. */
    v[1] = raw_ready(&s->kits[1], s->r.relay, 1);
    assert_int_equal(raw_wait(v[1], raw_reserve(v[1])), 201);
    assert_int_equal(metric(s, ADIT_M_RSVP_REJ_IP), 1);
    raw_free(v[1], false);
    /* From another: the last place; then it is full, but not for those who
     * renew. */
    v[1] = raw_ready(&s->kits[1], s->r.relay, 2);
    assert_int_equal(raw_wait(v[1], raw_reserve(v[1])), 100);
    v[2] = raw_ready(&s->kits[2], s->r.relay, 3);
    assert_int_equal(raw_wait(v[2], raw_reserve(v[2])), 201);
    assert_int_equal(metric(s, ADIT_M_RSVP_REJ_LIMIT), 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(raw_wait(v[i], raw_reserve(v[i])), 100);
    assert_int_equal(metric(s, ADIT_M_RSVP_RENEWED), 2);
    assert_int_equal(metric(s, ADIT_M_RSVP), 3);
    /* A slot in its grace is nobody else's; after it, it is. */
    raw_free(v[1], true);
    pass(s, 10 * ADIT_S);
    assert_int_equal(raw_wait(v[2], raw_reserve(v[2])), 201);
    pass(s, 25 * ADIT_S);
    raw_free(v[2], false);
    v[2] = raw_ready(&s->kits[2], s->r.relay, 3);
    assert_int_equal(raw_wait(v[2], raw_reserve(v[2])), 100);

    /* Connections, before anybody says who he is. */
    v[1] = raw_new(&s->kits[0], s->r.relay, 9, false);
    r = raw_new(&s->kits[0], s->r.relay, 9, false);
    assert_true(raw_wait_over(r, ADIT_S));
    assert_int_equal(metric(s, ADIT_M_REFUSED_HANDSHAKES_PER_IP), 1);
    raw_free(r, false);
    v[3] = raw_ready(&s->kits[0], s->r.relay, 1);
    r = raw_new(&s->kits[0], s->r.relay, 1, false);
    assert_true(raw_wait_over(r, ADIT_S));
    assert_int_equal(metric(s, ADIT_M_REFUSED_CONNS_PER_IP), 1);
    raw_free(r, false);

    for (unsigned i = 0; i < 4; i++)
        raw_free(v[i], false);
    pass(s, 60 * ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP), 1);
    for (unsigned i = 0; i < N_KITS; i++)
        raw_kit_fini(&s->kits[i]);
    run_fini(&s->r);
    free(s);
}

/* ---- each of them, alone --------------------------------------------------- */

#define RELAY_ASN                                                             \
    "tests/vectors/asn.mmdb" /* 10.1/16 is one, 10.2/16 another */
#define AT(net, host) ((uint32_t)(net) << 16 | (host))

/* Two strangers, of which the second is one too many. */
static const struct {
    const char *why;
    enum adit_cap_thing thing;
    enum adit_cap_scope scope;
    uint32_t addr[2];
    unsigned kit[2];
} bites[] = {
    { "connections of a peer",
      ADIT_CAP_CONNS,
      ADIT_SCOPE_PEER,
      { 1, 2 },
      { 0, 0 } },
    { "of an address", ADIT_CAP_CONNS, ADIT_SCOPE_IP, { 99, 99 }, { 0, 1 } },
    { "of a system",
      ADIT_CAP_CONNS,
      ADIT_SCOPE_ASN,
      { AT(1, 1), AT(1, 2) },
      { 0, 1 } },
    { "in all",
      ADIT_CAP_CONNS,
      ADIT_SCOPE_NODE,
      { AT(1, 1), AT(2, 1) },
      { 0, 1 } },
    { "handshakes of an address",
      ADIT_CAP_HANDSHAKES,
      ADIT_SCOPE_IP,
      { 99, 99 },
      { 0, 1 } },
    { "of a system",
      ADIT_CAP_HANDSHAKES,
      ADIT_SCOPE_ASN,
      { AT(1, 1), AT(1, 2) },
      { 0, 1 } },
    { "in all", ADIT_CAP_HANDSHAKES, ADIT_SCOPE_NODE, { 1, 2 }, { 0, 1 } },
    { "streams of a peer",
      ADIT_CAP_STREAMS,
      ADIT_SCOPE_PEER,
      { 1, 2 },
      { 0, 0 } },
    { "of an address", ADIT_CAP_STREAMS, ADIT_SCOPE_IP, { 99, 99 }, { 0, 1 } },
    { "of a system",
      ADIT_CAP_STREAMS,
      ADIT_SCOPE_ASN,
      { AT(1, 1), AT(1, 2) },
      { 0, 1 } },
    { "in all", ADIT_CAP_STREAMS, ADIT_SCOPE_NODE, { 1, 2 }, { 0, 1 } },
    { "reservations at an address",
      ADIT_CAP_RSVPS,
      ADIT_SCOPE_IP,
      { 99, 99 },
      { 0, 1 } },
    { "in a system",
      ADIT_CAP_RSVPS,
      ADIT_SCOPE_ASN,
      { AT(1, 1), AT(1, 2) },
      { 0, 1 } },
    { "in all", ADIT_CAP_RSVPS, ADIT_SCOPE_NODE, { 1, 2 }, { 0, 1 } },
    { "circuits from an address",
      ADIT_CAP_CIRCUITS,
      ADIT_SCOPE_IP,
      { 99, 99 },
      { 0, 1 } },
    { "from a system",
      ADIT_CAP_CIRCUITS,
      ADIT_SCOPE_ASN,
      { AT(1, 1), AT(1, 2) },
      { 0, 1 } },
    { "in all", ADIT_CAP_CIRCUITS, ADIT_SCOPE_NODE, { 1, 2 }, { 0, 1 } },
};

/* Does `r` get one more of `thing`? */
static bool
gets(struct stage *s, struct raw *r, enum adit_cap_thing thing)
{
    uint32_t id, status;

    switch (thing) {
    case ADIT_CAP_CONNS:
    case ADIT_CAP_HANDSHAKES:
        return !raw_wait_over(r, ADIT_S);
    case ADIT_CAP_STREAMS:
        id = raw_open(r, "/ipfs/ping/1.0.0");
        pass(s, ADIT_S);
        if (raw_stream(r, id)->rst)
            assert_int_equal(raw_stream(r, id)->code,
                             ADIT_YAMUX_RESET_RESOURCE);
        return !raw_stream(r, id)->rst;
    case ADIT_CAP_RSVPS:
    case ADIT_CAP_CIRCUITS:
    case ADIT_N_CAP_THINGS:
        break;
    }
    id = thing == ADIT_CAP_RSVPS ? raw_reserve(r)
                                 : raw_connect(r, &s->kits[2].identity.id);
    status = raw_wait(r, id);
    if (status != 100 && status != 201)
        fail_msg("status %u", status);
    return status == 100;
}

static uint64_t
n_refused(struct stage *s)
{
    uint64_t n = 0;

    for (int i = ADIT_RULE_NONE + 1; i < ADIT_N_RULES; i++)
        n += metric(s, (enum adit_metric)(ADIT_M_REFUSED_CONNS_PER_PEER + i -
                                          ADIT_RULE_CONNS_PER_PEER));
    return n;
}

static void
bite(size_t i, const struct adit_asn *asn)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sim_config cfg = { .seed = 14 + i, .latency_us = 1000 };
    enum adit_cap_thing thing = bites[i].thing;
    enum adit_cap_scope scope = bites[i].scope;
    bool is_conn = thing == ADIT_CAP_CONNS || thing == ADIT_CAP_HANDSHAKES;
    struct adit_caps_config caps = { 0 };
    struct adit_node_config rc;
    struct raw *v[2] = { NULL }, *dst;
    struct adit_host *h;

    print_message("%s\n", bites[i].why);
    run_relay_config(&rc);
    memset(rc.caps, 0, sizeof(rc.caps));
    run_init_with(&s->r, &cfg, &rc, 1000);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_reserved, &s->r));
    for (unsigned k = 0; k < N_KITS; k++)
        raw_kit_init(&s->kits[k], &s->r.w);
    /* Where circuits lead. */
    dst = raw_ready(&s->kits[2], s->r.relay, AT(3, 1));
    dst->stop_reply = raw_stop_ok;
    dst->n_stop_reply = sizeof(raw_stop_ok);
    assert_int_equal(raw_wait(dst, raw_reserve(dst)), 100);
    pass(s, 20 * ADIT_S);
    h = sim_host(s->r.relay);
    h->asn = asn;
    /* One more than there is. */
    caps.max[thing][scope] =
        1 + (scope == ADIT_SCOPE_NODE ? h->caps.n[thing] : 0);
    for (unsigned k = 0; k < 2; k++) {
        struct raw_kit *kit = &s->kits[bites[i].kit[k]];

        if (!is_conn)
            v[k] = raw_ready(kit, s->r.relay, bites[i].addr[k]);
    }
    adit_caps_set(&h->caps, &caps);
    for (unsigned k = 0; k < 2; k++) {
        struct raw_kit *kit = &s->kits[bites[i].kit[k]];

        if (is_conn)
            v[k] = raw_new(kit, s->r.relay, bites[i].addr[k],
                           thing == ADIT_CAP_CONNS);
        assert_int_equal(gets(s, v[k], thing), k == 0);
        assert_int_equal(n_refused(s), k);
    }
    assert_int_equal(
        metric(s, (enum adit_metric)(ADIT_M_REFUSED_CONNS_PER_PEER +
                                     (int)thing * ADIT_N_CAP_SCOPES +
                                     (int)scope)),
        1);
    /* The first is gone for good: the second may. */
    raw_free(v[0], true);
    pass(s, 40 * ADIT_S);
    raw_free(v[1], false);
    v[1] = is_conn ? raw_new(&s->kits[bites[i].kit[1]], s->r.relay,
                             bites[i].addr[1], thing == ADIT_CAP_CONNS)
                   : raw_ready(&s->kits[bites[i].kit[1]], s->r.relay,
                               bites[i].addr[1]);
    assert_true(gets(s, v[1], thing));
    assert_int_equal(n_refused(s), 1);
    raw_free(v[1], false);
    raw_free(dst, false);
    for (unsigned k = 0; k < N_KITS; k++)
        raw_kit_fini(&s->kits[k]);
    run_fini(&s->r);
    free(s);
}

static void
test_each(void **state)
{
    const char *top = getenv("abs_top_srcdir");
    char path[1024], why[ADIT_ASN_WHY_BYTES];
    struct adit_asn *asn = NULL;
    struct adit_mem mem;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    snprintf(path, sizeof(path), "%s/" RELAY_ASN, top != NULL ? top : ".");
#ifdef ADIT_WITH_RELAY
    assert_int_equal(adit_asn_open(&mem, path, &asn, why), ADIT_OK);
#else
    assert_int_equal(adit_asn_open(&mem, path, &asn, why), ADIT_EUNSUPPORTED);
#endif
    for (size_t i = 0; i < ADIT_NITEMS(bites); i++)
        if (asn != NULL || bites[i].scope != ADIT_SCOPE_ASN)
            bite(i, asn);
    adit_asn_close(asn);
}

/* ---- relay over relay ------------------------------------------------------- */

struct over {
    struct adit_hconn *hc; /* from the second relay to the listener */
    struct adit_hstream *s;
    uint8_t b[64];
    size_t n;
    bool is_over;
};

static size_t
over_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct over *o = ctx;
    size_t n = ADIT_MIN(in.n, sizeof(o->b) - o->n);

    (void)s;
    memcpy(o->b + o->n, in.p, n);
    o->n += n;
    return in.n;
}

static void
over_fin(void *ctx, struct adit_hstream *s)
{
    struct over *o = ctx;

    o->is_over = true;
    o->s = NULL;
    adit_hstream_close(s);
}

static void
over_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct over *o = ctx;

    (void)s;
    (void)why;
    (void)code;
    o->s = NULL;
    o->is_over = true;
}

static const struct adit_hstream_ops over_ops = {
    .on_data = over_data,
    .on_fin = over_fin,
    .on_end = over_end,
};

static bool
over_done(void *ctx)
{
    return ((struct over *)ctx)->is_over;
}

static void
over_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct over *o = ctx;

    (void)e;
    (void)why;
    o->hc = hc;
    o->is_over = true;
}

/* Asking a relay for service over a circuit, RESERVE and CONNECT. */
static void
test_relay_over_relay(void **state)
{
    struct run *r = calloc(1, sizeof(*r));
    struct sim_config cfg = { .seed = 13, .latency_us = 1000 };
    struct adit_node_config rc;
    struct sim_node *second;
    struct over o = { 0 };
    struct adit_connect *connect;
    struct adit_maddr to;
    struct adit_connect_config cc = { .addrs = &to,
                                      .n = 1,
                                      .mode = ADIT_CONNECT_ANY,
                                      .timeout_us = 60 * ADIT_S };
    uint8_t ask[2][64] = { { 2, 0x08, 0 } };
    size_t n_ask[2] = { 3, 0 };

    (void)state;
    run_init(r, &cfg, 1000, 0, 0);
    run_relay_config(&rc);
    second = sim_add(&r->w, &rc);
    assert_true(sim_run(&r->w, 60 * ADIT_S, run_is_reserved, r));
    cc.peer = r->b->identity.id;
    to = r->relay->addr;
    assert_int_equal(
        adit_maddr_push(&to, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE), ADIT_OK);
    assert_int_equal(
        adit_maddr_push(&to, ADIT_MA_P2P, adit_peerid_bytes(&cc.peer)),
        ADIT_OK);
    assert_int_equal(adit_connect_start(sim_host(second), &cc, over_connected,
                                        &o, &connect),
                     ADIT_OK);
    assert_true(sim_run(&r->w, 60 * ADIT_S, over_done, &o));
    sim_run(&r->w, ADIT_S, NULL, NULL);
    assert_non_null(o.hc);
    assert_non_null(o.hc->circuit);

    struct adit_slice p = adit_peerid_bytes(&r->a->identity.id);
    uint8_t head[] = { (uint8_t)(6 + p.n), 0x08, 1,           0x12,
                       (uint8_t)(2 + p.n), 0x0a, (uint8_t)p.n };

    memcpy(ask[1], head, sizeof(head));
    memcpy(ask[1] + sizeof(head), p.p, p.n);
    n_ask[1] = sizeof(head) + p.n;
    for (int i = 0; i < 2; i++) {
        struct adit_hconn *back =
            adit_host_conn_to(sim_host(r->b), &second->identity.id, true);

        assert_non_null(back);
        o = (struct over){ 0 };
        assert_int_equal(adit_hstream_open(back, RAW_HOP, &over_ops, &o, &o.s),
                         ADIT_OK);
        assert_int_equal(
            adit_hstream_write_copy(o.s, adit_slice(ask[i], n_ask[i])),
            n_ask[i]);
        assert_true(sim_run(&r->w, 20 * ADIT_S, over_done, &o));
        /* STATUS 202, PERMISSION_DENIED */
        assert_int_equal(o.n, 6);
        assert_memory_equal(o.b, "\x05\x08\x02\x28\xca\x01", 6);
        assert_int_equal(adit_metric_get(&second->metrics,
                                         i == 0 ? ADIT_M_RSVP_REJ_DENIED
                                                : ADIT_M_CONNECT_REJ_DENIED),
                         1);
    }
    run_fini(r);
    free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_relay_over_relay),
    };

    return cmocka_run_group_tests_name("sim/caps", tests, NULL, NULL);
}
