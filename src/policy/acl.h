/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * acl: peer ids, subnets and autonomous systems, each with a tag: which
 * class, allowed or denied.
 *
 * Of subnets the longest that matches counts.  Lookups are O(1) for peers
 * and systems, O(different prefix lengths) for addresses.
 * Pure.  Thread: one owner; looking up changes nothing.
 */
#ifndef ADIT_POLICY_ACL_H
#define ADIT_POLICY_ACL_H

#include "base/mem.h"
#include "base/rng.h"
#include "codec/peerid.h"
#include "policy/prefix.h"

struct adit_acl;

#define ADIT_ACL_NONE (-1)

/* What may stand in a list. */
enum { ADIT_ACL_PEERS = 1, ADIT_ACL_SUBNETS = 2, ADIT_ACL_ASNS = 4 };

#define ADIT_ACL_WHY_BYTES 128

ADIT_MUST_USE adit_err adit_acl_new(struct adit_mem *mem,
                                    const struct adit_rng *rng,
                                    struct adit_acl **out);
void adit_acl_free(struct adit_acl *a);

/*
 * Add one item: a peer id as text, "192.0.2.0/24" or "2001:db8::/32" (a bare
 * address is itself alone), "AS64500" or "64500"; of the kinds of `kinds`.
 * What is there already gets the new tag.
 *
 *   ADIT_EINVAL  `why` says what was expected
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_acl_add(struct adit_acl *a, struct adit_slice item,
                                    int kinds, uint8_t tag,
                                    char why[ADIT_ACL_WHY_BYTES]);

/*
 * Add all of a file's text: an item a line; blanks around it and what is
 * behind # are ignored.  ADIT_EINVAL: `why`, and *line (from 1).
 */
ADIT_MUST_USE adit_err adit_acl_add_text(struct adit_acl *a,
                                         struct adit_slice text, int kinds,
                                         uint8_t tag, size_t *line,
                                         char why[ADIT_ACL_WHY_BYTES]);

/* The tag, or ADIT_ACL_NONE. */
int adit_acl_peer(const struct adit_acl *a, const struct adit_peerid *peer);
int adit_acl_ip(const struct adit_acl *a, struct adit_slice ip);
int adit_acl_asn(const struct adit_acl *a, uint32_t asn);

size_t adit_acl_n(const struct adit_acl *a);

#endif
