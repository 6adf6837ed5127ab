/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * client: the other end of a socket, on the worker of the test: what it sends
 * in which pieces, and all that came back.
 */
#ifndef ADIT_TESTS_ADMIN_CLIENT_H
#define ADIT_TESTS_ADMIN_CLIENT_H

#include "../loop/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct rig *r;
    int fd;
    struct adit_fd *watch;
    char *text; /* what came */
    size_t n, room;
    bool is_ended;
    /* Done when this many lines are there (0: when it is ended). */
    size_t n_lines_wanted;
};

static inline size_t
client_n_lines(const struct client *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += c->text[i] == '\n';
    return n;
}

static inline void
client_on_ready(void *ctx, int ready)
{
    struct client *c = ctx;
    ssize_t n;

    (void)ready;
    if (c->n + 65536 > c->room) {
        c->room = 2 * c->room + 65536 + 1;
        c->text = realloc(c->text, c->room);
        assert_non_null(c->text);
    }
    n = recv(c->fd, c->text + c->n, 65536, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        c->is_ended = true;
        adit_fd_want(c->watch, 0);
    } else {
        c->n += (size_t)n;
    }
    c->text[c->n] = '\0';
    if (c->is_ended ||
        (c->n_lines_wanted > 0 && client_n_lines(c) >= c->n_lines_wanted))
        rig_done(c->r);
}

/* Takes a connected descriptor. */
static inline void
client_init(struct client *c, struct rig *r, int fd)
{
    *c = (struct client){ .r = r, .fd = fd };
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    c->room = 65536 + 1;
    c->text = calloc(1, c->room);
    assert_non_null(c->text);
    assert_int_equal(adit_fd_new(r->w, fd, client_on_ready, c, &c->watch),
                     ADIT_OK);
    adit_fd_want(c->watch, ADIT_FD_READ);
}

static inline void
client_send(struct client *c, const void *p, size_t n)
{
    assert_int_equal(send(c->fd, p, n, MSG_NOSIGNAL), n);
}

static inline void
client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* Until so many lines have come in all, or the end. */
static inline void
client_read(struct client *c, size_t n_lines)
{
    c->n_lines_wanted = n_lines;
    /* Others may have stopped the worker meanwhile. */
    while (!c->is_ended && (n_lines == 0 || client_n_lines(c) < n_lines))
        rig_run(c->r);
    if (n_lines > 0)
        assert_true(client_n_lines(c) >= n_lines);
    else
        assert_true(c->is_ended);
}

static inline void
client_fini(struct client *c)
{
    adit_fd_free(c->watch);
    close(c->fd);
    free(c->text);
}

#endif
