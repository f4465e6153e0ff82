# SPDX-License-Identifier: MIT
"""Players find a movie's length, land on the very picture that was taken at a
time, and fetch no more of a day than the place that they were sent to."""
import os
import re
import shutil
import subprocess

import pytest

import counter_clip
import expected
import kvs_server
import mounting
from test_players import watch

FPS, OF_CLUSTER, FRAMES = 2, 10, 4000
START = "2026-11-22T00:00:00.250Z"
BASE_MS = expected.epoch_ms(START)
DAY = {"start": START, "end": "2026-11-23T00:00:00Z", "retention_hours": 72}
NOW = "2026-11-23T12:00:00.000Z"
MEDIA = "GetMediaForFragmentList"


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvs")
    clip = counter_clip.make(folder / "counter.mkv", FRAMES, FPS, OF_CLUSTER)
    # Half a megabyte in two seconds, as cameras send.
    heavy = {**DAY, "name": "heavy", "clip": "front-door.mkv",
             "spacing_ms": 2000, "media": {"unique_bytes": 480000}}
    counter = {**DAY, "name": "counter", "clip": str(clip)}
    with kvs_server.Server(folder, streams=[counter, heavy], now=NOW,
                           args=["--clock", NOW, "--freeze", "--max-skew",
                                 "0"]) as server:
        yield server


@pytest.fixture(scope="module")
def top(kvsfs, kvs, tmp_path_factory):
    home = tmp_path_factory.mktemp("players")
    home.chmod(0o755)
    m = mounting.Mount("*", home / "video", home / "cache", home / "log",
                       mounting.server_environ(kvs, home),
                       ["--io=plain", "--allow-other", "--metadata-ttl=1h",
                        "--media-calls=0", "--list-points=0"])
    m.start()
    yield m.path
    m.stop()


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


def movies(top, stream="counter"):
    return top / stream / "movies"


# -- the very picture ----------------------------------------------------------


def run(*command):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_ffmpeg(path, seconds, _):
    return run("ffmpeg", "-v", "error", "-ss", f"{seconds:.3f}", "-i", path,
               "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-")


def by_mpv(path, seconds, folder):
    out = folder / "frame.raw"
    run("mpv", "--no-config", "--really-quiet", "--cache=no", "--hr-seek=yes",
        f"--start={seconds:.3f}", "--frames=1", "--no-audio", "--sid=no",
        "--vf=format=gray", "--of=rawvideo", "--ovc=rawvideo", f"--o={out}",
        path)
    return out.read_bytes()[:counter_clip.WIDTH * counter_clip.HEIGHT]


# Into a fragment, at its first picture, before and after an hour's end.
WHEN = ["13:05:02.250", "13:05:05.250", "13:59:59.750", "14:00:00.250",
        "14:00:04.750", "00:00:00.250", "17:42:03.750"]
NAMED = {"day": "2026-11-22.mkv",
         "range": "2026-11-22T00-00-00Z_2026-11-22T18-00-00Z.mkv",
         "hours": "2026-11-22T13-30-00.500Z_2026-11-22T14-30-00Z.mkv"}


def hour_of(clock):
    return f"2026-11-22/2026-11-22T{clock[:2]}.mkv"


