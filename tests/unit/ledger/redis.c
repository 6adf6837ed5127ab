/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The ledger in Redis: the suite, and what only a server can do to it. */
#include "tests/unit/ledger/books.h"

#include <hiredis/hiredis.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Short, so that a test of what is late does not take long; nothing else
 * comes near it. */
#define WAIT_US (1500 * ADIT_MS)

#define N_TRIES 10000 /* of a millisecond */

struct server {
    char dir[64];
    char path[80]; /* its socket */
    const char *password;
    bool keeps;    /* what it was told survives a kill -9 */
    unsigned port; /* 0: the socket alone */
    pid_t pid;
};

static struct server common; /* of the suite */
static unsigned n_places;
static bool is_missing; /* there is no redis-server */

static void
nap(void)
{
    const struct timespec t = { 0, 1000000 };

    nanosleep(&t, NULL);
}

static bool
answers(const struct server *s)
{
    redisContext *c = redisConnectUnix(s->path);
    bool ok = c != NULL && c->err == 0;

    if (ok) {
        redisReply *r = redisCommand(c, "PING");

        /* While it loads what it has kept, it says so. */
        ok = r != NULL && (r->type != REDIS_REPLY_ERROR ||
                           strncmp(r->str, "NOAUTH", 6) == 0);
        if (r != NULL)
            freeReplyObject(r);
    }
    if (c != NULL)
        redisFree(c);
    return ok;
}

/* It may take a while until it answers. */
static void
server_spawn(struct server *s)
{
    snprintf(s->path, sizeof(s->path), "%s/r.sock", s->dir);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        char log[80];
        char pw[80] = "", port[16];
        int null = open("/dev/null", O_RDWR);

        /* It ends with us, however that is, and holds no pipe of ours. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 1);
        dup2(null, 2);

        snprintf(port, sizeof(port), "%u", s->port);
        snprintf(log, sizeof(log), "%s/log", s->dir);
        if (s->password != NULL)
            snprintf(pw, sizeof(pw), "%s", s->password);
        execlp("redis-server", "redis-server", "--port", port, "--unixsocket",
               s->path, "--save", "", "--dir", s->dir, "--logfile", log,
               "--bind", "127.0.0.1", "--appendonly", s->keeps ? "yes" : "no",
               "--appendfsync", "always", "--requirepass", pw, (char *)NULL);
        _exit(127);
    }
}

static void
server_start(struct server *s)
{
    server_spawn(s);
    for (unsigned i = 0; i < N_TRIES && !answers(s); i++) {
        int status;

        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            is_missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
            return;
        }
        nap();
    }
}

static void
server_new(struct server *s, bool keeps, const char *password)
{
    *s = (struct server){ .keeps = keeps, .password = password };
    dir_new(s->dir);
    server_start(s);
    assert_true(s->pid > 0);
}

static void
server_kill(struct server *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static void
server_end(struct server *s)
{
    server_kill(s);
    dir_end(s->dir);
}

static void
place_at(struct place *p, const struct server *s)
{
    *p = (struct place){ .backend = ADIT_LEDGER_IN_REDIS };
    snprintf(p->redis, sizeof(p->redis), "%s", s->path);
    snprintf(p->prefix, sizeof(p->prefix), "t%u:", n_places++);
    p->password = s->password;
}

void
place_new(struct place *p)
{
    if (is_missing) {
        print_message("redis-server is not installed\n");
        skip();
    }
    place_at(p, &common);
}

static int
setup(void **state)
{
    (void)state;
    dir_new(common.dir);
    server_start(&common);
    return common.pid > 0 || is_missing ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    server_end(&common);
    return 0;
}

/* A server of its own, or none: skipped. */
static void
own_server(struct server *s, bool keeps, const char *password)
{
    if (is_missing) {
        print_message("redis-server is not installed\n");
        skip();
    }
    server_new(s, keeps, password);
}

/* With short deadlines, and a clock that goes on. */
static struct books *
begin_at(const struct place *p)
{
    static struct books b;
    static struct place place;

    place = *p;
    books_init(&b, &place);
    b.is_slow = true;
    books_close(&b);
    b.cfg.redis_wait_us = WAIT_US;
    books_open(&b);
    return &b;
}

static uint64_t
stored(struct books *b)
{
    struct adit_usage_query q = { .by = ADIT_USAGE_BY_MONTH };

    books_read(b, q);
    return b->n_rows > 0 ? b->rows[0].sums.sent_bytes : 0;
}

/* ---- what a server can do ------------------------------------------------- */

/* Killed while batches come, again and again; it keeps what it has said that
 * it has: nothing is lost, nothing doubled. */
static void
test_killed(void **state)
{
    struct server s;
    struct place p;
    struct books *b;
    uint64_t given = 0;

    (void)state;
    own_server(&s, true, NULL);
    place_at(&p, &s);
    b = begin_at(&p);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 600; i++) {
            give(b, i, 1 + i, 0);
            given += 1 + i;
        }
        b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
        books_turn(b); /* the batch is on its way */
        for (unsigned i = 0; i < round; i++)
            nap(); /* somewhere in the midst of it */
        server_kill(&s);
        give(b, 3, 1000, 0);
        given += 1000;
        books_turn(b);
        server_start(&s);
        books_until(b, books_is_written);
    }
    assert_int_equal(stored(b), given);
    assert_false(books_has_line(b, "ledger.rolled_back"));
    books_fini(b);
    server_end(&s);
}

