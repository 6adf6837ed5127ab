/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "world.h"

/* What a link holds per direction before its writer must wait. */
#define LINK_BYTES 65536

/* A piece on its way. */
struct piece {
    struct adit_list link;
    struct adit_instant due;
    size_t n;
    uint8_t b[];
};

struct end {
    struct adit_pipe pipe;
    struct link *l;
    struct sim_node *node; /* NULL: a stranger's */
    struct end *other;
    struct adit_list in; /* pieces coming here */
    size_t in_bytes;
    struct adit_instant last_due;
    bool fin_in; /* the other end shut or closed, behind the pieces */
    bool fin_told;
    bool is_paused;
    bool is_closed;
    bool wants_room;
};

struct link {
    struct adit_list link;
    struct sim_world *world;
    struct end e[2];
    bool is_broken;
};

struct dialing {
    struct adit_list link;
    struct sim_world *world;
    struct sim_node *from;
    struct adit_maddr addr;
    struct adit_instant due;
    adit_dial_fn *fn;
    void *fn_ctx;
};

struct waiting_ask {
    struct adit_list link;
    struct adit_relay *relay;
    struct adit_ask *ask;
    unsigned steps;
};

static uint64_t
next_rand(uint64_t *s)
{
    uint64_t x = *s += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t
sim_rand(struct sim_world *w, uint64_t below)
{
    return next_rand(&w->rng) % below;
}

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)next_rand(ctx);
}

static void
print_line(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    const struct sim_node *node = ctx;

    (void)n;
    fprintf(
        stderr, "# %8.3f node %zu %s %s\n", (double)node->world->now.us / 1e6,
        (size_t)(node - node->world->nodes), adit_log_level_name(level), line);
}

/* ---- links -------------------------------------------------------------- */

static struct end *
of(struct adit_pipe *p)
{
    return ADIT_CONTAINER_OF(p, struct end, pipe);
}

static void
drop_pieces(struct end *e)
{
    struct adit_list *n;

    while ((n = adit_list_pop_head(&e->in)) != NULL)
        free(ADIT_CONTAINER_OF(n, struct piece, link));
    e->in_bytes = 0;
}

static struct adit_instant
arrival(struct end *to)
{
    struct sim_world *w = to->l->world;
    int64_t us = w->cfg.latency_us;
    struct adit_instant t;

    us += (int64_t)sim_rand(w, (uint64_t)us + 1);
    t = adit_instant_add(w->now, us);
    if (t.us < to->last_due.us)
        t = to->last_due; /* TCP keeps its order */
    to->last_due = t;
    return t;
}

static void
add_piece(struct end *to, const uint8_t *p, size_t n)
{
    struct piece *k = malloc(sizeof(*k) + n);

    adit_assert(k != NULL);
    *k = (struct piece){ .due = arrival(to), .n = n };
    memcpy(k->b, p, n);
    adit_list_push_tail(&to->in, &k->link);
    to->in_bytes += n;
}

static adit_err
end_send(struct adit_pipe *p, const struct adit_slice *v, size_t n,
         size_t *taken)
{
    struct end *e = of(p);
    struct end *to = e->other;
    struct sim_world *w = e->l->world;

    *taken = 0;
    if (e->l->is_broken)
        return ADIT_EIO;
    for (size_t i = 0; i < n; i++) {
        size_t done = 0;

        while (done < v[i].n) {
            size_t room = LINK_BYTES - to->in_bytes;
            size_t k = ADIT_MIN(room, v[i].n - done);

            if (w->cfg.byte_at_a_time)
                k = ADIT_MIN(k, (size_t)1);
            else if (w->cfg.chop && k > 1)
                k = 1 + (size_t)sim_rand(w, k);
            if (k == 0) {
                e->wants_room = true;
                return ADIT_OK;
            }
            if (!to->is_closed)
                add_piece(to, v[i].p + done, k);
            done += k;
            *taken += k;
        }
    }
    return ADIT_OK;
}

