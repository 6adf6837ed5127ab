/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The database is tests/vectors/asn.mmdb, which asn.py beside it made.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/asn.h"

#include <unistd.h>

#define FILE_MAX_BYTES 16384

#ifdef ADIT_WITH_RELAY

static struct {
    uint8_t b[FILE_MAX_BYTES];
    size_t n;
} file;

/* libmaxminddb 1.7.1 does not free what it had read of damaged metadata. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

/* One that the tests write into. */
static char scratch[] = "/tmp/adit-asn-XXXXXX";
static int scratch_fd = -1;

static const char *
path_of(char path[static 1024])
{
    const char *top = getenv("abs_top_srcdir");

    snprintf(path, 1024, "%s/tests/vectors/asn.mmdb", top != NULL ? top : ".");
    return path;
}

static int
load(void **state)
{
    char path[1024];
    FILE *f = fopen(path_of(path), "rb");

    (void)state;
    if (f == NULL)
        return -1;
    file.n = fread(file.b, 1, sizeof(file.b), f);
    fclose(f);
    scratch_fd = mkstemp(scratch);
    return file.n > 0 && file.n < sizeof(file.b) && scratch_fd >= 0 ? 0 : -1;
}

static int
unload(void **state)
{
    (void)state;
    close(scratch_fd);
    return unlink(scratch);
}

static const struct {
    const char *why;
    uint8_t ip[16];
    size_t n;
    uint32_t asn;
} cases[] = {
    { "IPv4", { 192, 0, 2, 1 }, 4, 64500 },
    { "its last address", { 192, 0, 2, 255 }, 4, 64500 },
    { "the next network", { 192, 0, 3, 0 }, 4, 0 },
    { "half a /24", { 198, 51, 100, 127 }, 4, 64501 },
    { "the other half", { 198, 51, 100, 128 }, 4, 0 },
    { "loopback", { 127, 1, 255, 1 }, 4, 64520 },
    { "zero", { 0 }, 4, 0 },
    { "IPv6", { 0x20, 1, 0xd, 0xb8 }, 16, 64502 },
    { "the longest prefix", { 0x20, 1, 0xd, 0xb8, 0, 1, 9 }, 16, 4200000001 },
    { "beside it", { 0x20, 1, 0xd, 0xb8, 0, 2, 9 }, 16, 64502 },
    { "IPv6 that nobody has", { 0x20, 1, 0xd, 0xb9 }, 16, 0 },
    { "IPv4 in IPv6",
      { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1 },
      16,
      64500 },
    { "no address", { 0 }, 0, 0 },
    { "no address either", { 192, 0, 2, 1, 9 }, 5, 0 },
};

static void
test_lookup(void **state)
{
    char why[ADIT_ASN_WHY_BYTES], path[1024];
    struct adit_asn *a = NULL;
    struct adit_mem mem;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_asn_open(&mem, path_of(path), &a, why), ADIT_OK);
    for (size_t i = 0; i < ADIT_NITEMS(cases); i++) {
        print_message("%s\n", cases[i].why);
        assert_int_equal(adit_asn_of(a, adit_slice(cases[i].ip, cases[i].n)),
                         cases[i].asn);
        assert_int_equal(
            adit_asn_of(NULL, adit_slice(cases[i].ip, cases[i].n)), 0);
    }
    adit_asn_close(a);
    adit_asn_close(NULL);
    assert_int_equal(mem.used_bytes, 0);
}

/* Whatever a file holds: it is refused in words, or answers something. */
static adit_err
try_bytes(const uint8_t *p, size_t n, char why[ADIT_ASN_WHY_BYTES])
{
    struct adit_asn *a = NULL;
    struct adit_mem mem;
    adit_err e;

    assert_int_equal(pwrite(scratch_fd, p, n, 0), n);
    assert_int_equal(ftruncate(scratch_fd, (off_t)n), 0);
    adit_mem_init(&mem, NULL, SIZE_MAX);
    why[0] = '\0';
    e = adit_asn_open(&mem, scratch, &a, why);
    if (e == ADIT_OK)
        for (size_t i = 0; i < ADIT_NITEMS(cases); i++)
            (void)adit_asn_of(a, adit_slice(cases[i].ip, cases[i].n));
    else
        assert_true(why[0] != '\0');
    adit_asn_close(a);
    assert_int_equal(mem.used_bytes, 0);
    return e;
}

/* Cut where you like: without its end it is no database. */
static void
test_truncated(void **state)
{
    char why[ADIT_ASN_WHY_BYTES];

    (void)state;
    assert_int_equal(try_bytes(file.b, file.n, why), ADIT_OK);
    for (size_t n = file.n - 1; n > 0; n--)
        assert_int_equal(try_bytes(file.b, n, why), ADIT_EINVAL);
    assert_int_not_equal(try_bytes(file.b, 0, why), ADIT_OK);
}

static void
test_damaged(void **state)
{
    static const uint8_t masks[] = { 0x01, 0x80, 0xff };
    char why[ADIT_ASN_WHY_BYTES];
    uint8_t b[FILE_MAX_BYTES];

    (void)state;
    memcpy(b, file.b, file.n);
    for (size_t m = 0; m < ADIT_NITEMS(masks); m++) {
        for (size_t i = 0; i < file.n; i++) {
            b[i] ^= masks[m];
            (void)try_bytes(b, file.n, why);
            b[i] ^= masks[m];
        }
    }
    assert_int_equal(try_bytes(b, file.n, why), ADIT_OK);
    for (size_t i = 0; i < file.n; i++)
        b[i] = (uint8_t)(i * 131 + 7);
    assert_int_equal(try_bytes(b, file.n, why), ADIT_EINVAL);
    assert_non_null(strstr(why, "MaxMind"));
}

static void
test_other(void **state)
{
    char why[ADIT_ASN_WHY_BYTES];
    struct adit_asn *a = NULL;
    struct adit_mem mem;
    uint8_t b[FILE_MAX_BYTES], *type;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_asn_open(&mem, "/nowhere/asn.mmdb", &a, why),
                     ADIT_EIO);
    assert_string_equal(why, "it cannot be read");
    assert_null(a);
    memcpy(b, file.b, file.n);
    type = memmem(b, file.n, "adit-test-ASN", 13);
    assert_non_null(type);
    memcpy(type, "adit-cities\"\n", 13);
    assert_int_equal(try_bytes(b, file.n, why), ADIT_EINVAL);
    assert_non_null(strstr(why, "adit-cities"));
    /* No memory for it. */
    mem.fail_at = 1;
    assert_int_equal(adit_asn_open(&mem, "/nowhere", &a, why), ADIT_ENOMEM);
    assert_int_equal(mem.used_bytes, 0);
}

#else

static int
load(void **state)
{
    (void)state;
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    return 0;
}

/* Without the library it says so. */
static void
test_without(void **state)
{
    char why[ADIT_ASN_WHY_BYTES] = "";
    struct adit_asn *a = NULL;
    struct adit_mem mem;

    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_asn_open(&mem, "/x", &a, why), ADIT_EUNSUPPORTED);
    assert_non_null(strstr(why, "libmaxminddb"));
    assert_int_equal(adit_asn_of(NULL, adit_slice("\1\2\3\4", 4)), 0);
    adit_asn_close(NULL);
}

#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef ADIT_WITH_RELAY
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_other),
#else
        cmocka_unit_test(test_without),
#endif
    };

    return cmocka_run_group_tests(tests, load, unload);
}
