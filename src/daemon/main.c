/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * aditd: a circuit relay v2, as a customer of libadit.
 *
 * Starts in phases, one function each: parse, open, bind, drop, confine,
 * serve.  What needs root happens before drop; what happens after is done by
 * whom we become, the ledger's file included.  Files are confined before
 * there is a second thread, system calls once the node has its own.
 *
 * What is wrong before `serve` is said in one sentence on stderr, and ends
 * the program; after that only the operator ends it.
 */
#include "daemon/confine.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

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

/* A line with a sentence in it. */
static void
tell(struct adit_daemon *d, enum adit_log_level level, const char *event,
     const char *text)
{
    struct adit_log_line l;

    if (!adit_log_open(&l, &d->logger.log, level, event))
        return;
    adit_log_str(&l, "text", text);
    adit_log_close(&l);
}

static const struct adit_own *
own(const struct adit_daemon *d)
{
    return adit_settings_own(d->settings);
}

static bool
is(const struct adit_daemon *d, const char *option, const char *value)
{
    char have[ADIT_OPT_TEXT_BYTES];

    adit_settings_resolve(d->settings, option, have, sizeof(have));
    return strcmp(have, value) == 0;
}

/* ---- parse ----------------------------------------------------------------- */

static void
on_complaint(void *ctx, const char *text)
{
    (void)ctx;
    say("%s", text);
}

static int
usage_error(const char *what, const char *arg)
{
    say("%s%s", what, arg);
    adit_help_usage(stderr);
    return ADIT_EXIT_USAGE;
}

/* ADIT_EXIT_OK to go on; -1: done, and well. */
static int
parse_flags(struct adit_daemon *d)
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
    char *const *argv = d->argv;

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
        if (adit_conf_takes("-c", argv, &i, &d->file) ||
            adit_conf_takes("--config", argv, &i, &d->file)) {
            if (d->file == NULL)
                return usage_error("a file is missing behind ", arg);
            is_known = true;
        } else if (strcmp(arg, "--check") == 0) {
            d->task = ADIT_TASK_CHECK;
            is_known = true;
        } else if (strcmp(arg, "--print-config") == 0) {
            d->task = ADIT_TASK_PRINT;
            is_known = true;
        } else if (adit_conf_is_option(arg)) {
            is_known = true; /* later */
            if (strchr(arg, '=') == NULL && argv[i + 1] != NULL)
                i++;
        }
        if (!is_known)
            return usage_error("what is ", arg);
    }
    return ADIT_EXIT_OK;
}

static int
parse(struct adit_daemon *d)
{
    struct adit_complaints c = { .line = on_complaint };
    int code;

    d->settings = d->started = adit_settings_new();
    if (d->settings == NULL) {
        say("out of memory");
        return ADIT_EXIT_OS;
    }
    code = parse_flags(d);
    if (code != ADIT_EXIT_OK)
        return code;
    adit_conf_load(d->settings, d->file, environ, d->argv, &c);
    if (c.n > 0)
        return ADIT_EXIT_CONFIG;
    adit_logger_set(&d->logger, (enum adit_level)own(d)->log_level,
                    own(d)->log_format == ADIT_LOG_JSON);
    return ADIT_EXIT_OK;
}

/* ---- open ------------------------------------------------------------------ */

