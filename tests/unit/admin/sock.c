/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The control socket, with commands of the test's own: "echo", "rows" (so
 * many), "wait" (answered by hand), "fail".
 */
#include "client.h"

#include "admin/sock.h"

#include <sys/stat.h>
#include <sys/un.h>

struct desk {
    struct rig r;
    struct adit_sock *sock;
    struct adit_sock_config cfg;
    char dir[64], path[128];
    char why[ADIT_SOCK_WHY_BYTES];
    struct adit_visit *waiting;
    json_int_t n_left; /* rows to give */
    size_t most_rows;  /* in one go */
    unsigned n_gone;
    bool lets_in, is_closing;
};

/* ---- commands ----------------------------------------------------------------- */

static void
more(void *ctx, struct adit_visit *v)
{
    struct desk *d = ctx;
    size_t n = 0;

    while (d->n_left > 0 && adit_visit_has_room(v)) {
        adit_visit_row(v, json_pack("{s:I,s:s}", "left", d->n_left--, "text",
                                    "a row of usual length, more or less"));
        n++;
    }
    d->most_rows = ADIT_MAX(d->most_rows, n);
    if (d->n_left > 0)
        adit_visit_more(v);
    else
        adit_visit_end(v, NULL);
}

static void
ask(void *ctx, struct adit_visit *v, json_t *q)
{
    struct desk *d = ctx;
    const char *cmd = json_string_value(json_object_get(q, "cmd"));

    adit_visit_set_user(v, d);
    if (cmd == NULL) {
        adit_visit_fail(v, ADIT_EINVAL, "no command");
    } else if (strcmp(cmd, "echo") == 0) {
        adit_visit_row(v, json_incref(q));
        adit_visit_end(v, json_pack("{s:i}", "n", 1));
    } else if (strcmp(cmd, "rows") == 0) {
        d->n_left = json_integer_value(json_object_get(q, "n"));
        more(d, v);
    } else if (strcmp(cmd, "wait") == 0) {
        d->waiting = v;
        rig_done(&d->r);
    } else {
        adit_visit_fail(v, ADIT_EDENIED, "not %s", cmd);
    }
}

static void
gone(void *ctx, struct adit_visit *v)
{
    struct desk *d = ctx;

    assert_ptr_equal(adit_visit_user(v), d);
    d->n_gone++;
    d->waiting = NULL;
    if (!d->is_closing)
        rig_done(&d->r);
}

static bool
may(void *ctx, const struct adit_sock_creds *c)
{
    struct desk *d = ctx;

    assert_int_equal(c->uid, getuid());
    assert_int_equal(c->gid, getgid());
    return d->lets_in;
}

/* ---- the rig -------------------------------------------------------------------- */

