/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Any bytes as each protobuf message: the first says which.  What was
 * understood, written and read again, is understood the same.
 */
#include "codec/pb.h"

#include "driver.h"

static uint8_t first[4 * ADIT_PB_IDENTIFY_MAX_BYTES];
static uint8_t second[sizeof(first)];
static struct adit_pb_arena arena;

/* Read, write, read, write: the two writings are one. */
#define TRY(what, in)                                                         \
    do {                                                                      \
        static struct adit_pb_##what m;                                       \
        size_t n1;                                                            \
        size_t n2;                                                            \
        if (adit_pb_##what##_dec(&arena, (in), &m) != ADIT_OK)                \
            break;                                                            \
        adit_assert(arena.used <= sizeof(arena.buf));                         \
        adit_assert(adit_pb_##what##_enc(                                     \
                        &m, (struct adit_mslice){ first, sizeof(first) },     \
                        &n1) == ADIT_OK);                                     \
        /* Written out in full it may be longer than we read. */              \
        if (n1 > (in).n)                                                      \
            break;                                                            \
        adit_assert(adit_pb_##what##_dec(&arena, adit_slice(first, n1),       \
                                         &m) == ADIT_OK);                     \
        adit_assert(adit_pb_##what##_enc(                                     \
                        &m, (struct adit_mslice){ second, sizeof(second) },   \
                        &n2) == ADIT_OK);                                     \
        adit_assert(                                                          \
            adit_slice_eq(adit_slice(first, n1), adit_slice(second, n2)));    \
    } while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct adit_slice in = adit_slice(p, n);

    if (n == 0)
        return 0;
    in = adit_slice_skip(in, 1);
    switch (p[0] % 8) {
    case 0:
        TRY(key, in);
        break;
    case 1:
        TRY(noise, in);
        break;
    case 2:
        TRY(identify, in);
        break;
    case 3:
        TRY(hop, in);
        break;
    case 4:
        TRY(stop, in);
        break;
    case 5:
        TRY(envelope, in);
        break;
    case 6:
        TRY(record, in);
        break;
    case 7:
        TRY(voucher, in);
        break;
    }
    return 0;
}
