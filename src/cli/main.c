/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * adit: says which version it is.
 */
#include "config.h"

#include <stdio.h>

int
main(void)
{
    return puts("adit " PACKAGE_VERSION) < 0;
}
