/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/hstream.h"

#include "host/host.h"

/* For the protocol to be agreed: go and rust give 10 s, js too. */
#define NEGOTIATE_US (10 * ADIT_S)

/* How long a closed stream waits for the peer's FIN. */
#define LINGER_US (10 * ADIT_S)

static struct adit_worker *
worker(const struct adit_hstream *s)
{
    return s->hc->host->w;
}

static struct adit_pool *
pool(const struct adit_hstream *s)
{
    return adit_worker_pool(worker(s));
}

static void
reap(void *ctx)
{
    struct adit_hstream *s = ctx;

    adit_mem_free(adit_worker_mem(worker(s)), s, sizeof(*s));
}

static void
end_mss(struct adit_hstream *s)
{
    if (s->mss == NULL)
        return;
    if (s->is_inbound && !s->is_open && !s->hc->is_over)
        adit_metric_add(s->hc->host->metrics, ADIT_M_STREAMS_REFUSED, 1);
    ADIT_FREE(adit_worker_mem(worker(s)), s->mss);
    s->mss = NULL;
    if (s->is_inbound)
        s->hc->n_negotiating--;
}

/* One stream fewer in the caps. */
static void
uncount(struct adit_hconn *hc)
{
    adit_caps_give(&hc->host->caps, ADIT_CAP_STREAMS, &hc->place);
}

static void
destroy(struct adit_hstream *s)
{
    if (adit_is_retired(&s->retiree))
        return;
    if (s->ys != NULL) {
        s->ys->user = NULL;
        adit_conn_release(s->hc->conn, s->ys);
    }
    s->ys = NULL;
    s->ops = NULL;
    end_mss(s);
    adit_timer_stop(worker(s), &s->timer);
    adit_chain_fini(&s->rx, pool(s));
    adit_list_remove(&s->link);
    adit_list_remove(&s->room_link);
    adit_metric_sub(s->hc->host->metrics, ADIT_M_STREAMS, 1);
    s->hc->n_streams--;
    uncount(s->hc);
    /* The connection outlives it: both go at the end of the turn, streams
     * first, because they were retired first. */
    adit_retire(worker(s), &s->retiree, reap, s);
    adit_hconn_touch(s->hc);
}

/* Tell the handler, then forget both. */
static void
end(struct adit_hstream *s, adit_err why, uint32_t code)
{
    const struct adit_hstream_ops *ops = s->ops;

    s->ops = NULL;
    if (ops != NULL)
        ops->on_end(s->ctx, s, why, code);
    destroy(s);
}

static void
on_timer(void *ctx)
{
    struct adit_hstream *s = ctx;

    adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_NEGOTIATION);
    end(s, ADIT_ETIMEDOUT, 0);
}

static adit_err
arm(struct adit_hstream *s, int64_t us)
{
    return adit_timer_set(worker(s), &s->timer,
                          adit_instant_add(adit_worker_now(worker(s)), us));
}

/* Send what multistream has to say, as far as there is room. */
static void
pump_mss(struct adit_hstream *s)
{
    struct adit_slice o;

    while (s->mss != NULL && (o = adit_mss_out(s->mss)).n > 0) {
        size_t n = adit_conn_send_copy(s->hc->conn, s->ys, o);

        adit_mss_sent(s->mss, n);
        if (n < o.n) {
            if (!adit_list_is_linked(&s->room_link))
                adit_list_push_tail(&s->hc->waiting, &s->room_link);
            return;
        }
    }
    if (s->mss == NULL || !s->is_open)
        return;
    end_mss(s);
}

static adit_err
make(struct adit_hconn *hc, struct adit_yamux_stream *ys, bool is_inbound,
     struct adit_hstream **out)
{
    struct adit_mem *mem = adit_worker_mem(hc->host->w);
    struct adit_hstream *s = ADIT_NEW(mem, struct adit_hstream);

