/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/out.h"

#include <errno.h>
#include <sys/socket.h>

/* The first allocation: most answers fit. */
#define FIRST_BYTES 4096

static adit_err
make_room(struct adit_out *o, size_t n)
{
    size_t room = o->room > 0 ? o->room : FIRST_BYTES;
    char *p;

    if (o->at > 0) {
        memmove(o->p, o->p + o->at, o->n - o->at);
        o->n -= o->at;
        o->at = 0;
    }
    if (n > o->cap_bytes - o->n)
        return ADIT_EFULL;
    while (room < o->n + n)
        room *= 2;
    if (room <= o->room)
        return ADIT_OK;
    p = o->p == NULL ? adit_mem_alloc(o->mem, room)
                     : adit_mem_resize(o->mem, o->p, o->room, room);
    if (p == NULL)
        return ADIT_ENOMEM;
    o->p = p;
    o->room = room;
    return ADIT_OK;
}

adit_err
adit_out_put(struct adit_out *o, struct adit_slice s)
{
    if (s.n > o->room - o->n) {
        adit_err e = make_room(o, s.n);

        if (e != ADIT_OK)
            return e;
    }
    adit_copy(o->p + o->n, s);
    o->n += s.n;
    return ADIT_OK;
}

adit_err
adit_out_send(struct adit_out *o, int fd, size_t *n_sent)
{
    size_t sum = 0;

    while (o->at < o->n) {
        ssize_t n = send(fd, o->p + o->at, o->n - o->at, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0)
            return ADIT_ERESET;
        o->at += (size_t)n;
        sum += (size_t)n;
    }
    if (o->at == o->n)
        adit_out_fini(o); /* an idle conversation owns no buffer */
    *n_sent = sum;
    return ADIT_OK;
}

void
adit_out_fini(struct adit_out *o)
{
    adit_mem_free(o->mem, o->p, o->room);
    o->p = NULL;
    o->at = o->n = o->room = 0;
}
