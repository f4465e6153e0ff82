# SPDX-License-Identifier: MIT
"""A mount of build/kvsfs, as the tests use one.

It runs in the foreground, so that its exit status and a sanitizer's report are
seen, and says by sd_notify when it answers, so that nobody sleeps to wait.
"""
import os
import pathlib
import select
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KVSFS_BUILD") or ROOT / "build").resolve()
KVSFS = BUILD / "kvsfs"

# Sanitized builds on two cores are slow to start and to say good-bye.
READY_TIMEOUT_S = 60
EXIT_TIMEOUT_S = 60

REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
           "runtime error:", "WARNING: ThreadSanitizer")


class MountFailed(Exception):
    """The program ended before the mount answered; str() is its stderr."""

    def __init__(self, returncode, stderr):
        super().__init__(f"exit {returncode}: {stderr}")
        self.returncode = returncode
        self.stderr = stderr


def clean_environ(home, **more):
    """The caller's environment without a trace of AWS or systemd in it."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AWS_", "XDG_", "G_MESSAGES"))
           and k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "CACHE_DIRECTORY")}
    env.update(HOME=str(home), AWS_EC2_METADATA_DISABLED="true", LC_ALL="C.UTF-8",
               UBSAN_OPTIONS="print_stacktrace=1")
    env.update({k: str(v) for k, v in more.items() if v is not None})
    return env


def server_environ(server, home):
    """With what a program needs to find `server` and to be let in."""
    return clean_environ(home, **server.environment())


def is_mounted(path):
    """As /proc/mounts says, which also knows a mount that nobody serves."""
    name = str(path).replace("\\", "\\134").replace(" ", "\\040")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return any(line.split()[1] == name for line in f)


class Mount:
    """path, cache and log are pathlib.Path; process is the running kvsfs."""

    def __init__(self, stream, path, cache, log, env, options=()):
        self.stream = stream
        self.path = path
        self.cache = cache
        self.log = log
        self.env = env
        self.options = list(options)
        self.process = None

    def command(self):
        # KVSFS_IO: all tests in a mode that is not this machine's default.
        io = os.environ.get("KVSFS_IO")
        return [str(KVSFS), "mount", "-f", "--log-level=debug",
                f"--cache-dir={self.cache}", *([f"--io={io}"] if io else []),
                *self.options, self.stream,
                str(self.path)]

    def start(self):
        """Returns once the mount answers; MountFailed where it never will."""
        self.path.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.log, "ab") as log:
            # An abstract name: temporary folders outgrow sun_path.
            notify.bind(f"\0kvsfs-test-{os.getpid()}-{id(self)}")
            env = dict(self.env)
            env["NOTIFY_SOCKET"] = "@" + notify.getsockname()[1:].decode()
            start = self.log.stat().st_size
            self.process = subprocess.Popen(
                self.command(), env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
            self._wait_ready(notify, start)
        return self

    def _wait_ready(self, notify, start):
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while True:
                ready, _, _ = select.select([notify, pidfd], [], [],
                                            READY_TIMEOUT_S)
                if notify in ready and b"READY=1" in notify.recv(4096):
                    return
                if pidfd in ready:
                    code = self.process.wait()
                    self.process = None
                    raise MountFailed(code, self.text()[start:])
                if not ready:
                    self.kill()
                    raise MountFailed(None, "not ready in time\n" + self.text())
        finally:
            os.close(pidfd)

    def text(self):
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self):
        """As a crash would; the dead mount is taken away."""
        self.process.kill()
        self.process.wait()
        self.process = None
        subprocess.run(["umount", "-l", str(self.path)] if os.getuid() == 0
                       else ["fusermount3", "-uz", str(self.path)], check=False)

    def stop(self):
        """Unmounts; the program must end by itself, with 0 and no report."""
        if self.process is None:
            return
        subprocess.run(["fusermount3", "-u", str(self.path)], check=True)
        try:
            code = self.process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                "kvsfs did not end after unmount:\n" + self.text()) from None
        self.process = None
        text = self.text()
        assert code == 0, f"kvsfs exited {code}:\n{text}"
        for report in REPORTS:
            assert report not in text, text

    def restart(self, *options):
        """Unmounts and mounts anew, with other options where some are given."""
        self.stop()
        if options:
            self.options = list(options)
        return self.start()
