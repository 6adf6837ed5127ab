/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/admission.h"

#include "base/list.h"
#include "base/map.h"
#include "loop/http.h"

#include <jansson.h>

#include <arpa/inet.h>

/* How often a service that does not answer is worth a line in the log. */
#define FAILED_LOG_US (60 * ADIT_S)

/* Role, peer, address, destination. */
#define KEY_BYTES                                                             \
    (1 + 1 + ADIT_PEERID_MAX_BYTES + 1 + 16 + 1 + ADIT_PEERID_MAX_BYTES)

#define QUESTION_BYTES (2 * ADIT_PEERID_TEXT_BYTES + INET6_ADDRSTRLEN + 64)

/* A question: under way, or with an answer that is kept. */
struct entry {
    struct adit_map_node node;
    struct adit_list link; /* in adit_admission.kept, longest unused first */
    struct adit_admission *a;
    struct adit_http_op *http; /* NULL: answered */
    struct adit_list ops;      /* who waits; struct adit_admission_op */
    struct adit_instant until;
    struct adit_admission_answer answer;
    uint8_t key_n;
    uint8_t key[KEY_BYTES];
};

struct adit_admission_op {
    struct adit_list link; /* in entry.ops, while that is under way */
    struct adit_list all;  /* in adit_admission.ops */
    struct adit_admission *a;
    adit_admission_fn *fn;
    void *ctx;
    struct adit_task deliver; /* the answer is there */
    struct adit_admission_answer answer;
};

struct adit_admission {
    struct adit_worker *w;
    struct adit_mem *mem;
    struct adit_admission_config cfg;
    struct adit_http *http;
    struct adit_map entries;
    struct adit_list kept;
    struct adit_list ops;
    unsigned n_kept, n_asking, n_waiting;
    bool is_closing;
    struct adit_instant log_next; /* not before */
    uint64_t n_failed, n_failed_logged;
};

/* ---- the answer -------------------------------------------------------- */

static void
set_reason(struct adit_admission_answer *out, const char *text)
{
    snprintf(out->reason, sizeof(out->reason), "%s", text);
}

/* A count that may be absent: 0 then.  False: not a number, or beyond. */
static bool
get_count(const json_t *o, const char *name, uint64_t max, uint64_t *out)
{
    const json_t *v = json_object_get(o, name);

    *out = 0;
    if (v == NULL)
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        (uint64_t)json_integer_value(v) > max)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

/* NULL: fine; else what is wrong with it. */
static const char *
get_limits(const json_t *o, struct adit_circuit_terms *out)
{
    const json_t *v = json_object_get(o, "limits");
    uint64_t s, bytes, bytes_s;

    if (v == NULL)
        return NULL;
    if (!json_is_object(v))
        return "\"limits\" is no object";
    if (!get_count(v, "circuit_s", UINT32_MAX, &s))
        return "\"circuit_s\" is no count";
    if (!get_count(v, "circuit_bytes", INT64_MAX, &bytes))
        return "\"circuit_bytes\" is no count";
    if (!get_count(v, "circuit_bytes_s", INT64_MAX, &bytes_s))
        return "\"circuit_bytes_s\" is no count";
    *out = (struct adit_circuit_terms){ (uint32_t)s, bytes, bytes_s };
    return NULL;
}

/* The same; *ttl_us stays what it was if the answer does not say. */
static const char *
get_members(const json_t *o, struct adit_admission_answer *out,
            int64_t *ttl_us)
{
    const json_t *allow = json_object_get(o, "allow");
    const json_t *class = json_object_get(o, "class");
    const json_t *reason = json_object_get(o, "reason");
    uint64_t ttl_s;

    if (!json_is_boolean(allow))
        return "\"allow\" is neither true nor false";
    if (class != NULL) {
        if (!json_is_string(class) ||
            json_string_length(class) >= sizeof(out->class_name))
            return "\"class\" is no name of a class";
        memcpy(out->class_name, json_string_value(class),
               json_string_length(class) + 1);
    }
    if (reason != NULL) {
        if (!json_is_string(reason))
            return "\"reason\" is no text";
        set_reason(out, json_string_value(reason));
    }
    if (json_object_get(o, "ttl_s") != NULL) {
        if (!get_count(o, "ttl_s", ADIT_ADMISSION_MAX_TTL_S, &ttl_s))
            return "\"ttl_s\" is not 0 to 86400";
        *ttl_us = (int64_t)ttl_s * ADIT_S;
    }
    out->allow = json_is_true(allow);
    return get_limits(o, &out->limits);
}

