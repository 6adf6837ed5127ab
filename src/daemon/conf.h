/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * conf: options from a file, from the environment, from the command line.
 *
 * Each complaint is one line that says where, what, and what was expected;
 * all of them are reported, not only the first.
 */
#ifndef ADIT_DAEMON_CONF_H
#define ADIT_DAEMON_CONF_H

#include "daemon/settings.h"

struct adit_complaints {
    void (*line)(void *ctx, const char *text);
    void *ctx;
    unsigned n;   /* so far */
    int os_error; /* of a file that could not be read; else 0 */
};

/*
 * An INI file: [section], key = value; lines that begin with # or ; are
 * comments; a line that begins with a blank continues a list.
 */
void adit_conf_file(struct adit_settings *s, const char *path,
                    struct adit_complaints *c);

/*
 * ADITD_SECTION_KEY=value for the option section.key.  Such a variable that
 * names no option is a complaint if the section is one of ours; else it may
 * be another's (Kubernetes sets ADITD_PORT for a service "aditd").
 */
void adit_conf_environment(struct adit_settings *s, char *const *environ,
                           struct adit_complaints *c);

/* `arg` is "section.key=value", or "section.key" with its `value`. */
void adit_conf_argument(struct adit_settings *s, const char *arg,
                        const char *value, struct adit_complaints *c);

/* "ADITD_CIRCUIT_MAX" for "circuit.max". */
#define ADIT_CONF_ENV_BYTES 80
void adit_conf_env_name(const char *option, char out[ADIT_CONF_ENV_BYTES]);

#endif
