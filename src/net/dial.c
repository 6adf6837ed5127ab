/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/dial.h"

#include "loop/fd.h"
#include "net/tcp.h"

#include <errno.h>
#include <unistd.h>

enum state {
    NEW,    /* not looked at yet */
    NAMED,  /* its name is being resolved */
    READY,  /* may be tried */
    TRYING, /* connecting */
    OVER,
};

struct attempt;

struct query {
    struct attempt *a;
    struct adit_resolve *q; /* NULL: none under way */
    enum adit_resolve_what what;
};

/* One row's work. */
struct attempt {
    struct adit_dial *d;
    enum state state;
    uint8_t depth; /* names behind names */
    bool led_on;   /* its name gave at least one address */
    bool any_port; /* the listener's port could not be had */
    struct query query[2];
    struct adit_endpoint to;
    struct adit_fd fd; /* while TRYING */
    struct adit_instant since;
};

struct adit_dial {
    struct adit_worker *w;
    adit_dial_fn *fn;
    void *ctx;
    struct adit_resolver *resolver;
    struct adit_endpoint bind4, bind6;
    sa_family_t last; /* what was tried last; 0: nothing yet */
    bool over;
    bool holding; /* the stagger timer waits for the answer about IPv6 */
    bool held;    /* and it did once */
    struct adit_task step;
    struct adit_timer stagger, deadline;
    struct adit_retiree retiree;
    size_t n;
    struct attempt attempt[ADIT_DIAL_MAX_ROWS];
    struct adit_dial_row row[ADIT_DIAL_MAX_ROWS];
};

static struct adit_dial_row *
row_of(struct attempt *a)
{
    return &a->d->row[a - a->d->attempt];
}

/* ---- the end ---------------------------------------------------------- */

static void
let_go(struct attempt *a)
{
    for (size_t i = 0; i < ADIT_NITEMS(a->query); i++) {
        adit_resolve_cancel(a->query[i].q);
        a->query[i].q = NULL;
    }
    if (a->state == TRYING) {
        int fd = adit_fd_get(&a->fd);

        adit_fd_fini(&a->fd);
        close(fd);
    }
}

static void
end_row(struct attempt *a, adit_err e, const char *why)
{
    struct adit_dial_row *r = row_of(a);

    let_go(a);
    if (a->since.us != 0)
        r->took_us = adit_instant_sub(adit_worker_now(a->d->w), a->since);
    a->state = OVER;
    r->err = e;
    r->why = why;
}

static void
free_dial(void *ctx)
{
    struct adit_dial *d = ctx;

    ADIT_FREE(adit_worker_mem(d->w), d);
}

/* Rows that did not come to an end get this one. */
static void
stop(struct adit_dial *d, adit_err e, const char *named, const char *ready,
     const char *trying)
{
    d->over = true;
    adit_task_cancel(&d->step);
    adit_timer_stop(d->w, &d->stagger);
    adit_timer_stop(d->w, &d->deadline);
    for (size_t i = 0; i < d->n; i++) {
        struct attempt *a = &d->attempt[i];

        switch (a->state) {
        case NAMED:
            end_row(a, e, named);
            break;
        case NEW:
        case READY:
            end_row(a, e, ready);
            break;
        case TRYING:
            end_row(a, e, trying);
            break;
        case OVER:
            break;
        }
    }
}

static void
tell(struct adit_dial *d, adit_err e, struct adit_pipe *pipe,
     const struct adit_maddr *addr)
{
    struct adit_dial_result r = {
        .err = e,
        .pipe = pipe,
        .addr = addr,
        .rows = d->row,
        .n_rows = d->n,
    };

    adit_retire(d->w, &d->retiree, free_dial, d);
    d->fn(d->ctx, &r);
}

static void
on_deadline(void *ctx)
{
    struct adit_dial *d = ctx;

    stop(d, ADIT_ETIMEDOUT, "its name was not resolved in time",
         "its turn did not come in time", "no answer in time");
    tell(d, ADIT_ETIMEDOUT, NULL, NULL);
}

/* All rows have failed: what is said of them together. */
static adit_err
verdict(const struct adit_dial *d)
{
    adit_err e = ADIT_EUNSUPPORTED;

    for (size_t i = 0; i < d->n; i++) {
        switch (d->row[i].err) {
        case ADIT_OK:
        case ADIT_CANCELLED:
        case ADIT_EINVAL:
        case ADIT_EUNSUPPORTED:
            break;
        case ADIT_ERESOLVE:
        case ADIT_ELIMIT:
            if (e == ADIT_EUNSUPPORTED)
                e = ADIT_ERESOLVE;
            break;
        case ADIT_ENOMEM:
            if (e != ADIT_EUNREACHABLE)
                e = ADIT_ENOMEM;
            break;
        default:
            e = ADIT_EUNREACHABLE;
            break;
        }
    }
    return e;
}

