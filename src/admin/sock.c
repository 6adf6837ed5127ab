/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/sock.h"

#include "admin/gate.h"
#include "admin/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Between two questions: a terminal that refreshes asks each second or two,
 * and nobody loses anything by connecting again. */
#define IDLE_US (60 * ADIT_S)
/* From a line's first byte to its last: it was one write. */
#define LINE_US (10 * ADIT_S)
/* Nothing read of what waits for him. */
#define STALL_US (30 * ADIT_S)

/* No further row while so much waits. */
#define HIGH_BYTES 65536
/* And never more: an answer in one piece, the configuration, may be long. */
#define OUT_BYTES (4 * 1024 * 1024)

/* Connections that wait to be accepted. */
#define BACKLOG 16

/* Supplementary groups that are looked at; Linux allows 65,536. */
#define MAX_GROUPS 4096

struct adit_sock {
    struct adit_worker *w;
    struct adit_sock_config cfg;
    struct adit_gate gate;
    struct adit_list visits;
    size_t n_visits;
    struct sockaddr_un at;
    struct stat made; /* what we bound; st_ino 0: nothing */
};

struct adit_visit {
    struct adit_sock *s;
    struct adit_worker *w;
    struct adit_list link;
    struct adit_retiree retiree;
    int fd;
    struct adit_fd *watch;
    struct adit_timer timer;
    enum { IDLE, LINE, BUSY, STALL } waits; /* what `timer` is about */
    uint32_t uid;
    bool is_asking;  /* its question is not answered yet */
    bool is_reading; /* _next_question is on the stack */
    bool wants_more; /* call `more` */
    bool is_deaf;    /* it will ask nothing further */
    bool is_broken;  /* a line is missing from its answer */
    bool is_over;
    size_t n_in;
    struct adit_out out;
    void *user;
    char in[ADIT_SOCK_LINE_BYTES];
};

/* ---- a visit ends ------------------------------------------------------------ */

static void
free_visit(void *ctx)
{
    struct adit_visit *v = ctx;

    adit_fd_free(v->watch);
    close(v->fd);
    adit_out_fini(&v->out);
    ADIT_FREE(adit_worker_mem(v->w), v);
}

static void
end_visit(struct adit_visit *v)
{
    if (v->is_over)
        return;
    v->is_over = true;
    adit_timer_stop(v->w, &v->timer);
    adit_fd_want(v->watch, 0);
    adit_list_remove(&v->link);
    v->s->n_visits--;
    if (v->is_asking)
        v->s->cfg.gone(v->s->cfg.ctx, v);
    v->s = NULL;
    adit_retire(v->w, &v->retiree, free_visit, v);
}

static void
on_timer(void *ctx)
{
    end_visit(ctx);
}

/* ---- what it waits for --------------------------------------------------------- */

/* Has a question come whole that was not asked yet? */
static bool
has_line(const struct adit_visit *v)
{
    return v->n_in > 0 && memchr(v->in, '\n', v->n_in) != NULL;
}

/* `moved`: something was sent. */
static void
settle(struct adit_visit *v, bool moved)
{
    static const int64_t us[] = {
        [IDLE] = IDLE_US, [LINE] = LINE_US, [STALL] = STALL_US
    };
    unsigned waits = adit_out_pending(&v->out) > 0 ? STALL
                     : v->is_asking                ? BUSY
                     : v->n_in > 0                 ? LINE
                                                   : IDLE;
    int want = 0;

    if (v->is_over)
        return;
    if (!v->is_deaf && v->n_in < sizeof(v->in))
        want |= ADIT_FD_READ;
    if (adit_out_pending(&v->out) > 0 || v->wants_more)
        want |= ADIT_FD_WRITE;
    adit_fd_want(v->watch, want);
    if (v->is_deaf && waits < BUSY && !has_line(v)) {
        end_visit(v);
        return;
    }
    if (waits == v->waits && !(waits == STALL && moved))
        return;
    v->waits = waits;
    if (waits == BUSY) /* whoever answers has a deadline of his own */
        adit_timer_stop(v->w, &v->timer);
    else if (adit_timer_set(v->w, &v->timer,
                            adit_instant_add(adit_worker_now(v->w),
                                             us[waits])) != ADIT_OK)
        end_visit(v);
}

static void
flush(struct adit_visit *v)
{
    size_t n = 0;

    if (v->is_over)
        return;
    if (v->is_broken || adit_out_send(&v->out, v->fd, &n) != ADIT_OK)
        end_visit(v);
    else
        settle(v, n > 0);
}

/* ---- answers -------------------------------------------------------------------- */

