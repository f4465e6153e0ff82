# SPDX-License-Identifier: MIT
"""What is cached, against the same bytes on ext4 and in other mounts."""
import contextlib

import peers
from places import QUICK, files, io_modes, io_option, place, read_all, synthetic
from table import io, missing, median, names_file, repeats, result, row, spread

LARGE = (128 if QUICK else 1000, 1_000_000)
SMALL = (1000, 3000)
TIMES = repeats(7, 3)
# What each kind of reading asks of kvsfs and of the others.
WANTED = {
    "seq": {"passthrough": ">= 0.9", None: ">= 0.2"},
    "rand": {"passthrough": ">= 0.9", None: ""},
    "open": {"no-open": ">= 0.8", None: ""},
}
LABELS = {"seq": "cached, sequential read, no pages of the mount",
          "rand": "cached, random 4 KiB reads, files opened once",
          "open": "cached, warm open+read+close of 4 KiB"}
# The first is as it comes for root, the last for everybody else.
AS_NAMED = {kind: mode if mode in io_modes() else None
            for kind, mode in [("seq", "passthrough"), ("rand", "passthrough"),
                               ("open", "no-open")]}
UNITS = {"seq": "MB/s", "rand": "/s", "open": "/s"}
READS = 20_000 if QUICK else 100_000


def measure(kind, names):
    if kind == "seq":
        io("drop", names)
        return io("seq", names)
    if kind == "rand":
        io("drop", names)
        return io("rand", READS, names)
    io("open", 1, names)  # once for the kernel to look the names up
    return io("open", 10, names)


def against_ext4(kind, stream, count):
    """Rows of one kind of reading, for each way of opening files."""
    rows = []
    with place([stream]) as p:
        with p.mounted("bytes") as m:
            read_all(files(m, count))
        raw = names_file(p.folder, "raw", p.chunk_files())
        for mode in io_modes():
            options = ["--readahead=0", *io_option(mode)]
            with p.mounted("bytes", options=options) as m:
                ours = names_file(p.folder, "ours", files(m, count))
                measure(kind, ours)
                sides = [(measure(kind, ours), warm_ext4(kind, raw))
                         for _ in range(TIMES)]
            wanted = WANTED[kind].get(mode, WANTED[kind][None])
            rows.append(result(
                LABELS[kind] + (f", --io={mode}" if mode else ""),
                spread([a for a, _ in sides], UNITS[kind]), "ext4",
                spread([b for _, b in sides], UNITS[kind]),
                median([a / b for a, b in sides]), wanted))
        rows += against_peers(kind, p, count)
    return rows


def warm_ext4(kind, names):
    return io("open", 10, names) if kind == "open" else \
        io(*(["rand", READS] if kind == "rand" else [kind]), names)


def against_peers(kind, p, count):
    """kvsfs in the mode that the row names, against the best of the others."""
    best = {}
    for name, mounted in peers.ALL.items():
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(mounted(p))
            except peers.Missing as why:
                best[name] = str(why)
                continue
            names = names_file(p.folder, name,
                               [f for f in sorted(folder.rglob("*"))
                                if f.is_file()])
            measure(kind, names)
            best[name] = [measure(kind, names)
                          for _ in range(repeats(3, 1))]
    with p.mounted("bytes", options=["--readahead=0",
                                     *io_option(AS_NAMED[kind])]) as m:
        names = names_file(p.folder, "ours", files(m, count))
        measure(kind, names)
        ours = [measure(kind, names) for _ in range(TIMES)]
    there = {k: v for k, v in best.items() if isinstance(v, list)}
    if not there:
        return [missing(LABELS[kind] + ", others",
                        "; ".join(map(str, best.values())), ">= 3")]
    winner = max(there, key=lambda k: median(there[k]))
    others = ", ".join(f"{k} {spread(v) if isinstance(v, list) else v}"
                       for k, v in best.items())
    return [result(LABELS[kind] + ", others",
                   spread(ours, UNITS[kind]),
                   f"the best of {others}", winner,
                   median(ours) / median(there[winner]), ">= 3")]


@row("cached-sequential")
def cached_sequential():
    return against_ext4("seq", synthetic("bytes", *LARGE), LARGE[0])


@row("cached-random")
def cached_random():
    return against_ext4("rand", synthetic("bytes", *LARGE), LARGE[0])


@row("small-opens")
def small_opens():
    return against_ext4("open", synthetic("bytes", *SMALL), SMALL[0])
