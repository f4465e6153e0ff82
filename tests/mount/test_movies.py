# SPDX-License-Identifier: MIT
"""Movies as files: their names, what looking at them costs, their
attributes."""
import errno
import os
import subprocess

import pytest

import expected
import kvs_server
import movie_files
import movie_validator
import watching

SMALL = {"retention_hours": 2400,
         "media": {"kind": "synthetic", "payload_bytes": 900,
                   "payload_jitter_bytes": 900, "block_bytes": 400,
                   "length": "full"}}
# Hours 12, 13 and 15; 14 is a gap.
SOME = {**SMALL, "name": "some", "start": "2026-11-22T12:58:00Z",
        "spacing_ms": 4000, "end": 1900, "gaps": [
            ["2026-11-22T13:50:00Z", "2026-11-22T15:00:00Z"]]}
# Days apart, and alone in its hour.
SPARSE = {**SMALL, "name": "sparse", "start": "2026-11-02T10:00:00Z",
          "end": 3, "extra": [
              {"producer": "2026-11-05T23:59:59.999Z",
               "server": "2026-11-06T00:00:01Z", "length_ms": 2000,
               "number": "7"},
              {"producer": "2026-11-06T00:00:02.250Z",
               "server": "2026-11-06T00:00:05Z", "length_ms": 1000,
               "number": "8"},
              {"producer": "2026-11-20T03:04:05Z",
               "server": "2026-11-20T03:04:08Z", "number": "9"}]}
CLIP = {"name": "clip", "clip": "front-door.mkv", "retention_hours": 72,
        "start": "2026-11-22T13:00:00Z", "end": 100}
STREAMS = [SOME, SPARSE, CLIP]
HOUR_13 = "2026-11-22T13"
ONE_CALL = ("GetMediaForFragmentList", "requests")


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=expected.NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def see(mount, kvs):
    """see(STREAM, *options) -> a mount of the server that stands still."""
    return lambda *a, **more: mount(*a, server=kvs, **more)


def hours(kvs, stream, axis="producer_ms"):
    """{"2026-11-22": {"2026-11-22T13.mkv", ...}, ...}."""
    found = {}
    for f in kvs.fragments(stream):
        name = expected.utc(f[axis]).strftime("%Y-%m-%dT%H")
        found.setdefault(name[:10], set()).add(f"{name}.mkv")
    return found


def media_calls(kvs):
    return kvs.stats()["GetMediaForFragmentList"]["requests"]


def facts(path):
    at = os.stat(path)
    return at.st_ino, at.st_size, at.st_mtime_ns


def is_absent(path):
    return watching.error_of(os.stat, path) == errno.ENOENT


# -- names -----------------------------------------------------------------


@pytest.mark.parametrize("stream", ["some", "sparse"])
@pytest.mark.parametrize("options", [
    [], ["--bucket=day"], ["--bucket=minute"], ["--timestamps=server"],
    ["--view=movies"]])
def test_hours_that_hold_something_are_listed(see, kvs, stream, options):
    top = see(stream, *options).path
    assert "movies" in os.listdir(top)
    axis = "server_ms" if "--timestamps=server" in options else "producer_ms"
    want = hours(kvs, stream, axis)
    assert {d: set(os.listdir(top / "movies" / d))
            for d in os.listdir(top / "movies")
            # Days may be shown while nobody knows; their hours never.
            if d in want or os.listdir(top / "movies" / d)} == want
    if stream == "some":
        assert set(os.listdir(top / "movies")) == set(want)
    for day, names in want.items():
        for name in names:
            assert (top / "movies" / day / name).stat().st_size > 4096


@pytest.mark.parametrize("view, tops", [
    ("fragments", ["fragments"]), ("movies", ["movies"]),
    ("both", ["fragments", "movies"])])
def test_views(see, view, tops):
    m = see("some", f"--view={view}")
    assert sorted(os.listdir(m.path)) == tops
    at = movie_files.hour(m.path, HOUR_13)
    assert is_absent(at) == ("movies" not in tops)


def test_every_stream_has_its_movies(see):
    top = see("*").path
    assert set(os.listdir(top)) == {s["name"] for s in STREAMS}
    for s in STREAMS:
        assert sorted(os.listdir(top / s["name"])) == ["fragments", "movies"]
    assert movie_files.hour(top / "some", HOUR_13).stat().st_size > 0


RANGES = [
    ("2026-11-22T13:05:00", "2026-11-22T13:20:00"),
    ("2026-11-22T13:05:00.250", "2026-11-22T13:05:04.001"),
    ("2026-11-22T13:05:00.250", "2026-11-22T13:05:00.251"),
    ("2026-11-22T13:49:58", "2026-11-22T15:00:00.001"),
    ("2026-11-20T16:00:00", "2026-11-22T16:00:00"),
    ("2026-11-16T00:00:00", "2026-11-23T00:00:00"),
]