static void
put_line(struct adit_visit *v, json_t *row)
{
    char *text = row != NULL ? json_dumps(row, JSON_COMPACT) : NULL;
    adit_err e = ADIT_ENOMEM;

    json_decref(row);
    if (text != NULL)
        e = adit_out_put(&v->out, adit_slice_str(text));
    if (e == ADIT_OK)
        e = adit_out_put(&v->out, adit_slice("\n", 1));
    free(text);
    /* Not ended here, under the hands of whoever makes the rows. */
    if (e != ADIT_OK)
        v->is_broken = true;
}

void
adit_visit_row(struct adit_visit *v, json_t *row)
{
    if (v->is_over)
        json_decref(row);
    else
        put_line(v, row);
}

static void next_question(struct adit_visit *v);

/* The answer's last line is written. */
static void
answered(struct adit_visit *v)
{
    v->is_asking = v->wants_more = false;
    flush(v);
    if (!v->is_reading)
        next_question(v);
}

void
adit_visit_end(struct adit_visit *v, json_t *last)
{
    if (v->is_over) {
        json_decref(last);
        return;
    }
    if (last == NULL)
        last = json_object();
    if (last != NULL)
        json_object_set_new(last, "done", json_true());
    put_line(v, last);
    answered(v);
}

/* Text that may have been cut in the middle of a letter, or is no UTF-8. */
static json_t *
as_json(char *text)
{
    json_t *v = json_string(text);

    if (v != NULL)
        return v;
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(text);
}

void
adit_visit_fail(struct adit_visit *v, adit_err e, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    if (v->is_over)
        return;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    put_line(v, json_pack("{s:s,s:o}", "error", adit_err_name(e), "what",
                          as_json(what)));
    answered(v);
}

bool
adit_visit_has_room(const struct adit_visit *v)
{
    return !v->is_over && !v->is_broken &&
           adit_out_pending(&v->out) < HIGH_BYTES;
}

void
adit_visit_more(struct adit_visit *v)
{
    v->wants_more = true;
    flush(v);
}

uint32_t
adit_visit_uid(const struct adit_visit *v)
{
    return v->uid;
}

void
adit_visit_set_user(struct adit_visit *v, void *user)
{
    v->user = user;
}

void *
adit_visit_user(const struct adit_visit *v)
{
    return v->user;
}

/* ---- questions -------------------------------------------------------------------- */

/* Blank lines ask nothing. */
static bool
is_blank(const char *p, size_t n)
{
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\r' || p[n - 1] == '\t'))
        n--;
    return n == 0;
}

/* The line at the front of v->in, `n` bytes without its newline. */
static void
ask(struct adit_visit *v, size_t n)
{
    bool is_none = is_blank(v->in, n);
    json_error_t err;
    json_t *question =
        is_none ? NULL : json_loadb(v->in, n, JSON_REJECT_DUPLICATES, &err);

    v->n_in -= n + 1;
    memmove(v->in, v->in + n + 1, v->n_in);
    if (is_none)
        return;
    v->is_asking = true;
    if (question == NULL) {
        v->is_deaf = true;
        v->n_in = 0;
        adit_visit_fail(v, ADIT_EINVAL, "that is no JSON: %s, at byte %d",
                        err.text, err.position);
        return;
    }
    v->s->cfg.ask(v->s->cfg.ctx, v, question);
    json_decref(question);
}

/* What has come whole, one after the other, and not faster than he reads. */
static void
next_question(struct adit_visit *v)
{
    v->is_reading = true;
    while (!v->is_asking && adit_visit_has_room(v) && v->n_in > 0) {
        const char *end = memchr(v->in, '\n', v->n_in);

        if (end == NULL)
            break;
        ask(v, (size_t)(end - v->in));
    }
    /* Not into an answer that is being made. */
    if (!v->is_over && !v->is_asking && v->n_in == sizeof(v->in) &&
        !has_line(v)) {
        v->n_in = 0;
        v->is_deaf = true;
        adit_visit_fail(v, ADIT_ELIMIT,
                        "a question may have %d bytes, its newline included",
                        ADIT_SOCK_LINE_BYTES);
    }
    v->is_reading = false;
    settle(v, false);
}

static void
receive(struct adit_visit *v)
{
    ssize_t n = recv(v->fd, v->in + v->n_in, sizeof(v->in) - v->n_in, 0);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0) {
        end_visit(v);
        return;
    }
    /* He may still want to read. */
    if (n == 0)
        v->is_deaf = true;
    v->n_in += (size_t)n;
    next_question(v);
}

static void
on_ready(void *ctx, int ready)
{
    struct adit_visit *v = ctx;

    if ((ready & ADIT_FD_READ) != 0 && v->n_in < sizeof(v->in) && !v->is_over)
        receive(v);
    if ((ready & ADIT_FD_WRITE) == 0 || v->is_over)
        return;
    flush(v);
    if (!adit_visit_has_room(v))
        return;
    if (v->wants_more) {
        v->wants_more = false;
        v->s->cfg.more(v->s->cfg.ctx, v);
        settle(v, false);
    } else {
        next_question(v);
    }
}

