/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/pacer.h"

/*
 * All who wait for a bucket have had a turn within this time, if a grain
 * need not be larger: so much less than a bucket holds (ADIT_RATE_BURST_US)
 * that nobody's other buckets run over while he waits in one queue.
 */
#define ROUND_US (10 * ADIT_MS)

/* Less is not worth a frame and a wake-up: its overhead is some 30 bytes. */
#define GRAIN_MIN_BYTES 1024
/* More goes in no frame. */
#define GRAIN_MAX_BYTES 65507

_Static_assert(GRAIN_MIN_BYTES <= ADIT_RATE_BURST_MIN_BYTES &&
                   ROUND_US <= ADIT_RATE_BURST_US,
               "a bucket holds a grain, or it would never be there");

static struct adit_instant
now_of(const struct adit_pacer *p)
{
    return adit_worker_now(p->w);
}

void
adit_pacer_init(struct adit_pacer *p, struct adit_worker *w,
                struct adit_metrics *metrics)
{
    *p = (struct adit_pacer){ .w = w, .metrics = metrics };
    adit_rate_init(&p->node, 0, now_of(p));
    adit_rate_init(&p->none, 0, now_of(p));
    adit_list_init(&p->waiting);
}

/* ---- the queue of a bucket ------------------------------------------------ */

/* What a turn brings: the same for all who wait. */
static uint64_t
grain(const struct adit_rate *r)
{
    uint64_t n = r->bytes_s * (uint64_t)ROUND_US / (uint64_t)ADIT_S;

    n /= ADIT_MAX(r->n_waiting, 1u);
    n = ADIT_MAX(n, (uint64_t)GRAIN_MIN_BYTES);
    return ADIT_MIN(n, (uint64_t)GRAIN_MAX_BYTES);
}

static struct adit_paced_turn *
first(const struct adit_rate *r)
{
    return adit_list_is_empty(&r->waiting)
               ? NULL
               : ADIT_CONTAINER_OF(r->waiting.next, struct adit_paced_turn,
                                   link);
}

static uint64_t
wants(const struct adit_paced *c)
{
    return c->ops->wants(c->ctx);
}

/* Wake the first when there is a grain for it. */
static void
arm_first(struct adit_pacer *p, struct adit_rate *r)
{
    struct adit_paced_turn *t = first(r);

    if (t == NULL || t->c->has_failed)
        return;
    if (adit_timer_set(p->w, &t->timer,
                       adit_rate_due(r, ADIT_MIN(wants(t->c), grain(r)),
                                     now_of(p))) == ADIT_OK)
        return;
    t->c->has_failed = true;
    adit_task_post(p->w, &t->c->task);
}

static void
enqueue(struct adit_paced_turn *t)
{
    struct adit_rate *r = t->rate;

    if (r->waiting.next == NULL)
        adit_list_init(&r->waiting);
    adit_list_push_tail(&r->waiting, &t->link);
    if (r->n_waiting++ == 0)
        arm_first(t->c->pacer, r);
}

static void
dequeue(struct adit_paced_turn *t)
{
    adit_list_remove(&t->link);
    t->rate->n_waiting--;
    adit_timer_stop(t->c->pacer->w, &t->timer);
}

/* ---- a circuit ------------------------------------------------------------ */

static void
count_waiting(struct adit_paced *c)
{
    struct adit_instant now = now_of(c->pacer);

    adit_metric_add(c->pacer->metrics, ADIT_M_PACED_US,
                    now.us - c->counted.us);
    c->counted = now;
}

void
adit_paced_stop(struct adit_paced *c)
{
    struct adit_pacer *p = c->pacer;

    if (!c->is_waiting)
        return;
    count_waiting(c);
    c->is_waiting = c->has_failed = false;
    adit_metric_sub(p->metrics, ADIT_M_PACED, 1);
    adit_list_remove(&c->link);
    adit_task_cancel(&c->task);
    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        struct adit_paced_turn *t = &c->turns[i];

        if (!adit_list_is_linked(&t->link) && t->got == 0)
            continue;
        if (adit_list_is_linked(&t->link))
            dequeue(t);
        adit_rate_refund(t->rate, t->got);
        t->got = 0;
        arm_first(p, t->rate);
    }
}

/*
 * Have some of a rate: at once if nobody waits for it, no more than `may` go
 * as far as the rates before it are concerned; else in its turn, also ahead
 * of these, so that its place at the scarcest is never empty.
 */
static void
collect(struct adit_paced_turn *t, uint64_t may, uint64_t want)
{
    struct adit_rate *r = t->rate;

    if (adit_list_is_linked(&t->link))
        return;
    if (r->n_waiting == 0) {
        uint64_t more = may > t->got ? may - t->got : 0;
        uint64_t n = ADIT_MIN(adit_rate_may(r, now_of(t->c->pacer)), more);

        if (t->got + n >= ADIT_MIN(may, grain(r))) {
            adit_rate_charge(r, n);
            t->got += n;
            return;
        }
    }
    if (t->got < ADIT_MIN(want, grain(r)))
        enqueue(t);
}

