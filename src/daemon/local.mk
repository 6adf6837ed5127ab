# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: aditd_SOURCES += %D%/x.c %D%/x.h
bin_PROGRAMS += aditd
aditd_SOURCES =
aditd_SOURCES += %D%/main.c
