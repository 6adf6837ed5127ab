/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/desk.h"

#include "admin/job.h"

#include <stdarg.h>

/* Made in one turn: some ten microseconds each, beside relaying. */
#define ROWS_PER_TURN 64

/* Snapshots kept at once: each may have a row for every peer. */
#define MAX_LISTS 4

/* The daemon reads files for a reload; the ledger has a deadline of its own
 * that is shorter. */
#define ANSWER_US (30 * ADIT_S)

/* How far back the rate looks: up to twice this. */
#define SAMPLE_US (5 * ADIT_S)

/* The configuration with every class is some 30 KiB. */
#define ANSWER_BYTES (1024 * 1024)

/* ---- jobs ------------------------------------------------------------------------ */

/* Forget it, whoever is still working at it. */
static void
free_job(struct adit_job *j)
{
    struct adit_desk *d = j->desk;
    struct adit_mem *mem = adit_worker_mem(d->cfg.w);

    if (j->asks_ledger)
        adit_ledger_forget(adit_relay_ledger(d->cfg.relay), j);
    if (j->task != NULL)
        j->task->job = NULL;
    if (j->rows != NULL)
        d->n_lists--;
    adit_timer_stop(d->cfg.w, &j->deadline);
    adit_mem_free(mem, j->rows, j->n_rows * j->row_bytes);
    adit_list_remove(&j->link);
    adit_visit_set_user(j->v, NULL);
    ADIT_FREE(mem, j);
}

void
adit_job_end(struct adit_job *j, json_t *last)
{
    struct adit_visit *v = j->v;

    free_job(j);
    adit_visit_end(v, last);
}

void
adit_job_fail(struct adit_job *j, adit_err e, const char *fmt, ...)
{
    struct adit_visit *v = j->v;
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    free_job(j);
    adit_visit_fail(v, e, "%s", what);
}

bool
adit_job_make_list(struct adit_job *j, size_t n, size_t row_bytes)
{
    struct adit_desk *d = j->desk;

    if (d->n_lists >= MAX_LISTS) {
        adit_job_fail(j, ADIT_EFULL, "%u lists are being sent already",
                      d->n_lists);
        return false;
    }
    if (n == 0)
        return true;
    j->rows = adit_mem_alloc(adit_worker_mem(d->cfg.w), n * row_bytes);
    if (j->rows == NULL) {
        adit_job_fail(j, ADIT_ENOMEM, "no memory for a list of %zu", n);
        return false;
    }
    j->n_rows = n;
    j->row_bytes = row_bytes;
    d->n_lists++;
    return true;
}

static void
send_rows(struct adit_job *j)
{
    for (unsigned i = 0;
         i < ROWS_PER_TURN && j->at < j->n_sent && adit_visit_has_room(j->v);
         i++) {
        json_t *row = j->row(j, j->rows + j->at * j->row_bytes);

        j->at++;
        if (row != NULL)
            adit_visit_row(j->v, row);
    }
    if (j->at < j->n_sent)
        adit_visit_more(j->v); /* may end the visit, and so the job */
    else
        adit_job_end(j,
                     json_pack("{s:I,s:I,s:s*}", "rows", (json_int_t)j->n_sent,
                               "of", (json_int_t)j->n_rows, "warning",
                               j->warning[0] != '\0' ? j->warning : NULL));
}

void
adit_job_send_list(struct adit_job *j, size_t n, adit_job_row_fn *row)
{
    j->n_sent = n;
    j->row = row;
    send_rows(j);
}

/* ---- what the daemon answers --------------------------------------------------------- */

static void
on_late(void *ctx)
{
    adit_job_fail(ctx, ADIT_ETIMEDOUT, "no answer within 30 s");
}

/* On the worker: the answer has come. */
static void
on_answer(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_desk_task *t =
        ADIT_CONTAINER_OF(m, struct adit_desk_task, msg);
    struct adit_job *j = t->job;
    char *text = t->text;
    adit_err e = t->err;
    json_t *v = NULL;

    (void)w;
    t->text = NULL;
    t->job = NULL;
    t->is_used = false;
    if (j != NULL) {
        j->task = NULL;
        if (e == ADIT_OK && text != NULL)
            v = json_loads(text, JSON_DECODE_ANY, NULL);
        if (e != ADIT_OK) {
            adit_job_fail(j, e, "%s", text != NULL ? text : adit_err_text(e));
        } else {
            adit_job_say(j, json_pack("{s:o}", j->cmd->name,
                                      v != NULL ? v : json_null()));
            adit_job_end(j, NULL);
        }
    }
    free(text);
}

