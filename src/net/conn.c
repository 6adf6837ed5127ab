/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/conn.h"

/* Noise frames below this are no frames: a tag at least. */
#define MIN_FRAME_BYTES ADIT_NOISE_TAG_BYTES

/* Chunks offered to the pipe in one call; a writev of this many is cheap. */
#define GATHER 8

/* Control frames rendered at once: 85 of them, one small Noise frame. */
#define CONTROL_BYTES 1020

/*
 * A copied body goes out in frames of this size: what most peers send, and
 * small enough for the stack.
 */
#define COPY_BYTES 16384

/*
 * Answers to frames of the peer's own (pongs, resets) have no window to wait
 * for.  With so much unsent the peer only asks and never reads.
 */
#define CONTROL_HIGH_BYTES (2 * (size_t)ADIT_CONN_OUT_HIGH_BYTES)

/*
 * Under pressure a connection counts as having waited this much less than
 * it did: to reset the circuit that leads to it costs its peer less.
 */
#define PATIENCE_US ADIT_S

static struct adit_instant
now_of(const struct adit_conn *c)
{
    return adit_worker_now(c->net->w);
}

static struct adit_pool *
pool_of(const struct adit_conn *c)
{
    return adit_worker_pool(c->net->w);
}

static void
count(const struct adit_conn *c, enum adit_metric m)
{
    adit_metric_add(c->net->cfg.metrics, m, 1);
}

/* ---- its end ----------------------------------------------------------- */

static void
conn_reap(void *ctx)
{
    struct adit_conn *c = ctx;

    ADIT_FREE(adit_worker_mem(c->net->w), c);
}

static void
drop_partial(struct adit_conn *c)
{
    adit_chain_fini(&c->partial, pool_of(c));
    adit_list_remove(&c->partial_link);
}

static void
end_upgrade(struct adit_conn *c)
{
    if (c->upgrade == NULL)
        return;
    adit_upgrade_free(c->upgrade);
    c->upgrade = NULL;
    adit_metric_sub(c->net->cfg.metrics, ADIT_M_HANDSHAKES, 1);
}

static bool render(struct adit_conn *c);
static void send_out(struct adit_conn *c);

void
adit_conn_close(struct adit_conn *c, adit_err why, const char *text)
{
    /* What ended in order, or by our own rules, gets a last word. */
    bool abort =
        why == ADIT_EIO || why == ADIT_ERESET || why == ADIT_ETIMEDOUT;

    if (c->is_over)
        return;
    if (c->is_ready && !abort && !c->is_doomed) {
        adit_yamux_goaway(&c->mux, why == ADIT_EPROTO
                                       ? ADIT_YAMUX_PROTOCOL_ERROR
                                       : ADIT_YAMUX_NORMAL);
        c->is_doomed = true; /* a failure in here must not come back */
        if (render(c))
            send_out(c);
    }
    c->is_over = true;
    if (!c->is_ready)
        count(c, ADIT_M_HANDSHAKE_FAILED);
    if (why == ADIT_EPROTO)
        count(c, ADIT_M_CONN_PROTOCOL_ERROR);
    c->up->on_end(c->up_ctx, c, why, text);

    adit_metric_sub(c->net->cfg.metrics, ADIT_M_CONNS, 1);
    end_upgrade(c);
    adit_timer_stop(c->net->w, &c->timer);
    adit_task_cancel(&c->flush);
    drop_partial(c);
    adit_chain_fini(&c->out, pool_of(c));
    adit_list_remove(&c->stalled_link);
    adit_yamux_fini(&c->mux);
    adit_noise_key_fini(&c->tx);
    adit_noise_key_fini(&c->rx);
    c->pipe->ops->close(c->pipe, abort);
    c->pipe = NULL;
    adit_retire(c->net->w, &c->retiree, conn_reap, c);
}

/* Free its memory now, close it when nobody is in the middle of anything. */
static void
doom(struct adit_conn *c, const char *why)
{
    if (c->is_doomed)
        return;
    count(c, ADIT_M_CONN_BUFFERS);
    c->is_doomed = true;
    c->doomed_why = why;
    drop_partial(c);
    /* A circuit's connection may be the very one that asks for room, for
     * what the connection inside it is just sending. */
    if (!c->is_sending)
        adit_chain_fini(&c->out, pool_of(c));
    adit_list_remove(&c->stalled_link);
    adit_task_post(c->net->w, &c->flush);
}

