/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Two yamux sessions against each other, at random, beside a model.
 *
 * The bytes of each direction of each stream are a function of stream, side
 * and offset, so each is checked where it arrives.  After each seed both
 * sides agree on every window; then all is wound down, and nothing is left.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "wire/yamux/yamux.h"

#define N_SEEDS 200
#define N_STEPS 600
#define MAX_STREAMS 24

/* More than all windows can hold, headers and refusals included. */
#define LINK_BYTES (24u << 20)

/* What the test knows of a stream, at one of its ends. */
struct end {
    struct adit_yamux_stream *s;
    uint64_t n_sent; /* what we put on the link */
    uint64_t n_received;
    uint64_t n_consumed; /* of the received */
    bool is_ours, has_fin, is_dead;
};

struct side {
    struct adit_mem mem;
    struct adit_yamux y;
    bool is_client;
    struct side *peer;
    struct end ends[MAX_STREAMS]; /* s NULL: free */
    uint8_t *link;                /* bytes on their way to this side */
    size_t n_link;
    unsigned n_goaways;
};

static uint8_t links[2][LINK_BYTES];
static uint64_t chance;  /* xorshift64 */
static uint64_t n_moved; /* bytes that arrived, in all seeds */
static unsigned n_grown, n_rtts, n_windows;
static struct adit_instant now;
static char seed_text[24];
static bool is_heavy; /* few streams that live long and carry much */

/* 0 .. n-1 */
static uint32_t
pick(uint32_t n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)((chance >> 11) % n);
}

static uint8_t
byte_of(uint32_t id, bool by_client, uint64_t at)
{
    uint64_t z = (at >> 3) * UINT64_C(0x9e3779b97f4a7c15) + id +
                 (by_client ? UINT64_C(0x5555000000000000) : 0);

    z = (z ^ (z >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint8_t)(z >> (at & 7) * 8);
}

static void
put(struct side *to, const void *p, size_t n)
{
    assert_true(to->n_link + n <= LINK_BYTES);
    memcpy(to->link + to->n_link, p, n);
    to->n_link += n;
}

static void
flush(struct side *m)
{
    uint8_t buf[100];
    size_t n;

    while ((n = adit_yamux_out(&m->y, buf, sizeof(buf))) > 0)
        put(m->peer, buf, n);
}

static struct end *
track(struct side *m, struct adit_yamux_stream *s, bool is_ours)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (m->ends[i].s == NULL) {
            m->ends[i] = (struct end){ .s = s, .is_ours = is_ours };
            s->user = &m->ends[i];
            return &m->ends[i];
        }
    }
    return NULL;
}

static void
release(struct side *m, struct end *e)
{
    adit_yamux_release(&m->y, e->s);
    e->s = NULL;
}

static void
on_data(struct side *m, struct end *e, struct adit_mslice d)
{
    assert_true(d.n > 0);
    assert_false(e->has_fin || e->is_dead);
    for (size_t i = 0; i < d.n; i++)
        if (d.p[i] != byte_of(e->s->id, !m->is_client, e->n_received + i))
            fail_msg("a wrong byte at %zu", (size_t)e->n_received + i);
    e->n_received += d.n;
    n_moved += d.n;
}

static void
drain(struct side *m)
{
    struct adit_yamux_event ev;

    while (adit_yamux_next(&m->y, &ev) == ADIT_OK) {
        struct end *e = ev.stream != NULL ? ev.stream->user : NULL;

        switch (ev.type) {
        case ADIT_YAMUX_OPEN:
            if (track(m, ev.stream, false) == NULL || pick(30) == 0) {
                e = ev.stream->user;
                if (e != NULL)
                    e->s = NULL;
                adit_yamux_release(&m->y, ev.stream);
            }
            break;
        case ADIT_YAMUX_DATA:
            on_data(m, e, ev.data);
            if (pick(3) == 0) {
                adit_yamux_consumed(
                    &m->y, e->s, (size_t)(e->n_received - e->n_consumed), now);
                e->n_consumed = e->n_received;
            }
            if (pick(200) == 0)
                release(m, e); /* in the middle of it all */
            break;
        case ADIT_YAMUX_WINDOW:
            assert_true(ev.stream->send_window > 0);
            n_windows++;
            break;
        case ADIT_YAMUX_FIN:
            assert_false(e->has_fin || e->is_dead);
            e->has_fin = true;
            break;
        case ADIT_YAMUX_RESET:
            assert_false(e->is_dead);
            e->is_dead = true;
            break;
        case ADIT_YAMUX_RTT:
            n_rtts++;
            break;
        case ADIT_YAMUX_GOAWAY:
            m->n_goaways++;
            break;
        }
    }
}

