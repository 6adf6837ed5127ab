/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * admission: asks an HTTP service whether a peer may reserve or dial, and as
 * what.  Fails closed: no answer in time, or one that is not understood, is
 * a no.
 *
 * The question is a POST of JSON:
 *   {"role":"reserve"|"dial","peer":ID,"addr":IP,"dst":ID}
 * where "dst" is there for "dial" only.  The answer, with status 200:
 *   {"allow":true|false,"class":NAME,"reason":TEXT,"ttl_s":N,
 *    "limits":{"circuit_bytes":N,"circuit_s":N,"circuit_bytes_s":N}}
 * where all but "allow" may be absent; limits narrow those of the class.
 * Members that are not named here are ignored; one that has the wrong type
 * or is out of bounds spoils the answer.  Status 403 is a no as well.
 *
 * An answer, yes or no, is kept for its ttl_s and holds for the same role,
 * peer, IP address and destination; no answer is not kept.  Who asks what is
 * being asked shares its answer.  Thread: one worker.
 */
#ifndef ADIT_HOST_ADMISSION_H
#define ADIT_HOST_ADMISSION_H

#include "codec/peerid.h"
#include "loop/worker.h"
#include "metrics/metrics.h"
#include "net/addr.h"
#include "policy/class.h"

struct adit_admission;
struct adit_admission_op;

/*
 * Questions under way.  The service is asked four at a time; with one that
 * takes 10 ms this is two thirds of a second's work, more would time out.
 */
#define ADIT_ADMISSION_MAX_ASKING 256

/* Who waits for answers, several for the same one included. */
#define ADIT_ADMISSION_MAX_WAITING 1024

/* Answers that are kept, some 500 bytes each; the one that was asked for
 * longest ago makes room. */
#define ADIT_ADMISSION_MAX_CACHED 4096

/* Of an answer. */
#define ADIT_ADMISSION_MAX_BYTES 16384
#define ADIT_ADMISSION_MAX_TTL_S 86400

struct adit_admission_config {
    const char *url;   /* http://HOST[:PORT]/PATH; copied */
    const char *token; /* NULL: none; copied */
    int64_t timeout_us;
    int64_t cache_us; /* of an answer that does not say; 0: none */
    struct adit_metrics *metrics;
    const char *servers; /* names': as adit_resolver_config; NULL */
};

struct adit_admission_question {
    bool is_dial;
    struct adit_peerid peer, dst;
    struct adit_endpoint remote;
};

struct adit_admission_answer {
    bool failed; /* no usable answer: then it is a no */
    bool allow;
    char class_name[ADIT_CLASS_NAME_MAX_BYTES]; /* "": not said */
    struct adit_circuit_terms limits;           /* 0: not said */
    char reason[96]; /* for the log; of a failure too; cut */
};

#define ADIT_ADMISSION_WHY_BYTES 128

/* Is this a URL that _new takes?  Any thread. */
ADIT_MUST_USE adit_err
adit_admission_check(const char *url, char why[ADIT_ADMISSION_WHY_BYTES]);

/* ADIT_EUNSUPPORTED: kind HAND.  ADIT_EINVAL: URL or token.  ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_admission_new(
    struct adit_worker *w, const struct adit_admission_config *cfg,
    struct adit_admission **out);
/* Whoever waits is told `failed`, within this call.  Also from inside a
 * question's `fn`.  NULL is fine. */
void adit_admission_free(struct adit_admission *a);

/*
 * `fn` is called once, within this call if the answer is cached or nothing
 * can be asked, or later.  *op (NULL then) cancels.
 */
typedef void adit_admission_fn(void *ctx,
                               const struct adit_admission_answer *a);
void adit_admission_ask(struct adit_admission *a,
                        const struct adit_admission_question *q,
                        adit_admission_fn *fn, void *ctx,
                        struct adit_admission_op **op);
/* `fn` is not called.  Not after it was; NULL is fine. */
void adit_admission_cancel(struct adit_admission_op *op);

#endif