/* It keeps nothing: what it had is lost, said, and it goes on. */
static void
test_killed_and_empty(void **state)
{
    struct server s;
    struct place p;
    struct books *b;

    (void)state;
    own_server(&s, false, NULL);
    place_at(&p, &s);
    b = begin_at(&p);
    give(b, 1, 10, 0);
    books_flush(b);
    server_kill(&s);
    give(b, 1, 100, 0);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_until(b, books_is_failing);
    assert_true(books_has_line(b, "ledger.failing"));
    give(b, 1, 1000, 0); /* gathers */
    server_start(&s);
    books_until(b, books_is_written);
    assert_true(books_has_line(b, "ledger.recovered"));
    assert_true(books_has_line(b, "ledger.rolled_back"));
    assert_int_equal(stored(b), 1100);
    books_fini(b);
    server_end(&s);
}

/*
 * The worst moment: it has the command, and we have given up waiting.  When
 * it goes on, it does what the old connection said and what the new one
 * says again.
 */
static void
test_stopped(void **state)
{
    struct server s;
    struct place p;
    struct books *b;
    uint64_t given = 0;

    (void)state;
    own_server(&s, false, NULL);
    place_at(&p, &s);
    b = begin_at(&p);
    give(b, 1, 10, 0);
    given += 10;
    books_flush(b);
    for (unsigned round = 0; round < 2; round++) {
        kill(s.pid, SIGSTOP);
        for (unsigned i = 0; i < 600; i++)
            give(b, i, 7, 0);
        given += 600 * 7;
        b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
        books_until(b, books_is_failing);
        assert_true(books_has_line(b, "within 1500 ms"));
        kill(s.pid, SIGCONT);
        books_until(b, books_is_written);
        assert_int_equal(stored(b), given);
    }
    books_fini(b);
    server_end(&s);
}

/* None there when the relay starts; it comes later. */
static void
test_late(void **state)
{
    struct adit_ledger_mark m = { .peer = peer_no(1), .is_banned = true };
    struct server s;
    struct place p;
    struct books *b;

    (void)state;
    own_server(&s, true, NULL);
    place_at(&p, &s);
    b = begin_at(&p);
    adit_ledger_mark(b->l, &m);
    books_close(b);
    server_kill(&s);
    books_open(b);
    give(b, 1, 10, 0);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_until(b, books_is_failing);
    assert_false(b->has_marks);
    server_start(&s);
    books_until(b, books_is_written);
    for (unsigned i = 0; i < N_TRIES && !b->has_marks; i++) {
        b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
        books_turn(b);
        nap();
    }
    assert_true(b->has_marks);
    assert_int_equal(b->n_marks, 1);
    assert_int_equal(stored(b), 10);

    /* Gone when the relay ends, but not for long. */
    server_kill(&s);
    give(b, 1, 7, 0);
    server_spawn(&s);
    books_close(b);
    assert_false(books_has_line(b, "ledger.not_written"));
    books_open(b);
    assert_int_equal(stored(b), 17);

    /* Gone for good: that is said, and takes no longer than it
     * may. */
    server_kill(&s);
    give(b, 1, 5, 0);
    books_close(b);
    assert_true(books_has_line(b, "ledger.not_written"));
    assert_int_equal(adit_metric_get(&b->metrics, ADIT_M_LEDGER_LOST_BYTES),
                     5);
    server_start(&s);
    books_open(b);
    books_fini(b);
    server_end(&s);
}

static void
test_password(void **state)
{
    struct server s;
    struct place p;
    struct books *b;

    (void)state;
    own_server(&s, false, "open sesame");
    place_at(&p, &s);
    b = begin_at(&p);
    give(b, 1, 10, 0);
    books_flush(b);
    assert_int_equal(stored(b), 10);
    books_close(b);

    b->cfg.redis_user = "default";
    books_open(b);
    assert_int_equal(stored(b), 10);
    books_close(b);

    b->cfg.redis_password = "open barley";
    books_open(b);
    give(b, 1, 10, 0);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_until(b, books_is_failing);
    assert_true(books_has_line(b, "WRONGPASS"));
    assert_false(books_has_line(b, "barley"));
    books_fini(b);
    server_end(&s);
}

