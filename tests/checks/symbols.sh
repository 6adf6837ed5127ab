# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the library shows, what the archives call things, what can change.
. "${0%/*}/lib.sh"

check=("$PYTHON3" "$tools/check-symbols")

if [ -e "$abs_top_builddir/.libs/libadit.so" ]; then
    clean "names, exports, bodies and globals" \
        "${check[@]}" "$abs_top_srcdir" "$abs_top_builddir"
else
    skip "names, exports, bodies and globals" "built without libadit.so"
fi

# house HEADER SOURCE: a small libadit of one public header and one file.
house() {
    rm -rf "$plant/src" "$plant/.libs"
    put src/include/adit/adit.h <<<"
#define ADIT_API __attribute__((visibility(\"default\")))
#ifdef __cplusplus
extern \"C\" {
#endif
struct adit_table {
    void (*on_it)(void *ctx);
};
/* Say yes. */
ADIT_API int adit_yes(void);
$1
#ifdef __cplusplus
}
#endif"
    put src/base/x.h <<<'int adit_inner(const int key[static 2]);
static inline int
adit_one(void)
{
    return 1;
}
/* Second to none. */
int adit_second(void);'
    put src/base/x.c <<<"
#include <adit/adit.h>
#include \"base/x.h\"
static const char *const names[] = { \"a\", \"b\" };
int adit_inner(const int key[static 2]) { return key[1] + names[key[0]][0]; }
int adit_second(void) { return 2; }
int adit_yes(void) { return adit_one(); }
$2"
    mkdir -p "$plant/.libs"
    # shellcheck disable=SC2086  # CC may have flags
    $CC -fPIC -fvisibility=hidden -I"$plant/src" -I"$plant/src/include" \
        -c -o "$plant/src/base/libbase_la-x.o" "$plant/src/base/x.c" &&
        $CC -shared -o "$plant/.libs/libadit.so" \
            "$plant/src/base/libbase_la-x.o"
}

house '' ''
clean "an orderly library has no finding" "${check[@]}" "$plant" "$plant"
house '' '__attribute__((visibility("default"))) int adit_more(void) { return 0; }'
finds "an export that no header has" 'exports adit_more' \
    "${check[@]}" "$plant" "$plant"
house '/* None. */
ADIT_API int adit_none(void);' ''
finds "a promise without a body" 'adit_none has no body' \
    "${check[@]}" "$plant" "$plant"
house '#ifdef FORGOTTEN
/* None. */
ADIT_API int adit_none(void);
#endif' 'int adit_none(void); int adit_none(void) { return 0; }'
finds "a promise that is not exported" 'does not export adit_none' \
    "${check[@]}" "$plant" "$plant"
house 'ADIT_API int adit_bare(void);' 'int adit_bare(void) { return 0; }'
finds "a public name without a comment" 'adit_bare has no comment' \
    "${check[@]}" "$plant" "$plant"
house '' 'int helper(void); int helper(void) { return 0; }'
finds "a name without our prefix" 'helper does not begin with adit_' \
    "${check[@]}" "$plant" "$plant"
house '' 'static int calls; int adit_count(void); int adit_count(void) { return ++calls; }'
finds "a global that can change" 'calls is global and can change' \
    "${check[@]}" "$plant" "$plant"
finish
