/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/upgrade.h"

#include "wire/mss/mss.h"

enum stage { SECURITY, NOISE, MUXER, MUXED };

static const char *const security_names[] = { "/noise" };
static const char *const muxer_names[] = { "/yamux/1.0.0" };

struct adit_upgrade {
    struct adit_net *net;
    bool is_dialer;
    bool gave_result;
    enum stage stage;
    struct adit_noise *noise; /* kept to the end, for _export */
    const char *why;
    struct adit_mss mss;
};

adit_err
adit_upgrade_new(struct adit_net *net, bool is_dialer,
                 const struct adit_peerid *expect, struct adit_upgrade **out)
{
    struct adit_mem *mem = adit_worker_mem(net->w);
    struct adit_noise_config cfg = {
        .role = is_dialer ? ADIT_NOISE_INITIATOR : ADIT_NOISE_RESPONDER,
        .statik = &net->statik,
        .expect = *expect,
    };
    struct adit_upgrade *u = ADIT_NEW(mem, struct adit_upgrade);
    adit_err e;

    if (u == NULL)
        return ADIT_ENOMEM;
    u->net = net;
    u->is_dialer = is_dialer;
    e = adit_noise_new(mem, &cfg, adit_worker_rng(net->w), &u->noise);
    if (e != ADIT_OK) {
        ADIT_FREE(mem, u);
        return e;
    }
    if (is_dialer)
        adit_mss_init_dialer(&u->mss, security_names,
                             ADIT_NITEMS(security_names));
    else
        adit_mss_init_listener(&u->mss);
    *out = u;
    return ADIT_OK;
}

void
adit_upgrade_free(struct adit_upgrade *u)
{
    struct adit_mem *mem;

    if (u == NULL)
        return;
    mem = adit_worker_mem(u->net->w);
    adit_noise_free(u->noise);
    adit_wipe(u, sizeof(*u) - sizeof(u->mss));
    ADIT_FREE(mem, u);
}

/* Both negotiations: one name each, taken or not. */
static adit_err
feed_mss(struct adit_upgrade *u, struct adit_slice in, size_t *used)
{
    const char *want =
        u->stage == SECURITY ? security_names[0] : muxer_names[0];
    struct adit_mss_event ev;
    adit_err e = adit_mss_feed(&u->mss, in, used);

    if (e != ADIT_OK) {
        u->why = adit_mss_why(&u->mss);
        return e;
    }
    while (adit_mss_next(&u->mss, &ev) == ADIT_OK) {
        switch (ev.type) {
        case ADIT_MSS_PROPOSED:
            if (adit_slice_eq(ev.name, adit_slice_str(want)))
                adit_mss_accept(&u->mss);
            else
                adit_mss_refuse(&u->mss);
            break;
        case ADIT_MSS_AGREED:
            u->stage = u->stage == SECURITY ? NOISE : MUXED;
            break;
        case ADIT_MSS_NONE:
            u->why = u->stage == SECURITY ? "the peer does not speak /noise"
                                          : "the peer does not speak yamux";
            return ADIT_EUNSUPPORTED;
        }
    }
    return ADIT_OK;
}

static adit_err
feed_noise(struct adit_upgrade *u, struct adit_slice in, size_t *used)
{
    adit_err e = adit_noise_feed(u->noise, in, used);

    if (e != ADIT_OK)
        u->why = adit_noise_why(u->noise);
    return e;
}

adit_err
adit_upgrade_feed(struct adit_upgrade *u, struct adit_slice in, size_t *used)
{
    *used = 0;
    switch (u->stage) {
    case SECURITY:
    case MUXER:
        return feed_mss(u, in, used);
    case NOISE:
        return feed_noise(u, in, used);
    case MUXED:
        return ADIT_OK;
    }
    return ADIT_ESTATE;
}

/*
 * The multistream bytes first; behind the dialer's proposal the first Noise
 * message may leave before the answer is here, since it is the only one we
 * propose.
 */
struct adit_slice
adit_upgrade_out(struct adit_upgrade *u)
{
    struct adit_slice s = adit_mss_out(&u->mss);

    if (s.n > 0)
        return s;
    if (u->stage == NOISE || (u->stage == SECURITY && u->is_dialer))
        return adit_noise_out(u->noise);
    return ADIT_SLICE_NONE;
}

void
adit_upgrade_sent(struct adit_upgrade *u, size_t n)
{
    if (adit_mss_out(&u->mss).n > 0)
        adit_mss_sent(&u->mss, n);
    else
        adit_noise_sent(u->noise, n);
}

adit_err
adit_upgrade_secured(struct adit_upgrade *u, struct adit_noise_result *r)
{
    adit_err e;

    if (u->gave_result || u->stage != NOISE || adit_mss_out(&u->mss).n > 0)
        return ADIT_AGAIN;
    e = adit_noise_next(u->noise, r);
    if (e != ADIT_OK)
        return e;
    u->gave_result = true;
    if (r->muxer >= 0) {
        u->stage = MUXED;
        return ADIT_OK;
    }
    u->stage = MUXER;
    if (u->is_dialer)
        adit_mss_init_dialer(&u->mss, muxer_names, ADIT_NITEMS(muxer_names));
    else
        adit_mss_init_listener(&u->mss);
    return ADIT_OK;
}

bool
adit_upgrade_may_mux(const struct adit_upgrade *u)
{
    return (u->stage == MUXED || (u->stage == MUXER && u->is_dialer)) &&
           adit_mss_out(&u->mss).n == 0;
}

bool
adit_upgrade_is_done(const struct adit_upgrade *u)
{
    return u->stage == MUXED && adit_mss_out(&u->mss).n == 0;
}

adit_err
adit_upgrade_export(const struct adit_upgrade *u, const char *label,
                    struct adit_secret *out)
{
    return adit_noise_export(u->noise, label, out);
}

const char *
adit_upgrade_why(const struct adit_upgrade *u)
{
    return u->why;
}
