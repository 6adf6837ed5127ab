/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * logger: lines of `event key=value` on stderr, one write each.
 *
 * With a UTC timestamp and the level in front; below systemd's journal, which
 * has both, with its level prefix instead.  Thread: any.
 */
#ifndef ADIT_DAEMON_LOGGER_H
#define ADIT_DAEMON_LOGGER_H

#include <adit/adit.h>

#include "base/log.h"

struct adit_logger {
    struct adit_log log; /* to make lines of our own with */
    bool is_journal;
};

void adit_logger_init(struct adit_logger *l);
void adit_logger_set_level(struct adit_logger *l, enum adit_level level);

/* For adit_config_set_log(); ctx is the logger. */
void adit_logger_sink(void *ctx, enum adit_level level, const char *line);

#endif
