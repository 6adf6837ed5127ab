# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
What the rows of the interop table share: processes and their events, a folder
for each case, and the two adapters to a stock peer and to adit.
"""

import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

IP4 = "45.83.12.1"
IP6 = "2a01:4f8:1c1c::1"
CAT = "/adit/cat/1"
PUSHED = "/adit/pushed/1"   # what the peers add for --push
PEERS = ("go", "rust", "js")
ALL = ("adit",) + PEERS

MIB = 1024 * 1024
SMALL = 20000           # well inside the 128 KiB of a limited circuit
LARGE = 64 * MIB
READY_S = 30            # a wait for something that takes milliseconds
DIAL_S = 60
LARGE_S = 240


class Failed(Exception):
    """(why), and for a dial that ended badly also (process, bytes back)"""

    def __str__(self):
        return str(self.args[0])


class Skipped(Exception):
    pass


def check(true, why):
    if not true:
        raise Failed(why)


# --- processes ---------------------------------------------------------------

class Proc:
    """A process of ours in a group of its own, read as JSON lines or a log."""

    def __init__(self, world, label, argv, log_events=False, stdin=None,
                 stdout_raw=False):
        self.label = label
        self.events = []
        self.cond = threading.Condition()
        self.open = 0
        self.errpath = os.path.join(world.dir, f"{len(world.procs)}.err")
        self.lines = []
        world.procs.append(self)
        self.popen = subprocess.Popen(
            argv, cwd=world.dir, start_new_session=True,
            stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.threads = []
        if not stdout_raw:
            self._read(self.popen.stdout, self._json)
        self._read(self.popen.stderr,
                   self._log if log_events
                   else self._json if stdout_raw else self._text)

    def _read(self, pipe, parse):
        self.open += 1

        def body():
            for raw in pipe:
                line = raw.decode(errors="replace").rstrip("\n")
                event = parse(line)
                with self.cond:
                    self.lines.append(line)
                    if event is not None:
                        self.events.append(event)
                    self.cond.notify_all()
            with self.cond:
                self.open -= 1
                self.cond.notify_all()

        t = threading.Thread(target=body, daemon=True)
        t.start()
        self.threads.append(t)

    @staticmethod
    def _json(line):
        try:
            event = json.loads(line)
        except ValueError:
            return None
        return event if isinstance(event, dict) else None

    @staticmethod
    def _text(_line):
        return None

    @staticmethod
    def _log(line):
        """`... noun.verb key=value key="two words"` as an event."""
        m = re.search(r"(?:^|\s)([a-z_]+\.[a-z_]+)(?=\s|$)", line)
        if m is None:
            return None
        event = {"event": m.group(1)}
        for key, quoted, plain in re.findall(
                r'([a-z0-9_]+)=(?:"([^"]*)"|(\S*))', line[m.end():]):
            event[key] = quoted or plain
        return event

    def find(self, kind, test=None):
        for e in self.events:
            if e.get("event") == kind and (test is None or test(e)):
                return e
        return None

    def expect(self, kind, seconds=READY_S, test=None, what=None):
        """Wait for an event, or fail with what came instead."""
        deadline = time.monotonic() + seconds
        with self.cond:
            while True:
                e = self.find(kind, test)
                if e is not None:
                    return e
                left = deadline - time.monotonic()
                if self.open == 0 or left <= 0:
                    why = "ended" if self.open == 0 else f"{seconds} s passed"
                    error = self.find("error")
                    if error is not None:
                        why += f", it says: {error.get('why')}"
                    raise Failed(f"{self.label}: {why} without "
                                 f"{what or kind!r}")
                self.cond.wait(left)

    def finish(self, seconds):
        """Wait until it ends by itself; its exit code."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.label}: not done after {seconds} s") from None
        for t in self.threads:
            t.join(5)
        return code

    def end(self, seconds=5):
        """SIGTERM, then SIGKILL; the exit code, None if it had to be killed."""
        killed = False
        if self.popen.poll() is None:
            try:
                os.killpg(self.popen.pid, signal.SIGTERM)
                self.popen.wait(seconds)
            except ProcessLookupError:
                self.popen.wait()
            except subprocess.TimeoutExpired:
                killed = True
                os.killpg(self.popen.pid, signal.SIGKILL)
                self.popen.wait()
        return None if killed else self.popen.returncode

    def story(self):
        with self.cond:
            return [line[:400] for line in self.lines[-8:]]