static void
end_pause(struct adit_pipe *p, bool stop)
{
    of(p)->is_paused = stop;
}

static void
end_shut(struct adit_pipe *p)
{
    of(p)->other->fin_in = true;
}

static void
end_close(struct adit_pipe *p, bool abort)
{
    struct end *e = of(p);

    e->is_closed = true;
    drop_pieces(e);
    e->other->fin_in = true;
    if (abort)
        e->l->is_broken = true;
}

static void
end_describe(const struct adit_pipe *p, bool remote, struct adit_maddr *out)
{
    adit_endpoint_to_maddr(remote ? &p->remote : &p->local, out);
}

static const struct adit_pipe_ops end_ops = {
    end_send, end_pause, end_shut, end_close, end_describe,
};

static struct link *
link_new(struct sim_world *w, struct sim_node *a, struct sim_node *b)
{
    struct link *l = calloc(1, sizeof(*l));
    struct sim_node *n[2] = { a, b };

    adit_assert(l != NULL);
    l->world = w;
    for (int i = 0; i < 2; i++) {
        l->e[i].l = l;
        l->e[i].node = n[i];
        l->e[i].other = &l->e[1 - i];
        adit_list_init(&l->e[i].in);
        l->e[i].pipe.ops = &end_ops;
        if (n[i] != NULL)
            l->e[i].pipe.local = l->e[1 - i].pipe.remote = n[i]->at;
    }
    adit_list_push_tail(&w->links, &l->link);
    return l;
}

/* One thing that is due at this end.  True: something happened. */
static bool
deliver(struct sim_world *w, struct end *e)
{
    struct piece *k = NULL;

    if (e->is_closed || e->pipe.up == NULL)
        return false;
    if (e->l->is_broken) {
        if (e->fin_told)
            return false;
        e->fin_told = true;
        drop_pieces(e);
        e->pipe.up->on_end(e->pipe.up_ctx, ADIT_ERESET);
        return true;
    }
    if (!adit_list_is_empty(&e->in))
        k = ADIT_CONTAINER_OF(e->in.next, struct piece, link);
    if (k != NULL && !e->is_paused && adit_instant_is_due(k->due, w->now)) {
        uint8_t *at = e->node != NULL ? adit_worker_scratch(e->node->w) : NULL;

        if (at == NULL && e->node != NULL) {
            /* No memory: as a worker does, ask again later. */
            k->due = adit_instant_add(w->now, ADIT_MS);
            return false;
        }
        if (++w->n_deliveries == w->cfg.break_at) {
            e->l->is_broken = true;
            return true;
        }
        adit_list_remove(&k->link);
        e->in_bytes -= k->n;
        if (at != NULL)
            memcpy(at, k->b, k->n);
        else
            at = k->b;
        e->pipe.up->on_input(e->pipe.up_ctx, (struct adit_mslice){ at, k->n });
        free(k);
        if (e->other->wants_room && !e->other->is_closed) {
            e->other->wants_room = false;
            e->other->pipe.up->on_writable(e->other->pipe.up_ctx);
        }
        return true;
    }
    if (k == NULL && e->fin_in && !e->fin_told) {
        e->fin_told = true;
        e->pipe.up->on_end(e->pipe.up_ctx, ADIT_OK);
        return true;
    }
    return false;
}

static struct adit_instant
end_due(const struct end *e)
{
    if (e->is_closed || e->pipe.up == NULL)
        return ADIT_NEVER;
    if ((e->l->is_broken && !e->fin_told) ||
        (adit_list_is_empty(&e->in) && e->fin_in && !e->fin_told))
        return e->l->world->now;
    if (adit_list_is_empty(&e->in) || e->is_paused || e->l->is_broken)
        return ADIT_NEVER;
    return ADIT_CONTAINER_OF(e->in.next, struct piece, link)->due;
}