/* What may be carried of `want` now; where that is nothing, it queues. */
static uint64_t
collect_all(struct adit_paced *c, uint64_t want)
{
    uint64_t may = want;

    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        struct adit_paced_turn *t = &c->turns[i];

        if (t->rate->bytes_s == 0)
            continue;
        collect(t, may, want);
        may = ADIT_MIN(may, t->got);
    }
    return may < ADIT_MIN(want, (uint64_t)GRAIN_MIN_BYTES) ? 0 : may;
}

/* Go as far as its buckets let it. */
static void
advance(struct adit_paced *c)
{
    while (c->is_waiting) {
        uint64_t want = wants(c), may;

        if (want == 0)
            break;
        may = collect_all(c, want);
        if (may == 0)
            return;
        c->lent = may;
        c->is_carrying = true;
        c->ops->carry(c->ctx, may);
        c->is_carrying = false;
        if (c->lent == may)
            break; /* it did not want it after all */
        if (!c->is_waiting)
            return;
        c->since = now_of(c->pacer);
        adit_list_remove(&c->link);
        adit_list_push_tail(&c->pacer->waiting, &c->link);
    }
    adit_paced_stop(c);
}

/* Serve those who wait for `r` as far as it reaches. */
static void
serve(struct adit_pacer *p, struct adit_rate *r)
{
    struct adit_paced_turn *t;

    while ((t = first(r)) != NULL && !t->c->has_failed) {
        uint64_t n = ADIT_MIN(wants(t->c), grain(r));

        if (adit_rate_may(r, now_of(p)) < n)
            break;
        adit_rate_charge(r, n);
        t->got += n;
        dequeue(t);
        count_waiting(t->c);
        advance(t->c);
    }
    arm_first(p, r);
}

static void
on_timer(void *ctx)
{
    struct adit_paced_turn *t = ctx;

    serve(t->c->pacer, t->rate);
}

static void
on_task(void *ctx)
{
    struct adit_paced *c = ctx;

    if (c->has_failed)
        c->ops->fail(c->ctx);
    else
        advance(c);
}

void
adit_paced_init(struct adit_paced *c, struct adit_pacer *p, uint64_t bytes_s,
                struct adit_rate *const peers[2],
                const struct adit_paced_ops *ops, void *ctx)
{
    *c = (struct adit_paced){ .pacer = p, .ops = ops, .ctx = ctx };
    adit_rate_init(&c->own, bytes_s, now_of(p));
    c->turns[0].rate = &c->own;
    c->turns[1].rate = peers[0] != NULL ? peers[0] : &p->none;
    /* Two accounts that are one are charged once. */
    c->turns[2].rate =
        peers[1] != NULL && peers[1] != peers[0] ? peers[1] : &p->none;
    c->turns[3].rate = &p->node;
    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        c->turns[i].c = c;
        c->turns[i].timer =
            (struct adit_timer){ .fn = on_timer, .ctx = &c->turns[i] };
    }
    c->task = (struct adit_task){ .fn = on_task, .ctx = c };
}

uint64_t
adit_paced_may(struct adit_paced *c, uint64_t n)
{
    uint64_t least = n;

    if (c->is_carrying)
        return ADIT_MIN(c->lent, n);
    if (c->is_waiting)
        return 0;
    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        struct adit_rate *r = c->turns[i].rate;
        uint64_t may;

        if (r->bytes_s == 0)
            continue;
        if (r->n_waiting > 0)
            return 0;
        may = adit_rate_may(r, now_of(c->pacer));
        if (may < ADIT_MIN(n, grain(r)))
            return 0; /* not worth a frame */
        least = ADIT_MIN(least, may);
    }
    return least;
}

void
adit_paced_spend(struct adit_paced *c, uint64_t n)
{
    if (c->is_carrying)
        c->lent -= n;
    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        struct adit_paced_turn *t = &c->turns[i];

        if (t->rate->bytes_s == 0)
            continue;
        if (c->is_carrying)
            t->got -= n;
        else
            adit_rate_charge(t->rate, n);
    }
}

void
adit_paced_wait(struct adit_paced *c)
{
    struct adit_pacer *p = c->pacer;

    if (c->is_waiting)
        return;
    c->is_waiting = true;
    c->since = c->counted = now_of(p);
    adit_metric_add(p->metrics, ADIT_M_PACED, 1);
    adit_list_push_tail(&p->waiting, &c->link);
    adit_task_post(p->w, &c->task);
}

/* ---- the pacer ------------------------------------------------------------ */

void
adit_pacer_set_rate(struct adit_pacer *p, struct adit_rate *rate,
                    uint64_t bytes_s)
{
    adit_rate_set(rate, bytes_s, now_of(p));
    arm_first(p, rate);
}

void
adit_pacer_set(struct adit_pacer *p, uint64_t bytes_s)
{
    adit_pacer_set_rate(p, &p->node, bytes_s);
}

struct adit_paced *
adit_pacer_longest(const struct adit_pacer *p,
                   bool (*may_go)(const struct adit_paced *c))
{
    const struct adit_list *head = &p->waiting;

    for (struct adit_list *n = head->next; n != head; n = n->next) {
        struct adit_paced *c = ADIT_CONTAINER_OF(n, struct adit_paced, link);

        if (may_go(c))
            return c;
    }
    return NULL;
}
