# SPDX-License-Identifier: MIT
"""Readers that wait: twenty at once, and one for its first bytes."""
import json
import os
import re
import signal
import subprocess
import time

import kvs_server
from places import QUICK, files, hours_ago, place, read_all, synthetic
from table import IO, io, median, repeats, result, row, spread

READERS = 20
EACH = 30 if QUICK else 90  # fragments of an hour
PAYLOAD = 500_000
PATIENCE_S = 15 if QUICK else 40  # then what was read so far counts
LATENCY_MS = 30
LATENCY = ["--latency-ms", str(LATENCY_MS)]
FIRST_BYTES = 16384
# What a read may wait for beyond curl's while the quotas are used up.
BUSY_MS = 400


def hours_stream(name, first_hour_ago):
    """Twenty hours, each of EACH fragments that share it evenly."""
    return synthetic(name, READERS * EACH, PAYLOAD,
                     start=hours_ago(first_hour_ago),
                     spacing_ms=3600_000 // EACH)


def read_apart(hours):
    """A reader per hour, all at once: MB/s of each, and of all."""
    env = {**os.environ, "IO_SECONDS": str(PATIENCE_S)}
    began = time.monotonic()
    running = [subprocess.Popen([IO, "seq", *map(str, paths)], env=env,
                                stdout=subprocess.PIPE, text=True)
               for paths in hours]
    answers = [process.communicate()[0].split() for process in running]
    took = time.monotonic() - began
    if any(process.returncode for process in running):
        raise RuntimeError("a reader failed")
    size = sum(int(read) for _, read in answers)
    return [float(rate) for rate, _ in answers], size / 1e6 / took


def listed_hours(mount):
    """The files by hour, listed beforehand: the row is about reading."""
    hours = {}
    for path in files(mount, READERS * EACH):
        hours.setdefault(path.parent, []).append(path)
        path.stat()
    return list(hours.values())


@row("readers")
def readers():
    """Each gets its share, and together they lose nothing."""
    one, many, fair = [], [], []
    with place([hours_stream("hours", READERS + 3)], quotas=True) as p:
        for turn in range(repeats(3)):
            for side, into in (("one", one), ("many", many)):
                with p.mounted("hours", f"{side}{turn}") as m:
                    hours = listed_hours(m)
                    time.sleep(2)  # full buckets
                    if side == "one":
                        _, total = read_apart([sum(hours, [])])
                    else:
                        rates, total = read_apart(hours)
                        fair.append(min(rates) / (sum(rates) / len(rates)))
                    into.append(total)
    label = f"{READERS} readers of different hours at once"
    return [result(f"{label}: throughput", spread(many, "MB/s"),
                   "one reader of them all", spread(one, "MB/s"),
                   median(many) / median(one), ">= 0.95"),
            result(f"{label}: the slowest", spread(fair), "their mean", "1",
                   median(fair), ">= 0.5")]


def seconds_of_day(clock):
    h, m, s = clock.split(":")
    return int(h) * 3600 + int(m) * 60 + float(s)


def curl_first_ms(p, number):
    """From connecting until 16 KiB of the body are there, by its own trace."""
    done = subprocess.run(
        ["curl", "-sSfN", "--aws-sigv4", "aws:amz:us-east-1:kinesisvideo",
         "--user", f"{kvs_server.ACCESS_KEY}:{kvs_server.SECRET_KEY}",
         "-H", "Content-Type: application/json",
         "-d", json.dumps({"StreamName": "big", "Fragments": [number]}),
         "--trace-time", "--trace-ascii", "%", "-o", "/dev/null",
         f"{p.server.url}/getMediaForFragmentList"],
        stderr=subprocess.PIPE, check=True)
    began, got = None, 0
    for line in done.stderr.decode("latin-1").splitlines():
        found = re.match(r"([\d:]+\.\d+) (==|<= Recv data, (\d+))", line)
        if not found:
            continue
        at = seconds_of_day(found[1])
        began = at if began is None else began
        got += int(found[3] or 0)
        if got >= FIRST_BYTES:
            return (at - began) % 86400 * 1000
    raise RuntimeError(f"curl received {got} bytes")


def first_ms(path):
    return io("first", path) / 1000


@row("first-bytes")
def first_bytes():
    """One cold fragment of an idle mount, far from what was read before."""
    ours, curls = [], []
    with place([hours_stream("big", READERS + 3)], args=LATENCY) as p, \
            p.mounted("big") as m:
        paths = files(m, READERS * EACH)
        read_all(paths[:1])  # where the data is, is known from here on
        listed = p.server.fragments("big")
        for i in range(repeats(15, 7)):
            at = (i + 1) * EACH + 10
            ours.append(first_ms(paths[at]))
            curls.append(curl_first_ms(p, listed[at + 5]["number"]))
    return result(
        f"read(4096) of a cold fragment, latency {LATENCY_MS} ms, idle mount",
        spread(ours, "ms"), "curl receiving 16 KiB", spread(curls, "ms"),
        median(ours) / median(curls), "<= 1.1")


@row("first-bytes-busy")
def first_bytes_busy():
    """The same while rsync takes all that the quotas give."""
    ours, curls = [], []
    stream = synthetic("big", 12 * 1800, PAYLOAD, start=hours_ago(15))
    with place([stream], quotas=True, args=LATENCY) as p, \
            p.mounted("big") as m:
        paths = files(m, 12 * 1800)
        listed = p.server.fragments("big", limit=10000)
        for i in range(5):
            curls.append(curl_first_ms(p, listed[i * 400]["number"]))
            time.sleep(0.3)
        later = sorted({path.parent for path in paths[6 * 1800:]})
        load = subprocess.Popen(
            ["rsync", "-a", *map(str, later), str(p.folder / "copy")],
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            time.sleep(2)
            for i in range(repeats(20, 8)):
                ours.append(first_ms(paths[200 + i * 400]))
                time.sleep(0.3)
            early = load.poll() is not None
        finally:
            os.killpg(load.pid, signal.SIGKILL)
            load.wait()
        if early:
            raise RuntimeError("rsync ended before the reads did")
    more = median(ours) - median(curls)
    return result(
        f"the same while an rsync runs ({len(ours)} reads)",
        spread(ours, "ms"), "curl receiving 16 KiB, idle",
        spread(curls, "ms"), more, f"<= {BUSY_MS} ms more")
