/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rsvp.h"

#define TTL_US (3600 * ADIT_S)
#define GRACE_US (30 * ADIT_S)

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

static struct adit_peerid
peer_of(unsigned i)
{
    struct adit_peerid p = { .n = 38, .b = { 0, 36 } };

    p.b[2] = (uint8_t)(i >> 8);
    p.b[3] = (uint8_t)i;
    return p;
}

/* Even: an IPv4 address.  Odd: one of many in an IPv6 /64. */
static struct adit_slice
ip_of(unsigned i, uint8_t b[static 16])
{
    memset(b, 0, 16);
    b[0] = (uint8_t)i;
    b[15] = (uint8_t)(i * 7); /* the low half makes no difference */
    return adit_slice(b, i % 2 == 0 ? 4 : 16);
}

struct fixture {
    struct adit_mem mem;
    struct adit_rsvp *t;
    struct adit_instant now, until;
    struct adit_refusal why;
    bool renewed;
};

static void
start(struct fixture *f, const struct adit_rsvp_config *cfg)
{
    memset(f, 0, sizeof(*f));
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    f->now.us = 1000;
    assert_int_equal(adit_rsvp_new(&f->mem, &rng, cfg, &f->t), ADIT_OK);
}

static void
stop(struct fixture *f)
{
    adit_rsvp_free(f->t);
    assert_int_equal(f->mem.used_bytes, 0);
}

static adit_err
reserve(struct fixture *f, unsigned peer, unsigned ip)
{
    struct adit_peerid id = peer_of(peer);
    uint8_t b[16];

    return adit_rsvp_reserve(f->t, &id, ip_of(ip, b), f->now, &f->until,
                             &f->renewed, &f->why);
}

static bool
has(const struct fixture *f, unsigned peer)
{
    struct adit_peerid id = peer_of(peer);

    return adit_rsvp_has(f->t, &id, f->now);
}

static void
disconnected(struct fixture *f, unsigned peer)
{
    struct adit_peerid id = peer_of(peer);

    adit_rsvp_disconnected(f->t, &id, f->now);
}

static adit_err
circuit(struct fixture *f, unsigned src, unsigned dst)
{
    struct adit_peerid s = peer_of(src), d = peer_of(dst);

    return adit_rsvp_connect(f->t, &s, &d, f->now, &f->why);
}

static void
circuit_over(struct fixture *f, unsigned src, unsigned dst)
{
    struct adit_peerid s = peer_of(src), d = peer_of(dst);

    adit_rsvp_disconnect(f->t, &s, &d);
}

#define assert_refused(f, rule_, value_, limit_)                              \
    do {                                                                      \
        assert_int_equal((f)->why.rule, (rule_));                             \
        assert_int_equal((f)->why.value, (value_));                           \
        assert_int_equal((f)->why.limit, (limit_));                           \
    } while (0)

static void
test_caps(void **state)
{
    const struct adit_rsvp_config cfg = {
        .max_total = 3,
        .max_per_ip = 2,
        .ttl_us = TTL_US,
        .grace_us = GRACE_US,
    };
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_false(f.renewed);
    assert_int_equal(f.until.us, f.now.us + (uint64_t)TTL_US);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 3, 0), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_PER_IP, 3, 2);
    assert_int_equal(reserve(&f, 3, 1), ADIT_OK);
    assert_int_equal(reserve(&f, 4, 1), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_TOTAL, 4, 3);
    assert_false(has(&f, 4));

    /* Renewals go through all of it, from wherever they come. */
    f.now = adit_instant_add(f.now, 10 * ADIT_S);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_true(f.renewed);
    assert_int_equal(f.until.us, f.now.us + (uint64_t)TTL_US);
    assert_int_equal(reserve(&f, 3, 0), ADIT_OK); /* three at 0 now */
    assert_int_equal(adit_rsvp_n(f.t), 3);

    /* A tighter cap ends nothing, and lets nobody in. */
    adit_rsvp_set(
        f.t, &(struct adit_rsvp_config){ .max_total = 1, .ttl_us = TTL_US });
    assert_int_equal(adit_rsvp_n(f.t), 3);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 9, 2), ADIT_EFULL);
    stop(&f);
}

