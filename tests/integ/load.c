/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * load: many raw-stream peers over loopback, as tests/integ/books tells them.
 *
 * A peer speaks Noise, Yamux, hop and stop, and nothing inside a circuit: its
 * payload is what the relay's books count, and both ends count it by
 * themselves.  Who peer N is follows from SEED and N, so that the same peers
 * come back in another process.
 *
 *   load SEED      commands on stdin, one event (JSON) a line on stdout
 *
 *   name P                > named peer id
 *   join P PORT         connect peer P to 127.0.0.1:PORT
 *                        > joined peer id | gone peer why text
 *   reserve P             > reserved peer status
 *   leave P             close its connection          > gone
 *   dial K S D UP DOWN HOW
 *                       circuit K from peer S to peer D, UP bytes there and
 *                       DOWN back; one dial between the same two at a time
 *                         > answer k status [> full k, > over k ...]
 *     HOW  fin          each end says FIN behind its bytes
 *          hold         each waits for `finish K` before its FIN
 *          reset-src    an end resets behind its bytes,
 *          reset-dst    not waiting for them to arrive
 *          deaf         the destination reads nothing before `finish K`
 *   finish K
 *   count               > count sent got, of all circuits so far
 *
 * `full`: both ways have arrived whole.  `over`: what each end sent and got,
 * by direction, and how it saw the end: fin, reset or gone.  After the end of
 * stdin every connection is closed, and what is open is told as over.
 */
#include "codec/pb.h"
#include "loop/worker.h"
#include "net/conn.h"
#include "net/tcp.h"
#include "wire/circuit/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than a test has. */
#define MAX_PEERS 2048
#define MAX_CIRCUITS 8192

/* Two names of multistream-select, and one hop or stop message. */
#define HEAD_BYTES (256 + ADIT_CIRCUIT_MAX_MSG_BYTES)

/* Written at a time; a Noise frame takes it. */
#define PIECE_BYTES 32768

enum how { FIN, HOLD, RESET_SRC, RESET_DST, DEAF };

struct peer {
    int n;
    struct adit_identity identity;
    struct adit_net net;
    struct adit_conn *conn; /* NULL: none */
    struct adit_list ends;  /* of its streams */
};

struct circuit;

/* A stream of ours: to reserve, or an end of a circuit. */
struct end {
    struct peer *peer;
    struct adit_list link;
    struct circuit *c; /* NULL: a reservation, or not yet known */
    struct adit_yamux_stream *s;
    bool is_dst;
    bool is_open; /* head is over: payload from here on */
    uint8_t head[HEAD_BYTES];
    size_t n_head;
    uint64_t sent, got;
    bool said_fin, heard_fin, is_reset, is_gone;
    bool is_wrong;   /* a byte that is not what was sent */
    uint64_t unread; /* by one that is deaf */
};

struct circuit {
    int k;
    struct peer *src, *dst;
    uint64_t want[2]; /* to the destination, to the source */
    enum how how;
    bool is_let_go; /* finish */
    bool was_full, is_over;
    struct end *end[2]; /* source's, destination's; NULL: none yet */
};

static struct adit_mem mem;
static struct adit_metrics metrics;
static struct adit_worker *worker;
static struct adit_fd *input;
static struct peer *peers[MAX_PEERS];
static struct circuit *circuits[MAX_CIRCUITS];
static uint64_t seed;
static char line[512];
static size_t n_line;

/* ---- what is sent ---------------------------------------------------------- */

static uint8_t
byte_at(const struct circuit *c, bool from_dst, uint64_t i)
{
    return (uint8_t)(i ^ i >> 8 ^ i >> 16 ^ (unsigned)c->k * 29u ^
                     (from_dst ? 0x5a : 0));
}

static size_t
varint(uint8_t *p, size_t n)
{
    if (n < 0x80) {
        p[0] = (uint8_t)n;
        return 1;
    }
    p[0] = (uint8_t)(n | 0x80);
    p[1] = (uint8_t)(n >> 7);
    return 2;
}

static size_t
names(uint8_t *dst, const char *protocol)
{
    static const char mss[] = "\x13/multistream/1.0.0\n";
    size_t n = strlen(protocol);

    memcpy(dst, mss, 20);
    dst[20] = (uint8_t)(n + 1);
    memcpy(dst + 21, protocol, n);
    dst[21 + n] = '\n';
    return 22 + n;
}

