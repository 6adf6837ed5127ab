/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The same bodies on an event base of our own, on a lent one, and by hand. */
#include "rig.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const kind_names[] = { "own", "lent", "hand" };

/* Run `body` on each kind. */
static void
on_each_kind(void (*body)(struct rig *r))
{
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_HAND; k++) {
        struct rig r;

        print_message("%s\n", kind_names[k]);
        rig_init(&r, (enum adit_worker_kind)k);
        body(&r);
        rig_fini(&r);
    }
}

static struct adit_instant
in_us(struct rig *r, int64_t us)
{
    return adit_instant_add(adit_worker_now(r->w), us);
}

#define SET(r, t, us)                                                         \
    assert_int_equal(adit_timer_set((r)->w, (t), in_us((r), (us))), ADIT_OK)

/* ---- timers ------------------------------------------------------------ */

#define N_TIMERS 50

struct shot {
    struct rig *r;
    struct adit_timer t;
    struct adit_instant due;
    struct adit_instant *last;
    unsigned *n_fired;
};

static void
on_shot(void *ctx)
{
    struct shot *s = ctx;

    assert_true(adit_instant_is_due(s->due, adit_worker_now(s->r->w)));
    assert_true(s->due.us >= s->last->us); /* in order */
    assert_false(adit_timer_is_set(&s->t));
    *s->last = s->due;
    if (++*s->n_fired == N_TIMERS - 1)
        rig_done(s->r);
}

static void
timers_in_order(struct rig *r)
{
    struct shot s[N_TIMERS] = { 0 };
    struct adit_instant last = { 0 };
    unsigned n = 0;

    for (unsigned i = 0; i < N_TIMERS; i++) {
        s[i] = (struct shot){ .r = r, .last = &last, .n_fired = &n };
        s[i].t.fn = on_shot;
        s[i].t.ctx = &s[i];
        s[i].due = in_us(r, (int64_t)(i * 7919 % 97) * 100);
        assert_int_equal(adit_timer_set(r->w, &s[i].t, s[i].due), ADIT_OK);
    }
    /* One is moved, one is stopped. */
    s[3].due = in_us(r, 12000);
    assert_int_equal(adit_timer_set(r->w, &s[3].t, s[3].due), ADIT_OK);
    adit_timer_stop(r->w, &s[4].t);
    adit_timer_stop(r->w, &s[4].t);
    assert_false(adit_timer_is_set(&s[4].t));
    rig_run(r);
    assert_int_equal(n, N_TIMERS - 1);
}

static void
test_timers_in_order(void **state)
{
    (void)state;
    on_each_kind(timers_in_order);
}

struct again {
    struct rig *r;
    struct adit_timer t;
    struct adit_instant last;
    unsigned n;
};

static void
on_again(void *ctx)
{
    struct again *a = ctx;

    /* Never twice in one turn, though it is due at once. */
    assert_true(adit_worker_now(a->r->w).us > a->last.us);
    a->last = adit_worker_now(a->r->w);
    if (++a->n == 100) {
        rig_done(a->r);
        return;
    }
    assert_int_equal(adit_timer_set(a->r->w, &a->t, a->last), ADIT_OK);
}

static void
timer_again(struct rig *r)
{
    struct again a = { .r = r };

    a.t.fn = on_again;
    a.t.ctx = &a;
    SET(r, &a.t, 1);
    rig_run(r);
    assert_int_equal(a.n, 100);
}

static void
test_timer_again(void **state)
{
    (void)state;
    on_each_kind(timer_again);
}

/* ---- tasks ------------------------------------------------------------- */

struct steps {
    struct rig *r;
    char seen[16];
    size_t n;
    struct adit_task a, b, c, d;
    struct adit_timer t;
    struct adit_retiree gone;
    struct adit_instant turn;
};

static void
note(struct steps *s, char c)
{
    assert_true(s->n < sizeof(s->seen) - 1);
    s->seen[s->n++] = c;
}

static void
task_a(void *ctx)
{
    struct steps *s = ctx;

    note(s, 'a');
    assert_int_equal(adit_worker_now(s->r->w).us, s->turn.us);
    adit_task_post(s->r->w, &s->d); /* same turn, behind b */
    adit_task_cancel(&s->c);
}

static void
task_b(void *ctx)
{
    note(ctx, 'b');
}

static void
task_c(void *ctx)
{
    note(ctx, 'c');
}

static void
task_d(void *ctx)
{
    struct steps *s = ctx;

    note(s, 'd');
    assert_int_equal(adit_worker_now(s->r->w).us, s->turn.us);
}

