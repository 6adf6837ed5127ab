/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The relay's caps, by peer and by address, and what it never permits: to be
 * used over another relay.  Each a status of its own, and a counter.
 */
#include "raw.h"
#include "run.h"

#include "host/circuit.h"

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
        cmocka_unit_test(test_relay_over_relay),
    };

    return cmocka_run_group_tests_name("sim/caps", tests, NULL, NULL);
}
