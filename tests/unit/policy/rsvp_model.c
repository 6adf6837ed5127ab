/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Caps and reservations beside a model that is obviously right: it remembers
 * each connection, stream, reservation and circuit, and counts by looking at
 * all of them.  Millions of random steps by seed; every answer and every
 * count is compared, and in the end nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rsvp.h"

#define N_STEPS 600000
#define N_PEERS 20
#define N_ADDRS 12
#define N_CONNS 40
#define N_CIRCUITS 40
#define MAX_STREAMS 4 /* of one connection */
#define NOBODY N_PEERS

static const uint64_t seeds[] = { 1, 2, 3, 4 };

static const enum adit_cap_thing everything[] = {
    ADIT_CAP_CONNS, ADIT_CAP_HANDSHAKES, ADIT_CAP_STREAMS,
    ADIT_CAP_RSVPS, ADIT_CAP_CIRCUITS,
};

/* ---- chance --------------------------------------------------------------- */

static uint64_t chance;

static unsigned
pick(unsigned n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance >> 11) % n);
}

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

/* ---- the model ------------------------------------------------------------ */

/* Who, and from where, something is counted for. */
struct who {
    unsigned peer; /* NOBODY: not proven */
    unsigned addr;
};

static struct {
    bool is_open, is_proven;
    struct who who;
    unsigned n_streams;
    struct adit_place at;
} conns[N_CONNS];

static struct {
    bool is_in;
    struct who who;
    struct adit_instant due;
    uint8_t cls;
} rsvps[N_PEERS];

static struct {
    bool is_open;
    struct who src;
    unsigned dst;
    struct adit_place at;
} circuits[N_CIRCUITS];

static struct {
    struct adit_rsvp_terms terms;
    struct adit_circuit_caps caps; /* as source, as destination */
} classes[ADIT_MAX_CLASSES];

static size_t n_classes;
static uint8_t class_of[N_PEERS];
static struct adit_caps_config cfg;
static int64_t grace_us;
static struct adit_instant now;

/* The table. */
static struct adit_mem mem;
static struct adit_caps caps;
static struct adit_rsvp *table;

/* Address 0 is none; 1 to 4 are IPv4; the others lie by twos in a /64 and by
 * fours in a /48. */
static struct adit_slice
ip_of(unsigned addr, uint8_t b[static 16])
{
    memset(b, 0, 16);
    if (addr == 0)
        return ADIT_SLICE_NONE;
    if (addr <= 4) {
        b[0] = 10;
        b[3] = (uint8_t)addr;
        return adit_slice(b, 4);
    }
    b[0] = 0x20;
    b[5] = (uint8_t)(addr / 4);
    b[6] = (uint8_t)(addr / 2);
    b[15] = (uint8_t)addr;
    return adit_slice(b, 16);
}

static uint32_t
asn_of(unsigned addr)
{
    return addr % 3; /* 0: unknown */
}

/* The name of the scope that `w` lies in; 0: in none such. */
static unsigned
name_of(enum adit_cap_scope s, struct who w)
{
    switch (s) {
    case ADIT_SCOPE_PEER:
        return w.peer == NOBODY ? 0 : 1 + w.peer;
    case ADIT_SCOPE_IP:
        return w.addr <= 4 ? w.addr : 100 + w.addr / 2;
    case ADIT_SCOPE_NET48:
        return w.addr <= 4 ? 0 : 1 + w.addr / 4;
    case ADIT_SCOPE_ASN:
        return asn_of(w.addr);
    case ADIT_SCOPE_NODE:
    case ADIT_N_CAP_SCOPES:
        break;
    }
    return 1;
}

static bool
is_same(enum adit_cap_scope s, struct who a, struct who b)
{
    return name_of(s, a) == name_of(s, b);
}

