/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/front.h"
#include "embed/info.h"

/* on_writable comes when so much is free again: not for every byte. */
#define ROOM_AGAIN_BYTES (ADIT_STREAM_ROOM_BYTES / 2)

/* One piece of what is written: a Yamux frame's body, more or less. */
#define PIECE_MAX_BYTES 65536

/* ---- made and freed ------------------------------------------------------------- */

static void
piece_free(struct adit_piece *p)
{
    adit_cross_free(p, sizeof(*p) + p->cap);
}

static size_t
size_of(const adit_stream *s)
{
    return sizeof(*s) + strlen(s->protocol) + 1;
}

adit_stream *
adit_front_stream_new(adit_node *n, const char *protocol,
                      size_t protocol_bytes)
{
    adit_stream *s = adit_cross_alloc(sizeof(*s) + protocol_bytes + 1);

    if (s == NULL)
        return NULL;
    s->node = n;
    s->rx_tail = &s->rx;
    s->left = ADIT_LEFT_ALL;
    memcpy(s->protocol, protocol, protocol_bytes);
    return s;
}

static void
drop_rx(adit_stream *s)
{
    while (s->rx != NULL) {
        struct adit_piece *p = s->rx;

        s->rx = p->next;
        piece_free(p);
    }
    s->rx_tail = &s->rx;
}

void
adit_front_stream_free(adit_stream *s)
{
    adit_list_remove(&s->link);
    drop_rx(s);
    adit_conn_note_free(s->conn);
    adit_cross_free(s, size_of(s));
}

/* ---- telling ----------------------------------------------------------------------- */

static bool
may_tell(const adit_stream *s)
{
    return !s->is_closed && !s->node->is_deaf;
}

static void
tell_readable(adit_stream *s)
{
    if (may_tell(s) && (s->rx != NULL || s->rx_fin) &&
        s->ev.on_readable != NULL)
        s->ev.on_readable(s->ev.ctx, s);
}

static void
tell_failed(adit_stream *s)
{
    if (may_tell(s) && s->is_dead && s->ev.on_failed != NULL)
        s->ev.on_failed(s->ev.ctx, s, s->err, s->why);
}

static void
on_kick(adit_node *n, struct adit_note *note)
{
    adit_stream *s = ADIT_CONTAINER_OF(note, struct adit_stream_handle, kick);

    (void)n;
    s->is_kicked = false;
    if (s->is_gone) {
        adit_front_stream_free(s);
        return;
    }
    tell_readable(s);
    tell_failed(s);
}

/* Events that were missed, because there was nobody to hear them. */
static void
kick(adit_stream *s)
{
    if (s->is_kicked || (s->rx == NULL && !s->rx_fin && !s->is_dead))
        return;
    s->is_kicked = true;
    adit_front_note(s->node, &s->kick, on_kick);
}

/* ---- what the worker tells ---------------------------------------------------------- */

static struct adit_piece *
piece_of(struct adit_note *note)
{
    return ADIT_CONTAINER_OF(note, struct adit_piece, note);
}

void
adit_front_on_inbound(adit_node *n, struct adit_note *note)
{
    adit_stream *s =
        ADIT_CONTAINER_OF(note, struct adit_stream_handle, b.opened);

    adit_list_push_tail(&n->streams, &s->link);
    if (!n->is_deaf && n->ev.on_stream != NULL)
        n->ev.on_stream(n->ev.ctx, n, s);
    else
        adit_stream_abort(s);
}

void
adit_front_on_conn(adit_node *n, struct adit_note *note)
{
    struct adit_conn_note *c =
        ADIT_CONTAINER_OF(note, struct adit_conn_note, note);
    adit_stream *s = c->s;

    (void)n;
    adit_conn_note_free(s->conn);
    s->conn = c;
    s->left = (struct adit_left){ c->info.left_out_bytes,
                                  c->info.left_in_bytes, c->info.left_ms };
}

void
adit_front_on_left(adit_node *n, struct adit_note *note)
{
    struct adit_piece *p = piece_of(note);

    (void)n;
    p->s->left = p->left;
    piece_free(p);
}

void
adit_front_on_open(adit_node *n, struct adit_note *note)
{
    adit_stream *s =
        ADIT_CONTAINER_OF(note, struct adit_stream_handle, b.opened);

    (void)n;
    if (may_tell(s) && s->ev.on_open != NULL)
        s->ev.on_open(s->ev.ctx, s);
}

void
adit_front_on_data(adit_node *n, struct adit_note *note)
{
    struct adit_piece *p = piece_of(note);
    adit_stream *s = p->s;

    (void)n;
    if (s->is_closed) {
        piece_free(p);
        return;
    }
    s->left = p->left;
    p->next = NULL;
    *s->rx_tail = p;
    s->rx_tail = &p->next;
    tell_readable(s);
}

void
adit_front_on_room(adit_node *n, struct adit_note *note)
{
    struct adit_piece *p = piece_of(note);
    adit_stream *s = p->s;

    (void)n;
    s->left = p->left;
    s->tx_bytes -= p->cap;
    piece_free(p);
    if (!s->wants_room ||
        ADIT_STREAM_ROOM_BYTES - s->tx_bytes < ROOM_AGAIN_BYTES)
        return;
    s->wants_room = false;
    if (may_tell(s) && !s->is_dead && !s->tx_fin && s->ev.on_writable != NULL)
        s->ev.on_writable(s->ev.ctx, s);
}

