/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/web.h"

#include "admin/gate.h"
#include "admin/head.h"
#include "admin/out.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* From the connection to the end of the head, and from there until all is
 * read: Prometheus itself waits 10 s. */
#define HEAD_US (5 * ADIT_S)
#define ANSWER_US (10 * ADIT_S)
/* Then the other side has this long to close, lest what it still sends makes
 * its kernel throw away what it has not read. */
#define LINGER_US (1 * ADIT_S)

/* A page; what is made from our tables has some 20 KiB. */
#define PAGE_BYTES (1024 * 1024)

#define BACKLOG 32

/* "[ip6]:port" and a NUL. */
#define AT_BYTES 64

struct adit_web {
    struct adit_worker *w;
    struct adit_web_config cfg;
    struct adit_gate gate;
    struct adit_list conns;
    size_t n_conns;
    char at[AT_BYTES];
};

struct visit {
    struct adit_web *h;
    struct adit_worker *w;
    struct adit_list link;
    struct adit_retiree retiree;
    int fd;
    struct adit_fd *watch;
    struct adit_timer timer;
    enum { HEAD, ANSWER, LINGER } step;
    bool is_over;
    size_t n_in;
    struct adit_out out;
    char in[ADIT_WEB_HEAD_BYTES];
};

/* ---- a connection ends --------------------------------------------------------- */

static void
free_conn(void *ctx)
{
    struct visit *c = ctx;

    adit_fd_free(c->watch);
    close(c->fd);
    adit_out_fini(&c->out);
    ADIT_FREE(adit_worker_mem(c->w), c);
}

static void
end_conn(struct visit *c)
{
    if (c->is_over)
        return;
    c->is_over = true;
    adit_timer_stop(c->w, &c->timer);
    adit_fd_want(c->watch, 0);
    adit_list_remove(&c->link);
    c->h->n_conns--;
    c->h = NULL;
    adit_retire(c->w, &c->retiree, free_conn, c);
}

static void
on_timer(void *ctx)
{
    end_conn(ctx);
}

static void
enter(struct visit *c, unsigned step)
{
    static const int64_t us[] = {
        [HEAD] = HEAD_US, [ANSWER] = ANSWER_US, [LINGER] = LINGER_US
    };

    c->step = step;
    adit_fd_want(c->watch, step == ANSWER ? ADIT_FD_WRITE : ADIT_FD_READ);
    if (adit_timer_set(c->w, &c->timer,
                       adit_instant_add(adit_worker_now(c->w), us[step])) !=
        ADIT_OK)
        end_conn(c);
}

/* ---- answers --------------------------------------------------------------------- */

static const char *
reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } rows[] = {
        { 200, "OK" },
        { 400, "Bad Request" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < ADIT_NITEMS(rows); i++)
        if (rows[i].status == status)
            return rows[i].reason;
    return "Error";
}

static void
send_out(struct visit *c)
{
    size_t n = 0;

    if (adit_out_send(&c->out, c->fd, &n) != ADIT_OK) {
        end_conn(c);
        return;
    }
    if (adit_out_pending(&c->out) > 0)
        return;
    if (shutdown(c->fd, SHUT_WR) != 0)
        end_conn(c);
    else
        enter(c, LINGER);
}

static void
answer(struct visit *c, unsigned status, const char *type,
       struct adit_slice body, bool is_head)
{
    char head[512];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %u %s\r\n"
                     "Content-Type: %s\r\n"
                     "Content-Length: %zu\r\n"
                     "Cache-Control: no-store\r\n"
                     "%s"
                     "Connection: close\r\n\r\n",
                     status, reason(status), type, body.n,
                     status == 405 ? "Allow: GET, HEAD\r\n" : "");
    adit_err e = adit_out_put(&c->out, adit_slice(head, (size_t)n));

    if (e == ADIT_OK && !is_head)
        e = adit_out_put(&c->out, body);
    if (e != ADIT_OK) {
        end_conn(c);
        return;
    }
    enter(c, ANSWER);
    if (!c->is_over)
        send_out(c);
}

static void
answer_text(struct visit *c, unsigned status, const char *text, bool is_head)
{
    answer(c, status, "text/plain; charset=utf-8", adit_slice_str(text),
           is_head);
}

