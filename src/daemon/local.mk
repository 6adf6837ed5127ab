# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: aditd_SOURCES += %D%/x.c %D%/x.h
bin_PROGRAMS += aditd
aditd_SOURCES =
aditd_SOURCES += %D%/main.c %D%/daemon.h
aditd_SOURCES += %D%/conf.c %D%/conf.h
aditd_SOURCES += %D%/confine.c %D%/confine.h
aditd_SOURCES += %D%/help.c %D%/help.h
aditd_SOURCES += %D%/json.c %D%/json.h
aditd_SOURCES += %D%/logger.c %D%/logger.h
aditd_SOURCES += %D%/notify.c %D%/notify.h
aditd_SOURCES += %D%/privs.c %D%/privs.h
aditd_SOURCES += %D%/reload.c
aditd_SOURCES += %D%/serve.c
aditd_SOURCES += %D%/settings.c %D%/settings.h
