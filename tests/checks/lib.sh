# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the checks share: TAP, and a folder for planted faults.
# shellcheck shell=bash
set -u
: "${abs_top_srcdir:?run by make check}" "${abs_top_builddir:?}"

n=0
tools=$abs_top_srcdir/tools
plant=$(mktemp -d)
trap 'rm -rf "$plant"' EXIT

# ok WHAT STATUS [TEXT]: one case; TEXT is shown if it failed.
ok() {
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        [ -z "${3:-}" ] || sed 's/^/# /' <<<"$3"
    fi
}

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# clean WHAT COMMAND...: the command finds nothing (77: it cannot judge this).
clean() {
    local what=$1 out status
    shift
    out=$("$@" 2>&1)
    status=$?
    if [ "$status" -eq 77 ]; then
        skip "$what" "$out"
    else
        ok "$what" "$status" "$out"
    fi
}

# finds WHAT PATTERN COMMAND...: the command exits 1 and says PATTERN.
finds() {
    local what="planted: $1" pattern=$2 out status
    shift 2
    out=$("$@" 2>&1)
    status=$?
    [ "$status" -eq 1 ] && grep -qE -- "$pattern" <<<"$out"
    ok "$what" $? "exit $status, wanted 1 and /$pattern/: $out"
}

# put PATH: standard input becomes that file below $plant.
put() {
    mkdir -p "$(dirname "$plant/$1")"
    cat >"$plant/$1"
}

finish() {
    echo "1..$n"
}
