/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/addr.h"

#include "codec/maddr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

socklen_t
adit_endpoint_bytes(const struct adit_endpoint *e)
{
    switch (e->sa.sa_family) {
    case AF_INET:
        return sizeof(e->in4);
    case AF_INET6:
        return sizeof(e->in6);
    }
    return 0;
}

adit_err
adit_endpoint_of_ip(struct adit_slice ip, uint16_t port,
                    struct adit_endpoint *out)
{
    if (ip.n == 4) {
        *out = (struct adit_endpoint){ 0 };
        out->in4.sin_family = AF_INET;
        out->in4.sin_port = htons(port);
        memcpy(&out->in4.sin_addr, ip.p, 4);
        return ADIT_OK;
    }
    if (ip.n == 16) {
        *out = (struct adit_endpoint){ 0 };
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_port = htons(port);
        memcpy(&out->in6.sin6_addr, ip.p, 16);
        return ADIT_OK;
    }
    return ADIT_EINVAL;
}

adit_err
adit_endpoint_of_sockaddr(const struct sockaddr *sa, struct adit_endpoint *out)
{
    struct adit_endpoint e = { 0 };

    if (sa->sa_family == AF_INET) {
        memcpy(&e.in4, sa, sizeof(e.in4));
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&e.in6, sa, sizeof(e.in6));
        e.in6.sin6_flowinfo = 0;
        if (IN6_IS_ADDR_V4MAPPED(&e.in6.sin6_addr)) {
            uint16_t port = ntohs(e.in6.sin6_port);
            uint8_t ip[4];

            memcpy(ip, e.in6.sin6_addr.s6_addr + 12, 4);
            return adit_endpoint_of_ip(adit_slice(ip, 4), port, out);
        }
    } else {
        return ADIT_EUNSUPPORTED;
    }
    *out = e;
    return ADIT_OK;
}

/* The index of an interface's name; 0: there is none such. */
static uint32_t
zone_index(struct adit_slice zone)
{
    char name[IF_NAMESIZE];
    uint32_t n = 0;

    if (zone.n == 0 || zone.n >= sizeof(name))
        return 0;
    memcpy(name, zone.p, zone.n);
    name[zone.n] = '\0';
    n = if_nametoindex(name);
    if (n != 0)
        return n;
    /* As "%3" is understood: the index itself. */
    for (size_t i = 0; i < zone.n; i++) {
        if (name[i] < '0' || name[i] > '9' || i >= 9)
            return 0;
        n = n * 10 + (uint32_t)(name[i] - '0');
    }
    return n;
}

adit_err
adit_endpoint_of_maddr(const struct adit_maddr *a, struct adit_endpoint *out,
                       struct adit_slice *rest)
{
    struct adit_slice left = adit_maddr_bytes(a);
    struct adit_maddr_part ip, tcp;
    struct adit_endpoint e;
    uint32_t scope = 0;

    if (adit_maddr_next(&left, &ip) != ADIT_OK)
        return ADIT_EUNSUPPORTED;
    if (ip.code == ADIT_MA_IP6ZONE) {
        scope = zone_index(ip.value);
        if (scope == 0)
            return ADIT_EIO;
        if (adit_maddr_next(&left, &ip) != ADIT_OK || ip.code != ADIT_MA_IP6)
            return ADIT_EUNSUPPORTED;
    }
    if ((ip.code != ADIT_MA_IP4 && ip.code != ADIT_MA_IP6) ||
        adit_maddr_next(&left, &tcp) != ADIT_OK || tcp.code != ADIT_MA_TCP ||
        tcp.value.n != 2 ||
        adit_endpoint_of_ip(ip.value, adit_get_be16(tcp.value.p), &e) !=
            ADIT_OK)
        return ADIT_EUNSUPPORTED;
    if (scope != 0)
        e.in6.sin6_scope_id = scope;
    *out = e;
    if (rest != NULL)
        *rest = left;
    return ADIT_OK;
}

