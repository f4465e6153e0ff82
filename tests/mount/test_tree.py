# SPDX-License-Identifier: MIT
"""Folders and files: what is there, where, under which name."""
import errno
import hashlib
import os
import pathlib
import subprocess
import time

import pytest

import ebml
import expected
import kvs_server
import mounting

NOW = expected.NOW
CLIP = {"clip": "front-door.mkv", "retention_hours": 72}
NONE = {**CLIP, "start": "2026-11-20T00:00:00Z", "end": 0}
LONG = "L" * 250 + "middle"

# On the border of every bucket, and where a double has to be rounded.
BORDERS = ["12:59:59.999", "13:00:00.000", "13:00:00.001", "13:00:59.999",
           "13:01:00.000", "13:59:59.999", "14:00:00.000", "14:00:00.001"]
MILLIS = [f"11:07:{s:02}.{ms:03}" for s, ms in
          zip(range(60), range(1, 1000, 17))]

STREAMS = [
    {**CLIP, "name": "hour", "start": "2026-11-22T13:00:00Z", "end": 1800},
    {**CLIP, "name": "spread", "start": "-50h", "spacing_ms": 1200000},
    {**NONE, "name": "borders", "extra": [
        {"producer": f"2026-11-22T{t}Z"} for t in BORDERS + MILLIS]
        + [{"producer": "2026-11-21T23:59:59.999Z"},
           {"producer": "2026-11-22T00:00:00Z"}]},
    {**NONE, "name": "twins", "extra": 3 * [
        {"producer": "2026-11-22T13:05:02.513Z",
         "server": "2026-11-22T13:05:03Z"}]},
    {**NONE, "name": "two-clocks", "extra": [
        {"producer": "2026-11-22T13:59:59.900Z",
         "server": "2026-11-22T14:00:00.050Z"},
        {"producer": "2026-11-22T10:00:00Z",
         "server": "2026-11-22T12:30:00Z"},
        {"producer": "2026-11-21T10:00:00Z",
         "server": "2026-11-22T12:30:02Z"}]},
    {**CLIP, "name": "sparse", "start": "-60h",
     "active": {"every_ms": 72000000, "on_ms": 20000}},
    {**NONE, "name": "empty"},
    {**NONE, "name": "wrong-clocks",
     "extra": [{"producer": "2026-11-22T15:00:00Z"}]},
    {"name": "no-retention", "clip": "front-door.mkv", "retention_hours": 0},
    {"name": "decade", "clip": "front-door.mkv", "start": "-3640d",
     "spacing_ms": 2000, "retention_hours": 87600},
    {**CLIP, "name": "partly-expired", "start": "-3h", "retention_hours": 1},
    {**NONE, "name": "cam-{n}", "copies": 30,
     "extra": [{"producer": "2026-11-22T13:00:00Z"}]},
    *({**NONE, "name": name,
       "extra": [{"producer": "2026-11-22T13:00:00Z"}]}
      for name in ("..", ".", LONG)),
]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def tree(mount, kvs):
    """tree(STREAM, ...) -> a mount whose knowledge does not grow old."""
    def make(stream, *options, ttl="1h", **more):
        return mount(stream, f"--metadata-ttl={ttl}", *options, server=kvs,
                     **more)
    return make


def asked(kvs):
    """Requests so far, whatever they were for."""
    return sum(api["requests"] for api in kvs.stats().values())


def found(kvs, stream, **how):
    return kvs.fragments(stream, "1970-01-01", "2100-01-01", **how)


@pytest.mark.parametrize("bucket", ["day", "hour", "minute"])
@pytest.mark.parametrize("stream", ["spread", "borders", "twins"])
def test_every_fragment_is_in_its_bucket(tree, kvs, stream, bucket):
    m = tree(stream, f"--bucket={bucket}")
    wanted = expected.tree(found(kvs, stream), bucket)
    folders, files = expected.names(m.path / "fragments")
    assert files == set(wanted)
    # What is sparse is settled at once: nothing empty is shown.
    assert folders == expected.folders(wanted)


def test_a_whole_hour(tree, kvs):
    m = tree("hour")
    wanted = expected.tree(found(kvs, "hour"))
    assert len(wanted) == 1800
    folders, files = expected.names(m.path / "fragments")
    assert files == set(wanted)
    assert "2026-11-22/13" in folders
    listed = sorted(p.rsplit("/")[-1] for p in files)
    assert all(expected.FILE.fullmatch(name) for name in listed)
    by_time = sorted(wanted.values(), key=lambda f: f["producer_ms"])
    assert listed == [expected.file_name(f) for f in by_time]


