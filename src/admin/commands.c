/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The commands; `adit relay` has the same words. */
#include "admin/job.h"

#include "host/rules.h"

/* A ban of a hundred years is one for good. */
#define BAN_MAX_S (INT64_C(100) * 365 * 86400)

/* Rows of usage, unless fewer are asked for: what the ledger gives. */
#define USAGE_MAX_ROWS 10000

/* ---- arguments -------------------------------------------------------------------- */

/* False: there is none, or it is none, and it failed. */
static bool
need_peer(struct adit_job *j, const json_t *q, struct adit_peerid *out)
{
    const char *text = json_string_value(json_object_get(q, "peer"));

    if (text != NULL &&
        adit_peerid_parse(adit_slice_str(text), out) == ADIT_OK)
        return true;
    adit_job_fail(j, ADIT_EINVAL, "%s: 'peer' must be a peer id%s%.80s",
                  j->cmd->name, text != NULL ? ", not " : "",
                  text != NULL ? text : "");
    return false;
}

/* *out stays as it is if there is none.  False: it failed. */
static bool
take_peer(struct adit_job *j, const json_t *q, struct adit_peerid *out)
{
    return json_object_get(q, "peer") == NULL || need_peer(j, q, out);
}

static bool
take_int(struct adit_job *j, const json_t *q, const char *key, int64_t min,
         int64_t max, int64_t *out)
{
    const json_t *v = json_object_get(q, key);

    if (v == NULL)
        return true;
    if (json_is_integer(v) && json_integer_value(v) >= min &&
        json_integer_value(v) <= max) {
        *out = json_integer_value(v);
        return true;
    }
    adit_job_fail(j, ADIT_EINVAL,
                  "%s: '%s' must be a number from %lld to %lld", j->cmd->name,
                  key, (long long)min, (long long)max);
    return false;
}

static struct adit_relay *
relay_of(const struct adit_job *j)
{
    return j->desk->cfg.relay;
}

/* ---- what is ------------------------------------------------------------------------ */

static void
run_status(struct adit_job *j, const json_t *q)
{
    (void)q;
    adit_job_say(j, adit_row_status(j->desk));
    adit_job_end(j, NULL);
}

/* A peer's place in a list, and what it is put there by. */
struct peer_row {
    uint64_t n_circuits, n_bytes;
    struct adit_peerid peer;
};

struct walk {
    struct adit_job *j;
    size_t n, room;
};

static bool
count_peer(void *ctx, const struct adit_relay_peer_info *p)
{
    struct walk *w = ctx;

    (void)p;
    w->n++;
    return true;
}

static bool
copy_peer(void *ctx, const struct adit_relay_peer_info *p)
{
    struct walk *w = ctx;
    struct peer_row *row = (struct peer_row *)(void *)w->j->rows + w->n;

    if (w->n == w->room)
        return false;
    row->n_circuits = (uint64_t)p->n_as_src + p->n_as_dst;
    row->n_bytes = p->day_bytes;
    row->peer = *p->peer;
    w->n++;
    return true;
}

/* Those with most circuits first, then those that moved most today. */
static int
by_use(const void *a, const void *b)
{
    const struct peer_row *x = a, *y = b;

    if (x->n_circuits != y->n_circuits)
        return x->n_circuits < y->n_circuits ? 1 : -1;
    return x->n_bytes == y->n_bytes ? 0 : x->n_bytes < y->n_bytes ? 1 : -1;
}

static json_t *
show_peer(struct adit_job *j, const void *row)
{
    const struct peer_row *r = row;
    struct adit_relay_peer_info p;

    if (!adit_relay_peer(relay_of(j), &r->peer, &p))
        return NULL; /* gone meanwhile */
    return adit_row_peer(&p);
}

static void
run_peers(struct adit_job *j, const json_t *q)
{
    struct walk w = { .j = j };
    int64_t max = INT64_MAX;

    if (!take_int(j, q, "max", 1, UINT32_MAX, &max))
        return;
    adit_relay_each_peer(relay_of(j), count_peer, &w);
    if (!adit_job_make_list(j, w.n, sizeof(struct peer_row)))
        return;
    w.room = w.n;
    w.n = 0;
    adit_relay_each_peer(relay_of(j), copy_peer, &w);
    if (w.n > 0)
        qsort(j->rows, w.n, sizeof(struct peer_row), by_use);
    adit_job_send_list(j, ADIT_MIN(w.n, (uint64_t)max), show_peer);
}

