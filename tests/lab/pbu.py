#!/usr/bin/python3 -B
"""Sends one Proxy Binding Update built by scapy and prints the acknowledgement as JSON.

An access gateway that shares no code with ours: the smoke tests use it as a rogue and where a test
wants a Handoff Indicator, a lifetime or an identifier that anchor-mag would not send. Runs in a
gateway's namespace. Without an answer in time it prints {"status": null}. Where another machine sends
and receives, --message prints the Mobility Header in hexadecimal, and --read prints what an
acknowledgement says.

    pbu.py --src 2001:db8:a::12 --dst 2001:db8:a::1 --mn-id mn1@example.org --handoff 4 --lifetime 60
"""

import argparse
import ipaddress
import json
import socket
import struct
import time

import mh
from scapy.layers.inet6 import MIP6MH_BU

# Mobility options of RFC 4283, RFC 5213 section 8, RFC 5845, RFC 5844 and RFC 7389.
MN_ID, HNP, HANDOFF, ATT, LL_ID, LINK_LOCAL, TIMESTAMP = 8, 22, 23, 24, 25, 26, 27
GRE_KEY, IPV4_REQUEST, IPV4_REPLY, IPV4_ROUTER = 33, 36, 37, 38
ALTERNATE_IPV4_COA, LMA_USER_PLANE = 49, 59
BU, BA = 5, 6
UDP_PORT = 5436
FLAG_A, FLAG_P, FLAG_F, FLAG_T = 0x8000, 0x0200, 0x0100, 0x0080
IPV6_HEADER_LEN = 40
HOP_LIMIT = 63  # tells its messages from those of anchor-mag: tests/lab/dissect_rules.py


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--src", default="::")
    p.add_argument("--dst", default="::")
    p.add_argument("--mn-id", help="left out of the message if not given")
    p.add_argument("--prefix", action="append", help="home network prefix, ::/0 asks for one; empty: none")
    p.add_argument("--ipv4", help="IPv4 home address with its length, 0.0.0.0/0 asks for one")
    p.add_argument("--gre-key", type=int, help="for the downlink; 0 asks for GRE without keys")
    p.add_argument("--force-udp", action="store_true")
    p.add_argument("--tlv", action="store_true", help="asks for the TLV-header in UDP")
    p.add_argument("--alternate-ipv4-coa", help="where its tunnel ends, if that is not --src")
    p.add_argument("--user-plane", action="store_true", help="asks where the anchor's tunnel ends")
    p.add_argument("--handoff", type=int, default=1)
    p.add_argument("--att", type=int, default=4)
    p.add_argument("--ll-id", default="02000000ff01", help="hexadecimal; empty: left out")
    p.add_argument("--lifetime", type=int, default=60, help="seconds")
    p.add_argument("--seq", type=int, default=1)
    p.add_argument("--age", type=float, default=0.0, help="seconds that the timestamp lies back")
    p.add_argument("--wait", type=float, default=5.0, help="seconds to wait for the answer")
    p.add_argument("--message", action="store_true", help="print the update, do not send it")
    p.add_argument("--read", help="an acknowledgement in hexadecimal; nothing is sent")
    return p.parse_args()


def option(kind, data, at, align=None):
    """One option at offset `at` of the message; `align` is (n, y) of "nx + y"."""
    pad = 0 if align is None else (align[1] - at) % align[0]
    lead = b"" if pad == 0 else b"\0" if pad == 1 else bytes([1, pad - 2]) + bytes(pad - 2)
    return lead + bytes([kind, len(data)]) + data


