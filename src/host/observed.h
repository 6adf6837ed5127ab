/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * observed: which address strangers reach us at, by what they say.
 *
 * A peer that dialled us tells in identify the address it dialled.  Behind a
 * 1:1 NAT or in a container we know it from nobody else.  One peer may lie,
 * so an address counts when peers from ADIT_OBSERVED_QUORUM different
 * networks (IPv4 /16, IPv6 /32) have named it; each peer's network has one
 * vote.  What nobody repeats is forgotten when room is needed.
 * Bounded; no memory of its own.  Thread: one worker.
 */
#ifndef ADIT_HOST_OBSERVED_H
#define ADIT_HOST_OBSERVED_H

#include "net/addr.h"

/* go wants four distinct observers (2026-07); a small relay has few. */
#define ADIT_OBSERVED_QUORUM 3

/* Candidates at once; a node has one or two, the rest are lies. */
#define ADIT_OBSERVED_MAX 8

struct adit_observed_addr {
    struct adit_endpoint at;
    uint8_t n_votes;
    uint8_t n_bytes[ADIT_OBSERVED_QUORUM];
    uint8_t voter[ADIT_OBSERVED_QUORUM][ADIT_PREFIX_KEY_MAX_BYTES];
    uint32_t heard; /* when, on `clock` below */
};

struct adit_observed {
    uint32_t clock;
    size_t n;
    struct adit_observed_addr v[ADIT_OBSERVED_MAX];
};

/*
 * The peer at `from` says that it reached us at `at`.  True: that address
 * has its quorum just now.  What is not a global unicast address is not
 * counted, nor what `from` could only know from inside a site.
 */
bool adit_observed_add(struct adit_observed *o, const struct adit_endpoint *at,
                       const struct adit_endpoint *from);

/* The i-th address that has its quorum; NULL: there are no more. */
const struct adit_endpoint *adit_observed_at(const struct adit_observed *o,
                                             size_t i);

#endif