static int
make_identity(struct adit_daemon *d, const char *path)
{
    struct adit_log_line l;

    if (adit_key_new(&d->key) != ADIT_OK) {
        say("out of memory");
        return ADIT_EXIT_OS;
    }
    if (d->task != ADIT_TASK_SERVE)
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
warn_if_exposed(struct adit_daemon *d, const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    struct adit_log_line l;
    struct stat st;
    char mode[8];

    /* Who may read these is not said by their mode alone. */
    if (dir != NULL && strncmp(path, dir, strlen(dir)) == 0)
        return;
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
open_identity(struct adit_daemon *d)
{
    const char *path = own(d)->identity_file;
    struct stat st;
    adit_err e;

    if (path[0] == '\0') {
        say("identity.file is empty: name a file");
        return ADIT_EXIT_CONFIG;
    }
    /* It would be waited for, and SIGTERM is not looked at yet. */
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
        say("identity.file: %s is a pipe: name a file", path);
        return ADIT_EXIT_IDENTITY;
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

/* Signals come by descriptor, for this thread and those it starts. */
static int
open_signals(struct adit_daemon *d)
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

/* Who used the relay is no concern of others; who may use its door is said by
 * the socket's own mode. */
#define LEDGER_DIR_MODE 0750
#define DOOR_DIR_MODE 0755

/* Folders for what is made while it runs. */
static int
open_folders(struct adit_daemon *d)
{
    char file[ADIT_OPT_TEXT_BYTES], why[ADIT_PRIVS_WHY_BYTES];

    adit_settings_get(d->settings, "ledger.file", file, sizeof(file));
    if (is(d, "ledger.backend", "sqlite") &&
        adit_privs_make_dir(&d->privs, file, LEDGER_DIR_MODE, why) !=
            ADIT_OK) {
        say("ledger.file: %s; name another place, or set ledger.backend = "
            "none",
            why);
        return ADIT_EXIT_CREATE;
    }
    if (own(d)->admin_socket[0] != '\0' && d->given.admin < 0 &&
        adit_privs_make_dir(&d->privs, own(d)->admin_socket, DOOR_DIR_MODE,
                            why) != ADIT_OK &&
        adit_settings_from(d->settings, "admin.socket") != NULL) {
        say("admin.socket: %s", why);
        return ADIT_EXIT_CREATE;
    }
    return ADIT_EXIT_OK;
}

static int
open_all(struct adit_daemon *d)
{
    char why[ADIT_PRIVS_WHY_BYTES];
    int code = open_signals(d);

    if (code == ADIT_EXIT_OK &&
        adit_privs_find(&d->privs, own(d)->run_user, own(d)->run_group, why) !=
            ADIT_OK) {
        say("%s", why);
        code = ADIT_EXIT_CONFIG;
    }
    if (code == ADIT_EXIT_OK)
        code = open_identity(d);
    if (code == ADIT_EXIT_OK)
        adit_key_peer_id(d->key, d->peer);
    if (code == ADIT_EXIT_OK && d->task == ADIT_TASK_SERVE) {
        adit_notify_init(&d->notify);
        adit_sockets_take(&d->given);
        code = open_folders(d);
    }
    return code;
}

/* ---- bind, drop -------------------------------------------------------------- */

/* Sockets that were given to us, and those that only root could have. */
static int
bind_low(struct adit_daemon *d)
{
    int fds[ADIT_SOCKETS_MAX + ADIT_PRIVS_LOW_PORTS];
    char list[ADIT_OPT_TEXT_BYTES], why[ADIT_PRIVS_WHY_BYTES];
    size_t n = d->given.n_relay, n_low = 0;

    memcpy(fds, d->given.relay, n * sizeof(fds[0]));
    adit_settings_get(d->settings, "listen.tcp", list, sizeof(list));
    if (d->privs.is_wanted && n == 0 &&
        adit_privs_bind(list, fds, &n_low, why) != ADIT_OK) {
        say("%s", why);
        return ADIT_EXIT_BIND;
    }
    n += n_low;
    if (n == 0)
        return ADIT_EXIT_OK;
    if (adit_config_set_sockets(adit_settings_config(d->settings), fds, n) !=
        ADIT_OK) {
        say("%zu sockets are more than a relay takes", n);
        return ADIT_EXIT_BIND;
    }
    return ADIT_EXIT_OK;
}

/* The default is a place that only an installed relay has. */
static bool
has_admin_socket(struct adit_daemon *d)
{
    char why[ADIT_PRIVS_WHY_BYTES];

    if (d->given.admin >= 0)
        return true;
    if (own(d)->admin_socket[0] == '\0')
        return false;
    if (adit_settings_from(d->settings, "admin.socket") != NULL ||
        adit_privs_check_dir(own(d)->admin_socket, why) == ADIT_OK)
        return true;
    tell(d, ADIT_LOG_WARN, "admin.none", why);
    return false;
}

static int
drop(struct adit_daemon *d)
{
    char file[ADIT_OPT_TEXT_BYTES], why[ADIT_PRIVS_WHY_BYTES];

    if (adit_privs_drop(&d->privs, why) != ADIT_OK) {
        say("%s", why);
        return ADIT_EXIT_OS;
    }
    adit_settings_get(d->settings, "ledger.file", file, sizeof(file));
    if (is(d, "ledger.backend", "sqlite") &&
        adit_privs_check_dir(file, why) != ADIT_OK) {
        say("ledger.file: %s; name another place, or set ledger.backend = "
            "none",
            why);
        return ADIT_EXIT_CREATE;
    }
    return ADIT_EXIT_OK;
}

/* ---- confine ------------------------------------------------------------------ */

struct confined {
    int abi; /* of Landlock; 0: files are not confined */
    bool calls;
    char why[2 * ADIT_CONFINE_WHY_BYTES + 4];
};

/* Is it an option that names a file which is read again on reload? */
static bool
names_file(const char *option)
{
    const char *key = strrchr(option, '.') + 1;
    size_t n = strlen(key);

    return strcmp(option, "asn.file") == 0 ||
           (n > 5 && strcmp(key + n - 5, "_file") == 0);
}

static void
confine_files(struct adit_daemon *d, struct confined *c)
{
    static const char *const always[] = {
        "/etc",
        "/run/secrets",
        "/dev/null",
        "/dev/urandom",
        "/proc/self",
        "/sys/devices/system/cpu", /* how many: malloc */
        "/usr/share/zoneinfo",
    };
    struct adit_confine_paths *p = calloc(1, sizeof(*p));
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], value[ADIT_OPT_TEXT_BYTES];
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (p == NULL) {
        snprintf(c->why, sizeof(c->why), "out of memory");
        return;
    }
    for (size_t i = 0; i < ADIT_NITEMS(always); i++)
        adit_confine_add(p, always[i], false);
    adit_confine_add_folder_of(p, "/etc/resolv.conf", false);
    if (dir != NULL)
        adit_confine_add(p, dir, false);
    if (d->file != NULL)
        adit_confine_add_folder_of(p, d->file, false);
    for (size_t i = 0; adit_settings_at(d->settings, i, name, &o) == ADIT_OK;
         i++)
        if (names_file(name) &&
            adit_settings_get(d->settings, name, value, sizeof(value)) > 0)
            adit_confine_add_folder_of(p, value, false);
    adit_settings_get(d->settings, "ledger.file", value, sizeof(value));
    if (is(d, "ledger.backend", "sqlite"))
        adit_confine_add_folder_of(p, value, true);
    if (own(d)->admin_socket[0] != '\0')
        adit_confine_add_folder_of(p, own(d)->admin_socket, true);
    if (adit_confine_files(p, &c->abi, c->why) != ADIT_OK)
        c->abi = 0;
    free(p);
}

static void
confine_calls(struct adit_daemon *d, struct confined *c)
{
    struct adit_log_line l;
    char why[ADIT_CONFINE_WHY_BYTES] = "";
    char landlock[16] = "no";
    size_t n = strlen(c->why);

    c->calls = adit_confine_calls(why) == ADIT_OK;
    if (why[0] != '\0')
        snprintf(c->why + n, sizeof(c->why) - n, "%s%s", n > 0 ? "; " : "",
                 why);
    if (!adit_log_open(&l, &d->logger.log,
                       c->abi > 0 && c->calls ? ADIT_LOG_INFO : ADIT_LOG_WARN,
                       "node.confined"))
        return;
    if (c->abi > 0)
        snprintf(landlock, sizeof(landlock), "abi%d", c->abi);
    adit_log_str(&l, "seccomp", c->calls ? "yes" : "no");
    if (c->calls) {
        adit_log_str(&l, "unlisted", "ENOSYS");
        adit_log_str(&l, "exec", "kill");
    }
    adit_log_str(&l, "landlock", landlock);
    if (c->why[0] != '\0')
        adit_log_str(&l, "why", c->why);
    adit_log_close(&l);
}

/* ---- the node ------------------------------------------------------------------ */

static int
make_node(struct adit_daemon *d, const adit_key *key)
{
    adit_config *cfg = adit_settings_config(d->settings);
    struct adit_events ev = ADIT_EVENTS_INIT;
    adit_err e;

    adit_serve_events(d, &ev);
    adit_config_set_log(cfg, (enum adit_level)own(d)->log_level,
                        adit_logger_sink, &d->logger);
    e = adit_node_new(cfg, key, &ev, &d->node);
    if (e == ADIT_EINVAL) {
        const char *why = adit_config_why(cfg);
        const char *from = adit_reload_source(d->settings, why);

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
try_node(struct adit_daemon *d)
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

static int
make_admin(struct adit_daemon *d)
{
    struct adit_admin_config c = {
        .size = sizeof(c),
        .socket_fd = d->given.admin,
        .group = own(d)->admin_group,
        .http = own(d)->http_listen,
        .on_task = adit_serve_on_task,
        .ctx = d,
    };
    char why[ADIT_ADMIN_WHY_BYTES];
    adit_err e;

    if (has_admin_socket(d))
        c.socket = own(d)->admin_socket;
    if (c.socket == NULL && c.http[0] == '\0')
        return ADIT_EXIT_OK;
    e = adit_admin_new(d->node, &c, &d->admin, why);
    if (e == ADIT_OK) {
        d->given.admin = -1; /* the door's now */
        return ADIT_EXIT_OK;
    }
    say("%s", e == ADIT_EINVAL ? why : adit_err_text(e));
    return e == ADIT_EINVAL ? ADIT_EXIT_CONFIG : ADIT_EXIT_OS;
}

/* ---- what is said at the start -------------------------------------------------- */

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

static void
log_start(struct adit_daemon *d)
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
    if (geteuid() == 0)
        tell(d, ADIT_LOG_WARN, "node.root",
             "running as root: run aditd as a user of its own, or set "
             "run.user");
    if (d->privs.is_wanted &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.dropped")) {
        adit_log_str(&l, "user", d->privs.user);
        adit_log_u64(&l, "uid", d->privs.uid);
        adit_log_u64(&l, "gid", d->privs.gid);
        adit_log_close(&l);
    }
    if (d->given.n_unfit > 0 &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN, "socket.unfit")) {
        adit_log_u64(&l, "n", d->given.n_unfit);
        adit_log_str(&l, "text",
                     "sockets that were given to us and do not listen, or "
                     "are too many, were closed");
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

/* Limits of a class, as the log tells them. */
static void
put_limits(struct adit_log_line *l, struct adit_daemon *d, const char *name)
{
    static const struct {
        const char *shown, *key;
        bool always; /* also if there is no such limit */
    } given[] = {
        { "circuit_bytes_each_way", "circuit_bytes", true },
        { "circuit_duration", "circuit_duration", true },
        { "circuit_bytes_s", "circuit_bytes_s", false },
        { "peer_bytes_s", "peer_bytes_s", false },
        { "day_bytes", "day_bytes", false },
        { "month_bytes", "month_bytes", false },
    };
    char option[ADIT_OPTION_NAME_BYTES], value[ADIT_OPT_TEXT_BYTES];

    for (size_t i = 0; i < ADIT_NITEMS(given); i++) {
        snprintf(option, sizeof(option), "class.%.40s.%s", name, given[i].key);
        adit_settings_resolve(d->settings, option, value, sizeof(value));
        if (strcmp(value, "0") != 0)
            adit_log_str(l, given[i].shown, value);
        else if (given[i].always)
            adit_log_str(l, given[i].shown, "unlimited");
    }
}

/* The options of `options` that say something. */
static void
put_options(struct adit_log_line *l, struct adit_daemon *d,
            const char *const *options)
{
    char value[ADIT_OPT_TEXT_BYTES];

    for (; *options != NULL; options++) {
        adit_settings_get(d->settings, *options, value, sizeof(value));
        if (value[0] == '\0' || strcmp(value, "0") == 0)
            continue;
        if (value[strspn(value, "0123456789")] == '\0') /* a count */
            adit_log_u64(l, *options, strtoull(value, NULL, 10));
        else
            adit_log_str(l, *options, value);
    }
}

/* Who is named in the class, by which of its keys; false: nobody. */
static bool
members_of(struct adit_daemon *d, const char *name, char *out, size_t cap)
{
    static const char *const keys[] = { "peers", "peers_file", "subnets",
                                        "asns" };
    char option[ADIT_OPTION_NAME_BYTES], value[ADIT_OPT_TEXT_BYTES];
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ADIT_NITEMS(keys); i++) {
        snprintf(option, sizeof(option), "class.%.40s.%s", name, keys[i]);
        if (adit_settings_get(d->settings, option, value, sizeof(value)) > 0)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? "," : "",
                                  keys[i]);
    }
    return n > 0;
}

static void
log_classes(struct adit_daemon *d)
{
    struct adit_option o = { .size = sizeof(o) };
    char option[ADIT_OPTION_NAME_BYTES], name[ADIT_OPTION_NAME_BYTES];
    char members[64];
    struct adit_log_line l;

    for (size_t i = 0; adit_settings_at(d->settings, i, option, &o) == ADIT_OK;
         i++) {
        /* Each class once: at its first key. */
        if (sscanf(option, "class.%90[^.].peers", name) != 1 ||
            strcmp(strrchr(option, '.'), ".peers") != 0 ||
            !members_of(d, name, members, sizeof(members)) ||
            !adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "relay.class"))
            continue;
        adit_log_str(&l, "class", name);
        adit_log_str(&l, "by", members);
        put_limits(&l, d, name);
        adit_log_close(&l);
    }
}

/* Who may use it, in a sentence; NULL: anybody. */
static const char *
restriction(struct adit_daemon *d)
{
    if (!is(d, "access.allow_file", ""))
        return "only who is on the allow list may reserve, and dial through "
               "this relay";
    if (is(d, "class.anonymous.may_reserve", "no"))
        return is(d, "class.anonymous.may_dial", "none")
                   ? "only who is in a class may reserve, and dial through "
                     "this relay"
                   : "only who is in a class may reserve; others may dial "
                     "them through this relay";
    if (!is(d, "admission.url", ""))
        return "whoever admission.url admits may reserve and dial through "
               "this relay";
    return NULL;
}

/* An operator should know what he gives to strangers. */
static void
log_public(struct adit_daemon *d)
{
    static const char *const options[] = { "reservation.max",
                                           "circuit.max",
                                           "rate.node_bytes_s",
                                           "access.allow_file",
                                           "access.deny_file",
                                           "admission.url",
                                           NULL };
    const char *why = restriction(d);
    struct adit_log_line l;

    if (!is(d, "relay.enabled", "yes"))
        return;
    if (adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO,
                      why != NULL ? "relay.restricted" : "relay.public")) {
        adit_log_str(&l, "text",
                     why != NULL
                         ? why
                         : "anybody who can connect may reserve, and be "
                           "dialled through this relay");
        put_options(&l, d, options);
        put_limits(&l, d, "anonymous");
        adit_log_close(&l);
    }
    log_classes(d);
}

