/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Many strangers at once against the relay's buffers: a thousand circuits
 * whose readers stopped, ten thousand peers that each send all of a frame
 * but its last byte.  Never above the cap, the longest wait goes first, and
 * the pair that uses the relay notices nothing.
 *
 * SIM_PEERS says how many peers; 10000 by default.
 */
#include "raw.h"
#include "run.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CAP_BYTES (32u << 20)
#define N_DSTS 20   /* peers that circuits lead to */
#define PER_DST 50  /* circuits to each: a thousand in all */
#define N_FIRST 5   /* of them stop first */
#define PER_SRC 250 /* circuits of each source's connection */
#define N_CIRCUITS (N_DSTS * PER_DST)
#define BATCH 100

struct flood {
    struct run r;
    struct raw_kit src, kits[N_DSTS];
    struct raw *dsts[N_DSTS], *srcs[N_CIRCUITS / PER_SRC];
    uint32_t ids[N_CIRCUITS]; /* on the source's connection */
    size_t max_used;
};

static uint64_t
metric(struct flood *f, enum adit_metric m)
{
    return adit_metric_get(&f->r.relay->metrics, m);
}

static bool
in_bounds(struct flood *f)
{
    size_t used = adit_worker_pool(f->r.relay->w)->used_bytes;

    f->max_used = ADIT_MAX(f->max_used, used);
    if (used > CAP_BYTES)
        fail_msg("%zu bytes in buffers", used);
    return false;
}

static bool
watch(void *ctx)
{
    return in_bounds(ctx);
}

static bool
watch_innocent(void *ctx)
{
    struct flood *f = ctx;

    in_bounds(f);
    return run_is_over(&f->r);
}

static void
pass(struct flood *f, int64_t us)
{
    sim_run(&f->r.w, us, watch, f);
}

static void
innocent(struct flood *f)
{
    assert_true(run_dial(&f->r));
    assert_true(sim_run(&f->r.w, 5 * ADIT_S, watch_innocent, f));
    assert_int_equal(f->r.outcome, ADIT_OK);
    /* Over the very circuit it had before. */
    assert_int_equal(f->r.n_lost, 0);
}

static void
flood_init(struct flood *f)
{
    struct sim_config cfg = { .seed = 21, .latency_us = 0 };
    struct adit_node_config rc;

    run_relay_config(&rc);
    rc.buffer_bytes = CAP_BYTES;
    memset(rc.caps, 0, sizeof(rc.caps)); /* buffers alone decide */
    rc.circuits_per_peer = 0;
    rc.streams_per_conn = 510;
    run_init_with(&f->r, &cfg, &rc, 100000);
    assert_true(sim_run(&f->r.w, 60 * ADIT_S, run_is_reserved, &f->r));
    raw_kit_init(&f->src, &f->r.w);
    innocent(f);
}

static void
flood_fini(struct flood *f)
{
    pass(f, 60 * ADIT_S);
    assert_int_equal(adit_worker_pool(f->r.relay->w)->used_bytes, 0);
    assert_int_equal(metric(f, ADIT_M_CIRCUITS), 1); /* the innocent one */
    innocent(f);
    raw_kit_fini(&f->src);
    run_fini(&f->r);
    free(f);
}

/* ---- circuits whose readers stopped ------------------------------------------ */

static struct raw *
src_of(struct flood *f, unsigned circuit)
{
    return f->srcs[circuit / PER_SRC];
}

static bool
is_reset(struct flood *f, unsigned circuit)
{
    const struct raw_stream *t =
        raw_stream(src_of(f, circuit), f->ids[circuit]);

    return t != NULL && t->rst;
}

static unsigned
n_reset(struct flood *f, unsigned from, unsigned to)
{
    unsigned n = 0;

    for (unsigned i = from; i < to; i++)
        n += is_reset(f, i);
    return n;
}

static void
make_circuits(struct flood *f)
{
    for (unsigned i = 0; i < N_DSTS; i++) {
        raw_kit_init(&f->kits[i], &f->r.w);
        f->dsts[i] = raw_ready(&f->kits[i], f->r.relay, i);
        f->dsts[i]->stop_reply = raw_stop_ok;
        f->dsts[i]->n_stop_reply = sizeof(raw_stop_ok);
        assert_int_equal(raw_wait(f->dsts[i], raw_reserve(f->dsts[i])), 100);
    }
    for (unsigned i = 0; i < ADIT_NITEMS(f->srcs); i++)
        f->srcs[i] = raw_ready(&f->src, f->r.relay, 1000 + i);
    for (unsigned i = 0; i < N_CIRCUITS; i++) {
        f->ids[i] =
            raw_connect(src_of(f, i), &f->kits[i / PER_DST].identity.id);
        if (i % 20 == 19)
            pass(f, 10000);
    }
    for (unsigned i = 0; i < N_CIRCUITS; i++)
        assert_int_equal(raw_wait(src_of(f, i), f->ids[i]), 100);
    assert_int_equal(metric(f, ADIT_M_CIRCUITS), N_CIRCUITS + 1);
}

static void
send_on(struct flood *f, unsigned from, unsigned to, size_t n)
{
    static const uint8_t z[16384];

    for (size_t sent = 0; sent < n; sent += sizeof(z)) {
        for (unsigned i = from; i < to; i++)
            if (!is_reset(f, i))
                raw_data(src_of(f, i), f->ids[i], z, sizeof(z));
        pass(f, 30000);
        /* Whoever stalled first goes first. */
        if (n_reset(f, N_FIRST * PER_DST, N_CIRCUITS) > 0)
            assert_int_equal(n_reset(f, 0, N_FIRST * PER_DST),
                             N_FIRST * PER_DST);
    }
}

