/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/notify.h"

#include "base/slice.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

/* ---- telling --------------------------------------------------------------- */

/* A variable that is a number; 0: it is none, or not set. */
static uint64_t
number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    uint64_t v;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    v = strtoull(text, &end, 10);
    return *end == '\0' && v < INT64_MAX ? v : 0;
}

void
adit_notify_init(struct adit_notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;
    uint64_t pid = number_in("WATCHDOG_PID");

    memset(n, 0, sizeof(*n));
    n->fd = -1;
    if (len < 2 || len >= sizeof(n->to.sun_path) ||
        (path[0] != '/' && path[0] != '@'))
        return;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, path, len);
    if (path[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd >= 0 && (pid == 0 || pid == (uint64_t)getpid()))
        n->watchdog_us = (int64_t)number_in("WATCHDOG_USEC");
}

void
adit_notify_fini(struct adit_notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

void
adit_notify_send(struct adit_notify *n, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int len;

    if (n->fd < 0)
        return;
    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    len = ADIT_MIN(len, (int)sizeof(text) - 1);
    /* A manager that went away, or is busy, is told the next time. */
    if (sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL,
               (const struct sockaddr *)&n->to, n->to_bytes) < 0)
        return;
}

void
adit_notify_reloading(struct adit_notify *n)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    adit_notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)t.tv_sec * 1000000 +
                         (uint64_t)t.tv_nsec / 1000);
}

/* ---- sockets --------------------------------------------------------------- */

/* sd_listen_fds(3): the first is number 3. */
#define FIRST_FD 3

static bool
is_listening(int fd)
{
    int yes = 0;
    socklen_t n = sizeof(yes);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 &&
           yes != 0;
}

static void
take(struct adit_sockets *s, int fd, struct adit_slice name)
{
    int *place = NULL;

    if (adit_slice_eq(name, adit_slice_str("admin")))
        place = s->admin < 0 ? &s->admin : NULL;
    else if (s->n_relay < ADIT_SOCKETS_MAX)
        place = &s->relay[s->n_relay];
    if (place == NULL || !is_listening(fd) ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        close(fd);
        s->n_unfit++;
        return;
    }
    *place = fd;
    if (place == &s->relay[s->n_relay])
        s->n_relay++;
}

void
adit_sockets_take(struct adit_sockets *s)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n = number_in("LISTEN_FDS");

    *s = (struct adit_sockets){ .admin = -1 };
    if (number_in("LISTEN_PID") == (uint64_t)getpid()) {
        /* More than anybody has open. */
        n = ADIT_MIN(n, (uint64_t)sysconf(_SC_OPEN_MAX));
        for (int i = 0; i < (int)n; i++) {
            size_t len = names != NULL ? strcspn(names, ":") : 0;

            take(s, FIRST_FD + i, adit_slice(names, len));
            if (names != NULL)
                names += len + (names[len] == ':');
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