/* Peers without an address count in the total only. */
static void
test_no_ip(void **state)
{
    const struct adit_rsvp_config cfg = { .max_total = 3,
                                          .max_per_ip = 1,
                                          .ttl_us = TTL_US };
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    for (unsigned i = 0; i < 4; i++) {
        struct adit_peerid id = peer_of(i);

        assert_int_equal(adit_rsvp_reserve(f.t, &id, ADIT_SLICE_NONE, f.now,
                                           &f.until, &f.renewed, &f.why),
                         i < 3 ? ADIT_OK : ADIT_EFULL);
    }
    assert_refused(&f, ADIT_RULE_RSVP_TOTAL, 4, 3);
    stop(&f);
}

static unsigned n_told;
static struct adit_peerid told;

static void
tell(void *ctx, const struct adit_peerid *peer)
{
    struct fixture *f = ctx;

    n_told++;
    told = *peer;
    assert_false(adit_rsvp_has(f->t, peer, f->now));
}

static void
test_time(void **state)
{
    const struct adit_rsvp_config cfg = {
        .max_total = 1,
        .ttl_us = TTL_US,
        .grace_us = GRACE_US,
    };
    const struct adit_peerid one = peer_of(1);
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    assert_int_equal(adit_rsvp_due(f.t).us, ADIT_NEVER.us);
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_int_equal(adit_rsvp_due(f.t).us, f.until.us);
    f.now.us = f.until.us - 1;
    assert_true(has(&f, 1));
    assert_int_equal(adit_rsvp_tick(f.t, f.now, tell, &f), 0);
    f.now = f.until;
    assert_false(has(&f, 1)); /* to the microsecond, ticked or not */
    n_told = 0;
    assert_int_equal(adit_rsvp_tick(f.t, f.now, tell, &f), 1);
    assert_int_equal(n_told, 1);
    assert_true(adit_peerid_eq(&told, &one));
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);

    /* Away and back within the grace: its own slot, nobody else's. */
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    disconnected(&f, 1);
    disconnected(&f, 2); /* holds none */
    assert_int_equal(adit_rsvp_due(f.t).us, f.now.us + (uint64_t)GRACE_US);
    f.now = adit_instant_add(f.now, GRACE_US - 1);
    disconnected(&f, 1); /* again: no longer */
    assert_int_equal(reserve(&f, 2, 0), ADIT_EFULL);
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_true(f.renewed);
    assert_int_equal(adit_rsvp_due(f.t).us, f.now.us + (uint64_t)TTL_US);
    disconnected(&f, 1);
    f.now = adit_instant_add(f.now, GRACE_US);
    assert_int_equal(adit_rsvp_tick(f.t, f.now, NULL, NULL), 1);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);

    /* The grace does not prolong. */
    f.now.us = f.until.us - 1;
    disconnected(&f, 2);
    assert_int_equal(adit_rsvp_due(f.t).us, f.until.us);

    /* Without grace, at once. */
    adit_rsvp_set(f.t, &(struct adit_rsvp_config){ .ttl_us = TTL_US });
    disconnected(&f, 2);
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);
    stop(&f);
}

static void
test_circuits(void **state)
{
    const struct adit_rsvp_config cfg = {
        .ttl_us = TTL_US,
        .grace_us = GRACE_US,
        .circuits_total = 4,
        .circuits_per_src = 2,
        .circuits_per_dst = 3,
    };
    const struct adit_peerid one = peer_of(1);
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    assert_int_equal(circuit(&f, 5, 1), ADIT_ENORESERVATION);
    assert_int_equal(f.why.rule, ADIT_RULE_NO_RESERVATION);
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(circuit(&f, 5, 1), ADIT_OK);
    assert_int_equal(circuit(&f, 5, 1), ADIT_OK);
    assert_int_equal(circuit(&f, 5, 2), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_CIRCUITS_PER_SRC, 3, 2);
    assert_int_equal(circuit(&f, 1, 1), ADIT_OK); /* to itself: a probe */
    assert_int_equal(circuit(&f, 6, 1), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_CIRCUITS_PER_DST, 4, 3);
    assert_int_equal(circuit(&f, 6, 2), ADIT_OK);
    assert_int_equal(circuit(&f, 7, 2), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_CIRCUITS_TOTAL, 5, 4);
    assert_int_equal(adit_rsvp_n_circuits(f.t), 4);

    /* Circuits outlive the reservation. */
    adit_rsvp_drop(f.t, &one);
    adit_rsvp_drop(f.t, &one);
    assert_int_equal(adit_rsvp_n(f.t), 1);
    assert_int_equal(circuit(&f, 7, 1), ADIT_ENORESERVATION);
    circuit_over(&f, 1, 1);
    circuit_over(&f, 5, 1);
    circuit_over(&f, 5, 1);
    circuit_over(&f, 6, 2);
    assert_int_equal(adit_rsvp_n_circuits(f.t), 0);
    disconnected(&f, 2);
    f.now = adit_instant_add(f.now, GRACE_US);
    assert_int_equal(circuit(&f, 7, 2), ADIT_ENORESERVATION);
    assert_int_equal(adit_rsvp_tick(f.t, f.now, NULL, NULL), 1);
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);
    stop(&f);
}

