#!/usr/bin/python3 -B
"""Sends one Binding Revocation Indication or Heartbeat, as a gateway that shares no code with ours, and prints the
answer as JSON. Without one in time it prints {"status": null}.

    peer.py --src 2001:db8:a::12 --dst 2001:db8:a::1 bri --trigger 128 --flags PG --mn-id mag@example.org
    peer.py --src 2001:db8:a::12 --dst 2001:db8:a::1 heartbeat --seq 7
"""

import argparse
import json
import struct

import mh

HEARTBEAT, REVOCATION = 13, 16
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
    """The header before `body` has six bytes."""
    return body + mh.padding(6 + len(body))


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
    return mh.in_ipv6(whole, a.src, a.dst)


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
    print(json.dumps(mh.exchange(packet(a), a.wait, lambda found: answer(a, found)) or {"status": None}))


main()
