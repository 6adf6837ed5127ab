/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * conn: a secured, multiplexed connection over a pipe.
 *
 * The straight line of the data path lies here: what the pipe pushes is
 * decrypted where it lies, Yamux says which stream it is for, and the slice
 * goes up; what is sent gets its header written in front of it and is
 * encrypted into the out-queue.  An idle connection owns no buffer: part of
 * a frame, and output that the pipe refused, lie in pooled chunks.
 *
 * Deadlines, all in one timer: the upgrade, the rest of a partial frame,
 * output that does not move, Yamux's keepalive.
 * Thread: one worker.
 */
#ifndef ADIT_NET_CONN_H
#define ADIT_NET_CONN_H

#include "net/net.h"
#include "net/pipe.h"
#include "net/upgrade.h"

/*
 * With this much unsent output the pipe is tried at once, and if it takes
 * nothing, no more is taken from streams.  Two of the largest frames: what
 * a reader that stopped can make us hold beside its streams' windows.
 */
#define ADIT_CONN_OUT_HIGH_BYTES 131072

struct adit_conn;

/* What a connection tells its user.  After on_end, nothing. */
struct adit_conn_up {
    /* Upgraded: `peer` is proven.  Streams may be opened. */
    void (*on_ready)(void *ctx, struct adit_conn *c);
    /* The peer opened a stream; set s->user, or reset and release it. */
    void (*on_stream)(void *ctx, struct adit_conn *c,
                      struct adit_yamux_stream *s);
    void (*on_data)(void *ctx, struct adit_conn *c,
                    struct adit_yamux_stream *s, struct adit_mslice data);
    void (*on_fin)(void *ctx, struct adit_conn *c,
                   struct adit_yamux_stream *s);
    void (*on_reset)(void *ctx, struct adit_conn *c,
                     struct adit_yamux_stream *s, uint32_t code);
    /* `s` has window again; NULL: the out-queue has room again. */
    void (*on_room)(void *ctx, struct adit_conn *c,
                    struct adit_yamux_stream *s);
    void (*on_rtt)(void *ctx, struct adit_conn *c, int64_t rtt_us);
    /*
     * Over.  The connection is freed at the end of the turn: forget it and
     * all its streams.  `text` is static, or NULL.
     */
    void (*on_end)(void *ctx, struct adit_conn *c, adit_err why,
                   const char *text);
};

struct adit_conn {
    struct adit_net *net;
    struct adit_pipe *pipe; /* owned; NULL once over */
    const struct adit_conn_up *up;
    void *up_ctx;
    struct adit_upgrade *upgrade; /* NULL once done */
    struct adit_peerid peer;      /* proven, from on_ready on */
    bool is_dialer;
    bool is_secured; /* frames are encrypted from here on */
    bool is_ready;
    bool is_blocked; /* someone was told "no room" */
    bool is_over;
    bool is_doomed;  /* to be closed at the end of this turn */
    bool is_sending; /* the pipe is reading the out-queue */
    const char *doomed_why;
    uint32_t body_max_bytes; /* of the frames it sends; may be lowered */
    struct adit_noise_key tx, rx;
    struct adit_yamux mux;
    struct adit_chain out;     /* bytes for the pipe */
    struct adit_chain partial; /* of one Noise frame */
    struct adit_list partial_link, stalled_link;
    struct adit_instant born, partial_since, stall_since;
    struct adit_timer timer;
    struct adit_task flush;
    struct adit_retiree retiree;
};

/*
 * Take over `pipe` and upgrade it.  `expect` may be NULL: whoever it is.
 * ADIT_ENOMEM: the pipe was closed.
 */
ADIT_MUST_USE adit_err adit_conn_new(struct adit_net *net,
                                     struct adit_pipe *pipe, bool is_dialer,
                                     const struct adit_peerid *expect,
                                     const struct adit_conn_up *up,
                                     void *up_ctx, struct adit_conn **out);

/*
 * End it: on_end comes within this call, with `why` and `text` (static).
 * Goodbye is said where that still makes sense.  Twice is fine.
 */
void adit_conn_close(struct adit_conn *c, adit_err why, const char *text);

/* The same for want of memory, at the end of the turn.  `why` is static. */
void adit_conn_doom(struct adit_conn *c, const char *why);

/*
 * The pool is full: free what has waited longest, wherever but at `self`.
 * Memory is free at once; streams and connections that go for it end with
 * the turn.  False: nothing to be had.
 */
bool adit_conn_make_room(struct adit_conn *self);

/* As adit_yamux_open, on a ready connection. */
ADIT_MUST_USE adit_err adit_conn_open(struct adit_conn *c,
                                      struct adit_yamux_stream **s);

/*
 * Send a prefix of `body` on `s`; returns how much.  Less than all: on_room
 * comes when there is more.  The 12 bytes in front of body.p are
 * overwritten, as are those already sent.
 */
size_t adit_conn_send(struct adit_conn *c, struct adit_yamux_stream *s,
                      struct adit_mslice body);

/* The same for bytes that must stay as they are: one copy more. */
size_t adit_conn_send_copy(struct adit_conn *c, struct adit_yamux_stream *s,
                           struct adit_slice body);

/* `n` bytes of on_data have left us. */
void adit_conn_consumed(struct adit_conn *c, struct adit_yamux_stream *s,
                        size_t n);
void adit_conn_fin(struct adit_conn *c, struct adit_yamux_stream *s);
void adit_conn_reset(struct adit_conn *c, struct adit_yamux_stream *s,
                     uint32_t code);
/* Forget `s`; see adit_yamux_release. */
void adit_conn_release(struct adit_conn *c, struct adit_yamux_stream *s);
void adit_conn_ping(struct adit_conn *c);
/* Round trip in microseconds; 0: not measured. */
int64_t adit_conn_rtt_us(const struct adit_conn *c);

#endif
