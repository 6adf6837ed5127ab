/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * http: a client that posts to one URL and reads bounded answers.
 *
 * Over plain HTTP/1.1 by libevent's client, on a few connections that are
 * kept while they are used; a request that finds none free waits.  Names are
 * resolved by loop/resolve, and all addresses are tried.  One deadline
 * covers waiting, name, connect, request and answer.  Redirects are answers
 * like others.  A request is sent twice only if a kept connection turned out
 * to be closed.  Thread: the worker's own.
 */
#ifndef ADIT_LOOP_HTTP_H
#define ADIT_LOOP_HTTP_H

#include "base/slice.h"
#include "loop/resolve.h"
#include "loop/worker.h"

struct adit_http;
struct adit_http_op; /* one request */

#define ADIT_HTTP_MAX_CONNS 4

/* Requests that wait or are under way; what a burst is cut to. */
#define ADIT_HTTP_MAX_OPS 256

/* An unused connection is closed after this long: before most servers and
 * balancers (a minute) do it, and forget to say so. */
#define ADIT_HTTP_IDLE_US (20 * ADIT_S)

/* An address that does not connect in this time makes room for the next one,
 * if there is one: IPv6 that leads nowhere, a machine that is down. */
#define ADIT_HTTP_TRY_US (300 * ADIT_MS)

/* How long a name's addresses are used before it is asked for again. */
#define ADIT_HTTP_NAME_US (30 * ADIT_S)

#define ADIT_HTTP_MAX_PATH_BYTES 1024

/* Status line and headers of an answer. */
#define ADIT_HTTP_MAX_HEADER_BYTES 8192

struct adit_http_url {
    char host[ADIT_RESOLVE_MAX_NAME_BYTES + 1]; /* no brackets */
    uint16_t port;
    bool is_ip6;
    char path[ADIT_HTTP_MAX_PATH_BYTES]; /* with the query; "/" at least */
};

/*
 * http://HOST[:PORT][/PATH], HOST a name, an IPv4 address or a bracketed
 * IPv6 one.  ADIT_EINVAL: *why (static) says what is wrong.  Any thread.
 */
ADIT_MUST_USE adit_err adit_http_url_parse(const char *text,
                                           struct adit_http_url *out,
                                           const char **why);

struct adit_http_config {
    struct adit_http_url url;
    const char *token;   /* for Authorization: Bearer; copied; NULL: none */
    size_t max_bytes;    /* of an answer's body */
    const char *servers; /* as adit_resolver_config; outlives the client */
};

/* Is this fit to be a token: printable, without blanks?  Any thread. */
bool adit_http_is_token(const char *token);

/*
 * ADIT_EUNSUPPORTED: a worker that is run by hand has no sockets.
 * ADIT_EINVAL: no token.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_http_new(struct adit_worker *w,
                                     const struct adit_http_config *cfg,
                                     struct adit_http **out);

/* Its requests are gone without a word.  Also from inside a request's `fn`.
 * NULL is fine. */
void adit_http_free(struct adit_http *h);

struct adit_http_answer {
    unsigned status;
    struct adit_slice body; /* borrowed for the call */
};

/*
 * The end of a request, after which it is gone; never from inside _post.
 *
 *   ADIT_OK           an answer, of whatever status
 *   ADIT_ETIMEDOUT    its deadline came first
 *   ADIT_ERESOLVE     the name has no address
 *   ADIT_EUNREACHABLE none of the addresses takes connections
 *   ADIT_ERESET       the connection ended before the answer did
 *   ADIT_ELIMIT       the answer is too large
 *   ADIT_EPROTO       it is not HTTP
 *   ADIT_ENOMEM
 */
typedef void adit_http_fn(void *ctx, adit_err e,
                          const struct adit_http_answer *a);

/*
 * Post `body` (JSON; copied).  ADIT_EFULL: too many requests; ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_http_post(struct adit_http *h,
                                      struct adit_slice body,
                                      struct adit_instant deadline,
                                      adit_http_fn *fn, void *ctx,
                                      struct adit_http_op **out);

/* Its `fn` will not be called.  Not after it was; NULL is fine. */
void adit_http_cancel(struct adit_http_op *op);

#endif
