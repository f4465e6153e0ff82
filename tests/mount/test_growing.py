# SPDX-License-Identifier: MIT
"""Streams that grow: what arrives is seen in time, wherever it belongs, and
what is over is not asked for again."""
import errno
import os
import time

import pytest

import ebml
import expected
import kvs_server
import watching

NOW = "2026-11-22T16:10:00.000Z"
CLOCK = ["--clock", NOW, "--max-skew", "0"]
TTL_MS = 300
# What a busy machine and a sanitized program add.
SLACK_S = 2.5

SMALL = {"retention_hours": 72,
         "media": {"kind": "synthetic", "payload_bytes": 2000}}
# Growing by two a second: hours 15 and 16.
LIVE = {**SMALL, "name": "live", "start": "-30m", "spacing_ms": 500}
# Hours 12 and 13, and nothing since.
QUIET = {**SMALL, "name": "quiet", "start": "2026-11-22T12:55:00Z", "end": 400,
         "spacing_ms": 2000}
OLD = "2026-11-22/13"


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(tmp_path / "kvs", streams=[LIVE, QUIET], now=NOW,
                           args=CLOCK) as kvs:
        yield kvs


@pytest.fixture
def see(mount):
    """see(STREAM, ...) -> a mount whose knowledge grows old quickly."""
    def make(stream, *options, ttl=f"{TTL_MS}ms", **more):
        return mount(stream, f"--metadata-ttl={ttl}", *options, **more)
    return make


def names(kvs, stream, folder, bucket="hour"):
    """Of what the server can say is there now."""
    found = kvs.fragments(stream, "2026-11-22", "2026-11-24")
    return {expected.file_name(f) for f in found
            if expected.folder(f["producer_ms"], bucket) == folder}


def axes(kvs, stream=None):
    return {axis for axis, _, _ in watching.selectors(kvs, stream)}


def spans_s(kvs):
    return [end - start for _, start, end in watching.selectors(kvs)]


def keep_listing(folder, seconds):
    """How often it did."""
    end = time.monotonic() + seconds
    times = 0
    while time.monotonic() < end:
        os.listdir(folder)
        times += 1
        time.sleep(0.01)
    return times


# -- what arrives --------------------------------------------------------------


def test_what_is_recorded_is_listed_within_the_ttl(see, server):
    hour = see("live").path / "fragments" / "2026-11-22" / "16"
    before = set(os.listdir(hour))
    for _ in range(3):
        there = names(server, "live", "2026-11-22/16")
        watching.until(lambda: set(os.listdir(hour)) >= there,
                       TTL_MS / 1000 + SLACK_S)
        watching.until(lambda: names(server, "live", "2026-11-22/16") > there)
    now = set(os.listdir(hour))
    assert before < now <= names(server, "live", "2026-11-22/16")
    content = watching.read(hour / max(now))
    assert ebml.parse(content).number in max(now)


def test_a_growing_folder_costs_one_call_a_ttl(see, server):
    hour = see("live").path / "fragments" / "2026-11-22" / "16"
    os.listdir(hour)
    server.reset()
    assert keep_listing(hour, 2) > 20
    assert 2 <= server.count("ListFragments") <= 2000 / TTL_MS + 2
    assert axes(server) == {"SERVER_TIMESTAMP"}
    # What may have arrived since, not the hour.
    assert max(spans_s(server)) < 240


def test_a_first_fragment_makes_its_folders(see, server):
    m = see("quiet")
    top = m.path / "fragments"
    assert os.listdir(top) == ["2026-11-22"]
    assert sorted(os.listdir(top / "2026-11-22")) == ["12", "13"]
    made, = server.add("quiet", {})
    folder = expected.folder(made["producer_ms"])
    watching.until(lambda: folder[-2:] in os.listdir(top / "2026-11-22"),
                   TTL_MS / 1000 + SLACK_S)
    assert os.listdir(top / folder) == [expected.file_name(made)]


