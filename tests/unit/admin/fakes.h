/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * fakes: a relay, a ledger and a node that only say what they are told, in
 * place of the real ones: what a command asks of them is what is tested.
 */
#ifndef ADIT_TESTS_ADMIN_FAKES_H
#define ADIT_TESTS_ADMIN_FAKES_H

#include "host/node.h"
#include "host/rules.h"
#include "ledger/ledger.h"

#include <string.h>

#define FAKE_MAX 1024

/* One at a time; a test begins by zeroing it. */
struct fake {
    size_t n_peers, n_circuits;
    struct adit_peerid peers[FAKE_MAX];
    struct adit_rules rules;
    struct adit_node_config cfg;
    struct adit_maddr listens[1];
    size_t n_listens;
    bool has_ledger;
    enum adit_drain_state drain;
    /* What was done. */
    char done[256];
    /* The query that waits. */
    struct adit_usage_query query;
    adit_usage_fn *query_fn;
    void *query_ctx;
    unsigned n_forgotten;
};
extern struct fake fake;

/* Peer `i`, Ed25519. */
void fake_peer(size_t i, struct adit_peerid *out);
/* It has so many peers and circuits between neighbours. */
void fake_fill(size_t n_peers, size_t n_circuits);

#endif
