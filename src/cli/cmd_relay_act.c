/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* adit relay kick, ban, unban, class, config, reload, drain, undrain: what is
 * done. */
#include "cli/ctl.h"
#include "cli/screen.h"
#include "cli/table.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How often a drain is looked at. */
#define LOOK_S 1

struct act {
    struct adit_cli *c;
    struct adit_cli_ctl ctl;
    const char *socket;
    json_t *row; /* the answer */
};

static void
on_row(void *ctx, json_t *row)
{
    struct act *a = ctx;

    json_decref(a->row);
    a->row = json_incref(row);
    if (a->c->json)
        adit_cli_event(a->c, json_incref(row));
}

/* Connect, unless that is done, and ask (takes `q`). */
static int
ask(struct act *a, json_t *q)
{
    int code = a->ctl.path != NULL && a->ctl.fd >= 0
                   ? ADIT_CLI_OK
                   : adit_cli_ctl_open(&a->ctl, a->c, a->socket);

    if (code == ADIT_CLI_OK)
        return adit_cli_ctl_ask(&a->ctl, q, on_row, a, NULL);
    json_decref(q);
    return code;
}

static int
end(struct act *a, int code)
{
    if (a->ctl.path != NULL)
        adit_cli_ctl_close(&a->ctl);
    json_decref(a->row);
    return code;
}

/* The commands that take a peer id. */
static int
parse_peer(struct act *a, const struct adit_cli_command *self, char **argv,
           const char **pos, size_t n)
{
    const struct adit_cli_arg args[] = { adit_cli_ctl_arg(&a->socket) };

    return adit_cli_parse(a->c, self, args, 1, argv, pos, n, n);
}

