# SPDX-License-Identifier: MIT
"""What `make demo` and `make demo-stop` run, on a copy of what they need."""
import os
import pathlib
import shutil
import subprocess

import pytest

import mounting
import watching

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(tmp_path):
    for part in ("tests/demo", "tests/clips"):
        shutil.copytree(ROOT / part, tmp_path / part)

    def run(what):
        return subprocess.run(
            [tmp_path / "tests/demo/run", what, mounting.KVSFS.parent],
            env=mounting.clean_environ(tmp_path / "home"), text=True,
            capture_output=True, timeout=120, check=False)
    yield run
    run("stop")


def served_from(folder):
    """The processes of a demo: the mount, by its index, and the local KVS, by
    its log; those too whose files are deleted."""
    files = (f"{folder}/demo/cache/index.db", f"{folder}/demo/server.log")
    found = set()
    for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(fd).removesuffix(" (deleted)") in files:
                found.add(int(fd.parts[2]))
        except OSError:
            continue
    return found


def test_demo(demo, tmp_path):
    before = sorted(os.listdir(tmp_path))
    for _ in range(2):  # the second begins anew
        done = demo("start")
        assert done.returncode == 0, done.stdout + done.stderr
        video = tmp_path / "demo" / "video"
        assert mounting.is_mounted(video)
        copy, = (tmp_path / "demo").glob("*.mkv")
        assert copy.name in done.stdout
        fragment, = video.rglob(copy.name)
        assert watching.read(fragment) == copy.read_bytes()
        assert str(fragment) in done.stdout
        assert f"{video}/fragments/" in done.stdout
        assert "make demo-stop" in done.stdout
        watching.until(lambda: len(served_from(tmp_path)) == 2)
    done = demo("stop")
    assert done.returncode == 0, done.stderr
    assert not mounting.is_mounted(video)
    watching.until(lambda: not served_from(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before
