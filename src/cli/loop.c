/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

int64_t
adit_cli_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct adit_cli_watch *
adit_cli_watch(struct adit_cli_loop *l, int fd, short events,
               void (*fn)(void *ctx, short revents), void *ctx)
{
    struct adit_cli_watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->fd = fd;
    w->events = events;
    w->fn = fn;
    w->ctx = ctx;
    w->next = l->watches;
    l->watches = w;
    return w;
}

void
adit_cli_unwatch(struct adit_cli_watch *w)
{
    if (w != NULL)
        w->is_gone = true;
}

void
adit_cli_unset(struct adit_cli_loop *l, struct adit_cli_timer *t)
{
    if (!t->is_set)
        return;
    t->is_set = false;
    for (struct adit_cli_timer **p = &l->timers; *p != NULL; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            return;
        }
}

void
adit_cli_after(struct adit_cli_loop *l, struct adit_cli_timer *t, int64_t us,
               void (*fn)(void *ctx), void *ctx)
{
    struct adit_cli_timer **p = &l->timers;

    adit_cli_unset(l, t);
    t->at_us = adit_cli_now_us() + us;
    t->fn = fn;
    t->ctx = ctx;
    t->is_set = true;
    while (*p != NULL && (*p)->at_us <= t->at_us)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
}

static void
reap(struct adit_cli_loop *l)
{
    struct adit_cli_watch **p = &l->watches;

    while (*p != NULL) {
        struct adit_cli_watch *w = *p;

        if (!w->is_gone) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        free(w);
    }
}

static int
wait_ms(const struct adit_cli_loop *l)
{
    int64_t us;

    if (l->timers == NULL)
        return -1;
    us = l->timers->at_us - adit_cli_now_us();
    if (us <= 0)
        return 0;
    return us / 1000 >= INT_MAX ? INT_MAX : (int)((us + 999) / 1000);
}

static bool
poll_once(struct adit_cli_loop *l)
{
    size_t n = 0, i = 0;
    struct adit_cli_watch *first;

    reap(l);
    for (struct adit_cli_watch *w = l->watches; w != NULL; w = w->next)
        n++;
    if (n > l->cap) {
        struct pollfd *more = realloc(l->polls, n * sizeof(*more));

        if (more == NULL)
            return false;
        l->polls = more;
        l->cap = n;
    }
    first = l->watches;
    for (struct adit_cli_watch *w = first; w != NULL; w = w->next)
        l->polls[i++] = (struct pollfd){
            .fd = w->events != 0 ? w->fd : -1,
            .events = w->events,
        };
    if (poll(l->polls, n, wait_ms(l)) < 0)
        return errno == EINTR;
    /* New watches are put in front of `first`. */
    i = 0;
    for (struct adit_cli_watch *w = first; w != NULL && !l->is_over;
         w = w->next) {
        short got = l->polls[i++].revents;

        if (got != 0 && !w->is_gone && w->events != 0)
            w->fn(w->ctx, got);
    }
    while (l->timers != NULL && !l->is_over &&
           l->timers->at_us <= adit_cli_now_us()) {
        struct adit_cli_timer *t = l->timers;

        l->timers = t->next;
        t->is_set = false;
        t->fn(t->ctx);
    }
    return true;
}

bool
adit_cli_run(struct adit_cli_loop *l)
{
    while (!l->is_over)
        if (!poll_once(l))
            return false;
    return true;
}

void
adit_cli_loop_fini(struct adit_cli_loop *l)
{
    for (struct adit_cli_watch *w = l->watches; w != NULL; w = w->next)
        w->is_gone = true;
    reap(l);
    free(l->polls);
    l->polls = NULL;
    l->timers = NULL;
}
