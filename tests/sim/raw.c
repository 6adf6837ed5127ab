/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "raw.h"

#include "codec/pb.h"

/* What is kept of each stream; the rest is counted. */
#define KEEP_BYTES 4096

const uint8_t raw_stop_ok[5] = { 4, 0x08, 1, 0x20, 100 };

static void
fill(void *ctx, uint8_t *dst, size_t n)
{
    uint64_t *s = ctx;

    for (size_t i = 0; i < n; i++) {
        *s = *s * UINT64_C(6364136223846793005) + 1442695040888963407u;
        dst[i] = (uint8_t)(*s >> 33);
    }
}

void
raw_kit_init(struct raw_kit *k, struct sim_world *w)
{
    struct adit_worker_config wc = { .kind = ADIT_WORKER_HAND,
                                     .mem = &k->mem,
                                     .buffer_bytes = 1u << 20 };
    struct adit_net_config nc = { .early_muxer = true };

    memset(k, 0, sizeof(*k));
    k->w = w;
    k->rng = sim_rand(w, UINT64_MAX);
    wc.rng = (struct adit_rng){ fill, &k->rng };
    adit_mem_init(&k->mem, NULL, SIZE_MAX);
    adit_identity_make(&k->identity, &wc.rng);
    nc.identity = &k->identity;
    nc.metrics = &k->metrics;
    if (adit_worker_new(&wc, &k->worker) != ADIT_OK ||
        adit_net_init(&k->net, k->worker, &nc) != ADIT_OK)
        adit_assert(!"a kit");
}

void
raw_kit_fini(struct raw_kit *k)
{
    adit_net_fini(&k->net);
    adit_worker_free(k->worker);
    adit_identity_fini(&k->identity);
    adit_assert(k->mem.used_bytes == 0);
}

/* ---- sending -------------------------------------------------------------- */

static void
add(uint8_t **b, size_t *n, size_t *cap, const void *p, size_t more)
{
    if (*n + more > *cap) {
        *cap = 2 * (*n + more);
        *b = realloc(*b, *cap);
        adit_assert(*b != NULL);
    }
    if (more > 0)
        memcpy(*b + *n, p, more);
    *n += more;
}

static void
flush(struct raw *r)
{
    struct adit_slice s = adit_slice(r->out, r->n_out);
    size_t taken = 0;

    if (r->pipe == NULL || r->is_over || r->n_out == 0 ||
        r->pipe->ops->send(r->pipe, &s, 1, &taken) != ADIT_OK)
        return;
    memmove(r->out, r->out + taken, r->n_out - taken);
    r->n_out -= taken;
    if (r->n_out == 0) { /* ten thousand of them must fit */
        free(r->out);
        r->out = NULL;
        r->out_cap = 0;
    }
}

void
raw_bytes(struct raw *r, const void *p, size_t n)
{
    add(&r->out, &r->n_out, &r->out_cap, p, n);
    flush(r);
}

void
raw_noise_cut(struct raw *r, const void *p, size_t n, size_t less)
{
    uint8_t *f = malloc(n + ADIT_NOISE_OVERHEAD);

    adit_assert(f != NULL && r->is_secured);
    if (adit_noise_seal(r->kit->net.aead, &r->tx, adit_slice(p, n), f) !=
        ADIT_OK)
        adit_assert(!"a frame");
    raw_bytes(r, f, n + ADIT_NOISE_OVERHEAD - less);
    free(f);
}

void
raw_noise(struct raw *r, const void *p, size_t n)
{
    raw_noise_cut(r, p, n, 0);
}

void
raw_frame(struct raw *r, unsigned type, unsigned flags, uint32_t id,
          uint32_t len, const void *body, size_t n)
{
    uint8_t *f = malloc(12 + n);

    adit_assert(f != NULL);
    f[0] = 0;
    f[1] = (uint8_t)type;
    adit_put_be16(f + 2, (uint16_t)flags);
    adit_put_be32(f + 4, id);
    adit_put_be32(f + 8, len);
    if (n > 0)
        memcpy(f + 12, body, n);
    raw_noise(r, f, 12 + n);
    free(f);
}

