/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Circuits at a rate: a node in the middle couples streams of two others, on
 * a virtual clock.  Who gets how much, that every byte comes and in order,
 * what may wait, and who goes when too much does.
 */
#include "world.h"

#include "host/bridge.h"
#include "host/connect.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FROM "/sim/from/1"
#define TO "/sim/to/1"
#define MAX_CIRCUITS 24
#define MB 1000000

/* An end of a circuit. */
struct party {
    struct adit_hstream *s; /* NULL: gone */
    bool was_open;
    uint64_t may_send; /* in all; UINT64_MAX: without end */
    uint64_t sent, got, marked;
    uint8_t salt;
    bool is_deaf;
    bool fin_after; /* all it may send */
    bool fin_sent, fin_got, is_wrong;
};

struct circuit {
    struct rates *r;
    struct party src, dst;
    struct adit_bridge_terms terms;
    struct adit_bridge *b;     /* NULL: not yet, or over */
    struct adit_hstream *half; /* waits for its other end */
    struct adit_bridge_counts last;
    bool is_over;
    struct adit_bridge_end end;
    struct adit_instant ended;
};

struct rates {
    struct sim_world w;
    struct sim_node *mid, *from, *to;
    struct adit_connect *connects[2];
    struct adit_hconn *hc[2]; /* from's and to's */
    struct adit_service in_mid, in_to;
    struct circuit c[MAX_CIRCUITS];
    size_t n;
    struct circuit *opening;
    uint64_t sends;    /* what the source of the next one sends at first */
    size_t most_bytes; /* that waited in the middle */
    uint64_t n_steps;
};

/* ---- an end --------------------------------------------------------------- */

static uint8_t
pattern(const struct party *p, uint64_t i)
{
    return (uint8_t)(i * 7 + i / 251 + p->salt);
}

static void
send_more(struct party *p)
{
    while (p->s != NULL && p->sent < p->may_send) {
        uint8_t buf[16000];
        size_t n = (size_t)ADIT_MIN(sizeof(buf), p->may_send - p->sent);
        size_t took;

        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(p, p->sent + i);
        took = adit_hstream_write_copy(p->s, adit_slice(buf, n));
        p->sent += took;
        if (took < n)
            return;
    }
    if (p->s != NULL && p->fin_after && !p->fin_sent) {
        p->fin_sent = true;
        adit_hstream_fin(p->s);
    }
}

static size_t
party_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct party *p = ctx;

    (void)s;
    if (p->is_deaf)
        return 0;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != (uint8_t)((p->got + i) * 7 + (p->got + i) / 251 +
                                 (uint8_t)(p->salt ^ 1)))
            p->is_wrong = true;
    p->got += in.n;
    return in.n;
}

static void
party_fin(void *ctx, struct adit_hstream *s)
{
    struct party *p = ctx;

    (void)s;
    p->fin_got = true;
}

static void
party_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    send_more(ctx);
}

static void
party_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct party *p = ctx;

    (void)s;
    (void)why;
    (void)code;
    p->s = NULL;
}

static const struct adit_hstream_ops party_ops = {
    .on_data = party_data,
    .on_fin = party_fin,
    .on_room = party_room,
    .on_end = party_end,
};

static void
open_to(void *ctx, struct adit_hstream *s)
{
    struct rates *r = ctx;
    struct party *p = &r->opening->dst;

    p->s = s;
    p->was_open = true;
    adit_hstream_take(s, &party_ops, p);
    send_more(p);
}

/* ---- the middle ------------------------------------------------------------- */

static void
bridge_end(void *ctx, const struct adit_bridge_end *end)
{
    struct circuit *c = ctx;

    c->end = *end;
    c->ended = c->r->w.now;
    c->b = NULL;
    c->is_over = true;
}

static void
half_open(void *ctx, struct adit_hstream *s)
{
    struct circuit *c = ctx;

    if (adit_bridge_new(sim_host(c->r->mid), c->half, s, &c->terms, bridge_end,
                        c, &c->b) != ADIT_OK)
        adit_assert(!"a bridge");
    c->half = NULL;
}