/* ---- dialling ------------------------------------------------------------ */

static adit_err
dial_start(void *ctx, const struct adit_dial_config *cfg, adit_dial_fn *fn,
           void *fn_ctx, void **op)
{
    struct sim_node *n = ctx;
    struct dialing *d = calloc(1, sizeof(*d));

    adit_assert(d != NULL);
    *d = (struct dialing){
        .world = n->world,
        .from = n,
        .addr = cfg->addrs[0],
        .due = adit_instant_add(n->world->now, 2 * n->world->cfg.latency_us),
        .fn = fn,
        .fn_ctx = fn_ctx,
    };
    adit_list_push_tail(&n->world->dials, &d->link);
    *op = d;
    return ADIT_OK;
}

static void
dial_cancel(void *ctx, void *op)
{
    struct dialing *d = op;

    (void)ctx;
    adit_list_remove(&d->link);
    free(d);
}

static void
dial_end(struct sim_world *w, struct dialing *d)
{
    struct adit_dial_result r = { .err = ADIT_EUNREACHABLE };
    struct adit_endpoint at;
    struct sim_node *to = NULL;
    struct link *l = NULL;

    adit_list_remove(&d->link);
    if (adit_endpoint_of_maddr(&d->addr, &at, NULL) == ADIT_OK)
        for (size_t i = 0; i < w->n_nodes; i++)
            if (w->nodes[i].node != NULL &&
                adit_endpoint_eq(&w->nodes[i].at, &at))
                to = &w->nodes[i];
    if (to != NULL) {
        l = link_new(w, d->from, to);
        r.err = ADIT_OK;
        r.pipe = &l->e[0].pipe;
        r.addr = &d->addr;
    }
    d->fn(d->fn_ctx, &r);
    free(d);
    if (l != NULL)
        adit_host_accept(sim_host(to), &l->e[1].pipe);
}

/* ---- verdicts ------------------------------------------------------------- */

static void
slow_ask(void *ctx, struct adit_ask *a)
{
    struct sim_node *n = ctx;
    struct waiting_ask *x = calloc(1, sizeof(*x));

    adit_assert(x != NULL);
    x->relay = adit_node_relay(n->node);
    x->ask = a;
    x->steps = (unsigned)sim_rand(n->world, 51);
    adit_list_push_tail(&n->world->asks, &x->link);
}

static bool
answer_asks(struct sim_world *w)
{
    bool any = false;

    ADIT_LIST_EACH(x, tmp, &w->asks)
    {
        struct waiting_ask *k = ADIT_CONTAINER_OF(x, struct waiting_ask, link);

        any = true;
        if (k->steps-- > 0)
            continue;
        adit_list_remove(&k->link);
        adit_relay_judge(k->relay, k->ask);
        free(k);
    }
    return any;
}

/* ---- the world ------------------------------------------------------------- */

void
sim_init(struct sim_world *w, const struct sim_config *cfg)
{
    memset(w, 0, sizeof(*w));
    w->cfg = *cfg;
    w->rng = cfg->seed;
    w->now.us = 1000000;
    w->unix_s = 1790000000;
    adit_list_init(&w->links);
    adit_list_init(&w->dials);
    adit_list_init(&w->asks);
}

void
sim_defaults(struct adit_node_config *cfg)
{
    adit_node_config_init(cfg);
    cfg->announce_private = true;
}

static void
turn(struct sim_node *n)
{
    adit_worker_turn(n->w, n->world->now, n->world->unix_s);
}

