# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
Who stands in front of a relay or is asked by it: PROXY v2, admission.
"""
import http.server
import json
import re
import signal
import threading

from world import (LONG, Balancer, case, check, circuit, equal, noise,
                   of_relay, proxy_header, raw, read_all, refuses)

BALANCED = ("--listen.proxy_from=127.0.0.1",)


@case("PROXY v2: caps hold for the address that the balancer names")
def _(w):
    p, addr = w.relay("--reservation.max_per_ip=1", *BALANCED)
    one, two = Balancer(addr, "192.0.2.1"), Balancer(addr, "192.0.2.2")
    _l, circuit = w.echo(one.addr)
    l = w.adit("listen", "--relay", one.addr, "--echo", "--json")
    l.expect("reservation_lost")
    equal(p.expect("relay.refused")["addr"], "192.0.2.1:5000", "address")
    w.echo(two.addr)  # another address, another cap
    # And circuits run: the dialer comes by the other balancer.
    who = circuit.split("/p2p-circuit/")[1]
    d = w.dial(f"{two.addr}/p2p-circuit/{who}", data=b"through both")
    equal(read_all(d), b"through both", "echo")
    d.exits(0)


@case("PROXY v2: IPv6 addresses are named too, and share a cap by /64")
def _(w):
    p, addr = w.relay("--reservation.max_per_ip=1", *BALANCED)
    w.echo(Balancer(addr, "2001:db8::1").addr)
    l = w.adit("listen", "--relay", Balancer(addr, "2001:db8::2").addr,
               "--echo", "--json")
    l.expect("reservation_lost")
    equal(p.expect("relay.refused")["addr"], "[2001:db8::2]:5000", "address")
    w.echo(Balancer(addr, "2001:db8:0:1::2").addr)


@case("PROXY v2: from a balancer nothing goes without the header")
def _(w):
    p, addr = w.relay(*BALANCED)
    hello = b"\x13/multistream/1.0.0\n"
    equal(raw(addr, hello), b"", "to no header")
    equal(raw(addr, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + hello), b"",
          "to version 1")
    equal(raw(addr, proxy_header("192.0.2.1") + hello), hello, "to a header")
    e = p.expect("listener.proxy_refused")
    equal((e["level"], e["n"]), ("warn", "1"), "what the operator is told")
    l = w.adit("listen", "--relay", addr, "--echo", "--json")
    l.expect("reservation_lost")


@case("PROXY v2: health checks make no noise; others' headers mean nothing")
def _(w):
    p, addr = w.relay(*BALANCED)
    for _i in range(20):
        equal(raw(addr, b""), b"", "to nothing")
        raw(addr, proxy_header(None))
    equal(raw(addr, proxy_header(None) + b"\x13/multistream/1.0.0\n"),
          b"\x13/multistream/1.0.0\n", "to a check that speaks")
    p.signal(signal.SIGTERM)
    p.exits(0)
    check(all(e["level"] == "debug" or not e["event"].startswith(
        ("conn.", "listener.", "relay.refused")) for e in p.events),
        "noise" + p.tail())
    _q, other = w.relay("--listen.proxy_from=192.0.2.0/24", name="other")
    check(b"multistream" not in raw(other, proxy_header("192.0.2.1")
                                    + b"\x13/multistream/1.0.0\n"),
          "a stranger was believed")


@case("PROXY v2: a list that is none is refused, with the item")
def _(w):
    refuses(w, 78, "listen.proxy_from: 'balancer'", "--check",
            f"--identity.file={w.path('k')}",
            "--listen.proxy_from=10.0.0.0/8, balancer")


# --- an admission service ----------------------------------------------------

class Admission:
    """
    What aditd asks.  `answer(question)` gives status and body (or None: it
    says nothing); what was asked stays in `asked`, with the token.
    """

    def __init__(self, answer, port=0):
        self.answer = answer
        self.asked = []
        self.tokens = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):  # pylint: disable=invalid-name
                n = int(self.headers["Content-Length"])
                q = json.loads(self.rfile.read(n))
                outer.asked.append(q)
                outer.tokens.append(self.headers["Authorization"])
                status, body = outer.answer(q)
                if body is None:
                    outer.over.wait()
                    self.close_connection = True
                    return
                if isinstance(body, dict):
                    body = json.dumps(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):  # pylint: disable=arguments-differ
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass  # who asked is gone

        self.over = threading.Event()
        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/may"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def end(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def yes(_q):
    return 200, {"allow": True}


def refused_for(w, addr, p, rule):
    """A listener that is refused by this rule, once."""
    l = w.adit("listen", "--relay", addr, "--echo", "--json")
    l.expect("reservation_lost")
    l.end()
    equal(p.expect("relay.refused")["rule"], rule, "rule")


@case("admission: a yes lets in; who asks, from where, for what is told")
def _(w):
    a = Admission(yes)
    token = w.write("token", "s3cret\n", 0o600)
    _p, addr = w.relay(f"--admission.url={a.url}",
                       f"--admission.token_file={token}")
    l, circuit = w.echo(addr)
    d = w.dial(circuit, data=b"x")
    equal(read_all(d), b"x", "echo")
    d.exits(0)
    who = l.expect("ready")["id"]
    equal([q["role"] for q in a.asked], ["reserve", "dial"], "roles")
    equal(a.asked[0], {"role": "reserve", "peer": who, "addr": "127.0.0.1"},
          "the first question")
    equal(a.asked[1]["dst"], who, "the second one's dst")
    equal(set(a.tokens), {"Bearer s3cret"}, "token")
    a.end()


@case("admission: its class and limits hold")
def _(w):
    a = Admission(lambda q: (200, {
        "allow": True, "class": "gold",
        "limits": {"circuit_bytes": 300000} if q["role"] == "dial" else {}}))
    p, addr = w.relay(f"--admission.url={a.url}",
                      "--class.gold.circuit_bytes=1MiB")
    _l, circuit = w.listen(addr, "--exec", "cat >/dev/null")
    d = w.dial(circuit, data=noise(1 << 20))
    d.exits(5, LONG)
    equal(p.expect("circuit.closed")["to_dst"], "300000", "bytes")
    a.end()


@case("admission: a no is a no, by 403 or in words, for each role by itself")
def _(w):
    a = Admission(lambda q: (403, ""))
    p, addr = w.relay(f"--admission.url={a.url}")
    refused_for(w, addr, p, "admission")
    a.end()
    b = Admission(lambda q: (200, {"allow": q["role"] == "reserve",
                                   "reason": "not today"}))
    p, addr = w.relay(f"--admission.url={b.url}", name="other")
    _l, circuit = w.echo(addr)
    w.dial(circuit, data=b"x").exits(4)
    equal(p.expect("relay.refused")["rule"], "admission", "rule")
    b.end()


@case("admission: fails closed: slow, garbage, an error, a class unknown")
def _(w):
    for name, answer in (("slow", lambda q: (200, None)),
                         ("garbage", lambda q: (200, "<html>yes</html>")),
                         ("error", lambda q: (500, {"allow": True})),
                         ("redirect", lambda q: (302, {"allow": True})),
                         ("class", lambda q: (200, {"allow": True,
                                                    "class": "nosuch"}))):
        a = Admission(answer)
        p, addr = w.relay(f"--admission.url={a.url}", name=name,
                          *(["--admission.timeout=300ms"]
                            if name == "slow" else []))
        refused_for(w, addr, p, "admission_failed")
        a.end()


@case("admission: fails closed while it is gone, and recovers")
def _(w):
    a = Admission(yes)
    a.end()
    p, addr = w.relay(f"--admission.url={a.url}")
    l = w.adit("listen", "--relay", addr, "--echo", "--json")
    l.expect("reservation_lost")
    equal(p.expect("relay.refused")["rule"], "admission_failed", "rule")
    equal(p.expect("admission.failed")["level"], "warn", "level")
    l.end()
    b = Admission(yes, port=a.port)
    w.echo(addr)
    b.end()


@case("admission: an answer is kept, and not asked for again")
def _(w):
    a = Admission(yes)
    _p, addr = w.relay(f"--admission.url={a.url}")
    _l, circuit = w.echo(addr)
    w.adit("id", w.path("k")).exits(0)
    for _i in range(3):
        d = w.dial(circuit, "--key", w.path("k"), data=b"x")
        equal(read_all(d), b"x", "echo")
        d.exits(0)
    equal(len(a.asked), 2, "questions")
    a.end()


# --- what the log shows ------------------------------------------------------

@case("log.addresses: all of a peer's address, its network, or nothing")
def _(w):
    for how, want in (("full", r"192\.0\.2\.1:5000"),
                      ("prefix", r"192\.0\.2\.0/24"), ("none", "-")):
        p, addr = w.relay("--reservation.max_per_ip=1", *BALANCED,
                          f"--log.addresses={how}", name=how)
        b = Balancer(addr, "192.0.2.1")
        w.echo(b.addr)
        l = w.adit("listen", "--relay", b.addr, "--echo", "--json")
        l.expect("reservation_lost")
        l.end()
        for event in ("relay.refused", "conn.closed"):
            got = p.expect(event)["addr"]
            check(re.fullmatch(want, got), f"{event}: {got!r}, not {want}")
        if how != "full":
            check(not any("192.0.2.1" in x for x in p.lines),
                  "it is shown" + p.tail())


@case("reload: balancers, what the log shows, and who is asked")
def _(w):
    a, b = Admission(yes), Admission(lambda q: (403, ""))
    p, addr, f = of_relay(w, f"[admission]\nurl = {a.url}\n")
    balancer = Balancer(addr, "192.0.2.1")
    check(b"multistream" not in raw(addr, proxy_header("192.0.2.1")),
          "nobody is a balancer yet")
    l, _circuit = w.echo(addr)
    w.write("aditd.conf", "[listen]\nproxy_from = 127.0.0.0/8\n"
            f"[log]\naddresses = prefix\n[admission]\nurl = {b.url}\n")
    p.signal(signal.SIGHUP)
    p.expect("config.reloaded")
    seen = p.count()
    m = w.adit("listen", "--relay", balancer.addr, "--echo", "--json")
    m.expect("reservation_lost")
    e = p.expect("relay.refused", after=seen)
    equal((e["addr"], e["rule"]), ("192.0.2.0/24", "admission"), "refusal")
    equal(len(b.asked), 1, "questions to the new service")
    equal(b.asked[0]["addr"], "192.0.2.1", "whose address it is told")
    # Who was there before is still there.
    l.signal(signal.SIGTERM)
    e = p.expect("conn.closed", test=lambda e: e["addr"] == "127.0.0.0/24")
    # A list that is none changes nothing.
    w.write("aditd.conf", "[listen]\nproxy_from = balancer\n")
    p.signal(signal.SIGHUP)
    p.expect("config.refused",
             test=lambda e: f"{f}:2: listen.proxy_from" in e["text"])
    equal(raw(addr, b"\x13/multistream/1.0.0\n"), b"", "without a header")
    for x in (a, b):
        x.end()
