# SPDX-License-Identifier: MIT
"""Every kind of media that the local KVS can send, read back."""
import json
import struct
import subprocess
import zlib

import botocore.exceptions
import pytest

import ebml
import kvs_server

NOW = "2026-11-22T16:00:00.000Z"
FD = {"clip": "front-door.mkv", "start": "2026-11-22T13:00:00Z", "end": 1500}
CONNECT = {"start": "2026-11-22T13:00:00Z", "end": 1500, "clip": None}
CALL_TAGS = {"ContactId": "8f2c-11", "InstanceId": "i-1",
             "MimeType": "audio/L16;rate=8000;channels=1;"}


def kind(name, stream=None, **media):
    return {**FD, "name": name, **(stream or {}), "media": media}


KINDS = [
    kind("plain"),
    kind("side", side_tags=True),
    kind("short", cluster_size="short", short_segment=True),
    kind("unknown", cluster_size="unknown"),
    kind("unknown-long", cluster_size="unknown-long", absolute=True),
    kind("absolute", absolute=True),
    kind("clean", header="clean"),
    kind("stale", header="stale"),
    kind("stale-unknown", header="stale", cluster_size="unknown"),
    kind("nul", nul_padding=True),
    kind("long-header", void_bytes=4032, tags_bytes=1000,
         codec_private_bytes=600),
    kind("user-tags", user_tags={"A": "b", "C": "d"}, user_tags_at="both"),
    kind("user-tags-before", user_tags={"A": "b"},
         user_tags_at="before-cluster"),
    kind("extras", position=True, prev_size=True, crc32=True),
    kind("crc-unique", crc32=True, unique_bytes=70000,
         cluster_size="unknown"),
    kind("three", clusters=3),
    kind("no-cluster", clusters=0),
    kind("groups", block_groups=True),
    kind("groups-unique", block_groups=True, unique_bytes=5000),
    kind("scale", timescale_ns=100000),
    kind("scale-coarse", timescale_ns=100000000),
    kind("sessions", {"session_fragments": 10}),
    kind("unique", unique_bytes=1000),
    kind("lobby", {"clip": "lobby.mkv"}),
    kind("lobby-unique", {"clip": "lobby.mkv"}, unique_bytes=333),
    {**CONNECT, "name": "connect",
     "media": {"kind": "connect", "user_tags": CALL_TAGS}},
    {**CONNECT, "name": "connect-swapped",
     "media": {"kind": "connect", "swap_tracks": True}},
    {**CONNECT, "name": "synthetic",
     "media": {"kind": "synthetic", "payload_bytes": 3_000_000,
               "payload_jitter_bytes": 1000}},
    {**CONNECT, "name": "small-blocks",
     "media": {"kind": "synthetic", "payload_bytes": 10_000,
               "block_bytes": 64}},
    kind("spaced", {"spacing_ms": 3000}),
    kind("too-small", size_add=-1000),
    kind("too-large", size_add=5000),
    kind("scaled", size_scale=1.5),
    kind("zero-length", length="zero"),
    kind("full-length", length="full"),
    kind("in-order", {"media_order": "sorted"}),
    kind("out-of-order", {"media_order": "shuffled"}),
    kind("exception", {"error_tags": "exception"}),
    kind("stops", {"stop_after_error": True}),
]
NAMES = [k["name"] for k in KINDS]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=KINDS,
                           now=NOW, args=["--clock", NOW, "--max-skew",
                                          "0"]) as server:
        yield server


@pytest.fixture(scope="module")
def archive(kvs):
    return kvs.archive()


@pytest.fixture(scope="module")
def clip():
    return ebml.parse((kvs_server.CLIPS / "front-door.mkv").read_bytes())


def get(archive, stream, numbers):
    answer = archive.get_media_for_fragment_list(StreamName=stream,
                                                 Fragments=numbers)
    assert answer["ContentType"] == "video/webm"
    return answer["Payload"].read()


def one(kvs, archive, stream, index=3):
    fragment = kvs.fragments(stream, limit=index + 1)[index]
    return fragment, get(archive, stream, [fragment["number"]])


