/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/back.h"
#include "embed/front.h"
#include "embed/info.h"
#include "host/svc_ping.h"

/* A relay that we reserve on. */
struct relay {
    struct adit_list link;
    struct adit_back *b;
    struct adit_reserve *r;
    struct adit_maddr addr; /* with its /p2p */
};

/* ---- connecting ------------------------------------------------------------ */

/* Where a peer could be of which nothing but the name is known: behind each
 * of our own relays. */
static size_t
guess(const struct adit_back *b, struct adit_maddr *out, size_t max)
{
    size_t n = 0;

    ADIT_LIST_EACH(l, tmp, &b->reserves)
    {
        const struct relay *v = ADIT_CONTAINER_OF(l, const struct relay, link);

        if (n == max)
            break;
        out[n] = v->addr;
        if (adit_maddr_push(&out[n], ADIT_MA_P2P_CIRCUIT, ADIT_SLICE_NONE) ==
            ADIT_OK)
            n++;
    }
    return n;
}

adit_err
adit_back_connect(struct adit_back *b, const struct adit_target *t,
                  adit_connect_fn *fn, void *ctx, struct adit_connect **out,
                  const char **why)
{
    struct adit_maddr guesses[ADIT_CONNECT_MAX_ADDRS];
    struct adit_connect_config cfg = {
        .peer = t->peer,
        .addrs = &t->addr,
        .n = 1,
        .wait_us = t->opt.wait_ms * ADIT_MS,
        .timeout_us = t->opt.timeout_ms * ADIT_MS,
    };
    adit_err e;

    switch (t->opt.mode) {
    case ADIT_DIAL_ANY:
        cfg.mode = ADIT_CONNECT_ANY;
        break;
    case ADIT_DIAL_WAIT:
        cfg.mode = ADIT_CONNECT_WAIT;
        break;
    case ADIT_DIAL_DIRECT_ONLY:
        cfg.mode = ADIT_CONNECT_DIRECT;
        break;
    }
    if (t->addr.n == 0) {
        cfg.addrs = guesses;
        cfg.n = guess(b, guesses, ADIT_NITEMS(guesses));
    }
    e = adit_connect_start(b->host, &cfg, fn, ctx, out);
    if (e == ADIT_EINVAL) {
        e = ADIT_EUNREACHABLE;
        *why = cfg.mode == ADIT_CONNECT_DIRECT
                   ? "no address that leads to it directly is known"
                   : "it is not connected, and no address of it is known";
    }
    return e;
}

/* ---- reserving ------------------------------------------------------------- */

static void
announce(struct adit_back *b)
{
    struct adit_maddr all[ADIT_HOST_MAX_ADDRS];
    size_t n = 0;

    ADIT_LIST_EACH(l, tmp, &b->reserves)
    {
        const struct relay *v = ADIT_CONTAINER_OF(l, const struct relay, link);
        const struct adit_maddr *own;
        size_t n_own;

        if (v->r == NULL)
            continue;
        own = adit_reserve_addrs(v->r, &n_own);
        for (size_t i = 0; i < n_own && n < ADIT_NITEMS(all); i++)
            all[n++] = own[i];
    }
    adit_node_set_circuit_addrs(b->node, all, n);
}

static void
on_reserved(void *ctx, struct adit_reserve *r, bool renewed)
{
    struct relay *v = ctx;
    struct adit_note *note =
        adit_reserved_note_new(r, &v->b->host->identity->id, renewed);

    announce(v->b);
    if (note != NULL)
        adit_front_note(v->b->front, note, adit_info_on_reserved);
}

static void
tell_lost(struct adit_back *b, const struct adit_peerid *relay, adit_err why,
          uint32_t status, const char *text, int64_t retry_us)
{
    struct adit_note *note =
        adit_lost_note_new(relay, why, status, text, retry_us);

    if (note != NULL)
        adit_front_note(b->front, note, adit_info_on_lost);
}

static void
on_lost(void *ctx, struct adit_reserve *r, adit_err why, uint32_t status,
        const char *text, int64_t retry_us)
{
    struct relay *v = ctx;

    announce(v->b);
    tell_lost(v->b, adit_reserve_relay(r), why, status, text, retry_us);
}

static const struct adit_reserve_events reserve_events = {
    .on_reserved = on_reserved,
    .on_lost = on_lost,
};

void
adit_back_reserve(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_reserve_cmd *c =
        ADIT_CONTAINER_OF(m, struct adit_reserve_cmd, msg);
    struct adit_back *b = c->b;
    struct relay *v;
    adit_err e = ADIT_ENOMEM;

    (void)w;
    if (b->is_closed) {
        ADIT_CROSS_FREE(c);
        return;
    }
    v = ADIT_NEW(&b->mem, struct relay);
    if (v != NULL) {
        v->b = b;
        v->addr = c->addr;
        e = adit_reserve_new(b->host, &v->addr, 1, &reserve_events, v, &v->r);
    }
    if (e == ADIT_OK) {
        adit_list_push_tail(&b->reserves, &v->link);
    } else {
        struct adit_peerid relay;

        adit_maddr_peer(&c->addr, &relay);
        ADIT_FREE(&b->mem, v);
        tell_lost(b, &relay, e, 0, NULL, 0);
    }
    ADIT_CROSS_FREE(c);
}

/* ---- serving ----------------------------------------------------------------- */

struct handler {
    struct adit_list link;
    struct adit_back *b;
    struct adit_service v;
};

static void
on_service(void *ctx, struct adit_hstream *s)
{
    struct handler *h = ctx;

    adit_bstream_accept(h->b, s);
}

