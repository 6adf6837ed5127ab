/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * status: the words that hop and stop share: names, statuses, limits.
 *
 * The numbers are the circuit relay v2 specification's.  Which error becomes
 * which status is decided in host, in one switch; here they are only named.
 * Pure.  Thread: any.
 */
#ifndef ADIT_WIRE_CIRCUIT_STATUS_H
#define ADIT_WIRE_CIRCUIT_STATUS_H

#include "base/err.h"
#include "codec/pb.h"

#define ADIT_HOP_ID "/libp2p/circuit/relay/0.2.0/hop"
#define ADIT_STOP_ID "/libp2p/circuit/relay/0.2.0/stop"

/* go, rust and js cap hop and stop messages there. */
#define ADIT_CIRCUIT_MAX_MSG_BYTES ADIT_PB_MAX_BYTES

/*
 * Values that a peer sends and we do not know are carried as numbers, so this
 * type appears only where we choose one.
 */
enum adit_circuit_status {
    ADIT_CIRCUIT_UNUSED = 0,
    ADIT_CIRCUIT_OK = 100,
    ADIT_CIRCUIT_RESERVATION_REFUSED = 200,
    ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED = 201,
    ADIT_CIRCUIT_PERMISSION_DENIED = 202,
    ADIT_CIRCUIT_CONNECTION_FAILED = 203,
    ADIT_CIRCUIT_NO_RESERVATION = 204,
    ADIT_CIRCUIT_MALFORMED_MESSAGE = 400,
    ADIT_CIRCUIT_UNEXPECTED_MESSAGE = 401,
};

/* "NO_RESERVATION" for example; "UNKNOWN" for what we do not know.  Static. */
const char *adit_circuit_status_name(uint32_t status);

/* Is it one of those above that refuse?  OK and UNUSED do not. */
bool adit_circuit_status_is_refusal(enum adit_circuit_status status);

/*
 * What a circuit may carry.  On the wire its mere presence makes go and js
 * treat the connection as limited, whatever the numbers say.
 */
struct adit_circuit_limit {
    bool has;            /* false: the field is absent, no limits apply */
    uint32_t duration_s; /* as the wire has it; 0: no limit of time */
    uint64_t data_bytes; /* each way; 0: no limit of bytes */
};

/*
 * The duration of a limit that a peer sent, in seconds.  js relays (2026-07)
 * write milliseconds, 120000 for two minutes: above a day we take whole
 * thousands for milliseconds.  0: no limit of time.
 */
uint32_t adit_circuit_limit_s(const struct adit_circuit_limit *l);

#endif