static void
half_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)ctx;
    (void)s;
    (void)why;
    (void)code;
}

static const struct adit_hstream_ops src_half_ops = { .on_end = half_end };
static const struct adit_hstream_ops dst_half_ops = { .on_open = half_open,
                                                      .on_end = half_end };

static void
open_mid(void *ctx, struct adit_hstream *s)
{
    struct rates *r = ctx;
    struct circuit *c = r->opening;
    struct adit_hstream *out;
    struct adit_hconn *hc =
        adit_host_conn_to(sim_host(r->mid), &r->to->identity.id, false);

    c->half = s;
    adit_hstream_take(s, &src_half_ops, c);
    if (hc == NULL ||
        adit_hstream_open(hc, TO, &dst_half_ops, c, &out) != ADIT_OK)
        adit_assert(!"a stream");
}

/* ---- the world -------------------------------------------------------------- */

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct adit_hconn **out = ctx;

    (void)why;
    adit_assert(e == ADIT_OK);
    *out = hc;
}

static bool
is_connected(void *ctx)
{
    struct rates *r = ctx;

    return r->hc[0] != NULL && r->hc[1] != NULL &&
           adit_host_conn_to(sim_host(r->mid), &r->to->identity.id, false) !=
               NULL;
}

/* Looked at after every step: what can never be. */
static bool
watch(void *ctx)
{
    struct rates *r = ctx;
    struct adit_pool *pool = adit_worker_pool(r->mid->w);

    r->n_steps++;
    r->most_bytes = ADIT_MAX(r->most_bytes, pool->used_bytes);
    for (size_t i = 0; i < r->n; i++) {
        struct circuit *c = &r->c[i];
        struct adit_bridge_counts n;

        if (c->b == NULL)
            continue;
        adit_bridge_counts(c->b, &n);
        for (int d = 0; d < 2; d++) {
            adit_assert(n.handed_bytes[d] >= c->last.handed_bytes[d]);
            adit_assert(n.accepted_bytes[d] >= c->last.accepted_bytes[d]);
            adit_assert(n.accepted_bytes[d] >= n.handed_bytes[d]);
            adit_assert(n.accepted_bytes[d] - n.handed_bytes[d] <=
                        ADIT_YAMUX_INITIAL_WINDOW);
        }
        c->last = n;
    }
    return false;
}

static void
run_us(struct rates *r, int64_t us)
{
    sim_run(&r->w, us, watch, r);
}

static struct rates *
rates_new(uint64_t seed, uint64_t buffer_bytes)
{
    struct rates *r = calloc(1, sizeof(*r));
    struct sim_config cfg = { .seed = seed,
                              .latency_us = 1000,
                              .chop = seed % 2 == 1,
                              .verbose = getenv("SIM_VERBOSE") != NULL };
    struct adit_node_config nc;
    struct adit_connect_config cc = { .n = 1,
                                      .mode = ADIT_CONNECT_DIRECT,
                                      .timeout_us = 10 * ADIT_S };

    adit_assert(r != NULL);
    r->sends = UINT64_MAX;
    sim_init(&r->w, &cfg);
    sim_defaults(&nc);
    if (buffer_bytes != 0)
        nc.buffer_bytes = buffer_bytes;
    r->mid = sim_add(&r->w, &nc);
    r->from = sim_add(&r->w, NULL);
    r->to = sim_add(&r->w, NULL);
    r->in_mid =
        (struct adit_service){ .protocol = FROM, .open = open_mid, .ctx = r };
    r->in_to =
        (struct adit_service){ .protocol = TO, .open = open_to, .ctx = r };
    adit_host_serve(sim_host(r->mid), &r->in_mid);
    adit_host_serve(sim_host(r->to), &r->in_to);
    cc.peer = r->mid->identity.id;
    cc.addrs = &r->mid->addr;
    if (adit_connect_start(sim_host(r->from), &cc, on_connected, &r->hc[0],
                           &r->connects[0]) != ADIT_OK ||
        adit_connect_start(sim_host(r->to), &cc, on_connected, &r->hc[1],
                           &r->connects[1]) != ADIT_OK)
        adit_assert(!"a connection");
    assert_true(sim_run(&r->w, 5 * ADIT_S, is_connected, r));
    return r;
}

