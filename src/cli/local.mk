# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: adit_SOURCES += %D%/cmd_x.c
bin_PROGRAMS += adit
adit_SOURCES =
adit_SOURCES += %D%/main.c