/* ---- connecting ------------------------------------------------------- */

static const char *
why_of(int os_error)
{
    switch (os_error) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "no answer";
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return "host unreachable";
    case ENETUNREACH:
    case ENETDOWN:
        return "no route to its network";
    case EADDRNOTAVAIL:
        return "no local address for it";
    case EAFNOSUPPORT:
        return "the system has no such protocol";
    case EMFILE:
    case ENFILE:
        return "no descriptor left";
    case EACCES:
    case EPERM:
        return "forbidden by the system";
    case ECONNRESET:
        return "reset while connecting";
    case ENOMEM:
    case ENOBUFS:
        return "out of memory";
    }
    return "input/output error";
}

/* The listener's port is worth trying from: same family, an address that can
 * reach there, and not the very port we dial on this machine. */
static const struct adit_endpoint *
bind_for(const struct attempt *a)
{
    const struct adit_dial *d = a->d;
    const struct adit_endpoint *b =
        a->to.sa.sa_family == AF_INET ? &d->bind4 : &d->bind6;

    if (a->any_port || adit_endpoint_is_none(b))
        return NULL;
    if (!adit_endpoint_is_unspecified(b) &&
        adit_endpoint_is_loopback(b) != adit_endpoint_is_loopback(&a->to))
        return NULL;
    if (adit_endpoint_port(b) == adit_endpoint_port(&a->to) &&
        (adit_endpoint_is_loopback(&a->to) ||
         adit_slice_eq(adit_endpoint_ip(b), adit_endpoint_ip(&a->to))))
        return NULL;
    return b;
}

/* A socket that connects, or -1 and errno. */
static int
begin_connect(struct attempt *a)
{
    const struct adit_endpoint *from = bind_for(a);
    int on = 1;
    int fd = socket(a->to.sa.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    adit_tcp_tune(fd);
    if (from != NULL) {
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
            bind(fd, &from->sa, adit_endpoint_bytes(from)) != 0) {
            /* A bound socket cannot be unbound, this one is not. */
            a->any_port = true;
            from = NULL;
        }
    }
    if (connect(fd, &a->to.sa, adit_endpoint_bytes(&a->to)) == 0 ||
        errno == EINPROGRESS)
        return fd;
    saved = errno;
    close(fd);
    if (from != NULL &&
        (saved == EADDRNOTAVAIL || saved == EADDRINUSE || saved == EINVAL)) {
        /* This pair of ports is taken, or cannot go there. */
        a->any_port = true;
        return begin_connect(a);
    }
    errno = saved;
    return -1;
}

static void on_connected(void *ctx, int ready);

/* False: it failed at once. */
static bool
try_one(struct attempt *a)
{
    struct adit_dial *d = a->d;
    int fd;
    adit_err e;

    d->last = a->to.sa.sa_family;
    a->since = adit_worker_now(d->w);
    fd = begin_connect(a);
    if (fd < 0) {
        end_row(a, adit_tcp_err(errno), why_of(errno));
        return false;
    }
    e = adit_fd_init(&a->fd, d->w, fd, on_connected, a);
    if (e != ADIT_OK) {
        close(fd);
        end_row(a, e, "the loop did not take it");
        return false;
    }
    a->state = TRYING;
    adit_fd_want(&a->fd, ADIT_FD_WRITE);
    return true;
}

/* ---- whose turn it is ------------------------------------------------- */

/* Families take turns, IPv6 first; within one, the order they came in. */
static struct attempt *
pick(struct adit_dial *d)
{
    sa_family_t want = d->last == AF_INET6 ? AF_INET : AF_INET6;
    struct attempt *other = NULL;

    for (size_t i = 0; i < d->n; i++) {
        struct attempt *a = &d->attempt[i];

        if (a->state != READY)
            continue;
        if (a->to.sa.sa_family == want)
            return a;
        if (other == NULL)
            other = a;
    }
    return other;
}

static bool
awaits_ip6(const struct adit_dial *d)
{
    for (size_t i = 0; i < d->n; i++)
        for (size_t k = 0; k < ADIT_NITEMS(d->attempt[i].query); k++)
            if (d->attempt[i].query[k].q != NULL &&
                d->attempt[i].query[k].what == ADIT_RESOLVE_IP6)
                return true;
    return false;
}