struct sim_node *
sim_add(struct sim_world *w, const struct adit_node_config *cfg)
{
    size_t i = w->n_nodes++;
    struct sim_node *n = &w->nodes[i];
    uint8_t ip[4] = { 45, 83, 12, (uint8_t)(i + 1) };
    struct adit_node_config own;
    struct adit_worker_config wc = {
        .kind = ADIT_WORKER_HAND,
        .mem = &n->mem,
        .log = &n->log,
        .buffer_bytes = 64u << 20,
    };
    char why[ADIT_NODE_WHY_BYTES];

    adit_assert(i < SIM_MAX_NODES);
    if (cfg == NULL)
        sim_defaults(&own);
    else
        own = *cfg;
    own.listen_tcp[0] = '\0'; /* memory links only */
    n->world = w;
    n->rng = next_rand(&w->rng);
    n->rng_if = (struct adit_rng){ fill, &n->rng };
    n->log = (struct adit_log){ ADIT_LOG_DEBUG,
                                w->cfg.verbose ? print_line : NULL, n };
    wc.rng = n->rng_if;
    wc.buffer_bytes = (size_t)own.buffer_bytes;
    adit_mem_init(&n->mem, NULL, SIZE_MAX);
    if (adit_worker_new(&wc, &n->w) != ADIT_OK)
        adit_assert(!"a worker");
    turn(n);
    adit_identity_make(&n->identity, &n->rng_if);
    n->dialer = (struct adit_dialer){ dial_start, dial_cancel, n };
    if (adit_endpoint_of_ip(adit_slice(ip, 4), 4001, &n->at) != ADIT_OK)
        adit_assert(!"an endpoint");
    adit_endpoint_to_maddr(&n->at, &n->addr);
    if (adit_node_make(n->w, &own, &n->identity, &n->metrics, &n->dialer,
                       &n->node, why) != ADIT_OK) {
        fprintf(stderr, "# %s\n", why);
        adit_assert(!"a node");
    }
    adit_host_set_addrs(sim_host(n), &n->addr, 1);
    if (adit_maddr_push(&n->addr, ADIT_MA_P2P,
                        adit_peerid_bytes(&n->identity.id)) != ADIT_OK)
        adit_assert(!"an address");
    if (w->cfg.delay_verdicts && adit_node_relay(n->node) != NULL) {
        struct adit_judge j = { slow_ask, n };

        adit_relay_set_judge(adit_node_relay(n->node), &j);
    }
    return n;
}

struct adit_pipe *
sim_raw_link(struct sim_world *w, struct sim_node *to, uint32_t addr)
{
    struct link *l = link_new(w, NULL, to);
    uint8_t ip[4] = { 10, (uint8_t)(addr >> 16), (uint8_t)(addr >> 8),
                      (uint8_t)addr };
    struct adit_endpoint at;

    if (adit_endpoint_of_ip(adit_slice(ip, 4), 4001, &at) != ADIT_OK)
        adit_assert(!"an endpoint");
    l->e[0].pipe.local = l->e[1].pipe.remote = at;
    turn(to); /* its clock may stand in the past */
    adit_host_accept(sim_host(to), &l->e[1].pipe);
    return &l->e[0].pipe;
}

size_t
sim_raw_unread(const struct adit_pipe *p)
{
    return ADIT_CONTAINER_OF(p, const struct end, pipe)->other->in_bytes;
}

void
sim_cut(struct sim_world *w, struct sim_node *n)
{
    ADIT_LIST_EACH(x, tmp, &w->links)
    {
        struct link *l = ADIT_CONTAINER_OF(x, struct link, link);

        if (l->e[0].node == n || l->e[1].node == n)
            l->is_broken = true;
    }
}

static void
turn_all(struct sim_world *w)
{
    size_t first = w->n_nodes > 0 ? (size_t)sim_rand(w, w->n_nodes) : 0;

    for (size_t i = 0; i < w->n_nodes; i++) {
        struct sim_node *n = &w->nodes[(first + i) % w->n_nodes];

        if (n->w != NULL)
            turn(n);
    }
}

