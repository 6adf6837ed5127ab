/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Options under one roof: names, classes, the environment, arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf.h"

static const struct {
    const char *why, *name, *value;
    adit_err want;
    const char *said; /* part of what is said */
} sets[] = {
    { "ours", "log.format", "json", ADIT_OK, NULL },
    { "the node's", "circuit.max", "5", ADIT_OK, NULL },
    { "a class that is built in", "class.listed.circuit_bytes", "2GiB",
      ADIT_OK, NULL },
    { "a new class", "class.my-lab_1.day_bytes", "1GiB", ADIT_OK, NULL },
    { "a typing mistake", "circuit.maks", "5", ADIT_EINVAL, "circuit.max" },
    { "one of ours", "log.formt", "json", ADIT_EINVAL, "log.format" },
    { "of a class", "class.listed.day_byte", "1GiB", ADIT_EINVAL,
      "did you mean day_bytes?" },
    { "a class without a name", "class.day_bytes", "1GiB", ADIT_EINVAL,
      "[class.NAME]" },
    { "a class with an unfit name", "class.A.day_bytes", "1GiB", ADIT_EINVAL,
      "a-z" },
    { "a word that is none of them", "log.level", "loud", ADIT_EINVAL,
      "error|warn|info|debug" },
    { "nothing near", "zzzzzzzzzzzzzzzz.y", "1", ADIT_EINVAL,
      "unknown option" },
};

static void
test_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(sets); i++) {
        struct adit_settings *s = adit_settings_new();
        char why[ADIT_SETTINGS_WHY_BYTES] = "", got[64];
        adit_err e;

        assert_non_null(s);
        e = adit_settings_set(s, sets[i].name, sets[i].value, "here", why);
        print_message("%s: %s\n", sets[i].why, why);
        assert_int_equal(e, sets[i].want);
        if (e == ADIT_OK) {
            adit_settings_get(s, sets[i].name, got, sizeof(got));
            assert_string_equal(got, sets[i].value);
            assert_string_equal(adit_settings_from(s, sets[i].name), "here");
        } else {
            assert_non_null(strstr(why, sets[i].said));
            assert_null(adit_settings_from(s, sets[i].name));
        }
        adit_settings_free(s);
    }
}

/* A key that a class does not set is as the node's option says. */
static void
test_resolve(void **state)
{
    struct adit_settings *s = adit_settings_new();
    char why[ADIT_SETTINGS_WHY_BYTES], got[64];

    (void)state;
    assert_non_null(s);
    assert_int_equal(
        adit_settings_set(s, "circuit.data_bytes", "3MiB", "x", why), ADIT_OK);
    adit_settings_resolve(s, "class.anonymous.circuit_bytes", got,
                          sizeof(got));
    assert_string_equal(got, "3MiB");
    assert_int_equal(adit_settings_get(s, "class.anonymous.circuit_bytes", got,
                                       sizeof(got)),
                     0);
    adit_settings_resolve(s, "log.level", got, sizeof(got));
    assert_string_equal(got, "info");
    adit_settings_free(s);
}

/* ---- the file ----------------------------------------------------------------- */

struct file_heard {
    unsigned n;
    char text[1024]; /* the first */
};

static void
hear_file(void *ctx, const char *text)
{
    struct file_heard *h = ctx;

    if (h->n++ == 0)
        snprintf(h->text, sizeof(h->text), "%s", text);
}

#define TEXT(s) s, sizeof(s) - 1
#define B50 "                                                  "
#define B500 B50 B50 B50 B50 B50 B50 B50 B50 B50 B50

