/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A drain: nothing new, circuits may end, and reserved connections that
 * carry none are closed a few at a time, so that their peers do not all turn
 * to the next relay in the same second.
 */
#include "host/relay_in.h"

static void
step_later(struct adit_relay *r)
{
    struct adit_instant next =
        adit_instant_add(adit_relay_now(r), r->cfg.drain_every_us);

    if (adit_timer_set(r->h->w, &r->drain_timer,
                       adit_instant_min(next, r->drain_by)) != ADIT_OK)
        adit_timer_stop(r->h->w, &r->drain_timer); /* `undrain`, `drain` */
}

static void
log_drain(struct adit_relay *r, const char *event)
{
    struct adit_log_line l;

    if (!adit_log_open(&l, r->h->log, ADIT_LOG_INFO, event))
        return;
    adit_log_u64(&l, "reservations", adit_relay_n_reservations(r));
    adit_log_u64(&l, "circuits", adit_relay_n_circuits(r));
    adit_log_close(&l);
}

static bool
has_circuit(struct adit_relay *r, const struct adit_peerid *peer)
{
    struct adit_rsvp_info i;

    return adit_rsvp_get(r->table, peer, adit_relay_now(r), &i) &&
           i.n_src + i.n_dst > 0;
}

/*
 * Close up to `max` reserved connections, of those without a circuit or of
 * all; how many there were.
 */
static uint32_t
close_reserved(struct adit_relay *r, uint32_t max, bool all, const char *why)
{
    uint32_t n = 0;

again:
    ADIT_LIST_EACH(l, tmp, &r->h->hconns)
    {
        struct adit_hconn *hc = ADIT_CONTAINER_OF(l, struct adit_hconn, link);

        if (n == max)
            break;
        if (!hc->is_reserved || hc->is_over || hc->peer == NULL ||
            (!all && has_circuit(r, &hc->peer->id)))
            continue;
        adit_relay_unreserve(r, &hc->peer->id);
        adit_hconn_close(hc, ADIT_DONE, why);
        n++;
        /* With it went the circuits over it that end here: the next is
         * perhaps one of them, and in no list any more. */
        if (!adit_list_is_linked(tmp))
            goto again;
    }
    return n;
}

static void
finish(struct adit_relay *r)
{
    r->drain = ADIT_DRAIN_DONE;
    log_drain(r, "drain.done");
    ADIT_LIST_EACH(n, tmp, &r->hops)
    {
        struct adit_hop *p = ADIT_CONTAINER_OF(n, struct adit_hop, link);

        if (p->bridge != NULL)
            adit_hop_close(p, "drain");
        else if (p->stop != NULL || p->accepted)
            adit_hop_end(p); /* what is not open yet does not open any more */
    }
    (void)close_reserved(r, UINT32_MAX, true, "the relay has drained");
    adit_relay_arm(r);
}

static void
on_step(void *ctx)
{
    struct adit_relay *r = ctx;
    uint32_t n = 0;

    if (!adit_instant_is_due(r->drain_by, adit_relay_now(r)))
        n = close_reserved(r, r->cfg.drain_group, false,
                           "the relay is draining");
    adit_relay_arm(r);
    if (adit_instant_is_due(r->drain_by, adit_relay_now(r)) ||
        (n < r->cfg.drain_group &&
         adit_relay_n_circuits(r) <= r->cfg.drain_threshold))
        finish(r);
    else
        step_later(r);
}

void
adit_drain_init(struct adit_relay *r)
{
    r->drain_timer = (struct adit_timer){ .fn = on_step, .ctx = r };
}

void
adit_drain_fini(struct adit_relay *r)
{
    adit_timer_stop(r->h->w, &r->drain_timer);
    adit_metric_set(r->h->metrics, ADIT_M_DRAINING, 0);
}

void
adit_relay_drain(struct adit_relay *r)
{
    if (r->drain != ADIT_DRAIN_NO)
        return;
    r->drain = ADIT_DRAIN_ON;
    r->drain_by =
        adit_instant_add(adit_relay_now(r), r->cfg.drain_deadline_us);
    adit_metric_set(r->h->metrics, ADIT_M_DRAINING, 1);
    log_drain(r, "drain.begun");
    step_later(r);
}

void
adit_relay_undrain(struct adit_relay *r)
{
    if (r->drain == ADIT_DRAIN_NO)
        return;
    r->drain = ADIT_DRAIN_NO;
    adit_timer_stop(r->h->w, &r->drain_timer);
    adit_metric_set(r->h->metrics, ADIT_M_DRAINING, 0);
    log_drain(r, "drain.ended");
}

enum adit_drain_state
adit_relay_drain_state(const struct adit_relay *r)
{
    return r->drain;
}
