/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Questions to an admission service that is a server in this program. */
#include "../loop/httpd.h"

#include "host/admission.h"

#define MAX_ASKS (ADIT_ADMISSION_MAX_WAITING + 8)

struct world;

struct ask {
    struct world *x;
    struct adit_admission_op *op;
    unsigned n_told;
    struct adit_admission_answer got;
};

struct world {
    struct rig r;
    struct httpd d;
    struct adit_metrics m;
    struct adit_admission *a;
    struct ask v[MAX_ASKS];
    unsigned n_asks, n_told;
    const char *status, *body; /* what the service says */
    struct httpd_conn *held;
    bool holds; /* it says nothing */
    bool in_ask;
    bool stops;        /* and the test is told when it was asked */
    bool frees;        /* the first answer frees the admission */
    struct ask *kills; /* the first answer cancels this one */
};

static void
on_request(struct httpd_conn *c)
{
    struct world *x = c->d->ctx;

    x->held = c;
    if (x->stops)
        rig_done(&x->r);
    if (!x->holds)
        httpd_answer(c, x->status, x->body);
}

static void
told(void *ctx, const struct adit_admission_answer *got)
{
    struct ask *k = ctx;
    struct world *x = k->x;

    k->n_told++;
    k->got = *got;
    k->op = NULL;
    x->n_told++;
    if (x->kills != NULL) {
        adit_admission_cancel(x->kills->op);
        x->kills = NULL;
        x->n_told++;
    }
    if (x->frees) {
        x->frees = false;
        adit_admission_free(x->a);
        x->a = NULL;
    }
    if (x->n_told == x->n_asks && !x->in_ask)
        rig_done(&x->r);
}

static void
make(struct world *x, int64_t timeout_us, int64_t cache_us)
{
    char url[64];
    struct adit_admission_config cfg = {
        .url = url,
        .timeout_us = timeout_us,
        .cache_us = cache_us,
        .metrics = &x->m,
    };

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/may", (unsigned)x->d.port);
    assert_int_equal(adit_admission_new(x->r.w, &cfg, &x->a), ADIT_OK);
}

static void
begin(struct world *x, int64_t cache_us)
{
    memset(x, 0, sizeof(*x));
    x->status = "200 OK";
    x->body = "{\"allow\":true}";
    rig_init(&x->r, ADIT_WORKER_OWN);
    httpd_init(&x->d, &x->r, on_request, x);
    make(x, 10 * ADIT_S, cache_us);
}

static void
end(struct world *x)
{
    adit_admission_free(x->a);
    httpd_shut(&x->d);
    rig_fini(&x->r);
}

static struct adit_peerid
peer(uint32_t i)
{
    uint8_t msg[36] = { 8, 1, 18, 32 };
    struct adit_peerid id;

    adit_put_be32(msg + 4, i);
    adit_peerid_of_key(adit_slice(msg, sizeof(msg)), &id);
    return id;
}

static struct adit_endpoint
from(uint8_t last, uint16_t port)
{
    uint8_t ip[4] = { 192, 0, 2, last };
    struct adit_endpoint e;

    assert_int_equal(adit_endpoint_of_ip(adit_slice(ip, 4), port, &e),
                     ADIT_OK);
    return e;
}

static struct ask *
ask_q(struct world *x, const struct adit_admission_question *q)
{
    struct ask *k = &x->v[x->n_asks++];
    struct adit_admission_op *op = (void *)x;

    assert_true(x->n_asks <= MAX_ASKS);
    k->x = x;
    x->in_ask = true;
    adit_admission_ask(x->a, q, told, k, &op);
    x->in_ask = false;
    assert_int_equal(op == NULL, k->n_told == 1);
    k->op = op;
    return k;
}

/* May peer `i` reserve? */
static struct ask *
ask(struct world *x, uint32_t i)
{
    struct adit_admission_question q = {
        .peer = peer(i),
        .remote = from(1, 4001),
    };

    return ask_q(x, &q);
}

static uint64_t
count(const struct world *x, enum adit_metric i)
{
    return adit_metric_get(&x->m, i);
}

/* ---- what is asked ------------------------------------------------------ */

