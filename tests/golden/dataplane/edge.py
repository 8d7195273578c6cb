#!/usr/bin/python3 -B
"""Writes edge.pcap and edge-expected.pcap: packets at the edges of what a worker takes, and what must come out, built
by scapy.

The worker's tests (src/dataplane/tests/edge.rs, tests/edges.rs) set up the tables of dual.py with tunnels of 1300
bytes. What no oracle can foresee is zero here: flow labels of tunnel headers, identifications (and with
them header checksums) of what the anchor fragments or sends in IPv4.

    /usr/bin/python3 edge.py > edge.txt      (Debian's python3-scapy 2.5)
"""

from scapy.all import (
    Dot1Q, Ether, GRE, ICMP, ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem,
    ICMPv6TimeExceeded, IP, IPerror, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting, HBHOptUnknown, PadN, Raw, UDP, fragment, fragment6,
)

import capture

# TOPOLOGY
LMA, MAG1, LMA4, MAG4 = "2001:db8:ff::1", "2001:db8:a::1", "192.0.2.1", "198.51.100.7"
MN1, CN, CN4 = "2001:db8:1:1::11", "2001:db8:c::c", "203.0.113.9"
NODE = [f"10.1.0.{16 + i}" for i in range(10)]  # and 2001:db8:1:a<i>::1
CORE_ADDR, CORE_ADDR4 = "2001:db8:cc::ff", "192.0.2.254"
ROUTER, ROUTER4 = "2001:db8:a::99", "198.51.100.99"
ACCESS, CORE = "02:00:00:00:00:a0", "02:00:00:00:00:c0"
MAG1_MAC, MAG4_MAC, GW_MAC = "02:00:00:00:01:01", "02:00:00:00:01:04", "02:00:00:00:02:01"
TUNNEL_MTU = 1300
ACCESS_PORT, CORE_PORT = 0, 1

from_core = Ether(dst=CORE, src=GW_MAC)
from_access = Ether(dst=ACCESS, src=MAG1_MAC)
to_core = Ether(dst=GW_MAC, src=CORE)
to_mag1 = Ether(dst=MAG1_MAC, src=ACCESS)
to_mag4 = Ether(dst=MAG4_MAC, src=ACCESS)

CASES = []


def case(name, given, expected):
    """`given` and `expected`: lists of (port, frame)."""
    CASES.append((name, given, expected))


def node6(i):
    return f"2001:db8:1:a{i:x}::1"


def data(size):
    return Raw(bytes(i * 7 & 0xFF for i in range(size)))


def ip6(src, dst, length=None, hops=64, **more):
    """An IPv6 packet of `length` bytes."""
    size = 24 if length is None else length - 48
    return IPv6(src=src, dst=dst, hlim=hops, **more) / UDP(sport=1000, dport=2000) / data(size)


def ip4(src, dst, length=None, ttl=64, flags=0, **more):
    size = 24 if length is None else length - 28
    return IP(src=src, dst=dst, ttl=ttl, flags=flags, id=7, **more) / UDP(sport=1000, dport=2000) / data(size)


def parts6(ether, header, payload, size, ident=0):
    whole = header / IPv6ExtHdrFragment(id=ident) / payload
    return [ether / part for part in fragment6(IPv6(bytes(whole)), size)]


