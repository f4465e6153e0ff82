# SPDX-License-Identifier: MIT
"""Players open a fragment and find it whole: it starts at 0, lasts as long as
its media, holds every packet, and seeks."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import captures
import ebml
import expected
import kvs_server
import mounting

STREAM = {"clip": "front-door.mkv", "start": "2026-11-22T15:00:00Z", "end": 5,
          "retention_hours": 72}
SOUND = {**STREAM, "clip": "lobby.mkv", "end": 3}
CALL = {**STREAM, "clip": None}
SHAPES = {
    "picture": STREAM,
    "sound": SOUND,
    "unknown-size": {**STREAM, "media": {"cluster_size": "unknown"}},
    "unknown-long": {**SOUND, "media": {"cluster_size": "unknown-long"}},
    "absolute": {**STREAM, "media": {"absolute": True}},
    "absolute-unknown": {**SOUND, "media": {
        "absolute": True, "cluster_size": "unknown"}},
    "stale": {**STREAM, "media": {"header": "stale"}},
    "stale-sound": {**SOUND, "media": {
        "header": "stale", "position": True, "prev_size": True, "crc32": True,
        "nul_padding": True, "void_bytes": 4000}},
    "fine-clock": {**STREAM, "media": {"timescale_ns": 100000}},
    "user-tags": {**STREAM, "media": {
        "user_tags": {"Door": "front"}, "user_tags_at": "both"}},
    "call": {**CALL, "media": {"kind": "connect"}},
    "call-swapped": {**CALL, "media": {"kind": "connect",
                                       "swap_tracks": True}},
}
VIDEO = [name for name in SHAPES if not name.startswith("call")]


# -- what is mounted -----------------------------------------------------------


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvs")
    streams = [{"name": name, **shape} for name, shape in SHAPES.items()]
    for name in captures.present():
        streams.append({**STREAM, "name": name, "end": 3,
                        "clip": str(captures.clip_of(name, folder))})
    with kvs_server.Server(folder, streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as server:
        yield server


class Fragment:
    """The last fragment of a stream: path of it, sent: as a Document."""

    def __init__(self, kvs, mount, stream):
        if stream in captures.NAMES and stream not in captures.present():
            pytest.skip(f"no capture {stream}")
        found = kvs.fragments(stream, "2026-11-22", expected.NOW)
        last = found[-1]
        self.path = mount.path / stream / "fragments" / expected.path(last)
        self.body = kvs.media(stream, last["number"])
        self.sent = ebml.parse(self.body)
        self._measure()

    def _measure(self):
        """numbers and packets of its tracks in the order of their entries,
        frame_s of the longest frame, true duration_s."""
        frames, starts, ends = {}, [], []
        count = collections.Counter()
        for entry in self.sent.find("Tracks/TrackEntry"):
            said = {c.name: c.value for c in entry.children}
            frames[said["TrackNumber"]] = (
                said["DefaultDuration"] / 1e9 if "DefaultDuration" in said
                # PCM at 8 kHz as calls are; Opus as libopus makes it.
                else 0.125 if said["CodecID"] == "A_AAC" else 0.020)
        for cluster, time in zip(self.sent.clusters, self.sent.cluster_times):
            for block in cluster.children:
                if block.name != "SimpleBlock":
                    continue
                track = block.payload[0] & 0x7F
                offset = int.from_bytes(block.payload[1:3], "big", signed=True)
                at = (time + offset) * self.sent.scale_ns / 1e9
                count[track] += 1
                starts.append(at)
                ends.append(at + frames[track])
        self.numbers = list(frames)
        self.packets = [count[n] for n in self.numbers]
        self.frame_s = max(frames.values())
        self.duration_s = max(ends) - min(starts)
        codec = self.sent.text("Tracks/TrackEntry/CodecID")
        self.kind = "video" if codec.startswith("V_") else "audio"

    def is_long(self, seconds):
        # Times are in whole milliseconds.
        return abs(seconds - self.duration_s) <= self.frame_s + 0.0015


@pytest.fixture(scope="module")
def video(kvsfs, kvs, tmp_path_factory):
    """Every stream, mounted where another user may look."""
    home = tmp_path_factory.mktemp("players")
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory(prefix="kvsfs-players-") as top:
        os.chmod(top, 0o755)
        m = mounting.Mount("*", pathlib.Path(top) / "video", home / "cache",
                           home / "log", mounting.server_environ(kvs, home),
                           ["--metadata-ttl=1h"])
        if os.getuid() == 0:
            m.options.append("--allow-other")
        m.start()
        yield m
        m.stop()


@pytest.fixture
def fragment(request, kvs, video):
    return Fragment(kvs, video, request.param)


def shapes(names):
    return pytest.mark.parametrize("fragment", names, indirect=True)


ALL = shapes([*SHAPES, *captures.NAMES])
PICTURES = shapes([*VIDEO, *captures.NAMES])
CALLS = shapes(["call", "call-swapped"])


def run(tool, *args, codes=(0,)):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([tool, *map(str, args)], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode in codes, (done.stdout, done.stderr)
    return done


# -- ffmpeg --------------------------------------------------------------------


def probe(path):
    done = run("ffprobe", "-v", "warning", "-count_packets", "-show_format",
               "-show_streams", "-of", "json", path)
    return json.loads(done.stdout), done.stderr.decode()


def packets(said):
    return [int(s["nb_read_packets"]) for s in said["streams"]]


@ALL
def test_ffprobe(fragment):
    said, complaint = probe(fragment.path)
    assert complaint == ""
    # An encoder's priming is before 0: 6.5 ms in Opus.
    assert abs(float(said["format"]["start_time"])) < 0.0075
    assert fragment.is_long(float(said["format"]["duration"]))
    assert packets(said) == fragment.packets


@CALLS
def test_ffprobe_of_a_call(fragment):
    said, _ = probe(fragment.path)
    assert [(s["codec_name"], s["sample_rate"], s["channels"])
            for s in said["streams"]] == 2 * [("pcm_s16le", "8000", 1)]


def frames(path, *options, quiet=True):
    """A checksum of each picture."""
    done = run("ffmpeg", "-v", "error", *options, "-i", path, "-map", "0:v:0",
               "-f", "framemd5", "-")
    assert done.stderr == b"" or not quiet
    return [line.split(",")[-1].strip() for line in
            done.stdout.decode().splitlines() if not line.startswith("#")]


@PICTURES
def test_ffmpeg_decodes_and_seeks(fragment, tmp_path):
    as_sent = tmp_path / "as-sent.mkv"
    as_sent.write_bytes(fragment.body)
    whole = frames(fragment.path)
    assert len(whole) == fragment.packets[0]
    assert whole == frames(as_sent, quiet=False)
    later = frames(fragment.path, "-ss", "1")
    assert 0 < len(later) <= len(whole) / 2 + 1
    assert later == whole[-len(later):]


def heard(path, track, *options):
    done = run("ffmpeg", "-v", "error", *options, "-i", path, "-map",
               f"0:a:{track}", "-f", "s16le", "-")
    assert done.stderr == b""
    return done.stdout


@CALLS
@pytest.mark.parametrize("track", [0, 1])
def test_ffmpeg_hears_a_call(fragment, track):
    said = b"".join(
        block.payload[4:] for cluster in fragment.sent.clusters
        for block in cluster.children
        if block.name == "SimpleBlock"
        and block.payload[0] & 0x7F == fragment.numbers[track])
    assert heard(fragment.path, track) == said
    later = heard(fragment.path, track, "-ss", "1")
    # A second at 8 kHz, from the block or the sample that is asked for.
    assert 14000 <= len(later) <= 18000 and said.endswith(later)


# -- mkvtoolnix ----------------------------------------------------------------


@ALL
def test_mkvmerge(fragment, tmp_path):
    said = run("mkvmerge", "-J", fragment.path).stdout
    # What version 92 prints ahead of its JSON where a size is unknown.
    said = json.loads(re.sub(rb"\A(skip unknown before .*\n)+", b"", said))
    assert said["errors"] == said["warnings"] == []
    container = said["container"]["properties"]
    assert fragment.is_long(container["duration"] / 1e9)
    starts = [t["properties"].get("minimum_timestamp", 0)
              for t in said["tracks"]]
    assert min(starts) == 0
    assert len(said["tracks"]) == len(fragment.packets)
    # 1 would say that there were warnings.
    copy = tmp_path / "copy.mkv"
    run("mkvmerge", "--disable-lacing", "-o", copy, fragment.path)
    copied, complaint = probe(copy)
    assert complaint == ""
    if copied["streams"][0]["codec_type"] == "video":
        # Sound it cuts as it likes.
        assert packets(copied)[0] == fragment.packets[0]


@ALL
def test_mkvinfo(fragment):
    done = run("mkvinfo", "--all", fragment.path)
    text = done.stdout.decode()
    assert done.stderr == b""
    assert text.count("Simple block") == sum(fragment.packets)
    for word in ("(MKVInfo)", "Error", "Warning", "nknown element"):
        assert word not in text


# -- mpv -----------------------------------------------------------------------


def play(fragment, *options):
    """(first, last) position that it showed."""
    if "call" not in str(fragment.path):
        # Sound alone would be over before it says anything.
        options += ("--untimed", "--ao-null-untimed")
    done = run("mpv", "--no-config", "--load-scripts=no", "--vo=null",
               "--ao=null", "--msg-level=all=warn,statusline=status",
               "--term-status-msg=at=${=time-pos}.", *options, fragment.path)
    text = (done.stdout + done.stderr).decode()
    rest = re.sub(r"at=[-0-9.]*", "", re.sub(r"\x1b\[\w", "", text))
    # mpv 0.40, now and then, of its own scripts.
    rest = rest.replace("client removed during hook handling", "").strip()
    assert rest == ""
    at = [float(at) for at in re.findall(r"at=(-?\d+\.\d+)", text)]
    return at[0], at[-1]


# How far from the end the last status line may be: a picture, or what sound
# plays out of its buffer.
TAIL_S = {"video": 0.25, "audio": 0.8}


@ALL
@pytest.mark.parametrize("start_s", [0, 1])
def test_mpv(fragment, start_s):
    first, last = play(fragment, f"--start={start_s}")
    assert abs(first - start_s) < 0.2
    assert last > fragment.duration_s - TAIL_S[fragment.kind]


# -- VLC -----------------------------------------------------------------------


def watch(path, home, *options):
    """What VLC says of playing it, eight times as fast; it refuses root."""
    for tool in ("cvlc", "setpriv"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    nobody = (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
              if os.getuid() == 0 else [])
    done = subprocess.run(
        [*nobody, "cvlc", "-I", "dummy", "--play-and-exit", "--vout=dummy",
         "--aout=dummy", "--no-dbus", "--rate=8", "-vv", *options, str(path)],
        env={**os.environ, "HOME": str(home)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0
    return done.stdout.decode(errors="replace")


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="kvsfs-vlc-") as path:
        os.chmod(path, 0o777)
        yield path


@ALL
@pytest.mark.parametrize("start", [0, 1])
def test_vlc(fragment, home, start):
    text = watch(fragment.path, home, f"--start-time={start}")
    lines = text.splitlines()
    about = [line for line in lines if re.search(
        r"(demux|decoder|stream|input|access)[^:]* error: ", line)]
    assert about == []
    assert any("mkv demux" in line for line in lines)
    assert any("EOF reached" in line for line in lines)
    if start:
        assert any("seek request to i_pos = 1000000" in line for line in lines)
    if fragment.kind == "video":
        assert any("Received first picture" in line for line in lines)
    else:
        assert "using audio decoder module" in text


# -- why the header is written anew --------------------------------------------


def test_as_sent(mount, kvs, video):
    """The same fragments by --raw are as the server sent them."""
    raw = mount("*", "--raw", "--metadata-ttl=1h", name="raw", server=kvs)

    def told(stream):
        sent = Fragment(kvs, raw, stream)
        content = sent.path.read_bytes()
        assert content.startswith(sent.body)
        assert ebml.parse(content).padding == len(content) - len(sent.body)
        said, _ = probe(sent.path)
        assert packets(said) == sent.packets
        return (float(said["format"]["start_time"]),
                float(said["format"].get("duration", -1)))

    # The fifth fragment of two seconds of a clip of a minute.
    assert told("picture") == (8.0, 60.0)
    start, length = told("stale")
    assert start == 8.0 and abs(length - 2) > 1
    start, _ = told("absolute")
    assert start == pytest.approx(
        expected.epoch_ms("2026-11-22T15:00:08Z") / 1000)