def test_a_first_fragment_makes_its_folder_for_who_knows_it(see, server):
    """As a job that copies the current hour, whether or not it is there yet."""
    m = see("quiet")
    day = m.path / "fragments" / "2026-11-22"
    assert sorted(os.listdir(day)) == ["12", "13"]
    folder = m.path / "fragments" / expected.folder(
        server.add("quiet", {})[0]["producer_ms"])
    watching.until(folder.exists, TTL_MS / 1000 + SLACK_S)
    assert len(os.listdir(folder)) == 1


def test_what_could_not_be_found_out_is_not_absent(see, server):
    m = see("live", "--timeout=1")
    os.listdir(m.path / "fragments" / "2026-11-22" / "16")
    server.fault("error", name="InternalFailure", status=500,
                 api="ListFragments", count=-1)
    made, = server.add("live", {"number": "4712"})
    path = m.path / "fragments" / expected.path(made)
    time.sleep(TTL_MS / 1000)
    assert watching.error_of(os.stat, path) == errno.ETIMEDOUT
    server.clear_faults()
    # What failed is not tried again for a moment.
    watching.until(lambda: not watching.error_of(os.stat, path), 15)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("producer", ["2026-11-22T16:09:58.123Z",
                                      "2026-11-22T13:01:02.345Z"])
def test_a_name_that_was_not_there_appears(see, server, producer, listed):
    """The kernel remembers absent names too."""
    settled = producer < "2026-11-22T14"
    stream = "quiet" if settled else "live"
    day = see(stream).path / "fragments" / "2026-11-22"
    path = day / producer[11:13] / f"{producer.replace(':', '-')}_4711.mkv"
    if listed:
        os.listdir(path.parent)
    for _ in range(3):
        assert not path.exists()
    server.add(stream, {"producer": producer, "number": "4711"})
    # In a settled folder absence lasts until somebody looks at the stream.
    watching.until(lambda: path.exists() or settled and os.listdir(day / "12")
                   and path.exists(), TTL_MS / 1000 + SLACK_S)
    assert path.name in os.listdir(path.parent)
    assert ebml.parse(watching.read(path)).number == "4711"


def late(kvs, **more):
    made, = kvs.add("quiet", {"producer": "2026-11-22T13:02:03.456Z", **more})
    return expected.file_name(made)


def test_a_late_upload_appears_in_its_old_folder(see, server):
    m = see("quiet")
    old = m.path / "fragments" / OLD
    before = set(os.listdir(old))
    assert before == names(server, "quiet", OLD)
    # The second time it comes from the kernel.
    assert set(os.listdir(old)) == before
    name = late(server)
    watching.until(lambda: name in os.listdir(old), TTL_MS / 1000 + SLACK_S)
    assert set(os.listdir(old)) == before | {name}
    assert (old / name).stat().st_mtime_ns % 10**9 == 456 * 10**6
    m.restart()
    assert set(os.listdir(old)) == before | {name}


def test_looking_elsewhere_brings_a_late_upload(see, server):
    """One mark serves all folders of a stream."""
    m = see("quiet")
    day = m.path / "fragments" / "2026-11-22"
    before = set(os.listdir(day / "13"))
    os.listdir(day / "12")
    name = late(server)
    server.reset()
    watching.until(lambda: os.listdir(day / "12")
                   and server.stats()["ListFragments"]["ok"])
    server.stop()
    # From what is known, with nobody to ask.
    watching.until(lambda: set(os.listdir(day / "13")) == before | {name})
    server.start()


# -- what is over --------------------------------------------------------------


def test_what_is_settled_is_not_asked_for_again(see, server):
    m = see("quiet")
    old = m.path / "fragments" / OLD
    there = set(os.listdir(old))
    server.reset()
    assert keep_listing(old, 1.5) > 20
    assert 1 <= server.count("ListFragments") <= 1500 / TTL_MS + 2
    assert axes(server) == {"SERVER_TIMESTAMP"}
    assert max(spans_s(server)) < 240
    m.restart("--metadata-ttl=1h")
    server.reset()
    assert keep_listing(old, 0.3) > 5
    assert set(os.listdir(old)) == there
    assert server.count("ListFragments") == 0


