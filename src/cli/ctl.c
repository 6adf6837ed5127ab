/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/ctl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* aditd itself gives up after 30 s, and says so. */
#define ANSWER_MS 40000

/* One line; the configuration is the longest. */
#define LINE_BYTES (8 * 1024 * 1024)

struct adit_cli_arg
adit_cli_ctl_arg(const char **path)
{
    return (struct adit_cli_arg){
        "socket",      's',
        ADIT_CLI_TEXT, path,
        "PATH",        "the control socket (" ADIT_CLI_SOCKET "; $ADIT_SOCKET)"
    };
}

int64_t
adit_cli_int(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

const char *
adit_cli_str(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

/* ---- connecting ---------------------------------------------------------------------- */

/* Who may, if that can be seen. */
static int
not_permitted(struct adit_cli *c, const char *path)
{
    struct stat st;
    const struct passwd *user;
    const struct group *group;

    if (stat(path, &st) != 0) {
        adit_cli_error(c,
                       "not permitted to reach %s: try it as root, or as "
                       "aditd's own user",
                       path);
        return ADIT_CLI_REFUSED;
    }
    user = getpwuid(st.st_uid);
    group = getgrgid(st.st_gid);
    if ((st.st_mode & S_IWGRP) != 0 && group != NULL)
        adit_cli_error(c,
                       "not permitted: %s is for members of the group %s "
                       "(and for %s and root)",
                       path, group->gr_name,
                       user != NULL ? user->pw_name : "its owner");
    else
        adit_cli_error(c, "not permitted: %s is for %s and root", path,
                       user != NULL ? user->pw_name : "its owner");
    return ADIT_CLI_REFUSED;
}

static int
not_connected(struct adit_cli *c, const char *path)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return not_permitted(c, path);
    case ENOENT:
        adit_cli_error(c,
                       "no aditd answers: there is no socket %s; is it "
                       "running, with admin.socket set to this path?",
                       path);
        break;
    case ECONNREFUSED:
        adit_cli_error(c, "no aditd answers: %s was left by one that is gone",
                       path);
        break;
    default:
        adit_cli_error(c, "cannot connect to %s: %s", path, strerror(errno));
        break;
    }
    return ADIT_CLI_CONNECT;
}

int
adit_cli_ctl_open(struct adit_cli_ctl *ctl, struct adit_cli *c,
                  const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    if (path == NULL)
        path = getenv("ADIT_SOCKET");
    if (path == NULL || path[0] == '\0')
        path = ADIT_CLI_SOCKET;
    *ctl =
        (struct adit_cli_ctl){ .c = c, .path = path, .fd = -1, .stop_fd = -1 };
    if (strlen(path) >= sizeof(at.sun_path)) {
        adit_cli_error(c, "%s: a socket's path may have %zu bytes", path,
                       sizeof(at.sun_path) - 1);
        return ADIT_CLI_USAGE;
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ctl->fd >= 0 &&
        connect(ctl->fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
        return ADIT_CLI_OK;
    return not_connected(c, path);
}

void
adit_cli_ctl_close(struct adit_cli_ctl *ctl)
{
    if (ctl->fd >= 0)
        close(ctl->fd);
    ctl->fd = -1;
    free(ctl->buf);
    ctl->buf = NULL;
    ctl->n = ctl->room = 0;
}

/* ---- what it says --------------------------------------------------------------------- */

/* C0, DEL, and C1 as UTF-8 has it: none of them is for a terminal. */
static void
make_plain(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
        if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
    }
}

/* NULL: out of memory. */
static json_t *
plain_string(const json_t *v)
{
    char *text = strdup(json_string_value(v));
    json_t *plain = NULL;

    if (text != NULL) {
        make_plain(text);
        plain = json_string(text);
    }
    free(text);
    return plain;
}

/* The strings in `v`, for people: they command no terminal.  It is as deep
 * as jansson reads at most. */
static bool
clean(json_t *v)
{
    const char *key;
    json_t *in;
    size_t i;

    json_object_foreach(v, key, in)
    {
        if (json_is_string(in)
                ? json_object_set_new(v, key, plain_string(in)) != 0
                : !clean(in))
            return false;
    }
    json_array_foreach(v, i, in)
    {
        if (json_is_string(in)
                ? json_array_set_new(v, i, plain_string(in)) != 0
                : !clean(in))
            return false;
    }
    return true;
}

/* ---- talking ---------------------------------------------------------------------------- */

static void
before_error(struct adit_cli_ctl *ctl)
{
    if (ctl->on_error != NULL)
        ctl->on_error(ctl->ctx);
}

static int
lost(struct adit_cli_ctl *ctl, const char *why)
{
    before_error(ctl);
    adit_cli_error(ctl->c, "aditd at %s %s", ctl->path, why);
    return ADIT_CLI_CONNECT;
}

/* It may answer and close before it has read us: what it says comes later. */
static void
say(struct adit_cli_ctl *ctl, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t k = send(ctl->fd, text, n, MSG_NOSIGNAL);

        if (k < 0 && errno != EINTR)
            return;
        if (k > 0) {
            text += k;
            n -= (size_t)k;
        }
    }
}

