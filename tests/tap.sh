# SPDX-License-Identifier: Apache-2.0 OR MIT
# tap.sh COMMAND...: run a test program.  cmocka 1.1.5 says "not ok N # SKIP"
# of a test that skips itself; what reads TAP wants "ok".
set -o pipefail
"$@" | sed -u 's/^not ok \([0-9]* # SKIP\)/ok \1/'
