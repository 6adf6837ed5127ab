/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/conncap.h"
#include "policy/prefix.h"

#define N_STEPS 300000
#define N_CONNS 64
#define N_IPS 12

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

/* Even: an IPv4 address.  Odd: some address of an IPv6 /64. */
static struct adit_slice
ip_of(unsigned i, uint8_t host, uint8_t b[static 16])
{
    memset(b, 0, 16);
    b[0] = (uint8_t)i;
    b[15] = host;
    return adit_slice(b, i % 2 == 0 ? 4 : 16);
}

static void
test_caps(void **state)
{
    const struct adit_conncap_config cfg = { .conns_total = 4,
                                             .conns_per_ip = 2,
                                             .handshakes_total = 3,
                                             .handshakes_per_ip = 1 };
    struct adit_refusal why = { ADIT_RULE_NONE, 0, 0 };
    struct adit_conncap c;
    struct adit_mem mem;
    uint8_t b[16];

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_conncap_init(&c, &mem, &rng, &cfg), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ip_of(1, 1, b), &why), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ip_of(1, 2, b), &why), ADIT_EFULL);
    assert_int_equal(why.rule, ADIT_RULE_HANDSHAKES_PER_IP);
    assert_int_equal(why.value, 2);
    assert_int_equal(why.limit, 1);
    adit_conncap_handshake_done(&c, ip_of(1, 1, b));
    assert_int_equal(adit_conncap_open(&c, ip_of(1, 2, b), &why), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ip_of(1, 3, b), &why), ADIT_EFULL);
    assert_int_equal(why.rule, ADIT_RULE_CONNS_PER_IP);
    assert_int_equal(adit_conncap_open(&c, ip_of(2, 0, b), &why), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ADIT_SLICE_NONE, &why), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ip_of(4, 0, b), &why), ADIT_EFULL);
    assert_int_equal(why.rule, ADIT_RULE_CONNS_TOTAL);
    adit_conncap_handshake_done(&c, ADIT_SLICE_NONE);
    adit_conncap_close(&c, ADIT_SLICE_NONE, false);
    adit_conncap_close(&c, ip_of(1, 1, b), false);
    assert_int_equal(adit_conncap_open(&c, ip_of(6, 0, b), &why), ADIT_OK);
    assert_int_equal(adit_conncap_open(&c, ip_of(8, 0, b), &why), ADIT_EFULL);
    assert_int_equal(why.rule, ADIT_RULE_HANDSHAKES_TOTAL);
    adit_conncap_set(&c, &(struct adit_conncap_config){ 0 }); /* no caps */
    assert_int_equal(adit_conncap_open(&c, ip_of(8, 0, b), &why), ADIT_OK);
    adit_conncap_fini(&c); /* with some open */
    assert_int_equal(mem.used_bytes, 0);
    adit_conncap_fini(&c);
}

static uint64_t chance = 1;

static unsigned
pick(unsigned n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance >> 11) % n);
}

static struct {
    bool is_open, in_handshake;
    unsigned ip; /* 0: without an address */
} conns[N_CONNS];

/* ip N_IPS: any. */
static unsigned
n_of(unsigned ip, bool handshakes)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_CONNS; i++)
        n += conns[i].is_open && (ip == N_IPS || conns[i].ip == ip) &&
             (conns[i].in_handshake || !handshakes);
    return n;
}

static void
open_one(struct adit_conncap *c, unsigned i)
{
    const struct adit_conncap_config *cfg = &c->cfg;
    struct adit_refusal why = { ADIT_RULE_NONE, 0, 0 };
    enum adit_rule rule = ADIT_RULE_NONE;
    unsigned ip = pick(N_IPS);
    uint8_t b[16];
    struct adit_slice s =
        ip != 0 ? ip_of(ip, (uint8_t)pick(9), b) : ADIT_SLICE_NONE;
    adit_err e = adit_conncap_open(c, s, &why);

    if (ip != 0 && n_of(ip, false) >= cfg->conns_per_ip)
        rule = ADIT_RULE_CONNS_PER_IP;
    else if (ip != 0 && n_of(ip, true) >= cfg->handshakes_per_ip)
        rule = ADIT_RULE_HANDSHAKES_PER_IP;
    else if (n_of(N_IPS, false) >= cfg->conns_total)
        rule = ADIT_RULE_CONNS_TOTAL;
    else if (n_of(N_IPS, true) >= cfg->handshakes_total)
        rule = ADIT_RULE_HANDSHAKES_TOTAL;
    assert_int_equal(why.rule, rule);
    assert_int_equal(e, rule == ADIT_RULE_NONE ? ADIT_OK : ADIT_EFULL);
    if (e != ADIT_OK)
        return;
    conns[i].is_open = conns[i].in_handshake = true;
    conns[i].ip = ip;
}

static void
test_model(void **state)
{
    const struct adit_conncap_config cfg = { .conns_total = 50,
                                             .conns_per_ip = 7,
                                             .handshakes_total = 14,
                                             .handshakes_per_ip = 3 };
    struct adit_conncap c;
    struct adit_mem mem;
    size_t base;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_conncap_init(&c, &mem, &rng, &cfg), ADIT_OK);
    base = mem.used_bytes;
    for (unsigned step = 0; step < N_STEPS + N_CONNS; step++) {
        bool is_end = step >= N_STEPS;
        unsigned i = is_end ? step - N_STEPS : pick(N_CONNS);
        uint8_t b[16];
        struct adit_slice s = conns[i].ip != 0
                                  ? ip_of(conns[i].ip, (uint8_t)pick(9), b)
                                  : ADIT_SLICE_NONE;

        if (!conns[i].is_open) {
            if (!is_end)
                open_one(&c, i);
        } else if (!is_end && conns[i].in_handshake && pick(3) != 0) {
            adit_conncap_handshake_done(&c, s);
            conns[i].in_handshake = false;
        } else {
            adit_conncap_close(&c, s, conns[i].in_handshake);
            conns[i].is_open = false;
        }
        assert_int_equal(c.n_conns, n_of(N_IPS, false));
        assert_int_equal(c.n_handshakes, n_of(N_IPS, true));
    }
    assert_int_equal(c.n_conns, 0);
    assert_int_equal(c.n_handshakes, 0);
    assert_int_equal(mem.used_bytes, base); /* no address is remembered */
    adit_conncap_fini(&c);
    assert_int_equal(mem.used_bytes, 0);
}

static void
test_oom(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 5; n++) {
        const struct adit_conncap_config cfg = { 0 };
        struct adit_refusal why;
        struct adit_conncap c;
        struct adit_mem mem;
        uint8_t b[16];

        adit_mem_init(&mem, NULL, SIZE_MAX);
        mem.fail_at = n;
        if (adit_conncap_init(&c, &mem, &rng, &cfg) == ADIT_OK)
            for (unsigned i = 0; i < 4; i++) {
                uint32_t before = c.n_conns;
                adit_err e = adit_conncap_open(&c, ip_of(i, 0, b), &why);

                assert_int_equal(c.n_conns, before + (e == ADIT_OK));
                assert_int_equal(c.n_handshakes, c.n_conns);
            }
        adit_conncap_fini(&c);
        assert_int_equal(mem.used_bytes, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
