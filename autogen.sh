#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Makes ./configure from configure.ac.  Needed in a checkout only: a release
# tarball has it already.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux m4
exec autoreconf --install --warnings=all,no-portability "$@"
