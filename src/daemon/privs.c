/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/privs.h"

#include "base/opt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

ADIT_PRINTF(2, 3)
static void
say(char why[ADIT_PRIVS_WHY_BYTES], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, ADIT_PRIVS_WHY_BYTES, fmt, ap);
    va_end(ap);
}

adit_err
adit_privs_find(struct adit_privs *p, const char *user, const char *group,
                char why[ADIT_PRIVS_WHY_BYTES])
{
    const struct passwd *pw;
    const struct group *gr;

    memset(p, 0, sizeof(*p));
    if (user[0] == '\0' || geteuid() != 0)
        return ADIT_OK;
    pw = getpwnam(user);
    if (pw == NULL) {
        say(why, "run.user: there is no user '%.60s'", user);
        return ADIT_EINVAL;
    }
    if (pw->pw_uid == 0) {
        say(why, "run.user: '%.60s' is root; name another", user);
        return ADIT_EINVAL;
    }
    p->uid = pw->pw_uid;
    p->gid = pw->pw_gid;
    if (group[0] != '\0') {
        gr = getgrnam(group);
        if (gr == NULL) {
            say(why, "run.group: there is no group '%.60s'", group);
            return ADIT_EINVAL;
        }
        p->gid = gr->gr_gid;
    }
    snprintf(p->user, sizeof(p->user), "%s", user);
    p->is_wanted = true;
    return ADIT_OK;
}

/* ---- folders --------------------------------------------------------------- */

static void
folder_of(const char *file, char out[ADIT_OPT_TEXT_BYTES])
{
    const char *slash = strrchr(file, '/');

    if (slash == NULL)
        snprintf(out, ADIT_OPT_TEXT_BYTES, ".");
    else
        snprintf(out, ADIT_OPT_TEXT_BYTES, "%.*s",
                 slash == file ? 1 : (int)(slash - file), file);
}

adit_err
adit_privs_make_dir(const struct adit_privs *p, const char *file, mode_t mode,
                    char why[ADIT_PRIVS_WHY_BYTES])
{
    char dir[ADIT_OPT_TEXT_BYTES];
    struct stat st;

    folder_of(file, dir);
    if (stat(dir, &st) == 0)
        return ADIT_OK;
    if (mkdir(dir, mode) != 0 ||
        (p->is_wanted && chown(dir, p->uid, p->gid) != 0)) {
        say(why, "%.200s cannot be made: %s", dir, strerror(errno));
        return ADIT_EIO;
    }
    return ADIT_OK;
}

adit_err
adit_privs_check_dir(const char *file, char why[ADIT_PRIVS_WHY_BYTES])
{
    char dir[ADIT_OPT_TEXT_BYTES];

    folder_of(file, dir);
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0)
        return ADIT_OK;
    say(why, "user %u may not write to %.200s: %s", (unsigned)geteuid(), dir,
        strerror(errno));
    return ADIT_EDENIED;
}

/* ---- ports ----------------------------------------------------------------- */

/* Below this a port takes CAP_NET_BIND_SERVICE, unless the system was told
 * otherwise; binding one more than need be does no harm. */
#define FIRST_FREE_PORT 1024

/* Connections that wait to be accepted; the kernel caps it (somaxconn). */
#define BACKLOG 4096

/* "/ip4/0.0.0.0/tcp/443"; false: another kind of address. */
static bool
parse_address(const char *text, size_t n, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    char copy[128], family, ip[64];
    unsigned port;
    int end = 0;

    memset(out, 0, sizeof(*out));
    if (n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (sscanf(copy, "/ip%c/%63[^/]/tcp/%u%n", &family, ip, &port, &end) !=
            3 ||
        copy[end] != '\0' || port > 65535)
        return false;
    if (family == '4') {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return inet_pton(AF_INET, ip, &four->sin_addr) == 1;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return family == '6' && inet_pton(AF_INET6, ip, &six->sin6_addr) == 1;
}

static bool
is_low(const struct sockaddr_storage *a)
{
    /* The port is at the same place in both. */
    unsigned port = ntohs(((const struct sockaddr_in *)a)->sin_port);

    return port > 0 && port < FIRST_FREE_PORT;
}

static int
bind_one(const struct sockaddr_storage *a)
{
    int on = 1, saved;
    int fd =
        socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (a->ss_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)a,
             a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                      : sizeof(struct sockaddr_in)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

adit_err
adit_privs_bind(const char *list, int fds[ADIT_PRIVS_LOW_PORTS], size_t *n,
                char why[ADIT_PRIVS_WHY_BYTES])
{
    struct sockaddr_storage a;
    const char *item;
    size_t at = 0, len;

    *n = 0;
    while ((len = adit_opt_item(list, &at, &item)) > 0) {
        if (!parse_address(item, len, &a) || !is_low(&a))
            continue;
        if (*n == ADIT_PRIVS_LOW_PORTS) {
            say(why, "listen.tcp: more than %d ports below %d",
                ADIT_PRIVS_LOW_PORTS, FIRST_FREE_PORT);
            return ADIT_EIO;
        }
        fds[*n] = bind_one(&a);
        if (fds[*n] < 0) {
            say(why, "listen.tcp: cannot listen on %.*s: %s",
                (int)ADIT_MIN(len, (size_t)120), item, strerror(errno));
            return ADIT_EIO;
        }
        ++*n;
    }
    return ADIT_OK;
}

/* ---- dropping -------------------------------------------------------------- */

adit_err
adit_privs_drop(const struct adit_privs *p, char why[ADIT_PRIVS_WHY_BYTES])
{
    uid_t u[3];
    gid_t g[3];

    if (!p->is_wanted)
        return ADIT_OK;
    if (initgroups(p->user, p->gid) != 0 ||
        setresgid(p->gid, p->gid, p->gid) != 0 ||
        setresuid(p->uid, p->uid, p->uid) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        say(why, "run.user: cannot become %s: %s", p->user, strerror(errno));
        return ADIT_EIO;
    }
    if (getresuid(&u[0], &u[1], &u[2]) != 0 ||
        getresgid(&g[0], &g[1], &g[2]) != 0 || u[0] != p->uid ||
        u[1] != p->uid || u[2] != p->uid || g[0] != p->gid || g[1] != p->gid ||
        g[2] != p->gid || setuid(0) == 0 || seteuid(0) == 0 ||
        setgroups(0, NULL) == 0) {
        say(why, "run.user: the way back from %s to root is still open",
            p->user);
        return ADIT_EIO;
    }
    return ADIT_OK;
}
