# SPDX-License-Identifier: MIT
"""Folders: ls of an hour, find over a month, memory, the mount itself."""
import json
import pathlib
import subprocess
import time

from places import (QUICK, files, hours_ago, place, status_mb, synthetic)
from table import io, median, repeats, result, row, spread

HOUR = 1800
DAYS = 3 if QUICK else 30
PAGE = 1000


def lists(p):
    return p.server.count("ListFragments")


def hour_folder(mount):
    """The only hour of a mount."""
    hours = list((pathlib.Path(mount.path) / "fragments").glob("*/*"))
    if len(hours) != 1:
        raise RuntimeError(f"{len(hours)} hours")
    return hours[0]


def hour_place():
    return place([synthetic("hour", HOUR, 500, start=hours_ago(3))])


def ls_ms(folder):
    return io("run", "ls", "-l", folder)


@row("ls")
def ls_hour():
    """ls -l of an hour the catalog knows; ext4 has files of the same names."""
    first, again, raw_first, raw_again = [], [], [], []
    with hour_place() as p:
        with p.mounted("hour") as m:
            names = [f.name for f in files(m, HOUR)]
            ls_ms(hour_folder(m))
        for turn in range(repeats(9, 5)):
            plain = p.folder / f"plain{turn}"
            plain.mkdir()
            for name in names:
                (plain / name).touch()
            with p.mounted("hour") as m:
                folder = hour_folder(m)
                first.append(ls_ms(folder))
                raw_first.append(ls_ms(plain))
                for _ in range(3):
                    again.append(ls_ms(folder))
                    raw_again.append(ls_ms(plain))
    return [result(f"ls -l of {HOUR} fragments, first after a mount",
                   spread(first, "ms"), "ext4", spread(raw_first, "ms"),
                   median(raw_first) / median(first), ">= 0.3"),
            result(f"ls -l of {HOUR} fragments, repeated",
                   spread(again, "ms"), "ext4", spread(raw_again, "ms"),
                   median(raw_again) / median(again), ">= 0.9")]


@row("ls-calls")
def ls_calls():
    """ListFragments calls of `ls -l` of a settled hour nobody has seen."""
    with hour_place() as p, p.mounted("hour") as m:
        # The folder's name, without a look into what is above it.
        start = p.server.fragments("hour", limit=1)[0]["producer"]
        hour = m.path / "fragments" / start[:10] / start[11:13]
        before = lists(p)
        cold_ms = ls_ms(hour)
        cold = lists(p) - before
        warm_ms = ls_ms(hour)
        warm = lists(p) - before - cold
    return result(f"ls -l of an hour of {HOUR} nobody has listed: calls",
                  f"{cold}, then {warm} ({cold_ms:.0f} ms, {warm_ms:.0f} ms)",
                  f"pages of {PAGE}", f"{-(-HOUR // PAGE)}, then 0",
                  (cold + warm) / -(-HOUR // PAGE), "<= 1")


def find_days(mount):
    """Files that find sees, and the seconds it takes."""
    began = time.monotonic()
    done = subprocess.run(f"find '{mount.path}' -name '*.mkv' | wc -l",
                          shell=True, check=True, stdout=subprocess.PIPE)
    return int(done.stdout), time.monotonic() - began


def lists_of_days(p, stream, last):
    """Those of the last requests that are about days gone by: what reaches
    into today asks for what is new, and may, once that answer is old."""
    if not last:
        return 0
    bodies = [json.loads(r["body"]) for r in p.server.requests(
        api="ListFragments", stream=stream, last=last)]
    today = time.time() - 24 * 3600
    # A page that is not the first has no selector: it counts.
    return sum(body.get("FragmentSelector", {}).get("TimestampRange", {}).get(
        "EndTimestamp", 0) < today for body in bodies)


@row("find")
def find_month():
    """find over dense days, cold and with the catalog of the mount before."""
    count = DAYS * 24 * HOUR
    pages = DAYS * 24 * -(-HOUR // PAGE)
    stream = synthetic("month", count, 500, start=hours_ago(DAYS * 24 + 48),
                       retention_hours=(DAYS + 30) * 24)
    with place([stream]) as p:
        with p.mounted("month") as m:
            found, cold_s = find_days(m)
            cold = lists(p)
            peak = status_mb(m.process.pid, "VmHWM")
            if found != count:
                raise RuntimeError(f"find saw {found} of {count}")
        with p.mounted("month") as m:
            before = lists(p)
            found, warm_s = find_days(m)
            warm = lists_of_days(p, "month", lists(p) - before)
            if found != count:
                raise RuntimeError(f"the second find saw {found} of {count}")
    label = f"find over {DAYS} dense days ({count:,})"
    return [result(f"{label}, cold: requests", f"{cold:,} ({cold_s:.1f} s)",
                   "pages that hold them", f"{pages:,}", cold / pages,
                   "<= 1.1"),
            result(f"{label}: peak resident memory", f"{peak:.1f} MB",
                   "the mark", "64 MB", peak, "<= 64 MB"),
            result(f"{label}, after a remount: requests",
                   f"{warm} ({warm_s:.1f} s)", "settled days", "0", warm,
                   "0")]


@row("memory")
def memory():
    """Resident memory after 100,000 fragments were listed."""
    with place([synthetic("many", 100000, 500, start="-60h")]) as p, \
            p.mounted("many") as m:
        found, _ = find_days(m)
        if found != 100000:
            raise RuntimeError(f"find saw {found}")
        subprocess.run(f"ls -lR '{m.path}' > /dev/null", shell=True,
                       check=True)
        rss = status_mb(m.process.pid, "VmRSS")
    return result("resident after listing 100,000", f"{rss:.1f} MB",
                  "the mark", "40 MB", rss, "< 40 MB")
