/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The commands: what is asked of the relay, and what is answered. */
#include "client.h"
#include "fakes.h"

#include "admin/desk.h"

#include <jansson.h>
#include <sys/un.h>

#define P0 "12D3KooW9pNAk8aiBuGVQtWRdbkLmo5qVL3e2h5UxbN2Nz9ttwiw"

struct office {
    struct rig r;
    struct adit_desk desk;
    struct adit_sock *sock;
    struct adit_host host;
    struct adit_identity identity;
    struct adit_metrics metrics;
    struct adit_proc proc;
    struct client c;
    char dir[64], path[128];
    uint64_t token; /* what the daemon was asked last */
    enum adit_admin_task task;
};

static void
on_task(void *ctx, enum adit_admin_task task, uint64_t token)
{
    struct office *o = ctx;

    o->task = task;
    o->token = token;
    rig_done(&o->r);
}

static void
office_init(struct office *o)
{
    struct adit_desk_config cfg = { .on_task = on_task, .ctx = o };
    struct adit_sock_config sock = { .fd = -1,
                                     .ctx = &o->desk,
                                     .ask = adit_desk_ask,
                                     .more = adit_desk_more,
                                     .gone = adit_desk_gone };
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char why[ADIT_SOCK_WHY_BYTES];
    int fd;

    memset(o, 0, sizeof(*o));
    memset(&fake, 0, sizeof(fake));
    rig_init(&o->r, ADIT_WORKER_OWN);
    fake.n_listens = 1;
    fake.cfg.caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE] = 1024;
    fake.rules.n_classes = 2;
    fake.rules.classes[0] = (struct adit_class){ .name = "anonymous",
                                                 .may_reserve = true,
                                                 .over_quota = ADIT_NO_CLASS,
                                                 .may_dial = 3,
                                                 .circuit_bytes = 131072,
                                                 .circuit_s = 120 };
    fake.rules.classes[1] =
        (struct adit_class){ .name = "slow", .over_quota = 0 };
    fake_peer(0, &o->identity.id);
    o->host.metrics = &o->metrics;
    o->host.identity = &o->identity;
    cfg.w = o->r.w;
    cfg.node = (struct adit_node *)o; /* only handed on */
    cfg.relay = (struct adit_relay *)o;
    cfg.host = &o->host;
    cfg.proc = &o->proc;
    adit_proc_open(&o->proc);
    assert_int_equal(adit_desk_open(&o->desk, &cfg), ADIT_OK);
    snprintf(o->dir, sizeof(o->dir), "/tmp/adit-desk-XXXXXX");
    assert_non_null(mkdtemp(o->dir));
    snprintf(o->path, sizeof(o->path), "%s/s", o->dir);
    sock.path = o->path;
    assert_int_equal(adit_sock_open(o->r.w, &sock, &o->sock, why), ADIT_OK);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, o->path, strlen(o->path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    client_init(&o->c, &o->r, fd);
}

static void
office_fini(struct office *o)
{
    client_fini(&o->c);
    adit_sock_close(o->sock);
    adit_desk_close(&o->desk);
    adit_desk_fini(&o->desk);
    adit_proc_close(&o->proc);
    assert_int_equal(rmdir(o->dir), 0);
    rig_fini(&o->r);
}

/* Ask; every line up to the last, as one array.  The caller's. */
static json_t *
ask_it(struct office *o, const char *question)
{
    size_t n = client_n_lines(&o->c), at = o->c.n;
    json_t *all = json_array(), *line;

    client_say(&o->c, question);
    client_say(&o->c, "\n");
    for (;;) {
        const char *end;

        client_read(&o->c, ++n);
        end = memchr(o->c.text + at, '\n', o->c.n - at);
        assert_non_null(end);
        line = json_loadb(o->c.text + at, (size_t)(end - o->c.text) - at, 0,
                          NULL);
        assert_non_null(line);
        at = (size_t)(end - o->c.text) + 1;
        json_array_append_new(all, line);
        if (json_object_get(line, "done") != NULL ||
            json_object_get(line, "error") != NULL)
            return all;
    }
}

static json_t *
row(const json_t *all, size_t i)
{
    json_t *v = json_array_get(all, i);

    assert_non_null(v);
    return v;
}

static const char *
text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

static json_int_t
int_of(const json_t *row, const char *key)
{
    assert_true(json_is_integer(json_object_get(row, key)));
    return json_integer_value(json_object_get(row, key));
}

