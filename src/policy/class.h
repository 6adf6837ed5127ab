/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * class: which limits for whom: the terms of a class of peers, and what
 * holds between the two ends of a circuit.
 *
 * Values without pointers; 0 in a cap, a rate, a quota or a limit: none.
 * Pure.  Thread: any.
 */
#ifndef ADIT_POLICY_CLASS_H
#define ADIT_POLICY_CLASS_H

#include "base/err.h"
#include "base/time.h"

#define ADIT_MAX_CLASSES 12
#define ADIT_CLASS_NAME_MAX_BYTES 32

/* In place of a class: there is none. */
#define ADIT_NO_CLASS 0xff

/*
 * What announce_limit announces, and keeps, where there is no limit: a leap
 * year, since whole thousands of seconds are what a reader takes for js's
 * milliseconds (wire/circuit/status.h).
 */
#define ADIT_ANNOUNCED_S (366 * 86400)
#define ADIT_ANNOUNCED_BYTES (UINT64_C(1) << 50)

struct adit_class {
    char name[ADIT_CLASS_NAME_MAX_BYTES];
    bool may_reserve;
    bool announce_limit;
    uint8_t over_quota;  /* the class that those fall into; ADIT_NO_CLASS:
                            refuse */
    uint32_t may_dial;   /* bit i: class i */
    uint32_t dialled_by; /* likewise */
    int64_t rsvp_ttl_us;
    uint32_t rsvp_max; /* held by all peers of it */
    uint32_t rsvps_per_hour, circuits_per_hour;
    uint32_t circuits_in, circuits_out, circuits; /* of one peer */
    uint32_t circuit_s;
    uint64_t circuit_bytes; /* each way */
    uint64_t circuit_bytes_s, peer_bytes_s;
    uint64_t day_bytes, month_bytes;
};

/* What one circuit gets. */
struct adit_circuit_terms {
    uint32_t duration_s;
    uint64_t data_bytes; /* each way */
    uint64_t bytes_s;
};

/* May a peer of `src` dial one of `dst`?  By their indices. */
bool adit_class_may_dial(const struct adit_class *v, uint8_t src, uint8_t dst);

/* What a peer of `c` is told when it reserves. */
struct adit_circuit_terms adit_class_terms(const struct adit_class *c);

/* Limit by limit the one that bites first; 0 is none. */
struct adit_circuit_terms adit_terms_narrow(struct adit_circuit_terms a,
                                            struct adit_circuit_terms b);

/*
 * What a circuit gets: the narrower of both ends, or the wider.  Where one
 * end has no limit and the other announces one for none, so does the circuit.
 */
struct adit_circuit_terms adit_terms_join(struct adit_circuit_terms src,
                                          struct adit_circuit_terms dst,
                                          bool is_wider);

#endif
