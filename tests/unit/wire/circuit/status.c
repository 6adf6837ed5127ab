/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "messages.h"

#include "wire/circuit/status.h"

/* The numbers are the specification's. */
static const struct {
    uint32_t status;
    const char *name;
    bool is_refusal;
} statuses[] = {
    { 0, "UNUSED", false },
    { 100, "OK", false },
    { 200, "RESERVATION_REFUSED", true },
    { 201, "RESOURCE_LIMIT_EXCEEDED", true },
    { 202, "PERMISSION_DENIED", true },
    { 203, "CONNECTION_FAILED", true },
    { 204, "NO_RESERVATION", true },
    { 400, "MALFORMED_MESSAGE", true },
    { 401, "UNEXPECTED_MESSAGE", true },
    { 205, "UNKNOWN", false },
    { UINT32_MAX, "UNKNOWN", false },
};

static void
test_statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(statuses); i++) {
        uint32_t s = statuses[i].status;

        assert_string_equal(adit_circuit_status_name(s), statuses[i].name);
        assert_int_equal(
            adit_circuit_status_is_refusal((enum adit_circuit_status)s),
            statuses[i].is_refusal);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
