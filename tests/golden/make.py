#!/usr/bin/python3
"""Builds the golden messages of tests/golden/messages with scapy; README.md says how and why.

scapy knows the messages and options of RFC 6275 and RFC 4283 and does the checksums, the lengths
and the padding. The options of RFC 5213 section 8, of RFC 5094 and of what extends them are declared
here, from the RFCs, and so are Heartbeat and Binding Revocation.
"""

import pathlib
import sys

from scapy.all import BitField, ByteField, Ether, FieldLenField, GRE, ICMP, IP, IP6Field, IPField
from scapy.all import IPOption_Router_Alert, IPv6, IntField, LongField, ShortField, StrLenField, UDP
from scapy.all import raw, wrpcap
from scapy.layers.inet6 import MIP6MH_BA, MIP6MH_BE, MIP6MH_BRR, MIP6MH_BU, MIP6OptAltCoA
from scapy.layers.inet6 import MIP6OptBRAdvice, MIP6OptMNID, MIP6OptUnknown, Pad1, PadN
from scapy.layers.inet6 import MIP6OptMsgAuth, MIP6OptReplayProtection
from scapy.layers.inet6 import _MIP6OptAlign, _MobilityHeader, _OptionsField, _PhantomAutoPadField

HERE = pathlib.Path(__file__).parent
MAG = "2001:db8:100::2"
LMA = "2001:db8:100::1"


class HomeNetworkPrefix(_MIP6OptAlign):
    """RFC 5213 section 8.3."""

    name = "Home Network Prefix"
    fields_desc = [ByteField("otype", 22), ByteField("olen", 18), ByteField("reserved", 0),
                   ByteField("plen", 64), IP6Field("prefix", "::")]
    x, y = 8, 4


class HandoffIndicator(_MIP6OptAlign):
    """RFC 5213 section 8.4."""

    name = "Handoff Indicator"
    fields_desc = [ByteField("otype", 23), ByteField("olen", 2), ByteField("reserved", 0),
                   ByteField("hi", 1)]
    x, y = 0, 0


class AccessTech(_MIP6OptAlign):
    """RFC 5213 section 8.5."""

    name = "Access Technology Type"
    fields_desc = [ByteField("otype", 24), ByteField("olen", 2), ByteField("reserved", 0),
                   ByteField("att", 4)]
    x, y = 0, 0


class MnLinkLayerId(_MIP6OptAlign):
    """RFC 5213 section 8.6, for identifiers of up to seven bytes: 2n."""

    name = "Mobile Node Link-layer Identifier"
    fields_desc = [ByteField("otype", 25),
                   FieldLenField("olen", None, length_of="id", fmt="B", adjust=lambda _, n: n + 2),
                   ShortField("reserved", 0),
                   StrLenField("id", b"", length_from=lambda p: p.olen - 2)]
    x, y = 2, 0


class MnLinkLayerEui64(MnLinkLayerId):
    """The same with an identifier of eight bytes, which belongs on a boundary of eight."""

    x, y = 8, 4


class LinkLocal(_MIP6OptAlign):
    """RFC 5213 section 8.7."""

    name = "Link-local Address"
    fields_desc = [ByteField("otype", 26), ByteField("olen", 16), IP6Field("address", "::")]
    x, y = 8, 6


class Timestamp(_MIP6OptAlign):
    """RFC 5213 section 8.8."""

    name = "Timestamp"
    fields_desc = [ByteField("otype", 27), ByteField("olen", 8), LongField("timestamp", 0)]
    x, y = 8, 2


class Vendor(_MIP6OptAlign):
    """RFC 5094 section 3."""

    name = "Vendor Specific"
    fields_desc = [ByteField("otype", 19),
                   FieldLenField("olen", None, length_of="data", fmt="B", adjust=lambda _, n: n + 5),
                   IntField("vendor", 0), ByteField("subtype", 0),
                   StrLenField("data", b"", length_from=lambda p: p.olen - 5)]
    x, y = 4, 2


