# SPDX-License-Identifier: Apache-2.0 OR MIT
# The checkers on the tree, and each checker on planted faults.
checks = %D%/layers.sh %D%/locks.sh %D%/pure.sh %D%/symbols.sh %D%/format.sh \
	%D%/listed.sh %D%/headers.sh %D%/docs.sh %D%/units.sh \
	%D%/relay.sh %D%/watching.sh
TESTS += $(checks)
EXTRA_DIST += $(checks) %D%/lib.sh %D%/installed.sh

# What was installed serves a stranger's program (also part of distcheck).
installcheck-local:
	CC='$(CC)' libdir='$(DESTDIR)$(libdir)' \
	  bindir='$(DESTDIR)$(bindir)' $(BASH_PATH) $(srcdir)/%D%/installed.sh
%D%/relay.log: tests/unit/admin/faked adit
%D%/watching.log: docs/metrics