static void
rates_free(struct rates *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct circuit *c = &r->c[i];

        assert_false(c->src.is_wrong || c->dst.is_wrong);
        if (c->src.s != NULL)
            adit_hstream_reset(c->src.s, 0);
        if (c->dst.s != NULL)
            adit_hstream_reset(c->dst.s, 0);
    }
    run_us(r, 30 * ADIT_S);
    for (size_t i = 0; i < r->n; i++)
        assert_true(r->c[i].is_over);
    /* Nothing is left of anybody's share. */
    assert_int_equal(sim_host(r->mid)->pacer.node.n_waiting, 0);
    assert_true(adit_list_is_empty(&sim_host(r->mid)->pacer.waiting));
    adit_host_unserve(sim_host(r->mid), &r->in_mid);
    adit_host_unserve(sim_host(r->to), &r->in_to);
    sim_fini(&r->w);
    free(r);
}

static bool
is_coupled(void *ctx)
{
    struct rates *r = ctx;

    return r->opening->b != NULL && r->opening->dst.was_open;
}

static const struct adit_bridge_terms no_terms = {
    .budget = { .left_bytes = { ADIT_BUDGET_NO_CAP, ADIT_BUDGET_NO_CAP },
                .ends = { UINT64_MAX } },
};

/* A circuit whose source sends without end, and whose destination nothing,
 * until told otherwise. */
static struct circuit *
circuit(struct rates *r, const struct adit_bridge_terms *terms)
{
    struct circuit *c = &r->c[r->n++];

    assert_true(r->n <= MAX_CIRCUITS);
    c->r = r;
    c->terms = terms != NULL ? *terms : no_terms;
    c->src.salt = (uint8_t)(2 * r->n);
    c->dst.salt = c->src.salt ^ 1;
    r->opening = c;
    if (adit_hstream_open(r->hc[0], FROM, &party_ops, &c->src, &c->src.s) !=
        ADIT_OK)
        adit_assert(!"a stream");
    c->src.was_open = true;
    assert_true(sim_run(&r->w, 5 * ADIT_S, is_coupled, r));
    c->src.may_send = r->sends;
    send_more(&c->src);
    return c;
}

static struct circuit *
circuit_at(struct rates *r, uint64_t bytes_s, struct adit_rate *src,
           struct adit_rate *dst)
{
    struct adit_bridge_terms t = no_terms;

    t.bytes_s = bytes_s;
    t.peers[0] = src;
    t.peers[1] = dst;
    return circuit(r, &t);
}

static void
set_node(struct rates *r, uint64_t bytes_s)
{
    adit_pacer_set(&sim_host(r->mid)->pacer, bytes_s);
}

static void
mark(struct rates *r)
{
    for (size_t i = 0; i < r->n; i++) {
        r->c[i].src.marked = r->c[i].src.got;
        r->c[i].dst.marked = r->c[i].dst.got;
    }
}

/* Let it settle, then see what everybody gets in `s` seconds. */
static void
measure(struct rates *r, int64_t s)
{
    run_us(r, ADIT_S);
    mark(r);
    run_us(r, s * ADIT_S);
}

#define assert_near(v, want)                                                  \
    assert_in_range((v), (uint64_t)((double)(want)*0.98),                     \
                    (uint64_t)((double)(want)*1.02))

/* Bytes that came at the destination since the mark. */
static uint64_t
gain(const struct circuit *c)
{
    return c->dst.got - c->dst.marked;
}

/* ---- the tests ---------------------------------------------------------------- */

