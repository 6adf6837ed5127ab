/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/logger.h"

#include "daemon/json.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* At the end: a reader that takes nothing for so long is given up, and one
 * that is slow after so many of these. */
#define STOP_MS 1000
#define STOP_MAX_WAITS 5

/* Does stderr go to the journal?  It names its socket in the environment. */
static bool
is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    uintmax_t dev, ino;
    struct stat st;

    return named != NULL &&
           sscanf(named, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && dev == (uintmax_t)st.st_dev &&
           ino == (uintmax_t)st.st_ino;
}

/* syslog's numbers. */
static const int priorities[] = { 3, 4, 6, 7 };

/* A line with its front, newline and NUL. */
#define LINE_BYTES (ADIT_JSON_LINE_BYTES + 64)

static size_t
format(const struct adit_logger *l, enum adit_log_level level,
       const char *line, char out[LINE_BYTES])
{
    const char *name = adit_log_level_name(level);
    char when[32], ts[48];
    struct timespec t;
    struct tm tm;
    int n = 0;

    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ts, sizeof(ts), "%s.%03ldZ", when, t.tv_nsec / 1000000);
    if (l->is_journal)
        n = snprintf(out, LINE_BYTES, "<%d>", priorities[level]);
    if (atomic_load(&l->is_json))
        n += (int)adit_json_line(ts, name, line, out + n);
    else if (l->is_journal)
        n += snprintf(out + n, LINE_BYTES - (size_t)n, "%s", line);
    else
        n += snprintf(out + n, LINE_BYTES - (size_t)n, "%s %s %s", ts, name,
                      line);
    n = ADIT_MIN(n, LINE_BYTES - 2);
    out[n++] = '\n';
    return (size_t)n;
}

/* Blocks as long as nobody reads; nobody could be told of a failure. */
static void
write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);

        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            /* Another holder of the same pipe made it so. */
            struct pollfd f = { .fd = STDERR_FILENO, .events = POLLOUT };

            if (poll(&f, 1, -1) < 0 && errno != EINTR)
                return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* ---- the thread ------------------------------------------------------------ */

struct entry {
    struct adit_msg msg;
    size_t n;
    char text[];
};

static size_t
weight(size_t n)
{
    return sizeof(struct entry) + n;
}

static void
tell_dropped(struct adit_logger *l)
{
    unsigned long long n = atomic_exchange(&l->n_dropped, 0);
    char line[64], out[LINE_BYTES];

    if (n == 0)
        return;
    snprintf(line, sizeof(line), "log.dropped n=%llu", n);
    write_all(out, format(l, ADIT_LOG_WARN, line, out));
}

static void *
run(void *arg)
{
    struct adit_logger *l = arg;
    struct pollfd f = { .fd = l->box.fd, .events = POLLIN };
    bool is_over = false;

    pthread_setname_np(pthread_self(), "adit-log");
    while (!is_over) {
        struct adit_msg *m, *next;

        if (poll(&f, 1, -1) < 0 && errno != EINTR)
            break;
        for (m = adit_mailbox_take(&l->box); m != NULL; m = next) {
            struct entry *e = ADIT_CONTAINER_OF(m, struct entry, msg);

            next = m->next;
            if (m == &l->bye) {
                is_over = true;
                continue;
            }
            write_all(e->text, e->n);
            atomic_fetch_sub(&l->queued_bytes, weight(e->n));
            free(e);
        }
        tell_dropped(l);
    }
    adit_mailbox_post(&l->end, &l->over);
    return NULL;
}

adit_err
adit_logger_start(struct adit_logger *l)
{
    sigset_t all, old;
    int failed;

    if (adit_mailbox_init(&l->box, true) != ADIT_OK)
        return ADIT_EIO;
    if (adit_mailbox_init(&l->end, true) != ADIT_OK) {
        adit_mailbox_fini(&l->box);
        return ADIT_EIO;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&l->thread, NULL, run, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        adit_mailbox_fini(&l->box);
        adit_mailbox_fini(&l->end);
        return ADIT_EIO;
    }
    l->is_started = true;
    return ADIT_OK;
}

/* Is the thread through, as long as somebody reads? */
static bool
wait_for_end(struct adit_logger *l)
{
    struct pollfd f = { .fd = l->end.fd, .events = POLLIN };
    size_t before = SIZE_MAX;

    for (int i = 0; i < STOP_MAX_WAITS; i++) {
        size_t left = atomic_load(&l->queued_bytes);

        if (left >= before)
            return false;
        before = left;
        if (poll(&f, 1, STOP_MS) == 1)
            return true;
    }
    return false;
}

bool
adit_logger_stop(struct adit_logger *l)
{
    if (!l->is_started)
        return true;
    adit_mailbox_post(&l->box, &l->bye);
    if (!wait_for_end(l))
        return false;
    pthread_join(l->thread, NULL);
    l->is_started = false;
    if (adit_mailbox_take(&l->end) != &l->over)
        return false;
    adit_mailbox_fini(&l->box);
    adit_mailbox_fini(&l->end);
    return true;
}

/* ---- lines in -------------------------------------------------------------- */

static void
take_line(struct adit_logger *l, enum adit_log_level level, const char *line)
{
    char out[LINE_BYTES];
    size_t n = format(l, level, line, out);
    struct entry *e;

    if (!l->is_started) {
        write_all(out, n);
        return;
    }
    /* Taken first and then looked at, so that no two take the last room. */
    if (atomic_fetch_add(&l->queued_bytes, weight(n)) + weight(n) >
            ADIT_LOGGER_QUEUE_BYTES ||
        (e = malloc(weight(n))) == NULL) {
        atomic_fetch_sub(&l->queued_bytes, weight(n));
        atomic_fetch_add(&l->n_dropped, 1);
        return;
    }
    e->n = n;
    memcpy(e->text, out, n);
    adit_mailbox_post(&l->box, &e->msg);
}

static void
own_sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    (void)n;
    take_line(ctx, level, line);
}

void
adit_logger_init(struct adit_logger *l)
{
    l->log = (struct adit_log){ ADIT_LOG_INFO, own_sink, l };
    l->is_journal = is_journal();
}

void
adit_logger_set(struct adit_logger *l, enum adit_level level, bool is_json)
{
    l->log.level = (enum adit_log_level)level;
    atomic_store(&l->is_json, is_json);
}

void
adit_logger_sink(void *ctx, enum adit_level level, const char *line)
{
    take_line(ctx, (enum adit_log_level)level, line);
}
