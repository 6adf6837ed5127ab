# SPDX-License-Identifier: Apache-2.0 OR MIT
# Every C file is as .clang-format has it.
. "${0%/*}/lib.sh"

if [ "$CLANG_FORMAT" = no ] ||
    ! "$CLANG_FORMAT" --version | grep -q 'version 14\.'; then
    skip "the tree is formatted" "clang-format 14 not found"
    finish
    exit
fi

# Asks from the top folder, where the rules are.
check() {
    cd "$1" || return 2
    find . \( -path ./src/\* -o -path ./tests/\* \) -name '*.[ch]' -print0 |
        xargs -0 "$CLANG_FORMAT" --style=file --dry-run -Werror \
            --ferror-limit=1 || return 1
}

clean "the tree is formatted" check "$abs_top_srcdir"
put src/x.c <<<'int x(void) {return 1;}'
cp "$abs_top_srcdir/.clang-format" "$plant/"
finds "a brace in the wrong place" 'src/x.c:1' check "$plant"
finish