static void
run_peer(struct adit_job *j, const json_t *q)
{
    struct adit_relay_peer_info p;
    struct adit_peerid peer;

    if (!need_peer(j, q, &peer))
        return;
    if (!adit_relay_peer(relay_of(j), &peer, &p)) {
        adit_job_fail(j, ADIT_EUNREACHABLE,
                      "it is not connected, holds no reservation and is in "
                      "no circuit; see usage for what it did");
        return;
    }
    adit_job_say(j, adit_row_peer(&p));
    adit_job_end(j, NULL);
}

static bool
is_wanted(const struct adit_job *j, const struct adit_circuit_info *c)
{
    return adit_peerid_is_none(&j->peer) || adit_peerid_eq(&j->peer, c->src) ||
           adit_peerid_eq(&j->peer, c->dst);
}

static bool
count_circuit(void *ctx, const struct adit_circuit_info *c)
{
    struct walk *w = ctx;

    w->n += is_wanted(w->j, c);
    return true;
}

static bool
copy_circuit(void *ctx, const struct adit_circuit_info *c)
{
    struct walk *w = ctx;
    struct adit_circuit_copy *row =
        (struct adit_circuit_copy *)(void *)w->j->rows + w->n;

    if (!is_wanted(w->j, c))
        return true;
    if (w->n == w->room)
        return false;
    row->id = c->id;
    row->src = *c->src;
    row->dst = *c->dst;
    row->terms = c->terms;
    row->age_us = c->age_us;
    memcpy(row->accepted_bytes, c->accepted_bytes,
           sizeof(row->accepted_bytes));
    memcpy(row->handed_bytes, c->handed_bytes, sizeof(row->handed_bytes));
    row->is_paced = c->is_paced;
    w->n++;
    return true;
}

/* The youngest first. */
static int
by_age(const void *a, const void *b)
{
    const struct adit_circuit_copy *x = a, *y = b;

    return x->id == y->id ? 0 : x->id < y->id ? 1 : -1;
}

static json_t *
show_circuit(struct adit_job *j, const void *row)
{
    (void)j;
    return adit_row_circuit(row);
}

static void
run_circuits(struct adit_job *j, const json_t *q)
{
    struct walk w = { .j = j };
    int64_t max = INT64_MAX;

    if (!take_peer(j, q, &j->peer) ||
        !take_int(j, q, "max", 1, UINT32_MAX, &max))
        return;
    adit_relay_each_circuit(relay_of(j), count_circuit, &w);
    if (!adit_job_make_list(j, w.n, sizeof(struct adit_circuit_copy)))
        return;
    w.room = w.n;
    w.n = 0;
    adit_relay_each_circuit(relay_of(j), copy_circuit, &w);
    if (w.n > 0)
        qsort(j->rows, w.n, sizeof(struct adit_circuit_copy), by_age);
    adit_job_send_list(j, ADIT_MIN(w.n, (uint64_t)max), show_circuit);
}

static void
run_limits(struct adit_job *j, const json_t *q)
{
    const struct adit_rules *r = adit_relay_rules(relay_of(j));

    (void)q;
    adit_job_say(j, adit_row_node_limits(adit_node_cfg(j->desk->cfg.node)));
    for (size_t i = 0; i < r->n_classes; i++)
        adit_job_say(j, adit_row_class_limits(r, i));
    adit_job_end(j, NULL);
}

/* ---- what is done to peers ------------------------------------------------------------ */

static void
run_kick(struct adit_job *j, const json_t *q)
{
    struct adit_peerid peer;
    size_t n;

    if (!need_peer(j, q, &peer))
        return;
    n = adit_relay_kick(relay_of(j), &peer);
    adit_job_say(j, json_pack("{s:o,s:o}", "peer", adit_row_peerid(&peer),
                              "connections", adit_row_count(n)));
    adit_job_end(j, NULL);
}

static void
run_ban(struct adit_job *j, const json_t *q)
{
    struct adit_peerid peer;
    int64_t for_s = 0, until = 0;
    adit_err e;

    if (!need_peer(j, q, &peer) ||
        !take_int(j, q, "for_s", 1, BAN_MAX_S, &for_s))
        return;
    if (for_s > 0)
        until = adit_worker_unix_s(j->desk->cfg.w) + for_s;
    e = adit_relay_ban(relay_of(j), &peer, until);
    if (e != ADIT_OK) {
        adit_job_fail(j, e, "%s", adit_err_text(e));
        return;
    }
    adit_job_say(j, json_pack("{s:o,s:I}", "peer", adit_row_peerid(&peer),
                              "until_unix_s", (json_int_t)until));
    adit_job_end(j, NULL);
}

