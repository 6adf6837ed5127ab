/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/handle.h"

#include "embed/cross.h"

#include "config.h"

const char *
adit_version(void)
{
    return PACKAGE_VERSION;
}

void
adit_copy_sized(void *to, size_t theirs, const void *from, size_t n)
{
    size_t size = ADIT_MIN(theirs, n);

    if (size > sizeof(size_t))
        memcpy((char *)to + sizeof(size_t),
               (const char *)from + sizeof(size_t), size - sizeof(size_t));
}

adit_config *
adit_config_new(void)
{
    adit_config *c = ADIT_CROSS_NEW(struct adit_config_handle);

    if (c != NULL)
        adit_node_config_init(&c->cfg);
    return c;
}

void
adit_config_free(adit_config *cfg)
{
    ADIT_CROSS_FREE(cfg);
}

adit_err
adit_config_set(adit_config *cfg, const char *name, const char *value)
{
    cfg->why[0] = '\0';
    return adit_node_config_set(&cfg->cfg, name, value, cfg->why);
}

size_t
adit_config_get(const adit_config *cfg, const char *name, char *out,
                size_t cap)
{
    return adit_node_config_get(&cfg->cfg, name, false, out, cap);
}

const char *
adit_config_why(const adit_config *cfg)
{
    return cfg->why;
}

static void
describe(const struct adit_opt_row *row, const char *name,
         struct adit_option *out)
{
    struct adit_option o = {
        .name = name,
        .type = adit_opt_type_name(row->type),
        .min = row->type == ADIT_OPT_CHOICE ? NULL : row->min,
        .max = row->max,
        .def = row->def,
        .unit = row->type == ADIT_OPT_CHOICE ? row->min : "",
        .when = row->when,
        .help = row->help,
    };

    adit_copy_sized(out, out->size, &o, sizeof(o));
}

adit_err
adit_option_at(size_t i, struct adit_option *out)
{
    if (i >= adit_node_options.n)
        return ADIT_DONE;
    describe(&adit_node_options.rows[i], adit_node_options.rows[i].name, out);
    return ADIT_OK;
}

adit_err
adit_config_at(const adit_config *cfg, size_t i,
               char name[ADIT_OPTION_NAME_BYTES], struct adit_option *out)
{
    const struct adit_opt_row *row = adit_node_config_at(&cfg->cfg, i, name);

    if (row == NULL)
        return ADIT_DONE;
    describe(row, name, out);
    return ADIT_OK;
}

size_t
adit_config_resolve(const adit_config *cfg, const char *name, char *out,
                    size_t cap)
{
    return adit_node_config_get(&cfg->cfg, name, true, out, cap);
}

adit_err
adit_config_set_sockets(adit_config *cfg, const int *fds, size_t n)
{
    if (n > ADIT_BOUND_MAX)
        return ADIT_EFULL;
    for (size_t i = 0; i < n; i++)
        cfg->cfg.sockets[i] = fds[i];
    cfg->cfg.n_sockets = n;
    return ADIT_OK;
}

_Static_assert((int)ADIT_LEVEL_ERROR == (int)ADIT_LOG_ERROR &&
                   (int)ADIT_LEVEL_WARN == (int)ADIT_LOG_WARN &&
                   (int)ADIT_LEVEL_INFO == (int)ADIT_LOG_INFO &&
                   (int)ADIT_LEVEL_DEBUG == (int)ADIT_LOG_DEBUG,
               "the levels outside are those inside");

void
adit_config_set_log(adit_config *cfg, enum adit_level level,
                    void (*sink)(void *ctx, enum adit_level level,
                                 const char *line),
                    void *ctx)
{
    cfg->level = level;
    cfg->sink = sink;
    cfg->sink_ctx = ctx;
}

adit_err
adit_addr_check(const char *text, struct adit_addr_why *why)
{
    struct adit_maddr_why w = { 0 };
    struct adit_addr_why out = { 0 };
    struct adit_maddr a;
    adit_err e = adit_maddr_parse(adit_slice_str(text), &a, &w);

    if (e != ADIT_OK && why != NULL) {
        out.at = w.at;
        out.what = w.what;
        adit_copy_sized(why, why->size, &out, sizeof(out));
    }
    return e;
}
