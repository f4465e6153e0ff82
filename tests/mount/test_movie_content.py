# SPDX-License-Identifier: MIT
"""A movie is one well-formed file that holds its fragments' media, whatever
kind of media that is, and tools find all of it."""
import json
import os
import random
import re
import shutil
import subprocess

import pytest

import ebml
import expected
import kvs_server
import movie_reference
import mounting
from test_players import CAPTURES, clip_of, video_of

HOUR = {"clip": "front-door.mkv", "start": "2026-11-22T13:59:50.250Z",
        "end": 10, "retention_hours": 72}
SOUND = {**HOUR, "clip": "lobby.mkv"}
SHAPES = {
    "picture": HOUR,
    "sound": SOUND,
    "unknown": {**SOUND, "media": {"cluster_size": "unknown"}},
    "short": {**HOUR, "media": {"cluster_size": "short", "crc32": True,
                                "position": True, "prev_size": True}},
    "absolute": {**HOUR, "media": {"absolute": True,
                                   "cluster_size": "unknown-long"}},
    "clusters": {**SOUND, "media": {"clusters": 3}},
    "groups": {**SOUND, "media": {"block_groups": True}},
    "fine": {**HOUR, "media": {"timescale_ns": 100000}},
    "stale": {**SOUND, "media": {"header": "stale", "void_bytes": 4000}},
    "call": {**HOUR, "clip": None, "media": {"kind": "connect"}},
    "no-length": {**HOUR, "media": {"length": "zero"}},
}
DAY = "movies/2026-11-22.mkv"
RANGE = "movies/2026-11-22T13-59-53Z_2026-11-22T14-00-01.500Z.mkv"
NAMES = [DAY, RANGE, "movies/2026-11-22/2026-11-22T13.mkv",
         "movies/2026-11-22/2026-11-22T14.mkv"]
PLAYED = [name for name in SHAPES if name != "no-length"]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvs")
    streams = [{"name": name, **shape} for name, shape in SHAPES.items()]
    for name in CAPTURES:
        if video_of(name).exists():
            documents = ebml.documents(video_of(name).read_bytes())
            streams.append({**HOUR, "name": name,
                            "end": sum(len(d.clusters) for d in documents),
                            "clip": str(clip_of(video_of(name), folder))})
    with kvs_server.Server(folder, streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def all_of(mount, kvs):
    return mount("*", server=kvs)


def run(*command):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).decode(errors="replace")


def packets(path):
    """{track: how many}, in the order of tracks."""
    said = json.loads(run("ffprobe", "-v", "error", "-count_packets", "-of",
                          "json", "-show_entries",
                          "stream=codec_type,nb_read_packets", path))
    return [int(s["nb_read_packets"]) for s in said["streams"]
            if s["codec_type"] != "subtitle"]


# The payloads of a file's packets, without what says when they are.
def hashes(path):
    return [line for line in run(
        "ffmpeg", "-v", "error", "-i", path, "-map", "0:v?", "-map", "0:a?",
        "-c", "copy", "-f", "framehash", "-").splitlines()
        if not line.startswith("#")]


def payloads(path):
    return sorted((line.split(",")[0], line.split(",")[-1].strip())
                  for line in hashes(path))


def bounds(name):
    """[from, to) and whether what reaches into it belongs to it."""
    stem = os.path.basename(name)[:-4]
    if "_" in stem:
        a, b = (s[:13] + ":" + s[14:16] + ":" + s[17:]
                for s in stem.split("_"))
        return expected.epoch_ms(a), expected.epoch_ms(b), True
    if "T" in stem:
        start = expected.epoch_ms(stem + ":00:00Z")
        return start, start + 3600000, False
    start = expected.epoch_ms(stem + "T00:00:00Z")
    return start, start + 86400000, False


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", [(), ("--no-clock",)], ids=["clock", "none"])
def test_every_byte(mount, kvs, shape, options):
    m = mount(shape, *options, server=kvs)
    parts = movie_reference.parts(m.path / "fragments")
    assert len(parts) == 10
    for name in NAMES:
        start, end, reach = bounds(name)
        chosen = movie_reference.choose(parts, start, end, reach)
        movie = movie_reference.Movie((m.path / name).read_bytes())
        movie.check(chosen, clock=not options)
        texts = movie.doc.text("Tracks/TrackEntry/Name")
        codecs = [e.value for e in movie.doc.find("Tracks/TrackEntry/CodecID")]
        assert ("S_TEXT/UTF8" in codecs) == (not options), texts


