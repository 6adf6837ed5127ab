/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * inner: how another door of ours gets at the node behind the public handle.
 * Not installed.
 */
#ifndef ADIT_EMBED_INNER_H
#define ADIT_EMBED_INNER_H

#include "adit/adit.h"
#include "host/node.h"

/*
 * An annex of a node: it lives on the node's worker, from before the first
 * connection until after the last.
 */
struct adit_annex {
    /*
     * The node is bound; its worker does not run yet.  Anything but ADIT_OK
     * keeps it from starting, `why` said.
     */
    adit_err (*open)(void *ctx, struct adit_node *n,
                     char why[ADIT_NODE_WHY_BYTES]);
    /* On the worker; the node is still whole. */
    void (*close)(void *ctx);
    void *ctx;
};

/* Before it is started.  The annex is copied; one per node. */
void adit_node_set_annex(adit_node *n, const struct adit_annex *a);

/* The counters' cells of a node's workers, for exposition.  Any thread. */
const struct adit_metrics *adit_node_cells(const adit_node *n);

#endif
