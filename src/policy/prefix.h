/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * prefix: the network an IP address lies in, as a key of tables.
 *
 * A value without padding: its bytes are its identity.  Pure.
 */
#ifndef ADIT_POLICY_PREFIX_H
#define ADIT_POLICY_PREFIX_H

#include "base/slice.h"

/*
 * What one customer has at least: an IPv4 address, an IPv6 /64.  (RFC 6177
 * gives a site more; a cap that asks for it can pass 48.)
 */
#define ADIT_PREFIX_BITS4 32
#define ADIT_PREFIX_BITS6 64

struct adit_prefix {
    uint8_t family; /* 4, 6; 0: none */
    uint8_t len;    /* bits that count */
    uint8_t b[16];  /* zero behind them */
};

/* `ip`: 4 or 16 bytes; of any other length it is none. */
static inline struct adit_prefix
adit_prefix_of(struct adit_slice ip, unsigned bits4, unsigned bits6)
{
    struct adit_prefix p = { 0 };
    unsigned bits = ip.n == 4 ? bits4 : bits6;

    if (ip.n != 4 && ip.n != 16)
        return p;
    bits = ADIT_MIN(bits, (unsigned)ip.n * 8);
    p.family = ip.n == 4 ? 4 : 6;
    p.len = (uint8_t)bits;
    memcpy(p.b, ip.p, (bits + 7) / 8);
    if (bits % 8 != 0)
        p.b[bits / 8] &= (uint8_t)(0xff00u >> bits % 8);
    return p;
}

static inline struct adit_slice
adit_prefix_key(const struct adit_prefix *p)
{
    return adit_slice(p, sizeof(*p));
}

#endif
