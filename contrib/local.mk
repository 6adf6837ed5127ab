# SPDX-License-Identifier: Apache-2.0 OR MIT
# What goes with a relay: service, user, folders, and who bans whom.
systemdsystemunit_DATA = %D%/systemd/aditd.service %D%/systemd/aditd.socket
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = %D%/sysusers.d/adit.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = %D%/tmpfiles.d/adit.conf
fail2bandir = $(docdir)/fail2ban
filterdir = $(fail2bandir)/filter.d
dist_filter_DATA = %D%/fail2ban/filter.d/aditd.conf
jaildir = $(fail2bandir)/jail.d
dist_jail_DATA = %D%/fail2ban/jail.d/aditd.conf

EXTRA_DIST += %D%/systemd/aditd.service.in %D%/systemd/aditd.socket
CLEANFILES += %D%/systemd/aditd.service
%D%/systemd/aditd.service: %D%/systemd/aditd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's|@bindir[@]|$(bindir)|' \
	  $(srcdir)/contrib/systemd/aditd.service.in > $@
