/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/svc_stop.h"

#include "host/circuit.h"
#include "host/reserve.h"
#include "wire/circuit/stop_srv.h"

/* For the relay to say what it wants. */
#define REQUEST_US (30 * ADIT_S)

struct stop {
    struct adit_hstream *s;
    struct adit_host *h;
    struct adit_timer timer;
    struct adit_stop_srv m;
    struct adit_peerid src;
    struct adit_circuit_limit limit;
};

static void
stop_free(struct stop *p)
{
    adit_timer_stop(p->h->w, &p->timer);
    adit_stop_srv_fini(&p->m);
    ADIT_FREE(p->h->mem, p);
}

static void
stop_abort(struct stop *p)
{
    if (p->s != NULL)
        adit_hstream_reset(p->s, ADIT_YAMUX_RESET_PROTOCOL);
    stop_free(p);
}

static void
incoming(struct stop *p, const struct adit_stop_srv_event *ev)
{
    adit_err e;

    p->src = ev->src;
    p->limit = ev->limit;
    if (!adit_reserve_is_relay(p->h, &p->s->hc->peer->id))
        e = adit_stop_srv_refuse(&p->m, ADIT_CIRCUIT_NO_RESERVATION);
    else if (p->s->hc->circuit != NULL) /* no circuits inside circuits */
        e = adit_stop_srv_refuse(&p->m, ADIT_CIRCUIT_PERMISSION_DENIED);
    else if (p->h->is_closing)
        e = adit_stop_srv_refuse(&p->m, ADIT_CIRCUIT_CONNECTION_FAILED);
    else
        e = adit_stop_srv_accept(&p->m);
    if (e != ADIT_OK) /* it was asked just now */
        adit_hstream_fin(p->s);
}

static void
to_circuit(struct stop *p)
{
    struct adit_hstream *s = p->s;
    struct adit_host *h = p->h;
    struct adit_circuit *c;

    /* The Noise handshake proves who it is; the relay only claims it. */
    if (adit_circuit_new(h, s, &p->src, &p->limit, &c) != ADIT_OK) {
        stop_abort(p);
        return;
    }
    if (adit_host_adopt(h, &c->pipe, false, NULL, c, p->limit.has, NULL) !=
        ADIT_OK) {
        /* the pipe, and with it the stream, is closed */
        p->s = NULL;
    }
    stop_free(p);
}

/* Send, and see what that led to.  May free `p`. */
static void
advance(struct stop *p)
{
    for (;;) {
        struct adit_stop_srv_event ev;
        struct adit_slice o;

        while ((o = adit_stop_srv_out(&p->m)).n > 0) {
            size_t n = adit_hstream_write_copy(p->s, o);

            adit_stop_srv_sent(&p->m, n);
            if (n < o.n)
                return;
        }
        if (adit_stop_srv_next(&p->m, &ev) != ADIT_OK)
            return;
        switch (ev.type) {
        case ADIT_STOP_SRV_INCOMING:
            incoming(p, &ev);
            break;
        case ADIT_STOP_SRV_REFUSED:
            break;
        case ADIT_STOP_SRV_RELAY:
            to_circuit(p);
            return;
        case ADIT_STOP_SRV_DONE:
            adit_hstream_close(p->s);
            p->s = NULL;
            stop_free(p);
            return;
        }
    }
}

static size_t
on_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct stop *p = ctx;
    size_t used;

    (void)s;
    if (adit_stop_srv_feed(&p->m, adit_slice(in.p, in.n), &used) != ADIT_OK) {
        stop_abort(p);
        return in.n;
    }
    if (used > 0)
        advance(p);
    return used;
}

static void
on_fin(void *ctx, struct adit_hstream *s)
{
    struct stop *p = ctx;

    (void)s;
    if (adit_stop_srv_eof(&p->m) != ADIT_OK)
        stop_abort(p);
}

static void
on_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    advance(ctx);
}

static void
on_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct stop *p = ctx;

    (void)s;
    (void)why;
    (void)code;
    p->s = NULL;
    stop_free(p);
}

static const struct adit_hstream_ops ops = {
    .on_data = on_data,
    .on_fin = on_fin,
    .on_room = on_room,
    .on_end = on_end,
};

static void
on_timer(void *ctx)
{
    stop_abort(ctx);
}

static void
open_stop(void *ctx, struct adit_hstream *s)
{
    struct adit_host *h = s->hc->host;
    struct stop *p = ADIT_NEW(h->mem, struct stop);

    (void)ctx;
    if (p == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    p->s = s;
    p->h = h;
    p->timer = (struct adit_timer){ .fn = on_timer, .ctx = p };
    adit_stop_srv_init(&p->m, h->mem);
    adit_hstream_take(s, &ops, p);
    if (adit_timer_set(h->w, &p->timer,
                       adit_instant_add(adit_worker_now(h->w), REQUEST_US)) !=
        ADIT_OK)
        stop_abort(p);
}

void
adit_svc_stop_init(struct adit_service *v)
{
    *v = (struct adit_service){
        .protocol = ADIT_STOP_ID,
        .open = open_stop,
    };
}
