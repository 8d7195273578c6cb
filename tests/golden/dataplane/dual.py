#!/usr/bin/python3
"""Writes dual.txt: both IP versions inside and outside, in every encapsulation, built by scapy.

The worker's tests (src/dataplane/tests/dual.rs) set up the tunnels named in TUNNELS and compare byte
by byte. The flow label and the IPv4 identification of tunnel headers are zero here.

    /usr/bin/python3 dual.py > dual.txt      (Debian's python3-scapy 2.5)
"""

import struct

from scapy.all import GRE, ICMP, IP, UDP, Ether, IPOption_NOP, IPv6, Raw

LMA, MAG = "2001:db8:ff::1", "2001:db8:a::1"
LMA4, MAG4, CORE4, CN4 = "192.0.2.1", "198.51.100.7", "192.0.2.254", "203.0.113.9"
CN = "2001:db8:c::c"
NOBODY4, ISOLATED4 = "10.1.0.200", "198.18.0.1"
ACCESS, CORE = "02:00:00:00:00:a0", "02:00:00:00:00:c0"
MAG_MAC, MAG4_MAC, GW_MAC = "02:00:00:00:01:01", "02:00:00:00:01:04", "02:00:00:00:02:01"
MTU = 1500
ACCESS_PORT, CORE_PORT = 0, 1

from_core = Ether(dst=CORE, src=GW_MAC)
to_core = Ether(dst=GW_MAC, src=CORE)

# Name, whether the outer packet is IPv4, what stands behind its header, the gateway's UDP port, keys.
TUNNELS = [
    ("ip6", False, "ip", None, None),
    ("gre6", False, "gre", None, None),
    ("gre6key", False, "gre", None, (0x11223344, 0x1002)),
    ("ip4", True, "ip", None, None),
    ("gre4", True, "gre", None, None),
    ("gre4key", True, "gre", None, (0, 0x1005)),
    ("udp4", True, "udp", 5437, None),
    ("udp4nat", True, "udp", 40000, None),
    ("tlv4", True, "tlv", 5437, None),
    ("tlv4key", True, "tlv", 5437, (0xFFFFFFFF, 0x1009)),
    ("mip6", True, "mip6", 40001, None),
    ("mip4", True, "mip4", 40002, None),
]
OVERHEAD = {"ip": 0, "gre": 4, "udp": 8, "tlv": 16, "mip6": 8, "mip4": 12}


def mn(index):
    return f"2001:db8:1:a{index:x}::11"


def mn4(index):
    return f"10.1.0.{16 + index}"


def inner(src, dst, hops=64, tos=0, size=24, flags=0, proto=None, options=()):
    """A UDP packet of the family of its addresses."""
    data = UDP(sport=1000, dport=2000) / Raw(bytes(i & 0xFF for i in range(size)))
    if "." in src:
        return IP(src=src, dst=dst, ttl=hops, tos=tos, id=7, flags=flags, options=list(options)) / data
    return IPv6(src=src, dst=dst, hlim=hops, tc=tos) / data


def number(packet):
    return 4 if isinstance(packet, IP) else 41


def gre(packet, key, **more):
    kind = 0x0800 if isinstance(packet, IP) else 0x86DD
    present = {} if key is None else {"key_present": 1, "key": key}
    return GRE(bytes(GRE(proto=kind, **present, **more) / Raw(bytes(packet))))


def between(tunnel, packet, key, sport, dport, checksum):
    """What stands behind the outer IP header, and its protocol number."""
    _, _, kind, _, _ = tunnel
    if kind == "ip":
        return packet, number(packet)
    if kind == "gre":
        return gre(packet, key), 47
    payload = bytes(packet)
    if kind == "tlv":
        payload = bytes(gre(packet, key))
        payload = struct.pack("!BBH", 0, 47, len(payload)) + payload
    if kind == "mip4":
        payload = struct.pack("!BBH", 4, number(packet), 0) + payload
    return UDP(sport=sport, dport=dport, chksum=checksum) / Raw(payload), 17


