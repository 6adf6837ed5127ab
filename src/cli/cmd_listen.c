/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"
#include "cli/join.h"
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUF_BYTES 65536

extern char **environ;

enum mode { MODE_STDIO, MODE_ECHO, MODE_EXEC };

struct listen;

/* A stream somebody opened to us. */
struct guest {
    struct listen *l;
    struct guest *next, **prev;
    uint64_t id;
    char peer[ADIT_PEER_ID_BYTES];
    struct adit_cli_join *join; /* STDIO, EXEC */
    /* ECHO */
    adit_stream *s;
    size_t at, n;
    uint64_t total;
    uint8_t *buf;
};

struct listen {
    struct adit_cli *c;
    adit_node *node;
    enum mode mode;
    const char *command; /* EXEC */
    const char *protocol;
    struct adit_cli_list relays;
    char id[ADIT_PEER_ID_BYTES];
    int signal_fd;
    bool had_guest;
    bool told_how;
    uint64_t last_id;
    struct guest *guests;
};

/* ---- guests ---------------------------------------------------------------- */

static struct guest *
guest_new(struct listen *l, const struct adit_conn_info *info)
{
    struct guest *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return NULL;
    g->l = l;
    g->id = ++l->last_id;
    snprintf(g->peer, sizeof(g->peer), "%s", info->peer);
    g->next = l->guests;
    g->prev = &l->guests;
    if (g->next != NULL)
        g->next->prev = &g->next;
    l->guests = g;
    return g;
}

static void
guest_free(struct guest *g)
{
    *g->prev = g->next;
    if (g->next != NULL)
        g->next->prev = g->prev;
    free(g->buf);
    free(g);
}

static void
guest_over(struct guest *g, uint64_t in, uint64_t out, adit_err why,
           const char *text)
{
    struct adit_cli *c = g->l->c;
    bool is_last = g->l->mode == MODE_STDIO;
    char a[ADIT_CLI_AMOUNT_BYTES], b[ADIT_CLI_AMOUNT_BYTES];

    adit_cli_event(c, json_pack("{s:s,s:I,s:s,s:I,s:I,s:s,s:s}", "event",
                                "closed", "stream", (json_int_t)g->id, "from",
                                g->peer, "bytes_in", (json_int_t)in,
                                "bytes_out", (json_int_t)out, "code",
                                adit_err_name(why), "text", text));
    if (why == ADIT_DONE)
        adit_cli_note(c, "stream %" PRIu64 " ended: %s in, %s out", g->id,
                      adit_cli_bytes(in, a), adit_cli_bytes(out, b));
    else
        adit_cli_warn(c, "stream %" PRIu64 " from %s ended early: %s (%s)",
                      g->id, g->peer, text, adit_err_text(why));
    if (is_last)
        adit_cli_end(c, adit_cli_exit(why, true));
    guest_free(g);
}

static void
on_joined(void *ctx, adit_err why, const char *text)
{
    struct guest *g = ctx;
    uint64_t into_stream, out_of_stream;

    adit_cli_join_count(g->join, &into_stream, &out_of_stream);
    g->join = NULL;
    guest_over(g, out_of_stream, into_stream, why, text);
}

/* ---- echo ------------------------------------------------------------------ */

static void
echo_end(struct guest *g, adit_err why, const char *text)
{
    adit_stream *s = g->s;
    char copy[160];

    snprintf(copy, sizeof(copy), "%s", text);
    g->s = NULL;
    if (why == ADIT_DONE)
        adit_stream_close(s);
    else
        adit_stream_abort(s);
    guest_over(g, g->total, g->total - (g->n - g->at), why, copy);
}

