/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/back.h"
#include "embed/front.h"
#include "embed/info.h"
#include "host/circuit.h"

/*
 * Whoever closed a stream that has bytes to send is not kept waiting, but
 * the bytes are, as long as some leave within this time.
 */
#define LINGER_US (60 * ADIT_S)

static adit_stream *
front_of(struct adit_bstream *b)
{
    return ADIT_CONTAINER_OF(b, struct adit_stream_handle, b);
}

static void
tell(struct adit_bstream *b, struct adit_note *note,
     void (*fn)(adit_node *n, struct adit_note *note))
{
    adit_front_note(b->back->front, note, fn);
}

static void
piece_free(struct adit_piece *p)
{
    adit_cross_free(p, sizeof(*p) + p->cap);
}

static struct adit_left
left(const struct adit_bstream *b)
{
    return b->hc != NULL ? adit_left_of(b->hc) : ADIT_LEFT_ALL;
}

static void
drop_tx(struct adit_bstream *b)
{
    while (b->tx != NULL) {
        struct adit_piece *p = b->tx;

        b->tx = p->next;
        piece_free(p);
    }
    b->tx_tail = &b->tx;
}

/*
 * It has no stream any more, nor will it have one.  If the user has said bye
 * it is gone for us when this returns: the other thread may free it.
 */
static void
let_go(struct adit_bstream *b)
{
    adit_connect_cancel(b->connect);
    b->connect = NULL;
    b->is_over = true;
    b->s = NULL;
    b->hc = NULL;
    drop_tx(b);
    adit_timer_stop(b->back->w, &b->linger);
    adit_list_remove(&b->link);
    /* The last word; both halves go when it is heard. */
    if (b->is_leaving)
        tell(b, &b->gone, adit_front_on_gone);
}

static void
fail(struct adit_bstream *b, adit_err why, const char *text)
{
    bool is_done = b->rx_fin && b->tx_fin_sent;

    if (b->is_over)
        return;
    if (!b->is_leaving && !is_done) {
        /* AGAIN, DONE and the like mean something else to who reads. */
        b->err = why <= ADIT_EINVAL ? why : ADIT_ERESET;
        snprintf(b->why, sizeof(b->why), "%s",
                 text != NULL ? text : adit_err_text(why));
        tell(b, &b->failed, adit_front_on_failed);
    }
    let_go(b);
}

/* ---- sending ------------------------------------------------------------- */

static void
on_linger(void *ctx)
{
    struct adit_bstream *b = ctx;

    if (b->s != NULL)
        adit_hstream_reset(b->s, ADIT_YAMUX_RESET_RESOURCE);
    let_go(b);
}

/* False: it could not be, and is gone. */
static bool
arm_linger(struct adit_bstream *b)
{
    struct adit_worker *w = b->back->w;

    if (adit_timer_set(w, &b->linger,
                       adit_instant_add(adit_worker_now(w), LINGER_US)) ==
        ADIT_OK)
        return true;
    on_linger(b);
    return false;
}

static void
pump(struct adit_bstream *b)
{
    bool moved = false;

    if (b->s == NULL)
        return;
    while (b->tx != NULL) {
        struct adit_piece *p = b->tx;
        size_t n = adit_hstream_write(
            b->s, (struct adit_mslice){ p->data + p->off, p->n });

        moved |= n > 0;
        p->off += n;
        p->n -= n;
        if (p->n > 0)
            break;
        b->tx = p->next;
        if (b->tx == NULL)
            b->tx_tail = &b->tx;
        if (b->is_leaving) {
            piece_free(p);
            continue;
        }
        p->left = left(b);
        tell(b, &p->note, adit_front_on_room);
    }
    if (moved)
        adit_back_check_limit(b->back, b->hc);
    if (b->tx == NULL && b->tx_fin && !b->tx_fin_sent) {
        b->tx_fin_sent = true;
        adit_hstream_fin(b->s);
    }
    if (!b->is_leaving)
        return;
    if (b->tx == NULL) {
        b->s->manual_credit = false;
        adit_hstream_close(b->s);
        let_go(b);
    } else if (moved) {
        (void)arm_linger(b); /* the last use of `b` */
    }
}

/* ---- what the stream tells ------------------------------------------------ */

