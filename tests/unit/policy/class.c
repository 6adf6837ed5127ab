/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/class.h"

#define ALL UINT32_MAX
#define YEAR ADIT_ANNOUNCED_S
#define PIB ADIT_ANNOUNCED_BYTES

/* Class 0 and 1 of a table of two. */
static const struct {
    const char *why;
    uint32_t may_dial[2], dialled_by[2];
    bool want[2][2]; /* [source][destination] */
} dials[] = {
    { "anybody anybody",
      { ALL, ALL },
      { ALL, ALL },
      { { true, true }, { true, true } } },
    { "0 may dial nobody",
      { 0, ALL },
      { ALL, ALL },
      { { false, false }, { true, true } } },
    { "1 is dialled by nobody",
      { ALL, ALL },
      { ALL, 0 },
      { { true, false }, { true, false } } },
    { "0 may dial 1 alone",
      { 2, ALL },
      { ALL, ALL },
      { { false, true }, { true, true } } },
    { "each its own",
      { 1, 2 },
      { ALL, ALL },
      { { true, false }, { false, true } } },
    { "both must agree",
      { 2, 1 },
      { 1, 2 },
      { { false, false }, { false, false } } },
};

static void
test_may_dial(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(dials); i++) {
        struct adit_class v[2] = { { .may_dial = dials[i].may_dial[0],
                                     .dialled_by = dials[i].dialled_by[0] },
                                   { .may_dial = dials[i].may_dial[1],
                                     .dialled_by = dials[i].dialled_by[1] } };

        print_message("%s\n", dials[i].why);
        for (uint8_t s = 0; s < 2; s++)
            for (uint8_t d = 0; d < 2; d++)
                assert_int_equal(adit_class_may_dial(v, s, d),
                                 dials[i].want[s][d]);
    }
}

/* The last class has a bit as well. */
static void
test_last_class(void **state)
{
    struct adit_class v[ADIT_MAX_CLASSES] = { { .name = "" } };
    const uint8_t last = ADIT_MAX_CLASSES - 1;

    (void)state;
    v[0].may_dial = 1u << last;
    v[last].dialled_by = 1;
    assert_true(adit_class_may_dial(v, 0, last));
    assert_false(adit_class_may_dial(v, last, 0));
}

struct side {
    uint32_t circuit_s;
    uint64_t bytes, bytes_s;
    bool announce;
};

static const struct {
    const char *why;
    struct side src, dst;
    bool wider;
    struct adit_circuit_terms want;
} joins[] = {
    { "alike",
      { 120, 1000, 9, false },
      { 120, 1000, 9, false },
      false,
      { 120, 1000, 9 } },
    { "the narrower, limit by limit",
      { 60, 1000, 5, false },
      { 120, 500, 9, false },
      false,
      { 60, 500, 5 } },
    { "the wider, limit by limit",
      { 60, 1000, 5, false },
      { 120, 500, 9, false },
      true,
      { 120, 1000, 9 } },
    { "one has no limits: the other's",
      { 0, 0, 0, false },
      { 120, 500, 9, false },
      false,
      { 120, 500, 9 } },
    { "wider than any",
      { 0, 0, 0, false },
      { 120, 500, 9, false },
      true,
      { 0, 0, 0 } },
    { "neither has",
      { 0, 0, 0, false },
      { 0, 0, 0, false },
      false,
      { 0, 0, 0 } },
    { "neither has, one announces",
      { 0, 0, 0, false },
      { 0, 0, 0, true },
      false,
      { YEAR, PIB, 0 } },
    { "it announces what there is",
      { 0, 0, 0, true },
      { 120, 500, 9, false },
      false,
      { 120, 500, 9 } },
    { "wider, and announced",
      { 0, 0, 0, true },
      { 120, 500, 9, false },
      true,
      { YEAR, PIB, 0 } },
    { "one of the two limits",
      { 120, 0, 0, true },
      { 60, 0, 7, false },
      false,
      { 60, PIB, 7 } },
};

static struct adit_class
class_of(struct side s)
{
    return (struct adit_class){
        .circuit_s = s.circuit_s,
        .circuit_bytes = s.bytes,
        .circuit_bytes_s = s.bytes_s,
        .announce_limit = s.announce,
    };
}

static void
assert_terms(struct adit_circuit_terms got, struct adit_circuit_terms want)
{
    assert_int_equal(got.duration_s, want.duration_s);
    assert_int_equal(got.data_bytes, want.data_bytes);
    assert_int_equal(got.bytes_s, want.bytes_s);
}

static void
test_join(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(joins); i++) {
        struct adit_class src = class_of(joins[i].src);
        struct adit_class dst = class_of(joins[i].dst);

        print_message("%s\n", joins[i].why);
        assert_terms(adit_terms_join(adit_class_terms(&src),
                                     adit_class_terms(&dst), joins[i].wider),
                     joins[i].want);
        assert_terms(adit_terms_join(adit_class_terms(&dst),
                                     adit_class_terms(&src), joins[i].wider),
                     joins[i].want);
    }
}

static const struct {
    const char *why;
    struct side of;
    struct adit_circuit_terms want;
} terms[] = {
    { "as it says", { 120, 131072, 7, false }, { 120, 131072, 7 } },
    { "no limits", { 0, 0, 0, false }, { 0, 0, 0 } },
    { "announced", { 0, 0, 0, true }, { YEAR, PIB, 0 } },
    { "announced where there is none", { 0, 5, 0, true }, { YEAR, 5, 0 } },
    { "nothing to announce", { 1, 5, 3, true }, { 1, 5, 3 } },
};

static void
test_terms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(terms); i++) {
        struct adit_class c = class_of(terms[i].of);

        print_message("%s\n", terms[i].why);
        assert_terms(adit_class_terms(&c), terms[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_may_dial),
        cmocka_unit_test(test_last_class),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_terms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
