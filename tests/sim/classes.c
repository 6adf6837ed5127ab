/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Who may, and on which terms: classes, lists, an hour's requests, quotas,
 * what the operator says, a reload and a drain, each as its peers see it.
 */
#include "fakes.h"
#include "raw.h"
#include "run.h"

#include "host/circuit.h"
#include "host/relay_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define RELAYED 50000

enum { OK = 100, REFUSED = 200, FULL = 201, DENIED = 202, NO_RSVP = 204 };

struct stage {
    struct run r;
    struct raw_kit kit; /* a stranger of one identity */
    struct adit_node_config cfg;
};

static void
set(struct stage *s, const char *name, const char *value)
{
    char why[ADIT_OPT_WHY_BYTES] = "";

    if (adit_node_config_set(&s->cfg, name, value, why) != ADIT_OK)
        fail_msg("%s", why);
}

static const char *
id_of(const struct sim_node *n)
{
    static char text[ADIT_PEERID_TEXT_BYTES];

    return adit_peerid_format(&n->identity.id, text);
}

/* The relay reads its configuration anew. */
static void
reload(struct stage *s)
{
    char why[ADIT_NODE_WHY_BYTES] = "";
    struct adit_rules *rules = NULL;

    if (adit_node_check(&s->cfg, why) != ADIT_OK ||
        adit_rules_new(&s->cfg, &rules, why) != ADIT_OK)
        fail_msg("%s", why);
    assert_int_equal(adit_node_change(s->r.relay->node, &s->cfg, rules),
                     ADIT_OK);
}

static struct adit_relay *
relay(struct stage *s)
{
    return adit_node_relay(s->r.relay->node);
}

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

/* Nobody has reserved yet; all limits are aditd's own. */
static struct stage *
begin_with(uint64_t seed, size_t want, enum adit_ledger_kind ledger)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sim_config cfg = { .seed = seed,
                              .latency_us = 1000,
                              .verbose = getenv("SIM_VERBOSE") != NULL };

    sim_defaults(&s->cfg);
    s->cfg.relay_enabled = true;
    s->cfg.ledger_backend = ledger;
    run_init_with(&s->r, &cfg, &s->cfg, want);
    raw_kit_init(&s->kit, &s->r.w);
    return s;
}

static struct stage *
begin(uint64_t seed, size_t want)
{
    return begin_with(seed, want, ADIT_LEDGER_NONE);
}

static void
end(struct stage *s)
{
    struct adit_relay *r = relay(s);

    raw_kit_fini(&s->kit);
    if (adit_relay_drain_state(r) == ADIT_DRAIN_NO)
        assert_int_equal(adit_relay_n_circuits(r), 0);
    run_fini(&s->r);
    free(s);
}

static void
reserved(struct stage *s)
{
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_reserved, &s->r));
}

/* The exchange from start to end. */
static adit_err
exchange(struct stage *s)
{
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 600 * ADIT_S, run_is_over, &s->r));
    /* The dialer's connection to its relay stays; the circuit goes. */
    sim_cut(&s->r.w, s->r.a);
    pass(s, 5 * ADIT_S);
    return s->r.outcome;
}

struct seen {
    unsigned n;
    struct adit_circuit_terms terms;
};

static bool
see(void *ctx, const struct adit_circuit_info *c)
{
    struct seen *v = ctx;

    v->n++;
    v->terms = c->terms;
    return true;
}

static bool
has_circuit(void *ctx)
{
    struct stage *s = ctx;

    return s->r.s != NULL && s->r.back > 0;
}

/* What the circuit got that is dialled now; it is cut then. */
static struct adit_circuit_terms
terms_of_a_circuit(struct stage *s)
{
    struct seen v = { 0 };

    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));
    adit_relay_each_circuit(relay(s), see, &v);
    assert_int_equal(v.n, 1);
    sim_cut(&s->r.w, s->r.a);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_over, &s->r));
    pass(s, 5 * ADIT_S);
    return v.terms;
}

/* ---- limits ------------------------------------------------------------------ */

