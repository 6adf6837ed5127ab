# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
aditd: reload, log, watchdog, sockets, confinement, privileges, fail2ban.
"""
import ctypes
import fcntl
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import time

from world import (LONG, PEER, SHORT, SLOW, UNLIMITED, WRAP, Failed, Proc,
                   Skipped, case, check, circuit, equal, feed, for_others,
                   given, noise, of_relay, read_exactly, refuses, rows)


@case("reload: what changed is logged and takes effect, the level too")
def _(w):
    p, addr, f = of_relay(w, "[circuit]\nmax = 7\n[yamux]\n"
                          "window_max = 1MiB\n[class.old]\npeers_file =\n"
                          "day_bytes = 1GiB\n")
    w.write("aditd.conf", "[circuit]\nmax = 9\n[yamux]\nwindow_max = 2MiB\n"
            "[class.vip]\nday_bytes = 2GiB\n[log]\nformat = json\n")
    p.signal(signal.SIGHUP)
    p.expect("config.reloaded")
    got = {e["option"]: (e["from"], e["to"], e["when"]) for e in p.events
           if e["event"] == "config.changed"}
    equal(got, {"circuit.max": ("7", "9", "reload"),
                "yamux.window_max": ("1MiB", "2MiB", "start"),
                "class.vip.day_bytes": ("", "2GiB", "reload"),
                "class.old.day_bytes": ("1GiB", "", "reload"),
                "log.format": ("text", "json", "reload")}, "changes")
    w.adit("ping", addr, "-n", "1").exits(0)
    # Again, unchanged: nothing to tell.
    before = p.count()
    p.signal(signal.SIGHUP)
    equal(int(p.expect("config.reloaded", after=before)["changed"]), 0,
          "changed")
    p.signal(signal.SIGTERM)
    p.exits(0)
    check(any(x.startswith('{"ts":') and '"event":"node.end"' in x
              for x in p.lines), "not JSON" + p.tail())


@case("reload: a bad file changes nothing, and the line is named")
def _(w):
    p, addr, f = of_relay(w, "[circuit]\nmax = 7\n")
    w.write("aditd.conf", "[circuit]\nmax = 9\n[reservation]\nttl = 5\n"
            "tll = 5min\n")
    p.signal(signal.SIGHUP)
    p.expect("config.refused",
             test=lambda e: e["text"].startswith(f"{f}:4: reservation.ttl"))
    p.expect("config.refused",
             test=lambda e: e["text"].startswith(f"{f}:5: unknown option"))
    check(not any(e["event"] in ("config.changed", "config.reloaded")
                  for e in p.events), "it changed" + p.tail())
    w.adit("ping", addr, "-n", "1").exits(0)
    # Mended, the difference is to what is in force.
    w.write("aditd.conf", "[circuit]\nmax = 8\n")
    p.signal(signal.SIGHUP)
    e = p.expect("config.changed")
    equal((e["option"], e["from"], e["to"]), ("circuit.max", "7", "8"), "diff")


@case("reload: a file that is gone changes nothing")
def _(w):
    p, addr, f = of_relay(w, "[circuit]\nmax = 7\n")
    os.unlink(f)
    p.signal(signal.SIGHUP)
    p.expect("config.refused", test=lambda e: "No such file" in e["text"])
    w.adit("ping", addr, "-n", "1").exits(0)


@case("reload: what does not go together changes nothing, and is named")
def _(w):
    p, _addr, f = of_relay(w, "[announce]\n"
                           "addresses = /ip4/192.0.2.1/tcp/1\n")
    addr = p.expect("node.ready",
                    test=lambda e: "/127.0.0.1/" in e["addr"])["addr"]
    w.write("aditd.conf", "[announce]\naddresses = /ip4/192.0.2.1/tcp/x\n")
    p.signal(signal.SIGHUP)
    p.expect("config.refused",
             test=lambda e: e["text"].startswith(f"{f}:2: announce.addresses"))
    w.adit("ping", addr, "-n", "1").exits(0)


@case("secrets: a relative name is found where credentials are")
def _(w):
    os.mkdir(w.path("creds"))
    p = w.adit("id", w.path("creds/relay.key"))
    p.exits(0)
    os.chmod(w.path("creds/relay.key"), 0o440)
    w.write("creds/token", "secret")
    env = {"CREDENTIALS_DIRECTORY": w.path("creds")}
    q = w.aditd("--identity.file=relay.key", "--admission.token_file=token",
                "--access.deny_file=none", "--print-config", env=env)
    q.exits(0)
    for line in (f"file = {w.path('creds/relay.key')}",
                 f"token_file = {w.path('creds/token')}", "deny_file = none"):
        check(line in q.lines, f"no line '{line}'" + q.tail())
    q, addr = w.relay("--identity.file=relay.key", env=env)
    check(addr.endswith(p.lines[0]), "another identity")
    check(not any(e["event"] == "identity.exposed" for e in q.events),
          "warned of")


@case("log: JSON, an object a line, and what is quoted stays inside")
def _(w):
    p, addr = w.relay("--log.format=json", "--announce.private=yes")
    w.adit("ping", addr, "-n", "1").exits(0)
    p.signal(signal.SIGTERM)
    p.exits(0)
    for line in p.lines:
        e = json.loads(line)
        check(list(e)[:3] == ["ts", "level", "event"], line)
    e = p.expect("node.start")
    check(isinstance(e["descriptors"], int), "a number is no number")
    check("anybody who can" in p.expect("relay.public")["text"], "text")


class Unread:
    """aditd whose stderr nobody reads."""

    def __init__(self, w, *args):
        self.r, side = os.pipe()
        fcntl.fcntl(side, fcntl.F_SETPIPE_SZ, 4096)
        full = dict(os.environ, LC_ALL="C", ADITD_LEDGER_BACKEND="none",
                    ADITD_ADMIN_SOCKET="")
        self.p = subprocess.Popen(
            [os.path.join(w.build, "aditd"), *args], cwd=w.dir, stderr=side,
            stdin=subprocess.DEVNULL, env=full, start_new_session=True)
        self.argv, self.lines = ["aditd"], []
        os.close(side)
        w.procs.append(self)

    def until(self, text):
        """Read up to the line that has it."""
        got = b""
        end = time.monotonic() + SHORT
        while True:
            at = got.find(text)
            if at >= 0 and b"\n" in got[at:]:
                return got.decode()
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.r], [], [], left)[0]:
                raise Failed(f"no {text} in {got[-2000:]!r}")
            part = os.read(self.r, 65536)
            check(part, f"it ended, and no {text}")
            got += part

    def name(self):
        return "aditd, unread"

    def tail(self):
        return ""

    def end(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()
        os.close(self.r)


@case("log: nobody reads stderr, and the relay serves and ends all the same")
def _(w):
    if WRAP:
        raise Skipped("not below another program")
    p = Unread(w, f"--identity.file={w.path('k')}", "--log.level=debug",
               "--listen.tcp=/ip4/127.0.0.1/tcp/0", "--announce.private=yes")
    text = p.until(b"node.ready")
    addr = re.search(r"node\.ready addr=(\S+)", text).group(1)
    # The pipe holds a page: this is more.
    for _i in range(20):
        w.adit("ping", addr, "-n", "1").exits(0)
    w.adit("relay", "probe", addr).exits(0, LONG)
    p.p.send_signal(signal.SIGTERM)
    began = time.monotonic()
    equal(p.p.wait(SHORT), 0, "exit code")
    check(time.monotonic() - began < 5 * SLOW, "it took its time")


@case("log: what a reader was too slow for is counted")
def _(w):
    program = os.path.join(w.build, "tests/integ/churn")
    if not os.access(program, os.X_OK) or WRAP:
        raise Skipped("it is not built, or below another program")
    p = Unread(w, f"--identity.file={w.path('k')}", "--log.level=debug",
               "--listen.tcp=/ip4/127.0.0.1/tcp/0", "--announce.private=yes",
               "--connection.max_per_ip=0", "--handshake.max_per_ip=0",
               "--reservation.max_per_ip=0", "--reservation.per_hour_ip=0",
               "--reservation.grace=0")
    text = p.until(b"node.ready")
    addr = re.search(r"node\.ready addr=(\S+)", text).group(1)
    Proc(w, [program, addr, "6000", "16"]).exits(0, 540)
    n = int(re.search(r"log\.dropped n=(\d+)", p.until(b"log.dropped")
                      ).group(1))
    check(n > 0, f"dropped {n}")
    w.adit("relay", "probe", addr).exits(0, LONG)


class Manager:
    """The socket that a service manager is told things by."""

    def __init__(self, w, abstract=False):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = w.path("notify")
        self.s.bind("\0" + path if abstract else path)
        self.name = "@" + path if abstract else path
        self.got = []

    def expect(self, text, seconds=SHORT):
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"no {text!r} but {self.got[-10:]}")
            self.s.settimeout(left)
            try:
                self.got.append(self.s.recv(4096).decode())
            except TimeoutError:
                continue
            if text in self.got[-1].split("\n"):
                return self.got[-1]

    def drain(self):
        self.s.setblocking(False)
        try:
            while True:
                self.s.recv(4096)
        except BlockingIOError:
            pass


for _abstract in (False, True):
    @case("service manager: told of ready, reload and end, by a socket "
          + ("without a name" if _abstract else "with a path"))
    def _(w, abstract=_abstract):
        m = Manager(w, abstract)
        p, _addr, f = of_relay(w, "[circuit]\nmax = 7\n",
                               env={"NOTIFY_SOCKET": m.name})
        m.expect("READY=1")
        p.signal(signal.SIGHUP)
        text = m.expect("RELOADING=1")
        check(re.search(r"^MONOTONIC_USEC=\d+$", text, re.M), text)
        m.expect("READY=1")
        w.write("aditd.conf", "[circuit]\nmax = x\n")
        p.signal(signal.SIGHUP)
        m.expect("RELOADING=1")
        check(f"STATUS=Not reloaded: {f}:2: " in m.expect("READY=1"),
              "no reason")
        p.signal(signal.SIGTERM)
        m.expect("STOPPING=1")
        p.exits(0)


class Frozen:
    """A thread that does not turn."""

    def __init__(self, tid):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.tid = tid
        self.call(0x4206)  # PTRACE_SEIZE
        self.call(0x4207)  # PTRACE_INTERRUPT
        os.waitpid(tid, 0x40000000)  # __WALL

    def call(self, what):
        if self.libc.ptrace(what, self.tid, None, None) != 0:
            raise Skipped("no ptrace: " + os.strerror(ctypes.get_errno()))

    def thaw(self):
        self.call(17)  # PTRACE_DETACH


def thread_of(p, name):
    for tid in os.listdir(f"/proc/{p.p.pid}/task"):
        with open(f"/proc/{p.p.pid}/task/{tid}/comm", encoding="ascii") as f:
            if f.read().strip() == name:
                return int(tid)
    raise Failed(f"no thread {name}")


@case("watchdog: fed while the worker turns, and only then")
def _(w):
    if WRAP:
        raise Skipped("not below another program")
    m = Manager(w)
    p, addr = w.relay(env={"NOTIFY_SOCKET": m.name, "WATCHDOG_USEC": "400000"})
    for _i in range(3):
        m.expect("WATCHDOG=1")
    frozen = Frozen(thread_of(p, "adit"))
    m.drain()
    try:
        # One that was on its way may still come.
        m.expect("WATCHDOG=1", 1)
        m.expect("WATCHDOG=1", 2)
        fed = True
    except Failed:
        fed = False
    frozen.thaw()
    check(not fed, "fed though its worker stood still")
    m.expect("WATCHDOG=1")
    w.adit("ping", addr, "-n", "1").exits(0)


@case("watchdog: another process's is no concern of ours")
def _(w):
    m = Manager(w)
    p, _addr = w.relay(env={"NOTIFY_SOCKET": m.name, "WATCHDOG_USEC": "20000",
                            "WATCHDOG_PID": "1"})
    m.expect("READY=1")
    p.signal(signal.SIGHUP)
    p.expect("config.reloaded")
    p.signal(signal.SIGTERM)
    m.expect("STOPPING=1")
    check(not any("WATCHDOG=1" in x for x in m.got), "fed")


@case("socket activation: the relay listens on what it was given")
def _(w):
    with socket.socket() as s, socket.socket(socket.AF_INET,
                                             socket.SOCK_DGRAM) as u:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        p = given(w, [s, u], "relay:odd",
                  f"--listen.tcp=/ip4/127.0.0.1/tcp/{port}")
        addr = p.expect("node.ready")["addr"]
        equal(p.expect("socket.unfit")["n"], "1", "unfit")
        check(f"/ip4/127.0.0.1/tcp/{port}/" in addr, addr)
        w.adit("ping", addr, "-n", "1").exits(0)
        # It ends, somebody dials, it comes again: he is answered.
        p.signal(signal.SIGTERM)
        p.exits(0)
        c = w.adit("ping", addr, "-n", "1", "--timeout", "20s")
        q = given(w, [s], "relay", f"--listen.tcp=/ip4/127.0.0.1/tcp/{port}")
        q.expect("node.ready")
        c.exits(0, LONG)


def status_of(p, tid=None):
    path = f"/proc/{p.p.pid}/" + (f"task/{tid}/" if tid else "") + "status"
    with open(path, encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


@case("confined: every thread, and the relay serves, resolves and reloads")
def _(w):
    if WRAP:
        raise Skipped("not below another program")
    p, addr, _f = of_relay(w, "[circuit]\nmax = 7\n")
    e = p.expect("node.confined")
    if "sanitized" in e.get("why", ""):
        raise Skipped("a sanitized build is not confined")
    equal((e["seccomp"], e["exec"]), ("yes", "kill"), "seccomp")
    for tid in os.listdir(f"/proc/{p.p.pid}/task"):
        s = status_of(p, tid)
        equal((s["Seccomp"], s["NoNewPrivs"]), ("2", "1"), f"thread {tid}")
    w.adit("relay", "probe", addr).exits(0, LONG)
    w.write("aditd.conf", "[circuit]\nmax = 8\n")
    p.signal(signal.SIGHUP)
    p.expect("config.changed")
    q, addr = w.relay("--run.confine=no", name="free")
    check(not any(e["event"] == "node.confined" for e in q.events), "confined")
    equal(status_of(q)["Seccomp"], "0", "free")


def ask(path, cmd):
    """One question at the control socket: the rows of its answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(SHORT)
        s.connect(path)
        s.sendall(json.dumps({"cmd": cmd}).encode() + b"\n")
        rows = []
        for line in s.makefile(encoding="utf-8"):
            rows.append(json.loads(line))
            if "done" in rows[-1] or "error" in rows[-1]:
                return rows
    raise Failed(f"{cmd}: no end of {rows}")


