/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance; far for long words, which nobody mistypes. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[33], na = strlen(a), nb = strlen(b);

    if (na > 32 || nb > 32)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t up = row[j];

            row[j] = min3(diagonal + (a[i - 1] != b[j - 1]), up + 1,
                          row[j - 1] + 1);
            diagonal = up;
        }
    }
    return row[nb];
}

const char *
adit_cli_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t least = 3; /* further is no slip of the finger */

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);

        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

bool
adit_cli_check_addr(struct adit_cli *c, const char *text)
{
    struct adit_addr_why why = { .size = sizeof(why) };

    if (adit_addr_check(text, &why) == ADIT_OK)
        return true;
    if (c->json) {
        adit_cli_event(c, json_pack("{s:s,s:s,s:s,s:I,s:s}", "event", "error",
                                    "code", adit_err_name(ADIT_EINVAL), "addr",
                                    text, "at", (json_int_t)why.at, "text",
                                    why.what));
        return false;
    }
    fprintf(stderr,
            "adit: this is no multiaddr:\n"
            "  %s\n"
            "  %*s^ %s\n",
            text, (int)why.at, "", why.what);
    return false;
}

/* ---- parsing --------------------------------------------------------------- */

/* What every command takes. */
static size_t
common(struct adit_cli *c, const struct adit_cli_command *cmd,
       struct adit_cli_arg out[4])
{
    out[0] =
        (struct adit_cli_arg){ "json",
                               0,
                               ADIT_CLI_FLAG,
                               &c->json,
                               NULL,
                               cmd->on_socket ? "answers as lines of JSON"
                                              : "events as lines of JSON" };
    if (cmd->on_socket)
        return 1;
    out[1] = (struct adit_cli_arg){
        "verbose",   'v',  ADIT_CLI_TIMES,
        &c->verbose, NULL, "tell what happens; twice: the node's log too"
    };
    out[2] = (struct adit_cli_arg){
        "option",    'o',          ADIT_CLI_LIST,
        &c->options, "NAME=VALUE", "an option of the node; see aditd --help"
    };
    return 3;
}

static void
print_arg(FILE *out, const struct adit_cli_arg *a)
{
    char head[64];

    snprintf(head, sizeof(head),
             a->letter != 0 ? "-%c, --%s%s%s" : "%c   --%s%s%s",
             a->letter != 0 ? a->letter : ' ', a->name,
             a->value != NULL ? " " : "", a->value != NULL ? a->value : "");
    fprintf(out, "  %-28s %s\n", head, a->help);
}

static void
print_help(struct adit_cli *c, const struct adit_cli_command *cmd,
           const struct adit_cli_arg *args, size_t n)
{
    struct adit_cli_arg more[4];
    size_t n_more = common(c, cmd, more);

    printf("usage: adit %s [OPTION]... %s\n\n%s\n\n", cmd->name, cmd->synopsis,
           cmd->help);
    for (size_t i = 0; i < n; i++)
        if (args[i].help != NULL)
            print_arg(stdout, &args[i]);
    for (size_t i = 0; i < n_more; i++)
        print_arg(stdout, &more[i]);
}

static int
usage(struct adit_cli *c, const struct adit_cli_command *cmd)
{
    if (!c->json)
        fprintf(stderr, "usage: adit %s [OPTION]... %s   (adit help %s)\n",
                cmd->name, cmd->synopsis, cmd->name);
    return ADIT_CLI_USAGE;
}

static bool
parse_time(const char *text, uint32_t *ms)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "min", 60000 } };
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(text, &end, 10);
    if (end == text || text[0] == '-' || errno != 0)
        return false;
    for (size_t i = 0; i < ADIT_CLI_NITEMS(units); i++)
        if (strcmp(end, units[i].name) == 0 && v <= UINT32_MAX / units[i].ms) {
            *ms = (uint32_t)v * units[i].ms;
            return true;
        }
    return false;
}

bool
adit_cli_duration(const char *text, int64_t *s)
{
    static const struct {
        const char *name;
        int64_t s;
    } units[] = {
        { "s", 1 },     { "min", 60 },   { "h", 3600 },
        { "d", 86400 }, { "w", 604800 },
    };
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(text, &end, 10);
    if (end == text || text[0] == '-' || errno != 0 || v > 100000000)
        return false;
    for (size_t i = 0; i < ADIT_CLI_NITEMS(units); i++)
        if (strcmp(end, units[i].name) == 0) {
            *s = (int64_t)v * units[i].s;
            return true;
        }
    return false;
}

