# SPDX-License-Identifier: MIT
"""What a movie must be, from what the server lists and sends.  It shares no
code with fs/.

    movie = Movie(kvs.fragments("s"), size_of, known=(), clock=True)
    movie.slots                     # by time: fragment, at, size, lost, out
    movie.body(media_of)            # every byte after the header, but for the
                                    # clock, which movie.silent() takes out
    movie.check_head(data)          # the header of these bytes is that movie's

size_of(fragment) is its file's st_size; media_of(fragment) a Media, or None
where for good there is nothing to show.  known: numbers of fragments that were
known to be of no use when the movie was looked up.
"""
import dataclasses
import functools
import itertools

import ebml
import expected

MINUTE_MS, HOUR_MS = 60000, 3600000
DATE_EPOCH_MS = expected.epoch_ms("2001-01-01T00:00:00Z")
CLUSTER, TIMESTAMP = b"\x1f\x43\xb6\x75", b"\xe7\x88"
# BlockGroup, its Block; then track, time, flags, text, BlockDuration.
CLOCK, CLOCK_BYTES = b"\xa0\x9e\xa1\x98", 32
CUE_BYTES = 27
CUES_OF_ALL, CUE_STEP_MS = 7200, 6000
NOT_SHOWN = {"Timestamp", "CRC-32", "Position", "PrevSize", "Void"}


def size_of_8(n):
    return (n | 1 << 56).to_bytes(8, "big")


def void(n):
    """What ends a slot."""
    return b"\xec" + size_of_8(n - 9) + bytes(n - 9) if n >= 9 else (
        b"\xec" + bytes([0x80 | n - 2]) + bytes(n - 2))


def gap(n):
    """What is there instead of slots: its size in as few bytes as hold it."""
    k = next(k for k in range(1, 9) if n - 1 - k <= (1 << 7 * k) - 2)
    return (b"\xec" + (n - 1 - k | 1 << 7 * k).to_bytes(k, "big")
            + bytes(n - 1 - k))


def block_of(element):
    """(track, ticks relative to its Cluster, keyframe) of a Cluster's child."""
    payload, key = element.payload, None
    if element.name == "BlockGroup":
        parts = ebml.inside(element)
        key = not any(p.name == "ReferenceBlock" for p in parts)
        payload = next(p.payload for p in parts if p.name == "Block")
    elif element.name != "SimpleBlock":
        return None
    n = 9 - payload[0].bit_length()
    track = int.from_bytes(payload[:n], "big") & (1 << 7 * n) - 1
    ticks = int.from_bytes(payload[n:n + 2], "big", signed=True)
    return track, ticks, payload[n + 2] & 0x80 != 0 if key is None else key


def track_number(doc):
    """Of the track that Cues are of; None where there is none."""
    kinds = [({c.name: c.value for c in e.children})
             for e in doc.find("Tracks/TrackEntry")]
    for kind in (1, 2):
        for track in kinds:
            if track["TrackType"] == kind:
                return track["TrackNumber"]
    return kinds[0]["TrackNumber"] if kinds else None


DECODER = ("TrackNumber", "TrackType", "CodecID", "CodecPrivate", "Name",
           "Video", "Audio")


def decoder(doc, without=()):
    """What a decoder is set up by, of each track."""
    return [{c.name: c.raw if c.kind == ebml.MASTER else c.value
             for c in e.children if c.name in DECODER}
            for e in doc.find("Tracks/TrackEntry")
            if dict((c.name, c.value) for c in e.children
                    if c.kind == ebml.UINT)["TrackNumber"] not in without]


class Media:
    """Of a fragment as it was sent."""

    def __init__(self, raw):
        self.doc = doc = ebml.parse(raw)
        self.scale_ns = doc.scale_ns
        self.cue_track = track_number(doc)
        self.times = doc.cluster_times
        self.parts = [[c for c in cluster.children if c.name not in NOT_SHOWN]
                      for cluster in doc.clusters]
        self.n_blocks = len(doc.blocks)
        self.decoder = decoder(doc)

    @functools.cached_property
    def key_ticks(self):
        """The keyframe that goes to the slot's time, from the first Cluster."""
        blocks = [(block[0], at - self.times[0] + block[1], block[2])
                  for at, cluster in zip(self.times, self.parts)
                  for block in map(block_of, cluster) if block]
        own = [b for b in blocks if b[0] == self.cue_track]
        keys = [b for b in own if b[2]]
        return (keys or own or blocks)[0][1]


@dataclasses.dataclass
class Slot:
    fragment: dict
    at: int
    size: int
    lost: bool = False
    out: bool = False

    @property
    def start_ms(self):
        return self.fragment["producer_ms"]

    @property
    def length_ms(self):
        return self.fragment["length_ms"]

    @property
    def end_ms(self):
        return self.start_ms + self.length_ms


def by_number(fragment):
    return len(fragment["number"]), fragment["number"]


