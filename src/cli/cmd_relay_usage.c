/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* adit relay usage: who used how much. */
#include "cli/ctl.h"
#include "cli/screen.h"
#include "cli/table.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

struct usage {
    struct adit_cli *c;
    struct adit_cli_table table;
    const char *by; /* as the ledger has it */
    bool is_month;  /* how a period is written */
};

/* ---- dates ------------------------------------------------------------------------- */

/* The begin of a day or (two numbers) of a month, and of the next. */
static bool
parse_date(const char *text, bool is_month, int64_t *from, int64_t *to)
{
    struct tm tm = { .tm_mday = 1 }, next;
    int n = 0, year, month, day = 1;
    time_t t;
    char again[16];

    if (is_month ? sscanf(text, "%4d-%2d%n", &year, &month, &n) != 2
                 : sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3)
        return false;
    if (text[n] != '\0')
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    next = tm;
    t = timegm(&tm);
    /* What is no date comes back as another one. */
    if (t < 0 ||
        strftime(again, sizeof(again), is_month ? "%Y-%m" : "%Y-%m-%d", &tm) ==
            0 ||
        strcmp(again, text) != 0)
        return false;
    *from = (int64_t)t;
    if (is_month)
        next.tm_mon++;
    else
        next.tm_mday++;
    *to = (int64_t)timegm(&next);
    return true;
}

static bool
take_date(struct adit_cli *c, const char *option, const char *text,
          bool is_month, int64_t *from, int64_t *to)
{
    if (parse_date(text, is_month, from, to))
        return true;
    adit_cli_error(c, "--%s: '%s' is no %s as %s", option, text,
                   is_month ? "month" : "day",
                   is_month ? "2026-01" : "2026-01-31");
    return false;
}

/* ---- rows ---------------------------------------------------------------------------- */

static const struct adit_cli_column sum_cols[] = {
    { "PERIOD", "period", false, 0, false, false },
    { "PEER", "peer", false, 17, false, false },
    { "SENT", "sent_bytes", true, 0, false, false },
    { "RECEIVED", "received_bytes", true, 0, false, false },
    { "OUT", "circuits_out", true, 0, false, false },
    { "IN", "circuits_in", true, 0, false, false },
    { "RESERVED", "reservations", true, 0, true, false },
    { "REFUSED", "refused", true, 0, true, false },
    { "", "refused_by", false, 0, false, true },
    { "FIRST", "first_seen", false, 0, true, false },
    { "LAST", "last_seen", false, 0, true, false },
};

static const struct adit_cli_column record_cols[] = {
    { "BEGAN", "began", false, 0, false, false },
    { "SOURCE", "source", false, 17, false, false },
    { "DESTINATION", "destination", false, 17, false, false },
    { "LASTED", "lasted_s", true, 0, false, false },
    { "", "to_destination_accepted_bytes", true, 0, false, true },
    { "->", "to_destination_handed_bytes", true, 0, false, false },
    { "", "to_source_accepted_bytes", true, 0, false, true },
    { "<-", "to_source_handed_bytes", true, 0, false, false },
    { "ENDED BY", "why", false, 0, false, false },
};

static void
period(struct usage *u, int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    char text[16] = "";

    if (unix_s != 0 && gmtime_r(&t, &tm) != NULL)
        strftime(text, sizeof(text), u->is_month ? "%Y-%m" : "%Y-%m-%d", &tm);
    adit_cli_table_text(&u->table,
                        text[0] == '\0' && !u->table.is_exact ? "all" : text);
}

