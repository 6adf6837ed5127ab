/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * dnsd: a name server on loopback, as small as one can be, run by the very
 * worker that asks it.
 *
 * It answers from a table of rows; a name with none does not exist.  What is
 * too long for a datagram is asked for again over TCP.
 */
#ifndef ADIT_TESTS_LOOP_DNSD_H
#define ADIT_TESTS_LOOP_DNSD_H

#include "rig.h"

#include "base/slice.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DNS_A = 1,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    /* Not of the protocol: what the server does when asked for this name. */
    DNS_SILENT = 1000,
    DNS_MUTE_AAAA, /* silent when asked for that */
    DNS_GARBAGE,   /* bytes of no meaning behind a right header */
    DNS_SERVFAIL,
    DNS_MANY, /* as many of what is asked for as fit */
    DNS_LONG, /* one text of 2,000 bytes and one of 600 */
};

struct dns_row {
    const char *name;
    int type;
    const char *data;
};

/* What all of the Internet carries in one piece. */
#define DNS_UDP_BYTES 1232

struct dnsd {
    struct adit_worker *w;
    struct adit_fd *udp, *tcp;
    int udp_fd, tcp_fd;
    struct adit_fd *conn; /* one at a time */
    int conn_fd;
    const struct dns_row *rows; /* up to one without a name */
    unsigned n_asked, n_asked_tcp;
    char servers[32]; /* "127.0.0.1:port" */
};

struct dns_out {
    uint8_t b[8000];
    size_t n;
};

static inline void
dns_put(struct dns_out *o, const void *p, size_t n)
{
    assert_true(n <= sizeof(o->b) - o->n);
    memcpy(o->b + o->n, p, n);
    o->n += n;
}

/* The head of a record for the name that was asked for. */
static inline void
dns_head(struct dns_out *o, int type, size_t n_data)
{
    uint8_t h[12] = { 0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60 };

    adit_put_be16(h + 10, (uint16_t)n_data);
    dns_put(o, h, sizeof(h));
}

static inline void
dns_text(struct dns_out *o, const char *text, size_t n)
{
    size_t n_strings = (n + 254) / 255;

    dns_head(o, DNS_TXT, n + n_strings);
    for (size_t at = 0; at < n; at += 255) {
        uint8_t len = (uint8_t)ADIT_MIN(n - at, (size_t)255);

        dns_put(o, &len, 1);
        dns_put(o, text + at, len);
    }
}

static inline void
dns_record(struct dns_out *o, int type, const char *data)
{
    uint8_t ip[16];

    if (type == DNS_TXT) {
        dns_text(o, data, strlen(data));
        return;
    }
    assert_int_equal(inet_pton(type == DNS_A ? AF_INET : AF_INET6, data, ip),
                     1);
    dns_head(o, type, type == DNS_A ? 4 : 16);
    dns_put(o, ip, type == DNS_A ? 4 : 16);
}

/* The name of a question as text; its end in the message, or 0. */
static inline size_t
dns_question(const uint8_t *p, size_t n, char name[256])
{
    size_t at = 12, to = 0;

    while (at < n && p[at] != 0) {
        size_t len = p[at];

        if (len > 63 || at + 1 + len >= n || to + len + 1 >= 256)
            return 0;
        if (to > 0)
            name[to++] = '.';
        memcpy(name + to, p + at + 1, len);
        to += len;
        at += 1 + len;
    }
    name[to] = '\0';
    return at + 5 <= n ? at + 5 : 0;
}

/* False: say nothing. */
static inline bool
dnsd_answer(struct dnsd *d, const uint8_t *in, size_t n, struct dns_out *out)
{
    char name[256];
    struct dns_out o = { .n = 0 };
    unsigned n_answers = 0, rcode = 3;
    size_t end = n < 17 ? 0 : dns_question(in, n, name);
    int type;

    if (end == 0)
        return false;
    d->n_asked++;
    type = in[end - 3];
    dns_put(&o, in, end);

    for (const struct dns_row *r = d->rows; r->name != NULL; r++) {
        static char big[2000];

        if (strcasecmp(r->name, name) != 0)
            continue;
        rcode = 0;
        memset(big, 'x', sizeof(big));
        switch (r->type) {
        case DNS_SILENT:
            return false;
        case DNS_MUTE_AAAA:
            if (type == DNS_AAAA)
                return false;
            break;
        case DNS_SERVFAIL:
            rcode = 2;
            break;
        case DNS_GARBAGE:
            n_answers = 5;
            dns_put(&o, big, 100);
            break;
        case DNS_MANY:
            for (; n_answers < 100; n_answers++)
                dns_record(&o, type,
                           type == DNS_A      ? "127.0.0.1"
                           : type == DNS_AAAA ? "::1"
                                              : "t");
            break;
        case DNS_LONG:
            if (type == DNS_TXT) {
                dns_text(&o, big, 2000);
                memset(big, 'y', sizeof(big));
                dns_text(&o, big, 600);
                n_answers = 2;
            }
            break;
        default:
            if (r->type == type) {
                dns_record(&o, type, r->data);
                n_answers++;
            }
        }
    }
    o.b[2] = 0x85; /* an answer, authoritative, recursion desired */
    o.b[3] = (uint8_t)(0x80 | rcode);
    memset(o.b + 4, 0, 8);
    o.b[5] = 1;
    adit_put_be16(o.b + 6, (uint16_t)n_answers);
    *out = o;
    return true;
}

