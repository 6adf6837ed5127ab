# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the documents say is what the programs say.
. "${0%/*}/lib.sh"

docs=$abs_top_srcdir/docs
aditd=$abs_top_builddir/aditd
adit=$abs_top_builddir/adit

# Built without what a relay needs, aditd has another default.
as_relay() {
    if grep -q '^#define ADIT_WITH_RELAY' "$abs_top_builddir/config.h"; then
        cat
    else
        sed -e 's/none|sqlite|redis; default none/none|sqlite|redis; default sqlite/' \
            -e 's/^#backend = none/#backend = sqlite/'
    fi
}
same_man() { diff "$1" <("$aditd" --man | as_relay); }
same_sample() { diff "$1" <("$aditd" --sample-config | as_relay); }

# Every option of every command is in the manual page.
has_options() {
    local page c flag missing=0
    page=$(sed 's/\\-/-/g' "$1")
    for c in id listen dial ping 'relay probe' 'relay status' 'relay peers' \
        'relay circuits' 'relay peer' 'relay limits' 'relay kick' 'relay ban' \
        'relay unban' 'relay class' 'relay usage' 'relay config' \
        'relay reload' 'relay drain' 'relay undrain'; do
        if ! grep -qF -- "${c##* }" <<<"$page"; then
            echo "$c is not in $1"
            missing=1
        fi
        # shellcheck disable=SC2086  # two words
        for flag in $("$adit" help $c | grep -oE '^ +(-., +)?--[a-z]+' |
            grep -oE -- '--[a-z]+'); do
            if ! grep -qF -- "$flag" <<<"$page"; then
                echo "$c: $flag is not in $1"
                missing=1
            fi
        done
    done
    return $missing
}

same_metrics() { diff "$1" <("$abs_top_builddir/docs/metrics"); }

has_example() {
    diff <(sed -n '/^```c$/,/^```$/{/^```/d;p}' "$1") "$docs/examples/hello.c"
}

clean "aditd.8 is what aditd --man prints (make docs)" \
    same_man "$docs/man/aditd.8"
clean "aditd.conf.sample is what aditd --sample-config prints (make docs)" \
    same_sample "$docs/aditd.conf.sample"
clean "METRICS.md is what docs/metrics prints (make docs)" \
    same_metrics "$docs/METRICS.md"
clean "adit.1 has every option" has_options "$docs/man/adit.1"
clean "EMBEDDING.md shows docs/examples/hello.c" has_example "$docs/EMBEDDING.md"

sed '/^\.B circuit\.max$/d' "$docs/man/aditd.8" >"$plant/aditd.8"
finds "a manual page without an option" 'circuit\.max' same_man "$plant/aditd.8"
sed 's/^#max = .*/#max = 1/' "$docs/aditd.conf.sample" >"$plant/sample"
finds "a sample with another default" '#max = 1' same_sample "$plant/sample"
sed '/exec/d' "$docs/man/adit.1" >"$plant/adit.1"
finds "a manual page without a flag" '--exec is not in' \
    has_options "$plant/adit.1"
sed '/^| `adit_paced_circuits`/d' "$docs/METRICS.md" >"$plant/METRICS.md"
finds "a list without a metric" 'adit_paced_circuits' \
    same_metrics "$plant/METRICS.md"
finish
