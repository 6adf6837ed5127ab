# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
What the cases of tests/integ share: programs, their output as events, and
who plays a part beside them.
"""
import collections
import fcntl
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

WRAP = shlex.split(os.environ.get("ADIT_WRAP", ""))

SLOW = 10 if WRAP else int(os.environ.get("ADIT_SLOW", "1"))

SHORT = 10 * SLOW  # what takes milliseconds

LONG = 60 * SLOW   # what moves bytes

CASES = []


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(name):
    def note(fn):
        CASES.append((name, fn))
        return fn
    return note


def check(truth, why):
    if not truth:
        raise Failed(why)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: {got!r}, not {want!r}")


# --- programs ----------------------------------------------------------------

class Proc:
    """A program, its output as lines, and what events these are."""

    def __init__(self, world, argv, stdin=subprocess.DEVNULL, raw=False,
                 env=None, **popen):
        self.argv = argv
        self.cond = threading.Condition()
        self.lines = []
        self.events = []
        self.open = 0
        self.started = time.monotonic()
        full = dict(os.environ, LC_ALL="C")
        full.update(env or {})
        self.p = subprocess.Popen(
            WRAP + argv, cwd=world.dir, stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=full, start_new_session=True,
            **popen)
        world.procs.append(self)
        self.raw = raw
        if not raw:
            self._read(self.p.stdout)
        self._read(self.p.stderr)

    def _read(self, pipe):
        self.open += 1

        def body():
            for line in pipe:
                text = line.decode(errors="replace").rstrip("\n")
                event = parse(text)
                with self.cond:
                    self.lines.append(text)
                    if event:
                        event.setdefault("when", time.monotonic())
                        self.events.append(event)
                    self.cond.notify_all()
            with self.cond:
                self.open -= 1
                self.cond.notify_all()

        threading.Thread(target=body, daemon=True).start()

    def expect(self, kind, seconds=SHORT, test=None, after=0):
        """The first such event, behind the first `after` events."""
        end = time.monotonic() + seconds
        with self.cond:
            while True:
                for e in self.events[after:]:
                    if e.get("event") == kind and (not test or test(e)):
                        return e
                left = end - time.monotonic()
                if left <= 0 or self.open == 0:
                    break
                self.cond.wait(left)
        raise Failed(f"{self.name()}: no {kind}" + self.tail())

    def count(self):
        with self.cond:
            return len(self.events)

    def name(self):
        return " ".join(os.path.basename(self.argv[0]).split() + self.argv[1:])

    def tail(self):
        return "".join(f"\n      | {x[:400]}" for x in self.lines[-15:])

    def wait(self, seconds=SHORT):
        """Its exit code, all output read."""
        try:
            self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name()}: does not end" + self.tail())
        end = time.monotonic() + seconds
        with self.cond:
            while self.open and time.monotonic() < end:
                self.cond.wait(0.1)
        return self.p.returncode

    def exits(self, code, seconds=SHORT):
        got = self.wait(seconds)
        if got != code:
            raise Failed(f"{self.name()}: exit code {got}, not {code}"
                         + self.tail())

    def says(self, text):
        check(any(text in line for line in self.lines),
              f"{self.name()}: does not say '{text}'" + self.tail())

    def signal(self, number):
        self.p.send_signal(number)

    def end(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()


def parse(line):
    if line.startswith("{"):
        try:
            event = json.loads(line)
            return event if isinstance(event, dict) else None
        except ValueError:
            return None
    m = re.match(r"\S+ (error|warn|info|debug) ([a-z_]+\.[a-z_]+)(?: |$)",
                 line)
    if not m:
        return None
    event = {"event": m.group(2), "level": m.group(1)}
    for key, quoted, plain in re.findall(
            r'([a-z0-9_.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line[m.end():]):
        event[key] = quoted or plain
    return event


class World:
    """What one case started, and where."""

    def __init__(self, build, directory):
        self.build = build
        self.dir = directory
        self.procs = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def aditd(self, *args, env=None, under=(), **opts):
        """Nothing of it outside of the case's folder, unless told so.
        `under`: what starts it."""
        full = {"ADITD_LEDGER_BACKEND": "none", "ADITD_ADMIN_SOCKET": ""}
        if WRAP:  # what stands in front needs more than a relay does
            full["ADITD_RUN_CONFINE"] = "no"
        full.update(env or {})
        full = {k: v for k, v in full.items() if v is not None}
        return Proc(self, [*under, os.path.join(self.build, "aditd"), *args],
                    env=full, **opts)

    def adit(self, *args, **opts):
        return Proc(self, [os.path.join(self.build, "adit"), *args], **opts)

    def relay(self, *args, name="relay", listen="/ip4/127.0.0.1/tcp/0",
              **opts):
        p = self.aditd(f"--identity.file={self.path(name + '.key')}",
                       f"--listen.tcp={listen}", "--announce.private=yes",
                       "--log.level=debug", *args, **opts)
        return p, p.expect("node.ready")["addr"]

    def listen(self, relay, *args, **opts):
        p = self.adit("listen", "--relay", relay, "--json", *args, **opts)
        return p, p.expect("reserved")["addr"]

    def echo(self, relay, *args):
        return self.listen(relay, "--echo", *args)

    def dial(self, addr, *args, data=None):
        """A dial whose stdout is for the case to read."""
        p = self.adit("dial", addr, "--json", *args, stdin=subprocess.PIPE,
                      raw=True)
        if data is not None:
            feed(p, data)
        return p

    def end(self):
        for p in reversed(self.procs):
            p.end()


def feed(p, data, close=True):
    def body():
        try:
            p.p.stdin.write(data)
            if close:
                p.p.stdin.close()
            else:
                p.p.stdin.flush()
        except OSError:
            pass  # it went away; what came back tells
    t = threading.Thread(target=body, daemon=True)
    t.start()
    return t


def read_all(p, seconds=LONG):
    """All of its stdout."""
    got = []

    def body():
        while True:
            part = os.read(p.p.stdout.fileno(), 65536)
            if not part:
                return
            got.append(part)
    t = threading.Thread(target=body, daemon=True)
    t.start()
    t.join(seconds)
    check(not t.is_alive(), f"{p.name()}: its output does not end" + p.tail())
    return b"".join(got)


def read_exactly(p, n, seconds=SHORT):
    got = []

    def body():
        left = n
        while left:
            part = os.read(p.p.stdout.fileno(), left)
            if not part:
                return
            got.append(part)
            left -= len(part)
    t = threading.Thread(target=body, daemon=True)
    t.start()
    t.join(seconds)
    check(not t.is_alive(), f"{p.name()}: {n} bytes do not come" + p.tail())
    return b"".join(got)


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def rss_kib(p):
    with open(f"/proc/{p.p.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

UNLIMITED = ("--circuit.data_bytes=0", "--circuit.duration=0")


# --- aditd, said with more --------------------------------------------------

def refuses(world, code, text, *args, **opts):
    p = world.aditd(*args, **opts)
    p.exits(code)
    p.says(text)
    return p


def of_relay(w, text, *args, **opts):
    """A relay of a file that can be written again."""
    f = w.write("aditd.conf", text)
    p, addr = w.relay("-c", f, *args, **opts)
    return p, addr, f


def given(w, socks, names, *args, **opts):
    """A relay that finds these sockets from number 3 on."""
    def place():
        # Out of each other's way first.
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100) for s in socks]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
            os.close(fd)
    env = {"LISTEN_FDS": str(len(socks)), "LISTEN_FDNAMES": names,
           "ADITD_LEDGER_BACKEND": "none", "ADITD_ADMIN_SOCKET": ""}
    p = Proc(w, ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh",
                 os.path.join(w.build, "aditd"),
                 f"--identity.file={w.path('given.key')}",
                 "--announce.private=yes", "--log.level=debug", *args],
             env=env, preexec_fn=place, close_fds=False, **opts)
    return p


def for_others(w):
    """Let another user go through the case's folder."""
    os.chmod(w.dir, 0o755)

