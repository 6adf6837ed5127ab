/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* yamux: scripts of frames, and what no script can say. */
#include "common.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/yamux/yamux.h"
#include "yamux_scripts.h"

#define KEEPALIVE_S 30
#define PONG_S 10

#define MAX_TEST_STREAMS 3

struct run {
    struct adit_mem mem;
    struct adit_yamux y;
    struct adit_instant now;
    size_t piece; /* 0: whole */
    /* What has come. */
    char events[4096];
    size_t n_events;
    uint32_t data_id;
    size_t data_n;
    /* What has left. */
    uint8_t out[8192];
    size_t n_out;
    struct adit_yamux_stream *s[16]; /* by id */
};

static void
start(struct run *r, int role, size_t piece)
{
    const struct adit_yamux_config cfg = {
        .is_client = role == CLIENT,
        .max_streams = MAX_TEST_STREAMS,
        .keepalive_us = KEEPALIVE_S * ADIT_S,
        .pong_us = PONG_S * ADIT_S,
    };

    memset(r, 0, sizeof(*r));
    adit_mem_init(&r->mem, NULL, SIZE_MAX);
    r->now.us = 1000;
    r->piece = piece;
    adit_yamux_init(&r->y, &r->mem, &cfg, r->now);
}

static void
stop(struct run *r)
{
    adit_yamux_fini(&r->y);
    assert_int_equal(r->mem.used_bytes, 0);
}

/* "name", "name id" or "name id value", one behind the other. */
static void
add_event(struct run *r, const char *name, uint32_t id, const char *value)
{
    size_t room = sizeof(r->events) - r->n_events;
    char id_text[12] = "";
    int k;

    if (id != 0)
        snprintf(id_text, sizeof(id_text), " %u", (unsigned)id);
    k = snprintf(r->events + r->n_events, room, "%s%s%s%s",
                 r->n_events > 0 ? "; " : "", name, id_text, value);
    assert_true(k > 0 && (size_t)k < room);
    r->n_events += (size_t)k;
}

/* Pieces of bodies that lie together are one event to a script. */
static void
flush_data(struct run *r)
{
    char value[24];

    snprintf(value, sizeof(value), " %zu", r->data_n);
    if (r->data_n > 0)
        add_event(r, "data", r->data_id, value);
    r->data_n = 0;
}

static void
drain_events(struct run *r)
{
    struct adit_yamux_event ev;

    while (adit_yamux_next(&r->y, &ev) == ADIT_OK) {
        uint32_t id = ev.stream != NULL ? ev.stream->id : 0;
        char code[16];

        if (ev.type == ADIT_YAMUX_DATA) {
            if (id != r->data_id)
                flush_data(r);
            r->data_id = id;
            r->data_n += ev.data.n;
            assert_true(ev.data.n > 0);
            continue;
        }
        flush_data(r);
        snprintf(code, sizeof(code), " %#x", ev.code);
        switch (ev.type) {
        case ADIT_YAMUX_OPEN:
            r->s[id] = ev.stream;
            add_event(r, "open", id, "");
            break;
        case ADIT_YAMUX_FIN:
            add_event(r, "fin", id, "");
            break;
        case ADIT_YAMUX_WINDOW:
            add_event(r, "window", id, "");
            break;
        case ADIT_YAMUX_RESET:
            add_event(r, "reset", id, code);
            break;
        case ADIT_YAMUX_RTT:
            add_event(r, "rtt", 0, "");
            break;
        case ADIT_YAMUX_GOAWAY:
            add_event(r, "goaway", 0, code);
            break;
        case ADIT_YAMUX_DATA:
            break;
        }
    }
}

static void
drain_out(struct run *r)
{
    uint8_t buf[40]; /* three frames, and not quite a fourth */
    size_t n;

    while ((n = adit_yamux_out(&r->y, buf, sizeof(buf))) > 0) {
        assert_int_equal(n % ADIT_YAMUX_HEADER_BYTES, 0);
        assert_true(r->n_out + n <= sizeof(r->out));
        memcpy(r->out + r->n_out, buf, n);
        r->n_out += n;
    }
    assert_false(adit_yamux_has_out(&r->y));
}

