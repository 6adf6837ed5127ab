/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/node.h"

#include "base/secret.h"
#include "host/admission.h"
#include "host/observed.h"
#include "host/proxies.h"
#include "host/rules.h"
#include "host/svc_identify.h"
#include "host/svc_ping.h"
#include "host/svc_stop.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Listeners of one node; more is a mistake in the configuration. */
#define MAX_LISTENERS ADIT_BOUND_MAX

struct adit_node {
    struct adit_worker *w;
    struct adit_node_config cfg;
    struct adit_host *host;
    struct adit_relay *relay;
    struct adit_resolver *resolver;
    struct adit_dialer dialer; /* the built-in one */
    struct adit_listener *listeners[MAX_LISTENERS];
    size_t n_listeners;
    struct adit_acl *proxies; /* NULL: no balancers */
    struct adit_maddr listens[ADIT_HOST_MAX_ADDRS];
    size_t n_listens;
    struct adit_maddr circuits[ADIT_HOST_MAX_ADDRS];
    size_t n_circuits;
    struct adit_service id, push, ping, stop;
    struct adit_host_watch watch;
    struct adit_observed observed;
    bool is_closed;
};

/* ---- the built-in dialer -------------------------------------------------- */

static adit_err
dialer_start(void *ctx, const struct adit_dial_config *cfg, adit_dial_fn *fn,
             void *fn_ctx, void **op)
{
    struct adit_node *n = ctx;
    struct adit_dial_config c = *cfg;
    struct adit_dial *d;
    adit_err e;

    /* The resolver is made when a name is first wanted: most relays never
     * look one up.  Without one names fail, addresses do not. */
    if (n->resolver == NULL &&
        adit_resolver_new(n->w, &(struct adit_resolver_config){ NULL },
                          &n->resolver) != ADIT_OK)
        n->resolver = NULL;
    c.resolver = n->resolver;
    e = adit_dial_start(n->w, &c, fn, fn_ctx, &d);
    if (e == ADIT_OK)
        *op = d;
    return e;
}

static void
dialer_cancel(void *ctx, void *op)
{
    (void)ctx;
    adit_dial_cancel(op);
}

/* ---- addresses ------------------------------------------------------------ */

static adit_err
parse_list(const char *option, const char *list, struct adit_maddr *out,
           size_t max, size_t *n, char why[ADIT_NODE_WHY_BYTES])
{
    const char *item;
    size_t at = 0, len;

    *n = 0;
    while ((len = adit_opt_item(list, &at, &item)) > 0) {
        struct adit_maddr_why w = { 0 };

        if (*n == max) {
            snprintf(why, ADIT_NODE_WHY_BYTES, "%s: more than %zu addresses",
                     option, max);
            return ADIT_EINVAL;
        }
        if (adit_maddr_parse(adit_slice(item, len), &out[*n], &w) != ADIT_OK) {
            snprintf(why, ADIT_NODE_WHY_BYTES,
                     "%s: '%.*s' is wrong at character %zu: %s", option,
                     (int)ADIT_MIN(len, (size_t)80), item, w.at + 1, w.what);
            return ADIT_EINVAL;
        }
        ++*n;
    }
    return ADIT_OK;
}

static adit_err
parse_listen(const struct adit_node_config *cfg, struct adit_endpoint *out,
             size_t *n, char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_maddr v[MAX_LISTENERS];
    adit_err e =
        parse_list("listen.tcp", cfg->listen_tcp, v, MAX_LISTENERS, n, why);

    for (size_t i = 0; e == ADIT_OK && i < *n; i++) {
        struct adit_slice rest;

        if (adit_endpoint_of_maddr(&v[i], &out[i], &rest) == ADIT_OK &&
            rest.n == 0)
            continue;
        char text[ADIT_MADDR_TEXT_BYTES];

        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "listen.tcp: %.120s is not /ip4 or /ip6 and /tcp, nothing "
                 "behind",
                 adit_maddr_format(&v[i], text));
        e = ADIT_EINVAL;
    }
    return e;
}

static adit_err
check_proxies(const struct adit_node_config *cfg,
              char why[ADIT_NODE_WHY_BYTES])
{
    const struct adit_rng rng = adit_rng_system();
    struct adit_acl *a = NULL;
    struct adit_mem mem;
    adit_err e;

    adit_mem_init(&mem, NULL, SIZE_MAX);
    e = adit_proxies_new(&mem, &rng, cfg->proxy_from, &a, why);
    adit_acl_free(a);
    return e;
}

