"""Writes frames as a capture, and what there is to know of them as lines. The same frames make the same bytes."""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def write(name, frames):
    """`name`.pcap: Ethernet, at no time in particular."""
    with open(HERE / f"{name}.pcap", "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in map(bytes, frames):
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def ports(frames):
    return ",".join(str(port) for port, _ in frames)
