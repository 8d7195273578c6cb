#!/usr/bin/python3 -B
"""Sends one Binding Update of a mobile node, built by hand and by scapy, and prints the acknowledgement as JSON.

A mobile node that shares no code with ours. Runs where the node is. From its care-of address with a Home
Address option; at home (--care-of equal to --home) without; from a care-of address of IPv4 in UDP (RFC 5555).
Without an answer in time it prints {"status": null}.

    bu.py --home 2001:db8:100::7 --care-of 2001:db8:a::51 --agent 2001:db8:a::1 --spi 256 --key mn.key
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

import mh

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IPv6, Raw  # noqa: E402
from scapy.layers.inet6 import HAO, IPv6ExtHdrDestOpt, in6_chksum  # noqa: E402

ALTERNATE_COA, MOBILE_NETWORK, MN_ID, AUTHENTICATION, REPLAY, REFRESH = 3, 6, 8, 9, 10, 2
IPV4_CARE_OF, UDP_PORT = 32, 4191
BU, BA, TYPE_2 = 5, 6, 2
FLAG_A, FLAG_H, FLAG_L, FLAG_R = 0x8000, 0x4000, 0x2000, 0x0400
ETH_P_IPV6, NH_ROUTING = 0x86DD, 43
NTP_EPOCH, DIGEST_LEN, AUTHENTICATION_LEN = 2_208_988_800, 12, 19
ETHERNET_LEN, IPV6_LEN, FIXED_LEN = 14, 40, 12


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--home", required=True)
    p.add_argument("--care-of", required=True, help="source of the packet")
    p.add_argument("--alternate", help="another care-of address, in an option")
    p.add_argument("--agent", required=True)
    p.add_argument("--agent-ipv4", help="where its packets go to from a care-of address of IPv4")
    p.add_argument("--interface", default="eth0", help="where the answer comes")
    p.add_argument("--mn-id", help="left out of the message if not given")
    p.add_argument("--mobile-network", action="append", default=[], help="with the R flag")
    p.add_argument("--router", action="store_true", help="the R flag alone: implicit mode")
    p.add_argument("--link-local", action="store_true", help="the L flag")
    p.add_argument("--spi", type=int)
    p.add_argument("--key", help="a file, as the anchor's")
    p.add_argument("--age", type=float, default=0.0, help="seconds that its replay protection lies back")
    p.add_argument("--lifetime", type=int, default=60, help="seconds")
    p.add_argument("--seq", type=int, default=1)
    p.add_argument("--message", action="store_true", help="print it, without its checksum, and send nothing")
    p.add_argument("--wait", type=float, default=5.0, help="seconds to wait for the answer")
    return p.parse_args()


def packed(address):
    return ipaddress.IPv6Address(address).packed


def option(kind, data, at, align=(1, 0)):
    """One option at offset `at` of the message; `align` is (n, y) of "nx + y"."""
    pad = (align[1] - at) % align[0]
    lead = b"" if pad == 0 else b"\0" if pad == 1 else bytes([1, pad - 2]) + bytes(pad - 2)
    return lead + bytes([kind, len(data)]) + data


def message(a):
    flags = FLAG_A | FLAG_H
    flags |= FLAG_L if a.link_local else 0
    flags |= FLAG_R if a.router or a.mobile_network else 0
    out = struct.pack("!BBBBHHHH", 59, 0, BU, 0, 0, a.seq, flags, a.lifetime // 4)
    if a.alternate:
        out += option(ALTERNATE_COA, packed(a.alternate), len(out), (8, 6))
    for network in a.mobile_network:
        prefix, length = network.split("/")
        out += option(MOBILE_NETWORK, bytes([0, int(length)]) + packed(prefix), len(out), (8, 4))
    if a.agent_ipv4:
        out += option(IPV4_CARE_OF, b"\0\0" + ipaddress.IPv4Address(a.care_of).packed, len(out), (4, 0))
    if a.mn_id:
        out += option(MN_ID, b"\x01" + a.mn_id.encode(), len(out))
    if a.spi:
        now = time.time() - a.age
        stamp = (int(now) + NTP_EPOCH << 32) + int(now % 1 * 2**32)
        out += option(REPLAY, struct.pack("!Q", stamp), len(out), (8, 2))
        out += option(AUTHENTICATION, struct.pack("!BI", 1, a.spi) + bytes(DIGEST_LEN), len(out), (4, 1))
    end = len(out)
    out += mh.padding(end)
    out = out[:1] + bytes([len(out) // 8 - 1]) + out[2:]
    return authenticated(a, out, end) if a.spi else out


def authenticated(a, out, end):
    """RFC 4285 5.1: over both addresses and all before the digest."""
    key = bytes.fromhex(pathlib.Path(a.key).read_text())
    care_of = f"::ffff:{a.care_of}" if a.agent_ipv4 else a.care_of
    data = packed(a.alternate or care_of) + packed(a.home) + out[: end - DIGEST_LEN]
    digest = hmac.new(key, data, hashlib.sha1).digest()[:DIGEST_LEN]
    return out[: end - DIGEST_LEN] + digest + out[end:]


def packet(a):
    body = message(a)
    home = IPv6(src=a.home, dst=a.agent, nh=mh.NH_MOBILITY)
    checksum = in6_chksum(mh.NH_MOBILITY, home / Raw(body), body)  # over the home address (RFC 6275 6.1.1)
    body = body[:4] + struct.pack("!H", checksum) + body[6:]
    if a.care_of == a.home or a.agent_ipv4:
        return home / Raw(body)
    header = IPv6ExtHdrDestOpt(nh=mh.NH_MOBILITY, options=[HAO(hoa=a.home)])
    return IPv6(src=a.care_of, dst=a.agent) / header / Raw(body)


def acknowledgement(data):
    """The fields of a packet with a Binding Acknowledgement, by hand: no code of ours. None: it is none."""
    next_header, at = data[6], IPV6_LEN
    found = {"to": str(ipaddress.IPv6Address(data[24:40])), "home": None}
    if next_header == NH_ROUTING:
        if data[at + 1 : at + 4] != bytes([2, TYPE_2, 1]):
            return None
        found["home"] = str(ipaddress.IPv6Address(data[at + 8 : at + 24]))
        next_header, at = data[at], at + 24
    body = data[at:]
    if next_header != mh.NH_MOBILITY or body[2] != BA:
        return None
    body = body[: 8 * (body[1] + 1)]
    status, flags, seq, lifetime = struct.unpack("!BBHH", body[6:12])
    found |= {"status": status, "seq": seq, "lifetime": lifetime * 4, "router": bool(flags & 0x40)}
    at = FIXED_LEN
    while at < len(body):
        if body[at] == 0:
            at += 1
            continue
        content = body[at + 2 : at + 2 + body[at + 1]]
        if body[at] == MN_ID:
            found["mn_id"] = content[1:].decode(errors="replace")
        elif body[at] == REFRESH:
            found["refresh"] = int.from_bytes(content, "big") * 4
        elif body[at] == AUTHENTICATION:
            found["spi"] = int.from_bytes(content[1:5], "big")
        at += 2 + len(content)
    return found


def exchange_by_udp(a):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((a.care_of, UDP_PORT))
        s.connect((a.agent_ipv4, UDP_PORT))
        s.settimeout(a.wait)
        s.send(bytes(packet(a)))
        try:
            while not (found := acknowledgement(s.recv(2048))):
                pass
            return found
        except TimeoutError:
            return {"status": None}


def main():
    a = arguments()
    if a.message:
        print(message(a).hex())
        return
    if a.agent_ipv4:
        print(json.dumps(exchange_by_udp(a)))
        return
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6)) as back,
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as out,
    ):
        back.bind((a.interface, ETH_P_IPV6))
        out.sendto(bytes(packet(a)), (a.agent, 0))  # the kernel finds the neighbour
        end = time.monotonic() + a.wait
        while (left := end - time.monotonic()) > 0:
            back.settimeout(left)
            try:
                data = back.recv(2048)[ETHERNET_LEN:]
            except TimeoutError:
                break
            found = acknowledgement(data) if data[8:24] == packed(a.agent) else None
            if found and found["to"] in (a.care_of, a.home):
                print(json.dumps(found))
                return
    print(json.dumps({"status": None}))


main()
