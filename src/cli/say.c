/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* It is shown from here on, and drawn anew each second. */
#define PROGRESS_AFTER_US 2000000
#define PROGRESS_EVERY_US 1000000

int
adit_cli_exit(adit_err e, bool was_open)
{
    switch (e) {
    case ADIT_OK:
    case ADIT_DONE:
        return ADIT_CLI_OK;
    case ADIT_EINVAL:
        return ADIT_CLI_USAGE;
    case ADIT_ELIMIT:
    case ADIT_EEXPIRED:
        return ADIT_CLI_LIMIT;
    case ADIT_EDENIED:
    case ADIT_EUNSUPPORTED:
    case ADIT_ENORESERVATION:
    case ADIT_EFULL:
        return ADIT_CLI_REFUSED;
    case ADIT_ENOMEM:
    case ADIT_ESTATE:
        return ADIT_CLI_LOCAL;
    case ADIT_AGAIN:
    case ADIT_CANCELLED:
    case ADIT_EPROTO:
    case ADIT_EAUTH:
    case ADIT_ERESET:
    case ADIT_EIO:
    case ADIT_ERESOLVE:
    case ADIT_ETIMEDOUT:
    case ADIT_EUNREACHABLE:
        break;
    }
    return was_open ? ADIT_CLI_STREAM : ADIT_CLI_CONNECT;
}

void
adit_cli_init(struct adit_cli *c)
{
    *c = (struct adit_cli){ .events = stdout };
    c->is_tty = isatty(STDERR_FILENO) == 1;
}

void
adit_cli_fini(struct adit_cli *c)
{
    adit_cli_progress(c, NULL, NULL, NULL);
    adit_cli_loop_fini(&c->loop);
}

void
adit_cli_end(struct adit_cli *c, int code)
{
    if (!c->loop.is_over)
        c->code = code;
    c->loop.is_over = true;
}

/* ---- lines ----------------------------------------------------------------- */

static void
undraw(struct adit_cli *c)
{
    if (c->is_drawn)
        fputs("\r\033[K", stderr);
    c->is_drawn = false;
}

__attribute__((format(printf, 3, 0))) static void
line(struct adit_cli *c, FILE *out, const char *fmt, va_list ap)
{
    undraw(c);
    if (out == stderr)
        fputs("adit: ", out);
    vfprintf(out, fmt, ap);
    fputc('\n', out);
    fflush(out);
}

void
adit_cli_event(struct adit_cli *c, json_t *event)
{
    char *text = NULL;

    if (c->json && event != NULL)
        text = json_dumps(event, JSON_COMPACT);
    if (text != NULL) {
        undraw(c);
        fprintf(c->events, "%s\n", text);
        /* Nobody reads what we have to tell. */
        if (fflush(c->events) != 0 && c->events == stdout)
            adit_cli_end(c, ADIT_CLI_STREAM);
        free(text);
    }
    json_decref(event);
}

void
adit_cli_error(struct adit_cli *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    if (c->json) {
        vsnprintf(text, sizeof(text), fmt, ap);
        adit_cli_event(c,
                       json_pack("{s:s,s:s}", "event", "error", "text", text));
    } else {
        line(c, stderr, fmt, ap);
    }
    va_end(ap);
}

void
adit_cli_fail(struct adit_cli *c, const char *doing, adit_err e,
              const char *text)
{
    const char *means = adit_err_text(e);

    if (text == NULL || text[0] == '\0')
        text = means;
    if (c->json)
        adit_cli_event(c, json_pack("{s:s,s:s,s:s,s:s}", "event", "error",
                                    "doing", doing, "code", adit_err_name(e),
                                    "text", text));
    else if (strcmp(text, means) == 0)
        adit_cli_warn(c, "%s: %s", doing, text);
    else
        adit_cli_warn(c, "%s: %s (%s)", doing, text, means);
}

void
adit_cli_warn(struct adit_cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->json)
        return;
    va_start(ap, fmt);
    line(c, stderr, fmt, ap);
    va_end(ap);
}

void
adit_cli_note(struct adit_cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->json || c->verbose == 0)
        return;
    va_start(ap, fmt);
    line(c, stderr, fmt, ap);
    va_end(ap);
}

