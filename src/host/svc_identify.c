/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/svc_identify.h"

#include "codec/record.h"
#include "wire/circuit/status.h"

/* For the peer to finish what it says; go gives 5 s, rust 60. */
#define READ_US (30 * ADIT_S)

/* ---- saying ------------------------------------------------------------ */

/* What the stream did not take at once. */
struct saying {
    struct adit_hstream *s;
    struct adit_mem *mem;
    size_t off, n;
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];
};

static void
saying_room(void *ctx, struct adit_hstream *s)
{
    struct saying *y = ctx;

    y->off +=
        adit_hstream_write_copy(s, adit_slice(y->buf + y->off, y->n - y->off));
    if (y->off < y->n)
        return;
    adit_hstream_close(s);
    ADIT_FREE(y->mem, y);
}

static void
saying_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    struct saying *y = ctx;

    (void)s;
    (void)why;
    (void)code;
    ADIT_FREE(y->mem, y);
}

static size_t
saying_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    (void)ctx;
    (void)s;
    return in.n; /* there is nothing to hear */
}

static const struct adit_hstream_ops saying_ops = {
    .on_data = saying_data,
    .on_room = saying_room,
    .on_end = saying_end,
};

static struct adit_slice
record_of(struct adit_host *h)
{
    struct adit_slice addrs[ADIT_HOST_MAX_ADDRS];
    uint64_t seq = (uint64_t)adit_worker_unix_s(h->w) * 1000;

    if (h->record_n > 0)
        return adit_slice(h->record, h->record_n);
    if (seq <= h->record_seq)
        seq = h->record_seq + 1; /* strictly growing, whatever the clock */
    for (size_t i = 0; i < h->n_addrs; i++)
        addrs[i] = adit_maddr_bytes(&h->addrs[i]);
    if (adit_record_enc(h->identity, seq, addrs, h->n_addrs,
                        (struct adit_mslice){ h->record, sizeof(h->record) },
                        &h->record_n) != ADIT_OK) {
        h->record_n = 0;
        return ADIT_SLICE_NONE;
    }
    h->record_seq = seq;
    return adit_slice(h->record, h->record_n);
}

/* At most this many services are listed: a relay has six. */
#define MAX_LISTED 64

static size_t
message(struct adit_hconn *hc, uint8_t dst[static ADIT_IDENTIFY_OUT_BYTES])
{
    struct adit_host *h = hc->host;
    struct adit_slice protocols[MAX_LISTED];
    struct adit_slice addrs[ADIT_HOST_MAX_ADDRS];
    struct adit_maddr observed = { 0 };
    struct adit_identify_info info = {
        .pubkey_msg = adit_slice(h->identity->pubkey_msg,
                                 sizeof(h->identity->pubkey_msg)),
        .agent = adit_slice_str(h->cfg.agent),
        .protocols = protocols,
        .addrs = addrs,
        .n_addrs = h->n_addrs,
    };

    hc->conn->pipe->ops->describe(hc->conn->pipe, true, &observed);
    info.observed = adit_maddr_bytes(&observed);
    for (size_t i = 0; i < h->n_addrs; i++)
        addrs[i] = adit_maddr_bytes(&h->addrs[i]);
    ADIT_LIST_EACH(n, tmp, &h->services)
    {
        const struct adit_service *v =
            ADIT_CONTAINER_OF(n, struct adit_service, link);

        if (!v->is_hidden && info.n_protocols < MAX_LISTED)
            protocols[info.n_protocols++] = adit_slice_str(v->protocol);
    }
    info.record = record_of(h);
    return adit_identify_enc(&info, dst);
}

static void
say(struct adit_hstream *s)
{
    struct adit_mem *mem = s->hc->host->mem;
    uint8_t buf[ADIT_IDENTIFY_OUT_BYTES];
    size_t n = message(s->hc, buf);
    size_t done = adit_hstream_write_copy(s, adit_slice(buf, n));
    struct saying *y;

    s->hc->told = s->hc->host->version;
    if (done == n) {
        adit_hstream_close(s);
        return;
    }
    y = ADIT_NEW(mem, struct saying);
    if (y == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    y->s = s;
    y->mem = mem;
    y->n = n - done;
    memcpy(y->buf, buf + done, y->n);
    adit_hstream_take(s, &saying_ops, y);
}

static void
open_id(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    say(s);
}

/* ---- pushing ----------------------------------------------------------- */

static void
pushing_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)ctx;
    (void)s;
    (void)why;
    (void)code;
}

static void
pushing_open(void *ctx, struct adit_hstream *s)
{
    (void)ctx;
    say(s);
}

static const struct adit_hstream_ops pushing_ops = {
    .on_open = pushing_open,
    .on_end = pushing_end,
};

/* A peer whose connection has no room for one more stream learns it with the
 * next change. */
static void
push_to(struct adit_hconn *hc)
{
    struct adit_hstream *s;

    if (hc->has_push && !hc->is_over && hc->told != hc->host->version &&
        adit_hstream_open(hc, ADIT_IDENTIFY_PUSH_ID, &pushing_ops, NULL, &s) !=
            ADIT_OK)
        return;
}