void
adit_endpoint_to_maddr(const struct adit_endpoint *e, struct adit_maddr *out)
{
    bool v6 = e->sa.sa_family == AF_INET6;
    uint8_t port[2];
    adit_err err = ADIT_OK;

    out->n = 0;
    if (adit_endpoint_is_none(e))
        return;
    if (v6 && e->in6.sin6_scope_id != 0) {
        char name[IF_NAMESIZE];

        if (if_indextoname(e->in6.sin6_scope_id, name) == NULL)
            snprintf(name, sizeof(name), "%u", e->in6.sin6_scope_id);
        err = adit_maddr_push(out, ADIT_MA_IP6ZONE, adit_slice_str(name));
    }
    adit_put_be16(port, adit_endpoint_port(e));
    if (err == ADIT_OK)
        err = adit_maddr_push(out, v6 ? ADIT_MA_IP6 : ADIT_MA_IP4,
                              adit_endpoint_ip(e));
    if (err == ADIT_OK)
        err = adit_maddr_push(out, ADIT_MA_TCP, adit_slice(port, 2));
    if (err != ADIT_OK)
        out->n = 0;
}

uint16_t
adit_endpoint_port(const struct adit_endpoint *e)
{
    switch (e->sa.sa_family) {
    case AF_INET:
        return ntohs(e->in4.sin_port);
    case AF_INET6:
        return ntohs(e->in6.sin6_port);
    }
    return 0;
}

void
adit_endpoint_set_port(struct adit_endpoint *e, uint16_t port)
{
    if (e->sa.sa_family == AF_INET)
        e->in4.sin_port = htons(port);
    else if (e->sa.sa_family == AF_INET6)
        e->in6.sin6_port = htons(port);
}

struct adit_slice
adit_endpoint_ip(const struct adit_endpoint *e)
{
    switch (e->sa.sa_family) {
    case AF_INET:
        return adit_slice(&e->in4.sin_addr, 4);
    case AF_INET6:
        return adit_slice(&e->in6.sin6_addr, 16);
    }
    return ADIT_SLICE_NONE;
}

bool
adit_endpoint_eq(const struct adit_endpoint *a, const struct adit_endpoint *b)
{
    if (adit_endpoint_is_none(a) || adit_endpoint_is_none(b))
        return adit_endpoint_is_none(a) && adit_endpoint_is_none(b);
    return a->sa.sa_family == b->sa.sa_family &&
           adit_endpoint_port(a) == adit_endpoint_port(b) &&
           adit_slice_eq(adit_endpoint_ip(a), adit_endpoint_ip(b)) &&
           (a->sa.sa_family == AF_INET ||
            a->in6.sin6_scope_id == b->in6.sin6_scope_id);
}