/* Two relays, one prefix: each is told what both have carried. */
static void
test_fleet(void **state)
{
    static struct books a, b;
    static struct place p;

    (void)state;
    place_new(&p);
    books_init(&a, &p);
    books_init(&b, &p);
    give(&a, 1, 10, 0);
    books_flush(&a);
    assert_int_equal(a.totals[0].day_bytes, 10);
    give(&b, 1, 100, 0);
    books_flush(&b);
    assert_int_equal(b.totals[0].day_bytes, 110);
    a.n_totals = 0;
    give(&a, 1, 1000, 0);
    books_flush(&a);
    assert_int_equal(a.totals[0].day_bytes, 1110);
    assert_int_equal(a.totals[0].month_bytes, 1110);
    assert_int_equal(stored(&b), 1110);
    books_fini(&a);
    books_fini(&b);
}

static const struct adit_ledger_mark *
mark_of(const struct books *b, unsigned peer)
{
    struct adit_peerid p = peer_no(peer);

    for (unsigned i = b->n_marks; i > 0; i--) { /* the newest */
        const struct adit_ledger_mark *m =
            &b->marks[(i - 1) % ADIT_NITEMS(b->marks)];

        if (adit_peerid_eq(&m->peer, &p))
            return m;
    }
    return NULL;
}

/* Something happens there, and what was said meanwhile is told. */
static bool
is_marked(struct books *b)
{
    return b->n_marks > 0;
}

static void
hear(struct books *b)
{
    b->n_marks = 0;
    give(b, 1, 1, 0);
    books_flush(b);
    books_until(b, is_marked);
}

/* With something that is waited for: marks are no usage. */
static void
write_marks(struct books *b)
{
    give(b, 2, 1, 0);
    books_flush(b);
}

/* Two relays, one prefix: what is said at one of a peer the other hears, and
 * what is taken back. */
static void
test_fleet_marks(void **state)
{
    struct adit_ledger_mark m = { .peer = peer_no(7),
                                  .is_banned = true,
                                  .until_unix_s = NOON + 3600 };
    static struct books a, b;
    static struct place p;
    unsigned n = 0;

    (void)state;
    place_new(&p);
    books_init(&a, &p);
    books_init(&b, &p);
    adit_ledger_mark(a.l, &m);
    m = (struct adit_ledger_mark){ .peer = peer_no(8), .class_name = "gold" };
    adit_ledger_mark(a.l, &m);
    write_marks(&a);
    hear(&b);
    assert_int_equal(b.n_marks, 2);
    assert_true(mark_of(&b, 7)->is_banned);
    assert_int_equal(mark_of(&b, 7)->until_unix_s, NOON + 3600);
    assert_string_equal(mark_of(&b, 8)->class_name, "gold");

    /* Taken back there; the other mark has not changed. */
    m = (struct adit_ledger_mark){ .peer = peer_no(7) };
    adit_ledger_mark(b.l, &m);
    write_marks(&b);
    hear(&a);
    while (mark_of(&a, 7) == NULL || mark_of(&a, 7)->is_banned)
        hear(&a); /* of its own first */
    assert_string_equal(mark_of(&a, 7)->class_name, "");
    assert_int_equal(mark_of(&a, 7)->until_unix_s, 0);

    /* Nothing new: nothing is told. */
    for (unsigned i = 0; i < 3; i++) {
        b.n_marks = 0;
        give(&b, 1, 1, 0);
        books_flush(&b);
    }
    assert_int_equal(b.n_marks, 0);

    /* More than a page of them comes with more than one flush. */
    for (unsigned i = 0; i < 2500; i++) {
        m = (struct adit_ledger_mark){ .peer = peer_no(i), .is_banned = true };
        adit_ledger_mark(a.l, &m);
    }
    write_marks(&a);
    while (n < 2500) {
        hear(&b);
        books_read(&b, (struct adit_usage_query){ .by = ADIT_USAGE_BY_DAY });
        n += b.n_marks;
    }
    assert_int_equal(n, 2500);
    books_fini(&a);
    books_fini(&b);
}

/* One that was set and taken back since the first reading, of which there was
 * nothing: it is told, too, since he may know it from elsewhere. */
static void
test_fleet_mark_gone(void **state)
{
    struct adit_ledger_mark m = { .peer = peer_no(9), .is_banned = true };
    static struct books a, b;
    static struct place p;

    (void)state;
    place_new(&p);
    books_init(&a, &p);
    books_init(&b, &p);
    for (unsigned i = 0; i < 2; i++) {
        adit_ledger_mark(b.l, &m);
        write_marks(&b);
        m.is_banned = false;
    }
    hear(&a);
    assert_int_equal(a.n_marks, 1);
    assert_non_null(mark_of(&a, 9));
    assert_false(mark_of(&a, 9)->is_banned);
    books_fini(&a);
    books_fini(&b);
}

