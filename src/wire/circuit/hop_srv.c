/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/hop_srv.h"

enum {
    READ, /* the request is coming */
    ASKED_RESERVE,
    ASKED_CONNECT,
    ANSWERED, /* ours is leaving, or has left */
    FAILED,
};

/* What _next has to say, in the order in which it says it. */
enum { EV_ASK = 1, EV_REFUSED = 2, EV_LEFT = 4 };

void
adit_hop_srv_init(struct adit_hop_srv *m, struct adit_mem *mem)
{
    *m = (struct adit_hop_srv){ .err = ADIT_OK };
    adit_circuit_io_init(&m->io, mem);
}

void
adit_hop_srv_fini(struct adit_hop_srv *m)
{
    adit_circuit_io_fini(&m->io);
    *m = (struct adit_hop_srv){ 0 };
}

static adit_err
fail(struct adit_hop_srv *m, adit_err e)
{
    m->state = FAILED;
    m->err = e;
    return e;
}

/* Queue a STATUS that is small. */
static void
answer(struct adit_hop_srv *m, enum adit_circuit_status status,
       const struct adit_circuit_limit *limit)
{
    struct adit_pb_hop msg = {
        .has_type = true,
        .type = ADIT_PB_HOP_STATUS,
        .has_status = true,
        .status = (int32_t)status,
        .limit = adit_circuit_limit_to_pb(limit),
    };
    adit_err e = adit_circuit_io_hop(&m->io, &msg);

    adit_assert(e == ADIT_OK); /* it fits into the machine itself */
    m->state = ANSWERED;
}

/* Refuse by ourselves. */
static void
refuse(struct adit_hop_srv *m, enum adit_circuit_status status,
       const char *why)
{
    static const struct adit_circuit_limit none = { 0 };

    m->status = status;
    m->why = why;
    m->events |= EV_REFUSED;
    answer(m, status, &none);
}

/* A whole message. */
static void
request(struct adit_hop_srv *m, struct adit_slice bytes)
{
    struct adit_pb_arena arena;
    struct adit_pb_hop msg;

    if (adit_pb_hop_dec(&arena, bytes, &msg) != ADIT_OK) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "not a hop message");
    } else if (!msg.has_type) {
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "no type");
    } else if (msg.type == ADIT_PB_HOP_RESERVE) {
        m->state = ASKED_RESERVE;
        m->events |= EV_ASK;
    } else if (msg.type != ADIT_PB_HOP_CONNECT) {
        refuse(m, ADIT_CIRCUIT_UNEXPECTED_MESSAGE,
               "neither RESERVE nor CONNECT");
    } else if (!msg.peer.has) {
        m->is_connect = true;
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "CONNECT to nobody");
    } else if (adit_peerid_dec(msg.peer.id, &m->dst) != ADIT_OK) {
        m->is_connect = true;
        refuse(m, ADIT_CIRCUIT_MALFORMED_MESSAGE, "not a peer id");
    } else {
        m->state = ASKED_CONNECT;
        m->events |= EV_ASK;
    }
}

adit_err
adit_hop_srv_feed(struct adit_hop_srv *m, struct adit_slice in, size_t *used)
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
adit_hop_srv_eof(struct adit_hop_srv *m)
{
    if (m->state == READ)
        return fail(m, ADIT_EPROTO);
    return m->err;
}

adit_err
adit_hop_srv_next(struct adit_hop_srv *m, struct adit_hop_srv_event *ev)
{
    if (m->events & EV_ASK) {
        bool is_connect = m->state == ASKED_CONNECT;

        m->events &= (uint8_t)~EV_ASK;
        *ev = (struct adit_hop_srv_event){
            .type = is_connect ? ADIT_HOP_SRV_ASK_CONNECT
                               : ADIT_HOP_SRV_ASK_RESERVE,
            .dst = m->dst,
        };
        return ADIT_OK;
    }
    if (m->events & EV_REFUSED) {
        m->events &= (uint8_t)~EV_REFUSED;
        *ev = (struct adit_hop_srv_event){
            .type = ADIT_HOP_SRV_REFUSED,
            .status = m->status,
            .why = m->why,
            .is_connect = m->is_connect,
        };
        return ADIT_OK;
    }
    if (m->events & EV_LEFT) {
        m->events &= (uint8_t)~EV_LEFT;
        *ev = (struct adit_hop_srv_event){
            .type = m->ok_to_connect ? ADIT_HOP_SRV_RELAY : ADIT_HOP_SRV_DONE,
        };
        return ADIT_OK;
    }
    return ADIT_AGAIN;
}

adit_err
adit_hop_srv_reserve_ok(struct adit_hop_srv *m,
                        const struct adit_hop_srv_reservation *r)
{
    struct adit_pb_hop msg = {
        .has_type = true,
        .type = ADIT_PB_HOP_STATUS,
        .has_status = true,
        .status = ADIT_CIRCUIT_OK,
        .limit = adit_circuit_limit_to_pb(&r->limit),
        .reservation = {
            .has = true,
            .has_expire = true,
            .expire = (uint64_t)r->expire_unix_s,
            .voucher = r->voucher,
        },
    };
    struct adit_pb_reservation *res = &msg.reservation;
    adit_err e = ADIT_EINVAL;

    if (m->state != ASKED_RESERVE)
        return ADIT_ESTATE;
    if (r->expire_unix_s < 0)
        return ADIT_EINVAL;
    for (size_t i = 0; i < r->n_addrs && i < ADIT_PB_MAX_ADDRS; i++) {
        if (r->addrs[i].n > 0)
            res->addrs[res->n_addrs++] = r->addrs[i];
    }
    for (; res->n_addrs > 0; res->n_addrs--) {
        e = adit_circuit_io_hop(&m->io, &msg);
        if (e != ADIT_EINVAL)
            break;
    }
    if (e == ADIT_OK) {
        m->state = ANSWERED;
        m->events &= (uint8_t)~EV_ASK;
    }
    return e;
}

adit_err
adit_hop_srv_connect_ok(struct adit_hop_srv *m,
                        const struct adit_circuit_limit *limit)
{
    if (m->state != ASKED_CONNECT)
        return ADIT_ESTATE;
    m->ok_to_connect = true;
    m->events &= (uint8_t)~EV_ASK;
    answer(m, ADIT_CIRCUIT_OK, limit);
    return ADIT_OK;
}

adit_err
adit_hop_srv_refuse(struct adit_hop_srv *m, enum adit_circuit_status status)
{
    static const struct adit_circuit_limit none = { 0 };

    if (m->state != ASKED_RESERVE && m->state != ASKED_CONNECT)
        return ADIT_ESTATE;
    if (!adit_circuit_status_is_refusal(status))
        return ADIT_EINVAL;
    m->events &= (uint8_t)~EV_ASK;
    answer(m, status, &none);
    return ADIT_OK;
}

struct adit_slice
adit_hop_srv_out(const struct adit_hop_srv *m)
{
    return adit_circuit_io_out(&m->io);
}

void
adit_hop_srv_sent(struct adit_hop_srv *m, size_t n)
{
    if (adit_circuit_io_sent(&m->io, n))
        m->events |= EV_LEFT;
}
