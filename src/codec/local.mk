# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_codec_libcodec_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libcodec.la
src_codec_libcodec_la_CFLAGS = $(RING_CFLAGS)
src_codec_libcodec_la_SOURCES =
src_codec_libcodec_la_SOURCES += %D%/basex.c %D%/basex.h
src_codec_libcodec_la_SOURCES += %D%/envelope.c %D%/envelope.h
src_codec_libcodec_la_SOURCES += %D%/key.c %D%/key.h
src_codec_libcodec_la_SOURCES += %D%/maddr.c %D%/maddr.h
src_codec_libcodec_la_SOURCES += %D%/maddr_text.c %D%/maddr_text.h
src_codec_libcodec_la_SOURCES += %D%/multihash.c %D%/multihash.h
src_codec_libcodec_la_SOURCES += %D%/pb.c %D%/pb.h
src_codec_libcodec_la_SOURCES += %D%/peerid.c %D%/peerid.h
src_codec_libcodec_la_SOURCES += %D%/record.c %D%/record.h
src_codec_libcodec_la_SOURCES += %D%/uvarint.c %D%/uvarint.h