static void
test_one(void **state)
{
    static const uint64_t rates[] = { 20000, 1 * MB, 7 * MB };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(rates); i++) {
        struct rates *r = rates_new(1 + i, 0);
        struct circuit *c = circuit_at(r, rates[i], NULL, NULL);
        uint64_t us = adit_metric_get(&r->mid->metrics, ADIT_M_PACED_US);

        measure(r, 5);
        assert_near(gain(c), 5 * rates[i]);
        assert_true(adit_bridge_is_paced(c->b));
        assert_int_equal(adit_metric_get(&r->mid->metrics, ADIT_M_PACED), 1);
        us = adit_metric_get(&r->mid->metrics, ADIT_M_PACED_US) - us;
        assert_in_range(us, 4 * ADIT_S, 6 * ADIT_S);
        /* The other way shares it, half and half. */
        c->dst.may_send = UINT64_MAX;
        send_more(&c->dst);
        measure(r, 5);
        assert_near(gain(c), 5 * rates[i] / 2);
        assert_near(c->src.got - c->src.marked, 5 * rates[i] / 2);
        rates_free(r);
    }
}

/* A way that sends little is not held up by the bulk the other way. */
static void
test_answers(void **state)
{
    struct rates *r = rates_new(11, 0);
    struct circuit *c = circuit_at(r, 100000, NULL, NULL);

    (void)state;
    run_us(r, 5 * ADIT_S);
    for (int i = 0; i < 20; i++) {
        c->dst.may_send += 100;
        send_more(&c->dst);
        run_us(r, 50 * ADIT_MS);
        assert_int_equal(c->src.got, c->dst.may_send);
    }
    rates_free(r);
}

/* Halves, then thirds, then halves. */
static void
test_node(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct rates *r = rates_new(seed, 0);
        struct circuit *c[3];

        set_node(r, 3 * MB);
        c[0] = circuit(r, NULL);
        run_us(r, ADIT_S); /* one alone, and then another */
        c[1] = circuit(r, NULL);
        measure(r, 4);
        for (int i = 0; i < 2; i++)
            assert_near(gain(c[i]), 4 * 3 * MB / 2);
        run_us(r, 333 * ADIT_MS);
        c[2] = circuit(r, NULL);
        c[2]->dst.may_send = UINT64_MAX; /* both ways are one's share */
        send_more(&c[2]->dst);
        measure(r, 4);
        assert_near(gain(c[0]), 4 * MB);
        assert_near(gain(c[1]), 4 * MB);
        assert_near(gain(c[2]) + c[2]->src.got - c[2]->src.marked, 4 * MB);
        adit_bridge_close(c[1]->b);
        measure(r, 4);
        assert_near(gain(c[0]), 4 * 3 * MB / 2);
        rates_free(r);
    }
}

/* Who always wants just what is there does not get past the queue. */
static void
test_small_pieces(void **state)
{
    struct rates *r = rates_new(31, 0);
    struct circuit *bulk, *often;

    (void)state;
    set_node(r, 1 * MB);
    bulk = circuit(r, NULL);
    r->sends = 0;
    often = circuit(r, NULL);
    run_us(r, ADIT_S);
    mark(r);
    for (int i = 0; i < 20000; i++) { /* 900 kB/s */
        often->src.may_send += 90;
        send_more(&often->src);
        run_us(r, 100);
    }
    assert_near(gain(bulk), 2 * MB / 2);
    assert_near(gain(often), 2 * MB / 2);
    rates_free(r);
}

/* Who wants less than his share gets it all; the rest is shared. */
static void
test_max_min(void **state)
{
    struct rates *r = rates_new(30, 0);
    struct circuit *little, *slow, *a, *b;

    (void)state;
    set_node(r, 4 * MB);
    little = circuit(r, NULL);
    little->src.may_send = little->src.sent;
    slow = circuit_at(r, 600000, NULL, NULL);
    a = circuit(r, NULL);
    b = circuit(r, NULL);
    run_us(r, ADIT_S);
    mark(r);
    for (int i = 0; i < 500; i++) { /* 400 kB/s */
        little->src.may_send += 4000;
        send_more(&little->src);
        run_us(r, 10 * ADIT_MS);
    }
    assert_near(gain(little), 5 * 400000);
    assert_near(gain(slow), 5 * 600000);
    assert_near(gain(a), 5 * 3 * MB / 2);
    assert_near(gain(b), 5 * 3 * MB / 2);
    rates_free(r);
}

