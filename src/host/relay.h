/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * relay: the circuit relay v2 service: reservations and circuits of a host.
 *
 * Feeds each hop stream to its machine, asks for a verdict, runs the stop
 * handshake and couples the two streams.  Verdicts are asynchronous: the
 * answer may come turns later, or never (a deadline decides); the table that
 * gives them by default answers in the same turn.
 * Follows circuit relay v2.  Thread: one worker.
 */
#ifndef ADIT_HOST_RELAY_H
#define ADIT_HOST_RELAY_H

#include "base/opt.h"
#include "host/bridge.h"
#include "host/host.h"
#include "policy/account.h"
#include "wire/circuit/hop_srv.h"

struct adit_relay;
struct adit_ledger;
struct adit_rules;

enum adit_ask_kind { ADIT_ASK_RESERVE, ADIT_ASK_CONNECT };

/* A question, and room for its answer. */
struct adit_ask {
    enum adit_ask_kind kind;
    struct adit_peerid peer; /* who asks */
    struct adit_peerid dst;  /* CONNECT */
    struct adit_endpoint remote;
    struct adit_hconn *hc; /* over which; NULL: it is gone */
    /* The answer. */
    adit_err result;                 /* ADIT_OK, or why not */
    struct adit_refusal refusal;     /* unless ADIT_OK */
    bool renewed;                    /* RESERVE */
    struct adit_instant until;       /* RESERVE */
    struct adit_circuit_terms terms; /* of this peer, of this circuit */
    struct adit_standing standing;   /* as what it was judged */
    /* Who waits; NULL: nobody any more. */
    void *waiter;
    void *verdict; /* the judge's, while it takes its time */
    bool is_paced; /* its network's token was taken */
};

/* Who gives verdicts. */
struct adit_judge {
    /* Answer by adit_relay_answer(), from in here or later, once. */
    void (*ask)(void *ctx, struct adit_ask *a);
    void *ctx;
};

struct adit_relay_config {
    int64_t grace_us; /* a lost connection's reservation */
    bool announce_private;
    uint32_t rsvps_per_hour_ip, circuits_per_hour_ip; /* 0: no limit */
    uint64_t rate_node;                      /* bytes a second; 0: no limit */
    char admission_url[ADIT_OPT_TEXT_BYTES]; /* "": nobody is asked */
    int64_t admission_timeout_us, admission_cache_us;
    int64_t drain_deadline_us, drain_every_us;
    uint32_t drain_group, drain_threshold;
};

/* `rules` becomes the relay's unless this fails.  ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_relay_new(struct adit_host *h,
                                      const struct adit_relay_config *cfg,
                                      struct adit_rules *rules,
                                      struct adit_relay **out);

/* Ends every circuit; before the host is closed. */
void adit_relay_free(struct adit_relay *r);

/*
 * A reload: both hold from now on; what is open stays as it was told.
 * ADIT_ENOMEM: nothing changed, `rules` is still the caller's.
 */
ADIT_MUST_USE adit_err adit_relay_set(struct adit_relay *r,
                                      const struct adit_relay_config *cfg,
                                      struct adit_rules *rules);

/* Put another judge in front of ours, or (NULL) back. */
void adit_relay_set_judge(struct adit_relay *r, const struct adit_judge *j);
/* What our own says; it gives the answer, perhaps later. */
void adit_relay_judge(struct adit_relay *r, struct adit_ask *a);
/* Give the answer; `a` is freed. */
void adit_relay_answer(struct adit_relay *r, struct adit_ask *a);

uint32_t adit_relay_n_reservations(const struct adit_relay *r);
uint32_t adit_relay_n_circuits(const struct adit_relay *r);

/*
 * Keep books from now on: `cfg` as adit_ledger_open wants it, metrics filled
 * in.  Answers as that does.
 */
struct adit_ledger_config;
#define ADIT_RELAY_WHY_BYTES 256
ADIT_MUST_USE adit_err adit_relay_open_ledger(
    struct adit_relay *r, const struct adit_ledger_config *cfg,
    char why[ADIT_RELAY_WHY_BYTES]);

/* ---- for its operator ----------------------------------------------------- */

/* NULL: none is kept. */
struct adit_ledger *adit_relay_ledger(const struct adit_relay *r);
const struct adit_rules *adit_relay_rules(const struct adit_relay *r);

/* A circuit that is open; `src` and `dst` are borrowed for the call. */
struct adit_circuit_info {
    uint64_t id; /* never used twice in a relay */
    const struct adit_peerid *src, *dst;
    struct adit_circuit_terms terms;
    int64_t age_us;
    uint64_t accepted_bytes[2], handed_bytes[2]; /* by enum adit_dir */
    bool is_paced;                               /* it waits for a rate */
};

/* What the relay knows of a peer that is connected, holds a reservation, is
 * an end of a circuit, or that the operator has banned or put into a class. */
struct adit_relay_peer_info {
    const struct adit_peerid *peer;
    const char *class_name;      /* that holds now */
    const char *class_why;       /* "default", "list", "admission",
                                   "operator", "quota" */
    struct adit_endpoint remote; /* of one of its connections; none */
    uint32_t n_conns;
    bool has_reservation;
    int64_t until_unix_s; /* of its reservation */
    uint32_t n_as_src, n_as_dst;
    uint64_t day_bytes, month_bytes; /* moved, as far as is known */
    bool is_banned;
};

/* `fn` answers whether to go on; it may not change the relay. */
void adit_relay_each_circuit(struct adit_relay *r,
                             bool (*fn)(void *ctx,
                                        const struct adit_circuit_info *c),
                             void *ctx);
void adit_relay_each_peer(struct adit_relay *r,
                          bool (*fn)(void *ctx,
                                     const struct adit_relay_peer_info *p),
                          void *ctx);
/* Of one peer; false: nothing is known of it. */
bool adit_relay_peer(struct adit_relay *r, const struct adit_peerid *peer,
                     struct adit_relay_peer_info *out);

/* End its connections, circuits and reservation; how many connections. */
size_t adit_relay_kick(struct adit_relay *r, const struct adit_peerid *peer);
/*
 * Kick it, and refuse it from now on; `until_unix_s` 0: for good.  Kept in the
 * ledger, if there is one.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_relay_ban(struct adit_relay *r,
                                      const struct adit_peerid *peer,
                                      int64_t until_unix_s);
void adit_relay_unban(struct adit_relay *r, const struct adit_peerid *peer);
/*
 * Of this class from its next request on, whatever lists say; "": as they
 * say.  Kept in the ledger.  ADIT_EINVAL: there is no such class.
 */
ADIT_MUST_USE adit_err adit_relay_set_class(struct adit_relay *r,
                                            const struct adit_peerid *peer,
                                            const char *name);

/*
 * Refuse what is new, let circuits end, close reserved connections in small
 * groups; at the deadline end what is left.
 */
void adit_relay_drain(struct adit_relay *r);
void adit_relay_undrain(struct adit_relay *r);

enum adit_drain_state { ADIT_DRAIN_NO, ADIT_DRAIN_ON, ADIT_DRAIN_DONE };
enum adit_drain_state adit_relay_drain_state(const struct adit_relay *r);

#endif
