/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/conncap.h"

#include "policy/prefix.h"

struct addr {
    struct adit_map_node node;
    struct adit_prefix prefix;
    uint32_t n_conns, n_handshakes; /* n_handshakes of the n_conns */
};

static struct addr *
addr_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct addr, node);
}

static bool
has_prefix(const struct adit_map_node *n, struct adit_slice key)
{
    const struct addr *a = ADIT_CONTAINER_OF(n, const struct addr, node);

    return adit_slice_eq(adit_prefix_key(&a->prefix), key);
}

static struct addr *
find(const struct adit_conncap *c, const struct adit_prefix *p)
{
    struct adit_map_node *n =
        adit_map_get(&c->ips, adit_prefix_key(p), has_prefix);

    return n != NULL ? addr_of(n) : NULL;
}

static struct adit_prefix
prefix_of(struct adit_slice ip)
{
    return adit_prefix_of(ip, ADIT_PREFIX_BITS4, ADIT_PREFIX_BITS6);
}

adit_err
adit_conncap_init(struct adit_conncap *c, struct adit_mem *mem,
                  const struct adit_rng *rng,
                  const struct adit_conncap_config *cfg)
{
    *c = (struct adit_conncap){ .mem = mem, .cfg = *cfg };
    return adit_map_init(&c->ips, mem, rng);
}

void
adit_conncap_fini(struct adit_conncap *c)
{
    struct adit_map_node *n = adit_map_next(&c->ips, NULL), *next;

    for (; n != NULL; n = next) {
        struct addr *a = addr_of(n);

        next = adit_map_next(&c->ips, n);
        ADIT_FREE(c->mem, a);
    }
    adit_map_fini(&c->ips);
    *c = (struct adit_conncap){ 0 };
}

void
adit_conncap_set(struct adit_conncap *c, const struct adit_conncap_config *cfg)
{
    c->cfg = *cfg;
}

/* One more than `have` under `cap`?  If not, *why says so. */
static bool
fits(enum adit_rule rule, uint32_t have, uint32_t cap,
     struct adit_refusal *why)
{
    if (cap == 0 || have < cap)
        return true;
    *why = (struct adit_refusal){ .rule = rule,
                                  .value = (uint64_t)have + 1,
                                  .limit = cap };
    return false;
}

adit_err
adit_conncap_open(struct adit_conncap *c, struct adit_slice ip,
                  struct adit_refusal *why)
{
    const struct adit_conncap_config *cfg = &c->cfg;
    struct adit_prefix p = prefix_of(ip);
    struct addr *a = p.family != 0 ? find(c, &p) : NULL;
    uint32_t n_conns = a != NULL ? a->n_conns : 0;
    uint32_t n_handshakes = a != NULL ? a->n_handshakes : 0;

    /* The narrow caps first: they name the culprit. */
    if (!fits(ADIT_RULE_CONNS_PER_IP, n_conns, cfg->conns_per_ip, why) ||
        !fits(ADIT_RULE_HANDSHAKES_PER_IP, n_handshakes,
              cfg->handshakes_per_ip, why) ||
        !fits(ADIT_RULE_CONNS_TOTAL, c->n_conns, cfg->conns_total, why) ||
        !fits(ADIT_RULE_HANDSHAKES_TOTAL, c->n_handshakes,
              cfg->handshakes_total, why))
        return ADIT_EFULL;
    if (a == NULL && p.family != 0) {
        a = ADIT_NEW(c->mem, struct addr);
        if (a == NULL)
            return ADIT_ENOMEM;
        a->prefix = p;
        adit_map_add(&c->ips, adit_prefix_key(&a->prefix), &a->node);
    }
    if (a != NULL) {
        a->n_conns++;
        a->n_handshakes++;
    }
    c->n_conns++;
    c->n_handshakes++;
    return ADIT_OK;
}

void
adit_conncap_handshake_done(struct adit_conncap *c, struct adit_slice ip)
{
    struct adit_prefix p = prefix_of(ip);

    adit_assert(c->n_handshakes > 0);
    c->n_handshakes--;
    if (p.family != 0) {
        struct addr *a = find(c, &p);

        adit_assert(a != NULL && a->n_handshakes > 0);
        a->n_handshakes--;
    }
}

void
adit_conncap_close(struct adit_conncap *c, struct adit_slice ip,
                   bool in_handshake)
{
    struct adit_prefix p = prefix_of(ip);

    if (in_handshake)
        adit_conncap_handshake_done(c, ip);
    adit_assert(c->n_conns > 0);
    c->n_conns--;
    if (p.family != 0) {
        struct addr *a = find(c, &p);

        adit_assert(a != NULL && a->n_conns > 0);
        if (--a->n_conns == 0) {
            adit_map_remove(&c->ips, &a->node);
            ADIT_FREE(c->mem, a);
        }
    }
}
