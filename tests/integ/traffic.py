# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
What a relay carries, for long, in masses, and past what breaks.
"""
import hashlib
import os
import re
import select
import signal
import socket
import threading
import time

from world import (LONG, SHORT, SLOW, UNLIMITED, WRAP, Proc, Skipped, case,
                   check, circuit, equal, feed, noise, read_all, read_exactly,
                   rss_kib)


# --- what lasts --------------------------------------------------------------

@case("a relay killed and restarted: the listener reserves again by itself")
def _(w):
    p, addr = w.relay()
    l, _circuit = w.echo(addr)
    seen = l.count()
    p.signal(signal.SIGKILL)
    p.wait()
    l.expect("reservation_lost")
    port = re.search(r"/tcp/(\d+)", addr).group(1)
    q, again = w.relay(listen=f"/ip4/127.0.0.1/tcp/{port}")
    equal(again, addr, "the relay's address")
    circuit = l.expect("reserved", LONG, after=seen)["addr"]
    d = w.dial(circuit, data=b"still here")
    equal(read_all(d), b"still here", "echo")
    d.exits(0)
    q.signal(signal.SIGTERM)
    q.exits(0)


@case("a reservation is renewed before its end")
def _(w):
    _p, addr = w.relay("--reservation.ttl=4s")
    l, circuit = w.echo(addr)
    l.expect("reserved", LONG, test=lambda e: e["renewed"])
    d = w.dial(circuit, data=b"x")
    equal(read_all(d), b"x", "echo")
    d.exits(0)


@case("a listener that is killed frees its place; dialling it is refused")
def _(w):
    p, addr = w.relay("--reservation.grace=0")
    l, circuit = w.echo(addr)
    l.end()
    p.expect("conn.closed")
    d = w.dial(circuit, data=b"x")
    d.exits(4)


@case("a reader that stops stops the writer; the relay's memory stays flat")
def _(w):
    p, addr = w.relay(*UNLIMITED)
    _l, circuit = w.echo(addr)
    d = w.dial(circuit)
    d.expect("open")
    before = rss_kib(p)
    fd = d.p.stdin.fileno()
    os.set_blocking(fd, False)
    taken, block, idle = 0, noise(65536), time.monotonic()
    end = time.monotonic() + LONG
    # Nobody reads d's output: what it takes has an end.
    while time.monotonic() - idle < 1 * SLOW:
        check(time.monotonic() < end and taken < 64 << 20,
              f"it took {taken} bytes, and goes on")
        try:
            taken += os.write(fd, block)
            idle = time.monotonic()
        except BlockingIOError:
            select.select([], [fd], [], 0.05)
    grown = rss_kib(p) - before
    check(taken > 65536, f"only {taken} bytes went")
    check(taken < 32 << 20, f"{taken} bytes went into a path nobody reads")
    limit = 4096 if not WRAP and SLOW == 1 else 65536
    check(grown < limit, f"the relay grew by {grown} KiB")
    # Others notice nothing.
    w.adit("relay", "probe", addr).exits(0, LONG)
    # It all comes when it is read.
    os.set_blocking(fd, True)
    d.p.stdin.close()
    equal(len(read_all(d)), taken, "bytes that came in the end")
    d.exits(0)


@case("output that nobody reads ends a dial, without a signal")
def _(w):
    _p, addr = w.relay(*UNLIMITED)
    _l, circuit = w.echo(addr)
    d = w.dial(circuit)
    d.p.stdout.close()
    feed(d, noise(100000), close=False)
    d.exits(1)
    equal(d.expect("closed")["code"], "CANCELLED", "code")


@case("64 MiB each way through a relay without limits, SHA-256")
def _(w):
    _p, addr = w.relay(*UNLIMITED)
    _l, circuit = w.echo(addr)
    d = w.dial(circuit)
    block = noise(1 << 20)
    want, got, n = hashlib.sha256(), hashlib.sha256(), 64

    def send():
        for i in range(n):
            part = block[i:] + block[:i]
            want.update(part)
            d.p.stdin.write(part)
        d.p.stdin.close()
    t = threading.Thread(target=send, daemon=True)
    t.start()
    left = n << 20
    while left:
        part = read_exactly(d, min(left, 1 << 20), LONG)
        if not part:
            break
        got.update(part)
        left -= len(part)
    t.join(SHORT)
    equal(left, 0, "bytes missing")
    d.exits(0)
    equal(got.hexdigest(), want.hexdigest(), "hash")


@case("200 circuits at once, SHA-256 of what went through each")
def _(w):
    n = 200 if not WRAP else 20
    p, addr = w.relay("--circuit.max_per_peer=0", "--circuit.max_per_ip=0",
                      "--circuit.per_hour_ip=0", "--connection.max_per_ip=0",
                      "--handshake.max_per_ip=0")
    l, circuit = w.echo(addr, "-o", "connection.streams=510")
    dials = [w.dial(circuit) for _i in range(n)]
    for d in dials:
        d.expect("open", LONG * 2)
    # All are open; only now anything is sent.
    data = [noise(100000, i) for i in range(n)]
    for d, part in zip(dials, data):
        feed(d, part)
    for d, part in zip(dials, data):
        equal(hashlib.sha256(read_all(d)).hexdigest(),
              hashlib.sha256(part).hexdigest(), "hash")
    for d in dials:
        d.exits(0)
    end = time.monotonic() + SHORT
    while True:
        with p.cond:
            closed = sum(e["event"] == "circuit.closed" for e in p.events)
            if closed >= n:
                break
            check(time.monotonic() < end, f"only {closed} circuits closed")
            p.cond.wait(0.1)
    w.adit("relay", "probe", addr).exits(0, LONG)
    del l


@case("10,000 times connect, reserve, disconnect: nothing is left of them")
def _(w):
    program = os.path.join(w.build, "tests/integ/churn")
    if not os.access(program, os.X_OK):
        raise Skipped("it is not built")
    # Caps so small that a count that is not given back is soon a refusal.
    p, addr = w.relay("--reservation.grace=0", "--reservation.max=64",
                      "--reservation.max_per_ip=0", "--connection.max=64",
                      "--connection.max_per_ip=0", "--handshake.max=32",
                      "--handshake.max_per_ip=0",
                      "--reservation.per_hour_ip=0", "--log.level=info")
    churn = lambda n: Proc(w, [program, addr, str(n), "16"]).exits(0, 540)
    fds = lambda: len(os.listdir(f"/proc/{p.p.pid}/fd"))
    before_fds = fds()
    churn(100 if WRAP else 1000)
    rss = rss_kib(p)
    churn(200 if WRAP else 9000)
    end = time.monotonic() + SHORT
    while fds() != before_fds:
        check(time.monotonic() < end, f"{fds()} descriptors, not {before_fds}")
        select.select([], [], [], 0.05)
    if not WRAP and SLOW == 1:  # valgrind and ASan keep what was freed
        check(rss_kib(p) <= rss + 2048, f"{rss} KiB grew to {rss_kib(p)}")
    w.adit("relay", "probe", addr).exits(0, LONG)


@case("the example of EMBEDDING.md: it reserves, prints how, and answers")
def _(w):
    program = os.path.join(w.build, "docs/examples/hello")
    if not os.access(program, os.X_OK):
        raise Skipped("it is not built")
    _p, addr = w.relay()
    h = Proc(w, [program, addr])
    end = time.monotonic() + SHORT
    while not h.lines:
        check(time.monotonic() < end, "it prints nothing")
        with h.cond:
            h.cond.wait(0.1)
    words = h.lines[0].split()
    equal((words[:2], words[3]), (["adit", "dial"], "/hello/1"), "its line")
    w.adit("id", w.path("k")).exits(0)
    d = w.dial(words[2], words[3], "--key", w.path("k"))
    d.p.stdin.close()
    text = read_all(d).decode()
    d.exits(0)
    check(text.startswith("hello, 12D3KooW"), f"it says {text!r}")


@case("bytes that are no libp2p end in nothing but a closed connection")
def _(w):
    p, addr = w.relay()
    port = int(re.search(r"/tcp/(\d+)", addr).group(1))
    for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 5000,
                 noise(20000), b"\x13/multistream/1.0.0\n" + b"\xff" * 100):
        with socket.create_connection(("127.0.0.1", port), SHORT) as s:
            s.settimeout(20 * SLOW)
            try:
                s.sendall(junk)
                while s.recv(4096):
                    pass
            except ConnectionError:
                pass
    w.adit("relay", "probe", addr).exits(0, LONG)
    p.signal(signal.SIGTERM)
    p.exits(0)
