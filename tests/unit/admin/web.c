/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HTTP: what a head says, and a server of three pages on loopback. */
#include "client.h"

#include "admin/head.h"
#include "admin/web.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* ---- heads -------------------------------------------------------------------- */

static const struct {
    const char *why;
    const char *in;
    adit_err want;
    const char *path;
} heads[] = {
    { "the least", "GET / HTTP/1.0\r\n\r\n", ADIT_OK, "/" },
    { "a scraper",
      "GET /metrics HTTP/1.1\r\nHost: a:1\r\nAccept: text/plain;q=0.5\r\n"
      "X-Empty:\r\n\r\n",
      ADIT_OK, "/metrics" },
    { "line feeds alone", "HEAD /x HTTP/1.1\nHost: a\n\n", ADIT_OK, "/x" },
    { "a query is no part of the path", "GET /a?b=/c HTTP/1.1\r\n\r\n",
      ADIT_OK, "/a" },
    { "what follows is not looked at", "GET /a HTTP/1.1\r\n\r\n\x01\x02",
      ADIT_OK, "/a" },
    { "any method that is a token", "x-Y! /a HTTP/1.1\r\n\r\n", ADIT_OK,
      "/a" },
    { "nothing yet", "", ADIT_AGAIN, NULL },
    { "half a line", "GET /a HTTP/1.1\r", ADIT_AGAIN, NULL },
    { "no empty line", "GET /a HTTP/1.1\r\nHost: a\r\n", ADIT_AGAIN, NULL },
    { "HTTP/2", "PRI * HTTP/2.0\r\n\r\n", ADIT_EPROTO, NULL },
    { "another version", "GET / HTTP/2.0\r\n\r\n", ADIT_EUNSUPPORTED, NULL },
    { "no version", "GET /\r\n\r\n", ADIT_EPROTO, NULL },
    { "no target", "GET  HTTP/1.1\r\n\r\n", ADIT_EPROTO, NULL },
    { "a target of a proxy", "GET http://a/ HTTP/1.1\r\n\r\n", ADIT_EPROTO,
      NULL },
    { "a tab", "GET\t/ HTTP/1.1\r\n\r\n", ADIT_EPROTO, NULL },
    { "a NUL would be one", "GET /\x01 HTTP/1.1\r\n\r\n", ADIT_EPROTO, NULL },
    { "too long a version", "GET / HTTP/1.10\r\n\r\n", ADIT_EPROTO, NULL },
    { "an empty line first", "\r\nGET / HTTP/1.1\r\n\r\n", ADIT_EPROTO, NULL },
    { "a field without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", ADIT_EPROTO,
      NULL },
    { "a blank in a field's name", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      ADIT_EPROTO, NULL },
    { "a folded line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", ADIT_EPROTO,
      NULL },
    { "a field without a name", "GET / HTTP/1.1\r\n: a\r\n\r\n", ADIT_EPROTO,
      NULL },
    { "TLS", "\x16\x03\x01\x02\x01\n", ADIT_EPROTO, NULL },
};

static void
test_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(heads); i++) {
        struct adit_slice in = adit_slice_str(heads[i].in);
        struct adit_http_head h = { 0 };
        adit_err e = adit_http_head_dec(in, &h);

        if (e != heads[i].want)
            fail_msg("%s: %s", heads[i].why, adit_err_name(e));
        if (e == ADIT_OK)
            assert_true(adit_slice_eq(h.path, adit_slice_str(heads[i].path)));
        /* Any part of a good one is the beginning of one. */
        for (size_t n = 0; e == ADIT_OK && n < h.n_bytes; n++) {
            struct adit_http_head part;

            assert_int_equal(adit_http_head_dec(adit_slice(in.p, n), &part),
                             ADIT_AGAIN);
        }
    }
}

/* ---- addresses ------------------------------------------------------------------ */

static const struct {
    const char *at;
    adit_err want;
} addrs[] = {
    { "127.0.0.1:9477", ADIT_OK },
    { "[::1]:0", ADIT_OK },
    { "[::]:65535", ADIT_OK },
    { "127.0.0.1", ADIT_EINVAL },
    { "127.0.0.1:", ADIT_EINVAL },
    { "127.0.0.1:65536", ADIT_EINVAL },
    { "127.0.0.1:-1", ADIT_EINVAL },
    { "localhost:80", ADIT_EINVAL },
    { "::1:80", ADIT_EINVAL },
    { "[::1:80", ADIT_EINVAL },
    { "[]:80", ADIT_EINVAL },
    { "[127.0.0.1]:80", ADIT_EINVAL },
    { ":80", ADIT_EINVAL },
    { "", ADIT_EINVAL },
    { "[", ADIT_EINVAL },
    { "127.0.0.1:080x", ADIT_EINVAL },
};

