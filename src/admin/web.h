/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * web: an HTTP server of a few pages that are made when asked for: GET and
 * HEAD, one request a connection.
 *
 * Heads, connections and time are bounded; what a stranger sends beyond that
 * costs him his connection.  Thread: one worker.
 */
#ifndef ADIT_ADMIN_WEB_H
#define ADIT_ADMIN_WEB_H

#include "loop/worker.h"

/* As many as Apache takes for a line; browsers need some 1,500 bytes. */
#define ADIT_WEB_HEAD_BYTES 8192

/* A scraper or two, a balancer's probes, and some that hang. */
#define ADIT_WEB_MAX_CONNS 32

struct adit_web;

struct adit_web_page {
    const char *path; /* "/metrics" */
    const char *type; /* of its content */
    /*
     * Write it, as snprintf does: returns its length, at most cap - 1 bytes
     * and a NUL are written; called twice, the second time with room for
     * what it said.  *status is 200 at first.
     */
    size_t (*write)(void *ctx, char *out, size_t cap, unsigned *status);
};

struct adit_web_config {
    const char *at;                    /* "127.0.0.1:9477", "[::1]:0" */
    const struct adit_web_page *pages; /* borrowed */
    size_t n_pages;
    void *ctx;
};

#define ADIT_WEB_WHY_BYTES 192

/* ADIT_EINVAL: that is no address and port. */
ADIT_MUST_USE adit_err adit_web_check(const char *at,
                                      char why[ADIT_WEB_WHY_BYTES]);

/*
 *   ADIT_EINVAL ADIT_ENOMEM ADIT_EIO
 *   ADIT_EFULL    somebody has that port
 *   ADIT_EDENIED  no permission for it
 */
ADIT_MUST_USE adit_err adit_web_open(struct adit_worker *w,
                                     const struct adit_web_config *cfg,
                                     struct adit_web **out,
                                     char why[ADIT_WEB_WHY_BYTES]);
/* NULL is fine. */
void adit_web_close(struct adit_web *h);

/* As bound: "127.0.0.1:9477".  Borrowed. */
const char *adit_web_at(const struct adit_web *h);
size_t adit_web_n_conns(const struct adit_web *h);

#endif
