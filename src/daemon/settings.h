/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * settings: every option of aditd: the node's, by the public header, and the
 * daemon's own, under one roof; with the place each value came from.
 *
 * Thread: one owner.
 */
#ifndef ADIT_DAEMON_SETTINGS_H
#define ADIT_DAEMON_SETTINGS_H

#include <adit/adit.h>

#include "base/opt.h"

/* The words of log.format. */
enum adit_log_format { ADIT_LOG_TEXT, ADIT_LOG_JSON };

/* The daemon's own. */
struct adit_own {
    char identity_file[ADIT_OPT_TEXT_BYTES];
    uint64_t log_level;  /* enum adit_level */
    uint64_t log_format; /* enum adit_log_format */
    char http_listen[ADIT_OPT_TEXT_BYTES];
    char admin_socket[ADIT_OPT_TEXT_BYTES];
    char admin_group[ADIT_OPT_TEXT_BYTES];
    char run_user[ADIT_OPT_TEXT_BYTES];
    char run_group[ADIT_OPT_TEXT_BYTES];
    bool run_confine;
};

struct adit_settings;

/* All defaults.  NULL: no memory. */
struct adit_settings *adit_settings_new(void);
void adit_settings_free(struct adit_settings *s);

#define ADIT_SETTINGS_WHY_BYTES (ADIT_OPT_WHY_BYTES + 64)

/*
 * Set an option.  `from` says where the value stands ("aditd.conf:12"); it is
 * copied.
 *
 *   ADIT_EINVAL  `why` says what was wrong, and what was perhaps meant
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_settings_set(struct adit_settings *s,
                                         const char *name, const char *value,
                                         const char *from,
                                         char why[ADIT_SETTINGS_WHY_BYTES]);

/* The value as text that _set takes; as adit_config_get(). */
size_t adit_settings_get(const struct adit_settings *s, const char *name,
                         char *out, size_t cap);

/* The same, but for what a class was not told the value that then holds. */
size_t adit_settings_resolve(const struct adit_settings *s, const char *name,
                             char *out, size_t cap);

/* Where the value came from; NULL: it is the default. */
const char *adit_settings_from(const struct adit_settings *s,
                               const char *name);

/*
 * The i-th option, aditd's defaults in it, those of classes last; its name
 * also into `name`.  ADIT_DONE: no more.
 */
ADIT_MUST_USE adit_err adit_settings_at(const struct adit_settings *s,
                                        size_t i,
                                        char name[ADIT_OPTION_NAME_BYTES],
                                        struct adit_option *out);

/* Is there such an option; of a class: does it exist? */
bool adit_settings_has(const struct adit_settings *s, const char *name);
/* Does an option's name begin with these `n` bytes and a dot? */
bool adit_settings_has_section(const struct adit_settings *s,
                               const char *section, size_t n);

/*
 * Relative names in options that end in _file, and in identity.file, that are
 * names of a file in one of `dirs` (NULL-terminated: where a service manager
 * lays credentials, a container runtime secrets) become that file's path.
 * ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_settings_find_secrets(struct adit_settings *s,
                                                  const char *const *dirs);

/* Borrowed. */
adit_config *adit_settings_config(struct adit_settings *s);
const struct adit_own *adit_settings_own(const struct adit_settings *s);

#endif