def options(a):
    at = 12  # the fixed part of a Binding Update, header included
    out = b""

    def add(kind, data, align=None):
        nonlocal out
        out += option(kind, data, at + len(out), align)

    if a.mn_id is not None:
        add(MN_ID, b"\x01" + a.mn_id.encode())
    for prefix in filter(None, a.prefix or ["::/0"]):
        address, length = prefix.split("/")
        packed = ipaddress.IPv6Address(address).packed
        add(HNP, bytes([0, int(length)]) + packed, (8, 4))
    add(HANDOFF, bytes([0, a.handoff]))
    add(ATT, bytes([0, a.att]))
    if a.ll_id:
        add(LL_ID, b"\0\0" + bytes.fromhex(a.ll_id))
    if a.gre_key is not None:
        key = struct.pack("!I", a.gre_key) if a.gre_key else b""
        add(GRE_KEY, b"\0\0" + key, (4, 0))
    if a.ipv4:
        address, length = a.ipv4.split("/")
        add(IPV4_REQUEST, bytes([int(length) << 2, 0]) + ipaddress.IPv4Address(address).packed, (4, 0))
    if a.alternate_ipv4_coa:
        add(ALTERNATE_IPV4_COA, ipaddress.IPv4Address(a.alternate_ipv4_coa).packed, (4, 2))
    if a.user_plane:
        add(LMA_USER_PLANE, b"\0\0")
    add(TIMESTAMP, struct.pack("!Q", int((time.time() - a.age) * 65536)), (8, 2))
    return out + mh.padding(at + len(out))


def update(a):
    body = options(a)
    flags = FLAG_A | FLAG_P | (FLAG_F if a.force_udp else 0) | (FLAG_T if a.tlv else 0)
    fixed = struct.pack("!HHH", a.seq, flags, a.lifetime // 4)
    header = struct.pack("!BBBBH", 59, (12 + len(body)) // 8 - 1, BU, 0, 0)
    message = header + fixed + body
    if ":" not in a.src:
        return message  # in UDP, whose checksum it is (RFC 5844 4.1.3)
    assert MIP6MH_BU(message).mhtype == BU  # scapy's own reading of it
    return mh.in_ipv6(message, a.src, a.dst, HOP_LIMIT)


def exchange(packet, a):
    """Sends the update as it is, and returns the message of its acknowledgement or None."""

    def is_ours(message):  # others may wait at this address, too
        return message[2] == BA and acknowledgement(message).get("mn_id") in ("", a.mn_id)

    return mh.exchange(packet, a.wait, lambda message: is_ours(message) and message)


def exchange_by_udp(message, a):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, HOP_LIMIT)
        s.bind((a.src, UDP_PORT))
        s.connect((a.dst, UDP_PORT))
        s.settimeout(a.wait)
        s.send(message)
        try:
            while (answer := s.recv(2048))[2] != BA:
                pass
            return answer
        except TimeoutError:
            return None


def acknowledgement(message):
    """The fields of a Binding Acknowledgement and its options, by hand: no code of ours."""
    status, _, seq, lifetime = struct.unpack("!BBHH", message[6:12])
    found = {"status": status, "seq": seq, "lifetime": lifetime * 4, "prefixes": []}
    at = 12
    while at < len(message):
        kind = message[at]
        if kind == 0:
            at += 1
            continue
        data = message[at + 2 : at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
        if kind == MN_ID:
            found["mn_id"] = data[1:].decode(errors="replace")
        elif kind == HNP:
            found["prefixes"].append(f"{ipaddress.IPv6Address(data[2:18])}/{data[1]}")
        elif kind == HANDOFF:
            found["handoff"] = data[1]
        elif kind == ATT:
            found["att"] = data[1]
        elif kind == GRE_KEY:
            found["gre_key"] = int.from_bytes(data[2:], "big")
        elif kind == IPV4_REPLY:
            found["ipv4_status"] = data[0]
            found["ipv4"] = f"{ipaddress.IPv4Address(data[2:6])}/{data[1] >> 2}"
        elif kind == IPV4_ROUTER:
            found["ipv4_router"] = str(ipaddress.IPv4Address(data[2:6]))
        elif kind == LMA_USER_PLANE:
            found["user_plane"] = str(ipaddress.ip_address(data[2:]))
        elif kind == TIMESTAMP:
            found["timestamp"] = struct.unpack("!Q", data)[0] / 65536
    return found


def main():
    a = arguments()
    by_udp = ":" not in a.src
    if a.message:
        print(bytes(update(a))[0 if by_udp else IPV6_HEADER_LEN :].hex())
        return
    if a.read:
        message = bytes.fromhex(a.read)
    elif by_udp:
        message = exchange_by_udp(update(a), a)
    else:
        message = exchange(update(a), a)
    print(json.dumps(acknowledgement(message) if message else {"status": None}))


main()
