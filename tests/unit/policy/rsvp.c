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
    struct adit_caps caps;
    struct adit_caps_config cfg;
    struct adit_rsvp *t;
    struct adit_rsvp_terms terms;
    struct adit_circuit_caps of_peers;
    struct adit_instant now, until;
    struct adit_refusal why;
    bool renewed;
};

static const struct adit_place nowhere = { { NULL } };

static void
start(struct fixture *f, uint32_t rsvps, uint32_t rsvps_per_ip,
      uint32_t circuits)
{
    memset(f, 0, sizeof(*f));
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    f->now.us = 1000;
    f->terms =
        (struct adit_rsvp_terms){ .ttl_us = TTL_US, .cls = ADIT_NO_CLASS };
    f->cfg.max[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = rsvps;
    f->cfg.max[ADIT_CAP_RSVPS][ADIT_SCOPE_IP] = rsvps_per_ip;
    f->cfg.max[ADIT_CAP_CIRCUITS][ADIT_SCOPE_NODE] = circuits;
    assert_int_equal(adit_caps_init(&f->caps, &f->mem, &rng, &f->cfg),
                     ADIT_OK);
    assert_int_equal(adit_rsvp_new(&f->mem, &rng, &f->caps, GRACE_US, &f->t),
                     ADIT_OK);
}

static void
stop(struct fixture *f)
{
    adit_rsvp_free(f->t);
    assert_int_equal(adit_caps_n_entries(&f->caps), 0);
    assert_int_equal(f->caps.n[ADIT_CAP_RSVPS], 0);
    assert_int_equal(f->caps.n[ADIT_CAP_CIRCUITS], 0);
    adit_caps_fini(&f->caps);
    assert_int_equal(f->mem.used_bytes, 0);
}

static adit_err
reserve_at(struct fixture *f, unsigned peer, struct adit_slice ip)
{
    struct adit_peerid id = peer_of(peer);
    struct adit_place at = nowhere;
    adit_err e = adit_caps_enter(&f->caps, ip, 0, &at);

    if (e == ADIT_OK)
        e = adit_rsvp_reserve(f->t, &id, &at, &f->terms, f->now, &f->until,
                              &f->renewed, &f->why);
    adit_caps_leave(&f->caps, &at); /* the table has a copy */
    return e;
}

static adit_err
reserve(struct fixture *f, unsigned peer, unsigned ip)
{
    uint8_t b[16];

    return reserve_at(f, peer, ip_of(ip, b));
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

    return adit_rsvp_connect(f->t, &s, &d, &nowhere, &f->of_peers, f->now,
                             &f->why);
}

static void
circuit_over(struct fixture *f, unsigned src, unsigned dst)
{
    struct adit_peerid s = peer_of(src), d = peer_of(dst);

    adit_rsvp_disconnect(f->t, &s, &d, &nowhere);
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
    struct fixture f;

    (void)state;
    start(&f, 3, 2, 0);
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_false(f.renewed);
    assert_int_equal(f.until.us, f.now.us + (uint64_t)TTL_US);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 3, 0), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_PER_IP, 3, 2);
    assert_int_equal(f.why.retry_s, 0); /* whose slots are there ends when? */
    f.now = adit_instant_add(f.now, 1500 * ADIT_MS);
    assert_int_equal(reserve(&f, 3, 1), ADIT_OK);
    assert_int_equal(reserve(&f, 4, 1), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_TOTAL, 4, 3);
    assert_int_equal(f.why.retry_s, 3599); /* 3598.5 */
    assert_false(has(&f, 4));

    /* Renewals go through all of it, from wherever they come. */
    f.now = adit_instant_add(f.now, 10 * ADIT_S);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_true(f.renewed);
    assert_int_equal(f.until.us, f.now.us + (uint64_t)TTL_US);
    assert_int_equal(reserve(&f, 3, 0), ADIT_OK); /* three at 0 now */
    assert_int_equal(adit_rsvp_n(f.t), 3);
    assert_int_equal(adit_caps_n_entries(&f.caps), 1); /* and none at 1 */

    /* A tighter cap ends nothing, and lets nobody in. */
    f.cfg.max[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = 1;
    adit_caps_set(&f.caps, &f.cfg);
    assert_int_equal(adit_rsvp_n(f.t), 3);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 9, 2), ADIT_EFULL);
    /* One that is over and was not told so yet: soon. */
    f.now = adit_instant_add(f.now, 2 * TTL_US);
    assert_int_equal(reserve(&f, 9, 2), ADIT_EFULL);
    assert_int_equal(f.why.retry_s, 1);
    stop(&f);
}

/* Peers without an address count in the total only. */
static void
test_no_ip(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 3, 1, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(reserve_at(&f, i, ADIT_SLICE_NONE),
                         i < 3 ? ADIT_OK : ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_TOTAL, 4, 3);
    stop(&f);
}

