# SPDX-License-Identifier: Apache-2.0 OR MIT
# One cmocka program per module.  A new tests/unit/codec/x.c is one line here:
# check_PROGRAMS += %D%/codec/x
check_PROGRAMS += %D%/build
