# SPDX-License-Identifier: MIT
"""Where a row is measured: a server, caches and mounts that go with it."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KVSFS_BUILD") or ROOT / "build").resolve()
QUICK = os.environ.get("QUICK", "") not in ("", "0")
# Not tmpfs: caches are compared with a disk.
PLACES = os.environ.get("BENCH_DIR") or "/var/tmp"

sys.path.insert(0, str(ROOT / "tests" / "mount"))

import kvs_server  # noqa: E402
import mounting  # noqa: E402

NO_QUOTAS = ("--media-calls=0", "--media-fragments=0",
             "--media-connections=0", "--list-points=0")


def io_modes():
    """The values of --io besides auto; [None] where it is no option."""
    text = subprocess.run([str(mounting.KVSFS), "mount", "--help"],
                          stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"--io=(\S+)", text)
    if not found:
        return [None]
    return [m for m in found[1].split("|") if m != "auto"]


def io_option(mode):
    return [f"--io={mode}"] if mode else []


def hours_ago(hours):
    """The full hour so many hours ago, as the server reads it."""
    return time.strftime("%Y-%m-%dT%H:00:00Z",
                         time.gmtime(time.time() - hours * 3600))


def synthetic(name, count, payload_bytes, **more):
    """A settled stream of made-up fragments that ends after `count`."""
    return {"name": name, "start": "-26h", "end": count, "spacing_ms": 2000,
            "retention_hours": 480,
            "media": {"kind": "synthetic", "payload_bytes": payload_bytes},
            **more}


class Place:
    """folder, server, and the mounts made here."""

    def __init__(self, folder, streams, quotas, args):
        self.folder = pathlib.Path(folder)
        self.server = kvs_server.Server(self.folder, streams=streams,
                                        quotas=quotas, args=args)
        self.quotas = quotas
        self.mounts = []

    def mount(self, stream, cache="cache", options=()):
        common = ["--log-level=info", "--view=fragments",
                  *(() if self.quotas else NO_QUOTAS)]
        m = mounting.Mount(
            stream, self.folder / f"mnt{len(self.mounts) + 1}",
            self.folder / cache, self.folder / "log",
            mounting.server_environ(self.server, self.folder),
            [*common, *options])
        m.start()
        self.mounts.append(m)
        return m

    @contextlib.contextmanager
    def mounted(self, *args, **kwargs):
        m = self.mount(*args, **kwargs)
        try:
            yield m
        finally:
            m.stop()

    def chunk_files(self, cache="cache"):
        return sorted(f for f in (self.folder / cache / "chunks").rglob("*")
                      if f.is_file())

    def close(self):
        for m in self.mounts:
            if m.process is not None:
                m.kill()
        self.server.close()


@contextlib.contextmanager
def scratch():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kvsfs-bench-", dir=PLACES))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def place(streams, quotas=False, args=()):
    with scratch() as folder:
        p = Place(folder, streams, quotas, args)
        try:
            yield p
        finally:
            p.close()


def files(mount, least=1, under=""):
    found = sorted((pathlib.Path(mount.path) / under).rglob("*.mkv"))
    if len(found) < least:
        raise RuntimeError(f"{len(found)} files in {mount.path}")
    return found


def read_all(paths):
    for path in paths:
        path.read_bytes()


def remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def cpu_s(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_mb(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith(key + ":")) / 1024
