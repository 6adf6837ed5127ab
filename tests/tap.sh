#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# A test program's TAP, in which a case that was skipped has not failed:
# cmocka says "not ok 3 # SKIP test_x" of it.
set -o pipefail
"$@" | sed -u 's/^not ok \([0-9]* # SKIP\)/ok \1/'