class ServiceSelection(_MIP6OptAlign):
    """RFC 5149 section 3."""

    name = "Service Selection"
    fields_desc = [ByteField("otype", 20), FieldLenField("olen", None, length_of="id", fmt="B"),
                   StrLenField("id", b"", length_from=lambda p: p.olen)]
    x, y = 0, 0


class RestartCounter(_MIP6OptAlign):
    """RFC 5847 section 3.4."""

    name = "Restart Counter"
    fields_desc = [ByteField("otype", 28), ByteField("olen", 4), IntField("counter", 0)]
    x, y = 4, 2


class NatDetection(_MIP6OptAlign):
    """RFC 5555 section 3.2.2."""

    name = "NAT Detection"
    fields_desc = [ByteField("otype", 31), ByteField("olen", 6), BitField("f", 0, 1),
                   BitField("reserved", 0, 15), IntField("refresh", 0)]
    x, y = 4, 0


class GreKey(_MIP6OptAlign):
    """RFC 5845 section 6.1, with a key."""

    name = "GRE Key"
    fields_desc = [ByteField("otype", 33), ByteField("olen", 6), ShortField("reserved", 0),
                   IntField("key", 0)]
    x, y = 4, 0


class GreKeyWithout(_MIP6OptAlign):
    """RFC 5845 section 6.1, without."""

    name = "GRE Key"
    fields_desc = [ByteField("otype", 33), ByteField("olen", 2), ShortField("reserved", 0)]
    x, y = 4, 0


class Ipv4HomeAddressRequest(_MIP6OptAlign):
    """RFC 5844 section 3.3.1."""

    name = "IPv4 Home Address Request"
    fields_desc = [ByteField("otype", 36), ByteField("olen", 6), BitField("plen", 0, 6),
                   BitField("reserved", 0, 10), IPField("address", "0.0.0.0")]
    x, y = 4, 0


class Ipv4HomeAddressReply(_MIP6OptAlign):
    """RFC 5844 section 3.3.2."""

    name = "IPv4 Home Address Reply"
    fields_desc = [ByteField("otype", 37), ByteField("olen", 6), ByteField("status", 0),
                   BitField("plen", 0, 6), BitField("reserved", 0, 2),
                   IPField("address", "0.0.0.0")]
    x, y = 4, 0


class Ipv4DefaultRouter(_MIP6OptAlign):
    """RFC 5844 section 3.3.3."""

    name = "IPv4 Default-Router Address"
    fields_desc = [ByteField("otype", 38), ByteField("olen", 6), ShortField("reserved", 0),
                   IPField("address", "0.0.0.0")]
    x, y = 4, 0


class Ipv4DhcpSupportMode(_MIP6OptAlign):
    """RFC 5844 section 3.3.4."""

    name = "IPv4 DHCP Support Mode"
    fields_desc = [ByteField("otype", 39), ByteField("olen", 2), BitField("reserved", 0, 15),
                   BitField("s", 0, 1)]
    x, y = 0, 0


class AlternateIpv4Coa(_MIP6OptAlign):
    """RFC 6463 section 4.4."""

    name = "Alternate IPv4 Care-of Address"
    fields_desc = [ByteField("otype", 49), ByteField("olen", 4), IPField("address", "0.0.0.0")]
    x, y = 4, 2


class AccessNetworkId(_MIP6OptAlign):
    """RFC 6757 section 3; the sub-options are bytes by hand."""

    name = "Access Network Identifier"
    fields_desc = [ByteField("otype", 52), FieldLenField("olen", None, length_of="subs", fmt="B"),
                   StrLenField("subs", b"", length_from=lambda p: p.olen)]
    x, y = 4, 0


class LmaUserPlane(_MIP6OptAlign):
    """RFC 7389 section 4."""

    name = "LMA User-Plane Address"
    fields_desc = [ByteField("otype", 59),
                   FieldLenField("olen", None, length_of="addr", fmt="B", adjust=lambda _, n: n + 2),
                   ShortField("reserved", 0),
                   StrLenField("addr", b"", length_from=lambda p: p.olen - 2)]
    x, y = 8, 2


