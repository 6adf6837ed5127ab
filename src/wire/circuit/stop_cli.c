/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/stop_cli.h"

enum { READ, OVER, FAILED };

void
adit_stop_cli_init(struct adit_stop_cli *m, struct adit_mem *mem,
                   const struct adit_peerid *src,
                   const struct adit_circuit_limit *limit)
{
    struct adit_pb_stop msg = {
        .has_type = true,
        .type = ADIT_PB_STOP_CONNECT,
        .peer = { .has = true, .id = adit_peerid_bytes(src) },
        .limit = adit_circuit_limit_to_pb(limit),
    };
    adit_err e;

    *m = (struct adit_stop_cli){ .err = ADIT_OK };
    adit_circuit_io_init(&m->io, mem);
    e = adit_circuit_io_stop(&m->io, &msg);
    adit_assert(e == ADIT_OK); /* it fits into the machine itself */
}

void
adit_stop_cli_fini(struct adit_stop_cli *m)
{
    adit_circuit_io_fini(&m->io);
    *m = (struct adit_stop_cli){ 0 };
}

static adit_err
fail(struct adit_stop_cli *m, adit_err e, const char *why)
{
    m->state = FAILED;
    m->err = e;
    m->why = why;
    return e;
}

/* A whole message. */
static adit_err
answer(struct adit_stop_cli *m, struct adit_slice bytes)
{
    struct adit_pb_arena arena;
    struct adit_pb_stop msg;

    if (adit_pb_stop_dec(&arena, bytes, &msg) != ADIT_OK)
        return fail(m, ADIT_EPROTO, "not a stop message");
    if (!msg.has_type || msg.type != ADIT_PB_STOP_STATUS)
        return fail(m, ADIT_EPROTO, "not a STATUS");
    m->status = msg.has_status ? (uint32_t)msg.status : 0;
    m->event = true;
    m->state = OVER;
    return ADIT_OK;
}

adit_err
adit_stop_cli_feed(struct adit_stop_cli *m, struct adit_slice in, size_t *used)
{
    struct adit_slice msg;
    size_t n = 0;
    adit_err e;

    if (m->state == FAILED)
        return m->err;
    if (m->state == READ) {
        e = adit_lpm_feed(&m->io.lpm, in, &n);
        if (e != ADIT_OK)
            return fail(m, e, adit_lpm_why(&m->io.lpm));
        if (adit_lpm_next(&m->io.lpm, &msg) == ADIT_OK) {
            e = answer(m, msg);
            adit_lpm_fini(&m->io.lpm);
            if (e != ADIT_OK)
                return e;
        }
    }
    *used = n;
    return ADIT_OK;
}

adit_err
adit_stop_cli_eof(struct adit_stop_cli *m)
{
    if (m->state == READ)
        return fail(m, ADIT_EPROTO, "closed before its answer");
    return m->err;
}

adit_err
adit_stop_cli_next(struct adit_stop_cli *m, struct adit_stop_cli_event *ev)
{
    if (!m->event)
        return ADIT_AGAIN;
    m->event = false;
    *ev = (struct adit_stop_cli_event){
        .type = m->status == ADIT_CIRCUIT_OK ? ADIT_STOP_CLI_ACCEPTED
                                             : ADIT_STOP_CLI_REFUSED,
        .status = m->status,
    };
    return ADIT_OK;
}

struct adit_slice
adit_stop_cli_out(const struct adit_stop_cli *m)
{
    return adit_circuit_io_out(&m->io);
}

void
adit_stop_cli_sent(struct adit_stop_cli *m, size_t n)
{
    (void)adit_circuit_io_sent(&m->io, n);
}

const char *
adit_stop_cli_why(const struct adit_stop_cli *m)
{
    return m->why;
}
