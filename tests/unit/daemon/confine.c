/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a confined process can, and cannot: in a child for each case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit codes of the children. */
enum { CAN = 10, NO_CALL, DENIED, OTHER, CANNOT_CONFINE };

static int
of_errno(bool ok)
{
    return ok                ? CAN
           : errno == ENOSYS ? NO_CALL
           : errno == EACCES ? DENIED
                             : OTHER;
}

static int
do_nothing(void)
{
    return CAN;
}

static int
do_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return of_errno(fd >= 0);
}

static int
do_raw(void)
{
    return of_errno(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static int
do_listen(void)
{
    struct sockaddr sa = { .sa_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return of_errno(bind(fd, &sa, sizeof(sa)) == 0);
}

static int
do_exec(void)
{
    char path[] = "/bin/true", *argv[] = { path, NULL };

    execv(path, argv);
    return of_errno(false);
}

static int
do_fork(void)
{
    return of_errno(fork() >= 0);
}

static int
do_code(void)
{
    return of_errno(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static int
do_root(void)
{
    return of_errno(setuid(0) == 0);
}

static void *
thread_body(void *arg)
{
    return arg;
}

static int
do_thread(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, thread_body, NULL) == 0 &&
                   pthread_join(t, NULL) == 0
               ? CAN
               : OTHER;
}

static int
do_read_etc(void)
{
    return of_errno(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static int
do_read_bin(void)
{
    return of_errno(open("/bin/sh", O_RDONLY | O_CLOEXEC) >= 0);
}

static int
do_write_etc(void)
{
    return of_errno(open("/etc/adit-unit", O_WRONLY | O_CREAT, 0600) >= 0);
}

static char own_dir[128];

static int
do_write_own(void)
{
    char path[192];

    snprintf(path, sizeof(path), "%s/x", own_dir);
    if (open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0)
        return of_errno(false);
    return of_errno(unlink(path) == 0);
}

static const struct {
    const char *why;
    int (*fn)(void);
    int calls; /* with system calls confined; 0: killed */
    int files; /* with files confined */
} cases[] = {
    { "go on", do_nothing, CAN, CAN },
    { "a socket to connect", do_connect, CAN, CAN },
    { "a thread", do_thread, CAN, CAN },
    { "a raw socket", do_raw, NO_CALL, -1 },
    { "a listening socket", do_listen, NO_CALL, -1 },
    { "a program", do_exec, 0, DENIED },
    { "a process", do_fork, NO_CALL, -1 },
    { "code", do_code, NO_CALL, -1 },
    { "root", do_root, NO_CALL, -1 },
    { "read what is named", do_read_etc, CAN, CAN },
    { "read what is not", do_read_bin, CAN, DENIED },
    { "write where it may read", do_write_etc, -1, DENIED },
    { "write what is named so", do_write_own, CAN, CAN },
};

static void
confine(bool files)
{
    static struct adit_confine_paths p;
    char why[ADIT_CONFINE_WHY_BYTES];
    int abi;

    adit_confine_add(&p, "/etc", false);
    adit_confine_add(&p, "/nowhere/at/all", false);
    adit_confine_add(&p, own_dir, true);
    if ((files ? adit_confine_files(&p, &abi, why)
               : adit_confine_calls(why)) != ADIT_OK)
        _exit(CANNOT_CONFINE);
}

/* The exit code, or 0: killed by SIGSYS. */
static int
in_child(int (*fn)(void), bool files)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        confine(files);
        _exit(fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return 0;
    }
    return WEXITSTATUS(status);
}

static void
run_cases(bool files)
{
    if (in_child(do_nothing, files) == CANNOT_CONFINE)
        skip();
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        int want = files ? cases[i].files : cases[i].calls;

        print_message("%s\n", cases[i].why);
        if (want >= 0)
            assert_int_equal(in_child(cases[i].fn, files), want);
    }
}

static void
test_calls(void **state)
{
    (void)state;
    run_cases(false);
}

static void
test_files(void **state)
{
    (void)state;
    run_cases(true);
}

/* A thread that was there before is bound by the rules too. */
static void *
wait_and_try(void *arg)
{
    const int *pipe_end = arg;
    char go;

    if (read(*pipe_end, &go, 1) != 1)
        _exit(OTHER);
    _exit(do_raw());
}

static void
test_all_threads(void **state)
{
    int ends[2], status;
    pid_t pid;

    (void)state;
    if (in_child(do_nothing, false) == CANNOT_CONFINE)
        skip();
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        pthread_t t;

        if (pthread_create(&t, NULL, wait_and_try, &ends[0]) != 0)
            _exit(OTHER);
        confine(false);
        if (write(ends[1], "x", 1) != 1)
            _exit(OTHER);
        pthread_join(t, NULL);
        _exit(OTHER);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), NO_CALL);
    close(ends[0]);
    close(ends[1]);
}

static void
test_too_many(void **state)
{
    static struct adit_confine_paths p;
    char why[ADIT_CONFINE_WHY_BYTES], path[32];
    int abi = 0;

    (void)state;
    for (int i = 0; i < ADIT_CONFINE_MAX_PATHS + 1; i++) {
        assert_false(p.is_full);
        snprintf(path, sizeof(path), "/%d", i);
        adit_confine_add(&p, path, false);
        adit_confine_add(&p, "/0", true); /* is there: takes no place */
    }
    assert_true(p.is_full);
    assert_true(p.v[0].may_write);
    assert_int_equal(adit_confine_files(&p, &abi, why), ADIT_EIO);
    assert_int_equal(abi, 0);
}

static int
set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(own_dir, sizeof(own_dir), "%s/adit-confine-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    return mkdtemp(own_dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    return rmdir(own_dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_all_threads),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