def options_at(at):
    return [_PhantomAutoPadField("autopad", 1),
            _OptionsField("options", [], MIP6OptUnknown, at,
                          length_from=lambda pkt: 8 * pkt.len + 8 - at)]


def header(kind):
    return [ByteField("nh", 59), ByteField("len", None), ByteField("mhtype", kind),
            ByteField("res", 0), ShortField("cksum", None)]


class Heartbeat(_MobilityHeader):
    """RFC 5847 section 3.3."""

    name = "Heartbeat"
    fields_desc = header(13) + [BitField("reserved", 0, 14), BitField("u", 0, 1),
                                BitField("r", 0, 1), IntField("seq", 0)] + options_at(12)


class BindingRevocation(_MobilityHeader):
    """RFC 5846 sections 5.1 and 5.2."""

    name = "Binding Revocation"
    fields_desc = header(16) + [ByteField("br_type", 1), ByteField("reason", 0),
                                ShortField("seq", 0), BitField("p", 0, 1), BitField("v", 0, 1),
                                BitField("g", 0, 1), BitField("reserved", 0, 13)] + options_at(12)


NAI = MIP6OptMNID(subtype=1, id=b"mn1@example.org")
MAC = bytes.fromhex("020000000001")
# 2026-11-20 23:59:59.5 UTC
WHEN = Timestamp(timestamp=(1795219199 << 16) | 0x8000)


def pbu(*options, seq=1, lifetime=900, flags="AP", **fields):
    return IPv6(src=MAG, dst=LMA) / MIP6MH_BU(
        seq=seq, flags=flags, mhtime=lifetime, res=0, options=list(options), **fields)


def pba(*options, status=0, seq=1, lifetime=900, flags="P", **fields):
    return IPv6(src=LMA, dst=MAG) / MIP6MH_BA(
        status=status, seq=seq, flags=flags, mhtime=lifetime, res=0, options=list(options), **fields)


