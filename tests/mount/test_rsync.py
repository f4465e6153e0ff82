# SPDX-License-Identifier: MIT
"""Copies of an hour, made twice, by the tools that people copy with."""
import filecmp
import os
import re
import shutil
import subprocess

import pytest

import expected
import kvs_server

NOW = expected.NOW
HOUR = "2026-11-22/13"
SMALL = {"clip": None, "spacing_ms": 2000, "start": "2026-11-22T13:00:00Z",
         "end": 1800, "retention_hours": 72,
         "media": {"kind": "synthetic", "payload_bytes": 300,
                   "payload_jitter_bytes": 3000}}
STREAMS = [
    {**SMALL, "name": "hour"},
    # A file of an hour's worth of calls is larger; fewer do.
    {**SMALL, "name": "few", "end": 40},
    # More than what is read ahead into memory.
    {**SMALL, "name": "large", "end": 200,
     "media": {"kind": "synthetic", "payload_bytes": 500000}},
]
UNHURRIED = ["--media-calls=0", "--media-fragments=0", "--list-points=0",
             "--media-connections=0"]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def mounted(mount, kvs):
    def make(stream, *options):
        return mount(stream, *UNHURRIED, *options, server=kvs)
    return make


def run(*command, **how):
    done = subprocess.run(list(map(str, command)), text=True,
                          capture_output=True, errors="replace", **how)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def rsync(m, to, *options):
    """The hour; what still grows has another time once it is better known."""
    (to / HOUR).mkdir(parents=True, exist_ok=True)
    return run("rsync", *options, f"{m.path}/fragments/{HOUR}/",
               f"{to}/{HOUR}/")


def sent(stats):
    """Bytes of file data, and files, that rsync --stats tells of."""
    def number(name):
        return int(re.search(rf"{name}: ([0-9,]+)", stats)[1].replace(",", ""))

    return (number("Literal data"),
            number("Number of regular files transferred"))


def anew(m, other):
    """Mounted with an empty cache, and calibrated with this fragment."""
    m.stop()
    shutil.rmtree(m.cache)
    m.start()
    (m.path / "fragments" / expected.path(other)).read_bytes()


def test_what_the_cache_has_no_room_for(mount, kvs, tmp_path):
    """It is read ahead all the same, and nothing is fetched for nothing."""
    m = mount("large", "--cache-min-free=99%", "--raw", server=kvs)
    kvs.reset()
    rsync(m, tmp_path, "-a")
    media = kvs.stats("large")["GetMediaForFragmentList"]
    for f in kvs.fragments("large"):
        copied = (tmp_path / expected.path(f)).read_bytes()
        assert copied.startswith(kvs.media("large", f["number"]))
    assert media["fragments"] <= 1.1 * 200
    assert media["requests"] <= 60


def test_an_hour_twice(mounted, kvs, tmp_path):
    m = mounted("hour")
    copy = tmp_path / "copy"
    fragments = kvs.fragments("hour")
    literal, files = sent(rsync(m, copy, "-a", "--stats"))
    assert files == 1800
    assert literal >= sum(f["size_bytes"] for f in fragments)
    media = kvs.stats("hour")["GetMediaForFragmentList"]
    assert media["fragments"] == 1800

    assert sent(rsync(m, copy, "-a", "--stats")) == (0, 0)
    m.restart()
    assert sent(rsync(m, copy, "-a", "--stats")) == (0, 0)
    assert kvs.stats("hour")["GetMediaForFragmentList"] == media

    _, copied = expected.names(copy)
    assert copied == set(expected.tree(fragments))
    anew(m, fragments[1234])
    out = rsync(m, copy, "-ac", "--dry-run", "-i")
    assert out == "", out.splitlines()[:5]


