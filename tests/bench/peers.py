# SPDX-License-Identifier: MIT
"""Other mounts of the same bytes, their caches warm: what the files of the
cache directory look like through them."""
import contextlib
import http.server
import os
import pathlib
import shutil
import subprocess
import threading
import time
import functools

WAIT_S = 15


class Missing(Exception):
    """It is not installed, or will not mount; str() says which."""


def source_of(p):
    """The chunks under plain names, in one folder."""
    folder = p.folder / "plain"
    if not folder.exists():
        folder.mkdir()
        for i, chunk in enumerate(p.chunk_files()):
            os.link(chunk, folder / f"{i:06}.mkv")
    return folder


def need(program):
    if not shutil.which(program):
        raise Missing(f"{program} is not installed")


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass


@contextlib.contextmanager
def served(folder):
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def running(p, name, command, stdin=None):
    """The command in the foreground until its mount answers and is warm."""
    target = p.folder / f"peer-{name}"
    target.mkdir(exist_ok=True)
    log = open(p.folder / f"{name}.log", "wb")
    process = subprocess.Popen([*command, str(target)], stdin=stdin,
                               stdout=log, stderr=log)
    try:
        end = time.monotonic() + WAIT_S
        while not os.path.ismount(target):
            if process.poll() is not None or time.monotonic() > end:
                raise Missing(f"{name} does not mount")
            time.sleep(0.05)
        for path in sorted(target.rglob("*")):
            if path.is_file():
                path.read_bytes()
        yield pathlib.Path(target)
    finally:
        subprocess.run(["umount", "-l", str(target)], check=False,
                       stderr=subprocess.DEVNULL)
        process.terminate()
        process.wait()
        log.close()


@contextlib.contextmanager
def rclone(p):
    need("rclone")
    with served(source_of(p)) as url, running(p, "rclone", [
            "rclone", "mount", "--config=/dev/null", "--vfs-cache-mode=full",
            f"--cache-dir={p.folder}/rclone-cache", "--read-only",
            "--dir-cache-time=1h", "--attr-timeout=1h",
            f"--http-url={url}", ":http:"]) as folder:
        yield folder


@contextlib.contextmanager
def httpdirfs(p):
    need("httpdirfs")
    with served(source_of(p)) as url, running(p, "httpdirfs", [
            "httpdirfs", "-f", "--cache",
            f"--cache-location={p.folder}/httpdirfs-cache", url]) as folder:
        yield folder


@contextlib.contextmanager
def sshfs(p):
    """Over a pipe: no encryption, no network."""
    need("sshfs")
    server = "/usr/lib/openssh/sftp-server"
    if not os.path.exists(server):
        raise Missing("sftp-server is not installed")
    script = p.folder / "sftp"
    script.write_text(f"#!/bin/sh\nexec {server}\n")
    script.chmod(0o755)
    with running(p, "sshfs", [
            "sshfs", "-f", "-o",
            f"ssh_command={script},ro,kernel_cache,cache_timeout=3600,"
            "entry_timeout=3600,attr_timeout=3600",
            f"host:{source_of(p)}"]) as folder:
        yield folder


ALL = {"rclone": rclone, "httpdirfs": httpdirfs, "sshfs": sshfs}
