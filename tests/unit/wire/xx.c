/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The bare XX handshake against published vectors, and against itself.
 */
#include "common.h"

#include "wire/noise/cipher.h"
#include "wire/noise/xx.h"

#define MAX_LINE 1024
#define MAX_VALUE 256
#define MAX_MESSAGES 8

struct bytes {
    uint8_t b[MAX_VALUE];
    size_t n;
};

struct vector {
    struct bytes prologue, init_static, init_ephemeral, resp_static;
    struct bytes resp_ephemeral;
    size_t n_messages;
    struct bytes payload[MAX_MESSAGES], ciphertext[MAX_MESSAGES];
};

/* ---- the file ------------------------------------------------------------ */

static void
unhex(const char *text, struct bytes *out)
{
    size_t n = strspn(text, "0123456789abcdef");

    assert_true(n % 2 == 0 && n / 2 <= sizeof(out->b));
    out->n = n / 2;
    for (size_t i = 0; i < out->n; i++) {
        char pair[3] = { text[2 * i], text[2 * i + 1], 0 };

        out->b[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static struct bytes *
field(struct vector *v, const char *name)
{
    const struct {
        const char *name;
        struct bytes *at;
    } fields[] = {
        { "prologue", &v->prologue },
        { "init_static", &v->init_static },
        { "init_ephemeral", &v->init_ephemeral },
        { "resp_static", &v->resp_static },
        { "resp_ephemeral", &v->resp_ephemeral },
    };

    if (strcmp(name, "payload") == 0) {
        assert_true(v->n_messages < MAX_MESSAGES);
        return &v->payload[v->n_messages++];
    }
    if (strcmp(name, "ciphertext") == 0) {
        assert_true(v->n_messages > 0);
        return &v->ciphertext[v->n_messages - 1];
    }
    for (size_t i = 0; i < ADIT_NITEMS(fields); i++)
        if (strcmp(name, fields[i].name) == 0)
            return fields[i].at;
    fail_msg("unknown name '%s'", name);
    return NULL;
}

static void
load(struct vector *v)
{
    const char *top = getenv("abs_top_srcdir");
    char path[4096], line[MAX_LINE], name[32], value[MAX_LINE];
    FILE *f;

    memset(v, 0, sizeof(*v));
    snprintf(path, sizeof(path), "%s/tests/vectors/noise-xx.txt",
             top != NULL ? top : ".");
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL)
        if (line[0] != '#' && sscanf(line, "%31s %1023s", name, value) == 2)
            unhex(value, field(v, name));
    fclose(f);
    assert_int_equal(v->n_messages, 6);
}

/* ---- two ends ------------------------------------------------------------ */

struct end {
    struct adit_noise_pair s;
    struct adit_noise_xx xx;
    struct adit_noise_key tx, rx;
};

static struct adit_slice
of(const struct bytes *b)
{
    return adit_slice(b->b, b->n);
}

static void
end_init(struct end *e, bool is_initiator, struct adit_slice prologue,
         const struct bytes *s, const struct bytes *ephemeral)
{
    struct adit_secret secret;

    memset(e, 0, sizeof(*e));
    memcpy(e->s.secret.b, s->b, 32);
    adit_noise_pair_derive(&e->s);
    memcpy(secret.b, ephemeral->b, 32);
    adit_noise_xx_init(&e->xx, is_initiator, prologue, &e->s, &secret);
}

static void
ends_init(struct end ends[static 2], const struct vector *v)
{
    end_init(&ends[0], true, of(&v->prologue), &v->init_static,
             &v->init_ephemeral);
    end_init(&ends[1], false, of(&v->prologue), &v->resp_static,
             &v->resp_ephemeral);
}

static void
test_vectors(void **state)
{
    struct vector v;
    struct end ends[2];
    struct adit_mem mem;
    struct adit_aead *aead;
    uint8_t buf[512];

    (void)state;
    load(&v);
    ends_init(ends, &v);
    adit_mem_init(&mem, NULL, SIZE_MAX);
    assert_int_equal(adit_aead_new(&mem, &aead), ADIT_OK);

    for (size_t i = 0; i < 3; i++) {
        struct end *from = &ends[i % 2], *to = &ends[1 - i % 2];
        size_t n = v.ciphertext[i].n;
        struct adit_slice payload;

        assert_true(adit_noise_xx_is_our_turn(&from->xx));
        assert_false(adit_noise_xx_is_our_turn(&to->xx));
        assert_int_equal(n,
                         v.payload[i].n + adit_noise_xx_overhead((unsigned)i));
        assert_int_equal(
            adit_noise_xx_write(&from->xx, of(&v.payload[i]), buf), ADIT_OK);
        assert_memory_equal(buf, v.ciphertext[i].b, n);
        assert_int_equal(adit_noise_xx_read(&to->xx,
                                            (struct adit_mslice){ buf, n },
                                            &payload),
                         ADIT_OK);
        assert_slice_equal(payload, v.payload[i].b, v.payload[i].n);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_true(adit_noise_xx_is_complete(&ends[i].xx));
        assert_memory_equal(ends[i].xx.h, ends[1 - i].xx.h, 32);
        assert_memory_equal(ends[i].xx.rs, ends[1 - i].s.pub, 32);
        adit_noise_xx_split(&ends[i].xx, &ends[i].tx, &ends[i].rx);
    }
    for (size_t i = 3; i < v.n_messages; i++) {
        struct end *from = &ends[i % 2], *to = &ends[1 - i % 2];
        size_t n = v.ciphertext[i].n;

        assert_int_equal(
            adit_noise_seal(aead, &from->tx, of(&v.payload[i]), buf), ADIT_OK);
        assert_int_equal(adit_get_be16(buf), n);
        assert_memory_equal(buf + 2, v.ciphertext[i].b, n);
        assert_int_equal(
            adit_noise_open(aead, &to->rx, (struct adit_mslice){ buf + 2, n }),
            ADIT_OK);
        assert_memory_equal(buf + 2, v.payload[i].b, v.payload[i].n);
    }
    adit_aead_free(aead);
    assert_int_equal(mem.used_bytes, 0);
}

/* Each byte of each message counts; message 0 shows when 1 is read. */
static void
test_forged(void **state)
{
    struct vector v;
    uint8_t buf[512];

    (void)state;
    load(&v);
    for (size_t msg = 0; msg < 3; msg++) {
        for (size_t at = 0; at < v.ciphertext[msg].n; at++) {
            struct end ends[2];
            bool failed = false;

            ends_init(ends, &v);
            for (size_t i = 0; i < 3 && !failed; i++) {
                size_t n = v.ciphertext[i].n;
                struct adit_slice payload;
                adit_err e = adit_noise_xx_write(&ends[i % 2].xx,
                                                 of(&v.payload[i]), buf);

                assert_int_equal(e, ADIT_OK);
                if (i == msg)
                    buf[at] ^= 0x40;
                e = adit_noise_xx_read(&ends[1 - i % 2].xx,
                                       (struct adit_mslice){ buf, n },
                                       &payload);
                failed = e != ADIT_OK;
                if (failed)
                    assert_int_equal(e, ADIT_EPROTO);
                assert_true(!failed || i == ADIT_MAX(msg, 1));
            }
            assert_true(failed);
        }
    }
}

static void
test_truncated(void **state)
{
    struct vector v;
    uint8_t buf[512];

    (void)state;
    load(&v);
    for (size_t msg = 0; msg < 3; msg++) {
        for (size_t cut = 0; cut < v.ciphertext[msg].n; cut++) {
            struct end ends[2];
            struct adit_slice payload;

            ends_init(ends, &v);
            for (size_t i = 0; i <= msg; i++) {
                size_t n = i == msg ? cut : v.ciphertext[i].n;
                uint8_t *p;
                adit_err e;

                assert_int_equal(adit_noise_xx_write(&ends[i % 2].xx,
                                                     of(&v.payload[i]), buf),
                                 ADIT_OK);
                p = exact(adit_slice(buf, n));
                e = adit_noise_xx_read(&ends[1 - i % 2].xx,
                                       (struct adit_mslice){ p, n }, &payload);
                test_free(p);
                /* A shorter payload of message 0 is as good as any. */
                if (i < msg || (i == 0 && n >= 32))
                    assert_int_equal(e, ADIT_OK);
                else
                    assert_int_equal(e, ADIT_EPROTO);
            }
        }
    }
}

/* Points of small order, all of which give a shared secret of zero. */
static const struct {
    const char *why;
    uint8_t point[32];
} weak[] = {
    { "zero", { 0 } },
    { "one", { 1 } },
    { "order 8",
      { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
        0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
        0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 } },
    { "p - 1",
      { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
    { "p", { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
};

static void
test_weak_points(void **state)
{
    struct vector v;
    uint8_t buf[512];

    (void)state;
    load(&v);
    for (size_t i = 0; i < ADIT_NITEMS(weak); i++) {
        struct end ends[2];
        struct adit_slice payload;
        uint8_t msg[96];

        print_message("%s\n", weak[i].why);
        ends_init(ends, &v);
        memcpy(msg, weak[i].point, 32);
        assert_int_equal(adit_noise_xx_read(&ends[1].xx,
                                            (struct adit_mslice){ msg, 32 },
                                            &payload),
                         ADIT_OK); /* nothing is computed with it yet */
        assert_int_equal(
            adit_noise_xx_write(&ends[1].xx, ADIT_SLICE_NONE, buf),
            ADIT_EPROTO);

        assert_int_equal(
            adit_noise_xx_write(&ends[0].xx, ADIT_SLICE_NONE, buf), ADIT_OK);
        memset(msg, 0, sizeof(msg));
        memcpy(msg, weak[i].point, 32);
        assert_int_equal(
            adit_noise_xx_read(&ends[0].xx,
                               (struct adit_mslice){ msg, sizeof(msg) },
                               &payload),
            ADIT_EPROTO);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_weak_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
