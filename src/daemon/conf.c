/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#define ENV_PREFIX "ADITD_"

/* A list of addresses on one line fits. */
#define LINE_MAX_BYTES 2048

ADIT_PRINTF(2, 3)
static void
complain(struct adit_complaints *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->n++;
    c->line(c->ctx, text);
}

/* ---- the file -------------------------------------------------------------- */

struct file {
    struct adit_settings *s;
    struct adit_complaints *c;
    const char *path;
    FILE *f;
    unsigned line;
    bool is_more;                      /* the line continues the one before */
    char last[ADIT_OPTION_NAME_BYTES]; /* the option before this line */
    char list[ADIT_OPT_TEXT_BYTES];
};

/* inih knows "; ..." behind a value; everybody writes "# ...". */
static void
cut_comment(char *line)
{
    for (char *p = line; (p = strchr(p, '#')) != NULL; p++)
        if (p > line && (p[-1] == ' ' || p[-1] == '\t')) {
            memcpy(p, "\n", 2); /* '#' and at least a 0 were there */
            return;
        }
}

/* As fgets, but that it counts lines, says which of them does not fit, and
 * takes no NUL: behind one inih would see nothing. */
static char *
read_line(char *buf, int cap, void *stream)
{
    struct file *f = stream;
    size_t n = 0, room = (size_t)cap - 1;
    int ch = 0;

    f->line++;
    while (ch != '\n' && (ch = getc(f->f)) != EOF) {
        if (ch == '\0') {
            complain(f->c, "%s:%u: the line has a NUL byte: this is no text",
                     f->path, f->line);
            return NULL;
        }
        if (n < room)
            buf[n] = (char)ch;
        n++;
    }
    if (n == 0)
        return NULL;
    buf[ADIT_MIN(n, room)] = '\0';
    f->is_more = buf[0] == ' ' || buf[0] == '\t';
    if (n > room) {
        complain(f->c,
                 "%s:%u: the line is too long; a line that begins with a "
                 "blank continues the one before",
                 f->path, f->line);
        buf[0] = '\0';
    }
    cut_comment(buf);
    return buf;
}

static bool
is_list(const struct adit_settings *s, const char *name)
{
    struct adit_option o = { .size = sizeof(o) };
    char have[ADIT_OPTION_NAME_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, have, &o) == ADIT_OK; i++)
        if (strcmp(have, name) == 0)
            return strstr(o.type, "list") != NULL;
    return false;
}

static int
on_value(void *ctx, const char *section, const char *key, const char *value)
{
    struct file *f = ctx;
    char name[ADIT_OPTION_NAME_BYTES], from[512];
    char why[ADIT_SETTINGS_WHY_BYTES];
    size_t have;

    snprintf(from, sizeof(from), "%s:%u", f->path, f->line);
    if (section[0] == '\0' && strchr(key, '.') == NULL) {
        complain(f->c, "%s: '%.60s' stands before the first [section]", from,
                 key);
        return 1;
    }
    if (section[0] == '\0')
        snprintf(name, sizeof(name), "%s", key);
    else
        snprintf(name, sizeof(name), "%s.%s", section, key);

    if (strcmp(name, f->last) == 0 && f->is_more) {
        if (!is_list(f->s, name)) {
            complain(f->c,
                     "%s: a line that begins with a blank continues a "
                     "list, and %s is none",
                     from, name);
            return 1;
        }
        have = strlen(f->list);
        if (have + strlen(value) + 3 > sizeof(f->list)) {
            complain(f->c, "%s: %s: the list is too long", from, name);
            return 1;
        }
        snprintf(f->list + have, sizeof(f->list) - have, ", %s", value);
    } else {
        const char *before = adit_settings_from(f->s, name);
        size_t n = strlen(f->path);

        if (before != NULL && strncmp(before, f->path, n) == 0 &&
            before[n] == ':') {
            complain(f->c, "%s: %s is already set in line %s", from, name,
                     before + n + 1);
            return 1;
        }
        snprintf(f->list, sizeof(f->list), "%s", value);
        snprintf(f->last, sizeof(f->last), "%s", name);
    }
    if (adit_settings_set(f->s, name,
                          strlen(value) < sizeof(f->list) ? f->list : value,
                          from, why) != ADIT_OK)
        complain(f->c, "%s: %s", from, why);
    return 1;
}

