/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/acl.h"

#include "base/map.h"
#include "codec/maddr.h"

/* The first byte of a key: what it names. */
enum { KEY_PEER, KEY_SUBNET, KEY_ASN };

#define KEY_MAX_BYTES (1 + ADIT_PEERID_MAX_BYTES)

/* The longest item that is looked at: an IPv6 subnet or a peer id as text. */
#define ITEM_MAX_BYTES ADIT_PEERID_TEXT_BYTES

/* Of an item that is wrong so much is shown. */
#define SHOWN_BYTES 48

struct item {
    struct adit_map_node node;
    uint8_t tag;
    uint8_t n_key;
    uint8_t key[];
};

struct key {
    uint8_t n;
    uint8_t b[KEY_MAX_BYTES];
};

/* The lengths that subnets of one family have, longest first. */
struct lengths {
    uint8_t n;
    uint8_t v[129];
};

struct adit_acl {
    struct adit_mem *mem;
    struct adit_map items;
    struct lengths of4, of6;
};

/* ---- items -------------------------------------------------------------- */

static struct item *
item_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct item, node);
}

static bool
has_key(const struct adit_map_node *n, struct adit_slice key)
{
    const struct item *i = ADIT_CONTAINER_OF(n, const struct item, node);

    return adit_slice_eq(adit_slice(i->key, i->n_key), key);
}

static size_t
item_bytes(size_t n_key)
{
    return ADIT_MAX(sizeof(struct item), offsetof(struct item, key) + n_key);
}

static struct key
key_of(uint8_t kind, struct adit_slice name)
{
    struct key k = { .n = (uint8_t)(1 + name.n), .b = { kind } };

    adit_assert(name.n < KEY_MAX_BYTES);
    adit_copy(k.b + 1, name);
    return k;
}

static struct key
asn_key(uint32_t asn)
{
    uint8_t b[4];

    adit_put_be32(b, asn);
    return key_of(KEY_ASN, adit_slice(b, sizeof(b)));
}

static struct item *
find(const struct adit_acl *a, const struct key *k)
{
    struct adit_map_node *n =
        adit_map_get(&a->items, adit_slice(k->b, k->n), has_key);

    return n != NULL ? item_of(n) : NULL;
}

static int
tag_of(const struct adit_acl *a, const struct key *k)
{
    const struct item *i = find(a, k);

    return i != NULL ? i->tag : ADIT_ACL_NONE;
}

static adit_err
put(struct adit_acl *a, const struct key *k, uint8_t tag,
    char why[ADIT_ACL_WHY_BYTES])
{
    struct item *i = find(a, k);

    if (i == NULL) {
        i = adit_mem_alloc(a->mem, item_bytes(k->n));
        if (i == NULL) {
            snprintf(why, ADIT_ACL_WHY_BYTES, "out of memory");
            return ADIT_ENOMEM;
        }
        i->n_key = k->n;
        memcpy(i->key, k->b, k->n);
        adit_map_add(&a->items, adit_slice(i->key, i->n_key), &i->node);
    }
    i->tag = tag;
    return ADIT_OK;
}

/* ---- life --------------------------------------------------------------- */

adit_err
adit_acl_new(struct adit_mem *mem, const struct adit_rng *rng,
             struct adit_acl **out)
{
    struct adit_acl *a = ADIT_NEW(mem, struct adit_acl);

    if (a == NULL)
        return ADIT_ENOMEM;
    a->mem = mem;
    if (adit_map_init(&a->items, mem, rng) != ADIT_OK) {
        ADIT_FREE(mem, a);
        return ADIT_ENOMEM;
    }
    *out = a;
    return ADIT_OK;
}

void
adit_acl_free(struct adit_acl *a)
{
    struct adit_map_node *n, *next;

    if (a == NULL)
        return;
    for (n = adit_map_next(&a->items, NULL); n != NULL; n = next) {
        struct item *i = item_of(n);

        next = adit_map_next(&a->items, n);
        adit_mem_free(a->mem, i, item_bytes(i->n_key));
    }
    adit_map_fini(&a->items);
    ADIT_FREE(a->mem, a);
}

size_t
adit_acl_n(const struct adit_acl *a)
{
    return a->items.n;
}

/* ---- reading one item --------------------------------------------------- */

