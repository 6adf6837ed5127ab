# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: adit_SOURCES += %D%/cmd_x.c
bin_PROGRAMS += adit
adit_SOURCES =
adit_SOURCES += %D%/main.c %D%/cli.h
adit_SOURCES += %D%/args.c
adit_SOURCES += %D%/join.c %D%/join.h
adit_SOURCES += %D%/loop.c %D%/loop.h
adit_SOURCES += %D%/node.c
adit_SOURCES += %D%/say.c
adit_SOURCES += %D%/target.c %D%/target.h
adit_SOURCES += %D%/cmd_dial.c
adit_SOURCES += %D%/cmd_id.c
adit_SOURCES += %D%/cmd_listen.c
adit_SOURCES += %D%/cmd_ping.c
adit_SOURCES += %D%/cmd_relay.c
