/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * clerk: the ledger's own thread: a queue of jobs in front of one store.
 *
 * Two mailboxes are all that leads in and out: its worker's, and that of the
 * worker that made it.  It logs nothing and keeps no clock but its own:
 * whatever is to be said goes back in the job.
 */
#ifndef ADIT_LEDGER_CLERK_H
#define ADIT_LEDGER_CLERK_H

#include "ledger/backend.h"
#include "loop/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>

/* How long closing waits for what is pending. */
#define ADIT_CLERK_CLOSE_US (5 * ADIT_S)

/* After this the thread hangs in a call that does not return (a file on a
 * server that is gone).  Less than an init system waits for us. */
#define ADIT_CLERK_HANG_US (10 * ADIT_S)

/* Between the thread and its home's mailbox. */
enum adit_clerk_door { ADIT_DOOR_OPEN, ADIT_DOOR_IN_USE, ADIT_DOOR_SHUT };

struct adit_clerk {
    struct adit_mem mem; /* the thread's own */
    struct adit_worker *w, *home;
    const struct adit_backend *backend;
    struct adit_store *store;
    pthread_t thread;
    struct adit_list queue; /* struct adit_job */
    struct adit_job *job;   /* the store has it */
    /* Batches that were answered with a failure.  Each comes again, or lies
     * in the mailbox of `home` when that closes. */
    struct adit_list failed;
    struct adit_task next;
    bool is_closing;
    struct adit_instant close_by;
    struct adit_timer timer; /* closing: the end, or the next try */
    struct adit_msg quit;
    int64_t hang_us;
    atomic_bool is_quitting;   /* said before `quit` is read */
    atomic_int door;           /* enum adit_clerk_door */
    struct adit_mailbox ended; /* the thread's last word, `bye` */
    struct adit_msg bye;
};

/* Open the store and start the thread.  As adit_ledger_open. */
ADIT_MUST_USE adit_err adit_clerk_open(struct adit_clerk *d,
                                       struct adit_worker *home,
                                       const struct adit_backend *backend,
                                       const struct adit_ledger_config *cfg,
                                       const uint8_t instance[static 16],
                                       char why[ADIT_LEDGER_WHY_TEXT_BYTES]);

/*
 * Do what is in the queue, for ADIT_CLERK_CLOSE_US at most, and end the
 * thread.  Each job was then answered and lies in the mailbox of `home`; what
 * could not be done has failed.
 *
 * False: it hangs, and is left to itself.  It may go on with `d` and the jobs
 * that it has at any time, so these must stay for good; `home` it does not
 * touch any more.
 */
ADIT_MUST_USE bool adit_clerk_close(struct adit_clerk *d);

/* It comes back to `fn`, on `home`. */
void adit_clerk_post(struct adit_clerk *d, struct adit_job *job,
                     void (*fn)(struct adit_worker *w, struct adit_msg *m));

/* For the store: the job under way is done; `why` unless ADIT_OK. */
void adit_clerk_done(struct adit_clerk *d, adit_err e, const char *why);

#endif
