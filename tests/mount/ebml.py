# SPDX-License-Identifier: MIT
"""A small Matroska reader of its own, to compare a served file with what the
server sent.  It shares no code with fs/mkv.

    for doc in ebml.documents(body):        # one per fragment in a body
        doc.number                          # AWS_KINESISVIDEO_FRAGMENT_NUMBER
        doc.raw                             # its bytes, as sent
    file = ebml.parse(path.read_bytes())    # exactly one document
    file.blocks                             # bytes of each SimpleBlock and
                                            # BlockGroup, head included, in order
    file.cluster_times                      # in units of file.scale_ns
    file.tags                               # {"NAME": "value", ...}
    file.padding                            # bytes of the Void that ends it
    file.find("Tracks/TrackEntry/CodecID")  # every such element
    file.text("Info/Title"), file.uint("Info/TimestampScale"), ...
    ebml.inside(element)                    # its children, where parse() leaves
                                            # it as it is: SeekHead, Chapters,
                                            # Cues, BlockGroup

Anything that is not well formed raises Malformed.
"""

import struct

MASTER, UINT, INT, FLOAT, TEXT, BINARY = range(6)

IDS = {
    0x1A45DFA3: ("EBML", MASTER),
    0x4286: ("EBMLVersion", UINT),
    0x42F7: ("EBMLReadVersion", UINT),
    0x42F2: ("EBMLMaxIDLength", UINT),
    0x42F3: ("EBMLMaxSizeLength", UINT),
    0x4282: ("DocType", TEXT),
    0x4287: ("DocTypeVersion", UINT),
    0x4285: ("DocTypeReadVersion", UINT),
    0xEC: ("Void", BINARY),
    0xBF: ("CRC-32", BINARY),
    0x18538067: ("Segment", MASTER),
    0x114D9B74: ("SeekHead", BINARY),
    0x1549A966: ("Info", MASTER),
    0x2AD7B1: ("TimestampScale", UINT),
    0x4489: ("Duration", FLOAT),
    0x4461: ("DateUTC", INT),
    0x7BA9: ("Title", TEXT),
    0x4D80: ("MuxingApp", TEXT),
    0x5741: ("WritingApp", TEXT),
    0x73A4: ("SegmentUUID", BINARY),
    0x1654AE6B: ("Tracks", MASTER),
    0xAE: ("TrackEntry", MASTER),
    0xD7: ("TrackNumber", UINT),
    0x73C5: ("TrackUID", UINT),
    0x83: ("TrackType", UINT),
    0x23E383: ("DefaultDuration", UINT),
    0x536E: ("Name", TEXT),
    0x22B59C: ("Language", TEXT),
    0x86: ("CodecID", TEXT),
    0x63A2: ("CodecPrivate", BINARY),
    0xE0: ("Video", MASTER),
    0xB0: ("PixelWidth", UINT),
    0xBA: ("PixelHeight", UINT),
    0xE1: ("Audio", MASTER),
    0xB5: ("SamplingFrequency", FLOAT),
    0x9F: ("Channels", UINT),
    0x6264: ("BitDepth", UINT),
    0xB9: ("FlagEnabled", UINT),
    0x88: ("FlagDefault", UINT),
    0x55AA: ("FlagForced", UINT),
    0x9C: ("FlagLacing", UINT),
    0x22B59D: ("LanguageBCP47", TEXT),
    0x258688: ("CodecName", TEXT),
    0x56AA: ("CodecDelay", UINT),
    0x56BB: ("SeekPreRoll", UINT),
    0x9A: ("FlagInterlaced", UINT),
    0x54B0: ("DisplayWidth", UINT),
    0x54BA: ("DisplayHeight", UINT),
    0x54B2: ("DisplayUnit", UINT),
    0x55EE: ("MaxBlockAdditionID", UINT),
    0x55B0: ("Colour", BINARY),
    0x78B5: ("OutputSamplingFrequency", FLOAT),
    0x1F43B675: ("Cluster", MASTER),
    0xE7: ("Timestamp", UINT),
    0xA7: ("Position", UINT),
    0xAB: ("PrevSize", UINT),
    0xA3: ("SimpleBlock", BINARY),
    0xA0: ("BlockGroup", BINARY),
    0xA1: ("Block", BINARY),
    0x9B: ("BlockDuration", UINT),
    0xFB: ("ReferenceBlock", INT),
    0x4DBB: ("Seek", MASTER),
    0x53AB: ("SeekID", BINARY),
    0x53AC: ("SeekPosition", UINT),
    0xBB: ("CuePoint", MASTER),
    0xB3: ("CueTime", UINT),
    0xB7: ("CueTrackPositions", MASTER),
    0xF7: ("CueTrack", UINT),
    0xF1: ("CueClusterPosition", UINT),
    0x45B9: ("EditionEntry", MASTER),
    0x45BC: ("EditionUID", UINT),
    0x45DB: ("EditionFlagDefault", UINT),
    0xB6: ("ChapterAtom", MASTER),
    0x73C4: ("ChapterUID", UINT),
    0x91: ("ChapterTimeStart", UINT),
    0x80: ("ChapterDisplay", MASTER),
    0x85: ("ChapString", TEXT),
    0x437C: ("ChapLanguage", TEXT),
    0x1C53BB6B: ("Cues", BINARY),
    0x1941A469: ("Attachments", BINARY),
    0x1043A770: ("Chapters", BINARY),
    0x1254C367: ("Tags", MASTER),
    0x7373: ("Tag", MASTER),
    0x63C0: ("Targets", MASTER),
    0x63C5: ("TagTrackUID", UINT),
    0x67C8: ("SimpleTag", MASTER),
    0x45A3: ("TagName", TEXT),
    0x4487: ("TagString", TEXT),
}

