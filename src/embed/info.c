/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/info.h"

#include "embed/front.h"
#include "host/circuit.h"
#include "host/svc_identify.h"

/* `n->ev.cb` is there, and may be called. */
#define LISTENS(n, cb) (!(n)->is_deaf && (n)->ev.cb != NULL)

/* With our own or a peer's id behind it; "" where that does not fit. */
static void
address(char out[static ADIT_MADDR_TEXT_BYTES], const struct adit_maddr *at,
        const struct adit_peerid *id)
{
    struct adit_maddr a = *at;

    out[0] = '\0';
    if (a.n > 0 &&
        adit_maddr_push(&a, ADIT_MA_P2P, adit_peerid_bytes(id)) == ADIT_OK)
        adit_maddr_format(&a, out);
}

/* ---- a connection -------------------------------------------------------- */

struct adit_left
adit_left_of(const struct adit_hconn *hc)
{
    struct adit_left l = ADIT_LEFT_ALL;

    if (hc->is_limited && hc->circuit != NULL) {
        struct adit_circuit_left c = adit_circuit_left(hc->circuit);

        l.out_bytes = c.out_bytes;
        l.in_bytes = c.in_bytes;
        l.ms = c.us == INT64_MAX ? INT64_MAX : c.us / ADIT_MS;
    }
    return l;
}

struct adit_conn_note *
adit_conn_note_new(const struct adit_hconn *hc)
{
    struct adit_conn_note *c = ADIT_CROSS_NEW(struct adit_conn_note);
    struct adit_left left;
    struct adit_maddr at;

    if (c == NULL)
        return NULL;
    left = adit_left_of(hc);
    adit_hconn_describe(hc, &at);
    if (at.n > 0)
        adit_maddr_format(&at, c->addr);
    if (hc->peer != NULL)
        adit_peerid_format(&hc->peer->id, c->peer);
    if (hc->circuit != NULL)
        adit_peerid_format(&hc->circuit->relay, c->relay);
    c->info = (struct adit_conn_info){
        .size = sizeof(c->info),
        .id = hc->id,
        .peer = c->peer,
        .addr = c->addr,
        .relay = hc->circuit != NULL ? c->relay : NULL,
        .is_inbound = hc->is_inbound,
        .is_limited = hc->is_limited,
        .left_out_bytes = left.out_bytes,
        .left_in_bytes = left.in_bytes,
        .left_ms = left.ms,
    };
    return c;
}

void
adit_conn_note_free(struct adit_conn_note *c)
{
    ADIT_CROSS_FREE(c);
}

static struct adit_conn_note *
conn_of(struct adit_note *note)
{
    return ADIT_CONTAINER_OF(note, struct adit_conn_note, note);
}

void
adit_info_on_conn(adit_node *n, struct adit_note *note)
{
    if (LISTENS(n, on_conn))
        n->ev.on_conn(n->ev.ctx, n, &conn_of(note)->info);
    adit_conn_note_free(conn_of(note));
}

void
adit_info_on_conn_end(adit_node *n, struct adit_note *note)
{
    struct adit_conn_note *c = conn_of(note);

    if (LISTENS(n, on_conn_end))
        n->ev.on_conn_end(n->ev.ctx, n, &c->info, c->err, c->text);
    adit_conn_note_free(c);
}

void
adit_info_on_limit_near(adit_node *n, struct adit_note *note)
{
    if (LISTENS(n, on_limit_near))
        n->ev.on_limit_near(n->ev.ctx, n, &conn_of(note)->info);
    adit_conn_note_free(conn_of(note));
}

/* ---- a peer ---------------------------------------------------------------- */

struct peer_note {
    struct adit_note note;
    size_t size; /* of it all */
    struct adit_peer_info info;
    const char *protocols[ADIT_IDENTIFY_MAX_PROTOCOLS];
    const char *addrs[ADIT_IDENTIFY_MAX_ADDRS];
    char peer[ADIT_PEERID_TEXT_BYTES];
    char agent[ADIT_IDENTIFY_MAX_AGENT_BYTES + 1];
    char observed[ADIT_MADDR_TEXT_BYTES];
    char text[];
};

