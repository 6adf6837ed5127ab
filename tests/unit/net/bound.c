/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which handed-over socket is for which address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/bound.h"

#include <arpa/inet.h>
#include <unistd.h>

static int
bound(const char *ip, uint16_t *port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t n = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(inet_pton(AF_INET, ip, &sa.sin_addr), 1);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static struct adit_endpoint
at(const char *ip, uint16_t port)
{
    struct adit_endpoint e;
    uint8_t b[4];

    assert_int_equal(inet_pton(AF_INET, ip, b), 1);
    assert_int_equal(adit_endpoint_of_ip(adit_slice(b, 4), port, &e), ADIT_OK);
    return e;
}

static void
test_take(void **state)
{
    char why[ADIT_LISTENER_WHY_BYTES] = "", want[ADIT_ENDPOINT_TEXT_BYTES];
    uint16_t port[3];
    int fd[3] = { bound("127.0.0.1", &port[0]), bound("0.0.0.0", &port[1]),
                  bound("127.0.0.1", &port[2]) };
    struct adit_endpoint e;
    struct adit_bound s;

    (void)state;
    assert_int_equal(adit_bound_init(&s, fd, 3, why), ADIT_OK);
    e = at("127.0.0.2", port[0]); /* another address */
    assert_int_equal(adit_bound_take(&s, &e), -1);
    e = at("127.0.0.1", port[1]); /* bound to all is not bound to one */
    assert_int_equal(adit_bound_take(&s, &e), -1);
    e = at("0.0.0.0", port[0]); /* nor the other way round */
    assert_int_equal(adit_bound_take(&s, &e), -1);
    e = at("127.0.0.1", port[2]);
    assert_int_equal(adit_bound_take(&s, &e), fd[2]);
    assert_int_equal(adit_bound_take(&s, &e), -1); /* once */
    e = at("0.0.0.0", 0);
    assert_int_equal(adit_bound_take(&s, &e), fd[1]);
    assert_int_equal(adit_bound_end(&s, why), ADIT_EINVAL);
    e = at("127.0.0.1", port[0]);
    assert_non_null(strstr(why, adit_endpoint_format(&e, want)));
    e = at("127.0.0.1", 0);
    assert_int_equal(adit_bound_take(&s, &e), fd[0]);
    assert_int_equal(adit_bound_take(&s, &e), -1);
    assert_int_equal(adit_bound_end(&s, why), ADIT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(close(fd[i]), 0); /* still the caller's */
}

static void
test_refused(void **state)
{
    char why[ADIT_LISTENER_WHY_BYTES] = "";
    int fds[ADIT_BOUND_MAX + 1] = { -1 };
    struct adit_bound s;

    (void)state;
    assert_int_equal(adit_bound_init(&s, fds, ADIT_BOUND_MAX + 1, why),
                     ADIT_EFULL);
    assert_non_null(strstr(why, "9 sockets"));
    assert_int_equal(adit_bound_init(&s, fds, 1, why), ADIT_EINVAL);
    assert_non_null(strstr(why, "not open"));
    assert_int_equal(adit_bound_init(&s, fds, 0, why), ADIT_OK);
    assert_int_equal(adit_bound_end(&s, why), ADIT_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