/* ---- what is done ----------------------------------------------------------------- */

static const struct {
    const char *why;
    const char *question;
    const char *error; /* NULL: it is done */
    const char *what;  /* part of the sentence */
    const char *done;  /* to the relay */
} cases[] = {
    { "kick", "{\"cmd\":\"kick\",\"peer\":\"" P0 "\"}", NULL, NULL,
      "kick 0 0 " },
    { "ban for good", "{\"cmd\":\"ban\",\"peer\":\"" P0 "\"}", NULL, NULL,
      "ban 0 0 " },
    { "ban for a while",
      "{\"cmd\":\"ban\",\"peer\":\"" P0 "\",\"for_s\":3600}", NULL, NULL,
      "ban 0 1 " },
    { "unban", "{\"cmd\":\"unban\",\"peer\":\"" P0 "\"}", NULL, NULL,
      "unban 0 0 " },
    { "class", "{\"cmd\":\"class\",\"peer\":\"" P0 "\",\"class\":\"slow\"}",
      NULL, NULL, "class 0 0 slow" },
    { "as the lists say",
      "{\"cmd\":\"class\",\"peer\":\"" P0 "\",\"class\":\"\"}", NULL, NULL,
      "class 0 0 " },
    { "no such class",
      "{\"cmd\":\"class\",\"peer\":\"" P0 "\",\"class\":\"none\"}", "EINVAL",
      "there is no class 'none'", "class 0 0 none" },
    { "no class said", "{\"cmd\":\"class\",\"peer\":\"" P0 "\"}", "EINVAL",
      "'class' must be", "" },
    { "no peer", "{\"cmd\":\"kick\"}", "EINVAL", "must be a peer id", "" },
    { "a peer that is none", "{\"cmd\":\"kick\",\"peer\":\"Qm\"}", "EINVAL",
      "not Qm", "" },
    { "a peer that is no text", "{\"cmd\":\"kick\",\"peer\":7}", "EINVAL",
      "must be a peer id", "" },
    { "a ban of no time", "{\"cmd\":\"ban\",\"peer\":\"" P0 "\",\"for_s\":0}",
      "EINVAL", "'for_s' must be a number", "" },
    { "a ban by words",
      "{\"cmd\":\"ban\",\"peer\":\"" P0 "\",\"for_s\":\"1h\"}", "EINVAL",
      "'for_s' must be a number", "" },
    { "what it does not take", "{\"cmd\":\"kick\",\"for_s\":1}", "EINVAL",
      "it takes no 'for_s'", "" },
    { "no such command", "{\"cmd\":\"kill\"}", "EINVAL", "'kill'", "" },
    { "no command", "{}", "EINVAL", "\"cmd\" is expected", "" },
    { "a list", "[1]", "EINVAL", "\"cmd\" is expected", "" },
    { "usage without a ledger", "{\"cmd\":\"usage\"}", "ESTATE",
      "no ledger is kept", "" },
    { "usage by what is not", "{\"cmd\":\"usage\",\"by\":\"year\"}", "EINVAL",
      "is one of", "" },
    { "of nobody here", "{\"cmd\":\"peer\",\"peer\":\"" P0 "\"}",
      "EUNREACHABLE", "not connected", "" },
};

static void
test_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        struct office o;
        json_t *all, *last;

        office_init(&o);
        all = ask_it(&o, cases[i].question);
        last = row(all, json_array_size(all) - 1);
        if (cases[i].error == NULL)
            assert_true(json_is_true(json_object_get(last, "done")));
        else if (strcmp(text_of(last, "error"), cases[i].error) != 0 ||
                 strstr(text_of(last, "what"), cases[i].what) == NULL)
            fail_msg("%s: %s", cases[i].why, o.c.text);
        if (strcmp(fake.done, cases[i].done) != 0)
            fail_msg("%s: %s", cases[i].why, fake.done);
        /* Who changes something is in the log. */
        if (cases[i].error == NULL)
            assert_non_null(strstr(o.r.last_line, "admin.command"));
        assert_int_equal(adit_sock_n_visits(o.sock), 1);
        json_decref(all);
        office_fini(&o);
    }
}

/* ---- what is ------------------------------------------------------------------------ */

