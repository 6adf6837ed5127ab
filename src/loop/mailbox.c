/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "loop/mailbox.h"

#include "loop/worker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

adit_err
adit_mailbox_init(struct adit_mailbox *b, bool with_fd)
{
    *b = (struct adit_mailbox){ .fd = -1 };
    if (with_fd) {
        b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (b->fd < 0)
            return ADIT_EIO;
    }
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        if (b->fd >= 0)
            close(b->fd);
        return ADIT_EIO;
    }
    return ADIT_OK;
}

void
adit_mailbox_fini(struct adit_mailbox *b)
{
    adit_assert(b->head == NULL);
    pthread_mutex_destroy(&b->lock);
    if (b->fd >= 0)
        close(b->fd);
}

void
adit_mailbox_post(struct adit_mailbox *b, struct adit_msg *m)
{
    bool wake;

    m->next = NULL;
    pthread_mutex_lock(&b->lock);
    wake = b->head == NULL;
    if (wake)
        b->head = m;
    else
        b->tail->next = m;
    b->tail = m;
    /*
     * Written with the lock held: as soon as it is released the receiver may
     * take the last message and close the descriptor.
     */
    if (wake && b->fd >= 0) {
        uint64_t one = 1;
        ssize_t n;

        do
            n = write(b->fd, &one, sizeof(one));
        while (n < 0 && errno == EINTR);
        /* EAGAIN: the counter is at its top, so it polls readable. */
    }
    pthread_mutex_unlock(&b->lock);
}

struct adit_msg *
adit_mailbox_take(struct adit_mailbox *b)
{
    struct adit_msg *all;

    pthread_mutex_lock(&b->lock);
    all = b->head;
    b->head = b->tail = NULL;
    if (b->fd >= 0 && all != NULL) {
        uint64_t count;
        ssize_t n;

        do
            n = read(b->fd, &count, sizeof(count));
        while (n < 0 && errno == EINTR);
    }
    pthread_mutex_unlock(&b->lock);
    return all;
}

bool
adit_mailbox_is_empty(struct adit_mailbox *b)
{
    bool empty;

    pthread_mutex_lock(&b->lock);
    empty = b->head == NULL;
    pthread_mutex_unlock(&b->lock);
    return empty;
}
