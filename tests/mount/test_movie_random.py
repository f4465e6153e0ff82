# SPDX-License-Identifier: MIT
"""Random archives: gaps, overlaps, fragments that start together, ones that the
service has lost; read anywhere, in any order, from any state of the cache."""
import os
import random

import pytest

import expected
import kvs_server
import movie_files
import movie_validator

START = expected.epoch_ms("2026-11-22T12:00:00Z")
SEEDS = {1: 1, 2: 2, 3: 12, 4: 60, 5: 200, 6: 700}


def stream_of(rng, count):
    """Fragments of a producer that reconnects, and of one beside it."""
    extra, at = [], START + rng.randrange(5000)
    for _ in range(count):
        length = rng.choice([0, 40, 960, 1960, 1960, 5000, 9000])
        extra.append({"producer": at, "server": at + rng.randrange(100, 900),
                      "length_ms": length, "cluster": rng.randrange(3)})
        step = max(length, 20)
        at += rng.choice([step, step, step, step + 40, step // 2, step * 3 // 4,
                          0, 1, step + 30000])
    return {"name": "cam", "clip": rng.choice(["front-door.mkv", "lobby.mkv"]),
            "start": "2026-11-22T11:59:58Z", "end": 1, "retention_hours": 72,
            "extra": extra, "media": {
                "cluster_size": rng.choice(["known", "unknown"]),
                "unique_bytes": 40}}


def day_of(m):
    return m.path / "movies" / "2026-11-22.mkv"


@pytest.mark.parametrize("seed", SEEDS)
def test_any_archive(mount, tmp_path, seed):
    rng = random.Random(seed)
    stream = stream_of(rng, SEEDS[seed])
    with kvs_server.Server(tmp_path / "kvs", streams=[stream], now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        numbers = [f["number"] for f in kvs.fragments("cam")]
        gone = set(rng.sample(numbers, min(len(numbers) // 10, 2)))
        # A call meets one fault of each kind.
        for number, how in zip(sorted(gone), (
                {"kind": "not-found"},
                {"kind": "in-band", "code": 4000, "name": "NOT_FOUND"})):
            kvs.fault(**how, number=number, count=-1)
        m = mount("cam", "--no-clock", server=kvs)
        check(m, kvs, rng, gone)
        m.stop()
        kvs.close()


def check(m, kvs, rng, gone):
    path = day_of(m)
    first = os.stat(path)
    ino, size = first.st_ino, first.st_size
    reads = {}
    with open(path, "rb", buffering=0) as f:
        for _ in range(60):
            at, n = rng.randrange(size), rng.choice([1, 500, 9000, 200000])
            reads[at, n] = os.pread(f.fileno(), n, at)
        before = os.pread(f.fileno(), size, 0)
        while len(before) < size:
            before += os.pread(f.fileno(), size, len(before))
        for (at, n), bytes_ in reads.items():
            assert bytes_ == before[at:at + n]
    # What was found out by now is in the next layout, which has another inode.
    m.restart()
    assert os.stat(path).st_size == size
    whole = path.read_bytes()
    stream = movie_files.Stream(kvs, "cam", m.path, clock=False)
    movie = stream.check(path, whole, known=gone)
    movie_validator.validate(whole, lengths=False)
    out = [s.fragment["number"] for s in movie.slots if s.out]
    if gone - {s.fragment["number"] for s in movie.slots if s.lost}:
        assert os.stat(path).st_ino != ino
    else:
        assert os.stat(path).st_ino == ino and whole == before
    assert int(os.getxattr(path, "user.kvs.skipped")) == len(out)
    assert int(os.getxattr(path, "user.kvs.fragments")) == len(movie.slots)
    text = m.text()
    for number in out:
        assert text.count(f"fragment {number} is left out") == 1