static int
run_kick(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct act a = { .c = c };
    const char *pos[1];
    int code = parse_peer(&a, self, argv, pos, 1);

    if (code != ADIT_CLI_OK)
        return code;
    code = ask(&a, json_pack("{s:s,s:s}", "cmd", "kick", "peer", pos[0]));
    if (code == ADIT_CLI_OK)
        adit_cli_text(c, "%s: kicked; connections ended: %" PRId64, pos[0],
                      adit_cli_int(a.row, "connections"));
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_kick = {
    "relay kick",
    "ID",
    "end a peer's connections, circuits and reservation",
    "End the connections, circuits and reservation of the peer ID.  It may "
    "come back;\nadit relay ban keeps it away.",
    run_kick,
    true,
};

static int
run_ban(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct act a = { .c = c };
    const char *pos[1], *for_text = NULL;
    const struct adit_cli_arg args[] = {
        adit_cli_ctl_arg(&a.socket),
        { "for", 'f', ADIT_CLI_TEXT, &for_text, "TIME",
          "for so long: 90s, 10min, 1h, 7d, 4w" },
    };
    int code =
        adit_cli_parse(c, self, args, ADIT_CLI_NITEMS(args), argv, pos, 1, 1);
    int64_t for_s = 0;
    json_t *q;

    if (code != ADIT_CLI_OK)
        return code;
    if (for_text != NULL &&
        (!adit_cli_duration(for_text, &for_s) || for_s == 0)) {
        adit_cli_error(c, "--for: '%s' is no time as 90s, 10min, 1h, 7d, 4w",
                       for_text);
        return ADIT_CLI_USAGE;
    }
    q = json_pack("{s:s,s:s}", "cmd", "ban", "peer", pos[0]);
    if (for_s > 0)
        json_object_set_new(q, "for_s", json_integer(for_s));
    code = ask(&a, q);
    if (code == ADIT_CLI_OK)
        adit_cli_text(c, "%s: banned%s%s", pos[0],
                      for_text != NULL ? " for " : "",
                      for_text != NULL ? for_text : "");
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_ban = {
    "relay ban",
    "ID",
    "kick a peer, and refuse it from now on",
    "Kick the peer ID and refuse its reservations, circuits and connections "
    "from now on,\nor for a time.  With a ledger the ban outlasts a restart.",
    run_ban,
    true,
};

static int
run_unban(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct act a = { .c = c };
    const char *pos[1];
    int code = parse_peer(&a, self, argv, pos, 1);

    if (code != ADIT_CLI_OK)
        return code;
    code = ask(&a, json_pack("{s:s,s:s}", "cmd", "unban", "peer", pos[0]));
    if (code == ADIT_CLI_OK)
        adit_cli_text(c, "%s: not banned", pos[0]);
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_unban = {
    "relay unban",
    "ID",
    "refuse a peer no longer",
    "End the ban of the peer ID.  What deny lists say stays.",
    run_unban,
    true,
};

static int
run_class(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct act a = { .c = c };
    const char *pos[2], *name;
    int code = parse_peer(&a, self, argv, pos, 2);

    if (code != ADIT_CLI_OK)
        return code;
    name = strcmp(pos[1], "-") == 0 ? "" : pos[1];
    code = ask(&a, json_pack("{s:s,s:s,s:s}", "cmd", "class", "peer", pos[0],
                             "class", name));
    if (code == ADIT_CLI_OK)
        adit_cli_text(c, "%s: %s from its next request on", pos[0],
                      name[0] != '\0' ? name : "as the lists say");
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_class = {
    "relay class",
    "ID NAME",
    "put a peer into a class",
    "Put the peer ID into the class NAME from its next request on, whatever "
    "lists say;\n- as NAME: as they say.  With a ledger this outlasts a "
    "restart.  adit relay limits\nlists the classes.",
    run_class,
    true,
};

/* ---- the daemon ---------------------------------------------------------------------- */

/* The value of a setting, so that an empty one is seen. */
static const char *
shown(const json_t *row, const char *key)
{
    const char *text = adit_cli_str(row, key);

    return text[0] != '\0' ? text : "(empty)";
}

static void
print_config(const json_t *answer)
{
    static const struct adit_cli_column cols[] = {
        { "OPTION", "option", false, 20, false, false },
        { "VALUE", "value", false, 20, false, false },
        { "FROM", "from", false, 12, true, false },
        { "", "after_restart", false, 20, false, false },
    };
    struct adit_cli_table t;
    const json_t *row;
    size_t i;

    adit_cli_table_init(&t, cols, ADIT_CLI_NITEMS(cols), false);
    json_array_foreach(answer, i, row)
    {
        char later[1024] = "";

        if (json_object_get(row, "after_restart") != NULL)
            snprintf(later, sizeof(later), "after a restart: %s",
                     shown(row, "after_restart"));
        adit_cli_table_text(&t, adit_cli_str(row, "option"));
        adit_cli_table_text(&t, shown(row, "value"));
        adit_cli_table_text(&t, json_object_get(row, "from") != NULL
                                    ? adit_cli_str(row, "from")
                                    : "default");
        adit_cli_table_text(&t, later);
    }
    adit_cli_table_print(&t, stdout, adit_cli_width(), SIZE_MAX);
    adit_cli_table_fini(&t);
}

static void
print_changes(const json_t *answer)
{
    const json_t *v = json_object_get(answer, "changed"), *row;
    size_t i;

    if (json_array_size(v) == 0)
        puts("nothing changed");
    json_array_foreach(v, i, row) printf(
        "%s: %s -> %s%s\n", adit_cli_str(row, "option"), shown(row, "from"),
        shown(row, "to"),
        strcmp(adit_cli_str(row, "when"), "start") == 0 ? "  (after a restart)"
                                                        : "");
}

static int
run_task(struct adit_cli *c, const struct adit_cli_command *self, char **argv,
         const char *cmd, void (*print)(const json_t *answer))
{
    struct act a = { .c = c };
    int code = parse_peer(&a, self, argv, NULL, 0);

    if (code != ADIT_CLI_OK)
        return code;
    code = ask(&a, json_pack("{s:s}", "cmd", cmd));
    if (code == ADIT_CLI_OK && !c->json)
        print(json_object_get(a.row, cmd));
    return end(&a, code);
}

static int
run_config(struct adit_cli *c, const struct adit_cli_command *self,
           char **argv)
{
    return run_task(c, self, argv, "config", print_config);
}

const struct adit_cli_command adit_cli_cmd_config = {
    "relay config",
    "",
    "the configuration in force",
    "Print the configuration that a running aditd has in force, which after "
    "an edit\nwithout reload is not what its file says.",
    run_config,
    true,
};

static int
run_reload(struct adit_cli *c, const struct adit_cli_command *self,
           char **argv)
{
    return run_task(c, self, argv, "reload", print_changes);
}

const struct adit_cli_command adit_cli_cmd_reload = {
    "relay reload",
    "",
    "read the configuration again",
    "Let a running aditd read its configuration and lists again, and say what "
    "changed.  As\nSIGHUP, but the answer comes here: what is wrong changes "
    "nothing, and the exit code\nis 2.",
    run_reload,
    true,
};

/* ---- draining -------------------------------------------------------------------------- */

static void
describe(void *ctx, char *buf, size_t cap)
{
    const struct act *a = ctx;

    snprintf(buf, cap, "%" PRId64 " reservations, %" PRId64 " circuits left",
             adit_cli_int(a->row, "reservations"),
             adit_cli_int(a->row, "circuits"));
}

static bool
is_draining(const struct act *a)
{
    return strcmp(adit_cli_str(a->row, "state"), "draining") == 0;
}

/* Until it is over; with --json a line each time it is looked at. */
static int
wait_drained(struct act *a)
{
    int code = ADIT_CLI_OK;
    char left[160];

    while (code == ADIT_CLI_OK && is_draining(a)) {
        if (a->c->is_tty && !a->c->json) {
            describe(a, left, sizeof(left));
            fprintf(stderr, "\rdraining: %s\033[K", left);
            fflush(stderr);
        }
        sleep(LOOK_S);
        code = ask(a, json_pack("{s:s}", "cmd", "status"));
    }
    if (a->c->is_tty && !a->c->json)
        fputs("\r\033[K", stderr);
    if (code != ADIT_CLI_OK)
        return code;
    if (strcmp(adit_cli_str(a->row, "state"), "drained") == 0) {
        adit_cli_text(a->c, "drained");
        return ADIT_CLI_OK;
    }
    adit_cli_error(a->c, "it is %s: somebody called it off",
                   adit_cli_str(a->row, "state"));
    return ADIT_CLI_REFUSED;
}

static int
run_drain(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    struct act a = { .c = c };
    bool wait = false;
    const struct adit_cli_arg args[] = {
        adit_cli_ctl_arg(&a.socket),
        { "wait", 'w', ADIT_CLI_FLAG, &wait, NULL,
          "until it is over, at its deadline at the latest" },
    };
    int code =
        adit_cli_parse(c, self, args, ADIT_CLI_NITEMS(args), argv, NULL, 0, 0);
    char left[160];

    if (code != ADIT_CLI_OK)
        return code;
    code = ask(&a, json_pack("{s:s}", "cmd", "drain"));
    if (code == ADIT_CLI_OK && wait) {
        code = wait_drained(&a);
    } else if (code == ADIT_CLI_OK) {
        describe(&a, left, sizeof(left));
        adit_cli_text(c, "draining: %s", left);
    }
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_drain = {
    "relay drain",
    "",
    "take nothing new, and let go of what is there",
    "Refuse what is new, let circuits end, and close reserved connections in "
    "small groups.\nReadiness is false from now on.  With --wait it returns "
    "when all is gone, and aditd\ncan be stopped.",
    run_drain,
    true,
};

static int
run_undrain(struct adit_cli *c, const struct adit_cli_command *self,
            char **argv)
{
    struct act a = { .c = c };
    int code = parse_peer(&a, self, argv, NULL, 0);

    if (code != ADIT_CLI_OK)
        return code;
    code = ask(&a, json_pack("{s:s}", "cmd", "undrain"));
    if (code == ADIT_CLI_OK)
        adit_cli_text(c, "%s", adit_cli_str(a.row, "state"));
    return end(&a, code);
}

const struct adit_cli_command adit_cli_cmd_undrain = {
    "relay undrain",     "",          "take what comes again",
    "Call a drain off.", run_undrain, true,
};