static const struct {
    const char *why, *text;
    size_t n;
    const char *max; /* what circuit.max is then; NULL: whatever */
    const char *said;
} files[] = {
    { "nothing", TEXT(""), "4096", NULL },
    { "plain", TEXT("[circuit]\nmax = 5\n"), "5", NULL },
    { "the last line does not end", TEXT("[circuit]\nmax=5"), "5", NULL },
    { "as Windows has it", TEXT("\xef\xbb\xbf[circuit]\r\nmax = 5\r\n"), "5",
      NULL },
    { "comments", TEXT("; a\n# b\n[circuit]\nmax = 5 # c\n"), "5", NULL },
    { "a section in two parts",
      TEXT("[circuit]\nmax = 5\n[log]\nlevel = warn\n[circuit]\n"
           "max_per_peer = 2\n"),
      "5", NULL },
    { "twice", TEXT("[circuit]\nmax = 5\nmax = 6\n"), "5",
      ":3: circuit.max is already set in line 2" },
    { "twice, in two parts", TEXT("[circuit]\nmax = 5\n[circuit]\nmax = 6\n"),
      "5", ":4: circuit.max is already set in line 2" },
    { "a NUL behind the value", TEXT("[circuit]\nmax = 5\0 6\n"), "4096",
      ":2: the line has a NUL byte" },
    { "nothing but NULs", TEXT("\0\0\0"), "4096", ":1: the line has a NUL" },
    { "a line too long",
      TEXT("[circuit]\nmax = 5" B500 B500 B500 B500 B50 "6"), "4096",
      ":2: the line is too long" },
    { "no section", TEXT("max = 5\n"), "4096", ":1: 'max' stands before" },
    { "neither", TEXT("[circuit]\nmax\n"), "4096", ":2: neither" },
};

static struct file_heard
read_conf(struct adit_settings *s, const char *path)
{
    struct file_heard h = { 0 };
    struct adit_complaints c = { .line = hear_file, .ctx = &h };

    adit_conf_file(s, path, &c);
    assert_int_equal(c.n, h.n);
    return h;
}

static void
test_file(void **state)
{
    char path[] = "/tmp/adit-conf-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < ADIT_NITEMS(files); i++) {
        struct adit_settings *s = adit_settings_new();
        struct file_heard h;
        char got[64];

        assert_non_null(s);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, files[i].text, files[i].n, 0), files[i].n);
        h = read_conf(s, path);
        print_message("%s: %s\n", files[i].why, h.text);
        assert_int_equal(h.n, files[i].said != NULL);
        if (files[i].said != NULL)
            assert_non_null(strstr(h.text, files[i].said));
        adit_settings_get(s, "circuit.max", got, sizeof(got));
        assert_string_equal(got, files[i].max);
        adit_settings_free(s);
    }
    close(fd);
    unlink(path);
}

/* Neither waited for nor read without end. */
static void
test_no_file(void **state)
{
    struct adit_settings *s = adit_settings_new();
    char dir[] = "/tmp/adit-conf-XXXXXX", pipe[64];

    (void)state;
    assert_non_null(s);
    assert_non_null(mkdtemp(dir));
    snprintf(pipe, sizeof(pipe), "%s/pipe", dir);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_non_null(strstr(read_conf(s, pipe).text, "a pipe cannot be"));
    assert_non_null(strstr(read_conf(s, dir).text, "Is a directory"));
    assert_int_equal(read_conf(s, "/dev/null").n, 0);
    assert_int_equal(read_conf(s, "/dev/zero").n, 1);
    unlink(pipe);
    rmdir(dir);
    adit_settings_free(s);
}

/* ---- environment and arguments ------------------------------------------------ */

struct heard {
    char text[512];
};

static void
hear(void *ctx, const char *text)
{
    struct heard *h = ctx;

    snprintf(h->text, sizeof(h->text), "%s", text);
}