static void
test_status(void **state)
{
    struct office o;
    json_t *all, *v;

    (void)state;
    office_init(&o);
    fake_fill(5, 3);
    fake.has_ledger = true;
    adit_metric_add(&o.metrics, ADIT_M_RELAYED_BYTES, 4711);
    adit_metric_add(&o.metrics, ADIT_M_REFUSED_DRAINING, 2);
    adit_metric_add(&o.metrics, ADIT_M_REFUSED_STOP_FAILED, 1);
    all = ask_it(&o, "{\"cmd\":\"status\"}");
    v = row(all, 0);
    assert_string_equal(text_of(v, "peer"), P0);
    assert_string_equal(text_of(v, "state"), "ready");
    assert_int_equal(int_of(v, "reservations"), 3);
    assert_int_equal(int_of(v, "reservations_max"), 1024);
    assert_int_equal(int_of(v, "circuits"), 3);
    assert_int_equal(int_of(v, "relayed_bytes"), 4711);
    assert_int_equal(int_of(v, "refused"), 3);
    assert_true(int_of(v, "descriptors") > 3);
    assert_true(int_of(v, "resident_bytes") > 100000);
    assert_true(json_is_null(json_object_get(v, "config")));
    v = json_object_get(v, "ledger");
    assert_true(json_is_false(json_object_get(v, "ok")));
    assert_string_equal(text_of(v, "why"), "disk full");
    json_decref(all);

    atomic_store(&o.desk.generation, 4);
    atomic_store(&o.desk.generation_unix_s, 1700000000);
    all = ask_it(&o, "{\"cmd\":\"drain\"}");
    assert_string_equal(text_of(row(all, 0), "state"), "draining");
    json_decref(all);
    all = ask_it(&o, "{\"cmd\":\"status\"}");
    v = row(all, 0);
    assert_string_equal(text_of(v, "state"), "draining");
    assert_true(json_is_false(json_object_get(v, "ready")));
    assert_int_equal(int_of(json_object_get(v, "config"), "generation"), 4);
    json_decref(all);
    all = ask_it(&o, "{\"cmd\":\"undrain\"}");
    assert_string_equal(text_of(row(all, 0), "state"), "ready");
    json_decref(all);
    office_fini(&o);
}

static void
test_lists(void **state)
{
    struct office o;
    json_t *all, *v;
    char question[256];

    (void)state;
    office_init(&o);
    fake_fill(1000, 900);
    all = ask_it(&o, "{\"cmd\":\"peers\"}");
    assert_int_equal(json_array_size(all), 1001);
    /* The one with circuits, then by bytes of the day. */
    assert_int_equal(int_of(row(all, 0), "circuits_out"), 5);
    assert_int_equal(int_of(row(all, 1), "day_bytes"), 9990);
    assert_int_equal(int_of(row(all, 999), "day_bytes"), 0);
    assert_int_equal(int_of(row(all, 1000), "rows"), 1000);
    json_decref(all);

    all = ask_it(&o, "{\"cmd\":\"peers\",\"max\":7}");
    assert_int_equal(json_array_size(all), 8);
    assert_int_equal(int_of(row(all, 7), "rows"), 7);
    assert_int_equal(int_of(row(all, 7), "of"), 1000);
    json_decref(all);

    all = ask_it(&o, "{\"cmd\":\"circuits\"}");
    assert_int_equal(json_array_size(all), 901);
    v = row(all, 0);
    assert_int_equal(int_of(v, "id"), 900);
    assert_int_equal(int_of(v, "age_s"), 90);
    assert_int_equal(int_of(v, "limit_bytes"), 131072);
    v = json_object_get(v, "to_destination");
    assert_int_equal(int_of(v, "accepted_bytes"), 899);
    json_decref(all);

    /* Source of one, destination of another. */
    snprintf(question, sizeof(question),
             "{\"cmd\":\"circuits\",\"peer\":\"%s\"}", P0);
    all = ask_it(&o, question);
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(text_of(row(all, 0), "source"), P0);
    json_decref(all);

    all = ask_it(&o, "{\"cmd\":\"peer\",\"peer\":\"" P0 "\"}");
    assert_string_equal(text_of(row(all, 0), "class_why"), "default");
    assert_int_equal(int_of(row(all, 0), "reserved_until_unix_s"), 1700003600);
    json_decref(all);
    assert_int_equal(o.desk.n_lists, 0);

    fake_fill(0, 0);
    all = ask_it(&o, "{\"cmd\":\"peers\"}");
    assert_int_equal(int_of(row(all, 0), "of"), 0);
    json_decref(all);
    office_fini(&o);
}