static void
on_open(void *ctx, struct adit_hstream *s)
{
    struct adit_bstream *b = ctx;

    /* From here on, what comes is the user's, to be credited when he has
     * read it. */
    s->manual_credit = !b->is_leaving;
    if (!b->is_leaving)
        tell(b, &b->opened, adit_front_on_open);
}

static size_t
on_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct adit_bstream *b = ctx;
    struct adit_piece *p;

    if (b->is_leaving) /* nobody reads; credited by the stream itself */
        return in.n;
    p = adit_cross_alloc(sizeof(*p) + in.n);
    if (p == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        fail(b, ADIT_ENOMEM, NULL);
        return in.n;
    }
    p->s = front_of(b);
    p->n = p->cap = in.n;
    memcpy(p->data, in.p, in.n);
    b->n_uncredited += in.n;
    p->left = left(b);
    tell(b, &p->note, adit_front_on_data);
    adit_back_check_limit(b->back, b->hc);
    return in.n;
}

static void
on_fin(void *ctx, struct adit_hstream *s)
{
    struct adit_bstream *b = ctx;

    (void)s;
    b->rx_fin = true;
    if (!b->is_leaving)
        tell(b, &b->fin, adit_front_on_fin);
}

static void
on_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    pump(ctx);
}

/* A connection that a relay has cut says which limit it was. */
static bool
limit_why(const struct adit_hconn *hc, adit_err *why, char *text, size_t cap)
{
    const struct adit_circuit *c = hc->circuit;
    struct adit_circuit_left l;

    if (!hc->is_over || !hc->is_limited || c == NULL ||
        !adit_circuit_is_spent(c))
        return false;
    l = adit_circuit_left(c);
    if (l.out_bytes == 0 || l.in_bytes == 0) {
        *why = ADIT_ELIMIT;
        snprintf(text, cap,
                 "the relay's limit of %llu bytes each way was reached",
                 (unsigned long long)c->limit.data_bytes);
    } else {
        *why = ADIT_EEXPIRED;
        snprintf(text, cap, "the relay's limit of %u s was reached",
                 (unsigned)adit_circuit_limit_s(&c->limit));
    }
    return true;
}

static void
on_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct adit_bstream *b = ctx;
    char limit[96];
    const char *text = "its connection is gone";

    (void)code;
    if (limit_why(b->hc, &why, limit, sizeof(limit)))
        text = limit;
    else if (why == ADIT_EUNSUPPORTED)
        text = "the peer does not speak that protocol";
    else if (why == ADIT_ETIMEDOUT && !s->is_open)
        text = "the peer did not agree to the protocol in time";
    else if (why == ADIT_ERESET)
        text = "the peer ended the stream abruptly";
    else if (why <= ADIT_EINVAL && why != ADIT_EIO)
        text = adit_err_text(why);
    b->s = NULL;
    fail(b, why, text);
}

static const struct adit_hstream_ops ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_fin = on_fin,
    .on_room = on_room,
    .on_end = on_end,
};

/* ---- beginning -------------------------------------------------------------- */

static void
tell_conn(struct adit_bstream *b)
{
    struct adit_conn_note *c = adit_conn_note_new(b->hc);

    if (c == NULL)
        return; /* adit_stream_conn() will not know */
    c->s = front_of(b);
    tell(b, &c->note, adit_front_on_conn);
}

static void
begin(struct adit_bstream *b, struct adit_back *back)
{
    b->back = back;
    b->tx_tail = &b->tx;
    b->linger = (struct adit_timer){ .fn = on_linger, .ctx = b };
    adit_list_push_tail(&back->streams, &b->link);
}

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct adit_bstream *b = ctx;

    b->connect = NULL;
    if (e == ADIT_OK && hc->is_limited && !b->target.opt.on_limited) {
        e = ADIT_ELIMIT;
        why = "the path is limited by a relay";
    }
    if (e == ADIT_OK) {
        e = adit_hstream_open(hc, b->protocol, &ops, b, &b->s);
        why = e == ADIT_ELIMIT ? "too many streams on its connection" : NULL;
    }
    if (e != ADIT_OK) {
        fail(b, e, why);
        return;
    }
    b->hc = hc;
    if (!b->is_leaving)
        tell_conn(b);
    pump(b);
}

