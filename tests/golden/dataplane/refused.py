#!/usr/bin/python3
"""Writes refused.txt: packets at the edges that a worker drops, and for what reason, built by scapy.

The worker's test (src/dataplane/tests/refused.rs) sets up the tables of edge.py. The last frame of a case is
the one that is dropped; what comes before it is taken in.

    /usr/bin/python3 refused.py > refused.txt      (Debian's python3-scapy 2.5)
"""

from scapy.all import (
    Dot1AD, Dot1Q, Ether, GRE, HBHOptUnknown, IP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, Jumbo, Pad1, PadN, Raw, UDP,
)

LMA, MAG1, LMA4, MAG4 = "2001:db8:ff::1", "2001:db8:a::1", "192.0.2.1", "198.51.100.7"
MN1, CN, CN4 = "2001:db8:1:1::11", "2001:db8:c::c", "203.0.113.9"
NODE = [f"10.1.0.{16 + i}" for i in range(10)]
ACCESS, CORE = "02:00:00:00:00:a0", "02:00:00:00:00:c0"
MAG1_MAC, GW_MAC = "02:00:00:00:01:01", "02:00:00:00:02:01"
ACCESS_PORT, CORE_PORT = 0, 1

up = Ether(dst=ACCESS, src=MAG1_MAC)
down = Ether(dst=CORE, src=GW_MAC)
inner = IPv6(src=MN1, dst=CN) / UDP(sport=1, dport=2) / Raw(b"x" * 24)
inner4 = IP(src=NODE[3], dst=CN4, id=7) / UDP(sport=1, dport=2) / Raw(b"x" * 24)
to_lma = IPv6(src=MAG1, dst=LMA)
to_lma4 = IP(src=MAG4, dst=LMA4)


def case(name, reason, *frames, port=ACCESS_PORT):
    print(name, reason, ",".join(f"{port}:{bytes(f).hex()}" for f in frames))


def with_byte(frame, at, byte):
    frame = bytearray(bytes(frame))
    frame[at] = byte
    return bytes(frame)


def pad(length, next_header):
    """A Destination Options header of `length` bytes with nothing in it."""
    return IPv6ExtHdrDestOpt(nh=next_header, options=[PadN(optdata=b"\0" * (length - 4))])


print("# Made by refused.py. A line: name, reason of the last frame, frames as port:bytes with commas between.")

# Extension headers and options between outer header and inner packet.
case("options-cut", "outer_header", up / IPv6(src=MAG1, dst=LMA, nh=60) / Raw(bytes(pad(16, 41))[:8]))
chain = b"".join(bytes(pad(8, 60)) for _ in range(8)) + bytes(pad(8, 41))
case("nine-headers", "outer_header", up / IPv6(src=MAG1, dst=LMA, nh=60) / Raw(chain) / inner)
case("option-beyond-header", "outer_header",
     up / IPv6(src=MAG1, dst=LMA, nh=60) / Raw(bytes([41, 0, 0x1E, 9, 0, 0, 0, 0])) / inner)
for kind, name in [(0x5E, "discard"), (0x9E, "tell"), (0xDE, "tell-unicast")]:
    case(f"option-{name}", "outer_option",
         up / IPv6(src=MAG1, dst=LMA, nh=60) / IPv6ExtHdrDestOpt(
             nh=41, options=[HBHOptUnknown(otype=kind, optdata=b"abcd")]) / inner)
    case(f"hop-by-hop-{name}", "outer_option",
         up / IPv6(src=MAG1, dst=LMA, nh=0) / IPv6ExtHdrHopByHop(
             nh=41, options=[HBHOptUnknown(otype=kind, optdata=b"abcd")]) / inner)
case("limit-of-two-bytes", "outer_header", up / IPv6(src=MAG1, dst=LMA, nh=60) / IPv6ExtHdrDestOpt(
    nh=41, options=[HBHOptUnknown(otype=4, optdata=b"\4\4"), Pad1(), Pad1()]) / inner)
# Nested tunnels beyond the limit.
case("limit-used-up", "encap_limit", down / IPv6(src=CN, dst=MN1, nh=60) / IPv6ExtHdrDestOpt(
    nh=41, options=[HBHOptUnknown(otype=4, optdata=b"\0"), PadN(optdata=b"\0")]) / inner, port=CORE_PORT)

# Lengths.
case("nothing-inside", "inner_truncated", up / IPv6(src=MAG1, dst=LMA, nh=41))
case("nothing-inside-ipv4", "inner_truncated", up / IP(src=MAG4, dst=LMA4, proto=4))
case("nothing-behind-gre", "inner_truncated", up / to_lma / GRE(proto=0x86DD))
case("inner-header-cut", "inner_truncated", up / IPv6(src=MAG1, dst=LMA, nh=41) / Raw(bytes(inner)[:39]))
case("inner-longer-than-outer", "inner_truncated", up / IPv6(src=MAG1, dst=LMA, nh=41) / Raw(bytes(inner)[:-1]))
case("outer-longer-than-frame", "truncated", bytes(up / to_lma / inner)[:-1])
case("outer-header-cut", "frame_short", bytes(up / to_lma / inner)[:53])
case("outer-ipv4-longer-than-frame", "truncated", bytes(up / to_lma4 / inner4)[:-1])
case("outer-ipv4-shorter-than-its-header", "ipv4_header", up / IP(src=MAG4, dst=LMA4, len=19, proto=4) / inner4)
case("inner-ipv4-with-options-cut", "inner_truncated",
     up / IP(src=MAG4, dst=LMA4, proto=4) / Raw(bytes(IP(src=NODE[3], dst=CN4, options=b"\x94\x04\0\0"))[:20]))
