#!/usr/bin/python3 -B
"""Packets of many nodes through anchord: a gateway that is nothing but raw sockets on one side, correspondents
with UDP sockets of this kernel on the other. Each packet is sent once, and has to arrive once, whole, with one
hop spent; prints what is amiss. Shares no code with ours.

    nodes.py --lab lab17 --sessions FILE --gateway 2001:db8:a::12 --anchor 2001:db8:a::1 \
        --correspondents 2001:db8:f::1 2001:db8:c::2 --way down --bytes 1500 --times 4

FILE is what `anchorctl --json binding show` said; --bytes is the length of a node's packet. Packets of one node
differ in the correspondent, ports and contents.
"""

import argparse
import ctypes
import ipaddress
import json
import random
import select
import socket
import struct
import sys
import time

SO_RCVBUFFORCE = 33  # of this kernel; Python does not name it
UDP = 17
HOPS = 64
NH_IPV4, NH_IPV6 = 4, 41
IPV4_LEN, IPV6_LEN, UDP_LEN = 20, 40, 8
NODE_PORT, FAR_PORT = 7000, 9000
PATIENCE = 30.0  # seconds: the anchor is in an emulated machine
PACE = 0.004  # seconds between two packets


def arguments():
    p = argparse.ArgumentParser()
    for name in ["lab", "sessions", "gateway", "anchor"]:
        p.add_argument(f"--{name}", required=True)
    p.add_argument("--correspondents", nargs="+", required=True)
    p.add_argument("--way", choices=["up", "down"], required=True)
    p.add_argument("--bytes", type=int, required=True)
    p.add_argument("--times", type=int, required=True)
    return p.parse_args()


def enter(namespace):
    with open(f"/run/netns/{namespace}") as ns:
        if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), namespace)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def datagram(src, dst, src_port, dst_port, payload):
    length = UDP_LEN + len(payload)
    pseudo = packed(src) + packed(dst) + struct.pack("!II", length, UDP)
    ports = struct.pack("!HHH", src_port, dst_port, length)
    return ports + struct.pack("!H", checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF) + payload


def packet(src, dst, src_port, dst_port, payload, hops):
    upper = datagram(src, dst, src_port, dst_port, payload)
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28, len(upper), UDP, hops) + packed(src) + packed(dst) + upper
    ends = packed(src) + packed(dst)
    head = struct.pack("!BBHHHBB", 0x45, 0, IPV4_LEN + len(upper), 0, 0x4000, hops, UDP)
    return head + struct.pack("!H", checksum(head + b"\0\0" + ends)) + ends + upper


def is_ipv6(a):
    return ":" in a.correspondents[0]


def nodes(a):
    with open(a.sessions) as f:
        for session in json.load(f):
            if is_ipv6(a):
                yield str(ipaddress.ip_network(session["hnp"][0])[42])
            else:
                yield session["ipv4"].split("/")[0]


class Lab:
    """The sockets of both sides."""

    def __init__(self, a):
        self.a = a
        self.tunneled = NH_IPV6 if is_ipv6(a) else NH_IPV4
        enter(f"{a.lab}-mag2")
        family = socket.AF_INET6 if ":" in a.gateway else socket.AF_INET
        self.gateway = socket.socket(family, socket.SOCK_RAW, self.tunneled)
        self.gateway.bind((a.gateway, 0))
        enter(f"{a.lab}-far")
        family = socket.AF_INET6 if is_ipv6(a) else socket.AF_INET
        self.far = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(a.times)]
        for time_, s in enumerate(self.far):
            s.bind((self.correspondent(time_), FAR_PORT + time_))
        for s in [self.gateway, *self.far]:
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)

    def correspondent(self, time_):
        return self.a.correspondents[time_ % len(self.a.correspondents)]

    def send(self, node, time_, payload):
        if self.a.way == "down":
            self.far[time_].sendto(payload, (node, NODE_PORT))
        else:
            inner = packet(node, self.correspondent(time_), NODE_PORT, FAR_PORT + time_, payload, HOPS)
            self.gateway.sendto(inner, (self.a.anchor, 0))

    def receive(self, wait):
        """What arrived within that time: (node, time, payload), or a text that says what is wrong with it."""
        ready, _, _ = select.select([self.gateway] if self.a.way == "down" else self.far, [], [], wait)
        for s in ready:
            data, (source, *_) = s.recvfrom(65536)
            if s is not self.gateway:
                yield source, self.far.index(s), data
            elif source == self.a.anchor:
                yield self.unpacked(data if ":" in source else data[IPV4_LEN:])

    def unpacked(self, inner):
        at = IPV6_LEN if self.tunneled == NH_IPV6 else IPV4_LEN
        payload = inner[at + UDP_LEN :]
        time_ = struct.unpack_from("!H", inner, at)[0] - FAR_PORT
        node = str(ipaddress.ip_address(inner[at - len(packed(self.correspondent(0))) : at]))
        whole = packet(self.correspondent(time_), node, FAR_PORT + time_, NODE_PORT, payload, HOPS - 1)
        # The sender's kernel chooses the flow label, or the identification with the checksum over it.
        if self.tunneled == NH_IPV6:
            inner = whole[:4] + inner[4:]
        elif checksum(inner[:IPV4_LEN]) == 0:
            inner = inner[:4] + whole[4:6] + inner[6:10] + whole[10:12] + inner[12:]
        if inner != whole:
            return f"not as it was sent: {inner[: at + UDP_LEN].hex()}, not {whole[: at + UDP_LEN].hex()}"
        return node, time_, payload


def main():
    a = arguments()
    lab = Lab(a)
    noise = random.Random(5213)
    headers = UDP_LEN + (IPV6_LEN if is_ipv6(a) else IPV4_LEN)
    missing = {}
    faults = []

    def take(wait):
        for got in lab.receive(wait):
            if isinstance(got, str):
                faults.append(got)
            elif missing.pop(got[:2], None) != got[2]:
                faults.append(f"another packet of {got[0]}, or one that came twice")

    for time_ in range(a.times):
        for node in nodes(a):
            missing[node, time_] = noise.randbytes(a.bytes - headers)
            lab.send(node, time_, missing[node, time_])
            take(PACE)
    deadline = time.monotonic() + PATIENCE
    while missing and time.monotonic() < deadline:
        take(1.0)
    take(0.1)
    faults += [f"{node}'s packet {time_} did not arrive" for node, time_ in missing]
    print("\n".join(faults))
    sys.exit(bool(faults))


main()
