# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_host_libhost_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libhost.la
src_host_libhost_la_CFLAGS = $(AM_CFLAGS)
src_host_libhost_la_SOURCES =