/* "00 01 0002 +20": bytes, and a body of 20.  Returns the count. */
static size_t
parse_hex(const char *s, const char *end, uint8_t *dst, size_t cap)
{
    size_t n = 0;

    while (s < end) {
        if (*s == '+') {
            char *next;
            size_t k = strtoul(s + 1, &next, 10);

            assert_true(n + k <= cap);
            memset(dst + n, 0xab, k);
            n += k;
            s = next;
        } else if (isxdigit((unsigned char)*s)) {
            const char two[] = { s[0], s[1], 0 };

            assert_true(n < cap);
            dst[n++] = (uint8_t)strtoul(two, NULL, 16);
            s += 2;
        } else {
            s++;
        }
    }
    return n;
}

/* Feeds as a driver does; returns the first that is not ADIT_OK. */
static adit_err
feed(struct run *r, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t piece = r->piece != 0 ? ADIT_MIN(r->piece, n) : n;
        /* Long bodies in very small pieces only take time. */
        size_t k = n > 4096 ? ADIT_MAX(piece, (size_t)997) : piece;
        uint8_t *copy = exact(adit_slice(p, k));
        struct adit_mslice in = { copy, k };

        while (in.n > 0) {
            size_t used = 99;
            adit_err e = adit_yamux_feed(&r->y, in, r->now, &used);

            if (e != ADIT_OK) {
                test_free(copy);
                return e;
            }
            assert_true(used <= in.n);
            drain_events(r);
            if (used == 0) {
                assert_true(adit_yamux_has_out(&r->y));
                drain_out(r);
            }
            in.p += used;
            in.n -= used;
        }
        test_free(copy);
        p += k;
        n -= k;
    }
    return ADIT_OK;
}

static void
send_all(struct run *r, struct adit_yamux_stream *s, size_t n)
{
    while (n > 0) {
        uint8_t hdr[ADIT_YAMUX_HEADER_BYTES];
        uint32_t k = adit_yamux_send(&r->y, s, n, hdr);

        if (k == 0)
            return;
        assert_true(k <= n && k <= ADIT_YAMUX_MAX_BODY_BYTES);
        assert_int_equal(k, adit_get_be32(hdr + 8));
        memcpy(r->out + r->n_out, hdr, sizeof(hdr));
        r->n_out += sizeof(hdr);
        n -= k;
    }
}

static void
do_verb(struct run *r, const char *line)
{
    char text[32], verb[16] = "", arg[2][16] = { "", "" };
    struct adit_yamux_stream *s;
    unsigned long id, n;

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
    sscanf(text, "%15s %15s %15s", verb, arg[0], arg[1]);
    id = strtoul(arg[0], NULL, 10);
    n = strtoul(arg[1], NULL, 10);
    s = id < ADIT_NITEMS(r->s) ? r->s[id] : NULL;
    if (strcmp(verb, "open") == 0) {
        adit_err e = adit_yamux_open(&r->y, &s);

        if (strcmp(arg[0], "none") == 0) {
            assert_int_equal(e, ADIT_DONE);
        } else {
            assert_int_equal(e, ADIT_OK);
            r->s[s->id] = s;
        }
    } else if (strcmp(verb, "fin") == 0) {
        adit_yamux_fin(&r->y, s);
        assert_false(adit_yamux_is_writable(s));
    } else if (strcmp(verb, "release") == 0) {
        adit_yamux_release(&r->y, s);
        r->s[id] = NULL;
    } else if (strcmp(verb, "reset") == 0) {
        adit_yamux_reset(&r->y, s, (uint32_t)n);
    } else if (strcmp(verb, "send") == 0) {
        send_all(r, s, n);
    } else if (strcmp(verb, "consume") == 0) {
        adit_yamux_consumed(&r->y, s, n, r->now);
    } else if (strcmp(verb, "ping") == 0) {
        adit_yamux_ping(&r->y, r->now);
    } else if (strcmp(verb, "goaway") == 0) {
        adit_yamux_goaway(&r->y, (uint32_t)id);
    } else if (strcmp(verb, "tick") == 0) {
        bool is_end = strcmp(arg[1], "dead") == 0;

        r->now = adit_instant_add(r->now, (int64_t)id * ADIT_S);
        assert_int_equal(adit_yamux_tick(&r->y, r->now),
                         is_end ? ADIT_ETIMEDOUT : ADIT_OK);
        if (is_end)
            assert_int_equal(adit_yamux_due(&r->y).us, ADIT_NEVER.us);
        else
            assert_true(adit_yamux_due(&r->y).us > r->now.us);
    } else {
        fail_msg("no such verb: %s", verb);
    }
}

