/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/bound.h"

adit_err
adit_bound_init(struct adit_bound *s, const int *fds, size_t n,
                char why[ADIT_LISTENER_WHY_BYTES])
{
    adit_err e = ADIT_OK;

    *s = (struct adit_bound){ 0 };
    if (n > ADIT_BOUND_MAX) {
        snprintf(why, ADIT_LISTENER_WHY_BYTES,
                 "%zu sockets were handed over, more than %d", n,
                 ADIT_BOUND_MAX);
        return ADIT_EFULL;
    }
    for (size_t i = 0; e == ADIT_OK && i < n; i++) {
        s->fd[i] = fds[i];
        e = adit_listener_inspect(fds[i], &s->at[i], why);
    }
    s->n = e == ADIT_OK ? n : 0;
    return e;
}

int
adit_bound_take(struct adit_bound *s, const struct adit_endpoint *at)
{
    for (size_t i = 0; i < s->n; i++) {
        struct adit_endpoint here = s->at[i];

        if (s->is_taken[i])
            continue;
        if (adit_endpoint_port(at) == 0)
            adit_endpoint_set_port(&here, 0);
        if (!adit_endpoint_eq(&here, at))
            continue;
        s->is_taken[i] = true;
        return s->fd[i];
    }
    return -1;
}

adit_err
adit_bound_end(const struct adit_bound *s, char why[ADIT_LISTENER_WHY_BYTES])
{
    char text[ADIT_ENDPOINT_TEXT_BYTES];

    for (size_t i = 0; i < s->n; i++) {
        if (s->is_taken[i])
            continue;
        snprintf(why, ADIT_LISTENER_WHY_BYTES,
                 "listen.tcp does not name %s, where a socket that was "
                 "handed over (descriptor %d) is bound",
                 adit_endpoint_format(&s->at[i], text), s->fd[i]);
        return ADIT_EINVAL;
    }
    return ADIT_OK;
}
