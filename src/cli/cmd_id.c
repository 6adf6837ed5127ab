/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_FILE "adit.key"

static int
run(struct adit_cli *c, const struct adit_cli_command *self, char **argv)
{
    char peer[ADIT_PEER_ID_BYTES];
    const char *pos[1], *file;
    adit_key *key = NULL;
    bool is_new = false;
    adit_err e;
    int code = adit_cli_parse(c, self, NULL, 0, argv, pos, 0, 1);

    if (code != ADIT_CLI_OK)
        return code;
    file = pos[0] != NULL ? pos[0] : DEFAULT_FILE;
    e = adit_key_load(file, &key);
    if (e == ADIT_EIO && errno == ENOENT) {
        e = adit_key_new(&key);
        if (e == ADIT_OK)
            e = adit_key_save(key, file);
        is_new = true;
    }
    if (e == ADIT_EIO)
        adit_cli_error(c, "%s: %s", file, strerror(errno));
    else if (e == ADIT_EINVAL)
        adit_cli_error(c,
                       "%s is not a private key as libp2p keeps them "
                       "(Ed25519)",
                       file);
    else if (e != ADIT_OK)
        adit_cli_fail(c, file, e, NULL);
    if (e == ADIT_OK) {
        adit_key_peer_id(key, peer);
        adit_cli_note(c, "%s %s", is_new ? "made" : "read", file);
        adit_cli_text(c, "%s", peer);
        adit_cli_event(c, json_pack("{s:s,s:s,s:s,s:b}", "event", "id", "id",
                                    peer, "file", file, "made", is_new));
    }
    adit_key_free(key);
    return e == ADIT_OK ? c->code : ADIT_CLI_LOCAL;
}

const struct adit_cli_command adit_cli_cmd_id = {
    "id",
    "[FILE]",
    "make or show an identity",
    "Print the peer id of the private key in FILE (" DEFAULT_FILE "); make it "
    "first, with\nmode 0600, if there is none.  The file is as libp2p keeps "
    "it.",
    run,
    false,
};
