/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * clock: the wall clock, set to what a file says; for LD_PRELOAD.
 *
 * The first eight bytes of the file that $ADIT_CLOCK names are the seconds
 * to add.  They are mapped, so that a program that is confined sees them
 * change.  The monotonic clocks go on as they are, as they do when somebody
 * sets a real one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t none;
static const _Atomic int64_t *offset_s = &none;

__attribute__((constructor)) static void
map(void)
{
    const char *name = getenv("ADIT_CLOCK");
    int fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *p;

    if (fd < 0)
        return;
    p = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        offset_s = p;
    close(fd);
}

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    int rc;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    rc = real(id, ts);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ts->tv_sec += (time_t)atomic_load(offset_s);
    return rc;
}

__attribute__((visibility("default"))) time_t
time(time_t *out)
{
    struct timespec ts = { 0 };

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

__attribute__((visibility("default"))) int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts = { 0 };

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