static struct handler *
find_handler(const struct adit_back *b, const char *name)
{
    ADIT_LIST_EACH(l, tmp, &b->handlers)
    {
        struct handler *h = ADIT_CONTAINER_OF(l, struct handler, link);

        if (strcmp(h->v.protocol, name) == 0)
            return h;
    }
    return NULL;
}

static void
serve(struct adit_back *b, const char *name, bool on_limited)
{
    struct handler *h = find_handler(b, name);

    if (h == NULL) {
        h = ADIT_NEW(&b->mem, struct handler);
        name = h != NULL ? adit_back_name(b, name) : NULL;
        if (name == NULL) {
            struct adit_log_line l;

            ADIT_FREE(&b->mem, h);
            if (adit_log_open(&l, &b->log, ADIT_LOG_ERROR, "handler.failed")) {
                adit_log_err(&l, "err", ADIT_ENOMEM);
                adit_log_close(&l);
            }
            return;
        }
        h->b = b;
        h->v.protocol = name;
        h->v.open = on_service;
        h->v.ctx = h;
        adit_list_push_tail(&b->handlers, &h->link);
        adit_host_serve(b->host, &h->v);
    }
    h->v.on_limited = on_limited;
}

void
adit_back_handle(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_handle_cmd *c =
        ADIT_CONTAINER_OF(m, struct adit_handle_cmd, msg);

    (void)w;
    if (!c->b->is_closed)
        serve(c->b, c->name, c->on_limited);
    adit_cross_free(c, sizeof(*c) + c->n);
}

/* ---- pinging -------------------------------------------------------------------- */

struct pong {
    struct adit_note note;
    void *tag;
    int64_t rtt_us;
};

static void
note_pong(adit_node *n, struct adit_note *note)
{
    struct pong *p = ADIT_CONTAINER_OF(note, struct pong, note);

    if (!n->is_deaf && n->ev.on_ping != NULL)
        n->ev.on_ping(n->ev.ctx, n, p->tag, ADIT_OK, "", p->rtt_us);
    ADIT_CROSS_FREE(p);
}

static void
note_ping_end(adit_node *n, struct adit_note *note)
{
    struct adit_ping_cmd *c =
        ADIT_CONTAINER_OF(note, struct adit_ping_cmd, note);

    if (!n->is_deaf && n->ev.on_ping != NULL)
        n->ev.on_ping(n->ev.ctx, n, c->tag, c->err, c->why, 0);
    ADIT_CROSS_FREE(c);
}

static void
ping_over(struct adit_ping_cmd *c, adit_err e, const char *why)
{
    c->err = e;
    snprintf(c->why, sizeof(c->why), "%s",
             why != NULL ? why : adit_err_text(e));
    adit_list_remove(&c->link);
    adit_front_note(c->b->front, &c->note, note_ping_end);
}

static void
on_pong(void *ctx, adit_err e, int64_t rtt_us)
{
    struct adit_ping_cmd *c = ctx;
    struct pong *p;

    if (e != ADIT_OK) {
        c->pinging = NULL;
        ping_over(c, e,
                  e == ADIT_EUNSUPPORTED ? "the peer does not answer pings"
                  : e == ADIT_DONE       ? ""
                                         : NULL);
        return;
    }
    p = ADIT_CROSS_NEW(struct pong);
    if (p == NULL)
        return; /* one answer less is told */
    p->tag = c->tag;
    p->rtt_us = rtt_us;
    adit_front_note(c->b->front, &p->note, note_pong);
}

static void
on_ping_conn(void *ctx, adit_err e, struct adit_hconn *hc, const char *why)
{
    struct adit_ping_cmd *c = ctx;

    c->connect = NULL;
    if (e == ADIT_OK && hc->is_limited && !c->target.opt.on_limited) {
        e = ADIT_ELIMIT;
        why = "the path is limited by a relay";
    }
    if (e == ADIT_OK) {
        e = adit_svc_ping_ask(hc, c->count, c->gap_us, on_pong, c,
                              &c->pinging);
        why = NULL;
    }
    if (e != ADIT_OK)
        ping_over(c, e, why);
}

void
adit_back_ping(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_ping_cmd *c = ADIT_CONTAINER_OF(m, struct adit_ping_cmd, msg);
    const char *why = NULL;
    adit_err e;

    (void)w;
    if (c->b->is_closed) {
        ADIT_CROSS_FREE(c);
        return;
    }
    adit_list_push_tail(&c->b->pings, &c->link);
    e = adit_back_connect(c->b, &c->target, on_ping_conn, c, &c->connect,
                          &why);
    if (e != ADIT_OK)
        ping_over(c, e, why);
}

/* ---- all of them ------------------------------------------------------------------ */

void
adit_back_close_dials(struct adit_back *b)
{
    struct adit_list *l;

    while ((l = adit_list_pop_head(&b->pings)) != NULL) {
        struct adit_ping_cmd *c =
            ADIT_CONTAINER_OF(l, struct adit_ping_cmd, link);

        adit_connect_cancel(c->connect);
        if (c->pinging != NULL)
            adit_svc_ping_cancel(c->pinging);
        ADIT_CROSS_FREE(c);
    }
    while ((l = adit_list_pop_head(&b->reserves)) != NULL) {
        struct relay *v = ADIT_CONTAINER_OF(l, struct relay, link);

        adit_reserve_free(v->r);
        ADIT_FREE(&b->mem, v);
    }
    while ((l = adit_list_pop_head(&b->handlers)) != NULL) {
        struct handler *h = ADIT_CONTAINER_OF(l, struct handler, link);

        adit_host_unserve(b->host, &h->v);
        ADIT_FREE(&b->mem, h);
    }
}
