/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/daemon.h"

#include "daemon/json.h"

extern char **environ;

/* Lists of peers are long; a line of the log is not. */
#define SHOWN_BYTES 240

const char *
adit_reload_source(const struct adit_settings *s, const char *why)
{
    char name[ADIT_OPTION_NAME_BYTES];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(why, ": "), why);
    return adit_settings_from(s, name);
}

/* ---- what changed -------------------------------------------------------------- */

struct change {
    char option[ADIT_OPTION_NAME_BYTES];
    char from[ADIT_OPT_TEXT_BYTES], to[ADIT_OPT_TEXT_BYTES];
    const char *when;
};

struct differ {
    struct adit_daemon *d;
    FILE *json;
    unsigned n;
};

static void
put_json(FILE *out, const char *key, const char *value, const char *end)
{
    char quoted[ADIT_JSON_QUOTED_BYTES(ADIT_OPT_TEXT_BYTES)];

    adit_json_quote(adit_slice_str(value), quoted, sizeof(quoted));
    fprintf(out, "\"%s\":%s%s", key, quoted, end);
}

static void
shorten(char *text)
{
    if (strlen(text) > SHOWN_BYTES)
        memcpy(text + SHOWN_BYTES, "...", 4);
}

static void
tell_change(struct differ *v, struct change *c)
{
    struct adit_log_line l;

    fprintf(v->json, "%s{", v->n++ > 0 ? "," : "");
    put_json(v->json, "option", c->option, ",");
    put_json(v->json, "from", c->from, ",");
    put_json(v->json, "to", c->to, ",");
    put_json(v->json, "when", c->when, "}");
    shorten(c->from);
    shorten(c->to);
    if (!adit_log_open(&l, &v->d->logger.log, ADIT_LOG_INFO, "config.changed"))
        return;
    adit_log_str(&l, "option", c->option);
    adit_log_str(&l, "from", c->from);
    adit_log_str(&l, "to", c->to);
    adit_log_str(&l, "when", c->when);
    if (strcmp(c->when, "start") == 0)
        adit_log_str(&l, "text", "takes effect with a restart");
    adit_log_close(&l);
}

/* The options of `s`, against those of `other`: what differs, or with `gone`
 * only what `other` does not have at all. */
static void
compare(struct differ *v, const struct adit_settings *s,
        const struct adit_settings *other, bool gone)
{
    struct adit_option o = { .size = sizeof(o) };
    struct change c;

    for (size_t i = 0; adit_settings_at(s, i, c.option, &o) == ADIT_OK; i++) {
        if (gone && adit_settings_has(other, c.option))
            continue;
        adit_settings_get(s, c.option, c.to, sizeof(c.to));
        adit_settings_get(other, c.option, c.from, sizeof(c.from));
        if (strcmp(c.from, c.to) == 0)
            continue;
        if (gone) {
            memcpy(c.from, c.to, sizeof(c.from));
            c.to[0] = '\0';
        }
        c.when = o.when;
        tell_change(v, &c);
    }
}

/* ---- reading it again ---------------------------------------------------------- */

struct listener {
    struct adit_daemon *d;
    char *why; /* the first, and how many more there are */
    unsigned n;
};

static void
refuse(struct adit_daemon *d, const char *text)
{
    struct adit_log_line l;

    if (!adit_log_open(&l, &d->logger.log, ADIT_LOG_WARN, "config.refused"))
        return;
    adit_log_str(&l, "text", text);
    adit_log_close(&l);
}

static void
on_complaint(void *ctx, const char *text)
{
    struct listener *v = ctx;

    if (v->n++ == 0)
        snprintf(v->why, ADIT_RELOAD_WHY_BYTES, "%s", text);
    refuse(v->d, text);
}

static adit_err
read_again(struct adit_daemon *d, struct adit_settings **out,
           char why[ADIT_RELOAD_WHY_BYTES])
{
    struct listener v = { d, why, 0 };
    struct adit_complaints c = { .line = on_complaint, .ctx = &v };
    struct adit_settings *s = adit_settings_new();

    if (s == NULL) {
        on_complaint(&v, "out of memory");
        return ADIT_ENOMEM;
    }
    adit_conf_load(s, d->file, environ, d->argv, &c);
    if (c.n > 0) {
        adit_settings_free(s);
        return ADIT_EINVAL;
    }
    *out = s;
    return ADIT_OK;
}