static void
test_limits_are_told_by_class(void **state)
{
    struct stage *s = begin(1, SIZE_MAX / 2);
    const struct adit_circuit_limit *told;
    struct adit_circuit_terms t;

    (void)state;
    set(s, "class.listed.peers", id_of(s->r.b));
    reload(s);
    reserved(s);
    told = adit_reserve_limit(s->r.reserve);
    assert_int_equal(told->data_bytes, UINT64_C(1) << 30);
    assert_int_equal(told->duration_s, 1800);

    t = terms_of_a_circuit(s); /* an anonymous dialer: the narrower */
    assert_int_equal(t.data_bytes, 131072);
    assert_int_equal(t.duration_s, 120);
    set(s, "circuit.wider", "yes");
    reload(s);
    t = terms_of_a_circuit(s);
    assert_int_equal(t.data_bytes, UINT64_C(1) << 30);
    assert_int_equal(t.duration_s, 1800);
    end(s);
}

static void
test_unlimited_may_announce(void **state)
{
    struct stage *s = begin(2, RELAYED);
    const struct adit_circuit_limit *told;

    (void)state;
    set(s, "class.unlimited.subnets", "0.0.0.0/0");
    reload(s);
    reserved(s);
    assert_false(adit_reserve_limit(s->r.reserve)->has);
    assert_int_equal(exchange(s), ADIT_OK);
    assert_false(s->r.is_limited);

    set(s, "class.unlimited.announce_limit", "yes");
    reload(s);
    sim_cut(&s->r.w, s->r.b);
    s->r.reserved = false;
    reserved(s);
    told = adit_reserve_limit(s->r.reserve);
    assert_true(told->has);
    assert_int_equal(told->data_bytes, ADIT_ANNOUNCED_BYTES);
    assert_int_equal(told->duration_s, ADIT_ANNOUNCED_S);
    assert_int_equal(exchange(s), ADIT_OK);
    assert_true(s->r.is_limited);
    end(s);
}

/* ---- who may ------------------------------------------------------------------ */

static void
test_who_may(void **state)
{
    struct stage *s = begin(3, RELAYED);
    struct raw *v;

    (void)state;
    set(s, "class.anonymous.may_reserve", "no");
    set(s, "class.listed.peers", id_of(s->r.b));
    reload(s);
    reserved(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(v, raw_reserve(v)), DENIED);
    assert_int_equal(metric(s, ADIT_M_REFUSED_CLASS_RESERVE), 1);

    set(s, "class.listed.dialled_by", "listed");
    reload(s);
    assert_int_equal(raw_wait(v, raw_connect(v, &s->r.b->identity.id)),
                     DENIED);
    assert_int_equal(metric(s, ADIT_M_REFUSED_CLASS_DIAL), 1);
    set(s, "class.listed.dialled_by", "any");
    set(s, "class.anonymous.may_dial", "none");
    reload(s);
    assert_int_equal(raw_wait(v, raw_connect(v, &s->r.b->identity.id)),
                     DENIED);
    set(s, "class.anonymous.may_dial", "listed, unlimited");
    reload(s);
    assert_int_equal(exchange(s), ADIT_OK);
    raw_free(v, false);
    end(s);
}

static void
test_the_operator_has_the_last_word(void **state)
{
    struct stage *s = begin(4, RELAYED);
    struct adit_relay_peer_info info;
    struct raw *v;

    (void)state;
    reserved(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(
        adit_relay_set_class(relay(s), &s->kit.identity.id, "nobody"),
        ADIT_EINVAL);
    assert_int_equal(
        adit_relay_set_class(relay(s), &s->kit.identity.id, "listed"),
        ADIT_OK);
    assert_true(adit_relay_peer(relay(s), &s->kit.identity.id, &info));
    assert_string_equal(info.class_name, "listed");
    assert_string_equal(info.class_why, "operator");
    assert_true(info.has_reservation);
    assert_int_equal(info.n_conns, 1);

    assert_int_equal(adit_relay_ban(relay(s), &s->kit.identity.id, 0),
                     ADIT_OK);
    assert_true(raw_wait_over(v, ADIT_S));
    raw_free(v, false);
    assert_true(adit_relay_peer(relay(s), &s->kit.identity.id, &info));
    assert_false(info.has_reservation);
    v = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(v, raw_reserve(v)), DENIED);
    assert_int_equal(raw_wait(v, raw_connect(v, &s->r.b->identity.id)),
                     DENIED);
    assert_int_equal(metric(s, ADIT_M_REFUSED_BANNED), 2);
    adit_relay_unban(relay(s), &s->kit.identity.id);
    assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(
        adit_relay_ban(relay(s), &s->kit.identity.id, s->r.w.unix_s + 60),
        ADIT_OK);
    raw_free(v, false);
    pass(s, 61 * ADIT_S);
    v = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(v, raw_reserve(v)), OK);

    assert_int_equal(adit_relay_kick(relay(s), &s->kit.identity.id), 1);
    assert_true(raw_wait_over(v, ADIT_S));
    raw_free(v, false);
    assert_int_equal(adit_relay_n_reservations(relay(s)), 1);
    end(s);
}

