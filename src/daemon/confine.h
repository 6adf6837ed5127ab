/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * confine: what whoever takes over a running relay can still reach.
 *
 * Files by Landlock: a set of folders, for this thread and those it starts,
 * so it comes before any.  System calls by seccomp: a list of what a relay
 * needs, for all threads, once it serves; listening, executing and tracing
 * are not in it.
 *
 * A call that is not listed answers ENOSYS, as on a kernel without it, so
 * that a newer C library falls back and the relay goes on; to execute a
 * program, or to look into another process, ends it (SIGSYS): nothing that
 * is ours ever does that.  Sanitized builds, which do, are not confined.
 */
#ifndef ADIT_DAEMON_CONFINE_H
#define ADIT_DAEMON_CONFINE_H

#include "base/err.h"

/* Folders and files that stay within reach; those that are not there are
 * skipped. */
#define ADIT_CONFINE_MAX_PATHS 64
#define ADIT_CONFINE_PATH_BYTES 1024

struct adit_confine_paths {
    struct {
        char path[ADIT_CONFINE_PATH_BYTES];
        bool may_write;
    } v[ADIT_CONFINE_MAX_PATHS];
    size_t n;
    bool is_full; /* one did not fit: confine no files, and say so */
};

void adit_confine_add(struct adit_confine_paths *p, const char *path,
                      bool may_write);
/* The folder that `file` is in, with links followed. */
void adit_confine_add_folder_of(struct adit_confine_paths *p, const char *file,
                                bool may_write);

#define ADIT_CONFINE_WHY_BYTES 128

/*
 * *abi is the kernel's version of Landlock that is used.  ADIT_EIO: it has
 * none, or refuses; nothing is confined, `why` says why.
 */
ADIT_MUST_USE adit_err adit_confine_files(const struct adit_confine_paths *p,
                                          int *abi,
                                          char why[ADIT_CONFINE_WHY_BYTES]);

/* For every thread.  Answers likewise. */
ADIT_MUST_USE adit_err adit_confine_calls(char why[ADIT_CONFINE_WHY_BYTES]);

#endif