void
raw_data(struct raw *r, uint32_t id, const void *p, size_t n)
{
    while (n > 0) {
        size_t k = ADIT_MIN(n, (size_t)16384);

        raw_frame(r, RAW_DATA, 0, id, (uint32_t)k, p, k);
        p = (const uint8_t *)p + k;
        n -= k;
    }
}

/* ---- reading -------------------------------------------------------------- */

struct raw_stream *
raw_stream(struct raw *r, uint32_t id)
{
    for (size_t i = 0; i < r->n_streams; i++)
        if (r->streams[i]->id == id)
            return r->streams[i];
    return NULL;
}

static struct raw_stream *
stream(struct raw *r, uint32_t id)
{
    struct raw_stream *s = raw_stream(r, id);

    if (s != NULL)
        return s;
    s = calloc(1, sizeof(*s));
    r->streams = realloc(r->streams, (r->n_streams + 1) * sizeof(*r->streams));
    adit_assert(s != NULL && r->streams != NULL);
    s->id = id;
    r->streams[r->n_streams++] = s;
    return s;
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

/* A stream the node opened: it can only be for STOP. */
static void
serve_stop(struct raw *r, struct raw_stream *s)
{
    uint8_t buf[128];
    size_t n = names(buf, RAW_STOP);

    if (r->stop_reply == NULL)
        return;
    if (!s->agreed)
        raw_frame(r, RAW_DATA, RAW_ACK, s->id, (uint32_t)n, buf, n);
    s->agreed = true;
    if (s->n_total > n && !s->answered) {
        s->answered = true;
        raw_data(r, s->id, r->stop_reply, r->n_stop_reply);
    }
}

static void
body(struct raw *r, const uint8_t *p, size_t n)
{
    struct raw_stream *s = stream(r, r->cur);

    s->n_total += n;
    s->ungranted += n;
    if (s->n < KEEP_BYTES)
        add(&s->b, &s->n, &s->cap, p, ADIT_MIN(n, KEEP_BYTES - s->n));
    if (r->grants && s->ungranted > 65536) {
        raw_frame(r, RAW_WINDOW, 0, s->id, (uint32_t)s->ungranted, NULL, 0);
        s->ungranted = 0;
    }
    if (s->is_inbound)
        serve_stop(r, s);
}

static void
header(struct raw *r)
{
    unsigned type = r->hdr[1], flags = adit_get_be16(r->hdr + 2);
    uint32_t id = adit_get_be32(r->hdr + 4), len = adit_get_be32(r->hdr + 8);

    if (type == RAW_PING) {
        if (flags & RAW_SYN)
            raw_frame(r, RAW_PING, RAW_ACK, 0, len, NULL, 0);
        else
            r->n_pongs++;
        return;
    }
    if (type == RAW_GOAWAY) {
        r->has_goaway = true;
        r->goaway = len;
        return;
    }
    struct raw_stream *s = stream(r, id);

    if (flags & RAW_SYN)
        s->is_inbound = true;
    if (flags & RAW_FIN)
        s->fin = true;
    if (flags & RAW_RST) {
        s->rst = true;
        s->code = type == RAW_WINDOW ? len : 0;
    }
    if (type == RAW_DATA) {
        r->body_left = len;
        r->cur = id;
    }
}

static void
plain(struct raw *r, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t k;

        if (r->body_left > 0) {
            k = ADIT_MIN(n, (size_t)r->body_left);
            r->body_left -= (uint32_t)k;
            body(r, p, k);
        } else {
            k = ADIT_MIN(n, sizeof(r->hdr) - r->n_hdr);
            memcpy(r->hdr + r->n_hdr, p, k);
            r->n_hdr += k;
            if (r->n_hdr == sizeof(r->hdr)) {
                r->n_hdr = 0;
                header(r);
            }
        }
        p += k;
        n -= k;
    }
}