static const char *
read_json(struct adit_slice body, struct adit_admission_answer *out,
          int64_t *ttl_us)
{
    json_error_t error;
    json_t *o = json_loadb((const char *)body.p, body.n,
                           JSON_REJECT_DUPLICATES, &error);
    const char *why = "not JSON";

    if (o != NULL)
        why = json_is_object(o) ? get_members(o, out, ttl_us) : "no object";
    json_decref(o);
    return why;
}

/* All of it or nothing: what is wrong makes it a failure. */
static void
read_answer(adit_err e, const struct adit_http_answer *a,
            struct adit_admission_answer *out, int64_t *ttl_us)
{
    struct adit_admission_answer got = { 0 };
    const char *why = NULL;
    char text[32];

    if (e != ADIT_OK) {
        why = adit_err_text(e);
    } else if (a->status == 200) {
        why = read_json(a->body, &got, ttl_us);
    } else if (a->status != 403) {
        snprintf(text, sizeof(text), "status %u", a->status);
        why = text;
    } else {
        struct adit_admission_answer said = { 0 };
        int64_t said_us = *ttl_us;

        /* What it may say beside: why, and for how long. */
        if (read_json(a->body, &said, &said_us) == NULL) {
            memcpy(got.reason, said.reason, sizeof(got.reason));
            *ttl_us = said_us;
        }
    }
    if (why != NULL) {
        got = (struct adit_admission_answer){ .failed = true };
        set_reason(&got, why);
    }
    *out = got;
}

/* ---- what is kept ------------------------------------------------------ */

static bool
entry_eq(const struct adit_map_node *n, struct adit_slice key)
{
    const struct entry *x = ADIT_CONTAINER_OF(n, const struct entry, node);

    return adit_slice_eq(adit_slice(x->key, x->key_n), key);
}

static void
put(struct entry *x, struct adit_slice s)
{
    x->key[x->key_n++] = (uint8_t)s.n;
    adit_copy(x->key + x->key_n, s);
    x->key_n = (uint8_t)(x->key_n + s.n);
}

static void
make_key(struct entry *x, const struct adit_admission_question *q)
{
    x->key_n = 0;
    x->key[x->key_n++] = q->is_dial;
    put(x, adit_peerid_bytes(&q->peer));
    put(x, adit_endpoint_ip(&q->remote));
    if (q->is_dial)
        put(x, adit_peerid_bytes(&q->dst));
}

/* Nobody may be waiting for it. */
static void
free_entry(struct entry *x)
{
    struct adit_admission *a = x->a;

    if (x->http != NULL) {
        adit_http_cancel(x->http);
        a->n_asking--;
    } else {
        adit_list_remove(&x->link);
        a->n_kept--;
    }
    adit_map_remove(&a->entries, &x->node);
    ADIT_FREE(a->mem, x);
}

static struct entry *
find(struct adit_admission *a, const struct entry *key)
{
    struct adit_map_node *n =
        adit_map_get(&a->entries, adit_slice(key->key, key->key_n), entry_eq);
    struct entry *x =
        n != NULL ? ADIT_CONTAINER_OF(n, struct entry, node) : NULL;

    if (x == NULL || x->http != NULL ||
        !adit_instant_is_due(x->until, adit_worker_now(a->w)))
        return x;
    free_entry(x);
    return NULL;
}

/* ---- asking ------------------------------------------------------------ */

static void
say_failed(struct adit_admission *a, const char *why)
{
    struct adit_instant now = adit_worker_now(a->w);
    struct adit_log_line l;

    a->n_failed++;
    adit_metric_add(a->cfg.metrics, ADIT_M_ADMISSION_FAILED, 1);
    if (!adit_instant_is_due(a->log_next, now))
        return;
    a->log_next = adit_instant_add(now, FAILED_LOG_US);
    if (adit_log_open(&l, adit_worker_log(a->w), ADIT_LOG_WARN,
                      "admission.failed")) {
        adit_log_str(&l, "why", why);
        adit_log_u64(&l, "n", a->n_failed - a->n_failed_logged);
        adit_log_close(&l);
    }
    a->n_failed_logged = a->n_failed;
}

static void
free_op(struct adit_admission_op *op)
{
    adit_list_remove(&op->link);
    adit_list_remove(&op->all);
    adit_task_cancel(&op->deliver);
    op->a->n_waiting--;
    ADIT_FREE(op->a->mem, op);
}

