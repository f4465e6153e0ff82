# SPDX-License-Identifier: MIT
"""What a fragment's file holds, however the producer wrote it."""
import concurrent.futures
import errno
import mmap
import os
import random
import subprocess

import pytest

import ebml
import expected
import kvs_server
import mounting

NOW = expected.NOW
START = {"start": "2026-11-22T13:00:00Z", "end": 3}
CLIP = {**START, "clip": "front-door.mkv"}
CALL = {"ContactId": "8f2c-11", "InstanceId": "i-1"}
L16 = {**CALL, "MimeType": "audio/L16;rate=8000;channels=1;"}


def kind(name, clip="front-door.mkv", stream=None, **media):
    return {**START, "name": name, "clip": clip, "media": media,
            **(stream or {})}


KINDS = [
    kind("plain"),
    kind("sound", "lobby.mkv"),
    kind("side-tags", side_tags=True),
    kind("short-sizes", cluster_size="short", short_segment=True),
    kind("unknown", cluster_size="unknown"),
    kind("unknown-long", cluster_size="unknown-long"),
    kind("absolute", absolute=True),
    kind("absolute-unknown", absolute=True, cluster_size="unknown"),
    kind("clean", header="clean"),
    kind("stale", header="stale"),
    kind("stale-unknown", header="stale", cluster_size="unknown"),
    kind("stale-sound", "lobby.mkv", header="stale", absolute=True),
    kind("nul-padding", nul_padding=True),
    kind("long-header", void_bytes=4032, tags_bytes=1000,
         codec_private_bytes=600),
    kind("longer-header", void_bytes=60000, tags_bytes=30000),
    kind("user-tags", user_tags={"A": "b", "C": "d"}),
    kind("user-tags-before", user_tags={"A": "b"}, user_tags_at="before-info"),
    kind("user-tags-both", user_tags={"A": "b", "C": "d"},
         user_tags_at="both", cluster_size="unknown"),
    kind("cluster-extras", position=True, prev_size=True, crc32=True),
    kind("cluster-extras-unknown", position=True, prev_size=True, crc32=True,
         cluster_size="unknown", absolute=True),
    kind("three-clusters", clusters=3),
    kind("three-clusters-absolute", clusters=3, absolute=True,
         cluster_size="unknown"),
    kind("groups", block_groups=True),
    kind("fine-scale", timescale_ns=100000),
    kind("fine-scale-absolute", timescale_ns=100000, absolute=True),
    kind("coarse-scale", timescale_ns=100000000),
    kind("length-zero", length="zero"),
    kind("length-full", length="full"),
    kind("sessions", stream={"session_fragments": 2}),
    kind("unique", unique_bytes=70000, crc32=True),
    kind("synthetic", None, {"spacing_ms": 2000}, kind="synthetic",
         payload_bytes=300000, payload_jitter_bytes=5000, block_bytes=7000),
    kind("call", None, {"spacing_ms": 2000}, kind="connect", user_tags=L16),
    kind("call-swapped", None, {"spacing_ms": 2000}, kind="connect",
         user_tags=L16, swap_tracks=True),
    kind("call-untagged", None, {"spacing_ms": 2000}, kind="connect"),
]
UNHURRIED = ["--metadata-ttl=1h", "--media-calls=0", "--media-fragments=0"]
NAMES = [k["name"] for k in KINDS]
BIG = 50_000_000
OTHERS = [
    {**START, "name": "big", "clip": None, "spacing_ms": 10000,
     "media": {"kind": "synthetic", "payload_bytes": BIG}},
    kind("no-cluster", clusters=0),
    kind("raw-does-not-fit", void_bytes=60000, size_add=-10000),
    {**START, "name": "some", "clip": None, "spacing_ms": 2000, "end": 20,
     "media": {"kind": "synthetic", "payload_bytes": 700_001}},
]
STALE_TAGS = {"DURATION", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES",
              "_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC",
              "_STATISTICS_TAGS"}


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"),
                           streams=KINDS + OTHERS, now=NOW,
                           args=expected.FROZEN) as server:
        yield server