def test_days_and_ranges_open_by_name(see, kvs):
    top = see("some").path
    stream = movie_files.Stream(kvs, "some", top)
    paths = [movie_files.between(top, *r) for r in RANGES]
    paths.append(movie_files.day(top, "2026-11-22"))
    for path in paths:
        movie = stream.check(path)
        at = path.stat()
        assert at.st_mtime_ns == movie.slots[-1].start_ms * 1000000
        movie_validator.validate(path.read_bytes())
    assert os.listdir(top / "movies") == ["2026-11-22"]
    assert sorted(os.listdir(top / "movies" / "2026-11-22")) == sorted(
        hours(kvs, "some")["2026-11-22"])


def test_a_range_begins_with_what_reaches_into_it(see, kvs):
    top = see("sparse").path
    stream = movie_files.Stream(kvs, "sparse", top)

    def held(start, end):
        path = movie_files.between(top, start, end)
        if is_absent(path):
            return []
        return [s.fragment["number"] for s in stream.check(path).slots]

    assert held("2026-11-06T00:00:00", "2026-11-06T00:00:01") == ["7"]
    assert held("2026-11-06T00:00:01.998", "2026-11-06T00:00:03") == ["7", "8"]
    assert held("2026-11-06T00:00:01.999", "2026-11-06T00:00:03") == ["8"]
    assert held("2026-11-05T23:59:59.999", "2026-11-06T00:00:02.25") == ["7"]
    assert held("2026-11-06T00:00:01.999", "2026-11-06T00:00:02.25") == []
    # An hour and a day hold what starts in them.
    for path in (movie_files.hour(top, "2026-11-06T00"),
                 movie_files.day(top, "2026-11-06")):
        assert [s.fragment["number"] for s in stream.check(path).slots] == [
            "8"]


NOTHING = [
    "2026-11-21.mkv", "1999-01-01.mkv", "2026-11-22/2026-11-22T14.mkv",
    "2026-11-22T14-00-00Z_2026-11-22T14-59-00Z.mkv",
    "2026-11-22T13-50-00Z_2026-11-22T13-50-01Z.mkv",
    "2030-01-01T00-00-00Z_2030-01-02T00-00-00Z.mkv",
]


def test_nothing_in_it(see):
    top = see("some").path / "movies"
    assert [n for n in NOTHING if not is_absent(top / n)] == []


IMPOSSIBLE = [
    "2026-11-22T24.mkv", "2026-11-22T13.mkv", "2026-13-01.mkv", "2026-02-30.mkv",
    "2026-11-22.MKV", "2026-11-22.mp4", "2026-11-22.mkv.part", ".2026-11-22.mkv",
    "2026-1-22.mkv", "2026-11-22 .mkv", "x" * 255,
    "2026-11-22/2026-11-21T13.mkv", "2026-11-22/2026-11-22T24.mkv",
    "2026-11-22/2026-11-22T13-00-00Z.mkv", "2026-11-22/2026-11-22T1.mkv",
    "2026-11-22/2026-11-22.mkv", "2026-11-22/13",
    "2026-11-22/2026-11-22T13-05-00Z_2026-11-22T13-20-00Z.mkv",
    # Empty, backwards, too long.
    "2026-11-22T13-05-00Z_2026-11-22T13-05-00Z.mkv",
    "2026-11-22T13-05-00.000Z_2026-11-22T13-05-00Z.mkv",
    "2026-11-22T13-05-01Z_2026-11-22T13-05-00Z.mkv",
    "2026-11-16T00-00-00Z_2026-11-23T00-00-00.001Z.mkv",
    "2026-11-15T23-59-59Z_2026-11-23T00-00-00Z.mkv",
    # No such times, other ways to write them.
    "2026-11-22T13-05-60Z_2026-11-22T13-20-00Z.mkv",
    "2026-11-22T13-60-00Z_2026-11-22T14-20-00Z.mkv",
    "2026-11-22T13-05-00Z_2026-11-22T24-00-00Z.mkv",
    "2026-02-29T13-05-00Z_2026-02-29T13-20-00Z.mkv",
    "2026-11-22T13-05-00.5Z_2026-11-22T13-20-00Z.mkv",
    "2026-11-22T13-05-00.2500Z_2026-11-22T13-20-00Z.mkv",
    "2026-11-22T13-05-00_2026-11-22T13-20-00.mkv",
    "2026-11-22T13:05:00Z_2026-11-22T13:20:00Z.mkv",
    "2026-11-22t13-05-00z_2026-11-22t13-20-00z.mkv",
    "2026-11-22T13-05-00Z-2026-11-22T13-20-00Z.mkv",
    "2026-11-22T13-05-00Z_2026-11-22T13-20-00Z",
    "+026-11-22T13-05-00Z_2026-11-22T13-20-00Z.mkv",
]