/* Up to `n` bytes of what is on the link arrive, in pieces. */
static void
arrive(struct side *m, size_t n)
{
    size_t at = 0;

    n = ADIT_MIN(n, m->n_link);
    while (at < n) {
        size_t k = 1 + pick(pick(2) ? 20 : 100000);
        struct adit_mslice in = { m->link + at, ADIT_MIN(k, n - at) };
        size_t used;
        adit_err e = adit_yamux_feed(&m->y, in, now, &used);

        if (e != ADIT_OK)
            fail_msg("failed: %s", adit_yamux_why(&m->y, NULL));
        drain(m);
        if (used == 0)
            flush(m);
        at += used;
    }
    m->n_link -= n;
    memmove(m->link, m->link + n, m->n_link);
}

static void
send(struct side *m, struct end *e, size_t want)
{
    static uint8_t body[ADIT_YAMUX_MAX_BODY_BYTES];
    uint8_t hdr[ADIT_YAMUX_HEADER_BYTES];
    uint32_t before = e->s->send_window;
    uint32_t n = adit_yamux_send(&m->y, e->s, want, hdr);

    assert_true(n <= want && n <= before && n <= sizeof(body));
    if (n == 0)
        return;
    assert_int_equal(e->s->send_window, before - n);
    for (uint32_t i = 0; i < n; i++)
        body[i] = byte_of(e->s->id, m->is_client, e->n_sent + i);
    e->n_sent += n;
    put(m->peer, hdr, sizeof(hdr));
    put(m->peer, body, n);
}

static struct end *
any_end(struct side *m)
{
    struct end *e = &m->ends[pick(MAX_STREAMS)];

    return e->s != NULL ? e : NULL;
}

static void
step(struct side *m)
{
    struct end *e = is_heavy ? &m->ends[pick(2)] : any_end(m);
    struct adit_yamux_stream *s;
    uint32_t what = pick(100);

    if (e != NULL && e->s == NULL)
        e = NULL;
    if (is_heavy && what >= 40 && what < 47 && pick(8) != 0)
        return;
    now = adit_instant_add(now, pick(20000));
    if (what < 8) {
        adit_err err = adit_yamux_open(&m->y, &s);

        if (err != ADIT_OK)
            assert_int_equal(err, ADIT_ELIMIT);
        else if (track(m, s, true) == NULL)
            adit_yamux_release(&m->y, s);
    } else if (what < 40 && e != NULL) {
        send(m, e, 1 + pick(pick(4) && !is_heavy ? 3000 : 300000));
    } else if (what < 44 && e != NULL) {
        adit_yamux_fin(&m->y, e->s);
    } else if (what < 45 && e != NULL) {
        adit_yamux_reset(&m->y, e->s, pick(9));
        e->is_dead = true;
    } else if (what < 47 && e != NULL) {
        release(m, e);
    } else if (what < 60 && e != NULL) {
        uint64_t n = e->n_received - e->n_consumed;

        n = n > 0 ? 1 + pick((uint32_t)n) : 0;
        e->n_consumed += n;
        adit_yamux_consumed(&m->y, e->s, (size_t)n, now);
    } else if (what < 62) {
        adit_yamux_ping(&m->y, now);
    } else if (what < 80) {
        flush(m);
    } else {
        arrive(m, pick(pick(3) ? 100 : 400000));
    }
}

