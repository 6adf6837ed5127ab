/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * refusal: the one place where a rule becomes a circuit v2 status and a
 * counter, and a status an adit_err.
 *
 * rust clients know only OK, RESERVATION_REFUSED and RESOURCE_LIMIT_EXCEEDED
 * in answer to RESERVE; what they may meet is one of these where it can be.
 */
#ifndef ADIT_HOST_REFUSAL_H
#define ADIT_HOST_REFUSAL_H

#include "metrics/metrics.h"
#include "policy/rule.h"
#include "wire/circuit/status.h"

/* Us to a peer.  `rule` must not be NONE. */
enum adit_circuit_status adit_refusal_status(enum adit_rule rule);

/* Count it, as answer to CONNECT or to RESERVE. */
void adit_refusal_count(struct adit_metrics *m, bool to_connect,
                        enum adit_rule rule);

/* A relay to us: any status but OK. */
adit_err adit_refusal_err(uint32_t status);

#endif
