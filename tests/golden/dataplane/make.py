#!/usr/bin/python3
"""Writes frames.txt: what goes into a worker and what must come out, built by scapy.

The worker's tests (src/dataplane/tests/golden.rs) set up the tables named in TOPOLOGY and compare
byte by byte. Flow labels of tunnel headers are zero here: the test checks them by their properties.

    /usr/bin/python3 make.py > frames.txt      (Debian's python3-scapy 2.5)
"""

from scapy.all import (
    Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig, ICMPv6ParamProblem,
    ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt, HBHOptUnknown, PadN, Raw, UDP,
)

# TOPOLOGY
LMA, MAG1, MAG2 = "2001:db8:ff::1", "2001:db8:a::1", "2001:db8:a::2"
MN1, MN2, NOBODY = "2001:db8:1:1::11", "2001:db8:1:2::22", "2001:db8:1:eeee::1"
CN, CORE_ADDR, ISOLATED = "2001:db8:c::c", "2001:db8:cc::ff", "2001:db8:dead::1"
ACCESS, CORE = "02:00:00:00:00:a0", "02:00:00:00:00:c0"
MAG1_MAC, MAG2_MAC, GW_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:02:01"
MTU1, MTU2, CORE_MTU = 1500, 1400, 1500
ACCESS_PORT, CORE_PORT = 0, 1

from_core = Ether(dst=CORE, src=GW_MAC)
from_mag1 = Ether(dst=ACCESS, src=MAG1_MAC)
to_core = Ether(dst=GW_MAC, src=CORE)
to_mag1 = Ether(dst=MAG1_MAC, src=ACCESS)
to_mag2 = Ether(dst=MAG2_MAC, src=ACCESS)


def inner(src, dst, hops=64, tc=0, fl=0, size=24, sport=1000):
    data = Raw(bytes(i & 0xFF for i in range(size)))
    return IPv6(src=src, dst=dst, hlim=hops, tc=tc, fl=fl) / UDP(sport=sport, dport=2000) / data


def up(packet, tc=0, **more):
    return from_mag1 / IPv6(src=MAG1, dst=LMA, hlim=255, tc=tc, **more) / packet


def down(packet, tc=0, ether=to_mag1, mag=MAG1):
    return ether / IPv6(src=LMA, dst=mag, hlim=64, tc=tc, nh=41) / packet


def limit(value):
    """A Destination Options header with a Tunnel Encapsulation Limit, as RFC 2473 4.1.1 has it."""
    return IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=4, optdata=bytes([value])), PadN(optdata=b"\0")])


def limited(src, dst, value, hops=64):
    return IPv6(src=src, dst=dst, hlim=hops, nh=60) / limit(value) / UDP(sport=1, dport=2) / Raw(b"x" * 8)


def error(src, dst, kind, about):
    quoted = bytes(about)[: 1280 - 48]
    return IPv6(src=src, dst=dst, hlim=64) / kind / Raw(quoted)


CASES = []


def case(name, in_port, given, out_port, expected):
    CASES.append((name, in_port, bytes(given), out_port, bytes(expected)))


case("downlink", CORE_PORT, from_core / inner(CN, MN1, tc=0xB9, fl=0x12345),
     ACCESS_PORT, down(inner(CN, MN1, hops=63, tc=0xB9, fl=0x12345), tc=0xB9))
case("downlink-ce", CORE_PORT, from_core / inner(CN, MN1, tc=0x03),
     ACCESS_PORT, down(inner(CN, MN1, hops=63, tc=0x03), tc=0x03))
case("downlink-padded", CORE_PORT, bytes(from_core / inner(CN, MN1, size=1)) + b"\xee" * 11,
     ACCESS_PORT, down(inner(CN, MN1, hops=63, size=1)))
case("downlink-largest", CORE_PORT, from_core / inner(CN, MN1, size=MTU1 - 88),
     ACCESS_PORT, down(inner(CN, MN1, hops=63, size=MTU1 - 88)))
case("downlink-encap-limit", CORE_PORT, from_core / limited(CN, MN1, 4), ACCESS_PORT,
     to_mag1 / IPv6(src=LMA, dst=MAG1, hlim=64, nh=60) / IPv6ExtHdrDestOpt(
         nh=41, options=[HBHOptUnknown(otype=4, optdata=b"\3"), PadN(optdata=b"\0")])
     / limited(CN, MN1, 4, hops=63))
