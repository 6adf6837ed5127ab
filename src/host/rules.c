/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/rules.h"

#include "base/secret.h"
#include "loop/http.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list of 100,000 peer ids fits; more is a mistake. */
#define MAX_FILE_BYTES (8 * 1024 * 1024)
#define MAX_TOKEN_BYTES 4096

/* ---- files ----------------------------------------------------------------- */

/* A pipe that nobody writes to is not waited for: it is no file. */
static FILE *
open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    int saved = errno;

    if (f == NULL && fd >= 0)
        close(fd);
    errno = saved;
    return f;
}

/*
 * The whole file, with a NUL behind it.  Blocks: a caller's thread, at the
 * start and on reload.
 */
static adit_err
read_file(struct adit_mem *mem, const char *option, const char *path,
          size_t max, char **out, size_t *n, char why[ADIT_NODE_WHY_BYTES])
{
    FILE *f = open_file(path);
    adit_err e = ADIT_OK;
    struct stat st;
    char *text = NULL;
    size_t cap = 0;

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        snprintf(why, ADIT_NODE_WHY_BYTES, "%s: %.120s: %s", option, path,
                 strerror(errno));
        e = ADIT_EIO;
    } else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "%s: %.120s is no file of at most %zu bytes", option, path,
                 max);
        e = ADIT_EINVAL;
    } else {
        cap = (size_t)st.st_size + 1;
        text = adit_mem_alloc(mem, cap);
        if (text == NULL) {
            snprintf(why, ADIT_NODE_WHY_BYTES, "out of memory");
            e = ADIT_ENOMEM;
        }
    }
    if (e == ADIT_OK) {
        *n = fread(text, 1, cap - 1, f);
        if (ferror(f) || *n != cap - 1) { /* it shrank: somebody writes it */
            snprintf(why, ADIT_NODE_WHY_BYTES, "%s: %.120s changes", option,
                     path);
            adit_mem_free(mem, text, cap);
            e = ADIT_EIO;
        }
    }
    if (f != NULL)
        fclose(f);
    if (e == ADIT_OK)
        *out = text;
    return e;
}

static adit_err
add_file(struct adit_rules *r, struct adit_acl *to, const char *option,
         const char *path, int kinds, uint8_t tag,
         char why[ADIT_NODE_WHY_BYTES])
{
    char what[ADIT_ACL_WHY_BYTES];
    size_t n, line = 0;
    char *text;
    adit_err e;

    if (path[0] == '\0')
        return ADIT_OK;
    e = read_file(&r->mem, option, path, MAX_FILE_BYTES, &text, &n, why);
    if (e != ADIT_OK)
        return e;
    e = adit_acl_add_text(to, adit_slice(text, n), kinds, tag, &line, what);
    if (e == ADIT_EINVAL)
        snprintf(why, ADIT_NODE_WHY_BYTES, "%s: %.80s:%zu: %.120s", option,
                 path, line, what);
    else if (e != ADIT_OK)
        snprintf(why, ADIT_NODE_WHY_BYTES, "out of memory");
    adit_mem_free(&r->mem, text, n + 1);
    return e;
}

static adit_err
add_list(struct adit_acl *to, const char *option, const char *list, int kinds,
         uint8_t tag, char why[ADIT_NODE_WHY_BYTES])
{
    size_t at = 0, len;
    const char *item;

    while ((len = adit_opt_item(list, &at, &item)) > 0) {
        char what[ADIT_ACL_WHY_BYTES];
        adit_err e = adit_acl_add(to, adit_slice(item, len), kinds, tag, what);

        if (e == ADIT_OK)
            continue;
        snprintf(why, ADIT_NODE_WHY_BYTES, "%s: '%.*s': %.120s", option,
                 (int)ADIT_MIN(len, (size_t)60), item,
                 e == ADIT_EINVAL ? what : "out of memory");
        return e;
    }
    return ADIT_OK;
}