/* How many there are where `w` is. */
static unsigned
count(enum adit_cap_thing t, enum adit_cap_scope s, struct who w)
{
    unsigned n = 0;

    for (unsigned i = 0; t <= ADIT_CAP_STREAMS && i < N_CONNS; i++) {
        if (!conns[i].is_open || !is_same(s, conns[i].who, w))
            continue;
        n += t == ADIT_CAP_CONNS        ? 1
             : t == ADIT_CAP_HANDSHAKES ? !conns[i].is_proven
                                        : conns[i].n_streams;
    }
    for (unsigned i = 0; t == ADIT_CAP_RSVPS && i < N_PEERS; i++)
        n += rsvps[i].is_in && is_same(s, rsvps[i].who, w);
    for (unsigned i = 0; t == ADIT_CAP_CIRCUITS && i < N_CIRCUITS; i++)
        n += circuits[i].is_open && is_same(s, circuits[i].src, w);
    return n;
}

/* Which cap one more would break; *value is what it would be. */
static enum adit_rule
broken(enum adit_cap_thing t, struct who w, unsigned *value)
{
    for (unsigned s = 0; s < ADIT_N_CAP_SCOPES; s++) {
        enum adit_cap_scope scope = (enum adit_cap_scope)s;
        unsigned n;

        if (cfg.max[t][s] == 0 || name_of(scope, w) == 0)
            continue;
        n = count(t, scope, w);
        *value = n + 1;
        if (n >= cfg.max[t][s])
            return (enum adit_rule)(ADIT_RULE_CONNS_PER_PEER +
                                    (int)t * ADIT_N_CAP_SCOPES + (int)s);
    }
    return ADIT_RULE_NONE;
}

static unsigned
n_of_class(uint8_t cls)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_PEERS; i++)
        n += rsvps[i].is_in && rsvps[i].cls == cls;
    return n;
}

/* With NOBODY for any. */
static unsigned
n_open(unsigned src, unsigned dst)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_CIRCUITS; i++)
        n += circuits[i].is_open &&
             (src == NOBODY || circuits[i].src.peer == src) &&
             (dst == NOBODY || circuits[i].dst == dst);
    return n;
}

static struct adit_instant
least_due(void)
{
    struct adit_instant least = ADIT_NEVER;

    for (unsigned i = 0; i < N_PEERS; i++)
        if (rsvps[i].is_in)
            least = adit_instant_min(least, rsvps[i].due);
    return least;
}

static bool
holds(unsigned peer)
{
    return rsvps[peer].is_in && rsvps[peer].due.us > now.us;
}

/* ---- steps ---------------------------------------------------------------- */

static struct adit_peerid
peer_of(unsigned i)
{
    struct adit_peerid p = { .n = 38, .b = { 0, 36 } };

    p.b[2] = (uint8_t)i;
    return p;
}

/* The answer is the model's. */
static bool
agree(adit_err e, const struct adit_refusal *why, enum adit_rule rule,
      unsigned value, unsigned limit)
{
    assert_int_equal(e, rule == ADIT_RULE_NONE ? ADIT_OK : ADIT_EFULL);
    if (e == ADIT_OK)
        return true;
    assert_int_equal(why->rule, rule);
    assert_int_equal(why->value, value);
    assert_int_equal(why->limit, limit);
    return false;
}

static bool
agree_cap(adit_err e, const struct adit_refusal *why, enum adit_cap_thing t,
          struct who w)
{
    unsigned value = 0;
    enum adit_rule rule = broken(t, w, &value);

    return agree(e, why, rule, value,
                 rule == ADIT_RULE_NONE
                     ? 0
                     : cfg.max[t][(rule - ADIT_RULE_CONNS_PER_PEER) %
                                  ADIT_N_CAP_SCOPES]);
}

static void
conn_open(unsigned i)
{
    struct adit_refusal why = { 0 };
    struct who w = { NOBODY, pick(N_ADDRS) };
    struct adit_place at = { { NULL } };
    uint8_t b[16];

    assert_int_equal(
        adit_caps_enter(&caps, ip_of(w.addr, b), asn_of(w.addr), &at),
        ADIT_OK);
    if (!agree_cap(adit_caps_take(&caps, ADIT_CAP_CONNS, &at, &why), &why,
                   ADIT_CAP_CONNS, w)) {
        adit_caps_leave(&caps, &at);
        return;
    }
    if (!agree_cap(adit_caps_take(&caps, ADIT_CAP_HANDSHAKES, &at, &why), &why,
                   ADIT_CAP_HANDSHAKES, w)) {
        adit_caps_give(&caps, ADIT_CAP_CONNS, &at);
        adit_caps_leave(&caps, &at);
        return;
    }
    conns[i].is_open = true;
    conns[i].is_proven = false;
    conns[i].n_streams = 0;
    conns[i].who = w;
    conns[i].at = at;
}

