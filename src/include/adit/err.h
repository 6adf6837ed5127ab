/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * err: the one set of answers that every function of adit gives.
 *
 * Zero is success, everything else is negative, and the range says whose
 * affair it is: flow, ours, the peer's, scarcity, the world's.
 */
#ifndef ADIT_ERR_H
#define ADIT_ERR_H

#if defined(__GNUC__)
#define ADIT_API __attribute__((visibility("default")))
#define ADIT_MUST_USE __attribute__((warn_unused_result))
#else
#define ADIT_API
#define ADIT_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum adit_err {
    ADIT_OK = 0,

    /* Flow: not a failure, nobody is told. */
    ADIT_AGAIN = -1,     /* not now: more input, or room, is needed */
    ADIT_DONE = -2,      /* over, or no longer there */
    ADIT_CANCELLED = -3, /* the caller itself gave up */

    /* Ours: a bug in the calling program. */
    ADIT_EINVAL = -10, /* an argument, or an option's text, does not fit */
    ADIT_ESTATE = -11, /* a good call at the wrong time */

    /* The peer's. */
    ADIT_EPROTO = -20,       /* it broke the protocol */
    ADIT_EAUTH = -21,        /* it is not who it should be */
    ADIT_EDENIED = -22,      /* it refused us by its rules, or we it by ours */
    ADIT_ERESET = -23,       /* it ended the stream or connection abruptly */
    ADIT_EUNSUPPORTED = -24, /* it speaks no protocol that we do */
    ADIT_ENORESERVATION = -25, /* the destination holds none on that relay */

    /* Scarcity. */
    ADIT_ENOMEM = -30,
    ADIT_ELIMIT = -31,   /* a limit with a name was reached */
    ADIT_EFULL = -32,    /* no slot is free */
    ADIT_EEXPIRED = -33, /* its time was up */

    /* The world's: worth another try later. */
    ADIT_EIO = -40,
    ADIT_ERESOLVE = -41,
    ADIT_ETIMEDOUT = -42,
    ADIT_EUNREACHABLE = -43 /* nothing answers at any of the addresses */
} adit_err;

/* The code's name, "ETIMEDOUT" for example; static, never NULL.  Any thread. */
ADIT_API const char *adit_err_name(adit_err e);

/* What the code means, as half a sentence; static, never NULL.  Any thread. */
ADIT_API const char *adit_err_text(adit_err e);

#ifdef __cplusplus
}
#endif
#endif