/* A few bytes at a stream's begin: its window takes them. */
static void
say(struct end *e, const void *p, size_t n)
{
    size_t k = adit_conn_send_copy(e->peer->conn, e->s, adit_slice(p, n));

    if (k != n) { /* the out-queue is full: a test that asks too much */
        fprintf(stderr, "a stream's first bytes have no room\n");
        exit(70);
    }
}

/* ---- the end of things --------------------------------------------------------- */

static const char *
end_name(const struct end *e)
{
    return e == NULL                     ? "none"
           : e->is_reset                 ? "reset"
           : e->is_gone                  ? "gone"
           : e->heard_fin && e->said_fin ? "fin"
                                         : "open";
}

static uint64_t
of(const struct end *e, bool sent)
{
    return e == NULL ? 0 : sent ? e->sent : e->got;
}

static bool
is_done(const struct end *e)
{
    return e == NULL || e->is_reset || e->is_gone ||
           (e->heard_fin && e->said_fin);
}

static void
tell_over(struct circuit *c)
{
    const struct end *s = c->end[0], *d = c->end[1];

    c->is_over = true;
    printf("{\"event\":\"over\",\"k\":%d,\"src\":%d,\"dst\":%d,"
           "\"sent\":[%" PRIu64 ",%" PRIu64 "],\"got\":[%" PRIu64 ",%" PRIu64
           "],\"end\":[\"%s\",\"%s\"],\"wrong\":%s}\n",
           c->k, c->src->n, c->dst->n, of(s, true), of(d, true), of(d, false),
           of(s, false), end_name(s), end_name(d),
           (s != NULL && s->is_wrong) || (d != NULL && d->is_wrong) ? "true"
                                                                    : "false");
}

/* Nothing more will come or go on it; the counts stay. */
static void
drop_stream(struct end *e)
{
    if (e->s != NULL && e->peer->conn != NULL) {
        e->s->user = NULL;
        adit_conn_release(e->peer->conn, e->s);
    }
    e->s = NULL;
}

static void
check_end(struct end *e)
{
    struct circuit *c = e->c;

    if (!is_done(e))
        return;
    drop_stream(e);
    adit_list_remove(&e->link);
    if (c == NULL) {
        free(e);
        return;
    }
    if (!c->is_over && is_done(c->end[0]) && is_done(c->end[1]))
        tell_over(c);
}

static void
check_full(struct circuit *c)
{
    if (c->was_full || of(c->end[1], false) != c->want[0] ||
        of(c->end[0], false) != c->want[1])
        return;
    c->was_full = true;
    printf("{\"event\":\"full\",\"k\":%d}\n", c->k);
}

/* ---- payload --------------------------------------------------------------------- */

static void
reset(struct end *e)
{
    e->is_reset = true;
    adit_conn_reset(e->peer->conn, e->s, 0);
    check_end(e);
}

/* Send what the window takes.  May end the stream. */
static void
pump(struct end *e)
{
    struct circuit *c = e->c;
    static uint8_t buf[PIECE_BYTES];

    if (c == NULL || !e->is_open || e->said_fin || e->s == NULL)
        return;
    while (e->sent < c->want[e->is_dst]) {
        size_t n = (size_t)ADIT_MIN(c->want[e->is_dst] - e->sent,
                                    (uint64_t)sizeof(buf));
        size_t k;

        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(c, e->is_dst, e->sent + i);
        k = adit_conn_send_copy(e->peer->conn, e->s, adit_slice(buf, n));
        e->sent += k;
        if (k < n)
            return;
    }
    if (c->how == (e->is_dst ? RESET_DST : RESET_SRC)) {
        reset(e);
        return;
    }
    if (c->how == HOLD && !c->is_let_go)
        return;
    e->said_fin = true;
    adit_conn_fin(e->peer->conn, e->s);
    check_end(e);
}

static void
payload(struct end *e, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte_at(e->c, !e->is_dst, e->got + i))
            e->is_wrong = true;
    e->got += n;
    if (e->c->how == DEAF && e->is_dst && !e->c->is_let_go)
        e->unread += n;
    else
        adit_conn_consumed(e->peer->conn, e->s, n);
    check_full(e->c);
}

