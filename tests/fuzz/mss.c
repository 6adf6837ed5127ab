/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * multistream-select: byte 0 names the role, then turns of one byte: how many
 * bytes are fed, and whether the wire takes what waits.
 */
#include "script.h"

#include "wire/mss/mss.h"

static const char *const names[] = { "/noise", "/tls/1.0.0", "/yamux/1.0.0" };

static void
events(struct adit_mss *m, bool serve_all, bool *is_over)
{
    struct adit_mss_event ev;

    while (adit_mss_next(m, &ev) == ADIT_OK) {
        switch (ev.type) {
        case ADIT_MSS_PROPOSED:
            FUZZ_HOLDS(m->role == ADIT_MSS_LISTENER && !*is_over);
            FUZZ_HOLDS(ev.name.n < ADIT_MSS_MAX_TOKEN_BYTES);
            if (serve_all || adit_slice_eq(ev.name, adit_slice_str(names[0])))
                adit_mss_accept(m);
            else
                adit_mss_refuse(m);
            break;
        case ADIT_MSS_AGREED:
            FUZZ_HOLDS(m->role == ADIT_MSS_LISTENER ||
                       ev.index < ADIT_NITEMS(names));
            *is_over = true;
            break;
        case ADIT_MSS_NONE:
            FUZZ_HOLDS(m->role == ADIT_MSS_DIALER);
            *is_over = true;
            break;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = { { data, size } };
    uint8_t how = script_u8(&s);
    struct adit_mss m;
    adit_err e = ADIT_OK;
    bool is_over = false;

    if (how & 1)
        adit_mss_init_dialer(&m, names, ADIT_NITEMS(names));
    else
        adit_mss_init_listener(&m);
    while (s.left.n > 0 && e == ADIT_OK) {
        uint8_t turn = script_u8(&s);
        struct adit_mslice in = script_bytes(&s, turn >> 1);
        size_t used = SIZE_MAX;

        if (turn & 1)
            adit_mss_sent(&m, adit_mss_out(&m).n);
        e = adit_mss_feed(&m, script_const(in), &used);
        if (e == ADIT_OK) {
            FUZZ_HOLDS(used <= in.n);
            FUZZ_HOLDS(!is_over || used == 0);
            events(&m, (how & 2) != 0, &is_over);
            FUZZ_HOLDS(adit_mss_why(&m) == NULL);
        } else {
            FUZZ_HOLDS(e == ADIT_EPROTO && used == SIZE_MAX);
            FUZZ_HOLDS(adit_mss_why(&m) != NULL);
            FUZZ_HOLDS(adit_mss_out(&m).n == 0);
        }
        free(in.p);
    }
    return 0;
}
