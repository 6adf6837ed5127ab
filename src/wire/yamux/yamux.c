/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The half of yamux that acts: streams, verbs, deadlines, frames out. */
#include "wire/yamux/yamux.h"

#include "wire/yamux/frame.h"

/*
 * Ids below this: they are 32 bits and only grow, and some read them as
 * signed.
 */
#define MAX_ID (UINT32_C(1) << 31)

#define FIRST_BUCKETS 4

/* The window doubles when half of it was used up in this many round trips. */
#define GROW_WITHIN_RTTS 4

/* Events of one stream, which die with it. */
#define STREAM_EVENTS                                                         \
    (1u << ADIT_YAMUX_OPEN | 1u << ADIT_YAMUX_DATA |                          \
     1u << ADIT_YAMUX_WINDOW | 1u << ADIT_YAMUX_FIN | 1u << ADIT_YAMUX_RESET)

/* ---- the table ---------------------------------------------------------- */

/*
 * A stranger who picks his ids can fill one chain; max_streams bounds it.
 */
static struct adit_yamux_stream **
bucket(const struct adit_yamux *y, uint32_t id)
{
    return &y->table[(id >> 1) & (y->n_buckets - 1)];
}

struct adit_yamux_stream *
adit_yamux_find(const struct adit_yamux *y, uint32_t id)
{
    struct adit_yamux_stream *s;

    if (y->table == NULL)
        return NULL;
    for (s = *bucket(y, id); s != NULL; s = s->next)
        if (s->id == id)
            return s;
    return NULL;
}

static void
free_table(struct adit_yamux *y)
{
    adit_mem_free(y->mem, y->table, y->n_buckets * sizeof(*y->table));
    y->table = NULL;
    y->n_buckets = 0;
}

/* False: no memory; what is there goes on working, with longer chains. */
static bool
grow_table(struct adit_yamux *y)
{
    struct adit_yamux_stream **old = y->table;
    uint32_t n_old = y->n_buckets;
    uint32_t n = old == NULL ? FIRST_BUCKETS : 2 * n_old;
    struct adit_yamux_stream **t = adit_mem_alloc(y->mem, n * sizeof(*t));

    if (t == NULL)
        return false;
    y->table = t;
    y->n_buckets = n;
    for (uint32_t i = 0; i < n_old; i++) {
        struct adit_yamux_stream *s, *next;

        for (s = old[i]; s != NULL; s = next) {
            struct adit_yamux_stream **b = bucket(y, s->id);

            next = s->next;
            s->next = *b;
            *b = s;
        }
    }
    adit_mem_free(y->mem, old, n_old * sizeof(*old));
    return true;
}

struct adit_yamux_stream *
adit_yamux_add(struct adit_yamux *y, uint32_t id)
{
    struct adit_yamux_stream *s, **b;

    if (y->n_streams >= y->n_buckets && !grow_table(y) && y->table == NULL)
        return NULL;
    s = ADIT_NEW(y->mem, struct adit_yamux_stream);
    if (s == NULL) {
        if (y->n_streams == 0)
            free_table(y);
        return NULL;
    }
    s->id = id;
    s->send_window = ADIT_YAMUX_INITIAL_WINDOW;
    s->recv_window = s->recv_cap = ADIT_YAMUX_INITIAL_WINDOW;
    b = bucket(y, id);
    s->next = *b;
    *b = s;
    y->n_streams++;
    return s;
}

/* No event and no byte of a body may name `s` any more. */
static void
silence(struct adit_yamux *y, const struct adit_yamux_stream *s)
{
    if (y->cur != s)
        return;
    y->events &= (uint8_t)~STREAM_EVENTS;
    y->flags |= Y_DROP;
    y->cur = NULL;
}

static void
remove_stream(struct adit_yamux *y, struct adit_yamux_stream *s)
{
    struct adit_yamux_stream **p = bucket(y, s->id);

    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    silence(y, s);
    adit_list_remove(&s->dirty);
    ADIT_FREE(y->mem, s);
    if (--y->n_streams == 0)
        free_table(y);
}