/* Whatever counts goes by itself, should no relay come any more. */
static void
test_expiry(void **state)
{
    struct adit_peerid one = peer_no(1);
    static struct books b;
    static struct place p;
    redisContext *c;
    redisReply *keys;
    unsigned n_kept = 0;

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    give(&b, 1, 10, 0);
    adit_ledger_refused(b.l, &one, ADIT_RULE_DENIED);
    books_flush(&b);
    c = redisConnectUnix(p.redis);
    assert_non_null(c);
    keys = redisCommand(c, "KEYS %s*", p.prefix);
    assert_true(keys->elements > 8);
    for (size_t i = 0; i < keys->elements; i++) {
        const char *key = keys->element[i]->str + strlen(p.prefix);
        redisReply *ttl = redisCommand(c, "TTL %s", keys->element[i]->str);
        bool is_month =
            strncmp(key, "m:", 2) == 0 || strncmp(key, "mi:", 3) == 0;
        bool stays = strcmp(key, "months") == 0 || strcmp(key, "days") == 0;

        if (stays != (ttl->integer < 0))
            print_message("%s: %lld\n", key, ttl->integer);
        assert_int_equal(stays, ttl->integer < 0);
        if (!stays)
            assert_in_range(ttl->integer, DAY, (is_month ? 132 : 63) * DAY);
        n_kept += stays;
        freeReplyObject(ttl);
    }
    assert_int_equal(n_kept, 2);
    freeReplyObject(keys);
    redisFree(c);
    books_fini(&b);
}

/* A port that was free a moment ago. */
static unsigned
free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* By number, by name, and where nobody listens. */
static void
test_tcp(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    struct server s;
    struct place p;
    struct books *b;
    char where[40];

    (void)state;
    own_server(&s, false, NULL);
    server_kill(&s);
    s.port = free_port();
    server_start(&s);
    if (s.pid == 0) {
        print_message("port %u was taken meanwhile\n", s.port);
        dir_end(s.dir);
        skip();
    }
    place_at(&p, &s);
    b = begin_at(&p);
    for (unsigned i = 0; i < ADIT_NITEMS(hosts); i++) {
        books_close(b);
        snprintf(where, sizeof(where), "%s:%u", hosts[i], s.port);
        b->cfg.redis = where;
        books_open(b);
        give(b, 1, 10, 0);
        books_flush(b);
        assert_int_equal(stored(b), 10 * (i + 1));
    }
    server_kill(&s);
    give(b, 1, 10, 0);
    b->now = adit_instant_add(b->now, BOOKS_FLUSH_US);
    books_until(b, books_is_failing);
    server_start(&s);
    books_until(b, books_is_written);
    assert_int_equal(stored(b), 10); /* it kept nothing */
    books_fini(b);
    server_end(&s);
}

static void
test_where(void **state)
{
    static const struct {
        const char *why, *redis;
        bool ok;
    } cases[] = {
        { "a path", "/run/redis.sock", true },
        { "IPv4", "127.0.0.1:6379", true },
        { "IPv6", "[::1]:6379", true },
        { "a name", "localhost:6379", true },
        { "no port", "127.0.0.1", false },
        { "port 0", "127.0.0.1:0", false },
        { "a large port", "127.0.0.1:65536", false },
        { "no host", ":6379", false },
        { "something behind it", "127.0.0.1:6379x", false },
        { "nothing", "", false },
    };
    static struct books b;
    static struct place p;
    const struct adit_ledger_events ev = { .ctx = &b };

    (void)state;
    place_new(&p);
    books_init(&b, &p);
    books_close(&b);
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        char why[ADIT_LEDGER_WHY_TEXT_BYTES] = "";
        adit_err e;

        print_message("%s\n", cases[i].why);
        b.cfg.redis = cases[i].redis;
        e = adit_ledger_open(b.w, &b.cfg, &ev, &b.l, why);
        assert_int_equal(e, cases[i].ok ? ADIT_OK : ADIT_EIO);
        if (e == ADIT_OK)
            books_close(&b);
        else
            assert_non_null(strstr(why, "neither HOST:PORT nor /PATH"));
    }
    b.cfg.redis = p.redis;
    books_open(&b);
    books_fini(&b);
}

int
main(void)
{
    static const struct CMUnitTest more[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_and_empty),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_fleet),
        cmocka_unit_test(test_fleet_marks),
        cmocka_unit_test(test_fleet_mark_gone),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_where),
    };

    return run_suite("ledger/redis", more, ADIT_NITEMS(more), setup, teardown);
}