adit_err
adit_node_check(const struct adit_node_config *cfg,
                char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_endpoint at[MAX_LISTENERS];
    struct adit_maddr v[ADIT_HOST_MAX_ADDRS];
    size_t n;
    struct adit_rules *rules;
    adit_err e = parse_listen(cfg, at, &n, why);

    if (e == ADIT_OK)
        e = parse_list("announce.addresses", cfg->announce_addresses, v,
                       ADIT_HOST_MAX_ADDRS, &n, why);
    if (e == ADIT_OK)
        e = check_proxies(cfg, why);
    if (e == ADIT_OK && cfg->admission_url[0] != '\0') {
        char what[ADIT_ADMISSION_WHY_BYTES];

        e = adit_admission_check(cfg->admission_url, what);
        if (e != ADIT_OK)
            snprintf(why, ADIT_NODE_WHY_BYTES, "admission.url: %s", what);
    }
    if (e == ADIT_OK && cfg->relay_enabled) {
        e = adit_rules_new(cfg, &rules, why);
        if (e == ADIT_OK)
            adit_rules_free(rules);
    }
    return e;
}

/* What we say of ourselves: as configured, or where we listen; and where
 * relays lend us an address. */
static void
announce(struct adit_node *n)
{
    struct adit_maddr v[ADIT_HOST_MAX_ADDRS];
    size_t count = 0;
    char why[ADIT_NODE_WHY_BYTES];

    if (parse_list("announce.addresses", n->cfg.announce_addresses, v,
                   ADIT_HOST_MAX_ADDRS, &count, why) != ADIT_OK)
        count = 0; /* was checked */
    if (count == 0) {
        const struct adit_endpoint *seen;

        for (size_t i = 0; (seen = adit_observed_at(&n->observed, i)) != NULL;
             i++)
            adit_endpoint_to_maddr(seen, &v[count++]);
        for (size_t i = 0; i < n->n_listens && count < ADIT_HOST_MAX_ADDRS;
             i++) {
            struct adit_endpoint e;

            if (!n->cfg.announce_private &&
                adit_endpoint_of_maddr(&n->listens[i], &e, NULL) == ADIT_OK &&
                adit_endpoint_is_loopback(&e))
                continue;
            v[count++] = n->listens[i];
        }
    }
    for (size_t i = 0; i < n->n_circuits && count < ADIT_HOST_MAX_ADDRS; i++)
        v[count++] = n->circuits[i];
    adit_host_set_addrs(n->host, v, count);
}

void
adit_node_set_circuit_addrs(struct adit_node *n, const struct adit_maddr *v,
                            size_t count)
{
    n->n_circuits = ADIT_MIN(count, (size_t)ADIT_HOST_MAX_ADDRS);
    for (size_t i = 0; i < n->n_circuits; i++)
        n->circuits[i] = v[i];
    announce(n);
}

/*
 * What those who dialled us say they dialled.  Only asked for where we were
 * not told our addresses and do not know them: behind a 1:1 NAT, in a
 * container.
 */
static void
on_identify(void *ctx, struct adit_hconn *hc,
            const struct adit_identify_result *r)
{
    struct adit_node *n = ctx;
    struct adit_maddr said;
    struct adit_endpoint at;
    struct adit_log_line l;
    char text[ADIT_MADDR_TEXT_BYTES];

    if (!hc->is_inbound || hc->circuit != NULL ||
        n->cfg.announce_addresses[0] != '\0' ||
        adit_maddr_dec(r->observed, &said) != ADIT_OK ||
        adit_endpoint_of_maddr(&said, &at, NULL) != ADIT_OK ||
        !adit_observed_add(&n->observed, &at, &hc->remote))
        return;
    if (adit_log_open(&l, n->host->log, ADIT_LOG_INFO, "address.observed")) {
        adit_log_str(&l, "addr", adit_maddr_format(&said, text));
        adit_log_close(&l);
    }
    announce(n);
}

static const struct adit_host_events watch_events = {
    .on_identify = on_identify,
};

/* A relay asks peers who they are only to learn where it is itself. */
static bool
knows_itself(const struct adit_node *n)
{
    struct adit_endpoint e;

    if (n->cfg.announce_addresses[0] != '\0' || n->cfg.announce_private)
        return true;
    for (size_t i = 0; i < n->n_listens; i++)
        if (adit_endpoint_of_maddr(&n->listens[i], &e, NULL) == ADIT_OK &&
            adit_endpoint_is_global(&e))
            return true;
    return false;
}

/* ---- making ---------------------------------------------------------------- */

