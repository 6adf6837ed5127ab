/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"
#include "cli/join.h"
#include "cli/target.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct dial {
    struct adit_cli *c;
    struct adit_cli_target target;
    const char *protocol;
    const char *addr; /* being tried */
    adit_node *node;
    adit_stream *s; /* until it is joined */
    struct adit_cli_join *join;
    int64_t began_us;
};

static void
describe(void *ctx, char *buf, size_t cap)
{
    struct dial *d = ctx;
    uint64_t in, out;
    char a[ADIT_CLI_AMOUNT_BYTES], b[ADIT_CLI_AMOUNT_BYTES];

    if (d->join == NULL)
        return;
    adit_cli_join_count(d->join, &in, &out);
    snprintf(buf, cap, "%s sent, %s received", adit_cli_bytes(in, a),
             adit_cli_bytes(out, b));
}

static void
on_joined(void *ctx, adit_err why, const char *text)
{
    struct dial *d = ctx;
    struct adit_cli *c = d->c;
    uint64_t in, out;
    char a[ADIT_CLI_AMOUNT_BYTES], b[ADIT_CLI_AMOUNT_BYTES];

    adit_cli_join_count(d->join, &in, &out);
    d->join = NULL;
    adit_cli_progress(c, NULL, NULL, NULL);
    adit_cli_event(c, json_pack("{s:s,s:I,s:I,s:s,s:s}", "event", "closed",
                                "bytes_out", (json_int_t)in, "bytes_in",
                                (json_int_t)out, "code", adit_err_name(why),
                                "text", text));
    adit_cli_note(c, "%s sent, %s received; %s", adit_cli_bytes(in, a),
                  adit_cli_bytes(out, b), text);
    if (why == ADIT_CANCELLED)
        adit_cli_warn(c, "%s", text);
    else if (why != ADIT_DONE)
        adit_cli_warn(c, "the stream ended early: %s (%s)", text,
                      adit_err_text(why));
    adit_cli_end(c, adit_cli_exit(why, true));
}

static void
tell_open(struct dial *d)
{
    struct adit_conn_info info = { .size = sizeof(info) };
    struct adit_cli *c = d->c;
    int64_t ms = (adit_cli_now_us() - d->began_us) / 1000;

    if (adit_stream_conn(d->s, &info) != ADIT_OK)
        return;
    adit_cli_event(c,
                   json_pack("{s:s,s:s,s:s,s:s?,s:b,s:s,s:I}", "event", "open",
                             "peer", info.peer, "addr", info.addr, "relay",
                             info.relay, "limited", info.is_limited,
                             "protocol", d->protocol, "ms", (json_int_t)ms));
    adit_cli_note(c, "%s is open after %" PRId64 " ms", d->protocol, ms);
}

static void
on_open(void *ctx, adit_stream *s)
{
    struct dial *d = ctx;
    struct adit_cli_join_config cfg = {
        .loop = &d->c->loop,
        .stream = s,
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .done = on_joined,
        .ctx = d,
    };

    adit_cli_progress(d->c, NULL, NULL, NULL);
    tell_open(d);
    d->s = NULL;
    d->join = adit_cli_join_new(&cfg);
    if (d->join == NULL) {
        adit_cli_fail(d->c, "stream", ADIT_ENOMEM, NULL);
        adit_cli_end(d->c, ADIT_CLI_LOCAL);
        return;
    }
    /* On a terminal of its own, where it does not run into the data. */
    if (!isatty(STDOUT_FILENO) && !isatty(STDIN_FILENO))
        adit_cli_progress(d->c, "dial", describe, d);
}

static void try_next(struct dial *d, adit_err before);

static void
on_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    struct dial *d = ctx;

    d->s = NULL;
    adit_cli_progress(d->c, NULL, NULL, NULL);
    adit_cli_fail(d->c, d->addr, why, text);
    adit_stream_close(s);
    try_next(d, why);
}

