# SPDX-License-Identifier: MIT
"""What real producers sent, as clips; not part of the project."""
import os
import pathlib

import ebml
import mounting

NAMES = ["output_get_media", "output_get_media_sparse_fragments",
         "kinesis_video_renderer_example_output"]


def video_of(name):
    """Its file, which a checkout of its own does not have."""
    shared = pathlib.Path(os.environ.get("KVSFS_SHARED")
                          or mounting.ROOT.parent / "shared")
    return shared / "data" / "get-media" / f"{name}.mkv"


def present():
    return [name for name in NAMES if video_of(name).exists()]


def clip_of(name, folder):
    """The producer's own header with its Clusters, as the local KVS wants it.
    """
    documents = ebml.documents(video_of(name).read_bytes())
    first = documents[0]
    at = [e.name for e in first.segment.children].index("Cluster")
    body = b"".join(e.raw for e in first.segment.children[:at])
    body += b"".join(c.raw for d in documents for c in d.clusters)
    path = folder / f"{name}.mkv"
    path.write_bytes(first.header.raw + bytes.fromhex("18538067")
                     + (len(body) | 1 << 56).to_bytes(8, "big") + body)
    return path
