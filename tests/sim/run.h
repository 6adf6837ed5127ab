/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * run: a relay, a listener that reserves on it, a dialer that reaches it
 * through the relay, and one echo of `want` bytes.
 */
#ifndef ADIT_TESTS_SIM_RUN_H
#define ADIT_TESTS_SIM_RUN_H

#include "world.h"

struct run {
    struct sim_world w;
    struct sim_node *relay, *a, *b;
    struct adit_service echo;
    struct adit_reserve *reserve;
    struct adit_connect *connect;
    struct adit_hstream *s;
    bool is_limited; /* the connection that was made */
    bool reserved;
    unsigned n_lost;
    adit_err outcome; /* AGAIN until it is over */
    size_t want, sent, back;
    bool fin_sent;
    bool is_wrong; /* a byte that came back is not what was sent */
};

/* The relay's options of a run; change them before run_init_with. */
void run_relay_config(struct adit_node_config *rc);

void run_init_with(struct run *r, const struct sim_config *cfg,
                   const struct adit_node_config *rc, size_t want);
void run_init(struct run *r, const struct sim_config *cfg, size_t want,
              uint64_t circuit_bytes, int64_t circuit_us);
/* Start the exchange; again, once the last is over.  False: it could not. */
bool run_dial(struct run *r);
void run_fini(struct run *r);

/* For sim_run. */
bool run_is_reserved(void *ctx);
bool run_is_over(void *ctx);

#endif
