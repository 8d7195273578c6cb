#!/usr/bin/python3 -B
"""The data plane of a node of Mobile IPv4: a TUN that has its home address and perhaps an address of a mobile network,
and its tunnel to the home agent behind it. What comes from elsewhere is discarded. Ends with its process.

    mip4_tunnel.py --home 198.51.100.7 --care-of 192.0.2.51 --agent 192.0.2.1 [--encap ip|gre|udp:PORT]
        [--address 2001:db8:9000::1 [--to-home]]
    mip4_tunnel.py --home 198.51.100.7 --care-of 198.51.100.7 --agent 192.0.2.1 --address 2001:db8:9000::1

IPv6 goes as IPv4 goes; with --to-home it is in IPv4 between home address and agent first (RFC 5454 3.3.2). Where the home
address is the tunnel's end a foreign agent has that of IPv4.
"""

import argparse
import fcntl
import ipaddress
import os
import selectors
import socket
import struct
import subprocess

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
IPV4, IPV6, GRE, UDP = 4, 41, 47, 17
ETHER_TYPE = {IPV4: 0x0800, IPV6: 0x86DD}
MIP4_PORT, TUNNEL_DATA, IPV4_LEN = 434, 4, 20
NAME = "mip4"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--home", required=True)
    p.add_argument("--care-of", required=True)
    p.add_argument("--agent", required=True)
    p.add_argument("--encap", default="ip")
    p.add_argument("--address", help="of IPv6")
    p.add_argument("--to-home", action="store_true")
    return p.parse_args()


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def protocol(packet):
    return IPV6 if packet[0] >> 4 == 6 else IPV4


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def in_ipv4(packet, source, destination):
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, IPV4_LEN + len(packet), 0, 0, 64, protocol(packet), 0)
    return head[:10] + struct.pack("!H", checksum(head + ends)) + ends + packet


class Tunnel:
    """The outer headers: what a socket sends, and what it makes of what it receives."""

    def __init__(self, a):
        kind, _, port = a.encap.partition(":")
        self.kind, self.agent = kind, a.agent
        if kind == "udp":
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((a.care_of, int(port)))
            self.sockets = {UDP: udp}
        else:
            both = [IPV6] if a.care_of == a.home else [IPV4, IPV6]
            numbers = [GRE] if kind == "gre" else both
            self.sockets = {n: socket.socket(socket.AF_INET, socket.SOCK_RAW, n) for n in numbers}
            for s in self.sockets.values():
                s.bind((a.care_of, 0))

    def send(self, packet):
        carried = protocol(packet)
        if self.kind == "udp":
            data = struct.pack("!BBH", TUNNEL_DATA, carried, 0) + packet
            self.sockets[UDP].sendto(data, (self.agent, MIP4_PORT))
        elif self.kind == "gre":
            self.sockets[GRE].sendto(struct.pack("!HH", 0, ETHER_TYPE[carried]) + packet, (self.agent, 0))
        else:
            self.sockets[carried].sendto(packet, (self.agent, 0))

    def receive(self, s):
        """The packet inside; None: it is not the agent's, or none."""
        data, (source, *_) = s.recvfrom(65535)
        if source != self.agent:
            return None
        if self.kind == "udp":
            return data[4:] if data[:1] == bytes([TUNNEL_DATA]) else None
        return data[IPV4_LEN + (4 if self.kind == "gre" else 0) :]


def main():
    a = arguments()
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", NAME.encode(), IFF_TUN | IFF_NO_PI))
    tunnel = Tunnel(a)
    ip("link", "set", NAME, "mtu", "1440", "up")
    if a.care_of != a.home:
        ip("address", "add", f"{a.home}/32", "dev", NAME)
        ip("route", "add", "default", "dev", NAME, "src", a.home)
    if a.address:
        ip("-6", "address", "add", f"{a.address}/128", "dev", NAME, "nodad")
        ip("-6", "route", "add", "default", "dev", NAME, "src", a.address)
    print("ready", flush=True)
    with selectors.DefaultSelector() as wait:
        for source in (tun, *tunnel.sockets.values()):
            wait.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in wait.select():
                if key.fileobj == tun:
                    packet = os.read(tun, 65535)
                    if packet[0] >> 4 == 6 and ipaddress.IPv6Address(packet[8:24]).is_link_local:
                        continue  # the kernel's own
                    inner = a.to_home and protocol(packet) == IPV6
                    tunnel.send(in_ipv4(packet, a.home, a.agent) if inner else packet)
                elif packet := tunnel.receive(key.fileobj):
                    if a.to_home and packet[0] >> 4 == 4 and packet[9] == IPV6:
                        packet = packet[IPV4_LEN:]
                    os.write(tun, packet)


main()
