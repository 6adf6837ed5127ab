/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"
#include "cli/target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct ping {
    struct adit_cli *c;
    struct adit_cli_target target;
    const char *addr;
    adit_node *node;
    unsigned count, n;
    uint32_t gap_ms;
    int64_t *us;
};

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void
summary(struct ping *p)
{
    unsigned n = p->n;

    if (n == 0)
        return;
    qsort(p->us, n, sizeof(*p->us), by_value);
    adit_cli_event(p->c,
                   json_pack("{s:s,s:i,s:I,s:I,s:I}", "event", "pinged",
                             "count", (int)n, "min_us", (json_int_t)p->us[0],
                             "p50_us", (json_int_t)p->us[n / 2], "max_us",
                             (json_int_t)p->us[n - 1]));
    adit_cli_text(p->c,
                  "%u pings: least %.3f ms, median %.3f ms, most %.3f ms", n,
                  (double)p->us[0] / 1000, (double)p->us[n / 2] / 1000,
                  (double)p->us[n - 1] / 1000);
}

static void try_next(struct ping *p, adit_err before);

static void
on_ping(void *ctx, adit_node *node, void *tag, adit_err why, const char *text,
        int64_t rtt_us)
{
    struct ping *p = ctx;

    (void)node;
    (void)tag;
    adit_cli_progress(p->c, NULL, NULL, NULL);
    if (why == ADIT_OK && p->n < p->count) {
        p->us[p->n++] = rtt_us;
        adit_cli_event(p->c, json_pack("{s:s,s:i,s:I}", "event", "ping", "n",
                                       (int)p->n, "us", (json_int_t)rtt_us));
        adit_cli_text(p->c, "ping %u: %.3f ms", p->n, (double)rtt_us / 1000);
        if (p->n < p->count)
            adit_cli_progress(p->c, "waiting for an answer", NULL, NULL);
        return;
    }
    if (why == ADIT_OK)
        return;
    if (why == ADIT_DONE && p->n == 0)
        why = ADIT_ERESET; /* closed before it had answered */
    if (why != ADIT_DONE)
        adit_cli_fail(p->c, p->addr, why, text);
    if (p->n == 0) {
        try_next(p, why);
        return;
    }
    summary(p);
    adit_cli_end(p->c, adit_cli_exit(why, p->n > 0));
}

static void
try_next(struct ping *p, adit_err before)
{
    adit_err e;

    p->addr = adit_cli_target_next(&p->target);
    if (p->addr == NULL) {
        adit_cli_end(p->c, adit_cli_exit(before, false));
        return;
    }
    adit_cli_progress(p->c, "connecting", NULL, NULL);
    e = adit_ping(p->node, p->addr, &p->target.opt, p->count, p->gap_ms, p);
    if (e != ADIT_OK) {
        adit_cli_fail(p->c, p->addr, e,
                      e == ADIT_EINVAL ? "it must end in /p2p/ID" : NULL);
        adit_cli_end(p->c, adit_cli_exit(e, false));
    }
}

static void
on_conn(void *ctx, adit_node *n, const struct adit_conn_info *info)
{
    (void)n;
    adit_cli_on_conn(((struct ping *)ctx)->c, info);
}

static void
on_peer(void *ctx, adit_node *n, const struct adit_peer_info *info)
{
    (void)n;
    adit_cli_on_peer(((struct ping *)ctx)->c, info);
}

static void
on_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    struct ping *p = ctx;

    (void)n;
    adit_cli_fail(p->c, "node", why, text);
    adit_cli_end(p->c, ADIT_CLI_LOCAL);
}

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct adit_cli_dial_args a = ADIT_CLI_DIAL_ARGS_INIT;
    struct adit_events ev = ADIT_EVENTS_INIT;
    struct ping p = { .c = c, .count = 5, .gap_ms = 1000 };
    struct adit_cli_arg rows[10] = {
        { "count", 'n', ADIT_CLI_COUNT, &p.count, "N", "how many (5)" },
        { "interval", 'i', ADIT_CLI_TIME, &p.gap_ms, "TIME",
          "from one to the next (1s)" },
    };
    const char *pos[1];
    size_t n = 2 + adit_cli_dial_rows(&a, rows + 2);
    int code = adit_cli_parse(c, self, rows, n, argv, pos, 1, 1);

    if (code != ADIT_CLI_OK)
        return code;
    if (p.count == 0 || p.count > 1000000) {
        adit_cli_error(c, "--count: 1 to 1000000");
        return ADIT_CLI_USAGE;
    }
    ev.ctx = &p;
    ev.on_conn = on_conn;
    ev.on_peer = on_peer;
    ev.on_ping = on_ping;
    ev.on_failed = on_failed;
    p.us = calloc(p.count, sizeof(*p.us));
    if (p.us == NULL) {
        adit_cli_fail(c, "ping", ADIT_ENOMEM, NULL);
        return ADIT_CLI_LOCAL;
    }
    code = adit_cli_target_init(c, &p.target, pos[0], &a);
    if (code == ADIT_CLI_OK)
        code = adit_cli_node(c, a.key, NULL, &ev, &p.node);
    if (code == ADIT_CLI_OK) {
        try_next(&p, ADIT_EUNREACHABLE);
        if (!adit_cli_run(&c->loop))
            adit_cli_end(c, ADIT_CLI_LOCAL);
        code = c->code;
    }
    adit_cli_node_free(c, p.node);
    adit_cli_target_fini(&p.target);
    free(p.us);
    return code;
}

const struct adit_cli_command adit_cli_cmd_ping = {
    "ping",
    "ADDR",
    "how long a peer takes to answer",
    "Ping the peer at ADDR, a multiaddr that ends in /p2p/ID, direct or "
    "through a\nrelay.",
    run,
    false,
};