static bool
is_connected(unsigned peer)
{
    for (unsigned i = 0; i < N_CONNS; i++)
        if (conns[i].is_open && conns[i].who.peer == peer)
            return true;
    return false;
}

static void
conn_close(unsigned i)
{
    unsigned peer = conns[i].who.peer;

    for (; conns[i].n_streams > 0; conns[i].n_streams--)
        adit_caps_give(&caps, ADIT_CAP_STREAMS, &conns[i].at);
    if (!conns[i].is_proven)
        adit_caps_give(&caps, ADIT_CAP_HANDSHAKES, &conns[i].at);
    adit_caps_give(&caps, ADIT_CAP_CONNS, &conns[i].at);
    adit_caps_leave(&caps, &conns[i].at);
    conns[i].is_open = conns[i].is_proven = false;
    conns[i].who.peer = NOBODY;
    if (peer != NOBODY && !is_connected(peer)) {
        struct adit_peerid id = peer_of(peer);

        adit_rsvp_disconnected(table, &id, now);
        if (grace_us == 0)
            rsvps[peer].is_in = false;
        else
            rsvps[peer].due = adit_instant_min(
                rsvps[peer].due, adit_instant_add(now, grace_us));
    }
}

static void
conn_prove(unsigned i)
{
    unsigned peer = pick(N_PEERS);
    struct who w = { peer, conns[i].who.addr };
    uint32_t max = cfg.max[ADIT_CAP_CONNS][ADIT_SCOPE_PEER];
    unsigned have = count(ADIT_CAP_CONNS, ADIT_SCOPE_PEER, w);
    struct adit_peerid id = peer_of(peer);
    struct adit_refusal why = { 0 };
    bool fits;

    adit_caps_give(&caps, ADIT_CAP_HANDSHAKES, &conns[i].at);
    conns[i].is_proven = true;
    fits = agree(adit_caps_prove(&caps, &conns[i].at, &id, &why), &why,
                 max != 0 && have >= max ? ADIT_RULE_CONNS_PER_PEER
                                         : ADIT_RULE_NONE,
                 have + 1, max);
    if (fits)
        conns[i].who.peer = peer;
    else
        conn_close(i);
}

static void
stream_open(unsigned i)
{
    struct adit_refusal why = { 0 };

    if (conns[i].n_streams == MAX_STREAMS)
        return;
    conns[i].n_streams +=
        agree_cap(adit_caps_take(&caps, ADIT_CAP_STREAMS, &conns[i].at, &why),
                  &why, ADIT_CAP_STREAMS, conns[i].who);
}

static void
reserve(unsigned i)
{
    struct who w = conns[i].who;
    uint8_t cls = class_of[w.peer];
    const struct adit_rsvp_terms *terms = &classes[cls].terms;
    bool had = rsvps[w.peer].is_in, renewed = !had, is_in;
    struct adit_peerid id = peer_of(w.peer);
    struct adit_instant until = { 0 }, least = least_due();
    struct adit_refusal why = { 0 };
    enum adit_rule rule = ADIT_RULE_NONE;
    unsigned value = 0;
    adit_err e = adit_rsvp_reserve(table, &id, &conns[i].at, terms, now,
                                   &until, &renewed, &why);

    if (!had)
        rule = broken(ADIT_CAP_RSVPS, w, &value);
    if (had || rule != ADIT_RULE_NONE) {
        is_in = had ? agree(e, &why, ADIT_RULE_NONE, 0, 0)
                    : agree_cap(e, &why, ADIT_CAP_RSVPS, w);
    } else {
        value = n_of_class(cls);
        if (terms->cls_max != 0 && value >= terms->cls_max)
            rule = ADIT_RULE_RSVP_PER_CLASS;
        is_in = agree(e, &why, rule, value + 1, terms->cls_max);
    }
    if (!is_in) {
        int64_t wait = adit_instant_sub(least, now);

        assert_int_equal(why.retry_s,
                         why.rule != ADIT_RULE_RSVP_TOTAL
                             ? 0
                             : ADIT_MAX((wait + ADIT_S - 1) / ADIT_S, 1));
        return;
    }
    assert_int_equal(renewed, had);
    assert_int_equal(until.us, now.us + (uint64_t)terms->ttl_us);
    rsvps[w.peer].is_in = true;
    rsvps[w.peer].who = w;
    rsvps[w.peer].due = until;
    rsvps[w.peer].cls = cls;
}