def test_the_default_is_hours(tree, kvs):
    m = tree("twins")
    assert os.listdir(m.path / "fragments" / "2026-11-22") == ["13"]
    names = os.listdir(m.path / "fragments" / "2026-11-22" / "13")
    numbers = [f["number"] for f in found(kvs, "twins")]
    assert sorted(names) == sorted(
        f"2026-11-22T13-05-02.513Z_{n}.mkv" for n in numbers)
    assert len(set(numbers)) == 3


def test_borders_are_half_open(tree):
    m = tree("borders", "--bucket=minute")
    top = m.path / "fragments"

    def times(folder):
        return sorted(n.split("_")[0][11:-1] for n in os.listdir(top / folder))

    assert times("2026-11-22/12/59") == ["12-59-59.999"]
    assert times("2026-11-22/13/00") == ["13-00-00.000", "13-00-00.001",
                                         "13-00-59.999"]
    assert times("2026-11-22/13/01") == ["13-01-00.000"]
    assert times("2026-11-22/13/59") == ["13-59-59.999"]
    assert times("2026-11-22/14/00") == ["14-00-00.000", "14-00-00.001"]
    assert times("2026-11-21/23/59") == ["23-59-59.999"]
    assert times("2026-11-22/00/00") == ["00-00-00.000"]


def test_dot_and_dot_dot_are_listed_once(tree):
    m = tree("twins")
    for folder in (m.path, m.path / "fragments" / "2026-11-22" / "13"):
        out = subprocess.run(["ls", "-aU", folder], check=True, text=True,
                             capture_output=True).stdout.split()
        assert out.count(".") == out.count("..") == 1
        assert len(out) == len(set(out))


def test_server_timestamps(tree, kvs):
    m = tree("two-clocks", "--timestamps=server")
    _, files = expected.names(m.path / "fragments")
    assert files == set(expected.tree(found(kvs, "two-clocks"),
                                      axis="server_ms"))
    assert {p[:13] for p in files} == {"2026-11-22/12", "2026-11-22/14"}
    m.restart("--metadata-ttl=1h")
    _, files = expected.names(m.path / "fragments")
    assert files == set(expected.tree(found(kvs, "two-clocks")))


def test_view(tree):
    m = tree("twins", "--view=fragments")
    assert os.listdir(m.path) == ["fragments"]
    assert "fragments" in os.listdir(tree("twins", name="both").path)


# -- which streams ----------------------------------------------------


def test_prefix(tree):
    m = tree("cam-001*")
    assert sorted(os.listdir(m.path)) == [f"cam-{n:04}" for n in range(10, 20)]
    for name in os.listdir(m.path):
        assert os.listdir(m.path / name / "fragments") == ["2026-11-22"]
        _, files = expected.names(m.path / name / "fragments")
        assert len(files) == 1


def test_every_stream(tree, kvs):
    m = tree("*")
    names = set(os.listdir(m.path))
    long_name = LONG[:200] + "%" + hashlib.sha256(
        LONG.encode()).hexdigest()[:16]
    plain = {s["name"] for s in STREAMS} - {"..", ".", LONG, "cam-{n}"}
    assert names == plain | {f"cam-{n:04}" for n in range(30)} | {
        "%2E%2E", "%2E", long_name}
    for name, stream in [("%2E%2E", ".."), ("%2E", "."), (long_name, LONG)]:
        _, files = expected.names(m.path / name / "fragments")
        assert files == set(expected.tree(found(kvs, stream)))
    assert os.listdir(m.path / "no-retention") in (
        [], ["fragments", "movies"])
    assert expected.names(m.path / "no-retention")[1] == set()
    assert "no-retention" in m.text()


@pytest.mark.parametrize("stream", ["..", LONG])
def test_a_stream_of_odd_name_alone(tree, kvs, stream):
    m = tree(stream)
    _, files = expected.names(m.path / "fragments")
    assert files == set(expected.tree(found(kvs, stream)))


def test_arn(tree, kvs):
    arn = kvs.video().describe_stream(
        StreamName="twins")["StreamInfo"]["StreamARN"]
    # Its region wins: the server refuses a signature for another one.
    m = tree(arn, env={"AWS_REGION": "eu-north-1"})
    _, files = expected.names(m.path / "fragments")
    assert files == set(expected.tree(found(kvs, "twins")))