static void
test_classes(void **state)
{
    /* 0 goes to 2, 2 to 0, all else is gone. */
    const uint8_t map[ADIT_MAX_CLASSES] = {
        2, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    };
    const struct adit_peerid one = peer_of(1), four = peer_of(4);
    struct adit_rsvp_info info;
    struct fixture f;

    (void)state;
    start(&f, 5, 0, 0);
    f.terms.cls = 0;
    f.terms.cls_max = 2;
    assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 3, 0), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_PER_CLASS, 3, 2);
    assert_int_equal(adit_rsvp_n(f.t), 2);
    assert_int_equal(f.caps.n[ADIT_CAP_RSVPS], 2);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK); /* renewed */

    /* Another class has its own; a renewal may change, and overfill. */
    f.terms.cls = 1;
    f.terms.cls_max = 1;
    assert_int_equal(reserve(&f, 3, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 4, 0), ADIT_EFULL);
    assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
    assert_true(f.renewed);
    assert_int_equal(adit_rsvp_n_of(f.t, 0), 1);
    assert_int_equal(adit_rsvp_n_of(f.t, 1), 2);
    f.terms.cls = 0;
    f.terms.cls_max = 2;
    assert_int_equal(reserve(&f, 4, 0), ADIT_OK);
    assert_int_equal(adit_rsvp_n_of(f.t, 0), 2);

    /* The node's cap is told before the class's. */
    f.terms.cls = 3;
    f.terms.cls_max = 1;
    assert_int_equal(reserve(&f, 5, 0), ADIT_OK);
    assert_int_equal(reserve(&f, 6, 0), ADIT_EFULL);
    assert_refused(&f, ADIT_RULE_RSVP_TOTAL, 6, 5);

    adit_rsvp_remap(f.t, map);
    assert_int_equal(adit_rsvp_n_of(f.t, 0), 0);
    assert_int_equal(adit_rsvp_n_of(f.t, 1), 0);
    assert_int_equal(adit_rsvp_n_of(f.t, 2), 2);
    assert_int_equal(adit_rsvp_n_of(f.t, 3), 0);
    assert_int_equal(adit_rsvp_n(f.t), 5);
    assert_true(adit_rsvp_get(f.t, &one, f.now, &info));
    assert_int_equal(info.cls, 2);
    assert_true(info.has);
    assert_true(adit_rsvp_get(f.t, &four, f.now, &info));
    adit_rsvp_drop(f.t, &one);
    adit_rsvp_drop(f.t, &four);
    assert_int_equal(adit_rsvp_n_of(f.t, 2), 0);
    assert_false(adit_rsvp_get(f.t, &one, f.now, &info));
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
    const struct adit_peerid one = peer_of(1);
    struct fixture f;

    (void)state;
    start(&f, 1, 0, 0);
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
    assert_int_equal(f.why.retry_s, 1);
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
    adit_rsvp_set_grace(f.t, 0);
    disconnected(&f, 2);
    assert_int_equal(adit_rsvp_n_entries(f.t), 0);
    stop(&f);
}

