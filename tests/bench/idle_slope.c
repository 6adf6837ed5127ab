/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What one more idle peer that holds a reservation costs the relay: real
 * handshakes and reservations on memory links, up to 100,000 of them, which
 * no process has descriptors for.  Counts what the relay asks its allocator
 * for; the pipes themselves, sockets elsewhere, are the simulation's.
 *
 *   idle_slope [--json] [N]
 */
#include "sim/raw.h"
#include "sim/run.h"

#include <stdio.h>
#include <time.h>

#define BATCH 500

struct point {
    size_t n, bytes;
};

struct batch {
    struct raw *v[BATCH];
    uint32_t id[BATCH];
};

static bool
all_ready(void *ctx)
{
    const struct batch *b = ctx;

    for (size_t i = 0; i < BATCH; i++)
        if (!b->v[i]->is_ready)
            return false;
    return true;
}

static bool
all_reserved(void *ctx)
{
    const struct batch *b = ctx;

    for (size_t i = 0; i < BATCH; i++)
        if (raw_status(b->v[i], b->id[i]) != 100)
            return false;
    return true;
}

/* A peer of its own: another identity and another Noise key. */
static void
renew_identity(struct raw_kit *k)
{
    const struct adit_rng *rng = adit_worker_rng(k->worker);

    adit_identity_fini(&k->identity);
    adit_identity_make(&k->identity, rng);
    if (adit_noise_static_make(&k->net.statik, &k->identity,
                               k->net.statik.muxers, k->net.statik.n_muxers,
                               rng) != ADIT_OK)
        adit_assert(!"a key");
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    static struct sim_world w;
    static struct raw_kit kits[BATCH];
    static struct batch b;
    struct sim_config cfg = { .seed = 1 };
    struct adit_node_config rc;
    struct sim_node *relay;
    struct point first = { 0 }, at = { 0 };
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    size_t want = argc > 1 + json ? strtoul(argv[1 + json], NULL, 10) : 100000;
    double slope;

    want = ADIT_MAX(want - want % BATCH, (size_t)(4 * BATCH));
    run_relay_config(&rc);
    memset(rc.caps, 0, sizeof(rc.caps));
    sim_init(&w, &cfg);
    relay = sim_add(&w, &rc);
    for (size_t k = 0; k < BATCH; k++)
        raw_kit_init(&kits[k], &w);
    while (at.n < want) {
        for (size_t k = 0; k < BATCH; k++) {
            if (at.n > 0)
                renew_identity(&kits[k]);
            b.v[k] = raw_new(&kits[k], relay, (uint32_t)(at.n + k), true);
        }
        if (!sim_run(&w, ADIT_S, all_ready, &b))
            break;
        for (size_t k = 0; k < BATCH; k++)
            b.id[k] = raw_reserve(b.v[k]);
        if (!sim_run(&w, ADIT_S, all_reserved, &b))
            break;
        for (size_t k = 0; k < BATCH; k++) {
            raw_frame(b.v[k], RAW_DATA, RAW_FIN, b.id[k], 0, NULL, 0);
            raw_forget(b.v[k]);
        }
        sim_run(&w, ADIT_MS, NULL, NULL);
        at.n += BATCH;
        at.bytes = relay->mem.used_bytes;
        if (at.n == want / 10 || (first.n == 0 && at.n > want / 10))
            first = at;
    }
    if (at.n < want || adit_metric_get(&relay->metrics, ADIT_M_RSVP) != want ||
        adit_metric_get(&relay->metrics, ADIT_M_STREAMS) != 0) {
        fprintf(stderr, "idle_slope: only %zu of %zu hold a reservation\n",
                at.n, want);
        return 1;
    }
    slope = (double)(at.bytes - first.bytes) / (double)(at.n - first.n);
    if (json)
        printf("{\"n\": [%zu, %zu], \"bytes\": [%zu, %zu], "
               "\"per_peer\": %.1f, \"cpu_s\": %.1f}\n",
               first.n, at.n, first.bytes, at.bytes, slope, cpu_s());
    else
        printf("memory per idle reservation, sim: %.0f bytes each "
               "(%zu: %zu, %zu: %zu; %.0f s of CPU, both ends)\n",
               slope, first.n, first.bytes, at.n, at.bytes, cpu_s());
    return 0; /* the world goes with the process */
}