static void
circuit_open(unsigned i)
{
    struct who w = conns[i].who;
    unsigned dst = pick(N_PEERS), k = 0, n, self = dst == w.peer;
    struct adit_peerid s = peer_of(w.peer), d = peer_of(dst);
    struct adit_circuit_caps c = {
        .src_out = classes[class_of[w.peer]].caps.src_out,
        .src_all = classes[class_of[w.peer]].caps.src_all,
        .dst_in = classes[class_of[dst]].caps.dst_in,
        .dst_all = classes[class_of[dst]].caps.dst_all,
    };
    struct adit_refusal why = { 0 };
    adit_err e;

    while (k < N_CIRCUITS && circuits[k].is_open)
        k++;
    if (k == N_CIRCUITS)
        return;
    e = adit_rsvp_connect(table, &s, &d, &conns[i].at, &c, now, &why);
    if (!holds(dst)) {
        assert_int_equal(e, ADIT_ENORESERVATION);
        assert_int_equal(why.rule, ADIT_RULE_NO_RESERVATION);
        return;
    }
    if (c.src_out != 0 && (n = n_open(w.peer, NOBODY)) >= c.src_out) {
        agree(e, &why, ADIT_RULE_CIRCUITS_PER_SRC, n + 1, c.src_out);
        return;
    }
    n = n_open(w.peer, NOBODY) + n_open(NOBODY, w.peer) + self;
    if (c.src_all != 0 && n >= c.src_all) {
        agree(e, &why, ADIT_RULE_CIRCUITS_PER_PEER, n + 1, c.src_all);
        return;
    }
    if (c.dst_in != 0 && (n = n_open(NOBODY, dst)) >= c.dst_in) {
        agree(e, &why, ADIT_RULE_CIRCUITS_PER_DST, n + 1, c.dst_in);
        return;
    }
    n = n_open(dst, NOBODY) + n_open(NOBODY, dst) + self;
    if (c.dst_all != 0 && n >= c.dst_all) {
        agree(e, &why, ADIT_RULE_CIRCUITS_PER_PEER, n + 1, c.dst_all);
        return;
    }
    if (!agree_cap(e, &why, ADIT_CAP_CIRCUITS, w))
        return;
    adit_caps_copy(&caps, &conns[i].at, &circuits[k].at);
    circuits[k].is_open = true;
    circuits[k].src = w;
    circuits[k].dst = dst;
}

static void
circuit_close(unsigned k)
{
    struct adit_peerid s = peer_of(circuits[k].src.peer);
    struct adit_peerid d = peer_of(circuits[k].dst);

    adit_rsvp_disconnect(table, &s, &d, &circuits[k].at);
    adit_caps_leave(&caps, &circuits[k].at);
    circuits[k].is_open = false;
}

static void
kick(unsigned peer)
{
    struct adit_peerid id = peer_of(peer);

    adit_rsvp_drop(table, &id);
    rsvps[peer].is_in = false;
    for (unsigned k = 0; k < N_CIRCUITS; k++)
        if (circuits[k].is_open &&
            (circuits[k].src.peer == peer || circuits[k].dst == peer))
            circuit_close(k);
    for (unsigned i = 0; i < N_CONNS; i++)
        if (conns[i].is_open && conns[i].who.peer == peer)
            conn_close(i);
}

static void
told(void *ctx, const struct adit_peerid *peer)
{
    unsigned i = peer->b[2];

    (void)ctx;
    assert_true(rsvps[i].is_in && rsvps[i].due.us <= now.us);
    rsvps[i].is_in = false;
}

static void
tick(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_PEERS; i++)
        n += rsvps[i].is_in && rsvps[i].due.us <= now.us;
    assert_int_equal(adit_rsvp_tick(table, now, told, NULL), n);
    assert_true(least_due().us > now.us);
}

