/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/bridge.h"

#include "host/host.h"

/* One way through: from `from`, to the other side's stream. */
struct side {
    struct adit_bridge *b;
    struct adit_hstream *from;
    bool is_done; /* nothing more goes this way */
    bool at_limit;
    uint64_t n_bytes;
};

struct adit_bridge {
    struct adit_host *h;
    struct side side[2]; /* by where it goes: enum adit_dir */
    struct adit_budget budget;
    struct adit_instant born;
    struct adit_timer timer; /* its time */
    struct adit_task task;   /* to end it, when nobody is in the middle */
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

    adit_bridge_counts(b, &end.n);

    for (int i = 0; i < 2; i++) {
        if (b->side[i].from == NULL)
            continue;
        if (b->why == ADIT_BRIDGE_FIN || b->why == ADIT_BRIDGE_DATA)
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
    adit_task_post(b->h->w, &b->task);
}

static void
stall(struct adit_bridge *b)
{
    if (adit_list_is_linked(&b->stalled_link))
        return;
    b->stalled_since = adit_worker_now(b->h->w);
    adit_list_push_tail(&b->h->stalled, &b->stalled_link);
}

static void
check_stalled(struct adit_bridge *b)
{
    bool waits = false;

    for (int i = 0; i < 2; i++)
        if (b->side[i].from != NULL && b->side[i].from->rx.n_bytes > 0)
            waits = true;
    if (!waits)
        adit_list_remove(&b->stalled_link);
    else
        stall(b);
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
    uint64_t left;
    size_t n;

    (void)s;
    if (b->is_over)
        return 0;
    if (sd->is_done)
        return in.n; /* beyond the limit: dropped, and not granted again */
    left = b->budget.left_bytes[dir_of(sd)];
    b->is_pumping = true;
    n = adit_hstream_write(
        to(sd),
        (struct adit_mslice){ in.p, left < in.n ? (size_t)left : in.n });
    b->is_pumping = false;
    if (n > 0) {
        size_t granted = 0;

        if (adit_budget_charge(&b->budget, dir_of(sd), n,
                               adit_worker_now(b->h->w),
                               &granted) == ADIT_EEXPIRED) {
            conclude(b, ADIT_BRIDGE_TIME);
            return n;
        }
        sd->n_bytes += n;
        adit_hstream_credit(sd->from, n);
        adit_metric_add(b->h->metrics, ADIT_M_RELAYED_BYTES, n);
        if (b->budget.left_bytes[dir_of(sd)] == 0) {
            sd->at_limit = true;
            side_done(sd);
            return in.n;
        }
        /* It moved: it is not the one that waits longest. */
        adit_list_remove(&b->stalled_link);
    }
    if (n < in.n)
        stall(b);
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
    sd->from = NULL;
    conclude(sd->b, ADIT_BRIDGE_RESET);
}

static const struct adit_hstream_ops ops = {
    .on_data = on_data,
    .on_fin = on_fin,
    .on_room = on_room,
    .on_end = on_end,
};

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
        const struct adit_hstream *from = b->side[i].from;

        out->handed_bytes[i] = b->side[i].n_bytes;
        out->accepted_bytes[i] =
            b->side[i].n_bytes + (from != NULL ? from->rx.n_bytes : 0);
    }
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

/* NULL: none that could be let go. */
static struct adit_bridge *
longest_stalled(const struct adit_host *h)
{
    struct adit_list *head = (struct adit_list *)(uintptr_t)&h->stalled;

    ADIT_LIST_EACH(n, tmp, head)
    {
        struct adit_bridge *b =
            ADIT_CONTAINER_OF(n, struct adit_bridge, stalled_link);

        if (!b->is_pumping)
            return b;
    }
    return NULL;
}

bool
adit_bridge_relieve(struct adit_host *h)
{
    struct adit_bridge *b = longest_stalled(h);

    if (b == NULL)
        return false;
    conclude(b, ADIT_BRIDGE_STALLED);
    for (int i = 0; i < 2; i++)
        if (b->side[i].from != NULL)
            adit_hstream_discard(b->side[i].from);
    return true;
}

struct adit_instant
adit_bridge_waits_since(const struct adit_host *h)
{
    const struct adit_bridge *b = longest_stalled(h);

    return b != NULL ? b->stalled_since : ADIT_NEVER;
}
