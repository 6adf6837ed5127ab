# SPDX-License-Identifier: Apache-2.0 OR MIT
# adit relay against a control socket of fakes: what it prints, in which form,
# and its exit codes; on a terminal too.
. "${0%/*}/lib.sh"

adit=$abs_top_builddir/adit
sock=$plant/s
export ADIT_SOCKET=$sock
id=12D3KooW9pNAk8aiBuGVQtWRdbkLmo5qVL3e2h5UxbN2Nz9ttwiw

mkfifo "$plant/stdin" "$plant/stdout"
"$abs_top_builddir/tests/unit/admin/faked" "$sock" \
    <"$plant/stdin" >"$plant/stdout" &
faked=$!
exec 3>"$plant/stdin" 4<"$plant/stdout"
trap 'exec 3>&-; wait $faked; rm -rf "$plant"' EXIT
read -r -t 60 word <&4 || word=
[ "$word" = ready ]
ok "the fake serves" $?

# says WHAT CODE PATTERN ARGUMENT...: its output, both kinds, has PATTERN.
says() {
    local what=$1 code=$2 pattern=$3 out status
    shift 3
    out=$("$adit" relay "$@" 2>&1)
    status=$?
    [ "$status" -eq "$code" ] && grep -qE -- "$pattern" <<<"$out"
    ok "$what" $? "exit $status, wanted $code and /$pattern/: $out"
}