    if (s == NULL)
        return ADIT_ENOMEM;
    s->hc = hc;
    s->is_inbound = is_inbound;
    s->timer = (struct adit_timer){ .fn = on_timer, .ctx = s };
    s->mss = ADIT_NEW(mem, struct adit_mss);
    if (s->mss == NULL || arm(s, NEGOTIATE_US) != ADIT_OK) {
        ADIT_FREE(mem, s->mss);
        ADIT_FREE(mem, s);
        return ADIT_ENOMEM;
    }
    s->ys = ys;
    ys->user = s;
    adit_list_push_tail(&hc->streams, &s->link);
    hc->n_streams++;
    adit_hconn_touch(hc);
    if (is_inbound)
        hc->n_negotiating++;
    adit_metric_add(hc->host->metrics, ADIT_M_STREAMS, 1);
    *out = s;
    return ADIT_OK;
}

adit_err
adit_hstream_open(struct adit_hconn *hc, const char *protocol,
                  const struct adit_hstream_ops *ops, void *ctx,
                  struct adit_hstream **out)
{
    struct adit_yamux_stream *ys;
    struct adit_refusal why;
    struct adit_hstream *s;
    adit_err e;

    if (adit_caps_take(&hc->host->caps, ADIT_CAP_STREAMS, &hc->place, &why) !=
        ADIT_OK) {
        /* No line in the log: the peer did not ask for it. */
        adit_refusal_count_rule(hc->host->metrics, why.rule);
        return ADIT_ELIMIT;
    }
    e = adit_conn_open(hc->conn, &ys);
    if (e != ADIT_OK) {
        uncount(hc);
        return e;
    }
    e = make(hc, ys, false, &s);
    if (e != ADIT_OK) {
        uncount(hc);
        adit_conn_release(hc->conn, ys);
        return e;
    }
    s->ops = ops;
    s->ctx = ctx;
    s->protocol = protocol;
    adit_mss_init_dialer(s->mss, &s->protocol, 1);
    pump_mss(s);
    *out = s;
    return ADIT_OK;
}

adit_err
adit_hstream_accept(struct adit_hconn *hc, struct adit_yamux_stream *ys,
                    struct adit_refusal *why)
{
    struct adit_hstream *s;
    adit_err e;

    if (hc->n_negotiating >= ADIT_HCONN_MAX_NEGOTIATING)
        return ADIT_ELIMIT;
    e = adit_caps_take(&hc->host->caps, ADIT_CAP_STREAMS, &hc->place, why);
    if (e != ADIT_OK)
        return e;
    e = make(hc, ys, true, &s);
    if (e != ADIT_OK) {
        uncount(hc);
        return e;
    }
    adit_mss_init_listener(s->mss);
    return ADIT_OK;
}

void
adit_hstream_take(struct adit_hstream *s, const struct adit_hstream_ops *ops,
                  void *ctx)
{
    s->ops = ops;
    s->ctx = ctx;
    s->rx_fin_told = false; /* it is news to the new handler */
}

/* ---- reading ----------------------------------------------------------- */

static void
tell_fin(struct adit_hstream *s)
{
    if (!s->rx_fin || s->rx_fin_told || s->rx.n_bytes > 0 || s->mss != NULL)
        return;
    s->rx_fin_told = true;
    if (s->ops == NULL)
        destroy(s); /* it was lingering for this */
    else if (s->ops->on_fin != NULL)
        s->ops->on_fin(s->ctx, s);
}

static void
took(struct adit_hstream *s, size_t n)
{
    if (n > 0 && s->ys != NULL && !s->manual_credit)
        adit_conn_consumed(s->hc->conn, s->ys, n);
}

