/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * svc_ping: answer pings on every connection, and ask them.
 *
 * js ends a connection whose pings fail, so the service is on limited ones
 * too.  A stream that is silent for a minute is reset.
 */
#ifndef ADIT_HOST_SVC_PING_H
#define ADIT_HOST_SVC_PING_H

#include "host/host.h"

/* The service; storage is the caller's, for _serve. */
void adit_svc_ping_init(struct adit_service *v);

struct adit_pinging;

/*
 * Ask `n` pings, one after the other, `gap_us` apart.  `on_pong` is told
 * each round trip, and at the end ADIT_DONE, or why it broke off; nothing
 * after that.
 */
ADIT_MUST_USE adit_err adit_svc_ping_ask(struct adit_hconn *hc, unsigned n,
                                         int64_t gap_us,
                                         void (*on_pong)(void *ctx, adit_err e,
                                                         int64_t rtt_us),
                                         void *ctx, struct adit_pinging **out);

/* Before its end: no further call. */
void adit_svc_ping_cancel(struct adit_pinging *p);

#endif
