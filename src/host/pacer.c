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

static struct adit_paced *
first(const struct adit_rate *r)
{
    return adit_list_is_empty(&r->waiting)
               ? NULL
               : ADIT_CONTAINER_OF(r->waiting.next, struct adit_paced, turn);
}

static uint64_t
turn_bytes(const struct adit_paced *c, const struct adit_rate *r)
{
    return ADIT_MIN(c->ops->wants(c->ctx), grain(r));
}

/* Wake the first when there is a grain for it. */
static void
arm_first(struct adit_pacer *p, struct adit_rate *r)
{
    struct adit_paced *c = first(r);

    if (c == NULL || c->has_failed)
        return;
    if (adit_timer_set(p->w, &c->timer,
                       adit_rate_due(r, turn_bytes(c, r), now_of(p))) ==
        ADIT_OK)
        return;
    c->has_failed = true;
    adit_task_post(p->w, &c->task);
}

static void
enqueue(struct adit_paced *c, unsigned stage)
{
    struct adit_rate *r = c->rates[stage];

    if (r->waiting.next == NULL)
        adit_list_init(&r->waiting);
    c->stage = stage;
    adit_list_push_tail(&r->waiting, &c->turn);
    if (r->n_waiting++ == 0)
        arm_first(c->pacer, r);
}

static void
dequeue(struct adit_paced *c)
{
    if (!adit_list_is_linked(&c->turn))
        return;
    adit_list_remove(&c->turn);
    c->rates[c->stage]->n_waiting--;
    adit_timer_stop(c->pacer->w, &c->timer);
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
    c->is_waiting = false;
    adit_metric_sub(p->metrics, ADIT_M_PACED, 1);
    adit_list_remove(&c->link);
    adit_task_cancel(&c->task);
    if (adit_list_is_linked(&c->turn)) {
        dequeue(c);
        arm_first(p, c->rates[c->stage]);
    }
    for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
        if (c->got[i] == 0)
            continue;
        adit_rate_refund(c->rates[i], c->got[i]);
        c->got[i] = 0;
        arm_first(p, c->rates[i]);
    }
}

/*
 * Have some of rate `i` for up to `need` bytes: what is left of the last
 * grain, or at once if nobody waits for it.  False: it queues now.
 */
static bool
collect(struct adit_paced *c, unsigned i, uint64_t need)
{
    struct adit_rate *r = c->rates[i];

    if (c->got[i] >= need)
        return true;
    if (r->n_waiting == 0) {
        uint64_t n =
            ADIT_MIN(adit_rate_may(r, now_of(c->pacer)), need - c->got[i]);

        if (c->got[i] + n >= ADIT_MIN(need, grain(r))) {
            adit_rate_charge(r, n);
            c->got[i] += n;
            return true;
        }
    } else if (c->got[i] > 0) {
        return true;
    }
    enqueue(c, i);
    return false;
}

/* Go as far as its buckets let it. */
static void
advance(struct adit_paced *c)
{
    while (c->is_waiting) {
        uint64_t need = c->ops->wants(c->ctx);
        uint64_t before = need;

        if (need == 0)
            break;
        for (unsigned i = 0; i < ADIT_PACED_N_RATES; i++) {
            if (c->rates[i]->bytes_s == 0)
                continue;
            if (!collect(c, i, need))
                return;
            need = ADIT_MIN(need, c->got[i]);
        }
        c->lent = need;
        c->is_carrying = true;
        c->ops->carry(c->ctx, need);
        c->is_carrying = false;
        if (!c->is_waiting || c->ops->wants(c->ctx) == before)
            break; /* it did not want it after all */
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
    struct adit_paced *c;

    while ((c = first(r)) != NULL && !c->has_failed) {
        uint64_t n = turn_bytes(c, r);

        if (adit_rate_may(r, now_of(p)) < n)
            break;
        adit_rate_charge(r, n);
        c->got[c->stage] += n;
        dequeue(c);
        count_waiting(c);
        advance(c);
    }
    arm_first(p, r);
}

static void
on_timer(void *ctx)
{
    struct adit_paced *c = ctx;

    serve(c->pacer, c->rates[c->stage]);
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
    c->rates[0] = &c->own;
    c->rates[1] = peers[0] != NULL ? peers[0] : &p->none;
    /* Two accounts that are one are charged once. */
    c->rates[2] =
        peers[1] != NULL && peers[1] != peers[0] ? peers[1] : &p->none;
    c->rates[3] = &p->node;
    c->timer = (struct adit_timer){ .fn = on_timer, .ctx = c };
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
        struct adit_rate *r = c->rates[i];
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
        if (c->rates[i]->bytes_s == 0)
            continue;
        if (c->is_carrying)
            c->got[i] -= n;
        else
            adit_rate_charge(c->rates[i], n);
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