void
adit_conn_doom(struct adit_conn *c, const char *why)
{
    if (!c->is_over)
        doom(c, why);
}

/* The first in `l` that is not `self`; NULL: none. */
static struct adit_list *
first_other(struct adit_list *l, struct adit_list *self)
{
    ADIT_LIST_EACH(n, tmp, l)
    {
        if (n != self)
            return n;
    }
    return NULL;
}

/*
 * The pool is full.  Whoever has waited longest without any progress goes:
 * a partial frame, a circuit, or output that its peer does not read.
 */
bool
adit_conn_make_room(struct adit_conn *self)
{
    static const char why[] = "the node's buffers are full";
    struct adit_net *net = self->net;
    struct adit_list *p = first_other(&net->partials, &self->partial_link);
    struct adit_list *s = first_other(&net->stalled, &self->stalled_link);
    struct adit_conn *partial = NULL, *stalled = NULL;
    struct adit_instant at = ADIT_NEVER;

    if (net->relieve != NULL)
        at = net->waits_since(net->relieve_ctx);
    if (p != NULL) {
        partial = ADIT_CONTAINER_OF(p, struct adit_conn, partial_link);
        if (partial->partial_since.us < at.us)
            at = partial->partial_since;
        else
            partial = NULL;
    }
    if (s != NULL) {
        struct adit_instant since;

        stalled = ADIT_CONTAINER_OF(s, struct adit_conn, stalled_link);
        since = adit_instant_add(stalled->stall_since, PATIENCE_US);
        /* Of two that do not read, the one that asks is no better. */
        if (since.us < at.us &&
            (!adit_list_is_linked(&self->stalled_link) ||
             stalled->stall_since.us <= self->stall_since.us)) {
            doom(stalled, why);
            return true;
        }
    }
    if (partial != NULL) {
        doom(partial, why);
        return true;
    }
    return at.us != ADIT_NEVER.us && net->relieve(net->relieve_ctx);
}

/* ---- deadlines --------------------------------------------------------- */

static void
arm(struct adit_conn *c)
{
    const struct adit_net_config *cfg = &c->net->cfg;
    struct adit_instant due = ADIT_NEVER;

    if (c->upgrade != NULL)
        due = adit_instant_add(c->born, cfg->handshake_us);
    if (c->partial.n_bytes > 0)
        due = adit_instant_min(
            due, adit_instant_add(c->partial_since, cfg->partial_us));
    if (c->out.n_bytes > 0)
        due = adit_instant_min(
            due, adit_instant_add(c->stall_since, cfg->stall_us));
    if (c->is_ready)
        due = adit_instant_min(due, adit_yamux_due(&c->mux));
    if (due.us == ADIT_NEVER.us)
        return;
    /* One that rings early is looked at and set anew. */
    if (adit_timer_is_set(&c->timer) && c->timer.node.due.us <= due.us)
        return;
    if (adit_timer_set(c->net->w, &c->timer, due) != ADIT_OK)
        adit_conn_close(c, ADIT_ENOMEM, "no memory for a timer");
}

static bool
is_past(struct adit_instant since, int64_t us, struct adit_instant now)
{
    return adit_instant_is_due(adit_instant_add(since, us), now);
}

static void
on_timer(void *ctx)
{
    struct adit_conn *c = ctx;
    const struct adit_net_config *cfg = &c->net->cfg;
    struct adit_instant now = now_of(c);

    if (c->upgrade != NULL && is_past(c->born, cfg->handshake_us, now)) {
        adit_conn_close(c, ADIT_ETIMEDOUT, "the upgrade took too long");
    } else if (c->partial.n_bytes > 0 &&
               is_past(c->partial_since, cfg->partial_us, now)) {
        count(c, ADIT_M_CONN_PARTIAL_DEADLINE);
        adit_conn_close(c, ADIT_ETIMEDOUT, "a frame was never completed");
    } else if (c->out.n_bytes > 0 &&
               is_past(c->stall_since, cfg->stall_us, now)) {
        count(c, ADIT_M_CONN_WRITE_STALL);
        adit_conn_close(c, ADIT_ETIMEDOUT, "the peer stopped reading");
    } else if (c->is_ready && adit_yamux_tick(&c->mux, now) != ADIT_OK) {
        count(c, ADIT_M_CONN_KEEPALIVE);
        adit_conn_close(c, ADIT_ETIMEDOUT, "a ping was not answered");
    } else {
        if (c->is_ready && adit_yamux_has_out(&c->mux))
            adit_task_post(c->net->w, &c->flush);
        arm(c);
    }
}

