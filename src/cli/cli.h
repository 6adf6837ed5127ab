/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * cli: what the commands of adit share: output, arguments, a node.
 *
 * Knows nothing of us but the public header.  One thread, one poll loop; the
 * node has a thread of its own, and speaks through its descriptor.
 */
#ifndef ADIT_CLI_CLI_H
#define ADIT_CLI_CLI_H

#include <adit/adit.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/loop.h"

#define ADIT_CLI_NITEMS(v) (sizeof(v) / sizeof((v)[0]))

/* Where streams are joined to programs, unless another is named. */
#define ADIT_CLI_PROTOCOL "/adit/cat/1"

/* Documented in adit.1, and printed by `adit help`. */
enum adit_cli_exit {
    ADIT_CLI_OK = 0,
    ADIT_CLI_STREAM = 1, /* it broke after it was open */
    ADIT_CLI_USAGE = 2,
    ADIT_CLI_CONNECT = 3, /* nobody there, or somebody else */
    ADIT_CLI_REFUSED = 4,
    ADIT_CLI_LIMIT = 5, /* the relay's limit cut it */
    ADIT_CLI_LOCAL = 6, /* a file, memory, the system */
};

/* The one place where an error becomes an exit code. */
int adit_cli_exit(adit_err e, bool was_open);

/* An option that may be given more than once. */
#define ADIT_CLI_MAX_LIST 16
struct adit_cli_list {
    const char *v[ADIT_CLI_MAX_LIST];
    size_t n;
};

struct adit_cli {
    bool json;
    unsigned verbose;
    struct adit_cli_list options; /* -o NAME=VALUE, of the node */
    FILE *events; /* stdout, or stderr if stdout carries a stream */
    bool is_tty;  /* stderr is a terminal */
    struct adit_cli_loop loop;
    int code; /* the exit code, once the loop ended */
    /* What is shown when it takes long. */
    const char *doing;
    void (*describe)(void *ctx, char *buf, size_t cap);
    void *describe_ctx;
    int64_t doing_since_us;
    bool is_drawn;
    struct adit_cli_timer draw;
};

void adit_cli_init(struct adit_cli *c);
void adit_cli_fini(struct adit_cli *c);

/* Ends the loop; the first code given stays. */
void adit_cli_end(struct adit_cli *c, int code);

/* ---- output ---------------------------------------------------------------- */

/* "adit: ..." on stderr; with --json also an event "error". */
void adit_cli_error(struct adit_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with a code, "adit: TEXT (what the code means)". */
void adit_cli_fail(struct adit_cli *c, const char *doing, adit_err e,
                   const char *text);
/* "adit: ..." on stderr, not with --json. */
void adit_cli_warn(struct adit_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, with -v only. */
void adit_cli_note(struct adit_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line for people; not with --json. */
void adit_cli_text(struct adit_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line for programs; with --json only.  Takes `event` (NULL is fine). */
void adit_cli_event(struct adit_cli *c, json_t *event);

/*
 * "doing ... (3 s)" on a terminal once it takes over two seconds; NULL: done.
 * `describe` (may be NULL) adds to it.
 */
void adit_cli_progress(struct adit_cli *c, const char *doing,
                       void (*describe)(void *ctx, char *buf, size_t cap),
                       void *ctx);

/* "128 KiB", "2 min"; "no limit" for 0. */
#define ADIT_CLI_AMOUNT_BYTES 32
const char *adit_cli_bytes(uint64_t n, char buf[ADIT_CLI_AMOUNT_BYTES]);
const char *adit_cli_seconds(uint64_t s, char buf[ADIT_CLI_AMOUNT_BYTES]);
/* "18:05:11 UTC" */
const char *adit_cli_clock(int64_t unix_s, char buf[ADIT_CLI_AMOUNT_BYTES]);

/* What a limit_near event tells; for any command. */
void adit_cli_on_limit_near(struct adit_cli *c,
                            const struct adit_conn_info *info);

/* ---- arguments ------------------------------------------------------------- */

enum adit_cli_arg_kind {
    ADIT_CLI_FLAG,  /* bool */
    ADIT_CLI_TIMES, /* unsigned: how often it was given */
    ADIT_CLI_TEXT,  /* const char * */
    ADIT_CLI_LIST,  /* struct adit_cli_list */
    ADIT_CLI_COUNT, /* unsigned */
    ADIT_CLI_TIME,  /* uint32_t, milliseconds; "10s", "500ms", "2min" */
    ADIT_CLI_MAYBE, /* struct adit_cli_maybe; a value only if it begins with
                       a digit */
};

struct adit_cli_maybe {
    bool is_set;
    const char *value; /* NULL: none was given */
};

struct adit_cli_arg {
    const char *name; /* "relay" for --relay */
    char letter;      /* 0: none */
    enum adit_cli_arg_kind kind;
    void *out;
    const char *value; /* "ADDR"; NULL for flags */
    const char *help;  /* NULL: another name for the one before */
};

struct adit_cli_command {
    const char *name;
    const char *synopsis; /* behind the name and the options */
    const char *summary;  /* half a line */
    const char *help;
    int (*run)(struct adit_cli *c, const struct adit_cli_command *self,
               char **argv);
    bool on_socket; /* it talks to a running aditd, and has no node */
};

extern const struct adit_cli_command adit_cli_cmd_id, adit_cli_cmd_ping,
    adit_cli_cmd_listen, adit_cli_cmd_dial, adit_cli_cmd_probe;
/* Those of `adit relay` that talk to a running aditd. */
extern const struct adit_cli_command adit_cli_cmd_status, adit_cli_cmd_peers,
    adit_cli_cmd_circuits, adit_cli_cmd_peer, adit_cli_cmd_limits,
    adit_cli_cmd_kick, adit_cli_cmd_ban, adit_cli_cmd_unban,
    adit_cli_cmd_class, adit_cli_cmd_usage, adit_cli_cmd_config,
    adit_cli_cmd_reload, adit_cli_cmd_drain, adit_cli_cmd_undrain;

/*
 * Parse argv[1] and on.  Words that are no options come out in `pos`, at
 * least `min` and at most `max`; the rest of `pos` is NULL.
 *
 *   ADIT_CLI_OK     go on
 *   ADIT_CLI_USAGE  said why
 *   -1              --help: printed
 */
int adit_cli_parse(struct adit_cli *c, const struct adit_cli_command *cmd,
                   const struct adit_cli_arg *args, size_t n_args, char **argv,
                   const char **pos, size_t min, size_t max);

/* The word of `words` that was perhaps meant; NULL: none. */
const char *adit_cli_nearest(const char *word, const char *const *words,
                             size_t n);

/* "90s", "2min", "1h", "7d", "4w" as seconds.  False: it is none. */
bool adit_cli_duration(const char *text, int64_t *s);

/* Is it a multiaddr?  If not, says where it is wrong. */
bool adit_cli_check_addr(struct adit_cli *c, const char *text);

/* ---- a node ---------------------------------------------------------------- */

/*
 * A node with the options of the command line, running and watched by the
 * loop.  key_file NULL: an identity for this run only.  Says what is wrong.
 * ADIT_CLI_OK, or the exit code.
 */
int adit_cli_node(struct adit_cli *c, const char *key_file,
                  const struct adit_cli_list *listens,
                  const struct adit_events *ev, adit_node **out);

/* Frees it, and no longer watches it.  NULL is fine. */
void adit_cli_node_free(struct adit_cli *c, adit_node *n);

#endif
