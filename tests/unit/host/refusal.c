/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The line of a refusal: what it shows of the address it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/refusal.h"

struct seen {
    char line[ADIT_LOG_LINE_MAX_BYTES];
    unsigned n;
};

static void
sink(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    struct seen *s = ctx;

    (void)level;
    memcpy(s->line, line, n + 1);
    s->n++;
}

static const struct {
    const char *why;
    enum adit_addr_shown shown;
    const char *want;
} cases[] = {
    { "all of it", ADIT_ADDR_FULL, "addr=192.0.2.7:4001" },
    { "the network", ADIT_ADDR_PREFIX, "addr=192.0.2.0/24" },
    { "nothing", ADIT_ADDR_NONE, "addr=-" },
};

static void
test_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        static struct adit_refusal_log rl;
        struct adit_metrics m = { 0 };
        struct seen s = { .n = 0 };
        const struct adit_log log = { ADIT_LOG_INFO, sink, &s };
        const struct adit_refusal why = { .rule = ADIT_RULE_CONNS_PER_IP,
                                          .value = 9,
                                          .limit = 8 };
        struct adit_endpoint from;
        char want[200];

        print_message("%s\n", cases[i].why);
        assert_int_equal(
            adit_endpoint_of_ip(adit_slice("\xc0\0\x02\x07", 4), 4001, &from),
            ADIT_OK);
        memset(&rl, 0, sizeof(rl));
        rl.shown = cases[i].shown;
        adit_refusal_say(&rl, &log, &m, 1, "", &from, &why);
        snprintf(want, sizeof(want),
                 "relay.refused peer=\"\" %s rule=%s value=9 limit=8 "
                 "retry_s=0 n=1",
                 cases[i].want, adit_rule_name(why.rule));
        assert_int_equal(s.n, 1);
        assert_string_equal(s.line, want);
        /* What is shown does not decide what is one line. */
        adit_refusal_say(&rl, &log, &m, 1, "", &from, &why);
        assert_int_equal(s.n, 1);
        from.in4.sin_addr.s_addr ^= htonl(1);
        adit_refusal_say(&rl, &log, &m, 1, "", &from, &why);
        assert_int_equal(s.n, 2);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
