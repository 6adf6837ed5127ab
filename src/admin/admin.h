/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * admin: the operator's door to a running relay: a Unix socket with one
 * command a line, answered by lines of JSON, and an HTTP port for metrics
 * and health.
 *
 * Peer credentials are checked; connections, lines and answers are bounded; a
 * bad request costs the requester his connection and nothing else.  Both
 * live on the node's worker.
 */
#ifndef ADIT_ADMIN_ADMIN_H
#define ADIT_ADMIN_ADMIN_H

#include <adit/adit.h>

struct adit_admin;

/* What only the daemon can do: it is asked, and answers later. */
enum adit_admin_task {
    ADIT_ADMIN_RELOAD, /* read the configuration again */
    ADIT_ADMIN_CONFIG, /* print the one in force */
};

struct adit_admin_config {
    size_t size;
    const char *socket; /* path; NULL or "": none */
    int socket_fd;      /* already bound and listening; -1: bind it */
    const char *group;  /* whose members may use it beside root and our
                              own user; NULL or "": nobody else */
    const char *http;   /* "127.0.0.1:9477", "[::1]:0"; NULL or "": none */
    /* On the worker: hand it to the daemon's thread, which answers by
     * adit_admin_answer(), once. */
    void (*on_task)(void *ctx, enum adit_admin_task task, uint64_t token);
    void *ctx;
};

#define ADIT_ADMIN_WHY_BYTES 192

/*
 * Add it to a node that was not started yet.  Bound when the node starts;
 * what fails then fails adit_node_start().  ADIT_EINVAL (`why`), ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_admin_new(adit_node *n,
                                      const struct adit_admin_config *cfg,
                                      struct adit_admin **out,
                                      char why[ADIT_ADMIN_WHY_BYTES]);
/* After adit_node_free().  NULL is fine. */
void adit_admin_free(struct adit_admin *a);

/*
 * Any thread, while no other frees the node: ADIT_OK and JSON (any value), or
 * an error and a sentence.  Copied; NULL is fine.  An answer that nobody
 * waits for any more is dropped.
 */
void adit_admin_answer(struct adit_admin *a, uint64_t token, adit_err e,
                       const char *json_or_text);

/* Any thread: the configuration in force is the `generation`-th, 1 being that
 * of the start, taken at `since_unix_s`.  Shown by status and metrics. */
void adit_admin_set_generation(struct adit_admin *a, uint64_t generation,
                               int64_t since_unix_s);

#endif
