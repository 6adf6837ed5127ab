/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * privs: from root to a user of one's own, for good.
 *
 * While there is one thread only.  Every failure is said in `why`, whole
 * sentences for stderr.
 */
#ifndef ADIT_DAEMON_PRIVS_H
#define ADIT_DAEMON_PRIVS_H

#include "base/err.h"

#include <sys/types.h>

struct adit_privs {
    bool is_wanted; /* we are root, and are to become another */
    uid_t uid;
    gid_t gid;
    char user[64];
};

#define ADIT_PRIVS_WHY_BYTES 320

/* Look up user and group ("": the user's).  ADIT_EINVAL. */
ADIT_MUST_USE adit_err adit_privs_find(struct adit_privs *p, const char *user,
                                       const char *group,
                                       char why[ADIT_PRIVS_WHY_BYTES]);

/*
 * The folder of `file` is there, made if need be (the last name of it only)
 * for whom we become.  ADIT_EIO.
 */
ADIT_MUST_USE adit_err adit_privs_make_dir(const struct adit_privs *p,
                                           const char *file, mode_t mode,
                                           char why[ADIT_PRIVS_WHY_BYTES]);

/* May whom we are write into the folder of `file`?  ADIT_EDENIED. */
ADIT_MUST_USE adit_err adit_privs_check_dir(const char *file,
                                            char why[ADIT_PRIVS_WHY_BYTES]);

/*
 * Listen on those of the multiaddrs in `list` whose port takes a privilege.
 * *n of them, at most ADIT_PRIVS_LOW_PORTS.  ADIT_EIO.
 */
#define ADIT_PRIVS_LOW_PORTS 8
ADIT_MUST_USE adit_err adit_privs_bind(const char *list,
                                       int fds[ADIT_PRIVS_LOW_PORTS],
                                       size_t *n,
                                       char why[ADIT_PRIVS_WHY_BYTES]);

/*
 * Become that user: groups, group, user; checked that no way leads back.
 * ADIT_EIO: end the program.
 */
ADIT_MUST_USE adit_err adit_privs_drop(const struct adit_privs *p,
                                       char why[ADIT_PRIVS_WHY_BYTES]);

#endif