/* A peer's circuits share its rate, at whichever end it is; those of others
 * share what it leaves. */
static void
test_peers(void **state)
{
    struct rates *r = rates_new(40, 0);
    struct adit_rate p, q;
    struct circuit *a, *b, *c, *d, *both;

    (void)state;
    adit_rate_init(&p, 1 * MB, r->w.now);
    adit_rate_init(&q, 2 * MB, r->w.now);
    set_node(r, 5 * MB);
    a = circuit_at(r, 0, &p, NULL);
    b = circuit_at(r, 0, NULL, &p);
    c = circuit(r, NULL);
    measure(r, 4);
    assert_near(gain(a), 4 * MB / 2);
    assert_near(gain(b), 4 * MB / 2);
    assert_near(gain(c), 4 * 4 * MB);
    /* One through both accounts: it gets what the tighter one gives it. */
    both = circuit_at(r, 0, &p, &q);
    d = circuit_at(r, 0, &q, NULL);
    measure(r, 6);
    assert_near(gain(a), 6 * MB / 3);
    assert_near(gain(b), 6 * MB / 3);
    assert_near(gain(both), 6 * MB / 3);
    assert_near(gain(d), 6 * (5 * MB / 3));
    assert_near(gain(c), 6 * (5 * MB - 2 * MB / 3 - 2 * MB));
    rates_free(r);
    assert_true(p.n_waiting == 0 && q.n_waiting == 0);
}

/* Many, a node that is shared, and peers with a little. */
static void
test_many(void **state)
{
    struct rates *r = rates_new(50, 0);
    struct adit_rate p;

    (void)state;
    adit_rate_init(&p, 200000, r->w.now);
    set_node(r, 2 * MB);
    for (int i = 0; i < 20; i++)
        circuit_at(r, i < 5 ? 50000 : 0, i >= 18 ? &p : NULL, NULL);
    measure(r, 10);
    /* Five have 50 kB/s of their own, two share 200; the others a
     * fifteenth of what these leave, which is less than 200 / 2. */
    for (int i = 0; i < 5; i++)
        assert_near(gain(&r->c[i]), 10 * 50000);
    for (int i = 5; i < 18; i++)
        assert_in_range(gain(&r->c[i]), 10 * 1750000 / 15 * 95 / 100,
                        10 * 1750000 / 13);
    for (int i = 18; i < 20; i++)
        assert_near(gain(&r->c[i]), 10 * 100000);
    /* And a turn comes soon, not only often enough in the long run. */
    for (int k = 0; k < 20; k++) {
        mark(r);
        run_us(r, 40 * ADIT_MS);
        for (int i = 5; i < 18; i++)
            assert_true(gain(&r->c[i]) > 0);
    }
    rates_free(r);
}

/* The limit bites at the byte though it is slow, and the other way goes on. */
static void
test_byte_limit(void **state)
{
    struct rates *r = rates_new(60, 0);
    struct adit_bridge_terms t = no_terms;
    struct circuit *c;
    struct adit_instant born;

    (void)state;
    t.bytes_s = 200000;
    t.budget.left_bytes[ADIT_DIR_TO_DST] = 600001;
    t.budget.left_bytes[ADIT_DIR_TO_SRC] = 100001;
    c = circuit(r, &t);
    born = r->w.now;
    run_us(r, 4 * ADIT_S);
    assert_int_equal(c->dst.got, 600001);
    assert_true(c->dst.fin_got);
    assert_non_null(c->b);
    assert_int_equal(c->last.accepted_bytes[ADIT_DIR_TO_DST], 600001);
    c->dst.may_send = UINT64_MAX;
    send_more(&c->dst);
    run_us(r, 4 * ADIT_S);
    assert_int_equal(c->src.got, 100001);
    assert_true(c->src.fin_got && c->is_over);
    assert_int_equal(c->end.why, ADIT_BRIDGE_DATA);
    for (int d = 0; d < 2; d++) {
        assert_int_equal(c->end.n.handed_bytes[d],
                         d == ADIT_DIR_TO_DST ? 600001 : 100001);
        assert_int_equal(c->end.n.accepted_bytes[d], c->end.n.handed_bytes[d]);
    }
    assert_in_range(adit_instant_sub(c->ended, born), 4 * ADIT_S, 5 * ADIT_S);
    rates_free(r);
}

