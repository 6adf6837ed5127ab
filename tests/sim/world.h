/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * world: whole nodes in one process, on memory links and a virtual clock.
 *
 * Everything that happens follows from the seed: latency of links, how bytes
 * are cut, in which order nodes have their turns, when a link breaks, how
 * long a verdict takes.  A failing seed is printed and is enough to replay.
 */
#ifndef ADIT_TESTS_SIM_WORLD_H
#define ADIT_TESTS_SIM_WORLD_H

#include "host/node.h"

#define SIM_MAX_NODES 8

struct sim_world;

struct sim_node {
    struct sim_world *world;
    struct adit_mem mem;
    struct adit_worker *w;
    struct adit_metrics metrics;
    struct adit_identity identity;
    struct adit_node *node;
    struct adit_maddr addr; /* with its /p2p */
    struct adit_endpoint at;
    struct adit_dialer dialer;
    uint64_t rng;
    struct adit_rng rng_if;
    struct adit_log log;
};

struct sim_config {
    uint64_t seed;
    bool byte_at_a_time;
    bool chop;           /* pieces of any size */
    bool delay_verdicts; /* by 0 to 50 steps */
    int64_t latency_us;  /* one way, up to twice that by seed */
    uint64_t break_at;   /* the n-th delivery breaks its link; 0: never */
    bool verbose;
};

struct sim_world {
    struct sim_config cfg;
    struct adit_instant now;
    int64_t unix_s;
    uint64_t rng;
    uint64_t n_deliveries;
    struct sim_node nodes[SIM_MAX_NODES];
    size_t n_nodes;
    struct adit_list links;
    struct adit_list dials;
    struct adit_list asks;
};

void sim_init(struct sim_world *w, const struct sim_config *cfg);
/* Ends every node and checks that nothing of theirs is left. */
void sim_fini(struct sim_world *w);

uint64_t sim_rand(struct sim_world *w, uint64_t below);

/* A node that listens; `cfg` NULL: a client's defaults. */
struct sim_node *sim_add(struct sim_world *w,
                         const struct adit_node_config *cfg);
void sim_defaults(struct adit_node_config *cfg);

/* Run until `done` says so or `us` of virtual time are over.  True: done. */
bool sim_run(struct sim_world *w, int64_t us, bool (*done)(void *ctx),
             void *ctx);

/* Break every link of `n`. */
void sim_cut(struct sim_world *w, struct sim_node *n);

/*
 * A link to `to` from outside every node, from 10.x.y.z with `addr` as its
 * lower 24 bits.  The caller sets `up` and closes it.
 */
struct adit_pipe *sim_raw_link(struct sim_world *w, struct sim_node *to,
                               uint32_t addr);

/* Bytes on their way to the other end of `p`. */
size_t sim_raw_unread(const struct adit_pipe *p);

static inline struct adit_host *
sim_host(struct sim_node *n)
{
    return adit_node_host(n->node);
}

#endif