/* ---- hearing ----------------------------------------------------------- */

struct hearing {
    struct adit_hstream *s;
    struct adit_hconn *hc;
    struct adit_timer timer;
    struct adit_identify m;
};

static void
hearing_free(struct hearing *r)
{
    struct adit_host *h = r->hc->host;

    adit_timer_stop(h->w, &r->timer);
    adit_identify_fini(&r->m);
    ADIT_FREE(h->mem, r);
}

static void
heard(struct adit_hconn *hc, const struct adit_identify_result *res)
{
    struct adit_host *h = hc->host;
    struct adit_host_watch mark = { 0 }, *w;

    hc->is_identified = true;
    hc->has_push = adit_identify_has(res, ADIT_IDENTIFY_PUSH_ID);
    /* It may have asked before something changed, and we learn only now that
     * it can be told.  One that has not asked yet will hear the news. */
    if (hc->told != 0)
        push_to(hc);
    hc->has_hop = adit_identify_has(res, ADIT_HOP_ID);
    while ((w = adit_host_watch_next(h, &mark)) != NULL)
        if (w->ev->on_identify != NULL)
            w->ev->on_identify(w->ctx, hc, res);
}

static size_t
hearing_data(void *ctx, struct adit_hstream *s, struct adit_mslice in)
{
    struct hearing *r = ctx;
    size_t used;

    if (adit_identify_feed(&r->m, adit_slice(in.p, in.n), &used) != ADIT_OK) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_PROTOCOL);
        hearing_free(r);
    }
    return in.n;
}

static void
hearing_fin(void *ctx, struct adit_hstream *s)
{
    struct hearing *r = ctx;
    struct adit_identify_result res;
    struct adit_hconn *hc = r->hc;

    adit_hstream_close(s);
    if (adit_identify_eof(&r->m) == ADIT_OK &&
        adit_identify_next(&r->m, &res) == ADIT_OK)
        heard(hc, &res);
    hearing_free(r);
}

static void
hearing_end(void *ctx, struct adit_hstream *s, adit_err why, uint32_t code)
{
    (void)s;
    (void)why;
    (void)code;
    hearing_free(ctx);
}

static const struct adit_hstream_ops hearing_ops = {
    .on_data = hearing_data,
    .on_fin = hearing_fin,
    .on_end = hearing_end,
};

static void
hearing_late(void *ctx)
{
    struct hearing *r = ctx;

    adit_hstream_reset(r->s, ADIT_YAMUX_RESET_RESOURCE);
    hearing_free(r);
}

static struct hearing *
hearing_new(struct adit_hconn *hc)
{
    struct adit_host *h = hc->host;
    struct hearing *r = ADIT_NEW(h->mem, struct hearing);

    if (r == NULL)
        return NULL;
    r->hc = hc;
    r->timer = (struct adit_timer){ .fn = hearing_late, .ctx = r };
    adit_identify_init(&r->m, h->mem, &hc->peer->id);
    if (adit_timer_set(h->w, &r->timer,
                       adit_instant_add(adit_worker_now(h->w), READ_US)) !=
        ADIT_OK) {
        hearing_free(r);
        return NULL;
    }
    return r;
}

static void
open_push(void *ctx, struct adit_hstream *s)
{
    struct hearing *r = hearing_new(s->hc);

    (void)ctx;
    if (r == NULL) {
        adit_hstream_reset(s, ADIT_YAMUX_RESET_RESOURCE);
        return;
    }
    r->s = s;
    adit_hstream_take(s, &hearing_ops, r);
}

void
adit_svc_identify_ask(struct adit_hconn *hc)
{
    struct hearing *r = hearing_new(hc);

    if (r == NULL)
        return;
    if (adit_hstream_open(hc, ADIT_IDENTIFY_ID, &hearing_ops, r, &r->s) !=
        ADIT_OK) {
        hearing_free(r);
        return;
    }
    adit_hstream_fin(r->s); /* we only listen */
}

/* ---- changes ----------------------------------------------------------- */

static void
push_all(void *ctx)
{
    struct adit_host *h = ctx;

    h->record_n = 0;
    ADIT_LIST_EACH(n, tmp, &h->hconns)
    {
        push_to(ADIT_CONTAINER_OF(n, struct adit_hconn, link));
    }
}

void
adit_svc_identify_changed(struct adit_host *h)
{
    h->record_n = 0;
    h->version = ADIT_MAX(h->version + 1, 1);
    if (h->is_closing)
        return;
    h->push_task.fn = push_all;
    h->push_task.ctx = h;
    adit_task_post(h->w, &h->push_task);
}

void
adit_svc_identify_init(struct adit_service *id, struct adit_service *push)
{
    *id = (struct adit_service){
        .protocol = ADIT_IDENTIFY_ID,
        .on_limited = true,
        .open = open_id,
    };
    *push = (struct adit_service){
        .protocol = ADIT_IDENTIFY_PUSH_ID,
        .on_limited = true,
        .open = open_push,
    };
}
