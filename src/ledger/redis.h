/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * redis: what the two halves of that backend share: redis.c keeps the
 * connection and its deadlines, redis_work.c makes commands of a job and
 * takes their replies.
 *
 * Thread: the clerk's.
 */
#ifndef ADIT_LEDGER_REDIS_H
#define ADIT_LEDGER_REDIS_H

#include "ledger/backend.h"

#include <hiredis/hiredis.h>

/* Names of keys begin so; 64 is arbitrary. */
#define ADIT_REDIS_PREFIX_BYTES 64

/* A command in Redis' own form, made argument by argument. */
struct adit_redis_cmd {
    struct adit_mem *mem;
    char *buf;
    size_t n, cap;
    size_t n_args;
    bool failed; /* no memory */
};

void adit_redis_cmd_init(struct adit_redis_cmd *c, struct adit_mem *mem);
/* Wipes it: there may be a password in it. */
void adit_redis_cmd_fini(struct adit_redis_cmd *c);
void adit_redis_cmd_bytes(struct adit_redis_cmd *c, struct adit_slice arg);
void adit_redis_cmd_str(struct adit_redis_cmd *c, const char *arg);
void adit_redis_cmd_i64(struct adit_redis_cmd *c, int64_t arg);
void adit_redis_cmd_u64(struct adit_redis_cmd *c, uint64_t arg);
void adit_redis_cmd_peer(struct adit_redis_cmd *c,
                         const struct adit_peerid *p);
/* Ready to be sent, borrowed; ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_redis_cmd_get(struct adit_redis_cmd *c,
                                          struct adit_slice *out);

/* A job, from command to command. */
struct adit_redis_work {
    char prefix[ADIT_REDIS_PREFIX_BYTES];
    char instance[33]; /* hex */
    int64_t keep_circuits_us, keep_days_us, keep_months_us;
    uint64_t acked; /* the last part that the server said it has */
    struct adit_job *job;
    /* A batch goes in parts; where this one begins, and the next. */
    struct adit_entry *entry, *next_entry;
    struct adit_record_node *record, *next_record;
    struct adit_mark_node *mark, *next_mark;
    uint64_t part;
    size_t offset; /* of a reading's next page */
    bool by_day;   /* a reading of all months found nothing */
};

void adit_redis_work_begin(struct adit_redis_work *x, struct adit_job *job);

/* The next command of the job. */
void adit_redis_work_next(struct adit_redis_work *x, struct adit_redis_cmd *c);

/*
 * Its reply, no error.  ADIT_OK: the job is done; ADIT_AGAIN: it has another
 * command; ADIT_EPROTO: that is not how a Redis answers.
 */
ADIT_MUST_USE adit_err adit_redis_work_reply(struct adit_redis_work *x,
                                             const redisReply *r);

#endif
