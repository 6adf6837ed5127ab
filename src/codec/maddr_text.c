/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "codec/maddr_text.h"

#include "codec/basex.h"

/* --- writing ------------------------------------------------------------- */

/* Text that grows.  What is written was measured by adit_maddr_dec before. */
struct text {
    char *p;
    size_t n;
};

static void
put(struct text *t, struct adit_slice s)
{
    adit_assert(s.n < ADIT_MADDR_TEXT_BYTES - t->n);
    adit_copy(t->p + t->n, s);
    t->n += s.n;
}

static void
put_char(struct text *t, char c)
{
    put(t, adit_slice(&c, 1));
}

static void
put_str(struct text *t, const char *s)
{
    put(t, adit_slice_str(s));
}

static void
put_number(struct text *t, uint64_t v, unsigned radix)
{
    char digits[20];
    size_t n = sizeof(digits);

    do {
        digits[--n] = "0123456789abcdef"[v % radix];
        v /= radix;
    } while (v > 0);
    put(t, adit_slice(digits + n, sizeof(digits) - n));
}

static void
put_base(struct text *t, enum adit_base base, struct adit_slice s)
{
    size_t n = 0;
    adit_err e = adit_basex_enc(base, s, t->p + t->n,
                                ADIT_MADDR_TEXT_BYTES - 1 - t->n, &n);

    adit_assert(e == ADIT_OK);
    t->n += n;
}

static void
put_ip4(struct text *t, const uint8_t a[static 4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            put_char(t, '.');
        put_number(t, a[i], 10);
    }
}

/* RFC 5952: lower case, the first longest run of zeroes as "::". */
static void
put_ip6(struct text *t, const uint8_t a[static 16])
{
    static const uint8_t mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255
    };
    int run_at = -1;
    int run_n = 1; /* a single zero stays */

    if (memcmp(a, mapped, sizeof(mapped)) == 0) {
        put_str(t, "::ffff:");
        put_ip4(t, a + 12);
        return;
    }
    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && adit_get_be16(a + 2 * (i + n)) == 0)
            n++;
        if (n > run_n) {
            run_at = i;
            run_n = n;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == run_at) {
            put_str(t, "::");
            i += run_n - 1;
            continue;
        }
        if (i > 0 && (run_at < 0 || i != run_at + run_n))
            put_char(t, ':');
        put_number(t, adit_get_be16(a + 2 * i), 16);
    }
}

static bool
is_plain_in_path(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_.~$&:=@", c) != NULL);
}

static void
put_escaped(struct text *t, struct adit_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (is_plain_in_path(c)) {
            put_char(t, (char)c);
        } else {
            put_char(t, '%');
            put_char(t, "0123456789ABCDEF"[c >> 4]);
            put_char(t, "0123456789ABCDEF"[c & 15]);
        }
    }
}

static uint64_t
get_be64(const uint8_t *p)
{
    return (uint64_t)adit_get_be32(p) << 32 | adit_get_be32(p + 4);
}

static void
put_value(struct text *t, enum adit_maddr_kind kind, struct adit_slice v)
{
    switch (kind) {
    case ADIT_MADDR_FLAG:
        return;
    case ADIT_MADDR_IP4:
        put_ip4(t, v.p);
        return;
    case ADIT_MADDR_IP6:
        put_ip6(t, v.p);
        return;
    case ADIT_MADDR_PORT:
        put_number(t, adit_get_be16(v.p), 10);
        return;
    case ADIT_MADDR_U8:
        put_number(t, v.p[0], 10);
        return;
    case ADIT_MADDR_U64:
        put_number(t, get_be64(v.p), 10);
        return;
    case ADIT_MADDR_NAME:
    case ADIT_MADDR_PATH:
        put(t, v);
        return;
    case ADIT_MADDR_ESCAPED:
        put_escaped(t, v);
        return;
    case ADIT_MADDR_PEER:
        put_base(t, ADIT_BASE58, v);
        return;
    case ADIT_MADDR_HASH:
        put_char(t, ADIT_BASE64URL);
        put_base(t, ADIT_BASE64URL, v);
        return;
    case ADIT_MADDR_ONION:
        put_base(t, ADIT_BASE32, adit_slice(v.p, v.n - 2));
        put_char(t, ':');
        put_number(t, adit_get_be16(v.p + v.n - 2), 10);
        return;
    }
}

const char *
adit_maddr_format(const struct adit_maddr *a,
                  char out[static ADIT_MADDR_TEXT_BYTES])
{
    struct text t = { out, 0 };
    struct adit_slice left = adit_maddr_bytes(a);
    struct adit_maddr_part part;

    while (adit_maddr_next(&left, &part) == ADIT_OK) {
        const struct adit_maddr_proto *p = adit_maddr_proto(part.code);

        put_char(&t, '/');
        put_str(&t, p->name);
        /* A path brings its own slash. */
        if (p->kind != ADIT_MADDR_FLAG && p->kind != ADIT_MADDR_PATH)
            put_char(&t, '/');
        put_value(&t, p->kind, part.value);
    }
    out[t.n] = '\0';
    return out;
}

