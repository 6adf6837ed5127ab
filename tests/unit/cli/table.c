/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tables: how they shrink, what is left out, and CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

static const struct adit_cli_column cols[] = {
    { "PEER", "peer", false, 7, false, false },
    { "N", "n", true, 0, false, false },
    { "", "exact", true, 0, false, true },
    { "WHY", "why", false, 0, true, false },
};

static void
fill(struct adit_cli_table *t, bool is_exact)
{
    adit_cli_table_init(t, cols, 4, is_exact);
    adit_cli_table_text(t, "0123456789abcdef");
    adit_cli_table_bytes(t, 1536);
    adit_cli_table_count(t, 7);
    adit_cli_table_text(t, "a, \"b\"");
    adit_cli_table_text(t, "x\033[2Jy\xc3\xbc");
    adit_cli_table_bytes(t, 0);
    adit_cli_table_count(t, 0);
    adit_cli_table_text(t, NULL);
    assert_false(t->is_broken);
    assert_int_equal(adit_cli_table_n_rows(t), 2);
}

static char *
printed(const struct adit_cli_table *t, unsigned width, size_t max_rows,
        bool is_csv)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    if (is_csv)
        adit_cli_table_csv(t, f);
    else
        adit_cli_table_print(t, f, width, max_rows);
    fclose(f);
    return text;
}

static const struct {
    const char *why;
    unsigned width;
    size_t max_rows;
    const char *want;
} cases[] = {
    { "as wide as it must be", 0, 9,
      "PEER                     N  WHY\n"
      "0123456789abcdef  1.50 KiB  a, \"b\"\n"
      "x?[2Jy??                 -\n" },
    { "just wide enough", 34, 9,
      "PEER                     N  WHY\n"
      "0123456789abcdef  1.50 KiB  a, \"b\"\n"
      "x?[2Jy??                 -\n" },
    { "cut in the middle, the longest first", 32, 9,
      "PEER                   N  WHY\n"
      "012345..abcdef  1.50 KiB  a, \"b\"\n"
      "x?[2Jy??               -\n" },
    { "a column goes when no other gives", 20, 1,
      "PEER            N\n"
      "012..ef  1.50 KiB\n" },
    { "narrower than anything", 5, 1, "PEER\n012..\n" },
    { "fewer rows: only these are measured", 0, 0, "PEER  N  WHY\n" },
};

static void
test_print(void **state)
{
    struct adit_cli_table t;

    (void)state;
    fill(&t, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = printed(&t, cases[i].width, cases[i].max_rows, false);

        if (strcmp(text, cases[i].want) != 0)
            fail_msg("%s:\n%s", cases[i].why, text);
        free(text);
    }
    adit_cli_table_fini(&t);
}

static void
test_csv(void **state)
{
    struct adit_cli_table t;
    char *text;

    (void)state;
    fill(&t, true);
    text = printed(&t, 0, 0, true);
    assert_string_equal(text, "peer,n,exact,why\r\n"
                              "0123456789abcdef,1536,7,\"a, \"\"b\"\"\"\r\n"
                              "x?[2Jy??,0,0,\r\n");
    free(text);
    adit_cli_table_clear(&t);
    assert_int_equal(adit_cli_table_n_rows(&t), 0);
    adit_cli_table_fini(&t);
}

static const struct {
    uint64_t n;
    const char *want;
} amounts[] = {
    { 0, "-" },
    { 1, "1 B" },
    { 999, "999 B" },
    { 1000, "0.98 KiB" },
    { 1024, "1.00 KiB" },
    { 10234, "9.99 KiB" },
    { 10240, "10.0 KiB" },
    { 102400, "100 KiB" },
    { UINT64_C(1) << 40, "1.00 TiB" },
    { UINT64_MAX, "16.0 EiB" },
};

static const struct {
    uint64_t s;
    const char *want;
} spans[] = {
    { 0, "-" },         { 59, "59s" },          { 60, "1m00s" },
    { 3599, "59m59s" }, { 3600, "1h00m" },      { 86399, "23h59m" },
    { 86400, "1d00h" }, { 8640000, "100d00h" },
};

static void
test_numbers(void **state)
{
    struct adit_cli_table t;

    (void)state;
    adit_cli_table_init(&t, cols, 1, false);
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        adit_cli_table_clear(&t);
        adit_cli_table_bytes(&t, amounts[i].n);
        assert_string_equal(t.cells[0], amounts[i].want);
    }
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        adit_cli_table_clear(&t);
        adit_cli_table_seconds(&t, spans[i].s);
        assert_string_equal(t.cells[0], spans[i].want);
    }
    adit_cli_table_clear(&t);
    adit_cli_table_time(&t, 1767225600);
    adit_cli_table_time(&t, 0);
    assert_string_equal(t.cells[0], "2026-01-01 00:00");
    assert_string_equal(t.cells[1], "-");
    adit_cli_table_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests_name("cli/table", tests, NULL, NULL);
}