@case("reload: asked for at the control socket, and answered there")
def _(w):
    door = w.path("door")
    p, addr, f = of_relay(w, "[circuit]\nmax = 7\n",
                          f"--admin.socket={door}")
    w.write("aditd.conf", "[circuit]\nmax = 9\n[yamux]\nwindow_max = 1MiB\n")
    equal(ask(door, "reload")[0]["reload"]["changed"],
          [{"option": "circuit.max", "from": "7", "to": "9", "when": "reload"},
           {"option": "yamux.window_max", "from": "256KiB", "to": "1MiB",
            "when": "start"}], "changed")
    p.expect("config.reloaded")
    w.write("aditd.conf", "[circuit]\nmaks = 9\n")
    error = ask(door, "reload")[-1]
    check(error.get("what", "").startswith(f"{f}:2: unknown option"),
          str(error))
    rows = {r["option"]: r for r in ask(door, "config")[0]["config"]}
    equal(rows["circuit.max"]["value"], "9", "value")
    equal(rows["circuit.max"]["from"], f"{f}:2", "from")
    # What waits for a restart is told as that.
    equal((rows["yamux.window_max"]["value"],
           rows["yamux.window_max"]["after_restart"]), ("256KiB", "1MiB"),
          "window")
    equal(rows["class.listed.circuit_bytes"]["value"], "1GiB", "class")
    w.adit("ping", addr, "-n", "1").exits(0)


