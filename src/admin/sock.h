/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * sock: the control socket: who may talk, lines in, lines of JSON out.
 *
 * Knows no command.  A visit asks one thing at a time: an object in one
 * line.  It is answered by any number of objects, a line each, and the last
 * has "done" or "error".  A visitor that does not read what he asked for
 * stops being produced for, and is shown out after a while.
 * Thread: one worker.
 */
#ifndef ADIT_ADMIN_SOCK_H
#define ADIT_ADMIN_SOCK_H

#include "loop/worker.h"

#include <jansson.h>

/* A question; peer ids, names and times fit many times over. */
#define ADIT_SOCK_LINE_BYTES 4096

/* Who may be there at once: a few terminals, a few scripts.  A user has half
 * of the places, so that he cannot lock out another. */
#define ADIT_SOCK_MAX_VISITS 16
#define ADIT_SOCK_MAX_PER_UID 8

struct adit_sock;
struct adit_visit;

/* As the kernel has them, of the moment it connected. */
struct adit_sock_creds {
    uint32_t uid, gid;
    bool in_group; /* a member of the group that was named */
};

struct adit_sock_config {
    const char *path; /* of a socket to bind */
    int fd;           /* bound already and listening, non-blocking; -1 */
    bool has_group;
    uint32_t gid;
    void *ctx;
    /* Instead of root, our own user, and the group's members; NULL. */
    bool (*may)(void *ctx, const struct adit_sock_creds *c);
    /* Answer by _row and then _end or _fail, now or later. */
    void (*ask)(void *ctx, struct adit_visit *v, json_t *question);
    /* There is room again, after _more. */
    void (*more)(void *ctx, struct adit_visit *v);
    /* It is over, the answer not yet given. */
    void (*gone)(void *ctx, struct adit_visit *v);
};

#define ADIT_SOCK_WHY_BYTES 192

/*
 *   ADIT_EFULL    somebody answers at that path
 *   ADIT_EDENIED  no permission
 *   ADIT_EINVAL   what is at the path is no socket, or the path too long
 *   ADIT_EIO ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_sock_open(struct adit_worker *w,
                                      const struct adit_sock_config *cfg,
                                      struct adit_sock **out,
                                      char why[ADIT_SOCK_WHY_BYTES]);
/* Shows everybody out, and removes the path if it is still ours.  NULL is
 * fine. */
void adit_sock_close(struct adit_sock *s);

size_t adit_sock_n_visits(const struct adit_sock *s);

/* ---- an answer ------------------------------------------------------------- */

/* Takes `row`; NULL stands for no memory and ends the visit. */
void adit_visit_row(struct adit_visit *v, json_t *row);
/* Takes `last` (NULL: an empty object), and adds "done". */
void adit_visit_end(struct adit_visit *v, json_t *last);
void adit_visit_fail(struct adit_visit *v, adit_err e, const char *fmt, ...)
    ADIT_PRINTF(3, 4);

/* May another row be made now?  If not, say _more. */
bool adit_visit_has_room(const struct adit_visit *v);
/* Call `more` when there is room, in another turn. */
void adit_visit_more(struct adit_visit *v);

uint32_t adit_visit_uid(const struct adit_visit *v);
/* Anything; NULL at first. */
void adit_visit_set_user(struct adit_visit *v, void *user);
void *adit_visit_user(const struct adit_visit *v);

#endif
