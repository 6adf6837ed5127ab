/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * yamux: many streams over one connection, each with its own window.
 *
 * The session parses frames where they lie: a DATA event's bytes borrow from
 * what was fed, nothing is copied, and a frame's body is handed on as it
 * arrives.  Nothing that leaves is kept either: control frames are rendered
 * by _out from flags in session and streams, data frames are a header that
 * _send writes for a body the caller has.  An idle session owns no memory.
 *
 * The ACK of a stream the peer opened rides on our first frame for it.
 *
 * What a peer may owe us is exact: each stream is born with 256 KiB of
 * credit each way; bytes beyond the credit end the session.  The window
 * grows by measured round trip, up to a cap, and only for streams that are
 * consumed that fast.
 *
 * Stream objects are the session's.  The driver keeps a pointer from OPEN or
 * _open until it calls _release; the object goes then, or once its last
 * control frame is out.
 * Follows yamux/README of the libp2p specifications; where go, rust, js and
 * nim differ from it, docs/WIRE.md says what we do.  Thread: one owner.
 */
#ifndef ADIT_WIRE_YAMUX_YAMUX_H
#define ADIT_WIRE_YAMUX_YAMUX_H

#include "base/list.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/time.h"

#define ADIT_YAMUX_HEADER_BYTES 12

/* Both directions, always, without negotiation. */
#define ADIT_YAMUX_INITIAL_WINDOW 262144

/*
 * Largest body we send: one Noise frame holds it and its header.  rust takes
 * up to 1 MiB, go and js their window.
 */
#define ADIT_YAMUX_MAX_BODY_BYTES 65507

/*
 * Codes for _reset and GoAway.  go >= 5 reads them from the length field of
 * an RST, others ignore them.
 */
enum adit_yamux_code {
    ADIT_YAMUX_NORMAL = 0,
    ADIT_YAMUX_PROTOCOL_ERROR = 1,
    ADIT_YAMUX_INTERNAL_ERROR = 2,
    ADIT_YAMUX_RESET_NEGOTIATION = 0x1001,
    ADIT_YAMUX_RESET_RESOURCE = 0x1002,
    ADIT_YAMUX_RESET_RATE = 0x1003,
    ADIT_YAMUX_RESET_PROTOCOL = 0x1004,
    ADIT_YAMUX_RESET_SHUTDOWN = 0x1007,
};

struct adit_yamux_config {
    bool is_client;            /* security initiator: odd stream ids */
    uint32_t max_streams;      /* open at once, both directions; <= 511 keeps
                                 a rust peer alive; an excess SYN is reset */
    uint32_t window_max_bytes; /* less than the initial one counts as it */
    int64_t keepalive_us;      /* ping after this long without; 0: never */
    int64_t pong_us;           /* a ping, and then silence for this long: the
                                 session failed; 0: wait for ever */
};

struct adit_yamux_stream {
    uint32_t id;
    uint32_t send_window;           /* bytes we may still send */
    uint32_t recv_window;           /* bytes the peer may still send */
    uint32_t consumed;              /* by the driver, not yet granted again */
    uint32_t recv_cap;              /* the window we keep the peer at */
    uint32_t reset_code;            /* of RST, either way */
    uint16_t flags;                 /* the machine's own */
    void *user;                     /* the driver's */
    struct adit_instant granted_at; /* the last window update */
    struct adit_list dirty;         /* in the session's list: _out has work */
    struct adit_yamux_stream *next; /* in its hash bucket */
};

enum adit_yamux_event_type {
    ADIT_YAMUX_OPEN,   /* the peer opened `stream` */
    ADIT_YAMUX_DATA,   /* `data` for `stream`; see _consumed */
    ADIT_YAMUX_WINDOW, /* _send had to cut `stream` short; it may go on */
    ADIT_YAMUX_FIN,    /* the peer will send no more on `stream` */
    ADIT_YAMUX_RESET,  /* `stream` is dead both ways; `code` */
    ADIT_YAMUX_RTT,    /* a ping came back after `code` microseconds */
    ADIT_YAMUX_GOAWAY, /* the peer wants to end the session; `code` */
};

struct adit_yamux_event {
    enum adit_yamux_event_type type;
    struct adit_yamux_stream *stream; /* NULL for RTT and GOAWAY */
    struct adit_mslice data;          /* borrowed from what was fed */
    uint32_t code;
};

/*
 * Answers owed to what no stream object stands for: pongs, and resets of
 * streams that were refused.  While this many wait for _out, no further
 * frame is taken, so a peer that only asks cannot make us hold more.
 */
#define ADIT_YAMUX_MAX_OWED 4

struct adit_yamux_owed {
    uint32_t id;    /* 0: a pong */
    uint32_t value; /* to echo, or the reset's code */
};

