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

#include "host/bridge.h"
#include "host/host.h"
#include "policy/rsvp.h"
#include "wire/circuit/hop_srv.h"

struct adit_relay;

enum adit_ask_kind { ADIT_ASK_RESERVE, ADIT_ASK_CONNECT };

/* A question, and room for its answer. */
struct adit_ask {
    enum adit_ask_kind kind;
    struct adit_peerid peer; /* who asks */
    struct adit_peerid dst;  /* CONNECT */
    struct adit_endpoint remote;
    /* The answer. */
    adit_err verdict;            /* ADIT_OK, or why not */
    struct adit_refusal refusal; /* unless ADIT_OK */
    bool renewed;                /* RESERVE */
    struct adit_instant until;   /* RESERVE */
    /* Who waits; NULL: nobody any more. */
    void *waiter;
};

/* Who gives verdicts. */
struct adit_judge {
    /* Answer by adit_relay_answer(), from in here or later, once. */
    void (*ask)(void *ctx, struct adit_ask *a);
    void *ctx;
};

struct adit_relay_config {
    struct adit_rsvp_config table;
    uint32_t circuit_duration_s; /* 0: no limit */
    uint64_t circuit_data_bytes; /* each way; 0: no limit */
    bool announce_private;       /* a relay of a private network */
};

/* ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_relay_new(struct adit_host *h,
                                      const struct adit_relay_config *cfg,
                                      struct adit_relay **out);

/* Ends every circuit; before the host is closed. */
void adit_relay_free(struct adit_relay *r);

/* Put another judge in front of the table, or (NULL) back. */
void adit_relay_set_judge(struct adit_relay *r, const struct adit_judge *j);
/* What the table says; fills in the answer, which is not given yet. */
void adit_relay_judge(struct adit_relay *r, struct adit_ask *a);
/* Give the answer; `a` is freed. */
void adit_relay_answer(struct adit_relay *r, struct adit_ask *a);

uint32_t adit_relay_n_reservations(const struct adit_relay *r);
uint32_t adit_relay_n_circuits(const struct adit_relay *r);

#endif
