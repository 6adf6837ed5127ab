/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* adit relay status, peers, circuits, peer, limits: what is. */
#include "cli/ctl.h"
#include "cli/screen.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A page is drawn this often unless told otherwise. */
#define REFRESH_MS 2000

/* Not without end, and sooner than aditd shows out who is silent (60 s). */
#define REFRESH_MIN_MS 10
#define REFRESH_MAX_MS 30000

/* Rows that are asked for when only a page of them is shown. */
#define PAGE_ROWS 200

/* ---- what they share --------------------------------------------------------------- */

struct show {
    struct adit_cli *c;
    struct adit_cli_ctl ctl;
    struct adit_cli_screen screen;
    const char *socket;
    bool once, csv;
    uint32_t every_ms;
    const char *peer; /* of whom; NULL: of all */
    FILE *out;
    unsigned width; /* 0: any */
    struct adit_cli_table table;
    json_t *status; /* the row that came last */
    int64_t of;     /* how many there are */
};

/* A line of figures above a table, and what comes below; each may be NULL. */
struct view {
    const char *cmd;
    const struct adit_cli_column *cols;
    size_t n_cols;
    void (*row)(struct show *s, const json_t *row);
    void (*print)(struct show *s);
};

struct turn {
    struct show *s;
    const struct view *v;
};

static void
on_row(void *ctx, json_t *row)
{
    struct turn *t = ctx;

    if (t->s->c->json)
        adit_cli_event(t->s->c, json_incref(row));
    else
        t->v->row(t->s, row);
}

static json_t *
question(const struct show *s, const struct view *v, bool is_page)
{
    json_t *q = s->peer == NULL
                    ? json_pack("{s:s}", "cmd", v->cmd)
                    : json_pack("{s:s,s:s}", "cmd", v->cmd, "peer", s->peer);

    if (is_page && v->cols != NULL)
        json_object_set_new(q, "max", json_integer(PAGE_ROWS));
    return q;
}

/* Ask once and write it to s->out. */
static int
show_once(struct show *s, const struct view *v, bool is_page)
{
    struct turn t = { s, v };
    json_t *last = NULL;
    int code;

    adit_cli_table_clear(&s->table);
    code =
        adit_cli_ctl_ask(&s->ctl, question(s, v, is_page), on_row, &t, &last);
    s->of = adit_cli_int(last, "of");
    json_decref(last);
    if (code == ADIT_CLI_OK && s->table.is_broken) {
        adit_cli_error(s->c, "out of memory");
        code = ADIT_CLI_LOCAL;
    }
    if (code == ADIT_CLI_OK && !s->c->json) {
        if (s->csv)
            adit_cli_table_csv(&s->table, s->out);
        else
            v->print(s);
    }
    return code;
}

static void
print_title(struct show *s, const struct view *v)
{
    time_t now = time(NULL);
    struct tm tm;
    char at[16] = "";

    if (gmtime_r(&now, &tm) != NULL)
        strftime(at, sizeof(at), "%H:%M:%S", &tm);
    fprintf(s->out,
            "adit relay %s   %s UTC   every %.*g s, Ctrl-C ends it\n\n",
            v->cmd, at, 3, s->every_ms / 1000.0);
}

/* What went wrong is said where it stays. */
static void
leave_screen(void *ctx)
{
    struct show *s = ctx;

    adit_cli_screen_close(&s->screen);
}

static int
show_live(struct show *s, const struct view *v)
{
    int code = ADIT_CLI_OK;

    if (!adit_cli_screen_open(&s->screen)) {
        adit_cli_screen_close(&s->screen);
        return show_once(s, v, false);
    }
    s->ctl.stop_fd = s->screen.signal_fd;
    s->ctl.on_error = leave_screen;
    s->ctl.ctx = s;
    do {
        s->out = adit_cli_screen_begin(&s->screen);
        s->width = s->screen.width;
        if (s->out == NULL)
            break;
        print_title(s, v);
        code = show_once(s, v, true);
        if (code == ADIT_CLI_OK)
            adit_cli_screen_show(&s->screen);
    } while (code == ADIT_CLI_OK &&
             adit_cli_screen_wait(&s->screen, (int)s->every_ms));
    if (code == -1) /* a signal while it waited for the answer */
        code = ADIT_CLI_OK;
    adit_cli_screen_close(&s->screen);
    return code;
}

