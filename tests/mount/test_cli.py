# SPDX-License-Identifier: MIT
"""The program as its user meets it: background, foreground, signals, log,
readiness, and what is done with the cache."""
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

import mounting
from test_bad_input import AS_ROOT, NOBODY

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
                  r"(error|warning|info|debug): [^\x00-\x1f\x7f]+$")


def run(kvsfs, *args, env=None):
    return subprocess.run([kvsfs, *map(str, args)], env=env, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False)


def fragments(path):
    return sorted((path / "fragments").glob("*/*/*.mkv"))


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_says_what_it_is(kvsfs):
    assert re.fullmatch(r"kvsfs \d+\.\d+\.\d+\n", run(kvsfs, "--version").stdout)
    done = run(kvsfs, "--help")
    assert done.returncode == 0 and "kvsfs mount [options]" in done.stdout
    done = run(kvsfs, "mount", "--help")
    assert done.returncode == 0 and "--cache-size=SIZE" in done.stdout
    done = run(kvsfs, "cache", "--help")
    assert done.returncode == 0 and "--cache-dir=DIR" in done.stdout
    assert "--region" not in done.stdout


def test_background(kvsfs, server, tmp_path):
    """Silent, 0 once the mount answers, and no longer anybody's child."""
    path = tmp_path / "video"
    path.mkdir()
    done = run(kvsfs, "mount", f"--cache-dir={tmp_path}/cache", "front-door",
               path, env=mounting.server_environ(server, tmp_path))
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert os.listdir(path) != []
        pid = owner(path, tmp_path)
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == \
            ["/dev/null"] * 3
    finally:
        subprocess.run(["fusermount3", "-u", path], check=True)
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists())


def owner(path, tmp_path):
    """The process that serves a mount: it has the cache's index open."""
    for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(fd) == str(tmp_path / "cache" / "index.db"):
                return int(fd.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody serves {path}")


def test_foreground_tells_when_it_is_ready(server, mount, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        m = mount("front-door", start=False)
        notify.bind(str(tmp_path / "notify"))
        m.path.mkdir()
        m.process = subprocess.Popen(
            m.command(), env={**m.env, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=open(m.log, "ab"))
        notify.settimeout(60)
        assert notify.recv(4096).startswith(b"READY=1\n")
        assert os.listdir(m.path) != []
        m.stop()
        assert notify.recv(4096) == b"STOPPING=1"


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_unmount(mount, sig):
    m = mount("front-door")
    m.process.send_signal(sig)
    assert m.process.wait(60) == 0
    m.process = None
    assert not mounting.is_mounted(m.path)
    assert list(m.path.iterdir()) == []


def test_log_lines(mount):
    m = mount("front-door")
    fragments(m.path)[0].read_bytes()
    m.stop()
    lines = m.text().splitlines()
    assert any("info: front-door is mounted at" in line for line in lines)
    assert [line for line in lines if not LINE.match(line)] == []
    m.log.unlink()
    m.restart("--log-level=error")
    m.stop()
    assert m.text() == ""


def test_who_and_what_may(mount):
    m = mount("front-door", "--uid=1234", "--gid=2345", "--umask=0027")
    st = m.path.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == \
        (1234, 2345, 0o750)
    st = fragments(m.path)[0].stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == \
        (1234, 2345, 0o440)


def test_options_by_list(mount):
    m = mount("front-door", "-o", "bucket=day,noexec,umask=0077")
    assert [p.suffix for p in (m.path / "fragments").glob("*/*")][0] == ".mkv"
    assert os.statvfs(m.path).f_flag & os.ST_NOEXEC


@AS_ROOT
def test_allow_other(mount, tmp_path):
    look = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", "ls", "."]
    m = mount("front-door")
    # The folder is entered by root: pytest's folders are closed to others.
    assert subprocess.run(look, cwd=m.path, check=False,
                          capture_output=True).returncode != 0
    m.restart("--allow-other")
    assert subprocess.run(look, cwd=m.path, check=False,
                          capture_output=True).stdout.split()[0] == b"fragments"


def test_cache_commands(kvsfs, mount):
    m = mount("front-door", "--readahead=0")
    cache = f"--cache-dir={m.cache}"
    assert run(kvsfs, "cache", "info", "--cache-dir=/nowhere/at/all").stdout \
        == "/nowhere/at/all: no cache yet\n"
    files = fragments(m.path)[:3]
    contents = [f.read_bytes() for f in files]
    info = run(kvsfs, "cache", "info", cache)
    assert info.returncode == 0
    assert re.search(r"^fragments  3, ", info.stdout, re.M), info.stdout

    done = run(kvsfs, "cache", "clear", cache)
    assert done.returncode == 1 and done.stderr.startswith("kvsfs: ")
    assert [f.read_bytes() for f in files] == contents
    m.stop()

    assert run(kvsfs, "cache", "verify", cache).stdout == \
        "3 fragments checked, 0 damaged\n"
    chunk = next(p for p in (m.cache / "chunks").rglob("*") if p.is_file())
    with open(chunk, "r+b") as f:
        f.seek(2000)
        byte = f.read(1)
        f.seek(2000)
        f.write(bytes([byte[0] ^ 1]))
    done = run(kvsfs, "cache", "verify", cache)
    assert done.returncode == 1
    assert done.stdout.startswith("3 fragments checked, 1 damaged")

    m.start()
    assert [f.read_bytes() for f in files] == contents
    m.stop()
    done = run(kvsfs, "cache", "clear", cache)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(m.cache.iterdir()) == []


@AS_ROOT
@pytest.mark.parametrize("how", ["ro", "size=64k"])
def test_disk_that_takes_nothing(kvsfs, server, tmp_path, how):
    """Read-only or full: a warning, and the mount works all the same."""
    disk = tmp_path / "disk"
    disk.mkdir()
    path = tmp_path / "video"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", how, "none", disk], check=True)
    before = set(pathlib.Path("/dev/shm").glob("kvsfs-*"))
    try:
        if how != "ro":
            with open(disk / "full", "wb") as f:
                try:
                    f.write(bytes(1 << 20))
                    f.flush()
                except OSError:
                    pass
        done = run(kvsfs, "mount", f"--cache-dir={disk}/cache", "front-door",
                   path, env=mounting.server_environ(server, tmp_path))
        assert done.returncode == 0, done.stderr
        assert "warning: " in done.stderr and done.stderr.count("\n") == 1
        file = fragments(path)[0]
        assert file.read_bytes() == file.read_bytes()
        subprocess.run(["fusermount3", "-u", path], check=True)
        wait_until(lambda: set(pathlib.Path("/dev/shm").glob("kvsfs-*"))
                   <= before)
    finally:
        subprocess.run(["umount", "-lq", path], check=False)
        subprocess.run(["umount", "-l", disk], check=True)


@AS_ROOT
def test_memory_of_a_mount_that_was_killed(server, tmp_path):
    """The next one that needs memory takes it away."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", disk], check=True)
    before = set(pathlib.Path("/dev/shm").glob("kvsfs-*"))
    m = mounting.Mount("front-door", tmp_path / "video", disk / "cache",
                       tmp_path / "log",
                       mounting.server_environ(server, tmp_path))
    try:
        m.start()
        left = set(pathlib.Path("/dev/shm").glob("kvsfs-*")) - before
        assert len(left) == 1
        m.kill()
        m.start()
        assert fragments(m.path)[0].read_bytes()
        m.stop()
        assert not left & set(pathlib.Path("/dev/shm").glob("kvsfs-*"))
    finally:
        subprocess.run(["umount", "-lq", m.path], check=False)
        subprocess.run(["umount", "-l", disk], check=True)
