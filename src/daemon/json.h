/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * json: what the daemon writes of JSON: quoted text, and log lines as
 * objects.
 *
 * A log line comes as base/log made it, `event key=value ...`; its quoting is
 * undone and done again as JSON has it, so what a stranger put into a value
 * stays inside that value.  Pure.  Thread: any.
 */
#ifndef ADIT_DAEMON_JSON_H
#define ADIT_DAEMON_JSON_H

#include "base/log.h"

/* What `n` bytes may become, with quotes and NUL. */
#define ADIT_JSON_QUOTED_BYTES(n) (6 * (n) + 3)

/*
 * `text` in quotes, NUL-terminated; what is not UTF-8 becomes U+FFFD.
 * Returns the length.  `cap` is at least 3; what does not fit is left out.
 */
size_t adit_json_quote(struct adit_slice text, char *out, size_t cap);

/* A line, with the time, the level, and every byte escaped. */
#define ADIT_JSON_LINE_BYTES                                                  \
    (ADIT_JSON_QUOTED_BYTES(ADIT_LOG_LINE_MAX_BYTES) + 128)

/*
 * {"ts":"...","level":"info","event":"...",...}: what base/log made of a number
 * is one again, if it has at most 15 digits; everything else is a string.  A key that one of the
 * three has already ends in "_".  Returns the length; no newline.
 */
size_t adit_json_line(const char *ts, const char *level, const char *line,
                      char out[ADIT_JSON_LINE_BYTES]);

#endif