/* "'what' is not this", with what is no plain text in it made so. */
static adit_err
wrong(struct adit_slice item, const char *expected,
      char why[ADIT_ACL_WHY_BYTES])
{
    char shown[SHOWN_BYTES + 1];
    size_t n = ADIT_MIN(item.n, (size_t)SHOWN_BYTES);

    for (size_t i = 0; i < n; i++)
        shown[i] =
            item.p[i] > 0x20 && item.p[i] < 0x7f ? (char)item.p[i] : '?';
    shown[n] = '\0';
    snprintf(why, ADIT_ACL_WHY_BYTES, "'%s%s' %s", shown,
             n < item.n ? "..." : "", expected);
    return ADIT_EINVAL;
}

static bool
has_byte(struct adit_slice s, char c)
{
    return s.n > 0 && memchr(s.p, c, s.n) != NULL;
}

/* Decimal digits alone, at most `max`. */
static bool
parse_number(struct adit_slice s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0 || s.n > 10)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

static bool
parse_ip(struct adit_slice s, uint8_t ip[static 16], size_t *n)
{
    bool is6 = has_byte(s, ':');
    struct adit_maddr a;
    struct adit_slice v;
    char text[ITEM_MAX_BYTES + 8];

    if (s.n == 0 || s.n > ITEM_MAX_BYTES || has_byte(s, '/') ||
        has_byte(s, '\0'))
        return false;
    snprintf(text, sizeof(text), "/%s/%.*s", is6 ? "ip6" : "ip4", (int)s.n,
             (const char *)s.p);
    if (adit_maddr_parse(adit_slice_str(text), &a, NULL) != ADIT_OK ||
        !adit_maddr_find(&a, is6 ? ADIT_MA_IP6 : ADIT_MA_IP4, &v))
        return false;
    adit_copy(ip, v);
    *n = v.n;
    return true;
}

static struct key
subnet_key(const struct adit_prefix *p)
{
    uint8_t b[2 + sizeof(p->b)] = { p->family, p->len };
    size_t n = (p->len + 7u) / 8;

    memcpy(b + 2, p->b, n);
    return key_of(KEY_SUBNET, adit_slice(b, 2 + n));
}

/* Subnets of this length are in it from now on. */
static void
note_length(struct lengths *l, uint8_t len)
{
    uint8_t i = 0;

    while (i < l->n && l->v[i] > len)
        i++;
    if (i < l->n && l->v[i] == len)
        return;
    memmove(l->v + i + 1, l->v + i, (size_t)(l->n - i));
    l->v[i] = len;
    l->n++;
}

static adit_err
add_subnet(struct adit_acl *a, struct adit_slice item, uint8_t tag,
           char why[ADIT_ACL_WHY_BYTES])
{
    static const uint8_t mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255
    };
    const uint8_t *slash = memchr(item.p, '/', item.n);
    struct adit_slice addr = item;
    struct adit_prefix p;
    struct key k;
    uint8_t ip[16];
    uint64_t bits;
    size_t n;
    adit_err e;

    if (slash != NULL)
        addr.n = (size_t)(slash - item.p);
    if (!parse_ip(addr, ip, &n))
        return wrong(item, "is no IP address or subnet", why);
    bits = n * 8;
    if (slash != NULL &&
        !parse_number(adit_slice_skip(item, addr.n + 1), bits, &bits))
        return wrong(item,
                     n == 4 ? "needs a number from 0 to 32 behind the /"
                            : "needs a number from 0 to 128 behind the /",
                     why);
    if (n == 16 && memcmp(ip, mapped, sizeof(mapped)) == 0)
        return wrong(item, "is an IPv4 address: write it as one", why);
    p = adit_prefix_of(adit_slice(ip, n), (unsigned)bits, (unsigned)bits);
    if (memcmp(p.b, ip, n) != 0)
        return wrong(item, "has bits set behind its length", why);
    k = subnet_key(&p);
    e = put(a, &k, tag, why);
    if (e == ADIT_OK)
        note_length(n == 4 ? &a->of4 : &a->of6, p.len);
    return e;
}

static adit_err
add_asn(struct adit_acl *a, struct adit_slice item, uint8_t tag,
        char why[ADIT_ACL_WHY_BYTES])
{
    bool has_as =
        item.n > 2 && (item.p[0] | 0x20) == 'a' && (item.p[1] | 0x20) == 's';
    struct key k;
    uint64_t v;

    if (!parse_number(has_as ? adit_slice_skip(item, 2) : item, UINT32_MAX,
                      &v) ||
        v == 0)
        return wrong(item, "is no autonomous system (AS64500)", why);
    k = asn_key((uint32_t)v);
    return put(a, &k, tag, why);
}

