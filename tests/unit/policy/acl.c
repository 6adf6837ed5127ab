/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/acl.h"

#define PEER "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
#define QM "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
#define CID "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"

#define P ADIT_ACL_PEERS
#define S ADIT_ACL_SUBNETS
#define N ADIT_ACL_ASNS
#define ANY (P | S | N)

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

struct fixture {
    struct adit_mem mem;
    struct adit_acl *a;
    char why[ADIT_ACL_WHY_BYTES];
};

static void
start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    adit_mem_init(&f->mem, NULL, SIZE_MAX);
    assert_int_equal(adit_acl_new(&f->mem, &rng, &f->a), ADIT_OK);
}

static void
stop(struct fixture *f)
{
    adit_acl_free(f->a);
    adit_acl_free(NULL);
    assert_int_equal(f->mem.used_bytes, 0);
}

static adit_err
add(struct fixture *f, const char *item, int kinds, uint8_t tag)
{
    return adit_acl_add(f->a, adit_slice_str(item), kinds, tag, f->why);
}

static struct adit_peerid
peer_of(const char *text)
{
    struct adit_peerid id;

    assert_int_equal(adit_peerid_parse(adit_slice_str(text), &id), ADIT_OK);
    return id;
}

/* ---- what may stand in a list --------------------------------------------- */

static const struct {
    const char *item;
    int kinds;
    const char *why; /* NULL: taken; else part of what is said */
} items[] = {
    { PEER, ANY, NULL },
    { QM, P, NULL },
    { CID, P, NULL },
    { "192.0.2.0/24", ANY, NULL },
    { "192.0.2.7", S, NULL },
    { "192.0.2.7/32", S, NULL },
    { "0.0.0.0/0", S, NULL },
    { "::/0", S, NULL },
    { "2001:db8::/32", S, NULL },
    { "2001:DB8::1", S, NULL },
    { "2001:db8:0:1::/64", P | S, NULL },
    { "AS64500", ANY, NULL },
    { "as64500", N, NULL },
    { "64500", N, NULL },
    { "4294967295", N, NULL },
    { PEER, S, "is no IP address or subnet" },
    { PEER, N, "is no autonomous system" },
    { PEER "x", P, "is no peer id" },
    { "192.0.2.0/24", P, "is no peer id" },
    { "AS64500", P | S, "is neither a peer id nor a subnet" },
    { "64500", P, "is no peer id" },
    { "192.0.2.0/33", S, "from 0 to 32" },
    { "192.0.2.0/", S, "from 0 to 32" },
    { "192.0.2.0/+8", S, "from 0 to 32" },
    { "192.0.2.0/8/8", S, "from 0 to 32" },
    { "2001:db8::/129", S, "from 0 to 128" },
    { "192.0.2.1/24", S, "has bits set behind its length" },
    { "2001:db8::1/64", S, "has bits set behind its length" },
    { "192.0.2", S, "is no IP address or subnet" },
    { "192.0.2.256", S, "is no IP address or subnet" },
    { "192.0.2.1.", S, "is no IP address or subnet" },
    { "/8", S, "is no IP address or subnet" },
    { "::1%lo", S, "is no IP address or subnet" },
    { "fe80::1::2", S, "is no IP address or subnet" },
    { "::ffff:192.0.2.0/120", S, "write it as one" },
    { "/ip4/192.0.2.1", S, "is no IP address or subnet" },
    { "relay.example.org", ANY, "is no IP address or subnet" },
    { "AS0", N, "is no autonomous system" },
    { "0", N, "is no autonomous system" },
    { "AS", N, "is no autonomous system" },
    { "AS-1", N, "is no autonomous system" },
    { "4294967296", N, "is no autonomous system" },
    { "AS99999999999", ANY, "is no" },
    { "", ANY, "is nothing that may stand here" },
    { "a\x1b[31mb", ANY, "'a?[31mb'" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      ANY, "...' is nothing that may stand here" },
};

