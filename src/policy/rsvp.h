/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rsvp: the reservation table, and the circuits of its peers.
 *
 * One reservation per peer.  A renewal replaces and can never fail for
 * fullness.  A peer that disconnects keeps its slot for a short grace.
 * Everything is O(1) but for the deadlines' heap.  Peers are counted as
 * source and as destination of circuits whether or not they hold a
 * reservation; one with neither costs nothing.
 * Pure: told the time.  Thread: one owner.
 */
#ifndef ADIT_POLICY_RSVP_H
#define ADIT_POLICY_RSVP_H

#include "base/heap.h"
#include "base/map.h"
#include "codec/peerid.h"
#include "policy/rule.h"

/* 0 in a cap: no cap. */
struct adit_rsvp_config {
    uint32_t max_total;
    uint32_t max_per_ip; /* IPv4 address or IPv6 /64 */
    int64_t ttl_us;
    int64_t grace_us; /* after a disconnect */
    uint32_t circuits_total;
    uint32_t circuits_per_src;
    uint32_t circuits_per_dst;
};

struct adit_rsvp; /* the table */

/* ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_rsvp_new(struct adit_mem *mem,
                                     const struct adit_rng *rng,
                                     const struct adit_rsvp_config *cfg,
                                     struct adit_rsvp **out);
void adit_rsvp_free(struct adit_rsvp *t);
void adit_rsvp_set(struct adit_rsvp *t, const struct adit_rsvp_config *cfg);

/*
 * Reserve or renew for `peer`, seen from `ip` (4 or 16 bytes, or empty).
 *
 *   ADIT_OK      it holds until *until; *renewed says which it was
 *   ADIT_EFULL   *why says which cap; a renewal never answers this
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_rsvp_reserve(
    struct adit_rsvp *t, const struct adit_peerid *peer, struct adit_slice ip,
    struct adit_instant now, struct adit_instant *until, bool *renewed,
    struct adit_refusal *why);

/* Does it hold one at `now`? */
bool adit_rsvp_has(const struct adit_rsvp *t, const struct adit_peerid *peer,
                   struct adit_instant now);

/* Its last connection is gone: the slot is kept for the grace.  Fine if it
 * holds none. */
void adit_rsvp_disconnected(struct adit_rsvp *t,
                            const struct adit_peerid *peer,
                            struct adit_instant now);

/* It holds one no more, at once.  Fine if it holds none. */
void adit_rsvp_drop(struct adit_rsvp *t, const struct adit_peerid *peer);

/*
 * Open a circuit.  ADIT_EFULL: *why says which cap.  ADIT_ENORESERVATION:
 * the destination holds none.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_rsvp_connect(struct adit_rsvp *t,
                                         const struct adit_peerid *src,
                                         const struct adit_peerid *dst,
                                         struct adit_instant now,
                                         struct adit_refusal *why);
/* A circuit that _connect counted is over. */
void adit_rsvp_disconnect(struct adit_rsvp *t, const struct adit_peerid *src,
                          const struct adit_peerid *dst);

/* The next deadline, and what to do then; returns how many expired, each
 * told to `expired` (may be NULL). */
struct adit_instant adit_rsvp_due(const struct adit_rsvp *t);
size_t adit_rsvp_tick(struct adit_rsvp *t, struct adit_instant now,
                      void (*expired)(void *ctx,
                                      const struct adit_peerid *peer),
                      void *ctx);

uint32_t adit_rsvp_n(const struct adit_rsvp *t);
uint32_t adit_rsvp_n_circuits(const struct adit_rsvp *t);
/* Entries of any kind; 0 when nothing is held and no circuit is open. */
size_t adit_rsvp_n_entries(const struct adit_rsvp *t);

#endif
