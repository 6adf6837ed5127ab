/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one read of a pipe brings. */
#define BUF_BYTES 65536

struct half {
    struct adit_cli_watch *watch;
    size_t at, n; /* what waits in buf */
    uint64_t total;
    bool is_over;   /* nothing more goes this way */
    bool has_ended; /* its source has no more */
    uint8_t buf[BUF_BYTES];
};

struct adit_cli_join {
    struct adit_cli_join_config cfg;
    size_t chunk; /* so much can be written when poll says "writable" */
    bool is_busy; /* within a call of ours: `done` waits */
    bool is_done;
    adit_err why;
    char text[160];
    struct half in, out;
};

static void
finish(struct adit_cli_join *j)
{
    adit_cli_unwatch(j->in.watch);
    adit_cli_unwatch(j->out.watch);
    if (j->cfg.is_own) {
        close(j->cfg.in_fd);
        if (j->cfg.out_fd >= 0)
            close(j->cfg.out_fd);
    }
    if (j->cfg.stream != NULL) {
        adit_stream_set_events(j->cfg.stream, NULL);
        if (j->why == ADIT_DONE)
            adit_stream_close(j->cfg.stream);
        else
            adit_stream_abort(j->cfg.stream);
        j->cfg.stream = NULL;
    }
}

static void
over(struct adit_cli_join *j, adit_err why, const char *text)
{
    if (j->is_done)
        return;
    j->is_done = true;
    j->why = why;
    snprintf(j->text, sizeof(j->text), "%s", text);
}

/* The last thing in each callback. */
static void
settle(struct adit_cli_join *j)
{
    if (!j->is_done && j->in.is_over && j->out.is_over)
        over(j, ADIT_DONE, "both ways ended");
    if (!j->is_done)
        return;
    finish(j);
    j->cfg.done(j->cfg.ctx, j->why, j->text);
    free(j);
}

/* ---- descriptor to stream -------------------------------------------------- */

static bool
fill(struct adit_cli_join *j)
{
    struct half *h = &j->in;
    ssize_t n = read(j->cfg.in_fd, h->buf, sizeof(h->buf));

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    /* A terminal or a pipe that broke has no more to say. */
    if (n <= 0) {
        h->has_ended = true;
        return true;
    }
    h->at = 0;
    h->n = (size_t)n;
    return true;
}

/* Into the stream, what it takes.  False: it is full, or dead. */
static bool
send_in(struct adit_cli_join *j)
{
    struct half *h = &j->in;

    while (h->at < h->n) {
        size_t n = 0;
        adit_err e =
            adit_stream_write(j->cfg.stream, h->buf + h->at, h->n - h->at, &n);

        if (e == ADIT_AGAIN)
            return false;
        if (e != ADIT_OK) {
            over(j, e, adit_stream_why(j->cfg.stream));
            return false;
        }
        h->at += n;
        h->total += n;
    }
    return true;
}

static void
pump_in(struct adit_cli_join *j)
{
    struct half *h = &j->in;

    if (h->is_over || j->is_done)
        return;
    h->watch->events = 0;
    if (!send_in(j))
        return; /* on_writable, or the end */
    if (h->has_ended) {
        h->is_over = true;
        adit_stream_finish(j->cfg.stream);
        return;
    }
    h->watch->events = POLLIN;
}

static void
on_in(void *ctx, short revents)
{
    struct adit_cli_join *j = ctx;

    if (revents & POLLNVAL)
        j->in.has_ended = true;
    else if (!fill(j))
        return;
    pump_in(j);
    settle(j);
}

/* ---- stream to descriptor -------------------------------------------------- */

static bool
is_writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) > 0;
}

/* Whoever reads the descriptor has gone. */
static void
nobody_reads(struct adit_cli_join *j)
{
    struct half *h = &j->out;

    if (!j->cfg.is_own) {
        over(j, ADIT_CANCELLED,
             errno == EPIPE ? "nobody reads the output" : strerror(errno));
        return;
    }
    /* A program that closed its input may still have output. */
    h->n = h->at = 0;
    close(j->cfg.out_fd);
    j->cfg.out_fd = -1;
    h->watch->events = 0;
}

