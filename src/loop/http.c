/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "loop/http.h"

#include "base/secret.h"
#include "loop/turn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <arpa/inet.h>
#include <errno.h>

/* Of a name; more are not tried within one deadline anyway. */
#define MAX_ADDRS 8

#define MAX_TOKEN_BYTES 4096

struct addr {
    char text[INET6_ADDRSTRLEN];
};

/* A connection to the server; one request at a time. */
struct conn {
    struct adit_list link; /* in adit_http.conns; unlinked: being closed */
    struct adit_http *h;   /* NULL once it is being closed */
    struct adit_worker *w;
    struct adit_mem *mem;
    struct evhttp_connection *ev;
    struct adit_http_op *op; /* NULL: idle, or nobody waits any more */
    bool was_used;           /* it has answered before */
    bool is_gone;            /* the other end closed it */
    adit_err failure;        /* of the request under way */
    struct adit_timer idle;
    struct adit_retiree retiree;
};

struct adit_http_op {
    struct adit_list link; /* in adit_http.waiting or .busy */
    struct adit_http *h;
    adit_http_fn *fn;
    void *ctx;
    struct conn *conn; /* while it is under way */
    struct adit_timer deadline;
    struct adit_timer hurry; /* another address waits to be tried */
    struct adit_task done;   /* runs when conn let go of it */
    adit_err err;
    unsigned status;
    size_t at;      /* which address is tried */
    bool is_retry;  /* a kept connection was closed: only a new one will do */
    bool is_reused; /* it went over a kept connection */
    uint8_t *answer;
    size_t answer_bytes;
    size_t body_bytes;
    uint8_t body[];
};

struct adit_http {
    struct adit_worker *w;
    struct adit_mem *mem;
    struct adit_http_config cfg;
    char *bearer; /* the header's value; NULL: none */
    size_t bearer_bytes;
    char host_header[ADIT_RESOLVE_MAX_NAME_BYTES + 16];
    struct adit_list conns;
    struct adit_list waiting; /* struct adit_http_op, first come first */
    struct adit_list busy;
    unsigned n_conns, n_ops;
    struct adit_task pump_task;
    struct adit_resolver *resolver; /* NULL until first used */
    struct adit_resolve *asking[2]; /* IP4, IP6 */
    bool is_literal;                /* the host is an address */
    size_t n_addrs;
    struct addr addrs[MAX_ADDRS]; /* in the order they were found */
    struct adit_instant addrs_until;
};

/* ---- the URL ---------------------------------------------------------- */

static bool
parse_port(const char *s, uint16_t *out)
{
    unsigned long v = 0;

    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (unsigned long)(*s - '0');
        if (v > 65535)
            return false;
    }
    *out = (uint16_t)v;
    return v != 0;
}

static bool
is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static const char *
parse_authority(const char *p, size_t n, struct adit_http_url *u)
{
    char text[ADIT_RESOLVE_MAX_NAME_BYTES + 16];
    char *host = text, *end;
    struct in6_addr ip6;

    if (n >= sizeof(text))
        return "its host is too long";
    memcpy(text, p, n);
    text[n] = '\0';
    if (strchr(text, '@') != NULL)
        return "it has a user in it; admission takes a token";
    if (text[0] == '[') {
        host = text + 1;
        end = strchr(host, ']');
        if (end == NULL)
            return "its bracket is not closed";
        *end++ = '\0';
        if (inet_pton(AF_INET6, host, &ip6) != 1)
            return "what is in the brackets is no IPv6 address";
        u->is_ip6 = true;
    } else {
        end = host;
        while (is_host_char(*end))
            end++;
        if (end == host)
            return "it has no host";
    }
    if (*end == ':') {
        *end++ = '\0';
        if (!parse_port(end, &u->port))
            return "its port is not one of 1 to 65535";
    } else if (*end != '\0') {
        return "its host has a character that no name has";
    }
    if (strlen(host) > ADIT_RESOLVE_MAX_NAME_BYTES)
        return "its host is too long";
    memcpy(u->host, host, strlen(host) + 1);
    return NULL;
}