/* 0, or about `around`. */
static uint32_t
some_cap(unsigned around)
{
    return pick(3) == 0 ? 0 : around / 2 + pick(around) + 1;
}

static void
reload(void)
{
    static const unsigned around[ADIT_N_CAP_THINGS][ADIT_N_CAP_SCOPES] = {
        [ADIT_CAP_CONNS] = { 3, 6, 8, 12, 24 },
        [ADIT_CAP_HANDSHAKES] = { 1, 3, 4, 6, 10 },
        [ADIT_CAP_STREAMS] = { 5, 9, 12, 18, 40 },
        [ADIT_CAP_RSVPS] = { 1, 3, 4, 6, 12 },
        [ADIT_CAP_CIRCUITS] = { 4, 6, 8, 12, 24 },
    };
    uint8_t map[ADIT_MAX_CLASSES];
    size_t n = 1 + pick(ADIT_MAX_CLASSES);
    uint8_t shift = (uint8_t)pick((unsigned)n);

    for (unsigned t = 0; t < ADIT_N_CAP_THINGS; t++)
        for (unsigned s = 0; s < ADIT_N_CAP_SCOPES; s++)
            cfg.max[t][s] = some_cap(around[t][s]);
    adit_caps_set(&caps, &cfg);
    grace_us = pick(4) == 0 ? 0 : 5 * ADIT_S + (int64_t)pick(10000000);
    adit_rsvp_set_grace(table, grace_us);
    /* The first n go round by `shift`, the others are gone. */
    for (uint8_t i = 0; i < ADIT_MAX_CLASSES; i++)
        map[i] = i < n ? (uint8_t)((i + shift) % n) : ADIT_NO_CLASS;
    adit_rsvp_remap(table, map);
    for (unsigned i = 0; i < N_PEERS; i++)
        if (rsvps[i].is_in && rsvps[i].cls != ADIT_NO_CLASS)
            rsvps[i].cls = map[rsvps[i].cls];
    n_classes = n;
    for (uint8_t i = 0; i < n; i++) {
        classes[i].terms = (struct adit_rsvp_terms){
            .ttl_us = (1 + (int64_t)pick(60)) * ADIT_S,
            .cls = i,
            .cls_max = some_cap(8),
        };
        classes[i].caps = (struct adit_circuit_caps){
            .src_out = some_cap(3),
            .src_all = some_cap(5),
            .dst_in = some_cap(3),
            .dst_all = some_cap(5),
        };
    }
    for (unsigned i = 0; i < N_PEERS; i++)
        class_of[i] = (uint8_t)pick((unsigned)n);
}

static void
check_peer(unsigned peer)
{
    struct adit_peerid id = peer_of(peer);
    unsigned n_src = n_open(peer, NOBODY), n_dst = n_open(NOBODY, peer);
    struct adit_rsvp_info info;
    bool is_known = adit_rsvp_get(table, &id, now, &info);

    assert_int_equal(adit_rsvp_has(table, &id, now), holds(peer));
    assert_int_equal(is_known, rsvps[peer].is_in || n_src + n_dst > 0);
    if (!is_known)
        return;
    assert_int_equal(info.has, holds(peer));
    assert_int_equal(info.n_src, n_src);
    assert_int_equal(info.n_dst, n_dst);
    assert_int_equal(info.cls,
                     rsvps[peer].is_in ? rsvps[peer].cls : ADIT_NO_CLASS);
    if (info.has)
        assert_int_equal(info.until.us, rsvps[peer].due.us);
}

static void
check_counts(void)
{
    const struct who anybody = { NOBODY, 0 };

    for (unsigned t = 0; t < ADIT_NITEMS(everything); t++)
        assert_int_equal(caps.n[everything[t]],
                         count(everything[t], ADIT_SCOPE_NODE, anybody));
    assert_int_equal(adit_rsvp_n(table), caps.n[ADIT_CAP_RSVPS]);
    assert_int_equal(adit_rsvp_n_circuits(table), caps.n[ADIT_CAP_CIRCUITS]);
    assert_int_equal(adit_rsvp_due(table).us, least_due().us);
}

static void
note(bool seen[ADIT_N_CAP_SCOPES][256], struct who w)
{
    for (unsigned s = 0; s < ADIT_SCOPE_NODE; s++)
        seen[s][name_of((enum adit_cap_scope)s, w)] = true;
}

