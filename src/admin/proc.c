/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* proc(5) counts from 1; the name, the second, is in parentheses. */
enum { UTIME = 14, STIME = 15, STARTTIME = 22, RSS = 24 };

/* Some 300 bytes. */
#define STAT_BYTES 1024

void
adit_proc_open(struct adit_proc *p)
{
    struct rlimit lim;

    p->stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    p->fds = opendir("/proc/self/fd");
    p->n_fds_max =
        getrlimit(RLIMIT_NOFILE, &lim) == 0 ? (uint64_t)lim.rlim_cur : 0;
    p->ticks_s = sysconf(_SC_CLK_TCK);
    p->page_bytes = sysconf(_SC_PAGESIZE);
}

void
adit_proc_close(struct adit_proc *p)
{
    if (p->page_bytes == 0) /* never opened */
        return;
    if (p->stat_fd >= 0)
        close(p->stat_fd);
    if (p->fds != NULL)
        closedir(p->fds);
    *p = (struct adit_proc){ .stat_fd = -1 };
}

bool
adit_proc_parse(const char *stat, int64_t ticks_s, int64_t page_bytes,
                struct adit_instant now, int64_t now_unix_s,
                struct adit_scraped *out)
{
    const char *p = strrchr(stat, ')');
    uint64_t v[RSS + 1] = { 0 };
    int64_t up_s;

    if (p == NULL || ticks_s <= 0)
        return false;
    p++;
    for (int i = 3; i <= RSS; i++) {
        char *end;

        p += strspn(p, " ");
        if (i == 3) { /* a letter */
            p += strcspn(p, " ");
            continue;
        }
        v[i] = strtoull(p, &end, 10);
        if (end == p)
            return false;
        p = end;
    }
    adit_scraped_set(out, ADIT_SCRAPED_CPU,
                     (v[UTIME] + v[STIME]) * 1000000 / (uint64_t)ticks_s);
    adit_scraped_set(out, ADIT_SCRAPED_RESIDENT,
                     v[RSS] * (uint64_t)page_bytes);
    /* It says how long after the boot, and so does our clock. */
    up_s = (int64_t)(now.us / 1000000) -
           (int64_t)(v[STARTTIME] / (uint64_t)ticks_s);
    if (up_s >= 0 && now_unix_s >= up_s)
        adit_scraped_set(out, ADIT_SCRAPED_START_TIME,
                         (uint64_t)(now_unix_s - up_s));
    return true;
}

/* Linux 6.2 and later say it by the folder's size; before, it is counted. */
static bool
count_fds(struct adit_proc *p, uint64_t *n)
{
    struct stat st;

    if (p->fds == NULL)
        return false;
    if (fstat(dirfd(p->fds), &st) == 0 && st.st_size > 0) {
        *n = (uint64_t)st.st_size;
        return true;
    }
    *n = 0;
    rewinddir(p->fds);
    for (struct dirent *d = readdir(p->fds); d != NULL; d = readdir(p->fds))
        *n += d->d_name[0] != '.';
    return *n > 0;
}

void
adit_proc_read(struct adit_proc *p, struct adit_instant now,
               int64_t now_unix_s, struct adit_scraped *out)
{
    char text[STAT_BYTES];
    ssize_t n =
        p->stat_fd >= 0 ? pread(p->stat_fd, text, sizeof(text) - 1, 0) : -1;
    uint64_t n_fds;

    if (n > 0) {
        text[n] = '\0';
        /* Of another form: then it is not known. */
        (void)adit_proc_parse(text, p->ticks_s, p->page_bytes, now, now_unix_s,
                              out);
    }
    if (count_fds(p, &n_fds))
        adit_scraped_set(out, ADIT_SCRAPED_OPEN_FDS, n_fds);
    if (p->n_fds_max > 0)
        adit_scraped_set(out, ADIT_SCRAPED_MAX_FDS, p->n_fds_max);
}
