# SPDX-License-Identifier: Apache-2.0 OR MIT
# Locks live in three places, and the checker sees a fourth.
. "${0%/*}/lib.sh"

check=("$PYTHON3" "$tools/check-locks")

clean "no lock outside of mailbox, metrics and log" \
    "${check[@]}" "$abs_top_srcdir"
put src/loop/mailbox.c <<<'pthread_mutex_lock(&m->lock);'
put src/host/x.c <<<'/* pthread_mutex_lock() would be wrong here. */'
clean "a lock in the mailbox, and one in a comment" "${check[@]}" "$plant"
put src/host/x.c <<<'
    pthread_mutex_lock(&h->lock);'
finds "a lock in host" 'src/host/x.c:2: pthread_mutex_lock' \
    "${check[@]}" "$plant"
finish
