# SPDX-License-Identifier: MIT
"""What a movie must be, worked out from the fragments' own files.

    parts = movie_reference.parts(m.path / "fragments")   # all of a stream
    chosen = movie_reference.choose(parts, from_ms, to_ms, reach=True)
    lost = movie_reference.lost(chosen)                   # indices
    movie = movie_reference.Movie(path.read_bytes())      # raises Malformed
    movie.check(chosen, lost)

It shares no code with fs/.  A part's bytes are read through the mount once and
taken apart by ebml.py; the movie's own bytes have to be the same ones.
"""
import os
import pathlib
import struct

import ebml
import expected

CUE_BYTES = 27
ROUND_BYTES = 4096


class Part:
    """A fragment: when it is, and its file."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        stamp, number = self.path.stem.split("_")
        stamp = stamp[:13] + ":" + stamp[14:16] + ":" + stamp[17:]
        self.ms = expected.epoch_ms(stamp)
        self.number = number
        self.length_ms = int(os.getxattr(path, "user.kvs.length_ms"))
        self.size = os.stat(path).st_size
        self._file = None

    @property
    def end_ms(self):
        return self.ms + self.length_ms

    @property
    def order(self):
        return len(self.number), self.number

    @property
    def file(self):
        if self._file is None:
            self._file = ebml.parse(self.path.read_bytes())
        return self._file

    def kept(self):
        """For each Cluster (its time as sent, what of it stays)."""
        dropped = ("Timestamp", "CRC-32", "Position", "PrevSize", "Void")
        return list(zip(self.file.cluster_times, (
            b"".join(c.raw for c in cluster.children if c.name not in dropped)
            for cluster in self.file.clusters)))


def parts(top):
    """Every fragment below a folder, by time and number."""
    found = [Part(os.path.join(at, name))
             for at, _, names in os.walk(top) for name in names]
    return sorted(found, key=lambda p: (p.ms, p.order))


def choose(all_parts, from_ms, to_ms, reach=False):
    inside = [p for p in all_parts if from_ms <= p.ms < to_ms]
    before = [p for p in all_parts if p.ms < from_ms]
    if reach and before:
        last = min((p for p in before if p.ms == before[-1].ms),
                   key=lambda p: p.order)
        if last.end_ms > from_ms:
            inside.insert(0, last)
    return inside


def lost(chosen):
    """Indices of those that another goes before."""
    stays, out = [], set()

    def rival(i):
        b = chosen[i]
        for k in reversed(stays):
            a = chosen[k]
            overlap = min(a.end_ms, b.end_ms) - b.ms
            if a.ms == b.ms or overlap * 2 > min(a.length_ms, b.length_ms):
                return k
        return None

    for i, part in enumerate(chosen):
        while (k := rival(i)) is not None:
            if chosen[k].order < part.order:
                out.add(i)
                break
            out.add(k)
            stays.remove(k)
        if i not in out:
            stays.append(i)
    return out


def _key_ticks(part, track):
    """When the first keyframe of the track is, from the first Cluster on."""
    first, any_of_it, any_at_all = None, None, None
    times = part.file.cluster_times
    for time, cluster in zip(times, part.file.clusters):
        for block in cluster.children:
            if block.name not in ("SimpleBlock", "BlockGroup"):
                continue
            payload, key = block.payload, None
            if block.name == "BlockGroup":
                inner = ebml.elements(payload)
                key = all(e.name != "FB" for e in inner)
                payload = next(e for e in inner if e.name == "A1").payload
            its = payload[0] & 0x7f
            ticks = time - times[0] + struct.unpack(">h", payload[1:3])[0]
            if key is None:
                key = bool(payload[3] & 0x80)
            if its == track and key and first is None:
                first = ticks
            if its == track and any_of_it is None:
                any_of_it = ticks
            if any_at_all is None:
                any_at_all = ticks
    for ticks in (first, any_of_it, any_at_all):
        if ticks is not None:
            return ticks
    return 0


class Movie:
    """The bytes of a movie, every element of which is accepted."""

    def __init__(self, data):
        self.data = data
        self.doc = ebml.parse(data)
        segment = self.doc.segment
        if segment.unknown or segment.end != len(data) or \
                segment.body - segment.start != 12:
            raise ebml.Malformed("the Segment's size")
        self.at = segment.body
        names = [e.name for e in segment.children]
        wanted = ["SeekHead", "Info", "Chapters", "Cues", "Tracks", "Void"]
        if names[:len(wanted)] != wanted:
            raise ebml.Malformed(f"the header is {names[:8]}")
        if set(names[len(wanted):]) - {"Cluster", "Void"}:
            raise ebml.Malformed(f"there is {set(names)}")
        self.head_bytes = segment.children[len(wanted) - 1].end
        self.scale_ns = self.doc.scale_ns

    def cues(self):
        """(milliseconds, offset in the file, track) of each."""
        found = []
        for cue in self.doc.find("Cues/CuePoint"):
            assert cue.end - cue.start == CUE_BYTES
            said = {c.name: c for c in cue.children}
            where = {c.name: c.value
                     for c in said["CueTrackPositions"].children}
            found.append((said["CueTime"].value * self.scale_ns / 1e6,
                          where["CueClusterPosition"] + self.at,
                          where["CueTrack"]))
        return found

    def chapters(self):
        """(milliseconds, name) of each."""
        found = []
        for atom in self.doc.find("Chapters/EditionEntry/ChapterAtom"):
            said = {c.name: c for c in atom.children}
            name = {c.name: c.value for c in said["ChapterDisplay"].children}
            found.append((said["ChapterTimeStart"].value / 1e6,
                          name["ChapString"]))
        return found

    def check_head(self, chosen, out):
        """SeekHead, Info and Cues, as the fragments say."""
        assert self.head_bytes % ROUND_BYTES == 0
        assert len(self.data) == self.head_bytes + sum(p.size for p in chosen)
        for seek in self.doc.find("SeekHead/Seek"):
            said = {c.name: c.value for c in seek.children}
            at = self.at + said["SeekPosition"]
            assert self.data[at:].startswith(said["SeekID"])
        stays = [p for i, p in enumerate(chosen) if i not in out]
        base = chosen[0].ms
        length = max(p.end_ms for p in stays) - base
        assert length < self.doc.duration_ms <= length + 1000
        assert self.doc.first("Info/DateUTC") == (
            base - expected.epoch_ms("2001-01-01T00:00:00Z")) * 1000000
        at, want = self.head_bytes, []
        for i, part in enumerate(chosen):
            if i not in out:
                want.append((part.ms - base, at))
            at += part.size
        cues = self.cues()
        assert len({track for _, _, track in cues}) == 1
        if len(want) <= 7200:
            assert [c[:2] for c in cues] == want
        for ms, at, _ in cues:
            assert (ms, at) in want
            assert self.data[at:at + 4].hex() == "1f43b675"

    def check(self, chosen, out=frozenset(), clock=False):
        """All of it.  With a clock, its blocks are passed over."""
        self.check_head(chosen, out)
        track = self.cues()[0][2]
        at, last = self.head_bytes, 0
        for i, part in enumerate(chosen):
            slot = self.data[at:at + part.size]
            if i not in out:
                last = self.check_slot(slot, part, part.ms - chosen[0].ms,
                                       track, last, clock)
            at += part.size
        gaps = [e for e in self.doc.segment.children[6:] if e.name == "Void"]
        for gap in gaps:
            assert gap.payload.count(0) == len(gap.payload)

    def check_slot(self, slot, part, ms, track, last, clock):
        elements = ebml.elements(slot)
        clusters = [e for e in elements if e.name == "Cluster"]
        kept = part.kept()
        assert len(clusters) == len(kept)
        assert all(e.name in ("Cluster", "Void") for e in elements)
        ticks = [next(c.value for c in cluster.children
                      if c.name == "Timestamp") for cluster in clusters]
        assert all(a <= b for a, b in zip([last] + ticks, ticks))
        for cluster, (_, body) in zip(clusters, kept):
            assert cluster.body - cluster.start == 12
            mine = cluster.children[1:]
            while clock and mine and mine[0].name == "BlockGroup" and \
                    mine[0].end - mine[0].start == 32 and \
                    mine[0].raw.endswith(mine[0].raw[-4:]) and \
                    mine[0].raw[27:28] == b"Z":
                mine = mine[1:]
            assert b"".join(e.raw for e in mine) == body
            clock = False
        key = ticks[0] + _key_ticks(part, track)
        if ticks[0] > last and ticks[0] > 0:
            assert key == round(ms * 1e6 / self.scale_ns)
        return ticks[-1]