static void
upgrade_out(struct raw *r)
{
    struct adit_noise_result res;
    struct adit_slice o;

    for (;;) {
        while ((o = adit_upgrade_out(r->up)).n > 0) {
            if (r->is_secured)
                raw_noise(r, o.p, o.n);
            else
                raw_bytes(r, o.p, o.n);
            adit_upgrade_sent(r->up, o.n);
        }
        if (adit_upgrade_secured(r->up, &res) != ADIT_OK)
            break;
        r->tx = res.tx;
        r->rx = res.rx;
        r->is_secured = true;
    }
    if (adit_upgrade_is_done(r->up)) {
        r->is_ready = true;
        adit_upgrade_free(r->up);
        r->up = NULL;
    }
}

/* Returns how many bytes of the input the stage took. */
static size_t
upgrade_in(struct raw *r, const uint8_t *p, size_t n)
{
    size_t done = 0, used;
    bool was_secured = r->is_secured;

    while (r->up != NULL && r->is_secured == was_secured) {
        if (adit_upgrade_feed(r->up, adit_slice(p + done, n - done), &used) !=
            ADIT_OK) {
            r->is_garbled = true;
            return n;
        }
        done += used;
        upgrade_out(r);
        if (used == 0)
            break;
    }
    return done;
}

static void
on_input(void *ctx, struct adit_mslice in)
{
    struct raw *r = ctx;
    size_t at = 0;

    add(&r->in, &r->n_in, &r->in_cap, in.p, in.n);
    if (!r->is_secured && r->up != NULL)
        at = upgrade_in(r, r->in, r->n_in);
    while (r->is_secured && !r->is_garbled && r->n_in - at >= 2) {
        struct adit_mslice f = { r->in + at + 2, adit_get_be16(r->in + at) };
        size_t skip = 0;

        if (r->n_in - at < 2 + f.n)
            break;
        at += 2 + f.n;
        if (adit_noise_open(r->kit->net.aead, &r->rx, f) != ADIT_OK) {
            r->is_garbled = true;
            break;
        }
        f.n -= ADIT_NOISE_TAG_BYTES;
        if (r->up != NULL)
            skip = upgrade_in(r, f.p, f.n);
        plain(r, f.p + skip, f.n - skip);
    }
    memmove(r->in, r->in + at, r->n_in - at);
    r->n_in -= at;
    if (r->n_in == 0) {
        free(r->in);
        r->in = NULL;
        r->in_cap = 0;
    }
}

static void
on_writable(void *ctx)
{
    flush(ctx);
}

static void
on_end(void *ctx, adit_err why)
{
    struct raw *r = ctx;

    (void)why;
    r->is_over = true;
}

static const struct adit_pipe_up pipe_up = {
    .on_input = on_input,
    .on_writable = on_writable,
    .on_end = on_end,
};

/* ---- life ----------------------------------------------------------------- */

struct raw *
raw_new(struct raw_kit *k, struct sim_node *to, uint32_t addr, bool upgrade)
{
    struct raw *r = calloc(1, sizeof(*r));
    struct adit_peerid anyone = { 0 };

    adit_assert(r != NULL);
    r->kit = k;
    r->next_id = 1;
    r->pipe = sim_raw_link(k->w, to, addr);
    r->pipe->up = &pipe_up;
    r->pipe->up_ctx = r;
    if (!upgrade)
        return r;
    if (adit_upgrade_new(&k->net, true, &anyone, &r->up) != ADIT_OK)
        adit_assert(!"an upgrade");
    upgrade_out(r);
    return r;
}

static bool
is_ready(void *ctx)
{
    struct raw *r = ctx;

    return r->is_ready || r->is_over || r->is_garbled;
}

struct raw *
raw_ready(struct raw_kit *k, struct sim_node *to, uint32_t addr)
{
    struct raw *r = raw_new(k, to, addr, true);

    sim_run(k->w, 10 * ADIT_S, is_ready, r);
    adit_assert(r->is_ready);
    return r;
}

