/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "loop/resolve.h"

#include "loop/fd.h"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Each server is asked so often, so long; it doubles after each round. */
#define TRY_MS 1500
#define TRIES 3

/* What a datagram may hold: the size that crosses every network in one piece
 * (DNS flag day 2020).  A peer's /dnsaddr is longer than 512 bytes, and not
 * every home router lets DNS over TCP through. */
#define DATAGRAM_BYTES 1232

/* An idle channel older than this is made anew: the machine may have moved
 * to another network. */
#define STALE_US (30 * ADIT_S)

/* A socket of c-ares's. */
struct watch {
    struct adit_list link; /* in adit_resolver.watches */
    struct adit_resolver *r;
    struct adit_fd fd;
};

struct adit_resolver {
    struct adit_worker *w;
    ares_channel ch; /* NULL until first used */
    char *servers;   /* or NULL */
    size_t servers_bytes;
    struct adit_instant since; /* when `ch` was made */
    struct adit_list watches;
    struct adit_list queries; /* struct adit_resolve */
    unsigned n_queries;
    struct adit_timer timer; /* c-ares's own */
    bool closing;
};

struct adit_resolve {
    struct adit_list link;
    struct adit_resolver *r;
    enum adit_resolve_what what;
    adit_resolve_fn *fn; /* NULL: nobody waits */
    void *ctx;
    struct adit_timer deadline;
    struct adit_task deliver;
    bool answered; /* c-ares has let go of it */
    adit_err err;
    size_t n;
    uint8_t *buf; /* the answers' bytes, one behind the other */
    size_t buf_bytes;
    uint16_t len[ADIT_RESOLVE_MAX_TEXTS];
};

/* ---- c-ares's hands --------------------------------------------------- */

static void
rearm(struct adit_resolver *r)
{
    struct timeval tv;

    if (ares_timeout(r->ch, NULL, &tv) == NULL) {
        adit_timer_stop(r->w, &r->timer);
        return;
    }
    /* A millisecond later, that it finds its time has really come.  Without
     * memory for the timer, the queries' own deadlines remain. */
    if (adit_timer_set(r->w, &r->timer,
                       adit_instant_add(adit_worker_now(r->w),
                                        tv.tv_sec * ADIT_S + tv.tv_usec +
                                            ADIT_MS)) != ADIT_OK)
        return;
}

static void
process(struct adit_resolver *r, int rfd, int wfd)
{
    ares_process_fd(r->ch, rfd, wfd);
    rearm(r);
}