/* Never waits: a reload is between two packets.  A pipe has nothing to say the
 * second time it is read, which would be a reload to all defaults. */
static FILE *
open_file(const char *path, struct adit_complaints *c)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *f = NULL;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        complain(c, "%s: a pipe cannot be read again on reload; name a file",
                 path);
        close(fd);
        return NULL;
    }
    if (fd >= 0)
        f = fdopen(fd, "r");
    if (f == NULL) {
        c->os_error = errno;
        complain(c, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return f;
}

void
adit_conf_file(struct adit_settings *s, const char *path,
               struct adit_complaints *c)
{
    struct file f = { .s = s, .c = c, .path = path };
    int bad;

    f.f = open_file(path, c);
    if (f.f == NULL)
        return;
    ini_max_line = LINE_MAX_BYTES;
    bad = ini_parse_stream(read_line, &f, on_value, &f);
    if (ferror(f.f)) {
        c->os_error = errno;
        complain(c, "%s: %s", path, strerror(errno));
    } else if (bad > 0) {
        complain(c, "%s:%d: neither [section] nor key = value", path, bad);
    } else if (bad < 0) {
        complain(c, "%s: out of memory", path);
    }
    fclose(f.f);
}

/* ---- the environment ------------------------------------------------------- */

void
adit_conf_env_name(const char *option, char out[ADIT_CONF_ENV_BYTES])
{
    size_t n = strlen(ENV_PREFIX);

    memcpy(out, ENV_PREFIX, n);
    for (; *option != '\0' && n + 1 < ADIT_CONF_ENV_BYTES; option++)
        out[n++] =
            *option == '.' ? '_' : (char)toupper((unsigned char)*option);
    out[n] = '\0';
}

/* Is `text`, in capitals and with _ for each - and ., what `var` says? */
static bool
is_spelt(const char *text, const char *var, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = text[i];

        if (c == '.' || c == '-')
            c = '_';
        if (c == '\0' || toupper((unsigned char)c) != var[i])
            return false;
    }
    return text[n] == '\0';
}

/*
 * The option that `var` (CLASS_LISTED_CIRCUIT_BYTES) names, if a class has
 * it; of two classes that differ in - and _ only, the first.
 */
static bool
find_class_option(const struct adit_settings *s, const char *var, size_t n,
                  char out[ADIT_OPTION_NAME_BYTES])
{
    struct adit_option o = { .size = sizeof(o) };

    for (size_t i = 0; adit_settings_at(s, i, out, &o) == ADIT_OK; i++)
        if (strncmp(out, "class.", 6) == 0 && is_spelt(out, var, n))
            return true;
    return false;
}

/* "circuit.max_byte" for CIRCUIT_MAX_BYTE; false: no section of ours. */
static bool
guess_name(const struct adit_settings *s, const char *var, size_t n,
           char out[ADIT_OPTION_NAME_BYTES])
{
    size_t i = 0;

    if (n >= ADIT_OPTION_NAME_BYTES)
        return false;
    for (; i < n; i++)
        out[i] = (char)tolower((unsigned char)var[i]);
    out[n] = '\0';
    for (i = 0; i < n; i++)
        if (out[i] == '_' && adit_settings_has_section(s, out, i)) {
            out[i] = '.';
            return true;
        }
    return false;
}

static void
set_variable(struct adit_settings *s, const char *var, size_t n,
             const char *value, struct adit_complaints *c)
{
    char name[ADIT_OPTION_NAME_BYTES], from[128];
    char why[ADIT_SETTINGS_WHY_BYTES];
    size_t prefix = strlen(ENV_PREFIX);

    snprintf(from, sizeof(from), "environment: %.*s", (int)n, var);
    if (strncmp(var + prefix, "CLASS_", 6) == 0) {
        if (!find_class_option(s, var + prefix, n - prefix, name)) {
            complain(c,
                     "%s: no class that is built in or in the file has such "
                     "an option",
                     from);
            return;
        }
    } else if (!guess_name(s, var + prefix, n - prefix, name)) {
        return;
    }
    if (adit_settings_set(s, name, value, from, why) != ADIT_OK)
        complain(c, "%s: %s", from, why);
}