class World:
    """What one case may use; everything in it ends with the case."""

    ports = itertools.count(4001)

    def __init__(self, have, builddir):
        self.have = have
        self.builddir = builddir
        self.dir = tempfile.mkdtemp(prefix="adit-interop-")
        self.procs = []
        self.files = itertools.count(1)

    def port(self):
        return next(World.ports)

    def file(self, name):
        return os.path.join(self.dir, f"{next(self.files)}-{name}")

    def close(self):
        for p in reversed(self.procs):
            p.end()
        shutil.rmtree(self.dir, ignore_errors=True)


# --- the two adapters: a stock peer, and adit --------------------------------

class Stock:
    """One of the peer programs; the contract is in README.md."""

    def __init__(self, world, lang):
        self.w, self.lang = world, lang

    def _start(self, verb, *args, **opts):
        argv = list(self.w.have[self.lang]["argv"]) + [verb, *args]
        if opts.get("key_type") == "rsa" and self.lang == "rust":
            key = self.w.file("rsa.key")  # it reads RSA keys, but makes none
            with open(key, "wb") as f:
                f.write(rsa_key_file())
            opts = {**opts, "key": key}
            del opts["key_type"]
        for name, value in opts.items():
            flag = "--" + name.replace("_", "-")
            if value is True:
                argv.append(flag)
            elif value is not None and value is not False:
                argv += [flag, str(value)]
        return Proc(self.w, f"{self.lang} {verb}", argv)

    def relay(self, ip=IP4, **opts):
        p = self._start("relay", "--listen", tcp(ip, self.w.port()), **opts)
        return p, pick(p.expect("ready")["addrs"], ip)

    def listen(self, relay, **opts):
        p = self._start("listen", "--relay", relay, **opts)
        return p, p.expect("reserved")

    def listen_direct(self, ip=IP4, **opts):
        p = self._start("listen", "--listen", tcp(ip, self.w.port()), **opts)
        return p, pick(p.expect("ready")["addrs"], ip)

    def dial(self, addr, nbytes=SMALL, pings=2, seconds=DIAL_S, to=None,
             **opts):
        """Start to end; the process and its `dialed` event."""
        p = self._start("dial", addr, bytes=nbytes or None,
                        ping=pings or None, **opts)
        code = p.finish(seconds)
        if code != 0:
            error = p.find("error") or p.find("echo") or {}
            raise Failed(f"{p.label}: exit code {code}: {error.get('why')}")
        dialed = p.expect("dialed", 1)
        # js drops identify over a circuit from rust: see README.md.
        if (self.lang, to) != ("js", "rust") and not dialed["protocols"]:
            raise Failed(f"{p.label}: identify brought nothing")
        if pings and sum(e["event"] == "ping" for e in p.events) != pings:
            raise Failed(f"{p.label}: not all pings came back")
        if nbytes:
            echo = p.expect("echo", 1)
            if not echo["ok"] or echo["bytes"] != nbytes:
                raise Failed(f"{p.label}: {echo}")
        return p, dialed