/* ---- output ------------------------------------------------------------ */

/* Room for `n` bytes at the end of the out-queue, or the conn is doomed. */
static uint8_t *
reserve_out(struct adit_conn *c, size_t n)
{
    uint8_t *dst = adit_chain_reserve(&c->out, pool_of(c), n);

    while (dst == NULL && adit_conn_make_room(c))
        dst = adit_chain_reserve(&c->out, pool_of(c), n);
    if (dst == NULL)
        doom(c, "no buffer for its output");
    return dst;
}

static void
queued(struct adit_conn *c, size_t n)
{
    if (c->out.n_bytes == 0)
        c->stall_since = now_of(c);
    adit_chain_commit(&c->out, n);
    adit_task_post(c->net->w, &c->flush);
}

/* One frame of `plain`, or as it is before the keys are there. */
static bool
put_out(struct adit_conn *c, struct adit_slice plain)
{
    size_t n = plain.n + (c->is_secured ? ADIT_NOISE_OVERHEAD : 0);
    uint8_t *dst = reserve_out(c, n);

    if (dst == NULL)
        return false;
    if (!c->is_secured) {
        adit_copy(dst, plain);
    } else if (adit_noise_seal(c->net->aead, &c->tx, plain, dst) != ADIT_OK) {
        doom(c, "the key is used up"); /* 2^64 frames: never in practice */
        return false;
    }
    queued(c, n);
    return true;
}

/*
 * Send while the frames are in the cache; but close nothing: our caller
 * holds streams.
 */
static void
offer(struct adit_conn *c)
{
    while (c->out.n_bytes > 0 && !adit_list_is_linked(&c->stalled_link)) {
        struct adit_slice v[GATHER];
        size_t n = adit_chain_gather(&c->out, v, GATHER);
        size_t offered = 0, taken = 0;
        adit_err e;

        for (size_t i = 0; i < n; i++)
            offered += v[i].n;
        c->is_sending = true;
        e = c->pipe->ops->send(c->pipe, v, n, &taken);
        c->is_sending = false;
        if (e != ADIT_OK)
            return;
        adit_chain_drain(&c->out, pool_of(c), taken);
        if (taken > 0)
            c->stall_since = now_of(c);
        if (taken < offered)
            return;
    }
}

static bool
render(struct adit_conn *c)
{
    uint8_t buf[CONTROL_BYTES];
    size_t n;

    if (c->out.n_bytes >= CONTROL_HIGH_BYTES && adit_yamux_has_out(&c->mux)) {
        offer(c);
        if (c->out.n_bytes >= CONTROL_HIGH_BYTES) {
            doom(c, "the peer asks and does not read");
            return false;
        }
    }
    while ((n = adit_yamux_out(&c->mux, buf, sizeof(buf))) > 0)
        if (!put_out(c, adit_slice(buf, n)))
            return false;
    return true;
}

/* Offer the out-queue to the pipe. */
static void
send_out(struct adit_conn *c)
{
    while (c->out.n_bytes > 0) {
        struct adit_slice v[GATHER];
        size_t n = adit_chain_gather(&c->out, v, GATHER);
        size_t offered = 0, taken = 0;
        adit_err e;

        for (size_t i = 0; i < n; i++)
            offered += v[i].n;
        c->is_sending = true;
        e = c->pipe->ops->send(c->pipe, v, n, &taken);
        c->is_sending = false;
        if (e != ADIT_OK) {
            if (!c->is_doomed) /* else it is being closed just now */
                adit_conn_close(c, e, "the connection broke while sending");
            return;
        }
        if (taken > 0) {
            adit_chain_drain(&c->out, pool_of(c), taken);
            c->stall_since = now_of(c);
            adit_list_remove(&c->stalled_link);
        }
        if (taken < offered) {
            if (!adit_list_is_linked(&c->stalled_link))
                adit_list_push_tail(&c->net->stalled, &c->stalled_link);
            return;
        }
    }
}

