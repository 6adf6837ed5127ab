/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/caps.h"
#include "policy/prefix.h"

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

static const struct {
    const char *why;
    uint8_t ip[16];
    size_t n;
    unsigned bits4, bits6;
    struct adit_prefix want;
} prefixes[] = {
    { "an IPv4 address",
      { 192, 0, 2, 255 },
      4,
      32,
      64,
      { 4, 32, { 192, 0, 2, 255 } } },
    { "an IPv4 /24", { 192, 0, 2, 255 }, 4, 24, 64, { 4, 24, { 192, 0, 2 } } },
    { "an IPv4 /20",
      { 192, 0, 0xff, 255 },
      4,
      20,
      64,
      { 4, 20, { 192, 0, 0xf0 } } },
    { "all of IPv4", { 192, 0, 2, 1 }, 4, 0, 64, { 4, 0, { 0 } } },
    { "more bits than there are",
      { 192, 0, 2, 1 },
      4,
      64,
      64,
      { 4, 32, { 192, 0, 2, 1 } } },
    { "an IPv6 /64",
      { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 },
      16,
      32,
      64,
      { 6, 64, { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4 } } },
    { "an IPv6 /49",
      { 0x20, 1, 0xd, 0xb8, 1, 2, 0xff, 4 },
      16,
      32,
      49,
      { 6, 49, { 0x20, 1, 0xd, 0xb8, 1, 2, 0x80 } } },
    { "nothing", { 0 }, 0, 32, 64, { 0 } },
    { "five bytes", { 1, 2, 3, 4, 5 }, 5, 32, 64, { 0 } },
};

static void
test_prefix(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct adit_prefix), 18); /* no padding */
    for (size_t i = 0; i < ADIT_NITEMS(prefixes); i++) {
        struct adit_prefix p =
            adit_prefix_of(adit_slice(prefixes[i].ip, prefixes[i].n),
                           prefixes[i].bits4, prefixes[i].bits6);

        print_message("%s\n", prefixes[i].why);
        assert_memory_equal(&p, &prefixes[i].want, sizeof(p));
    }
}

/* ---- the rules' names --------------------------------------------------- */

static const char *const things[ADIT_N_CAP_THINGS] = {
    [ADIT_CAP_CONNS] = "connections", [ADIT_CAP_HANDSHAKES] = "handshakes",
    [ADIT_CAP_STREAMS] = "streams",   [ADIT_CAP_RSVPS] = "reservations",
    [ADIT_CAP_CIRCUITS] = "circuits",
};

static const char *const scopes[ADIT_N_CAP_SCOPES] = {
    [ADIT_SCOPE_PEER] = "_per_peer", [ADIT_SCOPE_IP] = "_per_ip",
    [ADIT_SCOPE_NET48] = "_per_48",  [ADIT_SCOPE_ASN] = "_per_asn",
    [ADIT_SCOPE_NODE] = "",
};

struct fixture {
    struct adit_mem mem;
    struct adit_caps c;
    size_t empty_bytes;
};

static void
start(struct fixture *f, const struct adit_caps_config *cfg)
{
    memset(f, 0, sizeof(*f));
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    assert_int_equal(adit_caps_init(&f->c, &f->mem, &rng, cfg), ADIT_OK);
    f->empty_bytes = f->mem.used_bytes;
}

static void
stop(struct fixture *f)
{
    assert_int_equal(adit_caps_n_entries(&f->c), 0);
    for (size_t i = 0; i < ADIT_N_CAP_THINGS; i++)
        assert_int_equal(f->c.n[i], 0);
    adit_caps_fini(&f->c);
    assert_int_equal(f->mem.used_bytes, 0);
    adit_caps_fini(&f->c);
}

static struct adit_peerid
peer_of(unsigned i)
{
    struct adit_peerid p = { .n = 38, .b = { 0, 36 } };

    p.b[2] = (uint8_t)(i >> 8);
    p.b[3] = (uint8_t)i;
    return p;
}