static size_t
n_accounts(struct stage *s)
{
    return relay(s)->accounts.peers.n;
}

/* Words of his that are over are forgotten: bans when they end, a class when
 * there is none of that name any more. */
static void
test_words_that_are_over(void **state)
{
    struct stage *s = begin_with(18, RELAYED, ADIT_LEDGER_SQLITE);
    struct adit_peerid who = s->kit.identity.id;
    struct adit_ledger_mark old = { .is_banned = true, .until_unix_s = 1 };

    (void)state;
    reserved(s);
    for (uint8_t i = 0; i < 5; i++) {
        who.b[who.n - 1] = i;
        assert_int_equal(adit_relay_ban(relay(s), &who, s->r.w.unix_s + 1 + i),
                         ADIT_OK);
    }
    assert_int_equal(n_accounts(s), 1 + 5);
    pass(s, 61 * ADIT_S);
    assert_int_equal(adit_relay_ban(relay(s), &who, 0), ADIT_OK);
    assert_int_equal(n_accounts(s), 1 + 1);
    adit_relay_unban(relay(s), &who);
    /* That the ledger still has of an earlier run. */
    old.peer = who;
    adit_ledger_mark(adit_relay_ledger(relay(s)), &old);
    assert_int_equal(n_accounts(s), 1);

    set(s, "class.gold.peers", "");
    reload(s);
    assert_int_equal(adit_relay_set_class(relay(s), &who, "gold"), ADIT_OK);
    assert_int_equal(n_accounts(s), 2);
    s->cfg.n_classes = 3;
    reload(s);
    assert_int_equal(n_accounts(s), 1);
    end(s);
}

/* The ledger says only after a while whom he banned before a restart. */
static void
test_a_ban_that_is_read_late(void **state)
{
    struct stage *s = begin_with(20, SIZE_MAX / 2, ADIT_LEDGER_SQLITE);
    struct adit_ledger_mark m = { .is_banned = true };
    struct adit_account *b;
    size_t n;

    (void)state;
    reserved(s);
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));
    m.peer = s->r.a->identity.id;
    adit_ledger_mark(adit_relay_ledger(relay(s)), &m);
    assert_true(sim_run(&s->r.w, ADIT_S, run_is_over, &s->r));
    assert_int_equal(adit_relay_n_circuits(relay(s)), 0);
    m.peer = s->r.b->identity.id;
    adit_ledger_mark(adit_relay_ledger(relay(s)), &m);
    assert_int_equal(adit_relay_n_reservations(relay(s)), 0);
    pass(s, 5 * ADIT_S);

    /* At another relay with the same ledger he takes back what he said. */
    n = n_accounts(s);
    m.is_banned = false;
    snprintf(m.class_name, sizeof(m.class_name), "listed");
    adit_ledger_mark(adit_relay_ledger(relay(s)), &m);
    b = adit_account_get(&relay(s)->accounts, &m.peer);
    assert_non_null(b);
    assert_false(b->is_banned);
    assert_int_equal(b->forced, adit_rules_class(relay(s)->rules, "listed"));
    m.class_name[0] = '\0';
    adit_ledger_mark(adit_relay_ledger(relay(s)), &m);
    b = adit_account_get(&relay(s)->accounts, &m.peer);
    assert_true(b == NULL || b->forced == ADIT_NO_CLASS);
    assert_true(n_accounts(s) <= n);
    end(s);
}

