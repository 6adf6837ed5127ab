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
 *
 * ADITD_CLASS_NAME_KEY only for classes that exist by then, since nobody
 * could tell where a new NAME ends; a - in it is written as _.
 */
void adit_conf_environment(struct adit_settings *s, char *const *environ,
                           struct adit_complaints *c);

/* The options among the arguments, "--section.key=value" or in two words. */
void adit_conf_arguments(struct adit_settings *s, char *const *argv,
                         struct adit_complaints *c);
bool adit_conf_is_option(const char *arg);

/*
 * Is argv[*i] this flag?  Then *value is what stands behind it, in the same
 * word or the next, on which *i then stands; NULL: nothing does.
 */
bool adit_conf_takes(const char *flag, char *const *argv, int *i,
                     const char **value);

/*
 * All of it into fresh settings: the file (`path` may be NULL), the
 * environment, the arguments; then secrets by name, and what must go
 * together.
 */
void adit_conf_load(struct adit_settings *s, const char *path,
                    char *const *environ, char *const *argv,
                    struct adit_complaints *c);

/* "ADITD_CIRCUIT_MAX" for "circuit.max". */
#define ADIT_CONF_ENV_BYTES 112
void adit_conf_env_name(const char *option, char out[ADIT_CONF_ENV_BYTES]);

#endif