/* What came goes back; what does not go back holds up what comes. */
static void
echo_pump(struct guest *g)
{
    for (;;) {
        size_t n = 0;
        adit_err e;

        while (g->at < g->n) {
            e = adit_stream_write(g->s, g->buf + g->at, g->n - g->at, &n);
            if (e == ADIT_AGAIN)
                return;
            if (e != ADIT_OK) {
                echo_end(g, e, adit_stream_why(g->s));
                return;
            }
            g->at += n;
        }
        e = adit_stream_read(g->s, g->buf, BUF_BYTES, &n);
        if (e == ADIT_AGAIN)
            return;
        if (e == ADIT_DONE) {
            echo_end(g, ADIT_DONE, "both ways ended");
            return;
        }
        if (e != ADIT_OK) {
            echo_end(g, e, adit_stream_why(g->s));
            return;
        }
        g->at = 0;
        g->n = n;
        g->total += n;
    }
}

static void
on_echo(void *ctx, adit_stream *s)
{
    (void)s;
    echo_pump(ctx);
}

static void
on_echo_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    (void)s;
    echo_end(ctx, why, text);
}

static void
start_echo(struct guest *g, adit_stream *s)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    g->s = s;
    g->buf = malloc(BUF_BYTES);
    if (g->buf == NULL) {
        echo_end(g, ADIT_ENOMEM, "out of memory");
        return;
    }
    ev.ctx = g;
    ev.on_readable = on_echo;
    ev.on_writable = on_echo;
    ev.on_failed = on_echo_failed;
    adit_stream_set_events(s, &ev);
    echo_pump(g);
}

/* ---- stdio and exec -------------------------------------------------------- */

static void
start_join(struct guest *g, adit_stream *s, int in_fd, int out_fd, bool is_own)
{
    struct adit_cli_join_config cfg = {
        .loop = &g->l->c->loop,
        .stream = s,
        .in_fd = in_fd,
        .out_fd = out_fd,
        .is_own = is_own,
        .done = on_joined,
        .ctx = g,
    };

    g->join = adit_cli_join_new(&cfg);
    if (g->join == NULL)
        guest_over(g, 0, 0, ADIT_ENOMEM, "out of memory");
}

/* The program's environment: ours, and who it speaks with. */
static char **
child_environment(const struct guest *g, char *peer, size_t cap)
{
    size_t n = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + 2, sizeof(*env));
    if (env == NULL)
        return NULL;
    memcpy(env, environ, n * sizeof(*env));
    snprintf(peer, cap, "ADIT_PEER=%s", g->peer);
    env[n] = peer;
    return env;
}

/* 0, or errno.  to[1] and from[0] are ours. */
static int
spawn(const struct guest *g, const int to[2], const int from[2])
{
    char sh[] = "sh", dash_c[] = "-c";
    char *argv[] = { sh, dash_c, (char *)g->l->command, NULL };
    char peer[ADIT_PEER_ID_BYTES + 16];
    char **env = child_environment(g, peer, sizeof(peer));
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, pipe_only;
    pid_t pid;
    int e;

    if (env == NULL)
        return ENOMEM;
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, from[1], STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &pipe_only);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    e = posix_spawn(&pid, "/bin/sh", &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(env);
    return e;
}

static void
start_exec(struct guest *g, adit_stream *s)
{
    int to[2] = { -1, -1 }, from[2] = { -1, -1 };
    int e = 0;

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        e = errno;
    else
        e = spawn(g, to, from);
    if (to[0] >= 0)
        close(to[0]);
    if (from[1] >= 0)
        close(from[1]);
    if (e != 0) {
        if (to[1] >= 0)
            close(to[1]);
        if (from[0] >= 0)
            close(from[0]);
        adit_stream_abort(s);
        guest_over(g, 0, 0, ADIT_EIO, strerror(e));
        return;
    }
    fcntl(to[1], F_SETFL, O_NONBLOCK);
    fcntl(from[0], F_SETFL, O_NONBLOCK);
    start_join(g, s, from[0], to[1], true);
}

/* ---- the node's events ----------------------------------------------------- */

