/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * httpd: an HTTP server on loopback, as small as one can be, run by the very
 * worker that asks it.
 *
 * It gathers a request with its body and hands it to the test, which says
 * whatever it likes, whenever it likes.
 */
#ifndef ADIT_TESTS_LOOP_HTTPD_H
#define ADIT_TESTS_LOOP_HTTPD_H

#include "rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTPD_CONNS 16

struct httpd;

struct httpd_conn {
    struct httpd *d;
    struct adit_fd *watch; /* NULL: free */
    int fd;
    size_t n;
    char in[8192]; /* one request, NUL-terminated */
};

struct httpd {
    struct rig *r;
    struct adit_fd *watch; /* NULL: gone */
    int fd;
    uint16_t port;
    unsigned n_accepted, n_asked;
    void (*on_request)(struct httpd_conn *c);
    void *ctx; /* the test's */
    struct httpd_conn conns[HTTPD_CONNS];
};

static inline void
httpd_close(struct httpd_conn *c)
{
    if (c->watch == NULL)
        return;
    adit_fd_free(c->watch);
    c->watch = NULL;
    close(c->fd);
}

/* Raw; the request is over. */
static inline void
httpd_say(struct httpd_conn *c, const char *text, size_t n)
{
    c->n = 0;
    while (n > 0) {
        ssize_t sent = send(c->fd, text, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return; /* nobody listens any more */
        text += sent;
        n -= (size_t)sent;
    }
}

static inline void
httpd_answer(struct httpd_conn *c, const char *status, const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
                     "Content-Type: application/json\r\n\r\n%s",
                     status, strlen(body), body);

    assert_true(n > 0 && (size_t)n < sizeof(text));
    httpd_say(c, text, (size_t)n);
}

static inline const char *
httpd_body(const struct httpd_conn *c)
{
    return strstr(c->in, "\r\n\r\n") + 4;
}

static inline bool
httpd_is_whole(const struct httpd_conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n");
    const char *len = strstr(c->in, "Content-Length: ");

    return end != NULL && len != NULL && len < end &&
           strlen(end + 4) >= strtoul(len + 16, NULL, 10);
}

static inline void
httpd_on_conn(void *ctx, int ready)
{
    struct httpd_conn *c = ctx;
    ssize_t n = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);

    (void)ready;
    if (n <= 0) {
        httpd_close(c);
        return;
    }
    c->n += (size_t)n;
    c->in[c->n] = '\0';
    if (!httpd_is_whole(c))
        return;
    c->d->n_asked++;
    c->d->on_request(c);
}

static inline void
httpd_on_accept(void *ctx, int ready)
{
    struct httpd *d = ctx;
    struct httpd_conn *c = NULL;
    int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)ready;
    if (fd < 0)
        return;
    d->n_accepted++;
    for (size_t i = 0; i < HTTPD_CONNS && c == NULL; i++)
        if (d->conns[i].watch == NULL)
            c = &d->conns[i];
    assert_non_null(c);
    c->d = d;
    c->fd = fd;
    c->n = 0;
    c->in[0] = '\0';
    if (adit_fd_new(d->r->w, fd, httpd_on_conn, c, &c->watch) != ADIT_OK) {
        close(fd); /* a test takes memory away */
        c->watch = NULL;
        return;
    }
    adit_fd_want(c->watch, ADIT_FD_READ);
}

/* Listens at d->port; 0: at any. */
static inline void
httpd_open(struct httpd *d)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t n = sizeof(at);
    int on = 1;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(d->port);
    d->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(d->fd >= 0);
    setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(d->fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(d->fd, 64), 0);
    assert_int_equal(getsockname(d->fd, (struct sockaddr *)&at, &n), 0);
    d->port = ntohs(at.sin_port);
    assert_int_equal(
        adit_fd_new(d->r->w, d->fd, httpd_on_accept, d, &d->watch), ADIT_OK);
    adit_fd_want(d->watch, ADIT_FD_READ);
}

/* And all its connections with it. */
static inline void
httpd_shut(struct httpd *d)
{
    if (d->watch == NULL)
        return;
    adit_fd_free(d->watch);
    d->watch = NULL;
    close(d->fd);
    for (size_t i = 0; i < HTTPD_CONNS; i++)
        httpd_close(&d->conns[i]);
}

static inline void
httpd_init(struct httpd *d, struct rig *r,
           void (*on_request)(struct httpd_conn *c), void *ctx)
{
    *d = (struct httpd){ .r = r, .on_request = on_request, .ctx = ctx };
    httpd_open(d);
}

#endif
