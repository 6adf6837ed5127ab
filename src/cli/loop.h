/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * loop: poll() over some descriptors and timers.
 *
 * Descriptors are never made non-blocking here: a terminal is shared with the
 * shell.  A watch with no events is not polled at all, so that a hung-up pipe
 * that nobody reads costs nothing.
 */
#ifndef ADIT_CLI_LOOP_H
#define ADIT_CLI_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adit_cli_watch {
    int fd;
    short events; /* of poll(); may be changed at any time */
    void (*fn)(void *ctx, short revents);
    void *ctx;
    struct adit_cli_watch *next;
    bool is_gone;
};

struct adit_cli_timer {
    int64_t at_us;
    void (*fn)(void *ctx);
    void *ctx;
    struct adit_cli_timer *next;
    bool is_set;
};

struct adit_cli_loop {
    struct adit_cli_watch *watches;
    struct adit_cli_timer *timers;
    struct pollfd *polls;
    size_t cap;
    bool is_over;
};

/* NULL: no memory. */
struct adit_cli_watch *adit_cli_watch(struct adit_cli_loop *l, int fd,
                                      short events,
                                      void (*fn)(void *ctx, short revents),
                                      void *ctx);
/* NULL is fine; from within a callback too. */
void adit_cli_unwatch(struct adit_cli_watch *w);

/* Storage is the caller's; a timer that is set is moved. */
void adit_cli_after(struct adit_cli_loop *l, struct adit_cli_timer *t,
                    int64_t us, void (*fn)(void *ctx), void *ctx);
void adit_cli_unset(struct adit_cli_loop *l, struct adit_cli_timer *t);

/* CLOCK_MONOTONIC. */
int64_t adit_cli_now_us(void);

/* Until is_over.  False: it could not go on; errno. */
bool adit_cli_run(struct adit_cli_loop *l);
void adit_cli_loop_fini(struct adit_cli_loop *l);

#endif
