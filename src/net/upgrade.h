/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * upgrade: from a bare byte stream to a secured, multiplexed one:
 * multistream-select for /noise, Noise, and unless the muxer was agreed in
 * the handshake, multistream-select for /yamux/1.0.0 inside.
 *
 * Bytes in, bytes out, no I/O.  Stages up to Noise are in the clear, the
 * last is plaintext of Noise frames: the connection does the framing, and
 * must have sent all of _out before it asks for _secured.  As dialer each
 * stage's first bytes leave without waiting for the listener's answer.
 * Deadline: the connection's.
 */
#ifndef ADIT_NET_UPGRADE_H
#define ADIT_NET_UPGRADE_H

#include "net/net.h"

struct adit_upgrade;

/* `expect` may be no peer: whoever it is.  ADIT_ENOMEM. */
ADIT_MUST_USE adit_err adit_upgrade_new(struct adit_net *net, bool is_dialer,
                                        const struct adit_peerid *expect,
                                        struct adit_upgrade **out);
void adit_upgrade_free(struct adit_upgrade *u);

/*
 * Take what belongs to this stage.  Call until *used is 0, asking _secured
 * and _is_done after each call: what is left is the next stage's, and may
 * have to be decrypted first.
 *
 *   ADIT_EPROTO ADIT_EAUTH ADIT_EUNSUPPORTED  over; _why says how
 */
ADIT_MUST_USE adit_err adit_upgrade_feed(struct adit_upgrade *u,
                                         struct adit_slice in, size_t *used);

/* What waits to be sent at this stage; borrowed until the next call. */
struct adit_slice adit_upgrade_out(struct adit_upgrade *u);
void adit_upgrade_sent(struct adit_upgrade *u, size_t n);

/*
 * ADIT_OK, once: Noise is complete, *r has its keys, and both what is fed
 * and what _out gives are plaintext from now on.  ADIT_AGAIN otherwise.
 */
ADIT_MUST_USE adit_err adit_upgrade_secured(struct adit_upgrade *u,
                                            struct adit_noise_result *r);

/* Yamux may begin: agreed, or (as dialer) proposed and not yet refused. */
bool adit_upgrade_may_mux(const struct adit_upgrade *u);

/* Nothing more to negotiate; bytes fed from here on are Yamux's. */
bool adit_upgrade_is_done(const struct adit_upgrade *u);

/* 32 bytes shared by both ends; see adit_noise_export. */
ADIT_MUST_USE adit_err adit_upgrade_export(const struct adit_upgrade *u,
                                           const char *label,
                                           struct adit_secret *out);

const char *adit_upgrade_why(const struct adit_upgrade *u);

#endif