void
adit_bstream_on_start(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_bstream *b = ADIT_CONTAINER_OF(m, struct adit_bstream, start);
    const char *why = NULL;
    adit_err e;

    (void)w;
    if (b->back->is_closed) {
        b->is_over = true;
        return;
    }
    begin(b, b->back);
    b->protocol = adit_back_name(b->back, front_of(b)->protocol);
    e = b->protocol == NULL
            ? ADIT_ENOMEM
            : adit_back_connect(b->back, &b->target, on_connected, b,
                                &b->connect, &why);
    if (e != ADIT_OK)
        fail(b, e, why);
}

void
adit_bstream_accept(struct adit_back *back, struct adit_hstream *s)
{
    adit_stream *f =
        adit_front_stream_new(back->front, s->protocol, strlen(s->protocol));

    if (f == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    begin(&f->b, back);
    f->b.s = s;
    f->b.hc = s->hc;
    s->manual_credit = true;
    adit_hstream_take(s, &ops, &f->b);
    tell_conn(&f->b);
    tell(&f->b, &f->b.opened, adit_front_on_inbound);
}

/* ---- what the user's half says ------------------------------------------------ */

void
adit_bstream_on_write(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_piece *p = ADIT_CONTAINER_OF(m, struct adit_piece, msg);
    struct adit_bstream *b = &p->s->b;

    (void)w;
    if (b->is_over || b->back->is_closed) {
        piece_free(p);
        return;
    }
    *b->tx_tail = p;
    b->tx_tail = &p->next;
    if (b->tx == p) /* else it waits for room already */
        pump(b);
}

void
adit_bstream_on_credit(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_piece *p = ADIT_CONTAINER_OF(m, struct adit_piece, msg);
    struct adit_bstream *b = &p->s->b;

    (void)w;
    b->n_uncredited -= p->cap;
    if (b->s != NULL)
        adit_hstream_credit(b->s, p->cap);
    piece_free(p);
}

void
adit_bstream_on_finish(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_bstream *b =
        &ADIT_CONTAINER_OF(m, struct adit_stream_handle, finish)->b;

    (void)w;
    if (b->is_over)
        return;
    b->tx_fin = true;
    pump(b);
}

void
adit_bstream_on_bye(struct adit_worker *w, struct adit_msg *m)
{
    adit_stream *f = ADIT_CONTAINER_OF(m, struct adit_stream_handle, bye);
    struct adit_bstream *b = &f->b;

    (void)w;
    b->is_leaving = true;
    if (b->is_over) {
        tell(b, &b->gone, adit_front_on_gone);
        return;
    }
    if (f->bye_is_abort || (b->s == NULL && b->tx == NULL)) {
        if (b->s != NULL)
            adit_hstream_reset(b->s, ADIT_YAMUX_NORMAL);
        let_go(b);
        return;
    }
    if (b->s != NULL) {
        /* What was not read never will be: the peer may go on writing. */
        b->s->manual_credit = false;
        adit_hstream_credit(b->s, b->n_uncredited);
        b->n_uncredited = 0;
    }
    b->tx_fin = true;
    if (arm_linger(b))
        pump(b);
}

/* ---- all of them --------------------------------------------------------------- */

void
adit_bstream_close_all(struct adit_back *back)
{
    while (!adit_list_is_empty(&back->streams)) {
        struct adit_bstream *b =
            ADIT_CONTAINER_OF(back->streams.next, struct adit_bstream, link);

        if (b->s != NULL)
            adit_hstream_reset(b->s, ADIT_YAMUX_RESET_SHUTDOWN);
        let_go(b);
    }
}

bool
adit_bstream_any_leaving(const struct adit_back *back)
{
    ADIT_LIST_EACH(n, tmp, &back->streams)
    {
        const struct adit_bstream *b =
            ADIT_CONTAINER_OF(n, const struct adit_bstream, link);

        if (b->is_leaving)
            return true;
    }
    return false;
}

void
adit_bstream_tell_left(struct adit_back *back, struct adit_hconn *hc)
{
    ADIT_LIST_EACH(n, tmp, &back->streams)
    {
        struct adit_bstream *b =
            ADIT_CONTAINER_OF(n, struct adit_bstream, link);
        struct adit_piece *p;

        if (b->hc != hc || b->is_leaving)
            continue;
        p = ADIT_CROSS_NEW(struct adit_piece);
        if (p == NULL)
            continue;
        p->s = front_of(b);
        p->left = adit_left_of(hc);
        tell(b, &p->note, adit_front_on_left);
    }
}
