/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The HTTP client, against a server in this very program. */
#include "httpd.h"

#include "dnsd.h"

#include "loop/http.h"

#define MAX_BYTES 1000

/* ---- the URL ----------------------------------------------------------- */

static const struct {
    const char *why, *url;
    bool is_good;
    const char *host;
    uint16_t port;
    const char *path;
} urls[] = {
    { "whole", "http://a.example:81/x?y=1", true, "a.example", 81, "/x?y=1" },
    { "the port is 80", "http://a.example/x", true, "a.example", 80, "/x" },
    { "no path", "http://a.example", true, "a.example", 80, "/" },
    { "IPv4", "http://192.0.2.1:8080/", true, "192.0.2.1", 8080, "/" },
    { "IPv6", "http://[2001:db8::1]:8080/a", true, "2001:db8::1", 8080, "/a" },
    { "IPv6, no port", "http://[::1]", true, "::1", 80, "/" },
    { "empty", "", false, NULL, 0, NULL },
    { "https", "https://a.example/", false, NULL, 0, NULL },
    { "no scheme", "a.example/x", false, NULL, 0, NULL },
    { "no host", "http:///x", false, NULL, 0, NULL },
    { "a port without host", "http://:80/x", false, NULL, 0, NULL },
    { "port 0", "http://a:0/", false, NULL, 0, NULL },
    { "port too large", "http://a:65536/", false, NULL, 0, NULL },
    { "port far too large", "http://a:99999999999999999999999/", false, NULL,
      0, NULL },
    { "no port behind the colon", "http://a:/", false, NULL, 0, NULL },
    { "a port with a letter", "http://a:8o/", false, NULL, 0, NULL },
    { "a user", "http://me:secret@a/", false, NULL, 0, NULL },
    { "a bracket not closed", "http://[::1/", false, NULL, 0, NULL },
    { "no address in brackets", "http://[a.example]/", false, NULL, 0, NULL },
    { "something behind the bracket", "http://[::1]x/", false, NULL, 0, NULL },
    { "a blank in the host", "http://a b/", false, NULL, 0, NULL },
    { "a line break in the path", "http://a/x\r\nX: y", false, NULL, 0, NULL },
    { "a blank in the path", "http://a/x y", false, NULL, 0, NULL },
    { "a fragment", "http://a/x#y", false, NULL, 0, NULL },
    { "a query without path", "http://a?x", false, NULL, 0, NULL },
    { "beyond ASCII", "http://a/\xc3\xa4", false, NULL, 0, NULL },
};

static void
test_url(void **state)
{
    char big[2000] = "http://a/";

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(urls); i++) {
        struct adit_http_url u = { .port = 7 };
        const char *why = "?";
        adit_err e = adit_http_url_parse(urls[i].url, &u, &why);

        print_message("%s\n", urls[i].why);
        assert_int_equal(e, urls[i].is_good ? ADIT_OK : ADIT_EINVAL);
        if (!urls[i].is_good) {
            assert_non_null(why);
            assert_int_equal(u.port, 7);
            continue;
        }
        assert_string_equal(u.host, urls[i].host);
        assert_int_equal(u.port, urls[i].port);
        assert_string_equal(u.path, urls[i].path);
    }
    for (size_t n = 1; n < sizeof(big); n++) {
        struct adit_http_url u;
        const char *why;

        memset(big + 9, 'x', n - 1);
        if (9 + n - 1 >= sizeof(big))
            break;
        big[9 + n - 1] = '\0';
        assert_int_equal(adit_http_url_parse(big, &u, &why) == ADIT_OK,
                         n < ADIT_HTTP_MAX_PATH_BYTES);
        memset(big + 7, 'x', n);
        big[7 + n] = '\0';
        assert_int_equal(adit_http_url_parse(big, &u, &why) == ADIT_OK,
                         n <= ADIT_RESOLVE_MAX_NAME_BYTES);
        big[8] = '/';
    }
}

/* ---- requests ---------------------------------------------------------- */

struct world;

/* A request of a test's. */
struct ask {
    struct world *x;
    struct adit_http_op *op;
    bool is_over;
    adit_err err;
    unsigned status;
    size_t n;
    char body[MAX_BYTES + 1];
};

struct world {
    struct rig r;
    struct httpd d;
    struct adit_http *h;
    struct ask v[64];
    unsigned n_asks, n_over;
    unsigned n_seen; /* by the server, for those that count */
    const char *raw; /* what raw_server says */
    size_t raw_n;
    struct httpd_conn *held[HTTPD_CONNS];
    unsigned n_held;
    bool free_in_fn;
};