@case("reload: circuits go on over ten of them")
def _(w):
    p, addr, _f = of_relay(w, "[circuit]\nmax = 7\n", *UNLIMITED)
    _l, circuit = w.echo(addr)
    d = w.dial(circuit)
    d.expect("open")
    for i in range(10):
        w.write("aditd.conf", f"[circuit]\nmax = {8 + i}\n")
        before = p.count()
        p.signal(signal.SIGHUP)
        p.expect("config.reloaded", after=before)
        part = noise(100000, i)
        feed(d, part, close=i == 9)
        equal(read_exactly(d, len(part)), part, "echo")
    d.exits(0)


@case("confined: books in SQLite are written and kept, also by run.user")
def _(w):
    if WRAP:
        raise Skipped("not below another program")
    args = []
    if os.geteuid() == 0:
        for_others(w)
        args = ["--run.user=nobody"]
    env = {"ADITD_LEDGER_BACKEND": "sqlite",
           "ADITD_LEDGER_FILE": w.path("books/ledger.db"),
           "ADITD_ADMIN_SOCKET": w.path("run/door")}
    seen = []
    for _i in range(2):
        p, addr = w.relay(*args, env=env)
        w.adit("relay", "probe", addr).exits(0, LONG)
        for tid in os.listdir(f"/proc/{p.p.pid}/task"):
            if p.expect("node.confined")["seccomp"] == "yes":
                equal(status_of(p, tid)["Seccomp"], "2", f"thread {tid}")
        seen.append(len(ask(w.path("run/door"), "usage")))
        p.signal(signal.SIGTERM)
        p.exits(0)
    check(seen[1] > seen[0], f"nothing is kept: {seen} rows")
    if args:
        nobody = pwd.getpwnam("nobody").pw_uid
        equal(os.stat(w.path("books/ledger.db")).st_uid, nobody, "owner")
        equal(os.stat(w.path("books")).st_mode & 0o777, 0o750, "mode")


