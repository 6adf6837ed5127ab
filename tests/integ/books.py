# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
The books of a relay that carries, is killed, reloaded, drained, finds its
disk full or its clock set: cases of tests/integ/run, which loads this file.

The peers are those of tests/integ/load.c: nothing runs inside their circuits,
so what they count is what the books have to say, to the byte.
"""
import collections
import datetime
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from __main__ import (LONG, SHORT, WRAP, Failed, Proc, Skipped, case, check,
                      equal, given)

FLUSH = "300ms"
RELAYED = "libp2p_relaysvc_data_transferred_bytes_total"

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


def sums(rows):
    return (sum(r["sent_bytes"] for r in rows.values()),
            sum(r["received_bytes"] for r in rows.values()))


def intact(path):
    """What SQLite itself says of the file."""
    p = subprocess.run(["sqlite3", path, "PRAGMA integrity_check"],
                       capture_output=True, timeout=LONG, check=False)
    equal(p.stdout.decode().strip(), "ok", f"integrity ({p.stderr})")


# --- to the byte -------------------------------------------------------------

SIZES = (0, 1, 100, 4096, 65535, 65536, 131072, 262144, 262145, 500000)


def mixed(w, r, l):
    """
    Two hundred peers in a hundred pairs; pair i is source 100 + i and
    destination i.  What befalls its circuits follows from i, see below.
    """
    rng = random.Random(4)
    l.join(r, range(200))
    l.reserve(range(100))
    fins, capped, cut, late = [], [], [], []
    for n in range(2):  # one dial between two at a time
        ks = []
        for i in range(60):  # whole, also across pairs
            ks.append(l.dial(100 + i, (i + 7 * n) % 60, rng.choice(SIZES),
                             rng.choice(SIZES)))
        l.opened(ks)
        fins += ks
    for i in range(60, 75):  # cut by bytes: 50,000 each way
        capped.append(l.dial(100 + i, i, rng.choice((49999, 50000, 50001,
                                                     200000)), 10 * i))
    for i in range(75, 82):  # cut by time, in the middle, or when idle
        late.append(l.dial(100 + i, i, 100 * i, 50000, "hold"))
    for i in range(82, 85):
        late.append(l.dial(100 + i, i, 10 ** 6, 50, "deaf"))
    for i in range(85, 90):  # ended by an end of it
        cut.append(l.dial(100 + i, i, rng.choice(SIZES), 10 ** 6,
                          "reset-src"))
    for i in range(90, 95):  # more than is on its way before they are joined
        cut.append(l.dial(100 + i, i, 10 ** 6, 300000 + i, "reset-dst"))
    slow = [l.dial(100 + i, i, 10 ** 6, 1000, "deaf") for i in range(95, 98)]
    lost = [l.dial(100 + i, i, 10 ** 6, 10, "deaf") for i in range(98, 100)]
    l.opened(capped + late + cut + slow + lost)
    # A reader that stopped reads on, and all of it comes.
    l.over(cut)
    l.finish(slow)
    fins += slow
    l.fin(fins)
    # Two of them go away with what they have not read.
    l.say("leave 98", "leave 199")
    l.over(capped + late + lost)
    return {**{k: "fin" for k in fins},
            **{k: "data_limit" if l.want[k][2] >= 50000 else "fin"
               for k in capped},
            **{k: "time_limit" for k in late},
            **{k: "reset" for k in cut + lost}}


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


@case("books: 200 peers, mixed: usage is what they count, to the byte, also "
      "after a restart")
def _(w):
    l = Load(w)
    l.names(range(200))
    conf = w.write("classes.conf", "[class.capped]\npeers = " + ", ".join(
        l.ids[p] for p in range(60, 75)) + "\ncircuit_bytes = 50000B\n"
        "[class.late]\npeers = " + ", ".join(
        l.ids[p] for p in range(75, 85)) + "\ncircuit_duration = 2s\n")
    r = Books(w, "-c", conf)
    ends = mixed(w, r, l)
    usage, records = r.usage(), r.records()
    overs = l.end()
    equal(set(overs), set(ends), "circuits")
    compare(l, overs, ends, usage, records)
    for p in range(200):
        equal(usage[l.ids[p]]["reservations"], int(p < 100), f"of {p}")
    equal(sums(r.usage("--top", "10000")), sums(usage), "again")
    days = r.adit("usage", "--day")
    months = r.adit("usage", "--month")
    for what in ("sent_bytes", "received_bytes", "circuits_in"):
        whole = sum(u[what] for u in usage.values())
        equal(sum(d[what] for d in days), whole, f"{what} by day")
        equal(sum(m[what] for m in months), whole, f"{what} by month")
    equal(r.metric("adit_ledger_lost_bytes_total"), 0, "lost")
    r.stop()
    intact(r.db)
    r.start()
    equal(r.usage(), usage, "after a restart")
    equal(r.records(), records, "records after a restart")


def drip(l, r, n=10):
    """Circuits that carry until somebody ends them."""
    l.join(r, range(2 * n))
    l.reserve(range(n))
    ks = [l.dial(n + i, i, 10 ** 9, 10 ** 9) for i in range(n)]
    l.opened(ks)
    return ks


@case("books: killed while it carries: what is lost is of the last flush "
      "interval")
def _(w):
    r = Books(w, "--rate.node_bytes_s=8MiB")
    kept = (0, 0)
    for seed in range(3):
        l = Load(w, seed)
        drip(l, r)
        moved = l.count()["got"]
        r.after_flush()
        r.kill()
        sent = l.count()["sent"]
        l.end()
        r.start()
        now = sums(r.usage())
        # Of both ends, what their other ends had before the last flush.
        for i in range(2):
            check(kept[i] + moved <= now[i] <= kept[i] + sent,
                  f"{now[i] - kept[i]} of {moved} to {sent} are kept")
        check(moved > 0 and now[1] <= now[0], f"{now} of {moved}")
        kept = now
    # What usage has answered is written, however soon the kill comes.
    l = Load(w, 9)
    drip(l, r)
    told = r.usage()
    r.kill()
    l.end()
    r.start()
    again = r.usage()
    for peer, u in told.items():
        check(again[peer]["sent_bytes"] >= u["sent_bytes"]
              and again[peer]["received_bytes"] >= u["received_bytes"],
              f"{again[peer]} after {u}")
    intact(r.db)


@case("books: ended in order while it carries: nothing is lost")
def _(w):
    r = Books(w, "--rate.node_bytes_s=8MiB", env={"ADITD_LEDGER_FLUSH": "1h"})
    l = Load(w)
    ks = drip(l, r)
    while l.count()["got"] < 3 * 10 ** 6:
        pass
    r.stop()
    l.until(lambda e: sum(x["event"] == "gone" for x in e) == 20, "gone")
    overs = l.end()
    equal(set(overs), set(ks), "circuits")
    r.start()
    compare(l, overs, {k: "closed" for k in ks}, r.usage(), r.records())


@case("books: killed ten times while circuits close: the file opens, and adds "
      "up")
def _(w):
    r = Books(w, env={"ADITD_LEDGER_FLUSH": "100ms"})
    before, n_circuits, sent = {}, 0, 0
    rng = random.Random(2)
    for i in range(10):
        l = Load(w, 1)  # the same peers each time
        l.join(r, range(12))
        l.reserve(range(6))
        told = None
        for n in range(3 + i % 3):
            ks = [l.dial(6 + j, (j + n) % 6, rng.choice(SIZES),
                         rng.choice(SIZES)) for j in range(6)]
            l.opened(ks)
            if n == i % 3:  # those are over, and told of
                l.fin(ks)
                got = l.count()["got"]
                told = r.usage()
        # Killed in the middle of the last of them.
        r.kill()
        l.until(lambda e: sum(x["event"] == "gone" for x in e) == 12, "gone")
        sent += l.count()["sent"]
        n_circuits += l.n_dialled
        l.end()
        intact(r.db)
        r.start()
        now = r.usage()
        check(sums(told)[1] - sums(before)[1] >= got,
              f"round {i}: {sums(told)} of {got} were told")
        for peer, u in told.items():
            for what in ("sent_bytes", "received_bytes", "circuits_in",
                         "circuits_out", "reservations"):
                check(now[peer][what] >= u[what],
                      f"round {i}: {what} {now[peer][what]} after {u[what]}")
        check(sums(now)[1] <= sums(now)[0] <= sent,
              f"round {i}: {sums(now)} of {sent}")
        records = r.records()
        check(len(records) <= sum(u["circuits_in"] for u in now.values())
              <= n_circuits, f"round {i}: {len(records)} records")
        check(sum(x[way]["handed_bytes"] for x in records for way in
                  ("to_destination", "to_source")) <= sums(now)[1],
              f"round {i}: records have more than usage")
        before = now


# --- no room on the disk -----------------------------------------------------

def small_disk(w, more=""):
    """What starts a program with a disk of 2 MiB at "small", and before that
    does `more`."""
    small = w.path("small")
    os.mkdir(small)
    if WRAP or os.geteuid() != 0 or not shutil.which("unshare") or \
            subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "-o",
                            "size=1m", "none", small], check=False,
                           capture_output=True).returncode != 0:
        raise Skipped("no mounting here")
    return ["unshare", "-m", "sh", "-c",
            f"mount -t tmpfs -o size=2m none {small} || exit 99; {more} "
            'exec "$@"', "sh"]


@case("books: the disk is full: it carries, counts, recovers, nothing is "
      "doubled")
def _(w):
    r = Books(w, under=small_disk(w),
              env={"ADITD_LEDGER_FILE": w.path("small/relay.db")})
    inside = f"/proc/{r.p.p.pid}/root{w.path('small')}"
    check(os.path.exists(inside + "/relay.db"), "no ledger in there")
    l = Load(w)
    l.join(r, range(20))
    l.reserve(range(10))

    def round_of(n):
        ks = [l.dial(10 + (i + n) % 10, i, 20000 + n, 300 * i)
              for i in range(10)]
        l.opened(ks)
        l.fin(ks)
    round_of(0)
    equal(sums(r.usage())[0], sum((20000, 300 * i)[j] for i in range(10)
                                  for j in (0, 1)), "usage")
    with open(inside + "/ballast", "wb", buffering=0) as f:
        for size in (65536, 4096, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    n = 1
    # The log that SQLite keeps may have room for some more.
    while not any(e["event"] == "ledger.failing" for e in r.p.events):
        check(n < 200, "the ledger takes all of it")
        round_of(n)
        n += 1
    before = r.metric(RELAYED)
    for _i in range(5):
        round_of(n)
        n += 1
    status = r.adit("status")[0]["ledger"]
    check(not status["ok"] and "full" in status["why"], f"{status}")
    equal(r.metric("adit_ledger_failing"), 1, "failing")
    check(r.metric(RELAYED) > before, "nothing counts")
    check(r.metric('adit_ledger_flushes_total{result="failed"}') > 0, "failed")
    check(r.metric("adit_ledger_pending") > 0, "nothing is pending")
    rows = r.adit("usage")  # what is stored, and that it is not all
    equal(rows.pop().get("event"), "warning", "its end")
    check(sum(u["sent_bytes"] for u in rows) < l.count()["sent"], "stored")
    equal(r.get("/readyz")[0], 200, "it serves")
    os.unlink(inside + "/ballast")
    r.p.expect("ledger.recovered", LONG)
    round_of(n)
    usage, records = r.usage(), r.records()
    shutil.copy(inside + "/relay.db", w.path("copy.db"))
    shutil.copy(inside + "/relay.db-wal", w.path("copy.db-wal"))
    intact(w.path("copy.db"))
    equal(r.metric("adit_ledger_lost_bytes_total"), 0, "lost")
    overs = l.end()
    compare(l, overs, {k: "fin" for k in overs}, usage, records)
    check(r.adit("status")[0]["ledger"]["ok"], "still failing")


@case("books: the disk is full at the start: it says so, and does not start")
def _(w):
    r = Books(w)
    r.usage()
    r.stop()
    p = w.aditd(f"--identity.file={w.path('k')}",
                "--listen.tcp=/ip4/127.0.0.1/tcp/0",
                env={"ADITD_LEDGER_BACKEND": "sqlite",
                     "ADITD_LEDGER_FILE": w.path("small/relay.db")},
                under=small_disk(w, f"cp {r.db} {w.path('small')}; dd "
                                 f"if=/dev/zero of={w.path('small/x')} bs=4k "
                                 "2>/dev/null;"))
    p.exits(71)
    p.says("small/relay.db: No space left on device")


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


@case("books: Redis killed and started again under load: nothing lost, "
      "nothing twice")
def _(w):
    redis = Redis(w)
    r = Books(w, env=redis.env)
    l = Load(w)
    l.join(r, range(20))
    l.reserve(range(10))

    def round_of(n):
        ks = [l.dial(10 + (i + n) % 10, i, 30000 + n, 700 * i)
              for i in range(10)]
        l.opened(ks)
        l.fin(ks)
    n = 0
    for _i in range(3):
        for _j in range(3):
            round_of(n)
            n += 1
        seen = r.p.count()
        redis.kill()
        while not any(e["event"] == "ledger.failing"
                      for e in r.p.events[seen:]):
            check(n < 400, "the ledger does not notice")
            round_of(n)
            n += 1
        check(not r.adit("status")[0]["ledger"]["ok"], "it does not fail")
        redis.start()
        r.p.expect("ledger.recovered", LONG, after=seen)
    usage, records = r.usage(), r.records()
    equal(r.metric("adit_ledger_lost_bytes_total"), 0, "lost")
    overs = l.end()
    compare(l, overs, {k: "fin" for k in overs}, usage, records)
    for u in usage.values():
        equal(u["reservations"], int(u["circuits_in"] > 0), "reservations")
    r.stop()
    r.start()
    equal(r.usage(), usage, "after a restart")
    equal(len(r.records()), len(records), "records after a restart")


@case("books: Redis hangs under load, and applies late what was sent again: "
      "nothing twice; then the relay is killed")
def _(w):
    redis = Redis(w)
    r = Books(w, env=redis.env)
    l = Load(w)
    l.join(r, range(20))
    l.reserve(range(10))
    n = 0
    for _i in range(2):
        seen = r.p.count()
        redis.p.signal(signal.SIGSTOP)
        while not any(e["event"] == "ledger.failing"
                      for e in r.p.events[seen:]):
            ks = [l.dial(10 + i, i, 10 ** 6 + n, 70000 * i)
                  for i in range(10)]
            l.opened(ks)
            l.fin(ks)
            n += 1
            check(n < 400, "the ledger does not notice")
        redis.p.signal(signal.SIGCONT)
        r.p.expect("ledger.recovered", LONG, after=seen)
    usage, records = r.usage(), r.records()
    r.kill()
    overs = l.end()
    compare(l, overs, {k: "fin" for k in overs}, usage, records)
    r.start()
    equal(r.usage(), usage, "after a kill")


class Cutter:
    """Stands before Redis, and cuts each connection after some bytes: of a
    request, or of what is answered when that was applied already."""

    def __init__(self, w, to, seed):
        self.to, self.rng = to, random.Random(seed)
        self.on = True
        self.n_cut = 0
        self.path = w.path("cutter.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            a, _from = self.listener.accept()
            threading.Thread(target=self._pass, args=(a,),
                             daemon=True).start()

    def _pass(self, a):
        # By a request in the middle of it, or by an answer not one byte of
        # which comes through.
        left = {a: self.rng.choice((10 ** 9, 10 ** 9, 3000, 30000))}
        with a, socket.socket(socket.AF_UNIX) as b:
            left[b] = self.rng.choice((10 ** 9, 3000, 1500, 0))
            other = {a: b, b: a}
            try:
                b.connect(self.to)
                while True:
                    for s in select.select([a, b], [], [])[0]:
                        data = s.recv(65536)
                        if not data:
                            return
                        if self.on and len(data) > left[s]:
                            self.n_cut += 1
                            if s is a:
                                b.sendall(data[:left[s]])
                            return
                        left[s] -= len(data)
                        other[s].sendall(data)
            except OSError:
                return


@case("books: Redis behind a connection that breaks in requests and answers: "
      "nothing lost, nothing twice")
def _(w):
    redis = Redis(w)
    cutter = Cutter(w, redis.path, 3)
    both = [Books(w, name=name, env=dict(
        redis.env, ADITD_LEDGER_REDIS=cutter.path, ADITD_LEDGER_FLUSH="100ms"))
        for name in ("a", "b")]
    loads = [Load(w, 1), Load(w, 1)]
    for l, r in zip(loads, both):
        l.join(r, range(20))
        l.reserve(range(10))
    n, end = 0, time.monotonic() + LONG
    while cutter.n_cut < 12:
        for l in loads:
            ks = [l.dial(10 + (i + n) % 10, i, 10 ** 6 + n, 700 * i)
                  for i in range(10)]
            l.opened(ks)
            l.fin(ks)
        n += 1
        check(time.monotonic() < end and n < 400, f"{cutter.n_cut} cuts")
    cutter.on = False
    for r in both:
        end = time.monotonic() + LONG
        while not r.adit("status")[0]["ledger"]["ok"]:
            check(time.monotonic() < end, "it does not recover")
        r.usage()  # what it has is written
    usage, records = both[0].usage(), both[0].records()
    # They count under the same names: one load's circuits behind the other's.
    overs = loads[0].end()
    overs.update({10 ** 6 + k: o for k, o in loads[1].end().items()})
    compare(loads[0], overs, {k: "fin" for k in overs}, usage, records)
    for u in usage.values():
        equal(u["reservations"], 2 * int(u["circuits_in"] > 0), "reservations")


def circuit(l, src, dst, up, down=0):
    """Its status; it ends by itself."""
    k = l.dial(src, dst, up, down)
    status = l.answers([k])[k]
    if status == 100:
        l.over([k])
    return status


@case("books: two relays of one Redis: a quota that is used up at one is used "
      "up at the other")
def _(w):
    redis = Redis(w)
    args = ["--class.anonymous.day_bytes=300KiB",
            "--class.listed.day_bytes=0"]
    l = Load(w)
    l.names(range(4))
    args += [f"--class.listed.peers={l.ids[0]}"]
    a = Books(w, *args, name="a", env=redis.env)
    b = Books(w, *args, name="b", env=redis.env)
    # One process each, with the same peers.
    m = Load(w)
    for load, relay in ((l, a), (m, b)):
        load.join(relay, range(4))
        load.reserve([0])
    # The other relay knows peer 1 already, and has never seen peer 2.
    equal(circuit(m, 1, 0, 1000), 100, "before")
    equal(circuit(l, 1, 0, 200000, 150000), 100, "peer 1 at one")
    equal(circuit(l, 2, 0, 200000, 150000), 100, "peer 2 at one")
    equal(circuit(l, 3, 0, 1000), 100, "peer 3 at one")
    b.usage()  # and what is pending is written
    usage = a.usage()
    equal(usage[l.ids[1]]["sent_bytes"], 201000, "of both")
    # Flushes go by at the other, of what concerns peer 1 as little as 2.
    want, end = b.flushes() + 3, time.monotonic() + LONG
    while b.flushes() < want:
        equal(circuit(m, 3, 0, 10), 100, "peer 3 meanwhile")
        check(time.monotonic() < end, "the other does not flush")
    for peer, want in ((2, 201), (1, 201), (3, 100)):
        for load, where in ((l, "there"), (m, "at the other")):
            equal(circuit(load, peer, 0, 100), want, f"peer {peer} {where}")
    a.usage()
    equal(b.usage(), a.usage(), "usage")
    check(b.usage()[l.ids[2]]["refusals"]["quota_day"] >= 2, "refusals")


# --- quotas ------------------------------------------------------------------

@case("books: a quota that is used up stays so across restarts: refused, or "
      "another class")
def _(w):
    r = Books(w, "--class.anonymous.day_bytes=100000B",
              "--class.anonymous.over_quota=slow",
              "--class.slow.circuit_bytes=1000B",
              "--class.slow.month_bytes=110000B")
    l = Load(w)
    l.join(r, range(2))
    l.reserve([0])
    # Both ends have moved it.
    k = l.dial(1, 0, 60000, 45000)
    l.opened([k])
    l.fin([k])
    l.p.p.stdin.close()
    l.p.exits(0)
    for told in ("a crash", "a restart"):
        if told == "a crash":
            r.usage()  # what it answers is written
            r.kill()
        else:
            r.stop()
        r.start()
        l = Load(w)
        l.join(r, range(2))
        l.reserve([0])
        k = l.dial(1, 0, 2500, 0)
        l.opened([k])
        equal(l.over([k])[k]["got"], [1000, 0], f"slow after {told}")
        if told == "a restart":
            k = l.dial(1, 0, 1000, 1000)
            l.opened([k])
            l.over([k])
            k = l.dial(1, 0, 900, 900)
            l.opened([k])
            l.over([k])
            k = l.dial(1, 0, 300, 300)
            l.answers([k])
        l.p.p.stdin.close()
        l.p.exits(0)
    r.stop()
    r.start()
    l = Load(w)
    l.join(r, range(2))
    l.reserve([0], 201)
    check(r.usage()[l.ids[0]]["refusals"]["quota_month"] == 1, "refusals")


@case("books: a quota that is used up in the middle of circuits ends them")
def _(w):
    r = Books(w, "--class.anonymous.day_bytes=1MiB", "--circuit.wider=yes",
              "--rate.node_bytes_s=8MiB",
              env={"ADITD_LEDGER_FLUSH": "100ms"})
    l = Load(w)
    l.join(r, range(3))
    l.reserve([0])
    ks = [l.dial(1, 0, 10 ** 9, 0), l.dial(2, 0, 10 ** 9, 0)]
    l.opened(ks)
    # As the wider of both: not before the sources' quotas are gone, too.
    over = l.over(ks)
    usage, records = r.usage(), r.records()
    compare(l, over, {k: "quota" for k in ks}, usage, records)
    for peer in l.ids.values():
        u = usage[peer]
        check(u["sent_bytes"] + u["received_bytes"] >= 1 << 20, f"{u}")
    k = l.dial(1, 0, 1, 0)
    equal(l.answers([k])[k], 201, "again")
    l.end()


# --- the clock ---------------------------------------------------------------

DAY = 86400


class Clock:
    """The wall clock that a program sees; see tests/integ/clock.c."""

    def __init__(self, w):
        shim = os.path.join(w.build, "tests/integ/.libs/clock.so")
        with open(os.path.join(w.build, "aditd"), "rb") as f:
            sanitized = re.search(rb"__[at]san_", f.read())
        if WRAP or sanitized or not os.path.exists(shim):
            raise Skipped("no clock of our own for what was built here")
        self.path = w.path("clock")
        # Noon: midnight comes when we say so.
        self.base = DAY // 2 - int(time.time()) % DAY
        with open(self.path, "wb") as f:
            f.write(self.base.to_bytes(8, "little", signed=True))
        self.env = {"LD_PRELOAD": shim, "ADIT_CLOCK": self.path}

    def set(self, seconds):
        with open(self.path, "r+b", buffering=0) as f:
            f.write((self.base + seconds).to_bytes(8, "little", signed=True))


@case("books: the clock is set by a day and a month, back and forth, under "
      "load: adds up, and quotas are each day's")
def _(w):
    clock = Clock(w)
    l = Load(w)
    l.names(range(12))
    r = Books(w, "--class.listed.peers=" + ",".join(
        l.ids[p] for p in range(10)), "--class.listed.circuit_bytes=0",
        "--class.listed.circuit_duration=0", "--circuit.wider=yes",
        "--class.anonymous.day_bytes=100000B",
        env=clock.env)
    l.join(r, range(12))
    l.reserve(range(5))
    l.reserve([10])
    # These last all the time, and carry at both ends of it.
    live = [l.dial(5 + i, i, 10 ** 6 + i, 10 ** 4, "deaf") for i in range(5)]
    l.opened(live)
    used = set()
    # Forward beyond what records are kept for, back by less: nothing of it
    # may be deleted.
    for n, days in enumerate((0, 1, 0, -1, 0, 31, 0, -28, 1, 0)):
        clock.set(days * DAY)
        l.reserve(range(5))  # renewed, whatever the clock says
        ks = [l.dial(5 + i, (i + n) % 5, 20000 + n, 1000 * i)
              for i in range(5)]
        l.opened(ks)
        l.fin(ks)
        r.usage()
        # A peer's quota, of this day, used up at its first time in it.
        want = 201 if days in used else 100
        equal(circuit(l, 11, 10, 60000, 50000), want, f"{n}: quota, {days}")
        used.add(days)
    l.finish(live)
    l.fin(live)
    usage, records = r.usage(), r.records()
    equal(r.metric("adit_ledger_lost_bytes_total"), 0, "lost")
    days = r.adit("usage", "--day")
    months = r.adit("usage", "--month")
    overs = l.end()
    compare(l, overs, {k: "fin" for k in overs}, usage, records)
    for what in ("sent_bytes", "received_bytes", "circuits_in"):
        whole = sum(u[what] for u in usage.values())
        equal(sum(d[what] for d in days), whole, f"{what} by day")
        equal(sum(m[what] for m in months), whole, f"{what} by month")
    equal(len(days), 5, "days")
    check(all(0 <= x["lasted_us"] < 3600 * 10 ** 6 for x in records),
          "a circuit that lasted as long as the clock was set by")
    r.stop()
    intact(r.db)


# --- reload and drain --------------------------------------------------------

@case("books: limits reloaded again and again under load: no circuit is lost")
def _(w):
    def conf(n):
        return w.write("aditd.conf", f"""[circuit]
