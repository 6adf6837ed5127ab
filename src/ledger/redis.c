/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The connection to Redis: made when there is a job and none is there, kept
 * until it breaks or an answer is late.
 *
 * hiredis 0.14 has no deadlines of its own; each step here (the name, the
 * connection, each reply) has one, and what is late is cut off.  Who tries
 * again, and when, is the ledger's affair: a job that could not be done
 * fails.
 */
#include "ledger/redis.h"

#include "base/secret.h"
#include "ledger/clerk.h"
#include "loop/fd.h"
#include "loop/resolve.h"

#include <hiredis/async.h>

#include <arpa/inet.h>
#include <inttypes.h>

/* See redis_wait_us. */
#define WAIT_US (3 * ADIT_S)

/* After a connection that failed all but batches fail at once for so long:
 * each would wait for its deadline, and the batch behind them. */
#define PAUSE_US (1 * ADIT_S)

#define HOST_BYTES 256
#define PASSWORD_BYTES 512

enum state { OFF, RESOLVING, CONNECTING, AUTH, UP };

struct adit_store {
    struct adit_clerk *clerk;
    enum state state;
    redisAsyncContext *ac; /* CONNECTING and later */
    struct adit_fd *fd;
    struct adit_resolver *resolver;
    struct adit_resolve *resolve;
    bool tried_ip4;
    struct adit_timer deadline;
    struct adit_instant not_before;
    int64_t wait_us;
    bool is_late;          /* the deadline has passed, the rest follows */
    char host[HOST_BYTES]; /* or the socket's path */
    uint16_t port;         /* 0: a path */
    char user[HOST_BYTES];
    char password[PASSWORD_BYTES];
    struct adit_redis_work work;          /* .job: under way, or NULL */
    char why[ADIT_LEDGER_WHY_TEXT_BYTES]; /* the last failure */
};

/* ---- ends ----------------------------------------------------------------- */

static void
set_why(struct adit_store *s, const char *what)
{
    if (s->port != 0)
        snprintf(s->why, sizeof(s->why), "Redis at %.90s:%u: %.140s", s->host,
                 (unsigned)s->port, what);
    else
        snprintf(s->why, sizeof(s->why), "Redis at %.90s: %.140s", s->host,
                 what);
}

static void
finish(struct adit_store *s, adit_err e)
{
    adit_timer_stop(s->clerk->w, &s->deadline);
    if (s->work.job == NULL)
        return;
    s->work.job = NULL;
    adit_clerk_done(s->clerk, e, s->why);
}

/* There is no connection, and none is coming; `why` is set. */
static void
went_off(struct adit_store *s)
{
    s->state = OFF;
    s->not_before = adit_instant_add(adit_worker_now(s->clerk->w), PAUSE_US);
    finish(s, ADIT_EIO);
}

/* hiredis frees the connection: the one place that every end of it passes. */
static void
on_cleanup(void *ctx)
{
    struct adit_store *s = ctx;

    if (!s->is_late && s->state != AUTH)
        set_why(s, s->ac->err != 0 && s->ac->errstr[0] != '\0'
                       ? s->ac->errstr
                       : "the connection ended");
    s->is_late = false;
    adit_fd_free(s->fd);
    s->fd = NULL;
    s->ac = NULL;
    went_off(s);
}

/* Not from inside a callback of hiredis' that is told of a connection. */
static void
cut(struct adit_store *s, const char *why)
{
    set_why(s, why);
    s->is_late = true;
    if (s->ac != NULL) {
        redisAsyncFree(s->ac); /* on_cleanup */
        return;
    }
    s->is_late = false;
    if (s->resolve != NULL)
        adit_resolve_cancel(s->resolve);
    s->resolve = NULL;
    went_off(s);
}

static void
on_deadline(void *ctx)
{
    struct adit_store *s = ctx;
    char text[64];

    snprintf(text, sizeof(text), "no %s within %" PRId64 " ms",
             s->state == UP || s->state == AUTH ? "answer" : "connection",
             s->wait_us / 1000);
    cut(s, text);
}

/* False: the job has failed. */
static bool
set_deadline(struct adit_store *s)
{
    if (adit_timer_set(s->clerk->w, &s->deadline,
                       adit_instant_add(adit_worker_now(s->clerk->w),
                                        s->wait_us)) == ADIT_OK)
        return true;
    set_why(s, "no memory");
    finish(s, ADIT_ENOMEM);
    return false;
}

/* ---- commands --------------------------------------------------------------- */

static void on_reply(redisAsyncContext *ac, void *reply, void *ctx);

static void
send_cmd(struct adit_store *s, struct adit_redis_cmd *c, redisCallbackFn *fn)
{
    struct adit_slice out;

    if (!set_deadline(s))
        return;
    if (adit_redis_cmd_get(c, &out) != ADIT_OK ||
        redisAsyncFormattedCommand(s->ac, fn, s, (const char *)out.p, out.n) !=
            REDIS_OK) {
        set_why(s, "the command could not be sent");
        finish(s, ADIT_EIO);
    }
}