static bool
is_exhausted(const struct adit_dial *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->attempt[i].state != OVER)
            return false;
    return true;
}

/* The timer for the next step; without memory for it, at once. */
static void
wait_for(struct adit_dial *d, int64_t us)
{
    if (adit_timer_set(d->w, &d->stagger,
                       adit_instant_add(adit_worker_now(d->w), us)) != ADIT_OK)
        adit_task_post(d->w, &d->step);
}

static void
try_next(struct adit_dial *d)
{
    for (;;) {
        struct attempt *a = pick(d);

        if (a == NULL)
            break;
        if (d->last == 0 && !d->held && a->to.sa.sa_family == AF_INET &&
            awaits_ip6(d)) {
            d->holding = d->held = true;
            wait_for(d, ADIT_DIAL_RESOLUTION_DELAY_US);
            return;
        }
        if (try_one(a)) {
            wait_for(d, ADIT_DIAL_STAGGER_US);
            return;
        }
    }
    if (is_exhausted(d)) {
        stop(d, ADIT_CANCELLED, "", "", "");
        tell(d, verdict(d), NULL, NULL);
    }
}

static void
on_stagger(void *ctx)
{
    struct adit_dial *d = ctx;

    d->holding = false;
    try_next(d);
}

static void
on_connected(void *ctx, int ready)
{
    struct attempt *a = ctx;
    struct adit_dial *d = a->d;
    int fd = adit_fd_get(&a->fd);
    int os_error = 0;
    socklen_t n = sizeof(os_error);
    struct adit_pipe *p;
    adit_err e;

    (void)ready;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_error, &n) != 0)
        os_error = errno;
    if (os_error != 0) {
        if (bind_for(a) != NULL &&
            (os_error == EADDRNOTAVAIL || os_error == EADDRINUSE)) {
            let_go(a);
            a->state = READY;
            a->any_port = true;
        } else {
            end_row(a, adit_tcp_err(os_error), why_of(os_error));
        }
        adit_timer_stop(d->w, &d->stagger);
        try_next(d);
        return;
    }

    adit_fd_fini(&a->fd);
    a->state = READY; /* the descriptor is the pipe's now */
    e = adit_tcp_new(d->w, fd, &a->to, &p);
    if (e != ADIT_OK) {
        end_row(a, e, "out of memory");
    } else if (adit_endpoint_eq(&p->local, &p->remote)) {
        /* Nobody listened, and TCP met itself on that port. */
        p->ops->close(p, true);
        end_row(a, ADIT_EUNREACHABLE, "connection refused");
    } else {
        end_row(a, ADIT_OK, "");
        stop(d, ADIT_CANCELLED, "another was faster", "not needed",
             "another was faster");
        tell(d, ADIT_OK, p, &row_of(a)->addr);
        return;
    }
    adit_timer_stop(d->w, &d->stagger);
    try_next(d);
}

/* ---- names ------------------------------------------------------------ */

/* False: the table is full. */
static bool
add_row(struct adit_dial *d, const struct adit_maddr *addr, unsigned depth)
{
    struct attempt *a;

    if (d->n >= ADIT_DIAL_MAX_ROWS)
        return false;
    a = &d->attempt[d->n];
    a->d = d;
    a->state = NEW;
    a->depth = (uint8_t)depth;
    d->row[d->n].addr = *addr;
    d->row[d->n].why = "";
    d->n++;
    return true;
}

/* Is `rest` a /tcp/port, with no more behind it than /p2p/peer? */
static bool
is_tcp(struct adit_slice rest)
{
    struct adit_maddr_part part;

    if (adit_maddr_next(&rest, &part) != ADIT_OK || part.code != ADIT_MA_TCP)
        return false;
    if (rest.n == 0)
        return true;
    return adit_maddr_next(&rest, &part) == ADIT_OK &&
           part.code == ADIT_MA_P2P && rest.n == 0;
}

/* Can this be dialled, as far as one sees without asking for names? */
static bool
is_dialable(const struct adit_maddr *m)
{
    struct adit_slice left = adit_maddr_bytes(m);
    struct adit_maddr_part part;

    if (adit_maddr_next(&left, &part) != ADIT_OK)
        return false;
    if (part.code == ADIT_MA_IP6ZONE &&
        adit_maddr_next(&left, &part) != ADIT_OK)
        return false;
    switch (part.code) {
    case ADIT_MA_IP4:
    case ADIT_MA_IP6:
    case ADIT_MA_DNS:
    case ADIT_MA_DNS4:
    case ADIT_MA_DNS6:
        return is_tcp(left);
    case ADIT_MA_DNSADDR:
        return true;
    }
    return false;
}

