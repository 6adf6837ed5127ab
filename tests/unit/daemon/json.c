/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* JSON text and log lines: what goes in comes out as that, and nothing of it
 * as structure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/json.h"

static const struct {
    const char *why, *in, *want;
} texts[] = {
    { "nothing", "", "\"\"" },
    { "plain", "abc", "\"abc\"" },
    { "quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\"" },
    { "a newline, DEL", "a\nb\x7f", "\"a\\u000ab\\u007f\"" },
    { "two bytes", "\xc3\xa9", "\"\xc3\xa9\"" },
    { "four bytes", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
    { "cut short", "a\xc3", "\"a\\ufffd\"" },
    { "no beginning", "\x80z", "\"\\ufffdz\"" },
    { "too long a form", "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
    { "three bytes, too long a form", "\xe0\x80\x80",
      "\"\\ufffd\\ufffd\\ufffd\"" },
    { "a surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "beyond the last", "\xf4\x90\x80\x80",
      "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
};

static void
test_quote(void **state)
{
    char out[128];

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(texts); i++) {
        size_t n =
            adit_json_quote(adit_slice_str(texts[i].in), out, sizeof(out));

        print_message("%s\n", texts[i].why);
        assert_string_equal(out, texts[i].want);
        assert_int_equal(n, strlen(texts[i].want));
    }
}

static void
test_quote_cut(void **state)
{
    char out[64], whole[64];

    (void)state;
    adit_json_quote(adit_slice_str("a\"\xc3\xa9\n"), whole, sizeof(whole));
    for (size_t cap = 3; cap <= sizeof(out); cap++) {
        size_t n = adit_json_quote(adit_slice_str("a\"\xc3\xa9\n"), out, cap);

        assert_true(n < cap);
        assert_int_equal(out[0], '"');
        assert_int_equal(out[n - 1], '"');
        assert_int_equal(out[n], '\0');
        /* A prefix of whole characters. */
        assert_memory_equal(out, whole, n - 1);
    }
}

#define FRONT "{\"ts\":\"T\",\"level\":\"info\",\"event\":"

static const struct {
    const char *why, *in, *want;
} lines[] = {
    { "no field", "a.b", FRONT "\"a.b\"}" },
    { "text and number", "a.b x=y n=12",
      FRONT "\"a.b\",\"x\":\"y\",\"n\":12}" },
    { "a number below zero", "a n=-3", FRONT "\"a\",\"n\":-3}" },
    { "a number that was text", "a n=\"12\"", FRONT "\"a\",\"n\":\"12\"}" },
    { "no number: leading zero", "a n=007", FRONT "\"a\",\"n\":\"007\"}" },
    { "fifteen digits", "a n=123456789012345",
      FRONT "\"a\",\"n\":123456789012345}" },
    { "sixteen digits", "a n=1234567890123456",
      FRONT "\"a\",\"n\":\"1234567890123456\"}" },
    { "quoted blanks", "a t=\"x y=z\" u=v",
      FRONT "\"a\",\"t\":\"x y=z\",\"u\":\"v\"}" },
    { "escapes", "a t=\"\\\"\\\\\\x0a\\xc3\\xa9\\xff\"",
      FRONT "\"a\",\"t\":\"\\\"\\\\\\u000a\xc3\xa9\\ufffd\"}" },
    { "a forged field stays text", "a t=\"\\\" level=error\" u=v",
      FRONT "\"a\",\"t\":\"\\\" level=error\",\"u\":\"v\"}" },
    { "empty text", "a t=\"\"", FRONT "\"a\",\"t\":\"\"}" },
    { "a line that was cut in a value", "a t=\"x y...",
      FRONT "\"a\",\"t\":\"x y...\"}" },
    { "a line that was cut in a key", "a t=x lev...",
      FRONT "\"a\",\"t\":\"x\",\"lev...\":\"\"}" },
    { "a line that was cut in an escape", "a t=\"x\\x0...",
      FRONT "\"a\",\"t\":\"x\\\\x0...\"}" },
    { "keys that are taken", "a ts=1 level=x event=y",
      FRONT "\"a\",\"ts_\":1,\"level_\":\"x\",\"event_\":\"y\"}" },
};

static void
test_line(void **state)
{
    static char out[ADIT_JSON_LINE_BYTES];

    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(lines); i++) {
        size_t n = adit_json_line("T", "info", lines[i].in, out);

        print_message("%s\n", lines[i].why);
        assert_string_equal(out, lines[i].want);
        assert_int_equal(n, strlen(lines[i].want));
    }
}

/* ---- what base/log makes --------------------------------------------------- */

struct kept {
    char line[ADIT_LOG_LINE_MAX_BYTES];
};

static void
keep(void *ctx, enum adit_log_level level, const char *line, size_t n)
{
    struct kept *k = ctx;

    (void)level;
    memcpy(k->line, line, n + 1);
}

static void
test_of_log(void **state)
{
    static char out[ADIT_JSON_LINE_BYTES];
    struct kept k;
    struct adit_log log = { ADIT_LOG_INFO, keep, &k };
    struct adit_log_line l;

    (void)state;
    adit_log_open(&l, &log, ADIT_LOG_INFO, "x.y");
    adit_log_u64(&l, "n", UINT64_C(42));
    adit_log_i64(&l, "i", -7);
    adit_log_str(&l, "text", "42");
    adit_log_str(&l, "minus", "-7");
    adit_log_str(&l, "dash", "-");
    adit_log_str(&l, "bytes", "\x01\"\xfe");
    adit_log_close(&l);
    adit_json_line("T", "info", k.line, out);
    assert_string_equal(out, FRONT "\"x.y\",\"n\":42,\"i\":-7,\"text\":\"42\","
                                   "\"minus\":\"-7\",\"dash\":\"-\","
                                   "\"bytes\":\"\\u0001\\\"\\ufffd\"}");
}

/* The longest line, of what grows most, ends as an object. */
static void
test_longest(void **state)
{
    static char out[ADIT_JSON_LINE_BYTES];
    struct kept k;
    struct adit_log log = { ADIT_LOG_INFO, keep, &k };
    struct adit_log_line l;
    char value[2000];
    size_t n;

    (void)state;
    memset(value, '"', sizeof(value));
    adit_log_open(&l, &log, ADIT_LOG_INFO, "x.y");
    adit_log_bytes(&l, "t", adit_slice(value, sizeof(value)));
    adit_log_close(&l);
    n = adit_json_line("T", "info", k.line, out);
    assert_true(n > 1000);
    assert_string_equal(out + n - 2, "\"}");
    memset(value, 'a', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(adit_json_line("T", "info", value, out), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote),   cmocka_unit_test(test_quote_cut),
        cmocka_unit_test(test_line),    cmocka_unit_test(test_of_log),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
