/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * faked SOCKET: the control socket of a relay of fakes, until standard input
 * ends; for tests/checks/relay.sh, which runs adit relay against it.
 */
#include "fakes.h"

#include "admin/desk.h"

#include <stdlib.h>
#include <unistd.h>

struct office {
    struct adit_worker *w;
    struct adit_desk desk;
    struct adit_host host;
    struct adit_identity identity;
    struct adit_metrics metrics;
    struct adit_proc proc;
    struct adit_task usage;
    unsigned n_reloads; /* the first one fails */
};

/* The daemon's part; on the worker's own thread here. */
static void
on_task(void *ctx, enum adit_admin_task task, uint64_t token)
{
    struct office *o = ctx;

    if (task == ADIT_ADMIN_CONFIG)
        adit_desk_answer(&o->desk, token, ADIT_OK,
                         "[{\"option\":\"relay.enabled\",\"value\":\"yes\","
                         "\"when\":\"start\"},{\"option\":\"log.level\","
                         "\"value\":\"\",\"from\":\"/a:7\","
                         "\"after_restart\":\"info\"}]");
    else if (o->n_reloads++ > 0)
        adit_desk_answer(&o->desk, token, ADIT_OK,
                         "{\"changed\":[{\"option\":\"log.level\",\"from\":"
                         "\"\",\"to\":\"debug\",\"when\":\"reload\"}]}");
    else
        adit_desk_answer(&o->desk, token, ADIT_EINVAL,
                         "/etc/adit/aditd.conf:7: unknown option");
}

/* Two rows for whatever was asked. */
static void
answer_usage(void *ctx)
{
    struct adit_usage_row rows[2] = { 0 };

    (void)ctx;
    fake_peer(1, &rows[0].peer);
    rows[0].period_unix_s = 1767225600; /* 2026-01-01 */
    rows[0].sums.sent_bytes = 1234567;
    rows[0].sums.received_bytes = 89;
    rows[0].sums.refusals[ADIT_RULE_DRAINING] = 3;
    rows[0].sums.refusals[ADIT_RULE_BANNED] = 1;
    rows[0].first_unix_s = 1767225601;
    rows[0].record = (struct adit_ledger_record){
        .began_unix_s = 1767225600,
        .lasted_us = 1500000,
        .accepted_bytes = { 10, 20 },
        .handed_bytes = { 9, 19 },
        .why = "fin, \"in order\"",
    };
    fake_peer(1, &rows[0].record.src);
    fake_peer(2, &rows[0].record.dst);
    rows[1] = rows[0];
    fake.query_fn(fake.query_ctx, ADIT_OK, NULL, rows,
                  ADIT_MIN(fake.query.max_rows, 2U));
}

static void
ask(void *ctx, struct adit_visit *v, json_t *question)
{
    struct office *o = ctx;

    fake.query_fn = NULL;
    adit_desk_ask(&o->desk, v, question);
    /* Draining takes no time here. */
    if (fake.drain == ADIT_DRAIN_ON)
        fake.drain = ADIT_DRAIN_DONE;
    if (fake.query_fn != NULL)
        adit_task_post(o->w, &o->usage);
}

static void
more(void *ctx, struct adit_visit *v)
{
    struct office *o = ctx;

    adit_desk_more(&o->desk, v);
}

static void
gone(void *ctx, struct adit_visit *v)
{
    struct office *o = ctx;

    adit_desk_gone(&o->desk, v);
}

static void
on_stdin(void *ctx, int ready)
{
    struct office *o = ctx;
    char buf[64];

    (void)ready;
    if (read(STDIN_FILENO, buf, sizeof(buf)) <= 0)
        adit_worker_stop(o->w);
}

static void
furnish(void)
{
    fake_fill(1000, 30);
    fake.n_listens = 1;
    fake.has_ledger = true;
    fake.cfg.caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = 1024;
    fake.rules.n_classes = 1;
    fake.rules.classes[0] = (struct adit_class){
        .name = "anonymous",
        .may_reserve = true,
        .over_quota = ADIT_NO_CLASS,
        .may_dial = 1,
        .circuit_bytes = 131072,
        .circuit_s = 120,
    };
}

int
main(int argc, char **argv)
{
    struct office *o = calloc(1, sizeof(*o));
    struct adit_mem mem;
    struct adit_worker_config wc = { .kind = ADIT_WORKER_OWN,
                                     .mem = &mem,
                                     .rng = adit_rng_system(),
                                     .buffer_bytes = 1 << 20 };
    struct adit_desk_config cfg = { .on_task = on_task };
    struct adit_sock_config sc = {
        .fd = -1, .ctx = o, .ask = ask, .more = more, .gone = gone
    };
    struct adit_sock *sock;
    struct adit_fd *in;
    char why[ADIT_SOCK_WHY_BYTES];

    if (argc != 2 || o == NULL)
        return 64;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    if (adit_worker_new(&wc, &o->w) != ADIT_OK)
        return 71;
    furnish();
    fake_peer(0, &o->identity.id);
    o->host.metrics = &o->metrics;
    o->host.identity = &o->identity;
    o->usage.fn = answer_usage;
    adit_proc_open(&o->proc);
    cfg.w = o->w;
    cfg.node = (struct adit_node *)o;
    cfg.relay = (struct adit_relay *)o;
    cfg.host = &o->host;
    cfg.proc = &o->proc;
    cfg.ctx = o;
    sc.path = argv[1];
    if (adit_desk_open(&o->desk, &cfg) != ADIT_OK ||
        adit_sock_open(o->w, &sc, &sock, why) != ADIT_OK ||
        adit_fd_new(o->w, STDIN_FILENO, on_stdin, o, &in) != ADIT_OK)
        return 69;
    adit_fd_want(in, ADIT_FD_READ);
    puts("ready");
    fflush(stdout);
    adit_worker_run(o->w);
    adit_fd_free(in);
    adit_sock_close(sock);
    adit_desk_close(&o->desk);
    adit_desk_fini(&o->desk);
    adit_proc_close(&o->proc);
    adit_worker_free(o->w);
    free(o);
    return mem.used_bytes == 0 ? 0 : 70;
}