/* The address behind the name of `of`, whose IP is `ip`. */
static bool
with_ip(const struct adit_maddr *of, struct adit_slice ip,
        struct adit_maddr *out)
{
    struct adit_slice left = adit_maddr_bytes(of);
    struct adit_maddr_part name;

    out->n = 0;
    return adit_maddr_next(&left, &name) == ADIT_OK &&
           adit_maddr_push(out, ip.n == 4 ? ADIT_MA_IP4 : ADIT_MA_IP6, ip) ==
               ADIT_OK &&
           adit_maddr_join(out, left) == ADIT_OK;
}

/* From "dnsaddr=/..."; only those that end as `of` ends behind its name. */
static bool
from_text(const struct adit_maddr *of, struct adit_slice text,
          struct adit_maddr *out)
{
    static const char key[] = "dnsaddr=";
    struct adit_slice tail = adit_maddr_bytes(of);
    struct adit_maddr_part name;

    if (text.n < sizeof(key) - 1 || memcmp(text.p, key, sizeof(key) - 1) != 0)
        return false;
    text = adit_slice_skip(text, sizeof(key) - 1);
    if (adit_maddr_parse(text, out, NULL) != ADIT_OK ||
        adit_maddr_next(&tail, &name) != ADIT_OK)
        return false;
    return out->n >= tail.n &&
           adit_slice_eq(adit_slice(out->b + (out->n - tail.n), tail.n), tail);
}

static void
on_resolved(void *ctx, adit_err e, const struct adit_resolve_answer *ans)
{
    struct query *q = ctx;
    struct attempt *a = q->a;
    struct adit_dial *d = a->d;
    const struct adit_maddr *of = &row_of(a)->addr;
    unsigned left = ADIT_DIAL_MAX_FROM_NAME;
    struct adit_maddr m;
    bool pending = false;

    q->q = NULL;
    /*
     * A /dnsaddr lists a peer's every transport: the ones that can be dialled
     * first, so that the others, which get a row too, cannot crowd them out.
     */
    for (int dialable = 1; e == ADIT_OK && dialable >= 0; dialable--)
        for (size_t i = 0; i < ans->n && left > 0; i++) {
            if (q->what == ADIT_RESOLVE_TEXT ? !from_text(of, ans->v[i], &m)
                                             : !with_ip(of, ans->v[i], &m))
                continue;
            if (is_dialable(&m) != (dialable == 1) ||
                !add_row(d, &m, a->depth + 1u))
                continue;
            a->led_on = true;
            left--;
        }

    for (size_t k = 0; k < ADIT_NITEMS(a->query); k++)
        pending |= a->query[k].q != NULL;
    if (!pending) {
        if (a->led_on)
            end_row(a, ADIT_OK, "");
        else if (e == ADIT_ENOMEM)
            end_row(a, e, "out of memory");
        else if (e == ADIT_OK)
            end_row(a, ADIT_ERESOLVE, "its name leads to nothing of this");
        else
            end_row(a, ADIT_ERESOLVE, "its name could not be resolved");
    }
    if (d->holding && !awaits_ip6(d)) {
        d->holding = false;
        adit_timer_stop(d->w, &d->stagger);
    }
    adit_task_post(d->w, &d->step);
}

static adit_err
ask(struct attempt *a, size_t slot, enum adit_resolve_what what,
    struct adit_slice name)
{
    struct adit_dial *d = a->d;
    struct query *q = &a->query[slot];

    q->a = a;
    q->what = what;
    return adit_resolve_start(d->resolver, what, name, d->deadline.node.due,
                              on_resolved, q, &q->q);
}