@case("the control socket's default place is no reason not to start")
def _(w):
    if os.geteuid() == 0 and not WRAP and os.path.exists("/run/adit"):
        raise Skipped("/run/adit is there")
    if os.geteuid() == 0:
        raise Skipped("root would make it")
    p = w.aditd(f"--identity.file={w.path('k')}", "--announce.private=yes",
                "--listen.tcp=/ip4/127.0.0.1/tcp/0",
                env={"ADITD_ADMIN_SOCKET": None})
    p.expect("node.ready")
    p.expect("admin.none")


@case("privileges: root becomes run.user for good, with a port below 1024")
def _(w):
    if os.geteuid() != 0 or WRAP:
        raise Skipped("not root, or below another program")
    for_others(w)
    for port in range(1023, 900, -1):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
    else:
        raise Skipped("no port below 1024 is free")
    p, addr = w.relay("--run.user=nobody",
                      listen=f"/ip4/127.0.0.1/tcp/{port}")
    nobody = pwd.getpwnam("nobody")
    for tid in os.listdir(f"/proc/{p.p.pid}/task"):
        s = status_of(p, tid)
        equal(set(s["Uid"].split()), {str(nobody.pw_uid)}, "uid")
        equal(set(s["Gid"].split()), {str(nobody.pw_gid)}, "gid")
        check("0" not in s["Groups"].split(), "a group of root's")
        equal((s["CapEff"], s["CapPrm"]), ("0" * 16, "0" * 16), "capabilities")
        equal(s["NoNewPrivs"], "1", "no_new_privs")
    p.expect("node.dropped")
    check(not any(e["event"] == "node.root" for e in p.events), "node.root")
    equal(os.stat(w.path("relay.key")).st_uid, 0, "owner of the key")
    w.adit("relay", "probe", addr).exits(0, LONG)