PEER = "12D3KooWRz3CrEU22x5up79PRh7XuJL4CzzEwXxPvWcw8FMLiKDE"


class Balancer:
    """Passes connections on to a relay, and says that they are from `ip`."""

    def __init__(self, relay, ip):
        self.port = int(re.search(r"/tcp/(\d+)", relay).group(1))
        self.ip = ip
        self.listener = socket.create_server(("127.0.0.1", 0))
        here = self.listener.getsockname()[1]
        self.addr = relay.replace(f"/tcp/{self.port}/", f"/tcp/{here}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            a, _from = self.listener.accept()
            b = socket.create_connection(("127.0.0.1", self.port))
            b.sendall(proxy_header(self.ip))
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self._pass, args=(x, y),
                                 daemon=True).start()

    @staticmethod
    def _pass(x, y):
        try:
            while True:
                data = x.recv(65536)
                if not data:
                    break
                y.sendall(data)
            y.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (x, y):  # one of the two is gone, and so the other
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def raw(relay, data):
    """All that the relay says to these bytes, up to its closing."""
    port = int(re.search(r"/tcp/(\d+)", relay).group(1))
    got = b""
    with socket.create_connection(("127.0.0.1", port), SHORT) as s:
        s.settimeout(SHORT)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while True:
                part = s.recv(4096)
                if not part:
                    break
                got += part
        except TimeoutError:
            raise
        except OSError:
            pass  # it was thrown out before it had done
    return got


