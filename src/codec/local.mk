# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_codec_libcodec_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libcodec.la
src_codec_libcodec_la_CFLAGS = $(RING_CFLAGS)
src_codec_libcodec_la_SOURCES =
src_codec_libcodec_la_SOURCES += %D%/pb.c %D%/pb.h
