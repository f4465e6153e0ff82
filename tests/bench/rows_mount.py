# SPDX-License-Identifier: MIT
"""Mounting: with nothing cached, and with a million chunks."""
import os
import random
import sqlite3
import time

from places import QUICK, files, place, read_all, synthetic
from table import median, repeats, result, row, spread

CHUNKS = 50_000 if QUICK else 1_000_000
LINKS = 60_000  # ext4 has room for 65,000 names of a file


def ready_ms(p, cache, options=()):
    began = time.monotonic()
    with p.mounted("small", cache, options):
        took = time.monotonic() - began
    return took * 1000


def columns(db, table):
    return [c[1] for c in db.execute(f"PRAGMA table_info({table})")]


def like(number, n):
    """Another number, of the same type and length."""
    if isinstance(number, str):
        return "9" + str(n).zfill(len(number) - 1)
    if isinstance(number, bytes):
        return n.to_bytes(len(number), "big")
    return n + 1


def chunk_path(cache, chunk):
    name = f"{chunk:016x}"
    return cache / "chunks" / name[:2] / name


def make_files(cache, ids, content):
    """Names of a few files: the mount looks at names, not into files."""
    for n, chunk in enumerate(ids):
        path = chunk_path(cache, chunk)
        if n < 128 or n % LINKS == 0:
            path.parent.mkdir(exist_ok=True)
        if n % LINKS == 0:
            source = path
            source.write_bytes(content)
        else:
            os.link(source, path)


def fabricate(cache, count):
    """Rows and files like the one chunk that is there, `count` times."""
    db = sqlite3.connect(cache / "index.db")
    db.execute("PRAGMA synchronous=OFF")
    names = columns(db, "chunks")
    row_values = dict(zip(names, db.execute(
        "SELECT * FROM chunks LIMIT 1").fetchone()))
    content = chunk_path(cache, row_values["id"]).read_bytes()
    dice = random.Random(1)
    # Every folder gets its first file early: top bits in turn.
    ids = [(n % 128) << 56 | dice.getrandbits(56) for n in range(count)]
    marks = ",".join("?" * len(names))

    def rows():
        for n, chunk in enumerate(ids):
            yield [*{**row_values, "id": chunk,
                     "number": like(row_values["number"], n)}.values()]

    with db:
        db.executemany(f"INSERT INTO chunks VALUES({marks})", rows())
        for name, more in (("chunks", count),
                           ("chunk_bytes", count * row_values["bytes"])):
            db.execute("UPDATE totals SET value = value + ? WHERE name = ?",
                       (more, name))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    make_files(cache, ids, content)


@row("mount-million")
def mount_million():
    """The clock stops when the mount answers."""
    empty, full = [], []
    # A page each, by the books.
    budget = ["--cache-size=100G", "--cache-min-free=0"]
    with place([synthetic("small", 60, 2000)]) as p:
        with p.mounted("small", "full", budget) as m:
            read_all(files(m, 60)[:1])
        ready_ms(p, "empty", budget)
        fabricate(p.folder / "full", CHUNKS)
        for _ in range(repeats(9, 5)):
            empty.append(ready_ms(p, "empty", budget))
            full.append(ready_ms(p, "full", budget))
    return result(f"mount with {CHUNKS:,} cached chunks", spread(full, "ms"),
                  "an empty cache", spread(empty, "ms"),
                  median(full) / median(empty), "<= 1.2")


@row("mount-ready")
def mount_ready():
    """Mount ready, its API calls included (the server answers at once)."""
    with place([synthetic("small", 60, 2000)]) as p:
        taken = [ready_ms(p, f"empty{i}") for i in range(repeats(9, 5))]
    return result("mount ready, nothing cached", spread(taken, "ms"),
                  "the mark", "100 ms", median(taken), "< 100 ms")