static void
on_timer(void *ctx)
{
    process(ctx, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
on_socket(void *ctx, int ready)
{
    struct watch *x = ctx;
    int fd = adit_fd_get(&x->fd);

    /* It may free `x`. */
    process(x->r, (ready & ADIT_FD_READ) != 0 ? fd : ARES_SOCKET_BAD,
            (ready & ADIT_FD_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
}

static void
drop_watch(struct watch *x)
{
    struct adit_mem *mem = adit_worker_mem(x->r->w);

    adit_list_remove(&x->link);
    adit_fd_fini(&x->fd);
    ADIT_FREE(mem, x);
}

/* c-ares says what it waits for on a socket; nothing: it will be closed. */
static void
on_interest(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct adit_resolver *r = ctx;
    struct watch *x = NULL;

    ADIT_LIST_EACH(n, tmp, &r->watches)
    {
        struct watch *y = ADIT_CONTAINER_OF(n, struct watch, link);

        if (adit_fd_get(&y->fd) == fd)
            x = y;
    }
    if (!readable && !writable) {
        if (x != NULL)
            drop_watch(x);
        return;
    }
    if (x == NULL) {
        x = ADIT_NEW(adit_worker_mem(r->w), struct watch);
        if (x == NULL)
            return; /* its timeout will end the query */
        if (adit_fd_init(&x->fd, r->w, fd, on_socket, x) != ADIT_OK) {
            ADIT_FREE(adit_worker_mem(r->w), x);
            return;
        }
        x->r = r;
        adit_list_push_tail(&r->watches, &x->link);
    }
    adit_fd_want(&x->fd, (readable ? ADIT_FD_READ : 0) |
                             (writable ? ADIT_FD_WRITE : 0));
}

static adit_err
open_channel(struct adit_resolver *r)
{
    struct ares_options opt = {
        .flags = ARES_FLAG_EDNS,
        .ednspsz = DATAGRAM_BYTES,
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = on_interest,
        .sock_state_cb_data = r,
    };
    int s;

    if (adit_worker_base(r->w) == NULL)
        return ADIT_ERESOLVE;
    if (r->ch != NULL && r->n_queries == 0 &&
        adit_instant_sub(adit_worker_now(r->w), r->since) > STALE_US) {
        ares_destroy(r->ch);
        r->ch = NULL;
    }
    if (r->ch != NULL)
        return ADIT_OK;
    s = ares_init_options(&r->ch, &opt,
                          ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ |
                              ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_SOCK_STATE_CB);
    if (s != ARES_SUCCESS) {
        r->ch = NULL;
        return s == ARES_ENOMEM ? ADIT_ENOMEM : ADIT_ERESOLVE;
    }
    if (r->servers != NULL &&
        ares_set_servers_ports_csv(r->ch, r->servers) != ARES_SUCCESS) {
        ares_destroy(r->ch);
        r->ch = NULL;
        return ADIT_ERESOLVE;
    }
    r->since = adit_worker_now(r->w);
    return ADIT_OK;
}

/* ---- queries ---------------------------------------------------------- */

static void
free_query(struct adit_resolve *q)
{
    struct adit_mem *mem = adit_worker_mem(q->r->w);

    adit_list_remove(&q->link);
    q->r->n_queries--;
    adit_timer_stop(q->r->w, &q->deadline);
    adit_task_cancel(&q->deliver);
    if (q->buf != NULL)
        adit_mem_free(mem, q->buf, q->buf_bytes);
    ADIT_FREE(mem, q);
}

static void
tell(struct adit_resolve *q, adit_err e)
{
    struct adit_slice v[ADIT_RESOLVE_MAX_TEXTS];
    struct adit_resolve_answer a = { .v = v };
    adit_resolve_fn *fn = q->fn;
    size_t at = 0;

    q->fn = NULL;
    if (e == ADIT_OK)
        for (a.n = 0; a.n < q->n; a.n++) {
            v[a.n] = adit_slice(q->buf + at, q->len[a.n]);
            at += q->len[a.n];
        }
    fn(q->ctx, e, &a);
}

static void
on_deliver(void *ctx)
{
    struct adit_resolve *q = ctx;

    adit_timer_stop(q->r->w, &q->deadline);
    tell(q, q->err);
    free_query(q);
}

static void
on_deadline(void *ctx)
{
    struct adit_resolve *q = ctx;

    tell(q, ADIT_ETIMEDOUT);
    adit_task_cancel(&q->deliver);
    if (q->answered)
        free_query(q);
    /* Else c-ares still holds it: it cannot be taken from there alone. */
}

/* c-ares lets go of `q`, which holds its answer; perhaps inside _start. */
static void
answered(struct adit_resolve *q, adit_err e)
{
    q->answered = true;
    q->err = e == ADIT_OK && q->n == 0 ? ADIT_ERESOLVE : e;
    if (q->r->closing || q->fn == NULL)
        free_query(q);
    else
        adit_task_post(q->r->w, &q->deliver);
}

static adit_err
of_status(int s)
{
    switch (s) {
    case ARES_SUCCESS:
        return ADIT_OK;
    case ARES_ENOMEM:
        return ADIT_ENOMEM;
    }
    return ADIT_ERESOLVE;
}

/* Room for all answers at once.  False: no memory, or nothing to hold. */
static bool
hold(struct adit_resolve *q, size_t n_bytes)
{
    if (n_bytes > 0)
        q->buf = adit_mem_alloc(adit_worker_mem(q->r->w), n_bytes);
    q->buf_bytes = q->buf != NULL ? n_bytes : 0;
    return q->buf != NULL;
}

static void
on_addrs(void *ctx, int status, int n_timeouts, struct ares_addrinfo *res)
{
    struct adit_resolve *q = ctx;
    size_t each = q->what == ADIT_RESOLVE_IP4 ? 4 : 16;
    adit_err e = of_status(status);

    (void)n_timeouts;
    if (e == ADIT_OK && q->fn != NULL && !q->r->closing) {
        if (!hold(q, each * ADIT_RESOLVE_MAX_ADDRS))
            e = ADIT_ENOMEM;
        for (struct ares_addrinfo_node *i = res->nodes;
             e == ADIT_OK && i != NULL && q->n < ADIT_RESOLVE_MAX_ADDRS;
             i = i->ai_next) {
            const void *ip;

            if (each == 4 && i->ai_family == AF_INET)
                ip = &((struct sockaddr_in *)(void *)i->ai_addr)->sin_addr;
            else if (each == 16 && i->ai_family == AF_INET6)
                ip = &((struct sockaddr_in6 *)(void *)i->ai_addr)->sin6_addr;
            else
                continue;
            memcpy(q->buf + q->n * each, ip, each);
            q->len[q->n++] = (uint16_t)each;
        }
    }
    if (res != NULL)
        ares_freeaddrinfo(res);
    answered(q, e);
}

/* The bytes of the record that begins at `t`; *next: the record behind it. */
static size_t
record_bytes(const struct ares_txt_ext *t, const struct ares_txt_ext **next)
{
    size_t n = 0;

    do {
        n += t->length;
        t = t->next;
    } while (t != NULL && !t->record_start);
    *next = t;
    return n;
}

static adit_err
take_texts(struct adit_resolve *q, const struct ares_txt_ext *all)
{
    const struct ares_txt_ext *next;
    size_t n_records = 0;
    size_t sum = 0;
    size_t at = 0;

    for (const struct ares_txt_ext *t = all;
         t != NULL && n_records < ADIT_RESOLVE_MAX_TEXTS; t = next) {
        size_t n = record_bytes(t, &next);

        if (n == 0 || n > ADIT_RESOLVE_MAX_TEXT_BYTES)
            continue;
        sum += n;
        n_records++;
    }
    if (n_records == 0)
        return ADIT_ERESOLVE;
    if (!hold(q, sum))
        return ADIT_ENOMEM;
    for (const struct ares_txt_ext *t = all; q->n < n_records; t = next) {
        size_t n = record_bytes(t, &next);

        if (n == 0 || n > ADIT_RESOLVE_MAX_TEXT_BYTES)
            continue;
        q->len[q->n++] = (uint16_t)n;
        for (; t != next; t = t->next) {
            adit_copy(q->buf + at, adit_slice(t->txt, t->length));
            at += t->length;
        }
    }
    return ADIT_OK;
}

static void
on_texts(void *ctx, int status, int n_timeouts, unsigned char *msg, int n)
{
    struct adit_resolve *q = ctx;
    struct ares_txt_ext *all = NULL;
    adit_err e = of_status(status);

    (void)n_timeouts;
    if (e == ADIT_OK && q->fn != NULL && !q->r->closing) {
        e = of_status(ares_parse_txt_reply_ext(msg, n, &all));
        if (e == ADIT_OK)
            e = take_texts(q, all);
        if (all != NULL)
            ares_free_data(all);
    }
    answered(q, e);
}

/* As names come in multiaddrs; what c-ares would take for an escape, or a
 * program for a separator, is none. */
static bool
is_name(struct adit_slice s)
{
    if (s.n == 0 || s.n > ADIT_RESOLVE_MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '\\' ||
            s.p[i] == '/' || s.p[i] == '%' || s.p[i] == ':')
            return false;
    return true;
}

adit_err
adit_resolve_start(struct adit_resolver *r, enum adit_resolve_what what,
                   struct adit_slice name, struct adit_instant deadline,
                   adit_resolve_fn *fn, void *ctx, struct adit_resolve **out)
{
    char text[ADIT_RESOLVE_MAX_NAME_BYTES + 1];
    struct adit_resolve *q;
    adit_err e;

    if (!is_name(name))
        return ADIT_EINVAL;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    if (r->n_queries >= ADIT_RESOLVE_MAX_QUERIES)
        return ADIT_EFULL;
    e = open_channel(r);
    if (e != ADIT_OK)
        return e;
    q = ADIT_NEW(adit_worker_mem(r->w), struct adit_resolve);
    if (q == NULL)
        return ADIT_ENOMEM;
    q->r = r;
    q->what = what;
    q->fn = fn;
    q->ctx = ctx;
    q->deadline.fn = on_deadline;
    q->deadline.ctx = q;
    q->deliver.fn = on_deliver;
    q->deliver.ctx = q;
    if (adit_timer_set(r->w, &q->deadline, deadline) != ADIT_OK) {
        ADIT_FREE(adit_worker_mem(r->w), q);
        return ADIT_ENOMEM;
    }
    adit_list_push_tail(&r->queries, &q->link);
    r->n_queries++;
    *out = q;

    if (what == ADIT_RESOLVE_TEXT) {
        ares_query(r->ch, text, 1 /* IN */, 16 /* TXT */, on_texts, q);
    } else {
        /* Sorted by whoever dials; c-ares would open sockets for it. */
        struct ares_addrinfo_hints hints = {
            .ai_flags = ARES_AI_NOSORT,
            .ai_family = what == ADIT_RESOLVE_IP4 ? AF_INET : AF_INET6,
            .ai_socktype = SOCK_STREAM,
        };

        ares_getaddrinfo(r->ch, text, NULL, &hints, on_addrs, q);
    }
    rearm(r);
    return ADIT_OK;
}

void
adit_resolve_cancel(struct adit_resolve *q)
{
    if (q == NULL)
        return;
    q->fn = NULL;
    adit_timer_stop(q->r->w, &q->deadline);
    adit_task_cancel(&q->deliver);
    if (q->answered)
        free_query(q);
}

/* ---- made and unmade -------------------------------------------------- */

adit_err
adit_resolver_new(struct adit_worker *w,
                  const struct adit_resolver_config *cfg,
                  struct adit_resolver **out)
{
    struct adit_mem *mem = adit_worker_mem(w);
    struct adit_resolver *r = ADIT_NEW(mem, struct adit_resolver);

    if (r == NULL)
        return ADIT_ENOMEM;
    r->w = w;
    r->timer.fn = on_timer;
    r->timer.ctx = r;
    adit_list_init(&r->watches);
    adit_list_init(&r->queries);
    if (cfg->servers != NULL) {
        r->servers_bytes = strlen(cfg->servers) + 1;
        r->servers = adit_mem_alloc(mem, r->servers_bytes);
        if (r->servers == NULL) {
            ADIT_FREE(mem, r);
            return ADIT_ENOMEM;
        }
        memcpy(r->servers, cfg->servers, r->servers_bytes);
    }
    *out = r;
    return ADIT_OK;
}

void
adit_resolver_free(struct adit_resolver *r)
{
    struct adit_mem *mem;

    if (r == NULL)
        return;
    mem = adit_worker_mem(r->w);
    r->closing = true;
    if (r->ch != NULL)
        ares_destroy(r->ch); /* ends what it holds, and its sockets */
    ADIT_LIST_EACH(n, tmp, &r->queries)
    {
        free_query(ADIT_CONTAINER_OF(n, struct adit_resolve, link));
    }
    ADIT_LIST_EACH(n, tmp, &r->watches)
    {
        drop_watch(ADIT_CONTAINER_OF(n, struct watch, link));
    }
    adit_timer_stop(r->w, &r->timer);
    if (r->servers != NULL)
        adit_mem_free(mem, r->servers, r->servers_bytes);
    ADIT_FREE(mem, r);
}
