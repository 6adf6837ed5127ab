/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * proc: what the kernel says of this process: descriptors, memory, time.
 *
 * /proc is opened once, before a process confines itself, and read from
 * then on.  What cannot be had is not known, and no error.
 * Thread: one worker.
 */
#ifndef ADIT_ADMIN_PROC_H
#define ADIT_ADMIN_PROC_H

#include "base/time.h"
#include "metrics/metrics.h"

struct adit_proc {
    int stat_fd;        /* /proc/self/stat; -1 */
    void *fds;          /* /proc/self/fd, a DIR; NULL */
    uint64_t n_fds_max; /* 0: not known */
    int64_t ticks_s, page_bytes;
};

void adit_proc_open(struct adit_proc *p);
/* Fine on a zeroed one. */
void adit_proc_close(struct adit_proc *p);

/* Fills in START_TIME, CPU, OPEN_FDS, MAX_FDS and RESIDENT. */
void adit_proc_read(struct adit_proc *p, struct adit_instant now,
                    int64_t now_unix_s, struct adit_scraped *out);

/* The same from the text of /proc/self/stat: the first, second and last.
 * False: it has another form. */
bool adit_proc_parse(const char *stat, int64_t ticks_s, int64_t page_bytes,
                     struct adit_instant now, int64_t now_unix_s,
                     struct adit_scraped *out);

#endif
