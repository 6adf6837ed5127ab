/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * aditd: a circuit relay v2, as a customer of libadit.
 *
 * Starts in phases, one function each: parse, open, bind, serve.  What is
 * wrong before `serve` is said in one sentence on stderr, and ends the
 * program; after that only the operator ends it.
 */
#include "daemon/conf.h"
#include "daemon/help.h"
#include "daemon/logger.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum task { TASK_SERVE, TASK_CHECK, TASK_PRINT };

struct daemon {
    struct adit_settings *settings;
    struct adit_logger logger;
    enum task task;
    adit_key *key;
    char peer[ADIT_PEER_ID_BYTES];
    int signal_fd;
    adit_node *node;
    bool is_over;
    int exit_code;
};

ADIT_PRINTF(1, 2)
static void
say(const char *fmt, ...)
{
    va_list ap;

    fputs("aditd: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* ---- parse ----------------------------------------------------------------- */

static void
on_complaint(void *ctx, const char *text)
{
    (void)ctx;
    say("%s", text);
}

/* The value of "--flag=value" or "--flag value"; NULL: it is another flag. */
static bool
takes(const char *flag, char **argv, int *i, const char **value)
{
    size_t n = strlen(flag);

    if (strncmp(argv[*i], flag, n) != 0)
        return false;
    if (argv[*i][n] == '=' && n > 2) {
        *value = argv[*i] + n + 1;
        return true;
    }
    if (argv[*i][n] != '\0')
        return false;
    *value = argv[*i + 1];
    if (*value != NULL)
        ++*i;
    return true;
}

static int
usage_error(const char *what, const char *arg)
{
    say("%s%s", what, arg);
    adit_help_usage(stderr);
    return ADIT_EXIT_USAGE;
}

/* Options of the table, after file and environment. */
static void
apply_arguments(struct daemon *d, char **argv, struct adit_complaints *c)
{
    for (int i = 1; argv[i] != NULL; i++) {
        const char *arg = argv[i], *skip;

        if (takes("-c", argv, &i, &skip) || takes("--config", argv, &i, &skip))
            continue;
        if (strncmp(arg, "--", 2) != 0 || strchr(arg, '.') == NULL)
            continue;
        if (strchr(arg, '=') != NULL)
            adit_conf_argument(d->settings, arg + 2, NULL, c);
        else if (argv[i + 1] != NULL)
            adit_conf_argument(d->settings, arg + 2, argv[++i], c);
        else
            adit_conf_argument(d->settings, arg + 2, NULL, c);
    }
}

/* ADIT_EXIT_OK to go on; -1: done, and well. */
static int
parse_flags(struct daemon *d, char **argv, const char **file)
{
    static const struct {
        const char *flag;
        void (*print)(FILE *out, const struct adit_settings *s);
    } prints[] = {
        { "--help", adit_help_full },
        { "-h", adit_help_full },
        { "--sample-config", adit_help_sample },
        { "--man", adit_help_man },
    };

    for (int i = 1; argv[i] != NULL; i++) {
        const char *arg = argv[i];
        bool is_known = false;

        for (size_t k = 0; k < ADIT_NITEMS(prints); k++)
            if (strcmp(arg, prints[k].flag) == 0) {
                prints[k].print(stdout, d->settings);
                return -1;
            }
        if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
            printf("aditd %s\n", adit_version());
            return -1;
        }
        if (takes("-c", argv, &i, file) || takes("--config", argv, &i, file)) {
            if (*file == NULL)
                return usage_error("a file is missing behind ", arg);
            is_known = true;
        } else if (strcmp(arg, "--check") == 0) {
            d->task = TASK_CHECK;
            is_known = true;
        } else if (strcmp(arg, "--print-config") == 0) {
            d->task = TASK_PRINT;
            is_known = true;
        } else if (strncmp(arg, "--", 2) == 0 && strchr(arg, '.') != NULL) {
            is_known = true; /* an option; later */
            if (strchr(arg, '=') == NULL && argv[i + 1] != NULL)
                i++;
        }
        if (!is_known)
            return usage_error("what is ", arg);
    }
    return ADIT_EXIT_OK;
}

static bool
is_yes(const struct daemon *d, const char *option)
{
    char value[8];

    adit_settings_get(d->settings, option, value, sizeof(value));
    return strcmp(value, "yes") == 0;
}

static bool
is_empty(const struct daemon *d, const char *option)
{
    char value[ADIT_OPT_TEXT_BYTES];

    adit_settings_get(d->settings, option, value, sizeof(value));
    return value[strspn(value, ", \t")] == '\0';
}

static int
parse(struct daemon *d, char **argv)
{
    struct adit_complaints c = { .line = on_complaint };
    const char *file = NULL;
    int code;

    d->settings = adit_settings_new();
    if (d->settings == NULL) {
        say("out of memory");
        return ADIT_EXIT_OS;
    }
    code = parse_flags(d, argv, &file);
    if (code != ADIT_EXIT_OK)
        return code;
    if (file != NULL)
        adit_conf_file(d->settings, file, &c);
    adit_conf_environment(d->settings, environ, &c);
    apply_arguments(d, argv, &c);
    if (c.n > 0)
        return ADIT_EXIT_CONFIG;
    if (is_yes(d, "relay.enabled") && is_empty(d, "listen.tcp")) {
        say("listen.tcp is empty: a relay must listen somewhere");
        return ADIT_EXIT_CONFIG;
    }
    adit_logger_set_level(&d->logger, adit_settings_level(d->settings));
    return ADIT_EXIT_OK;
}

/* ---- open ------------------------------------------------------------------ */

static int
make_identity(struct daemon *d, const char *path)
{
    struct adit_log_line l;

    if (adit_key_new(&d->key) != ADIT_OK) {
        say("out of memory");
        return ADIT_EXIT_OS;
    }
    if (d->task != TASK_SERVE)
        return ADIT_EXIT_OK;
    if (adit_key_save(d->key, path) != ADIT_OK) {
        say("identity.file: %s cannot be made: %s; name a place that user %u "
            "may write to",
            path, strerror(errno), (unsigned)geteuid());
        return ADIT_EXIT_CREATE;
    }
    adit_key_peer_id(d->key, d->peer);
    if (adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "identity.created")) {
        adit_log_str(&l, "file", path);
        adit_log_str(&l, "peer", d->peer);
        adit_log_close(&l);
    }
    return ADIT_EXIT_OK;
}

