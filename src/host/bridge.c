/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/bridge.h"

#include "host/host.h"

/*
 * A reader that takes nothing for so long has stopped; for less, its socket
 * was full, as everybody's is now and then.  Arbitrary: some round trips.
 */
#define STOPPED_US ADIT_S

/* One way through: from `from`, to the other side's stream. */
struct side {
    struct adit_bridge *b;
    struct adit_hstream *from; /* NULL: gone */
    bool is_done;              /* nothing more goes this way */
    bool at_limit;
    bool is_blocked; /* its reader did not take all; _on_room follows */
    uint64_t n_bytes;
    uint64_t lost_bytes; /* waited when the stream ended */
};

struct adit_bridge {
    struct adit_host *h;
    struct side side[2]; /* by where it goes: enum adit_dir */
    struct adit_budget budget;
    struct adit_instant born;
    struct adit_timer timer; /* its time */
    struct adit_task task;   /* to end it, when nobody is in the middle */
    struct adit_paced paced;
    struct adit_list stalled_link;
    struct adit_instant stalled_since;
    enum adit_bridge_why why;
    bool is_over;
    bool is_pumping; /* its waiting bytes are being written */
    void (*on_end)(void *ctx, const struct adit_bridge_end *end);
    void *ctx;
};

const char *
adit_bridge_why_name(enum adit_bridge_why why)
{
    switch (why) {
    case ADIT_BRIDGE_FIN:
        return "fin";
    case ADIT_BRIDGE_DATA:
        return "data_limit";
    case ADIT_BRIDGE_TIME:
        return "time_limit";
    case ADIT_BRIDGE_RESET:
        return "reset";
    case ADIT_BRIDGE_STALLED:
        return "stalled_buffers_full";
    case ADIT_BRIDGE_CLOSED:
        return "closed";
    }
    return "?";
}

static enum adit_dir
dir_of(const struct side *sd)
{
    return sd == &sd->b->side[ADIT_DIR_TO_DST] ? ADIT_DIR_TO_DST
                                               : ADIT_DIR_TO_SRC;
}

/* Where this way leads. */
static struct adit_hstream *
to(const struct side *sd)
{
    return sd->b
        ->side[dir_of(sd) == ADIT_DIR_TO_DST ? ADIT_DIR_TO_SRC
                                             : ADIT_DIR_TO_DST]
        .from;
}

static void
finish(void *ctx)
{
    struct adit_bridge *b = ctx;
    struct adit_bridge_end end = { .why = b->why };
    bool in_order = b->side[0].is_done && b->side[1].is_done;

    adit_bridge_counts(b, &end.n);
    for (int i = 0; i < 2; i++) {
        if (b->side[i].from == NULL)
            continue;
        if (in_order)
            adit_hstream_close(b->side[i].from);
        else
            adit_hstream_reset(b->side[i].from, ADIT_YAMUX_RESET_RESOURCE);
    }
    end.lasted_us = adit_instant_sub(adit_worker_now(b->h->w), b->born);
    b->on_end(b->ctx, &end);
    ADIT_FREE(b->h->mem, b);
}

/* Decide that it is over; the streams go at the end of the turn. */
static void
conclude(struct adit_bridge *b, enum adit_bridge_why why)
{
    if (b->is_over)
        return;
    b->is_over = true;
    b->why = why;
    adit_timer_stop(b->h->w, &b->timer);
    adit_list_remove(&b->stalled_link);
    adit_paced_stop(&b->paced);
    adit_task_post(b->h->w, &b->task);
}

/* What waits on it, and may still be carried. */
static uint64_t
waiting_bytes(const struct side *sd)
{
    if (sd->from == NULL || sd->is_done)
        return 0;
    return ADIT_MIN((uint64_t)sd->from->rx.n_bytes,
                    sd->b->budget.left_bytes[dir_of(sd)] - sd->lost_bytes);
}

/* Forget what waits, but that it came. */
static void
lose(struct side *sd)
{
    sd->lost_bytes += waiting_bytes(sd);
}

/* Is it in the list of those whose reader does not take, as it should? */
static void
check_stalled(struct adit_bridge *b)
{
    if (!b->side[0].is_blocked && !b->side[1].is_blocked) {
        adit_list_remove(&b->stalled_link);
    } else if (!adit_list_is_linked(&b->stalled_link)) {
        b->stalled_since = adit_worker_now(b->h->w);
        adit_list_push_tail(&b->h->stalled, &b->stalled_link);
    }
}

/* This way is over: the other end hears FIN. */
static void
side_done(struct side *sd)
{
    struct adit_bridge *b = sd->b;

    sd->is_done = true;
    adit_hstream_fin(to(sd));
    if (b->side[0].is_done && b->side[1].is_done)
        conclude(b, b->side[0].at_limit || b->side[1].at_limit
                        ? ADIT_BRIDGE_DATA
                        : ADIT_BRIDGE_FIN);
}