/* Ordered to be small: every idle peer has one. */
struct adit_yamux {
    struct adit_mem *mem;
    struct adit_yamux_stream **table; /* NULL while there are no streams */
    struct adit_yamux_stream *cur;    /* of the last frame; NULL: unknown */
    struct adit_list dirty;           /* streams with control frames to send */
    struct adit_mslice data;          /* of a DATA event */
    struct adit_instant ping_at, heard_at;
    const char *why;
    uint32_t why_value;
    uint32_t n_buckets, n_streams;
    uint32_t max_streams, window_max_bytes;
    uint32_t keepalive_ms, pong_ms;
    uint32_t next_id;     /* of the next stream we open */
    uint32_t body_left;   /* of the incoming frame */
    uint32_t code;        /* of a RESET, RTT or GOAWAY event */
    uint32_t goaway_code; /* ours */
    uint32_t ping_value;  /* of the last ping we sent */
    uint32_t rtt_us;      /* falls at once, rises slowly; 0: not measured */
    adit_err err;
    struct adit_yamux_owed owed[ADIT_YAMUX_MAX_OWED];
    uint8_t n_owed;
    uint8_t hdr_have;
    uint8_t events; /* bits: what _next still has to say */
    uint8_t flags;  /* the machine's own */
    uint8_t hdr[ADIT_YAMUX_HEADER_BYTES]; /* of a frame cut in its header */
};

/* No I/O, no allocation; zero-safe to fini. */
void adit_yamux_init(struct adit_yamux *y, struct adit_mem *mem,
                     const struct adit_yamux_config *cfg,
                     struct adit_instant now);

/* Frees every stream, released or not. */
void adit_yamux_fini(struct adit_yamux *y);

/*
 * Take some of `in`: at most one frame, or one piece of a body.  Drain _next
 * before feeding again: a DATA event borrows from `in`.
 *
 *   ADIT_OK      *used were taken; 0 of more than 0: call _out, then again
 *   ADIT_EPROTO  the session is broken; send what _out has (GoAway), close
 *   ADIT_ENOMEM  a stream could not be made; it will be reset; as for
 *                ADIT_OK, go on behind *used
 */
ADIT_MUST_USE adit_err adit_yamux_feed(struct adit_yamux *y,
                                       struct adit_mslice in,
                                       struct adit_instant now, size_t *used);

/* ADIT_AGAIN: nothing more until the next feed. */
ADIT_MUST_USE adit_err adit_yamux_next(struct adit_yamux *y,
                                       struct adit_yamux_event *ev);

/*
 * Open a stream; SYN rides on its first frame, by _send or _out.
 * ADIT_ELIMIT: max_streams are open, or the ids are used up; ADIT_ENOMEM;
 * ADIT_DONE: the session is going away.
 */
ADIT_MUST_USE adit_err adit_yamux_open(struct adit_yamux *y,
                                       struct adit_yamux_stream **out);

/*
 * Charge up to `want` bytes to the stream's window and write the header of
 * the frame that carries them; the body must follow it at once.  Returns how
 * many bytes: 0 when the window is empty (a WINDOW event will come), or the
 * stream can no longer send.  Never above ADIT_YAMUX_MAX_BODY_BYTES.
 */
uint32_t adit_yamux_send(struct adit_yamux *y, struct adit_yamux_stream *s,
                         size_t want, uint8_t hdr[static 12]);

/*
 * `n` bytes of DATA left us; the peer may be granted as many again.  Never
 * more in all than came as DATA; fine on a dead stream.
 */
void adit_yamux_consumed(struct adit_yamux *y, struct adit_yamux_stream *s,
                         size_t n, struct adit_instant now);

/* We will send no more.  Twice is fine. */
void adit_yamux_fin(struct adit_yamux *y, struct adit_yamux_stream *s);

/* End it both ways at once; no event follows.  Fine on a dead stream. */
void adit_yamux_reset(struct adit_yamux *y, struct adit_yamux_stream *s,
                      uint32_t code);

/*
 * The driver forgets the pointer.  A stream that is not over both ways is
 * reset first.
 */
void adit_yamux_release(struct adit_yamux *y, struct adit_yamux_stream *s);

/* May this stream still be sent on? */
bool adit_yamux_is_writable(const struct adit_yamux_stream *s);

/*
 * Tell the peer that we leave, once; streams live on, new ones are reset.
 * go and rust end the session when they read it.
 */
void adit_yamux_goaway(struct adit_yamux *y, uint32_t code);

/* Measure the round trip; the answer comes as RTT.  One at a time. */
void adit_yamux_ping(struct adit_yamux *y, struct adit_instant now);

/*
 * Write waiting control frames, whole ones only, to `dst`; returns the
 * bytes.  cap_bytes must be at least one header.  What was returned counts
 * as sent.  Call until it returns 0.
 */
size_t adit_yamux_out(struct adit_yamux *y, uint8_t *dst, size_t cap_bytes);
bool adit_yamux_has_out(const struct adit_yamux *y);

/* When _tick must be called; ADIT_NEVER: no need. */
struct adit_instant adit_yamux_due(const struct adit_yamux *y);

/*
 * ADIT_ETIMEDOUT: nothing was heard in time after a ping; close.  A session
 * that failed before says how.
 */
ADIT_MUST_USE adit_err adit_yamux_tick(struct adit_yamux *y,
                                       struct adit_instant now);

/* Why it failed, and the number that goes with it; NULL if it did not. */
const char *adit_yamux_why(const struct adit_yamux *y, uint64_t *value);

#endif