static void
on_stream(void *ctx, adit_node *n, adit_stream *s)
{
    struct listen *l = ctx;
    struct adit_cli *c = l->c;
    struct adit_conn_info info = { .size = sizeof(info) };
    struct guest *g = NULL;

    (void)n;
    if (adit_stream_conn(s, &info) == ADIT_OK &&
        !(l->mode == MODE_STDIO && l->had_guest))
        g = guest_new(l, &info);
    if (g == NULL) {
        adit_stream_abort(s);
        return;
    }
    l->had_guest = true;
    adit_cli_event(c,
                   json_pack("{s:s,s:I,s:s,s:s?,s:b,s:s}", "event", "stream",
                             "stream", (json_int_t)g->id, "from", info.peer,
                             "relay", info.relay, "limited", info.is_limited,
                             "protocol", adit_stream_protocol(s)));
    adit_cli_note(c, "stream %" PRIu64 " from %s%s", g->id, info.peer,
                  info.relay != NULL ? " through a relay" : ", direct");
    switch (l->mode) {
    case MODE_STDIO:
        start_join(g, s, STDIN_FILENO, STDOUT_FILENO, false);
        return;
    case MODE_ECHO:
        start_echo(g, s);
        return;
    case MODE_EXEC:
        start_exec(g, s);
        return;
    }
}

static json_t *
texts(const char *const *v, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(v[i]));
    return a;
}

static void
tell_how(struct listen *l, const char *addr)
{
    bool is_default = strcmp(l->protocol, ADIT_CLI_PROTOCOL) == 0;

    if (l->told_how)
        return;
    l->told_how = true;
    adit_cli_text(l->c, "dial it: adit dial %s%s%s", addr,
                  is_default ? "" : " ", is_default ? "" : l->protocol);
}

static void
on_ready(void *ctx, adit_node *n, const char *const *addrs, size_t n_addrs)
{
    struct listen *l = ctx;

    (void)n;
    adit_cli_event(l->c, json_pack("{s:s,s:s,s:s,s:o}", "event", "ready", "id",
                                   l->id, "protocol", l->protocol, "addrs",
                                   texts(addrs, n_addrs)));
    for (size_t i = 0; i < n_addrs; i++)
        adit_cli_text(l->c, "listening on %s", addrs[i]);
    if (l->relays.n == 0 && n_addrs > 0)
        tell_how(l, addrs[0]);
}

/* Of the relay's addresses, the one by which we were told of it: it is known
 * to work from here. */
static const char *
best_address(const struct listen *l, const struct adit_reservation *r)
{
    for (size_t i = 0; i < l->relays.n; i++)
        for (size_t k = 0; k < r->n_addrs; k++) {
            size_t n = strlen(l->relays.v[i]);

            if (strncmp(r->addrs[k], l->relays.v[i], n) == 0 &&
                strncmp(r->addrs[k] + n, "/p2p-circuit", 12) == 0)
                return r->addrs[k];
        }
    return r->n_addrs > 0 ? r->addrs[0] : NULL;
}

static void
on_reserved(void *ctx, adit_node *n, const struct adit_reservation *r)
{
    struct listen *l = ctx;
    struct adit_cli *c = l->c;
    const char *addr = best_address(l, r);
    char at[ADIT_CLI_AMOUNT_BYTES], bytes[ADIT_CLI_AMOUNT_BYTES];
    char s[ADIT_CLI_AMOUNT_BYTES];

    (void)n;
    adit_cli_progress(c, NULL, NULL, NULL);
    adit_cli_event(c, json_pack("{s:s,s:s,s:I,s:b,s:s?,s:o,s:b,s:I,s:I}",
                                "event", "reserved", "relay", r->relay,
                                "until", (json_int_t)r->until_unix_s,
                                "renewed", r->renewed, "addr", addr, "addrs",
                                texts(r->addrs, r->n_addrs), "limited",
                                r->is_limited, "limit_bytes",
                                (json_int_t)r->limit_bytes, "limit_seconds",
                                (json_int_t)r->limit_s));
    adit_cli_clock(r->until_unix_s, at);
    if (r->renewed) {
        adit_cli_note(c, "relay %s: renewed until %s", r->relay, at);
        return;
    }
    if (!r->is_limited)
        adit_cli_text(c, "reserved on relay %s until %s, without limits",
                      r->relay, at);
    else
        adit_cli_text(
            c, "reserved on relay %s until %s; each circuit: %s each way, %s",
            r->relay, at,
            r->limit_bytes == 0 ? "no limit of bytes"
                                : adit_cli_bytes(r->limit_bytes, bytes),
            r->limit_s == 0 ? "no limit of time"
                            : adit_cli_seconds(r->limit_s, s));
    for (size_t i = 0; i < r->n_addrs; i++)
        if (r->addrs[i] != addr)
            adit_cli_note(c, "also %s", r->addrs[i]);
    if (addr != NULL) {
        l->told_how = false;
        tell_how(l, addr);
    }
}