static bool
store(struct adit_cli *c, const struct adit_cli_arg *a, const char *value)
{
    char *end;
    unsigned long v;
    struct adit_cli_list *list;

    switch (a->kind) {
    case ADIT_CLI_FLAG:
        *(bool *)a->out = true;
        return true;
    case ADIT_CLI_TIMES:
        ++*(unsigned *)a->out;
        return true;
    case ADIT_CLI_TEXT:
        *(const char **)a->out = value;
        return true;
    case ADIT_CLI_LIST:
        list = a->out;
        if (list->n == ADIT_CLI_MAX_LIST) {
            adit_cli_error(c, "--%s: not more than %d times", a->name,
                           ADIT_CLI_MAX_LIST);
            return false;
        }
        list->v[list->n++] = value;
        return true;
    case ADIT_CLI_COUNT:
        errno = 0;
        v = strtoul(value, &end, 10);
        if (end == value || *end != '\0' || value[0] == '-' || errno != 0 ||
            v > 1000000000) {
            adit_cli_error(c, "--%s: '%s' is no number", a->name, value);
            return false;
        }
        *(unsigned *)a->out = (unsigned)v;
        return true;
    case ADIT_CLI_TIME:
        if (!parse_time(value, a->out)) {
            adit_cli_error(c,
                           "--%s: '%s' is no time: a number and ms, s or "
                           "min was expected",
                           a->name, value);
            return false;
        }
        return true;
    case ADIT_CLI_MAYBE:
        *(struct adit_cli_maybe *)a->out =
            (struct adit_cli_maybe){ true, value };
        return true;
    }
    return false;
}

struct parser {
    struct adit_cli *c;
    struct adit_cli_arg all[32];
    size_t n;
};

static const struct adit_cli_arg *
find_long(const struct parser *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->n; i++)
        if (strlen(p->all[i].name) == n &&
            memcmp(p->all[i].name, name, n) == 0)
            return &p->all[i];
    return NULL;
}

static void
unknown(const struct parser *p, const char *arg)
{
    const char *words[ADIT_CLI_NITEMS(p->all)], *near;
    char name[64];

    for (size_t i = 0; i < p->n; i++)
        words[i] = p->all[i].name;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    near = arg[1] == '-' ? adit_cli_nearest(name, words, p->n) : NULL;
    if (near != NULL)
        adit_cli_error(p->c, "unknown option %s: did you mean --%s?", arg,
                       near);
    else
        adit_cli_error(p->c, "unknown option %s", arg);
}

static bool
is_flag(const struct adit_cli_arg *a)
{
    return a->kind == ADIT_CLI_FLAG || a->kind == ADIT_CLI_TIMES;
}

/* Is `next` (NULL: there is none) the value of an option that may have one? */
static bool
is_value(const char *next)
{
    return next != NULL && next[0] >= '0' && next[0] <= '9';
}

/* One word that begins with a dash; *i moves on if it takes the next. */
static bool
parse_option(struct parser *p, char **argv, int *i)
{
    const char *arg = argv[*i], *value = NULL;
    const struct adit_cli_arg *a = NULL;

    if (arg[1] == '-') {
        size_t n = strcspn(arg + 2, "=");

        a = find_long(p, arg + 2, n);
        if (arg[2 + n] == '=')
            value = arg + 3 + n;
    } else {
        for (const char *l = arg + 1; *l != '\0' && value == NULL; l++) {
            a = NULL;
            for (size_t k = 0; k < p->n && a == NULL; k++)
                if (p->all[k].letter == *l)
                    a = &p->all[k];
            if (a == NULL)
                break;
            if (!is_flag(a)) {
                if (l[1] != '\0')
                    value = l + 1;
                break;
            }
            if (l[1] != '\0' && !store(p->c, a, NULL))
                return false;
        }
    }
    if (a == NULL) {
        unknown(p, arg);
        return false;
    }
    if (is_flag(a) && value != NULL) {
        adit_cli_error(p->c, "--%s takes no value", a->name);
        return false;
    }
    if (a->kind == ADIT_CLI_MAYBE && value == NULL && !is_value(argv[*i + 1]))
        return store(p->c, a, NULL);
    if (!is_flag(a) && value == NULL) {
        value = argv[*i + 1];
        if (value == NULL) {
            adit_cli_error(p->c, "--%s needs %s", a->name, a->value);
            return false;
        }
        ++*i;
    }
    return store(p->c, a, value);
}

/* Errors ahead of --json are to be JSON too. */
static bool
has_word(char **argv, const char *word)
{
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++)
        if (strcmp(*argv, word) == 0)
            return true;
    return false;
}

int
adit_cli_parse(struct adit_cli *c, const struct adit_cli_command *cmd,
               const struct adit_cli_arg *args, size_t n_args, char **argv,
               const char **pos, size_t min, size_t max)
{
    struct parser p = { .c = c };
    size_t n_pos = 0;
    bool is_words = false;

    if (has_word(argv, "--help") || has_word(argv, "-h")) {
        print_help(c, cmd, args, n_args);
        return -1;
    }
    c->json = has_word(argv, "--json");
    for (size_t i = 0; i < n_args; i++)
        p.all[p.n++] = args[i];
    p.n += common(c, cmd, p.all + p.n);
    for (size_t i = 0; i < max; i++)
        pos[i] = NULL;
    for (int i = 1; argv[i] != NULL; i++) {
        const char *arg = argv[i];

        if (!is_words && strcmp(arg, "--") == 0) {
            is_words = true;
        } else if (!is_words && arg[0] == '-' && arg[1] != '\0') {
            if (!parse_option(&p, argv, &i))
                return usage(c, cmd);
        } else if (n_pos == max) {
            adit_cli_error(c, "%s is one word too many", arg);
            return usage(c, cmd);
        } else {
            pos[n_pos++] = arg;
        }
    }
    if (n_pos < min) {
        adit_cli_error(c, "something is missing");
        return usage(c, cmd);
    }
    return ADIT_CLI_OK;
}
