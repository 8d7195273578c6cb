#!/usr/bin/python3 -B
"""Writes refused.pcap: packets at the edges that a worker drops, and for what reason, built by scapy.

The worker's tests (src/dataplane/tests/refused.rs, tests/edges.rs) set up the tables of edge.py. The last frame of a case is
the one that is dropped; what comes before it is taken in.

    /usr/bin/python3 refused.py > refused.txt      (Debian's python3-scapy 2.5)
"""

from scapy.all import (
    Dot1AD, Dot1Q, Ether, GRE, HBHOptUnknown, IP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, Jumbo, Pad1, PadN, Raw, UDP,
)

import capture

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


# What tshark says of the last frame of each: values of several headers with + between. So a name is no mere claim.
SHOWS = {
    "options-cut": "ipv6.dstopts.len_oct=16,ipv6.plen=8",
    "nine-headers": "ipv6.dstopts.nxt=60+60+60+60+60+60+60+60+41",
    "option-beyond-header": "ipv6.dstopts.len_oct=8,ipv6.opt.length=9",
    "option-discard": "ipv6.dstopts.nxt=41,ipv6.opt.type.action=1",
    "option-tell": "ipv6.dstopts.nxt=41,ipv6.opt.type.action=2",
    "option-tell-unicast": "ipv6.dstopts.nxt=41,ipv6.opt.type.action=3",
    "hop-by-hop-discard": "ipv6.hopopts.nxt=41,ipv6.opt.type.action=1",
    "hop-by-hop-tell": "ipv6.hopopts.nxt=41,ipv6.opt.type.action=2",
    "hop-by-hop-tell-unicast": "ipv6.hopopts.nxt=41,ipv6.opt.type.action=3",
    "limit-of-two-bytes": "ipv6.opt.type=0x04+0x00+0x00,ipv6.opt.length=2",
    "limit-used-up": "ipv6.opt.tel=0,ipv6.dstopts.nxt=41",
    "nothing-inside": "ipv6.nxt=41,ipv6.plen=0",
    "nothing-inside-ipv4": "ip.proto=4,ip.len=20",
    "nothing-behind-gre": "ipv6.nxt=47,ipv6.plen=4,gre.proto=0x86dd",
    "inner-header-cut": "ipv6.plen=39+32",
    "inner-longer-than-outer": "ipv6.plen=71+32",
    "outer-longer-than-frame": "frame.len=125,ipv6.plen=72+32",
    "outer-header-cut": "frame.len=53,ipv6.plen=72",
    "outer-ipv4-longer-than-frame": "frame.len=85,ip.len=72+52",
    "outer-ipv4-shorter-than-its-header": "ip.len=19",
    "inner-ipv4-with-options-cut": "ip.len=40+24,ip.hdr_len=20+24",
    "inner-ipv4-header-of-16-bytes": "ip.hdr_len=20+16",
    "inner-ipv4-checksum": "ip.checksum.status=1+0",
    "jumbogram": "ipv6.plen=0+32,ipv6.opt.jumbo=65600",
    "inner-jumbogram": "ipv6.plen=48+0,ipv6.opt.jumbo=65600",
    "udp-shorter-than-its-header": "udp.length=7",
    "udp-longer-than-the-packet": "udp.length=999,ip.len=80",
    "udp-checksum": "udp.dstport=5437,udp.checksum.status=0",
    "gre-cut": "ipv6.plen=6,gre.flags.key=1",
    "gre-version": "gre.flags.version=1",
    "gre-routing": "gre.flags.routing=1",
    "gre-key-of-nobody": "gre.key=0x00000007",
    "version-5": "ip.version=6+5",
    "ipv4-announced-as-ipv6": "ip.version=6+4",
    "vlan-of-nobody": "vlan.id=99",
    "two-tags": "ieee8021ad.id=300,vlan.id=300",
    "tag-cut": "vlan.id=300,frame.len=16",
    "gateway-that-does-not-serve": "ipv6.src=2001:db8:a::99+2001:db8:1:1::11",
    "node-of-nobody": "ipv6.src=2001:db8:a::1+2001:db8:1:77::1",
    "node-of-nobody-ipv4": "ip.src=198.51.100.7+10.1.0.200",
    "from-link-local": "ipv6.src=2001:db8:a::1+fe80::11",
    "to-multicast": "ipv6.dst=2001:db8:ff::1+ff0e::1",
    "to-multicast-ipv4": "ip.dst=192.0.2.1+239.1.1.1",
    "to-link-local": "ipv6.dst=2001:db8:ff::1+fe80::1",
    "gre-key-of-another": "gre.key=0x00001006,ip.src=198.51.100.7+10.1.0.21",
    "udp-port-of-another": "udp.srcport=5438,udp.dstport=5437",
    "congestion-without-ecn": "ipv6.tclass.ecn=3+0",
    "congestion-without-ecn-4in4": "ip.dsfield.ecn=3+0",
    "congestion-without-ecn-gre": "ip.dsfield.ecn=3+0,gre.key=0x00001005",
    "fragments-overlap": "ipv6.fraghdr.offset=7,ipv6.fraghdr.more=1",
    "fragment-inside-another": "ipv6.fraghdr.offset=1,ipv6.plen=16",
    "fragment-behind-the-end": "ipv6.fraghdr.offset=10,ipv6.fraghdr.more=0",
    "fragment-twice": "ipv6.fraghdr.offset=0,ipv6.fraghdr.more=1",
    "fragment-of-63-bytes": "frame.len=125,ipv6.fraghdr.more=1",
    "fragment-of-nothing": "ipv6.plen=8,ipv6.fraghdr.more=1",
    "fragment-beyond-65535": "ipv6.fraghdr.offset=8191,ipv6.plen=16",
    "fragment-of-a-giant": "ipv6.fraghdr.offset=512",
    "fragment-of-a-stranger": "ipv6.fraghdr.more=1,frame.len=126",
    "fragment-of-signaling": "ipv6.fraghdr.nxt=135,ipv6.fraghdr.more=1",
    "fragments-ipv4-overlap": "ip.id=0x0009,ip.proto=4",
}
CASES = []


