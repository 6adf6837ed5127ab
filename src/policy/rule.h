/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rule: the names of the rules by which something is refused.
 *
 * One refusal names one rule, the value that was reached, the limit, and
 * when to ask again; the log line, the counter and the wire status are made
 * from it elsewhere.
 */
#ifndef ADIT_POLICY_RULE_H
#define ADIT_POLICY_RULE_H

#include "base/err.h"

/*
 * Y(X, symbol, name): X is handed through, for tables made from this one.
 * The caps come first, by thing and scope as policy/caps.h has them:
 * adit_rule_of_cap() counts on it.
 */
#define ADIT_RULES(Y, X)                                                      \
    Y(X, CONNS_PER_PEER, "connections_per_peer")                              \
    Y(X, CONNS_PER_IP, "connections_per_ip")                                  \
    Y(X, CONNS_PER_48, "connections_per_48")                                  \
    Y(X, CONNS_PER_ASN, "connections_per_asn")                                \
    Y(X, CONNS_TOTAL, "connections")                                          \
    Y(X, HANDSHAKES_PER_PEER, "handshakes_per_peer")                          \
    Y(X, HANDSHAKES_PER_IP, "handshakes_per_ip")                              \
    Y(X, HANDSHAKES_PER_48, "handshakes_per_48")                              \
    Y(X, HANDSHAKES_PER_ASN, "handshakes_per_asn")                            \
    Y(X, HANDSHAKES_TOTAL, "handshakes")                                      \
    Y(X, STREAMS_PER_PEER, "streams_per_peer")                                \
    Y(X, STREAMS_PER_IP, "streams_per_ip")                                    \
    Y(X, STREAMS_PER_48, "streams_per_48")                                    \
    Y(X, STREAMS_PER_ASN, "streams_per_asn")                                  \
    Y(X, STREAMS_TOTAL, "streams")                                            \
    Y(X, RSVP_PER_PEER, "reservations_per_peer")                              \
    Y(X, RSVP_PER_IP, "reservations_per_ip")                                  \
    Y(X, RSVP_PER_48, "reservations_per_48")                                  \
    Y(X, RSVP_PER_ASN, "reservations_per_asn")                                \
    Y(X, RSVP_TOTAL, "reservations")                                          \
    Y(X, CIRCUITS_PER_PEER, "circuits_per_peer")                              \
    Y(X, CIRCUITS_PER_IP, "circuits_per_ip")                                  \
    Y(X, CIRCUITS_PER_48, "circuits_per_48")                                  \
    Y(X, CIRCUITS_PER_ASN, "circuits_per_asn")                                \
    Y(X, CIRCUITS_TOTAL, "circuits")                                          \
    Y(X, CIRCUITS_PER_SRC, "circuits_per_source")                             \
    Y(X, CIRCUITS_PER_DST, "circuits_per_destination")                        \
    Y(X, RSVP_PER_CLASS, "reservations_per_class")                            \
    Y(X, RSVP_PER_HOUR, "reservations_per_hour")                              \
    Y(X, RSVP_PER_HOUR_IP, "reservations_per_hour_ip")                        \
    Y(X, CIRCUITS_PER_HOUR, "circuits_per_hour")                              \
    Y(X, CIRCUITS_PER_HOUR_IP, "circuits_per_hour_ip")                        \
    Y(X, QUOTA_DAY, "quota_day")                                              \
    Y(X, QUOTA_MONTH, "quota_month")                                          \
    Y(X, DENIED, "denied")           /* the deny list */                      \
    Y(X, NOT_ALLOWED, "not_allowed") /* not on the allow list */              \
    Y(X, BANNED, "banned")           /* by the operator */                    \
    Y(X, CLASS_RESERVE, "class_may_not_reserve")                              \
    Y(X, CLASS_DIAL, "class_may_not_dial")                                    \
    Y(X, ADMISSION, "admission")               /* the callback said no */     \
    Y(X, ADMISSION_FAILED, "admission_failed") /* it said nothing usable */   \
    Y(X, DRAINING, "draining")                                                \
    Y(X, NO_RESERVATION, "no_reservation") /* of the destination */           \
    Y(X, RELAYED, "relayed")       /* asked over a relayed connection */      \
    Y(X, NO_ADDRESS, "no_address") /* the relay knows none of its own */      \
    Y(X, BUFFERS, "buffers")       /* the node's are nearly full */           \
    Y(X, CLOSING, "closing")       /* the relay shuts down */                 \
    Y(X, MALFORMED, "malformed")                                              \
    Y(X, STOP_FAILED, "stop_failed") /* the destination did not take it */

enum adit_rule {
    ADIT_RULE_NONE,
#define ADIT_RULE_SYMBOL(X, sym, name) ADIT_RULE_##sym,
    ADIT_RULES(ADIT_RULE_SYMBOL, )
#undef ADIT_RULE_SYMBOL
        ADIT_N_RULES
};

struct adit_refusal {
    enum adit_rule rule;
    uint64_t value; /* what it would have been, or is */
    uint64_t limit;
    uint32_t retry_s; /* then it may go; 0: nobody knows, or never */
};

/* "reservations_per_ip" for example; static. */
const char *adit_rule_name(enum adit_rule rule);

#endif