static void
on_reservation_lost(void *ctx, adit_node *n,
                    const struct adit_reservation_lost *r)
{
    struct listen *l = ctx;
    char s[ADIT_CLI_AMOUNT_BYTES];

    (void)n;
    adit_cli_event(l->c, json_pack("{s:s,s:s,s:s,s:s,s:I,s:I}", "event",
                                   "reservation_lost", "relay", r->relay,
                                   "code", adit_err_name(r->why), "text",
                                   r->text, "status", (json_int_t)r->status,
                                   "retry_ms", (json_int_t)r->retry_in_ms));
    adit_cli_warn(
        l->c, "no reservation on relay %s: %s (%s); next try in %s", r->relay,
        r->text, adit_err_text(r->why),
        adit_cli_seconds((uint64_t)(r->retry_in_ms + 999) / 1000, s));
    adit_cli_progress(l->c, "waiting for a reservation", NULL, NULL);
}

static void
on_conn(void *ctx, adit_node *n, const struct adit_conn_info *info)
{
    (void)n;
    adit_cli_on_conn(((struct listen *)ctx)->c, info);
}

static void
on_conn_end(void *ctx, adit_node *n, const struct adit_conn_info *info,
            adit_err why, const char *text)
{
    (void)n;
    adit_cli_on_conn_end(((struct listen *)ctx)->c, info, why, text);
}

static void
on_peer(void *ctx, adit_node *n, const struct adit_peer_info *p)
{
    (void)n;
    adit_cli_on_peer(((struct listen *)ctx)->c, p);
}

static void
on_limit_near(void *ctx, adit_node *n, const struct adit_conn_info *info)
{
    (void)n;
    adit_cli_on_limit_near(((struct listen *)ctx)->c, info);
}

static void
on_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    struct listen *l = ctx;

    (void)n;
    adit_cli_fail(l->c, "node", why, text);
    adit_cli_end(l->c, ADIT_CLI_LOCAL);
}

/* ---- running --------------------------------------------------------------- */

static void
on_signal(void *ctx, short revents)
{
    struct listen *l = ctx;
    struct signalfd_siginfo si;

    (void)revents;
    while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo != SIGCHLD) {
            adit_cli_end(l->c, ADIT_CLI_OK);
            continue;
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static bool
watch_signals(struct listen *l)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return l->signal_fd >= 0 && adit_cli_watch(&l->c->loop, l->signal_fd,
                                               POLLIN, on_signal, l) != NULL;
}

static int
serve(struct listen *l)
{
    struct adit_cli *c = l->c;
    adit_err e = adit_handle(l->node, l->protocol, true);

    if (e != ADIT_OK) {
        adit_cli_error(c, "protocol %s: %s", l->protocol, adit_err_text(e));
        return adit_cli_exit(e, false);
    }
    for (size_t i = 0; i < l->relays.n; i++) {
        e = adit_reserve(l->node, l->relays.v[i]);
        if (e == ADIT_EINVAL)
            adit_cli_error(c,
                           "--relay %s does not say which peer is meant: "
                           "it must end in /p2p/ID",
                           l->relays.v[i]);
        else if (e != ADIT_OK)
            adit_cli_fail(c, l->relays.v[i], e, NULL);
        if (e != ADIT_OK)
            return adit_cli_exit(e, false);
    }
    if (l->relays.n > 0)
        adit_cli_progress(c, "reserving", NULL, NULL);
    if (!adit_cli_run(&c->loop))
        adit_cli_end(c, ADIT_CLI_LOCAL);
    return c->code;
}