static void
flush(void *ctx)
{
    struct adit_conn *c = ctx;

    if (c->is_over)
        return;
    if (c->is_doomed) {
        adit_conn_close(c, ADIT_ELIMIT, c->doomed_why);
        return;
    }
    if (c->is_ready && !render(c))
        return;
    send_out(c);
    if (c->is_over)
        return;
    if (c->is_blocked && c->out.n_bytes < ADIT_CONN_OUT_HIGH_BYTES / 2) {
        c->is_blocked = false;
        c->up->on_room(c->up_ctx, c, NULL);
    }
    if (!c->is_over)
        arm(c);
}

static bool
has_room(struct adit_conn *c)
{
    if (c->is_over || c->is_doomed)
        return false;
    if (c->out.n_bytes < ADIT_CONN_OUT_HIGH_BYTES)
        return true;
    if (adit_list_is_linked(&c->stalled_link)) {
        c->is_blocked = true;
        return false;
    }
    offer(c);
    if (c->is_doomed)
        return false;
    if (c->out.n_bytes < ADIT_CONN_OUT_HIGH_BYTES / 2)
        return true; /* whoever waits since before, hears it from flush */
    c->is_blocked = true;
    adit_task_post(c->net->w, &c->flush);
    return false;
}

size_t
adit_conn_send(struct adit_conn *c, struct adit_yamux_stream *s,
               struct adit_mslice body)
{
    size_t done = 0;

    while (done < body.n && has_room(c)) {
        size_t want = ADIT_MIN(body.n - done, (size_t)c->body_max_bytes);
        uint8_t *at = body.p + done;
        struct adit_slice frame;
        uint8_t hdr[ADIT_YAMUX_HEADER_BYTES];
        uint8_t *dst;
        uint32_t n;

        /* No chunk for what the window will not let through. */
        if (!adit_yamux_is_writable(s))
            break;
        want = ADIT_MIN(want, (size_t)s->send_window);
        if (want == 0) {
            n = adit_yamux_send(&c->mux, s, body.n - done, hdr);
            adit_assert(n == 0); /* it will tell when there is window */
            break;
        }
        dst = reserve_out(c, want + ADIT_YAMUX_HEADER_BYTES +
                                 ADIT_NOISE_OVERHEAD);
        if (dst == NULL)
            break;
        n = adit_yamux_send(&c->mux, s, want, hdr);
        if (n == 0)
            break;
        memcpy(at - sizeof(hdr), hdr, sizeof(hdr));
        frame = adit_slice(at - sizeof(hdr), n + sizeof(hdr));
        if (adit_noise_seal(c->net->aead, &c->tx, frame, dst) != ADIT_OK) {
            doom(c, "the key is used up");
            break;
        }
        queued(c, frame.n + ADIT_NOISE_OVERHEAD);
        done += n;
    }
    return done;
}

size_t
adit_conn_send_copy(struct adit_conn *c, struct adit_yamux_stream *s,
                    struct adit_slice body)
{
    uint8_t buf[ADIT_YAMUX_HEADER_BYTES + COPY_BYTES];
    size_t done = 0;

    while (done < body.n) {
        struct adit_mslice part = { buf + ADIT_YAMUX_HEADER_BYTES,
                                    ADIT_MIN(body.n - done,
                                             (size_t)COPY_BYTES) };
        size_t n;

        memcpy(part.p, body.p + done, part.n);
        n = adit_conn_send(c, s, part);
        done += n;
        if (n < part.n)
            break;
    }
    return done;
}

/* ---- input ------------------------------------------------------------- */