static void
on_gone(void *ctx)
{
    struct steps *s = ctx;

    note(s, 'x');
    rig_done(s->r);
}

static void
step_timer(void *ctx)
{
    struct steps *s = ctx;

    note(s, 't');
    s->turn = adit_worker_now(s->r->w);
    adit_retire(s->r->w, &s->gone, on_gone, s); /* behind all tasks */
    assert_true(adit_is_retired(&s->gone));
    adit_task_post(s->r->w, &s->a);
    adit_task_post(s->r->w, &s->b);
    adit_task_post(s->r->w, &s->c);
    adit_task_post(s->r->w, &s->a); /* posted already: stays in front */
}

static void
order_of_a_turn(struct rig *r)
{
    struct steps s = { .r = r };

    s.a = (struct adit_task){ .fn = task_a, .ctx = &s };
    s.b = (struct adit_task){ .fn = task_b, .ctx = &s };
    s.c = (struct adit_task){ .fn = task_c, .ctx = &s };
    s.d = (struct adit_task){ .fn = task_d, .ctx = &s };
    s.t.fn = step_timer;
    s.t.ctx = &s;
    SET(r, &s.t, 1000);
    rig_run(r);
    assert_string_equal(s.seen, "tabdx");
}

static void
test_order_of_a_turn(void **state)
{
    (void)state;
    on_each_kind(order_of_a_turn);
}

/* A task that posts itself for ever must let timers in. */
struct glutton {
    struct rig *r;
    struct adit_task task;
    struct adit_timer t;
    unsigned n;
};

static void
gluttony(void *ctx)
{
    struct glutton *g = ctx;

    g->n++;
    adit_task_post(g->r->w, &g->task);
}

static void
glutton_timer(void *ctx)
{
    struct glutton *g = ctx;

    adit_task_cancel(&g->task);
    rig_done(g->r);
}

static void
task_budget(struct rig *r)
{
    struct glutton g = { .r = r };

    g.task = (struct adit_task){ .fn = gluttony, .ctx = &g };
    g.t.fn = glutton_timer;
    g.t.ctx = &g;
    adit_task_post(r->w, &g.task);
    if (r->kind == ADIT_WORKER_HAND) {
        /* Virtual time stands still while tasks wait. */
        assert_true(adit_worker_turn(r->w, (struct adit_instant){ 5 }, 1));
        assert_int_equal(adit_worker_due(r->w).us, 5);
        assert_true(g.n > 100 && g.n < 100000);
        SET(r, &g.t, 0);
        rig_run(r);
        return;
    }
    SET(r, &g.t, 2000);
    rig_run(r);
    assert_true(g.n > 0);
}

static void
test_task_budget(void **state)
{
    (void)state;
    on_each_kind(task_budget);
}

/* ---- retire ------------------------------------------------------------ */

static void
retired_twice(struct rig *r)
{
    struct steps s = { .r = r };

    adit_retire(r->w, &s.gone, on_gone, &s);
    assert_int_equal(r->n_lines, 0);
    adit_retire(r->w, &s.gone, on_gone, &s);
    assert_int_equal(r->n_lines, 1);
    assert_non_null(strstr(r->last_line, "bug.retired_twice"));
    assert_non_null(strstr(r->last_line, "first_line="));
    assert_non_null(strstr(r->last_line, "worker.c"));
    rig_run(r);
    assert_string_equal(s.seen, "x");
}

static void
test_retired_twice(void **state)
{
    (void)state;
    on_each_kind(retired_twice);
}

static void
count_gone(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void
test_free_reaps(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_HAND; k++) {
        struct rig r;
        struct adit_retiree gone = { 0 };
        unsigned n = 0;

        rig_init(&r, (enum adit_worker_kind)k);
        adit_retire(r.w, &gone, count_gone, &n);
        rig_fini(&r);
        assert_int_equal(n, 1);
    }
}

/* ---- mailbox ----------------------------------------------------------- */

struct letter {
    struct adit_msg m; /* first */
    struct rig *r;
    unsigned *next;
    unsigned no;
    unsigned last;
};

static void
on_letter(struct adit_worker *w, struct adit_msg *m)
{
    struct letter *l = (struct letter *)(void *)m;

    assert_ptr_equal(w, l->r->w);
    assert_int_equal(l->no, *l->next);
    if (++*l->next == l->last)
        rig_done(l->r);
}