static const struct {
    const char *why, *var;
    const char *option, *want; /* NULL: nothing is set */
    const char *said;          /* NULL: no complaint */
} vars[] = {
    { "a section and a key", "ADITD_CIRCUIT_MAX_PER_PEER=3",
      "circuit.max_per_peer", "3", NULL },
    { "a class that is built in", "ADITD_CLASS_LISTED_DAY_BYTES=1GiB",
      "class.listed.day_bytes", "1GiB", NULL },
    { "a key that is another's tail", "ADITD_CLASS_LISTED_CIRCUITS_PER_HOUR=7",
      "class.listed.circuits_per_hour", "7", NULL },
    { "a - in the name", "ADITD_CLASS_MY_LAB_DAY_BYTES=2GiB",
      "class.my-lab.day_bytes", "2GiB", NULL },
    { "a class that is not there", "ADITD_CLASS_LAB_DAY_BYTES=2GiB", NULL,
      NULL, "ADITD_CLASS_LAB_DAY_BYTES: no class" },
    { "a key that is not there", "ADITD_CLASS_LISTED_DAY=2GiB", NULL, NULL,
      "no class" },
    { "an unfit value", "ADITD_CLASS_LISTED_DAY_BYTES=2", NULL, NULL,
      "the unit is missing" },
    { "another's", "ADITD_PORT=tcp://10.0.0.1:80", NULL, NULL, NULL },
    { "no variable of ours", "PATH=/bin", NULL, NULL, NULL },
    { "not even a variable", "ADITD_CIRCUIT_MAX", NULL, NULL, NULL },
};

static void
test_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(vars); i++) {
        struct adit_settings *s = adit_settings_new();
        struct heard h = { "" };
        struct adit_complaints c = { .line = hear, .ctx = &h };
        char var[64], why[ADIT_SETTINGS_WHY_BYTES], got[64];
        char *env[] = { var, NULL };

        assert_non_null(s);
        assert_int_equal(
            adit_settings_set(s, "class.my-lab.peers", "", "x", why), ADIT_OK);
        snprintf(var, sizeof(var), "%s", vars[i].var);
        adit_conf_environment(s, env, &c);
        print_message("%s: %s\n", vars[i].why, h.text);
        assert_int_equal(c.n, vars[i].said != NULL);
        if (vars[i].said != NULL)
            assert_non_null(strstr(h.text, vars[i].said));
        if (vars[i].want != NULL) {
            adit_settings_get(s, vars[i].option, got, sizeof(got));
            assert_string_equal(got, vars[i].want);
            assert_non_null(strstr(adit_settings_from(s, vars[i].option),
                                   "environment: ADITD_"));
        }
        adit_settings_free(s);
    }
}

static void
test_arguments(void **state)
{
    struct adit_settings *s = adit_settings_new();
    struct heard h = { "" };
    struct adit_complaints c = { .line = hear, .ctx = &h };
    char a0[] = "aditd", a1[] = "-c", a2[] = "--circuit.max=1",
         a3[] = "--class.vip.day_bytes", a4[] = "4GiB",
         a5[] = "--circuit.per_hour=2", a6[] = "--log.level";
    char *argv[] = { a0, a1, a2, a3, a4, a5, a6, NULL };
    char got[64];

    (void)state;
    assert_non_null(s);
    adit_conf_arguments(s, argv, &c);
    /* What stands behind -c is a file, whatever it looks like. */
    adit_settings_get(s, "circuit.max", got, sizeof(got));
    assert_string_equal(got, "4096");
    adit_settings_get(s, "class.vip.day_bytes", got, sizeof(got));
    assert_string_equal(got, "4GiB");
    adit_settings_get(s, "circuit.per_hour", got, sizeof(got));
    assert_string_equal(got, "2");
    assert_int_equal(c.n, 1);
    assert_non_null(strstr(h.text, "--log.level needs a value"));
    adit_settings_free(s);
}

/* The spelling in the environment is that of the option, and leads back. */
static void
test_env_names(void **state)
{
    struct adit_settings *s = adit_settings_new();
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], env[ADIT_CONF_ENV_BYTES];
    char var[2 * ADIT_CONF_ENV_BYTES];

    (void)state;
    assert_non_null(s);
    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        struct heard h = { "" };
        struct adit_complaints c = { .line = hear, .ctx = &h };
        char *one[] = { var, NULL };
        char value[ADIT_OPT_TEXT_BYTES];

        adit_settings_resolve(s, name, value, sizeof(value));
        adit_conf_env_name(name, env);
        assert_true(snprintf(var, sizeof(var), "%s=%.100s", env, value) > 0);
        adit_conf_environment(s, one, &c);
        assert_string_equal(h.text, "");
        assert_non_null(adit_settings_from(s, name));
    }
    adit_settings_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),         cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_file),        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_env_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
