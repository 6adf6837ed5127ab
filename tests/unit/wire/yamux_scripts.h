/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Scripts for yamux: what a peer sends, what comes of it, what leaves.
 *
 * Included once, by yamux.c, which runs them.  A script is lines of
 *
 *   < HEX +N   the peer sends these bytes, then N bytes of body
 *   = EVENTS   just these have come since the last such line
 *   > HEX      just this leaves
 *   ! TEXT     the session has failed, and says TEXT; its GoAway leaves
 *   open|fin|release|reset|send|consume ID [N]
 *   ping|goaway N|tick SECONDS
 *
 * Every script is run with its input cut into pieces of each size from 1 to
 * 40 bytes, and whole (chop); and each "<" line's prefixes are fed to a copy
 * that must neither fail early nor invent anything (truncate).
 */
#ifndef ADIT_TESTS_UNIT_WIRE_YAMUX_SCRIPTS_H
#define ADIT_TESTS_UNIT_WIRE_YAMUX_SCRIPTS_H

enum { SERVER, CLIENT };

static const struct {
    const char *why;
    int role;
    const char *script;
} cases[] = {
    /* ---- how the others speak ---- */
    { "go opens, sends, half-closes; we answer and close", SERVER,
      "< 00 02 0001 00000000 00000000\n" /* its first ping measures */
      "> 00 02 0002 00000000 00000000\n"
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n"
      "> \n" /* no frame for the ACK alone */
      "< 00 00 0000 00000001 00000014 +20\n"
      "= data 1 20\n"
      "send 1 5\n"
      "> 00 00 0002 00000001 00000005\n"
      "< 00 01 0004 00000001 00000000\n"
      "= fin 1\n"
      "fin 1\n"
      "> 00 01 0004 00000001 00000000\n"
      "release 1\n"
      "> \n" },
    { "go resets with a code in the length", SERVER,
      "< 00 01 0001 00000003 00000000\n"
      "= open 3\n"
      "< 00 01 0008 00000003 00001002\n"
      "= reset 3 0x1002\n"
      "> \n"
      "release 3\n"
      "> \n" },
    { "rust opens with data, acknowledges on its first answer", SERVER,
      "< 00 00 0001 00000001 00000014 +20\n"
      "= open 1; data 1 20\n"
      "send 1 7\n" /* ours is lazy too, when the answer is quick */
      "> 00 00 0002 00000001 00000007\n"
      "< 00 00 0004 00000001 00000000\n"
      "= fin 1\n"
      "fin 1\n"
      "release 1\n"
      "> 00 01 0004 00000001 00000000\n" },
    { "rust accepts late: ACK on data, or on FIN", CLIENT,
      "open\nopen\n"
      "send 1 3\n"
      "> 00 00 0001 00000001 00000003  00 01 0001 00000003 00000000\n"
      "send 3 300000\n" /* 256 KiB in frames, before any ACK */
      "> 00 00 0000 00000003 0000ffe3  00 00 0000 00000003 0000ffe3"
      "  00 00 0000 00000003 0000ffe3  00 00 0000 00000003 0000ffe3"
      "  00 00 0000 00000003 00000074\n"
      "< 00 00 0002 00000001 00000002 +2\n"
      "= data 1 2\n"
      "< 00 00 0006 00000003 00000000\n"
      "= fin 3\n"
      "< 00 00 0008 00000001 00000000\n"
      "= reset 1 0\n" },
    { "rust opens, writes and closes in one frame", SERVER,
      "< 00 00 0005 00000001 00000002 +2\n"
      "= open 1; data 1 2; fin 1\n" },
    { "js grants after every frame", CLIENT,
      "open\n"
      "send 1 262144\n"
      "> 00 00 0001 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 00000074\n"
      "send 1 1\n" /* nothing goes */
      "> \n"
      "< 00 01 0002 00000001 00000000\n"
      "= \n"
      "< 00 01 0000 00000001 0000ffe3\n"
      "= window 1\n"
      "< 00 01 0000 00000001 0000ffe3\n"
      "= \n"
      "send 1 200000\n"
      "> 00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3\n"
      "< 00 01 0000 00000001 0000ffe3  00 01 0000 00000001 0000ffe3\n"
      "= window 1\n" },
    { "js sends one frame as large as the window", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "< 00 00 0000 00000001 00040000 +262144\n"
      "= open 1; data 1 262144\n" },
    { "nim opens with more credit at once, and half-closes by data", SERVER,
      "< 00 01 0001 00000001 00040000\n"
      "= open 1\n"
      "send 1 524289\n" /* 512 KiB, not one more */
      "> 00 00 0002 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 000000e8\n"
      "< 00 00 0004 00000001 00000000\n"
      "= fin 1\n"
      "< 00 00 0004 00000001 00000000\n" /* twice is nothing */
      "= \n" },

    /* ---- opening ---- */
    { "we open: SYN by itself, or on the first data", CLIENT,
      "open\n"
      "> 00 01 0001 00000001 00000000\n"
      "open\n"
      "send 3 20\n"
      "> 00 00 0001 00000003 00000014\n"
      "> \n" },
    { "the server's ids are even", SERVER,
      "open\nopen\n"
      "> 00 01 0001 00000002 00000000  00 01 0001 00000004 00000000\n" },
    { "ids need not come in order", SERVER,
      "< 00 01 0001 00000005 00000000  00 01 0001 00000001 00000000\n"
      "= open 5; open 1\n" },
    { "opened and shut in one frame of ours", CLIENT,
      "open\nfin 1\n"
      "> 00 01 0005 00000001 00000000\n" },
    { "one that never left needs no reset", CLIENT,
      "open\nrelease 1\n"
      "> \n"
      "open\n"
      "> 00 01 0001 00000003 00000000\n" },
    { "opened and reset in one frame never was", SERVER,
      "< 00 01 0009 00000001 00000000\n"
      "= \n"
      "> \n"
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n" },
    { "an excess stream is reset, its data dropped; no object is made", SERVER,
      "< 00 01 0001 00000001 00000000  00 01 0001 00000003 00000000"
      "  00 01 0001 00000005 00000000\n"
      "= open 1; open 3; open 5\n"
      "> \n"
      "< 00 00 0001 00000007 00000005 +5\n"
      "= \n"
      "> 00 01 0008 00000007 00001002\n"
      "< 00 00 0000 00000007 00000010 +16\n"
      "= \n"
      "> \n"
      "release 1\n"
      "< 00 01 0001 00000009 00000000\n" /* 1 is there until it is sent */
      "= \n"
      "> 00 01 0008 00000009 00001002  00 01 0008 00000001 00000000\n"
      "< 00 01 0001 0000000b 00000000\n"
      "= open 11\n" },
    { "after our GoAway new streams are reset, old ones go on", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n"
      "goaway 0\n"
      "> 00 03 0000 00000000 00000000\n"
      "goaway 1\n"
      "> \n"
      "< 00 01 0001 00000003 00000000\n"
      "= \n"
      "> 00 01 0008 00000003 00001007\n"
      "< 00 00 0000 00000001 00000003 +3\n"
      "= data 1 3\n"
      "send 1 3\n"
      "> 00 00 0002 00000001 00000003\n" },

    /* ---- credit ---- */
    { "half consumed is granted, less is not", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "> \n"
      "< 00 00 0000 00000001 00040000 +262144\n"
      "= open 1; data 1 262144\n"
      "consume 1 131071\n"
      "> \n"
      "consume 1 1\n"
      "> 00 01 0002 00000001 00020000\n"
      "consume 1 131072\n"
      "> 00 01 0000 00000001 00020000\n" },
    { "one byte over the window", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "< 00 00 0000 00000001 00040001\n"
      "= open 1\n"
      "! more data than the window allows\n" },
    { "one byte over, in the frame that opens", SERVER,
      "< 00 00 0001 00000001 00040001\n"
      "! more data than the window allows\n" },
    { "what is consumed but not yet granted does not count", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "> \n"
      "< 00 00 0000 00000001 00040000 +262144\n"
      "= open 1; data 1 262144\n"
      "consume 1 262144\n"
      "< 00 00 0000 00000001 00000001\n"
      "! more data than the window allows\n" },
    { "credit up to 2^32 - 1", CLIENT,
      "open\n"
      "> 00 01 0001 00000001 00000000\n"
      "< 00 01 0000 00000001 fffbffff\n"
      "= \n"
      "< 00 01 0000 00000001 00000001\n"
      "! credit beyond 2^32 - 1\n" },
    { "FIN by window update carries its delta", CLIENT,
      "open\n"
      "send 1 262145\n"
      "> 00 00 0001 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 0000ffe3  00 00 0000 00000001 0000ffe3"
      "  00 00 0000 00000001 00000074\n"
      "< 00 01 0004 00000001 00000002\n"
      "= window 1; fin 1\n"
      "send 1 9\n"
      "> 00 00 0000 00000001 00000002\n" },
    { "credit and FIN of ours go in two frames", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "> \n"
      "< 00 00 0000 00000001 00020000 +131072\n"
      "= open 1; data 1 131072\n"
      "fin 1\n"
      "consume 1 131072\n"
      "> 00 01 0002 00000001 00020000  00 01 0004 00000001 00000000\n" },
    { "who has sent FIN gets no more credit", SERVER,
      "< 00 00 0005 00000001 00040000 +262144\n"
      "= open 1; data 1 262144; fin 1\n"
      "consume 1 262144\n"
      "> \n"
      "fin 1\n"
      "> 00 01 0006 00000001 00000000\n" },

    /* ---- ends ---- */
    { "half-closed by us: the peer goes on, with credit", CLIENT,
      "open\nfin 1\n"
      "> 00 01 0005 00000001 00000000\n"
      "send 1 10\n"
      "> \n"
      "< 00 00 0002 00000001 00020000 +131072\n"
      "= data 1 131072\n"
      "consume 1 131072\n"
      "> 00 01 0000 00000001 00020000\n"
      "< 00 01 0004 00000001 00000000\n"
      "= fin 1\n"
      "release 1\n"
      "> \n" },
    { "data after FIN ends that stream only", SERVER,
      "< 00 00 0005 00000001 00000001 +1\n"
      "= open 1; data 1 1; fin 1\n"
      "> \n"
      "< 00 00 0000 00000001 00000002 +2\n"
      "= reset 1 0x1004\n"
      "> 00 01 0008 00000001 00001004\n"
      "< 00 01 0001 00000003 00000000\n"
      "= open 3\n" },
    { "after our reset, late frames are nobody's", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n"
      "reset 1 4096\n"
      "> 00 01 0008 00000001 00001000\n"
      "< 00 00 0000 00000001 00100000 +300000\n" /* beyond any window */
      "= \n"
      "< +748576\n"
      "< 00 01 0000 00000001 ffffffff  00 01 0000 00000001 ffffffff\n"
      "< 00 00 0004 00000001 00000000  00 00 0008 00000001 00000000\n"
      "= \n"
      "release 1\n"
      "< 00 00 0000 00000001 00000002 +2\n"
      "< 00 01 0000 00000001 ffffffff\n"
      "< 00 01 0008 00000001 00000000\n"
      "= \n"
      "> \n" },
    { "released while the peer still sends: reset", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n"
      "release 1\n"
      "< 00 00 0000 00000001 00000003 +3\n" /* before our reset left */
      "= \n"
      "> 00 01 0008 00000001 00000000\n"
      "< 00 00 0000 00000001 00000003 +3\n"
      "= \n" },
    { "a reset from the peer wins over what we still owed", SERVER,
      "< 00 01 0001 00000001 00000000  00 01 0008 00000001 00000007\n"
      "= open 1; reset 1 0x7\n"
      "> \n"
      "reset 1 9\n"
      "> \n" },
    { "a reset data frame may have a body; it is dropped", SERVER,
      "< 00 00 0001 00000001 00000003 +3\n"
      "= open 1; data 1 3\n"
      "< 00 00 0008 00000001 00000003 +3\n"
      "= reset 1 0\n"
      "< 00 01 0001 00000003 00000000\n"
      "= open 3\n" },
    { "over both ways: a reset says nothing", CLIENT,
      "open\nfin 1\n"
      "> 00 01 0005 00000001 00000000\n"
      "< 00 01 0006 00000001 00000000\n"
      "= fin 1\n"
      "reset 1 5\n"
      "> \n" },

    /* ---- what we do not know ---- */
    { "unknown streams are ignored", SERVER,
      "< 00 00 0000 00000009 00000003 +3  00 01 0000 00000009 00000001\n"
      "< 00 00 0004 00000002 00000003 +3  00 01 0008 00000002 00000001\n"
      "= \n"
      "> \n" },
    { "stream 0 is no stream", SERVER,
      "< 00 00 0000 00000000 00000003\n"
      "! data or window of stream 0\n" },
    { "nor with SYN", CLIENT,
      "< 00 01 0001 00000000 00000000\n"
      "! data or window of stream 0\n" },
    { "opened twice", SERVER,
      "< 00 01 0001 00000001 00000000\n"
      "= open 1\n"
      "< 00 00 0001 00000001 00000000\n"
      "! a stream was opened twice\n" },
    { "an id of ours, by the client", SERVER,
      "< 00 01 0001 00000002 00000000\n"
      "! a stream with an id of ours\n" },
    { "an id of ours, by the server", CLIENT,
      "< 00 00 0001 00000001 00000000\n"
      "! a stream with an id of ours\n" },
    { "unknown version", SERVER,
      "< 01 00 0000 00000001 00000000\n"
      "! unknown version\n" },
    { "unknown type", SERVER,
      "< 00 04 0000 00000001 00000000\n"
      "! unknown frame type\n" },
    { "unknown flags are ignored", SERVER,
      "< 00 01 fff1 00000001 00000000\n"
      "= open 1\n" },
    { "a failure silences all else that waited", SERVER,
      "< 00 02 0001 00000000 00000007  00 01 0001 00000001 00000000\n"
      "ping\n"
      "< 00 09 0000 00000000 00000000\n"
      "= open 1\n"
      "! unknown frame type\n"
      "ping\ngoaway 0\nfin 1\nsend 1 3\nreset 1 2\nrelease 1\n"
      "> \n" },

    /* ---- the session ---- */
    { "pings are echoed, each once, in order", SERVER,
      "< 00 02 0001 00000000 11223344  00 02 0001 00000000 55667788"
      "  00 02 0001 00000000 99aabbcc\n"
      "= \n"
      "> 00 02 0002 00000000 11223344  00 02 0002 00000000 55667788"
      "  00 02 0002 00000000 99aabbcc\n"
      "> \n" },
    { "more pings than may wait: held back until the pongs are out", SERVER,
      "< 00 02 0001 00000000 00000001  00 02 0001 00000000 00000002"
      "  00 02 0001 00000000 00000003  00 02 0001 00000000 00000004"
      "  00 02 0001 00000000 00000005  00 02 0001 00000000 00000006\n"
      "> 00 02 0002 00000000 00000001  00 02 0002 00000000 00000002"
      "  00 02 0002 00000000 00000003  00 02 0002 00000000 00000004"
      "  00 02 0002 00000000 00000005  00 02 0002 00000000 00000006\n" },
    { "pongs go before all else", SERVER,
      "open\n"
      "< 00 02 0001 00000000 00000001\n"
      "> 00 02 0002 00000000 00000001  00 01 0001 00000002 00000000\n" },
    { "a pong nobody asked for", SERVER,
      "< 00 02 0002 00000000 00000001\n"
      "= \n"
      "ping\n"
      "< 00 02 0002 00000000 00000001\n" /* it has not left yet */
      "= \n"
      "> 00 02 0001 00000000 00000001\n"
      "< 00 02 0002 00000000 00000009\n"
      "= \n"
      "< 00 02 0002 00000000 00000001\n"
      "= rtt\n"
      "< 00 02 0002 00000000 00000001\n"
      "= \n"
      "> \n" },
    { "a ping with no flag at all", SERVER,
      "< 00 02 0000 00000000 00000001\n"
      "= \n"
      "> \n" },
    { "one ping of ours at a time", SERVER,
      "ping\nping\n"
      "> 00 02 0001 00000000 00000001\n"
      "ping\n"
      "> \n"
      "< 00 02 0002 00000000 00000001\n"
      "= rtt\n"
      "ping\n"
      "> 00 02 0001 00000000 00000002\n" },
    { "GoAway of the peer is an event, not an error", SERVER,
      "< 00 01 0001 00000001 00000000  00 03 0000 00000000 00000002\n"
      "= open 1; goaway 0x2\n"
      "open none\n"
      "send 1 4\n"
      "> 00 00 0002 00000001 00000004\n" },
    { "silence: ping, then the end", SERVER,
      "tick 29\n"
      "> \n"
      "tick 1\n"
      "> 00 02 0001 00000000 00000001\n"
      "tick 9\n"
      "< 00 03\n" /* part of a frame is life, too */
      "tick 9\n"
      "tick 1 dead\n" },
    { "silence: an answer in time", SERVER,
      "tick 30\n"
      "> 00 02 0001 00000000 00000001\n"
      "< 00 02 0002 00000000 00000001\n"
      "= rtt\n"
      "tick 29\n"
      "> \n"
      "tick 1\n"
      "> 00 02 0001 00000000 00000002\n" },
};

#endif
