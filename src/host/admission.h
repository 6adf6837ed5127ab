/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * admission: asks an HTTP service whether a peer may reserve or dial, and as
 * what.  Fails closed: no answer in time, or one that is not understood, is
 * a no.
 *
 * The question is a POST of JSON:
 *   {"role":"reserve"|"dial","peer":ID,"addr":ADDRESS,"dst":ID}
 * The answer, with status 200:
 *   {"allow":true|false,"class":NAME,"reason":TEXT,"ttl_s":N,
 *    "limits":{"circuit_bytes":N,"circuit_s":N,"circuit_bytes_s":N}}
 * where all but "allow" may be absent; limits narrow those of the class.
 * Status 403 is a no as well.  Thread: one worker.
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

struct adit_admission_config {
    const char *url;   /* http://HOST[:PORT]/PATH; copied */
    const char *token; /* NULL: none; copied */
    int64_t timeout_us;
    int64_t cache_us; /* of an answer that does not say; 0: none */
    struct adit_metrics *metrics;
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
    char reason[96];                            /* for the log */
};

#define ADIT_ADMISSION_WHY_BYTES 128

/* Is this a URL that _new takes?  Any thread. */
ADIT_MUST_USE adit_err
adit_admission_check(const char *url, char why[ADIT_ADMISSION_WHY_BYTES]);

ADIT_MUST_USE adit_err adit_admission_new(
    struct adit_worker *w, const struct adit_admission_config *cfg,
    struct adit_admission **out);
/* Whoever waits is told `failed`.  NULL is fine. */
void adit_admission_free(struct adit_admission *a);

/*
 * `fn` is called once, within this call if the answer is cached, or later.
 * *op (NULL then) cancels.
 */
typedef void adit_admission_fn(void *ctx,
                               const struct adit_admission_answer *a);
void adit_admission_ask(struct adit_admission *a,
                        const struct adit_admission_question *q,
                        adit_admission_fn *fn, void *ctx,
                        struct adit_admission_op **op);
/* `fn` is not called. */
void adit_admission_cancel(struct adit_admission_op *op);

#endif
