# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_admin_libadmin_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libadmin.la
src_admin_libadmin_la_CFLAGS = $(AM_CFLAGS)
src_admin_libadmin_la_SOURCES =
src_admin_libadmin_la_SOURCES += %D%/admin.h