/* The time limit does not wait for a rate. */
static void
test_time_limit(void **state)
{
    struct rates *r = rates_new(61, 0);
    struct adit_bridge_terms t = no_terms;
    struct circuit *c;

    (void)state;
    t.bytes_s = 1000;
    t.budget.ends = adit_instant_add(r->w.now, 3 * ADIT_S);
    c = circuit(r, &t);
    run_us(r, 10 * ADIT_S);
    assert_true(c->is_over);
    assert_int_equal(c->end.why, ADIT_BRIDGE_TIME);
    assert_int_equal(adit_instant_sub(c->ended, t.budget.ends), 0);
    /* What waited was accepted, and not handed on. */
    assert_in_range(c->end.n.handed_bytes[0], 16384, 16384 + 3000);
    assert_int_equal(c->end.n.accepted_bytes[0], c->src.sent);
    rates_free(r);
}

/* All of it comes, in order, and then the end of it. */
static void
test_nothing_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 70; seed < 74; seed++) {
        struct rates *r = rates_new(seed, 0);
        struct adit_rate p;

        adit_rate_init(&p, 300000, r->w.now);
        set_node(r, 1 * MB);
        for (unsigned i = 0; i < 6; i++) {
            struct circuit *c =
                circuit_at(r, i == 0 ? 100000 : 0, i < 3 ? &p : NULL, NULL);
            struct party *ends[] = { &c->src, &c->dst };

            for (int k = 0; k < 2; k++) {
                ends[k]->may_send = ends[k]->sent + sim_rand(&r->w, 400000);
                ends[k]->fin_after = true;
                send_more(ends[k]);
            }
        }
        run_us(r, 30 * ADIT_S);
        for (unsigned i = 0; i < 6; i++) {
            struct circuit *c = &r->c[i];

            assert_true(c->is_over);
            assert_int_equal(c->end.why, ADIT_BRIDGE_FIN);
            assert_int_equal(c->dst.got, c->src.may_send);
            assert_int_equal(c->src.got, c->dst.may_send);
            assert_true(c->src.fin_got && c->dst.fin_got);
            assert_int_equal(c->end.n.handed_bytes[0], c->dst.got);
            assert_int_equal(c->end.n.accepted_bytes[1], c->dst.may_send);
        }
        rates_free(r);
    }
}

/* Rates that change bite at once, up and down, also for who waits. */
static void
test_reload(void **state)
{
    struct rates *r = rates_new(80, 0);
    struct adit_rate p;
    struct circuit *a, *b;
    struct adit_pacer *pacer = &sim_host(r->mid)->pacer;

    (void)state;
    adit_rate_init(&p, 0, r->w.now);
    a = circuit_at(r, 0, &p, NULL);
    b = circuit(r, NULL);
    measure(r, 1);
    assert_true(gain(a) > 5 * MB); /* as fast as the links are */
    set_node(r, 2 * MB);
    measure(r, 3);
    assert_near(gain(a), 3 * MB);
    assert_near(gain(b), 3 * MB);
    adit_pacer_set_rate(pacer, &p, 500000);
    measure(r, 3);
    assert_near(gain(a), 3 * 500000);
    assert_near(gain(b), 3 * 1500000);
    adit_pacer_set_rate(pacer, &p, 10); /* a grain takes two minutes */
    run_us(r, ADIT_S);
    adit_pacer_set_rate(pacer, &p, 500000); /* and now none of it */
    measure(r, 3);
    assert_near(gain(a), 3 * 500000);
    set_node(r, 200000);
    measure(r, 3);
    assert_near(gain(a), 3 * 100000);
    adit_pacer_set_rate(pacer, &p, 0);
    set_node(r, 0);
    measure(r, 1);
    assert_true(gain(a) > 5 * MB && gain(b) > 5 * MB);
    assert_false(adit_bridge_is_paced(a->b));
    assert_int_equal(adit_metric_get(&r->mid->metrics, ADIT_M_PACED), 0);
    rates_free(r);
}