def ids(raw):
    """The ids and sizes of a document's elements, the Cluster's included."""
    found = []

    def walk(at, end):
        while at < end:
            n = 9 - raw[at].bit_length()
            name, at = raw[at:at + n].hex(), at + n
            n = 9 - raw[at].bit_length()
            size = int.from_bytes(raw[at:at + n], "big") - (1 << 7 * n)
            unknown = size == (1 << 7 * n) - 1
            at += n
            found.append((name, None if unknown else size))
            if unknown:
                continue
            if name in ("1f43b675", "a0"):
                walk(at, at + size)
            at += size

    walk(0, len(raw))
    return found


@pytest.mark.parametrize("stream", NAMES)
def test_every_kind_is_well_formed(kvs, archive, stream):
    fragments = kvs.fragments(stream, limit=40)
    numbers = [f["number"] for f in fragments]
    body = get(archive, stream, numbers)
    documents = list(ebml.documents(body))
    assert sorted(d.number for d in documents) == sorted(numbers)
    assert sum(len(d.raw) for d in documents) == len(body)
    by_number = {d.number: d for d in documents}
    for f in fragments[::7]:
        document = by_number[f["number"]]
        assert document.raw == kvs.media(stream, f["number"])
        assert len(document.raw) == f["document_bytes"]
        assert document.tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] == f["number"]


@pytest.mark.parametrize("stream", [n for n in NAMES if n not in (
    "no-cluster", "connect", "connect-swapped", "synthetic", "small-blocks")])
def test_ffmpeg_reads_every_frame(kvs, archive, tmp_path, stream):
    _, raw = one(kvs, archive, stream, 1)
    path = tmp_path / "fragment.mkv"
    path.write_bytes(raw)
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-count_frames",
         "-show_entries", "stream=nb_read_frames", "-of", "json", path],
        capture_output=True, text=True, check=True)
    assert json.loads(out.stdout)["streams"][0]["nb_read_frames"] == "20"
    # The shape of the file is at fault in some kinds; its frames never.
    assert "error while decoding" not in out.stderr


def test_as_the_captures_are(kvs, archive, clip):
    """One document: the header as the producer sent it, 243 bytes of tags with
    four-byte sizes just before the Cluster, the blocks untouched."""
    fragment, raw = one(kvs, archive, "plain", 31)
    document = ebml.parse(raw)
    at = raw.index(bytes.fromhex("1f43b675"))
    tags = raw[at - 243:at]
    assert tags[:5] == bytes.fromhex("1254c36710")
    assert tags[5:8] == (243 - 8).to_bytes(3, "big")
    head = (kvs_server.CLIPS / "front-door.mkv").read_bytes()
    # The clip's own Segment has a known size of 8 bytes.
    start = head.index(bytes.fromhex("18538067"))
    assert raw[:start + 4] == head[:start + 4]
    assert raw[start + 4:start + 12] == bytes.fromhex("01ffffffffffffff")
    first = head.index(bytes.fromhex("1f43b675"))
    assert raw[start + 12:at - 243] == head[start + 12:first]
    wanted = [b for b in clip.blocks][20:40]
    assert document.blocks == wanted
    assert document.tags["AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"] == (
        "%.3f" % (fragment["producer_ms"] / 1000))
    assert document.tags["AWS_KINESISVIDEO_SERVER_TIMESTAMP"] == (
        "%.3f" % (fragment["server_ms"] / 1000))
    assert document.cluster_times == [62000]
    assert fragment["size_bytes"] == len(raw)
    assert fragment["length_ms"] == 1900


def test_side_tags(kvs, archive):
    tags = ebml.parse(one(kvs, archive, "side")[1]).tags
    assert {"AWS_KINESISVIDEO_FRAGMENT_NUMBER",
            "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP",
            "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP"} <= set(tags)


@pytest.mark.parametrize("stream, head", [
    ("plain", "1f43b67501000000"), ("short", "1f43b675"),
    ("unknown", "1f43b675ff"), ("unknown-long", "1f43b67501ffffffffffffff")])