static void
send_all_home(struct listen *l)
{
    while (l->guests != NULL) {
        struct guest *g = l->guests;

        adit_cli_join_abort(g->join);
        if (g->s != NULL)
            adit_stream_abort(g->s);
        guest_free(g);
    }
}

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct listen l = { .c = c };
    struct adit_cli_list listens = { .n = 0 };
    struct adit_events ev = ADIT_EVENTS_INIT;
    const char *key = NULL, *pos[1];
    bool is_echo = false;
    const struct adit_cli_arg rows[] = {
        { "relay", 'r', ADIT_CLI_LIST, &l.relays, "ADDR",
          "be reachable through this relay; may be repeated" },
        { "listen", 'l', ADIT_CLI_LIST, &listens, "ADDR",
          "also accept connections here (/ip4/0.0.0.0/tcp/0)" },
        { "key", 'k', ADIT_CLI_TEXT, &key, "FILE",
          "identity to be; else a new one for this run" },
        { "identity", 0, ADIT_CLI_TEXT, &key, "FILE", NULL },
        { "echo", 0, ADIT_CLI_FLAG, &is_echo, NULL,
          "send back what comes, on every stream" },
        { "exec", 'e', ADIT_CLI_TEXT, &l.command, "COMMAND",
          "run it by sh for each stream, as its input and output" },
    };
    int code =
        adit_cli_parse(c, self, rows, ADIT_CLI_NITEMS(rows), argv, pos, 0, 1);

    if (code != ADIT_CLI_OK)
        return code;
    if (is_echo && l.command != NULL) {
        adit_cli_error(c, "--echo and --exec exclude each other");
        return ADIT_CLI_USAGE;
    }
    if (l.relays.n == 0 && listens.n == 0) {
        adit_cli_error(c, "name a --relay to be reachable through, or where "
                          "to --listen");
        return ADIT_CLI_USAGE;
    }
    for (size_t i = 0; i < l.relays.n; i++)
        if (!adit_cli_check_addr(c, l.relays.v[i]))
            return ADIT_CLI_USAGE;
    l.mode = is_echo ? MODE_ECHO : l.command != NULL ? MODE_EXEC : MODE_STDIO;
    if (l.mode == MODE_STDIO)
        c->events = stderr;
    l.protocol = pos[0] != NULL ? pos[0] : ADIT_CLI_PROTOCOL;
    ev.ctx = &l;
    ev.on_ready = on_ready;
    ev.on_stream = on_stream;
    ev.on_reserved = on_reserved;
    ev.on_reservation_lost = on_reservation_lost;
    ev.on_conn = on_conn;
    ev.on_conn_end = on_conn_end;
    ev.on_peer = on_peer;
    ev.on_limit_near = on_limit_near;
    ev.on_failed = on_failed;
    if (!watch_signals(&l)) {
        adit_cli_error(c, "signals: %s", strerror(errno));
        return ADIT_CLI_LOCAL;
    }
    code = adit_cli_node(c, key, &listens, &ev, &l.node);
    if (code == ADIT_CLI_OK) {
        adit_node_peer_id(l.node, l.id);
        code = serve(&l);
    }
    send_all_home(&l);
    adit_cli_node_free(c, l.node);
    close(l.signal_fd);
    return code;
}

const struct adit_cli_command adit_cli_cmd_listen = {
    "listen",
    "[PROTOCOL]",
    "take streams, through relays and directly",
    "Print the address to dial, and take streams for PROTOCOL\n"
    "(" ADIT_CLI_PROTOCOL ").  The first stream is joined with standard input "
    "and\noutput, and the program ends with it; the address then goes to "
    "standard error.\nWith --echo or --exec it serves any number of streams, "
    "until it is interrupted.\nA reservation is kept: renewed, and taken "
    "again when the relay was away.\nCOMMAND finds the peer's id in "
    "ADIT_PEER.",
    run,
    false,
};