/* The last thing in whatever calls it: `fn` may free the admission. */
static void
on_deliver(void *ctx)
{
    struct adit_admission_op *op = ctx;
    struct adit_admission_answer answer = op->answer;
    adit_admission_fn *fn = op->fn;
    void *fn_ctx = op->ctx;

    free_op(op);
    fn(fn_ctx, &answer);
}

static void
on_answer(void *ctx, adit_err e, const struct adit_http_answer *ha)
{
    struct entry *x = ctx;
    struct adit_admission *a = x->a;
    int64_t ttl_us = a->cfg.cache_us;
    struct adit_list *n;

    x->http = NULL;
    a->n_asking--;
    read_answer(e, ha, &x->answer, &ttl_us);
    if (x->answer.failed)
        say_failed(a, x->answer.reason);
    while ((n = adit_list_pop_head(&x->ops)) != NULL) {
        struct adit_admission_op *op =
            ADIT_CONTAINER_OF(n, struct adit_admission_op, link);

        op->answer = x->answer;
        adit_task_post(a->w, &op->deliver);
    }
    if (a->n_kept == ADIT_ADMISSION_MAX_CACHED)
        free_entry(ADIT_CONTAINER_OF(a->kept.next, struct entry, link));
    adit_list_push_tail(&a->kept, &x->link);
    a->n_kept++;
    x->until = adit_instant_add(adit_worker_now(a->w), ttl_us);
    if (x->answer.failed || ttl_us <= 0)
        free_entry(x);
}

static size_t
write_question(const struct adit_admission_question *q,
               char out[static QUESTION_BYTES])
{
    char peer[ADIT_PEERID_TEXT_BYTES], dst[ADIT_PEERID_TEXT_BYTES];
    char ip[INET6_ADDRSTRLEN] = "";
    struct adit_slice s = adit_endpoint_ip(&q->remote);
    int n;

    if (s.n > 0)
        inet_ntop(q->remote.sa.sa_family, s.p, ip, sizeof(ip));
    adit_peerid_format(&q->peer, peer);
    /* Neither ids nor addresses have anything that JSON would quote. */
    if (q->is_dial)
        n = snprintf(out, QUESTION_BYTES,
                     "{\"role\":\"dial\",\"peer\":\"%s\",\"addr\":\"%s\","
                     "\"dst\":\"%s\"}",
                     peer, ip, adit_peerid_format(&q->dst, dst));
    else
        n = snprintf(out, QUESTION_BYTES,
                     "{\"role\":\"reserve\",\"peer\":\"%s\",\"addr\":\"%s\"}",
                     peer, ip);
    adit_assert(n > 0 && n < QUESTION_BYTES);
    return (size_t)n;
}

/* NULL: it cannot be asked; *why says what for. */
static struct entry *
new_entry(struct adit_admission *a, const struct entry *key,
          const struct adit_admission_question *q, const char **why)
{
    char text[QUESTION_BYTES];
    struct entry *x;
    adit_err e;

    *why = "too many questions under way";
    if (a->n_asking >= ADIT_ADMISSION_MAX_ASKING)
        return NULL;
    *why = "out of memory";
    x = ADIT_NEW(a->mem, struct entry);
    if (x == NULL)
        return NULL;
    x->a = a;
    x->key_n = key->key_n;
    memcpy(x->key, key->key, key->key_n);
    adit_list_init(&x->ops);
    e = adit_http_post(
        a->http, adit_slice(text, write_question(q, text)),
        adit_instant_add(adit_worker_now(a->w), a->cfg.timeout_us), on_answer,
        x, &x->http);
    if (e != ADIT_OK) {
        *why = adit_err_text(e);
        ADIT_FREE(a->mem, x);
        return NULL;
    }
    a->n_asking++;
    adit_map_add(&a->entries, adit_slice(x->key, x->key_n), &x->node);
    return x;
}

static void
fail(struct adit_admission *a, const char *why, adit_admission_fn *fn,
     void *ctx)
{
    struct adit_admission_answer no = { .failed = true };

    set_reason(&no, why);
    if (!a->is_closing)
        say_failed(a, why);
    fn(ctx, &no);
}

void
adit_admission_ask(struct adit_admission *a,
                   const struct adit_admission_question *q,
                   adit_admission_fn *fn, void *ctx,
                   struct adit_admission_op **out)
{
    struct adit_admission_op *op;
    struct entry key;
    struct entry *x;
    const char *why;
    bool is_shared;

