/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/rule.h"

const char *
adit_rule_name(enum adit_rule rule)
{
    switch (rule) {
    case ADIT_RULE_NONE:
        return "none";
    case ADIT_RULE_CONNS_TOTAL:
        return "connections";
    case ADIT_RULE_CONNS_PER_IP:
        return "connections_per_ip";
    case ADIT_RULE_HANDSHAKES_TOTAL:
        return "handshakes";
    case ADIT_RULE_HANDSHAKES_PER_IP:
        return "handshakes_per_ip";
    case ADIT_RULE_RSVP_TOTAL:
        return "reservations";
    case ADIT_RULE_RSVP_PER_IP:
        return "reservations_per_ip";
    case ADIT_RULE_CIRCUITS_TOTAL:
        return "circuits";
    case ADIT_RULE_CIRCUITS_PER_SRC:
        return "circuits_per_source";
    case ADIT_RULE_CIRCUITS_PER_DST:
        return "circuits_per_destination";
    case ADIT_RULE_NO_RESERVATION:
        return "no_reservation";
    case ADIT_RULE_RELAYED:
        return "relayed";
    case ADIT_RULE_NO_ADDRESS:
        return "no_address";
    case ADIT_RULE_BUFFERS:
        return "buffers";
    case ADIT_RULE_CLOSING:
        return "closing";
    case ADIT_RULE_MALFORMED:
        return "malformed";
    case ADIT_RULE_STOP_FAILED:
        return "stop_failed";
    }
    return "?";
}