static void
check_failed(struct run *r, const char *line, size_t len)
{
    static const uint8_t goaway[] = { 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    const char *why = adit_yamux_why(&r->y, NULL);
    struct adit_yamux_stream *s;
    uint8_t x = 0;
    size_t used;

    assert_non_null(why);
    assert_true(strlen(why) == len && memcmp(why, line, len) == 0);
    r->n_out = 0;
    drain_out(r);
    assert_slice_equal(adit_slice(r->out, r->n_out), goaway, sizeof(goaway));
    r->n_out = 0;
    assert_int_equal(
        adit_yamux_feed(&r->y, (struct adit_mslice){ &x, 1 }, r->now, &used),
        ADIT_EPROTO);
    assert_int_equal(used, 0);
    assert_int_equal(adit_yamux_open(&r->y, &s), ADIT_DONE);
    assert_int_equal(adit_yamux_due(&r->y).us, ADIT_NEVER.us);
    assert_int_equal(adit_yamux_tick(&r->y, r->now), ADIT_EPROTO);
}

/* Up to `upto` bytes of input; SIZE_MAX: all, and every line is checked. */
static void
run_script(const char *script, int role, size_t piece, size_t upto)
{
    static uint8_t bytes[1 << 20];
    struct run r;
    adit_err e = ADIT_OK;

    start(&r, role, piece);
    for (const char *line = script; *line != '\0' && upto > 0;) {
        const char *end = strchr(line, '\n');
        const char *arg = line + ADIT_MIN(2, end - line);
        bool check = upto == SIZE_MAX;
        size_t n;

        switch (*line) {
        case '<':
            assert_int_equal(e, ADIT_OK);
            n = parse_hex(arg, end, bytes, sizeof(bytes));
            if (!check) {
                n = ADIT_MIN(n, upto);
                upto -= n;
            }
            e = feed(&r, bytes, n);
            break;
        case '>':
            drain_out(&r);
            n = parse_hex(arg, end, bytes, sizeof(bytes));
            if (check)
                assert_slice_equal(adit_slice(r.out, r.n_out), bytes, n);
            r.n_out = 0;
            break;
        case '=':
            flush_data(&r);
            n = (size_t)(end - arg);
            if (check && (r.n_events != n || memcmp(r.events, arg, n) != 0))
                fail_msg("came \"%s\", not \"%.*s\"", r.events, (int)n, arg);
            r.events[0] = '\0';
            r.n_events = 0;
            break;
        case '!':
            assert_int_equal(e, ADIT_EPROTO);
            e = ADIT_OK;
            if (check)
                check_failed(&r, arg, (size_t)(end - arg));
            break;
        default:
            do_verb(&r, line);
        }
        line = end + 1;
    }
    assert_int_equal(e, ADIT_OK);
    stop(&r);
}

static void
test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        for (size_t piece = 0; piece <= 40; piece++)
            run_script(cases[i].script, cases[i].role, piece, SIZE_MAX);
    }
}

/* A prefix of any length of the first input lines is waited with. */
static void
test_truncate(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        const char *lt = strchr(cases[i].script, '<');
        static uint8_t bytes[1 << 20];
        size_t n = lt == NULL ? 0
                              : parse_hex(lt + 1, strchr(lt, '\n'), bytes,
                                          sizeof(bytes));

        /* The last byte may be the one that offends. */
        for (size_t upto = 1; upto < n && upto < 200; upto++)
            run_script(cases[i].script, cases[i].role, 0, upto);
    }
}

