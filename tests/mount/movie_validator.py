# SPDX-License-Identifier: MIT
"""Is it a movie, whatever of?  Every element, every size, every promise that a
movie's header makes of what follows it.

    found = validate(data)      # AssertionError, or ebml.Malformed
    found.doc, found.clusters, found.texts, found.last_ms, ...
"""
import re

import ebml
import expected
import movie_reference

DATE_EPOCH_MS = movie_reference.DATE_EPOCH_MS
# What ebml.parse() leaves as it is.
CLOSED = {"SeekHead", "Chapters", "Cues", "BlockGroup"}
MAY_HOLD = {
    "EBML": {"EBMLVersion", "EBMLReadVersion", "EBMLMaxIDLength",
             "EBMLMaxSizeLength", "DocType", "DocTypeVersion",
             "DocTypeReadVersion"},
    "Segment": {"SeekHead", "Info", "Chapters", "Cues", "Tracks", "Void",
                "Cluster"},
    "SeekHead": {"Seek"},
    "Seek": {"SeekID", "SeekPosition"},
    "Info": {"TimestampScale", "Duration", "DateUTC", "Title", "MuxingApp",
             "WritingApp"},
    "Chapters": {"EditionEntry"},
    "EditionEntry": {"EditionUID", "EditionFlagDefault", "ChapterAtom"},
    "ChapterAtom": {"ChapterUID", "ChapterTimeStart", "ChapterDisplay"},
    "ChapterDisplay": {"ChapString", "ChapLanguage"},
    "Cues": {"CuePoint"},
    "CuePoint": {"CueTime", "CueTrackPositions"},
    "CueTrackPositions": {"CueTrack", "CueClusterPosition"},
    "Tracks": {"TrackEntry"},
    "TrackEntry": {"TrackNumber", "TrackUID", "TrackType", "FlagEnabled",
                   "FlagDefault", "FlagForced", "FlagLacing", "Name",
                   "DefaultDuration", "Language", "LanguageBCP47", "CodecID",
                   "CodecPrivate", "CodecName", "CodecDelay", "SeekPreRoll",
                   "MaxBlockAdditionID",
                   "Video", "Audio"},
    "Video": {"PixelWidth", "PixelHeight", "FlagInterlaced", "DisplayWidth",
              "DisplayHeight", "DisplayUnit", "Colour"},
    "Audio": {"SamplingFrequency", "OutputSamplingFrequency", "Channels",
              "BitDepth"},
    "Cluster": {"Timestamp", "SimpleBlock", "BlockGroup"},
    "BlockGroup": {"Block", "BlockDuration", "ReferenceBlock"},
}
TEXT = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")


def check_elements(element, blocks=True):
    """Known ones only, where they may be, with sizes that say where they end;
    without blocks, not what BlockGroups hold."""
    assert not element.unknown, element
    children = element.children
    if element.name in CLOSED:
        if element.name == "BlockGroup" and not blocks:
            return
        children = ebml.inside(element)
    for child in children:
        assert child.name in MAY_HOLD[element.name], (element, child)
        if child.name in MAY_HOLD:
            check_elements(child, blocks)


