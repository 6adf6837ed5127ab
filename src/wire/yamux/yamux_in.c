/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The half of yamux that reads: bytes into events. */
#include "wire/yamux/yamux.h"

#include "wire/yamux/frame.h"

/* A higher round trip pulls the measured one up by this part of its gap. */
#define RTT_RISE 8

static void
tell(struct adit_yamux *y, enum adit_yamux_event_type type)
{
    y->events |= (uint8_t)(1u << type);
}

/* From here on nothing is read and nothing but the GoAway is sent. */
static adit_err
fail(struct adit_yamux *y, const char *why, uint32_t value)
{
    y->err = ADIT_EPROTO;
    y->why = why;
    y->why_value = value;
    y->body_left = 0;
    y->events = 0;
    y->n_owed = 0;
    y->goaway_code = ADIT_YAMUX_PROTOCOL_ERROR;
    y->flags |= Y_GOAWAY | Y_LEAVING;
    return ADIT_EPROTO;
}

/* There is room: _feed has looked. */
static void
owe_answer(struct adit_yamux *y, uint32_t id, uint32_t value)
{
    y->owed[y->n_owed++] = (struct adit_yamux_owed){ id, value };
}

static void
on_fin(struct adit_yamux *y, struct adit_yamux_stream *s)
{
    if (s->flags & S_FIN_PEER)
        return;
    s->flags |= S_FIN_PEER;
    adit_yamux_forgive(s, F_GRANT); /* credit is of no use to it now */
    tell(y, ADIT_YAMUX_FIN);
}

static void
on_reset(struct adit_yamux *y, struct adit_yamux_stream *s, uint32_t code)
{
    adit_yamux_forgive(s, F_OWES);
    s->flags |= S_DEAD;
    s->reset_code = y->code = code;
    tell(y, ADIT_YAMUX_RESET);
}

static adit_err
on_window(struct adit_yamux *y, struct adit_yamux_stream *s, unsigned flags,
          uint32_t delta)
{
    if (delta > UINT32_MAX - s->send_window)
        return fail(y, "credit beyond 2^32 - 1", s->id);
    s->send_window += delta;
    if (delta > 0 && (s->flags & S_STARVED)) {
        s->flags &= (uint16_t)~S_STARVED;
        tell(y, ADIT_YAMUX_WINDOW);
    }
    if (flags & F_FIN)
        on_fin(y, s);
    return ADIT_OK;
}

/* The head of a data frame; its body is still to come. */
static adit_err
on_data(struct adit_yamux *y, struct adit_yamux_stream *s, unsigned flags,
        uint32_t n)
{
    if (n > s->recv_window)
        return fail(y, "more data than the window allows", s->id);
    if (n > 0 && (s->flags & S_FIN_PEER)) {
        /* No implementation does it: the fault of one stream's user. */
        adit_yamux_reset(y, s, ADIT_YAMUX_RESET_PROTOCOL);
        y->cur = s;
        y->code = s->reset_code;
        tell(y, ADIT_YAMUX_RESET);
        return ADIT_OK;
    }
    s->recv_window -= n;
    if (flags & F_FIN) {
        if (n > 0)
            y->flags |= Y_BODY_FIN;
        else
            on_fin(y, s);
    }
    return ADIT_OK;
}

/*
 * A SYN.  ADIT_OK with y->cur NULL, and ADIT_ENOMEM: it was refused, which
 * ends nothing but this stream.
 */
static adit_err
on_syn(struct adit_yamux *y, uint32_t id)
{
    bool is_odd = id % 2 == 1;

    if (y->cur != NULL)
        return fail(y, "a stream was opened twice", id);
    if (is_odd == ((y->flags & Y_IS_CLIENT) != 0))
        return fail(y, "a stream with an id of ours", id);
    if (y->flags & Y_LEAVING) {
        owe_answer(y, id, ADIT_YAMUX_RESET_SHUTDOWN);
        return ADIT_OK;
    }
    if (y->n_streams < y->max_streams)
        y->cur = adit_yamux_add(y, id);
    if (y->cur == NULL) {
        owe_answer(y, id, ADIT_YAMUX_RESET_RESOURCE);
        return y->n_streams < y->max_streams ? ADIT_ENOMEM : ADIT_OK;
    }
    /*
     * The ACK is worth no frame of its own, nor the system call that would
     * carry it: it rides on whatever comes first, as rust's does, and the
     * protocol's negotiation always has something to say.
     */
    y->cur->flags |= F_ACK;
    tell(y, ADIT_YAMUX_OPEN);
    return ADIT_OK;
}

