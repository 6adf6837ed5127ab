/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * job: one question that is being answered; between desk, commands and rows
 * only.  It ends by _end or _fail, once, and is gone then.
 */
#ifndef ADIT_ADMIN_JOB_H
#define ADIT_ADMIN_JOB_H

#include "admin/desk.h"
#include "host/relay.h"
#include "ledger/ledger.h"

struct adit_job;

#define ADIT_COMMAND_MAX_KEYS 6

struct adit_command {
    const char *name;
    const char *keys[ADIT_COMMAND_MAX_KEYS]; /* that it may come with */
    const char *help;
    bool needs_relay;
    bool changes; /* it is logged who did it */
    void (*run)(struct adit_job *j, const json_t *q);
};

/* NULL: there is none of that name. */
const struct adit_command *adit_command_find(const char *name);

/* A row of a list as JSON; NULL: it is no longer there. */
typedef json_t *adit_job_row_fn(struct adit_job *j, const void *row);

struct adit_job {
    struct adit_desk *desk;
    struct adit_visit *v;
    const struct adit_command *cmd;
    struct adit_list link;
    struct adit_timer deadline; /* of an answer by somebody else */
    struct adit_desk_task *task;
    bool asks_ledger;
    /* A list that is being sent. */
    uint8_t *rows;
    size_t n_rows, row_bytes, at, n_sent;
    adit_job_row_fn *row;
    char warning[ADIT_LEDGER_WHY_TEXT_BYTES]; /* "": none; with its end */
    /* Of whom the list is; n = 0: of all. */
    struct adit_peerid peer;
};

/* Takes `last`; NULL: nothing beside "done". */
void adit_job_end(struct adit_job *j, json_t *last);
void adit_job_fail(struct adit_job *j, adit_err e, const char *fmt, ...)
    ADIT_PRINTF(3, 4);
/* A row, before _end. */
static inline void
adit_job_say(struct adit_job *j, json_t *row)
{
    adit_visit_row(j->v, row);
}

/*
 * Room for a list of `n` rows, zeroed, in j->rows.  False: it failed, the
 * job is over.
 */
ADIT_MUST_USE bool adit_job_make_list(struct adit_job *j, size_t n,
                                      size_t row_bytes);
/* Send the first `n` of them as `row` shows them, then end. */
void adit_job_send_list(struct adit_job *j, size_t n, adit_job_row_fn *row);

/* Let the daemon answer. */
void adit_job_task(struct adit_job *j, enum adit_admin_task task);

/* ---- what things look like (rows.c) ------------------------------------------ */

json_t *adit_row_count(uint64_t n);
json_t *adit_row_peerid(const struct adit_peerid *p);
json_t *adit_row_status(const struct adit_desk *d);
json_t *adit_row_peer(const struct adit_relay_peer_info *p);
json_t *adit_row_node_limits(const struct adit_node_config *cfg);
json_t *adit_row_class_limits(const struct adit_rules *r, size_t i);
json_t *adit_row_usage(const struct adit_usage_row *u);
json_t *adit_row_record(const struct adit_ledger_record *r);

/* A circuit, without borrowed parts. */
struct adit_circuit_copy {
    uint64_t id;
    struct adit_peerid src, dst;
    struct adit_circuit_terms terms;
    int64_t age_us;
    uint64_t accepted_bytes[2], handed_bytes[2];
    bool is_paced;
};
json_t *adit_row_circuit(const struct adit_circuit_copy *c);

#endif
