/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/confine.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#define HAS_LANDLOCK 1
#endif
#endif
#ifndef HAS_LANDLOCK
#define HAS_LANDLOCK 0
#endif

#ifdef ADIT_WITH_RELAY
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sched.h>
#endif

/* The sanitizers open, map, trace and execute what they like. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||    \
    __has_feature(memory_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static adit_err
fail(char why[ADIT_CONFINE_WHY_BYTES], adit_err e, const char *what,
     int os_error)
{
    snprintf(why, ADIT_CONFINE_WHY_BYTES, "%s%s%s", what,
             os_error != 0 ? ": " : "",
             os_error != 0 ? strerror(os_error) : "");
    return e;
}

/* ---- files ------------------------------------------------------------------ */

void
adit_confine_add(struct adit_confine_paths *p, const char *path,
                 bool may_write)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].path, path) == 0) {
            p->v[i].may_write |= may_write;
            return;
        }
    if (p->n == ADIT_CONFINE_MAX_PATHS || n >= ADIT_CONFINE_PATH_BYTES) {
        p->is_full = true;
        return;
    }
    memcpy(p->v[p->n].path, path, n + 1);
    p->v[p->n++].may_write = may_write;
}

static void
add_folder(struct adit_confine_paths *p, const char *file, bool may_write)
{
    const char *slash = strrchr(file, '/');
    char dir[ADIT_CONFINE_PATH_BYTES];

    snprintf(dir, sizeof(dir), "%.*s",
             slash == NULL   ? 1
             : slash == file ? 1
                             : (int)(slash - file),
             slash == NULL ? "." : file);
    adit_confine_add(p, dir, may_write);
}

void
adit_confine_add_folder_of(struct adit_confine_paths *p, const char *file,
                           bool may_write)
{
    char *real = realpath(file, NULL);

    /* Where it is, and where a link to it is: the link may be changed. */
    add_folder(p, file, may_write);
    if (real != NULL)
        add_folder(p, real, may_write);
    free(real);
}

#if HAS_LANDLOCK && !IS_SANITIZED

/* What our headers know: up to ABI 3, truncation. */
#define ABI_MAX 3
#define TRUNCATE (UINT64_C(1) << 14)
#define REFER (UINT64_C(1) << 13)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                 \
    (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |     \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE |          \
     TRUNCATE)
/* All of ABI 1. */
#define FIRST_RIGHTS ((UINT64_C(1) << 13) - 1)
/* Those that make sense for what is no folder. */
#define OF_FILES                                                              \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |              \
     LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)

/* 0, or the system's error. */
static int
add_rule(int set, uint64_t rights, const char *path, bool may_write)
{
    struct landlock_path_beneath_attr r = {
        .allowed_access = rights & (may_write ? WRITE : READ),
    };
    struct stat st;
    int error = 0;

    r.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (r.parent_fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0
                                                                      : errno;
    if (fstat(r.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        r.allowed_access &= OF_FILES;
    if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &r,
                0) != 0)
        error = errno;
    close(r.parent_fd);
    return error;
}

adit_err
adit_confine_files(const struct adit_confine_paths *p, int *abi,
                   char why[ADIT_CONFINE_WHY_BYTES])
{
    struct landlock_ruleset_attr attr = { .handled_access_fs = FIRST_RIGHTS };
    long have = syscall(SYS_landlock_create_ruleset, NULL, 0,
                        LANDLOCK_CREATE_RULESET_VERSION);
    int set, error = 0;

    if (have < 1)
        return fail(why, ADIT_EIO, "the kernel has no Landlock", 0);
    if (p->is_full)
        return fail(why, ADIT_EIO, "too many folders are named", 0);
    have = ADIT_MIN(have, ABI_MAX);
    if (have >= 2)
        attr.handled_access_fs |= REFER;
    if (have >= 3)
        attr.handled_access_fs |= TRUNCATE;
    set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (set < 0)
        return fail(why, ADIT_EIO, "landlock_create_ruleset", errno);
    for (size_t i = 0; i < p->n && error == 0; i++)
        error = add_rule(set, attr.handled_access_fs, p->v[i].path,
                         p->v[i].may_write);
    if (error == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                       syscall(SYS_landlock_restrict_self, set, 0) != 0))
        error = errno;
    close(set);
    if (error != 0)
        return fail(why, ADIT_EIO, "landlock_restrict_self", error);
    *abi = (int)have;
    return ADIT_OK;
}