static int
run_view(struct show *s, const struct view *v, bool may_live)
{
    bool is_live = may_live && !s->once && !s->csv && !s->c->json &&
                   adit_cli_is_terminal();
    int code;

    if (s->every_ms < REFRESH_MIN_MS || s->every_ms > REFRESH_MAX_MS) {
        adit_cli_error(s->c, "--every: from 10ms to 30s");
        return ADIT_CLI_USAGE;
    }
    s->out = stdout;
    s->width = adit_cli_width();
    adit_cli_table_init(&s->table, v->cols, v->n_cols, s->csv);
    code = adit_cli_ctl_open(&s->ctl, s->c, s->socket);
    if (code == ADIT_CLI_OK)
        code = is_live ? show_live(s, v) : show_once(s, v, false);
    adit_cli_ctl_close(&s->ctl);
    adit_cli_table_fini(&s->table);
    json_decref(s->status);
    return code;
}

static const struct adit_cli_arg *
live_args(struct show *s, struct adit_cli_arg out[4])
{
    out[0] = adit_cli_ctl_arg(&s->socket);
    out[1] = (struct adit_cli_arg){
        "once",   '1',  ADIT_CLI_FLAG,
        &s->once, NULL, "show it once, on a terminal too"
    };
    out[2] = (struct adit_cli_arg){
        "every",       'n',
        ADIT_CLI_TIME, &s->every_ms,
        "TIME",        "refresh so often on a terminal (2s), at most 30s"
    };
    out[3] =
        (struct adit_cli_arg){ "csv",   0,    ADIT_CLI_FLAG,
                               &s->csv, NULL, "exact, for a spreadsheet" };
    return out;
}

static struct show
show_init(struct adit_cli *c)
{
    return (struct show){ .c = c, .every_ms = REFRESH_MS };
}

/* ---- status -------------------------------------------------------------------------- */

static void
status_row(struct show *s, const json_t *row)
{
    json_decref(s->status);
    s->status = json_deep_copy(row);
}

/* "3 of 1024", "3". */
static void
print_of(struct show *s, const char *title, const char *key, const char *max)
{
    int64_t limit = adit_cli_int(s->status, max);

    fprintf(s->out, "%-14s %" PRId64, title, adit_cli_int(s->status, key));
    if (limit > 0)
        fprintf(s->out, " of %" PRId64, limit);
    fputc('\n', s->out);
}

static const char *
bytes_of(const json_t *row, const char *key, char buf[ADIT_CLI_AMOUNT_BYTES])
{
    return adit_cli_bytes((uint64_t)adit_cli_int(row, key), buf);
}

static void
format_date(int64_t unix_s, char out[32])
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    if (unix_s == 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(out, 32, "never");
}

/* "3 d 4 h 5 min" in its two largest units. */
static void
format_span(int64_t s, char out[32])
{
    if (s >= 86400)
        snprintf(out, 32, "%" PRId64 " d %" PRId64 " h", s / 86400,
                 s % 86400 / 3600);
    else if (s >= 3600)
        snprintf(out, 32, "%" PRId64 " h %" PRId64 " min", s / 3600,
                 s % 3600 / 60);
    else if (s >= 60)
        snprintf(out, 32, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        snprintf(out, 32, "%" PRId64 " s", s);
}

static void
print_ledger(struct show *s)
{
    const json_t *l = json_object_get(s->status, "ledger");
    char at[32];

    if (!json_is_object(l)) {
        fprintf(s->out, "%-14s none is kept\n", "ledger");
        return;
    }
    if (json_is_true(json_object_get(l, "ok"))) {
        int64_t written = adit_cli_int(l, "written_unix_s");

        format_date(written, at);
        fprintf(s->out, "%-14s %s%s, %" PRId64 " waiting\n", "ledger",
                written != 0 ? "written " : "nothing written yet",
                written != 0 ? at : "", adit_cli_int(l, "pending"));
        return;
    }
    format_date(adit_cli_int(l, "failing_unix_s"), at);
    fprintf(s->out, "%-14s FAILING since %s: %s; %" PRId64 " waiting\n",
            "ledger", at, adit_cli_str(l, "why"), adit_cli_int(l, "pending"));
}

static void
print_list(struct show *s, const char *title, const char *key)
{
    const json_t *v = json_object_get(s->status, key);

    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *text = json_string_value(json_array_get(v, i));

        fprintf(s->out, "%-14s %s\n", i == 0 ? title : "",
                text != NULL ? text : "");
    }
}

