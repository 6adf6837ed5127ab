# SPDX-License-Identifier: Apache-2.0 OR MIT
# The service files are what systemd takes, and leave little open.
. "${0%/*}/lib.sh"

service=$abs_top_builddir/contrib/systemd/aditd.service
socket=$abs_top_srcdir/contrib/systemd/aditd.socket

# Of 100; below 30 systemd says OK.
EXPOSURE=25

# verify FILE...: systemd has nothing to say of these.
verify() {
    local out f
    rm -rf "$plant/units"
    mkdir -p "$plant/units"
    for f in "$@"; do
        # What is not installed here cannot be started here.
        sed -e "s|^ExecStart=[^ ]*|ExecStart=/bin/true|" "$f" \
            >"$plant/units/${f##*/}"
    done
    # It also complains of units of the machine's own.
    out=$(systemd-analyze verify --man=no "$plant"/units/* 2>&1 |
        grep -F aditd)
    [ -z "$out" ] || {
        echo "$out"
        return 1
    }
}

secure() {
    systemd-analyze security --offline=yes --no-pager \
        --threshold="$EXPOSURE" "$1"
}

if ! command -v systemd-analyze >/dev/null; then
    skip "the service files" "systemd-analyze not found"
    finish
    exit
fi
clean "systemd takes aditd.service and aditd.socket" verify "$service" "$socket"
clean "aditd.service is exposed to less than $EXPOSURE of 100" secure "$service"

put aditd.service <<<"$(sed 's/^Restart=.*/Restart=often/' "$service")"
finds "a word that systemd does not know" 'often' \
    verify "$plant/aditd.service" "$socket"
put open/aditd.service <<<"$(sed '/^Protect\|^Restrict\|^SystemCall/d' \
    "$service")"
finds "a service without its fences" 'aditd' secure "$plant/open/aditd.service"
finish
