/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * circuit: our end of a circuit through a relay, as a pipe.
 *
 * A connection (Noise and Yamux, end to end) runs over it as over a socket.
 * Knows what the relay said it may carry, and counts what it has carried, so
 * that whoever uses it can be warned before the cut and told of it after.
 * Thread: one worker.
 */
#ifndef ADIT_HOST_CIRCUIT_H
#define ADIT_HOST_CIRCUIT_H

#include "host/hstream.h"
#include "net/pipe.h"
#include "wire/circuit/status.h"

struct adit_host;

struct adit_circuit {
    struct adit_pipe pipe;
    struct adit_host *host;
    struct adit_hstream *s; /* NULL: over */
    struct adit_peerid relay, peer;
    struct adit_maddr relay_addr; /* without /p2p */
    struct adit_circuit_limit limit;
    struct adit_instant born, ends; /* ADIT_NEVER: no limit of time */
    uint64_t n_out, n_in;           /* bytes so far */
    struct adit_task start;
    struct adit_retiree retiree;
    bool is_started;
    bool is_closed;
};

/*
 * Make `s`, on which the relay has just said OK, a circuit with `peer`; it
 * owns the stream from here on.  The pipe is freed by its close.
 * ADIT_ENOMEM: the stream is still the caller's.
 */
ADIT_MUST_USE adit_err adit_circuit_new(struct adit_host *h,
                                        struct adit_hstream *s,
                                        const struct adit_peerid *peer,
                                        const struct adit_circuit_limit *limit,
                                        struct adit_circuit **out);

/* Its address up to /p2p-circuit. */
void adit_circuit_describe(const struct adit_circuit *c,
                           struct adit_maddr *out);

/* What is left of a limited circuit. */
struct adit_circuit_left {
    uint64_t out_bytes, in_bytes; /* UINT64_MAX: no limit */
    int64_t us;                   /* INT64_MAX: no limit */
};
struct adit_circuit_left adit_circuit_left(const struct adit_circuit *c);

/* Did it come to the end of a limit? */
bool adit_circuit_is_spent(const struct adit_circuit *c);

#endif
