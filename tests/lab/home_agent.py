#!/usr/bin/python3
"""A home agent of Mobile IPv6 that shares no code with ours: scapy reads and writes all of it.

home_agent.py HOME_AGENT CORRESPONDENT [--refuse STATUS]

Answers binding updates to HOME_AGENT by the rules of RFC 6275 that a node can notice, and echo requests to CORRESPONDENT
that come by the tunnel of a registered care-of address. Each message is one line of JSON on standard output, with a
list of what is wrong with it. --refuse has the first update refused with this status; 135 tells number 4711.
"""

import argparse
import json
import logging
import socket

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IPv6, raw  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    HAO,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrRouting,
    MIP6MH_BA,
    MIP6MH_BU,
    MIP6OptAltCoA,
    in6_chksum,
)

ETH_P_IPV6 = 0x86DD
PACKET_OUTGOING = 4
NH_MOBILITY, NH_ICMPV6 = 135, 58
PARAMETER_PROBLEM = 4


class HomeAgent:
    def __init__(self, args):
        self.address, self.correspondent, self.refuse = args.home_agent, args.correspondent, args.refuse
        self.bindings = {}  # home address -> (care-of address, sequence number)
        self.out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, packet):
        self.out.sendto(raw(packet), (packet.dst, 0))

    def update(self, ip):
        bu, wrong = ip[MIP6MH_BU], []
        options = ip[IPv6ExtHdrDestOpt].options if IPv6ExtHdrDestOpt in ip else []
        option = next((o for o in options if isinstance(o, HAO)), None)
        home = option.hoa if option else ip.src
        alternate = next((o.acoa for o in bu.options if isinstance(o, MIP6OptAltCoA)), None)
        if alternate != ip.src:
            wrong.append("alternate care-of address")
        if "A" not in str(bu.flags) or "H" not in str(bu.flags):
            wrong.append("flags")
        message = raw(bu)
        # By scapy itself a Home Address option counts only if it is alone in its header.
        ends = IPv6(src=home, dst=ip.dst)
        if in6_chksum(NH_MOBILITY, ends, message[:4] + bytes(2) + message[6:]) != bu.cksum:
            wrong.append("checksum")
        status, seq, lifetime = 0, bu.seq, bu.mhtime
        known = self.bindings.get(home)
        if self.refuse is not None:
            status, self.refuse = self.refuse, None
            seq = 4711 if status == 135 else seq
        elif known and not 0 < (bu.seq - known[1]) & 0xFFFF < 0x8000:
            status, seq = 135, known[1]
        elif lifetime == 0 or ip.src == home:
            self.bindings.pop(home, None)
        else:
            self.bindings[home] = (ip.src, bu.seq)
        print(json.dumps({"what": "update", "home": home, "care_of": ip.src, "option": option is not None, "seq": bu.seq,
                          "lifetime": lifetime * 4, "status": status, "wrong": wrong}), flush=True)
        answer = MIP6MH_BA(status=status, seq=seq, mhtime=lifetime if status == 0 else 0)
        if ip.src != home:
            answer = IPv6ExtHdrRouting(type=2, segleft=1, addresses=[home]) / answer
        self.send(IPv6(src=self.address, dst=ip.src) / answer)

    def tunnelled(self, ip, inner):
        wrong = [] if self.bindings.get(inner.src, (None,))[0] == ip.src else ["not the registered care-of address"]
        if ICMPv6EchoRequest not in inner or inner.dst != self.correspondent:
            return
        echo = inner[ICMPv6EchoRequest]
        print(json.dumps({"what": "echo", "home": inner.src, "care_of": ip.src, "wrong": wrong}), flush=True)
        if not wrong:
            reply = ICMPv6EchoReply(id=echo.id, seq=echo.seq, data=echo.data)
            back = IPv6(src=inner.dst, dst=inner.src) / reply
            self.send(IPv6(src=self.address, dst=ip.src) / back)

    def run(self):
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6)) as s:
            print(json.dumps({"what": "ready"}), flush=True)
            while True:
                data, (_, _, kind, *_) = s.recvfrom(65535)
                if kind == PACKET_OUTGOING:
                    continue
                ip = IPv6(data)
                if ICMPv6ND_NA in ip and ip.dst == "ff02::1":
                    print(json.dumps({"what": "advertised", "target": ip[ICMPv6ND_NA].tgt, "solicited": ip[ICMPv6ND_NA].S,
                                      "override": ip[ICMPv6ND_NA].O, "wrong": []}), flush=True)
                elif ip.dst == self.address and MIP6MH_BU in ip:
                    self.update(ip)
                elif ip.dst == self.address and isinstance(ip.payload, IPv6):
                    self.tunnelled(ip, ip.payload)
                elif ip.dst == self.address and ip.nh == NH_ICMPV6 and ip.payload.type == PARAMETER_PROBLEM:
                    print(json.dumps({"what": "parameter problem", "wrong": ["not kept in"]}), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("home_agent")
parser.add_argument("correspondent")
parser.add_argument("--refuse", type=int)
HomeAgent(parser.parse_args()).run()