static void
on_accept(void *ctx, struct adit_pipe *p)
{
    struct adit_node *n = ctx;

    adit_host_accept(n->host, p);
}

static bool
is_proxy(void *ctx, const struct adit_endpoint *remote)
{
    const struct adit_node *n = ctx;

    return adit_proxies_has(n->proxies, remote);
}

static adit_err
bind_all(struct adit_node *n, char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_endpoint at[MAX_LISTENERS];
    size_t n_at;
    struct adit_bound sockets = { 0 };
    adit_err e = parse_listen(&n->cfg, at, &n_at, why);

    if (e == ADIT_OK)
        e = adit_bound_init(&sockets, n->cfg.sockets, n->cfg.n_sockets, why);
    for (size_t i = 0; e == ADIT_OK && i < n_at; i++) {
        int fd = adit_bound_take(&sockets, &at[i]);
        struct adit_listener_config lc = {
            .at = at[i],
            .fd = fd,
            .has_fd = fd >= 0,
            .is_proxy = is_proxy,
            .proxy_us = n->cfg.handshake_us,
            .metrics = n->host->metrics,
            .on_accept = on_accept,
            .ctx = n,
        };
        struct adit_endpoint locals[ADIT_HOST_MAX_ADDRS];
        const struct adit_endpoint *bound;
        size_t n_locals;

        e = adit_listener_new(n->w, &lc, &n->listeners[i], why);
        if (e != ADIT_OK)
            break;
        n->n_listeners++;
        /* Dialled from the port we listen on: what others see of us is then
         * an address that leads here. */
        bound = adit_listener_local(n->listeners[i]);
        if (bound->sa.sa_family == AF_INET &&
            adit_endpoint_is_none(&n->host->bind4))
            n->host->bind4 = *bound;
        if (bound->sa.sa_family == AF_INET6 &&
            adit_endpoint_is_none(&n->host->bind6))
            n->host->bind6 = *bound;
        n_locals =
            adit_listener_addrs(n->listeners[i], locals, ADIT_HOST_MAX_ADDRS);
        n_locals = ADIT_MIN(n_locals, (size_t)ADIT_HOST_MAX_ADDRS);
        for (size_t k = 0; k < n_locals && n->n_listens < ADIT_HOST_MAX_ADDRS;
             k++)
            adit_endpoint_to_maddr(&locals[k], &n->listens[n->n_listens++]);
    }
    return e == ADIT_OK ? adit_bound_end(&sockets, why) : e;
}

static struct adit_caps_config
caps_config(const struct adit_node_config *c)
{
    struct adit_caps_config v;

    for (size_t t = 0; t < ADIT_N_CAP_THINGS; t++)
        for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++)
            v.max[t][s] = (uint32_t)c->caps[t][s];
    return v;
}

static struct adit_host_config
host_config(struct adit_node *n, const struct adit_identity *identity,
            struct adit_metrics *metrics)
{
    const struct adit_node_config *c = &n->cfg;
    struct adit_host_config hc = {
        .w = n->w,
        .identity = identity,
        .metrics = metrics,
        .agent = c->agent,
        .net = {
            .early_muxer = c->early_muxer,
            .handshake_us = c->handshake_us,
            .partial_us = c->partial_us,
            .stall_us = c->stall_us,
            .mux = {
                .max_streams = (uint32_t)c->streams_per_conn,
                .window_max_bytes = (uint32_t)c->window_max_bytes,
                .keepalive_us = c->keepalive_us,
                .pong_us = 20 * ADIT_S,
            },
        },
        .caps = caps_config(c),
        .idle_us = c->relay_enabled ? c->idle_us : 0,
        .ask_identify = !c->relay_enabled,
        .dialer = &n->dialer,
    };

    return hc;
}

static struct adit_relay_config
relay_config(const struct adit_node_config *c)
{
    struct adit_relay_config rc = {
        .grace_us = c->rsvp_grace_us,
        .announce_private = c->announce_private,
        .rsvps_per_hour_ip = (uint32_t)c->rsvps_per_hour_ip,
        .circuits_per_hour_ip = (uint32_t)c->circuits_per_hour_ip,
        .rate_node = c->rate_node,
        .admission_timeout_us = c->admission_timeout_us,
        .admission_cache_us = c->admission_cache_us,
        .drain_deadline_us = c->drain_deadline_us,
        .drain_every_us = c->drain_every_us,
        .drain_group = (uint32_t)c->drain_group,
        .drain_threshold = (uint32_t)c->drain_threshold,
    };

    memcpy(rc.admission_url, c->admission_url, sizeof(rc.admission_url));
    return rc;
}