adit_err
adit_http_url_parse(const char *text, struct adit_http_url *out,
                    const char **why)
{
    static const char scheme[] = "http://";
    struct adit_http_url u = { .port = 80, .path = "/" };
    const char *host = text + sizeof(scheme) - 1;
    size_t n;

    *why = "it does not begin with http:// (for https, ask a proxy on this "
           "machine)";
    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
        return ADIT_EINVAL;
    n = strcspn(host, "/?#");
    *why = parse_authority(host, n, &u);
    if (*why != NULL)
        return ADIT_EINVAL;
    if (host[n] == '/') {
        size_t len = strlen(host + n);

        *why = "its path is too long";
        if (len >= sizeof(u.path))
            return ADIT_EINVAL;
        for (size_t i = 0; i < len; i++) {
            char c = host[n + i];

            *why = "its path has a blank, a # or a character beyond ASCII";
            if (c <= ' ' || c > '~' || c == '#')
                return ADIT_EINVAL;
        }
        memcpy(u.path, host + n, len + 1);
    } else if (host[n] != '\0') {
        *why = "it has no path";
        return ADIT_EINVAL;
    }
    *why = NULL;
    *out = u;
    return ADIT_OK;
}

bool
adit_http_is_token(const char *token)
{
    size_t n = strlen(token);

    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return n > 0 && n <= MAX_TOKEN_BYTES;
}

/* ---- connections ------------------------------------------------------- */

static void
reap_conn(void *ctx)
{
    struct conn *c = ctx;

    evhttp_connection_free(c->ev);
    ADIT_FREE(c->mem, c);
}

/*
 * Never again.  It is closed at the end of the turn, since libevent may be
 * in the middle of it.
 */
static void
drop_conn(struct conn *c)
{
    struct adit_http *h = c->h;

    if (h == NULL)
        return;
    adit_list_remove(&c->link);
    h->n_conns--;
    adit_timer_stop(c->w, &c->idle);
    c->h = NULL;
    c->op = NULL;
    adit_retire(c->w, &c->retiree, reap_conn, c);
    adit_task_post(h->w, &h->pump_task);
}

static void
on_idle(void *ctx)
{
    drop_conn(ctx);
}

/* libevent let go of the request: what becomes of it is decided at the end
 * of the turn. */
static void
settle(struct adit_http_op *op, adit_err e)
{
    if (op->conn != NULL)
        op->conn->op = NULL;
    op->conn = NULL;
    op->err = e;
    adit_timer_stop(op->h->w, &op->hurry);
    adit_task_post(op->h->w, &op->done);
}

static adit_err
take_answer(struct adit_http_op *op, struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(in);

    op->status = (unsigned)evhttp_request_get_response_code(req);
    if (n > op->h->cfg.max_bytes)
        return ADIT_ELIMIT;
    if (n == 0)
        return ADIT_OK;
    op->answer = adit_mem_alloc(op->h->mem, n);
    if (op->answer == NULL)
        return ADIT_ENOMEM;
    op->answer_bytes = n;
    return evbuffer_copyout(in, op->answer, n) == (ev_ssize_t)n ? ADIT_OK
                                                                : ADIT_ENOMEM;
}

/* Of libevent: the request is over.  NULL: it failed, and on_error said how. */
static void
on_answer(struct evhttp_request *req, void *arg)
{
    struct conn *c = arg;
    struct adit_http_op *op = c->op;
    bool is_over = true;
    adit_err e;

    adit_worker_enter(c->w);
    if (op == NULL)
        return;
    if (req == NULL) {
        /* One that never was connected was never closed either. */
        e = c->is_gone ? c->failure : ADIT_EUNREACHABLE;
    } else if (evhttp_request_get_response_code(req) == 0) {
        e = ADIT_EUNREACHABLE; /* refused */
    } else {
        e = take_answer(op, req);
        is_over = e != ADIT_OK;
    }
    settle(op, e);
    if (!is_over && !c->is_gone &&
        adit_timer_set(c->w, &c->idle,
                       adit_instant_add(adit_worker_now(c->w),
                                        ADIT_HTTP_IDLE_US)) == ADIT_OK) {
        c->was_used = true;
        adit_task_post(c->h->w, &c->h->pump_task);
        return;
    }
    drop_conn(c);
}

