# SPDX-License-Identifier: MIT
"""Answers that no service should give: a logged EIO or an escaped name, never
a crash, never a path outside of the tree; and all is well afterwards."""
import concurrent.futures
import errno
import os
import re

import pytest

import ebml
import expected
import kvs_server
import mounting
import watching

SMALL = {"clip": "front-door.mkv", "retention_hours": 72,
         "start": "2026-11-22T13:00:00Z", "end": 20}
STREAMS = [{**SMALL, "name": "door"}, {**SMALL, "name": "yard"}]
MEDIA = "GetMediaForFragmentList"


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(tmp_path / "kvs", streams=STREAMS, now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        yield kvs


def hour(m, stream=""):
    return m.path / stream / "fragments" / "2026-11-22" / "13"


def right(kvs, stream="door"):
    return {expected.file_name(f): f["number"]
            for f in kvs.fragments(stream, "2026-11-22", expected.NOW)}


def is_well(m, kvs, stream="door", below=""):
    """It answers, and what it shows is so."""
    assert m.process.poll() is None
    folder = hour(m, below)
    wanted = right(kvs, stream)
    watching.until(lambda: watching.error_of(os.listdir, folder) == 0)
    watching.until(lambda: set(os.listdir(folder)) == set(wanted))
    for name in sorted(wanted)[:3]:
        watching.until(lambda: watching.error_of(
            watching.read, folder / name) == 0)
        content = watching.read(folder / name)
        assert ebml.parse(content).number == wanted[name]
        assert len(content) == os.stat(folder / name).st_size


# -- listings ------------------------------------------------------------------

LISTINGS = {
    "not-json": {}, "truncated-json": {}, "huge-json": {},
    "huge-json-of-a-gigabyte": {"kind": "huge-json", "bytes": 1 << 30},
    "number-climbs": {"kind": "bad-number", "value": "../../x"},
    "number-empty": {"kind": "bad-number", "value": ""},
    "number-of-letters": {"kind": "bad-number", "value": "12a"},
    "number-with-a-slash": {"kind": "bad-number", "value": "1/2"},
    "number-too-long": {"kind": "bad-number", "value": "1" * 129},
    "number-negative": {"kind": "bad-number", "value": "-1"},
    "number-of-other-digits": {"kind": "bad-number", "value": "\u0661\u0662"},
    "size-negative": {"kind": "bad-size", "value": "-1"},
    "size-2^63": {"kind": "bad-size", "value": "9223372036854775808"},
    "size-2^63-1": {"kind": "bad-size", "value": "9223372036854775807"},
    "size-1e300": {"kind": "bad-size", "value": "1E300"},
    "size-text": {"kind": "bad-size", "value": '"many"'},
    "size-object": {"kind": "bad-size", "value": "{}"},
    "length-negative": {"kind": "bad-length", "value": "-1"},
    "length-2^63": {"kind": "bad-length", "value": "9223372036854775808"},
    "length-text": {"kind": "bad-length", "value": '"long"'},
    "time-1e300": {"kind": "bad-time", "value": "1E300"},
    "time-negative": {"kind": "bad-time", "value": "-1"},
    "time-text": {"kind": "bad-time", "value": '"yesterday"'},
    "time-null": {"kind": "bad-time", "value": "null"},
    "time-of-the-year-300000": {"kind": "bad-time", "value": "9.4E12"},
}
def fault(kvs, options, kind, **more):
    options = {"kind": kind, **options, **more}
    return kvs.fault(options.pop("kind"), **options)


@pytest.mark.parametrize("name", LISTINGS)
def test_bad_listing(mount, server, name):
    m = mount("door", "--timeout=3", "--metadata-ttl=100ms")
    fault(server, LISTINGS[name], name, api="ListFragments", count=-1)
    for path in (hour(m), hour(m).parent, hour(m).parent.parent):
        server.reset()
        before = len(watching.complaints(m, "door"))
        assert watching.error_of(os.listdir, path) == errno.EIO
        said = watching.complaints(m, "door")[before:]
        ids = [r["request_id"] for r in server.requests(api="ListFragments")]
        assert said and all(any(i in line for i in ids) for line in said)
    server.clear_faults()
    is_well(m, server)


def test_pages_for_ever(mount, server):
    """They prove nothing: what may be there is shown, and cannot be listed."""
    m = mount("door", "--metadata-ttl=100ms")
    server.fault("empty-page", api="ListFragments", count=-1)
    assert watching.error_of(os.listdir, hour(m)) == errno.EIO
    assert "13" in os.listdir(hour(m).parent)
    assert "2026-11-22" in os.listdir(hour(m).parent.parent)
    assert watching.complaints(m, "door")
    server.clear_faults()
    is_well(m, server)


def test_a_size_that_is_not_known(mount, server):
    """null is what the service says of fields that are not set."""
    m = mount("door", "--metadata-ttl=1h", "--media-calls=0")
    server.fault("bad-size", value="null", api="ListFragments", count=-1)
    is_well(m, server)
    for path in hour(m).iterdir():
        content = watching.read(path)
        assert ebml.parse(content).number in path.name
        assert len(content) == path.stat().st_size


@pytest.mark.parametrize("name", ["not-json", "truncated-json", "empty-page"])
def test_bad_listing_while_it_is_known(mount, server, name):
    """What was listed stays as it is."""
    m = mount("door", "--timeout=3", "--metadata-ttl=100ms")
    is_well(m, server)
    server.fault(name, api="ListFragments", count=-1)
    server.reset()
    watching.until(lambda: set(os.listdir(hour(m))) == set(right(server))
                   and server.count("ListFragments"))
    assert watching.complaints(m, "door")
    server.clear_faults()
    is_well(m, server)


# -- streams -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../etc", "", "x\ny",
                                  "n" * 257, "\u00fc", "a\u0000b"])
