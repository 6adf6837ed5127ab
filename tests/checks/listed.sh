# SPDX-License-Identifier: Apache-2.0 OR MIT
# No file of ours is forgotten: each is named in a local.mk, hence built, and
# in the tarball.
. "${0%/*}/lib.sh"

# What the checkout has and Makefile.in does not name.
check() {
    local f missing=0
    cd "$1" || return 2
    while IFS= read -r f; do
        if ! grep -qF -- "${f#./}" Makefile.in; then
            echo "${f#./} is in no local.mk"
            missing=1
        fi
    done < <(find ./src ./tests ./proto -path ./tests/interop -prune -o \
        \( -name '*.[ch]' -o -name '*.proto' -o -path './tests/*.sh' \) \
        ! -name '*.pb-c.[ch]' -print)
    return $missing
}

clean "every file is in a local.mk" check "$abs_top_srcdir"
put Makefile.in <<<'src/base/a.c tests/unit/a.c'
put src/base/a.c <<<''
put tests/unit/a.c <<<''
put proto/b.pb-c.h <<<''
clean "an orderly tree has no finding" check "$plant"
put src/base/b.c <<<''
finds "a file that nobody builds" 'src/base/b.c is in no local.mk' \
    check "$plant"
finish
