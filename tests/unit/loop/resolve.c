/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "dnsd.h"

#include "loop/resolve.h"

#define LONG_LABEL                                                            \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"

static const struct dns_row rows[] = {
    { "two.example", DNS_A, "192.0.2.1" },
    { "two.example", DNS_A, "192.0.2.2" },
    { "two.example", DNS_AAAA, "2001:db8::7" },
    { "_dnsaddr.two.example", DNS_TXT, "dnsaddr=/ip4/1.2.3.4/tcp/1" },
    { "_dnsaddr.two.example", DNS_TXT, "something else" },
    { "v4.example", DNS_A, "192.0.2.4" },
    { "many.example", DNS_MANY, NULL },
    { "long.example", DNS_LONG, NULL },
    { "garbage.example", DNS_GARBAGE, NULL },
    { "broken.example", DNS_SERVFAIL, NULL },
    { "silent.example", DNS_SILENT, NULL },
    { LONG_LABEL, DNS_A, "192.0.2.9" },
    { NULL, 0, NULL },
};

struct got {
    struct rig *r;
    unsigned n_calls;
    adit_err err;
    size_t n;
    char text[2048]; /* of all answers, " " between */
};

static void
on_answer(void *ctx, adit_err e, const struct adit_resolve_answer *a)
{
    struct got *g = ctx;
    size_t at = 0;

    g->n_calls++;
    g->err = e;
    g->n = a->n;
    if (e != ADIT_OK)
        assert_int_equal(a->n, 0);
    for (size_t i = 0; i < a->n; i++) {
        char ip[INET6_ADDRSTRLEN];

        if (at > 0)
            g->text[at++] = ' ';
        if ((a->v[i].n == 4 || a->v[i].n == 16) && a->v[i].p[0] != 's') {
            inet_ntop(a->v[i].n == 4 ? AF_INET : AF_INET6, a->v[i].p, ip,
                      sizeof(ip));
            memcpy(g->text + at, ip, strlen(ip));
            at += strlen(ip);
        } else {
            assert_true(a->v[i].n < sizeof(g->text) - at - 1);
            memcpy(g->text + at, a->v[i].p, a->v[i].n);
            at += a->v[i].n;
        }
    }
    g->text[at] = '\0';
    rig_done(g->r);
}

static struct adit_instant
in_us(struct rig *r, int64_t us)
{
    return adit_instant_add(adit_worker_now(r->w), us);
}

static const struct {
    const char *why;
    enum adit_resolve_what what;
    const char *name;
    adit_err want;
    size_t n;
    const char *text; /* NULL: not looked at */
} cases[] = {
    { "IPv4", ADIT_RESOLVE_IP4, "two.example", ADIT_OK, 2,
      "192.0.2.1 192.0.2.2" },
    { "IPv6", ADIT_RESOLVE_IP6, "two.example", ADIT_OK, 1, "2001:db8::7" },
    { "a name of upper case", ADIT_RESOLVE_IP6, "TWO.Example", ADIT_OK, 1,
      "2001:db8::7" },
    { "texts", ADIT_RESOLVE_TEXT, "_dnsaddr.two.example", ADIT_OK, 2,
      "dnsaddr=/ip4/1.2.3.4/tcp/1 something else" },
    { "no such name", ADIT_RESOLVE_IP4, "none.example", ADIT_ERESOLVE, 0,
      NULL },
    { "no such text", ADIT_RESOLVE_TEXT, "none.example", ADIT_ERESOLVE, 0,
      NULL },
    { "nothing of the kind", ADIT_RESOLVE_IP6, "v4.example", ADIT_ERESOLVE, 0,
      NULL },
    { "no text of it", ADIT_RESOLVE_TEXT, "v4.example", ADIT_ERESOLVE, 0,
      NULL },
    { "many addresses are cut", ADIT_RESOLVE_IP4, "many.example", ADIT_OK,
      ADIT_RESOLVE_MAX_ADDRS, NULL },
    { "many of IPv6 too", ADIT_RESOLVE_IP6, "many.example", ADIT_OK,
      ADIT_RESOLVE_MAX_ADDRS, NULL },
    { "many texts are cut", ADIT_RESOLVE_TEXT, "many.example", ADIT_OK,
      ADIT_RESOLVE_MAX_TEXTS, NULL },
    { "strings joined, too long left out", ADIT_RESOLVE_TEXT, "long.example",
      ADIT_OK, 1, NULL },
    { "garbage for an address", ADIT_RESOLVE_IP4, "garbage.example",
      ADIT_ERESOLVE, 0, NULL },
    { "garbage for a text", ADIT_RESOLVE_TEXT, "garbage.example",
      ADIT_ERESOLVE, 0, NULL },
    { "servers that fail", ADIT_RESOLVE_TEXT, "broken.example", ADIT_ERESOLVE,
      0, NULL },
    { "a label of 62", ADIT_RESOLVE_IP4, LONG_LABEL, ADIT_OK, 1, "192.0.2.9" },
    { "an address is its own name", ADIT_RESOLVE_IP4, "192.0.2.77", ADIT_OK, 1,
      "192.0.2.77" },
};

