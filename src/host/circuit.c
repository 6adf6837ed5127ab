/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/circuit.h"

#include "host/host.h"

static struct adit_circuit *
of(struct adit_pipe *p)
{
    return ADIT_CONTAINER_OF(p, struct adit_circuit, pipe);
}

/*
 * The connection's out-queue is our payload: it is encrypted once more for
 * the relay, and the bytes in front of each piece are dead (base/chunk).
 */
static adit_err
circuit_send(struct adit_pipe *p, const struct adit_slice *v, size_t n,
             size_t *taken)
{
    struct adit_circuit *c = of(p);
    size_t done = 0;

    if (c->s == NULL)
        return ADIT_EIO;
    for (size_t i = 0; i < n; i++) {
        struct adit_mslice m = { (uint8_t *)(uintptr_t)v[i].p, v[i].n };
        size_t k = adit_hstream_write(c->s, m);

        done += k;
        if (k < v[i].n)
            break;
    }
    c->n_out += done;
    *taken = done;
    return ADIT_OK;
}

static void
circuit_pause(struct adit_pipe *p, bool stop)
{
    /* Its connection never stops reading for one stream's sake. */
    (void)p;
    (void)stop;
}

static void
circuit_shut(struct adit_pipe *p)
{
    if (of(p)->s != NULL)
        adit_hstream_fin(of(p)->s);
}

static void
reap(void *ctx)
{
    struct adit_circuit *c = ctx;

    ADIT_FREE(c->host->mem, c);
}

static void
circuit_close(struct adit_pipe *p, bool abort)
{
    struct adit_circuit *c = of(p);

    if (c->is_closed)
        return;
    c->is_closed = true;
    if (c->s != NULL && abort)
        adit_hstream_reset(c->s, ADIT_YAMUX_NORMAL);
    else if (c->s != NULL)
        adit_hstream_close(c->s);
    c->s = NULL;
    adit_task_cancel(&c->start);
    adit_retire(c->host->w, &c->retiree, reap, c);
}

static void
circuit_describe(const struct adit_pipe *p, bool remote,
                 struct adit_maddr *out)
{
    (void)remote; /* both ends are at the relay */
    adit_circuit_describe(
        ADIT_CONTAINER_OF(p, const struct adit_circuit, pipe), out);
}

static const struct adit_pipe_ops pipe_ops = {
    .send = circuit_send,
    .pause = circuit_pause,
    .shut = circuit_shut,
    .close = circuit_close,
    .describe = circuit_describe,
};

static size_t
on_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct adit_circuit *c = ctx;

    (void)s;
    c->n_in += in.n;
    c->pipe.up->on_input(c->pipe.up_ctx, in);
    return in.n;
}

static void
on_fin(void *ctx, struct adit_hstream *s)
{
    struct adit_circuit *c = ctx;

    (void)s;
    if (!c->is_closed)
        c->pipe.up->on_end(c->pipe.up_ctx, ADIT_OK);
}

static void
on_room(void *ctx, struct adit_hstream *s)
{
    struct adit_circuit *c = ctx;

    (void)s;
    if (c->is_started && !c->is_closed)
        c->pipe.up->on_writable(c->pipe.up_ctx);
}

static void
on_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct adit_circuit *c = ctx;
    struct adit_circuit_left l = adit_circuit_left(c);

    (void)s;
    (void)code;
    c->s = NULL;
    if (c->is_closed)
        return;
    if (adit_circuit_is_spent(c))
        why =
            l.out_bytes == 0 || l.in_bytes == 0 ? ADIT_ELIMIT : ADIT_EEXPIRED;
    c->pipe.up->on_end(c->pipe.up_ctx, why);
}

/* Until the first turn's end all that arrives is kept by the stream. */
static const struct adit_hstream_ops early_ops = {
    .on_end = on_end,
};

static const struct adit_hstream_ops ops = {
    .on_data = on_data,
    .on_fin = on_fin,
    .on_room = on_room,
    .on_end = on_end,
};

