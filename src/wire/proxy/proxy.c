/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/proxy/proxy.h"

/* Not valid in HTTP, TLS, multistream or the first version's text. */
static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

/* Where things lie in the head. */
enum { AT_COMMAND = 12, AT_FAMILY = 13, AT_LENGTH = 14 };

/* Version 2 in the high half, the command in the low one. */
enum { CMD_LOCAL = 0x20, CMD_PROXY = 0x21 };

/* Address family in the high half, transport in the low one. */
enum { FAM_UNSPEC = 0x00, FAM_TCP4 = 0x11, FAM_TCP6 = 0x21 };

enum { READING, COMPLETE, TOLD, FAILED };

void
adit_proxy_init(struct adit_proxy *m)
{
    *m = (struct adit_proxy){ .need = ADIT_PROXY_HEAD_BYTES };
}

static adit_err
fail(struct adit_proxy *m, const char *why)
{
    m->state = FAILED;
    m->why = why;
    return ADIT_EPROTO;
}

/* Two addresses of this length and two ports; 0: no address. */
static size_t
ip_bytes(const struct adit_proxy *m)
{
    if (m->b[AT_COMMAND] != CMD_PROXY)
        return 0;
    return m->b[AT_FAMILY] == FAM_TCP4   ? 4
           : m->b[AT_FAMILY] == FAM_TCP6 ? 16
                                         : 0;
}

/* A byte of the head. */
static adit_err
check(struct adit_proxy *m, size_t at)
{
    uint8_t b = m->b[at];
    size_t tail;

    if (at < sizeof(signature)) {
        if (b == signature[at])
            return ADIT_OK;
        return fail(m, at == 0 && b == 'P'
                           ? "PROXY version 1, or no PROXY header at all"
                           : "no PROXY header");
    }
    switch (at) {
    case AT_COMMAND:
        if (b >> 4 != 2)
            return fail(m, "a PROXY version other than 2");
        if (b != CMD_LOCAL && b != CMD_PROXY)
            return fail(m, "a PROXY command other than LOCAL and PROXY");
        break;
    case AT_FAMILY:
        if (m->b[AT_COMMAND] == CMD_PROXY && b != FAM_UNSPEC &&
            b != FAM_TCP4 && b != FAM_TCP6)
            return fail(m, "a PROXY header for something else than TCP");
        break;
    case AT_LENGTH + 1:
        tail = adit_get_be16(m->b + AT_LENGTH);
        if (tail > ADIT_PROXY_MAX_TAIL_BYTES)
            return fail(m, "a PROXY header that is too long");
        if (ip_bytes(m) > 0 && tail < 2 * ip_bytes(m) + 4)
            return fail(m, "a PROXY header too short for its addresses");
        m->need = (uint16_t)(ADIT_PROXY_HEAD_BYTES + tail);
        break;
    }
    return ADIT_OK;
}

size_t
adit_proxy_wants(const struct adit_proxy *m)
{
    return m->state == READING ? (size_t)(m->need - m->have) : 0;
}

adit_err
adit_proxy_feed(struct adit_proxy *m, struct adit_slice in, size_t *used)
{
    size_t n = 0;

    if (m->state == FAILED)
        return ADIT_EPROTO;
    while (n < in.n && adit_proxy_wants(m) > 0) {
        size_t at = m->have;

        /* Extensions are counted and forgotten. */
        if (at < sizeof(m->b))
            m->b[at] = in.p[n];
        n++;
        m->have++;
        if (at < ADIT_PROXY_HEAD_BYTES && check(m, at) != ADIT_OK)
            return ADIT_EPROTO;
        if (m->have == m->need && m->have >= ADIT_PROXY_HEAD_BYTES)
            m->state = COMPLETE;
    }
    *used = n;
    return ADIT_OK;
}

adit_err
adit_proxy_next(struct adit_proxy *m, struct adit_proxy_event *ev)
{
    size_t n = ip_bytes(m);
    const uint8_t *p = m->b + ADIT_PROXY_HEAD_BYTES;

    if (m->state == FAILED)
        return ADIT_EPROTO;
    if (m->state != COMPLETE)
        return ADIT_AGAIN;
    m->state = TOLD;
    *ev = (struct adit_proxy_event){ .type = ADIT_PROXY_LOCAL };
    if (n == 0)
        return ADIT_OK;
    ev->type = ADIT_PROXY_NAMED;
    ev->src = adit_slice(p, n);
    ev->dst = adit_slice(p + n, n);
    ev->src_port = adit_get_be16(p + 2 * n);
    ev->dst_port = adit_get_be16(p + 2 * n + 2);
    return ADIT_OK;
}

const char *
adit_proxy_why(const struct adit_proxy *m)
{
    return m->why;
}
