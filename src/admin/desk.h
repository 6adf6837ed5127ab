/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * desk: what can be asked of a running relay, and how it is answered: the
 * commands of the control socket.
 *
 * Lists are snapshots: what is needed to name or show each row is copied in
 * one turn, and becomes JSON a few rows a turn, as fast as they are read.
 * Thread: one worker, but for adit_desk_answer.
 */
#ifndef ADIT_ADMIN_DESK_H
#define ADIT_ADMIN_DESK_H

#include "admin/admin.h"
#include "admin/proc.h"
#include "admin/sock.h"
#include "host/node.h"

#include <stdatomic.h>

/* What the daemon is asked at once. */
#define ADIT_DESK_MAX_TASKS 8

/* A question that only the daemon can answer; its place in adit_desk. */
struct adit_desk_task {
    struct adit_msg msg; /* the answer on its way to the worker */
    struct adit_desk *desk;
    _Atomic uint64_t token; /* 0: not asked; taken by who answers */
    bool is_used;           /* the worker's: until the answer has come */
    struct adit_job *job;   /* who waits; NULL: nobody any more */
    adit_err err;
    char *text; /* of the answer; malloc's */
};

struct adit_desk_config {
    struct adit_worker *w;
    struct adit_node *node;
    struct adit_host *host;
    struct adit_relay *relay; /* NULL: it is none */
    struct adit_proc *proc;
    void (*on_task)(void *ctx, enum adit_admin_task task, uint64_t token);
    void *ctx;
};

/* How much was relayed when. */
struct adit_desk_sample {
    struct adit_instant at;
    uint64_t n_bytes;
};

struct adit_desk {
    struct adit_desk_config cfg;
    struct adit_instant opened;
    int64_t opened_unix_s;
    struct adit_list jobs;
    unsigned n_lists; /* under way */
    struct adit_timer sampler;
    struct adit_desk_sample samples[2]; /* the older first */
    struct adit_desk_task tasks[ADIT_DESK_MAX_TASKS];
    uint64_t last_token;
    _Atomic bool is_open;
    _Atomic uint64_t generation;
    _Atomic int64_t generation_unix_s; /* 0: nobody said */
};

/* Zeroed before.  ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_desk_open(struct adit_desk *d,
                                      const struct adit_desk_config *cfg);
/* Every visit is over. */
void adit_desk_close(struct adit_desk *d);
/* What nobody will fetch any more; after the worker.  Twice is fine. */
void adit_desk_fini(struct adit_desk *d);

/* What a sock wants of its owner; `ctx` is the desk. */
void adit_desk_ask(void *ctx, struct adit_visit *v, json_t *question);
void adit_desk_more(void *ctx, struct adit_visit *v);
void adit_desk_gone(void *ctx, struct adit_visit *v);

/* Any thread, while the node is not being freed by another. */
void adit_desk_answer(struct adit_desk *d, uint64_t token, adit_err e,
                      const char *json_or_text);

/* May it be sent work?  If not, *why says in a word. */
bool adit_desk_is_ready(const struct adit_desk *d, const char **why);

/* What is only known when somebody looks; writes cells of the worker's too. */
void adit_desk_scrape(struct adit_desk *d, struct adit_scraped *out);

#endif
