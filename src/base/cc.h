/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * cc: what we ask of the compiler, spelled once.
 *
 * Includes the poisoned names: a call to one of them does not compile.
 */
#ifndef ADIT_BASE_CC_H
#define ADIT_BASE_CC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* Those that declare a poisoned name come first, once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADIT_NITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define ADIT_MIN(a, b) ((a) < (b) ? (a) : (b))
#define ADIT_MAX(a, b) ((a) > (b) ? (a) : (b))
#define ADIT_CONTAINER_OF(p, type, member)                                    \
    ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define ADIT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ADIT_NORETURN __attribute__((noreturn))
#define ADIT_LIKELY(x) __builtin_expect(!!(x), 1)
#define ADIT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/*
 * For our own bugs; always compiled in.  Never reachable from a peer's bytes,
 * a configuration file or the admin socket: each fuzz target is the proof.
 */
#define adit_assert(cond)                                                     \
    (ADIT_LIKELY(cond) ? (void)0 : adit_assert_fail(#cond, __FILE__, __LINE__))

ADIT_NORETURN void adit_assert_fail(const char *cond, const char *file,
                                    int line);

#if defined(__GNUC__)
#undef alloca /* glibc has it as a macro too */
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi
#pragma GCC poison atol gmtime localtime alloca
#endif

#endif
