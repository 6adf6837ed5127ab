# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
A case for each option that limits something: set so low that it bites.

Cases of `run`.  The last case goes through
what aditd has for options, and fails if one of them has no case here.
"""

import os
import re
import signal
import socket
import threading
import time
import urllib.request

from world import (LONG, SHORT, Balancer, Failed, case, check, equal,
                      feed, noise, read_all)

KEYS = {}                   # option: what its case is called
HERE = os.path.dirname(os.path.abspath(__file__))
LIMITING = ("reservation.", "circuit.", "rate.", "connection.", "stream.",
            "handshake.", "access.", "class.")
FAR = "203.0.113.9"         # nobody else's address
FREE = {"circuit.data_bytes": "0", "circuit.duration": "0"}

# What needs a peer that misbehaves below Yamux is tried in another place.
ELSEWHERE = {
    "connection.partial": ("tests/sim/hostile.c", "partial frame"),
}


def limit(option, what="it bites"):
    KEYS.setdefault(option, what)
    return case(f"limits: {option}: {what}")


class Stage:
    """A relay with the options of one case, and who comes to it."""

    def __init__(self, w, options):
        self.w = w
        self.keys = {}
        full = {"http.listen": "127.0.0.1:0"}
        for name, value in options.items():
            full[name] = value(self) if callable(value) else value
        self.balanced = "listen.proxy_from" in full
        self.p, self.addr = w.relay(*(f"--{k}={v}" for k, v in full.items()))
        self.http = self.p.expect("admin.ready")["http"]
        self.doors = {}

    def via(self, ip):
        """The relay's address, for who is to be seen at `ip`."""
        if not self.balanced:
            return self.addr
        ip = ip or FAR
        if ip not in self.doors:
            self.doors[ip] = Balancer(self.addr, ip).addr
        return self.doors[ip]

    def key(self, name):
        if name not in self.keys:
            path = self.w.path(name + ".id")
            p = self.w.adit("id", path)
            p.exits(0)
            self.keys[name] = path, p.lines[0]
        return self.keys[name][0]

    def id(self, name):
        self.key(name)
        return self.keys[name][1]

    def named(self, name):
        return ("--key", self.key(name)) if name else ()

    def newcomer(self, name=None, ip=None):
        return self.w.adit("listen", "--relay", self.via(ip), "--echo",
                           "--json", *self.named(name))

    def listener(self, name=None, ip=None):
        p = self.newcomer(name, ip)
        return p, self.circuit(p)

    def circuit(self, p):
        return p.expect("reserved", LONG)["addr"].split("/p2p-circuit/")[1]

    def dial(self, circuit, name=None, ip=None):
        return self.w.dial(f"{self.via(ip)}/p2p-circuit/{circuit}",
                           *self.named(name))

    def hold(self, circuit, name=None, ip=None):
        d = self.dial(circuit, name, ip)
        d.expect("open")
        return d

    def echo(self, circuit, n=1000, name=None, ip=None):
        d = self.dial(circuit, name, ip)
        feed(d, noise(n))
        equal(len(read_all(d)), n, "bytes that came back")
        d.exits(0)

    def ping(self, name=None, ip=None):
        return self.w.adit("ping", self.via(ip), "-n", "1", "--json",
                           "--timeout", "5s", *self.named(name))

    def no_ping(self, name=None, ip=None):
        """The relay does not let it in, so nothing answers."""
        p = self.ping(name, ip)
        p.wait()
        check(not any(e["event"] == "ping" for e in p.events),
              "it was let in")

    def refused(self, rule, limit=None):
        """The line in the log, and the counter."""
        e = self.p.expect("relay.refused", test=lambda x: x["rule"] == rule)
        if limit is not None:
            equal(e["limit"], str(limit), "the limit in the log")
        check(self.counter(rule) > 0, f"adit_refused_total of {rule} is 0")
        return e

    def counter(self, rule):
        with urllib.request.urlopen(f"http://{self.http}/metrics",
                                    timeout=SHORT) as answer:
            text = answer.read().decode()
        m = re.search(rf'^adit_refused_total{{rule="{rule}"}} (\d+)$', text,
                      re.M)
        check(m, f"no counter of {rule}")
        return int(m.group(1))


