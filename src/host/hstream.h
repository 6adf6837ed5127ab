/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hstream: one Yamux stream with its protocol agreed, or being agreed.
 *
 * Whoever handles it gets its bytes pushed and returns how many it took; the
 * rest waits in pooled chunks and is had by _peek and _drain.  Bytes taken
 * are granted to the peer again, at once, or by _credit if the handler asked
 * for that.  What waits is bounded by the stream's window.
 *
 * As opener the stream may be written to at once: the first bytes leave with
 * the proposal.  Thread: one worker.
 */
#ifndef ADIT_HOST_HSTREAM_H
#define ADIT_HOST_HSTREAM_H

#include "base/chunk.h"
#include "loop/worker.h"
#include "net/conn.h"
#include "wire/mss/mss.h"

struct adit_hconn;
struct adit_hstream;
struct adit_refusal;

/* What a stream tells its handler.  Entries may be NULL but for on_end. */
struct adit_hstream_ops {
    /* The peer agreed to the protocol.  Streams we opened only. */
    void (*on_open)(void *ctx, struct adit_hstream *s);
    /*
     * Bytes; returns how many were taken, the rest is kept.  NULL: all is
     * kept.  May be written, and so may the 12 bytes in front.
     */
    size_t (*on_data)(void *ctx, struct adit_hstream *s,
                      struct adit_mslice in);
    /* The peer sends no more, and all it sent was taken. */
    void (*on_fin)(void *ctx, struct adit_hstream *s);
    /* A write that was cut short may go on. */
    void (*on_room)(void *ctx, struct adit_hstream *s);
    /*
     * Dead: reset by the peer (`code`), the protocol refused, or its
     * connection gone.  Forget it; not called after our own _close, _reset.
     */
    void (*on_end)(void *ctx, struct adit_hstream *s, adit_err why,
                   uint32_t code);
};

struct adit_hstream {
    struct adit_hconn *hc;
    struct adit_yamux_stream *ys;
    const struct adit_hstream_ops *ops; /* NULL: nobody cares any more */
    void *ctx;
    const char *protocol;  /* static, or its handler's; NULL: not agreed */
    struct adit_mss *mss;  /* while negotiating */
    struct adit_chain rx;  /* arrived, not taken */
    struct adit_list link; /* in its connection's */
    struct adit_list room_link; /* waits for room to write */
    struct adit_timer timer;    /* negotiation, and lingering */
    struct adit_retiree retiree;
    bool is_inbound;
    bool is_open;       /* agreed */
    bool manual_credit; /* the handler calls _credit */
    bool rx_fin;        /* the peer sent FIN */
    bool rx_fin_told;
    bool tx_fin;
    uint32_t rx_max_bytes; /* more waiting ends it; 0: its window bounds it */
};

/*
 * Open a stream on `hc` and propose `protocol` (which must outlive it).
 * ADIT_ELIMIT, ADIT_ENOMEM, ADIT_DONE, ADIT_ESTATE as adit_conn_open;
 * ADIT_ELIMIT also if a cap of streams is reached (counted).
 */
ADIT_MUST_USE adit_err adit_hstream_open(struct adit_hconn *hc,
                                         const char *protocol,
                                         const struct adit_hstream_ops *ops,
                                         void *ctx, struct adit_hstream **out);

/* The handler of an inbound stream makes it its own; another may later. */
void adit_hstream_take(struct adit_hstream *s,
                       const struct adit_hstream_ops *ops, void *ctx);

/*
 * Write a prefix of `data`; returns how much.  Less than all: on_room comes.
 * The 12 bytes in front of data.p are overwritten.
 */
size_t adit_hstream_write(struct adit_hstream *s, struct adit_mslice data);
/* The same, one copy more, for bytes that must stay as they are. */
size_t adit_hstream_write_copy(struct adit_hstream *s, struct adit_slice data);

/* What was not taken yet; 16 bytes in front may be overwritten. */
struct adit_mslice adit_hstream_peek(const struct adit_hstream *s);
/* Take `n` bytes of what _peek shows. */
void adit_hstream_drain(struct adit_hstream *s, size_t n);
/* Forget what waits, without granting it again: the stream will be reset. */
void adit_hstream_discard(struct adit_hstream *s);
/* With manual_credit: `n` bytes that were taken have left us. */
void adit_hstream_credit(struct adit_hstream *s, size_t n);
/* Push what waits to on_data again, and tell FIN if it is due. */
void adit_hstream_resume(struct adit_hstream *s);

/* We send no more.  Twice is fine. */
void adit_hstream_fin(struct adit_hstream *s);
/*
 * The handler is done with it: FIN, then what still comes is dropped for a
 * while so that the peer is not reset while it reads.  No event follows.
 */
void adit_hstream_close(struct adit_hstream *s);
/* End it both ways.  No event follows. */
void adit_hstream_reset(struct adit_hstream *s, uint32_t code);

/*
 * What the connection tells its streams; for hconn only.  _accept answers
 * ADIT_EFULL if a cap is reached, and *why says which.
 */
ADIT_MUST_USE adit_err adit_hstream_accept(struct adit_hconn *hc,
                                           struct adit_yamux_stream *ys,
                                           struct adit_refusal *why);
void adit_hstream_on_data(struct adit_hstream *s, struct adit_mslice in);
void adit_hstream_on_fin(struct adit_hstream *s);
void adit_hstream_on_end(struct adit_hstream *s, adit_err why, uint32_t code);
void adit_hstream_on_room(struct adit_hstream *s);

#endif
