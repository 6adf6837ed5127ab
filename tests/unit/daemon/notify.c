/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a service manager says by the environment, and what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/notify.h"

#include <fcntl.h>
#include <unistd.h>

static const struct {
    const char *why, *path;
    bool is_heard;
} paths[] = {
    { "none", NULL, false },
    { "empty", "", false },
    { "relative", "notify", false },
    { "another family", "vsock:2:1234", false },
    { "one letter", "/", false },
    { "a path", "/run/systemd/notify", true },
    { "an abstract name", "@adit/notify", true },
};

static void
set(const char *name, const char *value)
{
    if (value == NULL)
        unsetenv(name);
    else
        setenv(name, value, 1);
}

static void
test_socket_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(paths); i++) {
        struct adit_notify n;

        print_message("%s\n", paths[i].why);
        set("NOTIFY_SOCKET", paths[i].path);
        adit_notify_init(&n);
        assert_int_equal(n.fd >= 0, paths[i].is_heard);
        adit_notify_send(&n, "READY=1"); /* nobody is there: no matter */
        adit_notify_fini(&n);
        adit_notify_fini(&n);
    }
}

static void
test_watchdog(void **state)
{
    static const struct {
        const char *why, *us, *pid;
        int64_t want;
    } cases[] = {
        { "asked", "5000000", NULL, 5000000 },
        { "not asked", NULL, NULL, 0 },
        { "no number", "5s", NULL, 0 },
        { "another process", "5000000", "1", 0 },
    };
    struct adit_notify n;

    (void)state;
    set("NOTIFY_SOCKET", "@adit/notify");
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        set("WATCHDOG_USEC", cases[i].us);
        set("WATCHDOG_PID", cases[i].pid);
        adit_notify_init(&n);
        assert_int_equal(n.watchdog_us, cases[i].want);
        adit_notify_fini(&n);
    }
    set("WATCHDOG_USEC", NULL);
    set("WATCHDOG_PID", NULL);
}

/* To a socket of our own, without a name in the file system. */
static void
test_told(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char name[64], got[256];
    struct adit_notify n;
    socklen_t len;
    ssize_t r;
    int fd;

    (void)state;
    snprintf(name, sizeof(name), "@adit-unit-%d", (int)getpid());
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    memcpy(a.sun_path, name, strlen(name));
    a.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    set("NOTIFY_SOCKET", name);
    adit_notify_init(&n);
    adit_notify_send(&n, "READY=1\nSTATUS=%d", 7);
    r = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
    assert_true(r > 0);
    got[r] = '\0';
    assert_string_equal(got, "READY=1\nSTATUS=7");
    adit_notify_reloading(&n);
    r = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
    assert_true(r > 0);
    got[r] = '\0';
    assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
    /* One that does not read is not waited for. */
    for (int i = 0; i < 10000; i++)
        adit_notify_send(&n, "WATCHDOG=1");
    adit_notify_fini(&n);
    close(fd);
}

static void
test_no_sockets(void **state)
{
    struct adit_sockets s;

    (void)state;
    set("LISTEN_FDS", "3");
    set("LISTEN_PID", "1"); /* another's */
    adit_sockets_take(&s);
    assert_int_equal(s.n_relay, 0);
    assert_int_equal(s.admin, -1);
    assert_int_equal(s.n_unfit, 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_names),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_no_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