/* ---- the head of a stream ----------------------------------------------------------- */

/*
 * Both names and the message behind them; NULL: more is to come.  `what` is
 * set to the second name, *used to where payload begins.
 */
static const uint8_t *
parse_head(const struct end *e, struct adit_slice *name, size_t *n_msg,
           size_t *used)
{
    size_t at = 0, len;

    for (int i = 0; i < 2; i++) {
        if (at >= e->n_head || at + 1 + e->head[at] > e->n_head)
            return NULL;
        *name = adit_slice(e->head + at + 1, e->head[at]);
        at += 1 + (size_t)e->head[at];
    }
    if (at >= e->n_head)
        return NULL;
    len = e->head[at++];
    if (len >= 0x80) {
        if (at >= e->n_head)
            return NULL;
        len = (len & 0x7f) | (size_t)e->head[at++] << 7;
    }
    if (at + len > e->n_head)
        return NULL;
    *n_msg = len;
    *used = at + len;
    return e->head + at;
}

static struct circuit *
awaited(const struct peer *dst, struct adit_slice src)
{
    for (int k = 0; k < MAX_CIRCUITS; k++) {
        struct circuit *c = circuits[k];

        if (c != NULL && c->dst == dst && c->end[1] == NULL && !c->is_over &&
            adit_slice_eq(adit_peerid_bytes(&c->src->identity.id), src))
            return c;
    }
    return NULL;
}

/* The relay's answer to a hop message of ours. */
static void
on_answer(struct end *e, struct adit_slice msg)
{
    struct adit_pb_arena arena;
    struct adit_pb_hop hop;
    int status = 0;

    if (adit_pb_hop_dec(&arena, msg, &hop) == ADIT_OK && hop.has_status)
        status = hop.status;
    if (e->c == NULL) {
        printf("{\"event\":\"reserved\",\"peer\":%d,\"status\":%d}\n",
               e->peer->n, status);
        e->said_fin = e->heard_fin = true;
        return;
    }
    printf("{\"event\":\"answer\",\"k\":%d,\"status\":%d}\n", e->c->k, status);
    if (status == ADIT_CIRCUIT_OK) {
        e->is_open = true;
        return;
    }
    e->is_reset = true;
    if (e->c->end[1] == NULL)
        e->c->is_over = true; /* the answer was its end */
}

/* Somebody calls.  False: it is nothing we wait for, and gone. */
static bool
on_call(struct end *e, struct adit_slice name, struct adit_slice msg)
{
    static const uint8_t yes[] = { 4, 0x08, 1, 0x20, 100 };
    struct adit_pb_arena arena;
    struct adit_pb_stop stop;
    struct circuit *c = NULL;

    if (adit_slice_eq(name, adit_slice_str(ADIT_STOP_ID "\n")) &&
        adit_pb_stop_dec(&arena, msg, &stop) == ADIT_OK && stop.peer.has)
        c = awaited(e->peer, stop.peer.id);
    if (c == NULL) {
        reset(e);
        return false;
    }
    e->c = c;
    c->end[1] = e;
    e->is_open = true;
    say(e, yes, sizeof(yes));
    return true;
}

/* Returns false when the stream is no more. */
static bool
head(struct end *e, struct adit_slice in)
{
    struct adit_slice name;
    const uint8_t *msg;
    size_t n_msg = 0, used = 0, n = ADIT_MIN(in.n, HEAD_BYTES - e->n_head);
    bool was_empty = e->n_head == 0;

    memcpy(e->head + e->n_head, in.p, n);
    e->n_head += n;
    if (e->is_dst && was_empty) {
        uint8_t buf[128];

        say(e, buf, names(buf, ADIT_STOP_ID));
    }
    msg = parse_head(e, &name, &n_msg, &used);
    if (msg == NULL)
        return true;
    /* All of `in` lies in the head, or is payload behind it. */
    adit_assert(used + n >= e->n_head);
    used -= e->n_head - n;
    if (e->is_dst) {
        if (!on_call(e, name, adit_slice(msg, n_msg)))
            return false;
    } else {
        on_answer(e, adit_slice(msg, n_msg));
        if (!e->is_open) {
            check_end(e);
            return false;
        }
    }
    adit_conn_consumed(e->peer->conn, e->s, used);
    if (used < in.n)
        payload(e, in.p + used, in.n - used);
    check_full(e->c); /* there may be nothing to carry */
    pump(e);
    return true;
}

