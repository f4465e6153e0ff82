# SPDX-License-Identifier: MIT
"""What a mount does while the service is down, slow, refuses or stammers, and
that all of it works again afterwards."""
import concurrent.futures
import errno
import os
import signal
import subprocess
import threading

import pytest

import ebml
import expected
import kvs_server
import mounting
import watching

# 300 fragments in hour 12, 300 in hour 13, all of it hours ago.
DOOR = {"name": "door", "clip": "front-door.mkv", "retention_hours": 72,
        "start": "2026-11-22T12:50:00Z", "end": 600}
CLOCK = ["--clock", expected.NOW, "--max-skew", "0"]
TIMEOUT_S = 2
# The kernel asks again after a failed readahead; machines are busy.
GRACE_S = 3
# How long a failure is remembered, and then some.
MEMORY_S = 15

MEDIA = "GetMediaForFragmentList"


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(tmp_path / "kvs", streams=[DOOR], now=expected.NOW,
                           args=CLOCK) as kvs:
        yield kvs


class Door:
    """Its mount, what is in it and what that must hold."""

    def __init__(self, kvs, mount):
        self.kvs, self.mount = kvs, mount
        self.day = mount.path / "fragments" / "2026-11-22"
        self.hour, self.unlisted = self.day / "13", self.day / "12"
        self.found = kvs.fragments("door", "2026-11-22", expected.NOW)
        self.names = {h: {expected.file_name(f) for f in self.found
                          if expected.path(f)[11:13] == h}
                      for h in ("12", "13")}
        self.fragments = [f for f in self.found
                          if expected.path(f)[11:13] == "13"]

    def path(self, n):
        return self.hour / expected.file_name(self.fragments[n])

    def number(self, n):
        return self.fragments[n]["number"]

    def check(self, n):
        """That a read gives the right content."""
        sent = ebml.parse(self.kvs.media("door", self.number(n)))
        got = ebml.parse(watching.read(self.path(n)))
        assert got.number == self.number(n)
        assert got.blocks == sent.blocks

    def works(self, n):
        """Once what failed is forgotten."""
        watching.until(lambda: not watching.error_of(watching.read,
                                                     self.path(n)), MEMORY_S)
        self.check(n)


@pytest.fixture
def door(server, mount):
    """Hour 13 listed, sizes known, fragments 0 and 1 cached."""
    door = Door(server, mount("door", f"--timeout={TIMEOUT_S}",
                              "--metadata-ttl=200ms", "--media-calls=0",
                              "--readahead=0"))
    assert set(os.listdir(door.hour)) == door.names["13"]
    for entry in os.scandir(door.hour):
        entry.stat()
    door.check(0)
    door.check(1)
    return door


def still_there(door):
    """What was listed and cached, without a wait."""
    for _ in range(2):
        took, code = watching.timed(os.listdir, door.hour)
        assert code == 0 and took < 2.5
        assert set(os.listdir(door.hour)) == door.names["13"]
    done = subprocess.run(["ls", "-l", door.hour], capture_output=True,
                          timeout=20, check=True)
    assert len(done.stdout.splitlines()) == len(door.names["13"]) + 1


def fails_in_time(call, path):
    took, code = watching.timed(call, path)
    assert code == errno.ETIMEDOUT
    assert took < TIMEOUT_S + GRACE_S


def test_server_stopped(door):
    before = [watching.read(door.path(n)) for n in (0, 1)]
    door.kvs.stop()
    still_there(door)
    assert [watching.read(door.path(n)) for n in (0, 1)] == before
    fails_in_time(watching.read, door.path(2))
    fails_in_time(os.listdir, door.unlisted)
    # Not "no such file": nobody knows.
    name = next(iter(door.names["12"]))
    fails_in_time(os.stat, door.unlisted / name)
    door.kvs.start()
    door.works(2)
    assert set(os.listdir(door.unlisted)) == door.names["12"]
    os.stat(door.unlisted / name)


