/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * caps: how many of five things a peer, an address, a network and all of
 * them may have at once.
 *
 * A thing is counted in each scope that it lies in: its peer (once proven),
 * its IPv4 address or IPv6 /64, its IPv6 /48, its ASN, the node.  O(1); a
 * scope in which nothing is counted costs nothing.
 * Pure.  Thread: one owner.
 */
#ifndef ADIT_POLICY_CAPS_H
#define ADIT_POLICY_CAPS_H

#include "base/map.h"
#include "codec/peerid.h"
#include "policy/rule.h"

enum adit_cap_thing {
    ADIT_CAP_CONNS,
    ADIT_CAP_HANDSHAKES, /* never of a peer: it is not proven yet */
    ADIT_CAP_STREAMS,
    ADIT_CAP_RSVPS,    /* one per peer anyway */
    ADIT_CAP_CIRCUITS, /* of a peer: its class says */
    ADIT_N_CAP_THINGS
};

enum adit_cap_scope {
    ADIT_SCOPE_PEER,
    ADIT_SCOPE_IP,
    ADIT_SCOPE_NET48,
    ADIT_SCOPE_ASN,
    ADIT_SCOPE_NODE,
    ADIT_N_CAP_SCOPES
};

/* 0: no cap. */
struct adit_caps_config {
    uint32_t max[ADIT_N_CAP_THINGS][ADIT_N_CAP_SCOPES];
};

/* One scope's counts; only the table looks inside. */
struct adit_cap_entry;

struct adit_caps {
    struct adit_mem *mem;
    struct adit_caps_config cfg;
    struct adit_map entries;
    uint32_t n[ADIT_N_CAP_THINGS]; /* in the node */
};

/*
 * Where somebody is: the scopes that his things are counted in, found once.
 * A value that its owner embeds; zeroed, it is nowhere (the node alone
 * counts).  NODE's entry is always NULL.
 */
struct adit_place {
    struct adit_cap_entry *at[ADIT_N_CAP_SCOPES];
};

ADIT_MUST_USE adit_err adit_caps_init(struct adit_caps *c,
                                      struct adit_mem *mem,
                                      const struct adit_rng *rng,
                                      const struct adit_caps_config *cfg);
/* Everything must have been given back, and every place left. */
void adit_caps_fini(struct adit_caps *c);

/* Caps changed; what is counted stays. */
void adit_caps_set(struct adit_caps *c, const struct adit_caps_config *cfg);

/*
 * Find the scopes of `ip` (4 or 16 bytes, or empty) and `asn` (0: unknown).
 * ADIT_ENOMEM: *p is untouched.  End with _leave, everything given back.
 */
ADIT_MUST_USE adit_err adit_caps_enter(struct adit_caps *c,
                                       struct adit_slice ip, uint32_t asn,
                                       struct adit_place *p);
/*
 * The peer is proven: what is counted at `p` (its connection, not a
 * handshake) counts for it as well.  ADIT_ENOMEM; ADIT_EFULL: *why says
 * which cap of the peer's.
 */
ADIT_MUST_USE adit_err adit_caps_prove(struct adit_caps *c,
                                       struct adit_place *p,
                                       const struct adit_peerid *peer,
                                       struct adit_refusal *why);
/* Another reference to where `from` is; end with _leave as well. */
void adit_caps_copy(struct adit_caps *c, const struct adit_place *from,
                    struct adit_place *to);
/* Zeroes it; fine on a zeroed one. */
void adit_caps_leave(struct adit_caps *c, struct adit_place *p);

/* One more.  ADIT_EFULL: *why says which cap; nothing was counted. */
ADIT_MUST_USE adit_err adit_caps_take(struct adit_caps *c,
                                      enum adit_cap_thing thing,
                                      const struct adit_place *p,
                                      struct adit_refusal *why);
/* Counted whatever the caps say: a renewal, one that comes back. */
void adit_caps_force(struct adit_caps *c, enum adit_cap_thing thing,
                     const struct adit_place *p);
void adit_caps_give(struct adit_caps *c, enum adit_cap_thing thing,
                    const struct adit_place *p);

/* Scopes that are known; 0 when everything was given back. */
size_t adit_caps_n_entries(const struct adit_caps *c);

#endif
