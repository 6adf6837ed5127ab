/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * conncap: how many connections and handshakes an address, and all of them,
 * may have before anybody is authenticated.
 *
 * An address is an IPv4 address or an IPv6 /64.  O(1); an address without
 * connections costs nothing.  Pure.  Thread: one owner.
 */
#ifndef ADIT_POLICY_CONNCAP_H
#define ADIT_POLICY_CONNCAP_H

#include "base/map.h"
#include "policy/rule.h"

/* 0 anywhere: no cap. */
struct adit_conncap_config {
    uint32_t conns_total, conns_per_ip;
    uint32_t handshakes_total, handshakes_per_ip;
};

struct adit_conncap {
    struct adit_mem *mem;
    struct adit_conncap_config cfg;
    struct adit_map ips;
    uint32_t n_conns, n_handshakes;
};

ADIT_MUST_USE adit_err adit_conncap_init(
    struct adit_conncap *c, struct adit_mem *mem, const struct adit_rng *rng,
    const struct adit_conncap_config *cfg);
void adit_conncap_fini(struct adit_conncap *c);

/* Caps changed; connections that are open stay. */
void adit_conncap_set(struct adit_conncap *c,
                      const struct adit_conncap_config *cfg);

/*
 * A connection from `ip` (its 4 or 16 bytes; empty counts in the totals
 * only), its handshake under way.
 *
 *   ADIT_OK      counted; end with _close
 *   ADIT_EFULL   *why says which cap
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_conncap_open(struct adit_conncap *c,
                                         struct adit_slice ip,
                                         struct adit_refusal *why);
/* It is authenticated now. */
void adit_conncap_handshake_done(struct adit_conncap *c, struct adit_slice ip);
/* It is gone. */
void adit_conncap_close(struct adit_conncap *c, struct adit_slice ip,
                        bool in_handshake);

#endif
