# SPDX-License-Identifier: Apache-2.0 OR MIT
# The pure rings need no clock, no chance, no heap, no descriptor, no thread.
. "${0%/*}/lib.sh"

check=("$PYTHON3" "$tools/check-pure")

clean "codec, wire and policy are pure" "${check[@]}" "$abs_top_builddir"

# object FOLDER BODY: an object of that ring with one function of that body.
object() {
    rm -rf "$plant/src"
    put src/x.c <<<"
#include <stdlib.h>
#include <string.h>
#include <time.h>
int adit_other(void *);
int crypto_sign_keypair(unsigned char *, unsigned char *);
int crypto_hash_sha256(unsigned char *, const unsigned char *, unsigned long);
int adit_x(void *p, struct timespec *t);
int adit_x(void *p, struct timespec *t) { $2; }"
    mkdir -p "$plant/src/$1"
    # shellcheck disable=SC2086  # CC may have flags
    $CC -O1 -c -o "$plant/src/$1/libthing_la-x.o" "$plant/src/x.c"
}

object codec '(void)t; return adit_other(memset(p, 0, 999))'
clean "memset and our own names" "${check[@]}" "$plant"
object wire/noise '(void)t; return crypto_hash_sha256(p, p, 1)'
clean "a hash in wire/noise" "${check[@]}" "$plant"
object codec '(void)p; return clock_gettime(CLOCK_REALTIME, t)'
finds "a clock in codec" 'codec/x needs clock_gettime' "${check[@]}" "$plant"
object wire/yamux '(void)t; return adit_other(malloc(*(char *)p))'
finds "the heap in wire" 'wire/yamux/x needs malloc' "${check[@]}" "$plant"
object policy '(void)t; return crypto_hash_sha256(p, p, 1)'
finds "a hash in policy" 'policy/x needs crypto_hash' "${check[@]}" "$plant"
object wire/noise '(void)t; return crypto_sign_keypair(p, p)'
finds "a key drawn behind our back" 'needs crypto_sign_keypair' \
    "${check[@]}" "$plant"
finish
