# SPDX-License-Identifier: MIT
"""What the tests of a mount's behaviour over time wait for and look at.

    watching.until(lambda: name in os.listdir(folder))
    watching.error_of(os.listdir, folder)       # errno.ETIMEDOUT, 0: none
    watching.complaints(mount, "front-door")    # what it warned of, by line
"""
import json
import os
import re
import time

# A sanitized program on a busy machine takes some times as long.
PATIENCE_S = 30


def until(condition, seconds=PATIENCE_S, what="what the test waits for"):
    """Its value as soon as that is true; fails where it never is."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not in {seconds} s"
        time.sleep(0.01)


def error_of(call, *args):
    """The errno that it fails with, 0 where it does not."""
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def timed(call, *args):
    """(seconds it took, errno)."""
    start = time.monotonic()
    code = error_of(call, *args)
    return time.monotonic() - start, code


def read(path):
    """Its bytes, asked of the program and not of the page cache."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        with open(fd, "rb", closefd=False) as f:
            return f.read()
    finally:
        os.close(fd)


def complaints(mount, *words):
    """Lines above info level that hold every word."""
    return [line for line in mount.text().splitlines()
            if re.match(r"\S+ (warning|critical|error): ", line)
            and all(word in line for word in words)]


def selectors(kvs, stream=None):
    """(axis, from, to in epoch seconds) of each ListFragments since the
    counters were zeroed; it says so on every page."""
    found = []
    for request in kvs.requests(api="ListFragments", stream=stream):
        selector = json.loads(request["body"])["FragmentSelector"]
        span = selector["TimestampRange"]
        found.append((selector["FragmentSelectorType"],
                      span["StartTimestamp"], span["EndTimestamp"]))
    return found
