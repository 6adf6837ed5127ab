/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * resolve: names to addresses and texts, by c-ares on the worker's loop.
 *
 * Costs nothing until first used; the system's list of servers is read again
 * when it has been idle for half a minute.  An answer is cut to the
 * caps below, a malformed one is no answer.  A worker that is run by hand
 * resolves nothing.  Thread: the worker's own.
 */
#ifndef ADIT_LOOP_RESOLVE_H
#define ADIT_LOOP_RESOLVE_H

#include "base/slice.h"
#include "loop/worker.h"

/* What an answer is cut to. */
#define ADIT_RESOLVE_MAX_ADDRS 16
#define ADIT_RESOLVE_MAX_TEXTS 64
#define ADIT_RESOLVE_MAX_TEXT_BYTES 1024 /* longer ones are left out */

/* Queries of one resolver under way, given up ones included. */
#define ADIT_RESOLVE_MAX_QUERIES 256

/* RFC 1035: 255 bytes on the wire. */
#define ADIT_RESOLVE_MAX_NAME_BYTES 253

struct adit_resolver;
struct adit_resolve; /* one query */

enum adit_resolve_what {
    ADIT_RESOLVE_IP4,
    ADIT_RESOLVE_IP6,
    ADIT_RESOLVE_TEXT, /* TXT records */
};

struct adit_resolver_config {
    /* "127.0.0.1:53,[::1]:5353"; NULL: the system's.  Borrowed. */
    const char *servers;
};

/* ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_resolver_new(
    struct adit_worker *w, const struct adit_resolver_config *cfg,
    struct adit_resolver **out);

/* Its queries are gone without a word.  Not from inside a query's `fn`.  NULL
 * is fine. */
void adit_resolver_free(struct adit_resolver *r);

/* Borrowed for the call. */
struct adit_resolve_answer {
    size_t n;
    /* 4 or 16 bytes each, or a record's text, its strings joined. */
    const struct adit_slice *v;
};

/*
 * The end of a query, after which it is gone; never from inside _start.
 *
 *   ADIT_OK        at least one answer
 *   ADIT_ERESOLVE  the name does not exist, or has nothing of that kind, or
 *                  the servers failed; `a` is empty
 *   ADIT_ETIMEDOUT its deadline came first
 *   ADIT_ENOMEM
 */
typedef void adit_resolve_fn(void *ctx, adit_err e,
                             const struct adit_resolve_answer *a);

/*
 * Ask.  ADIT_EINVAL: no name of a host; ADIT_ERESOLVE: no servers, or kind
 * HAND; ADIT_EFULL: too many queries; ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_resolve_start(struct adit_resolver *r,
                                          enum adit_resolve_what what,
                                          struct adit_slice name,
                                          struct adit_instant deadline,
                                          adit_resolve_fn *fn, void *ctx,
                                          struct adit_resolve **out);

/* Its `fn` will not be called.  Not after it was; NULL is fine. */
void adit_resolve_cancel(struct adit_resolve *q);

#endif
