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
        assert "make demo-stop" in done.stdout
    done = demo("stop")
    assert done.returncode == 0, done.stderr
    assert not mounting.is_mounted(video)
    assert sorted(os.listdir(tmp_path)) == before
