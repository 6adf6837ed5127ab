# SPDX-License-Identifier: Apache-2.0 OR MIT
# Who may include whom: the tree obeys src/LAYERS, and the checker sees what
# does not.
. "${0%/*}/lib.sh"

check=("$PYTHON3" "$tools/check-layers")

clean "the tree obeys src/LAYERS" "${check[@]}" --strict "$abs_top_srcdir"

house() {
    rm -rf "$plant/src"
    put src/LAYERS <<'L'
base   :
wire/* : base wire/lpm
loop   : base
<event2/*> @ loop
L
    put src/base/a.h <<<'#include <stdint.h>'
    put src/wire/lpm/l.h <<<'#include "base/a.h"'
    put src/wire/ping/p.h <<<'#include "wire/lpm/l.h"'
    put src/loop/l.c <<<'#include <event2/event.h>
#include "base/a.h"'
}

house
clean "an orderly house has no finding" "${check[@]}" --strict "$plant"
put src/base/b.c <<<'#include "loop/l.h"'
put src/loop/l.h <<<''
finds "an include upwards" 'base/b.c:1: base may not include' \
    "${check[@]}" "$plant"
house
put src/wire/ping/q.c <<<'/* x */
#include "wire/yamux/y.h"'
put src/wire/yamux/y.h <<<'#include "base/a.h"'
finds "a protocol that includes another" 'ping/q.c:2: wire/ping may not' \
    "${check[@]}" "$plant"
house
put src/base/b.c <<<'#include "a.h"'
finds "an include that does not name its folder" 'no file below src' \
    "${check[@]}" "$plant"
house
put src/base/b.c <<<'#include <event2/event.h>'
finds "a third-party header away from home" 'has its home in loop' \
    "${check[@]}" "$plant"
house
put src/base/b.c <<<'#include <glib.h>'
finds "a third-party header without a home" 'glib.h> has no home' \
    "${check[@]}" "$plant"
house
put src/attic/b.c <<<''
finds "a folder without a line" 'no line for attic' "${check[@]}" "$plant"
house
put src/base/a.h <<<'#include "base/b.h"'
put src/base/b.h <<<'#include "base/a.h"'
finds "headers in a circle" 'headers in a circle' "${check[@]}" "$plant"
house
sed -i 's/^base .*/base : loop/' "$plant/src/LAYERS"
finds "permissions in a circle" 'permits a circle' "${check[@]}" "$plant"
house
sed -i 's/^loop .*/loop : base wire\/lpm/' "$plant/src/LAYERS"
finds "a permission that nobody uses" 'nothing in loop includes wire/lpm' \
    "${check[@]}" --strict "$plant"
finish
