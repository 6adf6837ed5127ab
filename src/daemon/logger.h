/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * logger: lines on stderr, `event key=value` or JSON, one write each.
 *
 * With a UTC timestamp and the level in front; below systemd's journal, which
 * has both, with its level prefix.  Once started a thread of its own writes
 * them, so whoever does not read our stderr holds up nobody: what does not
 * fit the queue is dropped and counted (log.dropped).  Thread: any, but for
 * _start, _stop and _set.
 */
#ifndef ADIT_DAEMON_LOGGER_H
#define ADIT_DAEMON_LOGGER_H

#include <adit/adit.h>

#include "base/log.h"
#include "loop/mailbox.h"
#include "loop/worker.h"

#include <stdatomic.h>

/* Lines that wait for a slow reader: some thousand. */
#define ADIT_LOGGER_QUEUE_BYTES (1024 * 1024)

struct adit_logger {
    struct adit_log log; /* to make lines of our own with */
    bool is_journal;
    atomic_bool is_json;
    bool is_started; /* set before there is another thread */
    pthread_t thread;
    struct adit_mailbox box; /* lines, for the thread */
    struct adit_mailbox end; /* polls readable when the thread is through */
    struct adit_msg bye, over;
    atomic_size_t queued_bytes;
    atomic_ullong n_dropped;
};

void adit_logger_init(struct adit_logger *l);
void adit_logger_set(struct adit_logger *l, enum adit_level level,
                     bool is_json);

/* From here on nobody waits for stderr.  ADIT_EIO: no thread. */
ADIT_MUST_USE adit_err adit_logger_start(struct adit_logger *l);

/*
 * Write what waits, and end the thread.  False: nobody reads, and the thread
 * hangs; then end the process by _exit().
 */
bool adit_logger_stop(struct adit_logger *l);

/* For adit_config_set_log(); ctx is the logger. */
void adit_logger_sink(void *ctx, enum adit_level level, const char *line);

#endif
