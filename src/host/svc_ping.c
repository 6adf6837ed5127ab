/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/svc_ping.h"

#include "wire/ping/ping.h"

/* go's pinger sends one and keeps the stream; js opens one per ping. */
#define SILENCE_US (60 * ADIT_S)

/* For one answer; rust gives 20 s. */
#define ANSWER_US (20 * ADIT_S)

/* ---- answering --------------------------------------------------------- */

struct answering {
    struct adit_hstream *s;
    struct adit_worker *w;
    struct adit_timer timer;
    struct adit_ping m;
};

static void
answering_free(struct answering *a)
{
    adit_timer_stop(a->w, &a->timer);
    ADIT_FREE(adit_worker_mem(a->w), a);
}

static void
answering_push(struct answering *a)
{
    struct adit_slice o;

    while ((o = adit_ping_out(&a->m)).n > 0) {
        size_t n = adit_hstream_write_copy(a->s, o);

        adit_ping_sent(&a->m, n);
        if (n < o.n)
            return;
    }
}

static size_t
answering_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct answering *a = ctx;
    size_t done = 0, used;

    (void)s;
    do {
        adit_ping_feed(&a->m, adit_slice(in.p + done, in.n - done), &used);
        done += used;
        answering_push(a);
    } while (used > 0 && done < in.n);
    /* Moving an armed timer cannot fail. */
    if (adit_timer_set(a->w, &a->timer,
                       adit_instant_add(adit_worker_now(a->w), SILENCE_US)) !=
        ADIT_OK)
        adit_timer_stop(a->w, &a->timer);
    return done;
}

static void
answering_room(void *ctx, struct adit_hstream *s)
{
    answering_push(ctx);
    adit_hstream_resume(s);
}

static void
answering_fin(void *ctx, struct adit_hstream *s)
{
    adit_hstream_close(s);
    answering_free(ctx);
}

static void
answering_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)s;
    (void)why;
    (void)code;
    answering_free(ctx);
}

static const struct adit_hstream_ops answering_ops = {
    .on_data = answering_data,
    .on_fin = answering_fin,
    .on_room = answering_room,
    .on_end = answering_end,
};

static void
answering_silent(void *ctx)
{
    struct answering *a = ctx;

    adit_hstream_reset(a->s, ADIT_YAMUX_RESET_RESOURCE);
    answering_free(a);
}

static void
open_answering(void *ctx, struct adit_hstream *s)
{
    struct adit_worker *w = s->hc->host->w;
    struct answering *a = ADIT_NEW(adit_worker_mem(w), struct answering);

    (void)ctx;
    if (a == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    a->s = s;
    a->w = w;
    a->timer = (struct adit_timer){ .fn = answering_silent, .ctx = a };
    adit_ping_init(&a->m);
    if (adit_timer_set(w, &a->timer,
                       adit_instant_add(adit_worker_now(w), SILENCE_US)) !=
        ADIT_OK) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        answering_free(a);
        return;
    }
    adit_hstream_take(s, &answering_ops, a);
}

void
adit_svc_ping_init(struct adit_service *v)
{
    *v = (struct adit_service){
        .protocol = ADIT_PING_PROTOCOL,
        .on_limited = true,
        .open = open_answering,
    };
}

/* ---- asking ------------------------------------------------------------ */

struct adit_pinging {
    struct adit_hstream *s;
    struct adit_worker *w;
    struct adit_timer timer; /* the answer's deadline, or the next ping */
    struct adit_instant asked;
    struct adit_pinger m;
    unsigned n_left;
    int64_t gap_us;
    bool waits; /* for an answer */
    void (*on_pong)(void *ctx, adit_err e, int64_t rtt_us);
    void *ctx;
};

static void
pinging_free(struct adit_pinging *p)
{
    adit_timer_stop(p->w, &p->timer);
    ADIT_FREE(adit_worker_mem(p->w), p);
}