# What ends a Cluster or Segment of unknown size.
TOP = {"EBML", "Segment"}
LEVEL_1 = {
    "SeekHead", "Info", "Tracks", "Cluster", "Cues", "Attachments", "Chapters",
    "Tags",
}


class Malformed(Exception):
    """Not Matroska, or cut off."""


class Element:
    """One element; [start, end) is all of it, [body, end) its payload."""

    def __init__(self, data, name, kind, start, body, unknown):
        self.data, self.name, self.kind = data, name, kind
        self.start, self.body, self.end = start, body, None
        self.unknown = unknown
        self.children = []

    @property
    def raw(self):
        return self.data[self.start:self.end]

    @property
    def payload(self):
        return self.data[self.body:self.end]

    @property
    def value(self):
        payload = self.payload
        if self.kind == UINT:
            return int.from_bytes(payload, "big")
        if self.kind == INT:
            return int.from_bytes(payload, "big", signed=True)
        if self.kind == FLOAT:
            if not payload:
                return 0.0
            return struct.unpack(">f" if len(payload) == 4 else ">d",
                                 payload)[0]
        if self.kind == TEXT:
            return payload.split(b"\0")[0].decode("utf-8")
        return payload

    def __repr__(self):
        return f"<{self.name} {self.start}..{self.end}>"


def _vint(data, at, longest):
    """(bytes, value with its marker, all ones?) of the number at `at`."""
    if at >= len(data):
        raise Malformed(f"cut off at {at}")
    n = 9 - data[at].bit_length()
    if n > longest:
        raise Malformed(f"no number of at most {longest} bytes at {at}")
    if at + n > len(data):
        raise Malformed(f"cut off at {at}")
    value = int.from_bytes(data[at:at + n], "big")
    bits = (1 << 7 * n) - 1
    return n, value, value & bits == bits, value & bits


def _head(data, at):
    id_n, id_, all_ones, _ = _vint(data, at, 4)
    if all_ones:
        raise Malformed(f"no ID at {at}")
    size_n, _, unknown, size = _vint(data, at + id_n, 8)
    name, kind = IDS.get(id_, (f"{id_:X}", BINARY))
    element = Element(data, name, kind, at, at + id_n + size_n, unknown)
    return element, None if unknown else size