/* Of libevent: comes before on_answer(NULL). */
static void
on_error(enum evhttp_request_error error, void *arg)
{
    struct conn *c = arg;

    adit_worker_enter(c->w);
    switch (error) {
    case EVREQ_HTTP_TIMEOUT:
        c->failure = ADIT_ETIMEDOUT;
        return;
    case EVREQ_HTTP_EOF:
    case EVREQ_HTTP_BUFFER_ERROR:
    case EVREQ_HTTP_REQUEST_CANCEL:
        c->failure = ADIT_ERESET;
        return;
    case EVREQ_HTTP_INVALID_HEADER:
        c->failure = ADIT_EPROTO;
        return;
    case EVREQ_HTTP_DATA_TOO_LONG:
        c->failure = ADIT_ELIMIT;
        return;
    }
    c->failure = ADIT_EIO;
}

/* Of libevent: the connection is closed, with or without a request. */
static void
on_gone(struct evhttp_connection *ev, void *arg)
{
    struct conn *c = arg;

    (void)ev;
    adit_worker_enter(c->w);
    c->is_gone = true;
    if (c->op == NULL)
        drop_conn(c);
}

/* NULL: no memory. */
static struct conn *
new_conn(struct adit_http *h, const struct addr *at)
{
    struct conn *c = ADIT_NEW(h->mem, struct conn);

    if (c == NULL)
        return NULL;
    c->ev = evhttp_connection_base_bufferevent_new(
        adit_worker_base(h->w), NULL, NULL, at->text, h->cfg.url.port);
    if (c->ev == NULL) {
        ADIT_FREE(h->mem, c);
        return NULL;
    }
    evhttp_connection_set_max_headers_size(c->ev, ADIT_HTTP_MAX_HEADER_BYTES);
    evhttp_connection_set_max_body_size(c->ev, (ev_ssize_t)h->cfg.max_bytes);
    evhttp_connection_set_closecb(c->ev, on_gone, c);
    c->h = h;
    c->w = h->w;
    c->mem = h->mem;
    c->idle.fn = on_idle;
    c->idle.ctx = c;
    adit_list_push_head(&h->conns, &c->link);
    h->n_conns++;
    return c;
}

static bool
add_headers(struct adit_http *h, struct evhttp_request *req)
{
    struct evkeyvalq *q = evhttp_request_get_output_headers(req);

    return evhttp_add_header(q, "Host", h->host_header) == 0 &&
           evhttp_add_header(q, "Content-Type", "application/json") == 0 &&
           evhttp_add_header(q, "Accept", "application/json") == 0 &&
           (h->bearer == NULL ||
            evhttp_add_header(q, "Authorization", h->bearer) == 0);
}

static void
send_on(struct conn *c, struct adit_http_op *op)
{
    struct adit_http *h = op->h;
    struct evhttp_request *req = evhttp_request_new(on_answer, c);

    adit_list_remove(&op->link);
    adit_list_push_tail(&h->busy, &op->link);
    adit_timer_stop(h->w, &c->idle);
    op->conn = c;
    op->is_reused = c->was_used;
    /* Without memory for the timer it is not in a hurry. */
    if (!c->was_used && op->at + 1 < h->n_addrs)
        (void)!adit_timer_set(
            h->w, &op->hurry,
            adit_instant_add(adit_worker_now(h->w), ADIT_HTTP_TRY_US));
    c->op = op;
    c->failure = ADIT_ERESET;
    if (req != NULL) {
        evhttp_request_set_error_cb(req, on_error);
        if (!add_headers(h, req) ||
            evbuffer_add(evhttp_request_get_output_buffer(req), op->body,
                         op->body_bytes) != 0) {
            evhttp_request_free(req);
            req = NULL;
        }
    }
    /* It may call on_answer before it returns. */
    if (req != NULL &&
        evhttp_make_request(c->ev, req, EVHTTP_REQ_POST, h->cfg.url.path) == 0)
        return;
    if (c->op == op)
        settle(op, ADIT_ENOMEM);
    drop_conn(c);
}