static void
sum_row(struct usage *u, json_t *row)
{
    struct adit_cli_table *t = &u->table;
    json_t *refusals = json_object_get(row, "refusals"), *n;
    const char *peer = adit_cli_str(row, "peer"), *rule;
    char by[1024] = "";
    size_t at = 0;
    uint64_t refused = 0;

    json_object_foreach(refusals, rule, n)
    {
        refused += (uint64_t)json_integer_value(n);
        if (at < sizeof(by))
            at += (size_t)snprintf(
                by + at, sizeof(by) - at, "%s%s=%" JSON_INTEGER_FORMAT,
                at > 0 ? " " : "", rule, json_integer_value(n));
    }
    period(u, adit_cli_int(row, "period_unix_s"));
    adit_cli_table_text(t, peer[0] == '\0' && !t->is_exact ? "all" : peer);
    adit_cli_table_bytes(t, (uint64_t)adit_cli_int(row, "sent_bytes"));
    adit_cli_table_bytes(t, (uint64_t)adit_cli_int(row, "received_bytes"));
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "circuits_out"));
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "circuits_in"));
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "reservations"));
    adit_cli_table_count(t, refused);
    adit_cli_table_text(t, by);
    adit_cli_table_time(t, adit_cli_int(row, "first_unix_s"));
    adit_cli_table_time(t, adit_cli_int(row, "last_unix_s"));
}

static void
record_row(struct usage *u, const json_t *row)
{
    static const char *const names[] = { "to_destination", "to_source" };
    struct adit_cli_table *t = &u->table;
    int64_t us = adit_cli_int(row, "lasted_us");
    char exact[32];

    adit_cli_table_time(t, adit_cli_int(row, "began_unix_s"));
    adit_cli_table_text(t, adit_cli_str(row, "source"));
    adit_cli_table_text(t, adit_cli_str(row, "destination"));
    snprintf(exact, sizeof(exact), "%" PRId64 ".%06" PRId64, us / 1000000,
             us % 1000000);
    if (!t->is_exact && us < 1000000)
        snprintf(exact, sizeof(exact), "%" PRId64 "ms", us / 1000);
    if (t->is_exact || us < 1000000)
        adit_cli_table_text(t, exact);
    else
        adit_cli_table_seconds(t, ((uint64_t)us + 500000) / 1000000);
    for (size_t i = 0; i < 2; i++) {
        const json_t *way = json_object_get(row, names[i]);

        adit_cli_table_bytes(t, (uint64_t)adit_cli_int(way, "accepted_bytes"));
        adit_cli_table_bytes(t, (uint64_t)adit_cli_int(way, "handed_bytes"));
    }
    adit_cli_table_text(t, adit_cli_str(row, "why"));
}

static void
on_row(void *ctx, json_t *row)
{
    struct usage *u = ctx;

    if (u->c->json)
        adit_cli_event(u->c, json_incref(row));
    else if (strcmp(u->by, "circuit") == 0)
        record_row(u, row);
    else
        sum_row(u, row);
}

/* ---- the command ------------------------------------------------------------------------ */

struct options {
    const char *socket, *peer, *from, *to;
    struct adit_cli_maybe day, month;
    bool circuits, csv;
    unsigned top;
};

/* NULL: said what is wrong. */
static json_t *
question(struct usage *u, const struct options *o)
{
    int64_t from = 0, to = 0, unused;
    json_t *q;

    u->by = o->circuits                                 ? "circuit"
            : o->day.is_set && o->day.value == NULL     ? "day"
            : o->month.is_set && o->month.value == NULL ? "month"
                                                        : "peer";
    u->is_month = o->month.is_set;
    if (o->day.is_set + o->month.is_set > 1 ||
        ((o->day.value != NULL || o->month.value != NULL) &&
         (o->from != NULL || o->to != NULL))) {
        adit_cli_error(u->c, "one of --day, --month, or --from and --to");
        return NULL;
    }
    if ((o->day.value != NULL &&
         !take_date(u->c, "day", o->day.value, false, &from, &to)) ||
        (o->month.value != NULL &&
         !take_date(u->c, "month", o->month.value, true, &from, &to)) ||
        (o->from != NULL &&
         !take_date(u->c, "from", o->from, false, &from, &unused)) ||
        (o->to != NULL && !take_date(u->c, "to", o->to, false, &unused, &to)))
        return NULL;
    if (o->from != NULL && o->to == NULL)
        to = (int64_t)time(NULL) + 86400;
    q = json_pack("{s:s,s:s}", "cmd", "usage", "by", u->by);
    if (o->peer != NULL &&
        json_object_set_new(q, "peer", json_string(o->peer)) != 0) {
        json_decref(q);
        adit_cli_error(u->c, "--peer: that is no peer id");
        return NULL;
    }
    if (to > 0) {
        json_object_set_new(q, "from_unix_s", json_integer(from));
        json_object_set_new(q, "to_unix_s", json_integer(to));
    }
    if (o->top > 0)
        json_object_set_new(q, "max", json_integer(o->top));
    return q;
}