static void
pinging_over(struct adit_pinging *p, adit_err why)
{
    if (p->s != NULL)
        adit_hstream_close(p->s);
    p->on_pong(p->ctx, why, 0);
    pinging_free(p);
}

static void
pinging_push(struct adit_pinging *p)
{
    struct adit_slice o;

    while ((o = adit_pinger_out(&p->m)).n > 0) {
        size_t n = adit_hstream_write_copy(p->s, o);

        adit_pinger_sent(&p->m, n);
        if (n < o.n)
            return;
    }
}

static void
pinging_ask(struct adit_pinging *p)
{
    struct adit_instant now = adit_worker_now(p->w);

    if (adit_pinger_ask(&p->m, adit_worker_rng(p->w)) != ADIT_OK ||
        adit_timer_set(p->w, &p->timer, adit_instant_add(now, ANSWER_US)) !=
            ADIT_OK) {
        pinging_over(p, ADIT_ENOMEM);
        return;
    }
    p->asked = now;
    p->waits = true;
    p->n_left--;
    pinging_push(p);
}

static size_t
pinging_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct adit_pinging *p = ctx;
    size_t used;
    adit_err e = adit_pinger_feed(&p->m, adit_slice(in.p, in.n), &used);

    (void)s;
    if (e == ADIT_OK)
        e = adit_pinger_next(&p->m);
    if (e == ADIT_AGAIN)
        return used;
    if (e != ADIT_OK) {
        pinging_over(p, e);
        return in.n;
    }
    p->waits = false;
    p->on_pong(p->ctx, ADIT_OK,
               adit_instant_sub(adit_worker_now(p->w), p->asked));
    if (p->n_left == 0)
        pinging_over(p, ADIT_DONE);
    else if (adit_timer_set(p->w, &p->timer,
                            adit_instant_add(adit_worker_now(p->w),
                                             p->gap_us)) != ADIT_OK)
        pinging_over(p, ADIT_ENOMEM);
    return in.n;
}

static void
pinging_fin(void *ctx, struct adit_hstream *s)
{
    (void)s;
    pinging_over(ctx, ADIT_ERESET);
}

static void
pinging_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    pinging_push(ctx);
}

static void
pinging_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct adit_pinging *p = ctx;

    (void)s;
    (void)code;
    p->s = NULL;
    pinging_over(p, why);
}

static const struct adit_hstream_ops pinging_ops = {
    .on_data = pinging_data,
    .on_fin = pinging_fin,
    .on_room = pinging_room,
    .on_end = pinging_end,
};

static void
pinging_timer(void *ctx)
{
    struct adit_pinging *p = ctx;

    if (p->waits)
        pinging_over(p, ADIT_ETIMEDOUT);
    else
        pinging_ask(p);
}

adit_err
adit_svc_ping_ask(struct adit_hconn *hc, unsigned n, int64_t gap_us,
                  void (*on_pong)(void *ctx, adit_err e, int64_t rtt_us),
                  void *ctx, struct adit_pinging **out)
{
    struct adit_worker *w = hc->host->w;
    struct adit_pinging *p = ADIT_NEW(adit_worker_mem(w), struct adit_pinging);
    adit_err e;

    if (p == NULL)
        return ADIT_ENOMEM;
    p->w = w;
    p->n_left = n;
    p->gap_us = gap_us;
    p->on_pong = on_pong;
    p->ctx = ctx;
    p->timer = (struct adit_timer){ .fn = pinging_timer, .ctx = p };
    adit_pinger_init(&p->m);
    e = adit_timer_set(w, &p->timer, adit_worker_now(w));
    if (e == ADIT_OK)
        e = adit_hstream_open(hc, ADIT_PING_PROTOCOL, &pinging_ops, p, &p->s);
    if (e != ADIT_OK) {
        pinging_free(p);
        return e;
    }
    *out = p;
    return ADIT_OK;
}

void
adit_svc_ping_cancel(struct adit_pinging *p)
{
    if (p->s != NULL)
        adit_hstream_close(p->s);
    pinging_free(p);
}