def in_order(fragments):
    return sorted(fragments, key=lambda f: (f["producer_ms"], *by_number(f)))


def chosen(fragments, start_ms, end_ms, reach=True):
    """Those of a range, in order."""
    fragments = in_order(fragments)
    held = [f for f in fragments if start_ms <= f["producer_ms"] < end_ms]
    before = [f for f in fragments if f["producer_ms"] < start_ms]
    if reach and before:
        last = next(f for f in before
                    if f["producer_ms"] == before[-1]["producer_ms"])
        if last["producer_ms"] + last["length_ms"] > start_ms:
            held.insert(0, last)
    return held


def conflict(a, b):
    """b does not start before a."""
    overlap = min(a.end_ms, b.end_ms) - b.start_ms
    return (a.start_ms == b.start_ms
            or 2 * overlap > min(a.length_ms, b.length_ms))


def settle(slots):
    """In the order of time, against those that stayed: the lowest stays."""
    stayed = []
    longest = max(s.length_ms for s in slots)
    for s in slots:
        near = itertools.takewhile(
            lambda r: r.start_ms >= s.start_ms - longest, reversed(stayed))
        rivals = [r for r in near if conflict(r, s)]
        if any(by_number(r.fragment) < by_number(s.fragment) for r in rivals):
            rivals = [s]
        else:
            stayed.append(s)
        for r in rivals:
            r.lost = r.out = True
            if r in stayed:
                stayed.remove(r)


