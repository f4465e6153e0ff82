# SPDX-License-Identifier: MIT
"""What cannot be shown in a movie: a moment's trouble is an error, and nothing
of it stays; what is so for good is Void, said once and remembered."""
import concurrent.futures
import errno
import os
import time

import pytest

import ebml
import expected
import kvs_server
import movie_files
import movie_validator
import watching

HOUR_13 = "2026-11-22T13"
BASE = {"start": "2026-11-22T13:00:00Z", "end": 12, "retention_hours": 72,
        "clip": "front-door.mkv"}

# -- a moment's trouble --------------------------------------------------------

MEDIA = "GetMediaForFragmentList"
DOWN = {errno.ETIMEDOUT}
BROKEN = {errno.EIO, errno.ETIMEDOUT}
TROUBLES = {
    "error": (DOWN, {"kind": "error", "status": 500}),
    "unavailable": (DOWN, {"kind": "error", "status": 503,
                           "name": "ServiceUnavailable"}),
    "throttled": (DOWN, {"kind": "throttle"}),
    "connections": (DOWN, {"kind": "throttle", "value": "connection"}),
    "hangup": (DOWN, {"kind": "hangup"}),
    "slow": (DOWN, {"kind": "delay", "ms": 2500}),
    "stalled": (DOWN, {"kind": "stall", "bytes": 3000}),
    "cut": (BROKEN, {"kind": "cut", "bytes": 3000}),
    "cut-clean": (BROKEN, {"kind": "cut", "bytes": 3000, "clean": True}),
    "nothing": (BROKEN, {"kind": "cut", "bytes": 0, "clean": True}),
    "left-out": (BROKEN, {"kind": "missing"}),
    "garbage": (BROKEN, {"kind": "garbage", "bytes": 3000}),
    "all-garbage": (BROKEN, {"kind": "garbage", "bytes": 0}),
    "in-band": (BROKEN, {"kind": "in-band", "code": 5000}),
    "denied": ({errno.EACCES}, {"kind": "error", "status": 403,
                                "name": "AccessDeniedException"}),
    "kms": ({errno.EACCES}, {"kind": "in-band", "code": 4503,
                             "name": "KMS_KEY_ACCESS_DENIED"}),
}