/* A reader that stops leaves its share to the others, and gets it again. */
static void
test_reader_stops(void **state)
{
    struct rates *r = rates_new(90, 0);
    struct circuit *c[3];

    (void)state;
    set_node(r, 3 * MB);
    for (int i = 0; i < 3; i++)
        c[i] = circuit(r, NULL);
    measure(r, 2);
    c[0]->dst.is_deaf = true;
    measure(r, 3);
    assert_int_equal(gain(c[0]), 0);
    assert_false(adit_bridge_is_paced(c[0]->b));
    assert_near(gain(c[1]), 3 * 3 * MB / 2);
    assert_near(gain(c[2]), 3 * 3 * MB / 2);
    c[0]->dst.is_deaf = false;
    adit_hstream_resume(c[0]->dst.s);
    measure(r, 3);
    for (int i = 0; i < 3; i++)
        assert_near(gain(c[i]), 3 * MB);
    rates_free(r);
}

/* What waits is at most each stream's window, and nobody spins. */
static void
test_memory(void **state)
{
    struct rates *r = rates_new(100, 0);
    uint64_t steps;

    (void)state;
    set_node(r, 40000);
    for (int i = 0; i < 8; i++) {
        struct circuit *c = circuit(r, NULL);

        c->dst.may_send = UINT64_MAX;
        send_more(&c->dst);
    }
    run_us(r, 5 * ADIT_S);
    steps = r->n_steps;
    run_us(r, 20 * ADIT_S);
    /* 40 grains a second, some steps each to be carried through the world. */
    assert_in_range(r->n_steps - steps, 100, 20 * 40 * 20);
    assert_true(r->most_bytes > 8 * 2 * ADIT_YAMUX_INITIAL_WINDOW * 9 / 10);
    assert_true(r->most_bytes < 8 * 2 * ADIT_YAMUX_INITIAL_WINDOW * 5 / 4);
    rates_free(r);
}

/* Buffers full: a reader that stopped goes before those who are slowed down;
 * but if there are only such, of them goes who moved longest ago. */
static void
test_buffers_full(void **state)
{
    /*
     * In chunks up to 262 kB wait for the faster one, as many for the stopped
     * one (whose end has a window full), 197 for each of the slow ones.
     */
    const uint64_t cap = 1200000;
    struct rates *r = rates_new(110, cap);
    struct circuit *stopped, *faster, *slow[5];
    size_t n_over = 0;

    (void)state;
    faster = circuit_at(r, 10000, NULL, NULL);
    r->sends = 170000 + ADIT_RATE_BURST_MIN_BYTES;
    slow[0] = circuit_at(r, 300, NULL, NULL); /* has waited for longer */
    r->sends = 500000;
    stopped = circuit(r, NULL);
    stopped->dst.is_deaf = true;
    r->sends = 170000 + ADIT_RATE_BURST_MIN_BYTES;
    for (int i = 1; i < 3; i++)
        slow[i] = circuit_at(r, 300, NULL, NULL);
    run_us(r, 2 * ADIT_S);
    assert_false(stopped->is_over);
    slow[3] = circuit_at(r, 300, NULL, NULL);
    run_us(r, 2 * ADIT_S);
    assert_true(stopped->is_over);
    assert_int_equal(stopped->end.why, ADIT_BRIDGE_STALLED);
    for (size_t i = 0; i < r->n; i++)
        assert_true(r->c[i].is_over == (&r->c[i] == stopped));
    r->sends = UINT64_MAX;
    slow[4] = circuit_at(r, 300, NULL, NULL);
    run_us(r, 2 * ADIT_S);
    for (size_t i = 0; i < ADIT_NITEMS(slow); i++) {
        n_over += slow[i]->is_over;
        assert_true(!slow[i]->is_over ||
                    slow[i]->end.why == ADIT_BRIDGE_STALLED);
    }
    assert_int_equal(n_over, 1);
    assert_false(faster->is_over);
    assert_true(r->most_bytes <= cap);
    mark(r);
    run_us(r, 4 * ADIT_S);
    assert_near(gain(faster), 4 * 10000);
    rates_free(r);
}

