# SPDX-License-Identifier: MIT
"""Rows: what one is, where they are kept, how they are printed."""
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from places import BUILD, QUICK, ROOT

# name: function; in the order in which they are printed.
ROWS = {}
# What the rows that will run ask for, for those that share a measurement.
SELECTED = []

HEADINGS = ("row", "kvsfs", "against", "its figure", "ratio", "wanted", "met")


class Missing(Exception):
    """A side cannot be measured here; str() says why."""


def row(name):
    """Registers a function that returns one row or a list of them."""
    def register(fn):
        ROWS[name] = fn
        return fn
    return register


def result(label, ours, against, theirs, ratio, wanted):
    """ratio: a number or a text; wanted: ">= 0.95", "<= 1.1", "0" or text."""
    limit = re.match(r"(>=|<=|<)?\s*([0-9.]+)", wanted)
    met = ""
    if isinstance(ratio, (int, float)):
        if limit:
            mark = float(limit[2])
            met = "yes" if {">=": ratio >= mark, "<=": ratio <= mark,
                            "<": ratio < mark, None: ratio == mark
                            }[limit[1]] else "NO"
        ratio = f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
    return (label, ours, against, theirs, ratio, wanted, met)


def missing(label, why, wanted):
    why = " ".join(str(why).split()).replace("|", "/")
    return (label, "-", "-", "-", f"not measured: {why}", wanted, "")


def median(values):
    return statistics.median(values)


def spread(values, unit="", digits=None):
    """Median (minimum-maximum)."""
    if digits is None:
        middle = median(values)
        digits = 0 if middle >= 100 else 1 if middle >= 10 else 2

    def text(v):
        return f"{v:,.{digits}f}"

    out = text(median(values))
    if len(values) > 1:
        out += f" ({text(min(values))}-{text(max(values))})"
    return f"{out} {unit}".rstrip()


def repeats(full, quick=None):
    return (quick or max(1, full // 3)) if QUICK else full


def version(*command):
    """What a program says of itself: the first number with a dot."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = (re.search(r"SSHFS version (\d+\.[\d.]+)", done.stdout) or
             re.search(r"(\d+\.[\d.]*\d)", done.stdout))
    return found[1] if found else "?"


def tools():
    asked = {"libfuse": ("pkg-config", "--modversion", "fuse3"),
             "rsync": ("rsync", "--version"),
             "curl": ("curl", "--version"),
             "rclone": ("rclone", "version"),
             "httpdirfs": ("httpdirfs", "--version"),
             "sshfs": ("sshfs", "--version")}
    found = {name: version(*command) for name, command in asked.items()}
    return ", ".join(f"{name} {v or 'missing'}" for name, v in found.items())


def filesystem(path):
    """Type of the filesystem path is on."""
    best = ("", "?")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            at, kind = line.split()[1:3]
            if (str(path) + "/").startswith(at.rstrip("/") + "/") and \
                    len(at) >= len(best[0]):
                best = (at, kind)
    return best[1]


def machine(places):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.split(":")[1].strip() for line in f
                    if line.startswith("model name")), platform.machine())
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [f"{os.cpu_count()} x {cpu}, {gib:.0f} GiB, Linux "
             f"{platform.release().split('-')[0]}, "
             f"{filesystem(places)} in {places}, "
             f"{'root' if os.getuid() == 0 else 'not root'}, "
             f"load {os.getloadavg()[0]:.1f} before, "
             f"{time.strftime('%Y-%m-%d', time.gmtime())}",
             tools() + "; medians (minimum-maximum)"]
    if QUICK:
        lines.append("QUICK: fewer repeats and smaller data; the figures are "
                     "rough")
    return "\n".join(lines)


def markdown(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def header():
    return markdown(HEADINGS) + "\n" + "|---" * len(HEADINGS) + "|"


# -- the measuring program ----------------------------------------------------

IO = BUILD / "bench-io"


def compile_io():
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", str(IO),
                    str(ROOT / "tests" / "bench" / "io.c")], check=True)


def io(*args):
    """The figure that bench-io prints; see io.c."""
    done = subprocess.run([str(IO), *map(str, args)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[0])


def names_file(folder, name, paths):
    """A list of files for bench-io, which may be longer than a command."""
    path = pathlib.Path(folder) / name
    path.write_text("".join(f"{p}\n" for p in paths))
    return f"@{path}"
