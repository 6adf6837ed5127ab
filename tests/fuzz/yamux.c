/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * yamux under a hostile peer and a restless driver.
 *
 * The input is a script of verbs, ticks, raw bytes and well-formed frames.
 * It is run twice, once with its frames whole and once a byte at a time:
 * what comes and what leaves must be the same.
 */
#include "driver.h"

#include "wire/yamux/yamux.h"

#define MAX_OPS 2000
#define MAX_STREAMS 8

struct run {
    struct adit_mem mem;
    struct adit_yamux y;
    struct adit_instant now;
    bool is_chopped;
    struct adit_yamux_stream *s[MAX_STREAMS];
    uint64_t unconsumed[MAX_STREAMS];
    uint64_t digest; /* of events and output */
};

static void
note(struct run *r, uint64_t v)
{
    r->digest = (r->digest ^ v) * UINT64_C(0x100000001b3);
}

static void
flush(struct run *r, size_t cap)
{
    uint8_t buf[256];
    size_t n;

    while ((n = adit_yamux_out(&r->y, buf, cap)) > 0) {
        adit_assert(n % ADIT_YAMUX_HEADER_BYTES == 0 && n <= cap);
        for (size_t i = 0; i < n; i++)
            note(r, buf[i]);
        for (size_t i = 0; i < n; i += ADIT_YAMUX_HEADER_BYTES)
            adit_assert(buf[i] == 0 && buf[i + 1] <= 3 && buf[i + 1] > 0);
    }
    adit_assert(!adit_yamux_has_out(&r->y));
}

/* Its place is in `user`, one more than the index. */
static size_t
index_of(const struct adit_yamux_stream *s)
{
    return (size_t)(uintptr_t)s->user - 1;
}

static void
keep(struct run *r, struct adit_yamux_stream *s)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (r->s[i] == NULL) {
            r->s[i] = s;
            r->unconsumed[i] = 0;
            s->user = (void *)(uintptr_t)(i + 1);
            return;
        }
    }
    adit_yamux_release(&r->y, s);
}

static void
drain(struct run *r)
{
    struct adit_yamux_event ev;

    while (adit_yamux_next(&r->y, &ev) == ADIT_OK) {
        uint32_t id = ev.stream != NULL ? ev.stream->id : 0;

        if (ev.type == ADIT_YAMUX_DATA) {
            size_t i = index_of(ev.stream);

            r->unconsumed[i] += ev.data.n;
            adit_assert(r->unconsumed[i] <= ev.stream->recv_cap);
            for (size_t k = 0; k < ev.data.n; k++)
                note(r, (uint64_t)id << 8 | ev.data.p[k]);
            continue;
        }
        note(r, (uint64_t)ev.type << 40 | id);
        if (ev.type == ADIT_YAMUX_OPEN)
            keep(r, ev.stream);
        else if (ev.type >= ADIT_YAMUX_RESET)
            note(r, ev.code);
    }
}

static void
feed(struct run *r, const uint8_t *p, size_t n)
{
    while (n > 0) {
        uint8_t copy[4096]; /* what is fed may be written */
        size_t piece = n > 100 ? 61 : 1;
        size_t k = ADIT_MIN(r->is_chopped ? piece : sizeof(copy), n);
        struct adit_mslice in = { copy, k };

        memcpy(copy, p, k);
        while (in.n > 0) {
            size_t used = 0;
            adit_err e = adit_yamux_feed(&r->y, in, r->now, &used);

            if (e != ADIT_OK && e != ADIT_ENOMEM) {
                adit_assert(adit_yamux_why(&r->y, NULL) != NULL);
                return;
            }
            adit_assert(used <= in.n);
            drain(r);
            if (used == 0) {
                adit_assert(adit_yamux_has_out(&r->y));
                flush(r, 60);
            }
            in.p += used;
            in.n -= used;
        }
        p += k;
        n -= k;
    }
}

