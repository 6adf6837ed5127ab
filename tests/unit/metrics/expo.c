/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The exposition: every row once, histograms that add up, cells merged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/expo.h"

#include <inttypes.h>

#define TEXT_BYTES 65536

/* The value behind `name`, its labels included; -1: it is not there. */
static double
value(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, name, n) == 0 && p[n] == ' ')
            return strtod(p + n, NULL);
    }
    return -1;
}

static void
test_merged(void **state)
{
    struct adit_metrics a = { 0 }, b = { 0 };
    const struct adit_metrics *cells[] = { &a, &b };
    char *text = calloc(1, TEXT_BYTES);
    size_t n;

    (void)state;
    assert_non_null(text);
    adit_metric_add(&a, ADIT_M_RSVP_OPENED, 3);
    adit_metric_add(&b, ADIT_M_RSVP_OPENED, 4);
    adit_metric_add(&b, ADIT_M_CIRCUITS, 9);
    adit_metric_sub(&b, ADIT_M_CIRCUITS, 2);
    n = adit_expo_format(cells, 2, text, TEXT_BYTES);
    assert_int_equal(n, strlen(text));
    assert_true(
        value(text, "libp2p_relaysvc_reservations_total{type=\"opened\"}") ==
        7);
    assert_true(value(text, "adit_circuits") == 7);
    assert_true(value(text, "adit_refused_total{rule=\"draining\"}") == 0);
    /* Cut where there is no room, its length said all the same. */
    assert_int_equal(adit_expo_format(cells, 2, text, 100), n);
    assert_int_equal(strlen(text), 99);
    assert_int_equal(adit_expo_format(cells, 2, NULL, 0), n);
    free(text);
}

static const struct {
    const char *why;
    int64_t us;
    const char *le; /* the least bucket that has it */
} durations[] = {
    { "none at all", 0, "0.005" },
    { "a bound belongs to its bucket", 5000, "0.005" },
    { "just above", 5001, "0.01" },
    { "go's last", 10000000, "10" },
    { "behind go's", 10000001, "30" },
    { "two minutes, as the default has it", 120000000, "120" },
    { "a week", INT64_C(7) * 86400 * 1000000, "+Inf" },
};

static void
test_durations(void **state)
{
    static const char *const name =
        "libp2p_relaysvc_connection_duration_seconds";
    char *text = calloc(1, TEXT_BYTES);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < ADIT_NITEMS(durations); i++) {
        struct adit_metrics m = { 0 };
        const struct adit_metrics *cells[] = { &m };
        const char *p;
        char key[128];
        bool is_in = false;
        unsigned n_buckets = 0;

        adit_metric_circuit_lasted(&m, durations[i].us);
        adit_expo_format(cells, 1, text, TEXT_BYTES);
        snprintf(key, sizeof(key), "%s_bucket{le=\"", name);
        for (p = strstr(text, key); p != NULL; p = strstr(p + 1, key)) {
            const char *le = p + strlen(key);
            size_t len = strcspn(le, "\"");

            is_in = is_in || (strlen(durations[i].le) == len &&
                              strncmp(le, durations[i].le, len) == 0);
            if (strtod(strchr(le, ' '), NULL) != (is_in ? 1 : 0))
                fail_msg("%s: %.60s", durations[i].why, p);
            n_buckets++;
        }
        assert_true(n_buckets > 11); /* go's and more */
        snprintf(key, sizeof(key), "%s_count", name);
        assert_true(value(text, key) == 1);
        snprintf(key, sizeof(key), "%s_sum", name);
        assert_true(value(text, key) == (double)durations[i].us / 1e6);
        snprintf(key, sizeof(key), "# TYPE %s histogram\n", name);
        p = strstr(text, key);
        assert_non_null(p);
        assert_null(strstr(p + 1, key));
    }
    free(text);
}

static void
test_scraped(void **state)
{
    struct adit_scraped s = { 0 };
    char text[4096];
    size_t n;

    (void)state;
    assert_int_equal(adit_expo_scraped(&s, text, sizeof(text)), 0);
    adit_scraped_set(&s, ADIT_SCRAPED_BUILD_INFO, 1);
    adit_scraped_set(&s, ADIT_SCRAPED_CPU, 1234567);
    n = adit_expo_scraped(&s, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    assert_true(value(text, "process_cpu_seconds_total") == 1.234567);
    assert_non_null(strstr(text, "adit_build_info{version=\""));
    assert_null(strstr(text, "process_open_fds"));
}

/* Rows of one name stand together, the first has the help, all one kind. */
static void
test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ADIT_N_METRICS; i++) {
        const struct adit_metric_row *row = adit_metric_row(i);
        bool is_first = true;

        for (unsigned k = 0; k < i; k++) {
            const struct adit_metric_row *other = adit_metric_row(k);

            if (strcmp(other->name, row->name) != 0)
                continue;
            is_first = false;
            assert_string_not_equal(other->labels, row->labels);
            assert_string_equal(adit_metric_row(i - 1)->name, row->name);
        }
        if (is_first)
            assert_true(row->help[0] != '\0');
        else if (row->kind != ADIT_METRIC_SUM)
            assert_int_equal(row->kind, adit_metric_row(i - 1)->kind);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_scraped),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests_name("metrics/expo", tests, NULL, NULL);
}
