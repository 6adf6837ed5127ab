/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * notify: what a service manager is told (sd_notify(3)), and what it gives
 * us: sockets (sd_listen_fds(3)).
 *
 * The protocol is a datagram of VARIABLE=value lines to $NOTIFY_SOCKET, which
 * may be abstract.  Without one, every call does nothing.  Never blocks.
 * Thread: one owner.
 */
#ifndef ADIT_DAEMON_NOTIFY_H
#define ADIT_DAEMON_NOTIFY_H

#include "base/err.h"

#include <sys/socket.h>
#include <sys/un.h>

struct adit_notify {
    int fd; /* -1: nobody is to be told */
    struct sockaddr_un to;
    socklen_t to_bytes;
    int64_t watchdog_us; /* feed it within this; 0: it does not ask */
};

/* From the environment; what is wrong there leaves it silent. */
void adit_notify_init(struct adit_notify *n);
void adit_notify_fini(struct adit_notify *n);

/* "READY=1" for example; several lines are parted by newlines. */
void adit_notify_send(struct adit_notify *n, const char *fmt, ...)
    ADIT_PRINTF(2, 3);

/* RELOADING=1, with the time that systemd wants to know. */
void adit_notify_reloading(struct adit_notify *n);

/* More are closed, and counted. */
#define ADIT_SOCKETS_MAX 8

/* Listening sockets that were given to us, by what they are for. */
struct adit_sockets {
    int relay[ADIT_SOCKETS_MAX];
    size_t n_relay;
    int admin;      /* named "admin"; -1: none */
    size_t n_unfit; /* no listening stream sockets, or too many; closed */
};

/* Take them, if $LISTEN_PID is us; the variables are unset. */
void adit_sockets_take(struct adit_sockets *s);

#endif
