/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * adit: listen and dial through circuit relays, from a shell.
 *
 * One file per command; what they share is in cli.h.
 */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>

static const struct adit_cli_command *const commands[] = {
    &adit_cli_cmd_id,      &adit_cli_cmd_listen,   &adit_cli_cmd_dial,
    &adit_cli_cmd_ping,    &adit_cli_cmd_probe,    &adit_cli_cmd_status,
    &adit_cli_cmd_peers,   &adit_cli_cmd_circuits, &adit_cli_cmd_peer,
    &adit_cli_cmd_kick,    &adit_cli_cmd_ban,      &adit_cli_cmd_unban,
    &adit_cli_cmd_class,   &adit_cli_cmd_usage,    &adit_cli_cmd_limits,
    &adit_cli_cmd_config,  &adit_cli_cmd_reload,   &adit_cli_cmd_drain,
    &adit_cli_cmd_undrain,
};

static const struct {
    int code;
    const char *means;
} exits[] = {
    { ADIT_CLI_OK, "well done" },
    { ADIT_CLI_STREAM, "the stream or connection broke after it was open" },
    { ADIT_CLI_USAGE, "the command line is wrong" },
    { ADIT_CLI_CONNECT, "cannot connect, or it is another peer" },
    { ADIT_CLI_REFUSED, "the peer or the relay refused" },
    { ADIT_CLI_LIMIT, "the relay's limit cut it" },
    { ADIT_CLI_LOCAL, "a file, memory or the system here" },
};

static void
print_commands(FILE *out, bool on_socket)
{
    for (size_t i = 0; i < ADIT_CLI_NITEMS(commands); i++)
        if (commands[i]->on_socket == on_socket)
            fprintf(out, "  %-15s %s\n", commands[i]->name,
                    commands[i]->summary);
}

static void
print_usage(FILE *out)
{
    fputs("usage: adit COMMAND [OPTION]... ARGUMENT...\n\n", out);
    print_commands(out, false);
    fputs("  help [COMMAND]\n"
          "  version\n"
          "\nThey take --help, --json, -v and -o NAME=VALUE.  ADDR is a "
          "multiaddr, for example\n/ip4/203.0.113.7/tcp/4001/p2p/ID, or "
          "RELAY/p2p-circuit/p2p/ID.\n"
          "\nTo a running aditd, with --help, --json and --socket PATH:\n\n",
          out);
    print_commands(out, true);
    fputs("\nExit codes:\n", out);
    for (size_t i = 0; i < ADIT_CLI_NITEMS(exits); i++)
        fprintf(out, "  %d  %s\n", exits[i].code, exits[i].means);
}

/* `adit relay --socket PATH --json status`: the command's second word comes
 * to the front. */
static void
pull_word(char **v)
{
    size_t i = 1;
    char *word;

    while (v[i] != NULL && v[i][0] == '-') {
        if (v[i + 1] != NULL &&
            (strcmp(v[i], "--socket") == 0 || strcmp(v[i], "-s") == 0))
            i++;
        i++;
    }
    word = v[i];
    if (word == NULL)
        return;
    memmove(v + 2, v + 1, (i - 1) * sizeof(*v));
    v[1] = word;
}

/* argv[0] becomes the last word of the command's name. */
static const struct adit_cli_command *
find(char ***argv)
{
    if (strcmp((*argv)[0], "relay") == 0)
        pull_word(*argv);
    for (size_t i = 0; i < ADIT_CLI_NITEMS(commands); i++) {
        const char *name = commands[i]->name, *blank = strchr(name, ' ');
        char **v = *argv;

        if (blank == NULL) {
            if (strcmp(v[0], name) == 0)
                return commands[i];
        } else if (strlen(v[0]) == (size_t)(blank - name) &&
                   strncmp(v[0], name, strlen(v[0])) == 0 && v[1] != NULL &&
                   strcmp(v[1], blank + 1) == 0) {
            ++*argv;
            return commands[i];
        }
    }
    return NULL;
}

static void
print_relay_usage(FILE *f)
{
    fputs("usage: adit relay COMMAND [OPTION]...\n\n", f);
    for (size_t i = 0; i < ADIT_CLI_NITEMS(commands); i++)
        if (strncmp(commands[i]->name, "relay ", 6) == 0)
            fprintf(f, "  %-15s %s\n", commands[i]->name,
                    commands[i]->summary);
}

/* `second` is what follows; NULL: nothing. */
static int
unknown(const char *first, const char *second)
{
    const char *words[ADIT_CLI_NITEMS(commands)], *near;
    char word[64];

    if (strcmp(first, "relay") == 0 && second == NULL) {
        print_relay_usage(stderr);
        return ADIT_CLI_USAGE;
    }
    snprintf(word, sizeof(word), "%s%s%s", first,
             strcmp(first, "relay") == 0 ? " " : "",
             strcmp(first, "relay") == 0 ? second : "");
    for (size_t i = 0; i < ADIT_CLI_NITEMS(commands); i++)
        words[i] = commands[i]->name;
    near = adit_cli_nearest(word, words, ADIT_CLI_NITEMS(words));
    fprintf(stderr, "adit: unknown command %s", word);
    if (near != NULL)
        fprintf(stderr, ": did you mean %s?", near);
    fputs("  (adit help)\n", stderr);
    return ADIT_CLI_USAGE;
}

static int
help(struct adit_cli *c, char **argv)
{
    char flag[] = "--help";
    char *args[] = { NULL, flag, NULL };
    const struct adit_cli_command *cmd;

    if (argv[0] == NULL) {
        print_usage(stdout);
        return ADIT_CLI_OK;
    }
    if (strcmp(argv[0], "relay") == 0 && argv[1] == NULL) {
        print_relay_usage(stdout);
        return ADIT_CLI_OK;
    }
    cmd = find(&argv);
    if (cmd == NULL)
        return unknown(argv[0], argv[1]);
    args[0] = argv[0];
    cmd->run(c, cmd, args);
    return ADIT_CLI_OK;
}

static int
run(struct adit_cli *c, char **argv)
{
    const struct adit_cli_command *cmd;
    int code;

    if (argv[0] == NULL) {
        print_usage(stderr);
        return ADIT_CLI_USAGE;
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
        strcmp(argv[0], "-h") == 0)
        return help(c, argv + 1);
    if (strcmp(argv[0], "version") == 0 || strcmp(argv[0], "--version") == 0) {
        printf("adit %s\n", adit_version());
        return ADIT_CLI_OK;
    }
    if (strcmp(argv[0], "relay") == 0 && argv[1] != NULL &&
        (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
         strcmp(argv[1], "-h") == 0)) {
        print_relay_usage(stdout);
        return ADIT_CLI_OK;
    }
    cmd = find(&argv);
    if (cmd == NULL)
        return unknown(argv[0], argv[1]);
    code = cmd->run(c, cmd, argv);
    return code < 0 ? ADIT_CLI_OK : code;
}

int
main(int argc, char **argv)
{
    struct adit_cli c;
    int code;

    signal(SIGPIPE, SIG_IGN);
    adit_cli_init(&c);
    code = argc > 0 ? run(&c, argv + 1) : ADIT_CLI_USAGE;
    adit_cli_fini(&c);
    /* An earlier write may have failed, and a half table looks like one. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == ADIT_CLI_OK)
        code = ADIT_CLI_STREAM;
    return code;
}