def mount_of_all(kvs, folder, *options):
    """One for all kinds; yields as opened() does."""
    m = mounting.Mount("*", folder / "video", folder / "cache", folder / "log",
                       mounting.server_environ(kvs, folder),
                       [*UNHURRIED, *options]).start()
    yield lambda stream: [
        (m.path / stream / "fragments" / expected.path(f), f)
        for f in kvs.fragments(stream)]
    m.stop()


@pytest.fixture(scope="module")
def anew(kvsfs, kvs, tmp_path_factory):
    yield from mount_of_all(kvs, tmp_path_factory.mktemp("anew"))


@pytest.fixture(scope="module")
def raw(kvsfs, kvs, tmp_path_factory):
    yield from mount_of_all(kvs, tmp_path_factory.mktemp("raw"), "--raw")


@pytest.fixture
def opened(mount, kvs):
    """opened(STREAM, ...) -> a mount and [(path, fragment)] of the stream."""
    def make(stream, *options, **more):
        m = mount(stream, *UNHURRIED, *options, server=kvs, **more)
        return m, [(m.path / "fragments" / expected.path(f), f)
                   for f in kvs.fragments(stream)]
    return make


def read(path):
    """To the end; its length was and stays what stat says."""
    before = os.stat(path).st_size
    content = path.read_bytes()
    assert len(content) == before == os.stat(path).st_size
    return content


def payload_bytes(path):
    return int(os.getxattr(path, "user.kvs.payload_bytes"))


def check_padding(path, content):
    """One Void to the end, its bytes zero; -> what is before it."""
    n = payload_bytes(path)
    padding = content[n:]
    assert padding[0] == 0xEC
    width = 9 - padding[1].bit_length()
    size = int.from_bytes(padding[1:1 + width], "big") ^ 1 << 7 * width
    assert 1 + width + size == len(padding)
    assert not any(padding[1 + width:])
    return content[:n]


def default_duration_ms(doc):
    """Of the video track, else of the first."""
    tracks = doc.find("Tracks/TrackEntry")
    track = next((t for t in tracks for c in t.children
                  if c.name == "TrackType" and c.value == 1), tracks[0])
    return next((c.value / 1e6 for c in track.children
                 if c.name == "DefaultDuration"), 0)


def since_2001(fragment):
    return (fragment["producer_ms"] - 978307200000) * 1000000


def check_header(doc, sent, fragment):
    assert doc.segment.unknown
    for gone in ("SeekHead", "Cues", "Chapters"):
        assert not doc.find(gone), doc.tree()
    assert len(doc.find("Info")) == len(doc.find("Tracks")) == 1
    assert doc.scale_ns == sent.scale_ns
    assert doc.first("Info/DateUTC", since_2001(fragment)) == since_2001(
        fragment)
    if fragment["length_ms"] == 0:
        assert doc.duration_ms is None
    else:
        assert doc.duration_ms == pytest.approx(
            fragment["length_ms"] + default_duration_ms(sent),
            abs=sent.scale_ns / 1e6)
    # The service's tags are the first of a player's list.
    tags = doc.tag_list
    side = "_SIDE" if any("_SIDE_" in name for name, _ in tags[:3]) else ""
    assert {name for name, _ in tags[:3]} == {
        "AWS_KINESISVIDEO_FRAGMENT_NUMBER",
        f"AWS_KINESISVIDEO_SERVER{side}_TIMESTAMP",
        f"AWS_KINESISVIDEO_PRODUCER{side}_TIMESTAMP"}
    assert doc.number == fragment["number"]
    assert STALE_TAGS.isdisjoint(doc.tags)
    for name, value in sent.tags.items():
        if name not in STALE_TAGS | {"ENCODER"}:
            assert doc.tags[name] == value


def check_media(doc, sent, content):
    assert doc.blocks == sent.blocks and len(doc.blocks) > 0
    times = sent.cluster_times
    assert doc.cluster_times == [t - times[0] for t in times]
    for cluster in doc.clusters:
        assert not {c.name for c in cluster.children} & {
            "Position", "PrevSize", "CRC-32"}
    assert [c.unknown for c in doc.clusters] == [
        c.unknown for c in sent.clusters]
    # As sent, but for an unknown size that is always written in eight bytes.
    short = sum(c.unknown and sent.raw[c.start + 4] == 0xff
                for c in sent.clusters)
    assert (len(content) - doc.clusters[0].start
            == len(sent.raw) - sent.clusters[0].start + 7 * short)


