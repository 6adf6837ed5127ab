/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * worker: one thread's share of a node: clock, timers, tasks, mailbox.
 *
 * Everything with a pointer to a worker lives and dies on it.  A turn is:
 * clock > mailbox and ready descriptors > timers > tasks (flush writes) >
 * reap the retired > sleep until the least deadline.  The end of a turn hangs
 * on one deferred event, so that it runs alike on our own event base and on a
 * lent one.
 *
 * Three kinds: with an event base of its own (_run blocks in it), on a lent
 * base (the caller runs it), or by hand (a simulation calls _turn with a
 * virtual clock; there are no descriptors then).
 *
 * Thread: the worker's own, but for adit_mailbox_post.
 */
#ifndef ADIT_LOOP_WORKER_H
#define ADIT_LOOP_WORKER_H

#include "base/chunk.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"

struct event_base;
struct adit_worker;

enum adit_worker_kind { ADIT_WORKER_OWN, ADIT_WORKER_LENT, ADIT_WORKER_HAND };

struct adit_worker_config {
    enum adit_worker_kind kind;
    struct event_base *lent;    /* kind LENT only; borrowed */
    struct adit_mem *mem;       /* borrowed */
    const struct adit_log *log; /* borrowed; may be NULL */
    struct adit_rng rng;
    size_t buffer_bytes; /* cap of the worker's chunk pool */
    bool coalesce;       /* kind OWN: see adit_worker_moved */
};

/* ADIT_ENOMEM, ADIT_EIO (no eventfd, no event base). */
ADIT_MUST_USE adit_err adit_worker_new(const struct adit_worker_config *cfg,
                                       struct adit_worker **out);

/* Everything on it must have been freed or retired; reaps the retired. */
void adit_worker_free(struct adit_worker *w);

/* Run until _stop.  Kind OWN only. */
void adit_worker_run(struct adit_worker *w);

/* Leave _run at the end of this turn. */
void adit_worker_stop(struct adit_worker *w);

/*
 * Do what the end of a turn would do, until nothing is left of it: mail,
 * what is due, tasks, the retired.  Before _free, where things that were
 * closed must be gone.  Not from inside a turn's end.
 */
void adit_worker_settle(struct adit_worker *w);

/*
 * Run `fn` where nothing of the worker's is on the stack: now, or if a turn's
 * end is running, right behind it.  It may free the worker.  Once.
 */
void adit_worker_leave(struct adit_worker *w, void (*fn)(void *ctx),
                       void *ctx);

/* One turn at `now`; kind HAND only.  True: it did something. */
bool adit_worker_turn(struct adit_worker *w, struct adit_instant now,
                      int64_t now_unix_s);

/* Kind HAND: the least deadline; ADIT_NEVER if there is none.  `now` if a
 * task or message waits. */
struct adit_instant adit_worker_due(const struct adit_worker *w);

/* The instant and the wall clock of this turn. */
struct adit_instant adit_worker_now(const struct adit_worker *w);
int64_t adit_worker_unix_s(const struct adit_worker *w);

/* What every object on the worker needs.  Borrowed. */
struct adit_mem *adit_worker_mem(const struct adit_worker *w);
struct adit_pool *adit_worker_pool(struct adit_worker *w);
const struct adit_rng *adit_worker_rng(const struct adit_worker *w);
const struct adit_log *adit_worker_log(const struct adit_worker *w);
struct event_base *adit_worker_base(const struct adit_worker *w);

/*
 * The worker's scratch: where its descriptors are read into.  Bytes in front
 * of what was read are dead and may be overwritten: ADIT_SCRATCH_HEAD of
 * them at least.
 */
#define ADIT_SCRATCH_HEAD_BYTES (2 * 65664)
#define ADIT_SCRATCH_BODY_BYTES 262144
/* At the body; NULL: no memory for it, ask again later. */
uint8_t *adit_worker_scratch(struct adit_worker *w);

/*
 * `n` bytes were just read from a descriptor.  A worker that coalesces and
 * moves bytes in bulk, but few at a time, rests a moment between its turns:
 * what arrives meanwhile shares a wake-up, a read and a write.  It never does
 * so below ADIT_COALESCE_RATE, so a quiet node answers at once.
 */
#define ADIT_COALESCE_RATE (100 * 1000 * 1000) /* bytes a second */
void adit_worker_moved(struct adit_worker *w, size_t n);

/* ---- timers ---------------------------------------------------------- */

/* Zeroed is fine: not armed.  Its storage is the caller's. */
struct adit_timer {
    struct adit_heap_node node;
    void (*fn)(void *ctx);
    void *ctx;
};

/*
 * Arm or move.  `fn` runs once, at or after `due`, never inside this call.
 * ADIT_ENOMEM: it could not be armed; moving an armed one never fails.
 */
ADIT_MUST_USE adit_err adit_timer_set(struct adit_worker *w,
                                      struct adit_timer *t,
                                      struct adit_instant due);
void adit_timer_stop(struct adit_worker *w, struct adit_timer *t);
static inline bool
adit_timer_is_set(const struct adit_timer *t)
{
    return t->node.at != 0;
}

/* ---- tasks: at the end of this turn ---------------------------------- */

struct adit_task {
    struct adit_list link;
    void (*fn)(void *ctx);
    void *ctx;
};

/*
 * Run `fn` once at the end of this turn (or soon, if none is under way).  A
 * task that is posted already stays where it is.  A task posted by a task
 * runs in the same turn's end, up to a bound, then in the next turn.
 */
void adit_task_post(struct adit_worker *w, struct adit_task *t);
void adit_task_cancel(struct adit_task *t);

/* ---- retire: destroy at the end of this turn ------------------------- */

struct adit_retiree {
    struct adit_list link;
    void (*fn)(void *ctx); /* frees it */
    void *ctx;
    const char *file; /* of the first call */
    int line;
};

/*
 * The only way to destroy what the loop knows.  A second call on the same
 * object is a bug: logged with both places, and ignored.
 */
#define adit_retire(w, r, fn, ctx)                                            \
    adit_retire_at((w), (r), (fn), (ctx), __FILE__, __LINE__)
void adit_retire_at(struct adit_worker *w, struct adit_retiree *r,
                    void (*fn)(void *ctx), void *ctx, const char *file,
                    int line);
static inline bool
adit_is_retired(const struct adit_retiree *r)
{
    return r->file != NULL;
}

/* ---- mailbox: from any thread ---------------------------------------- */

/* Lies inside the object that is sent, so posting cannot fail. */
struct adit_msg {
    struct adit_msg *next;
    /* Runs on the receiving worker; owns the message from then on. */
    void (*fn)(struct adit_worker *w, struct adit_msg *m);
};

/* Any thread.  The message must not be posted already. */
void adit_worker_post(struct adit_worker *w, struct adit_msg *m);

/* ---- descriptors ------------------------------------------------------ */

enum { ADIT_FD_READ = 1, ADIT_FD_WRITE = 2 };

struct adit_fd; /* level-triggered watch; some 170 bytes */

/*
 * `fn` is told which of READ and WRITE are ready.  Waits for none at first.
 * ADIT_ENOMEM, ADIT_EIO; ADIT_ESTATE on a worker of kind HAND.
 */
ADIT_MUST_USE adit_err adit_fd_new(struct adit_worker *w, int fd,
                                   void (*fn)(void *ctx, int ready), void *ctx,
                                   struct adit_fd **out);
/* Which of READ and WRITE to wait for; 0: none. */
void adit_fd_want(struct adit_fd *f, int want);
/* The descriptor itself is the caller's.  NULL is fine. */
void adit_fd_free(struct adit_fd *f);

#endif
