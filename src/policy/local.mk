# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_policy_libpolicy_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libpolicy.la
src_policy_libpolicy_la_CFLAGS = $(RING_CFLAGS)
src_policy_libpolicy_la_SOURCES =
src_policy_libpolicy_la_SOURCES += %D%/budget.c %D%/budget.h
src_policy_libpolicy_la_SOURCES += %D%/prefix.h
src_policy_libpolicy_la_SOURCES += %D%/rate.c %D%/rate.h
src_policy_libpolicy_la_SOURCES += %D%/rsvp.c %D%/rsvp.h
src_policy_libpolicy_la_SOURCES += %D%/rule.c %D%/rule.h
src_policy_libpolicy_la_SOURCES += %D%/acl.c %D%/acl.h
src_policy_libpolicy_la_SOURCES += %D%/asn.c %D%/asn.h
src_policy_libpolicy_la_SOURCES += %D%/caps.c %D%/caps.h
src_policy_libpolicy_la_SOURCES += %D%/class.c %D%/class.h
src_policy_libpolicy_la_SOURCES += %D%/pace.c %D%/pace.h
src_policy_libpolicy_la_SOURCES += %D%/account.c %D%/account.h
