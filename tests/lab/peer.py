#!/usr/bin/python3
"""Sends one Binding Revocation Indication or Heartbeat, as a gateway that shares no code with ours, and prints the
answer as JSON. Without one in time it prints {"status": null}.

    peer.py --src 2001:db8:a::12 --dst 2001:db8:a::1 bri --trigger 128 --flags PG --mn-id mag@example.org
    peer.py --src 2001:db8:a::12 --dst 2001:db8:a::1 heartbeat --seq 7
"""

import argparse
import json
import logging
import socket
import struct
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IPv6, Raw  # noqa: E402
from scapy.layers.inet6 import in6_chksum  # noqa: E402

NH_MOBILITY, HEARTBEAT, REVOCATION = 135, 13, 16
MN_ID, RESTART_COUNTER = 8, 28
FLAGS = {"P": 0x8000, "V": 0x4000, "G": 0x2000}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--src", required=True)
    p.add_argument("--dst", required=True)
    kinds = p.add_subparsers(dest="kind", required=True)
    bri = kinds.add_parser("bri")
    bri.add_argument("--trigger", type=int, default=1)
    bri.add_argument("--flags", default="P")
    bri.add_argument("--mn-id")
    beat = kinds.add_parser("heartbeat")
    beat.add_argument("--response", action="store_true")
    beat.add_argument("--unsolicited", action="store_true")
    beat.add_argument("--counter", type=int)
    for kind in (bri, beat):
        kind.add_argument("--seq", type=int, default=1)
        kind.add_argument("--wait", type=float, default=5.0, help="seconds to wait for the answer")
    return p.parse_args()


def padded(body):
    """Padding to a multiple of eight; the header before `body` has six bytes."""
    tail = -(6 + len(body)) % 8
    return body + (b"" if tail == 0 else b"\0" if tail == 1 else bytes([1, tail - 2]) + bytes(tail - 2))


def message(a):
    if a.kind == "bri":
        flags = sum(FLAGS[f] for f in a.flags)
        body = struct.pack("!BBHH", 1, a.trigger, a.seq, flags)
        if a.mn_id:
            body += bytes([MN_ID, 1 + len(a.mn_id), 1]) + a.mn_id.encode()
        return REVOCATION, padded(body)
    body = struct.pack("!HI", a.unsolicited << 1 | a.response, a.seq)
    if a.counter is not None:
        # At 4n + 2: the options begin at 12.
        body += bytes([1, 0]) + bytes([RESTART_COUNTER, 4]) + struct.pack("!I", a.counter)
    return HEARTBEAT, padded(body)


def packet(a):
    kind, body = message(a)
    whole = struct.pack("!BBBBH", 59, (6 + len(body)) // 8 - 1, kind, 0, 0) + body
    ip = IPv6(src=a.src, dst=a.dst, nh=NH_MOBILITY)
    checksum = in6_chksum(NH_MOBILITY, ip / Raw(whole), whole)
    return ip / Raw(whole[:4] + struct.pack("!H", checksum) + whole[6:])


def answer(a, found):
    """The fields of what came, by hand."""
    kind, body = found[2], found[6:]
    if a.kind == "bri" and kind == REVOCATION and body[0] == 2:
        _, status, seq, flags = struct.unpack("!BBHH", body[:6])
        return {"status": status, "seq": seq, "flags": flags} if seq == a.seq else None
    if a.kind == "heartbeat" and kind == HEARTBEAT and body[1] & 1:
        out = {"status": 0, "seq": struct.unpack("!I", body[2:6])[0], "restart_counter": None}
        at = 6
        while at < len(body):
            if body[at] == 0:
                at += 1
                continue
            if body[at] == RESTART_COUNTER:
                out["restart_counter"] = struct.unpack("!I", body[at + 2 : at + 6])[0]
            at += 2 + body[at + 1]
        return out if out["seq"] == a.seq else None
    return None


def main():
    a = arguments()
    out_packet = packet(a)
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as out,
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, NH_MOBILITY) as back,
    ):
        back.bind((a.src, 0))
        out.sendto(bytes(out_packet), (a.dst, 0))  # the kernel finds the neighbour
        end = time.monotonic() + a.wait
        while (left := end - time.monotonic()) > 0:
            back.settimeout(left)
            try:
                found, (source, *_) = back.recvfrom(2048)
            except TimeoutError:
                break
            if source == a.dst and len(found) >= 12 and (fields := answer(a, found)):
                print(json.dumps(fields))
                return
    print(json.dumps({"status": None}))


main()