/* ---- what a connection tells ---------------------------------------------------------- */

static void
tell_name(const struct peer *p, const char *event)
{
    char id[ADIT_PEERID_TEXT_BYTES];

    printf("{\"event\":\"%s\",\"peer\":%d,\"id\":\"%s\"}\n", event, p->n,
           adit_peerid_format(&p->identity.id, id));
}

static void
on_ready(void *ctx, struct adit_conn *c)
{
    (void)c;
    tell_name(ctx, "joined");
}

static struct end *
new_end(struct peer *p, struct adit_yamux_stream *s, bool is_dst)
{
    struct end *e = calloc(1, sizeof(*e));

    if (e == NULL)
        exit(71);
    e->peer = p;
    e->s = s;
    e->is_dst = is_dst;
    s->user = e;
    adit_list_push_tail(&p->ends, &e->link);
    return e;
}

static void
on_stream(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    (void)c;
    (void)new_end(ctx, s, true);
}

static void
on_data(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s,
        struct adit_mslice data)
{
    struct end *e = s->user;
    size_t n = data.n;

    (void)ctx;
    if (e == NULL) {
        adit_conn_consumed(c, s, n);
        return;
    }
    if (e->is_open)
        payload(e, data.p, n);
    else if (head(e, adit_slice(data.p, n)) && !e->is_open)
        adit_conn_consumed(c, s, n);
}

static void
on_fin(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    struct end *e = s->user;

    (void)ctx;
    (void)c;
    if (e == NULL)
        return;
    e->heard_fin = true;
    if (!e->is_open) { /* no answer will come */
        if (!e->is_dst)
            printf(e->c != NULL
                       ? "{\"event\":\"answer\",\"k\":%d,\"status\":0}\n"
                       : "{\"event\":\"reserved\",\"peer\":%d,\"status\":0}\n",
                   e->c != NULL ? e->c->k : e->peer->n);
        reset(e);
        return;
    }
    check_end(e);
}

static void
on_reset(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s,
         uint32_t code)
{
    struct end *e = s->user;

    (void)ctx;
    (void)c;
    (void)code;
    if (e == NULL)
        return;
    e->is_reset = true;
    if (!e->is_open && !e->is_dst)
        printf(e->c != NULL
                   ? "{\"event\":\"answer\",\"k\":%d,\"status\":0}\n"
                   : "{\"event\":\"reserved\",\"peer\":%d,\"status\":0}\n",
               e->c != NULL ? e->c->k : e->peer->n);
    check_end(e);
}

static void
each_end(struct peer *p, void (*fn)(struct end *e))
{
    ADIT_LIST_EACH(n, tmp, &p->ends)
    fn(ADIT_CONTAINER_OF(n, struct end, link));
}

static void
on_room(void *ctx, struct adit_conn *c, struct adit_yamux_stream *s)
{
    (void)c;
    if (s == NULL)
        each_end(ctx, pump);
    else if (s->user != NULL)
        pump(s->user);
}

static void
on_rtt(void *ctx, struct adit_conn *c, int64_t rtt_us)
{
    (void)ctx;
    (void)c;
    (void)rtt_us;
}

static void
end_gone(struct end *e)
{
    e->s = NULL;
    e->is_gone = true;
    check_end(e);
}

static void
on_end(void *ctx, struct adit_conn *c, adit_err why, const char *text)
{
    struct peer *p = ctx;

    (void)c;
    p->conn = NULL;
    each_end(p, end_gone);
    printf("{\"event\":\"gone\",\"peer\":%d,\"why\":\"%s\",\"text\":\"%s\"}\n",
           p->n, adit_err_name(why), text != NULL ? text : "");
}

static const struct adit_conn_up conn_up = {
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_data = on_data,
    .on_fin = on_fin,
    .on_reset = on_reset,
    .on_room = on_room,
    .on_rtt = on_rtt,
    .on_end = on_end,
};

/* ---- commands ------------------------------------------------------------------------ */

