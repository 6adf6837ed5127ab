/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/circuit/status.h"

#define DAY_S 86400

const char *
adit_circuit_status_name(uint32_t status)
{
    switch (status) {
    case ADIT_CIRCUIT_UNUSED:
        return "UNUSED";
    case ADIT_CIRCUIT_OK:
        return "OK";
    case ADIT_CIRCUIT_RESERVATION_REFUSED:
        return "RESERVATION_REFUSED";
    case ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
        return "RESOURCE_LIMIT_EXCEEDED";
    case ADIT_CIRCUIT_PERMISSION_DENIED:
        return "PERMISSION_DENIED";
    case ADIT_CIRCUIT_CONNECTION_FAILED:
        return "CONNECTION_FAILED";
    case ADIT_CIRCUIT_NO_RESERVATION:
        return "NO_RESERVATION";
    case ADIT_CIRCUIT_MALFORMED_MESSAGE:
        return "MALFORMED_MESSAGE";
    case ADIT_CIRCUIT_UNEXPECTED_MESSAGE:
        return "UNEXPECTED_MESSAGE";
    }
    return "UNKNOWN";
}

bool
adit_circuit_status_is_refusal(enum adit_circuit_status status)
{
    switch (status) {
    case ADIT_CIRCUIT_UNUSED:
    case ADIT_CIRCUIT_OK:
        return false;
    case ADIT_CIRCUIT_RESERVATION_REFUSED:
    case ADIT_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
    case ADIT_CIRCUIT_PERMISSION_DENIED:
    case ADIT_CIRCUIT_CONNECTION_FAILED:
    case ADIT_CIRCUIT_NO_RESERVATION:
    case ADIT_CIRCUIT_MALFORMED_MESSAGE:
    case ADIT_CIRCUIT_UNEXPECTED_MESSAGE:
        return true;
    }
    return false;
}

uint32_t
adit_circuit_limit_s(const struct adit_circuit_limit *l)
{
    if (!l->has)
        return 0;
    return l->duration_s > DAY_S && l->duration_s % 1000 == 0
               ? l->duration_s / 1000
               : l->duration_s;
}
