"""TRex's field engine in Python: makes the frames of a stream of its JSON form, one by one.

It knows the instructions that our profiles use, and refuses any other. What they mean was taken from
TRex's documentation and from what its server was seen to do (perf/trex/README.md).
"""

import base64
import random
import struct

ETHERNET_LEN, IPV4_MIN_LEN, IPV6_LEN = 14, 20, 40
UDP, UDP_CHECKSUM = 17, 6  # next header; offset of the checksum in the header
IPV4_CHECKSUM = 10
L4_TYPE_UDP = 11  # TRex's name for it


def frames(stream):
    """The frames of a stream (its `to_json()`), without end."""
    frame = bytearray(base64.b64decode(stream["packet"]["binary"]))
    values, steps = {}, []
    for instruction in stream["vm"]["instructions"]:
        if instruction["type"] == "flow_var":
            values[instruction["name"]] = counting(instruction)
        else:
            steps.append(instruction)
    while True:
        now = {name: next(counter) for name, counter in values.items()}
        for step in steps:
            WRITERS[step["type"]](frame, step, now)
        yield bytes(frame)


def counting(variable):
    """The values of a variable, one a packet."""
    low, high, step = variable["min_value"], variable["max_value"], variable["step"]
    assert low <= variable["init_value"] <= high and high < 256 ** variable["size"]
    value = variable["init_value"]
    if variable["op"] == "random":
        source = random.Random(variable["name"])
        while True:
            yield source.randint(low, high)
    while True:
        yield value
        if variable["op"] == "inc":
            value = value + step if value + step <= high else low
        else:
            value = value - step if value - step >= low else high


def write(frame, step, values):
    """A whole variable of four bytes, the only size that our profiles have."""
    assert step["is_big_endian"] and step["pkt_offset"] + 4 <= len(frame)
    struct.pack_into("!I", frame, step["pkt_offset"], (values[step["name"]] + step["add_value"]) % 2**32)


def write_mask(frame, step, values):
    """The bits of a variable that the mask has; the others stay."""
    assert step["is_big_endian"] and step["shift"] == 0 and step["pkt_cast_size"] == 2
    at, mask = step["pkt_offset"], step["mask"]
    (before,) = struct.unpack_from("!H", frame, at)
    value = values[step["name"]] + step["add_value"]
    struct.pack_into("!H", frame, at, before & ~mask & 0xFFFF | value & mask)


def fix_ipv4(frame, step, _):
    """The checksum of an IPv4 header without options."""
    at = step["pkt_offset"]
    assert frame[at] == 0x45
    frame[at + IPV4_CHECKSUM : at + IPV4_CHECKSUM + 2] = bytes(2)
    checksum = complement_sum(frame[at : at + IPV4_MIN_LEN])
    struct.pack_into("!H", frame, at + IPV4_CHECKSUM, checksum)


def fix_udp(frame, step, _):
    """The checksum of a UDP datagram in IPv6."""
    at = step["l2_len"]
    l4 = at + step["l3_len"]
    assert step["l4_type"] == L4_TYPE_UDP and step["l3_len"] == IPV6_LEN and frame[at + 6] == UDP
    (length,) = struct.unpack_from("!H", frame, l4 + 4)
    frame[l4 + UDP_CHECKSUM : l4 + UDP_CHECKSUM + 2] = bytes(2)
    pseudo = frame[at + 8 : l4] + struct.pack("!II", length, UDP)
    checksum = complement_sum(pseudo + frame[l4 : l4 + length]) or 0xFFFF
    struct.pack_into("!H", frame, l4 + UDP_CHECKSUM, checksum)


def complement_sum(data):
    """The Internet checksum (RFC 1071): 2^16 is 1 modulo 65535, so the sum of words is a remainder."""
    number = int.from_bytes(data + bytes(len(data) % 2), "big")
    return (0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))) & 0xFFFF


WRITERS = {
    "write_flow_var": write,
    "write_mask_flow_var": write_mask,
    "fix_checksum_ipv4": fix_ipv4,
    "fix_checksum_hw": fix_udp,
}