class Adit:
    """
    aditd and adit.  What their command lines look like is known here and
    nowhere else in this harness.
    """

    def __init__(self, world):
        self.w = world

    def _bin(self, name):
        return os.path.join(self.w.builddir, name)

    def relay(self, ip=IP4, unlimited=False, limit_data=None,
              limit_seconds=None, ttl=None, port=None, key=None, config=None):
        """`config`: options of aditd as it has them, {"circuit.max": "1"}."""
        options = {
            "listen.tcp": tcp(ip, port or self.w.port()),
            "identity.file": key or self.w.file("identity"),
            "log.level": "debug",
            "ledger.backend": "none",  # nothing outside of the case's folder
            "admin.socket": "",
        }
        if unlimited:
            options["circuit.data_bytes"] = "0"
            options["circuit.duration"] = "0"
        if limit_data is not None:
            options["circuit.data_bytes"] = f"{limit_data}B"
        if limit_seconds is not None:
            options["circuit.duration"] = f"{limit_seconds}s"
        if ttl is not None:
            options["reservation.ttl"] = f"{ttl}s"
        options.update(config or {})
        p = Proc(self.w, "aditd", [self._bin("aditd")] + [
            f"--{k}={v}" for k, v in options.items()], log_events=True)
        return p, p.expect("node.ready", test=lambda e: "addr" in e)["addr"]

    def listen(self, relay, **opts):
        p = Proc(self.w, "adit listen", self._argv(
            "listen", "--relay", relay, "--echo", "--json", **opts))
        reserved = p.expect("reserved")
        check(reserved["addr"].startswith(relay + "/p2p-circuit/p2p/"),
              f"adit wants to be dialled at {reserved['addr']}")
        return p, reserved

    def listen_direct(self, ip=IP4, **opts):
        p = Proc(self.w, "adit listen", self._argv(
            "listen", "--listen", tcp(ip, self.w.port()), "--echo", "--json",
            **opts))
        return p, pick(p.expect("ready")["addrs"], ip)

    def _argv(self, *args, key=None, relays=(), **_other):
        argv = [self._bin("adit"), *args]
        for relay in relays:
            argv += ["--relay", relay]
        if key is not None:
            argv += ["--key", key]
        return argv

    def dial(self, addr, nbytes=SMALL, pings=2, seconds=DIAL_S, to=None,
             **opts):
        if pings:
            p = Proc(self.w, "adit ping", self._argv(
                "ping", addr, "-n", str(pings), "-i", "20ms", "--json",
                **opts))
            if p.finish(seconds) != 0:
                raise Failed(f"adit ping: exit code {p.popen.returncode}")
            if sum(e.get("event") == "ping" for e in p.events) != pings:
                raise Failed("adit ping: not all pings came back")
        return (self._echo(addr, nbytes, seconds, opts) if nbytes
                else (None, {}))

    def _echo(self, addr, nbytes, seconds, opts):
        p = Proc(self.w, "adit dial",
                 self._argv("dial", addr, CAT, "--json", **opts),
                 stdin=subprocess.PIPE, stdout_raw=True)
        sent = hashlib.sha256()

        def feed():
            source, left = random.Random(nbytes), nbytes
            try:
                while left > 0:
                    part = source.randbytes(min(left, 65536))
                    sent.update(part)
                    p.popen.stdin.write(part)
                    left -= len(part)
                p.popen.stdin.close()
            except (OSError, ValueError):
                pass  # it went away; what came back tells

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        watchdog = threading.Timer(seconds, p.end)
        watchdog.start()
        got, back = hashlib.sha256(), 0
        for part in iter(lambda: p.popen.stdout.read1(65536), b""):
            got.update(part)
            back += len(part)
        watchdog.cancel()
        code = p.finish(seconds)
        feeder.join(5)
        if code != 0:
            raise Failed(f"adit dial: exit code {code} after {back} bytes",
                         p, back)
        if back != nbytes or got.digest() != sent.digest():
            raise Failed(f"adit dial: {back} of {nbytes} bytes came back, "
                         "or other ones")
        return p, p.expect("open", 1)

    def probe(self, relay):
        p = Proc(self.w, "adit relay probe", self._argv(
            "relay", "probe", relay, "--json"))
        code = p.finish(DIAL_S)
        if code != 0:
            raise Failed(f"adit relay probe: exit code {code}")

    def make_identity(self, path):
        p = Proc(self.w, "adit id", self._argv("id", path))
        if p.finish(READY_S) != 0:
            raise Failed("adit id: it failed")
        found = re.search(r"12D3KooW[1-9A-HJ-NP-Za-km-z]+",
                          "\n".join(p.lines))
        if found is None:
            raise Failed("adit id: no peer id in what it says")
        return found.group(0)


def who(world, name):
    return Adit(world) if name == "adit" else Stock(world, name)


def tcp(ip, port):
    return f"/ip{6 if ':' in ip else 4}/{ip}/tcp/{port}"


def pick(addrs, ip):
    for a in addrs:
        if f"/{ip}/tcp/" in a:
            return a
    raise Failed(f"no address with {ip} among {addrs}")


# --- an RSA key, since rust-libp2p makes none --------------------------------

def rsa_key_file():
    """A 2048-bit RSA private key as libp2p writes it: PKCS#1 in protobuf."""
    rng = random.SystemRandom()

    def prime(bits):
        while True:
            n = rng.getrandbits(bits) | 3 << (bits - 2) | 1
            if all(n % q for q in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31)) \
                    and n % 65537 != 1 \
                    and all(pow(rng.randrange(2, n - 1), n - 1, n) == 1
                            for _ in range(8)):
                return n

    def der(tag, body):
        n = len(body)
        head = bytes([n]) if n < 128 else (
            lambda b: bytes([0x80 | len(b)]) + b)(
                n.to_bytes((n.bit_length() + 7) // 8, "big"))
        return bytes([tag]) + head + body

    def integer(v):
        return der(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))

    p, q = sorted((prime(1024), prime(1024)), reverse=True)
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    body = der(0x30, b"".join(map(integer, (
        0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))))
    n = len(body)
    return bytes([0x08, 0, 0x12, n & 127 | 128, n >> 7]) + body