/* Files are read on the caller's thread, before anybody is served. */
static adit_err
add_relay(struct adit_node *n, char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_relay_config rc = relay_config(&n->cfg);
    struct adit_rules *rules;
    adit_err e = adit_rules_new(&n->cfg, &rules, why);

    if (e != ADIT_OK)
        return e;
    e = adit_relay_new(n->host, &rc, rules, &n->relay);
    if (e != ADIT_OK) {
        snprintf(why, ADIT_NODE_WHY_BYTES, "admission.url: %s",
                 adit_err_text(e));
        adit_rules_free(rules);
    }
    return e;
}

/* Who it is at the Redis server: one word is a password, two are a user and
 * his. */
static adit_err
read_password(const char *path, char buf[ADIT_OPT_TEXT_BYTES],
              struct adit_ledger_config *lc, char why[ADIT_NODE_WHY_BYTES])
{
    char *word[3] = { NULL }, *rest = buf;
    struct stat st;
    size_t n = 0;
    FILE *f;

    if (path[0] == '\0')
        return ADIT_OK;
    /* It would be waited for, by a start that nothing but SIGKILL ends. */
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "ledger.redis_password_file: %.120s is a pipe", path);
        return ADIT_EINVAL;
    }
    f = fopen(path, "re");
    if (f == NULL ||
        (buf[fread(buf, 1, ADIT_OPT_TEXT_BYTES - 1, f)] = '\0', ferror(f))) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "ledger.redis_password_file: %.120s: %s", path,
                 strerror(errno));
        if (f != NULL)
            fclose(f);
        return ADIT_EIO;
    }
    fclose(f);
    while (n < ADIT_NITEMS(word) &&
           (word[n] = strtok_r(n == 0 ? buf : NULL, " \t\r\n", &rest)) != NULL)
        n++;
    if (n != 1 && n != 2) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "ledger.redis_password_file: %.120s: a password, or a user "
                 "and a password, was expected",
                 path);
        return ADIT_EINVAL;
    }
    lc->redis_user = n == 2 ? word[0] : NULL;
    lc->redis_password = word[n - 1];
    return ADIT_OK;
}

static adit_err
open_ledger(struct adit_node *n, char why[ADIT_NODE_WHY_BYTES])
{
    const struct adit_node_config *c = &n->cfg;
    struct adit_ledger_config lc = {
        .backend = c->ledger_backend == ADIT_LEDGER_REDIS
                       ? ADIT_LEDGER_IN_REDIS
                       : ADIT_LEDGER_IN_SQLITE,
        .file = c->ledger_file,
        .redis = c->ledger_redis,
        .redis_prefix = c->ledger_redis_prefix,
        .flush_us = c->ledger_flush_us,
        .keep_circuits_us = c->ledger_keep_circuits_us,
        .keep_days_us = c->ledger_keep_days_us,
        .keep_months_us = c->ledger_keep_months_us,
    };
    char secret[ADIT_OPT_TEXT_BYTES] = "", what[ADIT_RELAY_WHY_BYTES];
    adit_err e;

    if (c->ledger_backend == ADIT_LEDGER_NONE)
        return ADIT_OK;
    e = read_password(c->ledger_redis_password_file, secret, &lc, why);
    if (e == ADIT_OK) {
        e = adit_relay_open_ledger(n->relay, &lc, what);
        if (e != ADIT_OK)
            snprintf(why, ADIT_NODE_WHY_BYTES, "ledger: %.200s", what);
    }
    adit_wipe(secret, sizeof(secret));
    return e;
}

