/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* help: what is made from the option table: --help, the sample file, the
 * effective configuration, the manual page. */
#ifndef ADIT_DAEMON_HELP_H
#define ADIT_DAEMON_HELP_H

#include "daemon/settings.h"

/* Exit codes, as sysexits.h has them; help, manual and main share them. */
enum adit_daemon_exit {
    ADIT_EXIT_OK = 0,
    ADIT_EXIT_USAGE = 64,
    ADIT_EXIT_IDENTITY = 66,
    ADIT_EXIT_BIND = 69,
    ADIT_EXIT_INTERNAL = 70,
    ADIT_EXIT_OS = 71,
    ADIT_EXIT_CREATE = 73,
    ADIT_EXIT_CONFIG = 78,
};

void adit_help_usage(FILE *out);
void adit_help_full(FILE *out, const struct adit_settings *s);
void adit_help_sample(FILE *out, const struct adit_settings *s);
void adit_help_effective(FILE *out, const struct adit_settings *s);
/* aditd.8, in the man macros. */
void adit_help_man(FILE *out, const struct adit_settings *s);

#endif