/* ---- who may ---------------------------------------------------------------------- */

static bool
is_in_group(int fd, uint32_t gid)
{
    gid_t groups[MAX_GROUPS];
    socklen_t n = sizeof(groups);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
        return false;
    for (size_t i = 0; i < n / sizeof(groups[0]); i++)
        if (groups[i] == gid)
            return true;
    return false;
}

static bool
may(const struct adit_sock *s, const struct adit_sock_creds *c)
{
    if (s->cfg.may != NULL)
        return s->cfg.may(s->cfg.ctx, c);
    return c->uid == 0 || c->uid == geteuid() || c->in_group;
}

static size_t
count_of(const struct adit_sock *s, uint32_t uid)
{
    size_t n = 0;

    ADIT_LIST_EACH(l, tmp, &s->visits)
    {
        const struct adit_visit *v =
            ADIT_CONTAINER_OF(l, const struct adit_visit, link);

        n += v->uid == uid;
    }
    return n;
}

/* One line, if it fits; then nothing more. */
static void
turn_away(int fd, adit_err e, const char *what)
{
    char line[256];
    int n =
        snprintf(line, sizeof(line), "{\"error\":\"%s\",\"what\":\"%s\"}\n",
                 adit_err_name(e), what);

    if (n > 0 && (size_t)n < sizeof(line) &&
        send(fd, line, (size_t)n, MSG_NOSIGNAL) < 0)
        (void)0; /* he does not want to know */
    close(fd);
}

static void
log_denied(const struct adit_sock *s, uint32_t uid)
{
    struct adit_log_line l;

    if (!adit_log_open(&l, adit_worker_log(s->w), ADIT_LOG_DEBUG,
                       "admin.denied"))
        return;
    adit_log_u64(&l, "uid", uid);
    adit_log_close(&l);
}

static adit_err
receive_visit(struct adit_sock *s, int fd, uint32_t uid)
{
    struct adit_visit *v = ADIT_NEW(adit_worker_mem(s->w), struct adit_visit);
    adit_err e;

    if (v == NULL)
        return ADIT_ENOMEM;
    e = adit_fd_new(s->w, fd, on_ready, v, &v->watch);
    if (e != ADIT_OK) {
        ADIT_FREE(adit_worker_mem(s->w), v);
        return e;
    }
    v->s = s;
    v->w = s->w;
    v->fd = fd;
    v->uid = uid;
    v->waits = BUSY; /* so that _settle arms for IDLE */
    v->timer.fn = on_timer;
    v->timer.ctx = v;
    adit_out_init(&v->out, adit_worker_mem(s->w), OUT_BYTES);
    adit_list_push_tail(&s->visits, &v->link);
    s->n_visits++;
    settle(v, false);
    return ADIT_OK;
}

static void
on_accept(void *ctx, int fd)
{
    struct adit_sock *s = ctx;
    struct adit_sock_creds c = { 0 };
    struct ucred u;
    socklen_t n = sizeof(u);
    adit_err e;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) != 0) {
        close(fd);
        return;
    }
    c.uid = u.uid;
    c.gid = u.gid;
    c.in_group = s->cfg.has_group &&
                 (u.gid == s->cfg.gid || is_in_group(fd, s->cfg.gid));
    if (!may(s, &c)) {
        log_denied(s, c.uid);
        turn_away(fd, ADIT_EDENIED,
                  "only root, the relay's own user and the members of its "
                  "group may");
        return;
    }
    if (s->n_visits >= ADIT_SOCK_MAX_VISITS ||
        count_of(s, c.uid) >= ADIT_SOCK_MAX_PER_UID) {
        turn_away(fd, ADIT_EFULL, "too many are connected already");
        return;
    }
    e = receive_visit(s, fd, c.uid);
    if (e != ADIT_OK)
        turn_away(fd, e, "the relay is short of memory");
}

/* ---- the path ----------------------------------------------------------------------- */

static adit_err
err_of_errno(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ADIT_EDENIED;
    case ENOMEM:
        return ADIT_ENOMEM;
    case EADDRINUSE:
        return ADIT_EFULL;
    default:
        return ADIT_EIO;
    }
}

static adit_err
say(char why[ADIT_SOCK_WHY_BYTES], const char *path, const char *doing)
{
    adit_err e = err_of_errno();

    snprintf(why, ADIT_SOCK_WHY_BYTES, "%.110s: %s: %s", path, doing,
             strerror(errno));
    return e;
}

