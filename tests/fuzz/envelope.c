/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Any bytes as a signed record and a voucher: as they are, and as the payload
 * of an envelope that we sign, which reaches what lies behind the signature.
 */
#include "codec/record.h"

#include "driver.h"

static struct adit_pb_arena arena;
static struct adit_record record;
static uint8_t out[2 * ADIT_ENVELOPE_MAX_BYTES];

static void
try_both(struct adit_slice in)
{
    struct adit_voucher voucher;

    if (adit_record_dec(&arena, in, &record) == ADIT_OK)
        adit_assert(!adit_peerid_is_none(&record.peer) &&
                    record.n_addrs <= ADIT_PB_MAX_ADDRS);
    if (adit_voucher_dec(in, &voucher) == ADIT_OK)
        adit_assert(!adit_peerid_is_none(&voucher.relay) &&
                    !adit_peerid_is_none(&voucher.peer));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct {
        const char *domain;
        uint8_t type[2];
    } kinds[] = {
        { "libp2p-peer-record", { 3, 1 } },
        { "libp2p-relay-rsvp", { 3, 2 } },
    };
    /* The Ed25519 key of peer-ids, whose payloads lie in the corpus. */
    static const struct adit_secret seed = { {
        0x7e, 0x08, 0x30, 0x61, 0x7c, 0x4a, 0x7d, 0xe8, 0x39, 0x25, 0xdf,
        0xb2, 0x69, 0x45, 0x56, 0xb1, 0x29, 0x36, 0xc4, 0x77, 0xa0, 0xe1,
        0xfe, 0xb2, 0xe1, 0x48, 0xec, 0x9d, 0xa6, 0x0f, 0xee, 0x7d,
    } };
    struct adit_identity id;

    try_both(adit_slice(p, n));
    adit_identity_from_seed(&id, &seed);
    for (size_t i = 0; i < ADIT_NITEMS(kinds); i++) {
        size_t k;

        if (adit_envelope_enc(&id, kinds[i].domain,
                              adit_slice(kinds[i].type, 2), adit_slice(p, n),
                              (struct adit_mslice){ out, sizeof(out) },
                              &k) == ADIT_OK)
            try_both(adit_slice(out, k));
    }
    adit_identity_fini(&id);
    return 0;
}