@case("privileges: a user that is none, or root, is refused")
def _(w):
    if os.geteuid() != 0:
        raise Skipped("not root")
    key = f"--identity.file={w.path('k')}"
    refuses(w, 78, "there is no user 'nobody-here'", key,
            "--run.user=nobody-here")
    refuses(w, 78, "'root' is root", key, "--run.user=root")
    refuses(w, 78, "there is no group", key, "--run.user=nobody",
            "--run.group=no-such")


@case("ledger: a folder that cannot be written is named, exit code 73")
def _(w):
    w.write("file", "")
    refuses(w, 73, "ledger.file: " + w.path("file/x"),
            f"--identity.file={w.path('k')}", "--ledger.backend=sqlite",
            f"--ledger.file={w.path('file/x/ledger.db')}",
            "--listen.tcp=/ip4/127.0.0.1/tcp/0")

FAIL2BAN = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../contrib/fail2ban/filter.d/aditd.conf")


def failregex():
    """The filter's expressions, as fail2ban reads them."""
    with open(FAIL2BAN, encoding="utf-8") as f:
        text = f.read()
    found = re.search(r"^failregex = (.*(?:\n .*)*)", text, re.M).group(1)
    host = r"(?:\[?(?P<host>\d+(?:\.\d+){3}|[0-9a-fA-F:]+:[0-9a-fA-F:.]*)\]?)"
    return [re.compile(x.strip().replace("<HOST>", host))
            for x in found.split("\n") if x.strip()]