/* What a stranger wrote, for a terminal: `cap` bytes with its NUL. */
static void
plain(char *out, size_t cap, struct adit_slice in)
{
    size_t n = ADIT_MIN(in.n, cap - 1);

    for (size_t i = 0; i < n; i++)
        out[i] = in.p[i] >= ' ' && in.p[i] < 0x7f ? (char)in.p[i] : '?';
    out[n] = '\0';
}

static bool
maddr_text(struct adit_slice in, char out[static ADIT_MADDR_TEXT_BYTES])
{
    struct adit_maddr a;

    if (adit_maddr_dec(in, &a) != ADIT_OK)
        return false;
    adit_maddr_format(&a, out);
    return true;
}

struct adit_note *
adit_peer_note_new(const struct adit_hconn *hc,
                   const struct adit_identify_result *r)
{
    char line[ADIT_MADDR_TEXT_BYTES];
    size_t n = 0, at = 0;
    struct peer_note *p;

    for (size_t i = 0; i < r->n_protocols; i++)
        n += r->protocols[i].n + 1;
    for (size_t i = 0; i < r->n_addrs; i++)
        if (maddr_text(r->addrs[i], line))
            n += strlen(line) + 1;
    p = adit_cross_alloc(sizeof(*p) + n);
    if (p == NULL)
        return NULL;
    p->size = sizeof(*p) + n;
    adit_peerid_format(&hc->peer->id, p->peer);
    plain(p->agent, sizeof(p->agent), r->agent);
    if (!maddr_text(r->observed, p->observed))
        p->observed[0] = '\0';
    p->info = (struct adit_peer_info){
        .size = sizeof(p->info),
        .conn = hc->id,
        .peer = p->peer,
        .agent = p->agent,
        .observed = p->observed,
        .protocols = p->protocols,
        .addrs = p->addrs,
    };
    for (size_t i = 0; i < r->n_protocols; i++) {
        p->protocols[p->info.n_protocols++] = p->text + at;
        plain(p->text + at, r->protocols[i].n + 1, r->protocols[i]);
        at += r->protocols[i].n + 1;
    }
    for (size_t i = 0; i < r->n_addrs; i++) {
        if (!maddr_text(r->addrs[i], line))
            continue;
        p->addrs[p->info.n_addrs++] = p->text + at;
        memcpy(p->text + at, line, strlen(line) + 1);
        at += strlen(line) + 1;
    }
    return &p->note;
}

void
adit_info_on_peer(adit_node *n, struct adit_note *note)
{
    struct peer_note *p = ADIT_CONTAINER_OF(note, struct peer_note, note);

    if (LISTENS(n, on_peer))
        n->ev.on_peer(n->ev.ctx, n, &p->info);
    adit_cross_free(p, p->size);
}

/* ---- ready ------------------------------------------------------------------ */

#define MAX_READY (2 * ADIT_HOST_MAX_ADDRS)

struct ready_note {
    struct adit_note note;
    size_t n;
    const char *addrs[MAX_READY];
    char text[MAX_READY][ADIT_MADDR_TEXT_BYTES];
};

static void
add_ready(struct ready_note *r, const struct adit_maddr *at,
          const struct adit_peerid *self)
{
    char *text = r->text[r->n];

    address(text, at, self);
    if (text[0] == '\0')
        return;
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->addrs[i], text) == 0)
            return;
    r->addrs[r->n++] = text;
}

