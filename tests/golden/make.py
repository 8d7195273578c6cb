#!/usr/bin/python3
"""Builds the golden messages of tests/golden/messages with scapy; README.md says how and why.

scapy knows the messages and options of RFC 6275 and RFC 4283 and does the checksums, the lengths
and the padding. The options of RFC 5213 section 8 and RFC 5094 are declared here, from the RFCs.
"""

import pathlib
import sys

from scapy.all import ByteField, Ether, FieldLenField, IP6Field, IntField, IPv6, LongField
from scapy.all import ShortField, StrLenField, raw, wrpcap
from scapy.layers.inet6 import MIP6MH_BA, MIP6MH_BE, MIP6MH_BRR, MIP6MH_BU, MIP6OptAltCoA
from scapy.layers.inet6 import MIP6OptBRAdvice, MIP6OptMNID, MIP6OptUnknown, Pad1, PadN
from scapy.layers.inet6 import _MIP6OptAlign

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


def main():
    for name, message in MESSAGES.items():
        packet = raw(message)
        lines = [packet[at:at + 16].hex(" ") for at in range(0, len(packet), 16)]
        (HERE / "messages" / f"{name}.hex").write_text("\n".join(lines) + "\n")
    if len(sys.argv) > 1:  # a capture for tshark
        wrpcap(sys.argv[1], [Ether() / IPv6(raw(m)) for m in MESSAGES.values()])


if __name__ == "__main__":
    main()