def test_no_retention_alone(tree):
    with pytest.raises(mounting.MountFailed) as e:
        tree("no-retention", "--log-level=info")
    assert e.value.returncode == 1
    assert "no-retention" in e.value.stderr
    assert len(e.value.stderr.strip().splitlines()) == 1


def test_an_empty_stream(tree):
    m = tree("empty")
    assert os.listdir(m.path / "fragments") == []
    assert subprocess.run(["ls", "-lR", m.path / "fragments"]).returncode == 0


def test_what_is_partly_expired(tree, kvs):
    m = tree("partly-expired")
    alive = found(kvs, "partly-expired")
    assert 1700 < len(alive) <= 1800
    folders, files = expected.names(m.path / "fragments")
    # Its clock goes on where the server's stands still.
    expiring = expected.epoch_ms("2026-11-22T15:02:00Z")
    assert files <= set(expected.tree(alive))
    assert files >= set(expected.tree(
        f for f in alive if f["server_ms"] > expiring))
    assert expected.folders(files) <= folders


# -- cost -------------------------------------------------------------


def test_sparse(tree, kvs):
    """One wide listing says which folders hold something."""
    m = tree("sparse")
    wanted = expected.tree(found(kvs, "sparse"))
    kvs.reset()
    assert set(os.listdir(m.path / "fragments")) == {p[:10] for p in wanted}
    assert kvs.count("ListFragments") <= 2
    folders, files = expected.names(m.path / "fragments")
    assert (folders, files) == (expected.folders(wanted), set(wanted))


def test_dense(tree, kvs):
    """Of ten years at 2 s everything shows, after a few calls."""
    m = tree("decade")
    kvs.reset()
    began = time.monotonic()
    days = os.listdir(m.path / "fragments")
    assert len(days) in (3640, 3641) and max(days) == "2026-11-22"
    subprocess.run(["ls", "-l", m.path / "fragments"], check=True,
                   stdout=subprocess.DEVNULL)
    hours = os.listdir(m.path / "fragments" / "2020-02-29")
    assert sorted(hours) == [f"{h:02}" for h in range(24)]
    # A wide one, and a budget of probes.
    assert asked(kvs) <= 70
    assert kvs.stats()["ListFragments"]["fragments"] <= 4000
    assert time.monotonic() - began < 20


def test_a_known_path_needs_no_listing_of_folders(tree, kvs):
    m = tree("hour")
    wanted = found(kvs, "hour")[900]
    kvs.reset()
    content = (m.path / "fragments" / expected.path(wanted)).read_bytes()
    assert ebml.parse(content).number == wanted["number"]
    assert kvs.count("ListFragments") <= 3
    # The fragment itself calibrates.
    assert kvs.count("GetMediaForFragmentList") == 1


IMPOSSIBLE = [
    "fragments/x", "fragments/.git", "fragments/2026-02-29",
    "fragments/2026-11-31", "fragments/2026-13-01", "fragments/2026-1-1",
    "fragments/0000-01-01", "fragments/2026-11-22 ", "fragments/20261122",
    "fragments/+026-11-22", "fragments/desktop.ini",
    "fragments/2026-11-22/24", "fragments/2026-11-22/-1",
    "fragments/2026-11-22/7", "fragments/2026-11-22/007",
    "fragments/2026-11-22/.hidden",
    *("fragments/2026-11-22/13/" + name for name in (
        "00", ".x", "x.mkv", "2026-11-22T13-05-02.513Z.mkv",
        "2026-11-22T13-05-02.513Z_.mkv", "2026-11-22T13-05-02.513Z_12a.mkv",
        "2026-11-22T13-05-02.513Z_-12.mkv", "2026-11-22T13-05-02.513Z_12.MKV",
        "2026-11-22T13-05-02.513Z_12.mkv.part", "2026-11-22T13-05-02Z_12.mkv",
        "2026-11-22T13:05:02.513Z_12.mkv", "2026-11-22T13-60-02.513Z_12.mkv",
        "2026-11-22T13-05-02.513Z_" + "1" * 129 + ".mkv",
        # a time of another hour, of another day
        "2026-11-22T14-00-00.000Z_12.mkv", "2026-11-21T13-05-02.513Z_12.mkv",
    )),
]


def test_impossible_names(tree, kvs):
    m = tree("twins")
    os.stat(m.path / "fragments" / "2026-11-22" / "13")
    before = asked(kvs)
    for name in IMPOSSIBLE:
        with pytest.raises(FileNotFoundError):
            os.stat(m.path / name)
    assert asked(kvs) == before
    with pytest.raises(OSError) as e:
        os.stat(m.path / "fragments" / ("9" * 256))
    assert e.value.errno in (errno.ENAMETOOLONG, errno.ENOENT)