static void
events(struct adit_conn *c)
{
    struct adit_yamux_event ev;

    while (!c->is_over && adit_yamux_next(&c->mux, &ev) == ADIT_OK) {
        switch (ev.type) {
        case ADIT_YAMUX_DATA:
            c->up->on_data(c->up_ctx, c, ev.stream, ev.data);
            break;
        case ADIT_YAMUX_OPEN:
            c->up->on_stream(c->up_ctx, c, ev.stream);
            break;
        case ADIT_YAMUX_FIN:
            c->up->on_fin(c->up_ctx, c, ev.stream);
            break;
        case ADIT_YAMUX_RESET:
            c->up->on_reset(c->up_ctx, c, ev.stream, ev.code);
            break;
        case ADIT_YAMUX_WINDOW:
            c->up->on_room(c->up_ctx, c, ev.stream);
            break;
        case ADIT_YAMUX_RTT:
            if (c->up->on_rtt != NULL)
                c->up->on_rtt(c->up_ctx, c, c->mux.rtt_us);
            break;
        case ADIT_YAMUX_GOAWAY:
            adit_conn_close(c, ADIT_DONE, "the peer went away");
            break;
        }
    }
}

static void
become_ready(struct adit_conn *c)
{
    struct adit_yamux_config mux = c->net->cfg.mux;

    mux.is_client = c->is_dialer;
    adit_yamux_init(&c->mux, adit_worker_mem(c->net->w), &mux, now_of(c));
    c->is_ready = true;
    c->up->on_ready(c->up_ctx, c);
}

/* Move what the upgrade wants sent, and see how far it is. */
static void
advance(struct adit_conn *c)
{
    struct adit_noise_result r;
    struct adit_slice o;

    for (;;) {
        while ((o = adit_upgrade_out(c->upgrade)).n > 0) {
            if (!put_out(c, o))
                return;
            adit_upgrade_sent(c->upgrade, o.n);
        }
        if (adit_upgrade_secured(c->upgrade, &r) != ADIT_OK)
            break;
        c->peer = r.peer;
        c->tx = r.tx;
        c->rx = r.rx;
        c->is_secured = true;
        adit_wipe(&r, sizeof(r));
    }
    if (!c->is_ready && c->is_secured && adit_upgrade_may_mux(c->upgrade)) {
        become_ready(c);
        if (c->is_over)
            return;
    }
    if (c->is_ready && adit_upgrade_is_done(c->upgrade))
        end_upgrade(c);
}

/* Bytes for the upgrade; returns what is not its own. */
static struct adit_mslice
feed_upgrade(struct adit_conn *c, struct adit_mslice in)
{
    bool was_secured = c->is_secured;

    while (in.n > 0 && c->upgrade != NULL && !c->is_over && !c->is_doomed &&
           c->is_secured == was_secured) {
        size_t used;
        adit_err e =
            adit_upgrade_feed(c->upgrade, adit_slice(in.p, in.n), &used);

        if (e != ADIT_OK) {
            const char *why = adit_upgrade_why(c->upgrade);

            /* A refusal that waits to be sent tells the peer why. */
            adit_conn_close(c, e, why);
            break;
        }
        in.p += used;
        in.n -= used;
        advance(c);
        if (used == 0)
            break;
    }
    return in;
}

static void
feed_plain(struct adit_conn *c, struct adit_mslice in)
{
    unsigned n_stuck = 0;

    in = feed_upgrade(c, in);
    if (!c->is_ready && in.n > 0 && !c->is_over && !c->is_doomed) {
        adit_conn_close(c, ADIT_EPROTO, "bytes that belong to no stage");
        return;
    }
    while (in.n > 0 && !c->is_over && !c->is_doomed) {
        size_t used = 0;
        adit_err e = adit_yamux_feed(&c->mux, in, now_of(c), &used);

        if (e == ADIT_EPROTO) {
            const char *why = adit_yamux_why(&c->mux, NULL);

            render(c); /* the GoAway that says so */
            adit_conn_close(c, ADIT_EPROTO, why);
            return;
        }
        in.p += used;
        in.n -= used;
        events(c);
        if (used > 0) {
            n_stuck = 0;
        } else if (n_stuck++ > 0 || c->is_over || !render(c)) {
            /* It wanted its output gone, and that did not help. */
            adit_conn_close(c, ADIT_EPROTO, "no progress");
            return;
        }
    }
}