static size_t
on_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct side *sd = ctx;
    struct adit_bridge *b = sd->b;
    bool is_rated = !adit_paced_is_free(&b->paced);
    uint64_t left, may;
    size_t n;

    (void)s;
    if (b->is_over)
        return 0;
    if (sd->is_done)
        return in.n; /* beyond the limit: dropped, and not granted again */
    if (adit_instant_is_due(b->budget.ends, adit_worker_now(b->h->w))) {
        conclude(b, ADIT_BRIDGE_TIME);
        return 0;
    }
    left = ADIT_MIN((uint64_t)in.n, b->budget.left_bytes[dir_of(sd)]);
    may = is_rated ? adit_paced_may(&b->paced, left) : left;
    b->is_pumping = true;
    n = adit_hstream_write(to(sd), (struct adit_mslice){ in.p, (size_t)may });
    b->is_pumping = false;
    if (n > 0) {
        size_t granted = 0;
        adit_err e = adit_budget_charge(&b->budget, dir_of(sd), n,
                                        adit_worker_now(b->h->w), &granted);

        adit_assert(e == ADIT_OK && granted == n); /* as was asked above */
        if (is_rated)
            adit_paced_spend(&b->paced, n);
        sd->n_bytes += n;
        adit_metric_add(b->h->metrics, ADIT_M_RELAYED_BYTES, n);
        adit_hstream_credit(sd->from, n);
        if (b->budget.left_bytes[dir_of(sd)] == 0) {
            sd->at_limit = true;
            side_done(sd);
            return in.n;
        }
        /* It moved: it is not the one that waits longest. */
        adit_list_remove(&b->stalled_link);
    }
    sd->is_blocked = n < may;
    check_stalled(b);
    if (may < left)
        adit_paced_wait(&b->paced);
    return n;
}

static void
on_fin(void *ctx, struct adit_hstream *s)
{
    struct side *sd = ctx;

    (void)s;
    if (!sd->is_done && !sd->b->is_over)
        side_done(sd);
}

/* `s` has room: move what waits on the other side. */
static void
on_room(void *ctx, struct adit_hstream *s)
{
    struct side *back = ctx; /* the way that comes from `s` */
    struct adit_bridge *b = back->b;
    struct side *sd =
        &b->side[dir_of(back) == ADIT_DIR_TO_DST ? ADIT_DIR_TO_SRC
                                                 : ADIT_DIR_TO_DST];

    (void)s;
    if (b->is_over)
        return;
    sd->is_blocked = false;
    adit_hstream_resume(sd->from);
    if (!b->is_over)
        check_stalled(b);
}

static void
on_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct side *sd = ctx;

    (void)s;
    (void)why;
    (void)code;
    lose(sd);
    sd->from = NULL;
    /* Whose one way was cut has nothing more to do with the other. */
    conclude(sd->b, sd->b->side[0].at_limit || sd->b->side[1].at_limit
                        ? ADIT_BRIDGE_DATA
                        : ADIT_BRIDGE_RESET);
}

static const struct adit_hstream_ops ops = {
    .on_data = on_data,
    .on_fin = on_fin,
    .on_room = on_room,
    .on_end = on_end,
};

/* ---- at a rate ----------------------------------------------------------- */

/* What waits on it for a reader that takes it. */
static uint64_t
side_wants(const struct side *sd)
{
    return sd->is_blocked || sd->b->is_over ? 0 : waiting_bytes(sd);
}

static uint64_t
wants(void *ctx)
{
    const struct adit_bridge *b = ctx;

    return side_wants(&b->side[0]) + side_wants(&b->side[1]);
}

/* Up to `n`; returns what is left of it. */
static uint64_t
carry_side(struct side *sd, uint64_t n)
{
    struct adit_paced *c = &sd->b->paced;
    uint64_t rest = c->lent - n;

    c->lent = n;
    if (side_wants(sd) > 0)
        adit_hstream_resume(sd->from);
    return c->lent += rest;
}

/*
 * The way with less first, and up to half for it: so an answer is not held
 * up by the bulk that it answers, and two bulks get the same.
 */
static void
carry(void *ctx, uint64_t n)
{
    struct adit_bridge *b = ctx;
    int less = side_wants(&b->side[1]) < side_wants(&b->side[0]);

    n = carry_side(&b->side[less], (n + 1) / 2);
    carry_side(&b->side[!less], n);
}

static void
give_up(void *ctx)
{
    conclude(ctx, ADIT_BRIDGE_CLOSED);
}

static const struct adit_paced_ops paced_ops = {
    .wants = wants,
    .carry = carry,
    .fail = give_up,
};

