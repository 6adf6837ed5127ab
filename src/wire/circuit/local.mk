# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_wire_libwire_la_SOURCES += %D%/x.c %D%/x.h
src_wire_libwire_la_SOURCES += %D%/hop_cli.h %D%/hop_srv.h %D%/io.h
src_wire_libwire_la_SOURCES += %D%/status.h %D%/stop_cli.h %D%/stop_srv.h