/* ---- the name ---------------------------------------------------------- */

static void
fail_waiting(struct adit_http *h, adit_err e)
{
    struct adit_list *n;

    while ((n = adit_list_pop_head(&h->waiting)) != NULL) {
        struct adit_http_op *op =
            ADIT_CONTAINER_OF(n, struct adit_http_op, link);

        adit_list_push_tail(&h->busy, n);
        settle(op, e);
    }
}

static void
add_addr(struct adit_http *h, int family, const uint8_t *ip)
{
    if (h->n_addrs < MAX_ADDRS &&
        inet_ntop(family, ip, h->addrs[h->n_addrs].text,
                  sizeof(h->addrs[0].text)) != NULL)
        h->n_addrs++;
}

/* The first addresses will do: a name server may be silent about a kind. */
static void
on_resolved(struct adit_http *h, int i, adit_err e,
            const struct adit_resolve_answer *a)
{
    h->asking[i] = NULL;
    for (size_t k = 0; e == ADIT_OK && k < a->n; k++)
        add_addr(h, a->v[k].n == 4 ? AF_INET : AF_INET6, a->v[k].p);
    if (h->n_addrs > 0)
        adit_task_post(h->w, &h->pump_task);
    else if (h->asking[!i] == NULL)
        fail_waiting(h, e == ADIT_OK ? ADIT_ERESOLVE : e);
}

static void
on_ip4(void *ctx, adit_err e, const struct adit_resolve_answer *a)
{
    on_resolved(ctx, 0, e, a);
}

static void
on_ip6(void *ctx, adit_err e, const struct adit_resolve_answer *a)
{
    on_resolved(ctx, 1, e, a);
}

/* False: nothing will come of it; who waits has been told. */
static bool
resolve(struct adit_http *h, struct adit_instant deadline)
{
    struct adit_slice name = adit_slice_str(h->cfg.url.host);
    const struct adit_resolver_config rc = { h->cfg.servers };
    adit_err e = ADIT_OK, e6 = ADIT_OK;

    if (h->asking[0] != NULL || h->asking[1] != NULL)
        return true;
    h->n_addrs = 0;
    h->addrs_until =
        adit_instant_add(adit_worker_now(h->w), ADIT_HTTP_NAME_US);
    if (h->resolver == NULL)
        e = adit_resolver_new(h->w, &rc, &h->resolver);
    if (e == ADIT_OK) {
        e = adit_resolve_start(h->resolver, ADIT_RESOLVE_IP4, name, deadline,
                               on_ip4, h, &h->asking[0]);
        e6 = adit_resolve_start(h->resolver, ADIT_RESOLVE_IP6, name, deadline,
                                on_ip6, h, &h->asking[1]);
    }
    if (h->asking[0] != NULL || h->asking[1] != NULL)
        return true;
    fail_waiting(h, e != ADIT_OK ? e : e6);
    return false;
}

static bool
has_addrs(const struct adit_http *h)
{
    return h->n_addrs > 0 &&
           (h->is_literal ||
            !adit_instant_is_due(h->addrs_until, adit_worker_now(h->w)));
}

static void
set_literal(struct adit_http *h)
{
    const char *host = h->cfg.url.host;
    uint8_t ip4[4] = { 127, 0, 0, 1 }, ip6[16] = { [15] = 1 };
    /* RFC 6761: this name is never asked for. */
    bool is_local = strcmp(host, "localhost") == 0;

    if (is_local || inet_pton(AF_INET, host, ip4) == 1)
        add_addr(h, AF_INET, ip4);
    if (is_local || (h->cfg.url.is_ip6 && inet_pton(AF_INET6, host, ip6) == 1))
        add_addr(h, AF_INET6, ip6);
    h->is_literal = h->n_addrs > 0;
}

