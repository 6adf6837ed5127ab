# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_base_libbase_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libbase.la
src_base_libbase_la_CFLAGS = $(RING_CFLAGS)
src_base_libbase_la_SOURCES =
src_base_libbase_la_SOURCES += %D%/cc.h %D%/list.h %D%/slice.h %D%/time.h
src_base_libbase_la_SOURCES += %D%/chunk.c %D%/chunk.h
src_base_libbase_la_SOURCES += %D%/err.c %D%/err.h
src_base_libbase_la_SOURCES += %D%/heap.c %D%/heap.h
src_base_libbase_la_SOURCES += %D%/log.c %D%/log.h
src_base_libbase_la_SOURCES += %D%/map.c %D%/map.h
src_base_libbase_la_SOURCES += %D%/mem.c %D%/mem.h
src_base_libbase_la_SOURCES += %D%/opt.c %D%/opt.h
src_base_libbase_la_SOURCES += %D%/rng.c %D%/rng.h
src_base_libbase_la_SOURCES += %D%/secret.c %D%/secret.h
src_base_libbase_la_SOURCES += %D%/civil.c %D%/civil.h