MESSAGES = {
    "pbu-attach": pbu(
        NAI, HomeNetworkPrefix(plen=0), HandoffIndicator(hi=1), AccessTech(att=4),
        MnLinkLayerId(id=MAC), LinkLocal(), WHEN),
    "pba-accepted": pba(
        NAI, HomeNetworkPrefix(prefix="2001:db8:1::"), HandoffIndicator(hi=1), AccessTech(att=4),
        MnLinkLayerId(id=MAC), LinkLocal(address="fe80::1"), WHEN),
    "pbu-handoff-two-prefixes": pbu(
        NAI, HomeNetworkPrefix(prefix="2001:db8:1::"),
        HomeNetworkPrefix(prefix="2001:db8:2:300::", plen=56), HandoffIndicator(hi=3),
        AccessTech(att=3), MnLinkLayerEui64(id=bytes.fromhex("020000fffe000001")), WHEN,
        seq=0xffff),
    "pbu-deregister-by-sequence": pbu(
        NAI, HomeNetworkPrefix(prefix="2001:db8:1::"), HandoffIndicator(hi=4), AccessTech(att=1),
        seq=2, lifetime=0),
    "pba-missing-mn-id": pba(MIP6OptMNID(subtype=1, id=b""), status=160, seq=7, lifetime=0),
    "pba-timestamp-mismatch": pba(
        NAI, HomeNetworkPrefix(plen=0), HandoffIndicator(hi=1), AccessTech(att=4), WHEN,
        status=156, lifetime=0),
    "pbu-vendor-and-unknown": pbu(
        NAI, Vendor(vendor=32473, subtype=1, data=b"abc"), MIP6OptUnknown(otype=200, odata=b"xyz"),
        MIP6OptUnknown(otype=201, odata=b""), HandoffIndicator(hi=99), AccessTech(att=250)),
    "bu-home-registration": IPv6(src="2001:db8:200::9", dst=LMA) / MIP6MH_BU(
        seq=15, flags="AHLK", mhtime=105, res=0, options=[MIP6OptAltCoA(acoa="2001:db8:200::9")]),
    "ba-refresh-advice": IPv6(src=LMA, dst="2001:db8:200::9") / MIP6MH_BA(
        status=1, seq=15, flags="K", mhtime=105, res=0, options=[MIP6OptBRAdvice(rinter=90)]),
    "pbu-no-options": pbu(),
    "brr": IPv6(src=LMA, dst="2001:db8:200::9") / MIP6MH_BRR(res=0),
    "be-unknown-mh-type": IPv6(src=LMA, dst=MAG) / MIP6MH_BE(status=2, ha="::", res=0),
    "pbu-ipv4-gre-udp": pbu(
        MIP6OptMNID(subtype=3, id=bytes.fromhex("123456123456789f")),
        ServiceSelection(id=b"internet"), HomeNetworkPrefix(plen=0), HandoffIndicator(hi=1),
        AccessTech(att=4), Ipv4HomeAddressRequest(plen=24), GreKey(key=0x01020304),
        AlternateIpv4Coa(address="192.0.2.2"), LmaUserPlane(),
        AccessNetworkId(subs=bytes.fromhex("010880036e6574026170") +
                        bytes.fromhex("0206184000fb6000") + bytes.fromhex("0303017ed9")),
        reserved=0x180),  # F and T
    "pba-ipv4-gre-udp": pba(
        MIP6OptMNID(subtype=3, id=bytes.fromhex("123456123456789f")),
        HomeNetworkPrefix(prefix="2001:db8:1::"), HandoffIndicator(hi=1), AccessTech(att=4),
        Ipv4HomeAddressReply(plen=24, address="10.0.0.7"), Ipv4DefaultRouter(address="10.0.0.1"),
        Ipv4DhcpSupportMode(s=1), NatDetection(f=1, refresh=110), GreKey(key=0xfffefdfc),
        LmaUserPlane(addr=bytes([198, 51, 100, 1])), res2=0x10),
    "pbu-gre-without-key": pbu(
        NAI, HomeNetworkPrefix(plen=0), HandoffIndicator(hi=4), AccessTech(att=3),
        GreKeyWithout(), LmaUserPlane(addr=bytes(16))),
    "pba-ipv4-refused": pba(
        NAI, Ipv4HomeAddressReply(status=132), Ipv4DhcpSupportMode(s=0), status=170, lifetime=0),
    "pbu-authenticated": pbu(
        NAI, HomeNetworkPrefix(prefix="2001:db8:1::"), HandoffIndicator(hi=5), AccessTech(att=4),
        MIP6OptReplayProtection(timestamp=0xe83f0a7f80000000),
        MIP6OptMsgAuth(subtype=1, mspi=256, authdata="A" * 12)),
    "heartbeat-request": IPv6(src=LMA, dst=MAG) / Heartbeat(seq=0x01020304),
    "heartbeat-response": IPv6(src=MAG, dst=LMA) / Heartbeat(
        r=1, seq=0x01020304, options=[RestartCounter(counter=7)]),
    "heartbeat-unsolicited": IPv6(src=LMA, dst=MAG) / Heartbeat(
        u=1, r=1, seq=0, options=[RestartCounter(counter=8)]),
    "bri-session": IPv6(src=LMA, dst=MAG) / BindingRevocation(
        br_type=1, reason=1, seq=0xfffe, p=1,
        options=[NAI, HomeNetworkPrefix(prefix="2001:db8:1::")]),
    "bri-ipv4-only": IPv6(src=LMA, dst=MAG) / BindingRevocation(
        br_type=1, reason=5, seq=2, p=1, v=1,
        options=[NAI, Ipv4HomeAddressRequest(plen=32, address="10.0.0.7")]),
    "bri-global": IPv6(src=MAG, dst=LMA) / BindingRevocation(
        br_type=1, reason=128, seq=3, p=1, g=1,
        options=[MIP6OptMNID(subtype=1, id=b"mag1@example.org")]),
    "bra-success": IPv6(src=MAG, dst=LMA) / BindingRevocation(
        br_type=2, reason=0, seq=0xfffe, p=1),
    "bra-attached": IPv6(src=MAG, dst=LMA) / BindingRevocation(
        br_type=2, reason=132, seq=9, p=1,
        options=[NAI, HomeNetworkPrefix(prefix="2001:db8:1::")]),
    # What peers were seen to send: an identifier of zeros, a /128, PadN; runs of Pad1 and no
    # alignment at all.
    "pbu-zero-nai-host-prefix": pbu(
        MIP6OptMNID(subtype=1, id=bytes(63)), HomeNetworkPrefix(prefix="2001:db8:1::1", plen=128),
        HandoffIndicator(hi=3), AccessTech(att=4), WHEN),
    "pbu-unaligned-pad1": pbu(
        NAI, Pad1(), HomeNetworkPrefix(prefix="2001:db8:1::"), HandoffIndicator(hi=4),
        AccessTech(att=0), Pad1(), Pad1(), Pad1(), Pad1(), Pad1(), autopad=0),
    "pbu-padn-with-data": pbu(
        PadN(optdata=b"\xff\xff"), NAI, PadN(optdata=b"\xff" * 12), autopad=0),
}