static inline void
dnsd_on_udp(void *ctx, int ready)
{
    struct dnsd *d = ctx;
    struct sockaddr_in from;
    socklen_t n_from = sizeof(from);
    struct dns_out o;
    uint8_t in[512];
    ssize_t n = recvfrom(d->udp_fd, in, sizeof(in), 0,
                         (struct sockaddr *)&from, &n_from);

    (void)ready;
    if (n < 0 || !dnsd_answer(d, in, (size_t)n, &o))
        return;
    if (o.n > DNS_UDP_BYTES) {
        o.b[2] |= 2; /* truncated */
        adit_put_be16(o.b + 6, 0);
        o.n = DNS_UDP_BYTES / 2;
    }
    (void)!sendto(d->udp_fd, o.b, o.n, 0, (struct sockaddr *)&from, n_from);
}

static inline void
dnsd_on_conn(void *ctx, int ready)
{
    struct dnsd *d = ctx;
    struct dns_out o;
    uint8_t in[514], head[2];
    ssize_t n = recv(d->conn_fd, in, sizeof(in), 0);

    (void)ready;
    /* On loopback a question comes in one piece. */
    if (n > 2 && dnsd_answer(d, in + 2, (size_t)n - 2, &o)) {
        d->n_asked_tcp++;
        adit_put_be16(head, (uint16_t)o.n);
        assert_int_equal(send(d->conn_fd, head, 2, MSG_NOSIGNAL), 2);
        assert_int_equal(send(d->conn_fd, o.b, o.n, MSG_NOSIGNAL), o.n);
        return;
    }
    adit_fd_free(d->conn);
    close(d->conn_fd);
    d->conn = NULL;
}

static inline void
dnsd_on_tcp(void *ctx, int ready)
{
    struct dnsd *d = ctx;

    (void)ready;
    if (d->conn != NULL) {
        adit_fd_free(d->conn);
        close(d->conn_fd);
        d->conn = NULL;
    }
    d->conn_fd = accept4(d->tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (d->conn_fd < 0)
        return;
    if (adit_fd_new(d->w, d->conn_fd, dnsd_on_conn, d, &d->conn) != ADIT_OK) {
        close(d->conn_fd); /* a test takes memory away */
        d->conn = NULL;
        return;
    }
    adit_fd_want(d->conn, ADIT_FD_READ);
}

static inline int
dnsd_bind(int type, struct sockaddr_in *at)
{
    socklen_t n = sizeof(*at);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)at, n) != 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
    return fd;
}

static inline void
dnsd_init(struct dnsd *d, struct rig *r, const struct dns_row *rows)
{
    struct sockaddr_in at = { .sin_family = AF_INET };

    *d = (struct dnsd){ .w = r->w, .rows = rows, .tcp_fd = -1 };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* The same port for both; another one if somebody has it. */
    for (int i = 0; i < 20 && d->tcp_fd < 0; i++) {
        at.sin_port = 0;
        d->udp_fd = dnsd_bind(SOCK_DGRAM, &at);
        assert_true(d->udp_fd >= 0);
        d->tcp_fd = dnsd_bind(SOCK_STREAM, &at);
        if (d->tcp_fd < 0)
            close(d->udp_fd);
    }
    assert_true(d->tcp_fd >= 0);
    assert_int_equal(listen(d->tcp_fd, 8), 0);
    snprintf(d->servers, sizeof(d->servers), "127.0.0.1:%u",
             (unsigned)ntohs(at.sin_port));
    assert_int_equal(adit_fd_new(r->w, d->udp_fd, dnsd_on_udp, d, &d->udp),
                     ADIT_OK);
    assert_int_equal(adit_fd_new(r->w, d->tcp_fd, dnsd_on_tcp, d, &d->tcp),
                     ADIT_OK);
    adit_fd_want(d->udp, ADIT_FD_READ);
    adit_fd_want(d->tcp, ADIT_FD_READ);
}

static inline void
dnsd_fini(struct dnsd *d)
{
    adit_fd_free(d->udp);
    adit_fd_free(d->tcp);
    close(d->udp_fd);
    close(d->tcp_fd);
    if (d->conn != NULL) {
        adit_fd_free(d->conn);
        close(d->conn_fd);
    }
}

#endif
