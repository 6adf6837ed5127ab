/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "daemon/help.h"

#include "daemon/conf.h"

#define WIDTH 78

static const struct {
    const char *flag, *help;
} flags[] = {
    { "-c FILE", "read this configuration file (an INI file)" },
    { "--SECTION.KEY=VALUE",
      "set an option; stands above the environment and the file" },
    { "--check", "check configuration and identity, and end" },
    { "--print-config",
      "print the configuration in force, and where each value came from" },
    { "--sample-config", "print a file with every option at its default" },
    { "--man", "print this program's manual page (aditd.8)" },
    { "--version", "print the version" },
    { "--help", "print this" },
};

static const struct {
    enum adit_daemon_exit code;
    const char *help;
} exits[] = {
    { ADIT_EXIT_OK, "ended by SIGTERM or SIGINT, or nothing to complain of" },
    { ADIT_EXIT_USAGE, "the command line is wrong" },
    { ADIT_EXIT_IDENTITY, "the identity file cannot be read, or is no key" },
    { ADIT_EXIT_BIND, "a listen address cannot be had" },
    { ADIT_EXIT_INTERNAL, "the node could not go on" },
    { ADIT_EXIT_OS, "the system refuses threads, descriptors or memory, or "
                    "the ledger cannot be opened (its disk may be full)" },
    { ADIT_EXIT_CREATE, "the identity file, or the folder of the ledger or "
                        "the control socket, cannot be made or written" },
    { ADIT_EXIT_CONFIG, "the configuration is wrong" },
};

static const struct {
    const char *signal, *help;
} signals[] = {
    { "SIGTERM, SIGINT", "close cleanly, within a second" },
    { "SIGHUP", "read the configuration again; all of it or, if anything is "
                "wrong, nothing takes effect, and the log says what and in "
                "which line" },
};

/* `text`, broken between words, each line behind `prefix`. */
static void
wrap(FILE *out, const char *prefix, const char *text)
{
    size_t width = WIDTH - strlen(prefix);

    while (*text != '\0') {
        size_t n = strlen(text);

        if (n > width) {
            n = width;
            while (n > 0 && text[n] != ' ')
                n--;
            if (n == 0)
                n = strcspn(text, " ");
        }
        fprintf(out, "%s%.*s\n", prefix, (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
}

/*
 * Options of classes are described once, as class.NAME.key: those of the
 * class that every peer is of by itself.
 */
#define CLASS_PREFIX "class."
#define SHOWN_CLASS "class.anonymous."
#define CLASS_HELP                                                            \
    "Classes say what peers may do that are named in them; whoever is named " \
    "nowhere is of the class anonymous. Limits that a class does not set "    \
    "are those of the sections reservation, circuit and rate. Any other "     \
    "NAME of a-z, 0-9, - and _ makes a class; in the environment "            \
    "(ADITD_CLASS_NAME_KEY, _ for -) only a class that is built in or in "    \
    "the file can be named."

/* The name to describe `name` under; false: it is described elsewhere. */
static bool
shown_name(const char *name, char out[ADIT_OPTION_NAME_BYTES])
{
    size_t n = strlen(SHOWN_CLASS);

    if (strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) != 0) {
        snprintf(out, ADIT_OPTION_NAME_BYTES, "%s", name);
        return true;
    }
    if (strncmp(name, SHOWN_CLASS, n) != 0)
        return false;
    snprintf(out, ADIT_OPTION_NAME_BYTES, "class.NAME.%.60s", name + n);
    return true;
}

/* What a class that is built in sets itself: one call of `fn` for each. */
static void
each_builtin(FILE *out, const struct adit_settings *s,
             void (*fn)(FILE *out, const char *name, const char *value))
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], value[ADIT_OPT_TEXT_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++)
        if (strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) == 0 &&
            adit_settings_get(s, name, value, sizeof(value)) > 0)
            fn(out, name, value);
}

/* "bytes, at least 1MiB, at most 1024GiB; default 256MiB" */
static void
describe(const struct adit_option *o, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s%s%s%s%s%s%s; default %s", o->type,
             o->unit[0] != '\0' ? ": " : "", o->unit,
             o->min != NULL ? ", at least " : "", o->min != NULL ? o->min : "",
             o->max != NULL ? ", at most " : "", o->max != NULL ? o->max : "",
             o->def[0] != '\0' ? o->def : "empty");
}