def test_a_remount_knows_what_was_settled(see, server):
    m = see("quiet")
    first = expected.walk(m.path / "fragments")
    m.restart()
    server.reset()
    assert expected.walk(m.path / "fragments").keys() == first.keys()
    assert axes(server) <= {"SERVER_TIMESTAMP"}
    assert server.count("GetMediaForFragmentList") == 0


def test_a_folder_settles_by_the_mark_alone(see, server):
    """Listed while it grew, then over: known in full without being listed."""
    server.clock(freeze=True, advance_ms=30000)
    m = see("live", "--bucket=minute")
    hour = m.path / "fragments" / "2026-11-22" / "16"
    os.listdir(hour)
    os.listdir(hour / "10")
    server.reset()
    for minute in range(11, 15):
        server.clock(advance_ms=60000)
        there = names(server, "live", f"2026-11-22/16/{minute}", "minute")
        watching.until(lambda: f"{minute}" in os.listdir(hour)
                       and set(os.listdir(hour / f"{minute}")) >= there)
    for minute in range(10, 15):
        assert set(os.listdir(hour / f"{minute}")) == names(
            server, "live", f"2026-11-22/16/{minute}", "minute")
    assert len(os.listdir(hour / "10")) == 120
    # Of minutes that began later each was listed once.
    minutes = [start for axis, start, end in watching.selectors(server)
               if axis == "PRODUCER_TIMESTAMP" and end - start <= 60]
    assert len(minutes) == len(set(minutes)) == 4
    assert min(minutes) * 1000 == expected.epoch_ms("2026-11-22T16:11:00Z")


@pytest.mark.parametrize("remount", [True, False])
def test_a_gap_of_hours_is_not_caught_up(see, server, remount):
    """Folders are listed anew as they are touched instead."""
    m = see("quiet")
    old = m.path / "fragments" / OLD
    before = set(os.listdir(old))
    if remount:
        m.stop()
    # In the middle of the gap: no listing of what is recent finds it.
    name = late(server, server="2026-11-22T17:00:00Z")
    server.reset()
    server.clock(advance_ms=3 * 3600 * 1000)
    if remount:
        m.start()
    watching.until(lambda: set(os.listdir(old)) == before | {name})
    assert all(span < 240 or axis == "PRODUCER_TIMESTAMP" for (axis, _, _), span
               in zip(watching.selectors(server), spans_s(server)))
    assert "PRODUCER_TIMESTAMP" in axes(server)


# -- several mounts ------------------------------------------------------------


def test_two_mounts_share_what_they_know(see, server):
    a = see("quiet", name="a")
    there = set(os.listdir(a.path / "fragments" / OLD))
    first, second = sorted(there)[:2]
    content = watching.read(a.path / "fragments" / OLD / first)
    b = see("quiet", name="b")
    server.reset()
    assert set(os.listdir(b.path / "fragments" / OLD)) == there
    assert watching.read(b.path / "fragments" / OLD / first) == content
    assert axes(server) <= {"SERVER_TIMESTAMP"}
    assert server.count("GetMediaForFragmentList") == 0
    content = watching.read(b.path / "fragments" / OLD / second)
    server.reset()
    assert watching.read(a.path / "fragments" / OLD / second) == content
    assert server.count("GetMediaForFragmentList") == 0


@pytest.mark.parametrize("other_ttl", [f"{TTL_MS}ms", "1h"])
def test_what_one_mount_learns_the_other_shows(see, server, other_ttl):
    a = see("quiet", name="a").path / "fragments" / OLD
    b = see("quiet", name="b", ttl=other_ttl).path / "fragments" / OLD
    for _ in range(2):
        assert os.listdir(a) == os.listdir(b)
    name = late(server)
    absent = b / name
    assert other_ttl != "1h" or not absent.exists()
    watching.until(lambda: name in os.listdir(a), TTL_MS / 1000 + SLACK_S)
    watching.until(lambda: name in os.listdir(b), SLACK_S)
    watching.until(absent.exists, SLACK_S)
    assert os.listdir(a) == os.listdir(b)
    assert watching.read(a / name) == watching.read(b / name)
