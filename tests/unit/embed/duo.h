/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * duo: nodes made by the public API alone, run both ways, and driven until a
 * test says that what it waits for is so.
 */
#ifndef ADIT_TESTS_EMBED_DUO_H
#define ADIT_TESTS_EMBED_DUO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <adit/adit.h>

#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DUO_MAX_NODES 4
#define DUO_DEADLINE_S 60

struct duo_node;

/* What a test's node saw; a test reads and adds. */
struct duo_node {
    struct duo *duo;
    adit_node *n;
    char id[ADIT_PEER_ID_BYTES];
    char addr[512]; /* loopback, with /p2p; "" not ready */
    char circuit[512];
    int n_reserved, n_lost, n_conn, n_conn_end, n_peer, n_near;
    int n_pong, n_ping_end;
    adit_err ping_err;
    char agent[160];
    char lost_text[200];
    adit_err end_why;
    struct adit_conn_info conn;
    void (*on_stream)(struct duo_node *d, adit_stream *s);
    void *test;
};

struct duo {
    bool attached;
    struct event_base *base;
    struct duo_node v[DUO_MAX_NODES];
    int n;
};

static inline void
duo_on_ready(void *ctx, adit_node *n, const char *const *addrs, size_t n_addrs)
{
    struct duo_node *d = ctx;

    (void)n;
    for (size_t i = 0; i < n_addrs; i++)
        if (strncmp(addrs[i], "/ip4/127.0.0.1/", 15) == 0)
            snprintf(d->addr, sizeof(d->addr), "%s", addrs[i]);
}

static inline void
duo_on_stream(void *ctx, adit_node *n, adit_stream *s)
{
    struct duo_node *d = ctx;

    (void)n;
    if (d->on_stream != NULL)
        d->on_stream(d, s);
    else
        adit_stream_abort(s);
}

static inline void
duo_on_reserved(void *ctx, adit_node *n, const struct adit_reservation *r)
{
    struct duo_node *d = ctx;

    (void)n;
    d->n_reserved++;
    if (r->n_addrs > 0)
        snprintf(d->circuit, sizeof(d->circuit), "%s", r->addrs[0]);
}

static inline void
duo_on_lost(void *ctx, adit_node *n, const struct adit_reservation_lost *r)
{
    struct duo_node *d = ctx;

    (void)n;
    d->n_lost++;
    snprintf(d->lost_text, sizeof(d->lost_text), "%s", r->text);
}

static inline void
duo_on_conn(void *ctx, adit_node *n, const struct adit_conn_info *c)
{
    struct duo_node *d = ctx;

    (void)n;
    d->n_conn++;
    d->conn = *c; /* its texts are gone after the call */
}

static inline void
duo_on_conn_end(void *ctx, adit_node *n, const struct adit_conn_info *c,
                adit_err why, const char *text)
{
    struct duo_node *d = ctx;

    (void)n;
    (void)c;
    (void)text;
    d->n_conn_end++;
    d->end_why = why;
}

static inline void
duo_on_peer(void *ctx, adit_node *n, const struct adit_peer_info *p)
{
    struct duo_node *d = ctx;

    (void)n;
    d->n_peer++;
    snprintf(d->agent, sizeof(d->agent), "%s", p->agent);
}

static inline void
duo_on_near(void *ctx, adit_node *n, const struct adit_conn_info *c)
{
    struct duo_node *d = ctx;

    (void)n;
    (void)c;
    d->n_near++;
}

static inline void
duo_on_ping(void *ctx, adit_node *n, void *tag, adit_err why, const char *text,
            int64_t rtt_us)
{
    struct duo_node *d = ctx;

    (void)n;
    (void)tag;
    (void)text;
    (void)rtt_us;
    if (why == ADIT_OK) {
        d->n_pong++;
        return;
    }
    d->n_ping_end++;
    d->ping_err = why;
}

static inline void
duo_log(void *ctx, enum adit_level level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "# %s\n", line);
}

