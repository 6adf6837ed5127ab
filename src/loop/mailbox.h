/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * mailbox: a queue that any thread may put into and one takes from, whole.
 *
 * The one place in this ring with a lock.  Messages are linked through
 * themselves, so putting cannot fail.  An eventfd polls readable while there
 * is something to take; it is written only when the queue was empty.
 */
#ifndef ADIT_LOOP_MAILBOX_H
#define ADIT_LOOP_MAILBOX_H

#include "base/err.h"

#include <pthread.h>

struct adit_msg;

struct adit_mailbox {
    pthread_mutex_t lock;
    struct adit_msg *head, *tail;
    int fd; /* -1: nobody polls */
};

/* `with_fd`: somebody polls.  ADIT_EIO: no eventfd, no mutex. */
ADIT_MUST_USE adit_err adit_mailbox_init(struct adit_mailbox *b, bool with_fd);

/* It must be empty. */
void adit_mailbox_fini(struct adit_mailbox *b);

/* Any thread. */
void adit_mailbox_post(struct adit_mailbox *b, struct adit_msg *m);

/* All that is in it, in the order of posting, linked by `next`; or NULL. */
struct adit_msg *adit_mailbox_take(struct adit_mailbox *b);

bool adit_mailbox_is_empty(struct adit_mailbox *b);

#endif