static void
look_up(struct attempt *a, const struct adit_maddr_part *part)
{
    static const char label[] = "_dnsaddr.";
    char name[sizeof(label) + ADIT_RESOLVE_MAX_NAME_BYTES];
    adit_err e = ADIT_OK;

    if (a->d->resolver == NULL) {
        end_row(a, ADIT_ERESOLVE, "names are not resolved here");
        return;
    }
    a->since = adit_worker_now(a->d->w);
    a->state = NAMED;
    if (part->code == ADIT_MA_DNSADDR) {
        size_t n = sizeof(label) - 1;

        if (a->depth >= ADIT_DIAL_MAX_DEPTH) {
            end_row(a, ADIT_ELIMIT, "too many names behind names");
            return;
        }
        if (part->value.n > ADIT_RESOLVE_MAX_NAME_BYTES - n) {
            end_row(a, ADIT_ERESOLVE, "its name is too long");
            return;
        }
        memcpy(name, label, n);
        memcpy(name + n, part->value.p, part->value.n);
        e = ask(a, 0, ADIT_RESOLVE_TEXT, adit_slice(name, n + part->value.n));
    } else {
        if (part->code != ADIT_MA_DNS4)
            e = ask(a, 0, ADIT_RESOLVE_IP6, part->value);
        if (e == ADIT_OK && part->code != ADIT_MA_DNS6)
            e = ask(a, 1, ADIT_RESOLVE_IP4, part->value);
    }
    if (e == ADIT_OK)
        return;
    end_row(a, e == ADIT_ENOMEM ? e : ADIT_ERESOLVE,
            e == ADIT_EINVAL   ? "not the name of a host"
            : e == ADIT_ENOMEM ? "out of memory"
            : e == ADIT_EFULL  ? "too many names are being resolved"
                               : "no name server");
}

/* What kind of address is this? */
static void
look_at(struct attempt *a)
{
    struct adit_maddr *m = &row_of(a)->addr;
    struct adit_slice left = adit_maddr_bytes(m);
    struct adit_maddr_part part;
    struct adit_slice v;

    if (adit_maddr_find(m, ADIT_MA_P2P_CIRCUIT, &v)) {
        end_row(a, ADIT_EUNSUPPORTED, "a circuit is not dialled by TCP");
        return;
    }
    if (!is_dialable(m) || adit_maddr_next(&left, &part) != ADIT_OK) {
        end_row(a, ADIT_EUNSUPPORTED, "unsupported transport");
        return;
    }
    switch (part.code) {
    case ADIT_MA_DNS:
    case ADIT_MA_DNS4:
    case ADIT_MA_DNS6:
    case ADIT_MA_DNSADDR:
        look_up(a, &part);
        return;
    }
    switch (adit_endpoint_of_maddr(m, &a->to, NULL)) {
    case ADIT_OK:
        break;
    case ADIT_EIO:
        end_row(a, ADIT_EUNREACHABLE, "no interface has its zone");
        return;
    default:
        end_row(a, ADIT_EUNSUPPORTED, "unsupported transport");
        return;
    }
    if (adit_endpoint_port(&a->to) == 0 ||
        adit_endpoint_is_unspecified(&a->to)) {
        end_row(a, ADIT_EINVAL, "nobody can be reached there");
        return;
    }
    a->state = READY;
}

static void
on_step(void *ctx)
{
    struct adit_dial *d = ctx;

    for (size_t i = 0; i < d->n; i++)
        if (d->attempt[i].state == NEW)
            look_at(&d->attempt[i]);
    if (!adit_timer_is_set(&d->stagger))
        try_next(d);
}

/* ---- from outside ----------------------------------------------------- */

adit_err
adit_dial_start(struct adit_worker *w, const struct adit_dial_config *cfg,
                adit_dial_fn *fn, void *ctx, struct adit_dial **out)
{
    struct adit_dial *d;

    if (adit_worker_base(w) == NULL)
        return ADIT_ESTATE;
    if (cfg->n == 0)
        return ADIT_EINVAL;
    d = ADIT_NEW(adit_worker_mem(w), struct adit_dial);
    if (d == NULL)
        return ADIT_ENOMEM;
    d->w = w;
    d->fn = fn;
    d->ctx = ctx;
    d->resolver = cfg->resolver;
    d->bind4 = cfg->bind4;
    d->bind6 = cfg->bind6;
    d->step.fn = on_step;
    d->step.ctx = d;
    d->stagger.fn = on_stagger;
    d->stagger.ctx = d;
    d->deadline.fn = on_deadline;
    d->deadline.ctx = d;
    if (adit_timer_set(w, &d->deadline, cfg->deadline) != ADIT_OK) {
        ADIT_FREE(adit_worker_mem(w), d);
        return ADIT_ENOMEM;
    }
    for (size_t i = 0; i < cfg->n; i++)
        if (!add_row(d, &cfg->addrs[i], 0))
            break;
    adit_task_post(w, &d->step);
    *out = d;
    return ADIT_OK;
}

void
adit_dial_cancel(struct adit_dial *d)
{
    if (d == NULL || d->over)
        return;
    stop(d, ADIT_CANCELLED, "", "", "");
    adit_retire(d->w, &d->retiree, free_dial, d);
}