def _walk(data, at, end, inside, bounded):
    """Elements from `at` on; stops before what cannot be inside `inside`."""
    found = []
    while at < end:
        element, size = _head(data, at)
        if inside in ("Cluster", "Segment") and not bounded and (
                element.name in TOP
                or (inside == "Cluster" and element.name in LEVEL_1)):
            break
        if size is None and element.name not in ("Segment", "Cluster"):
            raise Malformed(f"{element.name} of unknown size at {at}")
        limit = end if size is None else element.body + size
        if limit > end:
            raise Malformed(f"{element.name} at {at} ends at {limit}, "
                            f"after {end}")
        if element.kind == MASTER:
            element.children, at = _walk(data, element.body, limit,
                                         element.name, size is not None)
            if size is not None and at != limit:
                raise Malformed(f"{element.name} at {element.start}")
        else:
            at = limit
        element.end = at
        found.append(element)
    return found, at


def inside(element):
    """The children of one that parse() does not look into."""
    return _walk(element.data, element.body, element.end, element.name,
                 True)[0]


class Document:
    """An EBML header, its Segment, and what is at level 0 with them."""

    def __init__(self, elements):
        self.elements = elements
        names = [e.name for e in elements if e.name != "Void"]
        if names != ["EBML", "Segment"]:
            raise Malformed(f"a document of {names}")
        self.header = elements[0]
        self.segment = next(e for e in elements if e.name == "Segment")

    @property
    def raw(self):
        first, last = self.elements[0], self.elements[-1]
        return first.data[first.start:last.end]

    def find(self, path):
        """Every element at this path below the Segment, in file order."""
        level = [self.segment]
        for name in path.split("/"):
            level = [c for e in level for c in e.children if c.name == name]
        return level

    def first(self, path, default=None):
        found = self.find(path)
        return found[0].value if found else default

    text = uint = real = first

    @property
    def scale_ns(self):
        return self.uint("Info/TimestampScale", 1000000)

    @property
    def duration_ms(self):
        """None where the header does not say."""
        value = self.real("Info/Duration")
        return None if value is None else value * self.scale_ns / 1e6

    @property
    def clusters(self):
        return self.find("Cluster")

    @property
    def cluster_times(self):
        """None for a Cluster without one."""
        return [next((c.value for c in cluster.children
                      if c.name == "Timestamp"), None)
                for cluster in self.clusters]

    @property
    def blocks(self):
        return [c.raw for cluster in self.clusters for c in cluster.children
                if c.name in ("SimpleBlock", "BlockGroup")]

    @property
    def tag_list(self):
        """(name, value) of every SimpleTag, in file order."""
        pairs = []
        for tag in self.find("Tags/Tag/SimpleTag"):
            said = {c.name: c.value for c in tag.children}
            pairs.append((said.get("TagName", ""), said.get("TagString", "")))
        return pairs

    @property
    def tags(self):
        """The last value of each name."""
        return dict(self.tag_list)

    @property
    def number(self):
        return self.tags.get("AWS_KINESISVIDEO_FRAGMENT_NUMBER")

    @property
    def padding(self):
        """Bytes of the Void that ends the file, head included; 0: none.

        In a file whose Cluster is of unknown size it is the Cluster's child.
        """
        last = self.elements[-1]
        while last.kind == MASTER and last.children:
            last = last.children[-1]
        return last.end - last.start if last.name == "Void" else 0

    def tree(self):
        """As lines of text, for a failure's message."""
        lines = []

        def add(element, depth):
            said = "" if element.kind == MASTER else (
                f" {element.end - element.body} bytes"
                if element.kind == BINARY else f" {element.value!r}")
            lines.append(" " * depth + element.name
                         + (" ?" if element.unknown else "") + said)
            for child in element.children:
                add(child, depth + 1)

        for element in self.elements:
            add(element, 0)
        return "\n".join(lines)


def documents(data):
    """Split a body into its documents."""
    data = bytes(data)
    elements, at = _walk(data, 0, len(data), None, True)
    starts = [i for i, e in enumerate(elements) if e.name == "EBML"]
    if (elements and starts[:1] != [0]) or at != len(data):
        raise Malformed("no EBML header where one must be")
    return [Document(elements[i:j])
            for i, j in zip(starts, starts[1:] + [len(elements)])]


def parse(data):
    """The one document that a file is."""
    found = documents(data)
    if len(found) != 1:
        raise Malformed(f"{len(found)} documents in one file")
    return found[0]
