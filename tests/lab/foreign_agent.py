#!/usr/bin/python3 -B
"""A foreign agent of Mobile IPv4 (RFC 5944 3.7) that shares no code with ours: it relays requests of the nodes on its link to their home
agent and the replies back, with extensions of its own (RFC 3543, 3.6.1 of RFC 5944), and is the end of their tunnels. Ends with its process.

    foreign_agent.py --link 10.0.1.1 --interface access0 --care-of 192.0.2.11 --agent 192.0.2.1 --spi 300 --key fa.key

What the home agent says is printed, one line of JSON each. The first revocation of a node is not acknowledged, as if it was
lost. SIGUSR1: it revokes what its last node has registered.
"""

import argparse
import fcntl
import hashlib
import hmac
import ipaddress
import json
import os
import pathlib
import selectors
import signal
import socket
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
PORT, NTP_EPOCH, IPV4, IPV4_LEN = 434, 2_208_988_800, 4, 20
REQUEST, REPLY, REVOCATION, REVOCATION_ACK = 1, 3, 7, 15
MOBILE_HOME, FOREIGN_HOME, REVOCATION_SUPPORT = 32, 34, 137
# Where a message's home address is, and how long its fixed fields are.
HOME_AT = {REQUEST: 4, REPLY: 4, REVOCATION: 4}
FIXED_LEN = {REPLY: 20, REVOCATION: 20, REVOCATION_ACK: 12}
OURS, INFORM = 0x80, 0x40  # of a revocation's flags
NAME, TABLE = "fa", "101"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--link", required=True, help="its address there, which nodes ask")
    p.add_argument("--interface", required=True, help="of that link")
    p.add_argument("--care-of", required=True)
    p.add_argument("--agent", required=True)
    p.add_argument("--spi", type=int, required=True)
    p.add_argument("--key", required=True, help="a file, as the anchor's")
    return p.parse_args()


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def udp(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, PORT))
    return s


def extensions(data):
    """Where each begins, its type and its content."""
    at = FIXED_LEN[data[0]]
    while at + 2 <= len(data):
        yield at, data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


class ForeignAgent:
    def __init__(self, a):
        self.a = a
        self.key = bytes.fromhex(pathlib.Path(a.key).read_text())
        self.nodes, self.home = udp(a.link), udp(a.care_of)
        self.tunnel = socket.socket(socket.AF_INET, socket.SOCK_RAW, IPV4)
        self.tunnel.bind((a.care_of, 0))
        self.tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH", NAME.encode(), IFF_TUN | IFF_NO_PI))
        ip("link", "set", NAME, "mtu", "1480", "up")
        ip("route", "add", "default", "dev", NAME, "table", TABLE)
        self.visitors = {}  # home address: address and port that it asks by
        self.revoked = set()
        self.last = 0

    def time(self):
        """Seconds; later than whatever was said before (RFC 3543 3.5)."""
        self.last = max(int(time.time()) + NTP_EPOCH, self.last + 1)
        return self.last & 0xFFFFFFFF

    def signed(self, data):
        data += struct.pack("!BBI", FOREIGN_HOME, 20, self.a.spi)
        return data + hmac.new(self.key, data, hashlib.md5).digest()

    def is_authentic(self, data):
        last = None
        for at, kind, content in extensions(data):
            last = (at, content) if kind == FOREIGN_HOME else None
        if last is None or int.from_bytes(last[1][:4], "big") != self.a.spi:
            return False
        proof = hmac.new(self.key, data[: last[0] + 6], hashlib.md5).digest()
        return hmac.compare_digest(proof, last[1][4:])

    def say(self, data, **what):
        print(json.dumps(what | {"home": self.home_of(data), "authentic": self.is_authentic(data)}), flush=True)

    @staticmethod
    def home_of(data):
        at = HOME_AT[data[0]]
        return str(ipaddress.IPv4Address(data[at : at + 4]))

    def from_node(self):
        data, source = self.nodes.recvfrom(2048)
        if data[0] != REQUEST:
            return
        home = self.home_of(data)
        if home not in self.visitors:
            ip("route", "replace", f"{home}/32", "dev", self.a.interface)
            ip("rule", "add", "iif", self.a.interface, "from", home, "to", "0.0.0.0/0", "lookup", TABLE)
        self.visitors[home] = source
        support = struct.pack("!BBHI", REVOCATION_SUPPORT, 6, 0x8000, self.time())
        self.home.sendto(self.signed(data + support), (self.a.agent, PORT))

    def from_home_agent(self):
        data, (source, _) = self.home.recvfrom(2048)
        if source != self.a.agent:
            return
        if data[0] == REPLY:
            kinds = [kind for _, kind, _ in extensions(data)]
            self.say(data, reply=data[1], revocation=REVOCATION_SUPPORT in kinds)
            # What is the node's ends with its authenticator.
            ends = [at + 2 + len(content) for at, kind, content in extensions(data) if kind == MOBILE_HOME]
            self.nodes.sendto(data[: ends[0]], self.visitors[self.home_of(data)])
        elif data[0] == REVOCATION:
            self.say(data, revoked=bool(data[2] & OURS), inform=bool(data[2] & INFORM))
            home = data[4:8]
            if home in self.revoked:
                ack = struct.pack("!BBBB", REVOCATION_ACK, 0, 0x80 if data[2] & INFORM else 0, 0)
                self.home.sendto(self.signed(ack + home + data[16:20]), (self.a.agent, PORT))
            self.revoked ^= {home}
        elif data[0] == REVOCATION_ACK:
            print(json.dumps({"acknowledged": True, "authentic": self.is_authentic(data)}), flush=True)

    def revoke(self, *_):
        home = list(self.visitors)[-1]
        ends = [ipaddress.IPv4Address(a).packed for a in (home, self.a.agent, self.a.care_of)]
        fixed = struct.pack("!BBBB", REVOCATION, 0, INFORM, 0) + b"".join(ends) + struct.pack("!I", self.time())
        self.home.sendto(self.signed(fixed), (self.a.agent, PORT))

    def decapsulate(self):
        data, (source, _) = self.tunnel.recvfrom(65535)
        if source == self.a.agent:
            os.write(self.tun, data[IPV4_LEN:])

    def encapsulate(self):
        packet = os.read(self.tun, 65535)
        if packet[0] >> 4 == IPV4:  # else the kernel's own
            self.tunnel.sendto(packet, (self.a.agent, 0))

    def run(self):
        signal.signal(signal.SIGUSR1, self.revoke)
        sources = {
            self.nodes: self.from_node,
            self.home: self.from_home_agent,
            self.tunnel: self.decapsulate,
            self.tun: self.encapsulate,
        }
        print("ready", flush=True)
        with selectors.DefaultSelector() as wait:
            for source in sources:
                wait.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in wait.select():
                    sources[key.fileobj]()


ForeignAgent(arguments()).run()