/* ---- beside the scripts ------------------------------------------------- */

static void
test_is_small(void **state)
{
    struct run r;

    (void)state;
    assert_true(sizeof(struct adit_yamux) <= 192);
    start(&r, SERVER, 0);
    assert_int_equal(r.mem.used_bytes, 0);
    assert_int_equal(feed(&r, (const uint8_t[12]){ 0, 1, 0, 1, [7] = 1 }, 12),
                     ADIT_OK);
    assert_true(r.mem.used_bytes > 0);
    adit_yamux_release(&r.y, r.s[1]);
    drain_out(&r);
    assert_int_equal(r.mem.used_bytes, 0); /* and again none */
    stop(&r);

    memset(&r.y, 0, sizeof(r.y));
    adit_yamux_fini(&r.y);
}

static void
test_limits(void **state)
{
    struct adit_yamux_stream *s = NULL;
    struct run r;

    (void)state;
    start(&r, CLIENT, 0);
    for (int i = 0; i < MAX_TEST_STREAMS; i++)
        assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_OK);
    assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_ELIMIT);
    adit_yamux_release(&r.y, s);
    assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_OK);
    adit_yamux_release(&r.y, s);
    /* The last id there is; its SYN has bit 31 clear. */
    r.y.next_id = INT32_MAX;
    assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_OK);
    assert_int_equal(s->id, INT32_MAX);
    adit_yamux_release(&r.y, s);
    assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_ELIMIT);
    stop(&r);
}

static void
feed_data(struct run *r, uint32_t id, uint32_t n)
{
    static uint8_t body[1 << 20];
    uint8_t hdr[12] = { 0 };

    adit_put_be32(hdr + 4, id);
    adit_put_be32(hdr + 8, n);
    assert_int_equal(feed(r, hdr, sizeof(hdr)), ADIT_OK);
    assert_int_equal(feed(r, body, n), ADIT_OK);
}

/* What the one WindowUpdate that waits grants. */
static uint32_t
granted(struct run *r)
{
    uint32_t n;

    r->n_out = 0;
    drain_out(r);
    if (r->n_out == 0)
        return 0;
    assert_int_equal(r->n_out, 12);
    n = adit_get_be32(r->out + 8);
    r->n_out = 0;
    return n;
}

