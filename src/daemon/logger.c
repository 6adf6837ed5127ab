/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/logger.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void
write_line(const struct adit_logger *l, enum adit_log_level level,
           const char *line)
{
    char buf[ADIT_LOG_LINE_MAX_BYTES + 64];
    int n = 0;

    if (l->is_journal) {
        n = snprintf(buf, sizeof(buf), "<%d>%s\n", priorities[level], line);
    } else {
        struct timespec ts;
        struct tm tm;
        char when[32];

        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        n = snprintf(buf, sizeof(buf), "%s.%03ldZ %s %s\n", when,
                     ts.tv_nsec / 1000000, adit_log_level_name(level), line);
    }
    if (n >= (int)sizeof(buf)) {
        n = (int)sizeof(buf) - 1;
        buf[n - 1] = '\n';
    }
    /* Nobody could be told of a failure. */
    if (write(STDERR_FILENO, buf, (size_t)n) < 0)
        return;
}

static void
own_sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    (void)n;
    write_line(ctx, level, line);
}

void
adit_logger_init(struct adit_logger *l)
{
    l->log = (struct adit_log){ ADIT_LOG_INFO, own_sink, l };
    l->is_journal = is_journal();
}

void
adit_logger_set_level(struct adit_logger *l, enum adit_level level)
{
    l->log.level = (enum adit_log_level)level;
}

void
adit_logger_sink(void *ctx, enum adit_level level, const char *line)
{
    write_line(ctx, (enum adit_log_level)level, line);
}