void
raw_forget(struct raw *r)
{
    for (size_t i = 0; i < r->n_streams; i++) {
        free(r->streams[i]->b);
        free(r->streams[i]);
    }
    free(r->streams);
    r->streams = NULL;
    r->n_streams = 0;
}

void
raw_free(struct raw *r, bool abort)
{
    if (r == NULL)
        return;
    adit_upgrade_free(r->up);
    r->pipe->ops->close(r->pipe, abort);
    raw_forget(r);
    free(r->in);
    free(r->out);
    free(r);
}

void
raw_deaf(struct raw *r, bool deaf)
{
    r->pipe->ops->pause(r->pipe, deaf);
}

/* ---- streams and circuits --------------------------------------------------- */

uint32_t
raw_open(struct raw *r, const char *protocol)
{
    uint8_t buf[256];
    size_t n = names(buf, protocol);
    uint32_t id = r->next_id;

    r->next_id += 2;
    raw_frame(r, RAW_DATA, RAW_SYN, id, (uint32_t)n, buf, n);
    return id;
}

struct adit_slice
raw_answer(struct raw *r, uint32_t id, const char *protocol)
{
    struct raw_stream *s = raw_stream(r, id);
    uint8_t buf[256];
    size_t n = names(buf, protocol);

    if (s == NULL || s->n <= n || memcmp(s->b, buf, n) != 0)
        return ADIT_SLICE_NONE;
    return adit_slice(s->b + n, s->n - n);
}

uint32_t
raw_status(struct raw *r, uint32_t id)
{
    struct adit_slice a = raw_answer(r, id, RAW_HOP);
    struct adit_pb_arena arena;
    struct adit_pb_hop msg;
    size_t n_len = 1, len;

    if (a.n == 0)
        return 0;
    len = a.p[0];
    if (len >= 0x80) {
        if (a.n < 2)
            return 0;
        len = (len & 0x7f) | (size_t)a.p[1] << 7;
        n_len = 2;
    }
    if (a.n < n_len + len ||
        adit_pb_hop_dec(&arena, adit_slice(a.p + n_len, len), &msg) !=
            ADIT_OK ||
        !msg.has_status)
        return 0;
    return (uint32_t)msg.status;
}

uint32_t
raw_reserve(struct raw *r)
{
    static const uint8_t msg[] = { 2, 0x08, 0 };
    uint32_t id = raw_open(r, RAW_HOP);

    raw_data(r, id, msg, sizeof(msg));
    return id;
}

uint32_t
raw_connect(struct raw *r, const struct adit_peerid *dst)
{
    struct adit_slice p = adit_peerid_bytes(dst);
    uint8_t msg[128] = { 0 };
    uint32_t id = raw_open(r, RAW_HOP);

    msg[0] = (uint8_t)(6 + p.n);
    msg[1] = 0x08; /* type: CONNECT */
    msg[2] = 1;
    msg[3] = 0x12; /* peer */
    msg[4] = (uint8_t)(2 + p.n);
    msg[5] = 0x0a; /* its id */
    msg[6] = (uint8_t)p.n;
    memcpy(msg + 7, p.p, p.n);
    raw_data(r, id, msg, 7 + p.n);
    return id;
}

struct wait {
    struct raw *r;
    uint32_t id;
};

static bool
is_answered(void *ctx)
{
    const struct wait *w = ctx;
    struct raw_stream *s = raw_stream(w->r, w->id);

    return w->r->is_over || w->r->is_garbled || raw_status(w->r, w->id) != 0 ||
           (s != NULL && (s->rst || s->fin));
}

uint32_t
raw_wait(struct raw *r, uint32_t id)
{
    struct wait w = { r, id };

    sim_run(r->kit->w, 90 * ADIT_S, is_answered, &w);
    return raw_status(r, id);
}

static bool
is_over(void *ctx)
{
    return ((struct raw *)ctx)->is_over;
}

bool
raw_wait_over(struct raw *r, int64_t us)
{
    return sim_run(r->kit->w, us, is_over, r);
}