static void
letters_in_order(struct rig *r)
{
    struct letter l[10];
    unsigned next = 0;

    for (unsigned i = 0; i < ADIT_NITEMS(l); i++) {
        l[i] = (struct letter){ .m.fn = on_letter,
                                .r = r,
                                .next = &next,
                                .no = i,
                                .last = ADIT_NITEMS(l) };
        adit_worker_post(r->w, &l[i].m);
    }
    assert_int_equal(next, 0); /* never inside _post */
    rig_run(r);
    assert_int_equal(next, ADIT_NITEMS(l));
}

static void
test_letters_in_order(void **state)
{
    (void)state;
    on_each_kind(letters_in_order);
}

static void
count_letter(struct adit_worker *w, struct adit_msg *m)
{
    struct letter *l = (struct letter *)(void *)m;

    (void)w;
    ++*l->next;
}

static void
test_letters_at_the_end(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_HAND; k++) {
        unsigned n = 0;
        struct letter l = { .m.fn = count_letter, .next = &n };
        struct rig r;

        rig_init(&r, (enum adit_worker_kind)k);
        adit_worker_post(r.w, &l.m);
        rig_fini(&r);
        assert_int_equal(n, 1); /* what it owns is not lost */
    }
}

/*
 * Two workers on two threads throw balls at each other; each ball must come
 * back the agreed number of times, and the last one home ends its thread.
 */
#define N_BALLS 16
#define N_THROWS 5000

struct court;

struct ball {
    struct adit_msg m; /* first */
    struct court *court;
    unsigned n_left;
};

struct court {
    struct adit_worker *side[2];
    struct ball ball[N_BALLS];
    unsigned n_home; /* of side 0 only */
    struct adit_msg quit;
};

static void
on_quit(struct adit_worker *w, struct adit_msg *m)
{
    (void)m;
    adit_worker_stop(w);
}

static void
on_ball(struct adit_worker *w, struct adit_msg *m)
{
    struct ball *b = (struct ball *)(void *)m;
    struct court *c = b->court;
    unsigned me = w == c->side[1];

    if (b->n_left == 0) {
        if (me == 1) {
            adit_worker_post(c->side[0], m);
        } else if (++c->n_home == N_BALLS) {
            adit_worker_post(c->side[1], &c->quit);
            adit_worker_stop(w);
        }
        return;
    }
    b->n_left--;
    adit_worker_post(c->side[1 - me], m);
}

static void *
run_side(void *w)
{
    adit_worker_run(w);
    return NULL;
}

static void
test_two_threads(void **state)
{
    struct rig r[2];
    struct court c = { .quit.fn = on_quit };
    pthread_t other;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        rig_init(&r[i], ADIT_WORKER_OWN);
        c.side[i] = r[i].w;
    }
    assert_int_equal(pthread_create(&other, NULL, run_side, c.side[1]), 0);
    for (unsigned i = 0; i < N_BALLS; i++) {
        c.ball[i] =
            (struct ball){ .m.fn = on_ball, .court = &c, .n_left = N_THROWS };
        adit_worker_post(c.side[i % 2], &c.ball[i].m);
    }
    adit_worker_run(c.side[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(c.n_home, N_BALLS);
    for (unsigned i = 0; i < 2; i++)
        rig_fini(&r[i]);
}

/* ---- clock ------------------------------------------------------------- */

static void
test_now_outside_a_turn(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_LENT; k++) {
        struct rig r;
        struct adit_instant before;
        struct timespec ts;
        uint64_t us;

        rig_init(&r, (enum adit_worker_kind)k);
        before = adit_worker_now(r.w);
        /* One reading for all who ask in one turn. */
        clock_gettime(CLOCK_BOOTTIME, &ts);
        us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
        do
            clock_gettime(CLOCK_BOOTTIME, &ts);
        while ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000 <
               us + 10);
        assert_int_equal(adit_worker_now(r.w).us, before.us);
        /* Its end makes the next one read anew. */
        event_base_loop(adit_worker_base(r.w), EVLOOP_NONBLOCK);
        assert_true(adit_worker_now(r.w).us > before.us);
        assert_true(adit_worker_unix_s(r.w) > 1600000000);
        rig_fini(&r);
    }
}

static void
test_by_hand(void **state)
{
    struct rig r;
    struct adit_timer t = { 0 };
    unsigned n = 0;

    (void)state;
    rig_init(&r, ADIT_WORKER_HAND);
    t.fn = count_gone;
    t.ctx = &n;
    assert_int_equal(adit_worker_due(r.w).us, ADIT_NEVER.us);
    assert_false(adit_worker_turn(r.w, (struct adit_instant){ 100 }, 7));
    assert_int_equal(adit_worker_now(r.w).us, 100);
    assert_int_equal(adit_worker_unix_s(r.w), 7);
    SET(&r, &t, 50);
    assert_int_equal(adit_worker_due(r.w).us, 150);
    assert_false(adit_worker_turn(r.w, (struct adit_instant){ 149 }, 7));
    assert_true(adit_worker_turn(r.w, (struct adit_instant){ 150 }, 7));
    assert_int_equal(n, 1);
    assert_null(adit_worker_base(r.w));
    rig_fini(&r);
}

