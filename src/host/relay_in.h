/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * relay_in: the inside of a relay, for its own files only: relay.c (life,
 * the table's deadlines, the operator), hop.c (a hop stream and its circuit),
 * verdict.c (who may), books.c (accounts and ledger), drain.c.
 */
#ifndef ADIT_HOST_RELAY_IN_H
#define ADIT_HOST_RELAY_IN_H

#include "host/admission.h"
#include "host/relay.h"
#include "host/rules.h"
#include "ledger/ledger.h"
#include "policy/account.h"
#include "policy/pace.h"
#include "policy/rsvp.h"
#include "wire/circuit/stop_cli.h"

struct adit_relay {
    struct adit_host *h;
    struct adit_relay_config cfg;
    struct adit_rules *rules;
    struct adit_service service;
    struct adit_host_watch watch;
    struct adit_rsvp *table;
    struct adit_accounts accounts;
    struct adit_pace pace;
    struct adit_judge judge;
    struct adit_timer timer;          /* the table's next deadline */
    struct adit_list hops;            /* struct adit_hop */
    struct adit_list waiting;         /* verdicts under way */
    size_t n_waiting, n_for_totals;   /* of them for a peer's totals */
    struct adit_admission *admission; /* NULL: nobody is asked */
    struct adit_ledger *ledger;       /* NULL: none is kept */
    int64_t totals_hold_us; /* so long, where other relays add to them; or 0 */
    struct adit_timer count_timer; /* without a ledger: quotas' look */
    enum adit_drain_state drain;
    struct adit_timer drain_timer;
    struct adit_instant drain_by;
    uint64_t last_circuit_id;
    struct adit_instant sweep_next; /* of accounts; not before */
    bool warned_address;
};

/* One hop stream, until it is answered, and its circuit after. */
struct adit_hop {
    struct adit_relay *r;
    struct adit_list link;
    struct adit_hconn *src_hc; /* while its stream lives */
    struct adit_hstream *src;  /* NULL: gone, or the bridge's */
    struct adit_hstream *stop; /* likewise */
    struct adit_hop_srv m;
    struct adit_stop_cli stop_m;
    struct adit_ask *ask;
    struct adit_timer timer;
    struct adit_circuit_terms terms;
    struct adit_circuit_limit limit;
    struct adit_peerid src_id, dst_id;
    struct adit_place place; /* of the source, as counted in the table */
    struct adit_account *src_acct, *dst_acct; /* held while counted */
    bool is_counted;                          /* as a circuit, in the table */
    bool accepted;                            /* by the destination */
    uint64_t id;                              /* of the circuit */
    int64_t began_unix_s;
    struct adit_instant began;
    const char *closed_for;         /* why we ended it; NULL: we did not */
    struct adit_bridge_counts told; /* what the books have of it */
    struct adit_bridge *bridge;
};

static inline struct adit_instant
adit_relay_now(const struct adit_relay *r)
{
    return adit_worker_now(r->h->w);
}

static inline int64_t
adit_relay_unix_s(const struct adit_relay *r)
{
    return adit_worker_unix_s(r->h->w);
}

/* ---- relay.c --------------------------------------------------------------- */

/* The connection that the peer holds its reservation over; NULL. */
struct adit_hconn *adit_relay_reserved_conn(struct adit_relay *r,
                                            const struct adit_peerid *id);
/* It is held over this one. */
void adit_relay_reserve_over(struct adit_hconn *hc);
/* Nothing of it is left. */
void adit_relay_unreserve(struct adit_relay *r, const struct adit_peerid *id);
/* The table changed: gauges, and the next deadline. */
void adit_relay_arm(struct adit_relay *r);
/*
 * The addresses to put into a reservation, each with our /p2p: what we
 * announce, else the local end of `hc`; how many.
 */
size_t adit_relay_own_addrs(struct adit_relay *r, struct adit_hconn *hc,
                            struct adit_maddr out[ADIT_HOST_MAX_ADDRS]);

/* ---- hop.c ----------------------------------------------------------------- */

/* A peer opened a hop stream; `ctx` is the relay. */
void adit_hop_open(void *ctx, struct adit_hstream *s);
/* An answer to its question, which is the caller's. */
void adit_hop_answer(struct adit_hop *p, const struct adit_ask *a);
/* End it now, circuit included.  Not from inside a stream's call. */
void adit_hop_end(struct adit_hop *p);
/* End its circuit soon, for a reason that the books will have. */
void adit_hop_close(struct adit_hop *p, const char *why);

/* ---- verdict.c ------------------------------------------------------------- */

/* Nobody waits any more. */
void adit_verdict_cancel(struct adit_relay *r, struct adit_ask *a);
/* A peer's totals came, of which it has waited for. */
void adit_verdict_known(struct adit_relay *r, const struct adit_peerid *peer);
/* End all that are under way, by refusal. */
void adit_verdict_end(struct adit_relay *r);

/* ---- books.c --------------------------------------------------------------- */

void adit_books_close(struct adit_relay *r);
/* Quotas are looked at while circuits run; call when rules changed. */
void adit_books_watch(struct adit_relay *r);
/* Its rate is that of the class it now falls into. */
void adit_books_set_rate(struct adit_relay *r, struct adit_account *a);
/* That class: its standing's, or the one for whose quota is used up. */
uint8_t adit_books_class(struct adit_relay *r, struct adit_account *a,
                         uint8_t *why);

void adit_books_refused(struct adit_relay *r, const struct adit_peerid *peer,
                        enum adit_rule rule);
/* Reserved, or renewed; hold the account for it. */
void adit_books_reserved(struct adit_relay *r, const struct adit_peerid *peer);
/* Its reservation is perhaps gone: let the account go then. */
void adit_books_unreserved(struct adit_relay *r,
                           const struct adit_peerid *peer);
void adit_books_opened(struct adit_hop *p);
void adit_books_closed(struct adit_hop *p, const struct adit_bridge_end *end,
                       const char *why);

/* ---- drain.c --------------------------------------------------------------- */

void adit_drain_init(struct adit_relay *r);
void adit_drain_fini(struct adit_relay *r);

#endif