/* ---- what is owed ------------------------------------------------------- */

void
adit_yamux_owe(struct adit_yamux *y, struct adit_yamux_stream *s, unsigned f)
{
    s->flags |= (uint16_t)f;
    if (!adit_list_is_linked(&s->dirty))
        adit_list_push_tail(&y->dirty, &s->dirty);
}

void
adit_yamux_forgive(struct adit_yamux_stream *s, unsigned f)
{
    s->flags &= (uint16_t)~f;
    if (!(s->flags & F_OWES))
        adit_list_remove(&s->dirty);
}

static void
put_header(uint8_t dst[static 12], enum frame_type type, unsigned flags,
           uint32_t id, uint32_t len)
{
    dst[0] = 0;
    dst[1] = (uint8_t)type;
    adit_put_be16(dst + 2, (uint16_t)flags);
    adit_put_be32(dst + 4, id);
    adit_put_be32(dst + 8, len);
}

/* ---- life --------------------------------------------------------------- */

static uint32_t
ms_of(int64_t us)
{
    int64_t ms = us / ADIT_MS;

    if (us <= 0)
        return 0;
    return ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void
adit_yamux_init(struct adit_yamux *y, struct adit_mem *mem,
                const struct adit_yamux_config *cfg, struct adit_instant now)
{
    *y = (struct adit_yamux){
        .mem = mem,
        .max_streams = cfg->max_streams,
        .window_max_bytes = ADIT_MAX(cfg->window_max_bytes,
                                     (uint32_t)ADIT_YAMUX_INITIAL_WINDOW),
        .keepalive_ms = ms_of(cfg->keepalive_us),
        .pong_ms = ms_of(cfg->pong_us),
        .next_id = cfg->is_client ? 1 : 2,
        .flags = cfg->is_client ? Y_IS_CLIENT : 0,
        .heard_at = now,
    };
    adit_list_init(&y->dirty);
}

void
adit_yamux_fini(struct adit_yamux *y)
{
    for (uint32_t i = 0; i < y->n_buckets; i++) {
        struct adit_yamux_stream *s, *next;

        for (s = y->table[i]; s != NULL; s = next) {
            next = s->next;
            ADIT_FREE(y->mem, s);
        }
    }
    if (y->table != NULL)
        free_table(y);
    *y = (struct adit_yamux){ 0 };
}

const char *
adit_yamux_why(const struct adit_yamux *y, uint64_t *value)
{
    if (value != NULL)
        *value = y->why_value;
    return y->why;
}

/* ---- verbs -------------------------------------------------------------- */

adit_err
adit_yamux_open(struct adit_yamux *y, struct adit_yamux_stream **out)
{
    struct adit_yamux_stream *s;

    if (y->err != ADIT_OK || (y->flags & (Y_LEAVING | Y_PEER_LEAVING)))
        return ADIT_DONE;
    if (y->n_streams >= y->max_streams || y->next_id >= MAX_ID)
        return ADIT_ELIMIT;
    s = adit_yamux_add(y, y->next_id);
    if (s == NULL)
        return ADIT_ENOMEM;
    y->next_id += 2;
    adit_yamux_owe(y, s, F_SYN);
    *out = s;
    return ADIT_OK;
}

bool
adit_yamux_is_writable(const struct adit_yamux_stream *s)
{
    return !(s->flags & (S_FIN_OURS | S_DEAD));
}

uint32_t
adit_yamux_send(struct adit_yamux *y, struct adit_yamux_stream *s, size_t want,
                uint8_t hdr[static 12])
{
    unsigned first = s->flags & (F_SYN | F_ACK);
    uint32_t n = (uint32_t)ADIT_MIN(want, (size_t)ADIT_YAMUX_MAX_BODY_BYTES);

    if (ADIT_UNLIKELY(!adit_yamux_is_writable(s) || y->err != ADIT_OK))
        return 0;
    if (n > s->send_window) {
        n = s->send_window;
        s->flags |= S_STARVED;
    }
    if (n == 0)
        return 0;
    s->send_window -= n;
    if (ADIT_UNLIKELY(first != 0))
        adit_yamux_forgive(s, first);
    put_header(hdr, FRAME_DATA, first, s->id, n);
    return n;
}

/* Half of the window is consumed: give it back, and more to the fast. */
static void
grant(struct adit_yamux *y, struct adit_yamux_stream *s,
      struct adit_instant now)
{
    int64_t fast_us = (int64_t)y->rtt_us * GROW_WITHIN_RTTS;

    if (s->granted_at.us != 0 && y->rtt_us != 0 &&
        adit_instant_sub(now, s->granted_at) < fast_us) {
        uint32_t more =
            ADIT_MIN(s->recv_cap, y->window_max_bytes - s->recv_cap);

        s->recv_cap += more;
        s->consumed += more;
    }
    s->granted_at = now;
    adit_yamux_owe(y, s, F_GRANT);
}

void
adit_yamux_consumed(struct adit_yamux *y, struct adit_yamux_stream *s,
                    size_t n, struct adit_instant now)
{
    adit_assert(n <= s->recv_cap - s->recv_window - s->consumed);
    s->consumed += (uint32_t)n;
    if (s->consumed >= s->recv_cap / 2 &&
        !(s->flags & (F_GRANT | S_FIN_PEER | S_DEAD)))
        grant(y, s, now);
}

void
adit_yamux_fin(struct adit_yamux *y, struct adit_yamux_stream *s)
{
    if (!adit_yamux_is_writable(s))
        return;
    s->flags |= S_FIN_OURS;
    s->flags &= (uint16_t)~S_STARVED;
    adit_yamux_owe(y, s, F_FIN);
}

static bool
is_over(const struct adit_yamux_stream *s)
{
    const unsigned both = S_FIN_OURS | S_FIN_PEER;

    return (s->flags & S_DEAD) || (s->flags & both) == both;
}

void
adit_yamux_reset(struct adit_yamux *y, struct adit_yamux_stream *s,
                 uint32_t code)
{
    /* The peer knows nothing of it yet, or has already forgotten it. */
    bool is_quiet = (s->flags & F_SYN) || (is_over(s) && !(s->flags & F_FIN));

    if (s->flags & S_DEAD)
        return;
    s->reset_code = code;
    s->flags |= S_DEAD;
    adit_yamux_forgive(s, F_OWES);
    if (!is_quiet)
        adit_yamux_owe(y, s, F_RST);
    silence(y, s);
}

void
adit_yamux_release(struct adit_yamux *y, struct adit_yamux_stream *s)
{
    adit_assert(!(s->flags & S_RELEASED));
    if (!is_over(s))
        adit_yamux_reset(y, s, ADIT_YAMUX_NORMAL);
    silence(y, s);
    s->user = NULL;
    if ((s->flags & F_OWES) && y->err == ADIT_OK)
        s->flags |= S_RELEASED | S_DEAD; /* goes when _out has sent it */
    else
        remove_stream(y, s);
}

void
adit_yamux_goaway(struct adit_yamux *y, uint32_t code)
{
    if (y->flags & Y_LEAVING)
        return;
    y->goaway_code = code;
    y->flags |= Y_GOAWAY | Y_LEAVING;
}

void
adit_yamux_ping(struct adit_yamux *y, struct adit_instant now)
{
    if (y->err != ADIT_OK || (y->flags & (Y_PING | Y_PING_SENT)))
        return;
    y->ping_value++;
    y->ping_at = now;
    y->flags |= Y_PING;
}

/* ---- frames out --------------------------------------------------------- */

/* One frame of what `s` owes; with the last, a released `s` goes. */
static void
out_stream(struct adit_yamux *y, struct adit_yamux_stream *s,
           uint8_t dst[static 12])
{
    unsigned owes = s->flags & F_OWES;
    uint32_t len = 0;

    if (owes & F_RST) {
        len = s->reset_code;
    } else if (owes & F_GRANT) {
        /* Not every peer looks for credit in a frame that ends a stream. */
        owes &= ~F_FIN;
        len = s->consumed;
        s->recv_window += s->consumed;
        s->consumed = 0;
    }
    put_header(dst, FRAME_WINDOW, owes & ~F_GRANT, s->id, len);
    adit_yamux_forgive(s, owes);
    if ((s->flags & (S_RELEASED | F_OWES)) == S_RELEASED)
        remove_stream(y, s);
}

bool
adit_yamux_has_out(const struct adit_yamux *y)
{
    if (y->flags & Y_GOAWAY)
        return true;
    return y->err == ADIT_OK && (y->n_owed > 0 || (y->flags & Y_PING) ||
                                 !adit_list_is_empty(&y->dirty));
}

/* One frame; false: there is none. */
static bool
out_one(struct adit_yamux *y, uint8_t dst[static 12])
{
    if (y->err == ADIT_OK && (y->flags & Y_PING)) {
        y->flags = (uint8_t)((y->flags & ~Y_PING) | Y_PING_SENT);
        put_header(dst, FRAME_PING, F_SYN, 0, y->ping_value);
    } else if (y->err == ADIT_OK && !adit_list_is_empty(&y->dirty)) {
        out_stream(
            y,
            ADIT_CONTAINER_OF(y->dirty.next, struct adit_yamux_stream, dirty),
            dst);
    } else if (y->flags & Y_GOAWAY) {
        /* Last, since go and rust stop reading at it. */
        y->flags &= (uint8_t)~Y_GOAWAY;
        put_header(dst, FRAME_GOAWAY, 0, 0, y->goaway_code);
    } else {
        return false;
    }
    return true;
}

size_t
adit_yamux_out(struct adit_yamux *y, uint8_t *dst, size_t cap_bytes)
{
    size_t n = 0;
    size_t n_owed = 0;

    adit_assert(cap_bytes >= ADIT_YAMUX_HEADER_BYTES);
    for (; n_owed < y->n_owed && cap_bytes - n >= ADIT_YAMUX_HEADER_BYTES;
         n_owed++, n += ADIT_YAMUX_HEADER_BYTES) {
        const struct adit_yamux_owed *o = &y->owed[n_owed];

        if (o->id == 0)
            put_header(dst + n, FRAME_PING, F_ACK, 0, o->value);
        else
            put_header(dst + n, FRAME_WINDOW, F_RST, o->id, o->value);
    }
    y->n_owed -= (uint8_t)n_owed;
    memmove(y->owed, y->owed + n_owed, y->n_owed * sizeof(*y->owed));
    while (cap_bytes - n >= ADIT_YAMUX_HEADER_BYTES && out_one(y, dst + n))
        n += ADIT_YAMUX_HEADER_BYTES;
    return n;
}

/* ---- deadlines ---------------------------------------------------------- */

struct adit_instant
adit_yamux_due(const struct adit_yamux *y)
{
    if (y->err != ADIT_OK)
        return ADIT_NEVER;
    if (y->flags & (Y_PING | Y_PING_SENT)) {
        /* A pong behind much data is late, but its peer is alive. */
        struct adit_instant last = { ADIT_MAX(y->ping_at.us, y->heard_at.us) };

        return y->pong_ms == 0 ? ADIT_NEVER
                               : adit_instant_add(last, y->pong_ms * ADIT_MS);
    }
    return y->keepalive_ms == 0
               ? ADIT_NEVER
               : adit_instant_add(y->heard_at, y->keepalive_ms * ADIT_MS);
}

adit_err
adit_yamux_tick(struct adit_yamux *y, struct adit_instant now)
{
    if (y->err != ADIT_OK)
        return y->err;
    if (!adit_instant_is_due(adit_yamux_due(y), now))
        return ADIT_OK;
    if (!(y->flags & (Y_PING | Y_PING_SENT))) {
        adit_yamux_ping(y, now);
        return ADIT_OK;
    }
    y->err = ADIT_ETIMEDOUT;
    y->why = "no answer to a ping";
    y->why_value = y->pong_ms;
    y->n_owed = 0;
    return y->err;
}
