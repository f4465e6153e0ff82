# SPDX-License-Identifier: MIT
"""Movies of any fragments, read in any way, are what the reference says, byte
for byte: cold, warm, and after a remount that knows what cannot be shown.

KVSFS_SEED=7 tries other ones.
"""
import concurrent.futures
import mmap
import os
import random

import pytest

import expected
import kvs_server
import movie_files
import movie_reference
import movie_validator

SEED = int(os.environ.get("KVSFS_SEED", "1"))
BEGIN_MS = expected.epoch_ms("2026-11-22T10:00:00Z")
SLACK = 4096
LOST_MAX = 2  # each costs seconds of trying again
COUNTS = {"one": 1, "two": 2, "few": 9, "dozens": 60, "hundreds": 400,
          "many": 5000}


# -- any fragments -------------------------------------------------------------


def steps(rng):
    """How far apart two begin: in a row, with gaps, over one another."""
    kind = rng.choice(["row", "row", "gaps", "dense", "mixed"])
    if kind == "row":
        step = rng.choice([900, 2000, 2002, 10000])
        return lambda: step
    if kind == "gaps":
        return lambda: rng.choice([2000, 2000, 2000, 2001, 61000, 400000])
    if kind == "dense":
        return lambda: rng.randrange(0, 2500)
    return lambda: rng.choice([0, 1, 700, 1000, 1999, 2000, 2001, 3000, 9000])


def number(rng):
    return str(rng.randrange(10 ** rng.choice([1, 2, 9, 21, 46])) + 1)


def is_clear(slots):
    """Is it beyond doubt who stays?  Where one goes to some and before others,
    the rule leaves that open."""
    stayed = []
    for s in slots:
        rivals = [r for r in stayed if movie_reference.conflict(r, s)]
        lower = [movie_reference.by_number(r.fragment)
                 < movie_reference.by_number(s.fragment) for r in rivals]
        if len(set(lower)) > 1:
            return False
        if not any(lower):
            stayed = [r for r in stayed if r not in rivals] + [s]
    return True