static int
receive(struct adit_cli_ctl *ctl)
{
    struct pollfd p[2] = { { .fd = ctl->fd, .events = POLLIN },
                           { .fd = ctl->stop_fd, .events = POLLIN } };
    int ready = poll(p, 2, ANSWER_MS);
    ssize_t n;

    if (ready < 0 && errno == EINTR)
        return ADIT_CLI_OK;
    if (ready <= 0)
        return lost(ctl, "does not answer");
    if (p[1].revents != 0)
        return -1;
    if (ctl->n + 65536 > ctl->room) {
        size_t room = 2 * ctl->room + 65536;
        char *more = room <= LINE_BYTES ? realloc(ctl->buf, room) : NULL;

        if (more == NULL)
            return lost(ctl, "says more than fits");
        ctl->buf = more;
        ctl->room = room;
    }
    n = recv(ctl->fd, ctl->buf + ctl->n, ctl->room - ctl->n, 0);
    if (n < 0 && errno == EINTR)
        return ADIT_CLI_OK;
    if (n <= 0)
        return lost(ctl, "has ended the conversation");
    ctl->n += (size_t)n;
    return ADIT_CLI_OK;
}

/* The next line as JSON; the caller's. */
static int
next_line(struct adit_cli_ctl *ctl, size_t *at, json_t **out)
{
    size_t seen = *at;

    for (;;) {
        const char *end = seen < ctl->n
                              ? memchr(ctl->buf + seen, '\n', ctl->n - seen)
                              : NULL;
        int code;

        if (end != NULL) {
            size_t n = (size_t)(end - ctl->buf) - *at;

            *out = json_loadb(ctl->buf + *at, n, 0, NULL);
            *at += n + 1;
            if (*out == NULL)
                return lost(ctl, "says what is no JSON");
            if (ctl->c->json || clean(*out))
                return ADIT_CLI_OK;
            json_decref(*out);
            adit_cli_error(ctl->c, "out of memory");
            return ADIT_CLI_LOCAL;
        }
        if (*at > 0) {
            memmove(ctl->buf, ctl->buf + *at, ctl->n - *at);
            ctl->n -= *at;
            *at = 0;
        }
        seen = ctl->n;
        code = receive(ctl);
        if (code != ADIT_CLI_OK)
            return code;
    }
}

/* By its name, as it came. */
static adit_err
err_named(const char *name)
{
    for (int e = 0; e > -100; e--)
        if (strcmp(adit_err_name((adit_err)e), name) == 0)
            return (adit_err)e;
    return ADIT_EPROTO;
}

static int
said_no(struct adit_cli_ctl *ctl, const json_t *line)
{
    const char *name = adit_cli_str(line, "error");
    struct adit_cli *c = ctl->c;

    before_error(ctl);
    if (c->json)
        adit_cli_event(c, json_pack("{s:s,s:s,s:s}", "event", "error", "code",
                                    name, "text", adit_cli_str(line, "what")));
    else
        adit_cli_error(c, "%s", adit_cli_str(line, "what"));
    return adit_cli_exit(err_named(name), false);
}

/* It has answered, but. */
static void
warned(struct adit_cli *c, const char *text)
{
    if (text == NULL)
        return;
    if (c->json)
        adit_cli_event(
            c, json_pack("{s:s,s:s}", "event", "warning", "text", text));
    else
        adit_cli_warn(c, "%s", text);
}

int
adit_cli_ctl_ask(struct adit_cli_ctl *ctl, json_t *question,
                 void (*row)(void *ctx, json_t *row), void *ctx, json_t **last)
{
    char *text = question != NULL ? json_dumps(question, JSON_COMPACT) : NULL;
    size_t at = 0;
    int code = ADIT_CLI_OK;
    bool is_over = false;

    json_decref(question);
    if (text == NULL) {
        adit_cli_error(ctl->c, "cannot ask that: out of memory, or an "
                               "argument is no UTF-8");
        return ADIT_CLI_LOCAL;
    }
    say(ctl, text, strlen(text));
    say(ctl, "\n", 1);
    free(text);
    while (code == ADIT_CLI_OK && !is_over) {
        json_t *line = NULL;

        code = next_line(ctl, &at, &line);
        if (code != ADIT_CLI_OK)
            break;
        is_over = true;
        if (json_object_get(line, "error") != NULL) {
            code = said_no(ctl, line);
        } else if (json_object_get(line, "done") != NULL) {
            warned(ctl->c,
                   json_string_value(json_object_get(line, "warning")));
            if (last != NULL)
                *last = json_incref(line);
        } else {
            is_over = false;
            if (row != NULL)
                row(ctx, line);
        }
        json_decref(line);
    }
    if (at > 0) {
        memmove(ctl->buf, ctl->buf + at, ctl->n - at);
        ctl->n -= at;
    }
    return code;
}
