# SPDX-License-Identifier: MIT
"""What a movie holds, whatever its fragments are like: every packet of theirs,
where it belongs, in a file that no tool complains of."""
import hashlib
import json
import os
import shutil
import subprocess

import pytest

import captures
import counter_clip
import expected
import kvs_server
import mounting
import movie_files
import movie_reference
import movie_validator

# Across an hour's border.
START = {"start": "2026-11-22T13:59:41Z", "end": 20, "retention_hours": 72}
CLIP = {**START, "clip": "front-door.mkv"}
SOUND = {**START, "clip": "lobby.mkv"}
CALL = {**START, "clip": None}
KINDS = {
    "picture": CLIP,
    "both": SOUND,
    "unknown": {**CLIP, "media": {"cluster_size": "unknown"}},
    "unknown-both": {**SOUND, "media": {
        "cluster_size": "unknown-long", "absolute": True}},
    "short": {**CLIP, "media": {"cluster_size": "short",
                                "short_segment": True}},
    "three": {**CLIP, "media": {"clusters": 3}},
    "three-both": {**SOUND, "media": {
        "clusters": 3, "cluster_size": "unknown", "absolute": True}},
    "a-cluster-each": {**CLIP, "media": {"clusters": 20}},
    "groups": {**CLIP, "media": {"block_groups": True}},
    "groups-both": {**SOUND, "media": {"block_groups": True, "clusters": 2}},
    "absolute": {**CLIP, "media": {"absolute": True}},
    "fine": {**CLIP, "media": {"timescale_ns": 100000}},
    "fine-both": {**SOUND, "media": {"timescale_ns": 200000, "clusters": 2}},
    "coarse": {**CLIP, "media": {"timescale_ns": 5000000}},
    "stale": {**CLIP, "media": {
        "header": "stale", "position": True, "prev_size": True, "crc32": True,
        "nul_padding": True, "void_bytes": 4000,
        "user_tags": {"Door": "front"}, "user_tags_at": "both"}},
    "sessions": {**CLIP, "session_fragments": 3},
    "pauses": {**CLIP, "spacing_ms": 2700},
    "large": {**CLIP, "media": {"unique_bytes": 70000}},
    "no-length": {**SOUND, "media": {"length": "zero"}},
    "full-length": {**CLIP, "media": {"length": "full"}},
    "full-both": {**SOUND, "media": {"length": "full"}},
    "listed-small": {**CLIP, "media": {"size_add": -3000}},
    "call": {**CALL, "media": {"kind": "connect"}},
    "call-swapped": {**CALL, "media": {"kind": "connect",
                                       "swap_tracks": True}},
    # Made here: sound alone, and pictures that depend on later ones.
    "sound": {**START, "clip": "sound"},
    "b-frames": {**START, "clip": "b-frames"},
}
PACKETS = {"output_get_media": 300, "output_get_media_sparse_fragments": 180,
           "kinesis_video_renderer_example_output": 444}
# Sound leads the picture, and the fragment before is as long as can be.
NO_ROOM = ("no-length", "full-both")
ALL = pytest.mark.parametrize("name", [*KINDS, *PACKETS])


