/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * main() of a fuzz target where there is no libFuzzer: replay files.
 *
 *   target              replay $srcdir/tests/fuzz/corpus/<target>/
 *   target PATH...      replay these files, and all files of these folders
 *
 * Speaks TAP, one case per file.  An empty input is always tried first.
 */
#include "driver.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Far above any input libFuzzer makes; keeps a wrong path from eating memory. */
#define MAX_INPUT_BYTES (16u << 20)

static unsigned n_cases;
static bool failed;

static void
report(bool ok, const char *what, const char *why)
{
    n_cases++;
    failed = failed || !ok;
    printf("%s %u - %s%s%s\n", ok ? "ok" : "not ok", n_cases, what,
           why != NULL ? ": " : "", why != NULL ? why : "");
    fflush(stdout);
}

static void
replay_file(const char *path, off_t size)
{
    size_t n = (size_t)size;
    FILE *f = fopen(path, "rb");
    uint8_t *p = NULL;

    if (f == NULL) {
        report(false, path, strerror(errno));
        return;
    }
    /* Exactly as long as the input, so that a sanitizer sees each overrun. */
    p = n > 0 && n <= MAX_INPUT_BYTES ? malloc(n) : NULL;
    if (n > 0 && p == NULL)
        report(false, path, "too large");
    else if (n > 0 && fread(p, 1, n, f) != n)
        report(false, path, "cannot be read");
    else {
        (void)LLVMFuzzerTestOneInput(p, n);
        report(true, path, NULL);
    }
    free(p);
    fclose(f);
}

static int
not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void
replay(const char *path)
{
    struct stat st;
    struct dirent **names;
    int n;

    if (stat(path, &st) != 0) {
        report(false, path, strerror(errno));
        return;
    }
    if (S_ISREG(st.st_mode)) {
        replay_file(path, st.st_size);
        return;
    }
    n = scandir(path, &names, not_hidden, alphasort);
    if (n < 0) {
        report(false, path, strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        char sub[4096];
        int len = snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);

        if (len > 0 && (size_t)len < sizeof(sub))
            replay(sub);
        else
            report(false, names[i]->d_name, "path too long");
        free(names[i]);
    }
    free(names);
}

int
main(int argc, char **argv)
{
    const uint8_t none = 0;

    (void)LLVMFuzzerTestOneInput(&none, 0);
    report(true, "empty input", NULL);

    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            replay(argv[i]);
    } else {
        const char *top = getenv("abs_top_srcdir");
        const char *name = strrchr(argv[0], '/');
        char dir[4096];
        struct stat st;

        name = name != NULL ? name + 1 : argv[0];
        snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s",
                 top != NULL ? top : ".", name);
        if (stat(dir, &st) == 0)
            replay(dir);
    }
    printf("1..%u\n", n_cases);
    return failed;
}