void
adit_cli_text(struct adit_cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->json)
        return;
    va_start(ap, fmt);
    line(c, c->events, fmt, ap);
    va_end(ap);
    if (ferror(c->events) && c->events == stdout)
        adit_cli_end(c, ADIT_CLI_STREAM);
}

/* ---- progress -------------------------------------------------------------- */

static void
draw(void *ctx)
{
    struct adit_cli *c = ctx;
    char more[160] = "";

    if (c->describe != NULL)
        c->describe(c->describe_ctx, more, sizeof(more));
    undraw(c);
    fprintf(stderr, "%s%s%s (%" PRId64 " s)", c->doing,
            more[0] != '\0' ? ": " : "", more,
            (adit_cli_now_us() - c->doing_since_us) / 1000000);
    fflush(stderr);
    c->is_drawn = true;
    adit_cli_after(&c->loop, &c->draw, PROGRESS_EVERY_US, draw, c);
}

void
adit_cli_progress(struct adit_cli *c, const char *doing,
                  void (*describe)(void *ctx, char *buf, size_t cap),
                  void *ctx)
{
    undraw(c);
    fflush(stderr);
    c->doing = doing;
    c->describe = describe;
    c->describe_ctx = ctx;
    c->doing_since_us = adit_cli_now_us();
    adit_cli_unset(&c->loop, &c->draw);
    if (doing != NULL && c->is_tty)
        adit_cli_after(&c->loop, &c->draw, PROGRESS_AFTER_US, draw, c);
}

/* ---- amounts --------------------------------------------------------------- */

const char *
adit_cli_bytes(uint64_t n, char buf[ADIT_CLI_AMOUNT_BYTES])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)n;
    size_t u = 0;

    while (v >= 1024 && u + 1 < ADIT_CLI_NITEMS(units)) {
        v /= 1024;
        u++;
    }
    snprintf(buf, ADIT_CLI_AMOUNT_BYTES,
             u == 0 || v == (double)(uint64_t)v ? "%.0f %s" : "%.1f %s", v,
             units[u]);
    return buf;
}

const char *
adit_cli_seconds(uint64_t s, char buf[ADIT_CLI_AMOUNT_BYTES])
{
    if (s >= 3600 && s % 3600 == 0)
        snprintf(buf, ADIT_CLI_AMOUNT_BYTES, "%" PRIu64 " h", s / 3600);
    else if (s >= 60 && s % 60 == 0)
        snprintf(buf, ADIT_CLI_AMOUNT_BYTES, "%" PRIu64 " min", s / 60);
    else
        snprintf(buf, ADIT_CLI_AMOUNT_BYTES, "%" PRIu64 " s", s);
    return buf;
}

const char *
adit_cli_clock(int64_t unix_s, char buf[ADIT_CLI_AMOUNT_BYTES])
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL ||
        strftime(buf, ADIT_CLI_AMOUNT_BYTES, "%H:%M:%S UTC", &tm) == 0)
        buf[0] = '\0';
    return buf;
}

static json_t *
or_null(uint64_t n, uint64_t none)
{
    return n == none ? json_null() : json_integer((json_int_t)n);
}

void
adit_cli_on_limit_near(struct adit_cli *c, const struct adit_conn_info *info)
{
    char out[ADIT_CLI_AMOUNT_BYTES] = "any number of bytes", in[32] = "any";
    char s[ADIT_CLI_AMOUNT_BYTES] = "any time";

    adit_cli_event(
        c, json_pack("{s:s,s:s,s:o,s:o,s:o}", "event", "limit_near", "peer",
                     info->peer, "left_out_bytes",
                     or_null(info->left_out_bytes, UINT64_MAX),
                     "left_in_bytes", or_null(info->left_in_bytes, UINT64_MAX),
                     "left_ms", or_null((uint64_t)info->left_ms, INT64_MAX)));
    if (info->left_out_bytes != UINT64_MAX)
        adit_cli_bytes(info->left_out_bytes, out);
    if (info->left_in_bytes != UINT64_MAX)
        adit_cli_bytes(info->left_in_bytes, in);
    if (info->left_ms != INT64_MAX)
        adit_cli_seconds((uint64_t)info->left_ms / 1000, s);
    adit_cli_warn(c,
                  "the relay will soon cut this circuit: left are %s to send, "
                  "%s to receive, %s",
                  out, in, s);
}