/* False: it takes no more now. */
static bool
drain(struct adit_cli_join *j)
{
    struct half *h = &j->out;

    while (h->at < h->n && j->cfg.out_fd >= 0) {
        size_t n = h->n - h->at;
        ssize_t put;

        /* One that would block, we may not make non-blocking: write just
         * what is sure to fit. */
        if (!j->cfg.is_own && !is_writable(j->cfg.out_fd))
            return false;
        put =
            write(j->cfg.out_fd, h->buf + h->at, n < j->chunk ? n : j->chunk);
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            nobody_reads(j);
            return !j->is_done;
        }
        h->at += (size_t)put;
        h->total += (size_t)put;
    }
    return true;
}

static void
end_output(struct adit_cli_join *j)
{
    j->out.is_over = true;
    j->out.watch->events = 0;
    if (j->cfg.out_fd < 0)
        return;
    if (j->cfg.is_own) {
        close(j->cfg.out_fd);
        j->cfg.out_fd = -1;
        return;
    }
    /* Whoever reads our standard output learns of the end; its number stays
     * taken. */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, j->cfg.out_fd);
        close(null);
    }
}

static void
pump_out(struct adit_cli_join *j)
{
    struct half *h = &j->out;

    while (!h->is_over && !j->is_done) {
        size_t n = 0;
        adit_err e;

        if (!drain(j)) {
            if (!j->is_done)
                h->watch->events = POLLOUT;
            return;
        }
        h->watch->events = 0;
        e = adit_stream_read(j->cfg.stream, h->buf, sizeof(h->buf), &n);
        if (e == ADIT_AGAIN)
            return;
        if (e == ADIT_OK) {
            h->at = 0;
            h->n = j->cfg.out_fd >= 0 ? n : 0;
        } else if (e == ADIT_DONE) {
            end_output(j);
        } else {
            over(j, e, adit_stream_why(j->cfg.stream));
        }
    }
}

static void
on_out(void *ctx, short revents)
{
    struct adit_cli_join *j = ctx;

    (void)revents;
    pump_out(j);
    settle(j);
}

/* ---- the stream's events --------------------------------------------------- */

static void
on_readable(void *ctx, adit_stream *s)
{
    struct adit_cli_join *j = ctx;

    (void)s;
    /* What waits goes first: the descriptor is watched. */
    if (j->out.at == j->out.n)
        pump_out(j);
    settle(j);
}

static void
on_writable(void *ctx, adit_stream *s)
{
    struct adit_cli_join *j = ctx;

    (void)s;
    pump_in(j);
    settle(j);
}

static void
on_failed(void *ctx, adit_stream *s, adit_err why, const char *text)
{
    struct adit_cli_join *j = ctx;

    (void)s;
    /* What came before the failure is still given out, if it can be. */
    drain(j);
    over(j, why, text);
    settle(j);
}

/* ---- making ---------------------------------------------------------------- */

static size_t
sure_to_fit(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return BUF_BYTES;
    return PIPE_BUF;
}

struct adit_cli_join *
adit_cli_join_new(const struct adit_cli_join_config *cfg)
{
    struct adit_stream_events ev = ADIT_STREAM_EVENTS_INIT;
    struct adit_cli_join *j = calloc(1, sizeof(*j));

    if (j != NULL) {
        j->cfg = *cfg;
        j->chunk = cfg->is_own ? BUF_BYTES : sure_to_fit(cfg->out_fd);
        j->in.watch = adit_cli_watch(cfg->loop, cfg->in_fd, POLLIN, on_in, j);
        j->out.watch =
            adit_cli_watch(cfg->loop, cfg->out_fd, POLLOUT, on_out, j);
    }
    if (j == NULL || j->in.watch == NULL || j->out.watch == NULL) {
        if (j != NULL) {
            adit_cli_unwatch(j->in.watch);
            adit_cli_unwatch(j->out.watch);
        }
        free(j);
        adit_stream_abort(cfg->stream);
        return NULL;
    }
    ev.ctx = j;
    ev.on_readable = on_readable;
    ev.on_writable = on_writable;
    ev.on_failed = on_failed;
    adit_stream_set_events(cfg->stream, &ev);
    return j;
}

void
adit_cli_join_count(const struct adit_cli_join *j, uint64_t *in, uint64_t *out)
{
    *in = j->in.total;
    *out = j->out.total;
}

adit_stream *
adit_cli_join_stream(const struct adit_cli_join *j)
{
    return j->cfg.stream;
}

void
adit_cli_join_abort(struct adit_cli_join *j)
{
    if (j == NULL)
        return;
    j->why = ADIT_CANCELLED;
    finish(j);
    free(j);
}