def anchors_port(tunnel):
    _, _, kind, port, _ = tunnel
    return {"mip6": 4191, "mip4": 434}.get(kind, 5437 if port == 5437 else 5436)


def up(tunnel, packet, tos=0, checksum=None, options=()):
    _, is_ipv4, _, port, keys = tunnel
    payload, proto = between(tunnel, packet, keys and keys[1], port, anchors_port(tunnel), checksum)
    if is_ipv4:
        ip = IP(src=MAG4, dst=LMA4, ttl=255, tos=tos, id=99, proto=proto, options=list(options))
        return Ether(dst=ACCESS, src=MAG4_MAC) / ip / payload
    return Ether(dst=ACCESS, src=MAG_MAC) / IPv6(src=MAG, dst=LMA, hlim=255, tc=tos, nh=proto) / payload


def down(tunnel, packet, tos=0):
    _, is_ipv4, _, port, keys = tunnel
    payload, proto = between(tunnel, packet, keys and keys[0], anchors_port(tunnel), port, 0)
    if is_ipv4:
        # RFC 2003 3.1: DF is copied from IPv4; RFC 4213 3.2.1: without dynamic MTU IPv6 has none.
        flags = packet.flags if isinstance(packet, IP) else 0
        ip = IP(src=LMA4, dst=MAG4, ttl=64, tos=tos, id=0, flags=flags, proto=proto)
        return Ether(dst=MAG4_MAC, src=ACCESS) / ip / payload
    return Ether(dst=MAG_MAC, src=ACCESS) / IPv6(src=LMA, dst=MAG, hlim=64, tc=tos, nh=proto) / payload


def overhead(tunnel):
    _, is_ipv4, kind, _, keys = tunnel
    key = 4 if keys else 0
    return (20 if is_ipv4 else 40) + OVERHEAD[kind] + key


def error4(src, dst, kind, about):
    quoted = bytes(about)[: 576 - 28]
    return IP(src=src, dst=dst, ttl=64, tos=0xC0, id=0, flags="DF") / kind / Raw(quoted)


CASES = []


def case(name, in_port, given, out_port, expected):
    CASES.append((name, in_port, bytes(given), out_port, bytes(expected)))


for index, tunnel in enumerate(TUNNELS):
    name = tunnel[0]
    for version, cn, node in [(6, CN, mn(index)), (4, CN4, mn4(index))]:
        case(f"{name}-down{version}", CORE_PORT, from_core / inner(cn, node, tos=0xB9),
             ACCESS_PORT, down(tunnel, inner(cn, node, hops=63, tos=0xB9), tos=0xB9))
        case(f"{name}-up{version}", ACCESS_PORT, up(tunnel, inner(node, cn, tos=0x48)),
             CORE_PORT, to_core / inner(node, cn, hops=63, tos=0x48))
        case(f"{name}-up{version}-ce", ACCESS_PORT, up(tunnel, inner(node, cn, tos=0x02), tos=0x03),
             CORE_PORT, to_core / inner(node, cn, hops=63, tos=0x03))
        case(f"{name}-up{version}-padded", ACCESS_PORT,
             bytes(up(tunnel, inner(node, cn, size=1))) + b"\xee" * 9,
             CORE_PORT, to_core / inner(node, cn, hops=63, size=1))
    room = MTU - overhead(tunnel) - 28
    case(f"{name}-down4-largest", CORE_PORT, from_core / inner(cn, node, size=room, flags="DF"),
         ACCESS_PORT, down(tunnel, inner(cn, node, hops=63, size=room, flags="DF")))
    big = inner(CN4, mn4(index), size=room + 1, flags="DF")
    case(f"{name}-down4-too-big", CORE_PORT, from_core / big, CORE_PORT,
         to_core / error4(CORE4, CN4, ICMP(type=3, code=4, nexthopmtu=MTU - overhead(tunnel)), big))
    late = inner(mn4(index), CN4, hops=1)
    case(f"{name}-up4-ttl", ACCESS_PORT, up(tunnel, late), ACCESS_PORT,
         down(tunnel, error4(LMA4, mn4(index), ICMP(type=11, code=0), late), tos=0xC0))
    if tunnel[3]:
        case(f"{name}-up4-without-checksum", ACCESS_PORT,
             up(tunnel, inner(mn4(index), CN4), checksum=0),
             CORE_PORT, to_core / inner(mn4(index), CN4, hops=63))
    if tunnel[1]:
        case(f"{name}-up4-outer-options", ACCESS_PORT,
             up(tunnel, inner(mn4(index), CN4), options=[IPOption_NOP()] * 4),
             CORE_PORT, to_core / inner(mn4(index), CN4, hops=63))

