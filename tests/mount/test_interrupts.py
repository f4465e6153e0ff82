# SPDX-License-Identifier: MIT
"""Readers that are interrupted or killed, and mounts that end while somebody
reads: nobody hangs, nothing is left behind."""
import errno
import os
import random
import signal
import subprocess
import time

import pytest

import ebml
import expected
import kvs_server
import mounting
import watching

STREAM = {"start": "2026-11-22T12:10:00Z", "end": 600, "spacing_ms": 2000,
          "retention_hours": 72,
          "media": {"kind": "synthetic", "payload_bytes": 60000,
                    "block_bytes": 8000}}
FAST = ["--metadata-ttl=1h", "--media-calls=0", "--media-fragments=0"]
MEDIA = "GetMediaForFragmentList"
# DESIGN: within a second; what a busy machine adds.
PROMPT_S = 1.5
CATS = 1000 if b"__asan" not in mounting.KVSFS.read_bytes() else 300


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(
            tmp_path / "kvs", now=expected.NOW, args=expected.FROZEN,
            streams=[{**STREAM, "name": n} for n in ("door", "other")]) as kvs:
        yield kvs


def hours(m):
    return m.path / "fragments" / "2026-11-22"


def files(m, hour="12"):
    """Paths, their sizes known."""
    found = sorted(hours(m).joinpath(hour).iterdir())
    for path in found:
        path.stat()
    return found


def descriptors(m):
    """Where the program's open files lead."""
    folder = f"/proc/{m.process.pid}/fd"
    found = []
    for fd in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{fd}"))
        except FileNotFoundError:
            pass
    return found


class Usage:
    """What the program holds: finished chunks, unfinished ones, the rest."""

    def __init__(self, m):
        cache = str(m.cache)
        files = descriptors(m)
        # In memory, within a budget, is what a full cache did not take.
        self.chunks = sum(f.startswith((f"{cache}/chunks/", "/memfd:kvsfs"))
                          for f in files)
        self.unfinished = sum(f.startswith(f"{cache}/tmp/") for f in files)
        self.rest = len(files) - self.chunks - self.unfinished
        self.threads = len(os.listdir(f"/proc/{m.process.pid}/task"))


def nothing_left(m, before):
    """Connections are kept, and libfuse's threads with two files of the index
    each, within bounds."""
    now = Usage(m)
    return (now.unfinished == 0 and now.chunks <= 600
            and now.rest <= before.rest + 8 + 2 * 10
            and now.threads <= before.threads + 10)


def cat(path):
    return subprocess.Popen(["cat", str(path)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def asleep(process):
    """It waits in the kernel for an answer of the program."""
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[0] in "SD"


def waits(process, kvs, api=MEDIA):
    watching.until(lambda: kvs.stats()[api]["active"] and asleep(process))
    return process


def ended(process):
    """Seconds until it has ended."""
    start = time.monotonic()
    process.wait(30)
    return time.monotonic() - start


# -- a reader that is stuck ----------------------------------------------------


@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGTERM,
                                  signal.SIGKILL])
@pytest.mark.parametrize("answers", ["none", "some"])
def test_a_stuck_reader_ends(mount, server, what, answers):
    m = mount("door", *FAST)
    path = files(m)[5]
    server.fault("stall", api=MEDIA, bytes=0 if answers == "none" else 20000)
    stuck = waits(cat(path), server)
    stuck.send_signal(what)
    assert ended(stuck) < PROMPT_S
    assert stuck.returncode == -what
    # Its download is not lost to others.
    server.release()
    assert ebml.parse(watching.read(path)).number in path.name


@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("depth", ["fragments", "fragments/2026-11-22",
                                   "fragments/2026-11-22/12"])
def test_a_stuck_listing_ends(mount, server, what, depth):
    m = mount("door", *FAST)
    server.fault("delay", api="ListFragments", ms=2500, count=-1)
    stuck = waits(subprocess.Popen(["ls", "-f", m.path / depth],
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL),
                  server, "ListFragments")
    stuck.send_signal(what)
    assert ended(stuck) < PROMPT_S
    server.clear_faults()
    assert len(files(m)) == 600


def test_one_reader_ends_and_another_goes_on(mount, server):
    m = mount("door", *FAST)
    path = files(m)[5]
    server.fault("stall", api=MEDIA, bytes=20000)
    first, second = cat(path), cat(path)
    for process in (first, second):
        waits(process, server)
    first.kill()
    assert ended(first) < PROMPT_S
    assert second.poll() is None
    server.release()
    second.wait(30)
    assert second.returncode == 0
    assert server.count(MEDIA) == 2


