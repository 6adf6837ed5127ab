/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Vectors of the transport frames are in xx.c: they need its keys. */
#include "common.h"

#include "wire/noise/cipher.h"

static struct adit_mem mem;
static struct adit_aead *aead;

static int
setup(void **state)
{
    (void)state;
    adit_mem_init(&mem, NULL, SIZE_MAX);
    return adit_aead_new(&mem, &aead) == ADIT_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    adit_aead_free(aead);
    return mem.used_bytes == 0 ? 0 : -1;
}

static struct adit_noise_key
key(uint8_t first)
{
    return (struct adit_noise_key){ .k.b = { first, 7 } };
}

static const size_t sizes[] = { 0,  1,    15,   16,    17,    63,   64,
                                65, 1400, 4096, 16384, 65518, 65519 };

/* In blocks exactly as long as they must be, so that no byte too many goes. */
static void
test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ADIT_NITEMS(sizes); i++) {
        size_t n = sizes[i];
        struct adit_noise_key tx = key(1), rx = key(1);
        uint8_t *plain = test_malloc(n + 1);
        uint8_t *frame = test_malloc(n + ADIT_NOISE_OVERHEAD);

        for (size_t j = 0; j < n; j++)
            plain[j] = (uint8_t)(j * 31 + (j >> 8));
        assert_int_equal(
            adit_noise_seal(aead, &tx, adit_slice(plain, n), frame), ADIT_OK);
        assert_int_equal(adit_get_be16(frame), n + ADIT_NOISE_TAG_BYTES);
        if (n > 16)
            assert_memory_not_equal(frame + 2, plain, n);
        assert_int_equal(
            adit_noise_open(
                aead, &rx,
                (struct adit_mslice){ frame + 2, n + ADIT_NOISE_TAG_BYTES }),
            ADIT_OK);
        assert_memory_equal(frame + 2, plain, n);
        assert_int_equal(tx.nonce, 1);
        assert_int_equal(rx.nonce, 1);
        test_free(plain);
        test_free(frame);
    }
    /* No plaintext may come from nowhere. */
    {
        struct adit_noise_key tx = key(1);
        uint8_t frame[ADIT_NOISE_OVERHEAD];

        assert_int_equal(adit_noise_seal(aead, &tx, ADIT_SLICE_NONE, frame),
                         ADIT_OK);
    }
}

/*
 * Many connections share the contexts: whichever key was used last, each
 * frame is under its own.
 */
static void
test_interleaved(void **state)
{
    struct adit_noise_key tx[3], rx[3];
    struct counter c = { 0 };
    uint8_t frame[32 + ADIT_NOISE_OVERHEAD];

    (void)state;
    for (uint8_t i = 0; i < 3; i++)
        tx[i] = rx[i] = key(i);
    for (int i = 0; i < 1000; i++) {
        uint8_t plain[32];
        uint8_t pick[2];
        size_t who, wrong;
        struct adit_mslice body = { frame + 2, sizeof(frame) - 2 };

        counter_fill(&c, pick, sizeof(pick));
        counter_fill(&c, plain, sizeof(plain));
        who = pick[0] % 3;
        wrong = (who + 1 + pick[1] % 2) % 3;
        assert_int_equal(adit_noise_seal(aead, &tx[who],
                                         adit_slice(plain, sizeof(plain)),
                                         frame),
                         ADIT_OK);
        if (pick[1] % 3 == 0) {
            /* Another's frame is refused, and harms nobody. */
            uint8_t copy[sizeof(frame)];
            struct adit_noise_key before = rx[wrong];

            memcpy(copy, frame, sizeof(frame));
            assert_int_equal(
                adit_noise_open(aead, &rx[wrong],
                                (struct adit_mslice){ copy + 2, body.n }),
                ADIT_EPROTO);
            assert_memory_equal(&rx[wrong], &before, sizeof(before));
        }
        assert_int_equal(adit_noise_open(aead, &rx[who], body), ADIT_OK);
        assert_memory_equal(body.p, plain, sizeof(plain));
    }
}

/* One key struct is reused for another connection at the same address. */
static void
test_same_place(void **state)
{
    struct adit_noise_key k = key(1), rx;
    uint8_t frame[1 + ADIT_NOISE_OVERHEAD];
    struct adit_mslice body = { frame + 2, sizeof(frame) - 2 };

    (void)state;
    assert_int_equal(adit_noise_seal(aead, &k, adit_slice_str("a"), frame),
                     ADIT_OK);
    adit_noise_key_fini(&k);
    assert_int_equal(k.nonce, 0);
    k = key(2);
    assert_int_equal(adit_noise_seal(aead, &k, adit_slice_str("a"), frame),
                     ADIT_OK);
    rx = key(2);
    assert_int_equal(adit_noise_open(aead, &rx, body), ADIT_OK);
}

