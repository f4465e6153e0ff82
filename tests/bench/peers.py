# SPDX-License-Identifier: MIT
"""Other filesystems over the same bytes, each as its own manual sets it up.

Each is a context manager (source folder, scratch folder) that gives the path
where the folder is seen; Missing where it cannot be.
"""
import contextlib
import os
import shutil
import subprocess
import time

from http_origin import serving
from mounting import clean_environ, is_mounted
from table import Missing

READY_TIMEOUT_S = 30
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server",
                "/usr/lib/ssh/sftp-server",
                "/usr/libexec/openssh/sftp-server")


def need(program):
    if not shutil.which(program):
        raise Missing(f"{program} is not installed")


def unmount(path):
    if not is_mounted(path):
        return
    subprocess.run(["umount", "-l", str(path)] if os.getuid() == 0
                   else ["fusermount3", "-uz", str(path)], check=False)


@contextlib.contextmanager
def running(command, at, log):
    """A mount in the foreground, from when it is there until it is gone."""
    at.mkdir()
    with open(log, "ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=clean_environ(at.parent))
    try:
        end = time.monotonic() + READY_TIMEOUT_S
        while not is_mounted(at):
            if process.poll() is not None or time.monotonic() > end:
                last = log.read_text(errors="replace").strip()[-120:]
                raise Missing(f"{command[0]} did not mount: {last}")
            time.sleep(0.02)
        yield at
    finally:
        unmount(at)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def rclone(source, scratch):
    need("rclone")
    with serving(source) as url, running(
            ["rclone", "mount", ":http:", str(scratch / "rclone"),
             "--http-url", url, "--config", "/dev/null", "--read-only",
             "--vfs-cache-mode", "full", "--dir-cache-time", "1h",
             "--attr-timeout", "1h", "--cache-dir",
             str(scratch / "rclone-cache")],
            scratch / "rclone", scratch / "rclone.log") as at:
        yield at


@contextlib.contextmanager
def httpdirfs(source, scratch):
    need("httpdirfs")
    (scratch / "httpdirfs-cache").mkdir()  # it makes none
    with serving(source) as url, running(
            ["httpdirfs", "-f", "--cache", "--cache-location",
             str(scratch / "httpdirfs-cache"), "-o", "kernel_cache", url,
             str(scratch / "httpdirfs")],
            scratch / "httpdirfs", scratch / "httpdirfs.log") as at:
        yield at


@contextlib.contextmanager
def sshfs(source, scratch):
    """Over a pipe, without ssh: nothing is encrypted, nobody logs in."""
    need("sshfs")
    server = next((s for s in SFTP_SERVERS if os.path.exists(s)), None)
    if not server:
        raise Missing("there is no sftp-server")
    pipe = scratch / "sftp"
    pipe.write_text(f"#!/bin/sh\nexec {server}\n")
    pipe.chmod(0o755)
    with running(["sshfs", "-f", "-o", f"ro,kernel_cache,ssh_command={pipe}",
                  "-o", "attr_timeout=3600,entry_timeout=3600",
                  f"here:{source}", str(scratch / "sshfs")],
                 scratch / "sshfs", scratch / "sshfs.log") as at:
        yield at


PEERS = {"rclone": rclone, "httpdirfs": httpdirfs, "sshfs": sshfs}