static void
status_print(struct show *s)
{
    const json_t *row = s->status, *config = json_object_get(row, "config");
    char a[ADIT_CLI_AMOUNT_BYTES], b[ADIT_CLI_AMOUNT_BYTES], at[32], span[32];

    format_date(adit_cli_int(row, "started_unix_s"), at);
    format_span(adit_cli_int(row, "up_s"), span);
    fprintf(s->out, "%-14s %s   (aditd %s)\n", "peer",
            adit_cli_str(row, "peer"), adit_cli_str(row, "version"));
    fprintf(s->out, "%-14s %s\n", "state", adit_cli_str(row, "state"));
    fprintf(s->out, "%-14s %s, for %s\n", "up since", at, span);
    if (json_is_object(config)) {
        format_date(adit_cli_int(config, "since_unix_s"), at);
        fprintf(s->out, "%-14s number %" PRId64 ", of %s\n", "configuration",
                adit_cli_int(config, "generation"), at);
    }
    print_list(s, "listens", "listens");
    print_list(s, "announces", "addresses");
    fputc('\n', s->out);
    print_of(s, "reservations", "reservations", "reservations_max");
    print_of(s, "circuits", "circuits", "circuits_max");
    print_of(s, "connections", "connections", "connections_max");
    print_of(s, "descriptors", "descriptors", "descriptors_max");
    fprintf(s->out, "%-14s %" PRId64 " since the start\n", "refused",
            adit_cli_int(row, "refused"));
    fprintf(s->out, "%-14s %s in all, %s/s now", "relayed",
            bytes_of(row, "relayed_bytes", a), bytes_of(row, "bytes_s", b));
    if (adit_cli_int(row, "rate_bytes_s") > 0)
        fprintf(s->out, " of %s/s", bytes_of(row, "rate_bytes_s", a));
    if (adit_cli_int(row, "paced_circuits") > 0)
        fprintf(s->out, ", %" PRId64 " circuits wait for a rate",
                adit_cli_int(row, "paced_circuits"));
    fprintf(s->out, "\n%-14s %s of %s\n", "buffers",
            bytes_of(row, "buffer_bytes", a),
            bytes_of(row, "buffer_max_bytes", b));
    fprintf(s->out, "%-14s %s\n", "memory",
            bytes_of(row, "resident_bytes", a));
    print_ledger(s);
}

static int
run_status(struct adit_cli *c, const struct adit_cli_command *self,
           char **argv)
{
    static const struct view v = { .cmd = "status",
                                   .row = status_row,
                                   .print = status_print };
    struct show s = show_init(c);
    struct adit_cli_arg args[4];
    const char *pos[1];
    int code =
        adit_cli_parse(c, self, live_args(&s, args), 3, argv, pos, 0, 0);

    return code != ADIT_CLI_OK ? code : run_view(&s, &v, true);
}

const struct adit_cli_command adit_cli_cmd_status = {
    "relay status",
    "",
    "how the relay is",
    "Show how a running aditd is: what it holds and carries, its addresses, "
    "buffers and\nledger.  On a terminal it is refreshed until Ctrl-C; else, "
    "and with --once, it is\nshown once.",
    run_status,
    true,
};

/* ---- peers ----------------------------------------------------------------------------- */

static const struct adit_cli_column peer_cols[] = {
    { "PEER", "peer", false, 17, false, false },
    { "CLASS", "class", false, 12, false, false },
    { "WHY", "class_why", false, 0, true, false },
    { "ADDRESS", "address", false, 12, true, false },
    { "CONNS", "connections", true, 0, true, false },
    { "RESERVED", "reserved_until", true, 0, false, false },
    { "OUT", "circuits_out", true, 0, false, false },
    { "IN", "circuits_in", true, 0, false, false },
    { "TODAY", "day_bytes", true, 0, false, false },
    { "MONTH", "month_bytes", true, 0, true, false },
    { "", "banned", false, 0, false, false },
};