/* One whole frame at `p`: length, ciphertext, tag. */
static void
feed_frame(struct adit_conn *c, uint8_t *p, size_t n_bytes)
{
    struct adit_mslice f = { p + ADIT_NOISE_LEN_BYTES, n_bytes };

    if (adit_noise_open(c->net->aead, &c->rx, f) != ADIT_OK) {
        adit_conn_close(c, ADIT_EPROTO, "a frame does not decrypt");
        return;
    }
    f.n -= ADIT_NOISE_TAG_BYTES;
    if (f.n > 0)
        feed_plain(c, f);
}

/* Keep bytes of a frame until its rest is here. */
static void
keep_partial(struct adit_conn *c, struct adit_slice s)
{
    adit_err e;

    if (s.n == 0)
        return;
    e = adit_chain_append(&c->partial, pool_of(c), s);
    while (e != ADIT_OK && adit_conn_make_room(c))
        e = adit_chain_append(&c->partial, pool_of(c), s);
    if (e != ADIT_OK) {
        doom(c, "no buffer for its input");
        return;
    }
    if (!adit_list_is_linked(&c->partial_link)) {
        c->partial_since = now_of(c);
        adit_list_push_tail(&c->net->partials, &c->partial_link);
    }
}

/*
 * Bytes of a frame's length and body that are in `partial`, copied out in
 * order.  n <= partial.n_bytes.
 */
static void
peek_partial(const struct adit_conn *c, uint8_t *dst, size_t n)
{
    for (const struct adit_chunk *k = c->partial.head; n > 0; k = k->next) {
        size_t have = ADIT_MIN((size_t)(k->end - k->off), n);

        memcpy(dst, k->data + k->off, have);
        dst += have;
        n -= have;
    }
}

/*
 * If a partial frame waits, complete it: put its bytes in front of the new
 * ones, where everything is dead.  False: it is still not complete, and all
 * of `in` was kept.
 */
static bool
complete_partial(struct adit_conn *c, struct adit_mslice *in)
{
    size_t have = c->partial.n_bytes;
    uint8_t len[ADIT_NOISE_LEN_BYTES];
    size_t n_len = ADIT_MIN(have, sizeof(len));

    peek_partial(c, len, n_len);
    for (size_t i = 0; n_len < sizeof(len) && i < in->n; i++)
        len[n_len++] = in->p[i];
    if (n_len < sizeof(len) ||
        have + in->n < sizeof(len) + (size_t)adit_get_be16(len)) {
        keep_partial(c, adit_slice(in->p, in->n));
        return false;
    }
    in->p -= have;
    in->n += have;
    peek_partial(c, in->p, have);
    drop_partial(c);
    return true;
}

static void
feed_frames(struct adit_conn *c, struct adit_mslice in)
{
    if (c->partial.n_bytes > 0 && !complete_partial(c, &in))
        return;
    while (in.n >= ADIT_NOISE_LEN_BYTES && !c->is_over && !c->is_doomed) {
        size_t n = adit_get_be16(in.p);

        if (n < MIN_FRAME_BYTES) {
            adit_conn_close(c, ADIT_EPROTO, "a frame shorter than its tag");
            return;
        }
        if (in.n < ADIT_NOISE_LEN_BYTES + n)
            break;
        feed_frame(c, in.p, n);
        in.p += ADIT_NOISE_LEN_BYTES + n;
        in.n -= ADIT_NOISE_LEN_BYTES + n;
    }
    if (!c->is_over && !c->is_doomed)
        keep_partial(c, adit_slice(in.p, in.n));
}

static void
on_input(void *ctx, struct adit_mslice in)
{
    struct adit_conn *c = ctx;

    if (c->is_over || c->is_doomed)
        return;
    if (!c->is_secured)
        in = feed_upgrade(c, in);
    if (c->is_secured && in.n > 0)
        feed_frames(c, in);
    if (c->is_over)
        return;
    if (!c->is_secured && in.n > 0 && !c->is_doomed) {
        adit_conn_close(c, ADIT_EPROTO, "bytes that belong to no stage");
        return;
    }
    adit_task_post(c->net->w, &c->flush);
}

static void
on_writable(void *ctx)
{
    struct adit_conn *c = ctx;

    if (c->is_over)
        return;
    adit_list_remove(&c->stalled_link);
    adit_task_post(c->net->w, &c->flush);
}