def test_bad_name_of_a_stream(mount, server, name, tmp_path):
    server.fault("bad-name", value=name, api="ListStreams", count=-1)
    try:
        m = mount("*", "--timeout=3")
    except mounting.MountFailed as e:
        assert e.returncode == 1
        lines = e.stderr.strip().splitlines()
        assert "ListStreams" in lines[-1] or "stream" in lines[-1]
        assert not mounting.is_mounted(tmp_path / "video")
        server.clear_faults()
        m = mount("*", name="again")
    else:
        names = os.listdir(m.path)
        # Made of what a name may be made of; never a path.
        assert all(re.fullmatch(r"[-A-Za-z0-9_.%]{1,255}", n) for n in names)
        assert ".." not in names and "." not in names
        assert len(names) <= 2
        if name in ("..", "."):
            escaped = name.replace(".", "%2E")
            assert escaped in names
            assert len(os.listdir(hour(m, escaped))) == 20
        server.clear_faults()
        m.restart()
    assert sorted(os.listdir(m.path)) == ["door", "yard"]
    is_well(m, server, "yard", "yard")


@pytest.mark.parametrize("kind", ["not-json", "truncated-json", "huge-json"])
@pytest.mark.parametrize("stream, api", [("door", "DescribeStream"),
                                         ("*", "ListStreams")])
def test_bad_answer_at_the_start(mount, server, kind, stream, api, tmp_path):
    server.fault(kind, api=api, count=-1)
    with pytest.raises(mounting.MountFailed) as e:
        mount(stream, "--timeout=2", "--log-level=error")
    assert e.value.returncode == 1
    assert len(e.value.stderr.strip().splitlines()) == 1
    assert not mounting.is_mounted(tmp_path / "video")
    server.clear_faults()
    mount(stream, name="again")


@pytest.mark.parametrize("value", [
    "http://127.0.0.1:1/", "not a url", "", "file:///etc/passwd",
    "http://user:secret@127.0.0.1/", "http://127.0.0.1:99999", "gopher://x/",
    "h" * 5000])
def test_bad_endpoint(mount, server, value):
    """Nothing is sent there but what one may send to a service."""
    m = mount("door", "--timeout=2", "--metadata-ttl=100ms")
    server.fault("endpoint", value=value, count=-1)
    code = watching.error_of(os.listdir, hour(m))
    if code == 0:  # an override of the endpoint goes for the data too
        assert server.count("GetDataEndpoint") == 0
    else:
        assert code in (errno.EIO, errno.ETIMEDOUT)
        assert watching.complaints(m, "door")
    server.clear_faults()
    is_well(m, server)


