/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * screen: a page that is drawn again and again on a terminal, and leaves it as
 * it was.
 */
#ifndef ADIT_CLI_SCREEN_H
#define ADIT_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct adit_cli_screen {
    int signal_fd; /* SIGINT and others came; -1 */
    unsigned width, height;
    FILE *page; /* what is to be shown; NULL: not begun */
    char *text;
    size_t n;
};

/* Is standard output one? */
bool adit_cli_is_terminal(void);
/* Its columns; 0: it is none. */
unsigned adit_cli_width(void);

/* From here on until _close, signals that end a program come to signal_fd.
 * False: it cannot be. */
bool adit_cli_screen_open(struct adit_cli_screen *s);
/* Shows the last page on the terminal as it was before. */
void adit_cli_screen_close(struct adit_cli_screen *s);

/* A new page, to be written to; NULL: no memory. */
FILE *adit_cli_screen_begin(struct adit_cli_screen *s);
/* Show it, cut to what fits. */
void adit_cli_screen_show(struct adit_cli_screen *s);

/* False: it is to end. */
bool adit_cli_screen_wait(struct adit_cli_screen *s, int ms);

#endif