def ipv4(protocol=None, **fields):
    """An IPv4 header as we write it."""
    named = {} if protocol is None else {"proto": protocol}
    return IP(src="192.0.2.1", dst="192.0.2.2", id=0, flags="DF", ttl=64, **named, **fields)


PING = raw(IP(src="10.0.0.7", dst="203.0.113.9", id=7, ttl=63) / ICMP(id=1, seq=2) / b"ping")


def icmp(kind, code, **fields):
    return ipv4(tos=0xc0) / ICMP(type=kind, code=code, **fields) / PING


PACKETS = {
    "mobility-in-udp": ipv4() / UDP(sport=5436, dport=5436) / raw(
        MIP6MH_BU(seq=1, flags="AP", mhtime=900, res=0, cksum=0, reserved=0x100, options=[NAI])),
    "packet-in-udp": ipv4() / UDP(sport=5437, dport=5437) / PING,
    "packet-in-udp-without-checksum": ipv4() / UDP(sport=5437, dport=5437, chksum=0) / PING,
    # The TLV-header by hand: type 0, next header 47, length of what follows.
    "gre-in-tlv-in-udp": ipv4() / UDP(sport=5437, dport=5437) / (
        bytes([0, 47]) + (8 + len(PING)).to_bytes(2, "big") +
        raw(GRE(proto=0x0800, key_present=1, key=0x01020304)) + PING),
    "gre": ipv4(47) / GRE(proto=0x0800) / PING,
    "gre-key-sequence": ipv4(47) / GRE(
        proto=0x0800, key_present=1, key=0x01020304, seqnum_present=1, sequence_number=5) / PING,
    "gre-checksum-key": ipv4(47) / GRE(
        proto=0x0800, chksum_present=1, offset=0, key_present=1, key=0xfffefdfc) / PING[:-1],
    "fragment-with-option": IP(
        src="192.0.2.1", dst="192.0.2.2", id=0xabcd, flags="MF", frag=185, ttl=3, tos=0xb9,
        proto=17, options=[IPOption_Router_Alert()]) / PING,
    "icmp-net-unreachable": icmp(3, 0),
    "icmp-host-unreachable": icmp(3, 1),
    "icmp-fragmentation-needed": icmp(3, 4, nexthopmtu=1400),
    "icmp-prohibited": icmp(3, 13),
    "icmp-time-exceeded": icmp(11, 0),
}


def write(directory, packets):
    for name, packet in packets.items():
        packet = raw(packet)
        lines = [packet[at:at + 16].hex(" ") for at in range(0, len(packet), 16)]
        (HERE / directory / f"{name}.hex").write_text("\n".join(lines) + "\n")


def main():
    write("messages", MESSAGES)
    write("packets", PACKETS)
    if len(sys.argv) > 1:  # a capture for tshark
        messages = [Ether() / IPv6(raw(m)) for m in MESSAGES.values()]
        wrpcap(sys.argv[1], messages + [Ether() / IP(raw(p)) for p in PACKETS.values()])


if __name__ == "__main__":
    main()
