# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_loop_libloop_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libloop.la
src_loop_libloop_la_CFLAGS = $(AM_CFLAGS)
src_loop_libloop_la_SOURCES =
src_loop_libloop_la_SOURCES += %D%/fd.c %D%/fd.h
src_loop_libloop_la_SOURCES += %D%/mailbox.c %D%/mailbox.h
src_loop_libloop_la_SOURCES += %D%/turn.h %D%/worker.c %D%/worker.h
src_loop_libloop_la_SOURCES += %D%/resolve.c %D%/resolve.h
src_loop_libloop_la_SOURCES += %D%/http.c %D%/http.h