static void
answer_page(struct visit *c, const struct adit_web_page *page, bool is_head)
{
    struct adit_mem *mem = adit_worker_mem(c->w);
    unsigned status = 200;
    size_t n = page->write(c->h->cfg.ctx, NULL, 0, &status);
    char *body = n < PAGE_BYTES ? adit_mem_alloc(mem, n + 1) : NULL;

    if (body == NULL) {
        answer_text(c, 500, "out of memory\n", is_head);
        return;
    }
    status = 200;
    if (page->write(c->h->cfg.ctx, body, n + 1, &status) <= n)
        n = strlen(body);
    answer(c, status, page->type, adit_slice(body, n), is_head);
    adit_mem_free(mem, body, n + 1);
}

static void
answer_head(struct visit *c, const struct adit_http_head *head)
{
    bool is_head = adit_slice_eq(head->method, adit_slice_str("HEAD"));
    char text[256] = "there is:";
    size_t n = strlen(text);

    if (!is_head && !adit_slice_eq(head->method, adit_slice_str("GET"))) {
        answer_text(c, 405, "GET and HEAD only\n", false);
        return;
    }
    for (size_t i = 0; i < c->h->cfg.n_pages; i++) {
        const struct adit_web_page *page = &c->h->cfg.pages[i];

        if (adit_slice_eq(head->path, adit_slice_str(page->path))) {
            answer_page(c, page, is_head);
            return;
        }
        if (n < sizeof(text))
            n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
                                  page->path);
    }
    if (n < sizeof(text))
        snprintf(text + n, sizeof(text) - n, "\n");
    answer_text(c, 404, text, is_head);
}

/* ---- requests --------------------------------------------------------------------- */

static void
receive_head(struct visit *c)
{
    ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, 0);
    struct adit_http_head head;

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        end_conn(c);
        return;
    }
    c->n_in += (size_t)n;
    switch (adit_http_head_dec(adit_slice(c->in, c->n_in), &head)) {
    case ADIT_OK:
        answer_head(c, &head);
        break;
    case ADIT_AGAIN:
        if (c->n_in == sizeof(c->in))
            answer_text(c, 431, "the head is too long\n", false);
        break;
    case ADIT_EUNSUPPORTED:
        answer_text(c, 505, "HTTP/1.1 only\n", false);
        break;
    default:
        answer_text(c, 400, "that is no HTTP request\n", false);
        break;
    }
}

