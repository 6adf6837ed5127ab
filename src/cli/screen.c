/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ECMA-48, and xterm's other screen. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

bool
adit_cli_is_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) == 1 && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static void
measure(unsigned *width, unsigned *height)
{
    struct winsize w;

    *width = 80;
    *height = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 &&
        w.ws_row > 0) {
        *width = w.ws_col;
        *height = w.ws_row;
    }
}

unsigned
adit_cli_width(void)
{
    unsigned width, height;

    if (isatty(STDOUT_FILENO) != 1)
        return 0;
    measure(&width, &height);
    return width;
}

static void
signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGWINCH);
}

bool
adit_cli_screen_open(struct adit_cli_screen *s)
{
    sigset_t set;

    *s = (struct adit_cli_screen){ .signal_fd = -1 };
    signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return false;
    measure(&s->width, &s->height);
    fputs(ENTER, stdout);
    fflush(stdout);
    return true;
}

static void
drop_page(struct adit_cli_screen *s)
{
    if (s->page != NULL)
        fclose(s->page);
    free(s->text);
    s->page = NULL;
    s->text = NULL;
}

/* The lines that fit; `tail` ends each. */
static void
put_lines(const struct adit_cli_screen *s, const char *tail)
{
    const char *p = s->text;
    unsigned n_lines = 0;

    while (p != NULL && *p != '\0' && n_lines + 1 < s->height) {
        size_t n = strcspn(p, "\n");

        fprintf(stdout, "%.*s%s\n", (int)(n < s->width ? n : s->width), p,
                tail);
        p += n + (p[n] == '\n');
        n_lines++;
    }
}

void
adit_cli_screen_close(struct adit_cli_screen *s)
{
    if (s->signal_fd < 0)
        return;
    fputs(LEAVE, stdout);
    put_lines(s, "");
    fflush(stdout);
    drop_page(s);
    close(s->signal_fd);
    s->signal_fd = -1;
}

FILE *
adit_cli_screen_begin(struct adit_cli_screen *s)
{
    drop_page(s);
    s->page = open_memstream(&s->text, &s->n);
    return s->page;
}

void
adit_cli_screen_show(struct adit_cli_screen *s)
{
    if (s->page == NULL || fflush(s->page) != 0)
        return;
    fputs(HOME, stdout);
    put_lines(s, CLEAR_LINE);
    fputs(CLEAR_BELOW, stdout);
    fflush(stdout);
}

bool
adit_cli_screen_wait(struct adit_cli_screen *s, int ms)
{
    struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };
    struct signalfd_siginfo si;

    if (poll(&p, 1, ms) <= 0)
        return true;
    while (read(s->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
        if (si.ssi_signo != SIGWINCH)
            return false;
    measure(&s->width, &s->height); /* another size: draw at once */
    return true;
}