static void
test_circuits(void **state)
{
    const struct adit_peerid one = peer_of(1), five = peer_of(5);
    struct adit_rsvp_info info;
    struct fixture f;

    (void)state;
    start(&f, 0, 0, 4);
    f.of_peers = (struct adit_circuit_caps){ .src_out = 2, .dst_in = 3 };
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
    assert_true(adit_rsvp_get(f.t, &one, f.now, &info));
    assert_true(info.has);
    assert_int_equal(info.n_src, 1);
    assert_int_equal(info.n_dst, 3);
    assert_true(adit_rsvp_get(f.t, &five, f.now, &info));
    assert_false(info.has);
    assert_int_equal(info.until.us, ADIT_NEVER.us);
    assert_int_equal(info.n_src, 2);

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

/* 1 and 2 hold reservations; 3 does not. */
static const struct {
    const char *why;
    unsigned n_to_1, n_from_1, n_to_2_from_3;
    unsigned src, dst;
    struct adit_circuit_caps caps;
    enum adit_rule rule;
    uint64_t value;
} of_peers[] = {
    { "no caps", 3, 3, 3, 1, 2, { 0 }, ADIT_RULE_NONE, 0 },
    { "as source",
      0,
      2,
      0,
      1,
      2,
      { .src_out = 2 },
      ADIT_RULE_CIRCUITS_PER_SRC,
      3 },
    { "of which those to it are none",
      2,
      1,
      0,
      1,
      2,
      { .src_out = 2 },
      ADIT_RULE_NONE,
      0 },
    { "in all, the source",
      2,
      1,
      0,
      1,
      2,
      { .src_all = 3 },
      ADIT_RULE_CIRCUITS_PER_PEER,
      4 },
    { "in all, one is left",
      1,
      1,
      0,
      1,
      2,
      { .src_all = 3 },
      ADIT_RULE_NONE,
      0 },
    { "as destination",
      2,
      0,
      0,
      3,
      1,
      { .dst_in = 2 },
      ADIT_RULE_CIRCUITS_PER_DST,
      3 },
    { "of which those from it are none",
      1,
      2,
      0,
      3,
      1,
      { .dst_in = 2 },
      ADIT_RULE_NONE,
      0 },
    { "in all, the destination",
      1,
      2,
      0,
      3,
      1,
      { .dst_all = 3 },
      ADIT_RULE_CIRCUITS_PER_PEER,
      4 },
    { "the source is told first",
      0,
      2,
      3,
      1,
      2,
      { .src_out = 2, .dst_in = 1 },
      ADIT_RULE_CIRCUITS_PER_SRC,
      3 },
    { "to itself takes two",
      0,
      0,
      0,
      1,
      1,
      { .src_all = 1 },
      ADIT_RULE_CIRCUITS_PER_PEER,
      2 },
    { "and has two",
      0,
      0,
      0,
      1,
      1,
      { .src_all = 2, .dst_all = 2 },
      ADIT_RULE_NONE,
      0 },
};

static void
test_of_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(of_peers); i++) {
        unsigned src = of_peers[i].src, dst = of_peers[i].dst;
        struct fixture f;

        print_message("%s\n", of_peers[i].why);
        start(&f, 0, 0, 0);
        assert_int_equal(reserve(&f, 1, 0), ADIT_OK);
        assert_int_equal(reserve(&f, 2, 0), ADIT_OK);
        for (unsigned k = 0; k < of_peers[i].n_to_1; k++)
            assert_int_equal(circuit(&f, 9, 1), ADIT_OK);
        for (unsigned k = 0; k < of_peers[i].n_from_1; k++)
            assert_int_equal(circuit(&f, 1, 2), ADIT_OK);
        for (unsigned k = 0; k < of_peers[i].n_to_2_from_3; k++)
            assert_int_equal(circuit(&f, 3, 2), ADIT_OK);
        f.of_peers = of_peers[i].caps;
        if (of_peers[i].rule == ADIT_RULE_NONE) {
            assert_int_equal(circuit(&f, src, dst), ADIT_OK);
            circuit_over(&f, src, dst);
        } else {
            assert_int_equal(circuit(&f, src, dst), ADIT_EFULL);
            assert_refused(&f, of_peers[i].rule, of_peers[i].value,
                           of_peers[i].value - 1);
        }
        for (unsigned k = 0; k < of_peers[i].n_to_1; k++)
            circuit_over(&f, 9, 1);
        for (unsigned k = 0; k < of_peers[i].n_from_1; k++)
            circuit_over(&f, 1, 2);
        for (unsigned k = 0; k < of_peers[i].n_to_2_from_3; k++)
            circuit_over(&f, 3, 2);
        stop(&f);
    }
}

/* The n-th allocation fails: nothing is counted that is not held. */
static void
test_oom(void **state)
{
    bool was_ok = false;

    (void)state;
    for (uint64_t n = 1; !was_ok; n++) {
        struct fixture f = { .now = { 1000 },
                             .terms = { .ttl_us = TTL_US,
                                        .cls = ADIT_NO_CLASS } };

        adit_mem_init(&f.mem, NULL, SIZE_MAX);
        f.mem.fail_at = n;
        if (adit_caps_init(&f.caps, &f.mem, &rng, &f.cfg) != ADIT_OK ||
            adit_rsvp_new(&f.mem, &rng, &f.caps, 0, &f.t) != ADIT_OK) {
            adit_caps_fini(&f.caps);
            assert_int_equal(f.mem.used_bytes, 0);
            continue;
        }
        was_ok = true;
        for (unsigned i = 0; i < 40; i++) {
            bool is_in = reserve(&f, i, i) == ADIT_OK;

            assert_int_equal(has(&f, i), is_in);
            was_ok = was_ok && is_in;
            if (adit_rsvp_n(f.t) == 0)
                continue;
            if (circuit(&f, 100 + i, 0) == ADIT_OK)
                circuit_over(&f, 100 + i, 0);
            else
                was_ok = false;
            assert_int_equal(f.caps.n[ADIT_CAP_RSVPS], adit_rsvp_n(f.t));
        }
        stop(&f);
    }
}

/* Each from a /48 of its own: what a full table costs. */
static void
test_memory(void **state)
{
    const size_t n = 1 << 15;
    struct fixture f;

    (void)state;
    start(&f, 0, 0, 0);
    for (size_t i = 0; i < n; i++) {
        uint8_t ip[16] = { 0x20, 0x01, (uint8_t)(i >> 8), (uint8_t)i };

        assert_int_equal(reserve_at(&f, (unsigned)i, adit_slice(ip, 16)),
                         ADIT_OK);
    }
    print_message("%zu bytes a reservation\n", f.mem.used_bytes / n);
    /* Its entry and two of its place; the peer's is its connection's. */
    assert_true(f.mem.used_bytes / n <= 320);
    stop(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caps),     cmocka_unit_test(test_no_ip),
        cmocka_unit_test(test_classes),  cmocka_unit_test(test_time),
        cmocka_unit_test(test_circuits), cmocka_unit_test(test_of_peers),
        cmocka_unit_test(test_oom),      cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