@pytest.mark.parametrize("name", NAMES)
def test_a_fragment_written_anew(anew, kvs, name):
    files = anew(name)
    assert len(files) == 3
    for path, fragment in files:
        content = read(path)
        sent = ebml.parse(kvs.media(name, fragment["number"]))
        doc = ebml.parse(content)
        check_header(doc, sent, fragment)
        check_media(doc, sent, check_padding(path, content))
        assert doc.padding == len(content) - payload_bytes(path)
        for what in ("TrackNumber", "TrackUID", "Name", "DefaultDuration",
                     "Video/PixelWidth", "CodecID", "CodecPrivate",
                     "Audio/SamplingFrequency")[:5 if "call" in name else 8]:
            assert [e.value for e in doc.find(f"Tracks/TrackEntry/{what}")] \
                == [e.value for e in sent.find(f"Tracks/TrackEntry/{what}")]


@pytest.mark.parametrize("name", NAMES)
def test_raw_is_what_was_sent(raw, kvs, name):
    for path, fragment in raw(name):
        content = read(path)
        sent = kvs.media(name, fragment["number"])
        assert check_padding(path, content) == sent
        assert ebml.parse(content).padding == len(content) - len(sent)


@pytest.mark.parametrize("name", ["stale", "raw-does-not-fit"])
def test_raw_and_not_share_a_cache(opened, kvs, name):
    """Each has sizes of its own."""
    one, files = opened(name)
    anew = [read(path) for path, _ in files]
    two, files_raw = opened(name, "--raw", "--slack=4096", name="raw",
                            cache=one.cache)
    raw = [path.read_bytes() for path, _ in files_raw]
    for mounted in ("once", "again"):
        assert [read(path) for path, _ in files] == anew
        assert [read(path) for path, _ in files_raw] == raw
        for (path, f), content in zip(files, anew):
            assert check_padding(path, content) != kvs.media(name, f["number"])
        for (path, f), content in zip(files_raw, raw):
            assert check_padding(path, content) == kvs.media(name, f["number"])
        for m in (one, two):
            m.restart()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("call")])
def test_calls_of_amazon_connect(anew, kvs, name):
    """16-bit PCM that calls itself AAC."""
    for path, fragment in anew(name):
        doc = ebml.parse(read(path))
        sent = ebml.parse(kvs.media(name, fragment["number"]))
        assert {e.value for e in sent.find("Tracks/TrackEntry/CodecID")} == {
            "A_AAC"}

        def said(what):
            return [e.value for e in doc.find(f"Tracks/TrackEntry/{what}")]

        assert said("CodecID") == ["A_PCM/INT/LIT"] * 2
        assert said("CodecPrivate") == []
        assert said("Audio/SamplingFrequency") == [8000] * 2
        assert said("Audio/Channels") in ([], [1, 1])
        assert said("Audio/BitDepth") == [16] * 2
        assert said("Name") == [
            e.value for e in sent.find("Tracks/TrackEntry/Name")]
    probe = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_entries",
         "stream=codec_name,sample_rate,channels", "-of", "csv=p=0", path],
        capture_output=True, text=True, check=True)
    assert probe.stdout.split() == ["pcm_s16le,8000,1"] * 2
    assert probe.stderr == ""


def test_a_document_without_a_cluster(anew, kvs):
    """Nothing is left to play, but what it says is there."""
    for path, fragment in anew("no-cluster"):
        content = read(path)
        doc = ebml.parse(content)
        check_header(doc, ebml.parse(kvs.media("no-cluster",
                                               fragment["number"])), fragment)
        check_padding(path, content)
        assert not doc.clusters and not doc.blocks


# -- reading ----------------------------------------------------------


def test_random_reads(opened, kvs):
    """Any offset in any order, of what is and what is not yet cached."""
    m, files = opened("some")
    rng = random.Random(2)
    whole = {}
    for path, _ in files[:3]:
        size = os.stat(path).st_size
        with open(path, "rb", buffering=0) as file:
            parts = []
            for _ in range(120):
                at = rng.randrange(size + 5000)
                n = rng.choice((1, 511, 4096, 65536, 300000))
                parts.append((at, n, os.pread(file.fileno(), n, at)))
            whole[path] = path.read_bytes()
            for at, n, got in parts:
                assert got == whole[path][at:at + n]
            assert os.pread(file.fileno(), 10, size) == b""
            assert os.pread(file.fileno(), 10, 2 ** 40) == b""
    m.restart()
    for path, content in whole.items():
        assert path.read_bytes() == content