/* Until he closes too; what he sends is not looked at. */
static void
linger(struct visit *c)
{
    ssize_t n = recv(c->fd, c->in, sizeof(c->in), 0);

    if (n == 0 ||
        (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        end_conn(c);
}

static void
on_ready(void *ctx, int ready)
{
    struct visit *c = ctx;

    (void)ready;
    if (c->is_over)
        return;
    switch (c->step) {
    case HEAD:
        receive_head(c);
        break;
    case ANSWER:
        send_out(c);
        break;
    case LINGER:
        linger(c);
        break;
    }
}

static void
on_accept(void *ctx, int fd)
{
    struct adit_web *h = ctx;
    struct adit_mem *mem = adit_worker_mem(h->w);
    struct visit *c;

    if (h->n_conns >= ADIT_WEB_MAX_CONNS ||
        (c = ADIT_NEW(mem, struct visit)) == NULL) {
        close(fd);
        return;
    }
    if (adit_fd_new(h->w, fd, on_ready, c, &c->watch) != ADIT_OK) {
        ADIT_FREE(mem, c);
        close(fd);
        return;
    }
    c->h = h;
    c->w = h->w;
    c->fd = fd;
    c->timer.fn = on_timer;
    c->timer.ctx = c;
    adit_out_init(&c->out, mem, PAGE_BYTES + 1024);
    adit_list_push_tail(&h->conns, &c->link);
    h->n_conns++;
    enter(c, HEAD);
}

/* ---- the server -------------------------------------------------------------------- */

union sockaddr_ip {
    struct sockaddr sa;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* Digits alone, below 65,536. */
static bool
parse_port(const char *text, uint16_t *out)
{
    unsigned long v = 0;
    size_t n = strlen(text);

    if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
        return false;
    v = strtoul(text, NULL, 10);
    *out = (uint16_t)v;
    return v <= 65535;
}

static bool
parse_at(const char *text, union sockaddr_ip *out, socklen_t *n)
{
    const char *colon = strrchr(text, ':');
    char ip[INET6_ADDRSTRLEN];
    bool is_6 = text[0] == '[';
    size_t len;
    uint16_t port;

    if (colon == NULL || !parse_port(colon + 1, &port))
        return false;
    len = (size_t)(colon - text);
    if (is_6 && (len < 2 || colon[-1] != ']'))
        return false;
    if (is_6) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(ip))
        return false;
    memcpy(ip, text, len);
    ip[len] = '\0';
    *out = (union sockaddr_ip){ 0 };
    if (is_6) {
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_port = htons(port);
        *n = sizeof(out->in6);
        return inet_pton(AF_INET6, ip, &out->in6.sin6_addr) == 1;
    }
    out->in4.sin_family = AF_INET;
    out->in4.sin_port = htons(port);
    *n = sizeof(out->in4);
    return inet_pton(AF_INET, ip, &out->in4.sin_addr) == 1;
}

adit_err
adit_web_check(const char *at, char why[ADIT_WEB_WHY_BYTES])
{
    union sockaddr_ip sa;
    socklen_t n;

    if (parse_at(at, &sa, &n))
        return ADIT_OK;
    snprintf(why, ADIT_WEB_WHY_BYTES,
             "'%.80s' is no address and port as 127.0.0.1:9477 or [::1]:9477",
             at);
    return ADIT_EINVAL;
}

static void
format_at(const union sockaddr_ip *sa, char out[AT_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "";

    if (sa->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &sa->in6.sin6_addr, ip, sizeof(ip));
        snprintf(out, AT_BYTES, "[%s]:%u", ip, ntohs(sa->in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &sa->in4.sin_addr, ip, sizeof(ip));
        snprintf(out, AT_BYTES, "%s:%u", ip, ntohs(sa->in4.sin_port));
    }
}

static adit_err
listen_at(struct adit_web *h, char why[ADIT_WEB_WHY_BYTES])
{
    union sockaddr_ip sa;
    socklen_t n;
    const int on = 1;
    int fd;
    adit_err e = adit_web_check(h->cfg.at, why);

    if (e != ADIT_OK || !parse_at(h->cfg.at, &sa, &n))
        return e;
    fd =
        socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (sa.sa.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, &sa.sa, n) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &sa.sa, &n) != 0) {
        e = errno == EADDRINUSE ? ADIT_EFULL
            : errno == EACCES   ? ADIT_EDENIED
                                : ADIT_EIO;
        snprintf(why, ADIT_WEB_WHY_BYTES, "%.80s: %s", h->cfg.at,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return e;
    }
    format_at(&sa, h->at);
    e = adit_gate_open(&h->gate, h->w, fd, on_accept, h);
    if (e == ADIT_OK)
        return ADIT_OK;
    snprintf(why, ADIT_WEB_WHY_BYTES, "%.80s: %s", h->cfg.at,
             adit_err_text(e));
    close(fd);
    return e;
}

adit_err
adit_web_open(struct adit_worker *w, const struct adit_web_config *cfg,
              struct adit_web **out, char why[ADIT_WEB_WHY_BYTES])
{
    struct adit_web *h = ADIT_NEW(adit_worker_mem(w), struct adit_web);
    adit_err e;

    if (h == NULL) {
        snprintf(why, ADIT_WEB_WHY_BYTES, "out of memory");
        return ADIT_ENOMEM;
    }
    h->w = w;
    h->cfg = *cfg;
    adit_list_init(&h->conns);
    e = listen_at(h, why);
    if (e != ADIT_OK) {
        ADIT_FREE(adit_worker_mem(w), h);
        return e;
    }
    *out = h;
    return ADIT_OK;
}

void
adit_web_close(struct adit_web *h)
{
    if (h == NULL)
        return;
    while (!adit_list_is_empty(&h->conns))
        end_conn(ADIT_CONTAINER_OF(h->conns.next, struct visit, link));
    adit_gate_close(&h->gate);
    ADIT_FREE(adit_worker_mem(h->w), h);
}

const char *
adit_web_at(const struct adit_web *h)
{
    return h->at;
}

size_t
adit_web_n_conns(const struct adit_web *h)
{
    return h->n_conns;
}
