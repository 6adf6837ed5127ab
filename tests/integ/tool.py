# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
adit: its commands, what they say, and how they end.
"""
import hashlib
import os
import re
import select
import socket
import subprocess
import time

from world import (LONG, PEER, SHORT, SLOW, UNLIMITED, WRAP, case, check,
                   circuit, equal, feed, noise, read_all)


# --- adit: the command line --------------------------------------------------

@case("adit: an unknown command is refused with a suggestion")
def _(w):
    p = w.adit("dail")
    p.exits(2)
    p.says("did you mean dial?")


@case("adit: an unknown option is refused with a suggestion")
def _(w):
    p = w.adit("listen", "--realy", "x")
    p.exits(2)
    p.says("did you mean --relay?")


@case("adit: help for each command, by both ways")
def _(w):
    for words in (["id"], ["listen"], ["dial"], ["ping"], ["relay", "probe"]):
        for argv in (["help", *words], [*words, "--help"]):
            p = w.adit(*argv)
            p.exits(0)
            p.says("usage: adit " + " ".join(words))
            p.says("--json")
    p = w.adit("help")
    p.exits(0)
    p.says("Exit codes")


@case("adit id makes a key, mode 0600, and shows it again")
def _(w):
    p = w.adit("id", w.path("k"), "--json")
    p.exits(0)
    made = p.expect("id")
    check(made["made"], "it was not made")
    equal(os.stat(w.path("k")).st_mode & 0o777, 0o600, "mode")
    p = w.adit("id", w.path("k"))
    p.exits(0)
    equal(p.lines, [made["id"]], "peer id")


@case("adit id leaves alone what is no key")
def _(w):
    f = w.write("k", "precious", 0o600)
    p = w.adit("id", f)
    p.exits(6)
    with open(f, encoding="ascii") as g:
        equal(g.read(), "precious", "the file")

WRONG = [
    ("127.0.0.1:4001", 0),
    ("/ip4/127.0.0.256/tcp/4001/p2p/" + PEER, 5),
    ("/ip4/127.0.0.1/tpc/4001/p2p/" + PEER, 15),
    ("/ip4/127.0.0.1/tcp/70000/p2p/" + PEER, 19),
    ("/ip4/127.0.0.1/tcp/4001/p2p/" + PEER[:-1] + "0", None),
]


@case("a wrong multiaddr is shown with a mark below where it is wrong")
def _(w):
    for text, at in WRONG:
        p = w.adit("dial", text)
        p.exits(2)
        mark = [x for x in p.lines if re.match(r" *\^ \S", x)]
        equal(len(mark), 1, "marks for " + text)
        if at is not None:
            equal(mark[0].index("^") - 2, at, "where, of " + text)
        p = w.adit("ping", text, "--json")
        p.exits(2)
        error = p.expect("error")
        if at is not None:
            equal(error["at"], at, "where, of " + text)


@case("an address without a peer is refused with what is missing")
def _(w):
    p = w.adit("dial", "/ip4/127.0.0.1/tcp/4001")
    p.exits(2)
    p.says("/p2p/ID")


@case("a bare /p2p/ID without a relay is refused with what is missing")
def _(w):
    p = w.adit("dial", "/p2p/" + PEER)
    p.exits(2)
    p.says("--relay")


@case("nobody there: exit code 3")
def _(w):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    p = w.adit("dial", f"/ip4/127.0.0.1/tcp/{port}/p2p/{PEER}", "--json")
    p.exits(3)
    p.expect("error")


@case("somebody who says nothing: exit code 3 when the time is up")
def _(w):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        p = w.adit("ping", f"/ip4/127.0.0.1/tcp/{port}/p2p/{PEER}",
                   "--timeout", "500ms", "--json")
        p.exits(3)
        equal(p.expect("error")["code"], "ETIMEDOUT", "code")


@case("another peer than named: exit code 3")
def _(w):
    _p, addr = w.relay()
    liar = addr.split("/p2p/")[0] + "/p2p/" + PEER
    p = w.adit("ping", liar, "--json")
    p.exits(3)
    equal(p.expect("error")["code"], "EAUTH", "code")


@case("ping, direct and through a relay, text and JSON")
def _(w):
    _p, addr = w.relay()
    p = w.adit("ping", addr, "-n", "3", "-i", "1ms")
    p.exits(0)
    p.says("3 pings")
    _l, circuit = w.echo(addr)
    p = w.adit("ping", circuit, "-n", "3", "-i", "1ms", "--json")
    p.exits(0)
    equal(sum(e["event"] == "ping" for e in p.events), 3, "answers")
    check(p.expect("connected", test=lambda e: e["relay"])["limited"],
          "not limited")


@case("relay probe proves a relay, text and JSON")
def _(w):
    _p, addr = w.relay()
    p = w.adit("relay", "probe", addr)
    p.exits(0, LONG)
    p.says("The relay is proven.")
    p = w.adit("relay", "probe", addr, "--json")
    p.exits(0, LONG)
    e = p.expect("probe")
    check(e["ok"], "not ok")
    equal(e["limit_bytes"], 131072, "limit")
    equal(e["echoed_bytes"], 131072 // 2 - 16384, "echoed")


@case("relay probe of a relay without limits echoes a MiB")
def _(w):
    _p, addr = w.relay(*UNLIMITED)
    p = w.adit("relay", "probe", addr, "--json")
    p.exits(0, LONG)
    equal(p.expect("probe")["echoed_bytes"], 1 << 20, "echoed")


@case("relay probe of what is no relay names the step")
def _(w):
    _p, addr = w.relay("--relay.enabled=no")
    p = w.adit("relay", "probe", addr, "--json")
    p.exits(4)
    e = p.expect("probe")
    check(not e["ok"], "ok")
    equal(e["failed"], "reserve", "step")


# --- circuits ----------------------------------------------------------------

@case("listen --echo, dial: what is sent comes back, and both end well")
def _(w):
    _p, addr = w.relay()
    l, circuit = w.echo(addr)
    data = noise(100000)
    d = w.dial(circuit, data=data)
    equal(read_all(d), data, "echo")
    d.exits(0)
    check(d.expect("open")["limited"], "the path is not limited")
    s = l.expect("closed")
    equal((s["code"], s["bytes_in"]), ("DONE", 100000), "closed")


@case("listen prints one line to type, and the line works")
def _(w):
    _p, addr = w.relay()
    l = w.adit("listen", "--echo", "--relay", addr)
    end = time.monotonic() + SHORT
    line = None
    while line is None and time.monotonic() < end:
        with l.cond:
            line = next((x for x in l.lines if x.startswith("dial it: ")),
                        None)
            if line is None:
                l.cond.wait(0.1)
    check(line, "no such line" + l.tail())
    words = line.removeprefix("dial it: ").split()
    equal(words[:2], ["adit", "dial"], "what to type")
    p = w.adit(*words[1:], stdin=subprocess.PIPE)
    p.p.stdin.write(b"hello\n")
    p.p.stdin.close()
    p.exits(0)
    equal(p.lines, ["hello"], "answer")


@case("listen and dial directly, no relay")
def _(w):
    l = w.adit("listen", "--listen", "/ip4/127.0.0.1/tcp/0", "--echo",
               "--json")
    addr = l.expect("ready")["addrs"][0]
    data = noise(3000000)
    d = w.dial(addr, "--direct", data=data)
    equal(hashlib.sha256(read_all(d)).digest(), hashlib.sha256(data).digest(),
          "echo")
    d.exits(0)
    check(not d.expect("open")["limited"], "it says it is limited")


@case("a protocol of one's own; another is refused, exit code 4")
def _(w):
    _p, addr = w.relay()
    _l, circuit = w.echo(addr, "/my/proto/1")
    d = w.dial(circuit, "/my/proto/1", data=b"x")
    equal(read_all(d), b"x", "echo")
    d.exits(0)
    d = w.dial(circuit, data=b"x")
    d.exits(4)
    equal(d.expect("error")["code"], "EUNSUPPORTED", "code")


@case("stdin and stdout joined: netcat both ways, then both end; 20 times")
def _(w):
    _p, addr = w.relay("--reservation.max_per_ip=0")
    up, down = noise(50000, 1), noise(60000, 2)
    # Each ends, and the program with it, while its last frames are on their
    # way: what gets lost there gets lost once in a while.
    for _i in range(20 if not WRAP else 3):
        l = w.adit("listen", "--relay", addr, "--json",
                   stdin=subprocess.PIPE, raw=True)
        circuit = l.expect("reserved")["addr"]
        d = w.dial(circuit, data=up)
        feed(l, down)
        equal(read_all(d), down, "what came back")
        equal(read_all(l), up, "what arrived")
        d.exits(0)
        l.exits(0)


@case("half-close: the dialer ends first, the answer still comes")
def _(w):
    _p, addr = w.relay()
    _l, circuit = w.listen(addr, "--exec", "sha256sum")
    data = noise(70000)
    d = w.dial(circuit, data=data)
    got = read_all(d).decode().split()[0]
    d.exits(0)
    equal(got, hashlib.sha256(data).hexdigest(), "hash")


@case("half-close: the listener ends first, what is sent still arrives")
def _(w):
    _p, addr = w.relay()
    out = w.path("out")
    _l, circuit = w.listen(addr, "--exec", f"exec 1>&-; cat >{out}.part; "
                           f"mv {out}.part {out}")
    d = w.dial(circuit)
    equal(read_all(d), b"", "answer")
    data = noise(80000)
    feed(d, data)
    d.exits(0)
    end = time.monotonic() + SHORT
    while not os.path.exists(out):
        check(time.monotonic() < end, "it did not arrive")
        select.select([], [], [], 0.01)
    with open(out, "rb") as f:
        equal(f.read(), data, "what arrived")


@case("--exec: a program per stream, which is told the peer")
def _(w):
    _p, addr = w.relay()
    l, circuit = w.listen(addr, "--exec", "echo $ADIT_PEER; cat")
    ids = set()
    for i in range(3):
        d = w.dial(circuit, data=b"%d" % i)
        got = read_all(d).decode().split("\n")
        d.exits(0)
        equal(got[1], str(i), "answer")
        ids.add(got[0])
    equal(len(ids), 3, "peers")
    equal({e["from"] for e in l.events if e["event"] == "stream"}, ids,
          "peers in the events")


@case("--exec: a program that ends at once ends the stream")
def _(w):
    _p, addr = w.relay()
    _l, circuit = w.listen(addr, "--exec", "true")
    d = w.dial(circuit)
    equal(read_all(d), b"", "answer")
    d.p.stdin.close()
    d.exits(0)


@case("--direct does not go through a relay")
def _(w):
    _p, addr = w.relay()
    _l, circuit = w.echo(addr)
    d = w.dial(circuit, "--direct", "--timeout", "2s", data=b"x")
    equal(read_all(d), b"", "answer")
    check(d.wait() in (3, 4), f"exit code {d.p.returncode}")


@case("a peer without a reservation: exit code 4, and counted by its name")
def _(w):
    p, addr = w.relay()
    d = w.dial(f"{addr}/p2p-circuit/p2p/{PEER}", data=b"x")
    d.exits(4)
    equal(d.expect("error")["code"], "ENORESERVATION", "code")
    p.expect("relay.refused")


@case("a bare /p2p/ID is tried through each relay of the list; two relays")
def _(w):
    _p, one = w.relay(name="one")
    _q, two = w.relay(name="two")
    l = w.adit("listen", "--relay", one, "--relay", two, "--echo", "--json")
    for r in (one, two):
        l.expect("reserved",
                 test=lambda e, r=r: e["relay"] == r.split("/p2p/")[1])
    who = l.expect("ready")["id"]
    for r in (one, two):
        d = w.dial(f"{r}/p2p-circuit/p2p/{who}", data=b"x")
        equal(read_all(d), b"x", "echo")
        d.exits(0)
    l.end()
    l, _circuit = w.echo(two)
    who = l.expect("ready")["id"]
    d = w.dial(f"/p2p/{who}", "--relay", one, "--relay", two, data=b"y")
    equal(read_all(d), b"y", "echo")
    d.exits(0)


@case("an identity of one's own stays the same address")
def _(w):
    _p, addr = w.relay()
    p = w.adit("id", w.path("k"))
    p.exits(0)
    _l, circuit = w.echo(addr, "--key", w.path("k"))
    check(circuit.endswith("/p2p-circuit/p2p/" + p.lines[0]), circuit)


# --- limits ------------------------------------------------------------------

@case("the limit of bytes bites at 131072 exactly, and is told as that")
def _(w):
    p, addr = w.relay()
    _l, circuit = w.listen(addr, "--exec", "cat >/dev/null")
    d = w.dial(circuit, data=noise(1 << 20))
    d.exits(5, LONG)
    d.expect("limit_near")
    c = p.expect("circuit.closed")
    equal(c["to_dst"], "131072", "bytes towards the destination")


@case("the limit of bytes bites the other way too")
def _(w):
    p, addr = w.relay("--circuit.data_bytes=64KiB")
    _l, circuit = w.listen(addr, "--exec", "head -c 1000000 /dev/zero")
    d = w.dial(circuit)
    read_all(d)
    d.p.stdin.close()
    check(d.wait(LONG) == 5, f"exit code {d.p.returncode}" + d.tail())
    c = p.expect("circuit.closed")
    equal(c["to_src"], "65536", "bytes towards the source")


@case("the limit of time bites at its second, and is told as that")
def _(w):
    p, addr = w.relay("--circuit.duration=3s")
    _l, circuit = w.echo(addr)
    d = w.dial(circuit)
    d.expect("open")
    d.exits(5)
    c = p.expect("circuit.closed")
    ms = int(c["ms"])
    check(3000 <= ms < 3000 + 500 * SLOW, f"it lasted {ms} ms")


@case("reservations: the limit per address is said as a refusal")
def _(w):
    p, addr = w.relay("--reservation.max_per_ip=1")
    w.echo(addr)
    l = w.adit("listen", "--relay", addr, "--echo", "--json")
    e = l.expect("reservation_lost")
    check(e["status"] in (200, 201), f"status {e['status']}")
    check(e["retry_ms"] > 0, "no retry")
    p.expect("relay.refused")
