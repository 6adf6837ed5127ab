/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/account.h"

#include "base/civil.h"

static struct adit_account *
account_of(struct adit_map_node *n)
{
    return n != NULL ? ADIT_CONTAINER_OF(n, struct adit_account, node) : NULL;
}

static bool
has_peer(const struct adit_map_node *n, struct adit_slice key)
{
    const struct adit_account *a =
        ADIT_CONTAINER_OF(n, const struct adit_account, node);

    return adit_slice_eq(adit_peerid_bytes(&a->peer), key);
}

adit_err
adit_accounts_init(struct adit_accounts *as, struct adit_mem *mem,
                   const struct adit_rng *rng)
{
    *as = (struct adit_accounts){ .mem = mem };
    adit_list_init(&as->idle);
    return adit_map_init(&as->peers, mem, rng);
}

static void
destroy(struct adit_accounts *as, struct adit_account *a)
{
    if (adit_list_is_linked(&a->idle_link)) {
        adit_list_remove(&a->idle_link);
        as->n_idle--;
    }
    adit_map_remove(&as->peers, &a->node);
    ADIT_FREE(as->mem, a);
}

void
adit_accounts_fini(struct adit_accounts *as)
{
    struct adit_map_node *n;

    if (as->mem == NULL)
        return;
    while ((n = adit_map_next(&as->peers, NULL)) != NULL)
        destroy(as, account_of(n));
    adit_map_fini(&as->peers);
    *as = (struct adit_accounts){ 0 };
}

struct adit_account *
adit_account_get(const struct adit_accounts *as,
                 const struct adit_peerid *peer)
{
    return account_of(
        adit_map_get(&as->peers, adit_peerid_bytes(peer), has_peer));
}

struct adit_account *
adit_account_hold(struct adit_accounts *as, const struct adit_peerid *peer)
{
    struct adit_account *a = adit_account_get(as, peer);

    if (a == NULL) {
        a = ADIT_NEW(as->mem, struct adit_account);
        if (a == NULL)
            return NULL;
        a->peer = *peer;
        a->forced = ADIT_NO_CLASS;
        adit_map_add(&as->peers, adit_peerid_bytes(&a->peer), &a->node);
    }
    if (adit_list_is_linked(&a->idle_link)) {
        adit_list_remove(&a->idle_link);
        as->n_idle--;
    }
    a->n_holds++;
    return a;
}

/* Gone, or idle, unless somebody holds it or the operator's word does. */
static void
let_go(struct adit_accounts *as, struct adit_account *a)
{
    if (a->n_holds > 0 || a->is_banned || a->forced != ADIT_NO_CLASS ||
        adit_list_is_linked(&a->idle_link))
        return;
    if (a->month_bytes == 0) {
        destroy(as, a);
        return;
    }
    adit_list_push_tail(&as->idle, &a->idle_link);
    as->n_idle++;
}

static void
forget_idle(struct adit_accounts *as)
{
    while (as->n_idle > ADIT_ACCOUNTS_MAX_IDLE)
        destroy(as, ADIT_CONTAINER_OF(as->idle.next, struct adit_account,
                                      idle_link));
}

void
adit_account_drop(struct adit_accounts *as, struct adit_account *a)
{
    adit_assert(a->n_holds > 0);
    a->n_holds--;
    let_go(as, a);
    forget_idle(as);
}

void
adit_accounts_sweep(struct adit_accounts *as, int64_t unix_s)
{
    struct adit_account *a = adit_account_next(as, NULL), *next;

    for (; a != NULL; a = next) {
        next = adit_account_next(as, a);
        if (!adit_account_is_banned(a, unix_s))
            let_go(as, a);
    }
    forget_idle(as);
}

/* A new day or month begins at nothing, as far as we know: where the clock was
 * set, or others share the ledger, that has more. */
static void
roll(struct adit_account *a, int64_t unix_s)
{
    if (unix_s < a->day_unix_s || unix_s >= adit_day_end(a->day_unix_s)) {
        a->day_unix_s = adit_day_begin(unix_s);
        a->day_bytes = 0;
        a->is_known = false;
    }
    if (unix_s < a->month_unix_s ||
        unix_s >= adit_month_end(a->month_unix_s)) {
        a->month_unix_s = adit_month_begin(unix_s);
        a->month_bytes = 0;
        a->is_known = false;
    }
}

void
adit_account_moved(struct adit_account *a, uint64_t n, int64_t unix_s)
{
    roll(a, unix_s);
    a->day_bytes += n;
    a->month_bytes += n;
}

/*
 * Theirs have not what was moved here since the ledger was told last; ours
 * have not what other relays did.  The larger is too small by one of these at
 * most.
 */
void
adit_account_totals(struct adit_account *a, int64_t day_unix_s,
                    uint64_t day_bytes, int64_t month_unix_s,
                    uint64_t month_bytes, int64_t unix_s)
{
    roll(a, unix_s);
    a->is_known = true;
    if (day_unix_s == a->day_unix_s && day_bytes > a->day_bytes)
        a->day_bytes = day_bytes;
    if (month_unix_s == a->month_unix_s && month_bytes > a->month_bytes)
        a->month_bytes = month_bytes;
}

bool
adit_account_is_known(struct adit_account *a, int64_t unix_s)
{
    roll(a, unix_s);
    return a->is_known;
}

static bool
is_used_up(enum adit_rule rule, uint64_t used, uint64_t quota, int64_t retry_s,
           uint64_t *left, struct adit_refusal *why)
{
    if (quota == 0)
        return false;
    if (used < quota) {
        *left = ADIT_MIN(*left, quota - used);
        return false;
    }
    *why = (struct adit_refusal){ .rule = rule,
                                  .value = used,
                                  .limit = quota,
                                  .retry_s = (uint32_t)retry_s };
    return true;
}

adit_err
adit_account_quota(struct adit_account *a, const struct adit_class *c,
                   int64_t unix_s, uint64_t *left_bytes,
                   struct adit_refusal *why)
{
    uint64_t left = UINT64_MAX;

    if (c->day_bytes != 0 || c->month_bytes != 0) {
        roll(a, unix_s);
        /* The one that lasts longer first: it says when to come again. */
        if (is_used_up(ADIT_RULE_QUOTA_MONTH, a->month_bytes, c->month_bytes,
                       adit_month_end(unix_s) - unix_s, &left, why) ||
            is_used_up(ADIT_RULE_QUOTA_DAY, a->day_bytes, c->day_bytes,
                       adit_day_end(unix_s) - unix_s, &left, why))
            return ADIT_ELIMIT;
    }
    if (left_bytes != NULL)
        *left_bytes = left;
    return ADIT_OK;
}

bool
adit_account_is_banned(struct adit_account *a, int64_t unix_s)
{
    if (a->is_banned && a->banned_until_unix_s != 0 &&
        unix_s >= a->banned_until_unix_s)
        a->is_banned = false;
    return a->is_banned;
}

struct adit_account *
adit_account_next(const struct adit_accounts *as,
                  const struct adit_account *after)
{
    return account_of(
        adit_map_next(&as->peers, after != NULL ? &after->node : NULL));
}