static void
test_addrs(void **state)
{
    char why[ADIT_WEB_WHY_BYTES];

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(addrs); i++)
        if (adit_web_check(addrs[i].at, why) != addrs[i].want)
            fail_msg("%s", addrs[i].at);
}

/* ---- the server ------------------------------------------------------------------- */

#define LONG_BYTES (900 * 1024)

static size_t
write_small(void *ctx, char *out, size_t cap, unsigned *status)
{
    assert_null(ctx);
    assert_int_equal(*status, 200);
    return (size_t)snprintf(out, cap, "hello\n");
}

static size_t
write_long(void *ctx, char *out, size_t cap, unsigned *status)
{
    (void)ctx;
    (void)status;
    if (cap > LONG_BYTES) {
        memset(out, 'x', LONG_BYTES);
        out[LONG_BYTES] = '\0';
    }
    return LONG_BYTES;
}

static size_t
write_not(void *ctx, char *out, size_t cap, unsigned *status)
{
    (void)ctx;
    *status = 503;
    return (size_t)snprintf(out, cap, "draining\n");
}

static size_t
write_huge(void *ctx, char *out, size_t cap, unsigned *status)
{
    (void)ctx;
    (void)status;
    (void)out;
    assert_int_equal(cap, 0);
    return SIZE_MAX / 2;
}

static const struct adit_web_page pages[] = {
    { "/small", "text/plain", write_small },
    { "/long", "text/plain", write_long },
    { "/not", "text/plain", write_not },
    { "/huge", "text/plain", write_huge },
};

struct web {
    struct rig r;
    struct adit_web *h;
};

static void
web_init(struct web *w)
{
    const struct adit_web_config cfg = { .at = "127.0.0.1:0",
                                         .pages = pages,
                                         .n_pages = ADIT_NITEMS(pages) };
    char why[ADIT_WEB_WHY_BYTES];

    rig_init(&w->r, ADIT_WORKER_OWN);
    assert_int_equal(adit_web_open(w->r.w, &cfg, &w->h, why), ADIT_OK);
}

static void
web_fini(struct web *w)
{
    adit_web_close(w->h);
    rig_fini(&w->r);
}

static int
dial(const struct web *w)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(strncmp(adit_web_at(w->h), "127.0.0.1:", 10), 0);
    at.sin_port = htons((uint16_t)strtoul(adit_web_at(w->h) + 10, NULL, 10));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static const struct {
    const char *why;
    const char *request;
    const char *first; /* line of the answer, and what it has */
    const char *has;
    const char *body;
} requests[] = {
    { "a page", "GET /small HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
      "Content-Length: 6\r\n", "hello\n" },
    { "its head alone", "HEAD /small HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
      "Content-Length: 6\r\n", "" },
    { "one that says no", "GET /not HTTP/1.1\r\n\r\n",
      "HTTP/1.1 503 Service Unavailable\r\n", "Connection: close\r\n",
      "draining\n" },
    { "another method", "POST /small HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET, HEAD\r\n",
      "GET and HEAD only\n" },
    { "no such page", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n",
      "text/plain", "there is: /small /long /not /huge\n" },
    { "no HTTP", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "close",
      "that is no HTTP request\n" },
    { "HTTP/2", "GET / HTTP/2.0\r\n\r\n",
      "HTTP/1.1 505 HTTP Version Not Supported\r\n", "close",
      "HTTP/1.1 only\n" },
    { "too much of a page", "GET /huge HTTP/1.1\r\n\r\n",
      "HTTP/1.1 500 Internal Server Error\r\n", "close", "out of memory\n" },
};

static void
test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(requests); i++)
        for (size_t step = 1; step <= 512; step += 511) {
            const char *request = requests[i].request, *body;
            size_t n = strlen(request);
            struct web w;
            struct client c;

            web_init(&w);
            client_init(&c, &w.r, dial(&w));
            for (size_t at = 0; at < n; at += step)
                client_send(&c, request + at, ADIT_MIN(step, n - at));
            client_read(&c, 0);
            if (strncmp(c.text, requests[i].first,
                        strlen(requests[i].first)) != 0 ||
                strstr(c.text, requests[i].has) == NULL)
                fail_msg("%s: %s", requests[i].why, c.text);
            body = strstr(c.text, "\r\n\r\n");
            assert_non_null(body);
            assert_string_equal(body + 4, requests[i].body);
            client_fini(&c);
            web_fini(&w);
        }
}

