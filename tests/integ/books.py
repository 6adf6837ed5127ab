# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
The books of a relay that carries, is killed, reloaded, drained, finds its
disk full or its clock set: cases of tests/integ/run, which loads this file.

The peers are those of tests/integ/load.c: nothing runs inside their circuits,
so what they count is what the books have to say, to the byte.
"""
import collections
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from run import (LONG, SHORT, WRAP, Failed, Proc, Skipped, ask, case, check,
                 equal, given)

FLUSH = "300ms"

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

    def __init__(self, w, *args, name="relay", env=None, port=0, **opts):
        self.w, self.args, self.name = w, args, name
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
            "--log.level=info", "--http.listen=127.0.0.1:0", *OPEN,
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
        """What has moved by now is in the books when this returns: one that
        was under way may be without it, the next is not."""
        end, want = time.monotonic() + LONG, self.flushes() + 2
        while self.flushes() < want:
            check(time.monotonic() < end, "the ledger does not flush")


def sums(rows):
    return (sum(r["sent_bytes"] for r in rows.values()),
            sum(r["received_bytes"] for r in rows.values()))


def intact(path):
    """What SQLite itself says of the file."""
    p = subprocess.run(["sqlite3", path, "PRAGMA integrity_check"],
                       capture_output=True, timeout=LONG, check=False)
    equal(p.stdout.decode().strip(), "ok", f"integrity ({p.stderr})")


