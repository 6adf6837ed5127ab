/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Sockets that somebody bound before, by the public API: a node listens on
 * them, and a connection that comes while none does waits for the next one.
 */
#include "duo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
bound(struct sockaddr_in *sa)
{
    socklen_t n = sizeof(*sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *sa = (struct sockaddr_in){ .sin_family = AF_INET };
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)sa, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &n), 0);
    return fd;
}

/* A node that is given `fd`, started; what that answers. */
static adit_err
start(struct duo *u, int fd, const char *ip, uint16_t port)
{
    struct duo_node *d = &u->v[0];
    struct adit_events ev = ADIT_EVENTS_INIT;
    adit_config *cfg = adit_config_new();
    char listen[64];
    adit_key *key;
    adit_err e;

    u->n = 1;
    assert_non_null(cfg);
    assert_int_equal(adit_key_new(&key), ADIT_OK);
    snprintf(listen, sizeof(listen), "/ip4/%s/tcp/%u", ip, (unsigned)port);
    assert_int_equal(adit_config_set(cfg, "listen.tcp", listen), ADIT_OK);
    assert_int_equal(adit_config_set_sockets(cfg, &fd, 1), ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, &ev, &d->n), ADIT_OK);
    adit_config_free(cfg);
    adit_key_free(key);
    e = u->attached ? adit_node_attach(d->n, u->base) : adit_node_start(d->n);
    return e;
}

static int
dial(const struct sockaddr_in *sa)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)sa, sizeof(*sa)), 0);
    return fd;
}

static bool
is_answered(int fd)
{
    char b[64];

    return recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0;
}

static void
say_hello(int fd)
{
    static const char hello[] = "\x13/multistream/1.0.0\n";

    assert_int_equal(send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL),
                     sizeof(hello) - 1);
}

static void
test_handed_on(void **state)
{
    (void)state;
    for (int attached = 0; attached <= 1; attached++) {
        struct sockaddr_in sa;
        int fd = bound(&sa), kept = dup(fd), c;
        struct duo u;

        assert_true(kept >= 0);
        duo_init(&u, attached != 0);
        assert_int_equal(start(&u, fd, "127.0.0.1", ntohs(sa.sin_port)),
                         ADIT_OK);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* it has its own */
        assert_int_equal(errno, EBADF);
        c = dial(&sa);
        say_hello(c);
        DUO_UNTIL(&u, is_answered(c));
        close(c);
        adit_node_free(u.v[0].n);
        u.v[0].n = NULL;

        c = dial(&sa); /* nobody accepts, and it is not refused */
        say_hello(c);
        assert_int_equal(start(&u, kept, "127.0.0.1", ntohs(sa.sin_port)),
                         ADIT_OK);
        DUO_UNTIL(&u, is_answered(c));
        close(c);
        duo_fini(&u);
    }
}

static void
test_not_named(void **state)
{
    (void)state;
    for (int attached = 0; attached <= 1; attached++) {
        struct sockaddr_in sa;
        int fd = bound(&sa);
        char where[64];
        struct duo u;

        duo_init(&u, attached != 0);
        assert_int_equal(start(&u, fd, "127.0.0.2", 0), ADIT_EINVAL);
        snprintf(where, sizeof(where), "127.0.0.1:%u",
                 (unsigned)ntohs(sa.sin_port));
        assert_non_null(strstr(adit_node_why(u.v[0].n), where));
        duo_fini(&u);
        assert_int_equal(close(fd), 0); /* still the caller's */
    }
}

static void
test_too_many(void **state)
{
    adit_config *cfg = adit_config_new();
    int fds[9] = { 0 };

    (void)state;
    assert_non_null(cfg);
    assert_int_equal(adit_config_set_sockets(cfg, fds, 9), ADIT_EFULL);
    assert_int_equal(adit_config_set_sockets(cfg, fds, 8), ADIT_OK);
    assert_int_equal(adit_config_set_sockets(cfg, NULL, 0), ADIT_OK);
    adit_config_free(cfg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handed_on),
        cmocka_unit_test(test_not_named),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
