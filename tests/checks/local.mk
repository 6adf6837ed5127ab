# SPDX-License-Identifier: Apache-2.0 OR MIT
# The checkers on the tree, and each checker on a planted fault.