def ticks(ms, scale_ns):
    ns = ms * 1000000
    return (ns + scale_ns // 2) // scale_ns if ns >= 0 else -(
        (-ns + scale_ns // 2) // scale_ns)


class Movie:
    def __init__(self, fragments, size_of, known=(), clock=True):
        self.slots, self.clock = [], clock
        at = 0
        for f in in_order(fragments):
            self.slots.append(Slot(f, at, size_of(f)))
            at += self.slots[-1].size
        self.bytes = at
        self.base_ms = self.slots[0].start_ms
        settle(self.slots)
        for s in self.slots:
            s.out = s.lost or s.fragment["number"] in known
        self.duration_ms = max(s.end_ms for s in self.slots
                               if not s.lost) - self.base_ms

    # -- slots -------------------------------------------------------------

    @staticmethod
    def _border(a, b):
        return min(a.end_ms, b.start_ms) if a.length_ms else b.start_ms

    def _shown(self, indices):
        return next((self.slots[k] for k in indices if not self.slots[k].out),
                    None)

    def _times(self, i):
        """(slot's, no earlier than, no later than) on the movie's clock."""
        s = self.slots[i]
        a = self._shown(range(i - 1, -1, -1))
        b = self._shown(range(i + 1, len(self.slots)))
        return (s.start_ms - self.base_ms,
                self._border(a, s) - self.base_ms if a else 0,
                (self._border(s, b) if b else s.end_ms + HOUR_MS)
                - self.base_ms)

    def slot_bytes(self, i, media, first):
        """first: the Media whose Tracks and unit are the movie's."""
        slot = self.slots[i]
        if (media is None or not media.parts
                or media.decoder != first.decoder
                or media.scale_ns != first.scale_ns):
            return gap(slot.size)
        at, low, high = (ticks(ms, first.scale_ns)
                         for ms in self._times(i))
        begin = time = min(max(at - media.key_ticks, low), high)
        clusters = []  # (time, what they hold)
        for its, parts in zip(media.times, media.parts):
            time = max(time, min(begin + its - media.times[0], high))
            clusters.append((time, b"".join(p.raw for p in parts)))
        rest = slot.size - sum(22 + len(c[1]) for c in clusters)
        if rest < 0 or rest == 1:
            return gap(slot.size)
        out = b"".join(CLUSTER + size_of_8(10 + len(body)) + TIMESTAMP
                       + time.to_bytes(8, "big") + body
                       for time, body in clusters)
        return out + (void(rest) if rest else b"")

    def body(self, media_of):
        medias = [None if s.out else media_of(s.fragment) for s in self.slots]
        first = next(m for m in medias if m and m.parts)
        out, i = [], 0
        while i < len(self.slots):
            n = 1
            if self.slots[i].out:
                while i + n < len(self.slots) and self.slots[i + n].out:
                    n += 1
                out.append(gap(sum(s.size for s in self.slots[i:i + n])))
            else:
                out.append(self.slot_bytes(i, medias[i], first))
            i += n
        return b"".join(out)

    def silent(self, body):
        """Without the clock, which is where a slot begins."""
        out = []
        for s in self.slots:
            slot = body[s.at:s.at + s.size]
            clock = 0
            while slot[22 + clock:][:4] == CLOCK:
                clock += CLOCK_BYTES
            if clock and slot[:4] == CLUSTER:
                end = 0
                while slot[end:end + 4] == CLUSTER:
                    end += 12 + int.from_bytes(slot[end + 5:end + 12], "big")
                rest = s.size - end
                assert slot[end:] == (void(rest) if rest else b"")
                size = int.from_bytes(slot[5:12], "big") - clock
                slot = (CLUSTER + size_of_8(size) + slot[12:22]
                        + slot[22 + clock:end] + void(rest + clock))
            out.append(slot)
        return b"".join(out)

    # -- the header --------------------------------------------------------

    def cue_slots(self):
        all_of_them = sum(not s.lost for s in self.slots) <= CUES_OF_ALL
        step = None
        for s in self.slots:
            its = (s.start_ms - self.base_ms) // CUE_STEP_MS
            if not s.out and (all_of_them or its != step):
                step = its
                yield s

    def _check_chapters(self, chapters):
        d = self.duration_ms
        step = (MINUTE_MS if d <= 20 * MINUTE_MS else 5 * MINUTE_MS
                if d <= 3 * HOUR_MS else 15 * MINUTE_MS if d <= 12 * HOUR_MS
                else HOUR_MS)
        edition, = ebml.inside(chapters)
        atoms = [c for c in edition.children if c.name == "ChapterAtom"]
        starts = {s.start_ms for s in self.slots if not s.lost}
        walls = []
        for atom in atoms:
            said = {c.name: c for c in atom.children}
            name = said["ChapterDisplay"].children[0].value
            at = said["ChapterTimeStart"].value
            assert at % 1000000 == 0
            wall = self.base_ms + at // 1000000
            assert name == expected.utc(wall).strftime("%Y-%m-%d %H:%M UTC")
            # Where a step begins, or what there is of it.
            assert wall % step == 0 or wall in starts, name
            walls.append(wall)
        steps = [wall // step for wall in walls]
        assert walls[0] == min(starts) and walls == sorted(set(walls))
        assert len(steps) == len(set(steps)) <= 300
        assert {s.start_ms // step for s in self.slots if not s.lost} <= set(
            steps)
        uids = [c.value for a in atoms for c in a.children
                if c.name == "ChapterUID"]
        assert len(set(uids)) == len(uids) and 0 not in uids

    def _check_cues(self, cues, segment_at, head_bytes, scale_ns, track):
        want = [(ticks(s.start_ms - self.base_ms, scale_ns), track,
                 head_bytes + s.at - segment_at) for s in self.cue_slots()]
        points = ebml.inside(cues)
        got = []
        for point in points:
            assert point.name == "CuePoint"
            assert point.end - point.start == CUE_BYTES
            got.append(tuple(c.value for c in _leaves(point)))
        assert got == want

    def check_head(self, data, title, first):
        """data: the movie, or as much of it as the header is; the size of the
        header."""
        doc = ebml.parse(data)
        segment = doc.segment
        names = [c.name for c in segment.children]
        n = next(i for i, name in enumerate(names) if name == "Void")
        order = ["SeekHead", "Info", "Chapters", "Cues", "Tracks"]
        assert names[:n] == order
        head_bytes = segment.children[n].end
        assert head_bytes % 4096 == 0
        assert len(data) == head_bytes + self.bytes
        by_name = dict(zip(order, segment.children))
        seeks = {bytes(s.children[0].value): s.children[1].value
                 for s in ebml.inside(by_name["SeekHead"])}
        assert seeks == {c.data[c.start:c.start + 4]: c.start - segment.body
                         for c in segment.children[1:n]}
        assert doc.header.raw.count(b"matroska") == 1
        assert doc.text("Info/Title") == title
        assert doc.scale_ns == first.scale_ns
        more_ms = doc.duration_ms - self.duration_ms
        assert 0 < more_ms <= 500, more_ms
        date, = doc.find("Info/DateUTC")
        assert date.value == (self.base_ms - DATE_EPOCH_MS) * 1000000
        self._check_chapters(by_name["Chapters"])
        self._check_cues(by_name["Cues"], segment.body, head_bytes,
                         first.scale_ns, first.cue_track)
        self._check_tracks(doc, first)
        return head_bytes

    def _check_tracks(self, doc, first):
        own = [e for e in doc.find("Tracks/TrackEntry")
               if any(c.value == "S_TEXT/UTF8" for c in e.children)]
        assert len(own) == self.clock
        numbers = []
        for entry in own:
            said = {c.name: c.value for c in entry.children}
            assert (said["Name"], said["FlagDefault"]) == ("UTC", 0)
            numbers.append(said["TrackNumber"])
        got = decoder(doc, numbers)
        want = [dict(track) for track in first.decoder]
        for track in got + want:
            if track["CodecID"] in ("A_AAC", "A_PCM/INT/LIT"):
                # What it says and what it is differ in calls.
                for name in ("CodecID", "CodecPrivate", "Audio"):
                    track.pop(name, None)
        assert got == want


def _leaves(element):
    for c in element.children:
        if c.kind == ebml.MASTER:
            yield from _leaves(c)
        else:
            yield c
