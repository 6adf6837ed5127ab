/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * bareloop: what one thread can relay if it does nothing but
 * recv, decrypt, encrypt, send on Noise frames over loopback TCP.
 *
 * It is the yardstick of `make bench`: no Yamux, no budget, no event loop
 * (with more than one connection a level-triggered epoll picks the next one).
 * A feeder thread per connection sends a ring of frames encrypted before the
 * clock starts, whose nonces are their places in it. A sink thread per
 * connection throws away what comes out, or decrypts and compares it (--check).
 *
 * Only the loop thread's CPU is counted, by CLOCK_THREAD_CPUTIME_ID. A run is
 * bounded by seconds, by bytes and by an alarm. The flags choose between the
 * layouts of a relay's data path. Follows specs:noise/README.md (frame: 2-byte
 * big-endian length, ciphertext, 16-byte tag; nonce: 4 zero bytes, 64-bit
 * little-endian counter; no associated data).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A Noise message is at most 65535 bytes; the tag is part of it. */
#define TAG_BYTES 16
#define LEN_BYTES 2
#define MAX_PLAIN_BYTES (65535 - TAG_BYTES)
#define MAX_FRAME_BYTES (LEN_BYTES + 65535)
#define YAMUX_HEADER_BYTES 12

/* Distinct sizes in one --in or --out; the driver asks for fewer. */
#define MAX_SIZES 256
#define MAX_CONNS 64
/* Bound on a scratch, so that a typing mistake cannot take the machine. */
#define MAX_SCRATCH_BYTES (4u << 20)
/* Larger than L2, so that what the feeder sends is as cold as from a card. */
#define RING_BYTES (4u << 20)
#define RING_MAX_FRAMES 65536
/* Window updates and slow starts are over after this. */
#define WARMUP_S 0.2

enum rekey { REKEY_FRAME, REKEY_NONCE };
enum place { PLACE_SAME, PLACE_OUT, PLACE_PLAIN };
enum header { HEADER_JOIN, HEADER_SPLIT };
enum flush { FLUSH_BATCH, FLUSH_FRAME };

struct sizes {
    int n;
    int size[MAX_SIZES];
    double weight[MAX_SIZES];
};

/* Sizes in the order in which frames have them; repeats from the start. */
struct seq {
    int n;
    int *size;
};

struct conf {
    struct sizes in, out;
    bool rechunk; /* in and out differ */
    double seconds;
    uint64_t max_bytes;
    int n_conns;
    size_t scratch_bytes;
    double rate_mb; /* of the feeders together; 0: as fast as it goes */
    int burst_bytes;
    enum rekey rekey;
    enum place place;
    enum header header;
    enum flush flush;
    int nap_us; /* between turns, so that more arrives for each */
    bool check, json, window;
};

/* One direction's cipher: made once, re-keyed as conf says. */
struct cipher {
    EVP_CIPHER_CTX *ctx;
    bool encrypts;
    bool keyed;
};

struct conn {
    int in_fd, out_fd; /* the loop's ends */
    int feed_fd, sink_fd;
    uint64_t in_nonce, out_nonce;
    size_t out_at; /* place in the out sequence */
    uint8_t *part; /* a frame, or plaintext, that is not whole yet */
    size_t n_part;
    uint8_t *carry;
    size_t n_carry;
    pthread_t feeder, sink;
    struct bench *bench;
    uint64_t sink_frames;
};

struct bench {
    struct conf conf;
    struct seq in, out;
    uint8_t *ring;
    size_t ring_bytes;
    struct conn conn[MAX_CONNS];
    struct cipher dec, enc;
    uint8_t *scratch, *plain, *outbuf;
    size_t outbuf_bytes;
    /* counted by the loop thread */
    uint64_t bytes, frames_in, frames_out, recvs, sends;
};

static const uint8_t in_key[32] = { 1, 2, 3 };
static const uint8_t out_key[32] = { 4, 5, 6 };