static void
test_question(void **state)
{
    char a[ADIT_PEERID_TEXT_BYTES], b[ADIT_PEERID_TEXT_BYTES], want[400];
    struct adit_admission_question q = { .peer = peer(1), .dst = peer(2) };
    uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
    struct world x;

    (void)state;
    begin(&x, 0);
    x.stops = true;
    adit_peerid_format(&q.peer, a);
    adit_peerid_format(&q.dst, b);
    q.remote = from(7, 4001);
    ask_q(&x, &q);
    rig_run(&x.r);
    snprintf(want, sizeof(want),
             "{\"role\":\"reserve\",\"peer\":\"%s\",\"addr\":\"192.0.2.7\"}",
             a);
    assert_string_equal(httpd_body(x.held), want);
    rig_run(&x.r);

    q.is_dial = true;
    assert_int_equal(adit_endpoint_of_ip(adit_slice(ip6, 16), 1, &q.remote),
                     ADIT_OK);
    ask_q(&x, &q);
    rig_run(&x.r);
    snprintf(want, sizeof(want),
             "{\"role\":\"dial\",\"peer\":\"%s\",\"addr\":\"2001:db8::1\","
             "\"dst\":\"%s\"}",
             a, b);
    assert_string_equal(httpd_body(x.held), want);
    end(&x);
}

/* ---- what is answered --------------------------------------------------- */

#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *why, *status, *body;
    bool failed, allow;
    const char *class_name, *reason;
    uint32_t s;
    uint64_t bytes, bytes_s;
} answers[] = {
    { "yes", "200 OK", "{\"allow\":true}", false, true, "", "", 0, 0, 0 },
    { "no", "200 OK", "{\"allow\":false,\"reason\":\"owes us\"}", false, false,
      "", "owes us", 0, 0, 0 },
    { "all of it", "200 OK",
      "{\"allow\":true,\"class\":\"gold\",\"reason\":\"paid\",\"ttl_s\":5,"
      "\"limits\":{\"circuit_bytes\":1048576,\"circuit_s\":60,"
      "\"circuit_bytes_s\":4096}}",
      false, true, "gold", "paid", 60, 1048576, 4096 },
    { "members of tomorrow", "200 OK",
      "{\"allow\":true,\"colour\":[1,{}],\"limits\":{\"new\":null}}", false,
      true, "", "", 0, 0, 0 },
    { "403", "403 Forbidden", "", false, false, "", "", 0, 0, 0 },
    { "403 that says why", "403 Forbidden",
      "{\"allow\":false,\"reason\":\"owes us\"}", false, false, "", "owes us",
      0, 0, 0 },
    { "403 that says yes is a no", "403 Forbidden",
      "{\"allow\":true,\"class\":\"gold\"}", false, false, "", "", 0, 0, 0 },
    { "a long reason is cut", "200 OK",
      "{\"allow\":false,\"reason\":\"" X32 X32 X32 X32 "\"}", false, false, "",
      X32 X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0, 0, 0 },
    { "500", "500 Internal Server Error", "{\"allow\":true}", true, false, "",
      "status 500", 0, 0, 0 },
    { "401", "401 Unauthorized", "", true, false, "", "status 401", 0, 0, 0 },
    { "a redirect", "302 Found", "{\"allow\":true}", true, false, "",
      "status 302", 0, 0, 0 },
    { "201", "201 Created", "{\"allow\":true}", true, false, "", "status 201",
      0, 0, 0 },
    { "empty", "200 OK", "", true, false, "", "not JSON", 0, 0, 0 },
    { "not JSON", "200 OK", "<html>yes</html>", true, false, "", "not JSON", 0,
      0, 0 },
    { "cut JSON", "200 OK", "{\"allow\":true", true, false, "", "not JSON", 0,
      0, 0 },
    { "JSON and more", "200 OK", "{\"allow\":true}{}", true, false, "",
      "not JSON", 0, 0, 0 },
    { "said twice", "200 OK", "{\"allow\":false,\"allow\":true}", true, false,
      "", "not JSON", 0, 0, 0 },
    { "a list", "200 OK", "[true]", true, false, "", "no object", 0, 0, 0 },
    { "no allow", "200 OK", "{\"class\":\"gold\"}", true, false, "",
      "\"allow\" is neither true nor false", 0, 0, 0 },
    { "allow is text", "200 OK", "{\"allow\":\"true\"}", true, false, "",
      "\"allow\" is neither true nor false", 0, 0, 0 },
    { "class is a number", "200 OK", "{\"allow\":true,\"class\":1}", true,
      false, "", "\"class\" is no name of a class", 0, 0, 0 },
    { "class is too long", "200 OK", "{\"allow\":true,\"class\":\"" X32 "\"}",
      true, false, "", "\"class\" is no name of a class", 0, 0, 0 },
    { "reason is a number", "200 OK", "{\"allow\":true,\"reason\":1}", true,
      false, "", "\"reason\" is no text", 0, 0, 0 },
    { "ttl_s is negative", "200 OK", "{\"allow\":true,\"ttl_s\":-1}", true,
      false, "", "\"ttl_s\" is not 0 to 86400", 0, 0, 0 },
    { "ttl_s is too long", "200 OK", "{\"allow\":true,\"ttl_s\":86401}", true,
      false, "", "\"ttl_s\" is not 0 to 86400", 0, 0, 0 },
    { "limits is a number", "200 OK", "{\"allow\":true,\"limits\":1}", true,
      false, "", "\"limits\" is no object", 0, 0, 0 },
    { "a limit is text", "200 OK",
      "{\"allow\":true,\"limits\":{\"circuit_bytes\":\"1\"}}", true, false, "",
      "\"circuit_bytes\" is no count", 0, 0, 0 },
    { "a limit is a fraction", "200 OK",
      "{\"allow\":true,\"limits\":{\"circuit_s\":1.5}}", true, false, "",
      "\"circuit_s\" is no count", 0, 0, 0 },
    { "a limit is beyond its field", "200 OK",
      "{\"allow\":true,\"limits\":{\"circuit_s\":4294967296}}", true, false,
      "", "\"circuit_s\" is no count", 0, 0, 0 },
    { "a limit is beyond any number", "200 OK",
      "{\"allow\":true,\"limits\":{\"circuit_bytes\":99999999999999999999}}",
      true, false, "", "not JSON", 0, 0, 0 },
};