ip6, gre4key, tlv4key = TUNNELS[0], TUNNELS[5], TUNNELS[9]
optional = inner(CN4, mn4(3), options=[IPOption_NOP()] * 8)
case("down4-options", CORE_PORT, from_core / optional, ACCESS_PORT,
     down(TUNNELS[3], inner(CN4, mn4(3), hops=63, options=[IPOption_NOP()] * 8)))
fragment = IP(src=CN4, dst=mn4(6), id=7, frag=185, flags="MF", proto=17) / Raw(b"x" * 32)
fragment2 = IP(src=CN4, dst=mn4(6), id=7, frag=185, flags="MF", proto=17, ttl=63) / Raw(b"x" * 32)
expected = down(TUNNELS[6], fragment2)
expected[IP].flags = 0
case("down4-fragment", CORE_PORT, from_core / fragment, ACCESS_PORT, expected)
unheard = inner(CN4, NOBODY4)
case("down4-unassigned", CORE_PORT, from_core / unheard, CORE_PORT,
     to_core / error4(CORE4, CN4, ICMP(type=3, code=1), unheard))
old = inner(CN4, mn4(0), hops=1)
case("down4-ttl", CORE_PORT, from_core / old, CORE_PORT,
     to_core / error4(CORE4, CN4, ICMP(type=11, code=0), old))
lost = inner(mn4(0), ISOLATED4)
case("up4-no-route", ACCESS_PORT, up(ip6, lost), ACCESS_PORT,
     down(ip6, error4(LMA4, mn4(0), ICMP(type=3, code=0), lost), tos=0xC0))
ours = inner(mn4(0), LMA4)
case("up4-to-anchor", ACCESS_PORT, up(ip6, ours), ACCESS_PORT,
     down(ip6, error4(LMA4, mn4(0), ICMP(type=3, code=13), ours), tos=0xC0))
wide = inner(mn4(0), CN4, size=MTU - 27, flags="DF")
case("up4-too-big", ACCESS_PORT, up(ip6, wide), ACCESS_PORT,
     down(ip6, error4(LMA4, mn4(0), ICMP(type=3, code=4, nexthopmtu=MTU), wide), tos=0xC0))
case("node-to-node4", ACCESS_PORT, up(ip6, inner(mn4(0), mn4(9), tos=0x01)), ACCESS_PORT,
     down(tlv4key, inner(mn4(0), mn4(9), hops=63, tos=0x01), tos=0x01))
packet = inner(mn4(5), CN4)
full = gre(packet, 0x1005, chksum_present=1, seqnum_present=1, seqence_number=5)
case("gre4key-up4-checksum-sequence", ACCESS_PORT,
     Ether(dst=ACCESS, src=MAG4_MAC) / IP(src=MAG4, dst=LMA4, proto=47) / full,
     CORE_PORT, to_core / inner(mn4(5), CN4, hops=63))

reserved = bytearray(bytes(up(TUNNELS[8], inner(mn4(8), CN4), checksum=0)))
assert reserved[42] == 0
reserved[42] = 0x0F
case("tlv4-up4-reserved", ACCESS_PORT, reserved, CORE_PORT, to_core / inner(mn4(8), CN4, hops=63))

print("# Made by dual.py. A line: name, port in, frame in, port out, frame out.")
for name, in_port, given, out_port, expected in CASES:
    print(name, in_port, given.hex(), out_port, expected.hex())