def case(name, reason, *frames, port=ACCESS_PORT):
    CASES.append((name, reason, [(port, f) for f in frames], SHOWS[name]))


def with_byte(frame, at, byte):
    frame = bytearray(bytes(frame))
    frame[at] = byte
    return bytes(frame)


def pad(length, next_header):
    """A Destination Options header of `length` bytes with nothing in it."""
    return IPv6ExtHdrDestOpt(nh=next_header, options=[PadN(optdata=b"\0" * (length - 4))])


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

# Whose packet it is.
case("gateway-that-does-not-serve", "not_serving", up / IPv6(src="2001:db8:a::99", dst=LMA) / inner)
case("node-of-nobody", "inner_source", up / to_lma / IPv6(src="2001:db8:1:77::1", dst=CN, nh=59))
case("node-of-nobody-ipv4", "inner_source", up / to_lma4 / IP(src="10.1.0.200", dst=CN4))
case("from-link-local", "source_scope", up / to_lma / IPv6(src="fe80::11", dst="ff02::1", nh=59))
case("to-multicast", "destination_scope", up / to_lma / IPv6(src=MN1, dst="ff0e::1", nh=59))
case("to-multicast-ipv4", "destination_scope", up / to_lma4 / IP(src=NODE[3], dst="239.1.1.1"))
case("to-link-local", "destination_scope", up / to_lma / IPv6(src=MN1, dst="fe80::1", nh=59))
case("gre-key-of-another", "gre_key",
     up / to_lma4 / GRE(key_present=1, key=0x1006, proto=0x0800) / IP(src=NODE[5], dst=CN4))
case("udp-port-of-another", "udp_port",
     up / to_lma4 / UDP(sport=5438, dport=5437, chksum=0) / IP(src=NODE[6], dst=CN4))
case("congestion-without-ecn", "ecn_congestion", up / IPv6(src=MAG1, dst=LMA, tc=3) / inner)
case("congestion-without-ecn-4in4", "ecn_congestion", up / IP(src=MAG4, dst=LMA4, tos=3) / inner4)
case("congestion-without-ecn-gre", "ecn_congestion", up / IP(src=MAG4, dst=LMA4, tos=3)
     / GRE(key_present=1, key=0x1005, proto=0x0800) / IP(src=NODE[5], dst=CN4))


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

capture.write("refused", [f for *_, frames, _ in CASES for _, f in frames])
print("# Made by refused.py. A line: name, reason of the last frame, ports of its frames in refused.pcap, what the last shows.")
for name, reason, frames, shows in CASES:
    print(name, reason, capture.ports(frames), shows)
