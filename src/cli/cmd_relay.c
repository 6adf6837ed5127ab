/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * relay probe: prove that a relay relays: reserve on it as A, dial A through
 * it as B, send bytes around, compare.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL "/adit/probe/1"

/* As much is echoed, if the relay lets us. */
#define WANT_BYTES 1048576

/* What the handshake inside the circuit, identify, pings and the headers of
 * frames take of a circuit's limit: 1.9 KiB measured, more for safety. */
#define OVERHEAD_BYTES 16384

/* rust's and js's relays count both directions into the limit they announce,
 * adit's and go's each for itself: what comes back has to fit too. */
#define DIRECTIONS 2

#define N_PINGS 10
#define PING_GAP_MS 10
#define CHUNK_BYTES 16384

/* For each step. */
#define STEP_US 20000000

enum step { STEP_RESERVE, STEP_DIAL, STEP_ECHO, STEP_PING, STEP_END };

static const char *const step_names[] = { "reserve", "dial", "echo", "ping" };

struct probe {
    struct adit_cli *c;
    const char *relay_addr;
    char *circuit_addr;
    enum step step;
    int64_t began_us; /* the step */
    struct adit_cli_timer deadline;
    adit_node *a, *b;
    char a_id[ADIT_PEER_ID_BYTES];
    /* The relay. */
    char relay[ADIT_PEER_ID_BYTES];
    char agent[128];
    int64_t until_unix_s;
    bool is_limited;
    uint64_t limit_bytes;
    uint32_t limit_s;
    /* A: what came, on its way back. */
    adit_stream *as;
    uint8_t a_buf[CHUNK_BYTES];
    size_t a_at, a_n;
    /* B. */
    adit_stream *bs;
    uint64_t want, sent, got;
    int64_t dial_us, echo_us;
    int64_t ping_us[N_PINGS];
    size_t n_pings;
};

/* The byte at `i` of what B sends: differs wherever a block could be lost,
 * doubled or moved. */
static uint8_t
byte_at(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint8_t)(x >> 56) ^ (uint8_t)(i >> 13);
}

static void enter(struct probe *p, enum step step);

static void
fail(struct probe *p, adit_err e, const char *text)
{
    if (p->step == STEP_END)
        return;
    adit_cli_progress(p->c, NULL, NULL, NULL);
    adit_cli_fail(p->c, step_names[p->step], e, text);
    adit_cli_event(p->c, json_pack("{s:s,s:b,s:s,s:s}", "event", "probe", "ok",
                                   0, "failed", step_names[p->step], "code",
                                   adit_err_name(e)));
    adit_cli_text(p->c, "The relay is NOT proven.");
    adit_cli_end(p->c, adit_cli_exit(e, p->step > STEP_DIAL));
    p->step = STEP_END;
}

static void
on_deadline(void *ctx)
{
    struct probe *p = ctx;

    fail(p, ADIT_ETIMEDOUT, "it takes too long");
}

/* The step went well. */
static void
pass(struct probe *p, enum step next)
{
    int64_t us = adit_cli_now_us() - p->began_us;

    adit_cli_event(p->c, json_pack("{s:s,s:s,s:b,s:I}", "event", "step",
                                   "name", step_names[p->step], "ok", 1, "us",
                                   (json_int_t)us));
    enter(p, next);
}

/* ---- A echoes -------------------------------------------------------------- */

static void
a_pump(struct probe *p)
{
    while (p->as != NULL) {
        size_t n = 0;
        adit_err e;

        while (p->a_at < p->a_n) {
            e = adit_stream_write(p->as, p->a_buf + p->a_at, p->a_n - p->a_at,
                                  &n);
            if (e == ADIT_AGAIN)
                return;
            if (e != ADIT_OK) {
                fail(p, e, adit_stream_why(p->as));
                return;
            }
            p->a_at += n;
        }
        e = adit_stream_read(p->as, p->a_buf, sizeof(p->a_buf), &n);
        if (e == ADIT_AGAIN)
            return;
        if (e == ADIT_DONE) {
            adit_stream_close(p->as);
            p->as = NULL;
        } else if (e != ADIT_OK) {
            fail(p, e, adit_stream_why(p->as));
            return;
        } else {
            p->a_at = 0;
            p->a_n = n;
        }
    }
}

