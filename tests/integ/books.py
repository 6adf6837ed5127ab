# SPDX-License-Identifier: Apache-2.0 OR MIT
"""
The books of a relay that carries, is killed, reloaded, drained, finds its
disk full or its clock set: cases of tests/integ/run, which loads this file.

The peers are those of tests/integ/load.c: nothing runs inside their circuits,
so what they count is what the books have to say, to the byte.
"""
import os
import random
import shutil
import subprocess

from world import (LONG, WRAP, Books, Load, Redis, Skipped, case, check,
                   compare, equal, intact, rows)

RELAYED = "libp2p_relaysvc_data_transferred_bytes_total"


def sums(rows):
    return (sum(r["sent_bytes"] for r in rows.values()),
            sum(r["received_bytes"] for r in rows.values()))

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
