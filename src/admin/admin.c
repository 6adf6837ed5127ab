/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/admin.h"

#include "admin/desk.h"
#include "admin/web.h"
#include "embed/inner.h"
#include "metrics/expo.h"

#include <grp.h>

/* What getgrnam_r may need. */
#define GROUP_BYTES 65536

struct adit_admin {
    char *socket, *http_at; /* NULL: none */
    int socket_fd;
    bool has_group;
    gid_t gid;
    void (*on_task)(void *ctx, enum adit_admin_task task, uint64_t token);
    void *ctx;
    /* On the worker. */
    struct adit_worker *w;
    struct adit_proc proc;
    struct adit_desk desk;
    struct adit_sock *sock;
    struct adit_web *http;
};

/* ---- pages ------------------------------------------------------------------------ */

static size_t
write_metrics(void *ctx, char *out, size_t cap, unsigned *status)
{
    struct adit_admin *a = ctx;
    struct adit_scraped scraped = { 0 };
    const struct adit_metrics *cells[] = { a->desk.cfg.host->metrics };
    size_t n;

    (void)status;
    adit_desk_scrape(&a->desk, &scraped);
    n = adit_expo_format(cells, 1, out, cap);
    n += adit_expo_scraped(&scraped, n < cap ? out + n : NULL,
                           n < cap ? cap - n : 0);
    /* A gauge may have grown a digit by the second time. */
    return out == NULL ? n + 256 : n;
}

/* That it is answered at all is the answer. */
static size_t
write_health(void *ctx, char *out, size_t cap, unsigned *status)
{
    (void)ctx;
    (void)status;
    return (size_t)snprintf(out, cap, "ok\n");
}

static size_t
write_readiness(void *ctx, char *out, size_t cap, unsigned *status)
{
    const struct adit_admin *a = ctx;
    const char *why;

    if (!adit_desk_is_ready(&a->desk, &why))
        *status = 503;
    return (size_t)snprintf(out, cap, "%s\n", why);
}

#define PLAIN "text/plain; charset=utf-8"
static const struct adit_web_page pages[] = {
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics },
    { "/healthz", PLAIN, write_health },
    { "/readyz", PLAIN, write_readiness },
};

/* ---- on the worker ------------------------------------------------------------------ */

static void
log_open(const struct adit_admin *a)
{
    struct adit_log_line l;

    if (a->sock == NULL && a->http == NULL)
        return;
    if (!adit_log_open(&l, adit_worker_log(a->w), ADIT_LOG_INFO,
                       "admin.ready"))
        return;
    if (a->sock != NULL && a->socket != NULL)
        adit_log_str(&l, "socket", a->socket);
    if (a->http != NULL)
        adit_log_str(&l, "http", adit_web_at(a->http));
    adit_log_close(&l);
}

static void
close_all(void *ctx)
{
    struct adit_admin *a = ctx;

    adit_web_close(a->http);
    adit_sock_close(a->sock);
    a->http = NULL;
    a->sock = NULL;
    adit_desk_close(&a->desk);
    adit_proc_close(&a->proc);
}

static adit_err
open_sock(struct adit_admin *a, char why[ADIT_NODE_WHY_BYTES])
{
    const struct adit_sock_config cfg = {
        .path = a->socket,
        .fd = a->socket_fd,
        .has_group = a->has_group,
        .gid = (uint32_t)a->gid,
        .ctx = &a->desk,
        .ask = adit_desk_ask,
        .more = adit_desk_more,
        .gone = adit_desk_gone,
    };
    char text[ADIT_SOCK_WHY_BYTES] = "";
    adit_err e;

    if (a->socket == NULL && a->socket_fd < 0)
        return ADIT_OK;
    e = adit_sock_open(a->w, &cfg, &a->sock, text);
    if (e != ADIT_OK)
        snprintf(why, ADIT_NODE_WHY_BYTES, "admin.socket: %s", text);
    return e;
}

static adit_err
open_http(struct adit_admin *a, char why[ADIT_NODE_WHY_BYTES])
{
    const struct adit_web_config cfg = {
        .at = a->http_at,
        .pages = pages,
        .n_pages = ADIT_NITEMS(pages),
        .ctx = a,
    };
    char text[ADIT_WEB_WHY_BYTES] = "";
    adit_err e;

    if (a->http_at == NULL)
        return ADIT_OK;
    e = adit_web_open(a->w, &cfg, &a->http, text);
    if (e != ADIT_OK)
        snprintf(why, ADIT_NODE_WHY_BYTES, "http.listen: %s", text);
    return e;
}