static void
fill_seed(void *ctx, uint8_t *dst, size_t n)
{
    uint64_t *s = ctx;

    for (size_t i = 0; i < n; i++) {
        *s = *s * UINT64_C(6364136223846793005) + 1442695040888963407u;
        dst[i] = (uint8_t)(*s >> 33);
    }
}

static struct peer *
peer(int n)
{
    struct adit_net_config cfg = {
        .metrics = &metrics,
        .early_muxer = true,
        .handshake_us = 60 * ADIT_S,
        .partial_us = 60 * ADIT_S,
        .stall_us = 600 * ADIT_S,
        .mux = { .max_streams = 1024,
                 .window_max_bytes = ADIT_YAMUX_INITIAL_WINDOW },
    };
    uint64_t rng = seed * 1000003 + (uint64_t)n;
    struct adit_rng r = { fill_seed, &rng };
    struct peer *p;

    if (n < 0 || n >= MAX_PEERS)
        exit(64);
    if (peers[n] != NULL)
        return peers[n];
    p = peers[n] = calloc(1, sizeof(*p));
    if (p == NULL)
        exit(71);
    p->n = n;
    adit_list_init(&p->ends);
    adit_identity_make(&p->identity, &r);
    cfg.identity = &p->identity;
    if (adit_net_init(&p->net, worker, &cfg) != ADIT_OK)
        exit(71);
    return p;
}

static void
join(struct peer *p, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct adit_pipe *pipe = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    adit_err e = ADIT_EIO;

    /* Loopback connects at once, or not. */
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
        adit_tcp_tune(fd);
        e = adit_tcp_new(worker, fd, NULL, &pipe);
    }
    if (e == ADIT_OK)
        e = adit_conn_new(&p->net, pipe, true, NULL, &conn_up, p, &p->conn);
    if (e != ADIT_OK)
        printf("{\"event\":\"gone\",\"peer\":%d,\"why\":\"%s\",\"text\":"
               "\"connect\"}\n",
               p->n, adit_err_name(e));
}

static struct end *
open_hop(struct peer *p, const struct adit_pb_hop *m, struct circuit *c)
{
    struct adit_yamux_stream *s;
    uint8_t msg[512], buf[512];
    struct end *e;
    size_t n, k;

    if (p->conn == NULL || adit_conn_open(p->conn, &s) != ADIT_OK ||
        adit_pb_hop_enc(m, (struct adit_mslice){ msg, sizeof(msg) }, &n) !=
            ADIT_OK)
        return NULL;
    e = new_end(p, s, false);
    e->c = c;
    k = names(buf, ADIT_HOP_ID);
    k += varint(buf + k, n);
    memcpy(buf + k, msg, n);
    say(e, buf, k + n);
    return e;
}

static void
reserve(struct peer *p)
{
    struct adit_pb_hop m = { .has_type = true, .type = ADIT_PB_HOP_RESERVE };

    if (open_hop(p, &m, NULL) == NULL)
        printf("{\"event\":\"reserved\",\"peer\":%d,\"status\":0}\n", p->n);
}

static void
dial(int k, struct peer *s, struct peer *d, uint64_t up, uint64_t down,
     const char *how)
{
    static const char *const hows[] = { "fin", "hold", "reset-src",
                                        "reset-dst", "deaf" };
    struct adit_pb_hop m = { .has_type = true, .type = ADIT_PB_HOP_CONNECT };
    struct circuit *c = calloc(1, sizeof(*c));

    if (c == NULL || k < 0 || k >= MAX_CIRCUITS || circuits[k] != NULL) {
        fprintf(stderr, "circuit %d is one too many\n", k);
        exit(64);
    }
    circuits[k] = c;
    c->k = k;
    c->src = s;
    c->dst = d;
    c->want[0] = up;
    c->want[1] = down;
    for (size_t i = 0; i < ADIT_NITEMS(hows); i++)
        if (strcmp(hows[i], how) == 0)
            c->how = (enum how)i;
    m.peer.has = true;
    m.peer.id = adit_peerid_bytes(&d->identity.id);
    c->end[0] = open_hop(s, &m, c);
    if (c->end[0] == NULL) {
        c->is_over = true;
        printf("{\"event\":\"answer\",\"k\":%d,\"status\":0}\n", k);
    }
}

