/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/stop_srv.h"

enum {
    READ, /* CONNECT is coming */
    ASKED,
    ANSWERED, /* ours is leaving, or has left */
    FAILED,
};

/* What _next has to say, in the order in which it says it. */
enum { EV_ASK = 1, EV_REFUSED = 2, EV_LEFT = 4 };

void
adit_stop_srv_init(struct adit_stop_srv *m, struct adit_mem *mem)
{
    *m = (struct adit_stop_srv){ .err = ADIT_OK };
    adit_circuit_io_init(&m->io, mem);
}

void
adit_stop_srv_fini(struct adit_stop_srv *m)
{
    adit_circuit_io_fini(&m->io);
    *m = (struct adit_stop_srv){ 0 };
}

static adit_err
fail(struct adit_stop_srv *m, adit_err e)
{
    m->state = FAILED;
    m->err = e;
    return e;
}

static void
answer(struct adit_stop_srv *m, enum adit_circuit_status status)
{
    struct adit_pb_stop msg = {
        .has_type = true,
        .type = ADIT_PB_STOP_STATUS,
        .has_status = true,
        .status = (int32_t)status,
    };
    adit_err e = adit_circuit_io_stop(&m->io, &msg);

    adit_assert(e == ADIT_OK); /* it fits into the machine itself */
    m->state = ANSWERED;
}

/* Refuse by ourselves. */
static void
refuse(struct adit_stop_srv *m, enum adit_circuit_status status,
       const char *why)
{
    m->status = status;
    m->why = why;
    m->events |= EV_REFUSED;
    answer(m, status);
}

/* A whole message. */
static void
request(struct adit_stop_srv *m, struct adit_slice bytes)
{
    struct adit_pb_arena arena;
    struct adit_pb_stop msg;

    if (adit_pb_stop_dec(&arena, bytes, &msg) != ADIT_OK) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "not a stop message");
    } else if (!msg.has_type) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "no type");
    } else if (msg.type != ADIT_PB_STOP_CONNECT) {
        refuse(m, ADIT_CIRCUIT_UNEXPECTED_MESSAGE, "not CONNECT");
    } else if (!msg.peer.has) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "CONNECT from nobody");
    } else if (adit_peerid_dec(msg.peer.id, &m->src) != ADIT_OK) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "not a peer id");
    } else {
        m->limit = adit_circuit_limit_from_pb(&msg.limit);
        m->state = ASKED;
        m->events |= EV_ASK;
    }
}

adit_err
adit_stop_srv_feed(struct adit_stop_srv *m, struct adit_slice in, size_t *used)
{
    struct adit_slice msg;
    size_t n = 0;
    adit_err e;

    if (m->state == FAILED)
        return m->err;
    if (m->state == READ) {
        e = adit_lpm_feed(&m->io.lpm, in, &n);
        if (e == ADIT_EPROTO) {
            refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE,
                   adit_lpm_why(&m->io.lpm));
            n = in.n; /* nothing behind it can be read either */
        } else if (e != ADIT_OK) {
            return fail(m, e);
        } else if (adit_lpm_next(&m->io.lpm, &msg) == ADIT_OK) {
            request(m, msg);
            adit_lpm_fini(&m->io.lpm);
        }
    }
    *used = n;
    return ADIT_OK;
}

adit_err
adit_stop_srv_eof(struct adit_stop_srv *m)
{
    if (m->state == READ)
        return fail(m, ADIT_EPROTO);
    return m->err;
}

adit_err
adit_stop_srv_next(struct adit_stop_srv *m, struct adit_stop_srv_event *ev)
{
    if (m->events & EV_ASK) {
        m->events &= (uint8_t)~EV_ASK;
        *ev = (struct adit_stop_srv_event){
            .type = ADIT_STOP_SRV_INCOMING,
            .src = m->src,
            .limit = m->limit,
        };
        return ADIT_OK;
    }
    if (m->events & EV_REFUSED) {
        m->events &= (uint8_t)~EV_REFUSED;
        *ev = (struct adit_stop_srv_event){
            .type = ADIT_STOP_SRV_REFUSED,
            .status = m->status,
            .why = m->why,
        };
        return ADIT_OK;
    }
    if (m->events & EV_LEFT) {
        m->events &= (uint8_t)~EV_LEFT;
        *ev = (struct adit_stop_srv_event){
            .type = m->accepted ? ADIT_STOP_SRV_RELAY : ADIT_STOP_SRV_DONE,
        };
        return ADIT_OK;
    }
    return ADIT_AGAIN;
}

adit_err
adit_stop_srv_accept(struct adit_stop_srv *m)
{
    if (m->state != ASKED)
        return ADIT_ESTATE;
    m->accepted = true;
    m->events &= (uint8_t)~EV_ASK;
    answer(m, ADIT_CIRCUIT_OK);
    return ADIT_OK;
}

adit_err
adit_stop_srv_refuse(struct adit_stop_srv *m, enum adit_circuit_status status)
{
    if (m->state != ASKED)
        return ADIT_ESTATE;
    if (!adit_circuit_status_is_refusal(status))
        return ADIT_EINVAL;
    m->events &= (uint8_t)~EV_ASK;
    answer(m, status);
    return ADIT_OK;
}

struct adit_slice
adit_stop_srv_out(const struct adit_stop_srv *m)
{
    return adit_circuit_io_out(&m->io);
}

void
adit_stop_srv_sent(struct adit_stop_srv *m, size_t n)
{
    if (adit_circuit_io_sent(&m->io, n))
        m->events |= EV_LEFT;
}