def fragments(rng, count):
    step, at, found, used = steps(rng), BEGIN_MS, [], set()
    lengths = rng.choice([[1900], [2000, 1900], [0], [0, 1, 1500, 2500],
                          [300, 2000, 8000]])
    while len(found) < count and at < BEGIN_MS + 20000000:
        f = {"producer": at, "server": at + 20000, "cluster": rng.randrange(30),
             "spacing_ms": rng.choice([500, 1000, 2000, 2000, 4000]),
             "length_ms": rng.choice(lengths), "number": number(rng)}
        at += step()
        if f["number"] in used:
            continue
        used.add(f["number"])
        slot = movie_reference.Slot(
            {**f, "producer_ms": f["producer"]}, 0, 0)
        near = [s for s in found[-30:]]
        if is_clear(movie_reference_order(near + [slot])):
            found.append(slot)
    made = [{k: v for k, v in s.fragment.items() if k != "producer_ms"}
            for s in found]
    for f in rng.sample(made, min(LOST_MAX, len(made) // 3)):
        f["lost"] = True
    return made


def movie_reference_order(slots):
    order = movie_reference.in_order([s.fragment for s in slots])
    by = {s.fragment["number"]: s for s in slots}
    return [by[f["number"]] for f in order]


def media(rng):
    if rng.random() < 0.5:
        return None, {"kind": "synthetic",
                      "payload_bytes": rng.choice([1, 300, 3000]),
                      "payload_jitter_bytes": rng.choice([0, 500, 20000]),
                      "block_bytes": rng.choice([64, 300, 100000]),
                      "cluster_size": rng.choice(["known", "unknown"])}
    return rng.choice(["front-door.mkv", "lobby.mkv"]), {
        "clusters": rng.choice([1, 2, 5]),
        "cluster_size": rng.choice(["known", "short", "unknown"]),
        "block_groups": rng.random() < 0.3, "absolute": rng.random() < 0.3,
        "crc32": rng.random() < 0.3, "position": rng.random() < 0.3,
        "timescale_ns": rng.choice([1000000, 1000000, 100000])}


def later(rng, made, own):
    """Some stretches are of other Tracks, or of none."""
    times = [f["producer"] for f in made[1:]]
    cuts = sorted(rng.sample(times, min(len(times), rng.choice([0, 2, 4]))))
    others = [{"clip": "lobby.mkv", "media": {}},
              {"clip": "front-door.mkv", "media": {"clusters": 0}},
              {"clip": "front-door.mkv", "media": {"codec_private_bytes": 99}}]
    back = {"clip": own[0], "media": own[1]}
    return [{"from": at, **(back if i % 2 else rng.choice(others))}
            for i, at in enumerate(cuts)]


def stream(name):
    rng = random.Random(f"{SEED} {name}")
    made, own = fragments(rng, COUNTS[name]), media(rng)
    return {"name": name, "clip": own[0], "media": own[1], "start": BEGIN_MS,
            "end": 0, "retention_hours": 72, "extra": made,
            "created": BEGIN_MS - 86400000, "later": later(rng, made, own)}


STREAMS = {name: stream(name) for name in COUNTS}


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(
            tmp_path_factory.mktemp("kvs"), streams=list(STREAMS.values()),
            now=expected.NOW, args=expected.FROZEN) as server:
        yield server


# -- read in any way -----------------------------------------------------------


def any_range(rng, size):
    n = rng.choice([1, 9, 22, 4096, 4097, 131072, rng.randrange(1, 300000)])
    return rng.randrange(size), n


def direct(path, offset, n):
    """Whole pages, past the page cache."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, -(-n // 4096) * 4096) as pages:
            got = os.preadv(fd, [pages], offset // 4096 * 4096)
            return offset // 4096 * 4096, pages[:got]
    finally:
        os.close(fd)


def read_anyhow(rng, path, times):
    """[(offset, bytes), ...], by several at once."""
    size = path.stat().st_size
    wanted = [(*any_range(rng, size), rng.random() < 0.2)
              for _ in range(times)]
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)

    def one(want):
        offset, n, past = want
        if past:
            return direct(path, offset, n)
        return offset, os.pread(fd, n, offset)

    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            got = list(pool.map(one, wanted))
    finally:
        os.close(fd)
    for (offset, n, past), (_, piece) in zip(wanted, got):
        assert past or len(piece) == min(n, size - offset)
    return got


def compare(whole, pieces):
    for offset, piece in pieces:
        want = whole[offset:offset + len(piece)]
        assert piece == want, f"at {offset}: " + expected.first_difference(
            piece, want)


def for_good(movie, of, extra):
    """Which of them cannot be shown, though nobody goes before them."""
    lost = {f["number"] for f in extra if f.get("lost")}
    medias = {s.fragment["number"]: of.media(s.fragment["number"])
              for s in movie.slots if not s.lost}
    shown = {n: m for n, m in medias.items() if n not in lost and m.parts}
    if not shown:
        pytest.skip("nothing of it can be shown")
    first = next(iter(shown.values()))
    return {n for n in medias if n not in shown
            or shown[n].decoder != first.decoder
            or shown[n].scale_ns != first.scale_ns}


@pytest.mark.parametrize("name", STREAMS)
def test_anything_read_anyhow(mount, kvs, name):
    rng = random.Random(f"read {SEED} {name}")
    m = mount(name, "--no-clock", f"--slack={SLACK}", "--media-fragments=0",
              "--media-calls=0", "--metadata-ttl=1h", server=kvs)
    path = movie_files.day(m.path, "2026-11-22")
    of = movie_files.Stream(kvs, name, m.path, slack=SLACK, clock=False)
    movie = of.movie(path)
    void = for_good(movie, of, STREAMS[name]["extra"])
    times = 10 + min(len(movie.slots), 150)
    ino, size = path.stat().st_ino, path.stat().st_size
    assert size > movie.bytes
    cold = read_anyhow(rng, path, 1) + read_anyhow(rng, path, times)
    data = path.read_bytes()
    assert len(data) == size
    of.check(path, data, movie=movie, void=void)
    compare(data, cold)
    compare(data, read_anyhow(rng, path, times))
    lost = sum(s.lost for s in movie.slots)
    assert os.getxattr(path, "user.kvs.skipped") == str(
        lost + len(void)).encode()
    movie_validator.validate(data, exact=False, lengths=False)

    m.restart()
    kvs.reset()
    known = of.movie(path, void)
    assert path.stat().st_size == size
    # Where all that is void was known from the listing, nothing is new.
    assert (path.stat().st_ino == ino) == (not void)
    again = read_anyhow(rng, path, times)
    data = path.read_bytes()
    of.check(path, data, movie=known, void=void)
    compare(data, again)
    assert kvs.stats(name)["GetMediaForFragmentList"]["requests"] == 0
    # A part of it, from what is there.
    begin = rng.choice([s for s in known.slots if not s.out]).start_ms
    part = movie_files.between(m.path, begin, begin + rng.choice(
        [1, 1999, 60000]))
    of.check(part, known=void, void=void)



def test_many_open_it_at_once(mount, kvs):
    """Whoever is first finds out what the media is like, for all of them."""
    name = "hundreds"
    m = mount(name, "--no-clock", f"--slack={SLACK}", server=kvs)
    path = movie_files.day(m.path, "2026-11-22")
    size = path.stat().st_size
    offsets = [4096 * i for i in range(8)]
    kvs.latency(300)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pieces = list(pool.map(lambda at: direct(path, at, 4096), offsets))
    finally:
        kvs.latency(0)
    data = path.read_bytes()
    assert len(data) == size
    compare(data, pieces)
