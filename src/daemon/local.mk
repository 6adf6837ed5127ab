# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_daemon_libdaemon_la_SOURCES += %D%/x.c %D%/x.h
# All but main.c is an archive of its own, for the tests.
bin_PROGRAMS += aditd
aditd_SOURCES = %D%/main.c
noinst_LTLIBRARIES += %D%/libdaemon.la
src_daemon_libdaemon_la_CFLAGS = $(AM_CFLAGS)
src_daemon_libdaemon_la_SOURCES = %D%/daemon.h
src_daemon_libdaemon_la_SOURCES += %D%/conf.c %D%/conf.h
src_daemon_libdaemon_la_SOURCES += %D%/confine.c %D%/confine.h
src_daemon_libdaemon_la_SOURCES += %D%/help.c %D%/help.h
src_daemon_libdaemon_la_SOURCES += %D%/json.c %D%/json.h
src_daemon_libdaemon_la_SOURCES += %D%/logger.c %D%/logger.h
src_daemon_libdaemon_la_SOURCES += %D%/notify.c %D%/notify.h
src_daemon_libdaemon_la_SOURCES += %D%/privs.c %D%/privs.h
src_daemon_libdaemon_la_SOURCES += %D%/reload.c
src_daemon_libdaemon_la_SOURCES += %D%/serve.c
src_daemon_libdaemon_la_SOURCES += %D%/settings.c %D%/settings.h
