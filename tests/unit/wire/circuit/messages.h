/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * messages: what the tests of wire/circuit say and hear, written by hand,
 * byte for byte, rather than by the encoder under test.
 */
#ifndef ADIT_TESTS_UNIT_WIRE_CIRCUIT_MESSAGES_H
#define ADIT_TESTS_UNIT_WIRE_CIRCUIT_MESSAGES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/slice.h"
#include "codec/peerid.h"

/* 32 bytes, not a real key: nobody here verifies by it. */
#define KEY                                                                   \
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,   \
        0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,     \
        0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20

/* The peer id (an identity multihash of 38 bytes) of that Ed25519 key. */
#define PEER 0x00, 0x24, 0x08, 0x01, 0x12, 0x20, KEY

/* Each of these with its length in front. */
#define RESERVE 0x02, 0x08, 0x00
#define HOP_CONNECT 0x2c, 0x08, 0x01, 0x12, 0x28, 0x0a, 0x26, PEER
#define STOP_CONNECT 0x2c, 0x08, 0x00, 0x12, 0x28, 0x0a, 0x26, PEER
#define HOP_OK 0x04, 0x08, 0x02, 0x28, 0x64
#define STOP_OK 0x04, 0x08, 0x01, 0x20, 0x64

/* 120 s and 128 KiB, as hop carries it (field 4) and stop (field 3). */
#define LIMIT 0x06, 0x08, 0x78, 0x10, 0x80, 0x80, 0x08
#define HOP_LIMIT 0x22, LIMIT
#define STOP_LIMIT 0x1a, LIMIT

#define BYTES(...)                                                            \
    (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static const uint8_t the_peer[] = { PEER };

static inline struct adit_peerid
peer(void)
{
    struct adit_peerid id = { .n = sizeof(the_peer) };

    memcpy(id.b, the_peer, sizeof(the_peer));
    return id;
}

/* Memory without a quota, and whether all of it came back. */
static inline int
setup_mem(void **state)
{
    static struct adit_mem mem;

    adit_mem_init(&mem, NULL, SIZE_MAX);
    *state = &mem;
    return 0;
}

static inline int
teardown_mem(void **state)
{
    const struct adit_mem *mem = *state;

    return mem->used_bytes == 0 ? 0 : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_mem, teardown_mem)

#endif