static void
on_pipe_end(void *ctx, adit_err why)
{
    struct adit_conn *c = ctx;

    if (why == ADIT_OK && c->partial.n_bytes > 0)
        adit_conn_close(c, ADIT_EIO, "the peer ended inside a frame");
    else if (why == ADIT_OK)
        adit_conn_close(c, ADIT_DONE, "the peer closed the connection");
    else
        adit_conn_close(c, why, "the connection broke");
}

static const struct adit_pipe_up pipe_up = {
    .on_input = on_input,
    .on_writable = on_writable,
    .on_end = on_pipe_end,
};

/* ---- verbs ------------------------------------------------------------- */

adit_err
adit_conn_new(struct adit_net *net, struct adit_pipe *pipe, bool is_dialer,
              const struct adit_peerid *expect, const struct adit_conn_up *up,
              void *up_ctx, struct adit_conn **out)
{
    struct adit_mem *mem = adit_worker_mem(net->w);
    struct adit_peerid anyone = { 0 };
    struct adit_conn *c = ADIT_NEW(mem, struct adit_conn);

    if (c == NULL ||
        adit_upgrade_new(net, is_dialer, expect != NULL ? expect : &anyone,
                         &c->upgrade) != ADIT_OK) {
        ADIT_FREE(mem, c);
        pipe->ops->close(pipe, true);
        return ADIT_ENOMEM;
    }
    c->net = net;
    c->pipe = pipe;
    c->up = up;
    c->up_ctx = up_ctx;
    c->body_max_bytes = ADIT_YAMUX_MAX_BODY_BYTES;
    c->is_dialer = is_dialer;
    c->born = c->stall_since = now_of(c);
    c->timer = (struct adit_timer){ .fn = on_timer, .ctx = c };
    c->flush = (struct adit_task){ .fn = flush, .ctx = c };
    pipe->up = &pipe_up;
    pipe->up_ctx = c;
    adit_metric_add(net->cfg.metrics, ADIT_M_CONNS, 1);
    adit_metric_add(net->cfg.metrics, ADIT_M_CONNS_OPENED, 1);
    adit_metric_add(net->cfg.metrics, ADIT_M_HANDSHAKES, 1);
    *out = c;
    /*
     * A dialer says all that may go first.  A listener's header waits for
     * the dialer's, and leaves with the answer to its proposal: one segment
     * less for each connection (rust does so, go and js do not mind).
     */
    if (is_dialer)
        advance(c);
    adit_task_post(net->w, &c->flush); /* arms the deadlines, too */
    return ADIT_OK;
}

adit_err
adit_conn_open(struct adit_conn *c, struct adit_yamux_stream **s)
{
    adit_err e;

    if (c->is_over || !c->is_ready)
        return ADIT_ESTATE;
    e = adit_yamux_open(&c->mux, s);
    if (e == ADIT_OK)
        adit_task_post(c->net->w, &c->flush);
    return e;
}

void
adit_conn_consumed(struct adit_conn *c, struct adit_yamux_stream *s, size_t n)
{
    if (c->is_over || n == 0)
        return;
    adit_yamux_consumed(&c->mux, s, n, now_of(c));
    if (adit_yamux_has_out(&c->mux))
        adit_task_post(c->net->w, &c->flush);
}

void
adit_conn_fin(struct adit_conn *c, struct adit_yamux_stream *s)
{
    if (c->is_over)
        return;
    adit_yamux_fin(&c->mux, s);
    adit_task_post(c->net->w, &c->flush);
}

void
adit_conn_reset(struct adit_conn *c, struct adit_yamux_stream *s,
                uint32_t code)
{
    if (c->is_over)
        return;
    adit_yamux_reset(&c->mux, s, code);
    adit_task_post(c->net->w, &c->flush);
}

void
adit_conn_release(struct adit_conn *c, struct adit_yamux_stream *s)
{
    if (c->is_over)
        return;
    adit_yamux_release(&c->mux, s);
    adit_task_post(c->net->w, &c->flush);
}

void
adit_conn_ping(struct adit_conn *c)
{
    if (c->is_over || !c->is_ready)
        return;
    adit_yamux_ping(&c->mux, now_of(c));
    adit_task_post(c->net->w, &c->flush);
}

int64_t
adit_conn_rtt_us(const struct adit_conn *c)
{
    return c->mux.rtt_us;
}
