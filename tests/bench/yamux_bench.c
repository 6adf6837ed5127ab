/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * yamux_bench: nanoseconds of the muxer per frame relayed: header parsed,
 * events drained, body consumed, next header made, credit taken and given.
 */
#include <stdio.h>

#include "wire/yamux/yamux.h"

#define N_FRAMES 4000000u
#define N_STREAMS 64u

static uint8_t input[16][ADIT_YAMUX_HEADER_BYTES + 16384];

static struct adit_instant
clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct adit_instant){ (uint64_t)t.tv_sec * 1000000 +
                                  (uint64_t)t.tv_nsec / 1000 };
}

/* Frames of `n` body bytes over the first `n_used` streams in turn. */
static void
bench(struct adit_yamux *from, struct adit_yamux *to,
      struct adit_yamux_stream *out, uint32_t n, uint32_t n_used)
{
    struct adit_instant t0, t1, now = { 1 };
    uint64_t n_events = 0;

    t0 = clock_now();
    for (uint32_t i = 0; i < N_FRAMES; i++) {
        uint8_t *p = input[i % 16];
        struct adit_mslice in = { p, ADIT_YAMUX_HEADER_BYTES + n };
        struct adit_yamux_event ev;
        uint8_t buf[600];
        size_t used;

        adit_put_be32(p + 4, 2 * (i % n_used) + 1);
        adit_put_be32(p + 8, n);
        if (adit_yamux_feed(from, in, now, &used) != ADIT_OK)
            return;
        while (adit_yamux_next(from, &ev) == ADIT_OK) {
            uint8_t hdr[ADIT_YAMUX_HEADER_BYTES];

            n_events++;
            if (adit_yamux_send(to, out, ev.data.n, hdr) != n)
                return;
            adit_yamux_consumed(from, ev.stream, ev.data.n, now);
        }
        if (out->send_window < 65536) { /* as a WindowUpdate does */
            uint8_t w[12] = { 0, 1, [7] = (uint8_t)out->id, [9] = 3 };

            if (adit_yamux_feed(to, (struct adit_mslice){ w, 12 }, now,
                                &used) != ADIT_OK)
                return;
            while (adit_yamux_next(to, &ev) == ADIT_OK)
                n_events++;
        }
        if (adit_yamux_has_out(from))
            while (adit_yamux_out(from, buf, sizeof(buf)) > 0)
                continue;
    }
    t1 = clock_now();
    printf("body %5u, %2u streams: %5.1f ns a frame\n", n, n_used,
           (double)(t1.us - t0.us) * 1000 / N_FRAMES);
}

int
main(void)
{
    static const uint32_t sizes[] = { 1400, 16384 };
    const struct adit_yamux_config cfg = { .max_streams = 256 };
    struct adit_yamux_config client = cfg;
    struct adit_yamux from, to;
    struct adit_yamux_stream *out;
    struct adit_mem mem;

    adit_mem_init(&mem, NULL, SIZE_MAX);
    client.is_client = true;
    adit_yamux_init(&from, &mem, &cfg, (struct adit_instant){ 1 });
    adit_yamux_init(&to, &mem, &client, (struct adit_instant){ 1 });
    if (adit_yamux_open(&to, &out) != ADIT_OK)
        return 1;
    for (uint32_t i = 0; i < N_STREAMS; i++) {
        uint8_t syn[12] = { 0, 1, 0, 1, [7] = (uint8_t)(2 * i + 1) };
        struct adit_yamux_event ev;
        size_t used;

        if (adit_yamux_feed(&from, (struct adit_mslice){ syn, 12 },
                            (struct adit_instant){ 1 }, &used) != ADIT_OK ||
            adit_yamux_next(&from, &ev) != ADIT_OK)
            return 1;
    }
    printf("session %zu bytes, stream %zu bytes\n", sizeof(from),
           sizeof(*out));
    for (size_t i = 0; i < ADIT_NITEMS(sizes); i++) {
        bench(&from, &to, out, sizes[i], 1);
        bench(&from, &to, out, sizes[i], N_STREAMS);
    }
    adit_yamux_fini(&from);
    adit_yamux_fini(&to);
    return 0;
}
