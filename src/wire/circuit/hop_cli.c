/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/hop_cli.h"

#include "codec/record.h"

enum { IDLE, READ, OVER, FAILED };

/* What was asked for. */
enum { RESERVE, CONNECT };

void
adit_hop_cli_init(struct adit_hop_cli *m, struct adit_mem *mem,
                  const struct adit_peerid *self)
{
    *m = (struct adit_hop_cli){ .self = *self };
    adit_circuit_io_init(&m->io, mem);
}

void
adit_hop_cli_fini(struct adit_hop_cli *m)
{
    if (m->store != NULL)
        adit_mem_free(m->io.mem, m->store, m->store_bytes);
    adit_circuit_io_fini(&m->io);
    *m = (struct adit_hop_cli){ 0 };
}

static adit_err
fail(struct adit_hop_cli *m, adit_err e, const char *why)
{
    m->state = FAILED;
    m->err = e;
    m->why = why;
    return e;
}

static void
ask(struct adit_hop_cli *m, uint8_t kind, const struct adit_pb_hop *msg)
{
    adit_err e = adit_circuit_io_hop(&m->io, msg);

    adit_assert(e == ADIT_OK); /* it fits into the machine itself */
    m->kind = kind;
    m->state = READ;
}

adit_err
adit_hop_cli_reserve(struct adit_hop_cli *m)
{
    struct adit_pb_hop msg = { .has_type = true, .type = ADIT_PB_HOP_RESERVE };

    if (m->state != IDLE)
        return ADIT_ESTATE;
    ask(m, RESERVE, &msg);
    return ADIT_OK;
}

adit_err
adit_hop_cli_connect(struct adit_hop_cli *m, const struct adit_peerid *dst)
{
    struct adit_pb_hop msg = {
        .has_type = true,
        .type = ADIT_PB_HOP_CONNECT,
        .peer = { .has = true, .id = adit_peerid_bytes(dst) },
    };

    if (m->state != IDLE)
        return ADIT_ESTATE;
    if (adit_peerid_is_none(dst))
        return ADIT_EINVAL;
    ask(m, CONNECT, &msg);
    return ADIT_OK;
}

/*
 * As go checks it (client/reservation.go, 2026-07): signed under the domain
 * of vouchers by the relay that it names, for us.  That relay need not be the
 * one we talk to, and the voucher's own expiration is not looked at.
 */
static bool
is_voucher_good(const struct adit_hop_cli *m, struct adit_slice voucher)
{
    struct adit_voucher v;

    return adit_voucher_dec(voucher, &v) == ADIT_OK &&
           adit_peerid_eq(&v.peer, &m->self);
}

/* Keep the voucher and the addresses; the arena is about to go. */
static adit_err
keep(struct adit_hop_cli *m, const struct adit_pb_reservation *r)
{
    size_t n_addrs = ADIT_MIN(r->n_addrs, (size_t)ADIT_HOP_CLI_MAX_ADDRS);
    size_t n_bytes = r->voucher.n;
    size_t at;

    for (size_t i = 0; i < n_addrs; i++)
        n_bytes += r->addrs[i].n;
    if (n_bytes == 0)
        return ADIT_OK;
    m->store = adit_mem_alloc(m->io.mem, n_bytes);
    if (m->store == NULL)
        return fail(m, ADIT_ENOMEM, "no memory for a reservation");
    m->store_bytes = n_bytes;
    adit_copy(m->store, r->voucher);
    m->voucher_bytes = (uint16_t)r->voucher.n;
    at = r->voucher.n;
    for (size_t i = 0; i < n_addrs; i++) {
        if (r->addrs[i].n == 0)
            continue;
        adit_copy(m->store + at, r->addrs[i]);
        at += r->addrs[i].n;
        m->addr_bytes[m->n_addrs++] = (uint16_t)r->addrs[i].n;
    }
    return ADIT_OK;
}

/* OK to RESERVE. */
static adit_err
reserved(struct adit_hop_cli *m, const struct adit_pb_reservation *r)
{
    if (!r->has || !r->has_expire)
        return fail(m, ADIT_EPROTO, "OK without a reservation");
    if (r->expire > INT64_MAX)
        return fail(m, ADIT_EPROTO, "expires in no year");
    if (r->voucher.n > 0 && !is_voucher_good(m, r->voucher))
        return fail(m, ADIT_EAUTH, "a voucher that is not ours");
    m->expire_unix_s = (int64_t)r->expire;
    return keep(m, r);
}

/* A whole message. */
static adit_err
answer(struct adit_hop_cli *m, struct adit_slice bytes)
{
    struct adit_pb_arena arena;
    struct adit_pb_hop msg;
    adit_err e = ADIT_OK;

    if (adit_pb_hop_dec(&arena, bytes, &msg) != ADIT_OK)
        return fail(m, ADIT_EPROTO, "not a hop message");
    if (!msg.has_type || msg.type != ADIT_PB_HOP_STATUS)
        return fail(m, ADIT_EPROTO, "not a STATUS");
    m->status = msg.has_status ? (uint32_t)msg.status : 0;
    m->limit = adit_circuit_limit_from_pb(&msg.limit);
    if (m->status == ADIT_CIRCUIT_OK && m->kind == RESERVE)
        e = reserved(m, &msg.reservation);
    if (e != ADIT_OK)
        return e;
    m->event = true;
    m->state = OVER;
    return ADIT_OK;
}

adit_err
adit_hop_cli_feed(struct adit_hop_cli *m, struct adit_slice in, size_t *used)
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
adit_hop_cli_eof(struct adit_hop_cli *m)
{
    if (m->state == IDLE || m->state == READ)
        return fail(m, ADIT_EPROTO, "closed before its answer");
    return m->err;
}

adit_err
adit_hop_cli_next(struct adit_hop_cli *m, struct adit_hop_cli_event *ev)
{
    const uint8_t *p = m->store;

    if (!m->event)
        return ADIT_AGAIN;
    m->event = false;
    *ev = (struct adit_hop_cli_event){ .type = ADIT_HOP_CLI_REFUSED,
                                       .status = m->status };
    if (m->status != ADIT_CIRCUIT_OK)
        return ADIT_OK;
    ev->limit = m->limit;
    ev->type = ADIT_HOP_CLI_CONNECTED;
    if (m->kind == CONNECT)
        return ADIT_OK;
    ev->type = ADIT_HOP_CLI_RESERVED;
    ev->expire_unix_s = m->expire_unix_s;
    if (p == NULL)
        return ADIT_OK;
    if (m->voucher_bytes > 0)
        ev->voucher = adit_slice(p, m->voucher_bytes);
    p += m->voucher_bytes;
    for (; ev->n_addrs < m->n_addrs; ev->n_addrs++) {
        ev->addrs[ev->n_addrs] = adit_slice(p, m->addr_bytes[ev->n_addrs]);
        p += m->addr_bytes[ev->n_addrs];
    }
    return ADIT_OK;
}

struct adit_slice
adit_hop_cli_out(const struct adit_hop_cli *m)
{
    return adit_circuit_io_out(&m->io);
}

void
adit_hop_cli_sent(struct adit_hop_cli *m, size_t n)
{
    (void)adit_circuit_io_sent(&m->io, n);
}

const char *
adit_hop_cli_why(const struct adit_hop_cli *m)
{
    return m->why;
}
