/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rsvp: the reservation table, and the circuits of its peers.
 *
 * One reservation per peer.  A renewal replaces and can never fail for
 * fullness.  A peer that disconnects keeps its slot for a short grace, and
 * takes it back if it returns in time.  How many there may be say the caps
 * (policy/caps.h) of where the peer is, and its class.
 * Everything is O(1) but for the deadlines' heap.  Peers are counted as
 * source and as destination of circuits whether or not they hold a
 * reservation; one with neither costs nothing.
 * Pure: told the time.  Thread: one owner.
 */
#ifndef ADIT_POLICY_RSVP_H
#define ADIT_POLICY_RSVP_H

#include "base/heap.h"
#include "policy/caps.h"
#include "policy/class.h"

struct adit_rsvp; /* the table */

/*
 * `caps` is borrowed; `grace_us` is how long a slot is kept after a
 * disconnect.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_rsvp_new(struct adit_mem *mem,
                                     const struct adit_rng *rng,
                                     struct adit_caps *caps, int64_t grace_us,
                                     struct adit_rsvp **out);
/* Gives back what its reservations took; circuits must be over.  NULL is
 * fine. */
void adit_rsvp_free(struct adit_rsvp *t);

/* Of those that disconnect from now on. */
void adit_rsvp_set_grace(struct adit_rsvp *t, int64_t grace_us);

/*
 * A reload gave classes other indices: map[old] is the new one, ADIT_NO_CLASS
 * if it is gone (what was reserved in it stays, counted in none).  O(n).
 */
void adit_rsvp_remap(struct adit_rsvp *t,
                     const uint8_t map[static ADIT_MAX_CLASSES]);

/* Of the peer's class. */
struct adit_rsvp_terms {
    int64_t ttl_us;
    uint8_t cls;      /* or ADIT_NO_CLASS */
    uint32_t cls_max; /* reservations in it; 0: no cap */
};

/*
 * Reserve or renew for `peer`, who is at `at` (which it keeps a copy of).  A
 * renewal moves to the place and to the class of now.
 *
 *   ADIT_OK      it holds until *until; *renewed says which it was
 *   ADIT_EFULL   *why says which cap; a renewal never answers this
 *   ADIT_ENOMEM  nor this
 */
ADIT_MUST_USE adit_err adit_rsvp_reserve(
    struct adit_rsvp *t, const struct adit_peerid *peer,
    const struct adit_place *at, const struct adit_rsvp_terms *terms,
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

/* Circuits of the two peers, as their classes say; 0: no cap. */
struct adit_circuit_caps {
    uint32_t src_out, src_all; /* of the source: as source, in all */
    uint32_t dst_in, dst_all;  /* of the destination: as such, in all */
};

/*
 * Open a circuit; it is counted where its source is.  ADIT_EFULL: *why says
 * which cap.  ADIT_ENORESERVATION: the destination holds none, *why says so
 * too.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_rsvp_connect(struct adit_rsvp *t,
                                         const struct adit_peerid *src,
                                         const struct adit_peerid *dst,
                                         const struct adit_place *src_at,
                                         const struct adit_circuit_caps *caps,
                                         struct adit_instant now,
                                         struct adit_refusal *why);
/* A circuit that _connect counted is over; `src_at` is the same place, of
 * which the caller kept a copy. */
void adit_rsvp_disconnect(struct adit_rsvp *t, const struct adit_peerid *src,
                          const struct adit_peerid *dst,
                          const struct adit_place *src_at);

struct adit_rsvp_info {
    bool has;                  /* a reservation */
    struct adit_instant until; /* of it; ADIT_NEVER if there is none */
    uint32_t n_src, n_dst;     /* circuits, as source and as destination */
    uint8_t cls;               /* of its reservation, or ADIT_NO_CLASS */
};

/* What the table knows of a peer; false: nothing. */
bool adit_rsvp_get(const struct adit_rsvp *t, const struct adit_peerid *peer,
                   struct adit_instant now, struct adit_rsvp_info *out);

/* The next deadline, and what to do then; returns how many expired, each
 * told to `expired` (may be NULL). */
struct adit_instant adit_rsvp_due(const struct adit_rsvp *t);
size_t adit_rsvp_tick(struct adit_rsvp *t, struct adit_instant now,
                      void (*expired)(void *ctx,
                                      const struct adit_peerid *peer),
                      void *ctx);

uint32_t adit_rsvp_n(const struct adit_rsvp *t);
/* Held in this class. */
uint32_t adit_rsvp_n_of(const struct adit_rsvp *t, uint8_t cls);
uint32_t adit_rsvp_n_circuits(const struct adit_rsvp *t);
/* Peers of any kind; 0 when nothing is held and no circuit is open. */
size_t adit_rsvp_n_entries(const struct adit_rsvp *t);

#endif