static void
peer_row(struct show *s, const json_t *row)
{
    struct adit_cli_table *t = &s->table;
    int64_t until = adit_cli_int(row, "reserved_until_unix_s");
    int64_t now = (int64_t)time(NULL);
    bool is_banned = json_is_true(json_object_get(row, "banned"));

    adit_cli_table_text(t, adit_cli_str(row, "peer"));
    adit_cli_table_text(t, adit_cli_str(row, "class"));
    adit_cli_table_text(t, adit_cli_str(row, "class_why"));
    adit_cli_table_text(t, adit_cli_str(row, "address"));
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "connections"));
    if (t->is_exact)
        adit_cli_table_time(t, until);
    else
        adit_cli_table_seconds(t, until > now ? (uint64_t)(until - now) : 0);
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "circuits_out"));
    adit_cli_table_count(t, (uint64_t)adit_cli_int(row, "circuits_in"));
    adit_cli_table_bytes(t, (uint64_t)adit_cli_int(row, "day_bytes"));
    adit_cli_table_bytes(t, (uint64_t)adit_cli_int(row, "month_bytes"));
    if (t->is_exact)
        adit_cli_table_text(t, is_banned ? "yes" : "no");
    else
        adit_cli_table_text(t, is_banned ? "banned" : "");
}

/* A table, and how many more there are than it shows. */
static void
table_print(struct show *s)
{
    size_t n = adit_cli_table_n_rows(&s->table), max = n;

    if (s->screen.page != NULL) {
        /* Title, blank, head, blank, and the line below. */
        max = s->screen.height > 7 ? s->screen.height - 6 : 1;
        if (max > n)
            max = n;
    }
    adit_cli_table_print(&s->table, s->out, s->width, max);
    if (s->screen.page != NULL || (int64_t)max < s->of)
        fprintf(s->out, "\n%zu of %" PRId64 "\n", max, s->of);
}

static int
run_peers(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    static const struct view v = { "peers", peer_cols,
                                   ADIT_CLI_NITEMS(peer_cols), peer_row,
                                   table_print };
    struct show s = show_init(c);
    struct adit_cli_arg args[4];
    const char *pos[1];
    int code =
        adit_cli_parse(c, self, live_args(&s, args), 4, argv, pos, 0, 0);

    return code != ADIT_CLI_OK ? code : run_view(&s, &v, true);
}

const struct adit_cli_command adit_cli_cmd_peers = {
    "relay peers",
    "",
    "who is there, the busiest first",
    "List who is connected, holds a reservation or is in a circuit: those "
    "with most\ncircuits first, then those that moved most today.  WHY says "
    "what puts a peer into\nits class: default, list, admission, operator or "
    "quota.  On a terminal it is\nrefreshed until Ctrl-C.",
    run_peers,
    true,
};

/* ---- circuits ---------------------------------------------------------------------------- */

static const struct adit_cli_column circuit_cols[] = {
    { "ID", "id", true, 0, true, false },
    { "SOURCE", "source", false, 17, false, false },
    { "DESTINATION", "destination", false, 17, false, false },
    { "AGE", "age_s", true, 0, false, false },
    { "OF", "limit_s", true, 0, true, false },
    { "", "to_destination_accepted_bytes", true, 0, false, true },
    { "->", "to_destination_handed_bytes", true, 0, false, false },
    { "", "to_source_accepted_bytes", true, 0, false, true },
    { "<-", "to_source_handed_bytes", true, 0, false, false },
    { "EACH", "limit_bytes", true, 0, true, false },
    { "RATE", "rate_bytes_s", true, 0, true, false },
    { "", "paced", false, 0, true, false },
};

static void
ways(struct adit_cli_table *t, const json_t *row)
{
    static const char *const names[] = { "to_destination", "to_source" };

    for (size_t i = 0; i < 2; i++) {
        const json_t *way = json_object_get(row, names[i]);

        adit_cli_table_bytes(t, (uint64_t)adit_cli_int(way, "accepted_bytes"));
        adit_cli_table_bytes(t, (uint64_t)adit_cli_int(way, "handed_bytes"));
    }
}