# -- media ---------------------------------------------------------------------

BODIES = {
    "garbage-at-once": {"kind": "garbage", "bytes": 0},
    "garbage-in-the-header": {"kind": "garbage", "bytes": 30},
    "garbage-in-the-tags": {"kind": "garbage", "bytes": 700},
    "garbage-in-the-cluster": {"kind": "garbage", "bytes": 3000},
    "nothing": {"kind": "cut", "bytes": 0, "clean": True},
    "half": {"kind": "cut", "bytes": 6000, "clean": True},
    "header-alone": {"kind": "cut", "bytes": 300, "clean": True},
    "one-byte": {"kind": "cut", "bytes": 1, "clean": True},
}


class Body:
    """What became of a fragment while its stream's media was like that."""

    def __init__(self, kvs, m, name):
        self.kvs, self.m, self.stream = kvs, m, f"door-{name}"
        names = right(kvs, self.stream)
        folder = hour(m, self.stream)
        first, second = sorted(names)[:2]
        # Which calibrates.
        watching.read(folder / first)
        path = folder / second
        self.size = os.stat(path).st_size
        fault(kvs, BODIES[name], name, api=MEDIA, stream=self.stream, count=-1)
        self.code = watching.error_of(watching.read, path)
        self.said = watching.complaints(m, self.stream, names[second])
        self.ids = [r["request_id"] for r in
                    kvs.requests(api=MEDIA, stream=self.stream)]
        self.third = watching.error_of(watching.read,
                                       folder / sorted(names)[2])

    def wait_for_the_end(self):
        is_well(self.m, self.kvs, self.stream, self.stream)
        second = sorted(right(self.kvs, self.stream))[1]
        self.size_after = os.stat(hour(self.m, self.stream) / second).st_size


@pytest.fixture(scope="module", params=[[], ["--raw"]], ids=["anew", "raw"])
def bodies(kvsfs, request, tmp_path_factory):
    """Of all at once, since most take a deadline."""
    home = tmp_path_factory.mktemp("bodies")
    streams = [{**SMALL, "name": f"door-{name}"} for name in BODIES]
    with kvs_server.Server(home / "kvs", streams=streams, now=expected.NOW,
                           args=expected.FROZEN) as kvs:
        m = mounting.Mount("*", home / "video", home / "cache", home / "log",
                           mounting.server_environ(kvs, home),
                           ["--timeout=2", "--metadata-ttl=1h",
                            "--media-calls=0", *request.param])
        m.start()
        with concurrent.futures.ThreadPoolExecutor(len(BODIES)) as pool:
            found = dict(zip(BODIES, pool.map(
                lambda name: Body(kvs, m, name), BODIES)))
            kvs.clear_faults()
            list(pool.map(Body.wait_for_the_end, found.values()))
        yield found
        m.stop()


@pytest.mark.parametrize("name", BODIES)
def test_bad_media(bodies, name):
    body = bodies[name]
    assert body.code in (errno.EIO, errno.ETIMEDOUT)
    assert body.third in (errno.EIO, errno.ETIMEDOUT)
    said, = body.said
    assert any(i in said for i in body.ids)
    assert body.size_after == body.size


@pytest.mark.parametrize("name", ["garbage-at-once", "half"])
def test_bad_media_at_the_first_size(mount, server, name):
    """Nobody can say how large files are: no size is made up."""
    m = mount("door", "--timeout=1", "--metadata-ttl=1h", "--media-calls=0")
    names = os.listdir(hour(m))
    fault(server, BODIES[name], name, api=MEDIA, count=-1)
    code = watching.error_of(os.stat, hour(m) / names[0])
    assert code in (errno.EIO, errno.ETIMEDOUT)
    assert sorted(os.listdir(hour(m))) == sorted(right(server))
    server.clear_faults()
    is_well(m, server)