static void
test_limits(void **state)
{
    struct office o;
    json_t *all, *v;

    (void)state;
    office_init(&o);
    all = ask_it(&o, "{\"cmd\":\"limits\"}");
    assert_int_equal(json_array_size(all), 4);
    v = json_object_get(row(all, 0), "reservations");
    assert_int_equal(int_of(v, "node"), 1024);
    v = row(all, 1);
    assert_string_equal(text_of(v, "class"), "anonymous");
    assert_string_equal(text_of(v, "over_quota"), "refuse");
    assert_int_equal(json_array_size(json_object_get(v, "may_dial")), 2);
    assert_string_equal(text_of(row(all, 2), "over_quota"), "anonymous");
    json_decref(all);
    /* help names every command that is asked for in here */
    all = ask_it(&o, "{\"cmd\":\"help\"}");
    assert_true(json_array_size(all) > 14);
    json_decref(all);
    office_fini(&o);
}

/* Every allocation fails in turn: he gets an answer, a refusal or the end,
 * and nothing is left of it. */
static void
test_oom(void **state)
{
    bool is_whole = false;

    (void)state;
    for (uint64_t n = 1; !is_whole; n++) {
        struct office o;

        office_init(&o);
        fake_fill(300, 0);
        o.r.mem.fail_at = o.r.mem.n_allocs + n;
        o.r.mem.fail_once = true;
        client_say(&o.c, "{\"cmd\":\"peers\"}\n");
        o.c.n_lines_wanted = 1;
        while (!o.c.is_ended && strstr(o.c.text, "\"done\"") == NULL &&
               strstr(o.c.text, "\"error\"") == NULL)
            rig_run(&o.r);
        is_whole = o.r.mem.n_allocs < o.r.mem.fail_at;
        if (is_whole)
            assert_int_equal(client_n_lines(&o.c), 301);
        office_fini(&o);
    }
}

/* ---- answers from elsewhere ------------------------------------------------------------ */

/* The ledger has been asked. */
static void
until_asked(struct office *o)
{
    while (fake.query_fn == NULL)
        event_base_loop(adit_worker_base(o->r.w), EVLOOP_ONCE);
}

static void
test_usage(void **state)
{
    struct adit_usage_row rows[2] = { 0 };
    struct office o;

    (void)state;
    office_init(&o);
    fake.has_ledger = true;
    client_say(&o.c, "{\"cmd\":\"usage\",\"by\":\"day\",\"from_unix_s\":1,"
                     "\"to_unix_s\":2,\"max\":5,\"peer\":\"" P0 "\"}\n");
    until_asked(&o);
    assert_int_equal(fake.query.by, ADIT_USAGE_BY_DAY);
    assert_true(fake.query.has_peer);
    assert_int_equal(fake.query.max_rows, 5);
    assert_int_equal(fake.query.to_unix_s, 2);
    fake_peer(0, &rows[0].peer);
    rows[0].sums.sent_bytes = 77;
    rows[0].sums.refusals[ADIT_RULE_DRAINING] = 9;
    fake.query_fn(fake.query_ctx, ADIT_OK, NULL, rows, 2);
    client_read(&o.c, 3);
    assert_non_null(strstr(o.c.text, "\"sent_bytes\":77"));
    assert_non_null(strstr(o.c.text, "\"refusals\":{\"draining\":9}"));
    assert_non_null(strstr(o.c.text, "\"peer\":null"));

    /* All that it can say, and that it is not all. */
    fake.query_fn = NULL;
    client_say(&o.c, "{\"cmd\":\"usage\"}\n");
    until_asked(&o);
    assert_null(strstr(o.c.text, "\"warning\""));
    fake.query_fn(fake.query_ctx, ADIT_OK, "some is missing", rows, 1);
    client_read(&o.c, 5);
    assert_non_null(strstr(o.c.text, "\"warning\":\"some is missing\""));

    /* It fails, and says so. */
    fake.query_fn = NULL;
    client_say(&o.c, "{\"cmd\":\"usage\",\"by\":\"circuit\"}\n");
    until_asked(&o);
    fake.query_fn(fake.query_ctx, ADIT_EIO, "no disk", NULL, 0);
    client_read(&o.c, 6);
    assert_non_null(strstr(o.c.text, "the ledger: no disk"));

    /* He is gone before it answers. */
    fake.query_fn = NULL;
    client_say(&o.c, "{\"cmd\":\"usage\"}\n");
    until_asked(&o);
    adit_sock_close(o.sock);
    o.sock = NULL;
    assert_int_equal(fake.n_forgotten, 1);
    office_fini(&o);
}

