# SPDX-License-Identifier: MIT
"""make install, the unit, and mount.kvsfs as mount(8) and fstab use it."""
import os
import shutil
import subprocess

import pytest

import mounting
from test_bad_input import AS_ROOT


def make(*args):
    build = os.path.relpath(mounting.BUILD, mounting.ROOT)
    # The flags of a sanitized build would ask for another one.
    san = "address,undefined" if sanitized() else ""
    return subprocess.run(
        ["make", "--no-print-directory", "-o", f"{build}/kvsfs", *args,
         f"BUILD={build}", f"SAN={san}"], cwd=mounting.ROOT, check=True,
        capture_output=True, text=True)


def sanitized():
    return b"__asan_init" in mounting.KVSFS.read_bytes()


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")
                  if not p.is_dir())


def test_destdir_and_prefix(kvsfs, tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/kvsfs")
    assert files(tmp_path) == [
        "etc/kvsfs/example.conf",
        "opt/kvsfs/bin/kvsfs",
        "opt/kvsfs/lib/systemd/system/kvsfs@.service",
        "sbin/mount.kvsfs",
    ]
    assert os.readlink(tmp_path / "sbin/mount.kvsfs") == "/opt/kvsfs/bin/kvsfs"
    unit = (tmp_path / "opt/kvsfs/lib/systemd/system/kvsfs@.service").read_text()
    assert "ExecStart=/opt/kvsfs/bin/kvsfs mount -f " in unit
    assert "/usr/local" not in unit

    (tmp_path / "etc/kvsfs/mine.conf").write_text("STREAM=mine\n")
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/kvsfs")
    assert files(tmp_path) == ["etc/kvsfs/mine.conf"]


def test_unit_is_clean(kvsfs, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    make("install", f"PREFIX={tmp_path}", f"HELPERDIR={tmp_path}/sbin",
         f"SYSCONFDIR={tmp_path}/etc")
    unit = tmp_path / "lib/systemd/system/kvsfs@.service"
    done = subprocess.run(["systemd-analyze", "verify", unit],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_example_has_what_the_unit_asks_for():
    unit = (mounting.ROOT / "systemd/kvsfs@.service").read_text()
    example = (mounting.ROOT / "systemd/example.conf").read_text()
    for name in ("STREAM", "MOUNTPOINT", "OPTIONS"):
        assert f"${{{name}}}" in unit or f"${name}" in unit
        assert f"\n{name}=" in example


@pytest.fixture
def helper(kvsfs, tmp_path):
    path = tmp_path / "mount.kvsfs"
    path.symlink_to(kvsfs)
    return path


def test_helper_goes_to_the_background(helper, server, tmp_path):
    """As mount -t kvsfs -o ... calls it; it returns once the mount answers."""
    path = tmp_path / "video"
    path.mkdir()
    done = subprocess.run(
        [helper, "front-door", path, "-o",
         f"rw,_netdev,nofail,noauto,user,x-systemd.automount,bucket=day,"
         f"cache_dir={tmp_path}/cache"],
        env=mounting.server_environ(server, tmp_path), capture_output=True,
        text=True, timeout=60, check=False)
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert mounting.is_mounted(path)
        day, = [d for d in (path / "fragments").iterdir()][-1:]
        assert any(f.suffix == ".mkv" for f in day.iterdir())
    finally:
        subprocess.run(["fusermount3", "-u", path], check=True)


def test_helper_pretends(helper, server, tmp_path):
    """mount -f"""
    path = tmp_path / "video"
    path.mkdir()
    done = subprocess.run(
        [helper, "front-door", path, "-f", "-o", f"cache_dir={tmp_path}/cache"],
        env=mounting.server_environ(server, tmp_path), capture_output=True,
        text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not mounting.is_mounted(path)
    assert not (tmp_path / "cache").exists()


@AS_ROOT
def test_mount_8(kvsfs, server, tmp_path):
    """mount(8) and umount(8), in a namespace that has the helper in /sbin."""
    (tmp_path / "video").mkdir()
    script = f"""
        set -e
        mount -t tmpfs none /usr/sbin
        ln -s {kvsfs} /usr/sbin/mount.kvsfs
        mount -t kvsfs -o nofail,cache_dir=cache front-door video
        ls video
        umount video
        grep kvsfs /proc/self/mounts || echo gone
    """
    done = subprocess.run(
        ["unshare", "-m", "/bin/sh", "-c", script], cwd=tmp_path,
        env=mounting.server_environ(server, tmp_path), capture_output=True,
        text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "fragments"
    # Of the machine's own mounts nothing may be left of this one.
    assert "gone" in done.stdout or str(tmp_path) not in done.stdout
