# SPDX-License-Identifier: MIT
"""Movies: what a stat costs, how soon there is a picture, and how fast and how
large they are."""
import os
import subprocess
import time

import kvs_server
from places import QUICK, files, place, read_all, status_mb
from table import Missing, io, median, names_file, repeats, result, row, spread

DAY = "2026-11-22"
FRAGMENT = 500_000
LATENCY_MS = 30


def day_of(name, count, spacing_ms=2000, unique=FRAGMENT - 20_000):
    """Fragments that play, from the beginning of a day that is over."""
    return {"name": name, "clip": "front-door.mkv",
            "start": f"{DAY}T00:00:00.250Z", "end": count,
            "spacing_ms": spacing_ms, "retention_hours": 24 * 3650,
            "media": {"unique_bytes": unique}}


def hour(m, h):
    return m.path / "movies" / DAY / f"{DAY}T{h:02}.mkv"


def both(p, stream, *args, options=(), **kwargs):
    return p.mounted(stream, *args, options=["--view=both", *options], **kwargs)


def forget_names():
    """The kernel does not answer by itself."""
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("2")
    except PermissionError as why:
        raise Missing("only root makes the kernel forget names") from why


@row("movie-stat")
def movie_stat():
    """The first stat of an hour lays it out; later ones find it."""
    first, later = [], []
    with place([day_of("cam", 43200)]) as p:
        with both(p, "cam") as m:
            os.stat(m.path / "movies" / f"{DAY}.mkv")
        with both(p, "cam") as m:
            for into in [first] + [later] * repeats(5, 2):
                forget_names()
                os.stat(hour(m, 0).parent)
                for h in range(24):
                    began = time.perf_counter()
                    os.stat(hour(m, h))
                    into.append((time.perf_counter() - began) * 1000)
    label = "stat of an hour movie of 1,800 fragments, catalog warm"
    return [result(label, spread(later, "ms"), "a millisecond", "1 ms",
                   median(later), "< 1"),
            result(f"{label}, the first since mounting", spread(first, "ms"),
                   "a millisecond", "1 ms", median(first), "to be seen")]


def curl_ms(p, number):
    began = time.perf_counter()
    subprocess.run(
        ["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:kinesisvideo",
         "--user", f"{kvs_server.ACCESS_KEY}:{kvs_server.SECRET_KEY}",
         "-H", "Content-Type: application/json",
         "-d", f'{{"StreamName":"cam","Fragments":["{number}"]}}',
         "-o", "/dev/null", f"{p.server.url}/getMediaForFragmentList"],
        check=True)
    return (time.perf_counter() - began) * 1000


def frame_ms(path):
    """Open it, read its header, and its first fragment: a first picture."""
    began = time.perf_counter()
    with open(path, "rb", buffering=0) as f:
        head = f.read(256 << 10)
        at = head.index(b"\x1f\x43\xb6\x75", head.index(b"\x16\x54\xae\x6b"))
        size = int.from_bytes(head[at + 5:at + 12], "big")
        os.pread(f.fileno(), size, at)
    return (time.perf_counter() - began) * 1000


@row("movie-first-frame")
def first_frame():
    """Of an hour of which nothing is cached, on a mount that is idle."""
    ours, curls = [], []
    with place([day_of("cam", 24 * 60, 60000)],
               args=["--latency-ms", str(LATENCY_MS)]) as p, \
            both(p, "cam") as m:
        os.stat(m.path / "movies" / f"{DAY}.mkv")
        for h in range(24):
            os.stat(hour(m, h))
        listed = p.server.fragments("cam", limit=24 * 60)
        frame_ms(hour(m, 0))  # where the data is, is known from here on
        for h in range(1, repeats(22, 8)):
            ours.append(frame_ms(hour(m, h)))
            curls.append(curl_ms(p, listed[h * 60 + 30]["number"]))
    return result(
        f"first frame of a cold hour movie, latency {LATENCY_MS} ms",
        spread(ours, "ms"), "curl fetching that much", spread(curls, "ms"),
        median(ours) / median(curls), "<= 1.3")


@row("movie-cached")
def cached():
    """The same bytes as one file and as many, all through the daemon."""
    count = 400 if QUICK else 1600
    movie, parts = [], []
    with place([day_of("cam", count)]) as p, \
            both(p, "cam", options=["--io=plain"]) as m:
        each = files(m, count, "fragments")
        read_all(each)
        of_parts = names_file(p.folder, "parts", each)
        of_movie = names_file(p.folder, "movie", [hour(m, 0)])
        io("seq", of_movie)
        for _ in range(repeats(7, 3)):
            io("drop", of_parts)
            parts.append(io("seq", of_parts))
            movie.append(io("seq", of_movie))
    return result(
        f"cached hour movie of {count * FRAGMENT / 1e9:.2g} GB, read through",
        spread(movie, "MB/s"), "its fragments, likewise (--io=plain)",
        spread(parts, "MB/s"), median(movie) / median(parts), ">= 0.7")


@row("movie-cold")
def cold():
    """What the quotas give, as one file and as many."""
    count = 300 if QUICK else 1200
    ours, copies = [], []
    with place([day_of("cam", count)], quotas=True) as p:
        for turn in range(repeats(3, 1)):
            for side, into in (("movie", ours), ("parts", copies)):
                with both(p, "cam", f"{side}{turn}") as m:
                    each = files(m, count, "fragments")
                    os.stat(each[0])
                    size = os.stat(hour(m, 0)).st_size
                    time.sleep(2)  # full buckets
                    began = time.monotonic()
                    if side == "movie":
                        io("seq", names_file(p.folder, "cold", [hour(m, 0)]))
                    else:
                        subprocess.run(
                            ["rsync", "-a", str(m.path / "fragments"),
                             str(p.folder / f"copy{turn}")], check=True)
                    into.append(size / 1e6 / (time.monotonic() - began))
    return result("cold hour movie under the quotas, read through",
                  spread(ours, "MB/s"), "rsync of its fragments",
                  spread(copies, "MB/s"), median(ours) / median(copies),
                  ">= 0.95")


@row("movie-memory")
def memory():
    """A day of 43,200 fragments, while it is open and jumped about in."""
    with place([day_of("cam", 43200)]) as p:
        with both(p, "cam") as m:
            os.stat(m.path / "movies" / f"{DAY}.mkv")
        with both(p, "cam", options=["--readahead=0"]) as m:
            read_all(files(m, 1, f"fragments/{DAY}/00")[:20])
            before = status_mb(m.process.pid, "VmRSS")
            with open(m.path / "movies" / f"{DAY}.mkv", "rb",
                      buffering=0) as f:
                size = os.fstat(f.fileno()).st_size
                f.read(1 << 20)
                for n in range(20):
                    os.pread(f.fileno(), 4096, size // 20 * n)
                grown = status_mb(m.process.pid, "VmRSS") - before
    return result("memory of a day movie of 43,200 fragments, while open",
                  f"{grown:.1f} MiB", "eight mebibytes", "8 MiB", grown,
                  "< 8")
