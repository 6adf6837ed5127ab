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

#include "base/log.h"
#include "metrics/metrics.h"
#include "net/addr.h"
#include "policy/rule.h"
#include "wire/circuit/status.h"

/* Us to a peer.  `rule` must not be NONE. */
enum adit_circuit_status adit_refusal_status(enum adit_rule rule);

/* Count it, as answer to CONNECT or to RESERVE. */
void adit_refusal_count(struct adit_metrics *m, bool to_connect,
                        enum adit_rule rule);

/* The rule's own counter alone; for what is no answer to a request. */
void adit_refusal_count_rule(struct adit_metrics *m, enum adit_rule rule);

/*
 * The line `relay.refused`, which a stranger can cause and an operator wants
 * (fail2ban reads it): at most one per address and rule and second, `n` says
 * how many there were, and at most MAX_LINES_S in all.
 */
#define ADIT_REFUSAL_LOG_SLOTS 256
#define ADIT_REFUSAL_MAX_LINES_S 100

struct adit_refusal_log {
    enum adit_addr_shown shown; /* of addresses */
    uint64_t second;
    uint32_t n_lines; /* in this second */
    struct {
        uint64_t key, second;
        uint32_t n_swallowed;
    } slot[ADIT_REFUSAL_LOG_SLOTS];
};

/* `peer` is text, "" before it is proven. */
void adit_refusal_say(struct adit_refusal_log *rl, const struct adit_log *log,
                      struct adit_metrics *m, uint64_t now_s, const char *peer,
                      const struct adit_endpoint *from,
                      const struct adit_refusal *why);

/* A relay to us: any status but OK. */
adit_err adit_refusal_err(uint32_t status);

#endif
