#!/usr/bin/python3 -B
"""A gateway that floods: as many messages as one thread can send, until it is ended or the seconds are over.

    flood.py --src 2001:db8:a::11 --dst 2001:db8:a::1 --seconds 5 one-node
    flood.py --src 2001:db8:a::11 --dst 2001:db8:a::1 --seconds 5 malformed

`one-node` sends updates for one node, each newer than the one before. `malformed` sends Mobility Headers that
are wrong each in another way: cut, of a wrong length, with options that overrun, of unknown types, of noise.
Prints how many were sent. Shares no code with ours; the kernel computes the checksum.
"""

import argparse
import itertools
import random
import signal
import socket
import struct
import time

NH_MOBILITY = 135
BU = 5
FLAG_A, FLAG_P = 0x8000, 0x0200
MN_ID, HNP, HANDOFF, ATT, TIMESTAMP = 8, 22, 23, 24, 27
BATCH = 64  # messages between two looks at the clock


def update(name, seq, timestamp):
    """A whole update; its options lie as RFC 5213 8 wants them. `timestamp` in 1/65536 s."""
    fixed = struct.pack("!HHH", seq & 0xFFFF, FLAG_A | FLAG_P, 15)
    options = bytes([HNP, 18, 0, 0]) + bytes(16)  # at 12 = 8n + 4
    options += bytes([HANDOFF, 2, 0, 1, ATT, 2, 0, 4])
    options += bytes([1, 0]) + bytes([TIMESTAMP, 8]) + struct.pack("!Q", timestamp)  # at 42 = 8n + 2
    options += bytes([MN_ID, 1 + len(name), 1]) + name
    tail = -(12 + len(options)) % 8
    options += b"" if tail == 0 else b"\0" if tail == 1 else bytes([1, tail - 2]) + bytes(tail - 2)
    return struct.pack("!BBBBH", 59, (12 + len(options)) // 8 - 1, BU, 0, 0) + fixed + options


def one_node():
    timestamp = 0
    for seq in itertools.count():
        timestamp = max(timestamp + 1, int(time.time() * 65536))
        yield update(b"victim@example.org", seq, timestamp)


def malformed():
    noise = random.Random(5213)
    whole = update(b"victim@example.org", 1, int(time.time() * 65536))
    for n in itertools.count():
        at = n // 6 % (len(whole) - 8) + 8
        yield [
            whole[:8],  # shorter than its length says
            whole[:1] + b"\xff" + whole[2:],
            whole[:2] + bytes([200 + n // 6 % 50]) + whole[3:],  # no such type
            whole[:1] + b"\0" + whole[2:],  # longer than its length says
            whole[:at] + b"\x16\xff" + whole[at + 2 :] if at > 12 else whole[:7],  # an option that overruns
            noise.randbytes(8 + 8 * (n % 12)),
        ][n % 6]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--src", required=True)
    p.add_argument("--dst", required=True)
    p.add_argument("--seconds", type=float, default=10.0)
    p.add_argument("kind", choices=["one-node", "malformed"])
    a = p.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sent = lost = 0
    began = time.monotonic()
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, NH_MOBILITY) as out:
        out.bind((a.src, 0))
        out.connect((a.dst, 0))
        messages = one_node() if a.kind == "one-node" else malformed()
        try:
            while time.monotonic() < began + a.seconds:
                for message in itertools.islice(messages, BATCH):
                    try:
                        out.send(message)
                        sent += 1
                    except OSError:  # no room in a queue of ours
                        lost += 1
        except KeyboardInterrupt:
            pass
    print(f"{sent} sent, {lost} not taken by the kernel, {sent / (time.monotonic() - began):.0f} a second")


main()
