"""The classes of TRex's stateless API that our profiles and our driver use, and no others.

Names, parameters and the JSON form of a stream are TRex's (v2 and v3), so that what is tested with
these is what TRex's own library would send to its server. `STLClient` sends real frames on the
machine's interfaces instead, see `client.py`.
"""

import base64
import dataclasses

from trex_stl_lib.client import STLClient

__all__ = [
    "CTRexVmInsFixHwCs",
    "STLClient",
    "STLError",
    "STLFlowLatencyStats",
    "STLPktBuilder",
    "STLScVmRaw",
    "STLStream",
    "STLTXCont",
    "STLTXSingleBurst",
    "STLVmFixChecksumHw",
    "STLVmFixIpv4",
    "STLVmFlowVar",
    "STLVmWrFlowVar",
    "STLVmWrMaskFlowVar",
]


class STLError(Exception):
    """What TRex's API raises."""


class CTRexVmInsFixHwCs:
    """Kinds of checksum."""

    L4_TYPE_UDP = 11


@dataclasses.dataclass
class STLVmFlowVar:
    """A variable of a stream."""

    name: str
    min_value: int
    max_value: int
    size: int
    op: str

    def to_json(self, _):
        """TRex's form."""
        first = self.max_value if self.op == "dec" else self.min_value
        return {"type": "flow_var", **dataclasses.asdict(self), "init_value": first, "step": 1}


@dataclasses.dataclass
class STLVmWrFlowVar:
    """Writes a variable into the packet."""

    fv_name: str
    pkt_offset: int
    add_val: int = 0

    def to_json(self, _):
        """TRex's form."""
        return {
            "type": "write_flow_var",
            "name": self.fv_name,
            "pkt_offset": self.pkt_offset,
            "add_value": self.add_val,
            "is_big_endian": True,
        }


@dataclasses.dataclass
class STLVmWrMaskFlowVar:
    """Writes some bits of a variable into the packet."""

    fv_name: str
    pkt_offset: int
    pkt_cast_size: int
    mask: int

    def to_json(self, _):
        """TRex's form."""
        return {
            "type": "write_mask_flow_var",
            "name": self.fv_name,
            "pkt_offset": self.pkt_offset,
            "pkt_cast_size": self.pkt_cast_size,
            "mask": self.mask,
            "shift": 0,
            "add_value": 0,
            "is_big_endian": True,
        }


@dataclasses.dataclass
class STLVmFixIpv4:
    """Computes the checksum of an IPv4 header."""

    offset: int

    def to_json(self, _):
        """TRex's form."""
        return {"type": "fix_checksum_ipv4", "pkt_offset": self.offset}


@dataclasses.dataclass
class STLVmFixChecksumHw:
    """Computes a checksum above IP."""

    l3_offset: str  # a header by name: "IPv6", or "IPv6:1" for the second one
    l4_offset: str
    l4_type: int

    def to_json(self, packet):
        """TRex's form."""
        l3, l4 = (header_offset(packet, name) for name in (self.l3_offset, self.l4_offset))
        return {"type": "fix_checksum_hw", "l2_len": l3, "l3_len": l4 - l3, "l4_type": self.l4_type}


@dataclasses.dataclass
class STLScVmRaw:
    """The instructions of a stream, in order."""

    list_of_commands: list


@dataclasses.dataclass
class STLPktBuilder:
    """The template, a scapy packet, and what changes in it."""

    pkt: object
    vm: STLScVmRaw

    def template(self):
        """TRex's server fills in the MAC addresses; scapy would look for them on the machine's links."""
        packet = self.pkt.copy()
        packet.src = packet.dst = "00:00:00:00:00:00"
        return packet


@dataclasses.dataclass
class STLTXCont:
    """Endless."""

    pps: float

    def to_json(self):
        """TRex's form."""
        return {"type": "continuous", "rate": {"type": "pps", "value": self.pps}}


@dataclasses.dataclass
class STLTXSingleBurst:
    """So many packets."""

    pps: float
    total_pkts: int

    def to_json(self):
        """TRex's form."""
        return {"type": "single_burst", "rate": {"type": "pps", "value": self.pps}, "total_pkts": self.total_pkts}


@dataclasses.dataclass
class STLFlowLatencyStats:
    """Time stamps in the packets of a stream."""

    pg_id: int

    def to_json(self):
        """TRex's form."""
        return {"enabled": True, "stream_id": self.pg_id, "rule_type": "latency"}


@dataclasses.dataclass
class STLStream:
    """One stream of a port."""

    packet: STLPktBuilder
    mode: object
    flow_stats: object = None

    def to_json(self):
        """TRex's form."""
        template = self.packet.template()
        return {
            "mode": self.mode.to_json(),
            "packet": {"binary": base64.b64encode(bytes(template)).decode()},
            "vm": {"instructions": [command.to_json(template) for command in self.packet.vm.list_of_commands]},
            "flow_stats": self.flow_stats.to_json() if self.flow_stats else {"enabled": False},
        }


def header_offset(packet, name):
    """Bytes before a header of a scapy packet."""
    layer, _, number = name.partition(":")
    return len(packet) - len(packet.getlayer(layer, int(number or 0) + 1))