static adit_err
take(struct adit_daemon *d, struct adit_settings *s,
     char why[ADIT_RELOAD_WHY_BYTES])
{
    adit_config *cfg = adit_settings_config(s);
    const char *from;
    adit_err e;

    adit_config_set_log(cfg, (enum adit_level)adit_settings_own(s)->log_level,
                        adit_logger_sink, &d->logger);
    e = adit_node_reconfigure(d->node, cfg);
    if (e == ADIT_OK)
        return ADIT_OK;
    if (e == ADIT_EINVAL) {
        from = adit_reload_source(s, adit_config_why(cfg));
        snprintf(why, ADIT_RELOAD_WHY_BYTES, "%s%s%s",
                 from != NULL ? from : "", from != NULL ? ": " : "",
                 adit_config_why(cfg));
    } else {
        snprintf(why, ADIT_RELOAD_WHY_BYTES, "%s", adit_err_text(e));
    }
    refuse(d, why);
    return e;
}

static void
log_reloaded(struct adit_daemon *d, unsigned n_changed)
{
    struct adit_log_line l;

    if (!adit_log_open(&l, &d->logger.log, ADIT_LOG_INFO, "config.reloaded"))
        return;
    adit_log_u64(&l, "changed", n_changed);
    adit_log_close(&l);
}

void
adit_reload_mark(struct adit_daemon *d)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    d->generation++;
    if (d->admin != NULL)
        adit_admin_set_generation(d->admin, d->generation, t.tv_sec);
}

adit_err
adit_reload(struct adit_daemon *d, char **json,
            char why[ADIT_RELOAD_WHY_BYTES])
{
    struct differ v = { .d = d };
    struct adit_settings *s, *old = d->settings;
    const struct adit_own *own;
    size_t n;
    adit_err e;

    *json = NULL;
    v.json = open_memstream(json, &n);
    if (v.json == NULL) {
        snprintf(why, ADIT_RELOAD_WHY_BYTES, "out of memory");
        return ADIT_ENOMEM;
    }
    e = read_again(d, &s, why);
    if (e == ADIT_OK) {
        e = take(d, s, why);
        if (e != ADIT_OK)
            adit_settings_free(s);
    }
    if (e == ADIT_OK) {
        own = adit_settings_own(s);
        adit_logger_set(&d->logger, (enum adit_level)own->log_level,
                        own->log_format == ADIT_LOG_JSON);
        fputs("{\"changed\":[", v.json);
        compare(&v, s, old, false);
        compare(&v, old, s, true);
        fputs("]}", v.json);
        log_reloaded(d, v.n);
        if (old != d->started)
            adit_settings_free(old);
        d->settings = s;
        adit_reload_mark(d);
    }
    fclose(v.json);
    if (e != ADIT_OK) {
        free(*json);
        *json = NULL;
    }
    return e;
}

/* ---- what is in force ------------------------------------------------------------ */

char *
adit_reload_show(const struct adit_daemon *d)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES];
    char value[ADIT_OPT_TEXT_BYTES], later[ADIT_OPT_TEXT_BYTES];
    char *json = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&json, &n);

    if (out == NULL)
        return NULL;
    fputs("[", out);
    for (size_t i = 0; adit_settings_at(d->settings, i, name, &o) == ADIT_OK;
         i++) {
        bool is_fixed = strcmp(o.when, "start") == 0;
        const struct adit_settings *s = is_fixed ? d->started : d->settings;
        const char *from = adit_settings_from(s, name);

        adit_settings_resolve(s, name, value, sizeof(value));
        adit_settings_resolve(d->settings, name, later, sizeof(later));
        fputs(i > 0 ? ",{" : "{", out);
        put_json(out, "option", name, ",");
        put_json(out, "value", value, ",");
        if (strcmp(value, later) != 0)
            put_json(out, "after_restart", later, ",");
        if (from != NULL)
            put_json(out, "from", from, ",");
        put_json(out, "when", o.when, "}");
    }
    fputs("]", out);
    if (fclose(out) != 0) {
        free(json);
        return NULL;
    }
    return json;
}