static void
keep(struct adit_hstream *s, struct adit_mslice in)
{
    adit_err e;

    if (in.n == 0)
        return;
    if (s->rx_max_bytes != 0 && s->rx.n_bytes + in.n > s->rx_max_bytes) {
        adit_metric_add(s->hc->host->metrics, ADIT_M_STREAMS_REFUSED, 1);
        adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_RESOURCE);
        end(s, ADIT_ELIMIT, 0);
        return;
    }
    e = adit_chain_append(&s->rx, pool(s), adit_slice(in.p, in.n));
    while (e != ADIT_OK && adit_conn_make_room(s->hc->conn))
        e = adit_chain_append(&s->rx, pool(s), adit_slice(in.p, in.n));
    if (e == ADIT_OK)
        return;
    adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_RESOURCE);
    end(s, ADIT_ELIMIT, 0);
}

static void
push(struct adit_hstream *s, struct adit_mslice in)
{
    size_t n = 0;

    if (s->ops == NULL) { /* lingering: dropped */
        took(s, in.n);
        return;
    }
    if (s->rx.n_bytes == 0 && s->ops->on_data != NULL) {
        n = s->ops->on_data(s->ctx, s, in);
        if (s->ys == NULL)
            return; /* the handler ended it */
        took(s, n);
        if (s->ops == NULL) {
            took(s, in.n - n);
            return;
        }
    }
    keep(s, (struct adit_mslice){ in.p + n, in.n - n });
}

/* The inbound side: which service is it? */
static void
dispatch(struct adit_hstream *s, struct adit_slice name)
{
    const struct adit_service *v =
        adit_host_service(s->hc->host, name, adit_hconn_is_limited(s->hc));

    if (v == NULL) {
        adit_mss_refuse(s->mss);
        return;
    }
    s->protocol = v->protocol;
    adit_mss_accept(s->mss);
}

static void
agreed(struct adit_hstream *s)
{
    s->is_open = true;
    adit_timer_stop(worker(s), &s->timer);
    if (s->is_inbound) {
        const struct adit_service *v =
            adit_host_service(s->hc->host, adit_slice_str(s->protocol),
                              adit_hconn_is_limited(s->hc));

        if (v == NULL) { /* taken off meanwhile */
            adit_hstream_reset(s, ADIT_YAMUX_RESET_NEGOTIATION);
            return;
        }
        v->open(v->ctx, s);
    } else if (s->ops != NULL && s->ops->on_open != NULL) {
        s->ops->on_open(s->ctx, s);
    }
}

static bool
feed_mss(struct adit_hstream *s, struct adit_mslice *in)
{
    struct adit_mss_event ev;
    size_t used;

    if (adit_mss_feed(s->mss, adit_slice(in->p, in->n), &used) != ADIT_OK) {
        adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_NEGOTIATION);
        end(s, ADIT_EPROTO, 0);
        return false;
    }
    in->p += used;
    in->n -= used;
    took(s, used);
    while (s->mss != NULL && adit_mss_next(s->mss, &ev) == ADIT_OK) {
        switch (ev.type) {
        case ADIT_MSS_PROPOSED:
            dispatch(s, ev.name);
            break;
        case ADIT_MSS_AGREED:
            agreed(s);
            break;
        case ADIT_MSS_NONE:
            adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_NEGOTIATION);
            end(s, ADIT_EUNSUPPORTED, 0);
            break;
        }
        if (s->ys == NULL)
            return false;
    }
    pump_mss(s);
    return used > 0 || s->mss == NULL;
}

void
adit_hstream_on_data(struct adit_hstream *s, struct adit_mslice in)
{
    while (s->mss != NULL && !s->is_open && in.n > 0)
        if (!feed_mss(s, &in))
            return;
    if (in.n > 0 && s->ys != NULL)
        push(s, in);
    if (s->ys != NULL)
        tell_fin(s);
}

void
adit_hstream_on_fin(struct adit_hstream *s)
{
    s->rx_fin = true;
    if (s->mss != NULL && !s->is_open) {
        adit_conn_reset(s->hc->conn, s->ys, ADIT_YAMUX_RESET_NEGOTIATION);
        end(s, ADIT_EPROTO, 0);
        return;
    }
    tell_fin(s);
}

void
adit_hstream_on_end(struct adit_hstream *s, adit_err why, uint32_t code)
{
    if (why != ADIT_ERESET)
        s->ys = NULL; /* it went with its connection */
    end(s, why, code);
}