# --- the operator's door -----------------------------------------------------

def rows(w, door, *words):
    """What adit relay answers, line by line."""
    p = w.adit("relay", "--socket", door, "--json", *words)
    p.exits(0)
    return [json.loads(line) for line in p.lines if line.startswith("{")]

# Two hundred peers come from one address, and ask as they like.
OPEN = [f"--{x}=0" for x in (
    "reservation.max_per_ip", "reservation.per_hour", "connection.max_per_ip",
    "reservation.per_hour_ip", "handshake.max_per_ip", "circuit.max_per_ip",
    "circuit.per_hour", "circuit.per_hour_ip", "circuit.max_per_peer",
    "circuit.data_bytes", "circuit.duration", "reservation.grace")]


class Load:
    """Peers that are told what to do, and tell what they saw."""

    def __init__(self, w, seed=1):
        program = os.path.join(w.build, "tests/integ/load")
        if not os.access(program, os.X_OK):
            raise Skipped("tests/integ/load is not built")
        self.p = Proc(w, [program, str(seed)], stdin=subprocess.PIPE)
        self.n_dialled = 0
        self.ids = {}
        self.want = {}

    def say(self, *lines):
        self.p.p.stdin.write("".join(x + "\n" for x in lines).encode())
        self.p.p.stdin.flush()

    def until(self, done, what, seconds=LONG):
        """Wait until `done(events)`."""
        end = time.monotonic() + seconds
        with self.p.cond:
            while not done(self.p.events):
                left = end - time.monotonic()
                if left <= 0 or self.p.open == 0:
                    raise Failed(f"load: not {what}" + self.p.tail())
                self.p.cond.wait(left)

    def all(self, kind, key, wanted, what, after=0):
        """Such an event for each of `wanted`; by key."""
        wanted, got, at = set(wanted), {}, [after]

        def done(events):
            for e in events[at[0]:]:
                if e["event"] == kind and e[key] in wanted:
                    got.setdefault(e[key], e)
            at[0] = len(events)
            return len(got) == len(wanted)
        try:
            self.until(done, what)
        except Failed as e:
            raise Failed(f"{what}: {len(got)} of {len(wanted)}; {e}") from e
        return got

    def names(self, peers):
        self.say(*[f"name {p}" for p in peers])
        for p, e in self.all("named", "peer", peers, "named").items():
            self.ids[p] = e["id"]

    def join(self, relay, peers, width=16):
        peers, at = list(peers), self.p.count()
        for i in range(0, len(peers), width):
            part = peers[i:i + width]
            self.say(*[f"join {p} {relay.port}" for p in part])
            for p, e in self.all("joined", "peer", part, "joined",
                                 at).items():
                self.ids[p] = e["id"]

    def reserve(self, peers, status=100):
        at = self.p.count()
        self.say(*[f"reserve {p}" for p in peers])
        for p, e in self.all("reserved", "peer", peers, "reserved",
                             at).items():
            equal(e["status"], status, f"peer {p}'s reservation")

    def dial(self, src, dst, up, down, how="fin"):
        """Say so; the circuit's number."""
        k = self.n_dialled
        self.n_dialled += 1
        self.want[k] = (src, dst, up, down, how)
        self.say(f"dial {k} {src} {dst} {up} {down} {how}")
        return k

    def answers(self, ks):
        """Statuses, by circuit."""
        return {k: e["status"] for k, e in
                self.all("answer", "k", ks, "answered").items()}

    def opened(self, ks):
        for k, status in self.answers(ks).items():
            equal(status, 100, f"circuit {k} {self.want[k]}")

    def full(self, ks):
        self.all("full", "k", ks, "arrived whole")

    def finish(self, ks):
        self.say(*[f"finish {k}" for k in ks])

    def over(self, ks):
        return self.all("over", "k", ks, "over")

    def count(self):
        at = self.p.count()
        self.say("count")
        return self.p.expect("count", after=at)

    def fin(self, ks):
        """They end whole, and by FIN."""
        for k, o in self.over(ks).items():
            _s, _d, up, down, _how = self.want[k]
            equal((o["sent"], o["got"], o["end"], o["wrong"]),
                  ([up, down], [up, down], ["fin", "fin"], False),
                  f"circuit {k}")

    def end(self):
        """All of it is over; every circuit that was opened."""
        self.p.p.stdin.close()
        self.p.exits(0)
        return {e["k"]: e for e in self.p.events if e["event"] == "over"}