@pytest.mark.parametrize("shape", PLAYED)
def test_tools_accept_it(all_of, shape):
    top = all_of.path / shape
    each = [packets(p.path) for p in movie_reference.parts(top / "fragments")]
    total = [sum(column) for column in zip(*each)]
    movie = top / DAY
    assert packets(movie) == total
    assert "warning" not in run("mkvinfo", "-a", movie).lower()
    said = json.loads(run("mkvmerge", "-J", movie))
    assert said["warnings"] == [] and said["errors"] == []
    copy = all_of.cache.parent / f"{shape}.mkv"
    assert "Warning" not in run("mkvmerge", "-o", copy, movie)
    assert packets(copy) == total
    if shape != "call":  # ffmpeg has no name for its codec
        assert run("ffmpeg", "-v", "error", "-i", movie, "-f", "null", "-") == ""


def test_clock_says_when_it_is(all_of):
    movie = all_of.path / "picture" / DAY
    said = json.loads(run("ffprobe", "-v", "error", "-of", "json",
                          "-show_packets", "-show_data", "-select_streams",
                          "s", movie))["packets"]
    texts = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", run(
        "ffmpeg", "-v", "error", "-i", movie, "-map", "0:s", "-f", "srt", "-"))
    assert len(texts) == len(said) >= 20
    base = expected.epoch_ms("2026-11-22T13:59:50.250Z")
    for text, packet in zip(texts, said):
        at = base + round(float(packet["pts_time"]) * 1000)
        assert text == expected.utc(at).strftime("%Y-%m-%d %H:%M:%SZ")
    streams = json.loads(run("ffprobe", "-v", "error", "-of", "json",
                             "-show_streams", movie))["streams"]
    clock = [s for s in streams if s["codec_type"] == "subtitle"]
    assert [s["tags"]["title"] for s in clock] == ["UTC"]
    assert clock[0]["disposition"]["default"] == 0


def test_header_says_what_and_when(all_of):
    movie = movie_reference.Movie((all_of.path / "picture" / RANGE).read_bytes())
    assert movie.doc.text("Info/Title") == (
        "picture 2026-11-22 13:59:53 \u2013 14:00:01.500 UTC")
    assert [name for _, name in movie.chapters()] == [
        "2026-11-22 13:59 UTC", "2026-11-22 14:00 UTC"]
    assert movie.chapters()[0][0] == 0


def test_copies_are_the_same(all_of, tmp_path):
    """cp of a range holds its fragments, packet for packet; a second cp and
    one from an empty cache are the same bytes; rsync has nothing to send."""
    movies = [all_of.path / shape / RANGE for shape in ("sound", "groups")]
    for i, movie in enumerate(movies):
        shutil.copyfile(movie, tmp_path / f"a{i}.mkv")
        shutil.copyfile(movie, tmp_path / f"b{i}.mkv")
    all_of.restart()
    all_of.stop()
    run(mounting.KVSFS, "cache", "clear", f"--cache-dir={all_of.cache}")
    all_of.start()
    for i, movie in enumerate(movies):
        first = (tmp_path / f"a{i}.mkv").read_bytes()
        assert first == (tmp_path / f"b{i}.mkv").read_bytes()
        assert first == movie.read_bytes()
        start, end, reach = bounds(RANGE)
        parts = movie_reference.choose(movie_reference.parts(
            movie.parents[1] / "fragments"), start, end, reach)
        assert payloads(tmp_path / f"a{i}.mkv") == sorted(
            x for p in parts for x in payloads(p.path))
    top = str(all_of.path / "sound" / "movies") + "/"
    run("rsync", "-a", top, tmp_path / "copy")
    assert ".mkv" not in run("rsync", "-ai", top, tmp_path / "copy")


@pytest.mark.parametrize("shape", ["sound", "clusters", "unknown"])
def test_any_part_in_any_order(all_of, shape):
    """From an empty cache, in pieces of any length, from anywhere."""
    path = all_of.path / shape / DAY
    size, rng = os.stat(path).st_size, random.Random(7)
    had = {}
    with open(path, "rb", buffering=0) as f:
        for _ in range(300):
            at = rng.randrange(size + 1)
            n = rng.choice([1, 7, 4096, 70000, 1 << 20])
            had[at, n] = os.pread(f.fileno(), n, at)
        whole = path.read_bytes()
    for (at, n), bytes_ in had.items():
        assert bytes_ == whole[at:at + n]
    all_of.restart()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("capture,count", zip(CAPTURES, (300, 180, 444)))
def test_captures(all_of, capture, count):
    if not video_of(capture).exists():
        pytest.skip("the captures are not here")
    movie = all_of.path / capture / DAY
    assert sum(packets(movie)) == count
    parts = movie_reference.parts(all_of.path / capture / "fragments")
    movie_reference.Movie(movie.read_bytes()).check(parts, clock=True)
