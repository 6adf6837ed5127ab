# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_ledger_libledger_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libledger.la
src_ledger_libledger_la_CFLAGS = $(AM_CFLAGS)
src_ledger_libledger_la_SOURCES =
src_ledger_libledger_la_SOURCES += %D%/backend.h
src_ledger_libledger_la_SOURCES += %D%/batch.c %D%/batch.h
src_ledger_libledger_la_SOURCES += %D%/clerk.c %D%/clerk.h
src_ledger_libledger_la_SOURCES += %D%/ledger.c %D%/ledger.h
if WITH_RELAY
src_ledger_libledger_la_SOURCES += %D%/schema.c %D%/schema.h
src_ledger_libledger_la_SOURCES += %D%/sqlite.c
src_ledger_libledger_la_SOURCES += %D%/redis.c %D%/redis.h
src_ledger_libledger_la_SOURCES += %D%/redis_work.c
endif