/* The n-th allocation fails: nothing is counted that is not held. */
static void
test_oom(void **state)
{
    const struct adit_rsvp_config cfg = { .ttl_us = TTL_US };
    bool was_ok = false;

    (void)state;
    for (uint64_t n = 1; !was_ok; n++) {
        struct fixture f = { .now = { 1000 } };

        adit_mem_init(&f.mem, NULL, SIZE_MAX);
        f.mem.fail_at = n;
        if (adit_rsvp_new(&f.mem, &rng, &cfg, &f.t) != ADIT_OK) {
            assert_int_equal(f.mem.used_bytes, 0);
            continue;
        }
        was_ok = true;
        for (unsigned i = 0; i < 40; i++) {
            bool is_in = reserve(&f, i, i) == ADIT_OK;

            assert_int_equal(has(&f, i), is_in);
            was_ok = was_ok && is_in;
            if (adit_rsvp_n(f.t) > 0)
                was_ok = circuit(&f, 100 + i, 0) == ADIT_OK && was_ok;
        }
        stop(&f);
    }
}

/* ---- beside a model ------------------------------------------------------ */

#define N_STEPS 400000
#define N_PEERS 60
#define N_IPS 10
#define N_CIRCUITS 50

struct model_peer {
    bool is_in;
    unsigned ip;
    struct adit_instant due;
};

static struct model_peer peers[N_PEERS];
static struct {
    bool is_open;
    unsigned src, dst;
} circuits[N_CIRCUITS];

static uint64_t chance;

static unsigned
pick(unsigned n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance >> 11) % n);
}

/* How many are in at `ip`; N_IPS: anywhere. */
static unsigned
n_in(unsigned ip)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_PEERS; i++)
        n += peers[i].is_in && (ip == N_IPS || peers[i].ip == ip);
    return n;
}

/* With N_PEERS for "any". */
static unsigned
n_open(unsigned src, unsigned dst)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_CIRCUITS; i++)
        n += circuits[i].is_open &&
             (src == N_PEERS || circuits[i].src == src) &&
             (dst == N_PEERS || circuits[i].dst == dst);
    return n;
}

static void
model_reserve(struct fixture *f, const struct adit_rsvp_config *cfg)
{
    unsigned p = pick(N_PEERS), ip = pick(N_IPS);
    struct model_peer *m = &peers[p];
    enum adit_rule rule = ADIT_RULE_NONE;
    adit_err e;

    if (!m->is_in && n_in(ip) >= cfg->max_per_ip)
        rule = ADIT_RULE_RSVP_PER_IP;
    else if (!m->is_in && n_in(N_IPS) >= cfg->max_total)
        rule = ADIT_RULE_RSVP_TOTAL;
    e = reserve(f, p, ip);
    assert_int_equal(e, rule == ADIT_RULE_NONE ? ADIT_OK : ADIT_EFULL);
    if (e != ADIT_OK) {
        assert_int_equal(f->why.rule, rule);
        return;
    }
    assert_int_equal(f->renewed, m->is_in);
    *m = (struct model_peer){ true, ip, f->until };
    assert_int_equal(f->until.us, f->now.us + (uint64_t)cfg->ttl_us);
}

static void
model_connect(struct fixture *f, const struct adit_rsvp_config *cfg)
{
    unsigned src = pick(N_PEERS), dst = pick(N_PEERS), i = 0;
    enum adit_rule rule = ADIT_RULE_NONE;
    adit_err e = circuit(f, src, dst);

    if (!peers[dst].is_in || peers[dst].due.us <= f->now.us)
        rule = ADIT_RULE_NO_RESERVATION;
    else if (n_open(src, N_PEERS) >= cfg->circuits_per_src)
        rule = ADIT_RULE_CIRCUITS_PER_SRC;
    else if (n_open(N_PEERS, dst) >= cfg->circuits_per_dst)
        rule = ADIT_RULE_CIRCUITS_PER_DST;
    else if (n_open(N_PEERS, N_PEERS) >= cfg->circuits_total)
        rule = ADIT_RULE_CIRCUITS_TOTAL;
    assert_int_equal(e == ADIT_OK, rule == ADIT_RULE_NONE);
    if (e != ADIT_OK) {
        assert_int_equal(f->why.rule, rule);
        return;
    }
    while (circuits[i].is_open)
        i++;
    circuits[i].is_open = true;
    circuits[i].src = src;
    circuits[i].dst = dst;
}

