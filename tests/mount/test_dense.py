# SPDX-License-Identifier: MIT
"""Folders of many pages: how often the service is asked, and how many at once."""
import os
import time

import pytest

import expected
import kvs_server

DAY = "2026-11-20"
ROWS = 43200
PAGES = 44
LATENCY_MS = 200
STREAMS = [{"name": order, "order": order, "start": f"{DAY}T00:00:00Z",
            "end": ROWS, "spacing_ms": 2000, "retention_hours": 96,
            "media": {"kind": "synthetic", "payload_bytes": 1000}}
           for order in ("shuffled", "sorted")]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           quotas=True, now=expected.NOW,
                           args=expected.FROZEN) as server:
        yield server


@pytest.mark.parametrize("order", ["shuffled", "sorted"])
def test_a_dense_day(mount, kvs, order):
    """Several calls are in flight, as many as the service lets through."""
    m = mount(order, "--bucket=day", "--metadata-ttl=1h", server=kvs)
    os.listdir(m.path / "fragments")
    kvs.latency(LATENCY_MS)
    kvs.reset()
    began = time.monotonic()
    names = os.listdir(m.path / "fragments" / DAY)
    took_s = time.monotonic() - began
    kvs.latency(0)
    stats = kvs.stats()["ListFragments"]
    print(f"{order}: {stats['requests']} calls, {stats['most_active']} at "
          f"once, {took_s:.1f} s")
    assert len(names) == len(set(names)) == ROWS
    assert stats["requests"] <= PAGES * 1.1 + 3
    assert stats["throttled"] == 0
    assert 3 <= stats["most_active"] <= 10
    # One after the other they take 8.8 s.
    assert took_s < PAGES * LATENCY_MS / 1000
    kvs.reset()
    assert len(os.listdir(m.path / "fragments" / DAY)) == ROWS
    assert kvs.count("ListFragments") == 0


def test_dense_hours(mount, kvs):
    """An hour is of two pages, and costs two calls; the next hour's are in
    flight meanwhile."""
    m = mount("shuffled", "--metadata-ttl=1h", server=kvs)
    os.listdir(m.path / "fragments" / DAY)
    kvs.latency(50)
    kvs.reset()
    for hour in range(24):
        path = m.path / "fragments" / DAY / f"{hour:02}"
        assert len(os.listdir(path)) == ROWS // 24
    kvs.latency(0)
    stats = kvs.stats()["ListFragments"]
    assert stats["requests"] <= 1.1 * 24 * 2
    assert stats["most_active"] == 2