class Found:
    """What was found in a movie that is one."""

    def __init__(self, data):
        self.data = data
        self.doc = doc = ebml.parse(data)
        self.segment = doc.segment
        self.scale_ns = doc.scale_ns
        self.date_ms = doc.find("Info/DateUTC")[0].value // 1000000 + (
            DATE_EPOCH_MS)
        self.tracks = {}
        for entry in doc.find("Tracks/TrackEntry"):
            said = {c.name: c.value for c in entry.children}
            assert said["TrackNumber"] not in self.tracks
            self.tracks[said["TrackNumber"]] = said
        uids = [t["TrackUID"] for t in self.tracks.values()]
        assert len(uids) == len(set(uids)) and 0 not in uids
        self.clock = next((n for n, t in self.tracks.items()
                           if t["CodecID"] == "S_TEXT/UTF8"), None)
        self.clusters = {c.start: c for c in doc.clusters}
        # (ms from the movie's beginning, ms that it lasts, text)
        self.texts = []
        # Of blocks that are media's, by track; the last one's end of time.
        self.blocks = {n: 0 for n in self.tracks}
        self.last_ms = 0

    def ms(self, ticks):
        return ticks * self.scale_ns / 1e6

    def check_shape(self):
        doc, segment, data = self.doc, self.segment, self.data
        assert [e.name for e in doc.elements] == ["EBML", "Segment"]
        said = {c.name: c.value for c in doc.header.children}
        assert (said["DocType"], said["DocTypeVersion"],
                said["DocTypeReadVersion"]) == ("matroska", 4, 2)
        assert data[segment.start + 4:segment.body] == (
            movie_reference.size_of_8(len(data) - segment.body))
        names = [c.name for c in segment.children]
        n = names.index("Void")
        assert set(names[n:]) <= {"Void", "Cluster"}
        assert segment.children[n].end % 4096 == 0
        for element in segment.children[n:]:
            if element.name == "Void":
                payload = element.payload
                assert payload.count(0) == len(payload)

    def check_clusters(self, exact):
        last = 0
        for at, (cluster, time) in enumerate(zip(self.doc.clusters,
                                                 self.doc.cluster_times)):
            head = self.data[cluster.start:cluster.body + 2]
            assert head[4] == 1 and head[-2:] == b"\xe7\x88", cluster
            assert time >= last, f"{cluster} goes back from {last} to {time}"
            assert at or time == 0 or not exact
            last = time
            for child in cluster.children[1:]:
                self._take(child, time)

    def _take(self, child, time):
        track, ticks, _ = movie_reference.block_of(child)
        assert track in self.tracks, f"no track {track}"
        at_ms = self.ms(time + ticks)
        if track == self.clock:
            block, lasts = ebml.inside(child)
            assert child.end - child.start == 32
            self.texts.append((at_ms, self.ms(lasts.value), block.payload[4:]))
        else:
            self.blocks[track] += 1
            self.last_ms = max(self.last_ms, at_ms)

    def check_cues(self, exact):
        """Each is at a Cluster, and says when its first keyframe is."""
        last = -1
        for point in ebml.inside(self.doc.find("Cues")[0]):
            assert point.end - point.start == movie_reference.CUE_BYTES
            time, track, position = [
                c.value for c in movie_reference._leaves(point)]
            cluster = self.clusters.get(self.segment.body + position)
            if not cluster and not exact:
                assert self.data[self.segment.body + position] == 0xEC
                continue
            assert time > last
            last = time
            begin = cluster.children[0].value
            keys = [begin + ticks for its, ticks, key in map(
                movie_reference.block_of, cluster.children[1:])
                if its == track and key]
            # What is before it leaves no room for more where it begins then.
            assert keys and (keys[0] == time or begin == time), point

    def check_texts(self):
        """Each says the time at which it is shown."""
        for at_ms, lasts_ms, text in self.texts:
            assert TEXT.fullmatch(text), text
            wall = expected.utc(self.date_ms + int(at_ms))
            assert text.decode() == wall.strftime("%Y-%m-%d %H:%M:%SZ"), at_ms
            assert lasts_ms <= 1000

    def check_duration(self):
        """As long as what is in it; what cannot be shown may be its end."""
        assert self.doc.duration_ms > self.last_ms


def validate(data, exact=True, lengths=True):
    """exact: the first fragment is shown, and there is a keyframe, to the tick,
    wherever a Cue says so.  lengths: the fragments' were listed."""
    found = Found(data)
    check_elements(found.doc.header)
    check_elements(found.segment)
    found.check_shape()
    found.check_clusters(exact)
    found.check_cues(exact)
    found.check_texts()
    if lengths:
        found.check_duration()
    return found
