# SPDX-License-Identifier: Apache-2.0 OR MIT
# What `make install` made: programs that start, and a library that a program
# finds by pkg-config, shared and static.
# shellcheck shell=bash
set -eu
: "${CC:?run by make installcheck}" "${libdir:?}" "${bindir:?}"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir

cat >"$tmp/x.c" <<'C'
#include <adit/err.h>
#include <string.h>

int
main(void)
{
    return strcmp(adit_err_name(ADIT_OK), "OK") != 0;
}
C

# shellcheck disable=SC2046,SC2086  # lists of flags
$CC -o "$tmp/shared" "$tmp/x.c" $(pkg-config --cflags --libs adit)
"$tmp/shared"
if [ -e "$libdir/libadit.a" ]; then
    # shellcheck disable=SC2046,SC2086
    $CC -o "$tmp/static" "$tmp/x.c" $(pkg-config --cflags adit) \
        "$libdir/libadit.a" \
        $(pkg-config --static --libs adit | sed 's/-ladit\b//')
    LD_LIBRARY_PATH='' "$tmp/static"
fi
"$bindir/aditd" --version
"$bindir/adit" --version
