/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Any text as a list: what is taken can be looked up, a refusal names a line
 * that is there and says why in printable characters.
 */
#include "policy/acl.h"

#include "driver.h"

static void
counter_fill(void *ctx, uint8_t *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)i;
}

static const struct adit_rng rng = { counter_fill, NULL };

/* The first byte says which kinds may stand in it. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t ip[16] = { 0x20, 1, 0xd, 0xb8 };
    struct adit_slice text = adit_slice(p + (n > 0), n - (n > 0));
    int kinds = n > 0 ? p[0] & 7 : 0;
    char why[ADIT_ACL_WHY_BYTES] = "";
    size_t line = 0, n_lines = 1;
    struct adit_acl *a;
    struct adit_mem mem;
    adit_err e;

    adit_mem_init(&mem, NULL, SIZE_MAX);
    if (adit_acl_new(&mem, &rng, &a) != ADIT_OK)
        return 0;
    for (size_t i = 0; i < text.n; i++)
        n_lines += text.p[i] == '\n';
    e = adit_acl_add_text(a, text, kinds, 7, &line, why);
    adit_assert(e == ADIT_OK || e == ADIT_EINVAL);
    if (e != ADIT_OK) {
        adit_assert(line >= 1 && line <= n_lines);
        adit_assert(strlen(why) > 0 && strlen(why) < sizeof(why));
        for (const char *c = why; *c != '\0'; c++)
            adit_assert(*c >= 0x20 && *c < 0x7f);
    }
    adit_assert(adit_acl_n(a) <= n_lines);
    for (size_t len = 4; len <= 16; len += 12) {
        int tag = adit_acl_ip(a, adit_slice(ip, len));

        adit_assert(tag == 7 || tag == ADIT_ACL_NONE);
    }
    adit_acl_free(a);
    adit_assert(mem.used_bytes == 0);
    return 0;
}