static adit_err
read_token(struct adit_rules *r, const char *path,
           char why[ADIT_NODE_WHY_BYTES])
{
    size_t n, len;
    bool is_one;
    char *text;
    adit_err e;

    if (path[0] == '\0')
        return ADIT_OK;
    e = read_file(&r->mem, "admission.token_file", path, MAX_TOKEN_BYTES,
                  &text, &n, why);
    if (e != ADIT_OK)
        return e;
    len = strcspn(text, " \t\r\n");
    is_one = len + strspn(text + len, " \t\r\n") == n; /* no NUL either */
    text[len] = '\0';
    if (!is_one || !adit_http_is_token(text)) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "admission.token_file: %.120s: one word of visible ASCII "
                 "was expected",
                 path);
        e = ADIT_EINVAL;
    } else {
        r->admission_token = adit_mem_alloc(&r->mem, len + 1);
        if (r->admission_token != NULL)
            memcpy(r->admission_token, text, len);
        else
            e = ADIT_ENOMEM;
    }
    adit_wipe(text, n);
    adit_mem_free(&r->mem, text, n + 1);
    return e;
}

/* ---- classes --------------------------------------------------------------- */

uint8_t
adit_rules_class(const struct adit_rules *r, const char *name)
{
    for (size_t i = 0; i < r->n_classes; i++)
        if (strcmp(r->classes[i].name, name) == 0)
            return (uint8_t)i;
    return ADIT_NO_CLASS;
}

/* "any", "none", or names: a bit for each class. */
static adit_err
parse_names(const struct adit_rules *r, const char *owner, const char *key,
            const char *list, uint32_t *out, char why[ADIT_NODE_WHY_BYTES])
{
    size_t at = 0, len;
    const char *item;
    uint32_t bits = 0;

    while ((len = adit_opt_item(list, &at, &item)) > 0) {
        char name[ADIT_CLASS_NAME_MAX_BYTES];
        uint8_t cls = ADIT_NO_CLASS;

        snprintf(name, sizeof(name), "%.*s",
                 (int)ADIT_MIN(len, sizeof(name) - 1), item);
        if (strcmp(name, "any") == 0) {
            bits = UINT32_MAX;
            continue;
        }
        if (strcmp(name, "none") == 0)
            continue;
        if (len < sizeof(name))
            cls = adit_rules_class(r, name);
        if (cls == ADIT_NO_CLASS) {
            snprintf(why, ADIT_NODE_WHY_BYTES,
                     "class.%s.%s: there is no class '%s'", owner, key, name);
            return ADIT_EINVAL;
        }
        bits |= UINT32_C(1) << cls;
    }
    *out = bits;
    return ADIT_OK;
}

static void
set_numbers(struct adit_class *to, const struct adit_class_config *c)
{
    memcpy(to->name, c->name, sizeof(to->name));
    to->may_reserve = c->may_reserve;
    to->announce_limit = c->announce_limit;
    to->rsvp_ttl_us = c->rsvp_ttl_us;
    to->rsvp_max = (uint32_t)c->rsvp_max;
    to->rsvps_per_hour = (uint32_t)c->rsvps_per_hour;
    to->circuits_per_hour = (uint32_t)c->circuits_per_hour;
    to->circuits_in = (uint32_t)c->circuits_in;
    to->circuits_out = (uint32_t)c->circuits_out;
    to->circuits = (uint32_t)c->circuits;
    to->circuit_s = (uint32_t)(c->circuit_us / ADIT_S);
    to->circuit_bytes = c->circuit_bytes;
    to->circuit_bytes_s = c->rate_circuit;
    to->peer_bytes_s = c->rate_peer;
    to->day_bytes = c->day_bytes;
    to->month_bytes = c->month_bytes;
}

_Static_assert(ADIT_CLASS_NAME_MAX_BYTES == ADIT_CLASS_NAME_BYTES &&
                   ADIT_MAX_CLASSES == ADIT_NODE_MAX_CLASSES,
               "classes as configured are classes as kept");