static void
on_over(void *ctx, adit_err e, const struct adit_http_answer *a)
{
    struct ask *k = ctx;
    struct world *x = k->x;

    assert_false(k->is_over);
    k->is_over = true;
    k->err = e;
    k->status = a->status;
    k->n = a->body.n;
    assert_true(a->body.n <= MAX_BYTES);
    adit_copy(k->body, a->body);
    k->body[k->n] = '\0';
    if (x->free_in_fn) {
        adit_http_free(x->h);
        x->h = NULL;
        rig_done(&x->r);
    }
    if (++x->n_over == x->n_asks)
        rig_done(&x->r);
}

static struct ask *
ask(struct world *x, const char *body, int64_t in_us)
{
    struct ask *k = &x->v[x->n_asks++];

    k->x = x;
    assert_int_equal(
        adit_http_post(x->h, adit_slice_str(body),
                       adit_instant_add(adit_worker_now(x->r.w), in_us),
                       on_over, k, &k->op),
        ADIT_OK);
    assert_false(k->is_over); /* never inside this call */
    return k;
}

static void
client(struct world *x, const char *host, const char *token,
       const char *servers)
{
    struct adit_http_config cfg = {
        .token = token,
        .max_bytes = MAX_BYTES,
        .servers = servers,
    };
    char url[300];
    const char *why;

    snprintf(url, sizeof(url), "http://%s:%u/may?v=1", host,
             (unsigned)x->d.port);
    assert_int_equal(adit_http_url_parse(url, &cfg.url, &why), ADIT_OK);
    assert_int_equal(adit_http_new(x->r.w, &cfg, &x->h), ADIT_OK);
}

static void
begin(struct world *x, enum adit_worker_kind kind,
      void (*on_request)(struct httpd_conn *c))
{
    memset(x, 0, sizeof(*x));
    rig_init(&x->r, kind);
    httpd_init(&x->d, &x->r, on_request, x);
    client(x, "127.0.0.1", NULL, NULL);
}

static void
end(struct world *x)
{
    adit_http_free(x->h);
    httpd_shut(&x->d);
    rig_fini(&x->r);
}

/* Says back what it was told. */
static void
echo(struct httpd_conn *c)
{
    char body[1000];

    snprintf(body, sizeof(body), "%s", httpd_body(c));
    httpd_answer(c, "200 OK", body);
}

static void
test_ask(void **state)
{
    (void)state;
    for (int kind = ADIT_WORKER_OWN; kind <= ADIT_WORKER_LENT; kind++) {
        struct world x;
        struct ask *k;

        begin(&x, (enum adit_worker_kind)kind, echo);
        for (int i = 0; i < 3; i++) {
            k = ask(&x, "{\"a\":1}", 10 * ADIT_S);
            rig_run(&x.r);
            assert_int_equal(k->err, ADIT_OK);
            assert_int_equal(k->status, 200);
            assert_string_equal(k->body, "{\"a\":1}");
        }
        assert_int_equal(x.d.n_accepted, 1); /* kept */
        end(&x);
    }
}

static void
look(struct httpd_conn *c)
{
    char host[64];

    snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n",
             (unsigned)c->d->port);
    assert_memory_equal(c->in, "POST /may?v=1 HTTP/1.1\r\n", 24);
    assert_non_null(strstr(c->in, host));
    assert_non_null(strstr(c->in, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(c->in, "\r\nAuthorization: Bearer s3cret\r\n"));
    assert_string_equal(httpd_body(c), "{}");
    httpd_answer(c, "204 No Content", "");
}

static void
test_headers(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, look);
    adit_http_free(x.h);
    client(&x, "127.0.0.1", "s3cret", NULL);
    k = ask(&x, "{}", 10 * ADIT_S);
    rig_run(&x.r);
    assert_int_equal(k->err, ADIT_OK);
    assert_int_equal(k->status, 204);
    assert_int_equal(k->n, 0);
    end(&x);
}

static void
raw_server(struct httpd_conn *c)
{
    struct world *x = c->d->ctx;

    httpd_say(c, x->raw, x->raw_n);
    shutdown(c->fd, SHUT_WR);
}

