# SPDX-License-Identifier: MIT
"""Names of movies, and what those of a mount must be.

    at = movie_files.hour(m.path, "2026-11-22T13")
    at = movie_files.between(m.path, "2026-11-22T13:05:00", ...13:20:00")
    whole = movie_files.Stream(kvs, "s", m.path).check(at, known=(), void=())
"""
import functools
import os
import re

import expected
import movie_reference

DAY_MS, HOUR_MS = 86400000, 3600000
RANGE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{3})?Z)_"
                   r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{3})?Z)\.mkv")


def hour(top, name):
    return top / "movies" / name[:10] / f"{name}.mkv"


def day(top, name):
    return top / "movies" / f"{name}.mkv"


def stamp(ms):
    """As in the name of a range."""
    text = expected.utc(ms).strftime("%Y-%m-%dT%H-%M-%S")
    return text + (f".{ms % 1000:03}Z" if ms % 1000 else "Z")


def between(top, start, end):
    """ISO times or epoch ms."""
    start, end = (expected.epoch_ms(t + "Z") if isinstance(t, str) else t
                  for t in (start, end))
    return top / "movies" / f"{stamp(start)}_{stamp(end)}.mkv"


def range_of(path):
    """(start, end in epoch ms, is it one by name)."""
    found = RANGE.fullmatch(path.name)
    if found:
        start, end = (expected.epoch_ms(t[:10] + t[10:].replace("-", ":"))
                      for t in found.groups())
        return start, end, True
    if "T" in path.stem:
        start = expected.epoch_ms(f"{path.stem}:00:00Z")
        return start, start + HOUR_MS, False
    start = expected.epoch_ms(f"{path.stem}T00:00:00Z")
    return start, start + DAY_MS, False


def title(stream, start_ms, end_ms):
    def clock(ms):
        text = expected.utc(ms).strftime("%H:%M:%S")
        return text + (f".{ms % 1000:03}" if ms % 1000 else "")

    first, last = (expected.utc(ms).strftime("%Y-%m-%d ")
                   for ms in (start_ms, end_ms))
    return (f"{stream} {first}{clock(start_ms)} \u2013 "
            f"{last if last != first else ''}{clock(end_ms)} UTC")


class Stream:
    """One stream of a mount; its fragments' sizes are asked of their files, or
    are as listed and slack bytes more."""

    def __init__(self, kvs, name, top, *, slack=None, clock=True):
        self.kvs, self.name, self.top = kvs, name, top
        self.slack, self.clock = slack, clock

    def fragments(self, start_ms=None, end_ms=None, reach=False):
        found = self.kvs.fragments(self.name)
        if start_ms is None:
            return movie_reference.in_order(found)
        return movie_reference.chosen(found, start_ms, end_ms, reach)

    @functools.cache
    def media(self, number):
        return movie_reference.Media(self.kvs.media(self.name, number))

    def size_of(self, fragment):
        if self.slack is not None:
            return fragment["size_bytes"] + self.slack
        return os.stat(self.top / "fragments"
                       / expected.path(fragment)).st_size

    def movie(self, path, known=()):
        """What is there now."""
        return movie_reference.Movie(self.fragments(*range_of(path)),
                                     self.size_of, known, self.clock)

    def media_of(self, void=()):
        return lambda f: (None if f["number"] in void
                          else self.media(f["number"]))

    def first(self, movie, void=()):
        """The Media that the others have to be like."""
        return next(m for m in (self.media(s.fragment["number"])
                                for s in movie.slots if not s.out
                                and s.fragment["number"] not in void)
                    if m.parts)

    def check(self, path, data=None, known=(), void=(), movie=None):
        """These bytes, or what the file holds; the Movie."""
        data = path.read_bytes() if data is None else data
        movie = movie or self.movie(path, known)
        start_ms, end_ms, _ = range_of(path)
        n = movie.check_head(data, title(self.name, start_ms, end_ms),
                             self.first(movie, void))
        want, body = movie.body(self.media_of(void)), movie.silent(data[n:])
        # Not by assert, which would print megabytes.
        if body != want:
            raise AssertionError(f"{path.name}: " + expected.first_difference(
                body, want))
        return movie
