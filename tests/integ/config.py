# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
aditd: its configuration, identity, and start.
"""
import os
import re
import shutil
import signal
import socket
import time

from world import (SLOW, Proc, Skipped, case, check, circuit, equal, refuses)


@case("config: an unknown option is refused with file, line and suggestion")
def _(w):
    f = w.write("a.conf", "# x\n[circuit]\n\ndata_byte = 1KiB\n")
    refuses(w, 78, f"{f}:4: unknown option 'circuit.data_byte': did you mean "
            "circuit.data_bytes?", "-c", f)


@case("config: a number without its unit is refused with file and line")
def _(w):
    f = w.write("a.conf", "[circuit]\ndata_bytes = 5\n")
    p = refuses(w, 78, f"{f}:2: circuit.data_bytes = '5': the unit is missing",
                "-c", f)
    p.says("KiB")


@case("config: a wrong unit is refused")
def _(w):
    f = w.write("a.conf", "[reservation]\nttl = 5 weeks\n")
    refuses(w, 78, f"{f}:2: reservation.ttl", "-c", f).says("min, h or d")


@case("config: out of bounds is refused")
def _(w):
    refuses(w, 78, "1s is the least", "--reservation.ttl=1ms")


@case("config: all complaints are told, not only the first")
def _(w):
    f = w.write("a.conf", "[a]\nb = c\n[circuit]\nmax = -1\n")
    p = refuses(w, 78, f"{f}:2: ", "-c", f)
    p.says(f"{f}:4: ")


@case("config: a line that is no line is refused")
def _(w):
    f = w.write("a.conf", "[circuit]\nmax = 1\nwhat\n")
    refuses(w, 78, f"{f}:3: ", "-c", f)


@case("config: an option given twice is refused")
def _(w):
    f = w.write("a.conf", "[circuit]\nmax = 1\n\nmax = 2\n")
    refuses(w, 78, f"{f}:4: circuit.max is already set in line 2", "-c", f)


@case("config: an option before the first section is refused")
def _(w):
    f = w.write("a.conf", "max = 1\n")
    refuses(w, 78, f"{f}:1: 'max' stands before the first [section]", "-c", f)


@case("config: a line too long is refused, not cut")
def _(w):
    f = w.write("a.conf", "[identify]\nagent = " + "x" * 5000 + "\n")
    refuses(w, 78, f"{f}:2: the line is too long", "-c", f)


@case("config: a NUL, a device without end or a pipe is refused at once")
def _(w):
    with open(w.path("nul.conf"), "wb") as f:
        f.write(b"[circuit]\nmax = 7\0 8\n")
    refuses(w, 78, "nul.conf:2: the line has a NUL byte", "--check", "-c",
            w.path("nul.conf"))
    refuses(w, 78, "/dev/zero:1: the line has a NUL byte", "--check", "-c",
            "/dev/zero")
    os.mkfifo(w.path("pipe"))
    refuses(w, 78, "a pipe cannot be read again", "--check", "-c",
            w.path("pipe"))
    refuses(w, 78, "Is a directory", "--check", "-c", w.dir)


@case("config: a byte order mark and CRLF are no part of it")
def _(w):
    f = w.write("a.conf", "\ufeff[circuit]\r\nmax = 7\r\n")
    p = w.aditd("-c", f, "--print-config")
    p.exits(0)
    check("max = 7" in p.lines, "no line 'max = 7'" + p.tail())


@case("config: a missing file is an error")
def _(w):
    refuses(w, 78, "No such file", "-c", w.path("none.conf"))


@case("config: a wrong multiaddr says which character, and where it stands")
def _(w):
    f = w.write("a.conf", "[listen]\ntcp = /ip4/127.0.0.256/tcp/1\n")
    refuses(w, 78, f"{f}:2: listen.tcp", "-c", f).says("character")


@case("config: a relay that listens nowhere is refused")
def _(w):
    refuses(w, 78, "listen.tcp is empty", "--listen.tcp=")


@case("config: a list goes on in lines that begin with a blank")
def _(w):
    f = w.write("a.conf", "[listen]\ntcp = /ip4/127.0.0.1/tcp/0\n"
                "   /ip4/127.0.0.2/tcp/0\n")
    p = w.aditd("-c", f, "--print-config")
    p.exits(0)
    p.says("tcp = /ip4/127.0.0.1/tcp/0, /ip4/127.0.0.2/tcp/0")


@case("config: behind # and ; are comments; inside a word they are none")
def _(w):
    f = w.write("a.conf", "# all of it\n[circuit] # a section\n"
                "max = 7 # seven\nduration = 3min\t; of tea\n"
                "[identify]\nagent = a#b # c\n")
    p = w.aditd("-c", f, "--print-config")
    p.exits(0)
    for line in ("max = 7", "duration = 3min", "agent = a#b"):
        check(line in p.lines, f"no line '{line}'" + p.tail())


@case("config: command line before environment before file before default")
def _(w):
    f = w.write("a.conf", "[circuit]\nmax = 1\nmax_per_peer = 1\n"
                "data_bytes = 1KiB\n")
    p = w.aditd("--circuit.max=3", "-c", f, "--print-config",
                env={"ADITD_CIRCUIT_MAX": "2", "ADITD_CIRCUIT_MAX_PER_PEER":
                     "2"})
    p.exits(0)
    for line in ("max = 3", "max_per_peer = 2", "data_bytes = 1KiB",
                 "duration = 2min", f"# {f}:4", "# command line",
                 "# environment: ADITD_CIRCUIT_MAX_PER_PEER"):
        check(line in p.lines, f"no line '{line}'" + p.tail())


@case("config: --section.key value, in two words")
def _(w):
    p = w.aditd("--circuit.max", "7", "--print-config")
    p.exits(0)
    p.says("max = 7")


@case("config: what --print-config says is a file that says the same")
def _(w):
    p = w.aditd("--circuit.duration=90s", "--print-config")
    p.exits(0)
    f = w.write("a.conf", "\n".join(p.lines) + "\n")
    q = w.aditd("-c", f, "--print-config")
    q.exits(0)
    equal([x for x in q.lines if not x.startswith("#")],
          [x for x in p.lines if not x.startswith("#")], "second reading")


@case("config: the sample file, its lines uncommented, is taken")
def _(w):
    p = w.aditd("--sample-config")
    p.exits(0)
    text = "\n".join(re.sub(r"^#([a-z_]+ =)", r"\1", x) for x in p.lines)
    f = w.write("a.conf", text + "\n")
    q = w.aditd("-c", f, "--check", f"--identity.file={w.path('k')}")
    q.exits(0)


@case("config: a wrong environment variable is refused with a suggestion")
def _(w):
    refuses(w, 78, "did you mean circuit.data_bytes?", "--check",
            env={"ADITD_CIRCUIT_DATA_BYTE": "1KiB"})


@case("config: another's ADITD_ variable is no concern of ours")
def _(w):
    p = w.aditd("--check", f"--identity.file={w.path('k')}",
                env={"ADITD_PORT": "tcp://10.0.0.1:80"})
    p.exits(0)


@case("config: an unknown flag is refused, with how it is meant")
def _(w):
    refuses(w, 64, "usage: aditd", "--chekc")


@case("config: --help, --version, --man tell of every option")
def _(w):
    p = w.aditd("--help")
    p.exits(0)
    for text in ("circuit.data_bytes", "default 128KiB", "Exit codes"):
        p.says(text)
    p = w.aditd("--version")
    p.exits(0)
    p.says("aditd ")
    p = w.aditd("--man")
    p.exits(0)
    p.says("circuit.data_bytes")


# --- aditd: identity, signals ------------------------------------------------

@case("identity: made on the first start with mode 0600, kept on the second")
def _(w):
    p, addr = w.relay()
    equal(os.stat(w.path("relay.key")).st_mode & 0o777, 0o600, "mode")
    p.signal(signal.SIGTERM)
    p.exits(0)
    _q, again = w.relay()
    equal(again.split("/p2p/")[1], addr.split("/p2p/")[1], "peer id")


@case("identity: a file that cannot be read is named, exit code 66")
def _(w):
    os.mkdir(w.path("dir"))
    refuses(w, 66, w.path("dir"), f"--identity.file={w.path('dir')}")


@case("identity: a file without permission is named, exit code 66")
def _(w):
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            raise Skipped("root reads everything, and there is no setpriv")
        key = w.write("k", "x", 0o600)
        os.chmod(w.dir, 0o755)
        p = Proc(w, ["setpriv", "--reuid=65534", "--regid=65534",
                     "--clear-groups", os.path.join(w.build, "aditd"),
                     f"--identity.file={key}"])
        if p.wait() in (126, 127):
            raise Skipped("another user cannot run what was built here")
    else:
        key = w.write("k", "x", 0o000)
        p = w.aditd(f"--identity.file={key}")
    p.exits(66)
    p.says(f"{key} cannot be read")


@case("identity: a file that is no key is refused, exit code 66")
def _(w):
    key = w.write("k", "not a key", 0o600)
    refuses(w, 66, "is not a private key", f"--identity.file={key}")


@case("identity: a place that cannot be written is named, exit code 73")
def _(w):
    refuses(w, 73, "cannot be made",
            f"--identity.file={w.path('none/k')}",
            "--listen.tcp=/ip4/127.0.0.1/tcp/0")


@case("identity: one that others can read is warned of")
def _(w):
    w.adit("id", w.path("relay.key")).exits(0)
    os.chmod(w.path("relay.key"), 0o644)
    p, _addr = w.relay()
    p.expect("identity.exposed")


@case("port in use: exit code 69, and which")
def _(w):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        refuses(w, 69, str(port), f"--identity.file={w.path('k')}",
                f"--listen.tcp=/ip4/127.0.0.1/tcp/{port}")


@case("an address that is not ours: exit code 69")
def _(w):
    refuses(w, 69, "192.0.2.1", f"--identity.file={w.path('k')}",
            "--listen.tcp=/ip4/192.0.2.1/tcp/0")


for _name in ("SIGTERM", "SIGINT"):
    @case(f"{_name} ends it within a second, circuits or not, exit code 0")
    def _(w, name=_name):
        p, addr = w.relay()
        _l, circuit = w.echo(addr)
        d = w.dial(circuit)
        d.expect("open")
        began = time.monotonic()
        p.signal(getattr(signal, name))
        p.exits(0)
        took = time.monotonic() - began
        check(took < 1.0 * SLOW, f"it took {took:.2f} s")
        p.expect("node.stop")


@case("the start is told: version, what is given away, root")
def _(w):
    p, _addr = w.relay()
    p.expect("node.start")
    equal(p.expect("relay.public")["circuit_bytes_each_way"], "128KiB",
          "bytes")
    if os.geteuid() == 0:
        p.expect("node.root")


@case("ready on each address, IPv6 too")
def _(w):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        raise Skipped("no IPv6 here")
    p, _addr = w.relay(listen="/ip4/127.0.0.1/tcp/0,/ip6/::1/tcp/0")
    addr = p.expect("node.ready",
                    test=lambda e: e["addr"].startswith("/ip6"))["addr"]
    w.adit("ping", addr, "-n", "1").exits(0)


# --- aditd: classes, reload, secrets, logs, service managers, confinement -----

@case("classes: an unknown key and an unfit value are refused with file and "
      "line")
def _(w):
    f = w.write("a.conf", "[class.vip]\ncircuit_byte = 1GiB\n"
                "circuits_in = x\n")
    p = refuses(w, 78, f"{f}:2: unknown option 'class.vip.circuit_byte': did "
                "you mean circuit_bytes?", "-c", f)
    p.says(f"{f}:3: class.vip.circuits_in = 'x'")
    f = w.write("b.conf", "[class]\npeers =\n")
    refuses(w, 78, f"{f}:2: unknown option 'class.peers': a class has a name",
            "-c", f)


@case("classes: --print-config says what holds, what was set, and where")
def _(w):
    f = w.write("a.conf", "[circuit]\ndata_bytes = 3MiB\n[class.vip]\n"
                "reservation_ttl = 7min\n")
    p = w.aditd("-c", f, "--print-config", "--class.listed.day_bytes=9GiB",
                env={"ADITD_CLASS_VIP_MONTH_BYTES": "5GiB"})
    p.exits(0)
    classes = {}
    for line in p.lines:
        if line.startswith("["):
            classes[line] = here = []
        else:
            here.append(line)
    vip = classes["[class.vip]"]
    for part in ([f"# {f}:4", "reservation_ttl = 7min"],
                 ["# environment: ADITD_CLASS_VIP_MONTH_BYTES",
                  "month_bytes = 5GiB"], ["#circuit_bytes = 3MiB"]):
        check(part == vip[vip.index(part[0]):][:len(part)], f"no {part}")
    check("day_bytes = 9GiB" in classes["[class.listed]"], "no day_bytes")
    check("circuit_bytes = 1GiB" in classes["[class.listed]"], "not built in")
    check("#circuit_bytes = 3MiB" in classes["[class.anonymous]"], "circuit")


@case("classes: the environment knows those that are there, and no other")
def _(w):
    refuses(w, 78, "environment: ADITD_CLASS_VIP_DAY_BYTES: no class",
            "--check", env={"ADITD_CLASS_VIP_DAY_BYTES": "1GiB"})
    f = w.write("a.conf", "[class.my-lab]\npeers =\n")
    p = w.aditd("-c", f, "--print-config",
                env={"ADITD_CLASS_MY_LAB_DAY_BYTES": "1GiB"})
    p.exits(0)
    p.says("# environment: ADITD_CLASS_MY_LAB_DAY_BYTES")


@case("classes: described once in help, manual and sample")
def _(w):
    for flag in ("--help", "--man"):
        p = w.aditd(flag)
        p.exits(0)
        equal(sum("class.NAME.over_quota" in x for x in p.lines), 1, flag)
        p.says("class.unlimited.circuit_bytes = 0")
    p = w.aditd("--sample-config")
    p.exits(0)
    equal(sum("over_quota =" in x for x in p.lines), 1, "sample")


@case("config: a wrong word is answered with those that are right")
def _(w):
    refuses(w, 78, "log.format = 'xml': text|json was expected",
            "--log.format=xml")