/* The class that he gives a peer has its own limits, not those that the
 * admission service gave it before. */
static void
test_his_class_is_whole(void **state)
{
    struct stage *s = begin(17, SIZE_MAX / 2);
    struct adit_account *b;
    struct adit_circuit_terms t;

    (void)state;
    reserved(s);
    b = adit_account_get(&relay(s)->accounts, &s->r.b->identity.id);
    assert_non_null(b);
    b->standing = (struct adit_standing){ .why = ADIT_CLASS_BY_ADMISSION,
                                          .limits = { .data_bytes = 4096 } };
    assert_int_equal(
        adit_relay_set_class(relay(s), &s->r.a->identity.id, "listed"),
        ADIT_OK);
    assert_int_equal(
        adit_relay_set_class(relay(s), &s->r.b->identity.id, "listed"),
        ADIT_OK);
    t = terms_of_a_circuit(s);
    assert_int_equal(t.data_bytes, 1 << 30);
    end(s);
}

/* ---- an hour's requests -------------------------------------------------------- */

static void
test_requests_per_hour(void **state)
{
    struct stage *s = begin(5, RELAYED);
    struct raw *v;

    (void)state;
    set(s, "reservation.per_hour", "3");
    set(s, "circuit.per_hour", "2");
    set(s, "circuit.per_hour_ip", "3");
    reload(s);
    reserved(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    for (int i = 0; i < 3; i++)
        assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(raw_wait(v, raw_reserve(v)), FULL);
    assert_int_equal(metric(s, ADIT_M_REFUSED_RSVP_PER_HOUR), 1);
    pass(s, 1200 * ADIT_S + ADIT_S); /* a third of an hour: one more */
    assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(raw_wait(v, raw_reserve(v)), FULL);
    raw_free(v, false);

    assert_int_equal(exchange(s), ADIT_OK);
    assert_int_equal(exchange(s), ADIT_OK);
    assert_int_not_equal(exchange(s), ADIT_OK);
    assert_int_equal(metric(s, ADIT_M_REFUSED_CIRCUITS_PER_HOUR), 1);
    end(s);
}

/* A stranger cannot use up what his neighbour was promised. */
static void
test_a_networks_hour_is_its_strangers(void **state)
{
    struct stage *s = begin(25, RELAYED);
    char id[ADIT_PEERID_TEXT_BYTES];
    struct raw_kit other;
    struct raw *v, *listed;

    (void)state;
    raw_kit_init(&other, &s->r.w);
    set(s, "reservation.per_hour_ip", "2");
    set(s, "class.listed.peers", adit_peerid_format(&other.identity.id, id));
    reload(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    for (int i = 0; i < 2; i++)
        assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(raw_wait(v, raw_reserve(v)), FULL);
    assert_int_equal(metric(s, ADIT_M_REFUSED_RSVP_PER_HOUR_IP), 1);
    listed = raw_ready(&other, s->r.relay, 7);
    assert_int_equal(raw_wait(listed, raw_reserve(listed)), OK);
    raw_free(listed, false);
    raw_free(v, false);
    pass(s, 60 * ADIT_S);
    raw_kit_fini(&other);
    end(s);
}

/* ---- quotas -------------------------------------------------------------------- */

static void
test_quota_refuses_until_midnight(void **state)
{
    struct stage *s = begin(6, RELAYED);

    (void)state;
    set(s, "class.anonymous.day_bytes", "150KiB");
    reload(s);
    reserved(s);
    assert_int_equal(exchange(s), ADIT_OK); /* 100,000 and some both ways */
    assert_int_equal(exchange(s), ADIT_OK); /* the last that may begin */
    assert_int_not_equal(exchange(s), ADIT_OK);
    assert_int_equal(metric(s, ADIT_M_REFUSED_QUOTA_DAY), 1);
    s->r.w.unix_s += 86400;
    assert_int_equal(exchange(s), ADIT_OK);
    end(s);
}

static void
test_quota_ends_a_circuit(void **state)
{
    struct stage *s = begin(7, SIZE_MAX / 2);

    (void)state;
    set(s, "class.anonymous.day_bytes", "1MiB");
    set(s, "class.anonymous.circuit_bytes", "0");
    set(s, "class.anonymous.circuit_duration", "0");
    reload(s);
    reserved(s);
    assert_int_not_equal(exchange(s), ADIT_OK);
    end(s);
}

static void
test_quota_falls_to_another_class(void **state)
{
    struct stage *s = begin(8, RELAYED);
    struct adit_circuit_terms t;

    (void)state;
    set(s, "class.listed.subnets", "0.0.0.0/0");
    set(s, "class.listed.day_bytes", "64KiB");
    set(s, "class.listed.over_quota", "slow");
    set(s, "class.slow.circuit_bytes", "1MiB");
    set(s, "class.slow.circuit_duration", "60s");
    reload(s);
    reserved(s);
    assert_int_equal(exchange(s), ADIT_OK);
    s->r.want = SIZE_MAX / 2;
    t = terms_of_a_circuit(s);
    assert_int_equal(t.data_bytes, 1 << 20);
    assert_int_equal(t.duration_s, 60);
    end(s);
}

/* Its rate too, while the circuit goes on. */
static void
test_quota_falls_under_a_circuit(void **state)
{
    struct stage *s = begin(13, SIZE_MAX / 2);
    const struct adit_account *a;

    (void)state;
    set(s, "class.listed.subnets", "0.0.0.0/0");
    set(s, "class.listed.circuit_bytes", "0");
    set(s, "class.listed.day_bytes", "64KiB");
    set(s, "class.listed.over_quota", "slow");
    set(s, "class.slow.peer_bytes_s", "20KiB");
    reload(s);
    reserved(s);
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));
    pass(s, 6 * ADIT_S);
    a = adit_account_get(&relay(s)->accounts, &s->r.a->identity.id);
    assert_non_null(a);
    assert_int_equal(a->rate.bytes_s, 20480);
    sim_cut(&s->r.w, s->r.a);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, run_is_over, &s->r));
    pass(s, 5 * ADIT_S);
    end(s);
}