static void
test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        struct world x;
        struct ask *k;

        print_message("%s\n", answers[i].why);
        begin(&x, 0);
        x.status = answers[i].status;
        x.body = answers[i].body;
        k = ask(&x, 1);
        rig_run(&x.r);
        assert_int_equal(k->got.failed, answers[i].failed);
        assert_int_equal(k->got.allow, answers[i].allow);
        assert_string_equal(k->got.class_name, answers[i].class_name);
        assert_string_equal(k->got.reason, answers[i].reason);
        assert_int_equal(k->got.limits.duration_s, answers[i].s);
        assert_int_equal(k->got.limits.data_bytes, answers[i].bytes);
        assert_int_equal(k->got.limits.bytes_s, answers[i].bytes_s);
        assert_int_equal(count(&x, ADIT_M_ADMISSION_ASKED), 1);
        assert_int_equal(count(&x, ADIT_M_ADMISSION_FAILED),
                         answers[i].failed);
        assert_int_equal(x.r.n_lines, answers[i].failed);
        end(&x);
    }
}

/* ---- no answer ----------------------------------------------------------- */

static void
test_slow(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, ADIT_S);
    adit_admission_free(x.a);
    make(&x, 50 * ADIT_MS, ADIT_S);
    x.holds = true;
    for (uint32_t i = 0; i < 8; i++)
        ask(&x, i);
    rig_run(&x.r);
    for (int i = 0; i < 8; i++)
        assert_true(x.v[i].got.failed);
    assert_int_equal(count(&x, ADIT_M_ADMISSION_FAILED), 8);
    assert_int_equal(x.r.n_lines, 1); /* however many */
    /* It answers again: what failed was not kept. */
    x.holds = false;
    adit_admission_free(x.a);
    make(&x, 10 * ADIT_S, ADIT_S);
    k = ask(&x, 1);
    rig_run(&x.r);
    assert_true(k->got.allow);
    end(&x);
}

static void
test_gone(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, 10 * ADIT_S);
    httpd_shut(&x.d);
    k = ask(&x, 1);
    rig_run(&x.r);
    assert_true(k->got.failed);
    assert_false(k->got.allow);
    assert_string_equal(k->got.reason, adit_err_text(ADIT_EUNREACHABLE));
    httpd_open(&x.d);
    k = ask(&x, 1);
    rig_run(&x.r);
    assert_true(k->got.allow);
    end(&x);
}

static void
test_huge(void **state)
{
    static char body[ADIT_ADMISSION_MAX_BYTES + 100];
    struct world x;
    struct ask *k;
    char head[64];

    (void)state;
    begin(&x, 10 * ADIT_S);
    x.holds = x.stops = true;
    for (int over = 0; over <= 1; over++) {
        size_t n = ADIT_ADMISSION_MAX_BYTES + (size_t)over;

        k = ask(&x, (uint32_t)over);
        rig_run(&x.r);
        memset(body, ' ', n);
        memcpy(body, "{\"allow\":true}", 14);
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
        httpd_say(x.held, head, strlen(head));
        httpd_say(x.held, body, n);
        rig_run(&x.r);
        assert_int_equal(k->got.failed, over);
        assert_int_equal(k->got.allow, !over);
    }
    end(&x);
}

