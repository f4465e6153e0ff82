# SPDX-License-Identifier: MIT
"""Fixtures of the mount tests; tests/README.md says how to use them."""
import os
import pathlib

import pytest

import mounting


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
def server(kvsfs, tmp_path):
    """A local KVS with its sample streams, on a port of its own."""
    import kvs_server
    with kvs_server.Server(tmp_path / "server") as running:
        yield running


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
            [f"--endpoint-url={server.url}", *options])
        made.append(m)
        return m.start() if start else m

    # The server has to outlive the mounts.
    if "server" in request.fixturenames:
        request.getfixturevalue("server")
    yield factory
    for m in reversed(made):
        m.stop()