/* What is shown as of today is of today. */
static void
test_what_is_shown_of_a_day(void **state)
{
    struct stage *s = begin(14, RELAYED);
    struct adit_relay_peer_info info;

    (void)state;
    reserved(s);
    assert_int_equal(exchange(s), ADIT_OK);
    assert_true(adit_relay_peer(relay(s), &s->r.b->identity.id, &info));
    assert_true(info.day_bytes > 2 * RELAYED);
    s->r.w.unix_s += 86400;
    pass(s, ADIT_S);
    assert_true(adit_relay_peer(relay(s), &s->r.b->identity.id, &info));
    assert_int_equal(info.day_bytes, 0);
    assert_true(info.month_bytes > 2 * RELAYED);
    end(s);
}

/* ---- books ---------------------------------------------------------------------- */

/* Names that are made up are not written for ever. */
static void
test_refusals_of_strangers_are_bounded(void **state)
{
    struct stage *s = begin_with(15, RELAYED, ADIT_LEDGER_SQLITE);
    unsigned before;
    struct raw *v;

    (void)state;
    set(s, "class.anonymous.may_reserve", "no");
    reload(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    for (int i = 0; i < 1100; i++) {
        assert_int_not_equal(raw_wait(v, raw_reserve(v)), OK);
        if (i % 100 != 99)
            continue;
        raw_free(v, false);
        v = raw_ready(&s->kit, s->r.relay, 7);
    }
    assert_in_range(fake_n_refusals, 900, 1002);
    /* Of one who is known each is. */
    assert_int_equal(
        adit_relay_set_class(relay(s), &s->kit.identity.id, "anonymous"),
        ADIT_OK);
    before = fake_n_refusals;
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_int_equal(fake_n_refusals, before + 10);
    raw_free(v, false);
    end(s);
}

/* A reservation that ends with its connection is closed like others. */
static void
test_without_grace_it_is_counted(void **state)
{
    struct stage *s = begin(16, RELAYED);

    (void)state;
    set(s, "reservation.grace", "0");
    reload(s);
    reserved(s);
    sim_cut(&s->r.w, s->r.b);
    pass(s, ADIT_S);
    assert_int_equal(metric(s, ADIT_M_RSVP_CLOSED), 1);
    end(s);
}

/* ---- a reload ------------------------------------------------------------------- */

static void
test_reload_loses_no_circuit(void **state)
{
    struct stage *s = begin(9, 4000000);

    (void)state;
    set(s, "class.anonymous.circuit_bytes", "0");
    reload(s);
    reserved(s);
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));
    for (int i = 0; !run_is_over(&s->r); i++) {
        char peers[ADIT_OPT_TEXT_BYTES];

        assert_true(i < 10000);
        pass(s, 5 * ADIT_MS);
        /* Classes come and go under it, and caps below what is open. */
        snprintf(peers, sizeof(peers), "%s", id_of(s->r.b));
        s->cfg.n_classes = 3;
        if (i % 2 == 0)
            set(s, "class.other.peers", peers);
        set(s, "circuit.max", i % 3 == 0 ? "1" : "100");
        set(s, "reservation.max", i % 3 == 1 ? "1" : "100");
        set(s, "class.anonymous.circuit_bytes", i % 2 == 0 ? "1KiB" : "0");
        reload(s);
    }
    assert_int_equal(s->r.outcome, ADIT_OK);
    assert_int_equal(s->r.n_lost, 0);
    sim_cut(&s->r.w, s->r.a);
    pass(s, 5 * ADIT_S);
    end(s);
}

