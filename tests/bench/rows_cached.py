# SPDX-License-Identifier: MIT
"""Cached fragments: kvsfs in each of its modes, ext4, and the peers.

One measurement for all of these rows: three figures of each side, in turn.
    seq   MB/s over all of the big files, the FUSE page cache dropped
    huge  the same of as much in huge files (not of the peers)
    open  open, read 4 KiB, close of the small files, warm, a second
    rand  4 KiB reads a second in the big files opened once, the FUSE page
          cache dropped
"""
import contextlib
import functools
import hashlib
import os

import table
from peers import PEERS
from places import QUICK, files, io_modes, io_option, place, synthetic
from table import (Missing, io, median, missing, names_file, repeats, result,
                   row, spread)

BIG, BIG_BYTES = (512 if QUICK else 2000), 500_000
# Near the 50 MB that a fragment may have: opening is nothing there.
HUGE, HUGE_BYTES = (10 if QUICK else 40), 25_000_000
SMALL, SMALL_BYTES = 1000, 3500
# Peers are slow to fill, and httpdirfs at small files most of all.
PEER_BIG, PEER_SMALL = (128, 40) if QUICK else (512, 200)
RANDOM_READS = 20_000 if QUICK else 50_000
PART = f"{PEER_BIG * BIG_BYTES / 1e9:.2g} GB of it"
TURNS = repeats(5, 2)
AGAIN = 3  # within a turn

TOTAL = f"cached sequential read of {BIG * BIG_BYTES / 1e9:.2g} GB"
LABELS = {"seq": f"{TOTAL}, fragments of {BIG_BYTES / 1e6:.2g} MB",
          "huge": f"{TOTAL}, fragments of {HUGE_BYTES / 1e6:.0f} MB",
          "open": "warm open+read+close of 4 KiB",
          "rand": "random 4 KiB reads, files opened once"}
UNITS = {"seq": "MB/s", "huge": "MB/s", "open": "/s", "rand": "/s"}
# What each mode is for; elsewhere its figure is there to be seen.
WANTED = {(what, mode): ">= 0.9" if mode == "passthrough" else ">= 0.2"
          for what in ("seq", "huge")
          for mode in ("passthrough", "no-open", "plain", None)}
WANTED |= {("open", "no-open"): ">= 0.8", ("rand", "passthrough"): ">= 0.9"}


def digest(path):
    return hashlib.blake2b(path.read_bytes()).digest()


class Side:
    """drops: the pages of what is timed, but not the caches below."""

    def __init__(self, drops=True):
        self.figures = {what: [] for what in LABELS}
        self.why_not = None
        self.drops = drops

    def measure(self, scratch, big, huge, small, rounds):
        """Everything is read once before it is timed."""
        big = names_file(scratch, "big.list", big)
        small = names_file(scratch, "small.list", small)
        self.sequential("seq", big)
        if huge:
            self.sequential("huge", names_file(scratch, "huge.list", huge))
        for _ in range(AGAIN):
            if self.drops:
                io("drop", big)
            self.figures["rand"].append(io("rand", RANDOM_READS, big))
        io("open", 1, small)
        for _ in range(AGAIN):
            self.figures["open"].append(io("open", rounds, small))

    def sequential(self, what, names):
        io("seq", names)
        for _ in range(AGAIN):
            if self.drops:
                io("drop", names)
            self.figures[what].append(io("seq", names))


