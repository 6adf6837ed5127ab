/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * account: what a relay keeps of a peer beyond its connections: its class
 * and why, what it has moved today and this month, its rate, and what the
 * operator said of it.
 *
 * Whoever needs one holds it (a reservation, an end of a circuit).  One that
 * nobody holds stays while it knows something: the operator's word for good,
 * usage of this month until too many do; then the one unused longest goes,
 * and a ledger is asked again.
 * Pure: told the time.  Thread: one owner.
 */
#ifndef ADIT_POLICY_ACCOUNT_H
#define ADIT_POLICY_ACCOUNT_H

#include "base/list.h"
#include "base/map.h"
#include "codec/peerid.h"
#include "policy/class.h"
#include "policy/rate.h"
#include "policy/rule.h"

/* Accounts that nobody holds; arbitrary, some 15 MiB. */
#define ADIT_ACCOUNTS_MAX_IDLE 65536

enum adit_class_why {
    ADIT_CLASS_BY_DEFAULT,
    ADIT_CLASS_BY_LIST,
    ADIT_CLASS_BY_ADMISSION,
    ADIT_CLASS_BY_OPERATOR,
    ADIT_CLASS_BY_QUOTA,
};

/* As what a peer was judged. */
struct adit_standing {
    uint8_t cls;
    uint8_t why;                      /* enum adit_class_why */
    struct adit_circuit_terms limits; /* its admission's; 0: none said */
};

struct adit_account {
    struct adit_map_node node;
    struct adit_list idle_link; /* unlinked: somebody holds it, or a mark */
    struct adit_peerid peer;
    bool is_reserved; /* its reservation holds it */
    bool is_banned;
    bool is_known;  /* a ledger told its totals of this day and month */
    uint8_t forced; /* the operator's; ADIT_NO_CLASS */
    uint32_t n_holds;
    int64_t banned_until_unix_s;      /* 0: for good */
    int64_t day_unix_s, month_unix_s; /* which these are */
    uint64_t day_bytes, month_bytes;
    struct adit_instant known_at;  /* is_known: when it was told; the user's */
    struct adit_standing standing; /* of its last request */
    struct adit_rate rate;
};

struct adit_accounts {
    struct adit_mem *mem;
    struct adit_map peers;
    struct adit_list idle; /* unused longest first */
    size_t n_idle;
};

ADIT_MUST_USE adit_err adit_accounts_init(struct adit_accounts *as,
                                          struct adit_mem *mem,
                                          const struct adit_rng *rng);
/* Also of those that are held. */
void adit_accounts_fini(struct adit_accounts *as);

/* NULL: nothing is kept of it. */
struct adit_account *adit_account_get(const struct adit_accounts *as,
                                      const struct adit_peerid *peer);
/* Found or made; NULL: no memory. */
struct adit_account *adit_account_hold(struct adit_accounts *as,
                                       const struct adit_peerid *peer);
/* It may be gone after it. */
void adit_account_drop(struct adit_accounts *as, struct adit_account *a);

/* Lets go of those that nothing but an operator's word held which is over.
 * O(n): when he speaks, not for strangers. */
void adit_accounts_sweep(struct adit_accounts *as, int64_t unix_s);

/* It moved `n` bytes, either way, at `unix_s`. */
void adit_account_moved(struct adit_account *a, uint64_t n, int64_t unix_s);
/* The ledger's sums, what other relays did in them: they hold if they are
 * more. */
void adit_account_totals(struct adit_account *a, int64_t day_unix_s,
                         uint64_t day_bytes, int64_t month_unix_s,
                         uint64_t month_bytes, int64_t unix_s);

/* Has a ledger told its totals, of the day and month that it is? */
bool adit_account_is_known(struct adit_account *a, int64_t unix_s);

/*
 * Is there some of its quotas left?  *left_bytes (may be NULL) is how much,
 * UINT64_MAX without a quota.  ADIT_ELIMIT: *why says which is used up, and
 * when it begins anew.
 */
ADIT_MUST_USE adit_err adit_account_quota(struct adit_account *a,
                                          const struct adit_class *c,
                                          int64_t unix_s, uint64_t *left_bytes,
                                          struct adit_refusal *why);

/* Banned at `unix_s`?  A ban that is over is forgotten. */
bool adit_account_is_banned(struct adit_account *a, int64_t unix_s);

/* Walk, as adit_map_next. */
struct adit_account *adit_account_next(const struct adit_accounts *as,
                                       const struct adit_account *after);

#endif