static int
new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* What a relay that is gone has left there goes. */
static adit_err
clear_path(const struct sockaddr_un *at, char why[ADIT_SOCK_WHY_BYTES])
{
    struct stat st;
    int fd, failed;

    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ? ADIT_OK : say(why, at->sun_path, "stat");
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, ADIT_SOCK_WHY_BYTES, "%.110s is there and is no socket",
                 at->sun_path);
        return ADIT_EINVAL;
    }
    fd = new_socket();
    if (fd < 0)
        return say(why, at->sun_path, "socket");
    failed =
        connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0 : errno;
    close(fd);
    /* EAGAIN: so many wait there that it must be alive. */
    if (failed == 0 || failed == EAGAIN) {
        snprintf(why, ADIT_SOCK_WHY_BYTES,
                 "%.110s: another relay answers there", at->sun_path);
        return ADIT_EFULL;
    }
    errno = failed;
    if (failed != ECONNREFUSED)
        return say(why, at->sun_path, "connect");
    if (unlink(at->sun_path) != 0 && errno != ENOENT)
        return say(why, at->sun_path, "unlink");
    return ADIT_OK;
}

/* The mode of the socket before it is bound is that of its path. */
static adit_err
bind_path(struct adit_sock *s, int fd, char why[ADIT_SOCK_WHY_BYTES])
{
    const char *path = s->at.sun_path;

    if (fchmod(fd, 0600) != 0)
        return say(why, path, "fchmod");
    if (bind(fd, (const struct sockaddr *)&s->at, sizeof(s->at)) != 0)
        return say(why, path, "bind");
    if (lstat(path, &s->made) != 0)
        return say(why, path, "stat");
    if (s->cfg.has_group &&
        (lchown(path, (uid_t)-1, s->cfg.gid) != 0 || chmod(path, 0660) != 0))
        return say(why, path, "give it to the group");
    if (listen(fd, BACKLOG) != 0)
        return say(why, path, "listen");
    return ADIT_OK;
}

static void
remove_path(const struct adit_sock *s)
{
    struct stat st;

    if (s->made.st_ino != 0 && lstat(s->at.sun_path, &st) == 0 &&
        st.st_ino == s->made.st_ino && st.st_dev == s->made.st_dev)
        unlink(s->at.sun_path); /* if not, the next relay will */
}

static adit_err
listen_at(struct adit_sock *s, char why[ADIT_SOCK_WHY_BYTES])
{
    const char *path = s->cfg.path;
    int fd = s->cfg.fd;
    adit_err e = ADIT_OK;

    if (fd < 0) {
        if (strlen(path) >= sizeof(s->at.sun_path)) {
            snprintf(why, ADIT_SOCK_WHY_BYTES,
                     "%.110s...: a socket's path may have %zu bytes", path,
                     sizeof(s->at.sun_path) - 1);
            return ADIT_EINVAL;
        }
        s->at.sun_family = AF_UNIX;
        memcpy(s->at.sun_path, path, strlen(path) + 1);
        e = clear_path(&s->at, why);
        if (e == ADIT_OK && (fd = new_socket()) < 0)
            e = say(why, path, "socket");
        if (e == ADIT_OK)
            e = bind_path(s, fd, why);
    }
    if (e == ADIT_OK) {
        e = adit_gate_open(&s->gate, s->w, fd, on_accept, s);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SOCK_WHY_BYTES, "the control socket: %s",
                     adit_err_text(e));
    }
    if (e == ADIT_OK)
        return ADIT_OK;
    if (s->cfg.fd < 0 && fd >= 0)
        close(fd);
    remove_path(s);
    return e;
}

adit_err
adit_sock_open(struct adit_worker *w, const struct adit_sock_config *cfg,
               struct adit_sock **out, char why[ADIT_SOCK_WHY_BYTES])
{
    struct adit_sock *s = ADIT_NEW(adit_worker_mem(w), struct adit_sock);
    adit_err e;

    if (s == NULL) {
        snprintf(why, ADIT_SOCK_WHY_BYTES, "out of memory");
        return ADIT_ENOMEM;
    }
    s->w = w;
    s->cfg = *cfg;
    adit_list_init(&s->visits);
    e = listen_at(s, why);
    if (e != ADIT_OK) {
        ADIT_FREE(adit_worker_mem(w), s);
        return e;
    }
    *out = s;
    return ADIT_OK;
}

void
adit_sock_close(struct adit_sock *s)
{
    if (s == NULL)
        return;
    while (!adit_list_is_empty(&s->visits))
        end_visit(ADIT_CONTAINER_OF(s->visits.next, struct adit_visit, link));
    adit_gate_close(&s->gate);
    remove_path(s);
    ADIT_FREE(adit_worker_mem(s->w), s);
}

size_t
adit_sock_n_visits(const struct adit_sock *s)
{
    return s->n_visits;
}