static adit_err
open_all(void *ctx, struct adit_node *n, char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_admin *a = ctx;
    struct adit_desk_config cfg = {
        .node = n,
        .host = adit_node_host(n),
        .relay = adit_node_relay(n),
        .proc = &a->proc,
        .on_task = a->on_task,
        .ctx = a->ctx,
    };
    adit_err e;

    a->w = cfg.w = cfg.host->w;
    adit_proc_open(&a->proc);
    e = adit_desk_open(&a->desk, &cfg);
    if (e != ADIT_OK)
        snprintf(why, ADIT_NODE_WHY_BYTES, "out of memory");
    if (e == ADIT_OK)
        e = open_sock(a, why);
    if (e == ADIT_OK)
        e = open_http(a, why);
    if (e == ADIT_OK)
        log_open(a);
    else
        close_all(a);
    return e;
}

/* ---- on the program's thread ---------------------------------------------------------- */

static bool
is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static adit_err
find_group(struct adit_admin *a, const char *name,
           char why[ADIT_ADMIN_WHY_BYTES])
{
    struct group g, *found = NULL;
    char *buf = malloc(GROUP_BYTES);

    if (buf == NULL)
        return ADIT_ENOMEM;
    if (getgrnam_r(name, &g, buf, GROUP_BYTES, &found) == 0 && found != NULL) {
        a->has_group = true;
        a->gid = g.gr_gid;
    }
    free(buf);
    if (a->has_group)
        return ADIT_OK;
    snprintf(why, ADIT_ADMIN_WHY_BYTES, "admin.group: there is no group %.80s",
             name);
    return ADIT_EINVAL;
}

static adit_err
take_config(struct adit_admin *a, const struct adit_admin_config *cfg,
            char why[ADIT_ADMIN_WHY_BYTES])
{
    adit_err e;

    a->socket_fd = cfg->socket_fd;
    a->on_task = cfg->on_task;
    a->ctx = cfg->ctx;
    if (is_set(cfg->socket) && (a->socket = strdup(cfg->socket)) == NULL)
        return ADIT_ENOMEM;
    if (is_set(cfg->group)) {
        e = find_group(a, cfg->group, why);
        if (e != ADIT_OK)
            return e;
    }
    if (!is_set(cfg->http))
        return ADIT_OK;
    if (adit_web_check(cfg->http, why) != ADIT_OK)
        return ADIT_EINVAL;
    a->http_at = strdup(cfg->http);
    return a->http_at != NULL ? ADIT_OK : ADIT_ENOMEM;
}

adit_err
adit_admin_new(adit_node *n, const struct adit_admin_config *cfg,
               struct adit_admin **out, char why[ADIT_ADMIN_WHY_BYTES])
{
    struct adit_admin *a = calloc(1, sizeof(*a));
    struct adit_annex annex = { .open = open_all, .close = close_all };
    adit_err e;

    snprintf(why, ADIT_ADMIN_WHY_BYTES, "out of memory");
    if (a == NULL)
        return ADIT_ENOMEM;
    e = take_config(a, cfg, why);
    if (e != ADIT_OK) {
        adit_admin_free(a);
        return e;
    }
    annex.ctx = a;
    adit_node_set_annex(n, &annex);
    why[0] = '\0';
    *out = a;
    return ADIT_OK;
}

void
adit_admin_free(struct adit_admin *a)
{
    if (a == NULL)
        return;
    adit_desk_fini(&a->desk);
    free(a->socket);
    free(a->http_at);
    free(a);
}

void
adit_admin_answer(struct adit_admin *a, uint64_t token, adit_err e,
                  const char *json_or_text)
{
    adit_desk_answer(&a->desk, token, e, json_or_text);
}

void
adit_admin_set_generation(struct adit_admin *a, uint64_t generation,
                          int64_t since_unix_s)
{
    atomic_store(&a->desk.generation, generation);
    atomic_store(&a->desk.generation_unix_s, since_unix_s);
}
