# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
Books of a relay to which something happens.
"""
import datetime
import os
import random
import re
import select
import signal
import socket
import threading
import time

from world import (LONG, OPEN, WRAP, Books, Failed, Load, Redis, Skipped,
                   case, check, circuit, compare, equal, given, intact, rows)


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
