# SPDX-License-Identifier: MIT
"""Listed sizes that are not the sizes of what is sent."""
import os
import subprocess

import pytest

import ebml
import expected
import kvs_server

NOW = expected.NOW
STEPS = (4 << 10, 64 << 10, 2 << 20)
CLIP = {"clip": "front-door.mkv", "start": "2026-11-22T13:00:00Z"}


def sized(name, scale=1, add=0):
    return {**CLIP, "name": name, "end": 4,
            "media": {"size_scale": scale, "size_add": add}}


# How much the listed sizes differ from the documents', and the slack then.
LISTED = {
    "exact": (sized("exact"), STEPS[0]),
    "a-header-less": (sized("a-header-less", add=-1200), STEPS[0]),
    "a-little-less": (sized("a-little-less", add=-8000), STEPS[1]),
    "zero": (sized("zero", scale=0), STEPS[1]),
    "far-less": (sized("far-less", add=-16000), STEPS[1]),
    "a-little-more": (sized("a-little-more", add=300), STEPS[0]),
    "far-more": (sized("far-more", add=3_000_000), STEPS[0]),
    "a-tenth": ({"name": "a-tenth", "clip": None, "end": 4,
                 "spacing_ms": 2000, "start": CLIP["start"],
                 "media": {"kind": "synthetic", "payload_bytes": 900_000,
                           "size_scale": 0.1}}, STEPS[2]),
}
# Room for extra fragments, and one of the true size to calibrate with.
EMPTY = {**CLIP, "end": 0, "retention_hours": 72}
STREAMS = [stream for stream, _ in LISTED.values()] + [
    {**EMPTY, "name": name, "extra": [
        {"producer": "2026-11-22T13:00:00Z", "cluster": 0}]}
    for name in ("late-misfits", "shown-before", "exact-fit", "pinned",
                 "readers", "shared")]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def opened(mount, kvs):
    """opened(STREAM, ...) -> a mount; m.of(fragment) is its file."""
    def make(stream, *options, **more):
        # Not ahead of the reader: each is looked at before it is fetched.
        m = mount(stream, "--metadata-ttl=100ms", "--media-calls=0",
                  "--readahead=0", *options,
                  server=kvs, **more)
        m.of = lambda f: m.path / "fragments" / expected.path(f)
        return m
    return make


def add(kvs, stream, *fragments):
    """Fragments a second apart from 13:10 on."""
    n = len(kvs.fragments(stream))
    made = kvs.add(stream, *[
        {"producer": expected.epoch_ms("2026-11-22T13:10:00Z")
         + 1000 * (n + i), **f} for i, f in enumerate(fragments)])
    assert len(made) == len(fragments)
    return made


def shown(m, fragment):
    """st_size, as soon as the fragment is listed."""
    path = m.of(fragment)
    assert expected.until(lambda: path.name in os.listdir(path.parent))
    assert expected.until(path.exists)
    return os.stat(path).st_size


def cat(path):
    return subprocess.run(["cat", path], capture_output=True,
                          check=True).stdout


def is_whole(kvs, stream, fragment, content):
    sent = ebml.parse(kvs.media(stream, fragment["number"]))
    doc = ebml.parse(content)
    return doc.blocks == sent.blocks and doc.number == fragment["number"]


def payload_bytes(path):
    return int(os.getxattr(path, "user.kvs.payload_bytes"))