class Measured:
    def __init__(self, p):
        self.p = p
        self.modes = {mode: Side() for mode in io_modes()}
        self.raw = Side(drops=False)
        self.peers = {name: Side() for name in PEERS}

    def fill(self):
        """The chunks, under the names that the mount has: long ones, six
        folders down, are a part of what an open takes."""
        tree = self.p.folder / "ext4"
        with self.p.mounted("*") as m:
            names = {digest(f): f.relative_to(m.path)
                     for f in files(m, SMALL + BIG + HUGE)}
        for chunk in self.p.chunk_files():
            link = tree / names[digest(chunk)]
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(chunk, link)
        return [sorted((tree / stream).rglob("*.mkv"))
                for stream in ("big", "huge", "small")]

    def kvsfs(self, mode, side):
        if side.why_not:
            return
        try:
            m = self.p.mount("*", options=io_option(mode))
        except Exception as error:  # this kernel or user may not
            side.why_not = str(error).strip()[-120:]
            return
        try:
            side.measure(self.p.folder, files(m, BIG, "big"),
                         files(m, HUGE, "huge"), files(m, SMALL, "small"),
                         10)
        finally:
            m.stop()

    def mount_peer(self, name, source, stack):
        side = self.peers[name]
        try:
            at = stack.enter_context(PEERS[name](source, self.p.folder))
            check(at, source)
            return at
        except Exception as why:  # the other peers are still wanted
            side.why_not = str(why) or repr(why)
            return None

    def peer(self, side, at):
        if side.why_not:
            return
        try:
            side.measure(self.p.folder, sorted((at / "big").iterdir()), (),
                         sorted((at / "small").iterdir()), 10)
        except Exception as why:
            side.why_not = str(why) or repr(why)

    def source(self, big, small):
        """What the peers are given: a part of the chunks, under names."""
        source = self.p.folder / "source"
        for name, chunks in (("big", big[:PEER_BIG]),
                             ("small", small[:PEER_SMALL])):
            (source / name).mkdir(parents=True)
            for n, chunk in enumerate(chunks):
                os.link(chunk, source / name / f"{n:04}.mkv")
        return source

    def run(self, with_peers):
        big, huge, small = self.fill()
        with contextlib.ExitStack() as stack:
            mounted = {}
            if with_peers:
                source = self.source(big, small)
                mounted = {name: self.mount_peer(name, source, stack)
                           for name in PEERS}
            for _ in range(TURNS):
                for mode, side in self.modes.items():
                    self.raw.measure(self.p.folder, big, huge, small, 10)
                    self.kvsfs(mode, side)
                for name, at in mounted.items():
                    self.peer(self.peers[name], at)


def check(at, source):
    """Fills a peer's cache; with other bytes it has no figure."""
    for path in sorted(source.rglob("*.mkv")):
        if (at / path.relative_to(source)).read_bytes() != path.read_bytes():
            raise Missing("it returns other bytes")


@functools.lru_cache(maxsize=None)
def cached():
    streams = [synthetic("big", BIG, BIG_BYTES),
               synthetic("huge", HUGE, HUGE_BYTES),
               synthetic("small", SMALL, SMALL_BYTES)]
    with place(streams) as p:
        measured = Measured(p)
        measured.run("peers" in table.SELECTED)
    return measured


def against_ext4(what):
    measured = cached()
    raw = measured.raw.figures[what]
    rows = []
    for mode, side in measured.modes.items():
        label = LABELS[what] + (f", --io={mode}" if mode else "")
        wanted = WANTED.get((what, mode), "")
        if side.why_not:
            rows.append(missing(label, side.why_not, wanted))
            continue
        ours = side.figures[what]
        rows.append(result(label, spread(ours, UNITS[what]), "ext4",
                           spread(raw, UNITS[what]),
                           median(ours) / median(raw), wanted))
    return rows


@row("cached-seq")
def cached_seq():
    return against_ext4("seq") + against_ext4("huge")


@row("cached-open")
def cached_open():
    return against_ext4("open")


@row("cached-rand")
def cached_rand():
    return against_ext4("rand")


def against_best(measured, what):
    def middle(item):
        return median(item[1].figures[what])

    modes = [i for i in measured.modes.items() if i[1].figures[what]]
    peers = [i for i in measured.peers.items() if not i[1].why_not]
    if not modes or not peers:
        return missing(LABELS[what], "nobody to compare", ">= 3")
    mode, ours = max(modes, key=middle)
    best, _ = max(peers, key=middle)
    label = LABELS[what] + (f", --io={mode}" if mode else "")
    theirs = ", ".join(
        f"{name} " + (side.why_not or
                      spread(side.figures[what], UNITS[what]))
        for name, side in measured.peers.items())
    return result(label, spread(ours.figures[what], UNITS[what]),
                  f"the best peer: {best}, on {PART}", theirs,
                  median(ours.figures[what]) /
                  median(measured.peers[best].figures[what]), ">= 3")


@row("peers")
def peers():
    """rclone, httpdirfs and sshfs, on a part of the same files."""
    measured = cached()
    return [against_best(measured, what) for what in ("seq", "open", "rand")]