/* ---- kept, shared -------------------------------------------------------- */

static const struct {
    const char *why;
    bool is_dial;
    uint32_t peer, dst;
    uint8_t ip;
    uint16_t port;
    bool is_cached;
} keys[] = {
    { "first", false, 1, 0, 1, 1, false },
    { "the same", false, 1, 0, 1, 1, true },
    { "another port", false, 1, 0, 1, 2, true },
    { "another address", false, 1, 0, 2, 1, false },
    { "another peer", false, 2, 0, 1, 1, false },
    { "another role", true, 1, 0, 1, 1, false },
    { "the destination of a reservation means nothing", false, 1, 9, 1, 1,
      true },
    { "another destination", true, 1, 2, 1, 1, false },
    { "the other way round", true, 2, 1, 1, 1, false },
    { "the dial again", true, 1, 2, 1, 7, true },
};

static void
test_keys(void **state)
{
    struct world x;
    uint64_t n_cached = 0;

    (void)state;
    begin(&x, 600 * ADIT_S);
    for (size_t i = 0; i < ADIT_NITEMS(keys); i++) {
        struct adit_admission_question q = {
            .is_dial = keys[i].is_dial,
            .peer = peer(keys[i].peer),
            .dst = peer(keys[i].dst),
            .remote = from(keys[i].ip, keys[i].port),
        };
        struct ask *k;

        print_message("%s\n", keys[i].why);
        k = ask_q(&x, &q);
        assert_int_equal(k->n_told, keys[i].is_cached);
        n_cached += keys[i].is_cached;
        if (!keys[i].is_cached)
            rig_run(&x.r);
        assert_true(k->got.allow);
    }
    assert_int_equal(count(&x, ADIT_M_ADMISSION_CACHED), n_cached);
    assert_int_equal(count(&x, ADIT_M_ADMISSION_ASKED),
                     ADIT_NITEMS(keys) - n_cached);
    assert_int_equal(x.d.n_asked, ADIT_NITEMS(keys) - n_cached);
    end(&x);
}

static const struct {
    const char *why, *body;
    int64_t cache_us;
    bool is_kept;
} kept[] = {
    { "a no is kept", "{\"allow\":false,\"reason\":\"r\"}", 600 * ADIT_S,
      true },
    { "its own ttl", "{\"allow\":true,\"ttl_s\":600}", 0, true },
    { "its own ttl is none", "{\"allow\":true,\"ttl_s\":0}", 600 * ADIT_S,
      false },
    { "nothing is kept", "{\"allow\":true}", 0, false },
    { "a failure is not", "{\"allow\":1,\"ttl_s\":600}", 600 * ADIT_S, false },
    { "it has expired", "{\"allow\":true}", 1, false },
};

static void
test_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(kept); i++) {
        struct world x;
        struct ask *a, *b;

        print_message("%s\n", kept[i].why);
        begin(&x, kept[i].cache_us);
        x.body = kept[i].body;
        a = ask(&x, 1);
        rig_run(&x.r);
        b = ask(&x, 1);
        assert_int_equal(b->n_told, kept[i].is_kept);
        if (!kept[i].is_kept)
            rig_run(&x.r);
        assert_memory_equal(&a->got, &b->got, sizeof(a->got));
        assert_int_equal(x.d.n_asked, kept[i].is_kept ? 1 : 2);
        end(&x);
    }
}

/* The one that was asked for longest ago makes room; memory is bounded. */
static void
test_cache_is_bounded(void **state)
{
    static struct world x;
    size_t used = 0;

    (void)state;
    begin(&x, 600 * ADIT_S);
    for (uint32_t i = 0; i < ADIT_ADMISSION_MAX_CACHED + 200; i++) {
        x.n_asks = x.n_told = 0;
        memset(&x.v[0], 0, sizeof(x.v[0]));
        ask(&x, i);
        rig_run(&x.r);
        x.n_asks = x.n_told = 0;
        memset(&x.v[0], 0, sizeof(x.v[0]));
        ask(&x, 0); /* used again and again */
        assert_int_equal(x.v[0].n_told, 1);
        if (i == ADIT_ADMISSION_MAX_CACHED)
            used = x.r.mem.used_bytes;
    }
    assert_true(x.r.mem.used_bytes <= used);
    assert_int_equal(x.d.n_asked, ADIT_ADMISSION_MAX_CACHED + 200);
    end(&x);
}

