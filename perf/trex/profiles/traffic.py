"""User packets as TRex streams: downlink to the nodes, uplink from their gateways.

The template is node 0's packet, with right checksums; TRex's field engine makes node n's of it.

    downlink   Ethernet | IPv6 CN -> node n | UDP | ~n ...
    uplink     Ethernet | IPv6 mag(n) -> LMA | (GRE, key) | IPv6 node n -> CN | UDP | ~n ...

In order, one variable counts n up and another one its complement down: their sum is constant, and
so is the checksum of a packet that holds both. At random there is no such pair, and the NIC (or
TRex itself on a virtual port) computes the checksum. Inner IPv4 needs neither, for its UDP checksum
may be zero; TRex computes the checksum of the IPv4 header.
"""

import argparse

from trex_stl_lib.api import (
    CTRexVmInsFixHwCs,
    STLFlowLatencyStats,
    STLPktBuilder,
    STLScVmRaw,
    STLStream,
    STLTXCont,
    STLTXSingleBurst,
    STLVmFixChecksumHw,
    STLVmFixIpv4,
    STLVmFlowVar,
    STLVmWrFlowVar,
    STLVmWrMaskFlowVar,
)
from scapy.layers.inet import IP, UDP  # behind TRex's library, which may bring a scapy of its own
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Raw

import plan as addresses

ETHERNET_LEN, IPV6_LEN, IPV4_LEN, UDP_LEN = 14, 40, 20, 8
IPV6_SRC, IPV6_DST, IPV4_SRC, IPV4_DST = 8, 24, 12, 16  # offsets in the headers
PREFIX_WORD = 4  # the four bytes of an IPv6 address that number its /64
LOW_16_BITS = 14  # of an IPv6 address
GRE_KEY = 4  # offset in the header
WORD_MAX = 2**32 - 1
NEXT_HEADER = {"ipv6": 41, "ipv4": 4, "gre": 47}
ETHERTYPE = {"ipv6": 0x86DD, "ipv4": 0x0800}
PORTS = {"sport": 4096, "dport": 4097}

# Bytes of the inner packet and its share, 7:4:1. The tunnel takes none over 1500 bytes.
IMIX = ((64, 7), (576, 4), (1400, 1))
SIZE_MIN, SIZE_MAX = 64, 9000
SWEEP_SIZE = LATENCY_SIZE = 128  # TRex's time stamp takes the last 16 bytes of the payload
DIRECTIONS = ("downlink", "uplink")


def load(plan, direction, size, order, latency_rate=0):
    """Endless streams, their rates in proportion. `size` is bytes of the inner packet, or "imix";
    `order` is "inc" or "random"; `latency_rate` is packets a second of a latency stream beside them,
    which no multiplier changes."""
    mix = IMIX if size == "imix" else ((size, 1),)
    streams = [
        STLStream(packet=packet(plan, direction, length, order), mode=STLTXCont(pps=share))
        for length, share in mix
    ]
    if latency_rate:
        stamped = STLFlowLatencyStats(pg_id=latency_group(direction))
        probe = packet(plan, direction, LATENCY_SIZE, "inc")
        streams.append(STLStream(packet=probe, mode=STLTXCont(pps=latency_rate), flow_stats=stamped))
    return streams


def latency_group(direction):
    """TRex's number for the latency stream of a direction."""
    return 1 + DIRECTIONS.index(direction)


def sweep(plan, direction, rate):
    """One packet for each node, in order, `rate` a second."""
    burst = STLTXSingleBurst(pps=rate, total_pkts=plan.bindings)
    return [STLStream(packet=packet(plan, direction, SWEEP_SIZE, "inc"), mode=burst)]


def packet(plan, direction, size, order):
    """The template and the instructions that make every node's packet of it."""
    if direction == "downlink":
        template = Ether() / inner_packet(plan, plan.correspondent, plan.node(0), size)
        at, program = ETHERNET_LEN, []
    else:
        template = Ether() / tunnel(plan) / inner_packet(plan, plan.node(0), plan.correspondent, size)
        at = ETHERNET_LEN + plan.overhead
        program = tunnel_program(plan)
    program = variables(plan, order) + program + inner_program(plan, direction, order, at)
    return STLPktBuilder(pkt=template, vm=STLScVmRaw(program))