/* `opts`: name, value, ..., NULL. */
static inline struct duo_node *
duo_add(struct duo *u, const char *const *opts)
{
    struct duo_node *d = &u->v[u->n++];
    struct adit_events ev = ADIT_EVENTS_INIT;
    adit_config *cfg = adit_config_new();
    adit_key *key;

    assert_true(u->n <= DUO_MAX_NODES);
    memset(d, 0, sizeof(*d));
    d->duo = u;
    assert_non_null(cfg);
    assert_int_equal(adit_key_new(&key), ADIT_OK);
    for (; opts != NULL && opts[0] != NULL; opts += 2)
        if (adit_config_set(cfg, opts[0], opts[1]) != ADIT_OK)
            fail_msg("%s", adit_config_why(cfg));
    if (getenv("DUO_LOG") != NULL)
        adit_config_set_log(cfg, ADIT_LEVEL_DEBUG, duo_log, NULL);
    ev.ctx = d;
    ev.on_ready = duo_on_ready;
    ev.on_stream = duo_on_stream;
    ev.on_reserved = duo_on_reserved;
    ev.on_reservation_lost = duo_on_lost;
    ev.on_conn = duo_on_conn;
    ev.on_conn_end = duo_on_conn_end;
    ev.on_peer = duo_on_peer;
    ev.on_limit_near = duo_on_near;
    ev.on_ping = duo_on_ping;
    if (adit_node_new(cfg, key, &ev, &d->n) != ADIT_OK)
        fail_msg("%s", adit_config_why(cfg));
    adit_node_peer_id(d->n, d->id);
    adit_config_free(cfg);
    adit_key_free(key);
    return d;
}

static inline void
duo_start(struct duo_node *d)
{
    adit_err e = d->duo->attached ? adit_node_attach(d->n, d->duo->base)
                                  : adit_node_start(d->n);

    if (e != ADIT_OK)
        fail_msg("%s: %s", adit_err_name(e), adit_node_why(d->n));
}

static inline void
duo_init(struct duo *u, bool attached)
{
    memset(u, 0, sizeof(*u));
    u->attached = attached;
    if (attached) {
        u->base = event_base_new();
        assert_non_null(u->base);
    }
}

static inline void
duo_nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* One round of waiting and telling, of at most some milliseconds. */
static inline void
duo_turn(struct duo *u)
{
    if (u->attached) {
        struct timeval tv = { 0, 5000 };

        event_base_once(u->base, -1, EV_TIMEOUT, duo_nothing, NULL, &tv);
        event_base_loop(u->base, EVLOOP_ONCE);
        return;
    }
    struct pollfd p[DUO_MAX_NODES];
    nfds_t k = 0;

    for (int i = 0; i < u->n; i++)
        if (u->v[i].n != NULL)
            p[k++] = (struct pollfd){ adit_node_fd(u->v[i].n), POLLIN, 0 };
    poll(p, k, 5);
    for (int i = 0; i < u->n; i++)
        if (u->v[i].n != NULL)
            adit_node_dispatch(u->v[i].n);
}

static inline double
duo_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define DUO_UNTIL(u, cond)                                                    \
    do {                                                                      \
        double duo_end = duo_clock() + DUO_DEADLINE_S;                        \
                                                                              \
        while (!(cond)) {                                                     \
            if (duo_clock() > duo_end)                                        \
                fail_msg("never: %s", #cond);                                 \
            duo_turn(u);                                                      \
        }                                                                     \
    } while (0)

/* For things that should not happen. */
static inline void
duo_for_ms(struct duo *u, int ms)
{
    double end = duo_clock() + ms / 1e3;

    while (duo_clock() < end)
        duo_turn(u);
}

static inline void
duo_fini(struct duo *u)
{
    for (int i = 0; i < u->n; i++)
        adit_node_free(u->v[i].n);
    if (u->base != NULL)
        event_base_free(u->base);
}

static const char *const duo_listen[] = { "listen.tcp", "/ip4/127.0.0.1/tcp/0",
                                          NULL };

#endif