static void
test_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(items); i++) {
        struct fixture f;
        adit_err e;

        start(&f);
        print_message("%s\n", i + 2 < ADIT_NITEMS(items) ? items[i].item : "");
        e = add(&f, items[i].item, items[i].kinds, 3);
        assert_int_equal(e, items[i].why == NULL ? ADIT_OK : ADIT_EINVAL);
        assert_int_equal(adit_acl_n(f.a), items[i].why == NULL);
        if (items[i].why != NULL && strstr(f.why, items[i].why) == NULL)
            fail_msg("%s", f.why);
        stop(&f);
    }
}

/* ---- looking up ----------------------------------------------------------- */

static const struct {
    const char *why;
    uint8_t ip[16];
    size_t n;
    int tag;
} ips[] = {
    { "the host", { 10, 1, 2, 3 }, 4, 5 },
    { "its /24", { 10, 1, 2, 4 }, 4, 4 },
    { "its /9", { 10, 1, 3, 3 }, 4, 3 },
    { "the /8 outside the /9", { 10, 128, 0, 1 }, 4, 2 },
    { "any IPv4", { 11, 0, 0, 1 }, 4, 1 },
    { "IPv6 /48", { 0x20, 1, 0xd, 0xb8, 0, 1, 7 }, 16, 7 },
    { "IPv6 /32", { 0x20, 1, 0xd, 0xb8, 0, 2 }, 16, 6 },
    { "IPv6 /127",
      { 0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3 },
      16,
      8 },
    { "IPv6 of none", { 0x20, 2 }, 16, ADIT_ACL_NONE },
    { "IPv6 that begins alike", { 10, 1, 2, 3 }, 16, ADIT_ACL_NONE },
    { "no address", { 0 }, 0, ADIT_ACL_NONE },
};

static void
test_longest(void **state)
{
    static const char *const v[] = {
        "0.0.0.0/0", "10.0.0.0/8",    "10.0.0.0/9",      "10.1.2.0/24",
        "10.1.2.3",  "2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::2/127",
    };
    struct fixture f;

    (void)state;
    /* In any order. */
    for (unsigned turn = 0; turn < 2; turn++) {
        start(&f);
        for (size_t i = 0; i < ADIT_NITEMS(v); i++) {
            size_t k = turn == 0 ? i : ADIT_NITEMS(v) - 1 - i;

            assert_int_equal(add(&f, v[k], S, (uint8_t)(k + 1)), ADIT_OK);
        }
        for (size_t i = 0; i < ADIT_NITEMS(ips); i++) {
            print_message("%s\n", ips[i].why);
            assert_int_equal(adit_acl_ip(f.a, adit_slice(ips[i].ip, ips[i].n)),
                             ips[i].tag);
        }
        stop(&f);
    }
}