static int
answer(struct usage *u, const struct options *o, json_t *q)
{
    bool is_record = strcmp(u->by, "circuit") == 0;
    struct adit_cli_ctl ctl;
    int code = adit_cli_ctl_open(&ctl, u->c, o->socket);

    adit_cli_table_init(&u->table, is_record ? record_cols : sum_cols,
                        is_record ? ADIT_CLI_NITEMS(record_cols)
                                  : ADIT_CLI_NITEMS(sum_cols),
                        o->csv);
    if (code == ADIT_CLI_OK)
        code = adit_cli_ctl_ask(&ctl, q, on_row, u, NULL);
    else
        json_decref(q);
    adit_cli_ctl_close(&ctl);
    if (code == ADIT_CLI_OK && u->table.is_broken) {
        adit_cli_error(u->c, "out of memory");
        code = ADIT_CLI_LOCAL;
    }
    if (code == ADIT_CLI_OK && !u->c->json) {
        if (o->csv)
            adit_cli_table_csv(&u->table, stdout);
        else
            adit_cli_table_print(&u->table, stdout, adit_cli_width(),
                                 SIZE_MAX);
    }
    adit_cli_table_fini(&u->table);
    return code;
}

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct usage u = { .c = c };
    struct options o = { 0 };
    const struct adit_cli_arg args[] = {
        adit_cli_ctl_arg(&o.socket),
        { "peer", 'p', ADIT_CLI_TEXT, &o.peer, "ID", "of one peer" },
        { "day", 'd', ADIT_CLI_MAYBE, &o.day, "[YYYY-MM-DD]",
          "a row a day; or of that day, a row a peer" },
        { "month", 'm', ADIT_CLI_MAYBE, &o.month, "[YYYY-MM]",
          "a row a month; or of that month, a row a peer" },
        { "circuits", 0, ADIT_CLI_FLAG, &o.circuits, NULL,
          "a row a circuit that ended, the newest first" },
        { "from", 0, ADIT_CLI_TEXT, &o.from, "YYYY-MM-DD",
          "from this day on" },
        { "to", 0, ADIT_CLI_TEXT, &o.to, "YYYY-MM-DD",
          "to this day, itself included" },
        { "top", 't', ADIT_CLI_COUNT, &o.top, "N",
          "the N largest alone (10000)" },
        { "csv", 0, ADIT_CLI_FLAG, &o.csv, NULL, "exact, for a spreadsheet" },
    };
    int code =
        adit_cli_parse(c, self, args, ADIT_CLI_NITEMS(args), argv, NULL, 0, 0);
    json_t *q;

    if (code != ADIT_CLI_OK)
        return code;
    q = question(&u, &o);
    return q != NULL ? answer(&u, &o, q) : ADIT_CLI_USAGE;
}

const struct adit_cli_command adit_cli_cmd_usage = {
    "relay usage",
    "",
    "who used how much",
    "Ask the ledger of a running aditd: bytes each way, circuits out and in, "
    "reservations\nand refusals, of each peer that used something, the "
    "largest first; or by --day, by\n--month, or circuit by circuit.  Days "
    "and months are those of UTC.  SENT is what was\naccepted from a peer, "
    "RECEIVED what was handed on to it; what has not been written\nyet is "
    "included, or it is said that it is not.  --csv and --json are exact to "
    "the byte.",
    run,
    true,
};