/* ---- the whole ------------------------------------------------------------ */

static void
on_time(void *ctx)
{
    conclude(ctx, ADIT_BRIDGE_TIME);
}

adit_err
adit_bridge_new(struct adit_host *h, struct adit_hstream *src,
                struct adit_hstream *dst,
                const struct adit_bridge_terms *terms,
                void (*on_end_fn)(void *ctx,
                                  const struct adit_bridge_end *end),
                void *ctx, struct adit_bridge **out)
{
    struct adit_bridge *b = ADIT_NEW(h->mem, struct adit_bridge);

    if (b == NULL)
        return ADIT_ENOMEM;
    b->h = h;
    b->budget = terms->budget;
    b->born = adit_worker_now(h->w);
    b->timer = (struct adit_timer){ .fn = on_time, .ctx = b };
    b->task = (struct adit_task){ .fn = finish, .ctx = b };
    b->on_end = on_end_fn;
    b->ctx = ctx;
    adit_paced_init(&b->paced, &h->pacer, terms->bytes_s, terms->peers,
                    &paced_ops, b);
    if (terms->budget.ends.us != ADIT_NEVER.us &&
        adit_timer_set(h->w, &b->timer, terms->budget.ends) != ADIT_OK) {
        ADIT_FREE(h->mem, b);
        return ADIT_ENOMEM;
    }
    b->side[ADIT_DIR_TO_DST] = (struct side){ .b = b, .from = src };
    b->side[ADIT_DIR_TO_SRC] = (struct side){ .b = b, .from = dst };
    *out = b;
    src->manual_credit = dst->manual_credit = true;
    src->rx_max_bytes = dst->rx_max_bytes = 0;
    adit_hstream_take(src, &ops, &b->side[ADIT_DIR_TO_DST]);
    adit_hstream_take(dst, &ops, &b->side[ADIT_DIR_TO_SRC]);
    adit_hstream_resume(src);
    if (!b->is_over)
        adit_hstream_resume(dst);
    return ADIT_OK;
}

void
adit_bridge_counts(const struct adit_bridge *b, struct adit_bridge_counts *out)
{
    for (int i = 0; i < 2; i++) {
        const struct side *sd = &b->side[i];

        out->handed_bytes[i] = sd->n_bytes;
        out->accepted_bytes[i] =
            sd->n_bytes + sd->lost_bytes + waiting_bytes(sd);
    }
}

bool
adit_bridge_is_paced(const struct adit_bridge *b)
{
    return b->paced.is_waiting;
}

void
adit_bridge_close(struct adit_bridge *b)
{
    conclude(b, ADIT_BRIDGE_CLOSED);
}

void
adit_bridge_end_now(struct adit_bridge *b)
{
    conclude(b, ADIT_BRIDGE_CLOSED);
    adit_task_cancel(&b->task);
    finish(b);
}

/* ---- the buffers are full -------------------------------------------------- */

static bool
may_go(const struct adit_paced *c)
{
    /* What it is just writing lies in what would be freed. */
    return !ADIT_CONTAINER_OF(c, struct adit_bridge, paced)->is_pumping;
}

static struct adit_bridge *
longest_stalled(const struct adit_host *h)
{
    for (struct adit_list *n = h->stalled.next; n != &h->stalled;
         n = n->next) {
        struct adit_bridge *b =
            ADIT_CONTAINER_OF(n, struct adit_bridge, stalled_link);

        if (!b->is_pumping)
            return b;
    }
    return NULL;
}

/* See _relieve.  NULL: none that could be let go. */
static struct adit_bridge *
first_to_go(const struct adit_host *h, struct adit_instant *since)
{
    struct adit_bridge *stalled = longest_stalled(h);
    struct adit_paced *c = adit_pacer_longest(&h->pacer, may_go);

    *since = stalled != NULL ? stalled->stalled_since : ADIT_NEVER;
    if (c == NULL || c->since.us >= since->us ||
        (stalled != NULL &&
         adit_instant_sub(adit_worker_now(h->w), *since) >= STOPPED_US))
        return stalled;
    *since = c->since;
    return ADIT_CONTAINER_OF(c, struct adit_bridge, paced);
}

bool
adit_bridge_relieve(struct adit_host *h)
{
    struct adit_instant since;
    struct adit_bridge *b = first_to_go(h, &since);

    if (b == NULL)
        return false;
    conclude(b, ADIT_BRIDGE_STALLED);
    for (int i = 0; i < 2; i++) {
        if (b->side[i].from == NULL)
            continue;
        lose(&b->side[i]);
        adit_hstream_discard(b->side[i].from);
    }
    return true;
}

struct adit_instant
adit_bridge_waits_since(const struct adit_host *h)
{
    struct adit_instant since;

    (void)first_to_go(h, &since);
    return since;
}