static void
on_a_io(void *ctx, adit_stream *s)
{
    (void)s;
    a_pump(ctx);
}

static void
on_stream_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    (void)s;
    fail(ctx, why, text);
}

static void
on_stream(void *ctx, adit_node *n, adit_stream *s)
{
    struct probe *p = ctx;
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    (void)n;
    if (p->as != NULL || p->step == STEP_END) {
        adit_stream_abort(s);
        return;
    }
    p->as = s;
    ev.ctx = p;
    ev.on_readable = on_a_io;
    ev.on_writable = on_a_io;
    ev.on_failed = on_stream_failed;
    adit_stream_set_events(s, &ev);
    a_pump(p);
}

/* ---- A reserves ------------------------------------------------------------ */

static void
on_reserved(void *ctx, adit_node *n, const struct adit_reservation *r)
{
    struct probe *p = ctx;
    size_t cap;

    (void)n;
    if (p->step != STEP_RESERVE)
        return;
    snprintf(p->relay, sizeof(p->relay), "%s", r->relay);
    p->until_unix_s = r->until_unix_s;
    p->is_limited = r->is_limited;
    p->limit_bytes = r->is_limited ? r->limit_bytes : 0;
    p->limit_s = r->is_limited ? r->limit_s : 0;
    p->want = WANT_BYTES;
    if (p->limit_bytes != 0 &&
        p->limit_bytes / DIRECTIONS < WANT_BYTES + OVERHEAD_BYTES) {
        uint64_t each = p->limit_bytes / DIRECTIONS;

        p->want = each > 2 * OVERHEAD_BYTES ? each - OVERHEAD_BYTES : each / 2;
    }
    /* By the address that was named, not those the relay announces: these
     * may be meant for others than us. */
    cap =
        strlen(p->relay_addr) + sizeof("/p2p-circuit/p2p/") + sizeof(p->a_id);
    p->circuit_addr = malloc(cap);
    if (p->circuit_addr == NULL) {
        fail(p, ADIT_ENOMEM, NULL);
        return;
    }
    snprintf(p->circuit_addr, cap, "%s/p2p-circuit/p2p/%s", p->relay_addr,
             p->a_id);
    pass(p, STEP_DIAL);
}

static void
on_reservation_lost(void *ctx, adit_node *n,
                    const struct adit_reservation_lost *r)
{
    char text[256];

    (void)n;
    if (r->status != 0)
        snprintf(text, sizeof(text), "%s (status %" PRIu32 ")", r->text,
                 r->status);
    else
        snprintf(text, sizeof(text), "%s", r->text);
    fail(ctx, r->why, text);
}

static void
on_peer(void *ctx, adit_node *n, const struct adit_peer_info *info)
{
    struct probe *p = ctx;

    (void)n;
    if (strstr(p->relay_addr, info->peer) == NULL)
        return;
    snprintf(p->agent, sizeof(p->agent), "%s", info->agent);
    adit_cli_event(p->c, json_pack("{s:s,s:s,s:s,s:s}", "event", "identified",
                                   "peer", info->peer, "agent", info->agent,
                                   "observed", info->observed));
}

/* ---- B dials and compares -------------------------------------------------- */

static void
b_send(struct probe *p)
{
    uint8_t buf[CHUNK_BYTES];

    while (p->sent < p->want) {
        size_t n = 0, have = sizeof(buf);
        adit_err e;

        if (have > p->want - p->sent)
            have = (size_t)(p->want - p->sent);
        for (size_t i = 0; i < have; i++)
            buf[i] = byte_at(p->sent + i);
        e = adit_stream_write(p->bs, buf, have, &n);
        if (e == ADIT_AGAIN)
            return;
        if (e != ADIT_OK) {
            fail(p, e, adit_stream_why(p->bs));
            return;
        }
        p->sent += n;
        if (p->sent == p->want)
            adit_stream_finish(p->bs);
    }
}

