# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
Rows of the interop table about classes, limits and refusals: what stock peers
are told, what bites, and how each library words a refusal.

A part of `run`, whose world.py these functions use; rows() is what it calls.
"""

import http.server
import re
import subprocess
import threading
import urllib.request

from world import (Adit, CAT, DIAL_S, LARGE_S, MIB, PEERS, Proc, READY_S,
                   Stock, check)

KIB128 = 128 * 1024
YEAR_S = 366 * 86400        # what announce_limit says for none
PEBIBYTE = 1 << 50
BEYOND = 32 * 1024          # what is sent over a limit; within a window
ANSWER = 60000

LISTED = 1024 * MIB         # some five seconds, without Noise on top

ANONYMOUS = {"reservation.max_per_ip": "0", "circuit.per_hour_ip": "0"}
COUNTED = {"http.listen": "127.0.0.1:0"}
NOBODY = "12D3KooWRz3CrEU22x5up79PRh7XuJL4CzzEwXxPvWcw8FMLiKDE"

STATUS = {200: "RESERVATION_REFUSED", 201: "RESOURCE_LIMIT_EXCEEDED",
          202: "PERMISSION_DENIED", 204: "NO_RESERVATION"}

# Where a library has words of its own for a status; the others print its name.
# What rust does not expect it calls a violation of the protocol.
RUST = {
    ("reserve", 200): "Reservation refused.",
    ("reserve", 201): "Remote reported resource limit exceeded.",
    ("reserve", 202): "Unexpected message status 'PERMISSION_DENIED'",
    ("dial", 200): "Unexpected message status 'RESERVATION_REFUSED'",
    ("dial", 201): "Remote reported resource limit exceeded.",
    ("dial", 202): "Remote denied permission.",
    ("dial", 204): "Relay has no reservation for destination.",
}


def said(lang, verb, status):
    name = STATUS[status]
    return {
        ("go", "reserve"): f"status: {name} reason: reservation failed",
        ("go", "dial"): f"error opening relay circuit: {name} ({status})",
        ("js", "reserve"): f"reservation failed with status {name}",
        ("js", "dial"): f"failed to connect via relay with status {name}",
    }.get((lang, verb)) or RUST[verb, status]


class Ids:
    """Peers whose ids are known before they start."""

    def __init__(self, w):
        self.w = w
        self.made = {}

    def key(self, name):
        if name not in self.made:
            path = self.w.file(name + ".key")
            self.made[name] = path, Adit(self.w).make_identity(path)
        return self.made[name][0]

    def id(self, name):
        self.key(name)
        return self.made[name][1]


# --- what is told ------------------------------------------------------------

def told(event, lang, seconds, nbytes, what):
    """
    js tells what is left, not what was said: the handshake is off it, and a
    second perhaps.
    """
    got = event["limit_seconds"], event["limit_bytes"]
    if lang == "js" and (seconds or nbytes):
        right = (seconds - 10 <= got[0] <= seconds
                 and nbytes - 16 * 1024 <= got[1] <= nbytes)
    else:
        right = got == (seconds, nbytes)
    check(right, f"{what}: it was told {got}, not {(seconds, nbytes)}")


def terms(w, lang, cls, seconds, nbytes, config):
    """A listener and a dialler of one class, and what each hears of it."""
    ids = Ids(w)
    options = dict(ANONYMOUS, **config)
    if cls != "anonymous":
        options[f"class.{cls}.peers"] = f"{ids.id('l')}, {ids.id('d')}"
    _, addr = Adit(w).relay(config=options)
    lp, reserved = Stock(w, lang).listen(addr, key=ids.key("l"))
    if lang != "js":  # it keeps nothing of the limit in the reply
        told(reserved, lang, seconds, nbytes, "RESERVE")
    if "voucher" in reserved:
        check(reserved["voucher"], "there is no voucher")
    _, dialed = Stock(w, lang).dial(reserved["addr"], key=ids.key("d"))
    told(dialed, lang, seconds, nbytes, "CONNECT")
    stream = lp.expect("stream")
    told(stream, lang, seconds, nbytes, "STOP")
    for e in dialed, stream:
        check(e["limited"] is bool(seconds or nbytes),
              f"limited is {e['limited']}")


# --- what bites --------------------------------------------------------------

def raw_circuit(w, p, addr, ids, listen, dial, seconds, limit, answer):
    """
    More than the limit goes in.  Out comes the limit, to the byte, then FIN
    and not a reset; and behind that the other direction carries an answer.
    """
    lp, reserved = Stock(w, "go").listen(
        addr, raw=True, answer=answer, key=ids.key(listen))
    told(reserved, "go", seconds[0], limit[0], f"RESERVE of {listen}")
    check(reserved["voucher"], "there is no voucher")
    d = Stock(w, "go")._start(
        "dial", reserved["addr"], raw=True, bytes=limit[1] + BEYOND,
        key=ids.key(dial))
    told(d.expect("dialed"), "go", seconds[1], limit[1], f"CONNECT of {dial}")
    told(lp.expect("stream"), "go", seconds[1], limit[1], f"STOP of {listen}")
    end = lp.expect("got_end", LARGE_S)
    check((end["bytes"], end["why"]) == (limit[1], None),
          f"the listener got {end}, not {limit[1]} bytes and an end")
    check(d.finish(DIAL_S) == 0, f"the dialler: {d.find('echo')}")
    echo = d.expect("echo", 1)
    check((echo["bytes"], echo["ok"]) == (answer, True),
          f"behind the cut came {echo}, not {answer} bytes and an end")
    p.expect("circuit.closed", test=lambda e: (
        e["to_dst"], e["to_src"], e["why"])
        == (str(limit[1]), str(answer), "data_limit"))
    return echo["seconds"]


def must_show(w):
    """On one relay: who is anonymous, who is listed, and one of each."""
    ids = Ids(w)
    listed = ", ".join(ids.id(x) for x in ("listed", "member", "third"))
    p, addr = Adit(w).relay(config=dict(
        ANONYMOUS, **{"class.listed.peers": listed}))
    raw_circuit(w, p, addr, ids, "stranger", "other", (120, 120),
                (KIB128, KIB128), ANSWER)
    took = raw_circuit(w, p, addr, ids, "listed", "member", (1800, 1800),
                       (LISTED, LISTED), 2 * MIB)
    # The narrower of both ends, and it is said to both.
    raw_circuit(w, p, addr, ids, "third", "other", (1800, 120),
                (LISTED, KIB128), ANSWER)
    return f"listed carries {LISTED // MIB} MiB in {took:.1f} s"


def listed_carries(w, lang):
    """The whole library on top, both ways, far beyond 128 KiB."""
    ids = Ids(w)
    _, addr = Adit(w).relay(config={
        "class.listed.peers": f"{ids.id('l')}, {ids.id('d')}"})
    lp, reserved = Stock(w, lang).listen(addr, key=ids.key("l"))
    n = 16 * MIB
    _, dialed = Stock(w, lang).dial(reserved["addr"], key=ids.key("d"),
                                    nbytes=n, pings=0, seconds=LARGE_S)
    told(dialed, lang, 1800, 1024 * MIB, "CONNECT")
    lp.expect("stream_end", test=lambda e: e["bytes"] == n)


def cut_at_second(w):
    """Both ends hear a reset, and none of them an orderly end."""
    p, addr = Adit(w).relay(limit_seconds=2)
    lp, reserved = Stock(w, "go").listen(addr, raw=True, answer=0)
    d = Stock(w, "go")._start("dial", reserved["addr"], raw=True, bytes=1000)
    end = lp.expect("got_end")
    check((end["bytes"], "reset" in (end["why"] or "")) == (1000, True),
          f"the listener got {end}, not 1000 bytes and a reset")
    check(d.finish(DIAL_S) == 1, "the dialler saw no reset")
    check("reset" in d.expect("echo", 1)["why"], f"{d.find('echo')}")
    p.expect("circuit.closed", test=lambda e: e["why"] == "time_limit")


# --- how a refusal is heard --------------------------------------------------

def refused(w, p, lang, verb, status, rule, argv, key):
    peer = Stock(w, lang)._start(verb, *argv, key=key)
    check(peer.finish(DIAL_S) == 1, f"{peer.label}: it was not refused")
    why = peer.expect("error", 1)["why"]
    want = said(lang, "dial" if verb == "dial" else "reserve", status)
    check(want in why, f"{peer.label} says {why!r}, not {want!r}")
    if lang == "rust" and verb == "listen":
        check(peer.expect("outlived", 1)["alive"],
              "the connection to the relay did not outlive it")
    noted(p, rule, {"listen": "reservation", "dial": "connection"}[verb])


def noted(p, rule, what=None):
    """
    The log names the rule, its counter has moved, and so has that which
    go-libp2p's relay has of refused requests, if it was one.
    """
    p.expect("relay.refused", test=lambda e: e["rule"] == rule)
    at = p.expect("admin.ready")["http"]
    with urllib.request.urlopen(f"http://{at}/metrics",
                                timeout=READY_S) as answer:
        text = answer.read().decode()
    lines = [rf'adit_refused_total{{rule="{rule}"}}']
    if what is not None:
        lines.append(f"libp2p_relaysvc_{what}_request_response_status_total"
                     '{status="rejected"}')
    for line in lines:
        m = re.search(rf"^{re.escape(line)} (\d+)$", text, re.M)
        check(m is not None and int(m.group(1)) > 0, f"{line} has not moved")


def to_connect(w, lang, rule, config):
    """Before a request could be refused: there is no connection."""
    p, addr = Adit(w).relay(config={**COUNTED, **config})
    Adit(w).listen(addr)
    peer = Stock(w, lang)._start("dial", addr, ping=1)
    check(peer.finish(DIAL_S) == 1, f"{peer.label}: it was let in")
    peer.expect("error", 1)
    noted(p, rule)


def to_reserve(w, lang, status, rule, config, before):
    ids = Ids(w)
    p, addr = Adit(w).relay(config={**COUNTED, **config(w, ids)})
    before(w, lang, ids, p, addr)
    refused(w, p, lang, "listen", status, rule, ["--relay", addr],
            ids.key("who"))


def to_dial(w, lang, status, rule, config, before):
    ids = Ids(w)
    p, addr = Adit(w).relay(config={**COUNTED, **config(w, ids)})
    circuit = f"{addr}/p2p-circuit/p2p/{NOBODY}"
    if rule != "no_reservation":
        _, reserved = Adit(w).listen(addr, key=ids.key("listener"))
        circuit = reserved["addr"]
    before(w, lang, ids, p, circuit)
    refused(w, p, lang, "dial", status, rule, [circuit], ids.key("who"))


def setting(**pairs):
    """reservation__max="1": a config that says the same for every peer."""
    return lambda w, ids: {k.replace("__", "."): v for k, v in pairs.items()}


def listing(option, name):
    """A config with a file that names a peer."""
    def config(w, ids):
        path = w.file("list")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"# of a test\n{ids.id(name)}\n")
        return {option: path}
    return config


def nothing(_w, _lang, _ids, _p, _addr):
    pass


def another_reserves(w, _lang, _ids, _p, addr):
    Adit(w).listen(addr)


def same_reserves(w, lang, ids, _p, addr):
    lp, _ = Stock(w, lang).listen(addr, key=ids.key("who"))
    lp.end()


def same_dials(w, lang, ids, _p, circuit):
    # No ping: js dials once more for it.
    Stock(w, lang).dial(circuit, key=ids.key("who"), pings=0)


def another_dials(w, _lang, _ids, _p, circuit):
    Adit(w).dial(circuit, nbytes=0, pings=1)


def another_holds(w, _lang, _ids, _p, circuit):
    """A circuit that stays open."""
    d = Proc(w, "adit dial", Adit(w)._argv("dial", circuit, CAT, "--json"),
             stdin=subprocess.PIPE, stdout_raw=True)
    d.expect("open")


def uses_it_up(w, lang, ids, p, addr):
    """Who is asked for later moves more than its quota, as destination."""
    lp, reserved = Stock(w, lang).listen(addr, key=ids.key("who"))
    Adit(w).dial(reserved["addr"], pings=0)
    p.expect("circuit.closed")
    lp.end()


def dials_it_up(w, lang, ids, p, circuit):
    Stock(w, lang).dial(circuit, key=ids.key("who"))
    p.expect("circuit.closed")


QUOTA = setting(class__anonymous__day_bytes="20KiB")


def quota_of_dialler(w, ids):
    return {"class.anonymous.day_bytes": "20KiB",
            "class.listed.peers": ids.id("listener")}


def only_listed_dial(w, ids):
    return {"class.listed.peers": ids.id("listener"),
            "class.listed.dialled_by": "listed"}


class SaysNo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"allow": false}')

    def log_message(self, *_):
        pass


def admission_says_no(_w, ids):
    server = http.server.HTTPServer(("127.0.0.1", 0), SaysNo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return asked(server.server_address[1], ids)


def admission_is_away(w, ids):
    return asked(w.port(), ids)


def asked(port, ids):
    return {"admission.url": f"http://127.0.0.1:{port}/",
            "class.listed.peers": ids.id("listener")}  # it is not asked about


REFUSALS = (
    # asks to, what, status, rule, config, what goes before
    (to_reserve, "node full", 201, "reservations",
     setting(reservation__max="1"), another_reserves),
    (to_reserve, "address full", 201, "reservations_per_ip",
     setting(reservation__max_per_ip="1"), another_reserves),
    (to_reserve, "class full", 201, "reservations_per_class",
     setting(class__anonymous__reservations="1"), another_reserves),
    (to_reserve, "per hour", 201, "reservations_per_hour",
     setting(reservation__per_hour="1"), same_reserves),
    (to_reserve, "per hour and address", 201, "reservations_per_hour_ip",
     setting(reservation__per_hour_ip="1"), another_reserves),
    (to_reserve, "quota", 201, "quota_day", QUOTA, uses_it_up),
    (to_reserve, "deny list", 202, "denied",
     listing("access.deny_file", "who"), nothing),
    (to_reserve, "allow list", 202, "not_allowed",
     listing("access.allow_file", "listener"), nothing),
    (to_reserve, "class may not", 202, "class_may_not_reserve",
     setting(class__anonymous__may_reserve="no"), nothing),
    (to_reserve, "admission says no", 202, "admission", admission_says_no,
     nothing),
    (to_reserve, "admission is away", 200, "admission_failed",
     admission_is_away, nothing),
    (to_dial, "no reservation", 204, "no_reservation", setting(), nothing),
    (to_dial, "node full", 201, "circuits", setting(circuit__max="1"),
     another_holds),
    (to_dial, "destination full", 201, "circuits_per_destination",
     setting(circuit__max_per_peer="1"), another_holds),
    (to_dial, "per hour", 201, "circuits_per_hour",
     setting(circuit__per_hour="1"), same_dials),
    (to_dial, "per hour and address", 201, "circuits_per_hour_ip",
     setting(circuit__per_hour_ip="1"), another_dials),
    (to_dial, "quota", 201, "quota_day", quota_of_dialler, dials_it_up),
    (to_dial, "deny list", 202, "denied",
     listing("access.deny_file", "who"), nothing),
    (to_dial, "allow list", 202, "not_allowed",
     listing("access.allow_file", "listener"), nothing),
    (to_dial, "class may not", 202, "class_may_not_dial",
     setting(class__anonymous__may_dial="none"), nothing),
    (to_dial, "class not dialled by it", 202, "class_may_not_dial",
     only_listed_dial, nothing),
    (to_dial, "admission says no", 202, "admission", admission_says_no,
     nothing),
    (to_dial, "admission is away", 200, "admission_failed", admission_is_away,
     nothing),
)


# --- by the operator ---------------------------------------------------------

def operate(w, sock, *words):
    p = Proc(w, f"adit relay {words[0]}", [
        Adit(w)._bin("adit"), "relay", *words, "--socket", sock])
    check(p.finish(READY_S) == 0, f"adit relay {words[0]} failed")


def by_operator(w, lang, verb, status, rule, words):
    ids = Ids(w)
    sock = w.file("sock")
    p, addr = Adit(w).relay(config={**COUNTED, "admin.socket": sock})
    _, reserved = Adit(w).listen(addr, key=ids.key("listener"))
    operate(w, sock, *words(ids))
    argv = (["--relay", addr] if verb == "listen" else [reserved["addr"]])
    refused(w, p, lang, verb, status, rule, argv, ids.key("who"))


def drain(_ids):
    return ["drain"]


def ban(ids):
    return ["ban", ids.id("who")]


# --- renewals ----------------------------------------------------------------

def renews_when_full(w, lang):
    """One place: who has it renews it, nobody else gets it."""
    config = {"reservation.max": "1", "reservation.max_per_ip": "1",
              "reservation.ttl": "8s" if lang == "rust" else "60s"}
    p, addr = Adit(w).relay(config=config)
    # rust renews by itself at three quarters of the time; the others are told.
    lp, reserved = Stock(w, lang).listen(addr, renew=lang != "rust")
    other = Proc(w, "adit listen", Adit(w)._argv(
        "listen", "--relay", addr, "--echo", "--json"))
    lost = other.expect("reservation_lost")
    check(lost["status"] == 201, f"a newcomer's status is {lost['status']}")
    p.expect("relay.refused")
    lp.expect("reserved", test=lambda e: e["renewal"])
    Adit(w).dial(reserved["addr"])


# --- the rows ----------------------------------------------------------------

TERMS = (
    # class, what else, seconds, bytes, config
    ("anonymous", "", 120, KIB128, {}),
    ("listed", "", 1800, 1024 * MIB, {}),
    ("unlimited", "", 0, 0, {}),
    ("unlimited", " announce_limit", YEAR_S, PEBIBYTE,
     {"class.unlimited.announce_limit": "yes"}),
    ("guests", " of the operator's own", 77, 300 * 1024,
     {"class.guests.circuit_duration": "77s",
      "class.guests.circuit_bytes": "300KiB"}),
)


def rows(row):
    row("cut at the byte: anonymous and listed, listen=go dial=go",
        must_show, needs=["adit", "go"])
    row("cut at the second: listen=go dial=go", cut_at_second,
        needs=["adit", "go"])
    for lang in PEERS:
        row(f"carries class=listed listen={lang} dial={lang}",
            listed_carries, lang)
        for cls, more, seconds, nbytes, config in TERMS:
            row(f"told class={cls}{more} listen={lang} dial={lang}",
                terms, lang, cls, seconds, nbytes, config)
        for ask, what, status, rule, config, before in REFUSALS:
            verb = "reserve" if ask is to_reserve else "dial"
            row(f"refused {verb}={lang} {status} {what}", ask, lang, status,
                rule, config, before)
        for words, rule, status in ((drain, "draining", 200),
                                    (ban, "banned", 202)):
            row(f"refused reserve={lang} {status} {rule}", by_operator, lang,
                "listen", status, rule, words)
            row(f"refused dial={lang} {status} {rule}", by_operator, lang,
                "dial", status, rule, words)
        for option, rule in (("connection.max", "connections"),
                             ("connection.max_per_ip",
                              "connections_per_ip")):
            row(f"refused connect={lang} {rule}", to_connect, lang, rule,
                {option: "1"})
        row(f"renew when full listen={lang}", renews_when_full, lang)