void
adit_front_on_fin(adit_node *n, struct adit_note *note)
{
    adit_stream *s = ADIT_CONTAINER_OF(note, struct adit_stream_handle, b.fin);

    (void)n;
    s->rx_fin = true;
    tell_readable(s);
}

void
adit_front_on_failed(adit_node *n, struct adit_note *note)
{
    adit_stream *s =
        ADIT_CONTAINER_OF(note, struct adit_stream_handle, b.failed);

    (void)n;
    s->is_dead = true;
    s->err = s->b.err; /* the worker's half is silent from now on */
    memcpy(s->why, s->b.why, sizeof(s->why));
    tell_failed(s);
}

void
adit_front_on_gone(adit_node *n, struct adit_note *note)
{
    adit_stream *s =
        ADIT_CONTAINER_OF(note, struct adit_stream_handle, b.gone);

    (void)n;
    s->is_gone = true;
    if (!s->is_kicked)
        adit_front_stream_free(s);
}

/* ---- the API ------------------------------------------------------------------------- */

void
adit_stream_set_events(adit_stream *s, const struct adit_stream_events *ev)
{
    s->ev = (struct adit_stream_events){ 0 };
    if (ev == NULL)
        return;
    adit_copy_sized(&s->ev, ev->size, ev, sizeof(s->ev));
    kick(s);
}

void
adit_stream_set_user(adit_stream *s, void *user)
{
    s->user = user;
}

void *
adit_stream_user(const adit_stream *s)
{
    return s->user;
}

adit_err
adit_stream_read(adit_stream *s, void *buf, size_t cap, size_t *n)
{
    size_t done = 0;

    if (cap == 0)
        return ADIT_EINVAL;
    while (done < cap && s->rx != NULL) {
        struct adit_piece *p = s->rx;
        size_t k = ADIT_MIN(cap - done, p->n);

        memcpy((char *)buf + done, p->data + p->off, k);
        done += k;
        p->off += k;
        p->n -= k;
        if (p->n > 0)
            break;
        s->rx = p->next;
        if (s->rx == NULL)
            s->rx_tail = &s->rx;
        adit_front_post(s->node, &p->msg, adit_bstream_on_credit);
    }
    if (done > 0) {
        *n = done;
        return ADIT_OK;
    }
    if (s->rx_fin)
        return ADIT_DONE;
    return s->is_dead ? s->err : ADIT_AGAIN;
}

adit_err
adit_stream_write(adit_stream *s, const void *buf, size_t len, size_t *n)
{
    size_t done = 0;

    if (s->is_dead)
        return s->err;
    if (s->tx_fin)
        return ADIT_ESTATE;
    if (len == 0)
        return ADIT_EINVAL;
    while (done < len && s->tx_bytes < ADIT_STREAM_ROOM_BYTES) {
        size_t k = ADIT_MIN(len - done, ADIT_STREAM_ROOM_BYTES - s->tx_bytes);
        struct adit_piece *p;

        k = ADIT_MIN(k, (size_t)PIECE_MAX_BYTES);
        p = adit_cross_alloc(sizeof(*p) + k);
        if (p == NULL && done == 0)
            return ADIT_ENOMEM;
        if (p == NULL)
            break;
        p->s = s;
        p->n = p->cap = k;
        memcpy(p->data, (const char *)buf + done, k);
        s->tx_bytes += k;
        done += k;
        adit_front_post(s->node, &p->msg, adit_bstream_on_write);
    }
    if (done < len)
        s->wants_room = true;
    if (done == 0)
        return ADIT_AGAIN;
    *n = done;
    return ADIT_OK;
}

void
adit_stream_finish(adit_stream *s)
{
    if (s->tx_fin)
        return;
    s->tx_fin = true;
    adit_front_post(s->node, &s->finish, adit_bstream_on_finish);
}

static void
bye(adit_stream *s, bool abort)
{
    s->is_closed = true;
    s->bye_is_abort = abort;
    drop_rx(s);
    adit_front_post(s->node, &s->bye, adit_bstream_on_bye);
}

void
adit_stream_close(adit_stream *s)
{
    if (s != NULL)
        bye(s, false);
}

void
adit_stream_abort(adit_stream *s)
{
    bye(s, true);
}

adit_err
adit_stream_conn(const adit_stream *s, struct adit_conn_info *out)
{
    struct adit_conn_info i;

    if (s->conn == NULL || s->is_dead)
        return ADIT_ESTATE;
    i = s->conn->info;
    i.left_out_bytes = s->left.out_bytes;
    i.left_in_bytes = s->left.in_bytes;
    i.left_ms = s->left.ms;
    adit_copy_sized(out, out->size, &i, sizeof(i));
    return ADIT_OK;
}

const char *
adit_stream_protocol(const adit_stream *s)
{
    return s->protocol;
}

const char *
adit_stream_why(const adit_stream *s)
{
    return s->why;
}