big = inner(CN, MN1, size=MTU1 - 87)
case("downlink-too-big", CORE_PORT, from_core / big,
     CORE_PORT, to_core / error(CORE_ADDR, CN, ICMPv6PacketTooBig(mtu=MTU1 - 40), big))
late = inner(CN, MN1, hops=1)
case("downlink-hop-limit", CORE_PORT, from_core / late,
     CORE_PORT, to_core / error(CORE_ADDR, CN, ICMPv6TimeExceeded(code=0), late))
case("downlink-unassigned", CORE_PORT, from_core / inner(CN, NOBODY), CORE_PORT,
     to_core / error(CORE_ADDR, CN, ICMPv6DestUnreach(code=3), inner(CN, NOBODY)))
case("downlink-encap-limit-zero", CORE_PORT, from_core / limited(CN, MN1, 0), CORE_PORT,
     to_core / error(CORE_ADDR, CN, ICMPv6ParamProblem(code=0, ptr=44), limited(CN, MN1, 0)))
case("uplink", ACCESS_PORT, up(inner(MN1, CN, tc=0x48, fl=0x54321)),
     CORE_PORT, to_core / inner(MN1, CN, hops=63, tc=0x48, fl=0x54321))
case("uplink-linux-tunnel", ACCESS_PORT,
     from_mag1 / IPv6(src=MAG1, dst=LMA, nh=60) / IPv6ExtHdrDestOpt(
         nh=41, options=[HBHOptUnknown(otype=4, optdata=b"\4"), PadN(optdata=b"\0")]) / inner(MN1, CN),
     CORE_PORT, to_core / inner(MN1, CN, hops=63))
case("uplink-ce", ACCESS_PORT, up(inner(MN1, CN, tc=0x02), tc=0x03),
     CORE_PORT, to_core / inner(MN1, CN, hops=63, tc=0x03))
case("uplink-padded", ACCESS_PORT, bytes(up(inner(MN1, CN, size=1))) + b"\xee" * 7,
     CORE_PORT, to_core / inner(MN1, CN, hops=63, size=1))
case("uplink-hop-limit", ACCESS_PORT, up(inner(MN1, CN, hops=1)), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6TimeExceeded(code=0), inner(MN1, CN, hops=1))))
wide = inner(MN1, CN, size=CORE_MTU - 47)
case("uplink-too-big", ACCESS_PORT, up(wide), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6PacketTooBig(mtu=CORE_MTU), wide)))
case("uplink-no-route", ACCESS_PORT, up(inner(MN1, ISOLATED)), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6DestUnreach(code=0), inner(MN1, ISOLATED))))
ping = IPv6(src=MN1, dst=LMA, hlim=64) / ICMPv6EchoRequest(id=1, seq=1, data=b"hello")
case("uplink-to-anchor", ACCESS_PORT, up(ping), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6DestUnreach(code=1), ping)))
strange = IPv6(src=MAG1, dst=LMA, nh=60) / IPv6ExtHdrDestOpt(
    nh=41, options=[HBHOptUnknown(otype=0x93, optdata=b"abcd")]) / inner(MN1, CN)
case("uplink-strange-option", ACCESS_PORT, from_mag1 / strange, ACCESS_PORT,
     to_mag1 / error(LMA, MAG1, ICMPv6ParamProblem(code=2, ptr=42), strange))
case("node-to-node", ACCESS_PORT, up(inner(MN1, MN2, tc=0x02)), ACCESS_PORT,
     down(inner(MN1, MN2, hops=63, tc=0x02), tc=0x02, ether=to_mag2, mag=MAG2))
thick = inner(MN1, MN2, size=MTU2 - 87)
case("node-to-node-too-big", ACCESS_PORT, up(thick), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6PacketTooBig(mtu=MTU2 - 40), thick)))
case("node-to-nobody", ACCESS_PORT, up(inner(MN1, NOBODY)), ACCESS_PORT,
     down(error(LMA, MN1, ICMPv6DestUnreach(code=3), inner(MN1, NOBODY))))

print("# Made by make.py. A line: name, port in, frame in, port out, frame out.")
for name, in_port, given, out_port, expected in CASES:
    print(name, in_port, given.hex(), out_port, expected.hex())