static void
enter(struct fixture *f, const char *ip, size_t n, uint32_t asn,
      struct adit_place *p)
{
    memset(p, 0, sizeof(*p));
    assert_int_equal(adit_caps_enter(&f->c, adit_slice(ip, n), asn, p),
                     ADIT_OK);
}

/* Somewhere in all scopes, a peer included. */
static void
enter_all(struct fixture *f, struct adit_place *p)
{
    struct adit_peerid id = peer_of(1);
    struct adit_refusal why;

    enter(f, "\x20\x01\x0d\xb8\0\1\0\2\0\0\0\0\0\0\0\3", 16, 64500, p);
    assert_int_equal(adit_caps_take(&f->c, ADIT_CAP_CONNS, p, &why), ADIT_OK);
    assert_int_equal(adit_caps_prove(&f->c, p, &id, &why), ADIT_OK);
    adit_caps_give(&f->c, ADIT_CAP_CONNS, p);
}

/* Each cap alone bites at its number, by its own name. */
static void
test_each(void **state)
{
    (void)state;
    for (unsigned t = 0; t < ADIT_N_CAP_THINGS; t++) {
        for (unsigned s = 0; s < ADIT_N_CAP_SCOPES; s++) {
            struct adit_caps_config cfg = { 0 };
            struct adit_refusal why = { 0 };
            struct adit_place p;
            struct fixture f;
            char name[64];

            cfg.max[t][s] = 3;
            start(&f, &cfg);
            enter_all(&f, &p);
            for (unsigned i = 0; i < 3; i++)
                assert_int_equal(
                    adit_caps_take(&f.c, (enum adit_cap_thing)t, &p, &why),
                    ADIT_OK);
            assert_int_equal(
                adit_caps_take(&f.c, (enum adit_cap_thing)t, &p, &why),
                ADIT_EFULL);
            snprintf(name, sizeof(name), "%s%s", things[t], scopes[s]);
            assert_string_equal(adit_rule_name(why.rule), name);
            assert_int_equal(why.value, 4);
            assert_int_equal(why.limit, 3);
            assert_int_equal(f.c.n[t], 3);
            for (unsigned k = 0; k < 3; k++)
                adit_caps_give(&f.c, (enum adit_cap_thing)t, &p);
            adit_caps_leave(&f.c, &p);
            stop(&f);
        }
    }
}

/* All at once: the narrowest is named. */
static void
test_order(void **state)
{
    struct adit_caps_config cfg = { 0 };
    struct adit_refusal why;
    struct adit_place p;
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    enter_all(&f, &p);
    adit_caps_force(&f.c, ADIT_CAP_STREAMS, &p);
    for (int s = ADIT_SCOPE_NODE; s >= ADIT_SCOPE_PEER; s--) {
        cfg.max[ADIT_CAP_STREAMS][s] = 1;
        adit_caps_set(&f.c, &cfg);
        assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_STREAMS, &p, &why),
                         ADIT_EFULL);
        assert_int_equal(why.rule, ADIT_RULE_STREAMS_PER_PEER + s);
        /* Other things do not care. */
        assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_RSVPS, &p, &why),
                         ADIT_OK);
        adit_caps_give(&f.c, ADIT_CAP_RSVPS, &p);
    }
    /* Whatever the caps say. */
    adit_caps_force(&f.c, ADIT_CAP_STREAMS, &p);
    assert_int_equal(f.c.n[ADIT_CAP_STREAMS], 2);
    assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_STREAMS, &p, &why),
                     ADIT_EFULL);
    assert_int_equal(why.value, 3);
    adit_caps_give(&f.c, ADIT_CAP_STREAMS, &p);
    adit_caps_give(&f.c, ADIT_CAP_STREAMS, &p);
    adit_caps_leave(&f.c, &p);
    stop(&f);
}