    *out = NULL;
    if (a->is_closing) {
        fail(a, "shutting down", fn, ctx);
        return;
    }
    make_key(&key, q);
    x = find(a, &key);
    is_shared = x != NULL;
    if (x != NULL && x->http == NULL) {
        struct adit_admission_answer answer = x->answer;

        adit_list_remove(&x->link);
        adit_list_push_tail(&a->kept, &x->link);
        adit_metric_add(a->cfg.metrics, ADIT_M_ADMISSION_CACHED, 1);
        fn(ctx, &answer);
        return;
    }
    if (a->n_waiting >= ADIT_ADMISSION_MAX_WAITING) {
        fail(a, "too many wait", fn, ctx);
        return;
    }
    op = ADIT_NEW(a->mem, struct adit_admission_op);
    if (op == NULL) {
        fail(a, "out of memory", fn, ctx);
        return;
    }
    if (x == NULL)
        x = new_entry(a, &key, q, &why);
    if (x == NULL) {
        ADIT_FREE(a->mem, op);
        fail(a, why, fn, ctx);
        return;
    }
    adit_metric_add(
        a->cfg.metrics,
        is_shared ? ADIT_M_ADMISSION_CACHED : ADIT_M_ADMISSION_ASKED, 1);
    op->a = a;
    op->fn = fn;
    op->ctx = ctx;
    op->deliver.fn = on_deliver;
    op->deliver.ctx = op;
    adit_list_push_tail(&x->ops, &op->link);
    adit_list_push_tail(&a->ops, &op->all);
    a->n_waiting++;
    *out = op;
}

void
adit_admission_cancel(struct adit_admission_op *op)
{
    /* The question goes on: its answer is worth keeping. */
    if (op != NULL)
        free_op(op);
}

/* ---- made -------------------------------------------------------------- */

adit_err
adit_admission_check(const char *url, char why[ADIT_ADMISSION_WHY_BYTES])
{
    struct adit_http_url u;
    const char *text;
    adit_err e = adit_http_url_parse(url, &u, &text);

    if (e != ADIT_OK)
        snprintf(why, ADIT_ADMISSION_WHY_BYTES, "%s", text);
    return e;
}

adit_err
adit_admission_new(struct adit_worker *w,
                   const struct adit_admission_config *cfg,
                   struct adit_admission **out)
{
    struct adit_mem *mem = adit_worker_mem(w);
    struct adit_http_config hc = {
        .token = cfg->token,
        .max_bytes = ADIT_ADMISSION_MAX_BYTES,
        .servers = cfg->servers,
    };
    const char *why;
    struct adit_admission *a;
    adit_err e = adit_http_url_parse(cfg->url, &hc.url, &why);

    if (e != ADIT_OK)
        return e;
    a = ADIT_NEW(mem, struct adit_admission);
    if (a == NULL)
        return ADIT_ENOMEM;
    a->w = w;
    a->mem = mem;
    a->cfg = *cfg;
    a->cfg.url = a->cfg.token = NULL; /* the client has them */
    adit_list_init(&a->kept);
    adit_list_init(&a->ops);
    e = adit_map_init(&a->entries, mem, adit_worker_rng(w));
    if (e == ADIT_OK)
        e = adit_http_new(w, &hc, &a->http);
    if (e != ADIT_OK) {
        adit_map_fini(&a->entries);
        ADIT_FREE(mem, a);
        return e;
    }
    *out = a;
    return ADIT_OK;
}

void
adit_admission_free(struct adit_admission *a)
{
    struct adit_list *n;
    struct adit_map_node *m;

    if (a == NULL || a->is_closing)
        return;
    a->is_closing = true;
    while (!adit_list_is_empty(&a->ops)) {
        struct adit_admission_op *op;

        n = a->ops.next;
        op = ADIT_CONTAINER_OF(n, struct adit_admission_op, all);
        op->answer = (struct adit_admission_answer){ .failed = true };
        set_reason(&op->answer, "shutting down");
        on_deliver(op);
    }
    while ((m = adit_map_next(&a->entries, NULL)) != NULL)
        free_entry(ADIT_CONTAINER_OF(m, struct entry, node));
    adit_http_free(a->http);
    adit_map_fini(&a->entries);
    ADIT_FREE(a->mem, a);
}