static void
try_next(struct dial *d, adit_err before)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;
    adit_err e;

    ev.ctx = d;
    ev.on_open = on_open;
    ev.on_failed = on_failed;
    d->addr = adit_cli_target_next(&d->target);
    if (d->addr == NULL) {
        adit_cli_end(d->c, adit_cli_exit(before, false));
        return;
    }
    adit_cli_progress(d->c, "connecting", NULL, NULL);
    adit_cli_note(d->c, "dialling %s", d->addr);
    e = adit_open(d->node, d->addr, d->protocol, &d->target.opt, &ev, &d->s);
    if (e == ADIT_OK)
        return;
    if (e == ADIT_EINVAL)
        adit_cli_error(d->c,
                       "%s, protocol %s: not an address that ends in "
                       "/p2p/ID, or not a protocol's name",
                       d->addr, d->protocol);
    else
        adit_cli_fail(d->c, d->addr, e, NULL);
    adit_cli_end(d->c, adit_cli_exit(e, false));
}

static void
on_conn(void *ctx, adit_node *n, const struct adit_conn_info *info)
{
    (void)n;
    adit_cli_on_conn(((struct dial *)ctx)->c, info);
}

static void
on_conn_end(void *ctx, adit_node *n, const struct adit_conn_info *info,
            adit_err why, const char *text)
{
    (void)n;
    adit_cli_on_conn_end(((struct dial *)ctx)->c, info, why, text);
}

static void
on_peer(void *ctx, adit_node *n, const struct adit_peer_info *p)
{
    (void)n;
    adit_cli_on_peer(((struct dial *)ctx)->c, p);
}

static void
on_limit_near(void *ctx, adit_node *n, const struct adit_conn_info *info)
{
    (void)n;
    adit_cli_on_limit_near(((struct dial *)ctx)->c, info);
}

static void
on_node_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    struct dial *d = ctx;

    (void)n;
    adit_cli_fail(d->c, "node", why, text);
    adit_cli_end(d->c, ADIT_CLI_LOCAL);
}

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct adit_cli_dial_args a = ADIT_CLI_DIAL_ARGS_INIT;
    struct adit_events ev = ADIT_EVENTS_INIT;
    struct dial d = { .c = c };
    struct adit_cli_arg rows[8];
    const char *pos[2];
    size_t n = adit_cli_dial_rows(&a, rows);
    int code;

    c->events = stderr;
    code = adit_cli_parse(c, self, rows, n, argv, pos, 1, 2);
    if (code != ADIT_CLI_OK)
        return code;
    d.protocol = pos[1] != NULL ? pos[1] : ADIT_CLI_PROTOCOL;
    d.began_us = adit_cli_now_us();
    ev.ctx = &d;
    ev.on_conn = on_conn;
    ev.on_conn_end = on_conn_end;
    ev.on_peer = on_peer;
    ev.on_limit_near = on_limit_near;
    ev.on_failed = on_node_failed;
    code = adit_cli_target_init(c, &d.target, pos[0], &a);
    if (code == ADIT_CLI_OK)
        code = adit_cli_node(c, a.key, NULL, &ev, &d.node);
    if (code == ADIT_CLI_OK) {
        try_next(&d, ADIT_EUNREACHABLE);
        if (!adit_cli_run(&c->loop))
            adit_cli_end(c, ADIT_CLI_LOCAL);
        code = c->code;
    }
    adit_cli_join_abort(d.join);
    adit_cli_node_free(c, d.node);
    adit_cli_target_fini(&d.target);
    return code;
}

const struct adit_cli_command adit_cli_cmd_dial = {
    "dial",
    "ADDR [PROTOCOL]",
    "standard input and output over a stream",
    "Open a stream for PROTOCOL (" ADIT_CLI_PROTOCOL ") to the peer at ADDR, "
    "a multiaddr\nthat ends in /p2p/ID, and join it with standard input and "
    "output.  The end of\nthe input is passed on; what still comes back is "
    "written until the peer ends too.\nWith --json the events go to standard "
    "error.  Before a relay's limit cuts the\npath, it warns.",
    run,
    false,
};
