/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Called from the node's thread. */
static void
log_line(void *ctx, enum adit_level level, const char *line)
{
    char buf[1100];
    int n = snprintf(buf, sizeof(buf), "adit: %s\n", line);

    (void)ctx;
    (void)level;
    if (n >= (int)sizeof(buf))
        n = (int)sizeof(buf) - 1;
    if (write(STDERR_FILENO, buf, (size_t)n) < 0)
        return; /* nobody could be told */
}

static bool
set(struct adit_cli *c, adit_config *cfg, const char *name, const char *value)
{
    adit_err e = adit_config_set(cfg, name, value);

    if (e == ADIT_EINVAL)
        adit_cli_error(c, "%s", adit_config_why(cfg));
    else if (e != ADIT_OK)
        adit_cli_fail(c, name, e, NULL);
    return e == ADIT_OK;
}

static int
configure(struct adit_cli *c, adit_config *cfg,
          const struct adit_cli_list *listens)
{
    char list[1024] = "";
    size_t n = 0;

    if (c->verbose >= 2)
        adit_config_set_log(
            cfg, c->verbose > 2 ? ADIT_LEVEL_DEBUG : ADIT_LEVEL_INFO, log_line,
            NULL);
    for (size_t i = 0; listens != NULL && i < listens->n; i++) {
        if (!adit_cli_check_addr(c, listens->v[i]))
            return ADIT_CLI_USAGE;
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
                              i > 0 ? "," : "", listens->v[i]);
        if (n >= sizeof(list)) {
            adit_cli_error(c, "--listen: too many");
            return ADIT_CLI_USAGE;
        }
    }
    if (n > 0 && !set(c, cfg, "listen.tcp", list))
        return ADIT_CLI_USAGE;
    for (size_t i = 0; i < c->options.n; i++) {
        const char *eq = strchr(c->options.v[i], '=');
        char name[64];

        if (eq == NULL) {
            adit_cli_error(c, "--option %s: NAME=VALUE was expected",
                           c->options.v[i]);
            return ADIT_CLI_USAGE;
        }
        snprintf(name, sizeof(name), "%.*s", (int)(eq - c->options.v[i]),
                 c->options.v[i]);
        if (!set(c, cfg, name, eq + 1))
            return ADIT_CLI_USAGE;
    }
    return ADIT_CLI_OK;
}

static int
get_key(struct adit_cli *c, const char *file, adit_key **key)
{
    adit_err e;

    if (file == NULL)
        e = adit_key_new(key);
    else
        e = adit_key_load(file, key);
    if (e == ADIT_EIO)
        adit_cli_error(c, "%s: %s%s", file, strerror(errno),
                       errno == ENOENT ? "; 'adit id FILE' makes one" : "");
    else if (e == ADIT_EINVAL)
        adit_cli_error(c,
                       "%s is not a private key as libp2p keeps them "
                       "(Ed25519)",
                       file);
    else if (e != ADIT_OK)
        adit_cli_fail(c, "identity", e, NULL);
    return e == ADIT_OK ? ADIT_CLI_OK : ADIT_CLI_LOCAL;
}

static void
on_node(void *ctx, short revents)
{
    (void)revents;
    adit_node_dispatch(ctx);
}

static int
start(struct adit_cli *c, adit_config *cfg, const adit_key *key,
      const struct adit_events *ev, adit_node **out)
{
    adit_node *n;
    adit_err e = adit_node_new(cfg, key, ev, &n);

    if (e == ADIT_EINVAL) {
        adit_cli_error(c, "%s", adit_config_why(cfg));
        return ADIT_CLI_USAGE;
    }
    if (e == ADIT_OK) {
        e = adit_node_start(n);
        if (e != ADIT_OK) {
            adit_cli_error(c, "%s", adit_node_why(n));
            adit_node_free(n);
            return ADIT_CLI_LOCAL;
        }
        if (adit_cli_watch(&c->loop, adit_node_fd(n), POLLIN, on_node, n) !=
            NULL) {
            *out = n;
            return ADIT_CLI_OK;
        }
        adit_node_free(n);
        e = ADIT_ENOMEM;
    }
    adit_cli_fail(c, "node", e, NULL);
    return ADIT_CLI_LOCAL;
}

int
adit_cli_node(struct adit_cli *c, const char *key_file,
              const struct adit_cli_list *listens,
              const struct adit_events *ev, adit_node **out)
{
    adit_config *cfg = adit_config_new();
    adit_key *key = NULL;
    int code = ADIT_CLI_LOCAL;

    if (cfg == NULL)
        adit_cli_fail(c, "node", ADIT_ENOMEM, NULL);
    else
        code = configure(c, cfg, listens);
    if (code == ADIT_CLI_OK)
        code = get_key(c, key_file, &key);
    if (code == ADIT_CLI_OK)
        code = start(c, cfg, key, ev, out);
    adit_key_free(key);
    adit_config_free(cfg);
    return code;
}

void
adit_cli_node_free(struct adit_cli *c, adit_node *n)
{
    if (n == NULL)
        return;
    for (struct adit_cli_watch *w = c->loop.watches; w != NULL; w = w->next)
        if (w->fn == on_node && w->ctx == n)
            adit_cli_unwatch(w);
    adit_node_free(n);
}
