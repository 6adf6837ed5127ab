/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * io: what the four circuit machines have in common: one message in, one
 * message out.
 *
 * Private to this folder; the headers of the machines include it only for
 * its size.
 */
#ifndef ADIT_WIRE_CIRCUIT_IO_H
#define ADIT_WIRE_CIRCUIT_IO_H

#include "base/mem.h"
#include "base/slice.h"
#include "codec/pb.h"

/* Holds every message of ours but a granted reservation. */
#define ADIT_CIRCUIT_SMALL_BYTES 96

struct adit_circuit_io {
    struct adit_mem *mem;
    uint8_t *big;     /* NULL: what is to be sent lies in small[] */
    size_t big_bytes;
    size_t out_off, out_n;
    uint8_t small[ADIT_CIRCUIT_SMALL_BYTES];
};

#endif