/* A frame made of six bytes: type and flags, id, length, and its scale. */
static void
feed_frame(struct run *r, const uint8_t b[static 6])
{
    static const uint8_t zeros[4096];
    uint8_t h[12] = { 0, b[0] & 3, 0, b[0] >> 4, [7] = b[1] & 15 };
    uint32_t len = b[4] & 8 ? (uint32_t)b[2] << 8 | b[3] : b[3];

    len <<= b[4] & 16 ? 16 : 0;
    len += b[4] & 32 ? b[5] : 0;
    adit_put_be32(h + 8, len);
    feed(r, h, sizeof(h));
    if (h[1] == 0)
        for (len = ADIT_MIN(len, 300000u); len > 0;) {
            uint32_t k = ADIT_MIN(len, (uint32_t)sizeof(zeros));

            feed(r, zeros, k);
            len -= k;
        }
}

static void
run(struct run *r, bool is_chopped, const uint8_t *p, size_t n)
{
    const struct adit_yamux_config cfg = {
        .is_client = n > 0 && (p[0] & 1),
        .max_streams = 6,
        .window_max_bytes = UINT32_C(300000) << (n > 0 ? p[0] >> 4 & 3 : 0),
        .keepalive_us = n > 0 && (p[0] & 2) ? 3 * ADIT_S : 0,
        .pong_us = ADIT_S,
    };

    *r = (struct run){ .is_chopped = is_chopped, .now = { 1000 } };
    adit_mem_init(&r->mem, NULL, SIZE_MAX);
    adit_yamux_init(&r->y, &r->mem, &cfg, r->now);
    if (n > 0 && (p[0] & 8))
        r->mem.fail_at = p[0] >> 5;
    for (size_t i = 1, ops = 0; i + 1 < n && ops < MAX_OPS; ops++) {
        uint8_t op = p[i], arg = p[i + 1];
        size_t at = (op >> 4) % MAX_STREAMS;
        struct adit_yamux_stream *s = r->s[at];
        uint8_t hdr[ADIT_YAMUX_HEADER_BYTES];

        i += 2;
        switch (op & 15) {
        case 0:
        case 1:
        case 2: {
            size_t k = ADIT_MIN((size_t)arg, n - i);

            feed(r, p + i, k);
            i += k;
            break;
        }
        case 3:
        case 4:
        case 5:
        case 6:
            if (n - i < 6)
                break;
            feed_frame(r, p + i);
            i += 6;
            break;
        case 7:
            if (adit_yamux_open(&r->y, &s) == ADIT_OK)
                keep(r, s);
            break;
        case 8:
            if (s != NULL)
                adit_yamux_fin(&r->y, s);
            break;
        case 9:
            if (s != NULL)
                adit_yamux_reset(&r->y, s, arg);
            break;
        case 10:
            if (s != NULL)
                adit_yamux_release(&r->y, s);
            r->s[at] = NULL;
            break;
        case 11:
            if (s != NULL)
                note(r,
                     adit_yamux_send(&r->y, s, (size_t)arg << arg % 12, hdr));
            break;
        case 12:
            if (s != NULL) {
                uint64_t k = r->unconsumed[at];

                k = arg & 1 ? k : k * arg / 255;
                r->unconsumed[at] -= k;
                adit_yamux_consumed(&r->y, s, (size_t)k, r->now);
            }
            break;
        case 13:
            if (arg > 200)
                adit_yamux_goaway(&r->y, arg);
            else
                adit_yamux_ping(&r->y, r->now);
            break;
        case 14:
            flush(r, 12 + arg % 200);
            break;
        case 15:
            r->now = adit_instant_add(r->now, arg * 10 * ADIT_MS);
            note(r, (uint64_t)adit_yamux_tick(&r->y, r->now));
            break;
        }
        note(r, adit_yamux_due(&r->y).us);
    }
    flush(r, 24);
    for (size_t i = 0; i < MAX_STREAMS; i++)
        if (r->s[i] != NULL)
            adit_yamux_release(&r->y, r->s[i]);
    flush(r, 24);
    /* A session that failed with streams waiting for _out keeps them. */
    if (r->y.err == ADIT_OK)
        adit_assert(r->mem.used_bytes == 0);
    adit_yamux_fini(&r->y);
    adit_assert(r->mem.used_bytes == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct run whole, chopped;

    run(&whole, false, p, n);
    run(&chopped, true, p, n);
    adit_assert(whole.digest == chopped.digest);
    return 0;
}