static const struct {
    const char *why, *raw;
    adit_err want;
    unsigned status;
    const char *body;
} answers[] = {
    { "up to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nabc", ADIT_OK,
      200, "abc" },
    { "in chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
      ADIT_OK, 200, "abc" },
    { "a redirect is an answer",
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
      "Content-Length: 0\r\n\r\n",
      ADIT_OK, 302, "" },
    { "an error too", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
      ADIT_OK, 500, "no" },
    { "nothing", "", ADIT_ERESET, 0, "" },
    { "cut in the status line", "HTTP/1.1 20", ADIT_ERESET, 0, "" },
    { "cut in the headers", "HTTP/1.1 200 OK\r\nContent-Le", ADIT_ERESET, 0,
      "" },
    { "cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
      ADIT_ERESET, 0, "" },
    { "not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", ADIT_EPROTO, 0, "" },
    { "a length that is none",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", ADIT_EPROTO, 0, "" },
};

static void
test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(answers); i++) {
        struct world x;
        struct ask *k;

        print_message("%s\n", answers[i].why);
        begin(&x, ADIT_WORKER_OWN, raw_server);
        x.raw = answers[i].raw;
        x.raw_n = strlen(x.raw);
        k = ask(&x, "{}", 10 * ADIT_S);
        rig_run(&x.r);
        assert_int_equal(k->err, answers[i].want);
        assert_int_equal(k->status, answers[i].status);
        assert_string_equal(k->body, answers[i].body);
        assert_int_equal(x.d.n_accepted, 1); /* not asked twice */
        end(&x);
    }
}

/* Whatever way it is framed, nothing above the bound is held. */
static void
test_huge(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n",
        "HTTP/1.1 200 OK\r\nX-Big: ",
        "",
    };
    static char text[100100];

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(heads); i++) {
        size_t n = strlen(heads[i]);
        struct world x;
        struct ask *k;

        print_message("%s\n", heads[i]);
        begin(&x, ADIT_WORKER_OWN, raw_server);
        memset(text, 'x', sizeof(text));
        memcpy(text, heads[i], n);
        x.raw = text;
        x.raw_n = sizeof(text);
        k = ask(&x, "{}", 10 * ADIT_S);
        rig_run(&x.r);
        assert_true(k->err == ADIT_ELIMIT || (i >= 3 && k->err != ADIT_OK));
        end(&x);
    }
}

static void
hold(struct httpd_conn *c)
{
    struct world *x = c->d->ctx;

    x->held[x->n_held++] = c;
    if (x->n_held == ADIT_HTTP_MAX_CONNS)
        rig_done(&x->r);
}

/* A server that says nothing: four are asked, all end at their time. */
static void
test_silent(void **state)
{
    struct world x;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, hold);
    for (int i = 0; i < 9; i++)
        ask(&x, "{}", 50 * ADIT_MS);
    rig_run(&x.r);
    while (x.n_over < 9)
        rig_run(&x.r);
    for (int i = 0; i < 9; i++)
        assert_int_equal(x.v[i].err, ADIT_ETIMEDOUT);
    assert_true(x.d.n_asked <= 9);
    end(&x);
}

/* More than connections: they wait, and all are answered. */
static void
test_queue(void **state)
{
    struct world x;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, echo);
    for (int i = 0; i < 40; i++)
        ask(&x, "{\"n\":1}", 10 * ADIT_S);
    rig_run(&x.r);
    for (int i = 0; i < 40; i++)
        assert_string_equal(x.v[i].body, "{\"n\":1}");
    assert_int_equal(x.d.n_accepted, ADIT_HTTP_MAX_CONNS);
    assert_int_equal(x.d.n_asked, 40);
    end(&x);
}

static void
test_full(void **state)
{
    struct world x;
    struct adit_http_op *op = NULL;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, hold);
    for (int i = 0; i < ADIT_HTTP_MAX_OPS; i++) {
        struct ask *k = &x.v[0];

        k->x = &x;
        assert_int_equal(
            adit_http_post(x.h, adit_slice_str("{}"),
                           adit_instant_add(adit_worker_now(x.r.w), ADIT_S),
                           on_over, k, &op),
            ADIT_OK);
    }
    assert_int_equal(adit_http_post(x.h, adit_slice_str("{}"), ADIT_NEVER,
                                    on_over, &x.v[0], &op),
                     ADIT_EFULL);
    end(&x); /* freed with all of them in it */
}

static void
test_cancel(void **state)
{
    struct world x;
    struct ask *a, *b;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, hold);
    for (int i = 0; i < 5; i++)
        ask(&x, "{}", 10 * ADIT_S);
    rig_run(&x.r); /* four are held, one waits */
    for (int i = 0; i < 5; i++)
        adit_http_cancel(x.v[i].op);
    adit_http_cancel(NULL);
    x.d.on_request = echo;
    x.n_over = 5;
    a = ask(&x, "{\"a\":1}", 10 * ADIT_S);
    b = ask(&x, "{\"b\":1}", 10 * ADIT_S);
    rig_run(&x.r);
    for (int i = 0; i < 5; i++)
        assert_false(x.v[i].is_over);
    assert_string_equal(a->body, "{\"a\":1}");
    assert_string_equal(b->body, "{\"b\":1}");
    end(&x);
}