/* A head as long as is taken, and one byte more. */
static void
test_long_head(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        const char *line = "GET /small HTTP/1.1\r\nX: ";
        char head[ADIT_WEB_HEAD_BYTES + 1];
        size_t n = ADIT_WEB_HEAD_BYTES + more;
        struct web w;
        struct client c;

        web_init(&w);
        client_init(&c, &w.r, dial(&w));
        memset(head, 'x', sizeof(head));
        memcpy(head, line, strlen(line));
        memcpy(head + n - 4, "\r\n\r\n", 4);
        client_send(&c, head, n);
        client_read(&c, 0);
        assert_int_equal(
            strncmp(c.text, more == 0 ? "HTTP/1.1 200" : "HTTP/1.1 431", 12),
            0);
        client_fini(&c);
        web_fini(&w);
    }
}

/* A page that the socket does not take at once, and one who goes before. */
static void
test_long_page(void **state)
{
    struct web w;
    struct client c, other;

    (void)state;
    web_init(&w);
    client_init(&c, &w.r, dial(&w));
    client_init(&other, &w.r, dial(&w));
    adit_fd_want(other.watch, 0);
    client_say(&other, "GET /long HTTP/1.1\r\n\r\n");
    client_say(&c, "GET /long HTTP/1.1\r\n\r\n");
    client_fini(&other);
    client_read(&c, 0);
    assert_true(c.n > LONG_BYTES);
    assert_int_equal(c.text[c.n - 1], 'x');
    client_fini(&c);
    web_fini(&w);
}

static void
test_crowd(void **state)
{
    struct client c[ADIT_WEB_MAX_CONNS + 1];
    struct web w;

    (void)state;
    web_init(&w);
    for (size_t i = 0; i <= ADIT_WEB_MAX_CONNS; i++)
        client_init(&c[i], &w.r, dial(&w));
    client_read(&c[ADIT_WEB_MAX_CONNS], 0);
    assert_int_equal(c[ADIT_WEB_MAX_CONNS].n, 0);
    assert_int_equal(adit_web_n_conns(w.h), ADIT_WEB_MAX_CONNS);
    client_say(&c[7], "GET /small HTTP/1.1\r\n\r\n");
    client_read(&c[7], 0);
    assert_non_null(strstr(c[7].text, "hello"));
    /* The rest is shown out when the server closes. */
    adit_web_close(w.h);
    w.h = NULL;
    client_read(&c[0], 0);
    for (size_t i = 0; i <= ADIT_WEB_MAX_CONNS; i++)
        client_fini(&c[i]);
    web_fini(&w);
}

/* Every allocation fails in turn: a page, or the end of the connection. */
static void
test_oom(void **state)
{
    bool is_whole = false;

    (void)state;
    for (uint64_t n = 1; !is_whole; n++) {
        struct web w;
        struct client c;

        web_init(&w);
        client_init(&c, &w.r, dial(&w));
        /* The test's own timer has its room. */
        assert_int_equal(adit_timer_set(w.r.w, &w.r.watchdog, ADIT_NEVER),
                         ADIT_OK);
        w.r.mem.fail_at = w.r.mem.n_allocs + n;
        w.r.mem.fail_once = true;
        client_say(&c, "GET /small HTTP/1.1\r\n\r\n");
        client_read(&c, 0);
        is_whole = w.r.mem.n_allocs < w.r.mem.fail_at;
        if (is_whole)
            assert_non_null(strstr(c.text, "hello"));
        client_fini(&c);
        web_fini(&w);
    }
}

static void
test_taken(void **state)
{
    struct web w;
    struct adit_web *second = NULL;
    struct adit_web_config cfg = { .pages = pages, .n_pages = 1 };
    char why[ADIT_WEB_WHY_BYTES];

    (void)state;
    web_init(&w);
    cfg.at = adit_web_at(w.h);
    assert_int_equal(adit_web_open(w.r.w, &cfg, &second, why), ADIT_EFULL);
    assert_non_null(strstr(why, cfg.at));
    web_fini(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),     cmocka_unit_test(test_addrs),
        cmocka_unit_test(test_requests),  cmocka_unit_test(test_long_head),
        cmocka_unit_test(test_long_page), cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_taken),     cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests_name("admin/web", tests, NULL, NULL);
}
