/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * svc_identify: say who we are, hear who they are, and push what changed.
 *
 * One message with everything in it, never above what rust reads; a push is
 * a complete snapshot, since go replaces what it knew.
 */
#ifndef ADIT_HOST_SVC_IDENTIFY_H
#define ADIT_HOST_SVC_IDENTIFY_H

#include "host/host.h"
#include "wire/identify/identify.h"

/* Two services, identify and push; storage is the caller's. */
void adit_svc_identify_init(struct adit_service *id,
                            struct adit_service *push);

/* Ask the peer who it is; the host's watchers hear it. */
void adit_svc_identify_ask(struct adit_hconn *hc);

/* Addresses or services changed: push, once, at the end of the turn. */
void adit_svc_identify_changed(struct adit_host *h);

#endif
