# SPDX-License-Identifier: MIT
"""Movies of what changes: the next lookup finds another one, and what is open
stays as it is."""
import errno
import os

import pytest

import expected
import kvs_server
import movie_files
import watching

TTL_MS = 300
SLACK_S = 2.5
SMALL = {"retention_hours": 2400,
         "media": {"kind": "synthetic", "payload_bytes": 900,
                   "payload_jitter_bytes": 900, "block_bytes": 400,
                   "length": "full"}}
HOUR_13 = "2026-11-22T13"
NOW = "2026-11-22T16:10:00.000Z"
LIVE = {**SMALL, "name": "live", "start": "-5m", "spacing_ms": 500}
QUIET = {**SMALL, "name": "quiet", "start": "2026-11-22T13:00:00Z", "end": 200,
         "spacing_ms": 2000, "retention_hours": 6}


def facts(path):
    at = os.stat(path)
    return at.st_ino, at.st_size, at.st_mtime_ns


def is_absent(path):
    return watching.error_of(os.stat, path) == errno.ENOENT


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(tmp_path / "kvs", streams=[LIVE, QUIET], now=NOW,
                           args=["--clock", NOW, "--max-skew", "0",
                                 "--freeze"]) as moving:
        yield moving


@pytest.fixture
def watch(mount):
    return lambda stream, *options: mount(
        stream, f"--metadata-ttl={TTL_MS}ms", *options)


def when_another(at, ino):
    watching.until(lambda: at.stat().st_ino != ino, TTL_MS / 1000 + SLACK_S,
                   "another movie")
    return at.stat()


@pytest.mark.parametrize("of", ["hour", "day", "range"])
def test_an_hour_that_grows(watch, server, of):
    m = watch("live")
    stream = movie_files.Stream(server, "live", m.path)
    at = {"hour": movie_files.hour(m.path, "2026-11-22T16"),
          "day": movie_files.day(m.path, "2026-11-22"),
          "range": movie_files.between(m.path, "2026-11-22T16:08:00",
                                       "2026-11-22T16:20:00")}[of]
    was, before = stream.movie(at), at.stat()
    with open(at, "rb", buffering=0) as f:
        head = f.read(100000)
        server.clock(advance_ms=20000)
        after = when_another(at, before.st_ino)
        assert after.st_size > before.st_size
        assert after.st_mtime_ns > before.st_mtime_ns
        now = os.fstat(f.fileno())
        assert (now.st_ino, now.st_size, now.st_mtime_ns) == (
            before.st_ino, before.st_size, before.st_mtime_ns)
        f.seek(0)
        data = f.readall()
    assert data.startswith(head)
    stream.check(at, data, movie=was)
    assert len(stream.check(at).slots) == len(was.slots) + 40
    m.restart()
    assert facts(at) == (after.st_ino, after.st_size, after.st_mtime_ns)


@pytest.mark.parametrize("of", ["hour", "day", "range"])
def test_a_late_upload(watch, server, of):
    m = watch("quiet")
    stream = movie_files.Stream(server, "quiet", m.path)
    at = {"hour": movie_files.hour(m.path, HOUR_13),
          "day": movie_files.day(m.path, "2026-11-22"),
          "range": movie_files.between(m.path, "2026-11-22T13:00:10",
                                       "2026-11-22T13:20:00")}[of]
    was, before = stream.movie(at), at.stat()
    old = open(at, "rb", buffering=0)
    server.add("quiet", {"producer": "2026-11-22T13:01:01.500Z",
                         "length_ms": 600, "number": "3"})
    # Somebody looks at the stream.
    watching.until(lambda: os.listdir(m.path / "fragments" / "2026-11-22")
                   and at.stat().st_ino != before.st_ino)
    with old:
        assert os.fstat(old.fileno()).st_size == before.st_size
        stream.check(at, old.readall(), movie=was)
    movie = stream.check(at)
    assert len(movie.slots) == len(was.slots) + 1
    assert os.getxattr(at, "user.kvs.fragments") == str(
        len(movie.slots)).encode()


def test_a_first_fragment_makes_its_movies(watch, server):
    m = watch("quiet")
    hour = movie_files.hour(m.path, "2026-11-22T16")
    part = movie_files.between(m.path, "2026-11-22T16:00:00",
                               "2026-11-22T17:00:00")
    assert is_absent(hour) and is_absent(part)
    assert os.listdir(hour.parent) == [f"{HOUR_13}.mkv"]
    server.add("quiet", {})
    for there in (hour.exists, part.exists,
                  lambda: hour.name in os.listdir(hour.parent)):
        watching.until(there, TTL_MS / 1000 + SLACK_S)


def test_what_expires_leaves_movies(mount, tmp_path):
    # The first fragments go while one looks.
    clock = "2026-11-22T18:59:58.500Z"
    with kvs_server.Server(tmp_path / "kvs", streams=[QUIET], now=clock, args=[
            "--clock", clock, "--max-skew", "0"]) as server:
        m = mount("quiet", "--no-clock", f"--metadata-ttl={TTL_MS}ms",
                  server=server)
        stream = movie_files.Stream(server, "quiet", m.path, clock=False)
        at = movie_files.hour(m.path, HOUR_13)
        movie, before = stream.movie(at), at.stat()
        whole = movie.body(stream.media_of())
        n = before.st_size - len(whole)
        with open(at, "rb", buffering=0) as f:
            seen = os.pread(f.fileno(), movie.slots[9].at, n)
            watching.until(lambda: at.stat().st_size < before.st_size)
            stream.check(at)
            assert len(movie.slots) - 4 < len(stream.movie(at).slots) < 200
            server.clock(advance_ms=3 * 60000)
            watching.until(lambda: len(os.listdir(
                m.path / "fragments" / "2026-11-22" / "13")) < 120)
            now = os.fstat(f.fileno())
            assert (now.st_ino, now.st_size) == (before.st_ino, before.st_size)
            assert whole.startswith(seen)
            # What is gone is said to be, and never shown as an emptiness.
            codes = set()
            for slot in movie.slots:
                want = whole[slot.at:slot.at + slot.size]
                try:
                    got = os.pread(f.fileno(), slot.size, n + slot.at)
                    # Pages that were read before are still there.
                    assert want.startswith(got), (
                        expected.first_difference(got, want))
                except OSError as e:
                    codes.add(e.errno)
            assert codes == {errno.ESTALE}
        server.clock(advance_ms=60 * 60000)
        watching.until(lambda: is_absent(at))
