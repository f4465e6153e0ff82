# SPDX-License-Identifier: MIT
"""A clip of which a machine can tell which frame it is looking at: the frame's
number, in black and white blocks.

    counter_clip.make(path, frames=7000, fps=2, cluster_frames=10)
    counter_clip.number(gray)      # of one picture, a byte a pixel
"""
import subprocess

BITS, BLOCK, HEIGHT = 16, 16, 32
WIDTH = BITS * BLOCK
BLACK, WHITE = bytes([16]) * BLOCK, bytes([235]) * BLOCK


def picture(number):
    row = b"".join(WHITE if number >> bit & 1 else BLACK
                   for bit in range(BITS))
    return row * HEIGHT


def number(gray):
    assert len(gray) == WIDTH * HEIGHT, len(gray)
    middle = gray[WIDTH * (HEIGHT // 2):][:WIDTH]
    found = 0
    for bit in range(BITS):
        light = middle[bit * BLOCK + BLOCK // 2]
        # Neither of the two would be a broken picture.
        assert light < 80 or light > 160, light
        found |= (light > 127) << bit
    return found


def make(path, frames, fps, cluster_frames, *options):
    """A keyframe and a Cluster every cluster_frames."""
    gop = str(cluster_frames)
    encoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray",
         "-s", f"{WIDTH}x{HEIGHT}", "-r", str(fps), "-i", "-", "-pix_fmt",
         "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "24",
         "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", *options,
         "-map_metadata", "-1", "-fflags", "+bitexact", "-cluster_time_limit",
         # At the first packet after that, which is the keyframe.
         str(1000 * cluster_frames // fps - 1), "-f", "matroska", str(path)],
        stdin=subprocess.PIPE)
    with encoder.stdin:
        for n in range(frames):
            encoder.stdin.write(picture(n))
    assert encoder.wait() == 0
    return path