/* ---- requests ---------------------------------------------------------- */

static struct conn *
idle_conn(struct adit_http *h)
{
    ADIT_LIST_EACH(n, tmp, &h->conns)
    {
        struct conn *c = ADIT_CONTAINER_OF(n, struct conn, link);

        if (c->op == NULL && !c->is_gone)
            return c;
    }
    return NULL;
}

/* Put who waits on connections, as far as these go. */
static void
pump(void *ctx)
{
    struct adit_http *h = ctx;

    while (!adit_list_is_empty(&h->waiting)) {
        struct adit_http_op *op =
            ADIT_CONTAINER_OF(h->waiting.next, struct adit_http_op, link);
        struct conn *c = op->is_retry || op->at > 0 ? NULL : idle_conn(h);

        if (c == NULL) {
            struct conn *spare;

            if (h->n_conns == ADIT_HTTP_MAX_CONNS) {
                /* An old one in the way of one that needs a new one. */
                spare = idle_conn(h);
                if (spare == NULL)
                    return;
                drop_conn(spare);
            }
            if (!has_addrs(h)) {
                (void)!resolve(h, op->deadline.node.due);
                return;
            }
            op->at = ADIT_MIN(op->at, h->n_addrs - 1);
            c = new_conn(h, &h->addrs[op->at]);
        }
        if (c == NULL) {
            adit_list_remove(&op->link);
            adit_list_push_tail(&h->busy, &op->link);
            settle(op, ADIT_ENOMEM);
            continue;
        }
        send_on(c, op);
    }
}

static void
free_op(struct adit_http_op *op)
{
    struct adit_http *h = op->h;

    adit_list_remove(&op->link);
    adit_timer_stop(h->w, &op->deadline);
    adit_timer_stop(h->w, &op->hurry);
    adit_task_cancel(&op->done);
    if (op->conn != NULL)
        drop_conn(op->conn);
    if (op->answer != NULL)
        adit_mem_free(h->mem, op->answer, op->answer_bytes);
    h->n_ops--;
    adit_mem_free(h->mem, op, sizeof(*op) + op->body_bytes);
}

/* The last thing in whatever calls it: `fn` may free the client. */
static void
finish(struct adit_http_op *op, adit_err e)
{
    struct adit_http_answer a = { 0 };
    adit_http_fn *fn = op->fn;
    void *ctx = op->ctx;
    struct adit_mem *mem = op->h->mem;
    uint8_t *answer = op->answer;
    size_t n = op->answer_bytes;

    if (e == ADIT_OK) {
        a.status = op->status;
        a.body = adit_slice(answer, n);
    }
    op->answer = NULL;
    free_op(op);
    fn(ctx, e, &a);
    if (answer != NULL)
        adit_mem_free(mem, answer, n);
}

static void
again(struct adit_http_op *op)
{
    adit_list_remove(&op->link);
    adit_list_push_head(&op->h->waiting, &op->link);
    adit_task_post(op->h->w, &op->h->pump_task);
}

static bool
is_connected(const struct conn *c)
{
    struct bufferevent *b = evhttp_connection_get_bufferevent(c->ev);
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);

    return getpeername(bufferevent_getfd(b), (struct sockaddr *)&ss, &n) == 0;
}

static void
on_hurry(void *ctx)
{
    struct adit_http_op *op = ctx;

    if (op->conn == NULL || is_connected(op->conn))
        return;
    drop_conn(op->conn);
    op->conn = NULL;
    op->at++;
    again(op);
}

static void
on_done(void *ctx)
{
    struct adit_http_op *op = ctx;

    if (op->err == ADIT_EUNREACHABLE && op->at + 1 < op->h->n_addrs) {
        op->at++;
        again(op);
    } else if (op->err == ADIT_ERESET && op->is_reused && !op->is_retry) {
        op->is_retry = true;
        again(op);
    } else {
        if (op->err == ADIT_EUNREACHABLE && !op->h->is_literal)
            op->h->n_addrs = 0; /* perhaps it has moved */
        finish(op, op->err);
    }
}

