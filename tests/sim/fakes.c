/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "fakes.h"

#include "base/civil.h"
#include "base/list.h"
#include "host/admission.h"
#include "ledger/ledger.h"

/* Peers that a fake ledger remembers: all there are. */
#define MAX_PEERS 16
#define MAX_ASKED 64

unsigned fake_n_refusals;

static uint32_t
draw(struct adit_worker *w, uint32_t below)
{
    uint32_t v;

    adit_rng_fill(adit_worker_rng(w), &v, sizeof(v));
    return v % below;
}

static void
arm(struct adit_worker *w, struct adit_timer *t, uint32_t below_ms)
{
    if (adit_timer_set(
            w, t,
            adit_instant_add(adit_worker_now(w),
                             (int64_t)draw(w, below_ms) * ADIT_MS)) != ADIT_OK)
        adit_timer_stop(w, t); /* it will never come */
}

/* ---- admission --------------------------------------------------------------- */

struct adit_admission {
    struct adit_worker *w;
    struct adit_list ops;
    bool is_silent; /* it never answers */
    bool is_kind;
    bool is_closing;
};

struct adit_admission_op {
    struct adit_admission *a;
    struct adit_list link;
    struct adit_timer timer;
    adit_admission_fn *fn;
    void *ctx;
};

adit_err
adit_admission_check(const char *url, char why[ADIT_ADMISSION_WHY_BYTES])
{
    (void)url;
    why[0] = '\0';
    return ADIT_OK;
}

adit_err
adit_admission_new(struct adit_worker *w,
                   const struct adit_admission_config *cfg,
                   struct adit_admission **out)
{
    struct adit_admission *a =
        ADIT_NEW(adit_worker_mem(w), struct adit_admission);

    if (a == NULL)
        return ADIT_ENOMEM;
    a->w = w;
    a->is_silent = strcmp(cfg->url, FAKE_SILENT) == 0;
    a->is_kind = strncmp(cfg->url, FAKE_KIND, strlen(FAKE_KIND)) == 0;
    adit_list_init(&a->ops);
    *out = a;
    return ADIT_OK;
}

static void
make_answer(struct adit_admission *a, struct adit_admission_answer *out)
{
    static const char *const names[] = FAKE_CLASSES;
    struct adit_worker *w = a->w;

    *out = (struct adit_admission_answer){ .allow = true };
    if (a->is_kind)
        return;
    *out = (struct adit_admission_answer){ .allow = draw(w, 8) != 0,
                                           .failed = draw(w, 8) == 0 };
    if (draw(w, 2) == 0)
        snprintf(out->class_name, sizeof(out->class_name), "%s",
                 names[draw(w, ADIT_NITEMS(names))]);
    if (draw(w, 2) == 0)
        out->limits = (struct adit_circuit_terms){
            .duration_s = draw(w, 20),
            .data_bytes = draw(w, 40000),
            .bytes_s = draw(w, 20000),
        };
}

/* Forget it, then tell: `fn` may free the admission. */
static void
deliver(struct adit_admission_op *op, const struct adit_admission_answer *said)
{
    adit_admission_fn *fn = op->fn;
    void *ctx = op->ctx;

    adit_admission_cancel(op);
    fn(ctx, said);
}

static void
on_due(void *ctx)
{
    struct adit_admission_op *op = ctx;
    struct adit_admission_answer said;

    make_answer(op->a, &said);
    deliver(op, &said);
}

void
adit_admission_ask(struct adit_admission *a,
                   const struct adit_admission_question *q,
                   adit_admission_fn *fn, void *ctx,
                   struct adit_admission_op **out)
{
    struct adit_admission_answer said = { .failed = true };
    struct adit_admission_op *op = NULL;

    (void)q;
    *out = NULL;
    if (!a->is_closing) {
        make_answer(a, &said);
        if (a->is_silent || draw(a->w, 4) != 0)
            op = ADIT_NEW(adit_worker_mem(a->w), struct adit_admission_op);
    }
    if (op == NULL) {
        fn(ctx, &said);
        return;
    }
    op->a = a;
    op->fn = fn;
    op->ctx = ctx;
    op->timer = (struct adit_timer){ .fn = on_due, .ctx = op };
    adit_list_push_tail(&a->ops, &op->link);
    if (!a->is_silent)
        arm(a->w, &op->timer, 5000);
    *out = op;
}

void
adit_admission_cancel(struct adit_admission_op *op)
{
    if (op == NULL)
        return;
    adit_list_remove(&op->link);
    adit_timer_stop(op->a->w, &op->timer);
    ADIT_FREE(adit_worker_mem(op->a->w), op);
}

void
adit_admission_free(struct adit_admission *a)
{
    const struct adit_admission_answer no = { .failed = true };

    if (a == NULL)
        return;
    a->is_closing = true;
    while (!adit_list_is_empty(&a->ops))
        deliver(ADIT_CONTAINER_OF(a->ops.next, struct adit_admission_op, link),
                &no);
    ADIT_FREE(adit_worker_mem(a->w), a);
}

/* ---- the ledger ---------------------------------------------------------------- */