static void
run_unban(struct adit_job *j, const json_t *q)
{
    struct adit_peerid peer;

    if (!need_peer(j, q, &peer))
        return;
    adit_relay_unban(relay_of(j), &peer);
    adit_job_say(j, json_pack("{s:o}", "peer", adit_row_peerid(&peer)));
    adit_job_end(j, NULL);
}

static void
run_class(struct adit_job *j, const json_t *q)
{
    const char *name = json_string_value(json_object_get(q, "class"));
    struct adit_peerid peer;
    adit_err e;

    if (!need_peer(j, q, &peer))
        return;
    if (name == NULL) {
        adit_job_fail(j, ADIT_EINVAL,
                      "class: 'class' must be the name of one; \"\": as the "
                      "lists say");
        return;
    }
    e = adit_relay_set_class(relay_of(j), &peer, name);
    if (e == ADIT_EINVAL) {
        adit_job_fail(j, e, "there is no class '%.40s'; see limits", name);
        return;
    }
    if (e != ADIT_OK) {
        adit_job_fail(j, e, "%s", adit_err_text(e));
        return;
    }
    adit_job_say(j, json_pack("{s:o,s:s}", "peer", adit_row_peerid(&peer),
                              "class", name));
    adit_job_end(j, NULL);
}

/* ---- the ledger --------------------------------------------------------------------------- */

static json_t *
show_usage(struct adit_job *j, const void *row)
{
    (void)j;
    return adit_row_usage(row);
}

static json_t *
show_record(struct adit_job *j, const void *row)
{
    const struct adit_usage_row *u = row;

    (void)j;
    return adit_row_record(&u->record);
}

/* Of a circuit only the record is said. */
static void
on_usage(struct adit_job *j, adit_err e, const char *text,
         const struct adit_usage_row *rows, size_t n, adit_job_row_fn *show)
{
    j->asks_ledger = false;
    if (e != ADIT_OK) {
        adit_job_fail(j, e, "the ledger: %s",
                      text != NULL ? text : adit_err_text(e));
        return;
    }
    if (!adit_job_make_list(j, n, sizeof(rows[0])))
        return;
    if (text != NULL)
        snprintf(j->warning, sizeof(j->warning), "%s", text);
    if (n > 0)
        memcpy(j->rows, rows, n * sizeof(rows[0]));
    adit_job_send_list(j, n, show);
}

static void
on_sums(void *ctx, adit_err e, const char *text,
        const struct adit_usage_row *rows, size_t n)
{
    on_usage(ctx, e, text, rows, n, show_usage);
}

static void
on_records(void *ctx, adit_err e, const char *text,
           const struct adit_usage_row *rows, size_t n)
{
    on_usage(ctx, e, text, rows, n, show_record);
}

static bool
take_by(struct adit_job *j, const json_t *q, enum adit_usage_by *out)
{
    static const char *const names[] = {
        [ADIT_USAGE_BY_PEER] = "peer",
        [ADIT_USAGE_BY_DAY] = "day",
        [ADIT_USAGE_BY_MONTH] = "month",
        [ADIT_USAGE_BY_CIRCUIT] = "circuit",
    };
    const json_t *v = json_object_get(q, "by");

    if (v == NULL)
        return true;
    for (unsigned i = 0; i < ADIT_NITEMS(names) && json_is_string(v); i++)
        if (strcmp(json_string_value(v), names[i]) == 0) {
            *out = i;
            return true;
        }
    adit_job_fail(j, ADIT_EINVAL,
                  "usage: 'by' is one of peer, day, month, circuit");
    return false;
}