static void
on_deadline(void *ctx)
{
    finish(ctx, ADIT_ETIMEDOUT);
}

adit_err
adit_http_post(struct adit_http *h, struct adit_slice body,
               struct adit_instant deadline, adit_http_fn *fn, void *ctx,
               struct adit_http_op **out)
{
    struct adit_http_op *op;

    if (h->n_ops >= ADIT_HTTP_MAX_OPS)
        return ADIT_EFULL;
    op = adit_mem_alloc(h->mem, sizeof(*op) + body.n);
    if (op == NULL)
        return ADIT_ENOMEM;
    op->body_bytes = body.n;
    op->deadline.fn = on_deadline;
    op->deadline.ctx = op;
    if (adit_timer_set(h->w, &op->deadline, deadline) != ADIT_OK) {
        adit_mem_free(h->mem, op, sizeof(*op) + op->body_bytes);
        return ADIT_ENOMEM;
    }
    op->h = h;
    op->fn = fn;
    op->ctx = ctx;
    op->hurry.fn = on_hurry;
    op->hurry.ctx = op;
    op->done.fn = on_done;
    op->done.ctx = op;
    adit_copy(op->body, body);
    adit_list_push_tail(&h->waiting, &op->link);
    h->n_ops++;
    adit_task_post(h->w, &h->pump_task);
    *out = op;
    return ADIT_OK;
}

void
adit_http_cancel(struct adit_http_op *op)
{
    if (op != NULL)
        free_op(op);
}

/* ---- the client -------------------------------------------------------- */

adit_err
adit_http_new(struct adit_worker *w, const struct adit_http_config *cfg,
              struct adit_http **out)
{
    static const char scheme[] = "Bearer ";
    struct adit_mem *mem = adit_worker_mem(w);
    const struct adit_http_url *u = &cfg->url;
    struct adit_http *h;

    if (adit_worker_base(w) == NULL)
        return ADIT_EUNSUPPORTED;
    if (cfg->token != NULL && !adit_http_is_token(cfg->token))
        return ADIT_EINVAL;
    h = ADIT_NEW(mem, struct adit_http);
    if (h == NULL)
        return ADIT_ENOMEM;
    h->w = w;
    h->mem = mem;
    h->cfg = *cfg;
    h->cfg.token = NULL;
    if (cfg->token != NULL) {
        h->bearer_bytes = sizeof(scheme) + strlen(cfg->token);
        h->bearer = adit_mem_alloc(mem, h->bearer_bytes);
        if (h->bearer == NULL) {
            ADIT_FREE(mem, h);
            return ADIT_ENOMEM;
        }
        snprintf(h->bearer, h->bearer_bytes, "%s%s", scheme, cfg->token);
    }
    snprintf(h->host_header, sizeof(h->host_header),
             u->is_ip6 ? "[%s]:%u" : "%s:%u", u->host, (unsigned)u->port);
    adit_list_init(&h->conns);
    adit_list_init(&h->waiting);
    adit_list_init(&h->busy);
    h->pump_task.fn = pump;
    h->pump_task.ctx = h;
    set_literal(h);
    *out = h;
    return ADIT_OK;
}

static void
free_all(struct adit_list *ops)
{
    while (!adit_list_is_empty(ops))
        free_op(ADIT_CONTAINER_OF(ops->next, struct adit_http_op, link));
}

void
adit_http_free(struct adit_http *h)
{
    if (h == NULL)
        return;
    free_all(&h->waiting);
    free_all(&h->busy);
    while (!adit_list_is_empty(&h->conns))
        drop_conn(ADIT_CONTAINER_OF(h->conns.next, struct conn, link));
    adit_task_cancel(&h->pump_task);
    adit_resolver_free(h->resolver);
    if (h->bearer != NULL) {
        adit_wipe(h->bearer, h->bearer_bytes);
        adit_mem_free(h->mem, h->bearer, h->bearer_bytes);
    }
    ADIT_FREE(h->mem, h);
}