static void
circuit_row(struct show *s, const json_t *row)
{
    struct adit_cli_table *t = &s->table;
    bool is_paced = json_is_true(json_object_get(row, "paced"));
    char id[24];

    snprintf(id, sizeof(id), "%" PRId64, adit_cli_int(row, "id"));
    adit_cli_table_text(t, id);
    adit_cli_table_text(t, adit_cli_str(row, "source"));
    adit_cli_table_text(t, adit_cli_str(row, "destination"));
    adit_cli_table_seconds(t, (uint64_t)adit_cli_int(row, "age_s"));
    adit_cli_table_seconds(t, (uint64_t)adit_cli_int(row, "limit_s"));
    ways(t, row);
    adit_cli_table_bytes(t, (uint64_t)adit_cli_int(row, "limit_bytes"));
    adit_cli_table_rate(t, (uint64_t)adit_cli_int(row, "rate_bytes_s"));
    if (t->is_exact)
        adit_cli_table_text(t, is_paced ? "yes" : "no");
    else
        adit_cli_table_text(t, is_paced ? "waits" : "");
}

static int
run_circuits(struct adit_cli *c, const struct adit_cli_command *self,
             char **argv)
{
    static const struct view v = { "circuits", circuit_cols,
                                   ADIT_CLI_NITEMS(circuit_cols), circuit_row,
                                   table_print };
    struct show s = show_init(c);
    struct adit_cli_arg args[5];
    const char *pos[1];
    int code;

    live_args(&s, args);
    args[4] = (struct adit_cli_arg){ "peer",  0,    ADIT_CLI_TEXT,
                                     &s.peer, "ID", "those of one peer" };
    code = adit_cli_parse(c, self, args, 5, argv, pos, 0, 0);
    return code != ADIT_CLI_OK ? code : run_view(&s, &v, true);
}

const struct adit_cli_command adit_cli_cmd_circuits = {
    "relay circuits",
    "",
    "what is open, the youngest first",
    "List the circuits that are open: who dialled whom, for how long of what "
    "time, and\nhow much went each way of how much.  \"waits\" is behind one "
    "that a rate holds back\njust now.  On a terminal it is refreshed until "
    "Ctrl-C.",
    run_circuits,
    true,
};

/* ---- one peer ------------------------------------------------------------------------------ */

static void
one_peer_row(struct show *s, const json_t *row)
{
    json_decref(s->status);
    s->status = json_deep_copy(row);
}

static void
one_peer_print(struct show *s)
{
    const json_t *row = s->status;
    char a[ADIT_CLI_AMOUNT_BYTES], b[ADIT_CLI_AMOUNT_BYTES], at[32];
    int64_t until = adit_cli_int(row, "reserved_until_unix_s");

    format_date(until, at);
    fprintf(s->out, "peer         %s%s\n", adit_cli_str(row, "peer"),
            json_is_true(json_object_get(row, "banned")) ? "   BANNED" : "");
    fprintf(s->out, "class        %s (%s)\n", adit_cli_str(row, "class"),
            adit_cli_str(row, "class_why"));
    fprintf(s->out, "connections  %" PRId64 "%s%s\n",
            adit_cli_int(row, "connections"),
            adit_cli_str(row, "address")[0] != '\0' ? ", one from " : "",
            adit_cli_str(row, "address"));
    fprintf(s->out, "reservation  %s%s\n", until != 0 ? "until " : "",
            until != 0 ? at : "none");
    fprintf(s->out, "circuits     %" PRId64 " out, %" PRId64 " in\n",
            adit_cli_int(row, "circuits_out"),
            adit_cli_int(row, "circuits_in"));
    fprintf(s->out, "moved        %s today, %s this month\n",
            bytes_of(row, "day_bytes", a), bytes_of(row, "month_bytes", b));
}

static int
run_peer(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    static const struct view v = { .cmd = "peer",
                                   .row = one_peer_row,
                                   .print = one_peer_print };
    struct show s = show_init(c);
    struct adit_cli_arg args[4];
    const char *pos[1];
    int code =
        adit_cli_parse(c, self, live_args(&s, args), 1, argv, pos, 1, 1);

    s.peer = pos[0];
    return code != ADIT_CLI_OK ? code : run_view(&s, &v, false);
}