static void
answers(struct rig *r)
{
    struct dnsd d;
    struct adit_resolver *res;
    struct adit_resolver_config cfg;

    dnsd_init(&d, r, rows);
    cfg.servers = d.servers;
    assert_int_equal(adit_resolver_new(r->w, &cfg, &res), ADIT_OK);
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct got g = { .r = r };
        struct adit_resolve *q;

        print_message("%s\n", cases[i].why);
        assert_int_equal(adit_resolve_start(
                             res, cases[i].what, adit_slice_str(cases[i].name),
                             in_us(r, 15 * ADIT_S), on_answer, &g, &q),
                         ADIT_OK);
        assert_int_equal(g.n_calls, 0); /* never inside _start */
        rig_run(r);
        assert_int_equal(g.n_calls, 1);
        assert_int_equal(g.err, cases[i].want);
        assert_int_equal(g.n, cases[i].n);
        if (cases[i].text != NULL)
            assert_string_equal(g.text, cases[i].text);
    }
    assert_true(d.n_asked_tcp > 0); /* the long ones */
    adit_resolver_free(res);
    dnsd_fini(&d);
}

static void
test_answers(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_LENT; k++) {
        struct rig r;

        rig_init(&r, (enum adit_worker_kind)k);
        answers(&r);
        rig_fini(&r);
    }
}

static void
test_deadline_and_cancel(void **state)
{
    struct rig r;
    struct dnsd d;
    struct adit_resolver *res;
    struct adit_resolver_config cfg;
    struct got late = { .r = &r }, given_up = { .r = &r }, held = { .r = &r };
    struct adit_resolve *q;
    adit_err e = ADIT_OK;
    unsigned n = 0;

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    dnsd_init(&d, &r, rows);
    cfg.servers = d.servers;
    assert_int_equal(adit_resolver_new(r.w, &cfg, &res), ADIT_OK);
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_IP4,
                                        adit_slice_str("silent.example"),
                                        in_us(&r, 20 * ADIT_MS), on_answer,
                                        &given_up, &q),
                     ADIT_OK);
    adit_resolve_cancel(q);
    adit_resolve_cancel(NULL);
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_TEXT,
                                        adit_slice_str("silent.example"),
                                        in_us(&r, 20 * ADIT_MS), on_answer,
                                        &late, &q),
                     ADIT_OK);
    rig_run(&r);
    assert_int_equal(late.err, ADIT_ETIMEDOUT);
    assert_int_equal(late.n_calls, 1);
    assert_int_equal(given_up.n_calls, 0);
    /* Answered at once, cancelled before it was told. */
    assert_int_equal(
        adit_resolve_start(res, ADIT_RESOLVE_IP4, adit_slice_str("192.0.2.77"),
                           in_us(&r, ADIT_S), on_answer, &given_up, &q),
        ADIT_OK);
    adit_resolve_cancel(q);
    /* Those given up count until c-ares lets go of them. */
    while (e == ADIT_OK && n <= ADIT_RESOLVE_MAX_QUERIES) {
        e = adit_resolve_start(res, ADIT_RESOLVE_TEXT,
                               adit_slice_str("silent.example"),
                               in_us(&r, 60 * ADIT_S), on_answer, &held, &q);
        n++;
    }
    assert_int_equal(e, ADIT_EFULL);
    adit_resolver_free(res);
    assert_int_equal(late.n_calls + given_up.n_calls + held.n_calls, 1);
    dnsd_fini(&d);
    rig_fini(&r);
}

