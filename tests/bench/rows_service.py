# SPDX-License-Identifier: MIT
"""The cold hour, under the service's real quotas.

Several rows are about one thing, rsync of an hour that nobody has read: their
sides are measured together, in turn, and each row takes what it needs.
"""
import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import kvs_server
import table
from places import (PLACES, QUICK, ROOT, cpu_s, hours_ago, place, remove,
                    synthetic)
from table import median, missing, repeats, result, row, spread

BANDWIDTH = 5 * 25e6  # connections times bytes a second
FRAGMENTS_PER_S = 500
HOUR = 1800
PAYLOAD = 500_000
# What a side may write, twice over: the cache's files and rsync's.
TOUCHED_MIB = 4096
# A side that is slower than this is stopped and scaled to the whole.
PATIENCE_S = 40 if QUICK else 75
SINGLES = 25 if QUICK else 150

# What each row compares; and how often each side is measured.
SIDES = {"cold-hour": ["rsync"], "cold-hour-batches": ["rsync", "batches"],
         "cold-hour-single": ["rsync", "single"],
         "eviction": ["rsync", "evict"], "cpu": ["rsync", "curl"]}
TIMES = {"rsync": repeats(5, 2), "evict": repeats(3, 2), "curl": repeats(3),
         "batches": repeats(2), "single": 1}


def quota_limit_s(total_bytes, fragments):
    """What the service's quotas allow, in seconds."""
    return max(total_bytes / BANDWIDTH, fragments / FRAGMENTS_PER_S)


def touch_memory():
    """So that nobody pays for memory that the machine never used before."""
    need = TOUCHED_MIB << 20
    if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 2 * need:
        table.io("touch", TOUCHED_MIB)


def received(folder):
    """Bytes and files that arrived, a file that is half there included."""
    sizes = [f.stat().st_size for f in folder.rglob("*") if f.is_file()]
    return sum(sizes), len(sizes)


