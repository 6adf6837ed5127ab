/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * daemon: what the phases of aditd share.  main makes and ends it, serve runs
 * it, reload changes its settings.
 *
 * Thread: the main one, but where it says otherwise.
 */
#ifndef ADIT_DAEMON_DAEMON_H
#define ADIT_DAEMON_DAEMON_H

#include "admin/admin.h"
#include "daemon/conf.h"
#include "daemon/help.h"
#include "daemon/logger.h"
#include "daemon/notify.h"
#include "daemon/privs.h"
#include "embed/pulse.h"

enum adit_daemon_task { ADIT_TASK_SERVE, ADIT_TASK_CHECK, ADIT_TASK_PRINT };

struct adit_daemon {
    char *const *argv;
    const char *file; /* of -c; NULL: none */
    enum adit_daemon_task task;
    struct adit_settings *settings; /* as read last */
    struct adit_settings *started;  /* as it started; may be the same */
    struct adit_logger logger;
    struct adit_notify notify;
    struct adit_sockets given;
    struct adit_privs privs;
    adit_key *key;
    char peer[ADIT_PEER_ID_BYTES];
    int signal_fd;
    adit_node *node;
    struct adit_admin *admin;
    struct adit_mailbox tasks; /* of the admin door, from the worker */
    bool has_tasks;            /* `tasks` was made */
    uint64_t generation;       /* of the settings in force; 1: the first */
    struct adit_pulse pulse;
    bool is_ready;
    bool is_over;
    int exit_code;
};

/* ---- serve ------------------------------------------------------------------- */

/* The events of adit_node_new(); ctx is the daemon. */
void adit_serve_events(struct adit_daemon *d, struct adit_events *ev);
/* For adit_admin_new(), on the worker; ctx is the daemon. */
void adit_serve_on_task(void *ctx, enum adit_admin_task task, uint64_t token);
/* Until it is over. */
void adit_serve(struct adit_daemon *d);
/* Tasks that nobody waits for any more. */
void adit_serve_drop_tasks(struct adit_daemon *d);

/* ---- reload ------------------------------------------------------------------ */

#define ADIT_RELOAD_WHY_BYTES 512

/*
 * Read file, environment and arguments again, and take what they say: all of
 * it, or nothing.  Both are logged.  *json, to be freed, says what changed.
 *
 *   ADIT_EINVAL  `why` says what is wrong and in which line; nothing changed
 *   ADIT_ENOMEM  likewise
 */
ADIT_MUST_USE adit_err adit_reload(struct adit_daemon *d, char **json,
                                   char why[ADIT_RELOAD_WHY_BYTES]);

/* `settings` are in force from now on: the door shows since when. */
void adit_reload_mark(struct adit_daemon *d);

/* The configuration in force, as JSON to be freed; NULL: no memory. */
char *adit_reload_show(const struct adit_daemon *d);

/* Where the option stands that `why` begins with; NULL: nowhere. */
const char *adit_reload_source(const struct adit_settings *s, const char *why);

#endif