def test_an_interrupted_call_says_so(mount, server):
    """Whoever handles the signal sees EINTR, or the data after all."""
    m = mount("door", *FAST, "--timeout=4")
    path = files(m)[5]
    server.fault("stall", api=MEDIA, bytes=0)
    program = ("import os, signal, sys\n"
               "def on(*_): raise InterruptedError\n"
               "signal.signal(signal.SIGINT, on)\n"
               "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
               "try: os.read(fd, 100)\n"
               "except OSError as e: sys.exit(e.errno or 4)\n")
    stuck = waits(subprocess.Popen(["/usr/bin/python3", "-c", program, path]),
                  server)
    stuck.send_signal(signal.SIGINT)
    # No INTERRUPT is sent for readahead: then it is the deadline.
    assert ended(stuck) < 4 + 2 * PROMPT_S
    assert stuck.returncode in (errno.EINTR, errno.ETIMEDOUT)


# -- many ----------------------------------------------------------------------


def test_many_readers_killed(mount, server):
    """A thousand, at random moments, while the service is slow or stalls."""
    m = mount("door", *FAST, "--cache-size=8M")
    paths = files(m)
    # Whatever is opened once for good is open now.
    for path in paths[:3]:
        watching.read(path)
    idle = Usage(m)
    rng = random.Random(7)
    server.latency(50)
    server.fault("stall", api=MEDIA, bytes=30000, count=5)
    running, started, ends, killed = [], 0, {}, 0
    while started < CATS or running:
        now = time.monotonic()
        while started < CATS and len(running) < 25:
            process = cat(rng.choice(paths))
            running.append(process)
            started += 1
            ends[process] = now + rng.uniform(0, 0.1)
        for process in [p for p in running if ends[p] <= now]:
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGINT]))
        killed += sum((p.poll() or 0) < 0 for p in running)
        running = [p for p in running if p.returncode is None]
        if started % 300 == 0:
            server.release()
        time.sleep(0.002)
    assert killed > CATS / 4
    server.latency(0)
    server.clear_faults()
    for path in rng.sample(paths, 20):
        assert ebml.parse(watching.read(path)).number in path.name
    watching.until(lambda: nothing_left(m, idle))
    m.restart()
    for path in paths[:3]:
        watching.read(path)
    watching.until(lambda: server.stats()[MEDIA]["active"] == 0)


def test_nothing_is_left_of_what_never_arrived(mount, server):
    m = mount("door", *FAST)
    paths = files(m)
    for path in paths[:3]:
        watching.read(path)
    before = Usage(m)
    server.fault("stall", api=MEDIA, bytes=30000, count=-1)
    for n in range(0, 60, 6):
        stuck = [cat(path) for path in paths[100 + n:106 + n]]
        watching.until(lambda: server.stats()[MEDIA]["active"])
        for process in stuck:
            process.kill()
        for process in stuck:
            process.wait()
    server.clear_faults()
    for path in paths[100:160]:
        assert ebml.parse(watching.read(path)).number in path.name
    watching.until(lambda: nothing_left(m, before))


# -- unmounting ----------------------------------------------------------------


def test_unmounted_while_reads_wait(mount, server):
    m = mount("door", *FAST)
    paths = files(m)
    server.fault("stall", api=MEDIA, bytes=20000, count=-1)
    stuck = [cat(path) for path in paths[5:8]]
    for process in stuck:
        waits(process, server)
    busy = subprocess.run(["fusermount3", "-u", m.path], capture_output=True)
    assert busy.returncode != 0
    subprocess.run(["fusermount3", "-uz", m.path], check=True)
    for process in stuck:
        process.kill()
    for process in stuck:
        assert ended(process) < PROMPT_S
    assert m.process.wait(30) == 0
    assert not any(report in m.text() for report in mounting.REPORTS)
    m.process = None
    server.clear_faults()
    m.start()
    assert ebml.parse(watching.read(paths[5])).number in paths[5].name


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_reads_wait(mount, server, what):
    """As an init system does it: readers are let go, the mount is gone."""
    m = mount("door", *FAST)
    paths = files(m)
    server.fault("stall", api=MEDIA, bytes=20000, count=-1)
    stuck = [cat(path) for path in paths[5:8]]
    for process in stuck:
        waits(process, server)
    m.process.send_signal(what)
    assert m.process.wait(10) == 0
    for process in stuck:
        assert ended(process) < PROMPT_S
        assert process.returncode != 0
    assert not mounting.is_mounted(m.path)
    assert not any(report in m.text() for report in mounting.REPORTS)
    m.process = None
    server.clear_faults()
    m.start()
    assert ebml.parse(watching.read(paths[5])).number in paths[5].name


def test_unmounted_while_listings_wait(mount, server):
    m = mount("door", *FAST)
    server.fault("delay", api="ListFragments", ms=5000, count=-1)
    stuck = waits(subprocess.Popen(["ls", "-f", hours(m)],
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL),
                  server, "ListFragments")
    m.process.send_signal(signal.SIGTERM)
    assert m.process.wait(10) == 0
    assert ended(stuck) < PROMPT_S
    assert not mounting.is_mounted(m.path)
    m.process = None
