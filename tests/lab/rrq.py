#!/usr/bin/python3 -B
"""Sends one Registration Request of Mobile IPv4 (RFC 5944), its fixed fields by scapy and its extensions by hand, and
prints the reply as JSON. A mobile node that shares no code with ours. Runs where the node is.

The reply's authenticator is verified, `authentic`; without a reply in time it prints {"code": null}.

    rrq.py --care-of 192.0.2.51 --agent 192.0.2.1 --home 198.51.100.7 --nai mn1@example.org --spi 256 --key mn1.key
"""

import argparse
import hashlib
import hmac
import ipaddress
import json
import logging
import pathlib
import socket
import struct
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.mobileip import MobileIP, MobileIPRRP, MobileIPRRQ  # noqa: E402

PORT, NTP_EPOCH = 434, 2_208_988_800
MOBILE_HOME, NAI, UDP_REPLY, UDP_REQUEST, REVOCATION, DSMIP = 32, 131, 44, 144, 137, 152
PREFIX_REQUEST, PREFIX_REPLY, TUNNELING_MODE = 1, 2, 3
FLAGS = {"S": 0x80, "B": 0x40, "D": 0x20, "M": 0x10, "G": 0x08, "T": 0x02}
UDP_FLAGS = {"": 0, "F": 0x80, "R": 0x40}
ALGORITHMS = {"hmac-md5": hashlib.md5, "hmac-sha-256": hashlib.sha256}
RRP_LEN = 20


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--care-of", required=True)
    p.add_argument("--from", dest="source", help="source of the packet; the care-of address if not given")
    p.add_argument("--port", type=int, default=0, help="its port")
    p.add_argument("--agent", required=True, help="destination")
    p.add_argument("--home-agent", help="the field; the destination if not given")
    p.add_argument("--home", default="0.0.0.0")
    p.add_argument("--nai", help="left out of the message if not given")
    p.add_argument("--flags", default="DT", help="of SBDMGT")
    p.add_argument("--lifetime", type=int, default=60, help="seconds")
    p.add_argument("--age", type=float, default=0.0, help="seconds that its Identification lies back")
    p.add_argument("--id", help="its Identification, sixteen hexadecimal digits")
    p.add_argument("--nonce", type=int, help="the upper half of it")
    p.add_argument("--prefix", action="append", default=[], help="an IPv6 Prefix Request")
    p.add_argument("--tunneling-mode", action="store_true")
    p.add_argument("--udp-tunnel", choices=UDP_FLAGS, help="a UDP Tunnel Request, with this flag")
    p.add_argument("--spi", type=int, default=256)
    p.add_argument("--key", required=True, help="a file, as the anchor's")
    p.add_argument("--algorithm", choices=ALGORITHMS, default="hmac-md5")
    p.add_argument("--corrupt", action="store_true", help="a wrong authenticator")
    p.add_argument("--wait", type=float, default=5.0, help="seconds to wait for the reply")
    return p.parse_args()


def extension(kind, data):
    return bytes([kind, len(data)]) + data


def dsmip(subtype, octet, data):
    """RFC 5454 2: behind the sub-type a prefix length, or nothing."""
    return extension(DSMIP, bytes([subtype, octet]) + data)


def prefix_request(text):
    address, length = text.split("/")
    return dsmip(PREFIX_REQUEST, int(length), ipaddress.IPv6Address(address).packed)


def identification(a):
    if a.id:
        return int(a.id, 16)
    now = time.time() - a.age
    stamp = (int(now) + NTP_EPOCH << 32) + int(now % 1 * 2**32)
    return stamp if a.nonce is None else a.nonce << 32 | stamp & 0xFFFFFFFF


def authenticator(a, data):
    """RFC 5944 3.5.1: over all before it, its own type, length and SPI."""
    key = bytes.fromhex(pathlib.Path(a.key).read_text())
    return hmac.new(key, data, ALGORITHMS[a.algorithm]).digest()


def request(a):
    flags = sum(FLAGS[letter] for letter in a.flags)
    fixed = MobileIPRRQ(
        flags=flags,
        lifetime=a.lifetime,
        homeaddr=a.home,
        haaddr=a.home_agent or a.agent,
        coaddr=a.care_of,
        id=identification(a),
    )
    out = bytes(MobileIP() / fixed)
    if a.nai:
        out += extension(NAI, a.nai.encode())
    for prefix in a.prefix:
        out += prefix_request(prefix)
    if a.tunneling_mode:
        out += dsmip(TUNNELING_MODE, 0, b"")
    if a.udp_tunnel is not None:
        out += extension(UDP_REQUEST, struct.pack("!BBBBH", 0, 0, UDP_FLAGS[a.udp_tunnel], 0, 0))
    length = 4 + len(authenticator(a, b""))
    out += struct.pack("!BBI", MOBILE_HOME, length, a.spi)
    proof = authenticator(a, out)
    return out + (bytes(len(proof)) if a.corrupt else proof)


def reply(a, data):
    """What a datagram says; None if it is no reply."""
    message = MobileIP(data)
    if MobileIPRRP not in message:
        return None
    fixed = message[MobileIPRRP]
    at = RRP_LEN
    found = {
        "code": fixed.code,
        "lifetime": fixed.lifetime,
        "home": fixed.homeaddr,
        "home_agent": fixed.haaddr,
        "id": f"{fixed.id:016x}",
        "authentic": False,
        "prefixes": [],
    }
    while at < len(data):
        kind, content = data[at], data[at + 2 : at + 2 + data[at + 1]]
        if kind == MOBILE_HOME:
            found["spi"] = int.from_bytes(content[:4], "big")
            found["authentic"] = hmac.compare_digest(content[4:], authenticator(a, data[: at + 6]))
        elif kind == NAI:
            found["nai"] = content.decode()
        elif kind == UDP_REPLY:
            found["udp_tunnel"] = dict(zip(("code", "forced", "keepalive"), struct.unpack("!xBBxH", content)))
        elif kind == REVOCATION:
            found["revocation"] = True
        elif kind == DSMIP and content[0] == PREFIX_REPLY:
            prefix = f"{ipaddress.IPv6Address(content[4:20])}/{content[2]}"
            found["prefixes"].append({"code": content[1], "prefix": prefix})
        at += 2 + len(content)
    return found


def main():
    a = arguments()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((a.source or a.care_of, a.port))
        sent = request(a)
        s.sendto(sent, (a.agent, PORT))
        end = time.monotonic() + a.wait
        while (left := end - time.monotonic()) > 0:
            s.settimeout(left)
            try:
                data, (source, port) = s.recvfrom(2048)
            except TimeoutError:
                break
            if port == PORT and (found := reply(a, data)):
                print(json.dumps(found | {"from": source, "sent": sent[16:24].hex()}))
                return
    print(json.dumps({"code": None}))


main()