static void
finish(struct circuit *c)
{
    struct end *d = c->end[1];

    c->is_let_go = true;
    if (d != NULL && d->s != NULL && d->unread > 0) {
        adit_conn_consumed(d->peer->conn, d->s, (size_t)d->unread);
        d->unread = 0;
    }
    for (int i = 0; i < 2; i++)
        if (c->end[i] != NULL)
            pump(c->end[i]);
}

static void
count(void)
{
    uint64_t sent = 0, got = 0;

    for (int k = 0; k < MAX_CIRCUITS; k++)
        for (int i = 0; circuits[k] != NULL && i < 2; i++) {
            sent += of(circuits[k]->end[i], true);
            got += of(circuits[k]->end[i], false);
        }
    printf("{\"event\":\"count\",\"sent\":%" PRIu64 ",\"got\":%" PRIu64 "}\n",
           sent, got);
}

static void
command(const char *text)
{
    int a, b, c;
    uint64_t up, down;
    char how[16];

    if (sscanf(text, "name %d", &a) == 1)
        tell_name(peer(a), "named");
    else if (sscanf(text, "join %d %d", &a, &b) == 2)
        join(peer(a), b);
    else if (sscanf(text, "reserve %d", &a) == 1)
        reserve(peer(a));
    else if (sscanf(text, "leave %d", &a) == 1) {
        if (peer(a)->conn != NULL)
            adit_conn_close(peer(a)->conn, ADIT_DONE, "told to");
    } else if (sscanf(text, "dial %d %d %d %" SCNu64 " %" SCNu64 " %15s", &a,
                      &b, &c, &up, &down, how) == 6)
        dial(a, peer(b), peer(c), up, down, how);
    else if (sscanf(text, "finish %d", &a) == 1 && a >= 0 &&
             a < MAX_CIRCUITS && circuits[a] != NULL)
        finish(circuits[a]);
    else if (strcmp(text, "count") == 0)
        count();
    else {
        fprintf(stderr, "what is '%s'?\n", text);
        exit(64);
    }
}

static void
end_all(void)
{
    for (int i = 0; i < MAX_PEERS; i++)
        if (peers[i] != NULL && peers[i]->conn != NULL)
            adit_conn_close(peers[i]->conn, ADIT_DONE, "the end");
    for (int k = 0; k < MAX_CIRCUITS; k++) {
        if (circuits[k] == NULL)
            continue;
        if (!circuits[k]->is_over)
            tell_over(circuits[k]);
        free(circuits[k]->end[0]);
        free(circuits[k]->end[1]);
        free(circuits[k]);
    }
    adit_worker_stop(worker);
}

static void
on_stdin(void *ctx, int ready)
{
    char buf[4096];
    ssize_t n = read(0, buf, sizeof(buf));

    (void)ctx;
    (void)ready;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        adit_fd_want(input, 0);
        end_all();
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] != '\n') {
            if (n_line == sizeof(line) - 1)
                exit(64);
            line[n_line++] = buf[i];
            continue;
        }
        line[n_line] = '\0';
        n_line = 0;
        command(line);
    }
}

int
main(int argc, char **argv)
{
    struct adit_worker_config wc = { .kind = ADIT_WORKER_OWN,
                                     .mem = &mem,
                                     .rng = adit_rng_system(),
                                     .buffer_bytes = SIZE_MAX / 2 };

    if (argc != 2) {
        fprintf(stderr, "usage: load SEED\n");
        return 64;
    }
    seed = strtoull(argv[1], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    adit_mem_init(&mem, NULL, SIZE_MAX);
    if (adit_worker_new(&wc, &worker) != ADIT_OK ||
        adit_fd_new(worker, 0, on_stdin, NULL, &input) != ADIT_OK)
        return 71;
    adit_fd_want(input, ADIT_FD_READ);
    adit_worker_run(worker);
    adit_worker_settle(worker);
    adit_fd_free(input);
    for (int i = 0; i < MAX_PEERS; i++)
        if (peers[i] != NULL) {
            adit_net_fini(&peers[i]->net);
            adit_identity_fini(&peers[i]->identity);
            free(peers[i]);
        }
    adit_worker_free(worker);
    return 0;
}