static void
settle(struct side *a, struct side *b)
{
    do {
        flush(a);
        flush(b);
        arrive(a, SIZE_MAX);
        arrive(b, SIZE_MAX);
    } while (a->n_link > 0 || b->n_link > 0 || adit_yamux_has_out(&a->y) ||
             adit_yamux_has_out(&b->y));
}

static struct end *
other_end(const struct side *m, const struct end *e)
{
    for (size_t i = 0; i < MAX_STREAMS; i++)
        if (m->peer->ends[i].s != NULL && m->peer->ends[i].s->id == e->s->id)
            return &m->peer->ends[i];
    return NULL;
}

/* Nothing is on the way: both ends must have the same idea of everything. */
static void
compare(struct side *m)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        struct end *e = &m->ends[i], *o;
        bool is_cut;

        if (e->s == NULL)
            continue;
        o = other_end(m, e);
        n_grown += e->s->recv_cap > ADIT_YAMUX_INITIAL_WINDOW;
        is_cut = e->is_dead || (o != NULL && o->is_dead);
        if (is_cut || o == NULL)
            continue;
        assert_int_equal(e->n_sent, o->n_received);
        if (!o->has_fin) /* else credit is no longer sent */
            assert_int_equal(e->s->send_window, o->s->recv_window);
        assert_int_equal(o->has_fin, !adit_yamux_is_writable(e->s));
        assert_int_equal(o->s->recv_window + o->s->consumed + o->n_received -
                             o->n_consumed,
                         o->s->recv_cap);
    }
}

static void
begin(struct side *m, struct side *peer, bool is_client, uint32_t window)
{
    const struct adit_yamux_config cfg = {
        .is_client = is_client,
        .max_streams = is_heavy ? 2 : 16,
        .window_max_bytes = window,
    };

    *m = (struct side){ .peer = peer, .is_client = is_client };
    m->link = links[is_client];
    adit_mem_init(&m->mem, NULL, SIZE_MAX);
    adit_yamux_init(&m->y, &m->mem, &cfg, now);
}

static void
end_all(struct side *m)
{
    for (size_t i = 0; i < MAX_STREAMS; i++)
        if (m->ends[i].s != NULL)
            release(m, &m->ends[i]);
}

static void
run(uint64_t seed)
{
    static struct side a, b;

    chance = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    now.us = 1000;
    is_heavy = seed % 2 == 1;
    begin(&a, &b, true, 256u << 10 << pick(4));
    begin(&b, &a, false, 256u << 10 << pick(4));
    for (unsigned i = 0; i < N_STEPS; i++) {
        step(pick(2) ? &a : &b);
        if (i % 200 == 199) {
            settle(&a, &b);
            compare(&a);
            compare(&b);
        }
    }
    settle(&a, &b);
    compare(&a);
    compare(&b);
    end_all(&a);
    settle(&a, &b);
    end_all(&b);
    settle(&a, &b);
    assert_int_equal(a.y.n_streams, 0);
    assert_int_equal(b.y.n_streams, 0);
    assert_int_equal(a.mem.used_bytes, 0); /* without any fini */
    assert_int_equal(b.mem.used_bytes, 0);
    adit_yamux_fini(&a.y);
    adit_yamux_fini(&b.y);
    assert_int_equal(a.n_goaways + b.n_goaways, 0);
}

static void
test_seeds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        /* cmocka's failure ends the test: tell the seed beforehand. */
        snprintf(seed_text, sizeof(seed_text), "seed %u", (unsigned)seed);
        run(seed);
    }
    /* The dice are worth something only if they fall on all sides. */
    print_message("%u KiB, %u RTTs, %u windows opened, %u grown\n",
                  (unsigned)(n_moved >> 10), n_rtts, n_windows, n_grown);
    assert_true(n_moved > 50u << 20);
    assert_true(n_rtts > 100 && n_windows > 100 && n_grown > 100);
}

static int
tell_seed(void **state)
{
    (void)state;
    print_message("the last was %s\n", seed_text);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_seeds, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