void
adit_conf_environment(struct adit_settings *s, char *const *env,
                      struct adit_complaints *c)
{
    for (; *env != NULL; env++) {
        const char *eq = strchr(*env, '=');

        if (eq != NULL && strncmp(*env, ENV_PREFIX, strlen(ENV_PREFIX)) == 0)
            set_variable(s, *env, (size_t)(eq - *env), eq + 1, c);
    }
}

/* ---- the command line ------------------------------------------------------ */

static void
set_argument(struct adit_settings *s, const char *arg, const char *value,
             struct adit_complaints *c)
{
    const char *eq = value == NULL ? strchr(arg, '=') : NULL;
    char name[ADIT_OPTION_NAME_BYTES], why[ADIT_SETTINGS_WHY_BYTES];

    snprintf(name, sizeof(name), "%.*s",
             eq != NULL ? (int)(eq - arg) : (int)strlen(arg), arg);
    if (eq != NULL)
        value = eq + 1;
    if (value == NULL) {
        complain(c, "command line: --%s needs a value", name);
        return;
    }
    if (adit_settings_set(s, name, value, "command line", why) != ADIT_OK)
        complain(c, "command line: %s", why);
}

bool
adit_conf_takes(const char *flag, char *const *argv, int *i,
                const char **value)
{
    size_t n = strlen(flag);

    if (strncmp(argv[*i], flag, n) != 0)
        return false;
    if (argv[*i][n] == '=' && n > 2) {
        *value = argv[*i] + n + 1;
        return true;
    }
    if (argv[*i][n] != '\0')
        return false;
    *value = argv[*i + 1];
    if (*value != NULL)
        ++*i;
    return true;
}

bool
adit_conf_is_option(const char *arg)
{
    return strncmp(arg, "--", 2) == 0 && strchr(arg, '.') != NULL;
}

void
adit_conf_arguments(struct adit_settings *s, char *const *argv,
                    struct adit_complaints *c)
{
    for (int i = 1; argv[i] != NULL; i++) {
        const char *arg = argv[i], *skip;

        if (adit_conf_takes("-c", argv, &i, &skip) ||
            adit_conf_takes("--config", argv, &i, &skip) ||
            !adit_conf_is_option(arg))
            continue;
        if (strchr(arg, '=') == NULL && argv[i + 1] != NULL)
            set_argument(s, arg + 2, argv[++i], c);
        else
            set_argument(s, arg + 2, NULL, c);
    }
}

/* ---- all of it --------------------------------------------------------------- */

/* Where container runtimes lay secrets. */
#define SECRETS_DIR "/run/secrets"

static bool
is(const struct adit_settings *s, const char *option, const char *value)
{
    char have[ADIT_OPT_TEXT_BYTES];

    adit_settings_get(s, option, have, sizeof(have));
    return strcmp(have + strspn(have, ", \t"), value) == 0;
}

void
adit_conf_load(struct adit_settings *s, const char *path, char *const *env,
               char *const *argv, struct adit_complaints *c)
{
    const char *dirs[3] = { 0 };
    size_t n = 0;

    dirs[n] = getenv("CREDENTIALS_DIRECTORY");
    n += dirs[n] != NULL && dirs[n][0] == '/';
    dirs[n] = SECRETS_DIR;
    if (path != NULL)
        adit_conf_file(s, path, c);
    adit_conf_environment(s, env, c);
    adit_conf_arguments(s, argv, c);
    if (adit_settings_find_secrets(s, dirs) != ADIT_OK)
        complain(c, "out of memory");
    if (is(s, "relay.enabled", "yes") && is(s, "listen.tcp", ""))
        complain(c, "listen.tcp is empty: a relay must listen somewhere");
}