static void
test_refused(void **state)
{
    static const char *const bad[] = { "",          "a b",         "a/b",
                                       "a\\.b",     "caf\xc3\xa9", "::1",
                                       "fe80::1%lo" };
    char longest[ADIT_RESOLVE_MAX_NAME_BYTES + 2];
    struct rig r;
    struct adit_resolver *res;
    struct adit_resolver_config cfg = { .servers = NULL };
    struct adit_resolve *q = NULL;
    struct got g = { .r = &r };

    (void)state;
    rig_init(&r, ADIT_WORKER_OWN);
    assert_int_equal(adit_resolver_new(r.w, &cfg, &res), ADIT_OK);
    for (size_t i = 0; i < ADIT_NITEMS(bad); i++)
        assert_int_equal(
            adit_resolve_start(res, ADIT_RESOLVE_IP4, adit_slice_str(bad[i]),
                               in_us(&r, ADIT_S), on_answer, &g, &q),
            ADIT_EINVAL);
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_IP4,
                                        adit_slice(longest, 254),
                                        in_us(&r, ADIT_S), on_answer, &g, &q),
                     ADIT_EINVAL);
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_IP4,
                                        adit_slice("a\0b", 3),
                                        in_us(&r, ADIT_S), on_answer, &g, &q),
                     ADIT_EINVAL);
    adit_resolver_free(res);
    adit_resolver_free(NULL);

    cfg.servers = "not an address";
    assert_int_equal(adit_resolver_new(r.w, &cfg, &res), ADIT_OK);
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_IP4,
                                        adit_slice_str("two.example"),
                                        in_us(&r, ADIT_S), on_answer, &g, &q),
                     ADIT_ERESOLVE);
    assert_null(q);
    adit_resolver_free(res);
    rig_fini(&r);

    rig_init(&r, ADIT_WORKER_HAND);
    cfg.servers = NULL;
    assert_int_equal(adit_resolver_new(r.w, &cfg, &res), ADIT_OK);
    assert_int_equal(adit_resolve_start(res, ADIT_RESOLVE_IP4,
                                        adit_slice_str("two.example"),
                                        in_us(&r, ADIT_S), on_answer, &g, &q),
                     ADIT_ERESOLVE);
    adit_resolver_free(res);
    rig_fini(&r);
    assert_int_equal(g.n_calls, 0);
}

/* The n-th allocation fails, n = 1, 2, ... until it passes. */
static void
test_without_memory(void **state)
{
    bool passed = false;

    (void)state;
    for (uint64_t nth = 1; !passed; nth++) {
        struct rig r;
        struct dnsd d;
        struct adit_resolver *res = NULL;
        struct adit_resolver_config cfg;
        struct adit_resolve *q;
        struct got g = { .r = &r };
        adit_err e;

        assert_true(nth < 50);
        rig_init(&r, ADIT_WORKER_OWN);
        dnsd_init(&d, &r, rows);
        cfg.servers = d.servers;
        /* The rig's own timer first, so that it never lacks memory. */
        assert_int_equal(adit_timer_set(r.w, &r.watchdog, in_us(&r, ADIT_S)),
                         ADIT_OK);
        r.mem.fail_at = r.mem.n_allocs + nth;
        e = adit_resolver_new(r.w, &cfg, &res);
        if (e == ADIT_OK)
            e = adit_resolve_start(res, ADIT_RESOLVE_TEXT,
                                   adit_slice_str("_dnsaddr.two.example"),
                                   in_us(&r, 50 * ADIT_MS), on_answer, &g, &q);
        if (e == ADIT_OK) {
            rig_run(&r);
            passed = g.err == ADIT_OK;
            assert_int_equal(g.n_calls, 1);
            /* A socket that could not be watched is a server that is mute. */
            assert_true(passed || g.err == ADIT_ENOMEM ||
                        g.err == ADIT_ETIMEDOUT);
        } else {
            assert_int_equal(e, ADIT_ENOMEM);
        }
        adit_resolver_free(res);
        dnsd_fini(&d);
        rig_fini(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_deadline_and_cancel),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
