/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * info: what the host knows, as owned texts in notes for the user.
 *
 * Made on the worker, told and freed on the user's side.  Each _new answers
 * NULL where there is no memory: that note is then not given.
 */
#ifndef ADIT_EMBED_INFO_H
#define ADIT_EMBED_INFO_H

#include "embed/back.h"

/* A connection: on_conn, on_conn_end, on_limit_near, and of a stream. */
struct adit_conn_note {
    struct adit_note note;
    struct adit_conn_info info;
    adit_stream *s; /* whose connection it is */
    adit_err err;
    char text[192];
    char peer[ADIT_PEERID_TEXT_BYTES];
    char relay[ADIT_PEERID_TEXT_BYTES];
    char addr[ADIT_MADDR_TEXT_BYTES];
};
struct adit_conn_note *adit_conn_note_new(const struct adit_hconn *hc);
void adit_conn_note_free(struct adit_conn_note *c);

struct adit_left adit_left_of(const struct adit_hconn *hc);

/* on_peer. */
struct adit_identify_result;
struct adit_note *adit_peer_note_new(const struct adit_hconn *hc,
                                     const struct adit_identify_result *r);
void adit_info_on_peer(adit_node *n, struct adit_note *note);

/* on_ready. */
struct adit_note *adit_ready_note_new(struct adit_node *node,
                                      const struct adit_peerid *self);
void adit_info_on_ready(adit_node *n, struct adit_note *note);

/* on_reserved, on_reservation_lost. */
struct adit_note *adit_reserved_note_new(const struct adit_reserve *r,
                                         const struct adit_peerid *self,
                                         bool renewed);
void adit_info_on_reserved(adit_node *n, struct adit_note *note);
struct adit_note *adit_lost_note_new(const struct adit_peerid *relay,
                                     adit_err why, uint32_t status,
                                     const char *text, int64_t retry_us);
void adit_info_on_lost(adit_node *n, struct adit_note *note);

void adit_info_on_conn(adit_node *n, struct adit_note *note);
void adit_info_on_conn_end(adit_node *n, struct adit_note *note);
void adit_info_on_limit_near(adit_node *n, struct adit_note *note);

#endif