max = {60 + n % 50}
max_per_peer = {n % 3 + 1}
[rate]
node_bytes_s = {(40, 0, 25)[n % 3]}MiB
[reservation]
max = {60 + n % 7}
[class.anonymous]
circuit_bytes = {n % 2 * 100}KiB
circuit_duration = {n % 2 * 3600}s
[class.late{n % 4}]
peers =
""")
    r = Books(w, "-c", conf(0))
    l = Load(w)
    l.join(r, range(100))
    l.reserve(range(50))
    ks = [l.dial(50 + i, i, 10 ** 6 + i, 600000 - i, "hold")
          for i in range(50)]
    l.opened(ks)
    done = threading.Event()
    bad = []

    def reloads():
        n = 0
        try:
            while not done.is_set() or n < 20:
                n += 1
                conf(n)
                seen = r.p.count()
                r.p.signal(signal.SIGHUP)
                r.p.expect("config.reloaded", after=seen)
        except Failed as e:
            bad.append(e)
        bad.append(n)
    t = threading.Thread(target=reloads, daemon=True)
    t.start()
    l.full(ks)
    done.set()
    t.join(LONG)
    check(len(bad) == 1 and bad[0] >= 20, f"reloads: {bad}")
    l.finish(ks)
    l.fin(ks)
    usage, records = r.usage(), r.records()
    overs = l.end()
    compare(l, overs, {k: "fin" for k in overs}, usage, records)


@case("drain: 1,000 reserved peers go in groups, circuits end by themselves")
def _(w):
    n, group, every_ms = 1000, 100, 300
    r = Books(w, f"--drain.group={group}", f"--drain.every={every_ms}ms",
              "--reservation.max=2000", "--connection.idle=0",
              level="debug")
    l = Load(w)
    l.join(r, range(n + 2), width=32)
    l.reserve(range(n))
    ks = [l.dial(n, i, 1000, 1000, "hold") for i in range(5)]
    l.opened(ks)
    l.full(ks)
    equal(r.get("/readyz")[0], 200, "readiness")
    rows = r.adit("drain")
    seen = l.p.count()
    equal(r.get("/readyz")[0], 503, "readiness while it drains")
    equal(r.get("/healthz")[0], 200, "health")
    # Nothing new meanwhile.
    k = l.dial(n + 1, 5, 10, 10)
    check(l.answers([k])[k] in (200, 201, 203), f"{l.answers([k])}")
    l.say(f"reserve {n + 1}")
    check(l.p.expect("reserved", after=seen)["status"] == 200, "a newcomer")
    # All go but those that carry.
    l.all("gone", "peer", range(5, n), "gone")
    check(not any(e["event"] == "over" for e in l.p.events), "a circuit")
    equal(r.adit("status")[0]["reservations"], 5, "reservations")
    check(not any(e["event"] == "drain.done" for e in r.p.events), "done")
    equal((rows[0]["state"], r.adit("status")[0]["state"]),
          ("draining", "draining"), "state")
    # In groups: within half of the time between two there is never more than
    # one of them, by the relay's own clock.
    at = [datetime.datetime.fromisoformat(x.split()[0].replace("Z", "+00:00"))
          for x in r.p.lines if "the relay is draining" in x]
    equal(len(at), n - 5, "closed")
    for a, b in zip(at, at[group:]):
        check((b - a).total_seconds() * 1000 >= every_ms / 2,
              f"more than {group} from {a} to {b}")
    check(at[-1] - at[0] >= datetime.timedelta(
        milliseconds=every_ms * (n // group - 2)), "they go too fast")
    # The last circuits end; then it has drained, and goes on when told to.
    l.finish(ks)
    l.fin(ks)
    r.p.expect("drain.done", LONG)
    l.all("gone", "peer", range(5), "gone")
    equal(r.get("/readyz")[0], 503, "readiness when it has drained")
    equal(r.adit("status")[0]["reservations"], 0, "reservations")
    r.adit("undrain")
    equal(r.get("/readyz")[0], 200, "readiness")
    l.join(r, range(10))
    l.reserve(range(10))
    k = l.dial(n + 1, 5, 10, 10)
    l.fin([k])


# --- restarts ----------------------------------------------------------------

class Dials:
    """Threads that dial one after the other, and want an answer."""

    HELLO = b"\x13/multistream/1.0.0\n"

    def __init__(self, port, n):
        self.port = port
        self.done = threading.Event()
        self.cond = threading.Condition()
        self.n_answered, self.n_cut, self.refused = 0, 0, []
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _i in range(n)]
        for t in self.threads:
            t.start()

    def _one(self):
        try:
            s = socket.create_connection(("127.0.0.1", self.port), LONG)
        except OSError as e:
            self.refused.append(e)
            return
        with s:
            got = b""
            try:
                s.sendall(self.HELLO)
                got = s.recv(100)
            except ConnectionError:
                pass  # it was taken, and then the relay ended
        with self.cond:
            if got == self.HELLO:
                self.n_answered += 1
            else:
                self.n_cut += 1
            self.cond.notify_all()

    def _run(self):
        while not self.done.is_set() and not self.refused:
            self._one()

    def more(self, n):
        """Until `n` more are answered."""
        end = time.monotonic() + LONG
        with self.cond:
            want = self.n_answered + n
            while self.n_answered < want and not self.refused:
                check(time.monotonic() < end, "dials are not answered")
                self.cond.wait(0.5)

    def end(self):
        self.done.set()
        for t in self.threads:
            t.join(LONG)
            check(not t.is_alive(), "a dial that nobody answers")


@case("restarts with the listening socket held: of a stream of dials none is "
      "refused")
def _(w):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(512)
        port = s.getsockname()[1]
        args = (f"--listen.tcp=/ip4/127.0.0.1/tcp/{port}", *OPEN,
                "--handshake.max=0")
        p = given(w, [s], "relay", *args)
        p.expect("node.ready")
        d = Dials(port, 4)
        for i in range(6):
            d.more(50)
            p.signal(signal.SIGTERM if i % 3 else signal.SIGKILL)
            p.wait(LONG)
            p = given(w, [s], "relay", *args)
            p.expect("node.ready")
        d.more(50)
        d.end()
    equal(d.refused, [], "refused")
    # At most those that the relay had taken and not answered when it ended.
    check(d.n_cut <= 6 * 4, f"{d.n_cut} were cut")