static void
send_next(struct adit_store *s)
{
    struct adit_redis_cmd c;

    adit_redis_cmd_init(&c, &s->clerk->mem);
    adit_redis_work_next(&s->work, &c);
    send_cmd(s, &c, on_reply);
    adit_redis_cmd_fini(&c);
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *ctx)
{
    struct adit_store *s = ctx;
    const redisReply *r = reply;

    (void)ac;
    if (r == NULL || s->work.job == NULL)
        return; /* on_cleanup follows; or nobody waits */
    if (r->type == REDIS_REPLY_ERROR) {
        set_why(s, r->str);
        finish(s, ADIT_EIO);
        return;
    }
    switch (adit_redis_work_reply(&s->work, r)) {
    case ADIT_OK:
        finish(s, ADIT_OK);
        break;
    case ADIT_AGAIN:
        send_next(s);
        break;
    default:
        set_why(s, "an answer that is none of Redis'");
        finish(s, ADIT_EIO);
        break;
    }
}

/* It serves: what waits for it? */
static void
went_up(struct adit_store *s)
{
    s->state = UP;
    adit_timer_stop(s->clerk->w, &s->deadline);
    if (s->work.job != NULL)
        send_next(s);
}

static void
on_auth(redisAsyncContext *ac, void *reply, void *ctx)
{
    struct adit_store *s = ctx;
    const redisReply *r = reply;

    if (r == NULL) {
        if (!s->is_late)
            set_why(s, "the connection ended at the password");
        return; /* on_cleanup follows */
    }
    if (r->type != REDIS_REPLY_ERROR) {
        went_up(s);
        return;
    }
    set_why(s, r->str);
    redisAsyncFree(ac); /* when this callback has returned */
}

/* ---- the connection ----------------------------------------------------------- */

static void
want(struct adit_store *s, int add, int del)
{
    if (s->fd != NULL)
        adit_fd_want(s->fd, (adit_fd_wants(s->fd) | add) & ~del);
}

static void
add_read(void *ctx)
{
    want(ctx, ADIT_FD_READ, 0);
}

static void
del_read(void *ctx)
{
    want(ctx, 0, ADIT_FD_READ);
}

static void
add_write(void *ctx)
{
    want(ctx, ADIT_FD_WRITE, 0);
}

static void
del_write(void *ctx)
{
    want(ctx, 0, ADIT_FD_WRITE);
}

static void
on_ready(void *ctx, int ready)
{
    struct adit_store *s = ctx;

    /* Each call may end the connection. */
    if ((ready & ADIT_FD_WRITE) != 0 && s->ac != NULL)
        redisAsyncHandleWrite(s->ac);
    if ((ready & ADIT_FD_READ) != 0 && s->ac != NULL)
        redisAsyncHandleRead(s->ac);
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
    struct adit_store *s = ac->data;
    struct adit_redis_cmd c;

    if (status != REDIS_OK)
        return; /* on_cleanup follows */
    if (s->password[0] == '\0') {
        went_up(s);
        return;
    }
    s->state = AUTH;
    adit_redis_cmd_init(&c, &s->clerk->mem);
    adit_redis_cmd_str(&c, "AUTH");
    if (s->user[0] != '\0')
        adit_redis_cmd_str(&c, s->user);
    adit_redis_cmd_str(&c, s->password);
    send_cmd(s, &c, on_auth);
    adit_redis_cmd_fini(&c);
}

/* `ip`: numeric; NULL: the socket's path. */
static void
connect_to(struct adit_store *s, const char *ip)
{
    redisAsyncContext *ac = ip != NULL ? redisAsyncConnect(ip, s->port)
                                       : redisAsyncConnectUnix(s->host);

    if (ac == NULL || ac->err != 0 ||
        adit_fd_new(s->clerk->w, ac->c.fd, on_ready, s, &s->fd) != ADIT_OK) {
        set_why(s, ac != NULL && ac->err != 0 ? ac->errstr : "no memory");
        if (ac != NULL)
            redisAsyncFree(ac);
        went_off(s);
        return;
    }
    s->ac = ac;
    s->state = CONNECTING;
    ac->data = s;
    ac->ev.data = s;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = on_cleanup;
    redisAsyncSetConnectCallback(ac, on_connect); /* waits for WRITE */
}

static void resolve(struct adit_store *s, enum adit_resolve_what what);

static void
on_resolved(void *ctx, adit_err e, const struct adit_resolve_answer *a)
{
    struct adit_store *s = ctx;
    char ip[INET6_ADDRSTRLEN];

    s->resolve = NULL;
    if (e != ADIT_OK) {
        if (!s->tried_ip4) {
            s->tried_ip4 = true;
            resolve(s, ADIT_RESOLVE_IP6);
            return;
        }
        set_why(s, "the name has no address");
        went_off(s);
        return;
    }
    inet_ntop(a->v[0].n == 4 ? AF_INET : AF_INET6, a->v[0].p, ip, sizeof(ip));
    connect_to(s, ip);
}

