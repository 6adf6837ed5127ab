/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/refusal.h"

enum adit_circuit_status
adit_refusal_status(enum adit_rule rule)
{
    switch (rule) {
    case ADIT_RULE_CONNS_TOTAL:
    case ADIT_RULE_CONNS_PER_IP:
    case ADIT_RULE_HANDSHAKES_TOTAL:
    case ADIT_RULE_HANDSHAKES_PER_IP:
    case ADIT_RULE_RSVP_TOTAL:
    case ADIT_RULE_RSVP_PER_IP:
    case ADIT_RULE_CIRCUITS_TOTAL:
    case ADIT_RULE_CIRCUITS_PER_SRC:
    case ADIT_RULE_CIRCUITS_PER_DST:
    case ADIT_RULE_BUFFERS:
        return ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED;
    case ADIT_RULE_NO_RESERVATION:
        return ADIT_CIRCUIT_NO_RESERVATION;
    case ADIT_RULE_RELAYED:
        return ADIT_CIRCUIT_PERMISSION_DENIED;
    case ADIT_RULE_NO_ADDRESS:
    case ADIT_RULE_CLOSING:
        return ADIT_CIRCUIT_RESERVATION_REFUSED;
    case ADIT_RULE_MALFORMED:
        return ADIT_CIRCUIT_MALFORMED_MESSAGE;
    case ADIT_RULE_STOP_FAILED:
        return ADIT_CIRCUIT_CONNECTION_FAILED;
    case ADIT_RULE_NONE:
        break;
    }
    return ADIT_CIRCUIT_RESERVATION_REFUSED;
}

void
adit_refusal_count(struct adit_metrics *m, bool to_connect,
                   enum adit_rule rule)
{
    enum adit_metric status =
        to_connect ? ADIT_M_CONNECT_ST_REJECTED : ADIT_M_RSVP_ST_REJECTED;
    enum adit_metric reason = ADIT_M_RSVP_REJ_DENIED;

    switch (adit_refusal_status(rule)) {
    case ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
        if (rule == ADIT_RULE_RSVP_PER_IP)
            reason = ADIT_M_RSVP_REJ_IP;
        else
            reason =
                to_connect ? ADIT_M_CONNECT_REJ_LIMIT : ADIT_M_RSVP_REJ_LIMIT;
        break;
    case ADIT_CIRCUIT_NO_RESERVATION:
        reason = ADIT_M_CONNECT_REJ_NO_RSVP;
        break;
    case ADIT_CIRCUIT_MALFORMED_MESSAGE:
    case ADIT_CIRCUIT_UNEXPECTED_MESSAGE:
        status = to_connect ? ADIT_M_CONNECT_ST_ERROR : ADIT_M_RSVP_ST_ERROR;
        reason = to_connect ? ADIT_M_CONNECT_REJ_MALFORMED
                            : ADIT_M_RSVP_REJ_MALFORMED;
        break;
    case ADIT_CIRCUIT_CONNECTION_FAILED:
        status = ADIT_M_CONNECT_ST_ERROR;
        reason = ADIT_M_CONNECT_FAILED;
        break;
    case ADIT_CIRCUIT_PERMISSION_DENIED:
    case ADIT_CIRCUIT_RESERVATION_REFUSED:
    case ADIT_CIRCUIT_UNUSED:
    case ADIT_CIRCUIT_OK:
        reason =
            to_connect ? ADIT_M_CONNECT_REJ_DENIED : ADIT_M_RSVP_REJ_DENIED;
        break;
    }
    adit_metric_add(m, status, 1);
    adit_metric_add(m, reason, 1);
}

adit_err
adit_refusal_err(uint32_t status)
{
    switch (status) {
    case ADIT_CIRCUIT_RESERVATION_REFUSED:
    case ADIT_CIRCUIT_PERMISSION_DENIED:
        return ADIT_EDENIED;
    case ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
        return ADIT_EFULL;
    case ADIT_CIRCUIT_CONNECTION_FAILED:
        return ADIT_EUNREACHABLE;
    case ADIT_CIRCUIT_NO_RESERVATION:
        return ADIT_ENORESERVATION;
    default:
        return ADIT_EPROTO;
    }
}