static void
warn_if_exposed(struct daemon *d, const char *path)
{
    struct adit_log_line l;
    struct stat st;
    char mode[8];

    if (stat(path, &st) != 0 || (st.st_mode & 077) == 0 ||
        !adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN, "identity.exposed"))
        return;
    snprintf(mode, sizeof(mode), "%04o", (unsigned)st.st_mode & 07777);
    adit_log_str(&l, "file", path);
    adit_log_str(&l, "mode", mode);
    adit_log_str(&l, "do", "chmod 600, or others can be this relay");
    adit_log_close(&l);
}

static int
open_identity(struct daemon *d)
{
    const char *path = adit_settings_own(d->settings)->identity_file;
    adit_err e;

    if (path[0] == '\0') {
        say("identity.file is empty: name a file");
        return ADIT_EXIT_CONFIG;
    }
    e = adit_key_load(path, &d->key);
    if (e == ADIT_EIO && errno == ENOENT)
        return make_identity(d, path);
    if (e == ADIT_EIO)
        say("identity.file: %s cannot be read by user %u: %s", path,
            (unsigned)geteuid(), strerror(errno));
    else if (e == ADIT_EINVAL)
        say("identity.file: %s is not a private key as libp2p keeps them "
            "(Ed25519); move it away to start with a new identity",
            path);
    else if (e != ADIT_OK)
        say("identity.file: %s: %s", path, adit_err_text(e));
    if (e != ADIT_OK)
        return ADIT_EXIT_IDENTITY;
    warn_if_exposed(d, path);
    return ADIT_EXIT_OK;
}

/* As many descriptors as we may have: each peer is one. */
static uint64_t
raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return 0;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0 &&
            getrlimit(RLIMIT_NOFILE, &r) != 0)
            return 0;
    }
    return (uint64_t)r.rlim_cur;
}