/* With some under way and some waiting; and from inside an answer. */
static void
test_freed(void **state)
{
    struct world x;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, hold);
    for (int i = 0; i < 9; i++)
        ask(&x, "{}", 10 * ADIT_S);
    rig_run(&x.r);
    end(&x);
    assert_int_equal(x.n_over, 0);

    begin(&x, ADIT_WORKER_OWN, echo);
    x.free_in_fn = true;
    for (int i = 0; i < 9; i++)
        ask(&x, "{}", 10 * ADIT_S);
    rig_run(&x.r);
    assert_int_equal(x.n_over, 1);
    end(&x);
}

/* Nobody listens; then somebody does, and then it is restarted. */
static void
test_restart(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, echo);
    httpd_shut(&x.d);
    k = ask(&x, "{}", 10 * ADIT_S);
    rig_run(&x.r);
    assert_int_equal(k->err, ADIT_EUNREACHABLE);
    for (int i = 0; i < 3; i++) {
        httpd_open(&x.d);
        k = ask(&x, "{\"n\":1}", 10 * ADIT_S);
        rig_run(&x.r);
        assert_int_equal(k->err, ADIT_OK);
        /* The kept connection is gone; whether the client has noticed or
         * not, the next request gets through. */
        httpd_shut(&x.d);
    }
    assert_int_equal(x.d.n_accepted, 3);
    end(&x);
}

/* Keeps the first request's connection, and drops it when asked again. */
static void
drop_second(struct httpd_conn *c)
{
    if (c->d->n_asked == 2)
        httpd_close(c);
    else
        echo(c);
}

static void
test_kept_one_dies(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, drop_second);
    for (int i = 0; i < 2; i++) {
        k = ask(&x, "{\"n\":1}", 10 * ADIT_S);
        rig_run(&x.r);
        assert_int_equal(k->err, ADIT_OK);
        assert_string_equal(k->body, "{\"n\":1}");
    }
    assert_int_equal(x.d.n_asked, 3);
    assert_int_equal(x.d.n_accepted, 2);
    end(&x);
}

static void
say_close(struct httpd_conn *c)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                               "Content-Length: 2\r\n\r\nok";

    httpd_say(c, text, sizeof(text) - 1);
    httpd_close(c);
}

static void
test_not_kept(void **state)
{
    struct world x;
    struct ask *k;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, say_close);
    for (int i = 0; i < 3; i++) {
        k = ask(&x, "{}", 10 * ADIT_S);
        rig_run(&x.r);
        assert_int_equal(k->err, ADIT_OK);
        assert_string_equal(k->body, "ok");
    }
    assert_int_equal(x.d.n_accepted, 3);
    end(&x);
}

static const struct dns_row zone[] = {
    { "good.example", DNS_A, "127.0.0.1" },
    { "two.example", DNS_A, "127.0.0.2" }, /* nobody listens there */
    { "two.example", DNS_A, "127.0.0.1" },
    { "two.example", DNS_AAAA, "::1" },
    { "dead.example", DNS_A, "127.0.0.2" },
    { "slow.example", DNS_A, "127.0.0.3" },
    { "slow.example", DNS_A, "127.0.0.1" },
    { "far.example", DNS_A, "224.0.0.1" }, /* no TCP goes there */
    { "far_and_near.example", DNS_A, "224.0.0.1" },
    { "far_and_near.example", DNS_A, "127.0.0.1" },
    { "mute.example", DNS_A, "127.0.0.1" },
    { "mute.example", DNS_MUTE_AAAA, NULL },
    { "silent.example", DNS_SILENT, NULL },
    { NULL, 0, NULL },
};

static const struct {
    const char *why, *host;
    adit_err want;
} names[] = {
    { "a name", "good.example", ADIT_OK },
    { "never asked for", "localhost", ADIT_OK },
    { "one of its addresses", "two.example", ADIT_OK },
    { "an address that there is no way to", "far.example", ADIT_EUNREACHABLE },
    { "it, and then another", "far_and_near.example", ADIT_OK },
    { "none of its addresses", "dead.example", ADIT_EUNREACHABLE },
    { "a server that is silent about IPv6", "mute.example", ADIT_OK },
    { "no such name", "none.example", ADIT_ERESOLVE },
    { "no name server", "silent.example", ADIT_ETIMEDOUT },
};