void
adit_job_task(struct adit_job *j, enum adit_admin_task what)
{
    struct adit_desk *d = j->desk;
    struct adit_desk_task *t = NULL;

    for (size_t i = 0; i < ADIT_DESK_MAX_TASKS && t == NULL; i++)
        if (!d->tasks[i].is_used)
            t = &d->tasks[i];
    if (t == NULL || d->cfg.on_task == NULL) {
        adit_job_fail(j, t == NULL ? ADIT_EFULL : ADIT_EUNSUPPORTED,
                      t == NULL ? "it is busy with such questions"
                                : "this program cannot do that");
        return;
    }
    j->deadline.fn = on_late;
    j->deadline.ctx = j;
    if (adit_timer_set(d->cfg.w, &j->deadline,
                       adit_instant_add(adit_worker_now(d->cfg.w),
                                        ANSWER_US)) != ADIT_OK) {
        adit_job_fail(j, ADIT_ENOMEM, "out of memory");
        return;
    }
    t->desk = d;
    t->is_used = true;
    t->job = j;
    j->task = t;
    d->last_token++;
    atomic_store(&t->token, d->last_token);
    d->cfg.on_task(d->cfg.ctx, what, d->last_token);
}

void
adit_desk_answer(struct adit_desk *d, uint64_t token, adit_err e,
                 const char *json_or_text)
{
    if (!atomic_load(&d->is_open) || token == 0)
        return;
    for (size_t i = 0; i < ADIT_DESK_MAX_TASKS; i++) {
        struct adit_desk_task *t = &d->tasks[i];
        uint64_t expected = token;

        if (!atomic_compare_exchange_strong(&t->token, &expected, 0))
            continue;
        t->err = e;
        t->text = NULL;
        if (json_or_text != NULL)
            t->text = strndup(json_or_text, ANSWER_BYTES);
        t->msg.next = NULL;
        t->msg.fn = on_answer;
        adit_worker_post(d->cfg.w, &t->msg);
        return;
    }
}

/* ---- questions ----------------------------------------------------------------------- */

static void
log_command(const struct adit_job *j, const json_t *q)
{
    const char *peer = json_string_value(json_object_get(q, "peer"));
    struct adit_log_line l;

    if (!adit_log_open(&l, adit_worker_log(j->desk->cfg.w), ADIT_LOG_INFO,
                       "admin.command"))
        return;
    adit_log_str(&l, "cmd", j->cmd->name);
    if (peer != NULL)
        adit_log_str(&l, "peer", peer);
    if (json_is_integer(json_object_get(q, "for_s")))
        adit_log_i64(&l, "for_s",
                     json_integer_value(json_object_get(q, "for_s")));
    if (json_is_string(json_object_get(q, "class")))
        adit_log_str(&l, "class",
                     json_string_value(json_object_get(q, "class")));
    adit_log_u64(&l, "uid", adit_visit_uid(j->v));
    adit_log_close(&l);
}

static bool
takes(const struct adit_command *cmd, const char *key)
{
    if (strcmp(key, "cmd") == 0)
        return true;
    for (size_t i = 0; i < ADIT_COMMAND_MAX_KEYS && cmd->keys[i] != NULL; i++)
        if (strcmp(cmd->keys[i], key) == 0)
            return true;
    return false;
}

/* NULL: it said what is wrong. */
static const struct adit_command *
command_of(const struct adit_desk *d, struct adit_visit *v, json_t *q)
{
    const char *name = json_string_value(json_object_get(q, "cmd")), *key;
    const struct adit_command *cmd;
    json_t *value;

    if (name == NULL) {
        adit_visit_fail(v, ADIT_EINVAL,
                        "an object with \"cmd\" is expected; "
                        "{\"cmd\":\"help\"} lists them");
        return NULL;
    }
    cmd = adit_command_find(name);
    if (cmd == NULL) {
        adit_visit_fail(v, ADIT_EINVAL, "there is no command '%.40s'", name);
        return NULL;
    }
    json_object_foreach(q, key, value)
    {
        (void)value;
        if (!takes(cmd, key)) {
            adit_visit_fail(v, ADIT_EINVAL, "%s: it takes no '%.40s'", name,
                            key);
            return NULL;
        }
    }
    if (cmd->needs_relay && d->cfg.relay == NULL) {
        adit_visit_fail(v, ADIT_ESTATE, "this node is no relay");
        return NULL;
    }
    return cmd;
}

void
adit_desk_ask(void *ctx, struct adit_visit *v, json_t *question)
{
    struct adit_desk *d = ctx;
    const struct adit_command *cmd = command_of(d, v, question);
    struct adit_job *j;

    if (cmd == NULL)
        return;
    j = ADIT_NEW(adit_worker_mem(d->cfg.w), struct adit_job);
    if (j == NULL) {
        adit_visit_fail(v, ADIT_ENOMEM, "out of memory");
        return;
    }
    j->desk = d;
    j->v = v;
    j->cmd = cmd;
    adit_list_push_tail(&d->jobs, &j->link);
    adit_visit_set_user(v, j);
    if (cmd->changes)
        log_command(j, question);
    cmd->run(j, question);
}