static adit_err
add_peer(struct adit_acl *a, struct adit_slice item, uint8_t tag,
         char why[ADIT_ACL_WHY_BYTES])
{
    struct adit_peerid id;
    struct key k;

    if (adit_peerid_parse(item, &id) != ADIT_OK)
        return wrong(item, "is no peer id", why);
    k = key_of(KEY_PEER, adit_peerid_bytes(&id));
    return put(a, &k, tag, why);
}

/* What it means to be, by its looks. */
static int
kind_of(struct adit_slice item)
{
    uint64_t number;

    if (has_byte(item, ':') || has_byte(item, '.') || has_byte(item, '/'))
        return ADIT_ACL_SUBNETS;
    if (parse_number(item, UINT64_MAX, &number) ||
        ((item.p[0] | 0x20) == 'a' && item.n <= 12))
        return ADIT_ACL_ASNS;
    return ADIT_ACL_PEERS;
}

static const char *
expected(int kinds)
{
    switch (kinds) {
    case ADIT_ACL_PEERS:
        return "is no peer id";
    case ADIT_ACL_SUBNETS:
        return "is no IP address or subnet";
    case ADIT_ACL_ASNS:
        return "is no autonomous system (AS64500)";
    case ADIT_ACL_PEERS | ADIT_ACL_SUBNETS:
        return "is neither a peer id nor a subnet";
    default:
        return "is nothing that may stand here";
    }
}

adit_err
adit_acl_add(struct adit_acl *a, struct adit_slice item, int kinds,
             uint8_t tag, char why[ADIT_ACL_WHY_BYTES])
{
    int kind;

    if (item.n == 0 || item.n > ITEM_MAX_BYTES)
        return wrong(item, expected(kinds), why);
    kind = kind_of(item);
    if ((kind & kinds) == 0)
        return wrong(item, expected(kinds), why);
    switch (kind) {
    case ADIT_ACL_SUBNETS:
        return add_subnet(a, item, tag, why);
    case ADIT_ACL_ASNS:
        return add_asn(a, item, tag, why);
    default:
        return add_peer(a, item, tag, why);
    }
}

/* ---- a file's text ------------------------------------------------------ */

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without its comment and the blanks around. */
static struct adit_slice
bare(struct adit_slice line)
{
    const uint8_t *hash = line.n > 0 ? memchr(line.p, '#', line.n) : NULL;

    if (hash != NULL)
        line.n = (size_t)(hash - line.p);
    while (line.n > 0 && is_blank(line.p[line.n - 1]))
        line.n--;
    while (line.n > 0 && is_blank(line.p[0]))
        line = adit_slice_skip(line, 1);
    return line;
}

adit_err
adit_acl_add_text(struct adit_acl *a, struct adit_slice text, int kinds,
                  uint8_t tag, size_t *line, char why[ADIT_ACL_WHY_BYTES])
{
    for (size_t n = 1; text.n > 0; n++) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.n;
        struct adit_slice item = bare(adit_slice(text.p, len));
        adit_err e =
            item.n > 0 ? adit_acl_add(a, item, kinds, tag, why) : ADIT_OK;

        if (e != ADIT_OK) {
            *line = n;
            return e;
        }
        text = adit_slice_skip(text, len + (end != NULL));
    }
    return ADIT_OK;
}

/* ---- looking up --------------------------------------------------------- */

int
adit_acl_peer(const struct adit_acl *a, const struct adit_peerid *peer)
{
    struct key k = key_of(KEY_PEER, adit_peerid_bytes(peer));

    return tag_of(a, &k);
}

int
adit_acl_ip(const struct adit_acl *a, struct adit_slice ip)
{
    const struct lengths *l = ip.n == 4 ? &a->of4 : &a->of6;
    int tag = ADIT_ACL_NONE;

    if (ip.n != 4 && ip.n != 16)
        return ADIT_ACL_NONE;
    for (size_t i = 0; i < l->n && tag == ADIT_ACL_NONE; i++) {
        struct adit_prefix p = adit_prefix_of(ip, l->v[i], l->v[i]);
        struct key k = subnet_key(&p);

        tag = tag_of(a, &k);
    }
    return tag;
}

int
adit_acl_asn(const struct adit_acl *a, uint32_t asn)
{
    struct key k = asn_key(asn);

    return tag_of(a, &k);
}
