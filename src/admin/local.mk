# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_admin_libadmin_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libadmin.la
src_admin_libadmin_la_CFLAGS = $(AM_CFLAGS)
src_admin_libadmin_la_SOURCES =
src_admin_libadmin_la_SOURCES += %D%/admin.h
src_admin_libadmin_la_SOURCES += %D%/gate.c %D%/gate.h %D%/out.c %D%/out.h
src_admin_libadmin_la_SOURCES += %D%/sock.c %D%/sock.h
src_admin_libadmin_la_SOURCES += %D%/head.c %D%/head.h
src_admin_libadmin_la_SOURCES += %D%/web.c %D%/web.h
src_admin_libadmin_la_SOURCES += %D%/proc.c %D%/proc.h
src_admin_libadmin_la_SOURCES += %D%/admin.c
src_admin_libadmin_la_SOURCES += %D%/commands.c
src_admin_libadmin_la_SOURCES += %D%/desk.c %D%/desk.h %D%/job.h
src_admin_libadmin_la_SOURCES += %D%/rows.c