void
adit_desk_more(void *ctx, struct adit_visit *v)
{
    (void)ctx;
    send_rows(adit_visit_user(v));
}

void
adit_desk_gone(void *ctx, struct adit_visit *v)
{
    (void)ctx;
    free_job(adit_visit_user(v));
}

/* ---- readiness and figures ------------------------------------------------------------- */

bool
adit_desk_is_ready(const struct adit_desk *d, const char **why)
{
    size_t n_listens;

    adit_node_listens(d->cfg.node, &n_listens);
    *why = "ready";
    if (d->cfg.host->is_closing)
        *why = "closing";
    else if (n_listens == 0)
        *why = "no_listener";
    else if (d->cfg.relay != NULL &&
             adit_relay_drain_state(d->cfg.relay) == ADIT_DRAIN_ON)
        *why = "draining";
    else if (d->cfg.relay != NULL &&
             adit_relay_drain_state(d->cfg.relay) == ADIT_DRAIN_DONE)
        *why = "drained";
    else
        return true;
    return false;
}

void
adit_desk_scrape(struct adit_desk *d, struct adit_scraped *out)
{
    struct adit_metrics *m = d->cfg.host->metrics;
    const struct adit_pool *pool = adit_worker_pool(d->cfg.w);
    struct adit_relay *r = d->cfg.relay;
    struct adit_ledger *l = r != NULL ? adit_relay_ledger(r) : NULL;
    const char *why;

    adit_metric_set(m, ADIT_M_STATUS,
                    r != NULL && adit_desk_is_ready(d, &why));
    adit_metric_set(m, ADIT_M_BUFFER_BYTES, pool->used_bytes);
    adit_scraped_set(out, ADIT_SCRAPED_BUILD_INFO, 1);
    adit_scraped_set(out, ADIT_SCRAPED_BUFFER_LIMIT, pool->cap_bytes);
    adit_scraped_set(
        out, ADIT_SCRAPED_RSVP_LIMIT,
        adit_node_cfg(d->cfg.node)->caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE]);
    if (l != NULL) {
        struct adit_ledger_state s;

        adit_ledger_state(l, &s);
        adit_scraped_set(out, ADIT_SCRAPED_LEDGER_FAILING, s.is_failing);
    }
    if (atomic_load(&d->generation_unix_s) != 0)
        adit_scraped_set(out, ADIT_SCRAPED_CONFIG_GENERATION,
                         atomic_load(&d->generation));
    adit_proc_read(d->cfg.proc, adit_worker_now(d->cfg.w),
                   adit_worker_unix_s(d->cfg.w), out);
}

/* ---- life ------------------------------------------------------------------------------- */

static struct adit_desk_sample
sample(const struct adit_desk *d)
{
    return (struct adit_desk_sample){
        adit_worker_now(d->cfg.w),
        adit_metric_get(d->cfg.host->metrics, ADIT_M_RELAYED_BYTES),
    };
}

static void
on_sample(void *ctx)
{
    struct adit_desk *d = ctx;

    d->samples[0] = d->samples[1];
    d->samples[1] = sample(d);
    /* It was armed before, so there is room for it. */
    if (adit_timer_set(d->cfg.w, &d->sampler,
                       adit_instant_add(d->samples[1].at, SAMPLE_US)) !=
        ADIT_OK)
        adit_timer_stop(d->cfg.w, &d->sampler);
}

adit_err
adit_desk_open(struct adit_desk *d, const struct adit_desk_config *cfg)
{
    d->cfg = *cfg;
    adit_list_init(&d->jobs);
    d->opened = adit_worker_now(cfg->w);
    d->opened_unix_s = adit_worker_unix_s(cfg->w);
    d->samples[0] = d->samples[1] = sample(d);
    d->sampler.fn = on_sample;
    d->sampler.ctx = d;
    atomic_store(&d->is_open, true);
    return adit_timer_set(cfg->w, &d->sampler,
                          adit_instant_add(d->opened, SAMPLE_US));
}

void
adit_desk_close(struct adit_desk *d)
{
    if (!atomic_exchange(&d->is_open, false))
        return;
    adit_timer_stop(d->cfg.w, &d->sampler);
}

void
adit_desk_fini(struct adit_desk *d)
{
    for (size_t i = 0; i < ADIT_DESK_MAX_TASKS; i++) {
        free(d->tasks[i].text);
        d->tasks[i].text = NULL;
    }
}
