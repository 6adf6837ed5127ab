/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rule: the names of the rules by which something is refused.
 *
 * One refusal names one rule, the value that was reached and the limit; the
 * log line, the counter and the wire status are made from it elsewhere.
 */
#ifndef ADIT_POLICY_RULE_H
#define ADIT_POLICY_RULE_H

#include "base/err.h"

enum adit_rule {
    ADIT_RULE_NONE,
    ADIT_RULE_CONNS_TOTAL,
    ADIT_RULE_CONNS_PER_IP,
    ADIT_RULE_HANDSHAKES_TOTAL,
    ADIT_RULE_HANDSHAKES_PER_IP,
    ADIT_RULE_RSVP_TOTAL,
    ADIT_RULE_RSVP_PER_IP,
    ADIT_RULE_CIRCUITS_TOTAL,
    ADIT_RULE_CIRCUITS_PER_SRC,
    ADIT_RULE_CIRCUITS_PER_DST,
    ADIT_RULE_NO_RESERVATION, /* of the destination */
    ADIT_RULE_RELAYED,        /* asked over a relayed connection */
    ADIT_RULE_NO_ADDRESS,     /* the relay knows none of its own */
    ADIT_RULE_BUFFERS,        /* the node's buffers are nearly full */
    ADIT_RULE_CLOSING,        /* the relay shuts down */
    ADIT_RULE_MALFORMED,
    ADIT_RULE_STOP_FAILED, /* the destination did not take it */
};

struct adit_refusal {
    enum adit_rule rule;
    uint64_t value; /* what it would have been, or is */
    uint64_t limit;
};

/* "reservations_per_ip" for example; static. */
const char *adit_rule_name(enum adit_rule rule);

#endif