static void
test_tasks(void **state)
{
    struct office o;

    (void)state;
    office_init(&o);
    client_say(&o.c, "{\"cmd\":\"config\"}\n");
    rig_run(&o.r);
    assert_int_equal(o.task, ADIT_ADMIN_CONFIG);
    adit_desk_answer(&o.desk, o.token + 1, ADIT_OK, "1"); /* nobody's */
    adit_desk_answer(&o.desk, o.token, ADIT_OK, "{\"a\":\n1}");
    adit_desk_answer(&o.desk, o.token, ADIT_OK, "2"); /* once only */
    client_read(&o.c, 2);
    assert_string_equal(o.c.text, "{\"config\":{\"a\":1}}\n{\"done\":true}\n");

    client_say(&o.c, "{\"cmd\":\"reload\"}\n");
    rig_run(&o.r);
    assert_int_equal(o.task, ADIT_ADMIN_RELOAD);
    adit_desk_answer(&o.desk, o.token, ADIT_EINVAL, "line 7 is wrong");
    client_read(&o.c, 3);
    assert_non_null(strstr(o.c.text, "line 7 is wrong"));

    /* Who asked is gone when the answer comes. */
    client_say(&o.c, "{\"cmd\":\"reload\"}\n");
    rig_run(&o.r);
    adit_sock_close(o.sock);
    o.sock = NULL;
    adit_desk_answer(&o.desk, o.token, ADIT_OK, "{}");
    adit_worker_settle(o.r.w);
    assert_false(o.desk.tasks[0].is_used);
    office_fini(&o);
}

/* ---- scraping --------------------------------------------------------------------------- */

static void
test_scrape(void **state)
{
    struct adit_scraped s = { 0 };
    struct office o;
    const char *why;

    (void)state;
    office_init(&o);
    adit_desk_scrape(&o.desk, &s);
    assert_int_equal(adit_metric_get(&o.metrics, ADIT_M_STATUS), 1);
    assert_int_equal(s.v[ADIT_SCRAPED_RSVP_LIMIT], 1024);
    assert_true(s.is_known[ADIT_SCRAPED_START_TIME]);
    assert_false(s.is_known[ADIT_SCRAPED_LEDGER_FAILING]);
    fake.drain = ADIT_DRAIN_DONE;
    fake.has_ledger = true;
    adit_desk_scrape(&o.desk, &s);
    assert_int_equal(adit_metric_get(&o.metrics, ADIT_M_STATUS), 0);
    assert_int_equal(s.v[ADIT_SCRAPED_LEDGER_FAILING], 1);
    assert_false(adit_desk_is_ready(&o.desk, &why));
    assert_string_equal(why, "drained");
    fake.drain = ADIT_DRAIN_NO;
    fake.n_listens = 0;
    assert_false(adit_desk_is_ready(&o.desk, &why));
    assert_string_equal(why, "no_listener");
    office_fini(&o);
}

/* A name may hold blanks and parentheses. */
static void
test_stat(void **state)
{
    static const char *const stat =
        "7 (a) b) S 1 7 7 0 -1 4194304 103 0 0 0 250 50 0 0 20 0 1 0 20000 "
        "3133440 410 18446744073709551615 1";
    struct adit_scraped s = { 0 };
    struct adit_instant now = { UINT64_C(1000) * 1000000 };

    (void)state;
    assert_true(adit_proc_parse(stat, 100, 4096, now, 1700000000, &s));
    assert_int_equal(s.v[ADIT_SCRAPED_CPU], 3000000);
    assert_int_equal(s.v[ADIT_SCRAPED_RESIDENT], 410 * 4096);
    assert_int_equal(s.v[ADIT_SCRAPED_START_TIME], 1700000000 - 800);
    assert_false(adit_proc_parse("7 (a) S 1 2 3", 100, 4096, now, 0, &s));
    assert_false(adit_proc_parse("", 100, 4096, now, 0, &s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands), cmocka_unit_test(test_status),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_oom),      cmocka_unit_test(test_usage),
        cmocka_unit_test(test_tasks),    cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_stat),
    };

    return cmocka_run_group_tests_name("admin/desk", tests, NULL, NULL);
}