static const struct {
    const char *why;
    const char *a, *b; /* addresses */
    size_t n_a, n_b;
    uint32_t asn_a, asn_b;
    unsigned shared; /* bit i: scope i is one for both */
} pairs[] = {
#define NODE (1u << ADIT_SCOPE_NODE)
#define IP (1u << ADIT_SCOPE_IP)
#define NET48 (1u << ADIT_SCOPE_NET48)
#define ASN (1u << ADIT_SCOPE_ASN)
    { "one IPv4 address", "\xc0\0\2\1", "\xc0\0\2\1", 4, 4, 0, 0, IP | NODE },
    { "two of them", "\xc0\0\2\1", "\xc0\0\2\2", 4, 4, 0, 0, NODE },
    { "of one system", "\xc0\0\2\1", "\xc0\0\3\2", 4, 4, 9, 9, ASN | NODE },
    { "one not known", "\xc0\0\2\1", "\xc0\0\3\2", 4, 4, 9, 0, NODE },
    { "neither is known", "\xc0\0\2\1", "\xc0\0\3\2", 4, 4, 0, 0, NODE },
    { "an IPv6 /64", "\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\1",
      "\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 16, 16, 0, 0, IP | NET48 | NODE },
    { "a /48", "\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\1",
      "\x20\1\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 16, 16, 0, 0, NET48 | NODE },
    { "another /48", "\x20\1\0\0\0\1\0\1\0\0\0\0\0\0\0\1",
      "\x20\1\0\0\0\2\0\1\0\0\0\0\0\0\0\1", 16, 16, 1, 2, NODE },
    { "IPv4 is no /64 of zeroes", "\x20\1\0\0",
      "\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 4, 16, 0, 0, NODE },
    { "no address, as through a relay", "", "", 0, 0, 0, 0, NODE },
    { "none, but a system", "", "", 0, 0, 7, 7, ASN | NODE },
};

static void
test_scopes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(pairs); i++) {
        for (unsigned s = ADIT_SCOPE_IP; s < ADIT_N_CAP_SCOPES; s++) {
            struct adit_caps_config cfg = { 0 };
            struct adit_refusal why;
            struct adit_place a, b;
            struct fixture f;
            bool is_one = (pairs[i].shared >> s & 1) != 0;

            print_message("%s, scope %u\n", pairs[i].why, s);
            cfg.max[ADIT_CAP_RSVPS][s] = 1;
            start(&f, &cfg);
            enter(&f, pairs[i].a, pairs[i].n_a, pairs[i].asn_a, &a);
            enter(&f, pairs[i].b, pairs[i].n_b, pairs[i].asn_b, &b);
            assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_RSVPS, &a, &why),
                             ADIT_OK);
            assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_RSVPS, &b, &why),
                             is_one ? ADIT_EFULL : ADIT_OK);
            if (!is_one)
                adit_caps_give(&f.c, ADIT_CAP_RSVPS, &b);
            adit_caps_give(&f.c, ADIT_CAP_RSVPS, &a);
            adit_caps_leave(&f.c, &a);
            adit_caps_leave(&f.c, &b);
            stop(&f);
        }
    }
}