def test_impossible_names_cost_nothing(see, kvs):
    top = see("some").path / "movies"
    os.listdir(top / "2026-11-22")
    kvs.reset()
    assert [n for n in IMPOSSIBLE if not is_absent(top / n)] == []
    assert kvs.count("ListFragments") == media_calls(kvs) == 0


def test_a_movie_is_no_folder(see):
    at = movie_files.hour(see("some").path, HOUR_13)
    for call in (os.listdir, lambda p: os.stat(p / "x")):
        assert watching.error_of(call, at) == errno.ENOTDIR


# -- what looking costs --------------------------------------------------------


@pytest.mark.parametrize("stream", ["some", "clip"])
def test_looking_fetches_no_media(see, kvs, stream):
    m = see(stream)
    kvs.reset()
    # Once for a stream: the fragment by which sizes are calibrated.
    movie_files.hour(m.path, HOUR_13).stat()
    assert kvs.stats(stream)["GetMediaForFragmentList"]["fragments"] <= 1
    kvs.reset()
    subprocess.run(["ls", "-lR", m.path / "movies"], check=True,
                   capture_output=True)
    for path in [movie_files.day(m.path, "2026-11-22"),
                 *(movie_files.between(m.path, *r) for r in RANGES)]:
        if stream == "some":
            path.stat()
            with open(path, "rb"):
                pass
            os.getxattr(path, "user.kvs.skipped")
    assert media_calls(kvs) == 0
    m.restart()
    for _ in range(2):
        movie_files.hour(m.path, HOUR_13).stat()
    assert media_calls(kvs) == 0
    # The header takes one fragment at most, and none where that is known.
    with open(movie_files.hour(m.path, HOUR_13), "rb", buffering=0) as f:
        f.read(4096)
    assert kvs.stats(stream)["GetMediaForFragmentList"]["fragments"] <= 1


def test_a_known_movie_needs_no_network(see, kvs):
    m = see("some", "--metadata-ttl=1h")
    at = movie_files.hour(m.path, HOUR_13)
    facts_before = facts(at)
    m.restart()
    kvs.reset()
    assert facts(at) == facts_before
    assert kvs.stats("some")["ListFragments"]["requests"] <= 1


# -- attributes ----------------------------------------------------------------


def test_attributes(see, kvs):
    m = see("some")
    at = movie_files.hour(m.path, HOUR_13)
    movie = movie_files.Stream(kvs, "some", m.path).check(at)
    stat = at.stat()
    assert stat.st_mtime_ns == movie.slots[-1].start_ms * 1000000
    assert stat.st_blocks == -(-stat.st_size // 512)
    assert (stat.st_mode, stat.st_nlink) == (0o100444, 1)
    inos = [p.stat().st_ino for p in (
        at, movie_files.day(m.path, "2026-11-22"),
        movie_files.hour(m.path, "2026-11-22T15"),
        *(movie_files.between(m.path, *r) for r in RANGES))]
    assert len(set(inos)) == len(inos)
    before = {p: facts(p) for p in (at, movie_files.day(
        m.path, "2026-11-22"), movie_files.between(m.path, *RANGES[0]))}
    m.restart()
    assert {p: facts(p) for p in before} == before
    for call in (lambda: open(at, "r+b"), lambda: os.unlink(at),
                 lambda: os.rename(at, m.path / "movies" / "x.mkv"),
                 lambda: open(m.path / "movies" / "new.mkv", "wb")):
        assert watching.error_of(call) == errno.EROFS


def test_extended_attributes(see, kvs):
    m = see("some")
    arn = kvs.video().describe_stream(StreamName="some")["StreamInfo"][
        "StreamARN"].encode()
    at = movie_files.hour(m.path, HOUR_13)
    n = len(movie_files.Stream(kvs, "some", m.path).movie(at).slots)
    assert sorted(os.listxattr(at)) == ["user.kvs.fragments",
                                        "user.kvs.stream_arn"]
    assert os.getxattr(at, "user.kvs.fragments") == str(n).encode()
    assert os.getxattr(at, "user.kvs.stream_arn") == arn
    assert os.getxattr(at, "user.kvs.skipped") == b"0"
    for folder in (m.path / "movies", at.parent):
        assert os.getxattr(folder, "user.kvs.stream_arn") == arn
    for name, code in (("user.kvs.fragment_number", errno.ENODATA),
                       ("user.kvs.nothing", errno.ENODATA),
                       ("user.other", errno.EOPNOTSUPP)):
        assert watching.error_of(os.getxattr, at, name) == code