/* ---- descriptors ------------------------------------------------------- */

struct watched {
    struct rig *r;
    struct adit_fd *f;
    int ends[2];
    unsigned n_read, n_write;
};

static void
on_watched(void *ctx, int ready)
{
    struct watched *x = ctx;
    char c;

    if ((ready & ADIT_FD_WRITE) != 0) {
        x->n_write++;
        adit_fd_want(x->f, ADIT_FD_READ);
        assert_int_equal(write(x->ends[1], "abc", 3), 3);
        return;
    }
    assert_int_equal(read(x->ends[0], &c, 1), 1);
    x->n_read++; /* level-triggered: two more bytes, two more calls */
    if (x->n_read == 3) {
        adit_fd_free(x->f); /* from inside its own callback */
        rig_done(x->r);
    }
}

static void
watch_both_ways(struct rig *r)
{
    struct watched x = { .r = r };
    adit_err e;
    int sv[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv),
        0);
    x.ends[0] = sv[0];
    x.ends[1] = sv[1];
    e = adit_fd_new(r->w, sv[0], on_watched, &x, &x.f);
    if (r->kind == ADIT_WORKER_HAND) {
        assert_int_equal(e, ADIT_ESTATE);
    } else {
        assert_int_equal(e, ADIT_OK);
        adit_fd_want(x.f, ADIT_FD_READ | ADIT_FD_WRITE);
        adit_fd_want(x.f, 0);
        adit_fd_want(x.f, ADIT_FD_WRITE);
        rig_run(r);
        assert_int_equal(x.n_write, 1);
        assert_int_equal(x.n_read, 3);
    }
    close(sv[0]);
    close(sv[1]);
    adit_fd_free(NULL);
}

static void
test_watch_both_ways(void **state)
{
    (void)state;
    on_each_kind(watch_both_ways);
}

/* ---- memory ------------------------------------------------------------ */

static void
test_scratch(void **state)
{
    struct rig r;
    uint8_t *s;

    (void)state;
    rig_init(&r, ADIT_WORKER_HAND);
    r.mem.cap_bytes = r.mem.used_bytes; /* none left */
    assert_null(adit_worker_scratch(r.w));
    r.mem.cap_bytes = SIZE_MAX;
    s = adit_worker_scratch(r.w);
    assert_non_null(s);
    s[-ADIT_SCRATCH_HEAD_BYTES] = 1;
    s[ADIT_SCRATCH_BODY_BYTES - 1] = 1;
    assert_ptr_equal(adit_worker_scratch(r.w), s);
    rig_fini(&r);
}

static void
test_new_without_memory(void **state)
{
    (void)state;
    for (int k = ADIT_WORKER_OWN; k <= ADIT_WORKER_HAND; k += 2) {
        for (uint64_t nth = 1; nth < 10; nth++) {
            struct adit_mem mem;
            struct adit_worker *w = NULL;
            struct adit_worker_config cfg = {
                .kind = (enum adit_worker_kind)k,
                .mem = &mem,
            };
            adit_err e;

            adit_mem_init(&mem, NULL, SIZE_MAX);
            mem.fail_at = nth;
            e = adit_worker_new(&cfg, &w);
            if (e == ADIT_OK) {
                struct adit_timer t = { 0 };

                mem.fail_at = mem.n_allocs + 1;
                assert_int_equal(
                    adit_timer_set(w, &t, (struct adit_instant){ 1 }),
                    ADIT_ENOMEM);
                assert_false(adit_timer_is_set(&t));
            } else {
                assert_int_equal(e, ADIT_ENOMEM);
            }
            adit_worker_free(w);
            assert_int_equal(mem.used_bytes, 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_in_order),
        cmocka_unit_test(test_timer_again),
        cmocka_unit_test(test_order_of_a_turn),
        cmocka_unit_test(test_task_budget),
        cmocka_unit_test(test_retired_twice),
        cmocka_unit_test(test_free_reaps),
        cmocka_unit_test(test_letters_in_order),
        cmocka_unit_test(test_letters_at_the_end),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_now_outside_a_turn),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_watch_both_ways),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_new_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