class Books:
    """A relay that keeps books."""

    def __init__(self, w, *args, name="relay", env=None, level="info", **opts):
        self.w, self.args, self.name, self.level = w, args, name, level
        self.opts = opts
        self.door = w.path(name + ".door")
        self.db = w.path(name + ".db")
        self.env = {"ADITD_LEDGER_BACKEND": "sqlite",
                    "ADITD_LEDGER_FILE": self.db,
                    "ADITD_LEDGER_FLUSH": FLUSH,
                    "ADITD_ADMIN_SOCKET": self.door}
        self.env.update(env or {})
        self.start()

    def start(self):
        self.p, self.addr = self.w.relay(
            f"--log.level={self.level}", "--http.listen=127.0.0.1:0", *OPEN,
            *self.args, name=self.name, env=self.env, **self.opts)
        self.port = int(re.search(r"/tcp/(\d+)", self.addr).group(1))
        self.http = self.p.expect("admin.ready")["http"]

    def stop(self):
        self.p.signal(signal.SIGTERM)
        self.p.exits(0, LONG)

    def kill(self):
        self.p.signal(signal.SIGKILL)
        self.p.wait()

    def adit(self, *args):
        p = self.w.adit("relay", *args, "--json", "--socket", self.door)
        p.exits(0, LONG)
        return [json.loads(x) for x in p.lines]

    def usage(self, *args):
        """By peer: what it sent, received, its circuits out and in."""
        return {r["peer"]: r for r in self.adit("usage", *args)}

    def records(self):
        return self.adit("usage", "--circuits")

    def get(self, path):
        """Status and text."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}",
                                        timeout=SHORT) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise Failed(f"no metric {name}")

    def flushes(self):
        return self.metric('adit_ledger_flushes_total{result="ok"}')

    def after_flush(self):
        """What has moved by now is in the books when this returns: one batch
        may be under way without it and one wait behind that, the third is
        not."""
        end, want = time.monotonic() + LONG, self.flushes() + 3
        while self.flushes() < want:
            check(time.monotonic() < end, "the ledger does not flush")


def intact(path):
    """What SQLite itself says of the file."""
    p = subprocess.run(["sqlite3", path, "PRAGMA integrity_check"],
                       capture_output=True, timeout=LONG, check=False)
    equal(p.stdout.decode().strip(), "ok", f"integrity ({p.stderr})")


def compare(l, overs, ends, usage, records):
    """The books, against what both ends of every circuit have counted."""
    low = collections.defaultdict(lambda: [0, 0, 0, 0])
    high = collections.defaultdict(lambda: [0, 0, 0, 0])
    for k, o in overs.items():
        src, dst = l.ids[o["src"]], l.ids[o["dst"]]
        for d, (a, b) in enumerate(((src, dst), (dst, src))):
            # By FIN, also behind its limit: what has come.
            most = o["got"][d] if ends[k] in ("fin", "data_limit") else \
                o["sent"][d]
            low[a][0] += o["got"][d]
            high[a][0] += most
            low[b][1] += o["got"][d]
            high[b][1] += most
        for x in (low, high):
            x[src][2] += 1
            x[dst][3] += 1
        check(not o["wrong"], f"circuit {k}: other bytes than were sent")
    for n, peer in l.ids.items():
        u = usage.get(peer, collections.defaultdict(int))
        for i, what in enumerate(("sent_bytes", "received_bytes",
                                  "circuits_out", "circuits_in")):
            check(low[peer][i] <= u[what] <= high[peer][i],
                  f"{what} of peer {n}: {u[what]}, not {low[peer][i]} to "
                  f"{high[peer][i]}")
    # The closing records add up to the same.
    equal(len(records), len(overs), "records")
    of = collections.defaultdict(lambda: [0, 0])
    for rec in records:
        for a, b, way in (("source", "destination", "to_destination"),
                          ("destination", "source", "to_source")):
            of[rec[a]][0] += rec[way]["accepted_bytes"]
            of[rec[b]][1] += rec[way]["handed_bytes"]
    for peer, u in usage.items():
        equal(of[peer], [u["sent_bytes"], u["received_bytes"]],
              f"records of {peer}")
    # And each of a circuit by FIN is of one that somebody saw.
    seen = collections.Counter(
        (l.ids[o["src"]], l.ids[o["dst"]], *o["got"])
        for k, o in overs.items() if ends[k] in ("fin", "data_limit"))
    told = collections.Counter(
        (x["source"], x["destination"], x["to_destination"]["handed_bytes"],
         x["to_source"]["handed_bytes"])
        for x in records if x["why"] in ("fin", "data_limit"))
    equal(told, seen, "records of circuits by FIN")
    equal(collections.Counter(x["why"] for x in records),
          collections.Counter(ends.values()), "why they ended")


# --- Redis -------------------------------------------------------------------

class Redis:
    """A server of its own, that writes each change before it says so."""

    def __init__(self, w):
        self.w, self.path = w, w.path("redis.sock")
        if not shutil.which("redis-server"):
            raise Skipped("no redis-server")
        self.env = {"ADITD_LEDGER_BACKEND": "redis",
                    "ADITD_LEDGER_REDIS": self.path}
        self.start()

    def start(self):
        self.p = Proc(self.w, [
            "redis-server", "--port", "0", "--unixsocket", self.path,
            "--dir", self.w.dir, "--appendonly", "yes", "--appendfsync",
            "always", "--save", ""], raw=True)
        threading.Thread(target=self.p.p.stdout.read, daemon=True).start()
        end = time.monotonic() + SHORT
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(SHORT)
                    s.connect(self.path)
                    s.sendall(b"PING\r\n")
                    if s.recv(100).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            check(time.monotonic() < end and self.p.p.poll() is None,
                  "redis-server does not answer" + self.p.tail())
            select.select([], [], [], 0.02)

    def kill(self):
        self.p.signal(signal.SIGKILL)
        self.p.wait()


def circuit(l, src, dst, up, down=0):
    """Its status; it ends by itself."""
    k = l.dial(src, dst, up, down)
    status = l.answers([k])[k]
    if status == 100:
        l.over([k])
    return status


# --- behind a balancer -------------------------------------------------------

def proxy_header(ip, port=5000):
    """PROXY protocol v2; ip None: the balancer's own connection."""
    head = b"\r\n\r\n\0\r\nQUIT\n"
    if ip is None:
        return head + b"\x20\0\0\0"
    v6 = ":" in ip
    addr = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, ip)
    body = addr + addr + port.to_bytes(2, "big") + (4001).to_bytes(2, "big")
    return (head + (b"\x21\x21" if v6 else b"\x21\x11")
            + len(body).to_bytes(2, "big") + body)

FLUSH = "300ms"
