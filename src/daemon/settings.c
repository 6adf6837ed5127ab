/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/settings.h"

#include <sys/socket.h>
#include <unistd.h>

#define AT(field) offsetof(struct adit_own, field)

static const struct adit_opt_row own_rows[] = {
    { "identity.file", ADIT_OPT_TEXT, AT(identity_file),
      "/var/lib/adit/aditd.key", NULL, NULL, "start",
      "The private key that makes the peer id, as libp2p keeps it; made on "
      "the first start, with mode 0600. Whoever has it is this relay." },
    { "log.level", ADIT_OPT_TEXT, AT(log_level), "info", NULL, NULL, "start",
      "error, warn, info or debug; each with those before it. What a stranger "
      "can cause is at debug." },
};

static const struct adit_opt_table own_table = { own_rows,
                                                 ADIT_NITEMS(own_rows) };

/* What aditd sets otherwise than the library.  A relay is what it is for. */
static const struct {
    const char *name, *def;
} ours[] = {
    { "listen.tcp", "/ip4/0.0.0.0/tcp/4001, /ip6/::/tcp/4001" },
    { "relay.enabled", "yes" },
};

/* A machine without IPv6 is no reason not to start. */
#define LISTEN_V4_ONLY "/ip4/0.0.0.0/tcp/4001"

static const char *const levels[] = { "error", "warn", "info", "debug" };

struct adit_settings {
    struct adit_own own;
    adit_config *config;
    /* Every option's name, of both; `names.rows` is `rows`. */
    struct adit_opt_table names;
    struct adit_opt_row *rows;
    char **from; /* by row */
};

static bool
has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static const char *
our_default(const char *name)
{
    for (size_t i = 0; i < ADIT_NITEMS(ours); i++)
        if (strcmp(ours[i].name, name) == 0)
            return ours[i].def;
    return NULL;
}

adit_err
adit_settings_at(const struct adit_settings *s, size_t i,
                 struct adit_option *out)
{
    const char *def;
    adit_err e;

    (void)s;
    if (i < own_table.n) {
        const struct adit_opt_row *r = &own_rows[i];

        *out = (struct adit_option){
            sizeof(*out), r->name, adit_opt_type_name(r->type),
            r->min,       r->max,  r->def,
            "",           r->when, r->help,
        };
        return ADIT_OK;
    }
    e = adit_option_at(i - own_table.n, out);
    if (e != ADIT_OK)
        return e;
    def = our_default(out->name);
    if (def != NULL)
        out->def = def;
    return ADIT_OK;
}

static adit_err
name_rows(struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    size_t n = 0;

    while (adit_settings_at(s, n, &o) == ADIT_OK)
        n++;
    s->rows = calloc(n, sizeof(*s->rows));
    s->from = calloc(n, sizeof(*s->from));
    if (s->rows == NULL || s->from == NULL)
        return ADIT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        adit_err e = adit_settings_at(s, i, &o);

        if (e != ADIT_OK)
            return e;
        s->rows[i].name = o.name;
    }
    s->names = (struct adit_opt_table){ s->rows, n };
    return ADIT_OK;
}

struct adit_settings *
adit_settings_new(void)
{
    struct adit_settings *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    adit_opt_defaults(&own_table, &s->own);
    s->config = adit_config_new();
    if (s->config == NULL || name_rows(s) != ADIT_OK)
        goto fail;
    for (size_t i = 0; i < ADIT_NITEMS(ours); i++) {
        const char *def = ours[i].def;

        if (strcmp(ours[i].name, "listen.tcp") == 0 && !has_ipv6())
            def = LISTEN_V4_ONLY;
        if (adit_config_set(s->config, ours[i].name, def) != ADIT_OK)
            goto fail;
    }
    return s;
fail:
    adit_settings_free(s);
    return NULL;
}

void
adit_settings_free(struct adit_settings *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->names.n; i++)
        free(s->from[i]);
    free(s->from);
    free(s->rows);
    adit_config_free(s->config);
    free(s);
}

bool
adit_settings_has(const struct adit_settings *s, const char *name)
{
    return adit_opt_find(&s->names, name) != NULL;
}

bool
adit_settings_has_section(const struct adit_settings *s, const char *section,
                          size_t n)
{
    for (size_t i = 0; i < s->names.n; i++)
        if (strncmp(s->rows[i].name, section, n) == 0 &&
            s->rows[i].name[n] == '.')
            return true;
    return false;
}

static bool
is_level(const char *text)
{
    for (size_t i = 0; i < ADIT_NITEMS(levels); i++)
        if (strcmp(levels[i], text) == 0)
            return true;
    return false;
}

adit_err
adit_settings_set(struct adit_settings *s, const char *name, const char *value,
                  const char *from, char why[ADIT_SETTINGS_WHY_BYTES])
{
    const struct adit_opt_row *row = adit_opt_find(&s->names, name);
    char own_why[ADIT_OPT_WHY_BYTES];
    char *copy;
    adit_err e;

    if (row == NULL) {
        const char *near = adit_opt_nearest(&s->names, name);

        snprintf(why, ADIT_SETTINGS_WHY_BYTES,
                 near != NULL ? "unknown option '%.60s': did you mean %s?"
                              : "unknown option '%.60s'",
                 name, near);
        return ADIT_EINVAL;
    }
    copy = strdup(from);
    if (copy == NULL) {
        snprintf(why, ADIT_SETTINGS_WHY_BYTES, "out of memory");
        return ADIT_ENOMEM;
    }
    if (adit_opt_find(&own_table, name) == NULL) {
        e = adit_config_set(s->config, name, value);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "%s",
                     adit_config_why(s->config));
    } else if (strcmp(name, "log.level") == 0 && !is_level(value)) {
        e = ADIT_EINVAL;
        snprintf(why, ADIT_SETTINGS_WHY_BYTES,
                 "log.level = '%.60s': error, warn, info or debug was "
                 "expected",
                 value);
    } else {
        e = adit_opt_set(&own_table, &s->own, name, value, own_why);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "%s", own_why);
    }
    if (e != ADIT_OK) {
        free(copy);
        return e;
    }
    free(s->from[row - s->rows]);
    s->from[row - s->rows] = copy;
    return ADIT_OK;
}

size_t
adit_settings_get(const struct adit_settings *s, const char *name, char *out,
                  size_t cap)
{
    const struct adit_opt_row *row = adit_opt_find(&own_table, name);

    if (row != NULL)
        return adit_opt_get(row, &s->own, out, cap);
    return adit_config_get(s->config, name, out, cap);
}

const char *
adit_settings_from(const struct adit_settings *s, const char *name)
{
    const struct adit_opt_row *row = adit_opt_find(&s->names, name);

    return row == NULL ? NULL : s->from[row - s->rows];
}

adit_config *
adit_settings_config(struct adit_settings *s)
{
    return s->config;
}

const struct adit_own *
adit_settings_own(const struct adit_settings *s)
{
    return &s->own;
}

enum adit_level
adit_settings_level(const struct adit_settings *s)
{
    for (size_t i = 0; i < ADIT_NITEMS(levels); i++)
        if (strcmp(levels[i], s->own.log_level) == 0)
            return (enum adit_level)i;
    return ADIT_LEVEL_INFO;
}