static void
test_prove(void **state)
{
    struct adit_caps_config cfg = { 0 };
    struct adit_peerid id = peer_of(7), other = peer_of(8);
    struct adit_place v[3], copy;
    struct adit_refusal why = { 0 };
    struct fixture f;

    (void)state;
    cfg.max[ADIT_CAP_CONNS][ADIT_SCOPE_PEER] = 2;
    start(&f, &cfg);
    for (unsigned i = 0; i < 3; i++) {
        char ip[4] = { 10, 0, 0, (char)i };

        enter(&f, ip, 4, 0, &v[i]);
        assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_CONNS, &v[i], &why),
                         ADIT_OK);
        assert_int_equal(adit_caps_prove(&f.c, &v[i], &id, &why),
                         i < 2 ? ADIT_OK : ADIT_EFULL);
    }
    assert_int_equal(why.rule, ADIT_RULE_CONNS_PER_PEER);
    assert_int_equal(why.value, 3);
    assert_int_equal(why.limit, 2);
    assert_null(v[2].at[ADIT_SCOPE_PEER]);
    /* Refused by one name, it may be another. */
    assert_int_equal(adit_caps_prove(&f.c, &v[2], &other, &why), ADIT_OK);
    assert_int_equal(adit_caps_n_entries(&f.c), 5);

    /* A copy holds the scopes when the first is gone. */
    adit_caps_copy(&f.c, &v[0], &copy);
    adit_caps_force(&f.c, ADIT_CAP_RSVPS, &copy);
    for (unsigned i = 0; i < 3; i++) {
        adit_caps_give(&f.c, ADIT_CAP_CONNS, &v[i]);
        adit_caps_leave(&f.c, &v[i]);
        adit_caps_leave(&f.c, &v[i]); /* nowhere already */
    }
    assert_int_equal(adit_caps_n_entries(&f.c), 2);
    cfg.max[ADIT_CAP_RSVPS][ADIT_SCOPE_IP] = 1;
    adit_caps_set(&f.c, &cfg);
    assert_int_equal(adit_caps_take(&f.c, ADIT_CAP_RSVPS, &copy, &why),
                     ADIT_EFULL);
    adit_caps_give(&f.c, ADIT_CAP_RSVPS, &copy);
    adit_caps_leave(&f.c, &copy);
    assert_int_equal(f.mem.used_bytes, f.empty_bytes);
    stop(&f);
}

/* Whatever allocation fails: nothing is held that was not given. */
static void
test_oom(void **state)
{
    bool was_ok = false;

    (void)state;
    for (uint64_t n = 1; !was_ok; n++) {
        struct adit_caps_config cfg = { 0 };
        struct adit_peerid id = peer_of(1);
        struct adit_place p = { { NULL } };
        struct adit_refusal why;
        struct adit_mem mem;
        struct adit_caps c;
        adit_err e;

        adit_mem_init(&mem, NULL, SIZE_MAX);
        mem.fail_at = n;
        e = adit_caps_init(&c, &mem, &rng, &cfg);
        if (e == ADIT_OK) {
            size_t before = mem.used_bytes;

            e = adit_caps_enter(
                &c, adit_slice("\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16), 5,
                &p);
            if (e != ADIT_OK)
                assert_int_equal(mem.used_bytes, before);
        }
        if (e == ADIT_OK) {
            adit_caps_force(&c, ADIT_CAP_CONNS, &p);
            e = adit_caps_prove(&c, &p, &id, &why);
            adit_caps_give(&c, ADIT_CAP_CONNS, &p);
        }
        was_ok = e == ADIT_OK;
        adit_caps_leave(&c, &p);
        adit_caps_fini(&c);
        assert_int_equal(mem.used_bytes, 0);
    }
}

/* What an idle peer costs here that shares no scope with anybody. */
static void
test_memory(void **state)
{
    const unsigned n = 1 << 12;
    struct adit_place *v = calloc(n, sizeof(*v));
    struct adit_caps_config cfg = { 0 };
    struct adit_refusal why;
    struct fixture f;

    (void)state;
    start(&f, &cfg);
    for (unsigned i = 0; i < n; i++) {
        char ip[16] = { 0x20, 1, (char)(i >> 8), (char)i };
        struct adit_peerid id = peer_of(i);

        enter(&f, ip, 16, 0, &v[i]);
        adit_caps_force(&f.c, ADIT_CAP_CONNS, &v[i]);
        assert_int_equal(adit_caps_prove(&f.c, &v[i], &id, &why), ADIT_OK);
    }
    assert_int_equal(adit_caps_n_entries(&f.c), 3 * n);
    print_message("%zu bytes a peer\n", f.mem.used_bytes / n);
    assert_true(f.mem.used_bytes / n <= 3 * 90);
    for (unsigned i = 0; i < n; i++) {
        adit_caps_give(&f.c, ADIT_CAP_CONNS, &v[i]);
        adit_caps_leave(&f.c, &v[i]);
    }
    stop(&f);
    free(v);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix), cmocka_unit_test(test_each),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_prove),  cmocka_unit_test(test_oom),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
