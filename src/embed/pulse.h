/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * pulse: does the node's worker turn?  A message that crosses to it and comes
 * back, by the same queues as everything else.
 *
 * Not installed.  Thread: the node's owner.
 */
#ifndef ADIT_EMBED_PULSE_H
#define ADIT_EMBED_PULSE_H

#include "embed/cross.h"

struct adit_pulse {
    adit_node *node;
    void (*fn)(void *ctx); /* from adit_node_dispatch() */
    void *ctx;
    bool is_out; /* sent, and not back */
    struct adit_msg down;
    struct adit_note up;
};

/* Send it, unless it is out.  It must outlive the node, which was started. */
void adit_pulse_send(struct adit_pulse *p);

#endif
