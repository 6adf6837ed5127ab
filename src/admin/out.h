/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * out: text that leaves by a descriptor as fast as it is read there.
 * Thread: one owner.
 */
#ifndef ADIT_ADMIN_OUT_H
#define ADIT_ADMIN_OUT_H

#include "base/mem.h"
#include "base/slice.h"

struct adit_out {
    struct adit_mem *mem;
    size_t cap_bytes; /* never more in all */
    char *p;
    size_t at, n; /* [at, n) is to be sent */
    size_t room;  /* allocated */
};

static inline void
adit_out_init(struct adit_out *o, struct adit_mem *mem, size_t cap_bytes)
{
    *o = (struct adit_out){ .mem = mem, .cap_bytes = cap_bytes };
}
static inline size_t
adit_out_pending(const struct adit_out *o)
{
    return o->n - o->at;
}

/* All of it or nothing.  ADIT_EFULL: above the cap.  ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_out_put(struct adit_out *o, struct adit_slice s);

/*
 * Send what the descriptor takes; *n_sent (untouched unless ADIT_OK) may be
 * 0.  ADIT_ERESET: nobody is there.
 */
ADIT_MUST_USE adit_err adit_out_send(struct adit_out *o, int fd,
                                     size_t *n_sent);

void adit_out_fini(struct adit_out *o);

#endif