/* Every length there is, one inside the other. */
static void
test_all_lengths(void **state)
{
    struct fixture f;
    uint8_t ip[16] = { 0 };
    char text[64];

    (void)state;
    start(&f);
    for (unsigned len = 0; len <= 128; len++) {
        unsigned l = len * 83 % 129; /* each once, in no order */

        snprintf(text, sizeof(text), "::/%u", l);
        assert_int_equal(add(&f, text, S, (uint8_t)l), ADIT_OK);
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        ip[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        assert_int_equal(adit_acl_ip(f.a, adit_slice(ip, 16)), bit);
        ip[bit / 8] = 0;
    }
    assert_int_equal(adit_acl_ip(f.a, adit_slice(ip, 16)), 128);
    assert_int_equal(adit_acl_ip(f.a, adit_slice(ip, 4)), ADIT_ACL_NONE);
    stop(&f);
}

static void
test_peers_and_asns(void **state)
{
    struct adit_peerid one = peer_of(PEER), two = peer_of(QM);
    char text[ADIT_PEERID_TEXT_BYTES];
    struct fixture f;

    (void)state;
    start(&f);
    assert_int_equal(adit_acl_peer(f.a, &one), ADIT_ACL_NONE);
    assert_int_equal(adit_acl_asn(f.a, 64500), ADIT_ACL_NONE);
    assert_int_equal(add(&f, PEER, ANY, 1), ADIT_OK);
    assert_int_equal(add(&f, "AS64500", ANY, 255), ADIT_OK);
    assert_int_equal(adit_acl_peer(f.a, &one), 1);
    assert_int_equal(adit_acl_peer(f.a, &two), ADIT_ACL_NONE);
    assert_int_equal(adit_acl_asn(f.a, 64500), 255);
    assert_int_equal(adit_acl_asn(f.a, 64501), ADIT_ACL_NONE);
    assert_int_equal(adit_acl_asn(f.a, 0), ADIT_ACL_NONE);
    /* The same by another text, with another tag. */
    assert_int_equal(add(&f, adit_peerid_format_cid(&one, text), P, 0),
                     ADIT_OK);
    assert_int_equal(add(&f, "64500", N, 9), ADIT_OK);
    assert_int_equal(adit_acl_n(f.a), 2);
    assert_int_equal(adit_acl_peer(f.a, &one), 0);
    assert_int_equal(adit_acl_asn(f.a, 64500), 9);
    stop(&f);
}

/* ---- a file's text -------------------------------------------------------- */

static const struct {
    const char *why, *text;
    size_t n;    /* items */
    size_t line; /* 0: all is well */
} texts[] = {
    { "nothing", "", 0, 0 },
    { "blank lines", "\n \n\t\n\n", 0, 0 },
    { "a line without its end", PEER, 1, 0 },
    { "lines", PEER "\n" QM "\n10.0.0.0/8\n", 3, 0 },
    { "of another system", PEER "\r\n" QM "\r\n", 2, 0 },
    { "blanks around", "  " PEER "\t \n\t10.0.0.0/8", 2, 0 },
    { "comments", "# who\n" PEER " # Ann\n#\n" QM "#Bob\n", 2, 0 },
    { "the same twice", PEER "\n" PEER "\n", 1, 0 },
    { "the first is wrong", "x\n" PEER, 0, 1 },
    { "the third is wrong", PEER "\n\n10.0.0.1/8\n" QM "\n", 1, 3 },
    { "the last is wrong", PEER "\n# ok\nAS5", 1, 3 },
    { "two on a line", PEER " " QM "\n", 0, 1 },
};

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(texts); i++) {
        struct fixture f;
        size_t line = 0;
        adit_err e;

        print_message("%s\n", texts[i].why);
        start(&f);
        e = adit_acl_add_text(f.a, adit_slice_str(texts[i].text), P | S, 1,
                              &line, f.why);
        assert_int_equal(e, texts[i].line == 0 ? ADIT_OK : ADIT_EINVAL);
        assert_int_equal(line, texts[i].line);
        assert_int_equal(adit_acl_n(f.a), texts[i].n);
        assert_int_equal(f.why[0] != '\0', texts[i].line != 0);
        stop(&f);
    }
}

static void
test_oom(void **state)
{
    bool was_ok = false;

    (void)state;
    for (uint64_t n = 1; !was_ok; n++) {
        char why[ADIT_ACL_WHY_BYTES];
        struct adit_acl *a = NULL;
        struct adit_mem mem;
        size_t line;
        adit_err e;

        adit_mem_init(&mem, NULL, SIZE_MAX);
        mem.fail_at = n;
        e = adit_acl_new(&mem, &rng, &a);
        if (e == ADIT_OK)
            e = adit_acl_add_text(
                a, adit_slice_str(PEER "\n10.0.0.0/8\nAS5\n::/0\n"), ANY, 1,
                &line, why);
        was_ok = e == ADIT_OK;
        if (!was_ok)
            assert_int_equal(e, ADIT_ENOMEM);
        adit_acl_free(a);
        assert_int_equal(mem.used_bytes, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_all_lengths),
        cmocka_unit_test(test_peers_and_asns),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