/* --- reading ------------------------------------------------------------- */

/* Decimal, at most `max`, all of `s`. */
static bool
parse_number(struct adit_slice s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)s.p[i] - '0';

        if (d > 9 || v > (max - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

static bool
parse_ip4(struct adit_slice s, uint8_t out[static 4])
{
    for (int i = 0; i < 4; i++) {
        const uint8_t *dot = i < 3 && s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
        struct adit_slice part = s;
        uint64_t v;

        if (i < 3) {
            if (dot == NULL)
                return false;
            part.n = (size_t)(dot - s.p);
            s = adit_slice_skip(s, part.n + 1);
        }
        /* 010 could be eight or ten. */
        if (!parse_number(part, 255, &v) || (part.n > 1 && part.p[0] == '0'))
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One group of an IPv6 address; how many digits it took, 0: none. */
static size_t
parse_group(struct adit_slice s, uint8_t out[static 2])
{
    unsigned v = 0;
    size_t i;

    for (i = 0; i < s.n && i < 4; i++) {
        int d = hex_digit(s.p[i]);

        if (d < 0)
            break;
        v = v << 4 | (unsigned)d;
    }
    adit_put_be16(out, (uint16_t)v);
    return i;
}

static bool
parse_ip6(struct adit_slice s, uint8_t out[static 16])
{
    uint8_t b[16] = { 0 };
    size_t n = 0;               /* bytes so far */
    size_t gap = sizeof(b) + 1; /* where "::" stood; none yet */

    if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
        gap = 0;
        s = adit_slice_skip(s, 2);
    } else if (s.n == 0) {
        return false;
    }
    while (s.n > 0) {
        size_t digits;

        if (n > sizeof(b) - 2)
            return false;
        digits = parse_group(s, b + n);
        if (digits == 0)
            return false;
        if (digits < s.n && s.p[digits] == '.') {
            /* The last four bytes may be written as IPv4. */
            if (n > sizeof(b) - 4 || !parse_ip4(s, b + n))
                return false;
            n += 4;
            break;
        }
        n += 2;
        s = adit_slice_skip(s, digits);
        if (s.n == 0)
            break;
        if (s.p[0] != ':' || s.n == 1)
            return false;
        s = adit_slice_skip(s, 1);
        if (s.p[0] == ':') {
            if (gap <= sizeof(b))
                return false;
            gap = n;
            s = adit_slice_skip(s, 1);
        }
    }
    if (gap <= sizeof(b)) {
        size_t behind = n - gap;

        if (n > sizeof(b) - 2)
            return false;
        memmove(b + sizeof(b) - behind, b + gap, behind);
        memset(b + gap, 0, sizeof(b) - n);
    } else if (n != sizeof(b)) {
        return false;
    }
    memcpy(out, b, sizeof(b));
    return true;
}

static bool
parse_escaped(struct adit_slice s, struct adit_mslice dst, size_t *n)
{
    size_t k = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (c == '%') {
            int hi = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1;
            int lo = s.n - i > 2 ? hex_digit(s.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return false;
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        }
        if (k == dst.n)
            return false;
        dst.p[k++] = c;
    }
    *n = k;
    return true;
}

/* base32 of `n_host` bytes, a colon, a port. */
static bool
parse_onion(struct adit_slice s, size_t n_host, uint8_t *out)
{
    const uint8_t *colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
    struct adit_mslice host = { out, n_host };
    struct adit_slice name;
    uint64_t port;
    size_t n;

    if (colon == NULL)
        return false;
    name = adit_slice(s.p, (size_t)(colon - s.p));
    if (adit_basex_dec(ADIT_BASE32, name, host, &n) != ADIT_OK ||
        n != n_host ||
        !parse_number(adit_slice_skip(s, name.n + 1), UINT16_MAX, &port) ||
        port == 0)
        return false;
    adit_put_be16(out + n_host, (uint16_t)port);
    return true;
}

/*
 * The bytes of a value, in `buf` or where the text is.  False: it does not
 * have the form that expected() names.
 */
static bool
parse_value(const struct adit_maddr_proto *p, struct adit_slice s,
            uint8_t buf[static ADIT_MADDR_MAX_BYTES], struct adit_slice *out)
{
    struct adit_mslice dst = { buf, ADIT_MADDR_MAX_BYTES };
    size_t n = p->n_bytes > 0 ? (size_t)p->n_bytes : 0;
    struct adit_peerid peer;
    uint64_t v;
    bool ok = false;

    switch (p->kind) {
    case ADIT_MADDR_FLAG:
        ok = s.n == 0;
        break;
    case ADIT_MADDR_IP4:
        ok = parse_ip4(s, buf);
        break;
    case ADIT_MADDR_IP6:
        ok = parse_ip6(s, buf);
        break;
    case ADIT_MADDR_PORT:
        ok = parse_number(s, UINT16_MAX, &v);
        if (ok)
            adit_put_be16(buf, (uint16_t)v);
        break;
    case ADIT_MADDR_U8:
        ok = parse_number(s, UINT8_MAX, &v);
        if (ok)
            buf[0] = (uint8_t)v;
        break;
    case ADIT_MADDR_U64:
        ok = parse_number(s, UINT64_MAX, &v);
        if (ok) {
            adit_put_be32(buf, (uint32_t)(v >> 32));
            adit_put_be32(buf + 4, (uint32_t)v);
        }
        break;
    case ADIT_MADDR_NAME:
    case ADIT_MADDR_PATH:
        *out = s;
        return s.n > 0;
    case ADIT_MADDR_ESCAPED:
        ok = parse_escaped(s, dst, &n) && n > 0;
        break;
    case ADIT_MADDR_PEER:
        ok = adit_peerid_parse(s, &peer) == ADIT_OK;
        if (ok) {
            n = peer.n;
            adit_copy(buf, adit_peerid_bytes(&peer));
        }
        break;
    case ADIT_MADDR_HASH:
        ok = adit_multibase_dec(s, dst, &n) == ADIT_OK;
        break;
    case ADIT_MADDR_ONION:
        ok = parse_onion(s, n - 2, buf);
        break;
    }
    *out = adit_slice(buf, n);
    return ok;
}

static const char *
expected(enum adit_maddr_kind kind)
{
    switch (kind) {
    case ADIT_MADDR_FLAG:
        return "expected no value";
    case ADIT_MADDR_IP4:
        return "expected an IPv4 address";
    case ADIT_MADDR_IP6:
        return "expected an IPv6 address";
    case ADIT_MADDR_PORT:
        return "expected a port number, 0 to 65535";
    case ADIT_MADDR_U8:
        return "expected a number, 0 to 255";
    case ADIT_MADDR_U64:
        return "expected a number";
    case ADIT_MADDR_NAME:
        return "expected a name without blanks";
    case ADIT_MADDR_PATH:
        return "expected a path without blanks";
    case ADIT_MADDR_ESCAPED:
        return "expected a percent-encoded path";
    case ADIT_MADDR_PEER:
        return "expected a peer id, such as 12D3KooW..., Qm... or bafz...";
    case ADIT_MADDR_HASH:
        return "expected a multihash in multibase";
    case ADIT_MADDR_ONION:
        return "expected an onion address, a colon and a port";
    }
    return "expected a value";
}

static adit_err
refuse(struct adit_maddr_why *why, size_t at, const char *what)
{
    if (why != NULL)
        *why = (struct adit_maddr_why){ at, what };
    return ADIT_EINVAL;
}

/* Up to the next slash, from offset `at`. */
static struct adit_slice
word(struct adit_slice text, size_t at)
{
    struct adit_slice s = adit_slice_skip(text, at);
    const uint8_t *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;

    if (slash != NULL)
        s.n = (size_t)(slash - s.p);
    return s;
}

adit_err
adit_maddr_parse(struct adit_slice text, struct adit_maddr *out,
                 struct adit_maddr_why *why)
{
    struct adit_maddr a = { 0 };
    size_t at = 0;

    /* All of libp2p's parsers let a slash at the end pass. */
    while (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    if (text.n < 2)
        return refuse(why, 0, "expected an address, such as /ip4/...");

    while (at < text.n) {
        uint8_t buf[ADIT_MADDR_MAX_BYTES];
        const struct adit_maddr_proto *p;
        struct adit_slice name;
        struct adit_slice value = ADIT_SLICE_NONE;
        size_t value_at;

        if (text.p[at] != '/')
            return refuse(why, at, "expected a slash");
        name = word(text, at + 1);
        p = adit_maddr_proto_named(name);
        if (p == NULL)
            return refuse(why, at + 1, "expected the name of a protocol");
        value_at = at + 1 + name.n;
        at = value_at;
        if (p->kind == ADIT_MADDR_PATH) {
            value = adit_slice_skip(text, at);
            at = text.n;
        } else if (p->kind != ADIT_MADDR_FLAG && at < text.n) {
            value_at++;
            value = word(text, value_at);
            at = value_at + value.n;
        }
        if (!parse_value(p, value, buf, &value) || !adit_maddr_fits(p, value))
            return refuse(why, value_at, expected(p->kind));
        if (adit_maddr_push(&a, (uint64_t)p->code, value) != ADIT_OK)
            return refuse(why, value_at, "the address is too long");
    }
    *out = a;
    return ADIT_OK;
}
