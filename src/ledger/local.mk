# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_ledger_libledger_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libledger.la
src_ledger_libledger_la_CFLAGS = $(AM_CFLAGS)
src_ledger_libledger_la_SOURCES =
src_ledger_libledger_la_SOURCES += %D%/ledger.h
