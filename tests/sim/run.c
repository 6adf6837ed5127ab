/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "run.h"

#include "host/circuit.h"

#define ECHO "/sim/echo/1"

/* ---- an echo service ------------------------------------------------------ */

static size_t
echo_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    (void)ctx;
    return adit_hstream_write_copy(s, adit_slice(in.p, in.n));
}

static void
echo_room(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_resume(s);
}

static void
echo_fin(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    adit_hstream_close(s);
}

static void
echo_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)ctx;
    (void)s;
    (void)why;
    (void)code;
}

static const struct adit_hstream_ops echo_ops = {
    .on_data = echo_data,
    .on_fin = echo_fin,
    .on_room = echo_room,
    .on_end = echo_end,
};

static void
echo_open(void *ctx, struct adit_hstream *s)
{
    adit_hstream_take(s, &echo_ops, ctx);
}

/* ---- one run ---------------------------------------------------------------- */

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void
send_more(struct run *r)
{
    while (r->sent < r->want) {
        uint8_t buf[20000];
        size_t n = ADIT_MIN(sizeof(buf), r->want - r->sent), took;

        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(r->sent + i);
        took = adit_hstream_write_copy(r->s, adit_slice(buf, n));
        r->sent += took;
        if (took < n)
            return;
    }
    if (!r->fin_sent)
        adit_hstream_fin(r->s);
    r->fin_sent = true;
}

static size_t
dialer_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct run *r = ctx;

    (void)s;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != pattern(r->back + i))
            r->is_wrong = true;
    r->back += in.n;
    return in.n;
}

static void
dialer_fin(void *ctx, struct adit_hstream *s)
{
    struct run *r = ctx;

    r->outcome = r->back == r->want && !r->is_wrong ? ADIT_OK : ADIT_EIO;
    r->s = NULL;
    adit_hstream_close(s);
}

static void
dialer_room(void *ctx, struct adit_hstream *s)
{
    (void)s;
    send_more(ctx);
}

static void
dialer_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct run *r = ctx;

    (void)s;
    (void)code;
    r->s = NULL;
    r->outcome = why;
}

static const struct adit_hstream_ops dialer_ops = {
    .on_data = dialer_data,
    .on_fin = dialer_fin,
    .on_room = dialer_room,
    .on_end = dialer_end,
};

static void
on_connected(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct run *r = ctx;

    (void)why;
    r->connect = NULL;
    if (e != ADIT_OK) {
        r->outcome = e;
        return;
    }
    r->is_limited = hc->is_limited;
    e = adit_hstream_open(hc, ECHO, &dialer_ops, r, &r->s);
    if (e != ADIT_OK)
        r->outcome = e;
    else
        send_more(r);
}

static void
on_reserved(void *ctx, struct adit_reserve *x, bool renewed)
{
    struct run *r = ctx;

    (void)x;
    (void)renewed;
    r->reserved = true;
}

static void
on_lost(void *ctx, struct adit_reserve *x, adit_err why, uint32_t status,
        const char *text, int64_t retry_us)
{
    struct run *r = ctx;

    (void)x;
    (void)why;
    (void)status;
    (void)text;
    (void)retry_us;
    r->reserved = false;
    r->n_lost++;
}

static const struct adit_reserve_events reserve_events = {
    on_reserved,
    on_lost,
};

bool
run_is_reserved(void *ctx)
{
    return ((struct run *)ctx)->reserved;
}

bool
run_is_over(void *ctx)
{
    return ((struct run *)ctx)->outcome != ADIT_AGAIN;
}

void
run_relay_config(struct adit_node_config *rc)
{
    sim_defaults(rc);
    rc->relay_enabled = true;
    rc->circuit_bytes = 0;
    rc->circuit_us = 0;
    /* Many requests in an hour are what these tests are for. */
    rc->rsvps_per_hour = rc->rsvps_per_hour_ip = 0;
    rc->circuits_per_hour = rc->circuits_per_hour_ip = 0;
}

void
run_init_with(struct run *r, const struct sim_config *cfg,
              const struct adit_node_config *rc, size_t want)
{
    memset(r, 0, sizeof(*r));
    r->want = want;
    r->outcome = ADIT_AGAIN;
    sim_init(&r->w, cfg);
    r->relay = sim_add(&r->w, rc);
    r->a = sim_add(&r->w, NULL);
    r->b = sim_add(&r->w, NULL);
    r->echo = (struct adit_service){ .protocol = ECHO,
                                     .on_limited = true,
                                     .open = echo_open };
    adit_host_serve(sim_host(r->b), &r->echo);
    if (adit_reserve_new(sim_host(r->b), &r->relay->addr, 1, &reserve_events,
                         r, &r->reserve) != ADIT_OK)
        r->reserve = NULL; /* no memory, in the tests of that */
}

void
run_init(struct run *r, const struct sim_config *cfg, size_t want,
         uint64_t circuit_bytes, int64_t circuit_us)
{
    struct adit_node_config rc;

    run_relay_config(&rc);
    rc.circuit_bytes = circuit_bytes;
    rc.circuit_us = circuit_us;
    run_init_with(r, cfg, &rc, want);
}

bool
run_dial(struct run *r)
{
    struct adit_maddr to = r->relay->addr;
    struct adit_connect_config cc = { .peer = r->b->identity.id,
                                      .addrs = &to,
                                      .n = 1,
                                      .mode = ADIT_CONNECT_ANY,
                                      .timeout_us = 60 * ADIT_S };

    r->outcome = ADIT_AGAIN;
    r->sent = r->back = 0;
    r->fin_sent = r->want == SIZE_MAX; /* no end: only time can */
    if (r->want == SIZE_MAX)
        r->sent = SIZE_MAX;
    if (adit_maddr_push(&to, ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE) !=
            ADIT_OK ||
        adit_maddr_push(&to, ADIT_MA_P2P,
                        adit_peerid_bytes(&r->b->identity.id)) != ADIT_OK)
        adit_assert(!"an address");
    return adit_connect_start(sim_host(r->a), &cc, on_connected, r,
                              &r->connect) == ADIT_OK;
}

void
run_fini(struct run *r)
{
    if (r->s != NULL)
        adit_hstream_reset(r->s, 0);
    adit_connect_cancel(r->connect);
    adit_reserve_free(r->reserve);
    adit_host_unserve(sim_host(r->b), &r->echo);
    /* Grace, lingering and idle deadlines all pass. */
    sim_run(&r->w, 120 * ADIT_S, NULL, NULL);
    sim_fini(&r->w);
}