/* ---- start to end ---------------------------------------------------------------- */

static int
start_node(struct adit_daemon *d)
{
    adit_err e = adit_node_start(d->node);

    switch (e) {
    case ADIT_OK:
        return ADIT_EXIT_OK;
    case ADIT_EFULL:
    case ADIT_EDENIED:
    case ADIT_EUNREACHABLE:
        /* What an annex says begins with its own option. */
        say("%s%s",
            strncmp(adit_node_why(d->node), "cannot", 6) == 0 ? "listen.tcp: "
                                                              : "",
            adit_node_why(d->node));
        return ADIT_EXIT_BIND;
    case ADIT_EINVAL:       /* sockets that were handed over do not fit */
    case ADIT_EUNSUPPORTED: /* left out when this was built */
        say("%s", adit_node_why(d->node));
        return ADIT_EXIT_CONFIG;
    default:
        say("%s: %s", adit_err_text(e), adit_node_why(d->node));
        return ADIT_EXIT_OS;
    }
}

/* From one thread to all that there will be. */
static int
start(struct adit_daemon *d)
{
    struct confined c = { 0 };
    int code;

    log_start(d);
    log_public(d);
    /* A group's name is looked up before files are given up: it may be in any
     * of the places that the system's name service knows. */
    code = make_node(d, d->key);
    if (code == ADIT_EXIT_OK)
        code = make_admin(d);
    if (code != ADIT_EXIT_OK)
        return code;
    if (own(d)->run_confine)
        confine_files(d, &c);
    if (adit_mailbox_init(&d->tasks, true) != ADIT_OK) {
        say("no descriptor is left");
        return ADIT_EXIT_OS;
    }
    d->has_tasks = true;
    if (adit_logger_start(&d->logger) != ADIT_OK) {
        say("no thread can be made for the log");
        return ADIT_EXIT_OS;
    }
    adit_reload_mark(d);
    code = start_node(d);
    if (code == ADIT_EXIT_OK && own(d)->run_confine)
        confine_calls(d, &c);
    return code;
}

