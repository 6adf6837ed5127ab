/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * io: what the four circuit machines have in common: one message in, one
 * message out.
 *
 * Private to this folder; the machines' headers include it for its size.
 */
#ifndef ADIT_WIRE_CIRCUIT_IO_H
#define ADIT_WIRE_CIRCUIT_IO_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/pb.h"
#include "wire/circuit/status.h"
#include "wire/lpm/lpm.h"

/*
 * Holds every message of ours but a granted reservation: the longest, a STOP
 * CONNECT with a peer id of 44 bytes and a limit, has 71.
 */
#define ADIT_CIRCUIT_SMALL_BYTES 96

struct adit_circuit_io {
    struct adit_lpm lpm;
    struct adit_mem *mem;
    uint8_t *big; /* NULL: what is to be sent lies in small[] */
    size_t big_bytes;
    size_t out_off, out_n; /* out_n: bytes still to be sent */
    uint8_t small[ADIT_CIRCUIT_SMALL_BYTES];
};

void adit_circuit_io_init(struct adit_circuit_io *io, struct adit_mem *mem);

/* Fine on a zeroed one. */
void adit_circuit_io_fini(struct adit_circuit_io *io);

/*
 * Queue the one message of ours.  ADIT_EINVAL: longer than
 * ADIT_CIRCUIT_MAX_MSG_BYTES; ADIT_ENOMEM, only for one that does not fit
 * into small[]; nothing is queued then.
 */
ADIT_MUST_USE adit_err adit_circuit_io_hop(struct adit_circuit_io *io,
                                           const struct adit_pb_hop *msg);
ADIT_MUST_USE adit_err adit_circuit_io_stop(struct adit_circuit_io *io,
                                            const struct adit_pb_stop *msg);

struct adit_slice adit_circuit_io_out(const struct adit_circuit_io *io);

/* `n` bytes left; true: they were the last. */
bool adit_circuit_io_sent(struct adit_circuit_io *io, size_t n);

/* A limit as the codec has it, and back. */
struct adit_pb_limit adit_circuit_limit_to_pb(
    const struct adit_circuit_limit *l);
struct adit_circuit_limit adit_circuit_limit_from_pb(
    const struct adit_pb_limit *l);

#endif
