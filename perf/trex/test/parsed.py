"""Reads the frames that the profiles make, byte by byte, and holds them to the RFCs' formats."""

import dataclasses
import ipaddress
import struct

from engine import complement_sum

IPV6_ETHERTYPE, IPV4_ETHERTYPE = 0x86DD, 0x0800
IPV6, IPV4, GRE, UDP, MOBILITY_HEADER = 41, 4, 47, 17, 135
GRE_WITH_KEY = 0x2000
ETHERNET_LEN = 14
PAD1, PADN = 0, 1


@dataclasses.dataclass
class Packet:
    """An IP header and what it carries."""

    source: str
    destination: str
    next_header: int
    body: bytes

    def ends(self):
        """From where to where."""
        return self.source, self.destination


@dataclasses.dataclass
class Update:
    """A Proxy Binding Update (RFC 6275 6.1.7, RFC 5213 8.1)."""

    seq: int
    flags: int
    lifetime: int
    options: dict


def frame(data):
    """The packet of an Ethernet frame."""
    (ethertype,) = struct.unpack_from("!H", data, 12)
    return packet(data[ETHERNET_LEN:], ethertype)


def packet(data, ethertype):
    """A whole packet: its length says so, and an IPv4 header's checksum holds."""
    if ethertype == IPV6_ETHERTYPE:
        version, length, next_header, hop_limit = struct.unpack_from("!IHBB", data)
        assert version == 6 << 28 and length == len(data) - 40 and hop_limit == 64
        ends = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (8, 24))
        return Packet(*ends, next_header, data[40:])
    assert ethertype == IPV4_ETHERTYPE
    version, _, length = struct.unpack_from("!BBH", data)
    assert version == 0x45 and length == len(data) and complement_sum(data[:20]) == 0
    ends = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
    return Packet(*ends, data[9], data[20:])


def tunnelled(outer):
    """The packet in a tunnel, and its GRE key; None without GRE."""
    if outer.next_header == IPV6:
        return packet(outer.body, IPV6_ETHERTYPE), None
    if outer.next_header == IPV4:
        return packet(outer.body, IPV4_ETHERTYPE), None
    flags, ethertype, key = struct.unpack_from("!HHI", outer.body)
    assert outer.next_header == GRE and flags == GRE_WITH_KEY
    return packet(outer.body[8:], ethertype), key


def is_datagram(inner):
    """Whether it holds a whole UDP datagram whose checksum is right, or zero in IPv4."""
    _, _, length, checksum = struct.unpack_from("!HHHH", inner.body)
    if inner.next_header != UDP or length != len(inner.body):
        return False
    return checksum == 0 if ":" not in inner.source else covers(inner, UDP)


def covers(inner, upper):
    """Whether the checksum over pseudo-header and body is right (RFC 8200 8.1)."""
    ends = b"".join(ipaddress.IPv6Address(end).packed for end in inner.ends())
    return complement_sum(ends + struct.pack("!II", len(inner.body), upper) + inner.body) == 0


def update(outer):
    """The update in a packet; its checksum holds, and options fill it to its end."""
    data = outer.body
    assert outer.next_header == MOBILITY_HEADER and covers(outer, MOBILITY_HEADER)
    proto, length, kind, _, _, seq, flags, lifetime = struct.unpack_from("!BBBBHHHH", data)
    assert (proto, kind) == (59, 5) and 8 * (length + 1) == len(data)
    options, at = {}, 12
    while at < len(data):
        if data[at] == PAD1:
            at += 1
            continue
        end = at + 2 + data[at + 1]
        assert end <= len(data) and data[at] not in options
        if data[at] == PADN:
            assert not any(data[at + 2 : end])
        else:
            options[data[at]] = (at, data[at + 2 : end])
        at = end
    return Update(seq, flags, lifetime, options)