static void
die(const char *fmt, ...)
{
    va_list ap;
    int saved = errno;

    fprintf(stderr, "bareloop: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (saved != 0)
        fprintf(stderr, ": %s", strerror(saved));
    fputc('\n', stderr);
    exit(1);
}

static void *
must_alloc(size_t n)
{
    void *p = aligned_alloc(64, (n + 63) & ~(size_t)63);

    if (p == NULL)
        die("no memory for %zu bytes", n);
    memset(p, 0, n);
    return p;
}

static double
now_s(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void
sizes_parse(struct sizes *s, const char *text)
{
    const char *p = text;
    char *end;

    s->n = 0;
    errno = 0;
    for (;;) {
        if (s->n == MAX_SIZES)
            die("more than %d sizes", MAX_SIZES);
        long size = strtol(p, &end, 10);
        double weight = 1;

        if (end == p || size < 1 || size > MAX_PLAIN_BYTES)
            die("size must be 1..%d at '%s'", MAX_PLAIN_BYTES, p);
        if (*end == ':') {
            p = end + 1;
            weight = strtod(p, &end);
            if (end == p || !(weight > 0))
                die("weight must be above 0 at '%s'", p);
        }
        s->size[s->n] = (int)size;
        s->weight[s->n++] = weight;
        if (*end == 0)
            return;
        if (*end != ',')
            die("expected ',' at '%s'", end);
        p = end + 1;
    }
}

/* Spread the sizes by their weights: each turn the one furthest behind. */
static void
seq_init(struct seq *q, const struct sizes *s)
{
    double behind[MAX_SIZES] = { 0 }, sum = 0;
    size_t bytes = 0;

    for (int i = 0; i < s->n; i++)
        sum += s->weight[i];
    q->size = must_alloc(RING_MAX_FRAMES * sizeof(int));
    for (q->n = 0; q->n < RING_MAX_FRAMES && bytes < RING_BYTES; q->n++) {
        int best = 0;

        for (int i = 0; i < s->n; i++) {
            behind[i] += s->weight[i] / sum;
            if (behind[i] > behind[best])
                best = i;
        }
        behind[best] -= 1;
        q->size[q->n] = s->size[best];
        bytes += LEN_BYTES + (size_t)s->size[best] + TAG_BYTES;
    }
}

static void
cipher_init(struct cipher *c, const EVP_CIPHER *alg, bool encrypts)
{
    c->ctx = EVP_CIPHER_CTX_new();
    c->encrypts = encrypts;
    if (c->ctx == NULL ||
        !EVP_CipherInit_ex2(c->ctx, alg, NULL, NULL, encrypts, NULL))
        die("EVP_CipherInit_ex2");
}

static void
cipher_start(struct cipher *c, enum rekey rekey, const uint8_t *key,
             uint64_t nonce)
{
    uint8_t iv[12] = { 0 };

    for (int i = 0; i < 8; i++)
        iv[4 + i] = (uint8_t)(nonce >> (8 * i));
    if (rekey == REKEY_NONCE && c->keyed)
        key = NULL;
    if (!EVP_CipherInit_ex2(c->ctx, NULL, key, iv, -1, NULL))
        die("cannot set key and nonce");
    c->keyed = true;
}

static void
cipher_update(struct cipher *c, uint8_t *dst, const uint8_t *src, size_t n)
{
    int done;

    if (!EVP_CipherUpdate(c->ctx, dst, &done, src, (int)n) ||
        (size_t)done != n)
        die("EVP_CipherUpdate");
}

static void
cipher_seal(struct cipher *c, uint8_t *tag)
{
    int done;

    if (!EVP_CipherFinal_ex(c->ctx, tag, &done) ||
        !EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag))
        die("cannot seal");
}

static bool
cipher_open(struct cipher *c, uint8_t *tag)
{
    uint8_t none[1];
    int done;

    return EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                               tag) &&
           EVP_CipherFinal_ex(c->ctx, none, &done);
}

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8));
}

