/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/ping/ping.h"

/* ---- answering ----------------------------------------------------------- */

void
adit_ping_init(struct adit_ping *p)
{
    *p = (struct adit_ping){ .have = 0 };
}

void
adit_ping_feed(struct adit_ping *p, struct adit_slice in, size_t *used)
{
    size_t n = ADIT_MIN(in.n, ADIT_PING_BYTES - p->have);

    adit_copy(p->buf + p->have, adit_slice(in.p, n));
    p->have += n;
    *used = n;
}

bool
adit_ping_is_idle(const struct adit_ping *p)
{
    return p->have == 0;
}

struct adit_slice
adit_ping_out(const struct adit_ping *p)
{
    if (p->have < ADIT_PING_BYTES)
        return ADIT_SLICE_NONE;
    return adit_slice(p->buf + p->sent, ADIT_PING_BYTES - p->sent);
}

void
adit_ping_sent(struct adit_ping *p, size_t n)
{
    adit_assert(n <= adit_ping_out(p).n);
    p->sent += n;
    if (p->sent == ADIT_PING_BYTES)
        p->have = p->sent = 0;
}

/* ---- asking -------------------------------------------------------------- */

enum state { S_IDLE, S_ASKED, S_ANSWERED };

static adit_err
fail(struct adit_pinger *p, const char *why)
{
    p->err = ADIT_EPROTO;
    p->why = why;
    return ADIT_EPROTO;
}

void
adit_pinger_init(struct adit_pinger *p)
{
    *p = (struct adit_pinger){ .state = S_IDLE };
}

adit_err
adit_pinger_ask(struct adit_pinger *p, const struct adit_rng *rng)
{
    if (p->err != ADIT_OK || p->state != S_IDLE)
        return ADIT_ESTATE;
    adit_rng_fill(rng, p->buf, sizeof(p->buf));
    p->sent = p->have = 0;
    p->state = S_ASKED;
    return ADIT_OK;
}

adit_err
adit_pinger_feed(struct adit_pinger *p, struct adit_slice in, size_t *used)
{
    size_t n;

    if (p->err != ADIT_OK)
        return p->err;
    if (in.n == 0 || p->state == S_ANSWERED) {
        *used = 0;
        return ADIT_OK;
    }
    if (p->state == S_IDLE)
        return fail(p, "an answer to nothing");
    n = ADIT_MIN(in.n, ADIT_PING_BYTES - p->have);
    if (p->have + n > p->sent)
        return fail(p, "an answer before the question");
    if (memcmp(p->buf + p->have, in.p, n) != 0)
        return fail(p, "not what was sent");
    p->have += n;
    if (p->have == ADIT_PING_BYTES)
        p->state = S_ANSWERED;
    *used = n;
    return ADIT_OK;
}

adit_err
adit_pinger_next(struct adit_pinger *p)
{
    if (p->err != ADIT_OK)
        return p->err;
    if (p->state != S_ANSWERED)
        return ADIT_AGAIN;
    p->state = S_IDLE;
    return ADIT_OK;
}

struct adit_slice
adit_pinger_out(const struct adit_pinger *p)
{
    if (p->err != ADIT_OK || p->state != S_ASKED)
        return ADIT_SLICE_NONE;
    return adit_slice(p->buf + p->sent, ADIT_PING_BYTES - p->sent);
}

void
adit_pinger_sent(struct adit_pinger *p, size_t n)
{
    adit_assert(n <= adit_pinger_out(p).n);
    p->sent += n;
}

const char *
adit_pinger_why(const struct adit_pinger *p)
{
    return p->why;
}
