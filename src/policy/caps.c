/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/caps.h"

#include "policy/prefix.h"

/* A site's network: what a provider gives one customer at most (RFC 6177). */
#define NET48_BITS6 48

/* The scope, and the longest of what names one in it: a peer id. */
#define KEY_MAX_BYTES (1 + ADIT_PEERID_MAX_BYTES)

struct adit_cap_entry {
    struct adit_map_node node;
    uint32_t n_places; /* that hold it; 0: it goes */
    uint32_t n[ADIT_N_CAP_THINGS];
    uint8_t n_key;
    uint8_t key[]; /* its scope, then a peer id, an address or a number */
};

/* adit_rule names caps by arithmetic. */
#define RULE(thing, scope)                                                    \
    (ADIT_RULE_CONNS_PER_PEER + (thing)*ADIT_N_CAP_SCOPES + (scope))
_Static_assert(ADIT_RULE_CONNS_PER_PEER ==
                   RULE(ADIT_CAP_CONNS, ADIT_SCOPE_PEER),
               "rules of caps");
_Static_assert(ADIT_RULE_CONNS_PER_48 ==
                   RULE(ADIT_CAP_CONNS, ADIT_SCOPE_NET48),
               "rules of caps");
_Static_assert(ADIT_RULE_HANDSHAKES_PER_IP ==
                   RULE(ADIT_CAP_HANDSHAKES, ADIT_SCOPE_IP),
               "rules of caps");
_Static_assert(ADIT_RULE_STREAMS_PER_ASN ==
                   RULE(ADIT_CAP_STREAMS, ADIT_SCOPE_ASN),
               "rules of caps");
_Static_assert(ADIT_RULE_RSVP_TOTAL == RULE(ADIT_CAP_RSVPS, ADIT_SCOPE_NODE),
               "rules of caps");
_Static_assert(ADIT_RULE_CIRCUITS_TOTAL ==
                   RULE(ADIT_CAP_CIRCUITS, ADIT_SCOPE_NODE),
               "rules of caps");

/* ---- entries ------------------------------------------------------------ */

static struct adit_cap_entry *
entry_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct adit_cap_entry, node);
}

static bool
has_key(const struct adit_map_node *n, struct adit_slice key)
{
    const struct adit_cap_entry *e =
        ADIT_CONTAINER_OF(n, const struct adit_cap_entry, node);

    return adit_slice_eq(adit_slice(e->key, e->n_key), key);
}

static size_t
entry_bytes(size_t n_key)
{
    return ADIT_MAX(sizeof(struct adit_cap_entry),
                    offsetof(struct adit_cap_entry, key) + n_key);
}

/* One more place holds what `name` names in `scope`.  NULL: no memory. */
static struct adit_cap_entry *
hold(struct adit_caps *c, enum adit_cap_scope scope, struct adit_slice name)
{
    uint8_t key[KEY_MAX_BYTES];
    size_t n_key = 1 + name.n;
    struct adit_map_node *n;
    struct adit_cap_entry *e;

    adit_assert(n_key <= sizeof(key));
    key[0] = (uint8_t)scope;
    adit_copy(key + 1, name);
    n = adit_map_get(&c->entries, adit_slice(key, n_key), has_key);
    if (n != NULL) {
        e = entry_of(n);
        e->n_places++;
        return e;
    }
    e = adit_mem_alloc(c->mem, entry_bytes(n_key));
    if (e == NULL)
        return NULL;
    e->n_places = 1;
    e->n_key = (uint8_t)n_key;
    memcpy(e->key, key, n_key);
    adit_map_add(&c->entries, adit_slice(e->key, n_key), &e->node);
    return e;
}

static void
drop(struct adit_caps *c, struct adit_cap_entry *e)
{
    adit_assert(e->n_places > 0);
    if (--e->n_places > 0)
        return;
    for (size_t i = 0; i < ADIT_N_CAP_THINGS; i++)
        adit_assert(e->n[i] == 0);
    adit_map_remove(&c->entries, &e->node);
    adit_mem_free(c->mem, e, entry_bytes(e->n_key));
}

/* ---- the table ---------------------------------------------------------- */

adit_err
adit_caps_init(struct adit_caps *c, struct adit_mem *mem,
               const struct adit_rng *rng, const struct adit_caps_config *cfg)
{
    *c = (struct adit_caps){ .mem = mem, .cfg = *cfg };
    return adit_map_init(&c->entries, mem, rng);
}

void
adit_caps_fini(struct adit_caps *c)
{
    adit_assert(c->entries.n == 0);
    for (size_t t = 0; t < ADIT_N_CAP_THINGS; t++)
        adit_assert(c->n[t] == 0);
    adit_map_fini(&c->entries);
    *c = (struct adit_caps){ 0 };
}

