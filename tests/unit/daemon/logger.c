/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The log's thread: nobody waits for a reader, and each line is either read
 * or counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/logger.h"

#include <fcntl.h>
#include <unistd.h>

#define N_WRITERS 3
/* Some three times what the queue takes. */
#define N_LINES 10000

/* Our stderr is a pipe for as long as a case lasts. */
struct rig {
    struct adit_logger logger;
    int saved, r;
};

static void
begin(struct rig *g)
{
    int ends[2];

    memset(g, 0, sizeof(*g));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    g->saved = dup(STDERR_FILENO);
    assert_true(g->saved >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    g->r = ends[0];
    adit_logger_init(&g->logger);
}

/* No writer is left: what is read comes to an end. */
static void
restore(struct rig *g)
{
    dup2(g->saved, STDERR_FILENO);
    close(g->saved);
}

static void *
write_lines(void *arg)
{
    struct adit_logger *l = arg;

    for (int i = 0; i < N_LINES; i++) {
        struct adit_log_line line;

        if (!adit_log_open(&line, &l->log, ADIT_LOG_INFO, "test.line"))
            continue;
        adit_log_str(&line, "pad",
                     "some more of it, as much as a line has in the mean");
        adit_log_i64(&line, "i", i);
        adit_log_close(&line);
    }
    return NULL;
}

struct sum {
    unsigned long n_lines, n_dropped;
};

/* Whole lines, each as it was written. */
static void *
read_lines(void *arg)
{
    const int *fd = arg;
    static struct sum s;
    char *line = NULL;
    size_t cap = 0;
    FILE *in = fdopen(*fd, "r");

    memset(&s, 0, sizeof(s));
    while (in != NULL && getline(&line, &cap, in) > 0) {
        const char *dropped = strstr(line, " warn log.dropped n=");

        if (dropped != NULL)
            s.n_dropped += strtoul(dropped + 20, NULL, 10);
        else if (strstr(line, "Z info test.line pad=\"some more") != NULL)
            s.n_lines++;
    }
    free(line);
    if (in != NULL)
        fclose(in);
    return &s;
}

static void
run_writers(struct rig *g)
{
    pthread_t t[N_WRITERS];

    for (int i = 0; i < N_WRITERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, write_lines, &g->logger),
                         0);
    for (int i = 0; i < N_WRITERS; i++)
        pthread_join(t[i], NULL);
}

/* Nobody reads until all is written: the writers are through all the same. */
static void
test_unread(void **state)
{
    struct rig g;
    pthread_t reader;
    bool is_stopped;
    size_t queued;
    void *out;

    (void)state;
    begin(&g);
    assert_int_equal(adit_logger_start(&g.logger), ADIT_OK);
    run_writers(&g);
    queued = atomic_load(&g.logger.queued_bytes);
    assert_int_equal(pthread_create(&reader, NULL, read_lines, &g.r), 0);
    is_stopped = adit_logger_stop(&g.logger);
    restore(&g); /* what is wrong is said there */
    assert_true(is_stopped);
    pthread_join(reader, &out);
    assert_true(queued <= ADIT_LOGGER_QUEUE_BYTES);
    assert_true(((struct sum *)out)->n_dropped > 0);
    assert_int_equal(((struct sum *)out)->n_lines +
                         ((struct sum *)out)->n_dropped,
                     N_WRITERS * N_LINES);
    assert_int_equal(atomic_load(&g.logger.queued_bytes), 0);
}

/* Before it is started, and after it was stopped, lines are written at once. */
static void
test_without_thread(void **state)
{
    struct rig g;
    struct adit_log_line line;
    char got[256];
    ssize_t n;

    (void)state;
    begin(&g);
    for (int i = 0; i < 2; i++) {
        assert_true(adit_log_open(&line, &g.logger.log, ADIT_LOG_WARN, "a.b"));
        adit_log_close(&line);
        n = read(g.r, got, sizeof(got) - 1);
        assert_true(n > 0);
        got[n] = '\0';
        assert_non_null(strstr(got, "Z warn a.b\n"));
        assert_int_equal(adit_logger_start(&g.logger), ADIT_OK);
        assert_true(adit_logger_stop(&g.logger));
    }
    restore(&g);
    close(g.r);
}

/* The format changes between two lines. */
static void
test_set(void **state)
{
    struct rig g;
    struct adit_log_line line;
    char got[256];
    ssize_t n;

    (void)state;
    begin(&g);
    adit_logger_set(&g.logger, ADIT_LEVEL_WARN, true);
    assert_false(adit_log_open(&line, &g.logger.log, ADIT_LOG_INFO, "a.b"));
    adit_logger_sink(&g.logger, ADIT_LEVEL_ERROR, "a.b x=1");
    n = read(g.r, got, sizeof(got) - 1);
    assert_true(n > 0);
    got[n] = '\0';
    assert_memory_equal(got, "{\"ts\":\"", 7);
    assert_non_null(
        strstr(got, "\",\"level\":\"error\",\"event\":\"a.b\",\"x\":1}\n"));
    restore(&g);
    close(g.r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_without_thread),
        cmocka_unit_test(test_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