#else

adit_err
adit_confine_files(const struct adit_confine_paths *p, int *abi,
                   char why[ADIT_CONFINE_WHY_BYTES])
{
    (void)p;
    (void)abi;
    return fail(why, ADIT_EIO,
                IS_SANITIZED ? "a sanitized build" : "built without Landlock",
                0);
}

#endif

/* ---- system calls ------------------------------------------------------------ */

#if defined(ADIT_WITH_RELAY) && !IS_SANITIZED

/* Whatever their arguments. */
static const int allowed[] = {
    /* descriptors, and what comes over them */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(fcntl),
    SCMP_SYS(fcntl64),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    /* sockets; whose families stand below */
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    /* files: the resolver's, lists, the ledger */
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(stat64),
    SCMP_SYS(lstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getcwd),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(ftruncate64),
    SCMP_SYS(fallocate),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(utimensat),
    SCMP_SYS(umask),
    /* memory; nothing of it becomes code */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* threads, and waiting for each other */
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(restart_syscall),
    /* signals */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(signalfd4),
    /* clocks and chance */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    /* who and how much */
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getppid),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(ugetrlimit),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
};

/* Nothing that is ours does these; whoever does is somebody else. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(mount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(open_by_handle_at),
};

/* Allowed if argument `arg`, under `mask`, is `value`. */
static const struct {
    int call;
    unsigned arg;
    uint64_t mask, value;
} conditional[] = {
    { SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX },
    { SCMP_SYS(socket), 0, UINT32_MAX, AF_INET },
    { SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6 },
    { SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK }, /* getifaddrs */
    { SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX },
    { SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
    { SCMP_SYS(mmap2), 2, PROT_EXEC, 0 },
    { SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
    /* Threads, not processes.  clone3 hides its flags, so it is not there;
     * the C library then takes clone. */
    { SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, FIONREAD },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCOUTQ },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME },
    { SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME },
    { SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_NAME },
    { SCMP_SYS(prctl), 0, UINT32_MAX, 0x53564d41 }, /* PR_SET_VMA: malloc */
};

static int
add_calls(scmp_filter_ctx ctx)
{
    int r = 0;

    for (size_t i = 0; i < ADIT_NITEMS(allowed) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < ADIT_NITEMS(deadly) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    for (size_t i = 0; i < ADIT_NITEMS(conditional) && r == 0; i++) {
        struct scmp_arg_cmp cmp = { conditional[i].arg, SCMP_CMP_MASKED_EQ,
                                    conditional[i].mask,
                                    conditional[i].value };

        r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, conditional[i].call, 1,
                                   &cmp);
    }
    if (r == 0) { /* abort(), and the C library's own signals: to ourselves */
        struct scmp_arg_cmp us = { 0, SCMP_CMP_EQ, (uint64_t)getpid(), 0 };

        r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                   &us);
    }
    if (r == 0) { /* only asking for limits */
        struct scmp_arg_cmp ask = { 2, SCMP_CMP_EQ, 0, 0 };

        r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                   &ask);
    }
    return r;
}

adit_err
adit_confine_calls(char why[ADIT_CONFINE_WHY_BYTES])
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int r;

    if (ctx == NULL)
        return fail(why, ADIT_EIO, "seccomp_init", ENOMEM);
    r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A tree, not a list: each call is looked up. */
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    /* Older kernels would slow every load down, against code that is not
     * ours; we run none. */
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
    if (r == 0)
        r = add_calls(ctx);
    if (r == 0)
        r = seccomp_load(ctx); /* sets no_new_privs too */
    seccomp_release(ctx);
    if (r != 0)
        return fail(why, ADIT_EIO, "seccomp", -r);
    return ADIT_OK;
}

#else

adit_err
adit_confine_calls(char why[ADIT_CONFINE_WHY_BYTES])
{
    return fail(why, ADIT_EIO,
                IS_SANITIZED ? "a sanitized build" : "built --without-relay",
                0);
}

#endif