const struct adit_cli_command adit_cli_cmd_peer = {
    "relay peer",
    "ID",
    "what is known of one",
    "Show what is known now of the peer ID.  What it did before is in adit "
    "relay usage\n--peer ID.",
    run_peer,
    true,
};

/* ---- limits ---------------------------------------------------------------------------------- */

static const struct adit_cli_column limit_cols[] = {
    { "LIMIT", "limit", false, 0, false, false },
    { "OF", "of", false, 10, false, false },
    { "", "value", true, 0, false, false },
};

/* A number in its unit, which its name ends with. */
static void
limit_value(struct adit_cli_table *t, const char *key, const json_t *v)
{
    size_t n = strlen(key);
    uint64_t x = (uint64_t)json_integer_value(v);

    if (json_is_boolean(v))
        adit_cli_table_text(t, json_is_true(v) ? "yes" : "no");
    else if (json_is_string(v))
        adit_cli_table_text(t, json_string_value(v));
    else if (x == 0 && !t->is_exact)
        adit_cli_table_text(t, "no limit");
    else if (n > 8 && strcmp(key + n - 8, "_bytes_s") == 0)
        adit_cli_table_rate(t, x);
    else if (n > 6 && strcmp(key + n - 6, "_bytes") == 0)
        adit_cli_table_bytes(t, x);
    else if (n > 2 && strcmp(key + n - 2, "_s") == 0)
        adit_cli_table_seconds(t, x);
    else
        adit_cli_table_count(t, x);
}

static void
join(const json_t *v, char *out, size_t cap)
{
    size_t n = 0;

    snprintf(out, cap, "nobody");
    for (size_t i = 0; i < json_array_size(v) && n < cap; i++) {
        const char *text = json_string_value(json_array_get(v, i));

        n += (size_t)snprintf(out + n, cap - n, "%s%s", i > 0 ? " " : "",
                              text != NULL ? text : "");
    }
}

/* As the rule is called that refuses by it: connections_per_48. */
static void
cap_name(char *out, size_t cap, const char *thing, const char *scope)
{
    if (strcmp(scope, "node") == 0)
        snprintf(out, cap, "%s", thing);
    else
        snprintf(out, cap, "%s_per_%s", thing,
                 strcmp(scope, "net48") == 0 ? "48" : scope);
}

static void
limit_row(struct show *s, const json_t *row)
{
    struct adit_cli_table *t = &s->table;
    const char *of = adit_cli_str(row, "class"), *key, *scope;
    json_t *object = json_deep_copy(row), *v, *cap;
    char name[64], names[512];

    json_object_foreach(object, key, v)
    {
        if (strcmp(key, "scope") == 0 || strcmp(key, "class") == 0)
            continue;
        if (json_is_object(v)) {
            json_object_foreach(v, scope, cap)
            {
                /* Of most scopes nothing is said. */
                if (json_integer_value(cap) == 0 && !t->is_exact)
                    continue;
                cap_name(name, sizeof(name), key, scope);
                adit_cli_table_text(t, name);
                adit_cli_table_text(t, "all");
                limit_value(t, key, cap);
            }
            continue;
        }
        adit_cli_table_text(t, key);
        adit_cli_table_text(t, of[0] != '\0' ? of : "all");
        if (json_is_array(v)) {
            join(v, names, sizeof(names));
            adit_cli_table_text(t, names);
        } else {
            limit_value(t, key, v);
        }
    }
    json_decref(object);
}

static int
run_limits(struct adit_cli *c, const struct adit_cli_command *self,
           char **argv)
{
    static const struct view v = { "limits", limit_cols,
                                   ADIT_CLI_NITEMS(limit_cols), limit_row,
                                   table_print };
    struct show s = show_init(c);
    struct adit_cli_arg args[4];
    const char *pos[1];
    int code;

    live_args(&s, args);
    args[1] = args[3];
    code = adit_cli_parse(c, self, args, 2, argv, pos, 0, 0);
    return code != ADIT_CLI_OK ? code : run_view(&s, &v, false);
}

const struct adit_cli_command adit_cli_cmd_limits = {
    "relay limits",
    "",
    "the caps, rates and classes that hold",
    "List what holds now: the caps and rates of all, then what each class "
    "gives.",
    run_limits,
    true,
};