static void
test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(names); i++) {
        bool hangs = names[i].want == ADIT_ETIMEDOUT;
        struct dnsd dns;
        struct world x;

        print_message("%s\n", names[i].why);
        begin(&x, ADIT_WORKER_OWN, echo);
        adit_http_free(x.h);
        dnsd_init(&dns, &x.r, zone);
        client(&x, names[i].host, NULL, dns.servers);
        ask(&x, "{}", (hangs ? 100 * ADIT_MS : 15 * ADIT_S));
        ask(&x, "{}", (hangs ? 100 * ADIT_MS : 15 * ADIT_S));
        rig_run(&x.r);
        /* A name that did not exist is asked for again. */
        ask(&x, "{}", (hangs ? 100 * ADIT_MS : 15 * ADIT_S));
        rig_run(&x.r);
        for (int k = 0; k < 3; k++)
            assert_int_equal(x.v[k].err, names[i].want);
        if (names[i].want == ADIT_OK)
            assert_true(dns.n_asked <= 4); /* once, perhaps again */
        adit_http_free(x.h);
        x.h = NULL;
        dnsd_fini(&dns);
        end(&x);
    }
}

/* A queue that is full takes no connection, and says nothing of it. */
static void
test_slow_address(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    int l = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    struct dnsd dns;
    struct world x;

    (void)state;
    begin(&x, ADIT_WORKER_OWN, echo);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 2);
    at.sin_port = htons(x.d.port);
    assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(l, 0), 0);
    for (size_t i = 0; i < ADIT_NITEMS(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (struct sockaddr *)&at, sizeof(at));
    }
    adit_http_free(x.h);
    dnsd_init(&dns, &x.r, zone);
    client(&x, "slow.example", NULL, dns.servers);
    ask(&x, "{}", 15 * ADIT_S);
    ask(&x, "{}", 15 * ADIT_S);
    rig_run(&x.r);
    for (int i = 0; i < 2; i++)
        assert_int_equal(x.v[i].err, ADIT_OK);
    adit_http_free(x.h);
    x.h = NULL;
    dnsd_fini(&dns);
    end(&x);
    for (size_t i = 0; i < ADIT_NITEMS(fill); i++)
        close(fill[i]);
    close(l);
}

static void
test_refused_configs(void **state)
{
    struct adit_http_config cfg = { .max_bytes = 10 };
    struct adit_http *h = NULL;
    char big[5000];
    const char *why;
    struct rig r;

    (void)state;
    rig_init(&r, ADIT_WORKER_HAND);
    assert_int_equal(adit_http_url_parse("http://a/", &cfg.url, &why),
                     ADIT_OK);
    assert_int_equal(adit_http_new(r.w, &cfg, &h), ADIT_EUNSUPPORTED);
    rig_fini(&r);

    rig_init(&r, ADIT_WORKER_OWN);
    cfg.token = "a\r\nX: y";
    assert_int_equal(adit_http_new(r.w, &cfg, &h), ADIT_EINVAL);
    cfg.token = "";
    assert_int_equal(adit_http_new(r.w, &cfg, &h), ADIT_EINVAL);
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    cfg.token = big;
    assert_int_equal(adit_http_new(r.w, &cfg, &h), ADIT_EINVAL);
    big[4096] = '\0';
    assert_int_equal(adit_http_new(r.w, &cfg, &h), ADIT_OK);
    adit_http_free(h);
    adit_http_free(NULL);
    rig_fini(&r);
}

/* The n-th allocation fails: an answer of some kind, and nothing is lost. */
static void
test_oom(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct world x;
        struct ask *k = &x.v[0];
        adit_err e;

        begin(&x, ADIT_WORKER_OWN, echo);
        x.r.mem.fail_at = x.r.mem.n_allocs + n;
        x.r.mem.fail_once = true;
        k->x = &x;
        x.n_asks = 1;
        e = adit_http_post(
            x.h, adit_slice_str("{}"),
            adit_instant_add(adit_worker_now(x.r.w), 10 * ADIT_S), on_over, k,
            &k->op);
        if (e == ADIT_OK)
            rig_run(&x.r);
        else
            assert_int_equal(e, ADIT_ENOMEM);
        x.r.mem.fail_at = 0;
        end(&x);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_kept_one_dies),
        cmocka_unit_test(test_not_kept),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_slow_address),
        cmocka_unit_test(test_refused_configs),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