static bool
somebody_waits(void *ctx)
{
    struct stage *s = ctx;

    return relay(s)->n_waiting > 0;
}

/* Who waits for the admission service while that is taken away is judged by
 * the new classes, and counted in them. */
static void
test_reload_while_admission_is_asked(void **state)
{
    struct stage *s = begin(12, RELAYED);
    char peers[ADIT_OPT_TEXT_BYTES];
    struct adit_relay_peer_info info;

    (void)state;
    set(s, "admission.url", FAKE_SILENT);
    set(s, "class.gold.peers", "");
    reload(s);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, somebody_waits, s));
    snprintf(peers, sizeof(peers), "%s", id_of(s->r.b));
    s->cfg.n_classes = 3;
    set(s, "admission.url", "");
    set(s, "class.tin.peers", "");
    set(s, "class.gold.peers", peers);
    reload(s);
    assert_int_equal(relay(s)->n_waiting, 0);
    reserved(s);
    assert_int_equal(adit_rsvp_n_of(relay(s)->table, 4), 1);
    assert_true(adit_relay_peer(relay(s), &s->r.b->identity.id, &info));
    assert_string_equal(info.class_name, "gold");
    end(s);
}

static void
test_a_bad_configuration_says_why(void **state)
{
    static const struct {
        const char *why, *name, *value, *said;
    } cases[] = {
        { "no such class", "class.listed.over_quota", "lsited", "over_quota" },
        { "itself", "class.listed.over_quota", "listed", "over_quota" },
        { "a class to dial", "class.listed.may_dial", "any, nobody",
          "'nobody'" },
        { "no peer id", "class.listed.peers", "12D3KooX", "12D3KooX" },
        { "no subnet", "class.listed.subnets", "10.0.0.0/33", "10.0.0.0/33" },
        { "half a second", "class.listed.circuit_duration", "1500ms",
          "whole seconds" },
        { "no file", "access.allow_file", "/nowhere/at/all", "/nowhere" },
        { "systems without their file", "class.listed.asns", "64500",
          "asn.file" },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_node_config *cfg = calloc(1, sizeof(*cfg));
        char why[ADIT_NODE_WHY_BYTES] = "", set_why[ADIT_OPT_WHY_BYTES];

        print_message("%s\n", cases[i].why);
        sim_defaults(cfg);
        cfg->relay_enabled = true;
        assert_int_equal(
            adit_node_config_set(cfg, cases[i].name, cases[i].value, set_why),
            ADIT_OK);
        assert_int_not_equal(adit_node_check(cfg, why), ADIT_OK);
        assert_non_null(strstr(why, cases[i].said));
        free(cfg);
    }
}