static void
reap_links(struct sim_world *w)
{
    ADIT_LIST_EACH(x, tmp, &w->links)
    {
        struct link *l = ADIT_CONTAINER_OF(x, struct link, link);

        if (!l->e[0].is_closed || !l->e[1].is_closed)
            continue;
        adit_list_remove(&l->link);
        drop_pieces(&l->e[0]);
        drop_pieces(&l->e[1]);
        free(l);
    }
}

/* Everything that is due now; false: nothing was. */
static bool
step(struct sim_world *w)
{
    bool did = false;

    turn_all(w);
    ADIT_LIST_EACH(x, tmp, &w->dials)
    {
        struct dialing *d = ADIT_CONTAINER_OF(x, struct dialing, link);

        if (!adit_instant_is_due(d->due, w->now))
            continue;
        dial_end(w, d);
        did = true;
        break; /* the list may have changed */
    }
    ADIT_LIST_EACH(x, tmp, &w->links)
    {
        struct link *l = ADIT_CONTAINER_OF(x, struct link, link);

        for (int i = 0; i < 2; i++) {
            if (!deliver(w, &l->e[i]))
                continue;
            did = true;
            if (l->e[i].node != NULL)
                turn(l->e[i].node);
        }
    }
    if (answer_asks(w))
        did = true;
    turn_all(w);
    reap_links(w);
    return did;
}

static struct adit_instant
next_due(struct sim_world *w)
{
    struct adit_instant due = ADIT_NEVER;

    for (size_t i = 0; i < w->n_nodes; i++)
        if (w->nodes[i].w != NULL)
            due = adit_instant_min(due, adit_worker_due(w->nodes[i].w));
    ADIT_LIST_EACH(x, tmp, &w->dials)
    due =
        adit_instant_min(due, ADIT_CONTAINER_OF(x, struct dialing, link)->due);
    ADIT_LIST_EACH(y, tmp2, &w->links)
    {
        struct link *l = ADIT_CONTAINER_OF(y, struct link, link);

        due = adit_instant_min(due, end_due(&l->e[0]));
        due = adit_instant_min(due, end_due(&l->e[1]));
    }
    return due;
}

bool
sim_run(struct sim_world *w, int64_t us, bool (*done)(void *ctx), void *ctx)
{
    struct adit_instant end = adit_instant_add(w->now, us);

    for (;;) {
        struct adit_instant due;

        while (step(w))
            if (done != NULL && done(ctx))
                return true;
        if (done != NULL && done(ctx))
            return true;
        due = next_due(w);
        if (due.us >= end.us) {
            w->unix_s += (int64_t)((end.us - w->now.us) / 1000000);
            w->now = end;
            return false;
        }
        if (due.us > w->now.us) {
            w->unix_s += (int64_t)(due.us / 1000000 - w->now.us / 1000000);
            w->now = due;
        }
    }
}

void
sim_fini(struct sim_world *w)
{
    for (size_t i = 0; i < w->n_nodes; i++)
        adit_node_close(w->nodes[i].node);
    for (int k = 0; k < 4; k++)
        turn_all(w);
    reap_links(w);
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct sim_node *n = &w->nodes[i];

        adit_node_destroy(n->node);
        adit_worker_free(n->w);
        n->node = NULL;
        n->w = NULL;
        adit_identity_fini(&n->identity);
        adit_assert(n->mem.used_bytes == 0);
        for (int m = 0; m < ADIT_N_METRICS; m++) {
            const struct adit_metric_row *row =
                adit_metric_row((enum adit_metric)m);

            if (row->kind == ADIT_METRIC_GAUGE &&
                adit_metric_get(&n->metrics, (enum adit_metric)m) != 0) {
                fprintf(stderr, "# gauge %s is not zero at the end\n",
                        row->name);
                adit_assert(!"gauges end at zero");
            }
        }
    }
    adit_assert(adit_list_is_empty(&w->links));
    adit_assert(adit_list_is_empty(&w->dials));
    adit_assert(adit_list_is_empty(&w->asks));
}