adit_err
adit_node_make(struct adit_worker *w, const struct adit_node_config *cfg,
               const struct adit_identity *identity,
               struct adit_metrics *metrics, const struct adit_dialer *dialer,
               struct adit_node **out, char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_node *n = ADIT_NEW(adit_worker_mem(w), struct adit_node);
    struct adit_host_config hc;
    adit_err e;

    snprintf(why, ADIT_NODE_WHY_BYTES, "out of memory");
    if (n == NULL)
        return ADIT_ENOMEM;
    n->w = w;
    n->cfg = *cfg;
    n->dialer = dialer != NULL
                    ? *dialer
                    : (struct adit_dialer){ dialer_start, dialer_cancel, n };
    hc = host_config(n, identity, metrics);
    e = adit_node_check(cfg, why);
    if (e == ADIT_OK)
        e = adit_host_new(&hc, &n->host);
    if (e == ADIT_OK) {
        adit_svc_identify_init(&n->id, &n->push);
        adit_svc_ping_init(&n->ping);
        adit_svc_stop_init(&n->stop);
        /* go and js pick relays by what the first identify says. */
        if (cfg->relay_enabled)
            e = add_relay(n, why);
        adit_host_serve(n->host, &n->id);
        adit_host_serve(n->host, &n->push);
        adit_host_serve(n->host, &n->ping);
        if (!cfg->relay_enabled)
            adit_host_serve(n->host, &n->stop);
    }
    if (e == ADIT_OK)
        e = adit_proxies_new(adit_worker_mem(w), adit_worker_rng(w),
                             cfg->proxy_from, &n->proxies, why);
    if (e == ADIT_OK)
        e = bind_all(n, why);
    /* Behind the port: whoever has that has the books. */
    if (e == ADIT_OK && cfg->relay_enabled)
        e = open_ledger(n, why);
    if (e != ADIT_OK) {
        adit_node_close(n);
        adit_node_destroy(n);
        return e;
    }
    if (cfg->relay_enabled)
        n->host->cfg.ask_identify = !knows_itself(n);
    n->watch.ev = &watch_events;
    n->watch.ctx = n;
    adit_host_watch(n->host, &n->watch);
    adit_host_set_shown(n->host, (enum adit_addr_shown)cfg->log_addresses);
    announce(n);
    for (size_t i = 0; i < cfg->n_sockets; i++)
        close(cfg->sockets[i]);
    n->cfg.n_sockets = 0;
    *out = n;
    return ADIT_OK;
}

/* What may change while it runs: the rows whose `when` is "reload", and the
 * classes, which all may. */
static void
take_reloadable(struct adit_node_config *to,
                const struct adit_node_config *from)
{
    for (size_t i = 0; i < adit_node_options.n; i++) {
        const struct adit_opt_row *row = &adit_node_options.rows[i];

        if (strcmp(row->when, "reload") == 0)
            memcpy((char *)to + row->offset, (const char *)from + row->offset,
                   adit_opt_bytes(row));
    }
    memcpy(to->classes, from->classes, sizeof(to->classes));
    to->n_classes = from->n_classes;
}

adit_err
adit_node_change(struct adit_node *n, const struct adit_node_config *cfg,
                 struct adit_rules *rules)
{
    struct adit_caps_config caps;
    struct adit_acl *proxies = NULL;
    char why[ADIT_NODE_WHY_BYTES];
    adit_err e;

    if (n->is_closed)
        return ADIT_ESTATE;
    /* What can fail comes first. */
    e = adit_proxies_new(adit_worker_mem(n->w), adit_worker_rng(n->w),
                         cfg->proxy_from, &proxies, why);
    if (e == ADIT_OK && n->relay != NULL) {
        struct adit_relay_config rc = relay_config(cfg);

        e = adit_relay_set(n->relay, &rc, rules);
    }
    if (e != ADIT_OK) {
        adit_acl_free(proxies);
        return e;
    }
    take_reloadable(&n->cfg, cfg);
    adit_acl_free(n->proxies);
    n->proxies = proxies;
    adit_host_set_shown(n->host, (enum adit_addr_shown)cfg->log_addresses);
    caps = caps_config(&n->cfg);
    adit_caps_set(&n->host->caps, &caps);
    if (n->relay != NULL)
        n->host->cfg.ask_identify = !knows_itself(n);
    announce(n);
    return ADIT_OK;
}

void
adit_node_close(struct adit_node *n)
{
    if (n->is_closed)
        return;
    n->is_closed = true;
    for (size_t i = 0; i < n->n_listeners; i++)
        adit_listener_free(n->listeners[i]);
    n->n_listeners = 0;
    if (n->host == NULL)
        return;
    n->host->is_closing = true;
    adit_relay_free(n->relay);
    n->relay = NULL;
    adit_host_close(n->host);
}

void
adit_node_destroy(struct adit_node *n)
{
    adit_host_free(n->host);
    adit_resolver_free(n->resolver);
    adit_acl_free(n->proxies);
    ADIT_FREE(adit_worker_mem(n->w), n);
}

struct adit_host *
adit_node_host(struct adit_node *n)
{
    return n->host;
}

struct adit_relay *
adit_node_relay(struct adit_node *n)
{
    return n->relay;
}

const struct adit_node_config *
adit_node_cfg(const struct adit_node *n)
{
    return &n->cfg;
}

const struct adit_maddr *
adit_node_listens(const struct adit_node *n, size_t *count)
{
    *count = n->n_listens;
    return n->listens;
}
