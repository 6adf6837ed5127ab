/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/io.h"

void
adit_circuit_io_init(struct adit_circuit_io *io, struct adit_mem *mem)
{
    *io = (struct adit_circuit_io){ .mem = mem };
    adit_lpm_init(&io->lpm, mem, ADIT_CIRCUIT_MAX_MSG_BYTES);
}

void
adit_circuit_io_fini(struct adit_circuit_io *io)
{
    adit_lpm_fini(&io->lpm);
    if (io->big != NULL)
        adit_mem_free(io->mem, io->big, io->big_bytes);
    *io = (struct adit_circuit_io){ 0 };
}

/* Queue `msg` behind its length. */
static adit_err
queue(struct adit_circuit_io *io, struct adit_slice msg)
{
    uint8_t prefix[ADIT_LPM_MAX_PREFIX_BYTES];
    size_t n = adit_lpm_prefix(msg.n, prefix);
    uint8_t *dst = io->small;

    adit_assert(io->out_n == 0 && io->big == NULL);
    if (n + msg.n > sizeof(io->small)) {
        dst = adit_mem_alloc(io->mem, n + msg.n);
        if (dst == NULL)
            return ADIT_ENOMEM;
        io->big = dst;
        io->big_bytes = n + msg.n;
    }
    memcpy(dst, prefix, n);
    adit_copy(dst + n, msg);
    io->out_off = 0;
    io->out_n = n + msg.n;
    return ADIT_OK;
}

adit_err
adit_circuit_io_hop(struct adit_circuit_io *io, const struct adit_pb_hop *msg)
{
    uint8_t buf[ADIT_CIRCUIT_MAX_MSG_BYTES];
    size_t n;
    adit_err e;

    e = adit_pb_hop_enc(msg, (struct adit_mslice){ buf, sizeof(buf) }, &n);
    return e == ADIT_OK ? queue(io, adit_slice(buf, n)) : e;
}

adit_err
adit_circuit_io_stop(struct adit_circuit_io *io,
                     const struct adit_pb_stop *msg)
{
    uint8_t buf[ADIT_CIRCUIT_MAX_MSG_BYTES];
    size_t n;
    adit_err e;

    e = adit_pb_stop_enc(msg, (struct adit_mslice){ buf, sizeof(buf) }, &n);
    return e == ADIT_OK ? queue(io, adit_slice(buf, n)) : e;
}

struct adit_slice
adit_circuit_io_out(const struct adit_circuit_io *io)
{
    const uint8_t *p = io->big != NULL ? io->big : io->small;

    return io->out_n > 0 ? adit_slice(p + io->out_off, io->out_n)
                         : ADIT_SLICE_NONE;
}

bool
adit_circuit_io_sent(struct adit_circuit_io *io, size_t n)
{
    adit_assert(n <= io->out_n);
    if (n == 0)
        return false;
    io->out_off += n;
    io->out_n -= n;
    if (io->out_n > 0)
        return false;
    if (io->big != NULL)
        adit_mem_free(io->mem, io->big, io->big_bytes);
    io->big = NULL;
    return true;
}

struct adit_pb_limit
adit_circuit_limit_to_pb(const struct adit_circuit_limit *l)
{
    return (struct adit_pb_limit){
        .has = l->has,
        .has_duration = true,
        .has_data = true,
        .duration_s = l->duration_s,
        .data_bytes = l->data_bytes,
    };
}

struct adit_circuit_limit
adit_circuit_limit_from_pb(const struct adit_pb_limit *l)
{
    return (struct adit_circuit_limit){
        .has = l->has,
        .duration_s = l->has && l->has_duration ? l->duration_s : 0,
        .data_bytes = l->has && l->has_data ? l->data_bytes : 0,
    };
}
