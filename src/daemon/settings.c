/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "config.h"

#include "daemon/settings.h"

#include <sys/socket.h>
#include <unistd.h>

#define AT(field) offsetof(struct adit_own, field)

static const struct adit_opt_row own_rows[] = {
    { "identity.file", ADIT_OPT_TEXT, AT(identity_file),
      "/var/lib/adit/aditd.key", NULL, NULL, "start",
      "The private key that makes the peer id, as libp2p keeps it; made on "
      "the first start, with mode 0600. Whoever has it is this relay." },
    { "log.level", ADIT_OPT_CHOICE, AT(log_level), "info",
      "error|warn|info|debug", NULL, "reload",
      "Each with those before it. What a stranger can cause is at debug." },
    { "log.format", ADIT_OPT_CHOICE, AT(log_format), "text", "text|json", NULL,
      "reload", "Lines of key=value, or of one JSON object each." },
    { "http.listen", ADIT_OPT_TEXT, AT(http_listen), "", NULL, NULL, "start",
      "ADDRESS:PORT (127.0.0.1:9477) of metrics and health over HTTP, without "
      "a password; empty: none." },
    { "admin.socket", ADIT_OPT_TEXT, AT(admin_socket), "/run/adit/aditd.sock",
      NULL, NULL, "start",
      "The Unix socket of `adit relay`; empty: none. Root, and the user that "
      "aditd runs as, may use it." },
    { "admin.group", ADIT_OPT_TEXT, AT(admin_group), "", NULL, NULL, "start",
      "A group whose members may use it too." },
    { "run.user", ADIT_OPT_TEXT, AT(run_user), "", NULL, NULL, "start",
      "Started as root, become this user once ports below 1024 are bound and "
      "the identity is read." },
    { "run.group", ADIT_OPT_TEXT, AT(run_group), "", NULL, NULL, "start",
      "And this group; empty: the user's own." },
    { "run.confine", ADIT_OPT_BOOL, AT(run_confine), "yes", NULL, NULL,
      "start",
      "Give up all system calls but those a relay needs, and all files but "
      "those that options name; as far as the kernel can." },
};

static const struct adit_opt_table own_table = { own_rows,
                                                 ADIT_NITEMS(own_rows) };

/* What aditd sets otherwise than the library.  A relay is what it is for. */
static const struct {
    const char *name, *def;
} ours[] = {
    { "listen.tcp", "/ip4/0.0.0.0/tcp/4001, /ip6/::/tcp/4001" },
    { "relay.enabled", "yes" },
#ifdef ADIT_WITH_RELAY
    { "ledger.backend", "sqlite" },
#endif
};

/* A machine without IPv6 is no reason not to start. */
#define LISTEN_V4_ONLY "/ip4/0.0.0.0/tcp/4001"

/* Where the value of an option came from. */
struct origin {
    char name[ADIT_OPTION_NAME_BYTES];
    char *from;
};

struct adit_settings {
    struct adit_own own;
    adit_config *config;
    struct origin *origins;
    size_t n_origins, cap_origins;
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
                 char name[ADIT_OPTION_NAME_BYTES], struct adit_option *out)
{
    const char *def;
    adit_err e;

    if (i < own_table.n) {
        const struct adit_opt_row *r = &own_rows[i];
        bool is_choice = r->type == ADIT_OPT_CHOICE;

        snprintf(name, ADIT_OPTION_NAME_BYTES, "%s", r->name);
        *out = (struct adit_option){
            .size = sizeof(*out),
            .name = name,
            .type = adit_opt_type_name(r->type),
            .min = is_choice ? NULL : r->min,
            .max = r->max,
            .def = r->def,
            .unit = is_choice ? r->min : "",
            .when = r->when,
            .help = r->help,
        };
        return ADIT_OK;
    }
    e = adit_config_at(s->config, i - own_table.n, name, out);
    if (e != ADIT_OK)
        return e;
    def = our_default(name);
    if (def != NULL)
        out->def = def;
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
    if (s->config == NULL)
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
    for (size_t i = 0; i < s->n_origins; i++)
        free(s->origins[i].from);
    free(s->origins);
    adit_config_free(s->config);
    free(s);
}

bool
adit_settings_has(const struct adit_settings *s, const char *name)
{
    struct adit_option o = { .size = sizeof(o) };
    char have[ADIT_OPTION_NAME_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, have, &o) == ADIT_OK; i++)
        if (strcmp(have, name) == 0)
            return true;
    return false;
}

bool
adit_settings_has_section(const struct adit_settings *s, const char *section,
                          size_t n)
{
    struct adit_option o = { .size = sizeof(o) };
    char have[ADIT_OPTION_NAME_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, have, &o) == ADIT_OK; i++)
        if (strncmp(have, section, n) == 0 && have[n] == '.')
            return true;
    return false;
}

/* ---- setting ----------------------------------------------------------------- */

