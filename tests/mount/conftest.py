# SPDX-License-Identifier: MIT
"""Fixtures of the mount tests; tests/README.md says how to use them."""
import os
import pathlib
import signal

import pytest

import kvs_server
import mounting


# A sanitized program on a busy machine takes some times as long.
TEST_TIMEOUT_S = 200


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """No test hangs: where SIGALRM finds it, it fails."""
    def expired(signum, frame):
        raise TimeoutError(f"{item.name} took more than {TEST_TIMEOUT_S} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_TIMEOUT_S)
    yield
    signal.alarm(0)


def pytest_runtest_logreport(report):
    """At once: pytest's own summary is lost where a later test has to be
    killed."""
    if report.failed and "KVSFS_CHECK" in os.environ:
        print(f"\n{report.nodeid} ({report.when}):\n{report.longreprtext}",
              flush=True)


@pytest.fixture(scope="session")
def kvsfs():
    """The program under test."""
    if not mounting.KVSFS.exists():
        pytest.fail(f"{mounting.KVSFS} is missing: run make first")
    return mounting.KVSFS


@pytest.fixture(scope="session")
def shared():
    """Captures and vectors that are not part of the project."""
    path = pathlib.Path(os.environ.get("KVSFS_SHARED")
                        or mounting.ROOT.parent / "shared")
    if not path.is_dir():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture
def server(request):
    """A local KVS on a port of its own; indirect parameters are Server's
    keywords, without any it has the sample streams."""
    kvs = kvs_server.Server(**getattr(request, "param", {}))
    yield kvs
    code = kvs.stop()
    kvs.close()
    assert code in (None, 0), f"kvs-server exited {code}"


@pytest.fixture
def mount(kvsfs, request, tmp_path):
    """mount(STREAM, *options) -> mounting.Mount, unmounted and checked at
    teardown.  Keywords: server (default: the fixture), name (more than one
    mount in a test), cache (a folder to share), env, start=False."""
    made = []

    def factory(stream, *options, server=None, name="video", cache=None,
                env=None, start=True):
        if server is None:
            server = request.getfixturevalue("server")
        m = mounting.Mount(
            stream, tmp_path / name, cache or tmp_path / "cache",
            tmp_path / f"{name}.log",
            {**mounting.server_environ(server, tmp_path), **(env or {})},
            options)
        made.append(m)
        return m.start() if start else m

    yield factory
    for m in reversed(made):
        m.stop()