static void
test_forged(void **state)
{
    uint8_t frame[100 + ADIT_NOISE_OVERHEAD];
    uint8_t plain[100] = { 1, 2, 3 };
    struct adit_noise_key tx = key(9);

    (void)state;
    assert_int_equal(
        adit_noise_seal(aead, &tx, adit_slice(plain, sizeof(plain)), frame),
        ADIT_OK);
    for (size_t i = 2; i < sizeof(frame); i++) {
        struct adit_noise_key rx = key(9);
        uint8_t copy[sizeof(frame)];

        memcpy(copy, frame, sizeof(frame));
        copy[i] ^= 0x80;
        assert_int_equal(adit_noise_open(aead, &rx,
                                         (struct adit_mslice){
                                             copy + 2, sizeof(frame) - 2 }),
                         ADIT_EPROTO);
        assert_int_equal(rx.nonce, 0);
    }
    for (size_t n = 0; n < sizeof(frame) - 2; n++) {
        struct adit_noise_key rx = key(9);
        uint8_t *p = exact(adit_slice(frame + 2, n));

        assert_int_equal(
            adit_noise_open(aead, &rx, (struct adit_mslice){ p, n }),
            ADIT_EPROTO);
        test_free(p);
    }
}

static void
test_replayed(void **state)
{
    struct adit_noise_key tx = key(3), rx = key(3);
    uint8_t frame[2][3 + ADIT_NOISE_OVERHEAD], copy[sizeof(frame[0])];
    struct adit_mslice body = { copy + 2, sizeof(copy) - 2 };

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            adit_noise_seal(aead, &tx, adit_slice_str("abc"), frame[i]),
            ADIT_OK);
    memcpy(copy, frame[1], sizeof(copy)); /* out of order */
    assert_int_equal(adit_noise_open(aead, &rx, body), ADIT_EPROTO);
    memcpy(copy, frame[0], sizeof(copy));
    assert_int_equal(adit_noise_open(aead, &rx, body), ADIT_OK);
    memcpy(copy, frame[0], sizeof(copy)); /* again */
    assert_int_equal(adit_noise_open(aead, &rx, body), ADIT_EPROTO);
}

/* The nonce is 64 bits long, and the last one is not used. */
static void
test_nonces(void **state)
{
    static const uint64_t at[] = { 0xff, 0x100, 0xffffffff, 0x100000000,
                                   UINT64_MAX - 1 };
    uint8_t first[3 + ADIT_NOISE_OVERHEAD], frame[sizeof(first)];
    struct adit_mslice body = { frame + 2, sizeof(frame) - 2 };
    struct adit_noise_key k = key(4);

    (void)state;
    assert_int_equal(adit_noise_seal(aead, &k, adit_slice_str("abc"), first),
                     ADIT_OK);
    for (size_t i = 0; i < ADIT_NITEMS(at); i++) {
        struct adit_noise_key tx = key(4), rx = key(4);

        tx.nonce = rx.nonce = at[i];
        assert_int_equal(
            adit_noise_seal(aead, &tx, adit_slice_str("abc"), frame), ADIT_OK);
        assert_memory_not_equal(frame, first, sizeof(frame));
        assert_int_equal(adit_noise_open(aead, &rx, body), ADIT_OK);
    }
    k.nonce = UINT64_MAX;
    memset(frame, 0x5a, sizeof(frame));
    memcpy(first, frame, sizeof(frame));
    assert_int_equal(adit_noise_seal(aead, &k, adit_slice_str("abc"), frame),
                     ADIT_ELIMIT);
    assert_memory_equal(frame, first, sizeof(frame));
    assert_int_equal(adit_noise_open(aead, &k, body), ADIT_EPROTO);
}

static void
test_oom(void **state)
{
    struct adit_mem m;
    struct adit_aead *a = (void *)state;

    adit_mem_init(&m, NULL, SIZE_MAX);
    m.fail_at = 1;
    assert_int_equal(adit_aead_new(&m, &a), ADIT_ENOMEM);
    assert_ptr_equal(a, state); /* untouched */
    assert_int_equal(m.used_bytes, 0);
    adit_aead_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_same_place), cmocka_unit_test(test_forged),
        cmocka_unit_test(test_replayed),   cmocka_unit_test(test_nonces),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