void
adit_help_usage(FILE *out)
{
    fputs("usage: aditd [-c FILE] [--SECTION.KEY=VALUE]...\n"
          "       aditd --check | --print-config | --sample-config | --man | "
          "--version | --help\n",
          out);
}

static void
help_builtin(FILE *out, const char *name, const char *value)
{
    fprintf(out, "  %s = %s\n", name, value);
}

void
adit_help_full(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], shown[ADIT_OPTION_NAME_BYTES];
    char text[256], env[ADIT_CONF_ENV_BYTES];

    adit_help_usage(out);
    fputs("\nA circuit relay v2 for libp2p peers.\n\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(flags); i++)
        fprintf(out, "  %-20s %s\n", flags[i].flag, flags[i].help);
    adit_conf_env_name("circuit.max", env);
    fprintf(out,
            "\nEach option stands in the file as KEY = VALUE below [SECTION], "
            "on the command\nline as --SECTION.KEY=VALUE, in the environment "
            "as ADITD_SECTION_KEY\n(circuit.max: %s). The command line "
            "stands above the environment,\nthat above the file.\n\n",
            env);
    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        if (!shown_name(name, shown))
            continue;
        fprintf(out, "  %s\n", shown);
        describe(&o, text, sizeof(text));
        wrap(out, "      ", text);
        wrap(out, "      ", o.help);
    }
    fputs("\n", out);
    wrap(out, "", CLASS_HELP);
    fputs("Built in are:\n", out);
    each_builtin(out, s, help_builtin);
    fputs("\nSignals:\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(signals); i++)
        fprintf(out, "  %-16s %s\n", signals[i].signal, signals[i].help);
    fputs("\nExit codes:\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(exits); i++)
        fprintf(out, "  %2d  %s\n", (int)exits[i].code, exits[i].help);
}

/* The section of `name`, if it is another than *last. */
static bool
new_section(const char *name, char last[ADIT_OPTION_NAME_BYTES])
{
    size_t n = (size_t)(strrchr(name, '.') - name);

    if (strlen(last) == n && strncmp(name, last, n) == 0)
        return false;
    snprintf(last, ADIT_OPTION_NAME_BYTES, "%.*s", (int)n, name);
    return true;
}

static const char *
key_of(const char *name)
{
    return strrchr(name, '.') + 1;
}

static void
put_setting(FILE *out, const char *mark, const char *name, const char *value)
{
    fprintf(out, "%s%s =%s%s\n", mark, key_of(name),
            value[0] != '\0' ? " " : "", value);
}

void
adit_help_sample(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], shown[ADIT_OPTION_NAME_BYTES];
    char last[ADIT_OPTION_NAME_BYTES] = "", text[256];

    fputs("# Sample configuration of aditd: every option, at its default.\n"
          "# Made by aditd --sample-config.\n",
          out);
    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        bool is_class = strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) == 0;

        if (is_class && !shown_name(name, shown) &&
            adit_settings_get(s, name, text, sizeof(text)) == 0)
            continue;
        if (new_section(name, last)) {
            fputs("\n", out);
            if (is_class && shown_name(name, shown))
                wrap(out, "# ", CLASS_HELP);
            fprintf(out, "[%s]\n", last);
        }
        if (is_class && !shown_name(name, shown)) {
            put_setting(out, "#", name, text);
            continue;
        }
        fputs("\n", out);
        wrap(out, "# ", o.help);
        describe(&o, text, sizeof(text));
        wrap(out, "# ", text);
        put_setting(out, "#", name, o.def);
    }
}

