/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * frame: what the two halves of yamux share: the frame's numbers, the
 * machine's flags, and what changes a stream from both sides.
 */
#ifndef ADIT_WIRE_YAMUX_FRAME_H
#define ADIT_WIRE_YAMUX_FRAME_H

#include "wire/yamux/yamux.h"

enum frame_type {
    FRAME_DATA = 0,
    FRAME_WINDOW = 1,
    FRAME_PING = 2,
    FRAME_GOAWAY = 3,
};

/* Flags of a frame, and of a stream that owes one: the same bits. */
#define F_SYN 0x1u
#define F_ACK 0x2u
#define F_FIN 0x4u
#define F_RST 0x8u
#define F_GRANT 0x10u /* owes a window update */
#define F_OWES (F_SYN | F_ACK | F_FIN | F_RST | F_GRANT)

/* Flags of a stream. */
#define S_FIN_OURS 0x20u  /* we send no more */
#define S_FIN_PEER 0x40u  /* the peer sends no more */
#define S_DEAD 0x80u      /* reset, by either */
#define S_RELEASED 0x100u /* nobody knows it but _out */
#define S_STARVED 0x200u  /* _send was cut short by the window */

/* Flags of a session. */
#define Y_IS_CLIENT 0x1u
#define Y_DROP 0x2u       /* the rest of this body is for nobody */
#define Y_BODY_FIN 0x4u   /* this body ends its stream */
#define Y_PING 0x8u       /* a ping waits for _out */
#define Y_PING_SENT 0x10u /* ... or is on its way */
#define Y_GOAWAY 0x20u    /* ours waits for _out */
#define Y_LEAVING 0x40u   /* we have asked for, or sent, a GoAway */
#define Y_PEER_LEAVING 0x80u

/* NULL: no such stream. */
struct adit_yamux_stream *adit_yamux_find(const struct adit_yamux *y,
                                          uint32_t id);

/* A new stream in the table.  NULL: no memory. */
struct adit_yamux_stream *adit_yamux_add(struct adit_yamux *y, uint32_t id);

/* It owes a frame with `f`. */
void adit_yamux_owe(struct adit_yamux *y, struct adit_yamux_stream *s,
                    unsigned f);

/* It no longer owes any of `f`. */
void adit_yamux_forgive(struct adit_yamux_stream *s, unsigned f);

#endif