static void
b_receive(struct probe *p)
{
    while (p->step == STEP_ECHO) {
        uint8_t buf[CHUNK_BYTES];
        size_t n = 0;
        adit_err e = adit_stream_read(p->bs, buf, sizeof(buf), &n);

        if (e == ADIT_AGAIN)
            return;
        if (e == ADIT_DONE && p->got == p->want) {
            p->echo_us = adit_cli_now_us() - p->began_us;
            adit_stream_close(p->bs);
            p->bs = NULL;
            pass(p, STEP_PING);
            return;
        }
        if (e == ADIT_DONE) {
            fail(p, ADIT_EPROTO, "the echo ended early");
            return;
        }
        if (e != ADIT_OK) {
            fail(p, e, adit_stream_why(p->bs));
            return;
        }
        for (size_t i = 0; i < n; i++)
            if (p->got + i >= p->want || buf[i] != byte_at(p->got + i)) {
                fail(p, ADIT_EPROTO, "what came back is not what was sent");
                return;
            }
        p->got += n;
    }
}

static void
on_b_open(void *ctx, adit_stream *s)
{
    struct probe *p = ctx;
    struct adit_conn_info info = { .size = sizeof(info) };

    if (adit_stream_conn(s, &info) != ADIT_OK || info.relay == NULL) {
        fail(p, ADIT_EPROTO, "the path is not through the relay");
        return;
    }
    p->dial_us = adit_cli_now_us() - p->began_us;
    pass(p, STEP_ECHO);
}

static void
on_b_readable(void *ctx, adit_stream *s)
{
    (void)s;
    b_receive(ctx);
}

static void
on_b_writable(void *ctx, adit_stream *s)
{
    (void)s;
    b_send(ctx);
}

static void
on_ping(void *ctx, adit_node *n, void *tag, adit_err why, const char *text,
        int64_t rtt_us)
{
    struct probe *p = ctx;

    (void)n;
    (void)tag;
    if (p->step != STEP_PING)
        return;
    if (why == ADIT_OK && p->n_pings < N_PINGS)
        p->ping_us[p->n_pings++] = rtt_us;
    else if (why == ADIT_DONE && p->n_pings > 0)
        pass(p, STEP_END);
    else if (why != ADIT_OK)
        fail(p, why, text);
}

static void
on_failed(void *ctx, adit_node *n, adit_err why, const char *text)
{
    (void)n;
    fail(ctx, why, text);
}

/* ---- steps ----------------------------------------------------------------- */

static adit_err
dial(struct probe *p)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;

    ev.ctx = p;
    ev.on_open = on_b_open;
    ev.on_readable = on_b_readable;
    ev.on_writable = on_b_writable;
    ev.on_failed = on_stream_failed;
    return adit_open(p->b, p->circuit_addr, PROTOCOL, NULL, &ev, &p->bs);
}

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void
report(struct probe *p)
{
    char bytes[ADIT_CLI_AMOUNT_BYTES], s[ADIT_CLI_AMOUNT_BYTES];
    char at[ADIT_CLI_AMOUNT_BYTES], n[ADIT_CLI_AMOUNT_BYTES];
    char speed[ADIT_CLI_AMOUNT_BYTES];
    struct adit_cli *c = p->c;
    int64_t us = p->echo_us > 0 ? p->echo_us : 1;
    uint64_t per_s = p->want * 1000000 / (uint64_t)us;
    int64_t p50;

    qsort(p->ping_us, p->n_pings, sizeof(p->ping_us[0]), by_value);
    p50 = p->ping_us[p->n_pings / 2];
    adit_cli_event(
        c, json_pack("{s:s,s:b,s:s,s:s,s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                     "event", "probe", "ok", 1, "relay", p->relay, "agent",
                     p->agent, "until", (json_int_t)p->until_unix_s, "limited",
                     p->is_limited, "limit_bytes", (json_int_t)p->limit_bytes,
                     "limit_seconds", (json_int_t)p->limit_s, "echoed_bytes",
                     (json_int_t)p->want, "dial_us", (json_int_t)p->dial_us,
                     "echo_us", (json_int_t)p->echo_us, "bytes_per_s",
                     (json_int_t)per_s, "ping_p50_us", (json_int_t)p50));
    adit_cli_text(c, "relay        %s (%s)", p->relay,
                  p->agent[0] != '\0' ? p->agent : "it does not say what");
    adit_cli_text(c, "reservation  until %s",
                  adit_cli_clock(p->until_unix_s, at));
    if (p->is_limited)
        adit_cli_text(
            c, "limits       %s each way, %s per circuit",
            p->limit_bytes == 0 ? "any number of bytes"
                                : adit_cli_bytes(p->limit_bytes, bytes),
            p->limit_s == 0 ? "any time" : adit_cli_seconds(p->limit_s, s));
    else
        adit_cli_text(c, "limits       none");
    adit_cli_text(c, "circuit      open after %.1f ms, round trip %.3f ms",
                  (double)p->dial_us / 1000, (double)p50 / 1000);
    adit_cli_text(c,
                  "echo         %s there and back in %.1f ms, %s/s, all "
                  "bytes as sent",
                  adit_cli_bytes(p->want, n), (double)us / 1000,
                  adit_cli_bytes(per_s, speed));
    adit_cli_text(c, "The relay is proven.");
    adit_cli_end(c, ADIT_CLI_OK);
}