void
adit_help_effective(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], last[ADIT_OPTION_NAME_BYTES] = "";
    char value[ADIT_OPT_TEXT_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        const char *from = adit_settings_from(s, name);
        bool is_class = strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) == 0;
        size_t n = adit_settings_get(s, name, value, sizeof(value));

        if (new_section(name, last)) {
            fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", last);
            if (is_class)
                fputs("# Behind # stands what holds where this class sets "
                      "nothing.\n",
                      out);
        }
        if (from != NULL)
            fprintf(out, "# %s\n", from);
        else if (is_class && n > 0)
            fputs("# built in\n", out);
        adit_settings_resolve(s, name, value, sizeof(value));
        put_setting(out, is_class && n == 0 && from == NULL ? "#" : "", name,
                    value);
    }
}

/* ---- the manual page ------------------------------------------------------- */

/* Text for troff: its own characters escaped. */
static void
roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void
roff_item(FILE *out, const char *head, const char *text)
{
    fputs(".TP\n.B ", out);
    roff(out, head);
    fputc('\n', out);
    roff(out, text);
    fputc('\n', out);
}

static void
man_builtin(FILE *out, const char *name, const char *value)
{
    roff(out, name);
    fputs(" = ", out);
    roff(out, value);
    fputc('\n', out);
}

void
adit_help_man(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char name[ADIT_OPTION_NAME_BYTES], shown[ADIT_OPTION_NAME_BYTES];
    char last[ADIT_OPTION_NAME_BYTES] = "", text[256];

    fprintf(out,
            ".\\\" SPDX-License-Identifier: Apache-2.0 OR MIT\n"
            ".\\\" Made by aditd --man.\n"
            ".TH ADITD 8 \"\" \"adit %s\"\n"
            ".SH NAME\n"
            "aditd \\- circuit relay v2 for libp2p peers\n"
            ".SH SYNOPSIS\n"
            ".B aditd\n"
            "[\\fB\\-c\\fR \\fIFILE\\fR]\n"
            "[\\fB\\-\\-\\fISECTION\\fB.\\fIKEY\\fB=\\fIVALUE\\fR]...\n"
            ".SH DESCRIPTION\n"
            "Peers that others cannot reach reserve a place on\n"
            ".BR aditd ,\n"
            "and are then dialled through it. It carries what they say, "
            "within limits, and cannot read it. On its first start it makes "
            "its identity; once it serves it logs\n"
            ".B node.ready\n"
            "with the addresses to give away.\n"
            ".SH FLAGS\n",
            adit_version());
    for (size_t i = 0; i < ADIT_NITEMS(flags); i++)
        roff_item(out, flags[i].flag, flags[i].help);
    fputs(".SH OPTIONS\n"
          "Each option stands in the file as\n"
          ".I key = value\n"
          "below\n"
          ".IR [section] ,\n"
          "on the command line as\n"
          ".BI \\-\\- section.key = value\n"
          "and in the environment as\n"
          ".BR ADITD_SECTION_KEY .\n"
          "The command line stands above the environment, that above the "
          "file. A line of the file that begins with # or ; is a comment; "
          "one that begins with a blank continues a list. An unknown option, "
          "or a number without its unit, is refused.\n",
          out);
    for (size_t i = 0; adit_settings_at(s, i, name, &o) == ADIT_OK; i++) {
        if (!shown_name(name, shown))
            continue;
        if (new_section(shown, last))
            fprintf(out, ".SS %s\n", last);
        roff_item(out, shown, o.help);
        describe(&o, text, sizeof(text));
        fputs(".br\n(", out);
        roff(out, text);
        fputs(")\n", out);
    }
    fputs(".SS Classes\n", out);
    roff(out, CLASS_HELP);
    fputs(" Built in are:\n.nf\n", out);
    each_builtin(out, s, man_builtin);
    fputs(".fi\n.SH FILES\n", out);
    roff(out, "A relative name in an option that ends in _file, or in "
              "identity.file, is first looked for where a service manager "
              "lays credentials ($CREDENTIALS_DIRECTORY) and a container "
              "runtime secrets (/run/secrets).\n");
    fputs(".SH SIGNALS\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(signals); i++)
        roff_item(out, signals[i].signal, signals[i].help);
    fputs(".SH \"EXIT STATUS\"\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(exits); i++) {
        snprintf(text, sizeof(text), "%d", (int)exits[i].code);
        roff_item(out, text, exits[i].help);
    }
    fputs(".SH SEE ALSO\n"
          ".BR adit (1)\n",
          out);
}