/* Words that a header may carry, and one that it may not. */
static void
test_a_token(void **state)
{
    static const struct {
        const char *why, *text;
        bool is_fine;
    } cases[] = {
        { "a word", "s3cret\n", true },
        { "two", "s3cret word\n", false },
        { "none", "\n", false },
        { "beyond ASCII",
          "s\xc3\xa9"
          "cret\n",
          false },
        { "a control character",
          "s3\x01"
          "cret\n",
          false },
    };

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct adit_node_config *cfg = calloc(1, sizeof(*cfg));
        char why[ADIT_NODE_WHY_BYTES] = "", set_why[ADIT_OPT_WHY_BYTES];
        char path[] = "/tmp/adit-token-XXXXXX";
        int fd = mkstemp(path);
        size_t n = strlen(cases[i].text);

        print_message("%s\n", cases[i].why);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, cases[i].text, n), n);
        close(fd);
        sim_defaults(cfg);
        cfg->relay_enabled = true;
        assert_int_equal(
            adit_node_config_set(cfg, "admission.token_file", path, set_why),
            ADIT_OK);
        assert_int_equal(adit_node_check(cfg, why) == ADIT_OK,
                         cases[i].is_fine);
        if (!cases[i].is_fine)
            assert_non_null(strstr(why, "admission.token_file"));
        unlink(path);
        free(cfg);
    }
}

/* ---- a drain -------------------------------------------------------------------- */

static void
test_drain(void **state)
{
    struct stage *s = begin(10, 4000000);
    struct raw *v, *late;

    (void)state;
    set(s, "class.anonymous.circuit_bytes", "0");
    set(s, "drain.every", "100ms");
    set(s, "drain.deadline", "1h");
    reload(s);
    reserved(s);
    v = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(v, raw_reserve(v)), OK);
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));

    adit_relay_drain(relay(s));
    assert_int_equal(metric(s, ADIT_M_DRAINING), 1);
    assert_true(raw_wait_over(v, ADIT_S)); /* reserved, without a circuit */
    raw_free(v, false);
    late = raw_ready(&s->kit, s->r.relay, 7);
    assert_int_equal(raw_wait(late, raw_reserve(late)), REFUSED);
    assert_int_equal(raw_wait(late, raw_connect(late, &s->r.b->identity.id)),
                     REFUSED);
    raw_free(late, false);
    assert_int_equal(adit_relay_drain_state(relay(s)), ADIT_DRAIN_ON);
    assert_true(sim_run(&s->r.w, 600 * ADIT_S, run_is_over, &s->r));
    assert_int_equal(s->r.outcome, ADIT_OK); /* the circuit came to its end */
    sim_cut(&s->r.w, s->r.a);
    pass(s, 5 * ADIT_S);
    assert_int_equal(adit_relay_drain_state(relay(s)), ADIT_DRAIN_DONE);
    assert_int_equal(adit_relay_n_reservations(relay(s)), 0);

    adit_relay_undrain(relay(s));
    s->r.reserved = false;
    assert_true(sim_run(&s->r.w, 600 * ADIT_S, run_is_reserved, &s->r));
    end(s);
}

static void
test_drain_has_a_deadline(void **state)
{
    struct stage *s = begin(11, SIZE_MAX / 2);

    (void)state;
    set(s, "class.anonymous.circuit_bytes", "0");
    set(s, "class.anonymous.circuit_duration", "0");
    set(s, "drain.deadline", "20s");
    reload(s);
    reserved(s);
    assert_true(run_dial(&s->r));
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, has_circuit, s));
    adit_relay_drain(relay(s));
    pass(s, 15 * ADIT_S);
    assert_false(run_is_over(&s->r));
    assert_true(sim_run(&s->r.w, 10 * ADIT_S, run_is_over, &s->r));
    pass(s, ADIT_S);
    assert_int_equal(adit_relay_n_circuits(relay(s)), 0);
    assert_int_equal(adit_relay_drain_state(relay(s)), ADIT_DRAIN_DONE);
    end(s);
}

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    bool *is_done = ctx;

    (void)why;
    assert_int_equal(e, ADIT_OK);
    assert_non_null(hc);
    *is_done = true;
}

