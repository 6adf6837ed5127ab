/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * pipe: a byte stream with two ends: a TCP socket, a circuit through a
 * relay, a memory link of a simulation.
 *
 * What arrives is pushed, writable and with dead bytes in front, so that it
 * can be decrypted where it lies; the receiver takes all of it.  What leaves
 * is offered; the pipe says how much it took and, when it took less, calls
 * on_writable later.  Whoever made the pipe sets `ops`; whoever uses it sets
 * `up`.  Thread: one worker.
 */
#ifndef ADIT_NET_PIPE_H
#define ADIT_NET_PIPE_H

#include "base/err.h"
#include "base/slice.h"
#include "codec/maddr.h"
#include "net/addr.h"

struct adit_pipe;

/* What a pipe does. */
struct adit_pipe_ops {
    /*
     * Send a prefix of the `n` slices.  ADIT_OK: *taken bytes are on their
     * way; fewer than offered: on_writable follows.  Anything else: the pipe
     * is dead, and on_end follows, never inside this call.
     */
    adit_err (*send)(struct adit_pipe *p, const struct adit_slice *v, size_t n,
                     size_t *taken);
    /* Stop and resume on_input.  Begins resumed. */
    void (*pause)(struct adit_pipe *p, bool stop);
    /* Nothing more will be sent. */
    void (*shut)(struct adit_pipe *p);
    /*
     * The user is done with it; it is freed at the end of the turn and
     * calls nothing any more.  `abort`: by reset rather than in order.
     */
    void (*close)(struct adit_pipe *p, bool abort);
    /*
     * The multiaddr of this end, or of the other: /ip4/../tcp/.. or a
     * circuit's.  out->n = 0: it has none.
     */
    void (*describe)(const struct adit_pipe *p, bool remote,
                     struct adit_maddr *out);
};

/* What a pipe tells its user; none of these before the turn after it was
 * handed over. */
struct adit_pipe_up {
    /*
     * Bytes, to be taken whole.  At least ADIT_SCRATCH_HEAD_BYTES (or, on a
     * circuit, what is left of them) in front of in.p may be overwritten.
     */
    void (*on_input)(void *ctx, struct adit_mslice in);
    void (*on_writable)(void *ctx);
    /* ADIT_OK: the other end will send no more.  Else: dead. */
    void (*on_end)(void *ctx, adit_err why);
};

/*
 * What every idle peer keeps, so it is small: multiaddrs are made when asked
 * for, by _describe.
 */
struct adit_pipe {
    const struct adit_pipe_ops *ops;
    const struct adit_pipe_up *up;
    void *up_ctx;
    struct adit_endpoint local, remote; /* none on a circuit */
};

#endif