struct adit_note *
adit_ready_note_new(struct adit_node *node, const struct adit_peerid *self)
{
    struct ready_note *r = ADIT_CROSS_NEW(struct ready_note);
    const struct adit_host *h = adit_node_host(node);
    const struct adit_maddr *listens;
    size_t n;

    if (r == NULL)
        return NULL;
    /* What is announced first: it is what others can use. */
    for (size_t i = 0; i < h->n_addrs; i++)
        add_ready(r, &h->addrs[i], self);
    listens = adit_node_listens(node, &n);
    n = ADIT_MIN(n, (size_t)ADIT_HOST_MAX_ADDRS);
    for (size_t i = 0; i < n; i++)
        add_ready(r, &listens[i], self);
    return &r->note;
}

void
adit_info_on_ready(adit_node *n, struct adit_note *note)
{
    struct ready_note *r = ADIT_CONTAINER_OF(note, struct ready_note, note);

    if (LISTENS(n, on_ready))
        n->ev.on_ready(n->ev.ctx, n, r->addrs, r->n);
    ADIT_CROSS_FREE(r);
}

/* ---- reservations ------------------------------------------------------------ */

struct reserved_note {
    struct adit_note note;
    struct adit_reservation r;
    char relay[ADIT_PEERID_TEXT_BYTES];
    const char *addrs[ADIT_RESERVE_MAX_ADDRS];
    char text[ADIT_RESERVE_MAX_ADDRS][ADIT_MADDR_TEXT_BYTES];
};

struct adit_note *
adit_reserved_note_new(const struct adit_reserve *r,
                       const struct adit_peerid *self, bool renewed)
{
    struct reserved_note *v = ADIT_CROSS_NEW(struct reserved_note);
    const struct adit_circuit_limit *limit = adit_reserve_limit(r);
    const struct adit_maddr *addrs;
    size_t n;

    if (v == NULL)
        return NULL;
    adit_peerid_format(adit_reserve_relay(r), v->relay);
    v->r = (struct adit_reservation){
        .size = sizeof(v->r),
        .relay = v->relay,
        .until_unix_s = adit_reserve_expire_unix_s(r),
        .renewed = renewed,
        .is_limited = limit->has,
        .limit_bytes = limit->has ? limit->data_bytes : 0,
        .limit_s = limit->has ? adit_circuit_limit_s(limit) : 0,
        .addrs = v->addrs,
    };
    addrs = adit_reserve_addrs(r, &n);
    for (size_t i = 0; i < n; i++) {
        char *text = v->text[v->r.n_addrs];

        address(text, &addrs[i], self);
        if (text[0] != '\0')
            v->addrs[v->r.n_addrs++] = text;
    }
    return &v->note;
}

void
adit_info_on_reserved(adit_node *n, struct adit_note *note)
{
    struct reserved_note *v =
        ADIT_CONTAINER_OF(note, struct reserved_note, note);

    if (LISTENS(n, on_reserved))
        n->ev.on_reserved(n->ev.ctx, n, &v->r);
    ADIT_CROSS_FREE(v);
}

struct lost_note {
    struct adit_note note;
    struct adit_reservation_lost r;
    char relay[ADIT_PEERID_TEXT_BYTES];
    char text[ADIT_WHY_BYTES];
};

struct adit_note *
adit_lost_note_new(const struct adit_peerid *relay, adit_err why,
                   uint32_t status, const char *text, int64_t retry_us)
{
    struct lost_note *v = ADIT_CROSS_NEW(struct lost_note);

    if (v == NULL)
        return NULL;
    adit_peerid_format(relay, v->relay);
    snprintf(v->text, sizeof(v->text), "%s",
             text != NULL ? text : adit_err_text(why));
    v->r = (struct adit_reservation_lost){
        .size = sizeof(v->r),
        .relay = v->relay,
        .why = why,
        .text = v->text,
        .status = status,
        .retry_in_ms = retry_us / ADIT_MS,
    };
    return &v->note;
}

void
adit_info_on_lost(adit_node *n, struct adit_note *note)
{
    struct lost_note *v = ADIT_CONTAINER_OF(note, struct lost_note, note);

    if (LISTENS(n, on_reservation_lost))
        n->ev.on_reservation_lost(n->ev.ctx, n, &v->r);
    ADIT_CROSS_FREE(v);
}