def grown(payload):
    """The next multiple of 4 KiB that holds it and the smallest Void."""
    return -(-(payload + 2) // 4096) * 4096


def warnings(m):
    return [line for line in m.text().splitlines() if " warning: " in line]


@pytest.mark.parametrize("name", LISTED)
def test_calibration(opened, kvs, name):
    """Slack is the smallest step that holds what one fragment needs."""
    stream, slack = LISTED[name]
    m = opened(name)
    fragments = kvs.fragments(name)
    sizes = [shown(m, f) for f in fragments]
    assert [n - f["size_bytes"] for n, f in zip(sizes, fragments)] == [
        slack] * len(fragments)
    for f, size in zip(fragments, sizes):
        content = cat(m.of(f))
        assert len(content) == size == os.stat(m.of(f)).st_size
        assert is_whole(kvs, name, f, content)
        assert os.stat(m.of(f)).st_blocks == -(-size // 512)
    needs = [payload_bytes(m.of(f)) - f["size_bytes"] + 2048
             for f in fragments]
    # As far as these sizes are alike, any of them tells the same.
    assert all(n <= slack for n in needs)
    assert slack == STEPS[0] or all(
        n > max(s for s in STEPS if s < slack) for n in needs)
    assert warnings(m) == []


def test_a_file_grows_once_and_nothing_is_cut(opened, kvs):
    name = "late-misfits"
    m = opened(name)
    first = kvs.fragments(name)[0]
    assert shown(m, first) == first["size_bytes"] + STEPS[0]
    small, other = add(kvs, name, {"size_bytes": 100}, {})
    assert shown(m, small) == 100 + STEPS[0]
    assert shown(m, other) == other["size_bytes"] + STEPS[0]

    content = cat(m.of(small))
    assert is_whole(kvs, name, small, content)
    payload = payload_bytes(m.of(small))
    assert payload > 100 + STEPS[0]
    assert len(content) == os.stat(m.of(small)).st_size == grown(payload)
    assert os.stat(m.of(small)).st_blocks == grown(payload) // 512
    assert len(warnings(m)) == 1 and small["number"] in warnings(m)[0]

    # What was shown stays; what is shown from now on has the next slack.
    assert shown(m, other) == other["size_bytes"] + STEPS[0]
    assert shown(m, first) == first["size_bytes"] + STEPS[0]
    zero, = add(kvs, name, {"size_bytes": 0})
    assert shown(m, zero) == STEPS[1]
    assert is_whole(kvs, name, zero, cat(m.of(zero)))
    assert shown(m, zero) == STEPS[1]
    for f in (first, other):
        content = cat(m.of(f))
        assert is_whole(kvs, name, f, content)
        assert len(content) == f["size_bytes"] + STEPS[0]

    sizes = {f["number"]: shown(m, f) for f in (first, small, other, zero)}
    assert cat(m.of(small)) == cat(m.of(small))
    m.restart()
    assert sizes == {f["number"]: shown(m, f)
                     for f in (first, small, other, zero)}
    assert len(cat(m.of(small))) == grown(payload)
    assert len(warnings(m)) == 1


def test_those_shown_before_grow_too(opened, kvs):
    name = "shown-before"
    m = opened(name)
    shown(m, kvs.fragments(name)[0])
    made = add(kvs, name, *[{"size_bytes": 1000 + i} for i in range(4)])
    assert [shown(m, f) for f in made] == [
        1000 + i + STEPS[0] for i in range(4)]
    for f in made:
        content = cat(m.of(f))
        assert is_whole(kvs, name, f, content)
        assert len(content) == shown(m, f) == grown(payload_bytes(m.of(f)))


@pytest.mark.parametrize("how", ["cat", "cp", "dd", "python", "one pread"])
def test_whoever_reads_it_first(opened, kvs, tmp_path, how):
    name = "readers"
    m = opened(name, "--slack=4096")
    f, = add(kvs, name, {"size_bytes": 50})
    path = m.of(f)
    assert shown(m, f) == 50 + 4096
    if how == "cat":
        content = cat(path)
    elif how == "cp":
        subprocess.run(["cp", path, tmp_path / "copy"], check=True)
        content = (tmp_path / "copy").read_bytes()
    elif how == "dd":
        content = subprocess.run(["dd", f"if={path}", "bs=700", "status=none"],
                                 capture_output=True, check=True).stdout
    elif how == "python":
        content = path.read_bytes()
    else:
        with open(path, "rb", buffering=0) as file:
            head = os.pread(file.fileno(), 4096, 0)
            assert len(head) == 4096
            # The size is known to who has it open, once the rest has come.
            assert expected.until(
                lambda: os.fstat(file.fileno()).st_size > 50 + 4096)
            content = head + file.read()[4096:]
    assert is_whole(kvs, name, f, content)
    assert len(content) == shown(m, f) == grown(payload_bytes(path))


def test_two_mounts_agree(opened, kvs):
    """One shows a size, the other finds out that it was too small."""
    name = "shared"
    one = opened(name)
    shown(one, kvs.fragments(name)[0])
    f, = add(kvs, name, {"size_bytes": 10})
    assert shown(one, f) == 10 + STEPS[0]
    two = opened(name, name="two", cache=one.cache)
    assert shown(two, f) == 10 + STEPS[0]
    content = cat(two.of(f))
    assert is_whole(kvs, name, f, content)
    assert cat(one.of(f)) == content
    assert shown(one, f) == shown(two, f) == len(content)


# What is left after the content; a Void element has at least 2 bytes, and its
# head grows at 127, 16383 and 2097151 of payload.
LEFT = [0, 2, 3, 127, 128, 129, 130, 131, 16384, 16385, 16386, 16387, 16388,
        2097152, 2097153, 2097154, 2097155, 2097156, 2097157]


def test_every_width_of_padding(opened, kvs):
    name = "exact-fit"
    m = opened(name, "--slack=4096")
    first = kvs.fragments(name)[0]
    shown(m, first)
    cat(m.of(first))
    payload = payload_bytes(m.of(first))
    made = add(kvs, name, *[
        {"cluster": 0, "size_bytes": payload + left - 4096} for left in LEFT])
    for f, left in zip(made, LEFT):
        size = shown(m, f)
        assert size == payload + left
        content = cat(m.of(f))
        assert payload_bytes(m.of(f)) == payload
        assert len(content) == size == shown(m, f)
        assert is_whole(kvs, name, f, content)
        assert ebml.parse(content).padding == left
    assert warnings(m) == []
    # One byte short of it, and one byte too large.
    for f, left in zip(add(kvs, name, *[
            {"cluster": 0, "size_bytes": payload + left - 4096}
            for left in (1, -1)]), (1, -1)):
        assert shown(m, f) == payload + left
        content = cat(m.of(f))
        assert is_whole(kvs, name, f, content)
        assert len(content) == shown(m, f) == grown(payload)
        assert f["number"] in warnings(m)[-1]


def test_slack_is_pinned(opened, kvs):
    name = "pinned"
    m = opened(name, "--slack=100K")
    first = kvs.fragments(name)[0]
    kvs.reset()
    assert shown(m, first) == first["size_bytes"] + 100 * 1024
    # Nothing has to be measured.
    assert kvs.count("GetMediaForFragmentList") == 0
    content = cat(m.of(first))
    assert len(content) == first["size_bytes"] + 100 * 1024
    assert is_whole(kvs, name, first, content)
    # Its own measure, once it is not pinned any more.
    m.restart("--metadata-ttl=100ms")
    second, = add(kvs, name, {})
    assert shown(m, second) - second["size_bytes"] in STEPS
    assert shown(m, first) == len(content)
    m.restart("--metadata-ttl=100ms", "--slack=0")
    assert shown(m, first) == len(content)
    bad, later = add(kvs, name, {"size_bytes": 10}, {"size_bytes": 20})
    assert shown(m, bad) == 10
    content = cat(m.of(bad))
    assert is_whole(kvs, name, bad, content)
    assert len(content) == shown(m, bad) == grown(payload_bytes(m.of(bad)))
    assert shown(m, later) == 20