def systems(_s):
    """The vectors' database of autonomous systems."""
    return os.path.join(HERE, "..", "vectors", "asn.mmdb")


def file_of(*names):
    def make(s):
        return s.w.write("list", "".join(s.id(n) + "\n" for n in names))
    return make


def ids(*names):
    return lambda s: ", ".join(s.id(n) for n in names)


# --- caps, by scope ----------------------------------------------------------

# Where the first comes from, the second, and one whom it does not concern.
SCOPES = (
    ("", None, None, None),
    ("_per_ip", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
    ("_per_48", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2::1"),
    ("_per_asn", "192.0.2.7", "192.0.2.8", "198.51.100.9"),
)


def scoped(option, value, act, rule, **more):
    """A case for each scope of a cap."""
    for suffix, first, second, other in SCOPES:
        options = {option + suffix: value, **more}
        if first is not None:
            options["listen.proxy_from"] = "127.0.0.1"
        if suffix == "_per_asn":
            options["asn.file"] = systems
        if suffix == "_per_48":  # the narrower scope is not what is tried
            options.setdefault(option + "_per_ip", "0")

        @limit(option + suffix)
        def _(w, options=options, rule=rule + suffix, first=first,
              second=second, other=other):
            s = Stage(w, options)
            act(s, first, second)
            s.refused(rule, value)
            if other is not None:
                act(s, other, None)


def reserves(s, first, second):
    s.listener(ip=first)
    if second or not s.balanced:
        lost = s.newcomer(ip=second).expect("reservation_lost")
        equal(lost["status"], 201, "status")


def dials(s, first, second):
    if "to" not in s.keys:
        s.to = s.listener("to")[1]
    s.hold(s.to, ip=first)
    if second or not s.balanced:
        d = s.dial(s.to, ip=second)
        d.exits(4)
        equal(d.expect("error")["code"], "EFULL", "code")


def connects(s, first, second):
    s.listener(ip=first)
    if second or not s.balanced:
        s.no_ping(ip=second)


def shakes(s, first, second):
    """The first says nothing, so its handshake is not over."""
    port = int(re.search(r"/tcp/(\d+)", s.via(first)).group(1))
    if second or not s.balanced:
        s.silent = socket.create_connection(("127.0.0.1", port), SHORT)
        s.no_ping(ip=second)
    else:
        s.ping(ip=first).exits(0)


def opens_streams(s, first, second):
    """A circuit is a stream on each side; the listener is at `first` too."""
    if second is None and s.balanced:
        s.ping(ip=first).exits(0)
        return
    to = s.listener(ip=first)[1]
    for _i in range(8):
        d = s.dial(to, ip=second)
        if not opens(d):
            return
    raise Failed("8 circuits hold 16 streams")


def opens(d):
    """Does the dial come to be open, or end?"""
    end = time.monotonic() + SHORT
    with d.cond:
        while not any(e["event"] == "open" for e in d.events):
            if d.open == 0 or time.monotonic() >= end:
                return False
            d.cond.wait(0.1)
    return True


scoped("reservation.max", "1", reserves, "reservations")
scoped("circuit.max", "1", dials, "circuits")
scoped("connection.max", "1", connects, "connections")
scoped("handshake.max", "1", shakes, "handshakes")
scoped("stream.max", "6", opens_streams, "streams")


# --- caps of one peer --------------------------------------------------------

def peer_connects(s):
    s.listener("who")
    s.no_ping("who")


def destination_full(s):
    _, to = s.listener()
    s.hold(to, "one")
    s.dial(to, "two").exits(4)


def source_full(s):
    one, two = s.listener()[1], s.listener()[1]
    s.hold(one, "who")
    s.dial(two, "who").exits(4)


def both_full(s):
    """It is a destination, and may not be a source too."""
    _, to = s.listener("who")
    s.hold(to)
    other = s.listener("other")[1]
    s.dial(other, "who").exits(4)


def peer_streams(s):
    for i in range(4):
        d = s.dial(s.listener()[1], "who")
        if not opens(d):
            return
    raise Failed("4 circuits hold 4 streams")


def class_full(s):
    s.listener()
    equal(s.newcomer().expect("reservation_lost")["status"], 201, "status")


# --- an hour's requests ------------------------------------------------------

def reserves_twice(s):
    p, _ = s.listener("who")
    p.end()
    lost = s.newcomer("who").expect("reservation_lost")
    equal(lost["status"], 201, "status")


def others_reserve(s):
    s.listener("one", "192.0.2.7")
    s.newcomer("two", "192.0.2.7").expect("reservation_lost")
    s.listener("three", "192.0.2.8")


def dials_twice(s):
    _, to = s.listener()
    s.echo(to, name="who")
    s.dial(to, "who").exits(4)
    s.echo(to, name="other")


def others_dial(s):
    _, to = s.listener()
    s.echo(to, ip="192.0.2.7")
    s.dial(to, ip="192.0.2.7").exits(4)
    s.echo(to, ip="192.0.2.8")


# --- lists, and whom classes let in ------------------------------------------

def denied(s):
    """It may do neither; others may."""
    lost = s.newcomer("who").expect("reservation_lost")
    equal(lost["status"], 202, "status")
    _, to = s.listener("other")
    s.dial(to, "who").exits(4)


def by_address(s):
    lost = s.newcomer(ip="192.0.2.7").expect("reservation_lost")
    equal(lost["status"], 202, "status")
    s.listener(ip="198.51.100.9")


def may_not_dial(s):
    _, to = s.listener("other")
    s.dial(to, "who").exits(4)


# --- quotas ------------------------------------------------------------------

def quota_used(s):
    """What is open ends, and nothing more is taken."""
    _, to = s.listener("who")
    d = s.hold(to)
    feed(d, noise(40000), close=False)
    e = s.p.expect("circuit.closed", LONG)
    equal(e["why"], "quota", "why the circuit was closed")
    s.dial(to).exits(4)


# --- the table ---------------------------------------------------------------

PROXY = {"listen.proxy_from": "127.0.0.1"}
BARRED = {"class.barred.may_reserve": "no", "class.barred.may_dial": "none"}

REFUSALS = (
    # option, its value, what else, who does what, rule
    ("connection.max_per_peer", "1", {}, peer_connects,
     "connections_per_peer"),
    ("stream.max_per_peer", "3", {}, peer_streams, "streams_per_peer"),
    ("circuit.max_per_peer", "1", {}, destination_full,
     "circuits_per_destination"),
    ("circuit.max_per_peer", "1", {}, source_full, "circuits_per_source"),
    ("reservation.per_hour", "1", {}, reserves_twice,
     "reservations_per_hour"),
    ("reservation.per_hour_ip", "1", PROXY, others_reserve,
     "reservations_per_hour_ip"),
    ("circuit.per_hour", "1", {}, dials_twice, "circuits_per_hour"),
    ("circuit.per_hour_ip", "1", PROXY, others_dial, "circuits_per_hour_ip"),
    ("access.deny_file", file_of("who"), {}, denied, "denied"),
    ("access.allow_file", file_of("other"), {}, denied, "not_allowed"),
    ("class.NAME.peers", ids("who"), BARRED, denied, "class_may_not_reserve"),
    ("class.NAME.peers_file", file_of("who"), BARRED, denied,
     "class_may_not_reserve"),
    ("class.NAME.subnets", "192.0.2.0/24", {**BARRED, **PROXY}, by_address,
     "class_may_not_reserve"),
    ("class.NAME.asns", "64500", {**BARRED, **PROXY, "asn.file": systems},
     by_address, "class_may_not_reserve"),
    ("class.NAME.may_reserve", "no", {"class.barred.peers": ids("who"),
                                      "class.barred.may_dial": "none"},
     denied, "class_may_not_reserve"),
    ("class.NAME.may_dial", "none", {"class.barred.peers": ids("who")},
     may_not_dial, "class_may_not_dial"),
    ("class.NAME.dialled_by", "none", {"class.barred.peers": ids("other")},
     may_not_dial, "class_may_not_dial"),
    ("class.NAME.reservations", "1", {"class.barred.subnets": "127.0.0.0/8"},
     class_full, "reservations_per_class"),
    ("class.NAME.reservations_per_hour", "1",
     {"class.barred.peers": ids("who")}, reserves_twice,
     "reservations_per_hour"),
    ("class.NAME.circuits_in", "1", {"class.barred.subnets": "127.0.0.0/8"},
     destination_full, "circuits_per_destination"),
    ("class.NAME.circuits_out", "1", {"class.barred.peers": ids("who")},
     source_full, "circuits_per_source"),
    ("class.NAME.circuits", "1", {"class.barred.peers": ids("who")},
     both_full, "circuits_per_peer"),
    ("class.NAME.circuits_per_hour", "1", {"class.barred.peers": ids("who")},
     dials_twice, "circuits_per_hour"),
    ("class.NAME.day_bytes", "20KiB", {"class.barred.peers": ids("who")},
     quota_used, "quota_day"),
    ("class.NAME.month_bytes", "20KiB", {"class.barred.peers": ids("who")},
     quota_used, "quota_month"),
)


def class_option(option):
    return option.replace(".NAME.", ".barred.")


for _option, _value, _more, _act, _rule in REFUSALS:
    @limit(_option, f"refuses by {_rule}")
    def _(w, option=_option, value=_value, more=_more, act=_act, rule=_rule):
        s = Stage(w, {**more, class_option(option): value})
        act(s)
        s.refused(rule)


# --- of a circuit ------------------------------------------------------------

def cut_at_byte(w, option, more):
    s = Stage(w, {**more, class_option(option): "64KiB"})
    _, to = s.listener("who")
    d = s.dial(to)
    feed(d, noise(1 << 20), close=False)
    # Noise on top ends with the direction, and then all of it.
    equal(s.p.expect("circuit.closed", LONG)["to_dst"], "65536", "bytes")


def cut_at_second(w, option, more):
    s = Stage(w, {**more, class_option(option): "1s"})
    _, to = s.listener("who")
    d = s.hold(to)
    e = s.p.expect("circuit.closed")
    equal(e["why"], "time_limit", "why it ended")
    d.exits(5)


def lapses(w, option, more):
    """One place, held by one that sleeps: it is free when its time is up."""
    s = Stage(w, {**more, class_option(option): "2s", "reservation.max": "1"})
    p, _ = s.listener("who")
    p.signal(signal.SIGSTOP)
    q = s.newcomer("other")
    equal(q.expect("reservation_lost")["status"], 201, "status")
    q.expect("reserved", LONG)


for _option, _more in (("circuit.data_bytes", {}),
                       ("class.NAME.circuit_bytes",
                        {"class.barred.peers": ids("who")})):
    @limit(_option, "cuts at the byte")
    def _(w, option=_option, more=_more):
        cut_at_byte(w, option, more)

for _option, _more in (("circuit.duration", {}),
                       ("class.NAME.circuit_duration",
                        {"class.barred.peers": ids("who")})):
    @limit(_option, "cuts at the second")
    def _(w, option=_option, more=_more):
        cut_at_second(w, option, more)

for _option, _more in (("reservation.ttl", {}),
                       ("class.NAME.reservation_ttl",
                        {"class.barred.peers": ids("who", "other")})):
    @limit(_option, "a place is free when its time is up")
    def _(w, option=_option, more=_more):
        lapses(w, option, more)


@limit("reservation.grace", "a place is kept for who lost its connection")
def _(w):
    s = Stage(w, {"reservation.grace": "1h", "reservation.max": "1"})
    p, _ = s.listener("who")
    p.end()
    s.p.expect("conn.closed")
    lost = s.newcomer("other").expect("reservation_lost")
    equal(lost["status"], 201, "status")
    s.listener("who")
    s.refused("reservations", 1)


@limit("reservation.grace", "without it the place is free at once")
def _(w):
    s = Stage(w, {"reservation.grace": "0", "reservation.max": "1"})
    p, _ = s.listener("who")
    p.end()
    s.p.expect("conn.closed")
    s.listener("other")


@limit("circuit.wider", "what holds between two classes")
def _(w):
    for wider in ("no", "yes"):
        s = Stage(w, {"class.listed.peers": ids("who"),
                      "circuit.wider": wider})
        _, to = s.listener("who")
        if wider == "yes":
            s.echo(to, 300000)
        else:
            feed(s.dial(to), noise(300000), close=False)
            equal(s.p.expect("circuit.closed", LONG)["to_dst"], "131072",
                  "bytes")
        s.p.signal(signal.SIGTERM)
        s.p.exits(0)


@limit("class.NAME.over_quota", "who has used it up is of another class")
def _(w):
    s = Stage(w, {"class.barred.peers": ids("who"),
                  "class.barred.day_bytes": "20KiB",
                  "class.barred.over_quota": "poor",
                  "class.poor.circuit_bytes": "8KiB"})
    _, to = s.listener("who")
    s.echo(to, 40000)
    s.p.expect("circuit.closed")
    seen = s.p.count()
    feed(s.dial(to), noise(40000), close=False)
    e = s.p.expect("circuit.closed", after=seen)
    equal(e["to_dst"], "8192", "bytes of the poor")


@limit("class.NAME.announce_limit", "a limit is said where there is none")
def _(w):
    for said in ("no", "yes"):
        s = Stage(w, {"class.barred.circuit_bytes": "0",
                      "class.barred.circuit_duration": "0",
                      "class.barred.subnets": "127.0.0.0/8",
                      "class.barred.announce_limit": said})
        p, to = s.listener()
        r = p.expect("reserved")
        equal((r["limit_bytes"], r["limit_seconds"]),
              (1 << 50, 366 * 86400) if said == "yes" else (0, 0), "limits")
        equal(s.hold(to).expect("open")["limited"], said == "yes", "limited")


# --- rates: bytes that went by the time that circuits end by their limit -----

RATE = 1 << 20
SECONDS = 4


def paced(w, option, n_listeners, n_each, more):
    """
    Circuits that last so many seconds, flooded: together they carry about
    what the rate gives.  Without one each carries a hundred times as much.
    """
    s = Stage(w, {"circuit.data_bytes": "0", "circuit.duration":
                  f"{SECONDS}s", class_option(option): "1MiB", **more})
    for i in range(n_listeners):
        p = w.adit("listen", "--relay", s.via(None), "--json", "--exec",
                   "cat >/dev/null", *s.named(f"who{i}"))
        to = s.circuit(p)
        for _j in range(n_each):
            flood(s.hold(to))
    want = n_listeners * n_each
    end = time.monotonic() + LONG
    with s.p.cond:
        while True:
            got = [e for e in s.p.events if e["event"] == "circuit.closed"]
            if len(got) == want:
                break
            check(time.monotonic() < end, f"{len(got)} of {want} ended")
            s.p.cond.wait(0.1)
    for e in got:
        equal(e["why"], "time_limit", "why it ended")
    carried = sum(int(e["to_dst"]) + int(e["to_src"]) for e in got)
    check(RATE * SECONDS // 4 < carried < 2 * RATE * (SECONDS + 1),
          f"{carried} bytes at {RATE} a second in {SECONDS} s")


def flood(d):
    block = noise(1 << 16)

    def go():
        try:
            while True:
                d.p.stdin.write(block)
        except OSError:
            pass  # the circuit's end
    threading.Thread(target=go, daemon=True).start()


RATES = (
    # option, listeners, circuits of each, what else
    ("rate.circuit_bytes_s", 1, 1, {}),
    ("rate.peer_bytes_s", 1, 3, {}),
    ("rate.node_bytes_s", 2, 2, {}),
    ("class.NAME.circuit_bytes_s", 1, 1, {"class.barred.peers": ids("who0"),
                                          "class.barred.circuit_duration":
                                          f"{SECONDS}s",
                                          "class.barred.circuit_bytes": "0"}),
    ("class.NAME.peer_bytes_s", 1, 3, {"class.barred.peers": ids("who0"),
                                       "class.barred.circuit_duration":
                                       f"{SECONDS}s",
                                       "class.barred.circuit_bytes": "0"}),
)

for _option, _listeners, _each, _more in RATES:
    @limit(_option, f"{_listeners * _each} circuits share it")
    def _(w, option=_option, listeners=_listeners, each=_each, more=_more):
        paced(w, option, listeners, each, more)


# --- of a connection ---------------------------------------------------------

@limit("connection.streams", "more circuits than streams are refused")
def _(w):
    s = Stage(w, {"connection.streams": "8", "circuit.max_per_peer": "0"})
    _, to = s.listener()
    n = 0
    while n < 9 and opens(s.dial(to)):
        n += 1
    check(0 < n <= 8, f"{n} circuits over one connection of 8 streams")
    s.refused("stop_failed")


@limit("connection.idle", "who does nothing is let go")
def _(w):
    s = Stage(w, {"connection.idle": "1s",
                  "class.anonymous.may_reserve": "no"})
    s.newcomer().expect("reservation_lost")
    equal(s.p.expect("conn.closed")["why"], "idle", "why")


class Valve(Balancer):
    """Passes all on, until it is shut: then nothing from the relay."""

    def __init__(self, relay):
        self.open = threading.Event()
        self.open.set()
        super().__init__(relay, None)

    def _accept(self):
        while True:
            a, _from = self.listener.accept()
            b = socket.socket()
            # What waits here waits no longer in the relay.
            b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            b.connect(("127.0.0.1", self.port))
            threading.Thread(target=self._pass, args=(a, b),
                             daemon=True).start()
            threading.Thread(target=self._throttle, args=(b, a),
                             daemon=True).start()

    def _throttle(self, x, y):
        while True:
            self.open.wait()
            try:
                data = x.recv(4096)
                if not data:
                    return
                y.sendall(data)
            except OSError:
                return


@limit("connection.stall", "who reads nothing is let go")
def _(w):
    s = Stage(w, {**FREE, "connection.stall": "1s",
                  "connection.keepalive": "0", "circuit.max_per_peer": "0"})
    valve = Valve(s.addr)
    p = w.adit("listen", "--relay", valve.addr, "--json", "--exec",
               "cat >/dev/null", *s.named("who"))
    to = s.circuit(p)
    # Windows of 256 KiB each, together more than the sockets hold.
    for _i in range(24):
        flood(s.hold(to))
    valve.open.clear()
    e = s.p.expect("conn.closed", LONG,
                   test=lambda e: e.get("peer") == s.id("who"))
    equal(e["why"], "the peer stopped reading", "why")


@limit("connection.keepalive", "who does not answer is let go")
def _(w):
    s = Stage(w, {"connection.keepalive": "1s", "connection.stall": "1s"})
    p, _to = s.listener("who")
    p.signal(signal.SIGSTOP)
    e = s.p.expect("conn.closed", LONG)
    equal(e["why"], "a ping was not answered", "why")


@limit("handshake.timeout", "who says nothing is let go")
def _(w):
    s = Stage(w, {"handshake.timeout": "1s"})
    port = int(re.search(r"/tcp/(\d+)", s.addr).group(1))
    with socket.create_connection(("127.0.0.1", port), SHORT) as c:
        c.settimeout(SHORT)
        try:
            while c.recv(4096):
                pass
        except ConnectionError:
            pass
    equal(s.p.expect("conn.closed")["why"], "the upgrade took too long",
          "why")


# --- none is forgotten -------------------------------------------------------

@case("limits: every option that limits something has a case")
def _(w):
    p = w.aditd("--print-config")
    p.exits(0)
    section, have = "", set()
    for line in p.lines:
        m = re.fullmatch(r"\[(.*)\]", line)
        if m:
            section = re.sub(r"^class\..*", "class.NAME", m.group(1))
        m = re.match(r"#?([a-z0-9_]+) =", line)
        if m:
            have.add(f"{section}.{m.group(1)}")
    have = {x for x in have if x.startswith(LIMITING)}
    check(len(have) > 50, f"only {len(have)} options were found")
    for option, (path, text) in ELSEWHERE.items():
        with open(os.path.join(HERE, "..", "..", path),
                  encoding="utf-8") as f:
            check(text in f.read(), f"{path} says nothing of {option}")
    tried = set(KEYS) | set(ELSEWHERE)
    equal(sorted(have - tried), [], "options without a case")
    equal(sorted(tried - have), [], "cases of no option")