static void
test_stopped_readers(void **state)
{
    struct flood *f = calloc(1, sizeof(*f));
    uint64_t stalled;

    (void)state;
    flood_init(f);
    make_circuits(f);
    /* The first grant no window: their streams hold a window's worth. */
    send_on(f, 0, N_FIRST * PER_DST, 262144 - 16384);
    send_on(f, 0, N_FIRST * PER_DST, 81920);
    assert_int_equal(metric(f, ADIT_M_CIRCUIT_END_STALLED), 0);
    assert_in_range(f->max_used, CAP_BYTES / 3, CAP_BYTES);
    innocent(f);
    pass(f, 5 * ADIT_S);
    /* The others stop reading at all. */
    for (unsigned i = N_FIRST; i < N_DSTS; i++)
        raw_deaf(f->dsts[i], true);
    send_on(f, N_FIRST * PER_DST, N_CIRCUITS, 131072);
    innocent(f);
    stalled = metric(f, ADIT_M_CIRCUIT_END_STALLED);
    assert_in_range(stalled, N_FIRST * PER_DST, N_CIRCUITS);
    assert_int_equal(stalled, n_reset(f, 0, N_CIRCUITS));
    assert_in_range(f->max_used, CAP_BYTES - (1u << 20), CAP_BYTES);
    print_message("# %u circuits reset, buffers at most %zu of %u bytes\n",
                  (unsigned)stalled, f->max_used, CAP_BYTES);
    /* A new circuit is refused while it is tight. */
    if (adit_pool_is_tight(adit_worker_pool(f->r.relay->w))) {
        struct raw *r = raw_ready(&f->src, f->r.relay, 2000);

        assert_int_equal(raw_wait(r, raw_connect(r, &f->kits[0].identity.id)),
                         201);
        raw_free(r, false);
    }
    /* Half a minute of not reading ends the connection. */
    pass(f, 40 * ADIT_S);
    assert_int_equal(metric(f, ADIT_M_CONN_WRITE_STALL), N_DSTS - N_FIRST);
    innocent(f);
    for (unsigned i = 0; i < N_DSTS; i++)
        raw_free(f->dsts[i], false);
    for (unsigned i = 0; i < ADIT_NITEMS(f->srcs); i++)
        raw_free(f->srcs[i], false);
    for (unsigned i = 0; i < N_DSTS; i++)
        raw_kit_fini(&f->kits[i]);
    flood_fini(f);
}

/* ---- partial frames ------------------------------------------------------------ */

struct batch {
    struct flood *f;
    struct raw **v;
};

static bool
all_ready(void *ctx)
{
    const struct batch *b = ctx;

    in_bounds(b->f);
    for (unsigned i = 0; i < BATCH; i++)
        if (!b->v[i]->is_ready && !b->v[i]->is_over)
            return false;
    return true;
}

static void
partials(size_t frame_bytes, bool fits)
{
    struct flood *f = calloc(1, sizeof(*f));
    const char *env = getenv("SIM_PEERS");
    size_t n = env != NULL ? strtoul(env, NULL, 10) : 10000, n_over = 0;
    struct raw **v;
    uint8_t *z = calloc(1, frame_bytes);

    n -= n % BATCH;
    v = calloc(n, sizeof(*v));
    flood_init(f);
    for (size_t i = 0; i < n; i += BATCH) {
        struct batch b = { f, v + i };

        for (size_t k = 0; k < BATCH; k++)
            v[i + k] = raw_new(&f->src, f->r.relay, (uint32_t)(i + k), true);
        assert_true(sim_run(&f->r.w, 5 * ADIT_S, all_ready, &b));
        for (size_t k = 0; k < BATCH; k++)
            raw_noise_cut(v[i + k], z, frame_bytes, 1);
        pass(f, 1000);
        if (i % (20 * BATCH) == 0)
            innocent(f);
    }
    innocent(f);
    if (fits)
        assert_int_equal(metric(f, ADIT_M_CONN_BUFFERS), 0);
    else
        assert_in_range(f->max_used, CAP_BYTES - (1u << 20), CAP_BYTES);
    assert_int_equal(metric(f, ADIT_M_CONN_PARTIAL_DEADLINE), 0);
    print_message("# %zu partial frames of %zu: buffers at most %zu of %u "
                  "bytes, %u let go early\n",
                  n, frame_bytes, f->max_used, CAP_BYTES,
                  (unsigned)metric(f, ADIT_M_CONN_BUFFERS));
    pass(f, 11 * ADIT_S);
    assert_int_equal(metric(f, ADIT_M_CONN_BUFFERS) +
                         metric(f, ADIT_M_CONN_PARTIAL_DEADLINE),
                     n);
    for (size_t i = 0; i < n; i++) {
        n_over += v[i]->is_over;
        raw_free(v[i], false);
    }
    assert_int_equal(n_over, n);
    assert_int_equal(metric(f, ADIT_M_CIRCUIT_END_STALLED), 0);
    free(v);
    free(z);
    flood_fini(f);
}

static void
test_partial_small(void **state)
{
    (void)state;
    partials(1400, true);
}

static void
test_partial_large(void **state)
{
    (void)state;
    partials(65000, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stopped_readers),
        cmocka_unit_test(test_partial_small),
        cmocka_unit_test(test_partial_large),
    };

    return cmocka_run_group_tests_name("sim/flood", tests, NULL, NULL);
}