/* The window doubles for who uses it within four round trips; up to a cap. */
static void
test_window_grows(void **state)
{
    const struct adit_yamux_config cfg = {
        .max_streams = 8, .window_max_bytes = 640 * 1024, /* no power of two */
    };
    const uint32_t k = 1024;
    struct adit_yamux_stream *s;
    struct run r;

    (void)state;
    start(&r, SERVER, 0);
    adit_yamux_init(&r.y, &r.mem, &cfg, r.now);
    assert_int_equal(adit_yamux_due(&r.y).us, ADIT_NEVER.us);
    assert_int_equal(feed(&r, (const uint8_t[12]){ 0, 1, 0, 1, [7] = 1 }, 12),
                     ADIT_OK);
    s = r.s[1];

    /* No round trip is known: nothing grows. */
    feed_data(&r, 1, 256 * k);
    adit_yamux_consumed(&r.y, s, 128 * k, r.now);
    assert_int_equal(granted(&r), 128 * k);
    adit_yamux_consumed(&r.y, s, 128 * k, r.now);
    assert_int_equal(granted(&r), 128 * k);

    adit_yamux_ping(&r.y, r.now);
    granted(&r);
    r.now = adit_instant_add(r.now, 10 * ADIT_MS);
    assert_int_equal(feed(&r, (const uint8_t[12]){ 0, 2, 0, 2, [11] = 1 }, 12),
                     ADIT_OK);
    assert_int_equal(r.y.rtt_us, 10 * ADIT_MS);

    /* 40 ms are four round trips: too slow by nothing. */
    r.now = adit_instant_add(r.now, 30 * ADIT_MS);
    feed_data(&r, 1, 256 * k);
    adit_yamux_consumed(&r.y, s, 128 * k, r.now);
    assert_int_equal(granted(&r), 128 * k);
    /* 39 ms: doubled. */
    r.now = adit_instant_add(r.now, 39 * ADIT_MS);
    adit_yamux_consumed(&r.y, s, 128 * k, r.now);
    assert_int_equal(granted(&r), (128 + 256) * k);
    assert_int_equal(s->recv_window, 512 * k);
    /* Now half is 256 KiB; then the cap. */
    feed_data(&r, 1, 512 * k);
    adit_yamux_consumed(&r.y, s, 256 * k - 1, r.now);
    assert_int_equal(granted(&r), 0);
    adit_yamux_consumed(&r.y, s, 1, r.now);
    assert_int_equal(granted(&r), (256 + 128) * k);
    adit_yamux_consumed(&r.y, s, 256 * k, r.now);
    assert_int_equal(s->recv_window, 384 * k);
    adit_yamux_consumed(&r.y, s, 0, r.now);
    assert_int_equal(granted(&r), 0); /* 256 of 640: less than half */
    feed_data(&r, 1, 64 * k);
    adit_yamux_consumed(&r.y, s, 64 * k, r.now);
    assert_int_equal(granted(&r), 320 * k);
    assert_int_equal(s->recv_window, 640 * k);
    stop(&r);
}

/* A lower round trip is believed at once, a higher one slowly. */
static void
test_rtt(void **state)
{
    static const struct {
        uint32_t ms, want_us;
    } steps[] = {
        { 80, 80000 }, { 40, 40000 }, { 120, 50000 }, { 0, 1 /* never 0 */ }
    };
    struct run r;

    (void)state;
    start(&r, CLIENT, 0);
    for (size_t i = 0; i < ADIT_NITEMS(steps); i++) {
        adit_yamux_ping(&r.y, r.now);
        drain_out(&r);
        r.now = adit_instant_add(r.now, steps[i].ms * ADIT_MS);
        assert_int_equal(
            feed(&r,
                 (const uint8_t[12]){ 0, 2, 0, 2, [11] = (uint8_t)(i + 1) },
                 12),
            ADIT_OK);
        assert_int_equal(r.y.rtt_us, steps[i].want_us);
    }
    stop(&r);
}

/* Verbs in the middle of a frame's events: nothing more is told. */
static void
test_reset_amid_events(void **state)
{
    uint8_t in[] = { 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 4, 'a', 'b', 'c', 'd' };

    (void)state;
    for (int verb = 0; verb < 2; verb++) {
        for (size_t cut = 12; cut <= sizeof(in); cut++) {
            struct adit_yamux_event ev;
            struct run r;
            size_t used;

            start(&r, SERVER, 0);
            assert_int_equal(adit_yamux_feed(&r.y,
                                             (struct adit_mslice){ in, cut },
                                             r.now, &used),
                             ADIT_OK);
            assert_int_equal(used, cut);
            assert_int_equal(adit_yamux_next(&r.y, &ev), ADIT_OK);
            assert_int_equal(ev.type, ADIT_YAMUX_OPEN);
            if (verb == 0)
                adit_yamux_reset(&r.y, ev.stream, 1);
            else
                adit_yamux_release(&r.y, ev.stream);
            assert_int_equal(adit_yamux_next(&r.y, &ev), ADIT_AGAIN);
            /* The rest of the body, in one frame with a ping. */
            assert_int_equal(feed(&r, in + cut, sizeof(in) - cut), ADIT_OK);
            assert_int_equal(r.n_events, 0);
            assert_int_equal(
                feed(&r, (const uint8_t[12]){ 0, 2, 0, 1, [11] = 9 }, 12),
                ADIT_OK);
            drain_out(&r);
            assert_int_equal(r.n_out, 24); /* RST and pong */
            stop(&r);
        }
    }
}