case("inner-ipv4-header-of-16-bytes", "ipv4_header",
     up / IP(src=MAG4, dst=LMA4, proto=4) / Raw(with_byte(inner4, 0, 0x44)))
case("inner-ipv4-checksum", "ipv4_checksum", up / to_lma4 / IP(src=NODE[3], dst=CN4, chksum=1) / Raw(b"x" * 8))
case("jumbogram", "truncated", up / IPv6(src=MAG1, dst=LMA, plen=0, nh=0) / IPv6ExtHdrHopByHop(
    nh=41, options=[Jumbo(jumboplen=65_600)]) / inner)
case("inner-jumbogram", "inner_truncated", up / IPv6(src=MAG1, dst=LMA, nh=41) / IPv6(
    src=MN1, dst=CN, plen=0, nh=0) / IPv6ExtHdrHopByHop(nh=17, options=[Jumbo(jumboplen=65_600)]))
case("udp-shorter-than-its-header", "outer_udp", up / to_lma4 / UDP(sport=5437, dport=5437, len=7, chksum=0) / inner4)
case("udp-longer-than-the-packet", "outer_udp", up / to_lma4 / UDP(sport=5437, dport=5437, len=999, chksum=0) / inner4)
case("udp-checksum", "outer_udp", up / to_lma4 / UDP(sport=5437, dport=5437, chksum=1) / inner4)
case("gre-cut", "gre_header", up / IPv6(src=MAG1, dst=LMA, nh=47) / Raw(bytes(GRE(key_present=1, key=9))[:6]))
case("gre-version", "gre_header", up / to_lma / GRE(version=1, proto=0x86DD) / inner)
case("gre-routing", "gre_header",
     up / IPv6(src=MAG1, dst=LMA, nh=47) / Raw(bytes([0x40, 0, 0x86, 0xDD]) + bytes(4)) / inner)
case("gre-key-of-nobody", "encapsulation", up / to_lma / GRE(key_present=1, key=7, proto=0x86DD) / inner)
case("version-5", "inner_version", up / IPv6(src=MAG1, dst=LMA, nh=41) / Raw(with_byte(inner, 0, 0x50)))
case("ipv4-announced-as-ipv6", "inner_version", up / IPv6(src=MAG1, dst=LMA, nh=41) / inner4)

# Tags.
case("vlan-of-nobody", "vlan", Ether(dst=CORE, src=GW_MAC) / Dot1Q(vlan=99) / to_lma / inner, port=CORE_PORT)
case("two-tags", "vlan", Ether(dst=CORE, src=GW_MAC) / Dot1AD(vlan=300) / Dot1Q(vlan=300) / to_lma / inner, port=CORE_PORT)
case("tag-cut", "vlan", bytes(Ether(dst=CORE, src=GW_MAC) / Dot1Q(vlan=300))[:16], port=CORE_PORT)


# Fragments.
def part(offset, more, payload, ident=1):
    return up / to_lma / IPv6ExtHdrFragment(nh=41, offset=offset // 8, m=more, id=ident) / Raw(payload)


case("fragments-overlap", "fragment_overlap", part(0, 1, b"a" * 64), part(56, 1, b"b" * 64))
case("fragment-inside-another", "fragment_overlap", part(0, 1, b"a" * 64), part(8, 1, b"a" * 8))
case("fragment-behind-the-end", "fragment_overlap", part(64, 0, b"a" * 9), part(80, 0, b"a" * 8))
case("fragment-twice", "fragment_duplicate", part(0, 1, b"a" * 64), part(0, 1, b"a" * 64))
case("fragment-of-63-bytes", "fragment_length", part(0, 1, b"a" * 63))
case("fragment-of-nothing", "fragment_length", part(8, 1, b""))
case("fragment-beyond-65535", "fragment_length", part(65_528, 0, b"a" * 8))
case("fragment-of-a-giant", "fragment_excess", part(4096, 1, b"a" * 64))
case("fragment-of-a-stranger", "not_serving",
     up / IPv6(src="2001:db8:bad::1", dst=LMA) / IPv6ExtHdrFragment(nh=41, m=1, id=1) / Raw(b"a" * 64))
case("fragment-of-signaling", "signaling_fragment",
     up / to_lma / IPv6ExtHdrFragment(nh=135, m=1, id=1) / Raw(b"\x3b" * 64))
case("fragments-ipv4-overlap", "fragment_overlap",
     up / IP(src=MAG4, dst=LMA4, proto=4, id=9, flags="MF") / Raw(b"E" * 64),
     up / IP(src=MAG4, dst=LMA4, proto=4, id=9, frag=7) / Raw(b"E" * 64))