def rsync(p, m, under, timeout=None):
    """Seconds of `rsync -a` of a folder; scaled where it was stopped."""
    source = f"{m.path}/fragments/{under}"
    target = p.folder / "copy"
    remove(target)
    os.sync()  # what was written before is not this one's burden
    touch_memory()
    began = time.monotonic()
    process = subprocess.Popen(["rsync", "-a", source, str(target)],
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        error = process.communicate(timeout=timeout)[1]
        whole = True
    except subprocess.TimeoutExpired:
        whole = False
    took = time.monotonic() - began
    if not whole:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    elif process.returncode:
        raise RuntimeError(f"rsync: {error.decode()}")
    return took, whole, received(target)


class ColdHour:
    def __init__(self, p):
        self.p = p
        self.number = 0
        self.listed = p.server.fragments("hour")
        self.bytes = sum(f["document_bytes"] for f in self.listed)
        self.limit_s = quota_limit_s(self.bytes, len(self.listed))
        self.seconds = {}
        self.cpu = {}
        self.scaled = set()

    def note(self, side, seconds, cpu=None):
        self.seconds.setdefault(side, []).append(seconds)
        if cpu is not None:
            self.cpu.setdefault(side, []).append(cpu / (self.bytes / 1e9))

    def mount_side(self, side, options=()):
        self.number += 1
        cache = f"cache{self.number}"
        with self.p.mounted("hour", cache, options) as m:
            before = cpu_s(m.process.pid)
            took, whole, (size, count) = rsync(self.p, m, "", PATIENCE_S)
            cpu = cpu_s(m.process.pid) - before
        if not whole:
            self.scaled.add(side)
            took *= self.bytes / max(size, 1)
            cpu *= self.bytes / max(size, 1)
        elif count != len(self.listed):
            raise RuntimeError(f"rsync copied {count} files")
        self.note(side, took, cpu)
        remove(self.p.folder / cache, self.p.folder / "copy")

    def rsync(self):
        self.mount_side("rsync")

    def evict(self):
        # What is read drives out what was, three times over.
        self.mount_side("evict", [f"--cache-size={self.bytes // 4}",
                                  "--cache-min-free=0"])

    def script(self, how, *count):
        target = self.p.folder / "copy"
        env = {**os.environ, **self.p.server.environment()}
        first, last = self.listed[0], self.listed[-1]
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests/bench/aws_scripts.py"), how,
             "hour", str(first["producer_ms"] / 1000),
             str(last["producer_ms"] / 1000), str(target), *map(str, count)],
            check=True, stdout=subprocess.PIPE, env=env)
        list_s, media_s, n = map(float, done.stdout.split())
        remove(target)
        self.note(how, list_s + media_s * len(self.listed) / n)

    def batches(self):
        self.script("batches")

    def single(self):
        self.script("single", SINGLES)

    def curl(self):
        """Five downloads at a time to five files, the bandwidth enforced."""
        target = self.p.folder / "copy"
        target.mkdir()
        numbers = [f["number"] for f in self.listed]
        step = -(-len(numbers) // 5)
        # The calls are few and large; only they would not fit the bucket.
        self.p.server.control("quotas", fragments=0)
        try:
            os.sync()
            touch_memory()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            running = [curl(self.p, "hour", numbers[i:i + step],
                            target / str(i))
                       for i in range(0, len(numbers), step)]
            for process in running:
                if process.wait() != 0:
                    raise RuntimeError("curl failed")
            took = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            self.p.server.control("quotas", fragments=FRAGMENTS_PER_S)
        if received(target)[0] != self.bytes:
            raise RuntimeError("curl got other bytes")
        remove(target)
        self.note("curl", took, after.ru_utime - before.ru_utime +
                  after.ru_stime - before.ru_stime)

    def text(self, side):
        about = "~" if side in self.scaled else ""
        return about + spread(self.seconds[side], "s")


def curl(p, stream, numbers, path):
    body = p.folder / f"{path.name}.json"
    body.write_text(json.dumps({"StreamName": stream, "Fragments": numbers}))
    return subprocess.Popen(
        ["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:kinesisvideo",
         "--user", f"{kvs_server.ACCESS_KEY}:{kvs_server.SECRET_KEY}",
         "-H", "Content-Type: application/json", "-d", f"@{body}",
         "-o", str(path), f"{p.server.url}/getMediaForFragmentList"])


@functools.lru_cache(maxsize=None)
def cold_hour():
    """All sides that the selected rows need, measured in turn."""
    sides = list(dict.fromkeys(
        side for name in table.SELECTED for side in SIDES.get(name, ())))
    stream = synthetic("hour", HOUR, PAYLOAD, start=hours_ago(3))
    with place([stream], quotas=True) as p:
        hour = ColdHour(p)
        for turn in range(max(TIMES[side] for side in sides)):
            for side in sides:
                if turn < TIMES[side]:
                    getattr(hour, side)()
                    time.sleep(3)  # its debts are paid, the buckets full
    return hour


@row("cold-hour")
def cold_hour_limit():
    """rsync -a of a cold hour, and what the quotas allow."""
    hour = cold_hour()
    ratio = hour.limit_s / median(hour.seconds["rsync"])
    return result(f"rsync -a of a cold hour, {HOUR} x 0.5 MB",
                  hour.text("rsync"), "the quotas' limit",
                  f"{hour.limit_s:.2f} s", ratio, ">= 0.95")


def against_script(side, label, wanted):
    hour = cold_hour()
    ratio = median(hour.seconds[side]) / median(hour.seconds["rsync"])
    return result("the cold hour", hour.text("rsync"), label,
                  hour.text(side), ratio, wanted)


@row("cold-hour-batches")
def cold_hour_batches():
    return against_script(
        "batches", "boto3 as the AWS samples do it: one connection, "
        "batches of 1000", ">= 4")


@row("cold-hour-single")
def cold_hour_single():
    return against_script(
        "single", "boto3, one call per fragment, 5/s "
        f"({SINGLES} measured, scaled)", ">= 45")


@row("eviction")
def eviction():
    """The cache holds a quarter of what is read."""
    hour = cold_hour()
    ratio = median(hour.seconds["rsync"]) / median(hour.seconds["evict"])
    return result("rsync of the cold hour, cache of a quarter of it",
                  hour.text("evict"), "the cold hour", hour.text("rsync"),
                  ratio, ">= 0.95")


@row("cpu")
def cpu():
    """Processor time of kvsfs alone; rsync's own is rsync's."""
    hour = cold_hour()
    ours, curls = hour.cpu["rsync"], hour.cpu["curl"]
    return result("CPU per GB, cold rsync", spread(ours, "s/GB"),
                  "curl, 5 connections, the same bytes to disk",
                  f"{spread(curls, 's/GB')}, in {hour.text('curl')}",
                  median(ours) / median(curls), "<= 2")


def refusals(server):
    return sum(api["throttled"] for api in server.stats().values())


@row("eight-hours")
def eight_hours():
    """Hour after hour: nothing is refused once the pace is known."""
    hours = 3 if QUICK else 8
    label = f"{hours} cold hours in one rsync: calls refused after 5 s"
    stream = synthetic("hours", HOUR * hours, PAYLOAD,
                       start=hours_ago(hours + 2))
    # The cache and the copy.
    if shutil.disk_usage(PLACES).free < 2.5 * HOUR * hours * PAYLOAD:
        return missing(label, f"too little room in {PLACES}", "0")
    patience_s = 1.5 * hours * quota_limit_s(HOUR * PAYLOAD, HOUR) + 10
    with place([stream], quotas=True) as p, p.mounted("hours") as m:
        early = []
        timer = threading.Timer(5, lambda: early.append(refusals(p.server)))
        timer.start()
        took, whole, (size, _) = rsync(p, m, "", patience_s)
        timer.join()
        refused = refusals(p.server) - early[0]
        calls = p.server.count("GetMediaForFragmentList")
    note = "" if whole else f", stopped after {took:.0f} s"
    return result(label, f"{refused} of {calls:,} calls",
                  "the first 5 s", f"{early[0]} refused; "
                  f"{size / 1e6 / took:.0f} MB/s{note}", refused, "0")