static void
desk_init(struct desk *d)
{
    memset(d, 0, sizeof(*d));
    rig_init(&d->r, ADIT_WORKER_OWN);
    snprintf(d->dir, sizeof(d->dir), "/tmp/adit-sock-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->path, sizeof(d->path), "%s/s", d->dir);
    d->lets_in = true;
    d->cfg = (struct adit_sock_config){ .path = d->path,
                                        .fd = -1,
                                        .ctx = d,
                                        .may = may,
                                        .ask = ask,
                                        .more = more,
                                        .gone = gone };
}

static void
desk_open(struct desk *d)
{
    desk_init(d);
    assert_int_equal(adit_sock_open(d->r.w, &d->cfg, &d->sock, d->why),
                     ADIT_OK);
}

static void
desk_fini(struct desk *d)
{
    adit_sock_close(d->sock);
    assert_int_equal(access(d->path, F_OK), -1);
    assert_int_equal(rmdir(d->dir), 0);
    rig_fini(&d->r);
}

static int
dial(const struct desk *d)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, d->path, strlen(d->path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* ---- what is said ---------------------------------------------------------------- */

#define ECHO "{\"cmd\":\"echo\"}"
#define ECHOED ECHO "\n{\"n\":1,\"done\":true}\n"

static const struct {
    const char *why;
    const char *said;
    bool half; /* closes his side behind it */
    const char *answer;
    bool ends; /* and is shown out */
} cases[] = {
    { "a question", ECHO "\n", false, ECHOED, false },
    { "two at once", ECHO "\n" ECHO "\n", false, ECHOED ECHOED, false },
    { "an empty line asks nothing", "\n \t\r\n" ECHO "\r\n", false, ECHOED,
      false },
    { "a refusal, and it goes on", "{\"cmd\":\"x\"}\n" ECHO "\n", false,
      "{\"error\":\"EDENIED\",\"what\":\"not x\"}\n" ECHOED, false },
    { "what is cut or no UTF-8 is said all the same",
      "{\"cmd\":\"\\u00fc\"}\n", false,
      "{\"error\":\"EDENIED\",\"what\":\"not \xc3\xbc\"}\n", false },
    { "he has said all, and reads", ECHO "\n" ECHO "\n", true, ECHOED ECHOED,
      true },
    { "half a question is none", ECHO, true, "", true },
    { "no JSON", "hello\n" ECHO "\n", false,
      "{\"error\":\"EINVAL\",\"what\":\"that is no JSON: '[' or '{' expected "
      "near 'hello', at byte 5\"}\n",
      true },
    { "a key twice", "{\"a\":1,\"a\":2}\n", false,
      "{\"error\":\"EINVAL\",\"what\":\"that is no JSON: duplicate object key "
      "near '\\\"a\\\"', at byte 10\"}\n",
      true },
    { "nothing", "", true, "", true },
};

static void
test_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++)
        for (size_t step = 1; step <= 64; step += 63) {
            struct desk d;
            struct client c;
            size_t n_lines = 0, n = strlen(cases[i].said);

            desk_open(&d);
            client_init(&c, &d.r, dial(&d));
            for (size_t at = 0; at < n; at += step)
                client_send(&c, cases[i].said + at, ADIT_MIN(step, n - at));
            if (cases[i].half)
                shutdown(c.fd, SHUT_WR);
            for (const char *p = cases[i].answer; *p != '\0'; p++)
                n_lines += *p == '\n';
            client_read(&c, cases[i].ends ? 0 : n_lines);
            if (strcmp(c.text, cases[i].answer) != 0)
                fail_msg("%s: %s", cases[i].why, c.text);
            assert_int_equal(adit_sock_n_visits(d.sock), !cases[i].ends);
            client_fini(&c);
            desk_fini(&d);
        }
}

/* Exactly the longest line, and one byte more. */
static void
test_long(void **state)
{
    (void)state;
    for (size_t more_bytes = 0; more_bytes < 2; more_bytes++) {
        struct desk d;
        struct client c;
        char line[ADIT_SOCK_LINE_BYTES + 1];
        size_t n = ADIT_SOCK_LINE_BYTES + more_bytes;

        desk_open(&d);
        client_init(&c, &d.r, dial(&d));
        memset(line, ' ', sizeof(line));
        memcpy(line, ECHO, strlen(ECHO));
        line[n - 1] = '\n';
        client_send(&c, line, n);
        client_read(&c, more_bytes == 0 ? 2 : 0);
        if (more_bytes == 0)
            assert_string_equal(c.text, ECHOED);
        else
            assert_non_null(strstr(c.text, "\"ELIMIT\""));
        client_fini(&c);
        desk_fini(&d);
    }
}

/* A line that is too long, behind a question that is not answered yet: it
 * is told after the answer, and whoever makes that keeps his visitor. */