def make_clips(folder):
    """{name: path}."""
    sound = folder / "sound.mkv"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", kvs_server.CLIPS / "lobby.mkv", "-map",
         "0:a", "-c", "copy", "-cluster_time_limit", "2000", sound],
        check=True)
    return {"sound": sound, "b-frames": counter_clip.make(
        folder / "b.mkv", 80, 10, 20, "-bf", "2", "-preset", "veryfast")}


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvs")
    clips = make_clips(folder)
    streams = [{**kind, "name": name,
                "clip": kind["clip"] and str(clips.get(kind["clip"],
                                                       kind["clip"]))}
               for name, kind in KINDS.items()]
    for name in captures.present():
        clip = captures.clip_of(name, folder)
        n = clip.read_bytes().count(b"\x1f\x43\xb6\x75")
        streams.append({**START, "name": name, "clip": str(clip), "end": n})
    # Cues for some of its slots only: more than 7200 of them.
    streams.append({
        "name": "day", "start": "2026-11-22T04:00:00Z", "retention_hours": 72,
        "end": 7400, "clip": str(counter_clip.make(
            folder / "day.mkv", 700, 2, 10))})
    with kvs_server.Server(folder, streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as server:
        yield server


@pytest.fixture(scope="module")
def top(kvsfs, kvs, tmp_path_factory):
    home = tmp_path_factory.mktemp("content")
    m = mounting.Mount("*", home / "video", home / "cache", home / "log",
                       mounting.server_environ(kvs, home),
                       ["--metadata-ttl=1h", "--media-fragments=0",
                        "--media-calls=0"])
    m.start()
    yield m.path
    m.stop()


@pytest.fixture
def stream(kvs, top, name):
    if name in PACKETS and name not in captures.present():
        pytest.skip(f"no capture {name}")
    return movie_files.Stream(kvs, name, top / name)


def run(tool, *args):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    return subprocess.run([tool, *map(str, args)], capture_output=True,
                          stdin=subprocess.DEVNULL, check=True, timeout=150)


def paths(top, name):
    """The hours and the day of a stream, and one of its ranges."""
    found = [top / name / "movies" / "2026-11-22" / hour for hour in
             os.listdir(top / name / "movies" / "2026-11-22")]
    return [*found, movie_files.day(top / name, "2026-11-22"),
            movie_files.between(top / name, "2026-11-22T13:59:45.500",
                                "2026-11-22T14:00:12")]


def longest(top, name):
    return movie_files.day(top / name, "2026-11-22")


# -- as the reference says -----------------------------------------------------


@ALL
def test_every_byte(stream, top, name):
    for path in paths(top, name):
        data = path.read_bytes()
        stream.check(path, data)
        movie_validator.validate(data, lengths=name != "no-length")


@ALL
def test_the_clock_says_one_time_at_once(stream, top, name):
    found = movie_validator.validate(longest(top, name).read_bytes(),
                                     lengths=name != "no-length")
    assert found.texts
    over = [(at, lasts, then, text) for (at, lasts, text), (then, _, _) in
            zip(found.texts, found.texts[1:]) if at + lasts > then + 0.001]
    assert over == []


def test_without_a_clock(mount, kvs):
    m = mount("both", "--no-clock", "--raw", server=kvs)
    path = movie_files.hour(m.path, "2026-11-22T13")
    stream = movie_files.Stream(kvs, "both", m.path, clock=False)
    data = path.read_bytes()
    stream.check(path, data)
    assert movie_validator.validate(data).clock is None


# -- packets -------------------------------------------------------------------


def probe(path, *options):
    said = run("ffprobe", "-v", "warning", "-of", "json", *options, path)
    assert said.stderr == b""
    return json.loads(said.stdout)


def frames(media, track):
    """What the blocks of a track hold."""
    for parts in media.parts:
        for block in parts:
            its = movie_reference.block_of(block)
            if its and its[0] == track:
                payload = block.payload
                if block.name == "BlockGroup":
                    payload = next(
                        c.payload for c in movie_reference.ebml.inside(block)
                        if c.name == "Block")
                yield payload[4:]


@ALL
def test_every_packet(stream, top, name):
    movie = stream.movie(longest(top, name))
    medias = [stream.media(s.fragment["number"]) for s in movie.slots]
    said = probe(longest(top, name), "-show_packets", "-show_streams",
                 "-show_data_hash", "md5", "-count_packets", "-show_entries",
                 "packet=stream_index,pts_time,flags,data_hash:stream=index,"
                 "codec_type,nb_read_packets:stream_disposition=")
    total = 0
    for index, track in enumerate(medias[0].decoder):
        want = ["MD5:" + hashlib.md5(frame).hexdigest() for media in medias
                for frame in frames(media, track["TrackNumber"])]
        got = [p for p in said["packets"] if p["stream_index"] == index]
        assert [p["data_hash"] for p in got] == want
        assert int(said["streams"][index]["nb_read_packets"]) == len(want)
        total += len(want)
        if track["TrackType"] == 1:
            # The first keyframe of each fragment is at the fragment's time, or
            # as much later as what leads it takes where that has no room.
            at = [float(p["pts_time"]) for p in got if "K" in p["flags"]]
            wall = [(s.start_ms - movie.base_ms) / 1000 for s in movie.slots]
            room_s = 0.01 if name in NO_ROOM else 0
            far = [(a, w) for a, w in zip(at, wall)
                   if not abs(a - w) - room_s <= medias[0].scale_ns / 2e9 + 1e-6]
            assert len(at) == len(wall) and far in ([], [(at[0], wall[0])])
            assert at[0] < 0.1
    if name in PACKETS:
        assert total == PACKETS[name]


@ALL
def test_mkvtoolnix(stream, top, name, tmp_path):
    path = longest(top, name)
    said = json.loads(run("mkvmerge", "-J", path).stdout)
    assert said["errors"] == said["warnings"] == []
    told = run("mkvinfo", "--all", path).stdout.decode()
    for word in ("(MKVInfo)", "Error", "Warning", "nknown element"):
        assert word not in told
    copy = tmp_path / "copy.mkv"
    # 1 would say that there were warnings.
    run("mkvmerge", "--disable-lacing", "-o", copy, path)
    count = ["-count_packets", "-show_entries",
             "stream=codec_type,nb_read_packets:stream_disposition="]
    mine, its = (probe(p, *count)["streams"] for p in (path, copy))
    for a, b in zip(mine, its):
        # Sound it cuts as it likes.
        assert a["codec_type"] == "audio" or a == b
    assert len(mine) == len(its)


@ALL
def test_ffmpeg_decodes_all_of_it(stream, top, name):
    for path in paths(top, name):
        done = run("ffmpeg", "-v", "error", "-xerror", "-i", path, "-map",
                   "0", "-c:s", "copy", "-f", "null", "-")
        assert done.stderr == b""


# -- copies --------------------------------------------------------------------


def test_copies(kvs, mount, tmp_path):
    m = mount("both", server=kvs)
    stream = movie_files.Stream(kvs, "both", m.path)
    path = movie_files.between(m.path, "2026-11-22T13:59:50",
                               "2026-11-22T14:00:10.5")
    first, second = tmp_path / "first.mkv", tmp_path / "second.mkv"
    subprocess.run(["cp", path, first], check=True)
    m.restart()
    subprocess.run(["cp", path, second], check=True)
    assert first.read_bytes() == second.read_bytes()
    stream.check(path, first.read_bytes())
    again = tmp_path / "again"
    calls = []
    for _ in range(2):
        kvs.reset()
        done = subprocess.run(
            ["rsync", "-a", "--itemize-changes", f"{m.path}/movies/",
             f"{again}/"], capture_output=True, check=True, text=True)
        calls.append((done.stdout.count("\n>f"), done.stdout.count("\n.f"),
                      kvs.stats("both")["GetMediaForFragmentList"][
                          "requests"]))
        m.restart()
    assert calls[0][0] == 2 and calls[1] == (0, 0, 0)
    assert done.stdout == ""
    for hour in ("2026-11-22T13", "2026-11-22T14"):
        at = movie_files.hour(m.path, hour)
        stream.check(at, (again / "2026-11-22" / at.name).read_bytes())


# -- a day ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["day"])
def test_a_day(stream, top, name):
    path = longest(top, name)
    movie = stream.movie(path)
    assert len(movie.slots) > movie_reference.CUES_OF_ALL
    data = path.read_bytes()
    media = {}

    def media_of(fragment):
        # The clip over and over, in sessions: as sent but for its beginning.
        key = fragment["cluster"]
        if key not in media:
            media[key] = stream.media(fragment["number"])
        return media[key]

    n = movie.check_head(data, movie_files.title(
        name, *movie_files.range_of(path)[:2]), media_of(
            movie.slots[0].fragment))
    assert n < 512 << 10
    want, body = movie.body(media_of), movie.silent(data[n:])
    assert body == want, expected.first_difference(body, want)
    movie_validator.validate(data)
    done = run("ffmpeg", "-v", "error", "-xerror", "-i", path, "-map", "0", "-c:s", "copy",
               "-f", "null", "-")
    assert done.stderr == b""
    said = probe(path, "-count_packets", "-show_entries",
                 "stream=nb_read_packets:stream_disposition=")
    assert int(said["streams"][0]["nb_read_packets"]) == 10 * len(movie.slots)
