/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * fakes: an admission service and a ledger of the virtual clock, in place of
 * host/admission and ledger/ledger in the program that links them.  What
 * they say and when follows from their worker's random numbers: at once,
 * late, wrong, never.
 */
#ifndef ADIT_TESTS_SIM_FAKES_H
#define ADIT_TESTS_SIM_FAKES_H

/* The classes that the service knows; some of them are none of the relay's. */
#define FAKE_CLASSES                                                          \
    {                                                                         \
        "anonymous", "listed", "unlimited", "gold", "iron", "lead", "tin"     \
    }

/* Refusals that ledgers were told. */
extern unsigned fake_n_refusals;

/* The URL of a service that never answers. */
#define FAKE_SILENT "http://silent/"

/* What that of one begins with which allows everything, in its time. */
#define FAKE_KIND "http://kind/"

#endif
