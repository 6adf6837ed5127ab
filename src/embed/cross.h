/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * cross: memory that one thread makes and another frees, and what travels
 * from the worker to the user.
 *
 * A quota has one owner, so what crosses is charged to none; each user of it
 * says what bounds it (a stream's window, the room to write, one per event).
 * Thread: any.
 */
#ifndef ADIT_EMBED_CROSS_H
#define ADIT_EMBED_CROSS_H

#include "adit/adit.h"
#include "base/cc.h"
#include "loop/worker.h"

/* Zeroed, or NULL. */
void *adit_cross_alloc(size_t n_bytes);
/* NULL is fine. */
void adit_cross_free(void *p, size_t n_bytes);

#define ADIT_CROSS_NEW(type) ((type *)adit_cross_alloc(sizeof(type)))
#define ADIT_CROSS_FREE(p) adit_cross_free((p), sizeof(*(p)))

/*
 * A message for the user's thread.  Lies inside what is sent.  `fn` owns it;
 * it also runs while the node is freed, when nobody may be told any more.
 */
struct adit_note {
    struct adit_msg msg;
    void (*fn)(adit_node *n, struct adit_note *note);
};

#endif