def parts4(ether, packet, size):
    whole = IP(bytes(packet))
    return [ether / part for part in fragment(whole, fragsize=(size - 20) // 8 * 8)]


def at(port, frames):
    return [(port, f) for f in frames]


# The entry of a tunnel: RFC 2473 7.1 (b), 7.2 (b), RFC 4213 3.2.
case("entry-ipv6-1280", at(CORE_PORT, [from_core / ip6(CN, MN1, 1280)]),
     at(ACCESS_PORT, parts6(to_mag1, IPv6(src=LMA, dst=MAG1, hlim=64), ip6(CN, MN1, 1280, hops=63), TUNNEL_MTU)))
case("entry-ipv6-1260", at(CORE_PORT, [from_core / ip6(CN, MN1, 1260)]),
     at(ACCESS_PORT, [to_mag1 / IPv6(src=LMA, dst=MAG1, hlim=64) / ip6(CN, MN1, 1260, hops=63)]))
big = ip6(CN, MN1, 1281)
case("entry-ipv6-1281", at(CORE_PORT, [from_core / big]),
     at(CORE_PORT, [to_core / IPv6(src=CORE_ADDR, dst=CN, hlim=64) / ICMPv6PacketTooBig(mtu=1280)
                    / Raw(bytes(big)[:1280 - 48])]))
case("entry-ipv4-in-ipv6", at(CORE_PORT, [from_core / ip4(CN4, NODE[0], 1490)]),
     at(ACCESS_PORT, parts6(to_mag1, IPv6(src=LMA, dst=MAG1, hlim=64), ip4(CN4, NODE[0], 1490, ttl=63), TUNNEL_MTU)))
df = ip4(CN4, NODE[0], 1261, flags="DF")
case("entry-ipv4-df", at(CORE_PORT, [from_core / df]),
     at(CORE_PORT, [to_core / IP(src=CORE_ADDR4, dst=CN4, ttl=64, tos=0xC0, id=0, flags="DF")
                    / ICMP(type=3, code=4, nexthopmtu=1260) / Raw(bytes(df)[:576 - 28])]))
case("entry-ipv4-in-ipv4", at(CORE_PORT, [from_core / ip4(CN4, NODE[3], 1490)]),
     at(ACCESS_PORT, parts4(to_mag4, IP(src=LMA4, dst=MAG4, ttl=64, id=0) / ip4(CN4, NODE[3], 1490, ttl=63), TUNNEL_MTU)))
case("entry-ipv6-in-ipv4", at(CORE_PORT, [from_core / ip6(CN, node6(5), 1280)]),
     at(ACCESS_PORT, parts4(to_mag4, IP(src=LMA4, dst=MAG4, ttl=64, id=0, proto=47)
                            / GRE(key_present=1, key=0, proto=0x86DD) / ip6(CN, node6(5), 1280, hops=63), TUNNEL_MTU)))
case("entry-ipv6-in-udp", at(CORE_PORT, [from_core / ip6(CN, node6(6), 1280)]),
     at(ACCESS_PORT, parts4(to_mag4, IP(src=LMA4, dst=MAG4, ttl=64, id=0)
                            / UDP(sport=5437, dport=5437, chksum=0) / ip6(CN, node6(6), 1280, hops=63), TUNNEL_MTU)))
# The same at a port that leads to the core.
wide = ip4(NODE[3], CN4, 1600)
case("exit-ipv4-in-parts", at(ACCESS_PORT, [from_access / IP(src=MAG4, dst=LMA4) / wide]),
     at(CORE_PORT, parts4(to_core, ip4(NODE[3], CN4, 1600, ttl=63), 1500)))

# RFC 791 3.1: the parts of a packet with options have those that are to be copied; scapy copies none or all.
alert, route, label = b"\x94\x04\0\0", b"\x07\x07\x04\0\0\0\0", b"\x82\x05\x09\x09\x09"
optioned = bytes(UDP(sport=1000, dport=2000, len=1560) / data(1552))


def part4(options, payload, **more):
    return IP(src=NODE[3], dst=CN4, id=7, proto=17, options=options, **more) / Raw(payload)


case("exit-ipv4-with-options", at(ACCESS_PORT, [from_access / IP(src=MAG4, dst=LMA4)
                                              / part4(alert + b"\1" + route + label + b"\0\0\0", optioned, ttl=64)]),
     at(CORE_PORT, [to_core / part4(alert + b"\1" + route + label + b"\0\0\0", optioned[:1456], ttl=63, flags="MF"),
                    to_core / part4(alert + label + b"\0\0\0", optioned[1456:], ttl=63, frag=1456 // 8)]))

# Fragments of a tunnel packet.
up, out = ip6(MN1, CN, 1400), ip6(MN1, CN, 1400, hops=63)
pieces = parts6(from_access, IPv6(src=MAG1, dst=LMA), up, 576, ident=0xABCDEF01)
case("fragments-ipv6", at(ACCESS_PORT, pieces), at(CORE_PORT, [to_core / out]))
case("fragments-ipv6-backwards", at(ACCESS_PORT, pieces[::-1]), at(CORE_PORT, [to_core / out]))
limit = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=4, optdata=b"\4"), PadN(optdata=b"\0")])
case("fragments-behind-limit", at(ACCESS_PORT, parts6(from_access, IPv6(src=MAG1, dst=LMA), limit / up, 1280)),
     at(CORE_PORT, [to_core / out]))
up4, out4 = ip4(NODE[0], CN4, 1400), ip4(NODE[0], CN4, 1400, ttl=63)
case("fragments-ipv4-in-ipv6", at(ACCESS_PORT, parts6(from_access, IPv6(src=MAG1, dst=LMA), up4, 1280)),
     at(CORE_PORT, [to_core / out4]))
for i, headers in [(3, IP(src=MAG4, dst=LMA4, id=77)),
                   (5, IP(src=MAG4, dst=LMA4, id=78) / GRE(key_present=1, key=0x1005, proto=0x0800)),
                   (6, IP(src=MAG4, dst=LMA4, id=79) / UDP(sport=5437, dport=5437, chksum=0))]:
    case(f"fragments-ipv4-{i}", at(ACCESS_PORT, parts4(from_access, headers / ip4(NODE[i], CN4, 1400), 700)),
         at(CORE_PORT, [to_core / ip4(NODE[i], CN4, 1400, ttl=63)]))
case("fragment-atomic", at(ACCESS_PORT, [from_access / IPv6(src=MAG1, dst=LMA) / IPv6ExtHdrFragment(nh=41) / ip6(MN1, CN)]),
     at(CORE_PORT, [to_core / ip6(MN1, CN, hops=63)]))

# ICMP errors about tunnel packets: RFC 2473 8, RFC 2003 4.
def sent6(packet):
    return IPv6(src=LMA, dst=MAG1, hlim=60) / packet


def sent4(packet, **more):
    return IP(src=LMA4, dst=MAG4, ttl=60, id=5, **more) / packet


def told6(error, about):
    quoted = bytes(about)[:1280 - 48]
    return at(ACCESS_PORT, [from_access / IPv6(src=ROUTER, dst=LMA) / error / Raw(quoted)])


def relayed6(error, about, skipped):
    quoted = bytes(bytes(sent6(about))[:1280 - 48])[skipped:]
    return at(CORE_PORT, [to_core / IPv6(src=CORE_ADDR, dst=CN, hlim=64) / error / Raw(quoted)])


def told4(error, about, size):
    return at(ACCESS_PORT, [from_access / IP(src=ROUTER4, dst=LMA4) / error / Raw(bytes(about)[:size])])


lost = ip6(CN, MN1, 1252, hops=63)
address = ICMPv6DestUnreach(code=3)
for name, error in [("hop-limit", ICMPv6TimeExceeded(code=0)), ("no-route", ICMPv6DestUnreach(code=0)),
                    ("unreachable", ICMPv6DestUnreach(code=3)), ("port", ICMPv6DestUnreach(code=4))]:
    case(f"error-{name}", told6(error, sent6(lost)), relayed6(address, lost, 40))
limited = IPv6(src=LMA, dst=MAG1, hlim=60, nh=60) / IPv6ExtHdrDestOpt(
    nh=41, options=[HBHOptUnknown(otype=4, optdata=b"\0"), PadN(optdata=b"\0")]) / ip6(CN, MN1, 200, hops=63)
case("error-encap-limit", told6(ICMPv6ParamProblem(code=0, ptr=44), limited),
     at(CORE_PORT, [to_core / IPv6(src=CORE_ADDR, dst=CN, hlim=64) / address / ip6(CN, MN1, 200, hops=63)]))
inner4 = ip4(CN4, NODE[0], 1250, ttl=63, flags="DF")
case("error-ipv4-in-ipv6", told6(ICMPv6DestUnreach(code=0), sent6(inner4)),
     at(CORE_PORT, [to_core / IP(src=CORE_ADDR4, dst=CN4, ttl=64, tos=0xC0, id=0, flags="DF")
                    / ICMP(type=3, code=1) / Raw(bytes(inner4)[:576 - 28])]))
too_big = ICMPv6PacketTooBig(mtu=1290)
case("error-too-big-df", told6(too_big, sent6(ip4(CN4, NODE[0], 1255, ttl=63, flags="DF"))),
     at(CORE_PORT, [to_core / IP(src=CORE_ADDR4, dst=CN4, ttl=64, tos=0xC0, id=0, flags="DF")
                    / ICMP(type=3, code=4, nexthopmtu=1250)
                    / Raw(bytes(ip4(CN4, NODE[0], 1255, ttl=63, flags="DF"))[:576 - 28])]))
inner = ip4(CN4, NODE[3], 1200, ttl=63, flags="DF")
case("error-ipv4-too-big", told4(ICMP(type=3, code=4, nexthopmtu=1000), sent4(inner, flags="DF"), 548),
     at(CORE_PORT, [to_core / IP(src=CORE_ADDR4, dst=CN4, ttl=64, tos=0xC0, id=0, flags="DF")
                    / ICMP(type=3, code=4, nexthopmtu=980) / Raw(bytes(inner)[:548 - 20])]))
case("error-ipv4-ttl", told4(ICMP(type=11, code=0), sent4(inner, flags="DF"), 548),
     at(CORE_PORT, [to_core / IP(src=CORE_ADDR4, dst=CN4, ttl=64, tos=0xC0, id=0, flags="DF")
                    / ICMP(type=3, code=1) / Raw(bytes(inner)[:548 - 20])]))
inner6 = ip6(CN, node6(3), 1200, hops=63)
case("error-ipv6-in-ipv4", told4(ICMP(type=3, code=0), sent4(inner6), 548),
     at(CORE_PORT, [to_core / IPv6(src=CORE_ADDR, dst=CN, hlim=64) / address / Raw(bytes(inner6)[:548 - 20])]))

# Headers before the inner packet, what is in it, what is behind it.
small, passed = ip6(MN1, CN), ip6(MN1, CN, hops=63)
case("hop-by-hop", at(ACCESS_PORT, [from_access / IPv6(src=MAG1, dst=LMA) / IPv6ExtHdrHopByHop(
    nh=41, options=[PadN(optdata=b"\0" * 4)]) / small]), at(CORE_PORT, [to_core / passed]))
case("all-kinds-of-headers", at(ACCESS_PORT, [from_access / IPv6(src=MAG1, dst=LMA)
     / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
     / IPv6ExtHdrRouting(type=0, segleft=0, addresses=[]) / IPv6ExtHdrFragment() / IPv6ExtHdrDestOpt(
         nh=41, options=[PadN(optdata=b"\0" * 4)]) / small]), at(CORE_PORT, [to_core / passed]))
empty = IPv6(src=MN1, dst=CN, hlim=64, nh=59)
case("empty-inner", at(ACCESS_PORT, [from_access / IPv6(src=MAG1, dst=LMA, nh=41) / empty]),
     at(CORE_PORT, [to_core / IPv6(src=MN1, dst=CN, hlim=63, nh=59)]))
padded = bytes(from_access / IPv6(src=MAG1, dst=LMA, nh=41) / small) + b"\xee" * 30
case("padding", at(ACCESS_PORT, [padded]), at(CORE_PORT, [to_core / passed]))
padded4 = bytes(Ether(dst=ACCESS, src=MAG4_MAC) / IP(src=MAG4, dst=LMA4) / IP(src=NODE[3], dst=CN4, id=7, proto=253))
case("padding-ipv4", at(ACCESS_PORT, [padded4 + b"\xee" * (60 - len(padded4))]),
     at(CORE_PORT, [to_core / IP(src=NODE[3], dst=CN4, id=7, proto=253, ttl=63)]))
case("vlan", at(CORE_PORT, [Ether(dst=CORE, src=GW_MAC) / Dot1Q(vlan=300) / IPv6(src=MAG1, dst=LMA, nh=41) / small]),
     at(CORE_PORT, [to_core / passed]))
options = IP(src=NODE[3], dst=CN4, id=7, ttl=64, options=b"\x94\x04\0\0") / UDP(sport=1, dport=2) / data(8)
routed = IP(src=NODE[3], dst=CN4, id=7, ttl=63, options=b"\x94\x04\0\0") / UDP(sport=1, dport=2) / data(8)
case("options-of-both-headers", at(ACCESS_PORT, [from_access / IP(src=MAG4, dst=LMA4, options=b"\x94\x04\0\0") / options]),
     at(CORE_PORT, [to_core / routed]))
in_parts = ip6(MN1, CN, nh=44)
inner_fragment = IPv6(src=MN1, dst=CN, hlim=64) / IPv6ExtHdrFragment(nh=17, offset=100, id=9) / data(64)
case("inner-fragment", at(ACCESS_PORT, [from_access / IPv6(src=MAG1, dst=LMA) / inner_fragment]),
     at(CORE_PORT, [to_core / IPv6(src=MN1, dst=CN, hlim=63) / IPv6ExtHdrFragment(nh=17, offset=100, id=9) / data(64)]))

# RFC 6040 4.2, figure 4: a row for each inner ECN field, a column for each outer one; DSCPs differ, each keeps its own.
NOT_ECT, ECT_1, ECT_0, CE = range(4)
EXIT = {NOT_ECT: {NOT_ECT: NOT_ECT, ECT_0: NOT_ECT, ECT_1: NOT_ECT},
        ECT_0: {NOT_ECT: ECT_0, ECT_0: ECT_0, ECT_1: ECT_1, CE: CE},
        ECT_1: {NOT_ECT: ECT_1, ECT_0: ECT_1, ECT_1: ECT_1, CE: CE},
        CE: {NOT_ECT: CE, ECT_0: CE, ECT_1: CE, CE: CE}}
AF11, EF = 0x0A << 2, 0x2E << 2
for inner_ecn, row in EXIT.items():
    for outer_ecn, ecn in row.items():
        cell, outer_class = f"{inner_ecn}-in-{outer_ecn}", EF | outer_ecn
        tunnel6 = from_access / IPv6(src=MAG1, dst=LMA, tc=outer_class)
        tunnel4 = from_access / IP(src=MAG4, dst=LMA4, tos=outer_class)
        for way, headers, i in [("6in6", tunnel6, 0), ("6in4", tunnel4, 3),
                                ("gre4", tunnel4 / GRE(key_present=1, key=0x1005, proto=0x86DD), 5)]:
            case(f"ecn-{cell}-{way}", at(ACCESS_PORT, [headers / ip6(node6(i), CN, tc=AF11 | inner_ecn)]),
                 at(CORE_PORT, [to_core / ip6(node6(i), CN, hops=63, tc=AF11 | ecn)]))
        for way, headers, i in [("4in6", tunnel6, 0), ("4in4", tunnel4, 3),
                                ("gre6", tunnel6 / GRE(key_present=1, key=0x1002, proto=0x0800), 2)]:
            case(f"ecn-{cell}-{way}", at(ACCESS_PORT, [headers / ip4(NODE[i], CN4, tos=AF11 | inner_ecn)]),
                 at(CORE_PORT, [to_core / ip4(NODE[i], CN4, ttl=63, tos=AF11 | ecn)]))

capture.write("edge", [f for _, given, _ in CASES for _, f in given])
capture.write("edge-expected", [f for _, _, expected in CASES for _, f in expected])
print("# Made by edge.py. A line: name, ports by which frames of edge.pcap come, by which those of edge-expected.pcap leave.")
for name, given, expected in CASES:
    print(name, capture.ports(given), capture.ports(expected))