class Troubled:
    """What a stream's hour was like while it lasted, and after it."""

    def __init__(self, top, kvs, name):
        self.at = movie_files.hour(top / name, HOUR_13)
        self.ino, size = self.at.stat().st_ino, self.at.stat().st_size
        with open(self.at, "rb", buffering=0) as f:
            self.codes = [
                watching.error_of(os.pread, f.fileno(), 4096, offset)
                for offset in (size - 5000, size // 2)]
            self.skipped = os.getxattr(self.at, "user.kvs.skipped")
            kvs.clear(name)
            # What failed is not tried again for a moment.
            self.same_fd = watching.until(lambda: _whole(f), 15)
        self.later = self.at.read_bytes()


def _whole(f):
    try:
        f.seek(0)
        return f.readall()
    except OSError:
        return None


@pytest.fixture(scope="module")
def troubled(kvsfs, tmp_path_factory):
    import mounting

    folder = tmp_path_factory.mktemp("trouble")
    streams = [{**BASE, "name": name} for name in TROUBLES]
    with kvs_server.Server(folder / "kvs", streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        m = mounting.Mount("*", folder / "video", folder / "cache",
                           folder / "log", mounting.server_environ(kvs, folder),
                           ["--timeout=1", "--metadata-ttl=1h"])
        m.start()
        faults = {}
        kvs.clear = lambda name: kvs.control("faults/clear", id=faults[name])
        for name, (_, fault) in TROUBLES.items():
            movie_files.hour(m.path / name, HOUR_13).stat()
            faults[name] = kvs.fault(api=MEDIA, stream=name, count=-1, **fault)
        try:
            with concurrent.futures.ThreadPoolExecutor(len(faults)) as pool:
                found = dict(zip(faults, pool.map(
                    lambda name: Troubled(m.path, kvs, name), faults)))
            kvs.release()
            yield kvs, m, found
        finally:
            kvs.release()
            m.stop()


@pytest.mark.parametrize("name", TROUBLES)
def test_a_moments_trouble(troubled, name):
    kvs, m, found = troubled
    its = found[name]
    assert set(its.codes) <= TROUBLES[name][0], [
        errno.errorcode.get(c, c) for c in its.codes]
    assert its.skipped == b"0"
    stream = movie_files.Stream(kvs, name, m.path / name)
    stream.check(its.at, its.same_fd)
    stream.check(its.at, its.later)
    assert its.at.stat().st_ino == its.ino
    assert not watching.complaints(m, name, "left out")


def test_nothing_of_it_is_remembered(troubled):
    kvs, m, found = troubled
    m.restart()
    for name, its in found.items():
        assert its.at.read_bytes() == its.later
        assert its.at.stat().st_ino == its.ino
        assert os.getxattr(its.at, "user.kvs.skipped") == b"0"


@pytest.mark.parametrize("server", [{
    "streams": [{**BASE, "name": "s"}], "now": expected.NOW,
    "args": expected.FROZEN}], indirect=True)
def test_nobody_there(mount, server):
    m = mount("s", "--timeout=1", "--metadata-ttl=1h")
    stream = movie_files.Stream(server, "s", m.path)
    at = movie_files.hour(m.path, HOUR_13)
    movie, ino = stream.movie(at), at.stat().st_ino
    with open(at, "rb", buffering=0) as f:
        f.read(4096)
        server.stop()
        assert watching.error_of(os.pread, f.fileno(), 1000,
                                 at.stat().st_size - 1000) == errno.ETIMEDOUT
        assert watching.error_of(
            os.stat, movie_files.hour(m.path, "2026-11-22T14")) in (
                errno.ETIMEDOUT, errno.ENOENT)
        server.start()
        data = watching.until(lambda: _whole(f), 15)
    stream.check(at, data, movie=movie)
    assert at.stat().st_ino == ino
    stream.check(at)


@pytest.mark.parametrize("server", [{
    "streams": [{**BASE, "name": "s"}], "now": expected.NOW,
    "args": expected.FROZEN}], indirect=True)
def test_a_listing_that_fails_is_no_absence(mount, server):
    m = mount("s", "--timeout=1")
    server.fault("error", api="ListFragments", count=-1)
    hour = movie_files.hour(m.path, HOUR_13)
    paths = [hour, movie_files.day(m.path, "2026-11-22"),
             movie_files.between(m.path, "2026-11-22T13:00:00",
                                 "2026-11-22T13:00:10")]
    assert {watching.error_of(os.stat, p) for p in paths} == {errno.ETIMEDOUT}
    assert watching.error_of(os.listdir, hour.parent) == errno.ETIMEDOUT
    server.clear_faults()
    stream = movie_files.Stream(server, "s", m.path)
    for path in paths:
        watching.until(lambda at=path: not watching.error_of(os.stat, at), 15)
        stream.check(path)


# -- for good ------------------------------------------------------------------


def at(seconds):
    return f"2026-11-22T13:00:{seconds:02}Z"


def extra(seconds, number, **more):
    """Between two of the grid's, so that none overlaps."""
    return {"producer": at(seconds), "server": at(seconds + 3),
            "length_ms": 1900, "spacing_ms": 2000, "number": number, **more}


# Of two seconds, from :10 to :30, without the clip's rhythm in between.
ROOM = [[at(10), at(24)]]
LOST = [extra(s, f"4{s}", lost=True) for s in (10, 14, 16, 18, 22)]
GOOD = [extra(s, f"4{s}") for s in (12, 20)]
FOR_GOOD = {
    "lost": ({"gaps": ROOM, "extra": LOST + GOOD}, 5),
    "lost-first": ({"extra": [{**extra(0, "40", lost=True), "producer":
                               "2026-11-22T12:59:59.999Z"}]}, 1),
    "first-of-hour": ({"start": at(2), "extra": [extra(0, "40", lost=True)]},
                      1),
    "no-cluster": ({"later": [{"from": at(8), "media": {"clusters": 0}},
                              {"from": at(12), "media": {}}]}, 2),
    "no-cluster-first": ({"later": [{"from": at(0), "media": {"clusters": 0}},
                                    {"from": at(4), "media": {}}]}, 2),
    "tracks": ({"later": [{"from": at(6), "clip": "lobby.mkv"},
                          {"from": at(12), "media": {}}]}, 3),
    "tracks-later": ({"later": [{"from": at(6), "clip": "lobby.mkv"}]}, 9),
    "private": ({"later": [{"from": at(6), "media": {
        "codec_private_bytes": 90}}]}, 9),
    "scale": ({"later": [{"from": at(6), "media": {
        "timescale_ns": 100000}}]}, 9),
    "huge-tracks": ({"later": [{"from": at(6), "media": {
        "codec_private_bytes": 40000}}, {"from": at(8), "media": {}}]}, 1),
}


@pytest.fixture(scope="module")
def for_good(kvsfs, tmp_path_factory):
    import mounting

    folder = tmp_path_factory.mktemp("good")
    streams = [{**BASE, "name": name, **more}
               for name, (more, _) in FOR_GOOD.items()]
    with kvs_server.Server(folder / "kvs", streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        m = mounting.Mount("*", folder / "video", folder / "cache",
                           folder / "log", mounting.server_environ(kvs, folder),
                           ["--timeout=5", "--metadata-ttl=1h"])
        yield kvs, m.start()
        m.stop()


def of_no_use(stream, path):
    """Numbers of those that the media says are not to be shown."""
    slots = stream.movie(path).slots
    first = stream.first(stream.movie(path), {
        s.fragment["number"] for s in slots if is_lost(stream, s)})
    return {s.fragment["number"] for s in slots if is_lost(stream, s)
            or not stream.media(s.fragment["number"]).parts
            or stream.media(s.fragment["number"]).decoder != first.decoder
            or stream.media(s.fragment["number"]).scale_ns != first.scale_ns}


def is_lost(stream, slot):
    # The grid's numbers are long ones.
    return slot.fragment["number"] in {
        e["number"] for e in FOR_GOOD[stream.name][0].get("extra", [])
        if e.get("lost")}


@pytest.mark.parametrize("name", FOR_GOOD)
def test_what_is_so_for_good(for_good, name):
    kvs, m = for_good
    stream = movie_files.Stream(kvs, name, m.path / name)
    path = movie_files.day(m.path / name, "2026-11-22")
    ino = path.stat().st_ino
    void = of_no_use(stream, path)
    assert len(void) == FOR_GOOD[name][1]
    data = path.read_bytes()
    stream.check(path, data, void=void)
    movie_validator.validate(data, exact=False)
    skipped = str(len(void | {s.fragment["number"] for s in
                              stream.movie(path).slots if s.lost})).encode()
    assert os.getxattr(path, "user.kvs.skipped") == skipped
    # Known now: no Cues, and neighbours are one Void.
    m.restart()
    kvs.reset()
    assert path.stat().st_ino != ino
    again = path.read_bytes()
    stream.check(path, again, known=void, void=void)
    assert len(again) == len(data)
    movie_validator.validate(again, exact="first" not in name)
    assert kvs.stats(name)[MEDIA]["requests"] == 0
    assert os.getxattr(path, "user.kvs.skipped") == skipped
    assert os.getxattr(path, "user.kvs.fragments") == str(
        len(stream.movie(path).slots)).encode()
    said = watching.complaints(m, name + ",", "left out")
    assert len(said) == int(skipped)
    assert all(sum(f"fragment {n} is" in line for line in said) == 1
               for n in void)


def test_a_stretch_of_other_tracks_is_a_movie_of_its_own(for_good):
    kvs, m = for_good
    stream = movie_files.Stream(kvs, "tracks-later", m.path / "tracks-later")
    path = movie_files.between(stream.top, "2026-11-22T13:00:06",
                               "2026-11-22T13:00:20")
    stream.check(path)
    assert os.getxattr(path, "user.kvs.skipped") == b"0"
    assert len(ebml.parse(path.read_bytes()).find("Tracks/TrackEntry")) == 3


NONE = {"none": {"end": 0, "extra": LOST},
        "bare": {"media": {"clusters": 0}},
        "huge": {"media": {"codec_private_bytes": 40000}}}


@pytest.mark.parametrize("server", [{
    "streams": [{**BASE, "name": name, **more} for name, more in NONE.items()],
    "now": expected.NOW, "args": expected.FROZEN}], indirect=True)
def test_nothing_that_can_be_shown(mount, server):
    m = mount("*", "--timeout=5")
    for name in NONE:
        path = movie_files.hour(m.path / name, HOUR_13)
        assert watching.error_of(path.read_bytes) == errno.EIO
        assert watching.complaints(m, name)


def test_what_has_only_just_come_may_still_be_found(mount, tmp_path):
    late = {"producer": "2026-11-22T15:59:00Z", "length_ms": 1900,
            "server": "2026-11-22T15:59:02Z", "number": "17", "lost": True}
    stream = {**BASE, "name": "s", "start": "2026-11-22T15:00:00Z",
              "extra": [late]}
    with kvs_server.Server(tmp_path / "kvs", streams=[stream], now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        m = mount("s", "--timeout=3", "--metadata-ttl=300ms", server=kvs)
        path = movie_files.hour(m.path, "2026-11-22T15")
        stream = movie_files.Stream(kvs, "s", m.path)
        movie = stream.movie(path)
        with open(path, "rb", buffering=0) as f:
            n = path.stat().st_size - movie.bytes
            begin = n + movie.slots[-1].at
            assert watching.error_of(os.pread, f.fileno(), 99, begin) in BROKEN
            assert os.getxattr(path, "user.kvs.skipped") == b"0"
            kvs.clock(advance_ms=180000)
            os.listdir(m.path / "movies" / "2026-11-22")
            data = watching.until(lambda: _whole(f), 15)
        stream.check(path, data, void={"17"})
        assert os.getxattr(path, "user.kvs.skipped") == b"1"


# -- too large for its place ---------------------------------------------------


def test_a_fragment_that_grows(mount, tmp_path):
    """Its listed size is wrong: it is not in what is open, and is later."""
    stream = {**BASE, "name": "s", "extra": [
        {**extra(24, "41", size_bytes=100), "server": at(40)}]}
    with kvs_server.Server(tmp_path / "kvs", streams=[stream], now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        m = mount("s", "--metadata-ttl=300ms", server=kvs)
        stream = movie_files.Stream(kvs, "s", m.path)
        path = movie_files.hour(m.path, HOUR_13)
        ino = path.stat().st_ino
        movie = stream.movie(path)
        with open(path, "rb", buffering=0) as f:
            data = f.readall()
            stream.check(path, data, movie=movie, void={"41"})
            assert watching.complaints(m, "grown")
            watching.until(lambda: path.stat().st_ino != ino)
            assert os.getxattr(path, "user.kvs.skipped") == b"0"
            stream.check(path)
            f.seek(0)
            assert f.readall() == data
        m.restart()
        stream.check(path)