struct adit_mslice
adit_hstream_peek(const struct adit_hstream *s)
{
    return adit_chain_peek(&s->rx);
}

void
adit_hstream_drain(struct adit_hstream *s, size_t n)
{
    adit_chain_drain(&s->rx, pool(s), n);
    took(s, n);
}

void
adit_hstream_discard(struct adit_hstream *s)
{
    adit_chain_fini(&s->rx, pool(s));
}

void
adit_hstream_credit(struct adit_hstream *s, size_t n)
{
    if (s->ys != NULL)
        adit_conn_consumed(s->hc->conn, s->ys, n);
}

void
adit_hstream_resume(struct adit_hstream *s)
{
    struct adit_mslice in;

    while (s->ys != NULL && s->ops != NULL && s->ops->on_data != NULL &&
           (in = adit_chain_peek(&s->rx)).n > 0) {
        size_t n = s->ops->on_data(s->ctx, s, in);

        if (s->ys == NULL || n == 0)
            break;
        adit_hstream_drain(s, n);
        if (n < in.n)
            break;
    }
    if (s->ys != NULL)
        tell_fin(s);
}

/* ---- writing ----------------------------------------------------------- */

static bool
may_write(struct adit_hstream *s)
{
    if (s->tx_fin || s->ys == NULL)
        return false;
    pump_mss(s); /* the proposal goes first */
    return s->mss == NULL || adit_mss_out(s->mss).n == 0;
}

static size_t
wrote(struct adit_hstream *s, size_t want, size_t n)
{
    if (n < want && !adit_list_is_linked(&s->room_link))
        adit_list_push_tail(&s->hc->waiting, &s->room_link);
    return n;
}

size_t
adit_hstream_write(struct adit_hstream *s, struct adit_mslice data)
{
    if (data.n == 0)
        return 0;
    if (!may_write(s))
        return wrote(s, data.n, 0);
    return wrote(s, data.n, adit_conn_send(s->hc->conn, s->ys, data));
}

size_t
adit_hstream_write_copy(struct adit_hstream *s, struct adit_slice data)
{
    if (data.n == 0)
        return 0;
    if (!may_write(s))
        return wrote(s, data.n, 0);
    return wrote(s, data.n, adit_conn_send_copy(s->hc->conn, s->ys, data));
}

void
adit_hstream_fin(struct adit_hstream *s)
{
    if (s->tx_fin || s->ys == NULL)
        return;
    s->tx_fin = true;
    /* Behind a proposal that has not left yet, _on_room sends it. */
    if (s->mss == NULL || adit_mss_out(s->mss).n == 0)
        adit_conn_fin(s->hc->conn, s->ys);
}

void
adit_hstream_on_room(struct adit_hstream *s)
{
    bool was_waiting = s->mss != NULL && adit_mss_out(s->mss).n > 0;

    adit_list_remove(&s->room_link);
    pump_mss(s);
    if (s->mss != NULL && adit_mss_out(s->mss).n > 0)
        return;
    if (was_waiting && s->tx_fin)
        adit_conn_fin(s->hc->conn, s->ys);
    if (s->ops != NULL && s->ops->on_room != NULL)
        s->ops->on_room(s->ctx, s);
    if (s->ys != NULL)
        tell_fin(s);
}

/* ---- ending ------------------------------------------------------------ */

void
adit_hstream_close(struct adit_hstream *s)
{
    s->ops = NULL;
    if (s->ys == NULL)
        return;
    adit_hstream_fin(s);
    adit_hstream_drain(s, s->rx.n_bytes);
    if (s->rx_fin || arm(s, LINGER_US) != ADIT_OK)
        destroy(s);
}

void
adit_hstream_reset(struct adit_hstream *s, uint32_t code)
{
    s->ops = NULL;
    if (s->ys == NULL)
        return;
    adit_conn_reset(s->hc->conn, s->ys, code);
    destroy(s);
}