/*
 * What came behind the relay's OK lies in chunks, without the dead bytes in
 * front that a connection wants: it goes through the worker's scratch, which
 * nobody uses at the end of a turn.
 */
static void
start(void *ctx)
{
    struct adit_circuit *c = ctx;
    uint8_t *scratch = adit_worker_scratch(c->host->w);

    if (c->is_closed || c->s == NULL)
        return;
    if (scratch == NULL) {
        c->pipe.up->on_end(c->pipe.up_ctx, ADIT_ENOMEM);
        return;
    }
    c->is_started = true;
    adit_hstream_take(c->s, &ops, c);
    while (c->s != NULL) {
        struct adit_mslice in = adit_hstream_peek(c->s);
        size_t n = in.n;

        if (n == 0)
            break;
        memcpy(scratch, in.p, n);
        adit_hstream_drain(c->s, n);
        on_data(c, c->s, (struct adit_mslice){ scratch, n });
    }
    if (c->s != NULL) {
        adit_hstream_resume(c->s); /* FIN, if it came already */
        if (!c->is_closed)
            c->pipe.up->on_writable(c->pipe.up_ctx);
    }
}

adit_err
adit_circuit_new(struct adit_host *h, struct adit_hstream *s,
                 const struct adit_peerid *peer,
                 const struct adit_circuit_limit *limit,
                 struct adit_circuit **out)
{
    struct adit_circuit *c;
    uint32_t seconds = adit_circuit_limit_s(limit);

    /* Each connection inside another may hold a partial frame, and there
     * are dead bytes in front of the scratch's body for two of them. */
    if (s->hc->circuit != NULL)
        return ADIT_EDENIED;
    c = ADIT_NEW(h->mem, struct adit_circuit);
    if (c == NULL)
        return ADIT_ENOMEM;
    c->pipe.ops = &pipe_ops;
    c->host = h;
    c->s = s;
    c->relay = s->hc->peer->id;
    c->peer = *peer;
    c->limit = *limit;
    c->born = adit_worker_now(h->w);
    c->ends = limit->has && seconds != 0
                  ? adit_instant_add(c->born, (int64_t)seconds * ADIT_S)
                  : ADIT_NEVER;
    s->hc->conn->pipe->ops->describe(s->hc->conn->pipe, true, &c->relay_addr);
    c->start = (struct adit_task){ .fn = start, .ctx = c };
    s->manual_credit = false;
    adit_hstream_take(s, &early_ops, c);
    adit_task_post(h->w, &c->start);
    *out = c;
    return ADIT_OK;
}

void
adit_circuit_describe(const struct adit_circuit *c, struct adit_maddr *out)
{
    struct adit_maddr a = c->relay_addr;

    out->n = 0;
    if (adit_maddr_push(&a, ADIT_MA_P2P, adit_peerid_bytes(&c->relay)) ==
            ADIT_OK &&
        adit_maddr_push(&a, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE) == ADIT_OK)
        *out = a;
}

struct adit_circuit_left
adit_circuit_left(const struct adit_circuit *c)
{
    struct adit_circuit_left l = { UINT64_MAX, UINT64_MAX, INT64_MAX };

    if (!c->limit.has)
        return l;
    if (c->limit.data_bytes != 0) {
        uint64_t cap = c->limit.data_bytes;

        l.out_bytes = c->n_out < cap ? cap - c->n_out : 0;
        l.in_bytes = c->n_in < cap ? cap - c->n_in : 0;
    }
    if (c->ends.us != ADIT_NEVER.us) {
        l.us = adit_instant_sub(c->ends, adit_worker_now(c->host->w));
        l.us = ADIT_MAX(l.us, 0);
    }
    return l;
}

/* The relay's clock and ours started a round trip apart. */
#define SLACK_US (2 * ADIT_S)

bool
adit_circuit_is_spent(const struct adit_circuit *c)
{
    struct adit_circuit_left l = adit_circuit_left(c);

    return l.out_bytes == 0 || l.in_bytes == 0 || l.us <= SLACK_US;
}