def test_names_that_could_be(tree, kvs):
    """The number is there at another instant; a number that is nowhere."""
    m = tree("twins")
    number = found(kvs, "twins")[0]["number"]
    hour = m.path / "fragments" / "2026-11-22" / "13"
    for name in (f"2026-11-22T13-05-02.514Z_{number}.mkv",
                 f"2026-11-22T13-05-02.513Z_0{number}.mkv",
                 "2026-11-22T13-05-02.513Z_12.mkv"):
        with pytest.raises(FileNotFoundError):
            os.stat(hour / name)
    os.stat(hour / f"2026-11-22T13-05-02.513Z_{number}.mkv")
    before = asked(kvs)
    with pytest.raises(FileNotFoundError):
        os.stat(hour / "2026-11-22T13-05-02.513Z_13.mkv")
    assert asked(kvs) == before


# -- over time --------------------------------------------------------


def test_inodes_and_times_survive_a_new_cache(tree, tmp_path):
    m = tree("spread")
    first = expected.walk(m.path)
    m.stop()
    m.cache = tmp_path / "other-cache"
    m.start()
    again = expected.walk(m.path)
    assert first.keys() == again.keys()
    for path, st in first.items():
        for field in ("st_ino", "st_mtime_ns", "st_size", "st_mode",
                      "st_nlink", "st_blocks", "st_uid", "st_gid"):
            assert getattr(st, field) == getattr(again[path], field), (
                path, field)
    inodes = [st.st_ino for st in first.values()]
    assert len(set(inodes)) == len(inodes)


def test_inodes_of_folders_differ_between_streams(tree):
    m = tree("cam-000*")
    inodes = [st.st_ino for st in expected.walk(m.path).values()]
    assert len(set(inodes)) == len(inodes)


def test_find_by_name(tree, kvs):
    m = tree("hour")
    out = subprocess.run(
        ["find", m.path / "fragments", "-name", "2026-11-22T13-05-*"],
        check=True, text=True, capture_output=True).stdout.split()
    wanted = [f for f in found(kvs, "hour")
              if expected.utc(f["producer_ms"]).minute == 5]
    assert len(wanted) == 30
    assert {pathlib.Path(p).name for p in out} == {
        expected.file_name(f) for f in wanted}


@pytest.mark.parametrize("producer, folder", [
    ("2031-01-01T05:00:00.250Z", "2031-01-01/05"),    # of the future
    ("1999-12-31T23:59:59.999Z", "1999-12-31/23"),    # far past
    ("2026-11-22T13:00:00Z", "2026-11-22/13"),        # late, in an old bucket
])
def test_what_arrives_appears_in_its_bucket(tree, kvs, producer, folder):
    m = tree("wrong-clocks", ttl="200ms")
    top = m.path / "fragments"
    before = expected.names(top)[1]
    made, = kvs.add("wrong-clocks", {"producer": producer})
    name = expected.file_name(made)
    day, hour = folder.split("/")
    assert expected.until(lambda: day in os.listdir(top))
    assert expected.until(lambda: hour in os.listdir(top / day))
    assert expected.until(lambda: name in os.listdir(top / folder))
    assert expected.names(top)[1] >= before | {f"{folder}/{name}"}
    assert expected.names(top)[1] <= set(
        expected.tree(found(kvs, "wrong-clocks")))
    content = (top / folder / name).read_bytes()
    assert ebml.parse(content).number == made["number"]
    m.restart()
    assert f"{folder}/{name}" in expected.names(top)[1]


def test_a_late_upload_is_seen_where_a_listing_is_remembered(tree, kvs):
    m = tree("spread", ttl="200ms")
    hour = m.path / "fragments" / "2026-11-21" / "09"
    before = os.listdir(hour)
    assert len(before) == 3 == len(os.listdir(hour))
    name = "2026-11-21T09-30-00.007Z_777.mkv"
    with pytest.raises(FileNotFoundError):
        os.stat(hour / name)
    made, = kvs.add("spread", {"producer": "2026-11-21T09:30:00.007Z",
                               "number": "777"})
    assert name == expected.file_name(made)
    expected.until(lambda: name in os.listdir(hour))
    assert sorted(os.listdir(hour)) == sorted(before + [name])
    # The kernel forgets that the name was absent a moment later.
    assert expected.until((hour / name).exists)
    assert (hour / name).stat().st_mtime_ns == made["producer_ms"] * 1000000