static void
end(struct adit_daemon *d)
{
    struct adit_log_line l;

    adit_node_free(d->node);
    adit_admin_free(d->admin);
    if (d->has_tasks) {
        adit_serve_drop_tasks(d);
        adit_mailbox_fini(&d->tasks);
    }
    if (d->is_over &&
        adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "node.end")) {
        adit_log_i64(&l, "code", d->exit_code);
        adit_log_close(&l);
    }
    adit_key_free(d->key);
    if (d->started != d->settings)
        adit_settings_free(d->started);
    adit_settings_free(d->settings);
    if (d->given.admin >= 0)
        close(d->given.admin);
    adit_notify_fini(&d->notify);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
    if (!adit_logger_stop(&d->logger))
        _exit(d->exit_code);
}

/* ADIT_EXIT_OK or why not; -1: well done. */
static int
run(struct adit_daemon *d)
{
    int code = parse(d);

    if (code == ADIT_EXIT_OK && d->task == ADIT_TASK_PRINT) {
        adit_help_effective(stdout, d->settings);
        return ADIT_EXIT_OK;
    }
    if (code == ADIT_EXIT_OK)
        code = try_node(d);
    if (code == ADIT_EXIT_OK)
        code = open_all(d);
    if (code != ADIT_EXIT_OK || d->task == ADIT_TASK_CHECK)
        return code;
    code = bind_low(d);
    if (code == ADIT_EXIT_OK)
        code = drop(d);
    if (code == ADIT_EXIT_OK)
        code = start(d);
    if (code != ADIT_EXIT_OK)
        return code;
    adit_serve(d);
    return d->exit_code;
}

/* Started without them: nothing else may become stderr, and be sent the log. */
static void
open_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int
main(int argc, char **argv)
{
    struct adit_daemon d = {
        .argv = argv,
        .signal_fd = -1,
        .notify = { .fd = -1 },
        .given = { .admin = -1 },
    };
    int code;

    (void)argc;
    open_standard();
    adit_logger_init(&d.logger);
    code = run(&d);
    if (code < 0)
        code = ADIT_EXIT_OK;
    if (fflush(stdout) != 0 && code == ADIT_EXIT_OK)
        code = ADIT_EXIT_OS;
    d.exit_code = code;
    end(&d);
    return code;
}