static bool
is_set(void *ctx)
{
    return *(bool *)ctx;
}

static void
on_reserved(void *ctx, struct adit_reserve *x, bool renewed)
{
    (void)x;
    (void)renewed;
    *(bool *)ctx = true;
}

static void
on_lost(void *ctx, struct adit_reserve *x, adit_err why, uint32_t status,
        const char *text, int64_t retry_us)
{
    (void)ctx;
    (void)x;
    (void)why;
    (void)status;
    (void)text;
    (void)retry_us;
}

static const struct adit_reserve_events reserve_events = { on_reserved,
                                                           on_lost };

/* `of` reserves at `at`. */
static struct adit_reserve *
reserve_at(struct stage *s, struct sim_node *of, struct sim_node *at)
{
    struct adit_reserve *x;
    bool is_done = false;

    assert_int_equal(adit_reserve_new(sim_host(of), &at->addr, 1,
                                      &reserve_events, &is_done, &x),
                     ADIT_OK);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, is_set, &is_done));
    return x;
}

/* A relay that is a client of another, which is one of its own: with the
 * reserved connection the circuit over it goes. */
static void
test_drain_of_one_who_dials(void **state)
{
    struct stage *s = begin(19, RELAYED);
    struct sim_node *other = sim_add(&s->r.w, &s->cfg);
    struct adit_maddr to = other->addr;
    struct adit_connect_config cc = { .peer = s->r.a->identity.id,
                                      .addrs = &to,
                                      .n = 1,
                                      .mode = ADIT_CONNECT_ANY,
                                      .timeout_us = 60 * ADIT_S };
    struct adit_connect *connect;
    struct adit_reserve *mine, *its;
    bool is_done = false;

    (void)state;
    sim_cut(&s->r.w, s->r.b);
    mine = reserve_at(s, s->r.a, other);
    assert_int_equal(
        adit_maddr_push(&to, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE), ADIT_OK);
    assert_int_equal(adit_maddr_push(&to, ADIT_MA_P2P,
                                     adit_peerid_bytes(&s->r.a->identity.id)),
                     ADIT_OK);
    assert_int_equal(adit_connect_start(sim_host(s->r.relay), &cc,
                                        on_connected, &is_done, &connect),
                     ADIT_OK);
    assert_true(sim_run(&s->r.w, 60 * ADIT_S, is_set, &is_done));
    its = reserve_at(s, other, s->r.relay);
    adit_relay_drain(relay(s));
    pass(s, 60 * ADIT_S);
    assert_int_equal(adit_relay_drain_state(relay(s)), ADIT_DRAIN_DONE);
    assert_int_equal(adit_relay_n_reservations(relay(s)), 0);
    adit_reserve_free(mine);
    adit_reserve_free(its);
    end(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_are_told_by_class),
        cmocka_unit_test(test_unlimited_may_announce),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_the_operator_has_the_last_word),
        cmocka_unit_test(test_requests_per_hour),
        cmocka_unit_test(test_a_networks_hour_is_its_strangers),
        cmocka_unit_test(test_quota_refuses_until_midnight),
        cmocka_unit_test(test_quota_ends_a_circuit),
        cmocka_unit_test(test_quota_falls_to_another_class),
        cmocka_unit_test(test_reload_loses_no_circuit),
        cmocka_unit_test(test_reload_while_admission_is_asked),
        cmocka_unit_test(test_quota_falls_under_a_circuit),
        cmocka_unit_test(test_what_is_shown_of_a_day),
        cmocka_unit_test(test_refusals_of_strangers_are_bounded),
        cmocka_unit_test(test_without_grace_it_is_counted),
        cmocka_unit_test(test_words_that_are_over),
        cmocka_unit_test(test_a_ban_that_is_read_late),
        cmocka_unit_test(test_his_class_is_whole),
        cmocka_unit_test(test_a_bad_configuration_says_why),
        cmocka_unit_test(test_a_token),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_one_who_dials),
        cmocka_unit_test(test_drain_has_a_deadline),
    };

    return cmocka_run_group_tests_name("sim/classes", tests, NULL, NULL);
}