def test_cluster_sizes(kvs, archive, stream, head):
    _, raw = one(kvs, archive, stream)
    at = raw.index(bytes.fromhex("1f43b675"))
    assert raw[at:].hex().startswith(head)
    if stream == "short":
        assert raw[at + 4] in range(0x20, 0x80)
        assert raw[raw.index(bytes.fromhex("18538067")) + 4] == 0xFF


def test_cluster_times(kvs, archive):
    fragment, raw = one(kvs, archive, "absolute", 5)
    assert ebml.parse(raw).cluster_times == [fragment["producer_ms"]]
    times = [ebml.parse(one(kvs, archive, "sessions", i)[1]).cluster_times[0]
             for i in (0, 9, 10, 11)]
    assert times == [0, 18000, 0, 2000]
    assert ebml.parse(one(kvs, archive, "scale", 3)[1]).cluster_times == [60000]
    coarse = ebml.parse(one(kvs, archive, "scale-coarse", 3)[1])
    assert coarse.cluster_times == [60]
    assert coarse.uint("Info/TimestampScale") == 100000000
    three = ebml.parse(one(kvs, archive, "three", 2)[1])
    assert three.cluster_times == [4000, 4600, 5300]


def test_headers(kvs, archive):
    clean = ids(one(kvs, archive, "clean")[1])
    assert "114d9b74" not in dict(clean)
    assert [i for i, _ in clean].count("1254c367") == 1
    assert not ebml.parse(one(kvs, archive, "clean")[1]).find("Info/Duration")
    for stream in ("stale", "stale-unknown"):
        names = [i for i, _ in ids(one(kvs, archive, stream)[1])]
        cluster = names.index("1f43b675")
        assert "114d9b74" in names[:cluster]
        assert names[-2:] == ["1c53bb6b", "1254c367"]
    raw = one(kvs, archive, "long-header")[1]
    assert raw.index(bytes.fromhex("1f43b675")) > 5500


def test_nul_padding(kvs, archive):
    _, raw = one(kvs, archive, "nul")
    assert b"matroska\0" in raw
    assert b"V_MPEG4/ISO/AVC" + bytes(32) in raw


def test_user_tags(kvs, archive):
    names = [i for i, _ in ids(one(kvs, archive, "user-tags")[1])]
    assert names.index("1254c367") < names.index("1549a966")
    assert names[-1] == "1254c367"
    tags = ebml.parse(one(kvs, archive, "user-tags-before")[1]).tags
    assert tags["A"] == "b"


@pytest.mark.parametrize("stream", ["extras", "crc-unique"])
def test_checksum_in_the_cluster(kvs, archive, stream):
    _, raw = one(kvs, archive, stream)
    at = raw.index(bytes.fromhex("1f43b675")) + 4
    at += 8 if stream == "extras" else 1
    assert raw[at:at + 2] == b"\xbf\x84"
    assert raw[at + 2:at + 6] == struct.pack("<I", zlib.crc32(raw[at + 6:]))
    if stream == "extras":
        names = [i for i, _ in ids(raw)]
        at = names.index("1f43b675")
        assert names[at + 1:at + 5] == ["bf", "e7", "a7", "ab"]


def test_block_groups(kvs, archive):
    names = [i for i, _ in ids(one(kvs, archive, "groups")[1])]
    assert names.count("a0") == 20 and names.count("fb") == 19
    assert "a3" not in names


@pytest.mark.parametrize("stream", [
    "unique", "lobby-unique", "crc-unique", "groups-unique", "synthetic",
    "connect"])
def test_no_two_fragments_are_the_same(kvs, archive, stream):
    """The same Cluster of the clip, other bytes."""
    fragments = kvs.fragments(stream, limit=91)
    same = [f for f in fragments if f["cluster"] == fragments[0]["cluster"]]
    assert len(same) >= 4
    blocks = [tuple(ebml.parse(kvs.media(stream, f["number"])).blocks)
              for f in same[:10]]
    assert len(set(blocks)) == len(blocks)
    # Not by their length or their number alone: there all have noise.
    assert len({max(b, key=len)[365:410] for b in blocks}) == len(blocks)
    for f in same[:3] if stream not in ("synthetic", "connect") else []:
        assert f["number"].encode() in kvs.media(stream, f["number"])


