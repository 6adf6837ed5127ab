# SPDX-License-Identifier: Apache-2.0 OR MIT
# libFuzzer's targets: each replays its corpus, and then, if FUZZ_SECONDS says
# so, looks for new inputs that long.  TAP, one case a target.
# shellcheck shell=bash
set -u
: "${abs_top_srcdir:?run by make}" "${abs_top_builddir:?}" "${fuzz_targets?}"

n=0
seconds=${FUZZ_SECONDS:-0}
found=$abs_top_builddir/fuzz-findings
mkdir -p "$found"
status=0

for target in $fuzz_targets; do
    name=${target##*/}
    n=$((n + 1))
    corpus=$abs_top_srcdir/tests/fuzz/corpus/$name
    new=$abs_top_builddir/fuzz-corpus/$name
    dirs=("$new")
    mkdir -p "$new"
    [ ! -d "$corpus" ] || dirs+=("$corpus")
    if [ "$seconds" -gt 0 ]; then
        how=(-max_total_time="$seconds")
    else
        how=(-runs=0)
    fi
    if out=$("$abs_top_builddir/$target" "${how[@]}" -rss_limit_mb=2048 \
        -timeout=25 -artifact_prefix="$found/$name-" "${dirs[@]}" 2>&1); then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        tail -n 60 <<<"$out" | sed 's/^/# /'
        status=1
    fi
done
if [ "$n" -eq 0 ]; then
    echo "1..0 # SKIP there is no target"
else
    echo "1..$n"
fi
# In make check the driver reads the cases; make fuzz looks at this.
[ "$seconds" -eq 0 ] || exit "$status"