struct known {
    struct adit_peerid peer;
    int64_t day_unix_s, month_unix_s;
    uint64_t day_bytes, month_bytes;
    struct adit_ledger_mark mark;
};

struct adit_ledger {
    struct adit_worker *w;
    struct adit_ledger_events ev;
    struct known v[MAX_PEERS];
    size_t n;
    struct adit_peerid asked[MAX_ASKED];
    size_t n_asked;
    struct adit_timer flush, answer;
};

static struct known *
find(struct adit_ledger *l, const struct adit_peerid *peer)
{
    int64_t now = adit_worker_unix_s(l->w);
    struct known *k = NULL;

    for (size_t i = 0; i < l->n && k == NULL; i++)
        if (adit_peerid_eq(&l->v[i].peer, peer))
            k = &l->v[i];
    if (k == NULL) {
        adit_assert(l->n < MAX_PEERS);
        k = &l->v[l->n++];
        k->peer = k->mark.peer = *peer;
    }
    if (k->day_unix_s != adit_day_begin(now))
        k->day_bytes = 0;
    if (k->month_unix_s != adit_month_begin(now))
        k->month_bytes = 0;
    k->day_unix_s = adit_day_begin(now);
    k->month_unix_s = adit_month_begin(now);
    return k;
}

static void
tell(struct adit_ledger *l, const struct adit_peerid *peer)
{
    const struct known *k = find(l, peer);
    struct adit_ledger_totals t = {
        .peer = *peer,
        .day_unix_s = k->day_unix_s,
        .month_unix_s = k->month_unix_s,
        .day_bytes = k->day_bytes,
        .month_bytes = k->month_bytes,
    };

    l->ev.on_totals(l->ev.ctx, &t);
}

static void
on_flush(void *ctx)
{
    struct adit_ledger *l = ctx;

    l->ev.collect(l->ev.ctx);
    for (size_t i = 0; i < l->n; i++)
        if (draw(l->w, 2) == 0)
            tell(l, &l->v[i].peer);
    arm(l->w, &l->flush, 5000);
}

/* Some are never answered; the timer is set as long as any waits. */
static void
on_answer(void *ctx)
{
    struct adit_ledger *l = ctx;
    struct adit_peerid peer = l->asked[--l->n_asked];

    if (l->n_asked > 0)
        arm(l->w, &l->answer, 2000);
    if (draw(l->w, 4) != 0)
        tell(l, &peer);
}

adit_err
adit_ledger_open(struct adit_worker *w, const struct adit_ledger_config *cfg,
                 const struct adit_ledger_events *ev, struct adit_ledger **out,
                 char why[ADIT_LEDGER_WHY_TEXT_BYTES])
{
    struct adit_ledger *l = ADIT_NEW(adit_worker_mem(w), struct adit_ledger);

    (void)cfg;
    why[0] = '\0';
    if (l == NULL)
        return ADIT_ENOMEM;
    l->w = w;
    l->ev = *ev;
    l->flush = (struct adit_timer){ .fn = on_flush, .ctx = l };
    l->answer = (struct adit_timer){ .fn = on_answer, .ctx = l };
    arm(w, &l->flush, 5000);
    *out = l;
    return ADIT_OK;
}

void
adit_ledger_close(struct adit_ledger *l)
{
    if (l == NULL)
        return;
    l->ev.collect(l->ev.ctx);
    adit_timer_stop(l->w, &l->flush);
    adit_timer_stop(l->w, &l->answer);
    ADIT_FREE(adit_worker_mem(l->w), l);
}

void
adit_ledger_add(struct adit_ledger *l, const struct adit_peerid *peer,
                const struct adit_ledger_gains *g)
{
    struct known *k = find(l, peer);

    k->day_bytes += g->sent_bytes + g->received_bytes;
    k->month_bytes += g->sent_bytes + g->received_bytes;
}

void
adit_ledger_refused(struct adit_ledger *l, const struct adit_peerid *peer,
                    enum adit_rule rule)
{
    adit_assert(rule > ADIT_RULE_NONE && rule < ADIT_N_RULES);
    (void)find(l, peer);
    fake_n_refusals++;
}

void
adit_ledger_record(struct adit_ledger *l, const struct adit_ledger_record *r)
{
    adit_assert(r->why[0] != '\0' && r->lasted_us >= 0);
    (void)l;
}

void
adit_ledger_ask(struct adit_ledger *l, const struct adit_peerid *peer)
{
    if (l->n_asked == MAX_ASKED)
        return;
    if (l->n_asked++ == 0)
        arm(l->w, &l->answer, 2000);
    l->asked[l->n_asked - 1] = *peer;
}

/* Says again what it holds, as the real one does once it has read it. */
void
adit_ledger_mark(struct adit_ledger *l, const struct adit_ledger_mark *m)
{
    find(l, &m->peer)->mark = *m;
    l->ev.on_mark(l->ev.ctx, m);
}

/* Now and then it fails, and is asked all the same. */
void
adit_ledger_state(const struct adit_ledger *l, struct adit_ledger_state *out)
{
    *out = (struct adit_ledger_state){ .is_failing = draw(l->w, 4) == 0 };
}