def test_server_that_never_answers(door):
    before = watching.read(door.path(0))
    os.kill(door.kvs.process.pid, signal.SIGSTOP)
    try:
        still_there(door)
        assert watching.read(door.path(0)) == before
        fails_in_time(watching.read, door.path(2))
        fails_in_time(os.listdir, door.unlisted)
    finally:
        os.kill(door.kvs.process.pid, signal.SIGCONT)
    door.works(2)
    assert set(os.listdir(door.unlisted)) == door.names["12"]


def test_a_stream_that_is_deleted(door):
    """Gone, not out of order: said at the first try.  What is here stays."""
    before = watching.read(door.path(0))
    door.kvs.control("stream", stream="door", deleted=True)
    door.kvs.reset()
    assert watching.error_of(watching.read, door.path(2)) == errno.ENOENT
    assert [r["error"] for r in door.kvs.requests(api=MEDIA)] == [
        "ResourceNotFoundException"]
    assert watching.error_of(os.listdir, door.unlisted) == errno.ENOENT
    assert watching.read(door.path(0)) == before
    door.kvs.control("stream", stream="door", deleted=False)
    door.works(2)
    assert set(os.listdir(door.unlisted)) == door.names["12"]


@pytest.mark.parametrize("below", ["", "2026-11-22", "2026-11-22/13"])
@pytest.mark.parametrize("name, code", [
    ("InternalFailure", errno.ETIMEDOUT),
    ("AccessDeniedException", errno.EACCES)])
def test_a_failed_listing_is_not_knowledge(server, mount, below, name, code):
    m = mount("door", "--timeout=1", "--metadata-ttl=1h")
    folder = m.path / "fragments" / below
    server.fault("error", api="ListFragments", count=-1, name=name,
                 status=500 if name == "InternalFailure" else 403)
    assert watching.error_of(os.listdir, folder) == code
    assert watching.complaints(m, "door", name)
    server.clear_faults()
    door = Door(server, m)
    watching.until(lambda: not watching.error_of(os.listdir, folder), MEMORY_S)
    assert set(os.listdir(folder)) == {
        "": {"2026-11-22"}, "2026-11-22": {"12", "13"},
        "2026-11-22/13": door.names["13"]}[below]


def test_server_gone_at_the_first_listing(server, mount):
    m = mount("door", "--timeout=1")
    server.stop()
    hour = m.path / "fragments" / "2026-11-22" / "13"
    assert watching.error_of(os.listdir, hour) == errno.ETIMEDOUT
    server.start()
    door = Door(server, m)
    watching.until(lambda: not watching.error_of(os.listdir, hour), MEMORY_S)
    assert set(os.listdir(hour)) == door.names["13"]


# -- credentials ---------------------------------------------------------------


@pytest.mark.parametrize("change", [
    {"secret_key": "another"}, {"expired": True}, {"remove": True}])
def test_no_longer_let_in(door, change):
    keys = {"access_key": kvs_server.ACCESS_KEY,
            "secret_key": kvs_server.SECRET_KEY}
    door.kvs.control("credentials", **{**keys, **change})
    assert watching.error_of(watching.read, door.path(2)) == errno.EACCES
    assert watching.error_of(os.listdir, door.unlisted) == errno.EACCES
    still_there(door)
    door.check(0)
    refused = door.kvs.requests(api=MEDIA)[-1]
    assert watching.complaints(door.mount, "door", door.number(2),
                               refused["error"])
    door.kvs.control("credentials", **keys)
    door.works(2)
    assert set(os.listdir(door.unlisted)) == door.names["12"]