/* All there is to know, now and then. */
static void
check_all(void)
{
    bool seen[ADIT_N_CAP_SCOPES][256] = { { false } };
    size_t n_scopes = 0, n_known = 0;

    for (unsigned i = 0; i < N_CONNS; i++)
        if (conns[i].is_open)
            note(seen, conns[i].who);
    for (unsigned i = 0; i < N_PEERS; i++)
        if (rsvps[i].is_in)
            note(seen, rsvps[i].who);
    for (unsigned i = 0; i < N_CIRCUITS; i++)
        if (circuits[i].is_open)
            note(seen, circuits[i].src);
    for (unsigned s = 0; s < ADIT_SCOPE_NODE; s++)
        for (unsigned k = 1; k < 256; k++)
            n_scopes += seen[s][k];
    assert_int_equal(adit_caps_n_entries(&caps), n_scopes);
    for (unsigned i = 0; i < N_PEERS; i++) {
        check_peer(i);
        n_known +=
            rsvps[i].is_in || n_open(i, NOBODY) > 0 || n_open(NOBODY, i) > 0;
    }
    assert_int_equal(adit_rsvp_n_entries(table), n_known);
    for (uint8_t c = 0; c < ADIT_MAX_CLASSES; c++)
        assert_int_equal(adit_rsvp_n_of(table, c), n_of_class(c));
}

static void
step(void)
{
    unsigned what = pick(1000), i = pick(N_CONNS), k = pick(N_CIRCUITS);

    now = adit_instant_add(now, (int64_t)pick(100) * ADIT_MS);
    if (!conns[i].is_open && what < 700)
        conn_open(i);
    else if (conns[i].is_open && !conns[i].is_proven && what < 600)
        conn_prove(i);
    else if (conns[i].is_proven && what < 250)
        reserve(i);
    else if (conns[i].is_proven && what < 500)
        circuit_open(i);
    else if (conns[i].is_proven && what < 600)
        stream_open(i);
    else if (what < 700 && conns[i].n_streams > 0) {
        conns[i].n_streams--;
        adit_caps_give(&caps, ADIT_CAP_STREAMS, &conns[i].at);
    } else if (what < 850 && circuits[k].is_open)
        circuit_close(k);
    else if (what < 920 && conns[i].is_open)
        conn_close(i);
    else if (what < 990)
        tick();
    else if (what < 998)
        kick(pick(N_PEERS));
    else
        reload();
}

static void
end_all(void)
{
    for (unsigned i = 0; i < N_CONNS; i++)
        if (conns[i].is_open)
            conn_close(i);
    for (unsigned k = 0; k < N_CIRCUITS; k++)
        if (circuits[k].is_open)
            circuit_close(k);
    now = adit_instant_add(now, 3600 * ADIT_S);
    tick();
}

static void
test_model(void **state)
{
    (void)state;
    for (size_t s = 0; s < ADIT_NITEMS(seeds); s++) {
        print_message("seed %u\n", (unsigned)seeds[s]);
        chance = seeds[s];
        now = (struct adit_instant){ 1000 };
        adit_mem_init(&mem, NULL, SIZE_MAX);
        assert_int_equal(adit_caps_init(&caps, &mem, &rng, &cfg), ADIT_OK);
        assert_int_equal(adit_rsvp_new(&mem, &rng, &caps, 0, &table), ADIT_OK);
        for (unsigned i = 0; i < N_CONNS; i++)
            conns[i].who.peer = NOBODY;
        reload();
        for (unsigned i = 0; i < N_STEPS; i++) {
            step();
            check_counts();
            check_peer(pick(N_PEERS));
            if (i % 512 == 0)
                check_all();
        }
        end_all();
        check_counts();
        check_all();
        for (unsigned t = 0; t < ADIT_NITEMS(everything); t++)
            assert_int_equal(caps.n[everything[t]], 0);
        assert_int_equal(adit_caps_n_entries(&caps), 0);
        assert_int_equal(adit_rsvp_n_entries(table), 0);
        adit_rsvp_free(table);
        adit_caps_fini(&caps);
        assert_int_equal(mem.used_bytes, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