/* Released in the middle of a body, its reset sent: the object is gone. */
static void
test_freed_amid_body(void **state)
{
    uint8_t in[] = { 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 'a', 'b', 'c', 'd' };
    struct run r;

    (void)state;
    start(&r, SERVER, 0);
    assert_int_equal(feed(&r, in, 14), ADIT_OK);
    adit_yamux_release(&r.y, r.s[1]);
    drain_out(&r);
    assert_int_equal(r.mem.used_bytes, 0);
    r.data_n = 0;
    assert_int_equal(feed(&r, in + 14, 2), ADIT_OK);
    assert_int_equal(r.data_n, 0);
    stop(&r);
}

/* The n-th allocation fails: that stream is refused, the session lives. */
static void
test_oom(void **state)
{
    uint8_t syn[12] = { 0, 0, 0, 1, [11] = 2 };
    uint8_t body[2] = { 0 };

    (void)state;
    for (uint64_t n = 1;; n++) {
        struct adit_yamux_stream *s;
        unsigned n_refused = 0;
        struct run r;

        start(&r, SERVER, 0);
        r.y.max_streams = 40;
        r.mem.fail_at = n;
        for (uint32_t i = 0; i < 10; i++) {
            size_t used = 99;
            adit_err e;

            adit_put_be32(syn + 4, 2 * i + 1);
            e = adit_yamux_feed(&r.y, (struct adit_mslice){ syn, 12 }, r.now,
                                &used);
            assert_int_equal(used, 12);
            if (e == ADIT_OK) {
                struct adit_yamux_event ev;

                assert_int_equal(adit_yamux_next(&r.y, &ev), ADIT_OK);
                assert_int_equal(ev.type, ADIT_YAMUX_OPEN);
            } else {
                assert_int_equal(e, ADIT_ENOMEM);
                n_refused++;
            }
            assert_int_equal(feed(&r, body, 2), ADIT_OK);
            r.n_out = 0;
            drain_out(&r);
            /* Its ACK waits for a frame; a refusal does not. */
            assert_int_equal(r.n_out, e == ADIT_OK ? 0 : 12);
            e = adit_yamux_open(&r.y, &s);
            assert_true(e == ADIT_OK || e == ADIT_ENOMEM);
            drain_out(&r);
        }
        r.mem.fail_at = 0;
        assert_int_equal(adit_yamux_open(&r.y, &s), ADIT_OK);
        stop(&r);
        if (n_refused == 0)
            break;
    }
}

/* What is small: nothing fed, and who asks whether something waits. */
static void
test_has_out(void **state)
{
    uint8_t bad[12] = { 7 };
    uint64_t value = 99;
    size_t used = 99;
    struct run r;

    (void)state;
    start(&r, SERVER, 0);
    assert_false(adit_yamux_has_out(&r.y));
    assert_int_equal(
        adit_yamux_feed(&r.y, (struct adit_mslice){ bad, 0 }, r.now, &used),
        ADIT_OK);
    assert_int_equal(used, 0);
    assert_null(adit_yamux_why(&r.y, &value));
    adit_yamux_goaway(&r.y, ADIT_YAMUX_NORMAL);
    assert_true(adit_yamux_has_out(&r.y));
    drain_out(&r);
    adit_yamux_ping(&r.y, r.now);
    assert_true(adit_yamux_has_out(&r.y));
    assert_int_equal(feed(&r, bad, sizeof(bad)), ADIT_EPROTO);
    assert_string_equal(adit_yamux_why(&r.y, &value), "unknown version");
    assert_int_equal(value, 7);
    assert_true(adit_yamux_has_out(&r.y)); /* a GoAway, and no ping */
    r.n_out = 0;
    drain_out(&r);
    assert_int_equal(r.n_out, 12);
    assert_int_equal(r.out[1], 3);
    stop(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_is_small),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_rtt),
        cmocka_unit_test(test_reset_amid_events),
        cmocka_unit_test(test_freed_amid_body),
        cmocka_unit_test(test_has_out),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
