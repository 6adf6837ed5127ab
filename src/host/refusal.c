/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/refusal.h"

enum adit_circuit_status
adit_refusal_status(enum adit_rule rule)
{
    switch (rule) {
    case ADIT_RULE_NO_RESERVATION:
        return ADIT_CIRCUIT_NO_RESERVATION;
    case ADIT_RULE_DENIED:
    case ADIT_RULE_NOT_ALLOWED:
    case ADIT_RULE_BANNED:
    case ADIT_RULE_CLASS_RESERVE:
    case ADIT_RULE_CLASS_DIAL:
    case ADIT_RULE_ADMISSION:
    case ADIT_RULE_RELAYED:
        return ADIT_CIRCUIT_PERMISSION_DENIED;
    case ADIT_RULE_NONE:
    case ADIT_RULE_ADMISSION_FAILED:
    case ADIT_RULE_DRAINING:
    case ADIT_RULE_NO_ADDRESS:
    case ADIT_RULE_CLOSING:
        return ADIT_CIRCUIT_RESERVATION_REFUSED;
    case ADIT_RULE_MALFORMED:
        return ADIT_CIRCUIT_MALFORMED_MESSAGE;
    case ADIT_RULE_STOP_FAILED:
        return ADIT_CIRCUIT_CONNECTION_FAILED;
    default: /* every other is a limit */
        return ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED;
    }
}

void
adit_refusal_count_rule(struct adit_metrics *m, enum adit_rule rule)
{
    /* One counter a rule, in the rules' order. */
    adit_metric_add(
        m, ADIT_M_REFUSED_CONNS_PER_PEER + (rule - ADIT_RULE_CONNS_PER_PEER),
        1);
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
        if (rule == ADIT_RULE_RSVP_PER_IP || rule == ADIT_RULE_RSVP_PER_48 ||
            rule == ADIT_RULE_RSVP_PER_ASN)
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
    adit_refusal_count_rule(m, rule);
}

/* FNV-1a: who collides shares a slot, and so a line; nothing more. */
static uint64_t
slot_key(const struct adit_endpoint *from, enum adit_rule rule)
{
    uint8_t prefix[ADIT_PREFIX_KEY_MAX_BYTES];
    size_t n = adit_endpoint_prefix(from, 32, 64, prefix);
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)rule;

    for (size_t i = 0; i < n; i++)
        h = (h ^ prefix[i]) * UINT64_C(0x100000001b3);
    return h * UINT64_C(0x100000001b3);
}

void
adit_refusal_say(struct adit_refusal_log *rl, const struct adit_log *log,
                 struct adit_metrics *m, uint64_t now_s, const char *peer,
                 const struct adit_endpoint *from,
                 const struct adit_refusal *why)
{
    uint64_t key = slot_key(from, why->rule);
    size_t i = (size_t)(key >> 32) % ADIT_REFUSAL_LOG_SLOTS;
    char at[ADIT_ENDPOINT_TEXT_BYTES];
    struct adit_log_line l;
    uint32_t n = 1;

    if (rl->second != now_s) {
        rl->second = now_s;
        rl->n_lines = 0;
    }
    if ((rl->slot[i].key == key && rl->slot[i].second == now_s) ||
        rl->n_lines >= ADIT_REFUSAL_MAX_LINES_S) {
        rl->slot[i].n_swallowed += rl->slot[i].key == key;
        adit_metric_add(m, ADIT_M_LOG_SWALLOWED, 1);
        return;
    }
    if (rl->slot[i].key == key)
        n += rl->slot[i].n_swallowed;
    rl->slot[i].key = key;
    rl->slot[i].second = now_s;
    rl->slot[i].n_swallowed = 0;
    rl->n_lines++;
    if (!adit_log_open(&l, log, ADIT_LOG_INFO, "relay.refused"))
        return;
    adit_log_str(&l, "peer", peer);
    adit_log_str(&l, "addr", adit_endpoint_show(from, rl->shown, at));
    adit_log_str(&l, "rule", adit_rule_name(why->rule));
    adit_log_u64(&l, "value", why->value);
    adit_log_u64(&l, "limit", why->limit);
    adit_log_u64(&l, "retry_s", why->retry_s);
    adit_log_u64(&l, "n", n);
    adit_log_close(&l);
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