def test_the_last_bytes_first(opened, kvs):
    _, files = opened("some")
    path, fragment = files[5]
    os.stat(files[0][0])
    out = subprocess.run(["tail", "-c", "1000", path], capture_output=True,
                         check=True).stdout
    content = read(path)
    assert out == content[-1000:]
    assert ebml.parse(content).blocks == ebml.parse(
        kvs.media("some", fragment["number"])).blocks


def test_direct_reads(opened):
    m, files = opened("some")
    path = files[1][0]
    size = os.stat(path).st_size
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        got = bytearray()
        with mmap.mmap(-1, 1 << 18) as page:
            while n := os.preadv(fd, [page], len(got)):
                got += page[:n]
    finally:
        os.close(fd)
    assert len(got) == size
    assert got == path.read_bytes()
    out = subprocess.run(["dd", f"if={files[2][0]}", "bs=64k", "iflag=direct",
                          "status=none"], capture_output=True, check=True)
    assert out.stdout == files[2][0].read_bytes()


def test_mapped(opened):
    _, files = opened("some")
    path = files[4][0]
    with open(path, "rb") as file, mmap.mmap(
            file.fileno(), 0, prot=mmap.PROT_READ) as view:
        last = view[-1]
        middle = view[350_000:350_100]
        content = view[:]
    assert content == read(path)
    assert (last, middle) == (content[-1], content[350_000:350_100])


def test_fifty_megabytes(opened, kvs):
    _, files = opened("big")
    path, fragment = files[1]
    content = read(path)
    assert len(content) > BIG
    doc = ebml.parse(content)
    assert doc.blocks == ebml.parse(
        kvs.media("big", fragment["number"])).blocks
    assert os.stat(path).st_blocks == -(-len(content) // 512)


def test_concurrent_readers_share_a_download(opened, kvs):
    _, files = opened("some")
    os.stat(files[0][0])
    path, fragment = files[7]
    kvs.reset()
    kvs.latency(300)
    try:
        commands = [["cat", path], ["tail", "-c", "+1", path],
                    ["dd", f"if={path}", "bs=4k", "status=none"]] * 4
        with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
            outs = list(pool.map(lambda c: subprocess.run(
                c, capture_output=True, check=True).stdout, commands))
    finally:
        kvs.latency(0)
    media = kvs.stats("some")["GetMediaForFragmentList"]
    assert (media["requests"], media["fragments"]) == (1, 1)
    content = read(path)
    assert all(out == content for out in outs)
    assert ebml.parse(content).number == fragment["number"]


def test_one_opened_fragment_fetches_that_one_alone(opened, kvs):
    m, files = opened("some")
    os.stat(files[0][0])
    kvs.reset()
    read(files[9][0])
    assert kvs.stats("some")["GetMediaForFragmentList"]["fragments"] == 1
    read(files[9][0])
    m.restart()
    read(files[9][0])
    assert kvs.stats("some")["GetMediaForFragmentList"]["fragments"] == 1


def test_bytes_are_given_as_they_arrive(opened, kvs):
    _, files = opened("big")
    os.stat(files[0][0])
    path, fragment = files[2]
    sent = kvs.media("big", fragment["number"])
    kvs.fault("stall", api="GetMediaForFragmentList", stream="big",
              bytes=5_000_000)
    with open(path, "rb", buffering=0) as file:
        head = os.pread(file.fileno(), 65536, 0)
        assert len(head) == 65536
        media = kvs.stats("big")["GetMediaForFragmentList"]
        assert media["active"] == 1
        kvs.release()
        content = file.read()
    assert content.startswith(head)
    assert ebml.parse(content).blocks == ebml.parse(sent).blocks


def test_a_folder_is_no_file(opened):
    m, files = opened("some")
    with pytest.raises(IsADirectoryError):
        files[0][0].parent.read_bytes()
    with pytest.raises(NotADirectoryError):
        os.listdir(files[0][0])
    with pytest.raises(OSError) as e:
        os.stat(files[0][0] / "x")
    assert e.value.errno == errno.ENOTDIR