/* Signals come by descriptor, for this thread and those it starts. */
static int
open_signals(struct daemon *d)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (d->signal_fd < 0) {
        say("signals: %s", strerror(errno));
        return ADIT_EXIT_OS;
    }
    return ADIT_EXIT_OK;
}

static int
open_all(struct daemon *d)
{
    int code = open_signals(d);

    if (code == ADIT_EXIT_OK)
        code = open_identity(d);
    if (code == ADIT_EXIT_OK)
        adit_key_peer_id(d->key, d->peer);
    return code;
}

/* ---- events ---------------------------------------------------------------- */

static void
on_ready(void *ctx, adit_node *n, const char *const *addrs, size_t n_addrs)
{
    struct daemon *d = ctx;

    (void)n;
    for (size_t i = 0; i < n_addrs; i++) {
        struct adit_log_line l;

        adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.ready");
        adit_log_str(&l, "addr", addrs[i]);
        adit_log_close(&l);
    }
}

static void
on_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    struct daemon *d = ctx;
    struct adit_log_line l;

    (void)n;
    adit_log_open(&l, &d->logger.log, ADIT_LOG_ERROR, "node.failed");
    adit_log_err(&l, "why", why);
    adit_log_str(&l, "text", text);
    adit_log_close(&l);
    d->is_over = true;
    d->exit_code = ADIT_EXIT_INTERNAL;
}

/* Where the option stands that `why` begins with. */
static const char *
source_of(struct daemon *d, const char *why)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(why, ": "), why);
    return adit_settings_from(d->settings, name);
}

static int
make_node(struct daemon *d, const adit_key *key)
{
    adit_config *cfg = adit_settings_config(d->settings);
    struct adit_events ev = ADIT_EVENTS_INIT;
    adit_err e;

    ev.ctx = d;
    ev.on_ready = on_ready;
    ev.on_failed = on_failed;
    adit_config_set_log(cfg, adit_settings_level(d->settings),
                        adit_logger_sink, &d->logger);
    e = adit_node_new(cfg, key, &ev, &d->node);
    if (e == ADIT_EINVAL) {
        const char *why = adit_config_why(cfg);
        const char *from = source_of(d, why);

        say("%s%s%s", from != NULL ? from : "", from != NULL ? ": " : "", why);
        return ADIT_EXIT_CONFIG;
    }
    if (e != ADIT_OK) {
        say("%s", adit_err_text(e));
        return ADIT_EXIT_OS;
    }
    return ADIT_EXIT_OK;
}

/* Do the options go together?  Asked before an identity is made. */
static int
try_node(struct daemon *d)
{
    adit_key *key;
    int code;

    if (adit_key_new(&key) != ADIT_OK) {
        say("out of memory");
        return ADIT_EXIT_OS;
    }
    code = make_node(d, key);
    adit_node_free(d->node);
    d->node = NULL;
    adit_key_free(key);
    return code;
}

/* ---- bind ------------------------------------------------------------------ */

static void
log_start(struct daemon *d)
{
    struct adit_log_line l;
    uint64_t descriptors = raise_descriptors();
    char value[ADIT_OPT_TEXT_BYTES];

    if (adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.start")) {
        adit_log_str(&l, "version", adit_version());
        adit_log_str(&l, "peer", d->peer);
        adit_log_u64(&l, "descriptors", descriptors);
        adit_log_close(&l);
    }
    if (geteuid() == 0 &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN, "node.root")) {
        adit_log_str(&l, "text",
                     "running as root: run aditd as a user of its own");
        adit_log_close(&l);
    }
    adit_settings_get(d->settings, "connection.max", value, sizeof(value));
    if (descriptors < strtoull(value, NULL, 10) + 64 &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN, "node.descriptors")) {
        adit_log_u64(&l, "have", descriptors);
        adit_log_str(&l, "connection.max", value);
        adit_log_str(&l, "do", "raise the limit of open files (ulimit -n)");
        adit_log_close(&l);
    }
}

