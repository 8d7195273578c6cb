"""Proxy Binding Updates as a TRex stream, one for each node.

The field engine has no Mobility Header checksum, so that of the template has to hold for every node:
whatever node n adds to the sum, its complement takes away again, in the Mobile Node Link-layer
Identifier (RFC 5213 8.6), which may have any length and is each node's own.

    IPv6 mag(n) -> LMA | Mobility Header: PBU, no Timestamp: the sequence number orders
        MN-ID: EUI-48 with n | home network prefix or IPv4 home address of n, by name
        Handoff Indicator 1 | Access Technology 4 | with GRE: the gateway's key for n
        MN-LL-ID: ~n as often as n is above, ~n masked as n is in mag(n)
"""

import argparse
import ipaddress
import struct

from trex_stl_lib.api import (
    STLPktBuilder,
    STLScVmRaw,
    STLStream,
    STLTXSingleBurst,
    STLVmWrFlowVar,
    STLVmWrMaskFlowVar,
)
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import plan as addresses
import traffic
from traffic import ETHERNET_LEN, IPV6_LEN

# RFC 6275 6.1, RFC 5213 8, RFC 5844 3.3.1, RFC 5845 6.1, RFC 8371 6.
MOBILITY_HEADER, NO_NEXT_HEADER, BINDING_UPDATE = 135, 59, 5
ACKNOWLEDGE, PROXY = 0x8000, 0x0200
PAD1, PADN, MN_ID, HNP, HANDOFF, ACCESS_TECH, MN_LL_ID, GRE_KEY, IPV4_HOA = 0, 1, 8, 22, 23, 24, 25, 33, 36
EUI_48 = 5
NEW_INTERFACE, IEEE_802_11 = 1, 4
SEQUENCE = 1
LIFETIME = 0xFFFF  # times 4 s: three days, or what the anchor allows


def updates(plan, rate):
    """One update for each node, in order, `rate` a second."""
    burst = STLTXSingleBurst(pps=rate, total_pkts=plan.bindings)
    return [STLStream(packet=update(plan), mode=burst)]


def update(plan):
    """Node 0's update, and the instructions that make node n's of it."""
    message = Message()
    message.option(MN_ID, bytes([EUI_48]) + addresses.MN_ID_PREFIX, add=0, align=(2, 1))
    if plan.inner == "ipv6":
        head, tail = ipaddress.IPv6Address(addresses.hnp(0)).packed[:4], bytes(8)
        message.option(HNP, bytes([0, addresses.HNP_LEN]) + head, addresses.HNP_BASE, (8, 4), tail)
    else:
        length = int(addresses.HOA_POOL.split("/")[1])
        # RFC 5844 3.3.1: the length is in the upper six bits.
        message.option(IPV4_HOA, bytes([length << 2, 0]), addresses.HOA_BASE, (4, 0))
    if plan.gre:
        message.option(GRE_KEY, bytes(2), addresses.DOWNLINK_KEY_BASE, (4, 0))
    message.plain(HANDOFF, bytes([0, NEW_INTERFACE]))
    message.plain(ACCESS_TECH, bytes([0, IEEE_802_11]))
    message.balance(plan.mags - 1)

    template = Ether() / IPv6(src=plan.mag(0), dst=addresses.LMA, nh=MOBILITY_HEADER, hlim=64)
    template /= Raw(message.bytes(addresses.LMA, plan.mag(0)))
    program = traffic.variables(plan, "inc") + [traffic.gateway(plan)] + message.program
    return STLPktBuilder(pkt=template, vm=STLScVmRaw(program))


class Message:
    """A Proxy Binding Update that grows option by option, with what the field engine writes into it."""

    def __init__(self):
        header = struct.pack("!BBBBH", NO_NEXT_HEADER, 0, BINDING_UPDATE, 0, 0)
        self.data = bytearray(header + struct.pack("!HHH", SEQUENCE, ACKNOWLEDGE | PROXY, LIFETIME))
        self.program = []

    def pad(self, multiple, offset):
        """Padding, so that the next byte is at multiple * k + offset."""
        missing = (offset - len(self.data)) % multiple
        if missing == 1:
            self.data.append(PAD1)
        elif missing:
            self.data += bytes([PADN, missing - 2]) + bytes(missing - 2)

    def plain(self, kind, value):
        """An option that all nodes have in common."""
        self.data += bytes([kind, len(value)]) + value

    def option(self, kind, head, add, align, tail=b""):
        """An option that holds `head`, n + `add` in four bytes, `tail`."""
        self.pad(*align)
        self.plain(kind, head + add.to_bytes(4, "big") + tail)
        self.write("n", len(self.data) - len(tail) - 4, add)

    def write(self, name, at, add=0):
        """Has the field engine write a variable. The sum is of 16-bit words: `at` is even."""
        assert at % 2 == 0, f"offset {at} of {name} is odd"
        self.program.append(STLVmWrFlowVar(fv_name=name, pkt_offset=ETHERNET_LEN + IPV6_LEN + at, add_val=add))

    def balance(self, mask):
        """The MN-LL-ID, which takes from the sum what node n has added to it."""
        times = len(self.program)
        self.pad(2, 0)
        self.plain(MN_LL_ID, bytes(2) + b"\xff" * 4 * times + mask.to_bytes(2, "big"))
        first = len(self.data) - 4 * times - 2
        for i in range(times):
            self.write("~n", first + 4 * i)
        at = ETHERNET_LEN + IPV6_LEN + len(self.data) - 2
        self.program.append(STLVmWrMaskFlowVar(fv_name="~n", pkt_offset=at, pkt_cast_size=2, mask=mask))
        self.pad(8, 0)

    def bytes(self, destination, source):
        """With length and checksum (RFC 6275 6.1.1)."""
        self.data[1] = len(self.data) // 8 - 1
        ends = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(destination).packed
        covered = ends + struct.pack("!II", len(self.data), MOBILITY_HEADER) + self.data
        total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
        self.data[4:6] = struct.pack("!H", -total % 0xFFFF)
        return bytes(self.data)


class Profile:
    """What TRex's console loads: `start -f profiles/registration.py -p 1 -t --bindings 1000`."""

    def get_streams(self, direction=1, tunables=(), **_):
        """Called by TRex; the same for any port."""
        parser = argparse.ArgumentParser(prog="registration", description=__doc__.splitlines()[0])
        addresses.add_arguments(parser)
        parser.add_argument("--rate", type=int, default=20_000, help="updates a second")
        args = parser.parse_args(list(tunables))
        return updates(addresses.Plan.of(args), args.rate)


def register():
    """Called by TRex."""
    return Profile()
