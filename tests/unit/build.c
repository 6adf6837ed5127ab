/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The build itself: what every file may rely on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"

static void
test_has_version(void **state)
{
    (void)state;
    assert_string_equal(PACKAGE_NAME, "adit");
    assert_true(sizeof(PACKAGE_VERSION) > 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