static void
ring_init(struct bench *b, const EVP_CIPHER *alg)
{
    struct cipher c = { 0 };
    uint8_t plain[MAX_PLAIN_BYTES];
    uint8_t *p;

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = pattern(i);
    for (int i = 0; i < b->in.n; i++)
        b->ring_bytes += LEN_BYTES + (size_t)b->in.size[i] + TAG_BYTES;
    p = b->ring = must_alloc(b->ring_bytes);
    cipher_init(&c, alg, true);
    for (int i = 0; i < b->in.n; i++) {
        size_t n = (size_t)b->in.size[i];

        p[0] = (uint8_t)((n + TAG_BYTES) >> 8);
        p[1] = (uint8_t)(n + TAG_BYTES);
        cipher_start(&c, REKEY_FRAME, in_key, (uint64_t)i);
        cipher_update(&c, p + LEN_BYTES, plain, n);
        cipher_seal(&c, p + LEN_BYTES + n);
        p += LEN_BYTES + n + TAG_BYTES;
    }
    EVP_CIPHER_CTX_free(c.ctx);
}

static bool
send_all(int fd, const uint8_t *p, size_t n, uint64_t *n_sends)
{
    while (n > 0) {
        ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

        if (r < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        ++*n_sends;
        p += r;
        n -= (size_t)r;
    }
    return true;
}

static void
sleep_until(double t)
{
    struct timespec ts = { .tv_sec = (time_t)t };

    ts.tv_nsec = (long)((t - (double)ts.tv_sec) * 1e9);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void *
feed(void *arg)
{
    struct conn *c = arg;
    struct bench *b = c->bench;
    const struct conf *f = &b->conf;
    double next = now_s(CLOCK_MONOTONIC);
    uint64_t sends = 0;

    for (size_t at = 0;; at = at == b->ring_bytes ? 0 : at) {
        size_t n = b->ring_bytes - at;

        if (n > (size_t)f->burst_bytes)
            n = (size_t)f->burst_bytes;
        if (!send_all(c->feed_fd, b->ring + at, n, &sends))
            break;
        at += n;
        if (f->rate_mb > 0) {
            next += (double)n * f->n_conns / (f->rate_mb * 1e6);
            sleep_until(next);
        }
    }
    shutdown(c->feed_fd, SHUT_WR);
    return NULL;
}

static bool
recv_exactly(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t r = recv(fd, p, n, 0);

        if (r <= 0)
            return false;
        p += r;
        n -= (size_t)r;
    }
    return true;
}

/* Decrypt all that comes and compare it with the plaintext of the ring. */
static void
sink_check(struct conn *c)
{
    struct bench *b = c->bench;
    EVP_CIPHER *alg = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    struct cipher dec = { 0 };
    uint8_t *buf = must_alloc(MAX_FRAME_BYTES);
    int in_frame = 0;
    size_t in_at = 0;

    cipher_init(&dec, alg, false);
    while (recv_exactly(c->sink_fd, buf, LEN_BYTES)) {
        size_t n = (size_t)buf[0] << 8 | buf[1];

        if (n < TAG_BYTES)
            die("check: short frame");
        if (!recv_exactly(c->sink_fd, buf, n))
            break;
        n -= TAG_BYTES;
        cipher_start(&dec, REKEY_FRAME, out_key, c->sink_frames++);
        cipher_update(&dec, buf, buf, n);
        if (!cipher_open(&dec, buf + n))
            die("check: frame %llu does not open",
                (unsigned long long)c->sink_frames);
        for (size_t i = 0; i < n; i++) {
            if (buf[i] != pattern(in_at))
                die("check: wrong byte in frame %llu",
                    (unsigned long long)c->sink_frames);
            if (++in_at == (size_t)b->in.size[in_frame]) {
                in_at = 0;
                in_frame = (in_frame + 1) % b->in.n;
            }
        }
    }
    EVP_CIPHER_CTX_free(dec.ctx);
    EVP_CIPHER_free(alg);
    free(buf);
}

static void *
drain(void *arg)
{
    struct conn *c = arg;

    if (c->bench->conf.check) {
        sink_check(c);
        return NULL;
    }
    /* MSG_TRUNC on a TCP socket drops the bytes without copying them. */
    while (recv(c->sink_fd, NULL, 1u << 20, MSG_TRUNC) > 0)
        ;
    return NULL;
}

static bool
out_send(struct bench *b, struct conn *c, const uint8_t *p, size_t n)
{
    return n == 0 || send_all(c->out_fd, p, n, &b->sends);
}

static void
put_len(uint8_t *p, size_t n)
{
    p[0] = (uint8_t)((n + TAG_BYTES) >> 8);
    p[1] = (uint8_t)(n + TAG_BYTES);
}

static size_t
encrypt_frame(struct bench *b, struct conn *c, uint8_t *dst,
              const uint8_t *src, size_t n)
{
    const struct conf *f = &b->conf;
    /* The header a relay would write lies elsewhere: same bytes, own line. */
    uint8_t head[YAMUX_HEADER_BYTES];

    cipher_start(&b->enc, f->rekey, out_key, c->out_nonce++);
    if (f->header == HEADER_SPLIT && n > sizeof head) {
        memcpy(head, src, sizeof head);
        cipher_update(&b->enc, dst + LEN_BYTES, head, sizeof head);
        cipher_update(&b->enc, dst + LEN_BYTES + sizeof head,
                      src + sizeof head, n - sizeof head);
    } else {
        cipher_update(&b->enc, dst + LEN_BYTES, src, n);
    }
    put_len(dst, n);
    cipher_seal(&b->enc, dst + LEN_BYTES + n);
    b->frames_out++;
    return LEN_BYTES + n + TAG_BYTES;
}

static void
decrypt_frame(struct bench *b, struct conn *c, uint8_t *dst, uint8_t *src,
              size_t n)
{
    cipher_start(&b->dec, b->conf.rekey, in_key, c->in_nonce);
    cipher_update(&b->dec, dst, src, n);
    if (!cipher_open(&b->dec, src + n))
        die("a frame does not open");
    if (++c->in_nonce == (uint64_t)b->in.n)
        c->in_nonce = 0;
    b->frames_in++;
    b->bytes += n;
}

/* Length of the whole frame at `p`, or 0 when it is not all there. */
static size_t
frame_at(const uint8_t *p, size_t n)
{
    size_t len;

    if (n < LEN_BYTES)
        return 0;
    len = LEN_BYTES + ((size_t)p[0] << 8 | p[1]);
    if (len < LEN_BYTES + TAG_BYTES)
        die("a frame without a tag");
    return len <= n ? len : 0;
}

/* One frame out for each in. Returns bytes used, or -1 when the sink is gone. */
static ssize_t
relay_frames(struct bench *b, struct conn *c, uint8_t *buf, size_t n)
{
    const struct conf *f = &b->conf;
    size_t used = 0, n_out = 0, len;

    while ((len = frame_at(buf + used, n - used)) != 0) {
        uint8_t *body = buf + used + LEN_BYTES;
        size_t plain = len - LEN_BYTES - TAG_BYTES;
        uint8_t *clear = f->place == PLACE_PLAIN ? b->plain : body;
        uint8_t *dst = f->place == PLACE_SAME ? buf + used : b->outbuf + n_out;

        decrypt_frame(b, c, clear, body, plain);
        n_out += encrypt_frame(b, c, dst, clear, plain);
        used += len;
        if (f->flush == FLUSH_FRAME) {
            if (!out_send(b, c, dst, len))
                return -1;
            n_out = 0;
        }
    }
    if (!out_send(b, c, f->place == PLACE_SAME ? buf : b->outbuf, n_out))
        return -1;
    return (ssize_t)used;
}

/* Frames of other sizes out: the plaintext is laid end to end between. */
static ssize_t
relay_rechunked(struct bench *b, struct conn *c, uint8_t *buf, size_t n)
{
    size_t used = 0, n_out = 0, n_clear = c->n_carry, at = 0, len;

    memcpy(b->plain, c->carry, c->n_carry);
    while ((len = frame_at(buf + used, n - used)) != 0) {
        size_t plain = len - LEN_BYTES - TAG_BYTES;

        decrypt_frame(b, c, b->plain + n_clear, buf + used + LEN_BYTES, plain);
        n_clear += plain;
        used += len;
    }
    while (n_clear - at >= (size_t)b->out.size[c->out_at]) {
        size_t plain = (size_t)b->out.size[c->out_at];

        n_out += encrypt_frame(b, c, b->outbuf + n_out, b->plain + at, plain);
        at += plain;
        c->out_at = (c->out_at + 1) % (size_t)b->out.n;
        if (b->conf.flush == FLUSH_FRAME) {
            if (!out_send(b, c, b->outbuf, n_out))
                return -1;
            n_out = 0;
        }
    }
    c->n_carry = n_clear - at;
    memcpy(c->carry, b->plain + at, c->n_carry);
    return out_send(b, c, b->outbuf, n_out) ? (ssize_t)used : -1;
}

/* One recv and all that follows from it; false when a side is gone. */
static bool
turn(struct bench *b, struct conn *c)
{
    const struct conf *f = &b->conf;
    uint8_t *buf = b->scratch;
    size_t room = f->scratch_bytes - c->n_part, n;
    ssize_t r, used;

    if (f->n_conns > 1)
        memcpy(buf, c->part, c->n_part);
    r = recv(c->in_fd, buf + c->n_part, room, 0);
    if (r < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (r <= 0)
        return false;
    b->recvs++;
    n = c->n_part + (size_t)r;
    used = f->rechunk ? relay_rechunked(b, c, buf, n)
                      : relay_frames(b, c, buf, n);
    if (used < 0)
        return false;
    c->n_part = n - (size_t)used;
    if (f->n_conns > 1)
        memcpy(c->part, buf + used, c->n_part);
    else
        memmove(buf, buf + used, c->n_part);
    return true;
}

struct result {
    double wall_s, cpu_s, user_s, sys_s;
    uint64_t bytes, frames_in, frames_out, recvs, sends;
};

static double
tv_s(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

static void
mark(const struct bench *b, struct result *r)
{
    struct rusage u;

    getrusage(RUSAGE_THREAD, &u);
    *r = (struct result){
        .wall_s = now_s(CLOCK_MONOTONIC),
        .cpu_s = now_s(CLOCK_THREAD_CPUTIME_ID),
        .user_s = tv_s(u.ru_utime),
        .sys_s = tv_s(u.ru_stime),
        .bytes = b->bytes,
        .frames_in = b->frames_in,
        .frames_out = b->frames_out,
        .recvs = b->recvs,
        .sends = b->sends,
    };
}

static void
loop(struct bench *b, struct result *from, struct result *to)
{
    struct epoll_event ev[MAX_CONNS];
    int ep = -1;
    double start = now_s(CLOCK_MONOTONIC),
           end = start + WARMUP_S + b->conf.seconds;
    bool warm = false;

    if (b->conf.n_conns > 1) {
        ep = epoll_create1(EPOLL_CLOEXEC);
        for (int i = 0; i < b->conf.n_conns; i++) {
            struct epoll_event e = { .events = EPOLLIN,
                                     .data.ptr = &b->conn[i] };

            if (epoll_ctl(ep, EPOLL_CTL_ADD, b->conn[i].in_fd, &e) != 0)
                die("epoll_ctl");
        }
    }
    for (;;) {
        double t = now_s(CLOCK_MONOTONIC);

        if (!warm && t >= start + WARMUP_S) {
            mark(b, from);
            warm = true;
        }
        if (t >= end || (warm && b->bytes - from->bytes >= b->conf.max_bytes))
            break;
        if (ep < 0) {
            if (!turn(b, &b->conn[0]))
                break;
            continue;
        }
        if (b->conf.nap_us > 0)
            sleep_until(now_s(CLOCK_MONOTONIC) + b->conf.nap_us * 1e-6);
        int n = epoll_wait(ep, ev, MAX_CONNS, 1000);

        for (int i = 0; i < n; i++)
            if (!turn(b, ev[i].data.ptr))
                goto out;
    }
out:
    if (!warm)
        die("a side closed before the measurement began");
    mark(b, to);
    if (ep >= 0)
        close(ep);
}

static void
socket_pair(int *a, int *z, bool window)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int one = 1, big = 4 << 20;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (l < 0 || bind(l, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        listen(l, 1) != 0 || getsockname(l, (struct sockaddr *)&sa, &len) != 0)
        die("cannot listen on loopback");
    *a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*a < 0 || connect(*a, (struct sockaddr *)&sa, sizeof sa) != 0)
        die("cannot connect on loopback");
    *z = accept(l, NULL, NULL);
    if (*z < 0)
        die("accept");
    close(l);
    setsockopt(*a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(*z, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (window) {
        setsockopt(*z, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
        setsockopt(*a, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    }
}

static void
conn_open(struct bench *b, struct conn *c)
{
    c->bench = b;
    socket_pair(&c->feed_fd, &c->in_fd, b->conf.window);
    socket_pair(&c->out_fd, &c->sink_fd, b->conf.window);
    c->part = must_alloc(MAX_FRAME_BYTES);
    c->carry = must_alloc(MAX_FRAME_BYTES);
    if (pthread_create(&c->feeder, NULL, feed, c) != 0 ||
        pthread_create(&c->sink, NULL, drain, c) != 0)
        die("pthread_create");
}

static void
conn_close(struct conn *c)
{
    struct linger now = { .l_onoff = 1 };

    /* The feeder is stopped by a reset, the sink by an end of file. */
    setsockopt(c->in_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->in_fd);
    shutdown(c->out_fd, SHUT_RDWR);
    close(c->out_fd);
    pthread_join(c->feeder, NULL);
    pthread_join(c->sink, NULL);
    close(c->feed_fd);
    close(c->sink_fd);
    free(c->part);
    free(c->carry);
}

static void
report(const struct conf *f, const struct result *a, const struct result *z)
{
    double cpu = z->cpu_s - a->cpu_s, wall = z->wall_s - a->wall_s;
    double bytes = (double)(z->bytes - a->bytes),
           frames = (double)(z->frames_in - a->frames_in);
    double per_cpu = cpu > 0 ? bytes / cpu / 1e6 : 0;

    if (f->json) {
        printf("{\"bytes\": %.0f, \"wall_s\": %.6f, \"cpu_s\": %.6f, "
               "\"user_s\": %.3f, "
               "\"sys_s\": %.3f, \"frames_in\": %.0f, \"frames_out\": %.0f, "
               "\"recvs\": %.0f, \"sends\": %.0f, \"mb_per_cpu_s\": %.2f}\n",
               bytes, wall, cpu, z->user_s - a->user_s, z->sys_s - a->sys_s,
               frames, (double)(z->frames_out - a->frames_out),
               (double)(z->recvs - a->recvs), (double)(z->sends - a->sends),
               per_cpu);
        return;
    }
    printf("%.1f MB per CPU-second  (%.1f MB in %.2f s, %.0f %% of a core, "
           "user %.0f %%; "
           "%.0f bytes per recv, %.0f per send, %.2f us per frame)\n",
           per_cpu, bytes / 1e6, wall, 100 * cpu / wall,
           100 * (z->user_s - a->user_s) / (cpu > 0 ? cpu : 1),
           bytes / (double)(z->recvs - a->recvs + 1),
           bytes / (double)(z->sends - a->sends + 1),
           1e6 * cpu / (frames > 0 ? frames : 1));
}

static const char usage[] =
    "usage: bareloop [options]\n"
    "Relay Noise frames over loopback TCP for a moment, one thread, nothing "
    "but\n"
    "recv, decrypt, encrypt, send; print plaintext bytes per CPU-second of "
    "that thread.\n"
    "\n"
    "  --in SIZES        plaintext bytes per frame received: N or "
    "N:WEIGHT,... (16396)\n"
    "  --out SIZES       the same for frames sent (as --in: frame by frame)\n"
    "  --seconds S       how long to measure, 0.1..60 (2)\n"
    "  --bytes N         stop after so many bytes, if sooner (64 GiB)\n"
    "  --conns N         pairs of connections, 1..64; above 1 with epoll (1)\n"
    "  --scratch N       bytes of the receive buffer, 65537..4194304 "
    "(262144)\n"
    "  --place WHERE     same: encrypt where it was decrypted; out: decrypt "
    "in place,\n"
    "                    encrypt into an out-buffer; plain: decrypt elsewhere "
    "too (out)\n"
    "  --header HOW      join: one update a frame; split: 12-byte header, "
    "then body (join)\n"
    "  --rekey HOW       frame: key and nonce a frame; nonce: the nonce alone "
    "(frame)\n"
    "  --flush HOW       batch: one send per recv; frame: one send per frame "
    "(batch)\n"
    "  --rate MB         feed so many MB/s in all, 0: as fast as it goes (0)\n"
    "  --burst N         bytes per send of the feeder (262144)\n"
    "  --nap US          with several conns: sleep between turns, 0..10000 "
    "(0)\n"
    "  --window          fixed 4 MiB socket buffers instead of the kernel's "
    "own choice\n"
    "  --check           decrypt and compare what comes out (slow; the figure "
    "is void)\n"
    "  --json            print JSON\n";

static long
arg_int(const char *name, const char *text, long lo, long hi)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (end == text || *end != 0 || v < lo || v > hi)
        die("--%s must be %ld..%ld, not '%s'", name, lo, hi, text);
    return v;
}

static double
arg_real(const char *name, const char *text, double lo, double hi)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(text, &end);
    if (end == text || *end != 0 || !(v >= lo && v <= hi))
        die("--%s must be %g..%g, not '%s'", name, lo, hi, text);
    return v;
}

/* Index of `text` among `a|b|c`. */
static int
arg_word(const char *name, const char *text, const char *words)
{
    int i = 0;

    errno = 0;
    for (const char *p = words; *p != 0; i++) {
        size_t n = strcspn(p, "|");

        if (strlen(text) == n && memcmp(text, p, n) == 0)
            return i;
        p += n + (p[n] == '|');
    }
    die("--%s must be %s, not '%s'", name, words, text);
    return 0;
}

static void
conf_parse(struct conf *f, int argc, char **argv)
{
    static const struct option opts[] = {
        { "in", 1, NULL, 'i' },      { "out", 1, NULL, 'o' },
        { "seconds", 1, NULL, 's' }, { "bytes", 1, NULL, 'b' },
        { "conns", 1, NULL, 'c' },   { "scratch", 1, NULL, 'S' },
        { "place", 1, NULL, 'p' },   { "header", 1, NULL, 'H' },
        { "rekey", 1, NULL, 'k' },   { "flush", 1, NULL, 'f' },
        { "rate", 1, NULL, 'r' },    { "burst", 1, NULL, 'B' },
        { "nap", 1, NULL, 'n' },     { "window", 0, NULL, 'w' },
        { "check", 0, NULL, 'C' },   { "json", 0, NULL, 'j' },
        { "help", 0, NULL, 'h' },    { NULL, 0, NULL, 0 },
    };
    const char *in = "16396", *out = NULL;
    int o;

    *f = (struct conf){ .seconds = 2,
                        .max_bytes = 64ull << 30,
                        .n_conns = 1,
                        .scratch_bytes = 256 << 10,
                        .burst_bytes = 256 << 10,
                        .place = PLACE_OUT };
    while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
        switch (o) {
        case 'i':
            in = optarg;
            break;
        case 'o':
            out = optarg;
            break;
        case 's':
            f->seconds = arg_real("seconds", optarg, 0.1, 60);
            break;
        case 'b':
            f->max_bytes = (uint64_t)arg_int("bytes", optarg, 1, 1L << 40);
            break;
        case 'c':
            f->n_conns = (int)arg_int("conns", optarg, 1, MAX_CONNS);
            break;
        case 'S':
            f->scratch_bytes = (size_t)arg_int(
                "scratch", optarg, MAX_FRAME_BYTES, MAX_SCRATCH_BYTES);
            break;
        case 'p':
            f->place = (enum place)arg_word("place", optarg, "same|out|plain");
            break;
        case 'H':
            f->header = (enum header)arg_word("header", optarg, "join|split");
            break;
        case 'k':
            f->rekey = (enum rekey)arg_word("rekey", optarg, "frame|nonce");
            break;
        case 'f':
            f->flush = (enum flush)arg_word("flush", optarg, "batch|frame");
            break;
        case 'r':
            f->rate_mb = arg_real("rate", optarg, 0, 1e5);
            break;
        case 'B':
            f->burst_bytes = (int)arg_int("burst", optarg, 1, 16 << 20);
            break;
        case 'n':
            f->nap_us = (int)arg_int("nap", optarg, 0, 10000);
            break;
        case 'w':
            f->window = true;
            break;
        case 'C':
            f->check = true;
            break;
        case 'j':
            f->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc)
        die("no such argument: '%s'", argv[optind]);
    sizes_parse(&f->in, in);
    sizes_parse(&f->out, out ? out : in);
    f->rechunk = memcmp(&f->in, &f->out, sizeof f->in) != 0;
    if (f->rechunk && f->place == PLACE_SAME)
        die("--place same needs frames of one size in and out");
    if (f->rekey == REKEY_NONCE && f->n_conns > 1)
        die("--rekey nonce needs --conns 1: contexts are shared");
}

int
main(int argc, char **argv)
{
    static struct bench bench;
    struct bench *b = &bench;
    struct result from, to;
    EVP_CIPHER *alg;

    conf_parse(&b->conf, argc, argv);
    alarm((unsigned)b->conf.seconds + 10);
    /* Sleep as long as asked; the kernel's slack is 50 us. */
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    alg = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (alg == NULL)
        die("this OpenSSL has no ChaCha20-Poly1305");
    seq_init(&b->in, &b->conf.in);
    seq_init(&b->out, &b->conf.out);
    ring_init(b, alg);
    cipher_init(&b->dec, alg, false);
    cipher_init(&b->enc, alg, true);
    b->scratch = must_alloc(b->conf.scratch_bytes);
    /* Frames of one byte out grow nineteenfold; nobody relays those in bulk. */
    b->outbuf_bytes = b->conf.scratch_bytes + MAX_FRAME_BYTES;
    if (b->conf.rechunk)
        b->outbuf_bytes = 19 * (b->conf.scratch_bytes + MAX_FRAME_BYTES);
    b->outbuf = must_alloc(b->outbuf_bytes);
    b->plain = must_alloc(b->conf.scratch_bytes + MAX_FRAME_BYTES);
    for (int i = 0; i < b->conf.n_conns; i++)
        conn_open(b, &b->conn[i]);
    loop(b, &from, &to);
    for (int i = 0; i < b->conf.n_conns; i++)
        conn_close(&b->conn[i]);
    report(&b->conf, &from, &to);
    EVP_CIPHER_CTX_free(b->dec.ctx);
    EVP_CIPHER_CTX_free(b->enc.ctx);
    EVP_CIPHER_free(alg);
    free(b->scratch);
    free(b->plain);
    free(b->outbuf);
    free(b->ring);
    free(b->in.size);
    free(b->out.size);
    return 0;
}