void
adit_caps_set(struct adit_caps *c, const struct adit_caps_config *cfg)
{
    c->cfg = *cfg;
}

size_t
adit_caps_n_entries(const struct adit_caps *c)
{
    return c->entries.n;
}

/* ---- places ------------------------------------------------------------- */

adit_err
adit_caps_enter(struct adit_caps *c, struct adit_slice ip, uint32_t asn,
                struct adit_place *p)
{
    struct adit_prefix narrow =
        adit_prefix_of(ip, ADIT_PREFIX_BITS4, ADIT_PREFIX_BITS6);
    struct adit_place q = { { NULL } };
    uint8_t number[4];

    if (narrow.family != 0) {
        q.at[ADIT_SCOPE_IP] =
            hold(c, ADIT_SCOPE_IP, adit_slice(narrow.b, narrow.len / 8u));
        if (q.at[ADIT_SCOPE_IP] == NULL)
            goto nomem;
    }
    if (narrow.family == 6) {
        q.at[ADIT_SCOPE_NET48] =
            hold(c, ADIT_SCOPE_NET48, adit_slice(narrow.b, NET48_BITS6 / 8));
        if (q.at[ADIT_SCOPE_NET48] == NULL)
            goto nomem;
    }
    if (asn != 0) {
        adit_put_be32(number, asn);
        q.at[ADIT_SCOPE_ASN] =
            hold(c, ADIT_SCOPE_ASN, adit_slice(number, sizeof(number)));
        if (q.at[ADIT_SCOPE_ASN] == NULL)
            goto nomem;
    }
    *p = q;
    return ADIT_OK;
nomem:
    adit_caps_leave(c, &q);
    return ADIT_ENOMEM;
}

void
adit_caps_copy(struct adit_caps *c, const struct adit_place *from,
               struct adit_place *to)
{
    (void)c;
    *to = *from;
    for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++)
        if (to->at[s] != NULL)
            to->at[s]->n_places++;
}

void
adit_caps_leave(struct adit_caps *c, struct adit_place *p)
{
    for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++)
        if (p->at[s] != NULL)
            drop(c, p->at[s]);
    *p = (struct adit_place){ { NULL } };
}

/* ---- counting ----------------------------------------------------------- */

/* One more than `have` in this scope?  If not, *why says so. */
static bool
fits(const struct adit_caps *c, enum adit_cap_thing thing,
     enum adit_cap_scope scope, uint32_t have, struct adit_refusal *why)
{
    uint32_t max = c->cfg.max[thing][scope];

    if (max == 0 || have < max)
        return true;
    *why = (struct adit_refusal){
        .rule = (enum adit_rule)RULE((int)thing, (int)scope),
        .value = (uint64_t)have + 1,
        .limit = max,
    };
    return false;
}

adit_err
adit_caps_prove(struct adit_caps *c, struct adit_place *p,
                const struct adit_peerid *peer, struct adit_refusal *why)
{
    struct adit_cap_entry *e;

    adit_assert(p->at[ADIT_SCOPE_PEER] == NULL);
    e = hold(c, ADIT_SCOPE_PEER, adit_peerid_bytes(peer));
    if (e == NULL)
        return ADIT_ENOMEM;
    if (!fits(c, ADIT_CAP_CONNS, ADIT_SCOPE_PEER, e->n[ADIT_CAP_CONNS], why)) {
        drop(c, e);
        return ADIT_EFULL;
    }
    e->n[ADIT_CAP_CONNS]++;
    p->at[ADIT_SCOPE_PEER] = e;
    return ADIT_OK;
}

adit_err
adit_caps_take(struct adit_caps *c, enum adit_cap_thing thing,
               const struct adit_place *p, struct adit_refusal *why)
{
    /* The narrow scopes first: they name the culprit. */
    for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++)
        if (p->at[s] != NULL &&
            !fits(c, thing, (enum adit_cap_scope)s, p->at[s]->n[thing], why))
            return ADIT_EFULL;
    if (!fits(c, thing, ADIT_SCOPE_NODE, c->n[thing], why))
        return ADIT_EFULL;
    adit_caps_force(c, thing, p);
    return ADIT_OK;
}

void
adit_caps_force(struct adit_caps *c, enum adit_cap_thing thing,
                const struct adit_place *p)
{
    for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++)
        if (p->at[s] != NULL)
            p->at[s]->n[thing]++;
    c->n[thing]++;
}

void
adit_caps_give(struct adit_caps *c, enum adit_cap_thing thing,
               const struct adit_place *p)
{
    for (size_t s = 0; s < ADIT_N_CAP_SCOPES; s++) {
        if (p->at[s] == NULL)
            continue;
        adit_assert(p->at[s]->n[thing] > 0);
        p->at[s]->n[thing]--;
    }
    adit_assert(c->n[thing] > 0);
    c->n[thing]--;
}
