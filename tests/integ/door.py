# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
The control socket and HTTP.
"""
import http.client
import socket
import json
import os
import pwd
import re
import subprocess

from world import (LONG, SHORT, UNLIMITED, WRAP, Skipped, case, check,
                   circuit, equal, for_others, noise, read_all, rows)


def page(at, path, method="GET"):
    """Status and body of what a relay answers over HTTP."""
    c = http.client.HTTPConnection(at, timeout=SHORT)
    c.request(method, path)
    r = c.getresponse()
    return r.status, r.read().decode()


def of_metric(at, name):
    """The sum of a metric over its labels."""
    status, text = page(at, "/metrics")
    equal(status, 200, "/metrics")
    found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text,
                       re.M)
    check(found, f"there is no {name}")
    return sum(map(float, found))


@case("the door: root, its own user, its group, and nobody else")
def _(w):
    if os.geteuid() != 0 or WRAP:
        raise Skipped("not root, or below another program")
    for_others(w)
    door = w.path("door")
    w.relay(f"--admin.socket={door}", "--admin.group=daemon")
    st = os.stat(door)
    equal((st.st_mode & 0o777, st.st_gid), (0o660, 1), "mode and group")
    adit = os.path.join(w.build, "adit")

    def status(groups):
        nobody = pwd.getpwnam("nobody")
        r = subprocess.run([adit, "relay", "status", "--socket", door],
                           user=nobody.pw_uid, group=nobody.pw_gid,
                           extra_groups=groups, capture_output=True,
                           text=True, timeout=LONG)
        return r.returncode, r.stdout + r.stderr

    try:
        code, text = status([])
    except PermissionError:
        raise Skipped("others may not run what was built here")
    equal(code, 4, text)
    check("members of the group daemon" in text, text)
    code, text = status([1])
    equal(code, 0, text)
    # Who gets past the file's mode is still not let in.
    os.chmod(door, 0o666)
    code, text = status([])
    equal(code, 4, text)
    check("only root" in text, text)


@case("the door: kick, ban, unban, class; the peer hears of it")
def _(w):
    door = w.path("door")
    p, addr = w.relay(f"--admin.socket={door}")
    w.adit("id", w.path("l.key")).exits(0)
    l, circuit = w.echo(addr, "--key", w.path("l.key"))
    peer = circuit.split("/")[-1]
    equal(rows(w, door, "peer", peer)[0]["class"], "anonymous", "class")
    rows(w, door, "class", peer, "listed")
    r = rows(w, door, "peer", peer)[0]
    equal((r["class"], r["class_why"]), ("listed", "operator"), "class")
    before = l.count()
    equal(rows(w, door, "kick", peer)[0]["connections"], 1, "connections")
    l.expect("reservation_lost", after=before)
    l.expect("reserved", after=before, seconds=LONG)
    before = p.count()
    rows(w, door, "ban", peer, "--for", "1h")
    p.expect("relay.refused", test=lambda e: e["rule"] == "banned",
             after=before, seconds=LONG)
    check(rows(w, door, "peer", peer)[0]["banned"], "banned")
    w.dial(circuit).exits(4)
    l.end()
    rows(w, door, "unban", peer)
    w.echo(addr, "--key", w.path("l.key"))
    p.expect("admin.command", test=lambda e: e["cmd"] == "unban")


@case("the door: usage is what was carried, to the byte, and HTTP agrees")
def _(w):
    door = w.path("door")
    p, addr = w.relay(f"--admin.socket={door}", "--http.listen=127.0.0.1:0",
                      *UNLIMITED,
                      env={"ADITD_LEDGER_BACKEND": "sqlite",
                           "ADITD_LEDGER_FILE": w.path("books/ledger.db")})
    at = p.expect("admin.ready")["http"]
    _l, circuit = w.echo(addr)
    for i in range(3):
        before = p.count()
        d = w.dial(circuit, data=noise(100000 + i))
        equal(len(read_all(d)), 100000 + i, "echo")
        d.exits(0)
        p.expect("circuit.closed", after=before)
    circuits = rows(w, door, "usage", "--circuits")
    equal(len(circuits), 3, "circuits")
    moved = sum(c[way]["handed_bytes"] for c in circuits
                for way in ("to_destination", "to_source"))
    check(moved > 2 * 300000, f"{moved} bytes")
    equal(of_metric(at, "libp2p_relaysvc_data_transferred_bytes_total"),
          moved, "metric")
    equal(of_metric(at, "libp2p_relaysvc_connection_duration_seconds_count"),
          3, "durations")
    equal(rows(w, door, "status")[0]["relayed_bytes"], moved, "status")
    for words in (["usage"], ["usage", "--day"], ["usage", "--month"]):
        v = rows(w, door, *words)
        equal((sum(r["sent_bytes"] for r in v),
               sum(r["received_bytes"] for r in v)), (moved, moved),
              str(words))


@case("HTTP: health, and readiness that goes while it drains")
def _(w):
    door = w.path("door")
    p, addr = w.relay(f"--admin.socket={door}", "--http.listen=127.0.0.1:0",
                      "--drain.every=10ms")
    at = p.expect("admin.ready")["http"]
    w.echo(addr)
    equal(page(at, "/healthz"), (200, "ok\n"), "health")
    equal(page(at, "/readyz"), (200, "ready\n"), "readiness")
    equal(page(at, "/readyz", "HEAD"), (200, ""), "HEAD")
    equal(page(at, "/readyz", "POST")[0], 405, "POST")
    equal(page(at, "/")[0], 404, "/")
    equal(of_metric(at, "libp2p_relaysvc_status"), 1, "status")
    w.adit("relay", "drain", "--wait", "--socket", door).exits(0, LONG)
    equal(page(at, "/healthz"), (200, "ok\n"), "health")
    equal(page(at, "/readyz"), (503, "drained\n"), "readiness")
    equal(of_metric(at, "libp2p_relaysvc_status"), 0, "status")
    equal(of_metric(at, 'libp2p_relaysvc_reservations_total{type="closed"}'),
          1, "closed")
    rows(w, door, "undrain")
    equal(page(at, "/readyz"), (200, "ready\n"), "readiness")


@case("the door: what it says gives a terminal no orders")
def _(w):
    evil = "a\x1b]0;x\x07\u009b2J"
    path = w.path("door")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        for answer in ({"state": evil, "peer": evil, "listens": [evil]},
                       {"error": "EINVAL", "what": evil}):
            p = w.adit("relay", "status", "--socket", path)
            c = s.accept()[0]
            with c:
                c.recv(4096)
                c.sendall(json.dumps(answer).encode() + b"\n"
                          + b'{"done":true}\n')
                p.wait()
            check(p.lines and not re.search("[\x00-\x1f\x7f-\x9f]",
                                            "".join(p.lines)), p.tail())