static void
resolve(struct adit_store *s, enum adit_resolve_what what)
{
    struct adit_resolver_config cfg = { 0 };

    if ((s->resolver == NULL &&
         adit_resolver_new(s->clerk->w, &cfg, &s->resolver) != ADIT_OK) ||
        adit_resolve_start(s->resolver, what, adit_slice_str(s->host),
                           s->deadline.node.due, on_resolved, s,
                           &s->resolve) != ADIT_OK) {
        set_why(s, "the name cannot be looked up");
        went_off(s);
        return;
    }
    s->state = RESOLVING;
}

static void
begin(struct adit_store *s)
{
    uint8_t ip[16];

    if (!set_deadline(s))
        return;
    if (s->port == 0) {
        connect_to(s, NULL);
    } else if (inet_pton(AF_INET, s->host, ip) == 1 ||
               inet_pton(AF_INET6, s->host, ip) == 1) {
        connect_to(s, s->host);
    } else {
        s->tried_ip4 = false;
        resolve(s, ADIT_RESOLVE_IP4);
    }
}

/* ---- the store ------------------------------------------------------------------ */

static void
redis_run(struct adit_store *s, struct adit_job *job)
{
    adit_redis_work_begin(&s->work, job);
    if (s->state == UP)
        send_next(s);
    else if (job->kind != ADIT_JOB_BATCH &&
             !adit_instant_is_due(s->not_before, adit_worker_now(s->clerk->w)))
        finish(s, ADIT_EIO);
    else
        begin(s);
}

static void
redis_cancel(struct adit_store *s)
{
    cut(s, s->state == UP ? "no answer in time" : "no connection in time");
}

static void
redis_close(struct adit_store *s)
{
    adit_assert(s->work.job == NULL);
    adit_timer_stop(s->clerk->w, &s->deadline);
    if (s->ac != NULL)
        redisAsyncFree(s->ac);
    adit_resolver_free(s->resolver);
    adit_wipe(s->password, sizeof(s->password));
    ADIT_FREE(&s->clerk->mem, s);
}

/* HOST:PORT, [IPV6]:PORT or /PATH.  False: none of these. */
static bool
parse_where(struct adit_store *s, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t n;
    char *end;
    unsigned long port;

    if (text[0] == '/') {
        snprintf(s->host, sizeof(s->host), "%s", text);
        return strlen(text) < sizeof(s->host);
    }
    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (*end != '\0' || port == 0 || port > UINT16_MAX || n == 0 ||
        n >= sizeof(s->host))
        return false;
    memcpy(s->host, text, n);
    s->port = (uint16_t)port;
    return true;
}

static adit_err
redis_open(struct adit_clerk *clerk, const struct adit_ledger_config *cfg,
           const uint8_t instance[static 16], struct adit_store **out,
           char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    struct adit_store *s = ADIT_NEW(&clerk->mem, struct adit_store);
    const char *wrong = NULL;

    if (s == NULL)
        return ADIT_ENOMEM;
    s->clerk = clerk;
    s->deadline = (struct adit_timer){ .fn = on_deadline, .ctx = s };
    s->wait_us = cfg->redis_wait_us > 0 ? cfg->redis_wait_us : WAIT_US;
    s->work.keep_circuits_us = cfg->keep_circuits_us;
    s->work.keep_days_us = cfg->keep_days_us;
    s->work.keep_months_us = cfg->keep_months_us;
    for (size_t i = 0; i < 16; i++)
        snprintf(s->work.instance + 2 * i, 3, "%02x", instance[i]);

    if (!parse_where(s, cfg->redis))
        wrong = "is neither HOST:PORT nor /PATH";
    else if (strlen(cfg->redis_prefix) >= sizeof(s->work.prefix))
        wrong = "has too long a prefix";
    else if (cfg->redis_password != NULL &&
             strlen(cfg->redis_password) >= sizeof(s->password))
        wrong = "has too long a password";
    else if (cfg->redis_user != NULL &&
             strlen(cfg->redis_user) >= sizeof(s->user))
        wrong = "has too long a user name";
    if (wrong != NULL) {
        snprintf(why, ADIT_LEDGER_WHY_TEXT_BYTES, "Redis at %.150s: %s",
                 cfg->redis, wrong);
        ADIT_FREE(&clerk->mem, s);
        return ADIT_EIO;
    }
    snprintf(s->work.prefix, sizeof(s->work.prefix), "%s", cfg->redis_prefix);
    if (cfg->redis_user != NULL)
        snprintf(s->user, sizeof(s->user), "%s", cfg->redis_user);
    if (cfg->redis_password != NULL)
        snprintf(s->password, sizeof(s->password), "%s", cfg->redis_password);
    *out = s;
    return ADIT_OK;
}

const struct adit_backend adit_backend_redis = {
    .open = redis_open,
    .close = redis_close,
    .run = redis_run,
    .cancel = redis_cancel,
};