static void
model_tick(struct fixture *f)
{
    size_t n = 0;

    for (unsigned i = 0; i < N_PEERS; i++) {
        if (peers[i].is_in && peers[i].due.us <= f->now.us) {
            peers[i].is_in = false;
            n++;
        }
    }
    assert_int_equal(adit_rsvp_tick(f->t, f->now, NULL, NULL), n);
}

static void
model_step(struct fixture *f, const struct adit_rsvp_config *cfg)
{
    unsigned what = pick(100), p = pick(N_PEERS), i = pick(N_CIRCUITS);
    struct adit_peerid id = peer_of(p);

    f->now = adit_instant_add(f->now, pick(1000) * ADIT_MS);
    if (what < 30) {
        model_reserve(f, cfg);
    } else if (what < 40) {
        struct adit_instant ends = adit_instant_add(f->now, cfg->grace_us);

        disconnected(f, p);
        peers[p].due = adit_instant_min(peers[p].due, ends);
    } else if (what < 44) {
        adit_rsvp_drop(f->t, &id);
        peers[p].is_in = false;
    } else if (what < 70) {
        model_connect(f, cfg);
    } else if (what < 90) {
        if (circuits[i].is_open) {
            circuit_over(f, circuits[i].src, circuits[i].dst);
            circuits[i].is_open = false;
        }
    } else {
        model_tick(f);
    }
    assert_int_equal(has(f, p), peers[p].is_in && peers[p].due.us > f->now.us);
    assert_int_equal(adit_rsvp_n(f->t), n_in(N_IPS));
    assert_int_equal(adit_rsvp_n_circuits(f->t), n_open(N_PEERS, N_PEERS));
}

static void
test_model(void **state)
{
    struct adit_rsvp_config cfg = {
        .max_total = 35,
        .max_per_ip = 6,
        .ttl_us = 40 * ADIT_S,
        .grace_us = 10 * ADIT_S,
        .circuits_total = 40,
        .circuits_per_src = 3,
        .circuits_per_dst = 4,
    };
    struct fixture f;

    (void)state;
    chance = 1;
    start(&f, &cfg);
    for (unsigned i = 0; i < N_STEPS; i++) {
        if (i % 50000 == 49999) { /* reloaded */
            cfg.max_total = 20 + pick(30);
            cfg.circuits_per_dst = 1 + pick(5);
            adit_rsvp_set(f.t, &cfg);
        }
        model_step(&f, &cfg);
    }
    for (unsigned i = 0; i < N_CIRCUITS; i++)
        if (circuits[i].is_open)
            circuit_over(&f, circuits[i].src, circuits[i].dst);
    f.now = adit_instant_add(f.now, cfg.ttl_us);
    adit_rsvp_tick(f.t, f.now, NULL, NULL);
    assert_int_equal(adit_rsvp_n(f.t), 0);
    assert_int_equal(adit_rsvp_n_circuits(f.t), 0);
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);
    assert_int_equal(adit_rsvp_due(f.t).us, ADIT_NEVER.us);
    stop(&f);
}

/* Each from a /64 of its own: what a full table costs. */
static void
test_memory(void **state)
{
    const struct adit_rsvp_config cfg = { .ttl_us = TTL_US };
    const size_t n = 1 << 15;
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    for (size_t i = 0; i < n; i++) {
        uint8_t ip[16] = { 0x20, 0x01, (uint8_t)(i >> 8), (uint8_t)i };
        struct adit_peerid id = peer_of((unsigned)i);

        assert_int_equal(adit_rsvp_reserve(f.t, &id, adit_slice(ip, 16), f.now,
                                           &f.until, &f.renewed, &f.why),
                         ADIT_OK);
    }
    print_message("%zu bytes a reservation\n", f.mem.used_bytes / n);
    assert_true(f.mem.used_bytes / n <= 200);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caps),   cmocka_unit_test(test_no_ip),
        cmocka_unit_test(test_time),   cmocka_unit_test(test_circuits),
        cmocka_unit_test(test_oom),    cmocka_unit_test(test_model),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
