/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * svc_stop: take circuits that a relay announces, from relays that we hold
 * a reservation on.  Each becomes an inbound connection.
 */
#ifndef ADIT_HOST_SVC_STOP_H
#define ADIT_HOST_SVC_STOP_H

#include "host/host.h"

void adit_svc_stop_init(struct adit_service *v);

#endif