/* An operator should know what he gives to strangers. */
static void
log_public(struct daemon *d)
{
    static const struct {
        const char *key, *option;
    } given[] = {
        { "reservations", "reservation.max" },
        { "circuits", "circuit.max" },
        { "circuit_bytes_each_way", "circuit.data_bytes" },
        { "circuit_duration", "circuit.duration" },
    };
    struct adit_log_line l;
    char value[ADIT_OPT_TEXT_BYTES];

    if (!is_yes(d, "relay.enabled") ||
        !adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "relay.public"))
        return;
    adit_log_str(&l, "text",
                 "anybody who can connect may reserve, and be dialled "
                 "through this relay");
    for (size_t i = 0; i < ADIT_NITEMS(given); i++) {
        adit_settings_get(d->settings, given[i].option, value, sizeof(value));
        adit_log_str(&l, given[i].key,
                     strcmp(value, "0") == 0 ? "unlimited" : value);
    }
    adit_log_close(&l);
}

static int
bind_all(struct daemon *d)
{
    adit_err e = adit_node_start(d->node);

    switch (e) {
    case ADIT_OK:
        return ADIT_EXIT_OK;
    case ADIT_EFULL:
    case ADIT_EDENIED:
    case ADIT_EUNREACHABLE:
        say("listen.tcp: %s", adit_node_why(d->node));
        return ADIT_EXIT_BIND;
    default:
        say("%s: %s", adit_err_text(e), adit_node_why(d->node));
        return ADIT_EXIT_OS;
    }
}

/* ---- serve ----------------------------------------------------------------- */

static void
on_signal(struct daemon *d)
{
    struct signalfd_siginfo si;
    struct adit_log_line l;

    while (read(d->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo == SIGHUP) {
            adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN,
                          "config.unchanged");
            adit_log_str(&l, "text",
                         "SIGHUP does not reload: restart to change the "
                         "configuration");
            adit_log_close(&l);
            continue;
        }
        adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.stop");
        adit_log_str(&l, "signal",
                     si.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        adit_log_close(&l);
        d->is_over = true;
    }
}

static void
serve(struct daemon *d)
{
    struct pollfd p[] = {
        { .fd = d->signal_fd, .events = POLLIN },
        { .fd = adit_node_fd(d->node), .events = POLLIN },
    };

    while (!d->is_over) {
        if (poll(p, ADIT_NITEMS(p), -1) < 0 && errno != EINTR) {
            say("poll: %s", strerror(errno));
            d->exit_code = ADIT_EXIT_OS;
            return;
        }
        if (p[0].revents != 0)
            on_signal(d);
        if (!d->is_over)
            adit_node_dispatch(d->node);
    }
}

static void
end(struct daemon *d)
{
    struct adit_log_line l;
    bool was_serving = d->node != NULL && d->task == TASK_SERVE;

    adit_node_free(d->node);
    if (was_serving && d->is_over &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.end")) {
        adit_log_i64(&l, "code", d->exit_code);
        adit_log_close(&l);
    }
    adit_key_free(d->key);
    adit_settings_free(d->settings);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
}

/* ADIT_EXIT_OK or why not; -1: well done. */
static int
run(struct daemon *d, char **argv)
{
    int code = parse(d, argv);

    if (code == ADIT_EXIT_OK && d->task == TASK_PRINT) {
        adit_help_effective(stdout, d->settings);
        return ADIT_EXIT_OK;
    }
    if (code == ADIT_EXIT_OK)
        code = try_node(d);
    if (code == ADIT_EXIT_OK)
        code = open_all(d);
    if (code == ADIT_EXIT_OK)
        code = make_node(d, d->key);
    if (code != ADIT_EXIT_OK || d->task == TASK_CHECK)
        return code;
    log_start(d);
    log_public(d);
    code = bind_all(d);
    if (code != ADIT_EXIT_OK)
        return code;
    serve(d);
    return d->exit_code;
}

int
main(int argc, char **argv)
{
    struct daemon d = { .signal_fd = -1 };
    int code;

    (void)argc;
    adit_logger_init(&d.logger);
    code = run(&d, argv);
    if (code < 0)
        code = ADIT_EXIT_OK;
    if (fflush(stdout) != 0 && code == ADIT_EXIT_OK)
        code = ADIT_EXIT_OS;
    d.exit_code = code;
    end(&d);
    return code;
}