def banned(line):
    for r in failregex():
        m = r.search(line)
        if m:
            return m.group("host")
    return None


@case("fail2ban: the filter finds who was refused, in text and in JSON")
def _(w):
    addrs = "/ip4/127.0.0.1/tcp/0"
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        addrs += ",/ip6/::1/tcp/0"
    for form in ("text", "json"):
        p, _addr = w.relay(f"--log.format={form}", listen=addrs)
        for a in [e["addr"] for e in p.events if e["event"] == "node.ready"]:
            before = p.count()
            w.adit("dial", f"{a}/p2p-circuit/p2p/{PEER}").exits(4)
            e = p.expect("relay.refused", after=before)
            with p.cond:
                line = next(x for x in reversed(p.lines)
                            if "relay.refused" in x)
            want = "127.0.0.1" if a.startswith("/ip4") else "::1"
            equal(banned(line), want, line)
            check(want in e["addr"], e["addr"])
            equal(banned(f"Nov 26 05:00:00 host aditd[7]: {line}"), want,
                  "in a journal")
        p.end()


@case("fail2ban: who is refused before he says who he is, is found too")
def _(w):
    front = "2026-11-26T05:00:00.000Z info "
    rest = " rule=connections_per_ip value=64 limit=64 retry_s=0 n=1"
    for addr, want in (("192.0.2.7:4711", "192.0.2.7"),
                       ("[2001:db8::7]:4711", "2001:db8::7")):
        equal(banned(front + f'relay.refused peer="" addr={addr}' + rest),
              want, "text")
        equal(banned('{"ts":"2026-11-26T05:00:00.000Z","level":"info",'
                     '"event":"relay.refused","peer":"","addr":"' + addr +
                     '","rule":"x","value":1}'), want, "JSON")
    del w


@case("fail2ban: its own program finds the same")
def _(w):
    program = shutil.which("fail2ban-regex")
    if not program:
        raise Skipped("no fail2ban-regex")
    front, rest = "relay.refused peer=", " rule=x value=0 limit=0 retry_s=0 n=1"
    f = w.write("log", "".join(x + "\n" for x in (
        f'2026-11-26T05:00:01.000Z info {front}"" addr=192.0.2.1:1{rest}',
        f"2026-11-26T05:00:02.000Z info {front}x addr=[2001:db8::2]:1{rest}",
        '{"ts":"2026-11-26T05:00:03.000Z","level":"info","event":'
        '"relay.refused","peer":"","addr":"192.0.2.3:1","rule":"x"}',
        f"Nov 26 05:00:04 host aditd[7]: {front}x addr=192.0.2.4:1{rest}",
        f"2026-11-26T05:00:05.000Z info {front}x addr=192.0.2.0/24{rest}")))
    p = Proc(w, [program, "--print-all-matched", f, FAIL2BAN])
    p.exits(0, LONG)
    p.says("5 lines, 0 ignored, 4 matched, 1 missed")


@case("fail2ban: a stranger's text bans nobody else")
def _(w):
    front = "2026-11-26T05:00:00.000Z info "
    for line in (
            front + 'peer.seen agent="relay.refused peer=x addr=192.0.2.9:1 '
            'rule=y"',
            front + 'relay.refused peer="x addr=192.0.2.9:1" '
            'addr=192.0.2.0/24 rule=y',
            front + "relay.refused peer=x addr= rule=y",
            '{"ts":"2026","level":"info","event":"x","agent":"\\"event\\":'
            '\\"relay.refused\\",\\"addr\\":\\"192.0.2.9:1\\""}'):
        equal(banned(line), None, line)
    del w


@case("log: started without a stderr, nothing else is sent the log")
def _(w):
    p = w.aditd(f"--identity.file={w.path('k')}", "--http.listen=",
                "--listen.tcp=/ip4/127.0.0.1/tcp/0",
                under=("sh", "-c", 'exec "$@" 2>&-', "sh"))
    end = time.monotonic() + SHORT
    while not os.path.exists(w.path("k")):
        check(time.monotonic() < end, "it does not start")
        select.select([], [], [], 0.02)
    equal(os.readlink(f"/proc/{p.p.pid}/fd/2"), "/dev/null", "its stderr")
    p.signal(signal.SIGTERM)
    p.exits(0)