static void
test_shared(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, 0);
    x.holds = x.stops = true;
    for (int i = 0; i < 50; i++)
        ask(&x, 1);
    rig_run(&x.r);
    adit_admission_cancel(x.v[3].op);
    adit_admission_cancel(NULL);
    x.n_told++;
    x.kills = &x.v[5]; /* from inside the first one's fn */
    httpd_answer(x.held, "200 OK", "{\"allow\":true}");
    rig_run(&x.r);
    for (int i = 0; i < 50; i++)
        assert_int_equal(x.v[i].n_told, i != 3 && i != 5);
    assert_int_equal(x.d.n_asked, 1);
    assert_int_equal(count(&x, ADIT_M_ADMISSION_ASKED), 1);
    assert_int_equal(count(&x, ADIT_M_ADMISSION_CACHED), 49);
    /* All who waited gave up: the answer is for the next one. */
    adit_admission_free(x.a);
    make(&x, 10 * ADIT_S, 600 * ADIT_S);
    k = ask(&x, 2);
    rig_run(&x.r);
    adit_admission_cancel(k->op);
    x.n_told++;
    httpd_answer(x.held, "200 OK", "{\"allow\":true}");
    x.stops = x.holds = false;
    ask(&x, 3);
    rig_run(&x.r);
    k = ask(&x, 2);
    assert_int_equal(k->n_told, 1);
    assert_true(k->got.allow);
    end(&x);
}

/* ---- bounds, and the end -------------------------------------------------- */

static void
test_bounds(void **state)
{
    static struct world x;
    struct ask *k;

    (void)state;
    begin(&x, 0);
    x.holds = true;
    for (uint32_t i = 0; i < ADIT_ADMISSION_MAX_ASKING; i++)
        assert_int_equal(ask(&x, i)->n_told, 0);
    k = ask(&x, 100000);
    assert_int_equal(k->n_told, 1);
    assert_true(k->got.failed);
    /* Shared ones cost no question, but memory. */
    while (x.n_asks < ADIT_ADMISSION_MAX_WAITING + 1)
        assert_int_equal(ask(&x, 1)->n_told, 0);
    k = ask(&x, 1);
    assert_int_equal(k->n_told, 1);
    assert_true(k->got.failed);
    assert_int_equal(count(&x, ADIT_M_ADMISSION_FAILED), 2);
    end(&x); /* tells all */
    assert_int_equal(x.n_told, x.n_asks);
    for (unsigned i = 0; i < x.n_asks; i++) {
        assert_int_equal(x.v[i].n_told, 1);
        assert_true(x.v[i].got.failed);
    }
}

static void
test_freed_in_fn(void **state)
{
    struct world x;

    (void)state;
    begin(&x, ADIT_S);
    x.frees = true;
    for (uint32_t i = 0; i < 20; i++)
        ask(&x, i / 2);
    rig_run(&x.r);
    assert_null(x.a);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(x.v[i].n_told, 1);
    end(&x);
}

static void
test_oom(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct world x;
        struct ask *k;

        begin(&x, ADIT_S);
        x.r.mem.fail_at = x.r.mem.n_allocs + n;
        x.r.mem.fail_once = true;
        k = ask(&x, 1);
        if (k->n_told == 0)
            rig_run(&x.r);
        assert_int_equal(k->n_told, 1);
        assert_int_equal(k->got.allow, !k->got.failed);
        x.r.mem.fail_at = 0;
        end(&x);
    }
}

static void
test_made(void **state)
{
    struct adit_metrics m = { 0 };
    struct adit_admission_config cfg = { .metrics = &m };
    char why[ADIT_ADMISSION_WHY_BYTES] = "";
    struct adit_admission *a = NULL;
    struct rig r;

    (void)state;
    assert_int_equal(adit_admission_check("http://a.example/x", why), ADIT_OK);
    assert_string_equal(why, "");
    assert_int_equal(adit_admission_check("https://a/", why), ADIT_EINVAL);
    assert_true(strlen(why) > 10);
    rig_init(&r, ADIT_WORKER_HAND);
    cfg.url = "http://a.example/x";
    assert_int_equal(adit_admission_new(r.w, &cfg, &a), ADIT_EUNSUPPORTED);
    cfg.url = "nonsense";
    assert_int_equal(adit_admission_new(r.w, &cfg, &a), ADIT_EINVAL);
    adit_admission_free(NULL);
    rig_fini(&r);
    rig_init(&r, ADIT_WORKER_OWN);
    cfg.url = "http://a.example/x";
    cfg.token = "two words";
    assert_int_equal(adit_admission_new(r.w, &cfg, &a), ADIT_EINVAL);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_freed_in_fn),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