static void
test_long_behind(void **state)
{
    struct desk d;
    struct client c, other;
    char line[ADIT_SOCK_LINE_BYTES];

    (void)state;
    desk_open(&d);
    client_init(&c, &d.r, dial(&d));
    client_say(&c, "{\"cmd\":\"wait\"}\n");
    rig_run(&d.r);
    assert_non_null(d.waiting);
    memset(line, 'x', sizeof(line));
    client_send(&c, line, sizeof(line));
    client_init(&other, &d.r, dial(&d));
    client_say(&other, ECHO "\n");
    client_read(&other, 2);
    assert_int_equal(adit_sock_n_visits(d.sock), 2);
    assert_int_equal(c.n, 0);
    adit_visit_end(d.waiting, NULL);
    client_read(&c, 0);
    assert_int_equal(strncmp(c.text, "{\"done\":true}\n", 14), 0);
    assert_non_null(strstr(c.text, "\"ELIMIT\""));
    client_fini(&c);
    client_fini(&other);
    desk_fini(&d);
}

/* ---- those who do not read --------------------------------------------------------- */

#define MANY 100000

static void
test_slow(void **state)
{
    struct desk d;
    struct client c;

    (void)state;
    desk_open(&d);
    client_init(&c, &d.r, dial(&d));
    adit_fd_want(c.watch, 0);
    client_say(&c, "{\"cmd\":\"rows\",\"n\":100000}\n{\"cmd\":\"wait\"}\n");
    /* A second visitor is served meanwhile. */
    struct client other;
    client_init(&other, &d.r, dial(&d));
    client_say(&other, ECHO "\n");
    client_read(&other, 2);
    client_fini(&other);
    assert_true(d.n_left > MANY / 2);
    assert_true(d.r.mem.used_bytes < 2 * 1024 * 1024);
    assert_null(d.waiting);
    /* Now he reads. */
    adit_fd_want(c.watch, ADIT_FD_READ);
    client_read(&c, MANY + 1);
    assert_int_equal(client_n_lines(&c), MANY + 1);
    assert_true(d.most_rows < 65536 / 30);
    if (d.waiting == NULL)
        rig_run(&d.r);
    assert_non_null(d.waiting);
    adit_visit_end(d.waiting, NULL);
    client_read(&c, MANY + 2);
    client_fini(&c);
    desk_fini(&d);
}

/* He goes in the middle of an answer: whoever makes it is told, once. */
static void
test_gone(void **state)
{
    struct desk d;
    struct client c;

    (void)state;
    desk_open(&d);
    client_init(&c, &d.r, dial(&d));
    client_say(&c, "{\"cmd\":\"rows\",\"n\":100000}\n");
    client_read(&c, 10);
    client_fini(&c);
    if (d.n_gone == 0)
        rig_run(&d.r);
    assert_int_equal(d.n_gone, 1);
    assert_int_equal(adit_sock_n_visits(d.sock), 0);
    desk_fini(&d);
}

/* The socket is closed while an answer is awaited. */
static void
test_closed(void **state)
{
    struct desk d;
    struct client c;

    (void)state;
    desk_open(&d);
    client_init(&c, &d.r, dial(&d));
    client_say(&c, "{\"cmd\":\"wait\"}\n");
    rig_run(&d.r);
    assert_non_null(d.waiting);
    d.is_closing = true;
    adit_sock_close(d.sock);
    d.sock = NULL;
    assert_int_equal(d.n_gone, 1);
    client_read(&c, 0);
    assert_string_equal(c.text, "");
    client_fini(&c);
    desk_fini(&d);
}

/* ---- who may ------------------------------------------------------------------------- */

static void
test_denied(void **state)
{
    struct desk d;
    struct client c;

    (void)state;
    desk_open(&d);
    d.lets_in = false;
    client_init(&c, &d.r, dial(&d));
    client_read(&c, 0);
    assert_non_null(strstr(c.text, "\"EDENIED\""));
    assert_non_null(strstr(d.r.last_line, "admin.denied"));
    assert_int_equal(adit_sock_n_visits(d.sock), 0);
    client_fini(&c);
    desk_fini(&d);
}

