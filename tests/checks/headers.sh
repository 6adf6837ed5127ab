# SPDX-License-Identifier: Apache-2.0 OR MIT
# Each header stands alone; the public ones also as C++11, with every warning.
. "${0%/*}/lib.sh"

# alone FLAGS HEADER: does a file of just this include compile?
alone() {
    # shellcheck disable=SC2086  # CC and the flags are lists
    echo "#include $2" | $CC $1 -fsyntax-only -Werror -o /dev/null - 2>&1
}

ours="-x c -std=c11 -Wall -Wextra $headers_CPPFLAGS"
as_c="-x c -std=c11 -pedantic -Wall -Wextra -Wconversion \
    -I$abs_top_srcdir/src/include"
as_cxx="-x c++ -std=c++11 -pedantic -Wall -Wextra -Wold-style-cast \
    -I$abs_top_srcdir/src/include"

cd "$abs_top_srcdir/src" || exit
bad=
while IFS= read -r h; do
    out=$(alone "$ours" "\"$h\"") || bad+="$out"$'\n'
done < <(find . -name include -prune -o -name '*.h' -printf '%P\n')
ok "each header of ours stands alone" $((${#bad} > 0)) "$bad"

bad=
for h in include/adit/*.h; do
    out=$(alone "$as_c" "<${h#include/}>") || bad+="$out"$'\n'
done
ok "the public headers are C11" $((${#bad} > 0)) "$bad"

if echo | $CC -x c++ -fsyntax-only - 2>/dev/null; then
    bad=
    for h in include/adit/*.h; do
        out=$(alone "$as_cxx" "<${h#include/}>") || bad+="$out"$'\n'
    done
    ok "the public headers are C++11" $((${#bad} > 0)) "$bad"
else
    skip "the public headers are C++11" "$CC compiles no C++"
fi

put a.h <<<'size_t adit_a(void);'
finds "a header that leans on another" 'size_t' \
    alone "-x c -std=c11" "\"$plant/a.h\""
finish