static void
run_usage(struct adit_job *j, const json_t *q)
{
    struct adit_usage_query query = { .by = ADIT_USAGE_BY_PEER };
    struct adit_ledger *l = adit_relay_ledger(relay_of(j));
    int64_t max = USAGE_MAX_ROWS;
    adit_err e;

    if (!take_by(j, q, &query.by) || !take_peer(j, q, &query.peer) ||
        !take_int(j, q, "from_unix_s", 0, INT64_MAX / 2, &query.from_unix_s) ||
        !take_int(j, q, "to_unix_s", 0, INT64_MAX / 2, &query.to_unix_s) ||
        !take_int(j, q, "max", 1, USAGE_MAX_ROWS, &max))
        return;
    if (l == NULL) {
        adit_job_fail(j, ADIT_ESTATE,
                      "no ledger is kept; see the option ledger.backend");
        return;
    }
    query.has_peer = !adit_peerid_is_none(&query.peer);
    query.max_rows = (uint32_t)max;
    j->asks_ledger = true;
    e = adit_ledger_query(
        l, &query, query.by == ADIT_USAGE_BY_CIRCUIT ? on_records : on_sums,
        j);
    if (e == ADIT_OK)
        return;
    j->asks_ledger = false;
    adit_job_fail(j, e, "the ledger cannot be asked now: %s",
                  adit_err_text(e));
}

/* ---- the daemon, and the relay as a whole ---------------------------------------------------- */

static void
run_config(struct adit_job *j, const json_t *q)
{
    (void)q;
    adit_job_task(j, ADIT_ADMIN_CONFIG);
}

static void
run_reload(struct adit_job *j, const json_t *q)
{
    (void)q;
    adit_job_task(j, ADIT_ADMIN_RELOAD);
}

static void
say_state(struct adit_job *j)
{
    const char *state;

    (void)adit_desk_is_ready(j->desk, &state);
    adit_job_say(j,
                 json_pack("{s:s,s:I,s:I}", "state", state, "reservations",
                           (json_int_t)adit_relay_n_reservations(relay_of(j)),
                           "circuits",
                           (json_int_t)adit_relay_n_circuits(relay_of(j))));
    adit_job_end(j, NULL);
}

static void
run_drain(struct adit_job *j, const json_t *q)
{
    (void)q;
    adit_relay_drain(relay_of(j));
    say_state(j);
}

static void
run_undrain(struct adit_job *j, const json_t *q)
{
    (void)q;
    adit_relay_undrain(relay_of(j));
    say_state(j);
}

/* ---- the table -------------------------------------------------------------------------------- */

static void run_help(struct adit_job *j, const json_t *q);

static const struct adit_command commands[] = {
    { "status", { 0 }, "how the relay is", false, false, run_status },
    { "peers",
      { "max" },
      "who is there, the busiest first",
      true,
      false,
      run_peers },
    { "circuits",
      { "peer", "max" },
      "what is open, the youngest first",
      true,
      false,
      run_circuits },
    { "peer", { "peer" }, "what is known of one", true, false, run_peer },
    { "kick",
      { "peer" },
      "end its connections, circuits and reservation",
      true,
      true,
      run_kick },
    { "ban",
      { "peer", "for_s" },
      "kick it, and refuse it from now on",
      true,
      true,
      run_ban },
    { "unban", { "peer" }, "refuse it no longer", true, true, run_unban },
    { "class",
      { "peer", "class" },
      "put it into a class, whatever lists say; \"\": as they say",
      true,
      true,
      run_class },
    { "usage",
      { "by", "peer", "from_unix_s", "to_unix_s", "max" },
      "who used how much",
      true,
      false,
      run_usage },
    { "limits",
      { 0 },
      "the caps, rates and classes that hold",
      true,
      false,
      run_limits },
    { "config",
      { 0 },
      "the configuration in force",
      false,
      false,
      run_config },
    { "reload",
      { 0 },
      "read the configuration again",
      false,
      true,
      run_reload },
    { "drain",
      { 0 },
      "take nothing new, and let go of what is there",
      true,
      true,
      run_drain },
    { "undrain", { 0 }, "take what comes again", true, true, run_undrain },
    { "help", { 0 }, "this list", false, false, run_help },
};

static void
run_help(struct adit_job *j, const json_t *q)
{
    (void)q;
    for (size_t i = 0; i < ADIT_NITEMS(commands); i++) {
        json_t *keys = json_array();

        for (size_t k = 0; commands[i].keys[k] != NULL; k++)
            json_array_append_new(keys, json_string(commands[i].keys[k]));
        adit_job_say(j, json_pack("{s:s,s:o,s:s}", "cmd", commands[i].name,
                                  "takes", keys, "help", commands[i].help));
    }
    adit_job_end(j, NULL);
}

const struct adit_command *
adit_command_find(const char *name)
{
    for (size_t i = 0; i < ADIT_NITEMS(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
