/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * reserve: hold a reservation on one relay, for as long as we live.
 *
 * One explicit machine per relay: connecting, reserving, reserved, backing
 * off.  A configured relay is never forgotten: whatever happens it is tried
 * again, with jittered backoff.  A renewal that fails changes nothing until
 * the reservation itself is over.  Every transition is an event.
 * Thread: one worker.
 */
#ifndef ADIT_HOST_RESERVE_H
#define ADIT_HOST_RESERVE_H

#include "host/connect.h"
#include "wire/circuit/status.h"

/* Circuit addresses of one reservation. */
#define ADIT_RESERVE_MAX_ADDRS 8

enum adit_reserve_state {
    ADIT_RESERVE_CONNECTING,
    ADIT_RESERVE_ASKING,
    ADIT_RESERVE_HELD,
    ADIT_RESERVE_BACKOFF,
};

struct adit_reserve;

struct adit_reserve_events {
    /* Granted, or renewed.  See _addrs, _expire, _limit. */
    void (*on_reserved)(void *ctx, struct adit_reserve *r, bool renewed);
    /*
     * Not, or no longer, reserved; the next try is in `retry_us`.  `status`
     * is the relay's, or 0.
     */
    void (*on_lost)(void *ctx, struct adit_reserve *r, adit_err why,
                    uint32_t status, const char *text, int64_t retry_us);
};

/*
 * Reserve on the relay at `addrs`, which must name it (/p2p).  Nothing is
 * called inside this call.  ADIT_EINVAL: an address names no relay;
 * ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_reserve_new(struct adit_host *h,
                                        const struct adit_maddr *addrs,
                                        size_t n,
                                        const struct adit_reserve_events *ev,
                                        void *ctx, struct adit_reserve **out);
/* Gives the slot up by closing nothing: it expires, or the peer goes. */
void adit_reserve_free(struct adit_reserve *r);

enum adit_reserve_state adit_reserve_state(const struct adit_reserve *r);
const struct adit_peerid *adit_reserve_relay(const struct adit_reserve *r);
int64_t adit_reserve_expire_unix_s(const struct adit_reserve *r);
const struct adit_circuit_limit *adit_reserve_limit(
    const struct adit_reserve *r);
/* Where others dial us, each ending in /p2p-circuit; n = 0 unless held. */
const struct adit_maddr *adit_reserve_addrs(const struct adit_reserve *r,
                                            size_t *n);

/* Does any of the host's reservations lie with this relay? */
bool adit_reserve_is_relay(const struct adit_host *h,
                           const struct adit_peerid *id);

#endif