def test_connect(kvs, archive):
    fragment, raw = one(kvs, archive, "connect")
    document = ebml.parse(raw)
    entries = document.find("Tracks/TrackEntry/CodecID")
    assert len(entries) == 2 and raw.count(b"A_AAC") == 2
    assert raw.count(bytes.fromhex("63a2821190")) == 2
    assert not document.find("Tracks/TrackEntry/Audio")
    assert raw.index(b"AUDIO_FROM_CUSTOMER") < raw.index(b"AUDIO_TO_CUSTOMER")
    assert {k: document.tags[k] for k in CALL_TAGS} == CALL_TAGS
    assert document.cluster_times == [fragment["producer_ms"]]
    # Two seconds of 16-bit samples at 8 kHz, twice.
    pcm = [b for b in document.blocks]
    assert len(pcm) == 32
    assert sum(len(b) - len(b) % 2000 for b in pcm) == 64000
    assert fragment["length_ms"] == 1875
    swapped = one(kvs, archive, "connect-swapped")[1]
    assert b"\xd7\x81\x02" in swapped[:swapped.index(b"AUDIO_FROM_CUSTOMER")]
    # It goes on without a step: the next fragment takes up the wave.
    samples = struct.unpack("<1000h", pcm[0][-2000:])
    assert max(samples) > 7000 and min(samples) < -7000


def test_synthetic_sizes(kvs):
    sizes = {f["document_bytes"] for f in kvs.fragments("synthetic", limit=50)}
    assert len(sizes) > 40 and 3_000_000 < min(sizes) < max(sizes) < 3_002_000


@pytest.mark.parametrize("stream, listed", [
    ("plain", lambda n: n), ("too-small", lambda n: n - 1000),
    ("too-large", lambda n: n + 5000), ("scaled", lambda n: int(n * 1.5))])
def test_listed_sizes(kvs, stream, listed):
    for f in kvs.fragments(stream, limit=5):
        assert f["size_bytes"] == listed(f["document_bytes"])


def test_listed_lengths(kvs):
    for stream, length in (("zero-length", 0), ("full-length", 2000),
                           ("plain", 1900), ("spaced", 1900)):
        assert kvs.fragments(stream, limit=1)[0]["length_ms"] == length
    two = kvs.fragments("spaced", limit=2)
    assert two[1]["producer_ms"] - two[0]["producer_ms"] == 3000


@pytest.mark.parametrize("stream", ["plain", "in-order", "out-of-order"])
def test_order_of_the_answer(kvs, archive, stream):
    numbers = [f["number"] for f in kvs.fragments(stream, limit=20)]
    asked = numbers[10:] + numbers[:10]
    got = [d.number for d in ebml.documents(get(archive, stream, asked))]
    assert sorted(got) == sorted(asked)
    if stream == "plain":
        assert got == asked
    elif stream == "in-order":
        assert got == sorted(asked)
    else:
        assert got != asked and got != sorted(asked)


def not_there(number):
    """Well formed, and of no fragment."""
    return str(int(number) ^ 0x5555555)


@pytest.mark.parametrize("stream", ["plain", "exception", "stops"])
def test_not_found_in_band(kvs, archive, stream):
    numbers = [f["number"] for f in kvs.fragments(stream, limit=3)]
    missing = not_there(numbers[1])
    body = get(archive, stream, [numbers[0], missing, numbers[2]])
    documents = list(ebml.documents(body))
    assert [d.number for d in documents] == (
        [numbers[0], missing, numbers[2]][:2 if stream == "stops" else 3])
    tags = documents[1].tags
    assert not documents[1].blocks
    if stream == "exception":
        assert tags["AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"] == "4000"
        assert tags["AWS_KINESISVIDEO_EXCEPTION_MESSAGE"]
    else:
        assert tags["AWS_KINESISVIDEO_ERROR_CODE"] == "FRAGMENT_NOT_FOUND"
        assert tags["AWS_KINESISVIDEO_ERROR_ID"] == "3000"


@pytest.mark.parametrize("bad", ["other-stream", "12345", "../../x", "",
                                 "9" * 129])