# json WHAT EXPRESSION ARGUMENT...: of v, the lines of its output as a list.
json() {
    local what=$1 expression=$2 out
    shift 2
    out=$("$adit" relay --json "$@" 2>&1 | "$PYTHON3" -c '
import json, sys
v = [json.loads(line) for line in sys.stdin]
sys.exit(0 if eval(sys.argv[1]) else "not so: %s" % v[:3])' "$expression" 2>&1)
    ok "$what" $? "$out"
}

says "status" 0 '^reservations +500 of 1024$' status
says "a failing ledger is seen" 0 'FAILING since 2023.*disk full' status
json "status for programs" \
    'len(v) == 1 and v[0]["circuits"] == 30 and v[0]["ready"]' status
says "options may stand in front" 0 '^state +ready' --socket "$sock" status
json "every peer" 'len(v) == 1000 and v[0]["circuits_out"] == 5' peers
says "too seldom" 2 'from 10ms to 30s' peers --every 1min
says "peers, not on a terminal: ids are whole" 0 "^$id  anonymous" peers
says "circuits" 0 '^30  12D3KooW.* 1m30s  2m00s  29 B' circuits
json "circuits of one" 'len(v) == 1 and v[0]["id"] == 1' circuits --peer $id
says "one peer" 0 'class +anonymous \(default\)' peer $id
says "limits" 0 'circuit_bytes +anonymous +128 KiB' limits
says "kick" 0 'kicked; connections ended: 3' kick $id
says "ban for a while" 0 'banned for 1h' ban $id --for 1h
says "a time that is none" 2 "is no time" ban $id --for soon
says "unban" 0 'not banned' unban $id
says "class" 0 'slow from its next request on' class $id slow
says "class, as the lists say" 0 'as the lists say' class $id -
says "config" 0 '^relay.enabled +yes +default$' config
says "config: what a restart would change" 0 \
    '^log.level +\(empty\) +/a:7 +after a restart: info$' config
says "reload: what is wrong is said" 2 'aditd.conf:7: unknown option' reload
says "reload: what changed is said" 0 '^log.level: \(empty\) -> debug$' reload
says "a peer that is none" 2 "must be a peer id, not x" kick x
json "what is wrong, for programs" \
    'v[0]["event"] == "error" and v[0]["code"] == "EINVAL"' kick x
says "drain, and wait" 0 '^drained$' drain --wait
says "drained is seen" 0 '^state +drained' status
says "undrain" 0 '^ready$' undrain

says "usage" 0 '^2026-01-01  12D3KooW.*1.18 MiB +89 B' usage
says "usage in CSV is exact" 0 ',1234567,89,0,0,0,4,banned=1 draining=3,' \
    usage --csv --day 2026-01-01
says "usage by month" 0 '^2026-01  ' usage --month
says "a quote in CSV" 0 '"fin, ""in order"""' usage --circuits --csv
json "the largest alone" 'len(v) == 1' usage --top 1
says "a day that is none" 2 "'2026-02-30' is no day" usage --day 2026-02-30
says "a month that is none" 2 "'2026-13' is no month" usage --month=2026-13
says "days and a range do not go together" 2 'one of' \
    usage --day 2026-01-01 --from 2026-01-01

says "no daemon there" 3 'there is no socket' --socket "$plant/none" status
says "a path too long" 2 'socket.s path may have' \
    --socket "$plant/$(printf '%0120d' 0)" status
says "an unknown command" 2 'did you mean relay status' stats
says "no command" 2 'relay undrain'

says "a peer that is no UTF-8 is not everybody" 6 'no UTF-8' \
    circuits --peer $'\xff'
says "nor in usage" 2 'no peer id' usage --peer $'\xff'
"$adit" relay peers >/dev/full 2>&1
[ $? -eq 1 ]
ok "what could not be written is no success" $?

# Another at the door: what it says commands no terminal, and it is not waited
# for when it hangs up.
door=$("$PYTHON3" - "$adit" "$plant/door" 2>&1 <<'EOF'
import json, socket, subprocess, sys
adit, path = sys.argv[1:]
bad = '\x1b]0;x\x07\x1b[2J\u009b31m\x7f'
row = {'peer': bad, 'class': bad, 'state': bad, 'version': bad,
       'listens': [bad, None], 'ledger': {'ok': False, 'why': bad},
       'source': bad, 'why': bad, 'refusals': {bad: 1}, 'may_dial': [None],
       'lasted_us': 2**63 - 1, 'reserved_until_unix_s': -2**63,
       'reload': {'changed': [{'option': bad, 'from': bad, 'to': bad}, 1]}}
done = {'done': True, 'warning': bad}
rows = b''.join(json.dumps(v).encode() + b'\n' for v in (row, done))
no = json.dumps({'error': 'EINVAL', 'what': bad}).encode() + b'\n'
answers = [(rows, 0), (no, 2), (b'\xff\x1b\0\n', 3), (rows[:9], 3), (b'', 3),
           (b'[' * 3000 + b'\n', 3)]
commands = [['status'], ['peers'], ['circuits', '--csv'], ['peer', 'x'],
            ['limits'], ['class', 'x', 'y'], ['config'], ['reload'],
            ['usage'], ['usage', '--circuits']]
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(1)
s.settimeout(60)
for answer, code in answers:
    for command in commands:
        child = subprocess.Popen([adit, 'relay'] + command +
                                 ['--socket', path],
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        c = s.accept()[0]
        c.recv(65536)
        c.sendall(answer)
        c.close()
        out = child.communicate(timeout=60)[0].decode()
        if child.returncode != code or any(
                ch < ' ' and ch not in '\r\n' or '\x7f' <= ch <= '\x9f'
                for ch in out):
            sys.exit('%s: exit %d: %r' % (command, child.returncode, out))
EOF
)
ok "a hostile door" $? "$door"

# A terminal of 70 by 15: refreshed, cut to it, and left as it was.
live=$("$PYTHON3" - "$adit" 2>&1 <<'EOF'
import fcntl, os, pty, re, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 15, 70, 0, 0))
    os.environ['TERM'] = 'xterm'
    os.execv(sys.argv[1], [sys.argv[1], 'relay', 'peers', '--every', '10ms'])
out = b''
told = False
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    out += more
    if out.count(b'\033[H') >= 3 and not told:
        told = True
        os.write(fd, b'\003')
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
text = out.decode()
page = text.split('\033[H')[1].split('\033[J')[0].replace('\033[K', '')
lines = page.rstrip('\r\n').split('\r\n')
after = text.split('\033[?1049l')
faults = []
if status != 0:
    faults.append('exit %d' % status)
if not text.startswith('\033[?1049h\033[?25l') or len(after) != 2 \
        or '\033[?25h' not in after[0] or '\033' in after[1]:
    faults.append('the terminal is not left as it was')
if len(lines) > 14 or max(map(len, lines)) > 70:
    faults.append('%d lines' % len(lines))
if not re.search(r'^12D3KooW\w*\.\.\w+  anonymous', page, re.M) \
        or '9 of 1000' not in page:
    faults.append(page)
sys.exit('; '.join(faults) or 0)
EOF
)
ok "a page on a terminal" $? "$live"
finish
