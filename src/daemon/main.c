/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * aditd: says which version it is.
 */
#include "config.h"

#include <stdio.h>

int
main(void)
{
    return puts("aditd " PACKAGE_VERSION) < 0;
}