def test_numbers_that_refuse_the_call(kvs, archive, bad):
    number = kvs.fragments("plain", limit=1)[0]["number"]
    if bad == "other-stream":
        bad = kvs.fragments("side", limit=1)[0]["number"]
    status, headers, text = kvs.post(
        "getMediaForFragmentList",
        {"StreamName": "plain", "Fragments": [number, bad]})
    assert status == 400
    assert headers["x-amzn-ErrorType"].startswith("InvalidArgumentException:")
    assert "Fragment numbers are invalid :" in text
    with pytest.raises(botocore.exceptions.ClientError):
        archive.get_media_for_fragment_list(StreamName="nobody",
                                            Fragments=[number])


def test_not_yet_complete_and_expired(tmp_path):
    with kvs_server.Server(tmp_path, now=NOW, streams=[
            {"name": "s", "clip": "front-door.mkv", "retention_hours": 1}],
            args=["--clock", NOW, "--max-skew", "0", "--freeze"]) as kvs:
        archive = kvs.archive()
        fragments = kvs.fragments("s")
        kvs.clock(advance_ms=2000)
        assert kvs.fragments("s")[-1]["number"] != fragments[-1]["number"]
        body = get(archive, "s", [fragments[0]["number"],
                                  kvs.fragments("s")[-1]["number"]])
        assert [bool(d.blocks) for d in ebml.documents(body)] == [False, True]
        newest = kvs.fragments("s")[-1]["number"]
        kvs.clock(advance_ms=-2000)
        body = get(archive, "s", [newest])
        assert [bool(d.blocks) for d in ebml.documents(body)] == [False]


def test_mkvinfo_agrees(kvs, archive, tmp_path):
    """A reader that is nobody's here."""
    path = tmp_path / "fragment.mkv"
    for stream in ("plain", "extras", "stale", "nul", "connect", "groups"):
        path.write_bytes(one(kvs, archive, stream)[1])
        out = subprocess.run(["mkvinfo", "-v", path], check=True,
                             capture_output=True, text=True).stdout
        assert "AWS_KINESISVIDEO_FRAGMENT_NUMBER" in out
        wanted = 32 if stream == "connect" else 20
        assert out.lower().count("simple block:" if stream != "groups"
                                 else "block group") == wanted
        assert "Error" not in out


def test_later_media_and_lost_fragments(tmp_path):
    lost = {"producer": "2026-11-22T13:00:05Z", "number": "17", "lost": True}
    stream = {**FD, "end": 4, "name": "s", "extra": [lost], "later": [
        {"from": "2026-11-22T13:00:02Z", "clip": "lobby.mkv"},
        {"from": "2026-11-22T13:00:06Z", "media": {"clusters": 0}}]}
    with kvs_server.Server(tmp_path, now=NOW, streams=[stream],
                           args=["--clock", NOW, "--max-skew", "0"]) as kvs:
        archive = kvs.archive()
        fragments = kvs.fragments("s")
        body = get(archive, "s", [f["number"] for f in fragments])
        documents = list(ebml.documents(body))
        assert [len(d.find("Tracks/TrackEntry")) for d in documents] == [
            1, 2, 2, 0, 1]
        assert [bool(d.blocks) for d in documents] == [
            True, True, True, False, False]
        assert documents[3].number == "17"
        assert "AWS_KINESISVIDEO_ERROR_CODE" in documents[3].tags
        assert [f["document_bytes"] == len(d.raw) for f, d in
                zip(fragments, documents)] == [True] * 3 + [False, True]
        listed = archive.list_fragments(StreamName="s", FragmentSelector={
            "FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": {
                "StartTimestamp": "2026-11-22", "EndTimestamp": "2026-11-23",
            }})["Fragments"]
        assert "17" in [f["FragmentNumber"] for f in listed]


@pytest.mark.parametrize("later", [
    {}, [3], [{"from": "2026-11-22"}, {"from": "2026-11-21"}],
    [{"from": "2026-11-22", "media": {"kind": "?"}}], [{"media": {}}]])
def test_bad_later(tmp_path, later):
    with pytest.raises(RuntimeError):
        kvs_server.Server(tmp_path, now=NOW, streams=[
            {**FD, "name": "s", "later": later}])