/* The name that was perhaps meant, of both tables; false: none is near. */
static bool
nearest(const struct adit_settings *s, const char *name,
        char out[ADIT_OPTION_NAME_BYTES])
{
    /* Rows of names only; the most that a configuration has. */
    struct adit_option o = { .size = sizeof(o) };
    char have[ADIT_OPTION_NAME_BYTES];
    struct adit_opt_table t;
    struct adit_opt_row *rows;
    const char *near = NULL;
    size_t n = 0;

    while (adit_settings_at(s, n, have, &o) == ADIT_OK &&
           strncmp(have, "class.", 6) != 0)
        n++;
    rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i < own_table.n)
            rows[i].name = own_rows[i].name;
        else if (adit_option_at(i - own_table.n, &o) == ADIT_OK)
            rows[i].name = o.name;
        else
            break;
    }
    t = (struct adit_opt_table){ rows, n };
    near = adit_opt_nearest(&t, name);
    if (near != NULL)
        snprintf(out, ADIT_OPTION_NAME_BYTES, "%s", near);
    free(rows);
    return near != NULL;
}

static struct origin *
find_origin(const struct adit_settings *s, const char *name)
{
    for (size_t i = 0; i < s->n_origins; i++)
        if (strcmp(s->origins[i].name, name) == 0)
            return &s->origins[i];
    return NULL;
}

static adit_err
set_origin(struct adit_settings *s, const char *name, const char *from)
{
    struct origin *o = find_origin(s, name);
    char *copy;

    if (o == NULL && s->n_origins == s->cap_origins) {
        size_t cap = 2 * s->cap_origins + 32;
        struct origin *more = calloc(cap, sizeof(*more));

        if (more == NULL)
            return ADIT_ENOMEM;
        if (s->n_origins > 0)
            memcpy(more, s->origins, s->n_origins * sizeof(*more));
        free(s->origins);
        s->origins = more;
        s->cap_origins = cap;
    }
    copy = strdup(from);
    if (copy == NULL)
        return ADIT_ENOMEM;
    if (o == NULL) {
        o = &s->origins[s->n_origins++];
        snprintf(o->name, sizeof(o->name), "%s", name);
    }
    free(o->from);
    o->from = copy;
    return ADIT_OK;
}

/* A word in a class's place: [class], not [class.NAME]. */
static bool
lacks_name(const char *name)
{
    return strncmp(name, "class.", 6) == 0 && strchr(name + 6, '.') == NULL;
}

adit_err
adit_settings_set(struct adit_settings *s, const char *name, const char *value,
                  const char *from, char why[ADIT_SETTINGS_WHY_BYTES])
{
    char near[ADIT_OPTION_NAME_BYTES], own_why[ADIT_OPT_WHY_BYTES];
    struct adit_option o = { .size = sizeof(o) };
    bool is_class = strncmp(name, "class.", 6) == 0;
    adit_err e;

    if (lacks_name(name)) {
        snprintf(why, ADIT_SETTINGS_WHY_BYTES,
                 "unknown option '%.60s': a class has a name, "
                 "[class.NAME]",
                 name);
        return ADIT_EINVAL;
    }
    if (!is_class && !adit_settings_has(s, name)) {
        if (nearest(s, name, near))
            snprintf(why, ADIT_SETTINGS_WHY_BYTES,
                     "unknown option '%.60s': did you mean %s?", name, near);
        else
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "unknown option '%.60s'",
                     name);
        return ADIT_EINVAL;
    }
    if (adit_opt_find(&own_table, name) != NULL) {
        e = adit_opt_set(&own_table, &s->own, name, value, own_why);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "%s", own_why);
    } else {
        e = adit_config_set(s->config, name, value);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "%s",
                     adit_config_why(s->config));
    }
    if (e == ADIT_OK) {
        e = set_origin(s, name, from);
        if (e != ADIT_OK)
            snprintf(why, ADIT_SETTINGS_WHY_BYTES, "out of memory");
    }
    return e;
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

size_t
adit_settings_resolve(const struct adit_settings *s, const char *name,
                      char *out, size_t cap)
{
    if (adit_opt_find(&own_table, name) != NULL)
        return adit_settings_get(s, name, out, cap);
    return adit_config_resolve(s->config, name, out, cap);
}

const char *
adit_settings_from(const struct adit_settings *s, const char *name)
{
    const struct origin *o = find_origin(s, name);

    return o != NULL ? o->from : NULL;
}

/* ---- secrets ----------------------------------------------------------------- */

static bool
may_be_secret(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, "identity.file") == 0 ||
           (n > 5 && strcmp(name + n - 5, "_file") == 0);
}

static adit_err
find_secret(struct adit_settings *s, const char *name, const char *const *dirs)
{
    char value[ADIT_OPT_TEXT_BYTES], path[ADIT_OPT_TEXT_BYTES];
    char from[ADIT_OPT_TEXT_BYTES], why[ADIT_SETTINGS_WHY_BYTES];
    const char *before = adit_settings_from(s, name);
    size_t n = adit_settings_get(s, name, value, sizeof(value));

    if (n == 0 || strchr(value, '/') != NULL || strcmp(value, "..") == 0)
        return ADIT_OK;
    for (; *dirs != NULL; dirs++) {
        if (snprintf(path, sizeof(path), "%s/%s", *dirs, value) >=
                (int)sizeof(path) ||
            access(path, F_OK) != 0)
            continue;
        snprintf(from, sizeof(from), "%s", before != NULL ? before : "");
        return adit_settings_set(s, name, path, from, why);
    }
    return ADIT_OK;
}

adit_err
adit_settings_find_secrets(struct adit_settings *s, const char *const *dirs)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        adit_err e =
            may_be_secret(name) ? find_secret(s, name, dirs) : ADIT_OK;

        if (e != ADIT_OK)
            return e;
    }
    return ADIT_OK;
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