@pytest.mark.parametrize("player", [by_ffmpeg, by_mpv])
@pytest.mark.parametrize("name", ["hour", *NAMED])
def test_the_picture_of_a_time(top, tmp_path, player, name):
    need(player.__name__.removeprefix("by_"))
    for clock in WHEN:
        t = expected.epoch_ms(f"2026-11-22T{clock}Z")
        path = movies(top) / (NAMED.get(name) or hour_of(clock))
        first = BASE_MS
        if name in ("hour", "hours"):
            # Its clock begins with its first fragment, five seconds apart.
            start = expected.epoch_ms(f"2026-11-22T{clock[:2]}:00:00Z") if \
                name == "hour" else expected.epoch_ms(
                    "2026-11-22T13:30:00.500Z") - 5000
            first += -(-(start - BASE_MS) // 5000) * 5000
        if not 0 <= t - first < (3600000 if name in ("hour", "hours")
                                 else 18 * 3600000):
            continue
        picture = player(path, (t - first) / 1000, tmp_path)
        want = (t - BASE_MS) * FPS // 1000 % FRAMES
        assert counter_clip.number(picture) == want, (clock, path.name)


# -- length and seeking --------------------------------------------------------

LENGTHS = {"2026-11-22/2026-11-22T13.mkv": 3600, "2026-11-22.mkv": 86400,
           "2026-11-22T13-05-00Z_2026-11-22T13-20-00Z.mkv": 905}


@pytest.mark.parametrize("name", LENGTHS)
def test_gstreamer(top, name):
    need("gst-discoverer-1.0")
    said = run("gst-discoverer-1.0", movies(top) / name).decode()
    h, m, s = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said).groups()
    assert abs(int(h) * 3600 + int(m) * 60 + float(s) - LENGTHS[name]) <= 5
    assert "Seekable: yes" in said


@pytest.fixture
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("vlc")
    for at in (path, *path.parents):
        if at.stat().st_uid == os.getuid() and str(at) != "/":
            at.chmod(at.stat().st_mode | 0o005)
    path.chmod(0o777)
    return path


@pytest.mark.parametrize("name", LENGTHS)
def test_vlc(top, home, name):
    end = LENGTHS[name]
    said = watch(movies(top) / name, home, f"--start-time={end - 8}")
    assert re.search(r"mkv demux", said)
    length = re.search(r"Duration=(\d+)", said)
    assert length and abs(int(length[1]) / 1000 - end) <= 5, said[:2000]
    assert "EOF reached" in said
    assert [line for line in said.splitlines() if re.search(
        r"(demux|stream|access)[^:]* error: ", line)] == []


# -- what a look costs ---------------------------------------------------------

AT = (17 * 60 + 42) * 60 + 7
NULL = ["--no-config", "--really-quiet", "--vo=null", "--ao=null"]


def fetched(kvs):
    return kvs.stats("heavy").get(MEDIA, {}).get("fragments", 0)


def cost(kvs, command):
    before = fetched(kvs)
    run(*command)
    return fetched(kvs) - before


# Each at a time of its own: what another fetched would be for nothing.
@pytest.mark.parametrize("tool,most", [("mpv", 4), ("ffmpeg", 6), ("vlc", 6)])
def test_a_look_into_a_day(kvs, top, home, tool, most):
    need({"vlc": "cvlc"}.get(tool, tool))
    path = movies(top, "heavy") / "2026-11-22.mkv"
    os.stat(path)
    at = AT + {"mpv": 0, "ffmpeg": 600, "vlc": 1200}[tool]
    if tool == "mpv":
        n = cost(kvs, ["mpv", *NULL, "--cache=no", f"--start={at}",
                       "--frames=1", path])
    elif tool == "ffmpeg":
        n = cost(kvs, ["ffmpeg", "-v", "error", "-ss", at, "-i", path,
                       "-frames:v", "1", "-f", "null", "-"])
    else:
        before = fetched(kvs)
        watch(path, home, f"--start-time={at}", f"--stop-time={at + 1}")
        n = fetched(kvs) - before
    assert 1 <= n <= most


def test_a_look_stays_below_the_ceiling(kvs, kvsfs, tmp_path):
    """mpv's own cache reads on, and the archive ahead of it."""
    need("mpv")
    ceiling = 20_000_000
    m = mounting.Mount("heavy", tmp_path / "video", tmp_path / "cache",
                       tmp_path / "log", mounting.server_environ(kvs, tmp_path),
                       ["--io=plain", f"--readahead={ceiling}"])
    m.start()
    path = m.path / "movies" / "2026-11-22.mkv"
    os.stat(path)
    n = cost(kvs, ["mpv", *NULL, "--demuxer-max-bytes=10MiB",
                   f"--start={AT + 4000}", "--frames=1", path])
    m.stop()
    assert n * 500_000 <= ceiling + (10 << 20) + 4 * 500_000