static adit_err
add_class(struct adit_rules *r, const struct adit_node_config *cfg, uint8_t i,
          char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_class *to = &r->classes[i];
    struct adit_class_config c;
    char option[ADIT_OPT_NAME_BYTES];
    adit_err e;

    adit_class_config_resolve(cfg, &cfg->classes[i], &c);
    if (c.circuit_us % ADIT_S != 0) {
        snprintf(why, ADIT_NODE_WHY_BYTES,
                 "class.%s.circuit_duration must be whole seconds: peers are "
                 "told so",
                 c.name);
        return ADIT_EINVAL;
    }
    set_numbers(to, &c);
    to->over_quota = ADIT_NO_CLASS;
    if (strcmp(c.over_quota, "refuse") != 0) {
        to->over_quota = adit_rules_class(r, c.over_quota);
        if (to->over_quota == ADIT_NO_CLASS || to->over_quota == i) {
            snprintf(why, ADIT_NODE_WHY_BYTES,
                     "class.%s.over_quota: 'refuse' or another class was "
                     "expected, not '%.60s'",
                     c.name, c.over_quota);
            return ADIT_EINVAL;
        }
    }
    e = parse_names(r, c.name, "may_dial", c.may_dial, &to->may_dial, why);
    if (e == ADIT_OK)
        e = parse_names(r, c.name, "dialled_by", c.dialled_by, &to->dialled_by,
                        why);
    snprintf(option, sizeof(option), "class.%s.peers", c.name);
    if (e == ADIT_OK)
        e = add_list(r->members, option, c.peers, ADIT_ACL_PEERS, i, why);
    snprintf(option, sizeof(option), "class.%s.peers_file", c.name);
    if (e == ADIT_OK)
        e = add_file(r, r->members, option, c.peers_file,
                     ADIT_ACL_PEERS | ADIT_ACL_SUBNETS, i, why);
    snprintf(option, sizeof(option), "class.%s.subnets", c.name);
    if (e == ADIT_OK)
        e = add_list(r->members, option, c.subnets, ADIT_ACL_SUBNETS, i, why);
    snprintf(option, sizeof(option), "class.%s.asns", c.name);
    if (e == ADIT_OK && c.asns[0] != '\0' && cfg->asn_file[0] == '\0') {
        snprintf(why, ADIT_NODE_WHY_BYTES, "%s needs asn.file", option);
        e = ADIT_EINVAL;
    }
    if (e == ADIT_OK)
        e = add_list(r->members, option, c.asns, ADIT_ACL_ASNS, i, why);
    return e;
}

/* ---- the snapshot ---------------------------------------------------------- */

static adit_err
open_asn(struct adit_rules *r, const char *path, char why[ADIT_NODE_WHY_BYTES])
{
    char what[ADIT_ASN_WHY_BYTES];
    struct stat st;
    adit_err e;

    if (path[0] == '\0')
        return ADIT_OK;
    /* libmaxminddb would wait for who writes to a pipe. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        snprintf(why, ADIT_NODE_WHY_BYTES, "asn.file: %.100s is no file",
                 path);
        return ADIT_EINVAL;
    }
    e = adit_asn_open(&r->mem, path, &r->asn, what);
    if (e != ADIT_OK)
        snprintf(why, ADIT_NODE_WHY_BYTES, "asn.file: %.100s: %.100s", path,
                 e == ADIT_ENOMEM ? "out of memory" : what);
    return e;
}

static adit_err
fill(struct adit_rules *r, const struct adit_node_config *cfg,
     char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_rng rng = adit_rng_system();
    adit_err e = adit_acl_new(&r->mem, &rng, &r->members);

    if (e == ADIT_OK)
        e = adit_acl_new(&r->mem, &rng, &r->deny);
    if (e == ADIT_OK && cfg->allow_file[0] != '\0')
        e = adit_acl_new(&r->mem, &rng, &r->allow);
    if (e != ADIT_OK)
        return e;
    r->wider = cfg->circuit_wider;
    r->n_classes = cfg->n_classes;
    /* Names first: classes name each other. */
    for (size_t i = 0; i < cfg->n_classes; i++)
        memcpy(r->classes[i].name, cfg->classes[i].name,
               sizeof(r->classes[i].name));
    for (size_t i = 0; e == ADIT_OK && i < cfg->n_classes; i++)
        e = add_class(r, cfg, (uint8_t)i, why);
    if (e == ADIT_OK && r->allow != NULL)
        e = add_file(r, r->allow, "access.allow_file", cfg->allow_file,
                     ADIT_ACL_PEERS | ADIT_ACL_SUBNETS, 0, why);
    if (e == ADIT_OK)
        e = add_file(r, r->deny, "access.deny_file", cfg->deny_file,
                     ADIT_ACL_PEERS | ADIT_ACL_SUBNETS, 0, why);
    if (e == ADIT_OK)
        e = open_asn(r, cfg->asn_file, why);
    if (e == ADIT_OK)
        e = read_token(r, cfg->admission_token_file, why);
    return e;
}