static void
enter(struct probe *p, enum step step)
{
    adit_err e = ADIT_OK;

    p->step = step;
    p->began_us = adit_cli_now_us();
    if (step == STEP_END) {
        adit_cli_progress(p->c, NULL, NULL, NULL);
        adit_cli_unset(&p->c->loop, &p->deadline);
        report(p);
        return;
    }
    adit_cli_progress(p->c, step_names[step], NULL, NULL);
    adit_cli_after(&p->c->loop, &p->deadline, STEP_US, on_deadline, p);
    switch (step) {
    case STEP_RESERVE:
        e = adit_handle(p->a, PROTOCOL, true);
        if (e == ADIT_OK)
            e = adit_reserve(p->a, p->relay_addr);
        break;
    case STEP_DIAL:
        e = dial(p);
        break;
    case STEP_ECHO:
        b_send(p);
        break;
    case STEP_PING:
        e = adit_ping(p->b, p->circuit_addr, NULL, N_PINGS, PING_GAP_MS, p);
        break;
    case STEP_END:
        break;
    }
    if (e != ADIT_OK)
        fail(p, e,
             e == ADIT_EINVAL ? "the address must end in /p2p/ID" : NULL);
}

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct probe *p = calloc(1, sizeof(*p));
    struct adit_events a_ev = ADIT_EVENTS_INIT, b_ev = ADIT_EVENTS_INIT;
    const char *pos[1];
    int code = ADIT_CLI_LOCAL;

    if (p == NULL) {
        adit_cli_fail(c, "probe", ADIT_ENOMEM, NULL);
        return code;
    }
    p->c = c;
    code = adit_cli_parse(c, self, NULL, 0, argv, pos, 1, 1);
    if (code == ADIT_CLI_OK && !adit_cli_check_addr(c, pos[0]))
        code = ADIT_CLI_USAGE;
    p->relay_addr = pos[0];
    a_ev.ctx = b_ev.ctx = p;
    a_ev.on_stream = on_stream;
    a_ev.on_reserved = on_reserved;
    a_ev.on_reservation_lost = on_reservation_lost;
    a_ev.on_peer = on_peer;
    a_ev.on_failed = b_ev.on_failed = on_failed;
    b_ev.on_ping = on_ping;
    if (code == ADIT_CLI_OK)
        code = adit_cli_node(c, NULL, NULL, &a_ev, &p->a);
    if (code == ADIT_CLI_OK)
        code = adit_cli_node(c, NULL, NULL, &b_ev, &p->b);
    if (code == ADIT_CLI_OK) {
        adit_node_peer_id(p->a, p->a_id);
        enter(p, STEP_RESERVE);
        if (!adit_cli_run(&c->loop))
            adit_cli_end(c, ADIT_CLI_LOCAL);
        code = c->code;
    }
    p->step = STEP_END;
    adit_cli_unset(&c->loop, &p->deadline);
    adit_cli_node_free(c, p->b);
    adit_cli_node_free(c, p->a);
    free(p->circuit_addr);
    free(p);
    return code;
}

const struct adit_cli_command adit_cli_cmd_probe = {
    "relay probe",
    "ADDR",
    "prove that a relay relays",
    "Reserve on the relay at ADDR with a new identity, dial that through the\n"
    "relay with another, echo 1 MiB or as much as the announced limit allows, "
    "and\ncompare.  Reports latency, throughput and limits.  Exit code 0 only "
    "if all of it is\nproven.",
    run,
    false,
};
