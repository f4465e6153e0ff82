# SPDX-License-Identifier: MIT
"""What a mount must look like, computed from what the server holds.

    expected.tree(kvs.fragments("hour"), bucket="minute")
                            # {"2026-11-22/13/05/NAME.mkv": fragment}
    expected.walk(m.path / "fragments")       # {"2026-11-22/13": stat, ...}
"""
import datetime
import os
import pathlib
import re
import time

NOW = "2026-11-22T16:00:00.000Z"
# A server whose clock stands still, so that nothing expires or settles while a
# slow machine works through a test.
FROZEN = ["--clock", NOW, "--freeze", "--max-skew", "0"]

FILE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z_[0-9]{1,128}\.mkv")
STEP_MS = {"day": 86400000, "hour": 3600000, "minute": 60000}


def utc(ms):
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            + datetime.timedelta(milliseconds=ms))


def epoch_ms(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(when.timestamp() * 1000)


def file_name(fragment, axis="producer_ms"):
    when = utc(fragment[axis])
    return (when.strftime("%Y-%m-%dT%H-%M-%S.")
            + f"{fragment[axis] % 1000:03}Z_{fragment['number']}.mkv")


def folder(ms, bucket="hour"):
    return utc(ms).strftime({"day": "%Y-%m-%d", "hour": "%Y-%m-%d/%H",
                             "minute": "%Y-%m-%d/%H/%M"}[bucket])


def path(fragment, bucket="hour", axis="producer_ms"):
    """Below fragments/."""
    return folder(fragment[axis], bucket) + "/" + file_name(fragment, axis)


def tree(fragments, bucket="hour", axis="producer_ms"):
    return {path(f, bucket, axis): f for f in fragments}


def folders(files):
    """Every folder above these paths."""
    return {str(p) for f in files for p in pathlib.PurePath(f).parents
            if str(p) != "."}


def walk(top):
    """{path below top: its stat} of everything."""
    found = {}
    for at, dirs, files in os.walk(top, onerror=_raise):
        for name in dirs + files:
            full = os.path.join(at, name)
            found[os.path.relpath(full, top)] = os.lstat(full)
    return found


def names(top):
    """(folders, files) below top, by reading folders alone."""
    all_dirs, all_files = set(), set()
    for at, dirs, files in os.walk(top, onerror=_raise):
        below = os.path.relpath(at, top)
        all_dirs |= {os.path.normpath(os.path.join(below, d)) for d in dirs}
        all_files |= {os.path.normpath(os.path.join(below, f)) for f in files}
    return all_dirs, all_files


def first_difference(a, b):
    """Where two strings of bytes part, and how; for a failure's message."""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
              min(len(a), len(b)))
    return (f"{len(a)} and {len(b)} bytes, from {at} on: "
            f"{a[at:at + 24].hex()} and {b[at:at + 24].hex()}")


def until(condition, seconds=30):
    """Its value as soon as there is one; the last one after that time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def _raise(error):
    raise error