adit_err
adit_rules_new(const struct adit_node_config *cfg, struct adit_rules **out,
               char why[ADIT_NODE_WHY_BYTES])
{
    struct adit_mem nobody;
    struct adit_rules *r;
    adit_err e;

    snprintf(why, ADIT_NODE_WHY_BYTES, "out of memory");
    adit_mem_init(&nobody, NULL, SIZE_MAX);
    r = ADIT_NEW(&nobody, struct adit_rules);
    if (r == NULL)
        return ADIT_ENOMEM;
    adit_mem_init(&r->mem, NULL, SIZE_MAX);
    e = fill(r, cfg, why);
    if (e != ADIT_OK) {
        adit_rules_free(r);
        return e;
    }
    *out = r;
    return ADIT_OK;
}

void
adit_rules_free(struct adit_rules *r)
{
    struct adit_mem nobody;

    if (r == NULL)
        return;
    adit_acl_free(r->members);
    adit_acl_free(r->allow);
    adit_acl_free(r->deny);
    adit_asn_close(r->asn);
    if (r->admission_token != NULL) {
        size_t n = strlen(r->admission_token);

        adit_wipe(r->admission_token, n);
        adit_mem_free(&r->mem, r->admission_token, n + 1);
    }
    adit_assert(r->mem.used_bytes == 0);
    adit_mem_init(&nobody, NULL, SIZE_MAX);
    nobody.used_bytes = sizeof(*r);
    ADIT_FREE(&nobody, r);
}

uint8_t
adit_rules_find(const struct adit_rules *r, const struct adit_peerid *peer,
                struct adit_slice ip, uint32_t asn)
{
    int tag = adit_acl_peer(r->members, peer);

    if (tag == ADIT_ACL_NONE)
        tag = adit_acl_ip(r->members, ip);
    if (tag == ADIT_ACL_NONE && asn != 0)
        tag = adit_acl_asn(r->members, asn);
    return tag == ADIT_ACL_NONE ? ADIT_NO_CLASS : (uint8_t)tag;
}

static bool
is_on(const struct adit_acl *a, const struct adit_peerid *peer,
      struct adit_slice ip)
{
    return adit_acl_peer(a, peer) != ADIT_ACL_NONE ||
           adit_acl_ip(a, ip) != ADIT_ACL_NONE;
}

enum adit_rule
adit_rules_access(const struct adit_rules *r, const struct adit_peerid *peer,
                  struct adit_slice ip)
{
    if (is_on(r->deny, peer, ip))
        return ADIT_RULE_DENIED;
    if (r->allow != NULL && !is_on(r->allow, peer, ip))
        return ADIT_RULE_NOT_ALLOWED;
    return ADIT_RULE_NONE;
}
