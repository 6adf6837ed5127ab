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
    { ADIT_EXIT_OS, "the system refuses threads, descriptors or memory" },
    { ADIT_EXIT_CREATE, "the identity file cannot be made" },
    { ADIT_EXIT_CONFIG, "the configuration is wrong" },
};

static const struct {
    const char *signal, *help;
} signals[] = {
    { "SIGTERM, SIGINT", "close cleanly, within a second" },
    { "SIGHUP", "logged and ignored: a changed configuration takes effect "
                "with a restart" },
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

/* "bytes, at least 1MiB, at most 1024GiB; default 256MiB" */
static void
describe(const struct adit_option *o, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s%s%s%s%s%s%s; default %s", o->type,
             o->unit[0] != '\0' ? " " : "", o->unit,
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

void
adit_help_full(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
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
    for (size_t i = 0; adit_settings_at(s, i, &o) == ADIT_OK; i++) {
        fprintf(out, "  %s\n", o.name);
        describe(&o, text, sizeof(text));
        wrap(out, "      ", text);
        wrap(out, "      ", o.help);
    }
    fputs("\nSignals:\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(signals); i++)
        fprintf(out, "  %-16s %s\n", signals[i].signal, signals[i].help);
    fputs("\nExit codes:\n", out);
    for (size_t i = 0; i < ADIT_NITEMS(exits); i++)
        fprintf(out, "  %2d  %s\n", (int)exits[i].code, exits[i].help);
}

/* The section of `name`, if it is another than *last. */
static bool
new_section(const char *name, char last[64], char section[64])
{
    snprintf(section, 64, "%.*s", (int)strcspn(name, "."), name);
    if (strcmp(section, last) == 0)
        return false;
    memcpy(last, section, 64);
    return true;
}

static const char *
key_of(const char *name)
{
    return name + strcspn(name, ".") + 1;
}

void
adit_help_sample(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char last[64] = "", section[64], text[256];

    fputs("# Sample configuration of aditd: every option, at its default.\n"
          "# Made by aditd --sample-config.\n",
          out);
    for (size_t i = 0; adit_settings_at(s, i, &o) == ADIT_OK; i++) {
        if (new_section(o.name, last, section))
            fprintf(out, "\n[%s]\n", section);
        fputs("\n", out);
        wrap(out, "# ", o.help);
        describe(&o, text, sizeof(text));
        wrap(out, "# ", text);
        fprintf(out, "#%s =%s%s\n", key_of(o.name),
                o.def[0] != '\0' ? " " : "", o.def);
    }
}

void
adit_help_effective(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char last[64] = "", section[64], value[ADIT_OPT_TEXT_BYTES];

    for (size_t i = 0; adit_settings_at(s, i, &o) == ADIT_OK; i++) {
        const char *from = adit_settings_from(s, o.name);

        if (new_section(o.name, last, section))
            fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", section);
        if (from != NULL)
            fprintf(out, "# %s\n", from);
        adit_settings_get(s, o.name, value, sizeof(value));
        fprintf(out, "%s =%s%s\n", key_of(o.name), value[0] != '\0' ? " " : "",
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

void
adit_help_man(FILE *out, const struct adit_settings *s)
{
    struct adit_option o = { .size = sizeof(o) };
    char last[64] = "", section[64], text[256];

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
    for (size_t i = 0; adit_settings_at(s, i, &o) == ADIT_OK; i++) {
        if (new_section(o.name, last, section))
            fprintf(out, ".SS %s\n", section);
        roff_item(out, o.name, o.help);
        describe(&o, text, sizeof(text));
        fputs(".br\n(", out);
        roff(out, text);
        fputs(")\n", out);
    }
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