const char *
adit_endpoint_format(const struct adit_endpoint *e,
                     char out[static ADIT_ENDPOINT_TEXT_BYTES])
{
    char ip[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "";
    struct adit_slice s = adit_endpoint_ip(e);

    out[0] = '\0';
    if (s.n == 0 || inet_ntop(e->sa.sa_family, s.p, ip, sizeof(ip)) == NULL)
        return out;
    if (s.n == 4) {
        snprintf(out, ADIT_ENDPOINT_TEXT_BYTES, "%s:%u", ip,
                 (unsigned)adit_endpoint_port(e));
        return out;
    }
    if (e->in6.sin6_scope_id != 0) {
        zone[0] = '%';
        if (if_indextoname(e->in6.sin6_scope_id, zone + 1) == NULL)
            snprintf(zone + 1, sizeof(zone) - 1, "%u", e->in6.sin6_scope_id);
    }
    snprintf(out, ADIT_ENDPOINT_TEXT_BYTES, "[%s%s]:%u", ip, zone,
             (unsigned)adit_endpoint_port(e));
    return out;
}

const char *
adit_endpoint_show(const struct adit_endpoint *e, enum adit_addr_shown how,
                   char out[static ADIT_ENDPOINT_TEXT_BYTES])
{
    uint8_t key[ADIT_PREFIX_KEY_MAX_BYTES], ip[16] = { 0 };
    char text[INET6_ADDRSTRLEN] = "";
    size_t n;

    out[0] = '\0';
    switch (how) {
    case ADIT_ADDR_FULL:
        return adit_endpoint_format(e, out);
    case ADIT_ADDR_PREFIX:
        n = adit_endpoint_prefix(e, ADIT_SHOWN_BITS4, ADIT_SHOWN_BITS6, key);
        if (n == 0)
            return out;
        memcpy(ip, key + 2, n - 2);
        inet_ntop(e->sa.sa_family, ip, text, sizeof(text));
        snprintf(out, ADIT_ENDPOINT_TEXT_BYTES, "%s/%u", text,
                 (unsigned)key[1]);
        return out;
    case ADIT_ADDR_NONE:
        break;
    }
    if (!adit_endpoint_is_none(e))
        snprintf(out, ADIT_ENDPOINT_TEXT_BYTES, "-");
    return out;
}

/* ---- what kind of address --------------------------------------------- */

struct range {
    uint8_t ip[16];
    uint8_t bits;
};

static bool
is_in(struct adit_slice ip, const struct range *r)
{
    unsigned whole = r->bits / 8;
    unsigned rest = r->bits % 8;

    if (whole > 0 && memcmp(ip.p, r->ip, whole) != 0)
        return false;
    return rest == 0 || (ip.p[whole] ^ r->ip[whole]) >> (8 - rest) == 0;
}

static bool
is_in_any(const struct adit_endpoint *e, const struct range *v4, size_t n4,
          const struct range *v6, size_t n6)
{
    struct adit_slice ip = adit_endpoint_ip(e);
    const struct range *r = ip.n == 4 ? v4 : v6;
    size_t n = ip.n == 4 ? n4 : ip.n == 16 ? n6 : 0;

    for (size_t i = 0; i < n; i++)
        if (is_in(ip, &r[i]))
            return true;
    return false;
}

/* RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291. */
static const struct range private4[] = {
    { { 10 }, 8 },       { { 100, 64 }, 10 },  { { 169, 254 }, 16 },
    { { 172, 16 }, 12 }, { { 192, 168 }, 16 },
};
static const struct range private6[] = {
    { { 0xfc }, 7 },
    { { 0xfe, 0x80 }, 10 },
};

/*
 * IANA's IPv4 and IPv6 special-purpose registries (read 2025-10), what is not
 * globally reachable and not above; multicast; reserved.
 */
static const struct range held4[] = {
    { { 0 }, 8 },
    { { 127 }, 8 },
    { { 192, 0, 0 }, 24 },
    { { 192, 0, 2 }, 24 },
    { { 192, 88, 99 }, 24 },
    { { 198, 18 }, 15 },
    { { 198, 51, 100 }, 24 },
    { { 203, 0, 113 }, 24 },
    { { 224 }, 4 },
    { { 240 }, 4 },
};
static const struct range held6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocol assignments, Teredo */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4 */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation */
};
/* All that has been given out for unicast, and the NAT64 prefix. */
static const struct range unicast6[] = {
    { { 0x20 }, 3 },
    { { 0x00, 0x64, 0xff, 0x9b }, 96 },
};

bool
adit_endpoint_is_unspecified(const struct adit_endpoint *e)
{
    struct adit_slice ip = adit_endpoint_ip(e);
    static const uint8_t zero[16];

    return ip.n > 0 && memcmp(ip.p, zero, ip.n) == 0;
}

bool
adit_endpoint_is_loopback(const struct adit_endpoint *e)
{
    if (e->sa.sa_family == AF_INET)
        return adit_endpoint_ip(e).p[0] == 127;
    return e->sa.sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&e->in6.sin6_addr);
}

bool
adit_endpoint_is_private(const struct adit_endpoint *e)
{
    return is_in_any(e, private4, ADIT_NITEMS(private4), private6,
                     ADIT_NITEMS(private6));
}

bool
adit_endpoint_is_global(const struct adit_endpoint *e)
{
    if (adit_endpoint_is_none(e) || adit_endpoint_is_private(e) ||
        is_in_any(e, held4, ADIT_NITEMS(held4), held6, ADIT_NITEMS(held6)))
        return false;
    return e->sa.sa_family == AF_INET ||
           is_in_any(e, NULL, 0, unicast6, ADIT_NITEMS(unicast6));
}

size_t
adit_endpoint_prefix(const struct adit_endpoint *e, unsigned bits4,
                     unsigned bits6,
                     uint8_t out[static ADIT_PREFIX_KEY_MAX_BYTES])
{
    struct adit_slice ip = adit_endpoint_ip(e);
    unsigned bits = ip.n == 4 ? ADIT_MIN(bits4, 32u) : ADIT_MIN(bits6, 128u);
    size_t n = (bits + 7) / 8;

    if (ip.n == 0)
        return 0;
    out[0] = ip.n == 4 ? 4 : 6;
    out[1] = (uint8_t)bits;
    memcpy(out + 2, ip.p, n);
    if (bits % 8 != 0)
        out[2 + n - 1] &= (uint8_t)(0xff << (8 - bits % 8));
    return 2 + n;
}