def test_with_attributes_twice(mounted, kvs, tmp_path):
    m = mounted("few")
    copy = tmp_path / "copy"
    first = rsync(m, copy, "-aX", "--stats")
    assert sent(first)[1] == 40
    one = next((copy / HOUR).iterdir())
    if not os.listxattr(one):
        pytest.skip("no extended attributes here")
    assert set(os.listxattr(one)) == set(
        os.listxattr(m.path / "fragments" / HOUR / one.name))
    out = rsync(m, copy, "-aX", "--stats", "-i")
    assert sent(out) == (0, 0)
    assert not re.findall(r"(?m)^[<>ch.*][fdLDS]\S* .*$", out), out
    anew(m, kvs.fragments("few")[7])
    assert rsync(m, copy, "-aXc", "--dry-run", "-i") == ""


@pytest.mark.parametrize("how", [[], ["-S"]], ids=["plain", "sparse"])
def test_tar(mounted, kvs, tmp_path, how):
    m = mounted("few")
    archive = tmp_path / "archive.tar"
    run("tar", *how, "-cf", archive, "-C", m.path / "fragments", HOUR)
    run("tar", "-df", archive, "-C", m.path / "fragments")
    (tmp_path / "out").mkdir()
    run("tar", "-xf", archive, "-C", tmp_path / "out")
    same(m, tmp_path / "out")
    # Another time, in another order of reading, it is the same archive.
    anew(m, kvs.fragments("few")[11])
    run("tar", "-df", archive, "-C", m.path / "fragments")
    run("tar", *how, "--sort=name", "-cf", tmp_path / "1.tar", "-C",
        m.path / "fragments", HOUR)
    m.restart()
    run("tar", *how, "--sort=name", "-cf", tmp_path / "2.tar", "-C",
        m.path / "fragments", HOUR)
    assert filecmp.cmp(tmp_path / "1.tar", tmp_path / "2.tar", shallow=False)


def same(m, copy):
    """Names, contents, sizes and times."""
    original = m.path / "fragments" / HOUR
    names = sorted(os.listdir(original))
    assert sorted(os.listdir(copy / HOUR)) == names and len(names) == 40
    match, mismatch, errors = filecmp.cmpfiles(original, copy / HOUR, names,
                                               shallow=False)
    assert (mismatch, errors) == ([], []) and match == names
    for name in names:
        one, two = os.stat(original / name), os.stat(copy / HOUR / name)
        assert one.st_size == two.st_size
        assert one.st_mtime_ns // 10**9 == two.st_mtime_ns // 10**9


@pytest.mark.parametrize("sparse", ["auto", "always"])
def test_cp(mounted, tmp_path, sparse):
    m = mounted("few")
    run("cp", "-a", f"--sparse={sparse}", m.path / "fragments",
        tmp_path / "copy")
    same(m, tmp_path / "copy")
    assert run("diff", "-r", m.path / "fragments", tmp_path / "copy") == ""
    for name in os.listdir(m.path / "fragments" / HOUR):
        assert os.stat(m.path / "fragments" / HOUR / name).st_mtime_ns == (
            os.stat(tmp_path / "copy" / HOUR / name).st_mtime_ns)


def test_what_listing_an_hour_costs(mounted, kvs):
    """Two pages of 1000 when nothing is known, and then nothing."""
    m = mounted("hour", "--metadata-ttl=1h")
    hour = m.path / "fragments" / HOUR
    kvs.reset()
    assert run("ls", "-l", hour).count(".mkv\n") == 1800
    assert kvs.count("ListFragments", "hour") == 2
    for _ in range(2):
        assert run("ls", "-l", hour).count(".mkv\n") == 1800
    assert kvs.count("ListFragments", "hour") == 2
    # It is settled: not even where the TTL has passed.
    m.restart("--metadata-ttl=1ms", *UNHURRIED)
    kvs.reset()
    for _ in range(3):
        assert run("ls", "-l", hour).count(".mkv\n") == 1800
    assert all(r["body"].count('"SERVER_TIMESTAMP"')
               for r in kvs.requests("ListFragments", "hour"))
    assert kvs.count("GetMediaForFragmentList", "hour") == 0
