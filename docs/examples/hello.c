/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * hello RELAY: be reachable through a relay, and say hello to whoever comes.
 *
 *   cc hello.c $(pkg-config --cflags --libs adit) -o hello
 */
#include <adit/adit.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

static void
on_reserved(void *ctx, adit_node *n, const struct adit_reservation *r)
{
    (void)ctx;
    (void)n;
    if (r->n_addrs > 0 && !r->renewed)
        printf("adit dial %s /hello/1\n", r->addrs[0]);
    fflush(stdout);
}

static void
on_reservation_lost(void *ctx, adit_node *n,
                    const struct adit_reservation_lost *r)
{
    (void)ctx;
    (void)n;
    fprintf(stderr, "no reservation: %s; it will be tried again\n", r->text);
}

/* The stream is ours from here on; _close sends what was written first. */
static void
on_stream(void *ctx, adit_node *n, adit_stream *s)
{
    struct adit_conn_info info = { .size = sizeof(info) };
    char text[160];
    size_t len, taken;

    (void)ctx;
    (void)n;
    if (adit_stream_conn(s, &info) == ADIT_OK) {
        len = (size_t)snprintf(text, sizeof(text), "hello, %s\n", info.peer);
        /* A new stream has room for so little. */
        if (adit_stream_write(s, text, len, &taken) != ADIT_OK)
            fprintf(stderr, "%s\n", adit_stream_why(s));
    }
    adit_stream_close(s);
}

static adit_err
serve(adit_config *cfg, adit_key *key, const char *relay)
{
    struct adit_events ev = ADIT_EVENTS_INIT;
    adit_node *n;
    adit_err e;

    ev.on_reserved = on_reserved;
    ev.on_reservation_lost = on_reservation_lost;
    ev.on_stream = on_stream;
    e = adit_node_new(cfg, key, &ev, &n);
    if (e != ADIT_OK)
        return e;
    e = adit_node_start(n);
    if (e == ADIT_OK)
        e = adit_handle(n, "/hello/1", true);
    if (e == ADIT_OK)
        e = adit_reserve(n, relay);
    while (e == ADIT_OK) {
        struct pollfd p = { .fd = adit_node_fd(n), .events = POLLIN };

        if (poll(&p, 1, -1) < 0)
            break;
        adit_node_dispatch(n); /* all of the above is called from in here */
    }
    adit_node_free(n);
    return e;
}

int
main(int argc, char **argv)
{
    adit_config *cfg = adit_config_new();
    adit_key *key = NULL;
    adit_err e = ADIT_EINVAL;

    if (argc == 2 && cfg != NULL)
        e = adit_key_new(&key); /* adit_key_load() to be the same each time */
    if (e == ADIT_OK)
        e = serve(cfg, key, argv[1]);
    if (e != ADIT_OK)
        fprintf(stderr, "hello RELAY: %s\n", adit_err_text(e));
    adit_key_free(key);
    adit_config_free(cfg);
    return e != ADIT_OK;
}