/* A reader that is slow for a moment does not pay for those who wait for a
 * rate. */
static void
test_hiccup(void **state)
{
    struct rates *r = rates_new(115, 850000);
    struct circuit *fast, *slow[4];
    size_t n_over = 0;

    (void)state;
    r->sends = 170000 + ADIT_RATE_BURST_MIN_BYTES;
    for (size_t i = 0; i < ADIT_NITEMS(slow); i++)
        slow[i] = circuit_at(r, 300, NULL, NULL);
    r->sends = 0;
    fast = circuit(r, NULL);
    for (int i = 0; i < 200; i++) {
        if (i == 100) /* they have waited for a second by now */
            fast->dst.is_deaf = true;
        if (i == 150) {
            for (size_t k = 0; k < ADIT_NITEMS(slow); k++)
                n_over += slow[k]->is_over;
            assert_int_equal(n_over, 1);
            fast->dst.is_deaf = false;
            adit_hstream_resume(fast->dst.s);
        }
        fast->src.may_send += 20000;
        send_more(&fast->src);
        run_us(r, 10 * ADIT_MS);
        assert_true(i >= 100 || !slow[0]->is_over);
    }
    assert_int_equal(fast->dst.got, 200 * 20000);
    assert_false(fast->is_over);
    rates_free(r);
}

/* A stream that is gone takes what waited with it, but not that it came. */
static void
test_gone(void **state)
{
    for (int which = 0; which < 2; which++) {
        struct rates *r = rates_new(120, 0);
        struct adit_rate p;
        struct circuit *a, *b;
        uint64_t sent;

        (void)state;
        adit_rate_init(&p, 100000, r->w.now);
        a = circuit_at(r, 0, &p, NULL);
        b = circuit_at(r, 0, &p, NULL);
        run_us(r, 3 * ADIT_S);
        sent = a->src.sent;
        adit_hstream_reset(which == 0 ? a->src.s : a->dst.s, 0);
        *(which == 0 ? &a->src.s : &a->dst.s) = NULL;
        run_us(r, ADIT_S);
        assert_true(a->is_over);
        assert_int_equal(a->end.why, ADIT_BRIDGE_RESET);
        assert_int_equal(a->end.n.accepted_bytes[0], sent);
        assert_true(a->end.n.handed_bytes[0] < sent);
        measure(r, 3); /* all of it is the other's now */
        assert_near(gain(b), 3 * 100000);
        sim_cut(&r->w, which == 0 ? r->from : r->to);
        run_us(r, ADIT_S);
        assert_true(b->is_over);
        assert_int_equal(p.n_waiting, 0);
        rates_free(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_node),       cmocka_unit_test(test_small_pieces),
        cmocka_unit_test(test_max_min),    cmocka_unit_test(test_peers),
        cmocka_unit_test(test_many),       cmocka_unit_test(test_byte_limit),
        cmocka_unit_test(test_time_limit), cmocka_unit_test(test_nothing_lost),
        cmocka_unit_test(test_reload),     cmocka_unit_test(test_reader_stops),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_buffers_full),
        cmocka_unit_test(test_hiccup),     cmocka_unit_test(test_gone),
    };

    return cmocka_run_group_tests_name("sim/rates", tests, NULL, NULL);
}