static adit_err
on_stream(struct adit_yamux *y, enum frame_type type, unsigned flags,
          uint32_t id, uint32_t len)
{
    struct adit_yamux_stream *s = y->cur;
    adit_err e = ADIT_OK;

    if (s == NULL || s->id != id)
        y->cur = s = adit_yamux_find(y, id);
    y->flags &= (uint8_t) ~(Y_DROP | Y_BODY_FIN);
    if (type == FRAME_DATA)
        y->body_left = len;

    if (ADIT_UNLIKELY(s == NULL || (flags & (F_SYN | F_RST)) ||
                      (s->flags & S_DEAD))) {
        if (id == 0)
            return fail(y, "data or window of stream 0", len);
        /*
         * Only a window update has room for a code.  A stream that is
         * opened and reset in one frame never was.
         */
        if (flags & F_RST) {
            if (s != NULL && !(s->flags & S_DEAD))
                on_reset(y, s, type == FRAME_WINDOW ? len : 0);
            y->flags |= Y_DROP;
            return ADIT_OK;
        }
        if (flags & F_SYN) {
            e = on_syn(y, id);
            s = y->cur;
        }
        /* Late frames of a stream that we have reset are nobody's. */
        if (e != ADIT_OK || s == NULL || (s->flags & S_DEAD)) {
            y->flags |= Y_DROP;
            return e;
        }
    }
    return type == FRAME_DATA ? on_data(y, s, flags, len)
                              : on_window(y, s, flags, len);
}

static void
on_pong(struct adit_yamux *y, uint32_t value, struct adit_instant now)
{
    int64_t us = adit_instant_sub(now, y->ping_at);
    uint32_t rtt;

    /* rust and js die of a pong they did not ask for; we need not. */
    if (!(y->flags & Y_PING_SENT) || value != y->ping_value)
        return;
    y->flags &= (uint8_t)~Y_PING_SENT;
    rtt = us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    if (y->rtt_us == 0 || rtt < y->rtt_us)
        y->rtt_us = rtt;
    else
        y->rtt_us += (rtt - y->rtt_us) / RTT_RISE;
    y->code = rtt;
    tell(y, ADIT_YAMUX_RTT);
}

static adit_err
on_header(struct adit_yamux *y, const uint8_t h[static 12],
          struct adit_instant now)
{
    unsigned flags = adit_get_be16(h + 2);
    uint32_t id = adit_get_be32(h + 4);
    uint32_t len = adit_get_be32(h + 8);

    if (h[0] != 0)
        return fail(y, "unknown version", h[0]);
    switch (h[1]) {
    case FRAME_DATA:
        return on_stream(y, FRAME_DATA, flags, id, len);
    case FRAME_WINDOW:
        return on_stream(y, FRAME_WINDOW, flags, id, len);
    case FRAME_PING:
        if (flags & F_SYN)
            owe_answer(y, 0, len);
        else if (flags & F_ACK)
            on_pong(y, len, now);
        return ADIT_OK;
    case FRAME_GOAWAY:
        y->flags |= Y_PEER_LEAVING;
        y->code = len;
        tell(y, ADIT_YAMUX_GOAWAY);
        return ADIT_OK;
    default:
        return fail(y, "unknown frame type", h[1]);
    }
}

/* Some of a frame's body; returns how much. */
static size_t
on_body(struct adit_yamux *y, struct adit_mslice in)
{
    size_t n = ADIT_MIN(in.n, (size_t)y->body_left);

    y->body_left -= (uint32_t)n;
    if ((y->flags & Y_DROP) || (y->cur->flags & S_DEAD))
        return n;
    y->data = (struct adit_mslice){ in.p, n };
    tell(y, ADIT_YAMUX_DATA);
    if (y->body_left == 0 && (y->flags & Y_BODY_FIN))
        on_fin(y, y->cur);
    return n;
}

adit_err
adit_yamux_feed(struct adit_yamux *y, struct adit_mslice in,
                struct adit_instant now, size_t *used)
{
    adit_err e = ADIT_OK;

    adit_assert(y->events == 0);
    *used = 0;
    if (ADIT_UNLIKELY(y->err != ADIT_OK))
        return y->err;
    if (in.n == 0)
        return ADIT_OK;
    y->heard_at = now;
    if (y->body_left == 0) {
        const uint8_t *h = in.p;
        size_t n = ADIT_YAMUX_HEADER_BYTES;

        if (ADIT_UNLIKELY(y->n_owed == ADIT_YAMUX_MAX_OWED))
            return ADIT_OK; /* any header might need one more */
        if (ADIT_UNLIKELY(y->hdr_have > 0 || in.n < n)) {
            n = ADIT_MIN(in.n, n - y->hdr_have);
            memcpy(y->hdr + y->hdr_have, in.p, n);
            y->hdr_have += (uint8_t)n;
            if (y->hdr_have < ADIT_YAMUX_HEADER_BYTES) {
                *used = n;
                return ADIT_OK;
            }
            y->hdr_have = 0;
            h = y->hdr;
        }
        e = on_header(y, h, now);
        *used = n;
        in.p += n;
        in.n -= n;
    }
    if (y->body_left > 0 && in.n > 0)
        *used += on_body(y, in);
    return e;
}

adit_err
adit_yamux_next(struct adit_yamux *y, struct adit_yamux_event *ev)
{
    unsigned type;

    if (y->events == 0)
        return ADIT_AGAIN;
    type = (unsigned)__builtin_ctz(y->events);
    y->events &= (uint8_t)(y->events - 1);
    ev->type = (enum adit_yamux_event_type)type;
    ev->stream = type < ADIT_YAMUX_RTT ? y->cur : NULL;
    ev->data = y->data;
    ev->code = y->code;
    return ADIT_OK;
}
