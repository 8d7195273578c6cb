#!/usr/bin/python3
"""Sends one echo request of a node through a gateway's tunnel, and waits for the reply in the tunnel.

A gateway's data plane built by scapy, which shares no code with ours. Runs in the gateway's namespace;
prints "answered", or "nothing" if no reply came in time or in another way than it was sent.

    echo.py --src 192.0.2.11 --dst 192.0.2.1 --inner-src 10.0.0.7 --inner-dst 203.0.113.129 --encap udp
"""

import argparse
import logging
import socket
import struct
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import GRE, ICMP, IP, IPv6, Raw  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest  # noqa: E402

TUNNEL_PORT = 5437
MIP4_PORT = 434
NH_IPV4, NH_IPV6, NH_GRE = 4, 41, 47


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--src", required=True, help="the gateway's end of the tunnel")
    p.add_argument("--dst", required=True, help="the anchor's")
    p.add_argument("--inner-src", required=True)
    p.add_argument("--inner-dst", required=True)
    p.add_argument("--encap", choices=["ip", "gre", "udp", "udp-gre", "mip4"], default="ip")
    p.add_argument("--port", type=int, default=0, help="of mip4 (RFC 3519), the node's")
    p.add_argument("--longer", type=int, default=0, help="bytes that the TLV-header claims too many")
    p.add_argument("--uplink-key", type=int)
    p.add_argument("--downlink-key", type=int)
    p.add_argument("--wait", type=float, default=3.0, help="seconds")
    return p.parse_args()


def request(a):
    if ":" in a.inner_src:
        return IPv6(src=a.inner_src, dst=a.inner_dst) / ICMPv6EchoRequest(id=7, data=b"echo")
    return IP(src=a.inner_src, dst=a.inner_dst) / ICMP(type=8, id=7) / Raw(b"echo")


def is_reply(a, packet):
    inner = (IPv6 if packet[0] >> 4 == 6 else IP)(packet)
    kind = ICMPv6EchoReply in inner or (ICMP in inner and inner[ICMP].type == 0)
    return kind and inner.src == a.inner_dst and inner.dst == a.inner_src


def protocol(a):
    return NH_GRE if a.encap == "gre" else NH_IPV6 if ":" in a.inner_src else NH_IPV4


def tunneled(a, inner):
    """The payload of the outer IP or UDP header."""
    if a.encap == "mip4":
        return mip4_header(a) + bytes(inner)
    if "gre" not in a.encap:
        return bytes(inner)
    key = {} if a.uplink_key is None else {"key_present": 1, "key": a.uplink_key}
    gre = bytes(GRE(proto=0x86DD if ":" in a.inner_src else 0x0800, **key) / inner)
    return tlv(len(gre) + a.longer) + gre if a.encap == "udp-gre" else gre


def tlv(length):
    """The TLV-header before so much of GRE (RFC 5845 7.2)."""
    return struct.pack("!BBH", 0, NH_GRE, length)


def mip4_header(a):
    """The MIP Tunnel Data header (RFC 3519 3.3)."""
    return struct.pack("!BBH", 4, NH_IPV6 if ":" in a.inner_src else NH_IPV4, 0)


def from_tunnel(a, payload):
    """The inner packet, or None if it did not come as it should."""
    if a.encap == "mip4":
        return payload[4:] if payload[:4] == mip4_header(a) else None
    if "gre" not in a.encap:
        return payload
    if a.encap == "udp-gre":
        header, payload = payload[:4], payload[4:]
        if header != tlv(len(payload)):
            return None
    gre = GRE(payload)
    key = gre.key if gre.key_present else None
    return bytes(gre.payload) if key == a.downlink_key else None


def sockets(a):
    """What sends a payload, and what receives one."""
    if a.encap == "mip4":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((a.src, a.port))
        s.connect((a.dst, MIP4_PORT))
        return s.send, s, 0
    if a.encap.startswith("udp"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((a.src, TUNNEL_PORT))
        s.connect((a.dst, TUNNEL_PORT))
        return s.send, s, 0
    family = socket.AF_INET6 if ":" in a.src else socket.AF_INET
    s = socket.socket(family, socket.SOCK_RAW, protocol(a))
    s.bind((a.src, 0))
    # The kernel gives IPv4's header with what a raw socket receives, and IPv6's not.
    return lambda payload: s.sendto(payload, (a.dst, 0)), s, 20 if family == socket.AF_INET else 0


def main():
    a = arguments()
    send, s, skip = sockets(a)
    send(tunneled(a, request(a)))
    end = time.monotonic() + a.wait
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            payload = s.recv(2048)[skip:]
        except TimeoutError:
            break
        inner = from_tunnel(a, payload)
        if inner and is_reply(a, inner):
            print("answered")
            return
    print("nothing")


main()