/* Without a rule of the test's own: we are our own user. */
static void
test_own(void **state)
{
    struct desk d;
    struct client c;
    struct stat st;

    (void)state;
    desk_init(&d);
    d.cfg.may = NULL;
    d.cfg.has_group = true;
    d.cfg.gid = getgid();
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why), ADIT_OK);
    assert_int_equal(lstat(d.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, getgid());
    client_init(&c, &d.r, dial(&d));
    client_say(&c, ECHO "\n");
    client_read(&c, 2);
    client_fini(&c);
    desk_fini(&d);
}

static void
test_crowd(void **state)
{
    struct client c[ADIT_SOCK_MAX_PER_UID + 1];
    const size_t n = ADIT_SOCK_MAX_PER_UID;
    struct desk d;

    (void)state;
    desk_open(&d);
    for (size_t i = 0; i <= n; i++)
        client_init(&c[i], &d.r, dial(&d));
    client_read(&c[n], 0);
    assert_non_null(strstr(c[n].text, "\"EFULL\""));
    client_fini(&c[n]);
    for (size_t i = 0; i < n; i++) {
        client_say(&c[i], ECHO "\n");
        client_read(&c[i], 2);
    }
    /* One goes, and there is room again. */
    shutdown(c[0].fd, SHUT_WR);
    client_read(&c[0], 0);
    client_init(&c[n], &d.r, dial(&d));
    client_say(&c[n], ECHO "\n");
    client_read(&c[n], 2);
    for (size_t i = 0; i <= n; i++)
        client_fini(&c[i]);
    desk_fini(&d);
}

/* ---- the path ------------------------------------------------------------------------- */

static void
test_path(void **state)
{
    struct desk d;
    struct adit_sock *second = NULL;
    struct stat st;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd;
    FILE *f;

    (void)state;
    desk_open(&d);
    assert_int_equal(lstat(d.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* no group was named */
    /* It is not taken from one that lives. */
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &second, d.why),
                     ADIT_EFULL);
    assert_non_null(strstr(d.why, "another relay answers"));
    assert_int_equal(lstat(d.path, &st), 0);
    desk_fini(&d);

    /* What one has left that is gone is replaced. */
    desk_init(&d);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, d.path, strlen(d.path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    close(fd);
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why), ADIT_OK);
    desk_fini(&d);

    /* No file of another kind is touched. */
    desk_init(&d);
    f = fopen(d.path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why),
                     ADIT_EINVAL);
    assert_non_null(strstr(d.why, "is no socket"));
    assert_int_equal(unlink(d.path), 0);
    d.cfg.path = "/none/such/place";
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why), ADIT_EIO);
    d.cfg.path = "/tmp/0123456789012345678901234567890123456789012345678901234"
                 "5678901234567890123456789012345678901234567890123456789";
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why),
                     ADIT_EINVAL);
    desk_fini(&d);
}

/* One that was bound for us: its path is not ours to remove. */
static void
test_given(void **state)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct desk d;
    struct client c;

    (void)state;
    desk_init(&d);
    d.cfg.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(at.sun_path, d.path, strlen(d.path) + 1);
    assert_int_equal(bind(d.cfg.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(d.cfg.fd, 4), 0);
    assert_int_equal(adit_sock_open(d.r.w, &d.cfg, &d.sock, d.why), ADIT_OK);
    client_init(&c, &d.r, dial(&d));
    client_say(&c, ECHO "\n");
    client_read(&c, 2);
    client_fini(&c);
    adit_sock_close(d.sock);
    d.sock = NULL;
    assert_int_equal(unlink(d.path), 0);
    desk_fini(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_said),        cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_behind), cmocka_unit_test(test_slow),
        cmocka_unit_test(test_gone),        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_denied),      cmocka_unit_test(test_own),
        cmocka_unit_test(test_crowd),       cmocka_unit_test(test_path),
        cmocka_unit_test(test_given),
    };

    return cmocka_run_group_tests_name("admin/sock", tests, NULL, NULL);
}