def tunnel(plan):
    """The headers in front of node 0's packet."""
    header = NEXT_HEADER["gre" if plan.gre else plan.inner]
    outer = IPv6(src=plan.mag(0), dst=addresses.LMA, nh=header, hlim=64)
    if not plan.gre:
        return outer
    key = addresses.FIRST_UPLINK_KEY
    return outer / GRE(key_present=1, key=key, proto=ETHERTYPE[plan.inner])


def inner_packet(plan, source, destination, size):
    """A UDP packet of `size` bytes that begins its payload with the complement of 0."""
    if plan.inner == "ipv6":
        head, length = IPv6(src=source, dst=destination, hlim=64) / UDP(**PORTS), IPV6_LEN + UDP_LEN
    else:
        head, length = IP(src=source, dst=destination, ttl=64) / UDP(chksum=0, **PORTS), IPV4_LEN + UDP_LEN
    return head / Raw(WORD_MAX.to_bytes(4, "big") + bytes(size - length - 4))


def variables(plan, order):
    """n, and in order its complement."""
    last = plan.bindings - 1
    count = [STLVmFlowVar(name="n", min_value=0, max_value=last, size=4, op=order)]
    if order == "inc":
        count.append(complement(plan))
    return count


def complement(plan):
    """Counts down from the complement of 0 while n counts up."""
    return STLVmFlowVar(name="~n", min_value=WORD_MAX - plan.bindings + 1, max_value=WORD_MAX, size=4, op="dec")


def gateway(plan):
    """Writes the gateway of node n into the source of the outer header."""
    at = ETHERNET_LEN + IPV6_SRC + LOW_16_BITS
    return STLVmWrMaskFlowVar(fv_name="n", pkt_offset=at, pkt_cast_size=2, mask=plan.mags - 1)


def tunnel_program(plan):
    """Gateway, and key if there is one, of node n."""
    if not plan.gre:
        return [gateway(plan)]
    at = ETHERNET_LEN + IPV6_LEN + GRE_KEY
    return [gateway(plan), STLVmWrFlowVar(fv_name="n", pkt_offset=at, add_val=addresses.FIRST_UPLINK_KEY)]


def inner_program(plan, direction, order, at):
    """Address and checksum of node n in the inner packet, which begins at offset `at`."""
    if plan.inner == "ipv4":
        field = at + (IPV4_DST if direction == "downlink" else IPV4_SRC)
        return [
            STLVmWrFlowVar(fv_name="n", pkt_offset=field, add_val=addresses.HOA_BASE),
            STLVmFixIpv4(offset=at),
        ]
    field = at + (IPV6_DST if direction == "downlink" else IPV6_SRC) + PREFIX_WORD
    address = STLVmWrFlowVar(fv_name="n", pkt_offset=field, add_val=addresses.HNP_BASE)
    if order == "inc":
        return [address, STLVmWrFlowVar(fv_name="~n", pkt_offset=at + IPV6_LEN + UDP_LEN)]
    # By name: some versions of TRex's library leave an offset in bytes out of what they send.
    header = "IPv6" if direction == "downlink" else "IPv6:1"
    udp = CTRexVmInsFixHwCs.L4_TYPE_UDP
    return [address, STLVmFixChecksumHw(l3_offset=header, l4_offset="UDP", l4_type=udp)]


def size_argument(text):
    """Bytes of an inner packet, or "imix"."""
    if text == "imix":
        return text
    if text.isdecimal() and SIZE_MIN <= int(text) <= SIZE_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither imix nor {SIZE_MIN} to {SIZE_MAX}")


class Profile:
    """What TRex's console loads: `start -f profiles/downlink.py -p 0 -m 1mpps -t --size imix`."""

    def __init__(self, directions):
        """`directions` are those of an even and of an odd port."""
        self.directions = directions

    def get_streams(self, direction=0, tunables=(), **_):
        """Called by TRex. `direction` is 0 for an even port, 1 for an odd one."""
        parser = argparse.ArgumentParser(prog=self.directions[direction], description=__doc__.splitlines()[0])
        addresses.add_arguments(parser)
        parser.add_argument("--size", type=size_argument, default=64, help="bytes of the inner packet, or imix")
        parser.add_argument("--order", choices=("inc", "random"), default="random", help="of the nodes")
        parser.add_argument("--latency", type=int, default=0, metavar="PPS", help="a latency stream beside it")
        args = parser.parse_args(list(tunables))
        plan = addresses.Plan.of(args)
        return load(plan, self.directions[direction], args.size, args.order, args.latency)