def test_keys_renewed_in_their_file(server, mount, tmp_path):
    """As tools that hand out temporary keys do it."""
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()

    def hand_out(n):
        keys = {"access_key": f"AKID{n}", "secret_key": f"secret{n}",
                "session_token": f"token{n}"}
        server.control("credentials", **keys)
        fresh = file.with_suffix(".new")
        fresh.write_text("[default]\n"
                         f"aws_access_key_id = {keys['access_key']}\n"
                         f"aws_secret_access_key = {keys['secret_key']}\n"
                         f"aws_session_token = {keys['session_token']}\n")
        fresh.rename(file)
        return keys

    keys = hand_out(1)
    m = mount("door", f"--timeout={TIMEOUT_S}", start=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del m.env[name]
    m.start()
    door = Door(server, m)
    door.check(0)
    server.control("credentials", **keys, expired=True)
    assert watching.error_of(watching.read, door.path(1)) == errno.EACCES
    hand_out(2)
    door.works(1)
    # In time, nobody notices.
    server.control("credentials", **hand_out(3), expired=False)
    server.control("credentials", access_key="AKID2", secret_key="secret2",
                   session_token="token2", expired=True)
    door.check(2)
    assert set(os.listdir(door.unlisted)) == door.names["12"]


# -- what passes ---------------------------------------------------------------

PASSING = {
    "throttle": {"count": 3},
    "throttle-connection": {"kind": "throttle", "value": "connection",
                            "count": 3},
    "error": {"count": 2},
    "unavailable": {"kind": "error", "status": 503,
                    "name": "ServiceUnavailable"},
    "hangup": {"count": 2},
    "delay": {"ms": 300},
    "not-found": {"count": 2},
    "not-found-exception": {"kind": "not-found", "count": 2, "exception": True},
    "in-band": {"count": 2, "code": 5000},
    "missing": {"count": 2},
    "cut": {"count": 2, "bytes": 7000},
    "cut-clean": {"kind": "cut", "count": 2, "bytes": 7000, "clean": True},
    "cut-at-once": {"kind": "cut", "count": 2, "bytes": 0},
    "duplicate": {},
}


@pytest.mark.parametrize("name", PASSING)
def test_media_that_fails_and_passes(door, name):
    options = {"kind": name, "count": 1, "api": MEDIA, **PASSING[name]}
    kind = options.pop("kind")
    door.kvs.reset()
    door.kvs.fault(kind, **options)
    door.check(2)
    assert door.kvs.ask("faults") == []
    door.check(3)
    more = 0 if kind in ("delay", "duplicate") else options["count"]
    assert door.kvs.count(MEDIA) == 2 + more


@pytest.mark.parametrize("kind, options", [
    ("throttle", {"count": 3}), ("error", {"count": 2}),
    ("hangup", {"count": 2}), ("delay", {"ms": 300}),
    ("empty-page", {})])
def test_listing_that_fails_and_passes(door, kind, options):
    door.kvs.fault(kind, api="ListFragments", **options)
    assert set(os.listdir(door.unlisted)) == door.names["12"]


def test_quotas(server, mount):
    """The service's own limits, faster readers than they allow."""
    server.control("quotas", on=True, calls=5, connections=5, fragments=500,
                   points=10000)
    door = Door(server, mount("door", "--media-calls=0", "--list-points=0"))
    assert set(os.listdir(door.hour)) == door.names["13"]
    wrong = []

    def reader(first):
        for n in range(first, first + 5):
            try:
                door.check(n)
            except Exception as e:  # shown by the assertion
                wrong.append((n, e))

    threads = [threading.Thread(target=reader, args=(n,))
               for n in range(0, 40, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


# -- what does not -------------------------------------------------------------

# Longer than the tries for what is not found yet.
LONG_S = 4
# The errno, the fault, and what the service called it.
LASTING = {
    "error": (errno.ETIMEDOUT, {"name": "InternalFailure"}, "InternalFailure"),
    "denied": (errno.EACCES, {"kind": "error", "status": 403,
                              "name": "AccessDeniedException"}, "AccessDenied"),
    "throttle": (errno.ETIMEDOUT, {}, "ClientLimitExceeded"),
    "hangup": (errno.ETIMEDOUT, {}, None),
    "kms": (errno.EACCES, {"kind": "in-band", "code": 4500}, "4500"),
    "internal": (errno.ETIMEDOUT, {"kind": "in-band", "code": 5000}, "5000"),
    "not-found": (errno.EIO, {}, "FRAGMENT_NOT_FOUND"),
    "not-found-exception": (errno.EIO, {"kind": "not-found",
                                        "exception": True}, "4000"),
    "missing": (errno.ETIMEDOUT, {}, None),
    "garbage": (errno.EIO, {"bytes": 0}, None),
    "garbage-later": (errno.EIO, {"kind": "garbage", "bytes": 5000}, None),
    "cut": (errno.ETIMEDOUT, {"bytes": 5000}, None),
    "stall": (errno.ETIMEDOUT, {"bytes": 0}, None),
    "stall-later": (errno.ETIMEDOUT, {"kind": "stall", "bytes": 5000}, None),
}


class Outcome:
    """What readers of a fragment met while its stream's media failed."""

    def __init__(self, kvs, mount, name):
        _, options, _ = LASTING[name]
        stream = f"door-{name}"
        self.kvs, self.mount, self.stream = kvs, mount, stream
        self.found = kvs.fragments(stream, "2026-11-22", expected.NOW)
        self.content(0)
        options = {"kind": name, **options}
        kvs.fault(options.pop("kind"), api=MEDIA, stream=stream, count=-1,
                  **options)
        self.read = []
        readers = [threading.Thread(target=lambda: self.read.append(
            watching.timed(watching.read, self.path(1)))) for _ in range(3)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        self.complaints = watching.complaints(mount, self.found[1]["number"])
        self.answers = kvs.requests(api=MEDIA, stream=stream)
        self.cached = self.content(0)

    def path(self, n):
        return (self.mount.path / self.stream / "fragments"
                / expected.path(self.found[n]))

    def content(self, n):
        return ebml.parse(watching.read(self.path(n))).number

    def wait_for_the_end(self):
        """Faults are cleared."""
        self.other = self.content(2)
        self.again = watching.until(lambda: self._again(), MEMORY_S)

    def _again(self):
        try:
            return self.content(1)
        except OSError:
            return None


@pytest.fixture(scope="module")
def outcomes(kvsfs, tmp_path_factory):
    """Of all at once, since each takes the whole deadline."""
    home = tmp_path_factory.mktemp("lasting")
    streams = [{**DOOR, "end": 3, "name": f"door-{name}"} for name in LASTING]
    with kvs_server.Server(home / "kvs", streams=streams, now=expected.NOW,
                           args=CLOCK) as kvs:
        m = mounting.Mount("*", home / "video", home / "cache", home / "log",
                           mounting.server_environ(kvs, home),
                           [f"--timeout={LONG_S}", "--metadata-ttl=1h"])
        m.start()
        with concurrent.futures.ThreadPoolExecutor(len(LASTING)) as pool:
            found = dict(zip(LASTING, pool.map(
                lambda name: Outcome(kvs, m, name), LASTING)))
            kvs.clear_faults()
            list(pool.map(Outcome.wait_for_the_end, found.values()))
        yield found
        m.stop()


@pytest.mark.parametrize("name", LASTING)
def test_media_that_fails(outcomes, name):
    code, _, told = LASTING[name]
    outcome = outcomes[name]
    assert [e for _, e in outcome.read] == 3 * [code]
    assert max(took for took, _ in outcome.read) < LONG_S + GRACE_S
    # Once, however many waited, with what support will ask for.
    said, = outcome.complaints
    assert outcome.stream in said
    if told:
        assert told in said
        assert any(a["request_id"] in said for a in outcome.answers)
    # What is cached stays, and nothing is the worse for it afterwards.
    assert outcome.cached == outcome.found[0]["number"]
    assert outcome.other == outcome.found[2]["number"]
    assert outcome.again == outcome.found[1]["number"]
